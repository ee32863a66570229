/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>

#include "netd/base/str.h"
#include "netd/daemon/bridge_policy.h"
#include "netd/daemon/config.h"
#include "netd/daemon/file.h"
#include "netd/daemon/host_dns.h"
#include "netd/daemon/network.h"
#include "netd/daemon/operation.h"
#include "netd/daemon/store.h"
#include "tests/suite.h"

static struct netd_config config;
static struct nd_error err;
static char root[64];
static struct paths paths;

static int parse(const char *text)
{
	netd_config_fini(&config);
	err = (struct nd_error){ 0 };
	ck_assert_int_eq(netd_config_init(&config, NULL, &err), 0);
	return netd_config_parse(&config, text, "netd.conf", &err);
}

START_TEST(every_kind_of_key_is_read)
{
	ck_assert_int_eq(parse("# comment\n\n group = wheel # why\nrepair=no\nmax_clients = 7\n"
			       "log_level = debug\nsocket = \"/a b\"\n"), 0);
	ck_assert_str_eq(config.group, "wheel");
	ck_assert(!config.repair);
	ck_assert_uint_eq(config.max_clients, 7);
	ck_assert_int_eq(config.log_level, LOG_DEBUG);
	ck_assert_str_eq(config.socket, "/a b");
}
END_TEST

START_TEST(an_unknown_key_is_refused_with_its_line)
{
	ck_assert_int_lt(parse("repair = yes\nrepiar = no\n"), 0);
	ck_assert_str_eq(err.text, "netd.conf:2: unknown key 'repiar'");
}
END_TEST

START_TEST(a_takeover_is_asked_for_refused_or_left_to_the_place)
{
	ck_assert_int_eq(parse(""), 0);
	ck_assert_int_eq(config.libvirt_takeover, TAKEOVER_IN_PLACE);
	ck_assert_int_eq(parse("libvirt_takeover = no\n"), 0);
	ck_assert_int_eq(config.libvirt_takeover, TAKEOVER_NO);
	ck_assert_int_eq(parse("libvirt_takeover = yes\n"), 0);
	ck_assert_int_eq(config.libvirt_takeover, TAKEOVER_YES);
}
END_TEST

static bool in_group_seven(void *arg, gid_t group)
{
	return group == 7;
}

START_TEST(the_bridge_policy_allows_what_is_said_and_not_denied)
{
	static const struct {
		const char *text;
		bool allowed;
	} cases[] = {
		{ "", false },
		{ "# allow all\n", false },
		{ "allow all", true },
		{ "\tallow   lab\r\n", true },
		{ "allow virbr1\n", true },
		{ "allow lab2\nallow virbr\n", false },
		{ "allow all\ndeny lab\n", false },
		{ "deny virbr1\nallow all\n", false },
		{ "allow lab user 1000\n", true },
		{ "allow lab user 1001\n", false },
		{ "allow lab user no-such-user\n", false },
		{ "allow lab group 7\n", true },
		{ "allow lab group 8\n", false },
		{ "allow all\ndeny all group 8\n", true },
		{ "allow all\ndeny all group 7\n", false },
		/* lines that cannot be read allow nothing */
		{ "allow all\nallow\n", false },
		{ "allow all\nallow lab user\n", false },
		{ "allow all\nallow lab person 1000\n", false },
		{ "allow all\nallow lab user 1000 now\n", false },
		{ "allow all\ninclude /etc/other\n", false },
	};
	const struct bridge_asker who = {
		.uid = 1000, .in_group = in_group_seven, .network = "lab", .bridge = "virbr1",
	};

	for (size_t i = 0; i < ND_COUNT(cases); i++) {
		err = (struct nd_error){ 0 };
		ck_assert_msg((bridge_policy_judge(cases[i].text, "bridge.conf", &who, &err) == 0) ==
			      cases[i].allowed, "'%s': %s", cases[i].text, err.text);
		ck_assert(cases[i].allowed || err.kind == ND_ERR_ACCESS_DENIED);
	}
	ck_assert_str_eq(err.text, "bridge.conf:2: 'include' is neither allow nor deny");
}
END_TEST

START_TEST(bad_values_are_refused)
{
	static const char *const bad[] = {
		"repair = perhaps", "max_clients = 0", "max_clients = 1x", "max_clients = -1",
		"log_level = loud", "serve_uid_base = 0", "repair", "= yes", "libvirt_takeover = later",
	};

	for (size_t i = 0; i < ND_COUNT(bad); i++)
		ck_assert_msg(parse(bad[i]) < 0, "'%s' was taken", bad[i]);
}
END_TEST

START_TEST(loopback_resolvers_are_told_from_real_ones)
{
	struct dns_upstream list[HOST_DNS_MAX];
	size_t n = 0;

	ck_assert_uint_eq(resolv_conf_parse("# x\nsearch a\nnameserver 127.0.0.53\n", list, &n), 0);
	ck_assert_uint_eq(n, 1);
	n = 0;
	ck_assert_uint_eq(resolv_conf_parse("nameserver 192.0.2.1\nnameserver\t2001:db8::1 # c\n"
					    "nameserver fe80::1%eth0\nnameserver nonsense\n"
					    "nameservers 192.0.2.9\nnameserver 127.0.0.1", list, &n), 2);
	ck_assert_uint_eq(n, 3);
	ck_assert_int_eq(list[1].addr.family, AF_INET6);
}
END_TEST

START_TEST(hosts_are_read_without_loopback_and_empty_lines)
{
	struct host_names *names = calloc(1, sizeof(*names));

	names->refs = 1;
	ck_assert_int_eq(hosts_parse("127.0.0.1 localhost\n::1 ip6-localhost\n#192.0.2.9 no\n"
				     "192.0.2.1\tone  one.example # first\n192.0.2.2\n192.0.2.3 \n"
				     "  2001:db8::4 four\nnonsense x\n", names), 0);
	ck_assert_uint_eq(names->n_records, 2);
	ck_assert_uint_eq(names->records[0].n_names, 2);
	ck_assert_str_eq(names->records[0].names[1], "one.example");
	ck_assert_str_eq(names->records[1].names[0], "four");
	host_names_unref(names);
}
END_TEST

/* ---- files ---- */

static void make_root(void)
{
	strcpy(root, "/tmp/netd-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
	ck_assert_int_eq(paths_init(&paths, root, NULL, NULL, NULL), 0);
	ck_assert_int_eq(paths_make(&paths, &err), 0);
}

static void remove_root(void)
{
	char command[96];

	paths_fini(&paths);
	snprintf(command, sizeof(command), "rm -rf %s", root);
	ck_assert_int_eq(system(command), 0);
}

START_TEST(a_file_is_replaced_whole_and_leaves_nothing_else)
{
	int dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char *text;

	ck_assert_int_eq(file_replace(dir, "a", "one", 0600, true), 0);
	ck_assert_int_eq(file_replace(dir, "a", "two", 0600, true), 0);
	ck_assert_int_eq(file_read(dir, "a", 100, &text, NULL), 0);
	ck_assert_str_eq(text, "two");
	free(text);
	ck_assert_int_eq(file_read(dir, "a", 2, &text, NULL), -EFBIG);
	ck_assert_int_lt(faccessat(dir, ".new", F_OK, 0), 0);
	ck_assert_int_eq(file_remove(dir, "a", true), 0);
	ck_assert_int_eq(file_remove(dir, "a", true), 0);
	close(dir);
}
END_TEST

struct loaded {
	struct net_def *def, *live;
	bool autostart;
	int n;
};

static void on_def(void *arg, struct net_def *def, bool autostart)
{
	struct loaded *l = arg;

	net_def_free(l->def);
	l->def = def;
	l->autostart = autostart;
	l->n++;
}

static void on_live(void *arg, struct net_def *def)
{
	struct loaded *l = arg;

	net_def_free(l->live);
	l->live = def;
}

static struct loaded load(struct store *s)
{
	struct loaded l = { 0 };
	struct store_loader loader = { &l, on_def, on_live };

	store_load(s, &loader);
	return l;
}

static struct net_def *make_def(const char *name)
{
	ND_AUTO(nd_str_free) struct nd_str xml = { 0 };
	struct net_def *def = NULL;

	nd_str_add(&xml, "<network><name>");
	nd_str_add_xml(&xml, name);
	nd_str_add(&xml, "</name><uuid>6c5a1b3e-0000-4000-8000-000000000001</uuid><metadata>"
			 "<x:network xmlns:x='u'>a\n   b</x:network></metadata><bridge name='virbr7'/>"
			 "<mac address='52:54:00:00:00:01'/></network>");
	ck_assert_msg(net_def_parse(xml.text, xml.len, &def, &err) == 0, "%s", err.text);
	return def;
}

START_TEST(definitions_and_live_state_come_back_as_they_were_written)
{
	static const char *const names[] = { "default", "..", "a b'\"&<>", "x.xml", "--", "autostart" };
	struct store *s;

	ck_assert_int_eq(store_new(&paths, &s, &err), 0);
	for (size_t i = 0; i < ND_COUNT(names); i++) {
		struct net_def *def = make_def(names[i]);
		struct loaded l;

		ck_assert_msg(store_write_definition(s, def, &err) == 0, "%s", err.text);
		ck_assert_int_eq(store_set_autostart(s, names[i], true, &err), 0);
		ck_assert_int_eq(store_set_autostart(s, names[i], true, &err), 0);
		ck_assert_int_eq(store_write_live(s, def, &err), 0);
		l = load(s);
		ck_assert_ptr_nonnull(l.def);
		ck_assert_ptr_nonnull(l.live);
		ck_assert(net_def_equal(l.def, def));
		ck_assert(net_def_equal(l.live, def));
		ck_assert(l.autostart);
		net_def_free(l.def);
		net_def_free(l.live);
		ck_assert_int_eq(store_set_autostart(s, names[i], false, &err), 0);
		ck_assert_int_eq(store_remove_definition(s, names[i], &err), 0);
		ck_assert_int_eq(store_remove_live(s, names[i], &err), 0);
		l = load(s);
		ck_assert(!l.def && !l.live);
		net_def_free(def);
	}
	store_free(s);
}
END_TEST

START_TEST(broken_files_are_passed_over)
{
	struct net_def *def = make_def("good");
	struct store *s;
	struct loaded l;
	int dir = open(paths.networks, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	ck_assert_int_eq(store_new(&paths, &s, &err), 0);
	ck_assert_int_eq(store_write_definition(s, def, &err), 0);
	ck_assert_int_eq(file_replace(dir, "bad.xml", "<network>", 0600, false), 0);
	ck_assert_int_eq(file_replace(dir, "other.xml", "<network><name>good</name></network>", 0600,
				      false), 0);
	ck_assert_int_eq(mkdirat(dir, "dir.xml", 0700), 0);
	l = load(s);
	ck_assert_int_eq(l.n, 1);
	ck_assert_str_eq(l.def->name, "good");
	net_def_free(l.def);
	net_def_free(def);
	store_free(s);
	close(dir);
}
END_TEST

static int n_ports;
static struct port_state last_state;

static void on_port(void *arg, struct port_def *def, const struct port_state *state)
{
	n_ports++;
	last_state = *state;
	port_def_free(def);
}

START_TEST(ports_come_back_with_their_tap)
{
	static const char xml[] = "<networkport><uuid>6c5a1b3e-0000-4000-8000-00000000000a</uuid><owner>"
		"<name>vm</name><uuid>6c5a1b3e-0000-4000-8000-00000000000b</uuid></owner>"
		"<mac address='52:54:00:00:00:02'/><plug type='network' bridge='virbr7'/></networkport>";
	struct port_state state = { .ifname = "vnet3", .plugged = true };
	struct nd_uuid net = { { 1 } };
	struct port_def *port;
	struct store *s;

	ck_assert_int_eq(store_new(&paths, &s, &err), 0);
	ck_assert_msg(port_def_parse(xml, strlen(xml), &port, &err) == 0, "%s", err.text);
	n_ports = 0;
	store_load_ports(s, &net, on_port, NULL);
	ck_assert_int_eq(n_ports, 0);
	ck_assert_int_eq(store_write_port(s, &net, port, &state, &err), 0);
	store_load_ports(s, &net, on_port, NULL);
	ck_assert_int_eq(n_ports, 1);
	ck_assert_str_eq(last_state.ifname, "vnet3");
	ck_assert(last_state.plugged);
	state = (struct port_state){ 0 };
	ck_assert_int_eq(store_write_port(s, &net, port, &state, &err), 0);
	store_load_ports(s, &net, on_port, NULL);
	ck_assert_int_eq(n_ports, 2);
	ck_assert_str_eq(last_state.ifname, "");
	ck_assert_int_eq(store_remove_ports(s, &net, &err), 0);
	ck_assert_int_eq(store_remove_ports(s, &net, &err), 0);
	port_def_free(port);
	store_free(s);
}
END_TEST

START_TEST(a_boot_is_first_once)
{
	struct store *s;

	ck_assert_int_eq(store_new(&paths, &s, &err), 0);
	ck_assert(!store_has_autostarted(s));
	store_note_autostarted(s);
	ck_assert(store_has_autostarted(s));
	store_free(s);
}
END_TEST

/* ---- operations: each step writes a letter, capital when it is undone ---- */

static char tape[64];
static sd_event *event;
static struct worker *worker;
static struct op_queue *queue;
static struct network net = { .name = (char *)"net" };
static int fail_at, running, follow_ups;
static struct operation *waiting;

static void note(char c)
{
	size_t n = strlen(tape);

	ck_assert_uint_lt(n + 1, sizeof(tape));
	tape[n] = c;
	tape[n + 1] = '\0';
}

static int step(struct operation *op, int number, struct nd_error *e)
{
	if (number == fail_at)
		return nd_error_set(e, ND_ERR_INTERNAL, "step %d", number);
	note((char)('a' + number));
	return 0;
}

static int run0(struct operation *op, struct nd_error *e) { return step(op, 0, e); }
static int run1(struct operation *op, struct nd_error *e) { return step(op, 1, e); }
static int run2(struct operation *op, struct nd_error *e) { return step(op, 2, e); }
static int run4(struct operation *op, struct nd_error *e) { return step(op, 4, e); }
static int undo0(struct operation *op) { note('A'); return OP_DONE; }
static int undo1(struct operation *op) { note('B'); return OP_DONE; }
static int undo2(struct operation *op) { note('C'); return OP_DONE; }

/* Resumed at once, inside the step. */
static int run3(struct operation *op, struct nd_error *e)
{
	struct nd_error mine = { 0 };
	int r = step(op, 3, &mine);

	operation_resume(op, r, &mine);
	return OP_WAIT;
}

static int resume_later(sd_event_source *source, void *arg)
{
	operation_resume(waiting, 0, NULL);
	return 0;
}

/* Resumed from the loop. */
static int undo3(struct operation *op)
{
	note('D');
	waiting = op;
	ck_assert_int_ge(sd_event_add_defer(event, NULL, resume_later, NULL), 0);
	return OP_WAIT;
}

static const struct op_step steps[] = {
	{ "0", false, run0, undo0 }, { "1", true, run1, undo1 }, { "2", true, run2, undo2 },
	{ "3", false, run3, undo3 }, { "4", true, run4, NULL },
};

static void begin(void);

static void ended(struct operation *op)
{
	note(op->result < 0 ? '!' : '.');
	free(op);
	if (follow_ups-- > 0)
		begin();
	if (!--running)
		sd_event_exit(event, 0);
}

static void begin(void)
{
	struct operation *op = calloc(1, sizeof(*op));

	op->net = &net;
	op->steps = steps;
	op->n_steps = ND_COUNT(steps);
	op->end = ended;
	running++;
	operation_start(queue, op);
}

static const char *tape_of(int at, int count)
{
	tape[0] = '\0';
	fail_at = at;
	ck_assert_int_ge(sd_event_new(&event), 0);
	ck_assert_int_eq(worker_new(event, &worker, &err), 0);
	ck_assert_int_eq(op_queue_new(event, worker, &queue, &err), 0);
	for (int i = 0; i < count; i++)
		begin();
	ck_assert_str_eq(tape, "");	/* nothing ends before it was asked for */
	ck_assert_int_ge(sd_event_loop(event), 0);
	ck_assert_uint_eq(op_queue_count(queue), 0);
	ck_assert_ptr_null(net.queue);
	worker_free(worker);
	op_queue_free(queue);
	sd_event_unref(event);
	return tape;
}

START_TEST(an_operation_that_fails_takes_back_what_it_did_newest_first)
{
	ck_assert_str_eq(tape_of(-1, 1), "abcde.");
	ck_assert_str_eq(tape_of(0, 1), "!");
	ck_assert_str_eq(tape_of(1, 1), "aA!");
	ck_assert_str_eq(tape_of(2, 1), "abBA!");
	ck_assert_str_eq(tape_of(3, 1), "abcCBA!");
	ck_assert_str_eq(tape_of(4, 1), "abcdDCBA!");
}
END_TEST

START_TEST(operations_on_one_network_follow_one_another)
{
	ck_assert_str_eq(tape_of(-1, 3), "abcde.abcde.abcde.");
	ck_assert_str_eq(tape_of(4, 2), "abcdDCBA!abcdDCBA!");
}
END_TEST

START_TEST(an_operation_that_another_starts_at_its_end_runs_once)
{
	follow_ups = 2;
	ck_assert_str_eq(tape_of(-1, 1), "abcde.abcde.abcde.");
	follow_ups = 1;
	ck_assert_str_eq(tape_of(-1, 2), "abcde.abcde.abcde.");
	follow_ups = 0;
}
END_TEST

START_TEST(the_registry_finds_networks_and_their_bridges)
{
	struct registry r;
	struct nd_uuid one = { { 1 } }, two = { { 2 } };
	struct network *a, *b;
	const char **names;
	size_t n;

	ck_assert_int_eq(registry_init(&r, &err), 0);
	a = registry_add(&r, "a", &one);
	b = registry_add(&r, "b", &two);
	ck_assert_ptr_eq(registry_by_name(&r, "b"), b);
	ck_assert_ptr_eq(registry_by_uuid(&r, &one), a);
	ck_assert(!network_visible(a));
	strcpy(a->reserved_bridge, "virbr0");
	b->def = make_def("b");
	ck_assert_ptr_eq(registry_by_bridge(&r, "virbr0", NULL), a);
	ck_assert_ptr_null(registry_by_bridge(&r, "virbr0", a));
	ck_assert_ptr_eq(registry_by_bridge(&r, "virbr7", a), b);
	names = registry_bridges(&r, NULL, &n);
	ck_assert_uint_eq(n, 2);
	free(names);
	registry_remove(&r, a);
	ck_assert_ptr_null(registry_by_name(&r, "a"));
	registry_fini(&r);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("daemon");
	TCase *t = tcase_create("config"), *f = tcase_create("files"), *o = tcase_create("operations");

	tcase_add_test(t, every_kind_of_key_is_read);
	tcase_add_test(t, an_unknown_key_is_refused_with_its_line);
	tcase_add_test(t, bad_values_are_refused);
	tcase_add_test(t, a_takeover_is_asked_for_refused_or_left_to_the_place);
	tcase_add_test(t, the_bridge_policy_allows_what_is_said_and_not_denied);
	tcase_add_test(t, loopback_resolvers_are_told_from_real_ones);
	tcase_add_test(t, hosts_are_read_without_loopback_and_empty_lines);
	tcase_add_checked_fixture(f, make_root, remove_root);
	tcase_add_test(f, a_file_is_replaced_whole_and_leaves_nothing_else);
	tcase_add_test(f, definitions_and_live_state_come_back_as_they_were_written);
	tcase_add_test(f, broken_files_are_passed_over);
	tcase_add_test(f, ports_come_back_with_their_tap);
	tcase_add_test(f, a_boot_is_first_once);
	tcase_add_test(o, an_operation_that_fails_takes_back_what_it_did_newest_first);
	tcase_add_test(o, operations_on_one_network_follow_one_another);
	tcase_add_test(o, an_operation_that_another_starts_at_its_end_runs_once);
	tcase_add_test(o, the_registry_finds_networks_and_their_bridges);
	suite_add_tcase(s, t);
	suite_add_tcase(s, f);
	suite_add_tcase(s, o);
	netd_config_fini(&config);
	return suite_run(s);
}
