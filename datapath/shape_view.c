/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shape_view.c -- the kernel's qdiscs, classes and filters, read as a plan has them */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <string.h>

#include "datapath/shape.h"
#include "netd/base/array.h"
#include "netd/base/hash.h"
#include "netd/base/str.h"

struct seen_class {
	uint32_t id;
	uint64_t rate, peak;
	uint32_t ticks, peak_ticks;	/* of the bursts */
};

struct seen_filter {
	uint32_t pref;
	struct nd_mac mac;
};

/* A link with a qdisc as netd makes them. */
struct seen_link {
	int ifindex;
	bool shaped, policed, read;
	struct seen_class *classes;
	size_t n_classes;
	struct seen_filter *filters;
	size_t n_filters;
	bool has_others;		/* filters that are not as netd makes them */
	bool has_policer;
	struct plan_policer policer;
	uint32_t policer_ticks;
	bool failed;			/* out of memory */
};

struct shape_view {
	struct nl *nl;
	struct nd_hash *links;		/* ifindex -> struct seen_link */
	bool failed;
};

static void seen_link_clear(struct seen_link *l)
{
	free(l->classes);
	free(l->filters);
	*l = (struct seen_link){ .ifindex = l->ifindex, .shaped = l->shaped, .policed = l->policed };
}

static void forget_all(struct shape_view *v)
{
	struct seen_link *l;

	for (size_t pos = 0; v->links && (l = nd_hash_next(v->links, &pos));) {
		seen_link_clear(l);
		free(l);
	}
	nd_hash_free(v->links);
	v->links = NULL;
}

void shape_view_free(struct shape_view *v)
{
	if (!v)
		return;
	forget_all(v);
	free(v);
}

static struct seen_link *find(const struct shape_view *v, int ifindex)
{
	return v->links ? nd_hash_find(v->links, &ifindex, sizeof(ifindex)) : NULL;
}

static struct seen_link *find_or_add(struct shape_view *v, int ifindex)
{
	struct seen_link *l = find(v, ifindex);

	if (l)
		return l;
	if (!v->links)
		v->links = nd_hash_new();
	l = v->links ? calloc(1, sizeof(*l)) : NULL;
	if (l) {
		l->ifindex = ifindex;
		if (nd_hash_set(v->links, &l->ifindex, sizeof(l->ifindex), l) == 0)
			return l;
		free(l);
	}
	v->failed = true;
	return NULL;
}

/* A message of the type about traffic control of the kind; its attributes. */
static const struct tcmsg *tc_decode(const struct nlmsghdr *msg, uint16_t type, const char *kind,
				     struct nlattr *tb[TCA_MAX + 1])
{
	char text[16];

	if (msg->nlmsg_type != type || !nl_parse(msg, sizeof(struct tcmsg), tb, TCA_MAX))
		return NULL;
	nl_get_str(tb[TCA_KIND], text, sizeof(text));
	return nd_streq(text, kind) ? NLMSG_DATA(msg) : NULL;
}

static void take_qdisc(void *arg, const struct nlmsghdr *msg)
{
	struct nlattr *tb[TCA_MAX + 1];
	struct shape_view *v = arg;
	const struct tcmsg *tcm;
	struct seen_link *l;

	if (!msg) {
		forget_all(v);
		return;
	}
	tcm = tc_decode(msg, RTM_NEWQDISC, "htb", tb);
	if (tcm && tcm->tcm_parent == TC_H_ROOT && tcm->tcm_handle == TC_H_MAKE(1U << 16, 0)) {
		l = find_or_add(v, tcm->tcm_ifindex);
		if (l)
			l->shaped = true;
		return;
	}
	tcm = tc_decode(msg, RTM_NEWQDISC, "ingress", tb);
	l = tcm ? find_or_add(v, tcm->tcm_ifindex) : NULL;
	if (l)
		l->policed = true;
}

int shape_view_new(struct nl *nl, struct shape_view **out, struct nd_error *err)
{
	ND_AUTO(shape_view_free) struct shape_view *v = calloc(1, sizeof(*v));
	struct nd_error why = { 0 };
	struct tcmsg all = { 0 };
	int r;

	if (!v)
		return nd_error_nomem(err);
	v->nl = nl;
	r = nl_req_dump(nl, RTM_GETQDISC, &all, sizeof(all), 0, 0, take_qdisc, v, &why);
	if (r < 0 && r != -EOPNOTSUPP) {	/* which a kernel without traffic control says */
		if (err)
			*err = why;
		return r;
	}
	if (v->failed)
		return nd_error_nomem(err);
	*out = nd_take_ptr(&v);
	return 0;
}

/* ---- one link ---- */

static uint64_t get_rate(const struct tc_ratespec *spec, const struct nlattr *rate64)
{
	uint64_t rate = spec->rate;

	if (rate64)
		nl_get_bytes(rate64, &rate, sizeof(rate));
	return rate;
}

static void take_class(void *arg, const struct nlmsghdr *msg)
{
	struct nlattr *tb[TCA_MAX + 1], *htb[TCA_HTB_MAX + 1];
	struct seen_link *l = arg;
	const struct tcmsg *tcm;
	struct tc_htb_opt opt;
	struct seen_class *c;

	if (!msg) {
		l->n_classes = 0;
		return;
	}
	tcm = tc_decode(msg, RTM_NEWTCLASS, "htb", tb);
	if (!tcm || TC_H_MAJ(tcm->tcm_handle) != 1U << 16)
		return;
	c = nd_array_add(l->classes, l->n_classes);
	if (!c) {
		l->failed = true;
		return;
	}
	nl_parse_nested(tb[TCA_OPTIONS], htb, TCA_HTB_MAX);
	nl_get_bytes(htb[TCA_HTB_PARMS], &opt, sizeof(opt));
	*c = (struct seen_class){
		.id = TC_H_MIN(tcm->tcm_handle), .ticks = opt.buffer, .peak_ticks = opt.cbuffer,
		.rate = get_rate(&opt.rate, htb[TCA_HTB_RATE64]),
		.peak = get_rate(&opt.ceil, htb[TCA_HTB_CEIL64]),
	};
}

/* The filter of a floor. False: it is somebody else's. */
static bool decode_floor(const struct tcmsg *tcm, struct nlattr *const u32[], struct seen_filter *out)
{
	const struct tc_u32_key *keys;
	union shape_sel sel;

	nl_get_bytes(u32[TCA_U32_SEL], sel.bytes, sizeof(sel.bytes));
	keys = sel.u32.keys;
	out->pref = TC_H_MAJ(tcm->tcm_info) >> 16;
	if (sel.u32.nkeys != 2 || keys[0].off != -ETH_HLEN || keys[1].off != -ETH_HLEN + 4 ||
	    TC_H_MIN(nl_get_u32(u32[TCA_U32_CLASSID])) != out->pref)
		return false;
	memcpy(out->mac.bytes, &keys[0].val, 4);
	memcpy(out->mac.bytes + 4, &keys[1].val, 2);
	return true;
}

/* The kernel also tells of each u32 filter's hash table, which selects nothing. */
static void take_filter(void *arg, const struct nlmsghdr *msg)
{
	struct nlattr *tb[TCA_MAX + 1], *u32[TCA_U32_MAX + 1];
	struct seen_link *l = arg;
	const struct tcmsg *tcm;
	struct seen_filter f, *slot;

	if (!msg) {
		l->n_filters = 0;
		l->has_others = false;
		return;
	}
	if (msg->nlmsg_type != RTM_NEWTFILTER)
		return;
	tcm = tc_decode(msg, RTM_NEWTFILTER, "u32", tb);
	nl_parse_nested(tcm ? tb[TCA_OPTIONS] : NULL, u32, TCA_U32_MAX);
	if (tcm && !u32[TCA_U32_SEL])
		return;
	if (!tcm || !decode_floor(tcm, u32, &f)) {
		l->has_others = true;
		return;
	}
	slot = nd_array_add(l->filters, l->n_filters);
	if (slot)
		*slot = f;
	else
		l->failed = true;
}

static void take_police(void *arg, const struct nlmsghdr *msg)
{
	struct nlattr *tb[TCA_MAX + 1], *u32[TCA_U32_MAX + 1], *list[2], *act[TCA_ACT_MAX + 1],
		*police[TCA_POLICE_MAX + 1];
	struct seen_link *l = arg;
	struct tc_police parm;
	char kind[16];

	if (!msg) {
		l->has_policer = false;
		return;
	}
	if (!tc_decode(msg, RTM_NEWTFILTER, "u32", tb))
		return;
	nl_parse_nested(tb[TCA_OPTIONS], u32, TCA_U32_MAX);
	nl_parse_nested(u32[TCA_U32_ACT], list, 1);
	nl_parse_nested(list[1], act, TCA_ACT_MAX);
	nl_get_str(act[TCA_ACT_KIND], kind, sizeof(kind));
	if (!nd_streq(kind, "police"))
		return;
	nl_parse_nested(act[TCA_ACT_OPTIONS], police, TCA_POLICE_MAX);
	nl_get_bytes(police[TCA_POLICE_TBF], &parm, sizeof(parm));
	l->has_policer = true;
	l->policer.rate = get_rate(&parm.rate, police[TCA_POLICE_RATE64]);
	l->policer_ticks = parm.burst;
}

static int read_filters(struct shape_view *v, struct seen_link *l, uint32_t parent,
			nl_reply_fn *take)
{
	struct tcmsg tcm = { .tcm_ifindex = l->ifindex, .tcm_parent = parent };

	return nl_req_dump(v->nl, RTM_GETTFILTER, &tcm, sizeof(tcm), 0, 0, take, l, NULL);
}

/* The link with all it has, NULL when it has nothing or went away while it was read. */
static struct seen_link *read_link(struct shape_view *v, int ifindex)
{
	struct seen_link *l = find(v, ifindex);
	struct tcmsg tcm = { .tcm_ifindex = ifindex };
	int r = 0;

	if (!l || l->read)
		return l;
	if (l->shaped)
		r = nl_req_dump(v->nl, RTM_GETTCLASS, &tcm, sizeof(tcm), 0, 0, take_class, l, NULL);
	if (l->shaped && r == 0)
		r = read_filters(v, l, TC_H_MAKE(1U << 16, 0), take_filter);
	if (l->policed && r == 0)
		r = read_filters(v, l, TC_H_MAKE(TC_H_INGRESS, 0), take_police);
	/* Reads as absent: what is wanted is made anew. With somebody else's filters too, as libvirt
	 * leaves them to who takes its networks over: its classes could not be removed one by one. */
	if (r < 0 || l->failed || l->has_others)
		seen_link_clear(l);
	l->read = true;
	return l;
}

static const struct seen_class *class_of(const struct seen_link *l, uint32_t id)
{
	for (size_t i = 0; i < l->n_classes; i++)
		if (l->classes[i].id == id)
			return &l->classes[i];
	return NULL;
}

/* What the ticks stand for: `like` where that comes to the same. */
static uint64_t burst_of(uint32_t ticks, uint64_t rate, uint64_t like)
{
	if (rate && shape_ticks(rate, like) == ticks)
		return like;
	return (uint64_t)((double)ticks * 64 * (double)rate / 1e9);
}

static bool read_shaper(const struct seen_link *l, const struct plan_shaper *want,
			struct plan_shaper *out)
{
	const struct seen_class *all = class_of(l, SHAPE_ALL), *pool = class_of(l, SHAPE_POOL);

	if (!all)
		return false;
	*out = *want;
	out->rate = all->rate;
	out->peak = all->peak;
	out->burst_bytes = burst_of(all->ticks, all->rate, want->burst_bytes);
	if (shape_ticks(out->peak, shape_peak_burst(out)) != all->peak_ticks)
		out->burst_bytes = 0;	/* not as netd sets it */
	out->pool = pool && pool->peak == all->peak ? pool->rate : 0;
	return true;
}

static bool read_floor(const struct seen_link *l, const struct plan_floor *want,
		       struct plan_floor *out)
{
	const struct seen_class *c = class_of(l, want->class_id);

	if (!c || !class_of(l, SHAPE_ALL) || !class_of(l, SHAPE_POOL))
		return false;
	*out = *want;
	out->rate = c->rate;
	out->peak = c->peak;
	out->mac = (struct nd_mac){ 0 };
	for (size_t i = 0; i < l->n_filters; i++)
		if (l->filters[i].pref == want->class_id)
			out->mac = l->filters[i].mac;
	return true;
}

static bool read_policer(const struct seen_link *l, const struct plan_policer *want,
			 struct plan_policer *out)
{
	*out = *want;
	out->rate = l->policer.rate;
	out->burst_bytes = burst_of(l->policer_ticks, l->policer.rate, want->burst_bytes);
	return l->has_policer;
}

bool shape_view_read(struct shape_view *v, int ifindex, const struct plan_item *want,
		     struct plan_item *out)
{
	const struct seen_link *l = read_link(v, ifindex);

	if (!l)
		return false;
	if (want->kind == PLAN_SHAPER)
		return read_shaper(l, &want->shaper, &out->shaper);
	if (want->kind == PLAN_FLOOR)
		return read_floor(l, &want->floor, &out->floor);
	return read_policer(l, &want->policer, &out->policer);
}

/* ---- what a killed netd left ---- */

static bool names(const struct plan *scope, enum plan_kind kind, const char *ifname, uint32_t id)
{
	for (size_t i = 0; i < scope->n; i++) {
		const struct plan_item *item = &scope->items[i];

		if (item->kind != kind)
			continue;
		if ((kind == PLAN_SHAPER && nd_streq(item->shaper.ifname, ifname)) ||
		    (kind == PLAN_POLICER && nd_streq(item->policer.ifname, ifname)) ||
		    (kind == PLAN_FLOOR && item->floor.class_id == id &&
		     nd_streq(item->floor.ifname, ifname)))
			return true;
	}
	return false;
}

static int add_leftover(struct plan *out, const struct seen_link *l, enum plan_kind kind,
			const char *ifname, uint32_t id)
{
	struct plan_item like = { .kind = kind }, *item = plan_add(out, kind);

	if (!item)
		return -ENOMEM;
	if (kind == PLAN_SHAPER) {
		snprintf(like.shaper.ifname, IFNAMSIZ, "%s", ifname);
		if (!read_shaper(l, &like.shaper, &item->shaper))
			item->shaper = like.shaper;	/* all that its removal needs */
	} else if (kind == PLAN_FLOOR) {
		snprintf(like.floor.ifname, IFNAMSIZ, "%s", ifname);
		like.floor.class_id = (uint16_t)id;
		(void)read_floor(l, &like.floor, &item->floor);
	} else {
		snprintf(like.policer.ifname, IFNAMSIZ, "%s", ifname);
		(void)read_policer(l, &like.policer, &item->policer);
	}
	return 0;
}

int shape_view_leftovers(struct shape_view *v, int ifindex, const char *ifname,
			 const struct plan *scope, struct plan *out)
{
	const struct seen_link *l = read_link(v, ifindex);
	bool shaper = l && names(scope, PLAN_SHAPER, ifname, 0);
	int r = 0;

	if (!l)
		return 0;
	if (l->has_policer && !names(scope, PLAN_POLICER, ifname, 0))
		r = add_leftover(out, l, PLAN_POLICER, ifname, 0);
	if (r == 0 && !shaper && l->shaped)
		r = add_leftover(out, l, PLAN_SHAPER, ifname, 0);	/* with its floors */
	for (size_t i = 0; shaper && i < l->n_classes && r == 0; i++) {
		uint32_t id = l->classes[i].id;

		if (id >= SHAPE_FIRST_FLOOR && class_of(l, SHAPE_POOL) &&
		    !names(scope, PLAN_FLOOR, ifname, id))
			r = add_leftover(out, l, PLAN_FLOOR, ifname, id);
	}
	return r;
}
