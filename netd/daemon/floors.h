/* SPDX-License-Identifier: GPL-2.0-or-later */
/* floors.h -- the guaranteed shares of a network's guests, and the numbers of their classes */
#pragma once
#include "netd/daemon/network.h"

/*
 * Gives the port's bandwidth the lowest number that no other port has where it has a floor, or lets
 * it keep its own; takes the number away where it has none. Refuses what the network cannot
 * guarantee. except: the port's predecessor, or NULL. announced: the port of a guest that runs
 * already: never refused, but without a number where there is nothing to guarantee.
 */
int floors_claim(const struct network *net, const struct port *except, bool announced,
		 struct bandwidth_def *bandwidth, struct nd_error *err);
