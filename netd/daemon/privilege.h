/* SPDX-License-Identifier: GPL-2.0-or-later */
/* privilege.h -- what root may still do in the daemon */
#pragma once
#include "netd/base/error.h"

/* Keeps the capabilities that the daemon needs and gives up all others, for the whole process and
 * for what it executes. Before any thread that needs fewer is started; nothing to do without root. */
int privilege_reduce(struct nd_error *err);
