/* SPDX-License-Identifier: GPL-2.0-or-later */
/* frame.h -- one message of libvirt's RPC: header, payload, error, as bytes and back
 *
 * Both ends use it. A message is its length (which counts itself), six header words, and the XDR
 * of its arguments, result, event or error.
 */
#pragma once
#include <rpc/xdr.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netd/base/error.h"

#define RPC_HEADER_SIZE 28
#define RPC_MESSAGE_MAX (4u + 33554432u)
#define RPC_FDS_MAX 32

struct rpc_header {
	uint32_t len;			/* of the whole message */
	uint32_t program, version;
	int32_t proc;
	int32_t type;			/* enum lv_message_type */
	uint32_t serial;
	int32_t status;			/* enum lv_message_status */
};

struct rpc_header rpc_header_decode(const uint8_t bytes[RPC_HEADER_SIZE]);
void rpc_header_encode(const struct rpc_header *h, uint8_t bytes[RPC_HEADER_SIZE]);

/* Room for messages being encoded; kept between them. */
struct rpc_buffer {
	uint8_t *bytes;
	size_t len, size;
};

void rpc_buffer_free(struct rpc_buffer *b);

static inline void nd_auto_rpc_buffer_free(struct rpc_buffer *b)
{
	rpc_buffer_free(b);
}

/*
 * Puts a whole message into b; the length in h is ignored. A type that passes descriptors gets
 * n_fds before its payload. xdr may be NULL for no payload. 0, -ENOMEM, or -EMSGSIZE when the
 * payload cannot be encoded: a string or array over its bound, a NULL string, more than
 * RPC_MESSAGE_MAX.
 */
int rpc_message_encode(struct rpc_buffer *b, const struct rpc_header *h, unsigned n_fds,
		       xdrproc_t xdr, void *payload);

/* The same with bytes that are no XDR. 0 or -ENOMEM. */
int rpc_raw_encode(struct rpc_buffer *b, const struct rpc_header *h, const void *bytes, size_t len);

/* Decodes a payload into zeroed storage; bytes after it are ignored. False, and nothing to free,
 * when it is short or over a bound. */
bool rpc_payload_decode(const uint8_t *bytes, size_t len, xdrproc_t xdr, void *out);

/* Puts the reply with status LV_ERROR into b, or, for a header of a stream, its failure. domain:
 * VIR_FROM_*. */
int rpc_error_encode(struct rpc_buffer *b, const struct rpc_header *h,
		     const struct nd_error *err, int domain);

/* Reads an error payload; what cannot be decoded becomes an error of its own. */
void rpc_error_decode(const uint8_t *bytes, size_t len, struct nd_error *err, int *domain_out);

/* VIR_FROM_* */
enum {
	RPC_DOMAIN_NONE = 0,
	RPC_DOMAIN_XML = 5,
	RPC_DOMAIN_RPC = 7,
	RPC_DOMAIN_REMOTE = 13,
	RPC_DOMAIN_NETWORK = 19,
	RPC_DOMAIN_DOMAIN = 20,
	RPC_DOMAIN_IDENTITY = 53,
	RPC_DOMAIN_ACCESS = 55,
	RPC_DOMAIN_POLKIT = 60,
};
