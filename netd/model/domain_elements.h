/* SPDX-License-Identifier: GPL-2.0-or-later */
/* domain_elements.h -- the tables of a domain's devices, for the document and for single devices */
#pragma once
#include "netd/model/domain.h"
#include "netd/model/elements.h"

extern const struct xml_elem elem_dom_disk, elem_dom_nic, elem_dom_serial, elem_dom_console,
	elem_dom_balloon, elem_dom_rng;
