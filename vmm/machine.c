/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A reset makes a new KVM machine and new vCPUs: then nothing of the old guest's state can be
 * left anywhere in the kernel. Memory, devices and their descriptors stay.
 *
 * What the guest wants (power off, reset) is heard on a vCPU's thread. All vCPUs are held there
 * and then, and what follows is done on the I/O thread.
 */
#include "vmm/machine.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "netd/base/log.h"
#include "vmm/acpi.h"
#include "vmm/boot.h"
#include "vmm/bus.h"
#include "vmm/cpus.h"
#include "vmm/hotplug.h"
#include "vmm/power.h"
#include "vmm/rtc.h"
#include "vmm/serial.h"
#include "vmm/vm.h"

#define CONF1_PORT 0xcf8
#define CONF1_PORTS 8
#define SERIAL_PORT 0x3f8
#define SERIAL_LINE 4
#define RTC_PORT 0x70

struct machine {
	struct machine_setup setup;
	struct vmm_config config;	/* without NICs and disks: those are the devices' */
	enum vmm_state state;
	struct memory *memory;
	bool memory_used;		/* must be cleared before the next boot */
	struct vm *vm;			/* NULL between two boots, as cpus */
	struct cpus *cpus;
	struct bus bus;
	struct pci_bus *pci;
	struct pci_function *bridge;
	struct serial *serial;
	struct rtc rtc;
	struct power power;
	struct hotplug hotplug;
	struct devices *devices;
	/* What the guest wants, until the I/O thread has dealt with it. */
	bool wished;
	enum vmm_event_kind wish;
	char wish_text[256];
};

static uint64_t clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int64_t clock_s(void)
{
	return time(NULL);
}

/* The bus outlives the KVM machine: without one there is nobody to be told. */
static int host_msi_set(void *arg, int fd, uint64_t address, uint32_t data)
{
	struct machine *m = arg;

	return m->vm ? vm_msi_set(m->vm, fd, address, data) : -ENODEV;
}

static void host_msi_clear(void *arg, int fd)
{
	struct machine *m = arg;

	if (m->vm)
		vm_msi_clear(m->vm, fd);
}

static int host_notify_set(void *arg, uint64_t gpa, int fd)
{
	struct machine *m = arg;

	return m->vm ? vm_notify_set(m->vm, gpa, fd) : -ENODEV;
}

static void host_notify_clear(void *arg, uint64_t gpa, int fd)
{
	struct machine *m = arg;

	if (m->vm)
		vm_notify_clear(m->vm, gpa, fd);
}

static void serial_irq(void *arg, bool high)
{
	struct machine *m = arg;

	if (m->vm)
		vm_irq_set(m->vm, SERIAL_LINE, high);
}

static void power_irq(void *arg, bool high)
{
	struct machine *m = arg;

	if (m->vm)
		vm_irq_set(m->vm, POWER_SCI, high);
}

static void event_tell(struct machine *m, enum vmm_event_kind kind, uint32_t detail, const char *text)
{
	struct vmm_event e = { .kind = kind, .detail = detail };

	snprintf(e.text, sizeof(e.text), "%.*s", (int)sizeof(e.text) - 1, text);
	m->setup.event(m->setup.arg, &e);
}

static void state_set(struct machine *m, enum vmm_state state)
{
	static const char *const names[] = { "", "empty", "ready", "running", "paused", "crashed" };

	if (m->state == state)
		return;
	nd_log(LOG_INFO, m->config.name, "%s -> %s", names[m->state], names[state]);
	m->state = state;
	event_tell(m, VMM_EVENT_STATE, state, "");
}

static int restart(struct machine *m, struct nd_error *err);

static enum vmm_action action_for(const struct machine *m, enum vmm_event_kind wish)
{
	return wish == VMM_EVENT_POWEROFF ? m->config.on_poweroff :
	       wish == VMM_EVENT_RESET ? m->config.on_reboot : m->config.on_crash;
}

/* On the I/O thread. */
static void wish_grant(void *arg)
{
	struct machine *m = arg;
	enum vmm_action action = action_for(m, m->wish);
	struct nd_error err = { 0 };

	if (!m->wished)
		return;			/* netd reset it meanwhile */
	m->wished = false;
	event_tell(m, m->wish, action, m->wish_text);
	if (action == VMM_PRESERVE) {
		state_set(m, VMM_STATE_CRASHED);
		return;
	}
	if (action == VMM_RESTART) {
		if (restart(m, &err) == 0)
			return;
		nd_log(LOG_ERR, m->config.name, "cannot boot again: %s", err.text);
		event_tell(m, VMM_EVENT_CRASHED, VMM_DESTROY, err.text);
	}
	m->setup.over(m->setup.arg);
}

/* On a vCPU's thread. The first wish counts. */
static void wish_note(struct machine *m, enum vmm_event_kind wish, const char *text)
{
	if (m->cpus)
		cpus_hold(m->cpus);
	if (m->wished)
		return;
	m->wished = true;
	m->wish = wish;
	snprintf(m->wish_text, sizeof(m->wish_text), "%.*s", (int)sizeof(m->wish_text) - 1, text);
	if (loop_post(m->setup.loop, wish_grant, m) < 0)
		abort();		/* a guest that hangs for ever would be worse */
}

static void power_wish(void *arg, enum power_wish wish)
{
	static const enum vmm_event_kind kinds[] = {
		[POWER_OFF] = VMM_EVENT_POWEROFF, [POWER_RESET] = VMM_EVENT_RESET,
		[POWER_PANIC] = VMM_EVENT_CRASHED,
	};

	wish_note(arg, kinds[wish], wish == POWER_PANIC ? "the guest's kernel panicked" : "");
}

/* A triple fault is how a PC's kernel resets it when all else fails. */
static void cpu_ended(void *arg, enum vcpu_end end, const struct nd_error *err)
{
	if (end == VCPU_RESET)
		wish_note(arg, VMM_EVENT_RESET, "triple fault");
	else
		wish_note(arg, VMM_EVENT_CRASHED, err->text);
}

static void port_read(void *arg, uint16_t port, void *data, unsigned len_bytes)
{
	struct machine *m = arg;

	loop_lock(m->setup.loop);
	bus_read(&m->bus, port, data, len_bytes);
	loop_unlock(m->setup.loop);
}

static void port_write(void *arg, uint16_t port, const void *data, unsigned len_bytes)
{
	struct machine *m = arg;

	loop_lock(m->setup.loop);
	bus_write(&m->bus, port, data, len_bytes);
	loop_unlock(m->setup.loop);
}

static void memory_read(void *arg, uint64_t gpa, void *data, unsigned len_bytes)
{
	struct machine *m = arg;

	loop_lock(m->setup.loop);
	if (!pci_bus_read(m->pci, gpa, data, len_bytes))
		memset(data, 0xff, len_bytes);
	loop_unlock(m->setup.loop);
}

static void memory_write(void *arg, uint64_t gpa, const void *data, unsigned len_bytes)
{
	struct machine *m = arg;

	loop_lock(m->setup.loop);
	(void)pci_bus_write(m->pci, gpa, data, len_bytes);	/* nobody there: lost, as on a PC */
	loop_unlock(m->setup.loop);
}

static void conf1_read(void *arg, unsigned offset, void *data, unsigned len_bytes)
{
	struct machine *m = arg;

	pci_conf1_read(m->pci, offset, data, len_bytes);
}

/* The reset register is one of conf1's eight ports, in bytes. */
static void conf1_write(void *arg, unsigned offset, const void *data, unsigned len_bytes)
{
	struct machine *m = arg;

	if (CONF1_PORT + offset == POWER_PORT_RESET && len_bytes == 1)
		power_reset_write(&m->power, *(const uint8_t *)data);
	else
		pci_conf1_write(m->pci, offset, data, len_bytes);
}

static void ports_lay_out(struct machine *m)
{
	const struct bus_device devices[] = {
		{ SERIAL_PORT, SERIAL_PORTS, m->serial, serial_read, serial_write },
		{ RTC_PORT, RTC_PORTS, &m->rtc, rtc_read, rtc_write },
		{ CONF1_PORT, CONF1_PORTS, m, conf1_read, conf1_write },
		{ HOTPLUG_PORT, HOTPLUG_PORTS, &m->hotplug, hotplug_read, hotplug_write },
		{ POWER_PORT_EVENT, POWER_EVENT_PORTS, &m->power, power_event_read, power_event_write },
		{ POWER_PORT_CONTROL, POWER_CONTROL_PORTS, &m->power, power_control_read,
		  power_control_write },
		{ POWER_PORT_TIMER, POWER_TIMER_PORTS, &m->power, power_timer_read, NULL },
		{ POWER_PORT_GPE, POWER_GPE_PORTS, &m->power, power_gpe_read, power_gpe_write },
		{ POWER_PORT_KEYBOARD, 1, &m->power, power_keyboard_read, power_keyboard_write },
		{ POWER_PORT_PANIC, 1, &m->power, power_panic_read, power_panic_write },
	};

	for (size_t i = 0; i < ND_COUNT(devices); i++)
		bus_add(&m->bus, &devices[i]);
}

/* Kernels look for a host bridge before they believe that there is a PCI bus. */
static int bridge_plug(struct machine *m, struct nd_error *err)
{
	static const struct pci_ids ids = { .vendor = 0x1b36, .device = 0x0008, .class_code = 0x060000 };
	static const struct pci_ops ops = { 0 };

	m->bridge = pci_function_new(&ids, &ops, NULL);
	if (!m->bridge || pci_bus_plug(m->pci, 0, m->bridge) < 0)
		return nd_error_nomem(err);
	return 0;
}

static void slot_plugged(void *arg, unsigned slot)
{
	struct machine *m = arg;

	hotplug_plugged(&m->hotplug, slot);
}

static void slot_unplug_wanted(void *arg, unsigned slot)
{
	struct machine *m = arg;

	hotplug_unplug_wanted(&m->hotplug, slot);
}

struct nic_news {
	struct machine *machine;
	char id[VMM_ID_MAX];
};

/* What devices say of a NIC they often say on a vCPU's thread. Without memory netd sees it in the next HELLO,
 * or the next time. */
static void news_post(struct machine *m, const char *id, void (*tell)(void *news))
{
	struct nic_news *n = malloc(sizeof(*n));

	if (!n)
		return;
	n->machine = m;
	snprintf(n->id, sizeof(n->id), "%s", id);
	if (loop_post(m->setup.loop, tell, n) < 0)
		free(n);
}

static void removed_tell(void *arg)
{
	struct nic_news *n = arg;

	event_tell(n->machine, VMM_EVENT_NIC_REMOVED, 0, n->id);
	free(n);
}

static void nic_removed(void *arg, const char *id)
{
	news_post(arg, id, removed_tell);
}

static void filter_tell(void *arg)
{
	struct nic_news *n = arg;

	n->machine->setup.filter(n->machine->setup.arg, n->id);
	free(n);
}

static void filter_changed(void *arg, const char *id)
{
	struct machine *m = arg;

	if (m->setup.filter)
		news_post(m, id, filter_tell);
}

static int parts_make(struct machine *m, struct nd_error *err)
{
	const struct pci_host host = { .arg = m, .msi_set = host_msi_set, .msi_clear = host_msi_clear,
				       .notify_set = host_notify_set, .notify_clear = host_notify_clear };
	const struct devices_env env = { .name = m->config.name, .loop = m->setup.loop,
					 .memory = m->memory, .arg = m, .plugged = slot_plugged,
					 .unplug_wanted = slot_unplug_wanted, .nic_removed = nic_removed,
					 .filter_changed = filter_changed };
	struct devices_env with_pci = env;
	int out_fd = m->config.console_fd, in_fd = m->setup.console_in_fd;
	int r;

	m->pci = pci_bus_new(&host);
	if (!m->pci)
		return nd_error_nomem(err);
	rtc_init(&m->rtc, m->config.clock_offset_s, clock_s);
	power_init(&m->power, clock_ns, power_irq, power_wish, m);
	hotplug_init(&m->hotplug, m->pci, &m->power);
	m->serial = serial_new(m->setup.loop, in_fd >= 0 ? in_fd : out_fd, out_fd, serial_irq, m);
	if (!m->serial)
		return nd_error_nomem(err);
	ports_lay_out(m);
	r = bridge_plug(m, err);
	if (r < 0)
		return r;
	with_pci.pci = m->pci;
	return devices_new(m->setup.config, &with_pci, &m->devices, err);
}

/* The scalars, and the descriptors that are not devices'. */
static void config_take(struct machine *m)
{
	struct vmm_config *c = m->setup.config;

	m->config = *c;
	m->config.nics = NULL;
	m->config.disks = NULL;
	m->config.n_nics = m->config.n_disks = 0;
	m->config.listen_fd = -1;
	c->kvm_fd = c->kernel_fd = c->initrd_fd = c->console_fd = -1;
}

int machine_new(const struct machine_setup *setup, struct machine **out, struct nd_error *err)
{
	ND_AUTO(machine_free) struct machine *m = NULL;
	int r = vmm_config_check(setup->config, err);

	if (r == 0)
		r = vm_kvm_check(setup->config->kvm_fd, err);
	if (r < 0)
		return r;
	m = calloc(1, sizeof(*m));
	if (!m)
		return nd_error_nomem(err);
	m->setup = *setup;
	m->state = VMM_STATE_EMPTY;
	config_take(m);
	r = memory_new(m->config.ram_bytes, &m->memory, err);
	if (r == 0)
		r = parts_make(m, err);
	if (r < 0)
		return r;
	*out = nd_take_ptr(&m);
	return 0;
}

static void kvm_drop(struct machine *m)
{
	cpus_free(m->cpus);
	m->cpus = NULL;
	vm_free(m->vm);
	m->vm = NULL;
}

void machine_free(struct machine *m)
{
	if (!m)
		return;
	if (m->cpus)
		cpus_free(m->cpus);
	m->cpus = NULL;
	devices_free(m->devices);
	pci_function_free(m->bridge);
	pci_bus_free(m->pci);
	vm_free(m->vm);
	serial_free(m->serial);
	memory_free(m->memory);
	vmm_config_fini(&m->config);
	free(m);
}

enum vmm_state machine_state(const struct machine *m)
{
	return m->state;
}

struct devices *machine_devices(struct machine *m)
{
	return m->devices;
}

static int kernel_load(struct machine *m, struct boot_entry *entry, struct nd_error *err)
{
	const struct boot_source source = { .kernel_fd = m->config.kernel_fd,
					    .initrd_fd = m->config.initrd_fd,
					    .cmdline = m->config.cmdline };
	size_t room = BOOT_ACPI_END - BOOT_ACPI;
	int r = m->memory_used ? memory_clear(m->memory, err) : 0;

	m->memory_used = true;
	if (r == 0)
		r = boot_load(m->memory, &source, entry, err);
	if (r == 0 && acpi_put(memory_at(m->memory, BOOT_ACPI, room), room, BOOT_ACPI,
			       m->config.n_cpus) < 0)
		r = nd_error_set(err, ND_ERR_INTERNAL, "the ACPI tables are too long");
	return r;
}

int machine_boot(struct machine *m, struct nd_error *err)
{
	struct boot_entry entry;
	struct cpus_setup setup = {
		.kvm_fd = m->config.kvm_fd, .n = m->config.n_cpus, .entry = &entry,
		.loop = m->setup.loop, .sandbox = m->setup.sandbox, .ended = cpu_ended, .arg = m,
		.exits = { .arg = m, .port_read = port_read, .port_write = port_write,
			   .memory_read = memory_read, .memory_write = memory_write },
	};
	int r = kernel_load(m, &entry, err);

	if (r == 0)
		r = vm_new(m->config.kvm_fd, m->memory, &m->vm, err);
	setup.vm = m->vm;
	if (r == 0)
		r = cpus_new(&setup, &m->cpus, err);
	if (r < 0)
		return r;
	state_set(m, VMM_STATE_READY);
	return 0;
}

/* From any state to a freshly booted, running guest. */
static int restart(struct machine *m, struct nd_error *err)
{
	int r;

	/* No vCPU may be on its way into a device that is being reset. */
	if (m->cpus)
		cpus_pause(m->cpus);
	m->wished = false;
	hotplug_reset(&m->hotplug);
	pci_bus_reset(m->pci);
	kvm_drop(m);
	serial_reset(m->serial);
	rtc_reset(&m->rtc);
	power_reset(&m->power);
	r = machine_boot(m, err);
	return r < 0 ? r : machine_start(m, err);
}

static int state_need(const struct machine *m, enum vmm_state state, const char *what,
		      struct nd_error *err)
{
	if (m->state == state)
		return 0;
	return nd_error_set(err, ND_ERR_OPERATION_INVALID, "the guest is not %s", what);
}

int machine_start(struct machine *m, struct nd_error *err)
{
	int r = state_need(m, VMM_STATE_READY, "ready to start", err);

	if (r < 0)
		return r;
	cpus_go(m->cpus);
	state_set(m, VMM_STATE_RUNNING);
	return 0;
}

int machine_pause(struct machine *m, struct nd_error *err)
{
	int r = state_need(m, VMM_STATE_RUNNING, "running", err);

	if (r < 0)
		return r;
	cpus_pause(m->cpus);
	state_set(m, VMM_STATE_PAUSED);
	return 0;
}

int machine_resume(struct machine *m, struct nd_error *err)
{
	int r = state_need(m, VMM_STATE_PAUSED, "paused", err);

	if (r < 0)
		return r;
	/* What it wished before it was paused is still to be granted, and holds it. */
	if (!m->wished)
		cpus_go(m->cpus);
	state_set(m, VMM_STATE_RUNNING);
	return 0;
}

int machine_button(struct machine *m, struct nd_error *err)
{
	int r = state_need(m, VMM_STATE_RUNNING, "running", err);

	if (r == 0 && !power_button(&m->power))
		nd_log(LOG_INFO, m->config.name, "the guest does not listen to its power button yet");
	return r;
}

int machine_reset(struct machine *m, struct nd_error *err)
{
	int r;

	if (m->state < VMM_STATE_RUNNING)
		return state_need(m, VMM_STATE_RUNNING, "running", err);
	r = restart(m, err);
	if (r < 0) {
		event_tell(m, VMM_EVENT_CRASHED, VMM_DESTROY, err->text);
		m->setup.over(m->setup.arg);
		return r;
	}
	event_tell(m, VMM_EVENT_RESET, VMM_RESTART, "");
	return 0;
}

size_t machine_counters(const struct machine *m, struct vmm_counter *list, size_t n, size_t max)
{
	if (n < max) {
		snprintf(list[n].name, sizeof(list[n].name), "ram.bytes");
		list[n++].value = memory_bytes(m->memory);
	}
	for (unsigned i = 0; m->cpus && i < cpus_count(m->cpus) && n < max; i++) {
		snprintf(list[n].name, sizeof(list[n].name), "cpu.%u.ns", i);
		list[n++].value = cpus_time_ns(m->cpus, i);
	}
	return devices_counters(m->devices, list, n, max);
}
