/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An event's data is the number of a slot and the slot's generation. An event that was fetched
 * before its watch was removed (by a vCPU thread, between epoll_wait() and the lock) names an
 * older generation and is dropped.
 */
#include "vmm/loop.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "netd/base/array.h"

#define BATCH 32

struct slot {
	struct loop_watch *watch;	/* NULL: free */
	uint32_t generation;
};

struct posted {
	struct posted *next;
	void (*fn)(void *arg);
	void *arg;
};

struct loop {
	int epoll_fd;
	pthread_mutex_t lock;
	struct slot *slots;
	size_t n_slots;
	struct loop_watch wake;
	pthread_mutex_t post_lock;
	struct posted *first, **end;
	atomic_bool stop;
};

static void wake_ready(struct loop_watch *w, uint32_t events)
{
	struct loop *l = loop_owner(w, struct loop, wake);
	struct posted *p;
	uint64_t n;

	(void)!read(w->fd, &n, sizeof(n));	/* only makes it unreadable */
	for (;;) {
		pthread_mutex_lock(&l->post_lock);
		p = l->first;
		if (p && !(l->first = p->next))
			l->end = &l->first;
		pthread_mutex_unlock(&l->post_lock);
		if (!p)
			return;
		p->fn(p->arg);
		free(p);
	}
}

int loop_new(struct loop **out, struct nd_error *err)
{
	ND_AUTO(loop_free) struct loop *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return nd_error_nomem(err);
	pthread_mutex_init(&l->lock, NULL);
	pthread_mutex_init(&l->post_lock, NULL);
	l->end = &l->first;
	l->wake.ready = wake_ready;
	l->wake.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->wake.fd < 0 || l->epoll_fd < 0)
		return nd_error_sys(err, errno, "cannot make the event loop");
	r = loop_add(l, &l->wake, EPOLLIN);
	if (r < 0)
		return nd_error_sys(err, -r, "cannot make the event loop");
	*out = nd_take_ptr(&l);
	return 0;
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	while (l->first) {
		struct posted *p = l->first;

		l->first = p->next;
		free(p);
	}
	if (l->wake.fd >= 0)
		close(l->wake.fd);
	if (l->epoll_fd >= 0)
		close(l->epoll_fd);
	pthread_mutex_destroy(&l->lock);
	pthread_mutex_destroy(&l->post_lock);
	free(l->slots);
	free(l);
}

static struct slot *slot_find(struct loop *l, const struct loop_watch *w)
{
	struct slot *s = w->slot < l->n_slots ? &l->slots[w->slot] : NULL;

	return s && s->watch == w ? s : NULL;
}

static struct epoll_event event_of(const struct loop *l, const struct slot *s, uint32_t events)
{
	return (struct epoll_event){
		.events = events,
		.data.u64 = (uint64_t)s->generation << 32 | (uint64_t)(s - l->slots),
	};
}

static struct slot *slot_take(struct loop *l)
{
	for (size_t i = 0; i < l->n_slots; i++)
		if (!l->slots[i].watch)
			return &l->slots[i];
	return nd_array_add(l->slots, l->n_slots);
}

int loop_add(struct loop *l, struct loop_watch *w, uint32_t events)
{
	struct slot *s = slot_take(l);
	struct epoll_event e;

	if (!s)
		return -ENOMEM;
	s->generation++;
	e = event_of(l, s, events);
	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, w->fd, &e) < 0)
		return -errno;
	s->watch = w;
	w->slot = (uint32_t)(s - l->slots);
	return 0;
}

int loop_change(struct loop *l, struct loop_watch *w, uint32_t events)
{
	struct slot *s = slot_find(l, w);
	struct epoll_event e;

	if (!s)
		return -ENOENT;
	e = event_of(l, s, events);
	return epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, w->fd, &e) < 0 ? -errno : 0;
}

void loop_remove(struct loop *l, struct loop_watch *w)
{
	struct slot *s = slot_find(l, w);

	if (!s)
		return;
	s->watch = NULL;
	(void)epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);	/* closed already: gone too */
}

static void wake(struct loop *l)
{
	/* A full counter is readable too. */
	(void)!write(l->wake.fd, &(uint64_t){ 1 }, sizeof(uint64_t));
}

int loop_post(struct loop *l, void (*fn)(void *arg), void *arg)
{
	struct posted *p = malloc(sizeof(*p));

	if (!p)
		return -ENOMEM;
	*p = (struct posted){ .fn = fn, .arg = arg };
	pthread_mutex_lock(&l->post_lock);
	*l->end = p;
	l->end = &p->next;
	pthread_mutex_unlock(&l->post_lock);
	wake(l);
	return 0;
}

void loop_lock(struct loop *l)
{
	pthread_mutex_lock(&l->lock);
}

void loop_unlock(struct loop *l)
{
	pthread_mutex_unlock(&l->lock);
}

void loop_wait(struct loop *l, pthread_cond_t *c)
{
	pthread_cond_wait(c, &l->lock);
}

static void dispatch(struct loop *l, const struct epoll_event *e)
{
	size_t i = e->data.u64 & UINT32_MAX;
	struct slot *s = i < l->n_slots ? &l->slots[i] : NULL;

	if (s && s->watch && s->generation == e->data.u64 >> 32)
		s->watch->ready(s->watch, e->events);
}

void loop_run(struct loop *l)
{
	struct epoll_event events[BATCH];

	while (!atomic_load(&l->stop)) {
		int n = epoll_wait(l->epoll_fd, events, BATCH, -1);

		loop_lock(l);
		for (int i = 0; i < n; i++)
			dispatch(l, &events[i]);
		loop_unlock(l);
	}
	atomic_store(&l->stop, false);
}

void loop_stop(struct loop *l)
{
	atomic_store(&l->stop, true);
	wake(l);
}
