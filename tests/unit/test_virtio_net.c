/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The network device: frames both ways over a socket that stands for the TAP, link and offloads; and
 * once, where one may make one, over a real TAP. */
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

#include "tests/unit/net_scene.h"
#include "tests/unit/virtio_tap.h"
#include "vmm/net_port.h"

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
	ck_assert(!(guest_offered(&g) & HAS(VIRTIO_NET_F_STANDBY)));
	guest_write(&g, g.common + 22, 0, 2);
	ck_assert_uint_eq(guest_read(&g, g.common + 24, 2), 1024);
	unplug();
	plug(1, 256, VMM_STANDBY);
	ck_assert(guest_offered(&g) & HAS(VIRTIO_NET_F_STANDBY));
	ck_assert(guest_negotiate(&g, HAS(VIRTIO_NET_F_STANDBY) | HAS(VIRTIO_F_VERSION_1)));
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

/* A real TAP */

static void plug_tap(unsigned n_pairs)
{
	struct virtio_net_spec spec = {
		.name = "guest", .mac = SCENE_MAC, .rx_queue_size = 256,
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

static const uint8_t own[6] = SCENE_MAC;

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

static void add_tests(TCase *t)
{
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
	/* a network of its own, where nobody minds another TAP; a user cannot make one */
	if (unshare(CLONE_NEWNET) == 0) {
		tcase_add_test(t, host_answers_over_a_real_tap);
		tcase_add_test(t, tap_without_the_header_is_refused);
	} else {
		printf("no network namespace (%s): the tests with a real TAP are left out\n",
		       strerror(errno));
	}
}

int main(void)
{
	return scene_run("virtio-net", add_tests);
}
