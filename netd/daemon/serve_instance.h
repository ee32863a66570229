/* SPDX-License-Identifier: GPL-2.0-or-later */
/* serve_instance.h -- the server of one network, driven towards what is wanted of it
 *
 * Callers say what they want (a configuration, or an end); one step at a time is under way, and
 * when it is over the next is chosen by comparing what is with what is wanted:
 *
 *	ABSENT --take a spare, START--> STARTING --STARTED--> SERVING <--DONE-- CONFIGURING
 *	   | a server of an earlier netd    | FAILED, dies       | dies    |--CONFIG-^
 *	   |                                v                    v         |
 *	   +--connect--> ADOPTING        WAITING <---------------+         +--QUIT--> STOPPING
 *	                    |                | backoff over                            | GONE
 *	                    +--> SERVING     +--> as ABSENT                            +--> ABSENT
 *
 * Part of servers.c, which holds the table of them.
 */
#pragma once
#include "netd/daemon/lease_cache.h"
#include "netd/daemon/serve_pool.h"
#include "netd/daemon/servers.h"

struct serve_instance;

/* What all instances share. */
struct serve_context {
	struct servers_options options;		/* strings owned by servers.c */
	struct serve_pool *pool;
	const struct nd_hash *instances;	/* all of them; owned by servers.c */
	/* The instance ended as it was told to, or never came up: it is to be forgotten and freed. */
	void (*ended)(void *arg, struct serve_instance *i);
	void *arg;
};

struct serve_instance *serve_instance_new(const struct serve_context *context,
					  const struct nd_uuid *uuid);
/* The process serves on. Nobody is called. NULL is fine. */
void serve_instance_free(struct serve_instance *i);
ND_DEFINE_AUTO(struct serve_instance *, serve_instance_free)

const struct nd_uuid *serve_instance_uuid(const struct serve_instance *i);

/* Wants this configuration (taken), or with NULL an end. done hears when it is so. The instance
 * may be freed (by `ended`) before this returns. */
void serve_instance_want(struct serve_instance *i, struct serve_config *config, servers_done done,
			 void *arg);

/* For one of which nothing was wanted yet: tells a server that an earlier netd left to end, whoever it is. What
 * is wanted from then on waits for that. False: there is none. */
bool serve_instance_end_old(struct serve_instance *i);

/* What is wanted; NULL once it is to end. */
const struct serve_config *serve_instance_config(const struct serve_instance *i);
const struct lease_cache *serve_instance_leases(const struct serve_instance *i);

void serve_instance_set_upstreams(struct serve_instance *i, const struct dns_upstream *list,
				  size_t n);
void serve_instance_set_ports(struct serve_instance *i, const struct nd_mac *list, size_t n);
void serve_instance_stats(struct serve_instance *i,
			  void (*done)(void *arg, const struct serve_counter *list, size_t n),
			  void *arg);
