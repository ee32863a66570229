/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shape.c -- requests for qdiscs, classes and filters */
#include "datapath/shape.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <string.h>

#define ROOT_HANDLE TC_H_MAKE(1U << 16, 0)
#define INGRESS_HANDLE TC_H_MAKE(TC_H_INGRESS, 0)

enum {
	TICK_SHIFT = 6,			/* PSCHED_SHIFT: the kernel's tick is 64 ns */
	QUANTUM_MIN = 1600, QUANTUM_MAX = 60000,	/* a frame; what the kernel takes without a warning */
	HTB_VERSION = 3, HTB_R2Q = 10,
	SFQ_PERTURB_S = 10,
	POLICE_MTU = 128 * 1024,	/* no frame is longer, not even one that is yet to be segmented */
	POLICER_PREF = 1,
};

uint32_t shape_ticks(uint64_t rate, uint64_t bytes)
{
	uint64_t ticks = (bytes * UINT64_C(1000000000) / rate + (1 << TICK_SHIFT) - 1) >> TICK_SHIFT;

	return ticks > UINT32_MAX ? UINT32_MAX : (uint32_t)ticks;
}

uint64_t shape_peak_burst(const struct plan_shaper *s)
{
	return s->peak == s->rate ? s->burst_bytes : plan_default_burst(s->peak);
}

/* The link layer is told, so that the kernel needs no table of transmission times. */
static struct tc_ratespec ratespec(uint64_t rate)
{
	return (struct tc_ratespec){
		.rate = rate > UINT32_MAX ? UINT32_MAX : (uint32_t)rate,
		.linklayer = TC_LINKLAYER_ETHERNET,
	};
}

static void put_rate64(struct nl_req *rq, int type, uint64_t rate)
{
	if (rate > UINT32_MAX)
		nl_put(rq, type, &rate, sizeof(rate));
}

/* ---- classes ---- */

struct htb_class {
	uint32_t id, parent;
	uint64_t rate, peak, burst_bytes, peak_burst_bytes;
};

static uint32_t quantum(uint64_t rate)
{
	uint64_t q = rate / HTB_R2Q;

	return q < QUANTUM_MIN ? QUANTUM_MIN : q > QUANTUM_MAX ? QUANTUM_MAX : (uint32_t)q;
}

static void request_class(struct nl_batch *b, int ifindex, const char *ifname,
			  const struct htb_class *c)
{
	struct tcmsg tcm = { .tcm_ifindex = ifindex, .tcm_handle = ROOT_HANDLE | c->id,
			     .tcm_parent = ROOT_HANDLE | c->parent };
	struct tc_htb_opt opt = {
		.rate = ratespec(c->rate), .ceil = ratespec(c->peak), .quantum = quantum(c->rate),
		.buffer = shape_ticks(c->rate, c->burst_bytes),
		.cbuffer = shape_ticks(c->peak, c->peak_burst_bytes),
	};
	struct nl_req *rq = nl_batch_add(b, RTM_NEWTCLASS, NLM_F_CREATE | NLM_F_REPLACE, &tcm,
					 sizeof(tcm), "make class 1:%x of '%s'", c->id, ifname);
	struct nlattr *nest;

	nl_put_str(rq, TCA_KIND, "htb");
	nest = nl_nest(rq, TCA_OPTIONS);
	nl_put(rq, TCA_HTB_PARMS, &opt, sizeof(opt));
	put_rate64(rq, TCA_HTB_RATE64, c->rate);
	put_rate64(rq, TCA_HTB_CEIL64, c->peak);
	nl_nest_end(rq, nest);
}

/* Flows of a class take turns; libvirt has the same. A kernel without sfq has one queue for all. */
static void request_turns(struct nl_batch *b, int ifindex, const char *ifname, uint32_t id)
{
	struct tcmsg tcm = { .tcm_ifindex = ifindex, .tcm_handle = TC_H_MAKE((id + 1) << 16, 0),
			     .tcm_parent = ROOT_HANDLE | id };
	struct tc_sfq_qopt opt = { .perturb_period = SFQ_PERTURB_S };
	struct nl_req *rq = nl_batch_add(b, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, &tcm,
					 sizeof(tcm), "let flows of class 1:%x of '%s' take turns", id,
					 ifname);

	nl_put_str(rq, TCA_KIND, "sfq");
	nl_put(rq, TCA_OPTIONS, &opt, sizeof(opt));
}

bool shape_request_optional(const struct nl_req *rq)
{
	const struct nlmsghdr *msg = nlmsg_hdr(rq->msg);
	const struct tcmsg *tcm = NLMSG_DATA(msg);

	return msg->nlmsg_type == RTM_NEWQDISC && TC_H_MAJ(tcm->tcm_parent) == ROOT_HANDLE;
}

void shaper_request_change(struct nl_batch *b, int ifindex, const struct plan_shaper *want)
{
	struct htb_class all = {
		.id = SHAPE_ALL, .rate = want->rate, .peak = want->peak,
		.burst_bytes = want->burst_bytes, .peak_burst_bytes = shape_peak_burst(want),
	};
	struct htb_class pool = all;

	request_class(b, ifindex, want->ifname, &all);
	if (!want->pool)
		return;
	pool.id = SHAPE_POOL;
	pool.parent = SHAPE_ALL;
	pool.rate = want->pool;
	request_class(b, ifindex, want->ifname, &pool);
}

void shaper_request_create(struct nl_batch *b, int ifindex, const struct plan_shaper *want)
{
	struct tcmsg tcm = { .tcm_ifindex = ifindex, .tcm_handle = ROOT_HANDLE,
			     .tcm_parent = TC_H_ROOT };
	struct tc_htb_glob glob = { .version = HTB_VERSION, .rate2quantum = HTB_R2Q,
				    .defcls = want->pool ? SHAPE_POOL : SHAPE_ALL };
	struct nl_req *rq;
	struct nlattr *nest;

	rq = nl_batch_add(b, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, &tcm, sizeof(tcm),
			  "shape what '%s' sends", want->ifname);
	nl_put_str(rq, TCA_KIND, "htb");
	nest = nl_nest(rq, TCA_OPTIONS);
	nl_put(rq, TCA_HTB_INIT, &glob, sizeof(glob));
	nl_nest_end(rq, nest);
	shaper_request_change(b, ifindex, want);
	request_turns(b, ifindex, want->ifname, want->pool ? SHAPE_POOL : SHAPE_ALL);
}

void shaper_request_remove(struct nl_batch *b, int ifindex, const char *ifname, bool any)
{
	struct tcmsg tcm = { .tcm_ifindex = ifindex, .tcm_handle = any ? 0 : ROOT_HANDLE,
			     .tcm_parent = TC_H_ROOT };

	nl_batch_add(b, RTM_DELQDISC, 0, &tcm, sizeof(tcm), "stop shaping what '%s' sends", ifname);
}

/* ---- filters ---- */

static struct tcmsg filter_msg(int ifindex, uint32_t parent, uint32_t pref)
{
	return (struct tcmsg){ .tcm_ifindex = ifindex, .tcm_parent = parent,
			       .tcm_info = TC_H_MAKE(pref << 16, htons(ETH_P_ALL)) };
}

/* The destination address begins 14 bytes before the network header. */
static union shape_sel select_mac(const struct nd_mac *mac)
{
	union shape_sel sel = { .bytes = { 0 } };
	struct tc_u32_key *keys = sel.u32.keys;

	sel.u32.flags = TC_U32_TERMINAL;
	sel.u32.nkeys = 2;
	keys[0] = (struct tc_u32_key){ .mask = htonl(0xffffffff), .off = -ETH_HLEN };
	keys[1] = (struct tc_u32_key){ .mask = htonl(0xffff0000), .off = -ETH_HLEN + 4 };
	memcpy(&keys[0].val, mac->bytes, 4);
	memcpy(&keys[1].val, mac->bytes + 4, 2);
	return sel;
}

void floor_request_create(struct nl_batch *b, int ifindex, const struct plan_floor *want)
{
	struct tcmsg tcm = filter_msg(ifindex, ROOT_HANDLE, want->class_id);
	union shape_sel sel = select_mac(&want->mac);
	struct htb_class c = {
		.id = want->class_id, .parent = SHAPE_ALL, .rate = want->rate, .peak = want->peak,
		.burst_bytes = plan_default_burst(want->rate),
		.peak_burst_bytes = plan_default_burst(want->peak),
	};
	struct nl_req *rq;
	struct nlattr *nest;

	request_class(b, ifindex, want->ifname, &c);
	request_turns(b, ifindex, want->ifname, want->class_id);
	rq = nl_batch_add(b, RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, &tcm, sizeof(tcm),
			  "fill class 1:%x of '%s'", want->class_id, want->ifname);
	nl_put_str(rq, TCA_KIND, "u32");
	nest = nl_nest(rq, TCA_OPTIONS);
	nl_put_u32(rq, TCA_U32_CLASSID, ROOT_HANDLE | want->class_id);
	nl_put(rq, TCA_U32_SEL, sel.bytes, sizeof(sel.bytes));
	nl_nest_end(rq, nest);
}

void floor_request_remove(struct nl_batch *b, int ifindex, const struct plan_floor *was)
{
	struct tcmsg filter = filter_msg(ifindex, ROOT_HANDLE, was->class_id);
	struct tcmsg class = { .tcm_ifindex = ifindex, .tcm_handle = ROOT_HANDLE | was->class_id };

	nl_batch_add(b, RTM_DELTFILTER, 0, &filter, sizeof(filter), "empty class 1:%x of '%s'",
		     was->class_id, was->ifname);
	nl_batch_add(b, RTM_DELTCLASS, 0, &class, sizeof(class), "remove class 1:%x of '%s'",
		     was->class_id, was->ifname);
}

/* ---- policing ---- */

static void put_police(struct nl_req *rq, const struct plan_policer *want)
{
	struct tc_police police = {
		.action = TC_POLICE_SHOT, .rate = ratespec(want->rate), .mtu = POLICE_MTU,
		.burst = shape_ticks(want->rate, want->burst_bytes),
	};
	/* The kernel wants a table of times too, and then does not look into it. */
	static const uint32_t table[TC_RTAB_SIZE / sizeof(uint32_t)];
	struct nlattr *options = nl_nest(rq, TCA_ACT_OPTIONS);

	police.rate.cell_log = 9;	/* 2^9 * 256 bytes: holds POLICE_MTU */
	nl_put(rq, TCA_POLICE_TBF, &police, sizeof(police));
	nl_put(rq, TCA_POLICE_RATE, table, sizeof(table));
	put_rate64(rq, TCA_POLICE_RATE64, want->rate);
	nl_nest_end(rq, options);
}

void policer_request_create(struct nl_batch *b, int ifindex, const struct plan_policer *want)
{
	struct tcmsg qdisc = { .tcm_ifindex = ifindex, .tcm_handle = INGRESS_HANDLE,
			       .tcm_parent = TC_H_INGRESS };
	struct tcmsg filter = filter_msg(ifindex, INGRESS_HANDLE, POLICER_PREF);
	union shape_sel everything = { .u32 = { .flags = TC_U32_TERMINAL, .nkeys = 1 } };
	struct nlattr *options, *actions, *first;
	struct nl_req *rq;

	rq = nl_batch_add(b, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, &qdisc, sizeof(qdisc),
			  "look at what '%s' receives", want->ifname);
	nl_put_str(rq, TCA_KIND, "ingress");
	rq = nl_batch_add(b, RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, &filter, sizeof(filter),
			  "police what '%s' receives", want->ifname);
	nl_put_str(rq, TCA_KIND, "u32");
	options = nl_nest(rq, TCA_OPTIONS);
	nl_put(rq, TCA_U32_SEL, everything.bytes, sizeof(struct tc_u32_sel) + sizeof(struct tc_u32_key));
	actions = nl_nest(rq, TCA_U32_ACT);
	first = nl_nest(rq, 1);
	nl_put_str(rq, TCA_ACT_KIND, "police");
	put_police(rq, want);
	nl_nest_end(rq, first);
	nl_nest_end(rq, actions);
	nl_nest_end(rq, options);
}

void policer_request_remove(struct nl_batch *b, int ifindex, const char *ifname)
{
	struct tcmsg tcm = { .tcm_ifindex = ifindex, .tcm_handle = INGRESS_HANDLE,
			     .tcm_parent = TC_H_INGRESS };

	nl_batch_add(b, RTM_DELQDISC, 0, &tcm, sizeof(tcm), "stop policing what '%s' receives",
		     ifname);
}
