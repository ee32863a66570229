/* SPDX-License-Identifier: GPL-2.0-or-later */
/* change.h -- what the operations on networks have in common: their state, and shared steps */
#pragma once
#include "netd/compile/compile.h"
#include "netd/daemon/lifecycle.h"

struct change {
	struct operation op;		/* first */
	struct netd *netd;
	change_done done;
	void *arg;

	struct net_def *def;		/* define, create, update: the document; owned until committed */
	struct net_def *live;		/* becomes the network's live document */
	struct host_facts *facts;
	bool facts_shared;		/* somebody else's, who lives longer */
	bool dry;			/* only looks: makes no lease folder */
	bool foreign_port;		/* see struct compile_input */
	struct host_names *names;	/* the host's resolvers and names when the operation began */
	struct plan *plan;		/* becomes the network's applied plan */
	struct plan *bridge;		/* start: the part of it that is there before the server is asked for */
	struct serve_config *serve;
	struct port *add;		/* port of the operation, not in the network's list yet */
	struct port *without;		/* port of the list that is being removed; borrowed */
	struct nd_uuid port_uuid;
	struct bandwidth_def bandwidth;
	struct tap_options tap;
	char tap_name[IFNAMSIZ], tap_alias[64];
	int tap_fds[8];
	size_t n_tap_fds;
	struct net_def *old_live;	/* update: what to write back */
	int bridge_ifindex;
	bool on;			/* autostart */
	bool leases_made;		/* the lease folder is new with this operation */
	bool server_stopping;		/* a stop was asked for and not answered yet */
	bool server_starting;		/* start: a server was asked for and has not answered yet */
	struct nd_error server_err;	/* start: what it answered; code 0: it serves */
	bool server_waiting;		/* ... and the step in hand waits for it */
	bool transient;			/* destroy: nothing of the network stays */
};

static inline struct change *change_of(struct operation *op)
{
	return (struct change *)op;
}

/* NULL with err when out of memory. end() calls done and frees all. */
struct change *change_new(struct netd *d, change_done done, void *arg, struct nd_error *err);
/* The same at the head of a larger struct. */
void *change_new_sized(struct netd *d, size_t size, change_done done, void *arg,
		       struct nd_error *err);
void change_free(struct change *c);
ND_DEFINE_AUTO(struct change *, change_free)

/* Queues the change on the network. */
void change_start(struct change *c, struct network *net, const struct op_step *steps,
		  size_t n_steps, void (*end)(struct operation *op));
/* What every end() does last: tells the requester, frees. */
void change_end(struct change *c);
/* The same; if it worked, the log says what happened and those who listen hear of it. True: it worked. */
bool change_end_saying(struct change *c, const char *what, enum lifecycle_event event);

/* Shared steps */

/* Worker: what the host has now, unless the change knows it already. */
int change_facts(struct operation *op, struct nd_error *err);
/* Main: the bridge's name where the document has a template; refuses one that another network has. */
int change_choose_bridge(struct operation *op, struct nd_error *err);

/*
 * The steps of a start, from "the document is final" on: c->def, or the network's own definition
 * where that is NULL.
 */
int start_bridge(struct operation *op, struct nd_error *err);
int start_unbridge(struct operation *op);
int start_server(struct operation *op, struct nd_error *err);
int start_unserve(struct operation *op);
int start_make(struct operation *op, struct nd_error *err);
int start_unmake(struct operation *op);
int start_await_server(struct operation *op, struct nd_error *err);
int start_record(struct operation *op, struct nd_error *err);
int start_unrecord(struct operation *op);
int start_commit(struct operation *op, struct nd_error *err);

/* Main: what an operator should know of a network that has just started, in the log. */
void start_notes(const struct network *net);

#define START_STEPS \
	{ "making the bridge", true, start_bridge, start_unbridge }, \
	{ "asking for a server", false, start_server, start_unserve }, \
	{ "making the kernel's objects", true, start_make, start_unmake }, \
	{ "recording the live state", true, start_record, start_unrecord }, \
	{ "waiting for the server", false, start_await_server, NULL }, \
	{ "becoming active", false, start_commit, NULL }

/* Compiles `def` with the ports of the network (and c->add, without c->without) into c->plan and c->serve. Worker. */
int change_compile(struct change *c, const struct net_def *def, struct nd_error *err);
/* Worker: as change_compile() with the live document, for operations on an active network; then
 * brings the kernel from the network's plan to c->plan. */
int change_replan(struct operation *op, struct nd_error *err);
int change_replan_undo(struct operation *op);
/* Main: c->plan is the network's now. */
void change_replan_commit(struct change *c);
int change_commit(struct operation *op, struct nd_error *err);	/* the same as a step */
/* What servers.h tells in the end, to a step that waits for it; arg is the operation. */
void change_server_told(void *arg, const struct nd_error *err);
/* Brings the kernel from one plan to another (NULL: nothing). Worker. */
int change_apply(struct change *c, const struct plan *was, const struct plan *want,
		 struct nd_error *err);
