/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dhcp/lease_store.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

#include "dhcp/lease_db.h"
#include "netd/base/effect.h"

#define QUEUE_MAX 1024			/* rows queued and not yet drained */
#define STACK_BYTES (256 * 1024)

struct entry {
	STAILQ_ENTRY(entry) link;
	uint64_t ticket;
	int error;
	struct lease_row row;
};

STAILQ_HEAD(entry_list, entry);

struct lease_store {
	char *path, *boot_id;
	struct lease_db *db;		/* the thread's, while it runs */
	int event_fd;
	pthread_t thread;
	bool running;
	size_t n_pending;		/* the caller's */
	pthread_mutex_t lock;		/* of what follows */
	pthread_cond_t wake;
	struct entry_list queued, done;
	bool stop;
};

/* --- the thread --- */

static int write_rows(struct lease_db *db, const struct entry *first, const struct entry *end)
{
	int r = lease_db_begin(db);

	for (const struct entry *e = first; e != end && r == 0; e = STAILQ_NEXT(e, link))
		r = lease_db_put(db, &e->row);
	if (r == 0)
		r = lease_db_commit(db);
	if (r < 0)
		lease_db_rollback(db);
	return r;
}

static void write_batch(struct lease_db *db, struct entry_list *batch)
{
	struct entry *e;
	int r = write_rows(db, STAILQ_FIRST(batch), NULL);

	STAILQ_FOREACH(e, batch, link)
		e->error = r;
	if (r != -ENOSPC)
		return;
	/* Not enough room for all: each by itself, since what only replaces a row may still fit. */
	lease_db_rewind_log(db);
	STAILQ_FOREACH(e, batch, link)
		e->error = write_rows(db, e, STAILQ_NEXT(e, link));
}

static void *run(void *arg)
{
	struct lease_store *s = arg;
	struct entry_list batch = STAILQ_HEAD_INITIALIZER(batch);
	const uint64_t one = 1;
	ssize_t n;

	lease_db_save_clock(s->db);
	pthread_mutex_lock(&s->lock);
	for (;;) {
		while (STAILQ_EMPTY(&s->queued) && !s->stop)
			pthread_cond_wait(&s->wake, &s->lock);
		if (STAILQ_EMPTY(&s->queued))
			break;
		STAILQ_CONCAT(&batch, &s->queued);
		pthread_mutex_unlock(&s->lock);
		write_batch(s->db, &batch);
		pthread_mutex_lock(&s->lock);
		STAILQ_CONCAT(&s->done, &batch);
		n = write(s->event_fd, &one, sizeof(one));
		(void)n;		/* cannot fail: the counter is far from full */
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

/* --- opening --- */

int lease_store_create(const char *path, struct nd_error *err)
{
	ND_AUTO(close) int fd = -1;
	struct lease_db *db = NULL;
	int r = nd_effect(ND_EFFECT_FILE, "make the lease database");

	if (r < 0)
		return nd_error_sys(err, -r, "cannot make the lease database '%s'", path);
	/* Never through a link: the folder is a server's. */
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno == EEXIST ? 0 :
			nd_error_sys(err, errno, "cannot make the lease database '%s'", path);
	r = lease_db_open(path, false, &db, err);
	lease_db_close(db);
	if (r == 0 && fsync(fd) < 0)
		return nd_error_sys(err, errno, "cannot make the lease database '%s'", path);
	return r;
}

static int seed_rows(struct lease_db *db, const struct lease_seed *seed)
{
	int r = lease_db_begin(db);

	if (r < 0)
		return r;
	for (size_t i = 0; i < seed->n && r == 0; i++)
		r = lease_db_put(db, &seed->rows[i]);
	if (r == 0)
		r = lease_db_commit(db);
	if (r < 0)
		lease_db_rollback(db);
	return r;
}

int lease_store_seed(const char *path, const struct lease_seed *seed, struct nd_error *err)
{
	ND_AUTO(lease_db_close) struct lease_db *db = NULL;
	int r = nd_effect(ND_EFFECT_FILE, "put leases into the database");

	if (r < 0)
		return nd_error_sys(err, -r, "cannot put leases into '%s'", path);
	r = lease_db_open(path, true, &db, err);
	if (r == 0)
		r = lease_db_set_clock(db, seed->boot_id, seed->boottime_ms, seed->wall_s, err);
	if (r < 0)
		return r;
	lease_db_save_clock(db);
	r = seed_rows(db, seed);
	return r < 0 ? nd_error_sys(err, -r, "cannot put leases into '%s'", path) : 0;
}

static int move_aside(const char *path, const char *suffix, const char *aside)
{
	char from[4096], to[4096];
	int r = nd_effect(ND_EFFECT_FILE, "set the damaged lease database aside");

	if (r < 0)
		return r;
	if ((size_t)snprintf(from, sizeof(from), "%s%s", path, suffix) >= sizeof(from) ||
	    (size_t)snprintf(to, sizeof(to), "%s%s", aside, suffix) >= sizeof(to))
		return -ENAMETOOLONG;
	return rename(from, to) < 0 ? -errno : 0;
}

/* Renames the database and its log; the new name in aside, its last part in the report. */
static int set_aside(const char *path, int64_t wall_s, char aside[4096],
		     struct lease_store_report *report, struct nd_error *err)
{
	const char *base;
	int r;

	report->damaged = true;
	if (snprintf(aside, 4096, "%s.damaged-%lld", path, (long long)wall_s) >= 4096)
		return nd_error_sys(err, ENAMETOOLONG, "%s", path);
	r = move_aside(path, "", aside);
	if (r < 0)
		return nd_error_sys(err, -r, "cannot set the damaged lease database '%s' aside",
				    path);
	r = move_aside(path, "-wal", aside);
	if (r < 0 && r != -ENOENT)
		return nd_error_sys(err, -r, "cannot set the damaged lease log '%s-wal' aside",
				    path);
	base = strrchr(aside, '/') ? strrchr(aside, '/') + 1 : aside;
	snprintf(report->aside, sizeof(report->aside), "%.*s", (int)sizeof(report->aside) - 1, base);
	return 0;
}

/* Opens or makes the database and settles its clock. */
static int open_db(const char *path, const char *boot_id, uint64_t boottime_ms, int64_t wall_s,
		   struct lease_db **db, struct nd_error *err)
{
	int r = lease_db_open(path, true, db, err);

	return r < 0 ? r : lease_db_set_clock(*db, boot_id, boottime_ms, wall_s, err);
}

/* Sets the damaged database aside, makes a new one, fills it with what can be read. */
static int salvage(struct lease_store *s, const struct lease_store_setup *setup,
		   struct lease_store_report *report, struct nd_error *err)
{
	char aside[4096];
	int r;

	lease_db_close(s->db);
	s->db = NULL;
	r = set_aside(s->path, setup->wall_s, aside, report, err);
	if (r == 0)
		r = open_db(s->path, s->boot_id, setup->boottime_ms, setup->wall_s, &s->db, err);
	if (r < 0)
		return r;
	lease_salvage(aside, s->db);
	return lease_db_load(s->db, setup->load, setup->ctx, &report->rows, err);
}

static int open_and_load(struct lease_store *s, const struct lease_store_setup *setup,
			 struct lease_store_report *report, struct nd_error *err)
{
	int r = open_db(s->path, s->boot_id, setup->boottime_ms, setup->wall_s, &s->db,
			&report->why);

	if (r == 0)
		r = lease_db_load(s->db, setup->load, setup->ctx, &report->rows, &report->why);
	if (r == -EUCLEAN)
		return salvage(s, setup, report, err);
	if (r < 0 && err)
		*err = report->why;
	return r;
}

static int start_thread(struct lease_store *s, struct nd_error *err)
{
	pthread_attr_t attr;
	sigset_t all, old;
	int r;

	/* Signals are the loop's business. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	r = pthread_create(&s->thread, &attr, run, s);
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r)
		return nd_error_sys(err, r, "cannot start the thread that writes leases");
	s->running = true;
	return 0;
}

int lease_store_open(const struct lease_store_setup *setup, struct lease_store **out,
		     struct lease_store_report *report, struct nd_error *err)
{
	ND_AUTO(lease_store_close) struct lease_store *s = calloc(1, sizeof(*s));
	struct lease_store_report unasked;
	int r;

	if (!s)
		return nd_error_nomem(err);
	report = report ? report : &unasked;
	memset(report, 0, sizeof(*report));
	STAILQ_INIT(&s->queued);
	STAILQ_INIT(&s->done);
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->wake, NULL);
	s->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->event_fd < 0)
		return nd_error_sys(err, errno, "cannot make an eventfd");
	s->path = strdup(setup->path);
	s->boot_id = strdup(setup->boot_id ? setup->boot_id : "");
	if (!s->path || !s->boot_id)
		return nd_error_nomem(err);
	r = open_and_load(s, setup, report, err);
	if (r < 0)
		return r;
	r = start_thread(s, err);
	if (r < 0)
		return r;
	*out = nd_take_ptr(&s);
	return 0;
}

static void free_list(struct entry_list *list)
{
	struct entry *e;

	while ((e = STAILQ_FIRST(list))) {
		STAILQ_REMOVE_HEAD(list, link);
		free(e);
	}
}

/* The thread writes what is queued and ends. */
static void stop_thread(struct lease_store *s)
{
	if (!s->running)
		return;
	pthread_mutex_lock(&s->lock);
	s->stop = true;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
	s->running = false;
	s->stop = false;
}

void lease_store_close(struct lease_store *s)
{
	if (!s)
		return;
	stop_thread(s);
	lease_db_close(s->db);
	free_list(&s->queued);
	free_list(&s->done);
	if (s->event_fd >= 0)
		close(s->event_fd);
	pthread_cond_destroy(&s->wake);
	pthread_mutex_destroy(&s->lock);
	free(s->path);
	free(s->boot_id);
	free(s);
}

struct filling {
	struct lease_db *db;
	size_t rows;
	int error;
};

static void fill_one(void *arg, const struct lease_row *row)
{
	struct filling *f = arg;

	if (f->error == 0)
		f->error = lease_db_put(f->db, row);
	f->rows++;
}

int lease_store_rebuild(struct lease_store *s, uint64_t boottime_ms, int64_t wall_s,
			void (*fill)(void *ctx, lease_store_putter put, void *arg), void *ctx,
			struct lease_store_report *report, struct nd_error *err)
{
	struct filling f = { 0 };
	char aside[4096];
	int r;

	memset(report, 0, sizeof(*report));
	stop_thread(s);
	lease_db_close(s->db);
	s->db = NULL;
	nd_error_set(&report->why, ND_ERR_OPERATION_FAILED, "a lease could not be written");
	r = set_aside(s->path, wall_s, aside, report, err);
	if (r == 0)
		r = open_db(s->path, s->boot_id, boottime_ms, wall_s, &s->db, err);
	if (r < 0)
		return r;
	f.db = s->db;
	f.error = lease_db_begin(s->db);
	fill(ctx, fill_one, &f);
	r = f.error < 0 ? f.error : lease_db_commit(s->db);
	if (r < 0) {
		lease_db_rollback(s->db);
		return nd_error_sys(err, -r, "cannot fill the new lease database '%s'", s->path);
	}
	report->rows = f.rows;
	return start_thread(s, err);
}

/* --- the caller's side --- */

int lease_store_put(struct lease_store *s, const struct lease_row *row, uint64_t ticket)
{
	struct entry *e;

	if (s->n_pending >= QUEUE_MAX)
		return -ENOBUFS;
	if (!s->running)
		return -EIO;
	e = malloc(sizeof(*e));
	if (!e)
		return -ENOMEM;
	e->ticket = ticket;
	e->error = 0;
	e->row = *row;
	s->n_pending++;
	pthread_mutex_lock(&s->lock);
	STAILQ_INSERT_TAIL(&s->queued, e, link);
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
	return 0;
}

int lease_store_fd(const struct lease_store *s)
{
	return s->event_fd;
}

void lease_store_drain(struct lease_store *s,
		       void (*done)(void *ctx, uint64_t ticket, int error), void *ctx)
{
	struct entry_list finished = STAILQ_HEAD_INITIALIZER(finished);
	struct entry *e;
	uint64_t count;
	ssize_t n = read(s->event_fd, &count, sizeof(count));

	(void)n;			/* nothing to read: then nothing is done */
	pthread_mutex_lock(&s->lock);
	STAILQ_CONCAT(&finished, &s->done);
	pthread_mutex_unlock(&s->lock);
	while ((e = STAILQ_FIRST(&finished))) {
		STAILQ_REMOVE_HEAD(&finished, link);
		s->n_pending--;
		if (e->ticket)
			done(ctx, e->ticket, e->error);
		free(e);
	}
}

size_t lease_store_pending(const struct lease_store *s)
{
	return s->n_pending;
}
