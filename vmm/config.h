/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config.h -- what one guest consists of, as netd sends it with descriptors
 *
 * Descriptors are opened by netd and travel beside the message, in the order in which encoding
 * meets them. netd-vmm opens nothing by name.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netd/base/addr.h"
#include "netd/base/auto.h"
#include "netd/base/channel.h"
#include "netd/base/cursor.h"
#include "netd/base/error.h"

#define VMM_NAME_MAX 256		/* with NUL */
#define VMM_ID_MAX 64
#define VMM_CMDLINE_MAX 2048		/* what Linux takes on x86, with NUL */
#define VMM_SERIAL_MAX 21		/* of a disk: virtio has 20 bytes for it */
#define VMM_CPUS_MAX 64
#define VMM_QUEUE_PAIRS_MAX 8
#define VMM_NICS_MAX 24
#define VMM_DISKS_MAX 16

/* A guest's end, as libvirt's on_poweroff, on_reboot and on_crash name it. */
enum vmm_action {
	VMM_DESTROY = 1,		/* the process ends */
	VMM_RESTART,			/* boots again, in this process */
	VMM_PRESERVE,			/* stays as it is, paused */
};

/* What a NIC may offer to its driver. HOST: what the guest may leave to the host when it sends; GUEST: what the
 * host may leave to the guest. What needs another that is missing is not offered (virtio 1.2, 5.1.3.1). */
enum vmm_nic_feature {
	VMM_HOST_CSUM = 1 << 0,
	VMM_HOST_TSO4 = 1 << 1,
	VMM_HOST_TSO6 = 1 << 2,
	VMM_HOST_ECN = 1 << 3,
	VMM_HOST_UFO = 1 << 4,		/* and USO; where the kernel's TAP has it */
	VMM_GUEST_CSUM = 1 << 5,
	VMM_GUEST_TSO4 = 1 << 6,
	VMM_GUEST_TSO6 = 1 << 7,
	VMM_GUEST_ECN = 1 << 8,
	VMM_GUEST_UFO = 1 << 9,
	VMM_MRG_RXBUF = 1 << 10,
	VMM_EVENT_IDX = 1 << 11,
	VMM_NIC_FEATURES = (1 << 12) - 1,	/* all of these, as by default */
	VMM_NO_IOEVENTFD = 1 << 12,	/* the vCPU itself passes the driver's kicks on, not KVM */
	VMM_TX_TIMER = 1 << 13,		/* what is sent waits for more, see VIRTIO_NET_TX_WAIT_NS */
	VMM_RSS = 1 << 14,		/* offered besides, and only in user space: the guest chooses queues ... */
	VMM_HASH_REPORT = 1 << 15,	/* ... and sees the hash */
	VMM_STANDBY = 1 << 16,		/* offered besides: it may stand behind a faster NIC of the same MAC */
	VMM_NIC_FLAGS = (1 << 17) - 1,
};

struct vmm_nic {
	char id[VMM_ID_MAX];		/* unique among NICs, e.g. its alias */
	struct nd_mac mac;
	uint16_t mtu_bytes;		/* offered to the guest; 0: not */
	uint16_t rx_queue_size, tx_queue_size;	/* descriptors of each ring, a power of two; 0: 256 */
	uint8_t slot;			/* 1 to 31, or 0: the lowest free one */
	uint32_t features;		/* enum vmm_nic_feature */
	bool link_up;
	uint8_t n_queue_pairs;		/* 1 to VMM_QUEUE_PAIRS_MAX */
	int tap_fds[VMM_QUEUE_PAIRS_MAX];
	/* -1 all: the data path is in this process, else in the kernel's vhost-net */
	int vhost_fds[VMM_QUEUE_PAIRS_MAX];
};

struct vmm_disk {
	char id[VMM_ID_MAX];
	char serial[VMM_SERIAL_MAX];
	uint8_t slot;			/* as for NICs */
	bool read_only, discard;
	uint64_t size_bytes;		/* a multiple of 512 */
	int fd;
};

struct vmm_config {
	char name[VMM_NAME_MAX];
	struct nd_uuid uuid;
	uint32_t uid;			/* to run as; 0: stay who you are (tests) */
	uint64_t ram_bytes;
	uint8_t n_cpus;
	char cmdline[VMM_CMDLINE_MAX];
	enum vmm_action on_poweroff, on_reboot, on_crash;
	int64_t clock_offset_s;		/* what the guest's clock shows is UTC plus this */
	bool rng;
	uint8_t rng_slot;
	int kvm_fd, kernel_fd;
	int initrd_fd;			/* -1: none */
	int console_fd;			/* COM1, a PTY's master or a file; -1: nobody listens */
	int listen_fd;			/* where a restarted netd connects; -1: nowhere */
	struct vmm_nic *nics;
	size_t n_nics;
	struct vmm_disk *disks;
	size_t n_disks;
};

/* Descriptors beside a message. Encoding borrows; decoding moves them out (what is taken becomes
 * -1), and what is left is the receiver's to close. */
struct vmm_fds {
	int fds[CHANNEL_FDS_MAX];
	size_t n, next;
};

void vmm_fds_close(struct vmm_fds *fds);

/* All descriptors -1, actions and features as libvirt's defaults. */
void vmm_config_init(struct vmm_config *c);
/* Closes and frees what it holds. */
void vmm_config_fini(struct vmm_config *c);
void vmm_nic_init(struct vmm_nic *n);
void vmm_nic_fini(struct vmm_nic *n);
void vmm_disk_init(struct vmm_disk *d);
void vmm_disk_fini(struct vmm_disk *d);

/* More than w or fds hold: w is full. */
void vmm_config_encode(const struct vmm_config *c, struct wr *w, struct vmm_fds *fds);
void vmm_nic_encode(const struct vmm_nic *n, struct wr *w, struct vmm_fds *fds);

/* Fresh bytes of a whole message, which the caller frees, and its descriptors (borrowed from c). */
int vmm_config_bytes(const struct vmm_config *c, uint8_t **bytes_out, size_t *len_out,
		     struct vmm_fds *fds_out);

/* *out needs no init; it is written, and descriptors are moved, only on success. -EBADMSG: not
 * exactly one valid configuration with exactly its descriptors. */
int vmm_config_decode(struct rd *r, struct vmm_fds *fds, struct vmm_config *out);
int vmm_nic_decode(struct rd *r, struct vmm_fds *fds, struct vmm_nic *out);

/* What decode asks beyond the form: limits, unique ids and slots. -EINVAL with a sentence. */
int vmm_config_check(const struct vmm_config *c, struct nd_error *err);
