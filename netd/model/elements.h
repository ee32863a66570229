/* SPDX-License-Identifier: GPL-2.0-or-later */
/* elements.h -- the tables of the elements, for the documents that contain them */
#pragma once
#include "netd/model/network.h"
#include "netd/model/table.h"

extern const struct xml_elem elem_forward;
extern const struct xml_elem elem_forward_interface;
#define MAC_TABLE_NAMES .names = mac_table_managers, .n_names = 3
extern const char *const mac_table_managers[3];		/* of enum mac_table_manager */

extern const struct xml_elem elem_domain;
extern const struct xml_elem elem_dns;
extern const struct xml_elem elem_dns_txt, elem_dns_srv, elem_dns_host;
extern const struct xml_elem elem_ip;
extern const struct xml_elem elem_dhcp_range, elem_dhcp_host;
extern const struct xml_elem elem_route;
extern const struct xml_elem elem_vlan;
extern const struct xml_elem elem_virtualport;
extern const struct xml_elem elem_bandwidth;		/* of a network or portgroup */
extern const struct xml_elem elem_port_bandwidth;	/* of a port: floor and classID too */
extern const struct xml_elem elem_portgroup;

/* The first parameter that does not belong to the type, or NULL. */
const char *virtualport_stray_parameter(const struct virtualport_def *v);
/* The first that its type cannot do without; NULL: it is complete, but for ids that can be made. */
const char *virtualport_missing_parameter(const struct virtualport_def *v);
/* Makes the ids that are missing. */
int virtualport_generate(struct virtualport_def *v, struct nd_error *err);

/* Element rules that need more than the element: used by the parser and by updates. */
int dhcp_range_check(const struct dhcp_range *range, const struct nd_prefix *subnet,
		     struct nd_error *err);
int dhcp_host_check(const struct dhcp_host *host, sa_family_t family, struct nd_error *err);
