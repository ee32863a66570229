/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "datapath/sysctl.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "datapath/sysctl_store.h"
#include "netd/base/array.h"
#include "netd/base/str.h"

struct sysctl_keeper {
	struct sysctl_store store;
	struct nd_hash *held;		/* path -> struct sysctl_entry */
	struct nd_hash *own;		/* path -> struct sysctl_value: not shared, ours */
};

/* The switches that change other settings, and which. */
struct global_switch {
	const char *path;
	const char *folder, *leaf;	/* folder/INTERFACE/leaf takes the switch's value */
	const char *opposite;		/* takes the other one; or NULL */
};

static const struct global_switch switches[] = {
	{ "net/ipv4/ip_forward", "net/ipv4/conf", "forwarding",
	  "net/ipv4/conf/all/accept_redirects" },
	{ "net/ipv4/conf/all/forwarding", "net/ipv4/conf", "forwarding",
	  "net/ipv4/conf/all/accept_redirects" },
	{ "net/ipv6/conf/all/forwarding", "net/ipv6/conf", "forwarding", NULL },
	{ "net/ipv6/conf/all/force_forwarding", "net/ipv6/conf", "force_forwarding", NULL },
};

static const struct global_switch *find_switch(const char *path)
{
	for (size_t i = 0; i < ND_COUNT(switches); i++)
		if (nd_streq(switches[i].path, path))
			return &switches[i];
	return NULL;
}

static struct sysctl_entry *find_entry(const struct sysctl_keeper *k, const char *path)
{
	return nd_hash_find(k->held, path, strlen(path));
}

static int add_entry(void *arg, struct sysctl_entry *e)
{
	struct sysctl_keeper *k = arg;
	int r = nd_hash_set(k->held, e->path, strlen(e->path), e);

	if (r < 0)
		sysctl_entry_free(e);
	return r;
}

int sysctl_keeper_new(int run_fd, struct sysctl_keeper **out, struct nd_error *err)
{
	ND_AUTO(sysctl_keeper_free) struct sysctl_keeper *k = calloc(1, sizeof(*k));
	int r;

	if (!k)
		return nd_error_nomem(err);
	k->store.proc_fd = -1;
	k->held = nd_hash_new();
	k->own = nd_hash_new();
	if (!k->held || !k->own)
		return nd_error_nomem(err);
	r = sysctl_store_init(&k->store, run_fd, err);
	if (r == 0)
		r = sysctl_store_load(&k->store, add_entry, k, err);
	if (r < 0)
		return r;
	*out = nd_take_ptr(&k);
	return 0;
}

void sysctl_keeper_free(struct sysctl_keeper *k)
{
	size_t pos = 0;
	void *v;

	if (!k)
		return;
	while (k->held && (v = nd_hash_next(k->held, &pos)))
		sysctl_entry_free(v);
	pos = 0;
	while (k->own && (v = nd_hash_next(k->own, &pos)))
		free(v);
	nd_hash_free(k->held);
	nd_hash_free(k->own);
	sysctl_store_fini(&k->store);
	free(k);
}

int sysctl_read(const struct sysctl_keeper *k, const char *path, char buf[SYSCTL_VALUE_MAX])
{
	return sysctl_store_read(&k->store, path, buf);
}

bool sysctl_is_held(const struct sysctl_keeper *k, const char *path, const char *owner)
{
	const struct sysctl_entry *e = find_entry(k, path);

	return e && nd_hash_find(e->holders, owner, strlen(owner));
}

/* Writes what differs; a setting whose interface is gone does not matter. */
static int write_if_other(struct sysctl_keeper *k, const char *path, const char *value,
			  struct nd_error *err)
{
	char now[SYSCTL_VALUE_MAX];

	if (sysctl_store_read(&k->store, path, now) < 0 || nd_streq(now, value))
		return 0;
	return sysctl_store_write(&k->store, path, value, err);
}

static bool path_is_below(const char *path, const struct global_switch *sw)
{
	size_t len = strlen(sw->folder);

	return (strncmp(path, sw->folder, len) == 0 && path[len] == '/') ||
	       (sw->opposite && nd_streq(path, sw->opposite));
}

/* After a switch was turned: settings that netd holds or wrote are written again. */
static int write_ours_again(struct sysctl_keeper *k, const struct global_switch *sw,
			    struct nd_error *err)
{
	const struct sysctl_entry *e;
	const struct sysctl_value *v;
	size_t pos = 0;
	int r = 0;

	while (r == 0 && (e = nd_hash_next(k->held, &pos)))
		if (!nd_streq(e->path, sw->path) && path_is_below(e->path, sw))
			r = write_if_other(k, e->path, e->written, err);
	pos = 0;
	while (r == 0 && (v = nd_hash_next(k->own, &pos)))
		if (path_is_below(v->path, sw))
			r = write_if_other(k, v->path, v->value, err);
	return r;
}

int sysctl_write(struct sysctl_keeper *k, const char *path, const char *value,
		 struct nd_error *err)
{
	const struct global_switch *sw = find_switch(path);
	char now[SYSCTL_VALUE_MAX];
	int r;

	if (sysctl_store_read(&k->store, path, now) == 0 && nd_streq(now, value))
		return 0;
	r = sysctl_store_write(&k->store, path, value, err);
	return r < 0 || !sw ? r : write_ours_again(k, sw, err);
}

static const char *other_value(const char *value)
{
	return nd_streq(value, "0") ? "1" : "0";
}

/* Notes a setting whose value is not the one that turning the switch back would give it. Of one
 * that is held, the value before it was counts. */
static int note_other(struct sysctl_keeper *k, struct sysctl_entry *e, const char *path,
		      const char *turned_back)
{
	const struct sysctl_entry *held = find_entry(k, path);
	char now[SYSCTL_VALUE_MAX];
	struct sysctl_value *v;

	if (sysctl_store_read(&k->store, path, now) < 0 ||
	    nd_hash_find(k->own, path, strlen(path)))
		return 0;
	if (held)
		memcpy(now, held->before, sizeof(now));
	if (nd_streq(now, turned_back))
		return 0;
	v = nd_array_add(e->others, e->n_others);
	if (!v)
		return -ENOMEM;
	snprintf(v->path, sizeof(v->path), "%s", path);
	memcpy(v->value, now, sizeof(now));
	return 0;
}

static int note_others(struct sysctl_keeper *k, struct sysctl_entry *e,
		       const struct global_switch *sw)
{
	int fd = openat(k->store.proc_fd, sw->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *d;
	char path[128];

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return -ENOENT;
	}
	while (r == 0 && (d = readdir(dir))) {
		if (d->d_name[0] == '.' || nd_streq(d->d_name, "all") ||
		    (size_t)snprintf(path, sizeof(path), "%s/%s/%s", sw->folder, d->d_name,
				     sw->leaf) >= sizeof(path))
			continue;
		r = note_other(k, e, path, e->before);
	}
	closedir(dir);
	if (r == 0 && sw->opposite)
		r = note_other(k, e, sw->opposite, other_value(e->before));
	return r;
}

struct wish {
	const struct sysctl_value *v;
	char value[SYSCTL_VALUE_MAX];
};

/* What each noted setting is to become: what it was, or what somebody made of it since. That can
 * be told while the switch still has netd's value: then it has set every one of them to that. */
static struct wish *others_wanted(struct sysctl_keeper *k, const struct sysctl_entry *e,
				  const struct global_switch *sw, bool still_ours)
{
	struct wish *wishes = calloc(e->n_others + 1, sizeof(*wishes));
	char now[SYSCTL_VALUE_MAX];

	for (size_t i = 0; wishes && i < e->n_others; i++) {
		const struct sysctl_value *v = &e->others[i];
		bool opposite = sw->opposite && nd_streq(v->path, sw->opposite);
		const char *as_turned = opposite ? other_value(e->written) : e->written;
		bool changed = still_ours && sysctl_store_read(&k->store, v->path, now) == 0 &&
			       !nd_streq(now, as_turned);

		wishes[i].v = v;
		memcpy(wishes[i].value, changed ? now : v->value, sizeof(now));
	}
	return wishes;
}

static int put_switch_back(struct sysctl_keeper *k, const struct sysctl_entry *e,
			   const struct global_switch *sw, bool still_ours, struct nd_error *err)
{
	ND_AUTO(free) struct wish *wishes = others_wanted(k, e, sw, still_ours);
	int r;

	if (!wishes)
		return nd_error_nomem(err);
	r = sysctl_write(k, e->path, e->before, err);
	for (size_t i = 0; r == 0 && i < e->n_others; i++)
		if (!find_entry(k, wishes[i].v->path))	/* else its last holder puts it back */
			r = write_if_other(k, wishes[i].v->path, wishes[i].value, err);
	return r;
}

/* A switch that netd has turned covers the setting: turning that back will put this back too, to
 * what the switch's note says or to the switch's own value. */
static const struct sysctl_entry *find_turned_switch(const struct sysctl_keeper *k,
						     const char *path)
{
	for (size_t i = 0; i < ND_COUNT(switches); i++) {
		const struct sysctl_entry *e = find_entry(k, switches[i].path);

		if (e && !nd_streq(path, e->path) && path_is_below(path, &switches[i]) &&
		    !nd_streq(e->before, e->written))
			return e;
	}
	return NULL;
}

static int put_back(struct sysctl_keeper *k, const struct sysctl_entry *e, struct nd_error *err)
{
	const struct global_switch *sw = find_switch(e->path);
	char now[SYSCTL_VALUE_MAX];
	bool still_ours;

	/* Its interface is gone, or netd found it as it wanted it. */
	if (sysctl_store_read(&k->store, e->path, now) < 0 || nd_streq(e->before, e->written) ||
	    find_turned_switch(k, e->path))
		return 0;
	still_ours = nd_streq(now, e->written);
	/* The value of before: a killed predecessor may have got no further than the switch. */
	if (!still_ours && !nd_streq(now, e->before))
		return 0;
	if (sw)
		return put_switch_back(k, e, sw, still_ours, err);
	return still_ours ? sysctl_store_write(&k->store, e->path, e->before, err) : 0;
}

/* What a setting would be without the switch that netd has turned over it. */
static void look_behind_switch(const struct sysctl_keeper *k, const char *path,
			       char value[SYSCTL_VALUE_MAX])
{
	const struct sysctl_entry *e = find_turned_switch(k, path);
	bool opposite;

	if (!e)
		return;
	opposite = nd_streq0(find_switch(e->path)->opposite, path);
	if (!nd_streq(value, opposite ? other_value(e->written) : e->written))
		return;		/* somebody has decided otherwise since */
	snprintf(value, SYSCTL_VALUE_MAX, "%s", opposite ? other_value(e->before) : e->before);
	for (size_t i = 0; i < e->n_others; i++)
		if (nd_streq(e->others[i].path, path))
			memcpy(value, e->others[i].value, SYSCTL_VALUE_MAX);
}

/* The entry for a first holder, noted on disk but not yet in the table. */
static int first_entry(struct sysctl_keeper *k, const char *path, const char *value,
		       struct sysctl_entry **out, struct nd_error *err)
{
	ND_AUTO(sysctl_entry_free) struct sysctl_entry *e = sysctl_entry_new(path);
	const struct global_switch *sw = find_switch(path);
	int r;

	if (!e)
		return nd_error_nomem(err);
	r = sysctl_store_read(&k->store, path, e->before);
	if (r < 0)
		return nd_error_sys(err, -r, "cannot read sysctl %s", path);
	look_behind_switch(k, path, e->before);
	snprintf(e->written, sizeof(e->written), "%s", value);
	if (sw && !nd_streq(e->before, value))
		r = note_others(k, e, sw);
	if (r < 0)
		return nd_error_sys(err, -r, "cannot read the settings that sysctl %s changes", path);
	r = sysctl_store_save(&k->store, e, err);
	if (r < 0)
		return r;
	*out = nd_take_ptr(&e);
	return 0;
}

/* Forgets an entry without holders. Whatever of its note stays on disk says that nobody holds
 * it, and is removed at the next start. */
static void remove_entry(struct sysctl_keeper *k, struct sysctl_entry *e)
{
	(void)sysctl_store_drop(&k->store, e, NULL);
	nd_hash_remove(k->held, e->path, strlen(e->path));
	sysctl_entry_free(e);
}

static int add_holder(struct sysctl_keeper *k, struct sysctl_entry *e, const char *owner,
		      struct nd_error *err)
{
	ND_AUTO(free) char *name = strdup(owner);
	int r;

	if (!name || nd_hash_set(e->holders, name, strlen(name), name) < 0)
		return nd_error_nomem(err);
	r = sysctl_store_add_holder(&k->store, e, owner, err);
	if (r < 0) {
		nd_hash_remove(e->holders, owner, strlen(owner));
		return r;
	}
	nd_take_ptr(&name);
	return 0;
}

static int remove_holder(struct sysctl_keeper *k, struct sysctl_entry *e, const char *owner,
			 struct nd_error *err)
{
	int r = sysctl_store_remove_holder(&k->store, e, owner, err);

	if (r < 0)
		return r;
	free(nd_hash_remove(e->holders, owner, strlen(owner)));
	if (nd_hash_count(e->holders) == 0)
		remove_entry(k, e);
	return 0;
}

/* The only holder wants another value. */
static int change_written(struct sysctl_keeper *k, struct sysctl_entry *e, const char *value,
			  struct nd_error *err)
{
	char old[SYSCTL_VALUE_MAX];
	int r;

	memcpy(old, e->written, sizeof(old));
	snprintf(e->written, sizeof(e->written), "%s", value);
	r = sysctl_store_save(&k->store, e, err);
	if (r < 0)
		memcpy(e->written, old, sizeof(old));
	return r;
}

/* An owner that holds the setting already. */
static int hold_again(struct sysctl_keeper *k, struct sysctl_entry *e, const char *value,
		      struct nd_error *err)
{
	int r = nd_streq(e->written, value) ? 0 : change_written(k, e, value, err);

	return r < 0 ? r : sysctl_write(k, e->path, value, err);
}

int sysctl_hold(struct sysctl_keeper *k, const char *path, const char *value, const char *owner,
		struct nd_error *err)
{
	struct sysctl_entry *e = find_entry(k, path);
	bool mine = e && nd_hash_find(e->holders, owner, strlen(owner));
	int r;

	if (e && !nd_streq(e->written, value) && (!mine || nd_hash_count(e->holders) > 1))
		return nd_error_set(err, ND_ERR_OPERATION_FAILED,
				    "sysctl %s is held at %s by another network, so it cannot be %s",
				    path, e->written, value);
	if (mine)
		return hold_again(k, e, value, err);
	if (!e) {
		r = first_entry(k, path, value, &e, err);
		if (r < 0)
			return r;
		if (add_entry(k, e) < 0)
			return nd_error_nomem(err);
	}
	r = add_holder(k, e, owner, err);
	if (r < 0) {
		if (nd_hash_count(e->holders) == 0)
			remove_entry(k, e);
		return r;
	}
	r = sysctl_write(k, path, value, err);
	if (r < 0)
		(void)sysctl_release(k, path, owner, NULL);	/* the first error is the one to tell */
	return r;
}

int sysctl_release(struct sysctl_keeper *k, const char *path, const char *owner,
		   struct nd_error *err)
{
	struct sysctl_entry *e = find_entry(k, path);
	int r = 0;

	if (!e || !nd_hash_find(e->holders, owner, strlen(owner)))
		return 0;
	if (nd_hash_count(e->holders) == 1)
		r = put_back(k, e, err);
	return r < 0 ? r : remove_holder(k, e, owner, err);
}

int sysctl_note(struct sysctl_keeper *k, const char *path, const char *value)
{
	struct sysctl_value *v = nd_hash_find(k->own, path, strlen(path));

	if (!v) {
		v = calloc(1, sizeof(*v));
		if (!v)
			return -ENOMEM;
		snprintf(v->path, sizeof(v->path), "%s", path);
		if (nd_hash_set(k->own, v->path, strlen(v->path), v) < 0) {
			free(v);
			return -ENOMEM;
		}
	}
	snprintf(v->value, sizeof(v->value), "%s", value);
	return 0;
}

int sysctl_set(struct sysctl_keeper *k, const char *path, const char *value, struct nd_error *err)
{
	int r = sysctl_store_write(&k->store, path, value, err);

	if (r < 0)
		return r;
	return sysctl_note(k, path, value) < 0 ? nd_error_nomem(err) : 0;
}

void sysctl_forget(struct sysctl_keeper *k, const char *path)
{
	free(nd_hash_remove(k->own, path, strlen(path)));
}
