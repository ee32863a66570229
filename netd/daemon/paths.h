/* SPDX-License-Identifier: GPL-2.0-or-later */
/* paths.h -- where everything of one netd instance lives
 *
 * With a root every path is below it, so that several instances run side by side.
 */
#pragma once
#include "netd/base/error.h"

struct paths {
	char *config_file;	/* etc/netd/netd.conf */
	char *bridge_policy;	/* etc/netd/bridge.conf */
	char *networks;		/* etc/netd/networks: NAME.xml, and autostart/ */
	char *autostart;	/* etc/netd/networks/autostart */
	char *domains;		/* etc/netd/domains: guests, NAME.xml, and autostart/ */
	char *domains_autostart;
	char *nwfilters;	/* etc/netd/nwfilter: network filters, NAME.xml */
	char *nwfilters_shipped;	/* those that come with netd */
	char *run;		/* run/netd */
	char *live;		/* run/netd/networks: live state, NAME.xml */
	char *ports;		/* run/netd/ports: NETWORK-UUID/PORT-UUID.xml */
	char *domains_live;	/* run/netd/domains: guests that run, NAME.xml */
	char *vmms;		/* run/netd/vmms: sockets by which their processes are found again */
	char *servers;		/* run/netd/servers: sockets by which servers are found again */
	char *state;		/* var/lib/netd */
	char *leases;		/* var/lib/netd/leases: UUID/, owned by the network's server */
	char *socket, *socket_ro;
	char *libvirt_socket, *libvirt_socket_ro;	/* run/libvirt/virtnetworkd-sock, -ro */
	char *libvirt_networks, *libvirt_autostart;	/* etc/libvirt/qemu/networks: its definitions */
	char *libvirt_live;	/* run/libvirt/network: its running networks */
	char *libvirt_leases;	/* var/lib/libvirt/dnsmasq */
	char *taken;		/* var/lib/netd/libvirt: UUID of each definition that was taken over */
	char *resolv_conf, *resolved_conf, *hosts;	/* the host's own: never below the root */
	char *ovsdb;		/* run/openvswitch/db.sock: Open vSwitch's database */
	char *lldpad;		/* run/lldpad.pid: lldpad's process id, its address for 802.1Qbg */
	char *sysfs;		/* /sys */
	char *serve;		/* the netd-serve program */
	char *vmm;		/* the netd-vmm program */
	char *kvm;		/* /dev/kvm */
	char *schemas;		/* where the .rng files are */
};

/* root NULL: the installed places. serve NULL: NETD_SERVE from the environment, else libexecdir;
 * schemas likewise with NETD_SCHEMAS, and always netd-vmm with NETD_VMM, the filters that come with netd with NETD_NWFILTERS,
 * /dev/kvm with NETD_KVM, /sys with NETD_SYSFS. Returns 0 or -ENOMEM with err. */
int paths_init(struct paths *p, const char *root, const char *serve, const char *schemas,
	       struct nd_error *err);
void paths_fini(struct paths *p);

/* Makes the directories that are missing. */
int paths_make(const struct paths *p, struct nd_error *err);
