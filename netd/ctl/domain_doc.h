/* SPDX-License-Identifier: GPL-2.0-or-later */
/* domain_doc.h -- a guest's document as a tree: its devices, as the verbs look for them
 *
 * Read without netd's model, since libvirt's daemons describe guests that netd cannot run.
 */
#pragma once
#include "netd/ctl/domain.h"
#include "netd/model/xml.h"

/* flags: DOM_XML_INACTIVE or 0. Free with xmlFreeDoc(). */
int domain_doc_get(struct ctl *ctl, const lv_dom *dom, unsigned flags, xmlDoc **out,
		   struct nd_error *err);
/* The first <element> in <devices>, or the one behind `after`; NULL: no more. Borrowed. */
xmlNode *domain_doc_device(xmlDoc *doc, const char *element, const xmlNode *after);
/* A device's child element; NULL: there is none. */
xmlNode *device_child(const xmlNode *device, const char *element);
/* An attribute of a device's child, which the caller frees; NULL: there is none. */
char *device_value(const xmlNode *device, const char *child, const char *attribute);
/* The first of these attributes of its <source>, in the document's order. names ends with a NULL. */
char *device_source(const xmlNode *device, const char *const *names);
/* The element as text, to be freed; NULL: out of memory. */
char *device_text(const xmlNode *device);

/* How an interface is called: by its MAC, or by the host's device. */
bool interface_is_mac(const char *name);
bool interface_matches(const xmlNode *interface, const char *name);
