/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/serve/message.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netd/base/auto.h"
#include "netd/base/wire.h"

static int whole(const struct rd *r)
{
	return r->bad || rd_more(r) ? -EBADMSG : 0;
}

void serve_hello_encode(const struct serve_hello *h, struct wr *w)
{
	wire_put_string(w, h->build);
	wr_bytes(w, h->uuid.bytes, sizeof(h->uuid.bytes));
	wr_u64(w, h->config_digest);
	wr_u64(w, h->sockets_digest);
}

int serve_hello_decode(struct rd *r, struct serve_hello *out)
{
	struct serve_hello h = { 0 };

	wire_get_text(r, h.build, sizeof(h.build));
	rd_copy(r, h.uuid.bytes, sizeof(h.uuid.bytes));
	h.config_digest = rd_u64(r);
	h.sockets_digest = rd_u64(r);
	if (whole(r) < 0)
		return -EBADMSG;
	*out = h;
	return 0;
}

uint64_t serve_digest(const void *bytes, size_t len)
{
	const uint8_t *at = bytes;
	uint64_t h = 0xcbf29ce484222325;

	for (size_t i = 0; i < len; i++)
		h = (h ^ at[i]) * 0x100000001b3;
	return h;
}

void serve_start_encode(const struct serve_start *s, struct wr *w)
{
	wr_u8(w, s->packet);
	wr_u16(w, s->n_udp);
	wr_u16(w, s->n_tcp);
}

int serve_start_decode(struct rd *r, struct serve_start *out)
{
	struct serve_start s;

	s.packet = rd_u8(r);
	s.n_udp = rd_u16(r);
	s.n_tcp = rd_u16(r);
	if (r->bad)
		return -EBADMSG;
	*out = s;
	return 0;
}

void serve_lease_encode(const struct serve_lease *l, struct wr *w)
{
	wire_put_mac(w, &l->mac);
	wire_put_ip(w, &l->ip);
	wr_u8(w, l->prefix_len);
	wr_u64(w, l->expiry_s);
	wire_put_string(w, l->hostname);
	wr_u8(w, l->client_id_len);
	wr_bytes(w, l->client_id, l->client_id_len);
	wr_u32(w, l->iaid);
}

/* What goes on to lists, terminals and JSON must not be a surprise there. */
static bool is_host_name(const char *name)
{
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && !strchr("-._", *name))
			return false;
	return true;
}

int serve_lease_decode(struct rd *r, struct serve_lease *out)
{
	memset(out, 0, sizeof(*out));
	out->mac = wire_get_mac(r);
	out->ip = wire_get_ip(r);
	out->prefix_len = rd_u8(r);
	out->expiry_s = rd_u64(r);
	wire_get_text(r, out->hostname, sizeof(out->hostname));
	out->client_id_len = rd_u8(r);
	rd_copy(r, out->client_id, out->client_id_len);
	out->iaid = rd_u32(r);
	if (out->prefix_len > nd_ip_bits(&out->ip) || !is_host_name(out->hostname))
		r->bad = true;
	return r->bad ? -EBADMSG : 0;
}

void serve_lease_event_encode(enum serve_lease_change change, const struct serve_lease *l,
			      struct wr *w)
{
	wr_u8(w, change);
	serve_lease_encode(l, w);
}

int serve_lease_event_decode(struct rd *r, enum serve_lease_change *change_out,
			     struct serve_lease *out)
{
	uint8_t change = rd_u8(r);

	if (serve_lease_decode(r, out) < 0 || whole(r) < 0 || change < SERVE_LEASE_ADDED ||
	    change > SERVE_LEASE_REMOVED)
		return -EBADMSG;
	*change_out = change;
	return 0;
}

void serve_upstreams_encode(const struct dns_upstream *list, size_t n, struct wr *w)
{
	wr_u32(w, (uint32_t)n);
	for (size_t i = 0; i < n; i++) {
		wire_put_ip(w, &list[i].addr);
		wr_u16(w, list[i].port);
	}
}

int serve_upstreams_decode(struct rd *r, struct dns_upstream **list_out, size_t *n_out)
{
	ND_AUTO(free) struct dns_upstream *list = NULL;
	size_t n;

	list = wire_get_list(r, 3, SERVE_UPSTREAMS_MAX, sizeof(*list), &n);
	for (size_t i = 0; i < n; i++) {
		list[i].addr = wire_get_ip(r);
		list[i].port = rd_u16(r);
	}
	if (whole(r) < 0)
		return -EBADMSG;
	*list_out = nd_take_ptr(&list);
	*n_out = n;
	return 0;
}

void serve_ports_encode(const struct nd_mac *list, size_t n, struct wr *w)
{
	wr_u32(w, (uint32_t)n);
	for (size_t i = 0; i < n; i++)
		wire_put_mac(w, &list[i]);
}

int serve_ports_decode(struct rd *r, struct nd_mac **list_out, size_t *n_out)
{
	ND_AUTO(free) struct nd_mac *list = NULL;
	size_t n;

	list = wire_get_list(r, 6, SERVE_PORTS_MAX, sizeof(*list), &n);
	for (size_t i = 0; i < n; i++)
		list[i] = wire_get_mac(r);
	if (whole(r) < 0)
		return -EBADMSG;
	*list_out = nd_take_ptr(&list);
	*n_out = n;
	return 0;
}

void serve_counters_encode(const struct serve_counter *list, size_t n, struct wr *w)
{
	wr_u32(w, (uint32_t)n);
	for (size_t i = 0; i < n; i++) {
		wire_put_string(w, list[i].name);
		wr_u64(w, list[i].value);
	}
}

int serve_counters_decode(struct rd *r, struct serve_counter out[SERVE_COUNTERS_MAX],
			  size_t *n_out)
{
	uint32_t n = rd_u32(r);

	if (n > SERVE_COUNTERS_MAX)
		return -EBADMSG;
	for (uint32_t i = 0; i < n; i++) {
		wire_get_text(r, out[i].name, sizeof(out[i].name));
		out[i].value = rd_u64(r);
	}
	if (whole(r) < 0)
		return -EBADMSG;
	*n_out = n;
	return 0;
}
