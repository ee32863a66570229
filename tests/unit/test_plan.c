/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <check.h>
#include <string.h>
#include <time.h>

#include "datapath/facts.h"
#include "datapath/plan.h"
#include "tests/suite.h"

static struct nd_prefix prefix(const char *addr, uint8_t len)
{
	struct nd_prefix p = { .len = len };

	ck_assert(nd_ip_parse(addr, &p.addr));
	return p;
}

static struct plan_bridge *add_bridge(struct plan *p, const char *name, uint32_t mtu_bytes)
{
	struct plan_item *item = plan_add(p, PLAN_BRIDGE);

	strcpy(item->bridge.name, name);
	strcpy(item->bridge.alias, "netd:a");
	item->bridge.mac = (struct nd_mac){ { 0x52, 0x54, 0, 0, 0, 1 } };
	item->bridge.mtu_bytes = mtu_bytes;
	return &item->bridge;
}

static void add_sysctl(struct plan *p, const char *path, const char *value, bool shared)
{
	struct plan_item *item = plan_add(p, PLAN_SYSCTL);

	strcpy(item->sysctl.path, path);
	strcpy(item->sysctl.value, value);
	item->sysctl.shared = shared;
}

static struct plan_nft_elem *add_elem(struct plan *p, const char *set, const char *ifname,
				      const char *addr)
{
	struct plan_item *item = plan_add(p, PLAN_NFT_ELEM);
	struct plan_nft_elem *e = &item->nft_elem;

	strcpy(e->set, set);
	strcpy((char *)e->key, ifname);
	e->key_len = IFNAMSIZ;
	if (addr) {
		inet_pton(AF_INET, addr, e->key + IFNAMSIZ);
		e->key_len += 4;
	}
	return e;
}

static void add_addr(struct plan *p, const char *ifname, const char *addr, uint8_t len)
{
	struct plan_item *item = plan_add(p, PLAN_ADDR);

	strcpy(item->addr.ifname, ifname);
	item->addr.prefix = prefix(addr, len);
	if (item->addr.prefix.addr.family == AF_INET)
		item->addr.broadcast = nd_prefix_broadcast(&item->addr.prefix);
}

static void add_route(struct plan *p, const char *ifname, const char *dst, uint8_t len,
		      const char *gateway, uint32_t metric)
{
	struct plan_item *item = plan_add(p, PLAN_ROUTE);

	strcpy(item->route.ifname, ifname);
	item->route.dst = prefix(dst, len);
	if (gateway)
		ck_assert(nd_ip_parse(gateway, &item->route.gateway));
	item->route.metric = metric;
}

static void add_up(struct plan *p, const char *ifname)
{
	strcpy(plan_add(p, PLAN_LINK_UP)->link_up.ifname, ifname);
}

static struct plan_port *add_port(struct plan *p, const char *ifname, const char *bridge)
{
	struct plan_item *item = plan_add(p, PLAN_PORT);

	strcpy(item->port.ifname, ifname);
	strcpy(item->port.bridge, bridge);
	item->port.learning = item->port.unicast_flood = true;
	return &item->port;
}

static void add_chain(struct plan *p, const char *name)
{
	struct plan_item *item = plan_add(p, PLAN_NFT_CHAIN);

	strcpy(item->nft_chain.name, name);
	item->nft_chain.family = AF_INET;
	ck_assert(nd_ip_parse("203.0.113.1", &item->nft_chain.snat_start));
	ck_assert(nd_ip_parse("203.0.113.9", &item->nft_chain.snat_end));
	item->nft_chain.port_start = 2000;
	item->nft_chain.port_end = 2999;
}

/* One of each kind, as a NAT network has them. */
static struct plan *whole_network(void)
{
	struct plan *p = plan_new();

	add_port(p, "tap0", "virbr0")->isolated = true;
	add_bridge(p, "virbr0", 1400)->stp = true;
	add_route(p, "virbr0", "10.9.0.0", 16, "192.168.122.9", 7);
	add_up(p, "virbr0");
	add_addr(p, "virbr0", "192.168.122.1", 24);
	add_addr(p, "virbr0", "fd00::1", 64);
	add_chain(p, "nabc");
	add_elem(p, "nat4", "virbr0", "192.168.122.0");
	strcpy(add_elem(p, "snat4", "virbr0", NULL)->goto_chain, "nabc");
	add_sysctl(p, "net/ipv6/conf/virbr0/accept_ra", "0", false);
	add_sysctl(p, "net/ipv4/ip_forward", "1", true);
	return p;
}

static void assert_diff(const struct plan *was, const struct plan *want, const char *expected)
{
	ND_AUTO(plan_diff_free) struct plan_diff *d = NULL;
	ND_AUTO(free) char *text = NULL;

	ck_assert_int_eq(plan_diff(was, want, &d), 0);
	text = plan_diff_format(d);
	ck_assert_str_eq(text, expected);
}

START_TEST(start_makes_objects_oldest_kind_first)
{
	ND_AUTO(plan_free) struct plan *none = plan_new();
	ND_AUTO(plan_free) struct plan *net = whole_network();

	assert_diff(none, net,
		"+ bridge virbr0 mac 52:54:00:00:00:01 mtu 1400 delay 0 stp on alias netd:a\n"
		"+ sysctl net/ipv6/conf/virbr0/accept_ra=0\n"
		"+ sysctl net/ipv4/ip_forward=1 shared\n"
		"+ nft chain ip nabc snat 203.0.113.1-203.0.113.9 ports 2000-2999\n"
		"+ nft element nat4 virbr0 c0a87a00\n"
		"+ nft element snat4 virbr0 goto nabc\n"
		"+ address 192.168.122.1/24 dev virbr0 broadcast 192.168.122.255\n"
		"+ address fd00::1/64 dev virbr0\n"
		"+ up virbr0\n"
		"+ route 10.9.0.0/16 via 192.168.122.9 dev virbr0 metric 7\n"
		"+ port tap0 bridge virbr0 isolated on learning on flood on\n");
}
END_TEST

START_TEST(destroy_removes_the_bridge_before_its_rules)
{
	ND_AUTO(plan_free) struct plan *none = plan_new();
	ND_AUTO(plan_free) struct plan *net = whole_network();

	assert_diff(net, none,
		"- port tap0 bridge virbr0 isolated on learning on flood on\n"
		"- route 10.9.0.0/16 via 192.168.122.9 dev virbr0 metric 7\n"
		"- up virbr0\n"
		"- address fd00::1/64 dev virbr0\n"
		"- address 192.168.122.1/24 dev virbr0 broadcast 192.168.122.255\n"
		"- bridge virbr0 mac 52:54:00:00:00:01 mtu 1400 delay 0 stp on alias netd:a\n"
		"- nft element snat4 virbr0 goto nabc\n"
		"- nft element nat4 virbr0 c0a87a00\n"
		"- nft chain ip nabc snat 203.0.113.1-203.0.113.9 ports 2000-2999\n"
		"- sysctl net/ipv4/ip_forward=1 shared\n"
		"- sysctl net/ipv6/conf/virbr0/accept_ra=0\n");
}
END_TEST

START_TEST(equal_plans_have_no_steps_whatever_their_order)
{
	ND_AUTO(plan_free) struct plan *a = whole_network();
	ND_AUTO(plan_free) struct plan *b = plan_copy(a);

	for (size_t i = 0; i < b->n / 2; i++) {
		struct plan_item swap = b->items[i];

		b->items[i] = b->items[b->n - 1 - i];
		b->items[b->n - 1 - i] = swap;
	}
	assert_diff(a, b, "");
}
END_TEST

START_TEST(changed_attributes_are_changes_and_changed_keys_are_not)
{
	ND_AUTO(plan_free) struct plan *a = plan_new();
	ND_AUTO(plan_free) struct plan *b = plan_new();

	add_bridge(a, "virbr0", 1500);
	add_bridge(b, "virbr0", 9000);
	add_addr(a, "virbr0", "10.0.0.1", 24);
	add_addr(b, "virbr0", "10.0.0.1", 16);
	add_route(a, "virbr0", "10.9.0.0", 16, "10.0.0.2", 0);
	add_route(b, "virbr0", "10.9.0.0", 16, "10.0.0.3", 0);
	assert_diff(a, b,
		"~ bridge virbr0 mac 52:54:00:00:00:01 mtu 1500 delay 0 stp off alias netd:a"
		" -> bridge virbr0 mac 52:54:00:00:00:01 mtu 9000 delay 0 stp off alias netd:a\n"
		"+ address 10.0.0.1/16 dev virbr0 broadcast 10.0.255.255\n"
		"- address 10.0.0.1/24 dev virbr0 broadcast 10.0.0.255\n"
		"~ route 10.9.0.0/16 via 10.0.0.2 dev virbr0 metric 0"
		" -> route 10.9.0.0/16 via 10.0.0.3 dev virbr0 metric 0\n");
}
END_TEST

START_TEST(route_destinations_differ_only_below_their_prefix)
{
	struct plan_item a = { .kind = PLAN_ROUTE }, b = { .kind = PLAN_ROUTE };

	a.route.dst = prefix("10.9.1.2", 16);
	b.route.dst = prefix("10.9.0.0", 16);
	ck_assert(plan_item_equal(&a, &b));
	b.route.metric = 1;
	ck_assert(!plan_item_same(&a, &b));
}
END_TEST

START_TEST(an_object_listed_twice_is_made_once)
{
	ND_AUTO(plan_free) struct plan *none = plan_new();
	ND_AUTO(plan_free) struct plan *twice = plan_new();

	add_up(twice, "virbr0");
	add_up(twice, "virbr0");
	assert_diff(none, twice, "+ up virbr0\n");
	assert_diff(twice, none, "- up virbr0\n");
	assert_diff(twice, twice, "");
}
END_TEST

START_TEST(elements_of_one_set_are_told_apart_by_their_key)
{
	ND_AUTO(plan_free) struct plan *a = plan_new();
	ND_AUTO(plan_free) struct plan *b = plan_new();

	add_elem(a, "nat4", "virbr0", "10.0.0.0");
	add_elem(a, "nat4", "virbr0", "10.0.1.0");
	add_elem(b, "nat4", "virbr0", "10.0.1.0");
	add_elem(b, "nat4", "virbr1", "10.0.1.0");
	assert_diff(a, b,
		"- nft element nat4 virbr0 0a000000\n"
		"+ nft element nat4 virbr1 0a000100\n");
}
END_TEST

START_TEST(a_plan_prints_every_attribute_of_a_port)
{
	ND_AUTO(plan_free) struct plan *p = plan_new();
	struct plan_port *port = add_port(p, "vnet1", "virbr0");
	ND_AUTO(free) char *text = NULL;

	port->learning = port->unicast_flood = false;
	port->up = true;
	port->mtu_bytes = 1400;
	port->fdb = (struct nd_mac){ { 0x52, 0x54, 0, 0, 0, 7 } };
	strcpy(port->alias, "netd:p");
	text = plan_format(p);
	ck_assert_str_eq(text, "port vnet1 bridge virbr0 mtu 1400 isolated off learning off "
			       "flood off up fdb 52:54:00:00:00:07 alias netd:p\n");
}
END_TEST

/* A shaper with a floor, and a policer. */
static struct plan *shaped(uint64_t rate)
{
	struct plan *p = plan_new();
	struct plan_item *item = plan_add(p, PLAN_FLOOR);

	item->floor = (struct plan_floor){ .ifname = "virbr0", .class_id = 3, .rate = 1000, .peak = rate,
					   .mac = { { 0x52, 0x54, 0, 0, 0, 7 } } };
	item = plan_add(p, PLAN_POLICER);
	item->policer = (struct plan_policer){ .ifname = "virbr0", .rate = 5000, .burst_bytes = 1024 };
	item = plan_add(p, PLAN_SHAPER);
	item->shaper = (struct plan_shaper){ .ifname = "virbr0", .rate = rate, .peak = rate,
					     .burst_bytes = plan_default_burst(rate),
					     .pool = rate - 1000 };
	return p;
}

START_TEST(floors_come_after_their_shaper_and_go_before_it)
{
	ND_AUTO(plan_free) struct plan *none = plan_new();
	ND_AUTO(plan_free) struct plan *net = shaped(400000);

	assert_diff(none, net,
		"+ shaper virbr0 rate 400000 peak 400000 burst 4000 pool 399000\n"
		"+ floor virbr0 class 3 mac 52:54:00:00:00:07 rate 1000 peak 400000\n"
		"+ policer virbr0 rate 5000 burst 1024\n");
	assert_diff(net, none,
		"- policer virbr0 rate 5000 burst 1024\n"
		"- floor virbr0 class 3 mac 52:54:00:00:00:07 rate 1000 peak 400000\n"
		"- shaper virbr0 rate 400000 peak 400000 burst 4000 pool 399000\n");
}
END_TEST

START_TEST(a_change_of_rates_changes_what_has_them)
{
	ND_AUTO(plan_free) struct plan *was = shaped(400000);
	ND_AUTO(plan_free) struct plan *want = shaped(50000);

	want->items[0].floor.mac.bytes[5] = 8;
	want->items[1].policer.burst_bytes = 2048;
	assert_diff(was, want,
		"~ shaper virbr0 rate 400000 peak 400000 burst 4000 pool 399000"
		" -> shaper virbr0 rate 50000 peak 50000 burst 1600 pool 49000\n"
		"~ floor virbr0 class 3 mac 52:54:00:00:00:07 rate 1000 peak 400000"
		" -> floor virbr0 class 3 mac 52:54:00:00:00:08 rate 1000 peak 50000\n"
		"~ policer virbr0 rate 5000 burst 1024 -> policer virbr0 rate 5000 burst 2048\n");
	want->items[0].floor.class_id = 4;
	ck_assert(!plan_item_same(&was->items[0], &want->items[0]));
	ck_assert_uint_eq(plan_default_burst(UINT64_MAX), PLAN_BURST_MAX_BYTES);
}
END_TEST

START_TEST(a_diff_of_many_items_takes_linear_time)
{
	ND_AUTO(plan_free) struct plan *none = plan_new();
	ND_AUTO(plan_free) struct plan *many = plan_new();
	ND_AUTO(plan_diff_free) struct plan_diff *d = NULL;
	struct timespec start, end;
	char name[IFNAMSIZ];

	for (int i = 0; i < 20000; i++) {
		snprintf(name, sizeof(name), "tap%d", i);
		add_port(many, name, "virbr0");
	}
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
	ck_assert_int_eq(plan_diff(none, many, &d), 0);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
	ck_assert_uint_eq(d->n, 20000);
	/* A quadratic diff of 20,000 items compares 200 million keys. */
	ck_assert_int_lt(end.tv_sec - start.tv_sec, 2);
}
END_TEST

START_TEST(facts_find_links_by_name)
{
	struct link_fact links[] = { { .name = "lo", .ifindex = 1 }, { .name = "eth0", .ifindex = 2 } };
	struct host_facts f = { .links = links, .n_links = 2 };

	ck_assert_int_eq(host_facts_link(&f, "eth0")->ifindex, 2);
	ck_assert_ptr_null(host_facts_link(&f, "eth"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("plan");
	TCase *t = tcase_create("plan");

	tcase_add_test(t, start_makes_objects_oldest_kind_first);
	tcase_add_test(t, destroy_removes_the_bridge_before_its_rules);
	tcase_add_test(t, equal_plans_have_no_steps_whatever_their_order);
	tcase_add_test(t, changed_attributes_are_changes_and_changed_keys_are_not);
	tcase_add_test(t, route_destinations_differ_only_below_their_prefix);
	tcase_add_test(t, an_object_listed_twice_is_made_once);
	tcase_add_test(t, elements_of_one_set_are_told_apart_by_their_key);
	tcase_add_test(t, a_plan_prints_every_attribute_of_a_port);
	tcase_add_test(t, floors_come_after_their_shaper_and_go_before_it);
	tcase_add_test(t, a_change_of_rates_changes_what_has_them);
	tcase_add_test(t, a_diff_of_many_items_takes_linear_time);
	tcase_add_test(t, facts_find_links_by_name);
	suite_add_tcase(s, t);
	return suite_run(s);
}
