/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dhcp/dhcp4_pool.h"

#include <stdlib.h>
#include <string.h>

#define LEVELS 6			/* 64^6 > 2^32 */

struct range {
	uint32_t first, last;		/* addresses */
	size_t index;			/* number of the first one */
	uint32_t lease_time_s;
};

struct dhcp4_pool {
	struct range *ranges;		/* ascending, apart */
	size_t n_ranges;
	size_t size, n_untaken;
	size_t n_levels;
	uint64_t *bits[LEVELS];		/* [0]: a bit per number; [k]: a bit per full word below */
	size_t n_words[LEVELS];
};

static int range_compare(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

/* Sorts the ranges, trims what overlaps, numbers the addresses. */
static void lay_out(struct dhcp4_pool *p, const struct dhcp_config *config)
{
	size_t n = 0;

	for (size_t i = 0; i < config->n_pools; i++) {
		const struct dhcp_pool *from = &config->pools[i];

		p->ranges[n++] = (struct range){ .first = ntohl(from->start.s_addr),
						 .last = ntohl(from->end.s_addr),
						 .lease_time_s = from->lease_time_s };
	}
	qsort(p->ranges, n, sizeof(*p->ranges), range_compare);
	for (size_t i = 0; i < n; i++) {
		struct range r = p->ranges[i];

		if (p->n_ranges && r.first <= p->ranges[p->n_ranges - 1].last)
			r.first = p->ranges[p->n_ranges - 1].last + 1;
		if (r.first > r.last || r.first == 0)	/* 0: wrapped past 255.255.255.255 */
			continue;
		r.index = p->size;
		p->size += (size_t)(r.last - r.first) + 1;
		p->ranges[p->n_ranges++] = r;
	}
}

struct dhcp4_pool *dhcp4_pool_new(const struct dhcp_config *config)
{
	ND_AUTO(dhcp4_pool_free) struct dhcp4_pool *p = calloc(1, sizeof(*p));

	if (!p || !(p->ranges = calloc(config->n_pools + 1, sizeof(*p->ranges))))
		return NULL;
	lay_out(p, config);
	p->n_untaken = p->size;
	for (size_t bits = p->size; p->n_levels < LEVELS; bits = p->n_words[p->n_levels++]) {
		size_t words = (bits + 63) / 64, k = p->n_levels;

		p->n_words[k] = words;
		p->bits[k] = calloc(words + 1, sizeof(uint64_t));
		if (!p->bits[k])
			return NULL;
		if (bits % 64)		/* what is beyond the end counts as taken */
			p->bits[k][words - 1] = ~(uint64_t)0 << bits % 64;
		if (words <= 1) {
			p->n_levels++;
			break;
		}
	}
	return nd_take_ptr(&p);
}

void dhcp4_pool_free(struct dhcp4_pool *p)
{
	if (!p)
		return;
	for (size_t k = 0; k < LEVELS; k++)
		free(p->bits[k]);
	free(p->ranges);
	free(p);
}

size_t dhcp4_pool_size(const struct dhcp4_pool *p)
{
	return p->size;
}

/* The last range that starts at or below the address or number; NULL when there is none. */
static const struct range *range_of_address(const struct dhcp4_pool *p, uint32_t address)
{
	size_t low = 0, high = p->n_ranges;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (p->ranges[mid].first <= address)
			low = mid + 1;
		else
			high = mid;
	}
	return low ? &p->ranges[low - 1] : NULL;
}

static const struct range *range_of_index(const struct dhcp4_pool *p, size_t index)
{
	size_t low = 0, high = p->n_ranges;

	while (low + 1 < high) {
		size_t mid = (low + high) / 2;

		if (p->ranges[mid].index <= index)
			low = mid;
		else
			high = mid;
	}
	return &p->ranges[low];
}

size_t dhcp4_pool_index(const struct dhcp4_pool *p, struct in_addr address)
{
	uint32_t a = ntohl(address.s_addr);
	const struct range *r = range_of_address(p, a);

	return r && a <= r->last ? r->index + (a - r->first) : DHCP4_POOL_NONE;
}

struct in_addr dhcp4_pool_address(const struct dhcp4_pool *p, size_t index)
{
	const struct range *r = range_of_index(p, index);

	return (struct in_addr){ htonl(r->first + (uint32_t)(index - r->index)) };
}

uint32_t dhcp4_pool_lease_time_s(const struct dhcp4_pool *p, size_t index)
{
	return range_of_index(p, index)->lease_time_s;
}

void dhcp4_pool_set_taken(struct dhcp4_pool *p, size_t index, bool taken)
{
	uint64_t bit = (uint64_t)1 << index % 64;

	if (!!(p->bits[0][index / 64] & bit) == taken)
		return;
	p->n_untaken += taken ? (size_t)-1 : 1;
	for (size_t k = 0; k < p->n_levels; k++) {
		uint64_t *word = &p->bits[k][index / 64];
		bool was_full = *word == ~(uint64_t)0;

		bit = (uint64_t)1 << index % 64;
		if (taken)
			*word |= bit;
		else
			*word &= ~bit;
		/* The level above changes only when this word becomes full or stops being it. */
		if (was_full == (*word == ~(uint64_t)0))
			return;
		index /= 64;
	}
}

size_t dhcp4_pool_n_untaken(const struct dhcp4_pool *p)
{
	return p->n_untaken;
}

/* The first untaken number from start to the end. */
static size_t find_from(const struct dhcp4_pool *p, size_t start)
{
	size_t at = start, k = 0;

	while (k < p->n_levels) {
		size_t word = at / 64;
		uint64_t clear = word < p->n_words[k] ?
			~p->bits[k][word] & ~(uint64_t)0 << at % 64 : 0;

		if (!clear) {
			at = word + 1;	/* nothing in this word: look behind it, one level up */
			k++;
			continue;
		}
		at = word * 64 + (size_t)__builtin_ctzll(clear);
		if (k == 0)
			return at;
		at *= 64;
		k--;
	}
	return DHCP4_POOL_NONE;
}

size_t dhcp4_pool_find_untaken(const struct dhcp4_pool *p, size_t start)
{
	size_t found = find_from(p, start);

	return found != DHCP4_POOL_NONE ? found : find_from(p, 0);
}
