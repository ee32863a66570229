/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/libvirt_leases.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "dhcp/hostname.h"
#include "netd/base/array.h"
#include "netd/base/str.h"

/* A lease that ends later than this never does, for all that anybody will see. */
#define FAR_S (100 * INT64_C(365) * 86400)

static inline void nd_auto_json_decref(json_t **j)
{
	json_decref(*j);
}

void libvirt_leases_fini(struct libvirt_leases *l)
{
	free(l->rows);
	*l = (struct libvirt_leases){ 0 };
}

static int bad(size_t i, const char *key, struct nd_error *err)
{
	return nd_error_set(err, ND_ERR_INTERNAL, "lease %zu has no valid %s", i + 1, key);
}

static const char *text_of(const json_t *lease, const char *key)
{
	return json_string_value(json_object_get(lease, key));
}

/* "01:52:54:00:11:22:33", of any length; "*" and nothing: none. */
static bool parse_client_id(const char *text, struct lease_row *row)
{
	if (!text || !*text || nd_streq(text, "*"))
		return true;
	for (;; text++) {
		char pair[3] = { text[0], text[0] ? text[1] : '\0' };
		uint64_t byte;

		if (!isxdigit((unsigned char)pair[0]) || !isxdigit((unsigned char)pair[1]) ||
		    !nd_parse_uint(pair, 16, 0, 255, &byte) ||
		    row->client_id_len == sizeof(row->client_id))
			return false;
		row->client_id[row->client_id_len++] = (uint8_t)byte;
		text += 2;
		if (!*text)
			return true;
		if (*text != ':')
			return false;
	}
}

/* 1: a lease in force; 0: past; negative: none of these. */
static int parse_expiry(const json_t *value, struct libvirt_now now, struct lease_row *row)
{
	int64_t end_s;

	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return -EINVAL;
	end_s = json_integer_value(value);
	if (end_s && end_s <= now.wall_s)
		return 0;
	row->expires_ms = !end_s || end_s - now.wall_s > FAR_S ? LEASE_NEVER_MS :
			  now.boottime_ms + (uint64_t)(end_s - now.wall_s) * 1000;
	return 1;
}

static int parse_v4(const json_t *lease, size_t i, struct libvirt_now now,
		    struct libvirt_leases *out, struct nd_error *err)
{
	const char *mac = text_of(lease, "mac-address"), *name = text_of(lease, "hostname");
	struct lease_row row = { .state = LEASE_ROW_BOUND, .start_ms = (int64_t)now.boottime_ms };
	struct lease_row *place;
	struct nd_ip ip;
	int r;

	if (!nd_ip_parse(text_of(lease, "ip-address"), &ip))
		return bad(i, "ip-address", err);
	row.address = ip.v4;
	if (!mac || !nd_mac_parse(mac, &row.mac) || nd_mac_is_multicast(&row.mac) ||
	    nd_mac_is_zero(&row.mac))
		return bad(i, "mac-address", err);
	if (!parse_client_id(text_of(lease, "client-id"), &row))
		return bad(i, "client-id", err);
	r = parse_expiry(json_object_get(lease, "expiry-time"), now, &row);
	if (r < 0)
		return bad(i, "expiry-time", err);
	if (r == 0) {
		out->n_past++;
		return 0;
	}
	if (name)
		hostname_legalise(name, strlen(name), row.hostname);
	place = nd_array_add(out->rows, out->n);
	if (!place)
		return nd_error_nomem(err);
	*place = row;
	return 0;
}

static int parse_lease(const json_t *lease, size_t i, struct libvirt_now now,
		       struct libvirt_leases *out, struct nd_error *err)
{
	const char *address = json_is_object(lease) ? text_of(lease, "ip-address") : NULL;
	struct nd_ip ip;

	if (!address || !nd_ip_parse(address, &ip))
		return bad(i, "ip-address", err);
	if (ip.family == AF_INET)
		return parse_v4(lease, i, now, out, err);
	out->n_v6++;
	return 0;
}

/* What libvirt wrote is empty until the first lease. */
static bool is_blank(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!isspace((unsigned char)text[i]))
			return false;
	return true;
}

int libvirt_leases_parse(const char *text, size_t len, struct libvirt_now now,
			 struct libvirt_leases *out, struct nd_error *err)
{
	ND_AUTO(json_decref) json_t *list = NULL;
	json_error_t error;
	int r = 0;

	*out = (struct libvirt_leases){ 0 };
	if (is_blank(text, len))
		return 0;
	if (len > LIBVIRT_LEASES_MAX_BYTES)
		return nd_error_set(err, ND_ERR_INTERNAL, "longer than %u bytes",
				    LIBVIRT_LEASES_MAX_BYTES);
	list = json_loadb(text, len, 0, &error);
	if (!list)
		return nd_error_set(err, ND_ERR_INTERNAL, "line %d: %s", error.line, error.text);
	if (!json_is_array(list) || json_array_size(list) > LIBVIRT_LEASES_MAX)
		return nd_error_set(err, ND_ERR_INTERNAL, "not a list of at most %d leases",
				    LIBVIRT_LEASES_MAX);
	for (size_t i = 0; i < json_array_size(list) && r == 0; i++)
		r = parse_lease(json_array_get(list, i), i, now, out, err);
	if (r < 0)
		libvirt_leases_fini(out);
	return r;
}
