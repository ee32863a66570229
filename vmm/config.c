/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "netd/base/wire.h"
#include "vmm/memory.h"
#include "vmm/pci.h"

#define NIC_MIN_BYTES 16		/* on the wire, so that a count cannot lie much */
#define DISK_MIN_BYTES 15
#define CONFIG_BYTES_MAX (64u * 1024)

void vmm_fds_close(struct vmm_fds *fds)
{
	for (size_t i = 0; i < fds->n; i++)
		if (fds->fds[i] >= 0)
			close(fds->fds[i]);
	fds->n = fds->next = 0;
}

static void fd_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void vmm_nic_init(struct vmm_nic *n)
{
	*n = (struct vmm_nic){ .link_up = true, .n_queue_pairs = 1, .features = VMM_NIC_FEATURES };
	for (size_t i = 0; i < VMM_QUEUE_PAIRS_MAX; i++)
		n->tap_fds[i] = n->vhost_fds[i] = -1;
}

void vmm_nic_fini(struct vmm_nic *n)
{
	for (size_t i = 0; i < VMM_QUEUE_PAIRS_MAX; i++) {
		fd_close(&n->tap_fds[i]);
		fd_close(&n->vhost_fds[i]);
	}
}

void vmm_disk_init(struct vmm_disk *d)
{
	*d = (struct vmm_disk){ .fd = -1 };
}

void vmm_disk_fini(struct vmm_disk *d)
{
	fd_close(&d->fd);
}

void vmm_config_init(struct vmm_config *c)
{
	*c = (struct vmm_config){
		.n_cpus = 1, .rng = true,
		.on_poweroff = VMM_DESTROY, .on_reboot = VMM_RESTART, .on_crash = VMM_DESTROY,
		.kvm_fd = -1, .kernel_fd = -1, .initrd_fd = -1, .console_fd = -1, .listen_fd = -1,
	};
}

void vmm_config_fini(struct vmm_config *c)
{
	for (size_t i = 0; i < c->n_nics; i++)
		vmm_nic_fini(&c->nics[i]);
	for (size_t i = 0; i < c->n_disks; i++)
		vmm_disk_fini(&c->disks[i]);
	free(c->nics);
	free(c->disks);
	c->nics = NULL;
	c->disks = NULL;
	c->n_nics = c->n_disks = 0;
	fd_close(&c->kvm_fd);
	fd_close(&c->kernel_fd);
	fd_close(&c->initrd_fd);
	fd_close(&c->console_fd);
	fd_close(&c->listen_fd);
}

/* One byte says whether there is one. */
static void put_fd(struct wr *w, struct vmm_fds *fds, int fd)
{
	wr_u8(w, fd >= 0);
	if (fd < 0)
		return;
	if (fds->n == ND_COUNT(fds->fds))
		w->full = true;
	else
		fds->fds[fds->n++] = fd;
}

static int get_fd(struct rd *r, struct vmm_fds *fds)
{
	uint8_t there = rd_u8(r);

	if (there > 1)
		r->bad = true;
	if (there != 1)
		return -1;
	if (fds->next >= fds->n) {
		r->bad = true;
		return -1;
	}
	return fds->fds[fds->next++];
}

static bool get_bool(struct rd *r)
{
	uint8_t v = rd_u8(r);

	if (v > 1)
		r->bad = true;
	return v == 1;
}

static void nic_put(const struct vmm_nic *n, struct wr *w, struct vmm_fds *fds)
{
	wire_put_string(w, n->id);
	wire_put_mac(w, &n->mac);
	wr_u16(w, n->mtu_bytes);
	wr_u16(w, n->rx_queue_size);
	wr_u16(w, n->tx_queue_size);
	wr_u8(w, n->slot);
	wr_u32(w, n->features);
	wr_u8(w, n->link_up);
	wr_u8(w, n->n_queue_pairs);
	for (size_t i = 0; i < n->n_queue_pairs && i < VMM_QUEUE_PAIRS_MAX; i++) {
		put_fd(w, fds, n->tap_fds[i]);
		put_fd(w, fds, n->vhost_fds[i]);
	}
}

static void nic_get(struct rd *r, struct vmm_fds *fds, struct vmm_nic *n)
{
	vmm_nic_init(n);
	wire_get_text(r, n->id, sizeof(n->id));
	n->mac = wire_get_mac(r);
	n->mtu_bytes = rd_u16(r);
	n->rx_queue_size = rd_u16(r);
	n->tx_queue_size = rd_u16(r);
	n->slot = rd_u8(r);
	n->features = rd_u32(r);
	n->link_up = get_bool(r);
	n->n_queue_pairs = rd_u8(r);
	if (n->n_queue_pairs > VMM_QUEUE_PAIRS_MAX)
		r->bad = true;
	for (size_t i = 0; i < n->n_queue_pairs && !r->bad; i++) {
		n->tap_fds[i] = get_fd(r, fds);
		n->vhost_fds[i] = get_fd(r, fds);
	}
}

static void disk_put(const struct vmm_disk *d, struct wr *w, struct vmm_fds *fds)
{
	wire_put_string(w, d->id);
	wire_put_string(w, d->serial);
	wr_u8(w, d->slot);
	wr_u8(w, d->read_only);
	wr_u8(w, d->discard);
	wr_u64(w, d->size_bytes);
	put_fd(w, fds, d->fd);
}

static void disk_get(struct rd *r, struct vmm_fds *fds, struct vmm_disk *d)
{
	vmm_disk_init(d);
	wire_get_text(r, d->id, sizeof(d->id));
	wire_get_text(r, d->serial, sizeof(d->serial));
	d->slot = rd_u8(r);
	d->read_only = get_bool(r);
	d->discard = get_bool(r);
	d->size_bytes = rd_u64(r);
	d->fd = get_fd(r, fds);
}

void vmm_nic_encode(const struct vmm_nic *n, struct wr *w, struct vmm_fds *fds)
{
	nic_put(n, w, fds);
}

void vmm_config_encode(const struct vmm_config *c, struct wr *w, struct vmm_fds *fds)
{
	wire_put_string(w, c->name);
	wr_bytes(w, c->uuid.bytes, sizeof(c->uuid.bytes));
	wr_u32(w, c->uid);
	wr_u64(w, c->ram_bytes);
	wr_u8(w, c->n_cpus);
	wire_put_string(w, c->cmdline);
	wr_u8(w, c->on_poweroff);
	wr_u8(w, c->on_reboot);
	wr_u8(w, c->on_crash);
	wr_u64(w, (uint64_t)c->clock_offset_s);
	wr_u8(w, c->rng);
	wr_u8(w, c->rng_slot);
	put_fd(w, fds, c->kvm_fd);
	put_fd(w, fds, c->kernel_fd);
	put_fd(w, fds, c->initrd_fd);
	put_fd(w, fds, c->console_fd);
	put_fd(w, fds, c->listen_fd);
	wr_u32(w, (uint32_t)c->n_nics);
	for (size_t i = 0; i < c->n_nics; i++)
		nic_put(&c->nics[i], w, fds);
	wr_u32(w, (uint32_t)c->n_disks);
	for (size_t i = 0; i < c->n_disks; i++)
		disk_put(&c->disks[i], w, fds);
}

int vmm_config_bytes(const struct vmm_config *c, uint8_t **bytes_out, size_t *len_out,
		     struct vmm_fds *fds_out)
{
	ND_AUTO(free) uint8_t *bytes = malloc(CONFIG_BYTES_MAX);
	struct wr w = wr_init(bytes, CONFIG_BYTES_MAX);

	if (!bytes)
		return -ENOMEM;
	*fds_out = (struct vmm_fds){ 0 };
	vmm_config_encode(c, &w, fds_out);
	if (w.full)
		return -EMSGSIZE;
	*len_out = wr_len(&w);
	*bytes_out = nd_take_ptr(&bytes);
	return 0;
}

/* All is read and nothing is left, also no descriptor. */
static int whole(const struct rd *r, const struct vmm_fds *fds)
{
	return r->bad || rd_more(r) || fds->next != fds->n ? -EBADMSG : 0;
}

/* What was moved out is marked so, for vmm_fds_close(). */
static void fds_taken(struct vmm_fds *fds)
{
	for (size_t i = 0; i < fds->next; i++)
		fds->fds[i] = -1;
}

int vmm_nic_decode(struct rd *r, struct vmm_fds *fds, struct vmm_nic *out)
{
	struct vmm_nic n;

	fds->next = 0;
	nic_get(r, fds, &n);
	if (whole(r, fds) < 0)
		return -EBADMSG;
	fds_taken(fds);
	*out = n;
	return 0;
}

static enum vmm_action get_action(struct rd *r)
{
	uint8_t v = rd_u8(r);

	if (v < VMM_DESTROY || v > VMM_PRESERVE)
		r->bad = true;
	return v;
}

static void config_get(struct rd *r, struct vmm_fds *fds, struct vmm_config *c)
{
	vmm_config_init(c);
	wire_get_text(r, c->name, sizeof(c->name));
	rd_copy(r, c->uuid.bytes, sizeof(c->uuid.bytes));
	c->uid = rd_u32(r);
	c->ram_bytes = rd_u64(r);
	c->n_cpus = rd_u8(r);
	wire_get_text(r, c->cmdline, sizeof(c->cmdline));
	c->on_poweroff = get_action(r);
	c->on_reboot = get_action(r);
	c->on_crash = get_action(r);
	c->clock_offset_s = (int64_t)rd_u64(r);
	c->rng = get_bool(r);
	c->rng_slot = rd_u8(r);
	c->kvm_fd = get_fd(r, fds);
	c->kernel_fd = get_fd(r, fds);
	c->initrd_fd = get_fd(r, fds);
	c->console_fd = get_fd(r, fds);
	c->listen_fd = get_fd(r, fds);
	c->nics = wire_get_list(r, NIC_MIN_BYTES, VMM_NICS_MAX, sizeof(*c->nics), &c->n_nics);
	for (size_t i = 0; i < c->n_nics; i++)
		nic_get(r, fds, &c->nics[i]);
	c->disks = wire_get_list(r, DISK_MIN_BYTES, VMM_DISKS_MAX, sizeof(*c->disks), &c->n_disks);
	for (size_t i = 0; i < c->n_disks; i++)
		disk_get(r, fds, &c->disks[i]);
}

int vmm_config_decode(struct rd *r, struct vmm_fds *fds, struct vmm_config *out)
{
	struct vmm_config c;

	fds->next = 0;
	config_get(r, fds, &c);
	if (whole(r, fds) < 0) {
		free(c.nics);		/* the descriptors are still those of fds */
		free(c.disks);
		return -EBADMSG;
	}
	fds_taken(fds);
	*out = c;
	return 0;
}

static int slot_check(uint8_t slot, uint32_t *taken, const char *id, struct nd_error *err)
{
	if (slot >= PCI_SLOTS)
		return nd_error_set(err, ND_ERR_CONFIG_UNSUPPORTED, "'%s': there is no PCI slot %u",
				    id, slot);
	if (slot && (*taken & 1u << slot))
		return nd_error_set(err, ND_ERR_CONFIG_UNSUPPORTED, "'%s': PCI slot %u is taken", id,
				    slot);
	*taken |= slot ? 1u << slot : 0;
	return 0;
}

static bool queue_size_good(uint16_t n)
{
	return !n || (n >= 16 && n <= 1024 && !(n & (n - 1)));
}

static int nic_check(const struct vmm_config *c, size_t i, struct nd_error *err)
{
	const struct vmm_nic *n = &c->nics[i];
	bool vhost = n->vhost_fds[0] >= 0;

	for (size_t k = 0; k < i; k++)
		if (strcmp(c->nics[k].id, n->id) == 0)
			return nd_error_set(err, ND_ERR_INVALID_ARG, "two NICs are called '%s'", n->id);
	if (!n->id[0] || n->n_queue_pairs < 1 || (n->features & ~VMM_NIC_FLAGS))
		return nd_error_set(err, ND_ERR_INVALID_ARG, "NIC '%s' lacks a name or queues", n->id);
	if (!queue_size_good(n->rx_queue_size) || !queue_size_good(n->tx_queue_size))
		return nd_error_set(err, ND_ERR_CONFIG_UNSUPPORTED,
				    "NIC '%s': a queue of %u or %u is not a power of two from 16 to 1024",
				    n->id, n->rx_queue_size, n->tx_queue_size);
	for (size_t q = 0; q < n->n_queue_pairs; q++)
		if (n->tap_fds[q] < 0 || (n->vhost_fds[q] >= 0) != vhost)
			return nd_error_set(err, ND_ERR_INVALID_ARG,
					    "NIC '%s' lacks a descriptor for queue %zu", n->id, q);
	return 0;
}

static int disk_check(const struct vmm_disk *d, struct nd_error *err)
{
	if (d->fd < 0)
		return nd_error_set(err, ND_ERR_INVALID_ARG, "disk '%s' has no descriptor", d->id);
	if (d->size_bytes % 512 || d->size_bytes == 0 || d->size_bytes > INT64_MAX)
		return nd_error_set(err, ND_ERR_CONFIG_UNSUPPORTED,
				    "disk '%s': %llu bytes are no whole number of sectors", d->id,
				    (unsigned long long)d->size_bytes);
	return 0;
}

static int devices_check(const struct vmm_config *c, struct nd_error *err)
{
	uint32_t slots = 1;		/* the bridge's */
	int r = slot_check(c->rng ? c->rng_slot : 0, &slots, "rng", err);

	for (size_t i = 0; r == 0 && i < c->n_nics; i++) {
		r = nic_check(c, i, err);
		if (r == 0)
			r = slot_check(c->nics[i].slot, &slots, c->nics[i].id, err);
	}
	for (size_t i = 0; r == 0 && i < c->n_disks; i++) {
		r = disk_check(&c->disks[i], err);
		if (r == 0)
			r = slot_check(c->disks[i].slot, &slots, c->disks[i].id, err);
	}
	if (r == 0 && c->n_nics + c->n_disks + c->rng > PCI_SLOTS - 1)
		r = nd_error_set(err, ND_ERR_CONFIG_UNSUPPORTED, "there are %d PCI slots, and %zu "
				 "devices", PCI_SLOTS - 1, c->n_nics + c->n_disks + c->rng);
	return r;
}

int vmm_config_check(const struct vmm_config *c, struct nd_error *err)
{
	if (!c->name[0])
		return nd_error_set(err, ND_ERR_INVALID_ARG, "the guest has no name");
	if (c->n_cpus < 1 || c->n_cpus > VMM_CPUS_MAX)
		return nd_error_set(err, ND_ERR_CONFIG_UNSUPPORTED, "%u vCPUs are not between 1 and %d",
				    c->n_cpus, VMM_CPUS_MAX);
	if (c->ram_bytes < MEMORY_MIN || c->ram_bytes > MEMORY_MAX || c->ram_bytes % 4096)
		return nd_error_set(err, ND_ERR_CONFIG_UNSUPPORTED,
				    "%llu bytes of memory are not between %llu and %llu MiB in whole pages",
				    (unsigned long long)c->ram_bytes, MEMORY_MIN >> 20, MEMORY_MAX >> 20);
	if (c->kvm_fd < 0 || c->kernel_fd < 0)
		return nd_error_set(err, ND_ERR_INVALID_ARG, "a guest needs /dev/kvm and a kernel");
	if (c->on_poweroff == VMM_PRESERVE || c->on_reboot == VMM_PRESERVE)
		return nd_error_set(err, ND_ERR_CONFIG_UNSUPPORTED,
				    "only a crashed guest can be preserved");
	return devices_check(c, err);
}
