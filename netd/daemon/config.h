/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config.h -- netd.conf: "key = value" lines, '#' comments; see netd.conf(5) */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "netd/base/error.h"

/* Whether libvirt's networks are taken over at start; by default a netd does that answers where
 * virtnetworkd did. */
enum libvirt_takeover { TAKEOVER_IN_PLACE, TAKEOVER_NO, TAKEOVER_YES };

struct netd_config {
	char *group;			/* who may use the read-write socket; "": root only */
	bool access_polkit;		/* polkit decides instead of the group */
	char *polkit_prefix;		/* of its actions' names: "org.netd" */
	char *socket, *socket_ro;	/* NULL: the default places */
	bool libvirt_sockets;		/* listen where virtnetworkd does as well */
	enum libvirt_takeover libvirt_takeover;
	uid_t serve_uid_base;
	unsigned serve_uid_count;
	uid_t vmm_uid_base;
	unsigned vmm_uid_count;
	int log_level;			/* LOG_ERR ... LOG_DEBUG */
	bool persist_nft;
	bool repair;
	bool autostart;
	unsigned max_clients, max_unauthenticated, max_calls_per_client, max_message_kib;
	unsigned auth_timeout_s;
	unsigned script_timeout_s;	/* of <script> and <downscript> of guests' interfaces */
};

/* All keys at their defaults. root: as in paths_init(); instances with other roots get other uids
 * for their servers, whose limits count by uid on the whole machine. 0 or -ENOMEM with err. */
int netd_config_init(struct netd_config *c, const char *root, struct nd_error *err);
void netd_config_fini(struct netd_config *c);

/* Reads text over what c holds. Unknown keys and bad values are errors that name file and line;
 * c may be half changed then. */
int netd_config_parse(struct netd_config *c, const char *text, const char *file,
		      struct nd_error *err);
/* A missing file is fine and changes nothing, unless it must exist. */
int netd_config_load(struct netd_config *c, const char *file, bool must_exist, struct nd_error *err);
