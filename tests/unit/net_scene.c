/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/net_scene.h"

#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/suite.h"
#include "vmm/net_filter.h"
#include "vmm/net_port.h"

#define COMMAND (GUEST_DATA + 0x500000)
#define ANSWER (GUEST_DATA + 0x510000)

struct guest g;
struct virtio_net *net;
struct virtio_pci *pci;
int wires[NET_PAIRS_MAX];
unsigned pairs;
struct scene_port port;

static int port_prepare(int fd, unsigned *offloads_out, struct nd_error *err)
{
	*offloads_out = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
	return 0;
}

static int port_set_offload(int fd, unsigned flags)
{
	port.offloads = flags;
	return 0;
}

static int port_set_queue(int fd, bool attached)
{
	for (unsigned i = 0; i < pairs; i++)
		if (port.fds[i] == fd)
			port.attached[i] = attached;
	return 0;
}

static void port_set_filter(int fd, const struct net_filter *f)
{
	port.n_filters++;
	port.filter_on = f && !f->promisc;
}

static const struct net_port_ops fake_port = {
	.prepare = port_prepare,
	.set_offload = port_set_offload,
	.set_queue = port_set_queue,
	.set_filter = port_set_filter,
};

void plug(unsigned n_pairs, uint16_t queue_size, unsigned features)
{
	struct virtio_net_spec spec = {
		.name = "guest", .mac = SCENE_MAC, .mtu_bytes = 1400,
		.rx_queue_size = queue_size, .tx_queue_size = queue_size, .n_pairs = n_pairs,
		.link_up = true, .features = features,
	};
	struct nd_error err = { 0 };

	memset(&port, 0, sizeof(port));
	pairs = n_pairs;
	for (unsigned i = 0; i < n_pairs; i++) {
		int ends[2];

		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
					    ends), 0);
		port.fds[i] = spec.tap_fds[i] = ends[0];
		port.attached[i] = true;
		wires[i] = ends[1];
		spec.vhost_fds[i] = -1;
	}
	ck_assert_msg(virtio_net_new(&spec, &fake_port, g.memory, g.loop, &net, &err) == 0, "%s",
		      err.text);
	ck_assert_msg(virtio_pci_new(g.bus, SLOT, virtio_net_device(net), &pci, &err) == 0, "%s",
		      err.text);
	guest_find(&g, SLOT);
}

void unplug(void)
{
	virtio_pci_free(pci);
	virtio_net_free(net);
	for (unsigned i = 0; i < pairs; i++)
		close(wires[i]);
}

static void setup(void)
{
	guest_init(&g);
	plug(1, 256, VMM_NIC_FEATURES);
}

static void teardown(void)
{
	unplug();
	guest_fini(&g);
}

void put_buffers(unsigned queue, unsigned n, uint32_t len)
{
	for (unsigned i = 0; i < n; i++) {
		struct drv_buffer b = { BUFFERS + i * 0x1000, len, true };

		drv_add(&g.queues[queue], &b, 1);
	}
	guest_kick(&g, queue);
	guest_run(&g);
}

size_t frame(uint8_t *buf, size_t len)
{
	static const uint8_t to_guest[] = { 0x52, 0x54, 0, 1, 2, 3, 2, 0, 0, 0, 0, 9, 0x88, 0xb5 };

	memset(buf, 0, NET_HEADER_BYTES);
	memcpy(buf + NET_HEADER_BYTES, to_guest, sizeof(to_guest));
	for (size_t i = NET_HEADER_BYTES + sizeof(to_guest); i < len; i++)
		buf[i] = (uint8_t)(i * 7 + i / 256);
	return len;
}

void wire_send(unsigned pair, size_t len)
{
	static uint8_t buf[70000];

	ck_assert_int_eq(write(wires[pair], buf, frame(buf, len)), len);
	guest_run(&g);
}

bool got_frame(unsigned queue)
{
	uint16_t head;
	uint32_t len;

	return drv_get(&g.queues[queue], &head, &len);
}

void check_frame(unsigned first, uint32_t part, size_t len)
{
	static uint8_t want[70000];
	uint8_t *buffer = drv_at(g.memory, BUFFERS + first * 0x1000, part);
	unsigned n = (unsigned)((len + part - 1) / part);
	struct virtio_net_hdr_mrg_rxbuf h;
	uint16_t head;
	uint32_t got;

	frame(want, len);
	memcpy(&h, buffer, sizeof(h));
	ck_assert_uint_eq(h.num_buffers, n);
	memcpy(want, &h, sizeof(h));
	for (unsigned i = 0; i < n; i++) {
		size_t here = len - i * part < part ? len - i * part : part;

		ck_assert(drv_get(&g.queues[RX], &head, &got));
		ck_assert_uint_eq(got, here);
		ck_assert(memcmp(drv_at(g.memory, BUFFERS + (first + i) * 0x1000, part),
				 want + i * part, here) == 0);
	}
}

uint8_t command(unsigned queue, uint8_t class, uint8_t cmd, const void *body, uint32_t len)
{
	struct drv_buffer b[] = { { COMMAND, 2, false }, { COMMAND + 2, len, false },
				  { ANSWER, 1, true } };
	uint8_t *c = drv_at(g.memory, COMMAND, 2 + len);
	uint16_t head;
	uint32_t got;

	if (!len)
		b[1] = b[2];
	c[0] = class;
	c[1] = cmd;
	memcpy(c + 2, body, len);
	*(uint8_t *)drv_at(g.memory, ANSWER, 1) = 0x77;
	drv_add(&g.queues[queue], b, len ? 3 : 2);
	guest_kick(&g, queue);
	ck_assert(guest_wait(&g, queue, &head, &got));
	ck_assert_uint_eq(got, 1);
	return *(uint8_t *)drv_at(g.memory, ANSWER, 1);
}

struct net_counters counters(void)
{
	struct net_counters c;

	ck_assert(virtio_net_count(net, &c));
	return c;
}

int scene_run(const char *name, void (*add_tests)(TCase *t))
{
	return suite_run_case(name, setup, teardown, add_tests);
}
