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

/* def NULL: the persistent definition; else taken in every case, and the guest runs with it. */
int guest_start(struct guest *g, struct dom_def *def, bool paused, guest_done done, void *arg,
		struct nd_error *err);
/* A document of a guest that is not there yet, or not running: started with it (transient unless a
 * definition is there). Taken in every case. */
int guest_create(struct netd *d, struct dom_def *def, bool paused, guest_done done, void *arg,
		 struct nd_error *err);
int guest_destroy(struct guest *g, guest_done done, void *arg, struct nd_error *err);
int guest_suspend(struct guest *g, guest_done done, void *arg, struct nd_error *err);
int guest_resume(struct guest *g, guest_done done, void *arg, struct nd_error *err);
/* Presses the power button; done hears that it was pressed. */
int guest_shutdown(struct guest *g, guest_done done, void *arg, struct nd_error *err);
/* The same, and it starts again when it is off. */
int guest_reboot(struct guest *g, guest_done done, void *arg, struct nd_error *err);
int guest_reset(struct guest *g, guest_done done, void *arg, struct nd_error *err);

/* Finds the processes of guests that ran under an earlier netd, and clears away what has none. */
void guest_adopt_all(struct netd *d);
/* Starts those that are to be started at boot and do not run; each start ends in done. Returns how many. */
unsigned guest_autostart_all(struct netd *d, guest_done done, void *arg);

/* Reads definitions and live files: definitions only when again. Returns how many were skipped. */
unsigned guest_load(struct netd *d, bool again);

/* Of its process since it started; 0 while it does not run. */
uint64_t guest_cpu_time_ns(const struct guest *g);
