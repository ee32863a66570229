/* SPDX-License-Identifier: GPL-2.0-or-later */
/* frame.h -- Ethernet, IPv4 and UDP around a DHCPv4 message on a packet socket
 *
 * The server reads and writes whole frames, so it checks and fills what the kernel's IP stack
 * would: lengths, checksums, fragments. Replies carry a full UDP checksum, since nobody behind
 * the bridge would fill a partial one in.
 */
#pragma once
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netd/base/addr.h"
#include "netd/base/cursor.h"

#define DHCP_FRAME_HEAD 42		/* Ethernet 14, IPv4 20, UDP 8 */
#define DHCP_FRAME_MAX 1514		/* the largest frame that the server sends */
#define DHCP_SERVER_PORT 67
#define DHCP_CLIENT_PORT 68

struct dhcp_frame {
	struct nd_mac eth_dst, eth_src;
	struct in_addr ip_src, ip_dst;
	uint16_t port_src, port_dst;
	struct rd payload;		/* borrowed from the frame's bytes */
};

/*
 * Decodes a frame from its Ethernet header on. csum_partial: the sender is a guest on this
 * machine whose checksum was left to hardware (TP_STATUS_CSUMNOTREADY in the auxdata), so the
 * UDP checksum is not looked at. False for anything but a whole UDP datagram over untagged
 * IPv4 with right lengths and checksums to port 67; fragments are refused.
 */
bool dhcp_frame_decode(const void *bytes, size_t len, bool csum_partial, struct dhcp_frame *out);

/* Writes the 42 bytes in front of a payload that stands already at frame + DHCP_FRAME_HEAD, with
 * both checksums. to->payload is not used. Returns the frame's length. */
size_t dhcp_frame_finish(uint8_t *frame, size_t payload_len, const struct dhcp_frame *to);
