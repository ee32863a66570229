/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/servers.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "netd/base/hash.h"
#include "netd/base/log.h"
#include "netd/daemon/serve_instance.h"
#include "netd/daemon/serve_sockets.h"

#define SPARES 2

struct servers {
	struct serve_context context;
	struct nd_hash *by_uuid;
};

static struct serve_instance *find(const struct servers *s, const struct nd_uuid *uuid)
{
	return nd_hash_find(s->by_uuid, uuid->bytes, sizeof(uuid->bytes));
}

static void on_ended(void *arg, struct serve_instance *i)
{
	struct servers *s = arg;
	struct nd_uuid uuid = *serve_instance_uuid(i);

	nd_hash_remove(s->by_uuid, uuid.bytes, sizeof(uuid.bytes));
	serve_sockets_unlink(s->context.options.run_dir, &uuid);
	serve_instance_free(i);
}

void servers_free(struct servers *s)
{
	struct serve_instance *i;
	size_t pos = 0;

	if (!s)
		return;
	while (s->by_uuid && (i = nd_hash_next(s->by_uuid, &pos)))
		serve_instance_free(i);
	nd_hash_free(s->by_uuid);
	serve_pool_free(s->context.pool);
	free((char *)s->context.options.program);
	free((char *)s->context.options.run_dir);
	free((char *)s->context.options.lease_dir);
	free(s);
}

int servers_new(const struct servers_options *opt, struct servers **out, struct nd_error *err)
{
	ND_AUTO(servers_free) struct servers *s = calloc(1, sizeof(*s));
	struct servers_options *mine;
	int r;

	if (!s)
		return nd_error_nomem(err);
	mine = &s->context.options;
	*mine = *opt;
	mine->program = strdup(opt->program);
	mine->run_dir = strdup(opt->run_dir);
	mine->lease_dir = strdup(opt->lease_dir);
	s->by_uuid = nd_hash_new();
	if (!mine->program || !mine->run_dir || !mine->lease_dir || !s->by_uuid)
		return nd_error_nomem(err);
	if (mkdir(opt->run_dir, 0700) < 0 && errno != EEXIST)
		return nd_error_sys(err, errno, "cannot make '%s'", opt->run_dir);
	r = serve_pool_new(opt->event, mine->program, mine->lease_dir,
			   opt->spares ? opt->spares : SPARES, &s->context.pool, err);
	if (r < 0)
		return r;
	s->context.instances = s->by_uuid;
	s->context.ended = on_ended;
	s->context.arg = s;
	*out = nd_take_ptr(&s);
	return 0;
}

/* NULL: out of memory. */
static struct serve_instance *add(struct servers *s, const struct nd_uuid *uuid)
{
	struct serve_instance *i = serve_instance_new(&s->context, uuid);

	if (i && nd_hash_set(s->by_uuid, serve_instance_uuid(i)->bytes, sizeof(uuid->bytes), i) == 0)
		return i;
	serve_instance_free(i);
	return NULL;
}

void servers_start(struct servers *s, struct serve_config *config, servers_done done, void *arg)
{
	struct serve_instance *i = find(s, &config->uuid);
	struct nd_error err = { 0 };

	if (!i && !serve_config_wanted(config)) {
		serve_config_free(config);
		done(arg, NULL);
		return;
	}
	if (!i)
		i = add(s, &config->uuid);
	if (!i) {
		serve_config_free(config);
		nd_error_nomem(&err);
		done(arg, &err);
		return;
	}
	serve_instance_want(i, config, done, arg);
}

void servers_update(struct servers *s, struct serve_config *config, servers_done done, void *arg)
{
	if (serve_config_wanted(config)) {
		servers_start(s, config, done, arg);
		return;
	}
	servers_stop(s, &config->uuid, done, arg);
	serve_config_free(config);
}

void servers_stop(struct servers *s, const struct nd_uuid *net, servers_done done, void *arg)
{
	struct serve_instance *i = find(s, net);

	if (i)
		serve_instance_want(i, NULL, done, arg);
	else
		done(arg, NULL);
}

/* A server whose network does not run: ended, whoever it is. If the network is started meanwhile, its own server
 * waits for the addresses. */
static void stray_end(struct servers *s, const struct nd_uuid *uuid)
{
	struct serve_instance *i = add(s, uuid);

	if (i && !serve_instance_end_old(i))
		on_ended(s, i);
}

void servers_end_strays(struct servers *s)
{
	DIR *dir = opendir(s->context.options.run_dir);
	struct dirent *entry;
	struct nd_uuid uuid;
	char name[ND_UUID_STRLEN];

	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		if (strlen(entry->d_name) != sizeof(name) - 1 + strlen(".sock"))
			continue;
		memcpy(name, entry->d_name, sizeof(name) - 1);
		name[sizeof(name) - 1] = '\0';
		if (nd_uuid_parse(name, &uuid) && !find(s, &uuid))
			stray_end(s, &uuid);
	}
	closedir(dir);
}

bool servers_running(const struct servers *s, const struct nd_uuid *net)
{
	return servers_config(s, net) != NULL;
}

const struct serve_config *servers_config(const struct servers *s, const struct nd_uuid *net)
{
	const struct serve_instance *i = find(s, net);

	return i ? serve_instance_config(i) : NULL;
}

void servers_set_upstreams(struct servers *s, const struct dns_upstream *list, size_t n)
{
	struct serve_instance *i;
	size_t pos = 0;

	while ((i = nd_hash_next(s->by_uuid, &pos)))
		serve_instance_set_upstreams(i, list, n);
}

void servers_set_ports(struct servers *s, const struct nd_uuid *net, const struct nd_mac *list,
		       size_t n)
{
	struct serve_instance *i = find(s, net);

	if (i)
		serve_instance_set_ports(i, list, n);
}

void servers_release_mac(struct servers *s, const struct nd_uuid *net, const struct nd_mac *mac)
{
	const struct serve_config *c = servers_config(s, net);
	ND_AUTO(free) struct nd_mac *list = NULL;
	size_t n = 0;

	if (!c || !(list = calloc(c->n_ports + 1, sizeof(*list))))
		return;
	for (size_t k = 0; k < c->n_ports; k++)
		if (!nd_mac_equal(&c->ports[k], mac))
			list[n++] = c->ports[k];
	servers_set_ports(s, net, list, n);
}

size_t servers_leases(const struct servers *s, const struct nd_uuid *net, const struct nd_mac *mac,
		      void (*each)(void *arg, const struct serve_lease *lease), void *arg)
{
	const struct serve_instance *i = find(s, net);

	return i ? lease_cache_each(serve_instance_leases(i), mac, each, arg) : 0;
}

void servers_stats(struct servers *s, const struct nd_uuid *net,
		   void (*done)(void *arg, const struct serve_counter *list, size_t n), void *arg)
{
	struct serve_instance *i = find(s, net);

	if (i)
		serve_instance_stats(i, done, arg);
	else
		done(arg, NULL, 0);
}
