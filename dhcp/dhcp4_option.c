/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dhcp/dhcp4_option.h"

struct option_desc {
	uint16_t min, max;		/* length in bytes */
	bool known;			/* false: any length will do */
	bool vital;			/* a wrong length makes the whole message unusable */
};

/* What the server reads from clients. */
static const struct option_desc descs[256] = {
	[DHCP4_OPT_HOSTNAME]     = { .min = 1, .max = 255, .known = true },
	[DHCP4_OPT_REQUESTED_IP] = { .min = 4, .max = 4, .known = true, .vital = true },
	[DHCP4_OPT_LEASE_TIME]   = { .min = 4, .max = 4, .known = true },
	[DHCP4_OPT_TYPE]         = { .min = 1, .max = 1, .known = true, .vital = true },
	[DHCP4_OPT_SERVER_ID]    = { .min = 4, .max = 4, .known = true, .vital = true },
	[DHCP4_OPT_PARAMETERS]   = { .min = 1, .max = 255, .known = true },
	[DHCP4_OPT_MAX_SIZE]     = { .min = 2, .max = 2, .known = true },
	[DHCP4_OPT_CLIENT_ID]    = { .min = 2, .max = 255, .known = true },
	[DHCP4_OPT_RAPID_COMMIT] = { .min = 0, .max = 0, .known = true },
	[DHCP4_OPT_FQDN]         = { .min = 3, .max = 255, .known = true },
	[DHCP4_OPT_RELAY_INFO]   = { .min = 2, .max = 512, .known = true },
};

static bool length_fits(const struct option_desc *d, size_t len)
{
	return len >= d->min && len <= d->max;
}

/* One field's options: counts pieces, and notes the first one's place and the length of all. */
static bool scan(struct rd field, struct dhcp4_options *out, uint8_t pieces[256])
{
	while (rd_more(&field)) {
		uint8_t code = rd_u8(&field);
		struct rd body;

		if (code == DHCP4_OPT_PAD)
			continue;
		if (code == DHCP4_OPT_END)
			break;
		body = rd_sub(&field, rd_u8(&field));
		if (body.bad || field.bad)
			return false;
		if (pieces[code] < 2)
			pieces[code]++;
		if (!out->at[code])
			out->at[code] = body.at;
		out->len[code] += rd_left(&body);
	}
	return true;
}

/* Appends this field's pieces to the values that come in several. */
static void join(struct rd field, struct dhcp4_options *out, const uint8_t pieces[256],
		 uint8_t *next[256])
{
	while (rd_more(&field)) {
		uint8_t code = rd_u8(&field);
		size_t len;

		if (code == DHCP4_OPT_PAD)
			continue;
		if (code == DHCP4_OPT_END)
			break;
		len = rd_u8(&field);
		if (pieces[code] < 2) {
			rd_skip(&field, len);
			continue;
		}
		if (!next[code]) {
			next[code] = out->joined + out->n_joined;
			out->at[code] = next[code];
			out->n_joined += out->len[code];
		}
		rd_copy(&field, next[code], len);
		next[code] += len;
	}
}

static bool check_lengths(struct dhcp4_options *out)
{
	for (int code = 1; code < DHCP4_OPT_END; code++) {
		const struct option_desc *d = &descs[code];

		if (!out->at[code] || !d->known || length_fits(d, out->len[code]))
			continue;
		if (d->vital)
			return false;
		out->at[code] = NULL;
		out->len[code] = 0;
	}
	return true;
}

bool dhcp4_options_decode(struct rd options, struct rd file, struct rd sname,
			  struct dhcp4_options *out)
{
	struct rd fields[3] = { options };
	size_t n_fields = 1;
	uint8_t pieces[256] = { 0 };
	uint8_t *next[256] = { 0 };
	uint8_t overload = 0;
	bool many = false;

	memset(out, 0, offsetof(struct dhcp4_options, joined));
	/* Whatever is joined comes from these three fields, so it cannot outgrow the buffer. */
	if (rd_left(&options) + rd_left(&file) + rd_left(&sname) > sizeof(out->joined) ||
	    !scan(options, out, pieces))
		return false;
	if (out->at[DHCP4_OPT_OVERLOAD]) {
		if (out->len[DHCP4_OPT_OVERLOAD] != 1)
			return false;
		overload = *out->at[DHCP4_OPT_OVERLOAD];
	}
	if (overload & 1)
		fields[n_fields++] = file;
	if (overload & 2)
		fields[n_fields++] = sname;
	for (size_t i = 1; i < n_fields; i++)
		if (!scan(fields[i], out, pieces))
			return false;
	for (int code = 0; code < 256; code++)
		many |= pieces[code] > 1;
	for (size_t i = 0; many && i < n_fields; i++)
		join(fields[i], out, pieces, next);
	return check_lengths(out);
}

struct in_addr dhcp4_option_addr(const struct dhcp4_options *o, uint8_t code)
{
	struct rd r = dhcp4_option_rd(o, code);
	struct in_addr a;

	rd_copy(&r, &a, sizeof(a));
	return a;
}

bool dhcp4_option_put(struct dhcp4_option_wr *o, uint8_t code, const void *value, size_t len)
{
	const uint8_t *from = value;
	size_t pieces = len ? (len + 254) / 255 : 1;

	if (len + 2 * pieces + o->reserve > wr_left(&o->w))
		return false;
	do {
		size_t piece = len < 255 ? len : 255;

		wr_u8(&o->w, code);
		wr_u8(&o->w, piece);
		wr_bytes(&o->w, from, piece);
		from += piece;
		len -= piece;
	} while (len);
	return true;
}

bool dhcp4_option_put_u8(struct dhcp4_option_wr *o, uint8_t code, uint8_t value)
{
	return dhcp4_option_put(o, code, &value, 1);
}

bool dhcp4_option_put_u16(struct dhcp4_option_wr *o, uint8_t code, uint16_t value)
{
	return dhcp4_option_put(o, code, (uint8_t[]){ value >> 8, value & 0xff }, 2);
}

bool dhcp4_option_put_u32(struct dhcp4_option_wr *o, uint8_t code, uint32_t value)
{
	return dhcp4_option_put_addr(o, code, (struct in_addr){ htonl(value) });
}

bool dhcp4_option_put_addr(struct dhcp4_option_wr *o, uint8_t code, struct in_addr value)
{
	return dhcp4_option_put(o, code, &value, sizeof(value));
}
