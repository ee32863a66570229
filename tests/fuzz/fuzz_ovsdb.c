/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What Open vSwitch's database answers: whatever it is, a call ends, and says why it failed. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "datapath/ovsdb.h"

#define MUST(condition) do { if (!(condition)) abort(); } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct sockaddr_un place = { .sun_family = AF_UNIX };
static int listener = -1;

struct answers {
	const uint8_t *data;
	size_t size;
};

/* A socket whose name is gone again, so that nothing is left of it however this ends: it is reached by descriptor. */
static void listen_once(void)
{
	int named;

	if (listener >= 0)
		return;
	snprintf(place.sun_path, sizeof(place.sun_path), "/tmp/netd-fuzz-ovsdb.%d", (int)getpid());
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	MUST(listener >= 0 && bind(listener, (struct sockaddr *)&place, sizeof(place)) == 0 &&
	     listen(listener, 1) == 0);
	named = open(place.sun_path, O_PATH | O_CLOEXEC);
	MUST(named >= 0 && unlink(place.sun_path) == 0);
	snprintf(place.sun_path, sizeof(place.sun_path), "/proc/self/fd/%d", named);
}

/* The database: says all at once, whatever it is asked, and hears the questions to their end. */
static void *answer(void *arg)
{
	const struct answers *a = arg;
	int fd = accept(listener, NULL, NULL);
	char question[4096];

	for (size_t sent = 0; sent < a->size;) {
		ssize_t n = send(fd, a->data + sent, a->size - sent, MSG_NOSIGNAL);

		if (n <= 0)
			break;
		sent += (size_t)n;
	}
	shutdown(fd, SHUT_WR);
	while (recv(fd, question, sizeof(question), 0) > 0)
		;
	close(fd);
	return NULL;
}

static bool keep(void *arg, const char *ifname)
{
	MUST(strlen(ifname) <= *(size_t *)arg);
	return ifname[0] == 'k';
}

static void add(void)
{
	struct nd_error err = { 0 };
	uint16_t trunks[] = { 10, 20 };
	struct ovs_port port = { .bridge = "br", .ifname = "vnet0", .mac = { { 2, 0, 0, 0, 0, 1 } },
				 .profile = "p", .tag = 10, .trunks = trunks, .n_trunks = 2 };
	int r = ovsdb_port_add(place.sun_path, &port, &err);

	MUST(r == 0 || err.text[0]);
}

static void remove_all(size_t size)
{
	struct nd_error err = { 0 };
	struct nd_uuid vm = { { 1 } };
	int r = ovsdb_ports_remove(place.sun_path, &vm, keep, &size, &err);

	MUST(r == 0 || err.text[0]);
}

/* The first byte: what is asked. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct answers a = { data + 1, size - 1 };
	pthread_t server;

	if (!size)
		return 0;
	listen_once();
	MUST(pthread_create(&server, NULL, answer, &a) == 0);
	if (data[0] % 2)
		add();
	else
		remove_all(a.size);
	pthread_join(server, NULL);
	return 0;
}
