/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/guest_script.h"

#include "netd/base/log.h"
#include "netd/daemon/netd.h"
#include "netd/daemon/script.h"

bool guest_has_scripts(const struct dom_nic *nics, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (nics[i].script || nics[i].downscript)
			return true;
	return false;
}

static void on_done(void *arg, const struct nd_error *err);

/* Of the NIC whose turn it is. 0: it runs; 1: there is none. One that was never made has no name. */
static int start(struct guest_script_walk *w, struct nd_error *err)
{
	const struct dom_nic *nic = &w->nics[w->at];
	struct script_spec spec = {
		.element = w->down ? "downscript" : "script", .path = w->down ? nic->downscript : nic->script,
		.arg = nic->target, .object = w->guest->name, .limit_s = w->guest->netd->config.script_timeout_s,
	};

	if (!spec.path || !spec.arg)
		return 1;
	return script_start(w->guest->netd->event, &spec, on_done, w, &w->running, err);
}

static void log_failure(const struct guest_script_walk *w, const struct nd_error *err)
{
	nd_log(LOG_WARNING, w->guest->name, "device '%s': %s", w->nics[w->at].target, err->text);
}

int guest_scripts_run(struct guest_script_walk *w, struct nd_error *err)
{
	struct nd_error failed = { 0 };

	for (; w->at < w->n; w->at++) {
		int r = start(w, w->down ? &failed : err);

		if (r == 0)
			return OP_WAIT;
		if (r < 0 && !w->down)
			return r;
		if (r < 0)
			log_failure(w, &failed);
	}
	return OP_DONE;
}

static void on_done(void *arg, const struct nd_error *err)
{
	struct guest_script_walk *w = arg;
	struct nd_error failed = { 0 };
	int r = err && !w->down ? -err->code : 0;

	script_free(w->running);
	w->running = NULL;
	if (err && w->down)
		log_failure(w, err);
	if (r == 0) {
		w->at++;
		r = guest_scripts_run(w, &failed);
		err = &failed;
	}
	if (r != OP_WAIT)
		operation_resume(w->op, r, err);
}
