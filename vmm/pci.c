/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Offsets and bits of the configuration space: PCI Local Bus 3.0, 6.1 and 6.2.
 */
#include "vmm/pci.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netd/base/array.h"
#include "vmm/msix.h"

enum {
	AT_COMMAND = 0x04,
	AT_STATUS = 0x06,
	AT_REVISION = 0x08,
	AT_BARS = 0x10,
	AT_SUBVENDOR = 0x2c,
	AT_CAPABILITIES = 0x34,
	AT_DEVICE_AREA = 0x40,
};

#define COMMAND_MEMORY 0x2
#define COMMAND_MASTER 0x4
#define COMMAND_NO_INTX 0x400
#define STATUS_CAPABILITIES 0x10
#define BAR_64 0x4
#define CAP_MSIX 0x11
#define MSIX_ENABLE 0x8000
#define MSIX_MASK_ALL 0x4000
#define N_BARS 6

struct bar {
	uint64_t size;			/* 0: none */
	uint64_t gpa;			/* where the guest sees it; 0: nowhere */
};

struct notify {
	unsigned bar;
	uint64_t offset;
	int fd;
	uint64_t set_at;		/* 0: the host does not know it */
};

struct pci_function {
	const struct pci_ops *ops;
	void *dev;
	struct pci_bus *bus;		/* NULL: not plugged */
	unsigned slot;
	uint8_t config[PCI_CONFIG_BYTES], writable[PCI_CONFIG_BYTES], initial[PCI_CONFIG_BYTES];
	struct bar bars[N_BARS];
	struct notify *notifies;
	size_t n_notifies;
	struct msix *msix;
	unsigned msix_bar, msix_at;
	unsigned last_next, end;	/* where the next capability's offset goes, and itself */
};

struct pci_bus {
	struct pci_host host;
	struct pci_function *slots[PCI_SLOTS];
	uint32_t address;		/* of conf1 */
};

static void put16(uint8_t *at, uint16_t v)
{
	memcpy(at, &v, 2);		/* the machine is little endian, as PCI */
}

static void put32(uint8_t *at, uint32_t v)
{
	memcpy(at, &v, 4);
}

static uint16_t get16(const uint8_t *at)
{
	uint16_t v;

	memcpy(&v, at, 2);
	return v;
}

static uint64_t get64(const uint8_t *at)
{
	uint64_t v;

	memcpy(&v, at, 8);
	return v;
}

struct pci_bus *pci_bus_new(const struct pci_host *host)
{
	struct pci_bus *b = calloc(1, sizeof(*b));

	if (b && host)
		b->host = *host;
	return b;
}

void pci_bus_free(struct pci_bus *b)
{
	for (unsigned i = 0; b && i < PCI_SLOTS; i++)
		if (b->slots[i])
			pci_bus_unplug(b, b->slots[i]);
	free(b);
}

struct pci_function *pci_function_new(const struct pci_ids *ids, const struct pci_ops *ops, void *dev)
{
	struct pci_function *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->ops = ops;
	f->dev = dev;
	f->last_next = AT_CAPABILITIES;
	f->end = AT_DEVICE_AREA;
	put16(f->config, ids->vendor);
	put16(f->config + 2, ids->device);
	put32(f->config + AT_REVISION, ids->class_code << 8 | ids->revision);
	put16(f->config + AT_SUBVENDOR, ids->subvendor);
	put16(f->config + AT_SUBVENDOR + 2, ids->subdevice);
	put16(f->writable + AT_COMMAND, COMMAND_MEMORY | COMMAND_MASTER | COMMAND_NO_INTX);
	f->writable[0x3c] = 0xff;	/* interrupt line: a note of the guest to itself */
	return f;
}

void pci_function_free(struct pci_function *f)
{
	if (!f)
		return;
	if (f->bus)
		pci_bus_unplug(f->bus, f);
	msix_free(f->msix);
	free(f->notifies);
	free(f);
}

int pci_add_bar(struct pci_function *f, unsigned bar, uint64_t size_bytes)
{
	uint64_t total = size_bytes, mask = ~(size_bytes - 1);

	if (bar >= N_BARS || bar % 2 || f->bars[bar].size || size_bytes < 4096 ||
	    (size_bytes & (size_bytes - 1)))
		return -EINVAL;
	for (unsigned i = 0; i < N_BARS; i++)
		total += f->bars[i].size;
	if (total > PCI_SLOT_MMIO_BYTES)
		return -EINVAL;
	f->bars[bar].size = size_bytes;
	f->config[AT_BARS + 4 * bar] = BAR_64;
	memcpy(f->writable + AT_BARS + 4 * bar, &mask, 8);
	return 0;
}

int pci_add_capability(struct pci_function *f, uint8_t id, const void *body, size_t len)
{
	unsigned at = (f->end + 3) & ~3u;

	if (len > PCI_CONFIG_BYTES || at + 2 + len > PCI_CONFIG_BYTES)
		return -ENOSPC;
	f->config[f->last_next] = (uint8_t)at;
	f->last_next = at + 1;
	f->config[at] = id;
	memcpy(f->config + at + 2, body, len);
	f->end = at + 2 + (unsigned)len;
	put16(f->config + AT_STATUS, STATUS_CAPABILITIES);
	return (int)at;
}

void pci_writable(struct pci_function *f, unsigned offset, unsigned len_bytes)
{
	for (unsigned i = offset; i < offset + len_bytes && i < PCI_CONFIG_BYTES; i++)
		f->writable[i] = 0xff;
}

uint8_t *pci_config(struct pci_function *f)
{
	return f->config;
}

int pci_add_msix(struct pci_function *f, unsigned bar, unsigned n_vectors)
{
	ND_AUTO(msix_free) struct msix *m = f->msix ? NULL : msix_new(n_vectors);
	uint8_t body[10];
	int r;

	if (!m)
		return -ENOMEM;
	put16(body, (uint16_t)(n_vectors - 1));
	put32(body + 2, bar);				/* the table is at 0 */
	put32(body + 6, msix_pba_offset(m) | bar);
	r = pci_add_bar(f, bar, msix_bar_bytes(m));
	if (r == 0)
		r = pci_add_capability(f, CAP_MSIX, body, sizeof(body));
	if (r < 0)
		return r;
	f->msix_bar = bar;
	f->msix_at = (unsigned)r + 2;
	put16(f->writable + f->msix_at, MSIX_ENABLE | MSIX_MASK_ALL);
	f->msix = nd_take_ptr(&m);
	return 0;
}

int msix_fd(struct pci_function *f, unsigned vector)
{
	return f->msix ? msix_vector_fd(f->msix, vector) : -1;
}

bool msix_enabled(const struct pci_function *f)
{
	return f->msix && (get16(f->config + f->msix_at) & MSIX_ENABLE);
}

static void notify_update(struct pci_function *f, struct notify *n, uint64_t bar_gpa)
{
	const struct pci_host *host = &f->bus->host;
	uint64_t gpa = bar_gpa ? bar_gpa + n->offset : 0;

	if (n->set_at == gpa)
		return;
	if (n->set_at)
		host->notify_clear(host->arg, n->set_at, n->fd);
	n->set_at = 0;
	/* When it fails (the guest put two BARs in one place), writes arrive at bar_write(). */
	if (gpa && host->notify_set && host->notify_set(host->arg, gpa, n->fd) == 0)
		n->set_at = gpa;
}

static void bar_move(struct pci_function *f, unsigned bar, uint64_t gpa)
{
	f->bars[bar].gpa = gpa;
	for (size_t i = 0; i < f->n_notifies; i++)
		if (f->notifies[i].bar == bar)
			notify_update(f, &f->notifies[i], gpa);
}

/* Where command register and BARs say that the BAR is now. */
static uint64_t bar_wanted(const struct pci_function *f, unsigned bar)
{
	uint64_t size = f->bars[bar].size;
	uint64_t gpa = get64(f->config + AT_BARS + 4 * bar) & ~(uint64_t)0xf;

	if (!(f->config[AT_COMMAND] & COMMAND_MEMORY) || gpa < PCI_MMIO_BASE || gpa + size < gpa)
		return 0;
	return gpa;
}

static void bars_update(struct pci_function *f)
{
	for (unsigned i = 0; i < N_BARS; i++) {
		uint64_t gpa = f->bars[i].size ? bar_wanted(f, i) : 0;

		if (gpa != f->bars[i].gpa)
			bar_move(f, i, gpa);
	}
}

int pci_notify_fd(struct pci_function *f, unsigned bar, uint64_t offset, int eventfd)
{
	struct notify *n;

	if (bar >= N_BARS || offset >= f->bars[bar].size)
		return -EINVAL;
	n = nd_array_add(f->notifies, f->n_notifies);
	if (!n)
		return -ENOMEM;
	*n = (struct notify){ .bar = bar, .offset = offset, .fd = eventfd };
	if (f->bus)
		notify_update(f, n, f->bars[bar].gpa);
	return 0;
}

void pci_notify_end(struct pci_function *f, unsigned bar, uint64_t offset, int eventfd)
{
	for (size_t i = 0; i < f->n_notifies; i++) {
		struct notify *n = &f->notifies[i];

		if (n->bar != bar || n->offset != offset || n->fd != eventfd)
			continue;
		if (f->bus)
			notify_update(f, n, 0);
		nd_array_remove(f->notifies, f->n_notifies, i);
		return;
	}
}

/* Each slot has a piece of the window, and in it the largest BAR comes first: so all are aligned. */
static void bars_place(struct pci_function *f)
{
	uint64_t gpa = PCI_MMIO_BASE + f->slot * PCI_SLOT_MMIO_BYTES;
	bool done[N_BARS] = { false };

	for (;;) {
		unsigned best = N_BARS;
		uint64_t value;

		for (unsigned i = 0; i < N_BARS; i++)
			if (f->bars[i].size && !done[i] &&
			    (best == N_BARS || f->bars[i].size > f->bars[best].size))
				best = i;
		if (best == N_BARS)
			return;
		value = gpa | BAR_64;
		memcpy(f->config + AT_BARS + 4 * best, &value, 8);
		gpa += f->bars[best].size;
		done[best] = true;
	}
}

int pci_bus_plug(struct pci_bus *b, unsigned slot, struct pci_function *f)
{
	if (slot >= PCI_SLOTS)
		return -EINVAL;
	if (b->slots[slot])
		return -EBUSY;
	f->bus = b;
	f->slot = slot;
	b->slots[slot] = f;
	bars_place(f);
	memcpy(f->initial, f->config, sizeof(f->initial));
	if (f->msix)
		msix_host_set(f->msix, &b->host);
	return 0;
}

void pci_bus_unplug(struct pci_bus *b, struct pci_function *f)
{
	if (f->bus != b || b->slots[f->slot] != f)
		return;
	if (f->msix)
		msix_host_set(f->msix, NULL);
	for (unsigned i = 0; i < N_BARS; i++)
		bar_move(f, i, 0);
	b->slots[f->slot] = NULL;
	f->bus = NULL;
}

struct pci_function *pci_bus_find(const struct pci_bus *b, unsigned slot)
{
	return slot < PCI_SLOTS ? b->slots[slot] : NULL;
}

int pci_bus_free_slot(const struct pci_bus *b)
{
	for (int i = 1; i < PCI_SLOTS; i++)
		if (!b->slots[i])
			return i;
	return -ENOSPC;
}

void pci_bus_reset(struct pci_bus *b)
{
	b->address = 0;
	for (unsigned i = 0; i < PCI_SLOTS; i++) {
		struct pci_function *f = b->slots[i];

		if (!f)
			continue;
		memcpy(f->config, f->initial, sizeof(f->config));
		bars_update(f);
		if (f->msix)
			msix_reset(f->msix);
		if (f->ops->reset)
			f->ops->reset(f->dev);
	}
}

void pci_bus_eject(struct pci_bus *b, unsigned slot)
{
	struct pci_function *f = pci_bus_find(b, slot);

	if (!f || !f->ops->ejected)
		return;			/* the bridge stays, whatever the guest writes */
	pci_bus_unplug(b, f);
	f->ops->ejected(f->dev);
}

static bool in_config(unsigned offset, unsigned len_bytes)
{
	return (len_bytes == 1 || len_bytes == 2 || len_bytes == 4) &&
	       offset % len_bytes == 0 && offset < PCI_CONFIG_BYTES;
}

static bool overlaps(unsigned offset, unsigned len, unsigned at, unsigned at_len)
{
	return offset < at + at_len && at < offset + len;
}

uint32_t pci_function_read(struct pci_function *f, unsigned offset, unsigned len_bytes)
{
	uint32_t value = 0;

	if (!in_config(offset, len_bytes))
		return UINT32_MAX;
	if (offset >= AT_DEVICE_AREA && f->ops->config_read)
		f->ops->config_read(f->dev, offset, len_bytes);
	memcpy(&value, f->config + offset, len_bytes);
	return value;
}

void pci_function_write(struct pci_function *f, unsigned offset, uint32_t value, unsigned len_bytes)
{
	if (!in_config(offset, len_bytes))
		return;
	for (unsigned i = 0; i < len_bytes; i++) {
		uint8_t may = f->writable[offset + i], byte = (uint8_t)(value >> 8 * i);

		f->config[offset + i] = (f->config[offset + i] & ~may) | (byte & may);
	}
	if (f->bus && (overlaps(offset, len_bytes, AT_COMMAND, 2) ||
		       overlaps(offset, len_bytes, AT_BARS, 4 * N_BARS)))
		bars_update(f);
	if (f->msix && overlaps(offset, len_bytes, f->msix_at, 2)) {
		uint16_t control = get16(f->config + f->msix_at);

		msix_control_set(f->msix, control & MSIX_ENABLE, control & MSIX_MASK_ALL);
	}
	if (offset >= AT_DEVICE_AREA && f->ops->config_written)
		f->ops->config_written(f->dev, offset, len_bytes);
}

/* The function and register that conf1's address names; NULL: nobody answers. */
static struct pci_function *addressed(const struct pci_bus *b, unsigned port, unsigned *offset_out)
{
	uint32_t a = b->address;

	*offset_out = (a & 0xfc) + (port & 3);
	/* Enabled, bus 0, function 0. */
	if (!(a & 0x80000000) || (a & 0x00ffff00 & ~0xf800u))
		return NULL;
	return b->slots[a >> 11 & 0x1f];
}

void pci_conf1_read(struct pci_bus *b, unsigned port, void *data, unsigned len_bytes)
{
	uint32_t value = UINT32_MAX;
	struct pci_function *f;
	unsigned offset;

	if (port == 0 && len_bytes == 4)
		value = b->address;
	else if (port >= 4 && port < 8 && (f = addressed(b, port, &offset)))
		value = pci_function_read(f, offset, len_bytes);
	memset(data, 0xff, len_bytes);
	memcpy(data, &value, len_bytes < 4 ? len_bytes : 4);
}

void pci_conf1_write(struct pci_bus *b, unsigned port, const void *data, unsigned len_bytes)
{
	uint32_t value = 0;
	struct pci_function *f;
	unsigned offset;

	memcpy(&value, data, len_bytes < 4 ? len_bytes : 4);
	if (port == 0 && len_bytes == 4)
		b->address = value;
	else if (port >= 4 && port < 8 && (f = addressed(b, port, &offset)))
		pci_function_write(f, offset, value, len_bytes);
}

static struct pci_function *bar_find(const struct pci_bus *b, uint64_t gpa, unsigned len_bytes,
				     unsigned *bar_out, uint64_t *offset_out)
{
	for (unsigned s = 0; s < PCI_SLOTS; s++) {
		struct pci_function *f = b->slots[s];

		for (unsigned i = 0; f && i < N_BARS; i++) {
			const struct bar *bar = &f->bars[i];
			uint64_t offset = gpa - bar->gpa;

			if (!bar->gpa || gpa < bar->gpa || offset >= bar->size ||
			    len_bytes > bar->size - offset)
				continue;
			*bar_out = i;
			*offset_out = offset;
			return f;
		}
	}
	return NULL;
}

bool pci_bus_read(struct pci_bus *b, uint64_t gpa, void *data, unsigned len_bytes)
{
	uint64_t offset;
	unsigned bar;
	struct pci_function *f = bar_find(b, gpa, len_bytes, &bar, &offset);

	if (!f)
		return false;
	memset(data, 0, len_bytes);
	if (f->msix && bar == f->msix_bar)
		msix_read(f->msix, offset, data, len_bytes);
	else if (f->ops->bar_read)
		f->ops->bar_read(f->dev, bar, offset, data, len_bytes);
	return true;
}

bool pci_bus_write(struct pci_bus *b, uint64_t gpa, const void *data, unsigned len_bytes)
{
	uint64_t offset;
	unsigned bar;
	struct pci_function *f = bar_find(b, gpa, len_bytes, &bar, &offset);

	if (!f)
		return false;
	if (f->msix && bar == f->msix_bar)
		msix_write(f->msix, offset, data, len_bytes);
	else if (f->ops->bar_write)
		f->ops->bar_write(f->dev, bar, offset, data, len_bytes);
	return true;
}
