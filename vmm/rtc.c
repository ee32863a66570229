/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/rtc.h"

#include <string.h>

enum {
	AT_SECONDS = 0,
	AT_MINUTES = 2,
	AT_HOURS = 4,
	AT_WEEKDAY = 6,
	AT_DAY = 7,
	AT_MONTH = 8,
	AT_YEAR = 9,
	AT_STATUS_A = 10,
	AT_STATUS_B = 11,
	AT_STATUS_C = 12,
	AT_STATUS_D = 13,
	AT_CENTURY = 0x32,
};

#define A_DIVIDER 0x26
#define B_SET 0x80
#define B_BINARY 0x04
#define B_24_HOURS 0x02
#define D_BATTERY 0x80
#define HOUR_PM 0x80

void rtc_init(struct rtc *r, int64_t offset_s, int64_t (*now_s)(void))
{
	*r = (struct rtc){ .offset_s = offset_s, .now_s = now_s };
	rtc_reset(r);
	tzset();		/* gmtime_r() would open a file for it, when that is forbidden */
}

void rtc_reset(struct rtc *r)
{
	r->index = 0;
	r->status_b = B_24_HOURS;
}

static uint8_t out(const struct rtc *r, int v)
{
	return (uint8_t)(r->status_b & B_BINARY ? v : v / 10 << 4 | v % 10);
}

static int in(const struct rtc *r, uint8_t v)
{
	return r->status_b & B_BINARY ? v : (v >> 4) * 10 + (v & 0xf);
}

static uint8_t hours_out(const struct rtc *r, int hours)
{
	if (r->status_b & B_24_HOURS)
		return out(r, hours);
	return out(r, hours % 12 ? hours % 12 : 12) | (hours >= 12 ? HOUR_PM : 0);
}

static int hours_in(const struct rtc *r, uint8_t v)
{
	if (r->status_b & B_24_HOURS)
		return in(r, v);
	return in(r, v & ~HOUR_PM) % 12 + (v & HOUR_PM ? 12 : 0);
}

static struct tm fields(const struct rtc *r)
{
	time_t t = r->now_s() + r->offset_s;
	struct tm tm = { 0 };

	if (r->status_b & B_SET)
		return r->frozen;
	(void)gmtime_r(&t, &tm);	/* fails for years beyond int: all zero then */
	return tm;
}

static uint8_t get(const struct rtc *r, uint8_t at)
{
	struct tm tm = fields(r);

	switch (at) {
	case AT_SECONDS:
		return out(r, tm.tm_sec);
	case AT_MINUTES:
		return out(r, tm.tm_min);
	case AT_HOURS:
		return hours_out(r, tm.tm_hour);
	case AT_WEEKDAY:
		return out(r, tm.tm_wday + 1);
	case AT_DAY:
		return out(r, tm.tm_mday);
	case AT_MONTH:
		return out(r, tm.tm_mon + 1);
	case AT_YEAR:
		return out(r, (tm.tm_year + 1900) % 100);
	case AT_CENTURY:
		return out(r, (tm.tm_year + 1900) / 100 % 100);
	case AT_STATUS_A:
		return A_DIVIDER;
	case AT_STATUS_B:
		return r->status_b;
	case AT_STATUS_C:
		return 0;
	case AT_STATUS_D:
		return D_BATTERY;
	default:
		return r->cells[at];
	}
}

/* While it is stopped, fields are set one by one and only make a time together. A date that does
 * not exist (February 31) becomes the one so many days later. */
static void time_set(struct rtc *r, uint8_t at, uint8_t v)
{
	struct tm tm = fields(r);
	int year = tm.tm_year + 1900;

	switch (at) {
	case AT_SECONDS:
		tm.tm_sec = in(r, v);
		break;
	case AT_MINUTES:
		tm.tm_min = in(r, v);
		break;
	case AT_HOURS:
		tm.tm_hour = hours_in(r, v);
		break;
	case AT_DAY:
		tm.tm_mday = in(r, v);
		break;
	case AT_MONTH:
		tm.tm_mon = in(r, v) - 1;
		break;
	case AT_YEAR:
		tm.tm_year = year - year % 100 + in(r, v) - 1900;
		break;
	case AT_CENTURY:
		tm.tm_year = in(r, v) * 100 + year % 100 - 1900;
		break;
	default:
		return;			/* the day of the week follows from the date */
	}
	if (r->status_b & B_SET)
		r->frozen = tm;
	else
		r->offset_s = timegm(&tm) - r->now_s();
}

static void status_b_set(struct rtc *r, uint8_t v)
{
	struct tm shown = fields(r);

	if ((r->status_b & B_SET) && !(v & B_SET))
		r->offset_s = timegm(&shown) - r->now_s();
	r->status_b = v;
	r->frozen = shown;
}

static void put(struct rtc *r, uint8_t at, uint8_t v)
{
	if (at == AT_STATUS_B)
		status_b_set(r, v & ~0x78);	/* no interrupts, no square wave */
	else if (at <= AT_YEAR || at == AT_CENTURY)
		time_set(r, at, v);
	else if (at > AT_STATUS_D)
		r->cells[at] = v;
	if (at == 1 || at == 3 || at == 5)
		r->cells[at] = v;	/* the alarm's, which never comes */
}

void rtc_read(void *arg, unsigned offset, void *data, unsigned len_bytes)
{
	const struct rtc *r = arg;

	if (len_bytes == 1)
		*(uint8_t *)data = offset == 1 ? get(r, r->index) : 0xff;
}

void rtc_write(void *arg, unsigned offset, const void *data, unsigned len_bytes)
{
	struct rtc *r = arg;
	uint8_t v = *(const uint8_t *)data;

	if (len_bytes != 1)
		return;
	if (offset == 0)
		r->index = v & 0x7f;	/* the top bit masks NMIs */
	else
		put(r, r->index, v);
}
