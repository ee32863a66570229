/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wire.h -- how addresses, strings and lists look in the channel's bodies
 *
 * An address is its family's bits (0, 32 or 128) in a byte and its bytes. A string is a 16-bit
 * length and its bytes; length 0xffff stands for NULL. A list is a 32-bit count and its items.
 */
#pragma once
#include <stdlib.h>

#include "netd/base/addr.h"
#include "netd/base/cursor.h"

static inline void wire_put_ip(struct wr *w, const struct nd_ip *ip)
{
	size_t len;
	const uint8_t *bytes = nd_ip_bytes(ip, &len);

	wr_u8(w, (uint8_t)(len * 8));
	wr_bytes(w, bytes, len);
}

static inline struct nd_ip wire_get_ip(struct rd *r)
{
	struct nd_ip ip = { 0 };

	switch (rd_u8(r)) {
	case 0:
		break;
	case 32:
		ip.family = AF_INET;
		rd_copy(r, &ip.v4, sizeof(ip.v4));
		break;
	case 128:
		ip.family = AF_INET6;
		rd_copy(r, &ip.v6, sizeof(ip.v6));
		break;
	default:
		r->bad = true;
	}
	return ip;
}

static inline void wire_put_prefix(struct wr *w, const struct nd_prefix *p)
{
	wire_put_ip(w, &p->addr);
	wr_u8(w, p->len);
}

static inline struct nd_prefix wire_get_prefix(struct rd *r)
{
	struct nd_prefix p = { .addr = wire_get_ip(r) };

	p.len = rd_u8(r);
	if (p.len > nd_ip_bits(&p.addr))
		r->bad = true;
	return p;
}

static inline void wire_put_mac(struct wr *w, const struct nd_mac *mac)
{
	wr_bytes(w, mac->bytes, sizeof(mac->bytes));
}

static inline struct nd_mac wire_get_mac(struct rd *r)
{
	struct nd_mac mac;

	rd_copy(r, mac.bytes, sizeof(mac.bytes));
	return mac;
}

static inline void wire_put_string(struct wr *w, const char *text)
{
	size_t len = text ? strlen(text) : 0;

	if (len >= 0xffff)
		w->full = true;
	wr_u16(w, text ? (uint16_t)len : 0xffff);
	wr_bytes(w, text, len);
}

/* The caller frees it. NULL when NULL was put, or r went bad. */
static inline char *wire_get_string(struct rd *r)
{
	uint16_t len = rd_u16(r);
	const uint8_t *bytes;
	char *text;

	if (r->bad || len == 0xffff)
		return NULL;
	bytes = rd_bytes(r, len);
	if (!bytes || memchr(bytes, 0, len)) {
		r->bad = true;
		return NULL;
	}
	text = strndup((const char *)bytes, len);
	if (!text)
		r->bad = true;
	return text;
}

/* A string that is never NULL, into an array. */
static inline void wire_get_text(struct rd *r, char *to, size_t size)
{
	uint16_t len = rd_u16(r);
	const uint8_t *bytes = rd_bytes(r, len);

	to[0] = '\0';
	if (!bytes)
		return;
	if (len >= size || memchr(bytes, 0, len)) {
		r->bad = true;
		return;
	}
	memcpy(to, bytes, len);
	to[len] = '\0';
}

/*
 * The zeroed room for a list whose items take at least item_min bytes each on the wire, so that
 * nobody makes us allocate much with few bytes. NULL with *n_out 0 for an empty list or a bad r.
 */
static inline void *wire_get_list(struct rd *r, size_t item_min, size_t max, size_t item_size,
				  size_t *n_out)
{
	uint32_t n = rd_u32(r);
	void *items;

	*n_out = 0;
	if (r->bad || n == 0)
		return NULL;
	if (n > max || n > rd_left(r) / item_min) {
		r->bad = true;
		return NULL;
	}
	items = calloc(n, item_size);
	if (!items) {
		r->bad = true;
		return NULL;
	}
	*n_out = n;
	return items;
}
