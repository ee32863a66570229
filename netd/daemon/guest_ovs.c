/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/guest_ovs.h"

#include <stdlib.h>

#include "datapath/guest_link.h"
#include "netd/base/str.h"

bool guest_nic_is_ovs(const struct dom_nic *nic)
{
	return nic->type == DOM_NIC_BRIDGE && nic->virtualport.type == VIRTUALPORT_OPENVSWITCH;
}

/* One tag is the port's; of a trunk the native one is, and all of them are let through. */
static int set_vlans(const struct vlan_def *vlan, struct ovs_port *out, struct nd_error *err)
{
	bool trunk = vlan->trunk || vlan->n_tags > 1;
	uint16_t *trunks = trunk ? calloc(vlan->n_tags, sizeof(*trunks)) : NULL;

	if (trunk && !trunks)
		return nd_error_nomem(err);
	for (size_t i = 0; i < vlan->n_tags; i++) {
		const struct vlan_tag *tag = &vlan->tags[i];

		if (trunk)
			trunks[i] = tag->id;
		if (!trunk || tag->native)
			out->tag = tag->id;
		out->native_tagged |= tag->native == VLAN_NATIVE_TAGGED;
	}
	out->trunks = trunks;
	out->n_trunks = trunk ? vlan->n_tags : 0;
	return 0;
}

int guest_ovs_port(const struct guest *g, struct dom_nic *nic, struct ovs_port *out, struct nd_error *err)
{
	struct virtualport_def *v = &nic->virtualport;
	int r = v->has_interfaceid ? 0 : nd_uuid_random(&v->interfaceid);

	if (r < 0)
		return nd_error_sys(err, -r, "cannot make an interfaceid");
	v->has_interfaceid = true;
	*out = (struct ovs_port){
		.bridge = nic->bridge, .mac = nic->mac, .vm_id = g->uuid, .iface_id = v->interfaceid,
		.profile = v->profileid,
	};
	return set_vlans(&nic->vlan, out, err);
}

static bool is_another(void *arg, const char *ifname)
{
	return !nd_streq(arg, ifname);
}

int guest_ovs_unplug(struct netd *d, const struct guest *g, const struct dom_nic *nic, struct nd_error *err)
{
	return datapath_guest_ovs_remove(d->datapath, &g->uuid, is_another, nic->target, err);
}

static bool names_device(void *arg, const char *ifname)
{
	const struct dom_def *def = arg;

	for (size_t i = 0; i < def->n_nics; i++)
		if (nd_streq0(def->nics[i].target, ifname))
			return true;
	return false;
}

int guest_ovs_unplug_strays(struct netd *d, const struct guest *g, const struct dom_def *but, struct nd_error *err)
{
	return datapath_guest_ovs_remove(d->datapath, &g->uuid, but ? names_device : NULL, (void *)but, err);
}
