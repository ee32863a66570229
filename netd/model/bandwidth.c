/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bandwidth.c -- the <bandwidth> element of networks, portgroups and ports */
#include "netd/model/elements.h"

#define RATE_MAX (UINT64_C(1) << 54)
#define BURST_MAX ((UINT64_C(1) << 22) - 1)

static const struct xml_attr rate_attrs[] = {
	{ .name = "average", .kind = XML_UINT, XML_FIELD(struct bandwidth_rate, average),
	  .err = ND_ERR_CONFIG_UNSUPPORTED },
	{ .name = "peak", .kind = XML_UINT, XML_FIELD(struct bandwidth_rate, peak),
	  .err = ND_ERR_CONFIG_UNSUPPORTED },
	{ .name = "floor", .kind = XML_UINT, XML_FIELD(struct bandwidth_rate, floor),
	  .err = ND_ERR_CONFIG_UNSUPPORTED },
	{ .name = "burst", .kind = XML_UINT, XML_FIELD(struct bandwidth_rate, burst),
	  .err = ND_ERR_CONFIG_UNSUPPORTED },
};

/* Without an average and a floor there is no limit, whatever else is said. */
static bool complete(struct bandwidth_rate *r)
{
	if (r->average || r->floor)
		r->given = true;
	else
		*r = (struct bandwidth_rate){ 0 };
	return r->given;
}

int bandwidth_def_complete(struct bandwidth_def *b, struct nd_error *err)
{
	bool in = complete(&b->in), out = complete(&b->out);

	b->given = in || out;
	if (b->in.burst > BURST_MAX || b->out.burst > BURST_MAX)
		return nd_error_set(err, ND_ERR_OVERFLOW, "a burst is above %llu KiB",
				    (unsigned long long)BURST_MAX);
	return 0;
}

static bool rate_equal(const struct bandwidth_rate *a, const struct bandwidth_rate *b)
{
	return a->average == b->average && a->peak == b->peak && a->floor == b->floor &&
	       a->burst == b->burst;
}

bool bandwidth_def_equal(const struct bandwidth_def *a, const struct bandwidth_def *b)
{
	return rate_equal(&a->in, &b->in) && rate_equal(&a->out, &b->out);
}

static int rate_check(struct xml_in *in, const xmlNode *node, void *self)
{
	struct bandwidth_rate *r = self;

	if (!xmlHasProp(node, (const xmlChar *)"average") &&
	    !xmlHasProp(node, (const xmlChar *)"floor"))
		return xml_fail(in, node, ND_ERR_XML_DETAIL, "it needs 'average' or 'floor'");
	if ((r->peak || r->burst) && !xmlHasProp(node, (const xmlChar *)"average"))
		return xml_fail(in, node, ND_ERR_CONFIG_UNSUPPORTED,
				"'peak' and 'burst' need 'average'");
	if (!complete(r))
		return 0;
	if (r->average > RATE_MAX || r->peak > RATE_MAX || r->floor > RATE_MAX)
		return xml_fail(in, node, ND_ERR_OVERFLOW, "a rate is above %llu kilobytes a second",
				(unsigned long long)RATE_MAX);
	if (r->burst > BURST_MAX)
		return xml_fail(in, node, ND_ERR_OVERFLOW, "burst is above %llu KiB",
				(unsigned long long)BURST_MAX);
	return 0;
}

static const struct xml_elem inbound_elem = {
	.name = "inbound", .size = sizeof(struct bandwidth_rate), XML_ATTRS(rate_attrs),
	.check = rate_check,
};

static const struct xml_elem outbound_elem = {
	.name = "outbound", .size = sizeof(struct bandwidth_rate), XML_ATTRS(rate_attrs),
	.check = rate_check,
};

static int port_bandwidth_check(struct xml_in *in, const xmlNode *node, void *self)
{
	struct bandwidth_def *b = self;

	if (b->out.floor)
		return xml_fail(in, node, ND_ERR_CONFIG_UNSUPPORTED,
				"'floor' is not possible in <outbound>");
	b->given = b->in.given || b->out.given;
	return 0;
}

static int network_bandwidth_check(struct xml_in *in, const xmlNode *node, void *self)
{
	struct bandwidth_def *b = self;

	if (b->in.floor)
		return xml_fail(in, node, ND_ERR_CONFIG_UNSUPPORTED,
				"'floor' is only possible for a guest's interface");
	if (xmlHasProp(node, (const xmlChar *)"classID"))
		return xml_fail(in, node, ND_ERR_XML_DETAIL,
				"'classID' belongs to a port, not to a network");
	return port_bandwidth_check(in, node, self);
}

static const struct xml_attr bandwidth_attrs[] = {
	{ .name = "classID", .kind = XML_UINT, XML_FIELD(struct bandwidth_def, class_id),
	  .err = ND_ERR_XML_DETAIL },
};

static const struct xml_child bandwidth_children[] = {
	{ .elem = &inbound_elem, .at = offsetof(struct bandwidth_def, in),
	  .repeat = ND_ERR_XML_DETAIL },
	{ .elem = &outbound_elem, .at = offsetof(struct bandwidth_def, out),
	  .repeat = ND_ERR_XML_DETAIL },
};

const struct xml_elem elem_bandwidth = {
	.name = "bandwidth", .size = sizeof(struct bandwidth_def),
	.line_at = offsetof(struct bandwidth_def, line),
	XML_ATTRS(bandwidth_attrs), XML_CHILDREN(bandwidth_children),
	.check = network_bandwidth_check,
};

const struct xml_elem elem_port_bandwidth = {
	.name = "bandwidth", .size = sizeof(struct bandwidth_def),
	.line_at = offsetof(struct bandwidth_def, line),
	XML_ATTRS(bandwidth_attrs), XML_CHILDREN(bandwidth_children),
	.check = port_bandwidth_check,
};
