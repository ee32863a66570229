/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/paths.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "netd/base/auto.h"
#include "netd/base/effect.h"
#include "netd/base/str.h"

/* dir + rest; NULL when out of memory, remembered in *failed. */
static char *join(const char *dir, const char *rest, bool *failed)
{
	char *text = NULL;

	if (asprintf(&text, "%s%s", dir, rest) < 0) {
		*failed = true;
		return NULL;
	}
	return text;
}

static char *program_path(const char *given, const char *variable, const char *installed,
			  bool *failed)
{
	const char *env = getenv(variable);

	return join(given ? given : env && *env ? env : installed, "", failed);
}

int paths_init(struct paths *p, const char *root, const char *serve, const char *schemas,
	       struct nd_error *err)
{
	const char *r = root ? root : "";
	bool failed = false;

	*p = (struct paths){
		.config_file = root ? join(r, "/etc/netd/netd.conf", &failed)
				    : join(NETD_CONF_DIR, "/netd.conf", &failed),
		.bridge_policy = root ? join(r, "/etc/netd/bridge.conf", &failed)
				      : join(NETD_CONF_DIR, "/bridge.conf", &failed),
		.networks = root ? join(r, "/etc/netd/networks", &failed)
				 : join(NETD_CONF_DIR, "/networks", &failed),
		.autostart = root ? join(r, "/etc/netd/networks/autostart", &failed)
				  : join(NETD_CONF_DIR, "/networks/autostart", &failed),
		.domains = root ? join(r, "/etc/netd/domains", &failed)
				: join(NETD_CONF_DIR, "/domains", &failed),
		.domains_autostart = root ? join(r, "/etc/netd/domains/autostart", &failed)
					  : join(NETD_CONF_DIR, "/domains/autostart", &failed),
		.nwfilters = root ? join(r, "/etc/netd/nwfilter", &failed)
				  : join(NETD_CONF_DIR, "/nwfilter", &failed),
		.nwfilters_shipped = program_path(NULL, "NETD_NWFILTERS", NETD_NWFILTER_DIR, &failed),
		.run = join(r, "/run/netd", &failed),
		.live = join(r, "/run/netd/networks", &failed),
		.ports = join(r, "/run/netd/ports", &failed),
		.domains_live = join(r, "/run/netd/domains", &failed),
		.vmms = join(r, "/run/netd/vmms", &failed),
		.ovsdb = join(r, "/run/openvswitch/db.sock", &failed),
		.lldpad = join(r, "/run/lldpad.pid", &failed),
		.sysfs = program_path(NULL, "NETD_SYSFS", "/sys", &failed),
		.servers = join(r, "/run/netd/servers", &failed),
		.state = join(r, "/var/lib/netd", &failed),
		.leases = join(r, "/var/lib/netd/leases", &failed),
		.socket = join(r, "/run/netd/netd-sock", &failed),
		.socket_ro = join(r, "/run/netd/netd-sock-ro", &failed),
		.libvirt_socket = join(r, "/run/libvirt/virtnetworkd-sock", &failed),
		.libvirt_socket_ro = join(r, "/run/libvirt/virtnetworkd-sock-ro", &failed),
		.libvirt_networks = join(r, "/etc/libvirt/qemu/networks", &failed),
		.libvirt_autostart = join(r, "/etc/libvirt/qemu/networks/autostart", &failed),
		.libvirt_live = join(r, "/run/libvirt/network", &failed),
		.libvirt_leases = join(r, "/var/lib/libvirt/dnsmasq", &failed),
		.taken = join(r, "/var/lib/netd/libvirt", &failed),
		.resolv_conf = join("/etc/resolv.conf", "", &failed),
		.resolved_conf = join("/run/systemd/resolve/resolv.conf", "", &failed),
		.hosts = join("/etc/hosts", "", &failed),
		.serve = program_path(serve, "NETD_SERVE", NETD_LIBEXEC_DIR "/netd-serve", &failed),
		.vmm = program_path(NULL, "NETD_VMM", NETD_LIBEXEC_DIR "/netd-vmm", &failed),
		.kvm = program_path(NULL, "NETD_KVM", "/dev/kvm", &failed),
		.schemas = program_path(schemas, "NETD_SCHEMAS", NETD_SCHEMA_DIR, &failed),
	};
	if (!failed)
		return 0;
	paths_fini(p);
	return nd_error_nomem(err);
}

void paths_fini(struct paths *p)
{
	char **all[] = { &p->config_file, &p->bridge_policy, &p->networks, &p->autostart, &p->domains,
			 &p->domains_autostart, &p->nwfilters, &p->nwfilters_shipped, &p->domains_live, &p->vmms, &p->ovsdb,
			 &p->lldpad, &p->sysfs, &p->vmm,
			 &p->kvm, &p->run, &p->live, &p->ports, &p->servers,
			 &p->state, &p->leases, &p->socket, &p->socket_ro, &p->libvirt_socket,
			 &p->libvirt_socket_ro, &p->libvirt_networks, &p->libvirt_autostart,
			 &p->libvirt_live, &p->libvirt_leases, &p->taken, &p->resolv_conf,
			 &p->resolved_conf, &p->hosts, &p->serve, &p->schemas };

	for (size_t i = 0; i < ND_COUNT(all); i++) {
		free(*all[i]);
		*all[i] = NULL;
	}
}

static int make_path(const char *path, mode_t mode, struct nd_error *err)
{
	ND_AUTO(free) char *copy = strdup(path);
	int r;

	if (!copy)
		return nd_error_nomem(err);
	for (char *slash = strchr(copy + 1, '/');; slash = strchr(slash + 1, '/')) {
		if (slash)
			*slash = '\0';
		if (access(copy, F_OK) < 0) {
			r = nd_effect(ND_EFFECT_FILE, "mkdir");
			if (r == 0 && mkdir(copy, slash ? 0755 : mode) < 0)
				r = -errno;
			if (r < 0 && r != -EEXIST)
				return nd_error_sys(err, -r, "cannot make directory '%s'", copy);
		}
		if (!slash)
			return 0;
		*slash = '/';
	}
}

int paths_make(const struct paths *p, struct nd_error *err)
{
	const struct { const char *path; mode_t mode; } dirs[] = {
		{ p->networks, 0755 }, { p->autostart, 0755 },
		{ p->domains, 0700 }, { p->domains_autostart, 0755 }, { p->nwfilters, 0700 }, { p->domains_live, 0755 },
		{ p->vmms, 0700 }, { p->run, 0755 },
		{ p->live, 0755 }, { p->ports, 0755 }, { p->servers, 0700 }, { p->state, 0755 }, { p->leases, 0711 },
	};
	int r;

	for (size_t i = 0; i < ND_COUNT(dirs); i++) {
		r = make_path(dirs[i].path, dirs[i].mode, err);
		if (r < 0)
			return r;
	}
	return 0;
}
