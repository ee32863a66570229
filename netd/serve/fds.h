/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fds.h -- the descriptor numbers that the system call filter knows
 *
 * Numbers below FD_FREE are all taken before the filter is in force (/dev/null where there is
 * nothing to hold), so that no later descriptor gets a number with special rights or bans.
 */
#pragma once

enum {
	FD_LOG = 2,
	FD_CHANNEL = 3,		/* to the netd that started this server */
	FD_PACKET = 4,		/* AF_PACKET on the bridge: never bound or addressed again */
	FD_LISTEN = 5,		/* where the next netd connects */
	FD_EPOLL = 6,
	FD_UNUSED = 7,
	FD_FREE = 8,		/* DNS sockets, the lease database, whatever comes */
	FD_FREE_BITS = 3,	/* FD_FREE is 1 << this */
	FD_LIMIT = 1024,	/* RLIMIT_NOFILE */
	FD_LIMIT_BITS = 10,
};

/* Takes every number from FD_PACKET to FD_FREE, with an epoll descriptor at FD_EPOLL. FD_CHANNEL
 * and what is below it are there already. 0 or -errno. */
int fds_reserve(void);

/* Moves these to their numbers; packet -1: there is none. 0 or -errno. */
int fds_place(int listen_fd, int packet_fd);
