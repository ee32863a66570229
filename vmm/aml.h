/* SPDX-License-Identifier: GPL-2.0-or-later */
/* aml.h -- writes ACPI's byte code (ACPI 6.4, chapter 20), as much of it as a DSDT of ours needs
 *
 * Packages of bytes begin with aml_begin_*() and end with aml_end(), nested as in the source that
 * iasl prints of them. Overflow sticks in the writer.
 */
#pragma once
#include <stdint.h>

#include "netd/base/cursor.h"

#define AML_DEPTH 8

struct aml {
	struct wr w;
	uint8_t *open[AML_DEPTH];	/* where the lengths of open packages go */
	unsigned depth;
};

void aml_init(struct aml *a, void *bytes, size_t size);
/* Closes the innermost package. */
void aml_end(struct aml *a);

/* Names: "\\_SB_" for an absolute one, segments of four characters joined by '.'. */
void aml_begin_scope(struct aml *a, const char *name);
void aml_begin_device(struct aml *a, const char *name);
void aml_begin_method(struct aml *a, const char *name, unsigned n_args);
void aml_begin_package(struct aml *a, uint8_t n_items);
void aml_begin_if(struct aml *a);
/* A buffer of resources: ended by aml_end_resources(). */
void aml_begin_resources(struct aml *a);
void aml_end_resources(struct aml *a);

void aml_name(struct aml *a, const char *name);		/* Name(name, ...): the value follows */
void aml_path(struct aml *a, const char *name);		/* the object itself, or a call */
void aml_int(struct aml *a, uint64_t v);
void aml_string(struct aml *a, const char *text);
void aml_eisa_id(struct aml *a, const char *id);	/* "PNP0A03" */
void aml_arg(struct aml *a, unsigned n);
void aml_op(struct aml *a, uint8_t op);

#define AML_STORE 0x70
#define AML_AND 0x7b
#define AML_SHIFT_LEFT 0x79
#define AML_NOTIFY 0x86
#define AML_RETURN 0xa4

void aml_io_region(struct aml *a, const char *name, uint16_t port, uint8_t len_bytes);
/* Fields of 32 bits one after the other in the region. */
void aml_fields(struct aml *a, const char *region, const char *const *names, unsigned n);

void aml_res_io(struct aml *a, uint16_t port, uint8_t n_ports);
void aml_res_irq(struct aml *a, unsigned line);
/* Windows of a PCI bridge. */
void aml_res_bus(struct aml *a, uint16_t first, uint16_t last);
void aml_res_io_window(struct aml *a, uint16_t first, uint16_t last);
void aml_res_memory_window(struct aml *a, uint32_t first, uint32_t last);
