/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dhcp4_message.h -- a DHCPv4 or BOOTP message (RFC 2131 2, RFC 951 3), decoded and encoded */
#pragma once
#include "dhcp/dhcp4_option.h"
#include "netd/base/addr.h"

#define DHCP4_MESSAGE_MIN 300		/* of a BOOTP message; some relays drop shorter ones */
#define DHCP4_FLAG_BROADCAST 0x8000	/* RFC 2131 2 */

enum dhcp4_op {
	DHCP4_BOOTREQUEST = 1,
	DHCP4_BOOTREPLY = 2,
};

enum dhcp4_type {			/* RFC 2132 9.6 */
	DHCP4_BOOTP = 0,		/* no message type: plain BOOTP */
	DHCP4_DISCOVER = 1,
	DHCP4_OFFER = 2,
	DHCP4_REQUEST = 3,
	DHCP4_DECLINE = 4,
	DHCP4_ACK = 5,
	DHCP4_NAK = 6,
	DHCP4_RELEASE = 7,
	DHCP4_INFORM = 8,
};

struct dhcp4_head {
	uint8_t op, htype, hlen, hops;
	uint32_t xid;
	uint16_t secs, flags;
	struct in_addr ciaddr, yiaddr, siaddr, giaddr;
	uint8_t chaddr[16];
	uint8_t sname[64], file[128];	/* padded with NUL, perhaps not ended by one */
};

struct dhcp4_message {
	struct dhcp4_head head;
	uint8_t type;			/* enum dhcp4_type, or what a stranger sent */
	struct dhcp4_options options;	/* borrows from the bytes decoded and from head */
};

/* False when r is not a whole message: too short, too long, or see dhcp4_options_decode().
 * A message without the magic cookie is BOOTP without options. */
bool dhcp4_message_decode(struct rd r, struct dhcp4_message *out);

/* The fixed fields and the magic cookie: 240 bytes, to be followed by options. */
void dhcp4_head_encode(const struct dhcp4_head *h, struct wr *w);
