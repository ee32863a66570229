/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "datapath/vf.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "netd/base/str.h"

/* ---- sysfs ---- */

ND_DEFINE_AUTO(DIR *, closedir)

static int open_dir(int at, const char *path)
{
	return openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static DIR *list_dir(int at, const char *path)
{
	ND_AUTO(close) int fd = open_dir(at, path);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (dir)
		(void)nd_take_fd(&fd);
	return dir;
}

/* The last part of what a link leads to: a device's address on its bus. False: there is no link. */
static bool link_target(int at, const char *path, char out[NAME_MAX + 1])
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(at, path, target, sizeof(target) - 1);
	const char *slash;

	if (n <= 0)
		return false;
	target[n] = '\0';
	slash = strrchr(target, '/');
	slash = slash ? slash + 1 : target;
	if (strlen(slash) > NAME_MAX)
		return false;
	strcpy(out, slash);
	return true;
}

/* A one-line attribute; "" when it cannot be read. */
static void read_attribute(int at, const char *path, char out[32])
{
	ND_AUTO(close) int fd = openat(at, path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, out, 31);

	out[n > 0 ? n : 0] = '\0';
	out[strcspn(out, "\n")] = '\0';
}

/* The number in "virtfn3" of the link that leads to the VF's address. */
static int find_number(int device, const char *address, uint32_t *n_out)
{
	ND_AUTO(closedir) DIR *dir = list_dir(device, "physfn");
	const struct dirent *entry;
	char target[NAME_MAX + 1];

	while (dir && (entry = readdir(dir))) {
		unsigned n;
		char rest;

		if (sscanf(entry->d_name, "virtfn%u%c", &n, &rest) != 1 ||
		    !link_target(dirfd(dir), entry->d_name, target) || !nd_streq(target, address))
			continue;
		*n_out = n;
		return 0;
	}
	return -ENOENT;
}

/* A device that stands for a VF towards a switch in the NIC is the PF's, too, but not the PF. */
static bool is_representor(int nets, const char *ifname)
{
	char path[NAME_MAX + 20], name[32];
	unsigned pf, vf;

	snprintf(path, sizeof(path), "%s/phys_port_name", ifname);
	read_attribute(nets, path, name);
	return sscanf(name, "pf%uvf%u", &pf, &vf) == 2 || sscanf(name, "c%*upf%uvf%u", &pf, &vf) == 2;
}

/* The PF's device, and where it has several (a NIC with two sockets) the one of the VF's socket. */
static void find_pf(int device, const char *vf_port, char out[IFNAMSIZ])
{
	ND_AUTO(closedir) DIR *dir = list_dir(device, "physfn/net");
	const struct dirent *entry;
	char path[NAME_MAX + 20], port[32];

	out[0] = '\0';
	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || strlen(entry->d_name) >= IFNAMSIZ)
			continue;
		snprintf(path, sizeof(path), "%s/dev_port", entry->d_name);
		read_attribute(dirfd(dir), path, port);
		if (!nd_streq(port, vf_port) || is_representor(dirfd(dir), entry->d_name))
			continue;
		strcpy(out, entry->d_name);
		return;
	}
}

int vf_find(const char *sysfs, const char *ifname, struct vf *out, struct nd_error *err)
{
	char path[PATH_MAX], address[NAME_MAX + 1], port[32];
	ND_AUTO(close) int dir = -1, device = -1;

	*out = (struct vf){ 0 };
	if (strlen(ifname) >= IFNAMSIZ || strchr(ifname, '/'))
		return 0;
	snprintf(path, sizeof(path), "%s/class/net/%s", sysfs, ifname);
	dir = open_dir(AT_FDCWD, path);
	device = dir < 0 ? -1 : open_dir(dir, "device");
	if (device < 0 || faccessat(device, "physfn", F_OK, 0) < 0)
		return 0;
	if (!link_target(dir, "device", address) || find_number(device, address, &out->n) < 0)
		return nd_error_set(err, ND_ERR_OPERATION_FAILED, "'%s' is a virtual function, but %s does not tell "
				    "which one", ifname, path);
	read_attribute(dir, "dev_port", port);
	find_pf(device, port, out->pf);
	return 1;
}

/* ---- requests ---- */

static struct nl_req *request(struct nl_batch *b, int pf_ifindex, const struct vf *vf, const char *what)
{
	const struct ifinfomsg ifi = { .ifi_index = pf_ifindex };

	return nl_batch_add(b, RTM_SETLINK, 0, &ifi, sizeof(ifi), "set the %s of virtual function %u of '%s'", what,
			    vf->n, vf->pf);
}

static void put_in_list(struct nl_req *rq, int type, const void *data, size_t len)
{
	struct nlattr *list = nl_nest(rq, IFLA_VFINFO_LIST), *info = nl_nest(rq, IFLA_VF_INFO);

	nl_put(rq, type, data, len);
	nl_nest_end(rq, info);
	nl_nest_end(rq, list);
}

void vf_request_mac(struct nl_batch *b, int pf_ifindex, const struct vf *vf, const struct nd_mac *mac)
{
	struct ifla_vf_mac m = { .vf = vf->n };

	memcpy(m.mac, mac->bytes, sizeof(mac->bytes));
	put_in_list(request(b, pf_ifindex, vf, "MAC"), IFLA_VF_MAC, &m, sizeof(m));
}

void vf_request_vlan(struct nl_batch *b, int pf_ifindex, const struct vf *vf, const struct vf_setting *s)
{
	struct nl_req *rq = request(b, pf_ifindex, vf, "VLAN");
	struct nlattr *list, *info, *vlans;

	if (s->proto != ETH_P_8021AD) {		/* as every kernel and driver takes it */
		const struct ifla_vf_vlan v = { .vf = vf->n, .vlan = s->vlan, .qos = s->qos };

		put_in_list(rq, IFLA_VF_VLAN, &v, sizeof(v));
		return;
	}
	list = nl_nest(rq, IFLA_VFINFO_LIST);
	info = nl_nest(rq, IFLA_VF_INFO);
	vlans = nl_nest(rq, IFLA_VF_VLAN_LIST);
	nl_put(rq, IFLA_VF_VLAN_INFO, &(struct ifla_vf_vlan_info){
		.vf = vf->n, .vlan = s->vlan, .qos = s->qos, .vlan_proto = htons(s->proto) },
	       sizeof(struct ifla_vf_vlan_info));
	nl_nest_end(rq, vlans);
	nl_nest_end(rq, info);
	nl_nest_end(rq, list);
}

/* ---- what is ---- */

/* The VF's tag, of a list that holds one (IFLA_VF_VLAN_LIST) or without, from kernels before 4.9. */
static void decode_vlan(struct nlattr **tb, struct vf_setting *out)
{
	struct nlattr *info[IFLA_VF_VLAN_INFO_MAX + 1];
	struct ifla_vf_vlan_info v = { 0 };
	struct ifla_vf_vlan plain = { 0 };

	nl_parse_nested(tb[IFLA_VF_VLAN_LIST], info, IFLA_VF_VLAN_INFO_MAX);
	nl_get_bytes(info[IFLA_VF_VLAN_INFO], &v, sizeof(v));
	nl_get_bytes(tb[IFLA_VF_VLAN], &plain, sizeof(plain));
	out->vlan = (uint16_t)plain.vlan;
	out->qos = (uint8_t)plain.qos;
	out->proto = ntohs(v.vlan_proto) == ETH_P_8021AD ? ETH_P_8021AD : ETH_P_8021Q;
}

bool vf_decode(const struct nlmsghdr *msg, uint32_t n, struct vf_setting *out)
{
	struct nlattr *tb[IFLA_MAX + 1], *vf[IFLA_VF_MAX + 1];
	const struct nlattr *info;
	int rest;

	if (msg->nlmsg_type != RTM_NEWLINK || !nl_parse(msg, sizeof(struct ifinfomsg), tb, IFLA_MAX) ||
	    !tb[IFLA_VFINFO_LIST])
		return false;
	nla_for_each_nested(info, tb[IFLA_VFINFO_LIST], rest) {
		struct ifla_vf_mac m;

		nl_parse_nested(info, vf, IFLA_VF_MAX);
		nl_get_bytes(vf[IFLA_VF_MAC], &m, sizeof(m));
		if (!vf[IFLA_VF_MAC] || m.vf != n)
			continue;
		memcpy(out->mac.bytes, m.mac, sizeof(out->mac.bytes));
		decode_vlan(vf, out);
		return true;
	}
	return false;
}

struct reading {
	uint32_t n;
	struct vf_setting *out;
	bool found;
};

static void read_setting(void *arg, const struct nlmsghdr *msg)
{
	struct reading *r = arg;

	if (msg && vf_decode(msg, r->n, r->out))
		r->found = true;
}

int vf_get(struct nl *nl, int pf_ifindex, const struct vf *vf, struct vf_setting *out, struct nd_error *err)
{
	ND_AUTO(nl_batch_fini) struct nl_batch b = { 0 };
	const struct ifinfomsg ifi = { .ifi_index = pf_ifindex };
	struct reading reading = { vf->n, out, false };
	struct nl_req *rq = nl_batch_add(&b, RTM_GETLINK, 0, &ifi, sizeof(ifi),
					 "read virtual function %u of '%s'", vf->n, vf->pf);
	int r;

	nl_put_u32(rq, IFLA_EXT_MASK, RTEXT_FILTER_VF | RTEXT_FILTER_SKIP_STATS);
	rq->reply = read_setting;
	rq->arg = &reading;
	r = nl_call(nl, &b, err);
	if (r == 0 && !reading.found)
		r = nd_error_set(err, ND_ERR_OPERATION_FAILED, "'%s' has no virtual function %u", vf->pf, vf->n);
	return r;
}
