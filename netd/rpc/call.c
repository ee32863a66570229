/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One call: from its header to its reply. The order of the checks is libvirt's, so that clients
 * and tests see the same answer to the same mistake. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netd/base/auto.h"
#include "netd/base/log.h"
#include "netd/rpc/protocol.h"
#include "netd/rpc/session.h"

struct rpc_call {
	TAILQ_ENTRY(rpc_call) entry;
	struct rpc_server *server;
	struct rpc_session *session;		/* NULL once it is gone */
	const struct rpc_method *method;
	struct rpc_header header;
	void *args, *ret;
	unsigned n_fds;
	int fds[RPC_FDS_MAX];
};

static void send_error(struct rpc_session *s, const struct rpc_header *call,
		       const struct nd_error *err, int domain)
{
	if (rpc_error_encode(&s->server->encode, call, err, domain) < 0)
		rpc_session_kill(s, "out of memory");
	else
		rpc_session_queue(s, NULL, 0);
}

static void refuse(struct rpc_session *s, const struct rpc_header *call, enum nd_err kind,
		   int domain, const char *fmt, ...) __attribute__((format(printf, 5, 6)));

static void refuse(struct rpc_session *s, const struct rpc_header *call, enum nd_err kind,
		   int domain, const char *fmt, ...)
{
	struct nd_error err = { .kind = kind, .code = EINVAL };
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err.text, sizeof(err.text), fmt, ap);
	va_end(ap);
	send_error(s, call, &err, domain);
}

static void call_free(struct rpc_call *c)
{
	if (c->session) {
		TAILQ_REMOVE(&c->session->calls, c, entry);
		c->session->n_calls--;
	}
	if (c->args) {
		xdr_free(c->method->args, c->args);
		free(c->args);
	}
	if (c->ret) {
		xdr_free(c->method->ret, c->ret);
		free(c->ret);
	}
	for (unsigned i = 0; i < c->n_fds; i++)
		close(c->fds[i]);
	free(c);
}

static struct rpc_call *call_new(struct rpc_session *s, const struct rpc_header *h,
				 const struct rpc_method *m)
{
	struct rpc_call *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->server = s->server;
	c->session = s;
	c->method = m;
	c->header = *h;
	TAILQ_INSERT_TAIL(&s->calls, c, entry);
	s->n_calls++;
	if (m->ret && !(c->ret = calloc(1, m->ret_size))) {
		call_free(c);
		return NULL;
	}
	return c;
}

static const struct rpc_program *program_find(const struct rpc_server *srv,
					      const struct rpc_header *h)
{
	for (size_t i = 0; i < srv->opt.n_programs; i++) {
		const struct rpc_program *p = srv->opt.programs[i];

		if (p->number == h->program && p->version == h->version)
			return p;
	}
	return NULL;
}

static const struct rpc_method *method_find(const struct rpc_program *p, int32_t proc)
{
	for (size_t i = 0; i < p->n_methods; i++)
		if (p->methods[i].proc == proc)
			return &p->methods[i];
	return NULL;
}

/* Decodes the arguments; false when they cannot be decoded (then the client was told). */
static bool args_decode(struct rpc_call *c, const uint8_t *payload, size_t len)
{
	const struct rpc_method *m = c->method;
	void *args;

	if (!m->args)
		return true;
	args = calloc(1, m->args_size);
	if (args && rpc_payload_decode(payload, len, m->args, args)) {
		c->args = args;
		return true;
	}
	free(args);
	refuse(c->session, &c->header, ND_ERR_RPC, RPC_DOMAIN_RPC,
	       "Unable to decode message payload");
	return false;
}

/* What the session may not do, or not yet. */
static bool access_check(struct rpc_call *c)
{
	const struct rpc_method *m = c->method;
	struct rpc_session *s = c->session;

	if (!s->open && !(m->flags & RPC_BEFORE_OPEN)) {
		refuse(s, &c->header, ND_ERR_INTERNAL, RPC_DOMAIN_RPC,
		       "hypervisor connection not open");
		return false;
	}
	if (s->read_only && !(m->flags & RPC_READ_ONLY)) {
		refuse(s, &c->header, ND_ERR_OPERATION_DENIED, m->domain,
		       "read only access prevents %s", m->api);
		return false;
	}
	return true;
}

static void call_handle(struct rpc_call *c)
{
	struct nd_error err = { 0 };
	int r = c->method->handle(c, c->args, c->ret, &err);

	if (r == RPC_PENDING)
		return;
	if (r < 0)
		rpc_call_fail(c, &err);
	else
		rpc_call_reply(c);
}

void rpc_call_go_on(struct rpc_call *c)
{
	if (c->session)
		call_handle(c);
	else
		call_free(c);	/* nobody is there any more who asked for it */
}

static void call_run(struct rpc_session *s, const struct rpc_header *h,
		     const struct rpc_method *m, const uint8_t *payload, size_t len)
{
	const struct rpc_server_options *opt = &s->server->opt;
	struct nd_error err = { 0 };
	struct rpc_call *c = call_new(s, h, m);
	int r = 0;

	if (!c) {
		refuse(s, h, ND_ERR_SYSTEM, m->domain, "out of memory");
		return;
	}
	if (!args_decode(c, payload, len) || !access_check(c)) {
		call_free(c);
		return;
	}
	if (opt->authorize && !(m->flags & RPC_BEFORE_OPEN))
		r = opt->authorize(opt->context, c, m, c->args, &err);
	if (r < 0)
		rpc_call_fail(c, &err);
	else if (r != RPC_PENDING)
		call_handle(c);
}

/* A call of a peer that may not use this socket. */
static void refuse_peer(struct rpc_session *s, const struct rpc_header *h)
{
	refuse(s, h, ND_ERR_AUTH_FAILED, RPC_DOMAIN_RPC,
	       "user %d is not in the group that may use this socket (read-only use: the socket "
	       "whose name ends in -ro)", (int)s->uid);
	s->closing = true;
}

void rpc_call_take(struct rpc_session *s, const struct rpc_header *h, const uint8_t *payload,
		   size_t len)
{
	const struct rpc_program *p = program_find(s->server, h);
	const struct rpc_method *m;

	if (s->refused) {
		refuse_peer(s, h);
		return;
	}
	if (!p) {
		refuse(s, h, ND_ERR_RPC, RPC_DOMAIN_RPC,
		       "Cannot find program %" PRIu32 " version %" PRIu32, h->program, h->version);
		return;
	}
	if (h->status != LV_OK) {
		refuse(s, h, ND_ERR_RPC, RPC_DOMAIN_RPC, "Unexpected message status %d",
		       (int)h->status);
		return;
	}
	m = method_find(p, h->proc);
	if (!m)
		refuse(s, h, ND_ERR_RPC, RPC_DOMAIN_RPC, "unknown procedure: %d", (int)h->proc);
	else if (!s->authenticated && !(m->flags & RPC_BEFORE_AUTH))
		refuse(s, h, ND_ERR_RPC, RPC_DOMAIN_RPC, "authentication required");
	else if (!m->handle)
		refuse(s, h, ND_ERR_NO_SUPPORT, m->domain, "%s", m->api);
	else
		call_run(s, h, m, payload, len);
}

void rpc_calls_detach(struct rpc_session *s)
{
	struct rpc_call *c;

	while ((c = TAILQ_FIRST(&s->calls))) {
		TAILQ_REMOVE(&s->calls, c, entry);
		c->session = NULL;
	}
	s->n_calls = 0;
}

void *rpc_call_context(struct rpc_call *c)
{
	return c->server->opt.context;
}

struct rpc_session *rpc_call_session(struct rpc_call *c)
{
	return c->session;
}

const struct rpc_header *rpc_call_header(const struct rpc_call *c)
{
	return &c->header;
}

void *rpc_call_ret(struct rpc_call *c)
{
	return c->ret;
}

int rpc_call_add_fd(struct rpc_call *c, int fd)
{
	if (c->n_fds == RPC_FDS_MAX) {
		close(fd);
		return -E2BIG;
	}
	c->fds[c->n_fds++] = fd;
	return 0;
}

void rpc_call_reply(struct rpc_call *c)
{
	struct rpc_session *s = c->session;
	struct rpc_header h = c->header;
	int r;

	if (!s) {
		call_free(c);
		return;
	}
	h.type = c->n_fds ? LV_REPLY_WITH_FDS : LV_REPLY;
	h.status = LV_OK;
	r = rpc_message_encode(&s->server->encode, &h, c->n_fds, c->method->ret, c->ret);
	if (r < 0) {
		nd_log(LOG_ERR, NULL, "the result of %s cannot be encoded", c->method->api);
		refuse(s, &c->header, ND_ERR_INTERNAL, c->method->domain,
		       "the result of %s cannot be encoded", c->method->api);
	} else {
		rpc_session_queue(s, c->fds, c->n_fds);
		c->n_fds = 0;
	}
	call_free(c);
	rpc_session_continue(s);
}

void rpc_call_fail(struct rpc_call *c, const struct nd_error *err)
{
	static const struct nd_error unknown = {
		.kind = ND_ERR_INTERNAL, .text = "the call failed without saying why",
	};
	struct rpc_session *s = c->session;

	if (s)
		send_error(s, &c->header, err->kind == ND_ERR_OK ? &unknown : err,
			   c->method->domain);
	call_free(c);
	if (s)
		rpc_session_continue(s);
}
