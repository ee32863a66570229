/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Documents of guests and of single devices: what is accepted comes back the same when it is
 * printed and parsed again, as a client's document and as netd's own of a running guest; what
 * define adds to it leaves a document that define accepts. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "netd/base/str.h"
#include "netd/model/domain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

typedef int (*parser)(const char *xml, size_t len, struct dom_def **out, struct nd_error *err);

static void comes_back(const struct dom_def *def, parser parse, unsigned flags)
{
	ND_AUTO(free) char *xml = dom_def_format(def, flags);
	ND_AUTO(dom_def_free) struct dom_def *again = NULL;
	ND_AUTO(dom_def_free) struct dom_def *copy = dom_def_copy(def);
	ND_AUTO(free) char *xml_again = NULL;
	struct nd_error err = { 0 };

	require(parse(xml, strlen(xml), &again, &err) == 0);
	require(dom_def_equal(def, copy));
	xml_again = dom_def_format(again, flags);
	require(nd_streq(xml, xml_again));
}

static void check(const char *in, size_t len, parser parse, unsigned flags)
{
	ND_AUTO(dom_def_free) struct dom_def *def = NULL;
	struct nd_error err = { 0 };

	if (parse(in, len, &def, &err) < 0) {
		require(err.kind != ND_ERR_OK && *err.text && !def);
		return;
	}
	comes_back(def, parse, flags);
	(void)dom_clock_offset_s(def, 0);
	if (dom_def_check(def, &err) < 0 || dom_def_generate(def, &err) < 0)
		return;
	require(dom_def_check(def, &err) == 0);
	comes_back(def, parse, flags);
}

static void check_device(const char *in, size_t len)
{
	static const char head[] = "<domain type='kvm'><name>g</name><memory>65536</memory>"
				   "<os><type>hvm</type><kernel>/k</kernel></os></domain>";
	ND_AUTO(dom_device_free) struct dom_device *device = NULL;
	ND_AUTO(dom_def_free) struct dom_def *def = NULL;
	struct nd_error err = { 0 };
	size_t at;

	if (dom_device_parse(in, len, &device, &err) < 0) {
		require(err.kind != ND_ERR_OK && *err.text && !device);
		return;
	}
	require(dom_def_parse(head, strlen(head), &def, &err) == 0);
	if (dom_def_add_device(def, device, &err) < 0)
		return;
	comes_back(def, dom_def_parse, 0);
	if (dom_def_find_device(def, device, &at, &err) == 0)
		dom_def_remove_device(def, device->kind, at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *in = (const char *)data;

	check(in, size, dom_def_parse, 0);
	check(in, size, dom_def_parse, NET_FORMAT_INACTIVE);
	check(in, size, dom_def_parse_live, 0);
	check_device(in, size);
	return 0;
}
