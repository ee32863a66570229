/* SPDX-License-Identifier: GPL-2.0-or-later */
/* inside.h -- addresses that a name of the outside world may not have
 *
 * Whoever owns a domain can let a name of it point anywhere, also to a guest's neighbour or to the
 * guest itself: a web page then reaches there under that name (DNS rebinding). So answers from
 * outside may not lead into the network's own subnets, to loopback, link-local or unspecified
 * addresses. Other private addresses are the business of whoever runs the host's resolvers: names
 * of a company's network have them rightly.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netd/base/addr.h"
#include "netd/base/cursor.h"

/* Borrowed. */
struct dns_inside {
	const struct nd_prefix *subnets;	/* of the network */
	size_t n_subnets;
};

/* It is in one of the network's subnets. */
bool dns_inside_network(const struct dns_inside *in, const struct nd_ip *ip);
/* It is no address for a name of the outside world. */
bool dns_inside_has(const struct dns_inside *in, const struct nd_ip *ip);
/* The data of a record (A, AAAA, and the hints of SVCB and HTTPS, RFC 9460 7.3) has such an
 * address. What does not decode has none. */
bool dns_inside_record(const struct dns_inside *in, uint16_t type, struct rd rdata);
