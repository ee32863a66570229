/* SPDX-License-Identifier: GPL-2.0-or-later */
/* calls_domain_life.c -- libvirt's calls on guests: their life, and their devices */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netd/daemon/calls_domain.h"
#include "netd/daemon/guest_console.h"
#include "netd/daemon/guest_device.h"

/* VIR_DOMAIN_START_*. There is no saved state: nothing to bypass a cache for, and every start is a
 * boot. */
enum { START_PAUSED = 1, START_BYPASS_CACHE = 4, START_FORCE_BOOT = 8, START_VALIDATE = 16,
       START_KNOWN = START_PAUSED | START_BYPASS_CACHE | START_FORCE_BOOT };

static int create(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	struct guest *g = call_guest(call, &((lv_dom_args *)args)->dom, err);
	int r = g ? guest_start(g, NULL, false, reply_guest_done, call, err) : -ENOENT;

	return r < 0 ? r : RPC_PENDING;
}

static int create_with_flags(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	const lv_dom_flags_args *a = args;
	struct guest *g;
	int r = call_flags(a->flags, START_KNOWN, "virDomainCreateWithFlags", err);

	if (r < 0)
		return r;
	g = call_guest(call, &a->dom, err);
	r = g ? guest_start(g, NULL, a->flags & START_PAUSED, reply_guest, call, err) : -ENOENT;
	return r < 0 ? r : RPC_PENDING;
}

static int create_xml(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	const lv_xml_flags_args *a = args;
	struct dom_def *def = NULL;
	int r = call_flags(a->flags, START_KNOWN | START_VALIDATE, "virDomainCreateXML", err);

	if (r == 0)
		r = call_document(call, a->xml, a->flags & START_VALIDATE, &def, err);
	if (r == 0)
		r = guest_create(call_netd(call), def, a->flags & START_PAUSED, reply_guest, call, err);
	return r < 0 ? r : RPC_PENDING;
}

typedef int (*guest_verb)(struct guest *g, guest_done done, void *arg, struct nd_error *err);

static int with_guest(struct rpc_call *call, const lv_dom *dom, guest_verb verb, struct nd_error *err)
{
	struct guest *g = call_guest(call, dom, err);
	int r = g ? verb(g, reply_guest_done, call, err) : -ENOENT;

	return r < 0 ? r : RPC_PENDING;
}

static int with_flags(struct rpc_call *call, const lv_dom_flags_args *a, unsigned known,
		      const char *function, guest_verb verb, struct nd_error *err)
{
	int r = call_flags(a->flags, known, function, err);

	return r < 0 ? r : with_guest(call, &a->dom, verb, err);
}

static int destroy(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	return with_guest(call, &((lv_dom_args *)args)->dom, guest_destroy, err);
}

static int destroy_flags(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	return with_flags(call, args, 0, "virDomainDestroyFlags", guest_destroy, err);
}

/* VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN, VIR_DOMAIN_REBOOT_ACPI_POWER_BTN: the only way there is. */
enum { BY_ACPI = 1 };

static int press_power(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	return with_guest(call, &((lv_dom_args *)args)->dom, guest_shutdown, err);
}

static int press_power_flags(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	return with_flags(call, args, BY_ACPI, "virDomainShutdownFlags", guest_shutdown, err);
}

static int reboot_guest(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	return with_flags(call, args, BY_ACPI, "virDomainReboot", guest_reboot, err);
}

static int reset(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	return with_flags(call, args, 0, "virDomainReset", guest_reset, err);
}

static int suspend(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	return with_guest(call, &((lv_dom_args *)args)->dom, guest_suspend, err);
}

static int resume(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	return with_guest(call, &((lv_dom_args *)args)->dom, guest_resume, err);
}

/* ---- devices ---- */

/* VIR_DOMAIN_DEVICE_MODIFY_FORCE: of media that a guest has locked, of which there are none. */
enum { DEVICE_FORCE = 4 };

typedef int (*device_verb)(struct guest *g, const struct guest_device_change *what, guest_done done,
			   void *arg, struct nd_error *err);

static int with_device(struct rpc_call *call, const lv_dom_xml_flags_args *a, unsigned known,
		       const char *function, device_verb verb, struct nd_error *err)
{
	struct guest_device_change what = { 0 };
	struct guest *g;
	int r = call_flags(a->flags, AFFECT_LIVE | AFFECT_CONFIG | known, function, err);

	if (r < 0)
		return r;
	g = call_guest(call, &a->dom, err);
	if (!g)
		return -ENOENT;
	r = guest_affected(g, a->flags, &what.live, &what.config, err);
	if (r == 0)
		r = dom_device_parse(a->xml, strlen(a->xml), &what.device, err);
	if (r == 0)
		r = verb(g, &what, reply_guest_done, call, err);
	return r < 0 ? r : RPC_PENDING;
}

/* The calls without flags are about the guest that runs. */
static int with_live_device(struct rpc_call *call, const lv_dom_xml_args *a, const char *function,
			    device_verb verb, struct nd_error *err)
{
	const lv_dom_xml_flags_args with = { .dom = a->dom, .xml = a->xml, .flags = AFFECT_LIVE };

	return with_device(call, &with, 0, function, verb, err);
}

static int attach(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	return with_live_device(call, args, "virDomainAttachDevice", guest_attach, err);
}

static int attach_flags(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	return with_device(call, args, 0, "virDomainAttachDeviceFlags", guest_attach, err);
}

static int detach(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	return with_live_device(call, args, "virDomainDetachDevice", guest_detach, err);
}

static int detach_flags(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	return with_device(call, args, 0, "virDomainDetachDeviceFlags", guest_detach, err);
}

static int update_flags(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	return with_device(call, args, DEVICE_FORCE, "virDomainUpdateDeviceFlags", guest_update, err);
}

/* ---- console ---- */

/* VIR_DOMAIN_CONSOLE_*. SAFE: locked against other users of the terminal, as it always is here. */
enum { CONSOLE_FORCE = 1, CONSOLE_SAFE = 2 };

static int open_console(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	const lv_domain_open_console_args *a = args;
	struct guest *g;
	int r = call_flags(a->flags, CONSOLE_FORCE | CONSOLE_SAFE, "virDomainOpenConsole", err);

	if (r < 0)
		return r;
	g = call_guest(call, &a->dom, err);
	if (!g)
		return -ENOENT;
	r = guest_console_open(g, call, a->dev_name ? *a->dev_name : NULL, a->flags & CONSOLE_FORCE, err);
	return r < 0 ? r : RPC_DONE;
}

const struct rpc_method domain_life_methods[] = {
	DOM_ARGS(LV_PROC_DOMAIN_OPEN_CONSOLE, "virDomainOpenConsole", 0, lv_domain_open_console_args,
		 open_console),
	DOM_ARGS(LV_PROC_DOMAIN_CREATE, "virDomainCreate", 0, lv_dom_args, create),
	DOM(LV_PROC_DOMAIN_CREATE_WITH_FLAGS, "virDomainCreateWithFlags", 0, lv_dom_flags_args,
	    lv_dom_ret, create_with_flags),
	DOM(LV_PROC_DOMAIN_CREATE_XML, "virDomainCreateXML", 0, lv_xml_flags_args, lv_dom_ret,
	    create_xml),
	DOM_ARGS(LV_PROC_DOMAIN_DESTROY, "virDomainDestroy", 0, lv_dom_args, destroy),
	DOM_ARGS(LV_PROC_DOMAIN_DESTROY_FLAGS, "virDomainDestroyFlags", 0, lv_dom_flags_args,
		 destroy_flags),
	DOM_ARGS(LV_PROC_DOMAIN_SHUTDOWN, "virDomainShutdown", 0, lv_dom_args, press_power),
	DOM_ARGS(LV_PROC_DOMAIN_SHUTDOWN_FLAGS, "virDomainShutdownFlags", 0, lv_dom_flags_args,
		 press_power_flags),
	DOM_ARGS(LV_PROC_DOMAIN_REBOOT, "virDomainReboot", 0, lv_dom_flags_args, reboot_guest),
	DOM_ARGS(LV_PROC_DOMAIN_RESET, "virDomainReset", 0, lv_dom_flags_args, reset),
	DOM_ARGS(LV_PROC_DOMAIN_SUSPEND, "virDomainSuspend", 0, lv_dom_args, suspend),
	DOM_ARGS(LV_PROC_DOMAIN_RESUME, "virDomainResume", 0, lv_dom_args, resume),
	DOM_ARGS(LV_PROC_DOMAIN_ATTACH_DEVICE, "virDomainAttachDevice", 0, lv_dom_xml_args, attach),
	DOM_ARGS(LV_PROC_DOMAIN_ATTACH_DEVICE_FLAGS, "virDomainAttachDeviceFlags", 0,
		 lv_dom_xml_flags_args, attach_flags),
	DOM_ARGS(LV_PROC_DOMAIN_DETACH_DEVICE, "virDomainDetachDevice", 0, lv_dom_xml_args, detach),
	DOM_ARGS(LV_PROC_DOMAIN_DETACH_DEVICE_FLAGS, "virDomainDetachDeviceFlags", 0,
		 lv_dom_xml_flags_args, detach_flags),
	DOM_ARGS(LV_PROC_DOMAIN_UPDATE_DEVICE_FLAGS, "virDomainUpdateDeviceFlags", 0,
		 lv_dom_xml_flags_args, update_flags),
};
const size_t n_domain_life_methods = ND_COUNT(domain_life_methods);
