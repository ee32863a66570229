/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "datapath/datapath.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <string.h>
#include <sys/random.h>

#include "datapath/bridge.h"
#include "datapath/intent.h"
#include "datapath/port_filter.h"
#include "datapath/private.h"
#include "netd/base/str.h"

enum { DELETE_GROUP = 8 };

int datapath_new(const struct datapath_options *opt, struct datapath **out, struct nd_error *err)
{
	ND_AUTO(datapath_free) struct datapath *dp = calloc(1, sizeof(*dp));
	int r;

	if (!dp)
		return nd_error_nomem(err);
	dp->ovsdb = opt->ovsdb;
	dp->sysfs = opt->sysfs ? opt->sysfs : "/sys";
	dp->run_fd = open(opt->run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dp->run_fd < 0)
		return nd_error_sys(err, errno, "cannot open '%s'", opt->run_dir);
	dp->bridges = nd_hash_new();
	if (!dp->bridges)
		return nd_error_nomem(err);
	r = nl_new(NETLINK_ROUTE, &dp->nl, err);
	if (r == 0)
		r = intent_prune(dp->run_fd, dp->nl, err);
	if (r == 0)
		r = nft_new(opt->no_persist, &dp->nft, err);
	if (r == 0)
		r = port_filters_new(opt->no_persist, &dp->filters, err);
	if (r == 0)
		r = sysctl_keeper_new(dp->run_fd, &dp->sysctls, err);
	if (r == 0)
		r = remover_new(&dp->remover, err);
	if (r == 0)
		r = host_view_new(&dp->view, err);
	if (r < 0)
		return r;
	*out = nd_take_ptr(&dp);
	return 0;
}

void datapath_free(struct datapath *dp)
{
	struct known_bridge *known;
	size_t pos = 0;

	if (!dp)
		return;
	while (dp->bridges && (known = nd_hash_next(dp->bridges, &pos)))
		free(known);
	nd_hash_free(dp->bridges);
	remover_free(dp->remover);
	host_view_free(dp->view);
	sysctl_keeper_free(dp->sysctls);
	port_filters_free(dp->filters);
	nft_free(dp->nft);
	nl_free(dp->nl);
	if (dp->run_fd >= 0)
		close(dp->run_fd);
	free(dp);
}

static void remember_bridge(struct datapath *dp, const char *name, int ifindex)
{
	struct known_bridge *known = nd_hash_find(dp->bridges, name, strlen(name));

	if (!known) {
		known = calloc(1, sizeof(*known));
		if (!known)
			return;		/* then only the alias counts */
		memcpy(known->name, name, strnlen(name, sizeof(known->name) - 1));
		if (nd_hash_set(dp->bridges, known->name, strlen(known->name), known) < 0) {
			free(known);
			return;
		}
	}
	known->ifindex = ifindex;
}

bool datapath_owns(struct datapath *dp, const struct plan_bridge *b, const struct link_info *link)
{
	const struct known_bridge *known = nd_hash_find(dp->bridges, b->name, strlen(b->name));

	if (!nd_streq(link->fact.kind, "bridge"))
		return false;
	if (!(known && known->ifindex == link->fact.ifindex) &&
	    !(b->alias[0] && nd_streq(link->fact.alias, b->alias)) &&
	    !intent_proves(dp->run_fd, b, link))
		return false;
	remember_bridge(dp, b->name, link->fact.ifindex);
	return true;
}

void datapath_forget_bridge(struct datapath *dp, const char *name)
{
	free(nd_hash_remove(dp->bridges, name, strlen(name)));
}

int datapath_adopt_bridge(struct datapath *dp, const struct plan_bridge *bridge,
			  struct nd_error *err)
{
	ND_AUTO(nl_batch_fini) struct nl_batch b = { 0 };
	struct plan_bridge now;
	struct link_info link;
	int r = link_get(dp->nl, bridge->name, &link, err);

	if (r == -ENODEV)
		return nd_error_sys(err, ENODEV, "there is no bridge '%s'", bridge->name);
	if (r < 0)
		return r;
	if (datapath_owns(dp, bridge, &link))
		return 0;
	if (!nd_streq(link.fact.kind, "bridge") || link.fact.alias[0] ||
	    !nd_mac_equal(&link.fact.mac, &bridge->mac))
		return nd_error_set(err, ND_ERR_OPERATION_FAILED,
				    "interface '%s' is not the network's bridge", bridge->name);
	now = *bridge;
	now.alias[0] = '\0';
	bridge_request_change(&b, link.fact.ifindex, &now, bridge);
	return nl_call(dp->nl, &b, err);
}

/* Finds the links of all bridges; a link that is gone, or not netd's, has ifindex 0. */
static int find_bridges(struct datapath *dp, const struct plan_bridge *bridges, size_t n,
			struct link_info *links, struct nd_error *err)
{
	ND_AUTO(nl_batch_fini) struct nl_batch b = { 0 };

	for (size_t i = 0; i < n; i++)
		link_request_get(&b, bridges[i].name, &links[i]);
	(void)nl_batch_run(dp->nl, &b, 0);	/* each answer is looked at below */
	if (b.failed)
		return nd_error_nomem(err);
	for (size_t i = 0; i < n; i++) {
		if (b.reqs[i].result < 0 && b.reqs[i].result != -ENODEV)
			return nl_req_error(&b.reqs[i], err);
		if (b.reqs[i].result < 0 || !datapath_owns(dp, &bridges[i], &links[i]))
			links[i].fact.ifindex = 0;
	}
	return 0;
}

/* A number that no other interface has: drawn from so many that it need not be checked. */
static int draw_group(uint32_t *group, struct nd_error *err)
{
	if (getrandom(group, sizeof(*group), 0) != sizeof(*group))
		return nd_error_sys(err, errno, "cannot draw a random number");
	*group |= 0x40000000;
	return 0;
}

/* Deletes some links with one request, and waits until the kernel is done with it: a request for
 * the next group, sent at the notice of this one's end, would wait for the kernel's lock in front of
 * everybody who comes meanwhile. */
static int delete_group(struct datapath *dp, const struct link_info *const *links, size_t n,
			struct nd_error *err)
{
	ND_AUTO(nl_batch_fini) struct nl_batch b = { 0 };
	struct ifinfomsg ifi = { 0 };
	struct nl_req *rq;
	uint32_t group;
	int r = draw_group(&group, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		ifi.ifi_index = links[i]->fact.ifindex;
		rq = nl_batch_add(&b, RTM_NEWLINK, 0, &ifi, sizeof(ifi), "mark bridge '%s'",
				  links[i]->fact.name);
		nl_put_u32(rq, IFLA_GROUP, group);
	}
	ifi.ifi_index = 0;
	rq = nl_batch_add(&b, RTM_DELLINK, 0, &ifi, sizeof(ifi), "delete %zu bridges", n);
	nl_put_u32(rq, IFLA_GROUP, group);
	if (nl_batch_run(dp->nl, &b, 0) < 0 && b.failed)
		return nd_error_nomem(err);
	for (size_t i = 0; i < b.n; i++)
		if (b.reqs[i].result < 0 && b.reqs[i].result != -ENODEV)
			return nl_req_error(&b.reqs[i], err);
	return 0;
}

int datapath_delete_bridges(struct datapath *dp, const struct plan_bridge *bridges, size_t n,
			    struct nd_error *err)
{
	ND_AUTO(free) struct link_info *links = calloc(n + 1, sizeof(*links));
	const struct link_info *group[DELETE_GROUP];
	size_t in_group = 0;
	int r = links ? find_bridges(dp, bridges, n, links, err) : nd_error_nomem(err);

	for (size_t i = 0; r == 0 && i < n; i++) {
		if (links[i].fact.ifindex)
			group[in_group++] = &links[i];
		if (in_group < DELETE_GROUP && (i + 1 < n || !in_group))
			continue;
		r = delete_group(dp, group, in_group, err);
		in_group = 0;
	}
	return r;
}

int datapath_adopt_rules(struct datapath *dp, struct nd_error *err)
{
	return nft_adopt(dp->nft, err);
}

int datapath_read_rules(struct datapath *dp, struct plan **out, struct nd_error *err)
{
	ND_AUTO(plan_free) struct plan *rules = plan_new();
	int r = rules ? nft_read(dp->nft, rules, err) : nd_error_nomem(err);

	if (r == 0)
		*out = nd_take_ptr(&rules);
	return r;
}

uint32_t datapath_nft_portid(const struct datapath *dp)
{
	return nft_portid(dp->nft);
}

uint32_t datapath_filter_portid(const struct datapath *dp)
{
	return port_filters_portid(dp->filters);
}

int datapath_filter_ports(struct datapath *dp, const struct port_filter *const *want, size_t n,
			  struct nd_error *err)
{
	return port_filters_apply(dp->filters, want, n, err);
}

uint32_t datapath_route_portid(const struct datapath *dp)
{
	return nl_portid(dp->nl);
}

int datapath_foreign_drops(struct datapath *dp, const char *const *bridges, size_t n_bridges,
			   void (*found)(void *arg, const char *bridge, const char *sentence),
			   void *arg, struct nd_error *err)
{
	return nft_foreign_drops(dp->nft, bridges, n_bridges, found, arg, err);
}

int datapath_remove_libvirt_rules(struct datapath *dp, const char *bridge,
				  const struct nd_prefix *subnets, size_t n_subnets, size_t *n_out,
				  struct nd_error *err)
{
	struct libvirt_rules of = { .ifindex = (int)if_nametoindex(bridge), .subnets = subnets,
				    .n_subnets = n_subnets };

	snprintf(of.bridge, sizeof(of.bridge), "%s", bridge);
	return nft_remove_libvirt(dp->nft, &of, n_out, err);
}

bool datapath_legacy_iptables(void)
{
	ND_AUTO(fclose) FILE *f = fopen("/proc/self/net/ip_tables_names", "re");
	char line[64];

	while (f && fgets(line, sizeof(line), f))
		if (nd_streq(line, "filter\n"))
			return true;
	return false;
}
