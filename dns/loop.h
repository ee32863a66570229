/* SPDX-License-Identifier: GPL-2.0-or-later */
/* loop.h -- the server's descriptors in the program's epoll set
 *
 * A watch stands first in the struct that it belongs to, and its address is the event's data. One
 * that is dropped while events are handed out is only freed afterwards, since an event for it may
 * still be in the batch.
 */
#pragma once
#include <stdint.h>
#include <sys/epoll.h>

struct dns_watch {
	int fd;
	/* NULL once dropped */
	void (*ready)(struct dns_watch *w, uint32_t events, uint64_t now_ms);
	struct dns_watch *next_dropped;
};

struct dns_loop {
	int epoll_fd;		/* borrowed */
	struct dns_watch *dropped;
};

/* w->fd and w->ready are set. 0 or -errno. */
int dns_loop_add(struct dns_loop *l, struct dns_watch *w, uint32_t events);
int dns_loop_change(struct dns_loop *l, struct dns_watch *w, uint32_t events);

/* Closes the descriptor at once; the memory, which came from malloc, is freed by the next
 * dns_loop_bury(). */
void dns_loop_drop(struct dns_loop *l, struct dns_watch *w);
void dns_loop_bury(struct dns_loop *l);
