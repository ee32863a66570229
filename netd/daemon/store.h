/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store.h -- what netd keeps in files: definitions, autostart links, live state, ports
 *
 * Definitions and links are on disk and survive a power cut whole. Live state is in /run: a file
 * there means "this network runs", and is written as the last step of a start and removed as the
 * first of a stop, so that after a crash what has no file is a leftover.
 *
 * All calls that write are made on the worker thread.
 */
#pragma once
#include <net/if.h>
#include <sys/types.h>

#include "netd/daemon/paths.h"
#include "netd/model/network.h"
#include "netd/model/port.h"

struct store;

int store_new(const struct paths *paths, struct store **out, struct nd_error *err);
void store_free(struct store *s);
ND_DEFINE_AUTO(struct store *, store_free)

int store_write_definition(struct store *s, const struct net_def *def, struct nd_error *err);
int store_remove_definition(struct store *s, const char *name, struct nd_error *err);
int store_set_autostart(struct store *s, const char *name, bool on, struct nd_error *err);

int store_write_live(struct store *s, const struct net_def *live, struct nd_error *err);
int store_remove_live(struct store *s, const char *name, struct nd_error *err);

/* What else a port file holds beside the document. */
struct port_state {
	char ifname[IFNAMSIZ];		/* "": its VMM has no TAP on the bridge yet */
	bool plugged;			/* by net-plug: the TAP is netd's own */
};

int store_write_port(struct store *s, const struct nd_uuid *net, const struct port_def *port,
		     const struct port_state *state, struct nd_error *err);
int store_remove_port(struct store *s, const struct nd_uuid *net, const struct nd_uuid *port,
		      struct nd_error *err);
/* All ports of the network, and their directory. */
int store_remove_ports(struct store *s, const struct nd_uuid *net, struct nd_error *err);

/*
 * The start of the day: every readable document is handed over (taken by the callback); broken
 * ones are logged with path and line, and skipped.
 */
struct store_loader {
	void *arg;
	void (*definition)(void *arg, struct net_def *def, bool autostart);
	void (*live)(void *arg, struct net_def *def);
};

/* Either callback may be NULL: then those documents are not read. Returns how many were skipped. */
unsigned store_load(struct store *s, const struct store_loader *loader);
/* Ports of networks that do not run go. */
void store_sweep_ports(struct store *s, bool (*wanted)(void *arg, const struct nd_uuid *uuid),
		       void *arg);
/* Removes what a crash left of half-written files. Before anything is written. */
void store_sweep(struct store *s);
unsigned store_load_ports(struct store *s, const struct nd_uuid *net,
			  void (*port)(void *arg, struct port_def *def,
				       const struct port_state *state),
			  void *arg);

/* One boot starts the autostart networks once: noted when all that are to be started were. */
bool store_has_autostarted(struct store *s);
void store_note_autostarted(struct store *s);

/*
 * A store over the folders of another program that keeps its files so (libvirt), to read them:
 * folders that are not there are empty. Nothing is written through it, but see
 * store_forget_left().
 */
int store_open_left(const struct paths *paths, struct store **out, struct nd_error *err);
/* The ports of a running network there; returns how many files were skipped. */
unsigned store_load_left_ports(struct store *s, const char *name,
			       void (*port)(void *arg, struct port_def *def,
					    const struct port_state *state),
			       void *arg);
/* Whether a network runs there, by its live file. */
bool store_is_left(struct store *s, const char *name);
/* The network does not run there any more: its live file, pid file and ports go. */
int store_forget_left(struct store *s, const char *name, struct nd_error *err);
