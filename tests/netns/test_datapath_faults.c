/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every effect of every operation fails once, and is once the last thing its process does. */
#include "datapath_fixture.h"

#include <sys/wait.h>
#include <unistd.h>

#include "netd/base/array.h"
#include "tests/suite.h"

struct datapath *dp;
char run_dir[64];

/* From one plan to another, by way of datapath_apply() or something that does as much. */
struct operation {
	const char *name;
	struct plan *(*was)(void);
	struct plan *(*want)(void);
};

static struct plan *nothing(void)
{
	return plan_new();
}

static struct plan *changed_network(void)
{
	struct plan *p = plan_new();
	struct plan_bridge *b = add_bridge(p, "virbr0", ALIAS);

	b->mtu_bytes = 1450;
	b->stp = true;
	add_sysctl(p, "net/ipv6/conf/virbr0/disable_ipv6", "0", false);
	add_sysctl(p, "net/ipv6/conf/virbr0/accept_ra", "0", false);
	add_sysctl(p, "net/ipv6/conf/all/forwarding", "1", true);
	add_nat(p, "virbr0", "192.168.122.0", 25);
	add_addr(p, "virbr0", "192.168.122.1", 25);
	add_addr(p, "virbr0", "fd00:122::1", 64);
	add_up(p, "virbr0");
	add_route(p, "virbr0", "10.9.0.0", 16, "192.168.122.8", 7);
	return p;
}

static struct plan *plugged_network(void)
{
	struct plan *p = nat_network();
	struct plan_port *port = add_port(p, "veth0", "virbr0");

	port->up = port->isolated = true;
	port->learning = false;
	port->fdb = (struct nd_mac){ { 0x52, 0x54, 0, 1, 2, 3 } };
	return p;
}

static struct plan *shaped_network(void)
{
	struct plan *p = plugged_network();

	add_shaper(p, "virbr0", 125000, 250000)->pool = 100000;
	add_shaper(p, "veth0", 50000, 50000);
	add_floor(p, "virbr0", 3, 25000);
	return p;
}

static struct plan *reshaped_network(void)
{
	struct plan *p = plugged_network();

	add_shaper(p, "virbr0", 125000, 125000)->pool = 120000;
	add_floor(p, "virbr0", 3, 5000)->mac.bytes[5] = 9;
	return p;
}

static const struct operation operations[] = {
	{ "start", nothing, nat_network },
	{ "destroy", nat_network, nothing },
	{ "change", nat_network, changed_network },
	{ "plug", nat_network, plugged_network },
	{ "unplug", plugged_network, nat_network },
	{ "destroy with a port", plugged_network, nothing },
	{ "shape", plugged_network, shaped_network },
	{ "shape otherwise", shaped_network, reshaped_network },
	{ "destroy with shapers", shaped_network, nothing },
};

/* Runs the operation in a process of its own, with the fault. Its wait status. */
static int run_with_fault(const struct plan *was, const struct plan *want, const char *fault,
			  struct nd_error *err)
{
	int fds[2], status;
	pid_t pid;

	ck_assert_int_eq(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		int r;

		open_datapath();
		/* What an operation finds is not what it is tested for. */
		ND_AUTO(plan_free) struct plan *now = read_plan(was, OWNER);

		setenv("NETD_FAULT", fault, 1);
		r = apply(now, want, OWNER, err);
		unsetenv("NETD_FAULT");
		(void)!write(fds[1], err->text, strlen(err->text) + 1);
		close_datapath();
		_exit(r < 0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	close(fds[1]);
	(void)!read(fds[0], err->text, sizeof(err->text));
	close(fds[0]);
	return status;
}

/* A namespace with the state that the operation starts from. */
static void prepare(const struct operation *op)
{
	ND_AUTO(plan_free) struct plan *was = op->was();

	fresh_namespace();
	ck_assert_int_eq(sh("ip link add veth0 type veth peer name veth1; ip link set veth0 up"), 0);
	must_apply(NULL, was, OWNER);
	close_datapath();
}

static unsigned count_effects(const struct operation *op)
{
	ND_AUTO(plan_free) struct plan *was = op->was();
	ND_AUTO(plan_free) struct plan *want = op->want();
	struct nd_error err = { 0 };
	char fault[128];
	unsigned n;

	prepare(op);
	snprintf(fault, sizeof(fault), "count:%s/effects", run_dir);
	ck_assert_int_eq(run_with_fault(was, want, fault, &err), 0);
	n = (unsigned)atoi(output("wc -l <%s/effects", run_dir));
	sh("rm -r %s", run_dir);
	return n;
}

/* After a failure everything is as before; after a success as wanted. Leaves the namespace as it
 * was before the network, or something is left over. */
static void assert_settled(const struct operation *op, unsigned n, const char *fault, bool failed,
			   const char *text)
{
	ND_AUTO(plan_free) struct plan *was = op->was();
	ND_AUTO(plan_free) struct plan *want = op->want();
	struct plan *now = failed ? was : want, *other = failed ? want : was;
	ND_AUTO(plan_free) struct plan *left = NULL;
	ND_AUTO(plan_diff_free) struct plan_diff *d = NULL, *back = NULL;
	ND_AUTO(free) char *diff = NULL;

	open_datapath();
	left = read_plan(now, OWNER);
	ck_assert_int_eq(plan_diff(left, now, &d), 0);
	diff = plan_diff_format(d);
	ck_assert_msg(!*diff, "%s, fault %s: %s\nleft a difference:\n%s", op->name, fault, text, diff);
	/* Nothing of the other side remains beside it. */
	ck_assert_int_eq(plan_diff(now, other, &back), 0);
	for (size_t i = 0; i < back->n; i++) {
		ND_AUTO(plan_free) struct plan *one = plan_new();
		ND_AUTO(plan_free) struct plan *found = NULL;
		ND_AUTO(free) char *item = NULL;

		if (back->steps[i].op != PLAN_CREATE)
			continue;
		*plan_add(one, back->steps[i].want.kind) = back->steps[i].want;
		/* Per-interface sysctls are not objects that come and go. */
		if (one->items[0].kind == PLAN_SYSCTL && !one->items[0].sysctl.shared)
			continue;
		found = read_plan(one, OWNER);
		for (size_t k = found->n; k-- > 0;)
			if (!plan_item_same(&found->items[k], &one->items[0]))
				nd_array_remove(found->items, found->n, k);
		item = plan_format(found);
		ck_assert_msg(!*item, "%s, fault %s: %s\nleft over: %s", op->name, fault, text, item);
	}
	ck_assert_str_eq(output("ls %s/intents 2>/dev/null", run_dir), "");
	close_datapath();
}

static void end(const struct operation *op, const char *fault)
{
	ND_AUTO(plan_free) struct plan *none = plan_new();
	ND_AUTO(plan_free) struct plan *all = plan_new();
	ND_AUTO(plan_free) struct plan *was = op->was();
	ND_AUTO(plan_free) struct plan *want = op->want();
	ND_AUTO(plan_free) struct plan *now = NULL;

	open_datapath();
	for (size_t i = 0; i < was->n; i++)
		*plan_add(all, was->items[i].kind) = was->items[i];
	for (size_t i = 0; i < want->n; i++)
		*plan_add(all, want->items[i].kind) = want->items[i];
	now = read_plan(all, OWNER);
	must_apply(now, none, OWNER);
	close_datapath();
	ck_assert_str_eq(output("ip -br link show type bridge; nft list ruleset; cat "
				"/proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding; "
				"find %s -type f", run_dir), "0 0");
	sh("rm -r %s", run_dir);
}

START_TEST(a_failed_effect_leaves_everything_as_it_was)
{
	static const char *const errors[] = { "EPERM", "EBUSY", "EEXIST", "ENOMEM" };
	const struct operation *op = &operations[_i];
	unsigned effects = count_effects(op);

	ck_assert_uint_gt(effects, 0);
	for (unsigned k = 0; k < effects * ND_COUNT(errors); k++) {
		unsigned n = 1 + k / ND_COUNT(errors);
		const char *error = errors[k % ND_COUNT(errors)];
		ND_AUTO(plan_free) struct plan *was = op->was();
		ND_AUTO(plan_free) struct plan *want = op->want();
		struct nd_error err = { 0 };
		char fault[32];
		int status;

		prepare(op);
		snprintf(fault, sizeof(fault), "%u:%s", n, error);
		status = run_with_fault(was, want, fault, &err);
		ck_assert_msg(WIFEXITED(status), "%s, fault %s: died", op->name, fault);
		ck_assert_msg(WEXITSTATUS(status) == 0 || err.text[0], "%s, fault %s: no sentence",
			      op->name, fault);
		assert_settled(op, n, fault, WEXITSTATUS(status) != 0, err.text);
		end(op, fault);
	}
}
END_TEST

START_TEST(a_successor_finishes_what_a_kill_interrupted)
{
	const struct operation *op = &operations[_i];
	unsigned effects = count_effects(op);

	for (unsigned n = 1; n <= effects; n++) {
		ND_AUTO(plan_free) struct plan *was = op->was();
		ND_AUTO(plan_free) struct plan *want = op->want();
		ND_AUTO(plan_free) struct plan *both = plan_copy(want);
		ND_AUTO(plan_free) struct plan *now = NULL;
		struct nd_error err = { 0 };
		char fault[32];
		int status;

		prepare(op);
		snprintf(fault, sizeof(fault), "%u:kill", n);
		status = run_with_fault(was, want, fault, &err);
		ck_assert_msg(WIFSIGNALED(status), "%s, fault %s: survived", op->name, fault);
		/* As a restarted netd does: what the old and the new definition name, to the new. */
		for (size_t i = 0; i < was->n; i++)
			*plan_add(both, was->items[i].kind) = was->items[i];
		open_datapath();
		now = read_plan(both, OWNER);
		must_apply(now, want, OWNER);
		close_datapath();
		assert_settled(op, n, fault, false, "");
		end(op, fault);
	}
}
END_TEST

/* Makes a TAP in a process of its own; its wait status. */
static int make_tap_with_fault(const char *fault)
{
	struct tap_options opt = { .name = "tap0", .alias = "netd:port", .owner_uid = 12345,
				   .queues = 2, .vnet_hdr = true, .persist = true };
	struct nd_error err = { 0 };
	char name[IFNAMSIZ];
	int fds[2], status;
	pid_t pid = fork();

	if (pid == 0) {
		open_datapath();
		setenv("NETD_FAULT", fault, 1);
		_exit(datapath_tap_create(dp, &opt, name, fds, &err) < 0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

START_TEST(a_tap_is_made_whole_or_not_at_all)
{
	static const char *const faults[] = { "EPERM", "ENOMEM", "kill" };

	for (unsigned k = 0; k < 6 * ND_COUNT(faults); k++) {
		char fault[32];
		int status;

		fresh_namespace();
		close_datapath();
		snprintf(fault, sizeof(fault), "%u:%s", 1 + k / (unsigned)ND_COUNT(faults),
			 faults[k % ND_COUNT(faults)]);
		status = make_tap_with_fault(fault);
		/* Five effects: two queues, the dress, the owner, persistence. */
		ck_assert_int_eq(WIFEXITED(status) && WEXITSTATUS(status) == 0,
				 k / ND_COUNT(faults) == 5);
		ck_assert_str_eq(output("ip -o link show type tun | grep -o 'alias .*'"),
				 k / ND_COUNT(faults) == 5 ? "alias netd:port" : "");
		sh("rm -r %s", run_dir);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("faults");
	TCase *t = tcase_create("faults");

	tcase_set_timeout(t, 300);
	tcase_add_loop_test(t, a_failed_effect_leaves_everything_as_it_was, 0,
			    (int)ND_COUNT(operations));
	tcase_add_loop_test(t, a_successor_finishes_what_a_kill_interrupted, 0,
			    (int)ND_COUNT(operations));
	tcase_add_test(t, a_tap_is_made_whole_or_not_at_all);
	suite_add_tcase(s, t);
	return suite_run(s);
}
