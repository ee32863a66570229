/* SPDX-License-Identifier: GPL-2.0-or-later */
/* net_scene.h -- a NIC between a guest's driver and sockets that stand for the TAP's queues
 *
 * Each test begins with a NIC of one pair that the guest has not driven yet; unplug() and plug() give it another.
 */
#pragma once
#include <check.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/unit/virtio_guest.h"
#include "vmm/virtio_net.h"
#include "vmm/virtio_pci.h"

#define SLOT 5
#define RX 0
#define TX 1
#define BUFFERS GUEST_DATA		/* to receive in, 4 KiB each */
#define TX_FRAME (GUEST_DATA + 0x400000)
#define SCENE_MAC { 0x52, 0x54, 0, 1, 2, 3 }
#define HAS(feature) (1ull << (feature))

/* What the port was told. */
struct scene_port {
	unsigned offloads;
	unsigned n_filters;
	bool filter_on;
	bool attached[NET_PAIRS_MAX];
	int fds[NET_PAIRS_MAX];
};

extern struct guest g;
extern struct virtio_net *net;
extern struct virtio_pci *pci;
extern unsigned pairs;			/* with a socket for each */
extern int wires[NET_PAIRS_MAX];	/* the sockets' other ends */
extern struct scene_port port;

/* features: VMM_* */
void plug(unsigned n_pairs, uint16_t queue_size, unsigned features);
void unplug(void);
/* The guest's buffers for n frames of at most len bytes, header and all; the first is at BUFFERS. */
void put_buffers(unsigned queue, unsigned n, uint32_t len);
/* A frame for the guest's address: header, addresses, and a count up. Its length. */
size_t frame(uint8_t *buf, size_t len);
/* Sends such a frame to the guest. */
void wire_send(unsigned pair, size_t len);
bool got_frame(unsigned queue);
/* Checks the frame that lies in buffers from `first` on, in parts of `part` bytes. */
void check_frame(unsigned first, uint32_t part, size_t len);
/* Runs a command of the control queue; VIRTIO_NET_OK, _ERR. */
uint8_t command(unsigned queue, uint8_t class, uint8_t cmd, const void *body, uint32_t len);
struct net_counters counters(void);
/* main() of a test: runs what add_tests adds. The exit status. */
int scene_run(const char *name, void (*add_tests)(TCase *t));
