/* SPDX-License-Identifier: GPL-2.0-or-later */
/* api_names.h -- what libvirt's procedures are called in its API
 *
 * For the answer to a call that netd does not have: clients take "not supported" with a name as
 * a fact, and an unknown number as a fault.
 */
#pragma once
#include <stdint.h>

/* "DomainGetInfo" for virDomainGetInfo; NULL where no such call is known. Static. */
const char *rpc_api_name(int32_t proc);
