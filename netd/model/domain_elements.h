/* SPDX-License-Identifier: GPL-2.0-or-later */
/* domain_elements.h -- the tables of a domain's devices, for the document and for single devices */
#pragma once
#include "netd/model/domain.h"
#include "netd/model/elements.h"

extern const struct xml_elem elem_dom_disk, elem_dom_nic, elem_dom_serial, elem_dom_console,
	elem_dom_balloon, elem_dom_rng;

/* Of a NIC. */
extern const struct xml_elem elem_dom_nic_driver, elem_dom_nic_backend, elem_dom_nic_tune,
	elem_dom_nic_coalesce;

/* What all devices have. */
extern const struct xml_elem elem_dom_boot, elem_dom_alias, elem_dom_address;

#define DOM_INFO_CHILDREN(type) \
	{ .elem = &elem_dom_boot, .at = offsetof(type, info) }, \
	{ .elem = &elem_dom_alias, .at = offsetof(type, info) }, \
	{ .elem = &elem_dom_address, .at = offsetof(type, info) }

/* Names of an attribute with one value only, which is 1. */
#define DOM_ONLY(id, value) static const char *const id[] = { NULL, value }
