/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Documents of network filters: what is accepted comes back the same when it is printed and parsed
 * again, and each value in it is a variable or can be read. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "netd/base/str.h"
#include "netd/model/nwfilter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check_match(const struct nwfilter_match *match)
{
	struct nwfilter_variable var;
	struct nwfilter_value value;

	if (*match->text == '$' && match->attr->kind != NWFILTER_TEXT)
		require(nwfilter_variable_parse(match->text, &var) && *var.name);
	else
		require(nwfilter_value_parse(match->attr, match->text, &value, NULL) == 0);
}

static void check_values(const struct nwfilter_def *def)
{
	require(nwfilter_chain_proto(def->chain) >= 0);
	for (size_t i = 0; i < def->n_entries; i++) {
		const struct nwfilter_rule *rule = &def->entries[i].rule;

		require(!def->entries[i].is_ref || def->entries[i].ref.filter);
		for (size_t k = 0; k < rule->n_elements; k++)
			for (size_t m = 0; m < rule->elements[k].n_matches; m++)
				check_match(&rule->elements[k].matches[m]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	ND_AUTO(nwfilter_def_free) struct nwfilter_def *def = NULL, *again = NULL;
	ND_AUTO(free) char *xml = NULL, *xml_again = NULL;
	struct nd_error err = { 0 };

	if (nwfilter_def_parse((const char *)data, size, &def, &err) < 0) {
		require(err.kind != ND_ERR_OK && *err.text && !def);
		return 0;
	}
	check_values(def);
	xml = nwfilter_def_format(def);
	require(nwfilter_def_parse(xml, strlen(xml), &again, &err) == 0);
	require(nwfilter_def_equal(def, again));
	xml_again = nwfilter_def_format(again);
	require(nd_streq(xml, xml_again));
	return 0;
}
