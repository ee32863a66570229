/* SPDX-License-Identifier: GPL-2.0-or-later */
/* port_filters_rules.h -- names and rules of table "bridge netd"
 *
 * Private to the port filters' engine.
 */
#pragma once
#include "datapath/nft_rules.h"
#include "datapath/port_filter.h"

#define FILTER_TABLE "netd"
#define FILTER_TABLE_NAME "bridge netd"
#define FILTER_TABLE_COMMENT "made by netd, layout 1: filters of bridge ports; changes are undone"

enum {
	FILTER_KEY_SIZE = 3 * IFNAMSIZ,
	FILTER_NAME_SIZE = 3 * sizeof(((struct filter_chain *)0)->name) + 1 + FILTER_KEY_SIZE,
};

/* Where a stage looks. Its base chain, its map and the stages' chains of ports have filter_stage_name(). */
struct filter_hook {
	uint32_t hook;
	int32_t priority;
	uint32_t ifname_key;		/* NFT_META_IIFNAME, NFT_META_OIFNAME */
};

extern const struct filter_hook filter_hooks[FILTER_STAGES];

/* The interface's name as nft(8) can read it in a name: no two have the same. */
void filter_key(const char *ifname, char key[FILTER_KEY_SIZE]);
/* "frames_from_arp.vnet0", and "learned.vnet0" for the set. */
void filter_name(const char *what, const char *key, char name[FILTER_NAME_SIZE]);
/* The key in such a name; NULL: it is none. */
const char *filter_name_key(const char *name);

/* 0, or ND_ERR_INTERNAL: what the compiler must not make. */
int filter_check(const struct port_filter *f, struct nd_error *err);

/* The rule of a stage's base chain. -ENOMEM, or what fn returned. */
int filter_stage_rule(enum filter_stage stage, nft_rule_fn fn, void *arg);
/* One rule of a port's chain; f has passed filter_check(). */
int filter_write_rule(const struct port_filter *f, const char *key, const struct filter_chain *c,
		      const struct filter_rule *r, nft_rule_fn fn, void *arg);
/* What not every kernel has and the rule needs, for a sentence; NULL: nothing. */
const char *filter_rule_needs(const struct filter_rule *r);
