/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/model/xml.h"

#include <libxml/parser.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netd/base/array.h"
#include "netd/base/str.h"
#include "netd/model/network.h"

/* The longest piece of a faulty line that is shown. */
#define EXCERPT_BYTES 120

#define ATTRIBUTES_MAX 256

/* The first complaint of one parse. */
struct complaint {
	const char *xml;
	size_t len;
	const char *what;
	struct nd_error *err;
	bool made;
};

static bool utf8_continues(unsigned char c)
{
	return (c & 0xc0) == 0x80;
}

/* Cuts [*start, *end) down to EXCERPT_BYTES around at, never inside a character. */
static void clip(const struct complaint *c, size_t *start, size_t *end, size_t at)
{
	size_t from = *start, to = *end;

	if (to - from <= EXCERPT_BYTES)
		return;
	if (at - from > EXCERPT_BYTES / 2)
		from = at - EXCERPT_BYTES / 2;
	if (to - from > EXCERPT_BYTES)
		to = from + EXCERPT_BYTES;
	while (from < to && utf8_continues((unsigned char)c->xml[from]))
		from++;
	while (to > from && to < c->len && utf8_continues((unsigned char)c->xml[to]))
		to--;
	*start = from;
	*end = to;
}

/* "WHAT:LINE: REASON", the line, and dashes with a caret under the byte at `at`. */
static void complain(struct complaint *c, int line, const char *reason, size_t at)
{
	size_t start, end, place = at < c->len ? at : c->len;
	ND_AUTO(nd_str_free) struct nd_str caret = { 0 };

	if (c->made)
		return;
	c->made = true;
	/* An error at a line's end belongs to that line, not to the next. */
	at = place;
	while (at > 0 && (at == c->len || c->xml[at] == '\n' || c->xml[at] == '\r'))
		at--;
	for (start = at; start > 0 && c->xml[start - 1] != '\n' && c->xml[start - 1] != '\r';)
		start--;
	for (end = at; end < c->len && c->xml[end] != '\n' && c->xml[end] != '\r' && c->xml[end];)
		end++;
	clip(c, &start, &end, at);
	if (place > end)
		place = end;
	for (at = start; at < place; at++)
		if (!utf8_continues((unsigned char)c->xml[at]))
			nd_str_add(&caret, "-");
	nd_str_add(&caret, "^");
	nd_error_set(c->err, ND_ERR_XML_DETAIL, "%s:%d: %.*s\n%.*s\n%s", c->what, line,
		     (int)strcspn(reason, "\n"), reason, (int)(end - start), c->xml + start,
		     caret.failed ? "^" : caret.text);
}

static size_t position(const xmlParserCtxt *ctxt, const struct complaint *c)
{
	long at = xmlByteConsumed((xmlParserCtxt *)ctxt);

	return at < 0 ? c->len : (size_t)at;
}

static void on_error(void *data, xmlErrorPtr error)
{
	xmlParserCtxt *ctxt = data;
	struct complaint *c = ctxt->_private;

	if (error->level < XML_ERR_ERROR)
		return;
	complain(c, error->line, error->message ? error->message : "unknown error",
		 position(ctxt, c));
}

/* libxml2 calls this at "<!DOCTYPE NAME": before any entity can be declared. */
static void on_doctype(void *data, const xmlChar *name, const xmlChar *external,
		       const xmlChar *system)
{
	xmlParserCtxt *ctxt = data;
	struct complaint *c = ctxt->_private;

	complain(c, ctxt->input->line, "document type declarations are not accepted",
		 position(ctxt, c));
	xmlStopParser(ctxt);
}

/* The place after the mark, or the end. */
static const char *skip_past(const char *at, const char *end, const char *mark)
{
	const char *found = memmem(at, (size_t)(end - at), mark, strlen(mark));

	return found ? found + strlen(mark) : end;
}

/* Counts the quoted values up to the tag's end, where *at is then. */
static unsigned count_attributes(const char **at, const char *end)
{
	const char *p = *at;
	unsigned n = 0;

	while (p < end && *p != '>') {
		if (*p == '"' || *p == '\'') {
			const char *quote = memchr(p + 1, *p, (size_t)(end - p - 1));

			p = quote ? quote : end - 1;
			n++;
		}
		p++;
	}
	*at = p;
	return n;
}

/*
 * The first tag with more than ATTRIBUTES_MAX attributes, or NULL. libxml2 compares each attribute
 * of a tag with all before: minutes for one that fills a document.
 */
static const char *find_long_tag(const char *xml, size_t len)
{
	const char *end = xml + len, *at = xml, *tag;

	while ((tag = memchr(at, '<', (size_t)(end - at)))) {
		size_t left = (size_t)(end - tag);

		at = tag + 1;
		if (left >= 4 && memcmp(tag, "<!--", 4) == 0)
			at = skip_past(at, end, "-->");
		else if (left >= 9 && memcmp(tag, "<![CDATA[", 9) == 0)
			at = skip_past(at, end, "]]>");
		else if (left >= 2 && tag[1] == '?')
			at = skip_past(at, end, "?>");
		else if (count_attributes(&at, end) > ATTRIBUTES_MAX)
			return tag;
	}
	return NULL;
}

static int check_input(const char *xml, size_t len, const char *what, struct nd_error *err)
{
	const char *tag;

	if (len > NET_XML_MAX_BYTES)
		return nd_error_set(err, ND_ERR_XML_DETAIL,
				    "%s: the document has %zu bytes, more than %d", what, len,
				    NET_XML_MAX_BYTES);
	if (memchr(xml, 0, len))
		return nd_error_set(err, ND_ERR_XML_DETAIL,
				    "%s: the document has a zero byte", what);
	tag = find_long_tag(xml, len);
	if (tag)
		return nd_error_set(err, ND_ERR_XML_DETAIL,
				    "%s: the tag that begins with '%.40s' has more than %d attributes",
				    what, tag, ATTRIBUTES_MAX);
	return 0;
}

int xml_doc_parse(const char *xml, size_t len, const char *what, xmlDoc **out,
		  struct nd_error *err)
{
	struct complaint c = { .xml = xml, .len = len, .what = what, .err = err };
	xmlParserCtxt *ctxt;
	xmlDoc *doc;
	int r = check_input(xml, len, what, err);

	if (r < 0)
		return r;
	ctxt = xmlNewParserCtxt();
	if (!ctxt)
		return nd_error_nomem(err);
	ctxt->_private = &c;
	ctxt->sax->serror = on_error;
	ctxt->sax->internalSubset = on_doctype;
	/* Without XML_PARSE_HUGE libxml2 bounds depth (256), names and text by itself. */
	doc = xmlCtxtReadMemory(ctxt, xml, (int)len, NULL, NULL,
				XML_PARSE_NONET | XML_PARSE_NOBLANKS | XML_PARSE_BIG_LINES);
	if (!doc || !ctxt->wellFormed || c.made) {
		if (!c.made)
			complain(&c, 1, "not a document", 0);
		xmlFreeDoc(doc);
		xmlFreeParserCtxt(ctxt);
		return -EINVAL;
	}
	xmlFreeParserCtxt(ctxt);
	*out = doc;
	return 0;
}

/* VIR_FROM_XML: clients see whether a document is of another kind altogether. */
enum { XML_ERROR_DOMAIN = 5 };

int xml_doc_root(xmlDoc *doc, const char *name, xmlNode **out, struct nd_error *err)
{
	xmlNode *root = xmlDocGetRootElement(doc);

	if (!root || !nd_streq((const char *)root->name, name)) {
		nd_error_set(err, ND_ERR_XML, "expecting root element of '%s', not '%.100s'", name,
			     root ? (const char *)root->name : "");
		if (err)
			err->domain = XML_ERROR_DOMAIN;
		return -EINVAL;
	}
	*out = root;
	return 0;
}

/* Prints "<PREFIX:NAME> (line N)" into buf. */
static void name_node(const xmlNode *node, char *buf, size_t size)
{
	const char *prefix = node->ns ? (const char *)node->ns->prefix : NULL;

	snprintf(buf, size, "<%.60s%s%.100s> (line %ld)", prefix ? prefix : "", prefix ? ":" : "",
		 (const char *)node->name, xmlGetLineNo(node));
}

int xml_fail(struct xml_in *in, const xmlNode *node, enum nd_err kind, const char *fmt, ...)
{
	char where[200], text[768];
	va_list ap;

	name_node(node, where, sizeof(where));
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return nd_error_set(in->err, kind, "%s: %s", where, text);
}

int xml_fail_at(struct nd_error *err, const char *element, int line, enum nd_err kind,
		const char *fmt, ...)
{
	char text[768];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (line)
		return nd_error_set(err, kind, "<%s> (line %d): %s", element, line, text);
	return nd_error_set(err, kind, "<%s>: %s", element, text);
}

static void add_warning(struct xml_warnings *w, const char *where, const char *text)
{
	char *line, **slot;

	if (!w || w->n == XML_MAX_WARNINGS)
		return;
	if (w->n == XML_MAX_WARNINGS - 1)
		text = "and more after this one is ignored";
	/* A warning that finds no memory is not worth failing a parse that works. */
	if (asprintf(&line, "%s: %s", where, text) < 0)
		return;
	slot = nd_array_add(w->lines, w->n);
	if (slot)
		*slot = line;
	else
		free(line);
}

void xml_warn(struct xml_in *in, const xmlNode *node, const char *fmt, ...)
{
	char where[200], text[400];
	va_list ap;

	name_node(node, where, sizeof(where));
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	add_warning(in->warnings, where, text);
}

void xml_warn_at(struct xml_in *in, const char *element, int line, const char *sentence)
{
	char where[100];

	snprintf(where, sizeof(where), "<%s> (line %d)", element, line);
	add_warning(in->warnings, where, sentence);
}

void xml_warnings_fini(struct xml_warnings *w)
{
	while (w->n)
		free(w->lines[--w->n]);
	free(w->lines);
	*w = (struct xml_warnings){ 0 };
}

char *xml_prop(const xmlNode *node, const char *name)
{
	xmlChar *value = xmlGetNoNsProp(node, (const xmlChar *)name);
	char *text = value ? strdup((const char *)value) : NULL;

	xmlFree(value);
	return text;
}
