/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nl.h -- rtnetlink requests: built with libnl's messages, sent many at a time, answered once each
 *
 *	struct nl_req *rq = nl_batch_add(&b, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL,
 *					 &ifi, sizeof(ifi), "create bridge '%s'", name);
 *	nl_put_str(rq, IFLA_IFNAME, name);
 *	...
 *	nl_batch_run(nl, &b);
 *	if (b.reqs[0].result < 0)
 *		return nl_req_error(&b.reqs[0], err);
 *
 * Nothing needs to be checked while a request is built: an overflow or a lack of memory sticks in
 * it and is its result. Each request that changes something asks nd_effect() before it is sent.
 */
#pragma once
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netd/base/auto.h"
#include "netd/base/error.h"

/* A netlink socket for requests; one thread at a time. */
struct nl;

/* protocol: NETLINK_ROUTE. The socket belongs to the network namespace of the calling thread. */
int nl_new(int protocol, struct nl **out, struct nd_error *err);
void nl_free(struct nl *nl);			/* NULL is fine */
ND_DEFINE_AUTO(struct nl *, nl_free)
/* Its port number, which the kernel's notices of what it did name; 0 when that cannot be told. */
uint32_t nl_portid(const struct nl *nl);

/* Called for each message that answers a request, before its result is known. A message of NULL
 * says: forget all that was reported, the dump starts again. */
typedef void nl_reply_fn(void *arg, const struct nlmsghdr *msg);

/* Opens a non-blocking socket that hears the notices of the groups. room: bytes of notices that may
 * wait; with less than that available (no CAP_NET_ADMIN) some are lost sooner. */
int nl_listen(int protocol, const int *groups, size_t n, int room, int *fd_out,
	      struct nd_error *err);

struct nl_req {
	struct nl_msg *msg;
	bool full;		/* the message is incomplete */
	bool changes;		/* not a GET: asks nd_effect() */
	char what[112];		/* "create bridge 'virbr0'": for errors and for nd_effect() */
	nl_reply_fn *reply;	/* for GET */
	void *arg;
	int result;		/* 0 or -errno */
	char text[160];		/* what the kernel says about an error, or "" */
	uint32_t seq;		/* nl.c's */
	bool answered;		/* nl.c's */
};

struct nl_batch {
	struct nl_req *reqs;
	size_t n;
	struct nl_req lost;	/* takes what is put in a request there was no memory for */
	bool failed;		/* out of memory: nothing of the batch is sent */
};

void nl_batch_fini(struct nl_batch *b);		/* leaves an empty batch, fit for use again */

static inline void nd_auto_nl_batch_fini(struct nl_batch *b)
{
	nl_batch_fini(b);
}

/*
 * Appends a request; header is the family's fixed part (struct ifinfomsg...). type decides whether
 * it changes anything: RTM_GET* do not. The pointer is valid until the next add and never NULL:
 * when memory runs out it is a request that fails.
 */
struct nl_req *nl_batch_add(struct nl_batch *b, uint16_t type, uint16_t flags, const void *header,
			    size_t header_len, const char *what_fmt, ...)
	__attribute__((format(printf, 6, 7)));

void nl_put(struct nl_req *rq, int type, const void *data, size_t len);
void nl_put_u8(struct nl_req *rq, int type, uint8_t v);
void nl_put_u16(struct nl_req *rq, int type, uint16_t v);
void nl_put_u32(struct nl_req *rq, int type, uint32_t v);
void nl_put_str(struct nl_req *rq, int type, const char *v);
/* Opens a nested attribute; close it with nl_nest_end(). */
struct nlattr *nl_nest(struct nl_req *rq, int type);
void nl_nest_end(struct nl_req *rq, struct nlattr *nest);

/*
 * Sends the requests from b->reqs[first] on, many in one sendmsg, and collects every answer. The
 * kernel carries them out in order and goes on after one that failed, as it does after one that
 * was not sent because nd_effect() or a lack of memory forbade it. EBUSY and EAGAIN are tried
 * again a few times, with what failed after them. Results are in the requests; the return value
 * is the first bad one, or 0; -ENOMEM when the batch itself is incomplete.
 */
int nl_batch_run(struct nl *nl, struct nl_batch *b, size_t first);

/* Sets err to "cannot WHAT: STRERROR (kernel's text)"; returns rq->result. */
int nl_req_error(const struct nl_req *rq, struct nd_error *err);

/* One request by itself: runs the batch's only request and reports its error. */
int nl_call(struct nl *nl, struct nl_batch *b, struct nd_error *err);

/*
 * Dumps: sends one RTM_GET* with the header, and reports each message. Interrupted dumps start
 * again (reply is called with NULL first). table: value of a u32 filter attribute that
 * `filter_type` names (RTA_TABLE...), or filter_type 0 for none.
 */
int nl_req_dump(struct nl *nl, uint16_t type, const void *header, size_t header_len,
		int filter_type, uint32_t filter, nl_reply_fn *reply, void *arg,
		struct nd_error *err);

/* The attributes of a message, by type; tb must hold max_type + 1 pointers. False when the
 * message is too short for its header. */
bool nl_parse(const struct nlmsghdr *msg, size_t header_len, struct nlattr **tb, int max_type);
/* The attributes inside one; all NULL when nest is NULL. */
void nl_parse_nested(const struct nlattr *nest, struct nlattr **tb, int max_type);
/* Values; a missing or short attribute gives 0, "" or zeros. */
uint8_t nl_get_u8(const struct nlattr *a);
uint32_t nl_get_u32(const struct nlattr *a);
void nl_get_str(const struct nlattr *a, char *buf, size_t size);
void nl_get_bytes(const struct nlattr *a, void *buf, size_t len);
