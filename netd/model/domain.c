/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/model/domain.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "netd/base/array.h"
#include "netd/base/str.h"
#include "netd/model/domain_elements.h"
#include "netd/model/metadata.h"

#define DOM(field_) XML_FIELD(struct dom_def, field_)
#define UNSUPPORTED .err = ND_ERR_CONFIG_UNSUPPORTED
#define TEXT_ELEM(id, tag, ...) \
	static const struct xml_attr id##_attrs[] = { { __VA_ARGS__ } }; \
	static const struct xml_elem id##_elem = { \
		.name = tag, .size = sizeof(struct dom_def), XML_ATTRS(id##_attrs) }

/* Value 1 is the only one. */
#define ONLY(id, value) static const char *const id[] = { NULL, value }
ONLY(kvm_names, "kvm");
ONLY(hvm_names, "hvm");
ONLY(arch_names, "x86_64");
ONLY(machine_names, "netd");
ONLY(static_names, "static");
ONLY(off_names, "off");
ONLY(host_names_, "host-passthrough");
ONLY(none_names, "none");
ONLY(boot_names, "hd");

static const char *const actions[] = { NULL, "destroy", "restart" };
static const char *const clocks[] = { NULL, "utc", "localtime", "variable" };
static const char *const bases[] = { NULL, "utc", "localtime" };
static const char *const timers[] = { NULL, "kvmclock", "hpet" };

TEXT_ELEM(name, "name", .kind = XML_STR, DOM(name));
TEXT_ELEM(uuid, "uuid", .kind = XML_UUID, DOM(uuid), XML_HAS(struct dom_def, has_uuid),
	  .err = ND_ERR_INTERNAL);
TEXT_ELEM(title, "title", .kind = XML_STR, DOM(title));
TEXT_ELEM(description, "description", .kind = XML_STR, DOM(description));

/* ---- memory, vcpu ---- */

static const struct { const char *name; uint64_t bytes; } units[] = {
	{ "b", 1 }, { "bytes", 1 },
	{ "KB", 1000 }, { "k", 1024 }, { "KiB", 1024 },
	{ "MB", 1000000 }, { "M", 1048576 }, { "MiB", 1048576 },
	{ "GB", 1000000000 }, { "G", 1073741824 }, { "GiB", 1073741824 },
	{ "TB", UINT64_C(1000000000000) }, { "T", UINT64_C(1) << 40 }, { "TiB", UINT64_C(1) << 40 },
};

/* The number so far is in the unit: rounded up to KiB, as libvirt does. */
static int memory_check(struct xml_in *in, const xmlNode *node, void *self)
{
	ND_AUTO(free) char *unit = xml_prop(node, "unit");
	struct dom_memory *m = self;
	size_t i = 0;

	while (i < ND_COUNT(units) && !nd_streq(units[i].name, unit ? unit : "KiB"))
		i++;
	if (i == ND_COUNT(units))
		return xml_fail(in, node, ND_ERR_XML, "unknown unit '%.40s'", unit);
	if (m->kib > (UINT64_MAX - 1023) / units[i].bytes)
		return xml_fail(in, node, ND_ERR_OVERFLOW, "the size is too large");
	m->kib = (m->kib * units[i].bytes + 1023) / 1024;
	return 0;
}

static void format_unit(struct xml_out *out, const void *self)
{
	xml_out_attr(out, "unit", "KiB");
}

static const struct xml_attr memory_attrs[] = {
	{ .kind = XML_UINT, XML_FIELD(struct dom_memory, kib), .required = true },
	{ .name = "unit", .kind = XML_HOOK, .format = format_unit },
};

static bool memory_present(const struct xml_out *out, const void *self)
{
	return ((const struct dom_memory *)self)->kib != 0;
}

static const struct xml_elem memory_elem = {
	.name = "memory", .size = sizeof(struct dom_memory), XML_ATTRS(memory_attrs),
	.line_at = offsetof(struct dom_memory, line), .check = memory_check,
	.present = memory_present,
};

static const struct xml_elem current_memory_elem = {
	.name = "currentMemory", .size = sizeof(struct dom_memory), XML_ATTRS(memory_attrs),
	.line_at = offsetof(struct dom_memory, line), .check = memory_check,
	.present = memory_present,
};

static int vcpu_check(struct xml_in *in, const xmlNode *node, void *self)
{
	((struct dom_def *)self)->vcpu_placement = 1;
	return 0;
}

static const struct xml_attr vcpu_attrs[] = {
	{ .kind = XML_UINT, DOM(vcpus), .required = true, .min = 1, .max = DOM_VCPUS_MAX,
	  UNSUPPORTED },
	{ .name = "placement", .kind = XML_ENUM, DOM(vcpu_placement), XML_NAMES(static_names),
	  UNSUPPORTED },
};

static const struct xml_elem vcpu_elem = {
	.name = "vcpu", .size = sizeof(struct dom_def), XML_ATTRS(vcpu_attrs), .check = vcpu_check,
};

/* ---- os ---- */

static const struct xml_attr os_type_attrs[] = {
	{ .kind = XML_ENUM, DOM(os_type), XML_NAMES(hvm_names), .required = true, UNSUPPORTED },
	{ .name = "arch", .kind = XML_ENUM, DOM(arch), XML_NAMES(arch_names), UNSUPPORTED },
	{ .name = "machine", .kind = XML_ENUM, DOM(machine), XML_NAMES(machine_names), UNSUPPORTED },
};

static const struct xml_elem os_type_elem = {
	.name = "type", .size = sizeof(struct dom_def), XML_ATTRS(os_type_attrs),
};

TEXT_ELEM(kernel, "kernel", .kind = XML_STR, DOM(kernel));
TEXT_ELEM(initrd, "initrd", .kind = XML_STR, DOM(initrd));
TEXT_ELEM(cmdline, "cmdline", .kind = XML_STR, DOM(cmdline));

static const struct xml_attr os_boot_attrs[] = {
	{ .name = "dev", .kind = XML_ENUM, XML_FIELD(struct dom_boot, dev), XML_NAMES(boot_names),
	  .required = true, UNSUPPORTED },
};

static const struct xml_elem os_boot_elem = {
	.name = "boot", .size = sizeof(struct dom_boot), XML_ATTRS(os_boot_attrs),
};

static const struct xml_child os_children[] = {
	{ .elem = &os_type_elem },
	{ .elem = &kernel_elem },
	{ .elem = &initrd_elem },
	{ .elem = &cmdline_elem },
	{ .elem = &os_boot_elem, XML_ARRAY(struct dom_def, boots, n_boots) },
};

static int os_check(struct xml_in *in, const xmlNode *node, void *self)
{
	const struct dom_def *def = self;
	const struct { const char *name, *path; } paths[] = {
		{ "kernel", def->kernel }, { "initrd", def->initrd },
	};

	for (size_t i = 0; i < ND_COUNT(paths); i++)
		if (paths[i].path && paths[i].path[0] != '/')
			return xml_fail(in, node, ND_ERR_XML, "the path of the %s, '%.200s', is not absolute",
					paths[i].name, paths[i].path);
	return 0;
}

static const struct xml_elem os_elem = {
	.name = "os", .size = sizeof(struct dom_def), .line_at = offsetof(struct dom_def, os_line),
	XML_CHILDREN(os_children), .check = os_check,
};

/* ---- features, cpu, clock ---- */

static void set_acpi(void *self)
{
	((struct dom_def *)self)->acpi = true;
}

static bool has_acpi(const struct xml_out *out, const void *self)
{
	return ((const struct dom_def *)self)->acpi;
}

static void set_apic(void *self)
{
	((struct dom_def *)self)->apic = true;
}

static bool has_apic(const struct xml_out *out, const void *self)
{
	return ((const struct dom_def *)self)->apic;
}

static const struct xml_elem acpi_elem = {
	.name = "acpi", .size = sizeof(struct dom_def), .init = set_acpi, .present = has_acpi,
};

static const struct xml_elem apic_elem = {
	.name = "apic", .size = sizeof(struct dom_def), .init = set_apic, .present = has_apic,
};

static const struct xml_attr vmport_attrs[] = {
	{ .name = "state", .kind = XML_ENUM, DOM(vmport), XML_NAMES(off_names), .required = true,
	  UNSUPPORTED },
};

static const struct xml_elem vmport_elem = {
	.name = "vmport", .size = sizeof(struct dom_def), XML_ATTRS(vmport_attrs),
};

static const struct xml_child features_children[] = {
	{ .elem = &acpi_elem },
	{ .elem = &apic_elem },
	{ .elem = &vmport_elem },
};

static const struct xml_elem features_elem = {
	.name = "features", .size = sizeof(struct dom_def), XML_CHILDREN(features_children),
};

static const struct xml_attr cpu_attrs[] = {
	{ .name = "mode", .kind = XML_ENUM, DOM(cpu_mode), XML_NAMES(host_names_),
	  .required = true, UNSUPPORTED },
	{ .name = "check", .kind = XML_ENUM, DOM(cpu_check), XML_NAMES(none_names), UNSUPPORTED },
	{ .name = "migratable", .kind = XML_ENUM, DOM(cpu_migratable), XML_NAMES(off_names),
	  UNSUPPORTED },
};

static const struct xml_elem cpu_elem = {
	.name = "cpu", .size = sizeof(struct dom_def), XML_ATTRS(cpu_attrs),
};

static const struct xml_attr timer_attrs[] = {
	{ .name = "name", .kind = XML_ENUM, XML_FIELD(struct dom_timer, name), XML_NAMES(timers),
	  .required = true, UNSUPPORTED },
	{ .name = "present", .kind = XML_TRI, XML_FIELD(struct dom_timer, present),
	  .required = true },
};

static int timer_check(struct xml_in *in, const xmlNode *node, void *self)
{
	const struct dom_timer *t = self;

	if ((t->present == TRI_YES) != (t->name == DOM_TIMER_KVMCLOCK))
		return xml_fail(in, node, ND_ERR_CONFIG_UNSUPPORTED, "a guest %s '%s'",
				t->present == TRI_YES ? "has no" : "always has", timers[t->name]);
	return 0;
}

static const struct xml_elem timer_elem = {
	.name = "timer", .size = sizeof(struct dom_timer), XML_ATTRS(timer_attrs),
	.check = timer_check,
};

static const struct xml_attr clock_attrs[] = {
	{ .name = "offset", .kind = XML_ENUM, DOM(clock), XML_NAMES(clocks), .required = true,
	  UNSUPPORTED },
	{ .name = "adjustment", .kind = XML_STR, DOM(clock_adjustment) },
	{ .name = "basis", .kind = XML_ENUM, DOM(clock_basis), XML_NAMES(bases) },
};

/* About 68 years to either side. */
static bool parse_adjustment(const char *text, int64_t *out)
{
	bool minus = text[0] == '-';
	uint64_t v;

	if (!nd_parse_uint(text + (minus || text[0] == '+'), 10, 0, INT32_MAX, &v))
		return false;
	*out = minus ? -(int64_t)v : (int64_t)v;
	return true;
}

static int clock_check(struct xml_in *in, const xmlNode *node, void *self)
{
	const struct dom_def *def = self;
	int64_t s;

	if (def->clock != DOM_CLOCK_VARIABLE && (def->clock_adjustment || def->clock_basis))
		return xml_fail(in, node, ND_ERR_XML,
				"'adjustment' and 'basis' need offset='variable'");
	if (def->clock_adjustment && !parse_adjustment(def->clock_adjustment, &s))
		return xml_fail(in, node, ND_ERR_XML, "adjustment '%.40s' is not a number of seconds",
				def->clock_adjustment);
	return 0;
}

static const struct xml_child clock_children[] = {
	{ .elem = &timer_elem, XML_ARRAY(struct dom_def, timers, n_timers) },
};

static const struct xml_elem clock_elem = {
	.name = "clock", .size = sizeof(struct dom_def), XML_ATTRS(clock_attrs),
	XML_CHILDREN(clock_children), .check = clock_check,
};

static int64_t zone_s(int64_t now_s)
{
	time_t now = (time_t)now_s;
	struct tm tm;

	return localtime_r(&now, &tm) ? tm.tm_gmtoff : 0;
}

int64_t dom_clock_offset_s(const struct dom_def *def, int64_t now_s)
{
	int64_t s = 0;

	if (def->clock == DOM_CLOCK_LOCALTIME)
		return zone_s(now_s);
	if (def->clock != DOM_CLOCK_VARIABLE)
		return 0;
	if (def->clock_adjustment)
		(void)parse_adjustment(def->clock_adjustment, &s);	/* checked by the parser */
	return s + (def->clock_basis == DOM_CLOCK_LOCALTIME ? zone_s(now_s) : 0);
}

/* ---- on_* ---- */

static const struct xml_attr on_attrs[] = {
	{ .kind = XML_ENUM, XML_FIELD(struct dom_on, action), XML_NAMES(actions), .required = true,
	  UNSUPPORTED },
};

#define ON_ELEM(id) \
	static const struct xml_elem id##_elem = { \
		.name = #id, .size = sizeof(struct dom_on), XML_ATTRS(on_attrs) }
ON_ELEM(on_poweroff);
ON_ELEM(on_reboot);
ON_ELEM(on_crash);

/* ---- devices ---- */

TEXT_ELEM(emulator, "emulator", .kind = XML_STR, DOM(emulator));

#define AT(field_) .at = offsetof(struct dom_def, field_)
static const struct xml_child devices_children[] = {
	{ .elem = &emulator_elem },
	{ .elem = &elem_dom_disk, XML_ARRAY(struct dom_def, disks, n_disks) },
	{ .elem = &elem_dom_nic, XML_ARRAY(struct dom_def, nics, n_nics) },
	{ .elem = &elem_dom_serial, XML_ARRAY(struct dom_def, serials, n_serials) },
	{ .elem = &elem_dom_console, XML_ARRAY(struct dom_def, consoles, n_consoles) },
	{ .elem = &elem_dom_balloon, AT(balloon) },
	{ .elem = &elem_dom_rng, XML_ARRAY(struct dom_def, rngs, n_rngs) },
};

static bool always(const struct xml_out *out, const void *self)
{
	return true;
}

static const struct xml_elem devices_elem = {
	.name = "devices", .size = sizeof(struct dom_def), XML_CHILDREN(devices_children),
	.present = always, .spread = true,
};

static int domain_check(struct xml_in *in, const xmlNode *node, void *self)
{
	struct dom_def *def = self;

	if (!def->name)
		return nd_error_set(in->err, ND_ERR_NO_NAME,
				    "missing name information: <domain> (line %ld) has no <name>",
				    xmlGetLineNo(node));
	if (strchr(def->name, '/') || strchr(def->name, '\n'))
		return xml_fail(in, node, ND_ERR_XML_DETAIL,
				"name '%.200s' cannot contain '/' or a line end", def->name);
	if (def->title && strchr(def->title, '\n'))
		return xml_fail(in, node, ND_ERR_XML, "the title cannot have a line end in it");
	if (!def->os_type)
		return xml_fail(in, node, ND_ERR_XML, "it has no <os> with a <type>");
	if (!def->memory.kib)
		return xml_fail(in, node, ND_ERR_XML, "it has no <memory>");
	if (!def->vcpus)
		def->vcpus = def->vcpu_placement = 1;
	return 0;
}

static const struct xml_attr domain_attrs[] = {
	{ .name = "type", .kind = XML_ENUM, DOM(type), XML_NAMES(kvm_names), .required = true,
	  UNSUPPORTED },
	{ .name = "id", .kind = XML_UINT, DOM(id), .output_only = true },
};

static const struct xml_child domain_children[] = {
	{ .elem = &name_elem },
	{ .elem = &uuid_elem },
	{ .elem = &title_elem },
	{ .elem = &description_elem },
	{ .elem = &elem_metadata, AT(metadata) },
	{ .elem = &memory_elem, AT(memory) },
	{ .elem = &current_memory_elem, AT(current_memory) },
	{ .elem = &vcpu_elem },
	{ .elem = &os_elem },
	{ .elem = &features_elem },
	{ .elem = &cpu_elem },
	{ .elem = &clock_elem },
	{ .elem = &on_poweroff_elem, AT(on_poweroff) },
	{ .elem = &on_reboot_elem, AT(on_reboot) },
	{ .elem = &on_crash_elem, AT(on_crash) },
	{ .elem = &devices_elem },
};
#undef AT

static const struct xml_elem domain_elem = {
	.name = "domain", .size = sizeof(struct dom_def), .line_at = offsetof(struct dom_def, line),
	XML_ATTRS(domain_attrs), XML_CHILDREN(domain_children), .check = domain_check,
};

void dom_def_free(struct dom_def *def)
{
	if (!def)
		return;
	while (def->n_warnings)
		free(def->warnings[--def->n_warnings]);
	free(def->warnings);
	xml_elem_fini(&domain_elem, def);
	free(def);
}

static int parse(const char *xml, size_t len, bool live, struct dom_def **out,
		 struct nd_error *err)
{
	struct xml_warnings warnings = { 0 };
	struct xml_in in = { .warnings = &warnings, .err = err, .strict = true, .live = live };
	ND_AUTO(dom_def_free) struct dom_def *def = calloc(1, sizeof(*def));
	ND_AUTO(xmlFreeDoc) xmlDoc *doc = NULL;
	xmlNode *root;
	int r;

	if (!def)
		return nd_error_nomem(err);
	r = xml_doc_parse(xml, len, "(domain_definition)", &doc, err);
	if (r == 0)
		r = xml_doc_root(doc, "domain", &root, err);
	if (r == 0)
		r = xml_elem_parse(&in, &domain_elem, root, def);
	def->warnings = warnings.lines;
	def->n_warnings = warnings.n;
	if (r < 0)
		return r;
	*out = nd_take_ptr(&def);
	return 0;
}

int dom_def_parse(const char *xml, size_t len, struct dom_def **out, struct nd_error *err)
{
	return parse(xml, len, false, out, err);
}

int dom_def_parse_live(const char *xml, size_t len, struct dom_def **out, struct nd_error *err)
{
	return parse(xml, len, true, out, err);
}

char *dom_def_format(const struct dom_def *def, unsigned flags)
{
	struct xml_out out = { .flags = flags, .root = def };

	xml_elem_format(&out, &domain_elem, def, true);
	return nd_str_take(&out.s);
}

struct dom_def *dom_def_copy(const struct dom_def *def)
{
	struct dom_def *copy = calloc(1, sizeof(*copy));

	if (!copy)
		return NULL;
	if (xml_elem_copy(&domain_elem, copy, def) < 0) {
		free(copy);
		return NULL;
	}
	copy->warnings = NULL;
	copy->n_warnings = 0;
	return copy;
}

bool dom_def_equal(const struct dom_def *a, const struct dom_def *b)
{
	return xml_elem_equal(&domain_elem, a, b);
}

/* ---- single devices ---- */

static const struct device_kind {
	const struct xml_elem *elem;
	size_t in_device, items, n_items, info;
} device_kinds[] = {
#define KIND(elem_, one, many, type) \
	{ elem_, offsetof(struct dom_device, one), offsetof(struct dom_def, many), \
	  offsetof(struct dom_def, n_##many), offsetof(type, info) }
	[DOM_DEVICE_NIC] = KIND(&elem_dom_nic, nic, nics, struct dom_nic),
	[DOM_DEVICE_DISK] = KIND(&elem_dom_disk, disk, disks, struct dom_disk),
	[DOM_DEVICE_RNG] = KIND(&elem_dom_rng, rng, rngs, struct dom_rng),
};

void dom_device_free(struct dom_device *device)
{
	const struct device_kind *k;

	if (!device)
		return;
	k = &device_kinds[device->kind];
	if (k->elem)
		xml_elem_fini(k->elem, (char *)device + k->in_device);
	free(device);
}

int dom_device_parse(const char *xml, size_t len, struct dom_device **out, struct nd_error *err)
{
	struct xml_in in = { .err = err, .strict = true };
	ND_AUTO(dom_device_free) struct dom_device *device = calloc(1, sizeof(*device));
	ND_AUTO(xmlFreeDoc) xmlDoc *doc = NULL;
	const xmlNode *root;
	int r;

	if (!device)
		return nd_error_nomem(err);
	r = xml_doc_parse(xml, len, "(device_definition)", &doc, err);
	if (r < 0)
		return r;
	root = xmlDocGetRootElement(doc);
	for (int kind = DOM_DEVICE_NIC; kind <= DOM_DEVICE_RNG; kind++)
		if (nd_streq((const char *)root->name, device_kinds[kind].elem->name))
			device->kind = (enum dom_device_kind)kind;
	if (!device->kind)
		return xml_fail(&in, root, ND_ERR_CONFIG_UNSUPPORTED,
				"devices of this kind cannot be attached, detached or updated");
	r = xml_elem_parse(&in, device_kinds[device->kind].elem, root,
			   (char *)device + device_kinds[device->kind].in_device);
	if (r < 0)
		return r;
	*out = nd_take_ptr(&device);
	return 0;
}

static void *item_at(const struct device_kind *k, const struct dom_def *def, size_t i)
{
	return *(char **)((char *)def + k->items) + i * k->elem->size;
}

int dom_def_add_device(struct dom_def *def, const struct dom_device *device, struct nd_error *err)
{
	const struct device_kind *k = &device_kinds[device->kind];
	size_t *n = (size_t *)((char *)def + k->n_items);
	void **items = (void **)((char *)def + k->items);

	if (nd_array_grow(items, *n, k->elem->size) < 0 ||
	    xml_elem_copy(k->elem, item_at(k, def, *n), (const char *)device + k->in_device) < 0)
		return nd_error_nomem(err);
	(*n)++;
	return dom_def_generate(def, err);
}

void dom_def_remove_device(struct dom_def *def, enum dom_device_kind kind, size_t at)
{
	const struct device_kind *k = &device_kinds[kind];
	size_t *n = (size_t *)((char *)def + k->n_items);

	xml_elem_fini(k->elem, item_at(k, def, at));
	memmove(item_at(k, def, at), item_at(k, def, at + 1), (*n - at - 1) * k->elem->size);
	(*n)--;
}

static bool info_fits(const struct dom_info *have, const struct dom_info *asked)
{
	if (asked->pci && (!have->pci || have->at.slot != asked->at.slot))
		return false;
	return !asked->alias || (have->alias && nd_streq(have->alias, asked->alias));
}

/* Whether the document means this one. */
static bool device_fits(const struct dom_device *asked, const void *item)
{
	const struct dom_nic *nic = item;
	const struct dom_disk *disk = item;
	const struct dom_info *info = (const void *)((const char *)item + device_kinds[asked->kind].info);

	switch (asked->kind) {
	case DOM_DEVICE_NIC:
		return info_fits(info, &asked->nic.info) &&
		       (asked->nic.has_mac ? nd_mac_equal(&nic->mac, &asked->nic.mac)
			: asked->nic.info.pci || asked->nic.info.alias);
	case DOM_DEVICE_DISK:
		return nd_streq(disk->target, asked->disk.target);
	case DOM_DEVICE_RNG:
		return info_fits(info, &asked->rng.info);
	}
	return false;
}

static int missing(const struct dom_device *asked, struct nd_error *err)
{
	char mac[ND_MAC_STRLEN];

	switch (asked->kind) {
	case DOM_DEVICE_NIC:
		if (!asked->nic.has_mac)
			break;
		return nd_error_set(err, ND_ERR_DEVICE_MISSING, "no matching network device was found "
				    "for MAC %s", nd_mac_format(&asked->nic.mac, mac));
	case DOM_DEVICE_DISK:
		return nd_error_set(err, ND_ERR_DEVICE_MISSING, "no target device %s",
				    asked->disk.target);
	case DOM_DEVICE_RNG:
		break;
	}
	return nd_error_set(err, ND_ERR_DEVICE_MISSING, "no matching <%s> was found",
			    device_kinds[asked->kind].elem->name);
}

int dom_def_find_device(const struct dom_def *def, const struct dom_device *device, size_t *at_out,
			struct nd_error *err)
{
	const struct device_kind *k = &device_kinds[device->kind];
	size_t n = *(const size_t *)((const char *)def + k->n_items), found = n;

	for (size_t i = 0; i < n; i++) {
		if (!device_fits(device, item_at(k, def, i)))
			continue;
		if (found < n)
			return nd_error_set(err, ND_ERR_OPERATION_FAILED, "multiple devices matching: "
					    "the <%s> needs an <address> or an <alias>", k->elem->name);
		found = i;
	}
	if (found == n)
		return missing(device, err);
	*at_out = found;
	return 0;
}

int dom_nic_copy(struct dom_nic *to, const struct dom_nic *from)
{
	return xml_elem_copy(&elem_dom_nic, to, from);
}

void dom_nic_fini(struct dom_nic *nic)
{
	xml_elem_fini(&elem_dom_nic, nic);
}

struct dom_nic *dom_nic_named(const struct dom_def *def, const char *what)
{
	struct nd_mac mac;
	bool is_mac = nd_mac_parse(what, &mac);

	for (size_t i = 0; i < def->n_nics; i++) {
		struct dom_nic *nic = &def->nics[i];

		if (is_mac ? nd_mac_equal(&nic->mac, &mac) : nic->target && nd_streq(nic->target, what))
			return nic;
	}
	return NULL;
}
