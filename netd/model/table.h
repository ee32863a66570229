/* SPDX-License-Identifier: GPL-2.0-or-later */
/* table.h -- one table per element drives parsing, printing, copying, comparing and freeing
 *
 * A row says which attribute or child fills which field of the element's struct. What a table
 * cannot say stands in the hooks of the row or of the element.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netd/base/str.h"
#include "netd/model/xml.h"

enum xml_kind {
	XML_STR,	/* char *, owned; NULL: absent */
	XML_TRI,	/* enum tristate */
	XML_YES,	/* bool: "yes" in any case is true, everything else false */
	XML_UINT,	/* uint8_t to uint64_t, 0: absent */
	XML_HEX,	/* the same, read in base 16 and printed as 0x with digits */
	XML_ENUM,	/* an int-sized enum; names[value], 0: absent unless it has a name */
	XML_PREFIX,	/* int, -1: absent */
	XML_IP,		/* struct nd_ip, family 0: absent */
	XML_MAC,	/* struct nd_mac with a has-flag */
	XML_UUID,	/* struct nd_uuid with a has-flag */
	XML_HOOK,	/* no field: known, but the element's check reads it */
};

struct xml_out {
	struct nd_str s;
	unsigned depth;
	unsigned flags;		/* NET_FORMAT_* */
	const void *root;	/* the document's struct, for what depends on another element */
};

struct xml_attr {
	const char *name;		/* NULL: the element's text; the first row then */
	enum xml_kind kind;
	uint8_t size;			/* of the field */
	uint8_t digits;			/* XML_HEX: least number of digits printed */
	bool or_hex;			/* XML_UINT: 0x is accepted too */
	bool required;
	bool may_be_empty;		/* XML_STR: '' is a value; elsewhere it counts as absent */
	bool output_only;		/* read from live documents only; not in inactive ones */
	bool print_zero;		/* XML_UINT: 0 is a value too */
	bool has_flag;
	enum nd_err err;		/* class of a missing or bad value; 0: ND_ERR_XML */
	const char *bad;		/* what a bad value is called; NULL: by the kind */
	uint16_t at, has_at;		/* offsets in the element's struct */
	uint64_t min;			/* XML_UINT */
	uint64_t max;			/* XML_UINT, XML_HEX; 0: what the field holds */
	const char *const *names;	/* XML_ENUM */
	size_t n_names;
	/* Replaces the usual printing; prints the attribute with a blank in front, or nothing. */
	void (*format)(struct xml_out *out, const void *self);
};

struct xml_elem;

struct xml_child {
	const struct xml_elem *elem;
	uint16_t at;			/* the child's struct, or the pointer to the array of them */
	uint16_t n_at;			/* arrays: the size_t that counts them */
	bool array;
	enum nd_err repeat;		/* singles: class when there is a second one; 0: warned */
};

struct xml_elem {
	const char *name;
	const char *ns, *prefix;	/* namespace URI and the prefix it is printed with */
	size_t size;			/* of the struct */
	const struct xml_attr *attrs;
	size_t n_attrs;
	const struct xml_child *children;
	size_t n_children;
	uint16_t line_at;		/* int that takes the line; 0: none */
	bool spread;			/* closing tag on a line of its own even when empty */
	/* Defaults, before anything is read. */
	void (*init)(void *self);
	/* After attributes and children were read: what depends on several of them. */
	int (*check)(struct xml_in *in, const xmlNode *node, void *self);
	/* Replace the usual reading and printing of the whole element. */
	int (*parse)(struct xml_in *in, const xmlNode *node, void *self);
	void (*format)(struct xml_out *out, const void *self);
	/* Whether a single one is printed; NULL: when it has an attribute or a child. */
	bool (*present)(const struct xml_out *out, const void *self);
};

#define XML_FIELD(type, field) \
	.at = offsetof(type, field), .size = sizeof(((type *)0)->field)
#define XML_HAS(type, field) .has_flag = true, .has_at = offsetof(type, field)
#define XML_NAMES(list) .names = (list), .n_names = ND_COUNT(list)
#define XML_ATTRS(rows) .attrs = (rows), .n_attrs = ND_COUNT(rows)
#define XML_CHILDREN(rows) .children = (rows), .n_children = ND_COUNT(rows)
#define XML_ARRAY(type, items, count) \
	.array = true, .at = offsetof(type, items), .n_at = offsetof(type, count)

/* Fills the zeroed struct; on failure the caller still frees what is in it. */
int xml_elem_parse(struct xml_in *in, const struct xml_elem *elem, const xmlNode *node,
		   void *self);

/* Prints the element at out->depth; a single one without content only when present says so. */
void xml_elem_format(struct xml_out *out, const struct xml_elem *elem, const void *self,
		     bool in_array);
/* Pieces for format hooks. */
void xml_out_indent(struct xml_out *out);
void xml_out_attr(struct xml_out *out, const char *name, const char *value);
void xml_out_text(struct xml_out *out, const char *value);
void xml_out_attrs(struct xml_out *out, const struct xml_elem *elem, const void *self);

/* Frees what the struct owns, not the struct; leaves it zeroed. */
void xml_elem_fini(const struct xml_elem *elem, void *self);
/* Deep copy into `to`, which is overwritten. 0 or -ENOMEM, when `to` is zeroed. */
int xml_elem_copy(const struct xml_elem *elem, void *to, const void *from);
/* Same document content; lines and output-only values do not count. */
bool xml_elem_equal(const struct xml_elem *elem, const void *a, const void *b);
