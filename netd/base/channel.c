/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/base/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIECE_MAX (CHANNEL_PACKET_MAX - CHANNEL_HEADER_BYTES)

/* A message that waits, or the rest of it. */
struct outgoing {
	struct outgoing *next;
	uint16_t type;
	uint32_t serial, total, sent;
	int *fds;			/* duplicates, closed once sent */
	size_t n_fds;
	uint8_t body[];
};

struct channel {
	int fd;
	struct channel_protocol protocol;
	struct channel_input in;
	struct outgoing *first, **end;
	size_t queued, queue_max;
	uint8_t *packet;		/* CHANNEL_PACKET_MAX bytes, made when first needed */
};

struct channel *channel_new(int fd, const struct channel_protocol *protocol)
{
	struct channel *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->fd = fd;
	c->protocol = *protocol;
	c->end = &c->first;
	c->queue_max = CHANNEL_BODY_MAX;
	return c;
}

static void fds_close(int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
}

static void outgoing_free(struct outgoing *o)
{
	fds_close(o->fds, o->n_fds);
	free(o->fds);
	free(o);
}

void channel_free(struct channel *c)
{
	if (!c)
		return;
	while (c->first) {
		struct outgoing *o = c->first;

		c->first = o->next;
		outgoing_free(o);
	}
	channel_input_fini(&c->in);
	free(c->packet);
	if (c->fd >= 0)
		close(c->fd);
	free(c);
}

int channel_take_fd(struct channel *c)
{
	int fd = nd_take_fd(&c->fd);

	channel_free(c);
	return fd;
}

int channel_fd(const struct channel *c)
{
	return c->fd;
}

void channel_set_queue_max(struct channel *c, size_t bytes)
{
	c->queue_max = bytes;
}

bool channel_waiting(const struct channel *c)
{
	return c->first;
}

static void header_encode(const struct channel_protocol *protocol, uint16_t type, uint32_t serial,
			  uint32_t total, uint32_t offset, uint8_t *to)
{
	struct wr w = wr_init(to, CHANNEL_HEADER_BYTES);

	wr_u32(&w, protocol->magic);
	wr_u16(&w, protocol->version);
	wr_u16(&w, type);
	wr_u32(&w, serial);
	wr_u32(&w, total);
	wr_u32(&w, offset);
	wr_u32(&w, 0);		/* room for flags to come */
}

/* One packet: header and piece. 0, -EAGAIN when the socket is full, or -errno. */
static int packet_send(struct channel *c, uint16_t type, uint32_t serial, const uint8_t *body,
		       uint32_t total, uint32_t offset, const int *fds, size_t n_fds)
{
	union {
		struct cmsghdr align;
		uint8_t bytes[CMSG_SPACE(sizeof(int) * CHANNEL_FDS_MAX)];
	} control;
	uint8_t header[CHANNEL_HEADER_BYTES];
	size_t piece = total - offset < PIECE_MAX ? total - offset : PIECE_MAX;
	struct iovec iov[2] = { { header, sizeof(header) }, { (void *)(body + offset), piece } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = piece ? 2 : 1 };
	ssize_t n;

	header_encode(&c->protocol, type, serial, total, offset, header);
	if (n_fds) {
		memset(&control, 0, sizeof(control));
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
		*CMSG_FIRSTHDR(&msg) = (struct cmsghdr){
			.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS,
			.cmsg_len = CMSG_LEN(sizeof(int) * n_fds),
		};
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&msg)), fds, sizeof(int) * n_fds);
	}
	do
		n = sendmsg(c->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

/* Sends pieces until all went or the socket is full; *sent counts on. */
static int body_send(struct channel *c, uint16_t type, uint32_t serial, const uint8_t *body,
		     uint32_t total, uint32_t *sent, const int *fds, size_t n_fds)
{
	do {
		int r = packet_send(c, type, serial, body, total, *sent, fds,
				    *sent == 0 ? n_fds : 0);

		if (r < 0)
			return r;
		*sent += total - *sent < PIECE_MAX ? total - *sent : PIECE_MAX;
	} while (*sent < total);
	return 0;
}

int channel_flush(struct channel *c)
{
	while (c->first) {
		struct outgoing *o = c->first;
		int r = body_send(c, o->type, o->serial, o->body, o->total, &o->sent, o->fds,
				  o->n_fds);

		if (r == -EAGAIN)
			return 0;
		if (r < 0)
			return r;
		c->first = o->next;
		if (!c->first)
			c->end = &c->first;
		c->queued -= o->total;
		outgoing_free(o);
	}
	return 0;
}

static int fds_keep(struct outgoing *o, const int *fds, size_t n_fds)
{
	if (!n_fds)
		return 0;
	o->fds = calloc(n_fds, sizeof(*o->fds));
	if (!o->fds)
		return -ENOMEM;
	for (; o->n_fds < n_fds; o->n_fds++) {
		o->fds[o->n_fds] = fcntl(fds[o->n_fds], F_DUPFD_CLOEXEC, 3);
		if (o->fds[o->n_fds] < 0)
			return -errno;
	}
	return 0;
}

/* Puts what is left of a message at the end of the queue. */
static int enqueue(struct channel *c, uint16_t type, uint32_t serial, const void *body, size_t len,
		   uint32_t sent, const int *fds, size_t n_fds)
{
	struct outgoing *o;
	int r;

	if (c->queued && c->queued + len > c->queue_max)
		return -ENOBUFS;
	o = calloc(1, sizeof(*o) + len);
	if (!o)
		return -ENOMEM;
	o->type = type;
	o->serial = serial;
	o->total = (uint32_t)len;
	o->sent = sent;
	if (len)
		memcpy(o->body, body, len);
	r = fds_keep(o, fds, sent == 0 ? n_fds : 0);
	if (r < 0) {
		outgoing_free(o);
		return r;
	}
	*c->end = o;
	c->end = &o->next;
	c->queued += len;
	return 0;
}

int channel_send(struct channel *c, uint16_t type, uint32_t serial, const void *body,
		 size_t len, const int *fds, size_t n_fds)
{
	uint32_t sent = 0;
	int r;

	if (len > CHANNEL_BODY_MAX || n_fds > CHANNEL_FDS_MAX)
		return -EMSGSIZE;
	if (!c->first) {
		r = body_send(c, type, serial, body, (uint32_t)len, &sent, fds, n_fds);
		if (r != -EAGAIN)
			return r;
	}
	return enqueue(c, type, serial, body, len, sent, fds, n_fds);
}

void channel_input_fini(struct channel_input *in)
{
	free(in->body);
	*in = (struct channel_input){ 0 };
}

/* The first piece of a message that is longer than it. */
static int input_begin(struct channel_input *in, const struct channel_message *m, uint32_t total,
		       struct rd *piece)
{
	uint32_t have = (uint32_t)rd_left(piece);

	/* An honest sender fills every packet but the last. */
	if (have < PIECE_MAX || total > CHANNEL_BODY_MAX)
		return -EBADMSG;
	in->body = malloc(total);
	if (!in->body)
		return -ENOMEM;
	rd_copy(piece, in->body, have);
	in->have = have;
	in->total = total;
	in->serial = m->serial;
	in->version = m->version;
	in->type = m->type;
	return 0;
}

static int input_continue(struct channel_input *in, const struct channel_message *m,
			  uint32_t total, uint32_t offset, struct rd *piece)
{
	uint32_t n = (uint32_t)rd_left(piece);

	if (m->type != in->type || m->serial != in->serial || m->version != in->version ||
	    total != in->total || offset != in->have || n > in->total - in->have ||
	    (n < PIECE_MAX && n < in->total - in->have))
		return -EBADMSG;
	rd_copy(piece, in->body + in->have, n);
	in->have += n;
	return in->have == in->total ? 1 : 0;
}

int channel_input_packet(struct channel_input *in, uint32_t magic, const void *packet, size_t len,
			 struct channel_message *out)
{
	struct rd r = rd_init(packet, len);
	struct channel_message m;
	uint32_t claimed, total, offset;
	int result;

	if (in->body && in->have == in->total)
		channel_input_fini(in);		/* the message that the caller had last */
	claimed = rd_u32(&r);
	m.version = rd_u16(&r);
	m.type = rd_u16(&r);
	m.serial = rd_u32(&r);
	total = rd_u32(&r);
	offset = rd_u32(&r);
	rd_u32(&r);
	if (r.bad || claimed != magic)
		return -EBADMSG;
	m.body = rd_init(r.at, rd_left(&r));
	if (in->body) {
		result = input_continue(in, &m, total, offset, &m.body);
		m.body = rd_init(in->body, in->total);
	} else if (offset == 0 && total == rd_left(&m.body)) {
		result = 1;
	} else if (offset == 0 && total > rd_left(&m.body)) {
		result = input_begin(in, &m, total, &m.body);
	} else {
		result = -EBADMSG;
	}
	if (result < 0)
		channel_input_fini(in);
	if (result == 1)
		*out = m;
	return result;
}

/* Moves descriptors out of control messages; those above the limit are closed. */
static void fds_take(struct msghdr *msg, int *fds_out, size_t *n_out)
{
	for (struct cmsghdr *h = CMSG_FIRSTHDR(msg); h; h = CMSG_NXTHDR(msg, h)) {
		size_t n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(h) + i * sizeof(int), sizeof(fd));
			if (*n_out < CHANNEL_FDS_MAX)
				fds_out[(*n_out)++] = fd;
			else
				close(fd);
		}
	}
}

static int packet_make_room(struct channel *c)
{
	if (!c->packet)
		c->packet = malloc(CHANNEL_PACKET_MAX);
	return c->packet ? 0 : -ENOMEM;
}

static int packet_result(struct channel *c, ssize_t n, bool truncated, struct channel_message *out)
{
	if (n < 0)
		return errno == EINTR ? -EAGAIN : errno == ECONNRESET ? -EPIPE : -errno;
	if (n == 0)
		return -EPIPE;
	if (truncated)
		return -EBADMSG;
	return channel_input_packet(&c->in, c->protocol.magic, c->packet, (size_t)n, out);
}

/* recv, not recvmsg: a call that could bring descriptors is not even allowed in the sandbox. */
int channel_receive(struct channel *c, struct channel_message *out)
{
	ssize_t n;

	if (packet_make_room(c) < 0)
		return -ENOMEM;
	n = recv(c->fd, c->packet, CHANNEL_PACKET_MAX, MSG_DONTWAIT | MSG_TRUNC);
	return packet_result(c, n, n > CHANNEL_PACKET_MAX, out);
}

int channel_receive_fds(struct channel *c, struct channel_message *out, int *fds_out,
			size_t *n_fds_out)
{
	union {
		struct cmsghdr align;
		uint8_t bytes[CMSG_SPACE(sizeof(int) * CHANNEL_FDS_MAX)];
	} control;
	struct iovec iov = { .iov_len = CHANNEL_PACKET_MAX };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	ssize_t n;

	if (packet_make_room(c) < 0)
		return -ENOMEM;
	iov.iov_base = c->packet;
	n = recvmsg(c->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n > 0)
		fds_take(&msg, fds_out, n_fds_out);
	return packet_result(c, n, msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC), out);
}
