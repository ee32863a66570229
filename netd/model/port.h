/* SPDX-License-Identifier: GPL-2.0-or-later */
/* port.h -- one <networkport> document: a guest's NIC plugged into a network */
#pragma once
#include "netd/model/network.h"

enum port_plug {
	PORT_PLUG_NONE = 0,
	PORT_PLUG_NETWORK,
	PORT_PLUG_BRIDGE,
	PORT_PLUG_DIRECT,
	PORT_PLUG_HOSTDEV,
};

struct port_def {
	struct nd_uuid uuid;
	char *owner_name;
	struct nd_uuid owner_uuid;
	bool has_uuid, has_owner_uuid, has_mac;		/* always, in a parsed one */
	char *group;
	struct nd_mac mac;
	struct virtualport_def virtualport;
	struct bandwidth_def bandwidth;
	struct vlan_def vlan;
	enum tristate isolated;
	enum tristate trust_guest_rx_filters;
	enum port_plug plug;
	char *plug_dev;			/* bridge (network, bridge) or device (direct) */
	enum mac_table_manager mac_table_manager;
	char *direct_mode;		/* bridge, private, vepa, passthrough */
	bool hostdev_managed;
	char *hostdev_driver, *hostdev_driver_model;
	struct pci_address hostdev;
	int line;
	char **warnings;		/* as struct net_def's */
	size_t n_warnings;
};

void port_def_free(struct port_def *port);
ND_DEFINE_AUTO(struct port_def *, port_def_free)

int port_def_parse(const char *xml, size_t len, struct port_def **out, struct nd_error *err);

/* Checks against networkport.rng in schema_dir (ND_ERR_XML_INVALID_SCHEMA). */
int port_def_validate_schema(const char *xml, size_t len, const char *schema_dir,
			     struct nd_error *err);

/* The document in libvirt's layout; caller frees. NULL: out of memory. */
char *port_def_format(const struct port_def *port);

/* Deep copy; NULL: out of memory. */
struct port_def *port_def_copy(const struct port_def *port);

/* Of the network's portgroup of that name, or, without a name, of its default one; NULL: none. */
const struct bandwidth_def *net_def_group_bandwidth(const struct net_def *net, const char *group);

/*
 * Fills a new port from its network: portgroup, bandwidth, vlan, virtualport, isolated, rx
 * filters, as libvirt merges them, and generates the ids that its virtualport lacks. Then the
 * plug, for L3 and bridge-name networks; networks with a pool of devices leave PORT_PLUG_NONE to
 * the caller. An unknown group is an error (ND_ERR_CONFIG_UNSUPPORTED; libvirt ignores it).
 * Not for ports that are announced again with their plug: those are as they were made.
 */
int port_def_merge(struct port_def *port, const struct net_def *net, struct nd_error *err);
