/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dns/zone.h"

#include <errno.h>

#include "dns/message.h"
#include "netd/base/array.h"
#include "netd/base/hash.h"

struct lease {
	struct nd_ip ip;
	bool configured;
	bool shown;			/* its names are in the zone */
	struct dns_name name, fqdn;	/* lower case; fqdn.len 0: the zone has no domain */
	struct lease *older, *newer;
};

struct set {
	struct dns_rrset rr;
	struct lease *lease;		/* whose it is; NULL: a record of the configuration */
};

struct node {
	struct set *sets;
	size_t n_sets;
	size_t n_below;			/* names below it, so that it is no NXDOMAIN (RFC 8020) */
	bool apex;			/* of a domain that is answered locally only */
	uint8_t len;
	uint8_t wire[];
};

struct dns_zone {
	struct nd_hash *nodes;		/* by lower-case wire name */
	struct nd_hash *leases;		/* by address bytes */
	struct lease *oldest, *newest;
	struct dns_name *apexes;
	size_t n_apexes;
	struct dns_name domain;		/* len 0: none */
	bool forward_plain_names;
	const struct lease *copied;	/* of another zone: up to here they are in this one */
	size_t dismantled;		/* position in nodes */
};

static struct node *node_find(const struct dns_zone *z, const struct dns_name *name)
{
	return nd_hash_find(z->nodes, name->wire, name->len);
}

static bool below_apex(const struct dns_zone *z, const struct dns_name *name)
{
	for (size_t i = 0; i < z->n_apexes; i++)
		if (dns_name_is_below(name, &z->apexes[i]))
			return true;
	return false;
}

static struct dns_name parent_of(const struct dns_name *name)
{
	struct dns_name up = { .len = (uint8_t)(name->len - 1 - name->wire[0]) };

	memcpy(up.wire, name->wire + 1 + name->wire[0], up.len);
	return up;
}

static struct node *node_get(struct dns_zone *z, const struct dns_name *name);

/* Counts a new name at its parent, up to the apex: elsewhere nothing depends on it. */
static int count_at_parent(struct dns_zone *z, const struct node *child,
			   const struct dns_name *name)
{
	struct dns_name up;
	struct node *parent;

	if (child->apex || name->len <= 1)
		return 0;
	up = parent_of(name);
	if (!below_apex(z, &up))
		return 0;
	parent = node_get(z, &up);
	if (!parent)
		return -ENOMEM;
	parent->n_below++;
	return 0;
}

/* Finds or makes it. A name has at most 127 labels, so the recursion ends. NULL: no memory. */
static struct node *node_get(struct dns_zone *z, const struct dns_name *name)
{
	struct node *n = node_find(z, name);

	if (n)
		return n;
	n = calloc(1, sizeof(*n) + name->len);
	if (!n)
		return NULL;
	n->len = name->len;
	memcpy(n->wire, name->wire, name->len);
	if (nd_hash_set(z->nodes, n->wire, n->len, n) < 0) {
		free(n);
		return NULL;
	}
	if (count_at_parent(z, n, name) < 0) {
		nd_hash_remove(z->nodes, n->wire, n->len);
		free(n);
		return NULL;
	}
	return n;
}

static void node_free(struct node *n)
{
	for (size_t i = 0; i < n->n_sets; i++)
		free(n->sets[i].rr.wire);
	free(n->sets);
	free(n);
}

/* Drops nodes that hold nothing any more, upwards. */
static void node_prune(struct dns_zone *z, struct node *n)
{
	while (n && !n->n_sets && !n->n_below && !n->apex) {
		struct dns_name name = { .len = n->len }, up;
		struct node *parent = NULL;

		memcpy(name.wire, n->wire, n->len);
		if (name.len > 1) {
			up = parent_of(&name);
			if (below_apex(z, &up))
				parent = node_find(z, &up);
		}
		nd_hash_remove(z->nodes, n->wire, n->len);
		node_free(n);
		if (parent)
			parent->n_below--;
		n = parent;
	}
}

static struct set *set_find(struct node *n, uint16_t type)
{
	for (size_t i = 0; i < n->n_sets; i++)
		if (n->sets[i].rr.type == type)
			return &n->sets[i];
	return NULL;
}

/* The same record twice is one (RFC 2181 5). */
static bool set_has(const struct set *s, const uint8_t *record, size_t len)
{
	for (uint32_t i = 0; i < s->rr.len;) {
		uint32_t n = 12u + (s->rr.wire[i + 10] << 8 | s->rr.wire[i + 11]);

		if (n == len && memcmp(s->rr.wire + i, record, len) == 0)
			return true;
		i += n;
	}
	return false;
}

static int record_add(struct dns_zone *z, const struct dns_name *owner, uint16_t type,
		      const uint8_t *rdata, size_t rdata_len, struct lease *lease)
{
	uint8_t record[12 + UINT16_MAX];
	struct wr w = wr_init(record, sizeof(record));
	struct node *n = node_get(z, owner);
	struct set *s;
	uint8_t *wire;

	if (!n)
		return -ENOMEM;
	wr_u16(&w, 0xc000 | DNS_HEADER_LEN);
	wr_u16(&w, type);
	wr_u16(&w, DNS_CLASS_IN);
	wr_u32(&w, 0);
	wr_u16(&w, (uint16_t)rdata_len);
	wr_bytes(&w, rdata, rdata_len);
	s = set_find(n, type);
	if (s && set_has(s, record, wr_len(&w)))
		return 0;
	wire = realloc(s ? s->rr.wire : NULL, (s ? s->rr.len : 0) + wr_len(&w));
	if (wire && s)
		s->rr.wire = wire;
	if (wire && !s) {
		s = nd_array_add(n->sets, n->n_sets);
		if (s)
			*s = (struct set){ .rr = { .type = type, .wire = wire }, .lease = lease };
		else
			free(wire);
	}
	if (!wire || !s) {
		node_prune(z, n);
		return -ENOMEM;
	}
	memcpy(s->rr.wire + s->rr.len, record, wr_len(&w));
	s->rr.len += (uint32_t)wr_len(&w);
	s->rr.count++;
	return 0;
}

/* The set of this type and name, if it is the lease's. */
static void record_remove(struct dns_zone *z, const struct dns_name *owner, uint16_t type,
			  const struct lease *lease)
{
	struct node *n = node_find(z, owner);
	struct set *s = n ? set_find(n, type) : NULL;

	if (!s || s->lease != lease)
		return;
	free(s->rr.wire);
	nd_array_remove(n->sets, n->n_sets, (size_t)(s - n->sets));
	node_prune(z, n);
}

static int apex_add(struct dns_zone *z, const struct dns_name *name)
{
	struct dns_name *a = nd_array_add(z->apexes, z->n_apexes);
	struct node *n;

	if (!a)
		return -ENOMEM;
	*a = *name;
	dns_name_lower(a);
	n = node_get(z, a);
	if (!n)
		return -ENOMEM;
	n->apex = true;
	return 0;
}

static uint16_t address_type(const struct nd_ip *ip)
{
	return ip->family == AF_INET ? DNS_TYPE_A : DNS_TYPE_AAAA;
}

static int address_add(struct dns_zone *z, const struct dns_name *name, const struct nd_ip *ip,
		       struct lease *lease)
{
	size_t len;
	const uint8_t *bytes = nd_ip_bytes(ip, &len);

	return record_add(z, name, address_type(ip), bytes, len, lease);
}

static int ptr_add(struct dns_zone *z, const struct nd_ip *ip, const struct dns_name *target,
		   struct lease *lease)
{
	struct dns_name reverse;
	struct node *n;

	dns_name_reverse(ip, &reverse);
	n = node_find(z, &reverse);
	if (n && set_find(n, DNS_TYPE_PTR))
		return 0;	/* the first name of an address is the canonical one */
	return record_add(z, &reverse, DNS_TYPE_PTR, target->wire, target->len, lease);
}

static int name_error(struct nd_error *err, const char *what, const char *name)
{
	return nd_error_set(err, ND_ERR_CONFIG_UNSUPPORTED,
			    "the DNS %s '%s' is not a domain name (labels of 1 to 63 bytes, 255 in all)",
			    what, name);
}

/* A short name counts with the domain, too. fqdn_out is the name that PTR gives. */
static int host_name_add(struct dns_zone *z, const char *text, const struct nd_ip *ip,
			 struct dns_name *fqdn_out, struct nd_error *err)
{
	struct dns_name name;

	if (!dns_name_parse(text, &name) || name.len == 1)
		return name_error(err, "host", text);
	dns_name_lower(&name);
	if (address_add(z, &name, ip, NULL) < 0)
		return nd_error_nomem(err);
	if (dns_name_labels(&name) == 1 && z->domain.len) {
		if (!dns_name_append(&name, &z->domain))
			return name_error(err, "host", text);
		if (address_add(z, &name, ip, NULL) < 0)
			return nd_error_nomem(err);
	}
	*fqdn_out = name;
	return 0;
}

static int host_add(struct dns_zone *z, const struct dns_host_record *h, struct nd_error *err)
{
	struct dns_name fqdn;

	for (size_t j = 0; j < h->n_names; j++) {
		int r = host_name_add(z, h->names[j], &h->ip, &fqdn, err);

		if (r < 0)
			return r;
		if (j == 0 && ptr_add(z, &h->ip, &fqdn, NULL) < 0)
			return nd_error_nomem(err);
	}
	return 0;
}

static int txt_add(struct dns_zone *z, const struct dns_txt_record *t, struct nd_error *err)
{
	uint8_t rdata[UINT16_MAX];
	struct wr w = wr_init(rdata, sizeof(rdata));
	struct dns_name name;

	if (!dns_name_parse(t->name, &name))
		return name_error(err, "TXT record's name", t->name);
	dns_name_lower(&name);
	for (const char *part = t->value;; part++) {
		size_t len = strcspn(part, ",");

		if (len > 255)
			return nd_error_set(err, ND_ERR_CONFIG_UNSUPPORTED,
					    "a string of the DNS TXT record '%s' has %zu bytes; at most 255 fit",
					    t->name, len);
		wr_u8(&w, (uint8_t)len);
		wr_bytes(&w, part, len);
		part += len;
		if (!*part)
			break;
	}
	if (w.full)
		return nd_error_set(err, ND_ERR_CONFIG_UNSUPPORTED,
				    "the DNS TXT record '%s' is longer than 65535 bytes", t->name);
	if (record_add(z, &name, DNS_TYPE_TXT, rdata, wr_len(&w), NULL) < 0)
		return nd_error_nomem(err);
	return 0;
}

static int srv_add(struct dns_zone *z, const struct dns_srv_record *s, struct nd_error *err)
{
	uint8_t rdata[6 + DNS_NAME_MAX];
	struct wr w = wr_init(rdata, sizeof(rdata));
	struct dns_name owner, target;

	if (!dns_name_parse(s->owner, &owner))
		return name_error(err, "SRV record's name", s->owner);
	if (!dns_name_parse(s->target ? s->target : "", &target))
		return name_error(err, "SRV record's target", s->target);
	dns_name_lower(&owner);
	/* RFC 2782: a root target says that the service is not there. */
	wr_u16(&w, target.len > 1 ? s->priority : 0);
	wr_u16(&w, target.len > 1 ? s->weight : 0);
	wr_u16(&w, target.len > 1 && s->port ? s->port : 1);
	wr_bytes(&w, target.wire, target.len);
	if (record_add(z, &owner, DNS_TYPE_SRV, rdata, wr_len(&w), NULL) < 0)
		return nd_error_nomem(err);
	return 0;
}

/* localhost is this host's to answer, the others exist nowhere (RFC 6761 6.3, 6.4; RFC 7686 2). */
static int special_names_add(struct dns_zone *z)
{
	static const char *const names[] = { "localhost", "invalid", "onion" };
	struct nd_ip loopback4 = nd_ip_from4((struct in_addr){ htonl(INADDR_LOOPBACK) });
	struct nd_ip loopback6 = nd_ip_from6((struct in6_addr)IN6ADDR_LOOPBACK_INIT);
	struct dns_name name;

	for (size_t i = 0; i < ND_COUNT(names); i++)
		if (!dns_name_parse(names[i], &name) || apex_add(z, &name) < 0)
			return -ENOMEM;
	(void)dns_name_parse(names[0], &name);	/* succeeded above */
	if (address_add(z, &name, &loopback4, NULL) < 0 ||
	    address_add(z, &name, &loopback6, NULL) < 0)
		return -ENOMEM;
	return 0;
}

static int domains_add(struct dns_zone *z, const struct dns_config *c, struct nd_error *err)
{
	if (c->domain && (!dns_name_parse(c->domain, &z->domain) || z->domain.len == 1))
		return name_error(err, "domain", c->domain);
	dns_name_lower(&z->domain);
	if (special_names_add(z) < 0)
		return nd_error_nomem(err);
	if (z->domain.len && c->local_only && apex_add(z, &z->domain) < 0)
		return nd_error_nomem(err);
	for (size_t i = 0; i < c->n_local_ptr; i++) {
		struct dns_name zone;

		dns_name_reverse_zone(&c->local_ptr[i], &zone);
		if (apex_add(z, &zone) < 0)
			return nd_error_nomem(err);
	}
	return 0;
}

int dns_zone_begin(const struct dns_config *config, struct dns_zone **out, struct nd_error *err)
{
	ND_AUTO(dns_zone_free) struct dns_zone *z = calloc(1, sizeof(*z));
	int r;

	if (!z)
		return nd_error_nomem(err);
	z->nodes = nd_hash_new();
	z->leases = nd_hash_new();
	if (!z->nodes || !z->leases)
		return nd_error_nomem(err);
	z->forward_plain_names = config->forward_plain_names;
	r = domains_add(z, config, err);
	if (r < 0)
		return r;
	*out = nd_take_ptr(&z);
	return 0;
}

static int record_fill(struct dns_zone *z, const struct dns_config *c, size_t i,
		       struct nd_error *err)
{
	if (i < c->n_hosts)
		return host_add(z, &c->hosts[i], err);
	i -= c->n_hosts;
	if (i < c->n_txts)
		return txt_add(z, &c->txts[i], err);
	return srv_add(z, &c->srvs[i - c->n_txts], err);
}

int dns_zone_fill(struct dns_zone *z, const struct dns_config *config, size_t *at, size_t n,
		  struct nd_error *err)
{
	size_t all = config->n_hosts + config->n_txts + config->n_srvs;

	for (; *at < all && n > 0; (*at)++, n--) {
		int r = record_fill(z, config, *at, err);

		if (r < 0)
			return r;
	}
	return *at < all;
}

int dns_zone_new(const struct dns_config *config, struct dns_zone **out, struct nd_error *err)
{
	ND_AUTO(dns_zone_free) struct dns_zone *z = NULL;
	size_t at = 0;
	int r = dns_zone_begin(config, &z, err);

	if (r == 0)
		r = dns_zone_fill(z, config, &at, SIZE_MAX, err);
	if (r < 0)
		return r;
	*out = nd_take_ptr(&z);
	return 0;
}

bool dns_zone_dismantle(struct dns_zone *z, size_t n)
{
	struct node *node = NULL;

	for (; n > 0 && (node = nd_hash_next(z->nodes, &z->dismantled)); n--)
		node_free(node);
	return node;
}

void dns_zone_free(struct dns_zone *z)
{
	if (!z)
		return;
	while (z->nodes && dns_zone_dismantle(z, SIZE_MAX))
		;
	while (z->oldest) {
		struct lease *next = z->oldest->newer;

		free(z->oldest);
		z->oldest = next;
	}
	nd_hash_free(z->nodes);
	nd_hash_free(z->leases);
	free(z->apexes);
	free(z);
}

enum dns_zone_result dns_zone_find(const struct dns_zone *z, const struct dns_name *name,
				   uint16_t type, const struct dns_rrset **rrset_out)
{
	const struct node *n = node_find(z, name);

	if (n && n->n_sets) {
		for (size_t i = 0; i < n->n_sets; i++)
			if (n->sets[i].rr.type == type || type == DNS_TYPE_ANY) {
				*rrset_out = &n->sets[i].rr;
				return DNS_ZONE_FOUND;
			}
		return DNS_ZONE_NODATA;
	}
	/* A node without records is an apex or has names below it. */
	if (below_apex(z, name))
		return n ? DNS_ZONE_NODATA : DNS_ZONE_NXDOMAIN;
	if (!z->forward_plain_names && name->len > 1 && name->len == name->wire[0] + 2)
		return DNS_ZONE_NXDOMAIN;
	return DNS_ZONE_UNKNOWN;
}

/* Takes the lease's names out of the zone; the lease itself stays known. */
static void lease_hide(struct dns_zone *z, struct lease *l)
{
	struct dns_name reverse;

	record_remove(z, &l->name, address_type(&l->ip), l);
	if (l->fqdn.len)
		record_remove(z, &l->fqdn, address_type(&l->ip), l);
	dns_name_reverse(&l->ip, &reverse);
	record_remove(z, &reverse, DNS_TYPE_PTR, l);
	l->shown = false;
}

/* Who has the name for addresses of this family: nobody, or a lease that gives way. */
static bool name_is_free(struct dns_zone *z, const struct dns_name *name, const struct lease *l,
			 struct lease **holder_out)
{
	struct node *n = node_find(z, name);
	struct set *s = n ? set_find(n, address_type(&l->ip)) : NULL;

	*holder_out = s ? s->lease : NULL;
	return !s || (s->lease && (l->configured || !s->lease->configured));
}

static enum dns_lease_result lease_show(struct dns_zone *z, struct lease *l)
{
	struct lease *holder, *fqdn_holder = NULL;
	struct dns_name reverse;
	struct node *n;

	dns_name_reverse(&l->ip, &reverse);
	n = node_find(z, &reverse);
	if (n && set_find(n, DNS_TYPE_PTR))
		return DNS_LEASE_HOST_NAMED;
	if (!name_is_free(z, &l->name, l, &holder) ||
	    (l->fqdn.len && !name_is_free(z, &l->fqdn, l, &fqdn_holder)))
		return DNS_LEASE_NAME_TAKEN;
	if (holder)
		lease_hide(z, holder);
	if (fqdn_holder && fqdn_holder != holder)
		lease_hide(z, fqdn_holder);
	if (address_add(z, &l->name, &l->ip, l) < 0 ||
	    (l->fqdn.len && address_add(z, &l->fqdn, &l->ip, l) < 0) ||
	    ptr_add(z, &l->ip, l->fqdn.len ? &l->fqdn : &l->name, l) < 0) {
		lease_hide(z, l);
		return DNS_LEASE_NO_MEMORY;
	}
	l->shown = true;
	return DNS_LEASE_ADDED;
}

/* The first label of what the client sent, if a host may be called so (RFC 952, 1123 2.1; '_' is
 * common and harmless). */
static bool lease_name_parse(const char *text, struct dns_name *out)
{
	size_t len = strcspn(text, ".");

	if (len == 0 || len > DNS_LABEL_MAX)
		return false;
	out->wire[0] = (uint8_t)len;
	for (size_t i = 0; i < len; i++) {
		uint8_t c = dns_lower((uint8_t)text[i]);

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '_')
			return false;
		out->wire[i + 1] = c;
	}
	out->wire[len + 1] = 0;
	out->len = (uint8_t)(len + 2);
	return true;
}

/* Names that other guests ask for by themselves and would trust: only the network's owner gives them
 * out (CERT VU#598349; RFC 5214 8.3.1). */
static bool name_is_bait(const struct dns_name *name)
{
	return (name->len == 6 && memcmp(name->wire, "\4wpad", 6) == 0) ||
	       (name->len == 8 && memcmp(name->wire, "\6isatap", 8) == 0);
}

static struct lease *lease_find(const struct dns_zone *z, const struct nd_ip *ip)
{
	size_t len;
	const uint8_t *bytes = nd_ip_bytes(ip, &len);

	return nd_hash_find(z->leases, bytes, len);
}

static struct lease *lease_new(struct dns_zone *z, const struct dns_name *name,
			       const struct nd_ip *ip, bool configured)
{
	struct lease *l = calloc(1, sizeof(*l));
	const uint8_t *bytes;
	size_t len;

	if (!l)
		return NULL;
	l->ip = *ip;
	l->configured = configured;
	l->name = *name;
	if (z->domain.len) {
		l->fqdn = *name;
		if (!dns_name_append(&l->fqdn, &z->domain))
			l->fqdn.len = 0;	/* the short name is still good */
	}
	bytes = nd_ip_bytes(&l->ip, &len);
	if (nd_hash_set(z->leases, bytes, len, l) < 0) {
		free(l);
		return NULL;
	}
	l->older = z->newest;
	*(z->newest ? &z->newest->newer : &z->oldest) = l;
	z->newest = l;
	return l;
}

enum dns_lease_result dns_zone_lease_add(struct dns_zone *z, const char *name,
					 const struct nd_ip *ip, bool configured)
{
	struct lease *l = lease_find(z, ip);
	struct dns_name wire;

	if (!lease_name_parse(name, &wire) || (!configured && name_is_bait(&wire))) {
		dns_zone_lease_remove(z, ip);
		return DNS_LEASE_BAD_NAME;
	}
	if (l && l->shown && l->configured == configured && dns_name_equal(&l->name, &wire))
		return DNS_LEASE_ADDED;
	dns_zone_lease_remove(z, ip);
	l = lease_new(z, &wire, ip, configured);
	return l ? lease_show(z, l) : DNS_LEASE_NO_MEMORY;
}

void dns_zone_lease_remove(struct dns_zone *z, const struct nd_ip *ip)
{
	struct lease *l = lease_find(z, ip);
	const uint8_t *bytes;
	size_t len;

	if (!l)
		return;
	if (l->shown)
		lease_hide(z, l);
	bytes = nd_ip_bytes(&l->ip, &len);
	nd_hash_remove(z->leases, bytes, len);
	*(l->older ? &l->older->newer : &z->oldest) = l->newer;
	*(l->newer ? &l->newer->older : &z->newest) = l->older;
	free(l);
}

int dns_zone_lease_copy(struct dns_zone *to, const struct dns_zone *from, size_t n)
{
	const struct lease *l = to->copied ? to->copied->newer : from->oldest;

	for (; l && n > 0; l = l->newer, n--) {
		struct lease *copy = lease_new(to, &l->name, &l->ip, l->configured);

		if (!copy || lease_show(to, copy) == DNS_LEASE_NO_MEMORY)
			return -ENOMEM;
		to->copied = l;
	}
	return l != NULL;
}
