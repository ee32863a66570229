/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/polkit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <systemd/sd-bus.h>

#include "netd/base/str.h"

#define ANSWER_US (10 * 1000000ull)
#define PASSWORD_US (120 * 1000000ull)	/* a person types */
#define ALLOW_USER_INTERACTION 1u	/* CheckAuthorizationFlags */

struct waiting {
	TAILQ_ENTRY(waiting) entry;
	struct polkit *polkit;
	sd_bus_slot *slot;
	char action[128];
	polkit_done done;
	void *arg;
};

struct polkit {
	sd_event *event;
	sd_bus *bus;			/* NULL: not connected, or not any more */
	TAILQ_HEAD(, waiting) waiting;
};

struct polkit *polkit_new(sd_event *event)
{
	struct polkit *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->event = event;
	TAILQ_INIT(&p->waiting);
	return p;
}

static void answer(struct waiting *w, const struct nd_error *err)
{
	TAILQ_REMOVE(&w->polkit->waiting, w, entry);
	sd_bus_slot_unref(w->slot);
	w->done(w->arg, err);
	free(w);
}

void polkit_free(struct polkit *p)
{
	struct nd_error err = { 0 };
	struct waiting *w;

	if (!p)
		return;
	nd_error_set(&err, ND_ERR_AUTH_FAILED, "the daemon stops");
	while ((w = TAILQ_FIRST(&p->waiting)))
		answer(w, &err);
	sd_bus_close_unref(p->bus);
	free(p);
}

static int connect_bus(struct polkit *p, struct nd_error *err)
{
	int r;

	if (p->bus && sd_bus_is_open(p->bus) > 0)
		return 0;
	p->bus = sd_bus_close_unref(p->bus);	/* the bus was restarted; its waiting were answered */
	r = sd_bus_open_system(&p->bus);
	if (r >= 0)
		r = sd_bus_attach_event(p->bus, p->event, SD_EVENT_PRIORITY_NORMAL);
	if (r >= 0)
		return 0;
	p->bus = sd_bus_close_unref(p->bus);
	return nd_error_set(err, ND_ERR_AUTH_FAILED, "polkit cannot be asked: no system bus: %s",
			    strerror(-r));
}

static int put_subject(sd_bus_message *m, const struct polkit_question *q)
{
	int r = sd_bus_message_open_container(m, 'r', "sa{sv}");

	if (r >= 0)
		r = sd_bus_message_append(m, "sa{sv}", "unix-process", 3, "pid", "u", (uint32_t)q->pid,
					  "start-time", "t", q->start_time, "uid", "i", (int32_t)q->uid);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int put_details(sd_bus_message *m, const struct polkit_question *q)
{
	int r = sd_bus_message_open_container(m, 'a', "{ss}");

	for (size_t i = 0; i < q->n_details && r >= 0; i++)
		r = sd_bus_message_append(m, "{ss}", q->details[i].key, q->details[i].value);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int make_message(struct polkit *p, const struct polkit_question *q, sd_bus_message **out)
{
	int r = sd_bus_message_new_method_call(p->bus, out, "org.freedesktop.PolicyKit1",
					       "/org/freedesktop/PolicyKit1/Authority",
					       "org.freedesktop.PolicyKit1.Authority",
					       "CheckAuthorization");

	if (r >= 0)
		r = put_subject(*out, q);
	if (r >= 0)
		r = sd_bus_message_append(*out, "s", q->action);
	if (r >= 0)
		r = put_details(*out, q);
	if (r >= 0)
		r = sd_bus_message_append(*out, "us", q->interactive ? ALLOW_USER_INTERACTION : 0, "");
	return r;
}

/* The details of a refusal: whether the user himself ended it. */
static bool was_dismissed(sd_bus_message *m)
{
	const char *key, *value;
	bool dismissed = false;

	if (sd_bus_message_enter_container(m, 'a', "{ss}") < 0)
		return false;
	while (sd_bus_message_read(m, "{ss}", &key, &value) > 0)
		dismissed |= nd_streq(key, "polkit.dismissed") && *value;
	return dismissed;
}

/* What the answer says; ND_ERR_OK: allowed. */
static void judge(sd_bus_message *m, const char *action, struct nd_error *err)
{
	const sd_bus_error *failed = sd_bus_message_get_error(m);
	int authorized, challenge;

	if (failed)
		nd_error_set(err, ND_ERR_AUTH_FAILED, "polkit does not answer: %s",
			     failed->message ? failed->message : failed->name);
	else if (sd_bus_message_enter_container(m, 'r', "bba{ss}") < 0 ||
		 sd_bus_message_read(m, "bb", &authorized, &challenge) < 0)
		nd_error_set(err, ND_ERR_AUTH_FAILED, "polkit's answer cannot be read");
	else if (authorized)
		*err = (struct nd_error){ 0 };
	else if (was_dismissed(m))
		nd_error_set(err, ND_ERR_AUTH_CANCELLED, "user cancelled authentication process");
	else if (challenge)
		nd_error_set(err, ND_ERR_AUTH_UNAVAILABLE, "no polkit agent available to authenticate "
			     "action '%s'", action);
	else
		nd_error_set(err, ND_ERR_AUTH_FAILED, "access denied by policy");
}

static int on_answer(sd_bus_message *m, void *arg, sd_bus_error *error)
{
	struct waiting *w = arg;
	struct nd_error err = { 0 };

	judge(m, w->action, &err);
	answer(w, err.kind == ND_ERR_OK ? NULL : &err);
	return 1;
}

int polkit_ask(struct polkit *p, const struct polkit_question *q, polkit_done done, void *arg,
	       struct nd_error *err)
{
	struct waiting *w;
	sd_bus_message *m = NULL;
	int r = connect_bus(p, err);

	if (r < 0)
		return r;
	w = calloc(1, sizeof(*w));
	if (!w)
		return nd_error_nomem(err);
	*w = (struct waiting){ .polkit = p, .done = done, .arg = arg };
	snprintf(w->action, sizeof(w->action), "%s", q->action);
	r = make_message(p, q, &m);
	if (r >= 0)
		r = sd_bus_call_async(p->bus, &w->slot, m, on_answer, w,
				      q->interactive ? PASSWORD_US : ANSWER_US);
	sd_bus_message_unref(m);
	if (r < 0) {
		free(w);
		return nd_error_set(err, ND_ERR_AUTH_FAILED, "polkit cannot be asked: %s",
				    strerror(-r));
	}
	TAILQ_INSERT_TAIL(&p->waiting, w, entry);
	return 0;
}
