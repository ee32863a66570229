/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nwfilter_test.c -- tests of bytes that several sorts of rules begin with */
#include "netd/compile/nwfilter.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <string.h>

/* What goes before the values of each protocol. */
static const struct { uint16_t ethertype; int l4proto; } kinds[NWFILTER_PROTOS] = {
	[NWFILTER_VLAN] = { ETH_P_8021Q, -1 },
	[NWFILTER_ARP] = { ETH_P_ARP, -1 },
	[NWFILTER_RARP] = { ETH_P_RARP, -1 },
	[NWFILTER_IP] = { ETH_P_IP, -1 },
	[NWFILTER_IPV6] = { ETH_P_IPV6, -1 },
	[NWFILTER_TCP] = { ETH_P_IP, IPPROTO_TCP },
	[NWFILTER_UDP] = { ETH_P_IP, IPPROTO_UDP },
	[NWFILTER_UDPLITE] = { ETH_P_IP, IPPROTO_UDPLITE },
	[NWFILTER_ESP] = { ETH_P_IP, IPPROTO_ESP },
	[NWFILTER_AH] = { ETH_P_IP, IPPROTO_AH },
	[NWFILTER_SCTP] = { ETH_P_IP, IPPROTO_SCTP },
	[NWFILTER_ICMP] = { ETH_P_IP, IPPROTO_ICMP },
	[NWFILTER_IGMP] = { ETH_P_IP, IPPROTO_IGMP },
	[NWFILTER_ALL] = { ETH_P_IP, -1 },
	[NWFILTER_TCP_IPV6] = { ETH_P_IPV6, IPPROTO_TCP },
	[NWFILTER_UDP_IPV6] = { ETH_P_IPV6, IPPROTO_UDP },
	[NWFILTER_UDPLITE_IPV6] = { ETH_P_IPV6, IPPROTO_UDPLITE },
	[NWFILTER_ESP_IPV6] = { ETH_P_IPV6, IPPROTO_ESP },
	[NWFILTER_AH_IPV6] = { ETH_P_IPV6, IPPROTO_AH },
	[NWFILTER_SCTP_IPV6] = { ETH_P_IPV6, IPPROTO_SCTP },
	[NWFILTER_ICMPV6] = { ETH_P_IPV6, IPPROTO_ICMPV6 },
	[NWFILTER_ALL_IPV6] = { ETH_P_IPV6, -1 },
};

/* Bridges' group address, to which BPDUs go, and their LLC. */
static const uint8_t stp_address[6] = { 0x01, 0x80, 0xc2, 0, 0, 0 };
static const uint8_t stp_llc[3] = { 0x42, 0x42, 0x03 };

int nwfilter_test_bytes(struct filter_rule *rule, enum filter_subject subject, unsigned offset, unsigned len,
		      enum filter_op op, const void *value)
{
	struct filter_test *t = filter_rule_add_test(rule);

	if (!t)
		return -ENOMEM;
	t->subject = subject;
	t->offset = (uint16_t)offset;
	t->len = (uint16_t)len;
	t->op = op;
	memcpy(t->from, value, len);
	return 0;
}

int nwfilter_test_u8(struct filter_rule *rule, enum filter_subject subject, unsigned offset, uint8_t value)
{
	return nwfilter_test_bytes(rule, subject, offset, 1, FILTER_EQ, &value);
}

static int test_u16(struct filter_rule *rule, enum filter_subject subject, unsigned offset, uint16_t value)
{
	uint16_t wire = htons(value);

	return nwfilter_test_bytes(rule, subject, offset, 2, FILTER_EQ, &wire);
}

static int test_stp(struct filter_rule *rule)
{
	int r = nwfilter_test_bytes(rule, FILTER_LINK, 0, sizeof(stp_address), FILTER_EQ, stp_address);

	return r < 0 ? r : nwfilter_test_bytes(rule, FILTER_LINK, 14, sizeof(stp_llc), FILTER_EQ, stp_llc);
}

int nwfilter_test_kind(struct filter_rule *rule, enum nwfilter_proto proto)
{
	if (proto == NWFILTER_STP)
		return test_stp(rule);
	if (!kinds[proto].ethertype)
		return 0;
	return test_u16(rule, FILTER_LINK, 12, kinds[proto].ethertype);
}

/* ARP for Ethernet and IPv4: the only one whose addresses stand where they are looked for. */
int nwfilter_test_arp_format(struct filter_rule *rule)
{
	int r = test_u16(rule, FILTER_NETWORK, 0, ARPHRD_ETHER);

	if (r == 0)
		r = test_u16(rule, FILTER_NETWORK, 2, ETH_P_IP);
	if (r == 0)
		r = nwfilter_test_u8(rule, FILTER_NETWORK, 4, sizeof(struct nd_mac));
	return r < 0 ? r : nwfilter_test_u8(rule, FILTER_NETWORK, 5, sizeof(struct in_addr));
}

int nwfilter_test_l4proto(struct filter_rule *rule, enum nwfilter_proto proto)
{
	if (!nwfilter_proto_is_ip(proto) || kinds[proto].l4proto < 0)
		return 0;
	return nwfilter_test_u8(rule, FILTER_L4PROTO, 0, (uint8_t)kinds[proto].l4proto);
}

bool nwfilter_is_ipv6(enum nwfilter_proto proto)
{
	return kinds[proto].ethertype == ETH_P_IPV6;
}
