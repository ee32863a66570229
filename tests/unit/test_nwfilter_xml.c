/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs tests/xml/nwfilter (NETD_XML_TESTS/nwfilter; the schemas are in NETD_SCHEMAS):
 *
 *	pass-NAME.xml	is a valid filter, and prints as pass-NAME.out: as libvirt 9.0 prints it, but that
 *			elements of one rule stay apart, a stp chain's priority is told, too, and IPv6 has
 *			ranges and flags
 *	refused.txt	contents of a filter, and the error of each on the next line
 *
 * And the filters that come with netd (NETD_NWFILTERS).
 */
#include <check.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netd/base/auto.h"
#include "netd/base/str.h"
#include "netd/model/nwfilter.h"
#include "tests/suite.h"
#include "tests/unit/xml_files.h"

static struct nwfilter_def *parse_ok(const char *what, const char *xml)
{
	struct nd_error err = { 0 };
	struct nwfilter_def *def = NULL;

	ck_assert_msg(nwfilter_def_parse(xml, strlen(xml), &def, &err) == 0, "%s: %s", what, err.text);
	return def;
}

static void prints_as_expected(const char *path)
{
	ND_AUTO(free) char *xml = xml_files_read(path);
	ND_AUTO(nwfilter_def_free) struct nwfilter_def *def = parse_ok(path, xml);
	ND_AUTO(free) char *printed = nwfilter_def_format(def);

	xml_files_expect(path, "out", printed);
}

START_TEST(every_passing_document_prints_as_expected)
{
	xml_files_each("nwfilter/pass-*.xml", prints_as_expected);
}
END_TEST

static void comes_back_the_same(const char *path)
{
	ND_AUTO(free) char *xml = xml_files_read(path);
	ND_AUTO(nwfilter_def_free) struct nwfilter_def *def = parse_ok(path, xml);
	ND_AUTO(free) char *printed = nwfilter_def_format(def);
	ND_AUTO(nwfilter_def_free) struct nwfilter_def *again = parse_ok(path, printed);
	ND_AUTO(free) char *reprinted = nwfilter_def_format(again);

	ck_assert_msg(nwfilter_def_equal(def, again), "%s changes when printed as\n%s", path, printed);
	ck_assert_str_eq(printed, reprinted);
}

START_TEST(every_printed_document_parses_to_the_same)
{
	xml_files_each("nwfilter/pass-*.xml", comes_back_the_same);
}
END_TEST

static void fits_schema(const char *path)
{
	ND_AUTO(free) char *xml = xml_files_read(path);
	struct nd_error err = { 0 };

	ck_assert_msg(nwfilter_def_validate_schema(xml, strlen(xml), getenv("NETD_SCHEMAS"), &err) == 0,
		      "%s: %s", path, err.text);
}

START_TEST(what_is_accepted_and_printed_fits_the_schema)
{
	xml_files_each("nwfilter/pass-*.xml", fits_schema);
	xml_files_each("nwfilter/pass-*.out", fits_schema);
}
END_TEST

static char *wrap(const char *content)
{
	char *xml;

	if (strncmp(content, "<filter ", 8) == 0 || nd_streq(content, "<filter/>"))
		return strdup(content);
	ck_assert_int_gt(asprintf(&xml, "<filter name='f'>\n%s\n</filter>", content), 0);
	return xml;
}

/* A sentence of several lines stands in the file with \n in it. */
static char *one_line(const char *text)
{
	struct nd_str s = { 0 };

	for (; *text; text++)
		nd_str_addn(&s, *text == '\n' ? "\\n" : text, *text == '\n' ? 2 : 1);
	return nd_str_take(&s);
}

static void refused_so(const char *content, const char *expected)
{
	ND_AUTO(free) char *xml = wrap(content), *got = NULL;
	ND_AUTO(nwfilter_def_free) struct nwfilter_def *def = NULL;
	struct nd_error err = { 0 };
	char message[1200] = "no error";

	if (nwfilter_def_parse(xml, strlen(xml), &def, &err) < 0)
		nd_error_format(&err, message, sizeof(message));
	got = one_line(message);
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

START_TEST(what_means_nothing_is_refused_by_element_and_line)
{
	xml_files_each("nwfilter/refused.txt", rules_hold);
}
END_TEST

START_TEST(what_comes_with_netd_is_whole)
{
	ND_AUTO(free) char *pattern = NULL;
	glob_t found = { 0 };

	ck_assert_int_gt(asprintf(&pattern, "%s/*.xml", getenv("NETD_NWFILTERS")), 0);
	ck_assert_int_eq(glob(pattern, 0, NULL, &found), 0);
	ck_assert_uint_eq(found.gl_pathc, 24);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		ND_AUTO(free) char *xml = xml_files_read(found.gl_pathv[i]);
		ND_AUTO(nwfilter_def_free) struct nwfilter_def *def = parse_ok(found.gl_pathv[i], xml);
		ND_AUTO(free) char *name = NULL;

		ck_assert_int_gt(asprintf(&name, "/%s.xml", def->name), 0);
		ck_assert_msg(strstr(found.gl_pathv[i], name) && def->has_uuid, "%s", found.gl_pathv[i]);
		fits_schema(found.gl_pathv[i]);
		comes_back_the_same(found.gl_pathv[i]);
		for (size_t k = 0; k < i; k++) {
			ND_AUTO(free) char *other = xml_files_read(found.gl_pathv[k]);
			ND_AUTO(nwfilter_def_free) struct nwfilter_def *before = parse_ok(found.gl_pathv[k], other);

			ck_assert_msg(!nd_uuid_equal(&def->uuid, &before->uuid), "%s has the UUID of %s",
				      found.gl_pathv[i], found.gl_pathv[k]);
		}
	}
	globfree(&found);
}
END_TEST

START_TEST(the_schema_refuses_what_is_not_in_the_grammar)
{
	static const char *const bad[] = {
		"<bogus/>", "text", "<rule action='drop'/>", "<rule action='drop' direction='in'><dccp/></rule>",
		"<rule action='drop' direction='in'><tcp/><udp/></rule>",
		"<rule action='drop' direction='in'><tcp srcipaddr='fe80::1'/></rule>",
		"<rule action='drop' direction='in'><tcp vlanid='24'/></rule>",
		"<rule action='drop' direction='in'><mac protocolid='ip'/></rule>",
		"<rule action='drop' direction='in' priority='1001'/>",
		"<filterref filter='x'><parameter name='a-b' value='1'/></filterref>",
		"<filter name='f' chain='tcp'/>", "<filter name='f' chain='ipv4-678901234567890123456789012'/>",
	};

	for (size_t i = 0; i < ND_COUNT(bad); i++) {
		ND_AUTO(free) char *xml = wrap(bad[i]);
		struct nd_error err = { 0 };

		ck_assert_msg(nwfilter_def_validate_schema(xml, strlen(xml), getenv("NETD_SCHEMAS"), &err) < 0,
			      "accepted: %s", bad[i]);
		ck_assert_int_eq(err.kind, ND_ERR_XML_INVALID_SCHEMA);
	}
}
END_TEST

START_TEST(chains_are_told_by_what_their_name_begins_with)
{
	static const struct { const char *chain; int proto; } cases[] = {
		{ "root", NWFILTER_ANY }, { "mac", NWFILTER_MAC }, { "vlan-x", NWFILTER_VLAN }, { "stp", NWFILTER_STP },
		{ "arp-ip", NWFILTER_ARP }, { "rarp", NWFILTER_RARP }, { "ipv4-ip", NWFILTER_IP },
		{ "ipv6", NWFILTER_IPV6 }, { "root-x", -1 }, { "tcp", -1 }, { "", -1 },
	};

	for (size_t i = 0; i < ND_COUNT(cases); i++)
		ck_assert_msg(nwfilter_chain_proto(cases[i].chain) == cases[i].proto, "%s", cases[i].chain);
}
END_TEST

static const struct nwfilter_match *only_match(const struct nwfilter_def *def, size_t rule)
{
	const struct nwfilter_rule *r = &def->entries[rule].rule;

	return &r->elements[r->n_elements - 1].matches[r->elements[r->n_elements - 1].n_matches - 1];
}

START_TEST(values_read_as_what_they_say)
{
#define RULE(element) "<rule action='drop' direction='in'>" element "</rule>"
	ND_AUTO(nwfilter_def_free) struct nwfilter_def *def = parse_ok("", "<filter name='f'>"
		RULE("<ip srcipaddr='10.0.0.1' srcipmask='20'/>") RULE("<ipv6 dstipaddr='::' dstipmask='ffff:f000::'/>")
		RULE("<arp opcode='Reply'/>") RULE("<all state='NEW,INVALID'/>") RULE("<tcp flags='SYN,ACK/SYN'/>")
		RULE("<mac protocolid='ipv6'/>") RULE("<all state='NONE'/>") "</filter>");
#undef RULE
	struct nwfilter_value v;
	struct nd_ip mask;

	ck_assert_uint_eq(def->n_entries, 7);
#define READ(i) ck_assert_int_eq(nwfilter_value_parse(only_match(def, i)->attr, only_match(def, i)->text, &v, NULL), 0)
	READ(0);
	ck_assert(nd_ip_parse("255.255.240.0", &mask) && nd_ip_equal(&mask, &v.ip));
	READ(1);
	ck_assert(nd_ip_parse("ffff:f000::", &mask) && nd_ip_equal(&mask, &v.ip));
	READ(2);
	ck_assert_uint_eq(v.number, 2);
	READ(3);
	ck_assert_uint_eq(v.number, NWFILTER_STATE_NEW | NWFILTER_STATE_INVALID);
	READ(4);
	ck_assert_uint_eq(v.tcp_mask, 2 | 16);
	ck_assert_uint_eq(v.tcp_set, 2);
	READ(5);
	ck_assert_uint_eq(v.number, 0x86dd);
	READ(6);
	ck_assert_uint_eq(v.number, NWFILTER_STATE_NONE);
#undef READ
}
END_TEST

START_TEST(variables_tell_name_iterator_and_index)
{
	struct nwfilter_variable var;

	ck_assert(nwfilter_variable_parse("$IP", &var));
	ck_assert(nd_streq(var.name, "IP") && var.how == NWFILTER_ITERATE && var.n == 0);
	ck_assert(nwfilter_variable_parse("$PORTS[@3]", &var));
	ck_assert(nd_streq(var.name, "PORTS") && var.how == NWFILTER_ITERATE && var.n == 3);
	ck_assert(nwfilter_variable_parse("$PORTS[3]", &var));
	ck_assert(var.how == NWFILTER_INDEX && var.n == 3);
	ck_assert(!nwfilter_variable_parse("IP", &var) && !nwfilter_variable_parse("$IP[@]", &var));
}
END_TEST

START_TEST(what_differs_is_not_equal)
{
	static const char *const docs[] = {
		"<filter name='f'/>", "<filter name='g'/>", "<filter name='f' chain='arp'/>",
		"<filter name='f' chain='arp' priority='1'/>",
		"<filter name='f'><uuid>3a2a0a80-0f0f-4d4d-8a8a-0000000000aa</uuid></filter>",
		"<filter name='f'><uuid>3a2a0a80-0f0f-4d4d-8a8a-0000000000ab</uuid></filter>",
		"<filter name='f'><filterref filter='x'/></filter>", "<filter name='f'><filterref filter='y'/></filter>",
		"<filter name='f'><filterref filter='x'><parameter name='A' value='1'/></filterref></filter>",
		"<filter name='f'><filterref filter='x'><parameter name='A' value='2'/></filterref></filter>",
		"<filter name='f'><rule action='drop' direction='in'/></filter>",
		"<filter name='f'><rule action='drop' direction='out'/></filter>",
		"<filter name='f'><rule action='accept' direction='in'/></filter>",
		"<filter name='f'><rule action='drop' direction='in' priority='1'/></filter>",
		"<filter name='f'><rule action='drop' direction='in' statematch='0'/></filter>",
		"<filter name='f'><rule action='drop' direction='in'><tcp/></rule></filter>",
		"<filter name='f'><rule action='drop' direction='in'><udp/></rule></filter>",
		"<filter name='f'><rule action='drop' direction='in'><tcp/><tcp/></rule></filter>",
		"<filter name='f'><rule action='drop' direction='in'><tcp dscp='1'/></rule></filter>",
		"<filter name='f'><rule action='drop' direction='in'><tcp dscp='2'/></rule></filter>",
		"<filter name='f'><rule action='drop' direction='in'><tcp match='no' dscp='1'/></rule></filter>",
		"<filter name='f'><rule action='drop' direction='in'><tcp option='1'/></rule></filter>",
	};

	for (size_t i = 0; i < ND_COUNT(docs); i++) {
		for (size_t k = 0; k < ND_COUNT(docs); k++) {
			ND_AUTO(nwfilter_def_free) struct nwfilter_def *a = parse_ok("", docs[i]);
			ND_AUTO(nwfilter_def_free) struct nwfilter_def *b = parse_ok("", docs[k]);

			ck_assert_msg(nwfilter_def_equal(a, b) == (i == k), "%s\n%s", docs[i], docs[k]);
		}
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("nwfilter_xml");
	TCase *tc = tcase_create("nwfilter");

	suite_add_tcase(suite, tc);
	tcase_add_test(tc, every_passing_document_prints_as_expected);
	tcase_add_test(tc, every_printed_document_parses_to_the_same);
	tcase_add_test(tc, what_is_accepted_and_printed_fits_the_schema);
	tcase_add_test(tc, what_comes_with_netd_is_whole);
	tcase_add_test(tc, what_means_nothing_is_refused_by_element_and_line);
	tcase_add_test(tc, the_schema_refuses_what_is_not_in_the_grammar);
	tcase_add_test(tc, chains_are_told_by_what_their_name_begins_with);
	tcase_add_test(tc, values_read_as_what_they_say);
	tcase_add_test(tc, variables_tell_name_iterator_and_index);
	tcase_add_test(tc, what_differs_is_not_equal);
	return suite_run(suite);
}
