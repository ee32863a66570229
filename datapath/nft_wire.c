/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "datapath/nft_wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

#include "datapath/nft_layout.h"
#include "netd/base/array.h"

enum {
	MSG_ROOM = 16 * 1024,
	ANSWER_BYTES = 64 * 1024,
	SNDBUF_BYTES = 4 * 1024 * 1024,
	RCVBUF_BYTES = 4 * 1024 * 1024,
	OWNER_STEP_MS = 10,
	OWNER_WAIT_MS = 1000,
};

int nft_wire_open(struct nft_wire *w, struct nd_error *err)
{
	struct timeval timeout = { .tv_sec = 10 };
	int fd, on = 1, size = RCVBUF_BYTES;

	memset(w, 0, sizeof(*w));
	w->sock = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (!w->sock || mnl_socket_bind(w->sock, 0, MNL_SOCKET_AUTOPID) < 0) {
		nd_error_sys(err, errno, "cannot open an nftables netlink socket");
		nft_wire_close(w);
		return -(err ? err->code : EIO);
	}
	w->portid = mnl_socket_get_portid(w->sock);
	fd = mnl_socket_get_fd(w->sock);
	w->sndbuf_bytes = SNDBUF_BYTES;
	/* Without these, big transactions fail with an error and answers lack a detail. */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &w->sndbuf_bytes, sizeof(int));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	return 0;
}

void nft_wire_close(struct nft_wire *w)
{
	if (w->sock)
		mnl_socket_close(w->sock);
	w->sock = NULL;
}

static struct nlmsghdr *msg_put(void *at, uint16_t type, uint8_t family, uint16_t flags,
				uint32_t seq, uint16_t res_id)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(at);
	struct nfgenmsg *g;

	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | flags;
	h->nlmsg_seq = seq;
	g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	g->nfgen_family = family;
	g->version = NFNETLINK_V0;
	g->res_id = htons(res_id);
	return h;
}

static bool tx_room(struct nft_tx *tx)
{
	size_t size = tx->size ? tx->size : 4 * MSG_ROOM;
	uint8_t *buf;

	if (tx->failed)
		return false;
	while (size - tx->len < MSG_ROOM)
		size *= 2;
	if (size == tx->size)
		return true;
	buf = realloc(tx->buf, size);
	if (!buf) {
		tx->failed = true;
		return false;
	}
	tx->buf = buf;
	tx->size = size;
	return true;
}

void nft_tx_begin(struct nft_tx *tx, struct nft_wire *w, uint32_t genid)
{
	struct nlmsghdr *h;

	memset(tx, 0, sizeof(*tx));
	tx->seq = w->seq;
	if (!tx_room(tx))
		return;
	h = msg_put(tx->buf, NFNL_MSG_BATCH_BEGIN, AF_UNSPEC, 0, ++tx->seq, NFNL_SUBSYS_NFTABLES);
	if (genid)
		mnl_attr_put_u32(h, NFNL_BATCH_GENID, htonl(genid));
	tx->len = h->nlmsg_len;
	tx->first_seq = tx->seq + 1;
}

struct nlmsghdr *nft_tx_msg(struct nft_tx *tx, uint16_t type, uint8_t family, uint16_t flags,
			    struct nft_label label)
{
	struct nft_label *l;

	if (!tx_room(tx))
		return NULL;
	l = nd_array_add(tx->labels, tx->n_labels);
	if (!l) {
		tx->failed = true;
		return NULL;
	}
	*l = label;
	return msg_put(tx->buf + tx->len, NFNL_SUBSYS_NFTABLES << 8 | type, family, flags, ++tx->seq,
		       0);
}

void nft_tx_msg_end(struct nft_tx *tx, const struct nlmsghdr *h)
{
	tx->len += MNL_ALIGN(h->nlmsg_len);
}

void nft_tx_fini(struct nft_tx *tx)
{
	free(tx->buf);
	free(tx->labels);
	memset(tx, 0, sizeof(*tx));
}

static const char *extack_text(const struct nlmsghdr *h)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);
	size_t skip = sizeof(*e);
	const struct nlattr *attr;

	if (!(h->nlmsg_flags & NLM_F_ACK_TLVS))
		return NULL;
	if (!(h->nlmsg_flags & NLM_F_CAPPED))
		skip += mnl_nlmsg_get_payload_len(&e->msg);
	mnl_attr_for_each(attr, h, skip)
		if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG &&
		    mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0)
			return mnl_attr_get_str(attr);
	return NULL;
}

/* What the kernel says where a part of it was not built, or its module is missing. */
static bool kernel_lacks(int code)
{
	return code == ENOENT || code == EOPNOTSUPP || code == EPROTO || code == EAFNOSUPPORT ||
	       code == EPROTONOSUPPORT;
}

static int refused(struct nft_tx *tx, const struct nlmsghdr *h, int code,
		   struct nd_error *err)
{
	const char *more = extack_text(h);
	const struct nft_label *l = NULL;
	char text[256] = "nftables refused the transaction", key[160];

	if (h->nlmsg_seq >= tx->first_seq && h->nlmsg_seq - tx->first_seq < tx->n_labels)
		l = &tx->labels[h->nlmsg_seq - tx->first_seq];
	tx->table_refused = l && l->table;
	if (l && l->elem)
		snprintf(text, sizeof(text), "%s { %s } of set '%s' in nft table '%s'", l->verb,
			 nft_elem_format(l->elem, key), l->elem->set, l->of);
	else if (l)
		snprintf(text, sizeof(text), "%s '%s' in nft table '%s'", l->verb, l->name, l->of);
	if (l && l->needs && kernel_lacks(code)) {
		(void)nd_error_set(err, ND_ERR_CONFIG_UNSUPPORTED, "this kernel has no %s: %s: %s", l->needs,
				   text, strerror(code));
		return -code;
	}
	if (more)
		return nd_error_sys(err, code, "%s (%s)", text, more);
	return nd_error_sys(err, code, "%s", text);
}

/* The kernel has queued every answer by the time that sendmsg() returned. */
static int tx_answers(struct nft_tx *tx, struct nft_wire *w, struct nd_error *err)
{
	ND_AUTO(free) uint8_t *buf = malloc(ANSWER_BYTES);
	bool acked = false;
	int first = 0;

	if (!buf)
		return nd_error_nomem(err);
	for (;;) {
		ssize_t got = recv(mnl_socket_get_fd(w->sock), buf, ANSWER_BYTES, MSG_DONTWAIT);
		int len = (int)got;

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == EAGAIN)
			break;
		if (got < 0)
			return nd_error_sys(err, errno, "cannot read what nftables answered");
		for (const struct nlmsghdr *h = (void *)buf; mnl_nlmsg_ok(h, len);
		     h = mnl_nlmsg_next(h, &len)) {
			const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);

			if (h->nlmsg_type != NLMSG_ERROR || h->nlmsg_seq < tx->first_seq - 1)
				continue;
			if (e->error && !first)
				first = refused(tx, h, -e->error, err);
			acked = true;
		}
	}
	if (!first && !acked)
		return nd_error_sys(err, EPROTO, "nftables did not answer the transaction");
	return first;
}

int nft_tx_send(struct nft_tx *tx, struct nft_wire *w, struct nd_error *err)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	int fd = mnl_socket_get_fd(w->sock);
	struct nlmsghdr *h;

	if (!tx_room(tx))
		return nd_error_nomem(err);
	h = msg_put(tx->buf + tx->len, NFNL_MSG_BATCH_END, AF_UNSPEC, 0, ++tx->seq,
		    NFNL_SUBSYS_NFTABLES);
	tx->len += h->nlmsg_len;
	w->seq = tx->seq;
	/* The first message's own answer tells that the kernel has read the transaction. */
	h = (struct nlmsghdr *)(tx->buf + ((struct nlmsghdr *)tx->buf)->nlmsg_len);
	h->nlmsg_flags |= NLM_F_ACK;
	if (tx->len * 2 > (size_t)w->sndbuf_bytes) {
		w->sndbuf_bytes = (int)(tx->len * 2);
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &w->sndbuf_bytes, sizeof(int));
	}
	while (sendto(fd, tx->buf, tx->len, 0, (void *)&kernel, sizeof(kernel)) < 0)
		if (errno != EINTR)
			return nd_error_sys(err, errno, "cannot send %zu bytes to nftables", tx->len);
	return tx_answers(tx, w, err);
}

/* The numbers of the attributes that name table and set differ by message. */
static void query_put(struct nlmsghdr *h, const struct nft_query *q)
{
	if (q->table)
		mnl_attr_put_strz(h, 1, q->table);	/* NFTA_*_TABLE is 1 for all of them */
	if (q->set)
		mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_SET, q->set);
}

static int query_answers(struct nft_wire *w, const struct nft_query *q, nft_answer_fn answer,
			 void *arg)
{
	ND_AUTO(free) uint8_t *buf = malloc(ANSWER_BYTES);
	int result = 0;

	if (!buf)
		return -ENOMEM;
	for (;;) {
		ssize_t got = recv(mnl_socket_get_fd(w->sock), buf, ANSWER_BYTES, 0);
		int len = (int)got;

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		for (const struct nlmsghdr *h = (void *)buf; mnl_nlmsg_ok(h, len);
		     h = mnl_nlmsg_next(h, &len)) {
			const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);

			if (h->nlmsg_seq != w->seq)
				continue;	/* of a query that was given up */
			if (h->nlmsg_flags & NLM_F_DUMP_INTR)
				result = -EINTR;
			if (h->nlmsg_type == NLMSG_DONE)
				return result;
			if (h->nlmsg_type == NLMSG_ERROR)
				return e->error ? e->error : result;
			if (result == 0)
				result = answer(h, arg);
			if (!q->dump)
				return result;
		}
	}
}

int nft_wire_query(struct nft_wire *w, const struct nft_query *q, nft_answer_fn answer, void *arg)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	uint8_t request[1024];
	struct nlmsghdr *h = msg_put(request, NFNL_SUBSYS_NFTABLES << 8 | q->type, q->family,
				     q->dump ? NLM_F_DUMP : 0, ++w->seq, 0);

	query_put(h, q);
	while (sendto(mnl_socket_get_fd(w->sock), h, h->nlmsg_len, 0, (void *)&kernel,
		      sizeof(kernel)) < 0)
		if (errno != EINTR)
			return -errno;
	return query_answers(w, q, answer, arg);
}

static int take_genid(const struct nlmsghdr *h, void *arg)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, h, sizeof(struct nfgenmsg))
		if (mnl_attr_get_type(attr) == NFTA_GEN_ID)
			*(uint32_t *)arg = ntohl(mnl_attr_get_u32(attr));
	return 0;
}

int nft_wire_genid(struct nft_wire *w, uint32_t *out)
{
	struct nft_query q = { .type = NFT_MSG_GETGEN };

	return nft_wire_query(w, &q, take_genid, out);
}

uint32_t nft_genid_next(uint32_t genid)
{
	return genid + 1 ? genid + 1 : 1;
}

bool nft_try_again(int r, bool fresh, int tries)
{
	struct timespec pause = { .tv_nsec = 1000000L << (tries < 6 ? tries : 6) };

	if (r == -ERESTART)		/* somebody changed rules since they were read */
		return true;
	if (r == -EAGAIN || r == -EBUSY) {
		nanosleep(&pause, NULL);
		return true;
	}
	/* What was believed to be there may have been wrong: once with what the kernel says. */
	return !fresh && (r == -ENOENT || r == -EEXIST || r == -EPERM);
}

/* An owner that was killed may be so a moment longer: by the copy of its socket that a child has which
 * was about to execute its program. */
bool nft_owner_may_go(int r, int *waited_ms)
{
	const struct timespec pause = { .tv_nsec = OWNER_STEP_MS * 1000000L };

	if (r != -EPERM || *waited_ms >= OWNER_WAIT_MS)
		return false;
	nanosleep(&pause, NULL);
	*waited_ms += OWNER_STEP_MS;
	return true;
}
