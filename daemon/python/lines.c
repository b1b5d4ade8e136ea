/* SPDX-License-Identifier: MIT */
/*
 * lines.c: the line of an instruction.
 *
 * Three forms of table, by version; each is the interpreter's own bytes and
 * hostile: a read past the end ends the search, a line outside 1..2^31-1 is none.
 *
 * 3.11+: entries; the first byte has bit 7 set, bits 3-6 are a code, bits 0-2
 * the number of instructions less one. Codes 13 and 14 open with a signed
 * varint (6 bits a byte, low first, bit 6 goes on), 10-12 add 0-2, 15 is no line.
 * 3.10: pairs (bytes of code, signed line delta), delta -128 is no line.
 * 3.8, 3.9: pairs (bytes of code, signed line delta) that take effect after the
 * first of them was passed.
 */
#include <string.h>

#include "python/resolve.h"

static uint32_t valid_line(int64_t line)
{
	return line > 0 && line <= INT32_MAX ? (uint32_t)line : 0;
}

static int64_t svarint(const uint8_t *p, const uint8_t *end)
{
	uint64_t v = 0;

	for (unsigned shift = 0; p < end && shift < 36; p++, shift += 6) {
		v |= (uint64_t)(*p & 63) << shift;
		if (!(*p & 64))
			break;
	}
	return v & 1 ? -(int64_t)(v >> 1) : (int64_t)(v >> 1);
}

/* The next entry of a table of 3.11+. */
static bool location_next(struct code_lines *c)
{
	unsigned code;

	if (c->p >= c->end)
		return false;
	code = *c->p >> 3 & 15;
	c->from = c->to;
	c->to += ((*c->p & 7u) + 1) * 2;
	if (code == 13 || code == 14)
		c->last += svarint(c->p + 1, c->end);
	else if (code >= 10 && code <= 12)
		c->last += code - 10;
	c->line = code == 15 ? 0 : valid_line(c->last);
	do
		c->p++;
	while (c->p < c->end && !(*c->p & 128));
	return true;
}

static uint32_t locations(const uint8_t *p, const uint8_t *end, int64_t line, uint32_t lasti)
{
	struct code_lines c = { .p = p, .end = end, .last = line };

	while (location_next(&c))
		if (lasti < c.to)
			return c.line;
	return 0;
}

static uint32_t linetable(const uint8_t *p, const uint8_t *end, int64_t line, uint32_t lasti)
{
	uint64_t at = 0;

	for (; end - p >= 2; p += 2) {
		int delta = (int8_t)p[1];

		at += p[0];
		if (delta != -128)
			line += delta;
		if (lasti < at)
			return delta == -128 ? 0 : valid_line(line);
	}
	return 0;
}

static uint32_t lnotab(const uint8_t *p, const uint8_t *end, int64_t line, uint32_t lasti)
{
	uint64_t at = 0;

	for (; end - p >= 2; p += 2) {
		at += p[0];
		if (at > lasti)
			break;
		line += (int8_t)p[1];
	}
	return valid_line(line);
}

static const uint8_t *table_of(const struct ev_defcode *d)
{
	uint64_t skip, size = d->h.size;

	skip = sizeof(*d) + ((uint64_t)d->filename_len + 7) / 8 * 8 +
	       ((uint64_t)d->name_len + 7) / 8 * 8 + ((uint64_t)d->qualname_len + 7) / 8 * 8;
	if (skip > size || d->linetable_len > size - skip)
		return NULL;
	return (const uint8_t *)d + skip;
}

bool code_lines_begin(struct code_lines *c, const struct ev_defcode *d)
{
	const uint8_t *table = table_of(d);

	if (!table || d->python < (3 << 8 | 11))
		return false;
	*c = (struct code_lines){ .p = table, .end = table + d->linetable_len,
				  .last = (int32_t)d->firstlineno };
	return true;
}

bool code_lines_next(struct code_lines *c)
{
	return location_next(c);
}

uint32_t code_line(const struct ev_defcode *d, uint32_t lasti)
{
	const uint8_t *table = table_of(d);

	if (!table)
		return 0;
	/* before the first instruction: the frame is new */
	if (lasti > INT32_MAX)
		return valid_line((int32_t)d->firstlineno);
	if (d->python >= (3 << 8 | 11))
		return locations(table, table + d->linetable_len, (int32_t)d->firstlineno, lasti);
	if (d->python >= (3 << 8 | 10))
		return linetable(table, table + d->linetable_len, (int32_t)d->firstlineno, lasti);
	return lnotab(table, table + d->linetable_len, (int32_t)d->firstlineno, lasti);
}
