/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dhcp/frame.h"

#define ETHERTYPE_IPV4 0x0800
#define PROTO_UDP 17
#define FRAGMENT_BITS 0x3fff		/* more fragments, and the offset; not DF */

/* The ones' complement sum of RFC 1071 over the bytes, added to sum. */
static uint32_t sum_bytes(uint32_t sum, const uint8_t *p, size_t len)
{
	for (; len > 1; len -= 2, p += 2)
		sum += (uint32_t)p[0] << 8 | p[1];
	if (len)
		sum += (uint32_t)p[0] << 8;
	return sum;
}

static uint16_t sum_fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* The sum over UDP's pseudo header (RFC 768) and datagram. */
static uint16_t udp_sum(struct in_addr src, struct in_addr dst, const uint8_t *udp, size_t len)
{
	uint32_t sum = PROTO_UDP + (uint32_t)len;

	sum = sum_bytes(sum, (const uint8_t *)&src, 4);
	sum = sum_bytes(sum, (const uint8_t *)&dst, 4);
	return sum_fold(sum_bytes(sum, udp, len));
}

/* Decodes the IPv4 header; udp_out reads the datagram's bytes, without Ethernet's padding. */
static bool ip_decode(struct rd *r, struct dhcp_frame *out, struct rd *udp_out)
{
	const uint8_t *start = r->at;
	uint8_t version_ihl = rd_u8(r);
	size_t head = (version_ihl & 0xf) * 4u, total;
	uint16_t fragment;
	uint8_t proto;

	rd_skip(r, 1);			/* type of service */
	total = rd_u16(r);
	rd_skip(r, 2);			/* identification */
	fragment = rd_u16(r);
	rd_skip(r, 1);			/* time to live */
	proto = rd_u8(r);
	rd_skip(r, 2);			/* checksum: summed below */
	rd_copy(r, &out->ip_src, 4);
	rd_copy(r, &out->ip_dst, 4);
	if (r->bad || version_ihl >> 4 != 4 || head < 20 || total < head ||
	    (fragment & FRAGMENT_BITS) || proto != PROTO_UDP)
		return false;
	rd_skip(r, head - 20);
	if (r->bad || sum_fold(sum_bytes(0, start, head)) != 0xffff)
		return false;
	*udp_out = rd_sub(r, total - head);
	return !udp_out->bad;
}

bool dhcp_frame_decode(const void *bytes, size_t len, bool csum_partial, struct dhcp_frame *out)
{
	struct rd r = rd_init(bytes, len), udp;
	const uint8_t *start;
	size_t udp_len;
	uint16_t check;

	rd_copy(&r, out->eth_dst.bytes, 6);
	rd_copy(&r, out->eth_src.bytes, 6);
	if (rd_u16(&r) != ETHERTYPE_IPV4 || !ip_decode(&r, out, &udp))
		return false;
	start = udp.at;
	out->port_src = rd_u16(&udp);
	out->port_dst = rd_u16(&udp);
	udp_len = rd_u16(&udp);
	check = rd_u16(&udp);
	if (udp.bad || udp_len < 8 || out->port_dst != DHCP_SERVER_PORT)
		return false;
	out->payload = rd_sub(&udp, udp_len - 8);
	if (out->payload.bad)
		return false;
	/* 0: the sender made none (RFC 768) */
	return csum_partial || check == 0 ||
		udp_sum(out->ip_src, out->ip_dst, start, udp_len) == 0xffff;
}

size_t dhcp_frame_finish(uint8_t *frame, size_t payload_len, const struct dhcp_frame *to)
{
	uint8_t head[DHCP_FRAME_HEAD];
	struct wr w = wr_init(head, sizeof(head));
	uint8_t *ip = frame + 14, *udp = frame + 34;
	uint16_t check;

	wr_bytes(&w, to->eth_dst.bytes, 6);
	wr_bytes(&w, to->eth_src.bytes, 6);
	wr_u16(&w, ETHERTYPE_IPV4);
	wr_u8(&w, 4 << 4 | 5);
	wr_u8(&w, 0);
	wr_u16(&w, 28 + payload_len);
	wr_u32(&w, 0);			/* identification, no fragments */
	wr_u8(&w, 64);			/* time to live */
	wr_u8(&w, PROTO_UDP);
	wr_u16(&w, 0);
	wr_bytes(&w, &to->ip_src, 4);
	wr_bytes(&w, &to->ip_dst, 4);
	wr_u16(&w, to->port_src);
	wr_u16(&w, to->port_dst);
	wr_u16(&w, 8 + payload_len);
	wr_u16(&w, 0);
	memcpy(frame, head, sizeof(head));
	check = ~sum_fold(sum_bytes(0, ip, 20));
	ip[10] = check >> 8;
	ip[11] = check & 0xff;
	check = ~udp_sum(to->ip_src, to->ip_dst, udp, 8 + payload_len);
	if (check == 0)
		check = 0xffff;		/* 0 would mean: none */
	udp[6] = check >> 8;
	udp[7] = check & 0xff;
	return DHCP_FRAME_HEAD + payload_len;
}
