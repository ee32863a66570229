/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The network device that hashes what comes, tells the guest the hash and steers by it. */
#include <linux/virtio_net.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/net_scene.h"
#include "vmm/net_port.h"
#include "vmm/net_rss.h"

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

static void add_tests(TCase *t)
{
	tcase_add_test(t, frames_come_in_the_queue_of_their_hash_with_it);
	tcase_add_test(t, hashed_frames_fill_several_buffers_or_are_dropped);
	tcase_add_test(t, the_longer_header_does_not_leave_with_what_is_sent);
	tcase_add_test(t, rss_commands_that_lie_change_nothing);
	tcase_add_test(t, the_hash_is_told_without_steering);
}

int main(void)
{
	return scene_run("virtio-net rss", add_tests);
}
