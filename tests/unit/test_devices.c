/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest's devices from its configuration: their slots, what is plugged and unplugged, what counts. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/suite.h"
#include "tests/unit/virtio_guest.h"
#include "tests/unit/virtio_tap.h"
#include "vmm/devices.h"

static struct guest g;
static struct devices *devices;
static struct devices_env env;
static unsigned plugged, wanted_out;
static char removed[VMM_ID_MAX], filtered[VMM_ID_MAX];
static bool have_taps;

static void on_plugged(void *arg, unsigned slot)
{
	plugged = slot;
}

static void on_unplug_wanted(void *arg, unsigned slot)
{
	wanted_out = slot;
}

static void on_removed(void *arg, const char *id)
{
	snprintf(removed, sizeof(removed), "%s", id);
}

static void on_filter(void *arg, const char *id)
{
	snprintf(filtered, sizeof(filtered), "%s", id);
}

static void setup(void)
{
	guest_init(&g);
	env = (struct devices_env){ .name = "guest", .loop = g.loop, .memory = g.memory, .pci = g.bus,
				    .plugged = on_plugged, .unplug_wanted = on_unplug_wanted,
				    .nic_removed = on_removed, .filter_changed = on_filter };
	devices = NULL;
	plugged = wanted_out = 0;
	removed[0] = filtered[0] = '\0';
}

static void teardown(void)
{
	devices_free(devices);
	guest_fini(&g);
}

static void nic_make(struct vmm_nic *n, const char *id, unsigned slot)
{
	vmm_nic_init(n);
	snprintf(n->id, sizeof(n->id), "%s", id);
	n->mac = (struct nd_mac){ { 0x52, 0x54, 0, 1, 2, 3 } };
	n->slot = (uint8_t)slot;
	n->n_queue_pairs = 1;
	n->link_up = true;
	n->tap_fds[0] = tap_new(id, false);
}

static void disk_make(struct vmm_disk *d, const char *id, unsigned slot)
{
	vmm_disk_init(d);
	snprintf(d->id, sizeof(d->id), "%s", id);
	d->slot = (uint8_t)slot;
	d->size_bytes = 1 << 20;
	d->fd = memfd_create("disk", MFD_CLOEXEC);
}

static unsigned device_in(unsigned slot)
{
	struct pci_function *f = pci_bus_find(g.bus, slot);

	return f ? pci_function_read(f, 2, 2) : 0;
}

static uint64_t counter(const char *name)
{
	struct vmm_counter list[100];
	size_t n = devices_counters(devices, list, 0, 100);

	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i].name, name) == 0)
			return list[i].value;
	ck_abort_msg("no counter '%s'", name);
	return 0;
}

START_TEST(disks_and_entropy_get_the_slots_that_they_ask_for)
{
	struct vmm_disk disks[2];
	struct vmm_config c;
	struct nd_error err = { 0 };
	struct vmm_counter one[3];

	vmm_config_init(&c);
	disk_make(&disks[0], "vda", 0);
	disk_make(&disks[1], "vdb", 1);
	c.disks = disks;
	c.n_disks = 2;
	c.rng = true;
	c.rng_slot = 9;
	ck_assert_msg(devices_new(&c, &env, &devices, &err) == 0, "%s", err.text);
	ck_assert_int_eq(disks[0].fd, -1);	/* taken */
	ck_assert_uint_eq(device_in(1), 0x1042);
	ck_assert_uint_eq(device_in(2), 0x1042);
	ck_assert_uint_eq(device_in(9), 0x1044);
	ck_assert_uint_eq(device_in(3), 0);
	ck_assert_uint_eq(counter("disk.vdb.rd.bytes"), 0);
	ck_assert_uint_eq(devices_counters(devices, one, 1, 3), 3);	/* as many as there is room for */
}
END_TEST

START_TEST(slot_that_is_taken_is_refused)
{
	struct vmm_disk disks[2];
	struct vmm_config c;
	struct nd_error err = { 0 };

	vmm_config_init(&c);
	disk_make(&disks[0], "vda", 3);
	disk_make(&disks[1], "vdb", 3);
	c.disks = disks;
	c.n_disks = 2;
	ck_assert_int_lt(devices_new(&c, &env, &devices, &err), 0);
	ck_assert_str_eq(err.text, "disk 'vdb': PCI slot 3 is taken");
	ck_assert_uint_eq(device_in(3), 0);	/* nothing is left */
	vmm_disk_fini(&disks[1]);
}
END_TEST

static void devices_none(void)
{
	struct vmm_config c;
	struct nd_error err = { 0 };

	vmm_config_init(&c);
	c.rng = false;
	ck_assert_msg(devices_new(&c, &env, &devices, &err) == 0, "%s", err.text);
}

START_TEST(nic_that_is_none_is_named)
{
	struct nd_error err = { 0 };

	devices_none();
	ck_assert_int_lt(devices_nic_remove(devices, "net7", &err), 0);
	ck_assert_str_eq(err.text, "there is no NIC 'net7'");
	ck_assert_int_lt(devices_nic_link(devices, "net7", true, &err), 0);
	ck_assert_int_lt(devices_nic_mtu(devices, "net7", 1500, &err), 0);
	ck_assert_int_lt(devices_nic_announce(devices, "net7", &err), 0);
}
END_TEST

START_TEST(nic_comes_and_goes)
{
	struct vmm_nic n;
	struct nd_error err = { 0 };
	char ids[4][VMM_ID_MAX];

	devices_none();
	for (unsigned round = 0; round < 3; round++) {
		nic_make(&n, "net0", 0);
		ck_assert_msg(devices_nic_add(devices, &n, &err) == 0, "%s", err.text);
		vmm_nic_fini(&n);
		ck_assert_uint_eq(plugged, 1);
		ck_assert_uint_eq(device_in(1), 0x1041);
		ck_assert_uint_eq(devices_nics(devices, ids, 4), 1);
		ck_assert_str_eq(ids[0], "net0");
		guest_find(&g, 1);
		guest_drive(&g, ~0ull, 64);
		guest_run(&g);
		ck_assert_int_eq(devices_nic_remove(devices, "net0", &err), 0);
		ck_assert_uint_eq(wanted_out, 1);
		ck_assert_str_eq(removed, "");		/* the guest is asked, not forced */
		pci_bus_eject(g.bus, 1);
		ck_assert_str_eq(removed, "net0");
		ck_assert_uint_eq(device_in(1), 0);
		ck_assert_uint_eq(devices_nics(devices, ids, 4), 0);
		removed[0] = '\0';
		/* its TAP is gone with it: the next round makes one of that name */
		guest_run(&g);
	}
}
END_TEST

/* A guest may change its mind all the time: netd hears of it once, and again when it has followed. */
START_TEST(what_a_guest_wants_to_see_is_told_once_until_it_was_seen)
{
	struct vmm_nic nic;
	struct vmm_nic_filter f;
	struct nd_error err = { 0 };

	devices_none();
	nic_make(&nic, "tape", 0);
	ck_assert_msg(devices_nic_add(devices, &nic, &err) == 0, "%s", err.text);
	vmm_nic_fini(&nic);
	devices_filters_again(devices);
	ck_assert_str_eq(filtered, "tape");
	ck_assert(devices_nic_filter(devices, "tape", &f));
	ck_assert_str_eq(f.id, "tape");
	ck_assert_uint_eq(f.mac.bytes[5], 3);
	ck_assert(f.multicast);		/* without a driver that says otherwise */
	ck_assert(!devices_nic_filter(devices, "tape", &f));
	filtered[0] = '\0';
	ck_assert_int_eq(devices_nic_filter_seen(devices, "tape", &err), 0);
	ck_assert_str_eq(filtered, "");	/* nothing new since */
	ck_assert(!devices_nic_filter(devices, "tape", &f));
	devices_filters_again(devices);
	ck_assert(devices_nic_filter(devices, "tape", &f));
	ck_assert(!devices_nic_filter(devices, "tapf", &f));
	ck_assert_int_lt(devices_nic_filter_seen(devices, "tapf", &err), 0);
}
END_TEST

START_TEST(second_nic_of_a_name_is_refused)
{
	struct vmm_nic n;
	struct nd_error err = { 0 };

	devices_none();
	nic_make(&n, "net0", 0);
	ck_assert_int_eq(devices_nic_add(devices, &n, &err), 0);
	nic_make(&n, "net1", 0);
	snprintf(n.id, sizeof(n.id), "net0");
	plugged = 0;
	ck_assert_int_lt(devices_nic_add(devices, &n, &err), 0);
	ck_assert_str_eq(err.text, "NIC 'net0' is there already");
	ck_assert_uint_eq(plugged, 0);
	vmm_nic_fini(&n);
}
END_TEST

START_TEST(nic_without_vhost_says_so_and_counts)
{
	struct vmm_nic n;
	struct nd_error err = { 0 };

	devices_none();
	nic_make(&n, "net0", 0);
	n.vhost_fds[0] = open("/dev/null", O_RDWR | O_CLOEXEC);	/* no vhost: falls back */
	ck_assert_msg(devices_nic_add(devices, &n, &err) == 0, "%s", err.text);
	vmm_nic_fini(&n);
	ck_assert_uint_eq(counter("nic.net0.vhost"), 0);
	ck_assert_uint_eq(counter("nic.net0.rx.packets"), 0);
	guest_find(&g, 1);
	guest_drive(&g, ~0ull, 64);
	ck_assert_int_eq(devices_nic_link(devices, "net0", false, &err), 0);
	ck_assert_uint_eq(guest_read(&g, g.device + 6, 2), 0);
	ck_assert_int_eq(devices_nic_link(devices, "net0", true, &err), 0);
	ck_assert_int_eq(devices_nic_announce(devices, "net0", &err), 0);
	ck_assert_uint_eq(guest_read(&g, g.device + 6, 2), 3);
	ck_assert_int_lt(devices_nic_mtu(devices, "net0", 67, &err), 0);
	ck_assert_str_eq(err.text, "NIC 'net0': MTU 67 is not between 68 and 65535");
	ck_assert_int_eq(devices_nic_mtu(devices, "net0", 9000, &err), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("devices");
	TCase *t = tcase_create("devices");

	/* a network of its own for TAPs; a user cannot make one */
	have_taps = unshare(CLONE_NEWNET) == 0;
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, disks_and_entropy_get_the_slots_that_they_ask_for);
	tcase_add_test(t, slot_that_is_taken_is_refused);
	tcase_add_test(t, nic_that_is_none_is_named);
	if (have_taps) {
		tcase_add_test(t, nic_comes_and_goes);
		tcase_add_test(t, what_a_guest_wants_to_see_is_told_once_until_it_was_seen);
		tcase_add_test(t, second_nic_of_a_name_is_refused);
		tcase_add_test(t, nic_without_vhost_says_so_and_counts);
	} else {
		printf("no network namespace (%s): the tests with TAPs are left out\n",
		       strerror(errno));
	}
	suite_add_tcase(s, t);
	return suite_run(s);
}
