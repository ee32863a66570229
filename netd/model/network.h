/* SPDX-License-Identifier: GPL-2.0-or-later */
/* network.h -- one <network> document as data
 *
 * Everything is kept as the document gave it (netmask or prefix, letter case of MACs, absent or
 * explicit yes/no), so that printing gives the same document back. Nothing here touches the
 * kernel, files or the clock. Strings are owned by the struct; NULL means absent.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netd/base/addr.h"
#include "netd/base/auto.h"
#include "netd/base/error.h"

enum tristate { TRI_ABSENT = 0, TRI_YES, TRI_NO };

enum forward_mode {
	FORWARD_NONE = 0,	/* isolated: no <forward> */
	FORWARD_NAT,
	FORWARD_ROUTE,
	FORWARD_OPEN,
	FORWARD_BRIDGE,
	FORWARD_PRIVATE,
	FORWARD_VEPA,
	FORWARD_PASSTHROUGH,
	FORWARD_HOSTDEV,
	FORWARD_MODES
};

struct pci_address {
	uint32_t domain;
	uint8_t bus, slot, function;
};

struct forward_interface {
	char *dev;
	uint32_t connections;		/* output only */
	int line;
};

struct forward_address {
	struct pci_address pci;
	uint32_t connections;		/* output only */
	int line;
};

struct forward {
	enum forward_mode mode;
	bool managed;
	char *driver_name, *driver_model;		/* kvm, vfio, xen */
	struct forward_interface *interfaces;		/* the first mirrors forward/@dev */
	size_t n_interfaces;
	struct forward_address *addresses;
	size_t n_addresses;
	char *pf_dev;
	int pf_line;
	bool has_nat;					/* <nat> says something */
	enum tristate nat_ipv6;
	struct nd_ip nat_addr_start, nat_addr_end;	/* family 0: none */
	uint16_t nat_port_start, nat_port_end;		/* 0: none */
	int line;
};

enum mac_table_manager { MAC_TABLE_ABSENT, MAC_TABLE_KERNEL, MAC_TABLE_LIBVIRT };

struct bridge_def {
	char *name, *zone;
	bool stp_off;
	uint32_t delay_s;
	enum mac_table_manager mac_table_manager;
	int line;
};

struct domain_def {
	char *name;			/* NULL: no <domain> */
	enum tristate local_only, register_;
	int line;
};

struct dns_forwarder {
	struct nd_ip addr;		/* family 0: none */
	char *domain;
	uint16_t port;			/* 0: 53 */
	int line;
};

struct dns_txt {
	char *name, *value;
	int line;
};

struct dns_srv {
	char *service, *protocol, *domain, *target;
	uint16_t port, priority, weight;
	int line;
};

struct dns_host {
	struct nd_ip ip;
	char **names;
	size_t n_names;
	int line;
};

struct dns_def {
	enum tristate enable, forward_plain_names;
	struct dns_forwarder *forwarders;
	size_t n_forwarders;
	struct dns_txt *txts;
	size_t n_txts;
	struct dns_srv *srvs;
	size_t n_srvs;
	struct dns_host *hosts;
	size_t n_hosts;
	int line;
};

struct lease_time {
	bool given;
	uint64_t expiry;		/* in unit; 0: infinite */
	enum { LEASE_UNIT_MINUTES, LEASE_UNIT_SECONDS, LEASE_UNIT_HOURS } unit;
};

/* The lease time in seconds; 0 when infinite. Only where given. */
uint64_t lease_time_s(const struct lease_time *t);

struct dhcp_range {
	struct nd_ip start, end;
	struct lease_time lease;
	int line;
};

struct dhcp_host {
	char *mac;			/* as typed; valid */
	char *id;			/* DUID or client-id, hex and ':' */
	char *name;
	struct nd_ip ip;
	struct lease_time lease;
	int line;
};

struct ip_def {
	char *family;			/* as given: NULL, "ipv4", "ipv6" */
	struct nd_ip address;
	struct nd_ip netmask;		/* family 0: not given */
	int prefix;			/* as given; -1: not given */
	enum tristate local_ptr;
	char *tftp_root;
	int tftp_line, dhcp_line;
	struct dhcp_range *ranges;
	size_t n_ranges;
	struct dhcp_host *hosts;
	size_t n_hosts;
	char *bootp_file;		/* NULL: no bootp */
	struct nd_ip bootp_server;
	int line;
};

/* Prefix length in force, defaults applied (class for IPv4, 64 for IPv6). */
struct nd_prefix ip_def_prefix(const struct ip_def *ip);
bool ip_def_has_dhcp(const struct ip_def *ip);

struct route_def {
	char *family;
	struct nd_ip address, netmask, gateway;
	int prefix;			/* -1: not given */
	uint32_t metric;		/* 0: not given */
	int line;
};

struct nd_prefix route_def_prefix(const struct route_def *r);

struct vlan_tag {
	uint16_t id;			/* 0 to 4095 */
	enum { VLAN_NATIVE_NONE, VLAN_NATIVE_TAGGED, VLAN_NATIVE_UNTAGGED } native;
};

struct vlan_def {
	struct vlan_tag *tags;		/* n_tags 0: no <vlan> */
	size_t n_tags;
	bool trunk;
	int line;
};

enum virtualport_type {
	VIRTUALPORT_ABSENT = 0,		/* no <virtualport> */
	VIRTUALPORT_UNTYPED,
	VIRTUALPORT_8021QBG,
	VIRTUALPORT_8021QBH,
	VIRTUALPORT_OPENVSWITCH,
	VIRTUALPORT_MIDONET,
};

struct virtualport_def {
	enum virtualport_type type;
	bool has_managerid, has_typeid, has_typeidversion, has_instanceid, has_interfaceid;
	uint8_t managerid, typeidversion;
	uint32_t typeid;
	struct nd_uuid instanceid, interfaceid;
	char *profileid;
	int line;
};

struct bandwidth_rate {
	bool given;
	uint64_t average, peak, floor;	/* kilobytes (1000) a second; 0: absent */
	uint64_t burst;			/* KiB; 0: absent */
};

struct bandwidth_def {
	bool given;
	struct bandwidth_rate in, out;	/* seen from the guest */
	uint32_t class_id;		/* port documents only; 0: none */
	int line;
};

/* After its numbers were set one by one: says in `given` what there is, drops what says nothing and
 * refuses what a document may not say. */
int bandwidth_def_complete(struct bandwidth_def *b, struct nd_error *err);
/* Same limits, whatever the class. */
bool bandwidth_def_equal(const struct bandwidth_def *a, const struct bandwidth_def *b);

struct portgroup_def {
	char *name;
	bool is_default;
	enum tristate trust_guest_rx_filters;
	struct virtualport_def virtualport;
	struct bandwidth_def bandwidth;
	struct vlan_def vlan;
	int line;
};

struct dnsmasq_option {
	char *value;
	int line;
};

struct net_def {
	char *name;
	struct nd_uuid uuid;
	bool has_uuid;			/* the document gave one (or it was generated since) */
	uint32_t connections;		/* output only */
	enum tristate ipv6, trust_guest_rx_filters;
	char *title, *description;
	char *metadata;			/* the <metadata> element as text, NULL: none */
	struct forward forward;
	struct bridge_def bridge;
	uint32_t mtu_bytes;		/* 0: not given */
	struct nd_mac mac;
	bool has_mac;
	int mtu_line, mac_line, port_line;
	struct domain_def domain;
	struct dns_def dns;
	struct vlan_def vlan;
	struct bandwidth_def bandwidth;
	enum tristate port_isolated;
	struct ip_def *ips;
	size_t n_ips;
	struct route_def *routes;
	size_t n_routes;
	struct virtualport_def virtualport;
	struct portgroup_def *portgroups;
	size_t n_portgroups;
	struct dnsmasq_option *dnsmasq_options;
	size_t n_dnsmasq_options;
	int line;
	/* What the parse ignored (unknown elements and attributes, repeated elements), each a
	 * sentence with element and line, for the log. Not copied, not printed. */
	char **warnings;
	size_t n_warnings;
};

void net_def_free(struct net_def *def);		/* NULL is fine */
ND_DEFINE_AUTO(struct net_def *, net_def_free)

/* Modes whose bridge is netd's own: isolated, nat, route, open. */
bool forward_mode_is_l3(enum forward_mode mode);
const char *forward_mode_name(enum forward_mode mode);		/* "nat"...; NULL for isolated */

/* What is parsed. A client's document is four times smaller at most (the RPC layer sees to that);
 * printing may make it longer again, and what was accepted must be readable at the next start. */
#define NET_XML_MAX_BYTES (16 * 1024 * 1024)

/*
 * Parses a document: the parser layer of libvirt (bounded size and depth, no entities, no
 * network access). Errors name element and line.
 */
int net_def_parse(const char *xml, size_t len, struct net_def **out, struct nd_error *err);

/* Checks against network.rng in schema_dir (ND_ERR_XML_INVALID_SCHEMA): for clients who ask for
 * it, before net_def_parse(). */
int net_def_validate_schema(const char *xml, size_t len, const char *schema_dir,
			    struct nd_error *err);

/* The driver validation that libvirt runs on define and create (not on load from disk). */
int net_def_validate(const struct net_def *def, struct nd_error *err);

enum {
	NET_FORMAT_INACTIVE = 1 << 0,	/* no connections counters */
};

/* The document in libvirt's element order and layout; caller frees. NULL: out of memory. */
char *net_def_format(const struct net_def *def, unsigned flags);

/* Deep copy; NULL: out of memory. */
struct net_def *net_def_copy(const struct net_def *def);

/* Same content; lines, warnings and connection counters do not count. */
bool net_def_equal(const struct net_def *a, const struct net_def *b);

/*
 * What define and create generate where the document has none: uuid, mac (L3 modes). The bridge
 * name is chosen by the caller, who knows what is taken: see net_def_bridge_template().
 */
int net_def_generate(struct net_def *def, struct nd_error *err);

/* The template for the bridge name ("virbr%d", or the document's own with a %d in it), or NULL
 * when the document names its bridge or the mode has none. Borrowed. */
const char *net_def_bridge_template(const struct net_def *def);
