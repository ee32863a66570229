/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest_metadata.h -- title, description and <metadata> of a guest: asked for here, told when done */
#pragma once
#include "netd/daemon/guest_life.h"
#include "netd/model/metadata.h"

struct guest_metadata_change {
	int type;			/* enum metadata_type */
	const char *text, *key, *uri;	/* as metadata_set(); borrowed */
	bool live, config;
};

/* 0: done hears of it. */
int guest_set_metadata(struct guest *g, const struct guest_metadata_change *what, guest_done done, void *arg,
		       struct nd_error *err);
/* The text, which the caller frees; ND_ERR_NO_DOMAIN_METADATA when there is none. */
int guest_get_metadata(const struct dom_def *def, int type, const char *uri, char **out,
		       struct nd_error *err);
