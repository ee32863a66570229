/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/virtio_pci.h"

#include <endian.h>
#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_pci.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/pci.h"
#include "vmm/virtio.h"

#define VENDOR 0x1af4
#define DEVICE_BASE 0x1040		/* plus the virtio id (4.1.2) */

#define BAR 0
#define BAR_BYTES 0x4000
#define BAR_MSIX 2
#define COMMON 0x0000
#define ISR 0x1000
#define DEVICE 0x2000
#define NOTIFY 0x3000
#define PART_BYTES 0x1000
#define NOTIFY_STEP 4			/* each queue's notification address */

struct virtio_pci {
	struct virtio_device *device;
	struct pci_function *function;
	void (*ejected)(void *arg);
	void *ejected_arg;
	unsigned n_vectors;
	int window;			/* offset of the capability that reaches into the BAR */
	/* what the driver has chosen */
	uint32_t device_feature_select, driver_feature_select;
	uint64_t driver_features;
	uint16_t queue_select;
	uint16_t config_vector, queue_vectors[VIRTIO_QUEUES_MAX];
};

struct pci_function *virtio_pci_function(struct virtio_pci *p)
{
	return p->function;
}

void virtio_pci_on_eject(struct virtio_pci *p, void (*fn)(void *arg), void *arg)
{
	p->ejected = fn;
	p->ejected_arg = arg;
}

/* The queue that is selected, or NULL. */
static struct virtio_queue *selected(struct virtio_pci *p)
{
	return p->queue_select < p->device->n_queues ? &p->device->queues[p->queue_select] : NULL;
}

static void vectors_forget(struct virtio_pci *p)
{
	p->config_vector = VIRTIO_MSI_NO_VECTOR;
	p->device->config_fd = -1;
	for (unsigned i = 0; i < p->device->n_queues; i++) {
		p->queue_vectors[i] = VIRTIO_MSI_NO_VECTOR;
		p->device->queues[i].call_fd = -1;
	}
}

/* Common configuration (4.1.4.3) */

static void common_fill_queue(struct virtio_pci *p, struct virtio_pci_common_cfg *c)
{
	const struct virtio_queue *q = selected(p);

	c->queue_msix_vector = htole16(VIRTIO_MSI_NO_VECTOR);
	if (!q)
		return;
	c->queue_size = htole16(q->vq.size);
	c->queue_msix_vector = htole16(p->queue_vectors[p->queue_select]);
	c->queue_enable = htole16(q->enabled);
	c->queue_notify_off = htole16(p->queue_select);
	c->queue_desc_lo = htole32((uint32_t)q->vq.desc_gpa);
	c->queue_desc_hi = htole32((uint32_t)(q->vq.desc_gpa >> 32));
	c->queue_avail_lo = htole32((uint32_t)q->vq.avail_gpa);
	c->queue_avail_hi = htole32((uint32_t)(q->vq.avail_gpa >> 32));
	c->queue_used_lo = htole32((uint32_t)q->vq.used_gpa);
	c->queue_used_hi = htole32((uint32_t)(q->vq.used_gpa >> 32));
}

/* The half of a set of features that a select register shows; beyond the second there are none. */
static uint32_t feature_half(uint64_t features, uint32_t select)
{
	return select < 2 ? (uint32_t)(features >> (32 * select)) : 0;
}

static void common_read(struct virtio_pci *p, uint64_t offset, void *to, unsigned len)
{
	const struct virtio_device *v = p->device;
	struct virtio_pci_common_cfg c = {
		.device_feature_select = htole32(p->device_feature_select),
		.device_feature = htole32(feature_half(v->offered, p->device_feature_select)),
		.guest_feature_select = htole32(p->driver_feature_select),
		.guest_feature = htole32(feature_half(p->driver_features, p->driver_feature_select)),
		.msix_config = htole16(p->config_vector),
		.num_queues = htole16((uint16_t)v->n_queues),
		.device_status = v->status,
		.config_generation = v->generation,
		.queue_select = htole16(p->queue_select),
	};

	common_fill_queue(p, &c);
	memset(to, 0, len);
	if (offset + len <= sizeof(c))
		memcpy(to, (const uint8_t *)&c + offset, len);
}

static void set_driver_feature(struct virtio_pci *p, uint32_t value)
{
	unsigned shift = 32 * p->driver_feature_select;

	if (p->driver_feature_select > 1)
		return;
	p->driver_features = (p->driver_features & ~((uint64_t)UINT32_MAX << shift)) |
			     (uint64_t)value << shift;
	virtio_set_features(p->device, p->driver_features);
}

static void set_config_vector(struct virtio_pci *p, uint32_t value)
{
	p->config_vector = value < p->n_vectors ? (uint16_t)value : VIRTIO_MSI_NO_VECTOR;
	p->device->config_fd = value < p->n_vectors ? msix_fd(p->function, value) : -1;
}

static void set_queue_vector(struct virtio_pci *p, uint32_t value)
{
	struct virtio_queue *q = selected(p);

	if (!q)
		return;
	p->queue_vectors[p->queue_select] =
		value < p->n_vectors ? (uint16_t)value : VIRTIO_MSI_NO_VECTOR;
	q->call_fd = value < p->n_vectors ? msix_fd(p->function, value) : -1;
	if (p->device->ops->call_moved)
		p->device->ops->call_moved(p->device->self, p->queue_select);
}

static void set_status(struct virtio_pci *p, uint32_t value)
{
	if (!value) {
		p->driver_features = 0;
		p->device_feature_select = p->driver_feature_select = 0;
		p->queue_select = 0;
	}
	virtio_set_status(p->device, (uint8_t)value);
	if (!value)
		vectors_forget(p);
}

/* A queue's fields are the driver's until it enables the queue, and then until the reset. */
static struct virtio_queue *selected_open(struct virtio_pci *p)
{
	struct virtio_queue *q = selected(p);

	return q && !q->enabled && !p->device->resetting ? q : NULL;
}

static void set_queue_size(struct virtio_pci *p, uint32_t value)
{
	struct virtio_queue *q = selected_open(p);

	if (q && value <= q->vq.size_max)
		q->vq.size = (uint16_t)value;
}

static void set_queue_enable(struct virtio_pci *p, uint32_t value)
{
	struct virtio_queue *q = selected_open(p);

	/* 4.1.5.1.3: before DRIVER_OK, and only on */
	if (q && value == 1 && !(p->device->status & VIRTIO_CONFIG_S_DRIVER_OK))
		q->enabled = true;
}

static void set_half(uint64_t *at, bool high, uint32_t value)
{
	if (high)
		*at = (*at & UINT32_MAX) | (uint64_t)value << 32;
	else
		*at = (*at & ~(uint64_t)UINT32_MAX) | value;
}

static void set_queue_address(struct virtio_pci *p, uint64_t offset, uint32_t value)
{
	struct virtio_queue *q = selected_open(p);
	bool high = offset & 4;

	if (!q)
		return;
	switch (offset & ~4ull) {
	case VIRTIO_PCI_COMMON_Q_DESCLO:
		set_half(&q->vq.desc_gpa, high, value);
		break;
	case VIRTIO_PCI_COMMON_Q_AVAILLO:
		set_half(&q->vq.avail_gpa, high, value);
		break;
	case VIRTIO_PCI_COMMON_Q_USEDLO:
		set_half(&q->vq.used_gpa, high, value);
		break;
	}
}

/* Fields are written whole, with an access of their width (4.1.3.1); anything else is ignored. */
static void common_write_field(struct virtio_pci *p, uint64_t offset, unsigned len, uint32_t value)
{
	switch (offset << 4 | len) {
	case VIRTIO_PCI_COMMON_DFSELECT << 4 | 4:
		p->device_feature_select = value;
		break;
	case VIRTIO_PCI_COMMON_GFSELECT << 4 | 4:
		p->driver_feature_select = value;
		break;
	case VIRTIO_PCI_COMMON_GF << 4 | 4:
		set_driver_feature(p, value);
		break;
	case VIRTIO_PCI_COMMON_MSIX << 4 | 2:
		set_config_vector(p, value);
		break;
	case VIRTIO_PCI_COMMON_STATUS << 4 | 1:
		set_status(p, value);
		break;
	case VIRTIO_PCI_COMMON_Q_SELECT << 4 | 2:
		p->queue_select = (uint16_t)value;
		break;
	case VIRTIO_PCI_COMMON_Q_SIZE << 4 | 2:
		set_queue_size(p, value);
		break;
	case VIRTIO_PCI_COMMON_Q_MSIX << 4 | 2:
		set_queue_vector(p, value);
		break;
	case VIRTIO_PCI_COMMON_Q_ENABLE << 4 | 2:
		set_queue_enable(p, value);
		break;
	default:
		if (len == 4 && offset % 4 == 0)
			set_queue_address(p, offset, value);
	}
}

static void common_write(struct virtio_pci *p, uint64_t offset, const void *from, unsigned len)
{
	uint64_t value = 0;

	memcpy(&value, from, len);
	value = le64toh(value);
	if (len == 8) {
		common_write_field(p, offset, 4, (uint32_t)value);
		common_write_field(p, offset + 4, 4, (uint32_t)(value >> 32));
	} else {
		common_write_field(p, offset, len, (uint32_t)value);
	}
}

/* The other structures */

static void isr_read(struct virtio_pci *p, uint64_t offset, uint8_t *to, unsigned len)
{
	memset(to, 0, len);
	if (offset != 0)
		return;
	to[0] = p->device->isr;
	p->device->isr = 0;
}

static void device_read(struct virtio_pci *p, uint64_t offset, uint8_t *to, unsigned len)
{
	unsigned size = p->device->config_bytes;
	unsigned n = offset >= size ? 0 : size - offset < len ? size - (unsigned)offset : len;

	memset(to, 0, len);
	if (n)
		p->device->ops->config_read(p->device->self, (unsigned)offset, to, n);
}

static void device_write(struct virtio_pci *p, uint64_t offset, const void *from, unsigned len)
{
	if (p->device->ops->config_write && offset + len <= p->device->config_bytes)
		p->device->ops->config_write(p->device->self, (unsigned)offset, from, len);
}

/* Where the hypervisor has made no eventfd of the address. */
static void notify_write(struct virtio_pci *p, uint64_t offset)
{
	if (offset % NOTIFY_STEP == 0 && offset / NOTIFY_STEP < p->device->n_queues)
		virtio_signal(p->device->queues[offset / NOTIFY_STEP].kick_fd);
}

static void bar_read(void *dev, unsigned bar, uint64_t offset, void *data, unsigned len)
{
	struct virtio_pci *p = dev;
	uint64_t at = offset % PART_BYTES;

	switch (offset - at) {
	case COMMON:
		common_read(p, at, data, len);
		break;
	case ISR:
		isr_read(p, at, data, len);
		break;
	case DEVICE:
		device_read(p, at, data, len);
		break;
	default:
		memset(data, 0, len);
	}
}

static void bar_write(void *dev, unsigned bar, uint64_t offset, const void *data, unsigned len)
{
	struct virtio_pci *p = dev;
	uint64_t at = offset % PART_BYTES;

	switch (offset - at) {
	case COMMON:
		common_write(p, at, data, len);
		break;
	case DEVICE:
		device_write(p, at, data, len);
		break;
	case NOTIFY:
		notify_write(p, at);
		break;
	}
}

/* The window (4.1.4.9): a capability by which the BAR is reached through configuration space. */

static bool window_aim(const struct virtio_pci *p, unsigned offset, unsigned len, uint32_t *at_out,
		       unsigned *len_out)
{
	const uint8_t *cap = pci_config(p->function) + p->window;
	unsigned data = (unsigned)p->window + offsetof(struct virtio_pci_cfg_cap, pci_cfg_data);
	uint32_t at, n;

	if (offset + len <= data || offset >= data + 4 || cap[VIRTIO_PCI_CAP_BAR] != BAR)
		return false;
	memcpy(&at, cap + VIRTIO_PCI_CAP_OFFSET, 4);
	memcpy(&n, cap + VIRTIO_PCI_CAP_LENGTH, 4);
	*at_out = le32toh(at);
	*len_out = le32toh(n);
	return (*len_out == 1 || *len_out == 2 || *len_out == 4) && *at_out % *len_out == 0 &&
	       *at_out <= BAR_BYTES - *len_out;
}

static uint8_t *window_data(const struct virtio_pci *p)
{
	return pci_config(p->function) + p->window +
	       offsetof(struct virtio_pci_cfg_cap, pci_cfg_data);
}

static void config_read(void *dev, unsigned offset, unsigned len)
{
	struct virtio_pci *p = dev;
	uint32_t at;
	unsigned n;

	if (window_aim(p, offset, len, &at, &n))
		bar_read(p, BAR, at, window_data(p), n);
}

static void config_written(void *dev, unsigned offset, unsigned len)
{
	struct virtio_pci *p = dev;
	uint32_t at;
	unsigned n;

	if (window_aim(p, offset, len, &at, &n))
		bar_write(p, BAR, at, window_data(p), n);
}

static void reset(void *dev)
{
	struct virtio_pci *p = dev;

	set_status(p, 0);
	/* no driver is there that would look at the status until it is 0 */
	if (p->device->resetting && p->device->ops->drain)
		p->device->ops->drain(p->device->self);
}

static void ejected(void *dev)
{
	struct virtio_pci *p = dev;

	if (p->ejected)
		p->ejected(p->ejected_arg);
}

static const struct pci_ops ops = {
	.bar_read = bar_read,
	.bar_write = bar_write,
	.config_read = config_read,
	.config_written = config_written,
	.reset = reset,
	.ejected = ejected,
};

/* Life */

static uint32_t class_code(uint16_t type)
{
	switch (type) {
	case VIRTIO_ID_NET:
		return 0x020000;	/* Ethernet controller */
	case VIRTIO_ID_BLOCK:
		return 0x018000;	/* mass storage, other */
	}
	return 0xff0000;		/* fits no class */
}

/* One structure's place; the notification structure says the step, too. Its offset or -errno. */
static int add_structure(struct virtio_pci *p, uint8_t type, uint32_t offset, uint32_t length)
{
	union {
		struct virtio_pci_cap plain;
		struct virtio_pci_notify_cap notify;
		struct virtio_pci_cfg_cap window;
	} c = { .plain = { .cfg_type = type, .bar = BAR, .offset = htole32(offset),
			   .length = htole32(length) } };
	size_t len = sizeof(c.plain);

	if (type == VIRTIO_PCI_CAP_NOTIFY_CFG) {
		len = sizeof(c.notify);
		c.notify.notify_off_multiplier = htole32(NOTIFY_STEP);
	} else if (type == VIRTIO_PCI_CAP_PCI_CFG) {
		len = sizeof(c.window);
	}
	c.plain.cap_len = (uint8_t)len;
	return pci_add_capability(p->function, PCI_CAP_ID_VNDR, (const uint8_t *)&c + 2, len - 2);
}

static int add_structures(struct virtio_pci *p)
{
	static const struct {
		uint8_t type;
		uint32_t offset;
	} parts[] = {
		{ VIRTIO_PCI_CAP_COMMON_CFG, COMMON },
		{ VIRTIO_PCI_CAP_ISR_CFG, ISR },
		{ VIRTIO_PCI_CAP_DEVICE_CFG, DEVICE },
		{ VIRTIO_PCI_CAP_NOTIFY_CFG, NOTIFY },
	};

	for (size_t i = 0; i < ND_COUNT(parts); i++) {
		int r;

		if (parts[i].type == VIRTIO_PCI_CAP_DEVICE_CFG && !p->device->config_bytes)
			continue;	/* 4.1.4.6: a device without configuration has none */
		r = add_structure(p, parts[i].type, parts[i].offset, PART_BYTES);
		if (r < 0)
			return r;
	}
	p->window = add_structure(p, VIRTIO_PCI_CAP_PCI_CFG, 0, 0);
	if (p->window < 0)
		return p->window;
	pci_writable(p->function, (unsigned)p->window + VIRTIO_PCI_CAP_BAR, 1);
	pci_writable(p->function, (unsigned)p->window + VIRTIO_PCI_CAP_OFFSET, 12);
	return 0;
}

static int add_parts(struct virtio_pci *p)
{
	int r = pci_add_bar(p->function, BAR, BAR_BYTES);

	if (r == 0)
		r = pci_add_msix(p->function, BAR_MSIX, p->n_vectors);
	if (r == 0)
		r = add_structures(p);
	for (unsigned i = 0; i < p->device->n_queues && r == 0 && !p->device->kicks_by_exit; i++)
		r = pci_notify_fd(p->function, BAR, NOTIFY + i * NOTIFY_STEP,
				  p->device->queues[i].kick_fd);
	return r;
}

int virtio_pci_new(struct pci_bus *bus, unsigned slot, struct virtio_device *device,
		   struct virtio_pci **out, struct nd_error *err)
{
	ND_AUTO(virtio_pci_free) struct virtio_pci *p = calloc(1, sizeof(*p));
	struct pci_ids ids = { .vendor = VENDOR, .device = (uint16_t)(DEVICE_BASE + device->type),
			       .subvendor = VENDOR, .subdevice = (uint16_t)(DEVICE_BASE + device->type),
			       .revision = 1, .class_code = class_code(device->type) };
	int r;

	if (!p)
		return nd_error_nomem(err);
	p->device = device;
	p->n_vectors = device->n_queues + 1;
	p->function = pci_function_new(&ids, &ops, p);
	if (!p->function)
		return nd_error_nomem(err);
	vectors_forget(p);
	r = add_parts(p);
	if (r == 0)
		r = pci_bus_plug(bus, slot, p->function);
	if (r < 0)
		return nd_error_sys(err, -r, "cannot put %s into PCI slot %u", device->name, slot);
	*out = nd_take_ptr(&p);
	return 0;
}

void virtio_pci_free(struct virtio_pci *p)
{
	if (!p)
		return;
	/* the device must not use the vectors' descriptors, which are closed here */
	if (p->function) {
		vectors_forget(p);
		for (unsigned i = 0; i < p->device->n_queues && p->device->ops->call_moved; i++)
			p->device->ops->call_moved(p->device->self, i);
	}
	pci_function_free(p->function);
	free(p);
}
