/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nwfilter.c -- <filter>: its entries in the document's order, read and printed */
#include "netd/model/nwfilter_attrs.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netd/base/array.h"
#include "netd/base/str.h"

/* Bounds of what becomes a file's name, a chain's name, and of a rule. */
enum { NAME_MAX_BYTES = 128, CHAIN_MAX_BYTES = 31, ELEMENTS_MAX = 16, PARAMS_MAX = 1024, VALUE_MAX_BYTES = 255 };

/* ---- <filterref> ---- */

static const struct xml_attr param_attrs[] = {
	{ .name = "name", .kind = XML_STR, XML_FIELD(struct nwfilter_param, name), .required = true },
	{ .name = "value", .kind = XML_STR, XML_FIELD(struct nwfilter_param, value), .required = true },
};

static bool is_variable_name(const char *name)
{
	char text[80];
	struct nwfilter_variable var;

	return snprintf(text, sizeof(text), "$%s", name) < (int)sizeof(text) &&
	       nwfilter_variable_parse(text, &var) && nd_streq(var.name, name);
}

static int param_check(struct xml_in *in, const xmlNode *node, void *self)
{
	const struct nwfilter_param *p = self;

	if (!is_variable_name(p->name))
		return xml_fail(in, node, ND_ERR_XML, "name '%.100s' is not letters, digits and _, up to 63 of them",
				p->name);
	if (strlen(p->value) > VALUE_MAX_BYTES)
		return xml_fail(in, node, ND_ERR_XML, "value is longer than %d bytes", VALUE_MAX_BYTES);
	for (const char *c = p->value; *c; c++)
		if (!isgraph((unsigned char)*c) || *c == '$')
			return xml_fail(in, node, ND_ERR_XML, "value '%.100s' has blanks or characters that no value has",
					p->value);
	return 0;
}

static const struct xml_elem param_elem = {
	.name = "parameter", .size = sizeof(struct nwfilter_param), XML_ATTRS(param_attrs), .check = param_check,
};

static const struct xml_attr ref_attrs[] = {
	{ .name = "filter", .kind = XML_STR, XML_FIELD(struct nwfilter_ref, filter), .required = true },
};

static const struct xml_child ref_children[] = {
	{ .elem = &param_elem, XML_ARRAY(struct nwfilter_ref, params, n_params) },
};

/* By name, as libvirt prints them; the values of one name stay in their order. */
static int ref_check(struct xml_in *in, const xmlNode *node, void *self)
{
	struct nwfilter_ref *ref = self;

	if (ref->n_params > PARAMS_MAX)
		return xml_fail(in, node, ND_ERR_XML, "it has more than %d parameters", PARAMS_MAX);
	for (size_t i = 1; i < ref->n_params; i++) {
		struct nwfilter_param p = ref->params[i];
		size_t at = i;

		for (; at && strcmp(ref->params[at - 1].name, p.name) > 0; at--)
			ref->params[at] = ref->params[at - 1];
		ref->params[at] = p;
	}
	return 0;
}

const struct xml_elem elem_nwfilter_ref = {
	.name = "filterref", .size = sizeof(struct nwfilter_ref), .line_at = offsetof(struct nwfilter_ref, line),
	XML_ATTRS(ref_attrs), XML_CHILDREN(ref_children), .check = ref_check,
};

bool nwfilter_ref_equal(const struct nwfilter_ref *a, const struct nwfilter_ref *b)
{
	return xml_elem_equal(&elem_nwfilter_ref, a, b);
}

/* ---- the element of a protocol ---- */

static const struct nwfilter_match *match_of(const struct nwfilter_element *e, enum nwfilter_field field)
{
	for (size_t i = 0; i < e->n_matches; i++)
		if (e->matches[i].attr->field == field)
			return &e->matches[i];
	return NULL;
}

static const struct nwfilter_attr *find_attr(enum nwfilter_proto proto, const char *name)
{
	const struct nwfilter_proto_desc *p = &nwfilter_protos[proto];

	for (size_t i = 0; i < p->n_attrs; i++)
		if (nd_streq(p->attrs[i].name, name))
			return &p->attrs[i];
	return NULL;
}

static int unknown_attr(struct xml_in *in, const xmlNode *node, const char *name)
{
	if (nd_streq(name, "ipset") || nd_streq(name, "ipsetflags"))
		return xml_fail(in, node, ND_ERR_CONFIG_UNSUPPORTED,
				"attribute '%s' is not supported: nftables cannot read the sets of ipset", name);
	return xml_fail(in, node, ND_ERR_CONFIG_UNSUPPORTED, "attribute '%.100s' is not supported", name);
}

/* Checks a value, and makes its text what libvirt prints. */
static int read_value(struct xml_in *in, const xmlNode *node, const struct nwfilter_attr *a, const char *text,
		      char **out)
{
	struct nwfilter_variable var;
	struct nwfilter_value value;
	struct nd_error err = { 0 };

	if (a->kind != NWFILTER_TEXT && *text == '$') {
		if (!nwfilter_variable_parse(text, &var))
			return xml_fail(in, node, ND_ERR_XML, "%s '%.100s' is no variable: $NAME, $NAME[2] or $NAME[@1]",
					a->name, text);
		*out = nwfilter_variable_format(&var);
	} else {
		if (nwfilter_value_parse(a, text, &value, &err) < 0)
			return xml_fail(in, node, ND_ERR_XML, "%s", err.text);
		*out = nwfilter_value_format(a, text, &value);
	}
	return *out ? 0 : nd_error_nomem(in->err);
}

static int parse_match(struct xml_in *in, const xmlNode *node, enum nwfilter_proto proto, const xmlAttr *attr,
		       struct nwfilter_element *e)
{
	const char *name = (const char *)attr->name;
	ND_AUTO(free) char *text = xml_prop(node, name);
	const struct nwfilter_attr *a = attr->ns ? NULL : find_attr(proto, name);
	struct nwfilter_match *m;

	if (nd_streq(name, "match") && !attr->ns && text) {
		e->negated = nd_streq(text, "no");
		return e->negated || nd_streq(text, "yes") ? 0 :
		       xml_fail(in, node, ND_ERR_XML, "match '%.100s' is not yes or no", text);
	}
	if (!a)
		return unknown_attr(in, node, name);
	m = text ? nd_array_add(e->matches, e->n_matches) : NULL;
	if (!m)
		return nd_error_nomem(in->err);
	m->attr = a;
	return read_value(in, node, a, text, &m->text);
}

static bool has_literal(const struct nwfilter_element *e, enum nwfilter_field field, struct nwfilter_value *out)
{
	const struct nwfilter_match *m = match_of(e, field);

	return m && nwfilter_value_parse(m->attr, m->text, out, NULL) == 0;
}

/* A mask or an end needs what it belongs to, and a range goes upwards. */
static int check_partner(struct xml_in *in, const xmlNode *node, const struct nwfilter_element *e,
			 const struct nwfilter_attr *a)
{
	struct nwfilter_value from, to;
	bool down;

	if (!match_of(e, a->field - 1))
		return xml_fail(in, node, ND_ERR_XML, "there is '%s', but not what it belongs to", a->name);
	if (a->role != NWFILTER_END || !has_literal(e, a->field - 1, &from) || !has_literal(e, a->field, &to))
		return 0;
	down = a->kind == NWFILTER_NUMBER ? from.number > to.number : nd_ip_compare(&from.ip, &to.ip) > 0;
	return down ? xml_fail(in, node, ND_ERR_XML, "'%s' is below where the range begins", a->name) : 0;
}

/* What stands in the header behind IP's depends on the protocol there. */
static int check_protocol(struct xml_in *in, const xmlNode *node, enum nwfilter_proto proto,
			  const struct nwfilter_element *e)
{
	const struct nwfilter_match *ports = match_of(e, NWF_SRC_PORT), *icmp = match_of(e, NWF_ICMP_TYPE);
	bool known = false;
	struct nwfilter_value v;

	if (proto != NWFILTER_IP && proto != NWFILTER_IPV6)
		return 0;
	if (!ports)
		ports = match_of(e, NWF_DST_PORT);
	if (!icmp)
		icmp = match_of(e, NWF_ICMP_CODE);
	if ((ports || icmp) && !match_of(e, NWF_IP_PROTOCOL))
		return xml_fail(in, node, ND_ERR_XML, "'%s' needs a protocol", (ports ? ports : icmp)->attr->name);
	known = has_literal(e, NWF_IP_PROTOCOL, &v);
	if (known && icmp && v.number != 58)
		return xml_fail(in, node, ND_ERR_XML, "'%s' is of the protocol icmpv6 only", icmp->attr->name);
	if (known && ports && v.number != 6 && v.number != 17 && v.number != 132 && v.number != 136)
		return xml_fail(in, node, ND_ERR_XML, "'%s' is of the protocols tcp, udp, udplite and sctp only",
				ports->attr->name);
	return 0;
}

static int check_element(struct xml_in *in, const xmlNode *node, enum nwfilter_proto proto,
			 const struct nwfilter_element *e)
{
	int r = 0;

	for (size_t i = 0; i < e->n_matches && r == 0; i++)
		if (e->matches[i].attr->role != NWFILTER_VALUE)
			r = check_partner(in, node, e, e->matches[i].attr);
	if (r == 0 && e->negated && e->n_matches == (match_of(e, NWF_COMMENT) ? 1 : 0))
		r = xml_fail(in, node, ND_ERR_XML, "match 'no' needs an attribute that it negates");
	return r < 0 ? r : check_protocol(in, node, proto, e);
}

/* ---- <rule> ---- */

static int no_children(struct xml_in *in, const xmlNode *parent)
{
	for (const xmlNode *node = parent->children; node; node = node->next)
		if (node->type == XML_ELEMENT_NODE)
			return xml_fail(in, node, ND_ERR_CONFIG_UNSUPPORTED, "not supported inside <%s>",
					(const char *)parent->name);
		else if ((node->type == XML_TEXT_NODE || node->type == XML_CDATA_SECTION_NODE) && !xmlIsBlankNode(node))
			return xml_fail(in, parent, ND_ERR_XML, "there is text in it that means nothing");
	return 0;
}

static enum nwfilter_proto find_proto(const char *name)
{
	for (enum nwfilter_proto p = NWFILTER_MAC; p < NWFILTER_PROTOS; p++)
		if (nd_streq(nwfilter_protos[p].name, name))
			return p;
	return NWFILTER_ANY;
}

static int parse_element(struct xml_in *in, const xmlNode *node, struct nwfilter_rule *rule)
{
	enum nwfilter_proto proto = node->ns ? NWFILTER_ANY : find_proto((const char *)node->name);
	struct nwfilter_element *e;
	int r;

	if (!proto)
		return xml_fail(in, node, ND_ERR_CONFIG_UNSUPPORTED, "not supported inside <rule>");
	if (rule->proto && rule->proto != proto)
		return xml_fail(in, node, ND_ERR_XML, "a <rule> is about one protocol, this one about <%s>",
				nwfilter_protos[rule->proto].name);
	if (rule->n_elements == ELEMENTS_MAX)
		return xml_fail(in, node, ND_ERR_XML, "a <rule> has at most %d elements", ELEMENTS_MAX);
	e = nd_array_add(rule->elements, rule->n_elements);
	if (!e)
		return nd_error_nomem(in->err);
	rule->proto = proto;
	e->line = (int)xmlGetLineNo((xmlNode *)node);
	r = no_children(in, node);
	for (const xmlAttr *a = node->properties; a && r == 0; a = a->next)
		r = parse_match(in, node, proto, a, e);
	return r < 0 ? r : check_element(in, node, proto, e);
}

/* Two values that both have to be there are never there. */
static int check_repeats(struct xml_in *in, const struct nwfilter_rule *rule)
{
	bool seen[NWF_FIELDS] = { false };

	for (size_t i = 0; i < rule->n_elements; i++) {
		const struct nwfilter_element *e = &rule->elements[i];

		for (size_t k = 0; k < e->n_matches && !e->negated; k++) {
			const struct nwfilter_attr *a = e->matches[k].attr;

			if (seen[a->field])
				return xml_fail_at(in->err, nwfilter_proto_name(rule->proto), e->line, ND_ERR_XML,
						   "the rule has a '%s' already", a->name);
			seen[a->field] = a->field != NWF_COMMENT;
		}
	}
	return 0;
}

/* Of a list whose first entry is none and that ends with another one. */
static int enum_attr(struct xml_in *in, const xmlNode *node, const char *name, const char *const *names, int *out)
{
	ND_AUTO(free) char *text = xml_prop(node, name);
	ND_AUTO(nd_str_free) struct nd_str wanted = { 0 };

	if (!text)
		return xml_fail(in, node, ND_ERR_XML, "attribute '%s' is missing", name);
	for (size_t i = 1; names[i]; i++) {
		if (strcasecmp(names[i], text) == 0) {
			*out = (int)i;
			return 0;
		}
		nd_str_addf(&wanted, "%s%s", i == 1 ? "" : names[i + 1] ? ", " : " or ", names[i]);
	}
	return xml_fail(in, node, ND_ERR_XML, "%s '%.100s' is not %s", name, text, wanted.failed ? "valid" : wanted.text);
}

static int priority_attr(struct xml_in *in, const xmlNode *node, int *out, bool *has)
{
	ND_AUTO(free) char *text = xml_prop(node, "priority");
	char *end;
	long n;

	if (!text)
		return 0;
	errno = 0;
	n = strtol(text, &end, 10);
	if (errno || end == text || *end || n < NWFILTER_PRIORITY_MIN || n > NWFILTER_PRIORITY_MAX)
		return xml_fail(in, node, ND_ERR_XML, "priority '%.100s' is not a number from %d to %d", text,
				NWFILTER_PRIORITY_MIN, NWFILTER_PRIORITY_MAX);
	*out = (int)n;
	*has = true;
	return 0;
}

static int statematch_attr(struct xml_in *in, const xmlNode *node, bool *stateless)
{
	ND_AUTO(free) char *text = xml_prop(node, "statematch");

	if (!text || nd_streq(text, "1") || strcasecmp(text, "true") == 0)
		return 0;
	*stateless = nd_streq(text, "0") || strcasecmp(text, "false") == 0;
	return *stateless ? 0 : xml_fail(in, node, ND_ERR_XML, "statematch '%.100s' is not true or false", text);
}

/* Whether the element has no other attributes than these. */
static int only_attrs(struct xml_in *in, const xmlNode *node, const char *const *names)
{
	for (const xmlAttr *a = node->properties; a; a = a->next) {
		const char *const *name = names;

		while (*name && (a->ns || !nd_streq(*name, (const char *)a->name)))
			name++;
		if (!*name)
			return unknown_attr(in, node, (const char *)a->name);
	}
	return 0;
}

/* Calls parse for each child, and refuses text. */
static int each_child(struct xml_in *in, const xmlNode *parent,
		      int (*parse)(struct xml_in *in, const xmlNode *node, void *self), void *self)
{
	int r = 0;

	for (const xmlNode *node = parent->children; node && r == 0; node = node->next) {
		if (node->type == XML_ELEMENT_NODE)
			r = parse(in, node, self);
		else if ((node->type == XML_TEXT_NODE || node->type == XML_CDATA_SECTION_NODE) && !xmlIsBlankNode(node))
			r = xml_fail(in, parent, ND_ERR_XML, "there is text in it that means nothing");
	}
	return r;
}

static int rule_child(struct xml_in *in, const xmlNode *node, void *self)
{
	return parse_element(in, node, self);
}

static int parse_rule(struct xml_in *in, const xmlNode *node, struct nwfilter_rule *rule)
{
	static const char *const known[] = { "action", "direction", "priority", "statematch", NULL };
	int action = 0, direction = 0;
	int r = only_attrs(in, node, known);

	rule->line = (int)xmlGetLineNo((xmlNode *)node);
	if (r == 0)
		r = enum_attr(in, node, "action", nwfilter_actions, &action);
	if (r == 0)
		r = enum_attr(in, node, "direction", nwfilter_directions, &direction);
	if (r == 0)
		r = priority_attr(in, node, &rule->priority, &rule->has_priority);
	if (r == 0)
		r = statematch_attr(in, node, &rule->stateless);
	rule->action = (enum nwfilter_action)action;
	rule->direction = (enum nwfilter_direction)direction;
	if (!rule->has_priority)
		rule->priority = NWFILTER_RULE_PRIORITY;
	if (r == 0)
		r = each_child(in, node, rule_child, rule);
	return r < 0 ? r : check_repeats(in, rule);
}

/* ---- <filter> ---- */

static const struct { const char *name; enum nwfilter_proto proto; int priority; } chains[] = {
	{ "root", NWFILTER_ANY, 0 }, { "stp", NWFILTER_STP, -810 }, { "mac", NWFILTER_MAC, -800 },
	{ "vlan", NWFILTER_VLAN, -750 }, { "ipv4", NWFILTER_IP, -700 }, { "ipv6", NWFILTER_IPV6, -600 },
	{ "arp", NWFILTER_ARP, -500 }, { "rarp", NWFILTER_RARP, -400 },
};

static int find_chain(const char *name)
{
	for (size_t i = 0; i < ND_COUNT(chains); i++) {
		size_t len = strlen(chains[i].name);

		if (strncmp(name, chains[i].name, len) == 0 && (i || !name[len]))
			return (int)i;
	}
	return -1;
}

int nwfilter_chain_proto(const char *chain)
{
	int i = find_chain(chain);

	return i < 0 ? -1 : (int)chains[i].proto;
}

static int check_chain(struct xml_in *in, const xmlNode *node, struct nwfilter_def *def)
{
	int kind = find_chain(def->chain);

	if (kind < 0)
		return xml_fail(in, node, ND_ERR_XML, "chain '%.100s' is not root, nor does its name begin with mac, stp, vlan, "
				"arp, rarp, ipv4 or ipv6", def->chain);
	if (strlen(def->chain) > CHAIN_MAX_BYTES)
		return xml_fail(in, node, ND_ERR_XML, "chain '%.100s' is longer than %d bytes", def->chain, CHAIN_MAX_BYTES);
	for (const char *c = def->chain; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("_-.:", *c))
			return xml_fail(in, node, ND_ERR_XML, "chain '%s' has characters other than letters, digits and _ - . :",
					def->chain);
	if (!def->has_priority)
		def->priority = chains[kind].priority;
	else if (!chains[kind].proto && def->priority)
		return xml_fail(in, node, ND_ERR_XML, "chain root has no priority: it is where all begins");
	return 0;
}

static int check_name(struct xml_in *in, const xmlNode *node, const struct nwfilter_def *def)
{
	if (!def->name || !*def->name)
		return xml_fail(in, node, ND_ERR_XML, "attribute 'name' is missing");
	if (strlen(def->name) > NAME_MAX_BYTES)
		return xml_fail(in, node, ND_ERR_XML, "name '%.100s...' is longer than %d bytes", def->name, NAME_MAX_BYTES);
	if (strpbrk(def->name, "/\n\r") || def->name[0] == '.')
		return xml_fail(in, node, ND_ERR_XML, "name '%s' cannot contain '/' or a line end, nor begin with '.'",
				def->name);
	return 0;
}

static int parse_uuid(struct xml_in *in, const xmlNode *node, struct nwfilter_def *def)
{
	xmlChar *text = xmlNodeGetContent(node);
	bool good = text && nd_uuid_parse((const char *)text, &def->uuid);

	xmlFree(text);
	if (def->has_uuid)
		return xml_fail(in, node, ND_ERR_XML, "only one is possible in <filter>");
	def->has_uuid = true;
	return good ? 0 : xml_fail(in, node, ND_ERR_XML, "malformed uuid element");
}

static int filter_child(struct xml_in *in, const xmlNode *node, void *self)
{
	const char *name = node->ns ? "" : (const char *)node->name;
	struct nwfilter_def *def = self;
	struct nwfilter_entry *e;

	if (nd_streq(name, "uuid"))
		return parse_uuid(in, node, def);
	if (!nd_streq(name, "rule") && !nd_streq(name, "filterref"))
		return xml_fail(in, node, ND_ERR_CONFIG_UNSUPPORTED, "not supported inside <filter>");
	e = nd_array_add(def->entries, def->n_entries);
	if (!e)
		return nd_error_nomem(in->err);
	e->is_ref = nd_streq(name, "filterref");
	return e->is_ref ? xml_elem_parse(in, &elem_nwfilter_ref, node, &e->ref) : parse_rule(in, node, &e->rule);
}

static int parse_filter(struct xml_in *in, const xmlNode *node, struct nwfilter_def *def)
{
	static const char *const known[] = { "name", "chain", "priority", NULL };
	int r = only_attrs(in, node, known);

	def->line = (int)xmlGetLineNo((xmlNode *)node);
	def->name = xml_prop(node, "name");
	def->chain = xml_prop(node, "chain");
	if (!def->chain)
		def->chain = strdup("root");
	if (!def->chain)
		return nd_error_nomem(in->err);
	if (r == 0)
		r = check_name(in, node, def);
	if (r == 0)
		r = priority_attr(in, node, &def->priority, &def->has_priority);
	if (r == 0)
		r = check_chain(in, node, def);
	return r < 0 ? r : each_child(in, node, filter_child, def);
}

int nwfilter_def_parse(const char *xml, size_t len, struct nwfilter_def **out, struct nd_error *err)
{
	ND_AUTO(nwfilter_def_free) struct nwfilter_def *def = calloc(1, sizeof(*def));
	struct xml_in in = { .err = err, .strict = true };
	ND_AUTO(xmlFreeDoc) xmlDoc *doc = NULL;
	xmlNode *root;
	int r;

	if (!def)
		return nd_error_nomem(err);
	r = xml_doc_parse(xml, len, "(nwfilter_definition)", &doc, err);
	if (r == 0)
		r = xml_doc_root(doc, "filter", &root, err);
	if (r == 0)
		r = parse_filter(&in, root, def);
	if (r < 0)
		return r;
	*out = nd_take_ptr(&def);
	return 0;
}

/* ---- the end of it ---- */

static void rule_fini(struct nwfilter_rule *rule)
{
	for (size_t i = 0; i < rule->n_elements; i++) {
		for (size_t k = 0; k < rule->elements[i].n_matches; k++)
			free(rule->elements[i].matches[k].text);
		free(rule->elements[i].matches);
	}
	free(rule->elements);
}

void nwfilter_def_free(struct nwfilter_def *def)
{
	if (!def)
		return;
	for (size_t i = 0; i < def->n_entries; i++) {
		xml_elem_fini(&elem_nwfilter_ref, &def->entries[i].ref);
		rule_fini(&def->entries[i].rule);
	}
	free(def->entries);
	free(def->name);
	free(def->chain);
	free(def);
}
