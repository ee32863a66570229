/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "datapath/datapath.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "datapath/intent.h"
#include "datapath/private.h"
#include "netd/base/str.h"

int datapath_new(const struct datapath_options *opt, struct datapath **out, struct nd_error *err)
{
	ND_AUTO(datapath_free) struct datapath *dp = calloc(1, sizeof(*dp));
	int r;

	if (!dp)
		return nd_error_nomem(err);
	dp->run_fd = open(opt->run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dp->run_fd < 0)
		return nd_error_sys(err, errno, "cannot open '%s'", opt->run_dir);
	dp->bridges = nd_hash_new();
	if (!dp->bridges)
		return nd_error_nomem(err);
	r = nl_new(NETLINK_ROUTE, &dp->nl, err);
	if (r == 0)
		r = nft_new(opt->no_persist, &dp->nft, err);
	if (r == 0)
		r = sysctl_keeper_new(dp->run_fd, &dp->sysctls, err);
	if (r == 0)
		r = remover_new(&dp->remover, err);
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
	sysctl_keeper_free(dp->sysctls);
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

int datapath_foreign_drops(struct datapath *dp, void (*found)(void *arg, const char *sentence),
			   void *arg, struct nd_error *err)
{
	return nft_foreign_drops(dp->nft, found, arg, err);
}
