/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/ctl/domain_doc.h"

#include <string.h>

#include "netd/base/str.h"

static bool is_element(const xmlNode *node, const char *name)
{
	return node->type == XML_ELEMENT_NODE && nd_streq((const char *)node->name, name);
}

static xmlNode *find(xmlNode *node, const char *name)
{
	while (node && !is_element(node, name))
		node = node->next;
	return node;
}

int domain_doc_get(struct ctl *ctl, const lv_dom *dom, unsigned flags, xmlDoc **out,
		   struct nd_error *err)
{
	ND_AUTO(free) char *xml = NULL;

	if (dom_xml(ctl, dom, flags, &xml, err) < 0)
		return -1;
	return xml_doc_parse(xml, strlen(xml), "(domain_definition)", out, err);
}

xmlNode *domain_doc_device(xmlDoc *doc, const char *element, const xmlNode *after)
{
	xmlNode *root = xmlDocGetRootElement(doc), *devices;

	if (after)
		return find(after->next, element);
	devices = root ? find(root->children, "devices") : NULL;
	return devices ? find(devices->children, element) : NULL;
}

xmlNode *device_child(const xmlNode *device, const char *element)
{
	return find(device->children, element);
}

char *device_value(const xmlNode *device, const char *child, const char *attribute)
{
	const xmlNode *node = device_child(device, child);

	return node ? xml_prop(node, attribute) : NULL;
}

char *device_source(const xmlNode *device, const char *const *names)
{
	const xmlNode *source = device_child(device, "source");

	for (const xmlAttr *a = source ? source->properties : NULL; a; a = a->next)
		for (size_t i = 0; names[i]; i++)
			if (nd_streq((const char *)a->name, names[i]))
				return xml_prop(source, names[i]);
	return NULL;
}

char *device_text(const xmlNode *device)
{
	xmlBuffer *buffer = xmlBufferCreate();
	char *text = NULL;

	/* indented as where it stands, the third level */
	if (buffer && xmlNodeDump(buffer, device->doc, (xmlNode *)device, 2, 1) >= 0)
		text = strdup((const char *)xmlBufferContent(buffer));
	xmlBufferFree(buffer);
	return text;
}

bool interface_is_mac(const char *name)
{
	struct nd_mac mac;

	return nd_mac_parse(name, &mac);
}

bool interface_matches(const xmlNode *interface, const char *name)
{
	struct nd_mac wanted, mac;
	ND_AUTO(free) char *value = NULL;

	if (!nd_mac_parse(name, &wanted)) {
		value = device_value(interface, "target", "dev");
		return nd_streq0(value, name);
	}
	value = device_value(interface, "mac", "address");
	return value && nd_mac_parse(value, &mac) && memcmp(&mac, &wanted, sizeof(mac)) == 0;
}
