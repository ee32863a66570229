/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nwfilter_attrs.h -- which attributes the element of each protocol has; private to nwfilter*.c */
#pragma once
#include "netd/model/nwfilter.h"
#include "netd/model/table.h"

struct nwfilter_proto_desc {
	const char *name;
	const struct nwfilter_attr *attrs;	/* in the order in which they are printed */
	size_t n_attrs;
};

extern const struct nwfilter_proto_desc nwfilter_protos[NWFILTER_PROTOS];

/* By enum nwfilter_action and nwfilter_direction; NULL first and last. */
extern const char *const nwfilter_actions[], *const nwfilter_directions[];

/* <filterref>, of a filter and of a NIC. */
extern const struct xml_elem elem_nwfilter_ref;

/* The value's text as libvirt prints it, which is read as the same; caller frees. NULL: no memory. */
char *nwfilter_value_format(const struct nwfilter_attr *attr, const char *text, const struct nwfilter_value *value);
char *nwfilter_variable_format(const struct nwfilter_variable *var);
