/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hold and quit are what threads are told, under the lock; each looks after every exit, and a
 * signal makes an exit. `out` counts those that wait here, outside of the guest.
 */
#include "vmm/cpus.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "vmm/cpuid.h"
#include "vmm/sandbox.h"

#define STACK_BYTES (128u * 1024)

struct thread {
	struct cpus *cpus;
	struct vcpu *vcpu;
	pthread_t id;
	bool started;
};

struct cpus {
	struct cpus_setup setup;
	struct boot_entry entry;
	atomic_bool hold, quit;
	unsigned out;
	pthread_cond_t told, left;	/* hold or quit changed; out changed */
	unsigned n;
	struct thread threads[];
};

/* Outside of the guest until nobody holds the vCPUs. False: the end. */
static bool wait_for_go(struct cpus *c)
{
	struct loop *l = c->setup.loop;

	if (!atomic_load(&c->hold) && !atomic_load(&c->quit))
		return true;
	loop_lock(l);
	c->out++;
	pthread_cond_broadcast(&c->left);
	while (atomic_load(&c->hold) && !atomic_load(&c->quit))
		loop_wait(l, &c->told);
	c->out--;
	loop_unlock(l);
	return !atomic_load(&c->quit);
}

static void report(struct cpus *c, enum vcpu_end end, const struct nd_error *err)
{
	loop_lock(c->setup.loop);
	cpus_hold(c);
	c->setup.ended(c->setup.arg, end, err);
	loop_unlock(c->setup.loop);
}

static void *thread_main(void *arg)
{
	struct thread *t = arg;
	struct cpus *c = t->cpus;
	struct nd_error err = { 0 };

	vcpu_kicks_take(t->vcpu);
	if (c->setup.sandbox && sandbox_vcpu(&err) < 0)
		report(c, VCPU_BROKEN, &err);
	while (wait_for_go(c)) {
		enum vcpu_end end = vcpu_run(t->vcpu, &c->setup.exits, &err);

		if (end != VCPU_EXITED)
			report(c, end, &err);
	}
	return NULL;
}

/* All other signals stay with the I/O thread. */
static int thread_start(struct thread *t)
{
	sigset_t all, old;
	pthread_attr_t attr;
	int r;

	sigfillset(&all);
	sigdelset(&all, VCPU_KICK_SIGNAL);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&t->id, &attr, thread_main, t);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	t->started = r == 0;
	return -r;
}

static int vcpus_make(struct cpus *c, struct kvm_cpuid2 *cpuid, struct nd_error *err)
{
	for (; c->n < c->setup.n; c->n++) {
		struct thread *t = &c->threads[c->n];
		int r = vcpu_new(c->setup.vm, c->setup.kvm_fd, c->n, c->setup.n, cpuid, &c->entry,
				 &t->vcpu, err);

		if (r < 0)
			return r;
		t->cpus = c;
	}
	for (unsigned i = 0; i < c->n; i++) {
		int r = thread_start(&c->threads[i]);

		if (r < 0)
			return nd_error_sys(err, -r, "cannot start the thread of vCPU %u", i);
	}
	return 0;
}

int cpus_new(const struct cpus_setup *setup, struct cpus **out, struct nd_error *err)
{
	struct cpus *c = calloc(1, sizeof(*c) + setup->n * sizeof(c->threads[0]));
	ND_AUTO(free) struct kvm_cpuid2 *cpuid = NULL;
	int r;

	if (!c)
		return nd_error_nomem(err);
	c->setup = *setup;
	c->entry = *setup->entry;
	atomic_store(&c->hold, true);
	pthread_cond_init(&c->told, NULL);
	pthread_cond_init(&c->left, NULL);
	r = cpuid_supported(setup->kvm_fd, &cpuid, err);
	if (r == 0)
		r = vcpus_make(c, cpuid, err);
	if (r < 0) {
		cpus_free(c);
		return r;
	}
	*out = c;
	return 0;
}

static void kick(struct cpus *c)
{
	for (unsigned i = 0; i < c->n; i++)
		if (c->threads[i].started && !pthread_equal(c->threads[i].id, pthread_self()))
			pthread_kill(c->threads[i].id, VCPU_KICK_SIGNAL);
}

void cpus_free(struct cpus *c)
{
	if (!c)
		return;
	atomic_store(&c->quit, true);
	pthread_cond_broadcast(&c->told);
	kick(c);
	loop_unlock(c->setup.loop);
	for (unsigned i = 0; i < c->n; i++)
		if (c->threads[i].started)
			pthread_join(c->threads[i].id, NULL);
	loop_lock(c->setup.loop);
	for (unsigned i = 0; i < c->n; i++)
		vcpu_free(c->threads[i].vcpu);
	pthread_cond_destroy(&c->told);
	pthread_cond_destroy(&c->left);
	free(c);
}

void cpus_go(struct cpus *c)
{
	atomic_store(&c->hold, false);
	pthread_cond_broadcast(&c->told);
}

void cpus_hold(struct cpus *c)
{
	if (!atomic_exchange(&c->hold, true))
		kick(c);
}

void cpus_pause(struct cpus *c)
{
	cpus_hold(c);
	while (c->out < c->n)
		loop_wait(c->setup.loop, &c->left);
}

unsigned cpus_count(const struct cpus *c)
{
	return c->n;
}

uint64_t cpus_time_ns(const struct cpus *c, unsigned id)
{
	struct timespec t;
	clockid_t clock;

	if (id >= c->n || pthread_getcpuclockid(c->threads[id].id, &clock) != 0 ||
	    clock_gettime(clock, &t) < 0)
		return 0;
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}
