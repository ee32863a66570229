/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The PCI bus as a guest sees it, and what it asks of the hypervisor. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "tests/suite.h"
#include "vmm/hotplug.h"
#include "vmm/pci.h"
#include "vmm/power.h"

/* A hypervisor that remembers. */
struct host {
	int msi_fd;
	uint64_t msi_address;
	uint32_t msi_data;
	unsigned n_msi, n_notify;
	uint64_t notify_gpa;
	int notify_result;
};

/* A device that remembers. */
struct device {
	struct pci_function *f;
	unsigned reads, writes, bar, config_writes, resets, ejected;
	uint64_t offset;
	unsigned len;
};

static struct host host;
static struct device dev;
static struct pci_bus *bus;

static int msi_set(void *arg, int fd, uint64_t address, uint32_t data)
{
	struct host *h = arg;

	if (h->msi_fd != fd)
		h->n_msi++;
	h->msi_fd = fd;
	h->msi_address = address;
	h->msi_data = data;
	return 0;
}

static void msi_clear(void *arg, int fd)
{
	struct host *h = arg;

	h->n_msi--;
	h->msi_fd = -1;
}

static int notify_set(void *arg, uint64_t gpa, int fd)
{
	struct host *h = arg;

	if (h->notify_result == 0) {
		h->n_notify++;
		h->notify_gpa = gpa;
	}
	return h->notify_result;
}

static void notify_clear(void *arg, uint64_t gpa, int fd)
{
	struct host *h = arg;

	ck_assert_uint_eq(h->notify_gpa, gpa);
	h->n_notify--;
	h->notify_gpa = 0;
}

static void bar_read(void *arg, unsigned bar, uint64_t offset, void *data, unsigned len_bytes)
{
	struct device *d = arg;

	d->reads++;
	d->bar = bar;
	d->offset = offset;
	d->len = len_bytes;
	memset(data, 0x5a, len_bytes);
}

static void bar_write(void *arg, unsigned bar, uint64_t offset, const void *data, unsigned len_bytes)
{
	struct device *d = arg;

	d->writes++;
	d->bar = bar;
	d->offset = offset;
	d->len = len_bytes;
}

static void config_written(void *arg, unsigned offset, unsigned len_bytes)
{
	((struct device *)arg)->config_writes++;
}

static void reset(void *arg)
{
	((struct device *)arg)->resets++;
}

static void ejected(void *arg)
{
	struct device *d = arg;

	d->ejected++;
	pci_function_free(d->f);
	d->f = NULL;
}

static const struct pci_ops ops = { .bar_read = bar_read, .bar_write = bar_write,
				    .config_written = config_written, .reset = reset,
				    .ejected = ejected };
static const struct pci_ids ids = { .vendor = 0x1af4, .device = 0x1041, .subvendor = 0x1af4,
				    .subdevice = 0x40, .revision = 1, .class_code = 0x020000 };

static void set_up(void)
{
	host = (struct host){ .msi_fd = -1 };
	dev = (struct device){ 0 };
	bus = pci_bus_new(&(struct pci_host){ &host, msi_set, msi_clear, notify_set, notify_clear });
	dev.f = pci_function_new(&ids, &ops, &dev);
	ck_assert_int_eq(pci_add_msix(dev.f, 0, 3), 0);
	ck_assert_int_eq(pci_add_bar(dev.f, 2, 0x10000), 0);
}

static void tear_down(void)
{
	pci_function_free(dev.f);
	pci_bus_free(bus);
}

static void plug(void)
{
	ck_assert_int_eq(pci_bus_plug(bus, 3, dev.f), 0);
}

static void address(unsigned slot, unsigned offset)
{
	uint32_t a = 0x80000000 | slot << 11 | (offset & 0xfc);

	pci_conf1_write(bus, 0, &a, 4);
}

static uint32_t conf_read(unsigned slot, unsigned offset, unsigned len)
{
	uint32_t v = 0;

	address(slot, offset);
	pci_conf1_read(bus, 4 + (offset & 3), &v, len);
	return v;
}

static void conf_write(unsigned slot, unsigned offset, uint32_t v, unsigned len)
{
	address(slot, offset);
	pci_conf1_write(bus, 4 + (offset & 3), &v, len);
}

/* Finds the capability as a guest does. */
static unsigned capability(uint8_t id)
{
	unsigned at = conf_read(3, 0x34, 1);

	for (int i = 0; at && i < 48; i++, at = conf_read(3, at + 1, 1))
		if (conf_read(3, at, 1) == id)
			return at;
	return 0;
}

static void msix_enable(bool masked)
{
	conf_write(3, capability(0x11) + 2, 0x8000 | (masked ? 0x4000 : 0), 2);
}

static void entry_write(unsigned vector, unsigned at, uint32_t v)
{
	uint64_t bar = conf_read(3, 0x10, 4) & ~0xfu;

	ck_assert(pci_bus_write(bus, bar + vector * 16 + at, &v, 4));
}

static uint32_t entry_read(unsigned offset)
{
	uint64_t bar = conf_read(3, 0x10, 4) & ~0xfu;
	uint32_t v;

	ck_assert(pci_bus_read(bus, bar + offset, &v, 4));
	return v;
}

START_TEST(identity_is_read_in_any_width_and_cannot_be_written)
{
	plug();
	ck_assert_uint_eq(conf_read(3, 0, 4), 0x10411af4);
	ck_assert_uint_eq(conf_read(3, 2, 2), 0x1041);
	ck_assert_uint_eq(conf_read(3, 3, 1), 0x10);
	ck_assert_uint_eq(conf_read(3, 8, 4), 0x02000001);
	ck_assert_uint_eq(conf_read(3, 0x2c, 4), 0x00401af4);
	conf_write(3, 0, 0, 4);
	conf_write(3, 8, 0, 4);
	ck_assert_uint_eq(conf_read(3, 0, 4), 0x10411af4);
	ck_assert_uint_eq(conf_read(3, 8, 4), 0x02000001);
}
END_TEST

START_TEST(nobody_answers_for_other_slots_functions_and_buses)
{
	uint32_t a, v;

	plug();
	ck_assert_uint_eq(conf_read(4, 0, 4), UINT32_MAX);
	for (unsigned bit = 8; bit < 24; bit++) {
		if (bit >= 11 && bit < 16)
			continue;
		a = 0x80000000 | 3 << 11 | 1u << bit;
		pci_conf1_write(bus, 0, &a, 4);
		pci_conf1_read(bus, 4, &v, 4);
		ck_assert_uint_eq(v, UINT32_MAX);
	}
	a = 3 << 11;			/* not enabled */
	pci_conf1_write(bus, 0, &a, 4);
	pci_conf1_read(bus, 4, &v, 4);
	ck_assert_uint_eq(v, UINT32_MAX);
}
END_TEST

START_TEST(accesses_across_a_register_are_no_accesses)
{
	plug();
	ck_assert_uint_eq(pci_function_read(dev.f, 0, 3), UINT32_MAX);
	ck_assert_uint_eq(pci_function_read(dev.f, 1, 2), UINT32_MAX);
	ck_assert_uint_eq(pci_function_read(dev.f, 254, 4), UINT32_MAX);
	ck_assert_uint_eq(pci_function_read(dev.f, 256, 1), UINT32_MAX);
	pci_function_write(dev.f, 255, UINT32_MAX, 4);
	pci_function_write(dev.f, UINT32_MAX, UINT32_MAX, 1);
	ck_assert_uint_eq(dev.config_writes, 0);
}
END_TEST

START_TEST(bars_tell_their_size_and_move)
{
	uint8_t byte;
	uint32_t old;

	plug();
	old = conf_read(3, 0x18, 4);
	ck_assert_uint_eq(old & 0xf, 4);
	conf_write(3, 0x18, UINT32_MAX, 4);
	conf_write(3, 0x1c, UINT32_MAX, 4);
	ck_assert_uint_eq(conf_read(3, 0x18, 4), 0xffff0004);
	ck_assert_uint_eq(conf_read(3, 0x1c, 4), UINT32_MAX);
	conf_write(3, 0x1c, 0, 4);
	conf_write(3, 0x18, 0xd0000000, 4);
	/* Not before the guest lets the function answer. */
	ck_assert(!pci_bus_read(bus, 0xd0000010, &byte, 1));
	conf_write(3, 4, 2, 2);
	ck_assert(pci_bus_read(bus, 0xd0000010, &byte, 1));
	ck_assert_uint_eq(byte, 0x5a);
	ck_assert_uint_eq(dev.bar, 2);
	ck_assert_uint_eq(dev.offset, 0x10);
	ck_assert(!pci_bus_read(bus, old & ~0xfu, &byte, 1));
	ck_assert(!pci_bus_read(bus, 0xd000ffff, &old, 4));	/* reaches over its end */
	ck_assert(!pci_bus_read(bus, 0xd0010000, &byte, 1));
	conf_write(3, 4, 0, 2);
	ck_assert(!pci_bus_write(bus, 0xd0000010, &byte, 1));
}
END_TEST

START_TEST(bars_over_memory_or_the_end_of_addresses_are_nowhere)
{
	uint8_t byte;

	plug();
	conf_write(3, 4, 2, 2);
	conf_write(3, 0x18, 0x100000, 4);
	ck_assert(!pci_bus_read(bus, 0x100000, &byte, 1));
	conf_write(3, 0x18, 0xffff0000, 4);
	conf_write(3, 0x1c, UINT32_MAX, 4);
	ck_assert(!pci_bus_read(bus, 0xffffffffffff0000, &byte, 1));
}
END_TEST

START_TEST(what_does_not_fit_is_refused)
{
	uint8_t body[200] = { 0 };
	struct pci_function *f = pci_function_new(&ids, &ops, NULL);

	ck_assert_int_eq(pci_add_bar(f, 1, 4096), -EINVAL);
	ck_assert_int_eq(pci_add_bar(f, 6, 4096), -EINVAL);
	ck_assert_int_eq(pci_add_bar(f, 0, 5000), -EINVAL);
	ck_assert_int_eq(pci_add_bar(f, 0, 2 * PCI_SLOT_MMIO_BYTES), -EINVAL);
	ck_assert_int_eq(pci_add_bar(f, 0, 4096), 0);
	ck_assert_int_eq(pci_add_bar(f, 0, 4096), -EINVAL);
	ck_assert_int_lt(pci_add_msix(f, 2, PCI_MSIX_MAX + 1), 0);
	ck_assert_int_eq(pci_add_capability(f, 9, body, 100), 0x40);
	ck_assert_int_eq(pci_add_capability(f, 9, body, 100), -ENOSPC);
	ck_assert_int_eq(pci_add_capability(f, 9, body, sizeof(body)), -ENOSPC);
	ck_assert_int_eq(pci_add_capability(f, 9, body, 50), 0x40 + 104);
	plug();
	ck_assert_int_eq(pci_bus_plug(bus, 3, f), -EBUSY);
	ck_assert_int_eq(pci_bus_plug(bus, PCI_SLOTS, f), -EINVAL);
	ck_assert_int_eq(pci_bus_free_slot(bus), 1);
	pci_function_free(f);
}
END_TEST

START_TEST(an_enabled_unmasked_vector_is_tied_to_its_message)
{
	plug();
	conf_write(3, 4, 2, 2);
	ck_assert_uint_eq(entry_read(16 + 12), 1);	/* masked at first */
	entry_write(1, 0, 0xfee01000);
	entry_write(1, 4, 0);
	entry_write(1, 8, 0x4321);
	msix_enable(false);
	ck_assert(msix_enabled(dev.f));
	ck_assert_uint_eq(host.n_msi, 0);
	entry_write(1, 12, 0);
	ck_assert_uint_eq(host.n_msi, 1);
	ck_assert_int_eq(host.msi_fd, msix_fd(dev.f, 1));
	ck_assert_uint_eq(host.msi_address, 0xfee01000);
	ck_assert_uint_eq(host.msi_data, 0x4321);
	entry_write(1, 8, 0x4322);			/* changed while tied */
	ck_assert_uint_eq(host.msi_data, 0x4322);
	entry_write(1, 12, 1);
	ck_assert_uint_eq(host.n_msi, 0);
	entry_write(1, 12, 0);
	msix_enable(true);
	ck_assert_uint_eq(host.n_msi, 0);
	msix_enable(false);
	ck_assert_uint_eq(host.n_msi, 1);
	pci_bus_reset(bus);
	ck_assert_uint_eq(host.n_msi, 0);
	ck_assert_uint_eq(dev.resets, 1);
	ck_assert(!msix_enabled(dev.f));
	ck_assert_int_eq(msix_fd(dev.f, 3), -1);
}
END_TEST

START_TEST(a_masked_vector_is_pending_until_it_is_sent)
{
	const unsigned pba = 2048;

	plug();
	conf_write(3, 4, 2, 2);
	msix_enable(false);
	ck_assert_uint_eq(entry_read(pba), 0);
	eventfd_write(msix_fd(dev.f, 2), 1);
	ck_assert_uint_eq(entry_read(pba), 1 << 2);
	/* The guest cannot make or unmake pending bits, nor reserved ones of the table. */
	{
		uint64_t bar = conf_read(3, 0x10, 4) & ~0xfu;
		uint32_t v = UINT32_MAX;

		ck_assert(pci_bus_write(bus, bar + pba, &v, 4));
		ck_assert_uint_eq(entry_read(pba), 1 << 2);
		ck_assert(pci_bus_write(bus, bar + 12, &v, 4));
		ck_assert_uint_eq(entry_read(12), 1);
		ck_assert(pci_bus_write(bus, bar + 2, &v, 1));
		ck_assert(pci_bus_write(bus, bar + 3 * 16, &v, 4));	/* behind the table */
		ck_assert_uint_eq(entry_read(0), 0);
		ck_assert_uint_eq(entry_read(3 * 16), 0);
	}
	entry_write(2, 12, 0);
	ck_assert_int_eq(host.msi_fd, msix_fd(dev.f, 2));	/* the host now sends what waits */
	pci_bus_reset(bus);
	conf_write(3, 4, 2, 2);
	ck_assert_uint_eq(entry_read(pba), 0);
}
END_TEST

START_TEST(kicks_follow_the_bar)
{
	int fd = eventfd(0, EFD_NONBLOCK);

	ck_assert_int_eq(pci_notify_fd(dev.f, 2, 0x10000, fd), -EINVAL);
	ck_assert_int_eq(pci_notify_fd(dev.f, 2, 0x3000, fd), 0);
	plug();
	ck_assert_uint_eq(host.n_notify, 0);
	conf_write(3, 4, 2, 2);
	ck_assert_uint_eq(host.notify_gpa, (conf_read(3, 0x18, 4) & ~0xfu) + 0x3000);
	conf_write(3, 0x18, 0xd0000000, 4);
	ck_assert_uint_eq(host.n_notify, 1);
	ck_assert_uint_eq(host.notify_gpa, 0xd0003000);
	conf_write(3, 4, 0, 2);
	ck_assert_uint_eq(host.n_notify, 0);
	/* Where the host cannot, the write reaches the device. */
	host.notify_result = -EEXIST;
	conf_write(3, 4, 2, 2);
	ck_assert(pci_bus_write(bus, 0xd0003000, "\1\0", 2));
	ck_assert_uint_eq(dev.writes, 1);
	ck_assert_uint_eq(dev.offset, 0x3000);
	host.notify_result = 0;
	conf_write(3, 4, 0, 2);
	conf_write(3, 4, 2, 2);
	ck_assert_uint_eq(host.n_notify, 1);
	pci_notify_end(dev.f, 2, 0x3000, fd);
	ck_assert_uint_eq(host.n_notify, 0);
	close(fd);
}
END_TEST

static void nothing(void *arg, bool high)
{
	*(bool *)arg = high;
}

static void no_wish(void *arg, enum power_wish wish)
{
	ck_abort_msg("a wish");
}

static uint64_t no_time(void)
{
	return 0;
}

START_TEST(a_guest_ejects_only_what_it_was_asked_to)
{
	struct hotplug h;
	struct power p;
	bool sci = false;
	uint32_t v;

	power_init(&p, no_time, nothing, no_wish, &sci);
	hotplug_init(&h, bus, &p);
	power_gpe_write(&p, 2, "\2\0", 2);		/* enable event 1 */
	plug();
	hotplug_plugged(&h, 3);
	ck_assert(sci);
	hotplug_read(&h, HOTPLUG_UP, &v, 4);
	ck_assert_uint_eq(v, 1 << 3);
	hotplug_read(&h, HOTPLUG_UP, &v, 4);
	ck_assert_uint_eq(v, 0);
	power_gpe_write(&p, 0, "\2\0", 2);		/* and clear it */
	ck_assert(!sci);
	v = UINT32_MAX;
	hotplug_write(&h, HOTPLUG_EJECT, &v, 4);
	ck_assert_ptr_eq(pci_bus_find(bus, 3), dev.f);
	hotplug_unplug_wanted(&h, 3);
	ck_assert(sci);
	hotplug_read(&h, HOTPLUG_DOWN, &v, 4);
	ck_assert_uint_eq(v, 1 << 3);
	hotplug_write(&h, HOTPLUG_EJECT, &v, 2);
	hotplug_write(&h, HOTPLUG_UP, &v, 4);
	ck_assert_uint_eq(dev.ejected, 0);
	hotplug_write(&h, HOTPLUG_EJECT, &v, 4);
	ck_assert_uint_eq(dev.ejected, 1);
	ck_assert_ptr_null(pci_bus_find(bus, 3));
	hotplug_read(&h, HOTPLUG_DOWN, &v, 4);
	ck_assert_uint_eq(v, 0);
}
END_TEST

START_TEST(a_reset_frees_what_should_go)
{
	struct hotplug h;
	struct power p;
	bool sci;

	power_init(&p, no_time, nothing, no_wish, &sci);
	hotplug_init(&h, bus, &p);
	plug();
	hotplug_unplug_wanted(&h, 3);
	hotplug_reset(&h);
	ck_assert_uint_eq(dev.ejected, 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vmm pci");
	TCase *t = tcase_create("pci");

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, identity_is_read_in_any_width_and_cannot_be_written);
	tcase_add_test(t, nobody_answers_for_other_slots_functions_and_buses);
	tcase_add_test(t, accesses_across_a_register_are_no_accesses);
	tcase_add_test(t, bars_tell_their_size_and_move);
	tcase_add_test(t, bars_over_memory_or_the_end_of_addresses_are_nowhere);
	tcase_add_test(t, what_does_not_fit_is_refused);
	tcase_add_test(t, an_enabled_unmasked_vector_is_tied_to_its_message);
	tcase_add_test(t, a_masked_vector_is_pending_until_it_is_sent);
	tcase_add_test(t, kicks_follow_the_bar);
	tcase_add_test(t, a_guest_ejects_only_what_it_was_asked_to);
	tcase_add_test(t, a_reset_frees_what_should_go);
	return suite_run(s);
}
