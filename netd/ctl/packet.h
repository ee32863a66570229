/* SPDX-License-Identifier: GPL-2.0-or-later */
/* packet.h -- one line about an Ethernet frame: who to whom, and what
 *
 * For a look at a network, not a dissector: names ARP, IPv4, IPv6, TCP, UDP, ICMP, DHCP, DNS and
 * router advertisements. The bytes come from guests.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* text is always NUL-terminated. */
void packet_summary(const uint8_t *frame, size_t len, char *text, size_t text_size);
