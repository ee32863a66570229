/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a guest is: its names, its state, its document; and that document in an editor. */
#include <stdlib.h>
#include <string.h>

#include "netd/base/auto.h"
#include "netd/ctl/document.h"
#include "netd/ctl/domain.h"
#include "netd/ctl/domain_doc.h"
#include "netd/ctl/table.h"
#include "netd/ctl/verbs.h"

/* ---- names ---- */

static json_t *json_id(int id)
{
	return id < 0 ? json_null() : json_integer(id);
}

static int run_domid(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	ND_AUTO(dom_fini) lv_dom dom = { 0 };

	if (dom_find(ctl, arg_string(args, "domain"), DOM_BY_UUID | DOM_BY_NAME, &dom, err) < 0)
		return -1;
	if (arg_json(args))
		return ctl_print_json(json_id(dom.id));
	if (dom.id < 0)
		printf("-\n");
	else
		printf("%d\n", dom.id);
	return 0;
}

static int run_domname(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	ND_AUTO(dom_fini) lv_dom dom = { 0 };

	if (dom_find(ctl, arg_string(args, "domain"), DOM_BY_ID | DOM_BY_UUID, &dom, err) < 0)
		return -1;
	if (arg_json(args))
		return ctl_print_json(ctl_json_string(dom.name));
	printf("%s\n", dom.name);
	return 0;
}

static int run_domuuid(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	ND_AUTO(dom_fini) lv_dom dom = { 0 };

	if (dom_find(ctl, arg_string(args, "domain"), DOM_BY_ID | DOM_BY_NAME, &dom, err) < 0)
		return -1;
	if (arg_json(args))
		return ctl_print_json(json_string(uuid_text(dom.uuid).text));
	printf("%s\n", uuid_text(dom.uuid).text);
	return 0;
}

/* ---- state ---- */

static int run_domstate(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	ND_AUTO(dom_fini) lv_dom dom = { 0 };
	int state, reason;

	if (dom_find(ctl, arg_string(args, "domain"), DOM_BY_ANY, &dom, err) < 0 ||
	    dom_state(ctl, &dom, &state, &reason, err) < 0)
		return -1;
	if (arg_json(args))
		return ctl_print_json(json_pack("{ss, ss}", "state", dom_state_name(state),
						"reason", dom_reason_name(state, reason)));
	if (arg_flag(args, "reason"))
		printf("%s (%s)\n", dom_state_name(state), dom_reason_name(state, reason));
	else
		printf("%s\n", dom_state_name(state));
	return 0;
}

/* Everything that dominfo prints. What the daemon does not say is -1 or empty. */
struct info {
	char *os_type;
	lv_domain_get_info_ret numbers;
	int persistent, autostart, saved;
	lv_node_get_security_model_ret security;
	lv_domain_get_security_label_ret label;		/* of the process of one that runs */
	lv_domain_get_messages_ret messages;		/* what the daemon thinks of it */
};

static int ask_int(struct ctl *ctl, int32_t proc, const lv_dom *dom)
{
	struct nd_error ignored = { 0 };
	int value;

	return dom_call_int(ctl, proc, dom, &value, &ignored) < 0 ? -1 : value != 0;
}

static int ask_saved(struct ctl *ctl, const lv_dom *dom)
{
	lv_dom_flags_args args = { .dom = *dom };
	struct nd_error ignored = { 0 };
	lv_int_ret ret = { 0 };

	return call_lv(ctl, LV_PROC_DOMAIN_HAS_MANAGED_SAVE_IMAGE, CALL_XDR(lv_dom_flags_args),
		       &args, CALL_XDR(lv_int_ret), &ret, &ignored) < 0 ? -1 : ret.value != 0;
}

static int info_get(struct ctl *ctl, const lv_dom *dom, struct info *out, struct nd_error *err)
{
	lv_dom_flags_args with_flags = { .dom = *dom };
	lv_dom_args args = { .dom = *dom };
	struct nd_error ignored = { 0 };

	if (dom_call_string(ctl, LV_PROC_DOMAIN_GET_OS_TYPE, dom, &out->os_type, &ignored) < 0)
		out->os_type = NULL;
	if (call_lv(ctl, LV_PROC_DOMAIN_GET_INFO, CALL_XDR(lv_dom_args), &args,
		    CALL_XDR(lv_domain_get_info_ret), &out->numbers, err) < 0)
		return -1;
	out->persistent = ask_int(ctl, LV_PROC_DOMAIN_IS_PERSISTENT, dom);
	out->autostart = ask_int(ctl, LV_PROC_DOMAIN_GET_AUTOSTART, dom);
	out->saved = ask_saved(ctl, dom);
	(void)call_lv(ctl, LV_PROC_NODE_GET_SECURITY_MODEL, NULL, NULL,
		      CALL_XDR(lv_node_get_security_model_ret), &out->security, &ignored);
	if (dom->id >= 0)
		(void)call_lv(ctl, LV_PROC_DOMAIN_GET_SECURITY_LABEL, CALL_XDR(lv_dom_args), &args,
			      CALL_XDR(lv_domain_get_security_label_ret), &out->label, &ignored);
	(void)call_lv(ctl, LV_PROC_DOMAIN_GET_MESSAGES, CALL_XDR(lv_dom_flags_args), &with_flags,
		      CALL_XDR(lv_domain_get_messages_ret), &out->messages, &ignored);
	return 0;
}

static void info_fini(struct info *info)
{
	free(info->os_type);
	xdr_free(CALL_XDR(lv_node_get_security_model_ret), &info->security);
	xdr_free(CALL_XDR(lv_domain_get_security_label_ret), &info->label);
	xdr_free(CALL_XDR(lv_domain_get_messages_ret), &info->messages);
}

static inline void nd_auto_info_fini(struct info *info)
{
	info_fini(info);
}

static const char *or_unknown(int value, const char *no, const char *yes)
{
	return value < 0 ? "unknown" : value ? yes : no;
}

static void info_print(const lv_dom *dom, const struct info *info)
{
	const lv_domain_get_info_ret *n = &info->numbers;

	if (dom->id < 0)
		printf("%-15s %s\n", "Id:", "-");
	else
		printf("%-15s %d\n", "Id:", dom->id);
	printf("%-15s %s\n%-15s %s\n", "Name:", dom->name, "UUID:", uuid_text(dom->uuid).text);
	if (info->os_type)
		printf("%-15s %s\n", "OS Type:", info->os_type);
	printf("%-15s %s\n%-15s %u\n", "State:", dom_state_name((int)n->state), "CPU(s):", n->vcpus);
	if (n->cpu_time_ns)
		printf("%-15s %.1fs\n", "CPU time:", (double)n->cpu_time_ns / 1e9);
	printf("%-15s %llu KiB\n%-15s %llu KiB\n", "Max memory:",
	       (unsigned long long)n->max_memory_kib, "Used memory:",
	       (unsigned long long)n->memory_kib);
	printf("%-15s %s\n", "Persistent:", or_unknown(info->persistent, "no", "yes"));
	if (info->autostart >= 0)
		printf("%-15s %s\n", "Autostart:", info->autostart ? "enable" : "disable");
	printf("%-15s %s\n", "Managed save:", or_unknown(info->saved, "no", "yes"));
	/* with their NULs, as the wire has them */
	if (info->security.model.model_len > 1)
		printf("%-15s %.*s\n%-15s %.*s\n", "Security model:",
		       (int)info->security.model.model_len, info->security.model.model_val,
		       "Security DOI:", (int)info->security.doi.doi_len, info->security.doi.doi_val);
	if (info->label.label.label_len > 1)
		printf("%-15s %.*s (%s)\n", "Security label:", (int)info->label.label.label_len,
		       info->label.label.label_val, info->label.enforcing ? "enforcing" : "permissive");
	for (u_int i = 0; i < info->messages.msgs.msgs_len; i++)
		printf("%-15s %s\n", i ? "" : "Messages:", info->messages.msgs.msgs_val[i]);
}

static json_t *json_flag(int value)
{
	return value < 0 ? json_null() : json_boolean(value);
}

static json_t *info_json(const lv_dom *dom, const struct info *info)
{
	const lv_domain_get_info_ret *n = &info->numbers;

	return json_pack("{so, ss, so, so, ss, sI, sI, sI, sI, so, so}",
			 "name", ctl_json_string(dom->name), "uuid", uuid_text(dom->uuid).text,
			 "id", json_id(dom->id), "os_type", ctl_json_string(info->os_type),
			 "state", dom_state_name((int)n->state), "cpus", (json_int_t)n->vcpus,
			 "cpu_time_ns", (json_int_t)n->cpu_time_ns,
			 "max_memory_kib", (json_int_t)n->max_memory_kib,
			 "memory_kib", (json_int_t)n->memory_kib,
			 "persistent", json_flag(info->persistent),
			 "autostart", json_flag(info->autostart));
}

static int run_dominfo(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	ND_AUTO(dom_fini) lv_dom dom = { 0 };
	ND_AUTO(info_fini) struct info info = { 0 };

	if (dom_find(ctl, arg_string(args, "domain"), DOM_BY_ANY, &dom, err) < 0 ||
	    info_get(ctl, &dom, &info, err) < 0)
		return -1;
	if (arg_json(args))
		return ctl_print_json(info_json(&dom, &info));
	info_print(&dom, &info);
	return 0;
}

/* ---- document ---- */

static int run_dumpxml(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	unsigned flags = (arg_flag(args, "inactive") ? DOM_XML_INACTIVE : 0) |
			 (arg_flag(args, "security-info") ? DOM_XML_SECURE : 0) |
			 (arg_flag(args, "update-cpu") ? DOM_XML_UPDATE_CPU : 0) |
			 (arg_flag(args, "migratable") ? DOM_XML_MIGRATABLE : 0);
	ND_AUTO(dom_fini) lv_dom dom = { 0 };
	ND_AUTO(free) char *xml = NULL;

	if (dom_find(ctl, arg_string(args, "domain"), DOM_BY_ANY, &dom, err) < 0 ||
	    dom_xml(ctl, &dom, flags, &xml, err) < 0)
		return -1;
	return document_print(args, xml);
}

static int edit_get(struct ctl *ctl, const void *dom, char **out, struct nd_error *err)
{
	return dom_xml(ctl, dom, DOM_XML_INACTIVE, out, err);
}

static int edit_store(struct ctl *ctl, char *xml, unsigned flags, char **name_out,
		      struct nd_error *err)
{
	lv_xml_flags_args define = { .xml = xml, .flags = flags };
	lv_dom_ret ret = { 0 };

	if (call_lv(ctl, LV_PROC_DOMAIN_DEFINE_XML_FLAGS, CALL_XDR(lv_xml_flags_args), &define,
		    CALL_XDR(lv_dom_ret), &ret, err) < 0)
		return -1;
	*name_out = ret.dom.name;
	return 0;
}

static int run_edit(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	static const struct document_kind kind = { "Domain '", "'", edit_get, edit_store };
	ND_AUTO(dom_fini) lv_dom dom = { 0 };

	if (dom_find(ctl, arg_string(args, "domain"), DOM_BY_ANY, &dom, err) < 0)
		return -1;
	return document_edit(ctl, &kind, &dom, dom.name, !arg_flag(args, "skip-validate"), err);
}

/* ---- disks ---- */

struct disk_words {
	char *type, *device, *target, *source;
};

static struct disk_words disk_words(const xmlNode *disk)
{
	static const char *const sources[] = { "file", "dev", "dir", "name", "volume", NULL };

	return (struct disk_words){
		.type = xml_prop(disk, "type"), .device = xml_prop(disk, "device"),
		.target = device_value(disk, "target", "dev"), .source = device_source(disk, sources),
	};
}

static void disk_words_fini(struct disk_words *w)
{
	free(w->type);
	free(w->device);
	free(w->target);
	free(w->source);
}

static int disks_json(xmlDoc *doc)
{
	json_t *all = json_array();

	for (xmlNode *disk = NULL; (disk = domain_doc_device(doc, "disk", disk));) {
		struct disk_words w = disk_words(disk);

		json_array_append_new(all, json_pack("{so, so, so, so}", "type", ctl_json_string(w.type),
						     "device", ctl_json_string(w.device),
						     "target", ctl_json_string(w.target),
						     "source", ctl_json_string(w.source)));
		disk_words_fini(&w);
	}
	return ctl_print_json(all);
}

static int run_domblklist(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	static const char *const headers[] = { "Type", "Device", "Target", "Source" };
	unsigned flags = arg_flag(args, "inactive") ? DOM_XML_INACTIVE : 0;
	size_t first = arg_flag(args, "details") ? 0 : 2;	/* column */
	ND_AUTO(table_free) struct table *t = table_new(headers + first, ND_COUNT(headers) - first);
	ND_AUTO(dom_fini) lv_dom dom = { 0 };
	ND_AUTO(xmlFreeDoc) xmlDoc *doc = NULL;

	if (dom_find(ctl, arg_string(args, "domain"), DOM_BY_ANY, &dom, err) < 0 ||
	    domain_doc_get(ctl, &dom, flags, &doc, err) < 0)
		return -1;
	if (arg_json(args))
		return disks_json(doc);
	for (xmlNode *disk = NULL; (disk = domain_doc_device(doc, "disk", disk));) {
		struct disk_words w = disk_words(disk);
		const char *cells[] = { w.type, w.device, w.target, w.source };

		table_add(t, cells + first);
		disk_words_fini(&w);
	}
	return table_print(t, !ctl->quiet);
}

static const struct arg_row dominfo_rows[] = { ARG_DOMAIN(VALUES_DOMAIN), ARG_JSON };
static const struct arg_row domstate_rows[] = {
	ARG_DOMAIN(VALUES_DOMAIN),
	{ "reason", ARG_FLAG, "also print reason for the state" },
	ARG_JSON,
};
static const struct arg_row dumpxml_rows[] = {
	ARG_DOMAIN(VALUES_DOMAIN), { "inactive", ARG_FLAG, "the definition, not what runs" },
	{ "security-info", ARG_FLAG, "include security sensitive information" },
	{ "update-cpu", ARG_FLAG, "update guest CPU according to host CPU" },
	{ "migratable", ARG_FLAG, "provide XML suitable for migrations" },
	ARG_XPATH, ARG_JSON,
};
static const struct arg_row edit_rows[] = {
	ARG_DOMAIN(VALUES_DOMAIN_PERSISTENT),
	{ "skip-validate", ARG_FLAG, "skip validation of the XML against the schema" },
};
static const struct arg_row blklist_rows[] = {
	ARG_DOMAIN(VALUES_DOMAIN),
	{ "inactive", ARG_FLAG, "get inactive rather than running configuration" },
	{ "details", ARG_FLAG, "additionally display the type and device value" },
	ARG_JSON,
};

static const struct verb verbs[] = {
	{ "domblklist", "list a guest's disks", NULL, run_domblklist, VERB_ROWS(blklist_rows) },
	{ "domid", "a guest's number from its name or uuid", NULL, run_domid, VERB_ROWS(dominfo_rows) },
	{ "dominfo", "a guest's information", NULL, run_dominfo, VERB_ROWS(dominfo_rows) },
	{ "domname", "a guest's name from its number or uuid", NULL, run_domname,
	  VERB_ROWS(dominfo_rows) },
	{ "domstate", "what a guest does", NULL, run_domstate, VERB_ROWS(domstate_rows) },
	{ "domuuid", "a guest's uuid from its name or number", NULL, run_domuuid,
	  VERB_ROWS(dominfo_rows) },
	{ "dumpxml", "a guest's XML", NULL, run_dumpxml, VERB_ROWS(dumpxml_rows) },
	{ "edit", "edit a guest's definition", NULL, run_edit, VERB_ROWS(edit_rows) },
};

const struct verb_group domain_show_verbs = VERB_GROUP("Guests: what there is", "guest", verbs);
