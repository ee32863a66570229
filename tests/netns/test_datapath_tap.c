/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "datapath_fixture.h"
#include "tests/suite.h"

#include <errno.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct datapath *dp;
char run_dir[64];

static struct tap_options options(const char *name)
{
	return (struct tap_options){
		.name = name, .alias = "netd:port", .mac = { { 0xfe, 0x54, 0, 1, 2, 3 } },
		.owner_uid = 12345, .queues = 1, .vnet_hdr = true, .persist = true,
	};
}

START_TEST(a_tap_is_made_as_asked_for)
{
	struct tap_options opt = options("tap0");
	struct nd_error err = { 0 };
	char name[IFNAMSIZ];
	struct ifreq ifr;
	int fd;

	ck_assert_msg(datapath_tap_create(dp, &opt, name, &fd, &err) == 0, "%s", err.text);
	ck_assert_str_eq(name, "tap0");
	ck_assert_str_eq(output("ip -o -d link show tap0 | grep -o 'ether [0-9a-f:]*\\|user [0-9]*\\|"
				"alias .*\\|persist [a-z]*\\|vnet_hdr [a-z]*\\|pi [a-z]*\\|"
				"addrgenmode [a-z0-9]*\\|type tap'"),
			 "ether fe:54:00:01:02:03 type tap pi off vnet_hdr on persist on user 12345 "
			 "addrgenmode none alias netd:port");
	ck_assert_int_eq(ioctl(fd, TUNGETIFF, &ifr), 0);
	ck_assert(ifr.ifr_flags & IFF_VNET_HDR);
	close(fd);
	ck_assert_int_eq(sh("ip link show tap0 >/dev/null"), 0);
	ck_assert_int_eq(datapath_tap_delete(dp, "tap0", &err), 0);
	ck_assert_int_ne(sh("ip link show tap0 2>/dev/null >&2"), 0);
	ck_assert_int_eq(datapath_tap_delete(dp, "tap0", &err), 0);
}
END_TEST

START_TEST(a_pattern_picks_the_next_free_name)
{
	struct tap_options opt = options("vnet%d");
	struct nd_error err = { 0 };
	char name[2][IFNAMSIZ];
	int fd[2];

	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(datapath_tap_create(dp, &opt, name[i], &fd[i], &err), 0);
	ck_assert_str_eq(name[0], "vnet0");
	ck_assert_str_eq(name[1], "vnet1");
	close(fd[0]);
	close(fd[1]);
}
END_TEST

START_TEST(a_tap_with_several_queues_has_a_descriptor_for_each)
{
	struct tap_options opt = options("tap0");
	struct nd_error err = { 0 };
	char name[IFNAMSIZ];
	int fds[4] = { 0 };

	opt.queues = 4;
	opt.persist = false;
	ck_assert_msg(datapath_tap_create(dp, &opt, name, fds, &err) == 0, "%s", err.text);
	for (int i = 0; i < 4; i++) {
		struct ifreq ifr;

		ck_assert_int_eq(ioctl(fds[i], TUNGETIFF, &ifr), 0);
		ck_assert_str_eq(ifr.ifr_name, "tap0");
		ck_assert(ifr.ifr_flags & IFF_MULTI_QUEUE);
	}
	for (int i = 0; i < 4; i++)
		close(fds[i]);
	/* Not persistent: gone with its last descriptor. */
	ck_assert_int_ne(sh("ip link show tap0 2>/dev/null >&2"), 0);
}
END_TEST

START_TEST(a_taken_name_is_an_error_and_is_left_alone)
{
	struct tap_options opt = options("v0");
	struct nd_error err = { 0 };
	char name[IFNAMSIZ];
	int fd;

	sh("ip link add v0 type veth peer name v1; ip tuntap add dev t0 mode tap");
	ck_assert_int_lt(datapath_tap_create(dp, &opt, name, &fd, &err), 0);
	ck_assert_int_lt(datapath_tap_delete(dp, "v0", &err), 0);
	ck_assert_str_eq(err.text, "interface 'v0' is not a TAP");
	opt.name = "t0";
	ck_assert_int_eq(datapath_tap_create(dp, &opt, name, &fd, &err), -EEXIST);
	ck_assert_str_eq(err.text, "cannot create TAP 't0': File exists");
	opt.name = "a-name-that-is-too-long";
	ck_assert_int_lt(datapath_tap_create(dp, &opt, name, &fd, &err), 0);
	ck_assert_str_eq(err.text, "TAP name 'a-name-that-is-too-long' is longer than 15 characters");
	opt.name = "t1";
	opt.queues = 257;
	ck_assert_int_lt(datapath_tap_create(dp, &opt, name, &fd, &err), 0);
	ck_assert_str_eq(output("ip -br link show type veth | wc -l; ip -br link show type tun | wc -l"), "2 1");
}
END_TEST

START_TEST(a_plugged_tap_is_a_port_of_its_bridge)
{
	ND_AUTO(plan_free) struct plan *net = nat_network();
	ND_AUTO(plan_free) struct plan *plugged = plan_copy(net);
	struct tap_options opt = options("tap0");
	struct plan_port *port = add_port(plugged, "tap0", "virbr0");
	struct nd_error err = { 0 };
	char name[IFNAMSIZ];
	int fd;

	strcpy(port->alias, "netd:port");
	port->up = port->isolated = true;
	must_apply(NULL, net, OWNER);
	ck_assert_msg(datapath_tap_create(dp, &opt, name, &fd, &err) == 0, "%s", err.text);
	must_apply(net, plugged, OWNER);
	assert_differs(plugged, OWNER, "");
	ck_assert_str_eq(output("ip -o link show master virbr0 | grep -o 'tap0\\|mtu [0-9]*\\|UP,LOWER_UP'"),
			 "tap0 UP,LOWER_UP mtu 1400");
	ck_assert_str_eq(output("ip -6 addr show tap0"), "");
	must_apply(plugged, net, OWNER);
	close(fd);
	ck_assert_int_eq(datapath_tap_delete(dp, "tap0", &err), 0);
}
END_TEST

START_TEST(the_hosts_mac_is_the_guests_with_another_first_byte)
{
	struct nd_mac guest = { { 0x52, 0x54, 0, 1, 2, 3 } };

	ck_assert_int_eq(tap_host_mac(&guest).bytes[0], 0xfe);
	guest.bytes[0] = 0xfe;
	ck_assert_int_eq(tap_host_mac(&guest).bytes[0], 0xfa);
	ck_assert_int_eq(tap_host_mac(&guest).bytes[5], 3);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("tap");
	TCase *t = tcase_create("tap");

	tcase_add_checked_fixture(t, fresh_namespace, end_namespace);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_tap_is_made_as_asked_for);
	tcase_add_test(t, a_pattern_picks_the_next_free_name);
	tcase_add_test(t, a_tap_with_several_queues_has_a_descriptor_for_each);
	tcase_add_test(t, a_taken_name_is_an_error_and_is_left_alone);
	tcase_add_test(t, a_plugged_tap_is_a_port_of_its_bridge);
	tcase_add_test(t, the_hosts_mac_is_the_guests_with_another_first_byte);
	suite_add_tcase(s, t);
	return suite_run(s);
}
