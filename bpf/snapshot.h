/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * snapshot.h: one object after another, breadth first, into nodes (event.h).
 *
 * A queue in map memory holds what is still to be visited; a container appends
 * its children, as many as the ceilings and the variable's budget allow, and
 * says in its node how many these are and how many there were. Nothing of the
 * target runs, and nothing but exact memory layouts decides what is read. One
 * source for the BPF programs and the probe page: see state.h.
 */
#ifndef SNAPSHOT_H
#define SNAPSHOT_H

#include "bpf/children.h"
#include "bpf/scalars.h"

/* A container's head: children are queued already. */
static __always_inline void put_box(struct scratch *s, __u32 kind, __u64 p, __u32 n, __u64 total,
				    __u32 depth, __u32 typed, __u32 id)
{
	__u32 deep = total && depth >= cfg.limits.depth ? EVNF_DEPTH : 0;

	put(s, NODE(kind, typed | deep, n, total > 0xffffffff ? 0xffffffff : total));
	if (typed)
		put(s, id);
	put(s, p);
}

static __always_inline void put_named(struct scratch *s, __u32 kind, __u64 p, __u64 name)
{
	put(s, NODE(kind, 0, 1, 1));
	put(s, p);
	push(s, name, QM_NAME);
}

static __always_inline void put_opaque(struct scratch *s, __u64 p, __u32 id)
{
	put(s, NODE(EVN_OPAQUE, 0, 0, 0));
	put(s, p);
	put(s, id);
}

/* A class by its type id, which announces it if it is new. */
__noinline int put_class(struct scratch *s, __u64 p)
{
	struct ctrec_typeplan *plan;

	if (!s)
		return 0;
	plan = type_plan(s, p);
	put(s, NODE(EVN_CLASS, 0, 0, 0));
	put(s, p);
	put(s, plan ? plan->id : 0);
	return 0;
}

static __always_inline void put_builtin(struct scratch *s, __u64 p)
{
	__u64 name = ld(s, ld(s, p + L.cfunction_def) + L.methoddef_name);
	__u32 n = text_length(name);

	put(s, NODE(EVN_BUILTIN, 0, n, n));
	put(s, p);
	copy_bytes(s, name, n & 63);
}

struct slot_ctx {
	struct scratch *s;
	__u64 p, type;
	__u32 n, meta;
};

static long push_slot(__u32 i, struct slot_ctx *c)
{
	struct ctrec_typeplan *plan = type_known(c->type);

	if (!plan || i >= c->n || i >= CTREC_MAX_SLOTS)
		return 1;
	push(c->s, ld(c->s, c->p + plan->slots[i]), c->meta);
	return 0;
}

static long push_value(__u32 turn, struct dict_ctx *c)
{
	struct scratch *s = c->s;
	__u32 i = turn * STEP;
	__u64 value;

#pragma unroll
	for (int k = 0; k < STEP; k++, i++) {
		if (i >= c->n)
			return 1;
		value = ld(s, s->values + i * 8);
		push(s, value, c->meta);
		s->got += value != 0;
	}
	return 0;
}

/* How many of an instance's values are set: the byte before the prefix's size
 * (pycore_dict.h, 3.11 and 3.12), from 3.13 the second of the values' struct. */
static __always_inline __u32 values_used(struct scratch *s, __u64 values)
{
	__u64 w = ld(s, values - 8);

	return VERSIONED && L.instance_kind == CTL_INSTANCE_INLINE ? w >> 8 & 0xff : w >> 48 & 0xff;
}

/* An instance's values, or its dict; at most one is not 0. */
static __always_inline void attributes(struct scratch *s, __u64 p, struct ctrec_typeplan *plan,
				       __u64 *values, __u64 *dict)
{
	__u64 w;

	if (VERSIONED && plan->managed && L.instance_kind == CTL_INSTANCE_TAGGED) {
		w = ld(s, p - L.object_dict);
		*(w & 1 ? values : dict) = w + (w & 1);
	} else if (VERSIONED && plan->managed && L.instance_kind == CTL_INSTANCE_INLINE) {
		*dict = ld(s, p - L.object_dict);
		w = p + plan->dictoffset;
		if (!*dict && plan->managed & CTM_INLINE && ld(s, w) >> L.values_valid * 8 & 0xff)
			*values = w + L.values_first;
	} else if (plan->managed) {
		*values = ld(s, p - L.object_values);
		if (!*values)
			*dict = ld(s, p - L.object_dict);
	} else if (plan->dictoffset) {
		*dict = ld(s, p + plan->dictoffset);
	}
}

/* The values that the type's definition names, by position; how many. s->got: those set. */
__noinline int push_values(struct scratch *s, __u64 values, __u32 nkeys, __u32 depth)
{
	struct dict_ctx c = { .s = s, .meta = depth + 1 };

	if (!s)
		return 0;
	c.n = room(s, nkeys, 1);
	s->values = values;
	s->got = 0;
	LOOP(QUEUE / STEP, push_value, &c);
	return c.n & 0xffff;
}

#define OUTGROWN 32 /* instances with newer keys before the type is described again */

/* An instance: member slots, then its dict's or inline values. */
__noinline int put_object(struct scratch *s, __u64 p, __u64 type, __u32 depth)
{
	struct slot_ctx sc = { .s = s, .p = p, .type = type, .meta = depth + 1 };
	struct ctrec_typeplan *plan;
	__u64 dict = 0, values = 0, used = 0;
	__u32 id, n = 0, npos = 0;

	if (!s)
		return 0;
	plan = type_known(type);
	if (!plan) {
		put_opaque(s, p, 0);
		return 0;
	}
	id = plan->id;
	sc.n = plan->nslots;
	attributes(s, p, plan, &values, &dict);
	if (sc.n > CTREC_MAX_SLOTS)
		sc.n = CTREC_MAX_SLOTS;
	if (depth >= cfg.limits.depth) {
		put(s, NODE(EVN_OBJECT, EVNF_DEPTH, 0, 0));
		put(s, p);
		put(s, id);
		return 0;
	}
	if (sc.n)
		LOOP(CTREC_MAX_SLOTS, push_slot, &sc);
	if (values) {
		used = values_used(s, values);
		npos = push_values(s, values, plan->nkeys, depth);
		used = used > s->got ? used - s->got : 0;
		if (used && npos == plan->nkeys) {
			if (++plan->outgrown >= OUTGROWN)
				type_forget(type);
			n = push_dict(s, ld(s, type + L.heaptype_cached_keys), values, used,
				      depth | (__u64)npos << 32);
		}
	} else if (dict) {
		used = ld(s, dict + L.dict_used);
		n = push_dict(s, ld(s, dict + L.dict_keys), dict_values(s, dict), used, depth);
	}
	put(s, NODE(EVN_OBJECT, 0, n, used > 0xffffffff ? 0xffffffff : used));
	put(s, p);
	put(s, id | (__u64)npos << 32);
	return 0;
}

/* CTK_* of a subclass -> the builtin it is read as. */
static __always_inline __u32 base_kind(__u32 ctk)
{
	switch (ctk) {
	case CTK_LONG: return CS_long + 1;
	case CTK_STR: return CS_str + 1;
	case CTK_BYTES: return CS_bytes + 1;
	case CTK_BYTEARRAY: return CS_bytearray + 1;
	case CTK_FLOAT: return CS_float + 1;
	case CTK_COMPLEX: return CS_complex + 1;
	case CTK_LIST: return CS_list + 1;
	case CTK_TUPLE: return CS_tuple + 1;
	case CTK_DICT: return CS_dict + 1;
	case CTK_SET: return CS_set + 1;
	case CTK_FROZENSET: return CS_frozenset + 1;
	case CTK_CLASS: return CS_type + 1;
	case CTK_MODULE: return CS_module + 1;
	}
	return 0;
}

__noinline int put_container(struct scratch *s, __u64 p, __u32 kind, __u32 typed_depth, __u32 id)
{
	__u32 typed = typed_depth & 1, depth = typed_depth >> 1, n;
	__u64 total;

	if (!s)
		return 0;
	switch (kind) {
	case CS_list + 1:
		total = ld(s, p + L.list_size);
		n = push_items(s, ld(s, p + L.list_items), total, depth);
		put_box(s, EVN_LIST, p, n, total, depth, typed, id);
		break;
	case CS_tuple + 1:
		total = ld(s, p + L.tuple_size);
		n = push_items(s, p + L.tuple_items, total, depth);
		put_box(s, EVN_TUPLE, p, n, total, depth, typed, id);
		break;
	case CS_dict + 1:
		total = ld(s, p + L.dict_used);
		n = push_dict(s, ld(s, p + L.dict_keys), dict_values(s, p), total, depth);
		put_box(s, EVN_DICT, p, n, total, depth, typed, id);
		break;
	case CS_set + 1:
	case CS_frozenset + 1:
		total = ld(s, p + L.set_used);
		n = push_set(s, p, total, depth);
		put_box(s, kind == CS_set + 1 ? EVN_SET : EVN_FROZENSET, p, n, total, depth, typed, id);
		break;
	case CS_range + 1:
		put(s, NODE(EVN_RANGE, 0, 3, 3));
		put(s, p);
		push_items(s, p + L.range_start, 3, 0);
		break;
	case CS_slice + 1:
		put(s, NODE(EVN_SLICE, 0, 3, 3));
		put(s, p);
		push_items(s, p + L.slice_start, 3, 0);
		break;
	}
	return 0;
}

__noinline int put_callable(struct scratch *s, __u64 p, __u32 kind)
{
	if (!s)
		return 0;
	switch (kind) {
	case CS_function + 1:
		put_named(s, EVN_FUNCTION, p, ld(s, p + L.func_qualname));
		break;
	case CS_method + 1:
		put_named(s, EVN_METHOD, p, ld(s, ld(s, p + L.method_func) + L.func_qualname));
		break;
	case CS_module + 1:
		put_named(s, EVN_MODULE, p, ld(s, p + L.module_name));
		break;
	case CS_code + 1:
		put_named(s, EVN_CODE, p, ld(s, p + (VERSIONED && !L.code_qualname ? L.code_name : L.code_qualname)));
		break;
	case CS_generator + 1:
		put_named(s, EVN_GENERATOR, p, ld(s, p + L.gen_qualname));
		break;
	case CS_coroutine + 1:
		put_named(s, EVN_COROUTINE, p, ld(s, p + L.gen_qualname));
		break;
	case CS_asyncgen + 1:
		put_named(s, EVN_ASYNCGEN, p, ld(s, p + L.gen_qualname));
		break;
	case CS_cfunction + 1:
		put_builtin(s, p);
		break;
	case CS_cell + 1:
		put(s, NODE(EVN_CELL, 0, 1, 1));
		put(s, p);
		push(s, ld(s, p + L.cell_value), 0);
		break;
	}
	return 0;
}

static __always_inline __u32 singleton(__u32 kind)
{
	switch (kind) {
	case CS_None + 1: return EVN_NONE;
	case CS_True + 1: return EVN_TRUE;
	case CS_False + 1: return EVN_FALSE;
	case CS_Ellipsis + 1: return EVN_ELLIPSIS;
	case CS_NotImplemented + 1: return EVN_NOTIMPLEMENTED;
	}
	return 0;
}

static __always_inline void put_scalar(struct scratch *s, __u64 p, __u32 kind, __u32 typed, __u32 id)
{
	switch (kind) {
	case CS_long + 1:
		put_long(s, p, typed, id);
		break;
	case CS_float + 1:
		put(s, NODE(EVN_FLOAT, typed, 1, 1));
		if (typed)
			put(s, id);
		put(s, ld(s, p + L.float_value));
		break;
	case CS_str + 1:
		put_str(s, p, typed, id);
		break;
	case CS_complex + 1:
		put(s, NODE(EVN_COMPLEX, typed, 2, 2));
		if (typed)
			put(s, id);
		put(s, ld(s, p + L.complex_value));
		put(s, ld(s, p + L.complex_value + 8));
		break;
	case CS_bytes + 1:
		put_bytes(s, EVN_BYTES, p + L.bytes_data, ld(s, p + L.bytes_size), typed, id);
		break;
	case CS_bytearray + 1:
		put_bytes(s, EVN_BYTEARRAY, ld(s, p + L.bytearray_start),
			  ld(s, p + L.bytearray_size), typed, id);
		break;
	}
}

/* What its address alone says: a small int (static, and in order) or a
 * singleton. 1: written. */
static __always_inline int put_static(struct scratch *s, __u64 p)
{
	struct cursor c = cursor(s);
	__u32 kind;

	if (p - cfg.small_ints < SMALL_INTS * 32 && !(p & 7)) {
		word(s, &c, NODE(EVN_INT, 0, 1, 1));
		word(s, &c, (p - cfg.small_ints) / 32 - 5);
		cursor_end(s, &c);
		return 1;
	}
	kind = singleton(static_kind(p));
	if (!kind)
		return 0;
	word(s, &c, NODE(kind, 0, 0, 0));
	cursor_end(s, &c);
	return 1;
}

/* The longest text put_near() takes. */
#define NEAR_TEXT 64

/* A short ASCII text in one line, o: its object. */
static __always_inline int put_near_str(struct scratch *s, __u64 p, __u8 *o)
{
	__u64 len = *(__u64 *)(o + STR_LENGTH);
	__u32 st = *(__u32 *)(o + STR_STATE), n = len;
	struct cursor c = cursor(s);

	if (len > NEAR_TEXT || len > cfg.limits.string || !near_fits(p, STR_DATA + len) ||
	    (st & 0x60) != 0x60)
		return 0;
	word(s, &c, NODE(EVN_STR, EVNF_WIDTH1, n, n));
#pragma unroll
	for (int k = 0; k < NEAR_TEXT / 8; k++) {
		if (k * 8 >= n)
			break;
		word(s, &c, first_bytes(*(__u64 *)(o + STR_DATA + k * 8), n - k * 8));
	}
	cursor_end(s, &c);
	return 1;
}

/*
 * The values most variables have, without a call: small ints and singletons, ints
 * up to 60 bits, floats, short ASCII texts that lie in one line. 1: written.
 */
static __always_inline int put_near(struct scratch *s, __u64 p)
{
	struct cursor c;
	__s64 size, v;
	__u64 d, n;
	__u8 *o;

	if (put_static(s, p))
		return 1;
	o = near(s, p, 32);
	if (!o)
		return 0;
	switch (static_kind(*(__u64 *)(o + 8))) {
	case CS_long + 1:
		size = *(__s64 *)(o + 16);
		d = *(__u64 *)(o + 24);
		n = long_digits(size);
		if (n > 2)
			return 0;
		v = n == 2 ? (d & 0x3fffffff) | (d >> 32 & 0x3fffffff) << 30 : n ? d & 0x3fffffff : 0;
		c = cursor(s);
		word(s, &c, NODE(EVN_INT, 0, 1, 1));
		word(s, &c, long_negative(size) ? -v : v);
		cursor_end(s, &c);
		return 1;
	case CS_float + 1:
		c = cursor(s);
		word(s, &c, NODE(EVN_FLOAT, 0, 1, 1));
		word(s, &c, *(__u64 *)(o + 16));
		cursor_end(s, &c);
		return 1;
	case CS_str + 1:
		return put_near_str(s, p, o);
	}
	return 0;
}

/* Visits the object at the head of the queue. A BPF program may be eight calls
 * deep, which this and all below it just keep to. */
__noinline int visit(struct scratch *s)
{
	__u32 h, meta, kind, typed = 0, id = 0, depth, at;
	struct ctrec_typeplan *plan;
	__u64 p, type;

	if (!s)
		return 0;
	h = s->qh++ & (QUEUE - 1);
	p = s->q[h].ptr;
	meta = s->q[h].meta;
	depth = meta & 0xff;
	if (!p) {
		put(s, NODE(EVN_NULL, 0, 0, 0));
		return 0;
	}
	if (!(meta & QM_NAME)) {
		if (!s->varnodes || s->out > EV_MAX_VALUES) {
			put(s, NODE(EVN_SKIPPED, 0, 0, 0));
			s->varcut = 1;
			return 0;
		}
		s->varnodes--;
	} else if (s->out > EV_MAX_VALUES + 4096) {
		put(s, NODE(EVN_SKIPPED, 0, 0, 0));
		s->varcut = 1;
		return 0;
	}
	if (put_static(s, p))
		return 0;
	s->fault = 0;
	at = s->out;
	type = ld(s, p + 8);
	if (s->fault)
		goto unreadable;
	kind = static_kind(type);
	if (!kind) {
		s->mutables++;
		plan = type_plan(s, type);
		if (!plan || plan->state != PLAN_READY) {
			put_opaque(s, p, plan ? plan->id : 0);
			return 0;
		}
		if (plan->kind == CTK_OPAQUE) {
			put_opaque(s, p, plan->id);
			return 0;
		}
		if (plan->kind == CTK_OBJECT) {
			put_object(s, p, type, depth);
			goto done;
		}
		typed = EVNF_TYPED;
		id = plan->id;
		kind = base_kind(plan->kind);
		if (plan->kind == CTK_CLASS || plan->kind == CTK_MODULE)
			typed = 0;
	}
	switch (kind) {
	case CS_bytearray + 1:
		s->mutables++;
		/* fallthrough */
	case CS_long + 1:
	case CS_float + 1:
	case CS_complex + 1:
	case CS_str + 1:
	case CS_bytes + 1:
		s->mutables += typed;
		put_scalar(s, p, kind, typed, id);
		break;
	case CS_list + 1:
	case CS_dict + 1:
	case CS_set + 1:
		s->mutables++;
		/* fallthrough */
	case CS_tuple + 1:
	case CS_frozenset + 1:
	case CS_range + 1:
	case CS_slice + 1:
		put_container(s, p, kind, depth << 1 | typed, id);
		break;
	case CS_type + 1:
		s->mutables++;
		put_class(s, p);
		break;
	case 0:
	case CS_object + 1:
		s->mutables++;
		put_opaque(s, p, id);
		break;
	default:
		s->mutables++;
		put_callable(s, p, kind);
	}
done:
	if (!s->fault)
		return 0;
unreadable:
	s->mutables++;
	/* what was written of it stays well-formed; its words read as zeros */
	gap(EVG_UNREADABLE);
	if (s->out == at) {
		put(s, NODE(EVN_UNREADABLE, 0, 0, 0));
		put(s, p);
	}
	return 0;
}

struct walk_ctx {
	struct scratch *s;
};

/* The head of the queue, when it is one of the common values and within the budget. */
static __always_inline int visit_near(struct scratch *s)
{
	struct qent *q = &s->q[s->qh & (QUEUE - 1)];
	__u64 p = q->ptr, name = q->meta & QM_NAME;

	if (!p) {
		put(s, NODE(EVN_NULL, 0, 0, 0));
		s->qh++;
		return 1;
	}
	if (s->out > EV_MAX_VALUES || (!name && !s->varnodes) || !put_near(s, p))
		return 0;
	s->qh++;
	if (!name)
		s->varnodes--;
	return 1;
}

static long visit_next(__u32 i, struct walk_ctx *c)
{
	struct scratch *s = c->s;

#pragma unroll
	for (int k = 0; k < STEP; k++) {
		if (s->qh == s->qt)
			return 1;
		if (!visit_near(s))
			visit(s);
	}
	return 0;
}

/* The whole tree of one object. */
WALK_INLINE void tree(struct scratch *s, __u64 p, __u32 meta)
{
	struct walk_ctx c = { .s = s };

	s->qh = s->qt = 0;
	push(s, p, meta);
	visit(s);
	if (s->qh != s->qt)
		LOOP(2 * QUEUE / STEP, visit_next, &c);
}

#endif
