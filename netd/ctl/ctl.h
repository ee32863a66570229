/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ctl.h -- one run of netdctl: its options, its connection, how it speaks to the user */
#pragma once
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>

#include "netd/base/error.h"
#include "netd/base/str.h"
#include "netd/ctl/verb.h"
#include "netd/rpc/client.h"

struct ctl {
	char *uri;
	bool read_only, quiet;
	bool interactive;		/* a person types the commands */
	bool quit;			/* the shell ends after this command */
	int exit_status;		/* what "exit" ends with */
	unsigned char escape;		/* the key that leaves a console */
	struct rpc_client *client;	/* NULL until a verb needs it */
};

/* Connects unless that is done and alive; prints what failed. 0 or -1. */
int ctl_connect(struct ctl *ctl);
void ctl_disconnect(struct ctl *ctl);

/* What a script does not want with -q: success texts. */
void ctl_say(const struct ctl *ctl, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* "error: " and the sentence on stderr. Returns -1. */
int ctl_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* One line about what takes long, on a terminal only; NULL clears it. */
void ctl_progress(const struct ctl *ctl, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Prints and drops the document; NULL counts as out of memory. 0 or -1. */
int ctl_print_json(json_t *doc);
/* A string from the daemon as JSON: bytes that are not UTF-8 become U+FFFD; NULL gives null. */
json_t *ctl_json_string(const char *text);

/* Runs the commands of one line or of the program's arguments. The exit status, 0 or 1. */
int ctl_run_line(struct ctl *ctl, const char *line);
int ctl_run_words(struct ctl *ctl, char *const *words, size_t n);
/* Reads commands until the end of input or "quit". */
int ctl_run_shell(struct ctl *ctl);
int ctl_run_stream(struct ctl *ctl, FILE *in);

/* Until SIGINT, SIGTERM or SIGHUP: see ctl_interrupt_begin(). */
extern volatile sig_atomic_t ctl_interrupted;
/* From now on these signals set ctl_interrupted and interrupt waiting; end puts them back. */
void ctl_interrupt_begin(void);
void ctl_interrupt_end(void);
/* poll(), which those signals interrupt (EINTR) also when they come right before it. */
int ctl_poll(struct pollfd *fds, size_t n, int timeout_ms);
