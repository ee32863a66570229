/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/devices.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct devices {
	struct devices_env env;
};

int devices_new(struct vmm_config *c, const struct devices_env *env, struct devices **out,
		struct nd_error *err)
{
	struct devices *d;

	if (c->n_nics)
		return nd_error_set(err, ND_ERR_NO_SUPPORT, "NIC '%s': this build has no virtio-net",
				    c->nics[0].id);
	if (c->n_disks)
		return nd_error_set(err, ND_ERR_NO_SUPPORT, "disk '%s': this build has no virtio-blk",
				    c->disks[0].id);
	d = calloc(1, sizeof(*d));
	if (!d)
		return nd_error_nomem(err);
	d->env = *env;
	*out = d;
	return 0;
}

void devices_free(struct devices *d)
{
	free(d);
}

int devices_nic_add(struct devices *d, struct vmm_nic *n, struct nd_error *err)
{
	return nd_error_set(err, ND_ERR_NO_SUPPORT, "NIC '%s': this build has no virtio-net", n->id);
}

static int missing(const char *id, struct nd_error *err)
{
	return nd_error_set(err, ND_ERR_DEVICE_MISSING, "there is no NIC '%s'", id);
}

int devices_nic_remove(struct devices *d, const char *id, struct nd_error *err)
{
	return missing(id, err);
}

int devices_nic_link(struct devices *d, const char *id, bool up, struct nd_error *err)
{
	return missing(id, err);
}

int devices_nic_mtu(struct devices *d, const char *id, uint32_t mtu_bytes, struct nd_error *err)
{
	return missing(id, err);
}

int devices_nic_announce(struct devices *d, const char *id, struct nd_error *err)
{
	return missing(id, err);
}

size_t devices_nics(const struct devices *d, char (*ids_out)[VMM_ID_MAX], size_t max)
{
	return 0;
}

size_t devices_counters(const struct devices *d, struct vmm_counter *list, size_t n, size_t max)
{
	return n;
}
