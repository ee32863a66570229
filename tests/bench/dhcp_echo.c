/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dhcp_echo.c -- the least that a DHCP server can do: what client and kernel allow any of them
 *
 *	bench_dhcp_echo IFNAME ADDRESS
 *
 * Answers each DISCOVER with an OFFER and each REQUEST with an ACK of an address made of the
 * client's MAC, in batches of up to 64, and remembers nothing. For relayed requests, as perfdhcp
 * sends them.
 */
#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH 64
#define FRAME 1536
#define IP 14
#define UDP 34
#define DHCP 42
#define OPTIONS (DHCP + 240)

static struct in_addr own;
static uint8_t mac[6];

static int socket_bound(const char *ifname)
{
	/* UDP to port 67, without IP options, and not what this host sends itself */
	static struct sock_filter to_servers[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 3, 0),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, UDP + 2),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 67, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, FRAME),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	static const struct sock_fprog filter = { 6, to_servers };
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP),
				  .sll_ifindex = (int)if_nametoindex(ifname) };
	socklen_t len = sizeof(at);
	int fd = socket(AF_PACKET, SOCK_RAW, 0), room = 4 << 20;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) < 0 ||
	    bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 ||
	    getsockname(fd, (struct sockaddr *)&at, &len) < 0)
		return -1;
	memcpy(mac, at.sll_addr, sizeof(mac));
	return fd;
}

static void put16(uint8_t *at, unsigned v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static unsigned ip_sum(const uint8_t *ip)
{
	unsigned sum = 0;

	for (int i = 0; i < 20; i += 2)
		sum += (unsigned)ip[i] << 8 | ip[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	return ~((sum & 0xffff) + (sum >> 16)) & 0xffff;
}

/* Turns the request into its reply; its length, 0 for what is no request. */
static size_t answer(uint8_t *f, size_t len)
{
	static const uint8_t lease[] = { 51, 4, 0, 0, 14, 16, 1, 4, 255, 255, 0, 0, 255 };
	uint8_t *dhcp = f + DHCP, *o = f + OPTIONS, type = 0;

	for (size_t i = OPTIONS; i + 2 < len && f[i] != 255; i += f[i] ? 2u + f[i + 1] : 1)
		if (f[i] == 53)
			type = f[i + 2];
	if (type != 1 && type != 3)
		return 0;
	memcpy(f, f + 6, 6);
	memcpy(f + 6, mac, 6);
	dhcp[0] = 2;
	memcpy(dhcp + 16, &own, 4);			/* yiaddr: in the server's /16 ... */
	memcpy(dhcp + 18, dhcp + 28 + 4, 2);		/* ... by the MAC */
	memcpy(o, (uint8_t[]){ 53, 1, type == 1 ? 2 : 5, 54, 4 }, 5);
	memcpy(o + 5, &own, 4);
	memcpy(o + 9, lease, sizeof(lease));
	len = OPTIONS + 9 + sizeof(lease) + 40;
	memset(o + 9 + sizeof(lease), 0, 40);
	memcpy(f + IP + 16, dhcp + 24, 4);		/* to the relay */
	memcpy(f + IP + 12, &own, 4);
	put16(f + IP + 2, (unsigned)len - IP);
	put16(f + IP + 10, 0);
	put16(f + IP + 10, ip_sum(f + IP));
	put16(f + UDP, 67);
	put16(f + UDP + 2, 67);
	put16(f + UDP + 4, (unsigned)len - UDP);
	put16(f + UDP + 6, 0);
	return len;
}

int main(int argc, char **argv)
{
	static uint8_t frames[BATCH][FRAME];
	static struct iovec at[BATCH];
	static struct mmsghdr m[BATCH];
	int fd = argc == 3 && inet_pton(AF_INET, argv[2], &own) == 1 ? socket_bound(argv[1]) : -1;

	if (fd < 0) {
		fprintf(stderr, "usage: bench_dhcp_echo IFNAME ADDRESS (as root)\n");
		return 1;
	}
	for (;;) {
		unsigned out = 0;
		int n;

		for (int i = 0; i < BATCH; i++) {
			at[i] = (struct iovec){ frames[i], FRAME };
			m[i].msg_hdr = (struct msghdr){ .msg_iov = &at[i], .msg_iovlen = 1 };
		}
		n = recvmmsg(fd, m, BATCH, MSG_WAITFORONE, NULL);
		for (int i = 0; i < n; i++) {
			size_t len = m[i].msg_len > OPTIONS ? answer(frames[i], m[i].msg_len) : 0;

			if (!len)
				continue;
			at[out] = (struct iovec){ frames[i], len };
			m[out].msg_hdr = (struct msghdr){ .msg_iov = &at[out], .msg_iovlen = 1 };
			out++;
		}
		if (out)
			(void)sendmmsg(fd, m, out, 0);	/* what is lost is lost */
	}
}
