/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a guest can send to the DHCPv4 server, which starts with leases, a reservation and a plugged
 * guest. The input is a sequence of
 *	u8 what, u16 length, length bytes
 * where what chooses:
 *	0	a whole Ethernet frame
 *	1	a DHCP message, put into a right frame from its own chaddr
 *	2	options behind a right DISCOVER or REQUEST (first byte: type, second: client)
 *	3	time goes on: u32 ms
 *	4	the list of plugged ports: a byte per client
 * Every reply is checked: bounds, checksums, that no two clients hold an address.
 */
#include <stdlib.h>

#include "dhcp/dhcp4_service.h"
#include "tests/unit/dhcp4_peer.h"

#define MUST(what) do { if (!(what)) abort(); } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct nd_mac holders[256];
static size_t n_bound;

static void on_send(void *ctx, const uint8_t *frame, size_t len)
{
	struct peer_reply r;

	MUST(len <= DHCP_FRAME_MAX && len >= 42 + 300);
	peer_read(&r, frame, len);
	MUST(r.len && r.sums_right);
	MUST(!nd_mac_is_multicast(&r.eth_src));
}

static void on_event(void *ctx, enum dhcp4_event event, const struct dhcp4_lease_info *lease)
{
	static const struct nd_mac nobody;
	struct nd_mac *holder = &holders[ntohl(lease->address.s_addr) & 0xff];

	if (event == DHCP4_EVENT_ADDED) {
		MUST(nd_mac_equal(holder, &nobody));
		*holder = lease->mac;
		n_bound++;
	} else {
		MUST(nd_mac_equal(holder, &lease->mac));
		if (event == DHCP4_EVENT_REMOVED) {
			*holder = nobody;
			n_bound--;
		}
	}
	MUST(strlen(lease->hostname) < 64);
}

static void count(void *ctx, const struct dhcp4_lease_info *lease)
{
	(*(size_t *)ctx)++;
}

static void send_frame(struct dhcp4_service *s, const uint8_t *frame, size_t len, uint64_t now_ms)
{
	/* A copy of its exact size: a read past the end is seen. */
	uint8_t *copy = malloc(len ? len : 1);

	MUST(copy);
	memcpy(copy, frame, len);
	dhcp4_service_frame(s, copy, len, false, now_ms);
	free(copy);
}

static void send_message(struct dhcp4_service *s, struct rd body, uint64_t now_ms)
{
	struct peer_request r;
	size_t len = rd_left(&body);

	if (len < 34 || len > 1500)
		return;
	peer_begin(&r, (struct nd_mac){ { 0 } }, 0);
	rd_copy(&body, peer_dhcp(&r), len);
	memcpy(r.frame + 6, peer_dhcp(&r) + 28, 6);
	r.len = 42 + len;
	peer_seal(&r);
	send_frame(s, r.frame, r.len, now_ms);
}

static void send_options(struct dhcp4_service *s, struct rd body, uint64_t now_ms)
{
	struct peer_request r;
	uint8_t type = rd_u8(&body), client = rd_u8(&body);
	size_t len = rd_left(&body);

	if (body.bad || len > 1000)
		return;
	peer_begin(&r, peer_mac(client), type);
	rd_copy(&body, r.frame + r.len, len);
	r.len += len;
	peer_seal(&r);
	send_frame(s, r.frame, r.len, now_ms);
}

static void set_ports(struct dhcp4_service *s, struct rd body, uint64_t now_ms)
{
	struct nd_mac macs[64];
	size_t n = 0;

	while (rd_more(&body) && n < ND_COUNT(macs))
		macs[n++] = peer_mac(rd_u8(&body));
	MUST(dhcp4_service_set_ports(s, macs, n, now_ms) == 0);
}

static struct dhcp4_service *begin(struct dhcp_config *config)
{
	struct nd_mac port = peer_mac(3);
	struct dhcp4_service_setup setup = {
		.config = config, .mac = peer_mac(0xffffff), .ports = &port, .n_ports = 1,
		.hooks = { .send = on_send, .event = on_event }, .now_ms = 1000000 };
	struct dhcp4_service *s;

	memset(holders, 0, sizeof(holders));
	n_bound = 0;
	MUST(dhcp4_service_new(&setup, &s, NULL, NULL) == 0);
	for (uint8_t client = 1; client <= 3; client++) {
		struct peer_request r;

		peer_begin(&r, peer_mac(client), 1);
		peer_option(&r, 80, "", 0);
		peer_option_text(&r, 12, client == 1 ? "one" : "two");
		peer_finish(&r);
		send_frame(s, r.frame, r.len, setup.now_ms);
	}
	MUST(n_bound == 3);
	return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dhcp_pool pool = { peer_ip("10.9.8.10"), peer_ip("10.9.8.29"), 0 };
	struct dhcp_reservation hosts[2] = {
		{ .has_mac = true, .mac = peer_mac(1), .name = "one",
		  .address = peer_ip("10.9.8.40") },
		{ .client_id = "\x01key", .client_id_len = 4, .address = peer_ip("10.9.8.41") } };
	struct dhcp_static_route route = { peer_ip("10.0.0.0"), 8, peer_ip("10.9.8.2") };
	struct dhcp_config config = {
		.enabled = true, .server = peer_ip("10.9.8.1"), .router = peer_ip("10.9.8.1"),
		.dns = peer_ip("10.9.8.1"), .prefix_len = 24, .lease_time_s = 600,
		.pools = &pool, .n_pools = 1, .reservations = hosts, .n_reservations = 2,
		.domain = "lab.example", .mtu_bytes = 1500, .boot_file = "file",
		.routes = &route, .n_routes = 1 };
	struct dhcp4_service *s = begin(&config);
	struct rd r = rd_init(data, size);
	uint64_t now_ms = 1000000;
	size_t counted = 0;

	while (rd_more(&r)) {
		uint8_t what = rd_u8(&r);
		struct rd body = rd_sub(&r, rd_u16(&r));

		if (body.bad)
			break;
		if (what == 0)
			send_frame(s, body.at, rd_left(&body), now_ms);
		else if (what == 1)
			send_message(s, body, now_ms);
		else if (what == 2)
			send_options(s, body, now_ms);
		else if (what == 3)
			dhcp4_service_tick(s, now_ms += rd_u32(&body));
		else if (what == 4)
			set_ports(s, body, now_ms);
	}
	dhcp4_service_leases(s, count, &counted);
	MUST(counted == n_bound);
	MUST(counted <= 22);
	dhcp4_service_free(s);
	return 0;
}
