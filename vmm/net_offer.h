/* SPDX-License-Identifier: GPL-2.0-or-later */
/* net_offer.h -- which features a NIC offers its guest (virtio 1.2, 5.1.3) */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "vmm/virtio_net.h"

/* Bits of VIRTIO_NET_F_*. tap_offloads: TUN_F_* and NET_PORT_USO that the TAP takes. */
uint64_t net_offer(const struct virtio_net_spec *spec, unsigned tap_offloads, bool by_vhost);
/* What the TAP may do by these features of the receiving guest: TUN_F_*, NET_PORT_USO. */
unsigned net_offer_tap_flags(uint64_t features);
