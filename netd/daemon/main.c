/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main.c -- the program netd: options, signals, the loop */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>

#include "netd/base/log.h"
#include "netd/daemon/daemon.h"
#include "netd/daemon/privilege.h"

/* How long operations in hand may take after TERM. */
#define DRAIN_S 10

static const char usage[] =
	"netd [OPTION...]\n"
	"\n"
	"  --root DIR         keep configuration, state and sockets below DIR\n"
	"  --config FILE      read FILE instead of netd.conf\n"
	"  --serve PATH       the netd-serve program to run\n"
	"  --schemas DIR      where the RELAX NG schemas are\n"
	"  --import-libvirt DIR  take the definitions of libvirt's networks in DIR, and end\n"
	"  --no-persist-nft   do without persistent nftables tables, as on kernels that lack them\n"
	"  --foreground       stay in the foreground (netd always does)\n"
	"  -v, --verbose      log debug messages\n"
	"  --version          print the version\n"
	"  --help             print this\n";

enum { OPT_ROOT = 256, OPT_CONFIG, OPT_SERVE, OPT_SCHEMAS, OPT_IMPORT, OPT_NO_PERSIST, OPT_FOREGROUND, OPT_VERSION, OPT_HELP };

static const struct option options[] = {
	{ "root", required_argument, NULL, OPT_ROOT },
	{ "config", required_argument, NULL, OPT_CONFIG },
	{ "serve", required_argument, NULL, OPT_SERVE },
	{ "schemas", required_argument, NULL, OPT_SCHEMAS },
	{ "import-libvirt", required_argument, NULL, OPT_IMPORT },
	{ "no-persist-nft", no_argument, NULL, OPT_NO_PERSIST },
	{ "foreground", no_argument, NULL, OPT_FOREGROUND },
	{ "verbose", no_argument, NULL, 'v' },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ "help", no_argument, NULL, OPT_HELP },
	{ 0 },
};

/* 0: go on; else exit with that number less one. */
static int parse_options(int argc, char **argv, struct daemon_options *out)
{
	int c;

	while ((c = getopt_long(argc, argv, "v", options, NULL)) >= 0) {
		switch (c) {
		case OPT_ROOT: out->root = optarg; break;
		case OPT_CONFIG: out->config = optarg; break;
		case OPT_SERVE: out->serve = optarg; break;
		case OPT_SCHEMAS: out->schemas = optarg; break;
		case OPT_IMPORT: out->import_libvirt = optarg; break;
		case OPT_NO_PERSIST: out->no_persist_nft = true; break;
		case OPT_FOREGROUND: break;
		case 'v': out->log_level = LOG_DEBUG; break;
		case OPT_VERSION: puts("netd " NETD_VERSION_TEXT); return 1 + EXIT_SUCCESS;
		case OPT_HELP: fputs(usage, stdout); return 1 + EXIT_SUCCESS;
		default: fputs(usage, stderr); return 1 + EXIT_FAILURE;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "netd: '%s' is no option\n", argv[optind]);
		return 1 + EXIT_FAILURE;
	}
	return 0;
}

static int on_drain_over(sd_event_source *source, uint64_t usec, void *arg)
{
	return sd_event_exit(sd_event_source_get_event(source), 0);
}

static int on_idle(sd_event_source *source, void *arg)
{
	struct netd *d = arg;

	return op_queue_count(d->operations) ? 0 : sd_event_exit(d->event, 0);
}

/* Networks and servers stay; operations in hand are ended first. */
static int on_term(sd_event_source *source, const struct signalfd_siginfo *info, void *arg)
{
	struct netd *d = arg;

	nd_log(LOG_INFO, NULL, "ending; networks stay as they are");
	(void)sd_notify(0, "STOPPING=1");	/* without systemd nobody listens */
	if (!op_queue_count(d->operations) ||
	    sd_event_add_post(d->event, NULL, on_idle, d) < 0 ||
	    sd_event_add_time_relative(d->event, NULL, CLOCK_MONOTONIC, DRAIN_S * 1000000ULL, 0,
				       on_drain_over, d) < 0)
		return sd_event_exit(d->event, 0);
	return 0;
}

static int on_hup(sd_event_source *source, const struct signalfd_siginfo *info, void *arg)
{
	(void)sd_notify(0, "RELOADING=1");
	daemon_reload(arg);
	(void)sd_notify(0, "READY=1");
	return 0;
}

static int watch_signals(struct netd *d, struct nd_error *err)
{
	int r = sd_event_add_signal(d->event, NULL, SIGTERM, on_term, d);

	if (r >= 0)
		r = sd_event_add_signal(d->event, NULL, SIGINT, on_term, d);
	if (r >= 0)
		r = sd_event_add_signal(d->event, NULL, SIGHUP, on_hup, d);
	if (r >= 0)
		r = sd_event_set_watchdog(d->event, true);
	return r < 0 ? nd_error_sys(err, -r, "cannot watch signals") : 0;
}

static int run(const struct daemon_options *opt, struct nd_error *err)
{
	ND_AUTO(daemon_free) struct netd *d = NULL;
	int r = daemon_new(opt, &d, err);

	if (r == 0)
		r = watch_signals(d, err);
	if (r == 0)
		r = privilege_reduce(err);
	if (r == 0)
		r = daemon_start(d, err);
	if (r < 0)
		return r;
	nd_log(LOG_INFO, NULL, "netd " NETD_VERSION_TEXT " is ready");
	(void)sd_notify(0, "READY=1");
	r = sd_event_loop(d->event);
	return r < 0 ? nd_error_sys(err, -r, "the event loop failed") : 0;
}

/* Two descriptors for each running network and one for each client: the soft limit that shells
 * start with is for programs that use select(). */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);	/* up to the hard limit: cannot fail */
	}
}

int main(int argc, char **argv)
{
	struct daemon_options opt = { .log_level = -1 };
	struct nd_error err = { 0 };
	char message[1200];
	sigset_t mask;
	int r;

	nd_log_init("netd", LOG_INFO);
	r = parse_options(argc, argv, &opt);
	if (r)
		return r - 1;
	umask(022);
	signal(SIGPIPE, SIG_IGN);
	raise_descriptor_limit();
	/* sd-event takes them from a signalfd, and no thread may get them otherwise */
	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGHUP);
	sigaddset(&mask, SIGCHLD);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	if ((opt.import_libvirt ? daemon_import(&opt, &err) : run(&opt, &err)) == 0)
		return EXIT_SUCCESS;
	nd_error_format(&err, message, sizeof(message));
	nd_log(LOG_ERR, NULL, "%s", message);
	return EXIT_FAILURE;
}
