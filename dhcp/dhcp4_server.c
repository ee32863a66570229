/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dhcp/dhcp4_server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dhcp/dhcp4_hosts.h"
#include "dhcp/dhcp4_reply.h"
#include "dhcp/hostname.h"

#define HTYPE_ETHERNET 1
#define LEASE_TIME_MIN_S 120		/* a client that asks for less gets this */

struct dhcp4_server {
	const struct dhcp_config *config;
	struct nd_mac mac;
	struct dhcp4_leases *leases;
	struct dhcp4_stats stats;
};

/* One message on its way through the server. */
struct request {
	const struct dhcp_frame *in;
	struct dhcp4_message msg;
	struct dhcp4_who who;
	uint64_t now_ms;
	struct dhcp4_reply *out;
};

struct dhcp4_server *dhcp4_server_new(const struct dhcp_config *config, const struct nd_mac *mac,
				      const struct dhcp4_lease_hooks *hooks)
{
	ND_AUTO(dhcp4_server_free) struct dhcp4_server *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->config = config;
	s->mac = *mac;
	s->leases = dhcp4_leases_new(config, hooks);
	return s->leases ? nd_take_ptr(&s) : NULL;
}

void dhcp4_server_free(struct dhcp4_server *s)
{
	if (!s)
		return;
	dhcp4_leases_free(s->leases);
	free(s);
}

int dhcp4_server_configure(struct dhcp4_server *s, const struct dhcp_config *config)
{
	int r = dhcp4_leases_configure(s->leases, config);

	if (r == 0)
		s->config = config;
	return r;
}

const struct dhcp_config *dhcp4_server_config(const struct dhcp4_server *s)
{
	return s->config;
}

struct dhcp4_leases *dhcp4_server_leases(struct dhcp4_server *s)
{
	return s->leases;
}

struct dhcp4_stats *dhcp4_server_stats(struct dhcp4_server *s)
{
	return &s->stats;
}

/* --- who asks --- */

static bool in_subnet(const struct dhcp4_server *s, struct in_addr address)
{
	return !((address.s_addr ^ s->config->server.s_addr) &
		 nd_netmask(s->config->prefix_len).s_addr);
}

/* The datagram is for this server: a frame to the host may be one that it routes elsewhere. */
static bool is_for_us(const struct dhcp4_server *s, const struct dhcp_frame *in)
{
	uint32_t broadcast = s->config->server.s_addr | ~nd_netmask(s->config->prefix_len).s_addr;

	return in->ip_dst.s_addr == INADDR_BROADCAST || in->ip_dst.s_addr == broadcast ||
		in->ip_dst.s_addr == s->config->server.s_addr;
}

/* The name that the client calls itself: option 81 before option 12 (RFC 4702 3.1). */
static void client_hostname(const struct dhcp4_options *o, char out[HOSTNAME_SIZE])
{
	struct rd r = dhcp4_option_rd(o, DHCP4_OPT_FQDN), label;
	uint8_t flags = rd_u8(&r);
	const uint8_t fqdn_e = 0x04;	/* in wire form, else text (RFC 4702 2.3.1) */

	rd_skip(&r, 2);
	if (r.bad)
		r = dhcp4_option_rd(o, DHCP4_OPT_HOSTNAME);
	else if (flags & fqdn_e) {
		label = rd_sub(&r, rd_u8(&r));
		r = label.bad ? rd_init(r.end, 0) : label;
	}
	hostname_legalise(r.at, rd_left(&r), out);
}

/* An address that was reserved for a name or a client-id stays the MAC's while it has the lease,
 * also when it changes its client-id or leaves its name out. */
static const struct dhcp_reservation *host_of_lease(const struct dhcp4_server *s,
						    const struct nd_mac *mac)
{
	const struct dhcp_reservation *host;
	struct dhcp4_lease_info lease;

	if (!dhcp4_lease_of(s->leases, mac, &lease))
		return NULL;
	host = dhcp4_hosts_of_address(dhcp4_leases_hosts(s->leases), lease.address);
	return host && !host->has_mac ? host : NULL;
}

static void identify(const struct dhcp4_server *s, struct request *rq)
{
	const struct dhcp4_options *o = &rq->msg.options;
	struct rd id = dhcp4_option_rd(o, DHCP4_OPT_CLIENT_ID);
	struct dhcp4_who *who = &rq->who;

	memcpy(who->mac.bytes, rq->msg.head.chaddr, sizeof(who->mac.bytes));
	who->client_id = id.at;
	who->client_id_len = rd_left(&id);
	client_hostname(o, who->hostname);
	who->host = dhcp4_hosts_find(dhcp4_leases_hosts(s->leases), &who->mac, who->client_id,
				     who->client_id_len, who->hostname);
	if (!who->host)
		who->host = host_of_lease(s, &who->mac);
}

/* The message may name this MAC. */
static bool is_genuine(const struct dhcp4_server *s, const struct request *rq)
{
	static const struct nd_mac zero;

	if (nd_mac_is_multicast(&rq->who.mac) || nd_mac_equal(&rq->who.mac, &zero))
		return false;
	return nd_mac_equal(&rq->who.mac, &rq->in->eth_src) ||
		(rq->msg.head.giaddr.s_addr && !dhcp4_leases_is_plugged(s->leases, &rq->who.mac));
}

/* Reads the message and judges whether it is one to answer. */
static bool admit(struct dhcp4_server *s, struct request *rq)
{
	const struct dhcp4_head *h = &rq->msg.head;

	s->stats.received++;
	if (!dhcp4_message_decode(rq->in->payload, &rq->msg)) {
		s->stats.malformed++;
		return false;
	}
	if (!s->config->enabled || !is_for_us(s, rq->in) || h->op != DHCP4_BOOTREQUEST ||
	    h->htype != HTYPE_ETHERNET || h->hlen != sizeof(rq->who.mac.bytes) ||
	    (h->giaddr.s_addr && !in_subnet(s, h->giaddr))) {
		s->stats.ignored++;
		return false;
	}
	identify(s, rq);
	if (!is_genuine(s, rq)) {
		s->stats.spoofed++;
		return false;
	}
	return true;
}

/* --- answers --- */

static void answer(struct dhcp4_server *s, struct request *rq, const struct dhcp4_answer *a)
{
	rq->out->len = dhcp4_reply_encode(s->config, &s->mac, rq->in, &rq->msg, a, rq->out->frame);
}

static void nak(struct dhcp4_server *s, struct request *rq, const char *message)
{
	s->stats.nak++;
	answer(s, rq, &(struct dhcp4_answer){ .type = DHCP4_NAK, .message = message,
					      .hostname = "" });
}

static void count_refusal(struct dhcp4_server *s, enum dhcp4_verdict verdict)
{
	if (verdict == DHCP4_QUOTA)
		s->stats.quota++;
	else if (verdict == DHCP4_REFUSED)
		s->stats.no_address++;
	else
		s->stats.store_busy++;
}

/* What the configuration gives, or less if the client asks for less. */
static uint32_t lease_time_s(const struct dhcp4_server *s, const struct request *rq,
			     struct in_addr address)
{
	uint32_t time_s = dhcp4_lease_time_s(s->leases, &rq->who, address), asked_s;
	struct rd r = dhcp4_option_rd(&rq->msg.options, DHCP4_OPT_LEASE_TIME);

	if (!rd_more(&r))
		return time_s;
	asked_s = rd_u32(&r);
	if (asked_s < LEASE_TIME_MIN_S)
		asked_s = LEASE_TIME_MIN_S;
	return asked_s < time_s ? asked_s : time_s;
}

/* Binds the address and prepares the reply that leaves when the lease is on disk. */
static enum dhcp4_verdict commit(struct dhcp4_server *s, struct request *rq,
				 struct in_addr address, struct dhcp4_answer *a)
{
	struct dhcp4_grant grant;
	enum dhcp4_verdict verdict = dhcp4_lease_ask(s->leases, &rq->who, address, a->lease_s,
						     rq->now_ms, &grant);

	if (verdict != DHCP4_OK)
		return verdict;
	a->address = address;
	a->lease_s = grant.lease_s;
	a->hostname = grant.hostname;
	answer(s, rq, a);
	rq->out->ticket = grant.ticket;
	if (!grant.ticket)
		s->stats.ack++;
	return DHCP4_OK;
}

/* --- messages --- */

static void handle_discover(struct dhcp4_server *s, struct request *rq)
{
	struct in_addr address;
	struct dhcp4_grant grant;
	struct dhcp4_answer a = { .type = DHCP4_OFFER };
	enum dhcp4_verdict verdict;

	s->stats.discover++;
	verdict = dhcp4_lease_choose(s->leases, &rq->who,
				     dhcp4_option_addr(&rq->msg.options, DHCP4_OPT_REQUESTED_IP),
				     &address);
	if (verdict != DHCP4_OK) {
		count_refusal(s, verdict);
		return;
	}
	a.lease_s = lease_time_s(s, rq, address);
	if (dhcp4_option_sent(&rq->msg.options, DHCP4_OPT_RAPID_COMMIT)) {
		a.type = DHCP4_ACK;
		a.rapid_commit = true;
		verdict = commit(s, rq, address, &a);
	} else {
		verdict = dhcp4_lease_offer(s->leases, &rq->who, address, rq->now_ms);
	}
	if (verdict != DHCP4_OK) {
		count_refusal(s, verdict);
		return;
	}
	if (a.rapid_commit)
		return;
	dhcp4_lease_name(s->leases, &rq->who, &grant);
	a.address = address;
	a.hostname = grant.hostname;
	s->stats.offer++;
	answer(s, rq, &a);
}

/*
 * RFC 2131 4.3.2 tells the client's states apart by what it fills in: SELECTING has a server
 * identifier, INIT-REBOOT option 50 alone, RENEWING and REBINDING ciaddr alone. The last three
 * are one question: may it have the address? A client without a lease that may is given one, since
 * nobody else speaks for this subnet. Only ciaddr says that the client knows that it has the address.
 */
static void handle_request(struct dhcp4_server *s, struct request *rq)
{
	const struct dhcp4_options *o = &rq->msg.options;
	struct in_addr address = rq->msg.head.ciaddr;
	struct dhcp4_answer a = { .type = DHCP4_ACK };
	enum dhcp4_verdict verdict;

	s->stats.request++;
	if (dhcp4_option_sent(o, DHCP4_OPT_SERVER_ID) &&
	    dhcp4_option_addr(o, DHCP4_OPT_SERVER_ID).s_addr != s->config->server.s_addr) {
		dhcp4_lease_withdraw(s->leases, &rq->who.mac);	/* it chose another server */
		return;
	}
	if (address.s_addr)
		dhcp4_lease_confirm(s->leases, &rq->who.mac, address);
	else
		address = dhcp4_option_addr(o, DHCP4_OPT_REQUESTED_IP);
	if (!address.s_addr)
		return;
	if (!s->config->n_pools && !rq->who.host) {
		s->stats.no_address++;	/* only listed hosts are served, others may be by others */
		return;
	}
	a.lease_s = lease_time_s(s, rq, address);
	verdict = commit(s, rq, address, &a);
	if (verdict == DHCP4_REFUSED)
		nak(s, rq, in_subnet(s, address) ? "address not available" : "wrong network");
	else if (verdict == DHCP4_QUOTA)
		nak(s, rq, "no address left");
	if (verdict == DHCP4_QUOTA || verdict == DHCP4_BUSY || verdict == DHCP4_NOMEM)
		count_refusal(s, verdict);
}

/* A message that names a server names this one. */
static bool names_us(const struct dhcp4_server *s, const struct request *rq)
{
	return !dhcp4_option_sent(&rq->msg.options, DHCP4_OPT_SERVER_ID) ||
		dhcp4_option_addr(&rq->msg.options, DHCP4_OPT_SERVER_ID).s_addr ==
		s->config->server.s_addr;
}

static void handle_decline(struct dhcp4_server *s, struct request *rq)
{
	struct in_addr address = dhcp4_option_addr(&rq->msg.options, DHCP4_OPT_REQUESTED_IP);

	s->stats.decline++;
	if (names_us(s, rq))
		dhcp4_lease_decline(s->leases, &rq->who.mac, address, rq->now_ms);
}

static void handle_release(struct dhcp4_server *s, struct request *rq)
{
	s->stats.release++;
	if (names_us(s, rq))
		dhcp4_lease_release(s->leases, &rq->who.mac, rq->msg.head.ciaddr, rq->now_ms);
}

/* The client has an address from elsewhere and asks about the network (RFC 2131 4.3.5). */
static void handle_inform(struct dhcp4_server *s, struct request *rq)
{
	struct in_addr address = rq->msg.head.ciaddr;
	struct dhcp4_grant grant;

	s->stats.inform++;
	if (!address.s_addr)
		address = rq->in->ip_src;
	if (!in_subnet(s, address))
		return;
	dhcp4_lease_name(s->leases, &rq->who, &grant);
	s->stats.ack++;
	answer(s, rq, &(struct dhcp4_answer){ .type = DHCP4_ACK, .hostname = grant.hostname });
}

/* BOOTP has no lease times: only what is reserved is given, for ever. */
static void handle_bootp(struct dhcp4_server *s, struct request *rq)
{
	struct dhcp4_answer a = { .type = DHCP4_BOOTP, .lease_s = DHCP_LEASE_TIME_INFINITE };
	enum dhcp4_verdict verdict;

	s->stats.bootp++;
	if (!rq->who.host)
		return;
	verdict = commit(s, rq, rq->who.host->address, &a);
	if (verdict != DHCP4_OK)
		count_refusal(s, verdict);
}

void dhcp4_server_handle(struct dhcp4_server *s, const struct dhcp_frame *in, uint64_t now_ms,
			 struct dhcp4_reply *out)
{
	struct request rq;		/* large: filled in piece by piece */

	rq.in = in;
	rq.now_ms = now_ms;
	rq.out = out;
	out->len = 0;
	out->ticket = 0;
	dhcp4_leases_tick(s->leases, now_ms);
	if (!admit(s, &rq))
		return;
	switch (rq.msg.type) {
	case DHCP4_BOOTP:	handle_bootp(s, &rq);		break;
	case DHCP4_DISCOVER:	handle_discover(s, &rq);	break;
	case DHCP4_REQUEST:	handle_request(s, &rq);		break;
	case DHCP4_DECLINE:	handle_decline(s, &rq);		break;
	case DHCP4_RELEASE:	handle_release(s, &rq);		break;
	case DHCP4_INFORM:	handle_inform(s, &rq);		break;
	default:		s->stats.ignored++;		break;
	}
}

bool dhcp4_server_settle(struct dhcp4_server *s, uint64_t ticket, bool stored, uint64_t now_ms)
{
	bool bound = dhcp4_lease_settle(s->leases, ticket, stored, now_ms);

	if (bound)
		s->stats.ack++;
	else if (!stored)
		s->stats.store_failed++;
	return bound;
}
