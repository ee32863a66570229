/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dns/tcp.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netd/base/auto.h"

#define CLIENTS_MAX 128
#define CLIENTS_PER_ADDRESS 16
#define QUERY_MAX 1024			/* a question and an OPT are far below */
#define UNDER_WAY_MAX 32		/* forwarded queries of one connection */
#define UNSENT_MAX (64 * 1024)		/* no more queries are read beyond this */
#define IDLE_MS 10000			/* RFC 7766 6.2.3: "a few seconds" */
#define ACCEPTS_PER_ROUND 16

struct listener {
	struct dns_watch watch;
	struct dns_tcp *tcp;
	struct listener *next;
};

struct client {
	struct dns_watch watch;
	struct dns_tcp *tcp;
	struct client *newer, *older;	/* by last progress */
	struct nd_ip address;
	uint64_t progress_ms;		/* a whole query came, or bytes went out */
	unsigned under_way;		/* queries that the forwarder has */
	bool closed, no_more_queries;
	uint32_t events;
	size_t in_len;
	uint8_t in[2 + QUERY_MAX];
	uint8_t *out;			/* unsent bytes: out[out_at..out_len) */
	size_t out_at, out_len, out_size;
};

struct dns_tcp {
	struct dns_loop *loop;
	struct dns_answerer *answerer;
	uint8_t *scratch;
	struct listener *listeners;
	struct client *newest, *oldest;
	size_t n_clients;
};

struct dns_tcp *dns_tcp_new(struct dns_loop *loop, struct dns_answerer *answerer,
			    uint8_t *scratch)
{
	struct dns_tcp *t = calloc(1, sizeof(*t));

	if (t)
		*t = (struct dns_tcp){ .loop = loop, .answerer = answerer, .scratch = scratch };
	return t;
}

static void client_unlink(struct client *c)
{
	*(c->newer ? &c->newer->older : &c->tcp->newest) = c->older;
	*(c->older ? &c->older->newer : &c->tcp->oldest) = c->newer;
	c->newer = c->older = NULL;
}

static void client_link(struct client *c)
{
	struct dns_tcp *t = c->tcp;

	c->older = t->newest;
	*(t->newest ? &t->newest->newer : &t->oldest) = c;
	t->newest = c;
}

static void client_progress(struct client *c, uint64_t now_ms)
{
	c->progress_ms = now_ms;
	client_unlink(c);
	client_link(c);
}

/* The memory stays as long as the forwarder has queries of it. */
static void client_close(struct client *c)
{
	client_unlink(c);
	c->tcp->n_clients--;
	c->closed = true;
	free(c->out);
	c->out = NULL;
	if (!c->under_way) {
		dns_loop_drop(c->tcp->loop, &c->watch);
		return;
	}
	close(c->watch.fd);	/* nobody has a duplicate: it leaves the epoll set */
	c->watch.fd = -1;
	c->watch.ready = NULL;
}

static bool want_queries(const struct client *c)
{
	return !c->no_more_queries && c->under_way < UNDER_WAY_MAX &&
	       c->out_len - c->out_at < UNSENT_MAX;
}

/* Watches for what can be done now; closes a connection that has nothing left to do. */
static void client_update(struct client *c)
{
	bool unsent = c->out_at < c->out_len;
	uint32_t events = (want_queries(c) ? EPOLLIN : 0) | (unsent ? EPOLLOUT : 0);

	if (c->no_more_queries && !unsent && !c->under_way) {
		client_close(c);
		return;
	}
	if (events == c->events)
		return;
	c->events = events;
	if (dns_loop_change(c->tcp->loop, &c->watch, events) < 0)
		client_close(c);
}

static int out_add(struct client *c, const uint8_t *bytes, size_t len)
{
	if (c->out_at == c->out_len)
		c->out_at = c->out_len = 0;
	if (c->out_len + len > c->out_size) {
		size_t size = c->out_len + len + 512;
		uint8_t *p = realloc(c->out, size);

		if (!p)
			return -ENOMEM;
		c->out = p;
		c->out_size = size;
	}
	memcpy(c->out + c->out_len, bytes, len);
	c->out_len += len;
	return 0;
}

static int reply_queue(struct client *c, const uint8_t *reply, size_t len)
{
	uint8_t head[2] = { len >> 8, len & 0xff };
	int r = out_add(c, head, sizeof(head));

	return r < 0 ? r : out_add(c, reply, len);
}

/* False when the connection is broken. */
static bool flush(struct client *c, uint64_t now_ms)
{
	while (c->out_at < c->out_len) {
		ssize_t n = send(c->watch.fd, c->out + c->out_at, c->out_len - c->out_at,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		c->out_at += (size_t)n;
		client_progress(c, now_ms);
	}
	free(c->out);
	c->out = NULL;
	c->out_at = c->out_len = c->out_size = 0;
	return true;
}

/* Handles one whole query at the start of the input. False when the connection is to be closed. */
static bool handle_query(struct client *c, size_t len, uint64_t now_ms)
{
	struct dns_tcp *t = c->tcp;
	struct dns_asker asker = { .client = c->address, .channel = c,
				   .stream_limit = DNS_MESSAGE_MAX };

	t->answerer->counters->queries_tcp++;
	client_progress(c, now_ms);
	memcpy(t->scratch, c->in + 2, len);
	switch (dns_answer(t->answerer, t->scratch, &len, &asker, now_ms)) {
	case DNS_REPLY:
		return reply_queue(c, t->scratch, len) == 0;
	case DNS_LATER:
		c->under_way++;
		return true;
	case DNS_SILENCE:
		break;		/* which over a stream would leave the client waiting */
	}
	return false;
}

/* False when the connection is to be closed. */
static bool handle_input(struct client *c, uint64_t now_ms)
{
	while (want_queries(c) && c->in_len >= 2) {
		size_t len = (size_t)c->in[0] << 8 | c->in[1];

		if (len > QUERY_MAX || len < DNS_HEADER_LEN)
			return false;
		if (c->in_len < 2 + len)
			break;
		if (!handle_query(c, len, now_ms))
			return false;
		c->in_len -= 2 + len;
		memmove(c->in, c->in + 2 + len, c->in_len);
	}
	return true;
}

static bool read_input(struct client *c)
{
	ssize_t n = recv(c->watch.fd, c->in + c->in_len, sizeof(c->in) - c->in_len, MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0)
		c->no_more_queries = true;	/* it may still read (RFC 7766 6.2.4) */
	c->in_len += (size_t)n;
	return true;
}

static void client_ready(struct dns_watch *w, uint32_t events, uint64_t now_ms)
{
	struct client *c = (struct client *)w;

	if ((events & EPOLLERR) ||
	    ((events & EPOLLIN) && c->in_len < sizeof(c->in) && !read_input(c)) ||
	    !handle_input(c, now_ms) || !flush(c, now_ms)) {
		client_close(c);
		return;
	}
	client_update(c);
}

void dns_tcp_reply(struct dns_tcp *t, void *channel, const uint8_t *reply, size_t len,
		   uint64_t now_ms)
{
	struct client *c = channel;

	c->under_way--;
	if (c->closed) {
		if (!c->under_way)
			dns_loop_drop(t->loop, &c->watch);
		return;
	}
	if (!reply || reply_queue(c, reply, len) < 0 || !flush(c, now_ms) ||
	    !handle_input(c, now_ms)) {
		client_close(c);
		return;
	}
	client_update(c);
}

static size_t clients_of(const struct dns_tcp *t, const struct nd_ip *address)
{
	size_t n = 0;

	for (const struct client *c = t->newest; c; c = c->older)
		n += nd_ip_equal(&c->address, address);
	return n;
}

static struct nd_ip address_of(const struct sockaddr_storage *ss)
{
	if (ss->ss_family == AF_INET6)
		return nd_ip_from6(((const struct sockaddr_in6 *)ss)->sin6_addr);
	return nd_ip_from4(((const struct sockaddr_in *)ss)->sin_addr);
}

/* Room for one more, if need be by closing the connection that has been idle longest. */
static bool make_room(struct dns_tcp *t, const struct nd_ip *address)
{
	if (clients_of(t, address) >= CLIENTS_PER_ADDRESS)
		return false;
	if (t->n_clients < CLIENTS_MAX)
		return true;
	for (struct client *c = t->oldest; c; c = c->newer) {
		if (!c->under_way) {
			client_close(c);
			return true;
		}
	}
	return false;
}

static void client_new(struct dns_tcp *t, int fd, const struct nd_ip *address, uint64_t now_ms)
{
	static const int one = 1;
	struct client *c = make_room(t, address) ? calloc(1, sizeof(*c)) : NULL;

	if (!c) {
		t->answerer->counters->tcp_refused++;
		close(fd);
		return;
	}
	/* Replies are written whole; a failure only costs time. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	c->watch.fd = fd;
	c->watch.ready = client_ready;
	c->tcp = t;
	c->address = *address;
	c->progress_ms = now_ms;
	c->events = EPOLLIN;
	client_link(c);
	t->n_clients++;
	if (dns_loop_add(t->loop, &c->watch, c->events) < 0)
		client_close(c);
}

static void listener_ready(struct dns_watch *w, uint32_t events, uint64_t now_ms)
{
	struct listener *l = (struct listener *)w;

	for (int i = 0; i < ACCEPTS_PER_ROUND; i++) {
		struct sockaddr_storage from;
		socklen_t len = sizeof(from);
		int fd = accept4(w->fd, (struct sockaddr *)&from, &len,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);
		struct nd_ip address;

		if (fd < 0)
			return;
		address = address_of(&from);
		client_new(l->tcp, fd, &address, now_ms);
	}
}

int dns_tcp_listen(struct dns_tcp *t, int fd)
{
	struct listener *l = calloc(1, sizeof(*l));
	int r;

	if (!l) {
		close(fd);
		return -ENOMEM;
	}
	l->watch.fd = fd;
	l->watch.ready = listener_ready;
	l->tcp = t;
	r = dns_loop_add(t->loop, &l->watch, EPOLLIN);
	if (r < 0) {
		close(fd);
		free(l);
		return r;
	}
	l->next = t->listeners;
	t->listeners = l;
	return 0;
}

void dns_tcp_expire(struct dns_tcp *t, uint64_t now_ms)
{
	struct client *next;

	for (struct client *c = t->oldest; c && c->progress_ms + IDLE_MS <= now_ms; c = next) {
		next = c->newer;
		client_close(c);
	}
}

uint64_t dns_tcp_next_ms(const struct dns_tcp *t)
{
	return t->oldest ? t->oldest->progress_ms + IDLE_MS : UINT64_MAX;
}

size_t dns_tcp_clients(const struct dns_tcp *t)
{
	return t->n_clients;
}

void dns_tcp_free(struct dns_tcp *t)
{
	if (!t)
		return;
	while (t->newest)
		client_close(t->newest);
	while (t->listeners) {
		struct listener *l = t->listeners;

		t->listeners = l->next;
		dns_loop_drop(t->loop, &l->watch);
	}
	free(t);
}
