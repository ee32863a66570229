/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ovsdb.h -- ports of Open vSwitch's bridges
 *
 * A port is put on a bridge by writing to Open vSwitch's database, over its socket (RFC 7047); its
 * daemon then attaches the device of that name. Calls wait for both, some seconds at most.
 */
#pragma once
#include <net/if.h>
#include <stdint.h>

#include "netd/base/addr.h"
#include "netd/base/error.h"

struct ovs_port {
	const char *bridge, *ifname;
	struct nd_mac mac;		/* the guest's */
	struct nd_uuid vm_id, iface_id;
	const char *profile;		/* NULL: none */
	/* VLANs: the only one, or the native one beside trunks; 0: none. */
	uint16_t tag;
	uint16_t *trunks;
	size_t n_trunks;
	bool native_tagged;		/* frames of the native VLAN carry its tag too */
};

/* path: of the database's socket. A port of that name on another bridge goes first, as with ovs-vsctl. */
int ovsdb_port_add(const char *path, const struct ovs_port *port, struct nd_error *err);

/* Removes ports whose interface belongs to the machine vm_id, but those that keep (NULL: none) says stay. No
 * error where there is no database. */
int ovsdb_ports_remove(const char *path, const struct nd_uuid *vm_id,
		       bool (*keep)(void *arg, const char *ifname), void *arg, struct nd_error *err);
