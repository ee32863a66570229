/* SPDX-License-Identifier: GPL-2.0-or-later */
/* port_filters_table.h -- what table "bridge netd" holds, by port: read from the kernel, or made by commits
 *
 * Private to the port filters' engine.
 */
#pragma once
#include "datapath/nft_state.h"		/* the tables' flags */
#include "datapath/port_filters_rules.h"
#include "netd/base/str.h"

struct filter_table_chain {
	char name[FILTER_NAME_SIZE];
	struct nd_str text;		/* as read; empty when this process made it */
};

struct filter_table_port {
	char key[FILTER_KEY_SIZE];
	char ifname[IFNAMSIZ];		/* "": not known, and then no map names it */
	struct filter_table_chain **chains;
	size_t n_chains;
	uint8_t elems, bad_elems;	/* bit per stage: its map names the port; leads elsewhere */
	uint32_t set_size;		/* of the set of learned addresses; 0: none */
	bool bad_set;			/* it is of another kind */
	struct port_filter *made;	/* what it was made from; NULL: it was only read so far */
};

struct filter_table {
	bool there;
	uint32_t flags, owner;		/* owner: netlink port, 0: nobody */
	bool others;			/* it is another process's */
	bool sound;			/* base chains and maps are as they should be, and nothing else is there */
	uint32_t genid;
	struct nd_hash *ports;		/* key -> struct filter_table_port */
};

int filter_table_init(struct filter_table *t);		/* 0 or -ENOMEM */
void filter_table_fini(struct filter_table *t);

struct filter_table_port *filter_table_find(const struct filter_table *t, const char *key);
/* The port, made when there is none; NULL: out of memory. */
struct filter_table_port *filter_table_get(struct filter_table *t, const char *key);
/* Takes the port, in place of one with its key. -ENOMEM: it is freed. */
int filter_table_put(struct filter_table *t, struct filter_table_port *p);
void filter_table_drop(struct filter_table *t, const char *key);

/* How the port is when the kernel has the filter; NULL: out of memory. */
struct filter_table_port *filter_port_new(const struct port_filter *f);
void filter_port_free(struct filter_table_port *p);	/* NULL is fine */
ND_DEFINE_AUTO(struct filter_table_port *, filter_port_free)
struct filter_table_chain *filter_port_add_chain(struct filter_table_port *p, const char *name);
const struct filter_table_chain *filter_port_find_chain(const struct filter_table_port *p, const char *name);

/* 1 when the port is as the filter wants it, 0 when not, -ENOMEM. Remembers that it was. */
int filter_port_agrees(struct filter_table_port *p, const struct port_filter *want);

/* Fills an init'ed table from the kernel, consistently; t is undefined after an error. */
int filter_table_load(struct filter_table *t, struct nft_wire *w, struct nd_error *err);
