/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "datapath_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "datapath/sysctl.h"
#include "tests/suite.h"

#define FORWARD "net/ipv4/ip_forward"
#define SYS "/proc/sys/"

struct datapath *dp;
char run_dir[64];
static struct sysctl_keeper *keeper;
static int run_fd;

static void open_keeper(void)
{
	struct nd_error err = { 0 };

	ck_assert_msg(sysctl_keeper_new(run_fd, &keeper, &err) == 0, "%s", err.text);
}

static void set_up(void)
{
	strcpy(run_dir, "/tmp/netd-sysctl-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(run_dir));
	ck_assert_int_eq(unshare(CLONE_NEWNET), 0);
	run_fd = open(run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	open_keeper();
}

static void tear_down(void)
{
	sysctl_keeper_free(keeper);
	close(run_fd);
	sh("rm -r %s", run_dir);
}

/* A netd that was killed leaves its files; its memory is gone. */
static void restart(void)
{
	sysctl_keeper_free(keeper);
	open_keeper();
}

static void hold(const char *path, const char *value, const char *owner)
{
	struct nd_error err = { 0 };

	ck_assert_msg(sysctl_hold(keeper, path, value, owner, &err) == 0, "%s", err.text);
}

static void release(const char *path, const char *owner)
{
	struct nd_error err = { 0 };

	ck_assert_msg(sysctl_release(keeper, path, owner, &err) == 0, "%s", err.text);
}

static void put(const char *path, const char *value)
{
	ck_assert_int_eq(sh("echo %s >" SYS "%s", value, path), 0);
}

static void assert_value(const char *path, const char *value)
{
	ck_assert_str_eq(output("cat " SYS "%s", path), value);
}

static void assert_no_notes(void)
{
	ck_assert_str_eq(output("ls -A %s/sysctl", run_dir), "");
}

START_TEST(the_last_holder_puts_back_what_was)
{
	hold(FORWARD, "1", "a");
	hold(FORWARD, "1", "b");
	assert_value(FORWARD, "1");
	ck_assert(sysctl_is_held(keeper, FORWARD, "a") && !sysctl_is_held(keeper, FORWARD, "c"));
	release(FORWARD, "a");
	release(FORWARD, "a");
	release(FORWARD, "c");
	assert_value(FORWARD, "1");
	release(FORWARD, "b");
	assert_value(FORWARD, "0");
	assert_no_notes();
}
END_TEST

START_TEST(a_successor_knows_the_holds_of_its_predecessor)
{
	hold(FORWARD, "1", "a");
	hold(FORWARD, "1", "b");
	restart();
	ck_assert(sysctl_is_held(keeper, FORWARD, "a") && sysctl_is_held(keeper, FORWARD, "b"));
	release(FORWARD, "b");
	restart();
	assert_value(FORWARD, "1");
	release(FORWARD, "a");
	assert_value(FORWARD, "0");
	assert_no_notes();
}
END_TEST

START_TEST(what_was_on_already_stays_on)
{
	put(FORWARD, "1");
	hold(FORWARD, "1", "a");
	release(FORWARD, "a");
	assert_value(FORWARD, "1");
	assert_no_notes();
}
END_TEST

START_TEST(what_somebody_else_changed_is_theirs)
{
	hold("net/ipv4/conf/lo/rp_filter", "2", "a");
	put("net/ipv4/conf/lo/rp_filter", "1");
	release("net/ipv4/conf/lo/rp_filter", "a");
	assert_value("net/ipv4/conf/lo/rp_filter", "1");
	assert_no_notes();
}
END_TEST

START_TEST(a_holder_repairs_what_drifted)
{
	hold(FORWARD, "1", "a");
	put(FORWARD, "0");
	hold(FORWARD, "1", "a");
	assert_value(FORWARD, "1");
	release(FORWARD, "a");
	assert_value(FORWARD, "0");
}
END_TEST

START_TEST(two_values_at_a_time_are_refused)
{
	struct nd_error err = { 0 };

	hold("net/ipv4/conf/lo/rp_filter", "2", "a");
	ck_assert_int_lt(sysctl_hold(keeper, "net/ipv4/conf/lo/rp_filter", "1", "b", &err), 0);
	ck_assert_str_eq(err.text, "sysctl net/ipv4/conf/lo/rp_filter is held at 2 by another "
				   "network, so it cannot be 1");
	assert_value("net/ipv4/conf/lo/rp_filter", "2");
	/* The only holder may change its mind. */
	hold("net/ipv4/conf/lo/rp_filter", "1", "a");
	assert_value("net/ipv4/conf/lo/rp_filter", "1");
	release("net/ipv4/conf/lo/rp_filter", "a");
	assert_value("net/ipv4/conf/lo/rp_filter", "0");
}
END_TEST

START_TEST(interfaces_that_forwarded_before_forward_again)
{
	sh("ip link add v0 type veth peer name v1; ip link add v2 type veth peer name v3");
	put("net/ipv4/conf/v0/forwarding", "1");
	put("net/ipv4/conf/v2/forwarding", "1");
	put("net/ipv4/conf/all/accept_redirects", "0");
	hold(FORWARD, "1", "a");
	assert_value("net/ipv4/conf/v1/forwarding", "1");
	restart();
	/* Somebody decides otherwise for v2 meanwhile; v4 comes after. */
	put("net/ipv4/conf/v2/forwarding", "0");
	sh("ip link add v4 type veth peer name v5");
	release(FORWARD, "a");
	assert_value(FORWARD, "0");
	assert_value("net/ipv4/conf/v0/forwarding", "1");
	assert_value("net/ipv4/conf/v1/forwarding", "0");
	assert_value("net/ipv4/conf/v2/forwarding", "0");
	assert_value("net/ipv4/conf/v4/forwarding", "0");
	assert_value("net/ipv4/conf/all/accept_redirects", "0");
}
END_TEST

START_TEST(the_kernels_own_accept_redirects_comes_back)
{
	assert_value("net/ipv4/conf/all/accept_redirects", "1");
	hold(FORWARD, "1", "a");
	assert_value("net/ipv4/conf/all/accept_redirects", "0");
	release(FORWARD, "a");
	assert_value("net/ipv4/conf/all/accept_redirects", "1");
}
END_TEST

START_TEST(a_switch_does_not_take_what_other_networks_hold)
{
	struct nd_error err = { 0 };

	sh("ip link add v0 type veth peer name v1; ip link add br0 type bridge");
	hold("net/ipv4/conf/v0/forwarding", "1", "b");
	ck_assert_int_eq(sysctl_set(keeper, "net/ipv4/conf/br0/forwarding", "1", &err), 0);
	hold(FORWARD, "1", "a");
	release(FORWARD, "a");
	assert_value("net/ipv4/conf/v0/forwarding", "1");
	assert_value("net/ipv4/conf/br0/forwarding", "1");
	sysctl_forget(keeper, "net/ipv4/conf/br0/forwarding");
	hold(FORWARD, "1", "a");
	release("net/ipv4/conf/v0/forwarding", "b");
	release(FORWARD, "a");
	assert_value("net/ipv4/conf/v0/forwarding", "0");
}
END_TEST

START_TEST(holds_of_a_switch_and_below_it_may_end_in_any_order)
{
	sh("ip link add v0 type veth peer name v1");
	put("net/ipv4/conf/v1/forwarding", "1");
	for (int order = 0; order < 4; order++) {
		const char *first = order & 1 ? FORWARD : "net/ipv4/conf/v0/forwarding";
		const char *second = order & 1 ? "net/ipv4/conf/v0/forwarding" : FORWARD;

		hold(first, "1", "a");
		hold(second, "1", "a");
		hold("net/ipv4/conf/v1/forwarding", "1", "b");
		release(order & 2 ? first : second, "a");
		assert_value("net/ipv4/conf/v0/forwarding", "1");
		release(order & 2 ? second : first, "a");
		assert_value("net/ipv4/conf/v0/forwarding", "0");
		release("net/ipv4/conf/v1/forwarding", "b");
		assert_value("net/ipv4/conf/v1/forwarding", "1");
		hold("net/ipv4/conf/v1/forwarding", "1", "b");
		hold(FORWARD, "1", "a");
		release("net/ipv4/conf/v1/forwarding", "b");
		release(FORWARD, "a");
		assert_value("net/ipv4/conf/v1/forwarding", "1");
		assert_no_notes();
	}
}
END_TEST

START_TEST(ipv6_forwarding_goes_back_with_its_interfaces)
{
	sh("ip link add v0 type veth peer name v1");
	put("net/ipv6/conf/v0/forwarding", "1");
	put("net/ipv6/conf/v1/accept_ra", "1");
	hold("net/ipv6/conf/v1/accept_ra", "2", "a");
	hold("net/ipv6/conf/all/forwarding", "1", "a");
	assert_value("net/ipv6/conf/v1/forwarding", "1");
	release("net/ipv6/conf/all/forwarding", "a");
	release("net/ipv6/conf/v1/accept_ra", "a");
	assert_value("net/ipv6/conf/all/forwarding", "0");
	assert_value("net/ipv6/conf/default/forwarding", "0");
	assert_value("net/ipv6/conf/v0/forwarding", "1");
	assert_value("net/ipv6/conf/v1/forwarding", "0");
	assert_value("net/ipv6/conf/v1/accept_ra", "1");
}
END_TEST

START_TEST(a_successor_finishes_what_a_kill_left_half_done)
{
	sh("ip link add v0 type veth peer name v1");
	put("net/ipv4/conf/v0/forwarding", "1");
	hold(FORWARD, "1", "a");
	/* Killed after the switch was turned back and before its side effects were. */
	put(FORWARD, "0");
	restart();
	release(FORWARD, "a");
	assert_value("net/ipv4/conf/v0/forwarding", "1");
	assert_no_notes();
	/* Killed after the note was written, before its holder. */
	sh("mkdir %s/sysctl/net:ipv4:ip_forward; echo 1 0 >%s/sysctl/net:ipv4:ip_forward/.saved; "
	   "touch %s/sysctl/net:ipv4:ip_forward/.new", run_dir, run_dir, run_dir);
	restart();
	assert_no_notes();
	assert_value(FORWARD, "0");
}
END_TEST

START_TEST(a_setting_whose_interface_went_is_let_go)
{
	sh("ip link add v0 type veth peer name v1");
	hold("net/ipv4/conf/v0/rp_filter", "1", "a");
	sh("ip link del v0");
	release("net/ipv4/conf/v0/rp_filter", "a");
	assert_no_notes();
}
END_TEST

START_TEST(a_setting_that_is_not_there_is_an_error_and_no_hold)
{
	struct nd_error err = { 0 };

	ck_assert_int_eq(sysctl_hold(keeper, "net/ipv4/conf/none/rp_filter", "1", "a", &err), -ENOENT);
	ck_assert_str_eq(err.text,
			 "cannot read sysctl net/ipv4/conf/none/rp_filter: No such file or directory");
	ck_assert_int_lt(sysctl_hold(keeper, FORWARD, "junk", "a", &err), 0);
	ck_assert_str_eq(err.text, "cannot set sysctl net/ipv4/ip_forward to junk: Invalid argument");
	ck_assert(!sysctl_is_held(keeper, FORWARD, "a"));
	assert_no_notes();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sysctl");
	TCase *t = tcase_create("sysctl");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, the_last_holder_puts_back_what_was);
	tcase_add_test(t, a_successor_knows_the_holds_of_its_predecessor);
	tcase_add_test(t, what_was_on_already_stays_on);
	tcase_add_test(t, what_somebody_else_changed_is_theirs);
	tcase_add_test(t, a_holder_repairs_what_drifted);
	tcase_add_test(t, two_values_at_a_time_are_refused);
	tcase_add_test(t, interfaces_that_forwarded_before_forward_again);
	tcase_add_test(t, the_kernels_own_accept_redirects_comes_back);
	tcase_add_test(t, a_switch_does_not_take_what_other_networks_hold);
	tcase_add_test(t, holds_of_a_switch_and_below_it_may_end_in_any_order);
	tcase_add_test(t, ipv6_forwarding_goes_back_with_its_interfaces);
	tcase_add_test(t, a_successor_finishes_what_a_kill_left_half_done);
	tcase_add_test(t, a_setting_whose_interface_went_is_let_go);
	tcase_add_test(t, a_setting_that_is_not_there_is_an_error_and_no_hold);
	suite_add_tcase(s, t);
	return suite_run(s);
}
