/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dns/exchange.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dns/random.h"

#define PORTS_MAX 256		/* UDP sockets */
#define STREAMS_MAX 32		/* TCP connections */
#define FORGED_MAX 16		/* wrong answers at one port before it is given up */
#define READS_PER_ROUND 16
#define ANSWER_MAX 4096		/* over UDP; we announce less */
#define ASK_MAX (DNS_HEADER_LEN + DNS_QUESTION_MAX + DNS_OPT_LEN)

/* A connected UDP socket, normally of one exchange. */
struct port {
	struct dns_watch watch;
	struct dns_exchanges *owner;
	struct port *next, *prev;
	struct dns_upstream to;
	struct dns_exchange *exchanges;
	unsigned forged;
	bool retired;		/* takes no more exchanges */
};

/* A TCP connection, always of one exchange. */
struct stream {
	struct dns_watch watch;
	struct dns_exchange *exchange;
	size_t out_at, out_len, in_at;
	uint8_t out[2 + ASK_MAX];
	uint8_t head[2];
	uint8_t *in;		/* once the length is known */
	size_t in_len;
};

struct dns_exchange {
	struct dns_exchanges *owner;
	struct dns_exchange *next, *prev;	/* of the same port */
	struct port *port;			/* this or */
	struct stream *stream;			/* this; neither once it is over */
	uint16_t id, type;
	struct dns_name name;			/* as it was sent */
	bool mixed_case;
	dns_exchange_done *done;
	void *context;
};

struct dns_exchanges {
	struct dns_loop *loop;
	struct dns_counters *counters;
	struct dns_random random;
	struct port *ports;
	size_t n_ports, n_streams;
	uint8_t answer[ANSWER_MAX];
};

struct dns_exchanges *dns_exchanges_new(struct dns_loop *loop, struct dns_counters *counters)
{
	struct dns_exchanges *x = calloc(1, sizeof(*x));

	if (x) {
		x->loop = loop;
		x->counters = counters;
	}
	return x;
}

void dns_exchanges_free(struct dns_exchanges *x)
{
	free(x);
}

static int connect_socket(int type, const struct dns_upstream *to)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} a = { 0 };
	socklen_t len;
	int fd;

	a.any.sa_family = to->addr.family;
	if (to->addr.family == AF_INET) {
		a.v4.sin_addr = to->addr.v4;
		a.v4.sin_port = htons(to->port);
		len = sizeof(a.v4);
	} else {
		a.v6.sin6_addr = to->addr.v6;
		a.v6.sin6_port = htons(to->port);
		len = sizeof(a.v6);
	}
	fd = socket(to->addr.family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, &a.any, len) < 0 && errno != EINPROGRESS) {
		int e = errno;

		close(fd);
		return -e;
	}
	return fd;
}

static void mix_case(struct dns_random *r, struct dns_name *name)
{
	uint8_t bits[(DNS_NAME_MAX + 7) / 8];

	dns_random_bytes(r, bits, sizeof(bits));
	for (size_t i = 0; i < name->len; i++)
		if (name->wire[i] >= 'a' && name->wire[i] <= 'z' && (bits[i / 8] >> i % 8 & 1))
			name->wire[i] ^= 0x20;
}

static void port_drop(struct port *p)
{
	struct dns_exchanges *x = p->owner;

	*(p->prev ? &p->prev->next : &x->ports) = p->next;
	if (p->next)
		p->next->prev = p->prev;
	x->n_ports--;
	dns_loop_drop(x->loop, &p->watch);
}

static void port_detach(struct dns_exchange *e)
{
	struct port *p = e->port;

	if (!p)
		return;
	e->port = NULL;
	*(e->prev ? &e->prev->next : &p->exchanges) = e->next;
	if (e->next)
		e->next->prev = e->prev;
	if (!p->exchanges)
		port_drop(p);
}

static void finish(struct dns_exchange *e, enum dns_exchange_result result, const uint8_t *packet,
		   size_t len, uint64_t now_ms)
{
	port_detach(e);
	e->done(e->context, e, result, packet, len, now_ms);
}

/* Ends all exchanges of a port, which goes with the last one. */
static void port_finish(struct port *p, enum dns_exchange_result result, uint64_t now_ms)
{
	p->retired = true;
	while (p->exchanges)
		finish(p->exchanges, result, NULL, 0, now_ms);
}

/* Gives a datagram to the exchange that it answers. True when it did. */
static bool port_match(struct port *p, const uint8_t *packet, size_t len, uint64_t now_ms)
{
	uint16_t id = len >= 2 ? (uint16_t)(packet[0] << 8 | packet[1]) : 0;

	for (struct dns_exchange *e = p->exchanges; e; e = e->next) {
		bool exact;

		if (e->id != id ||
		    !dns_response_matches(packet, len, id, &e->name, e->type, &exact))
			continue;
		if (e->mixed_case && !exact) {
			p->owner->counters->upstream_forged++;
			finish(e, DNS_EXCHANGE_DOUBTFUL, NULL, 0, now_ms);
		} else {
			p->owner->counters->upstream_answers++;
			finish(e, DNS_EXCHANGE_ANSWER, packet, len, now_ms);
		}
		return true;
	}
	return false;
}

static void port_ready(struct dns_watch *w, uint32_t events, uint64_t now_ms)
{
	struct port *p = (struct port *)w;
	struct dns_exchanges *x = p->owner;

	for (int i = 0; i < READS_PER_ROUND && w->ready; i++) {
		ssize_t n = recv(w->fd, x->answer, sizeof(x->answer), MSG_DONTWAIT);

		if (n < 0) {
			if (errno != EAGAIN && errno != EINTR)
				port_finish(p, DNS_EXCHANGE_BROKEN, now_ms);
			return;
		}
		if (port_match(p, x->answer, (size_t)n, now_ms))
			continue;
		x->counters->upstream_forged++;
		if (++p->forged >= FORGED_MAX) {
			port_finish(p, DNS_EXCHANGE_DOUBTFUL, now_ms);
			return;
		}
	}
}

static struct port *port_new(struct dns_exchanges *x, const struct dns_upstream *to)
{
	struct port *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->owner = x;
	p->to = *to;
	p->watch.ready = port_ready;
	p->watch.fd = connect_socket(SOCK_DGRAM, to);
	if (p->watch.fd < 0) {
		free(p);
		return NULL;
	}
	if (dns_loop_add(x->loop, &p->watch, EPOLLIN) < 0) {
		close(p->watch.fd);
		free(p);
		return NULL;
	}
	p->next = x->ports;
	if (p->next)
		p->next->prev = p;
	x->ports = p;
	x->n_ports++;
	return p;
}

static bool id_is_free(const struct port *p, uint16_t id)
{
	for (const struct dns_exchange *e = p->exchanges; e; e = e->next)
		if (e->id == id)
			return false;
	return true;
}

static bool port_leads_to(const struct port *p, const struct dns_upstream *to)
{
	return !p->retired && p->to.port == to->port && nd_ip_equal(&p->to.addr, &to->addr);
}

/* A socket of its own while this upstream has no more of them than are free; else a random one of
 * its. So an upstream that never answers leaves sockets to the others. */
static struct port *port_choose(struct dns_exchanges *x, const struct dns_upstream *to)
{
	size_t n = 0, chosen;

	for (const struct port *p = x->ports; p; p = p->next)
		n += port_leads_to(p, to);
	if (n < PORTS_MAX - x->n_ports)
		return port_new(x, to);
	if (!n)
		return NULL;
	chosen = dns_random_u16(&x->random) % n;
	for (struct port *p = x->ports;; p = p->next)
		if (port_leads_to(p, to) && chosen-- == 0)
			return p;
}

static void ask_encode(struct dns_exchange *e, const struct dns_exchange_ask *ask, struct wr *w)
{
	dns_query_encode(w, e->id, &e->name, e->type, ask->edns, ask->question->dnssec_ok,
			 ask->question->checking_disabled);
}

static bool start_udp(struct dns_exchange *e, const struct dns_exchange_ask *ask)
{
	struct dns_exchanges *x = e->owner;
	struct port *p = port_choose(x, ask->to);
	uint8_t packet[ASK_MAX];
	struct wr w = wr_init(packet, sizeof(packet));

	if (!p)
		return false;
	do {
		e->id = dns_random_u16(&x->random);
	} while (!id_is_free(p, e->id));
	ask_encode(e, ask, &w);
	e->port = p;
	e->next = p->exchanges;
	if (e->next)
		e->next->prev = e;
	p->exchanges = e;
	if (send(p->watch.fd, packet, wr_len(&w), MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
	    errno != EAGAIN) {
		port_detach(e);
		return false;
	}
	return true;
}

static void stream_drop(struct dns_exchange *e)
{
	struct stream *s = e->stream;

	if (!s)
		return;
	e->stream = NULL;
	e->owner->n_streams--;
	free(s->in);
	dns_loop_drop(e->owner->loop, &s->watch);
}

static void stream_broken(struct stream *s, uint64_t now_ms)
{
	struct dns_exchange *e = s->exchange;

	stream_drop(e);
	finish(e, DNS_EXCHANGE_BROKEN, NULL, 0, now_ms);
}

static void stream_answered(struct stream *s, uint64_t now_ms)
{
	struct dns_exchange *e = s->exchange;
	uint8_t *packet = s->in;
	size_t len = s->in_len;
	bool exact;

	s->in = NULL;
	stream_drop(e);
	/* Nobody can forge what comes over a connection: the letter case may be any. */
	if (dns_response_matches(packet, len, e->id, &e->name, e->type, &exact)) {
		e->owner->counters->upstream_answers++;
		finish(e, DNS_EXCHANGE_ANSWER, packet, len, now_ms);
	} else {
		e->owner->counters->upstream_forged++;
		finish(e, DNS_EXCHANGE_BROKEN, NULL, 0, now_ms);
	}
	free(packet);
}

/* 1 when all was sent, 0 when there is more, -1 when the connection is broken. */
static int stream_write(struct stream *s)
{
	ssize_t n = send(s->watch.fd, s->out + s->out_at, s->out_len - s->out_at,
			 MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	s->out_at += (size_t)n;
	return s->out_at == s->out_len;
}

/* Reads up to want bytes of what in_at counts. As stream_write(). */
static int stream_fill(struct stream *s, uint8_t *to, size_t want)
{
	ssize_t n = recv(s->watch.fd, to + s->in_at, want - s->in_at, MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	if (n == 0)
		return -1;
	s->in_at += (size_t)n;
	return s->in_at == want;
}

/* As stream_write(). */
static int stream_read(struct stream *s)
{
	if (!s->in) {
		int r = stream_fill(s, s->head, sizeof(s->head));

		if (r <= 0)
			return r;
		s->in_len = (size_t)s->head[0] << 8 | s->head[1];
		s->in_at = 0;
		if (s->in_len < DNS_HEADER_LEN)
			return -1;
		s->in = malloc(s->in_len);
		if (!s->in)
			return -1;
	}
	return stream_fill(s, s->in, s->in_len);
}

static void stream_ready(struct dns_watch *w, uint32_t events, uint64_t now_ms)
{
	struct stream *s = (struct stream *)w;
	int r = 0;

	if (s->out_at < s->out_len) {
		r = events & EPOLLERR ? -1 : stream_write(s);
		if (r == 1)
			r = dns_loop_change(s->exchange->owner->loop, w, EPOLLIN) < 0 ? -1 : 0;
	} else {
		r = stream_read(s);
	}
	if (r < 0)
		stream_broken(s, now_ms);
	else if (r > 0)
		stream_answered(s, now_ms);
}

static bool start_tcp(struct dns_exchange *e, const struct dns_exchange_ask *ask)
{
	struct dns_exchanges *x = e->owner;
	struct stream *s = x->n_streams < STREAMS_MAX ? calloc(1, sizeof(*s)) : NULL;
	struct wr w;

	if (!s)
		return false;
	e->id = dns_random_u16(&x->random);
	w = wr_init(s->out + 2, sizeof(s->out) - 2);
	ask_encode(e, ask, &w);
	s->out[0] = wr_len(&w) >> 8 & 0xff;
	s->out[1] = wr_len(&w) & 0xff;
	s->out_len = 2 + wr_len(&w);
	s->exchange = e;
	s->watch.ready = stream_ready;
	s->watch.fd = connect_socket(SOCK_STREAM, ask->to);
	if (s->watch.fd < 0 || dns_loop_add(x->loop, &s->watch, EPOLLOUT) < 0) {
		if (s->watch.fd >= 0)
			close(s->watch.fd);
		free(s);
		return false;
	}
	x->n_streams++;
	x->counters->upstream_tcp++;
	e->stream = s;
	return true;
}

struct dns_exchange *dns_exchange_start(struct dns_exchanges *x,
					const struct dns_exchange_ask *ask)
{
	struct dns_exchange *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->owner = x;
	e->type = ask->question->type;
	e->name = ask->question->name;
	e->done = ask->done;
	e->context = ask->context;
	e->mixed_case = ask->mix_case && !ask->tcp;
	if (e->mixed_case)
		mix_case(&x->random, &e->name);
	if (!(ask->tcp ? start_tcp(e, ask) : start_udp(e, ask))) {
		free(e);
		return NULL;
	}
	x->counters->upstream_sent++;
	return e;
}

void dns_exchange_cancel(struct dns_exchange *e)
{
	if (!e)
		return;
	port_detach(e);
	stream_drop(e);
	free(e);
}
