/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "datapath/vf_hold.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "datapath/private.h"
#include "datapath/vf.h"
#include "netd/base/effect.h"
#include "netd/base/str.h"

#define FOLDER "vfs"
enum { NOTE_SIZE = 256 };

/* ---- notes: vfs/DEVICE ---- */

struct note {
	char owner[64];
	struct vf vf;
	struct vf_setting before;
	bool vlan;			/* the tag was changed, too */
};

static int may(const char *verb, const char *ifname)
{
	char what[64];

	snprintf(what, sizeof(what), "%s note on vf %s", verb, ifname);
	return nd_effect(ND_EFFECT_FILE, what);
}

static int open_folder(struct datapath *dp)
{
	return openat(dp->run_fd, FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* False: there is none, or not a whole one, and then nothing was changed yet. */
static bool note_read(struct datapath *dp, const char *ifname, struct note *out)
{
	ND_AUTO(close) int folder = open_folder(dp);
	ND_AUTO(close) int fd = folder < 0 ? -1 : openat(folder, ifname, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char text[NOTE_SIZE], mac[32];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	unsigned changed, vlan, qos, proto;

	if (n <= 0 || text[n - 1] != '\n')
		return false;
	text[n] = '\0';
	if (sscanf(text, "%63s %15s %u %31s %u %u %u %u", out->owner, out->vf.pf, &out->vf.n, mac, &changed, &vlan,
		   &qos, &proto) != 8 || !nd_mac_parse(mac, &out->before.mac))
		return false;
	out->vlan = changed;
	out->before.vlan = (uint16_t)vlan;
	out->before.qos = (uint8_t)qos;
	out->before.proto = (uint16_t)proto;
	return true;
}

static int note_write(struct datapath *dp, const char *ifname, const struct note *note, struct nd_error *err)
{
	const struct vf_setting *s = &note->before;
	ND_AUTO(close) int folder = -1, fd = -1;
	char text[NOTE_SIZE], mac[ND_MAC_STRLEN];
	int len = snprintf(text, sizeof(text), "%s %s %u %s %u %u %u %u\n", note->owner, note->vf.pf, note->vf.n,
			   nd_mac_format(&s->mac, mac), note->vlan, s->vlan, s->qos, s->proto);
	int r = may("write", ifname);

	if (r < 0)
		return nd_error_sys(err, -r, "cannot note what '%s' has", ifname);
	(void)mkdirat(dp->run_fd, FOLDER, 0700);	/* it may be there; else the next call fails */
	folder = open_folder(dp);
	fd = folder < 0 ? -1 : openat(folder, ifname, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || write(fd, text, (size_t)len) != len)
		return nd_error_sys(err, errno, "cannot note what '%s' has", ifname);
	return 0;
}

static int note_remove(struct datapath *dp, const char *ifname, struct nd_error *err)
{
	ND_AUTO(close) int folder = open_folder(dp);
	int r = may("remove", ifname);

	if (r == 0 && unlinkat(folder, ifname, 0) < 0 && errno != ENOENT)
		r = -errno;
	return r < 0 ? nd_error_sys(err, -r, "cannot remove the note on '%s'", ifname) : 0;
}

/* ---- what the PF gives ---- */

static int pf_ifindex(struct datapath *dp, const struct vf *vf, struct nd_error *err)
{
	struct link_info link;
	int r = link_get(dp->nl, vf->pf, &link, err);

	if (r == -ENODEV)
		return nd_error_set(err, ND_ERR_OPERATION_FAILED, "there is no device '%s'", vf->pf);
	return r < 0 ? r : link.fact.ifindex;
}

/* The MAC, and the tag where there is one to set. Each is tried; the first failure counts. */
static int give(struct datapath *dp, const struct vf *vf, const struct vf_setting *s, bool vlan,
		struct nd_error *err)
{
	ND_AUTO(nl_batch_fini) struct nl_batch b = { 0 };
	int pf = pf_ifindex(dp, vf, err), r;

	if (pf < 0)
		return pf;
	vf_request_mac(&b, pf, vf, &s->mac);
	if (vlan)
		vf_request_vlan(&b, pf, vf, s);
	r = nl_batch_run(dp->nl, &b, 0);
	for (size_t i = 0; i < b.n && r < 0; i++)
		if (b.reqs[i].result < 0)
			return nl_req_error(&b.reqs[i], err);
	return r < 0 ? nd_error_nomem(err) : 0;
}

int datapath_is_vf(struct datapath *dp, const char *ifname, struct nd_error *err)
{
	struct vf vf;

	return vf_find(dp->sysfs, ifname, &vf, err);
}

static int read_before(struct datapath *dp, struct note *note, struct nd_error *err)
{
	int pf = pf_ifindex(dp, &note->vf, err);

	return pf < 0 ? pf : vf_get(dp->nl, pf, &note->vf, &note->before, err);
}

/* One that is noted already was not put back when its guest ended: what it has now is not its own. */
static int note_before(struct datapath *dp, const struct vf_wanted *want, const struct vf *vf, struct nd_error *err)
{
	struct note note = { 0 };
	int r = 0;

	if (!note_read(dp, want->ifname, &note)) {
		note = (struct note){ .vf = *vf };
		r = read_before(dp, &note, err);
	}
	snprintf(note.owner, sizeof(note.owner), "%s", want->owner);
	note.vlan |= want->has_vlan;
	return r < 0 ? r : note_write(dp, want->ifname, &note, err);
}

int datapath_vf_hold(struct datapath *dp, const struct vf_wanted *want, struct nd_error *err)
{
	const struct vf_setting s = { .mac = want->mac, .vlan = want->vlan, .proto = ETH_P_8021Q };
	struct vf vf;
	int r = vf_find(dp->sysfs, want->ifname, &vf, err);

	if (r <= 0)
		return r;
	if (!vf.pf[0])
		return nd_error_set(err, ND_ERR_OPERATION_FAILED, "the physical function of '%s' has no device in this "
				    "network namespace", want->ifname);
	r = note_before(dp, want, &vf, err);
	if (r < 0)
		return r;
	r = give(dp, &vf, &s, want->has_vlan, err);
	if (r < 0)
		(void)datapath_vf_release(dp, want->ifname, want->owner, NULL);	/* the error in hand says more */
	return r < 0 ? r : 1;
}

/* Some drivers refuse to let the VF choose again, as zeros are no address: then it has a MAC that is nobody's, as with
 * libvirt. */
static int give_back(struct datapath *dp, const struct note *note, struct nd_error *err)
{
	struct vf_setting nobodys = note->before;
	int r = give(dp, &note->vf, &note->before, note->vlan, err);

	if ((r != -EINVAL && r != -EADDRNOTAVAIL) || !nd_mac_is_zero(&note->before.mac))
		return r;
	nobodys.mac = (struct nd_mac){ { 0x02 } };
	return give(dp, &note->vf, &nobodys, note->vlan, NULL) == 0 ? 0 : r;
}

int datapath_vf_release(struct datapath *dp, const char *ifname, const char *owner, struct nd_error *err)
{
	struct link_info link;
	struct note note;
	struct vf vf;
	int r;

	if (!note_read(dp, ifname, &note) || !nd_streq(note.owner, owner))
		return 0;
	if (vf_find(dp->sysfs, ifname, &vf, NULL) == 1 && vf.pf[0])
		note.vf = vf;		/* the PF may have got another name */
	r = link_get(dp->nl, note.vf.pf, &link, err);
	if (r == 0)
		r = give_back(dp, &note, err);
	return r < 0 && r != -ENODEV ? r : note_remove(dp, ifname, err);
}

int datapath_vf_release_all(struct datapath *dp, const char *owner, bool (*keep)(void *arg, const char *ifname),
			    void *arg, struct nd_error *err)
{
	int fd = open_folder(dp), r = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return fd < 0 && errno == ENOENT ? 0 : nd_error_sys(err, errno, "cannot read the notes on VFs");
	}
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.' && !(keep && keep(arg, entry->d_name)) && r == 0)
			r = datapath_vf_release(dp, entry->d_name, owner, err);
	closedir(dir);
	return r;
}
