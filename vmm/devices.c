/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/devices.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netd/base/log.h"
#include "vmm/net_filter.h"
#include "vmm/net_port.h"
#include "vmm/virtio.h"
#include "vmm/virtio_blk.h"
#include "vmm/virtio_net.h"
#include "vmm/virtio_pci.h"
#include "vmm/virtio_rng.h"

#define QUEUE_SIZE_DEFAULT 256
#define MTU_MIN 68			/* virtio 1.2, 5.1.4.1 */
#define LOG_NAME_MAX (VMM_NAME_MAX + VMM_ID_MAX + 2)

struct nic {
	struct devices *owner;
	char id[VMM_ID_MAX];
	unsigned slot;
	struct virtio_net *net;
	struct virtio_pci *pci;
	bool filter_new, filter_told;	/* a guest may change it all the time: one is told, then waited for */
};

struct disk {
	char id[VMM_ID_MAX];
	struct virtio_blk *blk;
	struct virtio_pci *pci;
};

struct devices {
	struct devices_env env;
	struct nic *nics[VMM_NICS_MAX];
	size_t n_nics;
	struct disk disks[VMM_DISKS_MAX];
	size_t n_disks;
	struct virtio_rng *rng;
	struct virtio_pci *rng_pci;
};

/* "GUEST ID", for the log. */
static const char *log_name(const struct devices *d, const char *id, char *buf)
{
	snprintf(buf, LOG_NAME_MAX, "%s %s", d->env.name, id);
	return buf;
}

/* The slot that was asked for, or the lowest that is free. */
static int slot_for(const struct devices *d, unsigned wanted, const char *what, const char *id,
		    struct nd_error *err)
{
	int slot = wanted ? (int)wanted : pci_bus_free_slot(d->env.pci);

	if (slot < 0)
		return nd_error_set(err, ND_ERR_CONFIG_UNSUPPORTED, "%s '%s': no PCI slot is free",
				    what, id);
	if (slot >= PCI_SLOTS || pci_bus_find(d->env.pci, (unsigned)slot))
		return nd_error_set(err, ND_ERR_CONFIG_UNSUPPORTED, "%s '%s': PCI slot %d is taken",
				    what, id, slot);
	return slot;
}

/* NICs */

static struct nic *nic_find(const struct devices *d, const char *id)
{
	for (size_t i = 0; i < d->n_nics; i++)
		if (strcmp(d->nics[i]->id, id) == 0)
			return d->nics[i];
	return NULL;
}

static void nic_free(struct nic *n)
{
	if (!n)
		return;
	virtio_pci_free(n->pci);
	virtio_net_free(n->net);
	free(n);
}
ND_DEFINE_AUTO(struct nic *, nic_free)

static void filter_changed(void *arg)
{
	struct nic *n = arg;
	const struct devices_env *env = &n->owner->env;

	n->filter_new = true;
	if (!n->filter_told && env->filter_changed)
		env->filter_changed(env->arg, n->id);
}

bool devices_nic_filter(struct devices *d, const char *id, struct vmm_nic_filter *out)
{
	struct nic *n = nic_find(d, id);
	const struct net_filter *f;

	if (!n || !n->filter_new || n->filter_told)
		return false;
	n->filter_new = false;
	n->filter_told = true;
	f = virtio_net_filter(n->net);
	*out = (struct vmm_nic_filter){
		.multicast = f->promisc || f->allmulti || f->multi_overflow || (f->n_multi && !f->nomulti),
	};
	memcpy(out->id, n->id, sizeof(out->id));
	memcpy(out->mac.bytes, f->mac, sizeof(f->mac));
	return true;
}

void devices_filters_again(struct devices *d)
{
	for (size_t i = 0; i < d->n_nics; i++) {
		d->nics[i]->filter_told = false;
		filter_changed(d->nics[i]);
	}
}

static int nic_net_new(struct devices *d, struct vmm_nic *from, struct nic *n, struct nd_error *err)
{
	char name[LOG_NAME_MAX];
	struct virtio_net_spec spec = {
		.name = log_name(d, from->id, name), .mtu_bytes = from->mtu_bytes,
		.rx_queue_size = from->rx_queue_size ? from->rx_queue_size : QUEUE_SIZE_DEFAULT,
		.tx_queue_size = from->tx_queue_size ? from->tx_queue_size : QUEUE_SIZE_DEFAULT,
		.n_pairs = from->n_queue_pairs, .link_up = from->link_up,
		.features = from->features, .filter_changed = filter_changed, .arg = n,
	};

	if (spec.n_pairs < 1 || spec.n_pairs > NET_PAIRS_MAX)
		return nd_error_set(err, ND_ERR_CONFIG_UNSUPPORTED,
				    "NIC '%s': %u queue pairs are not between 1 and %d", from->id,
				    spec.n_pairs, NET_PAIRS_MAX);
	memcpy(spec.mac, from->mac.bytes, sizeof(spec.mac));
	for (unsigned i = 0; i < spec.n_pairs; i++) {
		spec.tap_fds[i] = nd_take_fd(&from->tap_fds[i]);
		spec.vhost_fds[i] = nd_take_fd(&from->vhost_fds[i]);
	}
	return virtio_net_new(&spec, &net_port_tap, d->env.memory, d->env.loop, &n->net, err);
}

static void nic_forget(struct devices *d, const struct nic *n)
{
	for (size_t i = 0; i < d->n_nics; i++) {
		if (d->nics[i] != n)
			continue;
		d->nics[i] = d->nics[--d->n_nics];
		return;
	}
}

static void nic_ejected(void *arg)
{
	struct nic *n = arg;
	struct devices *d = n->owner;
	char id[VMM_ID_MAX];

	memcpy(id, n->id, sizeof(id));
	nic_forget(d, n);
	nic_free(n);
	if (d->env.nic_removed)
		d->env.nic_removed(d->env.arg, id);
}

static int nic_new(struct devices *d, struct vmm_nic *from, struct nic **out, struct nd_error *err)
{
	ND_AUTO(nic_free) struct nic *n = NULL;
	int slot, r;

	if (nic_find(d, from->id))
		return nd_error_set(err, ND_ERR_OPERATION_INVALID, "NIC '%s' is there already", from->id);
	if (d->n_nics == VMM_NICS_MAX)
		return nd_error_set(err, ND_ERR_CONFIG_UNSUPPORTED, "NIC '%s': a guest has at most %d",
				    from->id, VMM_NICS_MAX);
	slot = slot_for(d, from->slot, "NIC", from->id, err);
	if (slot < 0)
		return slot;
	n = calloc(1, sizeof(*n));
	if (!n)
		return nd_error_nomem(err);
	n->owner = d;
	n->slot = (unsigned)slot;
	memcpy(n->id, from->id, sizeof(n->id));
	r = nic_net_new(d, from, n, err);
	if (r == 0)
		r = virtio_pci_new(d->env.pci, n->slot, virtio_net_device(n->net), &n->pci, err);
	if (r < 0)
		return r;
	virtio_pci_on_eject(n->pci, nic_ejected, n);
	*out = d->nics[d->n_nics++] = nd_take_ptr(&n);
	return 0;
}

/* Disks and entropy */

static int disk_new(struct devices *d, struct vmm_disk *from, struct nd_error *err)
{
	struct disk *disk = &d->disks[d->n_disks];
	char name[LOG_NAME_MAX];
	struct virtio_blk_spec spec = {
		.name = log_name(d, from->id, name), .read_only = from->read_only,
		.discard = from->discard, .size_bytes = from->size_bytes, .serial = from->serial,
	};
	int slot, r;

	if (d->n_disks == VMM_DISKS_MAX)
		return nd_error_set(err, ND_ERR_CONFIG_UNSUPPORTED, "disk '%s': a guest has at most %d",
				    from->id, VMM_DISKS_MAX);
	slot = slot_for(d, from->slot, "disk", from->id, err);
	if (slot < 0)
		return slot;
	spec.fd = nd_take_fd(&from->fd);
	r = virtio_blk_new(&spec, d->env.memory, d->env.loop, &disk->blk, err);
	if (r < 0)
		return r;
	memcpy(disk->id, from->id, sizeof(disk->id));
	d->n_disks++;
	return virtio_pci_new(d->env.pci, (unsigned)slot, virtio_blk_device(disk->blk), &disk->pci, err);
}

static int rng_new(struct devices *d, unsigned wanted, struct nd_error *err)
{
	char name[LOG_NAME_MAX];
	struct virtio_rng_spec spec = { .name = log_name(d, "rng", name) };
	int slot = slot_for(d, wanted, "device", "rng", err), r;

	if (slot < 0)
		return slot;
	r = virtio_rng_new(&spec, d->env.memory, d->env.loop, &d->rng, err);
	if (r < 0)
		return r;
	return virtio_pci_new(d->env.pci, (unsigned)slot, virtio_rng_device(d->rng), &d->rng_pci, err);
}

/* All whose slot is given, or all the others: so that no device without a wish takes what another
 * one asked for. */
static int add_all(struct devices *d, struct vmm_config *c, bool with_slot, struct nd_error *err)
{
	struct nic *n;
	int r = 0;

	for (size_t i = 0; i < c->n_nics && r == 0; i++)
		if (with_slot == !!c->nics[i].slot)
			r = nic_new(d, &c->nics[i], &n, err);
	for (size_t i = 0; i < c->n_disks && r == 0; i++)
		if (with_slot == !!c->disks[i].slot)
			r = disk_new(d, &c->disks[i], err);
	if (c->rng && with_slot == !!c->rng_slot && r == 0)
		r = rng_new(d, c->rng_slot, err);
	return r;
}

int devices_new(struct vmm_config *c, const struct devices_env *env, struct devices **out,
		struct nd_error *err)
{
	ND_AUTO(devices_free) struct devices *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return nd_error_nomem(err);
	d->env = *env;
	r = add_all(d, c, true, err);
	if (r == 0)
		r = add_all(d, c, false, err);
	if (r < 0)
		return r;
	*out = nd_take_ptr(&d);
	return 0;
}

void devices_free(struct devices *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->n_nics; i++)
		nic_free(d->nics[i]);
	for (size_t i = 0; i < d->n_disks; i++) {
		virtio_pci_free(d->disks[i].pci);
		virtio_blk_free(d->disks[i].blk);
	}
	virtio_pci_free(d->rng_pci);
	virtio_rng_free(d->rng);
	free(d);
}

/* While it runs */

int devices_nic_add(struct devices *d, struct vmm_nic *n, struct nd_error *err)
{
	struct nic *nic;
	int r = nic_new(d, n, &nic, err);

	if (r < 0)
		return r;
	if (d->env.plugged)
		d->env.plugged(d->env.arg, nic->slot);
	return 0;
}

static struct nic *nic_get(const struct devices *d, const char *id, struct nd_error *err)
{
	struct nic *n = nic_find(d, id);

	if (!n)
		(void)nd_error_set(err, ND_ERR_DEVICE_MISSING, "there is no NIC '%s'", id);
	return n;
}

int devices_nic_remove(struct devices *d, const char *id, struct nd_error *err)
{
	struct nic *n = nic_get(d, id, err);

	if (!n)
		return -ENOENT;
	if (d->env.unplug_wanted)
		d->env.unplug_wanted(d->env.arg, n->slot);
	return 0;
}

int devices_nic_link(struct devices *d, const char *id, bool up, struct nd_error *err)
{
	struct nic *n = nic_get(d, id, err);

	if (!n)
		return -ENOENT;
	virtio_net_set_link(n->net, up);
	return 0;
}

int devices_nic_mtu(struct devices *d, const char *id, uint32_t mtu_bytes, struct nd_error *err)
{
	struct nic *n = nic_get(d, id, err);

	if (!n)
		return -ENOENT;
	if (mtu_bytes < MTU_MIN || mtu_bytes > UINT16_MAX)
		return nd_error_set(err, ND_ERR_INVALID_ARG,
				    "NIC '%s': MTU %" PRIu32 " is not between %d and %d", id, mtu_bytes,
				    MTU_MIN, UINT16_MAX);
	virtio_net_set_mtu(n->net, (uint16_t)mtu_bytes);
	return 0;
}

int devices_nic_filter_seen(struct devices *d, const char *id, struct nd_error *err)
{
	struct nic *n = nic_get(d, id, err);

	if (!n)
		return -ENOENT;
	n->filter_told = false;
	if (n->filter_new)
		filter_changed(n);
	return 0;
}

int devices_nic_announce(struct devices *d, const char *id, struct nd_error *err)
{
	struct nic *n = nic_get(d, id, err);

	if (!n)
		return -ENOENT;
	virtio_net_announce(n->net);
	return 0;
}

size_t devices_nics(const struct devices *d, char (*ids_out)[VMM_ID_MAX], size_t max)
{
	size_t n = d->n_nics < max ? d->n_nics : max;

	for (size_t i = 0; i < n; i++)
		memcpy(ids_out[i], d->nics[i]->id, VMM_ID_MAX);
	return n;
}

/* A list of counters that grows as long as there is room. */
struct counting {
	struct vmm_counter *list;
	size_t n, max;
};

static void count(struct counting *c, const char *kind, const char *id, const char *what,
		  uint64_t value)
{
	if (c->n == c->max)
		return;
	snprintf(c->list[c->n].name, sizeof(c->list[c->n].name), "%s.%s.%s", kind, id, what);
	c->list[c->n++].value = value;
}

/* With vhost only the TAP has counted: netd reads that, and is told by the absence here. */
static void count_nic(struct counting *c, const struct nic *n)
{
	struct net_counters k;

	count(c, "nic", n->id, "vhost", virtio_net_uses_vhost(n->net));
	if (!virtio_net_count(n->net, &k))
		return;
	count(c, "nic", n->id, "rx.bytes", k.rx_bytes);
	count(c, "nic", n->id, "rx.packets", k.rx_packets);
	count(c, "nic", n->id, "rx.errors", k.rx_errors);
	count(c, "nic", n->id, "rx.dropped", k.rx_dropped);
	count(c, "nic", n->id, "tx.bytes", k.tx_bytes);
	count(c, "nic", n->id, "tx.packets", k.tx_packets);
	count(c, "nic", n->id, "tx.errors", k.tx_errors);
	count(c, "nic", n->id, "tx.dropped", k.tx_dropped);
}

static void count_disk(struct counting *c, const struct disk *d)
{
	struct blk_counters k = virtio_blk_count(d->blk);

	count(c, "disk", d->id, "rd.reqs", k.rd_requests);
	count(c, "disk", d->id, "rd.bytes", k.rd_bytes);
	count(c, "disk", d->id, "wr.reqs", k.wr_requests);
	count(c, "disk", d->id, "wr.bytes", k.wr_bytes);
	count(c, "disk", d->id, "fl.reqs", k.flushes);
	count(c, "disk", d->id, "errors", k.errors);
}

size_t devices_counters(const struct devices *d, struct vmm_counter *list, size_t n, size_t max)
{
	struct counting c = { .list = list, .n = n, .max = max };

	for (size_t i = 0; i < d->n_nics; i++)
		count_nic(&c, d->nics[i]);
	for (size_t i = 0; i < d->n_disks; i++)
		count_disk(&c, &d->disks[i]);
	return c.n;
}
