/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lease_store.h -- leases on disk, written by a thread of their own
 *
 * An SQLite database per network. The caller's thread queues rows; the store's thread puts all
 * that waits into one transaction (group commit), and tells through an eventfd which rows are
 * on disk. So a thousand clients share an fdatasync, and a slow disk delays nobody but them.
 *
 * Clock: rows are kept in the wall clock's seconds, for people and for the next boot. Within one
 * boot the offset between wall clock and boot clock is the one that the store was first opened
 * with, so that a wall clock that is set neither ends nor prolongs a lease. All times of this
 * interface are milliseconds of CLOCK_BOOTTIME.
 *
 * Sandbox: the file and its -wal are opened by lease_store_open() and stay open; there is no
 * -shm (exclusive locking), no temporary file, no mmap of the file. From then on the thread calls
 * pread64, pwrite64, fdatasync, fsync, ftruncate, fallocate, fstat, fcntl (locks), lseek, futex, write (to
 * the eventfd) and what malloc needs. lease_store_open() itself needs openat, unlink, rename,
 * access, stat, getpid, geteuid, clone3 (the thread), and fsync of the folder.
 */
#pragma once
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netd/base/addr.h"
#include "netd/base/auto.h"
#include "netd/base/error.h"

#define LEASE_STORE_FILE "leases.db"
#define LEASE_NEVER_MS UINT64_MAX	/* expires_ms of an infinite lease */

enum lease_row_state {
	LEASE_ROW_BOUND,
	LEASE_ROW_RELEASED,		/* remembered for its client, free for others */
	LEASE_ROW_DECLINED,		/* in use by a stranger: nobody's until it expires */
	LEASE_ROW_GONE,			/* delete the row */
};

struct lease_row {
	struct in_addr address;
	struct nd_mac mac;
	enum lease_row_state state;
	bool plugged;			/* the MAC was one of a plugged port */
	bool name_configured;
	uint8_t client_id_len;		/* 0: none */
	uint8_t client_id[255];
	char hostname[64];		/* "": none */
	int64_t start_ms;		/* of the last acknowledgement; negative: before the boot */
	uint64_t expires_ms;		/* LEASE_NEVER_MS: never; 0: before the boot */
};

struct lease_store;

/*
 * Makes an empty database at path if there is none (netd does, at define, before any server
 * ran; never afterwards: the file belongs to the server). An existing file is left alone.
 */
int lease_store_create(const char *path, struct nd_error *err);

/* What a new database starts with: leases that another server gave before. Fields as in struct
 * lease_store_setup. */
struct lease_seed {
	const struct lease_row *rows;	/* bound ones */
	size_t n;
	char boot_id[64];
	uint64_t boottime_ms;
	int64_t wall_s;
};

/* Puts them in, after lease_store_create() and before any server ran, for good or not at all. */
int lease_store_seed(const char *path, const struct lease_seed *seed, struct nd_error *err);

struct lease_store_setup {
	const char *path;
	const char *boot_id;		/* /proc/sys/kernel/random/boot_id, or "" */
	uint64_t boottime_ms;		/* CLOCK_BOOTTIME now */
	int64_t wall_s;			/* time(NULL) now */
	/* Called for each stored row, in no order. */
	void (*load)(void *ctx, const struct lease_row *row);
	void *ctx;
};

struct lease_store_report {
	size_t rows;			/* loaded */
	bool damaged;			/* the file was set aside and rebuilt ... */
	char aside[64];			/* ... under this name, "" if it could not be kept */
	struct nd_error why;		/* what was found */
};

/*
 * Opens (or makes) the database, loads its rows, starts the thread. A damaged file is set aside
 * as leases.db.damaged-SECONDS and a new one is filled with the rows that can be read: that is
 * reported, not an error. report may be NULL. Returns 0 or -errno with err.
 */
int lease_store_open(const struct lease_store_setup *setup, struct lease_store **out,
		     struct lease_store_report *report, struct nd_error *err);

/* Writes what is queued, then ends the thread. NULL is fine. */
void lease_store_close(struct lease_store *s);
ND_DEFINE_AUTO(struct lease_store *, lease_store_close)

/*
 * Queues a row: replaces the address' row (or deletes it). Rows are written in the order in which
 * they were put. ticket comes back from lease_store_drain(); 0: nobody asks. -ENOBUFS when the
 * queue is full.
 */
int lease_store_put(struct lease_store *s, const struct lease_row *row, uint64_t ticket);

/* Becomes readable when rows are done; level-triggered until drained. Owned by the store. */
int lease_store_fd(const struct lease_store *s);

/* Calls done for each finished ticket in the order of the puts. error: 0 once the row is on disk,
 * else -errno (-ENOSPC: disk full; -EUCLEAN: the database is damaged, see lease_store_rebuild()). */
void lease_store_drain(struct lease_store *s,
		       void (*done)(void *ctx, uint64_t ticket, int error), void *ctx);

/*
 * Sets the database aside, as lease_store_open() does with a damaged one, and makes a new one of
 * the rows that fill hands to put. For a caller that has been told -EUCLEAN and has all rows in
 * memory. Blocks until that is on disk; the eventfd stays. When it fails, every put will.
 */
typedef void (*lease_store_putter)(void *arg, const struct lease_row *row);
int lease_store_rebuild(struct lease_store *s, uint64_t boottime_ms, int64_t wall_s,
			void (*fill)(void *ctx, lease_store_putter put, void *arg), void *ctx,
			struct lease_store_report *report, struct nd_error *err);

/* Rows queued and not yet drained. */
size_t lease_store_pending(const struct lease_store *s);
