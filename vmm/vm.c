/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupt routes: KVM takes the whole table at once. Lines 0 to 23 go where a PC has them (both
 * controllers; the guest listens to one); each tied MSI-X vector gets a number from 24 on.
 */
#include "vmm/vm.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define LINES 24
#define GSI_MAX 1024			/* KVM on x86 has 4096 */
#define ROUTES_MAX (LINES + 16 + GSI_MAX)
#define TSS_GPA 0xfffbd000u		/* three pages that Intel needs, below the BIOS' place */
#define IDENTITY_MAP_GPA 0xfffbc000ull

struct message {
	int fd;				/* -1: this number is free */
	uint64_t address;
	uint32_t data;
};

struct vm {
	int fd;
	struct message *messages;	/* GSI LINES + i */
	size_t n_messages;
	struct kvm_irq_routing *table;	/* room for ROUTES_MAX */
};

int vm_kvm_check(int kvm_fd, struct nd_error *err)
{
	static const struct {
		int cap;
		const char *name;
	} needed[] = {
		{ KVM_CAP_IRQCHIP, "interrupt controllers" }, { KVM_CAP_PIT2, "a timer" },
		{ KVM_CAP_IRQFD, "irqfd" }, { KVM_CAP_IOEVENTFD, "ioeventfd" },
		{ KVM_CAP_IOEVENTFD_ANY_LENGTH, "ioeventfd of any width" },
		{ KVM_CAP_USER_MEMORY, "memory slots" }, { KVM_CAP_EXT_CPUID, "CPUID" },
		{ KVM_CAP_IMMEDIATE_EXIT, "immediate exits" }, { KVM_CAP_MP_STATE, "MP states" },
	};
	int version = ioctl(kvm_fd, KVM_GET_API_VERSION, 0);

	if (version < 0)
		return nd_error_sys(err, errno, "what should be /dev/kvm is not");
	if (version != KVM_API_VERSION)
		return nd_error_set(err, ND_ERR_NO_SUPPORT, "KVM speaks version %d, not %d", version,
				    KVM_API_VERSION);
	for (size_t i = 0; i < ND_COUNT(needed); i++)
		if (ioctl(kvm_fd, KVM_CHECK_EXTENSION, needed[i].cap) <= 0)
			return nd_error_set(err, ND_ERR_NO_SUPPORT, "this KVM has no %s",
					    needed[i].name);
	return 0;
}

static int slots_set(struct vm *vm, const struct memory *m, struct nd_error *err)
{
	const struct memory_region *regions;
	size_t n = memory_regions(m, &regions);

	for (size_t i = 0; i < n; i++) {
		struct kvm_userspace_memory_region slot = {
			.slot = (uint32_t)i, .guest_phys_addr = regions[i].gpa,
			.memory_size = regions[i].len_bytes,
			.userspace_addr = (uintptr_t)regions[i].host,
		};

		if (ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &slot) < 0)
			return nd_error_sys(err, errno, "cannot give the guest its memory");
	}
	return 0;
}

static int chips_make(struct vm *vm, struct nd_error *err)
{
	struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY };
	uint64_t identity = IDENTITY_MAP_GPA;

	if (ioctl(vm->fd, KVM_SET_TSS_ADDR, (unsigned long)TSS_GPA) < 0 ||
	    ioctl(vm->fd, KVM_SET_IDENTITY_MAP_ADDR, &identity) < 0)
		return nd_error_sys(err, errno, "cannot place what KVM needs in the guest");
	if (ioctl(vm->fd, KVM_CREATE_IRQCHIP, 0) < 0)
		return nd_error_sys(err, errno, "cannot make the interrupt controllers");
	if (ioctl(vm->fd, KVM_CREATE_PIT2, &pit) < 0)
		return nd_error_sys(err, errno, "cannot make the timer");
	return 0;
}

static void route_add(struct kvm_irq_routing *t, const struct kvm_irq_routing_entry *e)
{
	t->entries[t->nr++] = *e;
}

static int routes_apply(struct vm *vm)
{
	struct kvm_irq_routing *t = vm->table;

	t->nr = 0;
	t->flags = 0;
	for (unsigned i = 0; i < LINES; i++) {
		if (i < 16)
			route_add(t, &(struct kvm_irq_routing_entry){
				.gsi = i, .type = KVM_IRQ_ROUTING_IRQCHIP,
				.u.irqchip = { .irqchip = i < 8 ? KVM_IRQCHIP_PIC_MASTER :
					       KVM_IRQCHIP_PIC_SLAVE, .pin = i % 8 } });
		route_add(t, &(struct kvm_irq_routing_entry){
			.gsi = i, .type = KVM_IRQ_ROUTING_IRQCHIP,
			.u.irqchip = { .irqchip = KVM_IRQCHIP_IOAPIC, .pin = i } });
	}
	for (size_t i = 0; i < vm->n_messages; i++) {
		const struct message *m = &vm->messages[i];

		if (m->fd >= 0)
			route_add(t, &(struct kvm_irq_routing_entry){
				.gsi = LINES + (uint32_t)i, .type = KVM_IRQ_ROUTING_MSI,
				.u.msi = { .address_lo = (uint32_t)m->address,
					   .address_hi = m->address >> 32, .data = m->data } });
	}
	return ioctl(vm->fd, KVM_SET_GSI_ROUTING, t) < 0 ? -errno : 0;
}

int vm_new(int kvm_fd, const struct memory *m, struct vm **out, struct nd_error *err)
{
	ND_AUTO(vm_free) struct vm *vm = calloc(1, sizeof(*vm));
	int r;

	if (!vm)
		return nd_error_nomem(err);
	vm->fd = ioctl(kvm_fd, KVM_CREATE_VM, 0);
	if (vm->fd < 0)
		return nd_error_sys(err, errno, "cannot make a virtual machine");
	vm->table = malloc(sizeof(*vm->table) + ROUTES_MAX * sizeof(vm->table->entries[0]));
	vm->messages = calloc(GSI_MAX, sizeof(*vm->messages));
	if (!vm->table || !vm->messages)
		return nd_error_nomem(err);
	r = slots_set(vm, m, err);
	if (r == 0)
		r = chips_make(vm, err);
	if (r < 0)
		return r;
	r = routes_apply(vm);
	if (r < 0)
		return nd_error_sys(err, -r, "cannot set the interrupt routes");
	*out = nd_take_ptr(&vm);
	return 0;
}

void vm_free(struct vm *vm)
{
	if (!vm)
		return;
	if (vm->fd >= 0)
		close(vm->fd);
	free(vm->table);
	free(vm->messages);
	free(vm);
}

int vm_fd(const struct vm *vm)
{
	return vm->fd;
}

void vm_irq_set(struct vm *vm, unsigned line, bool high)
{
	struct kvm_irq_level level = { .irq = line, .level = high };

	/* Fails for lines that do not exist only. */
	(void)ioctl(vm->fd, KVM_IRQ_LINE, &level);
}

static int irqfd(struct vm *vm, int fd, size_t i, uint32_t flags)
{
	struct kvm_irqfd q = { .fd = (uint32_t)fd, .gsi = LINES + (uint32_t)i, .flags = flags };

	return ioctl(vm->fd, KVM_IRQFD, &q) < 0 ? -errno : 0;
}

/* fd's message, or a free one with fd -1; NULL: all are taken. */
static struct message *message_find(struct vm *vm, int fd)
{
	struct message *unused = NULL;

	for (size_t i = 0; i < vm->n_messages; i++) {
		if (vm->messages[i].fd == fd)
			return &vm->messages[i];
		if (vm->messages[i].fd < 0)
			unused = &vm->messages[i];
	}
	if (!unused && vm->n_messages < GSI_MAX) {
		unused = &vm->messages[vm->n_messages++];
		unused->fd = -1;
	}
	return unused;
}

int vm_msi_set(void *arg, int fd, uint64_t address, uint32_t data)
{
	struct vm *vm = arg;
	struct message *m = message_find(vm, fd), old;
	int r;

	if (!m)
		return -ENOSPC;
	old = *m;
	*m = (struct message){ .fd = fd, .address = address, .data = data };
	r = routes_apply(vm);
	if (r == 0 && old.fd < 0)
		r = irqfd(vm, fd, (size_t)(m - vm->messages), 0);
	if (r < 0)
		*m = old;		/* its route stays until the next change: nobody uses it */
	return r;
}

void vm_msi_clear(void *arg, int fd)
{
	struct vm *vm = arg;

	for (size_t i = 0; i < vm->n_messages; i++) {
		if (vm->messages[i].fd != fd)
			continue;
		(void)irqfd(vm, fd, i, KVM_IRQFD_FLAG_DEASSIGN);
		vm->messages[i].fd = -1;
	}
}

static int ioeventfd(struct vm *vm, uint64_t gpa, int fd, uint32_t flags)
{
	struct kvm_ioeventfd q = { .addr = gpa, .fd = fd, .flags = flags };	/* any length */

	return ioctl(vm->fd, KVM_IOEVENTFD, &q) < 0 ? -errno : 0;
}

int vm_notify_set(void *vm, uint64_t gpa, int fd)
{
	return ioeventfd(vm, gpa, fd, 0);
}

void vm_notify_clear(void *vm, uint64_t gpa, int fd)
{
	(void)ioeventfd(vm, gpa, fd, KVM_IOEVENTFD_FLAG_DEASSIGN);
}
