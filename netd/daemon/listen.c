/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/listen.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>

#include "netd/base/effect.h"
#include "netd/base/log.h"
#include "netd/base/str.h"

static const char *socket_path(const struct netd *d, bool read_only)
{
	if (read_only)
		return d->config.socket_ro ? d->config.socket_ro : d->paths.socket_ro;
	return d->config.socket ? d->config.socket : d->paths.socket;
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

/* Whether somebody answers there. */
static bool answered(const struct sockaddr_un *addr)
{
	ND_AUTO(close) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd >= 0 && (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0 ||
			   errno == EAGAIN);
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

int listen_all(struct netd *d, struct nd_error *err)
{
	char **names = NULL;
	int n = sd_listen_fds_with_names(1, &names), r = 0;
	int rw = passed(n, names, "netd.socket"), ro = passed(n, names, "netd-ro.socket");
	gid_t group = socket_group(d);

	for (int i = 0; i < n && names; i++)
		free(names[i]);
	free(names);
	if (rw < 0)
		r = open_socket(socket_path(d, false), 0660, group, &rw, err);
	if (r == 0)
		r = rpc_server_listen(d->rpc, rw, false, group, err);
	if (r == 0 && ro < 0)
		r = open_socket(socket_path(d, true), 0666, (gid_t)-1, &ro, err);
	if (r == 0)
		r = rpc_server_listen(d->rpc, ro, true, (gid_t)-1, err);
	d->own_sockets = r == 0 && n <= 0;
	return r;
}

void listen_end(struct netd *d)
{
	if (!d->own_sockets)
		return;
	(void)unlink(socket_path(d, false));	/* a leftover is replaced at the next start */
	(void)unlink(socket_path(d, true));
}
