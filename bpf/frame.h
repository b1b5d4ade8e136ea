/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * frame.h: activations of a thread, and the records about them.
 *
 * Each activation gets a serial at entry. What was last sent of a variable is
 * kept as a hash of (serial, slot, every byte sent) in a cache of the thread; an
 * entry that was overwritten by another variable only means sending it again.
 */
#ifndef FRAME_H
#define FRAME_H

#define FIND_BELOW 64 /* activations looked through for a frame that is not the top */

static __always_inline __u64 frame_code(struct scratch *s, __u64 frame)
{
	__u64 code = ld(s, frame + L.frame_code);

	return VERSIONED ? code & ~(__u64)L.frame_ref_mask : code;
}

/* The byte offset of a frame's instruction; of one that has not started below 0. */
static __always_inline __s32 frame_lasti(struct scratch *s, __u64 frame, __u64 code)
{
	__u64 at = frame + L.frame_prev_instr;

	if (VERSIONED && L.lasti_kind == CTL_LASTI_BYTES)
		return ld32(s, at);
	if (VERSIONED && L.lasti_kind == CTL_LASTI_UNITS)
		return ld32(s, at) * 2;
	return ld(s, at) - code - L.code_code;
}

struct pop_ctx {
	struct thread *t;
	__u64 frame;
	__u32 at;
};

static long find_below(__u32 i, struct pop_ctx *c)
{
	struct act *a;

	if (i >= c->t->sp)
		return 1;
	a = act_at(c->t, c->t->sp - 1 - i);
	if (a && a->frame == c->frame) {
		c->at = i;
		return 1;
	}
	return 0;
}

static long pop_one(__u32 i, struct pop_ctx *c)
{
	if (i >= c->at || !c->t->sp)
		return 1;
	act_pop(c->t);
	return 0;
}

static __always_inline void act_plan(struct act *a, struct ctrec_codeplan *plan)
{
	a->code = plan->id;
	a->nslots = plan->nlocalsplus;
	a->cellmask = plan->cellmask;
	if (plan->flags & PLANC_SKIP)
		a->flags |= ACT_SKIP;
	if (plan->flags & PLANC_NAMES)
		a->flags |= ACT_NAMES;
	if (plan->flags & PLANC_MODULE)
		a->flags |= ACT_MODULE;
	if (plan->flags & PLANC_GENERATOR)
		a->flags |= ACT_GENERATOR;
}

/* An activation on the stack becomes that of a frame; plan: of its code. */
static __always_inline void act_begin(struct thread *t, struct act *a, __u64 frame, __u64 code,
				      struct ctrec_codeplan *plan, __u32 flags)
{
	a->frame = frame;
	a->serial = ++t->serial;
	a->version = 0;
	a->epoch = cfg.epoch;
	a->cursor = 0;
	a->stores = ~0u;
	a->flags = flags;
	if (!plan) {
		/* no plan in time: nothing of it may be shown but names and lines */
		plan = code_known(code);
		a->code = plan ? plan->id : 0;
		a->nslots = 0;
		a->flags |= ACT_NOPLAN;
		gap(EVG_PLAN_LATE);
	} else {
		act_plan(a, plan);
	}
	if (!(a->flags & ACT_SKIP))
		t->depth++;
}

/* Enters a frame: plan, serial, stack. */
__noinline int act_enter(struct scratch *s, struct thread *t, __u64 frame, __u32 flags)
{
	struct ctrec_codeplan *plan;
	struct act *a;
	__u64 code;

	if (!s || !t)
		return -1;
	code = frame_code(s, frame);
	plan = code_plan(s, code);
	a = act_push(t);
	if (!a) {
		gap(EVG_BAD_FRAME);
		return -1;
	}
	act_begin(t, a, frame, code, plan, flags);
	return 0;
}

/* The activation of a frame that is running now: the top, or after a miss one
 * further down, or a new one whose entry was not seen. */
static __always_inline struct act *act_find(struct scratch *s, struct thread *t, __u64 frame)
{
	struct pop_ctx c = { .t = t, .frame = frame, .at = ~0u };
	struct act *a;

	if (t->sp) {
		a = act_at(t, t->sp - 1);
		if (a && a->frame == frame)
			return a;
		LOOP(FIND_BELOW, find_below, &c);
		if (c.at != ~0u) {
			LOOP(FIND_BELOW, pop_one, &c);
			return act_at(t, t->sp - 1);
		}
	}
	if (act_enter(s, t, frame, ACT_LATE))
		return 0;
	return act_at(t, t->sp - 1);
}

/*
 * What proves a dict of plain values unchanged: its version, which each change of
 * it takes from one counter of the process (ma_version_tag, 3.6 to 3.12). It held
 * its values all the time, so none of them is another. 0: not a dict. Versions and
 * addresses differ in few bits: without a multiplication two pairs can be one word.
 */
static __always_inline __u64 dict_version(struct scratch *s, __u64 p)
{
	if ((VERSIONED && L.python >= 0x30d) || static_kind(ld(s, p + 8)) != CS_dict + 1)
		return 0;
	return ld(s, p + L.dict_used + 8);
}

/* The object a variable held, and that it can't have changed (bit 0). The salt is
 * the activation's alone, and objects lie at even addresses. */
static __always_inline __u64 same_object(struct scratch *s, __u32 slot, __u64 p)
{
	return (s->salt ^ (__u64)slot << 52 ^ p) | 1;
}

static __always_inline __u64 sent_same(struct scratch *s, struct thread *t, __u32 slot)
{
	return t->cache[(s->cbase + slot) & (CACHE - 1)].same;
}

static __always_inline int is_kept(struct scratch *s, struct thread *t, __u32 slot, __u64 p)
{
	return sent_same(s, t, slot) == same_object(s, slot, p);
}

/*
 * One variable: head, tree, and whether it is news. slot: see event.h. */
WALK_INLINE int variable(struct scratch *s, struct thread *t, __u64 p, __u32 slot,
				    __u64 name)
{
	__u32 start, ci, flags = 0, head;
	__u64 seed, same, version = 0;

	start = s->out & (REC_BYTES - 8);
	ci = (s->cbase + slot) & (CACHE - 1);
	seed = mix(s->salt, slot);
	s->hash = seed;
	if (!p) {
		seed = mix(seed, 0x6e756c6c);
		if (t->cache[ci].hash == seed)
			return 0;
		t->cache[ci].hash = seed;
		t->cache[ci].same = 0;
		if (s->full)
			return 0;
		*(__u64 *)(s->rec + start) = slot | (__u64)EVV_UNSET << 16;
		s->out = start + 8;
		s->nvars++;
		return 0;
	}
	same = same_object(s, slot, p);
	s->out = start + 8;
	s->varcut = 0;
	s->mutables = 0;
	if (name) {
		flags = EVV_NAMED;
		if (!put_near(s, name))
			tree(s, name, QM_NAME);
	}
	if (!put_near(s, p)) {
		version = dict_version(s, p);
		if (version)
			same = mix(same, version * HASH_MUL) | 1;
		if (version && t->cache[ci].same == same) {
			s->out = start;
			return 0;
		}
		/* half of what is left, so that a large variable leaves something to the next */
		s->varnodes = s->nodes > 32 ? s->nodes / 2 : s->nodes > 1 ? s->nodes : 1;
		head = s->varnodes;
		tree(s, p, 0);
		head -= s->varnodes;
		s->nodes = s->nodes > head ? s->nodes - head : 0;
	}
	t->cache[ci].same = s->mutables == (version ? 1 : 0) && !s->varcut ? same : same & ~1ULL;
	if (t->cache[ci].hash == s->hash) {
		s->out = start;
		return 0;
	}
	t->cache[ci].hash = s->hash;
	if (s->varcut) {
		flags |= EVV_CUT;
		gap(EVG_BUDGET);
	}
	*(__u64 *)(s->rec + start) = slot | (__u64)flags << 16 |
				     (__u64)(s->out - start - 8) << 32;
	s->nvars++;
	return 0;
}

struct vars_ctx {
	struct scratch *s;
	struct thread *t;
	__u64 base;
	__u64 code; /* of frames with moved arguments */
	__u32 n, from, flags;
	__u32 last;
	__u32 stride, koff; /* of a dict's entries; the walk below reuses the scratch's */
	/* names: */
	__u32 changed; /* some may have been bound anew since the last event */
	__u32 live;    /* entries there are now; c.n: as many as there were, if more */
};

/*
 * Up to 3.10 an argument that an inner function uses moves to a cell behind the
 * locals (struct ctrec_codeplan, cellargs): read there, under its own slot. 1: that
 * cell itself, which is not shown.
 */
static __always_inline int moved_argument(struct scratch *s, struct vars_ctx *c, __u32 slot, __u32 *at)
{
	struct ctrec_codeplan *plan;

	if (L.frame_kind != CTL_FRAME_OBJECT || !s->cellmask)
		return 0;
	plan = code_known(c->code);
	if (!plan)
		return 0;
	if (slot >= plan->cellfirst && slot < plan->cellfirst + CTREC_CELLARGS)
		return plan->cellargs[slot - plan->cellfirst] != 0;
	if (slot >= plan->nargs || slot >= 64 || !(s->cellmask >> slot & 1))
		return 0;
	for (__u32 k = 0; k < CTREC_CELLARGS; k++)
		if (plan->cellargs[k] == slot + 1)
			*at = plan->cellfirst + k;
	return 0;
}

static __always_inline long local_at(__u32 i, struct vars_ctx *c)
{
	struct scratch *s = c->s;
	__u32 slot = c->from + i, at = slot;
	__u64 p;

	if (slot >= c->n)
		return 1;
	/* beyond the budget a variable is still named, as not visited: never a stale value */
	if (s->out > REC_BYTES - 2048)
		return 1;
	c->last = slot + 1;
	if (VERSIONED && moved_argument(s, c, slot, &at))
		return 0;
	p = ld(s, c->base + at * 8);
	if (VERSIONED)
		p &= ~(__u64)L.frame_ref_mask;
	if (p && (slot >= 64 || s->cellmask >> slot & 1) &&
	    static_kind(ld(s, p + 8)) == CS_cell + 1)
		p = ld(s, p + L.cell_value);
	else if (slot < 32 && !(s->changed >> slot & 1) && is_kept(s, c->t, slot, p))
		return 0;
	variable(s, c->t, p, slot, 0);
	return 0;
}

#define DUNDER_NAME 0x5f5f656d616e5f5fULL

/* 1: a name not shown. Module `__name__` is, at entry, so that the frame can be named. */
static __always_inline int hidden_name(struct scratch *s, __u64 key, __u32 flags)
{
	__u64 len = ld(s, key + L.str_length), w = ld(s, key + L.str_ascii_data), e;

	if ((w & 0xffff) != 0x5f5f || len < 5)
		return 0;
	if (flags && len == 8 && w == DUNDER_NAME)
		return 0;
	e = ld(s, key + L.str_ascii_data + len - 1) >> ((len - 1) & 7) * 8 & 0xff;
	if (e != 0x5f)
		return 0;
	e = ld(s, key + L.str_ascii_data + len - 2) >> ((len - 2) & 7) * 8 & 0xff;
	return e == 0x5f;
}

/*
 * A name of a module, class body or exec. Those bound to another object than
 * before are always read; of those that hold the same one, which may have changed
 * inside or be another at the same address, only so many an event, in turns.
 */
static __always_inline long name_at(__u32 i, struct vars_ctx *c)
{
	struct scratch *s = c->s;
	__u32 slot = c->from + i;
	__u64 e, key, p, was;

	if (i >= c->n)
		return 1;
	if (slot >= c->n)
		slot -= c->n;
	if (s->out > EV_MAX_VALUES) {
		if (!s->cut)
			s->first_cut = slot;
		s->cut = 1;
		return 1;
	}
	e = c->base + slot * c->stride + c->koff;
	p = slot < c->live ? ld(s, e + 8) : 0;
	if (p) {
		was = sent_same(s, c->t, slot);
		if ((was | 1) == same_object(s, slot, p)) {
			if (was & 1 && !c->changed)
				return 0;
			if (!s->visits[was & 1]) {
				if (!s->cut)
					s->first_cut = slot;
				s->cut = 1;
				return 0;
			}
			s->visits[was & 1]--;
		}
	}
	key = ld(s, e);
	if (p && (!key || hidden_name(s, key, c->flags)))
		return 0;
	variable(s, c->t, p, slot, key);
	return 0;
}

static long one_local(__u32 i, struct vars_ctx *c)
{
	return local_at(i, c);
}

static long one_name(__u32 i, struct vars_ctx *c)
{
	return name_at(i, c);
}

#define TPFLAGS_DICT_SUBCLASS (1ULL << 29)

#define NAMES_PER_EVENT 4096 /* of a module, looked at in one event */
#define SLOT_MODULE_NAME 0x7fff /* an entry no dict walk reaches */

/* A module's code run with locals of its own (exec): its __name__ is a global,
 * which module dicts have among their first entries. */
__noinline int exec_name(struct scratch *s, struct thread *t, __u64 frame, __u64 locals)
{
	__u64 globals, e, key, value;
	__u32 n, koff, stride;

	if (!s || !t)
		return 0;
	globals = ld(s, frame + L.frame_globals);
	if (!globals || globals == locals)
		return 0;
	n = keys_open(s, ld(s, globals + L.dict_keys));
	e = s->entries;
	koff = s->koff;
	stride = s->stride;
	for (__u32 i = 0; i < 8 && i < n; i++, e += stride) {
		key = ld(s, e + koff);
		value = ld(s, e + koff + 8);
		if (key && value && ld(s, key + L.str_length) == 8 &&
		    ld(s, key + L.str_ascii_data) == DUNDER_NAME) {
			variable(s, t, value, SLOT_MODULE_NAME, key);
			break;
		}
	}
	return 0;
}

#define FAST_HIDDEN 0x10  /* CO_FAST_HIDDEN */
#define SLOT_HIDDEN 0x7f80 /* as SLOT_MODULE_NAME */
#define HIDDEN_LOCALS 64

/* From 3.12 on a comprehension of a module or class body has no frame of its own: its
 * variables are fast locals of the body's, shown while they are bound. */
static __always_inline void hidden_locals(struct scratch *s, struct thread *t, __u64 frame)
{
	__u64 code = frame_code(s, frame), names, kinds, p;
	struct ctrec_codeplan *plan = code_known(code);
	__u32 n = plan ? plan->nlocalsplus : 0;

	if (!n)
		return;
	names = ld(s, code + L.code_localsplusnames) + L.tuple_items;
	kinds = ld(s, code + L.code_localspluskinds) + L.bytes_data;
	for (__u32 i = 0; i < n && i < HIDDEN_LOCALS && s->out < EV_MAX_VALUES; i++) {
		if (!(ld(s, kinds + i) >> ((kinds + i) & 7) * 8 & FAST_HIDDEN))
			continue;
		p = ld(s, frame + L.frame_localsplus + i * 8) & ~(__u64)L.frame_ref_mask;
		if (p && static_kind(ld(s, p + 8)) == CS_cell + 1)
			p = ld(s, p + L.cell_value);
		variable(s, t, p, SLOT_HIDDEN + i, ld(s, names + i * 8));
	}
}

/* A plan that came after the entry; 1: none yet, or one that shows nothing. */
__noinline int act_late_plan(struct scratch *s, struct thread *t, __u64 frame)
{
	struct ctrec_codeplan *plan;
	struct act *a;
	__u64 code;

	if (!s || !t || !t->sp)
		return 1;
	a = act_at(t, t->sp - 1);
	if (!a)
		return 1;
	code = frame_code(s, frame);
	plan = code_known(code);
	if (!plan || plan->state == PLAN_PENDING || plan->id != a->code)
		return 1;
	act_plan(a, plan);
	a->flags &= ~ACT_NOPLAN;
	if (!(a->flags & ACT_SKIP))
		return 0;
	if (t->depth)
		t->depth--;
	return 1;
}

#define VARS_NONE 0x10000 /* none of the frame's variables can be read */

/* What there is to look at of the frame of the top activation: *c, and EVF_* for the record. */
static __always_inline int vars_begin(struct scratch *s, struct thread *t, struct act *a,
				      __u64 frame, __u32 entry, struct vars_ctx *c)
{
	__u64 dict, version;
	__u32 n;
	int flags = 0;

	if (a->flags & ACT_NOPLAN && act_late_plan(s, t, frame))
		return EVF_NOVALUES | VARS_NONE;
	if (a->epoch != cfg.epoch || !(a->flags & ACT_SENT)) {
		a->epoch = cfg.epoch;
		flags |= EVF_FULL;
		a->cursor = 0;
	}
	s->cellmask = a->cellmask;
	s->changed = a->stores;
	s->cbase = (__u32)a->serial * 37;
	c->flags = entry;
	if (a->flags & ACT_NAMES) {
		flags |= EVF_NAMES;
		dict = ld(s, frame + L.frame_locals);
		/* a dict or, as for the body of an Enum, an instance of a subclass */
		if (!dict || !(ld(s, ld(s, dict + 8) + L.type_flags) & TPFLAGS_DICT_SUBCLASS))
			return flags | VARS_NONE;
		version = VERSIONED && L.python >= 0x30d ? 0 : ld(s, dict + L.dict_used + 8);
		c->changed = !version || version != a->version;
		a->version = version;
		n = keys_open(s, ld(s, dict + L.dict_keys));
		if (n >= SLOT_HIDDEN)
			n = SLOT_HIDDEN - 1;
		/* names beyond the end of a table that shrank are gone */
		c->n = n > a->nslots ? n : a->nslots;
		a->nslots = n;
		c->live = n;
		s->visits[0] = s->visits[1] = VARS_PER_EVENT;
		c->base = s->entries;
		c->stride = s->stride;
		c->koff = s->koff;
	} else {
		c->n = a->nslots;
		c->base = frame + L.frame_localsplus;
		if (VERSIONED)
			c->code = frame_code(s, frame);
	}
	s->salt = mix(a->serial | (__u64)t->index << 48, a->epoch);
	a->flags |= ACT_SENT;
	s->cut = 0;
	s->full = flags & EVF_FULL && !(flags & EVF_NAMES);
	c->from = a->cursor;
	if (c->from >= c->n)
		c->from = 0;
	return flags;
}

/* All that were looked at, or as many as one event may. */
static __always_inline int vars_end(struct scratch *s, struct act *a, struct vars_ctx *c)
{
	if (a->flags & ACT_NAMES) {
		if (!s->cut && c->n > NAMES_PER_EVENT) {
			s->cut = 1;
			s->first_cut = (c->from + NAMES_PER_EVENT) % c->n;
		}
		a->cursor = s->cut ? s->first_cut : 0;
	} else {
		s->cut = c->n > c->last || c->from;
		a->cursor = c->last >= c->n ? 0 : c->last;
	}
	if (!s->cut)
		return 0;
	/* what was left out may change before it is read: proofs start anew */
	a->version = 0;
	a->unproven = 1;
	return EVF_CUT;
}

/* All variables of a frame that changed. Returns EVF_* for the record. */
WALK_INLINE int variables(struct scratch *s, struct thread *t, __u64 frame, __u32 entry)
{
	struct vars_ctx c = { .s = s, .t = t };
	struct act *a;
	int flags;

	if (!t->sp)
		return 0;
	a = act_at(t, t->sp - 1);
	if (!a)
		return 0;
	flags = vars_begin(s, t, a, frame, entry, &c);
	if (flags & VARS_NONE)
		return flags & ~VARS_NONE;
	if (entry && a->flags & ACT_MODULE)
		exec_name(s, t, frame, ld(s, frame + L.frame_locals));
	if (a->flags & ACT_NAMES)
		LOOP(NAMES_PER_EVENT, one_name, &c);
	else
		LOOP(VARS_PER_EVENT, one_local, &c);
	if (VERSIONED && L.python >= 0x30c && a->flags & ACT_NAMES)
		hidden_locals(s, t, frame);
	return flags | vars_end(s, a, &c);
}

/* A frame event of the top activation: values, head, out. `extra`: how the
 * return value or exception was added by the caller (already in the record). */
WALK_INLINE void frame_event(struct scratch *s, struct thread *t, struct act *a,
					__u64 frame, __u32 type, __u32 flags)
{
	struct ev_frame *e = (struct ev_frame *)s->rec;
	struct ctrec_stores *st;
	__u64 code;
	__u32 size;

	code = frame_code(s, frame);
	if (a->flags & ACT_LATE) {
		a->flags &= ~ACT_LATE;
		flags |= EVF_LATE;
	}
	size = s->out;
	if (size < sizeof(*e))
		size = sizeof(*e);
	if (size > REC_BYTES)
		size = REC_BYTES;
	e->h.size = size;
	e->h.type = type;
	e->h.flags = flags;
	e->h.nvars = s->nvars;
	e->h.order = next_order();
	e->frame = a->serial | (__u64)t->index << 40;
	e->code = a->code;
	e->lasti = VERSIONED && s->has_lasti ? s->lasti : (__u32)frame_lasti(s, frame, code);
	st = stores_of(a->code);
	a->stores = st && !a->unproven ? st->mask[CTREC_STORES_AT(e->lasti)] : ~0u;
	a->unproven = 0;
	e->thread = t->index;
	e->depth = t->depth;
	e->time = 0;
	if (type != EV_LINE || !(t->count++ & 63))
		e->time = now();
	send(t, s->rec, size);
}

static __always_inline void event_begin(struct scratch *s)
{
	s->out = sizeof(struct ev_frame);
	s->nvars = 0;
	s->nodes = cfg.limits.nodes;
	s->fault = 0;
	s->full = 0;
}

#endif
