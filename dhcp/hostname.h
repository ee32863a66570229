/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hostname.h -- the names that DHCP clients send, made fit for DNS */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netd/base/cursor.h"

#define HOSTNAME_SIZE 64		/* one label (RFC 1035 2.3.4) and NUL */

/*
 * The first label of what a client sent (option 12, or the text form of option 81): letters,
 * digits, '-' and '_', neither starting nor ending with '-'. out is "" when it is anything else.
 */
void hostname_legalise(const void *bytes, size_t len, char out[HOSTNAME_SIZE]);

/* ASCII lower case; text longer than a label is cut. */
void hostname_lower(const char *text, char out[HOSTNAME_SIZE]);

/* Writes dotted text as labels in wire form with the root at the end (RFC 1035 3.1); a label
 * that is empty or too long makes w full. */
void hostname_encode_labels(const char *dotted, struct wr *w);
