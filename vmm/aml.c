/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/aml.h"

#include <string.h>

enum {
	OP_ZERO = 0x00,
	OP_NAME = 0x08,
	OP_BYTE = 0x0a,
	OP_WORD = 0x0b,
	OP_DWORD = 0x0c,
	OP_STRING = 0x0d,
	OP_QWORD = 0x0e,
	OP_SCOPE = 0x10,
	OP_BUFFER = 0x11,
	OP_PACKAGE = 0x12,
	OP_METHOD = 0x14,
	OP_DUAL = 0x2e,
	OP_MULTI = 0x2f,
	OP_EXT = 0x5b,
	OP_ARG0 = 0x68,
	OP_IF = 0xa0,
	EXT_REGION = 0x80,
	EXT_FIELD = 0x81,
	EXT_DEVICE = 0x82,
};

#define LENGTH_BYTES 3			/* of every package's length: up to 1 MiB */
#define METHOD_SERIALIZED 8

static void u16(struct wr *w, uint16_t v)
{
	wr_bytes(w, &v, 2);		/* AML is little endian, as this machine */
}

static void u32(struct wr *w, uint32_t v)
{
	wr_bytes(w, &v, 4);
}

void aml_init(struct aml *a, void *bytes, size_t size)
{
	*a = (struct aml){ .w = wr_init(bytes, size) };
}

static void begin(struct aml *a)
{
	if (a->depth == AML_DEPTH) {
		a->w.full = true;
		return;
	}
	a->open[a->depth++] = wr_room(&a->w, LENGTH_BYTES);
}

void aml_end(struct aml *a)
{
	uint8_t *at = a->depth ? a->open[--a->depth] : NULL;
	uint32_t len;

	if (a->w.full || !at) {
		a->w.full = true;
		return;
	}
	len = (uint32_t)(a->w.at - at);		/* counts itself */
	at[0] = (LENGTH_BYTES - 1) << 6 | (len & 0xf);
	at[1] = len >> 4 & 0xff;
	at[2] = len >> 12 & 0xff;
}

void aml_path(struct aml *a, const char *name)
{
	size_t len, segments;

	if (*name == '\\')
		wr_u8(&a->w, *name++);
	len = strlen(name);
	segments = (len + 1) / 5;
	if (segments == 0)
		wr_u8(&a->w, OP_ZERO);
	else if (segments == 2)
		wr_u8(&a->w, OP_DUAL);
	else if (segments > 2) {
		wr_u8(&a->w, OP_MULTI);
		wr_u8(&a->w, (uint8_t)segments);
	}
	for (size_t i = 0; i < segments; i++)
		wr_bytes(&a->w, name + 5 * i, 4);
}

void aml_begin_scope(struct aml *a, const char *name)
{
	wr_u8(&a->w, OP_SCOPE);
	begin(a);
	aml_path(a, name);
}

void aml_begin_device(struct aml *a, const char *name)
{
	wr_u8(&a->w, OP_EXT);
	wr_u8(&a->w, EXT_DEVICE);
	begin(a);
	aml_path(a, name);
}

void aml_begin_method(struct aml *a, const char *name, unsigned n_args)
{
	wr_u8(&a->w, OP_METHOD);
	begin(a);
	aml_path(a, name);
	wr_u8(&a->w, (uint8_t)(n_args | METHOD_SERIALIZED));
}

void aml_begin_package(struct aml *a, uint8_t n_items)
{
	wr_u8(&a->w, OP_PACKAGE);
	begin(a);
	wr_u8(&a->w, n_items);
}

void aml_begin_if(struct aml *a)
{
	wr_u8(&a->w, OP_IF);
	begin(a);
}

/* The buffer's size is a word, filled in at its end. */
void aml_begin_resources(struct aml *a)
{
	wr_u8(&a->w, OP_BUFFER);
	begin(a);
	wr_u8(&a->w, OP_WORD);
	u16(&a->w, 0);
}

void aml_end_resources(struct aml *a)
{
	uint8_t *at = a->depth ? a->open[a->depth - 1] : NULL;
	uint16_t len;

	u16(&a->w, 0x0079);		/* end tag, no checksum */
	if (a->w.full || !at)
		return;
	at += LENGTH_BYTES + 1;
	len = (uint16_t)(a->w.at - at - 2);
	memcpy(at, &len, 2);
	aml_end(a);
}

void aml_name(struct aml *a, const char *name)
{
	wr_u8(&a->w, OP_NAME);
	aml_path(a, name);
}

void aml_int(struct aml *a, uint64_t v)
{
	if (v < 2) {
		wr_u8(&a->w, (uint8_t)v);	/* Zero and One */
	} else if (v <= UINT8_MAX) {
		wr_u8(&a->w, OP_BYTE);
		wr_u8(&a->w, (uint8_t)v);
	} else if (v <= UINT16_MAX) {
		wr_u8(&a->w, OP_WORD);
		u16(&a->w, (uint16_t)v);
	} else if (v <= UINT32_MAX) {
		wr_u8(&a->w, OP_DWORD);
		u32(&a->w, (uint32_t)v);
	} else {
		wr_u8(&a->w, OP_QWORD);
		wr_bytes(&a->w, &v, 8);
	}
}

void aml_string(struct aml *a, const char *text)
{
	wr_u8(&a->w, OP_STRING);
	wr_bytes(&a->w, text, strlen(text) + 1);
}

static uint32_t hex(char c)
{
	return (uint32_t)(c <= '9' ? c - '0' : c - 'A' + 10);
}

/* Three letters of five bits and four hex digits, big endian. */
void aml_eisa_id(struct aml *a, const char *id)
{
	uint32_t v = 0;

	for (int i = 0; i < 3; i++)
		v = v << 5 | (uint32_t)(id[i] - '@');
	for (int i = 3; i < 7; i++)
		v = v << 4 | hex(id[i]);
	wr_u8(&a->w, OP_DWORD);
	wr_u32(&a->w, v);
}

void aml_arg(struct aml *a, unsigned n)
{
	wr_u8(&a->w, (uint8_t)(OP_ARG0 + n));
}

void aml_op(struct aml *a, uint8_t op)
{
	wr_u8(&a->w, op);
}

void aml_io_region(struct aml *a, const char *name, uint16_t port, uint8_t len_bytes)
{
	wr_u8(&a->w, OP_EXT);
	wr_u8(&a->w, EXT_REGION);
	aml_path(a, name);
	wr_u8(&a->w, 1);		/* SystemIO */
	aml_int(a, port);
	aml_int(a, len_bytes);
}

void aml_fields(struct aml *a, const char *region, const char *const *names, unsigned n)
{
	wr_u8(&a->w, OP_EXT);
	wr_u8(&a->w, EXT_FIELD);
	begin(a);
	aml_path(a, region);
	wr_u8(&a->w, 0x43);		/* DWordAcc, NoLock, WriteAsZeros */
	for (unsigned i = 0; i < n; i++) {
		wr_bytes(&a->w, names[i], 4);
		wr_u8(&a->w, 0x40);	/* 32 bits: a length of two bytes */
		wr_u8(&a->w, 0x02);
	}
	aml_end(a);
}

void aml_res_io(struct aml *a, uint16_t port, uint8_t n_ports)
{
	wr_u8(&a->w, 0x47);
	wr_u8(&a->w, 1);		/* decodes 16 bits */
	u16(&a->w, port);
	u16(&a->w, port);
	wr_u8(&a->w, 1);
	wr_u8(&a->w, n_ports);
}

void aml_res_irq(struct aml *a, unsigned line)
{
	wr_u8(&a->w, 0x22);
	u16(&a->w, (uint16_t)(1u << line));
}

enum { KIND_MEMORY, KIND_IO, KIND_BUS };
#define FIXED_BOTH 0x0c			/* first and last address are fixed; positive decoding */

static void word_window(struct aml *a, uint8_t kind, uint8_t specific, uint16_t first, uint16_t last)
{
	wr_u8(&a->w, 0x88);
	u16(&a->w, 13);
	wr_u8(&a->w, kind);
	wr_u8(&a->w, FIXED_BOTH);
	wr_u8(&a->w, specific);
	u16(&a->w, 0);
	u16(&a->w, first);
	u16(&a->w, last);
	u16(&a->w, 0);
	u16(&a->w, (uint16_t)(last - first + 1));
}

void aml_res_bus(struct aml *a, uint16_t first, uint16_t last)
{
	word_window(a, KIND_BUS, 0, first, last);
}

void aml_res_io_window(struct aml *a, uint16_t first, uint16_t last)
{
	word_window(a, KIND_IO, 3, first, last);	/* the whole range */
}

void aml_res_memory_window(struct aml *a, uint32_t first, uint32_t last)
{
	wr_u8(&a->w, 0x87);
	u16(&a->w, 23);
	wr_u8(&a->w, KIND_MEMORY);
	wr_u8(&a->w, FIXED_BOTH);
	wr_u8(&a->w, 1);		/* not cached, may be written */
	u32(&a->w, 0);
	u32(&a->w, first);
	u32(&a->w, last);
	u32(&a->w, 0);
	u32(&a->w, last - first + 1);
}
