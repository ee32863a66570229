/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/serve/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netd/serve/message.h"
#include "netd/base/wire.h"

/* Far above what a document of the greatest size can hold; a bound for what is allocated. */
#define LIST_MAX 262144

struct serve_config *serve_config_new(void)
{
	return calloc(1, sizeof(struct serve_config));
}

void serve_config_free(struct serve_config *c)
{
	if (!c)
		return;
	free(c->addresses);
	free(c->ports);
	dhcp_config_fini(&c->dhcp);
	dns_config_fini(&c->dns);
	free(c);
}

bool serve_config_wanted(const struct serve_config *c)
{
	return c->dhcp.enabled || c->dns.enabled;
}

static void put_v4(struct wr *w, struct in_addr a)
{
	wr_bytes(w, &a, sizeof(a));
}

static struct in_addr get_v4(struct rd *r)
{
	struct in_addr a;

	rd_copy(r, &a, sizeof(a));
	return a;
}

static bool get_bool(struct rd *r)
{
	uint8_t v = rd_u8(r);

	if (v > 1)
		r->bad = true;
	return v == 1;
}

static void dhcp_reservation_encode(const struct dhcp_reservation *h, struct wr *w)
{
	wr_u8(w, h->has_mac);
	if (h->has_mac)
		wire_put_mac(w, &h->mac);
	wr_u8(w, h->client_id_len);
	wr_bytes(w, h->client_id, h->client_id_len);
	wire_put_string(w, h->name);
	put_v4(w, h->address);
	wr_u32(w, h->lease_time_s);
}

static void dhcp_reservation_decode(struct rd *r, struct dhcp_reservation *h)
{
	h->has_mac = get_bool(r);
	if (h->has_mac)
		h->mac = wire_get_mac(r);
	h->client_id_len = rd_u8(r);
	rd_copy(r, h->client_id, h->client_id_len);
	wire_get_text(r, h->name, sizeof(h->name));
	h->address = get_v4(r);
	h->lease_time_s = rd_u32(r);
}

static void dhcp_encode(const struct dhcp_config *c, struct wr *w)
{
	wr_u8(w, c->enabled);
	put_v4(w, c->server);
	wr_u8(w, c->prefix_len);
	wr_u32(w, c->lease_time_s);
	wr_u32(w, (uint32_t)c->n_pools);
	for (size_t i = 0; i < c->n_pools; i++) {
		put_v4(w, c->pools[i].start);
		put_v4(w, c->pools[i].end);
		wr_u32(w, c->pools[i].lease_time_s);
	}
	wr_u32(w, (uint32_t)c->n_reservations);
	for (size_t i = 0; i < c->n_reservations; i++)
		dhcp_reservation_encode(&c->reservations[i], w);
	put_v4(w, c->router);
	put_v4(w, c->dns);
	wire_put_string(w, c->domain);
	wr_u32(w, c->mtu_bytes);
	wire_put_string(w, c->boot_file);
	put_v4(w, c->boot_server);
	wr_u32(w, (uint32_t)c->n_routes);
	for (size_t i = 0; i < c->n_routes; i++) {
		put_v4(w, c->routes[i].dst);
		wr_u8(w, c->routes[i].prefix_len);
		put_v4(w, c->routes[i].gateway);
	}
}

static void dhcp_decode(struct rd *r, struct dhcp_config *c)
{
	c->enabled = get_bool(r);
	c->server = get_v4(r);
	c->prefix_len = rd_u8(r);
	c->lease_time_s = rd_u32(r);
	c->pools = wire_get_list(r, 12, LIST_MAX, sizeof(*c->pools), &c->n_pools);
	for (size_t i = 0; i < c->n_pools; i++) {
		c->pools[i].start = get_v4(r);
		c->pools[i].end = get_v4(r);
		c->pools[i].lease_time_s = rd_u32(r);
		if (ntohl(c->pools[i].start.s_addr) > ntohl(c->pools[i].end.s_addr))
			r->bad = true;
	}
	c->reservations = wire_get_list(r, 12, LIST_MAX, sizeof(*c->reservations),
					&c->n_reservations);
	for (size_t i = 0; i < c->n_reservations && !r->bad; i++)
		dhcp_reservation_decode(r, &c->reservations[i]);
	c->router = get_v4(r);
	c->dns = get_v4(r);
	wire_get_text(r, c->domain, sizeof(c->domain));
	c->mtu_bytes = rd_u32(r);
	wire_get_text(r, c->boot_file, sizeof(c->boot_file));
	c->boot_server = get_v4(r);
	c->routes = wire_get_list(r, 9, LIST_MAX, sizeof(*c->routes), &c->n_routes);
	for (size_t i = 0; i < c->n_routes; i++) {
		c->routes[i].dst = get_v4(r);
		c->routes[i].prefix_len = rd_u8(r);
		c->routes[i].gateway = get_v4(r);
		if (c->routes[i].prefix_len > 32)
			r->bad = true;
	}
	if (c->prefix_len > 32)
		r->bad = true;
}

static void dns_records_encode(const struct dns_config *c, struct wr *w)
{
	wr_u32(w, (uint32_t)c->n_hosts);
	for (size_t i = 0; i < c->n_hosts; i++) {
		wire_put_ip(w, &c->hosts[i].ip);
		wr_u32(w, (uint32_t)c->hosts[i].n_names);
		for (size_t k = 0; k < c->hosts[i].n_names; k++)
			wire_put_string(w, c->hosts[i].names[k]);
	}
	wr_u32(w, (uint32_t)c->n_txts);
	for (size_t i = 0; i < c->n_txts; i++) {
		wire_put_string(w, c->txts[i].name);
		wire_put_string(w, c->txts[i].value);
	}
	wr_u32(w, (uint32_t)c->n_srvs);
	for (size_t i = 0; i < c->n_srvs; i++) {
		wire_put_string(w, c->srvs[i].owner);
		wire_put_string(w, c->srvs[i].target);
		wr_u16(w, c->srvs[i].port);
		wr_u16(w, c->srvs[i].priority);
		wr_u16(w, c->srvs[i].weight);
	}
}

static void dns_host_decode(struct rd *r, struct dns_host_record *h)
{
	h->ip = wire_get_ip(r);
	h->names = wire_get_list(r, 2, LIST_MAX, sizeof(*h->names), &h->n_names);
	for (size_t k = 0; k < h->n_names && !r->bad; k++) {
		h->names[k] = wire_get_string(r);
		if (!h->names[k])
			r->bad = true;
	}
}

static void dns_records_decode(struct rd *r, struct dns_config *c)
{
	c->hosts = wire_get_list(r, 5, LIST_MAX, sizeof(*c->hosts), &c->n_hosts);
	for (size_t i = 0; i < c->n_hosts && !r->bad; i++)
		dns_host_decode(r, &c->hosts[i]);
	c->txts = wire_get_list(r, 4, LIST_MAX, sizeof(*c->txts), &c->n_txts);
	for (size_t i = 0; i < c->n_txts && !r->bad; i++) {
		c->txts[i].name = wire_get_string(r);
		c->txts[i].value = wire_get_string(r);
		if (!c->txts[i].name || !c->txts[i].value)
			r->bad = true;
	}
	c->srvs = wire_get_list(r, 10, LIST_MAX, sizeof(*c->srvs), &c->n_srvs);
	for (size_t i = 0; i < c->n_srvs && !r->bad; i++) {
		c->srvs[i].owner = wire_get_string(r);
		c->srvs[i].target = wire_get_string(r);
		c->srvs[i].port = rd_u16(r);
		c->srvs[i].priority = rd_u16(r);
		c->srvs[i].weight = rd_u16(r);
		if (!c->srvs[i].owner || !c->srvs[i].target)
			r->bad = true;
	}
}

static void dns_encode(const struct dns_config *c, struct wr *w)
{
	wr_u8(w, c->enabled);
	wire_put_string(w, c->domain);
	wr_u8(w, c->local_only);
	wr_u8(w, c->forward_plain_names);
	wr_u8(w, c->use_host_resolvers);
	dns_records_encode(c, w);
	wr_u32(w, (uint32_t)c->n_rules);
	for (size_t i = 0; i < c->n_rules; i++) {
		wire_put_string(w, c->rules[i].domain);
		wire_put_ip(w, &c->rules[i].addr);
		wr_u16(w, c->rules[i].port);
	}
	wr_u32(w, (uint32_t)c->n_local_ptr);
	for (size_t i = 0; i < c->n_local_ptr; i++)
		wire_put_prefix(w, &c->local_ptr[i]);
	wr_u32(w, (uint32_t)c->n_upstreams);
	for (size_t i = 0; i < c->n_upstreams; i++) {
		wire_put_ip(w, &c->upstreams[i].addr);
		wr_u16(w, c->upstreams[i].port);
	}
	wr_u32(w, (uint32_t)c->n_subnets);
	for (size_t i = 0; i < c->n_subnets; i++)
		wire_put_prefix(w, &c->subnets[i]);
}

static void dns_decode(struct rd *r, struct dns_config *c)
{
	c->enabled = get_bool(r);
	c->domain = wire_get_string(r);
	c->local_only = get_bool(r);
	c->forward_plain_names = get_bool(r);
	c->use_host_resolvers = get_bool(r);
	dns_records_decode(r, c);
	c->rules = wire_get_list(r, 5, LIST_MAX, sizeof(*c->rules), &c->n_rules);
	for (size_t i = 0; i < c->n_rules && !r->bad; i++) {
		c->rules[i].domain = wire_get_string(r);
		c->rules[i].addr = wire_get_ip(r);
		c->rules[i].port = rd_u16(r);
	}
	c->local_ptr = wire_get_list(r, 2, LIST_MAX, sizeof(*c->local_ptr), &c->n_local_ptr);
	for (size_t i = 0; i < c->n_local_ptr; i++)
		c->local_ptr[i] = wire_get_prefix(r);
	c->upstreams = wire_get_list(r, 3, LIST_MAX, sizeof(*c->upstreams), &c->n_upstreams);
	for (size_t i = 0; i < c->n_upstreams; i++) {
		c->upstreams[i].addr = wire_get_ip(r);
		c->upstreams[i].port = rd_u16(r);
	}
	c->subnets = wire_get_list(r, 2, LIST_MAX, sizeof(*c->subnets), &c->n_subnets);
	for (size_t i = 0; i < c->n_subnets; i++)
		c->subnets[i] = wire_get_prefix(r);
}

void serve_config_encode(const struct serve_config *c, struct wr *w)
{
	wire_put_string(w, c->network);
	wr_bytes(w, c->uuid.bytes, sizeof(c->uuid.bytes));
	wire_put_string(w, c->bridge);
	wr_u32(w, (uint32_t)c->ifindex);
	wire_put_mac(w, &c->mac);
	wr_u32(w, c->uid);
	wr_u32(w, (uint32_t)c->n_addresses);
	for (size_t i = 0; i < c->n_addresses; i++)
		wire_put_ip(w, &c->addresses[i]);
	wr_u32(w, (uint32_t)c->n_ports);
	for (size_t i = 0; i < c->n_ports; i++)
		wire_put_mac(w, &c->ports[i]);
	dhcp_encode(&c->dhcp, w);
	dns_encode(&c->dns, w);
}

int serve_config_decode(struct rd *r, struct serve_config **out)
{
	ND_AUTO(serve_config_free) struct serve_config *c = serve_config_new();

	if (!c)
		return -ENOMEM;
	wire_get_text(r, c->network, sizeof(c->network));
	rd_copy(r, c->uuid.bytes, sizeof(c->uuid.bytes));
	wire_get_text(r, c->bridge, sizeof(c->bridge));
	c->ifindex = (int)rd_u32(r);
	c->mac = wire_get_mac(r);
	c->uid = rd_u32(r);
	c->addresses = wire_get_list(r, 1, LIST_MAX, sizeof(*c->addresses), &c->n_addresses);
	for (size_t i = 0; i < c->n_addresses; i++)
		c->addresses[i] = wire_get_ip(r);
	c->ports = wire_get_list(r, 6, LIST_MAX, sizeof(*c->ports), &c->n_ports);
	for (size_t i = 0; i < c->n_ports; i++)
		c->ports[i] = wire_get_mac(r);
	dhcp_decode(r, &c->dhcp);
	dns_decode(r, &c->dns);
	if (r->bad || rd_more(r))
		return -EBADMSG;
	*out = nd_take_ptr(&c);
	return 0;
}

int serve_config_bytes(const struct serve_config *c, uint8_t **bytes_out, size_t *len_out)
{
	for (size_t size = 2048; size <= SERVE_CONFIG_MAX_BYTES; size *= 2) {
		ND_AUTO(free) uint8_t *bytes = malloc(size);
		struct wr w;

		if (!bytes)
			return -ENOMEM;
		w = wr_init(bytes, size);
		serve_config_encode(c, &w);
		if (w.full)
			continue;
		*bytes_out = nd_take_ptr(&bytes);
		*len_out = wr_len(&w);
		return 0;
	}
	return -E2BIG;
}

uint64_t serve_config_sockets_digest(const struct serve_config *c)
{
	uint8_t bytes[4096];
	struct wr w = wr_init(bytes, sizeof(bytes));

	wire_put_string(&w, c->bridge);
	wr_u32(&w, (uint32_t)c->ifindex);
	wire_put_mac(&w, &c->mac);
	wr_u32(&w, c->uid);
	wr_u8(&w, c->dhcp.enabled);
	wr_u8(&w, c->dns.enabled);
	for (size_t i = 0; i < c->n_addresses; i++)
		wire_put_ip(&w, &c->addresses[i]);
	return serve_digest(bytes, wr_len(&w));
}

bool serve_config_equal(const struct serve_config *a, const struct serve_config *b)
{
	ND_AUTO(free) uint8_t *a_bytes = NULL, *b_bytes = NULL;
	size_t a_len, b_len;

	if (serve_config_bytes(a, &a_bytes, &a_len) < 0 ||
	    serve_config_bytes(b, &b_bytes, &b_len) < 0)
		return false;	/* told apart when in doubt: sent once too often */
	return a_len == b_len && memcmp(a_bytes, b_bytes, a_len) == 0;
}
