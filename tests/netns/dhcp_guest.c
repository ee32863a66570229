/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dhcp_guest.c -- a guest that is up to no good, and one that only wants to be served
 *
 *	dhcp_guest flood IFNAME SECONDS discover|rapid|request|release|garbage|arp
 *		frames as fast as the interface takes them, each from another made-up MAC
 *		(garbage: DHCP frames with random bytes changed; arp: ARP requests and replies that claim
 *		random addresses, one in two with random bytes in it or cut short); prints how many
 *	dhcp_guest echo IFNAME SECONDS
 *		a server that has nothing to do but send back what a probe sends it
 *	dhcp_guest probe IFNAME SECONDS
 *		DISCOVER and REQUEST from the interface's own MAC every 120 ms, and between them a frame for the
 *		echo: what that takes is the machine's doing, not the DHCP server's;
 *		prints "offer_n N offer_lost N offer_p50 N offer_p90 N offer_p99 N offer_max N ack_n N ... echo_n N ...",
 *		times in us
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
#define ETH_ECHO 0x88b5			/* IEEE 802's for experiments */
#define PROBES_MAX 100000
#define MACS 65000

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* The clock of the kernel's timestamps. */
static uint64_t wall_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
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

static int open_socket(const char *ifname, uint16_t protocol, struct nd_mac *mac_out)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(protocol),
				  .sll_ifindex = (int)if_nametoindex(ifname) };
	struct ifreq ifr = { 0 };
	int fd = socket(AF_PACKET, SOCK_RAW, 0);

	strncpy(ifr.ifr_name, ifname, sizeof(ifr.ifr_name) - 1);
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 ||
	    ioctl(fd, SIOCGIFHWADDR, &ifr) < 0)
		fail(ifname);
	if (protocol == 0x0800)
		filter_replies(fd);
	if (setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &(int){ 1 }, sizeof(int)) < 0)
		fail("timestamps");
	memcpy(mac_out->bytes, ifr.ifr_hwaddr.sa_data, 6);
	return fd;
}

/* A frame, and when the interface had it: how long this process then waited for a processor is no
 * server's doing. */
static ssize_t receive(int fd, uint8_t frame[PEER_FRAME_MAX], uint64_t *at_us_out)
{
	_Alignas(struct cmsghdr) uint8_t control[256];
	struct iovec iov = { frame, PEER_FRAME_MAX };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			    .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(fd, &m, MSG_DONTWAIT);
	struct timespec t;

	for (struct cmsghdr *c = n < 0 ? NULL : CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
			memcpy(&t, CMSG_DATA(c), sizeof(t));
			*at_us_out = (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
		}
	return n;
}

/* --- flood --- */

/* An ARP packet of Ethernet and IPv4 (RFC 826) from the MAC, claiming `any`. */
static void make_arp(struct peer_request *r, const struct nd_mac *mac, struct in_addr any)
{
	static const uint8_t head[] = { 0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0 };
	uint8_t *f = r->frame;

	memset(f, 0xff, 6);
	memcpy(f + 6, mac->bytes, 6);
	memcpy(f + 12, head, sizeof(head));
	f[21] = 1 + rand() % 2;			/* request or reply */
	memcpy(f + 22, mac->bytes, 6);
	memcpy(f + 28, &any, 4);
	memset(f + 32, 0, 28);
	memcpy(f + 38, &any, 4);
	r->len = 60;
	if (rand() % 2)
		return;
	for (int i = 0; i < 4; i++)
		f[14 + rand() % 28] = (uint8_t)rand();
	r->len = 14 + (size_t)rand() % 46;
}

static void make_hostile(struct peer_request *r, const char *kind, unsigned n)
{
	struct nd_mac mac = peer_mac(0x100000 + n % MACS);
	struct in_addr any = { htonl(0xc0a80702 + (uint32_t)rand() % 250) };

	if (strcmp(kind, "arp") == 0) {
		make_arp(r, &mac, any);
		return;
	}
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

/* --- echo --- */

static int echo(int fd, unsigned seconds, struct nd_mac mac)
{
	uint64_t end_us = now_us() + (uint64_t)seconds * 1000000;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint8_t frame[PEER_FRAME_MAX];

	while (now_us() < end_us) {
		ssize_t n;

		poll(&p, 1, 100);
		n = recv(fd, frame, sizeof(frame), MSG_DONTWAIT);
		if (n < 60 || frame[14] != 'Q')
			continue;
		memcpy(frame, frame + 6, 6);
		memcpy(frame + 6, mac.bytes, 6);
		frame[14] = 'A';
		(void)!send(fd, frame, (size_t)n, 0);	/* lost: the probe counts it */
	}
	return 0;
}

/* How long the echo takes, in us; 0: it does not answer. */
static uint64_t ask_echo(int fd, struct nd_mac mac)
{
	uint64_t start_us = wall_us(), end_us = now_us() + LOST_MS * 1000, at_us;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint8_t frame[60] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, got[PEER_FRAME_MAX];

	memcpy(frame + 6, mac.bytes, 6);
	frame[12] = ETH_ECHO >> 8;
	frame[13] = ETH_ECHO & 0xff;
	frame[14] = 'Q';
	memcpy(frame + 16, &start_us, sizeof(start_us));
	if (send(fd, frame, sizeof(frame), 0) < 0)
		fail("send");
	while (now_us() < end_us) {
		poll(&p, 1, (int)((end_us - now_us()) / 1000) + 1);
		if (receive(fd, got, &at_us) >= 60 && got[14] == 'A' &&
		    memcmp(got + 16, &start_us, sizeof(start_us)) == 0)
			return at_us - start_us;
	}
	return 0;
}

/* --- probe --- */

/* Waits for a reply of this type to xid, sent at start_us by the wall clock; how long it took in us, 0
 * when it does not come. */
static uint64_t await(int fd, uint8_t type, uint32_t xid, struct peer_reply *reply, uint64_t start_us)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint8_t frame[PEER_FRAME_MAX];
	uint64_t end_us = now_us() + LOST_MS * 1000, at_us;

	while (now_us() < end_us) {
		ssize_t n;

		poll(&p, 1, (int)((end_us - now_us()) / 1000) + 1);
		n = receive(fd, frame, &at_us);
		if (n < 282 || frame[42] != 2 || memcmp(frame + 46, &xid, 4) != 0)
			continue;
		peer_read(reply, frame, (size_t)n);
		if (reply->type == type && reply->sums_right)
			return at_us - start_us;
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
	start_us = wall_us();
	if (send(fd, r.frame, r.len, 0) < 0)
		fail("send");
	return await(fd, type == 1 ? 2 : 5, xid, reply, start_us);
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

struct times {
	uint64_t us[PROBES_MAX];
	size_t n, lost;
};

static void times_add(struct times *t, uint64_t us)
{
	if (us && t->n < PROBES_MAX)
		t->us[t->n++] = us;
	t->lost += !us;
}

static uint64_t times_at(const struct times *t, size_t percent)
{
	return t->n ? t->us[t->n * percent / 100] : 0;
}

static void times_print(struct times *t, const char *of)
{
	qsort(t->us, t->n, sizeof(t->us[0]), compare);
	printf("%s_n %zu %s_lost %zu %s_p50 %lu %s_p90 %lu %s_p99 %lu %s_max %lu ", of, t->n, of, t->lost,
	       of, times_at(t, 50), of, times_at(t, 90), of, times_at(t, 99), of,
	       t->n ? t->us[t->n - 1] : 0);
}

static int probe(int fd, int echo_fd, unsigned seconds, struct nd_mac mac)
{
	static struct times offers, acks, echoes;
	uint64_t end_us = now_us() + (uint64_t)seconds * 1000000;
	struct peer_reply reply = { 0 };

	srand((unsigned)getpid());
	while (now_us() < end_us) {
		uint64_t offer_us = ask(fd, mac, 1, &reply);

		times_add(&offers, offer_us);
		times_add(&echoes, ask_echo(echo_fd, mac));
		if (offer_us)
			times_add(&acks, ask(fd, mac, 3, &reply));
		times_add(&echoes, ask_echo(echo_fd, mac));
		usleep(PROBE_MS * 1000);
	}
	times_print(&offers, "offer");
	times_print(&acks, "ack");
	times_print(&echoes, "echo");
	printf("\n");
	return 0;
}

int main(int argc, char **argv)
{
	struct nd_mac mac;
	unsigned seconds;

	if (argc < 4 || (strcmp(argv[1], "flood") == 0 && argc < 5)) {
		fprintf(stderr, "usage: dhcp_guest flood|probe|echo IFNAME SECONDS [KIND]\n");
		return 2;
	}
	seconds = (unsigned)atoi(argv[3]);
	if (strcmp(argv[1], "echo") == 0)
		return echo(open_socket(argv[2], ETH_ECHO, &mac), seconds, mac);
	if (strcmp(argv[1], "flood") == 0)
		return flood(open_socket(argv[2], 0x0800, &mac), seconds, argv[4]);
	return probe(open_socket(argv[2], 0x0800, &mac), open_socket(argv[2], ETH_ECHO, &mac), seconds,
		     mac);
}
