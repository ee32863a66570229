/* SPDX-License-Identifier: GPL-2.0-or-later */
/* console.h -- a guest's console in the user's terminal
 *
 * The terminal is raw meanwhile: every key but the escape key goes to the guest.
 */
#pragma once
#include "netd/ctl/domain.h"

/* VIR_DOMAIN_CONSOLE_* */
enum { CONSOLE_FORCE = 1, CONSOLE_SAFE = 2 };

struct console_options {
	const char *device;		/* NULL: the guest's first */
	unsigned flags;
	bool resume;			/* the guest is paused, and runs once its console is open */
};

enum console_end {
	CONSOLE_REFUSED,		/* it could not be had */
	CONSOLE_LEFT,			/* by the user, or since nobody can see it any more */
	CONSOLE_ENDED,			/* with the guest */
	CONSOLE_LOST,			/* the daemon gave it up, or the connection is broken */
	CONSOLE_INTERRUPTED,		/* by a signal */
};

/* Without a terminal to sit at, prints virsh's words for it. 0 or -1. */
int console_need_terminal(void);

/*
 * Connects the terminal until the escape key, the end of the guest or of its console, or a signal.
 * Where standard input is no terminal, its bytes are typed as they are, and its end is not that of
 * the console. The guest is resumed also when its console cannot be had. The caller has
 * ctl_interrupt_begin() in effect.
 * *how_out is set on failure too.
 */
int console_run(struct ctl *ctl, const lv_dom *dom, const struct console_options *opt,
		enum console_end *how_out, struct nd_error *err);
/* The console of a guest as a command: with its signals, and virsh's words before. */
int console_show(struct ctl *ctl, const lv_dom *dom, const struct console_options *opt,
		 struct nd_error *err);
/* "Connected to domain ..." with the escape key. */
void console_greet(const struct ctl *ctl, const lv_dom *dom);
