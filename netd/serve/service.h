/* SPDX-License-Identifier: GPL-2.0-or-later */
/* service.h -- what a server does once it is locked in: DHCP, DNS, and the channel to netd
 *
 * One thread, one epoll loop, a bounded amount of work for each source in each turn.
 */
#pragma once
#include "netd/base/auto.h"
#include "netd/base/error.h"
#include "netd/serve/channel.h"
#include "netd/serve/config.h"

struct service;

struct service_setup {
	struct serve_config *config;	/* taken */
	uint64_t config_digest;
	struct channel *channel;	/* taken */
	uint32_t start_serial;		/* of the START that STARTED answers */
	const char *boot_id;		/* read while /proc was there */
	bool packet;			/* FD_PACKET is a packet socket */
	const int *udp, *tcp;		/* DNS sockets; taken */
	size_t n_udp, n_tcp;
	uid_t netd_uid;			/* who may connect to FD_LISTEN */
};

/* Opens the lease database, which is in the working directory. Takes what it takes also when it
 * fails. */
int service_new(const struct service_setup *setup, struct service **out, struct nd_error *err);
void service_free(struct service *s);
ND_DEFINE_AUTO(struct service *, service_free)

/*
 * For a spare that has nothing to do: walks once through what a start walks through, with nothing
 * in it, so that libraries are bound and their pages are there when START comes.
 */
void service_warm_up(void);

/* Serves until netd says QUIT. */
void service_run(struct service *s);
