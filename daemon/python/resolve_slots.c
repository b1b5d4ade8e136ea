/* SPDX-License-Identifier: MIT */
/*
 * resolve_slots.c: names and kinds of a code object's variables, one a slot.
 *
 * From 3.11 on a code object lists its slots itself. Up to 3.10 a frame has
 * three groups of slots, each with a tuple of names: locals, then cells (local
 * variables that an inner function uses), then free variables. They are given
 * kinds as if 3.11 had made them, CO_FAST_LOCAL, CO_FAST_CELL, CO_FAST_FREE.
 *
 * An argument that an inner function uses has two slots in these versions: its
 * own, which is emptied at entry, and its cell's. Capture shows the value under
 * the argument's slot (ctrec_codeplan.cellargs), as 3.11 has it; hence that slot
 * is CO_FAST_LOCAL|CO_FAST_CELL and the cell's, CO_FAST_CELL|CO_FAST_HIDDEN, is
 * never sent. What has no place in cellargs stays CO_FAST_LOCAL, always unset,
 * and its cell's slot, of the same name, is CO_FAST_LOCAL|CO_FAST_CELL.
 */
#include <stdlib.h>
#include <string.h>

#include "python/resolver.h"

/* The three tuples up to 3.10, in the order of the slots. */
static void groups(const struct code_def *def, uint64_t tuple[3])
{
	const struct ctrec_layout *l = def->r->o.l;

	tuple[0] = field_u64(def->c, l->code_varnames);
	tuple[1] = field_u64(def->c, l->code_cellvars);
	tuple[2] = field_u64(def->c, l->code_freevars);
}

static int is_old(const struct code_def *def)
{
	return def->r->o.l->frame_kind == CTL_FRAME_OBJECT;
}

/* Which cells are arguments' (co_cell2arg: an argument's slot or -1, for each cell). */
static void find_cellargs(struct code_def *def, uint32_t nlocals, uint32_t ncells)
{
	uint64_t at = field_u64(def->c, def->r->o.l->code_cell2arg);
	uint64_t arg[CTREC_CELLARGS];
	uint32_t n = ncells < CTREC_CELLARGS ? ncells : CTREC_CELLARGS;

	def->plan->cellfirst = nlocals;
	if (!at || !n)
		return;
	if (def->r->o.mem->read(def->r->o.mem, (remote_t){ at }, arg, n * sizeof(arg[0])) < 0) {
		def->d.plan |= EVC_PARTIAL;
		return;
	}
	for (uint32_t k = 0; k < n; k++)
		if (arg[k] < nlocals && arg[k] < 255)
			def->plan->cellargs[k] = arg[k] + 1;
}

void count_slots(struct code_def *def)
{
	const struct ctrec_layout *l = def->r->o.l;
	uint64_t tuple[3], none, n[3], all = 0;

	if (!is_old(def)) {
		all = field_u32(def->c, l->code_nlocalsplus);
	} else {
		groups(def, tuple);
		for (int i = 0; i < 3; i++) {
			int64_t len = objects_tuple(&def->r->o, tuple[i], &none, 0);

			n[i] = len < 0 ? SLOTS_MAX + 1u : (uint64_t)len;
			all += n[i];
		}
		if (all <= SLOTS_MAX && n[0] != field_u32(def->c, l->code_nlocals))
			all = SLOTS_MAX + 1u;
	}
	if (all > SLOTS_MAX) {
		def->d.plan |= EVC_PARTIAL;
		all = 0;
	} else if (is_old(def)) {
		find_cellargs(def, n[0], n[1]);
	}
	def->d.nlocalsplus = all;
}

/* The kinds of 3.8 to 3.10. */
static void make_kinds(const struct code_def *def, uint8_t *kinds, const uint64_t n[3])
{
	const struct ctrec_codeplan *plan = def->plan;
	uint64_t at = field_u64(def->c, def->r->o.l->code_cell2arg), *arg;

	memset(kinds, CO_FAST_LOCAL, n[0]);
	memset(kinds + n[0], CO_FAST_CELL, n[1]);
	memset(kinds + n[0] + n[1], CO_FAST_FREE, n[2]);
	arg = at ? malloc(n[1] * sizeof(*arg) + 1) : NULL;
	if (!arg || def->r->o.mem->read(def->r->o.mem, (remote_t){ at }, arg, n[1] * sizeof(*arg)) < 0)
		at = 0;
	for (uint64_t k = 0; at && k < n[1]; k++) {
		if (arg[k] >= n[0])
			continue;
		if (k < CTREC_CELLARGS && plan->cellargs[k]) {
			kinds[plan->cellargs[k] - 1] |= CO_FAST_CELL;
			kinds[n[0] + k] |= CO_FAST_HIDDEN;
		} else {
			kinds[n[0] + k] |= CO_FAST_LOCAL;
		}
	}
	free(arg);
}

uint32_t put_kinds(struct code_def *def)
{
	uint64_t tuple[3], none, n[3];
	uint8_t *to;

	if (!is_old(def))
		return put_bytes(def, field_u64(def->c, def->r->o.l->code_localspluskinds), SLOTS_MAX);
	groups(def, tuple);
	for (int i = 0; i < 3; i++) {
		int64_t len = objects_tuple(&def->r->o, tuple[i], &none, 0);

		n[i] = len < 0 ? SLOTS_MAX + 1u : (uint64_t)len;
	}
	to = buf_reserve(def->out, def->d.nlocalsplus);
	if (!to || n[0] + n[1] + n[2] != def->d.nlocalsplus) {
		def->d.plan |= EVC_PARTIAL;
		return 0;
	}
	make_kinds(def, to, n);
	def->out->len += def->d.nlocalsplus;
	record_pad(def->out, def->start);
	return def->d.nlocalsplus;
}

/* The slots' names as addresses of str. */
static int name_items(const struct code_def *def, uint64_t *items, size_t n)
{
	uint64_t tuple[3] = { field_u64(def->c, def->r->o.l->code_localsplusnames) };
	size_t at = 0;

	if (is_old(def))
		groups(def, tuple);
	for (int i = 0; i < (is_old(def) ? 3 : 1); i++) {
		int64_t got = objects_tuple(&def->r->o, tuple[i], items + at, n - at);

		if (got < 0 || (uint64_t)got > n - at)
			return 0;
		at += got;
	}
	return at == n;
}

/* nlocalsplus zero-terminated names; one that can't be read is empty. */
uint32_t put_names(struct code_def *def)
{
	size_t n = def->d.nlocalsplus, at = def->out->len, len;
	uint64_t *items = calloc(n + 1, sizeof(*items));

	if (!items || !name_items(def, items, n)) {
		def->d.plan |= EVC_PARTIAL;
		buf_zero(def->out, n);
		n = 0;
	}
	for (size_t i = 0; i < n; i++) {
		size_t before = def->out->len;

		if (before - at > NAMES_MAX - SLOTS_MAX - TEXT_MAX ||
		    objects_str(&def->r->o, items[i], def->out, TEXT_MAX) != 0) {
			if (def->out->len > before)
				def->out->len = before;
			def->d.plan |= EVC_PARTIAL;
		}
		buf_u8(def->out, 0);
	}
	free(items);
	len = def->out->len - at;
	record_pad(def->out, def->start);
	return len;
}
