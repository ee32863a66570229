/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/message.h"

#include <errno.h>

#include "netd/base/wire.h"

#define COUNTER_MIN_BYTES 10

struct channel *vmm_channel_new(int fd)
{
	return channel_new(fd, &(struct channel_protocol){ VMM_MAGIC, VMM_VERSION });
}

static int whole(const struct rd *r)
{
	return r->bad || rd_more(r) ? -EBADMSG : 0;
}

void vmm_hello_encode(const struct vmm_hello *h, struct wr *w)
{
	wire_put_string(w, h->build);
	wr_bytes(w, h->uuid.bytes, sizeof(h->uuid.bytes));
	wr_u8(w, h->state);
	wr_u8(w, (uint8_t)h->n_nics);
	for (size_t i = 0; i < h->n_nics; i++)
		wire_put_string(w, h->nics[i]);
}

int vmm_hello_decode(struct rd *r, struct vmm_hello *out)
{
	struct vmm_hello h = { 0 };

	wire_get_text(r, h.build, sizeof(h.build));
	rd_copy(r, h.uuid.bytes, sizeof(h.uuid.bytes));
	h.state = rd_u8(r);
	h.n_nics = rd_u8(r);
	if (h.state < VMM_STATE_EMPTY || h.state > VMM_STATE_CRASHED || h.n_nics > VMM_NICS_MAX)
		return -EBADMSG;
	for (size_t i = 0; i < h.n_nics; i++)
		wire_get_text(r, h.nics[i], sizeof(h.nics[i]));
	if (whole(r) < 0)
		return -EBADMSG;
	*out = h;
	return 0;
}

void vmm_nic_request_encode(const struct vmm_nic_request *q, struct wr *w)
{
	wire_put_string(w, q->id);
	wr_u32(w, q->value);
}

int vmm_nic_request_decode(struct rd *r, struct vmm_nic_request *out)
{
	struct vmm_nic_request q = { 0 };

	wire_get_text(r, q.id, sizeof(q.id));
	q.value = rd_u32(r);
	if (whole(r) < 0)
		return -EBADMSG;
	*out = q;
	return 0;
}

void vmm_nic_filter_encode(const struct vmm_nic_filter *f, struct wr *w)
{
	wire_put_string(w, f->id);
	wire_put_mac(w, &f->mac);
	wr_u8(w, f->multicast);
}

int vmm_nic_filter_decode(struct rd *r, struct vmm_nic_filter *out)
{
	struct vmm_nic_filter f = { 0 };
	uint8_t multicast;

	wire_get_text(r, f.id, sizeof(f.id));
	f.mac = wire_get_mac(r);
	multicast = rd_u8(r);
	if (whole(r) < 0 || multicast > 1 || nd_mac_is_multicast(&f.mac))
		return -EBADMSG;
	f.multicast = multicast;
	*out = f;
	return 0;
}

void vmm_event_encode(const struct vmm_event *e, struct wr *w)
{
	wr_u8(w, e->kind);
	wr_u32(w, e->detail);
	wire_put_string(w, e->text);
}

int vmm_event_decode(struct rd *r, struct vmm_event *out)
{
	struct vmm_event e = { 0 };

	e.kind = rd_u8(r);
	e.detail = rd_u32(r);
	wire_get_text(r, e.text, sizeof(e.text));
	if (e.kind < VMM_EVENT_STATE || e.kind > VMM_EVENT_NIC_REMOVED || whole(r) < 0)
		return -EBADMSG;
	*out = e;
	return 0;
}

void vmm_counters_encode(const struct vmm_counter *list, size_t n, struct wr *w)
{
	wr_u32(w, (uint32_t)n);
	for (size_t i = 0; i < n; i++) {
		wire_put_string(w, list[i].name);
		wr_u64(w, list[i].value);
	}
}

int vmm_counters_decode(struct rd *r, struct vmm_counter **list_out, size_t *n_out)
{
	ND_AUTO(free) struct vmm_counter *list = NULL;
	size_t n;

	list = wire_get_list(r, COUNTER_MIN_BYTES, VMM_COUNTERS_MAX, sizeof(*list), &n);
	for (size_t i = 0; i < n; i++) {
		wire_get_text(r, list[i].name, sizeof(list[i].name));
		list[i].value = rd_u64(r);
	}
	if (whole(r) < 0)
		return -EBADMSG;
	*list_out = nd_take_ptr(&list);
	*n_out = n;
	return 0;
}
