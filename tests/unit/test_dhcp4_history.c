/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Random clients against the server, watched from the wire: no address has two holders.
 *
 * The clients discover, request, renew, reboot, release, decline, lie and fall silent; replies are
 * lost, so that a client goes on with the lease that it had; the store is slow, fails, and the server
 * is killed and started again with what the store had by then, which may be more than it told
 * anybody; the configuration and the ports change. The checker knows nothing of the server's tables: it
 * sees frames, and keeps for each address who was told last that it has it, until when.
 *
 * Seeds are fixed; NETD_HISTORY_STEPS=n makes each run longer.
 */
#include <check.h>
#include <stdlib.h>

#include "dhcp/dhcp4_server.h"
#include "dhcp4_peer.h"
#include "tests/suite.h"

#define N_CLIENTS 60
#define N_ADDRESSES 256
#define QUEUE_MAX 64

struct holder {
	unsigned client;		/* 0: nobody */
	uint64_t until_ms;
};

struct queued {
	struct lease_row row;
	uint64_t ticket;
	uint64_t asked_ms;
	size_t len;			/* of the reply that waits for it */
	uint8_t frame[DHCP_FRAME_MAX];
};

struct world {
	uint64_t now_ms;
	struct dhcp_config config;
	struct dhcp_pool pool;
	struct dhcp_reservation host;
	struct dhcp4_server *server;
	struct queued queue[QUEUE_MAX];		/* rows on the way to the disk */
	unsigned n_queued;
	struct lease_row disk[N_ADDRESSES];
	bool on_disk[N_ADDRESSES];
	struct holder holders[N_ADDRESSES];	/* the checker's, by last byte */
	uint8_t offered[N_CLIENTS + 1], leased[N_CLIENTS + 1];	/* what clients believe */
	bool plugged[N_CLIENTS + 1];
	unsigned acks, naks, crashes, lost;
};

static unsigned last_byte(struct in_addr a)
{
	return ntohl(a.s_addr) & 0xff;
}

static struct in_addr address(unsigned byte)
{
	return (struct in_addr){ htonl(0x0a090800 + byte) };
}

/* --- the checker --- */

static unsigned client_of(struct nd_mac mac)
{
	return mac.bytes[4] << 8 | mac.bytes[5];
}

static void forget_holder(struct world *w, unsigned client)
{
	for (unsigned i = 0; i < N_ADDRESSES; i++)
		if (w->holders[i].client == client)
			w->holders[i].client = 0;
}

/* A client counts its lease from the moment it asked (RFC 2131 4.4.1). */
static void check_reply(struct world *w, uint64_t asked_ms, const uint8_t *frame, size_t len)
{
	struct peer_reply r;
	unsigned client, byte;
	struct holder *h;

	if (rand() % 10 == 0) {
		w->lost++;
		return;
	}
	peer_read(&r, frame, len);
	ck_assert(r.len && r.sums_right);
	client = client_of(*(const struct nd_mac *)(r.frame + 42 + 28));
	byte = last_byte(r.yiaddr);
	if (r.type == 2)
		w->offered[client] = byte;
	if (r.type == 6) {
		w->naks++;
		/* A holder whose lease runs is not sent away, unless the configuration did it. */
		w->leased[client] = 0;
	}
	if (r.type != 5 || !r.yiaddr.s_addr)
		return;
	w->acks++;
	h = &w->holders[byte];
	ck_assert_msg(!h->client || h->client == client || h->until_ms <= w->now_ms,
		      "10.9.8.%u acknowledged to client %u while client %u has it for %d s more",
		      byte, client, h->client, (int)((h->until_ms - w->now_ms) / 1000));
	if (asked_ms + (uint64_t)peer_u32(&r, 51) * 1000 <= w->now_ms)
		return;			/* the disk took so long that the client has given up */
	forget_holder(w, client);
	*h = (struct holder){ client, asked_ms + (uint64_t)peer_u32(&r, 51) * 1000 };
	w->leased[client] = byte;
}

/* --- the store --- */

static bool on_store(void *ctx, const struct lease_row *row, uint64_t ticket)
{
	struct world *w = ctx;

	if (w->n_queued == QUEUE_MAX)
		return false;
	w->queue[w->n_queued++] = (struct queued){ .row = *row, .ticket = ticket };
	return true;
}

/* The disk knows seconds, like the database. */
static void write_rows(struct world *w, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct lease_row *row = &w->queue[i].row;
		unsigned byte = last_byte(row->address);

		w->disk[byte] = *row;
		w->disk[byte].start_ms -= w->disk[byte].start_ms % 1000;
		if (row->expires_ms != LEASE_NEVER_MS)
			w->disk[byte].expires_ms = (row->expires_ms + 999) / 1000 * 1000;
		w->on_disk[byte] = row->state != LEASE_ROW_GONE;
	}
}

/* The first n rows reach the disk, or do not. */
static void flush(struct world *w, unsigned n, bool ok)
{
	struct queued batch[QUEUE_MAX];

	if (n > w->n_queued)
		n = w->n_queued;
	memcpy(batch, w->queue, sizeof(batch));
	if (ok)
		write_rows(w, n);
	w->n_queued -= n;
	memmove(w->queue, w->queue + n, w->n_queued * sizeof(w->queue[0]));
	for (unsigned i = 0; i < n; i++)
		if (batch[i].ticket &&
		    dhcp4_server_settle(w->server, batch[i].ticket, ok, w->now_ms) &&
		    batch[i].len)
			check_reply(w, batch[i].asked_ms, batch[i].frame, batch[i].len);
}

/* --- the server's life --- */

static void set_ports(struct world *w)
{
	struct nd_mac macs[N_CLIENTS];
	size_t n = 0;

	for (unsigned c = 1; c <= N_CLIENTS; c++)
		if (w->plugged[c])
			macs[n++] = peer_mac(c);
	ck_assert_int_eq(dhcp4_leases_set_ports(dhcp4_server_leases(w->server), macs, n,
						w->now_ms), 0);
}

static void start(struct world *w)
{
	struct dhcp4_lease_hooks hooks = { .ctx = w, .store = on_store };
	struct nd_mac mac = peer_mac(0xfffff);

	w->server = dhcp4_server_new(&w->config, &mac, &hooks);
	ck_assert_ptr_nonnull(w->server);
	for (unsigned i = 0; i < N_ADDRESSES; i++)
		if (w->on_disk[i])
			ck_assert_int_eq(dhcp4_leases_load(dhcp4_server_leases(w->server),
							   &w->disk[i], w->now_ms), 0);
	set_ports(w);
}

/* Some rows reached the disk, and the server died before it could tell. */
static void crash(struct world *w)
{
	write_rows(w, (unsigned)rand() % (w->n_queued + 1));
	dhcp4_server_free(w->server);
	w->n_queued = 0;
	w->crashes++;
	start(w);
}

/* --- the clients --- */

static void deliver(struct world *w, struct peer_request *r)
{
	struct dhcp4_reply out;
	struct dhcp_frame in;

	peer_finish(r);
	ck_assert(dhcp_frame_decode(r->frame, r->len, false, &in));
	dhcp4_server_handle(w->server, &in, w->now_ms, &out);
	if (!out.len)
		return;
	if (!out.ticket) {
		check_reply(w, w->now_ms, out.frame, out.len);
		return;
	}
	ck_assert_uint_gt(w->n_queued, 0);
	ck_assert_uint_eq(w->queue[w->n_queued - 1].ticket, out.ticket);
	w->queue[w->n_queued - 1].asked_ms = w->now_ms;
	w->queue[w->n_queued - 1].len = out.len;
	memcpy(w->queue[w->n_queued - 1].frame, out.frame, out.len);
}

static void add_extras(struct peer_request *r, unsigned client)
{
	char name[16];

	if (rand() % 3 == 0)
		peer_option_text(r, 61, rand() % 2 ? "\x01" "clone" : "\x01other");
	snprintf(name, sizeof(name), "g%u", rand() % 10);
	if (rand() % 3 == 0)
		peer_option_text(r, 12, name);
	if (rand() % 4 == 0)
		peer_option_u32(r, 51, (uint32_t)(rand() % 2000));
}

static void send_discover(struct world *w, unsigned client)
{
	struct peer_request r;

	peer_begin(&r, peer_mac(client), 1);
	if (rand() % 3 == 0)
		peer_option_ip(&r, 50, address(rand() % N_ADDRESSES));
	if (rand() % 8 == 0)
		peer_option(&r, 80, "", 0);
	add_extras(&r, client);
	deliver(w, &r);
}

static void send_request(struct world *w, unsigned client)
{
	struct peer_request r;
	unsigned byte = w->offered[client] ? w->offered[client] : (unsigned)rand() % N_ADDRESSES;

	peer_begin(&r, peer_mac(client), 3);
	peer_option_ip(&r, 54, rand() % 10 ? w->config.server : address(9));
	peer_option_ip(&r, 50, address(byte));
	add_extras(&r, client);
	deliver(w, &r);
}

static void send_renew(struct world *w, unsigned client)
{
	struct peer_request r;
	bool own = rand() % 8;
	unsigned byte = own ? w->leased[client] : (unsigned)rand() % N_ADDRESSES;

	/* Only an address that it has goes into ciaddr: that tells the server that it knows of it. */
	peer_begin(&r, peer_mac(client), 3);
	if (own && rand() % 2)
		peer_set_ip(&r, PEER_CIADDR, address(byte));
	else
		peer_option_ip(&r, 50, address(byte));
	add_extras(&r, client);
	deliver(w, &r);
}

/* RELEASE or DECLINE, now and then of an address that the client does not have. */
static void send_end(struct world *w, unsigned client, uint8_t type)
{
	struct peer_request r;
	unsigned byte = rand() % 8 ? w->leased[client] : (unsigned)rand() % N_ADDRESSES;

	if (w->holders[byte].client == client)
		w->holders[byte].client = 0;
	peer_begin(&r, peer_mac(client), type);
	peer_option_ip(&r, 54, w->config.server);
	if (type == 7)
		peer_set_ip(&r, PEER_CIADDR, address(byte));
	else
		peer_option_ip(&r, 50, address(byte));
	deliver(w, &r);
	/* What waits for the disk may still be acknowledged, and counts from then on. */
	w->leased[client] = 0;
}

static void change_ports(struct world *w)
{
	unsigned client = 1 + (unsigned)rand() % N_CLIENTS;

	if (w->plugged[client])
		forget_holder(w, client);
	w->plugged[client] = !w->plugged[client];
	set_ports(w);
}

static void change_config(struct world *w)
{
	w->pool.end = address(20 + (unsigned)rand() % 40);
	w->config.n_reservations = rand() % 2;
	w->host.address = address(10 + (unsigned)rand() % 60);
	w->config.lease_time_s = 200 + (uint32_t)rand() % 2000;
	ck_assert_int_eq(dhcp4_server_configure(w->server, &w->config), 0);
}

static void step(struct world *w)
{
	unsigned client = 1 + (unsigned)rand() % N_CLIENTS, what = (unsigned)rand() % 1000;

	w->now_ms += (uint64_t)rand() % 20000;
	if (what < 300)
		send_discover(w, client);
	else if (what < 600)
		send_request(w, client);
	else if (what < 820)
		send_renew(w, client);
	else if (what < 870)
		send_end(w, client, 7);
	else if (what < 890)
		send_end(w, client, 4);
	else if (what < 980)
		flush(w, 1 + (unsigned)rand() % 8, rand() % 10 != 0);
	else if (what < 990)
		change_ports(w);
	else if (what < 995)
		crash(w);
	else if (what < 998)
		change_config(w);
	else
		w->now_ms += 3600 * 1000;
}

static void begin(struct world *w, unsigned seed)
{
	srand(seed);
	memset(w, 0, sizeof(*w));
	w->now_ms = 1000000;
	w->pool = (struct dhcp_pool){ address(10), address(40), 0 };
	w->host.has_mac = true;
	w->host.mac = peer_mac(5);
	w->host.address = address(30);
	w->config = (struct dhcp_config){ .enabled = true, .server = address(1),
					  .router = address(1), .prefix_len = 24,
					  .lease_time_s = 600, .pools = &w->pool, .n_pools = 1,
					  .reservations = &w->host };
	start(w);
}

START_TEST(no_address_has_two_holders)
{
	const char *text = getenv("NETD_HISTORY_STEPS");
	long steps = text ? atol(text) : 20000;
	static struct world w;

	for (unsigned seed = 1; seed <= 10; seed++) {
		begin(&w, seed);
		for (long i = 0; i < steps; i++)
			step(&w);
		flush(&w, QUEUE_MAX, true);
		/* The world was busy enough for the checker to mean something. */
		ck_assert_uint_gt(w.acks, steps / 20);
		ck_assert_uint_gt(w.naks, steps / 100);
		ck_assert_uint_gt(w.crashes, 10);
		ck_assert_uint_gt(w.lost, steps / 100);
		dhcp4_server_free(w.server);
	}
}
END_TEST

START_TEST(no_acknowledged_lease_is_forgotten_by_a_crash)
{
	static struct world w;

	for (unsigned seed = 100; seed < 120; seed++) {
		begin(&w, seed);
		for (int i = 0; i < 400; i++) {
			send_discover(&w, 1 + (unsigned)rand() % N_CLIENTS);
			send_request(&w, 1 + (unsigned)rand() % N_CLIENTS);
			if (rand() % 3 == 0)
				flush(&w, 1 + (unsigned)rand() % 4, true);
			w.now_ms += 100;
		}
		crash(&w);
		for (unsigned c = 1; c <= N_CLIENTS; c++) {
			unsigned byte = w.leased[c], naks = w.naks;
			struct peer_request r;

			if (!byte || w.holders[byte].client != c ||
			    w.holders[byte].until_ms <= w.now_ms)
				continue;
			peer_begin(&r, peer_mac(c), 3);
			peer_set_ip(&r, PEER_CIADDR, address(byte));
			deliver(&w, &r);
			flush(&w, QUEUE_MAX, true);
			ck_assert_uint_eq(w.naks, naks);
			ck_assert_uint_eq(w.leased[c], byte);
		}
		dhcp4_server_free(w.server);
	}
}
END_TEST

START_TEST(exhausted_pool_serves_again_when_leases_end)
{
	static struct world w;
	unsigned held = 0;

	begin(&w, 7);
	for (int i = 0; i < 3000; i++) {
		send_discover(&w, 1 + (unsigned)rand() % N_CLIENTS);
		send_request(&w, 1 + (unsigned)rand() % N_CLIENTS);
		flush(&w, QUEUE_MAX, true);
	}
	w.now_ms += 7200 * 1000;
	memset(w.offered, 0, sizeof(w.offered));
	for (unsigned c = 1; c <= N_CLIENTS; c++) {
		unsigned acks = w.acks;

		send_discover(&w, c);
		if (w.offered[c])
			send_request(&w, c);
		flush(&w, QUEUE_MAX, true);
		held += w.acks > acks;
	}
	/* 31 addresses, three quarters for MACs that nobody plugged; a few named another server */
	ck_assert_uint_ge(held, 16);
	dhcp4_server_free(w.server);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("dhcp4_history");
	TCase *c = tcase_create("history");

	tcase_set_timeout(c, 0);
	tcase_add_test(c, no_address_has_two_holders);
	tcase_add_test(c, no_acknowledged_lease_is_forgotten_by_a_crash);
	tcase_add_test(c, exhausted_pool_serves_again_when_leases_end);
	suite_add_tcase(s, c);
	return suite_run(s);
}
