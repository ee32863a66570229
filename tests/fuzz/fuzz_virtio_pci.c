/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest that writes anything to a virtio device's BAR and configuration space, at any time. */
#include "tests/fuzz/virtio_machine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct machine *m = machine_get();
	struct rd r = rd_init(data, size);
	uint8_t first = rd_u8(&r);
	unsigned slot = NIC + first % 3;
	struct virtio_device *v = m->devices[slot];

	if (r.bad)
		return 0;
	machine_reset(m);
	if (first & 0x80)
		machine_drive(m, slot, ~0ull);
	machine_steps(m, slot, N_STEPS, &r);
	/* what was agreed on was on offer, and nothing runs that was not agreed on */
	if (v->status & VIRTIO_CONFIG_S_FEATURES_OK)
		MUST(!(v->features & ~v->offered) && virtio_has(v, VIRTIO_F_VERSION_1));
	if (v->status & VIRTIO_CONFIG_S_DRIVER_OK)
		MUST(v->status & VIRTIO_CONFIG_S_FEATURES_OK);
	return 0;
}
