/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/ctl/capture.h"

#include <net/if.h>
#include <pcap/pcap.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "netd/base/auto.h"
#include "netd/ctl/calls.h"
#include "netd/ctl/packet.h"

#define SNAPLEN_DEFAULT 262144
/* A signal just before poll() is noticed this much later. */
#define POLL_MS 500

ND_DEFINE_AUTO(pcap_t *, pcap_close)
ND_DEFINE_AUTO(pcap_dumper_t *, pcap_dump_close)

struct capture {
	pcap_t *pcap;
	pcap_dumper_t *dump;		/* NULL: packets are printed */
	bool json;
	uint64_t n_packets, max_packets;	/* max 0: no end */
	int64_t end_ms;				/* CLOCK_MONOTONIC, 0: no end */
};

static void print_packet(const struct capture *c, const struct pcap_pkthdr *h, const u_char *bytes)
{
	char text[512], clock[32];
	struct tm tm;

	packet_summary(bytes, h->caplen, text, sizeof(text));
	if (c->json) {
		json_t *doc = json_pack("{sf, si, so}", "time",
					(double)h->ts.tv_sec + (double)h->ts.tv_usec / 1e6,
					"length", (int)h->len, "summary", ctl_json_string(text));

		if (doc)
			json_dumpf(doc, stdout, JSON_COMPACT);
		json_decref(doc);
		printf("\n");
	} else {
		localtime_r(&h->ts.tv_sec, &tm);
		strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
		printf("%s.%06ld %s, length %u\n", clock, (long)h->ts.tv_usec, text, h->len);
	}
	fflush(stdout);
}

static void on_packet(u_char *arg, const struct pcap_pkthdr *h, const u_char *bytes)
{
	struct capture *c = (struct capture *)(void *)arg;

	c->n_packets++;
	if (c->dump) {
		pcap_dump((u_char *)c->dump, h, bytes);
		(void)pcap_dump_flush(c->dump);	/* an error shows at the end */
	} else {
		print_packet(c, h, bytes);
	}
	if (c->max_packets && c->n_packets >= c->max_packets)
		pcap_breakloop(c->pcap);
}

static int pcap_fail(pcap_t *p, const char *device, struct nd_error *err)
{
	return nd_error_set(err, ND_ERR_OPERATION_FAILED, "cannot capture on %s: %s", device,
			    pcap_geterr(p));
}

static int filter_set(pcap_t *p, const struct verb_args *args, const char *device,
		      struct nd_error *err)
{
	ND_AUTO(nd_str_free) struct nd_str text = { 0 };
	struct bpf_program program;
	char *const *words;
	size_t n;
	int r;

	words = arg_words(args, &n);
	for (size_t i = 0; i < n; i++)
		nd_str_addf(&text, "%s ", words[i]);
	if (text.failed)
		return nd_error_nomem(err);
	if (!text.len)
		return 0;
	if (pcap_compile(p, &program, text.text, 1, PCAP_NETMASK_UNKNOWN) < 0)
		return nd_error_set(err, ND_ERR_INVALID_ARG, "filter '%s': %s", text.text,
				    pcap_geterr(p));
	r = pcap_setfilter(p, &program);
	pcap_freecode(&program);
	return r < 0 ? pcap_fail(p, device, err) : 0;
}

static int open_device(const char *device, const struct verb_args *args, pcap_t **out,
		       struct nd_error *err)
{
	char reason[PCAP_ERRBUF_SIZE] = "";
	ND_AUTO(pcap_close) pcap_t *p = pcap_create(device, reason);
	int64_t snaplen = SNAPLEN_DEFAULT;

	if (!p)
		return nd_error_set(err, ND_ERR_OPERATION_FAILED, "cannot capture on %s: %s",
				    device, reason);
	if (arg_number(args, "snaplen", &snaplen) && (snaplen < 1 || snaplen > SNAPLEN_DEFAULT))
		return nd_error_set(err, ND_ERR_INVALID_ARG,
				    "--snaplen %s is not within 1 and %d",
				    arg_string(args, "snaplen"), SNAPLEN_DEFAULT);
	if (pcap_set_snaplen(p, (int)snaplen) || pcap_set_promisc(p, 1) ||
	    pcap_set_immediate_mode(p, 1) || pcap_activate(p) < 0)
		return pcap_fail(p, device, err);
	if (filter_set(p, args, device, err) < 0)
		return -1;
	/* Else neither a signal nor the end of the time would end the wait for a packet. */
	if (pcap_setnonblock(p, 1, reason) < 0)
		return nd_error_set(err, ND_ERR_OPERATION_FAILED, "cannot capture on %s: %s",
				    device, reason);
	*out = nd_take_ptr(&p);
	return 0;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void wait_packet(const struct capture *c)
{
	struct pollfd p = { .fd = pcap_get_selectable_fd(c->pcap), .events = POLLIN };
	int64_t left = c->end_ms ? c->end_ms - now_ms() : POLL_MS;

	(void)poll(&p, 1, left < 0 ? 0 : left < POLL_MS ? (int)left : POLL_MS);
}

static int loop(struct capture *c, const char *device, struct nd_error *err)
{
	int r = 0;

	ctl_interrupt_begin();
	while (!ctl_interrupted && r >= 0 && (!c->end_ms || now_ms() < c->end_ms)) {
		wait_packet(c);
		r = pcap_dispatch(c->pcap, -1, on_packet, (u_char *)c);
	}
	ctl_interrupt_end();
	return r == PCAP_ERROR && !ctl_interrupted ? pcap_fail(c->pcap, device, err) : 0;
}

static void report(const struct ctl *ctl, const struct capture *c)
{
	struct pcap_stat stat = { 0 };

	if (ctl->quiet)
		return;
	(void)pcap_stats(c->pcap, &stat);	/* zeros where it is not known */
	fflush(stdout);
	fprintf(stderr, "%llu packets captured, %u dropped by the kernel\n",
		(unsigned long long)c->n_packets, stat.ps_drop);
}

/* "-" is a copy of stdout: libpcap closes what it writes to. */
static pcap_dumper_t *dump_open(struct ctl *ctl, pcap_t *pcap, const char *file)
{
	int fd;
	FILE *f;

	if (!nd_streq(file, "-"))
		return pcap_dump_open(pcap, file);
	ctl->quiet = true;		/* nothing else may stand between the packets */
	fd = dup(STDOUT_FILENO);
	f = fd < 0 ? NULL : fdopen(fd, "w");
	return f ? pcap_dump_fopen(pcap, f) : NULL;
}

/* A network by its bridge; a device where there is no such network or no daemon. */
static int device_find(struct ctl *ctl, const char *word, char **out, struct nd_error *err)
{
	ND_AUTO(net_fini) lv_net net = { 0 };
	struct nd_error ignored = { 0 };

	if (if_nametoindex(word)) {
		*out = strdup(word);
		return *out ? 0 : nd_error_nomem(err);
	}
	if (ctl_connect(ctl) < 0)
		return -1;
	if (net_find_by_uuid(ctl, word, &net, &ignored) < 0 &&
	    net_find_by_name(ctl, word, &net, err) < 0)
		return ctl_error("there is neither a network nor a device '%s'", word);
	return call_net_string(ctl, LV_PROC_NETWORK_GET_BRIDGE_NAME, &net, out, err);
}

int capture_run(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	const char *file = arg_string(args, "write");
	struct capture c = { .json = arg_flag(args, "json") };
	ND_AUTO(pcap_close) pcap_t *pcap = NULL;
	ND_AUTO(pcap_dump_close) pcap_dumper_t *dump = NULL;
	ND_AUTO(free) char *device = NULL;
	int64_t count = 0, timeout_s = 0;
	int r;

	if (device_find(ctl, arg_string(args, "network"), &device, err) < 0 ||
	    open_device(device, args, &pcap, err) < 0)
		return -1;
	if (file && !(dump = dump_open(ctl, pcap, file)))
		return pcap_fail(pcap, device, err);
	if (dump && pcap_dump_flush(dump) < 0)	/* who waits for the file may read on from here */
		return pcap_fail(pcap, device, err);
	if (arg_number(args, "count", &count) && count < 1)
		return ctl_error("--count must be 1 or more");
	if (arg_number(args, "timeout", &timeout_s) && timeout_s < 1)
		return ctl_error("--timeout must be 1 or more");
	c.pcap = pcap;
	c.dump = dump;
	c.max_packets = (uint64_t)count;
	c.end_ms = timeout_s ? now_ms() + timeout_s * 1000 : 0;
	r = loop(&c, device, err);
	report(ctl, &c);
	return r;
}
