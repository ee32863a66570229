/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "netd/base/effect.h"
#include "netd/base/log.h"
#include "netd/base/str.h"
#include "netd/daemon/docs.h"
#include "netd/daemon/file.h"

#define SUFFIX DOCS_SUFFIX
#define LIVE_HEAD "<networkstatus>\n  <class_id bitmap='0-2'/>\n  <floor sum='0'/>\n"
#define LIVE_TAIL "</networkstatus>\n"
#define PORT_HEAD "<portstatus ifname='%s' plugged='%s'>\n"
#define PORT_TAIL "</portstatus>\n"

struct store {
	const struct paths *paths;
	int networks_fd, autostart_fd, live_fd, ports_fd;
};

static int open_dir(const char *path, int *out, struct nd_error *err)
{
	*out = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *out < 0 ? nd_error_sys(err, errno, "cannot open directory '%s'", path) : 0;
}

int store_new(const struct paths *paths, struct store **out, struct nd_error *err)
{
	ND_AUTO(store_free) struct store *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return nd_error_nomem(err);
	*s = (struct store){ paths, -1, -1, -1, -1 };
	r = open_dir(paths->networks, &s->networks_fd, err);
	if (r == 0)
		r = open_dir(paths->autostart, &s->autostart_fd, err);
	if (r == 0)
		r = open_dir(paths->live, &s->live_fd, err);
	if (r == 0)
		r = open_dir(paths->ports, &s->ports_fd, err);
	if (r < 0)
		return r;
	*out = nd_take_ptr(&s);
	return 0;
}

static int open_left_dir(const char *path, int *out, struct nd_error *err)
{
	*out = path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	return path && *out < 0 && errno != ENOENT ?
	       nd_error_sys(err, errno, "cannot open directory '%s'", path) : 0;
}

int store_open_left(const struct paths *paths, struct store **out, struct nd_error *err)
{
	ND_AUTO(store_free) struct store *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return nd_error_nomem(err);
	*s = (struct store){ paths, -1, -1, -1, -1 };
	r = open_left_dir(paths->networks, &s->networks_fd, err);
	if (r == 0)
		r = open_left_dir(paths->autostart, &s->autostart_fd, err);
	if (r == 0)
		r = open_left_dir(paths->live, &s->live_fd, err);
	if (r < 0)
		return r;
	*out = nd_take_ptr(&s);
	return 0;
}

void store_free(struct store *s)
{
	if (!s)
		return;
	for (int *fd = &s->networks_fd; fd <= &s->ports_fd; fd++)
		if (*fd >= 0)
			close(*fd);
	free(s);
}

static char *format_definition(const struct net_def *def)
{
	ND_AUTO(free) char *xml = net_def_format(def, NET_FORMAT_INACTIVE);
	ND_AUTO(nd_str_free) struct nd_str text = { 0 };

	if (!xml)
		return NULL;
	nd_str_add(&text, "<!--\nWARNING: THIS IS AN AUTO-GENERATED FILE. CHANGES TO IT ARE LIKELY TO BE\n"
			  "OVERWRITTEN AND LOST. Changes to this xml configuration should be made using:\n"
			  "  netdctl net-edit ");
	/* "--" would end the comment early */
	for (const char *c = def->name; *c; c++)
		nd_str_addn(&text, *c == '-' && c[1] == '-' ? "- " : c, *c == '-' && c[1] == '-' ? 2 : 1);
	nd_str_add(&text, "\n-->\n\n");
	nd_str_add(&text, xml);
	return nd_str_take(&text);
}

int store_write_definition(struct store *s, const struct net_def *def, struct nd_error *err)
{
	ND_AUTO(free) char *text = format_definition(def);
	char file[NAME_MAX + 1];
	int r = docs_file_name("network", def->name, file, err);

	if (r < 0)
		return r;
	if (!text)
		return nd_error_nomem(err);
	r = file_replace(s->networks_fd, file, text, 0600, true);
	if (r < 0)
		return nd_error_sys(err, -r, "cannot write '%s/%s'", s->paths->networks, file);
	return 0;
}

int store_remove_definition(struct store *s, const char *name, struct nd_error *err)
{
	char file[NAME_MAX + 1];
	int r = docs_file_name("network", name, file, err);

	if (r < 0)
		return r;
	r = file_remove(s->networks_fd, file, true);
	if (r < 0)
		return nd_error_sys(err, -r, "cannot remove '%s/%s'", s->paths->networks, file);
	return 0;
}

int store_set_autostart(struct store *s, const char *name, bool on, struct nd_error *err)
{
	char file[NAME_MAX + 1];
	int r = docs_file_name("network", name, file, err);

	if (r < 0)
		return r;
	r = on ? docs_link(s->autostart_fd, file) : file_remove(s->autostart_fd, file, true);
	if (r < 0)
		return nd_error_sys(err, -r, "cannot %s '%s/%s'", on ? "make link" : "remove",
				    s->paths->autostart, file);
	return 0;
}

/* Each line two blanks further in. */
static void add_indented(struct nd_str *out, const char *xml)
{
	while (*xml) {
		size_t len = strcspn(xml, "\n");

		nd_str_add(out, "  ");
		nd_str_addn(out, xml, len);
		nd_str_add(out, "\n");
		xml += len + (xml[len] == '\n');
	}
}

int store_write_live(struct store *s, const struct net_def *live, struct nd_error *err)
{
	ND_AUTO(free) char *xml = net_def_format(live, NET_FORMAT_INACTIVE);
	ND_AUTO(nd_str_free) struct nd_str text = { 0 };
	char file[NAME_MAX + 1];
	int r = docs_file_name("network", live->name, file, err);

	if (r < 0)
		return r;
	if (xml) {
		nd_str_add(&text, LIVE_HEAD);
		nd_str_add(&text, xml);		/* not indented: text in metadata must not change */
		nd_str_add(&text, LIVE_TAIL);
	}
	if (!xml || text.failed)
		return nd_error_nomem(err);
	r = file_replace(s->live_fd, file, text.text, 0600, false);
	if (r < 0)
		return nd_error_sys(err, -r, "cannot write '%s/%s'", s->paths->live, file);
	return 0;
}

int store_remove_live(struct store *s, const char *name, struct nd_error *err)
{
	char file[NAME_MAX + 1];
	int r = docs_file_name("network", name, file, err);

	if (r < 0)
		return r;
	r = file_remove(s->live_fd, file, false);
	if (r < 0)
		return nd_error_sys(err, -r, "cannot remove '%s/%s'", s->paths->live, file);
	return 0;
}

/* The directory of one network's ports, made when it is missing; -errno. */
static int open_ports(struct store *s, const struct nd_uuid *net, bool make)
{
	char uuid[ND_UUID_STRLEN];
	int fd, r;

	nd_uuid_format(net, uuid);
	fd = openat(s->ports_fd, uuid, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0 || errno != ENOENT || !make)
		return fd < 0 ? -errno : fd;
	r = nd_effect(ND_EFFECT_FILE, "mkdir");
	if (r < 0)
		return r;
	if (mkdirat(s->ports_fd, uuid, 0700) < 0)
		return -errno;
	fd = openat(s->ports_fd, uuid, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

static void port_file(const struct nd_uuid *port, char out[ND_UUID_STRLEN + sizeof(SUFFIX)])
{
	nd_uuid_format(port, out);
	strcat(out, SUFFIX);
}

int store_write_port(struct store *s, const struct nd_uuid *net, const struct port_def *port,
		     const struct port_state *state, struct nd_error *err)
{
	ND_AUTO(free) char *xml = port_def_format(port);
	ND_AUTO(nd_str_free) struct nd_str text = { 0 };
	ND_AUTO(close) int dir = open_ports(s, net, true);
	char file[ND_UUID_STRLEN + sizeof(SUFFIX)];
	int r = dir;

	port_file(&port->uuid, file);
	if (xml) {
		nd_str_addf(&text, PORT_HEAD, state->ifname, state->plugged ? "yes" : "no");
		add_indented(&text, xml);
		nd_str_add(&text, PORT_TAIL);
	}
	if (!xml || text.failed)
		return nd_error_nomem(err);
	if (dir >= 0)
		r = file_replace(dir, file, text.text, 0600, false);
	if (r < 0)
		return nd_error_sys(err, -r, "cannot write port '%s' below '%s'", file,
				    s->paths->ports);
	return 0;
}

int store_remove_port(struct store *s, const struct nd_uuid *net, const struct nd_uuid *port,
		      struct nd_error *err)
{
	ND_AUTO(close) int dir = open_ports(s, net, false);
	char file[ND_UUID_STRLEN + sizeof(SUFFIX)];
	int r = dir;

	port_file(port, file);
	if (dir >= 0)
		r = file_remove(dir, file, false);
	if (r < 0 && r != -ENOENT)
		return nd_error_sys(err, -r, "cannot remove port '%s' below '%s'", file,
				    s->paths->ports);
	return 0;
}

/* Empties and removes a directory without subdirectories; one that is not there is fine. */
static int remove_dir(int parent_fd, const char *name, const char *path, struct nd_error *err)
{
	int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW), r;
	struct dirent *entry;
	DIR *dir;

	if (fd < 0)
		return errno == ENOENT ? 0 : nd_error_sys(err, errno, "cannot open '%s/%s'", path, name);
	r = nd_effect(ND_EFFECT_FILE, "remove directory");
	dir = r < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		close(fd);
		return nd_error_sys(err, r < 0 ? -r : errno, "cannot remove '%s/%s'", path, name);
	}
	while ((entry = readdir(dir)))
		if (!nd_streq(entry->d_name, ".") && !nd_streq(entry->d_name, ".."))
			(void)unlinkat(fd, entry->d_name, 0);	/* the rmdir below tells */
	closedir(dir);
	if (unlinkat(parent_fd, name, AT_REMOVEDIR) < 0)
		return nd_error_sys(err, errno, "cannot remove '%s/%s'", path, name);
	return 0;
}

int store_remove_ports(struct store *s, const struct nd_uuid *net, struct nd_error *err)
{
	char uuid[ND_UUID_STRLEN];

	return remove_dir(s->ports_fd, nd_uuid_format(net, uuid), s->paths->ports, err);
}

/* ---- loading ---- */

struct load {
	struct store *store;
	unsigned skipped;
	const struct store_loader *loader;
};

/* Parses a network's document and checks that it is in the file of its name. */
static struct net_def *load_def(const char *path, const char *file, const char *text, size_t len)
{
	ND_AUTO(net_def_free) struct net_def *def = NULL;
	struct nd_error err = { 0 };
	char message[1200];

	if (net_def_parse(text, len, &def, &err) < 0) {
		nd_error_format(&err, message, sizeof(message));
		nd_log(LOG_ERR, NULL, "%s/%s: skipped: %s", path, file, message);
		return NULL;
	}
	if (strlen(file) - strlen(SUFFIX) != strlen(def->name) ||
	    strncmp(file, def->name, strlen(def->name)) != 0) {
		nd_log(LOG_ERR, NULL, "%s/%s: skipped: the network in it is called '%s'", path, file,
		       def->name);
		return NULL;
	}
	for (size_t i = 0; i < def->n_warnings; i++)
		nd_log(LOG_WARNING, def->name, "%s/%s: %s", path, file, def->warnings[i]);
	return nd_take_ptr(&def);
}

/* libvirt's links are absolute, and lead nowhere in a copy of its folder. */
static bool is_linked(const struct store *s, const char *file)
{
	struct stat st;

	return s->autostart_fd >= 0 && fstatat(s->autostart_fd, file, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void load_definition(void *arg, const char *file, const char *text, size_t len)
{
	struct load *load = arg;
	struct net_def *def = load_def(load->store->paths->networks, file, text, len);

	if (!def)
		load->skipped++;
	else
		load->loader->definition(load->loader->arg, def,
					 is_linked(load->store, file));
}

static void load_live(void *arg, const char *file, const char *text, size_t len)
{
	struct load *load = arg;
	const char *doc = strstr(text, "<networkstatus>");
	struct net_def *def;

	/* "<network" alone would also find the status element */
	doc = doc ? docs_inner(doc + strlen("<networkstatus>"), &len, "<network", "</network>") : NULL;
	if (!doc) {
		load->skipped++;
		nd_log(LOG_ERR, NULL, "%s/%s: skipped: not a whole status file",
		       load->store->paths->live, file);
		return;
	}
	def = load_def(load->store->paths->live, file, doc, len);
	if (!def)
		load->skipped++;
	else
		load->loader->live(load->loader->arg, def);
}

unsigned store_load(struct store *s, const struct store_loader *loader)
{
	struct load load = { .store = s, .loader = loader };

	if (loader->definition && s->networks_fd >= 0)	/* see store_open_left() */
		load.skipped += docs_each(s->networks_fd, s->paths->networks, load_definition, &load);
	if (loader->live && s->live_fd >= 0)
		load.skipped += docs_each(s->live_fd, s->paths->live, load_live, &load);
	return load.skipped;
}

void store_sweep_ports(struct store *s, bool (*wanted)(void *arg, const struct nd_uuid *uuid),
		       void *arg)
{
	int fd = openat(s->ports_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	struct nd_uuid uuid;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((entry = readdir(dir)))
		if (nd_uuid_parse(entry->d_name, &uuid) && !wanted(arg, &uuid))
			(void)store_remove_ports(s, &uuid, NULL);	/* again at the next start */
	closedir(dir);
}

void store_sweep(struct store *s)
{
	file_sweep(s->networks_fd);
	file_sweep(s->autostart_fd);
	file_sweep(s->live_fd);
	docs_sweep_links(s->autostart_fd);
}

struct load_ports {
	unsigned skipped;
	const char *path;
	void (*port)(void *arg, struct port_def *def, const struct port_state *state);
	void *arg;
};

static void load_port(void *arg, const char *file, const char *text, size_t len)
{
	struct load_ports *load = arg;
	struct port_state state = { 0 };
	struct port_def *def = NULL;
	struct nd_error err = { 0 };
	const char *doc = docs_inner(text, &len, "<networkport", "</networkport>");
	char plugged[4] = "";

	/* interface names that netd puts here have neither blanks nor quotes */
	if (!doc || (sscanf(text, "<portstatus ifname='%15[^']' plugged='%3[a-z]'", state.ifname, plugged) != 2 &&
		     sscanf(text, "<portstatus ifname='' plugged='%3[a-z]'", plugged) != 1)) {
		load->skipped++;
		nd_log(LOG_ERR, NULL, "%s/%s: skipped: not a whole port file", load->path, file);
		return;
	}
	state.plugged = nd_streq(plugged, "yes");
	if (port_def_parse(doc, len, &def, &err) == 0) {
		load->port(load->arg, def, &state);
		return;
	}
	load->skipped++;
	nd_log(LOG_ERR, NULL, "%s/%s: skipped: %s", load->path, file, err.text);
}

unsigned store_load_ports(struct store *s, const struct nd_uuid *net,
			  void (*port)(void *arg, struct port_def *def,
				       const struct port_state *state),
			  void *arg)
{
	struct load_ports load = { .path = s->paths->ports, .port = port, .arg = arg };
	ND_AUTO(close) int dir = open_ports(s, net, false);

	if (dir < 0)
		return 0;	/* no ports */
	file_sweep(dir);
	load.skipped += docs_each(dir, s->paths->ports, load_port, &load);
	return load.skipped;
}

bool store_has_autostarted(struct store *s)
{
	return faccessat(s->live_fd, "../autostarted", F_OK, 0) == 0;
}

void store_note_autostarted(struct store *s)
{
	int r = nd_effect(ND_EFFECT_FILE, "note that autostart is through");
	int fd = r < 0 ? r : openat(s->live_fd, "../autostarted", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd >= 0)
		close(fd);
	else	/* the next netd starts what somebody may have stopped meanwhile */
		nd_log(LOG_WARNING, NULL, "cannot note that the networks of this boot were started: %s",
		       strerror(r < 0 ? -r : errno));
}

/* ---- what another program left ---- */

static void load_left_port(void *arg, const char *file, const char *text, size_t len)
{
	struct load_ports *load = arg;
	const char *doc = docs_inner(text, &len, "<networkport", "</networkport>");
	struct port_state state = { 0 };
	struct port_def *def = NULL;
	struct nd_error err = { 0 };

	if (doc && port_def_parse(doc, len, &def, &err) == 0) {
		load->port(load->arg, def, &state);
		return;
	}
	load->skipped++;
	nd_log(LOG_ERR, NULL, "%s: port '%s' skipped: %s", load->path, file,
	       doc ? err.text : "not a whole document");
}

/* NAME/ports below the live folder; -errno. */
static int open_left_ports(struct store *s, const char *name)
{
	ND_AUTO(close) int dir = openat(s->live_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	int ports = dir < 0 ? -1 : openat(dir, "ports", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	return ports < 0 ? -errno : ports;
}

unsigned store_load_left_ports(struct store *s, const char *name,
			       void (*port)(void *arg, struct port_def *def,
					    const struct port_state *state),
			       void *arg)
{
	struct load_ports load = { .path = s->paths->live, .port = port, .arg = arg };
	ND_AUTO(close) int dir = open_left_ports(s, name);

	if (dir < 0)
		return 0;	/* no ports */
	load.skipped += docs_each(dir, s->paths->live, load_left_port, &load);
	return load.skipped;
}

bool store_is_left(struct store *s, const char *name)
{
	char file[NAME_MAX + 1];

	return s->live_fd >= 0 && docs_file_name("network", name, file, NULL) == 0 &&
	       faccessat(s->live_fd, file, F_OK, 0) == 0;
}

int store_forget_left(struct store *s, const char *name, struct nd_error *err)
{
	ND_AUTO(close) int dir = openat(s->live_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	char file[NAME_MAX + 1];
	int r = 0;

	if (dir >= 0)
		r = remove_dir(dir, "ports", s->paths->live, err);
	if (r == 0 && dir >= 0)
		r = remove_dir(s->live_fd, name, s->paths->live, err);
	if (r < 0)
		return r;
	snprintf(file, sizeof(file), "%.*s.pid", NAME_MAX - 4, name);
	r = file_remove(s->live_fd, file, false);
	/* Last: it says that there is something to be forgotten. */
	return r < 0 ? nd_error_sys(err, -r, "cannot remove '%s/%s'", s->paths->live, file)
		     : store_remove_live(s, name, err);
}
