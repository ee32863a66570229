/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Registers and bits: ACPI 6.4, 4.8.3 and 4.8.4. */
#include "vmm/power.h"

#include <string.h>

#define PM1_TIMER 0x1
#define PM1_GLOBAL 0x20
#define PM1_BUTTON 0x100
#define PM1_RTC 0x400			/* never comes, but Linux wants to be able to enable it */
#define PM1_KNOWN (PM1_TIMER | PM1_GLOBAL | PM1_BUTTON | PM1_RTC)
#define CONTROL_SCI 0x1
#define CONTROL_SLEEP 0x2000
#define TIMER_HZ 3579545ull
#define KEYBOARD_RESET 0xfe
#define PANIC_PANICKED 1

static void irq_update(struct power *p)
{
	/* The timer's overflow is not reported: nothing waits for it since there are better clocks. */
	bool high = (p->status & p->enable & (PM1_BUTTON | PM1_GLOBAL)) ||
		    (p->gpe_status & p->gpe_enable);

	if (high != p->sci)
		p->irq(p->arg, high);
	p->sci = high;
}

void power_init(struct power *p, uint64_t (*now_ns)(void), void (*irq)(void *arg, bool high),
		void (*wish)(void *arg, enum power_wish wish), void *arg)
{
	*p = (struct power){ .now_ns = now_ns, .irq = irq, .wish = wish, .arg = arg };
	power_reset(p);
}

void power_reset(struct power *p)
{
	p->status = p->enable = 0;
	p->gpe_status = p->gpe_enable = 0;
	p->control = CONTROL_SCI;	/* ACPI is always on: there is no legacy mode */
	irq_update(p);
}

bool power_button(struct power *p)
{
	p->status |= PM1_BUTTON;
	irq_update(p);
	return p->enable & PM1_BUTTON;
}

void power_gpe(struct power *p, unsigned number)
{
	p->gpe_status |= 1u << number;
	irq_update(p);
}

/* A register pair of 16 bits each, read in any width. */
static void pair_read(uint16_t low, uint16_t high, unsigned offset, void *data, unsigned len_bytes)
{
	uint64_t all = (uint64_t)high << 16 | low;

	all >>= 8 * offset;
	memcpy(data, &all, len_bytes);
}

/* Writes to the low half clear the bits that are set, the high half is taken as it is. */
static void pair_write(uint16_t *status, uint16_t *enable, unsigned offset, const void *data,
		       unsigned len_bytes)
{
	for (unsigned i = 0; i < len_bytes; i++) {
		unsigned at = offset + i, shift = 8 * (at % 2);
		uint8_t v = ((const uint8_t *)data)[i];

		if (at < 2)
			*status &= (uint16_t)~(v << shift);
		else
			*enable = (uint16_t)((*enable & ~(0xff << shift)) | v << shift);
	}
}

void power_event_read(void *arg, unsigned offset, void *data, unsigned len_bytes)
{
	const struct power *p = arg;

	pair_read(p->status, p->enable, offset, data, len_bytes);
}

void power_event_write(void *arg, unsigned offset, const void *data, unsigned len_bytes)
{
	struct power *p = arg;

	pair_write(&p->status, &p->enable, offset, data, len_bytes);
	p->enable &= PM1_KNOWN;
	irq_update(p);
}

void power_gpe_read(void *arg, unsigned offset, void *data, unsigned len_bytes)
{
	const struct power *p = arg;

	pair_read(p->gpe_status, p->gpe_enable, offset, data, len_bytes);
}

void power_gpe_write(void *arg, unsigned offset, const void *data, unsigned len_bytes)
{
	struct power *p = arg;

	pair_write(&p->gpe_status, &p->gpe_enable, offset, data, len_bytes);
	irq_update(p);
}

void power_control_read(void *arg, unsigned offset, void *data, unsigned len_bytes)
{
	const struct power *p = arg;

	pair_read(p->control, 0, offset, data, len_bytes);
}

void power_control_write(void *arg, unsigned offset, const void *data, unsigned len_bytes)
{
	struct power *p = arg;
	uint16_t v = p->control;

	memcpy((uint8_t *)&v + offset, data, len_bytes);
	p->control = (v & ~CONTROL_SLEEP) | CONTROL_SCI;
	if ((v & CONTROL_SLEEP) && (v >> 10 & 7) == POWER_SLEEP_S5)
		p->wish(p->arg, POWER_OFF);
}

void power_timer_read(void *arg, unsigned offset, void *data, unsigned len_bytes)
{
	const struct power *p = arg;
	uint64_t ns = p->now_ns();
	uint32_t ticks = (uint32_t)(ns / 1000000000 * TIMER_HZ + ns % 1000000000 * TIMER_HZ / 1000000000);

	memcpy(data, (uint8_t *)&ticks + offset, len_bytes);
}

void power_keyboard_read(void *arg, unsigned offset, void *data, unsigned len_bytes)
{
	memset(data, 0, len_bytes);	/* never busy */
}

void power_keyboard_write(void *arg, unsigned offset, const void *data, unsigned len_bytes)
{
	struct power *p = arg;

	if (*(const uint8_t *)data == KEYBOARD_RESET)
		p->wish(p->arg, POWER_RESET);
}

void power_panic_read(void *arg, unsigned offset, void *data, unsigned len_bytes)
{
	*(uint8_t *)data = PANIC_PANICKED;	/* what it understands */
}

void power_panic_write(void *arg, unsigned offset, const void *data, unsigned len_bytes)
{
	struct power *p = arg;

	if (*(const uint8_t *)data & PANIC_PANICKED)
		p->wish(p->arg, POWER_PANIC);
}

void power_reset_write(struct power *p, uint8_t v)
{
	if (v & 4)
		p->wish(p->arg, POWER_RESET);
}
