/* SPDX-License-Identifier: GPL-2.0-or-later */
/* listen.h -- the daemon's two sockets: from systemd, or its own */
#pragma once
#include "netd/daemon/netd.h"

/*
 * Hands the read-write and the read-only listening socket to d->rpc: those that systemd passes
 * under the names netd.socket and netd-ro.socket, else new ones at the configured paths. A path on
 * which another daemon answers is an error; one that nobody answers on is replaced.
 */
int listen_all(struct netd *d, struct nd_error *err);
/* Whether libvirt's clients are to find this daemon where virtnetworkd's sockets are. Before
 * listen_all(). */
bool listen_in_place_of_libvirt(const struct netd *d);
/* Fails when a netd of these paths runs: one answers on the control socket. */
int listen_unanswered(const struct netd *d, struct nd_error *err);
/* Removes the sockets that this daemon made itself. */
void listen_end(struct netd *d);
