/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dhcp4_peer.h -- a DHCPv4 client's bytes, made and read without the server's own codec
 *
 * Requests are written field by field, replies are taken apart and their checksums summed by code
 * of its own, so that a mistake of the codec cannot hide on both sides.
 */
#pragma once
#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "netd/base/addr.h"

#define PEER_FRAME_MAX 2048

static inline struct in_addr peer_ip(const char *text)
{
	struct in_addr a = { 0 };

	inet_pton(AF_INET, text, &a);
	return a;
}

static inline struct nd_mac peer_mac(unsigned n)
{
	return (struct nd_mac){ { 0x52, 0x54, 0x00, n >> 16, n >> 8 & 0xff, n & 0xff } };
}

static inline uint32_t peer_sum(const uint8_t *p, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	return sum;
}

static inline uint16_t peer_fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static inline uint16_t peer_udp_sum(const uint8_t *frame, size_t len)
{
	uint32_t sum = peer_sum(frame + 26, 8, 17 + (uint32_t)(len - 34));

	return peer_fold(peer_sum(frame + 34, len - 34, sum));
}

/* A request under construction; fields may be changed before peer_finish(). */
struct peer_request {
	uint8_t frame[PEER_FRAME_MAX];
	size_t len;
};

static inline uint8_t *peer_dhcp(struct peer_request *r)
{
	return r->frame + 42;
}

/* A BOOTREQUEST from mac to broadcast, with the cookie and, unless it is 0, a message type. */
static inline void peer_begin(struct peer_request *r, struct nd_mac mac, uint8_t type)
{
	static const uint8_t ip[20] = { 0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0,
					0, 0, 0, 0, 255, 255, 255, 255 };
	uint8_t *d = peer_dhcp(r);

	memset(r, 0, sizeof(*r));
	memset(r->frame, 0xff, 6);
	memcpy(r->frame + 6, mac.bytes, 6);
	r->frame[12] = 0x08;
	memcpy(r->frame + 14, ip, sizeof(ip));
	r->frame[35] = 68;
	r->frame[37] = 67;
	d[0] = 1;
	d[1] = 1;
	d[2] = 6;
	memcpy(d + 4, "XIDX", 4);
	memcpy(d + 28, mac.bytes, 6);
	memcpy(d + 236, "\x63\x82\x53\x63", 4);
	r->len = 42 + 240;
	if (type) {
		memcpy(r->frame + r->len, (uint8_t[]){ 53, 1, type }, 3);
		r->len += 3;
	}
}

static inline void peer_option(struct peer_request *r, uint8_t code, const void *value, size_t len)
{
	r->frame[r->len++] = code;
	r->frame[r->len++] = (uint8_t)len;
	memcpy(r->frame + r->len, value, len);
	r->len += len;
}

static inline void peer_option_ip(struct peer_request *r, uint8_t code, struct in_addr a)
{
	peer_option(r, code, &a, 4);
}

static inline void peer_option_u32(struct peer_request *r, uint8_t code, uint32_t v)
{
	peer_option_ip(r, code, (struct in_addr){ htonl(v) });
}

static inline void peer_option_text(struct peer_request *r, uint8_t code, const char *text)
{
	peer_option(r, code, text, strlen(text));
}

static inline void peer_set_ip(struct peer_request *r, size_t at, struct in_addr a)
{
	memcpy(peer_dhcp(r) + at, &a, 4);
}

#define PEER_CIADDR 12
#define PEER_GIADDR 24

/* Lengths and checksums; the options are ended. */
static inline void peer_seal(struct peer_request *r)
{
	uint16_t udp = (uint16_t)(r->len - 34), ip = (uint16_t)(r->len - 14), check;

	memcpy(r->frame + 38, (uint8_t[]){ udp >> 8, udp & 0xff, 0, 0 }, 4);
	memcpy(r->frame + 16, (uint8_t[]){ ip >> 8, ip & 0xff }, 2);
	memcpy(r->frame + 24, (uint8_t[]){ 0, 0 }, 2);
	check = ~peer_fold(peer_sum(r->frame + 14, 20, 0));
	memcpy(r->frame + 24, (uint8_t[]){ check >> 8, check & 0xff }, 2);
	check = ~peer_udp_sum(r->frame, r->len);
	if (!check)
		check = 0xffff;
	memcpy(r->frame + 40, (uint8_t[]){ check >> 8, check & 0xff }, 2);
}

static inline void peer_finish(struct peer_request *r)
{
	r->frame[r->len++] = 255;
	peer_seal(r);
}

/* A reply as a client sees it. */
struct peer_reply {
	uint8_t frame[PEER_FRAME_MAX];
	size_t len;			/* 0: there was none */
	bool sums_right;
	struct nd_mac eth_dst, eth_src;
	struct in_addr ip_src, ip_dst, ciaddr, yiaddr, siaddr, giaddr;
	uint16_t port_dst;
	uint8_t type;			/* 0: BOOTP */
	const uint8_t *option[256];	/* NULL: not there */
	uint8_t option_len[256];
	uint8_t last_option;
};

static inline void peer_read(struct peer_reply *out, const uint8_t *frame, size_t len)
{
	const uint8_t *d = out->frame + 42, *p;

	memset(out, 0, sizeof(*out));
	if (len < 42 + 240 || len > sizeof(out->frame))
		return;
	memcpy(out->frame, frame, len);
	out->len = len;
	out->sums_right = peer_fold(peer_sum(frame + 14, 20, 0)) == 0xffff &&
		peer_udp_sum(frame, len) == 0xffff &&
		(size_t)(frame[16] << 8 | frame[17]) == len - 14 &&
		(size_t)(frame[38] << 8 | frame[39]) == len - 34;
	memcpy(out->eth_dst.bytes, frame, 6);
	memcpy(out->eth_src.bytes, frame + 6, 6);
	memcpy(&out->ip_src, frame + 26, 4);
	memcpy(&out->ip_dst, frame + 30, 4);
	out->port_dst = (uint16_t)(frame[36] << 8 | frame[37]);
	memcpy(&out->ciaddr, d + 12, 4);
	memcpy(&out->yiaddr, d + 16, 4);
	memcpy(&out->siaddr, d + 20, 4);
	memcpy(&out->giaddr, d + 24, 4);
	for (p = d + 240; p < out->frame + len && *p != 255;) {
		if (*p == 0) {
			p++;
			continue;
		}
		out->option[p[0]] = p + 2;
		out->option_len[p[0]] = p[1];
		out->last_option = p[0];
		p += 2 + p[1];
	}
	out->type = out->option[53] ? out->option[53][0] : 0;
}

static inline uint32_t peer_u32(const struct peer_reply *r, uint8_t code)
{
	uint32_t v = 0;

	if (r->option[code] && r->option_len[code] == 4)
		memcpy(&v, r->option[code], 4);
	return ntohl(v);
}

/* An option as text in buf; "" when it is not there. */
static inline const char *peer_text(const struct peer_reply *r, uint8_t code, char buf[256])
{
	size_t len = r->option[code] ? r->option_len[code] : 0;

	memcpy(buf, r->option[code] ? (const char *)r->option[code] : "", len);
	buf[len] = '\0';
	return buf;
}
