/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtio_machine.h -- a machine with a NIC, a disk and an entropy device, run by a list of steps
 *
 * Each step is a byte and what it needs. The guest's memory that steps write begins at ARENA; queue q's
 * rings, if machine_drive() set them up, are at ARENA + q * RINGS_STEP. The machine lives as long as
 * the process; machine_reset() brings it back to what it was.
 */
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <linux/virtio_ring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netd/base/cursor.h"
#include "netd/base/log.h"
#include "vmm/memory.h"
#include "vmm/net_port.h"
#include "vmm/pci.h"
#include "vmm/virtio.h"
#include "vmm/virtio_blk.h"
#include "vmm/virtio_net.h"
#include "vmm/virtio_pci.h"
#include "vmm/virtio_rng.h"

#define MUST(what) \
	do { \
		if (!(what)) { \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what); \
			abort(); \
		} \
	} while (0)

#define ARENA 0x100000u
#define ARENA_BYTES 0x10000u
#define RINGS_STEP 0x1000u		/* descriptors, +0x200 the avail ring, +0x400 the used ring */
#define RINGS_SIZE 16
#define DISK_BYTES (1u << 20)
#define STEPS_MAX 200

enum { NIC = 1, DISK = 2, RNG = 3 };	/* the slots */

struct machine {
	struct memory *memory;
	struct loop *loop;
	struct pci_bus *bus;
	struct virtio_device *devices[4];	/* by slot */
	int wire;			/* the other end of the NIC */
};

static int port_prepare(int fd, unsigned *offloads_out, struct nd_error *err)
{
	*offloads_out = 0x1f;		/* all that there are */
	return 0;
}

static int port_set_offload(int fd, unsigned flags)
{
	return 0;
}

static int port_set_queue(int fd, bool attached)
{
	return 0;
}

static void port_set_filter(int fd, const struct net_filter *f)
{
}

static const struct net_port_ops socket_port = {
	.prepare = port_prepare,
	.set_offload = port_set_offload,
	.set_queue = port_set_queue,
	.set_filter = port_set_filter,
};

static void machine_add_nic(struct machine *m)
{
	struct virtio_net_spec spec = { .name = "nic", .mac = { 2, 0, 0, 0, 0, 1 }, .mtu_bytes = 1500,
					.rx_queue_size = 64, .tx_queue_size = 64, .n_pairs = 1,
					.vhost_fds = { -1 }, .link_up = true,
					.features = VMM_NIC_FEATURES | VMM_RSS | VMM_HASH_REPORT };
	struct virtio_pci *pci;
	struct virtio_net *net;
	int ends[2];

	MUST(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
	spec.tap_fds[0] = ends[0];
	m->wire = ends[1];
	MUST(virtio_net_new(&spec, &socket_port, m->memory, m->loop, &net, NULL) == 0);
	m->devices[NIC] = virtio_net_device(net);
	MUST(virtio_pci_new(m->bus, NIC, m->devices[NIC], &pci, NULL) == 0);
}

static void machine_add_disk(struct machine *m)
{
	struct virtio_blk_spec spec = { .name = "disk", .discard = true, .size_bytes = DISK_BYTES,
					.fd = memfd_create("disk", MFD_CLOEXEC), .serial = "1" };
	struct virtio_pci *pci;
	struct virtio_blk *blk;

	MUST(spec.fd >= 0 && ftruncate(spec.fd, DISK_BYTES) == 0);
	MUST(virtio_blk_new(&spec, m->memory, m->loop, &blk, NULL) == 0);
	m->devices[DISK] = virtio_blk_device(blk);
	MUST(virtio_pci_new(m->bus, DISK, m->devices[DISK], &pci, NULL) == 0);
}

static void machine_add_rng(struct machine *m)
{
	struct virtio_rng_spec spec = { .name = "rng", .bytes_per_period = 4096, .period_ms = 100 };
	struct virtio_pci *pci;
	struct virtio_rng *rng;

	MUST(virtio_rng_new(&spec, m->memory, m->loop, &rng, NULL) == 0);
	m->devices[RNG] = virtio_rng_device(rng);
	MUST(virtio_pci_new(m->bus, RNG, m->devices[RNG], &pci, NULL) == 0);
}

static void machine_stop_loop(void *arg)
{
	loop_stop(arg);
}

/* Runs what is ready, a few times over. */
static void machine_run(struct machine *m)
{
	for (unsigned i = 0; i < 3; i++) {
		MUST(loop_post(m->loop, machine_stop_loop, m->loop) == 0);
		loop_run(m->loop);
	}
}

static void machine_reset(struct machine *m)
{
	uint8_t buf[256];

	pci_bus_reset(m->bus);
	for (unsigned slot = NIC; slot <= RNG; slot++) {
		while (m->devices[slot]->resetting)
			machine_run(m);
		MUST(m->devices[slot]->status == 0);
		pci_function_write(pci_bus_find(m->bus, slot), 4, 6, 2);
	}
	machine_run(m);
	while (read(m->wire, buf, sizeof(buf)) > 0)
		;
	memset(memory_at(m->memory, ARENA, ARENA_BYTES), 0, ARENA_BYTES);
}

static struct machine *machine_get(void)
{
	static struct machine m;

	if (m.memory)
		return &m;
	nd_log_init("fuzz", LOG_CRIT);
	MUST(memory_new(MEMORY_MIN, &m.memory, NULL) == 0);
	MUST(loop_new(&m.loop, NULL) == 0);
	MUST((m.bus = pci_bus_new(NULL)));
	machine_add_nic(&m);
	machine_add_disk(&m);
	machine_add_rng(&m);
	return &m;
}

/* The device's BAR, as the function places it at first. */
static uint64_t machine_bar(struct machine *m, unsigned slot)
{
	return pci_function_read(pci_bus_find(m->bus, slot), 0x10, 4) & ~0xfu;
}

static void machine_write(struct machine *m, uint64_t gpa, uint64_t value, unsigned len)
{
	(void)pci_bus_write(m->bus, gpa, &value, len);	/* the guest may have moved the BAR */
}

/* As a driver that keeps the rules: features, rings, DRIVER_OK. */
static void machine_drive(struct machine *m, unsigned slot, uint64_t features)
{
	uint64_t at = machine_bar(m, slot);

	features = (features & m->devices[slot]->offered) | 1ull << VIRTIO_F_VERSION_1;
	machine_write(m, at + VIRTIO_PCI_COMMON_STATUS, 3, 1);
	for (unsigned half = 0; half < 2; half++) {
		machine_write(m, at + VIRTIO_PCI_COMMON_GFSELECT, half, 4);
		machine_write(m, at + VIRTIO_PCI_COMMON_GF, (uint32_t)(features >> 32 * half), 4);
	}
	machine_write(m, at + VIRTIO_PCI_COMMON_STATUS, 0xb, 1);
	for (unsigned q = 0; q < m->devices[slot]->n_queues; q++) {
		uint64_t rings = ARENA + q * RINGS_STEP;

		machine_write(m, at + VIRTIO_PCI_COMMON_Q_SELECT, q, 2);
		machine_write(m, at + VIRTIO_PCI_COMMON_Q_SIZE, RINGS_SIZE, 2);
		machine_write(m, at + VIRTIO_PCI_COMMON_Q_MSIX, q, 2);
		machine_write(m, at + VIRTIO_PCI_COMMON_Q_DESCLO, rings, 8);
		machine_write(m, at + VIRTIO_PCI_COMMON_Q_AVAILLO, rings + 0x200, 8);
		machine_write(m, at + VIRTIO_PCI_COMMON_Q_USEDLO, rings + 0x400, 8);
		machine_write(m, at + VIRTIO_PCI_COMMON_Q_ENABLE, 1, 2);
	}
	machine_write(m, at + VIRTIO_PCI_COMMON_STATUS, 0xf, 1);
	MUST(m->devices[slot]->status == 0xf);
}

/* n bytes go to a place of the arena. */
static void step_memory(struct machine *m, struct rd *r)
{
	uint16_t offset = rd_u16(r);
	struct rd bytes = rd_sub(r, rd_u8(r));
	size_t n = rd_left(&bytes);

	if (!r->bad && n && offset + n <= ARENA_BYTES)
		rd_copy(&bytes, memory_at(m->memory, ARENA + offset, n), n);
}

static void step_frame(struct machine *m, struct rd *r)
{
	static uint8_t frame[70000];
	uint16_t len = rd_u16(r);
	struct rd bytes = rd_sub(r, rd_u8(r));

	rd_copy(&bytes, frame, rd_left(&bytes));
	(void)!write(m->wire, frame, len);
}

/* The kinds of steps; queue steps come first, so that a target can do without the others. */
enum { STEP_MEMORY, STEP_KICK, STEP_RUN, STEP_FRAME, STEP_BAR_WRITE, STEP_BAR_READ, STEP_CONFIG_WRITE,
       STEP_CONFIG_READ, STEP_DRIVE, N_STEPS };

static unsigned step_width(struct rd *r)
{
	return 1u << (rd_u8(r) & 3);
}

static void step_bar(struct machine *m, unsigned slot, struct rd *r, bool write)
{
	static const uint16_t parts[] = { 0, 0x1000, 0x2000, 0x3000 };
	unsigned len = step_width(r);
	uint64_t gpa = machine_bar(m, slot) + parts[rd_u8(r) & 3] + rd_u8(r), value = 0;

	if (write)
		machine_write(m, gpa, rd_u64(r), len);
	else
		(void)pci_bus_read(m->bus, gpa, &value, len);
}

static void step_config(struct machine *m, unsigned slot, struct rd *r, bool write)
{
	struct pci_function *f = pci_bus_find(m->bus, slot);
	unsigned len = 1u << (rd_u8(r) % 3), offset = rd_u8(r) & ~(len - 1);

	if (write)
		pci_function_write(f, offset, rd_u32(r), len);
	else
		(void)pci_function_read(f, offset, len);
}

static void machine_step(struct machine *m, unsigned slot, unsigned n_kinds, struct rd *r)
{
	switch (rd_u8(r) % n_kinds) {
	case STEP_MEMORY:
		step_memory(m, r);
		break;
	case STEP_KICK:
		machine_write(m, machine_bar(m, slot) + 0x3000 + 4 * (rd_u8(r) % 4), 0, 2);
		break;
	case STEP_RUN:
		machine_run(m);
		break;
	case STEP_FRAME:
		step_frame(m, r);
		break;
	case STEP_BAR_WRITE:
		step_bar(m, slot, r, true);
		break;
	case STEP_BAR_READ:
		step_bar(m, slot, r, false);
		break;
	case STEP_CONFIG_WRITE:
		step_config(m, slot, r, true);
		break;
	case STEP_CONFIG_READ:
		step_config(m, slot, r, false);
		break;
	case STEP_DRIVE:
		if (m->devices[slot]->status == 0 && !m->devices[slot]->resetting)
			machine_write(m, machine_bar(m, slot) + VIRTIO_PCI_COMMON_STATUS, 3, 1);
		break;
	}
}

static void machine_steps(struct machine *m, unsigned slot, unsigned n_kinds, struct rd *r)
{
	for (unsigned i = 0; i < STEPS_MAX && rd_more(r); i++)
		machine_step(m, slot, n_kinds, r);
	machine_run(m);
}
