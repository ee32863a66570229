/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "datapath/nft_text.h"

#include <errno.h>
#include <libnftnl/expr.h>
#include <libnftnl/udata.h>
#include <string.h>

static void comment_text(struct nd_str *text, const struct nftnl_rule *rule)
{
	uint32_t len = 0;
	const uint8_t *data = nftnl_rule_get_data(rule, NFTNL_RULE_USERDATA, &len);

	for (uint32_t i = 0; data && i < len; i++)
		nd_str_addf(text, "%02x", data[i]);
}

/* Appends an expression without what is not the rule's own: a counter's values, and that elements have no
 * timeout, which dumps say and rules cannot. */
static void expr_text(struct nd_str *text, const struct nftnl_expr *e)
{
	const char *name = nftnl_expr_get_str(e, NFTNL_EXPR_NAME);
	char buf[512] = "", *end = NULL;

	if (!nd_streq(name, "counter"))
		nftnl_expr_snprintf(buf, sizeof(buf), e, NFTNL_OUTPUT_DEFAULT, 0);
	if (nd_streq(name, "dynset"))
		end = strstr(buf, "timeout 0ms ");
	if (end)
		*end = '\0';
	nd_str_addf(text, "[%s %s]", name, buf);
}

int nft_text_rule(const struct nftnl_rule *rule, void *arg)
{
	struct nftnl_expr_iter *it = nftnl_expr_iter_create(rule);
	struct nd_str *text = arg;
	struct nftnl_expr *e;

	if (!it)
		return -ENOMEM;
	while ((e = nftnl_expr_iter_next(it)))
		expr_text(text, e);
	nftnl_expr_iter_destroy(it);
	comment_text(text, rule);
	nd_str_add(text, "\n");
	return text->failed ? -ENOMEM : 0;
}

void nft_text_hook(struct nd_str *text, const char *type, uint32_t hook, int32_t priority,
		   uint32_t policy)
{
	nd_str_addf(text, "%s %u %d %u\n", type, hook, priority, policy);
}

bool nft_text_equal(const struct nd_str *a, const struct nd_str *b)
{
	return a->len == b->len && (!a->len || memcmp(a->text, b->text, a->len) == 0);
}

bool nft_text_comment_is(const struct nftnl_table *t, const char *comment)
{
	uint32_t len = 0;
	const uint8_t *data = nftnl_table_get_data(t, NFTNL_TABLE_USERDATA, &len);
	size_t want = strlen(comment) + 1;

	return data && len >= want + 2 && data[0] == NFTNL_UDATA_TABLE_COMMENT &&
	       memcmp(data + 2, comment, want) == 0;
}
