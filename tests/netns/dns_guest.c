/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dns_guest.c -- a guest that is up to no good, and one that only wants answers
 *
 *	dns_guest flood SERVER SECONDS local|names|any|loops|garbage|forged|tcp
 *		queries as fast as they go out, replies unread; prints how many
 *	dns_guest probe SERVER NAME SECONDS ECHO_PORT
 *		a query every 20 ms, and between them one to an echo at another port of the same address,
 *		which is not flooded: what machine and path cost at that moment. Prints
 *		"asked N lost N p50_us N p90_us N p99_us N max_us N", and the same of the echo
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "netd/base/cursor.h"
#include "netd/base/str.h"

#define BATCH 32
#define PACKET_MAX 1400
#define PROBE_US 20000
#define LOST_US 1000000
#define PROBES_MAX 65536

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "dns_guest: %s: %s\n", what, strerror(errno));
	exit(1);
}

static struct sockaddr_in server_at(const char *address, int port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };

	if (inet_pton(AF_INET, address, &at.sin_addr) != 1)
		fail(address);
	return at;
}

static void put_query(struct wr *w, uint16_t id, const char *name, uint16_t type)
{
	wr_u16(w, id);
	wr_u16(w, 0x0100);
	wr_u16(w, 1);
	wr_u32(w, 0);
	wr_u16(w, 0);
	while (*name) {
		size_t n = strcspn(name, ".");

		wr_u8(w, (uint8_t)n);
		wr_bytes(w, name, n);
		name += n + (name[n] == '.');
	}
	wr_u8(w, 0);
	wr_u16(w, type);
	wr_u16(w, 1);
}

/* --- flood --- */

/* Names that point to themselves or to each other, that never end, or that are all labels. */
static void put_loop(struct wr *w, unsigned n)
{
	put_query(w, (uint16_t)n, "", 1);
	w->at = w->start + 12;
	for (unsigned i = 0; i < n % 130; i++)
		wr_bytes(w, "\1x", 2);
	if (n % 3 == 0)
		wr_u16(w, (uint16_t)(0xc000 | 12 | n % 200));
	else if (n % 3 == 1)
		wr_u8(w, (uint8_t)n);
	wr_bytes(w, "\0\0\1\0\1", 5);
}

static void put_garbage(struct wr *w)
{
	size_t n = (size_t)random() % 600;

	put_query(w, 1, "one", 1);
	for (int i = 0; i < 4; i++)
		w->start[random() % (long)wr_len(w)] = (uint8_t)random();
	while (n-- > 500)
		wr_u8(w, (uint8_t)random());
}

/* An IP packet from another address each time, of guests who are not there. */
static void put_forged(struct wr *w, const struct sockaddr_in *to, unsigned n)
{
	struct iphdr ip = { .version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP,
			    .daddr = to->sin_addr.s_addr };
	struct udphdr udp = { .source = htons((uint16_t)(1024 + n % 60000)), .dest = htons(53) };
	struct wr body = wr_init(w->start + sizeof(ip) + sizeof(udp), 512);

	put_query(&body, (uint16_t)n, "one", 1);
	ip.saddr = htonl((ntohl(to->sin_addr.s_addr) & ~0xffu) | (16 + n % 238));
	ip.tot_len = htons((uint16_t)(sizeof(ip) + sizeof(udp) + wr_len(&body)));
	udp.len = htons((uint16_t)(sizeof(udp) + wr_len(&body)));
	wr_bytes(w, &ip, sizeof(ip));
	wr_bytes(w, &udp, sizeof(udp));
	w->at += wr_len(&body);
}

static size_t make_hostile(uint8_t *packet, const char *kind, const struct sockaddr_in *to, unsigned n)
{
	struct wr w = wr_init(packet, PACKET_MAX);
	char name[64] = "one";

	if (nd_streq(kind, "names"))
		snprintf(name, sizeof(name), "x%u.dead.example", n);
	if (nd_streq(kind, "forged"))
		put_forged(&w, to, n);
	else if (nd_streq(kind, "loops"))
		put_loop(&w, n);
	else if (nd_streq(kind, "garbage"))
		put_garbage(&w);
	else
		put_query(&w, (uint16_t)n, name, nd_streq(kind, "any") ? 255 : 1);
	return wr_len(&w);
}

static unsigned flood_udp(const struct sockaddr_in *to, const char *kind, uint64_t end_us)
{
	static uint8_t packets[BATCH][PACKET_MAX];
	bool raw = nd_streq(kind, "forged");
	int fd = raw ? socket(AF_INET, SOCK_RAW, IPPROTO_RAW) : socket(AF_INET, SOCK_DGRAM, 0);
	unsigned sent = 0, serial = 0;

	if (fd < 0 || connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0)
		fail("socket");
	while (now_us() < end_us) {
		struct mmsghdr m[BATCH] = { 0 };
		struct iovec at[BATCH];
		int n;

		for (int i = 0; i < BATCH; i++) {
			at[i] = (struct iovec){ packets[i],
						make_hostile(packets[i], kind, to, serial++) };
			m[i].msg_hdr = (struct msghdr){ .msg_iov = &at[i], .msg_iovlen = 1 };
		}
		n = sendmmsg(fd, m, BATCH, 0);
		sent += n > 0 ? (unsigned)n : 0;
	}
	close(fd);
	return sent;
}

/* As many connections as there may be, each with half a query. */
static unsigned flood_tcp(const struct sockaddr_in *to, uint64_t end_us)
{
	int fds[200];
	unsigned sent = 0;

	for (size_t i = 0; i < 200; i++)
		fds[i] = -1;
	for (size_t i = 0; now_us() < end_us; i = (i + 1) % 200) {
		if (fds[i] >= 0)
			close(fds[i]);
		fds[i] = socket(AF_INET, SOCK_STREAM, 0);
		if (fds[i] < 0)
			fail("socket");
		if (connect(fds[i], (const struct sockaddr *)to, sizeof(*to)) == 0 &&
		    send(fds[i], "\0\x20half", 6, MSG_NOSIGNAL) > 0)
			sent++;
	}
	return sent;
}

static int flood(const char *address, double seconds, const char *kind)
{
	uint64_t end_us = now_us() + (uint64_t)(seconds * 1e6);
	struct sockaddr_in to = server_at(address, 53);

	printf("sent %u\n", nd_streq(kind, "tcp") ? flood_tcp(&to, end_us) :
						    flood_udp(&to, kind, end_us));
	return 0;
}

/* --- probe --- */

struct probe {
	int fd;
	bool echo;
	uint64_t next_us;
	uint64_t sent_us[PROBES_MAX];	/* by id; 0: answered or not sent */
	unsigned took_us[PROBES_MAX];
	unsigned asked, answered;
};

static void probe_open(struct probe *p, const char *address, int port, uint64_t first_us)
{
	struct sockaddr_in to = server_at(address, port);

	p->fd = socket(AF_INET, SOCK_DGRAM, 0);
	p->echo = port != 53;
	p->next_us = first_us;
	if (p->fd < 0 || connect(p->fd, (const struct sockaddr *)&to, sizeof(to)) < 0)
		fail("socket");
}

static void probe_ask(struct probe *p, const char *name)
{
	uint8_t packet[300];
	struct wr w = wr_init(packet, sizeof(packet));

	if (p->asked == PROBES_MAX)
		return;
	put_query(&w, (uint16_t)p->asked, name, 1);
	p->sent_us[p->asked++] = now_us();
	(void)!send(p->fd, packet, wr_len(&w), 0);	/* unsent is lost */
	p->next_us += PROBE_US;
}

static void probe_read(struct probe *p)
{
	uint8_t reply[1500];
	ssize_t n;

	while ((n = recv(p->fd, reply, sizeof(reply), MSG_DONTWAIT)) >= 12) {
		unsigned id = (unsigned)reply[0] << 8 | reply[1];
		bool good = p->echo || ((reply[3] & 15) == 0 && reply[7] == 1);

		if (!good || !p->sent_us[id] || now_us() - p->sent_us[id] > LOST_US)
			continue;
		p->took_us[p->answered++] = (unsigned)(now_us() - p->sent_us[id]);
		p->sent_us[id] = 0;
	}
}

static int by_size(const void *a, const void *b)
{
	return (*(const unsigned *)a > *(const unsigned *)b) -
	       (*(const unsigned *)a < *(const unsigned *)b);
}

static unsigned percentile(const struct probe *p, unsigned percent)
{
	return p->answered ? p->took_us[(p->answered - 1) * percent / 100] : 0;
}

static void probe_print(struct probe *p, const char *prefix)
{
	qsort(p->took_us, p->answered, sizeof(p->took_us[0]), by_size);
	printf("%sasked %u %slost %u %sp50_us %u %sp90_us %u %sp99_us %u %smax_us %u\n", prefix,
	       p->asked, prefix, p->asked - p->answered, prefix, percentile(p, 50), prefix,
	       percentile(p, 90), prefix, percentile(p, 99), prefix, percentile(p, 100));
}

static int probe(const char *address, const char *name, double seconds, int echo_port)
{
	static struct probe probes[2];
	uint64_t start_us = now_us(), end_us = start_us + (uint64_t)(seconds * 1e6);

	probe_open(&probes[0], address, 53, start_us);
	probe_open(&probes[1], address, echo_port, start_us + PROBE_US / 2);
	while (now_us() < end_us + LOST_US) {
		struct pollfd pfd[2] = { { probes[0].fd, POLLIN, 0 }, { probes[1].fd, POLLIN, 0 } };
		uint64_t now = now_us();

		for (int i = 0; i < 2; i++)
			if (now >= probes[i].next_us && now < end_us)
				probe_ask(&probes[i], name);
		poll(pfd, 2, 2);
		for (int i = 0; i < 2; i++)
			probe_read(&probes[i]);
	}
	probe_print(&probes[0], "");
	probe_print(&probes[1], "echo_");
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 5 && nd_streq(argv[1], "flood"))
		return flood(argv[2], atof(argv[3]), argv[4]);
	if (argc == 6 && nd_streq(argv[1], "probe"))
		return probe(argv[2], argv[3], atof(argv[4]), atoi(argv[5]));
	fprintf(stderr, "usage: dns_guest flood SERVER SECONDS KIND | "
		"probe SERVER NAME SECONDS ECHO_PORT\n");
	return 2;
}
