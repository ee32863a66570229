/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_serve.c -- the channel between netd and its servers, and who gets served when */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "netd/base/array.h"
#include "netd/daemon/lease_cache.h"
#include "netd/serve/channel.h"
#include "netd/serve/config.h"
#include "netd/serve/intake.h"
#include "netd/serve/message.h"
#include "netd/serve/share.h"
#include "tests/suite.h"

static struct nd_ip ip(const char *text)
{
	struct nd_ip out;

	ck_assert(nd_ip_parse(text, &out));
	return out;
}

static struct nd_prefix prefix(const char *text, uint8_t len)
{
	return (struct nd_prefix){ ip(text), len };
}

static void dhcp_fill(struct dhcp_config *c, size_t reservations)
{
	*c = (struct dhcp_config){
		.enabled = true, .server = ip("192.168.7.1").v4, .prefix_len = 24,
		.lease_time_s = 3600, .router = ip("192.168.7.1").v4, .dns = ip("192.168.7.1").v4,
		.domain = "lab.example", .mtu_bytes = 1400, .boot_file = "pxe.0",
		.boot_server = ip("192.168.7.9").v4,
	};
	*nd_array_add(c->pools, c->n_pools) = (struct dhcp_pool){
		ip("192.168.7.10").v4, ip("192.168.7.99").v4, 600 };
	*nd_array_add(c->routes, c->n_routes) = (struct dhcp_static_route){
		ip("10.0.0.0").v4, 8, ip("192.168.7.2").v4 };
	for (size_t i = 0; i < reservations; i++) {
		struct dhcp_reservation *r = nd_array_add(c->reservations, c->n_reservations);

		r->has_mac = i % 3 != 0;
		if (r->has_mac)
			memcpy(r->mac.bytes, &i, 6);
		r->client_id_len = i % 256;
		memset(r->client_id, (int)i & 0xff, r->client_id_len);
		snprintf(r->name, sizeof(r->name), "guest%zu", i);
		r->address.s_addr = htonl(0x0a000000 + (uint32_t)i);
		r->lease_time_s = (uint32_t)i;
	}
}

static void dns_fill(struct dns_config *c)
{
	struct dns_host_record *host;

	*c = (struct dns_config){ .enabled = true, .domain = strdup("lab.example"),
				  .local_only = true, .use_host_resolvers = true };
	host = nd_array_add(c->hosts, c->n_hosts);
	host->ip = ip("fd00::7");
	*nd_array_add(host->names, host->n_names) = strdup("seven");
	*nd_array_add(host->names, host->n_names) = strdup("sept");
	*nd_array_add(c->txts, c->n_txts) =
		(struct dns_txt_record){ strdup("note"), strdup("a b,c") };
	*nd_array_add(c->srvs, c->n_srvs) = (struct dns_srv_record){
		strdup("_ldap._tcp"), strdup(""), 389, 1, 2 };
	*nd_array_add(c->rules, c->n_rules) = (struct dns_forward_rule){
		NULL, ip("192.0.2.1"), 5353 };
	*nd_array_add(c->rules, c->n_rules) = (struct dns_forward_rule){
		strdup("corp"), { 0 }, 0 };
	*nd_array_add(c->local_ptr, c->n_local_ptr) = prefix("192.168.7.0", 24);
	*nd_array_add(c->upstreams, c->n_upstreams) = (struct dns_upstream){ ip("192.0.2.53"), 53 };
	*nd_array_add(c->subnets, c->n_subnets) = prefix("192.168.7.1", 24);
	*nd_array_add(c->subnets, c->n_subnets) = prefix("fd00::1", 64);
}

static struct serve_config *config_full(size_t reservations)
{
	struct serve_config *c = serve_config_new();

	strcpy(c->network, "lab");
	strcpy(c->bridge, "virbr7");
	nd_uuid_parse("3f2e1c77-0f6d-4f0e-8f55-3fcb0d9b2a01", &c->uuid);
	c->ifindex = 12;
	c->mac.bytes[0] = 0x52;
	c->uid = 900007;
	*nd_array_add(c->addresses, c->n_addresses) = ip("192.168.7.1");
	*nd_array_add(c->addresses, c->n_addresses) = ip("fd00::1");
	*nd_array_add(c->ports, c->n_ports) = (struct nd_mac){ { 0x52, 0x54, 0, 1, 2, 3 } };
	dhcp_fill(&c->dhcp, reservations);
	dns_fill(&c->dns);
	return c;
}

START_TEST(a_configuration_survives_the_wire)
{
	ND_AUTO(serve_config_free) struct serve_config *c = config_full(300), *back = NULL;
	ND_AUTO(free) uint8_t *bytes = NULL;
	size_t len;
	struct rd r;

	ck_assert_int_eq(serve_config_bytes(c, &bytes, &len), 0);
	r = rd_init(bytes, len);
	ck_assert_int_eq(serve_config_decode(&r, &back), 0);
	ck_assert(serve_config_equal(c, back));
	ck_assert_str_eq(back->dns.hosts[0].names[1], "sept");
	ck_assert_ptr_null(back->dns.rules[0].domain);
	ck_assert_int_eq(back->dhcp.reservations[299].client_id[42], 299 & 0xff);
	ck_assert_uint_eq(serve_config_sockets_digest(c), serve_config_sockets_digest(back));
}
END_TEST

START_TEST(a_cut_configuration_is_refused_at_every_length)
{
	ND_AUTO(serve_config_free) struct serve_config *c = config_full(3), *back = NULL;
	ND_AUTO(free) uint8_t *bytes = NULL;
	size_t len;

	ck_assert_int_eq(serve_config_bytes(c, &bytes, &len), 0);
	for (size_t cut = 0; cut < len; cut++) {
		ND_AUTO(free) uint8_t *part = malloc(cut + 1);
		struct rd r = rd_init(memcpy(part, bytes, cut), cut);

		ck_assert_int_eq(serve_config_decode(&r, &back), -EBADMSG);
		ck_assert_ptr_null(back);
	}
}
END_TEST

START_TEST(each_change_makes_configurations_differ)
{
	ND_AUTO(serve_config_free) struct serve_config *a = config_full(2), *b = config_full(2);

	ck_assert(serve_config_equal(a, b));
	b->dhcp.reservations[1].lease_time_s++;
	ck_assert(!serve_config_equal(a, b));
	ck_assert_uint_eq(serve_config_sockets_digest(a), serve_config_sockets_digest(b));
	b->ifindex++;
	ck_assert_uint_ne(serve_config_sockets_digest(a), serve_config_sockets_digest(b));
}
END_TEST

START_TEST(a_lease_and_an_event_survive_the_wire)
{
	struct serve_lease l = { .ip = ip("192.168.7.10"), .prefix_len = 24, .expiry_s = 1ull << 40,
				 .hostname = "box", .client_id_len = 3, .client_id = { 1, 2, 3 },
				 .iaid = 9, .mac = { { 1, 2, 3, 4, 5, 6 } } };
	struct serve_lease back;
	enum serve_lease_change change;
	uint8_t bytes[SERVE_LEASE_MAX_BYTES + 1];
	struct wr w = wr_init(bytes, sizeof(bytes));
	struct rd r;

	serve_lease_event_encode(SERVE_LEASE_CHANGED, &l, &w);
	r = rd_init(bytes, wr_len(&w));
	ck_assert_int_eq(serve_lease_event_decode(&r, &change, &back), 0);
	ck_assert_int_eq(change, SERVE_LEASE_CHANGED);
	ck_assert_str_eq(back.hostname, "box");
	ck_assert_uint_eq(back.expiry_s, l.expiry_s);
	ck_assert_uint_eq(back.client_id[2], 3);
	bytes[0] = 9;
	r = rd_init(bytes, wr_len(&w));
	ck_assert_int_eq(serve_lease_event_decode(&r, &change, &back), -EBADMSG);
}
END_TEST

START_TEST(a_host_name_that_would_upset_a_terminal_is_refused)
{
	static const char *const names[] = { "a b", "a\nb", "\x1b[2J", "a\"", "\xff" };

	for (size_t i = 0; i < ND_COUNT(names); i++) {
		struct serve_lease l = { .ip = ip("192.168.7.10"), .prefix_len = 24 }, back;
		uint8_t bytes[SERVE_LEASE_MAX_BYTES];
		struct wr w = wr_init(bytes, sizeof(bytes));
		struct rd r;

		strcpy(l.hostname, names[i]);
		serve_lease_encode(&l, &w);
		r = rd_init(bytes, wr_len(&w));
		ck_assert_int_eq(serve_lease_decode(&r, &back), -EBADMSG);
	}
}
END_TEST

START_TEST(the_longest_lease_fits_its_bound)
{
	struct serve_lease l = { .ip = ip("fd00::1"), .client_id_len = 255 };
	uint8_t bytes[SERVE_LEASE_MAX_BYTES];
	struct wr w = wr_init(bytes, sizeof(bytes));

	memset(l.hostname, 'x', sizeof(l.hostname) - 1);
	serve_lease_encode(&l, &w);
	ck_assert(!w.full);
}
END_TEST

/* Two channels on a socket pair. */
static void channels(struct channel **a, struct channel **b)
{
	int ends[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends),
			 0);
	*a = serve_channel_new(ends[0]);
	*b = serve_channel_new(ends[1]);
}

START_TEST(a_long_message_arrives_whole_while_the_socket_is_often_full)
{
	ND_AUTO(channel_free) struct channel *a = NULL, *b = NULL;
	const size_t len = 5000000;
	ND_AUTO(free) uint8_t *body = malloc(len);
	struct channel_message m;
	int r = -EAGAIN;

	channels(&a, &b);
	for (size_t i = 0; i < len; i++)
		body[i] = (uint8_t)(i * 7 >> 3);
	ck_assert_int_eq(channel_send(a, CHANNEL_CONFIG, 5, body, len, NULL, 0), 0);
	ck_assert(channel_waiting(a));
	ck_assert_int_eq(channel_send(a, CHANNEL_PING, 6, NULL, 0, NULL, 0), 0);
	while (r != 1) {
		ck_assert_int_eq(channel_flush(a), 0);
		r = channel_receive(b, &m);
		ck_assert(r == 0 || r == 1);
	}
	ck_assert_int_eq(m.type, CHANNEL_CONFIG);
	ck_assert_uint_eq(m.serial, 5);
	ck_assert_uint_eq(rd_left(&m.body), len);
	ck_assert_mem_eq(m.body.at, body, len);
	ck_assert_int_eq(channel_flush(a), 0);
	ck_assert_int_eq(channel_receive(b, &m), 1);
	ck_assert_int_eq(m.type, CHANNEL_PING);
	ck_assert_int_eq(channel_receive(b, &m), -EAGAIN);
}
END_TEST

START_TEST(descriptors_arrive_only_where_they_are_asked_for)
{
	ND_AUTO(channel_free) struct channel *a = NULL, *b = NULL;
	struct channel_message m;
	int fds[CHANNEL_FDS_MAX], null = open("/dev/null", O_RDONLY), next;
	size_t n = 0;

	channels(&a, &b);
	ck_assert_int_eq(channel_send(a, CHANNEL_START, 1, "x", 1, &null, 1), 0);
	ck_assert_int_eq(channel_receive_fds(b, &m, fds, &n), 1);
	ck_assert_uint_eq(n, 1);
	close(fds[0]);
	ck_assert_int_eq(channel_send(a, CHANNEL_CONFIG, 2, "x", 1, &null, 1), 0);
	ck_assert_int_eq(channel_receive(b, &m), 1);
	next = dup(null);
	ck_assert_int_eq(next, fds[0]);		/* no descriptor came into being meanwhile */
	close(next);
	close(null);
}
END_TEST

START_TEST(a_peer_that_does_not_read_fills_a_bounded_queue)
{
	ND_AUTO(channel_free) struct channel *a = NULL, *b = NULL;
	char body[1000] = "";
	int r = 0, sent = 0;

	channels(&a, &b);
	channel_set_queue_max(a, 10000);
	while (r == 0 && sent++ < 10000)
		r = channel_send(a, CHANNEL_LEASE_EVENT, 0, body, sizeof(body), NULL, 0);
	ck_assert_int_eq(r, -ENOBUFS);
}
END_TEST

START_TEST(a_closed_peer_is_told_apart_from_silence)
{
	ND_AUTO(channel_free) struct channel *a = NULL, *b = NULL;
	struct channel_message m;

	channels(&a, &b);
	ck_assert_int_eq(channel_receive(b, &m), -EAGAIN);
	channel_free(nd_take_ptr(&a));
	ck_assert_int_eq(channel_receive(b, &m), -EPIPE);
	ck_assert_int_eq(channel_send(b, CHANNEL_PONG, 0, NULL, 0, NULL, 0), -EPIPE);
}
END_TEST

static size_t packet(uint8_t *to, uint32_t serial, uint32_t total, uint32_t offset, size_t piece)
{
	struct wr w = wr_init(to, CHANNEL_HEADER_BYTES);

	wr_u32(&w, CHANNEL_MAGIC);
	wr_u16(&w, CHANNEL_VERSION);
	wr_u16(&w, CHANNEL_CONFIG);
	wr_u32(&w, serial);
	wr_u32(&w, total);
	wr_u32(&w, offset);
	wr_u32(&w, 0);
	memset(to + CHANNEL_HEADER_BYTES, 7, piece);
	return CHANNEL_HEADER_BYTES + piece;
}

static int feed(struct channel_input *in, const uint8_t *bytes, size_t len,
		struct channel_message *out)
{
	return channel_input_packet(in, CHANNEL_MAGIC, bytes, len, out);
}

START_TEST(pieces_that_do_not_follow_each_other_are_refused)
{
	const size_t piece = CHANNEL_PACKET_MAX - CHANNEL_HEADER_BYTES;
	static const struct { uint32_t serial, total, offset; } second[] = {
		{ 2, 60000, 32744 }, { 1, 60001, 32744 }, { 1, 60000, 32743 }, { 1, 60000, 0 },
	};
	uint8_t bytes[CHANNEL_PACKET_MAX];
	struct channel_message m;

	for (size_t i = 0; i < ND_COUNT(second); i++) {
		struct channel_input in = { 0 };

		ck_assert_int_eq(feed(&in, bytes, packet(bytes, 1, 60000, 0, piece),
						      &m), 0);
		ck_assert_int_eq(feed(&in, bytes, packet(bytes, second[i].serial,
			second[i].total, second[i].offset, 60000 - piece), &m), -EBADMSG);
		channel_input_fini(&in);
	}
}
END_TEST

START_TEST(short_pieces_and_endless_bodies_are_refused)
{
	const size_t piece = CHANNEL_PACKET_MAX - CHANNEL_HEADER_BYTES;
	uint8_t bytes[CHANNEL_PACKET_MAX];
	struct channel_input in = { 0 };
	struct channel_message m;

	ck_assert_int_eq(feed(&in, bytes, packet(bytes, 1, 60000, 0, 10), &m),
			 -EBADMSG);
	ck_assert_int_eq(feed(&in, bytes, packet(bytes, 1, CHANNEL_BODY_MAX + 1, 0,
								 piece), &m), -EBADMSG);
	ck_assert_int_eq(feed(&in, bytes, packet(bytes, 1, 5, 0, 10), &m), -EBADMSG);
	ck_assert_int_eq(feed(&in, bytes, 23, &m), -EBADMSG);
	ck_assert_int_eq(feed(&in, bytes, 0, &m), -EBADMSG);
}
END_TEST

struct seen {
	enum serve_lease_change changes[8];
	size_t n;
};

static void on_change(void *arg, enum serve_lease_change change, const struct serve_lease *lease)
{
	struct seen *seen = arg;

	ck_assert_uint_lt(seen->n, ND_COUNT(seen->changes));
	seen->changes[seen->n++] = change;
}

static struct serve_lease lease(const char *address, uint8_t mac, const char *name)
{
	struct serve_lease l = { .ip = ip(address), .mac = { { 2, 0, 0, 0, 0, mac } },
				 .prefix_len = 24, .expiry_s = 1000 };

	strcpy(l.hostname, name);
	return l;
}

static void collect(void *arg, const struct serve_lease *l)
{
	strcat(arg, l->hostname);
	strcat(arg, " ");
}

START_TEST(the_cache_tells_what_a_whole_list_changed)
{
	ND_AUTO(lease_cache_free) struct lease_cache *c = lease_cache_new();
	struct serve_lease a = lease("192.168.7.10", 1, "a"), b = lease("192.168.7.9", 2, "b"),
			   d = lease("192.168.7.11", 1, "d");
	uint8_t bytes[2 * SERVE_LEASE_MAX_BYTES];
	struct wr w = wr_init(bytes, sizeof(bytes));
	struct seen seen = { 0 };
	char names[64] = "";
	struct rd r;

	lease_cache_event(c, SERVE_LEASE_ADDED, &a, on_change, &seen);
	lease_cache_event(c, SERVE_LEASE_ADDED, &b, on_change, &seen);
	ck_assert_uint_eq(lease_cache_each(c, NULL, collect, names), 2);
	ck_assert_str_eq(names, "b a ");
	serve_lease_encode(&a, &w);
	serve_lease_encode(&d, &w);
	r = rd_init(bytes, wr_len(&w));
	ck_assert_int_eq(lease_cache_replace(c, &r, on_change, &seen), 0);
	ck_assert_uint_eq(seen.n, 4);
	ck_assert_int_eq(seen.changes[2], SERVE_LEASE_ADDED);
	ck_assert_int_eq(seen.changes[3], SERVE_LEASE_REMOVED);
	names[0] = '\0';
	ck_assert_uint_eq(lease_cache_each(c, &a.mac, collect, names), 2);
	ck_assert_str_eq(names, "a d ");
}
END_TEST

START_TEST(strangers_use_up_their_own_share_only)
{
	ND_AUTO(share_free) struct share *s = share_new();
	struct nd_mac port = { { 0x52, 0x54, 0, 0, 0, 1 } }, stranger = { { 2 } };
	unsigned served = 0;

	ck_assert_int_eq(share_set_ports(s, &port, 1), 0);
	for (uint32_t i = 0; i < 200000; i++) {
		memcpy(stranger.bytes + 2, &i, 4);
		served += share_take(s, &stranger, 1000000) == SHARE_STRANGERS;
	}
	ck_assert_uint_le(served, 512 * 20);
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(share_take(s, &port, 1000000), SHARE_GUEST);
	ck_assert_int_eq(share_take(s, &port, 1000000), SHARE_NONE);
	ck_assert_int_eq(share_take(s, &port, 1000100), SHARE_GUEST);	/* a tenth of a second: two tokens */
}
END_TEST

/* A UDP socket stands for the packet socket: the frames are what comes in datagrams. */
struct wire {
	int in, out;
	struct intake *intake;
	struct share *share;
	uint32_t n_strangers;		/* that sent so far */
	unsigned guests, strangers;	/* served */
	unsigned stranger_us;		/* what serving one takes */
};

static const struct nd_mac guest = { { 0x52, 0x54, 0, 0, 0, 1 } };

static void wire_init(struct wire *w)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(at);

	memset(w, 0, sizeof(*w));
	w->in = socket(AF_INET, SOCK_DGRAM, 0);
	w->out = socket(AF_INET, SOCK_DGRAM, 0);
	w->intake = intake_new();
	w->share = share_new();
	ck_assert_ptr_nonnull(w->intake);
	ck_assert_int_eq(share_set_ports(w->share, &guest, 1), 0);
	ck_assert_int_eq(bind(w->in, (struct sockaddr *)&at, len), 0);
	ck_assert_int_eq(getsockname(w->in, (struct sockaddr *)&at, &len), 0);
	ck_assert_int_eq(connect(w->out, (struct sockaddr *)&at, len), 0);
}

static void wire_fini(struct wire *w)
{
	intake_free(w->intake);
	share_free(w->share);
	close(w->in);
	close(w->out);
}

static void wire_send(struct wire *w, const struct nd_mac *from)
{
	uint8_t frame[60] = { 0 };

	memcpy(frame + 6, from->bytes, sizeof(from->bytes));
	ck_assert_int_eq(send(w->out, frame, sizeof(frame), 0), sizeof(frame));
}

static void wire_send_strangers(struct wire *w, unsigned n)
{
	while (n--) {
		struct nd_mac mac = { { 2 } };

		memcpy(mac.bytes + 2, &w->n_strangers, sizeof(w->n_strangers));
		w->n_strangers++;
		wire_send(w, &mac);
	}
}

static void wire_serve(void *arg, const void *frame, size_t len, bool csum_partial)
{
	struct wire *w = arg;

	ck_assert_uint_eq(len, 60);
	if (memcmp((const uint8_t *)frame + 6, guest.bytes, sizeof(guest.bytes)) == 0) {
		w->guests++;
		return;
	}
	w->strangers++;
	if (w->stranger_us)
		usleep(w->stranger_us);
}

static bool wire_turn(struct wire *w)
{
	return intake_turn(w->intake, w->in, w->share, wire_serve, w);
}

START_TEST(a_burst_is_served_whole)
{
	struct wire w;

	wire_init(&w);
	for (unsigned i = 0; i < INTAKE_PATIENCE; i++) {
		wire_send_strangers(&w, INTAKE_FRAMES);
		ck_assert(!wire_turn(&w));
	}
	ck_assert(!wire_turn(&w));	/* nothing is left */
	ck_assert_uint_eq(w.strangers, INTAKE_PATIENCE * INTAKE_FRAMES);
	wire_fini(&w);
}
END_TEST

/* False: this process got so little time that the flood ended by itself. */
static bool flood_once(struct wire *w)
{
	struct timespec begin, end;
	struct intake_counters counters;
	unsigned before;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	wire_send(w, &guest);		/* somebody to guard */
	ck_assert(!wire_turn(w));
	for (unsigned i = 0; i <= INTAKE_PATIENCE; i++) {
		wire_send_strangers(w, INTAKE_FRAMES);
		ck_assert(wire_turn(w) == (i == INTAKE_PATIENCE));
	}
	/* one turn takes all that waits, and serves of the strangers what it has time for */
	wire_send_strangers(w, 2 * INTAKE_FRAMES);
	wire_send(w, &guest);
	w->stranger_us = 10000;		/* more than a turn may ever take for all of them */
	before = w->strangers;
	(void)wire_turn(w);
	clock_gettime(CLOCK_MONOTONIC, &end);
	if ((end.tv_sec - begin.tv_sec) * 1000 + (end.tv_nsec - begin.tv_nsec) / 1000000 >= 1000)
		return false;
	ck_assert_uint_eq(w->guests, 2);
	ck_assert_uint_le(w->strangers - before, 1);
	intake_counters(w->intake, w->in, &counters);
	ck_assert_uint_eq(counters.frames, w->n_strangers + 2);
	ck_assert_uint_eq(counters.dropped_share, 2 * INTAKE_FRAMES - (w->strangers - before));
	return true;
}

START_TEST(a_guest_is_served_behind_a_flood_and_strangers_a_little)
{
	struct wire w;
	bool done = false;

	for (int i = 0; i < 50 && !done; i++) {
		wire_init(&w);
		done = flood_once(&w);
		if (!done)
			wire_fini(&w);
	}
	ck_assert(done);
	/* the guest's own flood is served as long as its share lasts */
	w.stranger_us = 0;
	for (int i = 0; i < 40; i++)
		wire_send(&w, &guest);
	(void)wire_turn(&w);
	ck_assert_uint_ge(w.guests, 20);
	/* a second without a flood ends it */
	usleep(1100000);
	ck_assert(!wire_turn(&w));
	wire_fini(&w);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("serve");
	TCase *tc = tcase_create("all");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_configuration_survives_the_wire);
	tcase_add_test(tc, a_cut_configuration_is_refused_at_every_length);
	tcase_add_test(tc, each_change_makes_configurations_differ);
	tcase_add_test(tc, a_lease_and_an_event_survive_the_wire);
	tcase_add_test(tc, a_host_name_that_would_upset_a_terminal_is_refused);
	tcase_add_test(tc, the_longest_lease_fits_its_bound);
	tcase_add_test(tc, a_long_message_arrives_whole_while_the_socket_is_often_full);
	tcase_add_test(tc, descriptors_arrive_only_where_they_are_asked_for);
	tcase_add_test(tc, a_peer_that_does_not_read_fills_a_bounded_queue);
	tcase_add_test(tc, a_closed_peer_is_told_apart_from_silence);
	tcase_add_test(tc, pieces_that_do_not_follow_each_other_are_refused);
	tcase_add_test(tc, short_pieces_and_endless_bodies_are_refused);
	tcase_add_test(tc, the_cache_tells_what_a_whole_list_changed);
	tcase_add_test(tc, strangers_use_up_their_own_share_only);
	tcase_add_test(tc, a_burst_is_served_whole);
	tcase_add_test(tc, a_guest_is_served_behind_a_flood_and_strangers_a_little);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
