/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main.c -- netd-vmm: the machine of one guest
 *
 * Started by netd with a channel on descriptor 3. It waits for CONFIG, which brings a description
 * of the guest and descriptors for all that it may use, puts the machine together, locks itself in,
 * and waits for START. See message.h, machine.h and sandbox.h. With options (options.h) it does the
 * same with what they name, without a netd.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netd/base/log.h"
#include "netd/base/str.h"
#include "vmm/control.h"
#include "vmm/loop.h"
#include "vmm/machine.h"
#include "vmm/options.h"
#include "vmm/sandbox.h"
#include "vmm/vcpu.h"

#define FD_CHANNEL 3

/* One arena: vCPU threads rarely allocate. Large blocks are mapped, and go back when freed. */
static void memory_prepare(void)
{
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_MMAP_THRESHOLD, 64 * 1024);
	mallopt(M_TOP_PAD, 16 * 1024);
}

/* Descriptors of the guest's console shall never block the guest. */
static void nonblocking(int fd)
{
	int flags = fd >= 0 ? fcntl(fd, F_GETFL) : -1;

	if (flags >= 0)
		(void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);	/* a file: nothing to change */
}

static int lock_in(const struct vmm_config *c, uint64_t ram_bytes, int listen_fd,
		   struct nd_error *err)
{
	int r = sandbox_drop(c->uid, ram_bytes, err);

	/* After the change of uid: the kernel notes then who a connecting netd will meet. */
	if (r == 0 && listen_fd >= 0 && listen(listen_fd, 4) < 0)
		r = nd_error_sys(err, errno, "cannot listen for netd");
	return r < 0 ? r : sandbox_lock(err);
}

/* Everything from the configuration to a machine that is ready to start. */
static int machine_prepare(const struct machine_setup *setup, int listen_fd, struct machine **out,
			   struct nd_error *err)
{
	int r;

	nonblocking(setup->config->console_fd);
	nonblocking(setup->console_in_fd);
	r = machine_new(setup, out, err);
	if (r == 0 && setup->sandbox)
		r = lock_in(setup->config, setup->config->ram_bytes, listen_fd, err);
	return r < 0 ? r : machine_boot(*out, err);
}

/* -- started by netd -- */

/* 1: CONFIG came; 0: netd has no use for this process any more; negative: it cannot be read. */
static int config_wait(struct channel *channel, struct vmm_config *config, uint32_t *serial_out,
		       struct nd_error *err)
{
	struct pollfd p = { .fd = channel_fd(channel), .events = POLLIN };
	struct channel_message m;
	struct vmm_fds fds = { 0 };
	int r;

	for (;;) {
		r = channel_receive_fds(channel, &m, fds.fds, &fds.n);
		if (r == -EAGAIN)
			(void)poll(&p, 1, -1);	/* a signal only makes it look again */
		else if (r < 0 || (r == 1 && m.type == CHANNEL_QUIT))
			break;
		else if (r == 1 && m.type == VMM_CONFIG)
			break;
	}
	if (r < 0 || m.type == CHANNEL_QUIT) {
		vmm_fds_close(&fds);
		return 0;
	}
	*serial_out = m.serial;
	r = m.version == VMM_VERSION ? vmm_config_decode(&m.body, &fds, config) : -EPROTO;
	vmm_fds_close(&fds);
	return r < 0 ? nd_error_set(err, ND_ERR_INTERNAL, "netd-vmm %s cannot read what netd wrote: "
				    "restart netd after an upgrade", NETD_VERSION) : 1;
}

/* After CONFIG. The lock is held on entry. */
static int netd_serve(struct loop *loop, struct channel *channel, struct vmm_config *config,
		      uint32_t serial)
{
	ND_AUTO(control_free) struct control *control = NULL;
	ND_AUTO(machine_free) struct machine *machine = NULL;
	struct machine_setup setup = { .config = config, .loop = loop, .console_in_fd = -1,
				       .sandbox = true, .event = control_event, .filter = control_filter,
				       .over = control_over };
	struct nd_error err = { 0 };
	int r = control_new(loop, channel, config, getuid(), &control, &err);

	if (r < 0) {
		nd_log(LOG_ERR, config->name, "%s", err.text);
		return r;
	}
	setup.arg = control;
	r = machine_prepare(&setup, control_listen_fd(control), &machine, &err);
	control_answer(control, serial, r < 0 ? &err : NULL);
	if (r < 0)
		return r;
	control_machine_set(control, machine);
	loop_unlock(loop);
	loop_run(loop);
	loop_lock(loop);
	return 0;
}

static int netd_main(struct loop *loop)
{
	struct channel *channel = vmm_channel_new(FD_CHANNEL);
	struct vmm_config config;
	struct nd_error err = { 0 };
	uint32_t serial = 0;
	int r;

	if (!channel)
		return 1;
	control_hello(channel, NULL, NULL);
	r = config_wait(channel, &config, &serial, &err);
	if (r <= 0) {
		/* When not even this can be said, netd sees the end. */
		if (r < 0)
			(void)channel_send(channel, VMM_FAILED, serial, err.text, strlen(err.text),
					   NULL, 0);
		channel_free(channel);
		return r < 0;
	}
	r = netd_serve(loop, channel, &config, serial);
	vmm_config_fini(&config);
	return r < 0;
}

/* -- by itself -- */

struct direct {
	struct loop *loop;
	struct machine *machine;
	struct loop_watch signals;
	const char *name;
	bool crashed;
};

static void direct_event(void *arg, const struct vmm_event *e)
{
	static const char *const names[] = { "", "state", "powered off", "reset", "crashed",
					     "NIC removed" };
	struct direct *d = arg;

	if (e->kind != VMM_EVENT_STATE)
		nd_log(LOG_INFO, d->name, "%s%s%s", names[e->kind], e->text[0] ? ": " : "", e->text);
	d->crashed |= e->kind == VMM_EVENT_CRASHED;
}

static void direct_over(void *arg)
{
	struct direct *d = arg;

	loop_stop(d->loop);
}

static void direct_signal(struct loop_watch *w, uint32_t events)
{
	struct direct *d = loop_owner(w, struct direct, signals);
	struct signalfd_siginfo s;
	struct nd_error err;
	int r = 0;

	if (read(w->fd, &s, sizeof(s)) != sizeof(s))
		return;
	if (s.ssi_signo == SIGTERM)
		r = machine_button(d->machine, &err);
	else if (s.ssi_signo == SIGHUP)
		r = machine_reset(d->machine, &err);
	else
		loop_stop(d->loop);
	if (r < 0)
		nd_log(LOG_WARNING, d->name, "%s", err.text);
}

static int signals_take(struct direct *d)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	d->signals = (struct loop_watch){ .fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK),
					  .ready = direct_signal };
	return d->signals.fd < 0 ? -errno : loop_add(d->loop, &d->signals, EPOLLIN);
}

static int direct_run(struct loop *loop, struct options *o, struct nd_error *err)
{
	struct direct d = { .loop = loop, .name = o->config.name };
	struct machine_setup setup = { .config = &o->config, .loop = loop, .arg = &d,
				       .console_in_fd = o->console_in_fd, .event = direct_event,
				       .sandbox = o->sandbox || o->config.uid, .over = direct_over };
	int r = signals_take(&d);

	if (r < 0)
		return nd_error_sys(err, -r, "cannot watch signals");
	r = machine_prepare(&setup, -1, &d.machine, err);
	if (r == 0)
		r = machine_start(d.machine, err);
	if (r == 0) {
		loop_unlock(loop);
		loop_run(loop);
		loop_lock(loop);
	}
	machine_free(d.machine);
	return r < 0 ? r : d.crashed;
}

static int direct_main(struct loop *loop, int argc, char **argv)
{
	struct options o = { 0 };
	struct nd_error err = { 0 };
	int r = options_parse(argc, argv, &o, &err);

	nd_log_init("netd-vmm", o.debug ? LOG_DEBUG : LOG_INFO);
	if (r == 0)
		r = direct_run(loop, &o, &err);
	if (r < 0)
		fprintf(stderr, "netd-vmm: %s\n", err.text);
	vmm_config_fini(&o.config);
	return r != 0;
}

int main(int argc, char **argv)
{
	ND_AUTO(loop_free) struct loop *loop = NULL;
	bool debug = argc == 2 && nd_streq(argv[1], "--debug");
	struct nd_error err = { 0 };
	int r;

	if (argc == 2 && nd_streq(argv[1], "--help")) {
		fputs(options_help, stdout);
		return 0;
	}
	nd_log_init("netd-vmm", debug ? LOG_DEBUG : LOG_INFO);
	memory_prepare();
	/* netd may be gone while we write to what it left us. */
	signal(SIGPIPE, SIG_IGN);
	if (vcpu_kicks_prepare() < 0 || loop_new(&loop, &err) < 0)
		return 1;
	loop_lock(loop);
	if (argc > 1 && !debug)
		r = direct_main(loop, argc, argv);
	else
		r = netd_main(loop);
	loop_unlock(loop);
	return r;
}
