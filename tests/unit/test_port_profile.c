/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <string.h>

#include "datapath/port_profile.h"
#include "tests/suite.h"

static const struct port_profile qbg = {
	.kind = PORT_PROFILE_QBG, .ifname = "eth0", .ifindex = 7, .mac = { { 0x52, 0x54, 0, 1, 2, 3 } },
	.instance = { { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 } }, .vlan = 42, .manager = 11,
	.type = 0x10203, .version = 4, .vf = (uint32_t)PORT_SELF_VF,
};

static const struct port_profile qbh = {
	.kind = PORT_PROFILE_QBH, .ifname = "pf0", .ifindex = 7, .mac = { { 0x52, 0x54, 0, 1, 2, 3 } },
	.instance = { { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 } }, .vf = 3, .name = "gold",
	.host = { { 0xf1 } },
};

/* The message's bytes behind its head, in hex, a blank after each four. */
static const char *hex(const struct nl_batch *b, char out[1024])
{
	const struct nlmsghdr *head = nlmsg_hdr(b->reqs[0].msg);
	const uint8_t *bytes = NLMSG_DATA(head);
	size_t n = head->nlmsg_len - NLMSG_HDRLEN, at = 0;

	for (size_t i = 0; i < n; i++)
		at += (size_t)sprintf(out + at, "%s%02x", i && i % 4 == 0 ? " " : "", bytes[i]);
	return out;
}

static void is_message(struct nl_batch *b, uint16_t type, const char *expected)
{
	char text[1024];

	ck_assert(!b->failed && !b->reqs[0].full);
	ck_assert_uint_eq(nlmsg_hdr(b->reqs[0].msg)->nlmsg_type, type);
	ck_assert_str_eq(hex(b, text), expected);
	nl_batch_fini(b);
}

#define IFINFO "00000000 07000000 00000000 00000000 "
#define INSTANCE "14000400 01020304 05060708 090a0b0c 0d0e0f10 "

START_TEST(lldpad_is_told_of_a_vsi)
{
	struct nl_batch b = { 0 };

	port_profile_request(&b, &qbg, PORT_REQUEST_ASSOCIATE);
	is_message(&b, RTM_SETLINK, IFINFO
		   "09000300 65746830 00000000 "			/* IFLA_IFNAME */
		   "40001680 3c000180 "					/* IFLA_VFINFO_LIST, IFLA_VF_INFO */
		   "28000100 ffffffff 52540001 02030000 00000000 00000000 00000000 00000000 00000000 00000000 "
		   "10000200 ffffffff 2a000000 00000000 "		/* IFLA_VF_VLAN */
		   "30001880 2c000180 "					/* IFLA_VF_PORTS, IFLA_VF_PORT */
		   "0c000300 0b030201 04000000 "			/* IFLA_PORT_VSI_TYPE */
		   INSTANCE "05000600 02000000");			/* IFLA_PORT_REQUEST */
}
END_TEST

START_TEST(lldpad_is_told_of_its_end)
{
	struct nl_batch b = { 0 };
	char text[1024];

	port_profile_request(&b, &qbg, PORT_REQUEST_DISASSOCIATE);
	ck_assert_ptr_nonnull(strstr(hex(&b, text), INSTANCE "05000600 03000000"));
	nl_batch_fini(&b);
}
END_TEST

START_TEST(a_driver_is_told_of_a_virtual_function)
{
	struct nl_batch b = { 0 };

	port_profile_request(&b, &qbh, PORT_REQUEST_ASSOCIATE);
	is_message(&b, RTM_SETLINK, IFINFO
		   "30001680 2c000180 "
		   "28000100 03000000 52540001 02030000 00000000 00000000 00000000 00000000 00000000 00000000 "
		   "4c001880 48000180 "
		   "08000100 03000000 "					/* IFLA_PORT_VF */
		   "09000200 676f6c64 00000000 "			/* IFLA_PORT_PROFILE */
		   INSTANCE
		   "14000500 f1000000 00000000 00000000 00000000 "	/* IFLA_PORT_HOST_UUID */
		   "05000600 02000000");
	port_profile_request(&b, &qbh, PORT_REQUEST_DISASSOCIATE);
	is_message(&b, RTM_SETLINK, IFINFO
		   "30001680 2c000180 "
		   "28000100 03000000 52540001 02030000 00000000 00000000 00000000 00000000 00000000 00000000 "
		   "18001880 14000180 08000100 03000000 05000600 03000000");
}
END_TEST

START_TEST(a_driver_is_told_of_the_device_itself)
{
	struct port_profile self = qbh;
	struct nl_batch b = { 0 };

	self.vf = (uint32_t)PORT_SELF_VF;
	self.host = (struct nd_uuid){ 0 };
	port_profile_request(&b, &self, PORT_REQUEST_ASSOCIATE);
	is_message(&b, RTM_SETLINK, IFINFO "2c001980 09000200 676f6c64 00000000 " INSTANCE "05000600 02000000");
}
END_TEST

START_TEST(what_became_of_it_is_asked)
{
	struct nl_batch b = { 0 };

	port_profile_question(&b, &qbg);
	is_message(&b, RTM_GETLINK, IFINFO "09000300 65746830 00000000");
	port_profile_question(&b, &qbh);
	is_message(&b, RTM_GETLINK, IFINFO "08001d00 09000000");	/* IFLA_EXT_MASK */
}
END_TEST

/* An answer whose attributes are given as 32-bit words. */
static int response_in(const struct port_profile *p, const uint32_t *words, size_t n)
{
	struct { struct nlmsghdr head; struct ifinfomsg ifi; uint32_t words[64]; } m = {
		.head = { .nlmsg_type = NLMSG_DONE },
	};

	memcpy(m.words, words, n * sizeof(*words));
	m.head.nlmsg_len = (uint32_t)(sizeof(m.head) + sizeof(m.ifi) + n * sizeof(*words));
	return port_profile_response(&m.head, p);
}
#define RESPONSE_IN(p_, ...) \
	response_in(p_, (const uint32_t[]){ __VA_ARGS__ }, sizeof((const uint32_t[]){ __VA_ARGS__ }) / 4)
#define HEAD(type_, len_) ((uint32_t)(type_) << 16 | (len_))
#define OURS HEAD(4, 20), 0x04030201, 0x08070605, 0x0c0b0a09, 0x100f0e0d
#define ANOTHERS HEAD(4, 20), 1, 2, 3, 4
#define SELF_VF HEAD(2, 8), 0xffffffff

START_TEST(the_switchs_response_is_that_to_our_instance)
{
	/* each instance in a nest of its own ... */
	ck_assert_int_eq(RESPONSE_IN(&qbg, HEAD(24 | 0x8000, 76), HEAD(1 | 0x8000, 36), ANOTHERS, SELF_VF,
				     HEAD(7, 6), 3), PORT_PROFILE_NO_RESPONSE);
	ck_assert_int_eq(RESPONSE_IN(&qbg, HEAD(24 | 0x8000, 84), HEAD(1 | 0x8000, 40), ANOTHERS, SELF_VF,
				     HEAD(7, 6), 3, HEAD(1 | 0x8000, 40), OURS, SELF_VF, HEAD(7, 6), 2), 2);
	/* ... or all in one */
	ck_assert_int_eq(RESPONSE_IN(&qbg, HEAD(24, 80), HEAD(1, 76), ANOTHERS, SELF_VF, HEAD(7, 6), 3, OURS, SELF_VF,
				     HEAD(7, 6), 0), 0);
	ck_assert_int_eq(RESPONSE_IN(&qbg, HEAD(24, 36), HEAD(1, 32), OURS, SELF_VF), PORT_PROFILE_NO_RESPONSE);
	ck_assert_int_eq(RESPONSE_IN(&qbg, HEAD(24, 4)), PORT_PROFILE_NO_RESPONSE);
	ck_assert_int_eq(response_in(&qbg, (const uint32_t[]){ 0 }, 0), PORT_PROFILE_NO_RESPONSE);
}
END_TEST

START_TEST(the_drivers_response_is_that_to_our_function)
{
	struct port_profile self = qbh;

	self.vf = (uint32_t)PORT_SELF_VF;
	ck_assert_int_eq(RESPONSE_IN(&qbh, HEAD(24, 44), HEAD(1, 20), HEAD(1, 8), 2, HEAD(7, 6), 0x102,
				     HEAD(1, 20), HEAD(1, 8), 3, HEAD(7, 6), 0x100), 0x100);
	ck_assert_int_eq(RESPONSE_IN(&qbh, HEAD(24, 24), HEAD(1, 20), HEAD(1, 8), 2, HEAD(7, 6), 0x100),
			 PORT_PROFILE_NO_RESPONSE);
	ck_assert_int_eq(RESPONSE_IN(&self, HEAD(25, 12), HEAD(7, 6), 0x101), 0x101);
	ck_assert_int_eq(RESPONSE_IN(&self, HEAD(24, 24), HEAD(1, 20), HEAD(1, 8), 3, HEAD(7, 6), 0x100),
			 PORT_PROFILE_NO_RESPONSE);
}
END_TEST

START_TEST(a_response_is_judged)
{
	struct nd_error err = { 0 };

	ck_assert_int_eq(port_profile_judge(PORT_PROFILE_NO_RESPONSE, &qbg, &err), 0);
	ck_assert_int_eq(port_profile_judge(PORT_VDP_RESPONSE_SUCCESS, &qbg, &err), 1);
	ck_assert_int_eq(port_profile_judge(PORT_PROFILE_RESPONSE_SUCCESS, &qbh, &err), 1);
	ck_assert_int_eq(port_profile_judge(PORT_PROFILE_RESPONSE_INPROGRESS, &qbh, &err), 0);
	ck_assert_int_lt(port_profile_judge(PORT_PROFILE_RESPONSE_SUCCESS, &qbg, &err), 0);
	ck_assert_int_lt(port_profile_judge(PORT_PROFILE_RESPONSE_ERROR, &qbh, &err), 0);
	ck_assert_str_eq(err.text, "the switch at 'pf0' refuses the guest: it failed there (response 261)");
	ck_assert_int_lt(port_profile_judge(77, &qbg, &err), 0);
	ck_assert_str_eq(err.text, "the switch at 'eth0' refuses the guest: it does not say why (response 77)");
	ck_assert_int_lt(port_profile_judge(0xffff, &qbg, &err), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("port_profile");
	TCase *tc = tcase_create("port_profile");

	tcase_add_test(tc, lldpad_is_told_of_a_vsi);
	tcase_add_test(tc, lldpad_is_told_of_its_end);
	tcase_add_test(tc, a_driver_is_told_of_a_virtual_function);
	tcase_add_test(tc, a_driver_is_told_of_the_device_itself);
	tcase_add_test(tc, what_became_of_it_is_asked);
	tcase_add_test(tc, the_switchs_response_is_that_to_our_instance);
	tcase_add_test(tc, the_drivers_response_is_that_to_our_function);
	tcase_add_test(tc, a_response_is_judged);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
