/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/model/nwfilter_attrs.h"

#include "netd/base/str.h"

const char *const nwfilter_actions[] = { NULL, "drop", "accept", "reject", "return", "continue", NULL };
const char *const nwfilter_directions[] = { NULL, "in", "out", "inout", NULL };

#define U8 .max = UINT8_MAX
#define U16 .max = UINT16_MAX
#define U32 .max = UINT32_MAX

#define SRC_MAC { "srcmacaddr", NWF_SRC_MAC, NWFILTER_MAC_ADDR }
#define MACS \
	SRC_MAC, { "srcmacmask", NWF_SRC_MAC_MASK, NWFILTER_MAC_MASK, NWFILTER_MASK }, \
	{ "dstmacaddr", NWF_DST_MAC, NWFILTER_MAC_ADDR }, \
	{ "dstmacmask", NWF_DST_MAC_MASK, NWFILTER_MAC_MASK, NWFILTER_MASK }
#define COMMENT { "comment", NWF_COMMENT, NWFILTER_TEXT }

/* A number, and where a range of it ends. */
#define RANGE(name, name_end, field, bits) \
	{ name, field, NWFILTER_NUMBER, bits }, { name_end, field##_END, NWFILTER_NUMBER, NWFILTER_END, bits }

#define ADDRESSES(v) \
	{ "srcipaddr", NWF_SRC_IP, NWFILTER_##v##_ADDR }, \
	{ "srcipmask", NWF_SRC_IP_MASK, NWFILTER_##v##_MASK, NWFILTER_MASK }, \
	{ "dstipaddr", NWF_DST_IP, NWFILTER_##v##_ADDR }, \
	{ "dstipmask", NWF_DST_IP_MASK, NWFILTER_##v##_MASK, NWFILTER_MASK }
#define PORTS \
	RANGE("srcportstart", "srcportend", NWF_SRC_PORT, U16), RANGE("dstportstart", "dstportend", NWF_DST_PORT, U16)
#define DSCP { "dscp", NWF_DSCP, NWFILTER_NUMBER, .max = 63 }

/* Below 0x600 stands a frame's length (IEEE 802.3 3.2.6); inside a tag libvirt begins lower. */
static const struct nwfilter_attr mac_attrs[] = {
	MACS, { "protocolid", NWF_ETHERTYPE, NWFILTER_ETHERTYPE, .min = 0x600, U16 }, COMMENT,
};

static const struct nwfilter_attr vlan_attrs[] = {
	MACS, { "vlanid", NWF_VLAN_ID, NWFILTER_NUMBER, .max = 4095 },
	{ "encap-protocol", NWF_VLAN_PROTOCOL, NWFILTER_ETHERTYPE, .min = 0x3c, U16 }, COMMENT,
};

/* Frames of spanning tree all go to one address. */
static const struct nwfilter_attr stp_attrs[] = {
	SRC_MAC, { "srcmacmask", NWF_SRC_MAC_MASK, NWFILTER_MAC_MASK, NWFILTER_MASK },
	{ "type", NWF_STP_TYPE, NWFILTER_NUMBER, U8 }, { "flags", NWF_STP_FLAGS, NWFILTER_NUMBER, U8 },
	RANGE("root-priority", "root-priority-hi", NWF_STP_ROOT_PRIORITY, U16),
	{ "root-address", NWF_STP_ROOT_MAC, NWFILTER_MAC_ADDR },
	{ "root-address-mask", NWF_STP_ROOT_MAC_MASK, NWFILTER_MAC_MASK, NWFILTER_MASK },
	RANGE("root-cost", "root-cost-hi", NWF_STP_ROOT_COST, U32),
	RANGE("sender-priority", "sender-priority-hi", NWF_STP_SENDER_PRIORITY, U16),
	{ "sender-address", NWF_STP_SENDER_MAC, NWFILTER_MAC_ADDR },
	{ "sender-address-mask", NWF_STP_SENDER_MAC_MASK, NWFILTER_MAC_MASK, NWFILTER_MASK },
	RANGE("port", "port-hi", NWF_STP_PORT, U16), RANGE("age", "age-hi", NWF_STP_AGE, U16),
	RANGE("max-age", "max-age-hi", NWF_STP_MAX_AGE, U16),
	RANGE("hello-time", "hello-time-hi", NWF_STP_HELLO, U16),
	RANGE("forward-delay", "forward-delay-hi", NWF_STP_FORWARD_DELAY, U16), COMMENT,
};

static const struct nwfilter_attr arp_attrs[] = {
	MACS, { "hwtype", NWF_ARP_HW_TYPE, NWFILTER_NUMBER, U16 },
	{ "protocoltype", NWF_ARP_PROTOCOL, NWFILTER_NUMBER, U16 },
	{ "opcode", NWF_ARP_OPCODE, NWFILTER_ARP_OPCODE, U16 },
	{ "arpsrcmacaddr", NWF_ARP_SRC_MAC, NWFILTER_MAC_ADDR }, { "arpdstmacaddr", NWF_ARP_DST_MAC, NWFILTER_MAC_ADDR },
	{ "arpsrcipaddr", NWF_ARP_SRC_IP, NWFILTER_IPV4_ADDR },
	{ "arpsrcipmask", NWF_ARP_SRC_IP_MASK, NWFILTER_IPV4_MASK, NWFILTER_MASK },
	{ "arpdstipaddr", NWF_ARP_DST_IP, NWFILTER_IPV4_ADDR },
	{ "arpdstipmask", NWF_ARP_DST_IP_MASK, NWFILTER_IPV4_MASK, NWFILTER_MASK },
	{ "gratuitous", NWF_ARP_GRATUITOUS, NWFILTER_BOOLEAN }, COMMENT,
};

#define IP_PROTOCOL { "protocol", NWF_IP_PROTOCOL, NWFILTER_IP_PROTOCOL, U8 }

static const struct nwfilter_attr ip_attrs[] = { MACS, ADDRESSES(IPV4), IP_PROTOCOL, PORTS, DSCP, COMMENT };

static const struct nwfilter_attr ipv6_attrs[] = {
	MACS, ADDRESSES(IPV6), IP_PROTOCOL, PORTS, DSCP,
	RANGE("type", "typeend", NWF_ICMP_TYPE, U8), RANGE("code", "codeend", NWF_ICMP_CODE, U8), COMMENT,
};

/* What all packets have that are judged by connection, with what the protocol itself adds. */
#define PACKET_ATTRS(v, ...) { \
	SRC_MAC, ADDRESSES(v), \
	{ "srcipfrom", NWF_SRC_IP_FROM, NWFILTER_##v##_ADDR }, \
	{ "srcipto", NWF_SRC_IP_TO, NWFILTER_##v##_ADDR, NWFILTER_END }, \
	{ "dstipfrom", NWF_DST_IP_FROM, NWFILTER_##v##_ADDR }, \
	{ "dstipto", NWF_DST_IP_TO, NWFILTER_##v##_ADDR, NWFILTER_END }, DSCP, \
	{ "connlimit-above", NWF_CONNLIMIT_ABOVE, NWFILTER_NUMBER, U16 }, \
	{ "state", NWF_STATE, NWFILTER_STATES }, \
	__VA_ARGS__ \
	COMMENT, \
}
#define TCP_ATTRS PORTS, { "option", NWF_TCP_OPTION, NWFILTER_NUMBER, U8 }, { "flags", NWF_TCP_FLAGS, NWFILTER_TCP_FLAGS },
#define PORT_ATTRS PORTS,
#define ICMP_ATTRS { "type", NWF_ICMP_TYPE, NWFILTER_NUMBER, U8 }, { "code", NWF_ICMP_CODE, NWFILTER_NUMBER, U8 },

static const struct nwfilter_attr tcp_attrs[] = PACKET_ATTRS(IPV4, TCP_ATTRS);
static const struct nwfilter_attr port_attrs[] = PACKET_ATTRS(IPV4, PORT_ATTRS);
static const struct nwfilter_attr icmp_attrs[] = PACKET_ATTRS(IPV4, ICMP_ATTRS);
static const struct nwfilter_attr packet_attrs[] = PACKET_ATTRS(IPV4, );
static const struct nwfilter_attr tcp6_attrs[] = PACKET_ATTRS(IPV6, TCP_ATTRS);
static const struct nwfilter_attr port6_attrs[] = PACKET_ATTRS(IPV6, PORT_ATTRS);
static const struct nwfilter_attr icmp6_attrs[] = PACKET_ATTRS(IPV6, ICMP_ATTRS);
static const struct nwfilter_attr packet6_attrs[] = PACKET_ATTRS(IPV6, );

#define PROTO(name, attrs) { name, attrs, ND_COUNT(attrs) }
const struct nwfilter_proto_desc nwfilter_protos[NWFILTER_PROTOS] = {
	[NWFILTER_MAC] = PROTO("mac", mac_attrs),
	[NWFILTER_VLAN] = PROTO("vlan", vlan_attrs),
	[NWFILTER_STP] = PROTO("stp", stp_attrs),
	[NWFILTER_ARP] = PROTO("arp", arp_attrs),
	[NWFILTER_RARP] = PROTO("rarp", arp_attrs),
	[NWFILTER_IP] = PROTO("ip", ip_attrs),
	[NWFILTER_IPV6] = PROTO("ipv6", ipv6_attrs),
	[NWFILTER_TCP] = PROTO("tcp", tcp_attrs),
	[NWFILTER_UDP] = PROTO("udp", port_attrs),
	[NWFILTER_UDPLITE] = PROTO("udplite", packet_attrs),
	[NWFILTER_ESP] = PROTO("esp", packet_attrs),
	[NWFILTER_AH] = PROTO("ah", packet_attrs),
	[NWFILTER_SCTP] = PROTO("sctp", port_attrs),
	[NWFILTER_ICMP] = PROTO("icmp", icmp_attrs),
	[NWFILTER_IGMP] = PROTO("igmp", packet_attrs),
	[NWFILTER_ALL] = PROTO("all", packet_attrs),
	[NWFILTER_TCP_IPV6] = PROTO("tcp-ipv6", tcp6_attrs),
	[NWFILTER_UDP_IPV6] = PROTO("udp-ipv6", port6_attrs),
	[NWFILTER_UDPLITE_IPV6] = PROTO("udplite-ipv6", packet6_attrs),
	[NWFILTER_ESP_IPV6] = PROTO("esp-ipv6", packet6_attrs),
	[NWFILTER_AH_IPV6] = PROTO("ah-ipv6", packet6_attrs),
	[NWFILTER_SCTP_IPV6] = PROTO("sctp-ipv6", port6_attrs),
	[NWFILTER_ICMPV6] = PROTO("icmpv6", icmp6_attrs),
	[NWFILTER_ALL_IPV6] = PROTO("all-ipv6", packet6_attrs),
};

const char *nwfilter_proto_name(enum nwfilter_proto proto)
{
	return nwfilter_protos[proto].name;
}
