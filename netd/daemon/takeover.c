/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/takeover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "dhcp/lease_store.h"
#include "netd/base/array.h"
#include "netd/base/effect.h"
#include "netd/base/log.h"
#include "netd/base/str.h"
#include "netd/compile/compile.h"
#include "netd/daemon/file.h"
#include "netd/daemon/libvirt_dnsmasq.h"
#include "netd/daemon/libvirt_leases.h"
#include "netd/daemon/listen.h"

#define DNSMASQ_END_MS 5000

/* A network that libvirt left. */
struct left {
	char *name;
	struct nd_uuid uuid;
	struct net_def *def;		/* NULL: transient */
	struct net_def *live;		/* NULL: it does not run */
	bool autostart;
};

struct takeover {
	struct netd *netd;		/* NULL: only definitions are imported */
	struct paths paths;		/* libvirt's folders, borrowed from netd's paths */
	struct store *from, *to;
	struct left *left;
	size_t n_left;
	struct libvirt_dnsmasqs *dnsmasqs;
	struct host_facts *facts;
	bool autostarted;		/* libvirt has started in this boot what is to be */
};

void takeover_free(struct takeover *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->n_left; i++) {
		free(t->left[i].name);
		net_def_free(t->left[i].def);
		net_def_free(t->left[i].live);
	}
	free(t->left);
	libvirt_dnsmasqs_free(t->dnsmasqs);
	host_facts_free(t->facts);
	store_free(t->from);
	free(t);
}
ND_DEFINE_AUTO(struct takeover *, takeover_free)

/* ---- what is there ---- */

static struct left *left_named(struct takeover *t, const struct net_def *def)
{
	struct left *l;

	for (size_t i = 0; i < t->n_left; i++)
		if (nd_streq(t->left[i].name, def->name))
			return &t->left[i];
	l = nd_array_add(t->left, t->n_left);
	if (!l)
		return NULL;
	l->uuid = def->uuid;
	l->name = strdup(def->name);
	if (!l->name)
		t->n_left--;
	return l->name ? l : NULL;
}

/* libvirt always writes a UUID; a file without one was not written by it. */
static bool is_whole(const struct net_def *def)
{
	if (!def->has_uuid)
		nd_log(LOG_ERR, def->name, "libvirt's definition has no <uuid>: left as it is");
	return def->has_uuid;
}

static void on_definition(void *arg, struct net_def *def_taken, bool autostart)
{
	ND_AUTO(net_def_free) struct net_def *def = def_taken;
	struct left *l = is_whole(def) ? left_named(arg, def) : NULL;

	if (!l || l->def)
		return;
	l->def = nd_take_ptr(&def);
	l->autostart = autostart;
}

static void on_live(void *arg, struct net_def *def_taken)
{
	ND_AUTO(net_def_free) struct net_def *def = def_taken;
	struct left *l = is_whole(def) ? left_named(arg, def) : NULL;

	if (!l || l->live)
		return;
	if (!nd_uuid_equal(&l->uuid, &def->uuid))
		nd_log(LOG_ERR, def->name, "libvirt's definition and its running network have "
		       "different UUIDs: left as it is");
	else
		l->live = nd_take_ptr(&def);
}

/* ---- what was taken before ---- */

static bool was_taken(const struct paths *paths, const struct nd_uuid *uuid)
{
	char path[4096], text[ND_UUID_STRLEN];

	snprintf(path, sizeof(path), "%s/%s", paths->taken, nd_uuid_format(uuid, text));
	return access(path, F_OK) == 0;
}

/* An operator who undefines the network must not find it again after the next start. */
static int note_taken(const struct paths *paths, const struct nd_uuid *uuid, struct nd_error *err)
{
	char text[ND_UUID_STRLEN];
	ND_AUTO(close) int dir = -1;
	int r = nd_effect(ND_EFFECT_FILE, "mkdir");

	if (r == 0 && mkdir(paths->taken, 0755) < 0 && errno != EEXIST)
		r = -errno;
	if (r == 0) {
		dir = open(paths->taken, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		r = dir < 0 ? -errno : file_replace(dir, nd_uuid_format(uuid, text), "", 0600, true);
	}
	return r < 0 ? nd_error_sys(err, -r, "cannot write to '%s'", paths->taken) : 0;
}

/* ---- leases ---- */

struct leases_file {
	char *text;			/* as it was read */
	size_t len;
	struct libvirt_leases leases;
};

static void leases_file_fini(struct leases_file *f)
{
	free(f->text);
	libvirt_leases_fini(&f->leases);
	*f = (struct leases_file){ 0 };
}

static inline void nd_auto_leases_file_fini(struct leases_file *f)
{
	leases_file_fini(f);
}

static uint64_t boottime_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static int leases_read(const struct takeover *t, const struct left *l, struct leases_file *out,
		       struct nd_error *err)
{
	struct libvirt_now now = { time(NULL), boottime_ms() };
	char path[4096];
	int r;

	*out = (struct leases_file){ 0 };
	snprintf(path, sizeof(path), "%s/%s.status", t->netd->paths.libvirt_leases,
		 l->live->bridge.name);
	r = file_read(AT_FDCWD, path, LIBVIRT_LEASES_MAX_BYTES, &out->text, &out->len);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return nd_error_sys(err, -r, "cannot read libvirt's leases '%s'", path);
	if (libvirt_leases_parse(out->text, out->len, now, &out->leases, err) == 0)
		return 0;
	leases_file_fini(out);
	return nd_error_prefix(err, "libvirt's leases '%s'", path);
}

static int leases_put(const struct takeover *t, const struct left *l, const struct leases_file *f,
		      struct nd_error *err)
{
	struct lease_seed seed = { .rows = f->leases.rows, .n = f->leases.n, .wall_s = time(NULL),
				   .boottime_ms = boottime_ms() };
	ND_AUTO(free) char *boot_id = NULL;

	if (file_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 256, &boot_id, NULL) == 0)
		snprintf(seed.boot_id, sizeof(seed.boot_id), "%.*s", (int)strcspn(boot_id, "\n"),
			 boot_id);
	return lease_dirs_make_seeded(t->netd->lease_dirs, &l->uuid, &seed, err);
}

/* ---- one network ---- */

/* The network of the same UUID that netd has, or NULL with *refused told when something else of
 * netd's stands in the way. */
static struct network *known(const struct netd *d, const struct left *l, bool *refused)
{
	struct network *net = registry_by_uuid(&d->networks, &l->uuid);
	const struct network *other = registry_by_name(&d->networks, l->name);

	*refused = net != other;
	if (*refused)
		nd_log(LOG_ERR, l->name, "libvirt's network is left as it is: netd has another of %s",
		       net ? "its UUID" : "its name");
	return *refused ? NULL : net;
}

/* The link first: should netd be killed between the two, it is swept as one to nothing. */
static int write_definition(const struct takeover *t, const struct left *l, struct nd_error *err)
{
	int r = l->autostart ? store_set_autostart(t->to, l->name, true, err) : 0;

	if (r == 0)
		r = store_write_definition(t->to, l->def, err);
	if (r < 0)
		(void)store_set_autostart(t->to, l->name, false, NULL);	/* the first error is told */
	return r;
}

static void remove_definition(const struct takeover *t, const struct left *l)
{
	struct nd_error err = { 0 };

	if (store_set_autostart(t->to, l->name, false, &err) < 0 ||
	    store_remove_definition(t->to, l->name, &err) < 0)
		nd_log(LOG_WARNING, l->name, "%s", err.text);
}

/* Whether the bridge that libvirt says it made is there. */
static bool bridge_runs(const struct takeover *t, const struct net_def *live)
{
	const struct link_fact *link;

	if (!forward_mode_is_l3(live->forward.mode))
		return true;	/* it has none of its own */
	link = live->bridge.name ? host_facts_link(t->facts, live->bridge.name) : NULL;
	return link && nd_streq(link->kind, "bridge") && nd_mac_equal(&link->mac, &live->mac);
}

/* What can be refused is refused before anything is touched. */
static int check_running(const struct takeover *t, const struct left *l, struct leases_file *leases,
			 struct nd_error *err)
{
	int r = compile_supported(l->live, err);

	if (r == 0)
		r = compile_collisions(l->live, t->facts, err);
	if (r == 0 && forward_mode_is_l3(l->live->forward.mode))
		r = leases_read(t, l, leases, err);
	return r;
}

static int adopt_bridge(const struct takeover *t, const struct left *l, struct nd_error *err)
{
	struct plan_bridge bridge = { .mac = l->live->mac };
	char uuid[ND_UUID_STRLEN];

	snprintf(bridge.alias, sizeof(bridge.alias), "netd:%s", nd_uuid_format(&l->uuid, uuid));
	snprintf(bridge.name, sizeof(bridge.name), "%s", l->live->bridge.name);
	return datapath_adopt_bridge(t->netd->datapath, &bridge, err);
}

/* Its dnsmasq may have given leases until its last moment. */
static int leases_again(const struct takeover *t, const struct left *l, struct leases_file *before,
			struct nd_error *err)
{
	ND_AUTO(leases_file_fini) struct leases_file now = { 0 };
	int r = leases_read(t, l, &now, err);

	if (r < 0 || (now.len == before->len && (!now.len || memcmp(now.text, before->text, now.len) == 0)))
		return r;
	r = lease_dirs_remove(t->netd->lease_dirs, &l->uuid, err);
	if (r == 0)
		r = leases_put(t, l, &now, err);
	if (r < 0)
		return r;
	leases_file_fini(before);
	*before = now;
	now = (struct leases_file){ 0 };
	return 0;
}

/* The live file first: a bridge with netd's alias and without such a file is swept as a leftover. */
static int become_live(const struct takeover *t, const struct left *l, struct nd_error *err)
{
	int r = store_write_live(t->to, l->live, err);

	if (r < 0 || !forward_mode_is_l3(l->live->forward.mode))
		return r;
	r = adopt_bridge(t, l, err);
	if (r < 0)
		(void)store_remove_live(t->to, l->name, NULL);	/* the first error is told */
	return r;
}

/* From the end of its dnsmasq on there is no way back to libvirt's server but libvirt. */
static int take_running(const struct takeover *t, const struct left *l, struct leases_file *leases,
			bool seeded, struct nd_error *err)
{
	bool l3 = forward_mode_is_l3(l->live->forward.mode);
	int r = l3 ? libvirt_dnsmasqs_end(t->dnsmasqs, l->name, DNSMASQ_END_MS, err) : 0;

	if (r < 0)
		return r;
	r = seeded ? leases_again(t, l, leases, err) : 0;
	if (r == 0)
		r = become_live(t, l, err);
	if (r < 0 && l3)
		return nd_error_prefix(err, "its dnsmasq has ended already, start libvirt's daemon or "
				       "netd again");
	return r;
}

/* As far as netd's files: leases, the definition unless netd has it, the live file. */
static int take_files(const struct takeover *t, const struct left *l, bool define,
		      struct leases_file *leases, bool *seeded, struct nd_error *err)
{
	int r = 0;

	if (l->live && forward_mode_is_l3(l->live->forward.mode)) {
		r = leases_put(t, l, leases, err);
		*seeded = r == 0;
		if (r == -EEXIST) {
			r = 0;
			nd_log(LOG_WARNING, l->name, "its lease folder was there before: libvirt's "
			       "leases are not taken over");
		}
	}
	if (r == 0 && define)
		r = write_definition(t, l, err);
	if (r < 0 || !l->live)
		return r;
	r = take_running(t, l, leases, *seeded, err);
	if (r < 0 && define)
		remove_definition(t, l);
	return r;
}

static void on_port(void *arg, struct port_def *def, const struct port_state *state)
{
	struct network *net = arg;
	ND_AUTO(port_free) struct port *p = port_new(def, state->ifname, state->plugged);

	if (!p)
		port_def_free(def);
	else if (!network_port(net, &def->uuid) && network_add_port(net, p) == 0)
		p = NULL;
}

/* A hypervisor that goes on running asks for its ports by their UUIDs. */
static void take_ports(const struct takeover *t, struct network *net)
{
	struct port_state state = { .plugged = false };
	struct nd_error err = { 0 };

	(void)store_load_left_ports(t->from, net->name, on_port, net);	/* logs what it skips */
	for (size_t i = 0; i < net->n_ports; i++)
		if (store_write_port(t->to, &net->uuid, net->ports[i]->def, &state, &err) < 0)
			nd_log(LOG_WARNING, net->name, "%s", err.text);
}

static void register_network(struct takeover *t, struct left *l, struct network *net, bool define)
{
	if (!net)
		net = registry_add(&t->netd->networks, l->name, &l->uuid);
	if (!net) {
		nd_log(LOG_ERR, l->name, "out of memory: start netd again");	/* its files are there */
		return;
	}
	if (define) {
		net->def = nd_take_ptr(&l->def);
		net->autostart = l->autostart;
	}
	net->stays_stopped = !l->live && t->autostarted;
	if (!l->live)
		return;
	net->live = nd_take_ptr(&l->live);
	take_ports(t, net);
}

static void log_taken(const struct left *l, const struct leases_file *leases)
{
	if (!l->live) {
		nd_log(LOG_INFO, l->name, "libvirt's definition is taken over");
		return;
	}
	nd_log(LOG_INFO, l->name, "taken over from libvirt while it runs%s%s: %zu leases",
	       l->live->bridge.name ? ", with bridge " : "",
	       l->live->bridge.name ? l->live->bridge.name : "", leases->leases.n);
	if (leases->leases.n_v6)
		nd_log(LOG_WARNING, l->name, "%zu DHCPv6 leases of libvirt are not taken over",
		       leases->leases.n_v6);
}

static void left_as_it_is(const struct left *l, const struct nd_error *err)
{
	char message[1200];

	nd_error_format(err, message, sizeof(message));
	nd_log(LOG_ERR, l->name, "libvirt's network is left as it is: %s", message);
}

/* The network is netd's already: a netd that was killed may not have come as far as its bridge. */
static void go_on(const struct takeover *t, const struct left *l)
{
	struct nd_error err = { 0 };

	if (l->live && forward_mode_is_l3(l->live->forward.mode) && adopt_bridge(t, l, &err) < 0)
		nd_log(LOG_ERR, l->name, "%s", err.text);
}

static void take(struct takeover *t, struct left *l)
{
	ND_AUTO(leases_file_fini) struct leases_file leases = { 0 };
	struct nd_error err = { 0 };
	bool refused, define, seeded = false;
	struct network *net = known(t->netd, l, &refused);
	int r;

	if (l->live && !bridge_runs(t, l->live)) {
		net_def_free(l->live);
		l->live = NULL;		/* a leftover of libvirt's own */
	}
	if (refused)
		return;
	if (net && net->live) {
		go_on(t, l);
		return;
	}
	define = !net && l->def && !was_taken(&t->netd->paths, &l->uuid);
	if (!define && !l->live)
		return;
	r = l->live ? check_running(t, l, &leases, &err) : 0;
	if (r == 0)
		r = take_files(t, l, define, &leases, &seeded, &err);
	if (r < 0) {
		left_as_it_is(l, &err);
		if (seeded)
			(void)lease_dirs_remove(t->netd->lease_dirs, &l->uuid, NULL);	/* swept at the next start */
		return;
	}
	log_taken(l, &leases);
	register_network(t, l, net, define);
}

/* ---- all of them ---- */

/* Also of what was imported or taken before, by a netd that was killed then. */
static void note_known(const struct netd *d, const struct left *l)
{
	const struct network *net = registry_by_uuid(&d->networks, &l->uuid);
	struct nd_error err = { 0 };

	if (net && net->def && !was_taken(&d->paths, &l->uuid) && note_taken(&d->paths, &l->uuid, &err) < 0)
		nd_log(LOG_WARNING, net->name, "%s", err.text);	/* again at the next start */
}

/* Its network driver holds a lock on its pid file; 0: it does not run. */
static pid_t driver_pid(const struct paths *paths)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char path[4096];
	ND_AUTO(close) int fd = -1;

	snprintf(path, sizeof(path), "%s/driver.pid", paths->libvirt_live);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fcntl(fd, F_GETLK, &lock) < 0 || lock.l_type == F_UNLCK)
		return 0;
	return lock.l_pid;
}

static bool has_autostarted(const struct paths *paths)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/autostarted", paths->libvirt_live);
	return access(path, F_OK) == 0;
}

static int look(struct takeover *t, struct nd_error *err)
{
	struct store_loader loader = { t, on_definition, on_live };
	int r = store_open_left(&t->paths, &t->from, err);

	if (r < 0)
		return r;
	(void)store_load(t->from, &loader);	/* logs what it skips */
	return 0;
}

static int look_at_host(struct takeover *t, struct nd_error *err)
{
	int r = libvirt_dnsmasqs_find(t->netd->paths.libvirt_leases, &t->dnsmasqs, err);

	return r < 0 ? r : datapath_facts(t->netd->datapath, &t->facts, err);
}

static bool wanted(const struct netd *d)
{
	return d->config.libvirt_takeover == TAKEOVER_YES ||
	       (d->config.libvirt_takeover == TAKEOVER_IN_PLACE && listen_in_place_of_libvirt(d));
}

void takeover_load(struct netd *d)
{
	ND_AUTO(takeover_free) struct takeover *t = NULL;
	struct nd_error err = { 0 };
	pid_t pid;
	int r;

	if (!wanted(d))
		return;
	pid = driver_pid(&d->paths);
	if (pid) {
		nd_log(LOG_ERR, NULL, "libvirt's networks are not taken over: its daemon runs (pid %d); "
		       "stop it and restart netd", (int)pid);
		return;
	}
	t = calloc(1, sizeof(*t));
	if (!t)
		return;
	t->netd = d;
	t->to = d->store;
	t->paths = (struct paths){ .networks = d->paths.libvirt_networks,
				   .autostart = d->paths.libvirt_autostart,
				   .live = d->paths.libvirt_live };
	t->autostarted = has_autostarted(&d->paths);
	r = look(t, &err);
	if (r == 0 && t->n_left)
		r = look_at_host(t, &err);
	if (r < 0) {
		nd_log(LOG_ERR, NULL, "libvirt's networks are not taken over: %s", err.text);
		return;
	}
	for (size_t i = 0; i < t->n_left; i++) {
		take(t, &t->left[i]);
		note_known(d, &t->left[i]);
	}
	d->takeover = nd_take_ptr(&t);
}

static void legacy_hint(const struct network *net)
{
	nd_log(LOG_WARNING, net->name, "iptables-legacy has rules, which netd cannot reach: if libvirt's "
	       "are among them, remove those in the chains LIBVIRT_INP, LIBVIRT_OUT, LIBVIRT_FWI, "
	       "LIBVIRT_FWO, LIBVIRT_FWX and of tables nat and mangle LIBVIRT_PRT that name %s: "
	       "'iptables-legacy-save | grep -v %s | iptables-legacy-restore' (ip6tables-legacy-save "
	       "likewise)", net->live->bridge.name, net->live->bridge.name);
}

static void remove_rules(struct netd *d, const struct network *net)
{
	const struct net_def *live = net->live;
	ND_AUTO(free) struct nd_prefix *subnets = calloc(live->n_ips + 1, sizeof(*subnets));
	struct nd_error err = { 0 };
	size_t n;

	if (!subnets)
		return;		/* at the next start */
	for (size_t i = 0; i < live->n_ips; i++)
		subnets[i] = ip_def_prefix(&live->ips[i]);
	if (datapath_remove_libvirt_rules(d->datapath, live->bridge.name, subnets, live->n_ips, &n,
					  &err) < 0)
		nd_log(LOG_WARNING, net->name, "%s", err.text);
	else if (n)
		nd_log(LOG_INFO, net->name, "removed %zu rules of libvirt", n);
	else if (datapath_legacy_iptables())
		legacy_hint(net);
}

bool takeover_is_new(struct netd *d, const struct network *net)
{
	return d->takeover && store_is_left(d->takeover->from, net->name);
}

void takeover_finish(struct netd *d, const struct network *net)
{
	struct nd_error err = { 0 };

	if (!takeover_is_new(d, net))
		return;
	if (forward_mode_is_l3(net->live->forward.mode))
		remove_rules(d, net);
	if (store_forget_left(d->takeover->from, net->name, &err) < 0)
		nd_log(LOG_WARNING, net->name, "%s", err.text);
}

/* ---- netd --import-libvirt ---- */

/* What netd has, as far as names and UUIDs go. */
static void on_own(void *arg, struct net_def *def_taken, bool autostart)
{
	ND_AUTO(net_def_free) struct net_def *def = def_taken;
	struct registry *have = arg;

	if (def->has_uuid && !registry_by_name(have, def->name) &&
	    !registry_by_uuid(have, &def->uuid))
		(void)registry_add(have, def->name, &def->uuid);	/* a clash is then found by its file */
}

/* 1: taken; 0: there already; negative with err. */
static int import_one(const struct takeover *t, const struct registry *have, struct left *l,
		      struct nd_error *err)
{
	const struct network *by_uuid = registry_by_uuid(have, &l->uuid);
	const struct network *by_name = registry_by_name(have, l->name);
	int r;

	if (by_uuid != by_name)
		return nd_error_set(err, ND_ERR_OPERATION_FAILED, "netd has another network of %s",
				    by_uuid ? "its UUID" : "its name");
	if (by_uuid)
		return 0;
	r = net_def_generate(l->def, err);
	if (r == 0)
		r = write_definition(t, l, err);
	return r < 0 ? r : 1;
}

static int import_all(struct takeover *t, const struct registry *have, struct nd_error *err)
{
	unsigned failed = 0;

	for (size_t i = 0; i < t->n_left; i++) {
		struct left *l = &t->left[i];
		struct nd_error e = { 0 };
		int r = import_one(t, have, l, &e);

		failed += r < 0;
		if (r < 0)
			printf("%s: not imported: %s\n", l->name, e.text);
		else
			printf("%s: %s%s\n", l->name, r ? "imported" : "is there already, kept",
			       r && l->autostart ? ", marked to be started" : "");
	}
	return failed ? nd_error_set(err, ND_ERR_OPERATION_FAILED,
				     "%u networks could not be imported", failed) : 0;
}

int takeover_import(const struct paths *paths, const char *dir, struct nd_error *err)
{
	ND_AUTO(takeover_free) struct takeover *t = calloc(1, sizeof(*t));
	ND_AUTO(store_free) struct store *to = NULL;
	ND_AUTO(free) char *autostart = NULL;
	struct registry have = { 0 };
	struct store_loader own = { &have, on_own, NULL }, theirs = { t, on_definition, NULL };
	unsigned skipped;
	int r;

	if (!t || asprintf(&autostart, "%s/autostart", dir) < 0)
		return nd_error_nomem(err);
	if (access(dir, R_OK | X_OK) < 0)
		return nd_error_sys(err, errno, "cannot read '%s'", dir);
	t->paths = (struct paths){ .networks = (char *)dir, .autostart = autostart };
	r = store_new(paths, &to, err);
	if (r == 0)
		r = store_open_left(&t->paths, &t->from, err);
	if (r == 0)
		r = registry_init(&have, err);
	if (r < 0)
		return r;
	t->to = to;
	(void)store_load(to, &own);	/* logs what it skips */
	skipped = store_load(t->from, &theirs);
	r = import_all(t, &have, err);
	if (r == 0 && skipped)
		r = nd_error_set(err, ND_ERR_OPERATION_FAILED, "%u files could not be read", skipped);
	registry_fini(&have);
	return r;
}
