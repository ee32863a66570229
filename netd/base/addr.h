/* SPDX-License-Identifier: GPL-2.0-or-later */
/* addr.h -- MAC and IP addresses, prefixes and UUIDs as values */
#pragma once
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct nd_mac {
	uint8_t bytes[6];
};

#define ND_MAC_STRLEN 18
#define ND_IP_STRLEN 46			/* INET6_ADDRSTRLEN */
#define ND_PREFIX_STRLEN 50
#define ND_UUID_STRLEN 37

/* Accepts 1 or 2 hex digits per byte, separated by ':'. */
bool nd_mac_parse(const char *text, struct nd_mac *out);
/* Lower case, buf of ND_MAC_STRLEN; returns buf. */
char *nd_mac_format(const struct nd_mac *mac, char *buf);
bool nd_mac_equal(const struct nd_mac *a, const struct nd_mac *b);
bool nd_mac_is_multicast(const struct nd_mac *mac);
bool nd_mac_is_zero(const struct nd_mac *mac);
/* A random address under 52:54:00, the prefix that QEMU and libvirt use. Returns 0 or -errno. */
int nd_mac_random(struct nd_mac *out);

struct nd_ip {
	sa_family_t family;	/* AF_INET, AF_INET6; AF_UNSPEC (0): no address */
	union {
		struct in_addr v4;
		struct in6_addr v6;
	};
};

struct nd_prefix {
	struct nd_ip addr;	/* may have host bits: see nd_prefix_masked() */
	uint8_t len;
};

/* Canonical literal of either family; no scope, no port. */
bool nd_ip_parse(const char *text, struct nd_ip *out);
/* buf of ND_IP_STRLEN; returns buf. */
char *nd_ip_format(const struct nd_ip *ip, char *buf);
bool nd_ip_equal(const struct nd_ip *a, const struct nd_ip *b);
/* <0, 0, >0; IPv4 sorts before IPv6. */
int nd_ip_compare(const struct nd_ip *a, const struct nd_ip *b);
static inline struct nd_ip nd_ip_from4(struct in_addr a)
{
	return (struct nd_ip){ .family = AF_INET, .v4 = a };
}
static inline struct nd_ip nd_ip_from6(struct in6_addr a)
{
	return (struct nd_ip){ .family = AF_INET6, .v6 = a };
}
/* The address' bytes in network order and how many (4 or 16; 0 for no address). */
const uint8_t *nd_ip_bytes(const struct nd_ip *ip, size_t *len_out);
/* 32, 128, or 0 for no address. */
unsigned nd_ip_bits(const struct nd_ip *ip);
/* A contiguous IPv4 netmask's length, or -1. */
int nd_netmask_len(struct in_addr netmask);
struct in_addr nd_netmask(unsigned prefix_len);

/* "addr/len", buf of ND_PREFIX_STRLEN; returns buf. */
char *nd_prefix_format(const struct nd_prefix *p, char *buf);
/* The prefix with its host bits cleared. */
struct nd_prefix nd_prefix_masked(const struct nd_prefix *p);
bool nd_prefix_contains(const struct nd_prefix *p, const struct nd_ip *ip);
/* One contains the other. */
bool nd_prefix_overlaps(const struct nd_prefix *a, const struct nd_prefix *b);
/* Last address of an IPv4 prefix: its broadcast address. */
struct in_addr nd_prefix_broadcast(const struct nd_prefix *p);

struct nd_uuid {
	uint8_t bytes[16];
};

/* 32 hex digits; dashes and blanks between them do not matter, as in libvirt. */
bool nd_uuid_parse(const char *text, struct nd_uuid *out);
/* Lower case with dashes, buf of ND_UUID_STRLEN; returns buf. */
char *nd_uuid_format(const struct nd_uuid *uuid, char *buf);
bool nd_uuid_equal(const struct nd_uuid *a, const struct nd_uuid *b);
bool nd_uuid_is_null(const struct nd_uuid *uuid);
/* Random, version 4 (RFC 9562 5.4). Returns 0 or -errno. */
int nd_uuid_random(struct nd_uuid *out);
