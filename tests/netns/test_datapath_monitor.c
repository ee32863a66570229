/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "datapath_fixture.h"

#include <linux/netconf.h>
#include <poll.h>
#include <unistd.h>

#include "datapath/monitor.h"
#include "datapath/port_filter.h"
#include "tests/suite.h"

struct datapath *dp;
char run_dir[64];
static struct monitor *monitor;
static struct nd_str events;
static int resyncs;

static void on_link(void *arg, bool removed, const struct link_info *link)
{
	nd_str_addf(&events, "%clink %s %s %s mtu %u alias '%s'%s\n", removed ? '-' : '+',
		    link->fact.name, link->fact.kind, link->fact.up ? "up" : "down",
		    link->fact.mtu_bytes, link->fact.alias, link->fact.master ? " port" : "");
}

static void on_addr(void *arg, bool removed, const struct kernel_addr *addr)
{
	char text[ND_PREFIX_STRLEN];

	nd_str_addf(&events, "%caddr %s\n", removed ? '-' : '+', nd_prefix_format(&addr->prefix, text));
}

static void on_route(void *arg, bool removed, const struct kernel_route *route)
{
	char text[ND_PREFIX_STRLEN];

	if (route->table == RT_TABLE_MAIN)
		nd_str_addf(&events, "%croute %s metric %u\n", removed ? '-' : '+',
			    nd_prefix_format(&route->dst, text), route->metric);
}

static void on_netconf(void *arg, const struct netconf_event *e)
{
	nd_str_addf(&events, "netconf v%d if %d forwarding %d rp %d\n",
		    e->family == AF_INET ? 4 : 6, e->ifindex, e->forwarding, e->rp_filter);
}

static void on_tc(void *arg, int ifindex)
{
	nd_str_addf(&events, "tc if %d\n", ifindex);
}

static void on_nft(void *arg, const struct nft_event *e)
{
	nd_str_addf(&events, "nft %s by %s '%s'\n", e->netd_table ? "netd" : "other",
		    e->own ? "own" : "other", e->process);
}

static void on_resync(void *arg)
{
	resyncs++;
}

static const struct monitor_events callbacks = {
	.tc = on_tc, .link = on_link, .addr = on_addr, .route = on_route, .netconf = on_netconf, .nft = on_nft,
	.resync = on_resync,
};

static void set_up(void)
{
	struct nd_error err = { 0 };

	fresh_namespace();
	resyncs = 0;
	ck_assert_msg(monitor_new(&callbacks, NULL, &monitor, &err) == 0, "%s", err.text);
	monitor_set_own(monitor, &(struct monitor_own){
		.nft_portid = datapath_nft_portid(dp), .filter_portid = datapath_filter_portid(dp),
		.route_portid = datapath_route_portid(dp),
	});
}

static void tear_down(void)
{
	monitor_free(monitor);
	nd_str_free(&events);
	end_namespace();
}

/* What happened so far; nothing may be left to read. */
static const char *happened(void)
{
	struct pollfd p = { .fd = monitor_fd(monitor), .events = POLLIN };
	struct nd_error err = { 0 };

	nd_str_free(&events);
	nd_str_add(&events, "");
	while (poll(&p, 1, 0) > 0)
		ck_assert_int_gt(monitor_dispatch(monitor, &err), 0);
	return events.text;
}

static void assert_has(const char *text, const char *line)
{
	ck_assert_msg(strstr(text, line), "'%s' is not in:\n%s", line, text);
}

START_TEST(links_are_told_with_what_they_are)
{
	const char *text;

	sh("ip link add br7 mtu 1400 type bridge; ip link set br7 alias netd:x up");
	text = happened();
	assert_has(text, "+link br7 bridge down mtu 1400 alias ''\n");
	assert_has(text, "+link br7 bridge up mtu 1400 alias 'netd:x'\n");
	sh("ip link add v0 type veth peer name v1; ip link set v0 master br7");
	assert_has(happened(), "+link v0 veth down mtu 1500 alias '' port\n");
	sh("ip link set v0 nomaster");
	text = happened();
	assert_has(text, "+link v0 veth down mtu 1500 alias ''\n");
	ck_assert_ptr_null(strstr(text, "-link"));
	sh("ip link del br7");
	assert_has(happened(), "-link br7 bridge ");
	ck_assert_int_eq(resyncs, 0);
}
END_TEST

START_TEST(lost_addresses_and_routes_are_told)
{
	sh("ip link add br7 type bridge; ip link set br7 up; ip addr add 10.1.0.1/16 dev br7; "
	   "ip addr add fd01::1/64 dev br7 nodad; ip route add 10.2.0.0/16 via 10.1.0.9 metric 5; "
	   "ip route add fd02::/64 via fd01::9");
	(void)happened();
	sh("ip route del 10.2.0.0/16; ip -6 route del fd02::/64");
	ck_assert_str_eq(happened(), "-route 10.2.0.0/16 metric 5\n-route fd02::/64 metric 1024\n");
	sh("ip addr del 10.1.0.1/16 dev br7");
	assert_has(happened(), "-addr 10.1.0.1/16\n");
	sh("ip addr del fd01::1/64 dev br7");
	assert_has(happened(), "-addr fd01::1/64\n");
}
END_TEST

START_TEST(forwarding_and_rp_filter_are_told)
{
	sh("echo 1 >/proc/sys/net/ipv4/ip_forward");
	assert_has(happened(), "netconf v4 if -1 forwarding 1 rp -1\n");
	sh("echo 1 >/proc/sys/net/ipv4/conf/lo/forwarding; echo 0 >/proc/sys/net/ipv4/conf/lo/forwarding");
	assert_has(happened(), "netconf v4 if 1 forwarding 0 rp -1\n");
	sh("echo 2 >/proc/sys/net/ipv4/conf/lo/rp_filter");
	assert_has(happened(), "netconf v4 if 1 forwarding -1 rp 2\n");
	sh("echo 1 >/proc/sys/net/ipv6/conf/all/forwarding");
	assert_has(happened(), "netconf v6 if -1 forwarding 1 rp -1\n");
	if (access("/proc/sys/net/ipv6/conf/lo/force_forwarding", F_OK) == 0) {
		sh("echo 1 >/proc/sys/net/ipv6/conf/lo/force_forwarding");
		assert_has(happened(), "netconf v6 if 1 forwarding -1 rp -1\n");
	}
}
END_TEST

START_TEST(traffic_control_of_others_is_told)
{
	ND_AUTO(plan_free) struct plan *net = plan_new();

	add_shaper(net, "lo", 125000, 125000);
	must_apply(NULL, net, OWNER);
	ck_assert_str_eq(happened(), "");
	sh("tc class change dev lo parent 1: classid 1:1 htb rate 8mbit");
	ck_assert_str_eq(happened(), "tc if 1\n");
	sh("tc qdisc del dev lo root");
	assert_has(happened(), "tc if 1\n");
}
END_TEST

static void filter_a_port(void)
{
	ND_AUTO(port_filter_free) struct port_filter *f = port_filter_new("vnet0");
	struct nd_error err = { 0 };

	filter_chain_add_rule(&f->chains[FILTER_FRAMES_FROM])->verdict = FILTER_DROP;
	ck_assert_msg(datapath_filter_ports(dp, (const struct port_filter *const *)&f, 1, &err) == 0, "%s",
		      err.text);
}

START_TEST(changes_to_rules_name_the_process)
{
	ND_AUTO(plan_free) struct plan *net = nat_network();

	sh("nft add table ip foreign");
	ck_assert_str_eq(happened(), "nft other by other 'nft'\n");
	must_apply(NULL, net, OWNER);
	assert_has(happened(), "nft netd by own '");
	filter_a_port();
	assert_has(happened(), "nft netd by own '");
	sh("nft add table netdev netd");
	assert_has(happened(), "nft netd by other 'nft'\n");
}
END_TEST

START_TEST(an_overrun_asks_to_read_everything_again)
{
	/* About 1.2 KiB per notice and two per turn fill 16 MiB (the kernel doubles the 8). */
	sh("ip link add v0 type veth peer name v1; "
	   "for i in $(seq 1 8000); do echo link set v0 up; echo link set v0 down; done >%s/flaps; "
	   "ip -batch %s/flaps", run_dir, run_dir);
	(void)happened();
	ck_assert_int_eq(resyncs, 1);
	sh("ip link set v0 mtu 1300");
	assert_has(happened(), "+link v0 veth down mtu 1300 alias ''\n");
	ck_assert_int_eq(resyncs, 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("monitor");
	TCase *t = tcase_create("monitor");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, links_are_told_with_what_they_are);
	tcase_add_test(t, lost_addresses_and_routes_are_told);
	tcase_add_test(t, forwarding_and_rp_filter_are_told);
	tcase_add_test(t, traffic_control_of_others_is_told);
	tcase_add_test(t, changes_to_rules_name_the_process);
	tcase_add_test(t, an_overrun_asks_to_read_everything_again);
	suite_add_tcase(s, t);
	return suite_run(s);
}
