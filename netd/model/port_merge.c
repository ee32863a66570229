/* SPDX-License-Identifier: GPL-2.0-or-later */
/* port_merge.c -- what a guest's NIC gets from its network and portgroup */
#include <stdlib.h>
#include <string.h>

#include "netd/base/str.h"
#include "netd/model/elements.h"
#include "netd/model/port.h"

#define UNSUPPORTED ND_ERR_CONFIG_UNSUPPORTED

static int fail(struct nd_error *err, const struct net_def *net, enum nd_err kind,
		const char *sentence)
{
	return nd_error_set(err, kind, "network '%.200s': %s", net->name, sentence);
}

/* The group of that name, without a name the default one; else NULL. */
static const struct portgroup_def *group_named(const struct net_def *net, const char *name)
{
	for (size_t i = 0; i < net->n_portgroups; i++) {
		const struct portgroup_def *pg = &net->portgroups[i];

		if (name ? nd_streq(pg->name, name) : pg->is_default)
			return pg;
	}
	return NULL;
}

const struct bandwidth_def *net_def_group_bandwidth(const struct net_def *net, const char *group)
{
	const struct portgroup_def *pg = group_named(net, group);

	return pg && pg->bandwidth.given ? &pg->bandwidth : NULL;
}

static int find_group(const struct port_def *port, const struct net_def *net,
		      const struct portgroup_def **out, struct nd_error *err)
{
	*out = group_named(net, port->group);
	if (port->group && !*out)
		return nd_error_set(err, UNSUPPORTED, "network '%.200s' has no portgroup '%.200s'",
				    net->name, port->group);
	return 0;
}

static bool has_own_bridge(const struct net_def *net)
{
	return forward_mode_is_l3(net->forward.mode);
}

static bool names_bridge(const struct net_def *net)
{
	return net->forward.mode == FORWARD_BRIDGE && net->bridge.name;
}

static int merge_bandwidth(struct port_def *port, const struct net_def *net,
			   const struct portgroup_def *pg, struct nd_error *err)
{
	if (!port->bandwidth.given && pg)
		port->bandwidth = pg->bandwidth;
	if (!port->bandwidth.given)
		return 0;
	if (net->forward.mode == FORWARD_HOSTDEV)
		return fail(err, net, UNSUPPORTED, "<bandwidth> is not possible in mode 'hostdev'");
	if (port->bandwidth.in.floor && !has_own_bridge(net))
		return fail(err, net, ND_ERR_OPERATION_UNSUPPORTED,
			    "'floor' is only possible on networks whose bridge netd makes");
	if (port->bandwidth.in.floor && !net->bandwidth.in.given)
		return fail(err, net, ND_ERR_OPERATION_UNSUPPORTED,
			    "'floor' needs <bandwidth><inbound> in the network");
	return 0;
}

static int merge_vlan(struct port_def *port, const struct net_def *net,
		      const struct portgroup_def *pg, struct nd_error *err)
{
	const struct vlan_def *from = pg && pg->vlan.n_tags ? &pg->vlan : &net->vlan;
	enum forward_mode mode = net->forward.mode;

	if (!port->vlan.n_tags && from->n_tags &&
	    xml_elem_copy(&elem_vlan, &port->vlan, from) < 0)
		return nd_error_nomem(err);
	if (port->vlan.n_tags && mode != FORWARD_HOSTDEV && mode != FORWARD_PASSTHROUGH &&
	    !names_bridge(net))
		return fail(err, net, UNSUPPORTED, "its guests cannot have VLAN tags");
	return 0;
}

static int merge_uuid(struct nd_uuid *to, bool *has, const struct nd_uuid *from, bool from_has)
{
	if (!from_has)
		return 0;
	if (*has && !nd_uuid_equal(to, from))
		return -1;
	*to = *from;
	*has = true;
	return 0;
}

static int merge_number(uint32_t *to, bool *has, uint32_t from, bool from_has)
{
	if (!from_has)
		return 0;
	if (*has && *to != from)
		return -1;
	*to = from;
	*has = true;
	return 0;
}

/* Numbers of the three parameters of 802.1Qbg; the field that conflicts, or NULL. */
static const char *merge_qbg(struct virtualport_def *to, const struct virtualport_def *from)
{
	uint32_t manager = to->managerid, version = to->typeidversion;
	int manager_r = merge_number(&manager, &to->has_managerid, from->managerid,
				     from->has_managerid);
	int version_r = merge_number(&version, &to->has_typeidversion, from->typeidversion,
				     from->has_typeidversion);

	to->managerid = (uint8_t)manager;
	to->typeidversion = (uint8_t)version;
	if (manager_r < 0)
		return "managerid";
	if (version_r < 0)
		return "typeidversion";
	if (merge_number(&to->typeid, &to->has_typeid, from->typeid, from->has_typeid) < 0)
		return "typeid";
	return NULL;
}

/* Takes over what `to` lacks; two different values for one thing are an error. */
static int merge_virtualport(struct virtualport_def *to, const struct virtualport_def *from,
			     struct nd_error *err)
{
	const char *conflict = NULL;

	if (from->type == VIRTUALPORT_ABSENT)
		return 0;
	if (to->type <= VIRTUALPORT_UNTYPED)
		to->type = from->type;
	else if (from->type != VIRTUALPORT_UNTYPED && from->type != to->type)
		conflict = "type";
	if (!conflict)
		conflict = merge_qbg(to, from);
	if (!conflict && merge_uuid(&to->instanceid, &to->has_instanceid, &from->instanceid,
				    from->has_instanceid) < 0)
		conflict = "instanceid";
	if (!conflict && merge_uuid(&to->interfaceid, &to->has_interfaceid, &from->interfaceid,
				    from->has_interfaceid) < 0)
		conflict = "interfaceid";
	if (!conflict && to->profileid && from->profileid &&
	    !nd_streq(to->profileid, from->profileid))
		conflict = "profileid";
	if (conflict)
		return xml_fail_at(err, "virtualport", from->line, ND_ERR_XML,
				   "the port's '%s' is another one", conflict);
	if (!to->profileid && from->profileid) {
		to->profileid = strdup(from->profileid);
		return to->profileid ? 0 : nd_error_nomem(err);
	}
	return 0;
}

static int check_virtualport_mode(const struct virtualport_def *v, const struct net_def *net,
				  struct nd_error *err)
{
	bool is_8021 = v->type == VIRTUALPORT_8021QBG || v->type == VIRTUALPORT_8021QBH;

	if (has_own_bridge(net))
		return fail(err, net, UNSUPPORTED,
			    "<virtualport> is not possible on a bridge that netd makes");
	if (names_bridge(net) && v->type != VIRTUALPORT_OPENVSWITCH)
		return fail(err, net, UNSUPPORTED,
			    "only <virtualport type='openvswitch'> is possible on a bridge");
	if (!names_bridge(net) && !is_8021)
		return fail(err, net, UNSUPPORTED, "only <virtualport> of type 802.1Qbg or "
			    "802.1Qbh is possible on its devices");
	return 0;
}

static int complete_virtualport(struct virtualport_def *v, struct nd_error *err)
{
	const char *missing = virtualport_missing_parameter(v);

	if (v->type == VIRTUALPORT_UNTYPED)
		return nd_error_set(err, ND_ERR_XML, "<virtualport>: the type is missing");
	if (missing)
		return nd_error_set(err, ND_ERR_XML, "<virtualport>: the parameter '%s' is missing", missing);
	return virtualport_generate(v, err);
}

static int merge_virtualports(struct port_def *port, const struct net_def *net,
			      const struct portgroup_def *pg, struct nd_error *err)
{
	struct virtualport_def *v = &port->virtualport;
	const char *stray;
	int r = merge_virtualport(v, &net->virtualport, err);

	if (r == 0 && pg)
		r = merge_virtualport(v, &pg->virtualport, err);
	if (r < 0 || v->type == VIRTUALPORT_ABSENT)
		return r;
	r = v->type == VIRTUALPORT_UNTYPED ? 0 : check_virtualport_mode(v, net, err);
	if (r == 0)
		r = complete_virtualport(v, err);
	if (r < 0)
		return r;
	stray = virtualport_stray_parameter(v);
	if (stray)
		return nd_error_set(err, ND_ERR_XML,
				    "<virtualport>: its type does not have the parameter '%s'",
				    stray);
	return 0;
}

static int set_plug(struct port_def *port, const struct net_def *net, struct nd_error *err)
{
	if (!has_own_bridge(net) && !names_bridge(net))
		return 0;
	if (!net->bridge.name)
		return fail(err, net, ND_ERR_INTERNAL, "it has no bridge");
	free(port->plug_dev);
	port->plug_dev = strdup(net->bridge.name);
	if (!port->plug_dev)
		return nd_error_nomem(err);
	port->plug = has_own_bridge(net) ? PORT_PLUG_NETWORK : PORT_PLUG_BRIDGE;
	port->mac_table_manager = net->bridge.mac_table_manager;
	return 0;
}

int port_def_merge(struct port_def *port, const struct net_def *net, struct nd_error *err)
{
	const struct portgroup_def *pg;
	int r = find_group(port, net, &pg, err);

	if (r == 0)
		r = merge_bandwidth(port, net, pg, err);
	if (r == 0)
		r = merge_vlan(port, net, pg, err);
	if (r == 0)
		r = merge_virtualports(port, net, pg, err);
	if (r == 0)
		r = set_plug(port, net, err);
	if (r < 0)
		return r;
	if (!port->trust_guest_rx_filters && pg)
		port->trust_guest_rx_filters = pg->trust_guest_rx_filters;
	if (!port->trust_guest_rx_filters)
		port->trust_guest_rx_filters = net->trust_guest_rx_filters;
	if (!port->isolated)
		port->isolated = net->port_isolated;
	return 0;
}
