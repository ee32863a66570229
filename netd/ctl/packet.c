/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/ctl/packet.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "netd/base/addr.h"
#include "netd/base/auto.h"
#include "netd/base/cursor.h"

enum { ETHER_IPV4 = 0x0800, ETHER_ARP = 0x0806, ETHER_VLAN = 0x8100, ETHER_IPV6 = 0x86dd };

struct line {
	char *text;
	size_t size, len;
};

static void add(struct line *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void add(struct line *l, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(l->text + l->len, l->size - l->len, fmt, ap);
	va_end(ap);
	if (n > 0)
		l->len = l->len + (size_t)n < l->size ? l->len + (size_t)n : l->size - 1;
}

static struct nd_ip rd_ip(struct rd *r, sa_family_t family)
{
	struct nd_ip ip = { .family = family };

	if (family == AF_INET)
		rd_copy(r, &ip.v4, sizeof(ip.v4));
	else
		rd_copy(r, &ip.v6, sizeof(ip.v6));
	return ip;
}

static const char *service(uint16_t port)
{
	switch (port) {
	case 53:	return "DNS";
	case 67: case 68:	return "DHCP";
	case 69:	return "TFTP";
	case 546: case 547:	return "DHCPv6";
	case 5353:	return "mDNS";
	default:	return NULL;
	}
}

/* RFC 2132 9.6; the fixed part of RFC 2131 2 is 236 bytes and the magic cookie 4. */
static void add_dhcp(struct line *l, struct rd r)
{
	static const char *const names[] = {
		NULL, "DISCOVER", "OFFER", "REQUEST", "DECLINE", "ACK", "NAK", "RELEASE", "INFORM",
	};

	rd_skip(&r, 240);
	while (rd_more(&r)) {
		uint8_t code = rd_u8(&r);
		struct rd body;

		if (code == 0)
			continue;
		if (code == 255)
			return;
		body = rd_sub(&r, rd_u8(&r));
		if (code == 53) {
			uint8_t type = rd_u8(&body);

			if (type > 0 && type < ND_COUNT(names))
				add(l, " %s", names[type]);
			return;
		}
	}
}

static void add_udp(struct line *l, struct rd r, const char *from, const char *to)
{
	uint16_t sport = rd_u16(&r), dport = rd_u16(&r);
	const char *name = service(dport) ? service(dport) : service(sport);

	rd_skip(&r, 4);
	add(l, "%s.%u > %s.%u: UDP", from, sport, to, dport);
	if (name)
		add(l, " %s", name);
	if (name && strcmp(name, "DHCP") == 0 && !r.bad)
		add_dhcp(l, r);
}

static void add_tcp(struct line *l, struct rd r, const char *from, const char *to)
{
	static const char letters[] = "FSRPAU";
	uint16_t sport = rd_u16(&r), dport = rd_u16(&r);
	uint8_t flags;

	rd_skip(&r, 9);
	flags = rd_u8(&r);
	add(l, "%s.%u > %s.%u: TCP ", from, sport, to, dport);
	for (unsigned i = 0; letters[i]; i++)
		if (flags & 1 << i)
			add(l, "%c", letters[i]);
}

static void add_icmp(struct line *l, struct rd r, bool v6, const char *from, const char *to)
{
	static const struct { bool v6; uint8_t type; const char *name; } names[] = {
		{ false, 0, "echo reply" }, { false, 3, "unreachable" }, { false, 8, "echo request" },
		{ false, 11, "time exceeded" }, { true, 1, "unreachable" },
		{ true, 2, "packet too big" }, { true, 3, "time exceeded" },
		{ true, 128, "echo request" }, { true, 129, "echo reply" },
		{ true, 133, "router solicitation" }, { true, 134, "router advertisement" },
		{ true, 135, "neighbor solicitation" }, { true, 136, "neighbor advertisement" },
	};
	uint8_t type = rd_u8(&r);

	add(l, "%s > %s: ICMP%s ", from, to, v6 ? "v6" : "");
	for (size_t i = 0; i < ND_COUNT(names); i++) {
		if (names[i].v6 == v6 && names[i].type == type) {
			add(l, "%s", names[i].name);
			return;
		}
	}
	add(l, "type %u", type);
}

static void add_transport(struct line *l, struct rd r, uint8_t protocol, const struct nd_ip *from,
			  const struct nd_ip *to)
{
	char a[ND_IP_STRLEN], b[ND_IP_STRLEN];

	nd_ip_format(from, a);
	nd_ip_format(to, b);
	switch (protocol) {
	case 1:		add_icmp(l, r, false, a, b); break;
	case 6:		add_tcp(l, r, a, b); break;
	case 17:	add_udp(l, r, a, b); break;
	case 58:	add_icmp(l, r, true, a, b); break;
	default:	add(l, "%s > %s: protocol %u", a, b, protocol);
	}
}

static void add_ipv4(struct line *l, struct rd r)
{
	unsigned header_len = (rd_u8(&r) & 0xfu) * 4;
	uint16_t offset;
	uint8_t protocol;
	struct nd_ip from, to;

	rd_skip(&r, 5);
	offset = rd_u16(&r) & 0x1fff;
	rd_skip(&r, 1);
	protocol = rd_u8(&r);
	rd_skip(&r, 2);
	from = rd_ip(&r, AF_INET);
	to = rd_ip(&r, AF_INET);
	if (header_len > 20)
		rd_skip(&r, header_len - 20);
	if (offset)
		add(l, "fragment of ");
	add_transport(l, offset ? (struct rd){ .bad = true } : r, protocol, &from, &to);
}

static void add_ipv6(struct line *l, struct rd r)
{
	struct nd_ip from, to;
	uint8_t next;

	rd_skip(&r, 6);
	next = rd_u8(&r);
	rd_skip(&r, 1);
	from = rd_ip(&r, AF_INET6);
	to = rd_ip(&r, AF_INET6);
	if (next == 0) {	/* hop-by-hop options, as in MLD (RFC 8200 4.3) */
		uint8_t len;

		next = rd_u8(&r);
		len = rd_u8(&r);
		rd_skip(&r, 6 + len * 8u);
	}
	add_transport(l, r, next, &from, &to);
}

static void add_arp(struct line *l, struct rd r)
{
	char a[ND_IP_STRLEN], b[ND_IP_STRLEN];
	struct nd_ip from, to;
	uint16_t operation;

	rd_skip(&r, 6);
	operation = rd_u16(&r);
	rd_skip(&r, 6);
	from = rd_ip(&r, AF_INET);
	rd_skip(&r, 6);
	to = rd_ip(&r, AF_INET);
	add(l, "ARP %s %s, from %s", operation == 1 ? "who has" : "reply to",
	    nd_ip_format(&to, b), nd_ip_format(&from, a));
}

void packet_summary(const uint8_t *frame, size_t len, char *text, size_t text_size)
{
	struct line l = { .text = text, .size = text_size };
	struct rd r = rd_init(frame, len);
	char from_text[ND_MAC_STRLEN], to_text[ND_MAC_STRLEN];
	struct nd_mac from, to;
	uint16_t type;

	text[0] = '\0';
	rd_copy(&r, to.bytes, sizeof(to.bytes));
	rd_copy(&r, from.bytes, sizeof(from.bytes));
	type = rd_u16(&r);
	add(&l, "%s > %s ", nd_mac_format(&from, from_text), nd_mac_format(&to, to_text));
	if (type == ETHER_VLAN) {
		add(&l, "VLAN %u ", rd_u16(&r) & 0xfffu);
		type = rd_u16(&r);
	}
	if (type == ETHER_IPV4)
		add_ipv4(&l, r);
	else if (type == ETHER_IPV6)
		add_ipv6(&l, r);
	else if (type == ETHER_ARP)
		add_arp(&l, r);
	else
		add(&l, "type 0x%04x", type);
}
