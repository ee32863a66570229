/* SPDX-License-Identifier: GPL-2.0-or-later */
/* calls_capabilities.c -- what this host's guests can be made of: the documents <capabilities> and <domainCapabilities> */
#include <errno.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "netd/base/str.h"
#include "netd/daemon/calls_domain.h"

#define ARCH "x86_64"
#define MACHINE "netd"
#define VIRT_TYPE "kvm"

static bool has_kvm(const struct netd *d)
{
	return access(d->paths.kvm, R_OK | W_OK) == 0;
}

static void add_guest(struct nd_str *xml, const char *emulator)
{
	nd_str_add(xml, "  <guest>\n    <os_type>hvm</os_type>\n    <arch name='" ARCH "'>\n"
		   "      <wordsize>64</wordsize>\n      <emulator>");
	nd_str_add_xml(xml, emulator);
	nd_str_addf(xml, "</emulator>\n      <machine maxCpus='%d'>" MACHINE "</machine>\n"
		    "      <domain type='" VIRT_TYPE "'/>\n    </arch>\n    <features>\n"
		    "      <acpi default='on' toggle='no'/>\n      <apic default='on' toggle='no'/>\n"
		    "    </features>\n  </guest>\n\n", DOM_VCPUS_MAX);
}

/* No <guest> where none can run: without KVM. */
static int get_capabilities(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	const struct netd *d = call_netd(call);
	ND_AUTO(nd_str_free) struct nd_str xml = { 0 };
	struct utsname uts;

	if (uname(&uts) < 0)
		return nd_error_sys(err, errno, "cannot read about the host");
	nd_str_addf(&xml, "<capabilities>\n\n  <host>\n    <cpu>\n      <arch>%s</arch>\n    </cpu>\n"
		    "  </host>\n\n", uts.machine);
	if (has_kvm(d))
		add_guest(&xml, d->paths.vmm);
	nd_str_add(&xml, "</capabilities>\n");
	((lv_str_ret *)ret)->value = nd_str_take(&xml);
	return ((lv_str_ret *)ret)->value ? RPC_DONE : nd_error_nomem(err);
}

/* Whether what the client asks about is the one kind of guest that there is. */
static int check_asked(const struct netd *d, const lv_connect_get_domain_capabilities_args *a,
		       struct nd_error *err)
{
	if (a->virttype && !nd_streq(*a->virttype, VIRT_TYPE))
		return nd_error_set(err, ND_ERR_INVALID_ARG, "unknown virttype: %.200s", *a->virttype);
	if (a->arch && !nd_streq(*a->arch, ARCH))
		return nd_error_set(err, ND_ERR_INVALID_ARG,
				    "unable to find any emulator to serve '%.200s' architecture", *a->arch);
	if (a->emulatorbin && !nd_streq(*a->emulatorbin, d->paths.vmm))
		return nd_error_set(err, ND_ERR_INVALID_ARG, "'%.200s' runs no guests here: '%s' does",
				    *a->emulatorbin, d->paths.vmm);
	if (a->machine && !nd_streq(*a->machine, MACHINE))
		return nd_error_set(err, ND_ERR_INVALID_ARG,
				    "the machine '%.200s' is not supported by emulator '%s'", *a->machine,
				    d->paths.vmm);
	if (!has_kvm(d))
		return nd_error_set(err, ND_ERR_CONFIG_UNSUPPORTED, "guests need KVM: cannot open %s",
				    d->paths.kvm);
	return 0;
}

static int get_domain_capabilities(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	const lv_connect_get_domain_capabilities_args *a = args;
	const struct netd *d = call_netd(call);
	ND_AUTO(nd_str_free) struct nd_str xml = { 0 };
	int r = call_flags(a->flags, 0, "virConnectGetDomainCapabilities", err);

	if (r == 0)
		r = check_asked(d, a, err);
	if (r < 0)
		return r;
	nd_str_add(&xml, "<domainCapabilities>\n  <path>");
	nd_str_add_xml(&xml, d->paths.vmm);
	nd_str_addf(&xml, "</path>\n  <domain>" VIRT_TYPE "</domain>\n  <machine>" MACHINE "</machine>\n"
		    "  <arch>" ARCH "</arch>\n  <vcpu max='%d'/>\n  <iothreads supported='no'/>\n",
		    DOM_VCPUS_MAX);
	nd_str_add(&xml,
		   "  <os supported='yes'>\n    <loader supported='no'/>\n  </os>\n"
		   "  <cpu>\n    <mode name='host-passthrough' supported='yes'>\n"
		   "      <enum name='hostPassthroughMigratable'>\n        <value>off</value>\n      </enum>\n"
		   "    </mode>\n    <mode name='maximum' supported='no'/>\n"
		   "    <mode name='host-model' supported='no'/>\n    <mode name='custom' supported='no'/>\n"
		   "  </cpu>\n  <memoryBacking supported='no'/>\n  <devices>\n"
		   "    <disk supported='yes'>\n      <enum name='diskDevice'>\n        <value>disk</value>\n"
		   "      </enum>\n      <enum name='bus'>\n        <value>virtio</value>\n      </enum>\n"
		   "      <enum name='model'>\n        <value>virtio</value>\n      </enum>\n    </disk>\n"
		   "    <graphics supported='no'/>\n    <video supported='no'/>\n    <hostdev supported='no'/>\n"
		   "    <rng supported='yes'>\n      <enum name='model'>\n        <value>virtio</value>\n"
		   "      </enum>\n      <enum name='backendModel'>\n        <value>random</value>\n"
		   "      </enum>\n    </rng>\n    <filesystem supported='no'/>\n    <tpm supported='no'/>\n"
		   "    <redirdev supported='no'/>\n    <channel supported='no'/>\n  </devices>\n"
		   "  <features>\n    <gic supported='no'/>\n    <vmcoreinfo supported='no'/>\n"
		   "    <genid supported='no'/>\n    <backingStoreInput supported='no'/>\n"
		   "    <backup supported='no'/>\n    <sev supported='no'/>\n  </features>\n"
		   "</domainCapabilities>\n");
	((lv_str_ret *)ret)->value = nd_str_take(&xml);
	return ((lv_str_ret *)ret)->value ? RPC_DONE : nd_error_nomem(err);
}

const struct rpc_method capabilities_methods[] = {
	DOM_RET(LV_PROC_CONNECT_GET_CAPABILITIES, "virConnectGetCapabilities", RPC_READ_ONLY, lv_str_ret,
		get_capabilities),
	DOM(LV_PROC_CONNECT_GET_DOMAIN_CAPABILITIES, "virConnectGetDomainCapabilities", RPC_READ_ONLY,
	    lv_connect_get_domain_capabilities_args, lv_str_ret, get_domain_capabilities),
};
const size_t n_capabilities_methods = ND_COUNT(capabilities_methods);
