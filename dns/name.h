/* SPDX-License-Identifier: GPL-2.0-or-later */
/* name.h -- domain names as they stand on the wire (RFC 1035 3.1, 4.1.4) */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netd/base/addr.h"
#include "netd/base/cursor.h"

#define DNS_NAME_MAX 255
#define DNS_LABEL_MAX 63
#define DNS_NAME_STRLEN 1024	/* each byte as \DDD, dots and the final NUL */

/* Uncompressed, ending in the root's empty label; len counts that label (root: 1). */
struct dns_name {
	uint8_t len;
	uint8_t wire[DNS_NAME_MAX];
};

/* Text with or without the final dot; "." and "" are the root. \. and \DDD as in RFC 1035 5.1.
 * False when a label is empty or longer than 63 bytes, or the name longer than 255. */
bool dns_name_parse(const char *text, struct dns_name *out);

/* For log lines and tests: no final dot (the root is "."), odd bytes as \DDD.
 * buf of DNS_NAME_STRLEN; returns buf. */
char *dns_name_format(const struct dns_name *name, char *buf);

/* Reads a name that may be compressed. Pointers go only backwards, each further than the last,
 * so every name ends; r turns bad when it does not decode. message: where offsets count from;
 * r must lie in it. */
void dns_name_decode(struct rd *r, const uint8_t *message, struct dns_name *out);

/* ASCII letters to lower case (RFC 4343), in place. */
void dns_name_lower(struct dns_name *name);

/* Letter case does not matter. */
bool dns_name_equal(const struct dns_name *a, const struct dns_name *b);

/* name is the domain or stands below it; letter case does not matter. */
bool dns_name_is_below(const struct dns_name *name, const struct dns_name *domain);

/* Labels without the root's. */
unsigned dns_name_labels(const struct dns_name *name);

/* Appends the domain to the name. False when that is longer than 255 bytes. */
bool dns_name_append(struct dns_name *name, const struct dns_name *domain);

/* The name of the address' PTR record, in lower case. */
void dns_name_reverse(const struct nd_ip *ip, struct dns_name *out);

/* The reverse zone of a subnet: len / 8 octets or len / 4 nibbles of it. */
void dns_name_reverse_zone(const struct nd_prefix *prefix, struct dns_name *out);

static inline uint8_t dns_lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}
