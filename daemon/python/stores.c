/* SPDX-License-Identifier: MIT */
/*
 * stores.c: the locals that the instructions of each line store.
 *
 * An instruction without a line of its own belongs to whichever line ran before,
 * so its slots are added to all.
 */
#include "python/stores.h"

#include <stdlib.h>
#include <string.h>

#include "python/correct.h"
#include "python/resolve.h"

/* Opcodes of each version (its opcode.py); 0: there is none. */
struct ops {
	uint32_t python;
	uint8_t extended_arg, store, delete, load_clear; /* the last: LOAD_FAST_AND_CLEAR */
	uint8_t store_load, store_store;		  /* two slots of four bits in one argument */
};

static const struct ops versions[] = {
	{ 0x030b, 144, 125, 126, 0, 0, 0 },
	{ 0x030c, 144, 125, 126, 143, 0, 0 },
	{ 0x030d, 71, 110, 65, 86, 111, 112 },
	{ 0x030e, 69, 112, 63, 85, 113, 114 },
};

static const struct ops *ops_of(uint32_t python)
{
	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++)
		if (versions[i].python == python)
			return &versions[i];
	return NULL;
}

/* The slots an instruction binds anew as bits; 0: none, or ones that capture always reads. */
static uint32_t stored(const struct ops *o, const struct defcode_parts *parts, uint32_t i)
{
	uint8_t op = parts->bytecode[i], arg = parts->bytecode[i + 1];

	if (!op)
		return 0;
	if (op == o->store_load)
		return 1u << (arg >> 4);
	if (op == o->store_store)
		return 1u << (arg >> 4) | 1u << (arg & 15);
	if (op != o->store && op != o->delete && op != o->load_clear)
		return 0;
	if (arg >= 32 || (i >= 2 && parts->bytecode[i - 2] == o->extended_arg))
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

static uint32_t stores_of(const struct ops *o, const struct ev_defcode *d, const struct defcode_parts *parts,
			  const struct code_lines *c)
{
	uint32_t mask = 0;

	for (uint64_t i = c->from; i < c->to && i + 1 < d->bytecode_len; i += 2)
		mask |= stored(o, parts, i);
	return mask;
}

static void fill(const struct ops *o, const struct ev_defcode *d, const struct defcode_parts *parts, struct by_line *t,
		 uint32_t size, struct ctrec_stores *s)
{
	uint32_t everywhere = 0;
	struct code_lines c;

	for (code_lines_begin(&c, d); code_lines_next(&c);) {
		struct by_line *l = find(t, size, c.line);

		if (c.line)
			*l = (struct by_line){ c.line, l->mask | stores_of(o, d, parts, &c) };
		else
			everywhere |= stores_of(o, d, parts, &c);
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
	const struct ops *o = ops_of(d->python);
	uint32_t size = 2;

	memset(s, 0xff, sizeof(*s));
	if (!o || defcode_parts(d, &parts) || !code_lines_begin(&c, d))
		return;
	while (size < 2 * d->linetable_len)
		size *= 2;
	t = calloc(size, sizeof(*t));
	if (!t)
		return;
	memset(s, 0, sizeof(*s));
	fill(o, d, &parts, t, size, s);
	free(t);
}
