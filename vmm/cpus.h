/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cpus.h -- all vCPUs of a machine, a thread for each
 *
 * All calls with the loop's lock held.
 */
#pragma once
#include "vmm/loop.h"
#include "vmm/vcpu.h"

struct cpus;

struct cpus_setup {
	const struct vm *vm;
	int kvm_fd;
	unsigned n;
	const struct boot_entry *entry;
	struct loop *loop;
	struct vcpu_exits exits;	/* called without the lock */
	bool sandbox;			/* each thread locks itself in further */
	/* A vCPU ended with VCPU_RESET or VCPU_BROKEN; all are held. On its thread, with the lock. */
	void (*ended)(void *arg, enum vcpu_end end, const struct nd_error *err);
	void *arg;
};

/* Held until cpus_go(). */
int cpus_new(const struct cpus_setup *setup, struct cpus **out, struct nd_error *err);
/* Ends the threads. Gives the lock away while it waits for them. */
void cpus_free(struct cpus *c);

void cpus_go(struct cpus *c);
/* No vCPU enters the guest again before cpus_go(). On a vCPU's thread this holds itself too. */
void cpus_hold(struct cpus *c);
/* Holds them and waits until all are out of the guest, giving the lock away meanwhile. Not on a vCPU's thread. */
void cpus_pause(struct cpus *c);

unsigned cpus_count(const struct cpus *c);
/* Processor time of its thread. */
uint64_t cpus_time_ns(const struct cpus *c, unsigned id);
