/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How fast the DHCPv4 server is without a network: messages a second by the rules alone, four-way
 * exchanges a second with every lease on disk, and how long 65,000 reservations take to load.
 *
 *	bench_dhcp_engine [DIRECTORY]	(of the lease database, default: the current one)
 */
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "dhcp/dhcp4_service.h"
#include "tests/unit/dhcp4_peer.h"

#define N_HOSTS 65000
#define BURST 64			/* clients that ask at the same time */

static struct in_addr offers[BURST];
static unsigned n_sent;

static uint64_t clock_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void on_send(void *ctx, const uint8_t *frame, size_t len)
{
	if (frame[42 + 242] == 2 && n_sent < BURST)
		memcpy(&offers[n_sent], frame + 42 + 16, 4);
	n_sent++;
}

static void send_one(struct dhcp4_service *s, unsigned client, uint8_t type, struct in_addr server,
		     struct in_addr address)
{
	struct peer_request r;

	peer_begin(&r, peer_mac(client), type);
	if (type == 3) {
		peer_option_ip(&r, 54, server);
		peer_option_ip(&r, 50, address);
	}
	peer_option(&r, 55, "\x01\x03\x06\x0c\x0f\x1a\x1c", 7);
	peer_finish(&r);
	dhcp4_service_frame(s, r.frame, r.len, false, clock_us() / 1000);
}

static void wait_for(struct dhcp4_service *s, unsigned n)
{
	struct pollfd p = { .fd = dhcp4_service_fd(s), .events = POLLIN };

	while (n_sent < n && p.fd >= 0) {
		poll(&p, 1, 1000);
		dhcp4_service_drain(s, clock_us() / 1000);
	}
}

/* Four-way exchanges for one second, BURST clients at a time; returns how many a second. */
static double exchange(struct dhcp4_service *s, const struct dhcp_config *config)
{
	uint64_t start = clock_us(), end = start + 1000000;
	unsigned client = 0, done = 0;

	while (clock_us() < end && client + BURST < 60000) {
		n_sent = 0;
		for (unsigned i = 0; i < BURST; i++)
			send_one(s, client + i, 1, config->server, config->server);
		n_sent = BURST;
		for (unsigned i = 0; i < BURST; i++)
			send_one(s, client + i, 3, config->server, offers[i]);
		wait_for(s, 2 * BURST);
		client += BURST;
		done += BURST;
	}
	return done * 1e6 / (double)(clock_us() - start);
}

static struct dhcp4_service *start(const struct dhcp_config *config, const char *path)
{
	struct dhcp4_service_setup setup = { .config = config, .mac = peer_mac(0xffffff),
					     .hooks = { .send = on_send }, .store_path = path,
					     .boot_id = "bench", .wall_s = time(NULL),
					     .now_ms = clock_us() / 1000 };
	struct dhcp4_service *s;
	struct nd_error err = { 0 };

	if (dhcp4_service_new(&setup, &s, NULL, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	return s;
}

static void bench_hosts(struct dhcp_config config)
{
	uint64_t begin;
	struct dhcp4_service *s;
	struct rusage use;

	config.reservations = calloc(N_HOSTS, sizeof(*config.reservations));
	config.n_reservations = N_HOSTS;
	for (unsigned i = 0; i < N_HOSTS; i++) {
		struct dhcp_reservation *h = &config.reservations[i];

		h->has_mac = true;
		h->mac = peer_mac(i);
		snprintf(h->name, sizeof(h->name), "host-%u", i);
		h->address = (struct in_addr){ htonl(0x0a000002 + i) };
	}
	begin = clock_us();
	s = start(&config, NULL);
	printf("65000 reservations: %.1f ms", (double)(clock_us() - begin) / 1000);
	getrusage(RUSAGE_SELF, &use);
	printf(", process %ld MiB\n", use.ru_maxrss / 1024);
	dhcp4_service_free(s);
	free(config.reservations);
}

int main(int argc, char **argv)
{
	struct dhcp_pool pool = { peer_ip("10.0.0.2"), peer_ip("10.1.255.0"), 0 };
	struct dhcp_config config = { .enabled = true, .server = peer_ip("10.0.0.1"),
				      .router = peer_ip("10.0.0.1"), .dns = peer_ip("10.0.0.1"),
				      .prefix_len = 8, .lease_time_s = 3600, .pools = &pool,
				      .n_pools = 1, .domain = "bench.example" };
	char path[512];
	struct dhcp4_service *s;
	uint64_t begin;

	snprintf(path, sizeof(path), "%s/bench-leases.db", argc > 1 ? argv[1] : ".");
	(void)unlink(path);
	s = start(&config, NULL);
	printf("4-way exchanges by the rules alone: %.0f/s\n", exchange(s, &config));
	dhcp4_service_free(s);
	s = start(&config, path);
	printf("4-way exchanges, leases on disk:    %.0f/s\n", exchange(s, &config));
	dhcp4_service_free(s);
	begin = clock_us();
	s = start(&config, path);
	printf("loading these leases: %.1f ms\n", (double)(clock_us() - begin) / 1000);
	dhcp4_service_free(s);
	(void)unlink(path);
	bench_hosts(config);
	return 0;
}
