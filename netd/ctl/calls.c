/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/ctl/calls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "netd/base/auto.h"

#define FILE_MAX_BYTES (10u * 1024 * 1024)

int call_any(struct ctl *ctl, uint32_t program, int32_t proc, xdrproc_t args_xdr, void *args,
	     xdrproc_t ret_xdr, void *ret, struct nd_error *err)
{
	struct rpc_request rq = {
		.program = program, .proc = proc, .args_xdr = args_xdr, .args = args,
		.ret_xdr = ret_xdr, .ret = ret,
	};

	return rpc_client_call(ctl->client, &rq, NULL, err);
}

int call_lv(struct ctl *ctl, int32_t proc, xdrproc_t args_xdr, void *args, xdrproc_t ret_xdr,
	    void *ret, struct nd_error *err)
{
	return call_any(ctl, LV_PROGRAM, proc, args_xdr, args, ret_xdr, ret, err);
}

void net_fini(lv_net *net)
{
	xdr_free(CALL_XDR(lv_net), net);
}

void port_fini(lv_port *port)
{
	xdr_free(CALL_XDR(lv_port), port);
}

int net_find_by_name(struct ctl *ctl, const char *name, lv_net *out, struct nd_error *err)
{
	lv_name_args args = { .name = (char *)name };
	lv_net_ret ret = { 0 };
	int r = call_lv(ctl, LV_PROC_NETWORK_LOOKUP_BY_NAME, CALL_XDR(lv_name_args), &args,
			CALL_XDR(lv_net_ret), &ret, err);

	if (r == 0)
		*out = ret.net;
	return r;
}

int net_find_by_uuid(struct ctl *ctl, const char *text, lv_net *out, struct nd_error *err)
{
	lv_uuid_args args = { 0 };
	lv_net_ret ret = { 0 };
	struct nd_uuid uuid;
	int r;

	if (strlen(text) != ND_UUID_STRLEN - 1 || !nd_uuid_parse(text, &uuid))
		return nd_error_set(err, ND_ERR_OK, "not a UUID");
	memcpy(args.uuid, uuid.bytes, sizeof(args.uuid));
	r = call_lv(ctl, LV_PROC_NETWORK_LOOKUP_BY_UUID, CALL_XDR(lv_uuid_args), &args,
		    CALL_XDR(lv_net_ret), &ret, err);
	if (r == 0)
		*out = ret.net;
	return r;
}

int net_find(struct ctl *ctl, const char *name_or_uuid, lv_net *out, struct nd_error *err)
{
	if (net_find_by_uuid(ctl, name_or_uuid, out, err) == 0 ||
	    net_find_by_name(ctl, name_or_uuid, out, err) == 0) {
		err->kind = ND_ERR_OK;	/* what the first try left there */
		return 0;
	}
	return ctl_error("failed to get network '%s'", name_or_uuid);
}

int port_find(struct ctl *ctl, const lv_net *net, const char *text, lv_port *out,
	      struct nd_error *err)
{
	lv_network_port_lookup_by_uuid_args args = { .net = *net };
	lv_port_ret ret = { 0 };
	struct nd_uuid uuid;
	int r = -EINVAL;

	if (nd_uuid_parse(text, &uuid)) {
		memcpy(args.uuid, uuid.bytes, sizeof(args.uuid));
		r = call_lv(ctl, LV_PROC_NETWORK_PORT_LOOKUP_BY_UUID,
			    CALL_XDR(lv_network_port_lookup_by_uuid_args), &args,
			    CALL_XDR(lv_port_ret), &ret, err);
	}
	if (r < 0)
		return ctl_error("failed to get network port '%s'", text);
	*out = ret.port;
	return 0;
}

int call_net(struct ctl *ctl, int32_t proc, const lv_net *net, struct nd_error *err)
{
	lv_net_args args = { .net = *net };

	return call_lv(ctl, proc, CALL_XDR(lv_net_args), &args, NULL, NULL, err);
}

int call_net_int(struct ctl *ctl, int32_t proc, const lv_net *net, int *out, struct nd_error *err)
{
	lv_net_args args = { .net = *net };
	lv_int_ret ret = { 0 };
	int r = call_lv(ctl, proc, CALL_XDR(lv_net_args), &args, CALL_XDR(lv_int_ret), &ret, err);

	if (r == 0)
		*out = ret.value;
	return r;
}

int call_net_string(struct ctl *ctl, int32_t proc, const lv_net *net, char **out,
		    struct nd_error *err)
{
	lv_net_args args = { .net = *net };
	lv_str_ret ret = { 0 };
	int r = call_lv(ctl, proc, CALL_XDR(lv_net_args), &args, CALL_XDR(lv_str_ret), &ret, err);

	if (r == 0)
		*out = ret.value;
	return r;
}

int call_net_xml(struct ctl *ctl, const lv_net *net, unsigned flags, char **out,
		 struct nd_error *err)
{
	lv_net_flags_args args = { .net = *net, .flags = flags };
	lv_str_ret ret = { 0 };
	int r = call_lv(ctl, LV_PROC_NETWORK_GET_XML_DESC, CALL_XDR(lv_net_flags_args), &args,
			CALL_XDR(lv_str_ret), &ret, err);

	if (r == 0)
		*out = ret.value;
	return r;
}

static int by_name(const void *a, const void *b)
{
	return strcasecmp(((const lv_net *)a)->name, ((const lv_net *)b)->name);
}

int call_list_networks(struct ctl *ctl, unsigned flags, lv_list_all_networks_ret *out,
		       struct nd_error *err)
{
	lv_list_all_args args = { .need_results = 1, .flags = flags };
	int r;

	*out = (lv_list_all_networks_ret){ 0 };
	r = call_lv(ctl, LV_PROC_CONNECT_LIST_ALL_NETWORKS, CALL_XDR(lv_list_all_args), &args,
		    CALL_XDR(lv_list_all_networks_ret), out, err);
	if (r == 0 && out->nets.nets_len)
		qsort(out->nets.nets_val, out->nets.nets_len, sizeof(lv_net), by_name);
	return r;
}

static int by_uuid(const void *a, const void *b)
{
	return memcmp(((const lv_port *)a)->uuid, ((const lv_port *)b)->uuid, sizeof(lv_uuid));
}

int call_list_ports(struct ctl *ctl, const lv_net *net, lv_network_list_all_ports_ret *out,
		    struct nd_error *err)
{
	lv_network_list_all_ports_args args = { .net = *net, .need_results = 1 };
	int r;

	*out = (lv_network_list_all_ports_ret){ 0 };
	r = call_lv(ctl, LV_PROC_NETWORK_LIST_ALL_PORTS, CALL_XDR(lv_network_list_all_ports_args),
		    &args, CALL_XDR(lv_network_list_all_ports_ret), out, err);
	if (r == 0 && out->ports.ports_len)
		qsort(out->ports.ports_val, out->ports.ports_len, sizeof(lv_port), by_uuid);
	return r;
}

struct uuid_text uuid_text(const lv_uuid bytes)
{
	struct nd_uuid uuid;
	struct uuid_text t;

	memcpy(uuid.bytes, bytes, sizeof(uuid.bytes));
	nd_uuid_format(&uuid, t.text);
	return t;
}

int file_read(const char *path, char **out, struct nd_error *err)
{
	ND_AUTO(close) int fd = open(path, O_RDONLY | O_CLOEXEC);
	ND_AUTO(nd_str_free) struct nd_str text = { 0 };
	char buf[65536];
	ssize_t n;

	if (fd < 0)
		return nd_error_sys(err, errno, "Failed to open file '%s'", path);
	while ((n = read(fd, buf, sizeof(buf))) > 0 && text.len <= FILE_MAX_BYTES)
		nd_str_addn(&text, buf, (size_t)n);
	if (n < 0)
		return nd_error_sys(err, errno, "Failed to read file '%s'", path);
	if (text.len > FILE_MAX_BYTES)
		return nd_error_sys(err, EFBIG, "Failed to read file '%s'", path);
	*out = nd_str_take(&text);
	return *out ? 0 : nd_error_nomem(err);
}

int call_leases(struct ctl *ctl, const lv_net *net, const char *mac,
		lv_network_get_dhcp_leases_ret *out, struct nd_error *err)
{
	char *mac_text = (char *)mac;
	lv_network_get_dhcp_leases_args args = {
		.net = *net, .mac = mac ? &mac_text : NULL, .need_results = 1,
	};

	*out = (lv_network_get_dhcp_leases_ret){ 0 };
	return call_lv(ctl, LV_PROC_NETWORK_GET_DHCP_LEASES,
		       CALL_XDR(lv_network_get_dhcp_leases_args), &args,
		       CALL_XDR(lv_network_get_dhcp_leases_ret), out, err);
}
