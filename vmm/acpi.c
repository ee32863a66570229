/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Not the "hardware-reduced" kind: with PM1 registers the power button and the sleep states work
 * in every kernel that speaks ACPI at all. Layouts: ACPI 6.4, chapter 5.
 */
#include "vmm/acpi.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "netd/base/cursor.h"
#include "vmm/aml.h"
#include "vmm/hotplug.h"
#include "vmm/pci.h"
#include "vmm/power.h"

#define HEADER_BYTES 36
#define RSDP_BYTES 36
#define FADT_BYTES 276
#define FACS_BYTES 64
#define LAPIC_GPA 0xfee00000u
#define IOAPIC_GPA 0xfec00000u
#define MMIO_LAST 0xfebfffffu

#define FADT_WBINVD (1u << 0)
#define FADT_PROC_C1 (1u << 2)
#define FADT_NO_SLEEP_BUTTON (1u << 5)
#define FADT_NO_FIXED_RTC (1u << 6)
#define FADT_TIMER_32 (1u << 8)
#define FADT_RESET (1u << 10)
#define BOOT_LEGACY_DEVICES 1
#define BOOT_NO_VGA 4

struct tables {
	uint8_t *bytes;
	uint64_t gpa;
	struct wr w;
};

static void u16(struct wr *w, uint16_t v)
{
	wr_bytes(w, &v, 2);
}

static void u32(struct wr *w, uint32_t v)
{
	wr_bytes(w, &v, 4);
}

static void u64(struct wr *w, uint64_t v)
{
	wr_bytes(w, &v, 8);
}

static void zeros(struct wr *w, size_t n)
{
	uint8_t *at = wr_room(w, n);

	if (at)
		memset(at, 0, n);
}

static void align(struct tables *t, size_t to)
{
	zeros(&t->w, (size_t)(-wr_len(&t->w) & (to - 1)));
}

static void checksum_put(uint8_t *bytes, size_t n, size_t at)
{
	uint8_t sum = 0;

	bytes[at] = 0;
	for (size_t i = 0; i < n; i++)
		sum += bytes[i];
	bytes[at] = (uint8_t)-sum;
}

/* Returns the offset at which the table begins; its length comes at its end. */
static size_t table_begin(struct tables *t, const char *signature, uint8_t revision)
{
	size_t at;

	align(t, 16);
	at = wr_len(&t->w);
	wr_bytes(&t->w, signature, 4);
	u32(&t->w, 0);
	wr_u8(&t->w, revision);
	wr_u8(&t->w, 0);
	wr_bytes(&t->w, "NETD  NETDVMM ", 14);
	u32(&t->w, 1);
	wr_bytes(&t->w, "NETD", 4);
	u32(&t->w, 1);
	return at;
}

static void table_end(struct tables *t, size_t at)
{
	uint32_t len = (uint32_t)(wr_len(&t->w) - at);

	if (t->w.full)
		return;
	memcpy(t->bytes + at + 4, &len, 4);
	checksum_put(t->bytes + at, len, 9);
}

/* Generic address of an I/O port. */
static void gas(struct wr *w, uint16_t port, uint8_t bits, uint8_t access)
{
	wr_u8(w, 1);
	wr_u8(w, bits);
	wr_u8(w, 0);
	wr_u8(w, access);
	u64(w, port);
}

static void fadt_old_half(struct wr *w, uint32_t facs, uint32_t dsdt)
{
	u32(w, facs);
	u32(w, dsdt);
	wr_u8(w, 0);
	wr_u8(w, 0);			/* profile: not specified */
	u16(w, POWER_SCI);
	u32(w, 0);			/* SMI_CMD 0: ACPI is on */
	zeros(w, 4);
	u32(w, POWER_PORT_EVENT);
	u32(w, 0);
	u32(w, POWER_PORT_CONTROL);
	u32(w, 0);
	u32(w, 0);
	u32(w, POWER_PORT_TIMER);
	u32(w, POWER_PORT_GPE);
	u32(w, 0);
	wr_u8(w, POWER_EVENT_PORTS);
	wr_u8(w, POWER_CONTROL_PORTS);
	wr_u8(w, 0);
	wr_u8(w, POWER_TIMER_PORTS);
	wr_u8(w, POWER_GPE_PORTS);
	zeros(w, 3);
	u16(w, 0xfff);			/* no C2 and C3 */
	u16(w, 0xfff);
	zeros(w, 8);
	wr_u8(w, 0x32);			/* the RTC's century */
	u16(w, BOOT_LEGACY_DEVICES | BOOT_NO_VGA);	/* and no keyboard controller */
	wr_u8(w, 0);
	u32(w, FADT_WBINVD | FADT_PROC_C1 | FADT_NO_SLEEP_BUTTON | FADT_NO_FIXED_RTC |
	    FADT_TIMER_32 | FADT_RESET);
	gas(w, POWER_PORT_RESET, 8, 1);
	wr_u8(w, POWER_RESET_VALUE);
	zeros(w, 3);
}

static size_t fadt_put(struct tables *t, size_t facs, size_t dsdt)
{
	size_t at = table_begin(t, "FACP", 6);
	struct wr *w = &t->w;

	fadt_old_half(w, (uint32_t)(t->gpa + facs), (uint32_t)(t->gpa + dsdt));
	u64(w, 0);			/* the 32-bit FACS address counts */
	u64(w, t->gpa + dsdt);
	gas(w, POWER_PORT_EVENT, 32, 2);
	zeros(w, 12);
	gas(w, POWER_PORT_CONTROL, 16, 2);
	zeros(w, 24);
	gas(w, POWER_PORT_TIMER, 32, 3);
	gas(w, POWER_PORT_GPE, 32, 1);
	zeros(w, 12 + 24);
	wr_bytes(w, "netd-vmm", 8);	/* hypervisor vendor */
	table_end(t, at);
	return at;
}

static size_t facs_put(struct tables *t)
{
	size_t at;

	align(t, 64);
	at = wr_len(&t->w);
	wr_bytes(&t->w, "FACS", 4);
	u32(&t->w, FACS_BYTES);
	zeros(&t->w, 24);
	wr_u8(&t->w, 2);		/* version */
	zeros(&t->w, FACS_BYTES - 33);
	return at;
}

static void madt_override(struct wr *w, uint8_t line, uint16_t flags)
{
	wr_u8(w, 2);
	wr_u8(w, 10);
	wr_u8(w, 0);
	wr_u8(w, line);
	u32(w, line);
	u16(w, flags);
}

static size_t madt_put(struct tables *t, unsigned n_cpus)
{
	size_t at = table_begin(t, "APIC", 5);
	struct wr *w = &t->w;

	u32(w, LAPIC_GPA);
	u32(w, 1);			/* there are PICs too */
	for (unsigned i = 0; i < n_cpus; i++) {
		wr_u8(w, 0);
		wr_u8(w, 8);
		wr_u8(w, (uint8_t)i);
		wr_u8(w, (uint8_t)i);
		u32(w, 1);
	}
	wr_u8(w, 1);
	wr_u8(w, 12);
	wr_u8(w, (uint8_t)n_cpus);
	wr_u8(w, 0);
	u32(w, IOAPIC_GPA);
	u32(w, 0);
	madt_override(w, POWER_SCI, 0x000d);	/* level, active high */
	wr_u8(w, 4);			/* NMI at LINT1 of all */
	wr_u8(w, 6);
	wr_u8(w, 0xff);
	u16(w, 0);
	wr_u8(w, 1);
	table_end(t, at);
	return at;
}

static void slot_name(char name[5], unsigned slot)
{
	snprintf(name, 5, "S%03u", slot % 1000);
}

static void slots_put(struct aml *a)
{
	char name[5];

	for (unsigned i = 1; i < PCI_SLOTS; i++) {
		slot_name(name, i);
		aml_begin_device(a, name);
		aml_name(a, "_ADR");
		aml_int(a, (uint64_t)i << 16);
		aml_name(a, "_SUN");
		aml_int(a, i);
		aml_begin_method(a, "_EJ0", 1);
		aml_op(a, AML_STORE);
		aml_int(a, 1ull << i);
		aml_path(a, "EJCT");
		aml_end(a);
		aml_end(a);
	}
}

/* NTFY(slots, event): Notify() each of the slots. */
static void notify_method_put(struct aml *a)
{
	char name[5];

	aml_begin_method(a, "NTFY", 2);
	for (unsigned i = 1; i < PCI_SLOTS; i++) {
		slot_name(name, i);
		aml_begin_if(a);
		aml_op(a, AML_AND);
		aml_arg(a, 0);
		aml_int(a, 1ull << i);
		aml_int(a, 0);		/* the result is stored nowhere */
		aml_op(a, AML_NOTIFY);
		aml_path(a, name);
		aml_arg(a, 1);
		aml_end(a);
	}
	aml_end(a);
}

/* Device check (1) for what was plugged, eject request (3) for what shall go. */
static void hotplug_put(struct aml *a)
{
	static const char *const fields[] = { "PLUG", "UNPL", "EJCT" };

	aml_io_region(a, "HPRG", HOTPLUG_PORT, HOTPLUG_PORTS);
	aml_fields(a, "HPRG", fields, 3);
	slots_put(a);
	notify_method_put(a);
	aml_begin_method(a, "HPEV", 0);
	aml_path(a, "NTFY");
	aml_path(a, "PLUG");
	aml_int(a, 1);
	aml_path(a, "NTFY");
	aml_path(a, "UNPL");
	aml_int(a, 3);
	aml_end(a);
}

static void pci_put(struct aml *a)
{
	aml_begin_device(a, "PCI0");
	aml_name(a, "_HID");
	aml_eisa_id(a, "PNP0A03");
	aml_name(a, "_UID");
	aml_int(a, 0);
	aml_name(a, "_BBN");
	aml_int(a, 0);
	aml_name(a, "_CRS");
	aml_begin_resources(a);
	aml_res_bus(a, 0, 0);
	aml_res_io(a, 0xcf8, 8);
	aml_res_io_window(a, 0, 0xcf7);
	aml_res_io_window(a, 0xd00, 0xffff);
	aml_res_memory_window(a, PCI_MMIO_BASE, MMIO_LAST);
	aml_end_resources(a);
	hotplug_put(a);
	aml_end(a);
}

/* A device with ports, and a line unless it is 0. */
static void isa_put(struct aml *a, const char *name, const char *id, uint16_t port, uint8_t n_ports,
		    unsigned line)
{
	aml_begin_device(a, name);
	aml_name(a, "_HID");
	if (strncmp(id, "PNP", 3) == 0)
		aml_eisa_id(a, id);
	else
		aml_string(a, id);
	aml_name(a, "_UID");
	aml_int(a, 1);
	aml_name(a, "_STA");
	aml_int(a, 0xf);
	aml_name(a, "_CRS");
	aml_begin_resources(a);
	aml_res_io(a, port, n_ports);
	if (line)
		aml_res_irq(a, line);
	aml_end_resources(a);
	aml_end(a);
}

static void dsdt_body(struct aml *a)
{
	aml_begin_scope(a, "\\_SB_");
	pci_put(a);
	isa_put(a, "COM1", "PNP0501", 0x3f8, 8, 4);
	isa_put(a, "RTC0", "PNP0B00", 0x70, 2, 0);
	isa_put(a, "PNIC", "QEMU0001", POWER_PORT_PANIC, 1, 0);
	aml_end(a);
	aml_begin_scope(a, "\\_GPE");
	aml_begin_method(a, "_E01", 0);
	aml_path(a, "\\_SB_.PCI0.HPEV");
	aml_end(a);
	aml_end(a);
	aml_name(a, "\\_S5_");
	aml_begin_package(a, 4);
	aml_int(a, POWER_SLEEP_S5);
	aml_int(a, POWER_SLEEP_S5);
	aml_int(a, 0);
	aml_int(a, 0);
	aml_end(a);
}

static size_t dsdt_put(struct tables *t)
{
	size_t at = table_begin(t, "DSDT", 2);
	struct aml a;

	aml_init(&a, t->w.at, wr_left(&t->w));
	dsdt_body(&a);
	if (a.w.full || a.depth)
		t->w.full = true;
	else
		(void)wr_room(&t->w, wr_len(&a.w));
	table_end(t, at);
	return at;
}

static void rsdp_put(struct tables *t, size_t xsdt)
{
	struct wr w = wr_init(t->bytes, (size_t)(t->w.end - t->w.start));

	wr_bytes(&w, "RSD PTR ", 8);
	wr_u8(&w, 0);
	wr_bytes(&w, "NETD  ", 6);
	wr_u8(&w, 2);
	u32(&w, 0);
	u32(&w, RSDP_BYTES);
	u64(&w, t->gpa + xsdt);
	zeros(&w, 4);
	checksum_put(t->bytes, 20, 8);
	checksum_put(t->bytes, RSDP_BYTES, 32);
}

int acpi_put(uint8_t *bytes, size_t size, uint64_t gpa, unsigned n_cpus)
{
	struct tables t = { .bytes = bytes, .gpa = gpa, .w = wr_init(bytes, size) };
	size_t facs, dsdt, fadt, madt, xsdt;

	zeros(&t.w, RSDP_BYTES);
	facs = facs_put(&t);
	dsdt = dsdt_put(&t);
	fadt = fadt_put(&t, facs, dsdt);
	madt = madt_put(&t, n_cpus);
	xsdt = table_begin(&t, "XSDT", 1);
	u64(&t.w, gpa + fadt);
	u64(&t.w, gpa + madt);
	table_end(&t, xsdt);
	if (t.w.full)
		return -ENOSPC;
	rsdp_put(&t, xsdt);
	return 0;
}
