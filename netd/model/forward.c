/* SPDX-License-Identifier: GPL-2.0-or-later */
/* forward.c -- the <forward> element */
#include <stdlib.h>
#include <string.h>

#include "netd/base/array.h"
#include "netd/base/str.h"
#include "netd/model/elements.h"

/* How far apart the ends of an address range may be. */
#define RANGE_MAX 65535

static const char *const modes[FORWARD_MODES] = {
	[FORWARD_NONE] = "none",
	[FORWARD_NAT] = "nat",
	[FORWARD_ROUTE] = "route",
	[FORWARD_OPEN] = "open",
	[FORWARD_BRIDGE] = "bridge",
	[FORWARD_PRIVATE] = "private",
	[FORWARD_VEPA] = "vepa",
	[FORWARD_PASSTHROUGH] = "passthrough",
	[FORWARD_HOSTDEV] = "hostdev",
};

bool forward_mode_is_l3(enum forward_mode mode)
{
	return mode <= FORWARD_OPEN;
}

const char *forward_mode_name(enum forward_mode mode)
{
	return mode == FORWARD_NONE ? NULL : modes[mode];
}

static const struct xml_attr interface_attrs[] = {
	{ .name = "dev", .kind = XML_STR, XML_FIELD(struct forward_interface, dev),
	  .required = true },
	{ .name = "connections", .kind = XML_UINT, .output_only = true,
	  XML_FIELD(struct forward_interface, connections) },
};

const struct xml_elem elem_forward_interface = {
	.name = "interface", .size = sizeof(struct forward_interface),
	.line_at = offsetof(struct forward_interface, line),
	XML_ATTRS(interface_attrs),
};

static int address_check(struct xml_in *in, const xmlNode *node, void *self)
{
	ND_AUTO(free) char *type = xml_prop(node, "type");

	if (!type)
		return xml_fail(in, node, ND_ERR_XML, "attribute 'type' is missing");
	if (!nd_streq(type, "pci"))
		return xml_fail(in, node, ND_ERR_CONFIG_UNSUPPORTED,
				"type '%.100s' is not supported, only 'pci'", type);
	return 0;
}

static void format_type_pci(struct xml_out *out, const void *self)
{
	xml_out_attr(out, "type", "pci");
}

static const struct xml_attr address_attrs[] = {
	{ .name = "type", .kind = XML_HOOK, .format = format_type_pci },
	{ .name = "domain", .kind = XML_HEX, XML_FIELD(struct forward_address, pci.domain),
	  .digits = 4 },
	{ .name = "bus", .kind = XML_HEX, XML_FIELD(struct forward_address, pci.bus), .digits = 2 },
	{ .name = "slot", .kind = XML_HEX, XML_FIELD(struct forward_address, pci.slot),
	  .digits = 2, .max = 0x1f },
	{ .name = "function", .kind = XML_HEX, XML_FIELD(struct forward_address, pci.function),
	  .digits = 1, .max = 7 },
	{ .name = "connections", .kind = XML_UINT, .output_only = true,
	  XML_FIELD(struct forward_address, connections) },
};

static const struct xml_elem address_elem = {
	.name = "address", .size = sizeof(struct forward_address),
	.line_at = offsetof(struct forward_address, line),
	XML_ATTRS(address_attrs), .check = address_check,
};

static const struct xml_attr pf_attrs[] = {
	{ .name = "dev", .kind = XML_STR, XML_FIELD(struct forward, pf_dev), .required = true },
};

static const struct xml_elem pf_elem = {
	.name = "pf", .size = sizeof(struct forward),
	.line_at = offsetof(struct forward, pf_line), XML_ATTRS(pf_attrs),
};

static int driver_check(struct xml_in *in, const xmlNode *node, void *self)
{
	const char *name = ((struct forward *)self)->driver_name;

	if (!name || nd_streq(name, "kvm") || nd_streq(name, "vfio") || nd_streq(name, "xen"))
		return 0;
	return xml_fail(in, node, ND_ERR_CONFIG_UNSUPPORTED, "unknown driver '%.100s'", name);
}

static const struct xml_attr driver_attrs[] = {
	{ .name = "name", .kind = XML_STR, XML_FIELD(struct forward, driver_name) },
	{ .name = "model", .kind = XML_STR, XML_FIELD(struct forward, driver_model) },
};

static const struct xml_elem driver_elem = {
	.name = "driver", .size = sizeof(struct forward), XML_ATTRS(driver_attrs),
	.check = driver_check,
};

static const struct xml_attr nat_address_attrs[] = {
	{ .name = "start", .kind = XML_IP, XML_FIELD(struct forward, nat_addr_start),
	  .required = true },
	{ .name = "end", .kind = XML_IP, XML_FIELD(struct forward, nat_addr_end),
	  .required = true },
};

static int nat_address_check(struct xml_in *in, const xmlNode *node, void *self)
{
	const struct forward *f = self;
	uint32_t start, end;

	if (f->nat_addr_start.family != AF_INET || f->nat_addr_end.family != AF_INET)
		return xml_fail(in, node, ND_ERR_XML, "start and end must be IPv4 addresses");
	start = ntohl(f->nat_addr_start.v4.s_addr);
	end = ntohl(f->nat_addr_end.v4.s_addr);
	if (start > end)
		return xml_fail(in, node, ND_ERR_INTERNAL, "the range ends before it starts");
	if (end - start > RANGE_MAX)
		return xml_fail(in, node, ND_ERR_INTERNAL,
				"the range has more than %d addresses", RANGE_MAX + 1);
	return 0;
}

static const struct xml_elem nat_address_elem = {
	.name = "address", .size = sizeof(struct forward), XML_ATTRS(nat_address_attrs),
	.check = nat_address_check,
};

static const struct xml_attr nat_port_attrs[] = {
	{ .name = "start", .kind = XML_UINT, XML_FIELD(struct forward, nat_port_start),
	  .required = true, .err = ND_ERR_XML_DETAIL },
	{ .name = "end", .kind = XML_UINT, XML_FIELD(struct forward, nat_port_end),
	  .required = true, .err = ND_ERR_XML_DETAIL },
};

static int nat_port_check(struct xml_in *in, const xmlNode *node, void *self)
{
	const struct forward *f = self;

	if (f->nat_port_start == 0)
		return xml_fail(in, node, ND_ERR_XML_DETAIL, "ports start at 1");
	if (f->nat_port_end < f->nat_port_start)
		return xml_fail(in, node, ND_ERR_XML_DETAIL, "the range ends before it starts");
	return 0;
}

static bool nat_port_present(const struct xml_out *out, const void *self)
{
	return ((const struct forward *)self)->nat_port_start != 0;
}

static const struct xml_elem nat_port_elem = {
	.name = "port", .size = sizeof(struct forward), XML_ATTRS(nat_port_attrs),
	.check = nat_port_check, .present = nat_port_present,
};

static const struct xml_attr nat_attrs[] = {
	{ .name = "ipv6", .kind = XML_TRI, XML_FIELD(struct forward, nat_ipv6) },
};

static const struct xml_child nat_children[] = {
	{ .elem = &nat_address_elem, .repeat = ND_ERR_XML },
	{ .elem = &nat_port_elem, .repeat = ND_ERR_XML },
};

static int nat_check(struct xml_in *in, const xmlNode *node, void *self)
{
	((struct forward *)self)->has_nat = true;
	return 0;
}

static const struct xml_elem nat_elem = {
	.name = "nat", .size = sizeof(struct forward), XML_ATTRS(nat_attrs),
	XML_CHILDREN(nat_children), .check = nat_check,
};

static void forward_init(void *self)
{
	((struct forward *)self)->mode = FORWARD_NAT;
}

static void drop_interfaces(struct forward *f)
{
	while (f->n_interfaces)
		free(f->interfaces[--f->n_interfaces].dev);
	free(f->interfaces);
	f->interfaces = NULL;
}

static void drop_addresses(struct forward *f)
{
	free(f->addresses);
	f->addresses = NULL;
	f->n_addresses = 0;
}

/* forward/@dev is the same as a first <interface>. */
static int mirror_dev(struct xml_in *in, const xmlNode *node, struct forward *f)
{
	ND_AUTO(free) char *dev = xml_prop(node, "dev");
	struct forward_interface *first;

	if (!dev || !*dev)
		return 0;
	if (f->n_addresses || f->pf_dev)
		return xml_fail(in, node, ND_ERR_XML,
				"attribute 'dev' cannot go with <%s>", f->pf_dev ? "pf" : "address");
	if (f->n_interfaces && !nd_streq(f->interfaces[0].dev, dev))
		return xml_fail(in, node, ND_ERR_XML,
				"attribute 'dev' is '%.100s' but the first <interface> is '%.100s'",
				dev, f->interfaces[0].dev);
	if (f->n_interfaces)
		return 0;
	first = nd_array_add(f->interfaces, f->n_interfaces);
	if (!first)
		return nd_error_nomem(in->err);
	first->dev = nd_take_ptr(&dev);
	first->line = f->line;
	return 0;
}

static bool same_pci(const struct pci_address *a, const struct pci_address *b)
{
	return a->domain == b->domain && a->bus == b->bus && a->slot == b->slot &&
	       a->function == b->function;
}

/* Quadratic, but the pools are the devices of one machine: bounded. */
#define POOL_MAX 4096

static int check_duplicates(struct xml_in *in, const struct forward *f)
{
	size_t i, k;

	if (f->n_interfaces > POOL_MAX || f->n_addresses > POOL_MAX)
		return xml_fail_at(in->err, "forward", f->line, ND_ERR_XML,
				   "more than %d devices", POOL_MAX);
	for (i = 0; i < f->n_interfaces; i++)
		for (k = 0; k < i; k++)
			if (nd_streq(f->interfaces[i].dev, f->interfaces[k].dev))
				return xml_fail_at(in->err, "interface", f->interfaces[i].line,
						   ND_ERR_XML, "device '%.100s' is there twice",
						   f->interfaces[i].dev);
	for (i = 0; i < f->n_addresses; i++)
		for (k = 0; k < i; k++)
			if (same_pci(&f->addresses[i].pci, &f->addresses[k].pci))
				return xml_fail_at(in->err, "address", f->addresses[i].line,
						   ND_ERR_XML, "the device is there twice");
	return 0;
}

/*
 * A network has one kind of pool. A document with <pf> and the devices that it stands for is
 * what an active network prints: there the <pf> is the definition.
 */
static void keep_one_kind(struct xml_in *in, const xmlNode *node, struct forward *f)
{
	if (f->pf_dev && (f->n_interfaces || f->n_addresses)) {
		xml_warn(in, node, "the devices beside <pf> are found anew at start, ignored");
		drop_interfaces(f);
		drop_addresses(f);
	} else if (f->n_interfaces && f->n_addresses) {
		xml_warn(in, node, "<address> beside <interface> is ignored");
		drop_addresses(f);
	}
}

/* The rules that depend on the mode. */
static int check_mode(struct xml_in *in, const xmlNode *node, const struct forward *f)
{
	const char *mode = modes[f->mode];

	if (f->has_nat && f->mode != FORWARD_NAT)
		return xml_fail(in, node, ND_ERR_XML, "<nat> is only possible in mode 'nat', not '%s'",
				mode);
	if (f->mode == FORWARD_OPEN && f->n_interfaces)
		return xml_fail(in, node, ND_ERR_XML, "mode 'open' cannot have a device");
	if ((f->mode == FORWARD_NAT || f->mode == FORWARD_ROUTE) && f->n_interfaces > 1)
		return xml_fail_at(in->err, "interface", f->interfaces[1].line, ND_ERR_XML,
				   "mode '%s' can have only one device", mode);
	if (f->mode == FORWARD_HOSTDEV && f->n_interfaces)
		return xml_fail_at(in->err, "interface", f->interfaces[0].line,
				   ND_ERR_CONFIG_UNSUPPORTED,
				   "mode 'hostdev' takes devices by PCI <address> or <pf>");
	if (f->mode != FORWARD_HOSTDEV && f->n_addresses)
		return xml_fail_at(in->err, "address", f->addresses[0].line,
				   ND_ERR_CONFIG_UNSUPPORTED,
				   "PCI addresses are only possible in mode 'hostdev', not '%s'", mode);
	if (forward_mode_is_l3(f->mode) && f->pf_dev)
		return xml_fail(in, node, ND_ERR_CONFIG_UNSUPPORTED,
				"<pf> is not possible in mode '%s'", mode);
	return 0;
}

static int check_forward(struct xml_in *in, const xmlNode *node, void *self)
{
	struct forward *f = self;
	int r = mirror_dev(in, node, f);

	if (r < 0)
		return r;
	keep_one_kind(in, node, f);
	r = check_duplicates(in, f);
	if (r < 0)
		return r;
	r = check_mode(in, node, f);
	if (r < 0)
		return r;
	f->has_nat = f->nat_ipv6 || f->nat_addr_start.family || f->nat_port_start;
	if (f->mode != FORWARD_HOSTDEV)
		f->managed = false;
	return 0;
}

/* The literal mode "none" is the absence of the element, whatever is in it. */
static int forward_check(struct xml_in *in, const xmlNode *node, void *self)
{
	struct forward *f = self;

	if (f->mode != FORWARD_NONE)
		return check_forward(in, node, f);
	if (node->children)
		xml_warn(in, node, "mode 'none' is no forwarding at all, its content is ignored");
	xml_elem_fini(&elem_forward, f);
	return 0;
}

static void format_dev(struct xml_out *out, const void *self)
{
	const struct forward *f = self;

	if (f->n_interfaces && !f->pf_dev && f->mode != FORWARD_HOSTDEV)
		xml_out_attr(out, "dev", f->interfaces[0].dev);
}

static void format_managed(struct xml_out *out, const void *self)
{
	const struct forward *f = self;

	if (f->mode == FORWARD_HOSTDEV)
		xml_out_attr(out, "managed", f->managed ? "yes" : "no");
}

static bool forward_present(const struct xml_out *out, const void *self)
{
	return ((const struct forward *)self)->mode != FORWARD_NONE;
}

static const struct xml_attr forward_attrs[] = {
	{ .name = "dev", .kind = XML_HOOK, .format = format_dev },
	{ .name = "mode", .kind = XML_ENUM, XML_FIELD(struct forward, mode), XML_NAMES(modes),
	  .err = ND_ERR_CONFIG_UNSUPPORTED, .bad = "unknown forwarding type" },
	{ .name = "managed", .kind = XML_YES, XML_FIELD(struct forward, managed),
	  .format = format_managed },
};

static const struct xml_child forward_children[] = {
	{ .elem = &driver_elem },
	{ .elem = &nat_elem, .repeat = ND_ERR_XML },
	{ .elem = &pf_elem, .repeat = ND_ERR_XML },
	{ .elem = &elem_forward_interface,
	  XML_ARRAY(struct forward, interfaces, n_interfaces) },
	{ .elem = &address_elem, XML_ARRAY(struct forward, addresses, n_addresses) },
};

const struct xml_elem elem_forward = {
	.name = "forward", .size = sizeof(struct forward),
	.line_at = offsetof(struct forward, line),
	XML_ATTRS(forward_attrs), XML_CHILDREN(forward_children),
	.init = forward_init, .check = forward_check, .present = forward_present,
};
