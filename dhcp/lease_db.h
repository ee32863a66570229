/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lease_db.h -- the SQLite database behind the lease store: one connection, no threads
 *
 * For an operator: sqlite3 leases.db 'select * from lease' (while no server runs; a running one
 * holds the lock). Times are seconds of the wall clock, expires 0 is never.
 */
#pragma once
#include "dhcp/lease_store.h"

struct lease_db;

/*
 * Opens the database at path, or makes it, and locks it. durable: a commit is on disk when it
 * returns; else the caller syncs the file, once it is closed. -EUCLEAN: the file is damaged, or of a
 * version that is not known.
 */
int lease_db_open(const char *path, bool durable, struct lease_db **out, struct nd_error *err);
void lease_db_close(struct lease_db *db);		/* NULL is fine */
ND_DEFINE_AUTO(struct lease_db *, lease_db_close)

/* Settles how boot clock and wall clock relate (see lease_store.h). */
int lease_db_set_clock(struct lease_db *db, const char *boot_id, uint64_t boottime_ms,
		       int64_t wall_s, struct nd_error *err);

/* Writes that down if it is new. If it cannot be written, the next start in this boot reads the wall
 * clock again. */
void lease_db_save_clock(struct lease_db *db);

/* Shows all rows; n_out counts them, also when it ends in -EUCLEAN. */
int lease_db_load(struct lease_db *db, void (*load)(void *ctx, const struct lease_row *row),
		  void *ctx, size_t *n_out, struct nd_error *err);

/* 0 or -errno: -ENOSPC, -EUCLEAN, -ENOMEM, -EIO. */
int lease_db_begin(struct lease_db *db);
int lease_db_put(struct lease_db *db, const struct lease_row *row);
int lease_db_commit(struct lease_db *db);		/* on disk when it returns 0 */
void lease_db_rollback(struct lease_db *db);

/* Moves what stands in the log to its place, so that the log is written from its start again:
 * rows that are there already can then be replaced without more room on the disk. */
void lease_db_rewind_log(struct lease_db *db);

/* A row as the table has it. */
struct lease_record {
	const char *address, *mac, *state, *client_id, *hostname;
	int64_t name_configured, plugged, started_s, expires_s;
};

/* Puts a record back that was found in a damaged file, unless a later one is there. False when it
 * is not one that the store wrote. */
bool lease_db_restore(struct lease_db *db, const struct lease_record *record);

/* lease_salvage.c: reads whatever records stand in the pages of a damaged database and its log
 * (path, path-wal), without trusting anything else in them. Returns how many were put back. */
size_t lease_salvage(const char *path, struct lease_db *to);
