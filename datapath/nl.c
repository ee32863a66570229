/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "datapath/nl.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

#include "netd/base/array.h"
#include "netd/base/effect.h"

enum {
	/* Dump datagrams are at most 32 KiB (the kernel caps what a large read asks for). */
	RECEIVE_SIZE = 64 * 1024,
	RECEIVE_ROOM = 1024 * 1024,
	/* Requests per sendmsg: their answers fit the socket's receive buffer many times over. */
	SEND_REQUESTS = 64,
	SEND_BYTES = 32 * 1024,
	MESSAGE_SIZE = 2048,
	BUSY_TRIES = 6,		/* 1 + 2 + 4 + 8 + 16 ms between them */
	DUMP_TRIES = 20,
	ANSWER_TIMEOUT_S = 10,
};

struct nl {
	int fd;
	uint32_t seq;
	uint8_t *buf;
};

static void make_room(int fd, int room)
{
	/* Without the capability the system's limit must do: notices are lost sooner then. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
}

int nl_listen(int protocol, const int *groups, size_t n, int room, int *fd_out,
	      struct nd_error *err)
{
	ND_AUTO(close) int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
	struct sockaddr_nl any = { .nl_family = AF_NETLINK };

	/* Without an address of its own a socket would pass for the kernel and hear nothing. */
	if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0)
		return nd_error_sys(err, errno, "cannot open a netlink socket");
	make_room(fd, room);
	for (size_t i = 0; i < n; i++)
		if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &groups[i],
			       sizeof(groups[i])) < 0)
			return nd_error_sys(err, errno, "cannot subscribe to the kernel's notices");
	*fd_out = nd_take_fd(&fd);
	return 0;
}

int nl_new(int protocol, struct nl **out, struct nd_error *err)
{
	static const struct sockaddr_nl any = { .nl_family = AF_NETLINK };
	static const int on = 1;
	static const struct timeval timeout = { .tv_sec = ANSWER_TIMEOUT_S };
	ND_AUTO(nl_free) struct nl *nl = calloc(1, sizeof(*nl));

	if (!nl)
		return nd_error_nomem(err);
	nl->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	if (nl->fd < 0)
		return nd_error_sys(err, errno, "cannot open a netlink socket");
	if (bind(nl->fd, (const struct sockaddr *)&any, sizeof(any)) < 0)	/* it has a port from now on */
		return nd_error_sys(err, errno, "cannot bind a netlink socket");
	nl->buf = malloc(RECEIVE_SIZE);
	if (!nl->buf)
		return nd_error_nomem(err);
	/* All of these only make answers better or safer: a kernel without one still serves. */
	(void)setsockopt(nl->fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	(void)setsockopt(nl->fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
	(void)setsockopt(nl->fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
	make_room(nl->fd, RECEIVE_ROOM);
	(void)setsockopt(nl->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	*out = nd_take_ptr(&nl);
	return 0;
}

void nl_free(struct nl *nl)
{
	if (!nl)
		return;
	if (nl->fd >= 0)
		close(nl->fd);
	free(nl->buf);
	free(nl);
}

uint32_t nl_portid(const struct nl *nl)
{
	struct sockaddr_nl self = { 0 };
	socklen_t len = sizeof(self);

	return getsockname(nl->fd, (struct sockaddr *)&self, &len) == 0 ? self.nl_pid : 0;
}

void nl_batch_fini(struct nl_batch *b)
{
	for (size_t i = 0; i < b->n; i++)
		nlmsg_free(b->reqs[i].msg);
	free(b->reqs);
	*b = (struct nl_batch){ 0 };
}

struct nl_req *nl_batch_add(struct nl_batch *b, uint16_t type, uint16_t flags, const void *header,
			    size_t header_len, const char *what_fmt, ...)
{
	struct nl_req *rq = nd_array_add(b->reqs, b->n);
	va_list ap;

	if (!rq) {
		b->failed = true;
		b->lost.full = true;
		return &b->lost;
	}
	/* RTM_NEW, DEL, GET, SET follow each other in fours. */
	rq->changes = (type & 3) != (RTM_GETLINK & 3);
	va_start(ap, what_fmt);
	vsnprintf(rq->what, sizeof(rq->what), what_fmt, ap);
	va_end(ap);
	rq->msg = nlmsg_alloc_size(MESSAGE_SIZE);
	if (!rq->msg || !nlmsg_put(rq->msg, 0, 0, type, 0, NLM_F_REQUEST | NLM_F_ACK | flags) ||
	    nlmsg_append(rq->msg, (void *)header, header_len, NLMSG_ALIGNTO) < 0)
		rq->full = true;
	return rq;
}

void nl_put(struct nl_req *rq, int type, const void *data, size_t len)
{
	if (!rq->full && nla_put(rq->msg, type, (int)len, data) < 0)
		rq->full = true;
}

void nl_put_u8(struct nl_req *rq, int type, uint8_t v)
{
	nl_put(rq, type, &v, sizeof(v));
}

void nl_put_u16(struct nl_req *rq, int type, uint16_t v)
{
	nl_put(rq, type, &v, sizeof(v));
}

void nl_put_u32(struct nl_req *rq, int type, uint32_t v)
{
	nl_put(rq, type, &v, sizeof(v));
}

void nl_put_str(struct nl_req *rq, int type, const char *v)
{
	nl_put(rq, type, v, strlen(v) + 1);
}

struct nlattr *nl_nest(struct nl_req *rq, int type)
{
	struct nlattr *nest = rq->full ? NULL : nla_nest_start(rq->msg, type);

	if (!nest)
		rq->full = true;
	return nest;
}

void nl_nest_end(struct nl_req *rq, struct nlattr *nest)
{
	if (!rq->full && nla_nest_end(rq->msg, nest) < 0)
		rq->full = true;
}

/* Reads the kernel's own words out of an error message or the end of a dump. */
static void read_ack_text(const struct nlmsghdr *msg, size_t fixed, char *text, size_t size)
{
	struct nlattr *tb[NLMSGERR_ATTR_MAX + 1] = { NULL };

	text[0] = '\0';
	if (!(msg->nlmsg_flags & NLM_F_ACK_TLVS) || msg->nlmsg_len < NLMSG_HDRLEN + fixed)
		return;
	nla_parse(tb, NLMSGERR_ATTR_MAX, (struct nlattr *)((char *)NLMSG_DATA(msg) + fixed),
		  (int)(msg->nlmsg_len - NLMSG_HDRLEN - fixed), NULL);
	nl_get_str(tb[NLMSGERR_ATTR_MSG], text, size);
}

static int read_ack(const struct nlmsghdr *msg, char *text, size_t size)
{
	const struct nlmsgerr *e = NLMSG_DATA(msg);
	size_t fixed = sizeof(*e);

	if (msg->nlmsg_len < NLMSG_LENGTH(sizeof(*e)))
		return -EBADMSG;
	/* Unless capped, the request that failed stands between. */
	if (!(msg->nlmsg_flags & NLM_F_CAPPED) && e->msg.nlmsg_len > sizeof(e->msg))
		fixed += NLMSG_ALIGN(e->msg.nlmsg_len - sizeof(e->msg));
	read_ack_text(msg, fixed, text, size);
	return e->error;
}

/* One datagram from the kernel; its length, 0 for one that is not from the kernel or was cut
 * off, or -errno. */
static ssize_t receive(struct nl *nl, int flags)
{
	struct sockaddr_nl from;
	struct iovec iov = { nl->buf, RECEIVE_SIZE };
	struct msghdr mh = { .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov,
			     .msg_iovlen = 1 };
	ssize_t n;

	do
		n = recvmsg(nl->fd, &mh, flags);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (mh.msg_namelen != sizeof(from) || from.nl_pid != 0)
		return 0;
	return mh.msg_flags & MSG_TRUNC ? -EMSGSIZE : n;
}

static int send_vector(struct nl *nl, struct iovec *iov, size_t n)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct msghdr mh = { .msg_name = &kernel, .msg_namelen = sizeof(kernel), .msg_iov = iov,
			     .msg_iovlen = n };
	ssize_t sent;

	do
		sent = sendmsg(nl->fd, &mh, 0);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}

/* The requests of one sendmsg: consecutive in the batch, those with result -EINPROGRESS. */
struct chunk {
	struct nl_batch *b;
	size_t from, to;
	size_t open;		/* sent and not answered */
};

static struct nl_req *chunk_find(const struct chunk *c, uint32_t seq)
{
	for (size_t i = c->from; i < c->to; i++) {
		struct nl_req *rq = &c->b->reqs[i];

		if (rq->result == -EINPROGRESS && rq->seq == seq)
			return rq;
	}
	return NULL;
}

static void chunk_answer(struct chunk *c, const struct nlmsghdr *msg)
{
	struct nl_req *rq = chunk_find(c, msg->nlmsg_seq);

	if (!rq)
		return;		/* late answer to a request that was given up */
	if (msg->nlmsg_type == NLMSG_ERROR) {
		rq->result = read_ack(msg, rq->text, sizeof(rq->text));
		c->open--;
	} else if (rq->reply) {
		rq->reply(rq->arg, msg);
	}
}

static void chunk_give_up(struct chunk *c, int result)
{
	for (size_t i = c->from; i < c->to; i++)
		if (c->b->reqs[i].result == -EINPROGRESS)
			c->b->reqs[i].result = result;
	c->open = 0;
}

static void chunk_receive(struct nl *nl, struct chunk *c)
{
	int flags = 0, lost = 0;

	while (c->open) {
		ssize_t n = receive(nl, flags);
		int len = (int)n;

		if (n == -ENOBUFS || n == -EMSGSIZE) {
			/* An answer is lost; those already queued can still be read. */
			lost = (int)n;
			flags = MSG_DONTWAIT;
			continue;
		}
		if (n < 0) {
			chunk_give_up(c, lost ? lost : n == -EAGAIN ? -ETIMEDOUT : (int)n);
			return;
		}
		for (struct nlmsghdr *msg = (struct nlmsghdr *)nl->buf; NLMSG_OK(msg, len);
		     msg = NLMSG_NEXT(msg, len))
			chunk_answer(c, msg);
	}
}

/* Asks for leave to send; 0, or the request's result. */
static int admit(const struct nl_req *rq)
{
	if (rq->full)
		return -ENOBUFS;
	return rq->changes ? nd_effect(ND_EFFECT_RTNL, rq->what) : 0;
}

/* Sends as many open requests as go in one sendmsg, starting at c->from; sets c->to. */
static void chunk_send(struct nl *nl, struct chunk *c)
{
	struct iovec iov[SEND_REQUESTS];
	size_t n = 0, bytes = 0;
	int r;

	for (c->to = c->from; c->to < c->b->n; c->to++) {
		struct nl_req *rq = &c->b->reqs[c->to];
		struct nlmsghdr *head;

		if (rq->result != -EINPROGRESS)
			continue;
		if (n == SEND_REQUESTS || bytes > SEND_BYTES)
			break;
		r = admit(rq);
		if (r < 0) {
			rq->result = r;
			continue;
		}
		head = nlmsg_hdr(rq->msg);
		head->nlmsg_seq = rq->seq = ++nl->seq;
		iov[n++] = (struct iovec){ head, NLMSG_ALIGN(head->nlmsg_len) };
		bytes += head->nlmsg_len;
	}
	c->open = n;
	r = n ? send_vector(nl, iov, n) : 0;
	if (r < 0)
		chunk_give_up(c, r);
}

static void run_once(struct nl *nl, struct nl_batch *b, size_t first)
{
	for (struct chunk c = { .b = b, .from = first }; c.from < b->n; c.from = c.to) {
		chunk_send(nl, &c);
		chunk_receive(nl, &c);
	}
}

/* Opens the first busy request again, with all that failed after it; false when none is busy. */
static bool reopen_busy(struct nl_batch *b, size_t first)
{
	bool busy = false;

	for (size_t i = first; i < b->n; i++) {
		int r = b->reqs[i].result;

		busy = busy || r == -EBUSY || r == -EAGAIN;
		if (busy && r < 0)
			b->reqs[i].result = -EINPROGRESS;
	}
	return busy;
}

int nl_batch_run(struct nl *nl, struct nl_batch *b, size_t first)
{
	if (b->failed)
		return -ENOMEM;
	for (size_t i = first; i < b->n; i++)
		b->reqs[i].result = -EINPROGRESS;
	run_once(nl, b, first);
	for (int try = 0; try < BUSY_TRIES - 1 && reopen_busy(b, first); try++) {
		struct timespec pause = { .tv_nsec = 1000000L << try };

		nanosleep(&pause, NULL);
		run_once(nl, b, first);
	}
	for (size_t i = first; i < b->n; i++)
		if (b->reqs[i].result < 0)
			return b->reqs[i].result;
	return 0;
}

int nl_req_error(const struct nl_req *rq, struct nd_error *err)
{
	nd_error_sys(err, -rq->result, "cannot %s%s%s%s", rq->what, rq->text[0] ? " (" : "",
		     rq->text, rq->text[0] ? ")" : "");
	return rq->result;
}

int nl_call(struct nl *nl, struct nl_batch *b, struct nd_error *err)
{
	int r = nl_batch_run(nl, b, 0);

	if (b->failed)
		return nd_error_nomem(err);
	return r < 0 ? nl_req_error(&b->reqs[0], err) : 0;
}

enum dump_state { DUMP_MORE, DUMP_DONE, DUMP_INTERRUPTED };

/* One message of a dump. Sets *result when the dump is over. */
static enum dump_state dump_message(const struct nlmsghdr *msg, uint32_t seq, bool *interrupted,
				    nl_reply_fn *reply, void *arg, int *result, char *text,
				    size_t size)
{
	if (msg->nlmsg_seq != seq)
		return DUMP_MORE;
	*interrupted |= (msg->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
	if (msg->nlmsg_type == NLMSG_ERROR) {
		*result = read_ack(msg, text, size);
		return DUMP_DONE;
	}
	if (msg->nlmsg_type == NLMSG_DONE) {
		*result = msg->nlmsg_len >= NLMSG_LENGTH(sizeof(int)) ? *(int *)NLMSG_DATA(msg) : 0;
		read_ack_text(msg, sizeof(int), text, size);
		return *interrupted && !*result ? DUMP_INTERRUPTED : DUMP_DONE;
	}
	/* The rest of an interrupted dump is read to its end, unreported. */
	if (!*interrupted)
		reply(arg, msg);
	return DUMP_MORE;
}

static enum dump_state dump_receive(struct nl *nl, uint32_t seq, nl_reply_fn *reply, void *arg,
				    int *result, char *text, size_t size)
{
	enum dump_state state = DUMP_MORE;
	bool interrupted = false;

	while (state == DUMP_MORE) {
		ssize_t n = receive(nl, 0);
		int len = (int)n;

		if (n == -ENOBUFS || n == -EMSGSIZE) {
			interrupted = true;
			continue;
		}
		if (n < 0) {
			*result = n == -EAGAIN ? -ETIMEDOUT : (int)n;
			return DUMP_DONE;
		}
		for (struct nlmsghdr *msg = (struct nlmsghdr *)nl->buf;
		     NLMSG_OK(msg, len) && state == DUMP_MORE; msg = NLMSG_NEXT(msg, len))
			state = dump_message(msg, seq, &interrupted, reply, arg, result, text, size);
	}
	return state;
}

int nl_req_dump(struct nl *nl, uint16_t type, const void *header, size_t header_len,
		int filter_type, uint32_t filter, nl_reply_fn *reply, void *arg,
		struct nd_error *err)
{
	ND_AUTO(nl_batch_fini) struct nl_batch b = { 0 };
	struct nl_req *rq = nl_batch_add(&b, type, 0, header, header_len, "read the kernel's state");
	struct nlmsghdr *head;
	struct iovec iov;

	if (filter_type)
		nl_put_u32(rq, filter_type, filter);
	if (rq->full)
		return nd_error_nomem(err);
	head = nlmsg_hdr(rq->msg);
	head->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	for (int try = 0; try < DUMP_TRIES; try++) {
		head->nlmsg_seq = ++nl->seq;
		iov = (struct iovec){ head, NLMSG_ALIGN(head->nlmsg_len) };
		rq->result = send_vector(nl, &iov, 1);
		if (rq->result == 0 &&
		    dump_receive(nl, head->nlmsg_seq, reply, arg, &rq->result, rq->text,
				 sizeof(rq->text)) == DUMP_INTERRUPTED) {
			reply(arg, NULL);
			rq->result = -EAGAIN;
			continue;
		}
		if (rq->result != -EBUSY)
			break;
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	return rq->result < 0 ? nl_req_error(rq, err) : 0;
}

bool nl_parse(const struct nlmsghdr *msg, size_t header_len, struct nlattr **tb, int max_type)
{
	return nlmsg_parse((struct nlmsghdr *)msg, (int)header_len, tb, max_type, NULL) >= 0;
}

void nl_parse_nested(const struct nlattr *nest, struct nlattr **tb, int max_type)
{
	memset(tb, 0, sizeof(*tb) * ((size_t)max_type + 1));
	if (nest)
		nla_parse_nested(tb, max_type, (struct nlattr *)nest, NULL);
}

uint8_t nl_get_u8(const struct nlattr *a)
{
	uint8_t v;

	nl_get_bytes(a, &v, sizeof(v));
	return v;
}

uint32_t nl_get_u32(const struct nlattr *a)
{
	uint32_t v;

	nl_get_bytes(a, &v, sizeof(v));
	return v;
}

void nl_get_str(const struct nlattr *a, char *buf, size_t size)
{
	size_t len = a ? strnlen(nla_data(a), (size_t)nla_len(a)) : 0;

	if (len >= size)
		len = size - 1;
	if (len)
		memcpy(buf, nla_data(a), len);
	buf[len] = '\0';
}

void nl_get_bytes(const struct nlattr *a, void *buf, size_t len)
{
	if (a && (size_t)nla_len(a) >= len)
		memcpy(buf, nla_data(a), len);
	else
		memset(buf, 0, len);
}
