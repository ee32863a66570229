/* SPDX-License-Identifier: GPL-2.0-or-later */
/* power.h -- ACPI's fixed hardware (power button, sleep, timer, general events), the ways to reset
 * a PC, and the register by which a panicked kernel says so
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* Ports, as the ACPI tables name them. */
enum {
	POWER_PORT_EVENT = 0x600,	/* PM1 status and enable */
	POWER_PORT_CONTROL = 0x604,
	POWER_PORT_TIMER = 0x608,
	POWER_PORT_GPE = 0x620,
	POWER_PORT_RESET = 0xcf9,	/* within the eight ports of PCI's conf1 */
	POWER_PORT_KEYBOARD = 0x64,
	POWER_PORT_PANIC = 0x505,
	POWER_EVENT_PORTS = 4,
	POWER_CONTROL_PORTS = 2,
	POWER_TIMER_PORTS = 4,
	POWER_GPE_PORTS = 4,
	POWER_SCI = 9,			/* the interrupt line */
	POWER_GPE_HOTPLUG = 1,		/* the event's number */
	POWER_RESET_VALUE = 6,
	POWER_SLEEP_S5 = 5,
};

enum power_wish {
	POWER_OFF = 1,
	POWER_RESET,
	POWER_PANIC,
};

struct power {
	uint16_t status, enable, control;
	uint16_t gpe_status, gpe_enable;
	bool sci;
	uint64_t (*now_ns)(void);
	void (*irq)(void *arg, bool high);
	void (*wish)(void *arg, enum power_wish wish);	/* of the guest */
	void *arg;
};

void power_init(struct power *p, uint64_t (*now_ns)(void), void (*irq)(void *arg, bool high),
		void (*wish)(void *arg, enum power_wish wish), void *arg);
void power_reset(struct power *p);

/* False: the guest does not listen to the button (no ACPI, or not yet). It is remembered all the
 * same. */
bool power_button(struct power *p);
void power_gpe(struct power *p, unsigned number);

/* The members of struct bus_device, with arg a struct power. */
void power_event_read(void *arg, unsigned offset, void *data, unsigned len_bytes);
void power_event_write(void *arg, unsigned offset, const void *data, unsigned len_bytes);
void power_control_read(void *arg, unsigned offset, void *data, unsigned len_bytes);
void power_control_write(void *arg, unsigned offset, const void *data, unsigned len_bytes);
void power_timer_read(void *arg, unsigned offset, void *data, unsigned len_bytes);
void power_gpe_read(void *arg, unsigned offset, void *data, unsigned len_bytes);
void power_gpe_write(void *arg, unsigned offset, const void *data, unsigned len_bytes);
void power_keyboard_read(void *arg, unsigned offset, void *data, unsigned len_bytes);
void power_keyboard_write(void *arg, unsigned offset, const void *data, unsigned len_bytes);
void power_panic_read(void *arg, unsigned offset, void *data, unsigned len_bytes);
void power_panic_write(void *arg, unsigned offset, const void *data, unsigned len_bytes);
/* A byte to POWER_PORT_RESET. */
void power_reset_write(struct power *p, uint8_t v);
