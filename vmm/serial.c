/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Registers and bits: National Semiconductor PC16550D. There is no line with a speed: a byte sent
 * is gone at once, so the transmitter is always empty.
 *
 * The descriptors are watched edge-triggered: a PTY whose other end nobody holds is "ready" for
 * ever.
 */
#include "vmm/serial.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	REG_DATA = 0,			/* divisor's low byte while DLAB */
	REG_IER = 1,			/* divisor's high byte */
	REG_IIR = 2,			/* read; FCR when written */
	REG_LCR = 3,
	REG_MCR = 4,
	REG_LSR = 5,
	REG_MSR = 6,
	REG_SCRATCH = 7,
};

#define IER_RX 1
#define IER_TX 2
#define IIR_NONE 1
#define IIR_TX 2
#define IIR_RX 4
#define IIR_TIMEOUT 0xc
#define IIR_FIFOS 0xc0
#define FCR_ENABLE 1
#define FCR_CLEAR_RX 2
#define LCR_DLAB 0x80
#define MCR_OUT2 8			/* lets the interrupt out of the chip */
#define MCR_LOOP 0x10
#define LSR_DATA 1
#define LSR_OVERRUN 2
#define LSR_IDLE 0x60			/* holding register and transmitter empty */
#define MSR_READY 0xb0			/* CTS, DSR, DCD */

#define RX_BYTES 16
#define OUT_BYTES (16u * 1024)

struct serial {
	struct loop *loop;
	struct loop_watch in, out;
	void (*irq)(void *arg, bool high);
	void *arg;
	uint8_t ier, fcr, lcr, mcr, scratch, divisor[2];
	bool tx_pending, overrun, high;
	uint8_t rx[RX_BYTES];
	unsigned rx_at, rx_n;
	/* Output that waits. */
	uint8_t *ring;			/* OUT_BYTES once something had to wait */
	size_t ring_at, ring_n;
};

static uint8_t iir(const struct serial *s)
{
	uint8_t fifos = s->fcr & FCR_ENABLE ? IIR_FIFOS : 0;

	if ((s->ier & IER_RX) && s->rx_n)
		return fifos | (fifos && s->rx_n < RX_BYTES / 2 ? IIR_TIMEOUT : IIR_RX);
	if ((s->ier & IER_TX) && s->tx_pending)
		return fifos | IIR_TX;
	return fifos | IIR_NONE;
}

static void irq_update(struct serial *s)
{
	bool high = (s->mcr & MCR_OUT2) && !(iir(s) & IIR_NONE);

	if (high != s->high)
		s->irq(s->arg, high);
	s->high = high;
}

/* As much of the ring as the descriptor takes. */
static void ring_flush(struct serial *s)
{
	while (s->ring_n) {
		size_t n = OUT_BYTES - s->ring_at;
		ssize_t done;

		if (n > s->ring_n)
			n = s->ring_n;
		done = write(s->out.fd, s->ring + s->ring_at, n);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return;		/* full, or nobody there: the next edge tells */
		s->ring_at = (s->ring_at + (size_t)done) % OUT_BYTES;
		s->ring_n -= (size_t)done;
	}
}

static void ring_put(struct serial *s, uint8_t byte)
{
	if (!s->ring)
		s->ring = malloc(OUT_BYTES);
	if (!s->ring)
		return;
	if (s->ring_n == OUT_BYTES) {
		s->ring_at = (s->ring_at + 1) % OUT_BYTES;
		s->ring_n--;
	}
	s->ring[(s->ring_at + s->ring_n++) % OUT_BYTES] = byte;
}

static void output(struct serial *s, uint8_t byte)
{
	if (s->out.fd < 0)
		return;
	if (s->ring_n == 0 && write(s->out.fd, &byte, 1) == 1)
		return;
	ring_put(s, byte);
	/* Somebody may have come meanwhile without an edge (a PTY opened anew). */
	ring_flush(s);
}

size_t serial_input(struct serial *s, const void *bytes, size_t n)
{
	size_t i = 0, room = s->fcr & FCR_ENABLE ? RX_BYTES : 1;

	for (; i < n && s->rx_n < room; i++)
		s->rx[(s->rx_at + s->rx_n++) % RX_BYTES] = ((const uint8_t *)bytes)[i];
	irq_update(s);
	return i;
}

/* No more than there is room for: the rest waits in the descriptor. */
static void input_fetch(struct serial *s)
{
	uint8_t bytes[RX_BYTES];
	size_t room = (s->fcr & FCR_ENABLE ? RX_BYTES : 1);

	while (s->in.fd >= 0 && s->rx_n < room) {
		ssize_t n = read(s->in.fd, bytes, room - s->rx_n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		serial_input(s, bytes, (size_t)n);
	}
}

static void in_ready(struct loop_watch *w, uint32_t events)
{
	input_fetch(loop_owner(w, struct serial, in));
}

static void out_ready(struct loop_watch *w, uint32_t events)
{
	struct serial *s = loop_owner(w, struct serial, out);

	if (events & EPOLLOUT)
		ring_flush(s);
	if (s->in.fd == s->out.fd)
		input_fetch(s);
}

struct serial *serial_new(struct loop *l, int in_fd, int out_fd,
			  void (*irq)(void *arg, bool high), void *arg)
{
	struct serial *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->loop = l;
	s->in = (struct loop_watch){ .fd = in_fd, .ready = in_ready };
	s->out = (struct loop_watch){ .fd = out_fd, .ready = out_ready };
	s->irq = irq;
	s->arg = arg;
	serial_reset(s);
	/* A regular file cannot be watched, and need not be: it is always ready. */
	if (l && out_fd >= 0)
		(void)loop_add(l, &s->out, (out_fd == in_fd ? EPOLLIN : 0) | EPOLLOUT | EPOLLET);
	if (l && in_fd >= 0 && in_fd != out_fd)
		(void)loop_add(l, &s->in, EPOLLIN | EPOLLET);
	return s;
}

void serial_free(struct serial *s)
{
	if (!s)
		return;
	if (s->loop) {
		ring_flush(s);
		loop_remove(s->loop, &s->in);
		loop_remove(s->loop, &s->out);
	}
	free(s->ring);
	free(s);
}

void serial_reset(struct serial *s)
{
	s->ier = s->fcr = s->lcr = s->mcr = s->scratch = 0;
	s->divisor[0] = 12;		/* 9600 */
	s->divisor[1] = 0;
	s->tx_pending = s->overrun = false;
	s->rx_n = 0;
	irq_update(s);
}

static uint8_t data_get(struct serial *s)
{
	uint8_t byte = 0;

	if (s->rx_n) {
		byte = s->rx[s->rx_at];
		s->rx_at = (s->rx_at + 1) % RX_BYTES;
		s->rx_n--;
	}
	if (s->rx_n == 0)
		input_fetch(s);
	return byte;
}

/* In the chip's own loop the modem's outputs are its inputs. */
static uint8_t msr(const struct serial *s)
{
	if (!(s->mcr & MCR_LOOP))
		return MSR_READY;
	return (s->mcr & 1 ? 0x20 : 0) | (s->mcr & 2 ? 0x10 : 0) | (s->mcr & 4 ? 0x40 : 0) |
	       (s->mcr & 8 ? 0x80 : 0);
}

static uint8_t reg_read(struct serial *s, unsigned reg)
{
	uint8_t v;

	if (reg < 2 && (s->lcr & LCR_DLAB))
		return s->divisor[reg];
	switch (reg) {
	case REG_DATA:
		return data_get(s);
	case REG_IER:
		return s->ier;
	case REG_IIR:
		v = iir(s);
		if ((v & 0xf) == IIR_TX)
			s->tx_pending = false;
		return v;
	case REG_LCR:
		return s->lcr;
	case REG_MCR:
		return s->mcr;
	case REG_LSR:
		v = LSR_IDLE | (s->rx_n ? LSR_DATA : 0) | (s->overrun ? LSR_OVERRUN : 0);
		s->overrun = false;
		return v;
	case REG_MSR:
		return msr(s);
	default:
		return s->scratch;
	}
}

static void data_put(struct serial *s, uint8_t byte)
{
	if (s->mcr & MCR_LOOP) {
		if (serial_input(s, &byte, 1) == 0)
			s->overrun = true;
	} else {
		output(s, byte);
	}
	s->tx_pending = true;
}

static void reg_write(struct serial *s, unsigned reg, uint8_t v)
{
	if (reg < 2 && (s->lcr & LCR_DLAB)) {
		s->divisor[reg] = v;
		return;
	}
	switch (reg) {
	case REG_DATA:
		data_put(s, v);
		break;
	case REG_IER:
		/* Turning it on with an empty transmitter interrupts at once. */
		if ((v & IER_TX) && !(s->ier & IER_TX))
			s->tx_pending = true;
		s->ier = v & 0xf;
		break;
	case REG_IIR:
		if ((v & FCR_CLEAR_RX) || ((v ^ s->fcr) & FCR_ENABLE))
			s->rx_n = 0;
		s->fcr = v & 0xc9;
		input_fetch(s);
		break;
	case REG_LCR:
		s->lcr = v;
		break;
	case REG_MCR:
		s->mcr = v & 0x1f;
		break;
	case REG_SCRATCH:
		s->scratch = v;
		break;
	default:
		break;			/* LSR and MSR only tell */
	}
}

void serial_read(void *arg, unsigned offset, void *data, unsigned len_bytes)
{
	struct serial *s = arg;

	if (len_bytes == 1)
		*(uint8_t *)data = reg_read(s, offset);
	irq_update(s);
}

void serial_write(void *arg, unsigned offset, const void *data, unsigned len_bytes)
{
	struct serial *s = arg;

	if (len_bytes == 1)
		reg_write(s, offset, *(const uint8_t *)data);
	irq_update(s);
}
