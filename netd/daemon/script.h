/* SPDX-License-Identifier: GPL-2.0-or-later */
/* script.h -- a program of the operator's, which a document names, is run to its end
 *
 * The one exception to the rule that netd runs no programs but its own. It gets no shell, no input, no
 * environment but a PATH and no descriptor but for its output; the root folder is where it starts. What it says is logged,
 * and stands in the error when it fails. After its time it is killed, with all of its process group.
 * Nothing waits for it but who asked: all is done in the event loop.
 */
#pragma once
#include <systemd/sd-event.h>

#include "netd/base/auto.h"
#include "netd/base/error.h"

struct script;

/* Borrowed until the script has ended. */
struct script_spec {
	const char *element;		/* that names it: "script" */
	const char *path, *arg;		/* its only argument */
	const char *object;		/* whose it is, for the log */
	unsigned limit_s;
};

/* err: NULL when it exited with status 0. The script may be freed in it. */
typedef void (*script_done)(void *arg, const struct nd_error *err);

/* done is called once, later, from the event loop. A negative errno when the program cannot be executed. */
int script_start(sd_event *event, const struct script_spec *spec, script_done done, void *arg,
		 struct script **out, struct nd_error *err);
/* Kills what still runs of it. NULL is fine. */
void script_free(struct script *s);
ND_DEFINE_AUTO(struct script *, script_free)
