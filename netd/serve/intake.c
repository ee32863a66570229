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

/* A flood ends with a second in which fewer frames than this were beyond their share. */
#define FLOOD_MIN_FRAMES 2000
#define FLOOD_WINDOW_US 1000000
#define FLOOD_BATCHES 128		/* of one turn: more than the socket's buffer holds */

/* The time of one turn that goes to others than plugged guests within their share. */
#define EXTRA_MIN_US 60
#define EXTRA_MAX_US 4000
#define EXTRA_GROWS_US 20
#define LATE_US 2000			/* a turn that comes so much later than it was due is late: */
#define LATE_HOLD_US 5000000		/* the least for so long */
#define GUARD_US 3000000		/* a guest that asked may ask again within this time */

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
	enum share_of share;
};

struct intake {
	struct slot *slots;		/* mapped, INTAKE_FRAMES */
	struct mmsghdr *messages;
	struct intake_counters counters;
	bool used;			/* more than the first page since the last rest */
	unsigned full_turns;		/* in a row */
	bool flooded, guarded;
	uint64_t guest_at_us;		/* when a plugged guest within its share last asked */
	uint64_t window_end_us;		/* of the flood's current second ... */
	uint64_t window_extra;		/* ... in which so many were beyond their share */
	uint64_t due_us;		/* the next turn of the flood */
	uint64_t extra_us;		/* what a turn may take for them, ... */
	uint64_t extra_held_us;		/* ... which does not grow before then, ... */
	uint64_t extra_end_us;		/* ... until when this one may */
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

/* --- floods --- */

static void flood_begin(struct intake *in, uint64_t at_us)
{
	in->flooded = true;
	in->full_turns = 0;
	in->window_end_us = at_us + FLOOD_WINDOW_US;
	in->window_extra = 0;
	in->due_us = at_us;
	in->guarded = false;
}

static bool is_guarded(const struct intake *in, uint64_t at_us)
{
	return at_us < in->guest_at_us + GUARD_US;
}

/* A turn of a flood begins: it may have ended, else what this turn may take is decided. */
static void flood_turn(struct intake *in, uint64_t at_us)
{
	if (at_us >= in->window_end_us) {
		in->flooded = in->window_extra >= FLOOD_MIN_FRAMES;
		in->window_end_us = at_us + FLOOD_WINDOW_US;
		in->window_extra = 0;
	}
	if (!is_guarded(in, at_us)) {
		in->extra_us = EXTRA_MAX_US;
	} else if (!in->guarded) {
		in->extra_us = EXTRA_MIN_US;
	} else if (at_us > in->due_us + LATE_US) {
		in->extra_us = EXTRA_MIN_US;
		in->extra_held_us = at_us + LATE_HOLD_US;
	} else if (at_us > in->extra_held_us && in->extra_us < EXTRA_MAX_US) {
		in->extra_us += EXTRA_GROWS_US;
	}
	in->guarded = is_guarded(in, at_us);
	in->extra_end_us = at_us + in->extra_us;
}

/* --- turns --- */

static void serve(struct intake *in, struct slot *s, intake_frame each, void *arg)
{
	s->waiting = false;
	in->counters.served++;
	each(arg, s->frame, s->len, s->csum_partial);
}

/* Plugged guests within their share; how many others there are. */
static unsigned serve_guests(struct intake *in, unsigned n, struct share *share, uint64_t at_us,
			     intake_frame each, void *arg)
{
	unsigned others = 0;

	for (unsigned i = 0; i < n; i++) {
		struct slot *s = &in->slots[i];
		struct nd_mac src;

		s->waiting = slot_judge(s, &in->messages[i]);
		if (!s->waiting) {
			in->counters.dropped_foreign++;
			continue;
		}
		memcpy(src.bytes, s->frame + ETH_ALEN, ETH_ALEN);
		s->share = share_take(share, &src, at_us / 1000);
		in->window_extra += s->share == SHARE_NONE;
		if (s->share == SHARE_GUEST) {
			in->guest_at_us = at_us;
			serve(in, s, each, arg);
		} else {
			others++;
		}
	}
	return others;
}

/* The others that have this share; in a flood as far as time allows. */
static void serve_others(struct intake *in, unsigned n, enum share_of share, intake_frame each,
			 void *arg)
{
	bool over = false;

	for (unsigned i = 0; i < n; i++) {
		struct slot *s = &in->slots[i];

		if (!s->waiting || s->share != share)
			continue;
		over = over || (in->flooded && now_us() >= in->extra_end_us);
		if (over) {
			in->counters.dropped_share++;
			continue;
		}
		in->counters.over_share += share == SHARE_NONE;
		serve(in, s, each, arg);
	}
}

/* What waits, as far as there is room for it; returns how many frames that were. */
static unsigned serve_batch(struct intake *in, int fd, struct share *share, uint64_t at_us,
			    intake_frame each, void *arg)
{
	unsigned n = receive_turn(in, fd);

	in->counters.frames += n;
	if (serve_guests(in, n, share, at_us, each, arg)) {
		serve_others(in, n, SHARE_STRANGERS, each, arg);
		serve_others(in, n, SHARE_NONE, each, arg);
	}
	return n;
}

bool intake_turn(struct intake *in, int fd, struct share *share, intake_frame each, void *arg)
{
	uint64_t at_us = now_us();
	unsigned batches = 0, n;

	if (in->flooded)
		flood_turn(in, at_us);
	do {
		n = serve_batch(in, fd, share, at_us, each, arg);
	} while (n == INTAKE_FRAMES && in->flooded && ++batches < FLOOD_BATCHES);
	in->full_turns = n == INTAKE_FRAMES ? in->full_turns + 1 : 0;
	if (!in->flooded && in->full_turns > INTAKE_PATIENCE)
		flood_begin(in, at_us);
	if (!in->flooded || !is_guarded(in, at_us))
		return false;
	in->due_us = now_us() + INTAKE_PAUSE_MS * 1000;
	return true;
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
