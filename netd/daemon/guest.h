/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest.h -- a guest as the daemon knows it, and the registry of all of them
 *
 * Belongs to the main thread; as with networks, what a worker step reads of a guest does not
 * change while an operation on it runs.
 *
 *	shut off -> running <-> paused
 *	   ^           |           |
 *	   +---- shutting down ----+
 */
#pragma once
#include <stdbool.h>

#include "netd/base/hash.h"
#include "netd/daemon/operation.h"
#include "netd/model/domain.h"

struct netd;
struct guest_vmm;
struct guest_console;

/* libvirt's numbers. */
enum guest_state {
	GUEST_RUNNING = 1, GUEST_PAUSED = 3, GUEST_SHUTTING_DOWN = 4, GUEST_SHUT_OFF = 5,
	GUEST_CRASHED = 6,
};

enum {
	GUEST_RUNNING_BOOTED = 1, GUEST_RUNNING_UNPAUSED = 5,
	GUEST_PAUSED_USER = 1,
	GUEST_SHUT_OFF_UNKNOWN = 0, GUEST_SHUT_OFF_SHUTDOWN = 1, GUEST_SHUT_OFF_DESTROYED = 2,
	GUEST_SHUT_OFF_CRASHED = 3, GUEST_SHUT_OFF_FAILED = 6, GUEST_SHUT_OFF_DAEMON = 8,
};

struct guest {
	struct op_line line;		/* first: operations on it */
	struct netd *netd;
	struct nd_uuid uuid;
	char *name;
	struct dom_def *def;		/* persistent; NULL: transient, or not there yet */
	struct dom_def *live;		/* NULL: inactive */
	bool autostart;
	enum guest_state state;
	int reason;
	struct guest_vmm *vmm;		/* its process; NULL while inactive */
	uid_t uid;			/* of its process; 0: none is taken */
	bool rebooting;			/* starts again when it is off */
	bool ending;			/* its end is queued */
	bool booted;			/* START was sent; before that it waits, paused */
	size_t n_filters;		/* of its NICs, that are being set (guest_filter.c) */
	bool cut_off;			/* netd was killed amid its start: what there is of it ends */
	bool devices_named;		/* ... and scripts and switches may have been told of its NICs by then */
	void (*autostart_done)(void *arg, struct guest *g, const struct nd_error *err);	/* waits for that end */
	void *autostart_arg;
	/* Its process's end of its terminal, held open so that what it said last can still be read
	 * when it is dead; -1: it has none, or runs since before netd did. */
	int terminal_fd;
	struct guest_console *console;	/* the one client at its console, or NULL */
};

/* Neither persistent nor active: only an operation in hand keeps it, and nobody may see it. */
bool guest_visible(const struct guest *g);
/* The persistent definition, or the live one where there is none; NULL when not visible. */
const struct dom_def *guest_definition(const struct guest *g);
/* What is in force: live, or the definition while it is inactive. */
const struct dom_def *guest_current(const struct guest *g);
/* A number while it runs, else -1. */
int guest_id(const struct guest *g);

struct guests {
	struct nd_hash *by_uuid, *by_name;
	uint32_t last_id;
};

int guests_init(struct guests *r, struct nd_error *err);
void guests_fini(struct guests *r);
/* A new, invisible guest; NULL when out of memory. */
struct guest *guests_add(struct netd *d, const char *name, const struct nd_uuid *uuid);
void guests_remove(struct guests *r, struct guest *g);	/* and frees it */
struct guest *guests_by_name(const struct guests *r, const char *name);
struct guest *guests_by_uuid(const struct guests *r, const struct nd_uuid *uuid);
struct guest *guests_by_id(const struct guests *r, int id);
/* `size_t pos = 0; while ((g = guests_next(r, &pos)))`; the registry must not change. */
struct guest *guests_next(const struct guests *r, size_t *pos);
