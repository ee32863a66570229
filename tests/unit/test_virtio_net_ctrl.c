/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The network device's control queue: which frames the guest wants, and how many pairs take part. */
#include <linux/virtio_net.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/net_scene.h"
#include "vmm/net_port.h"

static const uint8_t own[6] = SCENE_MAC, other[6] = { 0x52, 0x54, 0, 9, 9, 9 },
		     group[6] = { 1, 0, 0x5e, 1, 2, 3 }, all[6] = { 255, 255, 255, 255, 255, 255 };

static uint8_t command_u8(uint8_t class, uint8_t cmd, uint8_t value)
{
	return command(2, class, cmd, &value, 1);
}

static void wire_send_to(const uint8_t *mac, uint16_t type_or_tag, uint16_t vid)
{
	uint8_t buf[NET_HEADER_BYTES + 60];

	frame(buf, sizeof(buf));
	memcpy(buf + NET_HEADER_BYTES, mac, 6);
	buf[NET_HEADER_BYTES + 12] = (uint8_t)(type_or_tag >> 8);
	buf[NET_HEADER_BYTES + 13] = (uint8_t)type_or_tag;
	buf[NET_HEADER_BYTES + 14] = (uint8_t)(vid >> 8);
	buf[NET_HEADER_BYTES + 15] = (uint8_t)vid;
	ck_assert_int_eq(write(wires[0], buf, sizeof(buf)), sizeof(buf));
	guest_run(&g);
}

static bool passes(const uint8_t *mac)
{
	wire_send_to(mac, 0x88b5, 0);
	return got_frame(RX);
}

START_TEST(only_what_the_guest_wants_comes)
{
	guest_drive(&g, ~HAS(VIRTIO_NET_F_CTRL_VLAN), 64);
	put_buffers(RX, 60, 1500);
	ck_assert(passes(own) && passes(other) && passes(group));	/* as long as it says nothing */
	ck_assert_uint_eq(command_u8(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, 0), VIRTIO_NET_OK);
	ck_assert(port.filter_on);
	ck_assert(passes(own) && passes(all) && !passes(other) && !passes(group));
	ck_assert_uint_eq(command_u8(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_ALLMULTI, 1),
			  VIRTIO_NET_OK);
	ck_assert(passes(group) && !passes(other));
	ck_assert_uint_eq(command_u8(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_NOBCAST, 1),
			  VIRTIO_NET_OK);
	ck_assert(!passes(all));
	ck_assert_uint_eq(command_u8(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_ALLUNI, 1), VIRTIO_NET_OK);
	ck_assert(passes(other));
	ck_assert_uint_eq(command_u8(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_NOUNI, 1), VIRTIO_NET_OK);
	ck_assert(!passes(other) && !passes(own));
	ck_assert_uint_eq(command_u8(VIRTIO_NET_CTRL_RX, 6, 1), VIRTIO_NET_ERR);
	guest_set_status(&g, 0);
	ck_assert(!port.filter_on);
}
END_TEST

START_TEST(guest_lists_addresses_and_sets_its_own)
{
	uint8_t table[8 + 6 * 2] = { 1 }, mac[6] = { 0x52, 0x54, 0, 7, 7, 7 };

	memcpy(table + 4, other, 6);
	table[10] = 1;
	memcpy(table + 14, group, 6);
	guest_drive(&g, ~HAS(VIRTIO_NET_F_CTRL_VLAN), 64);
	put_buffers(RX, 60, 1500);
	command_u8(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, 0);
	ck_assert_uint_eq(command(2, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, table, 20),
			  VIRTIO_NET_OK);
	ck_assert(passes(own) && passes(other) && passes(group));
	ck_assert_uint_eq(command(2, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, mac, 6),
			  VIRTIO_NET_OK);
	ck_assert(passes(mac) && !passes(own));
	ck_assert_uint_eq(guest_read(&g, g.device + 4, 2), 0x0707);
	ck_assert_uint_eq(command(2, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, group, 6),
			  VIRTIO_NET_ERR);
	/* the next driver finds the address that the NIC was made with */
	guest_set_status(&g, 0);
	ck_assert_uint_eq(guest_read(&g, g.device + 4, 2), 0x0302);
}
END_TEST

START_TEST(tables_that_lie_about_their_length_change_nothing)
{
	uint8_t table[8 + 6] = { 1 };

	memcpy(table + 4, other, 6);
	guest_drive(&g, ~HAS(VIRTIO_NET_F_CTRL_VLAN), 64);
	put_buffers(RX, 60, 1500);
	command_u8(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, 0);
	for (unsigned len = 0; len <= sizeof(table); len++)
		ck_assert_uint_eq(command(2, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, table,
					  len), len == sizeof(table) ? VIRTIO_NET_OK : VIRTIO_NET_ERR);
	ck_assert(passes(other));
	for (unsigned i = 0; i < 8; i++) {
		static const uint32_t lies[] = { 2, 0x2aaaaaab, 0x7fffffff, 0xffffffff };
		uint8_t lie[14];

		memcpy(lie, table, sizeof(lie));
		memcpy(lie + (i < 4 ? 0 : 10), &lies[i % 4], 4);
		ck_assert_uint_eq(command(2, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, lie,
					  sizeof(lie)), VIRTIO_NET_ERR);
	}
	ck_assert(passes(other));
	ck_assert_uint_eq(command(2, 77, 0, table, 1), VIRTIO_NET_ERR);
	ck_assert_uint_eq(command(2, VIRTIO_NET_CTRL_RX, 0, "", 0), VIRTIO_NET_ERR);
	ck_assert_uint_eq(guest_status(&g), 0xf);
}
END_TEST

START_TEST(more_addresses_than_fit_let_all_of_their_kind_pass)
{
	uint8_t table[4 + 4 + 100 * 6] = { 0 };

	table[4] = 100;
	for (unsigned i = 0; i < 100; i++)
		memcpy(table + 8 + 6 * i, (uint8_t[]){ 1, 0, 0x5e, 0, 0, (uint8_t)i }, 6);
	guest_drive(&g, ~HAS(VIRTIO_NET_F_CTRL_VLAN), 64);
	put_buffers(RX, 60, 1500);
	command_u8(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, 0);
	ck_assert_uint_eq(command(2, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, table,
				  sizeof(table)), VIRTIO_NET_OK);
	ck_assert(passes(group) && !passes(other));
}
END_TEST

START_TEST(tagged_frames_come_for_listed_vlans)
{
	uint16_t vid = 7, none = 4096;

	guest_drive(&g, ~0ull, 64);
	put_buffers(RX, 60, 1500);
	wire_send_to(own, 0x8100, 7);
	ck_assert(!got_frame(RX));
	wire_send_to(own, 0x8100, 0x6000);	/* a priority, no VLAN */
	ck_assert(got_frame(RX));
	ck_assert(passes(own));
	ck_assert_uint_eq(command(2, VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_ADD, &vid, 2),
			  VIRTIO_NET_OK);
	wire_send_to(own, 0x8100, 0xe007);
	ck_assert(got_frame(RX));
	ck_assert_uint_eq(command(2, VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_DEL, &vid, 2),
			  VIRTIO_NET_OK);
	wire_send_to(own, 0x8100, 7);
	ck_assert(!got_frame(RX));
	ck_assert_uint_eq(command(2, VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_ADD, &none, 2),
			  VIRTIO_NET_ERR);
}
END_TEST

START_TEST(pairs_take_part_when_the_guest_says_so)
{
	uint16_t two = 2, zero = 0, many = 4, one = 1;

	unplug();
	plug(3, 256, VMM_NIC_FEATURES);
	ck_assert(port.attached[0] && !port.attached[1] && !port.attached[2]);
	guest_drive(&g, ~0ull, 64);
	put_buffers(2, 4, 1500);
	ck_assert_uint_eq(command(6, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, &two, 2),
			  VIRTIO_NET_OK);
	ck_assert(port.attached[0] && port.attached[1] && !port.attached[2]);
	wire_send(1, 400);
	ck_assert(got_frame(2));
	ck_assert_uint_eq(command(6, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, &zero, 2),
			  VIRTIO_NET_ERR);
	ck_assert_uint_eq(command(6, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, &many, 2),
			  VIRTIO_NET_ERR);
	ck_assert_uint_eq(command(6, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, &one, 2),
			  VIRTIO_NET_OK);
	ck_assert(!port.attached[1]);
	wire_send(1, 400);
	ck_assert(!got_frame(2));
	/* a driver that knows no pairs: its control queue is the third, and it has one pair */
	guest_drive(&g, ~HAS(VIRTIO_NET_F_MQ), 64);
	ck_assert_uint_eq(command(2, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, "", 1),
			  VIRTIO_NET_OK);
	ck_assert_uint_eq(command(2, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, &two, 2),
			  VIRTIO_NET_ERR);
}
END_TEST

static void add_tests(TCase *t)
{
	tcase_add_test(t, only_what_the_guest_wants_comes);
	tcase_add_test(t, guest_lists_addresses_and_sets_its_own);
	tcase_add_test(t, tables_that_lie_about_their_length_change_nothing);
	tcase_add_test(t, more_addresses_than_fit_let_all_of_their_kind_pass);
	tcase_add_test(t, tagged_frames_come_for_listed_vlans);
	tcase_add_test(t, pairs_take_part_when_the_guest_says_so);
}

int main(void)
{
	return scene_run("virtio-net control", add_tests);
}
