/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest_life.h -- define, create, start, destroy, undefine, autostart of guests: asked for here,
 * told when done
 *
 * Each function either returns a negative errno with err set and does nothing, or 0; then done is
 * called exactly once later, on the main thread.
 */
#pragma once
#include "netd/daemon/netd.h"

/* err is NULL when it worked. g is only good during the call. */
typedef void (*guest_done)(void *arg, struct guest *g, const struct nd_error *err);

/* def: parsed and checked; taken in every case. */
int guest_define(struct netd *d, struct dom_def *def, guest_done done, void *arg,
		 struct nd_error *err);
int guest_undefine(struct guest *g, guest_done done, void *arg, struct nd_error *err);
int guest_autostart(struct guest *g, bool on, guest_done done, void *arg, struct nd_error *err);
/* Replaces the persistent definition by one that was made of it; taken in every case. */
int guest_redefine(struct guest *g, struct dom_def *def, guest_done done, void *arg,
		   struct nd_error *err);

/* Reads definitions and live files: definitions only when again. Returns how many were skipped. */
unsigned guest_load(struct netd *d, bool again);

/* Of its process since it started; 0 while it does not run. */
uint64_t guest_cpu_time_ns(const struct guest *g);
