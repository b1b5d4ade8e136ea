/* SPDX-License-Identifier: MIT */
/*
 * deopt.c: bytecode as the compiler wrote it.
 *
 * CPython 3.11 and later replace instructions in place by specialised ones and
 * count in the inline caches that follow them; from 3.12 on sys.monitoring
 * replaces them by instrumented ones. Readers of a trace expect co_code, so an
 * instruction is mapped back to its base and its caches are zeroed. The second
 * half of a super-instruction (LOAD_FAST__LOAD_FAST …) still stands after it.
 *
 * An instrumented instruction is mostly the twin of one other; where a line or
 * an instruction event replaced it, its original stands in a table beside the
 * code, and may itself be instrumented or specialised.
 */
#include "python/deopt.h"

#include "python/opcode_tables.h"

static const struct opcode_table *find_table(uint32_t python)
{
	for (size_t i = 0; opcode_tables[i]; i++)
		if (opcode_tables[i]->python == python)
			return opcode_tables[i];
	return NULL;
}

static uint8_t base_of(const struct opcode_table *t, const struct bytecode_originals *o, size_t unit,
		       uint8_t op)
{
	if (op && op == t->line && o && o->lines)
		op = o->lines[unit * o->line_size];
	if (op && op == t->instruction && o && o->opcodes)
		op = o->opcodes[unit];
	if (t->base[op])
		op = t->base[op];
	return op;
}

static int unknown(const struct opcode_table *t, uint8_t op)
{
	return op && (op == t->line || op == t->instruction || op == t->executor);
}

int bytecode_deopt(uint32_t python, uint8_t *code, size_t len, const struct bytecode_originals *o)
{
	const struct opcode_table *t = find_table(python);
	int left = 0;

	for (size_t i = 0; t && i + 2 <= len; i += 2) {
		code[i] = base_of(t, o, i / 2, code[i]);
		left |= unknown(t, code[i]);
		for (unsigned n = t->caches[code[i]]; n && i + 4 <= len; n--) {
			i += 2;
			code[i] = code[i + 1] = 0;
		}
	}
	return left;
}

int bytecode_instrumented(uint32_t python, const uint8_t *code, size_t len)
{
	const struct opcode_table *t = find_table(python);

	/* caches are looked at too: what is asked for once too often does no harm */
	for (size_t i = 0; t && t->line && i + 2 <= len; i += 2)
		if (code[i] == t->line || code[i] == t->instruction)
			return 1;
	return 0;
}
