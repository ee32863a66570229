/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netdctl without a daemon: words, arguments, tables, marks, packet lines; and connection URIs. */
#include <check.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "netd/base/auto.h"
#include "netd/ctl/complete.h"
#include "netd/ctl/packet.h"
#include "netd/ctl/param.h"
#include "netd/ctl/plug.h"
#include "netd/ctl/table.h"
#include "netd/ctl/verb.h"
#include "netd/ctl/words.h"
#include "netd/rpc/uri.h"
#include "tests/suite.h"

/* Words */

static void expect_words(const char *line, const char *joined)
{
	struct word_list list;
	const char *why = "";
	struct nd_str s = { 0 };

	ck_assert_int_eq(words_split(line, false, &list, &why), 0);
	for (size_t i = 0; i < list.n; i++)
		nd_str_addf(&s, "[%s]", list.words[i] ? list.words[i] : ";");
	ck_assert_str_eq(s.text ? s.text : "", joined);
	nd_str_free(&s);
	words_free(&list);
}

START_TEST(words_are_parted_by_blanks_and_commands_by_semicolons)
{
	expect_words("net-list --all", "[net-list][--all]");
	expect_words("  a\tb  \n", "[a][b][;]");
	expect_words("a; b;;c\n", "[a][;][b][;][c][;]");
	expect_words("", "");
	expect_words("# only a comment", "");
	expect_words("a # b\nc#d", "[a][;][c#d]");
}
END_TEST

START_TEST(quotes_keep_blanks_and_backslashes_keep_quotes)
{
	expect_words("a 'b c' \"d e\"", "[a][b c][d e]");
	expect_words("x'y z'w ''", "[xy zw][]");
	expect_words("a\\ b \"q\\\"r\" 'n\\o'", "[a b][q\"r][n\\o]");
}
END_TEST

START_TEST(a_quote_without_an_end_is_an_error)
{
	struct word_list list;
	const char *why = "";

	ck_assert_int_lt(words_split("net-uuid \"x", false, &list, &why), 0);
	ck_assert_str_eq(why, "missing \"");
	ck_assert_int_eq(words_split("net-uuid \"x", true, &list, &why), 0);
	ck_assert(list.open_word);
	ck_assert_int_eq(list.quote, '"');
	words_free(&list);
}
END_TEST

/* Arguments */

static struct verb_args *parse_line(const char *line, struct word_list *list, char *text, size_t size)
{
	struct verb_args *args = NULL;
	const char *why;

	text[0] = '\0';
	ck_assert_int_eq(words_split(line, false, list, &why), 0);
	ck_assert_ptr_nonnull(verb_find(list->words[0]));
	(void)verb_args_parse(verb_find(list->words[0]), list->words + 1, list->n - 1, &args, text,
			      size);
	return args;
}

static void expect_refused(const char *line, const char *sentence)
{
	struct word_list list;
	char text[256];

	ck_assert_ptr_null(parse_line(line, &list, text, sizeof(text)));
	ck_assert_str_eq(text, sentence);
	words_free(&list);
}

START_TEST(wrong_arguments_are_refused_in_virshs_words)
{
	expect_refused("net-start", "command 'net-start' requires <network> option");
	expect_refused("net-start --foo", "command 'net-start' doesn't support option --foo");
	expect_refused("net-start a b", "unexpected data 'b'");
	expect_refused("net-start --network", "expected syntax: --network <string>");
	expect_refused("net-start --network a --network b", "option --network already seen");
	expect_refused("net-start --network=",
		       "Failed to get option 'network': Option argument is empty");
	expect_refused("net-list --all=yes", "invalid '=' after option --all");
	expect_refused("net-list --al", "command 'net-list' doesn't support option --al");
	expect_refused("net-event --timeout", "expected syntax: --timeout <number>");
	expect_refused("net-event --timeout 1x",
		       "Numeric value '1x' for <timeout> option is malformed or out of range");
}
END_TEST

START_TEST(options_may_stand_anywhere)
{
	struct word_list list;
	int64_t index;
	char text[256];
	struct verb_args *args = parse_line(
		"net-update --config default --parent-index=-1 add --xml '<x/>' ip-dhcp-host",
		&list, text, sizeof(text));

	ck_assert_str_eq(text, "");
	ck_assert_str_eq(arg_string(args, "network"), "default");
	ck_assert_str_eq(arg_string(args, "command"), "add");
	ck_assert_str_eq(arg_string(args, "section"), "ip-dhcp-host");
	ck_assert_str_eq(arg_string(args, "xml"), "<x/>");
	ck_assert(arg_flag(args, "config"));
	ck_assert(!arg_flag(args, "live"));
	ck_assert(arg_number(args, "parent-index", &index));
	ck_assert_int_eq(index, -1);
	verb_args_free(args);
	words_free(&list);
}
END_TEST

START_TEST(an_option_that_may_come_again_keeps_its_values_in_order)
{
	struct word_list list;
	int64_t memory;
	char text[256];
	struct verb_args *args = parse_line(
		"run --kernel k --network a --disk d --network b -m 64 --network=c", &list, text,
		sizeof(text));

	ck_assert_str_eq(text, "");
	ck_assert_str_eq(arg_nth(args, "network", 0), "a");
	ck_assert_str_eq(arg_nth(args, "network", 1), "b");
	ck_assert_str_eq(arg_nth(args, "network", 2), "c");
	ck_assert_ptr_null(arg_nth(args, "network", 3));
	ck_assert_str_eq(arg_nth(args, "disk", 0), "d");
	ck_assert_ptr_null(arg_nth(args, "disk", 1));
	ck_assert(arg_number(args, "memory", &memory));
	ck_assert_int_eq(memory, 64);
	verb_args_free(args);
	words_free(&list);
	expect_refused("run --kernel k --name a --name b", "option --name already seen");
}
END_TEST

START_TEST(two_dashes_end_the_options)
{
	struct word_list list;
	char text[256];
	struct verb_args *args = parse_line("net-start -- --name", &list, text, sizeof(text));

	ck_assert_ptr_nonnull(args);
	ck_assert_str_eq(arg_string(args, "network"), "--name");
	verb_args_free(args);
	words_free(&list);
}
END_TEST

START_TEST(a_command_takes_everything_behind_exec)
{
	struct word_list list;
	char *const *words;
	char text[256];
	size_t n;
	struct verb_args *args = parse_line("net-plug default --mac 52:54:00:00:00:01 "
					    "--exec -- qemu --network x -- y",
					    &list, text, sizeof(text));

	ck_assert_ptr_nonnull(args);
	words = arg_words(args, &n);
	ck_assert_uint_eq(n, 5);
	ck_assert_str_eq(words[0], "qemu");
	ck_assert_str_eq(words[3], "--");
	ck_assert_str_eq(arg_string(args, "network"), "default");
	verb_args_free(args);
	words_free(&list);
	expect_refused("net-plug default --exec --", "option --exec needs a command behind it");
}
END_TEST

START_TEST(words_of_a_text_may_have_options_between_them)
{
	struct word_list list;
	char *const *words;
	char text[256];
	size_t n;
	struct verb_args *args = parse_line("net-desc default new --title text", &list, text,
					    sizeof(text));

	ck_assert_ptr_nonnull(args);
	words = arg_words(args, &n);
	ck_assert_uint_eq(n, 2);
	ck_assert_str_eq(words[1], "text");
	ck_assert(arg_flag(args, "title"));
	verb_args_free(args);
	words_free(&list);
}
END_TEST

START_TEST(every_verb_has_a_unique_name_and_one_list_of_words_at_most)
{
	for (size_t g = 0; verb_groups[g]; g++) {
		/* "help WORD" looks for a verb first */
		ck_assert_ptr_null(verb_find(verb_groups[g]->keyword));
		ck_assert_ptr_eq(verb_group_find(verb_groups[g]->keyword), verb_groups[g]);
		for (size_t i = 0; i < verb_groups[g]->n_verbs; i++) {
			const struct verb *v = &verb_groups[g]->verbs[i];
			unsigned lists = 0;

			ck_assert_ptr_eq(verb_find(v->name), v);
			ck_assert_ptr_nonnull(v->summary);
			for (size_t r = 0; r < v->n_rows; r++)
				lists += v->rows[r].kind == ARG_WORDS ||
					 v->rows[r].kind == ARG_COMMAND;
			ck_assert_uint_le(lists, 1);
			ck_assert_uint_le(v->n_rows, 24);
		}
	}
}
END_TEST

/* Completion without a daemon */

static void expect_completions(const char *before, const char *start, const char *joined)
{
	struct ctl ctl = { .uri = (char *)"/nonexistent" };
	struct completions found;
	struct word_list list;
	struct nd_str s = { 0 };
	const char *why;

	ck_assert_int_eq(words_split(before, true, &list, &why), 0);
	complete_words(&ctl, list.words, list.n, start, &found);
	for (size_t i = 0; i < found.n; i++)
		nd_str_addf(&s, "[%s]", found.words[i]);
	ck_assert_str_eq(s.text ? s.text : "", joined);
	nd_str_free(&s);
	completions_free(&found);
	words_free(&list);
}

START_TEST(completion_knows_verbs_options_and_fixed_words)
{
	expect_completions("", "net-po", "[net-port-create][net-port-delete][net-port-dumpxml]"
			   "[net-port-list]");
	expect_completions("net-port-list", "--u", "[--uuid]");
	expect_completions("net-list --all", "--a", "[--autostart]");
	expect_completions("net-update x", "add", "[add][add-first][add-last]");
	expect_completions("net-update x --config add", "ip-", "[ip-dhcp-host][ip-dhcp-range]");
	expect_completions("net-event --event", "l", "[lifecycle]");
	expect_completions("net-start", "d", "");
	expect_completions("nonsense", "", "");
}
END_TEST

/* Tables */

START_TEST(a_table_looks_like_virshs)
{
	static const char *const headers[] = { "Name", "State", "Autostart", "Persistent" };
	static const char *const row[] = { "default", "active", "no", "yes" };
	ND_AUTO(table_free) struct table *t = table_new(headers, 4);
	ND_AUTO(free) char *with = NULL, *without = NULL;

	table_add(t, row);
	with = table_format(t, true);
	without = table_format(t, false);
	ck_assert_str_eq(with,
			 " Name      State    Autostart   Persistent\n"
			 "--------------------------------------------\n"
			 " default   active   no          yes\n");
	ck_assert_str_eq(without, " default   active   no   yes\n");
}
END_TEST

START_TEST(a_table_without_rows_has_a_header)
{
	static const char *const headers[] = { "UUID" };
	ND_AUTO(table_free) struct table *t = table_new(headers, 1);
	ND_AUTO(free) char *with = table_format(t, true), *without = table_format(t, false);

	ck_assert_str_eq(with, " UUID\n-------\n");
	ck_assert_str_eq(without, "");
}
END_TEST

START_TEST(a_cell_cannot_drive_the_terminal)
{
	static const char *const headers[] = { "H", "I" };
	static const char *const row[] = { "a\033[2Jb", NULL };
	ND_AUTO(table_free) struct table *t = table_new(headers, 2);
	ND_AUTO(free) char *text = NULL;

	table_add(t, row);
	text = table_format(t, false);
	ck_assert_str_eq(text, " a\\x1b[2Jb   -\n");
}
END_TEST

START_TEST(wide_characters_count_their_columns)
{
	static const char *const headers[] = { "H", "I" };
	static const char *const row[] = { "\xe7\xbd\x91", "x" };	/* two columns wide */
	ND_AUTO(table_free) struct table *t = NULL;
	ND_AUTO(free) char *text = NULL;

	if (!setlocale(LC_ALL, "C.UTF-8"))
		return;
	t = table_new(headers, 2);
	table_add(t, row);
	text = table_format(t, true);
	ck_assert_str_eq(text, " H    I\n---------\n \xe7\xbd\x91   x\n");
}
END_TEST

/* Marks of net-plug */

static void expect_expanded(const char *word, const char *result)
{
	static const int tap[] = { 5, 6 }, vhost[] = { 7, 8 };
	struct plug_marks marks = {
		.tap_fds = tap, .n_tap_fds = 2, .vhost_fds = vhost, .n_vhost_fds = 2,
		.ifname = "vnet0", .mac = "52:54:00:00:00:01", .uuid = "u",
	};
	ND_AUTO(free) char *text = plug_expand(word, &marks);

	ck_assert_str_eq(text, result);
}

START_TEST(a_parameter_of_every_type_is_printed)
{
	static const struct {
		lv_param p;
		const char *text, *json;
	} cases[] = {
		{ { .value = { LV_PARAM_INT, { .i = -5 } } }, "-5", "-5" },
		{ { .value = { LV_PARAM_UINT, { .ui = 4294967295u } } }, "4294967295", "4294967295" },
		{ { .value = { LV_PARAM_LLONG, { .l = -5000000000 } } }, "-5000000000", "-5000000000" },
		{ { .value = { LV_PARAM_ULLONG, { .ul = 5000000000 } } }, "5000000000", "5000000000" },
		{ { .value = { LV_PARAM_DOUBLE, { .d = 0.5 } } }, "0.500000", "0.5" },
		{ { .value = { LV_PARAM_BOOLEAN, { .b = 1 } } }, "yes", "true" },
		{ { .value = { LV_PARAM_STRING, { .s = (char *)"vnet0" } } }, "vnet0", "\"vnet0\"" },
	};

	for (size_t i = 0; i < ND_COUNT(cases); i++) {
		ND_AUTO(free) char *text = param_text(&cases[i].p), *json = NULL;
		json_t *value = param_json(&cases[i].p);

		json = json_dumps(value, JSON_ENCODE_ANY);
		json_decref(value);
		ck_assert_str_eq(text, cases[i].text);
		ck_assert_str_eq(json, cases[i].json);
	}
}
END_TEST

START_TEST(marks_in_a_command_are_replaced)
{
	expect_expanded("tap,fd=%fd,id=n", "tap,fd=5,id=n");
	expect_expanded("fds=%fds,vhostfds=%vhostfds", "fds=5:6,vhostfds=7:8");
	expect_expanded("%vhostfd %ifname %mac %uuid", "7 vnet0 52:54:00:00:00:01 u");
	expect_expanded("100%% %x %", "100% %x %");
	expect_expanded("", "");
}
END_TEST

/* Packets */

START_TEST(a_packet_is_named_in_one_line)
{
	static const uint8_t arp[] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x52, 0x54, 0, 0, 0, 1, 0x08, 0x06,
		0, 1, 8, 0, 6, 4, 0, 1, 0x52, 0x54, 0, 0, 0, 1, 192, 168, 122, 2,
		0, 0, 0, 0, 0, 0, 192, 168, 122, 1,
	};
	static const uint8_t syn[] = {
		0x52, 0x54, 0, 0, 0, 2, 0x52, 0x54, 0, 0, 0, 1, 0x08, 0x00,
		0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
		0x9c, 0x40, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0x02, 0, 0, 0, 0, 0, 0,
	};
	char text[256];

	packet_summary(arp, sizeof(arp), text, sizeof(text));
	ck_assert_str_eq(text, "52:54:00:00:00:01 > ff:ff:ff:ff:ff:ff ARP who has 192.168.122.1, "
			 "from 192.168.122.2");
	packet_summary(syn, sizeof(syn), text, sizeof(text));
	ck_assert_str_eq(text, "52:54:00:00:00:01 > 52:54:00:00:00:02 10.0.0.1.40000 > "
			 "10.0.0.2.80: TCP S");
	for (size_t len = 0; len < sizeof(syn); len++)
		packet_summary(syn, len, text, sizeof(text));
}
END_TEST

/* URIs */

static bool only_legacy(const char *path)
{
	return nd_streq(path, "/var/run/libvirt/libvirt-sock") ||
	       nd_streq(path, "/var/run/libvirt/libvirt-sock-ro");
}

static void expect_uri(const char *text, bool read_only, const char *name, const char *path)
{
	struct nd_error err = { 0 };
	ND_AUTO(rpc_uri_fini) struct rpc_uri uri = { 0 };
	ND_AUTO(free) char *is = NULL;

	ck_assert_msg(rpc_uri_parse(text, &uri, &err) == 0, "%s", err.text);
	ck_assert_str_eq(uri.name, name);
	is = rpc_uri_socket(&uri, read_only, only_legacy);
	ck_assert_str_eq(is, path);
}

START_TEST(a_uri_gives_the_socket_and_the_name_that_libvirts_client_would_take)
{
	expect_uri("netd:///system", false, "network:///system", "/run/netd/netd-sock");
	expect_uri("netd:///system", true, "network:///system", "/run/netd/netd-sock-ro");
	expect_uri("/x/sock", true, "network:///system", "/x/sock");
	expect_uri("network:///system?socket=/a%20b", false, "network:///system", "/a b");
	expect_uri("network+unix:///system?mode=direct&socket=/s", false, "network:///system", "/s");
	expect_uri("network:///system?socket=/s&foo=bar", false, "network:///system?foo=bar", "/s");
	expect_uri("network:///system?socket=/s&name=qemu:///system", false, "qemu:///system", "/s");
	expect_uri("remote+unix:///?socket=/s", false, "", "/s");
	expect_uri("qemu:///system", false, "qemu:///system", "/var/run/libvirt/libvirt-sock");
	expect_uri("qemu:///system", true, "qemu:///system", "/var/run/libvirt/libvirt-sock-ro");
	expect_uri("network:///system?mode=direct", false, "network:///system",
		   "/var/run/libvirt/virtnetworkd-sock");
}
END_TEST

static void expect_uri_refused(const char *text)
{
	struct nd_error err = { 0 };
	struct rpc_uri uri = { 0 };

	ck_assert_int_lt(rpc_uri_parse(text, &uri, &err), 0);
	ck_assert_str_ne(err.text, "");
}

START_TEST(a_uri_that_cannot_be_reached_is_refused)
{
	expect_uri_refused("nothing");
	expect_uri_refused("://x");
	expect_uri_refused("network+tls://host/system");
	expect_uri_refused("network://host/system");
	expect_uri_refused("netd+ssh:///system");
	expect_uri_refused("netd+ssh://-oProxyCommand=x/system");
	expect_uri_refused("netd+ssh://-x@host/system");
	expect_uri_refused("netd+ssh://[::1/system");
	expect_uri_refused("network:///system?mode=maybe");
}
END_TEST

START_TEST(a_remote_uri_has_user_host_and_port)
{
	ND_AUTO(rpc_uri_fini) struct rpc_uri uri = { 0 };
	struct nd_error err = { 0 };

	ck_assert_int_eq(rpc_uri_parse("netd+ssh://root@[fe80::1]:2222/system?keyfile=/k", &uri,
				       &err), 0);
	ck_assert_int_eq(uri.transport, RPC_TRANSPORT_SSH);
	ck_assert_str_eq(uri.user, "root");
	ck_assert_str_eq(uri.host, "fe80::1");
	ck_assert_str_eq(uri.port, "2222");
	ck_assert_str_eq(uri.keyfile, "/k");
	ck_assert_str_eq(uri.name, "network:///system");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		words_are_parted_by_blanks_and_commands_by_semicolons,
		quotes_keep_blanks_and_backslashes_keep_quotes,
		a_quote_without_an_end_is_an_error,
		wrong_arguments_are_refused_in_virshs_words,
		options_may_stand_anywhere,
		an_option_that_may_come_again_keeps_its_values_in_order,
		two_dashes_end_the_options,
		a_command_takes_everything_behind_exec,
		words_of_a_text_may_have_options_between_them,
		every_verb_has_a_unique_name_and_one_list_of_words_at_most,
		completion_knows_verbs_options_and_fixed_words,
		a_table_looks_like_virshs,
		a_table_without_rows_has_a_header,
		a_cell_cannot_drive_the_terminal,
		wide_characters_count_their_columns,
		a_parameter_of_every_type_is_printed,
		marks_in_a_command_are_replaced,
		a_packet_is_named_in_one_line,
		a_uri_gives_the_socket_and_the_name_that_libvirts_client_would_take,
		a_uri_that_cannot_be_reached_is_refused,
		a_remote_uri_has_user_host_and_port,
	};
	Suite *suite = suite_create("ctl");
	TCase *tc = tcase_create("ctl");

	for (size_t i = 0; i < ND_COUNT(tests); i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(suite, tc);

	return suite_run(suite);
}
