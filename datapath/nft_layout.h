/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nft_layout.h -- the fixed sets of table "inet netd": what each holds, and how an element is written
 *
 * A network is elements in these sets. The rules that look them up exist while their set does
 * (nft_rules.c has them all); they are the same few whatever the number of networks, because
 * subnets are looked up masked, with one set and one rule per prefix length in use: a masked
 * key of another length could collide.
 *
 *	chain forward      cross: inside one bridge, accept
 *	                   judged, out of the bridge -> to_guest:
 *	                       limited bridge and not its uplink: reject
 *	                       route: to its subnet, accept; nat: the same, replies only
 *	                       reject
 *	                   judged, into the bridge -> from_guest: the mirror image
 *	chain postrouting  local multicast and broadcast: leave alone
 *	                   -> nat_from, longest prefix first:
 *	                       nat, to its own bridge; same, to its own subnet: leave alone
 *	                       snat: the network's own chain; masq: masquerade
 *	chain sources      judged, from a source to which one of homes leads, and this one does not: drop
 *	chain input        dhcp: drop UDP 67, which a packet socket answers
 *	chain output       serve_uid -> serve_out: serve, accept; reject
 */
#pragma once
#include <stdint.h>

#include "datapath/plan.h"

enum nft_class {
	NFT_CROSS,	/* bridge . bridge */
	NFT_JUDGED,	/* bridge */
	NFT_LIMITED,	/* bridge that has a forward device */
	NFT_UPLINK,	/* bridge . forward device */
	NFT_ROUTE,	/* bridge . subnet */
	NFT_NAT,	/* bridge . subnet */
	NFT_SAME,	/* subnet . subnet: the same one twice */
	NFT_SNAT,	/* subnet : chain */
	NFT_SNAT_DEV,	/* subnet . forward device : chain */
	NFT_MASQ,	/* subnet */
	NFT_MASQ_DEV,	/* subnet . forward device */
	NFT_HOMES,	/* bridge, as the way back to a source */
	NFT_DHCP,	/* bridge */
	NFT_SERVE_UID,	/* uid of a netd-serve */
	NFT_SERVE,	/* uid . upstream address . port */
	NFT_CLASSES
};

enum nft_field {
	NFT_FIELD_NONE,
	NFT_FIELD_IFNAME,
	NFT_FIELD_WAY_BACK,	/* an interface's name too, but nft(8) has another type for what fib finds */
	NFT_FIELD_ADDR,
	NFT_FIELD_UID,
	NFT_FIELD_PORT,
};

struct nft_class_desc {
	const char *name;
	enum nft_field fields[3];
	bool by_family, by_len, is_map;
};

extern const struct nft_class_desc nft_classes[NFT_CLASSES];

/* One set of the layout. prefix_len is 0 where the class has none. */
struct nft_set_id {
	enum nft_class class;
	bool v6;
	uint8_t prefix_len;
};

/* "nat4_24": buf of 32; returns buf. */
char *nft_set_name(const struct nft_set_id *id, char *buf);
bool nft_set_id_parse(const char *name, struct nft_set_id *out);
/* Bytes of a key, each field padded to 4 bytes. */
unsigned nft_set_key_len(const struct nft_set_id *id);

/* Fields of an element that nft_plan_elem() adds; each class uses those that it has. */
struct nft_elem_fields {
	const char *ifname[2];		/* in the order of the class */
	struct nd_prefix subnet;	/* masked here; its length picks the set */
	struct nd_ip addr;
	uint32_t uid;
	uint16_t port;
	const char *goto_chain;
};

/* Adds an element of the class to the plan. v6 is for classes by family. 0 or -ENOMEM. */
int nft_plan_elem(struct plan *p, enum nft_class class, bool v6, const struct nft_elem_fields *f);

/* "virbr0 . 192.168.122.0": the key as nft writes it; buf of 160; returns buf. */
char *nft_elem_format(const struct plan_nft_elem *e, char *buf);
