/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nwfilter.h -- one <filter> document as data: what a guest's NIC may send and receive
 *
 * Libvirt's format. A filter has entries in the document's order: rules, and other filters that it
 * includes. Values stay text, since they may be $VARIABLES that only a NIC's parameters fill in:
 * nwfilter_value_parse() reads what is left after that.
 * Strings are owned by the struct; NULL means absent.
 */
#pragma once
#include "netd/model/network.h"

#define NWFILTER_PRIORITY_MIN (-1000)
#define NWFILTER_PRIORITY_MAX 1000
#define NWFILTER_COMMENT_MAX 127		/* bytes: what nftables keeps */
#define NWFILTER_RULE_PRIORITY 500		/* of a rule that names none */

/* What the element of a rule is called. The first ones are judged frame by frame, those from
 * NWFILTER_TCP on by IP packet and connection. */
enum nwfilter_proto {
	NWFILTER_ANY,			/* a rule without a protocol: every frame */
	NWFILTER_MAC, NWFILTER_VLAN, NWFILTER_STP, NWFILTER_ARP, NWFILTER_RARP, NWFILTER_IP, NWFILTER_IPV6,
	NWFILTER_TCP, NWFILTER_UDP, NWFILTER_UDPLITE, NWFILTER_ESP, NWFILTER_AH, NWFILTER_SCTP,
	NWFILTER_ICMP, NWFILTER_IGMP, NWFILTER_ALL,
	NWFILTER_TCP_IPV6, NWFILTER_UDP_IPV6, NWFILTER_UDPLITE_IPV6, NWFILTER_ESP_IPV6, NWFILTER_AH_IPV6,
	NWFILTER_SCTP_IPV6, NWFILTER_ICMPV6, NWFILTER_ALL_IPV6,
	NWFILTER_PROTOS
};

/* How the text of a value is read. */
enum nwfilter_kind {
	NWFILTER_MAC_ADDR, NWFILTER_MAC_MASK,
	NWFILTER_IPV4_ADDR, NWFILTER_IPV4_MASK,		/* a mask is a prefix length, or that many ones dotted */
	NWFILTER_IPV6_ADDR, NWFILTER_IPV6_MASK,
	NWFILTER_NUMBER,		/* decimal or 0x, between the attribute's min and max */
	NWFILTER_ETHERTYPE,		/* the same, or arp, rarp, ipv4, ipv6, vlan */
	NWFILTER_ARP_OPCODE,		/* the same, or Request, Reply, ... */
	NWFILTER_IP_PROTOCOL,		/* the same, or tcp, udp, udplite, esp, ah, icmp, igmp, sctp, icmpv6 */
	NWFILTER_STATES,		/* NONE, or a list of NEW,ESTABLISHED,RELATED,INVALID */
	NWFILTER_TCP_FLAGS,		/* MASK/SET, each ALL, NONE or a list of SYN,ACK,URG,PSH,FIN,RST */
	NWFILTER_BOOLEAN,		/* yes, no, true, false, 1, 0 */
	NWFILTER_TEXT,			/* comment */
};

/* What an attribute is about. A range's end and a mask stand right after the field that they belong to. */
enum nwfilter_field {
	/* Ethernet */
	NWF_SRC_MAC, NWF_SRC_MAC_MASK, NWF_DST_MAC, NWF_DST_MAC_MASK, NWF_ETHERTYPE,
	NWF_VLAN_ID, NWF_VLAN_PROTOCOL,
	/* spanning tree: each a range, but for the MACs and the flags */
	NWF_STP_TYPE, NWF_STP_FLAGS,
	NWF_STP_ROOT_PRIORITY, NWF_STP_ROOT_PRIORITY_END, NWF_STP_ROOT_MAC, NWF_STP_ROOT_MAC_MASK,
	NWF_STP_ROOT_COST, NWF_STP_ROOT_COST_END,
	NWF_STP_SENDER_PRIORITY, NWF_STP_SENDER_PRIORITY_END, NWF_STP_SENDER_MAC, NWF_STP_SENDER_MAC_MASK,
	NWF_STP_PORT, NWF_STP_PORT_END, NWF_STP_AGE, NWF_STP_AGE_END, NWF_STP_MAX_AGE, NWF_STP_MAX_AGE_END,
	NWF_STP_HELLO, NWF_STP_HELLO_END, NWF_STP_FORWARD_DELAY, NWF_STP_FORWARD_DELAY_END,
	/* ARP and RARP */
	NWF_ARP_HW_TYPE, NWF_ARP_PROTOCOL, NWF_ARP_OPCODE, NWF_ARP_SRC_MAC, NWF_ARP_DST_MAC,
	NWF_ARP_SRC_IP, NWF_ARP_SRC_IP_MASK, NWF_ARP_DST_IP, NWF_ARP_DST_IP_MASK, NWF_ARP_GRATUITOUS,
	/* IPv4 and IPv6 */
	NWF_SRC_IP, NWF_SRC_IP_MASK, NWF_DST_IP, NWF_DST_IP_MASK,
	NWF_SRC_IP_FROM, NWF_SRC_IP_TO, NWF_DST_IP_FROM, NWF_DST_IP_TO,
	NWF_IP_PROTOCOL, NWF_DSCP,
	/* above */
	NWF_SRC_PORT, NWF_SRC_PORT_END, NWF_DST_PORT, NWF_DST_PORT_END,
	NWF_ICMP_TYPE, NWF_ICMP_TYPE_END, NWF_ICMP_CODE, NWF_ICMP_CODE_END,	/* the ends: protocol ipv6's only */
	NWF_TCP_FLAGS, NWF_TCP_OPTION,
	/* connections */
	NWF_STATE, NWF_CONNLIMIT_ABOVE,
	NWF_COMMENT,
	NWF_FIELDS
};

enum nwfilter_role { NWFILTER_VALUE, NWFILTER_MASK, NWFILTER_END };

struct nwfilter_attr {
	const char *name;		/* as in the document */
	enum nwfilter_field field;
	enum nwfilter_kind kind;
	enum nwfilter_role role;
	uint32_t min, max;		/* of what is a number */
};

/* A value that is no variable any more. */
struct nwfilter_value {
	struct nd_mac mac;		/* and its mask */
	struct nd_ip ip;		/* and a mask: the bits */
	uint32_t number;		/* states: bits of enum nwfilter_state; boolean: 0 or 1 */
	uint8_t tcp_mask, tcp_set;	/* FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32 */
};

enum nwfilter_state { NWFILTER_STATE_NEW = 1, NWFILTER_STATE_ESTABLISHED = 2, NWFILTER_STATE_RELATED = 4,
		      NWFILTER_STATE_INVALID = 8, NWFILTER_STATE_NONE = 16 };

struct nwfilter_match {
	const struct nwfilter_attr *attr;
	char *text;			/* as libvirt prints it: "10.0.0.1", "$IP", "$PORTS[@1]", "$LIST[2]" */
};

/* <tcp match='no' dstportstart='80'/>: all of its matches hold, or with match='no' each does not.
 * No attribute but a comment is in two elements of a rule that are not negated. */
struct nwfilter_element {
	bool negated;
	struct nwfilter_match *matches;
	size_t n_matches;
	int line;
};

enum nwfilter_action { NWFILTER_DROP = 1, NWFILTER_ACCEPT, NWFILTER_REJECT, NWFILTER_RETURN, NWFILTER_CONTINUE };
/* As the guest sees it: out is what it sends. */
enum nwfilter_direction { NWFILTER_IN = 1, NWFILTER_OUT, NWFILTER_INOUT };

struct nwfilter_rule {
	enum nwfilter_action action;
	enum nwfilter_direction direction;
	int priority;
	bool has_priority;
	bool stateless;			/* statematch='0' or 'false' */
	enum nwfilter_proto proto;	/* one for all elements of the rule */
	struct nwfilter_element *elements;
	size_t n_elements;
	int line;
};

struct nwfilter_param {
	char *name, *value;		/* by name; one that repeats is a list, in order */
};

/* <filterref filter='NAME'><parameter name='IP' value='10.0.0.1'/></filterref> */
struct nwfilter_ref {
	char *filter;			/* NULL: absent */
	struct nwfilter_param *params;
	size_t n_params;
	int line;
};

/* One of both, in the document's order. */
struct nwfilter_entry {
	bool is_ref;
	struct nwfilter_ref ref;
	struct nwfilter_rule rule;
};

struct nwfilter_def {
	char *name;
	struct nd_uuid uuid;
	bool has_uuid;
	/* "root", or a name that begins with mac, vlan, stp, arp, rarp, ipv4 or ipv6; at most 31 bytes. */
	char *chain;
	int priority;			/* of the chain: the chain's kind's default where none is given */
	bool has_priority;
	struct nwfilter_entry *entries;
	size_t n_entries;
	int line;
};

void nwfilter_def_free(struct nwfilter_def *def);	/* NULL is fine */
ND_DEFINE_AUTO(struct nwfilter_def *, nwfilter_def_free)

/* A client's document; every literal value is checked, variables are when they are filled in. */
int nwfilter_def_parse(const char *xml, size_t len, struct nwfilter_def **out, struct nd_error *err);
/* Checks against nwfilter.rng in schema_dir (ND_ERR_XML_INVALID_SCHEMA). */
int nwfilter_def_validate_schema(const char *xml, size_t len, const char *schema_dir, struct nd_error *err);
/* In libvirt's layout; caller frees. NULL: no memory. */
char *nwfilter_def_format(const struct nwfilter_def *def);
bool nwfilter_def_equal(const struct nwfilter_def *a, const struct nwfilter_def *b);	/* lines do not count */

/* <filterbinding>: a NIC that has a filter; borrows all. */
struct nwfilter_binding {
	const char *owner_name, *device;
	struct nd_uuid owner_uuid;
	struct nd_mac mac;
	const struct nwfilter_ref *ref;
};

char *nwfilter_binding_format(const struct nwfilter_binding *b);	/* as nwfilter_def_format() */

/* The chain of the name's kind: NWFILTER_ANY for root, else NWFILTER_MAC .. NWFILTER_IPV6; -1: no such name. */
int nwfilter_chain_proto(const char *chain);
const char *nwfilter_proto_name(enum nwfilter_proto proto);	/* "tcp-ipv6" */
/* Judged by IP packet and connection. */
static inline bool nwfilter_proto_is_ip(enum nwfilter_proto proto)
{
	return proto >= NWFILTER_TCP;
}

/* Reads a literal value. 0, or ND_ERR_CONFIG_UNSUPPORTED with a sentence that names the attribute and its text. */
int nwfilter_value_parse(const struct nwfilter_attr *attr, const char *text, struct nwfilter_value *out,
			 struct nd_error *err);

/* A reference to a variable: "$NAME", "$NAME[2]", "$NAME[@3]". */
struct nwfilter_variable {
	char name[64];
	enum { NWFILTER_ITERATE, NWFILTER_INDEX } how;
	unsigned n;			/* the iterator's number, 0 without one; or the index */
};

/* True when the text is one; a text that begins with '$' and is none is refused by the parser. */
bool nwfilter_variable_parse(const char *text, struct nwfilter_variable *out);

/* The same filter and parameters, in the same order. */
bool nwfilter_ref_equal(const struct nwfilter_ref *a, const struct nwfilter_ref *b);
