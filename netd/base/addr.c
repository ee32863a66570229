/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/base/addr.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool nd_mac_parse(const char *text, struct nd_mac *out)
{
	struct nd_mac mac;

	for (int i = 0; i < 6; i++) {
		int v = hex_value(*text);

		if (v < 0)
			return false;
		text++;
		if (hex_value(*text) >= 0)
			v = v << 4 | hex_value(*text++);
		mac.bytes[i] = (uint8_t)v;
		if (*text != (i < 5 ? ':' : '\0'))
			return false;
		text++;
	}
	*out = mac;
	return true;
}

char *nd_mac_format(const struct nd_mac *mac, char *buf)
{
	const uint8_t *b = mac->bytes;

	snprintf(buf, ND_MAC_STRLEN, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4],
		 b[5]);
	return buf;
}

bool nd_mac_equal(const struct nd_mac *a, const struct nd_mac *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

bool nd_mac_is_zero(const struct nd_mac *mac)
{
	static const struct nd_mac none;

	return nd_mac_equal(mac, &none);
}

bool nd_mac_is_multicast(const struct nd_mac *mac)
{
	return mac->bytes[0] & 1;
}

static int random_bytes(void *to, size_t len)
{
	return getrandom(to, len, 0) == (ssize_t)len ? 0 : -EIO;
}

int nd_mac_random(struct nd_mac *out)
{
	struct nd_mac mac = { { 0x52, 0x54, 0x00 } };
	int r = random_bytes(mac.bytes + 3, 3);

	if (r == 0)
		*out = mac;
	return r;
}

bool nd_ip_parse(const char *text, struct nd_ip *out)
{
	struct nd_ip ip = { 0 };

	if (inet_pton(AF_INET, text, &ip.v4) == 1)
		ip.family = AF_INET;
	else if (inet_pton(AF_INET6, text, &ip.v6) == 1)
		ip.family = AF_INET6;
	else
		return false;
	*out = ip;
	return true;
}

char *nd_ip_format(const struct nd_ip *ip, char *buf)
{
	buf[0] = '\0';
	if (ip->family)
		inet_ntop(ip->family, nd_ip_bytes(ip, NULL), buf, ND_IP_STRLEN);
	return buf;
}

const uint8_t *nd_ip_bytes(const struct nd_ip *ip, size_t *len_out)
{
	if (len_out)
		*len_out = nd_ip_bits(ip) / 8;
	return ip->family == AF_INET ? (const uint8_t *)&ip->v4 : ip->v6.s6_addr;
}

unsigned nd_ip_bits(const struct nd_ip *ip)
{
	return ip->family == AF_INET ? 32 : ip->family == AF_INET6 ? 128 : 0;
}

int nd_ip_compare(const struct nd_ip *a, const struct nd_ip *b)
{
	if (a->family != b->family)
		return nd_ip_bits(a) < nd_ip_bits(b) ? -1 : 1;
	return memcmp(nd_ip_bytes(a, NULL), nd_ip_bytes(b, NULL), nd_ip_bits(a) / 8);
}

bool nd_ip_equal(const struct nd_ip *a, const struct nd_ip *b)
{
	return nd_ip_compare(a, b) == 0;
}

int nd_netmask_len(struct in_addr netmask)
{
	uint32_t host = ntohl(netmask.s_addr);
	int len = host ? __builtin_popcount(host) : 0;

	return nd_netmask((unsigned)len).s_addr == netmask.s_addr ? len : -1;
}

struct in_addr nd_netmask(unsigned prefix_len)
{
	return (struct in_addr){ htonl(prefix_len ? ~0u << (32 - prefix_len) : 0) };
}

char *nd_prefix_format(const struct nd_prefix *p, char *buf)
{
	char ip[ND_IP_STRLEN];

	snprintf(buf, ND_PREFIX_STRLEN, "%s/%u", nd_ip_format(&p->addr, ip), p->len);
	return buf;
}

struct nd_prefix nd_prefix_masked(const struct nd_prefix *p)
{
	struct nd_prefix m = *p;
	unsigned bits = nd_ip_bits(&p->addr);
	uint8_t *b = m.addr.family == AF_INET ? (uint8_t *)&m.addr.v4 : m.addr.v6.s6_addr;

	for (unsigned i = 0; i < bits / 8; i++) {
		unsigned left = p->len > i * 8 ? p->len - i * 8 : 0;

		if (left < 8)
			b[i] &= (uint8_t)(0xff00 >> left);
	}
	return m;
}

bool nd_prefix_contains(const struct nd_prefix *p, const struct nd_ip *ip)
{
	struct nd_prefix other = { .addr = *ip, .len = p->len }, mine = nd_prefix_masked(p);

	if (p->addr.family != ip->family)
		return false;
	other = nd_prefix_masked(&other);
	return nd_ip_equal(&mine.addr, &other.addr);
}

bool nd_prefix_overlaps(const struct nd_prefix *a, const struct nd_prefix *b)
{
	return a->len <= b->len ? nd_prefix_contains(a, &b->addr) : nd_prefix_contains(b, &a->addr);
}

struct in_addr nd_prefix_broadcast(const struct nd_prefix *p)
{
	return (struct in_addr){ p->addr.v4.s_addr | ~nd_netmask(p->len).s_addr };
}

bool nd_uuid_parse(const char *text, struct nd_uuid *out)
{
	struct nd_uuid uuid;

	while (isspace((unsigned char)*text))
		text++;
	for (int i = 0; i < 16; i++) {
		while (*text == '-' || *text == ' ')
			text++;
		if (hex_value(text[0]) < 0 || hex_value(text[1]) < 0)
			return false;
		uuid.bytes[i] = (uint8_t)(hex_value(text[0]) << 4 | hex_value(text[1]));
		text += 2;
	}
	while (isspace((unsigned char)*text))
		text++;
	if (*text)
		return false;
	*out = uuid;
	return true;
}

char *nd_uuid_format(const struct nd_uuid *uuid, char *buf)
{
	static const char digits[] = "0123456789abcdef";
	char *p = buf;

	for (int i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*p++ = '-';
		*p++ = digits[uuid->bytes[i] >> 4];
		*p++ = digits[uuid->bytes[i] & 15];
	}
	*p = '\0';
	return buf;
}

bool nd_uuid_equal(const struct nd_uuid *a, const struct nd_uuid *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

bool nd_uuid_is_null(const struct nd_uuid *uuid)
{
	return nd_uuid_equal(uuid, &(struct nd_uuid){ 0 });
}

int nd_uuid_random(struct nd_uuid *out)
{
	struct nd_uuid uuid;
	int r = random_bytes(uuid.bytes, sizeof(uuid.bytes));

	if (r < 0)
		return r;
	uuid.bytes[6] = (uuid.bytes[6] & 0x0f) | 0x40;
	uuid.bytes[8] = (uuid.bytes[8] & 0x3f) | 0x80;
	*out = uuid;
	return 0;
}
