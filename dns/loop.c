/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dns/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define EVENTS_MAX 64

int dns_loop_init(struct dns_loop *l)
{
	l->dropped = NULL;
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return l->epoll_fd < 0 ? -errno : 0;
}

void dns_loop_fini(struct dns_loop *l)
{
	dns_loop_bury(l);
	if (l->epoll_fd >= 0)
		close(l->epoll_fd);
	l->epoll_fd = -1;
}

int dns_loop_add(struct dns_loop *l, struct dns_watch *w, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.ptr = w };

	return epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, w->fd, &e) < 0 ? -errno : 0;
}

int dns_loop_change(struct dns_loop *l, struct dns_watch *w, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.ptr = w };

	return epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, w->fd, &e) < 0 ? -errno : 0;
}

void dns_loop_drop(struct dns_loop *l, struct dns_watch *w)
{
	/* Closing takes it out of the set: nobody holds a duplicate. */
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
	w->ready = NULL;
	w->next_dropped = l->dropped;
	l->dropped = w;
}

void dns_loop_bury(struct dns_loop *l)
{
	while (l->dropped) {
		struct dns_watch *w = l->dropped;

		l->dropped = w->next_dropped;
		free(w);
	}
}

void dns_loop_dispatch(struct dns_loop *l, uint64_t now_ms)
{
	struct epoll_event events[EVENTS_MAX];
	int n = epoll_wait(l->epoll_fd, events, EVENTS_MAX, 0);

	for (int i = 0; i < n; i++) {
		struct dns_watch *w = events[i].data.ptr;

		if (w->ready)
			w->ready(w, events[i].events, now_ms);
	}
}
