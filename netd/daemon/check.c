/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netd/base/array.h"
#include "netd/base/log.h"
#include "netd/base/str.h"
#include "netd/daemon/change.h"
#include "netd/daemon/ports.h"
#include "netd/daemon/round.h"
#include "netd/daemon/takeover.h"

struct check {
	struct change change;		/* first */
	struct plan *actual;
	struct round *round;		/* NULL: its own look */
	bool booting;			/* its server is to be adopted; plan and server are compiled */
	bool rules_too;			/* else the rules are what was applied last */
	bool repaired;
	bool again;			/* some time later */
	char (*put_back)[IFNAMSIZ];	/* see struct network */
	size_t n_put_back;
	struct nd_uuid *gone;		/* ports whose TAP is gone */
	size_t n_gone;
	struct check *next;		/* at the daemon's start */
};

static struct check *check_of(struct operation *op)
{
	return (struct check *)op;
}

static int check_wanted(struct operation *op, struct nd_error *err)
{
	struct check *k = check_of(op);

	k->rules_too = op->net->check_rules;
	op->net->checking = op->net->check_rules = false;
	if (k->round && op->net->ended > k->round->ended) {
		round_unref(nd_take_ptr(&k->round));
		k->change.facts = NULL;
		k->change.facts_shared = false;
		k->rules_too = true;
	}
	if (!op->net->live || op->net->held)
		return nd_error_set(err, ND_ERR_OPERATION_INVALID, "nothing to check");
	return 0;
}

/* Whether the link is the TAP that a hypervisor made for the port: it gives the host's side the
 * guest's MAC with another first byte. */
static bool is_tap_of(const struct link_fact *link, const struct port *port)
{
	struct nd_mac mac = tap_host_mac(&port->def->mac);

	return nd_mac_equal(&link->mac, &mac);
}

static void find_tap(struct port *port, const struct host_facts *facts, int bridge_index)
{
	for (size_t i = 0; i < facts->n_links; i++) {
		const struct link_fact *link = &facts->links[i];

		if (link->master == bridge_index && is_tap_of(link, port)) {
			strcpy(port->ifname, link->name);
			return;
		}
	}
}

/* A foreign TAP that its owner took off the bridge, which is still there, is his again; one whose
 * bridge was deleted goes back on. True: too early to tell. */
static bool judge_foreign(struct port *p, const struct link_fact *link,
			  const struct link_fact *bridge)
{
	bool off = link && bridge && link->master != bridge->ifindex;
	uint64_t now = monotonic_ms();

	if (off && !p->off_since_ms)
		p->off_since_ms = now;
	if (off && now - p->off_since_ms < BRIDGE_GOING_MS)
		return true;
	if (off || !link)
		p->ifname[0] = '\0';
	p->off_since_ms = 0;
	return false;
}

/* What the ports' TAPs are now. */
static int check_ports(struct operation *op, struct nd_error *err)
{
	struct check *k = check_of(op);
	struct network *net = op->net;
	const struct host_facts *facts = k->change.facts;
	const struct link_fact *bridge = net->live->bridge.name ?
					 host_facts_link(facts, net->live->bridge.name) : NULL;

	k->put_back = nd_take_ptr(&net->put_back);
	k->n_put_back = net->n_put_back;
	net->n_put_back = 0;
	k->gone = calloc(net->n_ports + 1, sizeof(*k->gone));
	if (!k->gone)
		return nd_error_nomem(err);
	for (size_t i = 0; i < net->n_ports; i++) {
		struct port *p = net->ports[i];
		const struct link_fact *link = p->ifname[0] ? host_facts_link(facts, p->ifname) : NULL;

		if (p->plugged && !link)
			k->gone[k->n_gone++] = p->def->uuid;
		if (!p->plugged && p->ifname[0])
			k->again |= judge_foreign(p, link, bridge);
		if (!p->plugged && !p->ifname[0] && bridge)
			find_tap(p, facts, bridge->ifindex);
	}
	for (size_t i = 0; bridge && i < facts->n_links; i++)
		k->change.foreign_port |= facts->links[i].master == bridge->ifindex &&
					  !nd_streq(facts->links[i].kind, "tun");
	return 0;
}

/* Foreign links that were on the bridge when somebody deleted it go back on, once. */
static int put_back(struct check *k, struct plan_diff *diff)
{
	const struct network *net = k->change.op.net;

	for (size_t i = 0; i < k->n_put_back; i++) {
		const struct link_fact *link = host_facts_link(k->change.facts, k->put_back[i]);
		struct plan_step *step;

		if (!link || link->master)
			continue;	/* its owner has other plans for it */
		step = nd_array_add(diff->steps, diff->n);
		if (!step)
			return -ENOMEM;
		step->op = PLAN_CREATE;
		step->want.kind = PLAN_PORT;
		strcpy(step->want.port.ifname, link->name);
		snprintf(step->want.port.bridge, sizeof(step->want.port.bridge), "%s",
			 net->live->bridge.name);
		step->want.port.learning = step->want.port.unicast_flood = true;
	}
	return 0;
}

/* More lines than this are counted: a flushed ruleset loses every element. */
#define REPAIR_LINES 6

/* What the new plan has otherwise than the one in force, as text: NULL when there is none in force. */
static char *format_wanted(const struct plan *applied, const struct plan *plan)
{
	ND_AUTO(plan_diff_free) struct plan_diff *d = NULL;

	return applied && plan_diff(applied, plan, &d) == 0 ? plan_diff_format(d) : NULL;
}

static bool has_line(const char *text, const char *line)
{
	size_t len = strlen(line);

	for (const char *at = text; at && (at = strstr(at, line)); at++)
		if ((at == text || at[-1] == '\n') && (at[len] == '\n' || !at[len]))
			return true;
	return false;
}

/* A step from the plan in force to the new one is nobody's fault: a NIC came to the bridge, an uplink
 * went. Any other is one. */
static void log_repairs(struct netd *d, const struct network *net, const struct plan *plan,
			const struct plan_diff *diff)
{
	bool taken = takeover_is_new(d, net);
	ND_AUTO(free) char *text = plan_diff_format(diff), *wanted = format_wanted(net->applied, plan);
	char *rest = text, *line;

	for (int n = 0; (line = strsep(&rest, "\n")) && n < REPAIR_LINES; n++) {
		if (!*line)
			continue;
		if (taken || has_line(wanted, line))
			nd_log(LOG_INFO, net->name, "%schanging: %s", taken ? "was libvirt's, " : "", line);
		else
			nd_log(LOG_WARNING, net->name, "drifted, repairing: %s", line);
	}
	if (diff->n > REPAIR_LINES)
		nd_log(taken ? LOG_INFO : LOG_WARNING, net->name, "... and %zu more", diff->n - REPAIR_LINES);
}

/* What the plan has, and what the last one had that this one has not any more: an uplink that went
 * away, a resolver that was replaced. */
static int check_scope(struct check *k, struct plan **out, struct nd_error *err)
{
	const struct plan *applied = k->change.op.net->applied;
	ND_AUTO(plan_free) struct plan *scope = plan_copy(k->change.plan);
	ND_AUTO(plan_diff_free) struct plan_diff *d = NULL;

	if (!scope || (applied && plan_diff(applied, k->change.plan, &d) < 0))
		return nd_error_nomem(err);
	for (size_t i = 0; d && i < d->n; i++) {
		struct plan_item *item;

		/* bridges of other names are found by their alias, ports by what is on the bridge;
		 * traffic control by its device */
		if (d->steps[i].op != PLAN_REMOVE || d->steps[i].was.kind == PLAN_BRIDGE ||
		    d->steps[i].was.kind == PLAN_PORT)
			continue;
		item = plan_add(scope, d->steps[i].was.kind);
		if (!item)
			return nd_error_nomem(err);
		*item = d->steps[i].was;
	}
	*out = nd_take_ptr(&scope);
	return 0;
}

static bool is_rule(const struct plan_item *item)
{
	return item->kind == PLAN_NFT_CHAIN || item->kind == PLAN_NFT_ELEM;
}

static void drop_rules(struct plan *plan)
{
	size_t kept = 0;

	for (size_t i = 0; i < plan->n; i++)
		if (!is_rule(&plan->items[i]))
			plan->items[kept++] = plan->items[i];
	plan->n = kept;
}

static int add_rules_of(struct plan *to, const struct plan *from)
{
	for (size_t i = 0; i < from->n; i++) {
		struct plan_item *item = is_rule(&from->items[i]) ?
					 plan_add(to, from->items[i].kind) : NULL;

		if (is_rule(&from->items[i]) && !item)
			return -ENOMEM;
		if (item)
			*item = from->items[i];
	}
	return 0;
}

/* What the kernel has of the scope. */
static int check_read(struct check *k, struct plan *scope, const char *owner, struct nd_error *err)
{
	const struct plan *applied = k->change.op.net->applied;
	struct datapath *dp = k->change.netd->datapath;
	int r;

	if (k->round)
		return datapath_snapshot_read(k->round->snapshot, scope, owner, &k->actual, err);
	if (k->rules_too || !applied)
		return datapath_read(dp, scope, owner, &k->actual, err);
	drop_rules(scope);
	r = datapath_read(dp, scope, owner, &k->actual, err);
	return r == 0 && add_rules_of(k->actual, applied) < 0 ? nd_error_nomem(err) : r;
}

/* Worker. */
static int check_repair(struct operation *op, struct nd_error *err)
{
	struct check *k = check_of(op);
	struct change *c = &k->change;
	ND_AUTO(plan_diff_free) struct plan_diff *diff = NULL;
	char owner[ND_UUID_STRLEN];
	ND_AUTO(plan_free) struct plan *scope = NULL;
	int r = c->plan ? 0 : change_compile(c, op->net->live, err);

	nd_uuid_format(&op->net->uuid, owner);
	if (r == 0)
		r = check_scope(k, &scope, err);
	if (r == 0)
		r = check_read(k, scope, owner, err);
	if (r == 0 && (plan_diff(k->actual, c->plan, &diff) < 0 || put_back(k, diff) < 0))
		r = nd_error_nomem(err);
	if (r < 0 || !diff->n)
		return r;
	log_repairs(c->netd, op->net, c->plan, diff);
	k->repaired = true;
	r = datapath_apply(c->netd->datapath, diff, owner, err);
	if (r == 0 && c->serve->bridge[0])
		c->serve->ifindex = c->bridge_ifindex = (int)if_nametoindex(c->serve->bridge);
	return r;
}

/* A server on sockets of a bridge that was deleted is replaced. */
static int check_server(struct operation *op, struct nd_error *err)
{
	struct check *k = check_of(op);
	struct servers *servers = k->change.netd->servers;
	const struct serve_config *has = servers_config(servers, &op->net->uuid);

	if (k->booting)
		servers_start(servers, nd_take_ptr(&k->change.serve), change_server_told, op);
	else if (!has || !serve_config_equal(has, k->change.serve))
		servers_update(servers, nd_take_ptr(&k->change.serve), change_server_told, op);
	else
		return OP_DONE;
	return OP_WAIT;
}

static const struct op_step check_steps[] = {
	{ "checking", false, check_wanted, NULL },
	{ "reading the host", true, change_facts, NULL },
	{ "looking at the ports", false, check_ports, NULL },
	{ "comparing with the kernel", true, check_repair, NULL },
	{ "telling the server", false, check_server, NULL },
	{ "committing", false, change_commit, NULL },
};

/* Worker. Only now: the network's own rules are in, and its server answers. */
static int check_taken(struct operation *op, struct nd_error *err)
{
	takeover_finish(change_of(op)->netd, op->net);
	return 0;
}

static const struct op_step start_steps[] = {
	{ "comparing with the kernel", true, check_repair, NULL },
	{ "telling the server", false, check_server, NULL },
	{ "removing what libvirt had", true, check_taken, NULL },
	{ "committing", false, change_commit, NULL },
};

struct later {
	struct netd *netd;
	struct nd_uuid net;
};

static int on_later(sd_event_source *source, uint64_t usec, void *arg)
{
	struct later *l = arg;
	struct network *net = registry_by_uuid(&l->netd->networks, &l->net);

	if (net)
		check_network(l->netd, net);
	free(l);
	return 0;
}

static void check_later(struct netd *d, const struct network *net)
{
	struct later *l = calloc(1, sizeof(*l));

	if (!l)
		return;		/* the regular look comes too */
	*l = (struct later){ d, net->uuid };
	if (sd_event_add_time_relative(d->event, NULL, CLOCK_MONOTONIC,
				       (BRIDGE_GOING_MS + 50) * 1000, 0, on_later, l) < 0)
		free(l);
}

static void check_end(struct operation *op)
{
	struct check *k = check_of(op);
	struct network *net = op->net;
	struct netd *d = k->change.netd;

	if (op->result < 0 && op->err.kind != ND_ERR_OPERATION_INVALID)
		nd_log(LOG_ERR, net->name, "cannot be made as it should be: %s", op->err.text);
	else if (k->repaired)
		nd_log(LOG_INFO, net->name, "repaired");
	for (size_t i = 0; op->result == 0 && i < k->n_gone; i++)
		(void)ports_delete(d, net, &k->gone[i], NULL, NULL, NULL);	/* again at the next check */
	if (k->again)
		check_later(d, net);
	free(k->gone);
	free(k->put_back);
	plan_free(k->actual);
	round_unref(k->round);
	change_end(&k->change);
}

static void queue_check(struct netd *d, struct network *net, struct round *round)
{
	struct check *k;

	if (!net->live || net->held || net->checking || !d->config.repair)
		return;
	k = change_new_sized(d, sizeof(*k), NULL, NULL, NULL);
	if (!k)
		return;		/* the next notice asks again */
	if (round) {
		k->round = round_ref(round);
		k->change.facts = round->facts;
		k->change.facts_shared = true;
	}
	net->checking = true;
	change_start(&k->change, net, check_steps, ND_COUNT(check_steps), check_end);
}

void check_links(struct netd *d, struct network *net)
{
	queue_check(d, net, NULL);
}

void check_network(struct netd *d, struct network *net)
{
	net->check_rules = true;
	queue_check(d, net, NULL);
}

/* Worker. */
static void round_run(struct worker_job *job)
{
	(void)round_look((struct round *)job);	/* the error is kept */
}

static void round_done(struct worker_job *job)
{
	struct round *round = (struct round *)job;
	struct netd *d = round->netd;
	struct network *net;

	d->round_waiting = false;
	if (d->round_again)
		check_all(d);
	if (!round->facts)
		nd_log(LOG_ERR, NULL, "cannot compare with the kernel: %s", round->err.text);
	for (size_t pos = 0; round->facts && (net = registry_next(&d->networks, &pos));)
		queue_check(d, net, round);
	round_unref(round);
}

void check_all(struct netd *d)
{
	struct round *round = d->round_waiting ? NULL : round_new(d);

	/* One that has looked already has not seen what is the matter now. */
	d->round_again = d->round_waiting;
	if (!round)
		return;
	d->round_waiting = true;
	round->job = (struct worker_job){ round_run, round_done, NULL };
	worker_submit(d->worker, &round->job);
}

/* ---- at the daemon's start ---- */

/* One that was never queued. */
static void start_check_drop(struct check *k)
{
	free(k->gone);
	change_free(&k->change);
}

/* A running network's check, compiled already; NULL, logged, when that fails. */
static struct check *start_check(struct netd *d, struct network *net, struct round *round)
{
	struct nd_error err = { 0 };
	struct check *k = change_new_sized(d, sizeof(*k), NULL, NULL, &err);

	if (!k)
		return NULL;
	k->booting = true;
	k->change.op.net = net;
	k->round = round;
	k->change.facts = round->facts;
	k->change.facts_shared = true;
	if (check_ports(&k->change.op, &err) == 0 && change_compile(&k->change, net->live, &err) == 0)
		return k;
	nd_log(LOG_ERR, net->name, "cannot be made as it should be: %s", err.text);
	start_check_drop(k);
	return NULL;
}

static int add_wanted(struct plan *wanted, const struct plan *plan)
{
	for (size_t i = 0; i < plan->n; i++) {
		struct plan_item *item = plan_add(wanted, plan->items[i].kind);

		if (!item)
			return -ENOMEM;
		*item = plan->items[i];
	}
	return 0;
}

static void log_leftover(void *arg, const char *what)
{
	nd_log(LOG_WARNING, NULL, "removed what an earlier netd left: %s", what);
}

int check_at_start(struct netd *d, struct round *round, struct nd_error *err)
{
	ND_AUTO(plan_free) struct plan *wanted = plan_new();
	bool complete = wanted && !d->unread;
	struct check *checks = NULL, **tail = &checks, *k;
	struct network *net;
	int r;

	for (size_t pos = 0; (net = registry_next(&d->networks, &pos));) {
		k = net->live ? start_check(d, net, round) : NULL;
		complete &= !net->live || (k && add_wanted(wanted, k->change.plan) == 0);
		if (!k)
			continue;
		*tail = k;
		tail = &k->next;
	}
	r = !complete ? 0 : datapath_sweep(d->datapath, round->snapshot, wanted, log_leftover, NULL, err);
	while ((k = checks)) {
		checks = k->next;
		if (r < 0) {
			start_check_drop(k);
			continue;
		}
		(void)round_ref(round);
		change_start(&k->change, k->change.op.net, start_steps, ND_COUNT(start_steps), check_end);
	}
	return r;
}
