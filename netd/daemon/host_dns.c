/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/host_dns.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>

#include "netd/base/log.h"
#include "netd/base/str.h"
#include "netd/daemon/file.h"

#define SETTLE_US 20000		/* writers replace the file in several steps */

struct host_dns {
	sd_event *event;
	const struct paths *paths;
	void (*changed)(void *arg);
	void *arg;
	sd_event_source *watches[2], *timer;
	struct dns_upstream list[HOST_DNS_MAX];
	size_t n;
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

static bool read_list(struct host_dns *h)
{
	struct dns_upstream list[HOST_DNS_MAX], real[HOST_DNS_MAX];
	size_t n = 0, n_real = 0;
	char *text = NULL;
	bool same;

	memset(list, 0, sizeof(list));
	memset(real, 0, sizeof(real));
	if (file_read(AT_FDCWD, h->paths->resolv_conf, 1 << 20, &text, NULL) == 0) {
		size_t usable = resolv_conf_parse(text, list, &n);

		free(text);
		if (n && !usable && file_read(AT_FDCWD, h->paths->resolved_conf, 1 << 20, &text, NULL) == 0) {
			resolv_conf_parse(text, real, &n_real);
			free(text);
		}
	}
	if (n_real) {
		memcpy(list, real, sizeof(list));
		n = n_real;
	}
	same = n == h->n;
	for (size_t i = 0; same && i < n; i++)
		same = nd_ip_equal(&list[i].addr, &h->list[i].addr);
	memcpy(h->list, list, sizeof(list));
	h->n = n;
	return !same;
}

static int on_settled(sd_event_source *source, uint64_t usec, void *arg)
{
	struct host_dns *h = arg;

	if (read_list(h)) {
		nd_log(LOG_INFO, NULL, "the host's resolvers changed: %zu now", h->n);
		h->changed(h->arg);
	}
	return 0;
}

/* The directory is watched, since the file is normally replaced and not written. */
static int on_change(sd_event_source *source, const struct inotify_event *event, void *arg)
{
	struct host_dns *h = arg;

	if (event->len && !nd_streq(event->name, "resolv.conf"))
		return 0;
	(void)sd_event_source_set_time_relative(h->timer, SETTLE_US);	/* the next change retries */
	(void)sd_event_source_set_enabled(h->timer, SD_EVENT_ONESHOT);
	return 0;
}

static void watch_dir_of(struct host_dns *h, const char *file, sd_event_source **out)
{
	ND_AUTO(free) char *dir = strdup(file);
	int r = -ENOMEM;

	if (dir) {
		*strrchr(dir, '/') = '\0';
		r = sd_event_add_inotify(h->event, out, dir,
					 IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_ONLYDIR,
					 on_change, h);
	}
	if (r < 0)
		nd_log(LOG_DEBUG, NULL, "'%s' is not watched: %s", file, strerror(-r));
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
	watch_dir_of(h, paths->resolv_conf, &h->watches[0]);
	watch_dir_of(h, paths->resolved_conf, &h->watches[1]);
	(void)read_list(h);
	*out = nd_take_ptr(&h);
	return 0;
}

void host_dns_free(struct host_dns *h)
{
	if (!h)
		return;
	for (size_t i = 0; i < ND_COUNT(h->watches); i++)
		sd_event_source_disable_unref(h->watches[i]);
	sd_event_source_disable_unref(h->timer);
	free(h);
}

const struct dns_upstream *host_dns_upstreams(const struct host_dns *h, size_t *n_out)
{
	*n_out = h->n;
	return h->list;
}
