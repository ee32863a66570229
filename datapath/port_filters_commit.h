/* SPDX-License-Identifier: GPL-2.0-or-later */
/* port_filters_commit.h -- the one transaction that leads from what table "bridge netd" holds to what it shall
 *
 * Private to the port filters' engine.
 */
#pragma once
#include "datapath/port_filters_table.h"

/* A port that is not as it shall be. */
struct filter_change {
	struct filter_table_port *was;	/* borrowed; NULL: there is none */
	struct filter_table_port *now;	/* NULL: it goes */
};

struct filter_changes {
	struct filter_change *items;
	size_t n;
	size_t n_ports;			/* that have rules afterwards, unchanged ones too; 0: the table goes */
	bool rebuild;			/* the table is made anew, and every port is a change without `was` */
};

/* Writes the transaction, of which the labels borrow from the changes. persist: with the flags owner and
 * persist. 0 or -ENOMEM. */
int filter_transition(struct nft_tx *tx, const struct filter_table *t, const struct filter_changes *c,
		      bool persist);
