/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dns/zone.h"

#include <errno.h>

#include "dns/message.h"
#include "netd/base/auto.h"
#include "netd/base/hash.h"

struct lease {
	struct nd_ip ip;
	bool configured;
	bool shown;			/* its names are in the zone */
	struct dns_name name, fqdn;	/* lower case; fqdn.len 0: the zone has no domain */
	struct lease *older, *newer;
};

struct dns_zone {
	struct dns_names names;
	struct nd_hash *leases;		/* by address bytes */
	struct lease *oldest, *newest;
	struct dns_name domain;		/* len 0: none */
	bool forward_plain_names;
	const struct lease *copied;	/* of another zone: up to here they are in this one */
};

static uint16_t address_type(const struct nd_ip *ip)
{
	return ip->family == AF_INET ? DNS_TYPE_A : DNS_TYPE_AAAA;
}

static int address_add(struct dns_zone *z, const struct dns_name *name, const struct nd_ip *ip,
		       struct lease *lease)
{
	size_t len;
	const uint8_t *bytes = nd_ip_bytes(ip, &len);

	return dns_names_add(&z->names, name, address_type(ip), bytes, len, lease);
}

static int ptr_add(struct dns_zone *z, const struct nd_ip *ip, const struct dns_name *target,
		   struct lease *lease)
{
	struct dns_name reverse;
	void *holder;

	dns_name_reverse(ip, &reverse);
	if (dns_names_holder(&z->names, &reverse, DNS_TYPE_PTR, &holder))
		return 0;	/* the first name of an address is the canonical one */
	return dns_names_add(&z->names, &reverse, DNS_TYPE_PTR, target->wire, target->len, lease);
}

static int name_error(struct nd_error *err, const char *what, const char *name)
{
	return nd_error_set(err, ND_ERR_CONFIG_UNSUPPORTED,
			    "the DNS %s '%s' is not a domain name (labels of 1 to 63 bytes, 255 in "
			    "all)", what, name);
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
					    "a string of the DNS TXT record '%s' has %zu bytes; at "
					    "most 255 fit", t->name, len);
		wr_u8(&w, (uint8_t)len);
		wr_bytes(&w, part, len);
		part += len;
		if (!*part)
			break;
	}
	if (w.full)
		return nd_error_set(err, ND_ERR_CONFIG_UNSUPPORTED,
				    "the DNS TXT record '%s' is longer than 65535 bytes", t->name);
	if (dns_names_add(&z->names, &name, DNS_TYPE_TXT, rdata, wr_len(&w), NULL) < 0)
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
	if (dns_names_add(&z->names, &owner, DNS_TYPE_SRV, rdata, wr_len(&w), NULL) < 0)
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
		if (!dns_name_parse(names[i], &name) || dns_names_add_apex(&z->names, &name) < 0)
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
	if (z->domain.len && c->local_only && dns_names_add_apex(&z->names, &z->domain) < 0)
		return nd_error_nomem(err);
	for (size_t i = 0; i < c->n_local_ptr; i++) {
		struct dns_name zone;

		dns_name_reverse_zone(&c->local_ptr[i], &zone);
		if (dns_names_add_apex(&z->names, &zone) < 0)
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
	z->leases = nd_hash_new();
	if (dns_names_init(&z->names) < 0 || !z->leases)
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
	return dns_names_dismantle(&z->names, n);
}

void dns_zone_free(struct dns_zone *z)
{
	if (!z)
		return;
	while (z->oldest) {
		struct lease *next = z->oldest->newer;

		free(z->oldest);
		z->oldest = next;
	}
	nd_hash_free(z->leases);
	dns_names_fini(&z->names);
	free(z);
}

enum dns_zone_result dns_zone_find(const struct dns_zone *z, const struct dns_name *name,
				   uint16_t type, const struct dns_rrset **rrset_out)
{
	enum dns_names_result found = dns_names_find(&z->names, name, type, rrset_out);

	if (found == DNS_NAMES_FOUND)
		return DNS_ZONE_FOUND;
	if (found == DNS_NAMES_OTHER)
		return DNS_ZONE_NODATA;
	if (dns_names_below_apex(&z->names, name))
		return found == DNS_NAMES_BARE ? DNS_ZONE_NODATA : DNS_ZONE_NXDOMAIN;
	if (!z->forward_plain_names && name->len > 1 && name->len == name->wire[0] + 2)
		return DNS_ZONE_NXDOMAIN;
	return DNS_ZONE_UNKNOWN;
}

/* Takes the lease's names out of the zone; the lease itself stays known. */
static void lease_hide(struct dns_zone *z, struct lease *l)
{
	struct dns_name reverse;

	dns_names_remove(&z->names, &l->name, address_type(&l->ip), l);
	if (l->fqdn.len)
		dns_names_remove(&z->names, &l->fqdn, address_type(&l->ip), l);
	dns_name_reverse(&l->ip, &reverse);
	dns_names_remove(&z->names, &reverse, DNS_TYPE_PTR, l);
	l->shown = false;
}

/* Who has the name for addresses of this family: nobody, or a lease that gives way. */
static bool name_is_free(struct dns_zone *z, const struct dns_name *name, const struct lease *l,
			 struct lease **holder_out)
{
	void *found = NULL;
	bool taken = dns_names_holder(&z->names, name, address_type(&l->ip), &found);
	struct lease *holder = *holder_out = found;

	return !taken || (holder && (l->configured || !holder->configured));
}

static enum dns_lease_result lease_show(struct dns_zone *z, struct lease *l)
{
	struct lease *holder, *fqdn_holder = NULL;
	struct dns_name reverse;
	void *ptr_holder;

	dns_name_reverse(&l->ip, &reverse);
	if (dns_names_holder(&z->names, &reverse, DNS_TYPE_PTR, &ptr_holder))
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
