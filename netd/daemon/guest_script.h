/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest_script.h -- the <script> and <downscript> of a guest's NICs, one after the other
 *
 * Main thread, as a step of an operation that waits. A script runs when its NIC's device is there and before the
 * guest has it; a downscript when the guest has it no more, before netd takes it away.
 */
#pragma once
#include "netd/daemon/guest.h"

struct script;

struct guest_script_walk {
	struct operation *op;
	struct guest *guest;
	const struct dom_nic *nics;	/* borrowed until the walk is over */
	size_t n;
	bool down;			/* the downscripts: failures are only logged */
	size_t at;			/* the NIC whose turn it is; n: the walk is over */
	struct script *running;
};

/* Some NIC has a script of either kind. */
bool guest_has_scripts(const struct dom_nic *nics, size_t n);
/* OP_WAIT, OP_DONE, or the error of a script, whose NIC is `at` then. */
int guest_scripts_run(struct guest_script_walk *w, struct nd_error *err);
