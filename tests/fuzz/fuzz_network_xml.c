/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Documents of networks and ports, updates and metadata.
 *
 * The input is a document; after a zero byte may come the command, section and <ip> index of an
 * update as one byte each, and the element that it carries. Whatever is accepted must come back
 * the same when it is printed and parsed again.
 */
#include <libxml/parser.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "netd/base/str.h"
#include "netd/model/port.h"
#include "netd/model/metadata.h"
#include "netd/model/update.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
/* libFuzzer's own; there is none when the corpus is only replayed. */
__attribute__((weak)) size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check_network(const struct net_def *def)
{
	ND_AUTO(free) char *xml = net_def_format(def, 0);
	ND_AUTO(net_def_free) struct net_def *again = NULL;
	ND_AUTO(net_def_free) struct net_def *copy = net_def_copy(def);
	ND_AUTO(free) char *xml_again = NULL;
	struct nd_error err = { 0 };

	require(net_def_parse(xml, strlen(xml), &again, &err) == 0);
	require(net_def_equal(def, again));
	require(net_def_equal(def, copy));
	xml_again = net_def_format(again, 0);
	require(nd_streq(xml, xml_again));
	(void)net_def_validate(def, &err);	/* either answer will do */
	for (size_t i = 0; i < def->n_ips; i++)
		require(ip_def_prefix(&def->ips[i]).len <= 128);
}

static void check_update(const struct net_def *def, const char *in, size_t len)
{
	ND_AUTO(net_def_free) struct net_def *out = NULL;
	struct nd_error err = { 0 };

	if (len < 3)
		return;
	if (net_def_update(def, in[0] % 6, in[1] % 14, in[2], in + 3, len - 3, &out, &err) == 0)
		check_network(out);
	else
		require(err.kind != ND_ERR_OK && *err.text);
}

static void check_metadata(const struct net_def *def, const char *in, size_t len)
{
	static const char uri[] = "urn:k";
	ND_AUTO(free) char *text = strndup(in, len);
	ND_AUTO(net_def_free) struct net_def *out = NULL;
	ND_AUTO(free) char *got = NULL;
	struct nd_error err = { 0 };

	if (net_def_set_metadata(def, METADATA_ELEMENT, text, "k", uri, &out, &err) < 0)
		return;
	check_network(out);
	require(net_def_get_metadata(out, METADATA_ELEMENT, uri, &got, &err) == 0);
}

static void check_port(const char *xml, size_t len)
{
	ND_AUTO(port_def_free) struct port_def *port = NULL;
	ND_AUTO(port_def_free) struct port_def *again = NULL;
	ND_AUTO(free) char *text = NULL, *text_again = NULL;

	if (port_def_parse(xml, len, &port, NULL) < 0)
		return;
	text = port_def_format(port);
	require(port_def_parse(text, strlen(text), &again, NULL) == 0);
	text_again = port_def_format(again);
	require(nd_streq(text, text_again));
}

/*
 * Changes of bytes seldom leave XML well-formed, so most mutations work on the tree: a node is
 * copied elsewhere or removed, an attribute gets another value, an element another name.
 */
static const char *const values[] = {
	"", "yes", "no", "0", "1", "255", "4096", "65535", "65536", "4294967295", "0x1f", "-1",
	"on", "off", "nat", "route", "open", "bridge", "vepa", "hostdev", "none", "pci", "eth0",
	"virbr%d", "10.0.0.1", "10.0.0.5", "10.0.0.255", "255.255.255.0", "255.0.255.0", "fd00::1",
	"::", "ipv4", "ipv6", "24", "64", "128", "52:54:00:00:00:01", "01:00:00:00:00:01",
	"6f3c8d7e-0a1b-4c2d-8e3f-405162738495", "a b", "a\nb", "x.example", "hours", "tagged",
	"openvswitch", "802.1Qbg", "&<>'\"", "18446744073709551615",
};

static const char *const names[] = {
	"name", "uuid", "title", "description", "metadata", "forward", "nat", "address", "port",
	"pf", "interface", "driver", "bridge", "mtu", "mac", "domain", "dns", "forwarder", "txt",
	"srv", "host", "hostname", "vlan", "tag", "bandwidth", "inbound", "outbound", "ip", "dhcp",
	"range", "lease", "bootp", "tftp", "route", "virtualport", "parameters", "portgroup",
	"group", "owner", "plug", "rxfilters", "start", "end", "dev", "mode", "family", "prefix",
	"netmask", "gateway", "metric", "expiry", "unit", "average", "peak", "floor", "burst",
	"id", "value", "type", "default", "trunk", "nativeMode", "enable", "localOnly", "zone",
};

#define PICK(list) ((list)[(size_t)rand() % (sizeof(list) / sizeof((list)[0]))])

static size_t count_elements(const xmlNode *node)
{
	size_t n = 1;

	for (node = node->children; node; node = node->next)
		if (node->type == XML_ELEMENT_NODE)
			n += count_elements(node);
	return n;
}

static xmlNode *nth_element(xmlNode *node, size_t *n)
{
	xmlNode *found = NULL;

	if ((*n)-- == 0)
		return node;
	for (node = node->children; node && !found; node = node->next)
		if (node->type == XML_ELEMENT_NODE)
			found = nth_element(node, n);
	return found;
}

static xmlNode *any_element(xmlNode *root)
{
	size_t n = (size_t)rand() % count_elements(root);

	return nth_element(root, &n);
}

static xmlAttr *any_attribute(const xmlNode *node)
{
	xmlAttr *attr = node->properties;

	while (attr && attr->next && rand() % 3)
		attr = attr->next;
	return attr;
}

static void mutate_tree(xmlNode *root)
{
	xmlNode *node = any_element(root), *copy;
	xmlAttr *attr = any_attribute(node);
	const xmlChar *name = (const xmlChar *)PICK(names);

	switch (rand() % 7) {
	case 0:
		copy = xmlCopyNode(node, 1);
		xmlAddChild(any_element(root), copy);
		break;
	case 1:
		if (node == root)
			break;
		xmlUnlinkNode(node);
		xmlFreeNode(node);
		break;
	case 2:
		xmlNewChild(node, NULL, name, NULL);
		break;
	case 3:
		if (attr)
			xmlRemoveProp(attr);
		break;
	case 4:
		xmlSetProp(node, attr ? attr->name : name, (const xmlChar *)PICK(values));
		break;
	case 5:
		xmlSetProp(node, name, (const xmlChar *)PICK(values));
		break;
	default:
		if (!node->children)
			xmlNodeAddContent(node, (const xmlChar *)PICK(values));
	}
}

static void ignore_error(void *data, xmlErrorPtr error)
{
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	const char *in = (const char *)data;
	size_t len = strnlen(in, size), tail = size - len;
	xmlChar *text = NULL;
	int text_len = 0;
	xmlDoc *doc;

	srand(seed);
	if (rand() % 4 == 0)
		return LLVMFuzzerMutate(data, size, max_size);
	xmlSetStructuredErrorFunc(NULL, ignore_error);
	doc = xmlReadMemory(in, (int)len, NULL, NULL, XML_PARSE_NONET);
	if (!doc)
		return LLVMFuzzerMutate(data, size, max_size);
	do
		mutate_tree(xmlDocGetRootElement(doc));
	while (rand() % 3 == 0);
	xmlDocDumpMemory(doc, &text, &text_len);
	xmlFreeDoc(doc);
	if (text && (size_t)text_len + tail <= max_size) {
		memmove(data + text_len, data + len, tail);
		memcpy(data, text, (size_t)text_len);
		size = (size_t)text_len + tail;
	}
	xmlFree(text);
	return size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *in = (const char *)data;
	size_t len = strnlen(in, size);
	ND_AUTO(net_def_free) struct net_def *def = NULL;
	struct nd_error err = { 0 };

	if (net_def_parse(in, len, &def, &err) < 0) {
		require(err.kind != ND_ERR_OK && *err.text && !def);
		check_port(in, len);
		return 0;
	}
	check_network(def);
	if (len < size) {
		check_update(def, in + len + 1, size - len - 1);
		check_metadata(def, in + len + 1, size - len - 1);
	}
	return 0;
}
