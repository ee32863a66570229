/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What datapath_facts() remembers is what a dump would find, after whatever happened. */
#include "datapath_fixture.h"
#include "tests/suite.h"

#include <time.h>

struct datapath *dp;
char run_dir[64];

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The facts as sorted lines. */
static char *facts_text(const struct host_facts *f)
{
	size_t n = f->n_links + f->n_addrs + f->n_routes;
	char **lines = calloc(n + 1, sizeof(*lines));
	struct nd_str s = { 0 };
	size_t at = 0;

	for (size_t i = 0; i < f->n_links; i++) {
		const struct link_fact *l = &f->links[i];

		ck_assert_int_gt(asprintf(&lines[at++], "link %d %s %s master %d mtu %u group %u %s '%s'",
					  l->ifindex, l->name, l->kind, l->master, l->mtu_bytes,
					  l->group, l->up ? "up" : "down", l->alias), 0);
	}
	for (size_t i = 0; i < f->n_addrs; i++) {
		char text[ND_PREFIX_STRLEN];

		/* Not told before a carrier comes that they could be detected on. */
		if (f->addrs[i].prefix.addr.family == AF_INET6 &&
		    IN6_IS_ADDR_LINKLOCAL(&f->addrs[i].prefix.addr.v6))
			continue;
		ck_assert_int_gt(asprintf(&lines[at++], "addr %d %s", f->addrs[i].ifindex,
					  nd_prefix_format(&f->addrs[i].prefix, text)), 0);
	}
	for (size_t i = 0; i < f->n_routes; i++) {
		char text[ND_PREFIX_STRLEN];

		ck_assert_int_gt(asprintf(&lines[at++], "route %s oif %d%s",
					  nd_prefix_format(&f->routes[i].dst, text),
					  f->routes[i].oif, f->routes[i].ra ? " ra" : ""), 0);
	}
	n = at;
	qsort(lines, n, sizeof(*lines), compare_lines);
	for (size_t i = 0; i < n; i++) {
		nd_str_addf(&s, "%s\n", lines[i]);
		free(lines[i]);
	}
	free(lines);
	return nd_str_take(&s);
}

static char *remembered(void)
{
	ND_AUTO(host_facts_free) struct host_facts *f = NULL;
	struct nd_error err = { 0 };

	ck_assert_msg(datapath_facts(dp, &f, &err) == 0, "%s", err.text);
	return facts_text(f);
}

static char *dumped(void)
{
	ND_AUTO(datapath_snapshot_free) struct datapath_snapshot *s = NULL;
	ND_AUTO(host_facts_free) struct host_facts *f = NULL;
	struct nd_error err = { 0 };

	ck_assert_msg(datapath_snapshot_new(dp, &s, &err) == 0, "%s", err.text);
	ck_assert_msg(datapath_snapshot_facts(s, &f, &err) == 0, "%s", err.text);
	return facts_text(f);
}

/* Notices of IPv6 addresses come a moment late. */
static void assert_same(const char *after)
{
	char *memory = remembered(), *truth = dumped();

	for (int i = 0; i < 50 && !nd_streq(memory, truth); i++) {
		nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
		free(memory);
		free(truth);
		memory = remembered();
		truth = dumped();
	}
	ck_assert_msg(nd_streq(memory, truth), "after '%s' the view has\n%sand the kernel\n%s", after,
		      memory, truth);
	free(memory);
	free(truth);
}

START_TEST(the_view_follows_every_change)
{
	static const char *const changes[] = {
		"ip link add br0 type bridge",
		"ip link add v0 type veth peer name v1",
		"ip link set br0 up mtu 1400 alias x",
		"ip link set v0 master br0 group 9 up; ip link set v1 up",
		"ip link set v0 down; ip link set v0 name w0 up",
		"ip addr add 10.1.0.1/16 dev br0",
		"ip addr add 10.1.0.2/16 dev br0; ip addr add 10.2.0.1/16 dev br0",
		"ip addr add fd01::1/64 dev br0 nodad",
		"ip route add 10.3.0.0/16 via 10.1.0.9",
		"ip route add 10.3.0.0/16 via 10.2.0.9 metric 5",
		"ip route add 10.4.0.0/16 dev br0 src 10.2.0.1",
		"ip route add default via 10.1.0.9",
		"ip route replace default dev v1",
		"ip route add unreachable 10.5.0.0/16; ip route add 10.6.0.0/16 dev br0 table 7",
		"ip route add fd03::/64 via fd01::9; ip route add fd03::/64 via fd01::8 metric 3",
		"ip -6 route replace fd03::/64 via fd01::7 dev br0",
		"ip -6 route del fd03::/64 metric 3",
		"ip addr del 10.2.0.1/16 dev br0",
		"ip addr del 10.1.0.1/16 dev br0",
		"ip addr add 10.1.0.1/16 dev br0; ip route add 10.3.0.0/16 via 10.1.0.9",
		"ip addr flush dev br0 scope global",
		"ip addr add 10.1.0.1/16 dev br0; ip route add 10.3.0.0/16 via 10.1.0.9",
		"ip link set br0 down",
		"ip link set br0 up; ip route add 10.3.0.0/16 via 10.1.0.9",
		"ip link del br0",
		"ip link del w0",
	};

	assert_same("nothing");
	for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		sh("%s", changes[i]);
		assert_same(changes[i]);
	}
}
END_TEST

START_TEST(the_view_follows_netds_own_work)
{
	ND_AUTO(plan_free) struct plan *net = nat_network();

	assert_same("nothing");
	for (int i = 0; i < 3; i++) {
		must_apply(NULL, net, OWNER);
		assert_same("start");
		must_apply(net, NULL, OWNER);
		assert_same("destroy");
	}
}
END_TEST

START_TEST(the_view_survives_lost_notices)
{
	assert_same("nothing");
	sh("ip link add v0 type veth peer name v1; "
	   "for i in $(seq 1 3000); do echo link set v0 up; echo link set v0 down; done >%s/flaps; "
	   "ip -batch %s/flaps; ip link add br0 type bridge; ip addr add 10.1.0.1/16 dev br0", run_dir,
	   run_dir);
	assert_same("an overrun");
	sh("ip link del v0");
	assert_same("one change after an overrun");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("view");
	TCase *t = tcase_create("view");

	tcase_add_checked_fixture(t, fresh_namespace, end_namespace);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, the_view_follows_every_change);
	tcase_add_test(t, the_view_follows_netds_own_work);
	tcase_add_test(t, the_view_survives_lost_notices);
	suite_add_tcase(s, t);
	return suite_run(s);
}
