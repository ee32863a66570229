/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Filters become rules of a port: chains and their order, variables, directions, connections. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netd/base/str.h"
#include "netd/compile/nwfilter.h"
#include "tests/suite.h"

#define MAX_FILTERS 16

static struct nwfilter_def *filters[MAX_FILTERS];
static size_t n_filters;
static struct nd_error err;

static void set_up(void)
{
	n_filters = 0;
	err = (struct nd_error){ 0 };
}

static void tear_down(void)
{
	while (n_filters)
		nwfilter_def_free(filters[--n_filters]);
}

static const struct nwfilter_def *find(void *arg, const char *name)
{
	for (size_t i = 0; i < n_filters; i++)
		if (nd_streq(filters[i]->name, name))
			return filters[i];
	return NULL;
}

static struct nwfilter_def *parse(const char *xml)
{
	struct nwfilter_def *def = NULL;

	if (nwfilter_def_parse(xml, strlen(xml), &def, &err) < 0)
		ck_abort_msg("%s\n%s", err.text, xml);
	return def;
}

/* <filter name='NAME' ATTRS>CONTENT</filter> */
static void filter(const char *name, const char *attrs, const char *content)
{
	char xml[4096];

	snprintf(xml, sizeof(xml), "<filter name='%s' %s>\n%s</filter>", name, attrs, content);
	filters[n_filters++] = parse(xml);
}

/* Of a NIC with <filterref filter='f'>PARAMS</filterref>; NULL after an error. */
static char *compile(const char *params)
{
	struct nic_filter nic = { .ifname = "vnet0" };
	struct port_filter *port = NULL;
	struct nwfilter_def *outer;
	char xml[1024], *text = NULL;

	snprintf(xml, sizeof(xml), "<filter name='outer'><filterref filter='f'>%s</filterref></filter>", params);
	outer = parse(xml);
	nic.ref = &outer->entries[0].ref;
	ck_assert(nd_mac_parse("52:54:00:00:00:01", &nic.mac));
	if (compile_port_filter(&nic, find, NULL, &port, &err) == 0)
		text = port_filter_format(port);
	port_filter_free(port);
	nwfilter_def_free(outer);
	return text;
}

static void compiles(const char *params, const char *wanted)
{
	char *text = compile(params);

	if (!text)
		ck_abort_msg("%s", err.text);
	ck_assert_str_eq(text, wanted);
	free(text);
}

static void refuses(const char *params, const char *wanted)
{
	char *text = compile(params);

	ck_assert_msg(!text, "%s", text);
	ck_assert_msg(strstr(err.text, wanted), "'%s' is not in '%s'", wanted, err.text);
}

START_TEST(frames_by_direction)
{
	filter("f", "chain='root'",
	       "<rule action='drop' direction='out'><mac srcmacaddr='$MAC' match='no'/></rule>"
	       "<rule action='accept' direction='in'><ip srcipaddr='10.0.0.0' srcipmask='8' protocol='udp' dstportstart='67'/></rule>"
	       "<rule action='drop' direction='inout'><arp opcode='1' arpsrcipaddr='10.0.0.1'/></rule>");
	compiles("",
		 "frames_from: link+6:6 != 525400000001 -> drop\n"
		 "frames_from: link+12:2 == 0806, net+0:2 == 0001, net+2:2 == 0800, net+4:1 == 06, net+5:1 == 04, "
		 "net+6:2 == 0001, net+24:4 == 0a000001 -> drop\n"
		 "frames_to: link+12:2 == 0800, net+12:4 & ff000000 == 0a000000, l4proto == 11, transport+2:2 == 0043 -> accept\n"
		 "frames_to: link+12:2 == 0806, net+0:2 == 0001, net+2:2 == 0800, net+4:1 == 06, net+5:1 == 04, "
		 "net+6:2 == 0001, net+14:4 == 0a000001 -> drop\n");
}
END_TEST

START_TEST(chains_are_entered_by_priority)
{
	filter("late", "chain='arp' priority='-100'", "<rule action='accept' direction='out'><arp/></rule>");
	filter("early", "chain='ipv4-x'", "<rule action='return' direction='out' priority='5'><ip/></rule>"
	       "<rule action='drop' direction='out' priority='4'/>");
	filter("f", "", "<rule action='drop' direction='out' priority='-500'><mac protocolid='0x88cc'/></rule>"
	       "<filterref filter='late'/><filterref filter='early'/>"
	       "<rule action='drop' direction='out' priority='-200'><vlan vlanid='7'/></rule>"
	       "<rule action='drop' direction='inout' priority='1000'/>");
	compiles("",
		 "frames_from: link+12:2 == 0800 -> jump frames_from_ipv4-x\n"
		 "frames_from: link+12:2 == 88cc -> drop\n"
		 "frames_from: link+12:2 == 8100, link+14:2 & 0fff == 0007 -> drop\n"
		 "frames_from: link+12:2 == 0806 -> jump frames_from_arp\n"
		 "frames_from: -> drop\n"
		 "frames_to: -> drop\n"
		 "frames_from_ipv4-x: -> drop\n"
		 "frames_from_ipv4-x: link+12:2 == 0800 -> return\n"
		 "frames_from_arp: link+12:2 == 0806 -> accept\n");
}
END_TEST

/* NF_CT_STATE: new 8, established 2, related 4, invalid 1. */
START_TEST(what_is_let_through_is_answered)
{
	filter("f", "",
	       "<rule action='accept' direction='out'><tcp dstportstart='80' dstportend='81'/></rule>"
	       "<rule action='accept' direction='in'><icmpv6 type='128'/></rule>"
	       "<rule action='accept' direction='in'><tcp state='RELATED,INVALID'/></rule>"
	       "<rule action='accept' direction='out' statematch='false'><sctp/></rule>"
	       "<rule action='reject' direction='inout'><all/></rule>");
	compiles("",
		 "packets_from: link+12:2 == 0800, l4proto == 06, transport+2:2 in 0050-0051, ct state & 0000000a != 00000000 -> accept\n"
		 "packets_from: link+12:2 == 0800, l4proto == 84 -> accept\n"
		 "packets_from: link+12:2 == 0800 -> reject\n"
		 "packets_to: link+12:2 == 0800, l4proto == 06, transport+0:2 in 0050-0051, ct state & 00000002 != 00000000 -> accept\n"
		 "packets_to: link+12:2 == 86dd, l4proto == 3a, transport+0:1 == 80, ct state & 0000000a != 00000000 -> accept\n"
		 "packets_to: link+12:2 == 0800, l4proto == 06, ct state & 00000005 != 00000000 -> accept\n"
		 "packets_to: link+12:2 == 0800, l4proto == 84 -> accept\n"
		 "packets_to: link+12:2 == 0800 -> drop\n");
}
END_TEST

START_TEST(values_of_many_kinds)
{
	filter("f", "",
	       "<rule action='drop' direction='out'><tcp flags='SYN,ACK/SYN' option='8' dscp='10' connlimit-above='3'/></rule>"
	       "<rule action='drop' direction='out'><udp-ipv6 dscp='10' srcipfrom='fd00::1' srcipto='fd00::9'/></rule>"
	       "<rule action='drop' direction='out'><stp root-priority='1' root-priority-hi='2' root-cost='5'/></rule>"
	       "<rule action='drop' direction='out'><ip srcipaddr='10.0.0.1' match='no'/></rule>"
	       "<rule action='drop' direction='out'><udp srcipfrom='10.0.0.1' srcipto='10.0.0.2' match='no' comment='not these'/></rule>");
	compiles("",
		 "frames_from: link+0:6 == 0180c2000000, link+14:3 == 424203, link+22:2 in 0001-0002, link+30:4 == 00000005 -> drop\n"
		 "frames_from: link+12:2 == 0800, net+12:4 != 0a000001 -> drop\n"
		 "packets_from: link+12:2 == 0800, l4proto == 06, transport+13:1 & 12 == 02, tcp option 8, net+1:1 & fc == 28, ct state & 00000008 != 00000000, ct over 3 -> drop\n"
		 "packets_from: link+12:2 == 86dd, l4proto == 11, net+0:2 & 0fc0 == 0280, "
		 "net+8:16 in fd000000000000000000000000000001-fd000000000000000000000000000009 -> drop\n"
		 "packets_from: link+12:2 == 0800, l4proto == 11, net+12:4 not in 0a000001-0a000002 -> drop # not these\n");
}
END_TEST

static const char lists[] =
	"<parameter name='A' value='10.0.0.1'/><parameter name='A' value='10.0.0.2'/>"
	"<parameter name='P' value='1'/><parameter name='P' value='2'/>";

START_TEST(lists_give_a_rule_for_each_value)
{
	filter("f", "", "<rule action='drop' direction='out'><ip srcipaddr='$A' protocol='$P'/></rule>"
	       "<rule action='drop' direction='out'><ip srcipaddr='$A[@1]' protocol='$P[@2]'/></rule>"
	       "<rule action='drop' direction='out'><ip srcipaddr='$A[1]'/></rule>");
	compiles(lists,
		 "frames_from: link+12:2 == 0800, net+12:4 == 0a000001, l4proto == 01 -> drop\n"
		 "frames_from: link+12:2 == 0800, net+12:4 == 0a000002, l4proto == 02 -> drop\n"
		 "frames_from: link+12:2 == 0800, net+12:4 == 0a000001, l4proto == 01 -> drop\n"
		 "frames_from: link+12:2 == 0800, net+12:4 == 0a000002, l4proto == 01 -> drop\n"
		 "frames_from: link+12:2 == 0800, net+12:4 == 0a000001, l4proto == 02 -> drop\n"
		 "frames_from: link+12:2 == 0800, net+12:4 == 0a000002, l4proto == 02 -> drop\n"
		 "frames_from: link+12:2 == 0800, net+12:4 == 0a000002 -> drop\n");
}
END_TEST

START_TEST(parameters_of_the_nic_come_first)
{
	filter("inner", "", "<rule action='drop' direction='out'><ip srcipaddr='$A' dstipaddr='$B'/></rule>");
	filter("f", "", "<filterref filter='inner'><parameter name='A' value='10.9.9.9'/><parameter name='B' value='10.0.0.3'/></filterref>");
	compiles("<parameter name='A' value='10.0.0.1'/>",
		 "frames_from: link+12:2 == 0800, net+12:4 == 0a000001, net+16:4 == 0a000003 -> drop\n");
}
END_TEST

START_TEST(an_address_nobody_gave_is_learned)
{
	filter("f", "", "<rule action='return' direction='out'><ip srcipaddr='$IP'/></rule>"
	       "<rule action='drop' direction='in'><arp arpdstipaddr='$IP' match='no'/></rule>");
	compiles("",
		 "frames_from: link+6:6 == 525400000001, link+12:2 == 0806, net+0:2 == 0001, net+2:2 == 0800, net+4:1 == 06, "
		 "net+5:1 == 04, net+14:4 in 00000001-dfffffff, net+14:4 learn -> continue\n"
		 "frames_from: link+6:6 == 525400000001, link+12:2 == 0800, net+12:4 in 00000001-dfffffff, net+12:4 learn -> continue\n"
		 "frames_from: link+12:2 == 0800, net+12:4 is learned -> return\n"
		 "frames_to: link+12:2 == 0806, net+0:2 == 0001, net+2:2 == 0800, net+4:1 == 06, net+5:1 == 04, "
		 "net+24:4 is not learned -> drop\n");
	compiles("<parameter name='CTRL_IP_LEARNING' value='dhcp'/><parameter name='DHCPSERVER' value='10.0.0.9'/>",
		 "frames_from: link+12:2 == 0800, net+12:4 is learned -> return\n"
		 "frames_to: link+12:2 == 0800, l4proto == 11, transport+0:4 == 00430044, transport+8:3 == 020106, "
		 "transport+36:6 == 525400000001, transport+244:7 == 63825363350105, net+12:4 == 0a000009, "
		 "transport+24:4 in 00000001-dfffffff, transport+24:4 learn -> continue\n"
		 "frames_to: link+12:2 == 0806, net+0:2 == 0001, net+2:2 == 0800, net+4:1 == 06, net+5:1 == 04, "
		 "net+24:4 is not learned -> drop\n");
	refuses("<parameter name='CTRL_IP_LEARNING' value='none'/>", "the variable 'IP' has no value");
	refuses("<parameter name='CTRL_IP_LEARNING' value='often'/>", "CTRL_IP_LEARNING is 'any', 'dhcp' or 'none', not 'often'");
}
END_TEST

START_TEST(what_cannot_be_is_refused)
{
	refuses("", "<filterref> (line 1): no network filter with matching name 'f'");
	filter("f", "", "<rule action='drop' direction='out'><ip srcipaddr='$A' protocol='$P'/></rule>");
	refuses("<parameter name='A' value='10.0.0.1'/>", "filter 'f', <rule> in line 2: the variable 'P' has no value");
	refuses("<parameter name='A' value='10.0.0.1'/><parameter name='P' value='1'/><parameter name='P' value='2'/>",
		"$A and $P are walked together and have 1 and 2 values");
	refuses("<parameter name='A' value='me'/><parameter name='P' value='1'/>", "'me'");
	tear_down();
	filter("f", "", "<rule action='drop' direction='out'><arp gratuitous='yes'/></rule>");
	refuses("", "'gratuitous' is not supported");
	tear_down();
	filter("f", "", "<rule action='drop' direction='out'><udp dstportstart='9' dstportend='$P'/></rule>");
	refuses("<parameter name='P' value='8'/>", "'dstportend' is below where the range begins");
}
END_TEST

START_TEST(rules_have_bounds)
{
	char params[1024];
	size_t len = 0;

	filter("f", "", "<rule action='drop' direction='out'><ip srcipaddr='10.0.0.1' protocol='$A[@1]' srcportstart='$A[@2]' "
	       "dstportstart='$A[@3]' dscp='$A[@4]'/></rule>");
	for (int i = 0; i < 9; i++)
		len += (size_t)sprintf(params + len, "<parameter name='A' value='%d'/>", i);
	refuses(params, "it comes to more than 4096 rules");
}
END_TEST

START_TEST(filters_that_each_include_the_next_twice_have_bounds)
{
	char name[8], body[128];

	filter("f13", "", "");
	for (int i = 12; i >= 0; i--) {
		snprintf(name, sizeof(name), i ? "f%d" : "f", i);
		snprintf(body, sizeof(body), "<filterref filter='f%d'/><filterref filter='f%d'/>", i + 1, i + 1);
		filter(name, "", body);
	}
	refuses("", "it comes to more than 4096 filters");
}
END_TEST

static void add_tests(TCase *t)
{
	tcase_add_test(t, frames_by_direction);
	tcase_add_test(t, chains_are_entered_by_priority);
	tcase_add_test(t, what_is_let_through_is_answered);
	tcase_add_test(t, values_of_many_kinds);
	tcase_add_test(t, lists_give_a_rule_for_each_value);
	tcase_add_test(t, parameters_of_the_nic_come_first);
	tcase_add_test(t, an_address_nobody_gave_is_learned);
	tcase_add_test(t, what_cannot_be_is_refused);
	tcase_add_test(t, rules_have_bounds);
	tcase_add_test(t, filters_that_each_include_the_next_twice_have_bounds);
}

int main(void)
{
	return suite_run_case("nwfilter_rules", set_up, tear_down, add_tests);
}
