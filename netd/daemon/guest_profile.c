/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/guest_profile.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "datapath/guest_link.h"
#include "datapath/profile_talk.h"
#include "netd/base/log.h"
#include "netd/base/str.h"
#include "netd/daemon/file.h"
#include "netd/daemon/netd.h"
#include "netd/model/xml.h"

/* libvirt waits as long for the switch, and for nobody when the guest has ended. */
enum { AGREE_S = 10, LOOK_EVERY_MS = 100, END_MS = 200, END_LOOK_EVERY_MS = 5 };

bool guest_nic_has_profile(const struct dom_nic *nic)
{
	return nic->type == DOM_NIC_DIRECT && (nic->virtualport.type == VIRTUALPORT_8021QBG ||
					       nic->virtualport.type == VIRTUALPORT_8021QBH);
}

bool guest_has_profiles(const struct dom_nic *nics, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (guest_nic_has_profile(&nics[i]))
			return true;
	return false;
}

/* As libvirt finds it; zeros where there is none. */
static struct nd_uuid host_uuid(const struct paths *paths)
{
	static const char machine_id[] = "/etc/machine-id";
	char dmi[512];
	const char *files[] = { dmi, machine_id };
	struct nd_uuid uuid;

	snprintf(dmi, sizeof(dmi), "%s/class/dmi/id/product_uuid", paths->sysfs);
	for (size_t i = 0; i < ND_COUNT(files); i++) {
		ND_AUTO(free) char *text = NULL;

		if (file_read(AT_FDCWD, files[i], 256, &text, NULL) < 0)
			continue;
		text[strcspn(text, "\n")] = '\0';
		if (nd_uuid_parse(text, &uuid))
			return uuid;
	}
	return (struct nd_uuid){ 0 };
}

/* Worker: sends a request about a NIC. */
static int request(const struct guest *g, const struct dom_nic *nic, uint8_t what, struct profile_talk **out,
		   struct nd_error *err)
{
	const struct virtualport_def *v = &nic->virtualport;
	struct netd *d = g->netd;
	bool qbg = v->type == VIRTUALPORT_8021QBG;
	struct port_profile p = {
		.kind = qbg ? PORT_PROFILE_QBG : PORT_PROFILE_QBH, .mac = nic->mac,
		.instance = qbg ? v->instanceid : g->uuid, .manager = v->managerid, .type = v->typeid,
		.version = v->typeidversion,
	};
	int r = profile_find_device(d->datapath, nic->dev, &p, err);

	if (r < 0)
		return r;
	if (!qbg) {
		snprintf(p.name, sizeof(p.name), "%s", v->profileid);
		p.host = host_uuid(&d->paths);
	}
	return profile_talk_new(&p, d->paths.lldpad, what, out, err);
}

/* ---- the beginning ---- */

static uint64_t now_us(const struct guest_profile_walk *w)
{
	uint64_t now = 0;

	(void)sd_event_now(w->guest->netd->event, CLOCK_MONOTONIC, &now);	/* cannot fail: the loop runs */
	return now;
}

/* Worker. */
static void run(struct worker_job *job)
{
	struct guest_profile_walk *w = (void *)((char *)job - offsetof(struct guest_profile_walk, job));
	const struct dom_nic *nic = &w->nics[w->at];
	int r = w->talk ? 0 : request(w->guest, nic, PORT_REQUEST_ASSOCIATE, &w->talk, &w->err);

	if (r == 0)
		r = profile_talk_look(w->talk, &w->err);
	if (r == 1) {
		r = datapath_guest_set_up(w->guest->netd->datapath, nic->target, nic->mtu_bytes, &w->err);
		r = r < 0 ? r : 1;
	}
	w->result = r;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *arg)
{
	struct guest_profile_walk *w = arg;

	worker_submit(w->guest->netd->worker, &w->job);
	return 0;
}

/* 0, or the time is over. */
static int look_again(struct guest_profile_walk *w)
{
	struct nd_error *err = &w->err;
	int r;

	if (now_us(w) >= w->deadline_us)
		return nd_error_set(err, ND_ERR_OPERATION_TIMEOUT, "%s has not answered for '%s' within %d s",
				    profile_talk_silent(w->talk), w->nics[w->at].dev, AGREE_S);
	w->timer = sd_event_source_disable_unref(w->timer);
	r = sd_event_add_time_relative(w->guest->netd->event, &w->timer, CLOCK_MONOTONIC, LOOK_EVERY_MS * 1000, 0,
				       on_timer, w);
	return r < 0 ? nd_error_sys(err, -r, "cannot wait for the switch") : 0;
}

/* Main. */
static void done(struct worker_job *job)
{
	struct guest_profile_walk *w = (void *)((char *)job - offsetof(struct guest_profile_walk, job));
	struct nd_error failed = { 0 };
	int r = w->result;

	if (r == 0) {
		r = look_again(w);
		if (r == 0)
			return;
	}
	if (!w->talk || profile_talk_refused(w->talk))
		w->asked = w->at;
	w->timer = sd_event_source_disable_unref(w->timer);
	profile_talk_free(w->talk);
	w->talk = NULL;
	if (r < 0) {
		(void)xml_fail_at(&failed, "virtualport", w->nics[w->at].virtualport.line, w->err.kind, "%s",
				  w->err.text);
		failed.code = w->err.code;
		operation_resume(w->op, r, &failed);
		return;
	}
	w->at++;
	if (guest_profiles_begin(w, &failed) == OP_DONE)
		operation_resume(w->op, 0, NULL);
}

int guest_profiles_begin(struct guest_profile_walk *w, struct nd_error *err)
{
	while (w->at < w->n && !guest_nic_has_profile(&w->nics[w->at]))
		w->at++;
	if (w->at == w->n)
		return OP_DONE;
	w->asked = w->at + 1;
	w->deadline_us = now_us(w) + AGREE_S * 1000000ULL;
	w->job = (struct worker_job){ .run = run, .done = done };
	worker_submit(w->guest->netd->worker, &w->job);
	return OP_WAIT;
}

/* ---- the end ---- */

static int end_one(struct guest *g, const struct dom_nic *nic, struct nd_error *err)
{
	const struct timespec pause = { .tv_nsec = END_LOOK_EVERY_MS * 1000000L };
	ND_AUTO(profile_talk_free) struct profile_talk *t = NULL;
	int r = request(g, nic, PORT_REQUEST_DISASSOCIATE, &t, err);

	if (r < 0)
		return r;
	/* The kernel has answered by now; lldpad is given a moment, and does the rest without us. */
	for (int waited_ms = 0; (r = profile_talk_look_accepted(t, err)) == 0 && waited_ms < END_MS;
	     waited_ms += END_LOOK_EVERY_MS)
		nanosleep(&pause, NULL);
	return r != 0 ? r : nd_error_set(err, ND_ERR_OPERATION_TIMEOUT, "lldpad does not answer");
}

void guest_profiles_end(struct guest *g, const struct dom_nic *nics, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct nd_error err = { 0 };

		if (guest_nic_has_profile(&nics[i]) && end_one(g, &nics[i], &err) < 0)
			nd_log(LOG_WARNING, g->name, "the switch at '%s' may still know interface %s: %s", nics[i].dev,
			       nics[i].info.alias, err.text);
	}
}
