/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cursor.h -- the only way untrusted bytes are read, and wire bytes are written
 *
 * A reader's first failed read sticks: later reads give zeros and the caller asks `bad` once.
 * A writer's first overflow sticks the same way in `full`; a full writer is never sent.
 * All integers are big-endian, the order of every protocol that netd speaks.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct rd {
	const uint8_t *at, *end;
	bool bad;
};

static inline struct rd rd_init(const void *bytes, size_t len)
{
	return (struct rd){ .at = bytes, .end = (const uint8_t *)bytes + len };
}

static inline size_t rd_left(const struct rd *r)
{
	return r->bad ? 0 : (size_t)(r->end - r->at);
}

static inline bool rd_more(const struct rd *r)
{
	return rd_left(r) > 0;
}

/* Borrowed pointer to the next n bytes, or NULL. */
static inline const uint8_t *rd_bytes(struct rd *r, size_t n)
{
	const uint8_t *p = r->at;

	if (r->bad || n > (size_t)(r->end - r->at)) {
		r->bad = true;
		return NULL;
	}
	r->at += n;
	return p;
}

/* Copies the next n bytes; fills with zeros when there are fewer. */
static inline void rd_copy(struct rd *r, void *to, size_t n)
{
	const uint8_t *p = rd_bytes(r, n);

	if (p)
		memcpy(to, p, n);
	else
		memset(to, 0, n);
}

static inline void rd_skip(struct rd *r, size_t n)
{
	(void)rd_bytes(r, n);	/* failure sticks in r */
}

static inline uint8_t rd_u8(struct rd *r)
{
	const uint8_t *p = rd_bytes(r, 1);

	return p ? p[0] : 0;
}

static inline uint16_t rd_u16(struct rd *r)
{
	const uint8_t *p = rd_bytes(r, 2);

	return p ? (uint16_t)(p[0] << 8 | p[1]) : 0;
}

static inline uint32_t rd_u32(struct rd *r)
{
	const uint8_t *p = rd_bytes(r, 4);

	return p ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3] : 0;
}

static inline uint64_t rd_u64(struct rd *r)
{
	uint64_t high = rd_u32(r);

	return high << 32 | rd_u32(r);
}

/* A reader of the next n bytes that cannot leave its parent; bad when there are fewer. */
static inline struct rd rd_sub(struct rd *r, size_t n)
{
	const uint8_t *p = rd_bytes(r, n);

	return p ? rd_init(p, n) : (struct rd){ .bad = true };
}

struct wr {
	uint8_t *start, *at, *end;
	bool full;
};

static inline struct wr wr_init(void *bytes, size_t size)
{
	return (struct wr){ .start = bytes, .at = bytes, .end = (uint8_t *)bytes + size };
}

static inline size_t wr_len(const struct wr *w)
{
	return (size_t)(w->at - w->start);
}

static inline size_t wr_left(const struct wr *w)
{
	return w->full ? 0 : (size_t)(w->end - w->at);
}

/* Room for n bytes to be filled by the caller, or NULL. */
static inline uint8_t *wr_room(struct wr *w, size_t n)
{
	uint8_t *p = w->at;

	if (w->full || n > (size_t)(w->end - w->at)) {
		w->full = true;
		return NULL;
	}
	w->at += n;
	return p;
}

static inline void wr_bytes(struct wr *w, const void *from, size_t n)
{
	uint8_t *p = wr_room(w, n);

	if (p && n)
		memcpy(p, from, n);
}

static inline void wr_u8(struct wr *w, uint8_t v)
{
	wr_bytes(w, &v, 1);
}

static inline void wr_u16(struct wr *w, uint16_t v)
{
	wr_bytes(w, (uint8_t[]){ v >> 8, v & 0xff }, 2);
}

static inline void wr_u32(struct wr *w, uint32_t v)
{
	wr_bytes(w, (uint8_t[]){ v >> 24, v >> 16 & 0xff, v >> 8 & 0xff, v & 0xff }, 4);
}

static inline void wr_u64(struct wr *w, uint64_t v)
{
	wr_u32(w, v >> 32);
	wr_u32(w, (uint32_t)v);
}
