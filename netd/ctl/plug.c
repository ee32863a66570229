/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/ctl/plug.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "netd/base/auto.h"
#include "netd/base/effect.h"
#include "netd/ctl/calls.h"

struct plugged {
	netd_network_plug_ret ret;
	int fds[2 * NETD_QUEUES_MAX];
	unsigned n_fds;
	char uuid[ND_UUID_STRLEN];
};

static void plugged_fini(struct plugged *p)
{
	for (unsigned i = 0; i < p->n_fds; i++)
		close(p->fds[i]);
	xdr_free(CALL_XDR(netd_network_plug_ret), &p->ret);
}

static inline void nd_auto_plugged_fini(struct plugged *p)
{
	plugged_fini(p);
}

/* Marks */

static void add_fds(struct nd_str *s, const int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		nd_str_addf(s, "%s%d", i ? ":" : "", fds[i]);
}

/* Longer marks first: "%fds" is no "%fd". How many characters of text it took, 0: no mark. */
static size_t add_mark(struct nd_str *s, const char *text, const struct plug_marks *m)
{
	static const char *const names[] = {
		"vhostfds", "vhostfd", "fds", "fd", "ifname", "mac", "uuid", "%",
	};
	size_t i = 0;

	while (i < ND_COUNT(names) && strncmp(text, names[i], strlen(names[i])) != 0)
		i++;
	switch (i) {
	case 0: add_fds(s, m->vhost_fds, m->n_vhost_fds); break;
	case 1: add_fds(s, m->vhost_fds, m->n_vhost_fds ? 1 : 0); break;
	case 2: add_fds(s, m->tap_fds, m->n_tap_fds); break;
	case 3: add_fds(s, m->tap_fds, m->n_tap_fds ? 1 : 0); break;
	case 4: nd_str_add(s, m->ifname); break;
	case 5: nd_str_add(s, m->mac); break;
	case 6: nd_str_add(s, m->uuid); break;
	case 7: nd_str_add(s, "%"); break;
	default: return 0;
	}
	return strlen(names[i]);
}

char *plug_expand(const char *word, const struct plug_marks *marks)
{
	struct nd_str s = { 0 };

	while (*word) {
		size_t plain = strcspn(word, "%");

		nd_str_addn(&s, word, plain);
		word += plain;
		if (*word) {
			size_t n = add_mark(&s, word + 1, marks);

			if (!n)
				nd_str_add(&s, "%");
			word += 1 + n;
		}
	}
	return nd_str_take(&s);
}

static struct plug_marks marks_of(const struct plugged *p)
{
	unsigned n_tap = p->ret.n_tap_fds < p->n_fds ? p->ret.n_tap_fds : p->n_fds;

	return (struct plug_marks){
		.tap_fds = p->fds, .n_tap_fds = n_tap,
		.vhost_fds = p->fds + n_tap, .n_vhost_fds = p->n_fds - n_tap,
		.ifname = p->ret.ifname, .mac = p->ret.mac, .uuid = p->uuid,
	};
}

/* The command */

static int env_set(const struct plug_marks *m)
{
	static const struct { const char *name, *mark; } vars[] = {
		{ "NETD_FDS", "%fds" }, { "NETD_VHOST_FDS", "%vhostfds" },
		{ "NETD_IFNAME", "%ifname" }, { "NETD_MAC", "%mac" }, { "NETD_PORT", "%uuid" },
	};

	for (size_t i = 0; i < ND_COUNT(vars); i++) {
		ND_AUTO(free) char *value = plug_expand(vars[i].mark, m);

		if (!value || setenv(vars[i].name, value, 1) < 0)
			return -1;
	}
	return 0;
}

static char **command_expand(char *const *words, size_t n, const struct plug_marks *m)
{
	char **argv = calloc(n + 1, sizeof(*argv));

	for (size_t i = 0; argv && i < n; i++)
		if (!(argv[i] = plug_expand(words[i], m)))
			return NULL;	/* the program ends */
	return argv;
}

/* Returns only when the command could not be run. */
static int command_exec(const struct plugged *p, char *const *words, size_t n)
{
	struct plug_marks m = marks_of(p);
	char **argv = command_expand(words, n, &m);

	if (!argv || env_set(&m) < 0)
		return ctl_error("out of memory");
	for (unsigned i = 0; i < p->n_fds; i++)
		if (fcntl(p->fds[i], F_SETFD, 0) < 0)
			return ctl_error("a descriptor cannot be passed on: %s", strerror(errno));
	execvp(argv[0], argv);
	return ctl_error("cannot run '%s': %s", argv[0], strerror(errno));
}

static int unplug(struct ctl *ctl, const lv_net *net, const char *what, struct nd_error *err)
{
	netd_network_unplug_args args = { .net = *net, .what = (char *)what };

	return call_any(ctl, NETD_PROGRAM, NETD_PROC_NETWORK_UNPLUG,
			CALL_XDR(netd_network_unplug_args), &args, NULL, NULL, err);
}

/* Runs the command as a child, and unplugs when it has ended. Signals go to both; the child
 * decides about its end. */
static int command_run(struct ctl *ctl, const struct plugged *p, char *const *words, size_t n,
		       struct nd_error *err)
{
	int status = 0;
	pid_t pid;

	if (nd_effect(ND_EFFECT_PROCESS, "fork command") < 0)
		return nd_error_sys(err, EAGAIN, "cannot start '%s'", words[0]);
	fflush(stdout);
	pid = fork();
	if (pid < 0)
		return nd_error_sys(err, errno, "cannot start '%s'", words[0]);
	if (pid == 0) {
		(void)command_exec(p, words, n);
		_exit(127);
	}
	ctl_interrupt_begin();
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	ctl_interrupt_end();
	if (ctl_connect(ctl) < 0 || unplug(ctl, &p->ret.port.net, p->uuid, err) < 0)
		return ctl_error("Failed to unplug %s", p->ret.ifname);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return ctl_error("'%s' ended with %s %d", words[0],
			 WIFSIGNALED(status) ? "signal" : "status",
			 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

/* net-plug */

static int args_fill(const struct verb_args *args, netd_network_plug_args *plug)
{
	const char *ifname = arg_string(args, "ifname"), *mac = arg_string(args, "mac");
	const char *owner_name = arg_string(args, "owner-name");
	int64_t owner = -1, queues = 1;

	(void)arg_number(args, "owner", &owner);
	(void)arg_number(args, "queues", &queues);
	if (owner < -1 || owner > UINT32_MAX - 1ll)
		return ctl_error("--owner %s is no user id", arg_string(args, "owner"));
	if (queues < 1 || queues > NETD_QUEUES_MAX)
		return ctl_error("--queues %s is not within 1 and %d", arg_string(args, "queues"),
				 NETD_QUEUES_MAX);
	plug->ifname = (char *)(ifname ? ifname : "");
	plug->mac = (char *)(mac ? mac : "");
	plug->owner_name = (char *)(owner_name ? owner_name : "");
	plug->owner_uid = owner;
	plug->queues = (unsigned)queues;
	plug->flags = arg_flag(args, "vhost") ? NETD_PLUG_VHOST : 0;
	return 0;
}

static int plug(struct ctl *ctl, netd_network_plug_args *args, struct plugged *out,
		struct nd_error *err)
{
	struct rpc_request rq = {
		.program = NETD_PROGRAM, .proc = NETD_PROC_NETWORK_PLUG,
		.args_xdr = CALL_XDR(netd_network_plug_args), .args = args,
		.ret_xdr = CALL_XDR(netd_network_plug_ret), .ret = &out->ret,
		.fds = out->fds, .max_fds = ND_COUNT(out->fds),
	};
	int r = rpc_client_call(ctl->client, &rq, NULL, err);

	out->n_fds = rq.n_fds;
	if (r == 0)
		strcpy(out->uuid, uuid_text(out->ret.port.uuid).text);
	return r;
}

static int plug_print(const struct ctl *ctl, const struct verb_args *args,
		      const struct plugged *p)
{
	if (arg_flag(args, "json"))
		return ctl_print_json(json_pack("{so, ss, so, so}", "network",
						ctl_json_string(p->ret.port.net.name), "port",
						p->uuid, "ifname", ctl_json_string(p->ret.ifname),
						"mac", ctl_json_string(p->ret.mac)));
	ctl_say(ctl, "Interface %s with MAC address %s plugged into network %s as port %s\n",
		p->ret.ifname, p->ret.mac, p->ret.port.net.name, p->uuid);
	if (ctl->quiet)
		printf("%s\n", p->ret.ifname);
	return 0;
}

int plug_run(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	const char *name = arg_string(args, "network");
	ND_AUTO(plugged_fini) struct plugged p = { 0 };
	ND_AUTO(net_fini) lv_net net = { 0 };
	netd_network_plug_args request = { 0 };
	char *const *words;
	size_t n;

	words = arg_words(args, &n);
	if (arg_flag(args, "temporary") && !n)
		return ctl_error("Option --exec is required by option --temporary");
	if (args_fill(args, &request) < 0 || net_find(ctl, name, &net, err) < 0)
		return -1;
	request.net = net;
	if (plug(ctl, &request, &p, err) < 0)
		return ctl_error("Failed to plug into network %s", name);
	if (!n)
		return plug_print(ctl, args, &p);
	if (arg_flag(args, "temporary"))
		return command_run(ctl, &p, words, n, err);
	ctl_disconnect(ctl);
	fflush(stdout);
	return command_exec(&p, words, n);
}

int plug_run_unplug(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	const char *name = arg_string(args, "network"), *what = arg_string(args, "interface");
	ND_AUTO(net_fini) lv_net net = { 0 };

	if (net_find(ctl, name, &net, err) < 0)
		return -1;
	if (unplug(ctl, &net, what, err) < 0)
		return ctl_error("Failed to unplug %s from network %s", what, name);
	ctl_say(ctl, "%s unplugged from network %s\n", what, name);
	return 0;
}
