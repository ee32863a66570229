/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/ctl/ctl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "netd/base/auto.h"
#include "netd/ctl/words.h"

volatile sig_atomic_t ctl_interrupted;

static void on_signal(int sig)
{
	ctl_interrupted = 1;
}

/* Those that end a command which waits: the user, the system, the terminal that goes away. */
static const int signals[] = { SIGINT, SIGTERM, SIGHUP };

static void on_signals(struct sigaction sa)
{
	for (size_t i = 0; i < ND_COUNT(signals); i++)
		sigaction(signals[i], &sa, NULL);
}

void ctl_interrupt_begin(void)
{
	ctl_interrupted = 0;
	on_signals((struct sigaction){ .sa_handler = on_signal });	/* no SA_RESTART */
}

void ctl_interrupt_end(void)
{
	on_signals((struct sigaction){ .sa_handler = SIG_DFL });
}

int ctl_poll(struct pollfd *fds, size_t n, int timeout_ms)
{
	struct timespec timeout = { timeout_ms / 1000, timeout_ms % 1000 * 1000000L };
	sigset_t blocked, before;
	int r, code;

	sigemptyset(&blocked);
	for (size_t i = 0; i < ND_COUNT(signals); i++)
		sigaddset(&blocked, signals[i]);
	sigprocmask(SIG_BLOCK, &blocked, &before);
	r = ctl_interrupted ? -1 : ppoll(fds, n, timeout_ms < 0 ? NULL : &timeout, &before);
	code = ctl_interrupted ? EINTR : errno;
	sigprocmask(SIG_SETMASK, &before, NULL);
	errno = code;
	return r;
}

void ctl_say(const struct ctl *ctl, const char *fmt, ...)
{
	va_list ap;

	if (ctl->quiet)
		return;
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
}

int ctl_error(const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fputs("error: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return -1;
}

void ctl_progress(const struct ctl *ctl, const char *fmt, ...)
{
	va_list ap;

	if (ctl->quiet || !isatty(STDERR_FILENO))
		return;
	fputs("\r\033[K", stderr);
	if (fmt) {
		va_start(ap, fmt);
		vfprintf(stderr, fmt, ap);
		va_end(ap);
	}
	fflush(stderr);
}

int ctl_connect(struct ctl *ctl)
{
	struct rpc_client_options opt = { .uri = ctl->uri, .read_only = ctl->read_only };
	struct nd_error err = { 0 };
	char text[sizeof(err.text) + 128];

	if (ctl->client && rpc_client_is_alive(ctl->client))
		return 0;
	if (ctl->client) {
		ctl_disconnect(ctl);
		ctl_error("Disconnected from %s, connecting again", ctl->uri);
	}
	if (rpc_client_new(&opt, &ctl->client, &err) == 0)
		return 0;
	nd_error_format(&err, text, sizeof(text));
	ctl_error("failed to connect to %s", ctl->uri);
	return ctl_error("%s", text);
}

void ctl_disconnect(struct ctl *ctl)
{
	rpc_client_free(ctl->client);
	ctl->client = NULL;
}

int ctl_print_json(json_t *doc)
{
	int r;

	if (!doc)
		return ctl_error("out of memory");
	r = json_dumpf(doc, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
	json_decref(doc);
	if (r < 0)
		return ctl_error("the result cannot be printed");
	putchar('\n');
	return 0;
}

json_t *ctl_json_string(const char *text)
{
	json_t *s = text ? json_string(text) : json_null();
	ND_AUTO(nd_str_free) struct nd_str clean = { 0 };

	if (s)
		return s;
	for (; *text; text++) {
		if ((unsigned char)*text < 0x80)
			nd_str_addn(&clean, text, 1);
		else
			nd_str_add(&clean, "\xef\xbf\xbd");
	}
	return clean.failed ? NULL : json_string(clean.text ? clean.text : "");
}

/* One command: its verb and the words behind it. 0 or -1. */
static int run_command(struct ctl *ctl, char *const *words, size_t n)
{
	const struct verb *v = verb_find(words[0]);
	struct verb_args *args = NULL;
	struct nd_error err = { 0 };
	char text[sizeof(err.text) + 128];
	int r;

	if (!v)
		return ctl_error("unknown command: '%s'", words[0]);
	if (n == 2 && nd_streq(words[1], "--help")) {
		verb_print_help(v);
		return 0;
	}
	r = verb_args_parse(v, words + 1, n - 1, &args, text, sizeof(text));
	if (r < 0) {
		ctl_error("%s", text);
		ctl_say(ctl, "%s", r == -EDOM ? "\n" : "");
		return -1;
	}
	r = v->no_connection ? 0 : ctl_connect(ctl);
	if (r == 0) {
		r = v->run(ctl, args, &err);
		if (r < 0 && err.kind != ND_ERR_OK) {
			nd_error_format(&err, text, sizeof(text));
			ctl_error("%s", text);
		}
		if (!arg_json(args))
			ctl_say(ctl, "\n");
	}
	verb_args_free(args);
	fflush(stdout);
	return r < 0 ? -1 : 0;
}

int ctl_run_words(struct ctl *ctl, char *const *words, size_t n)
{
	return run_command(ctl, words, n) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int ctl_run_line(struct ctl *ctl, const char *line)
{
	struct word_list list;
	const char *why = "out of memory";
	int status = EXIT_SUCCESS;

	if (words_split(line, false, &list, &why) < 0) {
		ctl_error("%s", why);
		return EXIT_FAILURE;
	}
	for (size_t at = 0; at < list.n && !ctl->quit;) {
		size_t n = 0;

		while (at + n < list.n && list.words[at + n])
			n++;
		if (n)
			status = ctl_run_words(ctl, list.words + at, n);
		at += n + 1;
	}
	words_free(&list);
	return status;
}

int ctl_run_stream(struct ctl *ctl, FILE *in)
{
	ND_AUTO(free) char *line = NULL;
	size_t size = 0;
	int status = EXIT_SUCCESS;

	while (!ctl->quit && getline(&line, &size, in) >= 0)
		if (ctl_run_line(ctl, line) != EXIT_SUCCESS)
			status = EXIT_FAILURE;
	return status;
}
