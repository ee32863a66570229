/* SPDX-License-Identifier: GPL-2.0-or-later */
/* update_entry.h -- how the sections of an update change their entries (private to update*.c) */
#pragma once
#include "netd/model/elements.h"
#include "netd/model/update.h"

/* One change: the copy that is changed and what is to be done. */
struct update {
	struct net_def *def;
	enum net_update_command command;
	int parent_index;
	struct nd_error *err;
};

union entry {
	struct dhcp_host dhcp_host;
	struct dhcp_range dhcp_range;
	struct forward_interface interface;
	struct portgroup_def portgroup;
	struct dns_host dns_host;
	struct dns_txt dns_txt;
	struct dns_srv dns_srv;
};

/* A growing array inside the definition. */
struct list {
	const struct xml_elem *elem;
	void **items;
	size_t *n;
};

#define LIST(elem_, array, count) ((struct list){ &(elem_), (void **)&(array), &(count) })

#define INVALID ND_ERR_OPERATION_INVALID
#define NOT_FOUND ((size_t)-1)

/* True for both commands that add. */
bool update_adds(const struct update *u);

/* Puts the entry first or last, as the command says; it is empty afterwards. */
int list_add(const struct update *u, const struct list *l, union entry *e);
void list_remove(const struct list *l, size_t i);
void list_replace(const struct list *l, size_t i, union entry *e);
/* The first entry that matches, or NOT_FOUND; *more: whether another one does. */
size_t list_find(const struct list *l, const union entry *e,
		 bool (*matches)(const void *item, const union entry *e), bool *more);

/* The two usual errors; what: "dhcp host entry" and the like. */
int update_exists(const struct update *u, const char *what, const struct xml_elem *elem,
		  const union entry *e);
int update_not_there(const struct update *u, const char *what);

/* One function per section: checks the entry and changes u->def. */
int update_dhcp_host(const struct update *u, union entry *e);
int update_dhcp_range(const struct update *u, union entry *e);
int update_forward_interface(const struct update *u, union entry *e);
int update_portgroup(const struct update *u, union entry *e);
int update_dns_host(const struct update *u, union entry *e);
int update_dns_txt(const struct update *u, union entry *e);
int update_dns_srv(const struct update *u, union entry *e);
