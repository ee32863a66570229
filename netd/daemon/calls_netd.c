/* SPDX-License-Identifier: GPL-2.0-or-later */
/* calls_netd.c -- netd's own program: what libvirt has no call for */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "netd/base/effect.h"
#include "netd/base/log.h"
#include "netd/base/str.h"
#include "netd/daemon/access.h"
#include "netd/daemon/bridge_policy.h"
#include "netd/daemon/calls.h"
#include "netd/daemon/destroy_all.h"
#include "netd/daemon/file.h"
#include "netd/daemon/plan_call.h"
#include "netd/daemon/ports.h"
#include "netd/daemon/check.h"

static int get_version(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	return wire_str(&((lv_str_ret *)ret)->value, NETD_VERSION_TEXT, err);
}

/* ---- plug ---- */

/* Descriptors of vhost-net beside the TAP's; a host without it is no error: n stays lower. */
static unsigned add_vhost_fds(struct rpc_call *call, size_t n)
{
	unsigned added = 0;

	while (added < n && nd_effect(ND_EFFECT_IOCTL, "open vhost-net") == 0) {
		int fd = open("/dev/vhost-net", O_RDWR | O_CLOEXEC);

		if (fd < 0 || rpc_call_add_fd(call, fd) < 0)
			break;
		added++;
	}
	return added;
}

static int fill_plug(struct rpc_call *call, const struct network *net, const struct port *port,
		     const int *fds, size_t n_fds, struct nd_error *err)
{
	netd_network_plug_ret *r = rpc_call_ret(call);
	char mac[ND_MAC_STRLEN];

	memcpy(r->port.uuid, port->def->uuid.bytes, sizeof(r->port.uuid));
	if (wire_net(&r->port.net, net) < 0 || wire_str(&r->ifname, port->ifname, err) < 0 ||
	    wire_str(&r->mac, nd_mac_format(&port->def->mac, mac), err) < 0)
		return nd_error_nomem(err);
	for (size_t i = 0; i < n_fds; i++) {
		int fd = fcntl(fds[i], F_DUPFD_CLOEXEC, 3), e = fd < 0 ? -errno : rpc_call_add_fd(call, fd);

		if (e < 0)
			return nd_error_sys(err, -e, "cannot pass the TAP's descriptor");
		r->n_tap_fds++;
	}
	return 0;
}

struct plug_call {
	struct rpc_call *call;
	bool vhost;
};

static void plugged(void *arg, struct network *net, const struct port *port, const int *fds,
		    size_t n_fds, const struct nd_error *err)
{
	struct plug_call *p = arg;
	struct nd_error own = { 0 };

	if (!err && fill_plug(p->call, net, port, fds, n_fds, &own) < 0)
		err = &own;
	if (!err && p->vhost)
		((netd_network_plug_ret *)rpc_call_ret(p->call))->n_vhost_fds =
			add_vhost_fds(p->call, n_fds);
	reply_done(p->call, net, err);
	free(p);
}

/* "USER:PID" of the caller. */
static void caller_name(struct rpc_call *call, char *out, size_t size)
{
	struct rpc_session *session = rpc_call_session(call);
	const struct passwd *user = getpwuid(rpc_session_uid(session));

	snprintf(out, size, "%s:%d", user ? user->pw_name : "unknown", (int)rpc_session_pid(session));
}

static int plug_start(struct rpc_call *call, struct network *net, const struct plug_options *opt,
		      bool vhost, struct nd_error *err)
{
	struct plug_call *p = malloc(sizeof(*p));
	int r;

	if (!p)
		return nd_error_nomem(err);
	*p = (struct plug_call){ call, vhost };
	r = ports_plug(call_netd(call), net, opt, plugged, p, err);
	if (r == 0)
		return RPC_PENDING;
	free(p);
	return r;
}

static int plug(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	const netd_network_plug_args *a = args;
	struct network *net = call_network(call, &a->net, err);
	char owner[64];
	struct plug_options opt = {
		.ifname = a->ifname, .queues = a->queues ? a->queues : 1,
		.owner_uid = a->owner_uid < 0 ? (uid_t)-1 : (uid_t)a->owner_uid,
		.owner_name = a->owner_name[0] ? a->owner_name : owner,
	};

	if (!net)
		return -ENOENT;
	if (call_flags(a->flags, NETD_PLUG_VHOST, "netdNetworkPlug", err) < 0)
		return -EINVAL;
	if (a->mac[0] && !nd_mac_parse(a->mac, &opt.mac))
		return nd_error_set(err, ND_ERR_INVALID_MAC, "%.100s", a->mac);
	caller_name(call, owner, sizeof(owner));
	return plug_start(call, net, &opt, a->flags & NETD_PLUG_VHOST, err);
}

/* ---- a plug by policy ---- */

static bool caller_in_group(void *arg, gid_t group)
{
	return rpc_session_in_group(arg, group);
}

/* The policy is read each time: a change is in force at once. */
static int judge_bridge(struct rpc_call *call, const struct network *net, struct nd_error *err)
{
	struct rpc_session *s = rpc_call_session(call);
	const char *file = call_netd(call)->paths.bridge_policy;
	struct bridge_asker who = {
		.uid = rpc_session_uid(s), .in_group = caller_in_group, .arg = s,
		.network = net->name, .bridge = net->live ? net->live->bridge.name : NULL,
	};
	ND_AUTO(free) char *text = NULL;
	int r;

	if (access_speaks_for_another(s))
		return nd_error_set(err, ND_ERR_ACCESS_DENIED, "netdBridgePlug: a daemon cannot ask in "
				    "the place of a user");
	if (who.uid == 0 || who.uid == geteuid())
		return 0;
	r = file_read(AT_FDCWD, file, 1 << 20, &text, NULL);
	if (r < 0 && r != -ENOENT)
		return nd_error_sys(err, -r, "cannot read '%s'", file);
	return bridge_policy_judge(text ? text : "", file, &who, err);
}

static int bridge_plug(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	const netd_bridge_plug_args *a = args;
	const struct registry *networks = &call_netd(call)->networks;
	struct network *net = registry_by_bridge(networks, a->bridge, NULL);
	char owner[64];
	struct plug_options opt = {
		.ifname = "", .queues = 1, .owner_uid = (uid_t)-1, .owner_name = owner,
		.temporary = true, .no_vnet_hdr = !(a->flags & NETD_BRIDGE_PLUG_VNET_HDR),
	};
	int r = call_flags(a->flags, NETD_BRIDGE_PLUG_VNET_HDR, "netdBridgePlug", err);

	if (r < 0)
		return -EINVAL;
	if (!net)
		net = registry_by_name(networks, a->bridge);
	if (!net || !network_visible(net))
		return nd_error_set(err, ND_ERR_NO_NETWORK, "no network has the bridge or the name '%.100s'",
				    a->bridge);
	r = judge_bridge(call, net, err);
	if (r < 0) {
		err->domain = FROM_ACCESS;
		return r;
	}
	caller_name(call, owner, sizeof(owner));
	return plug_start(call, net, &opt, false, err);
}

static int unplug(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	const netd_network_unplug_args *a = args;
	struct network *net = call_network(call, &a->net, err);
	struct port *port = net ? network_port_named(net, a->what) : NULL;
	int r;

	if (!net)
		return -ENOENT;
	if (!port)
		return nd_error_set(err, ND_ERR_NO_NETWORK_PORT,
				    "network '%s' has no port with UUID, interface or MAC '%.100s'",
				    net->name, a->what);
	r = ports_delete(call_netd(call), net, &port->def->uuid, reply_done, call, err);
	return r < 0 ? r : RPC_PENDING;
}

/* ---- hold ---- */

static int hold(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	struct network *net = call_network(call, &((lv_net_args *)args)->net, err);

	if (!net)
		return -ENOENT;
	net->held = true;
	nd_log(LOG_INFO, net->name, "held: drift is not repaired until it is released");
	return RPC_DONE;
}

static int release(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	struct network *net = call_network(call, &((lv_net_args *)args)->net, err);

	if (!net)
		return -ENOENT;
	net->held = false;
	nd_log(LOG_INFO, net->name, "released");
	check_network(call_netd(call), net);
	return RPC_DONE;
}

/* ---- status ---- */

static int add_param(netd_network_status_ret *r, const char *name, uint64_t value)
{
	lv_param *p;

	if (r->params.params_len >= NETD_STATUS_PARAMS_MAX)
		return 0;
	p = &r->params.params_val[r->params.params_len];
	p->field = strdup(name);
	if (!p->field)
		return -ENOMEM;
	p->value.type = LV_PARAM_ULLONG;
	p->value.lv_param_value_u.ul = value;
	r->params.params_len++;
	return 0;
}

static void status_filled(void *arg, const struct serve_counter *list, size_t n)
{
	netd_network_status_ret *r = rpc_call_ret(arg);
	struct nd_error err = { 0 };

	for (size_t i = 0; list && i < n; i++) {
		if (add_param(r, list[i].name, list[i].value) < 0) {
			nd_error_nomem(&err);
			rpc_call_fail(arg, &err);
			return;
		}
	}
	rpc_call_reply(arg);
}

/* What netd knows, then the server's own counters where there is one. */
static int status(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	const lv_net_flags_args *a = args;
	netd_network_status_ret *r = ret;
	struct netd *d = call_netd(call);
	struct network *net;

	if (call_flags(a->flags, 0, "netdNetworkStatus", err) < 0)
		return -EINVAL;
	net = call_network(call, &a->net, err);
	if (!net)
		return -ENOENT;
	r->params.params_val = calloc(NETD_STATUS_PARAMS_MAX, sizeof(*r->params.params_val));
	if (!r->params.params_val || add_param(r, "active", net->live != NULL) < 0 ||
	    add_param(r, "held", net->held) < 0 || add_param(r, "ports", net->n_ports) < 0 ||
	    add_param(r, "server", servers_running(d->servers, &net->uuid)) < 0)
		return nd_error_nomem(err);
	if (!servers_running(d->servers, &net->uuid))
		return RPC_DONE;
	servers_stats(d->servers, &net->uuid, status_filled, call);
	return RPC_PENDING;
}

const struct rpc_method netd_methods[] = {
	CALL_RET(NETD_PROC_GET_VERSION, "netdGetVersion", RPC_READ_ONLY, lv_str_ret, get_version),
	CALL(NETD_PROC_NETWORK_PLAN, "netdNetworkPlan", RPC_READ_ONLY, netd_network_plan_args,
	     netd_network_plan_ret, plan_call),
	CALL(NETD_PROC_NETWORK_PLUG, "netdNetworkPlug", 0, netd_network_plug_args,
	     netd_network_plug_ret, plug),
	/* bridge.conf decides, not the socket */
	CALL(NETD_PROC_BRIDGE_PLUG, "netdBridgePlug", RPC_READ_ONLY, netd_bridge_plug_args,
	     netd_network_plug_ret, bridge_plug),
	CALL_ARGS(NETD_PROC_NETWORK_UNPLUG, "netdNetworkUnplug", 0, netd_network_unplug_args, unplug),
	CALL_ARGS(NETD_PROC_NETWORK_HOLD, "netdNetworkHold", 0, lv_net_args, hold),
	CALL_ARGS(NETD_PROC_NETWORK_RELEASE, "netdNetworkRelease", 0, lv_net_args, release),
	CALL(NETD_PROC_NETWORK_DESTROY_ALL, "netdNetworkDestroyAll", 0, lv_flags_args, lv_int_ret,
	     destroy_all_call),
	CALL(NETD_PROC_NETWORK_STATUS, "netdNetworkStatus", RPC_READ_ONLY, lv_net_flags_args,
	     netd_network_status_ret, status),
};
const size_t n_netd_methods = ND_COUNT(netd_methods);
