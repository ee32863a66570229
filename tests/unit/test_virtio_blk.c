/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The disk: what a guest may ask for, and what it gets for the rest. Once with io_uring, once without. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <poll.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* for the ring that nobody else sees */
#include "vmm/blk_io.c"

#include "tests/suite.h"
#include "tests/unit/virtio_guest.h"
#include "vmm/virtio_blk.h"
#include "vmm/virtio_pci.h"

#define SLOT 4
#define SECTORS 2048u
#define HEADER GUEST_DATA
#define STATUS (GUEST_DATA + 0x100)
#define BODY (GUEST_DATA + 0x1000)
#define TABLE (GUEST_DATA + 0x800000)

static struct guest g;
static struct virtio_blk *blk;
static struct virtio_pci *pci;
static int image;

static void plug(int fd, bool read_only, bool discard)
{
	struct virtio_blk_spec spec = { .name = "guest", .fd = fcntl(fd, F_DUPFD_CLOEXEC, 3),
					.read_only = read_only, .discard = discard,
					.size_bytes = SECTORS * 512 + 100, .serial = "WD-12345" };
	struct nd_error err = { 0 };

	ck_assert_msg(virtio_blk_new(&spec, g.memory, g.loop, &blk, &err) == 0, "%s", err.text);
	ck_assert_msg(virtio_pci_new(g.bus, SLOT, virtio_blk_device(blk), &pci, &err) == 0, "%s",
		      err.text);
	guest_find(&g, SLOT);
}

static void unplug(void)
{
	virtio_pci_free(pci);
	virtio_blk_free(blk);
}

static void setup(void)
{
	guest_init(&g);
	/* a file system that can punch holes but not zero ranges: zeros have to be written there */
	image = memfd_create("disk", MFD_CLOEXEC);
	ck_assert_int_ge(image, 0);
	ck_assert_int_eq(ftruncate(image, SECTORS * 512 + 100), 0);
	plug(image, false, true);
	guest_drive(&g, ~0ull, 128);
}

static void teardown(void)
{
	unplug();
	guest_fini(&g);
	close(image);
}

static void put_header(uint64_t gpa, uint32_t type, uint64_t sector)
{
	struct virtio_blk_outhdr h = { .type = type, .sector = sector };

	memcpy(drv_at(g.memory, gpa, sizeof(h)), &h, sizeof(h));
}

/* Puts the request up; its data are in or out by type. */
static uint16_t request(uint32_t type, uint64_t sector, uint32_t bytes, bool in)
{
	struct drv_buffer b[3] = { { HEADER, 16, false } };
	unsigned n = 1;

	put_header(HEADER, type, sector);
	*(uint8_t *)drv_at(g.memory, STATUS, 1) = 0x77;
	if (bytes)
		b[n++] = (struct drv_buffer){ BODY, bytes, in };
	b[n++] = (struct drv_buffer){ STATUS, 1, true };
	return drv_add(&g.queues[0], b, n);
}

/* ... and waits for its end: the status. */
static uint8_t run(uint32_t type, uint64_t sector, uint32_t bytes, bool in, uint32_t *len_out)
{
	uint16_t head, sent = request(type, sector, bytes, in);

	guest_kick(&g, 0);
	ck_assert(guest_wait(&g, 0, &head, len_out));
	ck_assert_uint_eq(head, sent);
	return *(uint8_t *)drv_at(g.memory, STATUS, 1);
}

static uint8_t run_range(uint32_t type, uint64_t sector, uint32_t n_sectors, uint32_t flags)
{
	struct virtio_blk_discard_write_zeroes r = { .sector = sector, .num_sectors = n_sectors,
						     .flags = flags };
	uint32_t len;

	memcpy(drv_at(g.memory, BODY, sizeof(r)), &r, sizeof(r));
	return run(type, 0, sizeof(r), false, &len);
}

static void fill_disk(uint8_t with)
{
	char *block = malloc(SECTORS * 512);

	memset(block, with, SECTORS * 512);
	ck_assert_int_eq(pwrite(image, block, SECTORS * 512, 0), SECTORS * 512);
	free(block);
}

/* Every byte of these sectors is `with`, on the disk. */
static bool disk_has(uint64_t sector, uint64_t n, uint8_t with)
{
	uint8_t s[512];

	for (uint64_t i = sector; i < sector + n; i++) {
		ck_assert_int_eq(pread(image, s, 512, (off_t)i * 512), 512);
		for (unsigned k = 0; k < 512; k++)
			if (s[k] != with)
				return false;
	}
	return true;
}

static uint64_t disk_bytes_used(void)
{
	struct stat st;

	ck_assert_int_eq(fstat(image, &st), 0);
	return (uint64_t)st.st_blocks * 512;
}

START_TEST(what_is_written_is_read)
{
	uint32_t len;

	memset(drv_at(g.memory, BODY, 8192), 0x5a, 8192);
	ck_assert_uint_eq(run(VIRTIO_BLK_T_OUT, 7, 8192, false, &len), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(len, 1);
	ck_assert(disk_has(7, 16, 0x5a) && disk_has(6, 1, 0) && disk_has(23, 1, 0));
	memset(drv_at(g.memory, BODY, 8192), 0, 8192);
	ck_assert_uint_eq(run(VIRTIO_BLK_T_IN, 7, 8192, true, &len), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(len, 8193);
	ck_assert_uint_eq(((uint8_t *)drv_at(g.memory, BODY, 8192))[8191], 0x5a);
	ck_assert_uint_eq(run(VIRTIO_BLK_T_FLUSH, 0, 0, false, &len), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(run(VIRTIO_BLK_T_GET_ID, 0, 20, true, &len), VIRTIO_BLK_S_OK);
	ck_assert_str_eq(drv_at(g.memory, BODY, 20), "WD-12345");
}
END_TEST

START_TEST(last_sector_is_the_last)
{
	uint32_t len;

	ck_assert_uint_eq(guest_read(&g, g.device, 8), SECTORS);
	ck_assert_uint_eq(run(VIRTIO_BLK_T_IN, SECTORS - 1, 512, true, &len), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(run(VIRTIO_BLK_T_IN, SECTORS - 1, 1024, true, &len), VIRTIO_BLK_S_IOERR);
	ck_assert_uint_eq(run(VIRTIO_BLK_T_OUT, SECTORS, 512, false, &len), VIRTIO_BLK_S_IOERR);
	/* sector * 512 must not wrap */
	ck_assert_uint_eq(run(VIRTIO_BLK_T_OUT, 1ull << 55, 512, false, &len), VIRTIO_BLK_S_IOERR);
	ck_assert_uint_eq(run(VIRTIO_BLK_T_IN, ~0ull, 512, true, &len), VIRTIO_BLK_S_IOERR);
	ck_assert_uint_eq(run(VIRTIO_BLK_T_IN, 0, 511, true, &len), VIRTIO_BLK_S_IOERR);
	ck_assert_uint_eq(run(VIRTIO_BLK_T_IN, 0, 0, true, &len), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(run(0x1234, 0, 512, true, &len), VIRTIO_BLK_S_UNSUPP);
	ck_assert_uint_eq(guest_status(&g), 0xf);
}
END_TEST

START_TEST(discarded_places_are_given_back)
{
	uint64_t before;

	fill_disk(0xaa);
	before = disk_bytes_used();
	ck_assert_uint_eq(run_range(VIRTIO_BLK_T_DISCARD, 512, 1024, 0), VIRTIO_BLK_S_OK);
	ck_assert(disk_has(511, 1, 0xaa) && disk_has(512, 1024, 0) && disk_has(1536, 1, 0xaa));
	ck_assert_uint_le(disk_bytes_used(), before - 1024 * 512);
	ck_assert_uint_eq(run_range(VIRTIO_BLK_T_DISCARD, SECTORS, 1, 0), VIRTIO_BLK_S_IOERR);
	ck_assert_uint_eq(run_range(VIRTIO_BLK_T_DISCARD, 1, SECTORS, 0), VIRTIO_BLK_S_IOERR);
	ck_assert_uint_eq(run_range(VIRTIO_BLK_T_DISCARD, ~0ull, 1, 0), VIRTIO_BLK_S_IOERR);
	ck_assert_uint_eq(run_range(VIRTIO_BLK_T_DISCARD, 0, 1, 1), VIRTIO_BLK_S_UNSUPP);
	ck_assert_uint_eq(run_range(VIRTIO_BLK_T_DISCARD, 0, 0, 0), VIRTIO_BLK_S_OK);
}
END_TEST

START_TEST(zeros_are_written_where_they_must_keep_their_place)
{
	uint64_t before;

	fill_disk(0xaa);
	before = disk_bytes_used();
	ck_assert_uint_eq(run_range(VIRTIO_BLK_T_WRITE_ZEROES, 1, SECTORS - 2, 0), VIRTIO_BLK_S_OK);
	ck_assert(disk_has(0, 1, 0xaa) && disk_has(1, SECTORS - 2, 0) &&
		  disk_has(SECTORS - 1, 1, 0xaa));
	ck_assert_uint_eq(disk_bytes_used(), before);
	fill_disk(0xaa);
	ck_assert_uint_eq(run_range(VIRTIO_BLK_T_WRITE_ZEROES, 8, 64, 1), VIRTIO_BLK_S_OK);
	ck_assert(disk_has(7, 1, 0xaa) && disk_has(8, 64, 0) && disk_has(72, 1, 0xaa));
	ck_assert_uint_lt(disk_bytes_used(), before);
	ck_assert_uint_eq(run_range(VIRTIO_BLK_T_WRITE_ZEROES, 0, 1, 2), VIRTIO_BLK_S_UNSUPP);
	ck_assert_uint_eq(run_range(VIRTIO_BLK_T_WRITE_ZEROES, 2, SECTORS - 1, 0),
			  VIRTIO_BLK_S_IOERR);
}
END_TEST

START_TEST(read_only_disk_stays_as_it_is)
{
	uint64_t offered;
	uint32_t len;

	unplug();
	fill_disk(0x11);
	plug(image, true, true);
	offered = guest_offered(&g);
	ck_assert(offered >> VIRTIO_BLK_F_RO & 1);
	ck_assert(!(offered >> VIRTIO_BLK_F_DISCARD & 1) &&
		  !(offered >> VIRTIO_BLK_F_WRITE_ZEROES & 1));
	guest_drive(&g, ~0ull, 128);
	ck_assert_uint_eq(run(VIRTIO_BLK_T_OUT, 0, 512, false, &len), VIRTIO_BLK_S_IOERR);
	ck_assert_uint_eq(run_range(VIRTIO_BLK_T_WRITE_ZEROES, 0, 8, 0), VIRTIO_BLK_S_IOERR);
	ck_assert_uint_eq(run_range(VIRTIO_BLK_T_DISCARD, 0, 8, 0), VIRTIO_BLK_S_UNSUPP);
	ck_assert_uint_eq(run(VIRTIO_BLK_T_FLUSH, 0, 0, false, &len), VIRTIO_BLK_S_OK);
	ck_assert(disk_has(0, SECTORS, 0x11));
}
END_TEST

START_TEST(disk_without_discard_keeps_its_places)
{
	unplug();
	plug(image, false, false);
	ck_assert(!(guest_offered(&g) >> VIRTIO_BLK_F_DISCARD & 1));
	guest_drive(&g, ~0ull, 128);
	fill_disk(0x22);
	ck_assert_uint_eq(run_range(VIRTIO_BLK_T_DISCARD, 0, 8, 0), VIRTIO_BLK_S_UNSUPP);
	ck_assert(disk_has(0, SECTORS, 0x22));
}
END_TEST

START_TEST(image_that_became_shorter_is_an_error)
{
	uint32_t len;

	ck_assert_int_eq(ftruncate(image, 4096), 0);
	ck_assert_uint_eq(run(VIRTIO_BLK_T_IN, 0, 4096, true, &len), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(run(VIRTIO_BLK_T_IN, 7, 1024, true, &len), VIRTIO_BLK_S_IOERR);
}
END_TEST

START_TEST(request_without_a_status_breaks_the_queue)
{
	struct drv_buffer b = { HEADER, 16, false };

	drv_add(&g.queues[0], &b, 1);
	guest_kick(&g, 0);
	guest_run(&g);
	ck_assert_uint_eq(guest_status(&g), 0x4f);
}
END_TEST

START_TEST(request_with_half_a_header_breaks_the_queue)
{
	struct drv_buffer b[] = { { HEADER, 15, false }, { STATUS, 1, true } };

	drv_add(&g.queues[0], b, 2);
	guest_kick(&g, 0);
	guest_run(&g);
	ck_assert_uint_eq(guest_status(&g), 0x4f);
}
END_TEST

/* The status of a request lands in the ring's index, and takes back what the driver had shown. */
START_TEST(status_that_breaks_the_queue_is_told)
{
	uint64_t idx = g.queues[0].avail_gpa + offsetof(struct vring_avail, idx);
	struct drv_buffer b[] = { { HEADER, 16, false }, { BODY, 512, true }, { idx, 1, true } };

	put_header(HEADER, VIRTIO_BLK_T_IN, 0);
	drv_add(&g.queues[0], b, 3);
	guest_kick(&g, 0);
	for (unsigned ms = 0; ms < 2000 && guest_status(&g) == 0xf; ms++) {
		guest_run(&g);
		usleep(1000);
	}
	ck_assert_uint_eq(guest_status(&g), 0x4f);
}
END_TEST

/* 128 requests of 80 pieces each, all at once: each has its own part of the disk. */
START_TEST(full_queue_of_long_requests_comes_back)
{
	struct drv_buffer b[82];
	unsigned n_back = 0;
	uint16_t head;
	uint32_t len;

	for (unsigned i = 0; i < 128; i++) {
		put_header(HEADER + i * 16, i % 2 ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT, i * 10);
		b[0] = (struct drv_buffer){ HEADER + i * 16, 16, false };
		for (unsigned k = 0; k < 80; k++)
			b[k + 1] = (struct drv_buffer){ BODY + 0x10000 + i * 6400 + k * 64,
							64, i % 2 };
		b[81] = (struct drv_buffer){ BODY + i, 1, true };
		memset(drv_at(g.memory, BODY + 0x10000 + i * 6400, 6400), (int)i, 6400);
		drv_add_indirect(&g.queues[0], b, 82, TABLE + i * 0x1000);
	}
	guest_kick(&g, 0);
	while (n_back < 128) {
		ck_assert(guest_wait(&g, 0, &head, &len));
		n_back++;
	}
	for (unsigned i = 0; i < 128; i++) {
		ck_assert_uint_eq(*(uint8_t *)drv_at(g.memory, BODY + i, 1), VIRTIO_BLK_S_OK);
		ck_assert(disk_has(i * 10, 10, i % 2 ? 0 : (uint8_t)i));
	}
}
END_TEST

START_TEST(status_stays_until_nothing_is_under_way)
{
	char sector[512] = { 1 };
	uint16_t head;
	uint32_t len;
	int ends[2];

	unplug();
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	plug(ends[0], false, false);		/* reading from it takes as long as we like */
	guest_drive(&g, ~0ull, 128);
	request(VIRTIO_BLK_T_IN, 0, 512, true);
	guest_kick(&g, 0);
	guest_run(&g);
	guest_set_status(&g, 0);
	guest_run(&g);
	ck_assert_uint_eq(guest_status(&g), 0xf);
	ck_assert_int_eq(write(ends[1], sector, 512), 512);
	for (unsigned ms = 0; guest_status(&g) && ms < 5000; ms++) {
		guest_run(&g);
		(void)poll(NULL, 0, 1);
	}
	ck_assert_uint_eq(guest_status(&g), 0);
	ck_assert(!drv_get(&g.queues[0], &head, &len));	/* the old driver's ring is left alone */
	ck_assert_uint_eq(*(uint8_t *)drv_at(g.memory, STATUS, 1), 0x77);
	guest_drive(&g, ~0ull, 128);
	request(VIRTIO_BLK_T_IN, 0, 512, true);
	guest_kick(&g, 0);
	ck_assert_int_eq(write(ends[1], sector, 512), 512);
	ck_assert(guest_wait(&g, 0, &head, &len));
	close(ends[0]);
	close(ends[1]);
}
END_TEST

/* The ring beside its device */

static int ring_try(struct blk_io *io, struct io_uring_sqe *sqe)
{
	struct io_uring_cqe *cqe;
	int r;

	ck_assert_ptr_nonnull(sqe);
	ck_assert_int_ge(io_uring_submit(&io->ring), 0);
	ck_assert_int_eq(io_uring_wait_cqe(&io->ring, &cqe), 0);
	r = cqe->res;
	io_uring_cqe_seen(&io->ring, cqe);
	return r;
}

START_TEST(ring_does_what_the_disk_needs_and_nothing_else)
{
	char byte;
	struct iovec v = { &byte, 1 };
	struct nd_error err = { 0 };
	struct blk_io *io;
	struct io_uring_sqe *sqe;

	ck_assert_int_eq(blk_io_new(image, 4, "guest", &io, &err), 0);
	ck_assert_msg(io->has_ring, "this kernel has no io_uring: nothing to test");
	sqe = io_uring_get_sqe(&io->ring);
	io_uring_prep_openat(sqe, AT_FDCWD, "/etc/passwd", O_RDONLY, 0);
	ck_assert_int_eq(ring_try(io, sqe), -EACCES);
	sqe = io_uring_get_sqe(&io->ring);
	io_uring_prep_readv(sqe, 0, &v, 1, 0);		/* a descriptor of the process: its stdin */
	ck_assert_int_eq(ring_try(io, sqe), -EACCES);
	sqe = io_uring_get_sqe(&io->ring);
	io_uring_prep_socket(sqe, AF_INET, SOCK_STREAM, 0, 0);
	sqe->flags |= IOSQE_FIXED_FILE;
	ck_assert_int_eq(ring_try(io, sqe), -EACCES);
	sqe = io_uring_get_sqe(&io->ring);
	io_uring_prep_readv(sqe, 0, &v, 1, 0);
	sqe->flags |= IOSQE_FIXED_FILE;
	ck_assert_int_eq(ring_try(io, sqe), 1);
	ck_assert_int_eq(io_uring_register_files_update(&io->ring, 0, &image, 1), -EACCES);
	blk_io_free(io);
}
END_TEST

/* For good: the tests after this one have no io_uring. */
START_TEST(kernel_refuses_rings_from_here_on)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	struct nd_error err = { 0 };
	struct blk_io *io;

	ck_assert_int_eq(seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(io_uring_setup), 0), 0);
	ck_assert_int_eq(seccomp_load(ctx), 0);
	seccomp_release(ctx);
	ck_assert_int_eq(blk_io_new(image, 4, "guest", &io, &err), 0);
	ck_assert_int_eq(blk_io_fd(io), -1);
	blk_io_free(io);
}
END_TEST

static void add_requests(TCase *t)
{
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, what_is_written_is_read);
	tcase_add_test(t, last_sector_is_the_last);
	tcase_add_test(t, discarded_places_are_given_back);
	tcase_add_test(t, zeros_are_written_where_they_must_keep_their_place);
	tcase_add_test(t, read_only_disk_stays_as_it_is);
	tcase_add_test(t, disk_without_discard_keeps_its_places);
	tcase_add_test(t, image_that_became_shorter_is_an_error);
	tcase_add_test(t, request_without_a_status_breaks_the_queue);
	tcase_add_test(t, request_with_half_a_header_breaks_the_queue);
	tcase_add_test(t, status_that_breaks_the_queue_is_told);
	tcase_add_test(t, full_queue_of_long_requests_comes_back);
}

int main(void)
{
	Suite *s = suite_create("virtio-blk");
	TCase *ring = tcase_create("with io_uring"), *plain = tcase_create("without");

	suite_add_tcase(s, ring);
	add_requests(ring);
	tcase_add_test(ring, status_stays_until_nothing_is_under_way);
	tcase_add_test(ring, ring_does_what_the_disk_needs_and_nothing_else);
	tcase_add_test(ring, kernel_refuses_rings_from_here_on);
	suite_add_tcase(s, plain);
	add_requests(plain);
	return suite_run(s);
}
