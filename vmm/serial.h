/* SPDX-License-Identifier: GPL-2.0-or-later */
/* serial.h -- a 16550A, as the guest's console
 *
 * What the guest sends goes to a descriptor (a PTY's master, a file). A reader that does not keep
 * up loses the oldest output; the guest never waits for it.
 */
#pragma once
#include "netd/base/auto.h"
#include "vmm/bus.h"
#include "vmm/loop.h"

#define SERIAL_PORTS 8

struct serial;

/* in_fd and out_fd (borrowed, non-blocking, may be the same or -1). irq tells the level of the
 * interrupt line. NULL: out of memory. */
struct serial *serial_new(struct loop *l, int in_fd, int out_fd,
			  void (*irq)(void *arg, bool high), void *arg);
void serial_free(struct serial *s);
ND_DEFINE_AUTO(struct serial *, serial_free)
void serial_reset(struct serial *s);

/* The members of struct bus_device, with arg a struct serial. */
void serial_read(void *arg, unsigned offset, void *data, unsigned len_bytes);
void serial_write(void *arg, unsigned offset, const void *data, unsigned len_bytes);
/* As if it had been read from in_fd; returns how many bytes found room. */
size_t serial_input(struct serial *s, const void *bytes, size_t n);
