/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/worker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>

struct fifo {
	struct worker_job *head, **tail;
};

struct worker {
	pthread_t thread;
	bool running, stop;
	pthread_mutex_t lock;		/* guards stop and both fifos */
	pthread_cond_t wake;
	struct fifo todo, done;
	int done_fd;
	sd_event_source *source;
};

static void fifo_init(struct fifo *f)
{
	f->head = NULL;
	f->tail = &f->head;
}

static void fifo_push(struct fifo *f, struct worker_job *job)
{
	job->next = NULL;
	*f->tail = job;
	f->tail = &job->next;
}

static struct worker_job *fifo_pop(struct fifo *f)
{
	struct worker_job *job = f->head;

	if (!job)
		return NULL;
	f->head = job->next;
	if (!f->head)
		f->tail = &f->head;
	return job;
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	struct worker_job *job = NULL;

	pthread_mutex_lock(&w->lock);
	for (;;) {
		while (!w->stop && !(job = fifo_pop(&w->todo)))
			pthread_cond_wait(&w->wake, &w->lock);
		if (w->stop)
			break;
		pthread_mutex_unlock(&w->lock);
		job->run(job);
		pthread_mutex_lock(&w->lock);
		fifo_push(&w->done, job);
		(void)eventfd_write(w->done_fd, 1);	/* only fails at 2^64 unread jobs */
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

static int on_done(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct worker *w = arg;
	struct worker_job *job = NULL;
	eventfd_t n;

	(void)eventfd_read(fd, &n);
	for (;;) {
		pthread_mutex_lock(&w->lock);
		job = fifo_pop(&w->done);
		pthread_mutex_unlock(&w->lock);
		if (!job)
			return 0;
		job->done(job);
	}
}

/* Signals are the main thread's: the worker starts with all of them blocked. */
static int start_thread(struct worker *w)
{
	sigset_t all, old;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&w->thread, NULL, worker_main, w);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	w->running = r == 0;
	return -r;
}

int worker_new(sd_event *event, struct worker **out, struct nd_error *err)
{
	ND_AUTO(worker_free) struct worker *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return nd_error_nomem(err);
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->wake, NULL);
	fifo_init(&w->todo);
	fifo_init(&w->done);
	w->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = w->done_fd < 0 ? -errno : sd_event_add_io(event, &w->source, w->done_fd, EPOLLIN, on_done, w);
	if (r >= 0)
		r = start_thread(w);
	if (r < 0)
		return nd_error_sys(err, -r, "cannot start the worker thread");
	*out = nd_take_ptr(&w);
	return 0;
}

void worker_free(struct worker *w)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
	if (w->running)
		pthread_join(w->thread, NULL);
	sd_event_source_disable_unref(w->source);
	if (w->done_fd >= 0)
		close(w->done_fd);
	pthread_cond_destroy(&w->wake);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

void worker_submit(struct worker *w, struct worker_job *job)
{
	pthread_mutex_lock(&w->lock);
	fifo_push(&w->todo, job);
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
}
