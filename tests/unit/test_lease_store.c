/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Leases on disk: what was acknowledged is there after a crash, a damage, a full disk. */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dhcp/lease_store.h"
#include "tests/suite.h"

#define BOOT_MS 5000000u
#define WALL_S 1800000000
#define N_MAX 4096

static char dir[64], path[128];
static struct lease_store *store;
static struct lease_store_report report;
static struct lease_row loaded[N_MAX];
static size_t n_loaded, n_done;
static int last_error;
static uint64_t last_ticket;

static void setup(void)
{
	strcpy(dir, "/tmp/netd-lease-store-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/leases.db", dir);
}

static void teardown(void)
{
	char command[128];

	lease_store_close(store);
	store = NULL;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static void on_load(void *ctx, const struct lease_row *row)
{
	for (size_t i = 0; i < n_loaded; i++)
		if (loaded[i].address.s_addr == row->address.s_addr)
			return;
	ck_assert_uint_lt(n_loaded, N_MAX);
	loaded[n_loaded++] = *row;
}

static int open_at(const char *boot_id, uint64_t boottime_ms, int64_t wall_s, struct nd_error *err)
{
	struct lease_store_setup s = { .path = path, .boot_id = boot_id,
				       .boottime_ms = boottime_ms, .wall_s = wall_s,
				       .load = on_load };

	lease_store_close(store);
	store = NULL;
	n_loaded = 0;
	return lease_store_open(&s, &store, &report, err);
}

static void reopen(void)
{
	struct nd_error err = { 0 };

	ck_assert_msg(open_at("boot", BOOT_MS, WALL_S, &err) == 0, "%s", err.text);
}

static struct lease_row row_of(unsigned n)
{
	struct lease_row r = { .address = { htonl(0x0a000000 + n) },
			       .mac = { { 2, 0, 0, 0, n >> 8, n & 0xff } },
			       .start_ms = BOOT_MS, .expires_ms = BOOT_MS + 3600000 };

	snprintf(r.hostname, sizeof(r.hostname), "guest-%u", n);
	r.client_id_len = 7;
	memcpy(r.client_id, "\x01\x02\x00\x00\x00\xff\x07", 7);
	return r;
}

static void on_done(void *ctx, uint64_t ticket, int error)
{
	n_done++;
	last_ticket = ticket;
	last_error = error;
}

/* Waits until everything that was put is done. */
static void settle(void)
{
	struct pollfd p = { .fd = lease_store_fd(store), .events = POLLIN };

	while (lease_store_pending(store)) {
		ck_assert_int_eq(poll(&p, 1, 10000), 1);
		lease_store_drain(store, on_done, NULL);
	}
}

static int put(const struct lease_row *row)
{
	last_error = 1;
	ck_assert_int_eq(lease_store_put(store, row, 7), 0);
	settle();
	return last_error;
}

static const struct lease_row *find(unsigned n)
{
	for (size_t i = 0; i < n_loaded; i++)
		if (loaded[i].address.s_addr == htonl(0x0a000000 + n))
			return &loaded[i];
	return NULL;
}

START_TEST(a_row_comes_back_as_it_was)
{
	struct lease_row row = row_of(300);
	const struct lease_row *back;

	row.plugged = true;
	row.name_configured = true;
	memset(row.client_id, 0xab, 255);
	row.client_id_len = 255;
	reopen();
	ck_assert_uint_eq(n_loaded, 0);
	ck_assert_int_eq(put(&row), 0);
	reopen();
	ck_assert(!report.damaged);
	ck_assert_uint_eq(n_loaded, 1);
	ck_assert_uint_eq(report.rows, 1);
	back = find(300);
	ck_assert(nd_mac_equal(&back->mac, &row.mac));
	ck_assert_int_eq(back->state, LEASE_ROW_BOUND);
	ck_assert(back->plugged && back->name_configured);
	ck_assert_uint_eq(back->client_id_len, 255);
	ck_assert_mem_eq(back->client_id, row.client_id, 255);
	ck_assert_str_eq(back->hostname, "guest-300");
	ck_assert_int_eq(back->start_ms, row.start_ms);
	ck_assert_uint_eq(back->expires_ms, row.expires_ms);
}
END_TEST

START_TEST(rows_are_replaced_and_deleted_in_order)
{
	struct lease_row a = row_of(1), b = row_of(1), c = row_of(2);

	b.state = LEASE_ROW_RELEASED;
	b.expires_ms = LEASE_NEVER_MS;
	reopen();
	n_done = 0;
	ck_assert_int_eq(lease_store_put(store, &a, 1), 0);
	ck_assert_int_eq(lease_store_put(store, &c, 2), 0);
	ck_assert_int_eq(lease_store_put(store, &b, 0), 0);
	c.state = LEASE_ROW_GONE;
	ck_assert_int_eq(lease_store_put(store, &c, 3), 0);
	settle();
	ck_assert_uint_eq(n_done, 3);
	ck_assert_uint_eq(last_ticket, 3);
	reopen();
	ck_assert_uint_eq(n_loaded, 1);
	ck_assert_int_eq(loaded[0].state, LEASE_ROW_RELEASED);
	ck_assert_uint_eq(loaded[0].expires_ms, LEASE_NEVER_MS);
}
END_TEST

START_TEST(no_memory_is_shared_with_other_processes)
{
	struct lease_row row = row_of(1);
	struct stat st;
	char shm[160];

	snprintf(shm, sizeof(shm), "%s-shm", path);
	ck_assert_int_eq(lease_store_create(path, NULL), 0);
	for (int round = 0; round < 2; round++) {
		reopen();
		ck_assert_int_eq(put(&row), 0);
		ck_assert_int_lt(stat(shm, &st), 0);
	}
}
END_TEST

START_TEST(full_queue_says_so)
{
	struct lease_row row = row_of(1);
	int r = 0, n = 0;

	reopen();
	while (r == 0 && n < 100000)
		r = lease_store_put(store, &row, ++n);
	ck_assert_int_eq(r, -ENOBUFS);
	settle();
	ck_assert_int_eq(put(&row), 0);
}
END_TEST

START_TEST(create_leaves_what_is_there_alone)
{
	struct lease_row row = row_of(1);
	struct stat st;
	char link[128];

	ck_assert_int_eq(lease_store_create(path, NULL), 0);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	reopen();
	ck_assert_int_eq(put(&row), 0);
	lease_store_close(store);
	store = NULL;
	ck_assert_int_eq(lease_store_create(path, NULL), 0);
	reopen();
	ck_assert_uint_eq(n_loaded, 1);
	/* a dangling link in a folder that a server may write to is not followed */
	snprintf(link, sizeof(link), "%s/link", dir);
	ck_assert_int_eq(symlink("elsewhere", link), 0);
	ck_assert_int_eq(lease_store_create(link, NULL), 0);
	snprintf(link, sizeof(link), "%s/elsewhere", dir);
	ck_assert_int_lt(stat(link, &st), 0);
}
END_TEST

START_TEST(setting_the_wall_clock_changes_no_lease)
{
	struct lease_row row = row_of(1);

	reopen();
	ck_assert_int_eq(put(&row), 0);
	/* ten seconds later by the boot clock, ten years by the wall clock */
	ck_assert_int_eq(open_at("boot", BOOT_MS + 10000, WALL_S + 315360000, NULL), 0);
	ck_assert_uint_eq(loaded[0].expires_ms, row.expires_ms);
	ck_assert_int_eq(open_at("boot", BOOT_MS + 20000, 0, NULL), 0);
	ck_assert_uint_eq(loaded[0].expires_ms, row.expires_ms);
}
END_TEST

START_TEST(after_a_boot_the_wall_clock_counts)
{
	struct lease_row row = row_of(1);

	reopen();
	ck_assert_int_eq(put(&row), 0);
	/* booted 100 s ago, half an hour after the lease began */
	ck_assert_int_eq(open_at("next", 100000, WALL_S + 1800, NULL), 0);
	ck_assert_uint_eq(loaded[0].expires_ms, 100000 + 1800000);
	ck_assert_int_eq(loaded[0].start_ms, 100000 - 1800000);
	ck_assert_int_eq(open_at("third", 100000, WALL_S + 9000, NULL), 0);
	ck_assert_uint_eq(loaded[0].expires_ms, 0);
}
END_TEST

/* The child: commits rows as fast as it can and says which are done. */
static _Noreturn void commit_for_ever(int to)
{
	unsigned n = 0;

	reopen();
	for (;;) {
		for (unsigned i = 0; i < 5; i++) {
			struct lease_row row = row_of(n++ % 2000);

			row.start_ms += n;
			if (lease_store_put(store, &row, n) < 0)
				_exit(1);
		}
		n_done = 0;
		settle();
		if (last_error || write(to, &n, sizeof(n)) != sizeof(n))
			_exit(1);
	}
}

START_TEST(what_was_done_is_there_after_kill_9)
{
	for (unsigned round = 0; round < 8; round++) {
		unsigned n = 0;
		int fds[2];
		pid_t pid;

		ck_assert_int_eq(pipe(fds), 0);
		pid = fork();
		if (pid == 0) {
			close(fds[0]);
			commit_for_ever(fds[1]);
		}
		close(fds[1]);
		usleep(20000 + round * 7000);
		ck_assert_int_eq(kill(pid, SIGKILL), 0);
		ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
		while (read(fds[0], &n, sizeof(n)) == sizeof(n))
			;
		close(fds[0]);
		reopen();
		ck_assert(!report.damaged);
		ck_assert_uint_ge(n_loaded, n < 2000 ? n : 2000);
		for (unsigned i = 0; i < n && i < 2000; i++)
			ck_assert_ptr_nonnull(find(i));
		lease_store_close(store);
		store = NULL;
	}
}
END_TEST

/* A database of n rows, all of them moved from the log to their place. */
static void fill(unsigned n)
{
	char log[160];

	reopen();
	for (unsigned i = 0; i < n; i++) {
		struct lease_row row = row_of(i);

		ck_assert_int_eq(lease_store_put(store, &row, 0), 0);
		if (i % 500 == 499)
			settle();
	}
	settle();
	lease_store_close(store);
	store = NULL;
	snprintf(log, sizeof(log), "%s-wal", path);
	ck_assert_int_eq(unlink(log), 0);
}

static void damage(long at, size_t len, int with)
{
	FILE *f = fopen(path, "r+");

	ck_assert_ptr_nonnull(f);
	fseek(f, at, SEEK_SET);
	while (len--)
		fputc(with, f);
	fclose(f);
}

static void assert_set_aside(void)
{
	struct nd_error err = { 0 };
	char aside[256];
	struct stat st;

	ck_assert_msg(open_at("boot", BOOT_MS, WALL_S, &err) == 0, "%s", err.text);
	ck_assert(report.damaged);
	ck_assert(report.why.text[0]);
	snprintf(aside, sizeof(aside), "%s/%s", dir, report.aside);
	ck_assert_int_eq(stat(aside, &st), 0);
	ck_assert_ptr_nonnull(strstr(aside, "leases.db.damaged-1800000000"));
}

START_TEST(database_with_a_wrong_header_is_rebuilt)
{
	fill(1000);
	damage(0, 100, 'x');
	assert_set_aside();
	ck_assert_uint_eq(n_loaded, 1000);
	ck_assert_str_eq(find(700)->hostname, "guest-700");
	ck_assert_uint_eq(find(700)->expires_ms, BOOT_MS + 3600000);
	reopen();
	ck_assert(!report.damaged);
	ck_assert_uint_eq(n_loaded, 1000);
}
END_TEST

START_TEST(database_with_wrong_pages_loses_only_those)
{
	fill(1000);
	damage(4096 * 5, 4096 * 2, 0xee);
	assert_set_aside();
	ck_assert_uint_gt(n_loaded, 900);
	ck_assert_uint_lt(n_loaded, 1000);
}
END_TEST

START_TEST(database_whose_root_is_lost_is_rebuilt)
{
	fill(1000);
	damage(4096, 4096, 0);
	assert_set_aside();
	ck_assert_uint_gt(n_loaded, 950);
}
END_TEST

START_TEST(truncated_database_is_rebuilt)
{
	fill(1000);
	ck_assert_int_eq(truncate(path, 4096 * 8 + 100), 0);
	assert_set_aside();
	ck_assert_uint_gt(n_loaded, 100);
}
END_TEST

START_TEST(file_that_is_no_database_is_set_aside)
{
	FILE *f = fopen(path, "w");

	for (int i = 0; i < 3000; i++)
		fprintf(f, "not a database %d\n", i);
	fclose(f);
	assert_set_aside();
	ck_assert_uint_eq(n_loaded, 0);
}
END_TEST

START_TEST(any_damage_leaves_a_store_that_works)
{
	for (unsigned seed = 1; seed <= 40; seed++) {
		struct lease_row row = row_of(3000);

		srand(seed);
		(void)unlink(path);
		fill(200);
		for (int i = 0; i < 1 + rand() % 8; i++)
			damage(rand() % (4096 * 10), 1 + rand() % 64, rand() % 256);
		ck_assert_int_eq(open_at("boot", BOOT_MS, WALL_S + seed, NULL), 0);
		ck_assert_int_eq(put(&row), 0);
	}
}
END_TEST

static void hand_three(void *ctx, lease_store_putter hand, void *arg)
{
	for (unsigned i = 1; i <= 3; i++) {
		struct lease_row row = row_of(i);

		hand(arg, &row);
	}
}

START_TEST(database_damaged_at_work_is_written_anew)
{
	struct lease_store_report rebuilt;
	struct lease_row row;
	int r = 0, fd;

	fill(4000);
	reopen();
	fd = lease_store_fd(store);
	damage(4096, 4096 * 60, 0xee);
	for (unsigned i = 0; i < 4000 && r == 0; i += 37) {
		row = row_of(i);
		r = put(&row);
	}
	ck_assert_int_eq(r, -EUCLEAN);
	ck_assert_int_eq(lease_store_rebuild(store, BOOT_MS + 1000, WALL_S + 1, hand_three, NULL,
					     &rebuilt, NULL), 0);
	ck_assert_uint_eq(rebuilt.rows, 3);
	ck_assert_str_eq(rebuilt.aside, "leases.db.damaged-1800000001");
	ck_assert_int_eq(lease_store_fd(store), fd);
	row = row_of(4);
	ck_assert_int_eq(put(&row), 0);
	reopen();
	ck_assert(!report.damaged);
	ck_assert_uint_eq(n_loaded, 4);
	ck_assert_uint_eq(find(3)->expires_ms, BOOT_MS + 3600000);
}
END_TEST

/* Fills the disk until not a byte goes on it. */
static void fill_disk(void)
{
	char file[128], block[4096] = { 0 };
	int fd;

	snprintf(file, sizeof(file), "%s/ballast", dir);
	fd = open(file, O_WRONLY | O_CREAT, 0600);
	while (write(fd, block, sizeof(block)) > 0)
		;
	close(fd);
}

static _Noreturn void on_full_disk(void)
{
	struct lease_row row;
	unsigned refused = 0;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", dir, "tmpfs", 0, "size=2m") < 0)
		_exit(77);
	reopen();
	for (unsigned i = 0; i < 50; i++) {
		row = row_of(i);
		if (put(&row) != 0)
			_exit(2);
	}
	fill_disk();
	for (unsigned i = 1000; i < 1900; i++) {
		row = row_of(i);
		refused += put(&row) == -ENOSPC;
	}
	if (!refused)
		_exit(3);
	/* A lease that has its row is renewed all the same. */
	for (unsigned i = 0; i < 50; i++) {
		row = row_of(i);
		row.expires_ms += 1000000;
		if (put(&row) != 0)
			_exit(4);
	}
	/* Also by a server that starts on the full disk. */
	reopen();
	for (unsigned i = 0; i < 50; i++) {
		if (!find(i) || find(i)->expires_ms != BOOT_MS + 4600000)
			_exit(5);
		row = row_of(i);
		row.expires_ms += 2000000;
		if (put(&row) != 0)
			_exit(6);
	}
	_exit(0);
}

START_TEST(full_disk_refuses_new_leases_and_keeps_the_old)
{
	pid_t pid;
	int status;

	if (geteuid() != 0)
		return;			/* a file system of its own needs root */
	pid = fork();
	if (pid == 0)
		on_full_disk();
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("lease_store");
	TCase *c = tcase_create("store");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_set_timeout(c, 60);
	tcase_add_test(c, a_row_comes_back_as_it_was);
	tcase_add_test(c, rows_are_replaced_and_deleted_in_order);
	tcase_add_test(c, no_memory_is_shared_with_other_processes);
	tcase_add_test(c, full_queue_says_so);
	tcase_add_test(c, create_leaves_what_is_there_alone);
	tcase_add_test(c, setting_the_wall_clock_changes_no_lease);
	tcase_add_test(c, after_a_boot_the_wall_clock_counts);
	tcase_add_test(c, what_was_done_is_there_after_kill_9);
	tcase_add_test(c, database_with_a_wrong_header_is_rebuilt);
	tcase_add_test(c, database_with_wrong_pages_loses_only_those);
	tcase_add_test(c, database_whose_root_is_lost_is_rebuilt);
	tcase_add_test(c, truncated_database_is_rebuilt);
	tcase_add_test(c, file_that_is_no_database_is_set_aside);
	tcase_add_test(c, any_damage_leaves_a_store_that_works);
	tcase_add_test(c, database_damaged_at_work_is_written_anew);
	tcase_add_test(c, full_disk_refuses_new_leases_and_keeps_the_old);
	suite_add_tcase(s, c);
	return s;
}

int main(void)
{
	return suite_run(suite());
}
