/* SPDX-License-Identifier: GPL-2.0-or-later */
/* auto.h -- memory and descriptors that clean up after themselves
 *
 *	ND_AUTO(close) int fd = open(...);
 *	ND_AUTO(free) char *text = strdup(...);
 *
 * Only memory and descriptors: kernel objects are backed out by the plan.
 */
#pragma once
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ND_AUTO(fn) __attribute__((cleanup(nd_auto_##fn)))

/* Makes ND_AUTO(fn) work for pointers of the given type: ND_DEFINE_AUTO(struct net *, net_free); */
#define ND_DEFINE_AUTO(type, fn) \
	static inline void nd_auto_##fn(type *p) \
	{ \
		if (*p) \
			fn(*p); \
	}

static inline void nd_auto_free(void *p)
{
	free(*(void **)p);
}

static inline void nd_auto_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void nd_auto_fclose(FILE **f)
{
	if (*f)
		fclose(*f);
}

/* Moves a descriptor out of its ND_AUTO variable. */
static inline int nd_take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

/* Moves a pointer out of its ND_AUTO variable. */
#define nd_take_ptr(pp) \
	({ \
		__typeof__(*(pp)) nd_taken = *(pp); \
		*(pp) = NULL; \
		nd_taken; \
	})

#define ND_COUNT(array) (sizeof(array) / sizeof((array)[0]))
