/* SPDX-License-Identifier: GPL-2.0-or-later */
/* leftover.c -- what a killed netd left behind and no network of its successor claims
 *
 * Only what proves to be netd's goes: rules in netd's own tables, links that carry its alias,
 * bridges that an intent announced, and holds on shared sysctls.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "datapath/intent.h"
#include "datapath/private.h"
#include "netd/base/str.h"

#define ALIAS "netd:"

struct sweep {
	struct datapath *dp;
	const struct plan *wanted;
	const struct host_facts *facts;
	struct nd_hash *keys;		/* of the wanted items */
	struct plan_key *key_room;
	struct plan *leftover;
	void (*removed)(void *arg, const char *what);
	void *arg;
};

static int index_wanted(struct sweep *w)
{
	w->keys = nd_hash_new();
	w->key_room = calloc(w->wanted->n + 1, sizeof(*w->key_room));
	if (!w->keys || !w->key_room)
		return -ENOMEM;
	for (size_t i = 0; i < w->wanted->n; i++) {
		struct plan_key *k = &w->key_room[i];

		plan_item_key(&w->wanted->items[i], k);
		if (nd_hash_set(w->keys, k->bytes, k->len, &w->wanted->items[i]) < 0)
			return -ENOMEM;
	}
	return 0;
}

static bool is_wanted(const struct sweep *w, const struct plan_item *item)
{
	struct plan_key k;

	plan_item_key(item, &k);
	return nd_hash_find(w->keys, k.bytes, k.len) != NULL;
}

static int add_rules(struct sweep *w, const struct plan *nft)
{
	for (size_t i = 0; i < nft->n; i++) {
		struct plan_item *item;

		if (is_wanted(w, &nft->items[i]))
			continue;
		item = plan_add(w->leftover, nft->items[i].kind);
		if (!item)
			return -ENOMEM;
		*item = nft->items[i];
	}
	return 0;
}

static int add_bridge(struct sweep *w, const struct plan_bridge *b)
{
	struct plan_item *item, probe = { .kind = PLAN_BRIDGE, .bridge = *b };

	if (is_wanted(w, &probe))
		return 0;
	item = plan_add(w->leftover, PLAN_BRIDGE);
	if (!item)
		return -ENOMEM;
	*item = probe;
	return 0;
}

static int add_aliased_bridges(struct sweep *w)
{
	int r = 0;

	for (size_t i = 0; i < w->facts->n_links && r == 0; i++) {
		const struct link_fact *link = &w->facts->links[i];
		struct plan_bridge b = { .mac = link->mac, .group = link->group };

		if (!nd_streq(link->kind, "bridge") || strncmp(link->alias, ALIAS, strlen(ALIAS)) != 0)
			continue;
		strcpy(b.name, link->name);
		strcpy(b.alias, link->alias);
		r = add_bridge(w, &b);
	}
	return r;
}

/* Reads a note about a bridge that was about to be made. */
static bool read_intent(int dir_fd, const char *name, struct plan_bridge *out)
{
	ND_AUTO(close) int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char text[160], mac[ND_MAC_STRLEN];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	*out = (struct plan_bridge){ 0 };
	if (n <= 0 || strlen(name) >= sizeof(out->name))
		return false;
	text[n] = '\0';
	strcpy(out->name, name);
	return sscanf(text, "%63s %17s %u", out->alias, mac, &out->group) == 3 &&
	       nd_mac_parse(mac, &out->mac);
}

static int take_intent(struct sweep *w, int dir_fd, const char *name)
{
	struct plan_bridge b;
	const struct link_fact *fact = host_facts_link(w->facts, name);
	struct link_info link = { 0 };

	if (fact)
		link.fact = *fact;
	if (read_intent(dir_fd, name, &b) && fact && intent_proves(w->dp->run_fd, &b, &link))
		return add_bridge(w, &b);
	(void)intent_remove(w->dp->run_fd, name, NULL);	/* proves nothing: harmless if it stays */
	return 0;
}

/* A directory's entries, without those that begin with a dot, to each(). */
static int each_entry(int parent_fd, const char *path,
		      int (*each)(struct sweep *w, int dir_fd, const char *name), struct sweep *w)
{
	int fd = openat(parent_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		r = errno == ENOENT ? 0 : -errno;
		if (fd >= 0)
			close(fd);
		return r;
	}
	while (r == 0 && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			r = each(w, fd, entry->d_name);
	closedir(dir);
	return r;
}

static bool is_owner(const struct sweep *w, const char *uuid)
{
	for (size_t i = 0; i < w->wanted->n; i++) {
		const struct plan_item *item = &w->wanted->items[i];

		if (item->kind == PLAN_BRIDGE && nd_streq(item->bridge.alias + strlen(ALIAS), uuid))
			return true;
	}
	return false;
}

/* One sysctl's folder: its entries are owners. */
static int release_sysctl(struct sweep *w, int dir_fd, const char *folder)
{
	int fd = openat(dir_fd, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	char path[NAME_MAX + 1], what[NAME_MAX + 128];
	struct dirent *entry;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	snprintf(path, sizeof(path), "%s", folder);
	for (char *c = path; *c; c++)
		if (*c == ':')
			*c = '/';
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || is_owner(w, entry->d_name))
			continue;
		if (sysctl_release(w->dp->sysctls, path, entry->d_name, NULL) < 0)
			continue;	/* the next start tries again */
		snprintf(what, sizeof(what), "hold on sysctl %s", path);
		w->removed(w->arg, what);
	}
	closedir(dir);
	return 0;
}

static void tell_removed(struct sweep *w, const struct plan_diff *diff)
{
	ND_AUTO(free) char *text = plan_diff_format(diff);
	char *rest = text, *line;

	while ((line = strsep(&rest, "\n")))
		if (*line)
			w->removed(w->arg, line);
}

static int remove_taps(struct sweep *w, struct nd_error *err)
{
	int r = 0;

	for (size_t i = 0; i < w->facts->n_links && r == 0; i++) {
		const struct link_fact *link = &w->facts->links[i];
		struct plan_item probe = { .kind = PLAN_PORT };

		strcpy(probe.port.ifname, link->name);
		if (!nd_streq(link->kind, "tun") || strncmp(link->alias, ALIAS, strlen(ALIAS)) != 0 ||
		    is_wanted(w, &probe))
			continue;
		r = datapath_tap_delete(w->dp, link->name, err);
		if (r == 0)
			w->removed(w->arg, link->name);
	}
	return r;
}

static int collect(struct sweep *w, const struct plan *nft)
{
	int r = index_wanted(w);

	if (r == 0)
		r = add_rules(w, nft);
	if (r == 0)
		r = add_aliased_bridges(w);
	return r < 0 ? r : each_entry(w->dp->run_fd, "intents", take_intent, w);
}

static int sweep(struct sweep *w, const struct plan *nft, struct nd_error *err)
{
	static const struct plan nothing;
	ND_AUTO(plan_diff_free) struct plan_diff *diff = NULL;
	int r = collect(w, nft);

	if (r == 0)
		r = plan_diff(w->leftover, &nothing, &diff);
	if (r < 0)
		return nd_error_sys(err, -r, "cannot find what an earlier netd left");
	tell_removed(w, diff);
	if (diff->n)
		r = datapath_apply(w->dp, diff, "leftover", err);
	if (r == 0)
		r = remove_taps(w, err);
	if (r == 0)
		r = each_entry(w->dp->run_fd, "sysctl", release_sysctl, w);
	return r;
}

int datapath_sweep(struct datapath *dp, struct datapath_snapshot *s, const struct plan *wanted,
		   void (*removed)(void *arg, const char *what), void *arg, struct nd_error *err)
{
	ND_AUTO(host_facts_free) struct host_facts *facts = NULL;
	ND_AUTO(plan_free) struct plan *leftover = plan_new();
	struct sweep w = { .dp = dp, .wanted = wanted, .leftover = leftover, .removed = removed,
			   .arg = arg };
	int r = leftover ? datapath_snapshot_facts(s, &facts, err) : nd_error_nomem(err);

	w.facts = facts;
	if (r == 0)
		r = sweep(&w, datapath_snapshot_nft(s), err);
	nd_hash_free(w.keys);
	free(w.key_room);
	return r;
}
