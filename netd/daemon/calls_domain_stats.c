/* SPDX-License-Identifier: GPL-2.0-or-later */
/* calls_domain_stats.c -- libvirt's call for all numbers of many guests at once */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "datapath/guest_link.h"
#include "netd/base/array.h"
#include "netd/daemon/calls_domain.h"
#include "netd/daemon/guest_vmm.h"

/* VIR_DOMAIN_STATS_*, those that there are here. */
enum {
	STATS_STATE = 1 << 0, STATS_CPU = 1 << 1, STATS_BALLOON = 1 << 2, STATS_VCPU = 1 << 3,
	STATS_INTERFACE = 1 << 4, STATS_BLOCK = 1 << 5,
	STATS_ALL = (1 << 6) - 1,
};

/* VIR_CONNECT_GET_ALL_DOMAINS_STATS_*: filters as those of a list, and how. Nothing here makes a client wait. */
#define FILTERS 0xffu
#define NOWAIT (1u << 29)
#define BACKING (1u << 30)
#define ENFORCE (1u << 31)

#define VCPU_RUNNING 1		/* VIR_VCPU_RUNNING */
#define VCPU_OFFLINE 0

struct nic_numbers {
	char name[IFNAMSIZ];
	bool swap;			/* what the host receives the guest has sent */
	bool known;
	struct link_counters counters;
};

struct disk_numbers {
	char *target, *path;
};

/* What is asked of one guest: taken on the main thread, completed on the worker. */
struct guest_numbers {
	lv_dom wire;
	int state, reason;
	bool live;
	uint64_t memory_kib;
	unsigned vcpus;
	pid_t pid;
	bool has_cpu;
	uint64_t user_ns, system_ns;
	struct nic_numbers *nics;
	size_t n_nics;
	struct disk_numbers *disks;
	size_t n_disks;
};

struct stats_job {
	struct worker_job job;		/* first */
	struct netd *netd;
	struct rpc_call *call;
	unsigned groups;
	struct guest_numbers *guests;
	size_t n_guests;
};

static void stats_free(struct stats_job *j)
{
	for (size_t i = 0; i < j->n_guests; i++) {
		struct guest_numbers *g = &j->guests[i];

		free(g->wire.name);
		free(g->nics);
		for (size_t k = 0; k < g->n_disks; k++) {
			free(g->disks[k].target);
			free(g->disks[k].path);
		}
		free(g->disks);
	}
	free(j->guests);
	free(j);
}

/* ---- what the daemon knows ---- */

static int take_devices(struct guest_numbers *out, const struct dom_def *def)
{
	for (size_t i = 0; i < def->n_nics; i++) {
		const struct dom_nic *nic = &def->nics[i];
		struct nic_numbers *n = nic->target ? nd_array_add(out->nics, out->n_nics) : NULL;

		if (!nic->target)
			continue;
		if (!n)
			return -ENOMEM;
		*n = (struct nic_numbers){ .swap = nic->type != DOM_NIC_DIRECT };
		snprintf(n->name, sizeof(n->name), "%s", nic->target);
	}
	for (size_t i = 0; i < def->n_disks; i++) {
		const struct dom_disk *disk = &def->disks[i];
		struct disk_numbers *d = nd_array_add(out->disks, out->n_disks);

		if (!d)
			return -ENOMEM;
		d->target = strdup(disk->target);
		d->path = strdup(disk->type == DOM_DISK_BLOCK ? disk->dev : disk->file);
		if (!d->target || !d->path)
			return -ENOMEM;
	}
	return 0;
}

static int take_guest(struct stats_job *j, const struct guest *g)
{
	const struct dom_def *def = guest_current(g);
	struct guest_numbers *out = nd_array_add(j->guests, j->n_guests);

	if (!out)
		return -ENOMEM;
	*out = (struct guest_numbers){
		.state = (int)g->state, .reason = g->reason, .live = g->live,
		.memory_kib = def->memory.kib, .vcpus = def->vcpus,
		.pid = g->vmm ? guest_vmm_pid(g->vmm) : 0,
	};
	return wire_dom(&out->wire, g) < 0 ? -ENOMEM : take_devices(out, def);
}

static int take_guests(struct stats_job *j, const lv_connect_get_all_domain_stats_args *a,
		       struct nd_error *err)
{
	struct guest *g;

	for (unsigned i = 0; i < a->doms.doms_len; i++) {
		g = call_guest(j->call, &a->doms.doms_val[i], err);
		if (!g)
			return -ENOENT;
		if (guest_fits(g, a->flags & FILTERS) && take_guest(j, g) < 0)
			return nd_error_nomem(err);
	}
	for (size_t pos = 0; !a->doms.doms_len && (g = guests_next(&j->netd->guests, &pos));)
		if (guest_fits(g, a->flags & FILTERS) && j->n_guests < LV_NETWORK_LIST_MAX &&
		    take_guest(j, g) < 0)
			return nd_error_nomem(err);
	return 0;
}

/* ---- what the kernel knows, on the worker ---- */

static uint64_t ticks_ns(unsigned long ticks)
{
	return (uint64_t)ticks * (1000000000u / (uint64_t)sysconf(_SC_CLK_TCK));
}

/* proc(5): the 14th and 15th field, behind a name that may hold anything. */
static void read_cpu(struct guest_numbers *g)
{
	char path[64], text[1024];
	unsigned long user, system;
	const char *rest;
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)g->pid);
	f = g->pid ? fopen(path, "re") : NULL;
	if (!f)
		return;
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = '\0';
	rest = strrchr(text, ')');
	g->has_cpu = rest && sscanf(rest, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
				    &system) == 2;
	if (!g->has_cpu)
		return;
	g->user_ns = ticks_ns(user);
	g->system_ns = ticks_ns(system);
}

static void stats_read(struct worker_job *job)
{
	struct stats_job *j = (struct stats_job *)job;

	for (size_t i = 0; i < j->n_guests; i++) {
		struct guest_numbers *g = &j->guests[i];

		if (j->groups & STATS_CPU)
			read_cpu(g);
		for (size_t k = 0; j->groups & STATS_INTERFACE && k < g->n_nics; k++)
			g->nics[k].known = datapath_link_counters(j->netd->datapath, g->nics[k].name,
								  &g->nics[k].counters, NULL) == 0;
	}
}

/* ---- the answer ---- */

struct params {
	lv_param *list;
	size_t n;
	bool failed;
};

__attribute__((format(printf, 3, 4)))
static lv_param *add(struct params *p, int type, const char *field, ...)
{
	lv_param *out = nd_array_add(p->list, p->n);
	va_list ap;
	int r = -1;

	if (out) {
		*out = (lv_param){ .value.type = type };
		va_start(ap, field);
		r = vasprintf(&out->field, field, ap);
		va_end(ap);
	}
	p->failed |= r < 0;
	if (out && r < 0)
		out->field = NULL;
	return r < 0 ? NULL : out;
}

#define ADD_INT(p, v, ...) add_int(add(p, LV_PARAM_INT, __VA_ARGS__), v)
#define ADD_UINT(p, v, ...) add_uint(add(p, LV_PARAM_UINT, __VA_ARGS__), v)
#define ADD_ULL(p, v, ...) add_ull(add(p, LV_PARAM_ULLONG, __VA_ARGS__), v)
#define ADD_TEXT(p, v, ...) add_text(p, add(p, LV_PARAM_STRING, __VA_ARGS__), v)

static void add_int(lv_param *out, int value)
{
	if (out)
		out->value.lv_param_value_u.i = value;
}

static void add_uint(lv_param *out, size_t value)
{
	if (out)
		out->value.lv_param_value_u.ui = (unsigned)value;
}

static void add_ull(lv_param *out, uint64_t value)
{
	if (out)
		out->value.lv_param_value_u.ul = value;
}

static void add_text(struct params *p, lv_param *out, const char *value)
{
	if (out && !(out->value.lv_param_value_u.s = strdup(value)))
		p->failed = true;
}

static void add_vcpus(struct params *p, const struct guest_numbers *g)
{
	if (g->live)
		ADD_UINT(p, g->vcpus, "vcpu.current");
	ADD_UINT(p, g->vcpus, "vcpu.maximum");
	for (unsigned i = 0; g->live && i < g->vcpus; i++)
		ADD_INT(p, g->state == GUEST_RUNNING ? VCPU_RUNNING : VCPU_OFFLINE, "vcpu.%u.state", i);
}

/* Of the interfaces as the guest sees them. */
static void add_nics(struct params *p, const struct guest_numbers *g)
{
	ADD_UINT(p, g->n_nics, "net.count");
	for (size_t i = 0; i < g->n_nics; i++) {
		const struct link_counters *c = &g->nics[i].counters;
		bool swap = g->nics[i].swap;

		ADD_TEXT(p, g->nics[i].name, "net.%zu.name", i);
		if (!g->nics[i].known)
			continue;
		ADD_ULL(p, swap ? c->tx_bytes : c->rx_bytes, "net.%zu.rx.bytes", i);
		ADD_ULL(p, swap ? c->tx_packets : c->rx_packets, "net.%zu.rx.pkts", i);
		ADD_ULL(p, swap ? c->tx_errors : c->rx_errors, "net.%zu.rx.errs", i);
		ADD_ULL(p, swap ? c->tx_dropped : c->rx_dropped, "net.%zu.rx.drop", i);
		ADD_ULL(p, swap ? c->rx_bytes : c->tx_bytes, "net.%zu.tx.bytes", i);
		ADD_ULL(p, swap ? c->rx_packets : c->tx_packets, "net.%zu.tx.pkts", i);
		ADD_ULL(p, swap ? c->rx_errors : c->tx_errors, "net.%zu.tx.errs", i);
		ADD_ULL(p, swap ? c->rx_dropped : c->tx_dropped, "net.%zu.tx.drop", i);
	}
}

static void add_disks(struct params *p, const struct guest_numbers *g)
{
	ADD_UINT(p, g->n_disks, "block.count");
	for (size_t i = 0; i < g->n_disks; i++) {
		ADD_TEXT(p, g->disks[i].target, "block.%zu.name", i);
		ADD_TEXT(p, g->disks[i].path, "block.%zu.path", i);
	}
}

static void add_groups(struct params *p, const struct guest_numbers *g, unsigned groups)
{
	if (groups & STATS_STATE) {
		ADD_INT(p, g->state, "state.state");
		ADD_INT(p, g->reason, "state.reason");
	}
	if (groups & STATS_CPU && g->has_cpu) {
		ADD_ULL(p, g->user_ns + g->system_ns, "cpu.time");
		ADD_ULL(p, g->user_ns, "cpu.user");
		ADD_ULL(p, g->system_ns, "cpu.system");
	}
	if (groups & STATS_BALLOON) {
		if (g->live)
			ADD_ULL(p, g->memory_kib, "balloon.current");
		ADD_ULL(p, g->memory_kib, "balloon.maximum");
	}
	if (groups & STATS_VCPU)
		add_vcpus(p, g);
	if (groups & STATS_INTERFACE && g->live)
		add_nics(p, g);
	if (groups & STATS_BLOCK)
		add_disks(p, g);
}

/* Moves what was gathered to the answer, which the call frees whatever comes. */
static int answer(struct stats_job *j, lv_connect_get_all_domain_stats_ret *r)
{
	r->list.list_val = calloc(j->n_guests + 1, sizeof(*r->list.list_val));
	if (!r->list.list_val)
		return -ENOMEM;
	for (size_t i = 0; i < j->n_guests; i++) {
		lv_domain_stats *out = &r->list.list_val[r->list.list_len++];
		struct params p = { 0 };

		out->dom = j->guests[i].wire;
		j->guests[i].wire.name = NULL;
		add_groups(&p, &j->guests[i], j->groups);
		out->params.params_val = p.list;
		out->params.params_len = (unsigned)p.n;
		if (p.failed)
			return -ENOMEM;
	}
	return 0;
}

static void stats_done(struct worker_job *job)
{
	struct stats_job *j = (struct stats_job *)job;
	struct nd_error err = { 0 };

	if (answer(j, rpc_call_ret(j->call)) < 0) {
		nd_error_nomem(&err);
		rpc_call_fail(j->call, &err);
	} else {
		rpc_call_reply(j->call);
	}
	stats_free(j);
}

/* Groups that are not known are left out, unless the client wants to hear of them. */
static int get_all_stats(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	const lv_connect_get_all_domain_stats_args *a = args;
	struct stats_job *j;
	int r = call_flags(a->flags, FILTERS | NOWAIT | BACKING | ENFORCE, "virConnectGetAllDomainStats", err);

	if (r < 0)
		return r;
	if (a->flags & ENFORCE && a->stats & ~(unsigned)STATS_ALL)
		return nd_error_set(err, ND_ERR_ARGUMENT_UNSUPPORTED,
				    "Stats types bits 0x%x are not supported by this daemon",
				    a->stats & ~(unsigned)STATS_ALL);
	j = calloc(1, sizeof(*j));
	if (!j)
		return nd_error_nomem(err);
	*j = (struct stats_job){ .job = { stats_read, stats_done }, .netd = call_netd(call), .call = call,
				 .groups = a->stats ? a->stats : STATS_ALL };
	r = take_guests(j, a, err);
	if (r < 0) {
		stats_free(j);
		return r;
	}
	worker_submit(j->netd->worker, &j->job);
	return RPC_PENDING;
}

const struct rpc_method domain_stats_methods[] = {
	DOM(LV_PROC_CONNECT_GET_ALL_DOMAIN_STATS, "virConnectGetAllDomainStats", RPC_READ_ONLY,
	    lv_connect_get_all_domain_stats_args, lv_connect_get_all_domain_stats_ret, get_all_stats),
};
const size_t n_domain_stats_methods = ND_COUNT(domain_stats_methods);
