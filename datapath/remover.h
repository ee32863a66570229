/* SPDX-License-Identifier: GPL-2.0-or-later */
/* remover.h -- deletes bridges without waiting for all that the kernel waits for
 *
 * RTM_DELLINK blocks its caller for 30 to 36 ms: the kernel lets every CPU forget the device
 * twice. After the first time (14 ms) nobody can find the device any more and the kernel says so
 * with an RTM_DELLINK notice; that is when a removal counts as done here. The request itself
 * blocks a thread of its own.
 */
#pragma once
#include "datapath/nl.h"

struct remover;

int remover_new(struct remover **out, struct nd_error *err);
/* Waits for requests that the kernel has not finished. NULL is fine. */
void remover_free(struct remover *r);
ND_DEFINE_AUTO(struct remover *, remover_free)

/*
 * Runs the batch (its requests are taken: the batch is empty afterwards) and returns when the
 * kernel has announced the end of all these links, or the batch is done, or failed.
 */
int remover_run(struct remover *r, struct nl_batch *b, const int *ifindexes, size_t n,
		struct nd_error *err);
