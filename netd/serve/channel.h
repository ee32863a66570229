/* SPDX-License-Identifier: GPL-2.0-or-later */
/* channel.h -- what netd and a netd-serve tell each other
 *
 *	netd                          netd-serve
 *	      <------- HELLO -------        at once, from a spare as from one that serves
 *	      -- START, descriptors ->      once in a server's life
 *	      <-- STARTED or FAILED -
 *	      <------- LEASES -------       all leases, after STARTED and after a new connection
 *	      <----- LEASE_EVENT ----       one changed
 *	      -- CONFIG, PORTS, ... ->      each answered by DONE or FAILED with the same serial
 *	      --------- QUIT -------->
 */
#pragma once
#include "netd/base/channel.h"

#define CHANNEL_MAGIC 0x6e647376u	/* "ndsv" */
#define CHANNEL_VERSION 1		/* raised when a body changes its form */

enum channel_type {
	CHANNEL_START = 16,
	CHANNEL_STARTED,
	CHANNEL_DONE,
	CHANNEL_FAILED,
	CHANNEL_CONFIG,
	CHANNEL_UPSTREAMS,
	CHANNEL_PORTS,
	CHANNEL_LEASES,
	CHANNEL_LEASE_EVENT,
	CHANNEL_STATS_GET,
	CHANNEL_STATS,
	CHANNEL_PING,
	CHANNEL_PONG,
	CHANNEL_GONE,
};

static inline struct channel *serve_channel_new(int fd)
{
	return channel_new(fd, &(struct channel_protocol){ CHANNEL_MAGIC, CHANNEL_VERSION });
}
