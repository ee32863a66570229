/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bridge_policy.h -- bridge.conf: whose programs may plug themselves into which networks
 *
 * As QEMU's bridge helper reads its own file of that name, and with users and groups beside:
 *
 *	allow|deny NETWORK|BRIDGE|all [user NAME|UID | group NAME|GID]
 *
 * What no line allows is denied, and what any line denies too, whatever their order.
 */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

#include "netd/base/error.h"

struct bridge_asker {
	uid_t uid;
	bool (*in_group)(void *arg, gid_t group);
	void *arg;
	const char *network, *bridge;	/* what is asked for; bridge may be NULL */
};

/* 0: allowed. Else negative with err: ND_ERR_ACCESS_DENIED, also for a file with a line that cannot
 * be read, which err names. file is for messages. */
int bridge_policy_judge(const char *text, const char *file, const struct bridge_asker *who,
			struct nd_error *err);
