/* SPDX-License-Identifier: GPL-2.0-or-later */
/* domain_rules.c -- a domain as a whole: what its parts demand of each other, what is given to it */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netd/base/str.h"
#include "netd/model/domain.h"
#include "netd/model/elements.h"
#include "netd/model/xml.h"

#define DEVICE_MAX DOM_SLOT_MAX

struct slotted {
	struct dom_info *info;
	const char *element;
	int line;
};

/* All devices that sit on the bus, in the order in which they get their slots. */
static size_t slotted(const struct dom_def *def, struct slotted *out, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < def->n_nics && n < max; i++)
		out[n++] = (struct slotted){ &def->nics[i].info, "interface", def->nics[i].line };
	for (size_t i = 0; i < def->n_disks && n < max; i++)
		out[n++] = (struct slotted){ &def->disks[i].info, "disk", def->disks[i].line };
	for (size_t i = 0; i < def->n_rngs && n < max; i++)
		out[n++] = (struct slotted){ &def->rngs[i].info, "rng", def->rngs[i].line };
	return n;
}

static int check_memory(const struct dom_def *def, struct nd_error *err)
{
	uint64_t kib = def->memory.kib;

	if (kib < DOM_MEMORY_MIN_KIB || kib > DOM_MEMORY_MAX_KIB)
		return xml_fail_at(err, "memory", def->memory.line, ND_ERR_CONFIG_UNSUPPORTED,
				    "%llu KiB: a guest has %u MiB to %llu GiB",
				    (unsigned long long)kib, DOM_MEMORY_MIN_KIB / 1024,
				    (unsigned long long)(DOM_MEMORY_MAX_KIB >> 20));
	if (def->current_memory.kib && def->current_memory.kib != kib)
		return xml_fail_at(err, "currentMemory", def->current_memory.line,
				   ND_ERR_CONFIG_UNSUPPORTED,
				   "a guest has all of its <memory>: there is no balloon");
	return 0;
}

static int check_slots(const struct dom_def *def, struct nd_error *err)
{
	size_t total = def->n_nics + def->n_disks + def->n_rngs;
	struct slotted list[DEVICE_MAX];
	uint32_t taken = 0;
	size_t n;

	if (total > DEVICE_MAX)
		return nd_error_set(err, ND_ERR_CONFIG_UNSUPPORTED,
				    "<devices>: %zu devices: the bus has room for %d", total, DEVICE_MAX);
	n = slotted(def, list, DEVICE_MAX);
	for (size_t i = 0; i < n; i++) {
		if (!list[i].info->pci)
			continue;
		if (taken & 1U << list[i].info->at.slot)
			return xml_fail_at(err, list[i].element, list[i].line, ND_ERR_XML,
					   "another device is in PCI slot 0x%02x",
					   list[i].info->at.slot);
		taken |= 1U << list[i].info->at.slot;
	}
	return 0;
}

static int check_targets(const struct dom_def *def, struct nd_error *err)
{
	for (size_t i = 0; i < def->n_disks; i++)
		for (size_t k = 0; k < i; k++)
			if (nd_streq(def->disks[i].target, def->disks[k].target))
				return xml_fail_at(err, "disk", def->disks[i].line, ND_ERR_XML,
						   "target '%s' duplicated for disk sources '%s' and '%s'",
						   def->disks[i].target, dom_disk_source(&def->disks[k]),
						   dom_disk_source(&def->disks[i]));
	for (size_t i = 0; i < def->n_nics; i++)
		for (size_t k = 0; k < i; k++)
			if (def->nics[i].target && nd_streq0(def->nics[i].target, def->nics[k].target))
				return xml_fail_at(err, "interface", def->nics[i].line, ND_ERR_XML,
						   "another interface has the target '%s'",
						   def->nics[i].target);
	return 0;
}

static int check_console(const struct dom_def *def, struct nd_error *err)
{
	if (def->n_serials > 1)
		return xml_fail_at(err, "serial", def->serials[1].line, ND_ERR_CONFIG_UNSUPPORTED,
				   "a guest has one serial port");
	if (def->n_consoles > 1)
		return xml_fail_at(err, "console", def->consoles[1].line, ND_ERR_CONFIG_UNSUPPORTED,
				   "a guest has one console: its serial port");
	if (def->n_rngs > 1)
		return xml_fail_at(err, "rng", def->rngs[1].line, ND_ERR_CONFIG_UNSUPPORTED,
				   "a guest has one source of randomness");
	return 0;
}

int dom_def_check(const struct dom_def *def, struct nd_error *err)
{
	int r = check_memory(def, err);

	if (r == 0 && !def->kernel)
		r = xml_fail_at(err, "os", def->os_line, ND_ERR_CONFIG_UNSUPPORTED,
				"it has no <kernel>: there is no firmware that could boot from a disk");
	if (r == 0)
		r = check_console(def, err);
	if (r == 0)
		r = check_targets(def, err);
	return r < 0 ? r : check_slots(def, err);
}

static int give_slots(struct dom_def *def, struct nd_error *err)
{
	struct slotted list[DEVICE_MAX];
	size_t n;
	uint32_t taken = 1;		/* slot 0 */
	int r = check_slots(def, err);

	if (r < 0)
		return r;
	n = slotted(def, list, DEVICE_MAX);
	for (size_t i = 0; i < n; i++)
		if (list[i].info->pci)
			taken |= 1U << list[i].info->at.slot;
	for (size_t i = 0; i < n; i++) {
		if (list[i].info->pci)
			continue;
		list[i].info->pci = 1;
		list[i].info->at = (struct pci_address){ .slot = (uint8_t)__builtin_ctz(~taken) };
		taken |= 1U << list[i].info->at.slot;
	}
	return 0;
}

static int give_macs(struct dom_def *def, struct nd_error *err)
{
	int r;

	for (size_t i = 0; i < def->n_nics; i++) {
		if (def->nics[i].has_mac)
			continue;
		r = nd_mac_random(&def->nics[i].mac);
		if (r < 0)
			return nd_error_sys(err, -r, "cannot make a random MAC address");
		def->nics[i].has_mac = true;
	}
	return 0;
}

/* The serial port and the console are one: each is printed for the other. */
static int pair_console(struct dom_def *def, struct nd_error *err)
{
	struct dom_serial *made = NULL;

	if (def->n_serials && !def->n_consoles)
		made = def->consoles = calloc(1, sizeof(*made));
	else if (def->n_consoles && !def->n_serials)
		made = def->serials = calloc(1, sizeof(*made));
	else
		return 0;
	if (!made)
		return nd_error_nomem(err);
	*made = (struct dom_serial){ .type = 1, .target_type = 1,
				     .model = made == def->serials ? 1 : 0 };
	def->n_serials = def->n_consoles = 1;
	return 0;
}

static void give(struct dom_on *on, enum dom_action action)
{
	if (!on->action)
		on->action = action;
}

/* By this id the switch knows a macvtap again. Open vSwitch's is made at each start. */
static int give_instances(struct dom_def *def, struct nd_error *err)
{
	int r = 0;

	for (size_t i = 0; i < def->n_nics && r == 0; i++)
		if (def->nics[i].type == DOM_NIC_DIRECT)
			r = virtualport_generate(&def->nics[i].virtualport, err);
	return r;
}

int dom_def_generate(struct dom_def *def, struct nd_error *err)
{
	int r;

	if (!def->has_uuid) {
		r = nd_uuid_random(&def->uuid);
		if (r < 0)
			return nd_error_sys(err, -r, "cannot make a random UUID");
		def->has_uuid = true;
	}
	def->current_memory.kib = def->memory.kib;
	def->arch = def->machine = 1;
	def->acpi = def->apic = true;
	def->cpu_mode = def->cpu_check = def->cpu_migratable = 1;
	if (!def->clock)
		def->clock = DOM_CLOCK_UTC;
	give(&def->on_poweroff, DOM_ACTION_DESTROY);
	give(&def->on_reboot, DOM_ACTION_RESTART);
	give(&def->on_crash, DOM_ACTION_DESTROY);
	r = give_macs(def, err);
	if (r == 0)
		r = give_instances(def, err);
	if (r == 0)
		r = pair_console(def, err);
	return r < 0 ? r : give_slots(def, err);
}
