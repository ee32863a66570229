/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lifecycle.h -- define, create, start, destroy, undefine, autostart: asked for here, told when done
 *
 * Each function either returns a negative errno with err set and does nothing, or 0; then done is
 * called exactly once later, on the main thread.
 */
#pragma once
#include "netd/daemon/netd.h"

/* err is NULL when it worked. net is only good during the call. */
typedef void (*change_done)(void *arg, struct network *net, const struct nd_error *err);

/* def: parsed and validated; taken in every case. */
int lifecycle_define(struct netd *d, struct net_def *def, change_done done, void *arg,
		     struct nd_error *err);
int lifecycle_create(struct netd *d, struct net_def *def, change_done done, void *arg,
		     struct nd_error *err);
int lifecycle_start(struct netd *d, struct network *net, change_done done, void *arg,
		    struct nd_error *err);
int lifecycle_destroy(struct netd *d, struct network *net, change_done done, void *arg,
		      struct nd_error *err);
int lifecycle_undefine(struct netd *d, struct network *net, change_done done, void *arg,
		       struct nd_error *err);
int lifecycle_autostart(struct netd *d, struct network *net, bool on, change_done done, void *arg,
			struct nd_error *err);

/* For operations' idle callback: an invisible network goes. */
void lifecycle_idle(void *netd, struct network *net);
