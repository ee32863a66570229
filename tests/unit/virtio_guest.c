/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/virtio_guest.h"

#include <check.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <linux/virtio_ring.h>
#include <poll.h>
#include <string.h>

#define ROUNDS 20			/* of the loop: work that makes itself work ends somewhere */

static int notify_set(void *arg, uint64_t gpa, int fd)
{
	((struct guest *)arg)->eventfds++;
	return 0;
}

static void notify_clear(void *arg, uint64_t gpa, int fd)
{
	((struct guest *)arg)->eventfds--;
}

void guest_init(struct guest *g)
{
	struct nd_error err = { 0 };

	*g = (struct guest){ 0 };
	ck_assert_msg(memory_new(GUEST_RAM, &g->memory, &err) == 0, "%s", err.text);
	ck_assert_msg(loop_new(&g->loop, &err) == 0, "%s", err.text);
	g->bus = pci_bus_new(&(struct pci_host){ .arg = g, .notify_set = notify_set,
						 .notify_clear = notify_clear });
	ck_assert_ptr_nonnull(g->bus);
}

void guest_fini(struct guest *g)
{
	pci_bus_free(g->bus);
	loop_free(g->loop);
	memory_free(g->memory);
}

static struct pci_function *function(struct guest *g)
{
	struct pci_function *f = pci_bus_find(g->bus, g->slot);

	ck_assert_ptr_nonnull(f);
	return f;
}

static uint32_t config(struct guest *g, unsigned offset, unsigned len)
{
	return pci_function_read(function(g), offset, len);
}

static uint64_t bar_address(struct guest *g, unsigned bar)
{
	return (config(g, 0x10 + 4 * bar, 4) & ~15u) | (uint64_t)config(g, 0x14 + 4 * bar, 4) << 32;
}

static void find_structure(struct guest *g, unsigned at)
{
	uint64_t gpa = bar_address(g, config(g, at + VIRTIO_PCI_CAP_BAR, 1)) +
		       config(g, at + VIRTIO_PCI_CAP_OFFSET, 4);

	switch (config(g, at + VIRTIO_PCI_CAP_CFG_TYPE, 1)) {
	case VIRTIO_PCI_CAP_COMMON_CFG:
		g->common = gpa;
		break;
	case VIRTIO_PCI_CAP_NOTIFY_CFG:
		g->notify = gpa;
		g->notify_step = config(g, at + VIRTIO_PCI_NOTIFY_CAP_MULT, 4);
		break;
	case VIRTIO_PCI_CAP_ISR_CFG:
		g->isr = gpa;
		break;
	case VIRTIO_PCI_CAP_DEVICE_CFG:
		g->device = gpa;
		break;
	case VIRTIO_PCI_CAP_PCI_CFG:
		g->window = at;
		break;
	}
}

void guest_find(struct guest *g, unsigned slot)
{
	g->slot = slot;
	g->common = g->isr = g->device = g->notify = 0;
	ck_assert_uint_eq(config(g, 0, 2), 0x1af4);
	pci_function_write(function(g), 4, 6, 2);	/* memory, master */
	for (unsigned at = config(g, 0x34, 1); at; at = config(g, at + 1, 1))
		if (config(g, at, 1) == 9)
			find_structure(g, at);
	ck_assert(g->common && g->isr && g->notify && g->window);
}

uint64_t guest_read(struct guest *g, uint64_t gpa, unsigned len)
{
	uint64_t v = 0;

	ck_assert_msg(pci_bus_read(g->bus, gpa, &v, len), "no BAR at %#llx", (unsigned long long)gpa);
	return v;
}

void guest_write(struct guest *g, uint64_t gpa, uint64_t value, unsigned len)
{
	ck_assert_msg(pci_bus_write(g->bus, gpa, &value, len), "no BAR at %#llx",
		      (unsigned long long)gpa);
}

uint8_t guest_status(struct guest *g)
{
	return (uint8_t)guest_read(g, g->common + VIRTIO_PCI_COMMON_STATUS, 1);
}

void guest_set_status(struct guest *g, uint8_t status)
{
	guest_write(g, g->common + VIRTIO_PCI_COMMON_STATUS, status, 1);
}

uint64_t guest_offered(struct guest *g)
{
	uint64_t low;

	guest_write(g, g->common + VIRTIO_PCI_COMMON_DFSELECT, 0, 4);
	low = guest_read(g, g->common + VIRTIO_PCI_COMMON_DF, 4);
	guest_write(g, g->common + VIRTIO_PCI_COMMON_DFSELECT, 1, 4);
	return low | guest_read(g, g->common + VIRTIO_PCI_COMMON_DF, 4) << 32;
}

bool guest_negotiate(struct guest *g, uint64_t features)
{
	uint8_t status = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER;

	guest_set_status(g, 0);
	for (unsigned i = 0; guest_status(g) && i < ROUNDS; i++)
		guest_run(g);
	ck_assert_uint_eq(guest_status(g), 0);
	guest_set_status(g, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	guest_set_status(g, status);
	for (unsigned half = 0; half < 2; half++) {
		guest_write(g, g->common + VIRTIO_PCI_COMMON_GFSELECT, half, 4);
		guest_write(g, g->common + VIRTIO_PCI_COMMON_GF, (uint32_t)(features >> 32 * half), 4);
	}
	guest_set_status(g, status | VIRTIO_CONFIG_S_FEATURES_OK);
	g->features = features;
	return guest_status(g) & VIRTIO_CONFIG_S_FEATURES_OK;
}

static void write_address(struct guest *g, unsigned field, uint64_t gpa)
{
	guest_write(g, g->common + field, (uint32_t)gpa, 4);
	guest_write(g, g->common + field + 4, gpa >> 32, 4);
}

void guest_queue(struct guest *g, unsigned queue, uint16_t size)
{
	struct drv_queue *q = &g->queues[queue];

	drv_queue_init(q, g->memory, GUEST_RINGS + queue * DRV_QUEUE_BYTES, size);
	q->event_idx = g->features >> VIRTIO_RING_F_EVENT_IDX & 1;
	guest_write(g, g->common + VIRTIO_PCI_COMMON_Q_SELECT, queue, 2);
	guest_write(g, g->common + VIRTIO_PCI_COMMON_Q_SIZE, size, 2);
	guest_write(g, g->common + VIRTIO_PCI_COMMON_Q_MSIX, queue + 1, 2);
	write_address(g, VIRTIO_PCI_COMMON_Q_DESCLO, q->desc_gpa);
	write_address(g, VIRTIO_PCI_COMMON_Q_AVAILLO, q->avail_gpa);
	write_address(g, VIRTIO_PCI_COMMON_Q_USEDLO, q->used_gpa);
	guest_write(g, g->common + VIRTIO_PCI_COMMON_Q_ENABLE, 1, 2);
}

void guest_drive(struct guest *g, uint64_t features, uint16_t size)
{
	unsigned n = (unsigned)guest_read(g, g->common + VIRTIO_PCI_COMMON_NUMQ, 2);

	ck_assert(guest_negotiate(g, guest_offered(g) & (features | 1ull << VIRTIO_F_VERSION_1)));
	guest_write(g, g->common + VIRTIO_PCI_COMMON_MSIX, 0, 2);
	for (unsigned i = 0; i < n; i++)
		guest_queue(g, i, size);
	guest_set_status(g, guest_status(g) | VIRTIO_CONFIG_S_DRIVER_OK);
	for (unsigned i = 0; i <= n; i++)
		(void)guest_interrupts(g, i);
}

void guest_kick(struct guest *g, unsigned queue)
{
	guest_write(g, g->notify + queue * g->notify_step, queue, 2);
}

uint64_t guest_interrupts(struct guest *g, unsigned vector)
{
	struct pollfd p = { .fd = msix_fd(function(g), vector), .events = POLLIN };
	uint64_t n = 0;

	ck_assert_int_ge(p.fd, 0);
	if (poll(&p, 1, 0) == 1)
		ck_assert_int_eq(read(p.fd, &n, sizeof(n)), sizeof(n));
	return n;
}

static void stop(void *loop)
{
	loop_stop(loop);
}

void guest_run(struct guest *g)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		ck_assert_int_eq(loop_post(g->loop, stop, g->loop), 0);
		loop_run(g->loop);
	}
}

bool guest_wait(struct guest *g, unsigned queue, uint16_t *head_out, uint32_t *len_out)
{
	for (unsigned ms = 0; ms < 5000; ms++) {
		guest_run(g);
		if (drv_get(&g->queues[queue], head_out, len_out))
			return true;
		(void)poll(NULL, 0, 1);
	}
	return false;
}
