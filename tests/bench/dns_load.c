/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dns_load.c -- asks several DNS servers in turn, for a fair comparison on a busy machine
 *
 *	bench_dns_load [-w WINDOW] [-r ROUNDS] [-t SLICE_MS] NAMES ADDRESS[=PID]...
 *
 * Each server gets SLICE_MS of closed-loop load (WINDOW questions outstanding), then the next,
 * ROUNDS times round. Printed are medians, and of the ratios to the first server's rate in the
 * same round; with PID the processor time that server and client took for each answer. NAMES: a
 * file as dnsperf reads it, "name A" per line.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "dns/message.h"

#define BATCH 32
#define SOCKETS 8
#define NAMES_MAX 100000
#define SERVERS_MAX 8
#define ROUNDS_MAX 1000

struct load {
	struct { uint8_t *bytes; size_t len; } queries[NAMES_MAX];
	size_t n_queries, next;
	unsigned window;
	uint64_t slice_ns;
};

struct server {
	const char *address;
	int fds[SOCKETS];
	unsigned outstanding[SOCKETS];
	double rates[ROUNDS_MAX];
	uint64_t lost, bad, answers;
	int pid;
	uint64_t server_ns, client_ns;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* Processor time of a process so far; 0: unknown. */
static uint64_t cpu_ns(int pid)
{
	unsigned long ns = 0;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/schedstat", pid);
	f = pid ? fopen(path, "r") : NULL;
	if (!f)
		return 0;
	if (fscanf(f, "%lu", &ns) != 1)
		ns = 0;
	fclose(f);
	return ns;
}

static void names_read(struct load *l, const char *path)
{
	FILE *f = fopen(path, "r");
	char line[1100], text[1024];

	if (!f) {
		perror(path);
		exit(1);
	}
	while (l->n_queries < NAMES_MAX && fgets(line, sizeof(line), f)) {
		uint8_t m[DNS_UDP_PLAIN];
		struct wr w = wr_init(m, sizeof(m));
		struct dns_name name;

		if (sscanf(line, "%1023s", text) != 1 || !dns_name_parse(text, &name))
			continue;
		dns_query_encode(&w, (uint16_t)l->n_queries, &name, DNS_TYPE_A, false, false,
				 false);
		l->queries[l->n_queries].len = wr_len(&w);
		l->queries[l->n_queries].bytes = malloc(wr_len(&w));
		memcpy(l->queries[l->n_queries++].bytes, m, wr_len(&w));
	}
	fclose(f);
}

static void server_open(struct server *s, char *address)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(53) };
	char *pid = strchr(address, '=');

	if (pid)
		*pid++ = '\0';
	s->pid = pid ? atoi(pid) : 0;
	s->address = address;
	if (inet_pton(AF_INET, address, &sin.sin_addr) != 1) {
		fprintf(stderr, "'%s' is no address\n", address);
		exit(1);
	}
	for (int i = 0; i < SOCKETS; i++) {
		s->fds[i] = socket(AF_INET, SOCK_DGRAM, 0);
		if (connect(s->fds[i], (struct sockaddr *)&sin, sizeof(sin)) < 0) {
			perror(address);
			exit(1);
		}
	}
}

static void send_some(struct load *l, struct server *s, int i)
{
	struct mmsghdr m[BATCH] = { 0 };
	struct iovec at[BATCH];
	unsigned n = l->window / SOCKETS - s->outstanding[i];
	int sent;

	if (n > BATCH)
		n = BATCH;
	for (unsigned j = 0; j < n; j++) {
		at[j] = (struct iovec){ l->queries[l->next].bytes, l->queries[l->next].len };
		m[j].msg_hdr = (struct msghdr){ .msg_iov = &at[j], .msg_iovlen = 1 };
		l->next = (l->next + 1) % l->n_queries;
	}
	sent = n ? sendmmsg(s->fds[i], m, n, MSG_DONTWAIT) : 0;
	if (sent > 0)
		s->outstanding[i] += (unsigned)sent;
}

static unsigned receive_some(struct server *s, int i)
{
	static uint8_t packets[BATCH][DNS_UDP_PLAIN];
	struct mmsghdr m[BATCH] = { 0 };
	struct iovec at[BATCH];
	int n;

	for (int j = 0; j < BATCH; j++) {
		at[j] = (struct iovec){ packets[j], sizeof(packets[j]) };
		m[j].msg_hdr = (struct msghdr){ .msg_iov = &at[j], .msg_iovlen = 1 };
	}
	n = recvmmsg(s->fds[i], m, BATCH, MSG_DONTWAIT, NULL);
	for (int j = 0; j < n; j++)
		s->bad += !(packets[j][2] & 0x80);
	if (n <= 0)
		return 0;
	s->outstanding[i] -= (unsigned)n < s->outstanding[i] ? (unsigned)n : s->outstanding[i];
	return (unsigned)n;
}

static double slice(struct load *l, struct server *s)
{
	uint64_t start = now_ns(), now = start, last = start, answers = 0;
	uint64_t server_ns = cpu_ns(s->pid), client_ns = cpu_ns(getpid());

	while (now - start < l->slice_ns) {
		unsigned got = 0;

		for (int i = 0; i < SOCKETS; i++) {
			send_some(l, s, i);
			got += receive_some(s, i);
		}
		now = now_ns();
		answers += got;
		if (got) {
			last = now;
		} else if (now - last > 50000000) {	/* the rest was lost */
			for (int i = 0; i < SOCKETS; i++) {
				s->lost += s->outstanding[i];
				s->outstanding[i] = 0;
			}
			last = now;
		}
	}
	s->server_ns += cpu_ns(s->pid) - server_ns;
	s->client_ns += cpu_ns(getpid()) - client_ns;
	s->answers += answers;
	/* What is still on its way must not count for the next slice. */
	usleep(2000);
	for (int i = 0; i < SOCKETS; i++) {
		while (receive_some(s, i))
			;
		s->outstanding[i] = 0;
	}
	return (double)answers * 1e9 / (double)(now - start);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *v, unsigned n)
{
	qsort(v, n, sizeof(*v), by_value);
	return v[n / 2];
}

/* Ratios of neighbouring slices: what else the machine does hits both. */
static void report(struct server *servers, unsigned n, unsigned rounds)
{
	double ratios[SERVERS_MAX];

	for (unsigned i = 0; i < n; i++) {
		double v[ROUNDS_MAX];

		for (unsigned r = 0; r < rounds; r++)
			v[r] = servers[0].rates[r] / servers[i].rates[r];
		ratios[i] = median(v, rounds);
	}
	for (unsigned i = 0; i < n; i++)
		printf("%-15s %8.0f/s, %s is %.2f times that; lost %lu, wrong %lu; "
		       "us per answer: server %.2f, client %.2f\n",
		       servers[i].address, median(servers[i].rates, rounds), servers[0].address,
		       ratios[i], servers[i].lost, servers[i].bad,
		       (double)servers[i].server_ns / 1e3 / (double)servers[i].answers,
		       (double)servers[i].client_ns / 1e3 / (double)servers[i].answers);
}

int main(int argc, char **argv)
{
	static struct load l = { .window = 256, .slice_ns = 200000000 };
	static struct server servers[SERVERS_MAX];
	unsigned n = 0, rounds = 15;
	int opt;

	while ((opt = getopt(argc, argv, "w:r:t:")) != -1) {
		if (opt == 'w')
			l.window = (unsigned)atoi(optarg);
		else if (opt == 'r')
			rounds = (unsigned)atoi(optarg);
		else if (opt == 't')
			l.slice_ns = (uint64_t)atoi(optarg) * 1000000;
		else
			return 1;
	}
	if (argc - optind < 2 || rounds < 1 || rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: bench_dns_load [-w WINDOW] [-r ROUNDS] [-t SLICE_MS] NAMES "
			"ADDRESS[=PID]...\n");
		return 1;
	}
	names_read(&l, argv[optind]);
	for (int i = optind + 1; i < argc && n < SERVERS_MAX; i++)
		server_open(&servers[n++], argv[i]);
	for (unsigned r = 0; r < rounds; r++)
		for (unsigned i = 0; i < n; i++)
			servers[i].rates[r] = slice(&l, &servers[i]);
	report(servers, n, rounds);
	return 0;
}
