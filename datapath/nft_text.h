/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nft_text.h -- rules and hooks as text, to compare what the kernel has with what it should have
 *
 * Private to the nft engines.
 */
#pragma once
#include <stdio.h>		/* which libnftnl forgets */

#include <libnftnl/rule.h>
#include <libnftnl/table.h>

#include "netd/base/str.h"

/* Appends one rule as text that is equal for equal rules; arg is a struct nd_str (an nft_rule_fn).
 * Counters' values do not count. 0 or -ENOMEM. */
int nft_text_rule(const struct nftnl_rule *rule, void *arg);
/* The same for the hook of a base chain. */
void nft_text_hook(struct nd_str *text, const char *type, uint32_t hook, int32_t priority,
		   uint32_t policy);
bool nft_text_equal(const struct nd_str *a, const struct nd_str *b);

/* A table's comment, as nft_msg_put_table() writes it. */
bool nft_text_comment_is(const struct nftnl_table *t, const char *comment);
