/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "datapath/profile_talk.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include "datapath/private.h"
#include "datapath/vf.h"
#include "netd/base/effect.h"
#include "netd/base/str.h"

/* The kernel tells of all VFs of a device at once. */
enum { RECEIVE_BYTES = 64 * 1024 };

struct profile_talk {
	struct port_profile profile;
	uint8_t request;
	int fd;
	struct sockaddr_nl to;
	uint32_t seq, request_seq, question_seq;
	bool accepted, refused;		/* the request was */
	bool asking;			/* the question is out */
	_Alignas(struct nlmsghdr) uint8_t buf[RECEIVE_BYTES];
};

/* ---- to whom ---- */

int profile_find_device(struct datapath *dp, const char *lower, struct port_profile *p, struct nd_error *err)
{
	struct link_info link;
	struct vf vf;
	int r = p->kind == PORT_PROFILE_QBH ? vf_find(dp->sysfs, lower, &vf, err) : 0;

	if (r < 0)
		return r;
	p->vf = r && vf.pf[0] ? vf.n : (uint32_t)PORT_SELF_VF;
	r = link_get(dp->nl, r && vf.pf[0] ? vf.pf : lower, &link, err);
	p->vlan = link.vlan;
	while (r == 0 && p->kind == PORT_PROFILE_QBG && link.lower)
		r = link_get_index(dp->nl, link.lower, &link, err);
	if (r == -ENODEV)
		return nd_error_set(err, ND_ERR_OPERATION_FAILED, "there is no device '%s'", lower);
	strcpy(p->ifname, link.fact.name);
	p->ifindex = link.fact.ifindex;
	return r;
}

static int read_pid(const char *path, uint32_t *pid_out, struct nd_error *err)
{
	ND_AUTO(close) int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[32], rest = '\n';
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n < 0)
		return nd_error_sys(err, errno, "cannot read '%s' (802.1Qbg needs lldpad: does it run?)", path);
	text[n] = '\0';
	if (sscanf(text, "%u%c", pid_out, &rest) < 1 || rest != '\n' || *pid_out == 0)
		return nd_error_set(err, ND_ERR_OPERATION_FAILED, "'%s' holds no process id", path);
	return 0;
}

static int open_socket(struct profile_talk *t, struct nd_error *err)
{
	const struct sockaddr_nl any = { .nl_family = AF_NETLINK };

	t->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (t->fd < 0 || bind(t->fd, (const struct sockaddr *)&any, sizeof(any)) < 0)
		return nd_error_sys(err, errno, "cannot open a netlink socket");
	return 0;
}

static int send_message(struct profile_talk *t, struct nl_batch *b, uint32_t *seq_out, struct nd_error *err)
{
	struct nl_req *rq = b->failed ? &b->lost : &b->reqs[0];
	struct sockaddr_nl self;
	socklen_t len = sizeof(self);
	struct nlmsghdr *head;
	int r;

	if (rq->full)
		return nd_error_nomem(err);
	head = nlmsg_hdr(rq->msg);
	head->nlmsg_seq = *seq_out = ++t->seq;
	/* lldpad answers the sender, and keeps this number for what it has to say later */
	head->nlmsg_pid = getsockname(t->fd, (struct sockaddr *)&self, &len) == 0 ? self.nl_pid : 0;
	r = rq->changes ? nd_effect(ND_EFFECT_RTNL, rq->what) : 0;
	if (r == 0 && sendto(t->fd, head, head->nlmsg_len, MSG_DONTWAIT, (struct sockaddr *)&t->to,
			     sizeof(t->to)) < 0)
		r = -errno;
	if (r == -ECONNREFUSED)
		return nd_error_set(err, ND_ERR_OPERATION_FAILED, "cannot %s: lldpad is not there (no process %u in this "
				    "network namespace listens)", rq->what, t->to.nl_pid);
	return r < 0 ? nd_error_sys(err, -r, "cannot %s", rq->what) : 0;
}

int profile_talk_new(const struct port_profile *p, const char *lldpad_pid, uint8_t request, struct profile_talk **out,
		     struct nd_error *err)
{
	ND_AUTO(profile_talk_free) struct profile_talk *t = calloc(1, sizeof(*t));
	ND_AUTO(nl_batch_fini) struct nl_batch b = { 0 };
	int r = 0;

	if (!t)
		return nd_error_nomem(err);
	t->profile = *p;
	t->request = request;
	t->fd = -1;
	t->to.nl_family = AF_NETLINK;
	if (p->kind == PORT_PROFILE_QBG)
		r = read_pid(lldpad_pid, &t->to.nl_pid, err);
	if (r == 0)
		r = open_socket(t, err);
	if (r < 0)
		return r;
	port_profile_request(&b, p, request);
	r = send_message(t, &b, &t->request_seq, err);
	if (r == 0)
		*out = nd_take_ptr(&t);
	return r;
}

void profile_talk_free(struct profile_talk *t)
{
	if (!t)
		return;
	if (t->fd >= 0)
		close(t->fd);
	free(t);
}

/* ---- what is answered ---- */

static int refused(const struct profile_talk *t, int error, struct nd_error *err)
{
	const char *who = t->to.nl_pid ? "lldpad" : "the device's driver";
	const char *what = t->request == PORT_REQUEST_ASSOCIATE ? "" : "dis";

	if (t->to.nl_pid && error == -EPROTONOSUPPORT)
		return nd_error_set(err, ND_ERR_OPERATION_FAILED, "lldpad has found no 802.1Qbg switch at '%s'",
				    t->profile.ifname);
	return nd_error_sys(err, -error, "%s cannot %sassociate a guest on '%s'", who, what, t->profile.ifname);
}

/* Answer to the request, or a failure of either; to the kernel's ack of a question nothing is to be said. */
static int handle_ack(struct profile_talk *t, const struct nlmsghdr *msg, struct nd_error *err)
{
	const struct nlmsgerr *e = NLMSG_DATA(msg);
	int error = msg->nlmsg_len < NLMSG_LENGTH(sizeof(*e)) ? -EBADMSG : e->error;

	if (msg->nlmsg_seq == t->request_seq) {
		t->accepted = error == 0;
		t->refused = error < 0;
	}
	return error < 0 ? refused(t, error, err) : 0;
}

static int handle(struct profile_talk *t, const struct nlmsghdr *msg, struct nd_error *err)
{
	if (msg->nlmsg_seq != t->request_seq && msg->nlmsg_seq != t->question_seq)
		return 0;
	if (msg->nlmsg_seq == t->question_seq)
		t->asking = false;
	if (msg->nlmsg_type == NLMSG_ERROR)
		return handle_ack(t, msg, err);
	if (msg->nlmsg_seq != t->question_seq)
		return 0;
	return port_profile_judge(port_profile_response(msg, &t->profile), &t->profile, err);
}

/* All that is there. 1: the switch has agreed. */
static int receive(struct profile_talk *t, struct nd_error *err)
{
	for (;;) {
		struct sockaddr_nl from = { 0 };
		socklen_t from_len = sizeof(from);
		ssize_t n = recvfrom(t->fd, t->buf, sizeof(t->buf), MSG_DONTWAIT, (struct sockaddr *)&from, &from_len);
		int len = (int)n, r = 0;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : nd_error_sys(err, errno, "cannot read an answer about '%s'",
								  t->profile.ifname);
		if (from.nl_pid != t->to.nl_pid)
			continue;
		for (struct nlmsghdr *msg = (struct nlmsghdr *)t->buf; NLMSG_OK(msg, len) && r == 0;
		     msg = NLMSG_NEXT(msg, len))
			r = handle(t, msg, err);
		if (r != 0)
			return r;
	}
}

static int ask(struct profile_talk *t, struct nd_error *err)
{
	ND_AUTO(nl_batch_fini) struct nl_batch b = { 0 };
	int r;

	port_profile_question(&b, &t->profile);
	r = send_message(t, &b, &t->question_seq, err);
	t->asking = r == 0;
	return r;
}

int profile_talk_look(struct profile_talk *t, struct nd_error *err)
{
	int r = receive(t, err);

	if (r != 0 || !t->accepted || t->asking)
		return r;
	r = ask(t, err);
	return r < 0 ? r : receive(t, err);	/* the kernel has answered by now, lldpad perhaps */
}

int profile_talk_look_accepted(struct profile_talk *t, struct nd_error *err)
{
	int r = receive(t, err);

	if (r == -EINVAL && t->refused && t->to.nl_pid)
		return 1;	/* lldpad does not know it any more: the device was down, or it has run anew */
	return r < 0 ? r : t->accepted;
}

bool profile_talk_refused(const struct profile_talk *t)
{
	return t->refused;
}

const char *profile_talk_silent(const struct profile_talk *t)
{
	return t->to.nl_pid && !t->accepted ? "lldpad" : "the switch";
}
