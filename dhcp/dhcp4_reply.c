/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dhcp/dhcp4_reply.h"

#include "dhcp/hostname.h"

#define DATAGRAM_MIN 576		/* every client takes one this long (RFC 2131 2) */
#define IP_UDP_HEAD 28
#define PAYLOAD_MAX (DHCP_FRAME_MAX - DHCP_FRAME_HEAD)

enum {					/* flags of option 81 (RFC 4702 2.1) */
	FQDN_S = 0x01,
	FQDN_O = 0x02,
	FQDN_E = 0x04,
};

struct encoder {
	const struct dhcp_config *config;
	const struct dhcp4_message *request;
	const struct dhcp4_answer *answer;
	struct dhcp4_option_wr options;
};

/* What a client gets that does not say what it wants. */
static bool is_default(uint8_t code)
{
	return code == DHCP4_OPT_ROUTER || code == DHCP4_OPT_DNS || code == DHCP4_OPT_DOMAIN ||
		code == DHCP4_OPT_MTU || code == DHCP4_OPT_HOSTNAME;
}

static bool wants(const struct encoder *e, uint8_t code)
{
	const struct dhcp4_options *sent = &e->request->options;

	if (!dhcp4_option_sent(sent, DHCP4_OPT_PARAMETERS))
		return is_default(code);
	return memchr(sent->at[DHCP4_OPT_PARAMETERS], code, sent->len[DHCP4_OPT_PARAMETERS]);
}

static void put_text(struct encoder *e, uint8_t code, const char *text)
{
	if (text[0] && wants(e, code))
		dhcp4_option_put(&e->options, code, text, strlen(text));
}

static void put_addr(struct encoder *e, uint8_t code, struct in_addr address)
{
	if (address.s_addr && wants(e, code))
		dhcp4_option_put_addr(&e->options, code, address);
}

/* Echoes an option of the request. */
static void put_echo(struct encoder *e, uint8_t code)
{
	const struct dhcp4_options *sent = &e->request->options;

	if (dhcp4_option_sent(sent, code))
		dhcp4_option_put(&e->options, code, sent->at[code], sent->len[code]);
}

static void put_times(struct encoder *e)
{
	uint32_t lease_s = e->answer->lease_s;

	if (!lease_s || e->answer->type == DHCP4_BOOTP)
		return;
	dhcp4_option_put_u32(&e->options, DHCP4_OPT_LEASE_TIME, lease_s);
	if (lease_s == DHCP_LEASE_TIME_INFINITE)
		return;
	/* RFC 2131 4.4.5 */
	dhcp4_option_put_u32(&e->options, DHCP4_OPT_T1, lease_s / 2);
	dhcp4_option_put_u32(&e->options, DHCP4_OPT_T2, lease_s - lease_s / 8);
}

static void put_subnet(struct encoder *e)
{
	const struct dhcp_config *c = e->config;
	struct nd_prefix subnet = { .addr = nd_ip_from4(c->server), .len = c->prefix_len };

	dhcp4_option_put_addr(&e->options, DHCP4_OPT_NETMASK, nd_netmask(c->prefix_len));
	dhcp4_option_put_addr(&e->options, DHCP4_OPT_BROADCAST, nd_prefix_broadcast(&subnet));
}

/* RFC 4702: the server does the updates, whatever the client wished. */
static void put_fqdn(struct encoder *e)
{
	struct rd sent = dhcp4_option_rd(&e->request->options, DHCP4_OPT_FQDN);
	uint8_t asked = rd_u8(&sent), value[255];
	struct wr w = wr_init(value, sizeof(value));
	const char *name = e->answer->hostname, *domain = e->config->domain;

	if (sent.bad || !name[0])
		return;
	wr_u8(&w, FQDN_S | (asked & FQDN_S ? 0 : FQDN_O) | (asked & FQDN_E));
	wr_u16(&w, 0xffff);		/* RCODE1, RCODE2: 255 (RFC 4702 2.2) */
	if (asked & FQDN_E) {
		wr_u8(&w, strlen(name));
		wr_bytes(&w, name, strlen(name));
		if (domain[0])		/* without, the name is partial and has no root */
			hostname_encode_labels(domain, &w);
	} else {
		wr_bytes(&w, name, strlen(name));
		if (domain[0])
			wr_u8(&w, '.');
		wr_bytes(&w, domain, strlen(domain));
	}
	if (!w.full)
		dhcp4_option_put(&e->options, DHCP4_OPT_FQDN, value, wr_len(&w));
}

static void put_search(struct encoder *e)
{
	uint8_t value[256];
	struct wr w = wr_init(value, sizeof(value));

	if (!e->config->domain[0] || !wants(e, DHCP4_OPT_SEARCH))
		return;
	hostname_encode_labels(e->config->domain, &w);
	if (!w.full)
		dhcp4_option_put(&e->options, DHCP4_OPT_SEARCH, value, wr_len(&w));
}

static void wr_route(struct wr *w, struct in_addr dst, uint8_t prefix_len, struct in_addr gateway)
{
	wr_u8(w, prefix_len);
	wr_bytes(w, &dst, (prefix_len + 7u) / 8);
	wr_bytes(w, &gateway, 4);
}

/* RFC 3442. A client that takes this ignores option 3, so the default route is in it too. */
static void put_routes(struct encoder *e)
{
	const struct dhcp_config *c = e->config;
	uint8_t value[PAYLOAD_MAX];
	struct wr w = wr_init(value, sizeof(value));

	if (!c->n_routes || !wants(e, DHCP4_OPT_ROUTES))
		return;
	for (size_t i = 0; i < c->n_routes; i++)
		wr_route(&w, c->routes[i].dst, c->routes[i].prefix_len, c->routes[i].gateway);
	if (c->router.s_addr)
		wr_route(&w, (struct in_addr){ 0 }, 0, c->router);
	if (!w.full)
		dhcp4_option_put(&e->options, DHCP4_OPT_ROUTES, value, wr_len(&w));
}

/* What the network is like, most important first. */
static void put_network(struct encoder *e)
{
	const struct dhcp_config *c = e->config;

	put_subnet(e);
	if (e->answer->type != DHCP4_BOOTP)
		put_echo(e, DHCP4_OPT_CLIENT_ID);	/* RFC 6842 3 */
	put_addr(e, DHCP4_OPT_ROUTER, c->router);
	put_addr(e, DHCP4_OPT_DNS, c->dns);
	put_routes(e);
	put_text(e, DHCP4_OPT_DOMAIN, c->domain);
	if (c->mtu_bytes && c->mtu_bytes <= UINT16_MAX && wants(e, DHCP4_OPT_MTU))
		dhcp4_option_put_u16(&e->options, DHCP4_OPT_MTU, c->mtu_bytes);
	put_text(e, DHCP4_OPT_HOSTNAME, e->answer->hostname);
	put_fqdn(e);
	put_search(e);
}

static void put_options(struct encoder *e)
{
	const struct dhcp4_answer *a = e->answer;

	if (a->type != DHCP4_BOOTP) {
		dhcp4_option_put_u8(&e->options, DHCP4_OPT_TYPE, a->type);
		dhcp4_option_put_addr(&e->options, DHCP4_OPT_SERVER_ID, e->config->server);
	}
	if (a->type == DHCP4_NAK) {
		put_echo(e, DHCP4_OPT_CLIENT_ID);
		dhcp4_option_put(&e->options, DHCP4_OPT_MESSAGE, a->message, strlen(a->message));
	} else {
		put_times(e);
		if (a->rapid_commit)
			dhcp4_option_put(&e->options, DHCP4_OPT_RAPID_COMMIT, "", 0);
		put_network(e);
	}
	e->options.reserve = 1;
	put_echo(e, DHCP4_OPT_RELAY_INFO);		/* last (RFC 3046 2.2) */
	e->options.reserve = 0;
	wr_u8(&e->options.w, DHCP4_OPT_END);
}

static void put_head(struct encoder *e)
{
	const struct dhcp4_head *in = &e->request->head;
	const struct dhcp_config *c = e->config;
	bool nak = e->answer->type == DHCP4_NAK;
	struct dhcp4_head h = {
		.op = DHCP4_BOOTREPLY,
		.htype = in->htype,
		.hlen = in->hlen,
		.xid = in->xid,
		.flags = in->flags,
		.giaddr = in->giaddr,
		.yiaddr = e->answer->address,
	};

	memcpy(h.chaddr, in->chaddr, sizeof(h.chaddr));
	/* RFC 2131 4.3.2: a relay must broadcast a NAK, the client's address may be wrong. */
	if (nak && in->giaddr.s_addr)
		h.flags |= DHCP4_FLAG_BROADCAST;
	if (e->answer->type == DHCP4_ACK || e->answer->type == DHCP4_BOOTP)
		h.ciaddr = in->ciaddr;
	if (!nak) {
		h.siaddr = c->boot_server.s_addr ? c->boot_server : c->server;
		memcpy(h.file, c->boot_file, strnlen(c->boot_file, sizeof(h.file)));
	}
	dhcp4_head_encode(&h, &e->options.w);
}

/* The longest message that the client takes, and relays pass on: what they strip is not counted. */
static size_t payload_max(const struct dhcp4_message *request, const struct dhcp4_answer *answer,
			  size_t relay_len)
{
	struct rd r = dhcp4_option_rd(&request->options, DHCP4_OPT_MAX_SIZE);
	size_t datagram = rd_u16(&r), max;

	if (answer->type == DHCP4_BOOTP)
		return DHCP4_MESSAGE_MIN;
	if (datagram < DATAGRAM_MIN)
		datagram = DATAGRAM_MIN;
	max = datagram - IP_UDP_HEAD + relay_len;
	return max < PAYLOAD_MAX ? max : PAYLOAD_MAX;
}

/* RFC 2131 4.1 */
static struct dhcp_frame destination(const struct encoder *e, const struct nd_mac *mac,
				     const struct dhcp_frame *in)
{
	const struct dhcp4_head *h = &e->request->head;
	struct dhcp_frame to = { .eth_src = *mac, .ip_src = e->config->server,
				 .port_src = DHCP_SERVER_PORT, .port_dst = DHCP_CLIENT_PORT };

	memcpy(to.eth_dst.bytes, h->chaddr, sizeof(to.eth_dst.bytes));
	if (h->giaddr.s_addr) {
		to.eth_dst = in->eth_src;
		to.ip_dst = h->giaddr;
		to.port_dst = DHCP_SERVER_PORT;
	} else if (e->answer->type == DHCP4_NAK) {
		/* To all by IP, as a NAK must be; but no other guest's business. */
		to.ip_dst.s_addr = INADDR_BROADCAST;
		if (h->flags & DHCP4_FLAG_BROADCAST)
			memset(to.eth_dst.bytes, 0xff, sizeof(to.eth_dst.bytes));
	} else if (h->ciaddr.s_addr) {
		to.ip_dst = h->ciaddr;
	} else if (!(h->flags & DHCP4_FLAG_BROADCAST)) {
		/* A client that was not given an address (INFORM) has the one it sends from. */
		to.ip_dst = e->answer->address.s_addr ? e->answer->address : in->ip_src;
	} else {
		memset(to.eth_dst.bytes, 0xff, sizeof(to.eth_dst.bytes));
		to.ip_dst.s_addr = INADDR_BROADCAST;
	}
	return to;
}

size_t dhcp4_reply_encode(const struct dhcp_config *config, const struct nd_mac *mac,
			  const struct dhcp_frame *in, const struct dhcp4_message *request,
			  const struct dhcp4_answer *answer, uint8_t frame[DHCP_FRAME_MAX])
{
	struct rd relay = dhcp4_option_rd(&request->options, DHCP4_OPT_RELAY_INFO);
	size_t relay_len = rd_left(&relay) ? rd_left(&relay) + 4 : 0;
	struct encoder e = { .config = config, .request = request, .answer = answer };
	struct dhcp_frame to = destination(&e, mac, in);
	struct wr *w = &e.options.w;

	*w = wr_init(frame + DHCP_FRAME_HEAD, payload_max(request, answer, relay_len));
	e.options.reserve = relay_len + 1;
	put_head(&e);
	put_options(&e);
	while (wr_len(w) < DHCP4_MESSAGE_MIN)
		wr_u8(w, DHCP4_OPT_PAD);
	return dhcp_frame_finish(frame, wr_len(w), &to);
}
