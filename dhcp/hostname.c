/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dhcp/hostname.h"

#include <string.h>

static bool legal(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		c == '-' || c == '_';
}

void hostname_legalise(const void *bytes, size_t len, char out[HOSTNAME_SIZE])
{
	const uint8_t *from = bytes;
	size_t n = 0;

	out[0] = '\0';
	while (n < len && from[n] && from[n] != '.')	/* some clients send a NUL at the end */
		if (!legal(from[n++]))
			return;
	if (n == 0 || n >= HOSTNAME_SIZE || from[0] == '-' || from[n - 1] == '-')
		return;
	memcpy(out, from, n);
	out[n] = '\0';
}

void hostname_lower(const char *text, char out[HOSTNAME_SIZE])
{
	size_t n = 0;

	for (; text[n] && n < HOSTNAME_SIZE - 1; n++)
		out[n] = text[n] >= 'A' && text[n] <= 'Z' ? text[n] + ('a' - 'A') : text[n];
	out[n] = '\0';
}

void hostname_encode_labels(const char *dotted, struct wr *w)
{
	while (*dotted) {
		size_t len = strcspn(dotted, ".");

		if (len == 0 || len > 63)
			w->full = true;
		wr_u8(w, len);
		wr_bytes(w, dotted, len);
		dotted += len;
		if (*dotted == '.')
			dotted++;
	}
	wr_u8(w, 0);
}
