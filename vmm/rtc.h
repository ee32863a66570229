/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rtc.h -- the battery clock of a PC (MC146818) and its 128 bytes
 *
 * Shows the host's clock plus an offset. Setting it changes the offset, which is kept for a reset
 * but not for the next start. No alarm and no interrupt: ACPI names none.
 */
#pragma once
#include <stdint.h>
#include <time.h>

#define RTC_PORTS 2			/* 0x70: index, 0x71: data */

struct rtc {
	int64_t offset_s;
	int64_t (*now_s)(void);		/* Unix time */
	uint8_t index, status_b;
	struct tm frozen;		/* what it shows while the guest has stopped it to set it */
	uint8_t cells[128];
};

void rtc_init(struct rtc *r, int64_t offset_s, int64_t (*now_s)(void));
void rtc_reset(struct rtc *r);

/* The members of struct bus_device, with arg a struct rtc. */
void rtc_read(void *arg, unsigned offset, void *data, unsigned len_bytes);
void rtc_write(void *arg, unsigned offset, const void *data, unsigned len_bytes);
