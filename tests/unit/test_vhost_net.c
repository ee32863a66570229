/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The network device with the kernel's vhost-net at its queues, over a real TAP: needs /dev/vhost-net, which
 * the lab has, and no KVM: to the kernel, a guest is memory with rings in it. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "tests/suite.h"
#include "tests/unit/virtio_guest.h"
#include "tests/unit/virtio_tap.h"
#include "vmm/net_port.h"
#include "vmm/virtio.h"
#include "vmm/virtio_net.h"
#include "vmm/virtio_pci.h"

#define SLOT 5
#define RX 0
#define TX 1
#define TX_FRAME (GUEST_DATA + 0x400000)
#define HAS(feature) (1ull << (feature))

static const uint8_t own[6] = { 0x52, 0x54, 0, 1, 2, 3 };

static struct guest g;
static struct virtio_net *net;
static struct virtio_pci *pci;

/* Whether a vhost thread is still there that takes a frame of the second pair's transmit queue. */
static bool second_pair_moves(void)
{
	struct virtio_queue *q = &virtio_net_device(net)->queues[3];
	struct drv_buffer b = { TX_FRAME, 0, false };
	uint16_t used = g.queues[3].used->idx;

	b.len = (uint32_t)arp_request(drv_at(g.memory, TX_FRAME, 100), own);
	drv_add(&g.queues[3], &b, 1);
	virtio_signal(q->kick_fd);
	for (unsigned ms = 0; ms < 300; ms++) {
		if (g.queues[3].used->idx != used)
			return true;
		(void)poll(NULL, 0, 1);
	}
	return false;
}

static unsigned n_detached;		/* queues that the driver no longer wanted */
static bool moved_when_detached;

static int set_queue_watched(int fd, bool attached)
{
	if (!attached && net && virtqueue_running(&virtio_net_device(net)->queues[3].vq)) {
		n_detached++;
		moved_when_detached |= second_pair_moves();
	}
	return net_port_tap.set_queue(fd, attached);
}

static void plug_by(unsigned n_pairs, const struct net_port_ops *port)
{
	struct virtio_net_spec spec = { .name = "guest", .mac = { 0x52, 0x54, 0, 1, 2, 3 },
					.rx_queue_size = 256, .tx_queue_size = 256, .n_pairs = n_pairs,
					.link_up = true, .features = VMM_NIC_FEATURES | VMM_STANDBY };
	struct nd_error err = { 0 };

	for (unsigned i = 0; i < n_pairs; i++) {
		spec.tap_fds[i] = tap_new("vhost0", n_pairs > 1);
		spec.vhost_fds[i] = open("/dev/vhost-net", O_RDWR | O_CLOEXEC);
		ck_assert_int_ge(spec.vhost_fds[i], 0);
	}
	tap_up("vhost0");
	ck_assert_msg(virtio_net_new(&spec, port, g.memory, g.loop, &net, &err) == 0, "%s",
		      err.text);
	ck_assert(virtio_net_uses_vhost(net));
	ck_assert_msg(virtio_pci_new(g.bus, SLOT, virtio_net_device(net), &pci, &err) == 0, "%s",
		      err.text);
	guest_find(&g, SLOT);
}

static void plug(unsigned n_pairs)
{
	plug_by(n_pairs, &net_port_tap);
}

static void setup(void)
{
	guest_init(&g);
	plug(1);
}

static void teardown(void)
{
	virtio_pci_free(pci);
	virtio_net_free(net);
	net = NULL;
	guest_fini(&g);
}

/* Where a receive queue's buffer lies: a queue must not write over what another one received. */
static uint64_t buffer_gpa(unsigned queue, unsigned i)
{
	return GUEST_DATA + queue * 0x100000 + i * 0x1000;
}

static void put_buffers(unsigned queue, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct drv_buffer b = { buffer_gpa(queue, i), 1600, true };

		drv_add(&g.queues[queue], &b, 1);
	}
	guest_kick(&g, queue);
}

static void drive(void)
{
	guest_drive(&g, ~0ull, 256);
	put_buffers(RX, 200);
}

static void ask(void)
{
	struct drv_buffer b = { TX_FRAME, 0, false };

	b.len = (uint32_t)arp_request(drv_at(g.memory, TX_FRAME, 100), own);
	drv_interrupts_on(&g.queues[RX]);
	drv_add(&g.queues[TX], &b, 1);
	guest_kick(&g, TX);
}

/* Waits up to so long for the host's answer. */
static bool answered(unsigned timeout_ms)
{
	uint16_t head;
	uint32_t len;

	for (unsigned ms = 0; ms < timeout_ms; ms++) {
		guest_run(&g);
		while (drv_get(&g.queues[RX], &head, &len))
			if (arp_is_answer(drv_at(g.memory, buffer_gpa(RX, head), len), len, own))
				return true;
		(void)poll(NULL, 0, 1);
	}
	return false;
}

START_TEST(kernel_moves_frames_and_interrupts_by_itself)
{
	struct net_counters c;

	ck_assert(!(guest_offered(&g) & HAS(VIRTIO_NET_F_CTRL_VLAN)));
	ck_assert(guest_offered(&g) & HAS(VIRTIO_NET_F_STANDBY));	/* the kernel's module has no say in it */
	ck_assert(!virtio_net_count(net, &c));
	drive();
	ask();
	ck_assert(answered(20000));
	ck_assert_uint_ge(guest_interrupts(&g, RX + 1), 1);
	ck_assert_uint_eq(guest_status(&g), 0xf);
}
END_TEST

START_TEST(link_takes_the_kernel_off_and_on_where_it_was)
{
	drive();
	ask();
	ck_assert(answered(20000));
	for (unsigned round = 0; round < 5; round++) {
		virtio_net_set_link(net, false);
		ask();
		ck_assert(!answered(50));
		virtio_net_set_link(net, true);
		ck_assert(answered(20000));	/* the frame that waited */
		ask();
		ck_assert(answered(20000));
	}
}
END_TEST

START_TEST(reset_leaves_the_old_rings_alone)
{
	for (unsigned round = 0; round < 5; round++) {
		uint16_t used;

		drive();
		ask();
		ck_assert(answered(20000));
		guest_set_status(&g, 0);
		ck_assert_uint_eq(guest_status(&g), 0);
		used = g.queues[TX].used->idx;
		ask();
		ck_assert(!answered(20));
		ck_assert_uint_eq(g.queues[TX].used->idx, used);
	}
}
END_TEST

START_TEST(broken_ring_needs_a_reset)
{
	drive();
	ask();
	ck_assert(answered(20000));
	/* its index is ahead by more than the ring holds */
	g.queues[TX].avail->idx += 1000;
	guest_kick(&g, TX);
	for (unsigned ms = 0; guest_status(&g) == 0xf && ms < 5000; ms++) {
		guest_run(&g);
		(void)poll(NULL, 0, 1);
	}
	ck_assert_uint_eq(guest_status(&g), 0x4f);
	ck_assert_uint_ge(guest_interrupts(&g, 0), 1);
	drive();
	ask();
	ck_assert(answered(20000));
}
END_TEST

START_TEST(interrupt_follows_its_vector)
{
	drive();
	guest_write(&g, g.common + 22, RX, 2);
	guest_write(&g, g.common + 26, 3, 2);
	ask();
	ck_assert(answered(20000));
	ck_assert_uint_ge(guest_interrupts(&g, 3), 1);
	ck_assert_uint_eq(guest_interrupts(&g, RX + 1), 0);
}
END_TEST

/* By the control queue of a device with two pairs. */
static void use_pairs(uint8_t n)
{
	struct drv_buffer b[] = { { GUEST_DATA + 0x500000, 4, false },
				  { GUEST_DATA + 0x500010, 1, true } };
	uint16_t head;
	uint32_t len;

	memcpy(drv_at(g.memory, b[0].gpa, 4), (uint8_t[]){ VIRTIO_NET_CTRL_MQ, 0, n, 0 }, 4);
	drv_add(&g.queues[4], b, 2);
	guest_kick(&g, 4);
	ck_assert(guest_wait(&g, 4, &head, &len));
	ck_assert_uint_eq(*(uint8_t *)drv_at(g.memory, b[1].gpa, 1), VIRTIO_NET_OK);
}

START_TEST(several_pairs_have_a_kernel_each)
{
	struct drv_buffer b = { TX_FRAME, 0, false };
	uint16_t head;
	uint32_t len;

	teardown();
	guest_init(&g);
	plug(2);
	drive();
	put_buffers(2, 200);
	use_pairs(2);
	/* by the second pair's queue out; in by whichever the kernel chose */
	b.len = (uint32_t)arp_request(drv_at(g.memory, TX_FRAME, 100), own);
	drv_add(&g.queues[3], &b, 1);
	guest_kick(&g, 3);
	ck_assert(guest_wait(&g, 3, &head, &len));
	for (unsigned ms = 0; ms < 5000; ms++) {
		for (unsigned queue = 0; queue < 4; queue += 2)
			while (drv_get(&g.queues[queue], &head, &len))
				if (arp_is_answer(drv_at(g.memory, buffer_gpa(queue, head), len),
						  len, own))
					return;
		(void)poll(NULL, 0, 1);
	}
	ck_abort_msg("no answer in either queue");
}
END_TEST

START_TEST(kernel_lets_go_of_a_queue_before_the_tap_does)
{
	struct net_port_ops port = net_port_tap;

	port.set_queue = set_queue_watched;
	teardown();
	guest_init(&g);
	plug_by(2, &port);
	drive();
	use_pairs(2);
	ck_assert(second_pair_moves());
	use_pairs(1);
	ck_assert_uint_eq(n_detached, 1);
	ck_assert(!moved_when_detached);
	use_pairs(2);
	ck_assert(second_pair_moves());
}
END_TEST

int main(void)
{
	Suite *s;
	TCase *t;

	if (access("/dev/vhost-net", R_OK | W_OK) < 0 || unshare(CLONE_NEWNET) < 0) {
		printf("skipped: no /dev/vhost-net here (%s)\n", strerror(errno));
		return 77;
	}
	s = suite_create("vhost-net");
	t = tcase_create("vhost-net");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 300);
	tcase_add_test(t, kernel_moves_frames_and_interrupts_by_itself);
	tcase_add_test(t, link_takes_the_kernel_off_and_on_where_it_was);
	tcase_add_test(t, reset_leaves_the_old_rings_alone);
	tcase_add_test(t, broken_ring_needs_a_reset);
	tcase_add_test(t, interrupt_follows_its_vector);
	tcase_add_test(t, several_pairs_have_a_kernel_each);
	tcase_add_test(t, kernel_lets_go_of_a_queue_before_the_tap_does);
	suite_add_tcase(s, t);
	return suite_run(s);
}
