/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/hotplug.h"

#include <string.h>

void hotplug_init(struct hotplug *h, struct pci_bus *pci, struct power *power)
{
	*h = (struct hotplug){ .pci = pci, .power = power };
}

static void eject(struct hotplug *h, uint32_t slots)
{
	for (unsigned i = 1; i < PCI_SLOTS; i++) {
		if (!(slots & 1u << i))
			continue;
		h->up &= ~(1u << i);
		h->down &= ~(1u << i);
		pci_bus_eject(h->pci, i);
	}
}

void hotplug_reset(struct hotplug *h)
{
	eject(h, h->down);
	h->up = 0;
}

void hotplug_plugged(struct hotplug *h, unsigned slot)
{
	h->up |= 1u << slot;
	power_gpe(h->power, POWER_GPE_HOTPLUG);
}

void hotplug_unplug_wanted(struct hotplug *h, unsigned slot)
{
	h->down |= 1u << slot;
	power_gpe(h->power, POWER_GPE_HOTPLUG);
}

void hotplug_read(void *arg, unsigned offset, void *data, unsigned len_bytes)
{
	struct hotplug *h = arg;
	uint32_t v = 0;

	if (len_bytes == 4 && offset == HOTPLUG_UP) {
		v = h->up;
		h->up = 0;
	} else if (len_bytes == 4 && offset == HOTPLUG_DOWN) {
		v = h->down;
	}
	memcpy(data, &v, len_bytes);
}

/* Only what was asked for: a guest that throws out what it was not asked to would lose a NIC that
 * its owner counts on. */
void hotplug_write(void *arg, unsigned offset, const void *data, unsigned len_bytes)
{
	struct hotplug *h = arg;
	uint32_t v;

	if (len_bytes != 4 || offset != HOTPLUG_EJECT)
		return;
	memcpy(&v, data, 4);
	eject(h, v & h->down);
}
