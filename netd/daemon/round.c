/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/round.h"

#include <malloc.h>
#include <stdlib.h>

struct round *round_new(struct netd *d)
{
	struct round *round = calloc(1, sizeof(*round));

	if (round)
		*round = (struct round){ .netd = d, .refs = 1,
					 .ended = op_queue_ended(d->operations) };
	return round;
}

int round_look(struct round *round)
{
	int r = datapath_snapshot_new(round->netd->datapath, &round->snapshot, &round->err);

	return r < 0 ? r : datapath_snapshot_facts(round->snapshot, &round->facts, &round->err);
}

struct round *round_ref(struct round *round)
{
	round->refs++;
	return round;
}

void round_unref(struct round *round)
{
	void (*through)(struct netd *d);
	struct netd *d;

	if (!round || --round->refs)
		return;
	d = round->netd;
	through = round->through;
	datapath_snapshot_free(round->snapshot);
	host_facts_free(round->facts);
	free(round);
	(void)malloc_trim(0);		/* all that the kernel has, several times over */
	if (through)
		through(d);
}
