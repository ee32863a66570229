/* SPDX-License-Identifier: GPL-2.0-or-later */
/* monitor.h -- what happens to links, addresses, routes, traffic control, forwarding and nftables
 *
 * The kernel's notices tell that something changed, also when netd itself changed it; what to
 * make of it is the receiver's business (read again and compare). No notice is lost unseen: when
 * the kernel had to drop some, resync is called, and everything must be read again.
 */
#pragma once
#include <sys/types.h>

#include "datapath/link.h"
#include "datapath/route.h"

struct monitor;

/*
 * net.ipv[46].conf.INTERFACE: what the kernel tells of it. -1: not told. Nothing told at all:
 * IPv6's force_forwarding changed, for which the notice has no attribute (Linux 6.18).
 */
struct netconf_event {
	sa_family_t family;
	int ifindex;		/* NETCONFA_IFINDEX_ALL (-1), NETCONFA_IFINDEX_DEFAULT (-2) */
	int forwarding;
	int rp_filter;		/* IPv4 only */
};

struct nft_event {
	bool netd_table;	/* something in a table called "netd" */
	bool own;		/* through a socket that monitor_set_own() named */
	pid_t pid;		/* 0 where the kernel does not tell */
	char process[16];	/* its name, or "" */
};

/* All may be NULL. Called from monitor_dispatch() only. */
struct monitor_events {
	void (*link)(void *arg, bool removed, const struct link_info *link);
	void (*addr)(void *arg, bool removed, const struct kernel_addr *addr);
	void (*route)(void *arg, bool removed, const struct kernel_route *route);
	void (*netconf)(void *arg, const struct netconf_event *e);
	/* Somebody else made, changed or removed a qdisc, class or filter on the link. */
	void (*tc)(void *arg, int ifindex);
	/* Once for each transaction. */
	void (*nft)(void *arg, const struct nft_event *e);
	void (*resync)(void *arg);
};

/* Watches the network namespace of the calling thread. events is copied. */
int monitor_new(const struct monitor_events *events, void *arg, struct monitor **out,
		struct nd_error *err);
void monitor_free(struct monitor *m);		/* NULL is fine */
ND_DEFINE_AUTO(struct monitor *, monitor_free)

/* The port numbers of the netlink sockets that make netd's own nft transactions and other changes:
 * the kernel's notices name them, in any PID namespace. 0: not known. */
struct monitor_own {
	uint32_t nft_portid, filter_portid, route_portid;
};

void monitor_set_own(struct monitor *m, const struct monitor_own *own);

/* Readable when there is something to dispatch. */
int monitor_fd(const struct monitor *m);
/* Handles what is waiting, up to a bounded number of datagrams: the descriptor stays readable
 * when there is more. Returns how many were handled, or -errno. */
int monitor_dispatch(struct monitor *m, struct nd_error *err);
