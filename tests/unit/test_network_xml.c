/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs tests/xml (its path is in NETD_XML_TESTS, that of the schemas in NETD_SCHEMAS):
 *
 *	pass-NAME.xml	is a valid definition; it prints as pass-NAME.out, and what it has that
 *			is ignored is in pass-NAME.warn
 *	fail-NAME.xml	fails with the class and the message in fail-NAME.err
 *	rules/AREA.txt	contents of a network and the error of each
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netd/base/auto.h"
#include "netd/base/str.h"
#include "netd/model/network.h"
#include "tests/suite.h"
#include "tests/unit/xml_files.h"

#define V4 "<ip address='10.0.0.1' netmask='255.255.255.0'/>"

static const struct {
	enum nd_err kind;
	const char *name;
} classes[] = {
	{ ND_ERR_INTERNAL, "INTERNAL" },
	{ ND_ERR_NO_NAME, "NO_NAME" },
	{ ND_ERR_XML, "XML" },
	{ ND_ERR_XML_DETAIL, "XML_DETAIL" },
	{ ND_ERR_CONFIG_UNSUPPORTED, "CONFIG_UNSUPPORTED" },
	{ ND_ERR_OVERFLOW, "OVERFLOW" },
};

static const char *class_name(enum nd_err kind)
{
	size_t i;

	for (i = 0; i < ND_COUNT(classes); i++)
		if (classes[i].kind == kind)
			return classes[i].name;
	return "?";
}

static struct net_def *parse_ok(const char *path, const char *xml)
{
	struct nd_error err = { 0 };
	struct net_def *def = NULL;

	ck_assert_msg(net_def_parse(xml, strlen(xml), &def, &err) == 0, "%s: %s", path, err.text);
	return def;
}

static void prints_as_expected(const char *path)
{
	ND_AUTO(free) char *xml = xml_files_read(path);
	ND_AUTO(net_def_free) struct net_def *def = parse_ok(path, xml);
	ND_AUTO(free) char *printed = net_def_format(def, 0);

	xml_files_expect(path, "out", printed);
}

START_TEST(every_passing_document_prints_as_expected)
{
	xml_files_each("pass-*.xml", prints_as_expected);
}
END_TEST

static void comes_back_the_same(const char *path)
{
	ND_AUTO(free) char *xml = xml_files_read(path);
	ND_AUTO(net_def_free) struct net_def *def = parse_ok(path, xml);
	ND_AUTO(free) char *printed = net_def_format(def, 0);
	ND_AUTO(net_def_free) struct net_def *again = parse_ok(path, printed);
	ND_AUTO(free) char *reprinted = net_def_format(again, 0);

	ck_assert_msg(net_def_equal(def, again), "%s changes when printed as\n%s", path, printed);
	ck_assert_str_eq(printed, reprinted);
}

START_TEST(every_printed_document_parses_to_the_same)
{
	xml_files_each("pass-*.xml", comes_back_the_same);
}
END_TEST

static void copies_whole(const char *path)
{
	ND_AUTO(free) char *xml = xml_files_read(path);
	struct net_def *def = parse_ok(path, xml);
	ND_AUTO(free) char *printed = net_def_format(def, 0);
	ND_AUTO(net_def_free) struct net_def *copy = net_def_copy(def);
	ND_AUTO(free) char *copied = NULL;

	ck_assert(net_def_equal(def, copy));
	net_def_free(def);	/* first: the copy must not lean on it */
	copied = net_def_format(copy, 0);
	ck_assert_str_eq(printed, copied);
}

START_TEST(a_copy_prints_the_same_after_the_original_is_gone)
{
	xml_files_each("pass-*.xml", copies_whole);
}
END_TEST

static void warns_as_expected(const char *path)
{
	ND_AUTO(free) char *xml = xml_files_read(path);
	ND_AUTO(free) char *warn = xml_files_beside(path, "warn");
	ND_AUTO(free) char *expected = xml_files_read_if_there(warn);
	ND_AUTO(net_def_free) struct net_def *def = parse_ok(path, xml);
	ND_AUTO(nd_str_free) struct nd_str lines = { 0 };
	size_t i;

	for (i = 0; i < def->n_warnings; i++)
		nd_str_addf(&lines, "%s\n", def->warnings[i]);
	ck_assert_str_eq(lines.text ? lines.text : "", expected);
}

START_TEST(what_is_ignored_is_named_with_its_line)
{
	xml_files_each("pass-*.xml", warns_as_expected);
}
END_TEST

static void is_valid(const char *path)
{
	ND_AUTO(free) char *xml = xml_files_read(path);
	ND_AUTO(net_def_free) struct net_def *def = parse_ok(path, xml);
	struct nd_error err = { 0 };

	ck_assert_msg(net_def_validate(def, &err) == 0, "%s: %s", path, err.text);
}

START_TEST(every_passing_document_keeps_the_rules_of_define)
{
	xml_files_each("pass-*.xml", is_valid);
}
END_TEST

static void output_fits_schema(const char *path)
{
	ND_AUTO(free) char *xml = xml_files_read(path);
	struct nd_error err = { 0 };

	ck_assert_msg(net_def_validate_schema(xml, strlen(xml), getenv("NETD_SCHEMAS"), &err) == 0,
		      "%s: %s", path, err.text);
}

START_TEST(what_netd_prints_fits_the_schema)
{
	xml_files_each("pass-*.out", output_fits_schema);
}
END_TEST

/* Class and sentence of what define would say: "CLASS SENTENCE". */
static char *define_error(const char *xml)
{
	struct nd_error err = { 0 };
	ND_AUTO(net_def_free) struct net_def *def = NULL;
	char *text;

	if (net_def_parse(xml, strlen(xml), &def, &err) == 0 && net_def_validate(def, &err) == 0)
		return strdup("no error");
	ck_assert_int_gt(asprintf(&text, "%s %s", class_name(err.kind), err.text), 0);
	return text;
}

static void fails_as_expected(const char *path)
{
	ND_AUTO(free) char *xml = xml_files_read(path);
	ND_AUTO(free) char *err = xml_files_beside(path, "err");
	ND_AUTO(free) char *expected = xml_files_read(err);
	ND_AUTO(free) char *got = define_error(xml);
	ND_AUTO(free) char *lines = NULL;

	*strchrnul(got, ' ') = '\n';
	ck_assert_int_gt(asprintf(&lines, "%s\n", got), 0);
	ck_assert_msg(nd_streq(lines, expected), "%s fails with\n%s", path, lines);
}

START_TEST(every_failing_document_says_what_is_wrong_and_where)
{
	xml_files_each("fail-*.xml", fails_as_expected);
}
END_TEST

/* The network around a rule's content, where $IP stands for an IPv4 <ip>. */
static char *wrap(const char *content)
{
	struct nd_str s = { 0 };
	const char *ip;

	nd_str_add(&s, "<network><name>t</name>\n");
	for (; (ip = strstr(content, "$IP")); content = ip + 3) {
		nd_str_addn(&s, content, (size_t)(ip - content));
		nd_str_add(&s, V4);
	}
	nd_str_add(&s, content);
	nd_str_add(&s, "</network>");
	return nd_str_take(&s);
}

static void check_rule(const char *path, const char *content, const char *expected)
{
	ND_AUTO(free) char *xml = wrap(content);
	ND_AUTO(free) char *got = define_error(xml);

	ck_assert_msg(nd_streq(got, expected), "%s: %s\ngives: %s", path, content, got);
}

static void rules_hold(const char *path)
{
	ND_AUTO(free) char *text = xml_files_read(path);
	char *save = NULL, *line, *content = NULL;

	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (*line == '#')
			continue;
		if (!content) {
			content = line;
			continue;
		}
		check_rule(path, content, line);
		content = NULL;
	}
	ck_assert_msg(!content, "%s: the last rule has no error", path);
}

START_TEST(every_rule_has_its_error)
{
	xml_files_each("rules/*.txt", rules_hold);
}
END_TEST

/* Refused by the parser or by define; by the schema too where it can know. */
START_TEST(the_schema_refuses_what_is_not_in_the_grammar)
{
	static const char *const bad[] = {
		"<bogus/>",
		"<bridge name='a' bogus='b'/>",
		"<name>second</name>",
		"<forward mode='none'/>",
		("<forward mode='hostdev'><interface dev='a'/><address type='pci' domain='0' bus='0' "
		 "slot='0' function='0'/></forward>"),
		"<ip address='fd00::1'/>",
		"<ip address='10.0.0.1' netmask='255.0.0.0' prefix='8'/>",
		"<ip family='ipv6' address='fd00::1'><tftp root='/'/></ip>",
		"<dns><txt name='a'/></dns>",
		"<dns><srv service='a' protocol='tcp' port='5'/></dns>",
		"<domain localOnly='yes'/>",
		"<bandwidth><inbound average='1' floor='2'/></bandwidth>",
		"<virtualport/>",
		"<metadata><no-namespace/></metadata>",
		"stray text",
	};
	struct nd_error err;
	size_t i;

	for (i = 0; i < ND_COUNT(bad); i++) {
		ND_AUTO(free) char *xml = wrap(bad[i]);

		err = (struct nd_error){ 0 };
		ck_assert_msg(net_def_validate_schema(xml, strlen(xml), getenv("NETD_SCHEMAS"),
						      &err) < 0, "accepted: %s", bad[i]);
		ck_assert_int_eq(err.kind, ND_ERR_XML_INVALID_SCHEMA);
		ck_assert_msg(strstr(err.text, "line "), "%s", err.text);
	}
}
END_TEST

START_TEST(a_missing_schema_is_named)
{
	const char *xml = "<network><name>x</name></network>";
	struct nd_error err = { 0 };

	ck_assert_int_lt(net_def_validate_schema(xml, strlen(xml), "/nowhere", &err), 0);
	ck_assert_int_eq(err.code, ENOENT);
	ck_assert_msg(strstr(err.text, "/nowhere/network.rng"), "%s", err.text);
}
END_TEST

START_TEST(a_document_with_a_zero_byte_or_too_long_is_refused)
{
	static const char zero[] = "<network><name>x</name>\0</network>";
	size_t size = NET_XML_MAX_BYTES + 1;
	ND_AUTO(free) char *huge = calloc(1, size);
	struct nd_error err = { 0 };
	struct net_def *def = NULL;

	ck_assert_int_lt(net_def_parse(zero, sizeof(zero) - 1, &def, &err), 0);
	ck_assert_int_eq(err.kind, ND_ERR_XML_DETAIL);
	ck_assert_ptr_nonnull(huge);
	memset(huge, ' ', size);
	ck_assert_int_lt(net_def_parse(huge, size, &def, &err), 0);
	ck_assert_int_eq(err.kind, ND_ERR_XML_DETAIL);
	ck_assert_ptr_null(def);
}
END_TEST

START_TEST(a_tag_with_thousands_of_attributes_is_refused_at_once)
{
	ND_AUTO(nd_str_free) struct nd_str s = { 0 };
	ND_AUTO(net_def_free) struct net_def *def = NULL;
	struct nd_error err = { 0 };
	unsigned i;

	nd_str_add(&s, "<?xml version='1.0'?><!-- <it's --><network");
	for (i = 0; i < 300000; i++)
		nd_str_addf(&s, " a%x='>'", i);
	nd_str_add(&s, "><name>x</name></network>");
	ck_assert_int_lt(net_def_parse(s.text, s.len, &def, &err), 0);
	ck_assert_int_eq(err.kind, ND_ERR_XML_DETAIL);
	ck_assert_msg(strstr(err.text, "more than 256 attributes"), "%s", err.text);
}
END_TEST

START_TEST(quotes_in_comments_and_text_are_not_attributes)
{
	ND_AUTO(nd_str_free) struct nd_str s = { 0 };
	unsigned i;

	nd_str_add(&s, "<?pi <it's ?><network><!-- <it's --><name>it's</name><description>"
		   "<![CDATA[<it's]]>");
	for (i = 0; i < 1000; i++)
		nd_str_add(&s, "\"'\"");
	nd_str_add(&s, "</description></network>");
	net_def_free(parse_ok("", s.text));
}
END_TEST

START_TEST(thirty_thousand_metadata_elements_are_kept)
{
	ND_AUTO(nd_str_free) struct nd_str s = { 0 };
	ND_AUTO(net_def_free) struct net_def *def = NULL;
	unsigned i;

	nd_str_add(&s, "<network><name>x</name><metadata>");
	for (i = 0; i < 30000; i++)
		nd_str_addf(&s, "<a xmlns='urn:%u'/>", i);
	nd_str_add(&s, "</metadata></network>");
	def = parse_ok("", s.text);
	ck_assert_ptr_nonnull(strstr(def->metadata, "urn:29999"));
}
END_TEST

START_TEST(sixty_five_thousand_hosts_are_read_and_printed)
{
	struct nd_str s = { 0 };
	ND_AUTO(free) char *xml = NULL, *printed = NULL;
	ND_AUTO(net_def_free) struct net_def *def = NULL;
	struct nd_error err = { 0 };
	unsigned i;

	nd_str_add(&s, "<network><name>big</name><ip address='10.0.0.1' prefix='8'><dhcp>");
	for (i = 0; i < 65000; i++)
		nd_str_addf(&s, "<host mac='52:54:00:%02x:%02x:%02x' name='guest-%u' "
			    "ip='10.%u.%u.%u'/>\n", i >> 16, i >> 8 & 255, i & 255, i,
			    1 + (i >> 16), i >> 8 & 255, i & 255);
	nd_str_add(&s, "</dhcp></ip></network>");
	xml = nd_str_take(&s);
	ck_assert_msg(net_def_parse(xml, strlen(xml), &def, &err) == 0, "%s", err.text);
	ck_assert_uint_eq(def->ips[0].n_hosts, 65000);
	ck_assert_int_eq(def->ips[0].hosts[64999].line, 65000);
	ck_assert_int_eq(net_def_validate(def, &err), 0);
	printed = net_def_format(def, 0);
	ck_assert_ptr_nonnull(strstr(printed, "ip='10.1.253.231'"));
}
END_TEST

START_TEST(missing_ids_are_generated_once)
{
	ND_AUTO(net_def_free) struct net_def *def =
		parse_ok("", "<network><name>x</name></network>");
	struct nd_uuid uuid;
	struct nd_mac mac;

	ck_assert_int_eq(net_def_generate(def, NULL), 0);
	ck_assert(def->has_uuid && def->has_mac && !nd_uuid_is_null(&def->uuid));
	ck_assert_int_eq(def->mac.bytes[0], 0x52);
	uuid = def->uuid;
	mac = def->mac;
	ck_assert_int_eq(net_def_generate(def, NULL), 0);
	ck_assert(nd_uuid_equal(&uuid, &def->uuid) && nd_mac_equal(&mac, &def->mac));
}
END_TEST

START_TEST(a_network_on_a_bridge_of_others_gets_no_mac)
{
	ND_AUTO(net_def_free) struct net_def *def = parse_ok("",
		"<network><name>x</name><forward mode='bridge'/><bridge name='br%d'/></network>");

	ck_assert_int_eq(net_def_generate(def, NULL), 0);
	ck_assert(!def->has_mac);
	ck_assert_ptr_null(net_def_bridge_template(def));
}
END_TEST

START_TEST(a_bridge_name_is_a_template_when_it_has_a_number_or_is_absent)
{
	ND_AUTO(net_def_free) struct net_def *none =
		parse_ok("", "<network><name>x</name></network>");
	ND_AUTO(net_def_free) struct net_def *template =
		parse_ok("", "<network><name>x</name><bridge name='a%db'/></network>");
	ND_AUTO(net_def_free) struct net_def *fixed =
		parse_ok("", "<network><name>x</name><bridge name='a'/></network>");

	ck_assert_str_eq(net_def_bridge_template(none), "virbr%d");
	ck_assert_str_eq(net_def_bridge_template(template), "a%db");
	ck_assert_ptr_null(net_def_bridge_template(fixed));
}
END_TEST

START_TEST(counters_are_printed_only_when_active)
{
	ND_AUTO(net_def_free) struct net_def *def = parse_ok("",
		"<network connections='7'><name>x</name><forward dev='e' mode='vepa'/></network>");
	ND_AUTO(free) char *active = NULL, *inactive = NULL;

	ck_assert_uint_eq(def->connections, 0);
	def->connections = 2;
	def->forward.interfaces[0].connections = 1;
	active = net_def_format(def, 0);
	inactive = net_def_format(def, NET_FORMAT_INACTIVE);
	ck_assert_ptr_nonnull(strstr(active, "<network connections='2'>"));
	ck_assert_ptr_nonnull(strstr(active, "<interface dev='e' connections='1'/>"));
	ck_assert_ptr_null(strstr(inactive, "connections"));
}
END_TEST

START_TEST(prefixes_have_the_defaults_of_their_class)
{
	ND_AUTO(net_def_free) struct net_def *def = parse_ok("", "<network><name>x</name>"
		"<ip address='10.0.0.1'/><ip address='172.16.0.1'/><ip address='192.168.0.1'/>"
		"<ip family='ipv6' address='fd00::1'/><ip address='10.0.0.1' prefix='29'/>"
		"<ip address='10.0.0.1' netmask='255.255.252.0'/></network>");
	static const uint8_t expected[] = { 8, 16, 24, 64, 29, 22 };
	size_t i;

	for (i = 0; i < ND_COUNT(expected); i++)
		ck_assert_uint_eq(ip_def_prefix(&def->ips[i]).len, expected[i]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("network_xml");
	TCase *tc = tcase_create("network_xml");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, every_passing_document_prints_as_expected);
	tcase_add_test(tc, every_printed_document_parses_to_the_same);
	tcase_add_test(tc, a_copy_prints_the_same_after_the_original_is_gone);
	tcase_add_test(tc, what_is_ignored_is_named_with_its_line);
	tcase_add_test(tc, every_passing_document_keeps_the_rules_of_define);
	tcase_add_test(tc, what_netd_prints_fits_the_schema);
	tcase_add_test(tc, every_failing_document_says_what_is_wrong_and_where);
	tcase_add_test(tc, every_rule_has_its_error);
	tcase_add_test(tc, the_schema_refuses_what_is_not_in_the_grammar);
	tcase_add_test(tc, a_missing_schema_is_named);
	tcase_add_test(tc, a_document_with_a_zero_byte_or_too_long_is_refused);
	tcase_add_test(tc, a_tag_with_thousands_of_attributes_is_refused_at_once);
	tcase_add_test(tc, quotes_in_comments_and_text_are_not_attributes);
	tcase_add_test(tc, thirty_thousand_metadata_elements_are_kept);
	tcase_add_test(tc, sixty_five_thousand_hosts_are_read_and_printed);
	tcase_add_test(tc, missing_ids_are_generated_once);
	tcase_add_test(tc, a_network_on_a_bridge_of_others_gets_no_mac);
	tcase_add_test(tc, a_bridge_name_is_a_template_when_it_has_a_number_or_is_absent);
	tcase_add_test(tc, counters_are_printed_only_when_active);
	tcase_add_test(tc, prefixes_have_the_defaults_of_their_class);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
