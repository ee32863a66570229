/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/rpc/uri.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "netd/base/str.h"

void rpc_uri_fini(struct rpc_uri *u)
{
	free(u->driver);
	free(u->user);
	free(u->host);
	free(u->port);
	free(u->path);
	free(u->socket);
	free(u->command);
	free(u->keyfile);
	free(u->name);
	*u = (struct rpc_uri){ 0 };
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* RFC 3986 2.1; what is not a valid escape stays as it is. */
static char *unescape(const char *text, size_t len)
{
	char *out = malloc(len + 1), *to = out;

	if (!out)
		return NULL;
	for (size_t i = 0; i < len; i++) {
		int high = text[i] == '%' && i + 2 < len ? hex_digit(text[i + 1]) : -1;
		int low = high >= 0 ? hex_digit(text[i + 2]) : -1;

		if (low >= 0 && (high || low)) {
			*to++ = (char)(high << 4 | low);
			i += 2;
		} else {
			*to++ = text[i];
		}
	}
	*to = '\0';
	return out;
}

static int mode_parse(struct rpc_uri *u, const char *value, struct nd_error *err)
{
	static const char *const names[] = {
		[RPC_MODE_AUTO] = "auto", [RPC_MODE_DIRECT] = "direct",
		[RPC_MODE_LEGACY] = "legacy",
	};

	for (unsigned i = 0; i < ND_COUNT(names); i++) {
		if (nd_streq(names[i], value)) {
			u->mode = i;
			return 0;
		}
	}
	return nd_error_set(err, ND_ERR_INVALID_ARG,
			    "mode '%s' in the URI is none of auto, direct, legacy", value);
}

/* Parameters that libvirt's client keeps to itself and that mean nothing here. */
static bool is_ignored(const char *key, size_t len)
{
	static const char *const keys[] = {
		"auth", "sshauth", "netcat", "pkipath", "known_hosts", "known_hosts_verify",
		"tls_priority", "proxy", "no_sanity", "no_verify", "no_tty", "authfile",
	};

	for (unsigned i = 0; i < ND_COUNT(keys); i++)
		if (strlen(keys[i]) == len && memcmp(keys[i], key, len) == 0)
			return true;
	return false;
}

/* One key=value; what nobody here knows goes on to the daemon in rest. */
static int param_take(struct rpc_uri *u, const char *text, size_t len, struct nd_str *rest,
		      struct nd_error *err)
{
	const struct { const char *key; char **to; } known[] = {
		{ "socket", &u->socket }, { "name", &u->name }, { "command", &u->command },
		{ "keyfile", &u->keyfile },
	};
	const char *eq = memchr(text, '=', len);
	size_t key_len = eq ? (size_t)(eq - text) : len;
	ND_AUTO(free) char *value = eq ? unescape(eq + 1, len - key_len - 1) : strdup("");

	if (!value)
		return nd_error_nomem(err);
	for (unsigned i = 0; i < ND_COUNT(known); i++) {
		if (strlen(known[i].key) != key_len || memcmp(known[i].key, text, key_len) != 0)
			continue;
		free(*known[i].to);
		*known[i].to = nd_take_ptr(&value);
		return 0;
	}
	if (key_len == 4 && memcmp(text, "mode", 4) == 0)
		return mode_parse(u, value, err);
	if (len && !is_ignored(text, key_len)) {
		nd_str_add(rest, rest->len ? "&" : "?");
		nd_str_addn(rest, text, len);
	}
	return 0;
}

static int query_take(struct rpc_uri *u, const char *query, struct nd_str *rest,
		      struct nd_error *err)
{
	while (*query) {
		size_t len = strcspn(query, "&;");
		int r = param_take(u, query, len, rest, err);

		if (r < 0)
			return r;
		query += len;
		if (*query)
			query++;
	}
	return 0;
}

static int transport_parse(struct rpc_uri *u, const char *name, size_t len, struct nd_error *err)
{
	if (len == 0 || (len == 4 && memcmp(name, "unix", 4) == 0))
		u->transport = RPC_TRANSPORT_UNIX;
	else if (len == 3 && memcmp(name, "ssh", 3) == 0)
		u->transport = RPC_TRANSPORT_SSH;
	else
		return nd_error_set(err, ND_ERR_INVALID_ARG,
				    "transport '%.*s' in the URI is neither unix nor ssh",
				    (int)len, name);
	return 0;
}

/* [user@]host[:port], where host may be [IPv6] */
static int authority_parse(struct rpc_uri *u, const char *text, size_t len, struct nd_error *err)
{
	const char *end = text + len, *at = memchr(text, '@', len);
	const char *host = at ? at + 1 : text, *host_end;

	if (at && !(u->user = unescape(text, (size_t)(at - text))))
		return nd_error_nomem(err);
	if (host < end && *host == '[') {
		host_end = memchr(host, ']', (size_t)(end - host));
		if (!host_end)
			return nd_error_set(err, ND_ERR_INVALID_ARG,
					    "the URI's host has '[' without ']'");
		u->host = unescape(host + 1, (size_t)(host_end - host - 1));
		host_end++;
	} else {
		host_end = memchr(host, ':', (size_t)(end - host));
		host_end = host_end ? host_end : end;
		u->host = unescape(host, (size_t)(host_end - host));
	}
	if (!u->host)
		return nd_error_nomem(err);
	if (host_end + 1 < end && *host_end == ':' &&
	    !(u->port = unescape(host_end + 1, (size_t)(end - host_end - 1))))
		return nd_error_nomem(err);
	/* A word that ssh would take as an option must not reach it. */
	if (u->host[0] == '-' || (u->user && u->user[0] == '-'))
		return nd_error_set(err, ND_ERR_INVALID_ARG,
				    "the URI's host or user starts with '-'");
	return 0;
}

static int name_make(struct rpc_uri *u, const char *rest, struct nd_error *err)
{
	if (u->name)
		return 0;
	if (nd_streq(u->driver, "remote")) {
		u->name = strdup("");
	} else if (asprintf(&u->name, "%s://%s%s",
			    nd_streq(u->driver, "netd") ? "network" : u->driver, u->path,
			    rest) < 0) {
		u->name = NULL;
	}
	return u->name ? 0 : nd_error_nomem(err);
}

static int check(const struct rpc_uri *u, const char *text, struct nd_error *err)
{
	if (u->transport == RPC_TRANSPORT_UNIX && u->host && u->host[0])
		return nd_error_set(err, ND_ERR_INVALID_ARG,
				    "URI '%s' names a host: reach it with %s+ssh://%s%s", text,
				    u->driver, u->host, u->path);
	if (u->transport == RPC_TRANSPORT_SSH && !(u->host && u->host[0]))
		return nd_error_set(err, ND_ERR_INVALID_ARG, "URI '%s' names no host", text);
	return 0;
}

/* driver[+transport]://authority/path[?query] */
static int parse(const char *text, struct rpc_uri *u, struct nd_error *err)
{
	const char *colon = strstr(text, "://"), *authority, *path;
	size_t scheme_len = colon ? (size_t)(colon - text) : 0;
	const char *plus = memchr(text, '+', scheme_len);
	size_t driver_len = plus ? (size_t)(plus - text) : scheme_len;
	ND_AUTO(nd_str_free) struct nd_str rest = { 0 };
	int r;

	if (driver_len == 0)
		return nd_error_set(err, ND_ERR_INVALID_ARG,
				    "'%s' is not a URI like netd:///system", text);
	authority = colon + 3;
	path = authority + strcspn(authority, "/?");
	u->driver = strndup(text, driver_len);
	u->path = unescape(path, strcspn(path, "?"));
	if (!u->driver || !u->path)
		return nd_error_nomem(err);
	r = transport_parse(u, plus ? plus + 1 : "", plus ? scheme_len - driver_len - 1 : 0, err);
	if (r == 0 && path > authority)
		r = authority_parse(u, authority, (size_t)(path - authority), err);
	if (r == 0 && strchr(path, '?'))
		r = query_take(u, strchr(path, '?') + 1, &rest, err);
	if (r == 0 && rest.failed)
		r = nd_error_nomem(err);
	if (r == 0)
		r = name_make(u, rest.len ? rest.text : "", err);
	return r == 0 ? check(u, text, err) : r;
}

int rpc_uri_parse(const char *text, struct rpc_uri *out, struct nd_error *err)
{
	struct rpc_uri u = { 0 };
	int r;

	if (text[0] == '/') {
		r = parse("netd:///system", &u, err);
		if (r == 0 && !(u.socket = strdup(text)))
			r = nd_error_nomem(err);
	} else {
		r = parse(text, &u, err);
	}
	if (r < 0) {
		rpc_uri_fini(&u);
		return r;
	}
	*out = u;
	return 0;
}

static char *libvirt_socket(const char *dir, const char *daemon, const char *suffix)
{
	char *path = NULL;

	return asprintf(&path, "%s/%s-sock%s", dir, daemon, suffix) < 0 ? NULL : path;
}

/* The modular daemon's socket where it is there, else the monolithic daemon's, else the first. */
static char *libvirt_choose(const struct rpc_uri *u, const char *dir, const char *suffix,
			    bool (*exists)(const char *path))
{
	ND_AUTO(free) char *daemon = NULL;
	ND_AUTO(free) char *direct = NULL, *legacy = NULL;

	if (nd_streq(u->driver, "remote"))
		return libvirt_socket(dir, "libvirt", suffix);
	if (asprintf(&daemon, "virt%sd", u->driver) < 0) {
		daemon = NULL;
		return NULL;
	}
	direct = libvirt_socket(dir, daemon, suffix);
	legacy = libvirt_socket(dir, "libvirt", suffix);
	if (!direct || !legacy)
		return NULL;
	if (u->mode == RPC_MODE_LEGACY)
		return nd_take_ptr(&legacy);
	if (u->mode == RPC_MODE_AUTO && exists && !exists(direct) && exists(legacy))
		return nd_take_ptr(&legacy);
	return nd_take_ptr(&direct);
}

char *rpc_uri_socket(const struct rpc_uri *u, bool read_only, bool (*exists)(const char *path))
{
	const char *runtime = getenv("XDG_RUNTIME_DIR"), *suffix = read_only ? "-ro" : "";
	ND_AUTO(free) char *dir = NULL;

	if (u->socket)
		return strdup(u->socket);
	if (nd_streq(u->driver, "netd")) {
		char *path = NULL;

		return asprintf(&path, "%s%s", RPC_NETD_SOCKET, suffix) < 0 ? NULL : path;
	}
	if (geteuid() != 0 && nd_streq(u->path, "/session") && runtime) {
		if (asprintf(&dir, "%s/libvirt", runtime) < 0) {
			dir = NULL;
			return NULL;
		}
		return libvirt_choose(u, dir, "", exists);
	}
	return libvirt_choose(u, "/var/run/libvirt", suffix, exists);
}
