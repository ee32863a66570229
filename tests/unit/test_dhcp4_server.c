/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the DHCPv4 server says to a client, rule by rule. Leases live in memory here. */
#include <check.h>
#include <stdlib.h>

#include "dhcp/dhcp4_service.h"
#include "dhcp4_peer.h"

#define SERVER "192.168.50.1"

static struct dhcp_pool pools[1];
static struct dhcp_reservation hosts[4];
static struct dhcp_config config;
static struct dhcp4_service *service;
static struct peer_reply reply;
static unsigned n_replies;
static uint64_t now_ms;
static char events[1024];

static void on_send(void *ctx, const uint8_t *frame, size_t len)
{
	n_replies++;
	peer_read(&reply, frame, len);
	ck_assert(reply.len);
	ck_assert(reply.sums_right);
	ck_assert_uint_ge(len - 42, 300);
	ck_assert_uint_eq(reply.ip_src.s_addr, config.server.s_addr);
}

static void on_event(void *ctx, enum dhcp4_event event, const struct dhcp4_lease_info *lease)
{
	char line[128];

	snprintf(line, sizeof(line), "%c%s=%s ", "+~-"[event], inet_ntoa(lease->address),
		 lease->hostname);
	strncat(events, line, sizeof(events) - strlen(events) - 1);
}

static void start(void)
{
	struct dhcp4_service_setup setup = { .config = &config, .mac = peer_mac(0xffffff),
					     .hooks = { .send = on_send, .event = on_event } };

	setup.now_ms = now_ms;
	ck_assert_int_eq(dhcp4_service_new(&setup, &service, NULL, NULL), 0);
}

static void setup(void)
{
	memset(&config, 0, sizeof(config));
	memset(hosts, 0, sizeof(hosts));
	pools[0] = (struct dhcp_pool){ peer_ip("192.168.50.10"), peer_ip("192.168.50.19"), 0 };
	config.enabled = true;
	config.server = peer_ip(SERVER);
	config.router = config.server;
	config.dns = config.server;
	config.prefix_len = 24;
	config.lease_time_s = 3600;
	config.pools = pools;
	config.n_pools = 1;
	config.reservations = hosts;
	strcpy(config.domain, "lab.example");
	now_ms = 1000000;
	events[0] = '\0';
	start();
}

static void teardown(void)
{
	dhcp4_service_free(service);
	service = NULL;
}

static void add_host(const char *mac, const char *id, const char *name, const char *ip)
{
	struct dhcp_reservation *h = &hosts[config.n_reservations++];

	h->has_mac = mac && nd_mac_parse(mac, &h->mac);
	if (id) {
		h->client_id_len = strlen(id);
		memcpy(h->client_id, id, strlen(id));
	}
	snprintf(h->name, sizeof(h->name), "%s", name ? name : "");
	h->address = peer_ip(ip);
	ck_assert_int_eq(dhcp4_service_configure(service, &config, now_ms), 0);
}

/* Sends it; true when there was an answer. */
static bool send_frame(const struct peer_request *r)
{
	unsigned before = n_replies;

	memset(&reply, 0, sizeof(reply));
	dhcp4_service_frame(service, r->frame, r->len, false, now_ms);
	ck_assert_uint_le(n_replies - before, 1);
	return n_replies > before;
}

static bool send_request(struct peer_request *r)
{
	peer_finish(r);
	return send_frame(r);
}

static bool discover(unsigned client)
{
	struct peer_request r;

	peer_begin(&r, peer_mac(client), 1);
	return send_request(&r);
}

/* A REQUEST in SELECTING for what reply offers. */
static void begin_selecting(struct peer_request *r, unsigned client, struct in_addr address)
{
	peer_begin(r, peer_mac(client), 3);
	peer_option_ip(r, 54, config.server);
	peer_option_ip(r, 50, address);
}

/* DISCOVER and REQUEST; the address that was acknowledged. */
static struct in_addr acquire_with(unsigned client, uint8_t code, const char *value)
{
	struct peer_request r;

	peer_begin(&r, peer_mac(client), 1);
	if (value)
		peer_option_text(&r, code, value);
	ck_assert(send_request(&r));
	ck_assert_uint_eq(reply.type, 2);
	begin_selecting(&r, client, reply.yiaddr);
	if (value)
		peer_option_text(&r, code, value);
	ck_assert(send_request(&r));
	ck_assert_uint_eq(reply.type, 5);
	return reply.yiaddr;
}

static struct in_addr acquire(unsigned client)
{
	return acquire_with(client, 0, NULL);
}

static bool renew(unsigned client, struct in_addr address)
{
	struct peer_request r;

	peer_begin(&r, peer_mac(client), 3);
	peer_set_ip(&r, PEER_CIADDR, address);
	return send_request(&r);
}

static bool init_reboot(unsigned client, struct in_addr address)
{
	struct peer_request r;

	peer_begin(&r, peer_mac(client), 3);
	peer_option_ip(&r, 50, address);
	return send_request(&r);
}

static void release(unsigned client, struct in_addr address)
{
	struct peer_request r;

	peer_begin(&r, peer_mac(client), 7);
	peer_option_ip(&r, 54, config.server);
	peer_set_ip(&r, PEER_CIADDR, address);
	ck_assert(!send_request(&r));
}

static void decline(unsigned client, struct in_addr address)
{
	struct peer_request r;

	peer_begin(&r, peer_mac(client), 4);
	peer_option_ip(&r, 54, config.server);
	peer_option_ip(&r, 50, address);
	ck_assert(!send_request(&r));
}

static bool in_pool(struct in_addr a)
{
	uint32_t h = ntohl(a.s_addr);

	return h >= ntohl(pools[0].start.s_addr) && h <= ntohl(pools[0].end.s_addr);
}

static void assert_ip(struct in_addr a, const char *text)
{
	ck_assert_str_eq(inet_ntoa(a), text);
}

/* --- the four messages --- */

START_TEST(discover_is_offered_an_address_of_the_pool)
{
	char text[256];

	ck_assert(discover(1));
	ck_assert_uint_eq(reply.type, 2);
	ck_assert(in_pool(reply.yiaddr));
	ck_assert_mem_eq(reply.frame + 42 + 4, "XIDX", 4);
	ck_assert_uint_eq(peer_u32(&reply, 54), ntohl(config.server.s_addr));
	ck_assert_uint_eq(peer_u32(&reply, 51), 3600);
	ck_assert_uint_eq(peer_u32(&reply, 58), 1800);
	ck_assert_uint_eq(peer_u32(&reply, 59), 3150);
	ck_assert_uint_eq(peer_u32(&reply, 1), 0xffffff00);
	ck_assert_uint_eq(peer_u32(&reply, 28), 0xc0a832ff);
	ck_assert_uint_eq(peer_u32(&reply, 3), 0xc0a83201);
	ck_assert_uint_eq(peer_u32(&reply, 6), 0xc0a83201);
	ck_assert_str_eq(peer_text(&reply, 15, text), "lab.example");
	ck_assert_ptr_null(reply.option[26]);
	ck_assert_ptr_null(reply.option[12]);
	ck_assert_ptr_null(reply.option[119]);
	ck_assert_ptr_null(reply.option[121]);
	assert_ip(reply.siaddr, SERVER);
	/* RFC 2131 4.1: no broadcast flag, no address yet: to the new address at the MAC */
	ck_assert(nd_mac_equal(&reply.eth_dst, &(struct nd_mac){ { 0x52, 0x54, 0, 0, 0, 1 } }));
	ck_assert_uint_eq(reply.ip_dst.s_addr, reply.yiaddr.s_addr);
	ck_assert_uint_eq(reply.port_dst, 68);
	ck_assert_str_eq(events, "");
}
END_TEST

START_TEST(request_of_the_offer_is_acknowledged_and_told)
{
	struct in_addr a = acquire_with(1, 12, "web");
	char expected[64], text[256];

	ck_assert_uint_eq(peer_u32(&reply, 51), 3600);
	ck_assert_str_eq(peer_text(&reply, 12, text), "web");
	snprintf(expected, sizeof(expected), "+%s=web ", inet_ntoa(a));
	ck_assert_str_eq(events, expected);
}
END_TEST

START_TEST(offers_of_two_clients_differ)
{
	struct in_addr a;

	ck_assert(discover(1));
	a = reply.yiaddr;
	ck_assert(discover(2));
	ck_assert_uint_ne(a.s_addr, reply.yiaddr.s_addr);
	ck_assert(discover(1));
	ck_assert_uint_eq(a.s_addr, reply.yiaddr.s_addr);
}
END_TEST

START_TEST(renewal_keeps_the_address_and_restarts_its_time)
{
	struct in_addr a = acquire(1);

	now_ms += 1800 * 1000;
	ck_assert(renew(1, a));
	ck_assert_uint_eq(reply.type, 5);
	ck_assert_uint_eq(reply.yiaddr.s_addr, a.s_addr);
	ck_assert_uint_eq(reply.ciaddr.s_addr, a.s_addr);
	ck_assert_uint_eq(peer_u32(&reply, 51), 3600);
	ck_assert_uint_eq(reply.ip_dst.s_addr, a.s_addr);
	now_ms += 3599 * 1000;
	dhcp4_service_tick(service, now_ms);
	ck_assert_ptr_null(strchr(events, '-'));
	now_ms += 1000;
	dhcp4_service_tick(service, now_ms);
	ck_assert_ptr_nonnull(strchr(events, '-'));
}
END_TEST

START_TEST(a_repeated_request_is_told_what_is_left)
{
	struct in_addr a = acquire(1);

	now_ms += 3000;
	ck_assert(renew(1, a));
	ck_assert_uint_eq(peer_u32(&reply, 51), 3597);
	ck_assert_ptr_null(strchr(events, '~'));
}
END_TEST

START_TEST(init_reboot_with_the_lease_is_acknowledged)
{
	struct in_addr a = acquire(1);

	ck_assert(init_reboot(1, a));
	ck_assert_uint_eq(reply.type, 5);
	ck_assert_uint_eq(reply.yiaddr.s_addr, a.s_addr);
}
END_TEST

START_TEST(unknown_client_gets_a_usable_address_it_claims)
{
	ck_assert(init_reboot(7, peer_ip("192.168.50.15")));
	ck_assert_uint_eq(reply.type, 5);
	ck_assert(renew(8, peer_ip("192.168.50.16")));
	ck_assert_uint_eq(reply.type, 5);
}
END_TEST

START_TEST(wrong_claims_are_refused_at_once)
{
	static const char *const wrong[] = { "10.0.0.5", "192.168.50.9", "192.168.50.20",
					     "192.168.50.1", "192.168.50.255", "192.168.50.0" };

	for (size_t i = 0; i < ND_COUNT(wrong); i++) {
		ck_assert(init_reboot(7, peer_ip(wrong[i])));
		ck_assert_uint_eq(reply.type, 6);
		ck_assert_uint_eq(reply.yiaddr.s_addr, 0);
		ck_assert_ptr_null(reply.option[51]);
		/* RFC 2131 4.3.2: broadcast, since the client's address may be wrong; but the
		 * frame is for the client alone, or a flood of requests would be one of NAKs */
		assert_ip(reply.ip_dst, "255.255.255.255");
		ck_assert_uint_eq(reply.eth_dst.bytes[5], 7);
		ck_assert(renew(7, peer_ip(wrong[i])));
		ck_assert_uint_eq(reply.type, 6);
	}
}
END_TEST

START_TEST(another_clients_address_is_refused)
{
	struct in_addr a = acquire(1);
	struct peer_request r;

	ck_assert(init_reboot(2, a));
	ck_assert_uint_eq(reply.type, 6);
	ck_assert(renew(2, a));
	ck_assert_uint_eq(reply.type, 6);
	begin_selecting(&r, 2, a);
	ck_assert(send_request(&r));
	ck_assert_uint_eq(reply.type, 6);
	ck_assert(renew(1, a));
	ck_assert_uint_eq(reply.type, 5);
}
END_TEST

/* Were it given the other one and never told, it would count on its own, which was free by then. */
START_TEST(client_with_a_lease_gets_no_other_address)
{
	struct in_addr a = acquire(1), other = peer_ip("192.168.50.19");
	struct peer_request r;

	if (a.s_addr == other.s_addr)
		other = peer_ip("192.168.50.18");
	ck_assert(init_reboot(1, other));
	ck_assert_uint_eq(reply.type, 6);
	ck_assert(renew(1, other));
	ck_assert_uint_eq(reply.type, 6);
	begin_selecting(&r, 1, other);
	ck_assert(send_request(&r));
	ck_assert_uint_eq(reply.type, 6);
	ck_assert(init_reboot(2, a));
	ck_assert_uint_eq(reply.type, 6);
	ck_assert(init_reboot(2, other));
	ck_assert_uint_eq(reply.type, 5);
	ck_assert_uint_eq(acquire(1).s_addr, a.s_addr);
}
END_TEST

START_TEST(choice_of_another_server_frees_the_offer)
{
	struct peer_request r;
	struct in_addr a;

	ck_assert(discover(1));
	a = reply.yiaddr;
	peer_begin(&r, peer_mac(1), 3);
	peer_option_ip(&r, 54, peer_ip("192.168.50.2"));
	peer_option_ip(&r, 50, peer_ip("192.168.50.77"));
	ck_assert(!send_request(&r));
	ck_assert(init_reboot(2, a));
	ck_assert_uint_eq(reply.type, 5);
}
END_TEST

START_TEST(released_address_is_free_and_remembered)
{
	struct in_addr a = acquire(1);
	char expected[64];

	release(2, a);
	ck_assert_ptr_null(strchr(events, '-'));
	release(1, a);
	snprintf(expected, sizeof(expected), "+%s= -%s= ", inet_ntoa(a), inet_ntoa(a));
	ck_assert_str_eq(events, expected);
	ck_assert_uint_eq(acquire(1).s_addr, a.s_addr);
	release(1, a);
	ck_assert(init_reboot(2, a));
	ck_assert_uint_eq(reply.type, 5);
}
END_TEST

START_TEST(declined_address_rests_ten_minutes)
{
	struct in_addr a = acquire(1), b;

	decline(2, a);
	decline(1, a);
	ck_assert_ptr_nonnull(strchr(events, '-'));
	b = acquire(1);
	ck_assert_uint_ne(a.s_addr, b.s_addr);
	now_ms += 599 * 1000;
	ck_assert(init_reboot(2, a));
	ck_assert_uint_eq(reply.type, 6);
	now_ms += 1000;
	ck_assert(init_reboot(2, a));
	ck_assert_uint_eq(reply.type, 5);
}
END_TEST

START_TEST(one_client_cannot_decline_the_pool_away)
{
	for (int i = 0; i < 30; i++)
		decline(1, acquire(1));
	for (unsigned client = 10; client < 15; client++)
		acquire(client);
}
END_TEST

START_TEST(inform_is_told_of_the_network_but_given_no_lease)
{
	struct peer_request r;

	peer_begin(&r, peer_mac(1), 8);
	peer_set_ip(&r, PEER_CIADDR, peer_ip("192.168.50.200"));
	ck_assert(send_request(&r));
	ck_assert_uint_eq(reply.type, 5);
	ck_assert_uint_eq(reply.yiaddr.s_addr, 0);
	assert_ip(reply.ip_dst, "192.168.50.200");
	ck_assert_uint_eq(peer_u32(&reply, 6), 0xc0a83201);
	ck_assert_ptr_null(reply.option[51]);
	ck_assert_ptr_null(reply.option[58]);
	ck_assert_str_eq(events, "");
}
END_TEST

START_TEST(rapid_commit_binds_in_two_messages)
{
	struct peer_request r;

	peer_begin(&r, peer_mac(1), 1);
	peer_option(&r, 80, "", 0);
	ck_assert(send_request(&r));
	ck_assert_uint_eq(reply.type, 5);
	ck_assert_ptr_nonnull(reply.option[80]);
	ck_assert_uint_eq(reply.option_len[80], 0);
	ck_assert_uint_eq(events[0], '+');
	ck_assert(renew(1, reply.yiaddr));
	ck_assert_ptr_null(reply.option[80]);
}
END_TEST

START_TEST(bootp_is_answered_for_reservations_only)
{
	struct peer_request r;

	add_host("52:54:00:00:00:05", NULL, "old", "192.168.50.5");
	strcpy(config.boot_file, "kernel");
	peer_begin(&r, peer_mac(6), 0);
	ck_assert(!send_request(&r));
	peer_begin(&r, peer_mac(5), 0);
	ck_assert(send_request(&r));
	ck_assert_uint_eq(reply.type, 0);
	ck_assert_uint_eq(reply.len, 42 + 300);
	assert_ip(reply.yiaddr, "192.168.50.5");
	ck_assert_ptr_null(reply.option[51]);
	ck_assert_ptr_null(reply.option[54]);
	ck_assert_uint_eq(peer_u32(&reply, 1), 0xffffff00);
	ck_assert_str_eq((char *)reply.frame + 42 + 108, "kernel");
	ck_assert_str_eq(events, "+192.168.50.5=old ");
}
END_TEST

/* --- what is broken --- */

/* A valid DISCOVER, of which each case breaks one field. */
static void begin_valid(struct peer_request *r)
{
	peer_begin(r, peer_mac(1), 1);
	peer_option_text(r, 12, "host");
	peer_finish(r);
}

struct breakage {
	const char *what;
	size_t at;
	uint8_t value;
	bool seal;			/* make lengths and checksums right again */
};

START_TEST(one_broken_field_silences_the_server)
{
	static const struct breakage cases[] = {
		{ "ethertype", 12, 0x86, true },
		{ "ip version", 14, 0x65, true },
		{ "ip header length", 14, 0x44, false },
		{ "ip total length", 17, 0xff, false },
		{ "more fragments", 20, 0x20, true },
		{ "fragment offset", 21, 1, true },
		{ "protocol", 23, 6, true },
		{ "ip checksum", 24, 0x12, false },
		{ "destination address", 30, 10, true },
		{ "destination port", 37, 68, true },
		{ "udp length", 39, 0xff, false },
		{ "udp length too short", 39, 7, false },
		{ "udp checksum", 40, 0x12, false },
		{ "op", 42, 2, true },
		{ "htype", 43, 6, true },
		{ "hlen", 44, 16, true },
		{ "chaddr is multicast", 42 + 28, 0x53, true },
		{ "chaddr is another's", 42 + 33, 0x99, true },
		{ "giaddr of another subnet", 42 + 24, 10, true },
		{ "cookie", 42 + 236, 0, true },
		{ "type's length", 42 + 241, 2, true },
		{ "type unknown", 42 + 242, 77, true },
		{ "type zero", 42 + 242, 0, true },
		{ "option passes the end", 42 + 244, 200, true },
	};
	struct peer_request r;

	begin_valid(&r);
	ck_assert(send_frame(&r));
	for (size_t i = 0; i < ND_COUNT(cases); i++) {
		begin_valid(&r);
		r.frame[cases[i].at] = cases[i].value;
		if (cases[i].seal)
			peer_seal(&r);
		ck_assert_msg(!send_frame(&r), "answered: %s", cases[i].what);
	}
}
END_TEST

START_TEST(truncated_frames_are_not_answered)
{
	struct peer_request r;

	begin_valid(&r);
	for (size_t len = 0; len < r.len; len++)
		dhcp4_service_frame(service, r.frame, len, false, now_ms);
	ck_assert_uint_eq(dhcp4_service_stats(service)->received, 0);
}
END_TEST

START_TEST(partial_checksum_is_accepted_when_the_kernel_says_so)
{
	struct peer_request r;

	begin_valid(&r);
	r.frame[40] ^= 0x55;
	ck_assert(!send_frame(&r));
	dhcp4_service_frame(service, r.frame, r.len, true, now_ms);
	ck_assert_uint_eq(reply.type, 2);
}
END_TEST

START_TEST(padding_behind_the_datagram_does_not_matter)
{
	struct peer_request r;

	begin_valid(&r);
	r.len += 30;
	ck_assert(send_frame(&r));
}
END_TEST

START_TEST(vital_option_of_wrong_length_is_malformed)
{
	struct peer_request r;

	peer_begin(&r, peer_mac(1), 3);
	peer_option(&r, 50, "\xc0\xa8\x32", 3);
	ck_assert(!send_request(&r));
	peer_begin(&r, peer_mac(1), 3);
	peer_option(&r, 54, "\xc0\xa8\x32\x01\x01", 5);
	ck_assert(!send_request(&r));
	ck_assert_uint_eq(dhcp4_service_stats(service)->malformed, 2);
}
END_TEST

START_TEST(spoofed_release_frees_nothing)
{
	struct in_addr a = acquire(1);
	struct peer_request r;

	peer_begin(&r, peer_mac(1), 7);
	peer_set_ip(&r, PEER_CIADDR, a);
	r.frame[11] = 0x66;
	ck_assert(!send_request(&r));
	ck_assert_ptr_null(strchr(events, '-'));
	ck_assert_uint_eq(dhcp4_service_stats(service)->spoofed, 1);
}
END_TEST

/* --- relays --- */

static void relay(struct peer_request *r, const char *giaddr)
{
	static const uint8_t relay_mac[6] = { 2, 0, 0, 0, 0, 9 };
	struct in_addr a = peer_ip(giaddr);

	memcpy(r->frame + 6, relay_mac, 6);
	memcpy(r->frame + 26, &a, 4);
	memcpy(r->frame + 30, &config.server, 4);
	r->frame[35] = 67;
	peer_set_ip(r, PEER_GIADDR, a);
}

START_TEST(relayed_request_is_answered_to_the_relay)
{
	struct peer_request r;

	peer_begin(&r, peer_mac(1), 1);
	peer_option(&r, 82, "\x01\x04port", 6);
	relay(&r, "192.168.50.99");
	ck_assert(send_request(&r));
	assert_ip(reply.ip_dst, "192.168.50.99");
	assert_ip(reply.giaddr, "192.168.50.99");
	ck_assert_uint_eq(reply.port_dst, 67);
	ck_assert_uint_eq(reply.eth_dst.bytes[5], 9);
	ck_assert_uint_eq(reply.option_len[82], 6);
	ck_assert_mem_eq(reply.option[82], "\x01\x04port", 6);
	ck_assert_uint_eq(reply.last_option, 82);
}
END_TEST

START_TEST(relayed_nak_asks_the_relay_to_broadcast)
{
	struct peer_request r;

	peer_begin(&r, peer_mac(1), 3);
	peer_option_ip(&r, 50, peer_ip("10.1.1.1"));
	relay(&r, "192.168.50.99");
	ck_assert(send_request(&r));
	ck_assert_uint_eq(reply.type, 6);
	assert_ip(reply.ip_dst, "192.168.50.99");
	ck_assert_uint_eq(reply.frame[42 + 10], 0x80);
}
END_TEST

START_TEST(no_relay_speaks_for_a_plugged_guest)
{
	struct nd_mac port = peer_mac(1);
	struct peer_request r;

	ck_assert_int_eq(dhcp4_service_set_ports(service, &port, 1, now_ms), 0);
	peer_begin(&r, port, 1);
	relay(&r, "192.168.50.99");
	ck_assert(!send_request(&r));
}
END_TEST

/* --- identity --- */

START_TEST(clones_with_one_client_id_get_two_addresses)
{
	struct in_addr a = acquire_with(1, 61, "\xff machine"), b = acquire_with(2, 61, "\xff machine");

	ck_assert_uint_ne(a.s_addr, b.s_addr);
	ck_assert_uint_eq(reply.option_len[61], 9);	/* RFC 6842 */
	ck_assert(renew(1, a));
	ck_assert_uint_eq(reply.type, 5);
}
END_TEST

START_TEST(guest_that_changes_its_client_id_keeps_its_address)
{
	struct in_addr a = acquire_with(1, 61, "\x01rom");

	ck_assert_uint_eq(acquire_with(1, 61, "\xffloader").s_addr, a.s_addr);
	ck_assert_uint_eq(acquire(1).s_addr, a.s_addr);
}
END_TEST

START_TEST(nak_echoes_the_client_id)
{
	struct peer_request r;

	peer_begin(&r, peer_mac(1), 3);
	peer_option_ip(&r, 50, peer_ip("10.0.0.1"));
	peer_option_text(&r, 61, "\x01id");
	ck_assert(send_request(&r));
	ck_assert_uint_eq(reply.type, 6);
	ck_assert_uint_eq(reply.option_len[61], 3);
}
END_TEST

/* --- options --- */

START_TEST(only_what_is_asked_for_is_sent)
{
	struct peer_request r;

	config.mtu_bytes = 1400;
	peer_begin(&r, peer_mac(1), 1);
	peer_option(&r, 55, "\x1a\x77", 2);
	ck_assert(send_request(&r));
	ck_assert_ptr_null(reply.option[3]);
	ck_assert_ptr_null(reply.option[6]);
	ck_assert_ptr_null(reply.option[15]);
	ck_assert_mem_eq(reply.option[26], "\x05\x78", 2);
	ck_assert_uint_eq(reply.option_len[119], 13);
	ck_assert_mem_eq(reply.option[119], "\x03lab\x07" "example", 13);
	ck_assert_ptr_nonnull(reply.option[1]);
	ck_assert_ptr_nonnull(reply.option[28]);
}
END_TEST

START_TEST(isolated_network_has_no_router_and_no_dns)
{
	config.router.s_addr = 0;
	config.dns.s_addr = 0;
	config.domain[0] = '\0';
	ck_assert(discover(1));
	ck_assert_ptr_null(reply.option[3]);
	ck_assert_ptr_null(reply.option[6]);
	ck_assert_ptr_null(reply.option[15]);
}
END_TEST

START_TEST(classless_routes_hold_the_default_route_too)
{
	struct dhcp_static_route route = { peer_ip("10.20.0.0"), 14, peer_ip("192.168.50.3") };
	struct peer_request r;

	peer_begin(&r, peer_mac(1), 1);
	peer_option(&r, 55, "\x79\x03", 2);
	ck_assert(send_request(&r));
	ck_assert_ptr_null(reply.option[121]);
	config.routes = &route;
	config.n_routes = 1;
	peer_begin(&r, peer_mac(1), 1);
	peer_option(&r, 55, "\x79\x03", 2);
	ck_assert(send_request(&r));
	ck_assert_uint_eq(reply.option_len[121], 12);
	ck_assert_mem_eq(reply.option[121], "\x0e\x0a\x14\xc0\xa8\x32\x03\x00\xc0\xa8\x32\x01", 12);
}
END_TEST

START_TEST(fqdn_is_answered_with_the_name_in_the_domain)
{
	struct peer_request r;

	peer_begin(&r, peer_mac(1), 1);
	peer_option(&r, 81, "\x00\x00\x00gst.bad.dom", 14);
	ck_assert(send_request(&r));
	ck_assert_uint_eq(reply.option[81][0], 0x03);
	ck_assert_uint_eq(reply.option_len[81], 3 + 15);
	ck_assert_mem_eq(reply.option[81] + 3, "gst.lab.example", 15);
	peer_begin(&r, peer_mac(1), 1);
	peer_option(&r, 81, "\x05\x00\x00\x03gst\x03" "bad\x00", 12);
	ck_assert(send_request(&r));
	ck_assert_uint_eq(reply.option[81][0], 0x05);
	ck_assert_uint_eq(reply.option_len[81], 3 + 17);
	ck_assert_mem_eq(reply.option[81] + 3, "\x03gst\x03lab\x07" "example", 17);
}
END_TEST

START_TEST(lease_time_is_the_hosts_then_the_pools_then_the_default)
{
	struct peer_request r;

	add_host("52:54:00:00:00:05", NULL, NULL, "192.168.50.5");
	hosts[0].lease_time_s = DHCP_LEASE_TIME_INFINITE;
	ck_assert(discover(5));
	ck_assert_uint_eq(peer_u32(&reply, 51), UINT32_MAX);
	ck_assert_ptr_null(reply.option[58]);
	ck_assert_ptr_null(reply.option[59]);
	pools[0].lease_time_s = 7200;
	ck_assert_int_eq(dhcp4_service_configure(service, &config, now_ms), 0);
	ck_assert(discover(1));
	ck_assert_uint_eq(peer_u32(&reply, 51), 7200);
	peer_begin(&r, peer_mac(1), 1);
	peer_option_u32(&r, 51, 600);
	ck_assert(send_request(&r));
	ck_assert_uint_eq(peer_u32(&reply, 51), 600);
	peer_begin(&r, peer_mac(1), 1);
	peer_option_u32(&r, 51, 1);
	ck_assert(send_request(&r));
	ck_assert_uint_eq(peer_u32(&reply, 51), 120);
	peer_begin(&r, peer_mac(1), 1);
	peer_option_u32(&r, 51, UINT32_MAX);
	ck_assert(send_request(&r));
	ck_assert_uint_eq(peer_u32(&reply, 51), 7200);
}
END_TEST

START_TEST(boot_file_stands_in_the_fixed_fields)
{
	strcpy(config.boot_file, "pxelinux.0");
	config.boot_server = peer_ip("192.168.50.7");
	ck_assert(discover(1));
	assert_ip(reply.siaddr, "192.168.50.7");
	ck_assert_str_eq((char *)reply.frame + 42 + 108, "pxelinux.0");
	ck_assert_ptr_null(reply.option[52]);
	ck_assert_ptr_null(reply.option[67]);
}
END_TEST

START_TEST(reply_fits_the_clients_largest_message)
{
	uint8_t id[255], info[200];
	struct peer_request r;

	memset(id, 'i', sizeof(id));
	memset(info, 'r', sizeof(info));
	memset(config.domain, 'd', 60);
	config.domain[60] = '\0';
	peer_begin(&r, peer_mac(1), 1);
	peer_option(&r, 61, id, sizeof(id));
	ck_assert(send_request(&r));
	ck_assert_uint_le(reply.len - 14, 576);
	ck_assert_uint_eq(reply.option_len[61], 255);
	ck_assert_ptr_null(reply.option[15]);
	peer_begin(&r, peer_mac(1), 1);
	peer_option(&r, 61, id, sizeof(id));
	peer_option(&r, 57, "\x05\xdc", 2);
	ck_assert(send_request(&r));
	ck_assert_uint_eq(reply.option_len[15], 60);
	peer_begin(&r, peer_mac(1), 1);
	peer_option(&r, 61, id, sizeof(id));
	peer_option(&r, 82, info, sizeof(info));
	relay(&r, "192.168.50.99");
	ck_assert(send_request(&r));
	ck_assert_uint_eq(reply.option_len[82], 200);
	ck_assert_uint_eq(reply.option_len[61], 255);
}
END_TEST

START_TEST(broadcast_flag_is_honoured)
{
	struct peer_request r;

	peer_begin(&r, peer_mac(1), 1);
	peer_dhcp(&r)[10] = 0x80;
	ck_assert(send_request(&r));
	assert_ip(reply.ip_dst, "255.255.255.255");
	ck_assert(nd_mac_is_multicast(&reply.eth_dst));
	peer_begin(&r, peer_mac(1), 3);
	peer_option_ip(&r, 50, peer_ip("10.0.0.1"));
	peer_dhcp(&r)[10] = 0x80;
	ck_assert(send_request(&r));
	ck_assert_uint_eq(reply.type, 6);
	ck_assert(nd_mac_is_multicast(&reply.eth_dst));
}
END_TEST

/* --- reservations --- */

START_TEST(reservations_are_found_by_id_mac_and_name)
{
	add_host("52:54:00:00:00:05", NULL, "by-mac", "192.168.50.5");
	add_host(NULL, "\x01key", NULL, "192.168.50.6");
	add_host(NULL, NULL, "by-name", "192.168.50.7");
	assert_ip(acquire(5), "192.168.50.5");
	assert_ip(acquire_with(6, 61, "\x01key"), "192.168.50.6");
	assert_ip(acquire_with(7, 12, "BY-NAME"), "192.168.50.7");
	/* a name of an entry that has a MAC is not a key */
	ck_assert(in_pool(acquire_with(8, 12, "by-mac")));
	ck_assert_ptr_null(strstr(strrchr(events, '+'), "by-mac"));
}
END_TEST

START_TEST(reserved_address_is_never_given_to_others)
{
	add_host("52:54:00:00:00:05", NULL, NULL, "192.168.50.12");
	ck_assert(init_reboot(1, peer_ip("192.168.50.12")));
	ck_assert_uint_eq(reply.type, 6);
	for (unsigned client = 20; client < 29; client++)
		ck_assert_uint_ne(acquire(client).s_addr, peer_ip("192.168.50.12").s_addr);
	ck_assert(!discover(30));
	assert_ip(acquire(5), "192.168.50.12");
}
END_TEST

START_TEST(clone_of_a_reserved_client_id_gets_another_address)
{
	add_host(NULL, "\x01key", NULL, "192.168.50.6");
	assert_ip(acquire_with(1, 61, "\x01key"), "192.168.50.6");
	ck_assert(in_pool(acquire_with(2, 61, "\x01key")));
}
END_TEST

START_TEST(name_only_reservation_survives_a_renewal_without_the_name)
{
	add_host(NULL, NULL, "box", "192.168.50.6");
	assert_ip(acquire_with(1, 12, "box"), "192.168.50.6");
	now_ms += 1000000;
	ck_assert(renew(1, peer_ip("192.168.50.6")));
	ck_assert_uint_eq(reply.type, 5);
}
END_TEST

START_TEST(static_only_server_is_silent_to_others)
{
	config.n_pools = 0;
	add_host("52:54:00:00:00:05", NULL, NULL, "192.168.50.5");
	ck_assert(!discover(1));
	ck_assert(!init_reboot(1, peer_ip("192.168.50.10")));
	assert_ip(acquire(5), "192.168.50.5");
}
END_TEST

START_TEST(renewal_by_a_client_that_got_a_reservation_is_refused)
{
	struct in_addr a = acquire(5);

	add_host("52:54:00:00:00:05", NULL, NULL, "192.168.50.5");
	ck_assert(renew(5, a));
	ck_assert_uint_eq(reply.type, 6);
	assert_ip(acquire(5), "192.168.50.5");
	ck_assert_ptr_nonnull(strchr(events, '-'));
}
END_TEST

/* A moved client may not have heard of it: until it uses the new address it may use the old. */
START_TEST(address_of_a_moved_client_is_free_once_it_uses_the_new_one)
{
	struct in_addr a = acquire(5), b;

	add_host("52:54:00:00:00:05", NULL, NULL, "192.168.50.5");
	b = acquire(5);
	assert_ip(b, "192.168.50.5");
	ck_assert(init_reboot(6, a));
	ck_assert_uint_eq(reply.type, 6);
	ck_assert(init_reboot(5, b));
	ck_assert_uint_eq(reply.type, 5);
	ck_assert(init_reboot(6, a));
	ck_assert_uint_eq(reply.type, 6);
	ck_assert(renew(5, b));
	ck_assert_uint_eq(reply.type, 5);
	ck_assert(init_reboot(6, a));
	ck_assert_uint_eq(reply.type, 5);
}
END_TEST

START_TEST(address_of_a_moved_client_is_free_when_its_old_lease_is_over)
{
	struct in_addr a = acquire(5), b;

	now_ms += 1800 * 1000;
	add_host("52:54:00:00:00:05", NULL, NULL, "192.168.50.5");
	b = acquire(5);
	now_ms += 1799 * 1000;
	ck_assert(init_reboot(6, a));
	ck_assert_uint_eq(reply.type, 6);
	now_ms += 1000;
	ck_assert(init_reboot(6, a));
	ck_assert_uint_eq(reply.type, 5);
	ck_assert(renew(5, b));
	ck_assert_uint_eq(reply.type, 5);
}
END_TEST

START_TEST(address_of_a_moved_client_is_free_when_it_releases_it_or_is_unplugged)
{
	struct nd_mac port = peer_mac(7);
	struct in_addr a = acquire(5), c;

	add_host("52:54:00:00:00:05", NULL, NULL, "192.168.50.5");
	acquire(5);
	release(5, a);
	ck_assert(init_reboot(6, a));
	ck_assert_uint_eq(reply.type, 5);
	ck_assert_int_eq(dhcp4_service_set_ports(service, &port, 1, now_ms), 0);
	c = acquire(7);
	add_host("52:54:00:00:00:07", NULL, NULL, "192.168.50.7");
	acquire(7);
	ck_assert(init_reboot(8, c));
	ck_assert_uint_eq(reply.type, 6);
	ck_assert_int_eq(dhcp4_service_set_ports(service, &port, 0, now_ms), 0);
	ck_assert(init_reboot(8, c));
	ck_assert_uint_eq(reply.type, 5);
}
END_TEST

START_TEST(reservation_of_a_leased_address_waits_for_it)
{
	struct in_addr a = acquire(1);

	add_host("52:54:00:00:00:05", NULL, NULL, inet_ntoa(a));
	ck_assert_uint_ne(acquire(5).s_addr, a.s_addr);
	ck_assert(renew(1, a));
	ck_assert_uint_eq(reply.type, 6);
	release(1, a);
	ck_assert_uint_eq(acquire(5).s_addr, a.s_addr);
}
END_TEST

/* --- names --- */

START_TEST(illegal_names_are_dropped)
{
	static const char *const bad[] = { "a b", "-a", "a-", "\xc3\xa4", ".x", "a/b" };
	char text[256];

	for (unsigned i = 0; i < ND_COUNT(bad); i++) {
		acquire_with(1, 12, bad[i]);
		ck_assert_str_eq(peer_text(&reply, 12, text), "");
	}
	now_ms += 10000;
	acquire_with(1, 12, "good_1.elsewhere.org");
	ck_assert_str_eq(peer_text(&reply, 12, text), "good_1");
}
END_TEST

START_TEST(later_client_takes_a_name_over)
{
	struct in_addr a = acquire_with(1, 12, "web"), b = acquire_with(2, 12, "WEB");
	char expected[160], first[20];

	snprintf(first, sizeof(first), "%s", inet_ntoa(a));
	snprintf(expected, sizeof(expected), "+%s=web ~%s= +%s=WEB ", first, first, inet_ntoa(b));
	ck_assert_str_eq(events, expected);
}
END_TEST

START_TEST(configured_name_is_not_taken_over)
{
	add_host("52:54:00:00:00:05", NULL, "web", "192.168.50.5");
	acquire(5);
	acquire_with(1, 12, "web");
	ck_assert_ptr_nonnull(strstr(events, "+192.168.50.5=web "));
	ck_assert_ptr_null(strchr(events, '~'));
	ck_assert_str_eq(strrchr(events, '='), "= ");
}
END_TEST

/* --- the pool --- */

START_TEST(full_pool_recovers_what_expired)
{
	struct in_addr first = acquire(1);

	now_ms += 1000;
	for (unsigned client = 2; client <= 10; client++)
		acquire(client);
	ck_assert(!discover(11));
	ck_assert_uint_eq(dhcp4_service_stats(service)->quota +
			  dhcp4_service_stats(service)->no_address, 1);
	now_ms += 3599 * 1000;
	/* the oldest expired first, and its address is the one that is free */
	ck_assert_uint_eq(acquire(11).s_addr, first.s_addr);
	ck_assert(renew(2, peer_ip("10.0.0.1")));
}
END_TEST

START_TEST(client_comes_back_to_its_expired_address)
{
	struct in_addr a = acquire(1);

	acquire(2);
	now_ms += 7200 * 1000;
	acquire(3);
	ck_assert_uint_eq(acquire(1).s_addr, a.s_addr);
}
END_TEST

START_TEST(requested_address_is_offered_when_it_is_free)
{
	struct peer_request r;

	peer_begin(&r, peer_mac(1), 1);
	peer_option_ip(&r, 50, peer_ip("192.168.50.17"));
	ck_assert(send_request(&r));
	assert_ip(reply.yiaddr, "192.168.50.17");
	peer_begin(&r, peer_mac(2), 1);
	peer_option_ip(&r, 50, peer_ip("192.168.50.17"));
	ck_assert(send_request(&r));
	ck_assert_uint_ne(reply.yiaddr.s_addr, peer_ip("192.168.50.17").s_addr);
}
END_TEST

START_TEST(addresses_are_kept_for_plugged_guests)
{
	struct nd_mac ports[3] = { peer_mac(1), peer_mac(2), peer_mac(3) };
	unsigned served = 0;

	ck_assert_int_eq(dhcp4_service_set_ports(service, ports, 3, now_ms), 0);
	for (unsigned client = 100; client < 200; client++)
		if (init_reboot(client, peer_ip("192.168.50.10")), discover(client)) {
			acquire(client);
			served++;
		}
	ck_assert_uint_eq(served, 7);
	for (unsigned client = 1; client <= 3; client++)
		acquire(client);
}
END_TEST

START_TEST(flood_of_discovers_does_not_block_a_plugged_guest)
{
	struct nd_mac port = peer_mac(1);

	for (unsigned client = 100; client < 5000; client++)
		discover(client);
	ck_assert_int_eq(dhcp4_service_set_ports(service, &port, 1, now_ms), 0);
	acquire(1);
	acquire(99999);		/* and an unknown one gets through, since offers are no leases */
}
END_TEST

START_TEST(unplugged_guests_lease_ends)
{
	struct nd_mac ports[2] = { peer_mac(1), peer_mac(2) };
	struct in_addr a;

	ck_assert_int_eq(dhcp4_service_set_ports(service, ports, 2, now_ms), 0);
	a = acquire(1);
	acquire(2);
	events[0] = '\0';
	ck_assert_int_eq(dhcp4_service_set_ports(service, ports + 1, 1, now_ms), 0);
	ck_assert_uint_eq(events[0], '-');
	ck_assert_ptr_nonnull(strstr(events, inet_ntoa(a)));
	ck_assert_ptr_null(strchr(events + 1, '-'));
	ck_assert(init_reboot(3, a));
	ck_assert_uint_eq(reply.type, 5);
}
END_TEST

START_TEST(new_configuration_keeps_leases)
{
	struct in_addr a = acquire(1);

	pools[0].end = peer_ip("192.168.50.250");
	strcpy(config.domain, "new.example");
	ck_assert_int_eq(dhcp4_service_configure(service, &config, now_ms), 0);
	now_ms += 100000;
	ck_assert(renew(1, a));
	ck_assert_uint_eq(reply.type, 5);
	pools[0].start = peer_ip("192.168.50.100");
	ck_assert_int_eq(dhcp4_service_configure(service, &config, now_ms), 0);
	ck_assert(renew(1, a));
	ck_assert_uint_eq(reply.type, 6);
	ck_assert(in_pool(acquire(1)));
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("dhcp4_server");
	TCase *c = tcase_create("server");
	const TTest *const tests[] = {
		discover_is_offered_an_address_of_the_pool,
		request_of_the_offer_is_acknowledged_and_told,
		offers_of_two_clients_differ,
		renewal_keeps_the_address_and_restarts_its_time,
		a_repeated_request_is_told_what_is_left,
		init_reboot_with_the_lease_is_acknowledged,
		unknown_client_gets_a_usable_address_it_claims,
		wrong_claims_are_refused_at_once,
		another_clients_address_is_refused,
		client_with_a_lease_gets_no_other_address,
		choice_of_another_server_frees_the_offer,
		released_address_is_free_and_remembered,
		declined_address_rests_ten_minutes,
		one_client_cannot_decline_the_pool_away,
		inform_is_told_of_the_network_but_given_no_lease,
		rapid_commit_binds_in_two_messages,
		bootp_is_answered_for_reservations_only,
		one_broken_field_silences_the_server,
		truncated_frames_are_not_answered,
		partial_checksum_is_accepted_when_the_kernel_says_so,
		padding_behind_the_datagram_does_not_matter,
		vital_option_of_wrong_length_is_malformed,
		spoofed_release_frees_nothing,
		relayed_request_is_answered_to_the_relay,
		relayed_nak_asks_the_relay_to_broadcast,
		no_relay_speaks_for_a_plugged_guest,
		clones_with_one_client_id_get_two_addresses,
		guest_that_changes_its_client_id_keeps_its_address,
		nak_echoes_the_client_id,
		only_what_is_asked_for_is_sent,
		isolated_network_has_no_router_and_no_dns,
		classless_routes_hold_the_default_route_too,
		fqdn_is_answered_with_the_name_in_the_domain,
		lease_time_is_the_hosts_then_the_pools_then_the_default,
		boot_file_stands_in_the_fixed_fields,
		reply_fits_the_clients_largest_message,
		broadcast_flag_is_honoured,
		reservations_are_found_by_id_mac_and_name,
		reserved_address_is_never_given_to_others,
		clone_of_a_reserved_client_id_gets_another_address,
		name_only_reservation_survives_a_renewal_without_the_name,
		static_only_server_is_silent_to_others,
		renewal_by_a_client_that_got_a_reservation_is_refused,
		address_of_a_moved_client_is_free_once_it_uses_the_new_one,
		address_of_a_moved_client_is_free_when_its_old_lease_is_over,
		address_of_a_moved_client_is_free_when_it_releases_it_or_is_unplugged,
		reservation_of_a_leased_address_waits_for_it,
		illegal_names_are_dropped,
		later_client_takes_a_name_over,
		configured_name_is_not_taken_over,
		full_pool_recovers_what_expired,
		client_comes_back_to_its_expired_address,
		requested_address_is_offered_when_it_is_free,
		addresses_are_kept_for_plugged_guests,
		flood_of_discovers_does_not_block_a_plugged_guest,
		unplugged_guests_lease_ends,
		new_configuration_keeps_leases,
	};

	tcase_add_checked_fixture(c, setup, teardown);
	for (size_t i = 0; i < ND_COUNT(tests); i++)
		tcase_add_test(c, tests[i]);
	suite_add_tcase(s, c);
	return s;
}

int main(void)
{
	SRunner *r = srunner_create(suite());
	int failed;

	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
