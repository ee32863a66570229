/* SPDX-License-Identifier: GPL-2.0-or-later */
/* domain_nic.c -- the <interface> of a domain: its table, and what each type of it may say */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "netd/model/domain_elements.h"
#include "netd/model/nwfilter_attrs.h"

/* What a bridge takes (IEEE 802.1Q 9.6). */
enum { VLAN_FIRST = 1, VLAN_LAST = 4094 };

DOM_ONLY(virtio_names, "virtio");

static const char *const nic_types[] = { NULL, "network", "bridge", "direct", "ethernet" };
static const char *const direct_modes[] = { NULL, "vepa", "bridge", "private", "passthrough" };
static const char *const link_states[] = { NULL, "up", "down" };
static const char *const teaming_types[] = { NULL, "persistent", "transient" };

#define NIC(field_) XML_FIELD(struct dom_nic, field_)

static const struct xml_attr mac_attrs[] = {
	{ .name = "address", .kind = XML_MAC, NIC(mac), XML_HAS(struct dom_nic, has_mac),
	  .required = true },
};

static int mac_check(struct xml_in *in, const xmlNode *node, void *self)
{
	const struct dom_nic *nic = self;
	char text[ND_MAC_STRLEN];

	if (nd_mac_is_multicast(&nic->mac) || nd_mac_is_zero(&nic->mac))
		return xml_fail(in, node, ND_ERR_XML, "expected unicast mac address, found '%s'",
				nd_mac_format(&nic->mac, text));
	return 0;
}

static const struct xml_elem mac_elem = {
	.name = "mac", .size = sizeof(struct dom_nic), XML_ATTRS(mac_attrs), .check = mac_check,
};

/* Of a network's port the bridge is told while the guest runs. */
static void format_bridge(struct xml_out *out, const void *self)
{
	const struct dom_nic *nic = self;

	if (nic->bridge && (nic->type == DOM_NIC_BRIDGE || !(out->flags & NET_FORMAT_INACTIVE)))
		xml_out_attr(out, "bridge", nic->bridge);
}

static const struct xml_attr nic_source_attrs[] = {
	{ .name = "network", .kind = XML_STR, NIC(network) },
	{ .name = "portgroup", .kind = XML_STR, NIC(portgroup) },
	{ .name = "portid", .kind = XML_UUID, NIC(portid), XML_HAS(struct dom_nic, has_portid),
	  .output_only = true },
	{ .name = "bridge", .kind = XML_STR, NIC(bridge), .format = format_bridge },
	{ .name = "dev", .kind = XML_STR, NIC(dev) },
	{ .name = "mode", .kind = XML_ENUM, NIC(mode), XML_NAMES(direct_modes) },
};

static bool is_multicast(const struct nd_ip *ip)
{
	return ip->family == AF_INET ? IN_MULTICAST(ntohl(ip->v4.s_addr))
	       : ip->family == AF_INET6 && IN6_IS_ADDR_MULTICAST(&ip->v6);
}

static int host_ip_check(struct xml_in *in, const xmlNode *node, void *self)
{
	const struct dom_ip *ip = self;
	bool v6 = ip->address.family == AF_INET6;
	ND_AUTO(free) char *family = xml_prop(node, "family");

	if (family && !nd_streq(family, v6 ? "ipv6" : "ipv4"))
		return xml_fail(in, node, ND_ERR_XML, "family '%.100s' is not that of the address", family);
	if (ip->prefix > (v6 ? 128 : 32))
		return xml_fail(in, node, ND_ERR_XML, "prefix %d is above %d", ip->prefix, v6 ? 128 : 32);
	if (ip->peer.family && ip->peer.family != ip->address.family)
		return xml_fail(in, node, ND_ERR_XML, "address and peer are not of one family");
	if (is_multicast(&ip->address) || is_multicast(&ip->peer))
		return xml_fail(in, node, ND_ERR_XML, "a multicast address is no device's");
	return 0;
}

static void host_ip_init(void *self)
{
	((struct dom_ip *)self)->prefix = -1;
}

/* As libvirt prints it, given or not. */
static void format_family(struct xml_out *out, const void *self)
{
	xml_out_attr(out, "family", ((const struct dom_ip *)self)->address.family == AF_INET6 ? "ipv6" : "ipv4");
}

static const struct xml_attr host_ip_attrs[] = {
	{ .name = "address", .kind = XML_IP, XML_FIELD(struct dom_ip, address), .required = true },
	{ .name = "family", .kind = XML_HOOK, .format = format_family },
	{ .name = "prefix", .kind = XML_PREFIX, XML_FIELD(struct dom_ip, prefix) },
	{ .name = "peer", .kind = XML_IP, XML_FIELD(struct dom_ip, peer) },
};

static const struct xml_elem host_ip_elem = {
	.name = "ip", .size = sizeof(struct dom_ip), XML_ATTRS(host_ip_attrs),
	.init = host_ip_init, .check = host_ip_check,
};

/* Of the host's end of a TAP that is on no switch. */
static const struct xml_child nic_source_children[] = {
	{ .elem = &host_ip_elem, XML_ARRAY(struct dom_nic, ips, n_ips) },
	{ .elem = &elem_route, XML_ARRAY(struct dom_nic, routes, n_routes) },
};

static const struct xml_elem nic_source_elem = {
	.name = "source", .size = sizeof(struct dom_nic), XML_ATTRS(nic_source_attrs),
	XML_CHILDREN(nic_source_children),
};

static int check_path(struct xml_in *in, const xmlNode *node, const char *path)
{
	return path[0] == '/' ? 0 : xml_fail(in, node, ND_ERR_XML, "'%.300s' is not an absolute path", path);
}

static const struct xml_attr script_attrs[] = {
	{ .name = "path", .kind = XML_STR, NIC(script), .required = true },
};

static int script_check(struct xml_in *in, const xmlNode *node, void *self)
{
	return check_path(in, node, ((const struct dom_nic *)self)->script);
}

static const struct xml_elem script_elem = {
	.name = "script", .size = sizeof(struct dom_nic), XML_ATTRS(script_attrs), .check = script_check,
};

static const struct xml_attr downscript_attrs[] = {
	{ .name = "path", .kind = XML_STR, NIC(downscript), .required = true },
};

static int downscript_check(struct xml_in *in, const xmlNode *node, void *self)
{
	return check_path(in, node, ((const struct dom_nic *)self)->downscript);
}

static const struct xml_elem downscript_elem = {
	.name = "downscript", .size = sizeof(struct dom_nic), XML_ATTRS(downscript_attrs),
	.check = downscript_check,
};

/* Names that netd gives itself. */
static bool is_given(const char *name)
{
	return strncmp(name, "vnet", 4) == 0 || strncmp(name, "macvtap", 7) == 0;
}

static int target_check(struct xml_in *in, const xmlNode *node, void *self)
{
	struct dom_nic *nic = self;

	if (strlen(nic->target) >= 16)
		return xml_fail(in, node, ND_ERR_XML, "dev '%.64s' is longer than 15 characters",
				nic->target);
	for (const char *c = nic->target; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("._-+@", *c))
			return xml_fail(in, node, ND_ERR_XML, "dev '%s' has characters other than "
					"letters, digits and . _ - + @", nic->target);
	if (nd_streq(nic->target, ".") || nd_streq(nic->target, ".."))
		return xml_fail(in, node, ND_ERR_XML, "dev '%s' is no name of a device", nic->target);
	if (!in->live && nic->target_managed != TRI_NO && is_given(nic->target)) {
		free(nic->target);
		nic->target = NULL;
	}
	return 0;
}

static void format_target(struct xml_out *out, const void *self)
{
	const struct dom_nic *nic = self;

	if (nic->target && (!(out->flags & NET_FORMAT_INACTIVE) ||
			    nic->target_managed == TRI_NO || !is_given(nic->target)))
		xml_out_attr(out, "dev", nic->target);
}

static const struct xml_attr nic_target_attrs[] = {
	{ .name = "dev", .kind = XML_STR, NIC(target), .required = true, .format = format_target },
	{ .name = "managed", .kind = XML_TRI, NIC(target_managed) },
};

static const struct xml_elem nic_target_elem = {
	.name = "target", .size = sizeof(struct dom_nic), XML_ATTRS(nic_target_attrs),
	.check = target_check,
};

static const struct xml_attr model_attrs[] = {
	{ .name = "type", .kind = XML_ENUM, NIC(model), XML_NAMES(virtio_names), .required = true,
	  .err = ND_ERR_CONFIG_UNSUPPORTED },
};

static const struct xml_elem model_elem = {
	.name = "model", .size = sizeof(struct dom_nic), XML_ATTRS(model_attrs),
};

/* The transient one is the NIC that comes and goes; the persistent one, that stays, is named by it. */
static const struct xml_attr teaming_attrs[] = {
	{ .name = "type", .kind = XML_ENUM, NIC(teaming), XML_NAMES(teaming_types), .required = true },
	{ .name = "persistent", .kind = XML_HOOK },
};

static int teaming_check(struct xml_in *in, const xmlNode *node, void *self)
{
	const struct dom_nic *nic = self;

	if (nic->teaming == DOM_TEAMING_TRANSIENT)
		return xml_fail(in, node, ND_ERR_CONFIG_UNSUPPORTED, "type 'transient' is for a host's device "
				"that is given to the guest (type 'hostdev'), which there is not here");
	if (xmlHasProp(node, BAD_CAST "persistent"))
		return xml_fail(in, node, ND_ERR_CONFIG_UNSUPPORTED,
				"attribute 'persistent' is for type 'transient', which names the persistent one by it");
	return 0;
}

static const struct xml_elem teaming_elem = {
	.name = "teaming", .size = sizeof(struct dom_nic), XML_ATTRS(teaming_attrs),
	.check = teaming_check,
};

static const struct xml_attr link_attrs[] = {
	{ .name = "state", .kind = XML_ENUM, NIC(link), XML_NAMES(link_states), .required = true },
};

static const struct xml_elem link_elem = {
	.name = "link", .size = sizeof(struct dom_nic), XML_ATTRS(link_attrs),
};

/* 68: the least that IPv4 allows (RFC 791); the most that virtio-net tells a guest. */
static const struct xml_attr mtu_attrs[] = {
	{ .name = "size", .kind = XML_UINT, NIC(mtu_bytes), .min = 68, .max = 65535,
	  .required = true },
};

static bool mtu_present(const struct xml_out *out, const void *self)
{
	return ((const struct dom_nic *)self)->mtu_bytes != 0;
}

static const struct xml_elem mtu_elem = {
	.name = "mtu", .size = sizeof(struct dom_nic), XML_ATTRS(mtu_attrs),
	.present = mtu_present,
};

static const struct xml_attr port_attrs[] = {
	{ .name = "isolated", .kind = XML_TRI, NIC(isolated) },
};

static const struct xml_elem port_elem = {
	.name = "port", .size = sizeof(struct dom_nic), XML_ATTRS(port_attrs),
};

static const struct xml_attr nic_attrs[] = {
	{ .name = "type", .kind = XML_ENUM, NIC(type), XML_NAMES(nic_types), .required = true,
	  .err = ND_ERR_CONFIG_UNSUPPORTED },
	{ .name = "trustGuestRxFilters", .kind = XML_TRI, NIC(trust_guest_rx_filters) },
};

#define AT(field_) .at = offsetof(struct dom_nic, field_)
static const struct xml_child nic_children[] = {
	{ .elem = &mac_elem },
	{ .elem = &nic_source_elem },
	{ .elem = &elem_vlan, AT(vlan) },
	{ .elem = &elem_virtualport, AT(virtualport) },
	{ .elem = &elem_port_bandwidth, AT(bandwidth) },
	{ .elem = &port_elem },
	{ .elem = &script_elem },
	{ .elem = &downscript_elem },
	{ .elem = &nic_target_elem },
	{ .elem = &model_elem },
	{ .elem = &elem_dom_nic_driver },
	{ .elem = &elem_dom_nic_backend },
	{ .elem = &elem_nwfilter_ref, AT(filter) },
	{ .elem = &elem_dom_nic_tune },
	{ .elem = &teaming_elem },
	{ .elem = &link_elem },
	{ .elem = &mtu_elem },
	{ .elem = &elem_dom_nic_coalesce },
	DOM_INFO_CHILDREN(struct dom_nic),
};
#undef AT

static int stray_source(struct xml_in *in, const xmlNode *node, const struct dom_nic *nic,
			const char *attr)
{
	return xml_fail(in, node, ND_ERR_XML, "a source with '%s' is not for type '%s'", attr,
			nic_types[nic->type]);
}

static int check_source(struct xml_in *in, const xmlNode *node, const struct dom_nic *nic)
{
	const struct { enum dom_nic_type type; const char *name; const char *value; } needs[] = {
		{ DOM_NIC_NETWORK, "network", nic->network },
		{ DOM_NIC_BRIDGE, "bridge", nic->bridge },
		{ DOM_NIC_DIRECT, "dev", nic->dev },
	};

	for (size_t i = 0; i < ND_COUNT(needs); i++) {
		if (nic->type == needs[i].type && !needs[i].value)
			return xml_fail(in, node, ND_ERR_XML, "it has no <source> with a '%s'",
					needs[i].name);
		if (nic->type != needs[i].type && needs[i].value &&
		    !(nic->type == DOM_NIC_NETWORK && needs[i].value == nic->bridge))
			return stray_source(in, node, nic, needs[i].name);
	}
	if (nic->portgroup && nic->type != DOM_NIC_NETWORK)
		return stray_source(in, node, nic, "portgroup");
	if (nic->mode && nic->type != DOM_NIC_DIRECT)
		return stray_source(in, node, nic, "mode");
	if ((nic->n_ips || nic->n_routes) && nic->type != DOM_NIC_ETHERNET)
		return stray_source(in, node, nic, nic->n_ips ? "<ip>" : "<route>");
	return 0;
}

/* A macvtap: what the device below, and the switch that this leads to, cannot do. */
static int check_direct(struct xml_in *in, const struct dom_nic *nic)
{
	const struct virtualport_def *v = &nic->virtualport;
	const struct vlan_def *vlan = &nic->vlan;
	const char *missing = virtualport_missing_parameter(v);

	if (v->type && v->type != VIRTUALPORT_8021QBG && v->type != VIRTUALPORT_8021QBH)
		return xml_fail_at(in->err, "virtualport", v->line, ND_ERR_CONFIG_UNSUPPORTED,
				   "for type 'direct' its type must be 802.1Qbg or 802.1Qbh");
	if (missing)
		return xml_fail_at(in->err, "virtualport", v->line, ND_ERR_XML, "the parameter '%s' is missing",
				   missing);
	if (!vlan->n_tags)
		return 0;
	if (nic->mode != DOM_DIRECT_PASSTHROUGH)
		return xml_fail_at(in->err, "vlan", vlan->line, ND_ERR_CONFIG_UNSUPPORTED,
				   "type 'direct' has it only in mode 'passthrough'");
	if (vlan->n_tags > 1 || vlan->trunk)
		return xml_fail_at(in->err, "vlan", vlan->line, ND_ERR_CONFIG_UNSUPPORTED,
				   "a virtual function has one tag, and no trunk");
	if (v->type == VIRTUALPORT_8021QBH)
		return xml_fail_at(in->err, "vlan", vlan->line, ND_ERR_CONFIG_UNSUPPORTED,
				   "with <virtualport type='802.1Qbh'> it is the switch's profile that says the VLAN");
	return 0;
}

/* What the switch behind the NIC cannot do. Of type network, it is the network's ports that tell. */
static int check_switch(struct xml_in *in, const xmlNode *node, const struct dom_nic *nic)
{
	const char *type = nic_types[nic->type];
	bool own = nic->type == DOM_NIC_ETHERNET;
	bool ovs = nic->virtualport.type == VIRTUALPORT_OPENVSWITCH;

	if (nic->type == DOM_NIC_DIRECT)
		return check_direct(in, nic);
	if (nic->vlan.n_tags && own)
		return xml_fail(in, node, ND_ERR_CONFIG_UNSUPPORTED, "<vlan> is not supported for type '%s'",
				type);
	if (nic->virtualport.type && own)
		return xml_fail(in, node, ND_ERR_CONFIG_UNSUPPORTED,
				"<virtualport> is not supported for type '%s'", type);
	if (nic->type != DOM_NIC_BRIDGE)
		return 0;
	if (nic->virtualport.type && !ovs)
		return xml_fail(in, node, ND_ERR_CONFIG_UNSUPPORTED,
				"only <virtualport type='openvswitch'> is supported for type 'bridge'");
	if (ovs && nic->isolated == TRI_YES)
		return xml_fail(in, node, ND_ERR_CONFIG_UNSUPPORTED,
				"<port isolated='yes'> is not possible on Open vSwitch's bridges");
	for (size_t i = 0; i < nic->vlan.n_tags && !ovs; i++)
		if (nic->vlan.tags[i].id < VLAN_FIRST || nic->vlan.tags[i].id > VLAN_LAST)
			return xml_fail(in, node, ND_ERR_CONFIG_UNSUPPORTED,
					"<vlan>: on a bridge a tag is %d to %d, not %u", VLAN_FIRST, VLAN_LAST,
					nic->vlan.tags[i].id);
	return 0;
}

/* What the kind of device behind the NIC cannot do. */
static int check_means(struct xml_in *in, const xmlNode *node, const struct dom_nic *nic)
{
	const char *type = nic_types[nic->type];

	if (nic->bandwidth.class_id)
		return xml_fail(in, node, ND_ERR_XML_DETAIL, "'classID' belongs to a port");
	if (nic->bandwidth.in.floor && nic->type != DOM_NIC_NETWORK)
		return xml_fail(in, node, ND_ERR_CONFIG_UNSUPPORTED,
				"'floor' is only possible for type 'network'");
	if (nic->target_managed && nic->type != DOM_NIC_ETHERNET)
		return xml_fail(in, node, ND_ERR_XML, "a target with 'managed' is not for type '%s'",
				type);
	if (nic->isolated == TRI_YES && nic->type != DOM_NIC_NETWORK && nic->type != DOM_NIC_BRIDGE)
		return xml_fail(in, node, ND_ERR_CONFIG_UNSUPPORTED,
				"<port isolated='yes'/> is not supported for type '%s'", type);
	if (nic->coalesce_rx_frames && (nic->type == DOM_NIC_DIRECT || nic->target_managed == TRI_NO))
		return xml_fail(in, node, ND_ERR_CONFIG_UNSUPPORTED,
				"<coalesce> is only possible for a TAP that is made for the guest");
	if ((nic->script || nic->downscript) && nic->type != DOM_NIC_ETHERNET)
		return xml_fail(in, node, ND_ERR_CONFIG_UNSUPPORTED, "<%s> is not supported for type '%s'",
				nic->script ? "script" : "downscript", type);
	if (nic->filter.filter && (nic->type == DOM_NIC_DIRECT || nic->virtualport.type == VIRTUALPORT_OPENVSWITCH))
		return xml_fail(in, node, ND_ERR_CONFIG_UNSUPPORTED,
				"<filterref> is only possible on a bridge of the kernel's, where frames are judged");
	if (nic->backend_tap && nic->type == DOM_NIC_DIRECT)
		return xml_fail(in, node, ND_ERR_CONFIG_UNSUPPORTED,
				"<backend tap> is not possible for type 'direct': a macvtap has a device of its own");
	return check_switch(in, node, nic);
}

static int nic_check(struct xml_in *in, const xmlNode *node, void *self)
{
	struct dom_nic *nic = self;
	int r;

	if (nic->type == DOM_NIC_NETWORK && !in->live) {
		free(nic->bridge);	/* what it was while it ran */
		nic->bridge = NULL;
	}
	r = check_source(in, node, nic);
	if (r == 0)
		r = check_means(in, node, nic);
	if (nic->type == DOM_NIC_DIRECT && !nic->mode)
		nic->mode = DOM_DIRECT_VEPA;
	nic->model = 1;
	return r;
}

const struct xml_elem elem_dom_nic = {
	.name = "interface", .size = sizeof(struct dom_nic),
	.line_at = offsetof(struct dom_nic, line),
	XML_ATTRS(nic_attrs), XML_CHILDREN(nic_children), .check = nic_check,
};

const char *dom_direct_mode_name(enum dom_direct_mode mode)
{
	return direct_modes[mode ? mode : DOM_DIRECT_VEPA];
}

struct nd_prefix dom_ip_prefix(const struct dom_ip *ip)
{
	struct ip_def as_network = { .address = ip->address, .prefix = ip->prefix };

	return ip_def_prefix(&as_network);
}
