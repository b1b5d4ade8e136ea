/* SPDX-License-Identifier: MIT */
/*
 * correct.c: from the `line` probe to sys.settrace, CPython 3.11.
 *
 * The interpreter decides for both at the same instruction, by different rules.
 * The probe fires on a backward jump, or where the line differs from that of
 * the instruction before and a table entry starts. sys.settrace reports a line
 * that differs from the one before, counting the start of a frame (at or before
 * its first RESUME) as no line, or a backward jump unless it goes to SEND.
 * Hence two differences that can be mended:
 *  - a `yield from` or `await` jumps back to SEND for each value it passes on:
 *    the probe fires, sys.settrace is silent. SEND is of the same line as the
 *    instructions around it, so that the probe fires there for nothing else;
 *  - where the first instruction after RESUME is on RESUME's own line (class
 *    bodies, lambdas, one-line functions) sys.settrace reports it, the probe is silent.
 * A jump into the middle of a table entry is the third; it can't be mended here.
 */
#include "python/correct.h"

#include "python/resolve.h"

#define PYTHON_3_11 0x030bu
#define OP_SEND_3_11 123
#define OP_RESUME_3_11 151

int defcode_parts(const struct ev_defcode *d, struct defcode_parts *parts)
{
	const uint32_t len[] = { d->filename_len, d->name_len,	   d->qualname_len, d->linetable_len,
				 d->bytecode_len, d->kinds_len, d->names_len };
	const uint8_t *at[7], *p = (const uint8_t *)(d + 1);
	size_t left;

	if (d->h.size < sizeof(*d))
		return 1;
	left = d->h.size - sizeof(*d);
	for (int i = 0; i < 7; i++) {
		size_t padded = ((size_t)len[i] + 7) & ~(size_t)7;

		if (padded > left)
			return 1;
		at[i] = p;
		p += padded;
		left -= padded;
	}
	if (d->names_len && at[6][d->names_len - 1] != 0)
		return 1;
	*parts = (struct defcode_parts){
		.filename = (const char *)at[0], .name = (const char *)at[1],
		.qualname = (const char *)at[2], .linetable = at[3],
		.bytecode = at[4], .kinds = at[5], .names = (const char *)at[6],
	};
	return 0;
}

bool line_is_repeat(const struct ev_defcode *d, const struct defcode_parts *parts, uint32_t lasti)
{
	return d->python == PYTHON_3_11 && !(d->plan & EVC_EXACT) && lasti < d->bytecode_len &&
	       parts->bytecode[lasti & ~1u] == OP_SEND_3_11;
}

uint32_t line_at_entry(const struct ev_defcode *d, const struct defcode_parts *parts)
{
	uint32_t line;

	if (d->python != PYTHON_3_11 || d->plan & EVC_EXACT)
		return 0;
	for (uint32_t i = 0; i + 3 < d->bytecode_len; i += 2) {
		if (parts->bytecode[i] != OP_RESUME_3_11)
			continue;
		line = code_line(d, i + 2);
		return line == code_line(d, i) ? line : 0;
	}
	return 0;
}
