/* SPDX-License-Identifier: GPL-2.0-or-later */
/* serve_harness.c -- plays netd for tests of netd-serve: the daemon's end without the daemon
 *
 *	serve_harness NETD_SERVE RUN_DIR LEASE_DIR
 *
 * Reads a command a line, writes an answer a line:
 *
 *	start|update UUID BRIDGE ADDRESS/LEN [OPTION...]	ok MS | error TEXT
 *	stop UUID						ok MS
 *	ports UUID [MAC...]	upstreams [IP[@PORT]...]	ok
 *	leases UUID [MAC]					lease MAC IP NAME EXPIRY ... ok N
 *	stats UUID						stat NAME VALUE ... ok N
 *	remove UUID (its folder)	strays			ok
 *
 * Options: lease=SECONDS nodhcp nodns domain=NAME host=NAME,IP reserve=MAC,IP,NAME
 * reserved=NUMBER upstream=IP@PORT address=IP (a further one) range=IP-IP uid=UID.
 * What happens unasked is a line too: event added|changed|removed MAC IP NAME, died WHY, restarted.
 * At the end of its input it goes, and leaves the servers behind.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "netd/base/array.h"
#include "netd/base/log.h"
#include "netd/base/str.h"
#include "netd/daemon/lease_dir.h"
#include "netd/daemon/servers.h"

struct harness {
	struct servers *servers;
	struct lease_dirs *dirs;
	sd_event *event;
	char line[65536];
	size_t have;
};

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1000 + (double)ts.tv_nsec / 1e6;
}

static void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
}

static const char *lease_text(const struct serve_lease *l, char *to, size_t size)
{
	char mac[ND_MAC_STRLEN], ip[ND_IP_STRLEN];

	snprintf(to, size, "%s %s %s %llu", nd_mac_format(&l->mac, mac), nd_ip_format(&l->ip, ip),
		 l->hostname[0] ? l->hostname : "-", (unsigned long long)l->expiry_s);
	return to;
}

static void on_lease_event(void *arg, const struct nd_uuid *net, enum serve_lease_change change,
			   const struct serve_lease *lease)
{
	static const char *const names[] = { "", "added", "changed", "removed" };
	char text[512];

	say("event %s %s", names[change], lease_text(lease, text, sizeof(text)));
}

static void on_died(void *arg, const struct nd_uuid *net, const char *why)
{
	say("died %s", why);
}

static void on_restarted(void *arg, const struct nd_uuid *net)
{
	say("restarted");
}

static bool ip_port(char *text, struct dns_upstream *out)
{
	char *at = strchr(text, '@');

	out->port = at ? (uint16_t)atoi(at + 1) : 53;
	if (at)
		*at = '\0';
	return nd_ip_parse(text, &out->addr);
}

static void reserve(struct serve_config *c, char *text)
{
	struct dhcp_reservation *r = nd_array_add(c->dhcp.reservations, c->dhcp.n_reservations);
	char *mac = strtok(text, ","), *ip = strtok(NULL, ","), *name = strtok(NULL, ",");
	struct nd_ip address;

	r->has_mac = nd_mac_parse(mac, &r->mac);
	if (ip && nd_ip_parse(ip, &address))
		r->address = address.v4;
	if (name)
		snprintf(r->name, sizeof(r->name), "%s", name);
}

/* Hosts 10.x.y.z, as many as a large document has. */
static void reserve_many(struct serve_config *c, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct dhcp_reservation *r = nd_array_add(c->dhcp.reservations,
							  c->dhcp.n_reservations);

		*r = (struct dhcp_reservation){ .has_mac = true, .address.s_addr =
			htonl(ntohl(c->dhcp.server.s_addr) + 256 + i) };
		r->mac = (struct nd_mac){ { 0x52, 0x54, 1, (uint8_t)(i >> 16), (uint8_t)(i >> 8),
					    (uint8_t)i } };
		snprintf(r->name, sizeof(r->name), "host%u", i);
	}
}

static void add_host(struct serve_config *c, char *text)
{
	struct dns_host_record *h = nd_array_add(c->dns.hosts, c->dns.n_hosts);
	char *name = strtok(text, ","), *ip = strtok(NULL, ",");

	nd_ip_parse(ip, &h->ip);
	*nd_array_add(h->names, h->n_names) = strdup(name);
}

static void set_range(struct serve_config *c, char *text)
{
	char *start = strtok(text, "-"), *end = strtok(NULL, "-");
	struct nd_ip a, b;

	if (nd_ip_parse(start, &a) && nd_ip_parse(end, &b)) {
		c->dhcp.pools[0].start = a.v4;
		c->dhcp.pools[0].end = b.v4;
	}
}

static void set_option(struct serve_config *c, char *word)
{
	char *value = strchr(word, '=');
	struct nd_ip ip;

	if (value)
		*value++ = '\0';
	if (nd_streq(word, "lease"))
		c->dhcp.lease_time_s = c->dhcp.pools[0].lease_time_s = (uint32_t)atoi(value);
	else if (nd_streq(word, "nodhcp"))
		c->dhcp.enabled = false;
	else if (nd_streq(word, "nodns"))
		c->dns.enabled = false;
	else if (nd_streq(word, "domain"))
		c->dns.domain = strdup(value);
	else if (nd_streq(word, "host"))
		add_host(c, value);
	else if (nd_streq(word, "reserve"))
		reserve(c, value);
	else if (nd_streq(word, "reserved"))
		reserve_many(c, (unsigned)atoi(value));
	else if (nd_streq(word, "upstream"))
		ip_port(value, nd_array_add(c->dns.upstreams, c->dns.n_upstreams));
	else if (nd_streq(word, "address") && nd_ip_parse(value, &ip))
		*nd_array_add(c->addresses, c->n_addresses) = ip;
	else if (nd_streq(word, "range"))
		set_range(c, value);
	else if (nd_streq(word, "uid"))
		c->uid = (uid_t)atoi(value);
	else
		say("error unknown option %s", word);
}

static void bridge_describe(struct serve_config *c, const char *bridge)
{
	struct ifreq ifr = { 0 };
	ND_AUTO(close) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(c->bridge, sizeof(c->bridge), "%s", bridge);
	strcpy(ifr.ifr_name, c->bridge);
	c->ifindex = (int)if_nametoindex(bridge);
	if (ioctl(fd, SIOCGIFHWADDR, &ifr) == 0)
		memcpy(c->mac.bytes, ifr.ifr_hwaddr.sa_data, sizeof(c->mac.bytes));
}

/* The DHCP and DNS of one IPv4 subnet, as a compile would have it. */
static void subnet_describe(struct serve_config *c, const struct nd_prefix *p)
{
	uint32_t base = ntohl(nd_prefix_masked(p).addr.v4.s_addr);
	struct nd_prefix *subnet = nd_array_add(c->dns.subnets, c->dns.n_subnets);

	*nd_array_add(c->addresses, c->n_addresses) = p->addr;
	c->dhcp.enabled = c->dns.enabled = true;
	c->dhcp.server = c->dhcp.router = c->dhcp.dns = p->addr.v4;
	c->dhcp.prefix_len = p->len;
	c->dhcp.lease_time_s = DHCP_LEASE_TIME_DEFAULT_S;
	*nd_array_add(c->dhcp.pools, c->dhcp.n_pools) = (struct dhcp_pool){
		.start.s_addr = htonl(base + 2), .end.s_addr = htonl(base + 254),
		.lease_time_s = DHCP_LEASE_TIME_DEFAULT_S,
	};
	c->dns.forward_plain_names = c->dns.use_host_resolvers = true;
	*subnet = nd_prefix_masked(p);
}

static struct serve_config *config_read(struct harness *h, const struct nd_uuid *uuid, char **rest)
{
	ND_AUTO(serve_config_free) struct serve_config *c = serve_config_new();
	char *bridge = strtok_r(NULL, " ", rest), *address = strtok_r(NULL, "/", rest);
	char *len = strtok_r(NULL, " ", rest), *word;
	struct nd_error err = { 0 };
	struct nd_prefix p;

	if (!bridge || !address || !len || !nd_ip_parse(address, &p.addr)) {
		say("error bad command");
		return NULL;
	}
	p.len = (uint8_t)atoi(len);
	c->uuid = *uuid;
	snprintf(c->network, sizeof(c->network), "%s", bridge);
	if (lease_dirs_make(h->dirs, uuid, &c->uid, &err) < 0) {
		say("error %s", err.text);
		return NULL;
	}
	bridge_describe(c, bridge);
	subnet_describe(c, &p);
	while ((word = strtok_r(NULL, " ", rest)))
		set_option(c, word);
	if (c->dns.domain)
		snprintf(c->dhcp.domain, sizeof(c->dhcp.domain), "%s", c->dns.domain);
	return nd_take_ptr(&c);
}

static void on_done(void *arg, const struct nd_error *err)
{
	double *began_ms = arg;

	if (err)
		say("error %s", err->text);
	else
		say("ok %.3f", now_ms() - *began_ms);
	free(began_ms);
}

static void on_one_lease(void *arg, const struct serve_lease *lease)
{
	char text[512];

	say("lease %s", lease_text(lease, text, sizeof(text)));
}

static void on_stats(void *arg, const struct serve_counter *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		say("stat %s %llu", list[i].name, (unsigned long long)list[i].value);
	say(list ? "ok %zu" : "error no answer", n);
}

static void do_upstreams(struct harness *h, char **rest)
{
	struct dns_upstream list[16];
	char *word;
	size_t n = 0;

	while (n < ND_COUNT(list) && (word = strtok_r(NULL, " ", rest)))
		if (ip_port(word, &list[n]))
			n++;
	servers_set_upstreams(h->servers, list, n);
	say("ok");
}

static void do_network(struct harness *h, const char *verb, const struct nd_uuid *uuid, char **rest)
{
	double *began_ms = malloc(sizeof(*began_ms));
	struct nd_mac macs[512], *mac = macs;
	struct serve_config *config;
	struct nd_error err = { 0 };
	char *word;

	*began_ms = now_ms();
	if (nd_streq(verb, "start") || nd_streq(verb, "update")) {
		config = config_read(h, uuid, rest);
		*began_ms = now_ms();
		if (config && nd_streq(verb, "start"))
			servers_start(h->servers, config, on_done, nd_take_ptr(&began_ms));
		else if (config)
			servers_update(h->servers, config, on_done, nd_take_ptr(&began_ms));
	} else if (nd_streq(verb, "stop")) {
		servers_stop(h->servers, uuid, on_done, nd_take_ptr(&began_ms));
	} else if (nd_streq(verb, "ports")) {
		while (mac < macs + ND_COUNT(macs) && (word = strtok_r(NULL, " ", rest)))
			mac += nd_mac_parse(word, mac);
		servers_set_ports(h->servers, uuid, macs, (size_t)(mac - macs));
		say("ok");
	} else if (nd_streq(verb, "leases")) {
		word = strtok_r(NULL, " ", rest);
		say("ok %zu", servers_leases(h->servers, uuid,
					     word && nd_mac_parse(word, mac) ? mac : NULL,
					     on_one_lease, NULL));
	} else if (nd_streq(verb, "stats")) {
		servers_stats(h->servers, uuid, on_stats, NULL);
	} else if (nd_streq(verb, "remove")) {
		if (lease_dirs_remove(h->dirs, uuid, &err) < 0)
			say("error %s", err.text);
		else
			say("ok");
	} else {
		say("error unknown command %s", verb);
	}
	free(began_ms);
}

static void do_line(struct harness *h, char *line)
{
	char *rest, *verb = strtok_r(line, " ", &rest), *word;
	struct nd_uuid uuid;

	if (!verb)
		return;
	if (nd_streq(verb, "upstreams")) {
		do_upstreams(h, &rest);
	} else if (nd_streq(verb, "strays")) {
		servers_end_strays(h->servers);
		say("ok");
	} else {
		word = strtok_r(NULL, " ", &rest);
		if (word && nd_uuid_parse(word, &uuid))
			do_network(h, verb, &uuid, &rest);
		else
			say("error which network?");
	}
}

static int on_input(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	struct harness *h = arg;
	ssize_t n = read(fd, h->line + h->have, sizeof(h->line) - 1 - h->have);
	char *end, *at = h->line;

	if (n <= 0)
		return sd_event_exit(h->event, 0);
	h->have += (size_t)n;
	h->line[h->have] = '\0';
	while ((end = strchr(at, '\n'))) {
		*end = '\0';
		do_line(h, at);
		at = end + 1;
	}
	h->have -= (size_t)(at - h->line);
	memmove(h->line, at, h->have + 1);
	return 0;
}

int main(int argc, char **argv)
{
	static struct harness h;
	struct nd_error err = { 0 };
	struct servers_options opt = {
		.lease_event = on_lease_event, .died = on_died, .restarted = on_restarted,
	};

	if (argc != 4)
		return 2;
	nd_log_init("harness", getenv("DEBUG") ? LOG_DEBUG : LOG_INFO);
	opt.program = argv[1];
	opt.run_dir = argv[2];
	opt.lease_dir = argv[3];
	if (sd_event_default(&h.event) < 0)
		return 1;
	opt.event = h.event;
	if (lease_dirs_new(argv[3], 900000, 1000, &h.dirs, &err) < 0 ||
	    servers_new(&opt, &h.servers, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	(void)fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
	if (sd_event_add_io(h.event, NULL, STDIN_FILENO, EPOLLIN, on_input, &h) < 0)
		return 1;
	sd_event_loop(h.event);
	servers_free(h.servers);
	lease_dirs_free(h.dirs);
	sd_event_unref(h.event);
	return 0;
}
