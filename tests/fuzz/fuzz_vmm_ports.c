/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest that reads and writes I/O ports and what it finds by them: PCI's configuration space,
 * BARs, MSI-X tables, hot-plug, the serial port, the clock, power. The input is a sequence of
 *	u8 what, u8 length, u16 port or low address, u32 value
 * The hypervisor is a set that must be empty of what was never set, and empty at the end.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "netd/base/cursor.h"
#include "vmm/bus.h"
#include "vmm/hotplug.h"
#include "vmm/pci.h"
#include "vmm/power.h"
#include "vmm/rtc.h"
#include "vmm/serial.h"

#define MUST(what) do { if (!(what)) abort(); } while (0)
#define SLOTS 3
#define VECTORS 5
#define SET_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct tied {
	uint64_t key;			/* descriptor of an interrupt, or address of a kick */
	bool used;
};

struct world {
	struct pci_bus *pci;
	struct bus bus;
	struct serial *serial;
	struct rtc rtc;
	struct power power;
	struct hotplug hotplug;
	struct device {
		struct world *world;
		struct pci_function *f;
		uint64_t bar_bytes[6];
	} devices[SLOTS];
	struct tied msis[SET_MAX], kicks[SET_MAX];
	uint64_t ns;
};

static struct tied *find(struct tied *set, uint64_t key, bool used)
{
	for (int i = 0; i < SET_MAX; i++)
		if (set[i].used == used && (!used || set[i].key == key))
			return &set[i];
	return NULL;
}

static int set(struct tied *t, uint64_t key)
{
	struct tied *unused = find(t, 0, false);

	MUST(unused);
	*unused = (struct tied){ key, true };
	return 0;
}

static int msi_set(void *arg, int fd, uint64_t address, uint32_t data)
{
	struct world *w = arg;

	return find(w->msis, (uint64_t)fd, true) ? 0 : set(w->msis, (uint64_t)fd);
}

static void msi_clear(void *arg, int fd)
{
	struct tied *t = find(((struct world *)arg)->msis, (uint64_t)fd, true);

	MUST(t);
	t->used = false;
}

/* As KVM: an address is taken once. */
static int notify_set(void *arg, uint64_t gpa, int fd)
{
	struct world *w = arg;

	return find(w->kicks, gpa, true) ? -1 : set(w->kicks, gpa);
}

static void notify_clear(void *arg, uint64_t gpa, int fd)
{
	struct tied *t = find(((struct world *)arg)->kicks, gpa, true);

	MUST(t);
	t->used = false;
}

static void bar_access(struct device *d, unsigned bar, uint64_t offset, unsigned len_bytes)
{
	MUST(bar < 6 && len_bytes <= 8 && offset + len_bytes <= d->bar_bytes[bar]);
}

static void bar_read(void *arg, unsigned bar, uint64_t offset, void *data, unsigned len_bytes)
{
	bar_access(arg, bar, offset, len_bytes);
}

static void bar_write(void *arg, unsigned bar, uint64_t offset, const void *data, unsigned len_bytes)
{
	bar_access(arg, bar, offset, len_bytes);
}

static void config_access(void *arg, unsigned offset, unsigned len_bytes)
{
	MUST(offset >= 0x40 && offset + len_bytes <= PCI_CONFIG_BYTES);
}

static void ejected(void *arg)
{
	struct device *d = arg;

	pci_function_free(d->f);
	d->f = NULL;
}

static void irq_set(void *arg, bool high)
{
}

static void wish_note(void *arg, enum power_wish wish)
{
}

static int64_t clock_s(void)
{
	return 1795791248;
}

static uint64_t clock_ns(void)
{
	return 1000000007;
}

static void device_make(struct world *w, unsigned i, int kick)
{
	static const struct pci_ops ops = { bar_read, bar_write, config_access, config_access, NULL,
					    ejected };
	static const struct pci_ids ids = { .vendor = 0x1af4, .device = 0x1041, .class_code = 0x020000 };
	struct device *d = &w->devices[i];

	d->world = w;
	d->f = pci_function_new(&ids, &ops, d);
	MUST(d->f && pci_add_msix(d->f, 0, VECTORS) == 0);
	d->bar_bytes[2] = 0x4000;
	MUST(pci_add_bar(d->f, 2, d->bar_bytes[2]) == 0);
	MUST(pci_notify_fd(d->f, 2, 0x3000, kick) == 0 && pci_notify_fd(d->f, 2, 0x3004, kick) == 0);
	pci_writable(d->f, (unsigned)pci_add_capability(d->f, 9, "0123456789", 10), 12);
	MUST(pci_bus_plug(w->pci, i + 1, d->f) == 0);
}

static void conf1_read(void *arg, unsigned offset, void *data, unsigned len_bytes)
{
	pci_conf1_read(arg, offset, data, len_bytes);
}

static void conf1_write(void *arg, unsigned offset, const void *data, unsigned len_bytes)
{
	pci_conf1_write(arg, offset, data, len_bytes);
}

static void world_make(struct world *w, int kick)
{
	const struct pci_host host = { w, msi_set, msi_clear, notify_set, notify_clear };

	w->pci = pci_bus_new(&host);
	w->serial = serial_new(NULL, -1, -1, irq_set, NULL);
	MUST(w->pci && w->serial);
	rtc_init(&w->rtc, 0, clock_s);
	power_init(&w->power, clock_ns, irq_set, wish_note, NULL);
	hotplug_init(&w->hotplug, w->pci, &w->power);
	bus_add(&w->bus, &(struct bus_device){ 0x3f8, 8, w->serial, serial_read, serial_write });
	bus_add(&w->bus, &(struct bus_device){ 0x70, 2, &w->rtc, rtc_read, rtc_write });
	bus_add(&w->bus, &(struct bus_device){ 0xcf8, 8, w->pci, conf1_read, conf1_write });
	bus_add(&w->bus, &(struct bus_device){ HOTPLUG_PORT, HOTPLUG_PORTS, &w->hotplug, hotplug_read,
					       hotplug_write });
	bus_add(&w->bus, &(struct bus_device){ POWER_PORT_EVENT, 4, &w->power, power_event_read,
					       power_event_write });
	bus_add(&w->bus, &(struct bus_device){ POWER_PORT_CONTROL, 2, &w->power, power_control_read,
					       power_control_write });
	bus_add(&w->bus, &(struct bus_device){ POWER_PORT_TIMER, 4, &w->power, power_timer_read, NULL });
	bus_add(&w->bus, &(struct bus_device){ POWER_PORT_GPE, 4, &w->power, power_gpe_read,
					       power_gpe_write });
	for (unsigned i = 0; i < SLOTS; i++)
		device_make(w, i, kick);
}

static void memory_access(struct world *w, uint8_t what, uint64_t gpa, uint64_t value, unsigned len)
{
	if (what & 1)
		(void)pci_bus_write(w->pci, gpa, &value, len);
	else
		(void)pci_bus_read(w->pci, gpa, &value, len);
}

static void step(struct world *w, struct rd *r)
{
	uint8_t what = rd_u8(r), shift = rd_u8(r) & 3;
	uint16_t low = rd_u16(r);
	uint32_t value = rd_u32(r);
	uint8_t data[8] = { 0 };
	unsigned len = 1u << (shift < 3 ? shift : 2);

	memcpy(data, &value, 4);
	switch (what >> 1 & 7) {
	case 0:
	case 1:
		if (what & 1)
			bus_write(&w->bus, low, data, len);
		else
			bus_read(&w->bus, low, data, len);
		break;
	case 2:				/* where a slot's BARs are at first */
		memory_access(w, what, PCI_MMIO_BASE + (1 + what % SLOTS) * PCI_SLOT_MMIO_BYTES + low, value,
			      1u << shift);
		break;
	case 3:
		memory_access(w, what, (uint64_t)value << 16 | low, low, 1u << shift);
		break;
	case 4:
		for (unsigned i = 0; i < SLOTS; i++)
			if (w->devices[i].f)
				eventfd_write(msix_fd(w->devices[i].f, low % VECTORS), 1);
		break;
	case 5:
		if (w->devices[low % SLOTS].f)
			hotplug_unplug_wanted(&w->hotplug, 1 + low % SLOTS);
		break;
	case 6:
		(void)serial_input(w->serial, data, 4);
		break;
	default:
		if (low == 0) {
			hotplug_reset(&w->hotplug);
			pci_bus_reset(w->pci);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world w;
	static int kick = -1;
	struct rd r = rd_init(data, size);

	if (kick < 0)
		kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	w = (struct world){ 0 };
	world_make(&w, kick);
	while (rd_left(&r) >= 8)
		step(&w, &r);
	for (unsigned i = 0; i < SLOTS; i++)
		pci_function_free(w.devices[i].f);
	pci_bus_free(w.pci);
	serial_free(w.serial);
	for (int i = 0; i < SET_MAX; i++)
		MUST(!w.msis[i].used && !w.kicks[i].used);
	return 0;
}
