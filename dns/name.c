/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dns/name.h"

#include <stdio.h>

#define POINTER 0xc0	/* RFC 1035 4.1.4: the two highest bits of a label's length */

/* One byte of a label in text form, escaped or not; false at a bad escape. */
static bool parse_byte(const char **text, uint8_t *out)
{
	const char *t = *text;

	if (t[0] != '\\') {
		*out = (uint8_t)*t;
		*text = t + 1;
		return true;
	}
	if (t[1] >= '0' && t[1] <= '9') {
		unsigned v = 0;

		for (int i = 1; i <= 3; i++) {
			if (t[i] < '0' || t[i] > '9')
				return false;
			v = v * 10 + (unsigned)(t[i] - '0');
		}
		*out = (uint8_t)v;
		*text = t + 4;
		return v <= 255;
	}
	*out = (uint8_t)t[1];
	*text = t + 2;
	return t[1] != '\0';
}

bool dns_name_parse(const char *text, struct dns_name *out)
{
	size_t len = 0, label = 0;	/* label: where the present label's length stands */

	if (text[0] == '\0' || (text[0] == '.' && text[1] == '\0')) {
		*out = (struct dns_name){ .len = 1 };
		return true;
	}
	out->wire[len++] = 0;
	while (*text) {
		if (*text == '.') {
			if (out->wire[label] == 0)
				return false;
			text++;
			if (*text == '\0')
				break;
			label = len;
			out->wire[len++] = 0;
		} else {
			if (out->wire[label] == DNS_LABEL_MAX ||
			    !parse_byte(&text, &out->wire[len++]))
				return false;
			out->wire[label]++;
		}
		if (len >= DNS_NAME_MAX)
			return false;
	}
	out->wire[len++] = 0;
	out->len = (uint8_t)len;
	return true;
}

char *dns_name_format(const struct dns_name *name, char *buf)
{
	char *at = buf;

	if (name->len <= 1)
		return strcpy(buf, ".");
	for (size_t i = 0; i < name->len && name->wire[i]; i += 1u + name->wire[i]) {
		if (i)
			*at++ = '.';
		for (size_t j = 1; j <= name->wire[i]; j++) {
			uint8_t c = name->wire[i + j];

			if (c > ' ' && c < 0x7f && c != '.' && c != '\\')
				*at++ = (char)c;
			else
				at += sprintf(at, "\\%03u", c);
		}
	}
	*at = '\0';
	return buf;
}

void dns_name_decode(struct rd *r, const uint8_t *message, struct dns_name *out)
{
	struct rd at = *r;
	const uint8_t *limit = r->at;	/* pointers must lead before this */
	bool jumped = false;
	size_t len = 0;

	out->len = 1;
	out->wire[0] = 0;
	for (;;) {
		uint8_t n = rd_u8(&at);

		if (at.bad || ((n & POINTER) && (n & POINTER) != POINTER))
			break;
		if (n & POINTER) {
			const uint8_t *to = message + ((n & ~POINTER) << 8 | rd_u8(&at));

			if (at.bad || to >= limit)
				break;
			if (!jumped)
				r->at = at.at;
			jumped = true;
			limit = at.at = to;
			continue;
		}
		/* Room for this label and the root's after it. */
		if (n && len + 1u + n + 1u > DNS_NAME_MAX)
			break;
		out->wire[len] = n;
		rd_copy(&at, out->wire + len + 1, n);
		if (at.bad)
			break;
		len += 1u + n;
		if (n == 0) {
			out->len = (uint8_t)len;
			if (!jumped)
				r->at = at.at;
			return;
		}
	}
	out->wire[0] = 0;
	r->bad = true;
}

void dns_name_lower(struct dns_name *name)
{
	/* Lengths are below 64, so they are no letters. */
	for (size_t i = 0; i < name->len; i++)
		name->wire[i] = dns_lower(name->wire[i]);
}

static bool equal_bytes(const uint8_t *a, const uint8_t *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (dns_lower(a[i]) != dns_lower(b[i]))
			return false;
	return true;
}

bool dns_name_equal(const struct dns_name *a, const struct dns_name *b)
{
	return a->len == b->len && equal_bytes(a->wire, b->wire, a->len);
}

bool dns_name_is_below(const struct dns_name *name, const struct dns_name *domain)
{
	size_t i = 0;

	while (name->len - i > domain->len)
		i += 1u + name->wire[i];
	return name->len - i == domain->len &&
	       equal_bytes(name->wire + i, domain->wire, domain->len);
}

unsigned dns_name_labels(const struct dns_name *name)
{
	unsigned n = 0;

	for (size_t i = 0; name->wire[i]; i += 1u + name->wire[i])
		n++;
	return n;
}

bool dns_name_append(struct dns_name *name, const struct dns_name *domain)
{
	if ((size_t)name->len - 1 + domain->len > DNS_NAME_MAX)
		return false;
	memcpy(name->wire + name->len - 1, domain->wire, domain->len);
	name->len = (uint8_t)(name->len - 1 + domain->len);
	return true;
}

static void add_label(struct dns_name *name, const char *label)
{
	size_t n = strlen(label);

	name->wire[name->len++] = (uint8_t)n;
	memcpy(name->wire + name->len, label, n);
	name->len = (uint8_t)(name->len + n);
}

/* The last n of the address' octets or nibbles stay out. */
static void reverse(const struct nd_ip *ip, unsigned n, struct dns_name *out)
{
	static const char hex[] = "0123456789abcdef";
	size_t len;
	const uint8_t *bytes = nd_ip_bytes(ip, &len);

	out->len = 0;
	while (n-- > 0) {
		char label[4];

		if (ip->family == AF_INET)
			snprintf(label, sizeof(label), "%u", bytes[n]);
		else
			snprintf(label, sizeof(label), "%c",
				 hex[n % 2 ? bytes[n / 2] & 15 : bytes[n / 2] >> 4]);
		add_label(out, label);
	}
	add_label(out, ip->family == AF_INET ? "in-addr" : "ip6");
	add_label(out, "arpa");
	out->wire[out->len++] = 0;
}

void dns_name_reverse(const struct nd_ip *ip, struct dns_name *out)
{
	reverse(ip, ip->family == AF_INET ? 4 : 32, out);
}

void dns_name_reverse_zone(const struct nd_prefix *prefix, struct dns_name *out)
{
	reverse(&prefix->addr, prefix->len / (prefix->addr.family == AF_INET ? 8 : 4), out);
}
