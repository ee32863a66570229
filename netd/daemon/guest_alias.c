/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest_alias.c -- what a guest's devices are called where their document does not say */
#include <stdio.h>
#include <stdlib.h>

#include "netd/base/str.h"
#include "netd/daemon/guest_change.h"

static int give_alias(struct dom_info *info, const char *prefix, const char *rest,
		      struct nd_error *err)
{
	if (info->alias)
		return 0;
	if (asprintf(&info->alias, "%s%s", prefix, rest) >= 0)
		return 0;
	info->alias = NULL;
	return nd_error_nomem(err);
}

static bool alias_taken(const struct dom_def *def, const char *alias)
{
	for (size_t i = 0; i < def->n_nics; i++)
		if (def->nics[i].info.alias && nd_streq(def->nics[i].info.alias, alias))
			return true;
	return false;
}

int guest_name_devices(struct dom_def *live, struct nd_error *err)
{
	char alias[32];
	unsigned next = 0;
	int r = 0;

	for (size_t i = 0; i < live->n_nics && r == 0; i++) {
		if (live->nics[i].info.alias)
			continue;
		do	/* of NICs that came and went the numbers are not in order */
			snprintf(alias, sizeof(alias), "net%u", next++);
		while (alias_taken(live, alias));
		r = give_alias(&live->nics[i].info, alias, "", err);
	}
	for (size_t i = 0; i < live->n_disks && r == 0; i++)
		r = give_alias(&live->disks[i].info, "virtio-disk-", live->disks[i].target, err);
	for (size_t i = 0; i < live->n_rngs && r == 0; i++)
		r = give_alias(&live->rngs[i].info, "rng", "0", err);
	for (size_t i = 0; i < live->n_serials && r == 0; i++)
		r = give_alias(&live->serials[i].info, "serial", "0", err);
	for (size_t i = 0; i < live->n_consoles && r == 0; i++)
		r = give_alias(&live->consoles[i].info, "serial", "0", err);
	return r;
}
