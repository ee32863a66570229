/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Documents of networks and ports, updates and metadata.
 *
 * The input is a document; after a zero byte may come the command, section and <ip> index of an
 * update as one byte each, and the element that it carries. Whatever is accepted must come back
 * the same when it is printed and parsed again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "netd/base/str.h"
#include "netd/model/port.h"
#include "netd/model/update.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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

	if (net_def_set_metadata(def, NET_METADATA_ELEMENT, text, "k", uri, &out, &err) < 0)
		return;
	check_network(out);
	require(net_def_get_metadata(out, NET_METADATA_ELEMENT, uri, &got, &err) == 0);
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
