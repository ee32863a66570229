/* SPDX-License-Identifier: GPL-2.0-or-later */
/* subnet.h -- what several parts of compile ask of a document
 *
 * Private to compile.
 */
#pragma once
#include "netd/compile/compile.h"

/* One object of the device each; peer: NULL or of family 0 for none. -ENOMEM. */
int compile_address(struct nd_prefix prefix, const struct nd_ip *peer, const char *ifname, struct plan *p);
int compile_route(const struct route_def *r, const char *ifname, struct plan *p);

/* The <ip>'s network: its prefix without host bits. */
struct nd_prefix subnet_of(const struct ip_def *ip);
bool is_v6(const struct ip_def *ip);
/* An earlier <ip> of the network has the same subnet. */
bool subnet_seen(const struct net_def *def, size_t i);

bool has_family(const struct net_def *def, sa_family_t family);
/* IPv6 packets of the network are judged at all. */
bool judges_v6(const struct net_def *def);
/* The forward device, or NULL. */
const char *uplink_dev(const struct net_def *def);
bool dns_enabled(const struct net_def *def);
/* The <ip> that DHCPv4 serves, or NULL. */
const struct ip_def *dhcp4_subnet(const struct net_def *def);
bool is_isolated(const struct net_def *def);
/* Some server runs for the network. */
bool is_served(const struct net_def *def);
/* Names go to the host's own resolvers. */
bool uses_host_resolvers(const struct net_def *def);

/* "netd:UUID": buf of 64; returns buf. */
char *uuid_alias(const struct nd_uuid *uuid, char *buf);

/* The rules: elements of the sets of table "inet netd", and chains of the network's own. */
int compile_rules(const struct compile_input *in, struct plan *p);
/* Forwarding and the bridge's IPv6 settings. */
int compile_sysctls(const struct compile_input *in, struct plan *p);
/* The network's bandwidth and that of its ports. */
int compile_shape(const struct compile_input *in, struct plan *p);
/* The two halves of the server's configuration. */
int compile_dhcp(const struct compile_input *in, struct dhcp_config *out);
int compile_dns(const struct compile_input *in, struct dns_config *out);

/* "<ELEMENT> (line N): SENTENCE". Returns the negative code. */
int refuse(struct nd_error *err, enum nd_err kind, const char *element, int line,
	   const char *fmt, ...) __attribute__((format(printf, 5, 6)));
