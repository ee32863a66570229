/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/access.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "netd/base/str.h"
#include "netd/daemon/calls.h"
#include "netd/daemon/file.h"
#include "netd/daemon/guest.h"
#include "netd/daemon/nwfilters.h"
#include "netd/daemon/polkit.h"

#define ACTIONS_MAX 2		/* of a call */

struct access {
	struct polkit *polkit;		/* NULL: the group decides */
};

/* What is known of a session's user, beside what the RPC server knows of its peer. */
struct client {
	struct access_identity who;
	bool relayed;			/* said by a daemon of root, not by the kernel */
	bool member;			/* of the socket's group; only where relayed */
};

/* ---- which actions a call takes ---- */

enum object { CONNECT, NETWORK, PORT, DOMAIN, FILTER, BINDING };

static const char *const object_names[] = {
	[CONNECT] = "connect", [NETWORK] = "network", [PORT] = "network-port", [DOMAIN] = "domain",
	[FILTER] = "nwfilter", [BINDING] = "nwfilter-binding",
};

/* How the arguments say which network or guest the call is about. BY_NET: they begin with an lv_net;
 * BY_DOM: with an lv_dom. */
enum naming { UNNAMED, BY_NAME, BY_UUID, BY_ID, BY_NET, BY_DOM };

/* The definition is changed too, unless only the guest that runs was meant. */
static bool affects_config(unsigned flags)
{
	enum { LIVE = 1, CONFIG = 2 };	/* VIR_DOMAIN_AFFECT_ */

	return flags & CONFIG || !(flags & LIVE);
}

static bool changes_definition(const void *args)
{
	return affects_config(((const lv_dom_xml_flags_args *)args)->flags);
}

static bool metadata_changes_definition(const void *args)
{
	return affects_config(((const lv_domain_set_metadata_args *)args)->flags);
}

static bool tune_changes_definition(const void *args)
{
	return affects_config(((const lv_domain_set_interface_parameters_args *)args)->flags);
}

static bool shows_secrets(const void *args)
{
	enum { SECURE = 1, MIGRATABLE = 8 };	/* VIR_DOMAIN_XML_ */

	return ((const lv_dom_flags_args *)args)->flags & (SECURE | MIGRATABLE);
}

/* By libvirt's access rules for its own calls; netd's follow what they do. */
static const struct rule {
	const char *api;
	enum object object;
	const char *permission, *more;	/* more: another of the same object, or NULL */
	enum naming naming;
	bool (*more_if)(const void *args);	/* NULL: more is asked each time */
} rules[] = {
	{ "virConnectGetType", CONNECT, "getattr", NULL, UNNAMED },
	{ "virConnectGetVersion", CONNECT, "getattr", NULL, UNNAMED },
	{ "virConnectGetLibVersion", CONNECT, "getattr", NULL, UNNAMED },
	{ "virConnectGetHostname", CONNECT, "getattr", NULL, UNNAMED },
	{ "virConnectRegisterCloseCallback", CONNECT, "getattr", NULL, UNNAMED },
	{ "virConnectUnregisterCloseCallback", CONNECT, "getattr", NULL, UNNAMED },
	{ "virConnectListAllNetworks", CONNECT, "search-networks", NULL, UNNAMED },
	{ "virConnectNumOfNetworks", CONNECT, "search-networks", NULL, UNNAMED },
	{ "virConnectNumOfDefinedNetworks", CONNECT, "search-networks", NULL, UNNAMED },
	{ "virConnectListNetworks", CONNECT, "search-networks", NULL, UNNAMED },
	{ "virConnectListDefinedNetworks", CONNECT, "search-networks", NULL, UNNAMED },
	{ "virConnectNetworkEventRegisterAny", CONNECT, "search-networks", NULL, UNNAMED },
	{ "virConnectNetworkEventDeregisterAny", CONNECT, "read", NULL, UNNAMED },
	{ "virNetworkLookupByName", NETWORK, "getattr", NULL, BY_NAME },
	{ "virNetworkLookupByUUID", NETWORK, "getattr", NULL, BY_UUID },
	{ "virNetworkIsActive", NETWORK, "read", NULL, BY_NET },
	{ "virNetworkIsPersistent", NETWORK, "read", NULL, BY_NET },
	{ "virNetworkGetAutostart", NETWORK, "read", NULL, BY_NET },
	{ "virNetworkGetBridgeName", NETWORK, "read", NULL, BY_NET },
	{ "virNetworkGetXMLDesc", NETWORK, "read", NULL, BY_NET },
	{ "virNetworkGetDHCPLeases", NETWORK, "read", NULL, BY_NET },
	{ "virNetworkGetMetadata", NETWORK, "read", NULL, BY_NET },
	{ "virNetworkDefineXML", NETWORK, "write", "save", UNNAMED },
	{ "virNetworkDefineXMLFlags", NETWORK, "write", "save", UNNAMED },
	{ "virNetworkCreateXML", NETWORK, "write", "start", UNNAMED },
	{ "virNetworkCreateXMLFlags", NETWORK, "write", "start", UNNAMED },
	{ "virNetworkCreate", NETWORK, "start", NULL, BY_NET },
	{ "virNetworkDestroy", NETWORK, "stop", NULL, BY_NET },
	{ "virNetworkUndefine", NETWORK, "delete", NULL, BY_NET },
	{ "virNetworkSetAutostart", NETWORK, "write", NULL, BY_NET },
	{ "virNetworkUpdate", NETWORK, "write", "save", BY_NET },
	{ "virNetworkSetMetadata", NETWORK, "write", "save", BY_NET },
	{ "virNetworkListAllPorts", NETWORK, "search-ports", NULL, BY_NET },
	{ "virNetworkPortLookupByUUID", PORT, "getattr", NULL, BY_NET },
	{ "virNetworkPortGetXMLDesc", PORT, "read", NULL, BY_NET },
	{ "virNetworkPortGetParameters", PORT, "read", NULL, BY_NET },
	{ "virNetworkPortCreateXML", PORT, "create", NULL, BY_NET },
	{ "virNetworkPortDelete", PORT, "delete", NULL, BY_NET },
	{ "virNetworkPortSetParameters", PORT, "write", NULL, BY_NET },
	{ "virConnectGetDomainCapabilities", CONNECT, "write", NULL, UNNAMED },
	{ "virConnectGetAllDomainStats", CONNECT, "search-domains", NULL, UNNAMED },
	{ "virConnectListAllDomains", CONNECT, "search-domains", NULL, UNNAMED },
	{ "virConnectNumOfDomains", CONNECT, "search-domains", NULL, UNNAMED },
	{ "virConnectNumOfDefinedDomains", CONNECT, "search-domains", NULL, UNNAMED },
	{ "virConnectListDomains", CONNECT, "search-domains", NULL, UNNAMED },
	{ "virConnectListDefinedDomains", CONNECT, "search-domains", NULL, UNNAMED },
	{ "virConnectDomainEventRegisterAny", CONNECT, "search-domains", NULL, UNNAMED },
	{ "virConnectDomainEventDeregisterAny", CONNECT, "read", NULL, UNNAMED },
	{ "virDomainLookupByID", DOMAIN, "getattr", NULL, BY_ID },
	{ "virDomainLookupByName", DOMAIN, "getattr", NULL, BY_NAME },
	{ "virDomainLookupByUUID", DOMAIN, "getattr", NULL, BY_UUID },
	{ "virDomainIsActive", DOMAIN, "read", NULL, BY_DOM },
	{ "virDomainIsPersistent", DOMAIN, "read", NULL, BY_DOM },
	{ "virDomainIsUpdated", DOMAIN, "read", NULL, BY_DOM },
	{ "virDomainGetAutostart", DOMAIN, "read", NULL, BY_DOM },
	{ "virDomainGetState", DOMAIN, "read", NULL, BY_DOM },
	{ "virDomainGetInfo", DOMAIN, "read", NULL, BY_DOM },
	{ "virDomainGetMaxMemory", DOMAIN, "read", NULL, BY_DOM },
	{ "virDomainGetMaxVcpus", DOMAIN, "read", NULL, BY_DOM },
	{ "virDomainGetVcpusFlags", DOMAIN, "read", NULL, BY_DOM },
	{ "virDomainGetOSType", DOMAIN, "read", NULL, BY_DOM },
	{ "virDomainGetXMLDesc", DOMAIN, "read", "read-secure", BY_DOM, shows_secrets },
	{ "virDomainHasManagedSaveImage", DOMAIN, "read", NULL, BY_DOM },
	{ "virDomainSnapshotNum", DOMAIN, "read", NULL, BY_DOM },
	{ "virDomainGetSecurityLabel", DOMAIN, "read", NULL, BY_DOM },
	{ "virDomainGetMessages", DOMAIN, "read", NULL, BY_DOM },
	{ "virDomainInterfaceStats", DOMAIN, "read", NULL, BY_DOM },
	{ "virDomainInterfaceAddresses", DOMAIN, "read", NULL, BY_DOM },
	{ "virDomainGetInterfaceParameters", DOMAIN, "read", NULL, BY_DOM },
	{ "virDomainGetMetadata", DOMAIN, "read", NULL, BY_DOM },
	{ "virDomainDefineXML", DOMAIN, "write", "save", UNNAMED },
	{ "virDomainDefineXMLFlags", DOMAIN, "write", "save", UNNAMED },
	{ "virDomainUndefine", DOMAIN, "delete", NULL, BY_DOM },
	{ "virDomainUndefineFlags", DOMAIN, "delete", NULL, BY_DOM },
	{ "virDomainSetMetadata", DOMAIN, "write", "save", BY_DOM, metadata_changes_definition },
	{ "virDomainSetAutostart", DOMAIN, "write", NULL, BY_DOM },
	{ "virDomainCreateXML", DOMAIN, "write", "start", UNNAMED },
	{ "virDomainCreate", DOMAIN, "start", NULL, BY_DOM },
	{ "virDomainCreateWithFlags", DOMAIN, "start", NULL, BY_DOM },
	{ "virDomainDestroy", DOMAIN, "stop", NULL, BY_DOM },
	{ "virDomainDestroyFlags", DOMAIN, "stop", NULL, BY_DOM },
	{ "virDomainShutdown", DOMAIN, "init-control", NULL, BY_DOM },
	{ "virDomainShutdownFlags", DOMAIN, "init-control", NULL, BY_DOM },
	{ "virDomainReboot", DOMAIN, "init-control", NULL, BY_DOM },
	{ "virDomainReset", DOMAIN, "reset", NULL, BY_DOM },
	{ "virDomainSuspend", DOMAIN, "suspend", NULL, BY_DOM },
	{ "virDomainResume", DOMAIN, "suspend", NULL, BY_DOM },
	{ "virDomainOpenConsole", DOMAIN, "open-device", NULL, BY_DOM },
	{ "virDomainAttachDevice", DOMAIN, "write", NULL, BY_DOM },
	{ "virDomainDetachDevice", DOMAIN, "write", NULL, BY_DOM },
	{ "virDomainAttachDeviceFlags", DOMAIN, "write", "save", BY_DOM, changes_definition },
	{ "virDomainDetachDeviceFlags", DOMAIN, "write", "save", BY_DOM, changes_definition },
	{ "virDomainUpdateDeviceFlags", DOMAIN, "write", "save", BY_DOM, changes_definition },
	{ "virDomainSetInterfaceParameters", DOMAIN, "write", "save", BY_DOM, tune_changes_definition },
	{ "virConnectNumOfNWFilters", CONNECT, "search-nwfilters", NULL, UNNAMED },
	{ "virConnectListNWFilters", CONNECT, "search-nwfilters", NULL, UNNAMED },
	{ "virConnectListAllNWFilters", CONNECT, "search-nwfilters", NULL, UNNAMED },
	{ "virConnectListAllNWFilterBindings", CONNECT, "search-nwfilter-bindings", NULL, UNNAMED },
	{ "virNWFilterLookupByName", FILTER, "getattr", NULL, BY_NAME },
	{ "virNWFilterLookupByUUID", FILTER, "getattr", NULL, BY_UUID },
	{ "virNWFilterGetXMLDesc", FILTER, "read", NULL, BY_NET },
	{ "virNWFilterDefineXML", FILTER, "write", "save", UNNAMED },
	{ "virNWFilterDefineXMLFlags", FILTER, "write", "save", UNNAMED },
	{ "virNWFilterUndefine", FILTER, "delete", NULL, BY_NET },
	{ "virNWFilterBindingLookupByPortDev", BINDING, "getattr", NULL, BY_NAME },
	{ "virNWFilterBindingGetXMLDesc", BINDING, "read", NULL, BY_NAME },
	{ "netdNetworkPlan", NETWORK, "read", NULL, UNNAMED },
	{ "netdNetworkStatus", NETWORK, "read", NULL, BY_NET },
	{ "netdNetworkPlug", PORT, "create", NULL, BY_NET },
	{ "netdBridgePlug", PORT, "create", NULL, UNNAMED },
	{ "netdNetworkUnplug", PORT, "delete", NULL, BY_NET },
	{ "netdNetworkHold", NETWORK, "write", NULL, BY_NET },
	{ "netdNetworkRelease", NETWORK, "write", NULL, BY_NET },
	{ "netdNetworkDestroyAll", NETWORK, "stop", NULL, UNNAMED },
};

/* Those without their prefix. */
static void put_action(char out[64], enum object object, const char *permission)
{
	snprintf(out, 64, ".api.%s.%s", object_names[object], permission);
}

static const struct rule *rule_of(const struct rpc_method *m)
{
	for (size_t i = 0; i < ND_COUNT(rules); i++)
		if (nd_streq(rules[i].api, m->api))
			return &rules[i];
	return NULL;
}

/* rule: NULL for a call of no network and no guest, or that netd does not have. */
static void actions_of(const struct rpc_method *m, const struct rule *rule, const void *args,
		       char out[ACTIONS_MAX][64], size_t *n_out)
{
	enum object object = strncmp(m->api, "virDomain", 9) == 0 ? DOMAIN : CONNECT;

	*n_out = 1;
	if (!rule) {
		put_action(out[0], object, m->flags & RPC_READ_ONLY ? "read" : "write");
		return;
	}
	put_action(out[0], rule->object, rule->permission);
	if (rule->more && (!rule->more_if || rule->more_if(args)))
		put_action(out[(*n_out)++], rule->object, rule->more);
}

/* ---- who it is ---- */

/* Field 22 of /proc/PID/stat; the command's name before it may hold anything. 0: it is gone. */
static uint64_t process_start_time(pid_t pid)
{
	ND_AUTO(free) char *text = NULL;
	unsigned long long ticks = 0;
	char path[32], *at;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (file_read(AT_FDCWD, path, 4096, &text, NULL) < 0)
		return 0;
	at = strrchr(text, ')');
	for (int field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	return at && sscanf(at, " %llu", &ticks) == 1 ? ticks : 0;
}

/* Whether the process of this start time is in the group, by what the kernel says of it. */
static bool process_in_group(pid_t pid, uint64_t start_time, gid_t group)
{
	ND_AUTO(free) char *text = NULL;
	char path[32], *line, *rest, *word;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	if (pid <= 0 || file_read(AT_FDCWD, path, 65536, &text, NULL) < 0 ||
	    process_start_time(pid) != start_time)
		return false;
	line = strstr(text, "\nGroups:");
	if (!line)
		return false;
	line += strlen("\nGroups:");
	line[strcspn(line, "\n")] = '\0';
	rest = line;
	while ((word = strsep(&rest, " \t")))
		if (*word && strtoul(word, NULL, 10) == group)
			return true;
	return false;
}

static struct client *client_of(struct rpc_session *s)
{
	return rpc_session_data(s);
}

static struct client *client_make(struct rpc_session *s)
{
	struct client *c = client_of(s);

	if (!c) {
		c = calloc(1, sizeof(*c));
		rpc_session_set_data(s, c);
	}
	return c;
}

/* By the kernel's word. The start time is read while a descriptor of the process tells that it has
 * not ended, so its number is still its own. */
static void client_of_peer(struct rpc_session *s, struct client *c)
{
	ND_AUTO(close) int pidfd = rpc_session_peer_pidfd(s);
	struct pollfd ended = { .fd = pidfd, .events = POLLIN };

	c->who = (struct access_identity){ .uid = rpc_session_uid(s), .gid = rpc_session_gid(s),
					   .pid = rpc_session_pid(s) };
	c->who.start_time = process_start_time(c->who.pid);
	if (pidfd >= 0 && poll(&ended, 1, 0) != 0)
		c->who.start_time = 0;
}

void access_session_closed(struct netd *d, struct rpc_session *s)
{
	free(client_of(s));
	rpc_session_set_data(s, NULL);
}

bool access_needs_auth(void *context, struct rpc_session *s)
{
	struct netd *d = context;
	struct client *c;

	if (!d->access->polkit || rpc_session_uid(s) == 0 || rpc_session_uid(s) == geteuid())
		return false;
	c = client_make(s);
	if (c)
		client_of_peer(s, c);
	return true;
}

bool access_speaks_for_another(struct rpc_session *s)
{
	const struct client *c = client_of(s);

	return c && c->relayed;
}

int access_set_identity(struct netd *d, struct rpc_session *s, const struct access_identity *who,
			struct nd_error *err)
{
	uid_t uid = rpc_session_uid(s);
	struct client *c;

	if (uid != 0 && uid != geteuid())
		return nd_error_set(err, ND_ERR_OPERATION_DENIED, "only root may set an identity");
	c = client_make(s);
	if (!c)
		return nd_error_nomem(err);
	c->who = *who;
	c->relayed = true;
	c->member = who->gid == d->group ||
		    process_in_group(who->pid, who->start_time, d->group);
	return 0;
}

/* ---- calls ---- */

/* A question that is asked, or several one after the other. */
struct asking {
	struct netd *netd;
	struct rpc_call *call;
	bool connecting;		/* AUTH_POLKIT */
	struct access_identity who;
	char actions[ACTIONS_MAX][64];
	size_t n, at;
	enum object object;		/* of which name and uuid are */
	char name[256], uuid[ND_UUID_STRLEN];	/* "": none */
};

static int ask_next(struct asking *k, struct nd_error *err);

static void fail(struct asking *k, const struct nd_error *why)
{
	struct nd_error err = *why;

	if (k->connecting) {
		err.domain = FROM_POLKIT;
	} else {
		err = (struct nd_error){ 0 };
		nd_error_set(&err, ND_ERR_ACCESS_DENIED, "user %d may not do '%s%s': %.300s",
			     (int)k->who.uid, k->netd->config.polkit_prefix, k->actions[k->at], why->text);
		err.domain = FROM_ACCESS;
	}
	rpc_call_fail(k->call, &err);
	free(k);
}

static void on_answer(void *arg, const struct nd_error *refused)
{
	struct asking *k = arg;
	struct rpc_session *s = rpc_call_session(k->call);
	struct nd_error err = { 0 };

	if (refused) {
		fail(k, refused);
		return;
	}
	if (++k->at < k->n) {
		if (ask_next(k, &err) < 0)
			fail(k, &err);
		return;
	}
	if (k->connecting) {
		if (s)
			rpc_session_set_authenticated(s);
		((lv_int_ret *)rpc_call_ret(k->call))->value = 1;
		rpc_call_reply(k->call);
	} else {
		rpc_call_go_on(k->call);
	}
	free(k);
}

static int ask_next(struct asking *k, struct nd_error *err)
{
	static const struct { const char *driver, *name, *uuid; } keys[] = {
		[CONNECT] = { "network", NULL, NULL },
		[NETWORK] = { "network", "network_name", "network_uuid" },
		[PORT] = { "network", "network_name", "network_uuid" },
		[DOMAIN] = { "netd", "domain_name", "domain_uuid" },
		[FILTER] = { "nwfilter", "nwfilter_name", "nwfilter_uuid" },
		[BINDING] = { "nwfilter", "nwfilter_binding_portdev", NULL },
	};
	struct polkit_detail details[3] = { { "connect_driver", keys[k->object].driver } };
	char action[192];
	struct polkit_question q = {
		.pid = k->who.pid, .start_time = k->who.start_time, .uid = k->who.uid,
		.action = action, .details = details, .n_details = 1, .interactive = k->connecting,
	};

	snprintf(action, sizeof(action), "%s%s", k->netd->config.polkit_prefix, k->actions[k->at]);
	if (k->name[0])
		details[q.n_details++] = (struct polkit_detail){ keys[k->object].name, k->name };
	if (k->uuid[0])
		details[q.n_details++] = (struct polkit_detail){ keys[k->object].uuid, k->uuid };
	if (!k->who.pid || !k->who.start_time)
		return nd_error_set(err, ND_ERR_AUTH_FAILED, "the process that asks has ended, or is not "
				    "known");
	return polkit_ask(k->netd->access->polkit, &q, on_answer, k, err);
}

static struct asking *asking_new(struct netd *d, struct rpc_call *call, struct client *c)
{
	struct asking *k = calloc(1, sizeof(*k));

	if (k)
		*k = (struct asking){ .netd = d, .call = call, .who = c->who };
	return k;
}

/* Asks the first question; k is freed when that cannot be. */
static int start(struct asking *k, struct nd_error *err)
{
	int r = ask_next(k, err);

	if (r == 0)
		return RPC_PENDING;
	if (k->connecting) {
		err->domain = FROM_POLKIT;
	} else {
		err->kind = ND_ERR_ACCESS_DENIED;
		err->domain = FROM_ACCESS;
	}
	free(k);
	return r;
}

int access_authenticate(struct netd *d, struct rpc_call *call, struct nd_error *err)
{
	struct rpc_session *s = rpc_call_session(call);
	struct client *c = client_of(s);
	struct asking *k;

	if (!d->access->polkit || !c || rpc_session_is_authenticated(s))
		return nd_error_set(err, ND_ERR_AUTH_FAILED, "polkit was not asked for");
	k = asking_new(d, call, c);
	if (!k)
		return nd_error_nomem(err);
	k->connecting = true;
	k->n = 1;
	strcpy(k->actions[0], rpc_session_read_only(s) ? ".unix.monitor" : ".unix.manage");
	return start(k, err);
}

static struct nd_uuid uuid_in(enum naming naming, const void *args)
{
	struct nd_uuid uuid;

	memcpy(uuid.bytes, naming == BY_UUID ? ((const lv_uuid_args *)args)->uuid :
			   naming == BY_DOM ? ((const lv_dom *)args)->uuid : ((const lv_net *)args)->uuid,
	       sizeof(uuid.bytes));
	return uuid;
}

static void name_network(struct asking *k, enum naming naming, const void *args)
{
	const struct registry *networks = &k->netd->networks;
	const struct network *net;
	struct nd_uuid uuid;

	if (naming == BY_NAME) {
		net = registry_by_name(networks, ((const lv_name_args *)args)->name);
	} else {
		uuid = uuid_in(naming, args);
		net = registry_by_uuid(networks, &uuid);
	}
	if (!net)
		return;
	snprintf(k->name, sizeof(k->name), "%s", net->name);
	nd_uuid_format(&net->uuid, k->uuid);
}

static void name_guest(struct asking *k, enum naming naming, const void *args)
{
	const struct guests *guests = &k->netd->guests;
	const struct guest *g;
	struct nd_uuid uuid;

	if (naming == BY_NAME) {
		g = guests_by_name(guests, ((const lv_name_args *)args)->name);
	} else if (naming == BY_ID) {
		g = guests_by_id(guests, ((const lv_id_args *)args)->id);
	} else {
		uuid = uuid_in(naming, args);
		g = guests_by_uuid(guests, &uuid);
	}
	if (!g)
		return;
	snprintf(k->name, sizeof(k->name), "%s", g->name);
	nd_uuid_format(&g->uuid, k->uuid);
}

static void name_filter(struct asking *k, enum naming naming, const void *args)
{
	const struct nwfilters *filters = k->netd->nwfilters;
	struct nd_uuid uuid = naming == BY_NAME ? (struct nd_uuid){ 0 } : uuid_in(naming, args);
	const struct nwfilter_def *def = naming == BY_NAME ? nwfilters_find(filters, ((const lv_name_args *)args)->name)
							   : nwfilters_find_uuid(filters, &uuid);

	if (!def)
		return;
	snprintf(k->name, sizeof(k->name), "%s", def->name);
	nd_uuid_format(&def->uuid, k->uuid);
}

/* What the call is about, as netd knows it: rules may tell networks, guests and filters apart. */
static void name_object(struct asking *k, const struct rule *rule, const void *args)
{
	k->object = rule->object;
	if (rule->naming == UNNAMED)
		return;
	if (k->object == DOMAIN)
		name_guest(k, rule->naming, args);
	else if (k->object == FILTER)
		name_filter(k, rule->naming, args);
	else if (k->object == BINDING)
		snprintf(k->name, sizeof(k->name), "%s", ((const lv_nwfilter_binding *)args)->device);
	else
		name_network(k, rule->naming, args);
}

static int judge_by_group(const struct client *c, const struct rpc_method *m, struct nd_error *err)
{
	if (!c || !c->relayed || c->who.uid == 0 || c->member || m->flags & RPC_READ_ONLY)
		return 0;
	nd_error_set(err, ND_ERR_ACCESS_DENIED, "user %d%s%s%s is not in the group that may change "
		     "networks: %s", (int)c->who.uid, c->who.user[0] ? " (" : "", c->who.user,
		     c->who.user[0] ? ")" : "", m->api);
	err->domain = FROM_ACCESS;
	return -EINVAL;
}

int access_authorize(void *context, struct rpc_call *call, const struct rpc_method *m, void *args,
		     struct nd_error *err)
{
	struct netd *d = context;
	struct client *c = client_of(rpc_call_session(call));
	const struct rule *rule = rule_of(m);
	struct asking *k;

	if (!d->access->polkit)
		return judge_by_group(c, m, err);
	/* Root, or its daemon that says for whom it speaks now. */
	if (!c || c->who.uid == 0 || nd_streq(m->api, "virConnectSetIdentity"))
		return 0;
	k = asking_new(d, call, c);
	if (!k)
		return nd_error_nomem(err);
	actions_of(m, rule, args, k->actions, &k->n);
	if (args && rule)
		name_object(k, rule, args);
	return start(k, err);
}

int access_new(struct netd *d, struct access **out, struct nd_error *err)
{
	struct access *a = calloc(1, sizeof(*a));

	if (!a)
		return nd_error_nomem(err);
	if (d->config.access_polkit) {
		a->polkit = polkit_new(d->event);
		if (!a->polkit) {
			free(a);
			return nd_error_nomem(err);
		}
	}
	*out = a;
	return 0;
}

void access_free(struct access *a)
{
	if (!a)
		return;
	polkit_free(a->polkit);
	free(a);
}
