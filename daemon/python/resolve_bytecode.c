/* SPDX-License-Identifier: MIT */
/*
 * resolve_bytecode.c: a code object's instructions, as the compiler wrote them.
 *
 * Up to 3.10 they are a bytes object; from 3.11 on they stand at the end of the
 * code object, specialised in place. From 3.12 on, while sys.monitoring (or a
 * trace function) is in use, some are replaced by INSTRUMENTED_LINE and
 * INSTRUMENTED_INSTRUCTION; their originals stand in arrays beside the code.
 *
 * The array by line changed within the life of 3.13: an entry was two bytes, the
 * opcode and a line; then a byte before all entries says how long each is. That
 * byte is told from an opcode by its value: no code begins with an instruction
 * below 8 (all of them take something off the stack), 3.12 to 3.14.
 */
#include <stdlib.h>

#include "python/deopt.h"
#include "python/resolver.h"

#define LINE_SIZE_OLD 2
#define LINE_SIZE_MAX 7

static uint64_t pointer_at(const struct objects *o, uint64_t addr)
{
	uint64_t p;

	return addr && o->mem->read(o->mem, (remote_t){ addr }, &p, sizeof(p)) == 0 ? p : 0;
}

/* An array of n entries; NULL when there is none. */
static uint8_t *copy_array(const struct objects *o, uint64_t addr, size_t n)
{
	uint8_t *to = addr && n ? malloc(n) : NULL;

	if (to && o->mem->read(o->mem, (remote_t){ addr }, to, n) < 0) {
		free(to);
		to = NULL;
	}
	return to;
}

static int deopt_instrumented(struct code_def *def, uint8_t *code, size_t len)
{
	const struct objects *o = &def->r->o;
	uint64_t monitoring = field_u64(def->c, o->l->code_monitoring), lines = 0, opcodes = 0;
	struct bytecode_originals originals = { .line_size = LINE_SIZE_OLD };
	uint8_t *line_copy, *opcode_copy, size = 0;
	int left;

	if (monitoring) {
		lines = pointer_at(o, monitoring + o->l->monitoring_lines);
		opcodes = pointer_at(o, monitoring + o->l->monitoring_opcodes);
	}
	if (lines && o->mem->read(o->mem, (remote_t){ lines }, &size, 1) == 0 && size &&
	    size <= LINE_SIZE_MAX) {
		originals.line_size = size;
		lines++;
	}
	originals.lines = line_copy = copy_array(o, lines, len / 2 * originals.line_size);
	originals.opcodes = opcode_copy = copy_array(o, opcodes, len / 2);
	left = bytecode_deopt(def->r->version, code, len, &originals);
	free(line_copy);
	free(opcode_copy);
	return left;
}

uint32_t put_bytecode(struct code_def *def)
{
	const struct ctrec_layout *l = def->r->o.l;
	uint64_t units;
	uint8_t *to;
	size_t n;

	if (l->code_form == CTL_CODE_BYTES)
		return put_bytes(def, field_u64(def->c, l->code_code), BYTECODE_MAX);
	units = field_u64(def->c, l->code_size);
	n = units > BYTECODE_MAX / 2 ? BYTECODE_MAX : units * 2;
	if (units > BYTECODE_MAX / 2)
		def->d.plan |= EVC_PARTIAL;
	to = buf_reserve(def->out, n);
	if (!to || def->r->o.mem->read(def->r->o.mem, (remote_t){ def->addr + l->code_code }, to, n) < 0) {
		def->d.plan |= EVC_PARTIAL;
		return 0;
	}
	if (l->code_monitoring && bytecode_instrumented(def->r->version, to, n)) {
		if (deopt_instrumented(def, to, n))
			def->d.plan |= EVC_PARTIAL;
	} else if (bytecode_deopt(def->r->version, to, n, NULL)) {
		def->d.plan |= EVC_PARTIAL;
	}
	def->out->len += n;
	record_pad(def->out, def->start);
	return n;
}
