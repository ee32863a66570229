/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "datapath/port_profile.h"

#include <string.h>

#include "netd/base/auto.h"

/* ---- requests ---- */

/* For lldpad a VSI is a MAC in a VLAN. A driver gets the MAC of a VF; the kernel takes no number of VF that means the
 * device itself, whose MAC the driver knows. */
static void put_vf_info(struct nl_req *rq, const struct port_profile *p)
{
	bool qbg = p->kind == PORT_PROFILE_QBG;
	const struct ifla_vf_vlan vlan = { .vf = (uint32_t)PORT_SELF_VF, .vlan = p->vlan };
	struct ifla_vf_mac mac = { .vf = qbg ? (uint32_t)PORT_SELF_VF : p->vf };
	struct nlattr *list, *info;

	if (!qbg && p->vf == (uint32_t)PORT_SELF_VF)
		return;
	memcpy(mac.mac, p->mac.bytes, sizeof(p->mac.bytes));
	list = nl_nest(rq, IFLA_VFINFO_LIST);
	info = nl_nest(rq, IFLA_VF_INFO);
	nl_put(rq, IFLA_VF_MAC, &mac, sizeof(mac));
	if (qbg)
		nl_put(rq, IFLA_VF_VLAN, &vlan, sizeof(vlan));
	nl_nest_end(rq, info);
	nl_nest_end(rq, list);
}

static void put_qbg(struct nl_req *rq, const struct port_profile *p)
{
	const struct ifla_port_vsi vsi = {
		.vsi_mgr_id = p->manager, .vsi_type_version = p->version,
		.vsi_type_id = { p->type & 0xff, p->type >> 8 & 0xff, p->type >> 16 & 0xff },
	};

	nl_put(rq, IFLA_PORT_VSI_TYPE, &vsi, sizeof(vsi));
	nl_put(rq, IFLA_PORT_INSTANCE_UUID, p->instance.bytes, sizeof(p->instance.bytes));
}

static void put_qbh(struct nl_req *rq, const struct port_profile *p, uint8_t request)
{
	if (p->vf != (uint32_t)PORT_SELF_VF)
		nl_put_u32(rq, IFLA_PORT_VF, p->vf);
	if (request != PORT_REQUEST_ASSOCIATE)
		return;
	nl_put_str(rq, IFLA_PORT_PROFILE, p->name);
	nl_put(rq, IFLA_PORT_INSTANCE_UUID, p->instance.bytes, sizeof(p->instance.bytes));
	if (!nd_uuid_is_null(&p->host))
		nl_put(rq, IFLA_PORT_HOST_UUID, p->host.bytes, sizeof(p->host.bytes));
}

void port_profile_request(struct nl_batch *b, const struct port_profile *p, uint8_t request)
{
	const struct ifinfomsg ifi = { .ifi_index = p->ifindex };
	struct nl_req *rq = nl_batch_add(b, RTM_SETLINK, 0, &ifi, sizeof(ifi), "%sassociate a guest on '%s'",
					 request == PORT_REQUEST_ASSOCIATE ? "" : "dis", p->ifname);
	bool self = p->kind == PORT_PROFILE_QBH && p->vf == (uint32_t)PORT_SELF_VF;
	struct nlattr *ports, *port = NULL;

	if (p->kind == PORT_PROFILE_QBG)
		nl_put_str(rq, IFLA_IFNAME, p->ifname);	/* to the kernel it would be a new name */
	put_vf_info(rq, p);
	ports = nl_nest(rq, self ? IFLA_PORT_SELF : IFLA_VF_PORTS);
	if (!self)
		port = nl_nest(rq, IFLA_VF_PORT);
	if (p->kind == PORT_PROFILE_QBG)
		put_qbg(rq, p);
	else
		put_qbh(rq, p, request);
	nl_put_u8(rq, IFLA_PORT_REQUEST, request);
	if (!self)
		nl_nest_end(rq, port);
	nl_nest_end(rq, ports);
}

void port_profile_question(struct nl_batch *b, const struct port_profile *p)
{
	const struct ifinfomsg ifi = { .ifi_index = p->ifindex };
	struct nl_req *rq = nl_batch_add(b, RTM_GETLINK, 0, &ifi, sizeof(ifi), "read the port profile of '%s'",
					 p->ifname);

	if (p->kind == PORT_PROFILE_QBG)
		nl_put_str(rq, IFLA_IFNAME, p->ifname);
	else
		nl_put_u32(rq, IFLA_EXT_MASK, RTEXT_FILTER_VF | RTEXT_FILTER_SKIP_STATS);
}

/* ---- answers ---- */

static int get_response(const struct nlattr *a)
{
	uint16_t response;

	if (!a)
		return PORT_PROFILE_NO_RESPONSE;
	nl_get_bytes(a, &response, sizeof(response));
	return response;
}

static bool is_instance(const struct nlattr *a, const struct nd_uuid *instance)
{
	struct nd_uuid found;

	nl_get_bytes(a, &found, sizeof(found));
	return nd_uuid_equal(&found, instance);
}

/* lldpad tells of all instances of the device; an old one puts them into one nest, each with its id in front. */
static int qbg_response(const struct nlattr *port, const struct port_profile *p)
{
	const struct nlattr *a;
	bool ours = false;
	int rest;

	nla_for_each_nested(a, port, rest) {
		if (nla_type(a) == IFLA_PORT_INSTANCE_UUID)
			ours = is_instance(a, &p->instance);
		else if (nla_type(a) == IFLA_PORT_RESPONSE && ours)
			return get_response(a);
	}
	return PORT_PROFILE_NO_RESPONSE;
}

static int qbh_response(const struct nlattr *port, const struct port_profile *p)
{
	struct nlattr *tb[IFLA_PORT_MAX + 1];

	nl_parse_nested(port, tb, IFLA_PORT_MAX);
	return tb[IFLA_PORT_VF] && nl_get_u32(tb[IFLA_PORT_VF]) == p->vf ? get_response(tb[IFLA_PORT_RESPONSE])
									 : PORT_PROFILE_NO_RESPONSE;
}

int port_profile_response(const struct nlmsghdr *answer, const struct port_profile *p)
{
	struct nlattr *tb[IFLA_MAX + 1], *self[IFLA_PORT_MAX + 1];
	const struct nlattr *port;
	int rest, response = PORT_PROFILE_NO_RESPONSE;

	if (!nl_parse(answer, sizeof(struct ifinfomsg), tb, IFLA_MAX))
		return response;
	if (p->kind == PORT_PROFILE_QBH && p->vf == (uint32_t)PORT_SELF_VF) {
		nl_parse_nested(tb[IFLA_PORT_SELF], self, IFLA_PORT_MAX);
		return get_response(self[IFLA_PORT_RESPONSE]);
	}
	if (!tb[IFLA_VF_PORTS])
		return response;
	nla_for_each_nested(port, tb[IFLA_VF_PORTS], rest) {
		response = p->kind == PORT_PROFILE_QBG ? qbg_response(port, p) : qbh_response(port, p);
		if (response != PORT_PROFILE_NO_RESPONSE)
			break;
	}
	return response;
}

static const char *const vdp_refusals[] = {
	[PORT_VDP_RESPONSE_INVALID_FORMAT] = "the request has a format that it does not know",
	[PORT_VDP_RESPONSE_INSUFFICIENT_RESOURCES] = "it has no resources left for it",
	[PORT_VDP_RESPONSE_UNUSED_VTID] = "it does not know the typeid",
	[PORT_VDP_RESPONSE_VTID_VIOLATION] = "the typeid is not allowed here",
	[PORT_VDP_RESPONSE_VTID_VERSION_VIOALTION] = "the typeidversion is not allowed here",
	[PORT_VDP_RESPONSE_OUT_OF_SYNC] = "it is out of step with the host",
};

static const char *const profile_refusals[] = {
	[PORT_PROFILE_RESPONSE_INVALID - PORT_PROFILE_RESPONSE_SUCCESS] = "it does not know the profile",
	[PORT_PROFILE_RESPONSE_BADSTATE - PORT_PROFILE_RESPONSE_SUCCESS] = "the port is in no state for it",
	[PORT_PROFILE_RESPONSE_INSUFFICIENT_RESOURCES - PORT_PROFILE_RESPONSE_SUCCESS] =
		"it has no resources left for it",
	[PORT_PROFILE_RESPONSE_ERROR - PORT_PROFILE_RESPONSE_SUCCESS] = "it failed there",
};

static const char *refusal(int response)
{
	size_t of_profile = (size_t)response - PORT_PROFILE_RESPONSE_SUCCESS;

	if (response < (int)ND_COUNT(vdp_refusals))
		return vdp_refusals[response];
	return response > PORT_PROFILE_RESPONSE_SUCCESS && of_profile < ND_COUNT(profile_refusals) ?
	       profile_refusals[of_profile] : NULL;
}

int port_profile_judge(int response, const struct port_profile *p, struct nd_error *err)
{
	const char *why;

	if (response == PORT_PROFILE_NO_RESPONSE || response == PORT_PROFILE_RESPONSE_INPROGRESS)
		return 0;
	if (response == (p->kind == PORT_PROFILE_QBG ? PORT_VDP_RESPONSE_SUCCESS : PORT_PROFILE_RESPONSE_SUCCESS))
		return 1;
	why = refusal(response);
	return nd_error_set(err, ND_ERR_OPERATION_FAILED, "the switch at '%s' refuses the guest: %s (response %d)",
			    p->ifname, why ? why : "it does not say why", response);
}
