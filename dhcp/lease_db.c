/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dhcp/lease_db.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VERSION 1
#define PAGE_BYTES 4096
#define CHUNK_BYTES 32768		/* the file grows by this much at a time */
#define LOG_PAGES 512			/* then the log's pages go to their places */
#define BUSY_MS 500			/* a server that is just ending may still hold the lock */

enum statement { PUT, DELETE, BEGIN, COMMIT, PAGE_COUNT, RESTORE, N_STATEMENTS };

struct lease_db {
	sqlite3 *sql;
	sqlite3_stmt *statements[N_STATEMENTS];	/* each made when it is used first */
	int64_t offset_ms;		/* wall clock minus boot clock ... */
	char boot_id[64];		/* ... in this boot ... */
	bool clock_known;		/* ... and the database knows */
};

/*
 * locking_mode=EXCLUSIVE comes before these, and before anything that reads the file: the log's
 * index then lives on the heap instead of in a shared -shm file. FULL: a commit is on disk when it
 * returns. The log is never truncated: on a full disk it can be written again, so that known
 * leases are renewed when new ones are refused (see take_room()).
 */
#define SETUP_SQL \
	"PRAGMA journal_mode=WAL;" \
	"PRAGMA temp_store=MEMORY;" \
	"PRAGMA cache_size=-128;"

static const char setup_sql[] = SETUP_SQL, durable_sql[] = "PRAGMA synchronous=FULL;" SETUP_SQL;

static const char schema_sql[] =
	"BEGIN IMMEDIATE;"
	"CREATE TABLE lease("
	" address TEXT PRIMARY KEY,"
	" mac TEXT NOT NULL,"
	" state TEXT NOT NULL,"
	" client_id TEXT NOT NULL,"
	" hostname TEXT NOT NULL,"
	" name_configured INTEGER NOT NULL,"
	" plugged INTEGER NOT NULL,"
	" started INTEGER NOT NULL,"
	" expires INTEGER NOT NULL"
	") WITHOUT ROWID;"
	"CREATE TABLE clock(boot_id TEXT PRIMARY KEY, offset_ms INTEGER NOT NULL) WITHOUT ROWID;"
	"PRAGMA user_version=1;"
	"COMMIT;";

#define COLUMNS "address,mac,state,client_id,hostname,name_configured,plugged,started,expires"

static const char *const state_names[] = {
	[LEASE_ROW_BOUND] = "bound",
	[LEASE_ROW_RELEASED] = "released",
	[LEASE_ROW_DECLINED] = "declined",
};

static int code_of(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:	return 0;
	case SQLITE_FULL:	return -ENOSPC;
	case SQLITE_NOMEM:	return -ENOMEM;
	case SQLITE_CORRUPT:
	case SQLITE_SCHEMA:
	case SQLITE_ERROR:	/* a table or a column is missing */
	case SQLITE_NOTADB:	return -EUCLEAN;
	case SQLITE_BUSY:	return -EBUSY;
	case SQLITE_READONLY:	return -EROFS;
	default:		return -EIO;
	}
}

static int fail(struct lease_db *db, int rc, const char *what, struct nd_error *err)
{
	int code = -code_of(rc);

	nd_error_set(err, ND_ERR_OPERATION_FAILED, "%s: %s", what,
		     db->sql ? sqlite3_errmsg(db->sql) : "out of memory");
	if (err)
		err->code = code;
	return -code;
}

static int prepare(struct lease_db *db, const char *text, sqlite3_stmt **out, struct nd_error *err)
{
	int rc = sqlite3_prepare_v3(db->sql, text, -1, SQLITE_PREPARE_PERSISTENT, out, NULL);

	return rc == SQLITE_OK ? 0 : fail(db, rc, "cannot use the lease database", err);
}

/* Buffers that SQLite takes in advance would be most of an idle server's memory. Only the first call
 * of a process has an effect; SQLite refuses the others, which does no harm. */
static void save_memory(void)
{
	(void)sqlite3_config(SQLITE_CONFIG_PAGECACHE, NULL, 0, 0);
	(void)sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0);
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	(void)sqlite3_config(SQLITE_CONFIG_MMAP_SIZE, (sqlite3_int64)0, (sqlite3_int64)0);
}

/* The result of a query for one number, or -1. */
static int64_t query_int(struct lease_db *db, const char *text)
{
	sqlite3_stmt *st;
	int64_t value = -1;

	if (sqlite3_prepare_v2(db->sql, text, -1, &st, NULL) != SQLITE_OK)
		return -1;
	if (sqlite3_step(st) == SQLITE_ROW)
		value = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return value;
}

static int set_up(struct lease_db *db, bool durable, struct nd_error *err)
{
	int rc, chunk = CHUNK_BYTES, persist = 1;
	int64_t version;

	sqlite3_busy_timeout(db->sql, BUSY_MS);
	sqlite3_file_control(db->sql, "main", SQLITE_FCNTL_CHUNK_SIZE, &chunk);
	/* A server's log outlives it: on a disk that is full by then there would be none. */
	if (durable)
		sqlite3_file_control(db->sql, "main", SQLITE_FCNTL_PERSIST_WAL, &persist);
	rc = sqlite3_exec(db->sql, "PRAGMA locking_mode=EXCLUSIVE", NULL, NULL, NULL);
	if (rc == SQLITE_OK && !durable)
		rc = sqlite3_exec(db->sql, "PRAGMA synchronous=OFF", NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db->sql, durable ? durable_sql : setup_sql, NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_wal_autocheckpoint(db->sql, LOG_PAGES);
	if (rc != SQLITE_OK)
		return fail(db, rc, "cannot open the lease database", err);
	version = query_int(db, "PRAGMA user_version");
	if (version == 0) {
		rc = sqlite3_exec(db->sql, schema_sql, NULL, NULL, NULL);
		if (rc != SQLITE_OK)
			return fail(db, rc, "cannot make the lease database", err);
	} else if (version != VERSION) {
		nd_error_set(err, ND_ERR_OPERATION_FAILED,
			     "the lease database has version %lld, not %d", (long long)version,
			     VERSION);
		return -EUCLEAN;
	}
	return 0;
}

static const char *const statement_sql[N_STATEMENTS] = {
	[PUT] = "REPLACE INTO lease(" COLUMNS ") VALUES(?,?,?,?,?,?,?,?,?)",
	[DELETE] = "DELETE FROM lease WHERE address=?",
	[BEGIN] = "BEGIN IMMEDIATE",
	[COMMIT] = "COMMIT",
	[PAGE_COUNT] = "PRAGMA page_count",
	[RESTORE] = "INSERT INTO lease(" COLUMNS ") VALUES(?,?,?,?,?,?,?,?,?) "
		"ON CONFLICT(address) DO UPDATE SET mac=excluded.mac,state=excluded.state,"
		"client_id=excluded.client_id,hostname=excluded.hostname,"
		"name_configured=excluded.name_configured,plugged=excluded.plugged,"
		"started=excluded.started,expires=excluded.expires "
		"WHERE excluded.started>=lease.started",
};

/* Not in advance: a network's start would wait for it, and its first lease hardly notices. NULL: see
 * sqlite3_errcode(). */
static sqlite3_stmt *statement(struct lease_db *db, enum statement which)
{
	sqlite3_stmt **st = &db->statements[which];

	if (!*st)
		(void)sqlite3_prepare_v3(db->sql, statement_sql[which], -1, SQLITE_PREPARE_PERSISTENT, st, NULL);
	return *st;
}

int lease_db_open(const char *path, bool durable, struct lease_db **out, struct nd_error *err)
{
	ND_AUTO(lease_db_close) struct lease_db *db = calloc(1, sizeof(*db));
	int rc, r;

	if (!db)
		return nd_error_nomem(err);
	save_memory();
	rc = sqlite3_open_v2(path, &db->sql, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
			     SQLITE_OPEN_NOMUTEX, NULL);
	if (rc != SQLITE_OK) {
		r = fail(db, rc, "cannot open the lease database", err);
		return nd_error_prefix(err, "%s", path), r;
	}
	r = set_up(db, durable, err);
	if (r < 0) {
		nd_error_prefix(err, "%s", path);
		return r;
	}
	*out = nd_take_ptr(&db);
	return 0;
}

void lease_db_close(struct lease_db *db)
{
	if (!db)
		return;
	for (size_t i = 0; i < N_STATEMENTS; i++)
		sqlite3_finalize(db->statements[i]);
	sqlite3_close(db->sql);
	free(db);
}

int lease_db_set_clock(struct lease_db *db, const char *boot_id, uint64_t boottime_ms,
		       int64_t wall_s, struct nd_error *err)
{
	sqlite3_stmt *st;
	int r = prepare(db, "SELECT offset_ms FROM clock WHERE boot_id=?", &st, err), rc;

	if (r < 0)
		return r;
	sqlite3_bind_text(st, 1, boot_id, -1, SQLITE_STATIC);
	rc = sqlite3_step(st);
	db->clock_known = rc == SQLITE_ROW && boot_id[0];
	db->offset_ms = db->clock_known ? sqlite3_column_int64(st, 0) :
		wall_s * 1000 - (int64_t)boottime_ms;
	sqlite3_finalize(st);
	snprintf(db->boot_id, sizeof(db->boot_id), "%s", boot_id);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 :
		fail(db, rc, "cannot read the lease database", err);
}

void lease_db_save_clock(struct lease_db *db)
{
	sqlite3_stmt *st;

	if (db->clock_known || lease_db_begin(db) < 0)
		return;
	(void)sqlite3_exec(db->sql, "DELETE FROM clock", NULL, NULL, NULL);
	if (sqlite3_prepare_v2(db->sql, "INSERT INTO clock VALUES(?,?)", -1, &st, NULL) == SQLITE_OK) {
		sqlite3_bind_text(st, 1, db->boot_id, -1, SQLITE_STATIC);
		sqlite3_bind_int64(st, 2, db->offset_ms);
		(void)sqlite3_step(st);
		sqlite3_finalize(st);
	}
	if (lease_db_commit(db) < 0)
		lease_db_rollback(db);
	else
		db->clock_known = true;
}

/* --- rows --- */

static void hex_format(const uint8_t *bytes, size_t len, char *out)
{
	out[0] = '\0';
	for (size_t i = 0; i < len; i++)
		sprintf(out + 3 * i, i + 1 < len ? "%02x:" : "%02x", bytes[i]);
}

static bool hex_parse(const char *text, struct lease_row *row)
{
	unsigned byte;
	int used;

	row->client_id_len = 0;
	while (*text) {
		if (row->client_id_len == sizeof(row->client_id) ||
		    sscanf(text, "%2x%n", &byte, &used) != 1 || used != 2 ||
		    (text[2] != ':' && text[2] != '\0'))
			return false;
		row->client_id[row->client_id_len++] = byte;
		text += text[2] ? 3 : 2;
	}
	return true;
}

static int64_t wall_of_ms(const struct lease_db *db, int64_t boottime_ms, bool up)
{
	int64_t ms = boottime_ms + db->offset_ms;

	return ms / 1000 + (up && ms % 1000 > 0);
}

static bool row_of_record(const struct lease_db *db, const struct lease_record *r,
			  struct lease_row *row)
{
	int64_t expires_ms = r->expires_s * 1000 - db->offset_ms;
	size_t state = 0;

	memset(row, 0, sizeof(*row));
	while (state < ND_COUNT(state_names) && strcmp(state_names[state], r->state) != 0)
		state++;
	if (state == ND_COUNT(state_names) || inet_pton(AF_INET, r->address, &row->address) != 1 ||
	    !nd_mac_parse(r->mac, &row->mac) || !hex_parse(r->client_id, row) ||
	    strlen(r->hostname) >= sizeof(row->hostname) || r->expires_s < 0 ||
	    r->expires_s > INT32_MAX * (int64_t)1000)
		return false;
	strcpy(row->hostname, r->hostname);
	row->state = state;
	row->name_configured = r->name_configured != 0;
	row->plugged = r->plugged != 0;
	row->start_ms = r->started_s * 1000 - db->offset_ms;
	row->expires_ms = r->expires_s == 0 ? LEASE_NEVER_MS : expires_ms > 0 ? expires_ms : 0;
	return true;
}

static const char *column_text(sqlite3_stmt *st, int column)
{
	const unsigned char *text = sqlite3_column_text(st, column);

	return text ? (const char *)text : "";
}

int lease_db_load(struct lease_db *db, void (*load)(void *ctx, const struct lease_row *row),
		  void *ctx, size_t *n_out, struct nd_error *err)
{
	sqlite3_stmt *st;
	struct lease_row row;
	int r = prepare(db, "SELECT " COLUMNS " FROM lease", &st, err), rc;

	*n_out = 0;
	if (r < 0)
		return r;
	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		struct lease_record rec = {
			column_text(st, 0), column_text(st, 1), column_text(st, 2),
			column_text(st, 3), column_text(st, 4), sqlite3_column_int64(st, 5),
			sqlite3_column_int64(st, 6), sqlite3_column_int64(st, 7),
			sqlite3_column_int64(st, 8) };

		if (!row_of_record(db, &rec, &row)) {
			nd_error_set(err, ND_ERR_OPERATION_FAILED,
				     "the row of address '%.20s' cannot be read", rec.address);
			rc = SQLITE_CORRUPT;
			break;
		}
		load(ctx, &row);
		(*n_out)++;
	}
	if (rc != SQLITE_DONE && (!err || !err->text[0]))
		fail(db, rc, "cannot read the lease database", err);
	sqlite3_finalize(st);
	return rc == SQLITE_DONE ? 0 : code_of(rc);
}

/* st is what statement() gave. */
static int step(struct lease_db *db, sqlite3_stmt *st)
{
	int rc = st ? sqlite3_step(st) : sqlite3_errcode(db->sql);

	sqlite3_reset(st);
	return code_of(rc);
}

int lease_db_begin(struct lease_db *db)
{
	return step(db, statement(db, BEGIN));
}

static int put_record(struct lease_db *db, sqlite3_stmt *st, const struct lease_record *r)
{
	const char *const texts[] = { r->address, r->mac, r->state, r->client_id, r->hostname };
	const int64_t numbers[] = { r->name_configured, r->plugged, r->started_s, r->expires_s };

	for (int i = 0; i < 5; i++)
		sqlite3_bind_text(st, 1 + i, texts[i], -1, SQLITE_STATIC);
	for (int i = 0; i < 4; i++)
		sqlite3_bind_int64(st, 6 + i, numbers[i]);
	return step(db, st);
}

int lease_db_put(struct lease_db *db, const struct lease_row *row)
{
	char address[INET_ADDRSTRLEN], mac[ND_MAC_STRLEN], client_id[3 * 255 + 1];
	struct lease_record r = {
		.address = inet_ntop(AF_INET, &row->address, address, sizeof(address)),
		.mac = nd_mac_format(&row->mac, mac),
		.client_id = client_id,
		.hostname = row->hostname,
		.name_configured = row->name_configured,
		.plugged = row->plugged,
	};

	if (row->state == LEASE_ROW_GONE) {
		sqlite3_stmt *st = statement(db, DELETE);

		sqlite3_bind_text(st, 1, address, -1, SQLITE_STATIC);
		return step(db, st);
	}
	r.state = state_names[row->state];
	hex_format(row->client_id, row->client_id_len, client_id);
	r.started_s = wall_of_ms(db, row->start_ms, false);
	/* Rounded up: a restart may only find a lease longer than it was promised. */
	r.expires_s = row->expires_ms == LEASE_NEVER_MS ? 0 :
		wall_of_ms(db, (int64_t)row->expires_ms, true);
	return put_record(db, statement(db, PUT), &r);
}

/*
 * Takes the disk's room for all pages now, though they stand in the log only. Once a row is
 * there, it can be replaced on a full disk: the log can always be emptied into the file.
 */
static int take_room(struct lease_db *db)
{
	sqlite3_stmt *st = statement(db, PAGE_COUNT);
	int64_t bytes = 0;
	int rc = sqlite3_step(st);

	if (rc == SQLITE_ROW)
		bytes = sqlite3_column_int64(st, 0) * PAGE_BYTES;
	sqlite3_reset(st);
	rc = sqlite3_file_control(db->sql, "main", SQLITE_FCNTL_SIZE_HINT, &bytes);
	/* SQLite calls whatever stops a file from growing an input or output error. */
	return rc == SQLITE_OK ? 0 : -ENOSPC;
}

int lease_db_commit(struct lease_db *db)
{
	int r = take_room(db);

	return r < 0 ? r : step(db, statement(db, COMMIT));
}

void lease_db_rollback(struct lease_db *db)
{
	/* Some errors have rolled back already: then there is nothing to roll back. */
	if (!sqlite3_get_autocommit(db->sql))
		(void)sqlite3_exec(db->sql, "ROLLBACK", NULL, NULL, NULL);
}

void lease_db_rewind_log(struct lease_db *db)
{
	/* On a full disk it may fail: then nothing is won. */
	(void)sqlite3_wal_checkpoint_v2(db->sql, NULL, SQLITE_CHECKPOINT_RESTART, NULL, NULL);
}

bool lease_db_restore(struct lease_db *db, const struct lease_record *record)
{
	struct lease_row row;

	return row_of_record(db, record, &row) &&
		put_record(db, statement(db, RESTORE), record) == 0;
}
