/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hotplug.h -- the registers by which ACPI tells the guest of NICs that come and go
 *
 * The DSDT's methods read which slots were plugged or shall be unplugged and write which one the
 * guest let go of (see acpi.c). Each register is 32 bits, one for each PCI slot.
 */
#pragma once
#include <stdint.h>

#include "vmm/pci.h"
#include "vmm/power.h"

enum {
	HOTPLUG_PORT = 0xae00,
	HOTPLUG_PORTS = 12,
	HOTPLUG_UP = 0,			/* plugged since the last read */
	HOTPLUG_DOWN = 4,		/* shall go */
	HOTPLUG_EJECT = 8,		/* written: went */
};

struct hotplug {
	struct pci_bus *pci;
	struct power *power;
	uint32_t up, down;
};

/* Both outlive it. */
void hotplug_init(struct hotplug *h, struct pci_bus *pci, struct power *power);
/* After a reset the guest finds all by itself; what shall go, goes now, since nobody uses it. */
void hotplug_reset(struct hotplug *h);
void hotplug_plugged(struct hotplug *h, unsigned slot);
void hotplug_unplug_wanted(struct hotplug *h, unsigned slot);

/* The members of struct bus_device, with arg a struct hotplug. */
void hotplug_read(void *arg, unsigned offset, void *data, unsigned len_bytes);
void hotplug_write(void *arg, unsigned offset, const void *data, unsigned len_bytes);
