/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest's devices come, go and change: as XML documents, or an interface by its words. */
#include <stdlib.h>
#include <string.h>

#include "netd/base/auto.h"
#include "netd/base/str.h"
#include "netd/ctl/document.h"
#include "netd/ctl/domain_doc.h"
#include "netd/ctl/rate.h"
#include "netd/ctl/verbs.h"

/* --persistent: the definition, and the guest that runs if there is one. */
static int affect(const struct verb_args *args, unsigned *flags_out)
{
	if (arg_flag(args, "persistent") && arg_flag(args, "current"))
		return ctl_error("Options --persistent and --current are mutually exclusive");
	if (document_affect(args, flags_out) < 0)
		return -1;
	if (arg_flag(args, "persistent"))
		*flags_out |= AFFECT_CONFIG;
	return 0;
}

static int guest_and_flags(struct ctl *ctl, const struct verb_args *args, lv_dom *dom_out,
			   unsigned *flags_out, struct nd_error *err)
{
	if (affect(args, flags_out) < 0 ||
	    dom_find(ctl, arg_string(args, "domain"), DOM_BY_ANY, dom_out, err) < 0)
		return -1;
	if (arg_flag(args, "persistent") && dom_out->id >= 0)
		*flags_out |= AFFECT_LIVE;
	return 0;
}

/* The calls without flags are about the guest that runs, and only that. */
static int change(struct ctl *ctl, const struct verb_args *args, int32_t proc_flags, int32_t proc_live,
		  const lv_dom *dom, const char *xml, unsigned flags, struct nd_error *err)
{
	lv_dom_xml_args plain = { .dom = *dom, .xml = (char *)xml };	/* only read */

	if (flags || arg_flag(args, "current") || !proc_live)
		return dom_device(ctl, proc_flags, dom, xml, flags, err);
	return call_lv(ctl, proc_live, CALL_XDR(lv_dom_xml_args), &plain, NULL, NULL, err);
}

static int attach(struct ctl *ctl, const struct verb_args *args, const lv_dom *dom, const char *xml,
		  unsigned flags, struct nd_error *err)
{
	return change(ctl, args, LV_PROC_DOMAIN_ATTACH_DEVICE_FLAGS, LV_PROC_DOMAIN_ATTACH_DEVICE, dom,
		      xml, flags, err);
}

static int detach(struct ctl *ctl, const struct verb_args *args, const lv_dom *dom, const char *xml,
		  unsigned flags, struct nd_error *err)
{
	return change(ctl, args, LV_PROC_DOMAIN_DETACH_DEVICE_FLAGS, LV_PROC_DOMAIN_DETACH_DEVICE, dom,
		      xml, flags, err);
}

static int update(struct ctl *ctl, const struct verb_args *args, const lv_dom *dom, const char *xml,
		  unsigned flags, struct nd_error *err)
{
	enum { FORCE = 4 };

	return change(ctl, args, LV_PROC_DOMAIN_UPDATE_DEVICE_FLAGS, 0, dom, xml,
		      flags | (arg_flag(args, "force") ? FORCE : 0), err);
}

/* ---- documents ---- */

typedef int (*device_change)(struct ctl *ctl, const struct verb_args *args, const lv_dom *dom,
			     const char *xml, unsigned flags, struct nd_error *err);

static int from_file(struct ctl *ctl, const struct verb_args *args, device_change how,
		     const char *infinitive, const char *past, struct nd_error *err)
{
	ND_AUTO(dom_fini) lv_dom dom = { 0 };
	ND_AUTO(free) char *xml = NULL;
	unsigned flags;

	if (guest_and_flags(ctl, args, &dom, &flags, err) < 0 ||
	    file_read(arg_string(args, "file"), &xml, err) < 0)
		return -1;
	if (how(ctl, args, &dom, xml, flags, err) < 0)
		return ctl_error("Failed to %s device from %s", infinitive, arg_string(args, "file"));
	ctl_say(ctl, "Device %s successfully\n", past);
	return 0;
}

static int run_attach_device(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	return from_file(ctl, args, attach, "attach", "attached", err);
}

static int run_detach_device(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	return from_file(ctl, args, detach, "detach", "detached", err);
}

static int run_update_device(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	return from_file(ctl, args, update, "update", "updated", err);
}

/* ---- an interface by its words ---- */

static void add_attribute(struct nd_str *s, const char *element, const char *attribute, const char *value)
{
	if (!value)
		return;
	nd_str_addf(s, "  <%s %s='", element, attribute);
	nd_str_add_xml(s, value);
	nd_str_add(s, "'/>\n");
}

static void add_number(struct nd_str *s, const char *attribute, uint64_t value)
{
	if (value)
		nd_str_addf(s, " %s='%llu'", attribute, (unsigned long long)value);
}

static int add_rate(struct nd_str *s, const char *word, bool inbound)
{
	struct rate r;

	if (!word)
		return 0;
	if (rate_parse(word, &r) < 0 || rate_check(&r, inbound, true) < 0)
		return -1;
	nd_str_addf(s, "    <%s", inbound ? "inbound" : "outbound");
	add_number(s, "average", r.average);
	add_number(s, "peak", r.peak);
	add_number(s, "burst", r.burst);
	add_number(s, "floor", r.floor);
	nd_str_add(s, "/>\n");
	return 0;
}

static int add_bandwidth(struct nd_str *s, const struct verb_args *args)
{
	const char *in = arg_string(args, "inbound"), *out = arg_string(args, "outbound");

	if (!in && !out)
		return 0;
	nd_str_add(s, "  <bandwidth>\n");
	if (add_rate(s, in, true) < 0 || add_rate(s, out, false) < 0)
		return -1;
	nd_str_add(s, "  </bandwidth>\n");
	return 0;
}

/* <source network='NAME'/>, bridge='NAME', or dev='NAME' with its mode. */
static int add_source(struct nd_str *s, const struct verb_args *args)
{
	const char *type = arg_string(args, "type"), *mode = arg_string(args, "source-mode");
	bool direct = nd_streq(type, "direct");

	if (!direct && !nd_streq(type, "network") && !nd_streq(type, "bridge"))
		return ctl_error("No support for %s in command 'attach-interface'", type);
	if (mode && !direct)
		return ctl_error("Invalid source mode: %s", mode);
	nd_str_addf(s, "  <source %s='", direct ? "dev" : type);
	nd_str_add_xml(s, arg_string(args, "source"));
	if (mode) {
		nd_str_add(s, "' mode='");
		nd_str_add_xml(s, mode);
	}
	nd_str_add(s, "'/>\n");
	return 0;
}

static char *interface_document(const struct verb_args *args)
{
	ND_AUTO(nd_str_free) struct nd_str s = { 0 };
	char *text;

	nd_str_add(&s, "<interface type='");
	nd_str_add_xml(&s, arg_string(args, "type"));
	nd_str_add(&s, "'>\n");
	if (add_source(&s, args) < 0)
		return NULL;
	add_attribute(&s, "target", "dev", arg_string(args, "target"));
	add_attribute(&s, "mac", "address", arg_string(args, "mac"));
	add_attribute(&s, "script", "path", arg_string(args, "script"));
	add_attribute(&s, "model", "type", arg_string(args, "model"));
	add_attribute(&s, "alias", "name", arg_string(args, "alias"));
	if (add_bandwidth(&s, args) < 0)
		return NULL;
	nd_str_add(&s, "</interface>\n");
	text = nd_str_take(&s);
	if (!text)
		(void)ctl_error("out of memory");
	return text;
}

static int run_attach_interface(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	ND_AUTO(dom_fini) lv_dom dom = { 0 };
	ND_AUTO(free) char *xml = NULL;
	unsigned flags;

	if (affect(args, &flags) < 0 || !(xml = interface_document(args)))
		return -1;
	if (arg_flag(args, "print-xml")) {
		printf("%s", xml);
		return 0;
	}
	if (guest_and_flags(ctl, args, &dom, &flags, err) < 0)
		return -1;
	if (attach(ctl, args, &dom, xml, flags, err) < 0)
		return ctl_error("Failed to attach interface");
	ctl_say(ctl, "Interface attached successfully\n");
	return 0;
}

/* ---- an interface goes ---- */

static bool has_type(const xmlNode *nic, const char *type)
{
	ND_AUTO(free) char *value = xml_prop(nic, "type");

	return nd_streq0(value, type);
}

/* The one of the type and, where it was given, the MAC. NULL after the failure was printed. */
static xmlNode *choose(xmlDoc *doc, const char *type, const char *mac)
{
	xmlNode *chosen = NULL;
	int n_type = 0, n_match = 0;

	for (xmlNode *nic = NULL; (nic = domain_doc_device(doc, "interface", nic));) {
		if (!has_type(nic, type))
			continue;
		n_type++;
		if (mac && !(interface_is_mac(mac) && interface_matches(nic, mac)))
			continue;
		chosen = nic;
		n_match++;
	}
	if (n_type == 0)
		(void)ctl_error("No interface found whose type is %s", type);
	else if (!mac && n_match > 1)
		(void)ctl_error("Domain has %d interfaces. Please specify which one to detach using --mac",
				n_match);
	else if (n_match == 0)
		(void)ctl_error("No interface with MAC address %s was found", mac);
	else if (n_match > 1)
		(void)ctl_error("Domain has multiple interfaces matching MAC address %s. You must use "
				"detach-device and specify the device pci address to remove it.", mac);
	return n_match == 1 ? chosen : NULL;
}

/* From one of the guest's two documents. */
static int detach_chosen(struct ctl *ctl, const struct verb_args *args, const lv_dom *dom,
			 unsigned flags, struct nd_error *err)
{
	ND_AUTO(xmlFreeDoc) xmlDoc *doc = NULL;
	ND_AUTO(free) char *xml = NULL;
	xmlNode *nic;

	if (domain_doc_get(ctl, dom, flags & AFFECT_CONFIG ? DOM_XML_INACTIVE : 0, &doc, err) < 0)
		return -1;
	nic = choose(doc, arg_string(args, "type"), arg_string(args, "mac"));
	if (!nic)
		return -1;
	xml = device_text(nic);
	if (!xml)
		return nd_error_nomem(err);
	if (arg_flag(args, "print-xml")) {
		printf("%s", xml);
		return 0;
	}
	return detach(ctl, args, dom, xml, flags, err);
}

static int run_detach_interface(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	ND_AUTO(dom_fini) lv_dom dom = { 0 };
	unsigned flags;
	int r = 0;

	if (guest_and_flags(ctl, args, &dom, &flags, err) < 0)
		return -1;
	if (flags & AFFECT_CONFIG)
		r = detach_chosen(ctl, args, &dom, AFFECT_CONFIG, err);
	if (r == 0 && (flags & AFFECT_LIVE || !(flags & AFFECT_CONFIG)))
		r = detach_chosen(ctl, args, &dom, flags & AFFECT_LIVE, err);
	if (r < 0)
		return ctl_error("Failed to detach interface");
	if (!arg_flag(args, "print-xml"))
		ctl_say(ctl, "Interface detached successfully\n");
	return 0;
}

#define ARG_AFFECT \
	{ "persistent", ARG_FLAG, "make live change persistent" }, \
	{ "config", ARG_FLAG, "affect next boot" }, \
	{ "live", ARG_FLAG, "affect running guest" }, \
	{ "current", ARG_FLAG, "affect current state of the guest" }
#define ARG_DEVICE_FILE { "file", ARG_REQUIRED, "XML file", VALUES_FILE }
#define ARG_TYPE { "type", ARG_REQUIRED, "network interface type", VALUES_INTERFACE_TYPE }

static const struct arg_row device_rows[] = { ARG_DOMAIN(VALUES_DOMAIN), ARG_DEVICE_FILE, ARG_AFFECT };
static const struct arg_row update_rows[] = {
	ARG_DOMAIN(VALUES_DOMAIN), ARG_DEVICE_FILE, ARG_AFFECT,
	{ "force", ARG_FLAG, "force device update" },
};
static const struct arg_row attach_rows[] = {
	ARG_DOMAIN(VALUES_DOMAIN), ARG_TYPE,
	{ "source", ARG_REQUIRED, "its network, bridge, or device of the host" },
	{ "target", ARG_NAMED, "the host's device for it" },
	{ "mac", ARG_NAMED, "MAC address" },
	{ "script", ARG_NAMED, "script used to bridge network interface" },
	{ "model", ARG_NAMED, "model type" },
	{ "alias", ARG_NAMED, "custom alias name of interface device" },
	ARG_RATES, ARG_AFFECT,
	{ "print-xml", ARG_FLAG, "print XML document rather than attach the interface" },
	{ "source-mode", ARG_NAMED, "macvtap's mode: vepa, bridge, private or passthrough" },
};
static const struct arg_row detach_rows[] = {
	ARG_DOMAIN(VALUES_DOMAIN), ARG_TYPE,
	{ "mac", ARG_NAMED, "MAC address" },
	ARG_AFFECT,
	{ "print-xml", ARG_FLAG, "print XML document rather than detach the interface" },
};

static const struct verb verbs[] = {
	{ "attach-device", "attach device from an XML file", NULL, run_attach_device,
	  VERB_ROWS(device_rows) },
	{ "attach-interface", "attach network interface", NULL, run_attach_interface,
	  VERB_ROWS(attach_rows) },
	{ "detach-device", "detach device from an XML file", NULL, run_detach_device,
	  VERB_ROWS(device_rows) },
	{ "detach-interface", "detach network interface", NULL, run_detach_interface,
	  VERB_ROWS(detach_rows) },
	{ "update-device", "update device from an XML file", NULL, run_update_device,
	  VERB_ROWS(update_rows) },
};

const struct verb_group device_verbs = VERB_GROUP("Guests: devices", "device", verbs);
