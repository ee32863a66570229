/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The transport as a guest sees it, on the device that has the least of its own: rng. */
#include <check.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_pci.h>
#include <linux/virtio_ring.h>
#include <string.h>

#include "tests/suite.h"
#include "tests/unit/virtio_guest.h"
#include "vmm/virtio.h"
#include "vmm/virtio_pci.h"
#include "vmm/virtio_rng.h"

#define SLOT 3

static struct guest g;
static struct virtio_rng *rng;
static struct virtio_pci *pci;

static void plug(uint32_t bytes_per_period, uint32_t period_ms)
{
	struct virtio_rng_spec spec = { .name = "guest", .bytes_per_period = bytes_per_period,
					.period_ms = period_ms };
	struct nd_error err = { 0 };

	ck_assert_msg(virtio_rng_new(&spec, g.memory, g.loop, &rng, &err) == 0, "%s", err.text);
	ck_assert_msg(virtio_pci_new(g.bus, SLOT, virtio_rng_device(rng), &pci, &err) == 0, "%s",
		      err.text);
	guest_find(&g, SLOT);
}

static void setup(void)
{
	guest_init(&g);
	plug(0, 0);
}

static void teardown(void)
{
	virtio_pci_free(pci);
	virtio_rng_free(rng);
	guest_fini(&g);
}

/* Asks for len random bytes. */
static void ask(uint32_t len)
{
	struct drv_buffer b = { GUEST_DATA, len, true };

	drv_add(&g.queues[0], &b, 1);
	guest_kick(&g, 0);
}

static bool is_random(uint64_t gpa, uint32_t len)
{
	const uint8_t *p = drv_at(g.memory, gpa, len);
	unsigned ones = 0;

	for (uint32_t i = 0; i < len; i++)
		ones += (unsigned)__builtin_popcount(p[i]);
	return ones > len * 3 && ones < len * 5;
}

START_TEST(device_is_found_and_gives_random_bytes)
{
	uint16_t head;
	uint32_t len;

	ck_assert_uint_eq(pci_function_read(virtio_pci_function(pci), 2, 2), 0x1044);
	ck_assert_uint_eq(pci_function_read(virtio_pci_function(pci), 8, 1), 1);
	ck_assert_uint_eq(guest_read(&g, g.common + VIRTIO_PCI_COMMON_NUMQ, 2), 1);
	ck_assert_uint_eq(g.device, 0);		/* it has no configuration */
	guest_drive(&g, ~0ull, 8);
	ck_assert_uint_eq(guest_status(&g), 0xf);
	drv_interrupts_on(&g.queues[0]);
	ask(4096);
	ck_assert(guest_wait(&g, 0, &head, &len));
	ck_assert_uint_eq(len, 4096);
	ck_assert(is_random(GUEST_DATA, 4096));
	ck_assert_uint_eq(guest_interrupts(&g, 1), 1);
	ck_assert_uint_eq(guest_interrupts(&g, 0), 0);
}
END_TEST

START_TEST(rng_gives_no_more_than_its_share_of_a_period)
{
	uint16_t head;
	uint32_t len;

	teardown();
	guest_init(&g);
	plug(1000, 200);
	guest_drive(&g, ~0ull, 8);
	ask(700);
	ask(700);
	ask(700);
	ck_assert(guest_wait(&g, 0, &head, &len));
	ck_assert_uint_eq(len, 700);
	ck_assert(guest_wait(&g, 0, &head, &len));
	ck_assert_uint_eq(len, 300);
	ck_assert(!drv_get(&g.queues[0], &head, &len));
	ck_assert(guest_wait(&g, 0, &head, &len));	/* by the timer, without a kick */
	ck_assert_uint_eq(len, 700);
}
END_TEST

START_TEST(features_that_are_not_offered_are_refused)
{
	uint64_t offered = guest_offered(&g);

	ck_assert(offered >> VIRTIO_F_VERSION_1 & 1);
	ck_assert(guest_negotiate(&g, offered));
	ck_assert(!guest_negotiate(&g, offered | 1));
	ck_assert(!guest_negotiate(&g, offered | 1ull << 40));
	/* a driver from before 1.0 */
	ck_assert(!guest_negotiate(&g, offered & ~(1ull << VIRTIO_F_VERSION_1)));
	/* nothing runs for a driver that was refused */
	guest_queue(&g, 0, 8);
	guest_set_status(&g, 0xf);
	ck_assert(!(guest_status(&g) & VIRTIO_CONFIG_S_DRIVER_OK));
}
END_TEST

START_TEST(features_are_fixed_once_they_are_ok)
{
	ck_assert(guest_negotiate(&g, guest_offered(&g)));
	guest_write(&g, g.common + VIRTIO_PCI_COMMON_GFSELECT, 0, 4);
	guest_write(&g, g.common + VIRTIO_PCI_COMMON_GF, 1, 4);
	ck_assert(virtio_rng_device(rng)->features == g.features);
	/* a third half is nothing, and no shift by 64 */
	guest_write(&g, g.common + VIRTIO_PCI_COMMON_GFSELECT, 2, 4);
	guest_write(&g, g.common + VIRTIO_PCI_COMMON_GF, ~0u, 4);
	ck_assert_uint_eq(guest_read(&g, g.common + VIRTIO_PCI_COMMON_GF, 4), 0);
	guest_write(&g, g.common + VIRTIO_PCI_COMMON_DFSELECT, ~0u, 4);
	ck_assert_uint_eq(guest_read(&g, g.common + VIRTIO_PCI_COMMON_DF, 4), 0);
}
END_TEST

START_TEST(queue_that_is_none_reads_as_zero)
{
	guest_write(&g, g.common + VIRTIO_PCI_COMMON_Q_SELECT, 1, 2);
	ck_assert_uint_eq(guest_read(&g, g.common + VIRTIO_PCI_COMMON_Q_SIZE, 2), 0);
	ck_assert_uint_eq(guest_read(&g, g.common + VIRTIO_PCI_COMMON_Q_MSIX, 2), 0xffff);
	guest_write(&g, g.common + VIRTIO_PCI_COMMON_Q_ENABLE, 1, 2);
	ck_assert_uint_eq(guest_read(&g, g.common + VIRTIO_PCI_COMMON_Q_ENABLE, 2), 0);
	guest_write(&g, g.common + VIRTIO_PCI_COMMON_Q_SELECT, 0, 2);
	ck_assert_uint_eq(guest_read(&g, g.common + VIRTIO_PCI_COMMON_Q_SIZE, 2), 64);
}
END_TEST

START_TEST(queue_is_the_drivers_only_until_it_is_enabled)
{
	ck_assert(guest_negotiate(&g, guest_offered(&g)));
	guest_queue(&g, 0, 8);
	ck_assert_uint_eq(guest_read(&g, g.common + VIRTIO_PCI_COMMON_Q_ENABLE, 2), 1);
	guest_write(&g, g.common + VIRTIO_PCI_COMMON_Q_DESCLO, 0x5000, 4);
	guest_write(&g, g.common + VIRTIO_PCI_COMMON_Q_SIZE, 4, 2);
	ck_assert_uint_eq(guest_read(&g, g.common + VIRTIO_PCI_COMMON_Q_DESCLO, 8), GUEST_RINGS);
	ck_assert_uint_eq(guest_read(&g, g.common + VIRTIO_PCI_COMMON_Q_SIZE, 2), 8);
	guest_set_status(&g, 0);
	ck_assert_uint_eq(guest_read(&g, g.common + VIRTIO_PCI_COMMON_Q_ENABLE, 2), 0);
	ck_assert_uint_eq(guest_read(&g, g.common + VIRTIO_PCI_COMMON_Q_SIZE, 2), 64);
	ck_assert_uint_eq(guest_read(&g, g.common + VIRTIO_PCI_COMMON_Q_MSIX, 2), 0xffff);
}
END_TEST

START_TEST(queue_whose_rings_are_nowhere_needs_a_reset)
{
	uint16_t head;
	uint32_t len;

	ck_assert(guest_negotiate(&g, guest_offered(&g)));
	guest_write(&g, g.common + VIRTIO_PCI_COMMON_MSIX, 0, 2);
	guest_write(&g, g.common + VIRTIO_PCI_COMMON_Q_DESCLO, 0xfee00000, 8);
	guest_write(&g, g.common + VIRTIO_PCI_COMMON_Q_ENABLE, 1, 2);
	guest_set_status(&g, 0xf);
	ck_assert_uint_eq(guest_status(&g), 0x4f);
	ck_assert_uint_eq(guest_interrupts(&g, 0), 1);
	guest_kick(&g, 0);
	guest_run(&g);
	/* and after the reset it works */
	guest_drive(&g, ~0ull, 8);
	ck_assert_uint_eq(guest_status(&g), 0xf);
	ask(8);
	ck_assert(guest_wait(&g, 0, &head, &len));
}
END_TEST

START_TEST(queue_that_breaks_at_work_needs_a_reset)
{
	guest_drive(&g, ~0ull, 8);
	drv_show(&g.queues[0], 77);
	guest_kick(&g, 0);
	guest_run(&g);
	ck_assert_uint_eq(guest_status(&g), 0x4f);
	ck_assert_uint_eq(guest_interrupts(&g, 0), 1);
	ask(8);
	guest_run(&g);
	ck_assert_uint_eq(g.queues[0].used->idx, 0);
	ck_assert_uint_eq(guest_interrupts(&g, 0), 0);	/* it was told */
}
END_TEST

START_TEST(driver_without_vectors_reads_the_isr)
{
	uint16_t head;
	uint32_t len;

	ck_assert(guest_negotiate(&g, guest_offered(&g) & ~(1ull << VIRTIO_RING_F_EVENT_IDX)));
	guest_queue(&g, 0, 8);
	guest_write(&g, g.common + VIRTIO_PCI_COMMON_Q_MSIX, 9, 2);	/* there are two */
	ck_assert_uint_eq(guest_read(&g, g.common + VIRTIO_PCI_COMMON_Q_MSIX, 2), 0xffff);
	guest_set_status(&g, 0xf);
	ask(8);
	ck_assert(guest_wait(&g, 0, &head, &len));
	ck_assert_uint_eq(guest_read(&g, g.isr, 1), 1);
	ck_assert_uint_eq(guest_read(&g, g.isr, 1), 0);
}
END_TEST

START_TEST(window_in_configuration_space_reaches_the_bar)
{
	struct pci_function *f = virtio_pci_function(pci);
	unsigned data = g.window + 16;

	pci_function_write(f, g.window + 4, 0, 1);
	pci_function_write(f, g.window + 8, VIRTIO_PCI_COMMON_NUMQ, 4);
	pci_function_write(f, g.window + 12, 2, 4);
	ck_assert_uint_eq(pci_function_read(f, data, 2), 1);
	pci_function_write(f, g.window + 8, VIRTIO_PCI_COMMON_STATUS, 4);
	pci_function_write(f, g.window + 12, 1, 4);
	pci_function_write(f, data, 3, 1);
	ck_assert_uint_eq(guest_status(&g), 3);
	/* outside the BAR, of a width that is none, in another BAR: nothing happens */
	static const struct { uint32_t bar, offset, len; } bad[] = {
		{ 0, 0x4000, 1 }, { 0, 0xfffffffc, 4 }, { 0, 0x3ffe, 4 }, { 0, 20, 3 }, { 0, 20, 0 },
		{ 0, 20, 0x80000001 }, { 2, 20, 1 }, { 7, 20, 1 },
	};
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		pci_function_write(f, g.window + 4, bad[i].bar, 1);
		pci_function_write(f, g.window + 8, bad[i].offset, 4);
		pci_function_write(f, g.window + 12, bad[i].len, 4);
		pci_function_write(f, data, 0, 4);
		(void)pci_function_read(f, data, 4);
		ck_assert_uint_eq(guest_status(&g), 3);
	}
}
END_TEST

START_TEST(odd_accesses_change_nothing)
{
	guest_drive(&g, ~0ull, 8);
	/* half a field, two fields, beyond the structure */
	guest_write(&g, g.common + VIRTIO_PCI_COMMON_STATUS, 0, 2);
	guest_write(&g, g.common + VIRTIO_PCI_COMMON_Q_SELECT, 0x1234, 1);
	guest_write(&g, g.common + 0x100, 0, 8);
	guest_write(&g, g.common + 0xffc, 0, 4);
	guest_write(&g, g.isr, 1, 1);
	guest_write(&g, g.notify + 1, 1, 1);
	guest_write(&g, g.notify + 0xffc, 1, 4);
	ck_assert_uint_eq(guest_status(&g), 0xf);
	ck_assert_uint_eq(guest_read(&g, g.common + VIRTIO_PCI_COMMON_Q_SELECT, 2), 0);
	ck_assert_uint_eq(guest_read(&g, g.common + 52, 8), 0);
	ck_assert_uint_eq(guest_read(&g, g.common + 0xff8, 8), 0);
	guest_run(&g);
}
END_TEST

START_TEST(reset_of_the_bus_is_a_reset_of_the_device)
{
	guest_drive(&g, ~0ull, 8);
	pci_bus_reset(g.bus);
	guest_find(&g, SLOT);
	ck_assert_uint_eq(guest_status(&g), 0);
	ask(8);
	guest_run(&g);
	ck_assert_uint_eq(g.queues[0].used->idx, 0);
}
END_TEST

static unsigned ejected;

static void on_eject(void *arg)
{
	ejected++;
	virtio_pci_free(pci);
	virtio_rng_free(rng);
	pci = NULL;
	rng = NULL;
}

START_TEST(ejected_device_can_be_freed_on_the_spot)
{
	guest_drive(&g, ~0ull, 8);
	ejected = 0;
	virtio_pci_on_eject(pci, on_eject, NULL);
	ask(8);				/* its kick is still to be seen */
	pci_bus_eject(g.bus, SLOT);
	ck_assert_uint_eq(ejected, 1);
	ck_assert_ptr_null(pci_bus_find(g.bus, SLOT));
	guest_run(&g);
	plug(0, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("virtio-pci");
	TCase *t = tcase_create("virtio-pci");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, device_is_found_and_gives_random_bytes);
	tcase_add_test(t, rng_gives_no_more_than_its_share_of_a_period);
	tcase_add_test(t, features_that_are_not_offered_are_refused);
	tcase_add_test(t, features_are_fixed_once_they_are_ok);
	tcase_add_test(t, queue_that_is_none_reads_as_zero);
	tcase_add_test(t, queue_is_the_drivers_only_until_it_is_enabled);
	tcase_add_test(t, queue_whose_rings_are_nowhere_needs_a_reset);
	tcase_add_test(t, queue_that_breaks_at_work_needs_a_reset);
	tcase_add_test(t, driver_without_vectors_reads_the_isr);
	tcase_add_test(t, window_in_configuration_space_reaches_the_bar);
	tcase_add_test(t, odd_accesses_change_nothing);
	tcase_add_test(t, reset_of_the_bus_is_a_reset_of_the_device);
	tcase_add_test(t, ejected_device_can_be_freed_on_the_spot);
	suite_add_tcase(s, t);
	return suite_run(s);
}
