/* SPDX-License-Identifier: GPL-2.0-or-later */
/* array.h -- growing arrays kept as `T *items; size_t n;` in the struct that owns them
 *
 * Room grows by doubling at powers of two, so no capacity is stored.
 */
#pragma once
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static inline int nd_array_grow(void **items, size_t n, size_t item_size)
{
	void *p;

	if (n && (n & (n - 1)))
		return 0;
	p = reallocarray(*items, n ? n * 2 : 1, item_size);
	if (!p)
		return -ENOMEM;
	*items = p;
	return 0;
}

/* Appends a zeroed item; the pointer to it, or NULL when out of memory. */
#define nd_array_add(items, n) \
	({ \
		__typeof__(*(items)) *nd_new_item = NULL; \
		if (nd_array_grow((void **)&(items), (n), sizeof(*(items))) == 0) { \
			nd_new_item = &(items)[(n)++]; \
			memset(nd_new_item, 0, sizeof(*nd_new_item)); \
		} \
		nd_new_item; \
	})

/* Removes item i (already cleaned up by the caller), keeping the order. */
#define nd_array_remove(items, n, i) \
	do { \
		memmove(&(items)[i], &(items)[(i) + 1], ((n) - (i) - 1) * sizeof(*(items))); \
		(n)--; \
	} while (0)
