/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The network device: frames both ways over a socket that stands for the TAP, the control queue, link and
 * offloads; and once, where one may make one, over a real TAP. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "tests/unit/suite.h"
#include "tests/unit/virtio_guest.h"
#include "tests/unit/virtio_tap.h"
#include "vmm/net_filter.h"
#include "vmm/net_port.h"
#include "vmm/net_rss.h"
#include "vmm/virtio_net.h"
#include "vmm/virtio_pci.h"

#define SLOT 5
#define RX 0
#define TX 1
#define BUFFERS GUEST_DATA
#define TX_FRAME (GUEST_DATA + 0x400000)
#define COMMAND (GUEST_DATA + 0x500000)
#define ANSWER (GUEST_DATA + 0x510000)
#define HAS(feature) (1ull << (feature))

static struct guest g;
static struct virtio_net *net;
static struct virtio_pci *pci;
static int wires[NET_PAIRS_MAX];		/* the other ends */
static unsigned pairs;

/* What the port was told. */
static struct {
	unsigned offloads;
	unsigned n_filters;
	bool filter_on;
	bool attached[NET_PAIRS_MAX];
	int fds[NET_PAIRS_MAX];
} port;

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

static void plug(unsigned n_pairs, uint16_t queue_size, unsigned features)
{
	struct virtio_net_spec spec = {
		.name = "guest", .mac = { 0x52, 0x54, 0, 1, 2, 3 }, .mtu_bytes = 1400,
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

static void unplug(void)
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

/* The guest's buffers for n frames of at most len bytes, header and all. */
static void put_buffers(unsigned queue, unsigned n, uint32_t len)
{
	for (unsigned i = 0; i < n; i++) {
		struct drv_buffer b = { BUFFERS + i * 0x1000, len, true };

		drv_add(&g.queues[queue], &b, 1);
	}
	guest_kick(&g, queue);
	guest_run(&g);
}

/* A frame for the guest's address: header, addresses, and a count up. */
static size_t frame(uint8_t *buf, size_t len)
{
	static const uint8_t to_guest[] = { 0x52, 0x54, 0, 1, 2, 3, 2, 0, 0, 0, 0, 9, 0x88, 0xb5 };

	memset(buf, 0, NET_HEADER_BYTES);
	memcpy(buf + NET_HEADER_BYTES, to_guest, sizeof(to_guest));
	for (size_t i = NET_HEADER_BYTES + sizeof(to_guest); i < len; i++)
		buf[i] = (uint8_t)(i * 7 + i / 256);
	return len;
}

static void wire_send(unsigned pair, size_t len)
{
	static uint8_t buf[70000];

	ck_assert_int_eq(write(wires[pair], buf, frame(buf, len)), len);
	guest_run(&g);
}

static void wire_send_to(const uint8_t *mac, uint16_t type_or_tag, uint16_t vid)
{
	uint8_t buf[NET_HEADER_BYTES + 60];

	frame(buf, sizeof(buf));
	memcpy(buf + NET_HEADER_BYTES, mac, 6);
	buf[NET_HEADER_BYTES + 12] = (uint8_t)(type_or_tag >> 8);
	buf[NET_HEADER_BYTES + 13] = (uint8_t)type_or_tag;
	buf[NET_HEADER_BYTES + 14] = (uint8_t)(vid >> 8);
	buf[NET_HEADER_BYTES + 15] = (uint8_t)vid;
	ck_assert_int_eq(write(wires[0], buf, sizeof(buf)), sizeof(buf));
	guest_run(&g);
}

static bool got_frame(unsigned queue)
{
	uint16_t head;
	uint32_t len;

	return drv_get(&g.queues[queue], &head, &len);
}

/* Checks the frame that lies in buffers from `first` on, in parts of `part` bytes. */
static void check_frame(unsigned first, uint32_t part, size_t len)
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

static void guest_send(unsigned queue, size_t len, bool kick)
{
	static uint8_t buf[70000];
	struct drv_buffer b[] = { { TX_FRAME, NET_HEADER_BYTES, false },
				  { TX_FRAME + NET_HEADER_BYTES,
				    (uint32_t)(len - NET_HEADER_BYTES), false } };

	frame(buf, len);
	memcpy(drv_at(g.memory, TX_FRAME, len), buf, len);
	drv_add(&g.queues[queue], b, 2);
	if (kick)
		guest_kick(&g, queue);
}

/* Runs a command; VIRTIO_NET_OK, _ERR. */
static uint8_t command(unsigned queue, uint8_t class, uint8_t cmd, const void *body, uint32_t len)
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

static uint8_t command_u8(uint8_t class, uint8_t cmd, uint8_t value)
{
	return command(2, class, cmd, &value, 1);
}

static struct net_counters counters(void)
{
	struct net_counters c;

	ck_assert(virtio_net_count(net, &c));
	return c;
}

/* Frames */

START_TEST(frame_goes_out_as_it_is)
{
	uint8_t got[2000], want[2000];
	uint16_t head;
	uint32_t len;

	guest_drive(&g, ~0ull, 64);
	guest_send(TX, 1000, true);
	ck_assert(guest_wait(&g, TX, &head, &len));
	ck_assert_uint_eq(len, 0);
	ck_assert_int_eq(read(wires[0], got, sizeof(got)), 1000);
	frame(want, 1000);
	ck_assert(memcmp(got, want, 1000) == 0);
	ck_assert_uint_eq(counters().tx_packets, 1);
	ck_assert_uint_eq(counters().tx_bytes, 988);
}
END_TEST

START_TEST(frame_comes_in_one_buffer)
{
	guest_drive(&g, ~0ull, 64);
	put_buffers(RX, 4, 1600);
	drv_interrupts_on(&g.queues[RX]);
	wire_send(0, 1512);
	check_frame(0, 1600, 1512);
	ck_assert_uint_eq(guest_interrupts(&g, 1), 1);
	ck_assert_uint_eq(counters().rx_packets, 1);
	ck_assert_uint_eq(counters().rx_bytes, 1500);
}
END_TEST

START_TEST(long_frame_is_merged_from_many_buffers)
{
	guest_drive(&g, ~0ull, 64);
	put_buffers(RX, 64, 1500);
	wire_send(0, 65000);
	check_frame(0, 1500, 65000);
	wire_send(0, 100);
	check_frame(44, 1500, 100);
}
END_TEST

START_TEST(frame_longer_than_the_buffers_waits_for_more)
{
	uint16_t head;
	uint32_t len;

	guest_drive(&g, ~0ull, 64);
	put_buffers(RX, 3, 1500);
	wire_send(0, 6001);
	ck_assert(!drv_get(&g.queues[RX], &head, &len));
	/* the driver gives more: first too little, then enough */
	for (unsigned i = 3; i < 5; i++) {
		struct drv_buffer b = { BUFFERS + i * 0x1000, 1500, true };

		drv_add(&g.queues[RX], &b, 1);
		guest_kick(&g, RX);
		guest_run(&g);
		ck_assert(i == 4 || g.queues[RX].used->idx == 0);
	}
	check_frame(0, 1500, 6001);
}
END_TEST

START_TEST(frame_that_fits_no_ring_is_dropped_and_the_next_one_comes)
{
	guest_drive(&g, ~0ull, 4);
	put_buffers(RX, 4, 1500);
	wire_send(0, 6001);
	wire_send(0, 500);
	check_frame(0, 1500, 500);
	ck_assert_uint_eq(counters().rx_dropped, 1);
}
END_TEST

START_TEST(without_mergeable_buffers_a_long_frame_is_dropped)
{
	guest_drive(&g, ~HAS(VIRTIO_NET_F_MRG_RXBUF), 64);
	put_buffers(RX, 4, 1526);
	wire_send(0, 1527);
	ck_assert(!got_frame(RX));
	ck_assert_uint_eq(counters().rx_dropped, 1);
	wire_send(0, 1526);
	check_frame(0, 1526, 1526);
}
END_TEST

START_TEST(more_frames_than_a_share_all_come)
{
	unsigned n = 0;

	guest_drive(&g, ~0ull, 256);
	put_buffers(RX, 256, 1500);
	for (unsigned i = 0; i < 200; i++) {
		static uint8_t buf[200];

		ck_assert_int_eq(write(wires[0], buf, frame(buf, 200)), 200);
		if (i == 99)
			guest_run(&g);
	}
	guest_run(&g);
	while (got_frame(RX))
		n++;
	ck_assert_uint_eq(n, 200);
}
END_TEST

START_TEST(frames_wait_while_the_wire_is_full_and_go_on_after)
{
	unsigned sent = 0, got = 0;
	uint8_t buf[2000];

	guest_drive(&g, ~0ull, 256);
	for (unsigned i = 0; i < 250 / 2; i++)
		guest_send(TX, 1500, false);
	guest_kick(&g, TX);
	guest_run(&g);
	while (got_frame(TX))
		sent++;
	ck_assert_uint_lt(sent, 125);		/* a socket's buffer is smaller than that */
	for (unsigned ms = 0; got < 125 && ms < 5000; ms++) {
		while (read(wires[0], buf, sizeof(buf)) == 1500)
			got++;
		guest_run(&g);
	}
	ck_assert_uint_eq(got, 125);
	while (got_frame(TX))
		sent++;
	ck_assert_uint_eq(sent, 125);
	ck_assert_uint_eq(counters().tx_errors, 0);
}
END_TEST

START_TEST(frame_without_a_header_is_an_error_of_its_own)
{
	struct drv_buffer b = { TX_FRAME, 12, false };
	uint16_t head;
	uint32_t len;

	guest_drive(&g, ~0ull, 64);
	drv_add(&g.queues[TX], &b, 1);
	guest_kick(&g, TX);
	ck_assert(guest_wait(&g, TX, &head, &len));
	ck_assert_uint_eq(counters().tx_errors, 1);
	ck_assert_uint_eq(guest_status(&g), 0xf);
}
END_TEST

START_TEST(receive_buffer_that_cannot_be_written_breaks_its_queue_only)
{
	struct drv_buffer b = { BUFFERS, 1500, false };
	uint16_t head;
	uint32_t len;

	guest_drive(&g, ~0ull, 64);
	drv_add(&g.queues[RX], &b, 1);
	guest_kick(&g, RX);
	guest_run(&g);
	ck_assert_uint_eq(guest_status(&g), 0x4f);
	wire_send(0, 100);
	ck_assert(!got_frame(RX));
	guest_send(TX, 200, true);
	ck_assert(guest_wait(&g, TX, &head, &len));
}
END_TEST

START_TEST(receive_buffer_shorter_than_the_header_breaks_the_queue)
{
	guest_drive(&g, ~0ull, 64);
	put_buffers(RX, 1, 11);
	ck_assert_uint_eq(guest_status(&g), 0x4f);
}
END_TEST

START_TEST(frames_from_before_the_driver_are_stale)
{
	wire_send(0, 300);
	guest_drive(&g, ~0ull, 64);
	put_buffers(RX, 4, 1500);
	ck_assert(!got_frame(RX));
	wire_send(0, 301);
	check_frame(0, 1500, 301);
	/* and the old driver's buffers are not the new one's */
	guest_drive(&g, ~0ull, 64);
	wire_send(0, 302);
	ck_assert(!got_frame(RX));
	put_buffers(RX, 4, 1500);
	check_frame(0, 1500, 302);
}
END_TEST

/* What is offered and configured */

START_TEST(offer_follows_what_the_tap_takes_and_what_is_allowed)
{
	uint64_t segments = HAS(VIRTIO_NET_F_HOST_TSO4) | HAS(VIRTIO_NET_F_HOST_TSO6) |
			    HAS(VIRTIO_NET_F_GUEST_TSO4) | HAS(VIRTIO_NET_F_GUEST_TSO6);
	uint64_t sums = HAS(VIRTIO_NET_F_CSUM) | HAS(VIRTIO_NET_F_GUEST_CSUM);
	uint64_t f = guest_offered(&g);

	ck_assert_uint_eq(f & (segments | sums), segments | sums);
	ck_assert(f & HAS(VIRTIO_NET_F_MTU) && f & HAS(VIRTIO_NET_F_MRG_RXBUF));
	ck_assert(!(f & (HAS(VIRTIO_NET_F_GUEST_UFO) | HAS(VIRTIO_NET_F_HOST_UFO) | 7ull << 54)));
	ck_assert(!(f & HAS(VIRTIO_NET_F_MQ)));
	unplug();
	plug(1, 256, VMM_HOST_CSUM | VMM_GUEST_CSUM);
	f = guest_offered(&g);
	ck_assert_uint_eq(f & (segments | sums), sums);
	ck_assert(!(f & (HAS(VIRTIO_NET_F_MRG_RXBUF) | HAS(VIRTIO_RING_F_EVENT_IDX))));
	unplug();
	/* no segments without sums, no ECN without segments */
	plug(1, 256, VMM_HOST_TSO4 | VMM_GUEST_TSO6 | VMM_HOST_CSUM | VMM_HOST_ECN | VMM_GUEST_ECN);
	f = guest_offered(&g);
	ck_assert_uint_eq(f & (segments | sums), HAS(VIRTIO_NET_F_CSUM) | HAS(VIRTIO_NET_F_HOST_TSO4));
	ck_assert(f & HAS(VIRTIO_NET_F_HOST_ECN) && !(f & HAS(VIRTIO_NET_F_GUEST_ECN)));
	ck_assert(!(f & HAS(VIRTIO_NET_F_CTRL_GUEST_OFFLOADS)));
	unplug();
	plug(2, 1024, VMM_NIC_FEATURES);
	ck_assert(guest_offered(&g) & HAS(VIRTIO_NET_F_MQ));
	guest_write(&g, g.common + 22, 0, 2);
	ck_assert_uint_eq(guest_read(&g, g.common + 24, 2), 1024);
}
END_TEST

/* Monotonic. */
static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

START_TEST(sending_waits_for_more_when_asked_to)
{
	uint8_t got[2000];
	uint64_t start;

	unplug();
	plug(2, 256, VMM_NIC_FEATURES | VMM_TX_TIMER);
	guest_drive(&g, ~0ull, 64);
	for (unsigned round = 0; round < 3; round++) {
		uint16_t head;
		uint32_t len;

		start = now_ns();
		guest_send(TX, 1000, true);
		guest_send(TX, 1001, true);
		ck_assert(guest_wait(&g, TX, &head, &len));
		ck_assert_uint_ge(now_ns() - start, VIRTIO_NET_TX_WAIT_NS);
		ck_assert(guest_wait(&g, TX, &head, &len));
		ck_assert_int_eq(read(wires[0], got, sizeof(got)), 1000);
		ck_assert_int_eq(read(wires[0], got, sizeof(got)), 1001);
	}
	ck_assert_uint_eq(counters().tx_packets, 6);
}
END_TEST

START_TEST(kicks_need_no_eventfd_where_there_shall_be_none)
{
	uint16_t head;
	uint32_t len;

	guest_drive(&g, ~0ull, 64);
	ck_assert_uint_eq(g.eventfds, 3);
	unplug();
	plug(1, 256, VMM_NIC_FEATURES | VMM_NO_IOEVENTFD);
	guest_drive(&g, ~0ull, 64);
	ck_assert_uint_eq(g.eventfds, 0);
	guest_send(TX, 1000, true);
	ck_assert(guest_wait(&g, TX, &head, &len));
}
END_TEST

START_TEST(configuration_holds_mac_status_and_mtu)
{
	ck_assert_uint_eq(guest_read(&g, g.device, 4), 0x01005452);
	ck_assert_uint_eq(guest_read(&g, g.device + 4, 2), 0x0302);
	ck_assert_uint_eq(guest_read(&g, g.device + 6, 2), VIRTIO_NET_S_LINK_UP);
	ck_assert_uint_eq(guest_read(&g, g.device + 8, 2), 1);
	ck_assert_uint_eq(guest_read(&g, g.device + 10, 2), 1400);
	ck_assert_uint_eq(guest_read(&g, g.device + 12, 4), 0);
	ck_assert_uint_eq(guest_read(&g, g.device + 10, 4), 1400);	/* over the end */
	guest_drive(&g, ~0ull, 64);
	virtio_net_set_mtu(net, 1300);
	ck_assert_uint_eq(guest_read(&g, g.device + 10, 2), 1400);	/* not under a driver */
	guest_set_status(&g, 0);
	ck_assert_uint_eq(guest_read(&g, g.device + 10, 2), 1300);
}
END_TEST

START_TEST(tap_gets_the_offloads_that_the_guest_took)
{
	uint64_t offloads;

	ck_assert_uint_eq(port.offloads, 0);
	guest_drive(&g, ~HAS(VIRTIO_NET_F_GUEST_TSO6), 64);
	ck_assert_uint_eq(port.offloads, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO_ECN);
	offloads = HAS(VIRTIO_NET_F_GUEST_CSUM);
	ck_assert_uint_eq(command(2, VIRTIO_NET_CTRL_GUEST_OFFLOADS, 0, &offloads, 8), VIRTIO_NET_OK);
	ck_assert_uint_eq(port.offloads, TUN_F_CSUM);
	offloads = HAS(VIRTIO_NET_F_GUEST_TSO6);	/* was not negotiated */
	ck_assert_uint_eq(command(2, VIRTIO_NET_CTRL_GUEST_OFFLOADS, 0, &offloads, 8), VIRTIO_NET_ERR);
	ck_assert_uint_eq(port.offloads, TUN_F_CSUM);
	guest_set_status(&g, 0);
	ck_assert_uint_eq(port.offloads, 0);
}
END_TEST

START_TEST(link_goes_down_and_up)
{
	uint8_t generation = (uint8_t)guest_read(&g, g.common + 21, 1);
	uint8_t buf[100];
	uint16_t head;
	uint32_t len;

	guest_drive(&g, ~0ull, 64);
	put_buffers(RX, 8, 1500);
	virtio_net_set_link(net, false);
	ck_assert_uint_eq(guest_read(&g, g.device + 6, 2), 0);
	ck_assert_uint_eq(guest_interrupts(&g, 0), 1);
	ck_assert_uint_ne(guest_read(&g, g.common + 21, 1), generation);
	wire_send(0, 300);
	ck_assert(!got_frame(RX));
	guest_send(TX, 200, true);
	ck_assert(guest_wait(&g, TX, &head, &len));	/* taken, and dropped */
	ck_assert_int_eq(read(wires[0], buf, sizeof(buf)), -1);
	ck_assert_uint_eq(counters().tx_dropped, 1);
	virtio_net_set_link(net, false);
	ck_assert_uint_eq(guest_interrupts(&g, 0), 0);
	virtio_net_set_link(net, true);
	ck_assert_uint_eq(guest_interrupts(&g, 0), 1);
	wire_send(0, 301);
	check_frame(0, 1500, 301);
}
END_TEST

START_TEST(guest_announces_itself_when_asked)
{
	virtio_net_announce(net);		/* nobody there */
	guest_drive(&g, ~0ull, 64);
	ck_assert_uint_eq(guest_read(&g, g.device + 6, 2), VIRTIO_NET_S_LINK_UP);
	virtio_net_announce(net);
	ck_assert_uint_eq(guest_read(&g, g.device + 6, 2),
			  VIRTIO_NET_S_LINK_UP | VIRTIO_NET_S_ANNOUNCE);
	ck_assert_uint_eq(guest_interrupts(&g, 0), 1);
	ck_assert_uint_eq(command(2, VIRTIO_NET_CTRL_ANNOUNCE, VIRTIO_NET_CTRL_ANNOUNCE_ACK, "", 0),
			  VIRTIO_NET_OK);
	ck_assert_uint_eq(guest_read(&g, g.device + 6, 2), VIRTIO_NET_S_LINK_UP);
}
END_TEST

/* The control queue */

static const uint8_t own[6] = { 0x52, 0x54, 0, 1, 2, 3 }, other[6] = { 0x52, 0x54, 0, 9, 9, 9 },
		     group[6] = { 1, 0, 0x5e, 1, 2, 3 }, all[6] = { 255, 255, 255, 255, 255, 255 };

static bool passes(const uint8_t *mac)
{
	wire_send_to(mac, 0x88b5, 0);
	return got_frame(RX);
}

START_TEST(only_what_the_guest_wants_comes)
{
	guest_drive(&g, ~HAS(VIRTIO_NET_F_CTRL_VLAN), 64);
	put_buffers(RX, 60, 1500);
	ck_assert(passes(own) && passes(other) && passes(group));	/* as long as it says nothing */
	ck_assert_uint_eq(command_u8(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, 0), VIRTIO_NET_OK);
	ck_assert(port.filter_on);
	ck_assert(passes(own) && passes(all) && !passes(other) && !passes(group));
	ck_assert_uint_eq(command_u8(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_ALLMULTI, 1),
			  VIRTIO_NET_OK);
	ck_assert(passes(group) && !passes(other));
	ck_assert_uint_eq(command_u8(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_NOBCAST, 1),
			  VIRTIO_NET_OK);
	ck_assert(!passes(all));
	ck_assert_uint_eq(command_u8(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_ALLUNI, 1), VIRTIO_NET_OK);
	ck_assert(passes(other));
	ck_assert_uint_eq(command_u8(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_NOUNI, 1), VIRTIO_NET_OK);
	ck_assert(!passes(other) && !passes(own));
	ck_assert_uint_eq(command_u8(VIRTIO_NET_CTRL_RX, 6, 1), VIRTIO_NET_ERR);
	guest_set_status(&g, 0);
	ck_assert(!port.filter_on);
}
END_TEST

START_TEST(guest_lists_addresses_and_sets_its_own)
{
	uint8_t table[8 + 6 * 2] = { 1 }, mac[6] = { 0x52, 0x54, 0, 7, 7, 7 };

	memcpy(table + 4, other, 6);
	table[10] = 1;
	memcpy(table + 14, group, 6);
	guest_drive(&g, ~HAS(VIRTIO_NET_F_CTRL_VLAN), 64);
	put_buffers(RX, 60, 1500);
	command_u8(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, 0);
	ck_assert_uint_eq(command(2, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, table, 20),
			  VIRTIO_NET_OK);
	ck_assert(passes(own) && passes(other) && passes(group));
	ck_assert_uint_eq(command(2, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, mac, 6),
			  VIRTIO_NET_OK);
	ck_assert(passes(mac) && !passes(own));
	ck_assert_uint_eq(guest_read(&g, g.device + 4, 2), 0x0707);
	ck_assert_uint_eq(command(2, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, group, 6),
			  VIRTIO_NET_ERR);
	/* the next driver finds the address that the NIC was made with */
	guest_set_status(&g, 0);
	ck_assert_uint_eq(guest_read(&g, g.device + 4, 2), 0x0302);
}
END_TEST

START_TEST(tables_that_lie_about_their_length_change_nothing)
{
	uint8_t table[8 + 6] = { 1 };

	memcpy(table + 4, other, 6);
	guest_drive(&g, ~HAS(VIRTIO_NET_F_CTRL_VLAN), 64);
	put_buffers(RX, 60, 1500);
	command_u8(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, 0);
	for (unsigned len = 0; len <= sizeof(table); len++)
		ck_assert_uint_eq(command(2, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, table,
					  len), len == sizeof(table) ? VIRTIO_NET_OK : VIRTIO_NET_ERR);
	ck_assert(passes(other));
	for (unsigned i = 0; i < 8; i++) {
		static const uint32_t lies[] = { 2, 0x2aaaaaab, 0x7fffffff, 0xffffffff };
		uint8_t lie[14];

		memcpy(lie, table, sizeof(lie));
		memcpy(lie + (i < 4 ? 0 : 10), &lies[i % 4], 4);
		ck_assert_uint_eq(command(2, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, lie,
					  sizeof(lie)), VIRTIO_NET_ERR);
	}
	ck_assert(passes(other));
	ck_assert_uint_eq(command(2, 77, 0, table, 1), VIRTIO_NET_ERR);
	ck_assert_uint_eq(command(2, VIRTIO_NET_CTRL_RX, 0, "", 0), VIRTIO_NET_ERR);
	ck_assert_uint_eq(guest_status(&g), 0xf);
}
END_TEST

START_TEST(more_addresses_than_fit_let_all_of_their_kind_pass)
{
	uint8_t table[4 + 4 + 100 * 6] = { 0 };

	table[4] = 100;
	for (unsigned i = 0; i < 100; i++)
		memcpy(table + 8 + 6 * i, (uint8_t[]){ 1, 0, 0x5e, 0, 0, (uint8_t)i }, 6);
	guest_drive(&g, ~HAS(VIRTIO_NET_F_CTRL_VLAN), 64);
	put_buffers(RX, 60, 1500);
	command_u8(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, 0);
	ck_assert_uint_eq(command(2, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, table,
				  sizeof(table)), VIRTIO_NET_OK);
	ck_assert(passes(group) && !passes(other));
}
END_TEST

START_TEST(tagged_frames_come_for_listed_vlans)
{
	uint16_t vid = 7, none = 4096;

	guest_drive(&g, ~0ull, 64);
	put_buffers(RX, 60, 1500);
	wire_send_to(own, 0x8100, 7);
	ck_assert(!got_frame(RX));
	wire_send_to(own, 0x8100, 0x6000);	/* a priority, no VLAN */
	ck_assert(got_frame(RX));
	ck_assert(passes(own));
	ck_assert_uint_eq(command(2, VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_ADD, &vid, 2),
			  VIRTIO_NET_OK);
	wire_send_to(own, 0x8100, 0xe007);
	ck_assert(got_frame(RX));
	ck_assert_uint_eq(command(2, VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_DEL, &vid, 2),
			  VIRTIO_NET_OK);
	wire_send_to(own, 0x8100, 7);
	ck_assert(!got_frame(RX));
	ck_assert_uint_eq(command(2, VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_ADD, &none, 2),
			  VIRTIO_NET_ERR);
}
END_TEST

START_TEST(pairs_take_part_when_the_guest_says_so)
{
	uint16_t two = 2, zero = 0, many = 4, one = 1;

	unplug();
	plug(3, 256, VMM_NIC_FEATURES);
	ck_assert(port.attached[0] && !port.attached[1] && !port.attached[2]);
	guest_drive(&g, ~0ull, 64);
	put_buffers(2, 4, 1500);
	ck_assert_uint_eq(command(6, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, &two, 2),
			  VIRTIO_NET_OK);
	ck_assert(port.attached[0] && port.attached[1] && !port.attached[2]);
	wire_send(1, 400);
	ck_assert(got_frame(2));
	ck_assert_uint_eq(command(6, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, &zero, 2),
			  VIRTIO_NET_ERR);
	ck_assert_uint_eq(command(6, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, &many, 2),
			  VIRTIO_NET_ERR);
	ck_assert_uint_eq(command(6, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, &one, 2),
			  VIRTIO_NET_OK);
	ck_assert(!port.attached[1]);
	wire_send(1, 400);
	ck_assert(!got_frame(2));
	/* a driver that knows no pairs: its control queue is the third, and it has one pair */
	guest_drive(&g, ~HAS(VIRTIO_NET_F_MQ), 64);
	ck_assert_uint_eq(command(2, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, "", 1),
			  VIRTIO_NET_OK);
	ck_assert_uint_eq(command(2, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, &two, 2),
			  VIRTIO_NET_ERR);
}
END_TEST

/* RSS and the hash */

#define HASHED_TYPES (VIRTIO_NET_RSS_HASH_TYPE_IPv4 | VIRTIO_NET_RSS_HASH_TYPE_TCPv4)
#define PLUGGED (VMM_NIC_FEATURES | VMM_RSS | VMM_HASH_REPORT)

struct rss_command {
	uint32_t types;
	uint16_t mask, unclassified, table[4], n_tx;
	uint8_t key_bytes, key[40];
} __attribute__((packed));

static struct rss_command rss_of(void)
{
	struct rss_command c = { .types = HASHED_TYPES, .mask = 3, .table = { 0, 1, 2, 1 }, .n_tx = 2, .key_bytes = 40 };

	for (unsigned i = 0; i < 40; i++)
		c.key[i] = (uint8_t)(i * 37 + 11);
	return c;
}

static uint8_t rss(const struct rss_command *c)
{
	return command(6, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_RSS_CONFIG, c, sizeof(*c));
}

/* A TCP segment from a port, as the TAP hands it out. */
static size_t segment(uint8_t *buf, uint16_t port_from, size_t len)
{
	static const uint8_t ip[] = { 0x45, 0, 0, 0, 0, 0, 0, 0, 64, 6, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2 };
	uint8_t *at = buf + NET_HEADER_BYTES + 14;

	frame(buf, len);
	at[-2] = 0x08;
	at[-1] = 0;
	memcpy(at, ip, sizeof(ip));
	at[20] = (uint8_t)(port_from >> 8);
	at[21] = (uint8_t)port_from;
	return len;
}

static struct net_hash hash_of(const struct rss_command *c, const uint8_t *buf, size_t len)
{
	struct net_rss r = { .types = c->types };

	memcpy(r.key, c->key, sizeof(r.key));
	return net_rss_hash(&r, buf + NET_HEADER_BYTES, len - NET_HEADER_BYTES);
}

START_TEST(frames_come_in_the_queue_of_their_hash_with_it)
{
	struct rss_command c = rss_of();
	bool seen[3] = { false };
	uint8_t buf[1000];

	unplug();
	plug(3, 256, PLUGGED);
	ck_assert_uint_eq(guest_read(&g, g.device + 17, 1), NET_RSS_KEY_MAX);
	ck_assert_uint_eq(guest_read(&g, g.device + 18, 2), NET_RSS_TABLE_MAX);
	ck_assert_uint_eq(guest_read(&g, g.device + 20, 4), NET_RSS_TYPES);
	guest_drive(&g, ~0ull, 64);
	ck_assert_uint_eq(rss(&c), VIRTIO_NET_OK);
	ck_assert(port.attached[0] && port.attached[1] && port.attached[2]);
	for (uint16_t from = 1000; from < 1040; from++) {
		size_t len = segment(buf, from, 700);
		struct net_hash h = hash_of(&c, buf, len);
		unsigned pair = c.table[h.value & 3];
		struct virtio_net_hdr_v1_hash header;
		uint8_t *at = drv_at(g.memory, BUFFERS, 1000);
		uint16_t head;
		uint32_t got;

		put_buffers(2 * pair, 1, 1500);
		/* whichever of its queues the TAP has chosen */
		ck_assert_int_eq(write(wires[from % 3], buf, len), len);
		guest_run(&g);
		ck_assert(drv_get(&g.queues[2 * pair], &head, &got));
		ck_assert_uint_eq(got, len + 8);
		memcpy(&header, at, sizeof(header));
		ck_assert_uint_eq(header.hash_value, h.value);
		ck_assert_uint_eq(header.hash_report, VIRTIO_NET_HASH_REPORT_TCPv4);
		ck_assert_uint_eq(header.hdr.num_buffers, 1);
		ck_assert(memcmp(at + 20, buf + 12, len - 12) == 0);
		seen[pair] = true;
	}
	ck_assert(seen[0] && seen[1] && seen[2]);
	ck_assert_uint_eq(counters().rx_bytes, 40 * 688);
}
END_TEST

START_TEST(hashed_frames_fill_several_buffers_or_are_dropped)
{
	struct rss_command c = rss_of();
	static uint8_t buf[20000];
	size_t len;
	uint16_t head;
	uint32_t got, sum = 0;

	unplug();
	plug(3, 256, PLUGGED);
	guest_drive(&g, ~0ull, 64);
	memset(c.table, 0, sizeof(c.table));
	ck_assert_uint_eq(rss(&c), VIRTIO_NET_OK);
	len = segment(buf, 1, 20000);
	put_buffers(RX, 4, 1500);
	ck_assert_int_eq(write(wires[1], buf, len), len);
	guest_run(&g);
	ck_assert(!got_frame(RX));
	ck_assert_uint_eq(counters().rx_dropped, 1);
	put_buffers(RX, 40, 1500);
	ck_assert_int_eq(write(wires[1], buf, len), len);
	guest_run(&g);
	while (drv_get(&g.queues[RX], &head, &got))
		sum += got;
	ck_assert_uint_eq(sum, len + 8);
}
END_TEST

START_TEST(the_longer_header_does_not_leave_with_what_is_sent)
{
	uint8_t got[2000], want[2000];
	static const uint32_t pieces[][3] = { { 20, 500, 0 }, { 12, 8, 500 }, { 520, 0, 0 }, { 7, 100, 413 } };

	unplug();
	plug(3, 256, PLUGGED);
	guest_drive(&g, ~0ull, 64);
	for (size_t i = 0; i < ND_COUNT(pieces); i++) {
		struct drv_buffer b[3];
		uint8_t *at = drv_at(g.memory, TX_FRAME, 520);
		uint32_t sum = 0;
		uint16_t head;
		uint32_t len;
		unsigned n = 0;

		for (; n < 3 && pieces[i][n]; sum += pieces[i][n++])
			b[n] = (struct drv_buffer){ TX_FRAME + sum, pieces[i][n], false };
		frame(want, 512);
		memcpy(at, want, 12);
		memset(at + 12, 0xee, 8);
		memcpy(at + 20, want + 12, 500);
		drv_add(&g.queues[TX], b, n);
		guest_kick(&g, TX);
		ck_assert(guest_wait(&g, TX, &head, &len));
		ck_assert_int_eq(read(wires[0], got, sizeof(got)), 512);
		ck_assert(memcmp(got, want, 512) == 0);
	}
	ck_assert_uint_eq(counters().tx_bytes, 4 * 500);
}
END_TEST

START_TEST(rss_commands_that_lie_change_nothing)
{
	struct rss_command good = rss_of(), c;
	uint16_t one = 1;

	unplug();
	plug(3, 256, PLUGGED);
	guest_drive(&g, ~0ull, 64);
#define REFUSED(change) \
	do { \
		c = good; \
		change; \
		ck_assert_uint_eq(rss(&c), VIRTIO_NET_ERR); \
	} while (0)
	REFUSED(c.mask = 2);
	REFUSED(c.mask = 7);
	REFUSED(c.mask = 0xffff);
	REFUSED(c.mask = 1);
	REFUSED(c.table[2] = 3);
	REFUSED(c.unclassified = 3);
	REFUSED(c.n_tx = 0);
	REFUSED(c.n_tx = 4);
	REFUSED(c.key_bytes = 41);
	REFUSED(c.key_bytes = 39);
	REFUSED(c.types = 1 << 6);
#undef REFUSED
	ck_assert(!port.attached[1]);
	for (uint32_t len = 0; len < sizeof(good); len++)
		ck_assert_uint_eq(command(6, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_RSS_CONFIG, &good, len), VIRTIO_NET_ERR);
	ck_assert_uint_eq(rss(&good), VIRTIO_NET_OK);
	ck_assert(port.attached[1]);
	/* pairs by number: the queues are the TAP's choice again */
	ck_assert_uint_eq(command(6, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, &one, 2), VIRTIO_NET_OK);
	ck_assert(!port.attached[1]);
	put_buffers(RX, 1, 1500);
	wire_send(0, 400);
	ck_assert(got_frame(RX));
	/* a driver that did not take the feature */
	guest_drive(&g, ~(HAS(VIRTIO_NET_F_RSS) | HAS(VIRTIO_NET_F_HASH_REPORT)), 64);
	ck_assert_uint_eq(rss(&good), VIRTIO_NET_ERR);
	wire_send(0, 400);
	put_buffers(RX, 1, 1500);
	check_frame(0, 1500, 400);
}
END_TEST

START_TEST(the_hash_is_told_without_steering)
{
	struct rss_command r = rss_of();
	struct {
		uint32_t types;
		uint16_t reserved[4];
		uint8_t key_bytes, key[40];
	} __attribute__((packed)) c = { .types = HASHED_TYPES, .key_bytes = 40 };
	struct virtio_net_hdr_v1_hash header;
	uint8_t buf[1000];
	size_t len = segment(buf, 5, 700);

	memcpy(c.key, r.key, sizeof(c.key));
	unplug();
	plug(1, 256, VMM_NIC_FEATURES | VMM_HASH_REPORT);
	ck_assert(!(guest_offered(&g) & HAS(VIRTIO_NET_F_RSS)));
	guest_drive(&g, ~0ull, 64);
	ck_assert_uint_eq(command(2, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_HASH_CONFIG, &c, sizeof(c) - 1), VIRTIO_NET_ERR);
	ck_assert_uint_eq(command(2, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_HASH_CONFIG, &c, sizeof(c)), VIRTIO_NET_OK);
	put_buffers(RX, 1, 1500);
	ck_assert_int_eq(write(wires[0], buf, len), len);
	guest_run(&g);
	ck_assert(got_frame(RX));
	memcpy(&header, drv_at(g.memory, BUFFERS, 20), sizeof(header));
	ck_assert_uint_eq(header.hash_value, hash_of(&r, buf, len).value);
	ck_assert_uint_eq(header.hash_report, VIRTIO_NET_HASH_REPORT_TCPv4);
}
END_TEST

/* A real TAP */

static void plug_tap(unsigned n_pairs)
{
	struct virtio_net_spec spec = {
		.name = "guest", .mac = { 0x52, 0x54, 0, 1, 2, 3 }, .rx_queue_size = 256,
		.tx_queue_size = 256, .n_pairs = n_pairs, .link_up = true,
		.features = VMM_NIC_FEATURES,
	};
	struct nd_error err = { 0 };

	pairs = 0;
	for (unsigned i = 0; i < n_pairs; i++) {
		spec.tap_fds[i] = tap_new("vtest0", n_pairs > 1);
		spec.vhost_fds[i] = -1;
	}
	tap_up("vtest0");
	ck_assert_msg(virtio_net_new(&spec, &net_port_tap, g.memory, g.loop, &net, &err) == 0, "%s",
		      err.text);
	ck_assert_msg(virtio_pci_new(g.bus, SLOT, virtio_net_device(net), &pci, &err) == 0, "%s",
		      err.text);
	guest_find(&g, SLOT);
}

/* The host's answer, among whatever else it says on a link that came up. */
static bool arp_answered(void)
{
	struct drv_buffer b = { TX_FRAME, 0, false };
	uint16_t head;
	uint32_t len;

	b.len = (uint32_t)arp_request(drv_at(g.memory, TX_FRAME, 100), own);
	drv_add(&g.queues[TX], &b, 1);
	guest_kick(&g, TX);
	while (guest_wait(&g, RX, &head, &len))
		if (arp_is_answer(drv_at(g.memory, BUFFERS + head * 0x1000, len), len, own))
			return true;
	return false;
}

START_TEST(host_answers_over_a_real_tap)
{
	unplug();
	for (unsigned n_pairs = 1; n_pairs <= 2; n_pairs++) {
		plug_tap(n_pairs);
		ck_assert(guest_offered(&g) & HAS(VIRTIO_NET_F_GUEST_TSO6));
		guest_drive(&g, ~0ull, 256);
		put_buffers(RX, 256, 1500);
		command(n_pairs > 1 ? 4 : 2, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, "", 1);
		ck_assert(arp_answered());
		virtio_pci_free(pci);
		virtio_net_free(net);
	}
	pairs = 0;
	plug(1, 256, VMM_NIC_FEATURES);
}
END_TEST

START_TEST(tap_without_the_header_is_refused)
{
	struct virtio_net_spec spec = { .name = "eth9", .rx_queue_size = 256, .tx_queue_size = 256, .n_pairs = 1,
					.vhost_fds = { -1 } };
	struct ifreq ifr = { .ifr_name = "vtest1", .ifr_flags = IFF_TAP | IFF_NO_PI };
	struct nd_error err = { 0 };
	struct virtio_net *n;

	spec.tap_fds[0] = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	ck_assert_int_eq(ioctl(spec.tap_fds[0], TUNSETIFF, &ifr), 0);
	ck_assert_int_lt(virtio_net_new(&spec, &net_port_tap, g.memory, g.loop, &n, &err), 0);
	ck_assert_str_eq(err.text, "NIC eth9: TAP 'vtest1' was not opened with IFF_VNET_HDR and "
				   "IFF_NO_PI");
	spec.tap_fds[0] = open("/dev/null", O_RDWR | O_CLOEXEC);
	ck_assert_int_lt(virtio_net_new(&spec, &net_port_tap, g.memory, g.loop, &n, &err), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("virtio-net");
	TCase *t = tcase_create("virtio-net");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, frame_goes_out_as_it_is);
	tcase_add_test(t, frame_comes_in_one_buffer);
	tcase_add_test(t, long_frame_is_merged_from_many_buffers);
	tcase_add_test(t, frame_longer_than_the_buffers_waits_for_more);
	tcase_add_test(t, frame_that_fits_no_ring_is_dropped_and_the_next_one_comes);
	tcase_add_test(t, without_mergeable_buffers_a_long_frame_is_dropped);
	tcase_add_test(t, more_frames_than_a_share_all_come);
	tcase_add_test(t, frames_wait_while_the_wire_is_full_and_go_on_after);
	tcase_add_test(t, frame_without_a_header_is_an_error_of_its_own);
	tcase_add_test(t, receive_buffer_that_cannot_be_written_breaks_its_queue_only);
	tcase_add_test(t, receive_buffer_shorter_than_the_header_breaks_the_queue);
	tcase_add_test(t, frames_from_before_the_driver_are_stale);
	tcase_add_test(t, offer_follows_what_the_tap_takes_and_what_is_allowed);
	tcase_add_test(t, sending_waits_for_more_when_asked_to);
	tcase_add_test(t, kicks_need_no_eventfd_where_there_shall_be_none);
	tcase_add_test(t, configuration_holds_mac_status_and_mtu);
	tcase_add_test(t, tap_gets_the_offloads_that_the_guest_took);
	tcase_add_test(t, link_goes_down_and_up);
	tcase_add_test(t, guest_announces_itself_when_asked);
	tcase_add_test(t, only_what_the_guest_wants_comes);
	tcase_add_test(t, guest_lists_addresses_and_sets_its_own);
	tcase_add_test(t, tables_that_lie_about_their_length_change_nothing);
	tcase_add_test(t, more_addresses_than_fit_let_all_of_their_kind_pass);
	tcase_add_test(t, tagged_frames_come_for_listed_vlans);
	tcase_add_test(t, pairs_take_part_when_the_guest_says_so);
	tcase_add_test(t, frames_come_in_the_queue_of_their_hash_with_it);
	tcase_add_test(t, hashed_frames_fill_several_buffers_or_are_dropped);
	tcase_add_test(t, the_longer_header_does_not_leave_with_what_is_sent);
	tcase_add_test(t, rss_commands_that_lie_change_nothing);
	tcase_add_test(t, the_hash_is_told_without_steering);
	/* a network of its own, where nobody minds another TAP; a user cannot make one */
	if (unshare(CLONE_NEWNET) == 0) {
		tcase_add_test(t, host_answers_over_a_real_tap);
		tcase_add_test(t, tap_without_the_header_is_refused);
	} else {
		printf("no network namespace (%s): the tests with a real TAP are left out\n",
		       strerror(errno));
	}
	suite_add_tcase(s, t);
	return suite_run(s);
}
