/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/libvirt_dnsmasq.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "netd/base/array.h"
#include "netd/base/effect.h"
#include "netd/base/str.h"
#include "netd/daemon/file.h"

#define CMDLINE_MAX 65536

struct dnsmasq {
	int pidfd;
	char network[NAME_MAX + 1];
};

struct libvirt_dnsmasqs {
	struct dnsmasq *items;
	size_t n;
};

void libvirt_dnsmasqs_free(struct libvirt_dnsmasqs *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < l->n; i++)
		close(l->items[i].pidfd);
	free(l->items);
	free(l);
}

static inline void nd_auto_closedir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

/* The program's file, where the kernel tells (another user's needs SYS_PTRACE), else its name. */
static bool is_dnsmasq(int proc_fd)
{
	char target[PATH_MAX];
	ssize_t len = readlinkat(proc_fd, "exe", target, sizeof(target) - 1);
	ND_AUTO(free) char *comm = NULL;

	if (len > 0) {
		const char *base;

		target[len] = '\0';
		base = strrchr(target, '/');
		/* " (deleted)" follows after an upgrade */
		return base && strncmp(base, "/dnsmasq", 8) == 0 && (!base[8] || base[8] == ' ');
	}
	return file_read(proc_fd, "comm", 64, &comm, NULL) == 0 && nd_streq(comm, "dnsmasq\n");
}

/* NAME from .../NAME.conf in the folder (which may be named by way of a link); false: another. */
static bool network_of(const char *conf, const char *dir, char out[NAME_MAX + 1])
{
	const char *base = strrchr(conf, '/');
	size_t len = base ? strlen(base + 1) : 0;
	char where[PATH_MAX], real[PATH_MAX];

	if (len <= strlen(".conf") || len > NAME_MAX || (size_t)(base - conf) >= sizeof(where) ||
	    !nd_streq(base + 1 + len - strlen(".conf"), ".conf"))
		return false;
	memcpy(where, conf, (size_t)(base - conf));
	where[base - conf] = '\0';
	if (!nd_streq(where, dir) && (!realpath(dir, real) || !nd_streq(where, real)))
		return false;
	len -= strlen(".conf");
	memcpy(out, base + 1, len);
	out[len] = '\0';
	return true;
}

static bool runs_network(int proc_fd, const char *dir, char out[NAME_MAX + 1])
{
	static const char option[] = "--conf-file=";
	ND_AUTO(free) char *line = NULL;
	size_t len;

	if (file_read(proc_fd, "cmdline", CMDLINE_MAX, &line, &len) < 0)
		return false;
	for (const char *word = line; word < line + len; word += strlen(word) + 1)
		if (strncmp(word, option, strlen(option)) == 0)
			return network_of(word + strlen(option), dir, out);
	return false;
}

/* The descriptor first: should the number go to another process while its command line is read,
 * that one is safe. */
static int look_at(struct libvirt_dnsmasqs *l, const char *pid, const char *dir)
{
	char path[32], network[NAME_MAX + 1];
	ND_AUTO(close) int pidfd = (int)syscall(SYS_pidfd_open, atoi(pid), 0);
	ND_AUTO(close) int proc_fd = -1;
	struct dnsmasq *mine;

	snprintf(path, sizeof(path), "/proc/%.16s", pid);
	proc_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (pidfd < 0 || proc_fd < 0 || !is_dnsmasq(proc_fd) || !runs_network(proc_fd, dir, network))
		return 0;
	mine = nd_array_add(l->items, l->n);
	if (!mine)
		return -ENOMEM;
	mine->pidfd = nd_take_fd(&pidfd);
	strcpy(mine->network, network);
	return 0;
}

int libvirt_dnsmasqs_find(const char *conf_dir, struct libvirt_dnsmasqs **out,
			  struct nd_error *err)
{
	ND_AUTO(libvirt_dnsmasqs_free) struct libvirt_dnsmasqs *l = calloc(1, sizeof(*l));
	ND_AUTO(closedir) DIR *proc = opendir("/proc");
	struct dirent *entry;
	int r = 0;

	if (!l)
		return nd_error_nomem(err);
	if (!proc)
		return nd_error_sys(err, errno, "cannot look for libvirt's dnsmasq in /proc");
	while (r == 0 && (entry = readdir(proc)))
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
			r = look_at(l, entry->d_name, conf_dir);
	if (r < 0)
		return nd_error_nomem(err);
	*out = nd_take_ptr(&l);
	return 0;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool ended(int pidfd, int64_t until_ms)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	int64_t left;

	do {
		left = until_ms - now_ms();
		if (poll(&p, 1, left > 0 ? (int)left : 0) == 1)
			return true;
	} while (left > 0);
	return false;
}

int libvirt_dnsmasqs_end(const struct libvirt_dnsmasqs *l, const char *network, int timeout_ms,
			 struct nd_error *err)
{
	int64_t until_ms = now_ms() + timeout_ms;
	int r = nd_effect(ND_EFFECT_PROCESS, "end libvirt's dnsmasq"), n = 0;

	if (r < 0)
		return nd_error_sys(err, -r, "cannot end libvirt's dnsmasq");
	for (size_t i = 0; i < l->n; i++)
		if (nd_streq(l->items[i].network, network) &&
		    syscall(SYS_pidfd_send_signal, l->items[i].pidfd, SIGTERM, NULL, 0) < 0 &&
		    errno != ESRCH)
			return nd_error_sys(err, errno, "cannot end libvirt's dnsmasq");
	for (size_t i = 0; i < l->n; i++) {
		if (!nd_streq(l->items[i].network, network))
			continue;
		n++;
		if (!ended(l->items[i].pidfd, until_ms))
			return nd_error_sys(err, ETIMEDOUT, "libvirt's dnsmasq does not end");
	}
	return n;
}
