/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dhcp4_option.h -- DHCPv4 options: the codes that the server knows, decoding, encoding */
#pragma once
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netd/base/cursor.h"

#define DHCP4_MESSAGE_MAX 4096		/* larger messages are not read */

enum dhcp4_option_code {
	DHCP4_OPT_PAD = 0,		/* RFC 2132 3.1 */
	DHCP4_OPT_NETMASK = 1,		/* 3.3 */
	DHCP4_OPT_ROUTER = 3,		/* 3.5 */
	DHCP4_OPT_DNS = 6,		/* 3.8 */
	DHCP4_OPT_HOSTNAME = 12,	/* 3.14 */
	DHCP4_OPT_DOMAIN = 15,		/* 3.17 */
	DHCP4_OPT_MTU = 26,		/* 5.1 */
	DHCP4_OPT_BROADCAST = 28,	/* 5.3 */
	DHCP4_OPT_REQUESTED_IP = 50,	/* 9.1 */
	DHCP4_OPT_LEASE_TIME = 51,	/* 9.2 */
	DHCP4_OPT_OVERLOAD = 52,	/* 9.3 */
	DHCP4_OPT_TYPE = 53,		/* 9.6 */
	DHCP4_OPT_SERVER_ID = 54,	/* 9.7 */
	DHCP4_OPT_PARAMETERS = 55,	/* 9.8 */
	DHCP4_OPT_MESSAGE = 56,		/* 9.9 */
	DHCP4_OPT_MAX_SIZE = 57,	/* 9.10 */
	DHCP4_OPT_T1 = 58,		/* 9.11 */
	DHCP4_OPT_T2 = 59,		/* 9.12 */
	DHCP4_OPT_CLIENT_ID = 61,	/* 9.14 */
	DHCP4_OPT_RAPID_COMMIT = 80,	/* RFC 4039 4 */
	DHCP4_OPT_FQDN = 81,		/* RFC 4702 2 */
	DHCP4_OPT_RELAY_INFO = 82,	/* RFC 3046 2 */
	DHCP4_OPT_SEARCH = 119,		/* RFC 3397 2 */
	DHCP4_OPT_ROUTES = 121,		/* RFC 3442 */
	DHCP4_OPT_END = 255,		/* RFC 2132 3.2 */
};

/* The options of one message; values are borrowed from it. */
struct dhcp4_options {
	const uint8_t *at[256];		/* NULL: not sent. Any wire byte is an index. */
	uint16_t len[256];
	size_t n_joined;
	uint8_t joined[DHCP4_MESSAGE_MAX];	/* values that came in several pieces */
};

/*
 * Decodes the options field (behind the magic cookie) and, where option 52 says so, file and
 * sname, in the order of RFC 3396 5; pieces of one option are joined (RFC 3396 7). False when an
 * option leaves its field, or one that decides what the message means has a length that it
 * cannot have. Another known option of a wrong length counts as not sent.
 */
bool dhcp4_options_decode(struct rd options, struct rd file, struct rd sname,
			  struct dhcp4_options *out);

static inline bool dhcp4_option_sent(const struct dhcp4_options *o, uint8_t code)
{
	return o->at[code] != NULL;
}

/* A reader of the option's value, empty when it was not sent. */
static inline struct rd dhcp4_option_rd(const struct dhcp4_options *o, uint8_t code)
{
	static const uint8_t none;

	return o->at[code] ? rd_init(o->at[code], o->len[code]) : rd_init(&none, 0);
}

/* The option's value as an address; 0.0.0.0 when it was not sent. */
struct in_addr dhcp4_option_addr(const struct dhcp4_options *o, uint8_t code);

/*
 * Writes options while they fit. reserve bytes at the end stay free for what must come last
 * (the relay's option and the end mark).
 */
struct dhcp4_option_wr {
	struct wr w;
	size_t reserve;
};

/* An option of any length, in pieces of 255 when it is longer (RFC 3396 4). When it does not fit,
 * nothing is written and false returned. */
bool dhcp4_option_put(struct dhcp4_option_wr *o, uint8_t code, const void *value, size_t len);
bool dhcp4_option_put_u8(struct dhcp4_option_wr *o, uint8_t code, uint8_t value);
bool dhcp4_option_put_u16(struct dhcp4_option_wr *o, uint8_t code, uint16_t value);
bool dhcp4_option_put_u32(struct dhcp4_option_wr *o, uint8_t code, uint32_t value);
bool dhcp4_option_put_addr(struct dhcp4_option_wr *o, uint8_t code, struct in_addr value);
