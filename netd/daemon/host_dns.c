/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/host_dns.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>

#include "netd/base/array.h"
#include "netd/base/log.h"
#include "netd/base/str.h"
#include "netd/daemon/file.h"

#define SETTLE_US 20000		/* writers replace the file in several steps */

struct host_dns {
	sd_event *event;
	const struct paths *paths;
	void (*changed)(void *arg);
	void *arg;
	sd_event_source *watches[9], *timer;	/* at most three for each of three files */
	size_t n_watches;
	struct host_names *names;
};

static bool is_loopback(const struct nd_ip *ip)
{
	if (ip->family == AF_INET)
		return ntohl(ip->v4.s_addr) >> 24 == 127;
	return IN6_IS_ADDR_LOOPBACK(&ip->v6);
}

/* One line's nameserver; false when it names none that we can use. A scope ("%eth0") would need
 * the interface at the time of sending: such a server is passed over. */
static bool parse_nameserver(char *line, struct nd_ip *out)
{
	char *rest = line, *word;

	word = strsep(&rest, " \t");
	if (!nd_streq(word, "nameserver") || !rest)
		return false;
	rest += strspn(rest, " \t");
	rest[strcspn(rest, " \t\r#;")] = '\0';
	return nd_ip_parse(rest, out);
}

size_t resolv_conf_parse(const char *text, struct dns_upstream *list, size_t *n)
{
	ND_AUTO(free) char *copy = strdup(text);
	char *rest = copy, *line;
	size_t real = 0;
	struct nd_ip ip;

	while ((line = strsep(&rest, "\n"))) {
		if (*n >= HOST_DNS_MAX || !parse_nameserver(line, &ip))
			continue;
		list[(*n)++] = (struct dns_upstream){ .addr = ip, .port = 53 };
		real += !is_loopback(&ip);
	}
	return real;
}

/* The words of a hosts line after the address. */
static int add_names(struct dns_host_record *record, char *rest)
{
	char *word;

	while ((word = strsep(&rest, " \t\r"))) {
		char **slot;

		if (!*word)
			continue;
		slot = nd_array_add(record->names, record->n_names);
		if (!slot)
			return -ENOMEM;
		*slot = strdup(word);
		if (!*slot)
			return -ENOMEM;
	}
	return 0;
}

int hosts_parse(const char *text, struct host_names *names)
{
	ND_AUTO(free) char *copy = strdup(text);
	char *rest = copy, *line;

	if (!copy)
		return -ENOMEM;
	while ((line = strsep(&rest, "\n")) && names->n_records < HOST_RECORDS_MAX) {
		struct dns_host_record *record;
		char *word;
		struct nd_ip ip;

		line[strcspn(line, "#")] = '\0';
		line += strspn(line, " \t");
		word = strsep(&line, " \t");
		/* a guest's own loopback is not the host's */
		if (!line || !nd_ip_parse(word, &ip) || is_loopback(&ip))
			continue;
		record = nd_array_add(names->records, names->n_records);
		if (!record)
			return -ENOMEM;
		record->ip = ip;
		if (add_names(record, line) < 0)
			return -ENOMEM;
		if (!record->n_names)
			names->n_records--;	/* an address alone: nothing was allocated for it */
	}
	return 0;
}

void host_names_unref(struct host_names *n)
{
	if (!n || --n->refs)
		return;
	for (size_t i = 0; i < n->n_records; i++) {
		for (size_t k = 0; k < n->records[i].n_names; k++)
			free(n->records[i].names[k]);
		free(n->records[i].names);
	}
	free(n->records);
	free(n->upstreams);
	free(n);
}

struct host_names *host_dns_get(struct host_dns *h)
{
	h->names->refs++;
	return h->names;
}

static bool same_records(const struct dns_host_record *a, const struct dns_host_record *b)
{
	if (!nd_ip_equal(&a->ip, &b->ip) || a->n_names != b->n_names)
		return false;
	for (size_t i = 0; i < a->n_names; i++)
		if (!nd_streq(a->names[i], b->names[i]))
			return false;
	return true;
}

static bool same_names(const struct host_names *a, const struct host_names *b)
{
	if (a->n_upstreams != b->n_upstreams || a->n_records != b->n_records)
		return false;
	for (size_t i = 0; i < a->n_upstreams; i++)
		if (!nd_ip_equal(&a->upstreams[i].addr, &b->upstreams[i].addr))
			return false;
	for (size_t i = 0; i < a->n_records; i++)
		if (!same_records(&a->records[i], &b->records[i]))
			return false;
	return true;
}

/* What cannot be read counts as empty: a host may have no resolvers. */
static char *read_text(const char *path)
{
	char *text = NULL;

	return file_read(AT_FDCWD, path, 1 << 20, &text, NULL) == 0 ? text : NULL;
}

static void read_upstreams(const struct paths *paths, struct host_names *names)
{
	ND_AUTO(free) char *text = read_text(paths->resolv_conf);
	ND_AUTO(free) char *real = NULL;

	if (!text || resolv_conf_parse(text, names->upstreams, &names->n_upstreams) ||
	    !names->n_upstreams)
		return;
	real = read_text(paths->resolved_conf);
	if (!real)
		return;		/* a resolver of the host's own, on loopback: of no use to a server */
	names->n_upstreams = 0;
	(void)resolv_conf_parse(real, names->upstreams, &names->n_upstreams);	/* all are taken */
}

static struct host_names *read_names(const struct paths *paths)
{
	ND_AUTO(host_names_unref) struct host_names *names = calloc(1, sizeof(*names));
	ND_AUTO(free) char *hosts = NULL;

	if (!names)
		return NULL;
	names->refs = 1;
	names->upstreams = calloc(HOST_DNS_MAX, sizeof(*names->upstreams));
	if (!names->upstreams)
		return NULL;
	read_upstreams(paths, names);
	hosts = read_text(paths->hosts);
	if (hosts && hosts_parse(hosts, names) < 0)
		return NULL;
	return nd_take_ptr(&names);
}

/* The directory is watched, since the file is normally replaced and not written. */
static int on_change(sd_event_source *source, const struct inotify_event *event, void *arg)
{
	struct host_dns *h = arg;

	(void)sd_event_source_set_time_relative(h->timer, SETTLE_US);	/* the next change retries */
	(void)sd_event_source_set_enabled(h->timer, SD_EVENT_ONESHOT);
	return 0;
}

static void watch(struct host_dns *h, const char *path, uint32_t mask)
{
	int r;

	if (h->n_watches == ND_COUNT(h->watches))
		return;
	r = sd_event_add_inotify(h->event, &h->watches[h->n_watches], path, mask, on_change, h);
	if (r >= 0)
		h->n_watches++;
	else
		nd_log(LOG_DEBUG, NULL, "'%s' is not watched: %s", path, strerror(-r));
}

static void watch_dir_of(struct host_dns *h, const char *file)
{
	ND_AUTO(free) char *dir = strdup(file);

	if (!dir)
		return;
	*strrchr(dir, '/') = '\0';
	watch(h, dir, IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_ONLYDIR);
}

/*
 * A file may be replaced in its directory, be a link into another directory, or be written in
 * place where it is bind-mounted (containers): then its directory's watch says nothing.
 */
static void watch_file(struct host_dns *h, const char *file)
{
	ND_AUTO(free) char *real = realpath(file, NULL);

	watch_dir_of(h, file);
	if (!real)
		return;
	if (!nd_streq(real, file))
		watch_dir_of(h, real);
	watch(h, real, IN_CLOSE_WRITE | IN_MODIFY);
}

static void unwatch_all(struct host_dns *h)
{
	while (h->n_watches)
		sd_event_source_disable_unref(h->watches[--h->n_watches]);
}

static void watch_all(struct host_dns *h)
{
	unwatch_all(h);
	watch_file(h, h->paths->resolv_conf);
	watch_file(h, h->paths->resolved_conf);
	watch_file(h, h->paths->hosts);
}

static int on_settled(sd_event_source *source, uint64_t usec, void *arg)
{
	struct host_dns *h = arg;
	struct host_names *names;

	watch_all(h);		/* before reading: what changes from now on is seen */
	names = read_names(h->paths);
	if (!names || same_names(names, h->names)) {
		host_names_unref(names);
		return 0;
	}
	nd_log(LOG_INFO, NULL, "the host's resolvers or names changed: %zu resolvers, %zu names now",
	       names->n_upstreams, names->n_records);
	host_names_unref(h->names);
	h->names = names;
	h->changed(h->arg);
	return 0;
}

int host_dns_new(sd_event *event, const struct paths *paths, void (*changed)(void *arg), void *arg,
		 struct host_dns **out, struct nd_error *err)
{
	ND_AUTO(host_dns_free) struct host_dns *h = calloc(1, sizeof(*h));
	int r;

	if (!h)
		return nd_error_nomem(err);
	*h = (struct host_dns){ .event = event, .paths = paths, .changed = changed, .arg = arg };
	r = sd_event_add_time_relative(event, &h->timer, CLOCK_MONOTONIC, 0, 0, on_settled, h);
	if (r >= 0)
		r = sd_event_source_set_enabled(h->timer, SD_EVENT_OFF);
	if (r < 0)
		return nd_error_sys(err, -r, "cannot make a timer");
	watch_all(h);
	h->names = read_names(paths);
	if (!h->names)
		return nd_error_nomem(err);
	*out = nd_take_ptr(&h);
	return 0;
}

void host_dns_free(struct host_dns *h)
{
	if (!h)
		return;
	unwatch_all(h);
	sd_event_source_disable_unref(h->timer);
	host_names_unref(h->names);
	free(h);
}
