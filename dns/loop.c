/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dns/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

int dns_loop_add(struct dns_loop *l, struct dns_watch *w, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.u64 = (uintptr_t)w };

	return epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, w->fd, &e) < 0 ? -errno : 0;
}

int dns_loop_change(struct dns_loop *l, struct dns_watch *w, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.u64 = (uintptr_t)w };

	return epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, w->fd, &e) < 0 ? -errno : 0;
}

void dns_loop_drop(struct dns_loop *l, struct dns_watch *w)
{
	if (w->fd >= 0) {
		/* Closing alone leaves it in the set when netd holds a duplicate. */
		(void)epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
		close(w->fd);
	}
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
