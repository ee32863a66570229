/* SPDX-License-Identifier: GPL-2.0-or-later */
/* intent.h -- a note that a bridge is about to be made, kept until the bridge carries its alias
 *
 * The kernel takes a link's alias only after the link exists. If netd dies between the two
 * requests, the note with the bridge's MAC and group proves whose bridge it is.
 */
#pragma once
#include "datapath/link.h"
#include "datapath/plan.h"

/* run_fd: the directory that holds the intents/ folder, made when missing. */
int intent_write(int run_fd, const struct plan_bridge *b, struct nd_error *err);
/* A note that announces just this bridge is there. */
bool intent_exists(int run_fd, const struct plan_bridge *b);
/* The link has no alias yet and is the one that a note for this bridge announced. */
bool intent_proves(int run_fd, const struct plan_bridge *b, const struct link_info *link);
/* Removes the notes about bridges that are not there, or have an alias by now. */
int intent_prune(int run_fd, struct nl *nl, struct nd_error *err);
/* No error when there is none. */
int intent_remove(int run_fd, const char *name, struct nd_error *err);
