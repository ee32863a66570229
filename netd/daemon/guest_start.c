/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest_start.c -- a document becomes a running guest, or nothing of it stays
 *
 *	names -> live file -> files -> devices -> port profiles -> scripts -> ports -> filters -> process ->
 *	CONFIG -> START -> active
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "netd/base/log.h"
#include "netd/base/str.h"
#include "netd/daemon/guest_change.h"
#include "netd/daemon/guest_files.h"
#include "netd/daemon/guest_nic.h"
#include "netd/daemon/guest_nwfilter.h"
#include "netd/daemon/guest_profile.h"
#include "netd/daemon/guest_script.h"

struct start {
	struct guest_change c;		/* first; c.live is being made */
	struct vmm_config config;
	int terminal_fd;		/* the guest's, -1: none */
	struct guest_vmm *vmm;
	struct guest_profile_walk profiles;
	struct guest_script_walk scripts;
	struct guest_plug plug;
	struct guest_unplug_walk walk;
	size_t nic_at;
	bool paused, again;
	bool waiting_end;		/* the undo waits for the process to end */
};

static struct start *start_of(struct operation *op)
{
	return (struct start *)op;
}

/* ---- names and numbers ---- */

static bool uid_taken(const struct guests *guests, uid_t uid)
{
	struct guest *g;

	for (size_t pos = 0; (g = guests_next(guests, &pos));)
		if (g->uid == uid)
			return true;
	return false;
}

static int take_uid(struct guest *g, struct nd_error *err)
{
	const struct netd_config *c = &g->netd->config;

	for (unsigned i = 0; i < c->vmm_uid_count; i++) {
		if (uid_taken(&g->netd->guests, c->vmm_uid_base + i))
			continue;
		g->uid = c->vmm_uid_base + i;
		return 0;
	}
	return nd_error_set(err, ND_ERR_OPERATION_FAILED, "all %u uids of guests are taken",
			    c->vmm_uid_count);
}

static int start_check(struct operation *op, struct nd_error *err)
{
	struct start *s = start_of(op);
	struct guest *g = s->c.guest;
	int r;

	if (g->live)
		return nd_error_set(err, ND_ERR_OPERATION_INVALID, "domain is already running");
	if (!s->c.live && !g->def)	/* gone since it was asked */
		return nd_error_set(err, ND_ERR_NO_DOMAIN, "no domain with matching name '%s'", g->name);
	if (!s->c.live)
		s->c.live = dom_def_copy(g->def);
	if (!s->c.live)
		return nd_error_nomem(err);
	r = guest_name_devices(s->c.live, err);
	if (r == 0)
		r = take_uid(g, err);
	if (r == 0)
		s->c.live->id = ++g->netd->guests.last_id;
	return r;
}

static int start_uncheck(struct operation *op)
{
	guest_change_of(op)->guest->uid = 0;
	return OP_DONE;
}

/* ---- the live file ---- */

static int write_starting(struct start *s, int reason, struct nd_error *err)
{
	struct guest_status status = { .state = GUEST_SHUT_OFF, .reason = reason, .uid = s->c.guest->uid };

	return guest_store_write_live(s->c.netd->guest_store, s->c.live, &status, err);
}

/* Worker. */
static int start_announce(struct operation *op, struct nd_error *err)
{
	return write_starting(start_of(op), 0, err);
}

static int start_unannounce(struct operation *op)
{
	struct start *s = start_of(op);
	struct nd_error err = { 0 };

	if (guest_store_remove_live(s->c.netd->guest_store, s->c.guest->name, &err) < 0)
		nd_log(LOG_ERR, s->c.guest->name, "taking back a failed start: %s", err.text);
	return OP_DONE;
}

/* ---- what it is given ---- */

static void fill_config(struct start *s)
{
	const struct dom_def *def = s->c.live;
	struct vmm_config *c = &s->config;

	snprintf(c->name, sizeof(c->name), "%s", def->name);
	c->uuid = def->uuid;
	c->uid = geteuid() == 0 ? s->c.guest->uid : 0;
	c->ram_bytes = def->memory.kib * 1024;
	c->n_cpus = (uint8_t)def->vcpus;
	snprintf(c->cmdline, sizeof(c->cmdline), "%s", def->cmdline ? def->cmdline : "");
	c->on_poweroff = def->on_poweroff.action == DOM_ACTION_RESTART ? VMM_RESTART : VMM_DESTROY;
	c->on_reboot = def->on_reboot.action == DOM_ACTION_DESTROY ? VMM_DESTROY : VMM_RESTART;
	c->on_crash = def->on_crash.action == DOM_ACTION_RESTART ? VMM_RESTART : VMM_DESTROY;
	c->clock_offset_s = dom_clock_offset_s(def, (int64_t)time(NULL));
	c->rng = def->n_rngs > 0;
	c->rng_slot = def->n_rngs ? def->rngs[0].info.at.slot : 0;
}

static bool replace(char **string, const char *text)
{
	free(*string);
	*string = strdup(text);
	return *string;
}

/* A guest that restarts has another terminal than before. */
static int set_terminal(struct dom_def *live, const char *tty, struct nd_error *err)
{
	if (!tty[0] || !live->n_serials || !live->n_consoles)
		return 0;
	return replace(&live->serials[0].path, tty) && replace(&live->consoles[0].path, tty) &&
	       replace(&live->consoles[0].tty, tty) ? 0 : nd_error_nomem(err);
}

/* Worker. */
static int start_open(struct operation *op, struct nd_error *err)
{
	struct start *s = start_of(op);
	char tty[64];
	int r;

	if (s->c.live->cmdline && strlen(s->c.live->cmdline) >= sizeof(s->config.cmdline))
		return nd_error_set(err, ND_ERR_CONFIG_UNSUPPORTED,
				    "<cmdline>: it has more than %zu characters",
				    sizeof(s->config.cmdline) - 1);
	fill_config(s);
	r = guest_files_open(s->c.live, &s->c.netd->paths, &s->config, tty, err);
	if (r == 0)
		r = set_terminal(s->c.live, tty, err);
	if (r == 0)
		r = guest_vmm_listen(&s->c.netd->paths, &s->c.guest->uuid, &s->config.listen_fd, err);
	return r;
}

static int start_unopen(struct operation *op)
{
	struct start *s = start_of(op);

	guest_vmm_unlisten(&s->c.netd->paths, &s->c.guest->uuid);
	return OP_DONE;		/* descriptors go with the operation */
}

/* Worker: NICs with devices of their own; the others are only counted. */
static int start_make(struct operation *op, struct nd_error *err)
{
	struct start *s = start_of(op);
	struct dom_def *live = s->c.live;
	int r = 0;

	s->config.nics = calloc(live->n_nics + 1, sizeof(*s->config.nics));
	if (!s->config.nics)
		return nd_error_nomem(err);
	for (size_t i = 0; i < live->n_nics && r == 0; i++) {
		guest_nic_config(&live->nics[i], 0, &s->config.nics[i]);
		s->config.n_nics++;
		if (dom_nic_wants_vhost(&live->nics[i]))
			(void)guest_files_vhost(&live->nics[i], s->c.guest->name, &s->config.nics[i]);
		if (live->nics[i].type != DOM_NIC_NETWORK)
			r = guest_nic_make(s->c.netd, s->c.guest, &live->nics[i], &s->config.nics[i], err);
	}
	if (r < 0)	/* the last one has undone itself */
		guest_unmake_nics(s->c.guest, live->nics, s->config.n_nics - 1);
	return r;
}

static int start_unmake(struct operation *op)
{
	struct guest_change *c = guest_change_of(op);

	guest_unmake_nics(c->guest, c->live->nics, c->live->n_nics);
	return OP_DONE;
}

/* Worker. The next netd tells the switch, and runs the downscripts, by the devices' names, if this one is killed. */
static int start_note(struct operation *op, struct nd_error *err)
{
	struct start *s = start_of(op);
	const struct dom_def *live = s->c.live;
	bool concerned = guest_has_scripts(live->nics, live->n_nics) || guest_has_profiles(live->nics, live->n_nics);

	return concerned ? write_starting(s, GUEST_STATUS_NAMED, err) : OP_DONE;
}

/* ---- port profiles ---- */

static int start_profiles(struct operation *op, struct nd_error *err)
{
	struct start *s = start_of(op);

	s->profiles = (struct guest_profile_walk){ .op = op, .guest = s->c.guest, .nics = s->c.live->nics,
						   .n = s->c.live->n_nics };
	return guest_profiles_begin(&s->profiles, err);
}

/* Worker. */
static int start_no_profiles(struct operation *op)
{
	struct start *s = start_of(op);

	guest_profiles_end(s->c.guest, s->c.live->nics, s->profiles.asked);
	return OP_DONE;
}

/* ---- scripts ---- */

static int start_scripts(struct operation *op, struct nd_error *err)
{
	struct start *s = start_of(op);

	s->scripts = (struct guest_script_walk){ .op = op, .guest = s->c.guest, .nics = s->c.live->nics,
						 .n = s->c.live->n_nics };
	return guest_scripts_run(&s->scripts, err);
}

/* Also of the NIC whose script failed: perhaps it did so half-way. */
static int start_downscripts(struct operation *op)
{
	struct start *s = start_of(op);
	size_t n = s->scripts.at < s->scripts.n ? s->scripts.at + 1 : s->scripts.n;

	s->scripts = (struct guest_script_walk){ .op = op, .guest = s->c.guest, .nics = s->c.live->nics, .n = n,
						 .down = true };
	return guest_scripts_run(&s->scripts, NULL);
}

/* A step that fails has undone itself, which one that waits cannot. So this one stands before it, does nothing
 * and takes back what the next one did. */
static int start_before(struct operation *op, struct nd_error *err)
{
	return OP_DONE;
}

/* ---- ports ---- */

static int plug_next(struct start *s, struct nd_error *err);

static void on_plugged(void *arg, const struct nd_error *err)
{
	struct start *s = arg;
	struct nd_error failed = { 0 };
	int r = err ? -err->code : 0;

	s->nic_at++;
	if (r == 0) {
		r = plug_next(s, &failed);
		err = &failed;
		if (r == OP_WAIT)
			return;
	}
	operation_resume(&s->c.op, r < 0 ? r : 0, err);
}

/* OP_WAIT, OP_DONE when there is none left, or a negative errno. */
static int plug_next(struct start *s, struct nd_error *err)
{
	struct dom_def *live = s->c.live;
	int r;

	while (s->nic_at < live->n_nics && live->nics[s->nic_at].type != DOM_NIC_NETWORK)
		s->nic_at++;
	if (s->nic_at == live->n_nics)
		return OP_DONE;
	s->plug = (struct guest_plug){ s->c.netd, &live->nics[s->nic_at], &s->config.nics[s->nic_at],
				       on_plugged, s };
	r = guest_nic_plug(&s->plug, s->c.guest, err);
	return r < 0 ? r : OP_WAIT;
}

static int unplug_walk(struct operation *op)
{
	struct start *s = start_of(op);

	s->walk = (struct guest_unplug_walk){ .op = op, .guest = s->c.guest };
	return guest_unplug_all(&s->walk);
}

static int start_plug(struct operation *op, struct nd_error *err)
{
	return plug_next(start_of(op), err);
}

/* Worker. */
static int start_tune(struct operation *op, struct nd_error *err)
{
	struct start *s = start_of(op);
	int r = 0;

	for (size_t i = 0; i < s->config.n_nics && r == 0; i++)
		r = guest_nic_tune(&s->c.live->nics[i], &s->config.nics[i], err);
	return r;
}

/* ---- the process ---- */

static void on_answer(void *arg, struct rd *body, const struct nd_error *err)
{
	struct start *s = arg;

	operation_resume(&s->c.op, err ? -err->code : 0, err);
}

static void on_hello(struct guest *g, const struct vmm_hello *hello, bool good)
{
}

static void on_event(struct guest *g, const struct vmm_event *event)
{
	/* what counts of it is its fate, which the vmm remembers */
}

/* The operation in hand, by its process. */
static void on_gone(struct guest *g, struct guest_vmm *vmm, const char *why)
{
	struct operation *op = g->line.queue;
	struct start *s = op ? start_of(op) : NULL;

	if (s && s->vmm == vmm && s->waiting_end)
		operation_resume(op, 0, NULL);
	/* else the step in hand, or the next one, finds it gone */
}

static const struct guest_vmm_hooks starting_hooks = { on_hello, on_event, on_gone };

static int start_spawn(struct operation *op, struct nd_error *err)
{
	struct start *s = start_of(op);

	return guest_vmm_spawn(s->c.guest, s->c.guest->uid, &starting_hooks, &s->vmm, err);
}

static int start_kill(struct operation *op)
{
	struct start *s = start_of(op);

	guest_vmm_forget(s->vmm, s);
	if (guest_vmm_is_gone(s->vmm))
		return OP_DONE;
	s->waiting_end = true;
	guest_vmm_kill(s->vmm);
	return OP_WAIT;
}

static int start_configure(struct operation *op, struct nd_error *err)
{
	struct start *s = start_of(op);
	ND_AUTO(free) uint8_t *bytes = NULL;
	struct vmm_fds fds;
	size_t len;
	int r = vmm_config_check(&s->config, err);

	if (r < 0)
		return r;
	r = vmm_config_bytes(&s->config, &bytes, &len, &fds);
	if (r == -ENOMEM)
		return nd_error_nomem(err);
	if (r < 0)
		return nd_error_set(err, ND_ERR_OPERATION_FAILED,
				    "the guest has more devices than its process can be told of");
	r = guest_vmm_request(s->vmm, VMM_CONFIG, bytes, len, &fds, on_answer, s, err);
	return r < 0 ? r : OP_WAIT;
}

static int start_run(struct operation *op, struct nd_error *err)
{
	struct start *s = start_of(op);
	int r;

	s->terminal_fd = nd_take_fd(&s->config.console_fd);
	vmm_config_fini(&s->config);	/* the process has them: a TAP's end shows when it is gone */
	if (s->paused)
		return OP_DONE;
	r = guest_vmm_request(s->vmm, VMM_START, NULL, 0, NULL, on_answer, s, err);
	return r < 0 ? r : OP_WAIT;
}

/* Worker. */
static int start_record(struct operation *op, struct nd_error *err)
{
	struct start *s = start_of(op);
	struct guest_status status = {
		.state = s->paused ? GUEST_PAUSED : GUEST_RUNNING,
		.reason = s->paused ? GUEST_PAUSED_USER : GUEST_RUNNING_BOOTED,
		.pid = guest_vmm_pid(s->vmm), .uid = s->c.guest->uid,
	};

	return guest_store_write_live(s->c.netd->guest_store, s->c.live, &status, err);
}

static int start_commit(struct operation *op, struct nd_error *err)
{
	struct start *s = start_of(op);
	struct guest *g = s->c.guest;

	if (guest_vmm_is_gone(s->vmm))
		return nd_error_set(err, ND_ERR_OPERATION_FAILED,
				    "the guest's process ended as soon as it ran");
	g->live = nd_take_ptr(&s->c.live);
	g->vmm = nd_take_ptr(&s->vmm);
	g->terminal_fd = nd_take_fd(&s->terminal_fd);
	guest_vmm_set_hooks(g->vmm, &guest_run_hooks);
	g->rebooting = g->ending = false;
	g->booted = !s->paused;
	g->state = s->paused ? GUEST_PAUSED : GUEST_RUNNING;
	g->reason = s->paused ? GUEST_PAUSED_USER : GUEST_RUNNING_BOOTED;
	guest_nwfilter_committed(&s->c);
	return 0;
}

static const struct op_step start_steps[] = {
	{ "checking", false, start_check, start_uncheck },
	{ "announcing it", true, start_announce, start_unannounce },
	{ "opening its files", true, start_open, start_unopen },
	{ "making its devices", true, start_make, start_unmake },
	{ "noting its devices' names", true, start_note, NULL },
	{ "before the port profiles", true, start_before, start_no_profiles },
	{ "associating it with its switches", false, start_profiles, NULL },
	{ "before the scripts", false, start_before, start_downscripts },
	{ "running the scripts", false, start_scripts, NULL },
	{ "before the ports", false, start_before, unplug_walk },
	{ "plugging it into networks", false, start_plug, NULL },
	GUEST_NWFILTER_STEPS,
	{ "tuning its devices", true, start_tune, NULL },
	{ "starting its process", false, start_spawn, start_kill },
	{ "telling the process what it is", false, start_configure, NULL },
	{ "running it", false, start_run, NULL },
	{ "recording the live state", true, start_record, NULL },
	{ "becoming active", false, start_commit, NULL },
};

static void start_events(struct guest *g, bool paused)
{
	struct events *e = g->netd->events;

	events_domain_lifecycle(e, g, paused ? DOM_SUSPENDED : DOM_RESUMED, 0);
	events_domain_lifecycle(e, g, DOM_STARTED, 0);
}

static void start_end(struct operation *op)
{
	struct start *s = start_of(op);
	struct guest *g = s->c.guest;
	bool ok = op->result == 0, paused = s->paused, again = s->again;

	vmm_config_fini(&s->config);
	if (s->terminal_fd >= 0)
		close(s->terminal_fd);
	guest_vmm_free(s->vmm);
	if (ok)
		nd_log(LOG_INFO, g->name, "guest started%s, process %d", paused ? " (paused)" : "",
		       (int)guest_vmm_pid(g->vmm));
	else if (again)
		nd_log(LOG_ERR, g->name, "guest does not start again: %s", op->err.text);
	if (!ok && !g->live) {
		g->state = GUEST_SHUT_OFF;
		g->reason = GUEST_SHUT_OFF_FAILED;
	}
	guest_change_end(&s->c);
	if (ok && !again)
		start_events(g, paused);
	if (!ok && again)
		events_domain_lifecycle(g->netd->events, g, DOM_STOPPED, DOM_STOPPED_FAILED);
}

static int begin(struct guest *g, struct dom_def *live_taken, bool paused, bool again,
		 guest_done done, void *arg, struct nd_error *err)
{
	ND_AUTO(dom_def_free) struct dom_def *live = live_taken;
	struct start *s = guest_change_new(g, sizeof(*s), done, arg, err);

	if (!s)
		return -ENOMEM;
	vmm_config_init(&s->config);
	s->terminal_fd = -1;
	s->c.live = nd_take_ptr(&live);
	s->paused = paused;
	s->again = again;
	guest_change_start(&s->c, start_steps, ND_COUNT(start_steps), start_end);
	return 0;
}

int guest_start(struct guest *g, struct dom_def *def, bool paused, guest_done done, void *arg,
		struct nd_error *err)
{
	return begin(g, def, paused, false, done, arg, err);
}

int guest_start_again(struct guest *g, struct dom_def *live)
{
	struct nd_error err = { 0 };
	int r = begin(g, live, false, true, NULL, NULL, &err);

	if (r < 0)
		nd_log(LOG_ERR, g->name, "guest does not start again: %s", err.text);
	return r;
}

int guest_create(struct netd *d, struct dom_def *def_taken, bool paused, guest_done done, void *arg,
		 struct nd_error *err)
{
	ND_AUTO(dom_def_free) struct dom_def *def = def_taken;
	struct guest *g = NULL;
	int r = guest_target(d, def, &g, err);

	if (r == 0 && g->live)
		r = nd_error_set(err, ND_ERR_OPERATION_INVALID, "domain is already active as '%s'",
				 g->name);
	if (r == 0)
		r = begin(g, nd_take_ptr(&def), paused, false, done, arg, err);
	if (r < 0 && g && !guest_visible(g) && !g->line.queue)
		guests_remove(&d->guests, g);
	return r;
}

void guest_cut_off_over(struct guest *g)
{
	guest_done done = g->autostart_done;
	struct nd_error err = { 0 };

	g->cut_off = false;
	g->autostart_done = NULL;
	if (done && guest_start(g, NULL, false, done, g->autostart_arg, &err) < 0)
		done(g->autostart_arg, g, &err);
}

/* True: done will be called. */
static bool autostart(struct guest *g, guest_done done, void *arg)
{
	if (!g->autostart || !g->def || g->autostart_done)
		return false;
	if (g->cut_off) {
		g->autostart_done = done;
		g->autostart_arg = arg;
		return true;
	}
	return !g->live && !g->line.queue &&
	       guest_start(g, NULL, false, done, arg, NULL) == 0;	/* else -ENOMEM */
}

unsigned guest_autostart_all(struct netd *d, guest_done done, void *arg)
{
	struct guest *g;
	unsigned n = 0;

	for (size_t pos = 0; (g = guests_next(&d->guests, &pos));)
		n += autostart(g, done, arg);
	return n;
}
