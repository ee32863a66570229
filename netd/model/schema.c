/* SPDX-License-Identifier: GPL-2.0-or-later */
/* schema.c -- documents against their RELAX NG schema, for clients that ask for it */
#include <errno.h>
#include <libxml/relaxng.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "netd/base/str.h"
#include "netd/model/domain.h"
#include "netd/model/nwfilter.h"
#include "netd/model/port.h"
#include "netd/model/xml.h"

#define MAX_COMPLAINTS 5	/* the first ones are the cause, the rest follows from them */

struct complaints {
	struct nd_str text;
	unsigned n;
};

static void on_error(void *data, xmlErrorPtr error)
{
	struct complaints *c = data;
	const char *message = error->message ? error->message : "";

	if (c->n++ >= MAX_COMPLAINTS)
		return;
	if (error->line > 0)
		nd_str_addf(&c->text, "%sline %d: ", c->n > 1 ? "; " : "", error->line);
	nd_str_addn(&c->text, message, strcspn(message, "\n"));
}

static int load_schema(const char *path, xmlRelaxNG **out, struct nd_error *err)
{
	struct complaints c = { 0 };
	xmlRelaxNGParserCtxt *ctxt = xmlRelaxNGNewParserCtxt(path);

	if (!ctxt)
		return nd_error_nomem(err);
	/* libxml2 would name an unreadable file on stderr only. */
	if (access(path, R_OK) < 0) {
		xmlRelaxNGFreeParserCtxt(ctxt);
		return nd_error_sys(err, errno, "cannot read the schema %s", path);
	}
	xmlRelaxNGSetParserStructuredErrors(ctxt, on_error, &c);
	*out = xmlRelaxNGParse(ctxt);
	xmlRelaxNGFreeParserCtxt(ctxt);
	if (!*out)
		nd_error_set(err, ND_ERR_INTERNAL, "cannot read the schema %s: %s", path,
			     c.text.text ? c.text.text : "no reason given");
	nd_str_free(&c.text);
	return *out ? 0 : -EINVAL;
}

static int validate(const xmlRelaxNG *schema, xmlDoc *doc, struct nd_error *err)
{
	struct complaints c = { 0 };
	xmlRelaxNGValidCtxt *ctxt = xmlRelaxNGNewValidCtxt((xmlRelaxNG *)schema);
	int r;

	if (!ctxt)
		return nd_error_nomem(err);
	xmlRelaxNGSetValidStructuredErrors(ctxt, on_error, &c);
	r = xmlRelaxNGValidateDoc(ctxt, doc);
	xmlRelaxNGFreeValidCtxt(ctxt);
	if (r != 0)
		r = nd_error_set(err, ND_ERR_XML_INVALID_SCHEMA, "%s",
				 c.text.text ? c.text.text : "no reason given");
	nd_str_free(&c.text);
	return r;
}

static int check(const char *xml, size_t len, const char *what, const char *dir,
		 const char *file, struct nd_error *err)
{
	ND_AUTO(xmlFreeDoc) xmlDoc *doc = NULL;
	ND_AUTO(free) char *path = NULL;
	xmlRelaxNG *schema = NULL;
	int r = xml_doc_parse(xml, len, what, &doc, err);

	if (r < 0)
		return r;
	if (asprintf(&path, "%s/%s", dir, file) < 0) {
		path = NULL;
		return nd_error_nomem(err);
	}
	r = load_schema(path, &schema, err);
	if (r < 0)
		return r;
	r = validate(schema, doc, err);
	xmlRelaxNGFree(schema);
	return r;
}

int net_def_validate_schema(const char *xml, size_t len, const char *schema_dir,
			    struct nd_error *err)
{
	return check(xml, len, "(network_definition)", schema_dir, "network.rng", err);
}

int port_def_validate_schema(const char *xml, size_t len, const char *schema_dir,
			     struct nd_error *err)
{
	return check(xml, len, "(networkport_definition)", schema_dir, "networkport.rng", err);
}

int nwfilter_def_validate_schema(const char *xml, size_t len, const char *schema_dir,
				 struct nd_error *err)
{
	return check(xml, len, "(nwfilter_definition)", schema_dir, "nwfilter.rng", err);
}

int dom_def_validate_schema(const char *xml, size_t len, const char *schema_dir,
			    struct nd_error *err)
{
	return check(xml, len, "(domain_definition)", schema_dir, "domain.rng", err);
}
