/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/ctl/metadata.h"

#include <stdlib.h>
#include <string.h>

#include "netd/base/auto.h"
#include "netd/ctl/calls.h"
#include "netd/ctl/document.h"
#include "netd/ctl/editor.h"

enum metadata_type { METADATA_DESCRIPTION = 0, METADATA_TITLE = 1, METADATA_ELEMENT = 2 };

/* *out stays NULL where there is none. */
static int metadata_get(struct ctl *ctl, const lv_net *net, int type, const char *uri,
			unsigned flags, char **out, struct nd_error *err)
{
	char *uri_text = (char *)uri;
	lv_network_get_metadata_args args = {
		.net = *net, .type = type, .uri = uri ? &uri_text : NULL, .flags = flags,
	};
	lv_str_ret ret = { 0 };
	int r = call_lv(ctl, LV_PROC_NETWORK_GET_METADATA, CALL_XDR(lv_network_get_metadata_args),
			&args, CALL_XDR(lv_str_ret), &ret, err);

	if (r < 0 && err->kind == ND_ERR_NO_NETWORK_METADATA) {
		err->kind = ND_ERR_OK;
		return 0;
	}
	if (r == 0)
		*out = ret.value;
	return r;
}

static int metadata_set(struct ctl *ctl, const lv_net *net, int type, const char *value,
			const char *key, const char *uri, unsigned flags, struct nd_error *err)
{
	char *value_text = (char *)value, *key_text = (char *)key, *uri_text = (char *)uri;
	lv_network_set_metadata_args args = {
		.net = *net, .type = type, .metadata = value ? &value_text : NULL,
		.key = key ? &key_text : NULL, .uri = uri ? &uri_text : NULL, .flags = flags,
	};

	return call_lv(ctl, LV_PROC_NETWORK_SET_METADATA, CALL_XDR(lv_network_set_metadata_args),
		       &args, NULL, NULL, err);
}

/* net-desc */

static char *words_join(const struct verb_args *args)
{
	struct nd_str s = { 0 };
	char *const *words;
	size_t n;

	words = arg_words(args, &n);
	for (size_t i = 0; i < n; i++)
		nd_str_addf(&s, "%s%s", i ? " " : "", words[i]);
	return nd_str_take(&s);
}

static int desc_show(const struct verb_args *args, const lv_net *net, const char *text)
{
	bool title = arg_flag(args, "title");

	if (arg_flag(args, "json"))
		return ctl_print_json(json_pack("{so}", title ? "title" : "description",
						ctl_json_string(text)));
	if (text && *text)
		printf("%s\n", text);
	else
		printf("No %s for network: %s\n", title ? "title" : "description", net->name);
	return 0;
}

/* The text that the user types in place of the old one; a title has no newline at its end. */
static int desc_edit(const char *old, bool title, char **out, struct nd_error *err)
{
	size_t len;

	if (editor_run(old ? old : "", out, err) < 0)
		return -1;
	len = strlen(*out);
	if (len && (*out)[len - 1] == '\n' && (title || !old || !strchr(old, '\n')))
		(*out)[len - 1] = '\0';
	return 0;
}

static int desc_store(struct ctl *ctl, const struct verb_args *args, const lv_net *net,
		      const char *text, unsigned flags, struct nd_error *err)
{
	bool title = arg_flag(args, "title");

	if (metadata_set(ctl, net, title ? METADATA_TITLE : METADATA_DESCRIPTION,
			 *text ? text : NULL, NULL, NULL, flags, err) < 0)
		return ctl_error("Failed to set new network %s", title ? "title" : "description");
	ctl_say(ctl, "Network %s updated successfully", title ? "title" : "description");
	return 0;
}

int metadata_run_desc(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	bool title = arg_flag(args, "title");
	int type = title ? METADATA_TITLE : METADATA_DESCRIPTION;
	ND_AUTO(free) char *old = NULL, *typed = NULL, *given = words_join(args);
	ND_AUTO(net_fini) lv_net net = { 0 };
	unsigned flags;
	size_t n;

	(void)arg_words(args, &n);
	if (!given)
		return ctl_error("out of memory");
	if (document_affect(args, &flags) < 0 ||
	    net_find(ctl, arg_string(args, "network"), &net, err) < 0)
		return -1;
	if (n && !arg_flag(args, "edit"))
		return desc_store(ctl, args, &net, given, flags, err);
	if (metadata_get(ctl, &net, type, NULL, flags, &old, err) < 0)
		return -1;
	if (!arg_flag(args, "edit"))
		return desc_show(args, &net, old);
	if (desc_edit(n ? given : old, title, &typed, err) < 0)
		return -1;
	if (nd_streq(typed, old ? old : "")) {
		ctl_say(ctl, "Network %s not changed", title ? "title" : "description");
		return 0;
	}
	return desc_store(ctl, args, &net, typed, flags, err);
}

/* net-metadata */

static int element_edit(struct ctl *ctl, const struct verb_args *args, const lv_net *net,
			unsigned flags, struct nd_error *err)
{
	const char *uri = arg_string(args, "uri");
	ND_AUTO(free) char *old = NULL, *typed = NULL;

	if (metadata_get(ctl, net, METADATA_ELEMENT, uri, flags, &old, err) < 0 ||
	    editor_run(old ? old : "", &typed, err) < 0)
		return -1;
	if (nd_streq(typed, old ? old : "")) {
		ctl_say(ctl, "Metadata not changed");
		return 0;
	}
	if (metadata_set(ctl, net, METADATA_ELEMENT, typed, arg_string(args, "key"), uri, flags,
			 err) < 0)
		return -1;
	ctl_say(ctl, "Metadata modified\n");
	return 0;
}

static int element_show(struct ctl *ctl, const struct verb_args *args, const lv_net *net,
			unsigned flags, struct nd_error *err)
{
	ND_AUTO(free) char *text = NULL;

	if (metadata_get(ctl, net, METADATA_ELEMENT, arg_string(args, "uri"), flags, &text,
			 err) < 0)
		return -1;
	if (arg_flag(args, "json"))
		return ctl_print_json(json_pack("{so}", "metadata", ctl_json_string(text)));
	if (!text)
		return nd_error_set(err, ND_ERR_NO_NETWORK_METADATA,
				    "Requested metadata element is not present");
	printf("%s\n", text);
	return 0;
}

int metadata_run_element(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	const char *set = arg_string(args, "set"), *key = arg_string(args, "key");
	bool remove = arg_flag(args, "remove"), edit = arg_flag(args, "edit");
	ND_AUTO(net_fini) lv_net net = { 0 };
	unsigned flags;

	if ((set != NULL) + remove + edit > 1)
		return ctl_error("Options --set, --edit and --remove are mutually exclusive");
	if ((set || edit) && !key)
		return ctl_error("namespace key is required when modifying metadata");
	if (document_affect(args, &flags) < 0 ||
	    net_find(ctl, arg_string(args, "network"), &net, err) < 0)
		return -1;
	if (edit)
		return element_edit(ctl, args, &net, flags, err);
	if (!set && !remove)
		return element_show(ctl, args, &net, flags, err);
	if (metadata_set(ctl, &net, METADATA_ELEMENT, set, set ? key : NULL,
			 arg_string(args, "uri"), flags, err) < 0)
		return -1;
	ctl_say(ctl, set ? "Metadata modified\n" : "Metadata removed\n");
	return 0;
}
