/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/ctl/console.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

/* How often the connection is looked after when nothing happens: its keepalive. */
#define IDLE_MS 5000

struct console {
	struct ctl *ctl;
	bool terminal;			/* standard input is one */
	bool no_input;			/* it has ended */
	bool left, ended;
	uint8_t typed[4096];		/* for the guest, not sent yet */
	size_t n_typed;
	bool failed;			/* the daemon gave it up */
	struct nd_error err;		/* why, or why nothing can be shown */
};

/* ---- from the guest ---- */

static void on_data(void *arg, const uint8_t *bytes, size_t len)
{
	struct console *c = arg;

	while (len && !ctl_interrupted) {
		struct pollfd out = { .fd = STDOUT_FILENO, .events = POLLOUT };
		ssize_t n = write(STDOUT_FILENO, bytes, len);

		if (n < 0 && (errno == EINTR || (errno == EAGAIN && poll(&out, 1, -1) >= 0)))
			continue;
		if (n < 0) {
			nd_error_sys(&c->err, errno, "the console's output cannot be written");
			c->left = true;
			return;
		}
		bytes += n;
		len -= (size_t)n;
	}
}

static void on_end(void *arg, const struct nd_error *err)
{
	struct console *c = arg;

	c->ended = true;
	c->failed = err != NULL;
	if (err)
		c->err = *err;
}

static const struct rpc_client_stream_hooks hooks = { on_data, on_end };

/* ---- to the guest ---- */

static void read_keys(struct console *c)
{
	ssize_t n = read(STDIN_FILENO, c->typed, sizeof(c->typed));
	uint8_t *escape;

	if (n <= 0) {
		if (n == 0 || (errno != EAGAIN && errno != EINTR))
			c->no_input = true;
		c->left |= c->no_input && c->terminal;		/* it was hung up */
		return;
	}
	escape = c->terminal ? memchr(c->typed, c->ctl->escape, (size_t)n) : NULL;
	c->left = escape != NULL;
	c->n_typed = escape ? (size_t)(escape - c->typed) : (size_t)n;
}

static int send_keys(struct console *c, struct nd_error *err)
{
	int r = rpc_client_stream_send(c->ctl->client, c->typed, c->n_typed, err);

	c->n_typed = 0;
	return r;
}

/* ---- both ---- */

/* Keys are sent when the connection takes them at once, and read only then, so that a daemon that
 * waits for us to read is not waited for. */
static int turn(struct console *c, struct nd_error *err)
{
	struct pollfd fds[2] = {
		{ .fd = c->n_typed || c->no_input ? -1 : STDIN_FILENO, .events = POLLIN },
		{ .fd = rpc_client_fd(c->ctl->client),
		  .events = (short)(POLLIN | (c->n_typed ? POLLOUT : 0)) },
	};
	int r = ctl_poll(fds, 2, IDLE_MS);

	if (r < 0)
		return errno == EINTR ? 0 : nd_error_sys(err, errno, "cannot wait for the console");
	if (fds[0].revents)
		read_keys(c);
	if (fds[1].revents & POLLOUT && send_keys(c, err) < 0)
		return -1;
	if (r == 0 || fds[1].revents & ~POLLOUT)
		r = rpc_client_wait(c->ctl->client, 0, err);
	return r == -EINTR ? 0 : r;
}

static int turns(struct console *c, struct nd_error *err)
{
	while (!c->left && !c->ended && !ctl_interrupted)
		if (turn(c, err) < 0)
			return -1;
	if (c->left && c->n_typed && !c->ended && send_keys(c, err) < 0)
		return -1;
	if (c->err.kind != ND_ERR_OK) {
		*err = c->err;
		return -1;
	}
	return 0;
}

static int with_raw_terminal(struct console *c, struct nd_error *err)
{
	struct termios before, raw;
	int r;

	if (!c->terminal)
		return turns(c, err);
	if (tcgetattr(STDIN_FILENO, &before) < 0)
		return nd_error_sys(err, errno, "unable to get tty attributes");
	raw = before;
	cfmakeraw(&raw);
	if (tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) < 0)
		return nd_error_sys(err, errno, "unable to set tty attributes");
	r = turns(c, err);
	/* What the terminal answers to the guest's last bytes is not the shell's. Where it was hung
	 * up there is nothing to put back. */
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
	return r;
}

static int stream_open(struct console *c, const lv_dom *dom, const struct console_options *opt,
		       struct nd_error *err)
{
	lv_str device = (char *)opt->device;	/* only read */
	lv_domain_open_console_args args = { .dom = *dom, .dev_name = device ? &device : NULL,
					     .flags = opt->flags };
	struct rpc_request rq = {
		.program = LV_PROGRAM, .proc = LV_PROC_DOMAIN_OPEN_CONSOLE,
		.args_xdr = CALL_XDR(lv_domain_open_console_args), .args = &args,
	};

	return rpc_client_stream_open(c->ctl->client, &rq, &hooks, c, err);
}

static enum console_end how_ended(const struct console *c)
{
	if (c->failed)
		return CONSOLE_LOST;
	if (c->left)
		return CONSOLE_LEFT;
	return c->ended ? CONSOLE_ENDED : CONSOLE_INTERRUPTED;
}

int console_run(struct ctl *ctl, const lv_dom *dom, const struct console_options *opt,
		enum console_end *how_out, struct nd_error *err)
{
	struct console c = { .ctl = ctl, .terminal = isatty(STDIN_FILENO) };
	struct nd_error second = { 0 };
	int r;

	fflush(stdout);
	*how_out = CONSOLE_REFUSED;
	r = stream_open(&c, dom, opt, err);
	if (opt->resume && dom_call(ctl, LV_PROC_DOMAIN_RESUME, dom, r < 0 ? &second : err) < 0)
		r = -1;
	if (r < 0) {
		(void)rpc_client_stream_finish(ctl->client, &second);	/* err says what went wrong */
		return -1;
	}
	r = with_raw_terminal(&c, err);
	*how_out = rpc_client_is_alive(ctl->client) ? how_ended(&c) : CONSOLE_LOST;
	(void)rpc_client_stream_finish(ctl->client, &second);
	return r < 0 ? -1 : 0;
}

int console_need_terminal(void)
{
	return isatty(STDIN_FILENO)
	       ? 0 : ctl_error("Cannot run interactive console without a controlling TTY");
}

void console_greet(const struct ctl *ctl, const lv_dom *dom)
{
	ctl_say(ctl, "Connected to domain '%s'\n", dom->name);
	if (iscntrl(ctl->escape))
		ctl_say(ctl, "Escape character is ^%c (Ctrl + %c)\n", ctl->escape ^ 0x40,
			ctl->escape ^ 0x40);
	else
		ctl_say(ctl, "Escape character is %c\n", ctl->escape);
}

int console_show(struct ctl *ctl, const lv_dom *dom, const struct console_options *opt,
		 struct nd_error *err)
{
	enum console_end how;
	int state, r;

	if (dom_state(ctl, dom, &state, NULL, err) < 0)
		return ctl_error("Unable to get domain status");
	if (state == DOM_STATE_SHUT_OFF)
		return ctl_error("The domain is not running");
	if (console_need_terminal() < 0)
		return -1;
	console_greet(ctl, dom);
	ctl_interrupt_begin();
	r = console_run(ctl, dom, opt, &how, err);
	ctl_interrupt_end();
	return r;
}
