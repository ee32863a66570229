/* SPDX-License-Identifier: GPL-2.0-or-later */
/* polkit.h -- asks polkitd, over the system bus, whether a process may do something
 *
 * Never waits: the answer comes in a callback of the loop. polkitd judges by the process' number,
 * start time and user, which come from the kernel or from a daemon of root, never from a client.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>
#include <sys/types.h>

#include "netd/base/auto.h"
#include "netd/base/error.h"

struct polkit;

/* event is borrowed. NULL: out of memory. The bus is connected to with the first question. */
struct polkit *polkit_new(sd_event *event);
/* Questions that are not answered fail. NULL is fine. */
void polkit_free(struct polkit *p);

struct polkit_detail {
	const char *key, *value;
};

struct polkit_question {
	pid_t pid;
	uint64_t start_time;		/* in clock ticks since boot, as in /proc/PID/stat */
	uid_t uid;
	const char *action;		/* "org.netd.unix.manage" */
	const struct polkit_detail *details;	/* for rules: action.lookup(key) */
	size_t n_details;
	bool interactive;		/* the user may be asked for a password by his agent */
};

/* err: NULL when it is allowed; ND_ERR_AUTH_FAILED, _CANCELLED (by the user), _UNAVAILABLE (it
 * takes an agent, and there is none). */
typedef void (*polkit_done)(void *arg, const struct nd_error *err);

/* 0, and done is called once, never before this returns; or negative with err. */
int polkit_ask(struct polkit *p, const struct polkit_question *q, polkit_done done, void *arg,
	       struct nd_error *err);
