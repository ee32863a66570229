/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "datapath_fixture.h"
#include "tests/suite.h"

#include <errno.h>
#include <time.h>

struct datapath *dp;
char run_dir[64];

START_TEST(what_was_applied_reads_back_as_wanted)
{
	ND_AUTO(plan_free) struct plan *net = nat_network();

	must_apply(NULL, net, OWNER);
	assert_differs(net, OWNER, "");
	ck_assert_str_eq(output("ip -o -d link show virbr0 | grep -o 'mtu 1400\\|state [A-Z]*\\|"
				"52:54:00:aa:30:01\\|group [0-9]*\\|forward_delay [0-9]*\\|"
				"stp_state [0-9]\\|alias .*'"),
			 "mtu 1400 state DOWN group 77 52:54:00:aa:30:01 forward_delay 400 "
			 "stp_state 0 alias " ALIAS);
	ck_assert_str_eq(output("ip -o -4 addr show virbr0 | sed 's/ *\\\\.*//; s/.*inet //'"),
			 "192.168.122.1/24 brd 192.168.122.255 scope global virbr0");
	ck_assert_str_eq(output("ip -o -6 addr show virbr0 scope global | sed 's/ *\\\\.*//; s/.*inet6 //'"),
			 "fd00:122::1/64 scope global nodad");
	ck_assert_str_eq(output("ip route show 10.9.0.0/16"),
			 "10.9.0.0/16 via 192.168.122.9 dev virbr0 metric 7 linkdown");
	ck_assert_str_eq(output("cat /proc/sys/net/ipv6/conf/virbr0/accept_ra "
				"/proc/sys/net/ipv4/ip_forward"), "0 1");
	ck_assert_str_eq(output("ls %s/intents", run_dir), "");
}
END_TEST

START_TEST(a_namespace_where_nothing_ever_was_up_can_be_read)
{
	ND_AUTO(host_facts_free) struct host_facts *facts = NULL;
	struct nd_error err = { 0 };

	ck_assert_int_eq(unshare(CLONE_NEWNET), 0);
	close_datapath();
	open_datapath();
	ck_assert_msg(datapath_facts(dp, &facts, &err) == 0, "%s", err.text);
	ck_assert_uint_eq(facts->n_routes, 0);
	ck_assert_uint_gt(facts->n_links, 0);
}
END_TEST

START_TEST(destroy_leaves_no_trace)
{
	ND_AUTO(plan_free) struct plan *net = nat_network();
	ND_AUTO(free) char *before = host_state();
	ND_AUTO(free) char *after = NULL;

	for (int i = 0; i < 3; i++) {
		must_apply(NULL, net, OWNER);
		must_apply(net, NULL, OWNER);
	}
	after = host_state();
	ck_assert_str_eq(before, after);
}
END_TEST

START_TEST(starting_over_a_predecessors_work_is_fine)
{
	ND_AUTO(plan_free) struct plan *net = nat_network();

	must_apply(NULL, net, OWNER);
	close_datapath();
	open_datapath();
	must_apply(NULL, net, OWNER);
	assert_differs(net, OWNER, "");
	close_datapath();
	open_datapath();
	must_apply(net, NULL, OWNER);
	must_apply(net, NULL, OWNER);
	ck_assert_int_ne(sh("ip link show virbr0 2>/dev/null >&2"), 0);
}
END_TEST

START_TEST(a_foreign_bridge_is_left_alone)
{
	ND_AUTO(plan_free) struct plan *net = nat_network();
	struct nd_error err = { 0 };
	ND_AUTO(free) char *before = NULL, *after = NULL;

	/* Even one that is like ours in all but the alias. */
	sh("ip link add virbr0 address 52:54:00:aa:30:01 group 77 type bridge");
	before = host_state();
	ck_assert_int_lt(apply(NULL, net, OWNER, &err), 0);
	ck_assert_str_eq(err.text, "bridge 'virbr0' exists already and is not netd's");
	ck_assert_int_eq(err.kind, ND_ERR_OPERATION_FAILED);
	after = host_state();
	ck_assert_str_eq(before, after);
	ck_assert_int_eq(apply(net, NULL, OWNER, &err), 0);
	ck_assert_int_eq(sh("ip link show virbr0 >/dev/null"), 0);
}
END_TEST

START_TEST(an_announced_bridge_without_its_alias_is_ours)
{
	ND_AUTO(plan_free) struct plan *net = nat_network();

	sh("ip link add virbr0 address 52:54:00:aa:30:01 group 77 type bridge");
	sh("mkdir -p %s/intents; echo '" ALIAS " 52:54:00:aa:30:01 77' >%s/intents/virbr0", run_dir,
	   run_dir);
	must_apply(NULL, net, OWNER);
	assert_differs(net, OWNER, "");
	ck_assert_str_eq(output("ls %s/intents", run_dir), "");
}
END_TEST

START_TEST(drift_is_read_and_repaired)
{
	ND_AUTO(plan_free) struct plan *net = nat_network();
	ND_AUTO(plan_free) struct plan *now = NULL;

	must_apply(NULL, net, OWNER);
	sh("ip link set virbr0 mtu 1300; ip addr del 192.168.122.1/24 dev virbr0; "
	   "ip link set virbr0 down; ip link set virbr0 alias mine; "
	   "ip link set virbr0 type bridge forward_delay 900; "
	   "echo 0 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/virbr0/accept_ra");
	assert_differs(net, OWNER,
		"~ bridge virbr0 mac 52:54:00:aa:30:01 mtu 1300 group 77 delay 9 stp off alias mine"
		" -> bridge virbr0 mac 52:54:00:aa:30:01 mtu 1400 group 77 delay 4 stp off alias " ALIAS "\n"
		"~ sysctl net/ipv6/conf/virbr0/accept_ra=1 -> sysctl net/ipv6/conf/virbr0/accept_ra=0\n"
		"~ sysctl net/ipv4/ip_forward=0 shared -> sysctl net/ipv4/ip_forward=1 shared\n"
		"+ address 192.168.122.1/24 dev virbr0 broadcast 192.168.122.255\n"
		"+ address fd00:122::1/64 dev virbr0\n"
		"+ up virbr0\n"
		"+ route 10.9.0.0/16 via 192.168.122.9 dev virbr0 metric 7\n"
		"+ route fd00:9::/48 via fd00:122::9 dev virbr0 metric 0\n");
	now = read_plan(net, OWNER);
	must_apply(now, net, OWNER);
	assert_differs(net, OWNER, "");
}
END_TEST

START_TEST(a_live_change_keeps_the_bridge)
{
	ND_AUTO(plan_free) struct plan *a = nat_network();
	ND_AUTO(plan_free) struct plan *b = plan_new();
	ND_AUTO(free) char *index = NULL;
	struct plan_bridge *bridge = add_bridge(b, "virbr0", ALIAS);

	bridge->mtu_bytes = 9000;
	bridge->mac.bytes[5] = 9;
	bridge->stp = true;
	add_nat(b, "virbr0", "192.168.122.0", 25);
	add_addr(b, "virbr0", "192.168.122.1", 25);
	add_up(b, "virbr0");
	add_route(b, "virbr0", "10.9.0.0", 16, "192.168.122.8", 7);
	must_apply(NULL, a, OWNER);
	index = strdup(output("ip -o link show virbr0 | cut -d: -f1"));
	must_apply(a, b, OWNER);
	assert_differs(b, OWNER, "");
	ck_assert_str_eq(output("ip -o link show virbr0 | cut -d: -f1"), index);
	ck_assert_str_eq(output("cat /proc/sys/net/ipv4/ip_forward"), "0");
	ck_assert_str_eq(output("ip -o -6 addr show virbr0 scope global"), "");
}
END_TEST

START_TEST(stp_goes_off_whatever_the_delay)
{
	static const uint32_t delays_s[] = { 0, 2, 9 };

	for (size_t i = 0; i < ND_COUNT(delays_s); i++) {
		ND_AUTO(plan_free) struct plan *on = plan_new();
		ND_AUTO(plan_free) struct plan *off = NULL;
		struct plan_bridge *bridge = add_bridge(on, "virbr0", ALIAS);

		bridge->stp = true;
		bridge->forward_delay_s = delays_s[i];
		off = plan_copy(on);
		off->items[0].bridge.stp = false;
		off->items[0].bridge.forward_delay_s = 0;
		must_apply(NULL, on, OWNER);
		must_apply(on, off, OWNER);
		assert_differs(off, OWNER, "");
		ck_assert_ptr_nonnull(strstr(output("ip -d link show virbr0"), " stp_state 0 "));
		must_apply(off, on, OWNER);
		assert_differs(on, OWNER, "");
		must_apply(on, NULL, OWNER);
	}
}
END_TEST

START_TEST(a_failed_step_undoes_the_ones_before)
{
	ND_AUTO(plan_free) struct plan *net = nat_network();
	ND_AUTO(free) char *before = host_state(), *after = NULL;
	struct nd_error err = { 0 };

	/* Nobody can be reached at this gateway from here. */
	add_route(net, "virbr0", "10.10.0.0", 16, "203.0.113.1", 0);
	ck_assert_int_lt(apply(NULL, net, OWNER, &err), 0);
	ck_assert_str_eq(err.text, "cannot add route 10.10.0.0/16 through 'virbr0' "
				   "(Nexthop has invalid gateway): Network is unreachable");
	after = host_state();
	ck_assert_str_eq(before, after);
}
END_TEST

START_TEST(a_failed_change_restores_what_was)
{
	ND_AUTO(plan_free) struct plan *a = nat_network();
	ND_AUTO(plan_free) struct plan *b = plan_copy(a);
	struct nd_error err = { 0 };

	b->items[0].bridge.mtu_bytes = 1450;
	b->items[0].bridge.stp = true;
	add_port(b, "nosuchtap", "virbr0");
	must_apply(NULL, a, OWNER);
	ck_assert_int_lt(apply(a, b, OWNER, &err), 0);
	ck_assert_str_eq(err.text, "there is no interface 'nosuchtap': No such device");
	assert_differs(a, OWNER, "");
}
END_TEST

START_TEST(another_route_to_the_same_place_is_an_error)
{
	ND_AUTO(plan_free) struct plan *net = nat_network();
	ND_AUTO(free) char *before = NULL, *after = NULL;
	struct nd_error err = { 0 };

	sh("ip link add up0 type veth peer name up1; ip link set up0 up; ip link set up1 up; "
	   "ip addr add 203.0.113.1/24 dev up0; ip route add 10.9.0.0/16 via 203.0.113.9 metric 7");
	before = host_state();
	ck_assert_int_lt(apply(NULL, net, OWNER, &err), 0);
	ck_assert_str_eq(err.text, "cannot add route 10.9.0.0/16 through 'virbr0': File exists");
	after = host_state();
	ck_assert_str_eq(before, after);
}
END_TEST

START_TEST(ports_get_their_attributes_and_give_them_back)
{
	ND_AUTO(plan_free) struct plan *net = nat_network();
	ND_AUTO(plan_free) struct plan *plugged = plan_copy(net);
	ND_AUTO(plan_free) struct plan *broken = NULL;
	struct plan_port *port = add_port(plugged, "veth0", "virbr0");
	struct nd_error err = { 0 };

	port->isolated = true;
	port->learning = port->unicast_flood = false;
	port->up = true;
	port->fdb = (struct nd_mac){ { 0x52, 0x54, 0, 1, 2, 3 } };
	strcpy(port->alias, "netd:port");
	sh("ip link add veth0 type veth peer name veth1");
	must_apply(NULL, net, OWNER);
	must_apply(net, plugged, OWNER);
	assert_differs(plugged, OWNER, "");
	ck_assert_str_eq(output("bridge -d link show dev veth0 | grep -o 'mtu [0-9]*\\|"
				"learning [a-z]*\\|isolated [a-z]*\\|[^_]flood [a-z]*' | xargs"),
			 "mtu 1400 learning off flood off isolated on");
	ck_assert_str_eq(output("bridge fdb show dev veth0 | grep '52:54:00:01:02:03.*static' | "
				"grep -vc vlan"), "1");
	must_apply(plugged, net, OWNER);
	ck_assert_str_eq(output("ip -o link show master virbr0"), "");
	/* A plug that fails puts the link's MTU back. */
	sh("ip link set veth0 mtu 1500");
	broken = plan_copy(plugged);
	add_port(broken, "nosuchtap", "virbr0");
	ck_assert_int_lt(apply(net, broken, OWNER, &err), 0);
	ck_assert_str_eq(output("ip -o link show master virbr0"), "");
	ck_assert_str_eq(output("ip link show veth0 | grep -o 'mtu [0-9]*'"), "mtu 1500");
}
END_TEST

START_TEST(vlan_filtering_is_on_or_refused_in_words)
{
	ND_AUTO(plan_free) struct plan *net = nat_network();
	struct nd_error err = { 0 };
	bool can = sh("ip link add t0 type bridge vlan_filtering 1 2>/dev/null") == 0;

	net->items[0].bridge.vlan_filtering = true;
	if (can) {
		must_apply(NULL, net, OWNER);
		assert_differs(net, OWNER, "");
		ck_assert_str_eq(output("ip -d link show virbr0 | grep -o 'vlan_filtering [01]'"),
				 "vlan_filtering 1");
	} else {
		ck_assert_int_lt(apply(NULL, net, OWNER, &err), 0);
		ck_assert_str_eq(err.text, "this kernel has no VLAN filtering on bridges, which bridge "
					   "'virbr0' needs for macTableManager='libvirt'");
		ck_assert_int_eq(err.kind, ND_ERR_CONFIG_UNSUPPORTED);
	}
}
END_TEST

START_TEST(a_port_that_its_owner_moved_is_not_touched)
{
	ND_AUTO(plan_free) struct plan *net = nat_network();
	ND_AUTO(plan_free) struct plan *plugged = plan_copy(net);

	add_port(plugged, "veth0", "virbr0");
	sh("ip link add veth0 type veth peer name veth1; ip link add br9 type bridge");
	must_apply(NULL, plugged, OWNER);
	sh("ip link set veth0 master br9");
	must_apply(plugged, net, OWNER);
	ck_assert_str_eq(output("ip -o link show master br9 | grep -o 'veth0'"), "veth0");
}
END_TEST

START_TEST(leftover_bridges_of_an_owner_are_found)
{
	ND_AUTO(plan_free) struct plan *net = nat_network();
	ND_AUTO(plan_free) struct plan *none = plan_new();

	sh("ip link add old0 address 52:54:00:00:00:09 type bridge; ip link set old0 alias " ALIAS);
	sh("ip link add old1 type bridge; ip link set old1 alias netd:" OTHER_OWNER);
	assert_differs(none, OWNER,
		       "- bridge old0 mac 52:54:00:00:00:09 delay 15 stp off alias " ALIAS "\n");
	must_apply(NULL, net, OWNER);
	assert_differs(net, OWNER,
		       "- bridge old0 mac 52:54:00:00:00:09 delay 15 stp off alias " ALIAS "\n");
}
END_TEST

START_TEST(a_libvirt_bridge_can_be_adopted)
{
	ND_AUTO(plan_free) struct plan *net = nat_network();
	struct nd_error err = { 0 };

	sh("ip link add virbr0 address 52:54:00:aa:30:02 type bridge");
	ck_assert_int_lt(datapath_adopt_bridge(dp, &net->items[0].bridge, &err), 0);
	sh("ip link set virbr0 address 52:54:00:aa:30:01");
	ck_assert_msg(datapath_adopt_bridge(dp, &net->items[0].bridge, &err) == 0, "%s", err.text);
	must_apply(NULL, net, OWNER);
	assert_differs(net, OWNER, "");
}
END_TEST

START_TEST(many_bridges_go_in_groups)
{
	struct plan_bridge bridges[25] = { 0 };
	struct nd_error err = { 0 };

	for (int i = 0; i < 25; i++) {
		snprintf(bridges[i].name, IFNAMSIZ, "br%d", i);
		snprintf(bridges[i].alias, sizeof(bridges[i].alias), "netd:%d", i);
		if (i != 7)
			sh("ip link add br%d type bridge; ip link set br%d alias netd:%d", i, i,
			   i == 9 ? 1000 : i);
	}
	ck_assert_msg(datapath_delete_bridges(dp, bridges, 25, &err) == 0, "%s", err.text);
	ck_assert_str_eq(output("ip -br link show type bridge | cut -d' ' -f1"), "br9");
	ck_assert_int_eq(datapath_delete_bridges(dp, bridges, 0, &err), 0);
}
END_TEST

START_TEST(facts_tell_links_addresses_and_routes)
{
	ND_AUTO(host_facts_free) struct host_facts *f = NULL;
	const struct link_fact *link;
	struct nd_error err = { 0 };
	bool addr = false, route = false;

	sh("ip link add up0 type veth peer name up1; ip link set up0 up mtu 1300 alias wan; "
	   "ip addr add 203.0.113.1/24 dev up0; ip route add 10.9.0.0/16 via 203.0.113.9; "
	   "ip route add unreachable 10.8.0.0/16; ip route add 10.7.0.0/16 dev up0 table 99");
	ck_assert_msg(datapath_facts(dp, &f, &err) == 0, "%s", err.text);
	link = host_facts_link(f, "up0");
	ck_assert_ptr_nonnull(link);
	ck_assert(link->up && link->mtu_bytes == 1300 && nd_streq(link->kind, "veth") &&
		  nd_streq(link->alias, "wan"));
	for (size_t i = 0; i < f->n_addrs; i++)
		addr |= f->addrs[i].ifindex == link->ifindex && f->addrs[i].prefix.len == 24;
	for (size_t i = 0; i < f->n_routes; i++) {
		route |= f->routes[i].oif == link->ifindex && f->routes[i].dst.len == 16;
		ck_assert_int_ne(f->routes[i].oif, 0);
		ck_assert(f->routes[i].dst.addr.family != AF_INET || f->routes[i].dst.len != 16 ||
			  f->routes[i].dst.addr.v4.s_addr == htonl(0x0a090000));
	}
	ck_assert(addr && route && f->has_ipv6);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("datapath");
	TCase *t = tcase_create("apply");

	tcase_add_checked_fixture(t, fresh_namespace, end_namespace);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, what_was_applied_reads_back_as_wanted);
	tcase_add_test(t, a_namespace_where_nothing_ever_was_up_can_be_read);
	tcase_add_test(t, destroy_leaves_no_trace);
	tcase_add_test(t, starting_over_a_predecessors_work_is_fine);
	tcase_add_test(t, a_foreign_bridge_is_left_alone);
	tcase_add_test(t, an_announced_bridge_without_its_alias_is_ours);
	tcase_add_test(t, drift_is_read_and_repaired);
	tcase_add_test(t, a_live_change_keeps_the_bridge);
	tcase_add_test(t, stp_goes_off_whatever_the_delay);
	tcase_add_test(t, a_failed_step_undoes_the_ones_before);
	tcase_add_test(t, a_failed_change_restores_what_was);
	tcase_add_test(t, another_route_to_the_same_place_is_an_error);
	tcase_add_test(t, ports_get_their_attributes_and_give_them_back);
	tcase_add_test(t, vlan_filtering_is_on_or_refused_in_words);
	tcase_add_test(t, a_port_that_its_owner_moved_is_not_touched);
	tcase_add_test(t, leftover_bridges_of_an_owner_are_found);
	tcase_add_test(t, a_libvirt_bridge_can_be_adopted);
	tcase_add_test(t, many_bridges_go_in_groups);
	tcase_add_test(t, facts_tell_links_addresses_and_routes);
	suite_add_tcase(s, t);
	return suite_run(s);
}
