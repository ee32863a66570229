/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/serve_instance.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "netd/base/array.h"
#include "netd/base/hash.h"
#include "netd/base/log.h"
#include "netd/daemon/serve_sockets.h"

#define ANSWER_US (30 * 1000000ull)	/* START, CONFIG: a damaged database is rebuilt in this time */
#define ADOPT_US (3 * 1000000ull)
#define QUIT_US (2 * 1000000ull)
#define LOOK_US (5 * 1000000ull)	/* the longest time until a server is asked whether it answers, and ... */
#define LOOK_GAP_US 100000ull	/* ... what each server adds to it where there are many */
#define PONG_US (3 * 1000000ull)
#define DEATHS 5			/* so many within ... */
#define DEATHS_WINDOW_US (10 * 1000000ull)	/* ... is a crash loop, which is slowed to ... */
#define BACKOFF_US 1000000ull

enum state { ABSENT, ADOPTING, STARTING, SERVING, CONFIGURING, STOPPING, WAITING };

struct waiter {
	servers_done done;
	void *arg;
};

struct stats_waiter {
	uint32_t serial;
	void (*done)(void *arg, const struct serve_counter *list, size_t n);
	void *arg;
};

struct serve_instance {
	const struct serve_context *context;
	struct nd_uuid uuid;
	char name[256];			/* the network's, for log lines */
	enum state state;
	struct serve_config *want;	/* NULL: an end */
	struct serve_config *proven;	/* what a server last ran with, while `want` is new */
	uint64_t want_generation, have_generation;
	uint64_t want_sockets, have_sockets;
	struct child *process;
	bool look_for_old;		/* a server of an earlier netd may be there */
	bool adopted_hello, pinged, came_down;
	uint32_t serial, awaited;	/* last used; of the answer that ends the step */
	struct lease_cache *leases;
	struct waiter *waiters;
	size_t n_waiters;
	struct stats_waiter *stats;
	size_t n_stats;
	uint64_t deaths_us[DEATHS];	/* a ring */
	unsigned death;
	sd_event_source *timer;
};

static void step(struct serve_instance *i);

static uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* --- telling callers --- */

/* The callbacks may call back in, so the list is taken first. */
static void waiters_tell(struct serve_instance *i, const struct nd_error *err)
{
	ND_AUTO(free) struct waiter *list = nd_take_ptr(&i->waiters);
	size_t n = i->n_waiters;

	i->n_waiters = 0;
	for (size_t k = 0; k < n; k++)
		list[k].done(list[k].arg, err);
}

static void stats_tell_all(struct serve_instance *i)
{
	ND_AUTO(free) struct stats_waiter *list = nd_take_ptr(&i->stats);
	size_t n = i->n_stats;

	i->n_stats = 0;
	for (size_t k = 0; k < n; k++)
		list[k].done(list[k].arg, NULL, 0);
}

static void on_lease_changed(void *arg, enum serve_lease_change change,
			     const struct serve_lease *lease)
{
	struct serve_instance *i = arg;
	const struct servers_options *opt = &i->context->options;

	if (opt->lease_event)
		opt->lease_event(opt->arg, &i->uuid, change, lease);
}

/* --- states --- */

static void enter(struct serve_instance *i, enum state state, uint64_t timeout_us)
{
	static const char *const names[] = { "absent", "adopting", "starting", "serving",
					     "configuring", "stopping", "waiting" };

	nd_log(LOG_DEBUG, i->name, "server %s -> %s", names[i->state], names[state]);
	i->state = state;
	(void)sd_event_source_set_time_relative(i->timer, timeout_us);
	(void)sd_event_source_set_enabled(i->timer, timeout_us ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

static int request(struct serve_instance *i, uint16_t type, const void *body, size_t len,
		   const int *fds, size_t n_fds)
{
	if (++i->serial == 0)
		i->serial = 1;
	return child_send(i->process, type, i->serial, body, len, fds, n_fds);
}

/* The start, or the new configuration, did not work. What was proven before is wanted again; a
 * network that never had a server is given up; one that had is tried again later. */
static void step_failed(struct serve_instance *i, const struct nd_error *err)
{
	bool asked = i->n_waiters > 0;

	if (asked && i->proven) {
		serve_config_free(i->want);
		i->want = nd_take_ptr(&i->proven);
		i->want_sockets = serve_config_sockets_digest(i->want);
		i->want_generation++;
	} else if (asked && !i->came_down) {
		serve_config_free(i->want);
		i->want = NULL;
	}
	if (!asked)
		nd_log(LOG_ERR, i->name, "the server cannot be started: %s", err->text);
	enter(i, WAITING, asked ? 1 : BACKOFF_US);
	waiters_tell(i, err);
}

static void process_bury(struct serve_instance *i)
{
	if (i->process)
		serve_pool_bury(i->context->pool, nd_take_ptr(&i->process));
	stats_tell_all(i);
}

/* A message that must be sent cannot be: the process is of no use. */
static void process_useless(struct serve_instance *i)
{
	child_kill(i->process);		/* `gone` follows and decides */
}

/* --- the end of a process --- */

static uint64_t backoff_us(struct serve_instance *i)
{
	uint64_t now = now_us(), oldest = i->deaths_us[i->death];

	i->deaths_us[i->death] = now;
	i->death = (i->death + 1) % DEATHS;
	return oldest && now - oldest < DEATHS_WINDOW_US ? BACKOFF_US : 0;
}

static void on_gone(void *arg, struct child *p, const char *why)
{
	struct serve_instance *i = arg;
	const struct servers_options *opt = &i->context->options;
	enum state state = i->state;
	struct nd_error err = { 0 };

	child_free(nd_take_ptr(&i->process));
	stats_tell_all(i);
	switch (state) {
	case STOPPING:
	case ADOPTING:
		i->look_for_old = false;
		enter(i, ABSENT, 0);
		step(i);
		return;
	case STARTING:
		nd_error_set(&err, ND_ERR_INTERNAL, "the server %s while it started", why);
		step_failed(i, &err);
		return;
	default:
		nd_log(LOG_WARNING, i->name, "the server %s and is started again", why);
		i->came_down = true;
		/* Even at once goes through the loop: what `died` does must not see a step. */
		enter(i, WAITING, backoff_us(i) + 1);
		if (opt->died)
			opt->died(opt->arg, &i->uuid, why);
	}
}

/* --- messages --- */

/* Until the next look at a server that answers. It differs from network to network by up to a half, so that servers
 * that began together (500 adopted in one moment) are not woken together for ever. */
static uint64_t look_us(const struct serve_instance *i)
{
	uint64_t all_us = nd_hash_count(i->context->instances) * LOOK_GAP_US;
	uint64_t longest_us = all_us > LOOK_US ? all_us : LOOK_US;

	return longest_us / 2 + longest_us / 2 * i->uuid.bytes[sizeof(i->uuid.bytes) - 1] / 255;
}

static void on_pong(struct serve_instance *i)
{
	i->pinged = false;
	if (i->state == SERVING)
		enter(i, SERVING, look_us(i));
}

/* Serves, with what it was asked to. */
static void step_done(struct serve_instance *i, uint64_t generation)
{
	const struct servers_options *opt = &i->context->options;
	bool came_back = i->came_down;

	i->have_generation = generation;
	i->pinged = false;
	serve_config_free(nd_take_ptr(&i->proven));
	enter(i, SERVING, look_us(i));
	i->came_down = false;
	if (came_back && opt->restarted)
		opt->restarted(opt->arg, &i->uuid);
	step(i);
}

/* What an earlier netd left: adopted when it is for this very bridge and speaks as we do. */
static void on_hello(struct serve_instance *i, struct channel_message *m)
{
	ND_AUTO(free) uint8_t *bytes = NULL;
	struct serve_hello hello;
	size_t len;

	if (i->state != ADOPTING)
		return;
	if (serve_hello_decode(&m->body, &hello) == 0 && m->version == CHANNEL_VERSION && i->want &&
	    nd_uuid_equal(&hello.uuid, &i->uuid) && hello.sockets_digest == i->want_sockets) {
		i->adopted_hello = true;
		i->have_sockets = hello.sockets_digest;
		if (serve_config_bytes(i->want, &bytes, &len) == 0 &&
		    serve_digest(bytes, len) == hello.config_digest)
			i->have_generation = i->want_generation;
		else
			i->have_generation = 0;
		nd_log(LOG_INFO, i->name, "found its server (pid %d, version %s) again",
		       child_pid(i->process), hello.build);
		return;
	}
	nd_log(LOG_INFO, i->name, "replaces the server that an earlier netd left");
	if (request(i, CHANNEL_QUIT, NULL, 0, NULL, 0) < 0)
		process_useless(i);
	enter(i, STOPPING, QUIT_US);
}

static void on_leases(struct serve_instance *i, struct channel_message *m)
{
	int r = lease_cache_replace(i->leases, &m->body, on_lease_changed, i);

	if (r < 0)
		nd_log(LOG_WARNING, i->name, "cannot read the server's leases: %s", strerror(-r));
	if (r == -EBADMSG)
		process_useless(i);
	else if (i->state == ADOPTING && i->adopted_hello)
		step_done(i, i->have_generation);
}

static void on_lease_event(struct serve_instance *i, struct channel_message *m)
{
	enum serve_lease_change change;
	struct serve_lease lease;
	int r = serve_lease_event_decode(&m->body, &change, &lease);

	if (r == 0)
		r = lease_cache_event(i->leases, change, &lease, on_lease_changed, i);
	if (r == -EBADMSG)
		process_useless(i);
}

/* The server's own words, which go on to a client: as plain text. */
static void text_read(struct rd *body, char *to, size_t size)
{
	size_t len = rd_left(body) < size ? rd_left(body) : size - 1;

	rd_copy(body, to, len);
	to[len] = '\0';
	for (size_t k = 0; k < len; k++)
		if (to[k] < ' ' || to[k] > '~')
			to[k] = '?';
}

static void on_failed(struct serve_instance *i, struct channel_message *m)
{
	struct nd_error err = { 0 };
	char text[512];

	text_read(&m->body, text, sizeof(text));
	if (m->serial != i->awaited) {
		nd_log(LOG_WARNING, i->name, "the server refused a message: %s", text);
		return;
	}
	nd_error_set(&err, ND_ERR_INTERNAL, "%s", text);
	if (i->state == STARTING) {
		process_bury(i);
		step_failed(i, &err);
	} else if (i->state == CONFIGURING && i->proven) {
		i->state = SERVING;
		step_failed(i, &err);
	} else if (i->state == CONFIGURING) {
		/* An adopted one, of which nobody knows what it had: a fresh one takes its place. */
		nd_log(LOG_WARNING, i->name, "the server is replaced: %s", text);
		i->have_sockets = ~i->want_sockets;
		i->state = SERVING;
		step(i);
	}
}

static void on_stats(struct serve_instance *i, struct channel_message *m)
{
	struct serve_counter list[SERVE_COUNTERS_MAX];
	size_t n;

	if (serve_counters_decode(&m->body, list, &n) < 0) {
		process_useless(i);
		return;
	}
	for (size_t k = 0; k < i->n_stats; k++) {
		struct stats_waiter w = i->stats[k];

		if (w.serial != m->serial)
			continue;
		nd_array_remove(i->stats, i->n_stats, k);
		w.done(w.arg, list, n);
		return;
	}
}

static void on_gone_message(struct serve_instance *i)
{
	if (i->state != STOPPING)
		return;
	process_bury(i);
	i->look_for_old = false;
	enter(i, ABSENT, 0);
	step(i);
}

static void on_message(void *arg, struct child *p, struct channel_message *m)
{
	struct serve_instance *i = arg;

	switch (m->type) {
	case CHANNEL_HELLO:
		on_hello(i, m);
		break;
	case CHANNEL_STARTED:
		if (i->state == STARTING && m->serial == i->awaited)
			step_done(i, i->have_generation);
		break;
	case CHANNEL_DONE:
		if (i->state == CONFIGURING && m->serial == i->awaited)
			step_done(i, i->have_generation);
		break;
	case CHANNEL_FAILED:
		on_failed(i, m);
		break;
	case CHANNEL_LEASES:
		on_leases(i, m);
		break;
	case CHANNEL_LEASE_EVENT:
		on_lease_event(i, m);
		break;
	case CHANNEL_STATS:
		on_stats(i, m);
		break;
	case CHANNEL_PONG:
		on_pong(i);
		break;
	case CHANNEL_GONE:
		on_gone_message(i);
		break;
	default:
		nd_log(LOG_DEBUG, i->name, "message %u of the server is not known", m->type);
	}
}

/* --- steps --- */

static const struct child_hooks hooks = { on_message, on_gone };

/* A server of an earlier netd's, if it is there and runs as uid ((uid_t)-1: whoever it is). */
static bool find_old(struct serve_instance *i, uid_t uid)
{
	struct nd_error err = { 0 };
	const struct servers_options *opt = &i->context->options;
	int fd;

	i->look_for_old = false;
	fd = serve_sockets_connect(opt->run_dir, &i->uuid);
	if (fd < 0)
		return false;
	if (child_adopt(opt->event, &serve_child, fd, uid, &hooks, i, &i->process, &err) == 0)
		return true;
	nd_log(LOG_WARNING, i->name, "does not adopt a server: %s", err.text);
	return false;
}

/* True: there is one, and what it is decides its HELLO. */
static bool adopt(struct serve_instance *i)
{
	if (!find_old(i, i->want->uid))
		return false;
	i->adopted_hello = false;
	enter(i, ADOPTING, ADOPT_US);
	return true;
}

/* START with the sockets; a spare that died unnoticed is passed over. */
static int start_send(struct serve_instance *i, const uint8_t *body, size_t len,
		      const struct serve_sockets *sockets, struct nd_error *err)
{
	int r = -EPIPE;

	for (int tries = 0; tries < 4 && r == -EPIPE; tries++) {
		r = serve_pool_take(i->context->pool, &hooks, i, &i->process, err);
		if (r < 0)
			return r;
		r = request(i, CHANNEL_START, body, len, sockets->fds, sockets->n);
		if (r < 0)
			process_bury(i);
	}
	if (r < 0)
		return nd_error_sys(err, -r, "cannot tell netd-serve what to do");
	i->awaited = i->serial;
	return 0;
}

static int start(struct serve_instance *i, struct nd_error *err)
{
	ND_AUTO(serve_sockets_close) struct serve_sockets sockets = { 0 };
	ND_AUTO(free) uint8_t *config = NULL, *body = NULL;
	struct wr w;
	size_t len;
	int r = serve_config_bytes(i->want, &config, &len);

	if (r < 0)
		return nd_error_sys(err, -r, "cannot encode the server's configuration");
	r = serve_sockets_open(i->want, i->context->options.run_dir, &sockets, err);
	if (r < 0)
		return r;
	body = malloc(len + 16);
	if (!body)
		return nd_error_nomem(err);
	w = wr_init(body, len + 16);
	serve_start_encode(&sockets.head, &w);
	wr_bytes(&w, config, len);
	r = start_send(i, body, wr_len(&w), &sockets, err);
	if (r < 0)
		return r;
	i->have_generation = i->want_generation;
	i->have_sockets = i->want_sockets;
	enter(i, STARTING, ANSWER_US);
	return 0;
}

static void configure(struct serve_instance *i)
{
	ND_AUTO(free) uint8_t *bytes = NULL;
	struct nd_error err = { 0 };
	size_t len;
	int r = serve_config_bytes(i->want, &bytes, &len);

	if (r == 0)
		r = request(i, CHANNEL_CONFIG, bytes, len, NULL, 0);
	if (r < 0) {
		nd_error_sys(&err, -r, "cannot tell the server its configuration");
		step_failed(i, &err);
		return;
	}
	i->awaited = i->serial;
	i->have_generation = i->want_generation;
	enter(i, CONFIGURING, ANSWER_US);
}

static void stop(struct serve_instance *i)
{
	if (request(i, CHANNEL_QUIT, NULL, 0, NULL, 0) < 0)
		process_useless(i);
	enter(i, STOPPING, QUIT_US);
}

bool serve_instance_end_old(struct serve_instance *i)
{
	if (!find_old(i, (uid_t)-1))
		return false;
	nd_log(LOG_INFO, NULL, "ends a server (pid %d) without a network", child_pid(i->process));
	stop(i);
	return true;
}

/* The callbacks may start the network anew, so the instance is forgotten first. */
static void end(struct serve_instance *i)
{
	ND_AUTO(free) struct waiter *list = nd_take_ptr(&i->waiters);
	size_t n = i->n_waiters;

	i->n_waiters = 0;
	i->context->ended(i->context->arg, i);
	for (size_t k = 0; k < n; k++)
		list[k].done(list[k].arg, NULL);
}

/* Chooses the next thing to do, unless one is under way. */
static void step(struct serve_instance *i)
{
	struct nd_error err = { 0 };

	switch (i->state) {
	case ABSENT:
	case WAITING:
		if (i->process && i->want && i->have_sockets == i->want_sockets)
			configure(i);	/* a refused configuration is taken back */
		else if (i->process)
			stop(i);
		else if (!i->want)
			end(i);
		else if (!(i->look_for_old && adopt(i)) && start(i, &err) < 0)
			step_failed(i, &err);
		break;
	case SERVING:
		if (!i->want || i->have_sockets != i->want_sockets)
			stop(i);
		else if (i->have_generation != i->want_generation)
			configure(i);
		else
			waiters_tell(i, NULL);
		break;
	default:
		break;	/* what is under way ends in a step */
	}
}

static int on_timer(sd_event_source *source, uint64_t usec, void *arg)
{
	struct serve_instance *i = arg;

	switch (i->state) {
	case WAITING:
		step(i);
		break;
	case SERVING:
		if (!i->pinged && request(i, CHANNEL_PING, NULL, 0, NULL, 0) == 0) {
			i->pinged = true;
			enter(i, SERVING, PONG_US);
		} else if (!i->pinged) {
			process_useless(i);
		} else {
			nd_log(LOG_ERR, i->name, "the server hangs and is killed");
			process_useless(i);
		}
		break;
	case ABSENT:
		break;
	default:
		nd_log(LOG_ERR, i->name, "the server does not answer and is killed");
		process_useless(i);
	}
	return 0;
}

/* --- what servers.c asks --- */

struct serve_instance *serve_instance_new(const struct serve_context *context,
					  const struct nd_uuid *uuid)
{
	ND_AUTO(serve_instance_free) struct serve_instance *i = calloc(1, sizeof(*i));

	if (!i)
		return NULL;
	i->context = context;
	i->uuid = *uuid;
	i->look_for_old = true;
	i->leases = lease_cache_new();
	if (!i->leases || sd_event_add_time_relative(context->options.event, &i->timer,
						     CLOCK_MONOTONIC, 0, 1000, on_timer, i) < 0 ||
	    sd_event_source_set_enabled(i->timer, SD_EVENT_OFF) < 0)
		return NULL;
	return nd_take_ptr(&i);
}

void serve_instance_free(struct serve_instance *i)
{
	if (!i)
		return;
	child_free(i->process);
	sd_event_source_disable_unref(i->timer);
	lease_cache_free(i->leases);
	serve_config_free(i->want);
	serve_config_free(i->proven);
	free(i->waiters);
	free(i->stats);
	free(i);
}

const struct nd_uuid *serve_instance_uuid(const struct serve_instance *i)
{
	return &i->uuid;
}

const struct serve_config *serve_instance_config(const struct serve_instance *i)
{
	return i->want;
}

const struct lease_cache *serve_instance_leases(const struct serve_instance *i)
{
	return i->leases;
}

void serve_instance_want(struct serve_instance *i, struct serve_config *config, servers_done done,
			 void *arg)
{
	struct nd_error err = { 0 };
	struct waiter *w;

	if (!config && i->n_waiters) {
		nd_error_set(&err, ND_ERR_OPERATION_INVALID, "the server was stopped meanwhile");
		waiters_tell(i, &err);
	}
	w = nd_array_add(i->waiters, i->n_waiters);
	if (!w) {
		nd_error_nomem(&err);
		serve_config_free(config);
		done(arg, &err);
		return;
	}
	*w = (struct waiter){ done, arg };
	if (config && i->want && !i->proven && i->state == SERVING)
		i->proven = nd_take_ptr(&i->want);
	serve_config_free(i->want);
	i->want = config;
	i->want_generation++;
	if (config) {
		i->want_sockets = serve_config_sockets_digest(config);
		memcpy(i->name, config->network, sizeof(i->name));
	}
	step(i);
}

void serve_instance_set_upstreams(struct serve_instance *i, const struct dns_upstream *list,
				  size_t n)
{
	uint8_t body[4 + SERVE_UPSTREAMS_MAX * 19];
	struct wr w = wr_init(body, sizeof(body));
	struct dns_upstream *copy;

	if (!i->want || !i->want->dns.use_host_resolvers)
		return;
	n = n < SERVE_UPSTREAMS_MAX ? n : SERVE_UPSTREAMS_MAX;
	copy = calloc(n + 1, sizeof(*copy));
	if (!copy)
		return;		/* the old resolvers stay in force */
	memcpy(copy, list, n * sizeof(*copy));
	free(i->want->dns.upstreams);
	i->want->dns.upstreams = copy;
	i->want->dns.n_upstreams = n;
	serve_upstreams_encode(list, n, &w);
	if (i->process && i->state != STOPPING &&
	    child_send(i->process, CHANNEL_UPSTREAMS, 0, body, wr_len(&w), NULL, 0) < 0)
		process_useless(i);
}

void serve_instance_set_ports(struct serve_instance *i, const struct nd_mac *list, size_t n)
{
	size_t size = 4 + n * sizeof(*list);
	ND_AUTO(free) uint8_t *body = malloc(size);
	struct nd_mac *copy = calloc(n + 1, sizeof(*copy));
	struct wr w;

	if (!i->want || !body || !copy || n > SERVE_PORTS_MAX) {
		free(copy);
		return;
	}
	if (n)
		memcpy(copy, list, n * sizeof(*copy));
	free(i->want->ports);
	i->want->ports = copy;
	i->want->n_ports = n;
	w = wr_init(body, size);
	serve_ports_encode(copy, n, &w);
	if (i->process && i->state != STOPPING &&
	    child_send(i->process, CHANNEL_PORTS, 0, body, wr_len(&w), NULL, 0) < 0)
		process_useless(i);
}

void serve_instance_stats(struct serve_instance *i,
			  void (*done)(void *arg, const struct serve_counter *list, size_t n),
			  void *arg)
{
	struct stats_waiter *w;

	if ((i->state != SERVING && i->state != CONFIGURING) ||
	    request(i, CHANNEL_STATS_GET, NULL, 0, NULL, 0) < 0) {
		done(arg, NULL, 0);
		return;
	}
	w = nd_array_add(i->stats, i->n_stats);
	if (w)
		*w = (struct stats_waiter){ i->serial, done, arg };
	else
		done(arg, NULL, 0);
}
