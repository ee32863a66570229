/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands about netdctl and its connection. */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "netd/base/auto.h"
#include "netd/ctl/calls.h"
#include "netd/ctl/complete.h"
#include "netd/ctl/verbs.h"
#include "netd/rpc/connect.h"

static int run_help(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	const char *word = arg_string(args, "command");
	const struct verb *v = word ? verb_find(word) : NULL;
	const struct verb_group *g = word ? verb_group_find(word) : NULL;

	if (v)
		verb_print_help(v);
	else if (g)
		verb_print_group(g);
	else if (word)
		return ctl_error("command or command group '%s' doesn't exist", word);
	for (size_t i = 0; !word && verb_groups[i]; i++)
		verb_print_group(verb_groups[i]);
	return 0;
}

static int run_quit(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	ctl->quit = true;
	return 0;
}

static int run_connect(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	const char *uri = arg_string(args, "uri");
	char *copy = uri ? strdup(uri) : NULL;

	if (uri && !copy)
		return ctl_error("out of memory");
	ctl_disconnect(ctl);
	if (copy) {
		free(ctl->uri);
		ctl->uri = copy;
	}
	ctl->read_only = arg_flag(args, "readonly");
	return ctl_connect(ctl);
}

static int run_uri(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	lv_str_ret ret = { 0 };
	int r = 0;

	if (call_lv(ctl, LV_PROC_CONNECT_GET_URI, NULL, NULL, CALL_XDR(lv_str_ret), &ret, err) < 0)
		return ctl_error("failed to get URI");
	if (arg_flag(args, "json"))
		r = ctl_print_json(ctl_json_string(ret.value));
	else
		printf("%s\n", ret.value);
	xdr_free(CALL_XDR(lv_str_ret), &ret);
	return r;
}

static int run_version(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	struct nd_error ignored = { 0 };
	lv_str_ret own = { 0 };
	lv_u64_ret lib = { 0 };
	char protocol[64];
	int r = 0;

	if (call_lv(ctl, LV_PROC_CONNECT_GET_LIB_VERSION, NULL, NULL, CALL_XDR(lv_u64_ret), &lib,
		    err) < 0)
		return ctl_error("failed to get the daemon's version");
	/* libvirt's daemons have no such call */
	(void)call_any(ctl, NETD_PROGRAM, NETD_PROC_GET_VERSION, NULL, NULL, CALL_XDR(lv_str_ret),
		       &own, &ignored);
	snprintf(protocol, sizeof(protocol), "%llu.%llu.%llu",
		 (unsigned long long)lib.value / 1000000,
		 (unsigned long long)lib.value / 1000 % 1000,
		 (unsigned long long)lib.value % 1000);
	if (arg_flag(args, "json")) {
		r = ctl_print_json(json_pack("{ss, so, ss}", "netdctl", NETD_VERSION_TEXT, "netd",
					     ctl_json_string(own.value), "libvirt", protocol));
	} else {
		printf("netdctl: %s\n", NETD_VERSION_TEXT);
		if (own.value)
			printf("netd: %s\n", own.value);
		printf("Speaks the protocol of libvirt %s\n", protocol);
	}
	xdr_free(CALL_XDR(lv_str_ret), &own);
	return r;
}

static int run_complete(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	struct completions found;
	char *const *words;
	size_t n;

	words = arg_words(args, &n);
	if (n == 0)
		return 0;
	ctl->quiet = true;
	ctl->read_only = true;		/* whoever types may not be in netd's group */
	complete_words(ctl, words, n - 1, words[n - 1], &found);
	for (size_t i = 0; i < found.n; i++)
		printf("%s\n", found.words[i]);
	completions_free(&found);
	return 0;
}

/* Bytes from one end to the other; false when the sending end has closed. */
static bool relay(int from, int to)
{
	char buf[65536];
	ssize_t n = read(from, buf, sizeof(buf));

	for (char *at = buf; n > 0;) {
		ssize_t sent = write(to, at, (size_t)n);

		if (sent < 0)
			return false;
		at += sent;
		n -= sent;
		if (n == 0)
			return true;
	}
	return false;
}

static int run_proxy(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	const char *path = arg_string(args, "socket");
	struct rpc_uri uri = {
		.driver = (char *)"netd", .path = (char *)"/system", .socket = (char *)path,
	};
	struct rpc_connection conn;
	struct pollfd fds[2] = { { .fd = STDIN_FILENO, .events = POLLIN } };

	if (rpc_connect(&uri, ctl->read_only, &conn, err) < 0)
		return -1;
	ctl->quiet = true;
	fds[1] = (struct pollfd){ .fd = conn.fd, .events = POLLIN };
	while (poll(fds, 2, -1) >= 0) {
		if (fds[0].revents && !relay(STDIN_FILENO, conn.fd)) {
			shutdown(conn.fd, SHUT_WR);
			fds[0].fd = -1;
		}
		if (fds[1].revents && !relay(conn.fd, STDOUT_FILENO))
			break;
	}
	rpc_connection_close(&conn);
	return 0;
}

static const struct arg_row help_rows[] = {
	{ "command", ARG_OPTIONAL, "a command or a group's keyword", VALUES_VERB },
};
static const struct arg_row connect_rows[] = {
	{ "uri", ARG_OPTIONAL, "connection URI" },
	{ "readonly", ARG_FLAG, "read-only connection" },
};
static const struct arg_row json_rows[] = { ARG_JSON };
static const struct arg_row complete_rows[] = {
	{ "words", ARG_WORDS, "the command line so far; its last word is completed" },
};
static const struct arg_row proxy_rows[] = {
	{ "socket", ARG_OPTIONAL, "the daemon's socket", VALUES_FILE },
};

static const struct verb verbs[] = {
	{ "complete", "propose words", NULL, run_complete, VERB_ROWS(complete_rows),
	  .no_connection = true, .hidden = true },
	{ "connect", "(re)connect to a daemon", NULL, run_connect, VERB_ROWS(connect_rows),
	  .no_connection = true },
	{ "exit", "quit this interactive terminal", NULL, run_quit, .no_connection = true },
	{ "help", "print help", "Prints global help, command specific help, or help for a group of "
	  "related commands", run_help, VERB_ROWS(help_rows), .no_connection = true },
	{ "proxy", "relay stdin and stdout to the daemon's socket",
	  "The far end of a netd+ssh:// connection.", run_proxy, VERB_ROWS(proxy_rows),
	  .no_connection = true, .hidden = true },
	{ "quit", "quit this interactive terminal", NULL, run_quit, .no_connection = true },
	{ "uri", "print the daemon's canonical URI", NULL, run_uri, VERB_ROWS(json_rows) },
	{ "version", "show versions", NULL, run_version, VERB_ROWS(json_rows) },
};

const struct verb_group shell_verbs = VERB_GROUP("netdctl itself", "netdctl", verbs);
