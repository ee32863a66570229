/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Documents in, kernel objects and server configurations out, compared as text:
 * tests/xml/plan-NAME.xml with .plan, serve-NAME.xml with .serve. */
#include <check.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netd/base/array.h"
#include "netd/base/str.h"
#include "netd/compile/compile.h"
#include "tests/suite.h"
#include "tests/unit/xml_files.h"

static struct net_def *parse(const char *xml)
{
	struct nd_error err = { 0 };
	struct net_def *def = NULL;

	ck_assert_msg(net_def_parse(xml, strlen(xml), &def, &err) == 0, "%s", err.text);
	return def;
}

static struct net_def *load(const char *name)
{
	ND_AUTO(free) char *path = xml_files_path(name);
	ND_AUTO(free) char *xml = xml_files_read(path);

	return parse(xml);
}

static struct nd_prefix prefix(const char *ip, uint8_t len)
{
	struct nd_prefix p = { .len = len };

	ck_assert_msg(nd_ip_parse(ip, &p.addr), "%s", ip);
	return p;
}

static void add_link(struct host_facts *f, const char *name, const char *kind, const char *alias)
{
	struct link_fact *l = nd_array_add(f->links, f->n_links);

	ck_assert_ptr_nonnull(l);
	snprintf(l->name, sizeof(l->name), "%s", name);
	snprintf(l->kind, sizeof(l->kind), "%s", kind);
	snprintf(l->alias, sizeof(l->alias), "%s", alias);
	l->ifindex = (int)f->n_links;
	l->up = true;
}

static void add_addr(struct host_facts *f, int ifindex, const char *ip, uint8_t len)
{
	struct addr_fact *a = nd_array_add(f->addrs, f->n_addrs);

	ck_assert_ptr_nonnull(a);
	a->ifindex = ifindex;
	a->prefix = prefix(ip, len);
}

static void add_route(struct host_facts *f, int oif, const char *dst, uint8_t len, bool ra)
{
	struct route_fact *r = nd_array_add(f->routes, f->n_routes);

	ck_assert_ptr_nonnull(r);
	r->oif = oif;
	r->dst = prefix(dst, len);
	r->ra = ra;
}

/* lo, eth0 with both families and a learnt default route, eth1 with a network behind a router,
 * and the bridge of another network. */
static struct host_facts *host(bool force_forwarding)
{
	struct host_facts *f = calloc(1, sizeof(*f));

	f->has_ipv6 = true;
	f->has_force_forwarding = force_forwarding;
	add_link(f, "lo", "", "");
	add_link(f, "eth0", "", "");
	add_link(f, "eth1", "", "");
	add_link(f, "virbr9", "bridge", "netd:00000000-0000-4000-8000-000000000009");
	f->links[1].accepts_ra = f->links[2].accepts_ra = true;
	add_addr(f, 1, "127.0.0.1", 8);
	add_addr(f, 2, "203.0.113.5", 24);
	add_addr(f, 2, "2001:db8:aa::5", 64);
	add_addr(f, 4, "192.168.99.1", 24);
	add_route(f, 2, "0.0.0.0", 0, false);
	add_route(f, 2, "203.0.113.0", 24, false);
	add_route(f, 2, "::", 0, true);
	add_route(f, 2, "2001:db8:aa::", 64, true);
	add_route(f, 2, "fe80::", 64, false);
	add_route(f, 3, "10.0.0.0", 8, false);
	add_route(f, 3, "172.16.5.0", 24, false);
	add_route(f, 3, "2001:db8:bb::", 48, false);
	add_route(f, 4, "192.168.99.0", 24, false);
	add_route(f, 4, "2001:db8:99::", 64, false);
	return f;
}

static const struct dns_upstream upstreams[] = {
	{ .addr = { .family = AF_INET, .v4 = { 0x350200c0 } }, .port = 53 },	/* 192.0.2.53 */
	{ .addr = { .family = AF_INET, .v4 = { 0x350200c0 } } },
};

static struct compile_input input(const struct net_def *def, const struct host_facts *facts)
{
	return (struct compile_input){ .def = def, .facts = facts, .serve_uid = 60001,
				       .upstreams = upstreams, .n_upstreams = 2 };
}

static char *plan_text(const struct compile_input *in)
{
	ND_AUTO(plan_free) struct plan *p = NULL;
	struct nd_error err = { 0 };

	ck_assert_msg(compile_supported(in->def, &err) == 0, "%s", err.text);
	ck_assert_msg(compile_plan(in, &p, &err) == 0, "%s", err.text);
	return plan_format(p);
}

START_TEST(every_mode_has_the_plan_in_its_file)
{
	ND_AUTO(free) char *pattern = xml_files_path("plan-*.xml");
	ND_AUTO(host_facts_free) struct host_facts *facts = host(true);
	glob_t found = { 0 };

	ck_assert_int_eq(glob(pattern, 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		ND_AUTO(free) char *xml = xml_files_read(found.gl_pathv[i]), *got = NULL;
		ND_AUTO(net_def_free) struct net_def *def = parse(xml);
		struct compile_input in = input(def, facts);

		got = plan_text(&in);
		xml_files_expect(found.gl_pathv[i], "plan", got);
	}
	globfree(&found);
}
END_TEST

START_TEST(without_force_forwarding_the_host_goes_on_listening_to_routers)
{
	ND_AUTO(host_facts_free) struct host_facts *facts = host(false);
	ND_AUTO(net_def_free) struct net_def *def = load("plan-nat-v6-routed.xml");
	struct compile_input in = input(def, facts);
	ND_AUTO(free) char *got = NULL;

	facts->default_accepts_ra = true;
	got = plan_text(&in);
	ck_assert_msg(strstr(got, "sysctl net/ipv6/conf/eth0/accept_ra=2 shared\n"
				  "sysctl net/ipv6/conf/eth1/accept_ra=2 shared\n"
				  "sysctl net/ipv6/conf/default/accept_ra=2 shared\n"
				  "sysctl net/ipv6/conf/all/forwarding=1 shared\n"), "%s", got);
	ck_assert_ptr_null(strstr(got, "force_forwarding"));
}
END_TEST

START_TEST(routes_that_a_program_learnt_are_left_to_it)
{
	ND_AUTO(host_facts_free) struct host_facts *facts = host(true);
	ND_AUTO(net_def_free) struct net_def *def = load("plan-nat-v6-routed.xml");
	struct compile_input in = input(def, facts);
	ND_AUTO(free) char *got = NULL;

	facts->links[1].accepts_ra = false;
	got = plan_text(&in);
	ck_assert_ptr_null(strstr(got, "eth0/accept_ra"));
	ck_assert_ptr_nonnull(strstr(got, "eth0/force_forwarding=1"));
}
END_TEST

START_TEST(without_ipv6_in_the_kernel_its_sysctls_are_left_out)
{
	ND_AUTO(host_facts_free) struct host_facts *facts = host(false);
	ND_AUTO(net_def_free) struct net_def *def = load("plan-nat.xml");
	struct compile_input in = input(def, facts);
	ND_AUTO(free) char *got = NULL;

	facts->has_ipv6 = false;
	got = plan_text(&in);
	ck_assert_ptr_null(strstr(got, "ipv6"));
}
END_TEST

START_TEST(a_forward_device_that_is_not_there_has_no_sysctls_yet)
{
	ND_AUTO(host_facts_free) struct host_facts *facts = host(true);
	ND_AUTO(net_def_free) struct net_def *def = load("plan-route-dev.xml");
	struct compile_input in = input(def, facts);
	ND_AUTO(free) char *got = NULL;

	strcpy(facts->links[1].name, "eth7");
	got = plan_text(&in);
	ck_assert_ptr_null(strstr(got, "conf/eth0"));
	ck_assert_ptr_nonnull(strstr(got, "nft element uplink4 { virbr2 . eth0 }"));
	ck_assert_ptr_nonnull(strstr(got, "sysctl net/ipv4/conf/virbr2/forwarding=1"));
}
END_TEST

START_TEST(stp_runs_only_with_a_foreign_port_and_with_a_delay_that_it_takes)
{
	ND_AUTO(host_facts_free) struct host_facts *facts = host(true);
	ND_AUTO(net_def_free) struct net_def *on = load("plan-nat.xml");
	ND_AUTO(net_def_free) struct net_def *off = load("plan-isolated.xml");
	struct compile_input in = input(on, facts);
	ND_AUTO(free) char *got_on = NULL, *got_off = NULL;

	in.foreign_port = true;
	got_on = plan_text(&in);
	ck_assert_ptr_nonnull(strstr(got_on, "delay 2 stp on"));
	in.def = off;
	got_off = plan_text(&in);
	ck_assert_ptr_nonnull(strstr(got_off, "delay 5 stp off"));
}
END_TEST

/* The lines of a plan that are about traffic control. */
static char *shapes(const struct compile_input *in)
{
	ND_AUTO(free) char *text = plan_text(in);
	struct nd_str s = { 0 };
	char *rest = text, *line;

	while ((line = strsep(&rest, "\n")))
		if (strncmp(line, "shaper", 6) == 0 || strncmp(line, "floor", 5) == 0 ||
		    strncmp(line, "policer", 7) == 0)
			nd_str_addf(&s, "%s\n", line);
	return nd_str_take(&s);
}

static struct net_def *limited(const char *bandwidth)
{
	ND_AUTO(free) char *xml = NULL;

	ck_assert_int_gt(asprintf(&xml, "<network><name>n</name><uuid>00000000-0000-4000-8000-000000000001"
				  "</uuid><bridge name='virbr0'/><mac address='52:54:00:00:00:01'/>"
				  "<bandwidth>%s</bandwidth></network>", bandwidth), 0);
	return parse(xml);
}

START_TEST(floors_leave_the_rest_of_the_peak_to_the_others)
{
	ND_AUTO(host_facts_free) struct host_facts *facts = host(true);
	ND_AUTO(net_def_free) struct net_def *def = limited("<inbound average='1000' peak='2000' burst='5'/>"
							    "<outbound average='300' burst='7'/>");
	struct port_def sure = { .mac = { { 0x52, 0x54, 0, 0, 0, 2 } },
				 .bandwidth = { .given = true, .class_id = 3,
						.in = { true, .average = 50, .floor = 600 },
						.out = { true, .average = 10 } } };
	struct port_def other = { .bandwidth = { .given = true, .in = { true, .average = 70, .peak = 60 } } };
	struct compile_port ports[] = { { &sure, "vnet0", true }, { &other, "vnet1", true },
					{ &other, "tap9", false } };
	struct compile_input in = input(def, facts);
	ND_AUTO(free) char *alone = shapes(&in), *all = NULL;

	ck_assert_str_eq(alone, "shaper virbr0 rate 1000000 peak 2000000 burst 5120 pool 1000000\n"
				"policer virbr0 rate 300000 burst 7168\n");
	in.ports = ports;
	in.n_ports = ND_COUNT(ports);
	all = shapes(&in);
	ck_assert_str_eq(all, "shaper virbr0 rate 1000000 peak 2000000 burst 5120 pool 1400000\n"
			      "floor virbr0 class 3 mac 52:54:00:00:00:02 rate 600000 peak 2000000\n"
			      "policer virbr0 rate 300000 burst 7168\n"
			      "shaper vnet0 rate 50000 peak 50000 burst 1600\n"
			      "policer vnet0 rate 10000 burst 131072\n"
			      "shaper vnet1 rate 70000 peak 70000 burst 1600\n");
}
END_TEST

START_TEST(floors_that_fill_the_network_leave_the_others_a_trickle)
{
	ND_AUTO(host_facts_free) struct host_facts *facts = host(true);
	ND_AUTO(net_def_free) struct net_def *def = limited("<inbound average='100'/>");
	struct port_def all_of_it = { .bandwidth = { .given = true, .class_id = 3,
						     .in = { true, .floor = 200 } } };
	struct compile_port ports[] = { { &all_of_it, "", false } };
	struct compile_input in = input(def, facts);
	ND_AUTO(free) char *got = NULL;

	in.ports = ports;
	in.n_ports = 1;
	got = shapes(&in);
	ck_assert_str_eq(got, "shaper virbr0 rate 100000 peak 100000 burst 1600 pool 1000\n"
			      "floor virbr0 class 3 mac 00:00:00:00:00:00 rate 100000 peak 100000\n");
}
END_TEST

START_TEST(a_macvtap_is_seen_from_its_guest)
{
	ND_AUTO(plan_free) struct plan *p = plan_new();
	struct bandwidth_def b = { .given = true, .in = { true, .average = 300 },
				   .out = { true, .average = 900, .burst = 9 } };
	ND_AUTO(free) char *got = NULL;

	ck_assert_int_eq(compile_link_shape(&b, "macvtap0", true, p), 0);
	got = plan_format(p);
	ck_assert_str_eq(got, "shaper macvtap0 rate 900000 peak 900000 burst 9216\n"
			      "policer macvtap0 rate 300000 burst 307200\n");
	ck_assert(p->items[0].shaper.outbound && p->items[1].policer.inbound);
}
END_TEST

START_TEST(the_host_s_end_of_a_guest_s_tap_has_addresses_and_routes)
{
	ND_AUTO(plan_free) struct plan *p = plan_new();
	struct dom_ip ips[] = { { .prefix = -1 }, { .prefix = 16 }, { .prefix = -1 } };
	struct route_def routes[] = { { .prefix = 24 }, { .prefix = 64, .metric = 5 } };
	struct dom_nic nic = { .target = "tap0", .ips = ips, .n_ips = 3, .routes = routes, .n_routes = 2 };
	ND_AUTO(free) char *got = NULL;

	ck_assert(nd_ip_parse("192.168.7.1", &ips[0].address) && nd_ip_parse("10.0.0.10", &ips[1].address) &&
		  nd_ip_parse("10.9.0.5", &ips[1].peer) && nd_ip_parse("fd00:7::1", &ips[2].address));
	ck_assert(nd_ip_parse("192.168.42.0", &routes[0].address) && nd_ip_parse("192.168.7.4", &routes[0].gateway) &&
		  nd_ip_parse("fd00:8::", &routes[1].address) && nd_ip_parse("fd00:7::2", &routes[1].gateway));
	ck_assert_int_eq(compile_link_addresses(&nic, p), 0);
	got = plan_format(p);
	ck_assert_str_eq(got, "address 192.168.7.1/24 dev tap0 broadcast 192.168.7.255\n"
			      "address 10.0.0.10/16 dev tap0 peer 10.9.0.5\n"
			      "address fd00:7::1/64 dev tap0\n"
			      "route 192.168.42.0/24 via 192.168.7.4 dev tap0 metric 1\n"
			      "route fd00:8::/64 via fd00:7::2 dev tap0 metric 5\n");
}
END_TEST

START_TEST(the_greatest_limits_of_a_document_fit)
{
	ND_AUTO(plan_free) struct plan *p = plan_new();
	uint64_t most = UINT64_C(1) << 54;
	struct bandwidth_def b = { .given = true,
				   .in = { true, .average = most, .peak = most, .burst = (1 << 22) - 1 },
				   .out = { true, .average = most } };
	ND_AUTO(free) char *got = NULL;

	ck_assert_int_eq(compile_link_shape(&b, "tap0", false, p), 0);
	got = plan_format(p);
	ck_assert_str_eq(got, "shaper tap0 rate 18014398509481984000 peak 18014398509481984000 burst 4294966272\n"
			      "policer tap0 rate 18014398509481984000 burst 4294967296\n");
}
END_TEST

START_TEST(ports_are_put_on_the_bridge_isolated_where_port_or_network_says_so)
{
	ND_AUTO(host_facts_free) struct host_facts *facts = host(true);
	ND_AUTO(net_def_free) struct net_def *def = load("plan-isolated.xml");
	struct port_def inherits = { .uuid = { { 1 } } }, says_no = { .uuid = { { 2 } },
								       .isolated = TRI_NO };
	struct compile_port ports[] = { { &inherits, "vnet0" }, { &says_no, "vnet1" },
					{ &inherits, "" } };
	struct compile_input in = input(def, facts);
	ND_AUTO(free) char *got = NULL;

	in.ports = ports;
	in.n_ports = ND_COUNT(ports);
	got = plan_text(&in);
	ck_assert_msg(strstr(got, "port vnet0 bridge virbr1 mtu 9000 isolated on learning on flood on "
				  "up alias netd:01000000-0000-0000-0000-000000000000\n"
				  "port vnet1 bridge virbr1 mtu 9000 isolated off learning on flood "
				  "on up alias netd:02000000-0000-0000-0000-000000000000\n"),
		      "%s", got);
}
END_TEST

static void dhcp_text(struct nd_str *s, const struct dhcp_config *c)
{
	char a[ND_IP_STRLEN], b[ND_IP_STRLEN], mac[ND_MAC_STRLEN];
	struct nd_ip ip = nd_ip_from4(c->server), other = nd_ip_from4(c->router);

	nd_str_addf(s, "dhcp %d server %s/%u lease %u router %s", c->enabled, nd_ip_format(&ip, a),
		    c->prefix_len, c->lease_time_s, nd_ip_format(&other, b));
	ip = nd_ip_from4(c->dns);
	other = nd_ip_from4(c->boot_server);
	nd_str_addf(s, " dns %s domain '%s' mtu %u boot '%s' %s\n", nd_ip_format(&ip, a), c->domain,
		    c->mtu_bytes, c->boot_file, nd_ip_format(&other, b));
	for (size_t i = 0; i < c->n_pools; i++) {
		ip = nd_ip_from4(c->pools[i].start);
		other = nd_ip_from4(c->pools[i].end);
		nd_str_addf(s, "pool %s-%s lease %u\n", nd_ip_format(&ip, a),
			    nd_ip_format(&other, b), c->pools[i].lease_time_s);
	}
	for (size_t i = 0; i < c->n_reservations; i++) {
		const struct dhcp_reservation *r = &c->reservations[i];

		ip = nd_ip_from4(r->address);
		nd_str_addf(s, "host %s id '", r->has_mac ? nd_mac_format(&r->mac, mac) : "-");
		for (unsigned j = 0; j < r->client_id_len; j++)
			nd_str_addf(s, "%02x", r->client_id[j]);
		nd_str_addf(s, "' name '%s' %s lease %u\n", r->name, nd_ip_format(&ip, a),
			    r->lease_time_s);
	}
	for (size_t i = 0; i < c->n_routes; i++) {
		ip = nd_ip_from4(c->routes[i].dst);
		other = nd_ip_from4(c->routes[i].gateway);
		nd_str_addf(s, "route %s/%u via %s\n", nd_ip_format(&ip, a), c->routes[i].prefix_len,
			    nd_ip_format(&other, b));
	}
}

static void dns_text(struct nd_str *s, const struct dns_config *c)
{
	char ip[ND_IP_STRLEN], p[ND_PREFIX_STRLEN];

	nd_str_addf(s, "dns %d domain '%s' local_only %d plain %d host_resolvers %d\n", c->enabled,
		    c->domain ? c->domain : "", c->local_only, c->forward_plain_names,
		    c->use_host_resolvers);
	for (size_t i = 0; i < c->n_hosts; i++) {
		nd_str_addf(s, "record %s", nd_ip_format(&c->hosts[i].ip, ip));
		for (size_t j = 0; j < c->hosts[i].n_names; j++)
			nd_str_addf(s, " %s", c->hosts[i].names[j]);
		nd_str_add(s, "\n");
	}
	for (size_t i = 0; i < c->n_txts; i++)
		nd_str_addf(s, "txt %s '%s'\n", c->txts[i].name, c->txts[i].value);
	for (size_t i = 0; i < c->n_srvs; i++)
		nd_str_addf(s, "srv %s '%s' port %u priority %u weight %u\n", c->srvs[i].owner,
			    c->srvs[i].target, c->srvs[i].port, c->srvs[i].priority,
			    c->srvs[i].weight);
	for (size_t i = 0; i < c->n_rules; i++)
		nd_str_addf(s, "forward %s to %s port %u\n",
			    c->rules[i].domain ? c->rules[i].domain : "*",
			    c->rules[i].addr.family ? nd_ip_format(&c->rules[i].addr, ip) : "standard",
			    c->rules[i].port);
	for (size_t i = 0; i < c->n_local_ptr; i++)
		nd_str_addf(s, "local_ptr %s\n", nd_prefix_format(&c->local_ptr[i], p));
	for (size_t i = 0; i < c->n_upstreams; i++)
		nd_str_addf(s, "upstream %s port %u\n", nd_ip_format(&c->upstreams[i].addr, ip),
			    c->upstreams[i].port);
	for (size_t i = 0; i < c->n_subnets; i++)
		nd_str_addf(s, "subnet %s\n", nd_prefix_format(&c->subnets[i], p));
}

static char *serve_text(const struct compile_input *in)
{
	ND_AUTO(serve_config_free) struct serve_config *c = NULL;
	char mac[ND_MAC_STRLEN], uuid[ND_UUID_STRLEN], ip[ND_IP_STRLEN];
	struct nd_error err = { 0 };
	struct nd_str s = { 0 };

	ck_assert_msg(compile_serve(in, &c, &err) == 0, "%s", err.text);
	nd_str_addf(&s, "network %s %s bridge %s %d mac %s uid %u", c->network,
		    nd_uuid_format(&c->uuid, uuid), c->bridge, c->ifindex,
		    nd_mac_format(&c->mac, mac), c->uid);
	for (size_t i = 0; i < c->n_addresses; i++)
		nd_str_addf(&s, " %s", nd_ip_format(&c->addresses[i], ip));
	for (size_t i = 0; i < c->n_ports; i++)
		nd_str_addf(&s, " port %s", nd_mac_format(&c->ports[i], mac));
	nd_str_add(&s, "\n");
	dhcp_text(&s, &c->dhcp);
	dns_text(&s, &c->dns);
	return nd_str_take(&s);
}

START_TEST(a_server_is_told_what_the_file_says)
{
	ND_AUTO(free) char *pattern = xml_files_path("serve-*.xml");
	ND_AUTO(host_facts_free) struct host_facts *facts = host(true);
	struct port_def guest = { .mac = { { 0x52, 0x54, 0, 1, 2, 3 } } };
	struct compile_port port = { &guest, "vnet0" };
	char *names[] = { "printer", "printer.example" };
	struct dns_host_record record = { .ip = { .family = AF_INET, .v4 = { 0x01060a0a } },
					  .names = names, .n_names = 2 };
	glob_t found = { 0 };

	ck_assert_int_eq(glob(pattern, 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		ND_AUTO(free) char *xml = xml_files_read(found.gl_pathv[i]), *got = NULL;
		ND_AUTO(net_def_free) struct net_def *def = parse(xml);
		struct compile_input in = input(def, facts);
		struct nd_error err = { 0 };

		in.ports = &port;
		in.n_ports = 1;
		in.host_records = &record;
		in.n_host_records = 1;
		ck_assert_msg(compile_supported(def, &err) == 0, "%s", err.text);
		got = serve_text(&in);
		xml_files_expect(found.gl_pathv[i], "serve", got);
	}
	globfree(&found);
}
END_TEST

static const struct {
	const char *body, *says;
} refused[] = {
	{ "<forward mode='bridge'/><bridge name='br0'/>",
	  "<forward> (line 1): mode 'bridge' is not supported yet" },
	{ "<forward mode='passthrough'><interface dev='eth0'/></forward>",
	  "<forward> (line 1): mode 'passthrough' is not supported yet" },
	{ "<bridge name='b' zone='dmz'/>",
	  "<bridge> (line 1): zone 'dmz': firewalld zones are not supported yet" },
	{ "<bridge name='b' macTableManager='libvirt'/>",
	  "<bridge> (line 1): macTableManager='libvirt' is not supported yet" },
	{ "<vlan><tag id='1'/></vlan>", "<vlan> (line 1): not supported yet" },
	{ "<virtualport type='openvswitch'/>", "<virtualport> (line 1): not supported yet" },
	{ "<domain name='a.b' localOnly='yes' register='yes'/>",
	  "<domain> (line 1): register='yes' is not supported yet" },
	{ "<ip family='ipv6' address='fd00::1' prefix='64'><dhcp><range start='fd00::2' "
	  "end='fd00::3'/></dhcp></ip>", "<dhcp> (line 1): DHCP for IPv6 is not supported yet" },
	{ "<ip address='10.0.0.1' prefix='24'><tftp root='/srv'/></ip>",
	  "<tftp> (line 1): not supported yet" },
	{ "<ip address='10.0.0.1' prefix='25' localPtr='yes'/>",
	  "<ip> (line 1): localPtr needs a prefix of 8, 16 or 24, not 25" },
	{ "<ip family='ipv6' address='fd00::1' prefix='63' localPtr='yes'/>",
	  "<ip> (line 1): localPtr needs a prefix of a multiple of 4 below 128, not 63" },
	{ "<ip address='10.0.0.1' prefix='24'><dhcp><host name='a' ip='10.0.1.5'/></dhcp></ip>",
	  "<host> (line 1): ip 10.0.1.5 is not in the subnet 10.0.0.0/24" },
	{ "<mtu size='1000'/><ip family='ipv6' address='fd00::1' prefix='64'/>",
	  "<mtu> (line 1): size 1000 is below 1280, the least that IPv6 works with" },
	{ "<dns><host ip='10.0.0.5'><hostname>a..b</hostname></host></dns>",
	  "<host> (line 1): 'a..b' is no name for DNS: parts of 1 to 63 bytes, 253 in all" },
	{ "<dnsmasq:options xmlns:dnsmasq='http://libvirt.org/schemas/network/dnsmasq/1.0'>"
	  "<dnsmasq:option value='cname=a,b'/></dnsmasq:options>",
	  "<dnsmasq:option> (line 1): 'cname=a,b': dnsmasq's options are not supported yet" },
};

START_TEST(what_is_not_supported_yet_is_refused_by_element_and_line)
{
	ND_AUTO(free) char *xml = NULL;
	ND_AUTO(net_def_free) struct net_def *def = NULL;
	struct nd_error err = { 0 };

	ck_assert_int_gt(asprintf(&xml, "<network><name>n</name>%s</network>", refused[_i].body), 0);
	def = parse(xml);
	ck_assert_int_lt(compile_supported(def, &err), 0);
	ck_assert_str_eq(err.text, refused[_i].says);
	ck_assert_int_eq(err.kind, ND_ERR_CONFIG_UNSUPPORTED);
}
END_TEST

static const struct {
	const char *body, *says;	/* NULL: no collision */
} collisions[] = {
	{ "<ip address='192.168.122.1' prefix='24'/>", NULL },
	{ "<ip address='10.7.0.1' prefix='24'/>", NULL },	/* inside a route that leads on */
	{ "<ip address='10.7.0.1' prefix='8'/>",
	  "<ip> (line 1): network 10.0.0.0/8 is already in use by interface eth1: it has the route "
	  "10.0.0.0/8" },
	{ "<ip address='172.16.0.1' prefix='16'/>",
	  "<ip> (line 1): network 172.16.0.0/16 is already in use by interface eth1: it has the "
	  "route 172.16.5.0/24" },
	{ "<ip address='203.0.113.129' prefix='25'/>",
	  "<ip> (line 1): network 203.0.113.128/25 is already in use by interface eth0: it has the "
	  "address 203.0.113.5/24" },
	{ "<ip address='127.5.0.1' prefix='24'/>",
	  "<ip> (line 1): network 127.5.0.0/24 is already in use by interface lo: it has the address "
	  "127.0.0.1/8" },
	{ "<ip family='ipv6' address='2001:db8:aa::1' prefix='64'/>",
	  "<ip> (line 1): network 2001:db8:aa::/64 is already in use by interface eth0: it has the "
	  "address 2001:db8:aa::5/64" },
	{ "<ip family='ipv6' address='2001:db8:bb::1' prefix='40'/>",
	  "<ip> (line 1): network 2001:db8::/40 is already in use by interface eth0: it has the "
	  "address 2001:db8:aa::5/64" },
	{ "<ip family='ipv6' address='2001:db8:bb:1::1' prefix='64'/>", NULL },
	{ "<ip address='192.168.1.1' prefix='24'/><route address='172.16.5.0' prefix='24' "
	  "gateway='192.168.1.2'/>",
	  "<route> (line 1): network 172.16.5.0/24 is already in use by interface eth1: it has the "
	  "route 172.16.5.0/24" },
	{ "<ip address='192.168.1.1' prefix='24'/><route address='172.16.0.0' prefix='16' "
	  "gateway='192.168.1.2'/>", NULL },
	{ "<bridge name='eth1'/>",
	  "<bridge> (line 1): there is a device 'eth1' that is not of network 'n': File exists" },
	{ "<bridge name='virbr9'/>",
	  "<bridge> (line 1): there is a device 'virbr9' that is not of network 'n': File exists" },
	{ "<uuid>00000000-0000-4000-8000-000000000009</uuid><bridge name='virbr9'/>"
	  "<ip address='192.168.99.1' prefix='24'/>", NULL },
};

START_TEST(what_the_host_has_already_is_not_taken)
{
	ND_AUTO(host_facts_free) struct host_facts *facts = host(true);
	ND_AUTO(free) char *xml = NULL;
	ND_AUTO(net_def_free) struct net_def *def = NULL;
	struct nd_error err = { 0 };
	int r;

	ck_assert_int_gt(asprintf(&xml, "<network><name>n</name>%s</network>",
				  collisions[_i].body), 0);
	def = parse(xml);
	r = compile_collisions(def, facts, &err);
	if (collisions[_i].says) {
		ck_assert_int_lt(r, 0);
		ck_assert_str_eq(err.text, collisions[_i].says);
	} else {
		ck_assert_msg(r == 0, "%s", err.text);
	}
}
END_TEST

START_TEST(an_active_nat_network_shows_the_port_range_in_force)
{
	ND_AUTO(net_def_free) struct net_def *def = load("plan-nat.xml");
	ND_AUTO(net_def_free) struct net_def *live = compile_live_def(def);
	ND_AUTO(free) char *text = net_def_format(live, 0), *config = net_def_format(def, 0);

	ck_assert_ptr_nonnull(strstr(text, "<port start='1024' end='65535'/>"));
	ck_assert_ptr_nonnull(strstr(config, "<forward mode='nat'/>"));
}
END_TEST

START_TEST(a_bridge_name_is_the_lowest_that_nobody_has)
{
	static const char *const taken[] = { "virbr0", "xx1yy" };
	ND_AUTO(host_facts_free) struct host_facts *facts = host(true);
	struct nd_error err = { 0 };
	char out[IFNAMSIZ];

	add_link(facts, "virbr1", "bridge", "");
	ck_assert_int_eq(compile_bridge_name("virbr%d", taken, 2, facts, out, &err), 0);
	ck_assert_str_eq(out, "virbr2");
	ck_assert_int_eq(compile_bridge_name("xx%dyy", taken, 2, facts, out, &err), 0);
	ck_assert_str_eq(out, "xx0yy");
	ck_assert_int_lt(compile_bridge_name("sixteen-bytes--%d", taken, 2, facts, out, &err), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("compile");
	TCase *t = tcase_create("compile");

	tcase_add_test(t, every_mode_has_the_plan_in_its_file);
	tcase_add_test(t, without_force_forwarding_the_host_goes_on_listening_to_routers);
	tcase_add_test(t, routes_that_a_program_learnt_are_left_to_it);
	tcase_add_test(t, without_ipv6_in_the_kernel_its_sysctls_are_left_out);
	tcase_add_test(t, a_forward_device_that_is_not_there_has_no_sysctls_yet);
	tcase_add_test(t, stp_runs_only_with_a_foreign_port_and_with_a_delay_that_it_takes);
	tcase_add_test(t, floors_leave_the_rest_of_the_peak_to_the_others);
	tcase_add_test(t, floors_that_fill_the_network_leave_the_others_a_trickle);
	tcase_add_test(t, a_macvtap_is_seen_from_its_guest);
	tcase_add_test(t, the_host_s_end_of_a_guest_s_tap_has_addresses_and_routes);
	tcase_add_test(t, the_greatest_limits_of_a_document_fit);
	tcase_add_test(t, ports_are_put_on_the_bridge_isolated_where_port_or_network_says_so);
	tcase_add_test(t, a_server_is_told_what_the_file_says);
	tcase_add_loop_test(t, what_is_not_supported_yet_is_refused_by_element_and_line, 0,
			    ND_COUNT(refused));
	tcase_add_loop_test(t, what_the_host_has_already_is_not_taken, 0, ND_COUNT(collisions));
	tcase_add_test(t, an_active_nat_network_shows_the_port_range_in_force);
	tcase_add_test(t, a_bridge_name_is_the_lowest_that_nobody_has);
	suite_add_tcase(s, t);
	return suite_run(s);
}
