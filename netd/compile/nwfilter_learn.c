/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nwfilter_learn.c -- the address of a guest that nobody wrote down: the kernel learns it from the port's frames
 *
 * So no program with privileges reads a guest's bytes, and what was learned outlives netd.
 */
#include "netd/compile/nwfilter.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

/* The address at the offset, when it is one that a host can have, is the guest's from now on. */
static int learn_at(struct filter_rule *rule, enum filter_subject subject, unsigned offset)
{
	static const uint8_t first[4] = { 0, 0, 0, 1 }, last[4] = { 223, 255, 255, 255 };
	struct filter_test *t;
	int r = nwfilter_test_bytes(rule, subject, offset, 4, FILTER_RANGE, first);

	if (r < 0)
		return r;
	memcpy(rule->tests[rule->n_tests - 1].to, last, sizeof(last));
	t = filter_rule_add_test(rule);
	if (!t)
		return -ENOMEM;
	t->subject = subject;
	t->offset = (uint16_t)offset;
	t->len = 4;
	t->op = FILTER_LEARN;
	rule->verdict = FILTER_CONTINUE;
	return 0;
}

int nwfilter_learn_any(struct filter_chain *from, const struct nd_mac *mac)
{
	static const struct { enum nwfilter_proto proto; unsigned offset; } senders[] = {
		{ NWFILTER_ARP, 14 }, { NWFILTER_IP, 12 },
	};
	int r = 0;

	for (size_t i = 0; i < ND_COUNT(senders) && r == 0; i++) {
		struct filter_rule *rule = filter_chain_add_rule(from);

		if (!rule)
			return -ENOMEM;
		r = nwfilter_test_bytes(rule, FILTER_LINK, 6, sizeof(*mac), FILTER_EQ, mac);
		if (r == 0)
			r = nwfilter_test_kind(rule, senders[i].proto);
		if (r == 0 && senders[i].proto == NWFILTER_ARP)
			r = nwfilter_test_arp_format(rule);
		if (r == 0)
			r = learn_at(rule, FILTER_NETWORK, senders[i].offset);
	}
	return r;
}

/* Offsets from the UDP header's begin (RFC 2131 2). The kind of message is the first option, as all
 * servers have it; the kernel looks at 255 bytes at most. */
enum { BOOTP_OP = 8, BOOTP_YIADDR = 24, BOOTP_CHADDR = 36, BOOTP_OPTIONS = 244 };

static int test_dhcp_ack(struct filter_rule *rule, const struct nd_mac *mac)
{
	static const uint8_t ports[4] = { 0, 67, 0, 68 };
	static const uint8_t reply[3] = { 2, 1, 6 };		/* BOOTREPLY, Ethernet, 6 bytes */
	static const uint8_t ack[7] = { 0x63, 0x82, 0x53, 0x63, 53, 1, 5 };
	const struct { unsigned offset, len; const void *value; } parts[] = {
		{ 0, sizeof(ports), ports }, { BOOTP_OP, sizeof(reply), reply },
		{ BOOTP_CHADDR, sizeof(*mac), mac }, { BOOTP_OPTIONS, sizeof(ack), ack },
	};
	int r = nwfilter_test_kind(rule, NWFILTER_IP);

	if (r == 0)
		r = nwfilter_test_u8(rule, FILTER_L4PROTO, 0, IPPROTO_UDP);
	for (size_t i = 0; i < ND_COUNT(parts) && r == 0; i++)
		r = nwfilter_test_bytes(rule, FILTER_TRANSPORT, parts[i].offset, parts[i].len, FILTER_EQ, parts[i].value);
	return r;
}

int nwfilter_learn_dhcp(struct filter_chain *to, const struct nd_mac *mac, const char *server, struct nd_error *err)
{
	struct filter_rule *rule = filter_chain_add_rule(to);
	struct nd_ip ip = { 0 };
	int r;

	if (!rule)
		return nd_error_nomem(err);
	if (server && (!nd_ip_parse(server, &ip) || ip.family != AF_INET))
		return nd_error_set(err, ND_ERR_CONFIG_UNSUPPORTED, "DHCPSERVER is an IPv4 address, not '%.100s'",
				    server);
	r = test_dhcp_ack(rule, mac);
	if (r == 0 && server)
		r = nwfilter_test_bytes(rule, FILTER_NETWORK, 12, sizeof(ip.v4), FILTER_EQ, &ip.v4);
	if (r == 0)
		r = learn_at(rule, FILTER_TRANSPORT, BOOTP_YIADDR);
	return r < 0 ? nd_error_nomem(err) : 0;
}
