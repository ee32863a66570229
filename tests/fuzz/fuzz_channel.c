/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What netd and a server could be told over their channel by an end that was taken over. The
 * input is a sequence of
 *	u8 flags, u16 length, length bytes of a packet
 * where flag 1 fills the packet up to its greatest length: only so can a message have pieces.
 * Every body is given to every decoder, and what they accept must encode to the same bytes again.
 */
#include <stdlib.h>
#include <string.h>

#include "netd/daemon/lease_cache.h"
#include "netd/serve/channel.h"
#include "netd/serve/config.h"
#include "netd/serve/message.h"

#define MUST(what) do { if (!(what)) abort(); } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void config_check(struct rd body)
{
	ND_AUTO(serve_config_free) struct serve_config *c = NULL;
	ND_AUTO(free) uint8_t *bytes = NULL;
	struct serve_start head;
	struct rd plain = body;
	size_t len;

	if (serve_config_decode(&plain, &c) < 0) {
		(void)serve_start_decode(&body, &head);
		return;
	}
	MUST(serve_config_bytes(c, &bytes, &len) == 0);
	MUST(len == rd_left(&body) && memcmp(bytes, body.at, len) == 0);
	(void)serve_config_sockets_digest(c);
}

static void leases_check(struct lease_cache *cache, struct rd body)
{
	uint8_t bytes[SERVE_LEASE_MAX_BYTES + 1];
	struct wr w = wr_init(bytes, sizeof(bytes));
	enum serve_lease_change change;
	struct serve_lease lease;
	struct rd all = body, one = body;

	(void)lease_cache_replace(cache, &all, NULL, NULL);
	if (serve_lease_event_decode(&one, &change, &lease) < 0)
		return;
	serve_lease_event_encode(change, &lease, &w);
	MUST(!w.full && wr_len(&w) == rd_left(&body) && memcmp(bytes, body.at, wr_len(&w)) == 0);
	(void)lease_cache_event(cache, change, &lease, NULL, NULL);
}

static void lists_check(struct rd body)
{
	struct serve_counter counters[SERVE_COUNTERS_MAX];
	ND_AUTO(free) struct dns_upstream *upstreams = NULL;
	ND_AUTO(free) struct nd_mac *ports = NULL;
	struct serve_hello hello;
	struct rd r = body;
	size_t n;

	(void)serve_upstreams_decode(&r, &upstreams, &n);
	r = body;
	(void)serve_ports_decode(&r, &ports, &n);
	r = body;
	(void)serve_counters_decode(&r, counters, &n);
	r = body;
	(void)serve_hello_decode(&r, &hello);
}

static void count(void *arg, const struct serve_lease *lease)
{
	++*(size_t *)arg;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t packet[CHANNEL_PACKET_MAX];
	ND_AUTO(lease_cache_free) struct lease_cache *cache = lease_cache_new();
	struct channel_input in = { 0 };
	struct rd r = rd_init(data, size);
	struct channel_message m;
	size_t n = 0;

	while (rd_more(&r)) {
		uint8_t flags = rd_u8(&r);
		struct rd part = rd_sub(&r, rd_u16(&r));
		size_t len = rd_left(&part);

		if (len > sizeof(packet))
			break;
		memset(packet, 0, sizeof(packet));
		rd_copy(&part, packet, len);
		if (channel_input_packet(&in, CHANNEL_MAGIC, packet, flags & 1 ? sizeof(packet) : len, &m) != 1)
			continue;
		config_check(m.body);
		leases_check(cache, m.body);
		lists_check(m.body);
	}
	MUST(lease_cache_each(cache, NULL, count, &n) == n);
	channel_input_fini(&in);
	return 0;
}
