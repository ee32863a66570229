/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main.c -- netd-serve: the server of one network
 *
 * Started by netd as a spare, with a channel on descriptor 3. It waits for START, which brings a
 * configuration and sockets, locks itself in, and serves. See sandbox.h and service.h.
 */
#include <errno.h>
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <malloc.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "netd/base/log.h"
#include "netd/base/str.h"
#include "netd/serve/fds.h"
#include "netd/serve/message.h"
#include "netd/serve/sandbox.h"
#include "netd/serve/service.h"

struct start {
	struct serve_config *config;
	struct serve_start head;
	uint64_t digest;
	uint32_t serial;
	int fds[CHANNEL_FDS_MAX];
	size_t n_fds;
};

static int hello_send(struct channel *channel)
{
	uint8_t body[256];
	struct wr w = wr_init(body, sizeof(body));
	struct serve_hello hello = { .build = NETD_VERSION };

	serve_hello_encode(&hello, &w);
	return channel_send(channel, CHANNEL_HELLO, 0, body, wr_len(&w), NULL, 0);
}

static void failed_send(struct channel *channel, uint32_t serial, const struct nd_error *err)
{
	/* When not even this can be said, netd sees the end. */
	(void)channel_send(channel, CHANNEL_FAILED, serial, err->text, strlen(err->text), NULL, 0);
}

/* 1: START came; 0: netd has no use for this spare any more; negative: START cannot be read. */
static int start_wait(struct channel *channel, struct start *start)
{
	struct pollfd p = { .fd = channel_fd(channel), .events = POLLIN };
	struct channel_message m;
	int r;

	for (;;) {
		r = channel_receive_fds(channel, &m, start->fds, &start->n_fds);
		if (r == -EAGAIN)
			(void)poll(&p, 1, -1);	/* a signal only makes it look again */
		else if (r < 0 || (r == 1 && m.type == CHANNEL_QUIT))
			return 0;
		else if (r == 1 && m.type == CHANNEL_PING)
			(void)channel_send(channel, CHANNEL_PONG, m.serial, NULL, 0, NULL, 0);
		else if (r == 1 && m.type == CHANNEL_START)
			break;
	}
	start->serial = m.serial;
	r = m.version == CHANNEL_VERSION ? serve_start_decode(&m.body, &start->head) : -EPROTO;
	start->digest = serve_digest(m.body.at, rd_left(&m.body));
	if (r == 0)
		r = serve_config_decode(&m.body, &start->config);
	return r < 0 ? r : 1;
}

/* The descriptors that have fixed numbers go there; udp and tcp stay where they are. */
static int numbers_assign(struct start *start, struct nd_error *err)
{
	size_t special = 1 + start->head.packet;
	int r;

	if (start->n_fds != special + start->head.n_udp + start->head.n_tcp)
		return nd_error_set(err, ND_ERR_INTERNAL, "%zu descriptors came with the start",
				    start->n_fds);
	r = fds_place(start->fds[0], start->head.packet ? start->fds[1] : -1);
	return r < 0 ? nd_error_sys(err, -r, "cannot place the sockets") : 0;
}

static void boot_id_read(char *to, size_t size)
{
	ND_AUTO(fclose) FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");

	to[0] = '\0';
	if (f && fgets(to, (int)size, f))
		to[strcspn(to, "\n")] = '\0';
}

/* listen() after the change of uid: the kernel notes then who a connecting netd will meet. */
static int lock_in(const struct start *start, const char *lease_root, struct nd_error *err)
{
	const struct sandbox sandbox = { .lease_root = lease_root, .uuid = start->config->uuid,
					 .uid = start->config->uid };
	int r = sandbox_drop(&sandbox, err);

	if (r < 0)
		return r;
	if (listen(FD_LISTEN, 4) < 0)
		return nd_error_sys(err, errno, "cannot listen for netd");
	return sandbox_lock(err);
}

/* Everything after START. */
static int serve(struct channel *channel, struct start *start, const char *lease_root,
		 const char *boot_id)
{
	const int *dns = start->fds + 1 + start->head.packet;
	struct service_setup setup = {
		.config = start->config, .config_digest = start->digest, .channel = channel,
		.start_serial = start->serial, .boot_id = boot_id, .packet = start->head.packet,
		.udp = dns, .n_udp = start->head.n_udp,
		.tcp = dns + start->head.n_udp, .n_tcp = start->head.n_tcp,
		.netd_uid = getuid(),
	};
	ND_AUTO(service_free) struct service *service = NULL;
	struct nd_error err = { 0 };
	int r = numbers_assign(start, &err);

	if (r == 0)
		r = lock_in(start, lease_root, &err);
	if (r < 0) {
		failed_send(channel, start->serial, &err);
		return r;
	}
	r = service_new(&setup, &service, &err);
	if (r == 0)
		service_run(service);
	return r;
}

/*
 * There is one of this process per network, so its idle memory counts. One arena: a second one
 * would cost the lease store's thread 64 MiB of address space. Large blocks are mapped, since
 * most of them are buffers of which a quiet server touches the first page only.
 */
static void memory_prepare(void)
{
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_MMAP_THRESHOLD, 16 * 1024);
	mallopt(M_TOP_PAD, 16 * 1024);
}

/*
 * Short turns on the processor, and sooner, instead of long ones: a guest waits for every reply. Since
 * Linux 6.12 whoever asks for the scheduler's shortest slice goes before those who want long ones, as
 * long as it takes no more than its share. Older kernels ignore it, and nothing depends on it. The
 * store's thread inherits it.
 */
static void scheduler_prepare(void)
{
	struct sched_attr attr = { .size = sizeof(attr) };

	if (syscall(SYS_sched_getattr, 0, &attr, sizeof(attr), 0) < 0 || attr.sched_policy != SCHED_NORMAL)
		return;
	attr.sched_runtime = 100000;	/* ns */
	(void)syscall(SYS_sched_setattr, 0, &attr, 0);
}

int main(int argc, char **argv)
{
	struct start start = { 0 };
	struct nd_error err = { 0 };
	char boot_id[64];
	bool debug = argc == 3 && nd_streq(argv[2], "--debug");
	struct channel *channel;

	if (argc < 2 || argc > 3 || (argc == 3 && !debug)) {
		fprintf(stderr, "netd-serve is started by netd: netd-serve LEASES [--debug]\n");
		return 2;
	}
	nd_log_init("netd-serve", debug ? LOG_DEBUG : LOG_INFO);
	memory_prepare();
	scheduler_prepare();
	boot_id_read(boot_id, sizeof(boot_id));
	if (fds_reserve() < 0)
		return 1;
	channel = serve_channel_new(FD_CHANNEL);
	if (!channel)
		return 1;
	if (sandbox_prepare(&err) < 0) {
		failed_send(channel, 0, &err);
		return 1;
	}
	if (hello_send(channel) < 0)
		return 1;
	/* In a hurry, START is here already: nothing is gained by preparing for it. */
	if (poll(&(struct pollfd){ .fd = FD_CHANNEL, .events = POLLIN }, 1, 0) == 0)
		service_warm_up();
	switch (start_wait(channel, &start)) {
	case 0:
		return 0;
	case 1:
		return serve(channel, &start, argv[1], boot_id) < 0;
	default:
		nd_error_set(&err, ND_ERR_INTERNAL, "netd-serve %s cannot read what netd wrote: "
			     "restart netd after an upgrade", NETD_VERSION);
		failed_send(channel, start.serial, &err);
		return 1;
	}
}
