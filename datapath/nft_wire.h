/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nft_wire.h -- nf_tables messages: one transaction out, the verdict on it and dumps in
 *
 * Private to the nft engine.
 */
#pragma once
#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stdint.h>

#include "datapath/plan.h"

struct nft_wire {
	struct mnl_socket *sock;
	uint32_t portid, seq;
	int sndbuf_bytes;
};

int nft_wire_open(struct nft_wire *w, struct nd_error *err);
void nft_wire_close(struct nft_wire *w);

/* What a message of a transaction is about, for the sentence when the kernel refuses it. */
struct nft_label {
	const char *verb;			/* "cannot add chain" */
	const char *name;			/* borrowed until the transaction is sent */
	const struct plan_nft_elem *elem;	/* instead of name; borrowed the same way */
	bool table;				/* it makes or takes over a table */
	const char *of;				/* the table, with its family: "inet netd" */
	const char *needs;			/* what not every kernel has, and this does need; NULL: nothing */
};

struct nft_tx {
	uint8_t *buf;
	size_t len, size;
	uint32_t first_seq, seq;
	struct nft_label *labels;		/* of message first_seq + i */
	size_t n_labels;
	bool failed;				/* out of memory: sticks */
	bool table_refused;			/* after sending: a table was what the kernel refused */
};

/* genid: refused with ESTALE when the rules of the namespace are another generation; 0: any. */
void nft_tx_begin(struct nft_tx *tx, struct nft_wire *w, uint32_t genid);
/* A new message to which attributes of together at most 8 KiB can be put; NULL: out of memory.
 * The pointer is good until the next one. */
struct nlmsghdr *nft_tx_msg(struct nft_tx *tx, uint16_t type, uint8_t family, uint16_t flags,
			    struct nft_label label);
/* Closes the message that nft_tx_msg() opened. */
void nft_tx_msg_end(struct nft_tx *tx, const struct nlmsghdr *h);
void nft_tx_fini(struct nft_tx *tx);

/* Sends the transaction: 0, or the negative errno of its first refused message and a sentence. */
int nft_tx_send(struct nft_tx *tx, struct nft_wire *w, struct nd_error *err);

/* Called with each message of an answer; a negative result ends the query with it. */
typedef int (*nft_answer_fn)(const struct nlmsghdr *h, void *arg);

/* Sends one NFT_MSG_GET... whose attributes `put` adds (may be NULL) and hands out the answers.
 * dump: all objects. -EINTR when a dump was not consistent: ask again. */
struct nft_query {
	uint16_t type;
	uint8_t family;
	bool dump;
	const char *table, *set;	/* attributes where not NULL; by the type's own numbers */
};

int nft_wire_query(struct nft_wire *w, const struct nft_query *q, nft_answer_fn answer, void *arg);

/* The generation of the namespace's rules, never 0. */
int nft_wire_genid(struct nft_wire *w, uint32_t *out);
/* The generation that follows. */
uint32_t nft_genid_next(uint32_t genid);

/* After a transaction that failed with r: true when another try makes sense, perhaps after a pause.
 * fresh: it was made from what the kernel had just said; tries: how many there were before. */
bool nft_try_again(int r, bool fresh, int tries);
/* After a table was refused as another process's (-EPERM): waits a moment and is true, until a second
 * has passed in all. *waited_ms is 0 at first. */
bool nft_owner_may_go(int r, int *waited_ms);
