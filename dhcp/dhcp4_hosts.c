/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dhcp/dhcp4_hosts.h"

#include <stdlib.h>
#include <string.h>

#include "dhcp/hostname.h"
#include "netd/base/hash.h"

struct name_key {
	char lower[64];
	const struct dhcp_reservation *host;
};

struct dhcp4_hosts {
	struct nd_hash *by_mac, *by_client_id, *by_address;	/* struct dhcp_reservation */
	struct nd_hash *by_name;				/* struct name_key */
	struct name_key *names;
};

bool dhcp4_host_address(const struct dhcp_config *config, struct in_addr address)
{
	uint32_t mask = ntohl(nd_netmask(config->prefix_len).s_addr), a = ntohl(address.s_addr);

	if ((a ^ ntohl(config->server.s_addr)) & mask)
		return false;
	if (address.s_addr == config->server.s_addr || address.s_addr == config->router.s_addr)
		return false;
	/* RFC 3021: a /31 has neither network nor broadcast address */
	return config->prefix_len >= 31 || ((a & ~mask) != 0 && (a & ~mask) != ~mask);
}

/* Adds what the index does not have yet. */
static bool add(struct nd_hash *index, const void *key, size_t len, void *value)
{
	return nd_hash_find(index, key, len) || nd_hash_set(index, key, len, value) == 0;
}

static bool index_host(struct dhcp4_hosts *h, struct dhcp_reservation *r, struct name_key *name)
{
	char label[HOSTNAME_SIZE];

	if (!add(h->by_address, &r->address, sizeof(r->address), r))
		return false;
	if (nd_hash_find(h->by_address, &r->address, sizeof(r->address)) != r)
		return true;		/* an earlier entry has the address */
	if (r->has_mac && !add(h->by_mac, r->mac.bytes, sizeof(r->mac.bytes), r))
		return false;
	if (!r->has_mac && r->client_id_len &&
	    !add(h->by_client_id, r->client_id, r->client_id_len, r))
		return false;
	hostname_legalise(r->name, strlen(r->name), label);
	if (!label[0])
		return true;
	hostname_lower(label, name->lower);
	name->host = r;
	return add(h->by_name, name->lower, strlen(name->lower), name);
}

struct dhcp4_hosts *dhcp4_hosts_new(const struct dhcp_config *config)
{
	ND_AUTO(dhcp4_hosts_free) struct dhcp4_hosts *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->by_mac = nd_hash_new();
	h->by_client_id = nd_hash_new();
	h->by_address = nd_hash_new();
	h->by_name = nd_hash_new();
	h->names = calloc(config->n_reservations + 1, sizeof(*h->names));
	if (!h->by_mac || !h->by_client_id || !h->by_address || !h->by_name || !h->names)
		return NULL;
	for (size_t i = 0; i < config->n_reservations; i++)
		if (dhcp4_host_address(config, config->reservations[i].address) &&
		    !index_host(h, &config->reservations[i], &h->names[i]))
			return NULL;
	return nd_take_ptr(&h);
}

/* Why an entry does not count, NULL when it does. */
static const char *flaw(const struct dhcp_config *config, const struct dhcp4_hosts *h,
			const struct dhcp_reservation *r)
{
	const struct name_key *key;
	char lower[HOSTNAME_SIZE];

	if (!dhcp4_host_address(config, r->address))
		return "it is not an address that a guest of this network can have";
	if (dhcp4_hosts_of_address(h, r->address) != r)
		return "another entry before it has the address";
	if (r->has_mac)
		return nd_hash_find(h->by_mac, r->mac.bytes, sizeof(r->mac.bytes)) == r ? NULL :
			"another entry before it has the MAC address";
	if (r->client_id_len)
		return nd_hash_find(h->by_client_id, r->client_id, r->client_id_len) == r ? NULL :
			"another entry before it has the client-id";
	hostname_legalise(r->name, strlen(r->name), lower);
	hostname_lower(lower, lower);
	key = nd_hash_find(h->by_name, lower, strlen(lower));
	return key && key->host == r ? NULL :
		"its name cannot be a client's, or another entry before it has it";
}

size_t dhcp4_hosts_check(const struct dhcp_config *config, const struct dhcp4_hosts *h,
			 void (*tell)(void *ctx, const struct dhcp_reservation *r, const char *why),
			 void *ctx)
{
	size_t n = 0;

	for (size_t i = 0; i < config->n_reservations; i++) {
		const char *why = flaw(config, h, &config->reservations[i]);

		if (why && n++ < DHCP4_FLAWS_TOLD)
			tell(ctx, &config->reservations[i], why);
	}
	return n;
}

void dhcp4_hosts_free(struct dhcp4_hosts *h)
{
	if (!h)
		return;
	nd_hash_free(h->by_mac);
	nd_hash_free(h->by_client_id);
	nd_hash_free(h->by_address);
	nd_hash_free(h->by_name);
	free(h->names);
	free(h);
}

const struct dhcp_reservation *dhcp4_hosts_find(const struct dhcp4_hosts *h,
						const struct nd_mac *mac,
						const uint8_t *client_id, size_t client_id_len,
						const char *name)
{
	const struct dhcp_reservation *r = NULL;

	if (client_id_len)
		r = nd_hash_find(h->by_client_id, client_id, client_id_len);
	if (!r)
		r = nd_hash_find(h->by_mac, mac->bytes, sizeof(mac->bytes));
	if (!r && name[0]) {
		r = dhcp4_hosts_of_name(h, name);
		if (r && (r->has_mac || r->client_id_len))
			r = NULL;
	}
	return r;
}

bool dhcp4_hosts_has_mac(const struct dhcp4_hosts *h, const struct nd_mac *mac)
{
	return nd_hash_find(h->by_mac, mac->bytes, sizeof(mac->bytes)) != NULL;
}

const struct dhcp_reservation *dhcp4_hosts_of_address(const struct dhcp4_hosts *h,
						      struct in_addr address)
{
	return nd_hash_find(h->by_address, &address, sizeof(address));
}

const struct dhcp_reservation *dhcp4_hosts_of_name(const struct dhcp4_hosts *h, const char *name)
{
	char lower[64];
	const struct name_key *key;

	hostname_lower(name, lower);
	key = nd_hash_find(h->by_name, lower, strlen(lower));
	return key ? key->host : NULL;
}
