/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest_store.h -- guests in files: definitions, autostart links, what runs
 *
 * A live file is written before anything of a guest is made and goes when all of it is gone: what
 * it names is cleared away when there is no process any more. All calls that
 * write are made on the worker thread.
 */
#pragma once
#include <sys/types.h>

#include "netd/daemon/paths.h"
#include "netd/model/domain.h"

struct guest_store;

int guest_store_new(const struct paths *paths, struct guest_store **out, struct nd_error *err);
void guest_store_free(struct guest_store *s);
ND_DEFINE_AUTO(struct guest_store *, guest_store_free)

int guest_store_write(struct guest_store *s, const struct dom_def *def, struct nd_error *err);
int guest_store_remove(struct guest_store *s, const char *name, struct nd_error *err);
int guest_store_autostart(struct guest_store *s, const char *name, bool on, struct nd_error *err);

/* The reason beside pid 0 once its devices are made and named in the document, and what is told of them to others
 * (scripts, the switch) may have begun; before that it is 0. */
enum { GUEST_STATUS_NAMED = 1 };

/* What else a live file holds beside the document. */
struct guest_status {
	int state, reason;
	pid_t pid;			/* 0: it was being started */
	uid_t uid;
};

int guest_store_write_live(struct guest_store *s, const struct dom_def *live,
			   const struct guest_status *status, struct nd_error *err);
int guest_store_remove_live(struct guest_store *s, const char *name, struct nd_error *err);

/* Every readable document is handed over (taken by the callback); broken ones are logged. Either
 * callback may be NULL. Returns how many were skipped. */
struct guest_loader {
	void *arg;
	void (*definition)(void *arg, struct dom_def *def, bool autostart);
	void (*live)(void *arg, struct dom_def *live, const struct guest_status *status);
};

unsigned guest_store_load(struct guest_store *s, const struct guest_loader *loader);
/* Removes what a crash left of half-written files. Before anything is written. */
void guest_store_sweep(struct guest_store *s);
