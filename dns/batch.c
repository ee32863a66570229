/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dns/batch.h"

#include <errno.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define NONE 0xff
#define MESSAGE_MAX 60000	/* with its headers it must stay an IP packet */

/* Replies that leave in one message: as long and to the same place as its first. */
struct group {
	uint8_t first, n, at;	/* at: of its first iovec */
};

struct dns_batch {
	unsigned n;
	struct dns_datagram items[DNS_BATCH];
	struct mmsghdr in[DNS_BATCH], out[DNS_BATCH];
	struct iovec in_at[DNS_BATCH], out_at[DNS_BATCH];
	struct group groups[DNS_BATCH];
	uint8_t group_of[DNS_BATCH];
	union {
		struct cmsghdr align;
		uint8_t bytes[CMSG_SPACE(sizeof(uint16_t))];
	} control[DNS_BATCH];
	uint8_t packets[DNS_BATCH][DNS_UDP_MAX];
};

/* The packets stay untouched: what no burst has needed yet is no memory yet. */
struct dns_batch *dns_batch_new(void)
{
	struct dns_batch *b = malloc(sizeof(*b));

	if (!b)
		return NULL;
	b->n = 0;
	for (int i = 0; i < DNS_BATCH; i++) {
		b->items[i].packet = b->packets[i];
		b->in_at[i] = (struct iovec){ b->packets[i], DNS_UDP_MAX };
		b->in[i].msg_hdr = (struct msghdr){ .msg_name = &b->items[i].from,
						    .msg_namelen = sizeof(b->items[i].from),
						    .msg_iov = &b->in_at[i], .msg_iovlen = 1 };
	}
	return b;
}

void dns_batch_free(struct dns_batch *b)
{
	free(b);
}

unsigned dns_batch_receive(struct dns_batch *b, int fd)
{
	int n = recvmmsg(fd, b->in, DNS_BATCH, MSG_DONTWAIT, NULL);

	b->n = n > 0 ? (unsigned)n : 0;
	for (unsigned i = 0; i < b->n; i++) {
		struct msghdr *m = &b->in[i].msg_hdr;

		b->items[i].from_len = m->msg_namelen;
		b->items[i].cut = m->msg_flags & MSG_TRUNC;
		b->items[i].len = b->in[i].msg_len;
		m->msg_namelen = sizeof(b->items[i].from);
	}
	return b->n;
}

struct dns_datagram *dns_batch_at(struct dns_batch *b, unsigned i)
{
	return &b->items[i];
}

static bool belongs(const struct group *g, const struct dns_datagram *first,
		    const struct dns_datagram *d)
{
	return first->len == d->len && first->from_len == d->from_len &&
	       (g->n + 1u) * d->len <= MESSAGE_MAX &&
	       memcmp(&first->from, &d->from, d->from_len) == 0;
}

/* A hint where the group of such a reply is. */
static unsigned slot_of(const struct dns_datagram *d)
{
	return (d->from.v4.sin_port ^ d->from.v4.sin_port >> 8 ^ (unsigned)d->len * 5) % DNS_BATCH;
}

static unsigned groups_make(struct dns_batch *b, bool single)
{
	uint8_t hints[DNS_BATCH];
	unsigned n = 0;

	memset(hints, NONE, sizeof(hints));
	for (unsigned i = 0; i < b->n; i++) {
		const struct dns_datagram *d = &b->items[i];
		uint8_t *hint = &hints[slot_of(d)];

		b->group_of[i] = NONE;
		if (!d->len)
			continue;
		if (single || *hint == NONE ||
		    !belongs(&b->groups[*hint], &b->items[b->groups[*hint].first], d)) {
			b->groups[n] = (struct group){ .first = (uint8_t)i };
			*hint = (uint8_t)n++;
		}
		b->group_of[i] = *hint;
		b->groups[*hint].n++;
	}
	return n;
}

static void message_make(struct dns_batch *b, unsigned i)
{
	const struct group *g = &b->groups[i];
	struct dns_datagram *first = &b->items[g->first];
	struct msghdr *m = &b->out[i].msg_hdr;
	struct cmsghdr *c = &b->control[i].align;

	*m = (struct msghdr){ .msg_name = &first->from, .msg_namelen = first->from_len,
			      .msg_iov = &b->out_at[g->at], .msg_iovlen = g->n };
	if (g->n == 1)
		return;
	m->msg_control = c;
	m->msg_controllen = sizeof(b->control[i]);
	c->cmsg_level = SOL_UDP;
	c->cmsg_type = UDP_SEGMENT;
	c->cmsg_len = CMSG_LEN(sizeof(uint16_t));
	memcpy(CMSG_DATA(c), &(uint16_t){ (uint16_t)first->len }, sizeof(uint16_t));
}

/* Puts each group's replies side by side. Returns how many messages there are. */
static unsigned messages_make(struct dns_batch *b, bool single)
{
	unsigned n = groups_make(b, single), at = 0;

	for (unsigned i = 0; i < n; i++) {
		b->groups[i].at = (uint8_t)at;
		at += b->groups[i].n;
		message_make(b, i);
		b->groups[i].n = 0;	/* counts again below */
	}
	for (unsigned i = 0; i < b->n; i++)
		if (b->group_of[i] != NONE) {
			struct group *g = &b->groups[b->group_of[i]];

			b->out_at[g->at + g->n++] = (struct iovec){ b->packets[i],
								    b->items[i].len };
		}
	return n;
}

/* Those of a message that could not be sent in one piece, one by one. */
static unsigned send_singly(struct dns_batch *b, int fd, unsigned i)
{
	const struct group *g = &b->groups[i];
	const struct dns_datagram *first = &b->items[g->first];
	unsigned failed = 0;

	for (unsigned j = 0; j < g->n; j++)
		failed += sendto(fd, b->out_at[g->at + j].iov_base, first->len, MSG_DONTWAIT,
				 &first->from.any, first->from_len) < 0;
	return failed;
}

/* A message that cannot be sent must not hold up those behind it. */
unsigned dns_batch_send(struct dns_batch *b, int fd, bool *no_segments)
{
	unsigned n = messages_make(b, *no_segments), failed = 0;

	for (unsigned i = 0; i < n;) {
		int sent = sendmmsg(fd, b->out + i, n - i, MSG_DONTWAIT);

		if (sent > 0) {
			i += (unsigned)sent;
		} else if (errno != EINTR && b->groups[i].n == 1) {
			failed++;
			i++;
		} else if (errno != EINTR) {
			*no_segments = *no_segments || errno == EIO || errno == EINVAL;
			failed += send_singly(b, fd, i);
			i++;
		}
	}
	return failed;
}
