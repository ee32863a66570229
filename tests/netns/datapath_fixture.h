/* SPDX-License-Identifier: GPL-2.0-or-later */
/* datapath_fixture.h -- a namespace, a run directory and a small network for the datapath tests */
#pragma once
#include <check.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "datapath/datapath.h"
#include "datapath/nft_layout.h"
#include "netd/base/str.h"

#define OWNER "0e8c1d8a-9e3c-4f6e-8d4e-1a2b3c4d5e6f"
#define ALIAS "netd:" OWNER
#define OTHER_OWNER "11111111-2222-3333-4444-555555555555"

extern struct datapath *dp;
extern char run_dir[64];

static inline struct nd_prefix prefix(const char *addr, uint8_t len)
{
	struct nd_prefix p = { .len = len };

	ck_assert(nd_ip_parse(addr, &p.addr));
	return p;
}

/* A shell command as an operator would type it; its exit status. */
static inline int sh(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static inline int sh(const char *fmt, ...)
{
	char command[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	return system(command);
}

/* What a command prints, newlines as blanks; buf is static. */
static inline const char *output(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static inline const char *output(const char *fmt, ...)
{
	static char buf[16384];
	char command[1024];
	va_list ap;
	size_t n;
	FILE *f;

	va_start(ap, fmt);
	vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	f = popen(command, "r");
	ck_assert_ptr_nonnull(f);
	n = fread(buf, 1, sizeof(buf) - 1, f);
	pclose(f);
	while (n > 0 && (buf[n - 1] == '\n' || buf[n - 1] == ' '))
		n--;
	buf[n] = '\0';
	for (char *c = buf; *c; c++)
		if (*c == '\n')
			*c = ' ';
	return buf;
}

static inline void open_datapath(void)
{
	struct datapath_options opt = { .run_dir = run_dir };
	struct nd_error err = { 0 };

	ck_assert_msg(datapath_new(&opt, &dp, &err) == 0, "%s", err.text);
}

static inline void close_datapath(void)
{
	datapath_free(dp);
	dp = NULL;
}

static inline void fresh_namespace(void)
{
	strcpy(run_dir, "/tmp/netd-datapath-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(run_dir));
	ck_assert_int_eq(unshare(CLONE_NEWNET), 0);
	ck_assert_int_eq(sh("ip link set lo up"), 0);
	open_datapath();
}

static inline void end_namespace(void)
{
	close_datapath();
	sh("rm -r %s", run_dir);
}

static inline struct plan_bridge *add_bridge(struct plan *p, const char *name, const char *alias)
{
	struct plan_bridge *b = &plan_add(p, PLAN_BRIDGE)->bridge;

	snprintf(b->name, sizeof(b->name), "%s", name);
	snprintf(b->alias, sizeof(b->alias), "%s", alias);
	b->mac = (struct nd_mac){ { 0x52, 0x54, 0, 0xaa, (uint8_t)name[strlen(name) - 1], 1 } };
	b->group = 77;
	return b;
}

static inline void add_sysctl(struct plan *p, const char *path, const char *value, bool shared)
{
	struct plan_sysctl *x = &plan_add(p, PLAN_SYSCTL)->sysctl;

	snprintf(x->path, sizeof(x->path), "%s", path);
	snprintf(x->value, sizeof(x->value), "%s", value);
	x->shared = shared;
}

static inline void add_addr(struct plan *p, const char *ifname, const char *addr, uint8_t len)
{
	struct plan_addr *a = &plan_add(p, PLAN_ADDR)->addr;

	snprintf(a->ifname, sizeof(a->ifname), "%s", ifname);
	a->prefix = prefix(addr, len);
	if (a->prefix.addr.family == AF_INET)
		a->broadcast = nd_prefix_broadcast(&a->prefix);
}

static inline void add_up(struct plan *p, const char *ifname)
{
	struct plan_link_up *up = &plan_add(p, PLAN_LINK_UP)->link_up;

	snprintf(up->ifname, sizeof(up->ifname), "%s", ifname);
}

static inline struct plan_route *add_route(struct plan *p, const char *ifname, const char *dst,
					   uint8_t len, const char *gateway, uint32_t metric)
{
	struct plan_route *r = &plan_add(p, PLAN_ROUTE)->route;

	snprintf(r->ifname, sizeof(r->ifname), "%s", ifname);
	r->dst = prefix(dst, len);
	ck_assert(nd_ip_parse(gateway, &r->gateway));
	r->metric = metric;
	return r;
}

static inline struct plan_port *add_port(struct plan *p, const char *ifname, const char *bridge)
{
	struct plan_port *port = &plan_add(p, PLAN_PORT)->port;

	snprintf(port->ifname, sizeof(port->ifname), "%s", ifname);
	snprintf(port->bridge, sizeof(port->bridge), "%s", bridge);
	port->learning = port->unicast_flood = true;
	return port;
}

static inline void add_nat(struct plan *p, const char *bridge, const char *subnet, uint8_t len)
{
	struct nft_elem_fields f = { .ifname = { bridge, bridge }, .subnet = prefix(subnet, len) };

	ck_assert_int_eq(nft_plan_elem(p, NFT_CROSS, false, &f), 0);
	ck_assert_int_eq(nft_plan_elem(p, NFT_JUDGED, false, &f), 0);
	ck_assert_int_eq(nft_plan_elem(p, NFT_NAT, false, &f), 0);
	ck_assert_int_eq(nft_plan_elem(p, NFT_MASQ, false, &f), 0);
}

static inline struct plan_shaper *add_shaper(struct plan *p, const char *ifname, uint64_t rate,
					     uint64_t peak)
{
	struct plan_shaper *s = &plan_add(p, PLAN_SHAPER)->shaper;

	snprintf(s->ifname, sizeof(s->ifname), "%s", ifname);
	s->rate = rate;
	s->peak = peak;
	s->burst_bytes = plan_default_burst(rate);
	return s;
}

static inline struct plan_floor *add_floor(struct plan *p, const char *ifname, uint16_t id,
					   uint64_t rate)
{
	struct plan_floor *f = &plan_add(p, PLAN_FLOOR)->floor;

	snprintf(f->ifname, sizeof(f->ifname), "%s", ifname);
	f->class_id = id;
	f->mac = (struct nd_mac){ { 0x52, 0x54, 0, 1, 2, (uint8_t)id } };
	f->rate = rate;
	f->peak = 250000;
	return f;
}

static inline struct plan_policer *add_policer(struct plan *p, const char *ifname, uint64_t rate,
					       uint64_t burst_bytes)
{
	struct plan_policer *x = &plan_add(p, PLAN_POLICER)->policer;

	snprintf(x->ifname, sizeof(x->ifname), "%s", ifname);
	x->rate = rate;
	x->burst_bytes = burst_bytes;
	return x;
}

/* A NAT network on virbr0 with something of every kind but ports and traffic control. */
static inline struct plan *nat_network(void)
{
	struct plan *p = plan_new();
	struct plan_bridge *b = add_bridge(p, "virbr0", ALIAS);

	b->mtu_bytes = 1400;
	b->forward_delay_s = 4;
	add_sysctl(p, "net/ipv6/conf/virbr0/disable_ipv6", "0", false);
	add_sysctl(p, "net/ipv6/conf/virbr0/accept_ra", "0", false);
	add_sysctl(p, "net/ipv6/conf/virbr0/autoconf", "0", false);
	add_sysctl(p, "net/ipv4/ip_forward", "1", true);
	add_nat(p, "virbr0", "192.168.122.0", 24);
	add_addr(p, "virbr0", "192.168.122.1", 24);
	add_addr(p, "virbr0", "fd00:122::1", 64);
	add_up(p, "virbr0");
	add_route(p, "virbr0", "10.9.0.0", 16, "192.168.122.9", 7);
	add_route(p, "virbr0", "fd00:9::", 48, "fd00:122::9", 0);
	return p;
}

static inline struct plan *read_plan(const struct plan *scope, const char *owner)
{
	struct nd_error err = { 0 };
	struct plan *p = NULL;

	ck_assert_msg(datapath_read(dp, scope, owner, &p, &err) == 0, "%s", err.text);
	return p;
}

/* Applies the way from one plan to another. */
static inline int apply(const struct plan *was, const struct plan *want, const char *owner,
			struct nd_error *err)
{
	ND_AUTO(plan_free) struct plan *none = plan_new();
	ND_AUTO(plan_diff_free) struct plan_diff *d = NULL;

	ck_assert_int_eq(plan_diff(was ? was : none, want ? want : none, &d), 0);
	return datapath_apply(dp, d, owner, err);
}

static inline void must_apply(const struct plan *was, const struct plan *want, const char *owner)
{
	struct nd_error err = { 0 };

	ck_assert_msg(apply(was, want, owner, &err) == 0, "%s", err.text);
}

/* The kernel differs from the plan by these steps ("" for none). */
static inline void assert_differs(const struct plan *want, const char *owner, const char *expected)
{
	ND_AUTO(plan_free) struct plan *was = read_plan(want, owner);
	ND_AUTO(plan_diff_free) struct plan_diff *d = NULL;
	ND_AUTO(free) char *text = NULL;

	ck_assert_int_eq(plan_diff(was, want, &d), 0);
	text = plan_diff_format(d);
	ck_assert_str_eq(text, expected);
}

/* Everything that a network could leave behind, as text. */
static inline char *host_state(void)
{
	return strdup(output("ip -o -d link | sed 's/^[0-9]*: //' | grep -v '^lo:'; "
			     "ip -o addr | sed 's/^[0-9]*: //; s/ tentative//' | grep -v '^lo '; "
			     "ip route show table main; ip -6 route show table main; "
			     "tc qdisc show; for i in virbr0 veth0; do tc class show dev $i; tc filter show dev $i; done 2>/dev/null; "
			     "nft list ruleset; cat /proc/sys/net/ipv4/ip_forward "
			     "/proc/sys/net/ipv4/conf/*/forwarding "
			     "/proc/sys/net/ipv4/conf/all/accept_redirects; "
			     "find %s -type f", run_dir));
}
