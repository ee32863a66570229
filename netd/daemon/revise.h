/* SPDX-License-Identifier: GPL-2.0-or-later */
/* revise.h -- net-update and net-metadata: asked for here, told when done (see lifecycle.h) */
#pragma once
#include "netd/daemon/lifecycle.h"
#include "netd/model/update.h"

/* Which documents; 0: the live one of an active network, else the definition. */
enum { AFFECT_LIVE = 1, AFFECT_CONFIG = 2 };

int affected(const struct network *net, unsigned flags, bool *live, bool *config,
	     struct nd_error *err);

struct entry_revision {
	int command, section, parent_index;
	const char *xml;
	unsigned flags;
};

int revise_entry(struct netd *d, struct network *net, const struct entry_revision *e,
		 change_done done, void *arg, struct nd_error *err);

struct metadata_revision {
	int type;
	const char *text, *key, *uri;	/* may be NULL */
	unsigned flags;
};

int revise_metadata(struct netd *d, struct network *net, const struct metadata_revision *m,
		    change_done done, void *arg, struct nd_error *err);
