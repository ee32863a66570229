/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/serve/intake.h"

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>

#define FRAME_MAX 1536		/* an untagged Ethernet frame; longer ones are cut and fail later */

struct control {
	_Alignas(struct cmsghdr) uint8_t bytes[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
};

/* Everything that a turn touches, in frame order: a quiet server touches the first page only. */
struct slot {
	uint8_t frame[FRAME_MAX];
	struct sockaddr_ll from;
	struct control control;
	struct iovec iov;
	uint32_t len;
	bool csum_partial, waiting;
};

struct intake {
	struct slot *slots;		/* mapped, INTAKE_FRAMES */
	struct mmsghdr *messages;
	struct intake_counters counters;
	bool used;			/* more than the first page since the last rest */
	unsigned full_turns;		/* in a row */
	uint64_t flooded_until_ms;
};

struct intake *intake_new(void)
{
	struct intake *in = calloc(1, sizeof(*in));
	void *slots = mmap(NULL, sizeof(struct slot) * INTAKE_FRAMES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (in && slots != MAP_FAILED)
		in->messages = calloc(INTAKE_FRAMES, sizeof(*in->messages));
	if (!in || slots == MAP_FAILED || !in->messages) {
		if (slots != MAP_FAILED)
			munmap(slots, sizeof(struct slot) * INTAKE_FRAMES);
		free(in);
		return NULL;
	}
	in->slots = slots;
	return in;
}

void intake_free(struct intake *in)
{
	if (!in)
		return;
	munmap(in->slots, sizeof(struct slot) * INTAKE_FRAMES);
	free(in->messages);
	free(in);
}

void intake_rest(struct intake *in)
{
	if (!in->used)
		return;
	/* Only contents that no longer matter: a failure costs memory, nothing else. */
	(void)madvise(in->slots, sizeof(struct slot) * INTAKE_FRAMES, MADV_DONTNEED);
	in->used = false;
}

static uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* Up to n frames from slot `first` on. Returns how many came. */
static unsigned receive(struct intake *in, int fd, unsigned first, unsigned n)
{
	int got;

	for (unsigned i = first; i < first + n; i++) {
		struct slot *s = &in->slots[i];

		s->iov = (struct iovec){ s->frame, sizeof(s->frame) };
		in->messages[i].msg_hdr = (struct msghdr){
			.msg_name = &s->from, .msg_namelen = sizeof(s->from),
			.msg_iov = &s->iov, .msg_iovlen = 1,
			.msg_control = &s->control, .msg_controllen = sizeof(s->control),
		};
	}
	got = recvmmsg(fd, in->messages + first, n, MSG_DONTWAIT, NULL);
	return got > 0 ? (unsigned)got : 0;
}

/* False: not a frame for us. The BPF program on the socket said most of it already; what it
 * cannot see is a VLAN tag that the kernel keeps beside the frame. */
static bool slot_judge(struct slot *s, struct mmsghdr *m)
{
	struct tpacket_auxdata aux = { 0 };

	for (struct cmsghdr *h = CMSG_FIRSTHDR(&m->msg_hdr); h; h = CMSG_NXTHDR(&m->msg_hdr, h))
		if (h->cmsg_level == SOL_PACKET && h->cmsg_type == PACKET_AUXDATA)
			memcpy(&aux, CMSG_DATA(h), sizeof(aux));
	s->len = m->msg_len;
	s->csum_partial = aux.tp_status & TP_STATUS_CSUMNOTREADY;
	return s->len >= ETH_HLEN && s->from.sll_pkttype != PACKET_OTHERHOST &&
	       !(aux.tp_status & TP_STATUS_VLAN_VALID);
}

/* A quiet server gets one frame at a time, so only a burst touches the other slots. */
static unsigned receive_turn(struct intake *in, int fd)
{
	unsigned n = receive(in, fd, 0, 2);

	if (n < 2)
		return n;
	in->used = true;
	return n + receive(in, fd, n, INTAKE_FRAMES - n);
}

/* Many full turns in a row are a flood, and one more within a second of the last is still it. */
static bool is_flooded(struct intake *in, bool full, uint64_t now_ms)
{
	in->full_turns = full ? in->full_turns + 1 : 0;
	if (in->full_turns > INTAKE_PATIENCE || (full && now_ms < in->flooded_until_ms))
		in->flooded_until_ms = now_ms + 1000;
	return now_ms < in->flooded_until_ms;
}

static void serve_extra(struct intake *in, unsigned n, bool flooded, intake_frame each, void *arg)
{
	uint64_t end_us = now_us() + INTAKE_EXTRA_US;
	bool full = n == INTAKE_FRAMES;

	for (unsigned i = 0; i < n; i++) {
		struct slot *s = &in->slots[i];

		if (!s->waiting)
			continue;
		if (flooded && (full || now_us() > end_us)) {
			in->counters.dropped_share++;
			continue;
		}
		each(arg, s->frame, s->len, s->csum_partial);
		in->counters.over_share++;
		in->counters.served++;
	}
}

bool intake_turn(struct intake *in, int fd, struct share *share, intake_frame each, void *arg)
{
	unsigned n = receive_turn(in, fd), extra = 0;
	uint64_t now_ms;
	bool flooded;

	if (n == 0)
		return false;
	now_ms = now_us() / 1000;
	flooded = is_flooded(in, n == INTAKE_FRAMES, now_ms);
	in->counters.frames += n;
	for (unsigned i = 0; i < n; i++) {
		struct slot *s = &in->slots[i];
		struct nd_mac src;

		s->waiting = false;
		if (!slot_judge(s, &in->messages[i])) {
			in->counters.dropped_foreign++;
			continue;
		}
		memcpy(src.bytes, s->frame + ETH_ALEN, ETH_ALEN);
		if (!share_take(share, &src, now_ms)) {
			s->waiting = true;
			extra++;
			continue;
		}
		each(arg, s->frame, s->len, s->csum_partial);
		in->counters.served++;
	}
	if (extra)
		serve_extra(in, n, flooded, each, arg);
	return n == INTAKE_FRAMES;
}

void intake_counters(struct intake *in, int fd, struct intake_counters *out)
{
	struct tpacket_stats stats;
	socklen_t len = sizeof(stats);

	/* Reading sets the kernel's counters back to zero. */
	if (getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &stats, &len) == 0)
		in->counters.dropped_kernel += stats.tp_drops;
	*out = in->counters;
}
