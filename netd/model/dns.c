/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dns.c -- the <domain> and <dns> elements */
#include <string.h>

#include "netd/base/str.h"
#include "netd/model/elements.h"

#define SERVICE_MAX 482		/* what is left of a record's 512 bytes beside the rest */
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

static int domain_check(struct xml_in *in, const xmlNode *node, void *self)
{
	struct domain_def *d = self;

	if (d->register_ == TRI_YES && d->local_only != TRI_YES)
		return xml_fail(in, node, ND_ERR_XML, "register='yes' needs localOnly='yes'");
	if (!d->name) {
		if (d->local_only || d->register_)
			xml_warn(in, node, "without a 'name' it is ignored");
		*d = (struct domain_def){ 0 };
	}
	return 0;
}

static const struct xml_attr domain_attrs[] = {
	{ .name = "name", .kind = XML_STR, XML_FIELD(struct domain_def, name) },
	{ .name = "localOnly", .kind = XML_TRI, XML_FIELD(struct domain_def, local_only) },
	{ .name = "register", .kind = XML_TRI, XML_FIELD(struct domain_def, register_) },
};

const struct xml_elem elem_domain = {
	.name = "domain", .size = sizeof(struct domain_def),
	.line_at = offsetof(struct domain_def, line),
	XML_ATTRS(domain_attrs), .check = domain_check,
};

static int forwarder_check(struct xml_in *in, const xmlNode *node, void *self)
{
	const struct dns_forwarder *f = self;

	if (!f->addr.family && !f->domain)
		return xml_fail(in, node, ND_ERR_XML, "it needs 'addr', 'domain' or both");
	return 0;
}

static const struct xml_attr forwarder_attrs[] = {
	{ .name = "domain", .kind = XML_STR, XML_FIELD(struct dns_forwarder, domain) },
	{ .name = "addr", .kind = XML_IP, XML_FIELD(struct dns_forwarder, addr) },
	{ .name = "port", .kind = XML_UINT, XML_FIELD(struct dns_forwarder, port) },
};

static const struct xml_elem forwarder_elem = {
	.name = "forwarder", .size = sizeof(struct dns_forwarder),
	.line_at = offsetof(struct dns_forwarder, line),
	XML_ATTRS(forwarder_attrs), .check = forwarder_check,
};

static int txt_check(struct xml_in *in, const xmlNode *node, void *self)
{
	const struct dns_txt *t = self;

	if (!*t->name || strpbrk(t->name, " ,"))
		return xml_fail(in, node, ND_ERR_XML_DETAIL,
				"name '%.200s' is empty or has a blank or comma", t->name);
	return 0;
}

/* An update deletes by name alone, so that the parser of updates does not ask for a value. */
static const struct xml_attr txt_attrs[] = {
	{ .name = "name", .kind = XML_STR, XML_FIELD(struct dns_txt, name), .required = true,
	  .err = ND_ERR_XML_DETAIL },
	{ .name = "value", .kind = XML_STR, XML_FIELD(struct dns_txt, value),
	  .may_be_empty = true },
};

const struct xml_elem elem_dns_txt = {
	.name = "txt", .size = sizeof(struct dns_txt), .line_at = offsetof(struct dns_txt, line),
	XML_ATTRS(txt_attrs), .check = txt_check,
};

static int srv_check(struct xml_in *in, const xmlNode *node, void *self)
{
	const struct dns_srv *s = self;

	if (s->service && (!*s->service || strlen(s->service) > SERVICE_MAX ||
			   s->service[strspn(s->service, LETTERS DIGITS "_-+/*")]))
		return xml_fail(in, node, ND_ERR_XML_DETAIL,
				"service '%.200s' is not a service name", s->service);
	if (s->protocol && (!*s->protocol || s->protocol[strspn(s->protocol, LETTERS DIGITS "-+/")]))
		return xml_fail(in, node, ND_ERR_XML_DETAIL,
				"protocol '%.200s' is not a protocol name", s->protocol);
	if (s->target)
		return 0;
	if (xmlHasProp(node, (const xmlChar *)"port") ||
	    xmlHasProp(node, (const xmlChar *)"priority") ||
	    xmlHasProp(node, (const xmlChar *)"weight"))
		return xml_fail(in, node, ND_ERR_XML_DETAIL,
				"port, priority and weight need a 'target'");
	return 0;
}

static const struct xml_attr srv_attrs[] = {
	{ .name = "service", .kind = XML_STR, XML_FIELD(struct dns_srv, service) },
	{ .name = "protocol", .kind = XML_STR, XML_FIELD(struct dns_srv, protocol) },
	{ .name = "domain", .kind = XML_STR, XML_FIELD(struct dns_srv, domain) },
	{ .name = "target", .kind = XML_STR, XML_FIELD(struct dns_srv, target) },
	{ .name = "port", .kind = XML_UINT, XML_FIELD(struct dns_srv, port), .min = 1,
	  .err = ND_ERR_XML_DETAIL },
	{ .name = "priority", .kind = XML_UINT, XML_FIELD(struct dns_srv, priority),
	  .err = ND_ERR_XML_DETAIL },
	{ .name = "weight", .kind = XML_UINT, XML_FIELD(struct dns_srv, weight),
	  .err = ND_ERR_XML_DETAIL },
};

const struct xml_elem elem_dns_srv = {
	.name = "srv", .size = sizeof(struct dns_srv), .line_at = offsetof(struct dns_srv, line),
	XML_ATTRS(srv_attrs), .check = srv_check,
};

static const struct xml_attr hostname_attrs[] = {
	{ .kind = XML_STR, .size = sizeof(char *), .required = true, .err = ND_ERR_XML_DETAIL },
};

static const struct xml_elem hostname_elem = {
	.name = "hostname", .size = sizeof(char *), XML_ATTRS(hostname_attrs),
};

static const struct xml_attr host_attrs[] = {
	{ .name = "ip", .kind = XML_IP, XML_FIELD(struct dns_host, ip),
	  .err = ND_ERR_XML_DETAIL },
};

static const struct xml_child host_children[] = {
	{ .elem = &hostname_elem, XML_ARRAY(struct dns_host, names, n_names) },
};

const struct xml_elem elem_dns_host = {
	.name = "host", .size = sizeof(struct dns_host), .line_at = offsetof(struct dns_host, line),
	XML_ATTRS(host_attrs), XML_CHILDREN(host_children),
};

/* What an entry of a definition needs and the key of an update's deletion may leave out. */
static int check_complete(struct xml_in *in, const struct dns_def *d)
{
	size_t i;

	for (i = 0; i < d->n_txts; i++)
		if (!d->txts[i].value)
			return xml_fail_at(in->err, "txt", d->txts[i].line, ND_ERR_XML_DETAIL,
					   "attribute 'value' is missing");
	for (i = 0; i < d->n_srvs; i++)
		if (!d->srvs[i].service || !d->srvs[i].protocol)
			return xml_fail_at(in->err, "srv", d->srvs[i].line, ND_ERR_XML_DETAIL,
					   "attribute '%s' is missing",
					   d->srvs[i].service ? "protocol" : "service");
	for (i = 0; i < d->n_hosts; i++)
		if (!d->hosts[i].ip.family || !d->hosts[i].n_names)
			return xml_fail_at(in->err, "host", d->hosts[i].line, ND_ERR_XML_DETAIL,
					   d->hosts[i].n_names ? "attribute 'ip' is missing"
							       : "it needs at least one <hostname>");
	return 0;
}

static int dns_check(struct xml_in *in, const xmlNode *node, void *self)
{
	const struct dns_def *d = self;

	if (d->enable == TRI_NO && (d->n_forwarders || d->n_txts || d->n_srvs || d->n_hosts))
		return xml_fail(in, node, ND_ERR_XML,
				"with enable='no' there can be nothing inside");
	return check_complete(in, d);
}

static const struct xml_attr dns_attrs[] = {
	{ .name = "enable", .kind = XML_TRI, XML_FIELD(struct dns_def, enable) },
	{ .name = "forwardPlainNames", .kind = XML_TRI,
	  XML_FIELD(struct dns_def, forward_plain_names) },
};

static const struct xml_child dns_children[] = {
	{ .elem = &forwarder_elem, XML_ARRAY(struct dns_def, forwarders, n_forwarders) },
	{ .elem = &elem_dns_txt, XML_ARRAY(struct dns_def, txts, n_txts) },
	{ .elem = &elem_dns_srv, XML_ARRAY(struct dns_def, srvs, n_srvs) },
	{ .elem = &elem_dns_host, XML_ARRAY(struct dns_def, hosts, n_hosts) },
};

const struct xml_elem elem_dns = {
	.name = "dns", .size = sizeof(struct dns_def), .line_at = offsetof(struct dns_def, line),
	XML_ATTRS(dns_attrs), XML_CHILDREN(dns_children), .check = dns_check,
};
