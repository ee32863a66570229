/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/bus.h"

#include <stdlib.h>
#include <string.h>

void bus_add(struct bus *b, const struct bus_device *d)
{
	if (b->n == BUS_DEVICES_MAX)
		abort();
	b->devices[b->n++] = *d;
}

static const struct bus_device *find(const struct bus *b, uint16_t port, unsigned len_bytes)
{
	for (size_t i = 0; i < b->n; i++) {
		const struct bus_device *d = &b->devices[i];

		if (port >= d->port && port + len_bytes <= (unsigned)d->port + d->n_ports)
			return d;
	}
	return NULL;
}

void bus_read(const struct bus *b, uint16_t port, void *data, unsigned len_bytes)
{
	const struct bus_device *d = find(b, port, len_bytes);

	memset(data, 0xff, len_bytes);
	if (d && d->read)
		d->read(d->arg, port - d->port, data, len_bytes);
}

void bus_write(const struct bus *b, uint16_t port, const void *data, unsigned len_bytes)
{
	const struct bus_device *d = find(b, port, len_bytes);

	if (d && d->write)
		d->write(d->arg, port - d->port, data, len_bytes);
}
