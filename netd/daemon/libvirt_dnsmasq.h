/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libvirt_dnsmasq.h -- the dnsmasq processes that libvirt left running, and their end
 *
 * libvirt runs one for each network, by --conf-file=.../NAME.conf, and with it a helper that has
 * the same command line and writes the leases: it ends when it has written the last one.
 */
#pragma once
#include "netd/base/auto.h"
#include "netd/base/error.h"

struct libvirt_dnsmasqs;

/* Looks for every dnsmasq of this process namespace that runs on a file of the folder. A folder
 * that is not there has none. */
int libvirt_dnsmasqs_find(const char *conf_dir, struct libvirt_dnsmasqs **out,
			  struct nd_error *err);
void libvirt_dnsmasqs_free(struct libvirt_dnsmasqs *l);		/* NULL is fine */
ND_DEFINE_AUTO(struct libvirt_dnsmasqs *, libvirt_dnsmasqs_free)

/*
 * Ends those of the network and waits until they have: they answer nobody then, their ports are
 * free and their leases written. Returns how many processes there were, or -ETIMEDOUT (they were
 * asked to end, and have not within timeout_ms) or another negative errno, with err.
 */
int libvirt_dnsmasqs_end(const struct libvirt_dnsmasqs *l, const char *network, int timeout_ms,
			 struct nd_error *err);
