/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dns_check.h -- what must hold of every reply, whatever came in */
#pragma once
#include <stdio.h>
#include <stdlib.h>

#include "dns/message.h"

#define MUST(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "not so: %s\n", #condition); \
			abort(); \
		} \
	} while (0)

static inline void records_check(struct rd *r, const uint8_t *m, unsigned n)
{
	struct dns_name name;

	while (n-- > 0) {
		dns_name_decode(r, m, &name);
		rd_skip(r, 8);
		rd_skip(r, rd_u16(r));
		MUST(!r->bad);
	}
}

/* A whole message: header, question, as many records as it says, and nothing behind them. */
static inline void reply_check(const uint8_t *m, size_t len, uint16_t id, size_t limit)
{
	struct rd r = rd_init(m, len);
	unsigned n_questions, n_records;
	struct dns_name name;

	MUST(len <= limit);
	MUST(rd_u16(&r) == id);
	MUST(rd_u16(&r) & DNS_QR);
	n_questions = rd_u16(&r);
	MUST(n_questions <= 1);
	n_records = rd_u16(&r);
	n_records += rd_u16(&r);
	n_records += rd_u16(&r);
	if (n_questions) {
		dns_name_decode(&r, m, &name);
		rd_skip(&r, 4);
	}
	records_check(&r, m, n_records);
	MUST(!r.bad && !rd_more(&r));
}
