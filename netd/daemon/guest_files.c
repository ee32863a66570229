/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/guest_files.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "netd/base/effect.h"
#include "netd/base/log.h"
#include "netd/base/str.h"

#define SECTOR 512u

/* O_NONBLOCK: a FIFO would wait for its other end. */
static int open_file(const char *what, const char *path, int flags, struct stat *st, int *fd_out,
		     struct nd_error *err)
{
	ND_AUTO(close) int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return nd_error_sys(err, errno, "cannot open the %s '%s'", what, path);
	if (fstat(fd, st) < 0)
		return nd_error_sys(err, errno, "cannot look at the %s '%s'", what, path);
	*fd_out = nd_take_fd(&fd);
	return 0;
}

static int open_image(const char *what, const char *path, int *fd_out, struct nd_error *err)
{
	struct stat st;
	int r = open_file(what, path, O_RDONLY, &st, fd_out, err);

	if (r == 0 && !S_ISREG(st.st_mode))
		r = nd_error_set(err, ND_ERR_OPERATION_FAILED, "the %s '%s' is not a file", what, path);
	return r;
}

static int disk_size(int fd, const struct stat *st, const char *path, uint64_t *out,
		     struct nd_error *err)
{
	uint64_t size = (uint64_t)st->st_size;

	if (S_ISBLK(st->st_mode) && ioctl(fd, BLKGETSIZE64, &size) < 0)
		return nd_error_sys(err, errno, "cannot tell the size of '%s'", path);
	if (size == 0 || size % SECTOR)
		return nd_error_set(err, ND_ERR_OPERATION_FAILED,
				    "the disk '%s' has %llu bytes, not a multiple of %u", path,
				    (unsigned long long)size, SECTOR);
	*out = size;
	return 0;
}

/* Two guests that write to one image destroy it. The lock belongs to the open file: it goes with
 * the last descriptor, which the guest's process has. */
static int lock_disk(int fd, bool read_only, const char *path, struct nd_error *err)
{
	struct flock lock = { .l_type = read_only ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET };

	if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
		return 0;
	if (errno == EAGAIN || errno == EACCES)
		return nd_error_set(err, ND_ERR_RESOURCE_BUSY, "the disk '%s' is in use by another guest",
				    path);
	return nd_error_sys(err, errno, "cannot lock the disk '%s'", path);
}

static int open_disk(const struct dom_disk *d, struct vmm_disk *out, struct nd_error *err)
{
	const char *path = dom_disk_source(d);
	bool block = d->type == DOM_DISK_BLOCK;
	struct stat st;
	int r;

	snprintf(out->id, sizeof(out->id), "%s", d->info.alias);
	snprintf(out->serial, sizeof(out->serial), "%s", d->serial ? d->serial : "");
	out->slot = d->info.at.slot;
	out->read_only = d->read_only;
	out->discard = d->discard == DOM_DISCARD_UNMAP;
	r = open_file("disk", path, d->read_only ? O_RDONLY : O_RDWR, &st, &out->fd, err);
	if (r == 0 && (block ? !S_ISBLK(st.st_mode) : !S_ISREG(st.st_mode)))
		r = nd_error_set(err, ND_ERR_OPERATION_FAILED, "the disk '%s' is not a %s", path,
				 block ? "block device" : "file");
	if (r == 0)
		r = disk_size(out->fd, &st, path, &out->size_bytes, err);
	return r < 0 ? r : lock_disk(out->fd, d->read_only, path, err);
}

static int open_disks(const struct dom_def *def, struct vmm_config *c, struct nd_error *err)
{
	c->disks = calloc(def->n_disks + 1, sizeof(*c->disks));
	if (!c->disks)
		return nd_error_nomem(err);
	for (size_t i = 0; i < def->n_disks; i++) {
		int r;

		vmm_disk_init(&c->disks[i]);
		c->n_disks++;
		r = open_disk(&def->disks[i], &c->disks[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Raw on both ends: the guest's terminal is the client's. */
static int open_terminal(int *fd_out, char path_out[64], struct nd_error *err)
{
	char path[64];
	ND_AUTO(close) int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	ND_AUTO(close) int other = -1;
	struct termios raw;

	if (fd < 0 || grantpt(fd) < 0 || unlockpt(fd) < 0 || ptsname_r(fd, path, sizeof(path)) != 0)
		return nd_error_sys(err, errno, "cannot make a terminal");
	other = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (other < 0 || tcgetattr(other, &raw) < 0)
		return nd_error_sys(err, errno, "cannot open the terminal '%s'", path);
	cfmakeraw(&raw);
	if (tcsetattr(other, TCSANOW, &raw) < 0)
		return nd_error_sys(err, errno, "cannot set up the terminal '%s'", path);
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return nd_error_sys(err, errno, "cannot set up the terminal '%s'", path);
	memcpy(path_out, path, sizeof(path));
	*fd_out = nd_take_fd(&fd);
	return 0;
}

int guest_files_open(const struct dom_def *def, const struct paths *paths, struct vmm_config *c,
		     char tty_out[64], struct nd_error *err)
{
	int r = nd_effect(ND_EFFECT_FILE, "open a guest's files");

	tty_out[0] = '\0';
	if (r < 0)
		return nd_error_sys(err, -r, "cannot open the guest's files");
	c->kvm_fd = open(paths->kvm, O_RDWR | O_CLOEXEC);
	if (c->kvm_fd < 0)
		return nd_error_sys(err, errno, "guests need KVM: cannot open %s", paths->kvm);
	r = open_image("kernel", def->kernel, &c->kernel_fd, err);
	if (r == 0 && def->initrd)
		r = open_image("initrd", def->initrd, &c->initrd_fd, err);
	if (r == 0)
		r = open_disks(def, c, err);
	if (r == 0 && def->n_serials)
		r = open_terminal(&c->console_fd, tty_out, err);
	return r;
}

bool guest_files_vhost(const struct dom_nic *nic, const char *guest, struct vmm_nic *out)
{
	const char *device = nic->backend_vhost ? nic->backend_vhost : "/dev/vhost-net";

	for (size_t i = 0; i < out->n_queue_pairs; i++) {
		int code;

		out->vhost_fds[i] = open(device, O_RDWR | O_CLOEXEC);
		if (out->vhost_fds[i] >= 0)
			continue;
		code = errno;
		while (i > 0) {
			close(out->vhost_fds[--i]);
			out->vhost_fds[i] = -1;
		}
		if (nic->driver == DOM_DRIVER_VHOST || nic->backend_vhost)
			nd_log(LOG_WARNING, guest, "its interface %s does without vhost-net: "
			       "cannot open %s: %s", out->id, device, strerror(code));
		return false;
	}
	return true;
}
