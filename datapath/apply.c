/* SPDX-License-Identifier: GPL-2.0-or-later */
/* apply.c -- a diff's steps become requests to the kernel; what failed is undone
 *
 * Steps run in the diff's order. rtnetlink requests collect in a batch that goes out as late as
 * the order allows: when a step of another sort comes, or at the end. All nftables steps are one
 * transaction, sent when the first of them comes. A bridge is a batch of its own, because what
 * follows must not touch a foreign bridge of the same name.
 *
 * Undoing is applying the finished steps' inverse, newest first, and going on after errors.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "datapath/bridge.h"
#include "datapath/intent.h"
#include "datapath/private.h"
#include "datapath/route.h"
#include "netd/base/str.h"

enum step_state {
	STEP_OPEN,
	STEP_SKIPPED,	/* goes with its bridge */
	STEP_FAILED,	/* perhaps in part */
	STEP_DONE,
};

struct run {
	struct datapath *dp;
	const struct plan_diff *d;
	const char *owner;
	bool undoing;
	enum step_state *state;		/* by step */
	uint32_t *old_mtu;		/* by step: a port's MTU before */
	size_t *order, n_order;		/* steps that did something, oldest first */
	struct nl_batch batch;
	size_t *batch_steps;		/* the step of each request */
	size_t batch_room;
	struct nd_hash *links;		/* name -> struct link_info: as it was before the run */
	struct nd_hash *doomed;		/* names of bridges that the diff removes */
	bool nft_done;
	struct nd_error *err;		/* of the step under way; never NULL */
};

static void run_fini(struct run *a)
{
	size_t pos = 0;
	void *link;

	while (a->links && (link = nd_hash_next(a->links, &pos)))
		free(link);
	nd_hash_free(a->links);
	nd_hash_free(a->doomed);
	nl_batch_fini(&a->batch);
	free(a->state);
	free(a->old_mtu);
	free(a->order);
	free(a->batch_steps);
}

static inline void nd_auto_run_fini(struct run *a)
{
	run_fini(a);
}

static int run_init(struct run *a)
{
	size_t n = a->d->n + 1;

	a->state = calloc(n, sizeof(*a->state));
	a->old_mtu = calloc(n, sizeof(*a->old_mtu));
	a->order = calloc(n, sizeof(*a->order));
	a->links = nd_hash_new();
	a->doomed = nd_hash_new();
	if (!a->state || !a->old_mtu || !a->order || !a->links || !a->doomed)
		return nd_error_nomem(a->err);
	for (size_t i = 0; i < a->d->n; i++) {
		const struct plan_step *s = &a->d->steps[i];

		if (s->op == PLAN_REMOVE && s->was.kind == PLAN_BRIDGE &&
		    nd_hash_set(a->doomed, s->was.bridge.name, strlen(s->was.bridge.name),
				(void *)s) < 0)
			return nd_error_nomem(a->err);
	}
	return 0;
}

static const struct plan_item *step_item(const struct plan_step *s)
{
	return s->op == PLAN_REMOVE ? &s->was : &s->want;
}

static void finish(struct run *a, size_t i, int result)
{
	if (a->state[i] == STEP_OPEN || a->state[i] == STEP_SKIPPED)
		a->order[a->n_order++] = i;
	if (result < 0)
		a->state[i] = STEP_FAILED;
	else if (a->state[i] != STEP_FAILED)
		a->state[i] = STEP_DONE;
}

/* The link as it was before the run; NULL with an error when it cannot be read or is not there. */
static struct link_info *find_link(struct run *a, const char *name)
{
	struct link_info *link = nd_hash_find(a->links, name, strlen(name));
	int r;

	if (link)
		return link;
	link = calloc(1, sizeof(*link));
	if (!link) {
		nd_error_nomem(a->err);
		return NULL;
	}
	r = link_get(a->dp->nl, name, link, a->err);
	if (r == -ENODEV)
		nd_error_sys(a->err, ENODEV, "there is no interface '%s'", name);
	if (r == 0 && nd_hash_set(a->links, link->fact.name, strlen(link->fact.name), link) == 0)
		return link;
	if (r == 0)
		nd_error_nomem(a->err);
	free(link);
	return NULL;
}

/* As find_link(), for removals: a link that is gone is no error. */
static int find_link_if_any(struct run *a, const char *name, struct link_info **out)
{
	*out = find_link(a, name);
	if (*out || a->err->code != ENODEV)
		return *out ? 0 : -a->err->code;
	*a->err = (struct nd_error){ 0 };
	return 0;
}

/* The requests added since `from` belong to step i. */
static int claim_requests(struct run *a, size_t from, size_t i)
{
	if (a->batch.n > a->batch_room) {
		size_t room = a->batch.n * 2;
		size_t *steps = reallocarray(a->batch_steps, room, sizeof(*steps));

		if (!steps) {
			a->batch.failed = true;
			return nd_error_nomem(a->err);
		}
		a->batch_steps = steps;
		a->batch_room = room;
	}
	for (size_t k = from; k < a->batch.n; k++)
		a->batch_steps[k] = i;
	return 0;
}

struct search {
	const struct plan_item *item;
	int ifindex;
	bool found;
};

static void match_addr(struct search *search, const struct nlmsghdr *msg)
{
	const struct plan_addr *want = &search->item->addr;
	struct kernel_addr k;

	if (addr_decode(msg, &k) && k.ifindex == search->ifindex &&
	    k.prefix.len == want->prefix.len && nd_ip_equal(&k.prefix.addr, &want->prefix.addr))
		search->found = true;
}

static void match_route(struct search *search, const struct nlmsghdr *msg)
{
	const struct plan_route *want = &search->item->route;
	struct kernel_route k;

	if (route_decode(msg, &k) && route_matches(&k, search->ifindex, want) &&
	    nd_ip_equal(&k.gateway, &want->gateway))
		search->found = true;
}

static void match(void *arg, const struct nlmsghdr *msg)
{
	struct search *search = arg;

	if (!msg)
		search->found = false;
	else if (search->item->kind == PLAN_ADDR)
		match_addr(search, msg);
	else
		match_route(search, msg);
}

/* The kernel says that something like it exists: is it just this one, from an earlier run? */
static bool is_there(struct run *a, const struct plan_item *item, const char *ifname)
{
	struct rtmsg rtm = { .rtm_family = (uint8_t)item->route.dst.addr.family };
	struct ifaddrmsg ifa = { .ifa_family = (uint8_t)item->addr.prefix.addr.family };
	bool addr = item->kind == PLAN_ADDR;
	struct link_info *link = find_link(a, ifname);
	struct search search = { .item = item };

	if (!link)
		return false;
	search.ifindex = link->fact.ifindex;
	return nl_req_dump(a->dp->nl, addr ? RTM_GETADDR : RTM_GETROUTE,
			   addr ? (void *)&ifa : &rtm, addr ? sizeof(ifa) : sizeof(rtm), 0, 0,
			   match, &search, NULL) == 0 &&
	       search.found;
}

/* What a bad answer means for its step: 0 when the object is there or gone already. */
static int judge(struct run *a, const struct plan_step *s, int result)
{
	if (s->op == PLAN_REMOVE && (result == -ENODEV || result == -ENOENT ||
				     result == -ESRCH || result == -EADDRNOTAVAIL))
		return 0;
	if (s->op == PLAN_CREATE && result == -EEXIST &&
	    ((s->want.kind == PLAN_ADDR && is_there(a, &s->want, s->want.addr.ifname)) ||
	     (s->want.kind == PLAN_ROUTE && is_there(a, &s->want, s->want.route.ifname))))
		return 0;
	return result;
}

/* Sends the collected requests. The first error is a->err; steps after it may be done too. */
static int flush(struct run *a)
{
	int first_bad = 0;

	if (!a->batch.n)
		return 0;
	(void)nl_batch_run(a->dp->nl, &a->batch, 0);	/* results are looked at one by one */
	if (a->batch.failed)
		first_bad = nd_error_nomem(a->err);
	for (size_t k = 0; k < a->batch.n && !a->batch.failed; k++) {
		const struct nl_req *rq = &a->batch.reqs[k];
		const struct plan_step *s = &a->d->steps[a->batch_steps[k]];
		int r = rq->result < 0 ? judge(a, s, rq->result) : 0;

		if (r < 0 && first_bad == 0)
			first_bad = nl_req_error(rq, a->err);
		finish(a, a->batch_steps[k], r);
	}
	nl_batch_fini(&a->batch);
	return first_bad;
}

static int foreign_bridge(struct run *a, const char *name)
{
	nd_error_set(a->err, ND_ERR_OPERATION_FAILED,
		     "bridge '%s' exists already and is not netd's", name);
	a->err->code = EEXIST;
	return -EEXIST;
}

/* Makes the bridge, or finds that the one there is ours. Sets *made when it was made, also on
 * failure. */
static int make_bridge(struct run *a, const struct plan_bridge *want, bool announced,
		       struct link_info *link, bool *made)
{
	ND_AUTO(nl_batch_fini) struct nl_batch b = { 0 };
	int created;

	bridge_request_create(&b, want);
	link_request_get(&b, want->name, link);
	(void)nl_batch_run(a->dp->nl, &b, 0);	/* the results are judged together */
	if (b.failed)
		return nd_error_nomem(a->err);
	created = b.reqs[0].result;
	*made = created == 0;
	if (created < 0 && created != -EEXIST)
		return nl_req_error(&b.reqs[0], a->err);
	if (b.reqs[1].result < 0)
		return nl_req_error(&b.reqs[1], a->err);
	/* A note written by this run proves nothing about a bridge from before it. */
	if (created == -EEXIST && !announced)
		(void)intent_remove(a->dp->run_fd, want->name, NULL);
	return datapath_owns(a->dp, want, link) ? 0 : foreign_bridge(a, want->name);
}

static int create_bridge(struct run *a, size_t i, const struct plan_bridge *want)
{
	ND_AUTO(nl_batch_fini) struct nl_batch b = { 0 };
	bool announced = intent_exists(a->dp->run_fd, want), made = false;
	int r = announced ? 0 : intent_write(a->dp->run_fd, want, a->err);
	struct plan_bridge now;
	struct link_info link;

	if (r < 0)
		return r;
	r = make_bridge(a, want, announced, &link, &made);
	if (r < 0) {
		if (made)	/* undone by what the note proves */
			finish(a, i, r);
		else
			(void)intent_remove(a->dp->run_fd, want->name, NULL);
		return r;
	}
	finish(a, i, 0);
	now = bridge_from_link(&link, link.fact.mtu_bytes, want);
	/* A new one lacks at least its alias. */
	bridge_request_change(&b, link.fact.ifindex, &now, want);
	r = nl_call(a->dp->nl, &b, a->err);
	if (r == 0)
		r = intent_remove(a->dp->run_fd, want->name, a->err);
	finish(a, i, r);
	return r;
}

static int change_bridge(struct run *a, size_t i, const struct plan_bridge *was,
			 const struct plan_bridge *want)
{
	ND_AUTO(nl_batch_fini) struct nl_batch b = { 0 };
	struct plan_bridge now;
	struct link_info link;
	int r = link_get(a->dp->nl, want->name, &link, a->err);

	if (r == -ENODEV)
		return nd_error_sys(a->err, ENODEV, "bridge '%s' is gone", want->name);
	if (r < 0)
		return r;
	if (!datapath_owns(a->dp, want, &link))
		return foreign_bridge(a, want->name);
	now = bridge_from_link(&link, 0, want);
	if (was->mtu_bytes == want->mtu_bytes && !want->mtu_bytes)
		now.mtu_bytes = 0;	/* what it has by its ports */
	bridge_request_change(&b, link.fact.ifindex, &now, want);
	r = nl_call(a->dp->nl, &b, a->err);
	if (r == 0 && !link.fact.alias[0])	/* it has one now */
		r = intent_remove(a->dp->run_fd, want->name, a->err);
	finish(a, i, r);
	return r;
}

/* The sysctl is one of the bridge's own, like net/ipv6/conf/virbr0/accept_ra. */
static bool is_sysctl_of(const struct plan_sysctl *x, const char *bridge)
{
	const char *at = strstr(x->path, bridge);
	size_t len = strlen(bridge);

	return !x->shared && at && at > x->path && at[-1] == '/' && at[len] == '/';
}

/* What the plan had on a bridge went with it. Sysctls last: they come back first. */
static void finish_skipped(struct run *a, const char *bridge)
{
	for (size_t i = 0; i < a->d->n; i++)
		if (a->state[i] == STEP_SKIPPED)
			finish(a, i, 0);
	for (size_t i = 0; i < a->d->n; i++) {
		const struct plan_step *s = &a->d->steps[i];

		if (s->op != PLAN_REMOVE || s->was.kind != PLAN_SYSCTL ||
		    !is_sysctl_of(&s->was.sysctl, bridge))
			continue;
		sysctl_forget(a->dp->sysctls, s->was.sysctl.path);
		finish(a, i, 0);
	}
}

static int remove_bridge(struct run *a, size_t i, const struct plan_bridge *was)
{
	ND_AUTO(nl_batch_fini) struct nl_batch b = { 0 };
	struct link_info link;
	int r = link_get(a->dp->nl, was->name, &link, a->err);

	if (r < 0 && r != -ENODEV)
		return r;
	/* A bridge that is not ours has taken the name: ours is gone. */
	if (r == 0 && datapath_owns(a->dp, was, &link)) {
		link_request_delete(&b, link.fact.ifindex, was->name);
		r = remover_run(a->dp->remover, &b, &link.fact.ifindex, 1, a->err);
		if (r < 0 && r != -ENODEV)
			return r;
		/* A note that stays says nothing more, and goes when netd starts next. */
		(void)intent_remove(a->dp->run_fd, was->name, NULL);
	}
	datapath_forget_bridge(a->dp, was->name);
	finish_skipped(a, was->name);
	finish(a, i, 0);
	return 0;
}

static int do_bridge(struct run *a, size_t i)
{
	const struct plan_step *s = &a->d->steps[i];
	int r = flush(a);

	if (r < 0)
		return r;
	switch (s->op) {
	case PLAN_CREATE:
		return create_bridge(a, i, &s->want.bridge);
	case PLAN_CHANGE:
		return change_bridge(a, i, &s->was.bridge, &s->want.bridge);
	case PLAN_REMOVE:
		return remove_bridge(a, i, &s->was.bridge);
	}
	return 0;
}

static int do_sysctl(struct run *a, size_t i)
{
	const struct plan_step *s = &a->d->steps[i];
	const struct plan_sysctl *x = &step_item(s)->sysctl;
	struct sysctl_keeper *k = a->dp->sysctls;
	int r = flush(a);

	if (r < 0 || a->state[i] == STEP_DONE)	/* done: it went with its bridge */
		return r;
	if (s->op == PLAN_REMOVE && x->shared)
		r = sysctl_release(k, x->path, a->owner, a->err);
	else if (s->op == PLAN_REMOVE)
		sysctl_forget(k, x->path);
	else if (x->shared && s->op == PLAN_CHANGE && a->undoing)
		r = sysctl_write(k, x->path, x->value, a->err);	/* back to what was found there */
	else if (x->shared)
		r = sysctl_hold(k, x->path, x->value, a->owner, a->err);
	else
		r = sysctl_set(k, x->path, x->value, a->err);
	if (r == 0 || s->op == PLAN_REMOVE)
		finish(a, i, r);
	return r;
}

static bool is_nft(const struct plan_step *s)
{
	enum plan_kind kind = step_item(s)->kind;

	return kind == PLAN_NFT_CHAIN || kind == PLAN_NFT_ELEM;
}

/* Adds the nft steps of one sort: an element must not outlive the chain it jumps to, nor come
 * before it. */
static int add_nft_steps(struct run *a, struct nft_batch *b, enum plan_kind kind, bool removals)
{
	for (size_t i = 0; i < a->d->n; i++) {
		const struct plan_step *s = &a->d->steps[i];
		int r;

		if (step_item(s)->kind != kind || (s->op == PLAN_REMOVE) != removals)
			continue;
		r = nft_batch_step(b, s->op, s->op == PLAN_CREATE ? NULL : &s->was,
				   s->op == PLAN_REMOVE ? NULL : &s->want, a->err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* All nft steps of the diff, at the place of the first. */
static int do_nft(struct run *a)
{
	ND_AUTO(nft_batch_free) struct nft_batch *b = NULL;
	int r = a->nft_done ? 0 : flush(a);

	if (r < 0 || a->nft_done)
		return r;
	a->nft_done = true;
	r = nft_batch_begin(a->dp->nft, &b, a->err);
	if (r == 0)
		r = add_nft_steps(a, b, PLAN_NFT_ELEM, true);
	if (r == 0)
		r = add_nft_steps(a, b, PLAN_NFT_CHAIN, false);
	if (r == 0)
		r = add_nft_steps(a, b, PLAN_NFT_ELEM, false);
	if (r == 0)
		r = add_nft_steps(a, b, PLAN_NFT_CHAIN, true);
	if (r == 0)
		r = nft_batch_commit(b, a->err);
	for (size_t i = 0; r == 0 && i < a->d->n; i++)
		if (is_nft(&a->d->steps[i]))
			finish(a, i, 0);
	return r;
}

/* The interface of an address, route or link step. */
static const char *step_ifname(const struct plan_step *s)
{
	const struct plan_item *item = step_item(s);

	switch (item->kind) {
	case PLAN_ADDR:
		return item->addr.ifname;
	case PLAN_LINK_UP:
		return item->link_up.ifname;
	case PLAN_ROUTE:
		return item->route.ifname;
	default:
		return item->port.bridge;
	}
}

static bool is_doomed(const struct run *a, const struct plan_step *s)
{
	const char *name = step_ifname(s);

	return s->op == PLAN_REMOVE && nd_hash_find(a->doomed, name, strlen(name));
}

/* An address goes only once its successor has surely come, and the kernel must not remove its
 * younger siblings in its subnet with it: with the last one go the routes. */
static int before_addr_goes(struct run *a, const struct plan_addr *addr)
{
	char path[128];
	int r = flush(a);

	if (r < 0 || addr->prefix.addr.family != AF_INET)
		return r;
	snprintf(path, sizeof(path), "net/ipv4/conf/%s/promote_secondaries", addr->ifname);
	return sysctl_write(a->dp->sysctls, path, "1", a->err);
}

static void request_addr(struct run *a, const struct plan_step *s, int ifindex)
{
	addr_request(&a->batch, s->op == PLAN_REMOVE ? RTM_DELADDR : RTM_NEWADDR, ifindex,
		     &step_item(s)->addr);
}

static void request_route(struct run *a, const struct plan_step *s, int ifindex)
{
	if (s->op == PLAN_REMOVE)
		route_request(&a->batch, RTM_DELROUTE, 0, ifindex, &s->was.route);
	else
		route_request(&a->batch, RTM_NEWROUTE,
			      s->op == PLAN_CREATE ? NLM_F_EXCL : NLM_F_REPLACE, ifindex,
			      &s->want.route);
}

static void attach_port(struct run *a, size_t i, const struct link_info *link,
		       const struct link_info *bridge)
{
	const struct plan_step *s = &a->d->steps[i];
	const struct plan_port *want = &s->want.port;
	uint32_t mtu = want->mtu_bytes ? want->mtu_bytes : bridge->fact.mtu_bytes;

	a->old_mtu[i] = link->fact.mtu_bytes;
	if (s->op == PLAN_CHANGE && !nd_mac_is_zero(&s->was.port.fdb) &&
	    !nd_mac_equal(&s->was.port.fdb, &want->fdb))
		(void)port_request_fdb(&a->batch, RTM_DELNEIGH, link->fact.ifindex, want->ifname,
				       &s->was.port.fdb);
	port_request_attach(&a->batch, link->fact.ifindex, bridge->fact.ifindex,
			    mtu == link->fact.mtu_bytes ? 0 : mtu, want);
}

static int do_port(struct run *a, size_t i)
{
	const struct plan_step *s = &a->d->steps[i];
	const struct plan_port *port = &step_item(s)->port;
	struct link_info *link, *bridge;
	size_t from = a->batch.n;
	int r;

	if (s->op != PLAN_REMOVE) {
		link = find_link(a, port->ifname);
		bridge = link ? find_link(a, port->bridge) : NULL;
		if (!bridge)
			return -a->err->code;
		attach_port(a, i, link, bridge);
		return claim_requests(a, from, i);
	}
	r = find_link_if_any(a, port->ifname, &link);
	if (r == 0)
		r = find_link_if_any(a, port->bridge, &bridge);
	if (r < 0)
		return r;
	if (link && bridge && link->fact.master == bridge->fact.ifindex)
		port_request_detach(&a->batch, link->fact.ifindex, s->want.port.mtu_bytes, port);
	else
		finish(a, i, 0);	/* gone, or its owner has moved it */
	return claim_requests(a, from, i);
}

/* Addresses, routes, ports and links: into the batch. */
static int do_request(struct run *a, size_t i)
{
	const struct plan_step *s = &a->d->steps[i];
	struct link_info *link = NULL;
	size_t from;
	int r = 0;

	if (is_doomed(a, s)) {
		a->state[i] = STEP_SKIPPED;
		return 0;
	}
	if (step_item(s)->kind == PLAN_PORT)
		return do_port(a, i);
	if (s->op == PLAN_REMOVE)
		r = find_link_if_any(a, step_ifname(s), &link);
	else
		link = find_link(a, step_ifname(s));
	if (r < 0)
		return r;
	if (!link && s->op != PLAN_REMOVE)
		return -a->err->code;
	if (!link) {	/* gone with its interface */
		finish(a, i, 0);
		return 0;
	}
	if (s->op == PLAN_REMOVE && s->was.kind == PLAN_ADDR)
		r = before_addr_goes(a, &s->was.addr);
	if (r < 0)
		return r;
	from = a->batch.n;
	if (step_item(s)->kind == PLAN_ADDR)
		request_addr(a, s, link->fact.ifindex);
	else if (step_item(s)->kind == PLAN_ROUTE)
		request_route(a, s, link->fact.ifindex);
	else
		link_request_up(&a->batch, link->fact.ifindex, link->fact.name,
				s->op != PLAN_REMOVE);
	return claim_requests(a, from, i);
}

static int do_step(struct run *a, size_t i)
{
	switch (step_item(&a->d->steps[i])->kind) {
	case PLAN_BRIDGE:
		return do_bridge(a, i);
	case PLAN_SYSCTL:
		return do_sysctl(a, i);
	case PLAN_NFT_CHAIN:
	case PLAN_NFT_ELEM:
		return do_nft(a);
	default:
		return do_request(a, i);
	}
}

/* The sentence of a second error goes behind the first. */
static void add_error(struct nd_error *err, const char *between, const struct nd_error *more)
{
	size_t len = strlen(err->text);

	if (!err->code)
		*err = *more;
	else
		snprintf(err->text + len, sizeof(err->text) - len, "%s%s", between, more->text);
}

/* Does the steps. When undoing, goes on after an error. */
static int run_steps(struct run *a)
{
	struct nd_error *all = a->err, one = { 0 };
	int r = 0, result = 0;

	for (size_t i = 0; i <= a->d->n && (result == 0 || a->undoing); i++) {
		one = (struct nd_error){ 0 };
		a->err = &one;
		r = i < a->d->n ? do_step(a, i) : flush(a);
		if (r == 0)
			continue;
		if (all)
			add_error(all, "; ", &one);
		result = result ? result : r;
	}
	a->err = all;
	return result;
}

static void inverse_step(const struct run *a, size_t i, struct plan_step *out)
{
	const struct plan_step *s = &a->d->steps[i];

	switch (s->op) {
	case PLAN_CREATE:
		*out = (struct plan_step){ .op = PLAN_REMOVE, .was = s->want };
		if (s->want.kind == PLAN_PORT)		/* what taking it off puts back */
			out->want.port.mtu_bytes = a->old_mtu[i];
		break;
	case PLAN_CHANGE:
		*out = (struct plan_step){ .op = PLAN_CHANGE, .was = s->want, .want = s->was };
		break;
	case PLAN_REMOVE:
		*out = (struct plan_step){ .op = PLAN_CREATE, .want = s->was };
		break;
	}
}

/* Newest first, but bridges before all: no frame may pass one whose rules are gone. */
static void inverse_diff(const struct run *a, struct plan_diff *out)
{
	out->n = 0;
	for (int bridges = 1; bridges >= 0; bridges--) {
		for (size_t k = a->n_order; k-- > 0;) {
			const struct plan_step *s = &a->d->steps[a->order[k]];
			bool is_bridge = s->op == PLAN_CREATE && s->want.kind == PLAN_BRIDGE;

			if (is_bridge == (bridges == 1))
				inverse_step(a, a->order[k], &out->steps[out->n++]);
		}
	}
}

/* Undoes what the run did and adds to its error what could not be undone. */
static void undo(struct run *a)
{
	struct nd_error failed = { 0 };
	struct plan_diff back = { 0 };
	ND_AUTO(run_fini) struct run u = { .dp = a->dp, .d = &back, .owner = a->owner,
					   .undoing = true, .err = &failed };
	int r;

	back.steps = calloc(a->n_order + 1, sizeof(*back.steps));
	if (!back.steps) {
		nd_error_nomem(&failed);
	} else {
		inverse_diff(a, &back);
		r = run_init(&u);
		if (r == 0)
			(void)run_steps(&u);	/* `failed` says what could not be undone */
	}
	free(back.steps);
	if (failed.code && a->err)
		add_error(a->err, "; undoing what was done failed too: ", &failed);
}

int datapath_apply(struct datapath *dp, const struct plan_diff *steps, const char *owner,
		   struct nd_error *err)
{
	struct nd_error local = { 0 };
	ND_AUTO(run_fini) struct run a = { .dp = dp, .d = steps, .owner = owner, .err = &local };
	int r = run_init(&a);

	if (r == 0)
		r = run_steps(&a);
	if (r == 0)
		return 0;
	/* Collected requests that were never sent are nothing to undo. */
	nl_batch_fini(&a.batch);
	undo(&a);
	if (err)
		*err = local;
	return r;
}
