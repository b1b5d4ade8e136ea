/* SPDX-License-Identifier: MIT */
/*
 * resolve.c: a code object as a definition (EV_DEFCODE) and a plan.
 *
 * The target waits for the answer, so there always is one, and soon: a part
 * that can't be read is left out and marked (EVC_PARTIAL). A code object that
 * is not to be recorded gets its names only: nobody will ask for more, and
 * imports bring ten thousand of them. The target runs on in other threads; what
 * was read is copied first and then looked at, once.
 */
#include <stdlib.h>
#include <string.h>

#include "python/resolver.h"
#include "python/source.h"
#include "util/err.h"

#define CODE_STRUCT_MAX 512
#define LINETABLE_MAX (1u << 20)
#define SEEN_MAX 65536

#define CO_OPTIMIZED 0x1
#define CO_VARARGS 0x4
#define CO_VARKEYWORDS 0x8
#define CO_ANY_GENERATOR (0x20 | 0x80 | 0x200) /* generator, coroutine, async generator */

/* The whole record stays below 4 MB: names are 3 * TEXT_MAX, kinds SLOTS_MAX. */
_Static_assert(LINETABLE_MAX + BYTECODE_MAX + NAMES_MAX + SLOTS_MAX + 4 * TEXT_MAX < (4u << 20),
	       "EV_DEFCODE");

int resolver_new(struct resolver **ret, struct target *t, const struct python_info *info,
		 const struct ctrec_layout *l, const struct resolve_options *o)
{
	struct resolver *r = calloc(1, sizeof(*r));

	if (!r)
		return err_set(ERR_NOMEM, "a resolver");
	memcpy(r->statics, info->statics, sizeof(r->statics));
	r->o = (struct objects){ .mem = &t->mem, .l = l, .statics = r->statics };
	r->pid = t->pid;
	r->version = l->python;
	r->options = *o;
	if (!r->options.max_slots || r->options.max_slots > CTREC_MAX_SLOTS)
		r->options.max_slots = CTREC_MAX_SLOTS;
	*ret = r;
	return 0;
}

struct resolver *resolver_free(struct resolver *r)
{
	if (r) {
		free(r->seen);
		free(r);
	}
	return NULL;
}

void record_pad(struct buf *b, size_t start)
{
	buf_zero(b, -(b->len - start) & 7);
}

static uint64_t hash_name(const uint8_t *p, size_t len)
{
	uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */

	while (len--)
		h = (h ^ *p++) * 0x100000001b3u;
	return h ? h : 1;
}

/* 1 the first time for a name. An open-addressed set that doubles; full, it forgets nobody. */
static int first_time(struct resolver *r, const uint8_t *name, size_t len)
{
	uint64_t h = hash_name(name, len);
	size_t i;

	if (r->nseen * 2 >= r->seen_cap) {
		size_t cap = r->seen_cap ? r->seen_cap * 2 : 256;
		uint64_t *seen = cap <= 2 * SEEN_MAX ? calloc(cap, sizeof(*seen)) : NULL;

		if (!seen)
			return 0;
		for (size_t j = 0; j < r->seen_cap; j++) {
			if (!r->seen[j])
				continue;
			for (i = r->seen[j] & (cap - 1); seen[i]; i = (i + 1) & (cap - 1))
				;
			seen[i] = r->seen[j];
		}
		free(r->seen);
		r->seen = seen;
		r->seen_cap = cap;
	}
	for (i = h & (r->seen_cap - 1); r->seen[i]; i = (i + 1) & (r->seen_cap - 1))
		if (r->seen[i] == h)
			return 0;
	r->seen[i] = h;
	r->nseen++;
	return 1;
}

static uint64_t code_u64(const struct code_def *def, unsigned offset)
{
	return field_u64(def->c, offset);
}

/* Appends a str; "<unknown>" when it can't be read. */
static uint32_t put_str(struct code_def *def, uint64_t addr)
{
	size_t at = def->out->len;
	int r = def->c ? objects_str(&def->r->o, addr, def->out, TEXT_MAX) : -1;

	if (r < 0) {
		def->out->len = at;
		buf_append(def->out, "<unknown>", 9);
	}
	if (r)
		def->d.plan |= EVC_PARTIAL;
	at = def->out->len - at;
	record_pad(def->out, def->start);
	return at;
}

uint32_t put_bytes(struct code_def *def, uint64_t addr, size_t max)
{
	size_t at = def->out->len;

	if (objects_bytes(&def->r->o, addr, def->out, max) != 0) {
		def->out->len = at;
		def->d.plan |= EVC_PARTIAL;
	}
	at = def->out->len - at;
	record_pad(def->out, def->start);
	return at;
}

static void take_fields(struct code_def *def)
{
	const struct ctrec_layout *l = def->r->o.l;

	def->d.flags = field_u32(def->c, l->code_flags);
	def->d.firstlineno = field_u32(def->c, l->code_firstlineno);
	def->d.argcount = field_u32(def->c, l->code_argcount);
	def->d.kwonlyargcount = field_u32(def->c, l->code_kwonlyargcount);
	count_slots(def);
}

static void make_plan(struct code_def *def, const uint8_t *name, const uint8_t *kinds)
{
	const struct ctrec_layout *l = def->r->o.l;
	struct ctrec_codeplan *plan = def->plan;
	const struct ev_defcode *d = &def->d;
	uint64_t nargs = (uint64_t)d->argcount + d->kwonlyargcount + !!(d->flags & CO_VARARGS) +
			 !!(d->flags & CO_VARKEYWORDS);

	plan->nlocalsplus = d->nlocalsplus;
	plan->nargs = nargs < d->nlocalsplus ? nargs : d->nlocalsplus;
	if (l->code_firsttraceable)
		plan->firsttraceable = field_u32(def->c, l->code_firsttraceable);
	if (d->plan & EVC_SKIP)
		plan->flags |= PLANC_SKIP;
	if (!(d->flags & CO_OPTIMIZED))
		plan->flags |= PLANC_NAMES;
	if (d->flags & CO_ANY_GENERATOR)
		plan->flags |= PLANC_GENERATOR;
	if (d->name_len == 8 && memcmp(name, "<module>", 8) == 0)
		plan->flags |= PLANC_MODULE;
	for (uint32_t i = 0; i < d->kinds_len && i < 64; i++)
		if (kinds[i] & (CO_FAST_CELL | CO_FAST_FREE))
			plan->cellmask |= 1ull << i;
	plan->state = PLAN_READY;
}

/* The parts in the record's order; *name_at and *kinds_at are offsets into out. */
static void put_parts(struct code_def *def, size_t *name_at, size_t *kinds_at)
{
	const struct ctrec_layout *l = def->r->o.l;
	struct resolver *r = def->r;
	size_t at = def->out->len;

	def->d.filename_len = put_str(def, def->c ? code_u64(def, l->code_filename) : 0);
	if (!r->options.all && !def->out->oom &&
	    is_stdlib((const char *)def->out->data + at, def->d.filename_len, r->version))
		def->d.plan |= EVC_SKIP;
	*name_at = def->out->len;
	def->d.name_len = put_str(def, def->c ? code_u64(def, l->code_name) : 0);
	/* up to 3.10 a code object does not know where it was defined */
	def->d.qualname_len = put_str(def, !def->c ? 0 : code_u64(def, l->code_qualname ?
								       l->code_qualname :
								       l->code_name));
	*kinds_at = def->out->len;
	if (!def->c || def->d.plan & EVC_SKIP)
		return;
	def->d.linetable_len = put_bytes(def, code_u64(def, l->code_linetable), LINETABLE_MAX);
	def->d.bytecode_len = put_bytecode(def);
	*kinds_at = def->out->len;
	def->d.kinds_len = put_kinds(def);
	if (def->d.kinds_len != def->d.nlocalsplus)
		def->d.plan |= EVC_PARTIAL;
	def->d.names_len = put_names(def);
}

int resolve_code(struct resolver *r, uint64_t addr, uint32_t id, struct ctrec_codeplan *plan,
		 struct buf *defs)
{
	const struct ctrec_layout *l = r->o.l;
	struct code_def def = { .r = r, .out = defs, .start = defs->len, .addr = addr, .plan = plan };
	uint8_t copy[CODE_STRUCT_MAX];
	size_t name_at = 0, kinds_at = 0, name_start;
	int got;

	*plan = (struct ctrec_codeplan){ .fingerprint = plan->fingerprint, .id = plan->id,
					 .state = PLAN_FAILED };
	def.d = (struct ev_defcode){ .h = { .type = EV_DEFCODE }, .code = id, .python = r->version };
	got = l->code_basicsize <= sizeof(copy) ? r->o.mem->read(r->o.mem, (remote_t){ addr }, copy,
								 l->code_basicsize) : -1;
	if (got == 0 && field_u64(copy, OBJECT_TYPE) == r->statics[CS_code]) {
		def.c = copy;
		take_fields(&def);
	}
	buf_append(defs, &def.d, sizeof(def.d));
	name_start = defs->len;
	put_parts(&def, &name_at, &kinds_at);
	if (buf_check(defs) < 0)
		return -ERR_NOMEM;
	if (def.c)
		make_plan(&def, defs->data + name_at, defs->data + kinds_at);
	def.d.h.size = defs->len - def.start;
	memcpy(defs->data + def.start, &def.d, sizeof(def.d));
	if (def.c && !(def.d.plan & EVC_SKIP) &&
	    first_time(r, defs->data + name_start, def.d.filename_len)) {
		char name[TEXT_MAX];
		size_t n = def.d.filename_len < sizeof(name) ? def.d.filename_len : 0;

		memcpy(name, defs->data + name_start, n);
		source_append(defs, r->pid, name, n, r->options.uid, r->options.gid);
	}
	return buf_check(defs);
}
