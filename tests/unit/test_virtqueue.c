/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The device's end of a split virtqueue against a driver that keeps the rules, and one that does not. */
#include <check.h>
#include <string.h>

#include "tests/suite.h"
#include "tests/unit/virtio_driver.h"
#include "vmm/virtqueue.h"

#define RAM (16u << 20)
#define RINGS 0x100000
#define DATA 0x200000
#define TABLE 0x300000

static struct memory *memory;
static struct virtqueue vq;
static struct drv_queue drv;
static struct iovec iov[VIRTQUEUE_SIZE_MAX];
static struct vq_chain chain;

static void setup(void)
{
	struct nd_error err = { 0 };

	ck_assert_msg(memory_new(RAM, &memory, &err) == 0, "%s", err.text);
	drv_queue_init(&drv, memory, RINGS, 8);
	virtqueue_init(&vq, memory, 16);
}

static void teardown(void)
{
	memory_free(memory);
}

static bool start(bool event_idx)
{
	vq.size = drv.size;
	vq.desc_gpa = drv.desc_gpa;
	vq.avail_gpa = drv.avail_gpa;
	vq.used_gpa = drv.used_gpa;
	drv.event_idx = event_idx;
	return virtqueue_start(&vq, event_idx, true);
}

static void must_break(const char *why)
{
	ck_assert(!virtqueue_pop(&vq, iov, &chain));
	ck_assert(vq.broken);
	ck_assert_str_eq(vq.why, why);
	/* and for good, also when the guest mends its ring */
	drv.desc[0] = (struct vring_desc){ .addr = DATA, .len = 16 };
	ck_assert(!virtqueue_pop(&vq, iov, &chain));
	ck_assert(!virtqueue_kicks_on(&vq));
	virtqueue_push(&vq, 0, 0);
	ck_assert(!virtqueue_publish(&vq));
	ck_assert_uint_eq(drv.used->idx, 0);
}

START_TEST(chain_comes_as_buffers_and_goes_back)
{
	struct drv_buffer b[] = { { DATA, 12, false }, { DATA + 100, 500, false },
				  { DATA + 1000, 64, true } };
	uint16_t head;
	uint32_t len;

	ck_assert(start(false));
	ck_assert(!virtqueue_pop(&vq, iov, &chain));
	drv_add(&drv, b, 3);
	ck_assert_uint_eq(virtqueue_waiting(&vq), 1);
	ck_assert(virtqueue_pop(&vq, iov, &chain));
	ck_assert_uint_eq(chain.n_out, 2);
	ck_assert_uint_eq(chain.n_in, 1);
	ck_assert_uint_eq(chain.out_bytes, 512);
	ck_assert_uint_eq(chain.in_bytes, 64);
	ck_assert_ptr_eq(iov[1].iov_base, drv_at(memory, DATA + 100, 500));
	ck_assert_uint_eq(iov[2].iov_len, 64);
	virtqueue_push(&vq, chain.head, 33);
	ck_assert(!drv_get(&drv, &head, &len));		/* not before it is published */
	ck_assert(virtqueue_publish(&vq));
	ck_assert(drv_get(&drv, &head, &len));
	ck_assert_uint_eq(head, chain.head);
	ck_assert_uint_eq(len, 33);
	ck_assert(!virtqueue_publish(&vq));
}
END_TEST

START_TEST(indices_wrap)
{
	struct drv_buffer b = { DATA, 64, true };
	uint16_t head;
	uint32_t len;

	ck_assert(start(true));
	for (unsigned i = 0; i < 70000; i++) {
		uint16_t added = drv_add(&drv, &b, 1);

		drv_interrupts_on(&drv);
		ck_assert(virtqueue_pop(&vq, iov, &chain));
		virtqueue_push(&vq, chain.head, i);
		ck_assert(virtqueue_publish(&vq));
		ck_assert(drv_get(&drv, &head, &len));
		ck_assert_uint_eq(head, added);
		ck_assert_uint_eq(len, i);
	}
}
END_TEST

START_TEST(unpopped_chain_comes_again)
{
	struct drv_buffer b[] = { { DATA, 10, false }, { DATA, 20, false } };

	ck_assert(start(false));
	drv_add(&drv, &b[0], 1);
	drv_add(&drv, &b[1], 1);
	ck_assert(virtqueue_pop(&vq, iov, &chain) && chain.out_bytes == 10);
	ck_assert(virtqueue_pop(&vq, iov, &chain) && chain.out_bytes == 20);
	virtqueue_unpop(&vq, 1);
	ck_assert(virtqueue_pop(&vq, iov, &chain) && chain.out_bytes == 20);
	ck_assert(!virtqueue_pop(&vq, iov, &chain));
}
END_TEST

START_TEST(indirect_table_is_followed_wherever_it_lies)
{
	struct drv_buffer b[12];

	for (unsigned i = 0; i < 12; i++)
		b[i] = (struct drv_buffer){ DATA + i * 64, 8 + i, i >= 6 };
	ck_assert(start(false));
	/* longer than the ring (8), not longer than the device's queue (16) */
	drv_add_indirect(&drv, b, 12, TABLE + 3);
	ck_assert(virtqueue_pop(&vq, iov, &chain));
	ck_assert_uint_eq(chain.n_out, 6);
	ck_assert_uint_eq(chain.n_in, 6);
	ck_assert_uint_eq(iov[11].iov_len, 19);
}
END_TEST

START_TEST(rings_must_be_in_ram_aligned_and_of_a_size_that_is_one)
{
	static const struct {
		int64_t desc, avail, used;
		uint16_t size;
	} bad[] = {
		{ 8, 0, 0, 8 }, { 0, 1, 0, 8 }, { 0, 0, 2, 8 },
		{ RAM - RINGS - 64, 0, 0, 8 }, { 0, RAM, 0, 8 }, { 0, 0, (int64_t)1 << 40, 8 },
		{ -0x100000 - 16, 0, 0, 8 },
		{ 0, 0, 0, 0 }, { 0, 0, 0, 6 }, { 0, 0, 0, 32 },
	};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		virtqueue_reset(&vq);
		vq.size = bad[i].size;
		vq.desc_gpa = drv.desc_gpa + (uint64_t)bad[i].desc;
		vq.avail_gpa = drv.avail_gpa + (uint64_t)bad[i].avail;
		vq.used_gpa = drv.used_gpa + (uint64_t)bad[i].used;
		ck_assert_msg(!virtqueue_start(&vq, true, true), "case %u", i);
		ck_assert(vq.broken && !virtqueue_running(&vq));
		ck_assert(!virtqueue_pop(&vq, iov, &chain));
	}
	virtqueue_reset(&vq);
	ck_assert(start(true));
}
END_TEST

START_TEST(index_far_ahead_breaks)
{
	ck_assert(start(false));
	drv.avail->idx = 9;
	must_break("its available index is ahead by more than the ring holds");
}
END_TEST

START_TEST(head_outside_the_table_breaks)
{
	ck_assert(start(false));
	drv_show(&drv, 8);
	must_break("the available ring names a descriptor that is none");
}
END_TEST

START_TEST(next_outside_the_table_breaks)
{
	ck_assert(start(false));
	drv.desc[0] = (struct vring_desc){ DATA, 8, VRING_DESC_F_NEXT, 8 };
	drv_show(&drv, 0);
	must_break("a chain leads out of its table");
}
END_TEST

START_TEST(loop_breaks)
{
	ck_assert(start(false));
	drv.desc[0] = (struct vring_desc){ DATA, 8, VRING_DESC_F_NEXT, 1 };
	drv.desc[1] = (struct vring_desc){ DATA, 8, VRING_DESC_F_NEXT, 0 };
	drv_show(&drv, 0);
	must_break("a chain is longer than the queue");
}
END_TEST

START_TEST(buffer_outside_ram_breaks)
{
	ck_assert(start(false));
	drv.desc[0] = (struct vring_desc){ RAM - 8, 9, 0, 0 };
	drv_show(&drv, 0);
	must_break("a buffer is not in RAM");
}
END_TEST

START_TEST(buffer_past_the_end_of_addresses_breaks)
{
	ck_assert(start(false));
	drv.desc[0] = (struct vring_desc){ UINT64_MAX - 7, 16, 0, 0 };
	drv_show(&drv, 0);
	must_break("a buffer is not in RAM");
}
END_TEST

START_TEST(empty_buffer_breaks)
{
	ck_assert(start(false));
	drv.desc[0] = (struct vring_desc){ DATA, 0, 0, 0 };
	drv_show(&drv, 0);
	must_break("a buffer has no length");
}
END_TEST

START_TEST(read_after_write_breaks)
{
	struct drv_buffer b[] = { { DATA, 8, true }, { DATA, 8, false } };

	ck_assert(start(false));
	drv_add(&drv, b, 2);
	must_break("a buffer to read follows one to write");
}
END_TEST

START_TEST(indirect_inside_indirect_breaks)
{
	struct vring_desc inner = { TABLE + 0x1000, 16, VRING_DESC_F_INDIRECT, 0 };

	ck_assert(start(false));
	memcpy(drv_at(memory, TABLE, 16), &inner, 16);
	drv.desc[0] = (struct vring_desc){ TABLE, 16, VRING_DESC_F_INDIRECT, 0 };
	drv_show(&drv, 0);
	must_break("an indirect descriptor stands where it may not");
}
END_TEST

START_TEST(indirect_with_a_next_breaks)
{
	ck_assert(start(false));
	drv.desc[0] = (struct vring_desc){ TABLE, 16, VRING_DESC_F_INDIRECT | VRING_DESC_F_NEXT, 1 };
	drv_show(&drv, 0);
	must_break("an indirect descriptor stands where it may not");
}
END_TEST

START_TEST(indirect_that_was_not_negotiated_breaks)
{
	struct drv_buffer b = { DATA, 8, true };

	ck_assert(start(false));
	vq.indirect = false;
	drv_add_indirect(&drv, &b, 1, TABLE);
	must_break("an indirect descriptor stands where it may not");
}
END_TEST

START_TEST(indirect_table_of_a_wrong_length_breaks)
{
	ck_assert(start(false));
	drv.desc[0] = (struct vring_desc){ TABLE, 24, VRING_DESC_F_INDIRECT, 0 };
	drv_show(&drv, 0);
	must_break("an indirect table's length is no number of descriptors");
}
END_TEST

START_TEST(indirect_table_outside_ram_breaks)
{
	ck_assert(start(false));
	drv.desc[0] = (struct vring_desc){ RAM - 16, 32, VRING_DESC_F_INDIRECT, 0 };
	drv_show(&drv, 0);
	must_break("an indirect table is not in RAM");
}
END_TEST

START_TEST(indirect_chain_longer_than_the_queue_breaks)
{
	struct drv_buffer b[17];

	for (unsigned i = 0; i < 17; i++)
		b[i] = (struct drv_buffer){ DATA, 8, true };
	ck_assert(start(false));
	drv_add_indirect(&drv, b, 17, TABLE);
	must_break("a chain is longer than the queue");
}
END_TEST

START_TEST(chain_of_more_than_4_gib_breaks)
{
	struct memory *big;
	struct nd_error err = { 0 };
	struct drv_buffer b[5];

	/* address space only: nobody touches it */
	ck_assert_msg(memory_new(2ull << 30, &big, &err) == 0, "%s", err.text);
	drv_queue_init(&drv, big, RINGS, 8);
	virtqueue_init(&vq, big, 16);
	for (unsigned i = 0; i < 5; i++)
		b[i] = (struct drv_buffer){ 1 << 30, 1 << 30, true };
	ck_assert(start(false));
	drv_add(&drv, b, 5);
	must_break("a chain is longer than 4 GiB");
	memory_free(big);
}
END_TEST

START_TEST(flags_switch_kicks_and_interrupts)
{
	struct drv_buffer b = { DATA, 8, true };

	ck_assert(start(false));
	virtqueue_kicks_off(&vq);
	ck_assert(!drv_must_kick(&drv, drv.next_avail));
	ck_assert(!virtqueue_kicks_on(&vq));
	ck_assert(drv_must_kick(&drv, drv.next_avail));
	drv_add(&drv, &b, 1);
	ck_assert(virtqueue_kicks_on(&vq));		/* one came meanwhile */
	drv_interrupts_off(&drv);
	ck_assert(virtqueue_pop(&vq, iov, &chain));
	virtqueue_push(&vq, chain.head, 0);
	ck_assert(!virtqueue_publish(&vq));
	drv_interrupts_on(&drv);
	drv_add(&drv, &b, 1);
	ck_assert(virtqueue_pop(&vq, iov, &chain));
	virtqueue_push(&vq, chain.head, 0);
	ck_assert(virtqueue_publish(&vq));
}
END_TEST

START_TEST(event_indices_ask_for_one_kick_and_one_interrupt)
{
	struct drv_buffer b = { DATA, 8, true };
	uint16_t head, before;
	uint32_t len;

	ck_assert(start(true));
	ck_assert(!virtqueue_kicks_on(&vq));
	before = drv.next_avail;
	drv_add(&drv, &b, 1);
	ck_assert(drv_must_kick(&drv, before));
	/* while the device is at work, further chains need no kick */
	before = drv.next_avail;
	drv_add(&drv, &b, 1);
	ck_assert(!drv_must_kick(&drv, before));
	drv_interrupts_on(&drv);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert(virtqueue_pop(&vq, iov, &chain));
		virtqueue_push(&vq, chain.head, 0);
		ck_assert_int_eq(virtqueue_publish(&vq), i == 0);	/* it asked for the first only */
	}
	while (drv_get(&drv, &head, &len))
		;
	ck_assert(!virtqueue_kicks_on(&vq));
	before = drv.next_avail;
	drv_add(&drv, &b, 1);
	ck_assert(drv_must_kick(&drv, before));
}
END_TEST

START_TEST(iovecs_are_read_written_cut_and_skipped)
{
	uint8_t a[4], b[1], c[5], got[16];
	struct iovec v[] = { { a, 4 }, { b, 1 }, { c, 5 } }, *at = v;
	unsigned n = 3;

	ck_assert_uint_eq(iov_write(v, 3, 3, "xyz", 3), 3);
	ck_assert(a[3] == 'x' && b[0] == 'y' && c[0] == 'z');
	ck_assert_uint_eq(iov_write(v, 3, 8, "abcdef", 6), 2);
	ck_assert_uint_eq(iov_read(v, 3, 3, got, 16), 7);
	ck_assert(memcmp(got, "xyz", 3) == 0);
	ck_assert_uint_eq(iov_read(v, 3, 10, got, 1), 0);
	iov_skip(&at, &n, 4);
	ck_assert(at == v + 1 && n == 2);
	iov_skip(&at, &n, 3);
	ck_assert(at == v + 2 && n == 1 && at->iov_len == 3 && at->iov_base == c + 2);
	iov_skip(&at, &n, 3);
	ck_assert_uint_eq(n, 0);
	v[2] = (struct iovec){ c, 5 };
	ck_assert_uint_eq(iov_cut(v, 3, 10), 3);
	ck_assert_uint_eq(iov_cut(v, 3, 9), 3);
	ck_assert_uint_eq(v[2].iov_len, 4);
	ck_assert_uint_eq(iov_cut(v, 3, 5), 2);
	ck_assert_uint_eq(iov_cut(v, 3, 0), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("virtqueue");
	TCase *t = tcase_create("virtqueue");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, chain_comes_as_buffers_and_goes_back);
	tcase_add_test(t, indices_wrap);
	tcase_add_test(t, unpopped_chain_comes_again);
	tcase_add_test(t, indirect_table_is_followed_wherever_it_lies);
	tcase_add_test(t, rings_must_be_in_ram_aligned_and_of_a_size_that_is_one);
	tcase_add_test(t, index_far_ahead_breaks);
	tcase_add_test(t, head_outside_the_table_breaks);
	tcase_add_test(t, next_outside_the_table_breaks);
	tcase_add_test(t, loop_breaks);
	tcase_add_test(t, buffer_outside_ram_breaks);
	tcase_add_test(t, buffer_past_the_end_of_addresses_breaks);
	tcase_add_test(t, empty_buffer_breaks);
	tcase_add_test(t, read_after_write_breaks);
	tcase_add_test(t, indirect_inside_indirect_breaks);
	tcase_add_test(t, indirect_with_a_next_breaks);
	tcase_add_test(t, indirect_that_was_not_negotiated_breaks);
	tcase_add_test(t, indirect_table_of_a_wrong_length_breaks);
	tcase_add_test(t, indirect_table_outside_ram_breaks);
	tcase_add_test(t, indirect_chain_longer_than_the_queue_breaks);
	tcase_add_test(t, chain_of_more_than_4_gib_breaks);
	tcase_add_test(t, flags_switch_kicks_and_interrupts);
	tcase_add_test(t, event_indices_ask_for_one_kick_and_one_interrupt);
	tcase_add_test(t, iovecs_are_read_written_cut_and_skipped);
	suite_add_tcase(s, t);
	return suite_run(s);
}
