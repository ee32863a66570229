/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dns/random.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

void dns_random_bytes(struct dns_random *r, void *out, size_t n)
{
	if (n > sizeof(r->bytes))
		abort();
	if (r->left < n) {
		if (getrandom(r->bytes, sizeof(r->bytes), 0) != sizeof(r->bytes))
			abort();
		r->left = sizeof(r->bytes);
	}
	r->left -= n;
	memcpy(out, r->bytes + r->left, n);
}
