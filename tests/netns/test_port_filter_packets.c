/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the filters of bridge ports do to frames, between the two ports of a bridge. */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/netns/port_filter_fixture.h"
#include "tests/suite.h"

enum { END_A, END_B, ENDS, MARK = 0x88b5 };

static int ends[ENDS];

static int packet_socket(const char *ifname)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL),
				  .sll_ifindex = (int)if_nametoindex(ifname) };
	struct timeval timeout = { .tv_sec = 10 };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL)), on = 1;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, (void *)&at, sizeof(at)), 0);
	setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	return fd;
}

/* Bridge br0 with the ports vnet0 and vnet1, whose other ends are a and b. */
static void two_ports(void)
{
	own_namespace();
	free(shell("sysctl -q net.ipv6.conf.default.disable_ipv6=1; ip link add br0 type bridge; "
		   "ip link add vnet0 type veth peer name a; ip link add vnet1 type veth peer name b; "
		   "for i in vnet0 vnet1; do ip link set $i master br0 up; done; "
		   "ip link set dev a up; ip link set dev b up; ip link set br0 up; sleep 0.2", NULL));
	ends[END_A] = packet_socket("a");
	ends[END_B] = packet_socket("b");
}

static void close_ends(void)
{
	close(ends[END_A]);
	close(ends[END_B]);
}

static size_t ethernet(uint8_t *frame, int from, uint16_t type)
{
	uint8_t header[14] = { 2, 0, 0, 0, 0, from == END_A ? 0x0b : 0x0a, 2, 0, 0, 0, 0,
			       from == END_A ? 0x0a : 0x0b, (uint8_t)(type >> 8), (uint8_t)type };

	memset(frame, 0, 64);
	memcpy(frame, header, sizeof(header));
	return sizeof(header);
}

static void transmit(int from, const uint8_t *frame, size_t len)
{
	ck_assert_int_eq(send(ends[from], frame, len, 0), (ssize_t)len);
}

static void send_mark(int from)
{
	uint8_t frame[64];

	ethernet(frame, from, MARK);
	transmit(from, frame, sizeof(frame));
}

static void send_arp(int from, const char *sender)
{
	static const uint8_t request[8] = { 0, 1, 8, 0, 6, 4, 0, 1 };
	uint8_t frame[64];
	size_t at = ethernet(frame, from, ETH_P_ARP);

	memcpy(frame + at, request, sizeof(request));
	memcpy(frame + at + 8, frame + 6, 6);
	inet_pton(AF_INET, sender, frame + at + 14);
	transmit(from, frame, sizeof(frame));
}

static void send_udp(int from, const char *saddr, uint16_t sport, const char *daddr, uint16_t dport)
{
	static const uint8_t ip[12] = { 0x45, 0, 0, 28, 0, 1, 0, 0, 64, IPPROTO_UDP };
	uint8_t frame[64];
	uint32_t sum = 0;
	size_t at = ethernet(frame, from, ETH_P_IP);
	const uint8_t udp[8] = { (uint8_t)(sport >> 8), (uint8_t)sport, (uint8_t)(dport >> 8), (uint8_t)dport,
				 0, 8 };

	memcpy(frame + at, ip, sizeof(ip));
	inet_pton(AF_INET, saddr, frame + at + 12);
	inet_pton(AF_INET, daddr, frame + at + 16);
	for (unsigned i = 0; i < 20; i += 2)
		sum += (uint32_t)(frame[at + i] << 8 | frame[at + i + 1]);
	sum = ~((sum & 0xffff) + (sum >> 16));
	frame[at + 10] = (uint8_t)(sum >> 8);
	frame[at + 11] = (uint8_t)sum;
	memcpy(frame + at + 20, udp, sizeof(udp));
	transmit(from, frame, sizeof(frame));
}

/* What has come to an end, up to the mark that is sent last: "arp 10.0.0.1, udp 10.0.0.1:5". */
static const char *come_to(int end)
{
	static char text[256];
	uint8_t frame[2048];
	char address[INET_ADDRSTRLEN], *p = text;

	send_mark(end == END_A ? END_B : END_A);
	*p = '\0';
	for (;;) {
		ssize_t n = recv(ends[end], frame, sizeof(frame), 0);
		unsigned type = (unsigned)(frame[12] << 8 | frame[13]);

		ck_assert_msg(n >= 14, "the mark did not come: %s", text);
		if (type == MARK)
			return text;
		if (type == ETH_P_ARP)
			p += sprintf(p, "%sarp %s", p == text ? "" : ", ",
				     inet_ntop(AF_INET, frame + 28, address, sizeof(address)));
		else if (type == ETH_P_IP && frame[23] != IPPROTO_IGMP)		/* the bridge's own */
			p += sprintf(p, "%s%s %s:%d", p == text ? "" : ", ",
				     frame[23] == IPPROTO_UDP ? "udp" : "icmp",
				     inet_ntop(AF_INET, frame + 26, address, sizeof(address)),
				     frame[34] << 8 | frame[35]);
	}
}

START_TEST(frames_pass_as_the_port_s_rules_say)
{
	ND_AUTO(port_filter_free) struct port_filter *f = port_filter_new("vnet0");
	struct port_filters *pf;

	two_ports();
	pf = engine(_i);
	port_filter_add_chain(f, "frames_from_ip");
	is_ethertype(rule(f, FILTER_FRAMES_FROM, FILTER_DROP), "0806");
	is_ethertype(rule(f, FILTER_FRAMES_FROM, FILTER_JUMP), "0800");
	f->chains[FILTER_FRAMES_FROM].rules[1].jump = FILTER_STAGES;
	test(rule(f, FILTER_STAGES, FILTER_DROP), FILTER_NETWORK, 12, 4, FILTER_EQ, "0a000001");
	test(rule(f, FILTER_FRAMES_TO, FILTER_DROP), FILTER_NETWORK, 12, 4, FILTER_EQ, "0a000009");

	send_arp(END_A, "10.0.0.1");
	send_udp(END_A, "10.0.0.1", 1, "10.0.0.9", 2);
	ck_assert_str_eq(come_to(END_B), "arp 10.0.0.1, udp 10.0.0.1:1");
	apply_one(pf, f);
	send_arp(END_A, "10.0.0.1");
	send_udp(END_A, "10.0.0.1", 1, "10.0.0.9", 2);
	send_udp(END_A, "10.0.0.2", 3, "10.0.0.9", 2);
	ck_assert_str_eq(come_to(END_B), "udp 10.0.0.2:3");
	/* the rules are of the one port and the one direction */
	send_arp(END_B, "10.0.0.1");
	send_udp(END_B, "10.0.0.1", 1, "10.0.0.9", 2);
	send_udp(END_B, "10.0.0.9", 1, "10.0.0.9", 2);
	ck_assert_str_eq(come_to(END_A), "arp 10.0.0.1, udp 10.0.0.1:1");
	/* accepted by frames_from, dropped by the next stage */
	f->chains[FILTER_FRAMES_FROM].rules[0].verdict = FILTER_ACCEPT;
	is_ethertype(rule(f, FILTER_PACKETS_FROM, FILTER_DROP), "0806");
	apply_one(pf, f);
	send_arp(END_A, "10.0.0.1");
	send_udp(END_A, "10.0.0.2", 3, "10.0.0.9", 2);
	ck_assert_str_eq(come_to(END_B), "udp 10.0.0.2:3");
	apply(pf, NULL, 0);
	send_arp(END_A, "10.0.0.1");
	ck_assert_str_eq(come_to(END_B), "arp 10.0.0.1");
	port_filters_free(pf);
	close_ends();
}
END_TEST

START_TEST(the_first_source_becomes_the_only_one)
{
	ND_AUTO(port_filter_free) struct port_filter *f = clean_traffic("vnet0");
	struct port_filters *pf;

	two_ports();
	pf = engine(false);
	apply_one(pf, f);
	send_arp(END_A, "10.0.0.7");		/* nothing is learned yet, and ARP does not teach here */
	send_udp(END_A, "10.0.0.7", 1, "10.0.0.9", 2);
	send_udp(END_A, "10.0.0.8", 2, "10.0.0.9", 2);
	send_arp(END_A, "10.0.0.8");
	send_arp(END_A, "10.0.0.7");
	send_udp(END_A, "10.0.0.7", 3, "10.0.0.9", 2);
	ck_assert_str_eq(come_to(END_B), "udp 10.0.0.7:1, arp 10.0.0.7, udp 10.0.0.7:3");
	port_filters_free(pf);
	close_ends();
}
END_TEST

START_TEST(answers_come_back_and_nothing_else)
{
	ND_AUTO(port_filter_free) struct port_filter *f = tracked("vnet0");
	struct port_filters *pf;

	two_ports();
	if (kernel_has(f, optional[0].what)) {
		pf = engine(false);
		apply_one(pf, f);
		send_udp(END_B, "10.0.0.2", 53, "10.0.0.1", 1000);
		ck_assert_str_eq(come_to(END_A), "");
		send_udp(END_A, "10.0.0.1", 1001, "10.0.0.2", 53);
		ck_assert_str_eq(come_to(END_B), "udp 10.0.0.1:1001");
		send_udp(END_B, "10.0.0.2", 54, "10.0.0.1", 1001);
		send_udp(END_B, "10.0.0.2", 53, "10.0.0.1", 1001);
		ck_assert_str_eq(come_to(END_A), "udp 10.0.0.2:53");
		port_filters_free(pf);
	}
	close_ends();
}
END_TEST

START_TEST(more_connections_than_allowed_are_dropped)
{
	ND_AUTO(port_filter_free) struct port_filter *f = limited("vnet0");
	struct port_filters *pf;

	two_ports();
	if (kernel_has(f, optional[1].what)) {
		pf = engine(false);
		apply_one(pf, f);
		send_udp(END_A, "10.0.0.1", 1, "10.0.0.2", 53);
		ck_assert_str_eq(come_to(END_B), "udp 10.0.0.1:1");
		send_udp(END_B, "10.0.0.2", 53, "10.0.0.1", 1);
		ck_assert_str_eq(come_to(END_A), "udp 10.0.0.2:53");
		send_udp(END_A, "10.0.0.1", 2, "10.0.0.2", 53);
		send_udp(END_A, "10.0.0.1", 1, "10.0.0.2", 53);
		ck_assert_str_eq(come_to(END_B), "udp 10.0.0.1:1");
		port_filters_free(pf);
	}
	close_ends();
}
END_TEST

START_TEST(a_rejected_packet_is_answered)
{
	ND_AUTO(port_filter_free) struct port_filter *f = rejecting("vnet0");
	struct port_filters *pf;

	two_ports();
	if (kernel_has(f, optional[2].what)) {
		pf = engine(false);
		apply_one(pf, f);
		send_udp(END_A, "10.0.0.1", 1, "10.0.0.2", 53);
		ck_assert_str_eq(come_to(END_B), "");
		ck_assert_str_eq(come_to(END_A), "icmp 10.0.0.2:771");		/* port unreachable */
		port_filters_free(pf);
	}
	close_ends();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("port_filter_packets");
	TCase *t = tcase_create("packets");

	tcase_set_timeout(t, 120);
	/* with a persistent owned table, and as on a kernel without them */
	tcase_add_loop_test(t, frames_pass_as_the_port_s_rules_say, 0, 2);
	tcase_add_test(t, the_first_source_becomes_the_only_one);
	tcase_add_test(t, answers_come_back_and_nothing_else);
	tcase_add_test(t, more_connections_than_allowed_are_dropped);
	tcase_add_test(t, a_rejected_packet_is_answered);
	suite_add_tcase(s, t);
	return suite_run(s);
}
