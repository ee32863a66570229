/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dns_echo.c -- the least that a UDP server can do: what any DNS server is measured against
 *
 *	bench_dns_echo ADDRESS PORT
 *
 * Sends each datagram back with the QR bit set, in batches of up to 64.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define BATCH 64

static int socket_bound(const char *address, int port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (inet_pton(AF_INET, address, &sin.sin_addr) != 1)
		return -1;
	if (fd < 0 || bind(fd, (struct sockaddr *)&sin, sizeof(sin)) < 0)
		return -1;
	return fd;
}

int main(int argc, char **argv)
{
	static uint8_t packets[BATCH][1232];
	static struct sockaddr_in from[BATCH];
	static struct iovec at[BATCH];
	static struct mmsghdr m[BATCH];
	int fd = argc == 3 ? socket_bound(argv[1], atoi(argv[2])) : -1;

	if (fd < 0) {
		fprintf(stderr, "usage: bench_dns_echo ADDRESS PORT (and that must be free)\n");
		return 1;
	}
	for (;;) {
		int n;

		for (int i = 0; i < BATCH; i++) {
			at[i] = (struct iovec){ packets[i], sizeof(packets[i]) };
			m[i].msg_hdr = (struct msghdr){ .msg_name = &from[i],
							.msg_namelen = sizeof(from[i]),
							.msg_iov = &at[i], .msg_iovlen = 1 };
		}
		n = recvmmsg(fd, m, BATCH, MSG_WAITFORONE, NULL);
		for (int i = 0; i < n; i++) {
			at[i].iov_len = m[i].msg_len;
			packets[i][2] |= 0x80;
		}
		if (n > 0)
			(void)sendmmsg(fd, m, (unsigned)n, 0);	/* what is lost is lost */
	}
}
