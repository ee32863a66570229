/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netd/base/log.h"

#define QUEUE_BYTES (256u * 1024)	/* of events that a silent netd does not read */

struct control {
	struct loop *loop;
	struct channel *channel;	/* NULL: no netd is there */
	struct loop_watch watch, listener;
	uid_t netd_uid;
	struct machine *machine;
	char name[VMM_NAME_MAX];
	struct nd_uuid uuid;
	struct vmm_fds fds;		/* of the message that is coming in */
	int statm_fd;			/* /proc/self/statm, opened while that can be done */
};

static void channel_drop(struct control *c)
{
	if (!c->channel)
		return;
	loop_remove(c->loop, &c->watch);
	channel_free(nd_take_ptr(&c->channel));
	vmm_fds_close(&c->fds);
	nd_log(LOG_INFO, c->name, "netd is gone");
	if (c->listener.fd < 0)
		loop_stop(c->loop);
}

static void waiting_update(struct control *c)
{
	uint32_t out = channel_waiting(c->channel) ? EPOLLOUT : 0;

	(void)loop_change(c->loop, &c->watch, EPOLLIN | out);
}

/* A netd that does not read is dropped rather than waited for: it can connect again. */
static void tell(struct control *c, uint16_t type, uint32_t serial, const void *body, size_t len)
{
	if (!c->channel)
		return;
	if (channel_send(c->channel, type, serial, body, len, NULL, 0) < 0)
		channel_drop(c);
	else
		waiting_update(c);
}

void control_hello(struct channel *channel, const struct nd_uuid *uuid, struct machine *m)
{
	struct vmm_hello hello = { .build = NETD_VERSION, .state = VMM_STATE_EMPTY };
	uint8_t body[4096];
	struct wr w = wr_init(body, sizeof(body));

	if (uuid)
		hello.uuid = *uuid;
	if (m) {
		hello.state = machine_state(m);
		hello.n_nics = devices_nics(machine_devices(m), hello.nics, VMM_NICS_MAX);
	}
	vmm_hello_encode(&hello, &w);
	/* When this fails, the next call on the channel tells. */
	(void)channel_send(channel, CHANNEL_HELLO, 0, body, wr_len(&w), NULL, 0);
}

void control_event(void *arg, const struct vmm_event *e)
{
	struct control *c = arg;
	uint8_t body[512];
	struct wr w = wr_init(body, sizeof(body));

	vmm_event_encode(e, &w);
	tell(c, VMM_EVENT, 0, body, wr_len(&w));
}

void control_filter(void *arg, const char *id)
{
	struct control *c = arg;
	struct vmm_nic_filter f;
	uint8_t body[256];
	struct wr w = wr_init(body, sizeof(body));

	if (!c->channel || !c->machine || !devices_nic_filter(machine_devices(c->machine), id, &f))
		return;
	vmm_nic_filter_encode(&f, &w);
	tell(c, VMM_NIC_FILTER, 0, body, wr_len(&w));
}

void control_answer(struct control *c, uint32_t serial, const struct nd_error *err)
{
	tell(c, err ? VMM_FAILED : VMM_DONE, serial, err ? err->text : NULL,
	     err ? strlen(err->text) : 0);
}

/* The second number of statm is the pages that are there, the guest's among them. */
static size_t rss_count(const struct control *c, struct vmm_counter *list, size_t n)
{
	unsigned long long all, resident;
	char text[128];
	ssize_t len = pread(c->statm_fd, text, sizeof(text) - 1, 0);

	if (len <= 0)
		return n;
	text[len] = '\0';
	if (sscanf(text, "%llu %llu", &all, &resident) != 2)
		return n;
	snprintf(list[n].name, sizeof(list[n].name), "rss.bytes");
	list[n++].value = resident * 4096;
	return n;
}

static void stats_answer(struct control *c, uint32_t serial)
{
	const size_t size = 4 + VMM_COUNTERS_MAX * (2 + 96 + 8);
	ND_AUTO(free) struct vmm_counter *list = calloc(VMM_COUNTERS_MAX, sizeof(*list));
	ND_AUTO(free) uint8_t *body = malloc(size);
	struct wr w = wr_init(body, size);
	struct nd_error err;
	size_t n;

	if (!list || !body) {
		nd_error_nomem(&err);
		control_answer(c, serial, &err);
		return;
	}
	n = rss_count(c, list, 0);
	n = machine_counters(c->machine, list, n, VMM_COUNTERS_MAX);
	vmm_counters_encode(list, n, &w);
	tell(c, VMM_STATS, serial, body, wr_len(&w));
}

static int garbled(struct nd_error *err)
{
	return nd_error_set(err, ND_ERR_INTERNAL, "netd-vmm %s cannot read what netd wrote",
			    NETD_VERSION);
}

static int nic_add(struct control *c, struct rd *body, struct nd_error *err)
{
	struct vmm_nic nic;
	int r;

	if (vmm_nic_decode(body, &c->fds, &nic) < 0)
		return garbled(err);
	r = devices_nic_add(machine_devices(c->machine), &nic, err);
	if (r < 0)
		vmm_nic_fini(&nic);
	return r;
}

static int nic_request(struct control *c, uint16_t type, struct rd *body, struct nd_error *err)
{
	struct devices *d = machine_devices(c->machine);
	struct vmm_nic_request q;

	if (vmm_nic_request_decode(body, &q) < 0)
		return garbled(err);
	switch (type) {
	case VMM_NIC_REMOVE:
		return devices_nic_remove(d, q.id, err);
	case VMM_NIC_LINK:
		return devices_nic_link(d, q.id, q.value != 0, err);
	case VMM_NIC_MTU:
		return devices_nic_mtu(d, q.id, q.value, err);
	case VMM_NIC_FILTER_SEEN:
		return devices_nic_filter_seen(d, q.id, err);
	default:
		return devices_nic_announce(d, q.id, err);
	}
}

static int request(struct control *c, uint16_t type, struct rd *body, struct nd_error *err)
{
	switch (type) {
	case VMM_START:
		return machine_start(c->machine, err);
	case VMM_PAUSE:
		return machine_pause(c->machine, err);
	case VMM_RESUME:
		return machine_resume(c->machine, err);
	case VMM_SHUTDOWN:
		return machine_button(c->machine, err);
	case VMM_RESET:
		return machine_reset(c->machine, err);
	case VMM_NIC_ADD:
		return nic_add(c, body, err);
	case VMM_NIC_REMOVE:
	case VMM_NIC_LINK:
	case VMM_NIC_MTU:
	case VMM_NIC_ANNOUNCE:
	case VMM_NIC_FILTER_SEEN:
		return nic_request(c, type, body, err);
	default:
		return nd_error_set(err, ND_ERR_NO_SUPPORT, "netd-vmm %s does not know message %u",
				    NETD_VERSION, type);
	}
}

static void message_handle(struct control *c, struct channel_message *m)
{
	struct nd_error err = { 0 };
	int r;

	if (m->type == CHANNEL_QUIT) {
		loop_stop(c->loop);
		return;
	}
	if (m->version == VMM_VERSION && m->type == VMM_STATS_GET) {
		stats_answer(c, m->serial);
		return;
	}
	r = m->version == VMM_VERSION ? request(c, m->type, &m->body, &err) : garbled(&err);
	vmm_fds_close(&c->fds);
	control_answer(c, m->serial, r < 0 ? &err : NULL);
}

static void channel_ready(struct loop_watch *w, uint32_t events)
{
	struct control *c = loop_owner(w, struct control, watch);
	struct channel_message m;
	int r;

	if (channel_flush(c->channel) < 0) {
		channel_drop(c);
		return;
	}
	/* One message a turn: the guest's devices are served between two. */
	r = channel_receive_fds(c->channel, &m, c->fds.fds, &c->fds.n);
	if (r < 0 && r != -EAGAIN) {
		channel_drop(c);
		return;
	}
	if (r == 1)
		message_handle(c, &m);
	if (c->channel)
		waiting_update(c);
}

static int channel_set(struct control *c, struct channel *channel)
{
	c->channel = channel;
	channel_set_queue_max(channel, QUEUE_BYTES);
	c->watch = (struct loop_watch){ .fd = channel_fd(channel), .ready = channel_ready };
	return loop_add(c->loop, &c->watch, EPOLLIN);
}

/* Only netd may give orders: root, or whoever started this process. */
static bool may_connect(const struct control *c, int fd)
{
	struct ucred who;
	socklen_t len = sizeof(who);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 && who.uid == c->netd_uid;
}

static void listener_ready(struct loop_watch *w, uint32_t events)
{
	struct control *c = loop_owner(w, struct control, listener);
	ND_AUTO(close) int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct channel *channel;

	if (fd < 0 || !may_connect(c, fd))
		return;
	channel = vmm_channel_new(fd);
	if (!channel)
		return;
	(void)nd_take_fd(&fd);
	channel_drop(c);
	nd_log(LOG_INFO, c->name, "a netd is here");
	control_hello(channel, &c->uuid, c->machine);
	if (channel_set(c, channel) < 0)
		channel_drop(c);
	else if (c->machine)
		devices_filters_again(machine_devices(c->machine));
}

int control_new(struct loop *l, struct channel *channel, struct vmm_config *config, uid_t netd_uid,
		struct control **out, struct nd_error *err)
{
	ND_AUTO(control_free) struct control *c = calloc(1, sizeof(*c));
	int r;

	if (!c) {
		channel_free(channel);
		return nd_error_nomem(err);
	}
	c->loop = l;
	c->netd_uid = netd_uid;
	c->uuid = config->uuid;
	snprintf(c->name, sizeof(c->name), "%s", config->name);
	c->listener = (struct loop_watch){ .fd = nd_take_fd(&config->listen_fd),
					   .ready = listener_ready };
	c->statm_fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	r = channel_set(c, channel);
	if (r == 0 && c->listener.fd >= 0)
		r = loop_add(l, &c->listener, EPOLLIN);
	if (r < 0)
		return nd_error_sys(err, -r, "cannot watch the channel");
	*out = nd_take_ptr(&c);
	return 0;
}

void control_free(struct control *c)
{
	if (!c)
		return;
	if (c->channel) {
		loop_remove(c->loop, &c->watch);
		channel_free(c->channel);
	}
	loop_remove(c->loop, &c->listener);
	if (c->listener.fd >= 0)
		close(c->listener.fd);
	if (c->statm_fd >= 0)
		close(c->statm_fd);
	vmm_fds_close(&c->fds);
	free(c);
}

void control_machine_set(struct control *c, struct machine *m)
{
	c->machine = m;
}

int control_listen_fd(const struct control *c)
{
	return c->listener.fd;
}

/* What was said last still goes out, as far as it fits the socket. */
void control_over(void *arg)
{
	struct control *c = arg;

	loop_stop(c->loop);
}
