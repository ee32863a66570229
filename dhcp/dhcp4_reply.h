/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dhcp4_reply.h -- what the server says, put into a frame */
#pragma once
#include "dhcp/config.h"
#include "dhcp/dhcp4_message.h"
#include "dhcp/frame.h"

struct dhcp4_answer {
	enum dhcp4_type type;		/* OFFER, ACK, NAK; DHCP4_BOOTP: a plain BOOTREPLY */
	struct in_addr address;		/* yiaddr; 0.0.0.0 for NAK and to INFORM */
	uint32_t lease_s;		/* 0: no lease times (INFORM) */
	const char *hostname;		/* "": none */
	bool rapid_commit;		/* an ACK to a DISCOVER (RFC 4039 3.1) */
	const char *message;		/* why not, with NAK */
};

/*
 * Encodes the answer to a message that came in a frame into the bytes of a frame of at most
 * DHCP_FRAME_MAX. Options are written while the client's largest message (option 57) has room, the
 * most important ones first. Returns the frame's length.
 */
size_t dhcp4_reply_encode(const struct dhcp_config *config, const struct nd_mac *mac,
			  const struct dhcp_frame *in, const struct dhcp4_message *request,
			  const struct dhcp4_answer *answer, uint8_t frame[DHCP_FRAME_MAX]);
