/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dhcp4_scene.h"

#include <stdlib.h>

#include "tests/suite.h"

struct dhcp_pool pools[1];
struct dhcp_reservation hosts[4];
struct dhcp_config config;
struct dhcp4_service *service;
struct peer_reply reply;
static unsigned n_replies;
uint64_t now_ms;
char events[1024];

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

void start(void)
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

void add_host(const char *mac, const char *id, const char *name, const char *ip)
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
bool send_frame(const struct peer_request *r)
{
	unsigned before = n_replies;

	memset(&reply, 0, sizeof(reply));
	dhcp4_service_frame(service, r->frame, r->len, false, now_ms);
	ck_assert_uint_le(n_replies - before, 1);
	return n_replies > before;
}

bool send_request(struct peer_request *r)
{
	peer_finish(r);
	return send_frame(r);
}

bool discover(unsigned client)
{
	struct peer_request r;

	peer_begin(&r, peer_mac(client), 1);
	return send_request(&r);
}

/* A REQUEST in SELECTING for what reply offers. */
void begin_selecting(struct peer_request *r, unsigned client, struct in_addr address)
{
	peer_begin(r, peer_mac(client), 3);
	peer_option_ip(r, 54, config.server);
	peer_option_ip(r, 50, address);
}

/* DISCOVER and REQUEST; the address that was acknowledged. */
struct in_addr acquire_with(unsigned client, uint8_t code, const char *value)
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

struct in_addr acquire(unsigned client)
{
	return acquire_with(client, 0, NULL);
}

bool renew(unsigned client, struct in_addr address)
{
	struct peer_request r;

	peer_begin(&r, peer_mac(client), 3);
	peer_set_ip(&r, PEER_CIADDR, address);
	return send_request(&r);
}

bool init_reboot(unsigned client, struct in_addr address)
{
	struct peer_request r;

	peer_begin(&r, peer_mac(client), 3);
	peer_option_ip(&r, 50, address);
	return send_request(&r);
}

void release(unsigned client, struct in_addr address)
{
	struct peer_request r;

	peer_begin(&r, peer_mac(client), 7);
	peer_option_ip(&r, 54, config.server);
	peer_set_ip(&r, PEER_CIADDR, address);
	ck_assert(!send_request(&r));
}

void decline(unsigned client, struct in_addr address)
{
	struct peer_request r;

	peer_begin(&r, peer_mac(client), 4);
	peer_option_ip(&r, 54, config.server);
	peer_option_ip(&r, 50, address);
	ck_assert(!send_request(&r));
}

bool in_pool(struct in_addr a)
{
	uint32_t h = ntohl(a.s_addr);

	return h >= ntohl(pools[0].start.s_addr) && h <= ntohl(pools[0].end.s_addr);
}

void assert_ip(struct in_addr a, const char *text)
{
	ck_assert_str_eq(inet_ntoa(a), text);
}

int scene_run(const char *name, const TTest *const tests[], size_t n)
{
	Suite *s = suite_create(name);
	TCase *c = tcase_create(name);

	tcase_add_checked_fixture(c, setup, teardown);
	for (size_t i = 0; i < n; i++)
		tcase_add_test(c, tests[i]);
	suite_add_tcase(s, c);
	return suite_run(s);
}
