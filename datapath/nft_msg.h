/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nft_msg.h -- the messages of a transaction about one of netd's tables: tables, chains, rules, sets, elements
 *
 * Out of memory sticks in tx->failed. Labels that a caller gives borrow their names until the
 * transaction is sent. Private to the nft engines.
 */
#pragma once
#include <stdio.h>		/* which libnftnl/rule.h forgets */

#include <libnftnl/rule.h>

#include "datapath/nft_wire.h"

/* Which table, and where the messages go. */
struct nft_target {
	struct nft_tx *tx;
	uint8_t family;			/* NFPROTO_... */
	const char *table;
	const char *name;		/* "bridge netd", for sentences */
	const char *needs;		/* of tables and base chains: as a label's */
};

/* nft(8)'s numbers for the types of keys; a concatenation has six bits for each. */
enum { NFT_TYPE_STRING = 5, NFT_TYPE_IPADDR = 7, NFT_TYPE_IP6ADDR = 8, NFT_TYPE_SERVICE = 13,
       NFT_TYPE_UID = 24, NFT_TYPE_IFNAME = 41 };
enum { NFT_BYTEORDER_NONE, NFT_BYTEORDER_HOST, NFT_BYTEORDER_BIG };

/* Makes the table, or takes it over as it is. */
void nft_msg_put_table(const struct nft_target *t, uint32_t flags, const char *comment);
void nft_msg_drop_table(const struct nft_target *t);

/* type: of a base chain ("filter"), else NULL. Its policy is accept. */
void nft_msg_put_chain(const struct nft_target *t, const char *name, const char *type, uint32_t hook,
		       int32_t priority);
void nft_msg_drop_chain(const struct nft_target *t, const char *name);
/* Removes all of its rules. */
void nft_msg_empty_chain(const struct nft_target *t, const char *name);
/* Appends the rule to its chain. 0 or -ENOMEM. */
int nft_msg_put_rule(const struct nft_target *t, const struct nftnl_rule *rule, struct nft_label label);

struct nft_set_desc {
	const char *name;
	uint32_t flags;			/* NFT_SET_...; with NFT_SET_MAP, of verdicts */
	uint32_t key_type, key_len;
	uint32_t size;			/* most elements; 0: any number */
	uint32_t number;		/* unlike other new sets' in the transaction, not 0 */
	const uint8_t *notes;		/* of nft(8)'s own, see nft_note() */
	size_t notes_len;
};

enum { NFT_NOTE_BYTES = 6 };
/* A value of nft(8)'s own notes on a set, at `to`; returns what follows it. */
uint8_t *nft_note(uint8_t *to, uint8_t type, uint32_t value);
void nft_msg_put_set(const struct nft_target *t, const struct nft_set_desc *set, struct nft_label label);
void nft_msg_drop_set(const struct nft_target *t, const char *name, struct nft_label label);

struct nft_elem_desc {
	const char *set;
	const void *key;
	uint32_t key_len;
	const char *goto_chain;		/* of a map; "": none */
};

/* add: else the element is deleted. The label's verb is set here. */
void nft_msg_elem(const struct nft_target *t, const struct nft_elem_desc *e, bool add,
		  struct nft_label label);
