/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/guest_console.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "netd/base/str.h"
#include "netd/daemon/netd.h"

/* What a client may have typed that the guest has not read. */
#define TYPED_MAX 65536u
#define READ_MAX 16384u
#define DRAIN_READS 32

struct guest_console {
	struct guest *guest;
	struct rpc_stream *stream;	/* NULL once it has ended */
	int fd;
	sd_event_source *source;
	uint8_t *typed;
	size_t n_typed;
};

static void console_free(struct guest_console *c)
{
	sd_event_source_disable_unref(c->source);
	close(c->fd);
	free(c->typed);
	c->guest->console = NULL;
	free(c);
}

static void watch(struct guest_console *c)
{
	uint32_t events = (rpc_stream_may_send(c->stream) ? EPOLLIN : 0u) |
			  (c->n_typed ? EPOLLOUT : 0u);

	(void)sd_event_source_set_io_events(c->source, events);	/* it exists */
	/* without events a hang-up would be told again and again */
	(void)sd_event_source_set_enabled(c->source, events ? SD_EVENT_ON : SD_EVENT_OFF);
}

static void flush_typed(struct guest_console *c)
{
	ssize_t n = c->n_typed ? write(c->fd, c->typed, c->n_typed) : 0;

	if (n <= 0)
		return;
	c->n_typed -= (size_t)n;
	memmove(c->typed, c->typed + n, c->n_typed);
}

static int on_terminal(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	struct guest_console *c = arg;
	uint8_t bytes[READ_MAX];
	ssize_t n = 0;

	if (events & EPOLLOUT)
		flush_typed(c);
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
		n = read(fd, bytes, sizeof(bytes));
		if (n > 0)
			rpc_stream_send(c->stream, bytes, (size_t)n);
		else if (n == 0 || errno != EAGAIN) {
			rpc_stream_end(c->stream);
			console_free(c);
			return 0;
		}
	}
	watch(c);
	return 0;
}

static void on_data(void *arg, const uint8_t *bytes, size_t len)
{
	struct guest_console *c = arg;
	struct nd_error err = { 0 };

	if (len > TYPED_MAX - c->n_typed) {
		nd_error_set(&err, ND_ERR_OPERATION_FAILED, "the guest does not read its console");
		rpc_stream_fail(c->stream, &err);
		console_free(c);
		return;
	}
	memcpy(c->typed + c->n_typed, bytes, len);
	c->n_typed += len;
	flush_typed(c);
	watch(c);
}

static void on_ready(void *arg)
{
	watch(arg);
}

static void on_closed(void *arg)
{
	console_free(arg);
}

static const struct rpc_stream_hooks hooks = { on_data, on_ready, on_closed };

/* What a dead guest has left in its terminal, which holds some pages at most. */
static void drain(struct guest_console *c)
{
	uint8_t bytes[READ_MAX];
	ssize_t n;

	for (int i = 0; i < DRAIN_READS && (n = read(c->fd, bytes, sizeof(bytes))) > 0; i++)
		rpc_stream_send(c->stream, bytes, (size_t)n);
}

void guest_console_end(struct guest *g)
{
	if (g->console) {
		drain(g->console);
		rpc_stream_end(g->console->stream);
		console_free(g->console);
	}
	if (g->terminal_fd >= 0)
		close(g->terminal_fd);
	g->terminal_fd = -1;
}

static int open_terminal(struct guest *g, const char *device, int *fd_out, struct nd_error *err)
{
	const struct dom_serial *console = g->live && g->live->n_consoles ? &g->live->consoles[0] : NULL;

	if (!g->live)
		return nd_error_set(err, ND_ERR_OPERATION_INVALID, "domain is not running");
	if (!console || !console->tty)
		return nd_error_set(err, ND_ERR_INTERNAL, "cannot find default console device");
	if (device && !nd_streq0(console->info.alias, device))
		return nd_error_set(err, ND_ERR_INVALID_ARG, "cannot find console device '%.100s'", device);
	*fd_out = open(console->tty, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (*fd_out < 0)
		return nd_error_sys(err, errno, "cannot open the terminal '%s'", console->tty);
	return 0;
}

int guest_console_open(struct guest *g, struct rpc_call *call, const char *device, bool force,
		       struct nd_error *err)
{
	ND_AUTO(close) int fd = -1;
	struct nd_error turned_away = { 0 };
	struct guest_console *c;
	int r = open_terminal(g, device, &fd, err);

	if (r < 0)
		return r;
	if (g->console && !force)
		return nd_error_set(err, ND_ERR_OPERATION_FAILED,
				    "Active console session exists for this domain");
	if (g->console) {
		nd_error_set(&turned_away, ND_ERR_OPERATION_FAILED, "another client took the console");
		rpc_stream_fail(g->console->stream, &turned_away);
		console_free(g->console);
	}
	c = calloc(1, sizeof(*c));
	if (!c)
		return nd_error_nomem(err);
	c->guest = g;
	c->fd = nd_take_fd(&fd);
	c->typed = malloc(TYPED_MAX);
	r = c->typed ? sd_event_add_io(g->netd->event, &c->source, c->fd, EPOLLIN, on_terminal, c)
		     : -ENOMEM;
	r = r < 0 ? nd_error_sys(err, -r, "cannot watch the console")
		  : rpc_stream_open(call, &hooks, c, &c->stream, err);
	if (r < 0) {
		console_free(c);
		return r;
	}
	g->console = c;
	return 0;
}
