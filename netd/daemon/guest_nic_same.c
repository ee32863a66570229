/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest_nic_same.c -- what of a NIC cannot change while its guest runs */
#include <string.h>

#include "netd/base/str.h"
#include "netd/daemon/guest_nic.h"

static bool vlan_differs(const struct vlan_def *a, const struct vlan_def *b)
{
	bool differs = a->n_tags != b->n_tags || a->trunk != b->trunk;

	for (size_t i = 0; i < a->n_tags && !differs; i++)
		differs = a->tags[i].id != b->tags[i].id || a->tags[i].native != b->tags[i].native;
	return differs;
}

/* An id that a document does not have is made for it. */
static bool virtualport_differs(const struct virtualport_def *asked, const struct virtualport_def *is)
{
	return asked->type != is->type || !nd_streq0(asked->profileid, is->profileid) ||
	       asked->managerid != is->managerid || asked->typeid != is->typeid ||
	       asked->typeidversion != is->typeidversion ||
	       (asked->has_instanceid && !nd_uuid_equal(&asked->instanceid, &is->instanceid)) ||
	       (asked->has_interfaceid && !nd_uuid_equal(&asked->interfaceid, &is->interfaceid));
}

static bool driver_differs(const struct dom_nic *a, const struct dom_nic *b)
{
	return a->driver != b->driver || a->queues != b->queues || a->event_idx != b->event_idx ||
	       a->ioeventfd != b->ioeventfd || a->tx_mode != b->tx_mode || a->rss != b->rss ||
	       a->rss_hash_report != b->rss_hash_report || a->rx_queue_size != b->rx_queue_size ||
	       a->tx_queue_size != b->tx_queue_size || memcmp(&a->host, &b->host, sizeof(a->host)) != 0 ||
	       memcmp(&a->guest, &b->guest, sizeof(a->guest)) != 0;
}

static bool tune_differs(const struct dom_nic *a, const struct dom_nic *b)
{
	return a->has_sndbuf != b->has_sndbuf || a->sndbuf_bytes != b->sndbuf_bytes;
}

static bool addresses_differ(const struct dom_nic *a, const struct dom_nic *b)
{
	bool differs = a->n_ips != b->n_ips || a->n_routes != b->n_routes;

	for (size_t i = 0; !differs && i < a->n_ips; i++)
		differs = !nd_ip_equal(&a->ips[i].address, &b->ips[i].address) ||
			  !nd_ip_equal(&a->ips[i].peer, &b->ips[i].peer) ||
			  a->ips[i].prefix != b->ips[i].prefix;
	for (size_t i = 0; !differs && i < a->n_routes; i++)
		differs = !nd_ip_equal(&a->routes[i].address, &b->routes[i].address) ||
			  !nd_ip_equal(&a->routes[i].gateway, &b->routes[i].gateway) ||
			  route_def_prefix(&a->routes[i]).len != route_def_prefix(&b->routes[i]).len ||
			  a->routes[i].metric != b->routes[i].metric;
	return differs;
}

int guest_nic_check_same(const struct dom_nic *is, const struct dom_nic *asked, struct nd_error *err)
{
	const struct { const char *what; bool differs; } parts[] = {
		{ "type", is->type != asked->type },
		{ "source network", !nd_streq0(is->network, asked->network) },
		{ "source bridge", is->type == DOM_NIC_BRIDGE && !nd_streq0(is->bridge, asked->bridge) },
		{ "source device", !nd_streq0(is->dev, asked->dev) || is->mode != asked->mode },
		{ "portgroup", !nd_streq0(is->portgroup, asked->portgroup) },
		{ "driver", driver_differs(asked, is) },
		{ "backend", !nd_streq0(is->backend_tap, asked->backend_tap) ||
			     !nd_streq0(is->backend_vhost, asked->backend_vhost) },
		{ "script", !nd_streq0(is->script, asked->script) },
		{ "downscript", !nd_streq0(is->downscript, asked->downscript) },
		{ "addresses or routes", addresses_differ(is, asked) },
		{ "send buffer", tune_differs(is, asked) },
		{ "coalescing", asked->coalesce_rx_frames != is->coalesce_rx_frames },
		{ "teaming", asked->teaming != is->teaming },
		{ "mtu", asked->mtu_bytes != is->mtu_bytes },
		{ "isolation", asked->isolated != is->isolated },
		{ "vlan", vlan_differs(&asked->vlan, &is->vlan) },
		{ "virtualport", virtualport_differs(&asked->virtualport, &is->virtualport) },
	};

	for (size_t i = 0; i < ND_COUNT(parts); i++)
		if (parts[i].differs)
			return nd_error_set(err, ND_ERR_OPERATION_UNSUPPORTED,
					    "cannot modify network device %s while the guest runs",
					    parts[i].what);
	return 0;
}
