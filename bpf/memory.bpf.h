/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * memory.bpf.h: the target's memory through a small cache of lines.
 *
 * A read costs the same for 8 bytes and for 1 KB, and a frame's objects lie
 * close together, so whole lines are read and kept for the one event. Reads are
 * by aligned words; an address that is not is rounded down (the target may lie).
 * A page that is absent is faulted in by bpf_copy_from_user, which alone may.
 *
 * What costs is calls, each return of which is a mispredicted branch on CPUs with
 * a mitigation for return speculation: paths that every line takes are inlined,
 * and loops do several turns a callback.
 */
#ifndef MEMORY_BPF_H
#define MEMORY_BPF_H

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

/*
 * The object at addr when its first `need` bytes lie in one line, else NULL: one
 * check of the tag serves all of its fields. need <= LINE_SLACK.
 */
static __always_inline __u8 *near(struct scratch *s, __u64 addr, __u32 need)
{
	__u64 la = addr & ~(__u64)(LINE - 1);
	__u32 i = line_index(la);

	if ((addr & (LINE - 1)) + need > LINE)
		return 0;
	if (s->tag[i] != (la | s->turn) && line_fill(s, la))
		return 0;
	return s->line + i * LINE + (addr & (LINE - 8));
}

static __always_inline int near_fits(__u64 addr, __u64 n)
{
	return (addr & (LINE - 1)) + n <= LINE;
}

static __always_inline __u32 text_length(__u64 addr)
{
	char c[64];
	long r = bpf_probe_read_user_str(c, sizeof(c), (void *)addr);

	return r > 1 && r <= (long)sizeof(c) ? r - 1 : 0;
}

#define COPY_NEAR 64 /* bytes copied word by word, longer pieces by a read of their own */

struct copy_ctx {
	struct scratch *s;
	__u32 n;
};

#define HASH_STEP 8 /* words a turn: a call costs more than a word */

static long hash_words(__u32 turn, struct copy_ctx *c)
{
	struct scratch *s = c->s;
	struct cursor cu = cursor(s);
	__u32 i = turn * (HASH_STEP * 8);

#pragma unroll
	for (int k = 0; k < HASH_STEP; k++, i += 8) {
		if (i >= c->n)
			break;
		word(s, &cu, first_bytes(*(__u64 *)(s->rec + cu.out), c->n - i));
	}
	cursor_end(s, &cu);
	return i >= c->n;
}

/* Appends n bytes from addr, padded with zeros to a word; returns -1 when
 * unreadable (the bytes then are zeros). */
__noinline int copy_bytes(struct scratch *s, __u64 addr, __u32 len)
{
	struct copy_ctx c = { .s = s };
	__u64 n = len;
	__u32 o;
	int bad = 0;

	if (!s)
		return -1;
	/* One 64-bit register from here on: of 32-bit copies the verifier forgets the bound. */
	asm volatile("" : "+r"(n));
	if (n > 4096)
		n = 4096;
	c.n = n;
	if (!n)
		return 0;
	if (n <= COPY_NEAR && !(addr & 7)) {
		s->fault = 0;
#pragma unroll
		for (int k = 0; k < COPY_NEAR / 8; k++) {
			if (k * 8 >= n)
				break;
			put(s, first_bytes(ld(s, addr + k * 8), n - k * 8));
		}
		return s->fault ? -1 : 0;
	}
	o = s->out & (REC_BYTES - 8);
	if (bpf_probe_read_user(s->rec + o, n, (void *)addr) &&
	    bpf_copy_from_user(s->rec + o, n, (void *)addr)) {
		__builtin_memset(s->rec + o, 0, 8);
		bad = -1;
	}
	bpf_loop(4096 / 8 / HASH_STEP, hash_words, &c, 0);
	return bad;
}

#endif
