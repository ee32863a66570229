/* SPDX-License-Identifier: GPL-2.0-or-later */
/* machine.h -- the guest's whole machine, put together; its life from power on to power off
 *
 * All calls with the loop's lock held (or before the loop runs), on the I/O thread.
 */
#pragma once
#include "vmm/config.h"
#include "vmm/devices.h"
#include "vmm/loop.h"
#include "vmm/message.h"

struct machine;

struct machine_setup {
	struct vmm_config *config;	/* its descriptors are moved out; the rest is copied */
	struct loop *loop;
	int console_in_fd;		/* -1: read from the console's own descriptor */
	bool sandbox;
	void *arg;
	/* Something happened. On the I/O thread. */
	void (*event)(void *arg, const struct vmm_event *e);
	/* What the guest wants to see of a NIC has changed (devices_nic_filter()). NULL: nobody asks. On the I/O
	 * thread. */
	void (*filter)(void *arg, const char *id);
	/* Power is off for good; nothing else follows. On the I/O thread. */
	void (*over)(void *arg);
};

/* Everything that can be refused is refused here. */
int machine_new(const struct machine_setup *setup, struct machine **out, struct nd_error *err);
void machine_free(struct machine *m);
ND_DEFINE_AUTO(struct machine *, machine_free)

enum vmm_state machine_state(const struct machine *m);
struct devices *machine_devices(struct machine *m);

/* Loads the kernel and makes the vCPUs: READY. */
int machine_boot(struct machine *m, struct nd_error *err);
int machine_start(struct machine *m, struct nd_error *err);
int machine_pause(struct machine *m, struct nd_error *err);
int machine_resume(struct machine *m, struct nd_error *err);
int machine_button(struct machine *m, struct nd_error *err);
int machine_reset(struct machine *m, struct nd_error *err);
/* Appends; returns the new n. */
size_t machine_counters(const struct machine *m, struct vmm_counter *list, size_t n, size_t max);
