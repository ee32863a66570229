/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest_nwfilter.h -- network filters of guests' NICs: compiled by documents, put on their ports */
#pragma once
#include "netd/daemon/guest_change.h"

/*
 * Two steps for operations on guests: the filters of the NICs in c->live (NULL: nobody's), once
 * their devices have names, take the place of those of the guest's live document.
 */
int guest_nwfilter_compile(struct operation *op, struct nd_error *err);		/* main */
int guest_nwfilter_apply(struct operation *op, struct nd_error *err);		/* worker */
int guest_nwfilter_undo(struct operation *op);					/* worker */

#define GUEST_NWFILTER_STEPS \
	{ "reading its filters", false, guest_nwfilter_compile, NULL }, \
	{ "filtering its devices", true, guest_nwfilter_apply, guest_nwfilter_undo }

/* Worker: the filters of the NICs, which are gone, go. Failures are logged: the next change sees to it. */
void guest_nwfilter_drop(struct guest *g, const struct dom_nic *nics, size_t n);

/* Main, when a guest's document is in force: filters that were changed since they were compiled for it
 * are compiled again. */
void guest_nwfilter_committed(struct guest_change *c);

/* Main, at netd's start, while nothing runs on the worker: filters of all guests that run. */
int guest_nwfilter_adopt_all(struct netd *d, struct nd_error *err);

/*
 * Main: the filters of all guests that run, with one filter's document another one (NULL: as they are), for
 * nic_filters_change(). Where a filter cannot be had any more the NIC is cut off; that `instead` is what is
 * wrong with it is an error. The caller frees with nic_filter_changes_free().
 */
int guest_nwfilter_changes(struct netd *d, const struct nwfilter_def *instead, struct nic_filter_change **out,
			   size_t *n_out, struct nd_error *err);
void nic_filter_changes_free(struct nic_filter_change *changes, size_t n);
