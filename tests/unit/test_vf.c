/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "datapath/vf.h"
#include "tests/suite.h"

/* ---- sysfs ---- */

static char sysfs[64];

static const char *in(const char *path)
{
	static char text[256];

	snprintf(text, sizeof(text), "%s/%s", sysfs, path);
	return text;
}

static void folder(const char *path)
{
	ck_assert_int_eq(mkdir(in(path), 0755), 0);
}

static void points(const char *path, const char *to)
{
	ck_assert_int_eq(symlink(to, in(path)), 0);
}

static void says(const char *path, const char *text)
{
	FILE *f = fopen(in(path), "w");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

static void device_of_pf(const char *name, const char *port, const char *port_name)
{
	char path[128];

	snprintf(path, sizeof(path), "devices/pf/net/%s", name);
	folder(path);
	snprintf(path, sizeof(path), "devices/pf/net/%s/dev_port", name);
	says(path, port);
	snprintf(path, sizeof(path), "devices/pf/net/%s/phys_port_name", name);
	says(path, port_name);
}

/* A PF with two VFs, of which the second has a device, at the second of the NIC's two sockets. */
static void make_sysfs(void)
{
	strcpy(sysfs, "/tmp/netd-sysfs-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(sysfs));
	folder("class");
	folder("class/net");
	folder("class/net/vf1");
	folder("devices");
	folder("devices/pf");
	folder("devices/pf/net");
	folder("devices/vf-a");
	folder("devices/vf-b");
	points("class/net/vf1/device", "../../../devices/vf-b");
	says("class/net/vf1/dev_port", "1\n");
	points("devices/vf-b/physfn", "../pf");
	points("devices/pf/virtfn0", "../vf-a");
	points("devices/pf/virtfn11", "../vf-b");
}

static void remove_sysfs(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -r %s", sysfs);
	ck_assert_int_eq(system(command), 0);
}

START_TEST(a_virtual_function_has_a_number_and_a_physical_one)
{
	struct nd_error err = { 0 };
	struct vf vf;

	make_sysfs();
	ck_assert_int_eq(vf_find(sysfs, "vf1", &vf, &err), 1);
	ck_assert_uint_eq(vf.n, 11);
	ck_assert_str_eq(vf.pf, "");		/* its device is in another namespace */
	device_of_pf("rep0", "1\n", "pf0vf1\n");
	device_of_pf("rep1", "1\n", "c1pf0vf1\n");
	device_of_pf("socket0", "0\n", "p0\n");
	ck_assert_int_eq(vf_find(sysfs, "vf1", &vf, &err), 1);
	ck_assert_str_eq(vf.pf, "");
	device_of_pf("socket1", "1\n", "p1\n");
	ck_assert_int_eq(vf_find(sysfs, "vf1", &vf, &err), 1);
	ck_assert_str_eq(vf.pf, "socket1");
	remove_sysfs();
}
END_TEST

START_TEST(other_devices_are_none)
{
	struct nd_error err = { 0 };
	struct vf vf;

	make_sysfs();
	folder("class/net/lo");
	folder("class/net/eth0");
	points("class/net/eth0/device", "../../../devices/pf");
	ck_assert_int_eq(vf_find(sysfs, "lo", &vf, &err), 0);
	ck_assert_int_eq(vf_find(sysfs, "eth0", &vf, &err), 0);
	ck_assert_int_eq(vf_find(sysfs, "none", &vf, &err), 0);
	ck_assert_int_eq(vf_find(sysfs, "../net/vf1", &vf, &err), 0);
	remove_sysfs();
}
END_TEST

START_TEST(one_without_a_number_is_an_error)
{
	struct nd_error err = { 0 };
	struct vf vf;

	make_sysfs();
	ck_assert_int_eq(unlink(in("devices/pf/virtfn11")), 0);
	ck_assert_int_lt(vf_find(sysfs, "vf1", &vf, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.text, "'vf1' is a virtual function, but"));
	remove_sysfs();
}
END_TEST

/* ---- messages ---- */

static void is_message(const struct nl_batch *b, size_t at, const char *expected)
{
	const struct nlmsghdr *head = nlmsg_hdr(b->reqs[at].msg);
	const uint8_t *bytes = NLMSG_DATA(head);
	size_t n = head->nlmsg_len - NLMSG_HDRLEN, len = 0;
	char text[512];

	ck_assert(!b->failed && !b->reqs[at].full);
	ck_assert_uint_eq(head->nlmsg_type, RTM_SETLINK);
	for (size_t i = 0; i < n; i++)
		len += (size_t)sprintf(text + len, "%s%02x", i && i % 4 == 0 ? " " : "", bytes[i]);
	ck_assert_str_eq(text, expected);
}

#define IFINFO "00000000 05000000 00000000 00000000 "

START_TEST(a_mac_and_a_tag_are_asked_for)
{
	const struct vf vf = { .pf = "pf0", .n = 3 };
	const struct nd_mac mac = { { 0x52, 0x54, 0, 1, 2, 3 } };
	const struct vf_setting tag = { .vlan = 42, .qos = 5, .proto = ETH_P_8021Q };
	const struct vf_setting outer = { .vlan = 42, .qos = 5, .proto = ETH_P_8021AD };
	struct nl_batch b = { 0 };

	vf_request_mac(&b, 5, &vf, &mac);
	vf_request_vlan(&b, 5, &vf, &tag);
	vf_request_vlan(&b, 5, &vf, &outer);
	is_message(&b, 0, IFINFO "30001680 2c000180 28000100 03000000 52540001 02030000 00000000 00000000 00000000 "
		   "00000000 00000000 00000000");
	is_message(&b, 1, IFINFO "18001680 14000180 10000200 03000000 2a000000 05000000");
	is_message(&b, 2, IFINFO "20001680 1c000180 18000c80 14000100 03000000 2a000000 05000000 88a80000");
	nl_batch_fini(&b);
}
END_TEST

/* What a PF says of VFs 0 and 1; without_list: as kernels did before 4.9. */
static struct nl_batch told(bool without_list)
{
	const struct ifinfomsg ifi = { .ifi_index = 5 };
	struct nl_batch b = { 0 };
	struct nl_req *rq = nl_batch_add(&b, RTM_NEWLINK, 0, &ifi, sizeof(ifi), "say");
	struct nlattr *list = nl_nest(rq, IFLA_VFINFO_LIST);

	for (uint32_t n = 0; n < 2; n++) {
		struct nlattr *info = nl_nest(rq, IFLA_VF_INFO), *vlans;
		const struct ifla_vf_mac mac = { .vf = n, .mac = { 0x52, 0, 0, 0, 0, (uint8_t)n } };
		const struct ifla_vf_vlan vlan = { .vf = n, .vlan = 40 + n, .qos = n };
		const struct ifla_vf_vlan_info outer = { .vf = n, .vlan = 40 + n, .qos = n,
							 .vlan_proto = htons(ETH_P_8021AD) };

		nl_put(rq, IFLA_VF_MAC, &mac, sizeof(mac));
		nl_put(rq, IFLA_VF_VLAN, &vlan, sizeof(vlan));
		if (!without_list) {
			vlans = nl_nest(rq, IFLA_VF_VLAN_LIST);
			nl_put(rq, IFLA_VF_VLAN_INFO, &outer, sizeof(outer));
			nl_nest_end(rq, vlans);
		}
		nl_nest_end(rq, info);
	}
	nl_nest_end(rq, list);
	return b;
}

START_TEST(a_setting_is_read)
{
	struct nl_batch b = told(false), old = told(true);
	struct vf_setting s;

	ck_assert(vf_decode(nlmsg_hdr(b.reqs[0].msg), 1, &s));
	ck_assert_uint_eq(s.mac.bytes[5], 1);
	ck_assert_uint_eq(s.vlan, 41);
	ck_assert_uint_eq(s.qos, 1);
	ck_assert_uint_eq(s.proto, ETH_P_8021AD);
	ck_assert(!vf_decode(nlmsg_hdr(b.reqs[0].msg), 2, &s));
	ck_assert(vf_decode(nlmsg_hdr(old.reqs[0].msg), 0, &s));
	ck_assert_uint_eq(s.vlan, 40);
	ck_assert_uint_eq(s.proto, ETH_P_8021Q);
	nl_batch_fini(&b);
	nl_batch_fini(&old);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vf");
	TCase *tc = tcase_create("vf");

	tcase_add_test(tc, a_virtual_function_has_a_number_and_a_physical_one);
	tcase_add_test(tc, other_devices_are_none);
	tcase_add_test(tc, one_without_a_number_is_an_error);
	tcase_add_test(tc, a_mac_and_a_tag_are_asked_for);
	tcase_add_test(tc, a_setting_is_read);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
