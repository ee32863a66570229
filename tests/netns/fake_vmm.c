/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A netd-vmm without a guest: it speaks the channel's protocol, keeps what it is given open, and does
 * what words in the kernel's command line say. For tests of netd on machines without KVM.
 *
 *	fail=config fail=start fail=nic	the request is refused
 *	die=config die=start		it dies instead of answering
 *	stubborn			the power button is not heard
 *	keep-nics			the guest does not let go of a NIC
 *	crash				the guest crashes a moment after it has started
 *
 * On the console it says "booted N" at each start, and echoes what is typed in upper case; "off" and a
 * return powers it off, "crash" crashes it, "reset" resets it. Its NICs are listed by "nics"; "filter ID
 * MAC 0|1" wants to receive other frames, and says "filter seen" when netd has followed.
 */
#include <ctype.h>
#include <errno.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netd/base/auto.h"
#include "vmm/message.h"

static struct channel *channel;
static struct vmm_config config = { .console_fd = -1, .listen_fd = -1 };
static enum vmm_state state = VMM_STATE_EMPTY;
static char line[256];
static size_t line_len;

static bool told(const char *word)
{
	return strstr(config.cmdline, word) != NULL;
}

static void send_message(uint16_t type, uint32_t serial, const struct wr *w)
{
	if (channel)
		(void)channel_send(channel, type, serial, w ? w->start : NULL, w ? wr_len(w) : 0, NULL, 0);
}

static void say_hello(void)
{
	struct vmm_hello h = { .build = "fake", .uuid = config.uuid, .state = state };
	uint8_t room[8192];
	struct wr w = wr_init(room, sizeof(room));

	for (size_t i = 0; i < config.n_nics; i++)
		snprintf(h.nics[h.n_nics++], VMM_ID_MAX, "%s", config.nics[i].id);
	vmm_hello_encode(&h, &w);
	send_message(CHANNEL_HELLO, 0, &w);
}

static void event(enum vmm_event_kind kind, uint32_t detail, const char *text)
{
	struct vmm_event e = { .kind = kind, .detail = detail };
	uint8_t room[512];
	struct wr w = wr_init(room, sizeof(room));

	snprintf(e.text, sizeof(e.text), "%s", text);
	vmm_event_encode(&e, &w);
	send_message(VMM_EVENT, 0, &w);
}

static void failed(uint32_t serial, const char *sentence)
{
	uint8_t room[512];
	struct wr w = wr_init(room, sizeof(room));

	wr_bytes(&w, sentence, strlen(sentence));
	send_message(VMM_FAILED, serial, &w);
}

static void print(const char *text)
{
	if (config.console_fd >= 0 && write(config.console_fd, text, strlen(text)) < 0)
		return;		/* nobody listens */
}

static void set_state(enum vmm_state to)
{
	state = to;
	event(VMM_EVENT_STATE, to, "");
}

static void die(const char *how)
{
	if (channel)
		channel_flush(channel);
	fprintf(stderr, "fake_vmm: ends: %s\n", how);
	exit(3);
}

static void boot(void)
{
	static unsigned n;
	char text[32];

	snprintf(text, sizeof(text), "booted %u\r\n", ++n);
	print(text);
	set_state(VMM_STATE_RUNNING);
}

static void crash(void)
{
	event(VMM_EVENT_CRASHED, config.on_crash, "triple fault");
	if (config.on_crash == VMM_RESTART)
		boot();
	else
		die("crashed");
}

static void power_off(void)
{
	event(VMM_EVENT_POWEROFF, config.on_poweroff, "");
	if (config.on_poweroff == VMM_RESTART)
		boot();
	else
		die("off");
}

static void reset(void)
{
	event(VMM_EVENT_RESET, config.on_reboot, "");
	if (config.on_reboot == VMM_RESTART)
		boot();
	else
		die("reset");
}

static void configure(struct channel_message *m, struct vmm_fds *fds)
{
	struct vmm_config c;
	struct nd_error err = { 0 };

	if (vmm_config_decode(&m->body, fds, &c) < 0) {
		failed(m->serial, "the configuration makes no sense");
		return;
	}
	config = c;
	if (told("die=config"))
		die("as told");
	if (told("fail=config") || vmm_config_check(&config, &err) < 0) {
		failed(m->serial, told("fail=config") ? "as told, no configuration" : err.text);
		return;
	}
	if (config.uid && (setgid(config.uid) < 0 || setuid(config.uid) < 0))
		die("cannot become another user");
	if (config.listen_fd >= 0 && listen(config.listen_fd, 4) < 0)
		die("cannot listen");
	state = VMM_STATE_READY;
	send_message(VMM_DONE, m->serial, NULL);
}

static void add_nic(struct channel_message *m, struct vmm_fds *fds)
{
	struct vmm_nic nic, *list;

	if (told("fail=nic") || vmm_nic_decode(&m->body, fds, &nic) < 0) {
		failed(m->serial, "as told, no interface");
		return;
	}
	list = realloc(config.nics, (config.n_nics + 1) * sizeof(*list));
	if (!list)
		die("no memory");
	config.nics = list;
	list[config.n_nics++] = nic;
	send_message(VMM_DONE, m->serial, NULL);
}

static struct vmm_nic *find_nic(const char *id)
{
	for (size_t i = 0; i < config.n_nics; i++)
		if (strcmp(config.nics[i].id, id) == 0)
			return &config.nics[i];
	return NULL;
}

static void nic_request(struct channel_message *m)
{
	struct vmm_nic_request q;
	struct vmm_nic *nic = vmm_nic_request_decode(&m->body, &q) == 0 ? find_nic(q.id) : NULL;

	if (!nic) {
		failed(m->serial, "no such interface");
		return;
	}
	send_message(VMM_DONE, m->serial, NULL);
	if (m->type == VMM_NIC_LINK)
		nic->link_up = q.value;
	if (m->type == VMM_NIC_FILTER_SEEN)
		print("filter seen\r\n");
	if (m->type != VMM_NIC_REMOVE || told("keep-nics"))
		return;
	vmm_nic_fini(nic);
	memmove(nic, nic + 1, (size_t)(config.nics + config.n_nics - nic - 1) * sizeof(*nic));
	config.n_nics--;
	event(VMM_EVENT_NIC_REMOVED, 0, q.id);
}

static void start(struct channel_message *m)
{
	if (told("die=start"))
		die("as told");
	if (told("fail=start")) {
		failed(m->serial, "as told, no start");
		return;
	}
	send_message(VMM_DONE, m->serial, NULL);
	boot();
	if (told("crash")) {
		usleep(200000);
		crash();
	}
}

static void handle(struct channel_message *m, struct vmm_fds *fds)
{
	switch (m->type) {
	case VMM_CONFIG:
		configure(m, fds);
		break;
	case VMM_START:
		start(m);
		break;
	case VMM_PAUSE:
	case VMM_RESUME:
		send_message(VMM_DONE, m->serial, NULL);
		set_state(m->type == VMM_PAUSE ? VMM_STATE_PAUSED : VMM_STATE_RUNNING);
		break;
	case VMM_SHUTDOWN:
		send_message(VMM_DONE, m->serial, NULL);
		if (!told("stubborn"))
			power_off();
		break;
	case VMM_RESET:
		send_message(VMM_DONE, m->serial, NULL);
		reset();
		break;
	case VMM_NIC_ADD:
		add_nic(m, fds);
		break;
	case VMM_NIC_REMOVE:
	case VMM_NIC_LINK:
	case VMM_NIC_MTU:
	case VMM_NIC_ANNOUNCE:
	case VMM_NIC_FILTER_SEEN:
		nic_request(m);
		break;
	case CHANNEL_QUIT:
		die("told to");
	}
}

static void tell_filter(const char *what)
{
	struct vmm_nic_filter f = { 0 };
	char mac[32];
	uint8_t room[256];
	struct wr w = wr_init(room, sizeof(room));
	int multicast;

	if (sscanf(what, "%31s %31s %d", f.id, mac, &multicast) != 3 || !nd_mac_parse(mac, &f.mac))
		return;
	f.multicast = multicast;
	vmm_nic_filter_encode(&f, &w);
	send_message(VMM_NIC_FILTER, 0, &w);
}

static void typed(void)
{
	line[line_len] = '\0';
	line_len = 0;
	if (strcmp(line, "off") == 0)
		power_off();
	else if (strcmp(line, "crash") == 0)
		crash();
	else if (strcmp(line, "reset") == 0)
		reset();
	else if (strncmp(line, "filter ", 7) == 0)
		tell_filter(line + 7);
	else if (strcmp(line, "nics") == 0)
		for (size_t i = 0; i < config.n_nics; i++) {
			const struct vmm_nic *n = &config.nics[i];
			char text[VMM_ID_MAX + 96];
			int sndbuf = -1;

			(void)ioctl(n->tap_fds[0], TUNGETSNDBUF, &sndbuf);
			snprintf(text, sizeof(text), "nic %s %s slot %u queues %u features %#x sndbuf %d\r\n",
				 n->id, n->link_up ? "up" : "down", n->slot, n->n_queue_pairs, n->features,
				 sndbuf);
			print(text);
		}
}

static void read_console(void)
{
	char c, up[2] = "";

	while (read(config.console_fd, &c, 1) == 1) {
		up[0] = (char)toupper((unsigned char)c);
		print(up);
		if (c == '\r' || c == '\n')
			typed();
		else if (line_len < sizeof(line) - 1)
			line[line_len++] = c;
	}
}

static void read_channel(void)
{
	struct channel_message m;
	struct vmm_fds fds = { 0 };
	int r = channel_receive_fds(channel, &m, fds.fds, &fds.n);

	if (r == 1)
		handle(&m, &fds);
	vmm_fds_close(&fds);
	if (r < 0 && r != -EAGAIN) {	/* netd is gone; the guest is not */
		channel_free(channel);
		channel = NULL;
		if (state == VMM_STATE_EMPTY)
			die("netd is gone");
	}
}

static void take_connection(void)
{
	int fd = accept4(config.listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	channel_free(channel);
	channel = vmm_channel_new(fd);
	say_hello();
}

int main(void)
{
	channel = vmm_channel_new(3);
	if (!channel)
		return 1;
	say_hello();
	for (;;) {
		struct pollfd fds[] = {
			{ channel ? channel_fd(channel) : -1, POLLIN, 0 },
			{ config.listen_fd, POLLIN, 0 },
			{ config.console_fd, POLLIN, 0 },
		};

		if (poll(fds, 3, 1000) < 0)
			return 1;
		if (fds[0].revents)
			read_channel();
		if (fds[1].revents & POLLIN)
			take_connection();
		if (fds[2].revents & POLLIN)
			read_console();
		else if (fds[2].revents)
			usleep(10000);	/* nobody has the terminal's other end open */
	}
}
