/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * memory.bpf.h: the target's memory through a small cache of 1 KB lines.
 *
 * A read costs the same for 8 bytes and for 1 KB, and a frame's objects lie
 * close together, so whole lines are read and kept for the one event. Reads are
 * by aligned words; an address that is not is rounded down (the target may lie).
 * A page that is absent is faulted in by bpf_copy_from_user, which alone may.
 */
#ifndef MEMORY_BPF_H
#define MEMORY_BPF_H

#define HASH_MUL 0x9e3779b97f4a7c15ULL

static __always_inline __u32 line_index(__u64 la)
{
	return (la / LINE) * HASH_MUL >> 58 & (NLINES - 1);
}

__noinline int line_fill(struct scratch *s, __u64 la)
{
	__u32 i;

	if (!s)
		return -1;
	la &= ~(__u64)(LINE - 1);
	i = line_index(la);
	stats.values++;
	s->tag[i & (NLINES - 1)] = 0;
	if (bpf_probe_read_user(s->line + i * LINE, LINE, (void *)la) &&
	    bpf_copy_from_user(s->line + i * LINE, LINE, (void *)la)) {
		s->fault = 1;
		return -1;
	}
	s->tag[i & (NLINES - 1)] = la | s->turn;
	return 0;
}

/* The aligned word at addr; 0 and s->fault when it can't be read. */
static __always_inline __u64 ld(struct scratch *s, __u64 addr)
{
	__u64 la = addr & ~(__u64)(LINE - 1);
	__u32 i = line_index(la);

	if (s->tag[i] != (la | s->turn) && line_fill(s, la))
		return 0;
	return *(__u64 *)(s->line + i * LINE + (addr & (LINE - 8)));
}

static __always_inline __u32 ld32(struct scratch *s, __u64 addr)
{
	__u64 w = ld(s, addr);

	return addr & 4 ? w >> 32 : (__u32)w;
}

/* Appends a word to the record and to the variable's hash. */
static __always_inline void put(struct scratch *s, __u64 w)
{
	__u32 o = s->out & (REC_BYTES - 8);
	__u64 h = (s->hash ^ w) * HASH_MUL;

	*(__u64 *)(s->rec + o) = w;
	s->out = o + 8;
	s->hash = h ^ (h >> 32);
}

struct copy_ctx {
	struct scratch *s;
	__u64 addr;
	__u32 n;
};

static long copy_word(__u32 i, struct copy_ctx *c)
{
	__u32 left = c->n - i * 8;
	__u64 w;

	if (i * 8 >= c->n)
		return 1;
	w = ld(c->s, c->addr + i * 8);
	if (left < 8)
		w &= (1ULL << (left * 8)) - 1;
	put(c->s, w);
	return 0;
}

static long hash_word(__u32 i, struct copy_ctx *c)
{
	__u32 left = c->n - i * 8;
	__u32 o = c->s->out & (REC_BYTES - 8);
	__u64 w;

	if (i * 8 >= c->n)
		return 1;
	w = *(__u64 *)(c->s->rec + o);
	if (left < 8)
		w &= (1ULL << (left * 8)) - 1;
	put(c->s, w);
	return 0;
}

/* Appends n bytes from addr, padded with zeros to a word; returns -1 when
 * unreadable (the bytes then are zeros). */
__noinline int copy_bytes(struct scratch *s, __u64 addr, __u32 n)
{
	struct copy_ctx c = { .s = s, .addr = addr };
	__u32 o;
	int bad = 0;

	if (!s)
		return -1;
	if (n > 4096)
		n = 4096;
	c.n = n;
	if (!n)
		return 0;
	if (n <= 64 && !(addr & 7)) {
		s->fault = 0;
		bpf_loop(8, copy_word, &c, 0);
		return s->fault ? -1 : 0;
	}
	o = s->out & (REC_BYTES - 8);
	if (bpf_probe_read_user(s->rec + o, n, (void *)addr) &&
	    bpf_copy_from_user(s->rec + o, n, (void *)addr)) {
		__builtin_memset(s->rec + o, 0, 8);
		bad = -1;
	}
	bpf_loop(512, hash_word, &c, 0);
	return bad;
}

#endif
