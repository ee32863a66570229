/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nwfilter_value.c -- the values of filters' attributes: variables, and what each kind reads as */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netd/base/str.h"
#include "netd/model/nwfilter_attrs.h"

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
	return !errno && n <= UINT16_MAX && *end == ']' && !end[1 + strspn(end + 1, " ")];
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
	return *text == '[' ? parse_index(text, out) : !text[strspn(text, " ")];
}

char *nwfilter_variable_format(const struct nwfilter_variable *var)
{
	struct nd_str s = { 0 };

	nd_str_addf(&s, "$%s", var->name);
	if (var->how == NWFILTER_INDEX)
		nd_str_addf(&s, "[%u]", var->n);
	else if (var->n)
		nd_str_addf(&s, "[@%u]", var->n);
	return nd_str_take(&s);
}

/* ---- literals ---- */

static bool is_hex(const char *text)
{
	return text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
}

static bool parse_number(const char *text, uint32_t min, uint32_t max, uint32_t *out)
{
	bool hex = is_hex(text);
	uint64_t n;

	text += hex ? 2 : 0;
	if (is_hex(text) || !nd_parse_uint(text, hex ? 16 : 10, min, max, &n))
		return false;
	*out = (uint32_t)n;
	return true;
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
	{ "ALL", 63 }, { "NONE", 0 }, { "FIN", 1 }, { "SYN", 2 }, { "RST", 4 }, { "PSH", 8 }, { "ACK", 16 }, { "URG", 32 },
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

/* The names that values of the kind may have instead of a number; NULL: none. */
static const struct name *names_of(enum nwfilter_kind kind)
{
	return kind == NWFILTER_ETHERTYPE ? ethertypes : kind == NWFILTER_ARP_OPCODE ? arp_opcodes :
	       kind == NWFILTER_IP_PROTOCOL ? ip_protocols : NULL;
}

static bool name_or_number(const struct nwfilter_attr *a, const char *text, uint32_t *out)
{
	const struct name *names = names_of(a->kind);

	return (names && find_name(names, text, strlen(text), out)) || parse_number(text, a->min, a->max, out);
}

/* "A, B", up to `end`; the values of all together. */
static bool parse_list(const struct name *names, const char *text, const char *end, uint32_t *out)
{
	*out = 0;
	for (;; text++) {
		const char *comma = memchr(text, ',', (size_t)(end - text)), *stop = comma ? comma : end;
		uint32_t one;

		while (text < stop && *text == ' ')
			text++;
		while (stop > text && stop[-1] == ' ')
			stop--;
		if (stop == text || !find_name(names, text, (size_t)(stop - text), &one))
			return false;
		*out |= one;
		if (!comma)
			return true;
		text = comma;
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

/* How many ones the mask begins with, or -1 when there are more behind a zero. */
static int mask_len(const struct nd_ip *mask)
{
	size_t n;
	const uint8_t *bytes = nd_ip_bytes(mask, &n);
	int bits = (int)n * 8, len = 0;

	while (len < bits && bytes[len / 8] & 0x80 >> len % 8)
		len++;
	for (int i = len; i < bits; i++)
		if (bytes[i / 8] & 0x80 >> i % 8)
			return -1;
	return len;
}

/* A prefix length, or the bits written as an address. */
static bool parse_mask(const char *text, sa_family_t family, struct nd_ip *out)
{
	struct nd_prefix ones = { .addr.family = family };
	uint64_t len;

	if (parse_address(text, family, out))
		return mask_len(out) >= 0;
	if (!nd_parse_uint(text, 10, 0, nd_ip_bits(&ones.addr), &len))
		return false;
	memset(&ones.addr.v6, 0xff, sizeof(ones.addr.v6));
	ones.len = (uint8_t)len;
	*out = nd_prefix_masked(&ones).addr;
	return true;
}

static bool is_comment(const char *text)
{
	if (strlen(text) > NWFILTER_COMMENT_MAX)
		return false;
	for (; *text; text++)
		if (iscntrl((unsigned char)*text))
			return false;
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
	case NWFILTER_ETHERTYPE:
	case NWFILTER_ARP_OPCODE:
	case NWFILTER_IP_PROTOCOL:
		return name_or_number(a, text, &out->number);
	case NWFILTER_BOOLEAN:
		return find_name(booleans, text, strlen(text), &out->number);
	case NWFILTER_STATES:
		return parse_states(text, &out->number);
	case NWFILTER_TCP_FLAGS:
		return parse_tcp_flags(text, out);
	case NWFILTER_TEXT:
		return is_comment(text);
	}
	return false;
}

static const char *wanted(const struct nwfilter_attr *a)
{
	static const char *const sentences[] = {
		[NWFILTER_MAC_ADDR] = "a MAC address", [NWFILTER_MAC_MASK] = "a mask like ff:ff:ff:00:00:00",
		[NWFILTER_IPV4_ADDR] = "an IPv4 address", [NWFILTER_IPV4_MASK] = "an IPv4 mask or a prefix length up to 32",
		[NWFILTER_IPV6_ADDR] = "an IPv6 address", [NWFILTER_IPV6_MASK] = "an IPv6 mask or a prefix length up to 128",
		[NWFILTER_NUMBER] = "a number", [NWFILTER_ETHERTYPE] = "arp, rarp, ipv4, ipv6, vlan or the number of one",
		[NWFILTER_ARP_OPCODE] = "an operation of ARP (Request, Reply, ...) or a number",
		[NWFILTER_IP_PROTOCOL] = "tcp, udp, udplite, sctp, icmp, icmpv6, igmp, esp, ah or a number",
		[NWFILTER_STATES] = "NONE or some of NEW,ESTABLISHED,RELATED,INVALID",
		[NWFILTER_TCP_FLAGS] = "MASK/SET, each ALL, NONE or some of SYN,ACK,URG,PSH,FIN,RST, the set ones in the mask",
		[NWFILTER_BOOLEAN] = "yes or no", [NWFILTER_TEXT] = "one line of at most 127 bytes",
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

/* The names of all bits, with commas between them. */
static void add_list(struct nd_str *s, const struct name *names, uint32_t bits)
{
	const char *comma = "";

	for (; names->text; names++) {
		if (names->value != bits && (!(names->value & bits) || names->value & (names->value - 1)))
			continue;
		nd_str_addf(s, "%s%s", comma, names->text);
		comma = ",";
		if (names->value == bits)
			return;
	}
}

/* By name where it has one, else in the base in which it was given. */
static void add_number(struct nd_str *s, const struct nwfilter_attr *a, const char *text, uint32_t number)
{
	for (const struct name *n = names_of(a->kind); n && n->text; n++) {
		if (n->value == number) {
			nd_str_add(s, n->text);
			return;
		}
	}
	nd_str_addf(s, is_hex(text) ? "0x%x" : "%u", number);
}

static void add_value(struct nd_str *s, const struct nwfilter_attr *a, const char *text, const struct nwfilter_value *v)
{
	char buf[ND_IP_STRLEN];

	switch (a->kind) {
	case NWFILTER_MAC_ADDR:
	case NWFILTER_MAC_MASK:
		nd_str_add(s, nd_mac_format(&v->mac, buf));
		break;
	case NWFILTER_IPV4_ADDR:
	case NWFILTER_IPV6_ADDR:
		nd_str_add(s, nd_ip_format(&v->ip, buf));
		break;
	case NWFILTER_IPV4_MASK:
	case NWFILTER_IPV6_MASK:
		nd_str_addf(s, "%d", mask_len(&v->ip));
		break;
	case NWFILTER_BOOLEAN:
		nd_str_add(s, v->number ? "true" : "false");
		break;
	case NWFILTER_STATES:
		add_list(s, states, v->number);
		break;
	case NWFILTER_TCP_FLAGS:
		add_list(s, tcp_flags, v->tcp_mask);
		nd_str_add(s, "/");
		add_list(s, tcp_flags, v->tcp_set);
		break;
	case NWFILTER_TEXT:
		nd_str_add(s, text);
		break;
	default:
		add_number(s, a, text, v->number);
	}
}

char *nwfilter_value_format(const struct nwfilter_attr *attr, const char *text, const struct nwfilter_value *value)
{
	struct nd_str s = { 0 };

	add_value(&s, attr, text, value);
	return nd_str_take(&s);
}
