/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bus.h -- who answers at which I/O port */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bus_device {
	uint16_t port, n_ports;
	void *arg;
	/* offset is relative to port; the access (1, 2 or 4 bytes) is within n_ports. */
	void (*read)(void *arg, unsigned offset, void *data, unsigned len_bytes);
	void (*write)(void *arg, unsigned offset, const void *data, unsigned len_bytes);
};

#define BUS_DEVICES_MAX 16

struct bus {
	struct bus_device devices[BUS_DEVICES_MAX];
	size_t n;
};

/* Ports of two devices do not overlap, and there is room: the machine is put together in one
 * place. */
void bus_add(struct bus *b, const struct bus_device *d);
/* All ones where nobody is. */
void bus_read(const struct bus *b, uint16_t port, void *data, unsigned len_bytes);
void bus_write(const struct bus *b, uint16_t port, const void *data, unsigned len_bytes);
