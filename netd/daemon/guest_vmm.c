/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/guest_vmm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "netd/base/array.h"
#include "netd/base/effect.h"
#include "netd/base/log.h"
#include "netd/daemon/guest_filter.h"
#include "netd/daemon/netd.h"

/* How long an answer may take: setting up much memory is the slowest. */
#define ANSWER_S 30
/* So many requests may wait for answers. */
#define REQUESTS_MAX 256

struct request {
	uint32_t serial;
	uint64_t deadline_us;
	guest_vmm_done done;
	void *arg;
};

struct guest_vmm {
	struct guest *guest;
	const struct guest_vmm_hooks *hooks;
	struct child *process;
	uid_t uid;
	uint64_t born_ms;
	uint32_t serial;
	struct request *requests;
	size_t n_requests;
	sd_event_source *timer;
	bool adopted, heard, gone;
	enum guest_fate fate;
	bool *freed;			/* set when it is freed in one of its callbacks */
};

static const struct child_kind vmm_child = { "netd-vmm", vmm_channel_new };

void guest_vmm_free(struct guest_vmm *v)
{
	if (!v)
		return;
	if (v->freed)
		*v->freed = true;
	child_free(v->process);
	sd_event_source_disable_unref(v->timer);
	free(v->requests);
	free(v);
}

/* ---- requests ---- */

static void timer_set(struct guest_vmm *v)
{
	uint64_t first = UINT64_MAX;

	for (size_t i = 0; i < v->n_requests; i++)
		if (v->requests[i].deadline_us < first)
			first = v->requests[i].deadline_us;
	if (first == UINT64_MAX) {
		(void)sd_event_source_set_enabled(v->timer, SD_EVENT_OFF);	/* cannot fail: it exists */
		return;
	}
	(void)sd_event_source_set_time(v->timer, first);
	(void)sd_event_source_set_enabled(v->timer, SD_EVENT_ONESHOT);
}

/* Ends request i: false when v was freed by who waited. */
static bool answer(struct guest_vmm *v, size_t i, struct rd *body, const struct nd_error *err)
{
	struct request r = v->requests[i];
	bool freed = false, *outer = v->freed;

	nd_array_remove(v->requests, v->n_requests, i);
	if (!r.done)
		return true;
	v->freed = &freed;
	r.done(r.arg, body, err);
	if (freed) {
		if (outer)
			*outer = true;
		return false;
	}
	v->freed = outer;
	return true;
}

static bool answer_all(struct guest_vmm *v, const struct nd_error *err)
{
	while (v->n_requests)
		if (!answer(v, 0, NULL, err))
			return false;
	return true;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *arg)
{
	struct guest_vmm *v = arg;
	struct nd_error err = { 0 };

	nd_error_set(&err, ND_ERR_OPERATION_TIMEOUT, "the guest's process did not answer within %d s",
		     ANSWER_S);
	for (size_t i = 0; i < v->n_requests;) {
		if (v->requests[i].deadline_us > usec)
			i++;
		else if (!answer(v, i, NULL, &err))
			return 0;
		else
			i = 0;
	}
	timer_set(v);
	return 0;
}

int guest_vmm_request(struct guest_vmm *v, uint16_t type, const void *body, size_t len,
		      const struct vmm_fds *fds, guest_vmm_done done, void *arg,
		      struct nd_error *err)
{
	uint64_t now = 0;
	struct request *r;
	int code;

	if (v->gone)
		return nd_error_set(err, ND_ERR_OPERATION_INVALID, "domain is not running");
	if (v->n_requests >= REQUESTS_MAX)
		return nd_error_set(err, ND_ERR_OPERATION_FAILED, "the guest's process does not answer");
	r = nd_array_add(v->requests, v->n_requests);
	if (!r)
		return nd_error_nomem(err);
	(void)sd_event_now(v->guest->netd->event, CLOCK_MONOTONIC, &now);	/* cannot fail here */
	*r = (struct request){ ++v->serial, now + ANSWER_S * 1000000ULL, done, arg };
	code = child_send(v->process, type, r->serial, body, len, fds ? fds->fds : NULL,
			  fds ? fds->n : 0);
	if (code < 0) {
		v->n_requests--;
		return nd_error_sys(err, -code, "cannot tell the guest's process");
	}
	timer_set(v);
	return 0;
}

int guest_vmm_nic(struct guest_vmm *v, uint16_t type, const char *id, uint32_t value,
		  guest_vmm_done done, void *arg, struct nd_error *err)
{
	struct vmm_nic_request q = { .value = value };
	uint8_t room[VMM_ID_MAX + 16];
	struct wr w = wr_init(room, sizeof(room));

	snprintf(q.id, sizeof(q.id), "%s", id);
	vmm_nic_request_encode(&q, &w);
	return guest_vmm_request(v, type, room, wr_len(&w), NULL, done, arg, err);
}

void guest_vmm_forget(struct guest_vmm *v, void *arg)
{
	for (size_t i = 0; i < v->n_requests; i++)
		if (v->requests[i].arg == arg)
			v->requests[i].done = NULL;
}

/* ---- what it says ---- */

/* The body of FAILED is the sentence itself; it may come from a process that was taken over. */
static void read_sentence(struct rd *body, char *text, size_t size)
{
	size_t n = rd_left(body) < size ? rd_left(body) : size - 1;

	rd_copy(body, text, n);
	text[n] = '\0';
	for (char *c = text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
}

static void on_answer(struct guest_vmm *v, struct channel_message *m)
{
	struct nd_error err = { 0 };
	char text[512];
	size_t i = 0;

	while (i < v->n_requests && v->requests[i].serial != m->serial)
		i++;
	if (i == v->n_requests)
		return;		/* of one that was given up */
	if (m->type == VMM_FAILED) {
		read_sentence(&m->body, text, sizeof(text));
		nd_error_set(&err, ND_ERR_OPERATION_FAILED, "%s",
			     text[0] ? text : "the guest's process did not say why");
	}
	if (answer(v, i, &m->body, m->type == VMM_FAILED ? &err : NULL))
		timer_set(v);
}

static void on_event(struct guest_vmm *v, struct channel_message *m)
{
	struct vmm_event e;

	if (vmm_event_decode(&m->body, &e) < 0) {
		nd_log(LOG_WARNING, v->guest->name, "its process says what makes no sense, and is ended");
		guest_vmm_kill(v);
		return;
	}
	if (e.kind == VMM_EVENT_POWEROFF)
		v->fate = GUEST_FATE_POWEROFF;
	else if (e.kind == VMM_EVENT_RESET)
		v->fate = e.detail == VMM_DESTROY ? GUEST_FATE_RESET : GUEST_FATE_UNKNOWN;
	else if (e.kind == VMM_EVENT_CRASHED)
		v->fate = GUEST_FATE_CRASHED;
	v->hooks->event(v->guest, &e);
}

static void on_filter(struct guest_vmm *v, struct channel_message *m)
{
	struct vmm_nic_filter f;

	if (vmm_nic_filter_decode(&m->body, &f) == 0)
		guest_filter_changed(v->guest, &f);
	else
		nd_log(LOG_DEBUG, v->guest->name, "its process asks for frames in a way that makes no sense");
}

static void on_hello(struct guest_vmm *v, struct channel_message *m)
{
	struct vmm_hello hello = { 0 };
	bool good = m->version == VMM_VERSION && vmm_hello_decode(&m->body, &hello) == 0;

	if (v->heard)
		return;
	v->heard = true;
	if (v->adopted)
		v->hooks->hello(v->guest, &hello, good);
	else if (!good)		/* another build's, put in place while netd runs */
		guest_vmm_kill(v);
}

static void on_message(void *arg, struct child *p, struct channel_message *m)
{
	struct guest_vmm *v = arg;

	switch (m->type) {
	case CHANNEL_HELLO:
		on_hello(v, m);
		break;
	case VMM_DONE:
	case VMM_FAILED:
	case VMM_STATS:
		on_answer(v, m);
		break;
	case VMM_EVENT:
		on_event(v, m);
		break;
	case VMM_NIC_FILTER:
		on_filter(v, m);
		break;
	default:
		nd_log(LOG_DEBUG, v->guest->name, "message %u of its process is not known", m->type);
	}
}

static void on_gone(void *arg, struct child *p, const char *why)
{
	struct guest_vmm *v = arg;
	struct nd_error err = { 0 };

	v->gone = true;
	nd_error_set(&err, ND_ERR_OPERATION_FAILED, "the guest's process %s", why);
	if (answer_all(v, &err))
		v->hooks->gone(v->guest, v, why);
}

static const struct child_hooks child_hooks = { on_message, on_gone };

/* ---- begin and end ---- */

static struct guest_vmm *vmm_new(struct guest *g, uid_t uid, const struct guest_vmm_hooks *hooks,
				 struct nd_error *err)
{
	struct guest_vmm *v = calloc(1, sizeof(*v));
	int r;

	if (!v) {
		nd_error_nomem(err);
		return NULL;
	}
	v->guest = g;
	v->hooks = hooks;
	v->uid = uid;
	v->born_ms = monotonic_ms();
	r = sd_event_add_time(g->netd->event, &v->timer, CLOCK_MONOTONIC, 0, 0, on_timer, v);
	if (r >= 0)
		r = sd_event_source_set_enabled(v->timer, SD_EVENT_OFF);
	if (r >= 0)
		return v;
	nd_error_sys(err, -r, "cannot watch a guest's process");
	guest_vmm_free(v);
	return NULL;
}

int guest_vmm_spawn(struct guest *g, uid_t uid, const struct guest_vmm_hooks *hooks,
		    struct guest_vmm **out, struct nd_error *err)
{
	char *const argv[] = { g->netd->paths.vmm,
			       nd_log_enabled(LOG_DEBUG) ? (char *)"--debug" : NULL, NULL };
	ND_AUTO(guest_vmm_free) struct guest_vmm *v = vmm_new(g, uid, hooks, err);
	int r;

	if (!v)
		return -ENOMEM;
	r = child_spawn(g->netd->event, &vmm_child, argv[0], argv, &child_hooks, v, &v->process, err);
	if (r < 0)
		return r;
	*out = nd_take_ptr(&v);
	return 0;
}

static int address(const struct paths *paths, const struct nd_uuid *uuid, struct sockaddr_un *out,
		   struct nd_error *err)
{
	char text[ND_UUID_STRLEN];
	int n;

	*out = (struct sockaddr_un){ .sun_family = AF_UNIX };
	n = snprintf(out->sun_path, sizeof(out->sun_path), "%s/%s.sock", paths->vmms,
		     nd_uuid_format(uuid, text));
	if (n < 0 || (size_t)n >= sizeof(out->sun_path))
		return nd_error_sys(err, ENAMETOOLONG, "socket below '%s'", paths->vmms);
	return 0;
}

int guest_vmm_adopt(struct guest *g, uid_t uid, const struct guest_vmm_hooks *hooks,
		    struct guest_vmm **out, struct nd_error *err)
{
	ND_AUTO(close) int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	ND_AUTO(guest_vmm_free) struct guest_vmm *v = NULL;
	struct sockaddr_un to;
	int r = address(&g->netd->paths, &g->uuid, &to, err);

	if (r < 0)
		return r;
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		return nd_error_sys(err, errno, "cannot connect to '%s'", to.sun_path);
	v = vmm_new(g, uid, hooks, err);
	if (!v)
		return -ENOMEM;
	v->adopted = true;
	r = child_adopt(g->netd->event, &vmm_child, nd_take_fd(&fd), uid, &child_hooks, v, &v->process,
			err);
	if (r < 0)
		return r;
	*out = nd_take_ptr(&v);
	return 0;
}

int guest_vmm_listen(const struct paths *paths, const struct nd_uuid *uuid, int *fd_out,
		     struct nd_error *err)
{
	ND_AUTO(close) int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un at;
	int r = address(paths, uuid, &at, err);

	if (r < 0)
		return r;
	r = fd < 0 ? -errno : nd_effect(ND_EFFECT_FILE, "bind");
	if (r == 0) {
		(void)unlink(at.sun_path);	/* what bind says tells whether it worked */
		if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
			r = -errno;
	}
	if (r < 0)
		return nd_error_sys(err, -r, "cannot make '%s'", at.sun_path);
	*fd_out = nd_take_fd(&fd);
	return 0;
}

void guest_vmm_unlisten(const struct paths *paths, const struct nd_uuid *uuid)
{
	struct sockaddr_un at;

	if (address(paths, uuid, &at, NULL) == 0)
		(void)unlink(at.sun_path);	/* a dead socket harms nobody */
}

void guest_vmm_set_hooks(struct guest_vmm *v, const struct guest_vmm_hooks *hooks)
{
	v->hooks = hooks;
}

void guest_vmm_kill(struct guest_vmm *v)
{
	child_kill(v->process);
}

bool guest_vmm_is_gone(const struct guest_vmm *v)
{
	return v->gone;
}

enum guest_fate guest_vmm_fate(const struct guest_vmm *v)
{
	return v->fate;
}

pid_t guest_vmm_pid(const struct guest_vmm *v)
{
	return child_pid(v->process);
}

uid_t guest_vmm_uid(const struct guest_vmm *v)
{
	return v->uid;
}

uint64_t guest_vmm_age_ms(const struct guest_vmm *v)
{
	return monotonic_ms() - v->born_ms;
}
