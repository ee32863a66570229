/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bench_datapath [NETWORKS] [PORTS] -- what the kernel's side of starts, plugs and ends costs
 * bench_datapath --steps -- for each line on its input: starts one network, prints the milliseconds, ends it
 *
 * In a network namespace of its own, as root, without daemon and client: starts networks, compares
 * them all as a restart does, plugs TAPs, ends single networks and many, beside what `ip` takes for
 * the same; and how long another user of rtnetlink waits while many bridges go.
 */
#include <linux/if_link.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "datapath/datapath.h"
#include "datapath/nft_layout.h"
#include "datapath/nl.h"

enum { MANY = 200, SAMPLES = 20 };

static struct nd_error err;

struct network {
	struct plan *plan;
	char owner[16];
};

static void check(int r, const char *what)
{
	if (r >= 0)
		return;
	fprintf(stderr, "%s: %s\n", what, err.text);
	exit(1);
}

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void sleep_ms(long ms)
{
	nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 }, NULL);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void print_times(const char *what, double *ms, size_t n)
{
	qsort(ms, n, sizeof(*ms), by_value);
	printf("%-44s median %8.2f ms   p99 %8.2f ms   worst %8.2f ms\n", what, ms[n / 2],
	       ms[(n * 99 + 99) / 100 - 1], ms[n - 1]);
}

static void add_sysctl(struct plan *p, const char *value, bool shared, const char *fmt,
		       const char *bridge)
{
	struct plan_sysctl *x = &plan_add(p, PLAN_SYSCTL)->sysctl;

	snprintf(x->path, sizeof(x->path), fmt, bridge);
	snprintf(x->value, sizeof(x->value), "%s", value);
	x->shared = shared;
}

/* A NAT network with one IPv4 subnet. */
static struct network make_network(unsigned i)
{
	static const enum nft_class classes[] = { NFT_CROSS, NFT_JUDGED, NFT_NAT, NFT_MASQ };
	struct network net = { .plan = plan_new() };
	struct plan_bridge *b = &plan_add(net.plan, PLAN_BRIDGE)->bridge;
	struct nft_elem_fields f = { .subnet = { .len = 24 } };
	struct plan_addr *a;
	char name[IFNAMSIZ], text[32];

	snprintf(name, sizeof(name), "virbr%u", i);
	snprintf(net.owner, sizeof(net.owner), "%u", i);
	memcpy(b->name, name, sizeof(name));
	snprintf(b->alias, sizeof(b->alias), "netd:%u", i);
	b->mac = (struct nd_mac){ { 0x52, 0x54, 0, 1, (uint8_t)(i >> 8), (uint8_t)i } };
	add_sysctl(net.plan, "1", false, "net/ipv6/conf/%s/disable_ipv6", name);
	add_sysctl(net.plan, "0", false, "net/ipv6/conf/%s/accept_ra", name);
	add_sysctl(net.plan, "0", false, "net/ipv6/conf/%s/autoconf", name);
	add_sysctl(net.plan, "1", true, "net/ipv4/ip_forward%.0s", name);
	snprintf(text, sizeof(text), "10.%u.%u.1", i / 250, i % 250);
	(void)nd_ip_parse(text, &f.subnet.addr);
	f.ifname[0] = f.ifname[1] = name;
	for (size_t k = 0; k < ND_COUNT(classes); k++)
		check(nft_plan_elem(net.plan, classes[k], false, &f), "plan");
	a = &plan_add(net.plan, PLAN_ADDR)->addr;
	memcpy(a->ifname, name, sizeof(name));
	a->prefix = f.subnet;
	a->broadcast = nd_prefix_broadcast(&f.subnet);
	memcpy(plan_add(net.plan, PLAN_LINK_UP)->link_up.ifname, name, sizeof(name));
	return net;
}

static void change(struct datapath *dp, const struct network *net, bool up)
{
	ND_AUTO(plan_free) struct plan *none = plan_new();
	ND_AUTO(plan_diff_free) struct plan_diff *d = NULL;

	check(plan_diff(up ? none : net->plan, up ? net->plan : none, &d), "diff");
	check(datapath_apply(dp, d, net->owner, &err), "apply");
}

static double timed_change(struct datapath *dp, const struct network *net, bool up)
{
	double start = now_ms();

	change(dp, net, up);
	return now_ms() - start;
}

static double timed_command(const char *command)
{
	double start = now_ms();

	if (system(command) != 0)
		fprintf(stderr, "failed: %s\n", command);
	return now_ms() - start;
}

static void bench_starts(struct datapath *dp, const struct network *nets, size_t n)
{
	double *ms = calloc(n, sizeof(*ms));
	double facts[SAMPLES];

	for (size_t i = 0; i < n; i++)
		ms[i] = timed_change(dp, &nets[i], true);
	printf("the very first start: %.2f ms\n", ms[0]);
	if (n > 2 * SAMPLES + 1) {
		print_times("start of the next 20 networks", ms + 1, SAMPLES);
		print_times("start of the last 20 networks", ms + n - SAMPLES, SAMPLES);
	}
	for (size_t i = 0; i < SAMPLES; i++) {
		ND_AUTO(host_facts_free) struct host_facts *f = NULL;
		double start = now_ms();

		check(datapath_facts(dp, &f, &err), "facts");
		facts[i] = now_ms() - start;
	}
	print_times("facts about the host", facts, SAMPLES);
	free(ms);
}

static void bench_restart(struct datapath *dp, const struct network *nets, size_t n)
{
	ND_AUTO(datapath_snapshot_free) struct datapath_snapshot *s = NULL;
	double start = now_ms(), dumped;
	size_t steps = 0;

	check(datapath_snapshot_new(dp, &s, &err), "snapshot");
	dumped = now_ms();
	for (size_t i = 0; i < n; i++) {
		ND_AUTO(plan_free) struct plan *was = NULL;
		ND_AUTO(plan_diff_free) struct plan_diff *d = NULL;

		check(datapath_snapshot_read(s, nets[i].plan, nets[i].owner, &was, &err), "read");
		check(plan_diff(was, nets[i].plan, &d), "diff");
		steps += d->n;
	}
	printf("restart with %zu networks: dump %.1f ms, compare %.1f ms (%zu differences)\n", n,
	       dumped - start, now_ms() - dumped, steps);
}

static void bench_plugs(struct datapath *dp, const struct network *net, size_t n)
{
	double *plug = calloc(n, sizeof(*plug)), *unplug = calloc(n, sizeof(*unplug));
	char (*names)[IFNAMSIZ] = calloc(n, sizeof(*names));
	struct tap_options opt = { .name = "vnet%d", .owner_uid = (uid_t)-1, .queues = 1,
				   .vnet_hdr = true, .persist = true };
	ND_AUTO(plan_free) struct plan *none = plan_new();

	for (size_t i = 0; i < n; i++) {
		ND_AUTO(plan_free) struct plan *p = plan_new();
		ND_AUTO(plan_diff_free) struct plan_diff *d = NULL;
		struct plan_port *port = &plan_add(p, PLAN_PORT)->port;
		double start = now_ms();
		int fd;

		check(datapath_tap_create(dp, &opt, names[i], &fd, &err), "tap");
		close(fd);
		memcpy(port->ifname, names[i], IFNAMSIZ);
		memcpy(port->bridge, net->plan->items[0].bridge.name, IFNAMSIZ);
		port->up = port->learning = port->unicast_flood = true;
		check(plan_diff(none, p, &d), "diff");
		check(datapath_apply(dp, d, net->owner, &err), "plug");
		plug[i] = now_ms() - start;
	}
	for (size_t i = 0; i < n; i++) {
		double start = now_ms();

		check(datapath_tap_delete(dp, names[i], &err), "tap");
		unplug[i] = now_ms() - start;
	}
	print_times("plug of a TAP", plug, n);
	print_times("unplug of a TAP", unplug, n);
	free(plug);
	free(unplug);
	free(names);
}

static void bench_ends(struct datapath *dp, struct network *nets)
{
	double own[SAMPLES], kernel[SAMPLES];

	for (int i = 0; i < SAMPLES; i++) {
		own[i] = timed_change(dp, &nets[i], false);
		sleep_ms(60);	/* the kernel finishes what the end did not wait for */
		(void)timed_command("ip link add bench0 type bridge && ip addr add 172.30.0.1/24 dev bench0"
				    " && ip link set bench0 up");
		kernel[i] = timed_command("ip link del bench0");
		change(dp, &nets[i], true);
	}
	print_times("end of one network", own, SAMPLES);
	print_times("  ip link del of one bridge", kernel, SAMPLES);
	printf("  ratio of the medians: %.2f\n", own[SAMPLES / 2] / kernel[SAMPLES / 2]);
}

/* Another user of rtnetlink: now and then a change that takes no time by itself. */
struct neighbour {
	atomic_bool stop;
	double worst_ms;
};

static void *be_neighbour(void *arg)
{
	struct neighbour *other = arg;
	struct nl *nl;

	if (nl_new(NETLINK_ROUTE, &nl, NULL) < 0)
		return NULL;
	while (!atomic_load(&other->stop)) {
		ND_AUTO(nl_batch_fini) struct nl_batch b = { 0 };
		struct ifinfomsg lo = { .ifi_index = 1 };
		double start = now_ms(), took;

		nl_put_str(nl_batch_add(&b, RTM_NEWLINK, 0, &lo, sizeof(lo), "name lo"), IFLA_IFALIAS,
			   "x");
		(void)nl_batch_run(nl, &b, 0);	/* only its time matters */
		took = now_ms() - start;
		other->worst_ms = took > other->worst_ms ? took : other->worst_ms;
		sleep_ms(2);
	}
	nl_free(nl);
	return NULL;
}

static void bench_many_ends(struct datapath *dp, struct network *nets)
{
	static struct plan_bridge bridges[MANY];
	struct neighbour other = { 0 };
	double start, bridges_ms, all_ms, kernel_ms;
	pthread_t thread;

	(void)timed_command("for i in $(seq 200); do echo link add g$i group 4242 up type bridge; done |"
			    " ip -batch -");
	kernel_ms = timed_command("ip link del group 4242");
	for (int i = 0; i < MANY; i++)
		bridges[i] = nets[i].plan->items[0].bridge;
	pthread_create(&thread, NULL, be_neighbour, &other);
	start = now_ms();
	check(datapath_delete_bridges(dp, bridges, MANY, &err), "delete");
	bridges_ms = now_ms() - start;
	for (int i = 0; i < MANY; i++)
		change(dp, &nets[i], false);
	all_ms = now_ms() - start;
	atomic_store(&other.stop, true);
	pthread_join(thread, NULL);
	printf("end of %d networks: %.0f ms, of which their bridges %.0f ms\n", MANY, all_ms, bridges_ms);
	printf("  one grouped delete of %d bridges: %.0f ms; ratio %.2f\n", MANY, kernel_ms,
	       all_ms / kernel_ms);
	printf("  longest wait of another rtnetlink request meanwhile: %.0f ms\n", other.worst_ms);
}

/* A program that measures other things between these, and wants the same cold caches for all. */
static void bench_steps(struct datapath *dp)
{
	struct network net = make_network(0);
	char line[8];

	while (fgets(line, sizeof(line), stdin)) {
		printf("%.3f\n", timed_change(dp, &net, true));
		change(dp, &net, false);
	}
	plan_free(net.plan);
}

static void bench_all(struct datapath *dp, size_t n, size_t n_ports)
{
	struct network *nets = calloc(n, sizeof(*nets));

	for (size_t i = 0; i < n; i++)
		nets[i] = make_network((unsigned)i);
	bench_starts(dp, nets, n);
	bench_restart(dp, nets, n);
	bench_plugs(dp, &nets[0], n_ports);
	bench_ends(dp, nets);
	bench_many_ends(dp, nets);
	for (size_t i = MANY; i < n; i++)
		change(dp, &nets[i], false);
	for (size_t i = 0; i < n; i++)
		plan_free(nets[i].plan);
	free(nets);
}

int main(int argc, char **argv)
{
	bool steps = argc == 2 && strcmp(argv[1], "--steps") == 0;
	size_t n = argc > 1 && !steps ? (size_t)atoi(argv[1]) : 500, ports = argc > 2 ? (size_t)atoi(argv[2]) : 500;
	char run_dir[] = "/run/netd-bench-XXXXXX", command[64];
	struct datapath_options opt = { .run_dir = run_dir };
	struct datapath *dp;

	if ((!steps && n < MANY) || unshare(CLONE_NEWNET) < 0 || !mkdtemp(run_dir)) {
		fprintf(stderr, "needs root and at least %d networks\n", MANY);
		return 1;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	check(datapath_new(&opt, &dp, &err), "open");
	if (steps)
		bench_steps(dp);
	else
		bench_all(dp, n, ports);
	datapath_free(dp);
	/* All networks are gone, so its folders are empty. */
	snprintf(command, sizeof(command), "rm -r %s", run_dir);
	return system(command) != 0;
}
