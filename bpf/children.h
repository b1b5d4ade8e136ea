/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * children.h: the queue of objects to visit, and how containers fill it.
 */
#ifndef CHILDREN_H
#define CHILDREN_H

#define NODE(kind, flags, n, total)                                                                \
	((__u64)(kind) | (__u64)(flags) << 8 | (__u64)(__u16)(n) << 16 | (__u64)(__u32)(total) << 32)

/* CPython's static ints, 32 bytes each, from -5 (pycore_global_objects.h, 3.11). */
#define SMALL_INTS 262


static __always_inline __u32 static_kind(__u64 addr)
{
	__u32 i = (addr * cfg.static_mul) >> 57;
	struct rec_static *t = &cfg.statics[i & (REC_STATICS - 1)];

	return t->addr == addr ? t->kind : 0;
}

static __always_inline void push(struct scratch *s, __u64 ptr, __u32 meta)
{
	__u32 i = s->qt++ & (QUEUE - 1);

	s->q[i].ptr = ptr;
	s->q[i].meta = meta;
}

/* How many of `total` children may be queued for a container. */
static __always_inline __u32 room(struct scratch *s, __u32 total, __u32 per)
{
	__u32 waiting = s->qt - s->qh;
	__u32 free = QUEUE - 64 > waiting ? QUEUE - 64 - waiting : 0;
	__u32 budget = s->varnodes > waiting ? s->varnodes - waiting : 0;
	__u32 n = total;

	if (n > cfg.limits.items)
		n = cfg.limits.items;
	if (budget > free)
		budget = free;
	if (n * per > budget) {
		n = per == 2 ? budget >> 1 : budget;
		s->varcut = 1;
	}
	return n;
}

struct seq_ctx {
	struct scratch *s;
	__u64 base;
	__u32 n, meta;
};

#define STEP 4 /* elements a turn of a loop: a call costs more than an element */

static long push_item(__u32 turn, struct seq_ctx *c)
{
	__u32 i = turn * STEP;

#pragma unroll
	for (int k = 0; k < STEP; k++, i++) {
		if (i >= c->n)
			return 1;
		push(c->s, ld(c->s, c->base + i * 8), c->meta);
	}
	return 0;
}

/* A list's or tuple's items; returns how many were queued. */
__noinline int push_items(struct scratch *s, __u64 base, __u64 total, __u32 depth)
{
	struct seq_ctx c = { .s = s, .base = base, .meta = depth + 1 };

	if (!s)
		return 0;
	if (depth >= cfg.limits.depth)
		return 0;
	c.n = room(s, total > 1 << 20 ? 1 << 20 : total, 1);
	LOOP(QUEUE / STEP, push_item, &c);
	return c.n & 0xffff;
}

struct dict_ctx {
	struct scratch *s;
	__u32 n, meta;
};

static long push_entry(__u32 turn, struct dict_ctx *c)
{
	struct scratch *s = c->s;
	__u32 i = turn * STEP;
	__u64 e, value;

#pragma unroll
	for (int k = 0; k < STEP; k++, i++) {
		if (i >= c->n || s->got >= s->want)
			return 1;
		e = s->entries + i * s->stride + s->koff;
		value = ld(s, s->values ? s->values + i * 8 : e + 8);
		if (!value)
			continue;
		push(s, ld(s, e), c->meta | QM_NAME);
		push(s, value, c->meta);
		s->got++;
	}
	return 0;
}

/* Where a keys table's entries lie: s->entries, stride, koff; returns their number. */
__noinline int keys_open(struct scratch *s, __u64 keys)
{
	__u64 w, n;

	if (!s)
		return 0;
	s->fault = 0;
	n = ld(s, keys + L.keys_nentries);
	if (VERSIONED && L.keys_form == CTL_KEYS_SIZE) {
		w = ld(s, keys + L.keys_size);
		w *= w <= 0xff ? 1 : w <= 0xffff ? 2 : w <= 0xffffffff ? 4 : 8;
		s->entries = keys + L.keys_indices + w;
		s->stride = 24;
		s->koff = 8;
		return s->fault || n > 1 << 24 ? 0 : n;
	}
	w = ld(s, keys + 8);
	s->entries = keys + L.keys_indices + (1ULL << ((w >> 8) & 31));
	s->stride = ((w >> 16) & 0xff) == 0 ? 24 : 16;
	s->koff = s->stride - 16;
	if (s->fault || n > 1 << 24)
		return 0;
	return n & 0x1ffffff;
}

/* A split table's values; 0: they stand in the table. */
static __always_inline __u64 dict_values(struct scratch *s, __u64 dict)
{
	__u64 values = ld(s, dict + L.dict_values);

	return VERSIONED && values ? values + L.values_first : values;
}

/* A dict's pairs (or, with `values`, an instance's inline values); how many.
 * depth_from: depth, and in its upper half the first entry. */
__noinline int push_dict(struct scratch *s, __u64 keys, __u64 values, __u64 used, __u64 depth_from)
{
	__u32 depth = depth_from, from = (depth_from >> 32) & 0xff;
	struct dict_ctx c = { .s = s, .meta = depth + 1 };
	__u32 free;

	if (!s)
		return 0;
	if (depth >= cfg.limits.depth)
		return 0;
	c.n = keys_open(s, keys);
	if (c.n > 1024)
		c.n = 1024;
	c.n = c.n > from ? c.n - from : 0;
	s->entries += from * s->stride;
	s->values = values ? values + from * 8 : 0;
	s->got = 0;
	/* a key that is a str costs no budget: only its value does */
	s->want = room(s, used > 1 << 20 ? 1 << 20 : used, 1);
	free = QUEUE - 64 > s->qt - s->qh ? (QUEUE - 64 - (s->qt - s->qh)) / 2 : 0;
	if (s->want > free) {
		s->want = free;
		s->varcut = 1;
	}
	LOOP(1024 / STEP, push_entry, &c);
	return s->got & 0xffff;
}

static long push_member(__u32 i, struct dict_ctx *c)
{
	struct scratch *s = c->s;
	__u64 e = s->entries + i * 16, key;

	if (i >= c->n || s->got >= s->want)
		return 1;
	key = ld(s, e);
	/* a deleted entry's hash is -1 (setobject.c), and its key a static object */
	if (!key || (VERSIONED ? ld(s, e + L.setentry_hash) == ~0ULL : static_kind(key) == CS_setdummy + 1))
		return 0;
	push(s, key, c->meta);
	s->got++;
	return 0;
}

__noinline int push_set(struct scratch *s, __u64 set, __u64 used, __u32 depth)
{
	struct dict_ctx c = { .s = s, .meta = depth + 1 };
	__u64 mask;

	if (!s)
		return 0;
	if (depth >= cfg.limits.depth)
		return 0;
	mask = ld(s, set + L.set_mask);
	s->entries = ld(s, set + L.set_table);
	c.n = mask > 4095 ? 4096 : mask + 1;
	s->got = 0;
	s->want = room(s, used > 1 << 20 ? 1 << 20 : used, 1);
	LOOP(4096, push_member, &c);
	return s->got & 0xffff;
}

#endif
