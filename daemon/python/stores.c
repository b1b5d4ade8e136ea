/* SPDX-License-Identifier: MIT */
/*
 * stores.c: STORE_FAST and DELETE_FAST of each line.
 *
 * An instruction without a line of its own belongs to whichever line ran before,
 * so its slots are added to all.
 */
#include "python/stores.h"

#include <stdlib.h>
#include <string.h>

#include "python/correct.h"
#include "python/resolve.h"

#define PYTHON_3_11 0x030bu
#define OP_EXTENDED_ARG_3_11 144
#define OP_STORE_FAST_3_11 125
#define OP_DELETE_FAST_3_11 126

/* The slot an instruction binds anew as a bit; 0: none, or one that capture always reads. */
static uint32_t stored(const struct defcode_parts *parts, uint32_t i)
{
	uint8_t op = parts->bytecode[i], arg = parts->bytecode[i + 1];

	if (op != OP_STORE_FAST_3_11 && op != OP_DELETE_FAST_3_11)
		return 0;
	if (arg >= 32 || (i >= 2 && parts->bytecode[i - 2] == OP_EXTENDED_ARG_3_11))
		return 0;
	return 1u << arg;
}

/* Slots stored by line: a line's instructions may stand apart. */
struct by_line {
	uint32_t line, mask;
};

static struct by_line *find(struct by_line *t, uint32_t size, uint32_t line)
{
	uint32_t i = line * 2654435761u & (size - 1);

	while (t[i].line && t[i].line != line)
		i = (i + 1) & (size - 1);
	return &t[i];
}

static uint32_t stores_of(const struct ev_defcode *d, const struct defcode_parts *parts,
			  const struct code_lines *c)
{
	uint32_t mask = 0;

	for (uint64_t i = c->from; i < c->to && i + 1 < d->bytecode_len; i += 2)
		mask |= stored(parts, i);
	return mask;
}

static void fill(const struct ev_defcode *d, const struct defcode_parts *parts, struct by_line *t,
		 uint32_t size, struct ctrec_stores *s)
{
	uint32_t everywhere = 0;
	struct code_lines c;

	for (code_lines_begin(&c, d); code_lines_next(&c);) {
		struct by_line *l = find(t, size, c.line);

		if (c.line)
			*l = (struct by_line){ c.line, l->mask | stores_of(d, parts, &c) };
		else
			everywhere |= stores_of(d, parts, &c);
	}
	for (code_lines_begin(&c, d); code_lines_next(&c);) {
		uint32_t mask = c.line ? find(t, size, c.line)->mask : 0;

		for (uint64_t i = c.from; i < c.to && i < d->bytecode_len; i += 2)
			s->mask[CTREC_STORES_AT(i)] |= mask;
	}
	for (unsigned i = 0; i < CTREC_STORES; i++)
		s->mask[i] |= everywhere;
}

void line_stores(const struct ev_defcode *d, struct ctrec_stores *s)
{
	struct defcode_parts parts;
	struct code_lines c;
	struct by_line *t;
	uint32_t size = 2;

	memset(s, 0xff, sizeof(*s));
	if (d->python != PYTHON_3_11 || defcode_parts(d, &parts) || !code_lines_begin(&c, d))
		return;
	while (size < 2 * d->linetable_len)
		size *= 2;
	t = calloc(size, sizeof(*t));
	if (!t)
		return;
	memset(s, 0, sizeof(*s));
	fill(d, &parts, t, size, s);
	free(t);
}
