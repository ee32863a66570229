/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sysctl.h -- kernel settings below /proc/sys, and the keeper of those that networks share
 *
 * A shared setting (net/ipv4/ip_forward) is held by any number of owners. The first holder
 * notes the value that was there, the last puts it back, unless somebody else has changed it
 * meanwhile: then it is theirs. Notes and holders are files, written before the setting is, so
 * that a killed netd's successor puts back what its predecessor changed:
 *
 *	RUN_DIR/sysctl/net:ipv4:ip_forward/.saved	"0 1\n": what was, what netd wrote
 *	RUN_DIR/sysctl/net:ipv4:ip_forward/OWNER	empty
 *
 * Writing a global forwarding switch changes others with it: net.ipv4.ip_forward (also known as
 * net.ipv4.conf.all.forwarding) sets the forwarding of every interface and of "default", and
 * turns net.ipv4.conf.all.accept_redirects the other way; net.ipv6.conf.all.forwarding and
 * force_forwarding set theirs on every interface. So the note also lists each such setting that
 * turning the switch back would leave different from what it was, and putting back restores it,
 * unless somebody changed it meanwhile. Settings that networks still hold or that netd has
 * written for its own bridges are written again after every turn of a switch. What cannot be
 * known: that somebody else asked for forwarding while it was on for netd's sake; such a wish
 * changes nothing, so it leaves no trace, and forwarding goes off with the last network.
 *
 * One thread at a time; the files belong to one netd.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "netd/base/auto.h"
#include "netd/base/error.h"

enum { SYSCTL_VALUE_MAX = 32 };

struct sysctl_keeper;

/* run_fd: RUN_DIR; borrowed, must stay open. Reads what an earlier netd noted. */
int sysctl_keeper_new(int run_fd, struct sysctl_keeper **out, struct nd_error *err);
/* Frees memory; holds stay. NULL is fine. */
void sysctl_keeper_free(struct sysctl_keeper *k);
ND_DEFINE_AUTO(struct sysctl_keeper *, sysctl_keeper_free)

/* The value without its newline; 0 or -errno. path: "net/ipv4/ip_forward". */
int sysctl_read(const struct sysctl_keeper *k, const char *path, char buf[SYSCTL_VALUE_MAX]);

/* Writes the value and holds it for owner, who may hold it already (then it is only written
 * again). Refuses when others hold the setting at another value. */
int sysctl_hold(struct sysctl_keeper *k, const char *path, const char *value, const char *owner,
		struct nd_error *err);
/* Nothing happens when owner does not hold it. */
int sysctl_release(struct sysctl_keeper *k, const char *path, const char *owner,
		   struct nd_error *err);
bool sysctl_is_held(const struct sysctl_keeper *k, const char *path, const char *owner);

/* Writes the value, whoever holds the setting. */
int sysctl_write(struct sysctl_keeper *k, const char *path, const char *value,
		 struct nd_error *err);
/* A setting that dies with its interface: written and remembered, never put back. */
int sysctl_set(struct sysctl_keeper *k, const char *path, const char *value, struct nd_error *err);
/* The setting has the value and is netd's (found at restart): remember it. 0 or -ENOMEM. */
int sysctl_note(struct sysctl_keeper *k, const char *path, const char *value);
void sysctl_forget(struct sysctl_keeper *k, const char *path);
