/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/rpc/connect.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "netd/base/auto.h"
#include "netd/base/effect.h"
#include "netd/base/str.h"

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

static int connect_unix(const char *path, struct rpc_connection *out, struct nd_error *err)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	ND_AUTO(close) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return nd_error_sys(err, errno, "Failed to create socket");
	if (strlen(path) >= sizeof(sa.sun_path))
		return nd_error_set(err, ND_ERR_INVALID_ARG,
				    "socket path '%s' is longer than %zu characters", path,
				    sizeof(sa.sun_path) - 1);
	strcpy(sa.sun_path, path);
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return nd_error_sys(err, errno, "Failed to connect socket to '%s'", path);
	*out = (struct rpc_connection){ .fd = nd_take_fd(&fd) };
	return 0;
}

/* In single quotes for the shell at the other end. */
static void add_quoted(struct nd_str *s, const char *text)
{
	nd_str_add(s, "'");
	for (; *text; text++) {
		if (*text == '\'')
			nd_str_add(s, "'\\''");
		else
			nd_str_addn(s, text, 1);
	}
	nd_str_add(s, "'");
}

/* What runs on the other host: netd's own proxy, or netcat for libvirt's daemons. */
static char *remote_command(const struct rpc_uri *uri, bool read_only)
{
	ND_AUTO(free) char *socket = rpc_uri_socket(uri, read_only, NULL);
	ND_AUTO(nd_str_free) struct nd_str s = { 0 };

	if (!socket)
		return NULL;
	nd_str_add(&s, nd_streq(uri->driver, "netd") ? "netdctl proxy " : "nc -U ");
	add_quoted(&s, socket);
	return nd_str_take(&s);
}

static void run_ssh(const struct rpc_uri *uri, char *command, int fd)
{
	char *argv[16];
	int n = 0;

	argv[n++] = uri->command ? uri->command : (char *)"ssh";
	argv[n++] = (char *)"-T";
	argv[n++] = (char *)"-e";
	argv[n++] = (char *)"none";
	if (uri->port) {
		argv[n++] = (char *)"-p";
		argv[n++] = uri->port;
	}
	if (uri->user) {
		argv[n++] = (char *)"-l";
		argv[n++] = uri->user;
	}
	if (uri->keyfile) {
		argv[n++] = (char *)"-i";
		argv[n++] = uri->keyfile;
	}
	argv[n++] = (char *)"--";
	argv[n++] = uri->host;
	argv[n++] = command;
	argv[n] = NULL;
	if (dup2(fd, STDIN_FILENO) >= 0 && dup2(fd, STDOUT_FILENO) >= 0)
		execvp(argv[0], argv);
	dprintf(STDERR_FILENO, "error: cannot run %s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

static int connect_ssh(const struct rpc_uri *uri, bool read_only, struct rpc_connection *out,
		       struct nd_error *err)
{
	ND_AUTO(free) char *command = remote_command(uri, read_only);
	ND_AUTO(close) int ours = -1;
	ND_AUTO(close) int theirs = -1;
	int pair[2];
	pid_t pid;

	if (!command)
		return nd_error_nomem(err);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return nd_error_sys(err, errno, "cannot make a socket for ssh");
	ours = pair[0];
	theirs = pair[1];
	if (nd_effect(ND_EFFECT_PROCESS, "fork ssh") < 0)
		return nd_error_sys(err, EAGAIN, "cannot start ssh");
	pid = fork();
	if (pid < 0)
		return nd_error_sys(err, errno, "cannot start ssh");
	if (pid == 0)
		run_ssh(uri, command, theirs);
	*out = (struct rpc_connection){ .fd = nd_take_fd(&ours), .carrier = pid };
	return 0;
}

int rpc_connect(const struct rpc_uri *uri, bool read_only, struct rpc_connection *out,
		struct nd_error *err)
{
	ND_AUTO(free) char *path = NULL;

	if (uri->transport == RPC_TRANSPORT_SSH)
		return connect_ssh(uri, read_only, out, err);
	path = rpc_uri_socket(uri, read_only, exists);
	return path ? connect_unix(path, out, err) : nd_error_nomem(err);
}

void rpc_connection_close(struct rpc_connection *c)
{
	if (c->fd >= 0)
		close(c->fd);
	while (c->carrier > 0 && waitpid(c->carrier, NULL, 0) < 0 && errno == EINTR)
		;
	*c = (struct rpc_connection){ .fd = -1 };
}
