/* SPDX-License-Identifier: GPL-2.0-or-later */
/* message.h -- what netd and a netd-vmm tell each other
 *
 *	netd                          netd-vmm
 *	      <------- HELLO -------        at once, and after each connection to the listening socket
 *	      -- CONFIG, descriptors ->     once in a guest's life: sets up, locks itself in
 *	      -- START ------------->       and PAUSE, RESUME, NIC_*, ...: each answered by DONE or
 *	      <--- DONE or FAILED ---       FAILED (a sentence) with the same serial
 *	      <------- EVENT -------        by itself, serial 0
 *	      --------- QUIT -------->      the guest's power is cut
 *
 * Decoders return -EBADMSG unless the reader held exactly one valid body.
 */
#pragma once
#include "netd/base/channel.h"
#include "vmm/config.h"

#define VMM_MAGIC 0x6e64766du		/* "ndvm" */
#define VMM_VERSION 1			/* raised when a body changes its form */

enum vmm_message_type {
	VMM_CONFIG = 16,		/* vmm_config_encode() */
	VMM_START,
	VMM_PAUSE,
	VMM_RESUME,
	VMM_SHUTDOWN,			/* presses the power button */
	VMM_RESET,			/* the reset button */
	VMM_NIC_ADD,			/* vmm_nic_encode(), with descriptors; DONE: the guest was told */
	VMM_NIC_REMOVE,			/* vmm_nic_request; DONE: the guest was asked, see EVENT */
	VMM_NIC_LINK,			/* vmm_nic_request with value 0 or 1 */
	VMM_NIC_MTU,			/* ... with bytes */
	VMM_NIC_ANNOUNCE,		/* the guest shall tell the switch where it is */
	VMM_STATS_GET,
	VMM_STATS,			/* vmm_counters_encode() */
	VMM_DONE,
	VMM_FAILED,
	VMM_EVENT,
	VMM_NIC_FILTER,			/* to netd, vmm_nic_filter: what the guest wants to see; not again before ... */
	VMM_NIC_FILTER_SEEN,		/* ... netd, which follows it, has sent this vmm_nic_request */
};

struct channel *vmm_channel_new(int fd);	/* channel_new() with magic and version */

enum vmm_state {
	VMM_STATE_EMPTY = 1,		/* waits for CONFIG */
	VMM_STATE_READY,		/* waits for START */
	VMM_STATE_RUNNING,
	VMM_STATE_PAUSED,
	VMM_STATE_CRASHED,		/* preserved */
};

/* HELLO */
struct vmm_hello {
	char build[64];
	struct nd_uuid uuid;		/* null while empty */
	enum vmm_state state;
	/* The NICs that are plugged, for a netd that was away. */
	char nics[VMM_NICS_MAX][VMM_ID_MAX];
	size_t n_nics;
};

void vmm_hello_encode(const struct vmm_hello *h, struct wr *w);
int vmm_hello_decode(struct rd *r, struct vmm_hello *out);

struct vmm_nic_request {
	char id[VMM_ID_MAX];
	uint32_t value;
};

void vmm_nic_request_encode(const struct vmm_nic_request *q, struct wr *w);
int vmm_nic_request_decode(struct rd *r, struct vmm_nic_request *out);

/* The guest's unicast address, and whether it wants multicast frames (any: it filters them itself). */
struct vmm_nic_filter {
	char id[VMM_ID_MAX];
	struct nd_mac mac;
	bool multicast;
};

void vmm_nic_filter_encode(const struct vmm_nic_filter *f, struct wr *w);
int vmm_nic_filter_decode(struct rd *r, struct vmm_nic_filter *out);

enum vmm_event_kind {
	VMM_EVENT_STATE = 1,		/* detail is the new enum vmm_state */
	VMM_EVENT_POWEROFF,		/* the guest powered itself off; detail is the action taken */
	VMM_EVENT_RESET,		/* the guest, or netd, reset it; ditto */
	VMM_EVENT_CRASHED,		/* triple fault, KVM error, panic; text says which; ditto */
	VMM_EVENT_NIC_REMOVED,		/* the guest let go of the NIC named by text */
};

struct vmm_event {
	enum vmm_event_kind kind;
	uint32_t detail;
	char text[256];
};

void vmm_event_encode(const struct vmm_event *e, struct wr *w);
int vmm_event_decode(struct rd *r, struct vmm_event *out);

/* Named, so that builds with other counters understand each other: "cpu.0.ns", "disk.ID.rd.bytes",
 * "ram.bytes", "rss.bytes". */
struct vmm_counter {
	char name[96];
	uint64_t value;
};

#define VMM_COUNTERS_MAX 512
void vmm_counters_encode(const struct vmm_counter *list, size_t n, struct wr *w);
/* The caller frees *list_out. */
int vmm_counters_decode(struct rd *r, struct vmm_counter **list_out, size_t *n_out);
