/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/serve/fds.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

static int move(int fd, int to)
{
	if (dup3(fd, to, O_CLOEXEC) < 0)
		return -errno;
	close(fd);
	return 0;
}

int fds_reserve(void)
{
	int epoll, null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0)
		return -errno;
	for (int fd = FD_PACKET; fd < FD_FREE; fd++)
		if (fd != null && dup3(null, fd, O_CLOEXEC) < 0)
			return -errno;
	if (null >= FD_FREE)
		close(null);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	return epoll < 0 ? -errno : move(epoll, FD_EPOLL);
}

int fds_place(int listen_fd, int packet_fd)
{
	int r = move(listen_fd, FD_LISTEN);

	return r == 0 && packet_fd >= 0 ? move(packet_fd, FD_PACKET) : r;
}
