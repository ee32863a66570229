/* SPDX-License-Identifier: GPL-2.0-or-later */
/* foreign.h -- tells which other firewall on the host would cut a started network off
 *
 * Looked for after the start was answered, for all networks at once that started meanwhile: it
 * reads every other program's rules.
 */
#pragma once

struct foreign;
struct netd;
struct network;

/* NULL: out of memory. */
struct foreign *foreign_new(struct netd *d);
/* After the worker has ended. NULL is fine. */
void foreign_free(struct foreign *f);

/* Queues a look for the network, which has just started. What is found is logged. */
void foreign_look(struct foreign *f, const struct network *net);
