/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dns_flood.c -- a guest that sends DNS queries as fast as it can and reads no reply
 *
 *	bench_dns_flood FROM TO SECONDS [DOMAIN]
 *
 * Asks for host1.bench, or for ever other names below DOMAIN. Prints how many were sent.
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "dns/message.h"

#define BATCH 64

static int socket_open(const char *from, const char *to)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (inet_pton(AF_INET, from, &a.sin_addr) != 1 ||
	    bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		return -1;
	a.sin_port = htons(53);
	if (inet_pton(AF_INET, to, &a.sin_addr) != 1 ||
	    connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		return -1;
	return fd;
}

static size_t query_make(uint8_t *buf, unsigned long serial, const char *domain)
{
	struct wr w = wr_init(buf, DNS_UDP_PLAIN);
	char text[300] = "host1.bench";
	struct dns_name name;

	if (domain)
		snprintf(text, sizeof(text), "x%lu.%s", serial, domain);
	if (!dns_name_parse(text, &name))
		exit(1);
	dns_query_encode(&w, (uint16_t)serial, &name, DNS_TYPE_A, false, false, false);
	return wr_len(&w);
}

int main(int argc, char **argv)
{
	static uint8_t packets[BATCH][DNS_UDP_PLAIN];
	int fd = argc >= 4 ? socket_open(argv[1], argv[2]) : -1;
	unsigned long sent = 0, serial = 0;
	time_t end;

	if (fd < 0) {
		fprintf(stderr, "usage: bench_dns_flood FROM TO SECONDS [DOMAIN]\n");
		return 1;
	}
	end = time(NULL) + atoi(argv[3]);
	while (time(NULL) < end) {
		struct mmsghdr m[BATCH] = { 0 };
		struct iovec at[BATCH];
		int n;

		for (int i = 0; i < BATCH; i++) {
			at[i] = (struct iovec){ packets[i],
						query_make(packets[i], serial++, argv[4]) };
			m[i].msg_hdr = (struct msghdr){ .msg_iov = &at[i], .msg_iovlen = 1 };
		}
		n = sendmmsg(fd, m, BATCH, 0);
		sent += n > 0 ? (unsigned)n : 0;
	}
	printf("%lu queries sent\n", sent);
	return 0;
}
