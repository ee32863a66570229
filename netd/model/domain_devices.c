/* SPDX-License-Identifier: GPL-2.0-or-later */
/* domain_devices.c -- the devices of a <domain> but its NICs: their tables, and what each may say */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "netd/model/domain_elements.h"

#define IS(field_) XML_FIELD(struct dom_info, field_)

DOM_ONLY(pci_names, "pci");
DOM_ONLY(disk_devices, "disk");
DOM_ONLY(raw_names, "raw");
DOM_ONLY(virtio_names, "virtio");
DOM_ONLY(pty_names, "pty");
DOM_ONLY(isa_names, "isa-serial");
DOM_ONLY(serial_names, "serial");
DOM_ONLY(random_names, "random");
DOM_ONLY(none_names, "none");

static const char *const disk_types[] = { NULL, "file", "block" };
static const char *const disk_drivers[] = { NULL, "qemu" };
static const char *const discards[] = { NULL, "unmap", "ignore" };

/* ---- what all devices have ---- */

static const struct xml_attr boot_attrs[] = {
	{ .name = "order", .kind = XML_UINT, IS(boot_order), .min = 1, .required = true },
};

static bool boot_present(const struct xml_out *out, const void *self)
{
	return ((const struct dom_info *)self)->boot_order != 0;
}

const struct xml_elem elem_dom_boot = {
	.name = "boot", .size = sizeof(struct dom_info), XML_ATTRS(boot_attrs),
	.present = boot_present,
};

/* Aliases that do not begin with this are netd's, and last as long as the guest runs. */
#define USER_ALIAS "ua-"

static int alias_check(struct xml_in *in, const xmlNode *node, void *self)
{
	struct dom_info *info = self;

	if (in->live || !info->alias || strncmp(info->alias, USER_ALIAS, strlen(USER_ALIAS)) == 0)
		return 0;
	free(info->alias);
	info->alias = NULL;
	return 0;
}

static void format_alias(struct xml_out *out, const void *self)
{
	const char *alias = ((const struct dom_info *)self)->alias;

	if (alias && (!(out->flags & NET_FORMAT_INACTIVE) ||
		      strncmp(alias, USER_ALIAS, strlen(USER_ALIAS)) == 0))
		xml_out_attr(out, "name", alias);
}

static const struct xml_attr alias_attrs[] = {
	{ .name = "name", .kind = XML_STR, IS(alias), .required = true, .format = format_alias },
};

const struct xml_elem elem_dom_alias = {
	.name = "alias", .size = sizeof(struct dom_info), XML_ATTRS(alias_attrs),
	.check = alias_check,
};

static int address_check(struct xml_in *in, const xmlNode *node, void *self)
{
	const struct dom_info *info = self;

	if (info->at.domain || info->at.bus || info->at.function)
		return xml_fail(in, node, ND_ERR_CONFIG_UNSUPPORTED,
				"the guest has one bus, and each device is function 0 of its slot");
	if (info->at.slot < 1 || info->at.slot > DOM_SLOT_MAX)
		return xml_fail(in, node, ND_ERR_XML, "slot is not 0x01 to 0x%x", DOM_SLOT_MAX);
	return 0;
}

static bool address_present(const struct xml_out *out, const void *self)
{
	return ((const struct dom_info *)self)->pci != 0;
}

static const struct xml_attr address_attrs[] = {
	{ .name = "type", .kind = XML_ENUM, IS(pci), XML_NAMES(pci_names), .required = true,
	  .err = ND_ERR_CONFIG_UNSUPPORTED },
	{ .name = "domain", .kind = XML_HEX, IS(at.domain), .digits = 4, .max = 0xffff },
	{ .name = "bus", .kind = XML_HEX, IS(at.bus), .digits = 2 },
	{ .name = "slot", .kind = XML_HEX, IS(at.slot), .digits = 2 },
	{ .name = "function", .kind = XML_HEX, IS(at.function), .digits = 1 },
};

const struct xml_elem elem_dom_address = {
	.name = "address", .size = sizeof(struct dom_info), XML_ATTRS(address_attrs),
	.check = address_check, .present = address_present,
};

/* ---- <disk> ---- */

#define DISK(field_) XML_FIELD(struct dom_disk, field_)

static const struct xml_attr disk_driver_attrs[] = {
	{ .name = "name", .kind = XML_ENUM, DISK(driver), XML_NAMES(disk_drivers),
	  .err = ND_ERR_CONFIG_UNSUPPORTED },
	{ .name = "type", .kind = XML_ENUM, DISK(format), XML_NAMES(raw_names),
	  .err = ND_ERR_CONFIG_UNSUPPORTED },
	{ .name = "discard", .kind = XML_ENUM, DISK(discard), XML_NAMES(discards),
	  .err = ND_ERR_CONFIG_UNSUPPORTED },
};

static const struct xml_elem disk_driver_elem = {
	.name = "driver", .size = sizeof(struct dom_disk), XML_ATTRS(disk_driver_attrs),
};

static const struct xml_attr disk_source_attrs[] = {
	{ .name = "file", .kind = XML_STR, DISK(file) },
	{ .name = "dev", .kind = XML_STR, DISK(dev) },
};

static const struct xml_elem disk_source_elem = {
	.name = "source", .size = sizeof(struct dom_disk), XML_ATTRS(disk_source_attrs),
};

static const struct xml_attr disk_target_attrs[] = {
	{ .name = "dev", .kind = XML_STR, DISK(target), .required = true },
	{ .name = "bus", .kind = XML_ENUM, DISK(bus), XML_NAMES(virtio_names),
	  .err = ND_ERR_CONFIG_UNSUPPORTED },
};

static int disk_target_check(struct xml_in *in, const xmlNode *node, void *self)
{
	struct dom_disk *d = self;
	size_t n = strlen(d->target);

	d->bus = 1;
	if (n < 3 || n > 5 || strncmp(d->target, "vd", 2) != 0)
		return xml_fail(in, node, ND_ERR_CONFIG_UNSUPPORTED,
				"dev '%.40s' is not vda, vdb, ...", d->target);
	for (const char *c = d->target + 2; *c; c++)
		if (!islower((unsigned char)*c))
			return xml_fail(in, node, ND_ERR_CONFIG_UNSUPPORTED,
					"dev '%.40s' is not vda, vdb, ...", d->target);
	return 0;
}

static const struct xml_elem disk_target_elem = {
	.name = "target", .size = sizeof(struct dom_disk), XML_ATTRS(disk_target_attrs),
	.check = disk_target_check,
};

static void set_read_only(void *self)
{
	((struct dom_disk *)self)->read_only = true;
}

static bool is_read_only(const struct xml_out *out, const void *self)
{
	return ((const struct dom_disk *)self)->read_only;
}

static const struct xml_elem readonly_elem = {
	.name = "readonly", .size = sizeof(struct dom_disk), .init = set_read_only,
	.present = is_read_only,
};

/* virtio 1.2 5.2.6.1: the id string has 20 bytes */
#define SERIAL_MAX 20

static int disk_serial_check(struct xml_in *in, const xmlNode *node, void *self)
{
	const struct dom_disk *d = self;

	if (d->serial && strlen(d->serial) > SERIAL_MAX)
		return xml_fail(in, node, ND_ERR_CONFIG_UNSUPPORTED,
				"a serial number has at most %d characters", SERIAL_MAX);
	return 0;
}

static const struct xml_attr disk_serial_attrs[] = { { .kind = XML_STR, DISK(serial) } };

static const struct xml_elem disk_serial_elem = {
	.name = "serial", .size = sizeof(struct dom_disk), XML_ATTRS(disk_serial_attrs),
	.check = disk_serial_check,
};

static const struct xml_attr disk_attrs[] = {
	{ .name = "type", .kind = XML_ENUM, DISK(type), XML_NAMES(disk_types),
	  .err = ND_ERR_CONFIG_UNSUPPORTED },
	{ .name = "device", .kind = XML_ENUM, DISK(device), XML_NAMES(disk_devices),
	  .err = ND_ERR_CONFIG_UNSUPPORTED },
};

static const struct xml_child disk_children[] = {
	{ .elem = &disk_driver_elem },
	{ .elem = &disk_source_elem },
	{ .elem = &disk_target_elem },
	{ .elem = &readonly_elem },
	{ .elem = &disk_serial_elem },
	DOM_INFO_CHILDREN(struct dom_disk),
};

const char *dom_disk_source(const struct dom_disk *disk)
{
	return disk->type == DOM_DISK_BLOCK ? disk->dev : disk->file;
}

static int disk_check(struct xml_in *in, const xmlNode *node, void *self)
{
	struct dom_disk *d = self;
	const char *source;

	if (d->type == DOM_DISK_ABSENT)
		d->type = DOM_DISK_FILE;
	d->device = 1;
	d->format = 1;
	source = dom_disk_source(d);
	if (d->type == DOM_DISK_FILE ? d->dev != NULL : d->file != NULL)
		return xml_fail(in, node, ND_ERR_XML, "a disk of type '%s' has its path in '%s'",
				disk_types[d->type], d->type == DOM_DISK_FILE ? "file" : "dev");
	if (!source)
		return xml_fail(in, node, ND_ERR_XML, "it has no <source> with a '%s'",
				d->type == DOM_DISK_FILE ? "file" : "dev");
	if (source[0] != '/')
		return xml_fail(in, node, ND_ERR_XML, "path '%.200s' is not absolute", source);
	if (!d->target)
		return xml_fail(in, node, ND_ERR_XML, "it has no <target>");
	return 0;
}

const struct xml_elem elem_dom_disk = {
	.name = "disk", .size = sizeof(struct dom_disk), .line_at = offsetof(struct dom_disk, line),
	XML_ATTRS(disk_attrs), XML_CHILDREN(disk_children), .check = disk_check,
};

/* ---- <serial>, <console> ---- */

#define SERIAL(field_) XML_FIELD(struct dom_serial, field_)

static const struct xml_attr serial_source_attrs[] = {
	{ .name = "path", .kind = XML_STR, SERIAL(path), .output_only = true },
};

static const struct xml_elem serial_source_elem = {
	.name = "source", .size = sizeof(struct dom_serial), XML_ATTRS(serial_source_attrs),
};

static const struct xml_attr serial_model_attrs[] = {
	{ .name = "name", .kind = XML_ENUM, SERIAL(model), XML_NAMES(isa_names), .required = true,
	  .err = ND_ERR_CONFIG_UNSUPPORTED },
};

static const struct xml_elem serial_model_elem = {
	.name = "model", .size = sizeof(struct dom_serial), XML_ATTRS(serial_model_attrs),
};

static const struct xml_child serial_target_children[] = {
	{ .elem = &serial_model_elem },
};

static int port_check(struct xml_in *in, const xmlNode *node, void *self)
{
	if (((struct dom_serial *)self)->port)
		return xml_fail(in, node, ND_ERR_CONFIG_UNSUPPORTED, "the only port is 0");
	return 0;
}

static const struct xml_attr serial_target_attrs[] = {
	{ .name = "type", .kind = XML_ENUM, SERIAL(target_type), XML_NAMES(isa_names),
	  .err = ND_ERR_CONFIG_UNSUPPORTED },
	{ .name = "port", .kind = XML_UINT, SERIAL(port), .print_zero = true },
};

static const struct xml_elem serial_target_elem = {
	.name = "target", .size = sizeof(struct dom_serial), XML_ATTRS(serial_target_attrs),
	XML_CHILDREN(serial_target_children), .check = port_check,
};

static const struct xml_attr serial_attrs[] = {
	{ .name = "type", .kind = XML_ENUM, SERIAL(type), XML_NAMES(pty_names), .required = true,
	  .err = ND_ERR_CONFIG_UNSUPPORTED },
};

static const struct xml_child serial_children[] = {
	{ .elem = &serial_source_elem },
	{ .elem = &serial_target_elem },
	{ .elem = &elem_dom_alias, .at = offsetof(struct dom_serial, info) },
};

static int serial_check(struct xml_in *in, const xmlNode *node, void *self)
{
	struct dom_serial *s = self;

	s->target_type = s->model = 1;
	return 0;
}

const struct xml_elem elem_dom_serial = {
	.name = "serial", .size = sizeof(struct dom_serial),
	.line_at = offsetof(struct dom_serial, line),
	XML_ATTRS(serial_attrs), XML_CHILDREN(serial_children), .check = serial_check,
};

static const struct xml_attr console_target_attrs[] = {
	{ .name = "type", .kind = XML_ENUM, SERIAL(target_type), XML_NAMES(serial_names),
	  .err = ND_ERR_CONFIG_UNSUPPORTED },
	{ .name = "port", .kind = XML_UINT, SERIAL(port), .print_zero = true },
};

static const struct xml_elem console_target_elem = {
	.name = "target", .size = sizeof(struct dom_serial), XML_ATTRS(console_target_attrs),
	.check = port_check,
};

static const struct xml_attr console_attrs[] = {
	{ .name = "type", .kind = XML_ENUM, SERIAL(type), XML_NAMES(pty_names), .required = true,
	  .err = ND_ERR_CONFIG_UNSUPPORTED },
	{ .name = "tty", .kind = XML_STR, SERIAL(tty), .output_only = true },
};

static const struct xml_child console_children[] = {
	{ .elem = &serial_source_elem },
	{ .elem = &console_target_elem },
	{ .elem = &elem_dom_alias, .at = offsetof(struct dom_serial, info) },
};

static int console_check(struct xml_in *in, const xmlNode *node, void *self)
{
	((struct dom_serial *)self)->target_type = 1;
	return 0;
}

const struct xml_elem elem_dom_console = {
	.name = "console", .size = sizeof(struct dom_serial),
	.line_at = offsetof(struct dom_serial, line),
	XML_ATTRS(console_attrs), XML_CHILDREN(console_children), .check = console_check,
};

/* ---- <memballoon>, <rng> ---- */

static const struct xml_attr balloon_attrs[] = {
	{ .name = "model", .kind = XML_ENUM, XML_FIELD(struct dom_balloon, model),
	  XML_NAMES(none_names), .required = true, .err = ND_ERR_CONFIG_UNSUPPORTED },
};

const struct xml_elem elem_dom_balloon = {
	.name = "memballoon", .size = sizeof(struct dom_balloon),
	.line_at = offsetof(struct dom_balloon, line), XML_ATTRS(balloon_attrs),
};

#define RNG(field_) XML_FIELD(struct dom_rng, field_)

static const struct xml_attr backend_attrs[] = {
	{ .kind = XML_STR, RNG(source) },
	{ .name = "model", .kind = XML_ENUM, RNG(backend), XML_NAMES(random_names),
	  .required = true, .err = ND_ERR_CONFIG_UNSUPPORTED },
};

/* The kernel's generator is the same behind both names. */
static int backend_check(struct xml_in *in, const xmlNode *node, void *self)
{
	struct dom_rng *rng = self;

	if (!rng->source)
		rng->source = strdup("/dev/urandom");
	if (!rng->source)
		return nd_error_nomem(in->err);
	if (!nd_streq(rng->source, "/dev/urandom") && !nd_streq(rng->source, "/dev/random"))
		return xml_fail(in, node, ND_ERR_CONFIG_UNSUPPORTED,
				"'%.200s' is not /dev/urandom or /dev/random", rng->source);
	return 0;
}

static const struct xml_elem backend_elem = {
	.name = "backend", .size = sizeof(struct dom_rng), XML_ATTRS(backend_attrs),
	.check = backend_check,
};

static const struct xml_attr rng_attrs[] = {
	{ .name = "model", .kind = XML_ENUM, RNG(model), XML_NAMES(virtio_names), .required = true,
	  .err = ND_ERR_CONFIG_UNSUPPORTED },
};

static const struct xml_child rng_children[] = {
	{ .elem = &backend_elem },
	DOM_INFO_CHILDREN(struct dom_rng),
};

static int rng_check(struct xml_in *in, const xmlNode *node, void *self)
{
	if (!((struct dom_rng *)self)->backend)
		return xml_fail(in, node, ND_ERR_XML, "it has no <backend>");
	return 0;
}

const struct xml_elem elem_dom_rng = {
	.name = "rng", .size = sizeof(struct dom_rng), .line_at = offsetof(struct dom_rng, line),
	XML_ATTRS(rng_attrs), XML_CHILDREN(rng_children), .check = rng_check,
};
