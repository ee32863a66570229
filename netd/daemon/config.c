/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/config.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "netd/base/auto.h"
#include "netd/base/str.h"
#include "netd/daemon/file.h"

enum key_kind { KEY_TEXT, KEY_BOOL, KEY_UINT, KEY_LEVEL, KEY_ACCESS, KEY_TAKEOVER };

struct key {
	const char *name;
	enum key_kind kind;
	size_t at;
	uint64_t min, max;	/* KEY_UINT */
};

#define AT(member) offsetof(struct netd_config, member)

static const struct key keys[] = {
	{ "group", KEY_TEXT, AT(group) },
	{ "access", KEY_ACCESS, AT(access_polkit) },
	{ "polkit_prefix", KEY_TEXT, AT(polkit_prefix) },
	{ "socket", KEY_TEXT, AT(socket) },
	{ "socket_ro", KEY_TEXT, AT(socket_ro) },
	{ "libvirt_sockets", KEY_BOOL, AT(libvirt_sockets) },
	{ "libvirt_takeover", KEY_TAKEOVER, AT(libvirt_takeover) },
	{ "serve_uid_base", KEY_UINT, AT(serve_uid_base), 1, 0x7fffffff },
	{ "serve_uid_count", KEY_UINT, AT(serve_uid_count), 1, 1 << 20 },
	{ "vmm_uid_base", KEY_UINT, AT(vmm_uid_base), 1, 0x7fffffff },
	{ "vmm_uid_count", KEY_UINT, AT(vmm_uid_count), 1, 1 << 20 },
	{ "log_level", KEY_LEVEL, AT(log_level) },
	{ "persist_nft", KEY_BOOL, AT(persist_nft) },
	{ "repair", KEY_BOOL, AT(repair) },
	{ "autostart", KEY_BOOL, AT(autostart) },
	{ "max_clients", KEY_UINT, AT(max_clients), 1, 100000 },
	{ "max_unauthenticated", KEY_UINT, AT(max_unauthenticated), 1, 100000 },
	{ "max_calls_per_client", KEY_UINT, AT(max_calls_per_client), 1, 1000 },
	{ "max_message_kib", KEY_UINT, AT(max_message_kib), 16, 32768 },
	{ "auth_timeout_s", KEY_UINT, AT(auth_timeout_s), 1, 3600 },
	{ "script_timeout_s", KEY_UINT, AT(script_timeout_s), 1, 3600 },
};

static const struct { const char *name; int level; } levels[] = {
	{ "error", LOG_ERR }, { "warning", LOG_WARNING }, { "notice", LOG_NOTICE },
	{ "info", LOG_INFO }, { "debug", LOG_DEBUG },
};

/* Blocks of uids that no distribution hands out: the first is the installed netd's. Of each, servers
 * get the lower and guests the upper part. */
enum { UID_FIRST = 0x4e440000, UID_BLOCK = 65536, UID_BLOCKS = 4096, UID_GUESTS = 16384 };

static uid_t uid_base(const char *root)
{
	uint32_t hash = 2166136261;	/* FNV-1a */

	if (!root)
		return UID_FIRST;
	for (const char *c = root; *c; c++)
		hash = (hash ^ (uint8_t)*c) * 16777619;
	return UID_FIRST + UID_BLOCK * (1 + hash % (UID_BLOCKS - 1));
}

int netd_config_init(struct netd_config *c, const char *root, struct nd_error *err)
{
	*c = (struct netd_config){
		.group = strdup("netd"),
		.polkit_prefix = strdup("org.netd"),
		.serve_uid_base = uid_base(root),
		.serve_uid_count = UID_BLOCK - UID_GUESTS,
		.vmm_uid_base = uid_base(root) + UID_BLOCK - UID_GUESTS,
		.vmm_uid_count = UID_GUESTS,
		.log_level = LOG_INFO,
		.persist_nft = true,
		.repair = true,
		.autostart = true,
		.max_clients = 5000,
		.max_unauthenticated = 100,
		.max_calls_per_client = 16,
		.max_message_kib = 32768,
		.auth_timeout_s = 30,
		.script_timeout_s = 30,
	};
	return c->group && c->polkit_prefix ? 0 : nd_error_nomem(err);
}

void netd_config_fini(struct netd_config *c)
{
	free(c->group);
	free(c->polkit_prefix);
	free(c->socket);
	free(c->socket_ro);
}

static bool parse_bool(const char *text, bool *out)
{
	static const char *const yes[] = { "yes", "true", "on", "1" };
	static const char *const no[] = { "no", "false", "off", "0" };

	for (size_t i = 0; i < ND_COUNT(yes); i++) {
		if (nd_streq(text, yes[i]) || nd_streq(text, no[i])) {
			*out = nd_streq(text, yes[i]);
			return true;
		}
	}
	return false;
}

static int set_level(int *at, const char *value, struct nd_error *err)
{
	for (size_t i = 0; i < ND_COUNT(levels); i++) {
		if (nd_streq(value, levels[i].name)) {
			*at = levels[i].level;
			return 0;
		}
	}
	return nd_error_set(err, ND_ERR_CONFIG_UNSUPPORTED,
			    "log_level '%s' is none of error, warning, notice, info, debug", value);
}

static int set_bool(bool *at, const char *name, const char *value, struct nd_error *err)
{
	if (parse_bool(value, at))
		return 0;
	return nd_error_set(err, ND_ERR_CONFIG_UNSUPPORTED, "%s '%s' is neither yes nor no", name, value);
}

static int set_takeover(enum libvirt_takeover *at, const char *name, const char *value,
			struct nd_error *err)
{
	bool yes = false;
	int r = set_bool(&yes, name, value, err);

	if (r == 0)
		*at = yes ? TAKEOVER_YES : TAKEOVER_NO;
	return r;
}

static int set_key(struct netd_config *c, const struct key *k, const char *value,
		   struct nd_error *err)
{
	void *at = (char *)c + k->at;
	uint64_t number;
	char *copy;

	switch (k->kind) {
	case KEY_TEXT:
		copy = strdup(value);
		if (!copy)
			return nd_error_nomem(err);
		free(*(char **)at);
		*(char **)at = copy;
		return 0;
	case KEY_BOOL:
		return set_bool(at, k->name, value, err);
	case KEY_TAKEOVER:
		return set_takeover(at, k->name, value, err);
	case KEY_UINT:
		if (!nd_parse_uint(value, 10, k->min, k->max, &number))
			return nd_error_set(err, ND_ERR_CONFIG_UNSUPPORTED,
					    "%s '%s' is not a number from %llu to %llu", k->name, value,
					    (unsigned long long)k->min, (unsigned long long)k->max);
		*(unsigned *)at = (unsigned)number;
		return 0;
	case KEY_ACCESS:
		*(bool *)at = nd_streq(value, "polkit");
		if (!*(bool *)at && !nd_streq(value, "group"))
			return nd_error_set(err, ND_ERR_CONFIG_UNSUPPORTED,
					    "access '%s' is neither group nor polkit", value);
		return 0;
	case KEY_LEVEL:
		return set_level(at, value, err);
	}
	return 0;
}

/* Cuts blanks at both ends, in place. */
static char *strip(char *text)
{
	char *end = text + strlen(text);

	while (end > text && isspace((unsigned char)end[-1]))
		*--end = '\0';
	while (isspace((unsigned char)*text))
		text++;
	return text;
}

static int parse_line(struct netd_config *c, char *line, struct nd_error *err)
{
	char *comment = strchr(line, '#'), *equals, *name, *value;

	if (comment)
		*comment = '\0';
	name = strip(line);
	if (!*name)
		return 0;
	equals = strchr(name, '=');
	if (!equals)
		return nd_error_set(err, ND_ERR_CONFIG_UNSUPPORTED, "'%s' is not 'key = value'", name);
	*equals = '\0';
	name = strip(name);
	value = strip(equals + 1);
	if (*value == '"' && strlen(value) >= 2 && value[strlen(value) - 1] == '"') {
		value[strlen(value) - 1] = '\0';
		value++;
	}
	for (size_t i = 0; i < ND_COUNT(keys); i++)
		if (nd_streq(keys[i].name, name))
			return set_key(c, &keys[i], value, err);
	return nd_error_set(err, ND_ERR_CONFIG_UNSUPPORTED, "unknown key '%s'", name);
}

int netd_config_parse(struct netd_config *c, const char *text, const char *file,
		      struct nd_error *err)
{
	ND_AUTO(free) char *copy = strdup(text);
	char *rest = copy, *line;
	int r;

	if (!copy)
		return nd_error_nomem(err);
	for (int number = 1; (line = strsep(&rest, "\n")); number++) {
		r = parse_line(c, line, err);
		if (r < 0) {
			(void)nd_error_prefix(err, "%s:%d", file, number);	/* r is kept */
			return r;
		}
	}
	return 0;
}

int netd_config_load(struct netd_config *c, const char *file, bool must_exist, struct nd_error *err)
{
	ND_AUTO(free) char *text = NULL;
	int r = file_read(AT_FDCWD, file, 1 << 20, &text, NULL);

	if (r == -ENOENT && !must_exist)
		return 0;
	if (r < 0)
		return nd_error_sys(err, -r, "cannot read '%s'", file);
	return netd_config_parse(c, text, file, err);
}
