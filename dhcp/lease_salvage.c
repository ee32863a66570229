/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading leases out of a damaged database.
 *
 * SQLite refuses a file whose header or inner pages are wrong, though all others may be whole.
 * So every page is looked at by itself: a b-tree page of an index or a table WITHOUT ROWID (types
 * 2 and 10) holds cells, a cell holds one record with all its columns (SQLite's "Database File
 * Format", 1.6 and 2.1). Rows of this table are small enough never to overflow a page. The
 * log (-wal) is a row of pages with 24 bytes before each. Of several records of an address the
 * one that started last counts.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dhcp/lease_db.h"
#include "netd/base/cursor.h"

#define PAGE 4096
#define WAL_HEAD 32
#define WAL_FRAME_HEAD 24
#define COLUMNS 9
#define TEXTS 5				/* the first columns, see struct lease_record */
#define TEXT_SIZE 800
#define PAGE_INDEX_INNER 2
#define PAGE_INDEX_LEAF 10

/* SQLite's variable-length integer: 7 bits a byte, the ninth byte whole. */
static uint64_t rd_varint(struct rd *r)
{
	uint64_t v = 0;

	for (int i = 0; i < 8; i++) {
		uint8_t b = rd_u8(r);

		v = v << 7 | (b & 0x7f);
		if (!(b & 0x80))
			return v;
	}
	return v << 8 | rd_u8(r);
}

/* An integer column of the serial type; false for other types. */
static bool rd_integer(struct rd *r, uint64_t type, int64_t *out)
{
	static const uint8_t sizes[] = { 0, 1, 2, 3, 4, 6, 8 };
	uint64_t v;

	if (type == 8 || type == 9) {
		*out = type == 9;
		return true;
	}
	if (type == 0 || type > 6)
		return false;
	v = (int8_t)rd_u8(r);		/* extends the sign */
	for (int i = 1; i < sizes[type]; i++)
		v = v << 8 | rd_u8(r);
	*out = (int64_t)v;
	return !r->bad;
}

static bool rd_text(struct rd *r, uint64_t type, char out[TEXT_SIZE])
{
	size_t len = (type - 13) / 2;

	if (type < 13 || type % 2 == 0 || len >= TEXT_SIZE)
		return false;
	rd_copy(r, out, len);
	out[len] = '\0';
	return !r->bad && strlen(out) == len;
}

static bool salvage_record(struct rd payload, struct lease_db *to)
{
	struct rd head = payload;
	uint64_t head_len = rd_varint(&head), types[COLUMNS];
	char text[TEXTS][TEXT_SIZE];
	int64_t number[COLUMNS - TEXTS];

	rd_skip(&payload, head_len);
	for (int i = 0; i < COLUMNS; i++)
		types[i] = rd_varint(&head);
	if (head.bad || payload.bad || head.at != payload.at)
		return false;
	for (int i = 0; i < COLUMNS; i++)
		if (i < TEXTS ? !rd_text(&payload, types[i], text[i]) :
		    !rd_integer(&payload, types[i], &number[i - TEXTS]))
			return false;
	return lease_db_restore(to, &(struct lease_record){
		.address = text[0], .mac = text[1], .state = text[2], .client_id = text[3],
		.hostname = text[4], .name_configured = number[0], .plugged = number[1],
		.started_s = number[2], .expires_s = number[3] });
}

static size_t salvage_page(const uint8_t page[PAGE], struct lease_db *to)
{
	struct rd head = rd_init(page, PAGE);
	uint8_t type = rd_u8(&head);
	size_t n_cells, found = 0;

	if (type != PAGE_INDEX_INNER && type != PAGE_INDEX_LEAF)
		return 0;
	rd_skip(&head, 2);
	n_cells = rd_u16(&head);
	rd_skip(&head, type == PAGE_INDEX_INNER ? 7 : 3);
	for (size_t i = 0; i < n_cells && !head.bad; i++) {
		struct rd cell = rd_init(page, PAGE);

		rd_skip(&cell, rd_u16(&head));
		rd_skip(&cell, type == PAGE_INDEX_INNER ? 4 : 0);
		cell = rd_sub(&cell, rd_varint(&cell));
		if (!cell.bad && salvage_record(cell, to))
			found++;
	}
	return found;
}

static size_t salvage_file(const char *path, size_t head, size_t page_head, struct lease_db *to)
{
	ND_AUTO(close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	uint8_t page[PAGE];
	size_t found = 0;
	off_t at = (off_t)head;

	if (fd < 0)
		return 0;
	while (pread(fd, page, sizeof(page), at + (off_t)page_head) == PAGE) {
		found += salvage_page(page, to);
		at += (off_t)(page_head + PAGE);
	}
	return found;
}

size_t lease_salvage(const char *path, struct lease_db *to)
{
	char wal[4096];
	size_t found;

	if (lease_db_begin(to) < 0)
		return 0;
	found = salvage_file(path, 0, 0, to);
	if ((size_t)snprintf(wal, sizeof(wal), "%s-wal", path) < sizeof(wal))
		found += salvage_file(wal, WAL_HEAD, WAL_FRAME_HEAD, to);
	if (lease_db_commit(to) == 0)
		return found;
	lease_db_rollback(to);
	return 0;
}
