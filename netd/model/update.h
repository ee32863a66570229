/* SPDX-License-Identifier: GPL-2.0-or-later */
/* update.h -- changes to one entry of a network: what virsh net-update and net-metadata ask for
 *
 * Pure: the definition that comes in is not touched, whether it works or not.
 */
#pragma once
#include "netd/model/network.h"

/* The numbers are those of the wire (virNetworkUpdateCommand, virNetworkUpdateSection). */
enum net_update_command {
	NET_UPDATE_MODIFY = 1,
	NET_UPDATE_DELETE,
	NET_UPDATE_ADD_LAST,
	NET_UPDATE_ADD_FIRST,
};

enum net_update_section {
	NET_SECTION_BRIDGE = 1,
	NET_SECTION_DOMAIN,
	NET_SECTION_IP,
	NET_SECTION_DHCP_HOST,
	NET_SECTION_DHCP_RANGE,
	NET_SECTION_FORWARD,
	NET_SECTION_FORWARD_INTERFACE,
	NET_SECTION_FORWARD_PF,
	NET_SECTION_PORTGROUP,
	NET_SECTION_DNS_HOST,
	NET_SECTION_DNS_TXT,
	NET_SECTION_DNS_SRV,
};

/*
 * The definition with one entry added, replaced or removed. command, section: any number a client
 * sent. parent_index: which <ip> the DHCP sections mean, -1 the first that fits. xml: the entry.
 *
 * The result keeps the rules of define (unless def itself does not) and def's connection
 * counters. Errors: ND_ERR_OPERATION_UNSUPPORTED for what cannot be updated,
 * ND_ERR_OPERATION_INVALID for an entry that is there already, is not there or is in use, and
 * those of net_def_parse() and net_def_validate().
 */
int net_def_update(const struct net_def *def, int command, int section, int parent_index,
		   const char *xml, size_t len, struct net_def **out, struct nd_error *err);

/* The definition with one replaced as metadata_set() does; what XML cannot hold is ND_ERR_INVALID_ARG. */
int net_def_set_metadata(const struct net_def *def, int type, const char *text, const char *key,
			 const char *uri, struct net_def **out, struct nd_error *err);

/* As metadata_get(); ND_ERR_NO_NETWORK_METADATA when there is none. */
int net_def_get_metadata(const struct net_def *def, int type, const char *uri, char **out,
			 struct nd_error *err);
