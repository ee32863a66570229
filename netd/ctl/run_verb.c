/* SPDX-License-Identifier: GPL-2.0-or-later */
/* run: a guest in one line, its console in the terminal, gone when either is left. */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "netd/base/auto.h"
#include "netd/base/str.h"
#include "netd/ctl/console.h"
#include "netd/ctl/verbs.h"

#define MEMORY_DEFAULT_MIB 256
#define DISKS_MAX 26			/* vda to vdz */
/* What marks a disk that is not written to: FILE:ro */
#define READ_ONLY ":ro"
/* How long after its console a guest may take to end, or to be started again. */
#define END_MS 5000

/* ---- the document ---- */

/* The daemon has a working directory of its own. */
static int add_path(struct nd_str *s, const char *path, struct nd_error *err)
{
	char here[PATH_MAX];

	if (path[0] != '/') {
		if (!getcwd(here, sizeof(here)))
			return nd_error_sys(err, errno, "cannot tell where '%s' is", path);
		nd_str_add_xml(s, here);
		nd_str_add(s, "/");
	}
	nd_str_add_xml(s, path);
	return 0;
}

static int add_disk(struct nd_str *s, const char *word, size_t at, struct nd_error *err)
{
	size_t len = strlen(word), mark = strlen(READ_ONLY);
	bool read_only = len > mark && nd_streq(word + len - mark, READ_ONLY);
	ND_AUTO(free) char *path = strndup(word, read_only ? len - mark : len);
	struct stat st;
	bool block;

	if (!path)
		return nd_error_nomem(err);
	if (at >= DISKS_MAX)
		return ctl_error("a guest has at most %d disks", DISKS_MAX);
	block = stat(path, &st) == 0 && S_ISBLK(st.st_mode);
	nd_str_addf(s, "    <disk type='%s'>\n      <source %s='", block ? "block" : "file",
		    block ? "dev" : "file");
	if (add_path(s, path, err) < 0)
		return -1;
	nd_str_addf(s, "'/>\n      <target dev='vd%c'/>\n%s    </disk>\n", (char)('a' + at),
		    read_only ? "      <readonly/>\n" : "");
	return 0;
}

static int add_os(struct nd_str *s, const struct verb_args *args, struct nd_error *err)
{
	const char *initrd = arg_string(args, "initrd"), *append = arg_string(args, "append");

	nd_str_add(s, "  <os>\n    <type>hvm</type>\n    <kernel>");
	if (add_path(s, arg_string(args, "kernel"), err) < 0)
		return -1;
	nd_str_add(s, "</kernel>\n");
	if (initrd) {
		nd_str_add(s, "    <initrd>");
		if (add_path(s, initrd, err) < 0)
			return -1;
		nd_str_add(s, "</initrd>\n");
	}
	/* a console= of the user's comes behind, and the last one counts */
	nd_str_addf(s, "    <cmdline>console=ttyS0%s", append ? " " : "");
	nd_str_add_xml(s, append ? append : "");
	nd_str_add(s, "</cmdline>\n  </os>\n");
	return 0;
}

static int add_devices(struct nd_str *s, const struct verb_args *args, struct nd_error *err)
{
	const char *word;

	nd_str_add(s, "  <devices>\n");
	for (size_t i = 0; (word = arg_nth(args, "disk", i)); i++)
		if (add_disk(s, word, i, err) < 0)
			return -1;
	for (size_t i = 0; (word = arg_nth(args, "network", i)); i++) {
		nd_str_add(s, "    <interface type='network'>\n      <source network='");
		nd_str_add_xml(s, word);
		nd_str_add(s, "'/>\n    </interface>\n");
	}
	nd_str_add(s, "    <console type='pty'/>\n"
		   "    <rng model='virtio'>\n"
		   "      <backend model='random'>/dev/urandom</backend>\n"
		   "    </rng>\n"
		   "  </devices>\n");
	return 0;
}

static void add_name(struct nd_str *s, const char *name)
{
	struct nd_uuid random;
	char text[ND_UUID_STRLEN];

	nd_str_add(s, "  <name>");
	if (name)
		nd_str_add_xml(s, name);
	else if (nd_uuid_random(&random) < 0)
		s->failed = true;
	else
		nd_str_addf(s, "run-%.8s", nd_uuid_format(&random, text));
	nd_str_add(s, "</name>\n");
}

static char *document(const struct verb_args *args, struct nd_error *err)
{
	ND_AUTO(nd_str_free) struct nd_str s = { 0 };
	int64_t memory_mib = MEMORY_DEFAULT_MIB, vcpus = 1;
	char *text;

	(void)arg_number(args, "memory", &memory_mib);
	(void)arg_number(args, "cpus", &vcpus);
	nd_str_add(&s, "<domain type='kvm'>\n");
	add_name(&s, arg_string(args, "name"));
	nd_str_addf(&s, "  <memory unit='MiB'>%lld</memory>\n  <vcpu>%lld</vcpu>\n",
		    (long long)memory_mib, (long long)vcpus);
	if (add_os(&s, args, err) < 0 || add_devices(&s, args, err) < 0)
		return NULL;
	nd_str_add(&s, "</domain>\n");
	text = nd_str_take(&s);
	if (!text)
		nd_error_nomem(err);
	return text;
}

/* ---- while it runs ---- */

struct run {
	struct ctl *ctl;
	lv_dom dom;
	bool stopped;
	int detail;			/* of its end: virDomainEventStoppedDetailType */
};

enum { EVENT_STOPPED = 5, STOPPED_SHUTDOWN = 0, STOPPED_DESTROYED = 1 };

static void on_event(void *arg, uint32_t program, int32_t proc, const uint8_t *payload, size_t len)
{
	lv_domain_lifecycle_event e = { 0 };
	struct run *r = arg;

	if (program != LV_PROGRAM || proc != LV_PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE ||
	    !rpc_payload_decode(payload, len, CALL_XDR(lv_domain_lifecycle_event), &e))
		return;
	if (e.event == EVENT_STOPPED) {
		r->stopped = true;
		r->detail = e.detail;
	}
	xdr_free(CALL_XDR(lv_domain_lifecycle_event), &e);
}

static int create(struct ctl *ctl, const struct verb_args *args, bool paused, lv_dom *out,
		  struct nd_error *err)
{
	ND_AUTO(free) char *xml = document(args, err);
	lv_xml_flags_args ask = { .xml = xml, .flags = paused ? DOM_START_PAUSED : 0 };
	lv_dom_ret ret = { 0 };

	if (!xml)
		return -1;
	if (call_lv(ctl, LV_PROC_DOMAIN_CREATE_XML, CALL_XDR(lv_xml_flags_args), &ask,
		    CALL_XDR(lv_dom_ret), &ret, err) < 0)
		return ctl_error("Failed to run the guest");
	*out = ret.dom;
	return 0;
}

static bool is_active(struct run *r)
{
	struct nd_error ignored = { 0 };
	int state;

	return dom_state(r->ctl, &r->dom, &state, NULL, &ignored) == 0 && state != DOM_STATE_SHUT_OFF;
}

/* The console has ended with the guest, whose end is told in a moment; or somebody's reboot puts
 * another process in the place of the first: then its console is shown. */
static int console_again(struct run *r, enum console_end *how, struct nd_error *err)
{
	const struct console_options opt = { 0 };
	int result = 0;

	for (int waited_ms = 0; waited_ms < END_MS && !r->stopped && !ctl_interrupted;
	     waited_ms += 100) {
		struct nd_error refused = { 0 };
		enum console_end second;

		if (rpc_client_wait(r->ctl->client, 100, err) < 0 && !ctl_interrupted) {
			*how = CONSOLE_LOST;
			return -1;
		}
		if (r->stopped || !is_active(r))
			continue;
		result = console_run(r->ctl, &r->dom, &opt, &second, &refused);
		if (second == CONSOLE_REFUSED)
			continue;
		*how = second;
		*err = refused;
		if (second != CONSOLE_ENDED)
			return result;
		waited_ms = 0;
	}
	return 0;
}

static int end_guest(struct run *r)
{
	struct nd_error err = { 0 };
	char text[sizeof(err.text) + 128];

	if (r->stopped || dom_call(r->ctl, LV_PROC_DOMAIN_DESTROY, &r->dom, &err) == 0)
		return 0;
	nd_error_format(&err, text, sizeof(text));
	ctl_error("Failed to destroy domain '%s'", r->dom.name);
	return ctl_error("%s", text);
}

static int tell_end(const struct run *r)
{
	if (!r->stopped)
		return ctl_error("The console of domain '%s' has ended, but the guest has not",
				 r->dom.name);
	if (r->detail == STOPPED_SHUTDOWN)
		return 0;
	return ctl_error("Domain '%s' %s", r->dom.name,
			 r->detail == STOPPED_DESTROYED ? "was destroyed" : "crashed");
}

static int attend(struct run *r, struct nd_error *err)
{
	const struct console_options opt = { .resume = true };
	enum console_end how;
	int result;

	if (isatty(STDIN_FILENO))
		console_greet(r->ctl, &r->dom);
	result = console_run(r->ctl, &r->dom, &opt, &how, err);
	if (how == CONSOLE_ENDED)
		result = console_again(r, &how, err);
	if (how == CONSOLE_ENDED)
		return tell_end(r);
	if (how == CONSOLE_LOST)
		return ctl_error("Lost the console of domain '%s', which runs on", r->dom.name);
	if (end_guest(r) < 0 || result < 0)
		return -1;
	ctl_say(r->ctl, "Domain '%s' destroyed\n", r->dom.name);
	return how == CONSOLE_LEFT ? 0 : -1;
}

/* Its events are heard from before it runs. */
static int run_attended(struct run *r, struct nd_error *err)
{
	lv_callback_args over;
	struct nd_error ignored = { 0 };
	int result;

	rpc_client_set_events(r->ctl->client, on_event, r);
	if (dom_watch(r->ctl, DOM_EVENT_LIFECYCLE, &r->dom, &over.callback_id, err) < 0) {
		(void)end_guest(r);
		return -1;
	}
	result = attend(r, err);
	if (rpc_client_is_alive(r->ctl->client))
		/* The registration also ends with the connection. */
		(void)call_lv(r->ctl, LV_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY,
			      CALL_XDR(lv_callback_args), &over, NULL, NULL, &ignored);
	rpc_client_set_events(r->ctl->client, NULL, NULL);
	return result;
}

static int run_detached(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	ND_AUTO(dom_fini) lv_dom dom = { 0 };

	if (create(ctl, args, false, &dom, err) < 0)
		return -1;
	if (arg_json(args))
		return ctl_print_json(json_pack("{so, ss, si}", "name", ctl_json_string(dom.name),
						"uuid", uuid_text(dom.uuid).text, "id", dom.id));
	printf("%s\n", dom.name);
	return 0;
}

static int run_run(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	struct run r = { .ctl = ctl };
	int result;

	if (arg_flag(args, "detach"))
		return run_detached(ctl, args, err);
	if (arg_json(args))
		return ctl_error("Option --json requires option --detach");
	ctl_interrupt_begin();
	result = create(ctl, args, true, &r.dom, err);
	if (result == 0)
		result = run_attended(&r, err);
	ctl_interrupt_end();
	dom_fini(&r.dom);
	return result;
}

static const struct arg_row rows[] = {
	{ "kernel", ARG_REQUIRED, "the kernel's file", VALUES_FILE },
	{ "initrd", ARG_NAMED, "the initial RAM disk's file", VALUES_FILE },
	{ "append", ARG_NAMED, "kernel command line, behind console=ttyS0" },
	{ "network", ARG_NAMED, "a network that it is plugged into", VALUES_ACTIVE, .many = true },
	{ "disk", ARG_NAMED, "a disk image or block device; with :ro behind it, read-only",
	  VALUES_FILE, .many = true },
	{ "memory", ARG_NAMED, "MiB of memory (256)", .number = true, .letter = 'm' },
	{ "cpus", ARG_NAMED, "virtual CPUs (1)", .number = true, .letter = 'c' },
	{ "name", ARG_NAMED, "its name (run- and a random number)" },
	{ "detach", ARG_FLAG, "leave it running, and print its name", .letter = 'd' },
	ARG_JSON,
};

static const struct verb verbs[] = {
	{ "run", "run a guest from a kernel, with its console in the terminal",
	  "The guest is gone when it ends, and ends when its console is left.", run_run,
	  VERB_ROWS(rows) },
};

const struct verb_group run_verbs = VERB_GROUP("Guests: in one line", "one-line", verbs);
