/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dhcp_guest.c -- a guest that is up to no good, and one that only wants to be served
 *
 *	dhcp_guest flood IFNAME SECONDS discover|rapid|request|release|garbage
 *		frames as fast as the interface takes them, each from another made-up MAC
 *		(garbage: DHCP frames with random bytes changed); prints how many
 *	dhcp_guest probe IFNAME SECONDS
 *		DISCOVER and REQUEST from the interface's own MAC every 120 ms;
 *		prints "asked N lost N p50_us N p99_us N max_us N"
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/dhcp4_peer.h"

#define PROBE_MS 120			/* two frames each: within a guest's share of the server */
#define LOST_MS 1000
#define PROBES_MAX 100000
#define MACS 65000

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "dhcp_guest: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* What the flood sends to everybody must not fill this socket: only replies to this guest, as its
 * UDP stack would choose them. */
static void filter_replies(int fd)
{
	static struct sock_filter ours[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OTHERHOST, 3, 0),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 36),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 68, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, PEER_FRAME_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	static const struct sock_fprog filter = { 6, ours };

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) < 0)
		fail("filter");
}

static int open_socket(const char *ifname, struct nd_mac *mac_out)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(0x0800),
				  .sll_ifindex = (int)if_nametoindex(ifname) };
	struct ifreq ifr = { 0 };
	int fd = socket(AF_PACKET, SOCK_RAW, htons(0x0800));

	strncpy(ifr.ifr_name, ifname, sizeof(ifr.ifr_name) - 1);
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 ||
	    ioctl(fd, SIOCGIFHWADDR, &ifr) < 0)
		fail(ifname);
	filter_replies(fd);
	memcpy(mac_out->bytes, ifr.ifr_hwaddr.sa_data, 6);
	return fd;
}

/* --- flood --- */

static void make_hostile(struct peer_request *r, const char *kind, unsigned n)
{
	struct nd_mac mac = peer_mac(0x100000 + n % MACS);
	struct in_addr any = { htonl(0xc0a80702 + (uint32_t)rand() % 250) };

	if (strcmp(kind, "release") == 0) {
		peer_begin(r, mac, 7);
		peer_set_ip(r, PEER_CIADDR, any);
	} else if (strcmp(kind, "request") == 0) {
		peer_begin(r, mac, 3);
		peer_option_ip(r, 50, any);
	} else {
		peer_begin(r, mac, 1);
		if (strcmp(kind, "rapid") == 0)
			peer_option(r, 80, "", 0);
	}
	peer_option_text(r, 12, "probe");
	peer_finish(r);
	if (strcmp(kind, "garbage") != 0)
		return;
	for (int i = 0; i < 4; i++)
		peer_dhcp(r)[(size_t)rand() % (r->len - 42)] = (uint8_t)rand();
	if (rand() % 4 == 0)
		r->len = 42 + (size_t)rand() % (r->len - 42);
	peer_seal(r);
}

static int flood(int fd, unsigned seconds, const char *kind)
{
	uint64_t end_us = now_us() + (uint64_t)seconds * 1000000;
	struct peer_request r;
	unsigned n = 0, sent = 0;

	while (now_us() < end_us) {
		make_hostile(&r, kind, n++);
		sent += send(fd, r.frame, r.len, 0) > 0;
	}
	printf("sent %u\n", sent);
	return 0;
}

/* --- probe --- */

/* Waits for a reply of this type to xid; its time in us, 0 when it does not come. */
static uint64_t await(int fd, uint8_t type, uint32_t xid, struct peer_reply *reply, uint64_t start_us)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint8_t frame[PEER_FRAME_MAX];
	uint64_t end_us = start_us + LOST_MS * 1000;

	while (now_us() < end_us) {
		ssize_t n;

		poll(&p, 1, (int)((end_us - now_us()) / 1000) + 1);
		n = recv(fd, frame, sizeof(frame), MSG_DONTWAIT);
		if (n < 282 || frame[42] != 2 || memcmp(frame + 46, &xid, 4) != 0)
			continue;
		peer_read(reply, frame, (size_t)n);
		if (reply->type == type && reply->sums_right)
			return now_us() - start_us;
	}
	return 0;
}

static uint64_t ask(int fd, struct nd_mac mac, uint8_t type, struct peer_reply *reply)
{
	struct in_addr server, address = reply->yiaddr;
	uint32_t xid = (uint32_t)rand();
	struct peer_request r;
	uint64_t start_us;

	peer_begin(&r, mac, type);
	memcpy(peer_dhcp(&r) + 4, &xid, 4);
	if (type == 3) {
		memcpy(&server, reply->option[54], 4);
		peer_option_ip(&r, 54, server);
		peer_option_ip(&r, 50, address);
	}
	peer_finish(&r);
	start_us = now_us();
	if (send(fd, r.frame, r.len, 0) < 0)
		fail("send");
	return await(fd, type == 1 ? 2 : 5, xid, reply, start_us);
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static int probe(int fd, unsigned seconds, struct nd_mac mac)
{
	static uint64_t times[PROBES_MAX];
	uint64_t end_us = now_us() + (uint64_t)seconds * 1000000;
	struct peer_reply reply = { 0 };
	size_t n = 0, lost = 0;

	srand((unsigned)getpid());
	while (now_us() < end_us && n + 2 < PROBES_MAX) {
		uint64_t offer_us = ask(fd, mac, 1, &reply), ack_us = 0;

		if (offer_us)
			times[n++] = offer_us;
		if (offer_us && (ack_us = ask(fd, mac, 3, &reply)))
			times[n++] = ack_us;
		lost += !offer_us || !ack_us;
		usleep(PROBE_MS * 1000);
	}
	qsort(times, n, sizeof(times[0]), compare);
	printf("asked %zu lost %zu p50_us %lu p99_us %lu max_us %lu\n", n + lost, lost,
	       n ? times[n / 2] : 0, n ? times[n * 99 / 100] : 0, n ? times[n - 1] : 0);
	return 0;
}

int main(int argc, char **argv)
{
	struct nd_mac mac;
	int fd;

	if (argc < 4 || (strcmp(argv[1], "flood") == 0 && argc < 5)) {
		fprintf(stderr, "usage: dhcp_guest flood|probe IFNAME SECONDS [KIND]\n");
		return 2;
	}
	fd = open_socket(argv[2], &mac);
	if (strcmp(argv[1], "flood") == 0)
		return flood(fd, (unsigned)atoi(argv[3]), argv[4]);
	return probe(fd, (unsigned)atoi(argv[3]), mac);
}
