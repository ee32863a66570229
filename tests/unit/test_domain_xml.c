/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs tests/xml/domain (NETD_XML_TESTS/domain; the schemas are in NETD_SCHEMAS):
 *
 *	pass-NAME.xml	is a valid definition; it prints as pass-NAME.out and, with what define
 *			gives it, as pass-NAME.full
 *	refused.txt	contents of a domain, and the error of each on the next line
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netd/base/auto.h"
#include "netd/base/str.h"
#include "netd/model/domain.h"
#include "tests/suite.h"
#include "tests/unit/xml_files.h"

#define HEAD "<domain type='kvm'><name>g</name><memory>65536</memory>"
#define OS "<os><type>hvm</type><kernel>/k</kernel></os>"
#define UUID "<uuid>6f3c8d7e-0a1b-4c2d-8e3f-405162738495</uuid>"

static struct dom_def *parse_ok(const char *what, const char *xml)
{
	struct nd_error err = { 0 };
	struct dom_def *def = NULL;

	ck_assert_msg(dom_def_parse(xml, strlen(xml), &def, &err) == 0, "%s: %s", what, err.text);
	return def;
}

static void prints_as_expected(const char *path)
{
	ND_AUTO(free) char *xml = xml_files_read(path);
	ND_AUTO(dom_def_free) struct dom_def *def = parse_ok(path, xml);
	ND_AUTO(free) char *printed = dom_def_format(def, 0);

	xml_files_expect(path, "out", printed);
}

START_TEST(every_passing_document_prints_as_expected)
{
	xml_files_each("domain/pass-*.xml", prints_as_expected);
}
END_TEST

/* Random values by fixed ones, so that what define gives can stand in a file. */
static void fix_random(struct dom_def *def, const struct dom_def *given)
{
	if (!given->has_uuid)
		def->uuid = (struct nd_uuid){ .bytes = { 1 } };
	for (size_t i = 0; i < def->n_nics; i++)
		if (!given->nics[i].has_mac)
			def->nics[i].mac = (struct nd_mac){ { 0x52, 0x54, 0, 0xff, 0, (uint8_t)i } };
}

static void is_given_the_rest(const char *path)
{
	ND_AUTO(free) char *xml = xml_files_read(path);
	ND_AUTO(dom_def_free) struct dom_def *given = parse_ok(path, xml);
	ND_AUTO(dom_def_free) struct dom_def *def = parse_ok(path, xml);
	ND_AUTO(free) char *printed = NULL;
	struct nd_error err = { 0 };

	ck_assert_msg(dom_def_check(def, &err) == 0, "%s: %s", path, err.text);
	ck_assert_msg(dom_def_generate(def, &err) == 0, "%s: %s", path, err.text);
	ck_assert_msg(dom_def_check(def, &err) == 0, "%s: %s", path, err.text);
	fix_random(def, given);
	printed = dom_def_format(def, 0);
	xml_files_expect(path, "full", printed);
}

START_TEST(define_gives_what_is_missing)
{
	xml_files_each("domain/pass-*.xml", is_given_the_rest);
}
END_TEST

static void comes_back_the_same(const char *path)
{
	ND_AUTO(free) char *xml = xml_files_read(path);
	ND_AUTO(dom_def_free) struct dom_def *def = parse_ok(path, xml);
	ND_AUTO(free) char *printed = dom_def_format(def, 0);
	ND_AUTO(dom_def_free) struct dom_def *again = parse_ok(path, printed);
	ND_AUTO(free) char *reprinted = dom_def_format(again, 0);

	ck_assert_msg(dom_def_equal(def, again), "%s changes when printed as\n%s", path, printed);
	ck_assert_str_eq(printed, reprinted);
}

START_TEST(every_printed_document_parses_to_the_same)
{
	xml_files_each("domain/pass-*.xml", comes_back_the_same);
	xml_files_each("domain/pass-*.full", comes_back_the_same);
}
END_TEST

static void copies_whole(const char *path)
{
	ND_AUTO(free) char *xml = xml_files_read(path);
	struct dom_def *def = parse_ok(path, xml);
	ND_AUTO(free) char *printed = dom_def_format(def, 0);
	ND_AUTO(dom_def_free) struct dom_def *copy = dom_def_copy(def);
	ND_AUTO(free) char *copied = NULL;

	ck_assert(dom_def_equal(def, copy));
	dom_def_free(def);	/* first: the copy must not lean on it */
	copied = dom_def_format(copy, 0);
	ck_assert_str_eq(printed, copied);
}

START_TEST(a_copy_prints_the_same_after_the_original_is_gone)
{
	xml_files_each("domain/pass-*.xml", copies_whole);
}
END_TEST

static void fits_schema(const char *path)
{
	ND_AUTO(free) char *xml = xml_files_read(path);
	struct nd_error err = { 0 };

	ck_assert_msg(dom_def_validate_schema(xml, strlen(xml), getenv("NETD_SCHEMAS"), &err) == 0,
		      "%s: %s", path, err.text);
}

START_TEST(what_is_accepted_and_printed_fits_the_schema)
{
	xml_files_each("domain/pass-*.xml", fits_schema);
	xml_files_each("domain/pass-*.out", fits_schema);
	xml_files_each("domain/pass-*.full", fits_schema);
}
END_TEST

/* The domain around a rule's content: $OS stands for a good <os>; one that begins with "<domain" is
 * whole. */
static char *wrap(const char *content)
{
	struct nd_str s = { 0 };
	const char *os;

	if (strncmp(content, "<domain", 7) == 0)
		return strdup(content);
	nd_str_add(&s, HEAD "\n");
	for (; (os = strstr(content, "$OS")); content = os + 3) {
		nd_str_addn(&s, content, (size_t)(os - content));
		nd_str_add(&s, OS);
	}
	nd_str_add(&s, content);
	nd_str_add(&s, "</domain>");
	return nd_str_take(&s);
}

static void refused_so(const char *content, const char *expected)
{
	ND_AUTO(free) char *xml = wrap(content);
	ND_AUTO(dom_def_free) struct dom_def *def = NULL;
	struct nd_error err = { 0 };
	char got[1200];

	if (dom_def_parse(xml, strlen(xml), &def, &err) < 0 || dom_def_check(def, &err) < 0)
		nd_error_format(&err, got, sizeof(got));
	else
		strcpy(got, "no error");
	ck_assert_msg(nd_streq(got, expected), "%s\ngives: %s", content, got);
}

static void rules_hold(const char *path)
{
	ND_AUTO(free) char *text = xml_files_read(path);
	char *save = NULL, *content = NULL;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (*line == '#')
			continue;
		if (!content) {
			content = line;
			continue;
		}
		refused_so(content, line);
		content = NULL;
	}
	ck_assert_msg(!content, "%s: the last rule has no error", path);
}

START_TEST(what_the_runner_cannot_do_is_refused_by_element_and_line)
{
	xml_files_each("domain/refused.txt", rules_hold);
}
END_TEST

START_TEST(the_schema_refuses_what_is_not_in_the_grammar)
{
	static const char *const bad[] = {
		"$OS<bogus/>",
		"$OS<devices><graphics type='vnc'/></devices>",
		"$OS<devices><interface type='user'/></devices>",
		"$OS<devices><disk type='file'><source dev='/x'/><target dev='vda'/></disk></devices>",
		"$OS<devices><disk type='file'><source file='/x'/><target dev='sda'/></disk></devices>",
		"$OS<features><hyperv/></features>",
		"$OS<on_crash>preserve</on_crash>",
		"$OS stray text",
	};

	for (size_t i = 0; i < ND_COUNT(bad); i++) {
		ND_AUTO(free) char *xml = wrap(bad[i]);
		struct nd_error err = { 0 };

		ck_assert_msg(dom_def_validate_schema(xml, strlen(xml), getenv("NETD_SCHEMAS"),
						      &err) < 0, "accepted: %s", bad[i]);
		ck_assert_int_eq(err.kind, ND_ERR_XML_INVALID_SCHEMA);
	}
}
END_TEST

START_TEST(a_live_document_keeps_what_runs_and_an_inactive_one_does_not)
{
	static const char xml[] =
		"<domain type='kvm' id='3'><name>g</name>" UUID "<memory>65536</memory>" OS "<devices>"
		"<interface type='network'><mac address='52:54:00:00:00:01'/><source network='n' "
		"portid='7f3c8d7e-0a1b-4c2d-8e3f-405162738495' bridge='virbr1'/><target dev='vnet5'/>"
		"<alias name='net0'/></interface>"
		"<console type='pty' tty='/dev/pts/9'><source path='/dev/pts/9'/></console></devices>"
		"</domain>";
	ND_AUTO(dom_def_free) struct dom_def *live = NULL;
	ND_AUTO(dom_def_free) struct dom_def *client = parse_ok("", xml);
	ND_AUTO(free) char *printed = NULL, *inactive = NULL, *again = NULL;

	ck_assert_int_eq(dom_def_parse_live(xml, strlen(xml), &live, NULL), 0);
	ck_assert_uint_eq(live->id, 3);
	ck_assert_str_eq(live->nics[0].target, "vnet5");
	ck_assert_str_eq(live->nics[0].bridge, "virbr1");
	ck_assert(live->nics[0].has_portid);
	ck_assert_str_eq(live->consoles[0].tty, "/dev/pts/9");
	printed = dom_def_format(live, 0);
	ck_assert_ptr_nonnull(strstr(printed, "<domain type='kvm' id='3'>"));
	ck_assert_ptr_nonnull(strstr(printed, "<alias name='net0'/>"));
	inactive = dom_def_format(live, NET_FORMAT_INACTIVE);
	again = dom_def_format(client, NET_FORMAT_INACTIVE);
	ck_assert_str_eq(inactive, again);
	for (size_t i = 0; i < 5; i++) {
		static const char *const gone[] = { "id='3'", "vnet5", "net0", "pts", "portid" };

		ck_assert_msg(!strstr(inactive, gone[i]), "%s in %s", gone[i], inactive);
	}
}
END_TEST

static struct dom_device *device(const char *xml)
{
	struct nd_error err = { 0 };
	struct dom_device *d = NULL;

	ck_assert_msg(dom_device_parse(xml, strlen(xml), &d, &err) == 0, "%s: %s", xml, err.text);
	return d;
}

static struct dom_def *with_two_nics(void)
{
	struct dom_def *def = parse_ok("", HEAD OS "<devices>"
		"<interface type='network'><mac address='52:54:00:00:00:01'/><source network='n'/>"
		"</interface><interface type='network'><mac address='52:54:00:00:00:01'/>"
		"<source network='m'/><alias name='ua-m'/></interface></devices></domain>");

	ck_assert_int_eq(dom_def_generate(def, NULL), 0);
	return def;
}

START_TEST(a_device_is_found_by_mac_address_and_alias)
{
	ND_AUTO(dom_def_free) struct dom_def *def = with_two_nics();
	struct nd_error err = { 0 };
	size_t at = 9;
	static const struct { const char *xml; int at; enum nd_err kind; } cases[] = {
		{ "<interface type='network'><mac address='52:54:00:00:00:01'/><source network='n'/>"
		  "</interface>", -1, ND_ERR_OPERATION_FAILED },
		{ "<interface type='network'><mac address='52:54:00:00:00:01'/><source network='n'/>"
		  "<alias name='ua-m'/></interface>", 1, 0 },
		{ "<interface type='network'><mac address='52:54:00:00:00:01'/><source network='n'/>"
		  "<address type='pci' slot='0x01'/></interface>", 0, 0 },
		{ "<interface type='network'><source network='n'/><alias name='ua-m'/></interface>", 1, 0 },
		{ "<interface type='network'><mac address='52:54:00:00:00:02'/><source network='n'/>"
		  "</interface>", -1, ND_ERR_DEVICE_MISSING },
		{ "<interface type='network'><source network='n'/></interface>", -1,
		  ND_ERR_DEVICE_MISSING },
	};

	for (size_t i = 0; i < ND_COUNT(cases); i++) {
		ND_AUTO(dom_device_free) struct dom_device *d = device(cases[i].xml);
		int r = dom_def_find_device(def, d, &at, &err);

		if (cases[i].at < 0) {
			ck_assert_int_lt(r, 0);
			ck_assert_int_eq(err.kind, cases[i].kind);
		} else {
			ck_assert_msg(r == 0, "%s", err.text);
			ck_assert_uint_eq(at, (size_t)cases[i].at);
		}
	}
}
END_TEST

START_TEST(devices_come_and_go)
{
	ND_AUTO(dom_def_free) struct dom_def *def = with_two_nics();
	ND_AUTO(dom_device_free) struct dom_device *d = device("<disk><source file='/d'/>"
							       "<target dev='vda'/></disk>");
	struct nd_error err = { 0 };
	size_t at;

	ck_assert_int_eq(dom_def_add_device(def, d, &err), 0);
	ck_assert_uint_eq(def->disks[0].info.at.slot, 3);
	dom_def_remove_device(def, DOM_DEVICE_NIC, 0);
	ck_assert_uint_eq(def->n_nics, 1);
	ck_assert_str_eq(def->nics[0].network, "m");
	ck_assert_int_eq(dom_def_find_device(def, d, &at, &err), 0);
	dom_def_remove_device(def, DOM_DEVICE_DISK, at);
	ck_assert_uint_eq(def->n_disks, 0);
	ck_assert_int_lt(dom_device_parse("<hostdev/>", 10, &d, &err), 0);
	ck_assert_int_eq(err.kind, ND_ERR_CONFIG_UNSUPPORTED);
}
END_TEST

START_TEST(the_clock_is_as_far_off_as_the_document_says)
{
	ND_AUTO(dom_def_free) struct dom_def *utc = parse_ok("", HEAD OS "</domain>");
	ND_AUTO(dom_def_free) struct dom_def *local =
		parse_ok("", HEAD OS "<clock offset='localtime'/></domain>");
	ND_AUTO(dom_def_free) struct dom_def *off =
		parse_ok("", HEAD OS "<clock offset='variable' adjustment='-90' basis='localtime'/></domain>");

	setenv("TZ", "XYZ-2", 1);	/* two hours east */
	ck_assert_int_eq(dom_clock_offset_s(utc, 1000000000), 0);
	ck_assert_int_eq(dom_clock_offset_s(local, 1000000000), 7200);
	ck_assert_int_eq(dom_clock_offset_s(off, 1000000000), 7110);
	unsetenv("TZ");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("domain_xml");
	TCase *tc = tcase_create("domain");

	suite_add_tcase(suite, tc);
	tcase_add_test(tc, every_passing_document_prints_as_expected);
	tcase_add_test(tc, define_gives_what_is_missing);
	tcase_add_test(tc, every_printed_document_parses_to_the_same);
	tcase_add_test(tc, a_copy_prints_the_same_after_the_original_is_gone);
	tcase_add_test(tc, what_is_accepted_and_printed_fits_the_schema);
	tcase_add_test(tc, what_the_runner_cannot_do_is_refused_by_element_and_line);
	tcase_add_test(tc, the_schema_refuses_what_is_not_in_the_grammar);
	tcase_add_test(tc, a_live_document_keeps_what_runs_and_an_inactive_one_does_not);
	tcase_add_test(tc, a_device_is_found_by_mac_address_and_alias);
	tcase_add_test(tc, devices_come_and_go);
	tcase_add_test(tc, the_clock_is_as_far_off_as_the_document_says);
	return suite_run(suite);
}
