/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What netd and a guest's process could be told by an end that was taken over. The input is
 *	u8 number of descriptors, the body
 * which is given to every decoder; what they accept must encode to the same bytes again.
 */
#include <stdlib.h>
#include <string.h>

#include "vmm/message.h"

#define MUST(what) do { if (!(what)) abort(); } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(const struct wr *w, struct rd body)
{
	MUST(!w->full && wr_len(w) == rd_left(&body) && memcmp(w->start, body.at, wr_len(w)) == 0);
}

/* The numbers are no descriptors of ours: nothing may close them. */
static void fds_make(struct vmm_fds *fds, unsigned n)
{
	*fds = (struct vmm_fds){ .n = n };
	for (unsigned i = 0; i < n; i++)
		fds->fds[i] = (int)(100000 + i);
}

static void config_check(struct rd body, unsigned n_fds)
{
	ND_AUTO(free) uint8_t *bytes = NULL;
	struct vmm_fds fds, again;
	struct vmm_config c;
	struct nd_error err;
	struct rd r = body;
	size_t len;

	fds_make(&fds, n_fds);
	if (vmm_config_decode(&r, &fds, &c) < 0)
		return;
	(void)vmm_config_check(&c, &err);
	MUST(vmm_config_bytes(&c, &bytes, &len, &again) == 0 && again.n == n_fds);
	MUST(len == rd_left(&body) && memcmp(bytes, body.at, len) == 0);
	free(c.nics);
	free(c.disks);
}

static void nic_check(struct rd body, unsigned n_fds)
{
	uint8_t bytes[1024];
	struct wr w = wr_init(bytes, sizeof(bytes));
	struct vmm_fds fds, again = { 0 };
	struct vmm_nic nic;
	struct rd r = body;

	fds_make(&fds, n_fds);
	if (vmm_nic_decode(&r, &fds, &nic) < 0)
		return;
	vmm_nic_encode(&nic, &w, &again);
	same(&w, body);
	MUST(again.n == n_fds);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t bytes[65536];
	struct rd body = rd_init(data, size), r;
	unsigned n_fds = rd_u8(&body) % (CHANNEL_FDS_MAX + 1);
	struct vmm_counter *counters;
	struct vmm_nic_request q;
	struct vmm_hello hello;
	struct vmm_event event;
	struct vmm_nic_filter filter;
	struct wr w;
	size_t n;

	if (body.bad)
		return 0;
	config_check(body, n_fds);
	nic_check(body, n_fds);
	if (r = body, w = wr_init(bytes, sizeof(bytes)), vmm_hello_decode(&r, &hello) == 0) {
		vmm_hello_encode(&hello, &w);
		same(&w, body);
	}
	if (r = body, w = wr_init(bytes, sizeof(bytes)), vmm_event_decode(&r, &event) == 0) {
		vmm_event_encode(&event, &w);
		same(&w, body);
	}
	if (r = body, w = wr_init(bytes, sizeof(bytes)), vmm_nic_filter_decode(&r, &filter) == 0) {
		vmm_nic_filter_encode(&filter, &w);
		same(&w, body);
	}
	if (r = body, w = wr_init(bytes, sizeof(bytes)), vmm_nic_request_decode(&r, &q) == 0) {
		vmm_nic_request_encode(&q, &w);
		same(&w, body);
	}
	if (r = body, w = wr_init(bytes, sizeof(bytes)),
	    vmm_counters_decode(&r, &counters, &n) == 0) {
		vmm_counters_encode(counters, n, &w);
		same(&w, body);
		free(counters);
	}
	return 0;
}
