/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "datapath/nft_layout.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netd/base/str.h"

#define IFNAME NFT_FIELD_IFNAME
#define ADDR NFT_FIELD_ADDR

const struct nft_class_desc nft_classes[NFT_CLASSES] = {
	[NFT_CROSS]	= { "cross",	{ IFNAME, IFNAME },	.by_family = true },
	[NFT_JUDGED]	= { "judged",	{ IFNAME },		.by_family = true },
	[NFT_LIMITED]	= { "limited",	{ IFNAME },		.by_family = true },
	[NFT_UPLINK]	= { "uplink",	{ IFNAME, IFNAME },	.by_family = true },
	[NFT_ROUTE]	= { "route",	{ IFNAME, ADDR },	.by_family = true, .by_len = true },
	[NFT_NAT]	= { "nat",	{ IFNAME, ADDR },	.by_family = true, .by_len = true },
	[NFT_SAME]	= { "same",	{ ADDR, ADDR },		.by_family = true, .by_len = true },
	[NFT_SNAT]	= { "snat",	{ ADDR },		.by_family = true, .by_len = true,
			    .is_map = true },
	[NFT_SNAT_DEV]	= { "snatdev",	{ ADDR, IFNAME },	.by_family = true, .by_len = true,
			    .is_map = true },
	[NFT_MASQ]	= { "masq",	{ ADDR },		.by_family = true, .by_len = true },
	[NFT_MASQ_DEV]	= { "masqdev",	{ ADDR, IFNAME },	.by_family = true, .by_len = true },
	[NFT_HOMES]	= { "homes",	{ NFT_FIELD_WAY_BACK } },
	[NFT_DHCP]	= { "dhcp",	{ IFNAME } },
	[NFT_SERVE_UID]	= { "serve_uid", { NFT_FIELD_UID } },
	[NFT_SERVE]	= { "serve",	{ NFT_FIELD_UID, ADDR, NFT_FIELD_PORT },
			    .by_family = true },
};

char *nft_set_name(const struct nft_set_id *id, char *buf)
{
	const struct nft_class_desc *c = &nft_classes[id->class];

	if (c->by_len)
		snprintf(buf, 32, "%s%d_%u", c->name, id->v6 ? 6 : 4, id->prefix_len);
	else if (c->by_family)
		snprintf(buf, 32, "%s%d", c->name, id->v6 ? 6 : 4);
	else
		snprintf(buf, 32, "%s", c->name);
	return buf;
}

/* What follows the class' name: "", "4" or "4_24". */
static bool suffix_parse(const char *text, enum nft_class class, struct nft_set_id *out)
{
	const struct nft_class_desc *c = &nft_classes[class];
	struct nft_set_id id = { .class = class };
	uint64_t len;

	if (c->by_family) {
		if (*text != '4' && *text != '6')
			return false;
		id.v6 = *text++ == '6';
	}
	if (c->by_len) {
		if (*text++ != '_' || !nd_parse_uint(text, 10, 0, id.v6 ? 128 : 32, &len))
			return false;
		id.prefix_len = (uint8_t)len;
	} else if (*text) {
		return false;
	}
	*out = id;
	return true;
}

bool nft_set_id_parse(const char *name, struct nft_set_id *out)
{
	for (unsigned i = 0; i < NFT_CLASSES; i++) {
		size_t n = strlen(nft_classes[i].name);

		if (strncmp(name, nft_classes[i].name, n) == 0 && suffix_parse(name + n, i, out))
			return true;
	}
	return false;
}

static unsigned field_len(enum nft_field field, bool v6)
{
	switch (field) {
	case NFT_FIELD_IFNAME:
	case NFT_FIELD_WAY_BACK:
		return IFNAMSIZ;
	case NFT_FIELD_ADDR:
		return v6 ? 16 : 4;
	case NFT_FIELD_UID:
	case NFT_FIELD_PORT:
		return 4;
	case NFT_FIELD_NONE:
		break;
	}
	return 0;
}

unsigned nft_set_key_len(const struct nft_set_id *id)
{
	unsigned len = 0;

	for (unsigned i = 0; i < ND_COUNT(nft_classes[id->class].fields); i++)
		len += field_len(nft_classes[id->class].fields[i], id->v6);
	return len;
}

static void field_put(uint8_t *to, enum nft_field field, const struct nft_elem_fields *f,
		      const char *ifname, const struct nd_ip *ip)
{
	uint16_t port = htons(f->port);
	const uint8_t *bytes;
	size_t n;

	switch (field) {
	case NFT_FIELD_IFNAME:
	case NFT_FIELD_WAY_BACK:
		memcpy(to, ifname, strnlen(ifname, IFNAMSIZ - 1));
		break;
	case NFT_FIELD_ADDR:
		bytes = nd_ip_bytes(ip, &n);
		memcpy(to, bytes, n);
		break;
	case NFT_FIELD_UID:
		memcpy(to, &f->uid, sizeof(f->uid));	/* host order, as meta skuid loads it */
		break;
	case NFT_FIELD_PORT:
		memcpy(to, &port, sizeof(port));
		break;
	case NFT_FIELD_NONE:
		break;
	}
}

int nft_plan_elem(struct plan *p, enum nft_class class, bool v6, const struct nft_elem_fields *f)
{
	const struct nft_class_desc *c = &nft_classes[class];
	struct nft_set_id id = { .class = class, .v6 = v6 && c->by_family };
	struct nd_prefix masked = nd_prefix_masked(&f->subnet);
	struct plan_item *item = plan_add(p, PLAN_NFT_ELEM);
	struct plan_nft_elem *e;
	unsigned names = 0;

	if (!item)
		return -ENOMEM;
	e = &item->nft_elem;
	if (c->by_len)
		id.prefix_len = f->subnet.len;
	nft_set_name(&id, e->set);
	for (unsigned i = 0; i < ND_COUNT(c->fields); i++) {
		bool named = c->fields[i] == NFT_FIELD_IFNAME || c->fields[i] == NFT_FIELD_WAY_BACK;
		const char *ifname = named ? f->ifname[names++] : NULL;

		field_put(e->key + e->key_len, c->fields[i], f, ifname,
			  c->by_len ? &masked.addr : &f->addr);
		e->key_len += field_len(c->fields[i], id.v6);
	}
	if (c->is_map)
		snprintf(e->goto_chain, sizeof(e->goto_chain), "%s", f->goto_chain);
	return 0;
}

static void field_format(const uint8_t *at, enum nft_field field, bool v6, char *buf)
{
	struct nd_ip ip = { .family = v6 ? AF_INET6 : AF_INET };
	uint32_t uid;

	switch (field) {
	case NFT_FIELD_IFNAME:
	case NFT_FIELD_WAY_BACK:
		snprintf(buf, ND_IP_STRLEN, "%.*s", IFNAMSIZ - 1, (const char *)at);
		break;
	case NFT_FIELD_ADDR:
		if (v6)
			memcpy(&ip.v6, at, 16);
		else
			memcpy(&ip.v4, at, 4);
		nd_ip_format(&ip, buf);
		break;
	case NFT_FIELD_UID:
		memcpy(&uid, at, sizeof(uid));
		snprintf(buf, ND_IP_STRLEN, "%u", uid);
		break;
	case NFT_FIELD_PORT:
		snprintf(buf, ND_IP_STRLEN, "%u", at[0] << 8 | at[1]);
		break;
	case NFT_FIELD_NONE:
		buf[0] = '\0';
	}
}

char *nft_elem_format(const struct plan_nft_elem *e, char *buf)
{
	const struct nft_class_desc *c;
	struct nft_set_id id;
	unsigned at = 0;
	char *p = buf;

	buf[0] = '\0';
	if (!nft_set_id_parse(e->set, &id) || nft_set_key_len(&id) != e->key_len) {
		for (unsigned i = 0; i < e->key_len && i < PLAN_NFT_KEY_MAX; i++)
			p += sprintf(p, "%02x", e->key[i]);
		return buf;
	}
	c = &nft_classes[id.class];
	for (unsigned i = 0; i < ND_COUNT(c->fields) && c->fields[i]; i++) {
		char text[ND_IP_STRLEN];

		field_format(e->key + at, c->fields[i], id.v6, text);
		p += sprintf(p, "%s%s", i ? " . " : "", text);
		at += field_len(c->fields[i], id.v6);
	}
	return buf;
}
