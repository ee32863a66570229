/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dhcp/dhcp4_message.h"

#define COOKIE 0x63825363u		/* RFC 1497 */

static void head_decode(struct rd *r, struct dhcp4_head *h)
{
	h->op = rd_u8(r);
	h->htype = rd_u8(r);
	h->hlen = rd_u8(r);
	h->hops = rd_u8(r);
	h->xid = rd_u32(r);
	h->secs = rd_u16(r);
	h->flags = rd_u16(r);
	rd_copy(r, &h->ciaddr, 4);
	rd_copy(r, &h->yiaddr, 4);
	rd_copy(r, &h->siaddr, 4);
	rd_copy(r, &h->giaddr, 4);
	rd_copy(r, h->chaddr, sizeof(h->chaddr));
	rd_copy(r, h->sname, sizeof(h->sname));
	rd_copy(r, h->file, sizeof(h->file));
}

bool dhcp4_message_decode(struct rd r, struct dhcp4_message *out)
{
	struct dhcp4_head *h = &out->head;
	struct rd options;

	if (rd_left(&r) > DHCP4_MESSAGE_MAX)
		return false;
	head_decode(&r, h);
	if (r.bad)
		return false;
	options = r;
	if (rd_left(&r) < 4 || rd_u32(&options) != COOKIE)
		options = rd_init(r.end, 0);
	if (!dhcp4_options_decode(options, rd_init(h->file, sizeof(h->file)),
				  rd_init(h->sname, sizeof(h->sname)), &out->options))
		return false;
	out->type = dhcp4_option_sent(&out->options, DHCP4_OPT_TYPE) ?
		*out->options.at[DHCP4_OPT_TYPE] : DHCP4_BOOTP;
	/* A message type of 0 does not exist, and must not pass for BOOTP. */
	return out->type != DHCP4_BOOTP || !dhcp4_option_sent(&out->options, DHCP4_OPT_TYPE);
}

void dhcp4_head_encode(const struct dhcp4_head *h, struct wr *w)
{
	wr_u8(w, h->op);
	wr_u8(w, h->htype);
	wr_u8(w, h->hlen);
	wr_u8(w, h->hops);
	wr_u32(w, h->xid);
	wr_u16(w, h->secs);
	wr_u16(w, h->flags);
	wr_bytes(w, &h->ciaddr, 4);
	wr_bytes(w, &h->yiaddr, 4);
	wr_bytes(w, &h->siaddr, 4);
	wr_bytes(w, &h->giaddr, 4);
	wr_bytes(w, h->chaddr, sizeof(h->chaddr));
	wr_bytes(w, h->sname, sizeof(h->sname));
	wr_bytes(w, h->file, sizeof(h->file));
	wr_u32(w, COOKIE);
}
