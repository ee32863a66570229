/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "datapath/remover.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

enum {
	NOTICE_ROOM = 1024 * 1024,
	NOTICE_SIZE = 16 * 1024,
	STACK_SIZE = 256 * 1024,
};

struct remover {
	int notices;		/* subscribed to link notices while a removal waits */
	pthread_mutex_t lock;
	pthread_cond_t idle;
	size_t running;
};

/* One batch under way; freed by the last of the two threads to need it. */
struct removal {
	struct remover *owner;
	struct nl *nl;
	struct nl_batch batch;
	int done_fd;		/* eventfd */
	int result;
	struct nd_error err;
	int refs;		/* under owner->lock */
};

int remover_new(struct remover **out, struct nd_error *err)
{
	struct remover *r = calloc(1, sizeof(*r));
	int result;

	if (!r)
		return nd_error_nomem(err);
	result = nl_listen(NETLINK_ROUTE, NULL, 0, NOTICE_ROOM, &r->notices, err);
	if (result < 0) {
		free(r);
		return result;
	}
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->idle, NULL);
	*out = r;
	return 0;
}

void remover_free(struct remover *r)
{
	if (!r)
		return;
	pthread_mutex_lock(&r->lock);
	while (r->running)
		pthread_cond_wait(&r->idle, &r->lock);
	pthread_mutex_unlock(&r->lock);
	pthread_cond_destroy(&r->idle);
	pthread_mutex_destroy(&r->lock);
	close(r->notices);
	free(r);
}

static void removal_drop(struct removal *m, bool by_thread)
{
	struct remover *r = m->owner;
	int refs;

	pthread_mutex_lock(&r->lock);
	refs = --m->refs;
	pthread_mutex_unlock(&r->lock);
	if (refs == 0) {
		nl_batch_fini(&m->batch);
		nl_free(m->nl);
		if (m->done_fd >= 0)
			close(m->done_fd);
		free(m);
	}
	if (!by_thread)
		return;
	pthread_mutex_lock(&r->lock);
	if (--r->running == 0)
		pthread_cond_broadcast(&r->idle);
	pthread_mutex_unlock(&r->lock);
}

static void *removal_thread(void *arg)
{
	struct removal *m = arg;
	uint64_t one = 1;
	int result = nl_batch_run(m->nl, &m->batch, 0);

	for (size_t i = 0; i < m->batch.n && !m->err.code; i++)
		if (m->batch.reqs[i].result < 0)
			nl_req_error(&m->batch.reqs[i], &m->err);
	m->result = result;
	(void)!write(m->done_fd, &one, sizeof(one));	/* cannot fail: the counter is 0 */
	removal_drop(m, true);
	return NULL;
}

static int removal_start(struct remover *r, struct nl_batch *b, struct removal **out,
			 struct nd_error *err)
{
	struct removal *m = calloc(1, sizeof(*m));
	pthread_attr_t attr;
	pthread_t thread;
	int e;

	if (!m)
		return nd_error_nomem(err);
	m->owner = r;
	m->refs = 1;
	m->done_fd = eventfd(0, EFD_CLOEXEC);
	e = m->done_fd < 0 ? -errno : nl_new(NETLINK_ROUTE, &m->nl, err);
	if (e < 0) {
		removal_drop(m, false);
		return e;
	}
	m->batch = *b;
	*b = (struct nl_batch){ 0 };
	m->refs = 2;
	pthread_mutex_lock(&r->lock);
	r->running++;
	pthread_mutex_unlock(&r->lock);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	e = pthread_create(&thread, &attr, removal_thread, m);
	pthread_attr_destroy(&attr);
	if (e)		/* do without the thread, and wait for the kernel */
		removal_thread(m);
	*out = m;
	return 0;
}

static bool is_removal_of(const struct nlmsghdr *msg, int *ifindexes, size_t n)
{
	const struct ifinfomsg *ifi = NLMSG_DATA(msg);

	/* A port that leaves its bridge is announced with family AF_BRIDGE. */
	if (msg->nlmsg_type != RTM_DELLINK || msg->nlmsg_len < NLMSG_LENGTH(sizeof(*ifi)) ||
	    ifi->ifi_family != AF_UNSPEC)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (ifindexes[i] == ifi->ifi_index) {
			ifindexes[i] = 0;
			return true;
		}
	}
	return false;
}

/* Reads the notices at hand; how many of the links they announce the end of. */
static size_t read_notices(struct remover *r, int *ifindexes, size_t n)
{
	uint8_t buf[NOTICE_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
	size_t gone = 0;
	ssize_t got;

	for (;;) {
		got = recv(r->notices, buf, sizeof(buf), 0);
		if (got < 0 && (errno == ENOBUFS || errno == EINTR))
			continue;
		if (got <= 0)
			return gone;
		for (struct nlmsghdr *msg = (struct nlmsghdr *)buf; NLMSG_OK(msg, (int)got);
		     msg = NLMSG_NEXT(msg, got))
			gone += is_removal_of(msg, ifindexes, n);
	}
}

/* Waits until all links are announced as gone, or the request is done. */
static int removal_wait(struct remover *r, struct removal *m, int *ifindexes, size_t n,
			struct nd_error *err)
{
	struct pollfd fds[] = {
		{ .fd = r->notices, .events = POLLIN },
		{ .fd = m->done_fd, .events = POLLIN },
	};
	size_t left = n;
	uint64_t count;

	while (left) {
		if (poll(fds, ND_COUNT(fds), -1) < 0 && errno != EINTR)
			return nd_error_sys(err, errno, "cannot wait for the kernel");
		left -= read_notices(r, ifindexes, n);
		if (left && fds[1].revents) {
			(void)!read(m->done_fd, &count, sizeof(count));	/* poll said it is there */
			if (m->result < 0 && err)
				*err = m->err;
			return m->result;
		}
	}
	return 0;
}

static int subscribe(struct remover *r, bool on)
{
	static const int group = RTNLGRP_LINK;

	return setsockopt(r->notices, SOL_NETLINK,
			  on ? NETLINK_ADD_MEMBERSHIP : NETLINK_DROP_MEMBERSHIP, &group,
			  sizeof(group));
}

int remover_run(struct remover *r, struct nl_batch *b, const int *ifindexes, size_t n,
		struct nd_error *err)
{
	ND_AUTO(free) int *waiting = calloc(n + 1, sizeof(*waiting));
	struct removal *m = NULL;
	int result;

	if (!waiting || b->failed)
		return nd_error_nomem(err);
	memcpy(waiting, ifindexes, n * sizeof(*waiting));
	if (subscribe(r, true) < 0)
		return nd_error_sys(err, errno, "cannot subscribe to the kernel's link notices");
	result = removal_start(r, b, &m, err);
	if (m) {
		result = removal_wait(r, m, waiting, n, err);
		removal_drop(m, false);
	}
	(void)subscribe(r, false);	/* unread notices are read and dropped by the next removal */
	return result;
}
