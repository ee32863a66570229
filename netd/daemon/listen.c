/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/listen.h"

#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <systemd/sd-daemon.h>

#include "netd/base/effect.h"
#include "netd/base/log.h"
#include "netd/base/str.h"

/* A socket: what systemd calls it when it passes it, and where else it is made. */
struct place {
	const char *unit;
	const char *path;	/* NULL: only when it is passed */
	bool read_only;
};

enum { PLACES = 4 };

#define LIBVIRT_UNIT "netd-libvirt.socket"

static void list_places(const struct netd *d, struct place out[PLACES])
{
	const struct netd_config *c = &d->config;
	const struct paths *p = &d->paths;

	out[0] = (struct place){ "netd.socket", c->socket ? c->socket : p->socket, false };
	out[1] = (struct place){ "netd-ro.socket", c->socket_ro ? c->socket_ro : p->socket_ro, true };
	out[2] = (struct place){ LIBVIRT_UNIT, c->libvirt_sockets ? p->libvirt_socket : NULL, false };
	out[3] = (struct place){ "netd-libvirt-ro.socket", c->libvirt_sockets ? p->libvirt_socket_ro : NULL,
				 true };
}

/* The folder is libvirt's: it is there, or /run is there. */
static int make_folder_of(const char *path, struct nd_error *err)
{
	ND_AUTO(free) char *copy = strdup(path);
	int r;

	if (!copy)
		return nd_error_nomem(err);
	*strrchr(copy, '/') = '\0';
	if (access(copy, F_OK) == 0)
		return 0;
	r = nd_effect(ND_EFFECT_FILE, "mkdir");
	if (r == 0 && mkdir(copy, 0755) < 0)
		r = -errno;
	return r < 0 && r != -EEXIST ? nd_error_sys(err, -r, "cannot make directory '%s'", copy) : 0;
}

static int make_address(const char *path, struct sockaddr_un *out, struct nd_error *err)
{
	*out = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(out->sun_path))
		return nd_error_set(err, ND_ERR_CONFIG_UNSUPPORTED,
				    "socket path '%s' is longer than %zu characters", path,
				    sizeof(out->sun_path) - 1);
	strcpy(out->sun_path, path);
	return 0;
}

#define HANG_UP_MS 1000

/* Whether somebody answers there. The socket of a netd that was killed may listen on for a moment: in
 * the copy that a child has which was about to execute its program. Then it hangs up. */
static bool answered(const struct sockaddr_un *addr)
{
	ND_AUTO(close) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct pollfd p = { .fd = fd, .events = POLLRDHUP };

	if (fd < 0)
		return false;
	if (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0)
		return errno == EAGAIN;
	return poll(&p, 1, HANG_UP_MS) == 0;
}

int listen_unanswered(const struct netd *d, struct nd_error *err)
{
	const char *path = d->config.socket ? d->config.socket : d->paths.socket;
	struct sockaddr_un addr;
	int r = make_address(path, &addr, err);

	if (r == 0 && answered(&addr))
		r = nd_error_set(err, ND_ERR_OPERATION_FAILED, "netd runs and answers on '%s': stop it "
				 "first", path);
	return r;
}

/* mode: who may connect at all; peers are judged again by their credentials. */
static int open_socket(const char *path, mode_t mode, gid_t gid, int *out, struct nd_error *err)
{
	ND_AUTO(close) int fd = -1;
	struct sockaddr_un addr;
	mode_t mask;
	int r = make_address(path, &addr, err);

	if (r < 0)
		return r;
	if (answered(&addr))
		return nd_error_set(err, ND_ERR_OPERATION_FAILED,
				    "another daemon already answers on '%s'", path);
	r = nd_effect(ND_EFFECT_FILE, "bind socket");
	if (r < 0)
		return nd_error_sys(err, -r, "cannot listen on '%s'", path);
	(void)unlink(path);	/* bind says what is wrong when it is still there */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mask = umask(0777 & ~mode);
	r = fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ? -errno : 0;
	umask(mask);
	if (r == 0 && gid != (gid_t)-1 && chown(path, (uid_t)-1, gid) < 0)
		r = -errno;
	if (r == 0 && listen(fd, 4096) < 0)
		r = -errno;
	if (r < 0)
		return nd_error_sys(err, -r, "cannot listen on '%s'", path);
	*out = nd_take_fd(&fd);
	return 0;
}

/* The group of the read-write socket; (gid_t)0 (root's alone) when there is none. */
static gid_t socket_group(const struct netd *d)
{
	const struct group *group = d->config.group[0] ? getgrnam(d->config.group) : NULL;

	if (!group && d->config.group[0])
		nd_log(LOG_NOTICE, NULL, "there is no group '%s': only root may change networks",
		       d->config.group);
	return group ? group->gr_gid : 0;
}

/* The descriptor that systemd passed under the name, or -1. */
static int passed(int n, char **names, const char *name)
{
	for (int i = 0; i < n; i++)
		if (names && names[i] && nd_streq(names[i], name))
			return SD_LISTEN_FDS_START + i;
	return -1;
}

static void free_names(int n, char **names)
{
	for (int i = 0; i < n && names; i++)
		free(names[i]);
	free(names);
}

bool listen_in_place_of_libvirt(const struct netd *d)
{
	char **names = NULL;
	int n = sd_listen_fds_with_names(0, &names);
	bool is = d->config.libvirt_sockets || passed(n, names, LIBVIRT_UNIT) >= 0;

	free_names(n, names);
	return is;
}

static int listen_place(struct netd *d, const struct place *place, int fd, struct nd_error *err)
{
	/* Where polkit decides, everybody may ask. */
	bool open_to_all = place->read_only || d->config.access_polkit;
	gid_t gid = open_to_all ? (gid_t)-1 : d->group;
	int r = 0;

	if (fd < 0 && !place->path)
		return 0;
	if (fd < 0 && place->path == (place->read_only ? d->paths.libvirt_socket_ro : d->paths.libvirt_socket))
		r = make_folder_of(place->path, err);
	if (r == 0 && fd < 0)
		r = open_socket(place->path, open_to_all ? 0666 : 0660, gid, &fd, err);
	return r < 0 ? r : rpc_server_listen(d->rpc, fd, place->read_only, gid, err);
}

int listen_all(struct netd *d, struct nd_error *err)
{
	struct place places[PLACES];
	char **names = NULL;
	int n = sd_listen_fds_with_names(1, &names), r = 0;

	d->group = socket_group(d);
	list_places(d, places);
	for (size_t i = 0; i < PLACES && r == 0; i++)
		r = listen_place(d, &places[i], passed(n, names, places[i].unit), err);
	free_names(n, names);
	d->own_sockets = r == 0 && n <= 0;
	return r;
}

void listen_end(struct netd *d)
{
	struct place places[PLACES];

	if (!d->own_sockets)
		return;
	list_places(d, places);
	for (size_t i = 0; i < PLACES; i++)
		if (places[i].path)
			(void)unlink(places[i].path);	/* a leftover is replaced at the next start */
}
