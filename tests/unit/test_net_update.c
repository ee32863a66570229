/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Changes to one entry of a network, and its metadata. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "netd/base/str.h"
#include "netd/model/update.h"
#include "tests/suite.h"

#define MODIFY NET_UPDATE_MODIFY
#define DELETE NET_UPDATE_DELETE
#define LAST NET_UPDATE_ADD_LAST
#define FIRST NET_UPDATE_ADD_FIRST

#define INVALID ND_ERR_OPERATION_INVALID
#define UNSUPPORTED ND_ERR_OPERATION_UNSUPPORTED

static const char nat[] =
	"<network><name>n</name><forward mode='nat'/><bridge name='b'/>"
	"<dns><txt name='t' value='v'/>"
	"<srv service='s' protocol='tcp' domain='d' target='x'/>"
	"<srv service='s' protocol='udp' domain='d' target='x'/>"
	"<host ip='10.0.0.77'><hostname>a</hostname><hostname>b</hostname></host>"
	"<host ip='10.0.0.78'><hostname>b</hostname></host></dns>"
	"<ip address='10.0.0.1' netmask='255.255.255.0'><dhcp>"
	"<range start='10.0.0.2' end='10.0.0.9'/>"
	"<host mac='52:54:00:00:00:01' name='one' ip='10.0.0.11'/>"
	"<host mac='52:54:00:00:00:02' name='two' ip='10.0.0.12'/></dhcp></ip>"
	"<ip address='10.0.1.1' prefix='24'/>"
	"<ip family='ipv6' address='fd00::1' prefix='64'/></network>";

static const char vepa[] =
	"<network><name>v</name><forward mode='vepa'><interface dev='a'/><interface dev='b'/>"
	"</forward><portgroup name='p' default='yes'/><portgroup name='q'/></network>";

static const char isolated[] = "<network><name>i</name><bridge name='b'/></network>";

struct change {
	const char *net;
	int command, section, parent_index;
	const char *xml;
	enum nd_err kind;	/* ND_ERR_OK: works */
	/* A piece of what the result prints (a leading '!': must not be there), or of the error. */
	const char *expected;
};

static struct net_def *parse(const char *xml)
{
	struct nd_error err = { 0 };
	struct net_def *def = NULL;

	ck_assert_msg(net_def_parse(xml, strlen(xml), &def, &err) == 0, "%s", err.text);
	return def;
}

/* The printed document on one line, without indentation. */
static char *printed(const struct net_def *def)
{
	ND_AUTO(free) char *xml = net_def_format(def, 0);
	struct nd_str s = { 0 };
	char *save = NULL, *line;

	for (line = strtok_r(xml, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		nd_str_add(&s, line + strspn(line, " "));
	return nd_str_take(&s);
}

static void check_change(const struct change *c)
{
	ND_AUTO(net_def_free) struct net_def *def = parse(c->net);
	ND_AUTO(net_def_free) struct net_def *out = NULL;
	ND_AUTO(net_def_free) struct net_def *original = net_def_copy(def);
	ND_AUTO(free) char *got = NULL;
	struct nd_error err = { 0 };
	bool unwanted = *c->expected == '!';
	int r = net_def_update(def, c->command, c->section, c->parent_index, c->xml,
			       strlen(c->xml), &out, &err);

	ck_assert_msg(err.kind == c->kind, "%d %d %s: kind %d: %s", c->command, c->section,
		      c->xml, err.kind, err.text);
	ck_assert_int_eq(r < 0, c->kind != ND_ERR_OK);
	ck_assert(net_def_equal(def, original));
	got = r < 0 ? strdup(err.text) : printed(out);
	ck_assert_msg(!strstr(got, c->expected + unwanted) == unwanted, "%d %d %s gives %s",
		      c->command, c->section, c->xml, got);
}

static void check_all(const struct change *changes, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		check_change(&changes[i]);
}

START_TEST(dhcp_hosts_are_added_replaced_and_removed)
{
	static const char new_host[] = "<host mac='52:54:00:00:00:03' ip='10.0.0.13'/>";
	static const struct change changes[] = {
		{ nat, LAST, 4, -1, new_host, ND_ERR_OK,
		  "ip='10.0.0.12'/><host mac='52:54:00:00:00:03' ip='10.0.0.13'/></dhcp>" },
		{ nat, FIRST, 4, -1, new_host, ND_ERR_OK,
		  "<host mac='52:54:00:00:00:03' ip='10.0.0.13'/><host mac='52:54:00:00:00:01'" },
		{ nat, FIRST, 4, 0, new_host, ND_ERR_OK, "ip='10.0.0.13'" },
		{ nat, LAST, 4, 2, "<host name='x' ip='fd00::4'/>", ND_ERR_OK,
		  "prefix='64'><dhcp><host name='x' ip='fd00::4'/></dhcp>" },
		{ nat, LAST, 4, -1, "<host name='x' ip='fd00::4'/>", ND_ERR_OK,
		  "prefix='64'><dhcp><host name='x' ip='fd00::4'/></dhcp>" },
		{ nat, MODIFY, 4, -1, "<host mac='52:54:0:0:0:1' ip='10.0.0.13'/>", ND_ERR_OK,
		  "<host mac='52:54:0:0:0:1' ip='10.0.0.13'/><host mac='52:54:00:00:00:02'" },
		{ nat, MODIFY, 4, -1, "<host name='two' ip='10.0.0.19'><lease expiry='5'/></host>",
		  ND_ERR_OK, "<host name='two' ip='10.0.0.19'><lease expiry='5' unit='minutes'/>" },
		{ nat, MODIFY, 4, -1, "<host name='new' ip='10.0.0.11'/>", ND_ERR_OK, "!'one'" },
		{ nat, DELETE, 4, -1, "<host ip='10.0.0.12'/>", ND_ERR_OK, "!'two'" },
		{ nat, DELETE, 4, -1, "<host mac='52:54:00:00:00:01'/>", ND_ERR_OK, "!'one'" },
		{ nat, DELETE, 4, -1, "<host id='aa' name='two'/>", ND_ERR_OK, "!'two'" },
	};

	check_all(changes, ND_COUNT(changes));
}
END_TEST

START_TEST(dhcp_hosts_that_do_not_fit_are_refused)
{
	static const char new_host[] = "<host mac='52:54:00:00:00:03' ip='10.0.0.13'/>";
	static const struct change changes[] = {
		{ nat, LAST, 4, -1, "<host mac='52:54:00:00:00:01' ip='10.0.0.13'/>", INVALID,
		  "there is an existing dhcp host entry in network 'n' that matches "
		  "\"<host mac='52:54:00:00:00:01' ip='10.0.0.13'/>\"" },
		{ nat, LAST, 4, -1, "<host mac='52:54:00:00:00:03' ip='10.0.0.11'/>", INVALID,
		  "there is an existing dhcp host" },
		{ nat, FIRST, 4, -1, "<host name='two' ip='10.0.0.19'/>", INVALID,
		  "there is an existing dhcp host" },
		{ nat, MODIFY, 4, -1, new_host, INVALID,
		  "couldn't locate a matching dhcp host entry in network 'n'" },
		{ nat, DELETE, 4, -1, "<host mac='52:54:00:00:00:01' ip='10.0.0.13'/>", INVALID,
		  "couldn't locate a matching dhcp host entry in network 'n'" },
		{ nat, DELETE, 4, -1, "<host/>", ND_ERR_XML, "give its mac, name or ip" },
		{ nat, LAST, 4, -1, "<host ip='10.0.0.12'/>", ND_ERR_XML, "needs 'mac' or 'name'" },
		{ nat, LAST, 4, -1, "<host name='three'/>", ND_ERR_XML, "'ip' is missing" },
		{ nat, LAST, 4, 1, new_host, INVALID, "supported only for a single IPv4 address" },
		{ nat, LAST, 4, 3, new_host, INVALID, "no <ip> element found at index 3" },
		{ nat, LAST, 4, 2, new_host, INVALID, "not of the address family" },
		{ isolated, LAST, 4, -1, new_host, INVALID, "no fitting <ip> element found" },
		{ nat, LAST, 4, -1, "<range start='10.0.0.2' end='10.0.0.9'/>", ND_ERR_XML,
		  "unexpected element <range>, expecting <host>, while updating network 'n'" },
		{ nat, LAST, 4, -1, "<ho", ND_ERR_XML_DETAIL, "network_update_xml:1: " },
	};

	check_all(changes, ND_COUNT(changes));
}
END_TEST

START_TEST(dhcp_ranges_are_added_and_removed)
{
	static const struct change changes[] = {
		{ nat, LAST, 5, -1, "<range start='10.0.0.20' end='10.0.0.29'/>", ND_ERR_OK,
		  "end='10.0.0.9'/><range start='10.0.0.20' end='10.0.0.29'/>" },
		{ nat, FIRST, 5, -1, "<range start='10.0.0.2' end='10.0.0.10'/>", ND_ERR_OK,
		  "end='10.0.0.10'/><range start='10.0.0.2' end='10.0.0.9'/>" },
		{ nat, DELETE, 5, -1, "<range start='10.0.0.2' end='10.0.0.9'/>", ND_ERR_OK,
		  "!<range" },
		{ nat, LAST, 5, -1, "<range start='10.0.0.2' end='10.0.0.9'/>", INVALID,
		  "there is an existing dhcp range entry in network 'n'" },
		{ nat, DELETE, 5, -1, "<range start='10.0.0.2' end='10.0.0.8'/>", INVALID,
		  "couldn't locate a matching dhcp range entry in network 'n'" },
		{ nat, MODIFY, 5, -1, "<range start='10.0.0.2' end='10.0.0.9'/>", UNSUPPORTED,
		  "dhcp ranges cannot be modified, only added or deleted" },
		{ nat, LAST, 5, -1, "<range start='10.1.0.2' end='10.1.0.9'/>", ND_ERR_INTERNAL,
		  "10.1.0.2 is not an address for guests of 10.0.0.0/24" },
		{ nat, LAST, 5, -1, "<range start='10.0.0.2'/>", ND_ERR_XML, "'end' is missing" },
	};

	check_all(changes, ND_COUNT(changes));
}
END_TEST

START_TEST(forward_devices_are_added_and_removed)
{
	static const struct change changes[] = {
		{ vepa, LAST, 7, -1, "<interface dev='c'/>", ND_ERR_OK,
		  "<interface dev='b'/><interface dev='c'/></forward>" },
		{ vepa, FIRST, 7, -1, "<interface dev='c'/>", ND_ERR_OK, "<forward dev='c'" },
		{ vepa, DELETE, 7, -1, "<interface dev='a'/>", ND_ERR_OK, "<forward dev='b'" },
		{ nat, LAST, 7, -1, "<interface dev='c'/>", ND_ERR_OK,
		  "<forward dev='c' mode='nat'>" },
		{ vepa, LAST, 7, -1, "<interface dev='a'/>", INVALID, "there is an existing interface" },
		{ vepa, DELETE, 7, -1, "<interface dev='c'/>", INVALID,
		  "couldn't find an interface entry in network 'v' matching <interface dev='c'>" },
		{ vepa, MODIFY, 7, -1, "<interface dev='a'/>", UNSUPPORTED, "cannot be modified" },
		{ vepa, LAST, 7, -1, "<interface/>", ND_ERR_XML, "'dev' is missing" },
		{ isolated, LAST, 7, -1, "<interface dev='c'/>", INVALID, "has no <forward>" },
	};

	check_all(changes, ND_COUNT(changes));
}
END_TEST

START_TEST(portgroups_are_added_replaced_and_removed)
{
	static const struct change changes[] = {
		{ vepa, LAST, 9, -1, "<portgroup name='r'/>", ND_ERR_OK,
		  "<portgroup name='q'></portgroup><portgroup name='r'>" },
		{ vepa, FIRST, 9, -1, "<portgroup name='r'/>", ND_ERR_OK,
		  "<portgroup name='r'></portgroup><portgroup name='p'" },
		{ vepa, MODIFY, 9, -1, "<portgroup name='p'/>", ND_ERR_OK, "!default" },
		{ vepa, DELETE, 9, -1, "<portgroup name='p'/>", ND_ERR_OK, "!name='p'" },
		{ vepa, LAST, 9, -1, "<portgroup name='p'/>", INVALID, "there is an existing portgroup" },
		{ vepa, DELETE, 9, -1, "<portgroup name='r'/>", INVALID,
		  "couldn't find a portgroup entry in network 'v'" },
		{ vepa, MODIFY, 9, -1, "<portgroup name='r'/>", INVALID, "couldn't find a portgroup" },
		{ vepa, LAST, 9, -1, "<portgroup name='r' default='yes'/>", INVALID,
		  "already set as the default" },
		{ vepa, MODIFY, 9, -1, "<portgroup name='q' default='yes'/>", INVALID,
		  "already set as the default" },
		{ vepa, LAST, 9, -1, "<portgroup/>", ND_ERR_XML, "'name' is missing" },
	};

	check_all(changes, ND_COUNT(changes));
}
END_TEST

START_TEST(dns_records_are_added_and_removed)
{
	static const struct change changes[] = {
		{ nat, LAST, 10, -1, "<host ip='10.0.0.80'><hostname>a</hostname></host>",
		  ND_ERR_OK, "<host ip='10.0.0.80'><hostname>a</hostname></host></dns>" },
		{ nat, DELETE, 10, -1, "<host ip='10.0.0.77'/>", ND_ERR_OK, "!10.0.0.77" },
		{ nat, DELETE, 10, -1, "<host><hostname>a</hostname></host>", ND_ERR_OK,
		  "!10.0.0.77" },
		{ nat, FIRST, 11, -1, "<txt name='u' value='z'/>", ND_ERR_OK,
		  "<txt name='u' value='z'/><txt name='t'" },
		{ nat, DELETE, 11, -1, "<txt name='t'/>", ND_ERR_OK, "!<txt" },
		{ nat, LAST, 12, -1, "<srv service='q' protocol='tcp'/>", ND_ERR_OK,
		  "<srv service='q' protocol='tcp'/>" },
		{ nat, DELETE, 12, -1, "<srv service='s' protocol='tcp'/>", ND_ERR_OK, "!'tcp'" },
		{ isolated, LAST, 11, -1, "<txt name='u' value='z'/>", ND_ERR_OK,
		  "<dns><txt name='u' value='z'/></dns>" },
	};

	check_all(changes, ND_COUNT(changes));
}
END_TEST

START_TEST(dns_records_that_do_not_fit_are_refused)
{
	static const struct change changes[] = {
		{ nat, LAST, 10, -1, "<host ip='10.0.0.77'><hostname>z</hostname></host>", INVALID,
		  "there is already at least one DNS HOST record" },
		{ nat, DELETE, 10, -1, "<host><hostname>b</hostname></host>", INVALID,
		  "multiple matching DNS HOST records were found in network n" },
		{ nat, DELETE, 10, -1, "<host ip='10.0.0.80'/>", INVALID, "couldn't locate" },
		{ nat, DELETE, 10, -1, "<host/>", ND_ERR_XML_DETAIL, "'ip' is missing" },
		{ nat, LAST, 10, -1, "<host ip='10.0.0.80'/>", ND_ERR_XML_DETAIL, "<hostname>" },
		{ nat, MODIFY, 10, -1, "<host/>", UNSUPPORTED, "DNS HOST records cannot" },
		{ nat, LAST, 11, -1, "<txt name='t' value='z'/>", INVALID, "there is already" },
		{ nat, LAST, 11, -1, "<txt name='u'/>", ND_ERR_XML_DETAIL, "'value' is missing" },
		{ nat, DELETE, 11, -1, "<txt name='u'/>", INVALID, "couldn't locate" },
		{ nat, MODIFY, 11, -1, "<txt name='t' value='z'/>", UNSUPPORTED, "TXT records" },
		{ nat, LAST, 12, -1, "<srv service='s' protocol='tcp'/>", INVALID, "already" },
		{ nat, LAST, 12, -1, "<srv service='s'/>", ND_ERR_XML_DETAIL, "'protocol'" },
		{ nat, DELETE, 12, -1, "<srv service='s'/>", INVALID, "multiple matching DNS SRV" },
		{ nat, DELETE, 12, -1, "<srv service='q'/>", INVALID, "couldn't locate" },
		{ nat, MODIFY, 12, -1, "<srv/>", UNSUPPORTED, "DNS SRV records cannot" },
	};

	check_all(changes, ND_COUNT(changes));
}
END_TEST

START_TEST(sections_and_commands_that_nobody_knows_are_refused)
{
	static const struct change changes[] = {
		{ nat, LAST, 1, -1, "<bridge name='x'/>", UNSUPPORTED,
		  "can't update 'bridge' section of network 'n'" },
		{ nat, LAST, 2, -1, "<domain name='x'/>", UNSUPPORTED, "'domain'" },
		{ nat, LAST, 3, -1, "<ip/>", UNSUPPORTED, "'ip'" },
		{ nat, LAST, 6, -1, "<forward/>", UNSUPPORTED, "'forward'" },
		{ nat, LAST, 8, -1, "<pf/>", UNSUPPORTED, "'forward pf'" },
		{ nat, LAST, 0, -1, "<x/>", UNSUPPORTED, "unrecognized section" },
		{ nat, LAST, 13, -1, "<x/>", UNSUPPORTED, "unrecognized section" },
		{ nat, LAST, -1, -1, "<x/>", UNSUPPORTED, "unrecognized section" },
		{ nat, 0, 4, -1, "<host/>", UNSUPPORTED, "command code 0" },
		{ nat, 5, 4, -1, "<host/>", UNSUPPORTED, "command code 5" },
	};

	check_all(changes, ND_COUNT(changes));
}
END_TEST

START_TEST(a_result_that_breaks_a_rule_of_the_whole_is_refused)
{
	static const char one_dev[] =
		"<network><name>d</name><forward mode='nat' dev='a'/>"
		"<ip address='10.0.0.1' prefix='24'/></network>";
	static const char no_dns[] =
		"<network><name>d</name><bridge name='b'/><dns enable='no'/></network>";
	static const struct change changes[] = {
		{ one_dev, LAST, 7, -1, "<interface dev='c'/>", ND_ERR_XML, "no longer be valid" },
		{ no_dns, LAST, 11, -1, "<txt name='a' value='b'/>", ND_ERR_XML, "enable='no'" },
		{ one_dev, LAST, 9, -1, "<portgroup name='p'><vlan><tag id='5'/></vlan></portgroup>",
		  ND_ERR_CONFIG_UNSUPPORTED, "cannot have VLAN tags" },
		{ vepa, LAST, 11, -1, "<txt name='a' value='b'/>", ND_ERR_CONFIG_UNSUPPORTED,
		  "not possible in mode 'vepa'" },
	};

	check_all(changes, ND_COUNT(changes));
}
END_TEST

START_TEST(a_network_that_broke_a_rule_before_can_still_be_updated)
{
	static const struct change change = {
		"<network><name>a\nb</name><bridge name='b'/></network>", LAST, 11, -1,
		"<txt name='a' value='b'/>", ND_ERR_OK, "<txt name='a' value='b'/>",
	};

	check_change(&change);
}
END_TEST

START_TEST(connection_counters_survive_an_update)
{
	static const char host[] = "<interface dev='c'/>", used[] = "<interface dev='a'/>";
	ND_AUTO(net_def_free) struct net_def *def = parse(vepa);
	ND_AUTO(net_def_free) struct net_def *out = NULL;
	struct nd_error err = { 0 };

	def->connections = 3;
	def->forward.interfaces[0].connections = 2;
	ck_assert_int_eq(net_def_update(def, FIRST, 7, -1, host, strlen(host), &out, &err), 0);
	ck_assert_uint_eq(out->connections, 3);
	ck_assert_str_eq(out->forward.interfaces[1].dev, "a");
	ck_assert_uint_eq(out->forward.interfaces[1].connections, 2);
	net_def_free(nd_take_ptr(&out));
	ck_assert_int_lt(net_def_update(def, DELETE, 7, -1, used, strlen(used), &out, &err), 0);
	ck_assert_int_eq(err.kind, INVALID);
	ck_assert_msg(strstr(err.text, "2 guests use it"), "%s", err.text);
}
END_TEST

START_TEST(the_devices_behind_a_pf_survive_an_update)
{
	static const char xml[] = "<portgroup name='p'/>";
	ND_AUTO(net_def_free) struct net_def *def =
		parse("<network><name>x</name><forward mode='vepa'><pf dev='p'/></forward></network>");
	ND_AUTO(net_def_free) struct net_def *out = NULL;

	def->forward.interfaces = calloc(1, sizeof(*def->forward.interfaces));
	def->forward.interfaces[0].dev = strdup("vf0");
	def->forward.n_interfaces = 1;
	ck_assert_int_eq(net_def_update(def, LAST, 9, -1, xml, strlen(xml), &out, NULL), 0);
	ck_assert_uint_eq(out->forward.n_interfaces, 1);
	ck_assert_str_eq(out->forward.interfaces[0].dev, "vf0");
}
END_TEST

static struct net_def *set(const struct net_def *def, int type, const char *text,
			   const char *key, const char *uri)
{
	struct net_def *out = NULL;
	struct nd_error err = { 0 };

	ck_assert_msg(net_def_set_metadata(def, type, text, key, uri, &out, &err) == 0, "%s",
		      err.text);
	return out;
}

static char *get(const struct net_def *def, int type, const char *uri)
{
	struct nd_error err = { 0 };
	char *text = NULL;

	if (net_def_get_metadata(def, type, uri, &text, &err) == 0)
		return text;
	ck_assert_int_eq(err.kind, ND_ERR_NO_NETWORK_METADATA);
	return strdup("none");
}

START_TEST(title_and_description_are_set_read_and_removed)
{
	ND_AUTO(net_def_free) struct net_def *def = parse(isolated);
	ND_AUTO(net_def_free) struct net_def *titled = set(def, 1, "a <title>", NULL, NULL);
	ND_AUTO(net_def_free) struct net_def *both = set(titled, 0, "two\nlines", NULL, NULL);
	ND_AUTO(net_def_free) struct net_def *gone = set(both, 1, "", NULL, NULL);
	ND_AUTO(free) char *title = get(both, 1, NULL), *description = get(both, 0, NULL);
	ND_AUTO(free) char *no_title = get(gone, 1, NULL), *before = get(def, 0, NULL);

	ck_assert_str_eq(title, "a <title>");
	ck_assert_str_eq(description, "two\nlines");
	ck_assert_str_eq(no_title, "none");
	ck_assert_str_eq(before, "none");
}
END_TEST

START_TEST(a_metadata_element_comes_back_as_it_was_given)
{
	static const char given[] = "<foo bar=\"a\"><c/>text</foo>";
	ND_AUTO(net_def_free) struct net_def *def = parse(isolated);
	ND_AUTO(net_def_free) struct net_def *one = set(def, 2, given, "app", "urn:a");
	ND_AUTO(net_def_free) struct net_def *two = set(one, 2, "<other/>", "k", "urn:b");
	ND_AUTO(net_def_free) struct net_def *replaced = set(two, 2, "<new/>", "app", "urn:a");
	ND_AUTO(net_def_free) struct net_def *none = set(replaced, 2, NULL, NULL, "urn:a");
	ND_AUTO(net_def_free) struct net_def *empty = set(none, 2, NULL, NULL, "urn:b");
	ND_AUTO(free) char *a = get(two, 2, "urn:a"), *b = get(two, 2, "urn:b");
	ND_AUTO(free) char *new = get(replaced, 2, "urn:a"), *removed = get(none, 2, "urn:a");
	ND_AUTO(free) char *xml = net_def_format(one, 0);

	ck_assert_str_eq(a, given);
	ck_assert_str_eq(b, "<other/>");
	ck_assert_str_eq(new, "<new/>");
	ck_assert_str_eq(removed, "none");
	ck_assert_ptr_nonnull(strstr(xml, "  <metadata>\n    <app:foo xmlns:app=\"urn:a\" bar=\"a\">"
				     "<app:c/>text</app:foo>\n  </metadata>\n"));
	ck_assert_ptr_null(empty->metadata);
}
END_TEST

START_TEST(metadata_that_cannot_be_kept_is_refused)
{
	static const struct {
		int type;
		const char *text, *key, *uri;
		enum nd_err kind;
	} bad[] = {
		{ 1, "two\nlines", NULL, NULL, ND_ERR_INVALID_ARG },
		{ 1, "x", "key", NULL, ND_ERR_INVALID_ARG },
		{ 0, "x", NULL, "uri", ND_ERR_INVALID_ARG },
		{ 0, "control \x01 character", NULL, NULL, ND_ERR_INVALID_ARG },
		{ 1, "broken utf-8 \xff", NULL, NULL, ND_ERR_INVALID_ARG },
		{ 2, "<a/>", "k", NULL, ND_ERR_INVALID_ARG },
		{ 2, "<a/>", NULL, "urn:a", ND_ERR_INVALID_ARG },
		{ 2, "<a/>", "bad key", "urn:a", ND_ERR_INVALID_ARG },
		{ 2, "<a/>", "", "urn:a", ND_ERR_INVALID_ARG },
		{ 2, "<y:a xmlns:y='urn:y'/>", "k", "urn:a", ND_ERR_INVALID_ARG },
		{ 2, "<a", "k", "urn:a", ND_ERR_XML_DETAIL },
		{ 2, "<!DOCTYPE a><a/>", "k", "urn:a", ND_ERR_XML_DETAIL },
		{ 7, "x", NULL, NULL, ND_ERR_INVALID_ARG },
	};
	ND_AUTO(net_def_free) struct net_def *def = parse(isolated);
	struct net_def *out = NULL;
	struct nd_error err;
	size_t i;

	for (i = 0; i < ND_COUNT(bad); i++) {
		err = (struct nd_error){ 0 };
		ck_assert_int_lt(net_def_set_metadata(def, bad[i].type, bad[i].text, bad[i].key,
						      bad[i].uri, &out, &err), 0);
		ck_assert_msg(err.kind == bad[i].kind, "%zu: %d %s", i, err.kind, err.text);
		ck_assert_ptr_null(out);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("net_update");
	TCase *tc = tcase_create("net_update");

	tcase_add_test(tc, dhcp_hosts_are_added_replaced_and_removed);
	tcase_add_test(tc, dhcp_hosts_that_do_not_fit_are_refused);
	tcase_add_test(tc, dhcp_ranges_are_added_and_removed);
	tcase_add_test(tc, forward_devices_are_added_and_removed);
	tcase_add_test(tc, portgroups_are_added_replaced_and_removed);
	tcase_add_test(tc, dns_records_are_added_and_removed);
	tcase_add_test(tc, dns_records_that_do_not_fit_are_refused);
	tcase_add_test(tc, sections_and_commands_that_nobody_knows_are_refused);
	tcase_add_test(tc, a_result_that_breaks_a_rule_of_the_whole_is_refused);
	tcase_add_test(tc, a_network_that_broke_a_rule_before_can_still_be_updated);
	tcase_add_test(tc, connection_counters_survive_an_update);
	tcase_add_test(tc, the_devices_behind_a_pf_survive_an_update);
	tcase_add_test(tc, title_and_description_are_set_read_and_removed);
	tcase_add_test(tc, a_metadata_element_comes_back_as_it_was_given);
	tcase_add_test(tc, metadata_that_cannot_be_kept_is_refused);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
