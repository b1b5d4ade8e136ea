/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * state.h: what capture keeps for a thread and for an event, in the kernel and in
 * the probe page alike.
 *
 * state.h, snapshot.h and frame.h are one source with two platforms, the BPF
 * programs (bpf/….bpf.h) and the page (daemon/page/). A platform gives, before
 * snapshot.h is included:
 *
 *   SCRATCH_HEAD, SCRATCH_TAIL, THREAD_HEAD, STACK   its own members, activations held
 *   VERSIONED	1: the layout decides on shapes; 0: they are those of CPython 3.11
 *   WALK_INLINE	how the large steps of the walk are declared
 *   LOOP(n, fn, ctx)	fn(0, ctx), fn(1, ctx), … n times or until it returns not 0
 *   ld(), ld32()	a word of the target; 0 and s->fault = 1 when it can't be read
 *   near(), near_fits()	an object's first bytes at once, or NULL
 *   copy_bytes(), text_length()	pieces of memory, a C string's length (< 64)
 *   code_plan(), code_known(), type_plan(), type_known(), type_forget(), stores_of()
 *   act_at(), act_push(), act_pop()	the thread's activations
 *   next_order(), now(), gap(), send()	records on their way
 *   STR_LENGTH, STR_STATE, STR_DATA	fields of a str
 */
#ifndef STATE_H
#define STATE_H

#define QUEUE 512	   /* objects waiting to be visited */
#define REC_BYTES 16384	   /* EV_MAX_RECORD */
#define REC_SLACK 4104	   /* one longest piece beyond any masked offset */
#define CACHE 2048	   /* hashes of variables as last sent */
#define VARS_PER_EVENT 256 /* variables read in one event; the rest in turns */

struct qent {
	__u64 ptr;
	__u64 meta; /* depth | QM_NAME */
};
#define QM_NAME 0x100 /* a name: outside depth and object budget */

struct scratch {
	SCRATCH_HEAD
	__u64 hash;
	__u64 salt;
	__u64 cellmask;
	__u64 slots; /* address of localsplus */
	__u32 out;   /* bytes of rec in use */
	__u32 nvars;
	__u32 qh, qt;
	__u32 nodes;	/* objects this event may still visit */
	__u32 varnodes; /* objects this variable may still visit */
	__u32 fault;
	__u32 varcut;
	__u32 full;
	__u32 cbase;
	__u32 changed; /* slots below 32 bound anew since this frame's last event, perhaps */
	__u32 mutables; /* objects of this tree that may change */
	__u32 visits[2]; /* names seen before that this event may still read: of mutables, of others */
	__u32 cut;	 /* variables were left out, first_cut the first of them (names) */
	__u32 first_cut;
	__u32 lasti, has_lasti; /* where the frame is, when its memory does not say */
	/* a walk over a dict's entries */
	__u64 entries, values, stride, koff;
	__u32 want, got;
	__u64 first;
	struct qent q[QUEUE];
	__u8 rec[REC_BYTES + REC_SLACK];
	SCRATCH_TAIL
};

struct act {
	__u64 frame;
	__u64 serial;
	__u64 cellmask;
	__u64 version; /* NAMES: of the dict at the last event */
	__u32 code;
	__u32 epoch;
	__u16 flags; /* ACT_* */
	__u16 nslots; /* NAMES: entries at the last event */
	__u32 cursor;
	__u32 stores; /* slots its last event's line may bind anew */
	__u32 unproven; /* variables were left out: nothing says that they stayed */
};
#define ACT_SKIP 1
#define ACT_NAMES 2
#define ACT_MODULE 4
#define ACT_LATE 8
#define ACT_NOPLAN 16
#define ACT_SENT 32 /* an event of this activation went out */
#define ACT_GENERATOR 64

/* A variable as last sent. */
struct sent {
	__u64 hash; /* of all bytes */
	__u64 same; /* of what proves them unchanged unread; 0: nothing does */
};

struct thread {
	__u32 index;
	__u32 sp;    /* activations on the stack */
	__u32 depth; /* recorded ones among them */
	__u32 count; /* events, for the timestamps' turn */
	__u64 serial;
	THREAD_HEAD
	struct act stack[STACK];
	struct sent cache[CACHE];
};

#define HASH_MUL 0x9e3779b97f4a7c15ULL
#define L (cfg.layout)

static __always_inline __u64 mix(__u64 h, __u64 w)
{
	h = (h ^ w) * HASH_MUL;
	return h ^ (h >> 32);
}

/* Where the record goes on, in registers while several words are appended. */
struct cursor {
	__u64 hash;
	__u32 out;
};

static __always_inline struct cursor cursor(struct scratch *s)
{
	struct cursor c = { .hash = s->hash, .out = s->out & (REC_BYTES - 8) };

	return c;
}

static __always_inline void cursor_end(struct scratch *s, struct cursor *c)
{
	s->hash = c->hash;
	s->out = c->out;
}

/* Appends a word to the record and to the variable's hash. */
static __always_inline void word(struct scratch *s, struct cursor *c, __u64 w)
{
	*(__u64 *)(s->rec + c->out) = w;
	c->out += 8;
	c->hash = mix(c->hash, w);
}

static __always_inline void put(struct scratch *s, __u64 w)
{
	struct cursor c = cursor(s);

	word(s, &c, w);
	cursor_end(s, &c);
}

static __always_inline __u64 first_bytes(__u64 w, __u32 n)
{
	return n < 8 ? w & ((1ULL << (n * 8)) - 1) : w;
}

#endif
