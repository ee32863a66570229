/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_lease_dir.c -- the folder and uid of each network's server */
#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "netd/daemon/lease_dir.h"
#include "tests/suite.h"

static char top[64], root[128];
static struct lease_dirs *dirs;
static struct nd_error err;

static void start(uint32_t n_uids)
{
	err = (struct nd_error){ 0 };
	ck_assert_int_eq(lease_dirs_new(root, 900000, n_uids, &dirs, &err), 0);
}

static void setup(void)
{
	strcpy(top, "/tmp/netd-lease-dir.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(top));
	snprintf(root, sizeof(root), "%s/leases", top);
	start(3);
}

static void teardown(void)
{
	char command[128];

	lease_dirs_free(dirs);
	snprintf(command, sizeof(command), "rm -rf %s", top);
	ck_assert_int_eq(system(command), 0);
}

static struct nd_uuid uuid(uint8_t n)
{
	return (struct nd_uuid){ { [15] = n } };
}

static void path_of(const struct nd_uuid *u, const char *before, const char *after, char *to)
{
	char text[ND_UUID_STRLEN];

	sprintf(to, "%s/%s%s%s", root, before, nd_uuid_format(u, text), after);
}

static uid_t make(uint8_t n)
{
	struct nd_uuid u = uuid(n);
	uid_t uid = 0;

	ck_assert_msg(lease_dirs_make(dirs, &u, &uid, &err) == 0, "%s", err.text);
	return uid;
}

START_TEST(a_folder_and_its_database_belong_to_one_uid_alone)
{
	struct nd_uuid u = uuid(1);
	char path[256];
	struct stat st;
	uid_t uid = make(1);

	path_of(&u, "", "", path);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_uid, uid);
	ck_assert_uint_eq(st.st_mode & 07777, 0700);
	strcat(path, "/leases.db");
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_uid, uid);
	ck_assert_uint_eq(make(1), uid);
}
END_TEST

START_TEST(uids_are_not_shared_and_found_again)
{
	uid_t a = make(1), b = make(2);

	ck_assert_uint_ne(a, b);
	lease_dirs_free(dirs);
	start(3);
	ck_assert_uint_eq(make(1), a);
	ck_assert_uint_ne(make(3), a);
	ck_assert_uint_ne(make(3), b);
}
END_TEST

START_TEST(a_range_that_is_used_up_says_so_until_one_is_free)
{
	struct nd_uuid two = uuid(2), four = uuid(4);
	uid_t uid;

	for (uint8_t n = 1; n <= 3; n++)
		make(n);
	ck_assert_int_lt(lease_dirs_make(dirs, &four, &uid, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.text, "all 3 uids"));
	ck_assert_int_eq(lease_dirs_remove(dirs, &two, &err), 0);
	make(4);
}
END_TEST

START_TEST(what_was_removed_is_gone_and_removing_it_again_is_fine)
{
	struct nd_uuid u = uuid(1);
	char path[256];

	make(1);
	path_of(&u, "", "/leases.db-wal", path);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	ck_assert_int_eq(lease_dirs_remove(dirs, &u, &err), 0);
	path_of(&u, "", "", path);
	ck_assert_int_lt(access(path, F_OK), 0);
	ck_assert_int_eq(lease_dirs_remove(dirs, &u, &err), 0);
}
END_TEST

START_TEST(what_a_crash_left_half_made_is_cleared_away)
{
	struct nd_uuid u = uuid(1);
	char path[256];

	path_of(&u, ".", ".new", path);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	lease_dirs_free(dirs);
	start(3);
	ck_assert_int_lt(access(path, F_OK), 0);
	ck_assert_int_eq(mkdir(path, 0700), 0);	/* also when it came later */
	make(1);
	ck_assert_int_lt(access(path, F_OK), 0);
}
END_TEST

/* A server could leave a link in its folder, or in its place nothing at all. */
START_TEST(links_in_a_folder_are_removed_and_not_followed)
{
	struct nd_uuid u = uuid(1);
	char path[256], victim[128];

	snprintf(victim, sizeof(victim), "%s/victim", top);
	close(open(victim, O_CREAT | O_WRONLY, 0600));
	make(1);
	path_of(&u, "", "/link", path);
	ck_assert_int_eq(symlink(victim, path), 0);
	ck_assert_int_eq(lease_dirs_remove(dirs, &u, &err), 0);
	ck_assert_int_eq(access(victim, F_OK), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lease_dir");
	TCase *tc = tcase_create("all");

	if (geteuid() != 0)
		return 77;	/* only root gives files away */
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_folder_and_its_database_belong_to_one_uid_alone);
	tcase_add_test(tc, uids_are_not_shared_and_found_again);
	tcase_add_test(tc, a_range_that_is_used_up_says_so_until_one_is_free);
	tcase_add_test(tc, what_was_removed_is_gone_and_removing_it_again_is_fine);
	tcase_add_test(tc, what_a_crash_left_half_made_is_cleared_away);
	tcase_add_test(tc, links_in_a_folder_are_removed_and_not_followed);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
