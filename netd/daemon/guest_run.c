/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest_run.c -- a guest that runs: what its process tells, what is asked of it, its end noticed */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "netd/base/log.h"
#include "netd/base/str.h"
#include "netd/daemon/guest_change.h"
#include "netd/daemon/guest_device.h"
#include "netd/daemon/guest_nic.h"
#include "netd/daemon/guest_tune.h"

/* A process that dies sooner is not started again: it would only die again. */
#define AGAIN_AFTER_MS 5000

void guest_set_state(struct guest *g, enum guest_state state, int reason)
{
	enum guest_state was = g->state;

	if (was == state)
		return;
	g->state = state;
	g->reason = reason;
	if (state == GUEST_PAUSED)
		events_domain_lifecycle(g->netd->events, g, DOM_SUSPENDED, 0);
	else if (state == GUEST_RUNNING && was == GUEST_PAUSED)
		events_domain_lifecycle(g->netd->events, g, DOM_RESUMED, 0);
}

struct guest_status guest_status_of(const struct guest *g)
{
	return (struct guest_status){
		.state = (int)g->state, .reason = g->reason,
		.pid = g->vmm ? guest_vmm_pid(g->vmm) : 0, .uid = g->uid,
	};
}

void guest_record(struct guest *g)
{
	struct guest_status status = guest_status_of(g);
	struct nd_error err = { 0 };

	if (guest_store_write_live(g->netd->guest_store, g->live, &status, &err) < 0)
		nd_log(LOG_WARNING, g->name, "%s", err.text);
}

/* ---- what its process tells ---- */

static void on_state(struct guest *g, uint32_t state)
{
	if (state == VMM_STATE_RUNNING)
		guest_set_state(g, GUEST_RUNNING, GUEST_RUNNING_UNPAUSED);
	else if (state == VMM_STATE_PAUSED)
		guest_set_state(g, GUEST_PAUSED, GUEST_PAUSED_USER);
	else if (state == VMM_STATE_CRASHED)
		guest_set_state(g, GUEST_CRASHED, 1);	/* VIR_DOMAIN_CRASHED_PANICKED */
}

static void on_event(struct guest *g, const struct vmm_event *e)
{
	bool again = e->detail == VMM_RESTART;

	switch (e->kind) {
	case VMM_EVENT_STATE:
		on_state(g, e->detail);
		break;
	case VMM_EVENT_POWEROFF:
		nd_log(LOG_INFO, g->name, "the guest powered itself off%s", again ? ", and boots again" : "");
		events_domain_lifecycle(g->netd->events, g, DOM_SHUTDOWN, DOM_SHUTDOWN_FINISHED);
		break;
	case VMM_EVENT_RESET:
		nd_log(LOG_INFO, g->name, "the guest was reset");
		events_domain_reboot(g->netd->events, g);
		break;
	case VMM_EVENT_CRASHED:
		nd_log(LOG_WARNING, g->name, "the guest crashed: %s", e->text);
		events_domain_lifecycle(g->netd->events, g, DOM_CRASHED, 0);
		break;
	case VMM_EVENT_NIC_REMOVED:
		guest_nic_removed(g, e->text);
		break;
	}
}

/* As far as anybody was told, it never started. */
static const struct guest_end cut_off_end = { .reason = GUEST_SHUT_OFF_UNKNOWN, .quiet = true };

/* How the guest ends now that its process has. */
static struct guest_end end_of(struct guest *g, const struct guest_vmm *vmm, const char *why)
{
	enum dom_action on_crash = g->live->on_crash.action;

	switch (guest_vmm_fate(vmm)) {
	case GUEST_FATE_POWEROFF:
		if (g->rebooting)
			return (struct guest_end){ .quiet = true, .again = true };
		/* fall through */
	case GUEST_FATE_RESET:
		return (struct guest_end){ .reason = GUEST_SHUT_OFF_SHUTDOWN,
					   .detail = DOM_STOPPED_SHUTDOWN };
	case GUEST_FATE_CRASHED:
		return (struct guest_end){ .reason = GUEST_SHUT_OFF_CRASHED,
					   .detail = DOM_STOPPED_CRASHED };
	case GUEST_FATE_UNKNOWN:
		break;
	}
	nd_log(LOG_ERR, g->name, "its process %s", why);
	if (on_crash == DOM_ACTION_RESTART && guest_vmm_age_ms(vmm) >= AGAIN_AFTER_MS)
		return (struct guest_end){ .quiet = true, .again = true };
	return (struct guest_end){ .reason = GUEST_SHUT_OFF_CRASHED, .detail = DOM_STOPPED_FAILED };
}

static void on_gone(struct guest *g, struct guest_vmm *vmm, const char *why)
{
	struct nd_error err = { 0 };
	struct guest_end how;

	if (g->ending) {	/* what waits for it stands first in the line */
		operation_resume(g->line.queue, 0, NULL);
		return;
	}
	how = g->cut_off ? cut_off_end : end_of(g, vmm, why);
	if (how.again)
		events_domain_reboot(g->netd->events, g);
	if (guest_end(g, &how, NULL, NULL, &err) < 0)
		nd_log(LOG_ERR, g->name, "%s", err.text);
}

/* ---- found again by a restarted netd ---- */

struct forgotten {
	struct guest_change c;		/* first */
	struct guest_unplug_walk walk;
};

static int forgotten_unplug(struct operation *op, struct nd_error *err)
{
	struct forgotten *f = (struct forgotten *)op;

	f->walk = (struct guest_unplug_walk){ .op = op, .guest = f->c.guest, .but = f->c.guest->live };
	return f->c.guest->live ? guest_unplug_all(&f->walk) : OP_DONE;
}

/* Worker. */
static int forgotten_unmake(struct operation *op, struct nd_error *err)
{
	struct guest *g = guest_change_of(op)->guest;

	if (g->live)
		guest_nic_unmake_strays(g->netd, g, g->live);
	return OP_DONE;
}

static void forgotten_end(struct operation *op)
{
	guest_change_end(guest_change_of(op));
}

static const struct op_step forgotten_steps[] = {
	{ "unplugging what nobody wrote down", false, forgotten_unplug, NULL },
	{ "removing devices that nobody wrote down", true, forgotten_unmake, NULL },
	{ "following its ports", false, guest_tune_follow_ports, NULL },
	{ "mending its devices", true, guest_tune_mend_links, NULL },
	{ "recording the live state", true, guest_change_record_live, NULL },
	{ "committing", false, guest_change_commit, NULL },
};

/* Ports and devices that an earlier netd made, changed, or was about to remove, when it was killed. */
static void clear_forgotten(struct guest *g)
{
	struct forgotten *f = guest_change_new(g, sizeof(*f), NULL, NULL, NULL);

	if (f)		/* else they go with the guest */
		guest_change_start(&f->c, forgotten_steps, ND_COUNT(forgotten_steps), forgotten_end);
}

static void on_hello(struct guest *g, const struct vmm_hello *hello, bool good)
{
	if (!good || !nd_uuid_equal(&hello->uuid, &g->uuid) || hello->state <= VMM_STATE_EMPTY) {
		nd_log(LOG_ERR, g->name, "its process speaks another language, and is ended");
		guest_vmm_kill(g->vmm);
		return;
	}
	if (g->cut_off) {	/* also one that runs: nobody wrote down which ports it has */
		nd_log(LOG_WARNING, g->name, "its start was cut off, and what there is of it is cleared away");
		guest_vmm_kill(g->vmm);
		return;
	}
	g->booted = hello->state != VMM_STATE_READY;
	g->state = hello->state == VMM_STATE_RUNNING ? GUEST_RUNNING
		 : hello->state == VMM_STATE_CRASHED ? GUEST_CRASHED : GUEST_PAUSED;
	nd_log(LOG_INFO, g->name, "guest found again, process %d of build %s",
	       (int)guest_vmm_pid(g->vmm), hello->build);
	guest_nics_compare(g, hello);
	clear_forgotten(g);
}

const struct guest_vmm_hooks guest_run_hooks = { on_hello, on_event, on_gone };

void guest_adopt_all(struct netd *d)
{
	const struct guest_end lost = { .reason = GUEST_SHUT_OFF_UNKNOWN,
					.detail = DOM_STOPPED_FAILED };
	struct guest *g;

	for (size_t pos = 0; (g = guests_next(&d->guests, &pos));) {
		struct nd_error err = { 0 };

		if (!g->live || g->vmm)
			continue;
		if (guest_vmm_adopt(g, geteuid() == 0 ? g->uid : (uid_t)-1, &guest_run_hooks, &g->vmm,
				    &err) == 0)
			continue;
		nd_log(LOG_WARNING, g->name, "guest is not there any more: %s", err.text);
		(void)guest_end(g, g->cut_off ? &cut_off_end : &lost, NULL, NULL, NULL);	/* only -ENOMEM */
	}
}

/* ---- what is asked of it ---- */

struct ask {
	struct guest_change c;		/* first */
	uint16_t type;			/* of the request */
	enum guest_state to;		/* state after it; 0: as before */
	int reason;
	enum guest_state from;		/* it must be in this state; 0: any */
	bool rebooting;
};

static void on_answer(void *arg, struct rd *body, const struct nd_error *err)
{
	operation_resume(arg, err ? -err->code : 0, err);
}

static int ask_process(struct operation *op, struct nd_error *err)
{
	struct ask *a = (struct ask *)op;
	struct guest *g = a->c.guest;
	int r;

	if (!g->live || !g->vmm || g->ending)
		return nd_error_set(err, ND_ERR_OPERATION_INVALID, "domain is not running");
	if (a->to && g->state == a->to)
		return nd_error_set(err, ND_ERR_OPERATION_INVALID, "domain is already %s",
				    a->to == GUEST_RUNNING ? "running" : "paused");
	if (a->from && g->state != a->from)
		return nd_error_set(err, ND_ERR_OPERATION_INVALID, "domain is not %s",
				    a->from == GUEST_RUNNING ? "running" : "paused");
	if (a->type == VMM_RESUME && !g->booted)
		a->type = VMM_START;
	r = guest_vmm_request(g->vmm, a->type, NULL, 0, NULL, on_answer, op, err);
	return r < 0 ? r : OP_WAIT;
}

static int ask_commit(struct operation *op, struct nd_error *err)
{
	struct ask *a = (struct ask *)op;
	struct guest *g = a->c.guest;

	if (a->type == VMM_START)
		g->booted = true;
	if (a->to)
		guest_set_state(g, a->to, a->reason);
	if (a->rebooting)
		g->rebooting = true;
	return OP_DONE;
}

/* Worker. */
static int ask_record(struct operation *op, struct nd_error *err)
{
	struct ask *a = (struct ask *)op;

	if (a->to)
		guest_record(a->c.guest);
	return OP_DONE;
}

static const struct op_step ask_steps[] = {
	{ "asking its process", false, ask_process, NULL },
	{ "committing", false, ask_commit, NULL },
	{ "recording the live state", true, ask_record, NULL },
};

static void ask_end(struct operation *op)
{
	guest_change_end(guest_change_of(op));
}

static int ask(struct guest *g, const struct ask *what, guest_done done, void *arg,
	       struct nd_error *err)
{
	struct ask *a = guest_change_new(g, sizeof(*a), done, arg, err);
	struct guest_change c;

	if (!a)
		return -ENOMEM;
	c = a->c;
	*a = *what;
	a->c = c;
	guest_change_start(&a->c, ask_steps, ND_COUNT(ask_steps), ask_end);
	return 0;
}

int guest_suspend(struct guest *g, guest_done done, void *arg, struct nd_error *err)
{
	const struct ask a = { .type = VMM_PAUSE, .to = GUEST_PAUSED, .reason = GUEST_PAUSED_USER,
			       .from = GUEST_RUNNING };

	return ask(g, &a, done, arg, err);
}

int guest_resume(struct guest *g, guest_done done, void *arg, struct nd_error *err)
{
	const struct ask a = { .type = VMM_RESUME, .to = GUEST_RUNNING,
			       .reason = GUEST_RUNNING_UNPAUSED, .from = GUEST_PAUSED };

	return ask(g, &a, done, arg, err);
}

int guest_shutdown(struct guest *g, guest_done done, void *arg, struct nd_error *err)
{
	const struct ask a = { .type = VMM_SHUTDOWN, .from = GUEST_RUNNING };

	return ask(g, &a, done, arg, err);
}

int guest_reboot(struct guest *g, guest_done done, void *arg, struct nd_error *err)
{
	const struct ask a = { .type = VMM_SHUTDOWN, .from = GUEST_RUNNING, .rebooting = true };

	return ask(g, &a, done, arg, err);
}

int guest_reset(struct guest *g, guest_done done, void *arg, struct nd_error *err)
{
	const struct ask a = { .type = VMM_RESET };

	return ask(g, &a, done, arg, err);
}

/* ---- what it costs ---- */

uint64_t guest_cpu_time_ns(const struct guest *g)
{
	unsigned long long user = 0, system = 0;
	ND_AUTO(fclose) FILE *f = NULL;
	char path[64], text[1024];
	const char *at;

	if (!g->vmm)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)guest_vmm_pid(g->vmm));
	f = fopen(path, "re");
	if (!f || !fgets(text, sizeof(text), f))
		return 0;
	at = strrchr(text, ')');	/* the name before it may hold anything */
	if (!at || sscanf(at, ") %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu %llu", &user,
			  &system) != 2)
		return 0;
	return (user + system) * (1000000000ULL / (unsigned long long)sysconf(_SC_CLK_TCK));
}
