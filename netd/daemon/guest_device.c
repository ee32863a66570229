/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/guest_device.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netd/base/log.h"
#include "netd/base/str.h"
#include "netd/daemon/guest_change.h"
#include "netd/daemon/guest_files.h"
#include "netd/daemon/guest_nic.h"
#include "netd/daemon/guest_nwfilter.h"
#include "netd/daemon/guest_profile.h"
#include "netd/daemon/guest_script.h"
#include "netd/daemon/guest_tune.h"

struct device_op {
	struct guest_change c;		/* first; c.def, c.live: the documents afterwards */
	struct dom_device *device;
	bool live, config;
	struct vmm_nic nic;		/* attach */
	struct guest_profile_walk profile;	/* of one NIC */
	struct guest_script_walk script;	/* likewise */
	struct guest_plug plug;
	char id[VMM_ID_MAX];		/* detach, update, removed: the NIC's alias */
};

static struct device_op *device_of(struct operation *op)
{
	return (struct device_op *)op;
}

static struct dom_nic *last_nic(struct device_op *o)
{
	return &o->c.live->nics[o->c.live->n_nics - 1];
}

static void device_end(struct operation *op)
{
	struct device_op *o = device_of(op);

	dom_device_free(o->device);
	vmm_nic_fini(&o->nic);
	guest_change_end(&o->c);
}

static struct device_op *device_new(struct guest *g, const struct guest_device_change *what,
				    guest_done done, void *arg, struct nd_error *err)
{
	struct device_op *o = guest_change_new(g, sizeof(*o), done, arg, err);

	if (!o) {
		dom_device_free(what->device);
		return NULL;
	}
	vmm_nic_init(&o->nic);
	o->device = what->device;
	o->live = what->live;
	o->config = what->config;
	return o;
}

/* ---- steps that all changes share ---- */

/* Worker. The guest has changed already: a failure is only logged. */
static int record_live(struct operation *op, struct nd_error *err)
{
	if (guest_change_record_live(op, err) < 0)
		nd_log(LOG_WARNING, device_of(op)->c.guest->name, "%s", err->text);
	return OP_DONE;
}

static void on_answer(void *arg, struct rd *body, const struct nd_error *err)
{
	operation_resume(arg, err ? -err->code : 0, err);
}

static int asked(int r)
{
	return r < 0 ? r : OP_WAIT;
}

/* ---- attach ---- */

static int attach_to(struct dom_def *def, struct device_op *o, struct nd_error *err)
{
	int r = def ? dom_def_add_device(def, o->device, err) : 0;

	return r < 0 || !def ? r : dom_def_check(def, err);
}

static int check_live_kind(const struct device_op *o, struct nd_error *err)
{
	if (!o->live || o->device->kind == DOM_DEVICE_NIC)
		return 0;
	return nd_error_set(err, ND_ERR_OPERATION_UNSUPPORTED, "a running guest's %s cannot come, go or "
			    "change: with the definition it does at the next start",
			    o->device->kind == DOM_DEVICE_DISK ? "<disk>" : "<rng>");
}

/* A MAC that both documents have: the device is the same one. */
static int give_mac(struct device_op *o, struct nd_error *err)
{
	struct dom_nic *nic = &o->device->nic;
	int r = 0;

	if (o->device->kind == DOM_DEVICE_NIC && !nic->has_mac) {
		r = nd_mac_random(&nic->mac);
		nic->has_mac = true;
	}
	return r < 0 ? nd_error_sys(err, -r, "cannot make a random MAC address") : 0;
}

static int attach_check(struct operation *op, struct nd_error *err)
{
	struct device_op *o = device_of(op);
	int r = guest_change_copy(&o->c, o->live, o->config, err);

	if (r == 0)
		r = check_live_kind(o, err);
	if (r == 0)
		r = give_mac(o, err);
	if (r == 0)
		r = attach_to(o->c.def, o, err);
	if (r == 0)
		r = attach_to(o->c.live, o, err);
	if (r < 0 || !o->live)
		return r;
	r = guest_name_devices(o->c.live, err);
	if (r == 0)
		guest_nic_config(last_nic(o), 0, &o->nic);
	return r;
}

/* Worker. */
static int attach_make(struct operation *op, struct nd_error *err)
{
	struct device_op *o = device_of(op);

	if (!o->live)
		return 0;
	if (dom_nic_wants_vhost(last_nic(o)))
		(void)guest_files_vhost(last_nic(o), o->c.guest->name, &o->nic);
	return last_nic(o)->type == DOM_NIC_NETWORK ? 0
	       : guest_nic_make(o->c.netd, o->c.guest, last_nic(o), &o->nic, err);
}

static int attach_unmake(struct operation *op)
{
	struct device_op *o = device_of(op);
	struct nd_error err = { 0 };

	if (o->live && guest_nic_unmake(o->c.netd, o->c.guest, last_nic(o), &err) < 0)
		nd_log(LOG_ERR, o->c.guest->name, "taking back a failed change: %s", err.text);
	return OP_DONE;
}

static bool others_are_told(struct device_op *o)
{
	return o->live && (guest_has_scripts(last_nic(o), 1) || guest_nic_has_profile(last_nic(o)));
}

/* Worker. The next netd finds that the guest does not have it, and tells the switch or runs the downscript, if this one
 * is killed. */
static int attach_note(struct operation *op, struct nd_error *err)
{
	return others_are_told(device_of(op)) ? guest_change_record_live(op, err) : OP_DONE;
}

static int attach_unnote(struct operation *op)
{
	if (others_are_told(device_of(op)))
		guest_record(guest_change_of(op)->guest);
	return OP_DONE;
}

static int attach_profile(struct operation *op, struct nd_error *err)
{
	struct device_op *o = device_of(op);

	if (!o->live)
		return OP_DONE;
	o->profile = (struct guest_profile_walk){ .op = op, .guest = o->c.guest, .nics = last_nic(o), .n = 1 };
	return guest_profiles_begin(&o->profile, err);
}

/* Worker. */
static int attach_no_profile(struct operation *op)
{
	struct device_op *o = device_of(op);

	if (o->profile.asked)
		guest_profiles_end(o->c.guest, last_nic(o), 1);
	return OP_DONE;
}

static int run_script(struct device_op *o, const struct dom_nic *nic, bool down, struct nd_error *err)
{
	o->script = (struct guest_script_walk){ .op = &o->c.op, .guest = o->c.guest, .nics = nic, .n = 1, .down = down };
	return guest_scripts_run(&o->script, err);
}

static int attach_script(struct operation *op, struct nd_error *err)
{
	struct device_op *o = device_of(op);

	return o->live ? run_script(o, last_nic(o), false, err) : OP_DONE;
}

static int attach_downscript(struct operation *op)
{
	struct device_op *o = device_of(op);

	return o->live ? run_script(o, last_nic(o), true, NULL) : OP_DONE;
}

static void on_plugged(void *arg, const struct nd_error *err)
{
	operation_resume(arg, err ? -err->code : 0, err);
}

/* Does nothing, and takes back what the next step did, which waits. */
static int before(struct operation *op, struct nd_error *err)
{
	return OP_DONE;
}

static void on_unplugged(void *arg)
{
	operation_resume(arg, 0, NULL);
}

static int attach_unplug(struct operation *op)
{
	struct device_op *o = device_of(op);

	if (!o->live)
		return OP_DONE;
	return guest_nic_unplug(o->c.netd, o->c.guest, last_nic(o), on_unplugged, op) == 0 ? OP_WAIT
										       : OP_DONE;
}

static int attach_plug(struct operation *op, struct nd_error *err)
{
	struct device_op *o = device_of(op);

	if (!o->live || last_nic(o)->type != DOM_NIC_NETWORK)
		return OP_DONE;
	o->plug = (struct guest_plug){ o->c.netd, last_nic(o), &o->nic, on_plugged, op };
	return asked(guest_nic_plug(&o->plug, o->c.guest, err));
}

/* Worker. */
static int attach_tune(struct operation *op, struct nd_error *err)
{
	struct device_op *o = device_of(op);

	return o->live ? guest_nic_tune(last_nic(o), &o->nic, err) : OP_DONE;
}

static int attach_tell(struct operation *op, struct nd_error *err)
{
	struct device_op *o = device_of(op);
	struct vmm_fds fds = { 0 };
	uint8_t room[512];
	struct wr w = wr_init(room, sizeof(room));

	if (!o->live)
		return OP_DONE;
	if (!o->c.guest->vmm)
		return nd_error_set(err, ND_ERR_OPERATION_INVALID, "domain is not running");
	vmm_nic_encode(&o->nic, &w, &fds);
	if (w.full)
		return nd_error_set(err, ND_ERR_INTERNAL, "the interface does not fit its message");
	return asked(guest_vmm_request(o->c.guest->vmm, VMM_NIC_ADD, room, wr_len(&w), &fds, on_answer,
				       op, err));
}

static int attach_commit(struct operation *op, struct nd_error *err)
{
	struct device_op *o = device_of(op);
	const char *alias;

	guest_change_commit(op, err);
	if (!o->live)
		return OP_DONE;
	alias = o->c.guest->live->nics[o->c.guest->live->n_nics - 1].info.alias;
	events_domain_device(o->c.netd->events, o->c.guest, DOM_EVENT_DEVICE_ADDED, alias);
	return OP_DONE;
}

static const struct op_step attach_steps[] = {
	{ "checking", false, attach_check, NULL },
	{ "writing the definition", true, guest_change_write_config, guest_change_restore_config },
	{ "making its device", true, attach_make, attach_unmake },
	{ "noting its name", true, attach_note, attach_unnote },
	{ "before its port profile", true, before, attach_no_profile },
	{ "associating it with its switch", false, attach_profile, NULL },
	{ "before its script", false, before, attach_downscript },
	{ "running its script", false, attach_script, NULL },
	{ "before the port", false, before, attach_unplug },
	{ "plugging it into its network", false, attach_plug, NULL },
	GUEST_NWFILTER_STEPS,
	{ "tuning its device", true, attach_tune, NULL },
	{ "telling the guest", false, attach_tell, NULL },
	{ "recording the live state", true, record_live, NULL },
	{ "committing", false, attach_commit, NULL },
};

int guest_attach(struct guest *g, const struct guest_device_change *what, guest_done done, void *arg,
		 struct nd_error *err)
{
	struct device_op *o = device_new(g, what, done, arg, err);

	if (!o)
		return -ENOMEM;
	guest_change_start(&o->c, attach_steps, ND_COUNT(attach_steps), device_end);
	return 0;
}

/* ---- detach ---- */

static int detach_check(struct operation *op, struct nd_error *err)
{
	struct device_op *o = device_of(op);
	struct dom_def *live;
	size_t at;
	int r = guest_change_copy(&o->c, o->live, o->config, err);

	if (r == 0)
		r = check_live_kind(o, err);
	if (r == 0 && o->c.def) {
		r = dom_def_find_device(o->c.def, o->device, &at, err);
		if (r == 0)
			dom_def_remove_device(o->c.def, o->device->kind, at);
	}
	if (r < 0 || !o->c.live)
		return r;
	r = dom_def_find_device(o->c.live, o->device, &at, err);
	if (r == 0)
		snprintf(o->id, sizeof(o->id), "%s", o->c.live->nics[at].info.alias);
	live = nd_take_ptr(&o->c.live);		/* changes when the guest has let go */
	dom_def_free(live);
	return r;
}

static int detach_ask(struct operation *op, struct nd_error *err)
{
	struct device_op *o = device_of(op);

	if (!o->live)
		return OP_DONE;
	if (!o->c.guest->vmm)
		return nd_error_set(err, ND_ERR_OPERATION_INVALID, "domain is not running");
	return asked(guest_vmm_nic(o->c.guest->vmm, VMM_NIC_REMOVE, o->id, 0, on_answer, op, err));
}

static const struct op_step detach_steps[] = {
	{ "checking", false, detach_check, NULL },
	{ "writing the definition", true, guest_change_write_config, guest_change_restore_config },
	{ "asking the guest", false, detach_ask, NULL },
	{ "committing", false, guest_change_commit, NULL },
};

int guest_detach(struct guest *g, const struct guest_device_change *what, guest_done done, void *arg,
		 struct nd_error *err)
{
	struct device_op *o = device_new(g, what, done, arg, err);

	if (!o)
		return -ENOMEM;
	guest_change_start(&o->c, detach_steps, ND_COUNT(detach_steps), device_end);
	return 0;
}

/* ---- the guest has let go ---- */

static struct dom_nic *nic_by_alias(const struct dom_def *def, const char *alias)
{
	for (size_t i = 0; i < def->n_nics; i++)
		if (def->nics[i].info.alias && nd_streq(def->nics[i].info.alias, alias))
			return &def->nics[i];
	return NULL;
}

static int removed_check(struct operation *op, struct nd_error *err)
{
	struct device_op *o = device_of(op);
	struct guest *g = o->c.guest;
	struct dom_nic *nic = g->live && !g->ending ? nic_by_alias(g->live, o->id) : NULL;

	if (!nic)	/* gone with the guest, or told twice */
		return nd_error_set(err, ND_ERR_DEVICE_MISSING, "there is no interface '%s'", o->id);
	o->c.live = dom_def_copy(g->live);
	if (!o->c.live)
		return nd_error_nomem(err);
	dom_def_remove_device(o->c.live, DOM_DEVICE_NIC, (size_t)(nic - g->live->nics));
	return OP_DONE;
}

static int removed_unplug(struct operation *op, struct nd_error *err)
{
	struct device_op *o = device_of(op);
	const struct dom_nic *nic = nic_by_alias(o->c.guest->live, o->id);

	return guest_nic_unplug(o->c.netd, o->c.guest, nic, on_unplugged, op) == 0 ? OP_WAIT : OP_DONE;
}

static int removed_script(struct operation *op, struct nd_error *err)
{
	struct device_op *o = device_of(op);

	return run_script(o, nic_by_alias(o->c.guest->live, o->id), true, NULL);
}

/* Worker. */
static int removed_unmake(struct operation *op, struct nd_error *err)
{
	struct device_op *o = device_of(op);
	const struct dom_nic *nic = nic_by_alias(o->c.guest->live, o->id);

	guest_profiles_end(o->c.guest, nic, 1);
	if (guest_nic_unmake(o->c.netd, o->c.guest, nic, err) < 0)
		nd_log(LOG_ERR, o->c.guest->name, "device '%s' stays: %s", nic->target, err->text);
	guest_nwfilter_drop(o->c.guest, nic, 1);
	return OP_DONE;
}

static int removed_commit(struct operation *op, struct nd_error *err)
{
	struct device_op *o = device_of(op);

	guest_change_commit(op, err);
	nd_log(LOG_INFO, o->c.guest->name, "interface %s is out", o->id);
	events_domain_device(o->c.netd->events, o->c.guest, DOM_EVENT_DEVICE_REMOVED, o->id);
	return OP_DONE;
}

static const struct op_step removed_steps[] = {
	{ "checking", false, removed_check, NULL },
	{ "unplugging it from its network", false, removed_unplug, NULL },
	{ "running its downscript", false, removed_script, NULL },
	{ "removing its device", true, removed_unmake, NULL },
	{ "recording the live state", true, record_live, NULL },
	{ "committing", false, removed_commit, NULL },
};

void guest_nic_removed(struct guest *g, const char *alias)
{
	const struct guest_device_change nothing = { 0 };
	struct nd_error err = { 0 };
	struct device_op *o = device_new(g, &nothing, NULL, NULL, &err);

	if (!o) {
		nd_log(LOG_ERR, g->name, "interface %s stays: %s", alias, err.text);
		return;
	}
	snprintf(o->id, sizeof(o->id), "%s", alias);
	guest_change_start(&o->c, removed_steps, ND_COUNT(removed_steps), device_end);
}

static bool says(const struct vmm_hello *hello, const char *alias)
{
	for (size_t i = 0; i < hello->n_nics; i++)
		if (nd_streq(hello->nics[i], alias))
			return true;
	return false;
}

void guest_nics_compare(struct guest *g, const struct vmm_hello *hello)
{
	for (size_t i = 0; i < g->live->n_nics; i++)
		if (!says(hello, g->live->nics[i].info.alias))
			guest_nic_removed(g, g->live->nics[i].info.alias);
	/* one that netd had no time to write down: its device is gone with the netd that made it */
	for (size_t i = 0; i < hello->n_nics; i++)
		if (!nic_by_alias(g->live, hello->nics[i]))
			(void)guest_vmm_nic(g->vmm, VMM_NIC_REMOVE, hello->nics[i], 0, NULL, NULL, NULL);
}

/* ---- update ---- */

static int update_config(struct device_op *o, struct nd_error *err)
{
	struct dom_nic *nic, *asked = &o->device->nic, copy;
	size_t at;
	int r = dom_def_find_device(o->c.def, o->device, &at, err);

	if (r < 0)
		return r;
	if (o->device->kind != DOM_DEVICE_NIC)
		return nd_error_set(err, ND_ERR_OPERATION_UNSUPPORTED,
				    "only a network device's definition can be updated");
	nic = &o->c.def->nics[at];
	if (dom_nic_copy(&copy, asked) < 0)
		return nd_error_nomem(err);
	copy.mac = nic->mac;
	copy.has_mac = true;
	if (!copy.info.pci) {
		copy.info.pci = nic->info.pci;
		copy.info.at = nic->info.at;
	}
	dom_nic_fini(nic);
	*nic = copy;
	return dom_def_check(o->c.def, err);
}

/* What the document asks for: where it asks for nothing, what the portgroup has. */
static struct bandwidth_def asked_bandwidth(const struct device_op *o)
{
	const struct dom_nic *asked = &o->device->nic;
	const struct network *net = asked->type == DOM_NIC_NETWORK ?
				    registry_by_name(&o->c.netd->networks, asked->network) : NULL;
	const struct bandwidth_def *group = net && net->live && !asked->bandwidth.given ?
					    net_def_group_bandwidth(net->live, asked->portgroup) : NULL;

	return group ? *group : asked->bandwidth;
}

static int update_check(struct operation *op, struct nd_error *err)
{
	struct device_op *o = device_of(op);
	struct nwfilter_ref filter;
	struct dom_nic *nic;
	size_t at;
	int r = guest_change_copy(&o->c, o->live, o->config, err);

	if (r == 0)
		r = check_live_kind(o, err);
	if (r == 0 && o->c.def)
		r = update_config(o, err);
	if (r < 0 || !o->c.live)
		return r;
	r = dom_def_find_device(o->c.live, o->device, &at, err);
	if (r < 0)
		return r;
	nic = &o->c.live->nics[at];
	r = guest_nic_check_same(nic, &o->device->nic, err);
	nic->link = o->device->nic.link;
	nic->bandwidth = asked_bandwidth(o);
	filter = nic->filter;
	nic->filter = o->device->nic.filter;
	o->device->nic.filter = filter;
	snprintf(o->id, sizeof(o->id), "%s", nic->info.alias);
	return r;
}

static int update_tell(struct operation *op, struct nd_error *err)
{
	struct device_op *o = device_of(op);

	if (!o->live)
		return OP_DONE;
	if (!o->c.guest->vmm)
		return nd_error_set(err, ND_ERR_OPERATION_INVALID, "domain is not running");
	return asked(guest_vmm_nic(o->c.guest->vmm, VMM_NIC_LINK, o->id,
				   o->device->nic.link != DOM_LINK_DOWN, on_answer, op, err));
}

static const struct op_step update_steps[] = {
	{ "checking", false, update_check, NULL },
	{ "writing the definition", true, guest_change_write_config, guest_change_restore_config },
	GUEST_TUNE_STEPS,
	GUEST_NWFILTER_STEPS,
	{ "telling the guest", false, update_tell, NULL },
	{ "recording the live state", true, record_live, NULL },
	{ "committing", false, guest_change_commit, NULL },
};

int guest_update(struct guest *g, const struct guest_device_change *what, guest_done done, void *arg,
		 struct nd_error *err)
{
	struct device_op *o = device_new(g, what, done, arg, err);

	if (!o)
		return -ENOMEM;
	guest_change_start(&o->c, update_steps, ND_COUNT(update_steps), device_end);
	return 0;
}
