/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/rpc/frame.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netd/base/cursor.h"
#include "netd/rpc/protocol.h"

#define BUFFER_FIRST_SIZE 4096u

struct rpc_header rpc_header_decode(const uint8_t bytes[RPC_HEADER_SIZE])
{
	struct rd r = rd_init(bytes, RPC_HEADER_SIZE);
	struct rpc_header h;

	h.len = rd_u32(&r);
	h.program = rd_u32(&r);
	h.version = rd_u32(&r);
	h.proc = (int32_t)rd_u32(&r);
	h.type = (int32_t)rd_u32(&r);
	h.serial = rd_u32(&r);
	h.status = (int32_t)rd_u32(&r);
	return h;
}

void rpc_header_encode(const struct rpc_header *h, uint8_t bytes[RPC_HEADER_SIZE])
{
	struct wr w = wr_init(bytes, RPC_HEADER_SIZE);

	wr_u32(&w, h->len);
	wr_u32(&w, h->program);
	wr_u32(&w, h->version);
	wr_u32(&w, (uint32_t)h->proc);
	wr_u32(&w, (uint32_t)h->type);
	wr_u32(&w, h->serial);
	wr_u32(&w, (uint32_t)h->status);
}

void rpc_buffer_free(struct rpc_buffer *b)
{
	free(b->bytes);
	*b = (struct rpc_buffer){ 0 };
}

static int buffer_resize(struct rpc_buffer *b, size_t size)
{
	uint8_t *p = realloc(b->bytes, size);

	if (!p)
		return -ENOMEM;
	b->bytes = p;
	b->size = size;
	return 0;
}

int rpc_raw_encode(struct rpc_buffer *b, const struct rpc_header *h, const void *bytes, size_t len)
{
	struct rpc_header whole = *h;

	if (b->size < RPC_HEADER_SIZE + len && buffer_resize(b, RPC_HEADER_SIZE + len) < 0)
		return -ENOMEM;
	whole.len = (uint32_t)(RPC_HEADER_SIZE + len);
	rpc_header_encode(&whole, b->bytes);
	if (len)
		memcpy(b->bytes + RPC_HEADER_SIZE, bytes, len);
	b->len = whole.len;
	return 0;
}

static bool type_has_fds(int32_t type)
{
	return type == LV_CALL_WITH_FDS || type == LV_REPLY_WITH_FDS;
}

/* The payload's length, or -1 when it does not fit into the buffer as it is now. */
static ssize_t payload_encode(struct rpc_buffer *b, size_t at, xdrproc_t xdr, void *payload)
{
	ssize_t len = -1;
	XDR x;

	if (!xdr)
		return 0;
	xdrmem_create(&x, (char *)b->bytes + at, (u_int)(b->size - at), XDR_ENCODE);
	if (xdr(&x, payload))
		len = (ssize_t)xdr_getpos(&x);
	xdr_destroy(&x);
	return len;
}

int rpc_message_encode(struct rpc_buffer *b, const struct rpc_header *h, unsigned n_fds,
		       xdrproc_t xdr, void *payload)
{
	size_t at = RPC_HEADER_SIZE + (type_has_fds(h->type) ? 4 : 0);
	struct rpc_header with_len = *h;
	ssize_t len;

	if (b->size < BUFFER_FIRST_SIZE && buffer_resize(b, BUFFER_FIRST_SIZE) < 0)
		return -ENOMEM;
	len = payload_encode(b, at, xdr, payload);
	if (len < 0) {
		/* Too little room, or a value over its bound: only the second has no size. */
		unsigned long need = xdr_sizeof(xdr, payload);

		if (need == 0 || need > RPC_MESSAGE_MAX - at)
			return -EMSGSIZE;
		if (buffer_resize(b, at + need) < 0)
			return -ENOMEM;
		len = payload_encode(b, at, xdr, payload);
		if (len < 0)
			return -EMSGSIZE;
	}
	b->len = at + (size_t)len;
	with_len.len = (uint32_t)b->len;
	rpc_header_encode(&with_len, b->bytes);
	if (type_has_fds(h->type)) {
		struct wr w = wr_init(b->bytes + RPC_HEADER_SIZE, 4);

		wr_u32(&w, n_fds);
	}
	return 0;
}

bool rpc_payload_decode(const uint8_t *bytes, size_t len, xdrproc_t xdr, void *out)
{
	bool ok;
	XDR x;

	/* XDR's memory stream takes a char pointer for both directions; decoding only reads. */
	xdrmem_create(&x, (char *)bytes, (u_int)len, XDR_DECODE);
	ok = xdr(&x, out);
	xdr_destroy(&x);
	if (!ok)
		xdr_free(xdr, out);
	return ok;
}

/* Codes that have a domain of their own, whoever raises them. */
static int error_domain(const struct nd_error *err, int domain)
{
	if (err->domain)
		return err->domain;
	if (err->kind == ND_ERR_RPC)
		return RPC_DOMAIN_RPC;
	if (err->kind == ND_ERR_XML_INVALID_SCHEMA)
		return RPC_DOMAIN_XML;
	return domain;
}

int rpc_error_encode(struct rpc_buffer *b, const struct rpc_header *h,
		     const struct nd_error *err, int domain)
{
	char message[sizeof(err->text) + 128], class[128];
	char *message_p = message, *class_p = class, *detail_p = (char *)err->text;
	struct rpc_header reply = *h;
	struct lv_error e = {
		.code = (int)err->kind, .domain = error_domain(err, domain),
		.message = &message_p, .level = 2, .str1 = &class_p, .str2 = &detail_p,
		.int1 = -1, .int2 = -1,
	};

	nd_error_format(err, message, sizeof(message));
	snprintf(class, sizeof(class), "%s%%s", nd_err_prefix(err->kind));
	reply.type = h->type == LV_STREAM ? LV_STREAM : LV_REPLY;
	reply.status = LV_ERROR;
	return rpc_message_encode(b, &reply, 0, (xdrproc_t)xdr_lv_error, &e);
}

void rpc_error_decode(const uint8_t *bytes, size_t len, struct nd_error *err, int *domain_out)
{
	struct lv_error e = { 0 };
	const char *text, *prefix;

	if (!rpc_payload_decode(bytes, len, (xdrproc_t)xdr_lv_error, &e)) {
		(void)nd_error_set(err, ND_ERR_RPC, "the daemon's error cannot be decoded");
		if (domain_out)
			*domain_out = RPC_DOMAIN_RPC;
		return;
	}
	text = e.message ? *e.message : "Unknown error";
	prefix = nd_err_prefix((enum nd_err)e.code);
	if (strncmp(text, prefix, strlen(prefix)) == 0)
		text += strlen(prefix);
	(void)nd_error_set(err, (enum nd_err)e.code, "%s", text);
	if (domain_out)
		*domain_out = e.domain;
	xdr_free((xdrproc_t)xdr_lv_error, &e);
}
