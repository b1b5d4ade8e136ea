/* SPDX-License-Identifier: MIT */
/*
 * resolve_type.c: a type as a definition (EV_DEFTYPE) and a plan: how capture
 * reads its instances without running any code of theirs.
 *
 * A subclass of a builtin is read as that builtin; anything made by a class
 * statement as its member slots and its dict; what only C knows as opaque. An
 * offset goes into the plan only from a member descriptor that holds an object,
 * never by guess: a wrong one would show a neighbour's memory as a value.
 */
#include <stdlib.h>
#include <string.h>

#include "python/resolver.h"
#include "util/err.h"

#define MRO_MAX 128
#define BASES_MAX 64
#define FIELDS_DEPTH 16 /* classes searched for _fields */
#define NAME_MAX_BYTES 1024
#define FIELDS_MAX 255
#define FIELDS_BYTES 8192
#define MEMBERS_MAX 1024
#define KEYS_MAX 30 /* SHARED_KEYS_MAX_SIZE, Include/internal/pycore_dict.h */
#define KEYS_SPLIT 2
#define SHARED_ENTRY 16 /* key, value */

/* PyMemberDef: name, type, offset, flags, doc; Include/structmember.h */
#define MEMBER_SIZE 40
#define MEMBER_TYPE 8
#define MEMBER_OFFSET 16
#define T_OBJECT 6
#define T_OBJECT_EX 16

#define OBJECT_SIZE 16 /* ob_size, of var-sized objects */
#define TPF_INLINE_VALUES (1ull << 2) /* 3.13+ */
#define TPF_MANAGED_DICT (1ull << 4)  /* 3.11+ */
#define TPF_IMMUTABLE (1ull << 8)
#define TPF_HEAPTYPE (1ull << 9)
#define TPF_BASE_EXC (1ull << 30)

#define TYPE_COPY 1024

/* A type's struct as it was when we looked; only the first type_mro + 8 bytes are certain. */
struct type_copy {
	uint64_t addr, flags;
	uint8_t c[TYPE_COPY];
	int len;
};

struct type_def {
	struct resolver *r;
	const struct ctrec_layout *l;
	struct type_copy t;
	struct ctrec_typeplan *plan;
	struct ev_deftype d;
	struct buf fields, keys;
	uint64_t mro[MRO_MAX];
	size_t nmro;
};

static int type_read(const struct resolver *r, uint64_t addr, struct type_copy *t)
{
	const struct ctrec_layout *l = r->o.l;
	size_t min = l->type_mro + 8u, max = l->heaptype_size;

	if (!addr || max > sizeof(t->c))
		return -ERR_TARGET_MEMORY;
	t->addr = addr;
	t->len = objects_read(&r->o, addr, t->c, min, max);
	if (t->len < 0)
		return t->len;
	t->flags = field_u64(t->c, l->type_flags);
	return 0;
}

/* A metaclass is a subclass of type. */
static int is_type(const struct resolver *r, const struct type_copy *t)
{
	uint64_t meta = field_u64(t->c, OBJECT_TYPE), flags;

	if (meta == r->statics[CS_type])
		return 1;
	return r->o.mem->read(r->o.mem, (remote_t){ meta + r->o.l->type_flags }, &flags, 8) == 0 &&
	       flags >> 31 & 1;
}

static void read_mro(struct type_def *def)
{
	int64_t n = objects_tuple(&def->r->o, field_u64(def->t.c, def->l->type_mro), def->mro,
				  MRO_MAX);

	def->nmro = n < 0 ? 0 : n < MRO_MAX ? (size_t)n : MRO_MAX;
}

/* Does the type or one of its bases stand at one of the statics? */
static enum ctrec_typekind kind_by_base(const struct type_def *def)
{
	static const struct { enum ctrec_static id; enum ctrec_typekind kind; } builtin[] = {
		{ CS_float, CTK_FLOAT }, { CS_complex, CTK_COMPLEX }, { CS_set, CTK_SET },
		{ CS_frozenset, CTK_FROZENSET }, { CS_bytearray, CTK_BYTEARRAY },
		{ CS_module, CTK_MODULE },
	};
	const struct resolver *r = def->r;
	uint64_t at = def->t.addr;

	for (int depth = 0; at && depth < BASES_MAX; depth++) {
		for (size_t i = 0; i < sizeof(builtin) / sizeof(builtin[0]); i++)
			if (at == r->statics[builtin[i].id])
				return builtin[i].kind;
		if (r->o.mem->read(r->o.mem, (remote_t){ at + def->l->type_base }, &at, 8) < 0)
			break;
	}
	return CTK_OPAQUE;
}

/* CPython marks the subclasses of these in tp_flags. */
static enum ctrec_typekind kind_by_flags(uint64_t flags)
{
	static const enum ctrec_typekind kinds[] = { CTK_LONG, CTK_LIST, CTK_TUPLE, CTK_BYTES,
						     CTK_STR, CTK_DICT };

	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (flags >> (24 + i) & 1)
			return kinds[i];
	return flags >> 31 & 1 ? CTK_CLASS : CTK_OPAQUE;
}

/* An enum's metaclass is EnumType (EnumMeta before 3.11), or derived from it. */
static int is_enum(const struct type_def *def)
{
	uint64_t meta = field_u64(def->t.c, OBJECT_TYPE);
	struct type_copy m;
	char name[16];

	for (int depth = 0; depth < 8 && meta != def->r->statics[CS_type]; depth++) {
		if (type_read(def->r, meta, &m) < 0)
			return 0;
		if (objects_cstring(&def->r->o, field_u64(m.c, def->l->type_name), name,
				    sizeof(name)) == 0 &&
		    (strcmp(name, "EnumType") == 0 || strcmp(name, "EnumMeta") == 0))
			return 1;
		meta = field_u64(m.c, def->l->type_base);
	}
	return 0;
}

static void add_slot(struct type_def *def, uint64_t offset, const char *name, size_t len)
{
	struct ctrec_typeplan *plan = def->plan;

	if (plan->nslots >= def->r->options.max_slots || !offset || offset > UINT16_MAX ||
	    def->fields.len + len + 1 > FIELDS_BYTES)
		return;
	plan->slots[plan->nslots++] = offset;
	buf_append(&def->fields, name, len);
	buf_u8(&def->fields, 0);
}

/* The members a heap type defines itself stand right behind its struct. */
static void add_members(struct type_def *def, const struct type_copy *t)
{
	const struct resolver *r = def->r;
	uint64_t n = field_u64(t->c, OBJECT_SIZE), meta = field_u64(t->c, OBJECT_TYPE);
	uint64_t size = def->l->heaptype_size;
	uint8_t *members;

	if (!(t->flags & TPF_HEAPTYPE) || !n || n > MEMBERS_MAX)
		return;
	if (meta != r->statics[CS_type] &&
	    r->o.mem->read(r->o.mem, (remote_t){ meta + def->l->type_basicsize }, &size, 8) < 0)
		return;
	members = malloc(n * MEMBER_SIZE);
	if (!members || r->o.mem->read(r->o.mem, (remote_t){ t->addr + size }, members,
				       n * MEMBER_SIZE) < 0)
		n = 0;
	for (uint64_t i = 0; i < n; i++) {
		const uint8_t *m = members + i * MEMBER_SIZE;
		uint32_t type = field_u32(m, MEMBER_TYPE);
		char name[256];

		if ((type == T_OBJECT || type == T_OBJECT_EX) &&
		    objects_cstring(&r->o, field_u64(m, 0), name, sizeof(name)) == 0)
			add_slot(def, field_u64(m, MEMBER_OFFSET), name, strlen(name));
	}
	free(members);
}

/* Slots of the bases first, as they lie in memory. */
static void add_slots(struct type_def *def)
{
	for (size_t i = def->nmro; i-- > 0 && def->plan->nslots < def->r->options.max_slots;) {
		struct type_copy base;

		if (def->mro[i] == def->t.addr)
			add_members(def, &def->t);
		else if (def->mro[i] != def->r->statics[CS_object] &&
			 type_read(def->r, def->mro[i], &base) == 0)
			add_members(def, &base);
	}
}

static void take_dict(struct type_def *def)
{
	int64_t offset = (int64_t)field_u64(def->t.c, def->l->type_dictoffset);
	uint64_t itemsize = field_u64(def->t.c, def->l->type_itemsize);
	uint64_t basicsize = field_u64(def->t.c, def->l->type_basicsize);

	if (def->l->instance_kind != CTL_INSTANCE_PLAIN && def->t.flags & TPF_MANAGED_DICT) {
		def->plan->managed = CTM_DICT;
		if (def->l->instance_kind == CTL_INSTANCE_INLINE &&
		    def->t.flags & TPF_INLINE_VALUES && basicsize <= 1 << 20) {
			def->plan->managed |= CTM_INLINE;
			def->plan->dictoffset = basicsize;
		}
	} else if (offset > 0 && offset <= 1 << 20 && !itemsize) {
		def->plan->dictoffset = offset;
	}
}

/*
 * The keys its instances share while they have no dict of their own. They only
 * grow while the type lives (Objects/dictobject.c, insert_into_dictkeys), so that
 * an entry's index is its name.
 */
static void take_keys(struct type_def *def)
{
	const struct ctrec_layout *l = def->l;
	struct ctrec_typeplan *plan = def->plan;
	uint8_t head[64], entries[KEYS_MAX * SHARED_ENTRY];
	uint64_t at, n;

	if (!plan->managed || !(def->t.flags & TPF_HEAPTYPE) ||
	    def->t.len < l->heaptype_cached_keys + 8)
		return;
	at = field_u64(def->t.c, l->heaptype_cached_keys);
	if (!at || objects_read(&def->r->o, at, head, l->keys_indices, l->keys_indices) < 0 ||
	    head[l->keys_kind] != KEYS_SPLIT || head[l->keys_log2_index_bytes] > 16)
		return;
	n = field_u64(head, l->keys_nentries);
	n = n < KEYS_MAX ? n : KEYS_MAX;
	at += l->keys_indices + (1u << head[l->keys_log2_index_bytes]);
	if (!n || objects_read(&def->r->o, at, entries, n * SHARED_ENTRY, n * SHARED_ENTRY) < 0)
		return;
	while (plan->nkeys < n) {
		size_t len = def->keys.len;

		if (objects_str(&def->r->o, field_u64(entries, plan->nkeys * SHARED_ENTRY), &def->keys,
				256) != 0 || def->keys.len >= FIELDS_BYTES) {
			def->keys.len = len;
			break;
		}
		buf_u8(&def->keys, 0);
		plan->nkeys++;
	}
	def->d.nkeys = plan->nkeys;
}

/* A named tuple: the first _fields along the MRO, a tuple of str. */
static void take_tuple_fields(struct type_def *def)
{
	uint64_t fields = 0, items[FIELDS_MAX];
	struct type_copy base;
	int64_t n;

	for (size_t i = 0; i < def->nmro && i < FIELDS_DEPTH && !fields; i++) {
		if (def->mro[i] == def->r->statics[CS_tuple])
			return;
		if (type_read(def->r, def->mro[i], &base) == 0 && base.flags & TPF_HEAPTYPE)
			fields = objects_dict_get(&def->r->o, field_u64(base.c, def->l->type_dict),
						  "_fields");
	}
	n = fields ? objects_tuple(&def->r->o, fields, items, FIELDS_MAX) : -1;
	if (n <= 0 || n > FIELDS_MAX)
		return;
	for (int64_t i = 0; i < n; i++) {
		if (objects_str(&def->r->o, items[i], &def->fields, 256) != 0 ||
		    def->fields.len > FIELDS_BYTES) {
			buf_clear(&def->fields);
			return;
		}
		buf_u8(&def->fields, 0);
	}
	def->d.flags |= EVT_NAMEDTUPLE;
	def->d.nfields = n;
}

/* C types that show nothing: heap types from a spec name their module in tp_name. */
static int made_in_c(const struct type_def *def)
{
	char name[NAME_MAX_BYTES];

	if (!(def->t.flags & TPF_HEAPTYPE) || def->t.flags & TPF_IMMUTABLE)
		return 1;
	return objects_cstring(&def->r->o, field_u64(def->t.c, def->l->type_name), name,
			       sizeof(name)) == 0 && strchr(name, '.');
}

static void take_kind(struct type_def *def)
{
	struct ctrec_typeplan *plan = def->plan;
	enum ctrec_typekind kind = kind_by_flags(def->t.flags);

	if (kind == CTK_OPAQUE)
		kind = kind_by_base(def);
	if (is_enum(def)) {
		def->d.flags |= EVT_ENUM;
		/* a member is known by its dict; one of variable size (IntEnum) keeps
		 * it where a fixed offset can't reach, and stays its value */
		if (!field_u64(def->t.c, def->l->type_itemsize))
			kind = CTK_OPAQUE;
	}
	if (kind == CTK_TUPLE)
		take_tuple_fields(def);
	if (kind == CTK_OPAQUE) {
		take_dict(def);
		take_keys(def);
		if (def->t.flags & TPF_BASE_EXC) {
			def->d.flags |= EVT_EXCEPTION;
			add_slot(def, def->l->exc_args, "args", 4);
		}
		add_slots(def);
		if (plan->nslots || plan->managed || plan->dictoffset || !made_in_c(def))
			kind = CTK_OBJECT;
	}
	plan->kind = kind;
	if (plan->nslots) {
		def->d.flags |= EVT_SLOTS;
		def->d.nslots = def->d.nfields = plan->nslots;
	}
}

/* Module and name of a type: a heap type knows its qualified name, another one
 * has only tp_name, "module.name" or a builtin's "name". */
static void put_type_names(struct type_def *def, struct buf *out, size_t start)
{
	const struct objects *o = &def->r->o;
	char tp_name[NAME_MAX_BYTES] = "<unknown>", *dot;
	size_t at = out->len;
	int heap = def->t.flags & TPF_HEAPTYPE && def->t.len >= def->l->heaptype_size;

	objects_cstring(o, field_u64(def->t.c, def->l->type_name), tp_name, sizeof(tp_name));
	dot = strrchr(tp_name, '.');
	if (!heap || objects_str(o, field_u64(def->t.c, def->l->heaptype_qualname), out,
				 NAME_MAX_BYTES) < 0)
		buf_append(out, dot ? dot + 1 : tp_name, strlen(dot ? dot + 1 : tp_name));
	def->d.name_len = out->len - at;
	record_pad(out, start);
	at = out->len;
	if (!heap || objects_str(o, objects_dict_get(o, field_u64(def->t.c, def->l->type_dict),
						     "__module__"), out, NAME_MAX_BYTES) < 0) {
		if (dot)
			buf_append(out, tp_name, dot - tp_name);
		else
			buf_append(out, "builtins", 8);
	}
	def->d.module_len = out->len - at;
	record_pad(out, start);
}

static void put_unknown(struct type_def *def, struct buf *out, size_t start)
{
	buf_append(out, "<unknown>", 9);
	def->d.name_len = 9;
	record_pad(out, start);
}

int resolve_type(struct resolver *r, uint64_t addr, uint32_t id, struct ctrec_typeplan *plan,
		 struct buf *defs)
{
	struct type_def *def = calloc(1, sizeof(*def));
	size_t start = defs->len;

	*plan = (struct ctrec_typeplan){ .fingerprint = plan->fingerprint, .id = plan->id,
					 .state = PLAN_FAILED };
	if (!def)
		return err_set(ERR_NOMEM, "a type");
	def->r = r;
	def->l = r->o.l;
	def->plan = plan;
	def->d = (struct ev_deftype){ .h = { .type = EV_DEFTYPE }, .type_id = id };
	buf_append(defs, &def->d, sizeof(def->d));
	if (type_read(r, addr, &def->t) == 0 && is_type(r, &def->t)) {
		read_mro(def);
		take_kind(def);
		put_type_names(def, defs, start);
		plan->state = PLAN_READY;
	} else {
		put_unknown(def, defs, start);
	}
	def->d.fields_len = def->fields.len + def->keys.len;
	buf_append(defs, def->fields.data, def->fields.len);
	buf_append(defs, def->keys.data, def->keys.len);
	record_pad(defs, start);
	if (!defs->oom) {
		def->d.h.size = defs->len - start;
		memcpy(defs->data + start, &def->d, sizeof(def->d));
	}
	buf_deinit(&def->fields);
	buf_deinit(&def->keys);
	free(def);
	return buf_check(defs);
}
