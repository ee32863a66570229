/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ports: their documents, and what they inherit from network and portgroup. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "netd/base/str.h"
#include "netd/model/port.h"
#include "tests/suite.h"

#define HEAD \
	"<networkport><uuid>6f3c8d7e-0a1b-4c2d-8e3f-405162738495</uuid><owner><name>g</name>" \
	"<uuid>7f3c8d7e-0a1b-4c2d-8e3f-405162738495</uuid></owner>"
#define PORT(content) HEAD "<mac address='52:54:0:0:0:A'/>" content "</networkport>"
#define OVS_ID "09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f"

static const char nat[] =
	"<network trustGuestRxFilters='yes'><name>n</name><forward mode='nat'/>"
	"<bridge name='virbr0' macTableManager='libvirt'/>"
	"<bandwidth><inbound average='1000'/></bandwidth><port isolated='yes'/>"
	"<ip address='10.0.0.1' prefix='24'/>"
	"<portgroup name='eng' default='yes'>"
	"<bandwidth><inbound average='9'/></bandwidth></portgroup>"
	"<portgroup name='sales' trustGuestRxFilters='no'/></network>";

static const char ovs[] =
	"<network><name>o</name><forward mode='bridge'/><bridge name='br0'/>"
	"<virtualport type='openvswitch'/><vlan><tag id='5'/></vlan>"
	"<portgroup name='q'><vlan><tag id='7'/><tag id='8'/></vlan>"
	"<virtualport><parameters profileid='x'/></virtualport></portgroup></network>";

static const char vepa[] =
	"<network><name>v</name><forward mode='vepa' dev='e0'/></network>";

static const char hostdev[] =
	"<network><name>h</name><forward mode='hostdev'><pf dev='e0'/></forward>"
	"<vlan><tag id='5'/></vlan></network>";

static struct port_def *parse(const char *xml)
{
	struct nd_error err = { 0 };
	struct port_def *port = NULL;

	ck_assert_msg(port_def_parse(xml, strlen(xml), &port, &err) == 0, "%s", err.text);
	return port;
}

/* What the port prints, on one line, without its head. */
static char *printed(const struct port_def *port)
{
	ND_AUTO(free) char *xml = port_def_format(port);
	struct nd_str s = { 0 };
	char *save = NULL, *line, *at;

	for (line = strtok_r(xml, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		nd_str_add(&s, line + strspn(line, " "));
	at = strstr(s.text, "</owner>");
	memmove(s.text, at + 8, strlen(at + 8) + 1);
	*strstr(s.text, "</networkport>") = '\0';
	return s.text;
}

START_TEST(a_port_prints_in_the_order_of_libvirt)
{
	static const char xml[] = PORT(
		"<plug bridge='br0' type='bridge' macTableManager='kernel'/>"
		"<rxfilters trustGuest='yes'/><port isolated='no'/><vlan><tag id='42'/></vlan>"
		"<bandwidth classID='3'><outbound average='4'/><inbound floor='2'/></bandwidth>"
		"<virtualport type='openvswitch'><parameters interfaceid='" OVS_ID "'/>"
		"</virtualport><group>g&amp;</group>");
	ND_AUTO(port_def_free) struct port_def *port = parse(xml);
	ND_AUTO(port_def_free) struct port_def *copy = port_def_copy(port);
	ND_AUTO(free) char *text = printed(copy);

	ck_assert_str_eq(text, "<group>g&amp;</group><mac address='52:54:00:00:00:0a'/>"
		"<virtualport type='openvswitch'><parameters interfaceid='" OVS_ID "'/>"
		"</virtualport>"
		"<bandwidth classID='3'><inbound floor='2'/><outbound average='4'/></bandwidth>"
		"<vlan><tag id='42'/></vlan><port isolated='no'/><rxfilters trustGuest='yes'/>"
		"<plug type='bridge' bridge='br0' macTableManager='kernel'/>");
}
END_TEST

START_TEST(every_plug_comes_back_and_fits_the_schema)
{
	static const struct {
		const char *given, *out;
	} plugs[] = {
		{ "<plug type='network' bridge='b' mode='vepa' dev='x'/>",
		  "<plug type='network' bridge='b'/>" },
		{ "<plug type='direct' dev='e0'/>", "<plug type='direct' dev='e0' mode='vepa'/>" },
		{ "<plug type='direct' dev='e0' mode='private' bridge='b' managed='yes'/>",
		  "<plug type='direct' dev='e0' mode='private'/>" },
		{ "<plug type='hostdev-pci'><address domain='0' bus='0xa' slot='1' function='7'/>"
		  "</plug>",
		  "<plug type='hostdev-pci' managed='no'>"
		  "<address domain='0x0000' bus='0x0a' slot='0x01' function='0x7'/></plug>" },
		{ "<plug type='hostdev-pci' managed='yes'><driver name='vfio' model='m'/>"
		  "<address domain='0' bus='0' slot='0' function='0'/></plug>",
		  "<plug type='hostdev-pci' managed='yes'><driver name='vfio' model='m'/>"
		  "<address domain='0x0000' bus='0x00' slot='0x00' function='0x0'/></plug>" },
	};
	size_t i;

	for (i = 0; i < ND_COUNT(plugs); i++) {
		ND_AUTO(nd_str_free) struct nd_str xml = { 0 };
		ND_AUTO(port_def_free) struct port_def *port = NULL;
		ND_AUTO(free) char *text = NULL, *whole = NULL;
		struct nd_error err = { 0 };

		nd_str_addf(&xml, PORT("%s"), plugs[i].given);
		port = parse(xml.text);
		text = printed(port);
		whole = port_def_format(port);
		ck_assert_str_eq(strstr(text, "<plug"), plugs[i].out);
		ck_assert_msg(port_def_validate_schema(whole, strlen(whole), getenv("NETD_SCHEMAS"),
						       &err) == 0, "%s", err.text);
	}
}
END_TEST

START_TEST(a_port_that_lacks_something_says_what)
{
	static const struct {
		const char *xml;
		enum nd_err kind;
		const char *text;
	} bad[] = {
		{ "<networkport", ND_ERR_XML_DETAIL, "(networkport_definition):1: " },
		{ "<network/>", ND_ERR_XML, "expecting root element of 'networkport', not 'network'" },
		{ "<networkport/>", ND_ERR_INTERNAL, "it has no <uuid>" },
		{ "<networkport><uuid>x</uuid></networkport>", ND_ERR_INTERNAL, "not a UUID" },
		{ HEAD "</networkport>", ND_ERR_INTERNAL, "it has no <mac>" },
		{ HEAD "<mac/></networkport>", ND_ERR_INTERNAL, "'address' is missing" },
		{ PORT("<plug/>"), ND_ERR_XML, "'type' is missing" },
		{ PORT("<plug type='foo'/>"), ND_ERR_XML, "unknown plug type 'foo'" },
		{ PORT("<plug type='bridge'/>"), ND_ERR_XML, "'bridge' is missing" },
		{ PORT("<plug type='direct'/>"), ND_ERR_XML, "'dev' is missing" },
		{ PORT("<plug type='direct' dev='a' mode='x'/>"), ND_ERR_XML, "unknown mode 'x'" },
		{ PORT("<plug type='hostdev-pci'/>"), ND_ERR_XML, "needs an <address>" },
		{ PORT("<bandwidth><outbound floor='1'/></bandwidth>"),
		  ND_ERR_CONFIG_UNSUPPORTED, "'floor' is not possible in <outbound>" },
	};
	struct port_def *port = NULL;
	struct nd_error err;
	size_t i;

	for (i = 0; i < ND_COUNT(bad); i++) {
		err = (struct nd_error){ 0 };
		ck_assert_int_lt(port_def_parse(bad[i].xml, strlen(bad[i].xml), &port, &err), 0);
		ck_assert_msg(err.kind == bad[i].kind && strstr(err.text, bad[i].text), "%zu: %d %s",
			      i, err.kind, err.text);
	}
}
END_TEST

/* What the port with this content prints after it got its settings, or "CLASS: SENTENCE". */
static char *merged(const char *network, const char *content)
{
	ND_AUTO(nd_str_free) struct nd_str xml = { 0 };
	ND_AUTO(port_def_free) struct port_def *port = NULL;
	ND_AUTO(net_def_free) struct net_def *net = NULL;
	struct nd_error err = { 0 };
	char *text;

	ck_assert_msg(net_def_parse(network, strlen(network), &net, &err) == 0, "%s", err.text);
	nd_str_addf(&xml, PORT("%s"), content);
	port = parse(xml.text);
	if (port_def_merge(port, net, &err) == 0) {
		text = printed(port);
		memmove(text, strstr(text, "0a'/>") + 5, strlen(strstr(text, "0a'/>") + 5) + 1);
	} else {
		ck_assert_int_gt(asprintf(&text, "%d: %s", err.kind, err.text), 0);
	}
	return text;
}

START_TEST(a_port_takes_the_default_group_and_the_rest_from_the_network)
{
	ND_AUTO(free) char *text = merged(nat, "");

	ck_assert_str_eq(text, "<bandwidth><inbound average='9'/></bandwidth><port isolated='yes'/>"
		"<rxfilters trustGuest='yes'/>"
		"<plug type='network' bridge='virbr0' macTableManager='libvirt'/>");
}
END_TEST

START_TEST(a_named_group_replaces_the_default_one)
{
	ND_AUTO(free) char *text = merged(nat, "<group>sales</group>");

	ck_assert_ptr_null(strstr(text, "<bandwidth>"));
	ck_assert_ptr_nonnull(strstr(text, "<rxfilters trustGuest='no'/>"));
}
END_TEST

START_TEST(what_the_port_says_itself_wins)
{
	ND_AUTO(free) char *text = merged(nat, "<port isolated='no'/><rxfilters trustGuest='no'/>"
		"<bandwidth><inbound average='3' floor='2'/></bandwidth>");

	ck_assert_str_eq(text, "<bandwidth><inbound average='3' floor='2'/></bandwidth>"
		"<port isolated='no'/><rxfilters trustGuest='no'/>"
		"<plug type='network' bridge='virbr0' macTableManager='libvirt'/>");
}
END_TEST

START_TEST(an_unknown_group_is_refused)
{
	ND_AUTO(free) char *text = merged(nat, "<group>nobody</group>");

	ck_assert_str_eq(text, "67: network 'n' has no portgroup 'nobody'");
}
END_TEST

START_TEST(vlan_and_virtualport_are_merged_and_completed)
{
	ND_AUTO(free) char *plain = merged(ovs, "");
	ND_AUTO(free) char *grouped = merged(ovs, "<group>q</group><virtualport><parameters "
					     "interfaceid='" OVS_ID "'/></virtualport>");

	ck_assert_ptr_nonnull(strstr(plain, "<virtualport type='openvswitch'>"
				     "<parameters interfaceid='"));
	ck_assert_ptr_nonnull(strstr(plain, "<vlan><tag id='5'/></vlan>"
				     "<plug type='bridge' bridge='br0'/>"));
	ck_assert_str_eq(grouped, "<virtualport type='openvswitch'><parameters interfaceid='"
			 OVS_ID "' profileid='x'/></virtualport><vlan trunk='yes'><tag id='7'/>"
			 "<tag id='8'/></vlan><plug type='bridge' bridge='br0'/>");
}
END_TEST

START_TEST(a_pool_leaves_the_plug_to_the_caller)
{
	ND_AUTO(free) char *text = merged(hostdev, "");

	ck_assert_str_eq(text, "<vlan><tag id='5'/></vlan>");
}
END_TEST

START_TEST(settings_that_the_network_cannot_give_are_refused)
{
	static const struct {
		const char *network, *content, *expected;
	} bad[] = {
		{ nat, "<vlan><tag id='5'/></vlan>", "67: network 'n': its guests cannot have VLAN" },
		{ vepa, "<vlan><tag id='5'/></vlan>", "67: network 'v': its guests cannot have" },
		{ vepa, "<bandwidth><inbound floor='1'/></bandwidth>", "84: network 'v': 'floor'" },
		{ hostdev, "<bandwidth><inbound average='1'/></bandwidth>", "67: network 'h'" },
		{ nat, "<virtualport type='openvswitch'/>", "67: network 'n': <virtualport>" },
		{ ovs, "<virtualport type='midonet'/>", "27: <virtualport> (line 1): the port's "
		  "'type' is another one" },
		{ vepa, "<virtualport type='openvswitch'/>", "67: network 'v': only" },
		{ vepa, "<virtualport type='802.1Qbg'/>", "27: <virtualport>: the parameter "
		  "'managerid' is missing" },
		{ vepa, "<virtualport type='802.1Qbh'/>", "27: <virtualport>: the parameter "
		  "'profileid' is missing" },
		{ vepa, "<virtualport><parameters profileid='x'/></virtualport>",
		  "27: <virtualport>: the type is missing" },
		{ ovs, "<virtualport><parameters managerid='1'/></virtualport>",
		  "27: <virtualport>: its type does not have the parameter 'managerid'" },
	};
	size_t i;

	for (i = 0; i < ND_COUNT(bad); i++) {
		ND_AUTO(free) char *text = merged(bad[i].network, bad[i].content);

		ck_assert_msg(strncmp(text, bad[i].expected, strlen(bad[i].expected)) == 0, "%s",
			      text);
	}
}
END_TEST

START_TEST(a_floor_needs_an_inbound_of_the_network)
{
	ND_AUTO(free) char *text = merged(
		"<network><name>i</name><bridge name='b'/></network>",
		"<bandwidth><inbound average='1' floor='1'/></bandwidth>");

	ck_assert_str_eq(text, "84: network 'i': 'floor' needs <bandwidth><inbound> in the network");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("port_xml");
	TCase *tc = tcase_create("port_xml");

	tcase_add_test(tc, a_port_prints_in_the_order_of_libvirt);
	tcase_add_test(tc, every_plug_comes_back_and_fits_the_schema);
	tcase_add_test(tc, a_port_that_lacks_something_says_what);
	tcase_add_test(tc, a_port_takes_the_default_group_and_the_rest_from_the_network);
	tcase_add_test(tc, a_named_group_replaces_the_default_one);
	tcase_add_test(tc, what_the_port_says_itself_wins);
	tcase_add_test(tc, an_unknown_group_is_refused);
	tcase_add_test(tc, vlan_and_virtualport_are_merged_and_completed);
	tcase_add_test(tc, a_pool_leaves_the_plug_to_the_caller);
	tcase_add_test(tc, settings_that_the_network_cannot_give_are_refused);
	tcase_add_test(tc, a_floor_needs_an_inbound_of_the_network);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
