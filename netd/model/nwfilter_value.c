/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nwfilter_value.c -- the values of filters' attributes: variables, and what each kind reads as */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netd/base/str.h"
#include "netd/model/nwfilter.h"

/* ---- variables ---- */

static bool is_name_char(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* "[2]" or "[@2]", to the end of the text; blanks may stand inside. */
static bool parse_index(const char *text, struct nwfilter_variable *out)
{
	unsigned long n;
	char *end;

	text += 1 + strspn(text + 1, " ");
	out->how = *text == '@' ? NWFILTER_ITERATE : NWFILTER_INDEX;
	text += *text == '@';
	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	n = strtoul(text, &end, 10);
	end += strspn(end, " ");
	out->n = (unsigned)n;
	return !errno && n <= UINT16_MAX && end[0] == ']' && end[1] == '\0';
}

bool nwfilter_variable_parse(const char *text, struct nwfilter_variable *out)
{
	size_t len = 0;

	if (*text++ != '$')
		return false;
	while (is_name_char(text[len]))
		len++;
	if (len == 0 || len >= sizeof(out->name))
		return false;
	memset(out, 0, sizeof(*out));
	memcpy(out->name, text, len);
	text += len;
	return !*text || (*text == '[' && parse_index(text, out));
}

/* ---- literals ---- */

static bool parse_number(const char *text, uint32_t max, uint32_t *out)
{
	bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	const char *digits = hex ? text + 2 : text;
	unsigned long long n;
	char *end;

	if (!(hex ? isxdigit((unsigned char)*digits) : isdigit((unsigned char)*digits)))
		return false;
	errno = 0;
	n = strtoull(digits, &end, hex ? 16 : 10);
	*out = (uint32_t)n;
	return !errno && !*end && n <= max;
}

struct name {
	const char *text;
	uint32_t value;
};

static const struct name ethertypes[] = {
	{ "arp", 0x0806 }, { "rarp", 0x8035 }, { "ipv4", 0x0800 }, { "ipv6", 0x86dd }, { "vlan", 0x8100 }, { NULL },
};

static const struct name arp_opcodes[] = {
	{ "Request", 1 }, { "Reply", 2 }, { "Request_Reverse", 3 }, { "Reply_Reverse", 4 }, { "DRARP_Request", 5 },
	{ "DRARP_Reply", 6 }, { "DRARP_Error", 7 }, { "InARP_Request", 8 }, { "ARP_NAK", 9 }, { NULL },
};

static const struct name ip_protocols[] = {
	{ "icmp", 1 }, { "igmp", 2 }, { "tcp", 6 }, { "udp", 17 }, { "esp", 50 }, { "ah", 51 }, { "icmpv6", 58 },
	{ "sctp", 132 }, { "udplite", 136 }, { NULL },
};

static const struct name booleans[] = {
	{ "yes", 1 }, { "true", 1 }, { "1", 1 }, { "no", 0 }, { "false", 0 }, { "0", 0 }, { NULL },
};

static const struct name states[] = {
	{ "NONE", NWFILTER_STATE_NONE }, { "NEW", NWFILTER_STATE_NEW }, { "ESTABLISHED", NWFILTER_STATE_ESTABLISHED },
	{ "RELATED", NWFILTER_STATE_RELATED }, { "INVALID", NWFILTER_STATE_INVALID }, { NULL },
};

static const struct name tcp_flags[] = {
	{ "FIN", 1 }, { "SYN", 2 }, { "RST", 4 }, { "PSH", 8 }, { "ACK", 16 }, { "URG", 32 }, { "ALL", 63 }, { "NONE", 0 },
	{ NULL },
};

static bool find_name(const struct name *names, const char *text, size_t len, uint32_t *out)
{
	for (; names->text; names++) {
		if (strncasecmp(names->text, text, len) != 0 || names->text[len])
			continue;
		*out = names->value;
		return true;
	}
	return false;
}

static bool name_or_number(const struct name *names, const char *text, uint32_t max, uint32_t *out)
{
	return find_name(names, text, strlen(text), out) || parse_number(text, max, out);
}

/* "A,B", up to `end`; the values of all together. */
static bool parse_list(const struct name *names, const char *text, const char *end, uint32_t *out)
{
	*out = 0;
	for (;;) {
		size_t len = strcspn(text, ",");
		uint32_t one;

		if (text + len > end)
			len = (size_t)(end - text);
		if (!len || !find_name(names, text, len, &one))
			return false;
		*out |= one;
		text += len;
		if (text == end)
			return true;
		text++;
	}
}

static bool parse_states(const char *text, uint32_t *out)
{
	return parse_list(states, text, text + strlen(text), out) &&
	       (!(*out & NWFILTER_STATE_NONE) || *out == NWFILTER_STATE_NONE);
}

static bool parse_tcp_flags(const char *text, struct nwfilter_value *out)
{
	const char *slash = strchr(text, '/');
	uint32_t mask, set;

	if (!slash || !parse_list(tcp_flags, text, slash, &mask) ||
	    !parse_list(tcp_flags, slash + 1, slash + strlen(slash), &set))
		return false;
	out->tcp_mask = (uint8_t)mask;
	out->tcp_set = (uint8_t)set;
	return (set & ~mask) == 0;
}

static bool parse_address(const char *text, sa_family_t family, struct nd_ip *out)
{
	return nd_ip_parse(text, out) && out->family == family;
}

/* A prefix length, or the bits written as an address. */
static bool parse_mask(const char *text, sa_family_t family, struct nd_ip *out)
{
	struct nd_prefix ones = { .addr.family = family };
	uint32_t len;

	if (!parse_number(text, family == AF_INET ? 32 : 128, &len))
		return parse_address(text, family, out);
	memset(&ones.addr.v6, 0xff, sizeof(ones.addr.v6));
	ones.len = (uint8_t)len;
	*out = nd_prefix_masked(&ones).addr;
	return true;
}

static bool parse(const struct nwfilter_attr *a, const char *text, struct nwfilter_value *out)
{
	switch (a->kind) {
	case NWFILTER_MAC_ADDR:
	case NWFILTER_MAC_MASK:
		return nd_mac_parse(text, &out->mac);
	case NWFILTER_IPV4_ADDR:
		return parse_address(text, AF_INET, &out->ip);
	case NWFILTER_IPV6_ADDR:
		return parse_address(text, AF_INET6, &out->ip);
	case NWFILTER_IPV4_MASK:
		return parse_mask(text, AF_INET, &out->ip);
	case NWFILTER_IPV6_MASK:
		return parse_mask(text, AF_INET6, &out->ip);
	case NWFILTER_NUMBER:
		return parse_number(text, a->max, &out->number);
	case NWFILTER_ETHERTYPE:
		return name_or_number(ethertypes, text, a->max, &out->number);
	case NWFILTER_ARP_OPCODE:
		return name_or_number(arp_opcodes, text, a->max, &out->number);
	case NWFILTER_IP_PROTOCOL:
		return name_or_number(ip_protocols, text, a->max, &out->number);
	case NWFILTER_BOOLEAN:
		return find_name(booleans, text, strlen(text), &out->number);
	case NWFILTER_STATES:
		return parse_states(text, &out->number);
	case NWFILTER_TCP_FLAGS:
		return parse_tcp_flags(text, out);
	case NWFILTER_TEXT:
		return strlen(text) <= NWFILTER_COMMENT_MAX;
	}
	return false;
}

static const char *wanted(const struct nwfilter_attr *a)
{
	static const char *const sentences[] = {
		[NWFILTER_MAC_ADDR] = "a MAC address", [NWFILTER_MAC_MASK] = "a mask like ff:ff:ff:00:00:00",
		[NWFILTER_IPV4_ADDR] = "an IPv4 address", [NWFILTER_IPV4_MASK] = "an IPv4 mask or a prefix length up to 32",
		[NWFILTER_IPV6_ADDR] = "an IPv6 address", [NWFILTER_IPV6_MASK] = "an IPv6 mask or a prefix length up to 128",
		[NWFILTER_NUMBER] = "a number", [NWFILTER_ETHERTYPE] = "arp, rarp, ipv4, ipv6, vlan or a number",
		[NWFILTER_ARP_OPCODE] = "an operation of ARP (Request, Reply, ...) or a number",
		[NWFILTER_IP_PROTOCOL] = "tcp, udp, udplite, sctp, icmp, icmpv6, igmp, esp, ah or a number",
		[NWFILTER_STATES] = "NONE or some of NEW,ESTABLISHED,RELATED,INVALID",
		[NWFILTER_TCP_FLAGS] = "MASK/SET, each ALL, NONE or some of SYN,ACK,URG,PSH,FIN,RST",
		[NWFILTER_BOOLEAN] = "yes or no", [NWFILTER_TEXT] = "at most 127 bytes long",
	};

	return sentences[a->kind];
}

int nwfilter_value_parse(const struct nwfilter_attr *attr, const char *text, struct nwfilter_value *out,
			 struct nd_error *err)
{
	memset(out, 0, sizeof(*out));
	if (parse(attr, text, out))
		return 0;
	if (attr->kind == NWFILTER_NUMBER)
		return nd_error_set(err, ND_ERR_CONFIG_UNSUPPORTED, "%s '%.100s' is not a number up to %u", attr->name,
				    text, attr->max);
	return nd_error_set(err, ND_ERR_CONFIG_UNSUPPORTED, "%s '%.100s' is not %s", attr->name, text, wanted(attr));
}
