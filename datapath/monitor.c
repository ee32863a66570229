/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "datapath/monitor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netconf.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "netd/base/str.h"

enum {
	ROOM = 8 * 1024 * 1024,
	BUFFER_SIZE = 64 * 1024,	/* the kernel's notices are at most half of that */
	DATAGRAMS_PER_DISPATCH = 512,
	NFT_TABLE_NAME = 1,		/* in every nftables message that has a table */
};

struct monitor {
	struct monitor_events events;
	void *arg;
	int epoll_fd, route_fd, nft_fd;
	struct nft_event nft;		/* of the transaction being told */
	struct monitor_own own;
	uint8_t *buf;
};

static int watch(struct monitor *m, int fd, struct nd_error *err)
{
	struct epoll_event e = { .events = EPOLLIN, .data.fd = fd };

	if (epoll_ctl(m->epoll_fd, EPOLL_CTL_ADD, fd, &e) < 0)
		return nd_error_sys(err, errno, "cannot watch a netlink socket");
	return 0;
}

int monitor_new(const struct monitor_events *events, void *arg, struct monitor **out,
		struct nd_error *err)
{
	static const int route_groups[] = {
		RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE,
		RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_NETCONF, RTNLGRP_IPV6_NETCONF, RTNLGRP_TC,
	};
	static const int nft_groups[] = { NFNLGRP_NFTABLES };
	ND_AUTO(monitor_free) struct monitor *m = calloc(1, sizeof(*m));
	int r;

	if (!m)
		return nd_error_nomem(err);
	m->events = *events;
	m->arg = arg;
	m->route_fd = m->nft_fd = -1;
	m->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	m->buf = malloc(BUFFER_SIZE);
	if (m->epoll_fd < 0)
		return nd_error_sys(err, errno, "cannot make an epoll descriptor");
	if (!m->buf)
		return nd_error_nomem(err);
	r = nl_listen(NETLINK_ROUTE, route_groups, ND_COUNT(route_groups), ROOM, &m->route_fd, err);
	if (r == 0)
		r = nl_listen(NETLINK_NETFILTER, nft_groups, ND_COUNT(nft_groups), ROOM, &m->nft_fd,
			      err);
	if (r == 0)
		r = watch(m, m->route_fd, err);
	if (r == 0)
		r = watch(m, m->nft_fd, err);
	if (r < 0)
		return r;
	*out = nd_take_ptr(&m);
	return 0;
}

void monitor_free(struct monitor *m)
{
	if (!m)
		return;
	if (m->route_fd >= 0)
		close(m->route_fd);
	if (m->nft_fd >= 0)
		close(m->nft_fd);
	if (m->epoll_fd >= 0)
		close(m->epoll_fd);
	free(m->buf);
	free(m);
}

int monitor_fd(const struct monitor *m)
{
	return m->epoll_fd;
}

static int netconf_value(const struct nlattr *a)
{
	return a ? (int)nl_get_u32(a) : -1;
}

static void handle_netconf(struct monitor *m, const struct nlmsghdr *msg)
{
	const struct netconfmsg *ncm = NLMSG_DATA(msg);
	struct nlattr *tb[NETCONFA_MAX + 1];
	struct netconf_event e;

	if (!m->events.netconf || !nl_parse(msg, sizeof(*ncm), tb, NETCONFA_MAX))
		return;
	e = (struct netconf_event){
		.family = ncm->ncm_family,
		.ifindex = (int)nl_get_u32(tb[NETCONFA_IFINDEX]),
		.forwarding = netconf_value(tb[NETCONFA_FORWARDING]),
		.rp_filter = netconf_value(tb[NETCONFA_RP_FILTER]),
	};
	m->events.netconf(m->arg, &e);
}

static void handle_link(struct monitor *m, const struct nlmsghdr *msg)
{
	const struct ifinfomsg *ifi = NLMSG_DATA(msg);
	struct link_info link;

	/* Of family AF_BRIDGE are notices about a bridge's port state; the link's own follows. */
	if (!m->events.link || msg->nlmsg_len < NLMSG_LENGTH(sizeof(*ifi)) ||
	    ifi->ifi_family != AF_UNSPEC || !link_decode(msg, &link))
		return;
	m->events.link(m->arg, msg->nlmsg_type == RTM_DELLINK, &link);
}

static bool is_port(const struct nlmsghdr *msg, uint32_t portid)
{
	return portid && msg->nlmsg_pid == portid;
}

static void handle_tc(struct monitor *m, const struct nlmsghdr *msg)
{
	const struct tcmsg *tcm = NLMSG_DATA(msg);
	bool own = is_port(msg, m->own.route_portid);

	if (m->events.tc && !own && msg->nlmsg_len >= NLMSG_LENGTH(sizeof(*tcm)))
		m->events.tc(m->arg, tcm->tcm_ifindex);
}

static void handle_route_message(struct monitor *m, const struct nlmsghdr *msg)
{
	struct kernel_addr addr;
	struct kernel_route route;

	switch (msg->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		handle_link(m, msg);
		break;
	case RTM_NEWADDR:
	case RTM_DELADDR:
		if (m->events.addr && addr_decode(msg, &addr))
			m->events.addr(m->arg, msg->nlmsg_type == RTM_DELADDR, &addr);
		break;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		if (m->events.route && route_decode(msg, &route))
			m->events.route(m->arg, msg->nlmsg_type == RTM_DELROUTE, &route);
		break;
	case RTM_NEWNETCONF:
		handle_netconf(m, msg);
		break;
	case RTM_NEWQDISC:
	case RTM_DELQDISC:
	case RTM_NEWTCLASS:
	case RTM_DELTCLASS:
	case RTM_NEWTFILTER:
	case RTM_DELTFILTER:
		handle_tc(m, msg);
		break;
	}
}

static void handle_generation(struct monitor *m, const struct nlmsghdr *msg)
{
	struct nlattr *tb[NFTA_GEN_MAX + 1];

	if (!nl_parse(msg, sizeof(struct nfgenmsg), tb, NFTA_GEN_MAX))
		return;
	m->nft.pid = (pid_t)ntohl(nl_get_u32(tb[NFTA_GEN_PROC_PID]));
	nl_get_str(tb[NFTA_GEN_PROC_NAME], m->nft.process, sizeof(m->nft.process));
	m->nft.own = is_port(msg, m->own.nft_portid) || is_port(msg, m->own.filter_portid);
	if (m->events.nft)
		m->events.nft(m->arg, &m->nft);
	m->nft = (struct nft_event){ 0 };
}

static void handle_nft_message(struct monitor *m, const struct nlmsghdr *msg)
{
	struct nlattr *tb[NFT_TABLE_NAME + 1];
	char table[8];

	if (NFNL_SUBSYS_ID(msg->nlmsg_type) != NFNL_SUBSYS_NFTABLES)
		return;
	if (NFNL_MSG_TYPE(msg->nlmsg_type) == NFT_MSG_NEWGEN) {
		handle_generation(m, msg);
		return;
	}
	if (!nl_parse(msg, sizeof(struct nfgenmsg), tb, NFT_TABLE_NAME))
		return;
	nl_get_str(tb[NFT_TABLE_NAME], table, sizeof(table));
	m->nft.netd_table |= nd_streq(table, "netd");
}

static void handle_datagram(struct monitor *m, int fd, int len)
{
	for (struct nlmsghdr *msg = (struct nlmsghdr *)m->buf; NLMSG_OK(msg, len);
	     msg = NLMSG_NEXT(msg, len)) {
		if (fd == m->nft_fd)
			handle_nft_message(m, msg);
		else
			handle_route_message(m, msg);
	}
}

/* Some notices are lost. What is queued is dropped too: it is older than what will be read. */
static void handle_overrun(struct monitor *m, int fd)
{
	while (recv(fd, m->buf, BUFFER_SIZE, 0) >= 0 || errno == EINTR || errno == ENOBUFS)
		;
	if (fd == m->nft_fd)
		m->nft = (struct nft_event){ 0 };
	if (m->events.resync)
		m->events.resync(m->arg);
}

/* Handles one datagram; 1, 0 when there is none, or -errno. */
static int dispatch_one(struct monitor *m, int fd, struct nd_error *err)
{
	struct sockaddr_nl from;
	socklen_t from_len = sizeof(from);
	ssize_t n = recvfrom(fd, m->buf, BUFFER_SIZE, MSG_TRUNC, (struct sockaddr *)&from, &from_len);

	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n < 0 && errno == EINTR)
		return 1;
	if ((n < 0 && errno == ENOBUFS) || n > BUFFER_SIZE) {
		handle_overrun(m, fd);
		return 1;
	}
	if (n < 0)
		return nd_error_sys(err, errno, "cannot read the kernel's notices");
	if (from_len == sizeof(from) && from.nl_pid == 0)
		handle_datagram(m, fd, (int)n);
	return 1;
}

void monitor_set_own(struct monitor *m, const struct monitor_own *own)
{
	m->own = *own;
}

int monitor_dispatch(struct monitor *m, struct nd_error *err)
{
	const int fds[] = { m->route_fd, m->nft_fd };
	int handled = 0;

	for (size_t i = 0; i < ND_COUNT(fds); i++) {
		for (int k = 0; k < DATAGRAMS_PER_DISPATCH; k++) {
			int r = dispatch_one(m, fds[i], err);

			if (r < 0)
				return r;
			if (r == 0)
				break;
			handled++;
		}
	}
	return handled;
}
