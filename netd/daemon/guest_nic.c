/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/guest_nic.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "datapath/guest_link.h"
#include "datapath/vf_hold.h"
#include "netd/base/log.h"
#include "netd/base/str.h"
#include "netd/compile/compile.h"
#include "netd/daemon/guest_ovs.h"
#include "netd/daemon/guest_profile.h"
#include "netd/daemon/ports.h"
#include "netd/model/xml.h"

void guest_nic_alias(const struct guest *g, char out[GUEST_ALIAS_SIZE])
{
	char uuid[ND_UUID_STRLEN];

	snprintf(out, GUEST_ALIAS_SIZE, "netd-guest:%s", nd_uuid_format(&g->uuid, uuid));
}

/* What <driver> leaves on, how it shall work, and what is offered besides. */
static uint32_t nic_features(const struct dom_nic *nic)
{
	const struct dom_offloads *host = &nic->host, *guest = &nic->guest;
	const struct { enum dom_switch value; uint32_t features; } switches[] = {
		{ nic->event_idx, VMM_EVENT_IDX }, { host->mrg_rxbuf, VMM_MRG_RXBUF },
		{ host->csum, VMM_HOST_CSUM }, { host->tso4, VMM_HOST_TSO4 },
		{ host->tso6, VMM_HOST_TSO6 }, { host->ecn, VMM_HOST_ECN }, { host->ufo, VMM_HOST_UFO },
		{ host->gso, VMM_HOST_TSO4 | VMM_HOST_TSO6 | VMM_HOST_ECN | VMM_HOST_UFO },
		{ guest->csum, VMM_GUEST_CSUM }, { guest->tso4, VMM_GUEST_TSO4 },
		{ guest->tso6, VMM_GUEST_TSO6 }, { guest->ecn, VMM_GUEST_ECN },
		{ guest->ufo, VMM_GUEST_UFO },
	};
	uint32_t on = VMM_NIC_FEATURES;

	for (size_t i = 0; i < ND_COUNT(switches); i++)
		if (switches[i].value == DOM_OFF)
			on &= ~switches[i].features;
	if (nic->ioeventfd == DOM_OFF)
		on |= VMM_NO_IOEVENTFD;
	if (nic->tx_mode == DOM_TX_TIMER)
		on |= VMM_TX_TIMER;
	if (nic->rss == DOM_ON)
		on |= VMM_RSS;
	if (nic->rss_hash_report == DOM_ON)
		on |= VMM_HASH_REPORT;
	if (nic->teaming == DOM_TEAMING_PERSISTENT)
		on |= VMM_STANDBY;
	return on;
}

void guest_nic_config(const struct dom_nic *nic, uint32_t mtu_bytes, struct vmm_nic *out)
{
	vmm_nic_init(out);
	snprintf(out->id, sizeof(out->id), "%s", nic->info.alias);
	out->mac = nic->mac;
	out->mtu_bytes = (uint16_t)(nic->mtu_bytes ? nic->mtu_bytes : mtu_bytes > 65535 ? 65535 : mtu_bytes);
	out->slot = nic->info.at.slot;
	out->link_up = nic->link != DOM_LINK_DOWN;
	out->n_queue_pairs = (uint8_t)(nic->queues ? nic->queues : 1);
	out->rx_queue_size = (uint16_t)nic->rx_queue_size;
	out->tx_queue_size = (uint16_t)nic->tx_queue_size;
	out->features = nic_features(nic);
}

static int set_text(char **to, const char *text, struct nd_error *err)
{
	char *copy = strdup(text);

	if (!copy)
		return nd_error_nomem(err);
	free(*to);
	*to = copy;
	return 0;
}

/* ---- devices of their own ---- */

int guest_nic_shape(struct netd *d, const struct dom_nic *nic, const struct bandwidth_def *want,
		    struct nd_error *err)
{
	ND_AUTO(plan_free) struct plan *p = plan_new();

	if (!p || compile_link_shape(want, nic->target, nic->type == DOM_NIC_DIRECT, p) < 0)
		return nd_error_nomem(err);
	return datapath_guest_shape(d->datapath, nic->target, p, err);
}

/* One tag is the port's own; of a trunk all keep theirs, but perhaps for the native one. */
static int vlans_of(const struct vlan_def *vlan, struct port_vlan **out, struct nd_error *err)
{
	*out = calloc(vlan->n_tags + 1, sizeof(**out));
	if (!*out)
		return nd_error_nomem(err);
	for (size_t i = 0; i < vlan->n_tags; i++) {
		const struct vlan_tag *tag = &vlan->tags[i];

		(*out)[i] = (struct port_vlan){
			.id = (uint16_t)tag->id, .native = !vlan->trunk || tag->native,
			.untagged = !vlan->trunk || tag->native == VLAN_NATIVE_UNTAGGED,
		};
	}
	return 0;
}

/* The addresses and routes of the host's end: given, or taken away. */
static int set_addresses(struct netd *d, const struct dom_nic *nic, bool take_away, struct nd_error *err)
{
	ND_AUTO(plan_free) struct plan *p = plan_new();

	if (!p || compile_link_addresses(nic, p) < 0)
		return nd_error_nomem(err);
	return take_away ? datapath_guest_addresses_remove(d->datapath, nic->target, p, err)
			 : datapath_guest_addresses_add(d->datapath, nic->target, p, err);
}

/* A TAP that somebody else has made and that stays: what it has is not taken for the guest's. */
static int open_device(struct netd *d, const struct dom_nic *nic, const struct guest_link *want, int *fds_out,
		       struct nd_error *err)
{
	ND_AUTO(plan_free) struct plan *p = plan_new();
	int r;

	if (!p || compile_link_addresses(nic, p) < 0)
		return nd_error_nomem(err);
	r = datapath_guest_tap_open(d->datapath, want, fds_out, err);
	return r < 0 ? r : datapath_guest_addresses_free(d->datapath, want->name, p, err);
}

/* A tag on a macvtap is its virtual function's. */
static int check_vf(struct netd *d, const struct dom_nic *nic, struct nd_error *err)
{
	int r = nic->type == DOM_NIC_DIRECT && nic->vlan.n_tags ? datapath_is_vf(d->datapath, nic->dev, err) : 1;

	return r != 0 ? r : xml_fail_at(err, "vlan", nic->vlan.line, ND_ERR_CONFIG_UNSUPPORTED, "'%s' is no virtual "
					"function (SR-IOV), which alone has a tag in passthrough", nic->dev);
}

static int make_device(struct netd *d, const struct guest *g, struct dom_nic *nic,
		       struct vmm_nic *out, struct nd_error *err)
{
	char alias[GUEST_ALIAS_SIZE], name[IFNAMSIZ] = "";
	bool direct = nic->type == DOM_NIC_DIRECT;
	struct guest_link want = {
		.name = nic->target ? nic->target : direct ? "macvtap%d" : "vnet%d", .alias = alias,
		.mac = nic->mac, .mtu_bytes = nic->mtu_bytes, .queues = nic->queues ? nic->queues : 1,
		.bridge = nic->type == DOM_NIC_BRIDGE ? nic->bridge : "",
		.isolated = nic->isolated == TRI_YES,
		.lower = nic->dev, .mode = dom_direct_mode_name(nic->mode),
		.device = nic->backend_tap, .down = guest_nic_has_profile(nic),
		.holds_vf = nic->mode == DOM_DIRECT_PASSTHROUGH || nic->virtualport.type == VIRTUALPORT_8021QBH,
		.has_vf_vlan = direct && nic->vlan.n_tags, .vf_vlan = nic->vlan.n_tags ? nic->vlan.tags[0].id : 0,
	};
	ND_AUTO(free) struct port_vlan *vlans = NULL;
	struct ovs_port ovs = { 0 };
	int r = check_vf(d, nic, err);

	r = r < 0 ? r : vlans_of(&nic->vlan, &vlans, err);
	guest_nic_alias(g, alias);
	if (r == 0 && !guest_nic_is_ovs(nic)) {
		want.vlans = vlans;
		want.n_vlans = nic->vlan.n_tags;
	} else if (r == 0) {
		r = guest_ovs_port(g, nic, &ovs, err);
		want.ovs = &ovs;
	}
	if (r < 0)
		return r;
	if (direct)
		r = datapath_guest_macvtap(d->datapath, &want, name, out->tap_fds, err);
	else if (nic->target_managed == TRI_NO)
		return open_device(d, nic, &want, out->tap_fds, err);
	else
		r = datapath_guest_tap(d->datapath, &want, name, out->tap_fds, err);
	free(ovs.trunks);
	return r < 0 ? r : set_text(&nic->target, name, err);
}

int guest_nic_make(struct netd *d, const struct guest *g, struct dom_nic *nic, struct vmm_nic *out,
		   struct nd_error *err)
{
	int r = make_device(d, g, nic, out, err);

	if (r < 0)
		return r;
	r = set_addresses(d, nic, false, err);
	if (r == 0 && nic->bandwidth.given)
		r = guest_nic_shape(d, nic, &nic->bandwidth, err);
	if (r < 0)
		(void)guest_nic_unmake(d, g, nic, NULL);	/* the error in hand says more */
	return r;
}

int guest_nic_unmake(struct netd *d, const struct guest *g, const struct dom_nic *nic,
		     struct nd_error *err)
{
	static const struct bandwidth_def no_limit;
	char alias[GUEST_ALIAS_SIZE];
	int r = 0, deleted;

	if (nic->type == DOM_NIC_NETWORK || !nic->target)
		return 0;
	if (nic->target_managed == TRI_NO) {	/* stays, as it was found */
		r = set_addresses(d, nic, true, err);
		return r == 0 && nic->bandwidth.given ? guest_nic_shape(d, nic, &no_limit, err) : r;
	}
	guest_nic_alias(g, alias);
	if (guest_nic_is_ovs(nic))
		r = guest_ovs_unplug(d, g, nic, err);
	deleted = nic->type == DOM_NIC_DIRECT
		  ? datapath_guest_macvtap_delete(d->datapath, nic->target, alias, nic->dev, err)
		  : datapath_guest_delete(d->datapath, nic->target, alias, r < 0 ? NULL : err);
	return r < 0 ? r : deleted;
}

int guest_nic_tune(const struct dom_nic *nic, const struct vmm_nic *out, struct nd_error *err)
{
	int r = 0;

	for (size_t i = 0; i < out->n_queue_pairs && nic->has_sndbuf && r == 0; i++)
		r = datapath_tap_set_sndbuf(out->tap_fds[i], nic->target, nic->sndbuf_bytes, err);
	if (r == 0 && nic->coalesce_rx_frames)
		r = datapath_tap_set_coalesce(nic->target, nic->coalesce_rx_frames, err);
	return r;
}

static bool names_device(const struct dom_def *def, const char *ifname)
{
	for (size_t i = 0; def && i < def->n_nics; i++)
		if (def->nics[i].target && nd_streq(def->nics[i].target, ifname))
			return true;
	return false;
}

static bool names_lower(void *arg, const char *ifname)
{
	const struct dom_def *def = arg;

	for (size_t i = 0; i < def->n_nics; i++)
		if (def->nics[i].type == DOM_NIC_DIRECT && nd_streq0(def->nics[i].dev, ifname))
			return true;
	return false;
}

void guest_nic_unmake_strays(struct netd *d, const struct guest *g, const struct dom_def *but)
{
	ND_AUTO(host_facts_free) struct host_facts *facts = NULL;
	struct nd_error err = { 0 };
	char alias[GUEST_ALIAS_SIZE];
	int r;

	guest_nic_alias(g, alias);
	if (datapath_vf_release_all(d->datapath, alias, but ? names_lower : NULL, (void *)but, &err) < 0)
		nd_log(LOG_ERR, g->name, "a virtual function does not have again what it had: %s", err.text);
	r = datapath_guest_macvtap_delete_unnamed(d->datapath, alias, &err);
	if (r == 0)
		r = datapath_facts(d->datapath, &facts, &err);
	for (size_t i = 0; r == 0 && i < facts->n_links; i++)
		if (nd_streq(facts->links[i].alias, alias) && !names_device(but, facts->links[i].name))
			r = datapath_guest_delete(d->datapath, facts->links[i].name, alias, &err);
	if (r == 0)
		r = guest_ovs_unplug_strays(d, g, but, &err);
	if (r < 0)
		nd_log(LOG_ERR, g->name, "a device may stay: %s", err.text);
}

/* ---- ports of networks ---- */

/* The descriptors are lent: each is duplicated. */
static int keep_fds(struct vmm_nic *out, const int *fds, size_t n, struct nd_error *err)
{
	for (size_t i = 0; i < n && i < VMM_QUEUE_PAIRS_MAX; i++) {
		out->tap_fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 0);
		if (out->tap_fds[i] < 0)
			return nd_error_sys(err, errno, "cannot keep a TAP's descriptor");
	}
	return 0;
}

static void plugged(void *arg, struct network *net, const struct port *port, const int *fds,
		    size_t n_fds, const struct nd_error *err)
{
	struct guest_plug *p = arg;
	struct nd_error failed = { 0 };
	int r = 0;

	if (err) {
		p->done(p->arg, err);
		return;
	}
	/* first, so that whatever fails now can be taken back */
	p->nic->portid = port->def->uuid;
	p->nic->has_portid = true;
	p->out->mtu_bytes = p->out->mtu_bytes ? p->out->mtu_bytes : (uint16_t)net->live->mtu_bytes;
	p->nic->bandwidth = port->def->bandwidth;	/* perhaps its portgroup's */
	p->nic->bandwidth.class_id = 0;
	r = set_text(&p->nic->target, port->ifname, &failed);
	if (r == 0 && net->live->bridge.name)
		r = set_text(&p->nic->bridge, net->live->bridge.name, &failed);
	if (r == 0)
		r = keep_fds(p->out, fds, n_fds, &failed);
	p->done(p->arg, r < 0 ? &failed : NULL);
}

/* The port's document, borrowing from the NIC: only copied. */
static struct port_def port_of(const struct guest *g, const struct dom_nic *nic)
{
	return (struct port_def){
		.owner_name = g->name, .owner_uuid = g->uuid, .has_owner_uuid = true,
		.group = nic->portgroup, .mac = nic->mac, .has_mac = true,
		.virtualport = nic->virtualport, .bandwidth = nic->bandwidth, .vlan = nic->vlan,
		.isolated = nic->isolated, .trust_guest_rx_filters = nic->trust_guest_rx_filters,
	};
}

static uint32_t network_mtu(const struct network *net)
{
	uint32_t mtu = network_current(net)->mtu_bytes;

	return mtu ? mtu : 1500;
}

int guest_nic_plug(struct guest_plug *p, const struct guest *g, struct nd_error *err)
{
	struct network *net = registry_by_name(&p->netd->networks, p->nic->network);
	struct port_def def = port_of(g, p->nic);
	struct plug_options opt = {
		.ifname = p->nic->target ? p->nic->target : "", .owner_uid = (uid_t)-1,
		.queues = p->nic->queues ? p->nic->queues : 1, .device = p->nic->backend_tap, .def = &def,
	};

	if (!net || !network_visible(net))
		return nd_error_set(err, ND_ERR_NO_NETWORK, "no network with matching name '%.300s'",
				    p->nic->network);
	if (p->nic->mtu_bytes && p->nic->mtu_bytes != network_mtu(net))
		return nd_error_set(err, ND_ERR_CONFIG_UNSUPPORTED, "<mtu>: ports of network '%s' have "
				    "its MTU, %u, not %u", net->name, network_mtu(net),
				    p->nic->mtu_bytes);
	return ports_plug(p->netd, net, &opt, plugged, p, err);
}

struct unplug {
	void (*done)(void *arg);
	void *arg;
};

static void unplugged(void *arg, struct network *net, const struct nd_error *err)
{
	struct unplug *u = arg;

	if (err && err->kind != ND_ERR_NO_NETWORK_PORT)
		nd_log(LOG_ERR, net->name, "a guest's port stays: %s", err->text);
	u->done(u->arg);
	free(u);
}

int guest_nic_unplug(struct netd *d, const struct guest *g, const struct dom_nic *nic,
		     void (*done)(void *arg), void *arg)
{
	struct network *net;
	struct nd_error err = { 0 };
	struct unplug *u;

	if (nic->type != DOM_NIC_NETWORK || !nic->has_portid)
		return 1;
	net = registry_by_name(&d->networks, nic->network);
	if (!net || !network_port(net, &nic->portid))
		return 1;	/* gone with its network */
	u = calloc(1, sizeof(*u));
	if (u) {
		*u = (struct unplug){ done, arg };
		if (ports_delete(d, net, &nic->portid, unplugged, u, &err) == 0)
			return 0;
		free(u);
	} else {
		nd_error_nomem(&err);
	}
	nd_log(LOG_ERR, g->name, "a port stays on network '%s': %s", nic->network, err.text);
	return 1;
}
