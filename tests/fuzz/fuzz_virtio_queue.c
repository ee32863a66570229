/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A driver that is ready, and then fills memory, rings included, with anything: net, its control queue,
 * blk, rng. The input: the device, the features, steps. */
#include "tests/fuzz/virtio_machine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* No chain comes back that was not put up, unless the guest wrote the used ring itself. */
static void check_device(const struct virtio_device *v)
{
	for (unsigned i = 0; i < v->n_queues; i++) {
		const struct virtqueue *q = &v->queues[i].vq;

		MUST((uint16_t)(q->next_avail - q->next_used) <= q->size_max);
		MUST(q->broken || q->published == q->next_used);
		MUST(!q->broken || v->status & VIRTIO_CONFIG_S_NEEDS_RESET);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct machine *m = machine_get();
	struct rd r = rd_init(data, size);
	unsigned slot = NIC + rd_u8(&r) % 3;
	uint64_t features = rd_u64(&r);

	if (r.bad)
		return 0;
	machine_reset(m);
	machine_drive(m, slot, features);
	machine_steps(m, slot, STEP_BAR_WRITE, &r);
	check_device(m->devices[slot]);
	return 0;
}
