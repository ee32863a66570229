/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/options.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "netd/base/array.h"
#include "netd/base/str.h"

const char options_help[] =
	"netd-vmm is started by netd. For tests, it starts a guest by itself:\n"
	"  netd-vmm --kernel FILE [--initrd FILE] [--cmdline TEXT] [--memory MIB] [--cpus N]\n"
	"           [--name NAME] [--console FILE] [--no-rng]\n"
	"           [--nic tap-fd=N[,vhost-fd=N][,mac=MAC][,mtu=N][,slot=N][,standby]]...\n"
	"           [--disk FILE[,ro][,discard][,serial=TEXT][,slot=N]]...\n"
	"           [--on-poweroff ACTION] [--on-reboot ACTION] [--on-crash ACTION]\n"
	"           [--clock-offset S] [--sandbox] [--uid N] [--debug]\n"
	"ACTION is destroy, restart or (crash) preserve. Without --console the guest's console is\n"
	"stdin and stdout. SIGTERM presses the power button, SIGHUP the reset button, SIGINT ends it.\n";

static int file_open(const char *path, int flags, int *fd_out, struct nd_error *err)
{
	int fd = open(path, flags | O_CLOEXEC);

	if (fd < 0)
		return nd_error_sys(err, errno, "cannot open '%s'", path);
	if (*fd_out >= 0)
		close(*fd_out);
	*fd_out = fd;
	return 0;
}

static int number(const char *name, const char *text, uint64_t min, uint64_t max, uint64_t *out,
		  struct nd_error *err)
{
	if (!nd_parse_uint(text, 0, min, max, out))
		return nd_error_set(err, ND_ERR_INVALID_ARG, "%s: '%s' is not a number from %llu to %llu",
				    name, text, (unsigned long long)min, (unsigned long long)max);
	return 0;
}

static int action_parse(const char *name, const char *text, enum vmm_action *out,
			struct nd_error *err)
{
	static const char *const names[] = { "", "destroy", "restart", "preserve" };

	for (int i = VMM_DESTROY; i <= VMM_PRESERVE; i++) {
		if (nd_streq(text, names[i])) {
			*out = i;
			return 0;
		}
	}
	return nd_error_set(err, ND_ERR_INVALID_ARG, "%s: '%s' is no action", name, text);
}

static int text_copy(const char *name, const char *text, char *to, size_t size, struct nd_error *err)
{
	if (strlen(text) >= size)
		return nd_error_set(err, ND_ERR_INVALID_ARG, "%s: longer than %zu characters", name,
				    size - 1);
	strcpy(to, text);
	return 0;
}

/* "key=value"'s value, or NULL when it is another key. */
static const char *value_of(const char *part, const char *key)
{
	size_t n = strlen(key);

	return strncmp(part, key, n) == 0 && part[n] == '=' ? part + n + 1 : NULL;
}

static int nic_part(struct vmm_nic *n, unsigned *n_vhost, const char *part, struct nd_error *err)
{
	const char *v;
	uint64_t u;
	int r;

	if (nd_streq(part, "standby")) {
		n->features |= VMM_STANDBY;
		r = 0;
	} else if ((v = value_of(part, "tap-fd"))) {
		r = number("tap-fd", v, 0, INT32_MAX, &u, err);
		if (r == 0 && n->n_queue_pairs == VMM_QUEUE_PAIRS_MAX)
			r = nd_error_set(err, ND_ERR_INVALID_ARG, "--nic: too many queues");
		if (r == 0)
			n->tap_fds[n->n_queue_pairs++] = (int)u;
	} else if ((v = value_of(part, "vhost-fd"))) {
		r = number("vhost-fd", v, 0, INT32_MAX, &u, err);
		if (r == 0 && *n_vhost == VMM_QUEUE_PAIRS_MAX)
			r = nd_error_set(err, ND_ERR_INVALID_ARG, "--nic: too many queues");
		if (r == 0)
			n->vhost_fds[(*n_vhost)++] = (int)u;
	} else if ((v = value_of(part, "mac"))) {
		r = nd_mac_parse(v, &n->mac) ? 0 :
			nd_error_set(err, ND_ERR_INVALID_MAC, "--nic: '%s' is no MAC address", v);
	} else if ((v = value_of(part, "mtu"))) {
		r = number("mtu", v, 68, 65535, &u, err);
		n->mtu_bytes = r == 0 ? (uint16_t)u : 0;
	} else if ((v = value_of(part, "slot"))) {
		r = number("slot", v, 1, 31, &u, err);
		n->slot = r == 0 ? (uint8_t)u : 0;
	} else {
		r = nd_error_set(err, ND_ERR_INVALID_ARG, "--nic: cannot understand '%s'", part);
	}
	return r;
}

static int nic_parse(struct vmm_config *c, char *text, struct nd_error *err)
{
	struct vmm_nic *n = nd_array_add(c->nics, c->n_nics);
	unsigned n_vhost = 0;
	int r = n ? 0 : nd_error_nomem(err);

	if (r < 0)
		return r;
	vmm_nic_init(n);
	n->n_queue_pairs = 0;
	snprintf(n->id, sizeof(n->id), "net%zu", c->n_nics - 1);
	(void)nd_mac_random(&n->mac);	/* or the one that is named */
	for (char *save = NULL, *part = strtok_r(text, ",", &save); r == 0 && part;
	     part = strtok_r(NULL, ",", &save))
		r = nic_part(n, &n_vhost, part, err);
	return r;
}

static int disk_part(struct vmm_disk *d, const char *part, struct nd_error *err)
{
	const char *v;
	uint64_t u;
	int r = 0;

	if (nd_streq(part, "ro")) {
		d->read_only = true;
	} else if (nd_streq(part, "discard")) {
		d->discard = true;
	} else if ((v = value_of(part, "serial"))) {
		r = text_copy("--disk serial", v, d->serial, sizeof(d->serial), err);
	} else if ((v = value_of(part, "slot"))) {
		r = number("slot", v, 1, 31, &u, err);
		d->slot = r == 0 ? (uint8_t)u : 0;
	} else {
		r = nd_error_set(err, ND_ERR_INVALID_ARG, "--disk: cannot understand '%s'", part);
	}
	return r;
}

static int disk_size(struct vmm_disk *d, const char *path, struct nd_error *err)
{
	struct stat st;

	if (fstat(d->fd, &st) < 0)
		return nd_error_sys(err, errno, "cannot look at '%s'", path);
	d->size_bytes = (uint64_t)st.st_size;
	if (S_ISBLK(st.st_mode) && ioctl(d->fd, BLKGETSIZE64, &d->size_bytes) < 0)
		return nd_error_sys(err, errno, "cannot tell the size of '%s'", path);
	return 0;
}

static int disk_parse(struct vmm_config *c, char *text, struct nd_error *err)
{
	struct vmm_disk *d = nd_array_add(c->disks, c->n_disks);
	char *save = NULL, *path = strtok_r(text, ",", &save);
	int r = d ? 0 : nd_error_nomem(err);

	if (r < 0)
		return r;
	vmm_disk_init(d);
	snprintf(d->id, sizeof(d->id), "disk%zu", c->n_disks - 1);
	for (char *part = strtok_r(NULL, ",", &save); r == 0 && part; part = strtok_r(NULL, ",", &save))
		r = disk_part(d, part, err);
	if (r == 0)
		r = file_open(path ? path : "", d->read_only ? O_RDONLY : O_RDWR, &d->fd, err);
	return r < 0 ? r : disk_size(d, path, err);
}

static int memory_parse(const char *text, struct vmm_config *c, struct nd_error *err)
{
	uint64_t mib;
	int r = number("--memory", text, 1, 1 << 20, &mib, err);

	if (r == 0)
		c->ram_bytes = mib << 20;
	return r;
}

static int option(struct options *o, const char *name, char *value, struct nd_error *err)
{
	struct vmm_config *c = &o->config;
	uint64_t u = 0;
	int r;

	if (nd_streq(name, "--kernel"))
		return file_open(value, O_RDONLY, &c->kernel_fd, err);
	if (nd_streq(name, "--initrd"))
		return file_open(value, O_RDONLY, &c->initrd_fd, err);
	if (nd_streq(name, "--console")) {
		o->console_in_fd = -1;
		return file_open(value, O_RDWR | O_CREAT | O_TRUNC | O_NONBLOCK | O_NOCTTY, &c->console_fd, err);
	}
	if (nd_streq(name, "--cmdline"))
		return text_copy(name, value, c->cmdline, sizeof(c->cmdline), err);
	if (nd_streq(name, "--name"))
		return text_copy(name, value, c->name, sizeof(c->name), err);
	if (nd_streq(name, "--memory"))
		return memory_parse(value, c, err);
	if (nd_streq(name, "--nic"))
		return nic_parse(c, value, err);
	if (nd_streq(name, "--disk"))
		return disk_parse(c, value, err);
	if (nd_streq(name, "--on-poweroff"))
		return action_parse(name, value, &c->on_poweroff, err);
	if (nd_streq(name, "--on-reboot"))
		return action_parse(name, value, &c->on_reboot, err);
	if (nd_streq(name, "--on-crash"))
		return action_parse(name, value, &c->on_crash, err);
	if (nd_streq(name, "--cpus")) {
		r = number(name, value, 1, VMM_CPUS_MAX, &u, err);
		c->n_cpus = (uint8_t)u;
		return r;
	}
	if (nd_streq(name, "--uid")) {
		r = number(name, value, 1, UINT32_MAX - 1, &u, err);
		c->uid = (uint32_t)u;
		return r;
	}
	if (nd_streq(name, "--clock-offset")) {
		c->clock_offset_s = strtoll(value, NULL, 10);
		return 0;
	}
	return nd_error_set(err, ND_ERR_INVALID_ARG, "unknown option '%s'", name);
}

static bool flag(struct options *o, const char *name)
{
	if (nd_streq(name, "--sandbox"))
		o->sandbox = true;
	else if (nd_streq(name, "--debug"))
		o->debug = true;
	else if (nd_streq(name, "--no-rng"))
		o->config.rng = false;
	else
		return false;
	return true;
}

static int defaults_set(struct options *o, struct nd_error *err)
{
	struct vmm_config *c = &o->config;

	vmm_config_init(c);
	o->console_in_fd = STDIN_FILENO;
	c->ram_bytes = 256ull << 20;
	strcpy(c->name, "guest");
	c->console_fd = dup(STDOUT_FILENO);
	if (nd_uuid_random(&c->uuid) < 0)
		return nd_error_sys(err, errno, "no random numbers");
	return file_open("/dev/kvm", O_RDWR, &c->kvm_fd, err);
}

int options_parse(int argc, char **argv, struct options *o, struct nd_error *err)
{
	int r = defaults_set(o, err);

	for (int i = 1; r == 0 && i < argc; i++) {
		if (flag(o, argv[i]))
			continue;
		if (i + 1 == argc)
			return nd_error_set(err, ND_ERR_INVALID_ARG, "option '%s' needs a value", argv[i]);
		r = option(o, argv[i], argv[i + 1], err);
		i++;
	}
	return r < 0 ? r : vmm_config_check(&o->config, err);
}
