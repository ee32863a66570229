/* SPDX-License-Identifier: GPL-2.0-or-later */
/* calls_node.c -- what clients ask about the machine */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "netd/base/str.h"
#include "netd/daemon/calls.h"
#include "netd/daemon/file.h"
#include "netd/model/domain.h"

static int node_get_info(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	lv_node_get_info_ret *r = ret;
	struct sysinfo info;
	struct utsname uts;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	if (sysinfo(&info) < 0 || uname(&uts) < 0)
		return nd_error_sys(err, errno, "cannot read about the host");
	for (size_t i = 0; i < sizeof(r->model) - 1 && uts.machine[i]; i++)
		r->model[i] = uts.machine[i];
	r->memory_kib = (uint64_t)info.totalram * info.mem_unit / 1024;
	r->cpus = (int)cpus;
	r->nodes = 1;
	r->sockets = 1;
	r->cores = (int)cpus;
	r->threads = 1;
	return RPC_DONE;
}

static int node_get_free_memory(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	struct sysinfo info;

	if (sysinfo(&info) < 0)
		return nd_error_sys(err, errno, "cannot read about the host");
	((lv_u64_ret *)ret)->value = (uint64_t)info.freeram * info.mem_unit;
	return RPC_DONE;
}

/* What a guest of netd's may have. */
static int get_max_vcpus(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	const lv_connect_get_max_vcpus_args *a = args;

	if (a->type && !nd_streq(*a->type, "kvm"))
		return nd_error_set(err, ND_ERR_INVALID_ARG, "unknown type '%.60s'", *a->type);
	((lv_int_ret *)ret)->value = DOM_VCPUS_MAX;
	return RPC_DONE;
}

static int put_chars(char **val, unsigned *len, const char *text, struct nd_error *err)
{
	*val = strdup(text);
	if (!*val)
		return nd_error_nomem(err);
	*len = (unsigned)strlen(text) + 1;	/* with its NUL, as libvirt has it */
	return 0;
}

/* Guests are confined by a sandbox of their process, and nothing is labelled. */
static int get_security_model(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	lv_node_get_security_model_ret *r = ret;
	int result = put_chars(&r->model.model_val, &r->model.model_len, "none", err);

	return result < 0 ? result : put_chars(&r->doi.doi_val, &r->doi.doi_len, "0", err);
}

/* ---- CPUs ---- */

/* Sets the bits of "0-3,8" in the map. The number after the last CPU, or -EINVAL. */
static int parse_cpu_list(const char *text, uint8_t map[LV_CPU_MAP_MAX])
{
	unsigned long end = 0;

	while (*text && *text != '\n') {
		char *rest;
		unsigned long first = strtoul(text, &rest, 10), last = first;

		if (rest == text)
			return -EINVAL;
		if (*rest == '-')
			last = strtoul(rest + 1, &rest, 10);
		if (last < first || last >= LV_CPU_MAP_MAX * 8)
			return -EINVAL;
		for (unsigned long cpu = first; cpu <= last; cpu++)
			map[cpu / 8] |= (uint8_t)(1 << cpu % 8);
		end = last + 1;
		text = rest + (*rest == ',');
	}
	return (int)end;
}

static int read_cpus(const char *what, uint8_t map[LV_CPU_MAP_MAX], struct nd_error *err)
{
	ND_AUTO(free) char *text = NULL;
	char path[64];
	int r;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/%s", what);
	r = file_read(AT_FDCWD, path, 65536, &text, NULL);
	if (r == 0)
		r = parse_cpu_list(text, map);
	return r < 0 ? nd_error_sys(err, -r, "cannot read '%s'", path) : r;
}

static int get_cpu_map(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	const lv_node_get_cpu_map_args *a = args;
	uint8_t present[LV_CPU_MAP_MAX] = { 0 }, online[LV_CPU_MAP_MAX] = { 0 };
	lv_node_get_cpu_map_ret *r = ret;
	int n, result = call_flags(a->flags, 0, "virNodeGetCPUMap", err);

	n = result < 0 ? result : read_cpus("present", present, err);
	if (n < 0 || (result = read_cpus("online", online, err)) < 0)
		return n < 0 ? n : result;
	for (size_t i = 0; i < sizeof(online); i++)
		r->online += (unsigned)__builtin_popcount(online[i]);
	r->ret = n;
	if (!a->need_map)
		return RPC_DONE;
	r->cpumap.cpumap_len = (unsigned)(n + 7) / 8;
	r->cpumap.cpumap_val = malloc(r->cpumap.cpumap_len + 1);
	if (!r->cpumap.cpumap_val)
		return nd_error_nomem(err);
	memcpy(r->cpumap.cpumap_val, online, r->cpumap.cpumap_len);
	return RPC_DONE;
}

/* ---- what the firmware says ---- */

#define DMI "/sys/class/dmi/id"

static const struct {
	const char *element;		/* NULL: in that of the row before */
	const char *entry, *file;
} dmi[] = {
	{ "bios", "vendor", "bios_vendor" },
	{ NULL, "version", "bios_version" },
	{ NULL, "date", "bios_date" },
	{ NULL, "release", "bios_release" },
	{ "system", "manufacturer", "sys_vendor" },
	{ NULL, "product", "product_name" },
	{ NULL, "version", "product_version" },
	{ NULL, "serial", "product_serial" },
	{ NULL, "uuid", "product_uuid" },
	{ NULL, "sku", "product_sku" },
	{ NULL, "family", "product_family" },
	{ "baseBoard", "manufacturer", "board_vendor" },
	{ NULL, "product", "board_name" },
	{ NULL, "version", "board_version" },
	{ NULL, "serial", "board_serial" },
	{ NULL, "asset", "board_asset_tag" },
	{ "chassis", "manufacturer", "chassis_vendor" },
	{ NULL, "version", "chassis_version" },
	{ NULL, "serial", "chassis_serial" },
	{ NULL, "asset", "chassis_asset_tag" },
};

/* Serial numbers are for root alone in the kernel's eyes: a read-only client is not told. NULL:
 * not there, or not for it. */
static char *read_dmi(int dir, const char *file, bool all)
{
	char *text = NULL;
	struct stat st;

	if (fstatat(dir, file, &st, 0) < 0 || (!all && !(st.st_mode & S_IROTH)) ||
	    file_read(dir, file, 4096, &text, NULL) < 0)
		return NULL;
	text[strcspn(text, "\n")] = '\0';
	for (char *c = text; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';	/* it goes into a document */
	return text;
}

static void add_dmi(struct nd_str *xml, int dir, bool all)
{
	const char *open = NULL, *element = NULL;

	for (size_t i = 0; i < ND_COUNT(dmi); i++) {
		ND_AUTO(free) char *text = read_dmi(dir, dmi[i].file, all);

		element = dmi[i].element ? dmi[i].element : element;
		if (!text || !*text)
			continue;
		if (open != element) {
			if (open)
				nd_str_addf(xml, "  </%s>\n", open);
			nd_str_addf(xml, "  <%s>\n", element);
			open = element;
		}
		nd_str_addf(xml, "    <entry name='%s'>", dmi[i].entry);
		nd_str_add_xml(xml, text);
		nd_str_add(xml, "</entry>\n");
	}
	if (open)
		nd_str_addf(xml, "  </%s>\n", open);
}

static int get_sysinfo(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	ND_AUTO(close) int dir = open(DMI, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ND_AUTO(nd_str_free) struct nd_str xml = { 0 };
	int r = call_flags(((lv_flags_args *)args)->flags, 0, "virConnectGetSysinfo", err);

	if (r < 0)
		return r;
	if (dir < 0)
		return nd_error_set(err, ND_ERR_CONFIG_UNSUPPORTED,
				    "Host SMBIOS information is not available");
	nd_str_add(&xml, "<sysinfo type='smbios'>\n");
	add_dmi(&xml, dir, !rpc_session_read_only(rpc_call_session(call)));
	nd_str_add(&xml, "</sysinfo>\n");
	((lv_str_ret *)ret)->value = nd_str_take(&xml);
	return ((lv_str_ret *)ret)->value ? RPC_DONE : nd_error_nomem(err);
}

#define RO RPC_READ_ONLY

const struct rpc_method node_methods[] = {
	CALL(LV_PROC_CONNECT_GET_MAX_VCPUS, "virConnectGetMaxVcpus", RO, lv_connect_get_max_vcpus_args,
	     lv_int_ret, get_max_vcpus),
	CALL_RET(LV_PROC_NODE_GET_INFO, "virNodeGetInfo", RO, lv_node_get_info_ret, node_get_info),
	CALL_RET(LV_PROC_NODE_GET_FREE_MEMORY, "virNodeGetFreeMemory", RO, lv_u64_ret,
		 node_get_free_memory),
	CALL_RET(LV_PROC_NODE_GET_SECURITY_MODEL, "virNodeGetSecurityModel", RO,
		 lv_node_get_security_model_ret, get_security_model),
	CALL(LV_PROC_CONNECT_GET_SYSINFO, "virConnectGetSysinfo", RO, lv_flags_args, lv_str_ret,
	     get_sysinfo),
	CALL(LV_PROC_NODE_GET_CPU_MAP, "virNodeGetCPUMap", RO, lv_node_get_cpu_map_args,
	     lv_node_get_cpu_map_ret, get_cpu_map),
};
const size_t n_node_methods = ND_COUNT(node_methods);
