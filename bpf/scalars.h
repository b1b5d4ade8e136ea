/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * scalars.h: numbers and texts into nodes.
 */
#ifndef SCALARS_H
#define SCALARS_H

static __always_inline __u32 long_negative(__s64 size)
{
	return VERSIONED && L.long_kind == CTL_LONG_TAG ? (size & 3) == 2 : size < 0;
}

static __always_inline __u64 long_digits(__s64 size)
{
	if (VERSIONED && L.long_kind == CTL_LONG_TAG)
		return (__u64)size >> 3;
	return size < 0 ? -size : size;
}

static __always_inline void put_long(struct scratch *s, __u64 p, __u32 typed, __u32 id)
{
	__s64 size = ld(s, p + L.long_size);
	__u64 d = ld(s, p + L.long_digit), v = 0, n;
	__u32 neg = long_negative(size);

	n = long_digits(size);
	if (n <= 2) {
		if (n)
			v = d & 0x3fffffff;
		if (n == 2)
			v |= (d >> 32 & 0x3fffffff) << 30;
		put(s, NODE(EVN_INT, typed, 1, 1));
		if (typed)
			put(s, id);
		put(s, neg ? -v : v);
		return;
	}
	if (n > 1 << 28)
		n = 1 << 28;
	put(s, NODE(EVN_BIGINT, typed | (neg ? EVNF_NEG : 0), n > 1024 ? 1024 : n, n));
	if (typed)
		put(s, id);
	copy_bytes(s, p + L.long_digit, (n > 1024 ? 1024 : n) * 4);
}

__noinline int put_str(struct scratch *s, __u64 p, __u32 typed, __u32 id)
{
	__u64 len, data, total;
	__u32 st, width, at;

	if (!s)
		return 0;
	s->fault = 0;
	len = ld(s, p + L.str_length);
	st = ld32(s, p + L.str_state);
	width = st >> 2 & 7;
	if (st & 0x20) /* compact */
		data = p + (st & 0x40 ? L.str_ascii_data : L.str_compact_data);
	else
		data = ld(s, p + L.str_any);
	if (s->fault || (width != 1 && width != 2 && width != 4)) {
		put(s, NODE(EVN_UNREADABLE, 0, 0, 0));
		put(s, p);
		return 0;
	}
	total = len > 0xffffffff ? 0xffffffff : len;
	/* whole code points only */
	if (len * width > cfg.limits.string)
		len = width == 1 ? cfg.limits.string :
		      width == 2 ? cfg.limits.string >> 1 : cfg.limits.string >> 2;
	if (len > 4096)
		len = 4096;
	at = s->out & (REC_BYTES - 8);
	put(s, NODE(EVN_STR, typed | (width == 1 ? EVNF_WIDTH1 : width == 2 ? EVNF_WIDTH2 : EVNF_WIDTH4),
		    len, total));
	if (typed)
		put(s, id);
	if (copy_bytes(s, data, len * width)) {
		*(__u64 *)(s->rec + at) |= (__u64)EVNF_PARTIAL << 8;
		gap(EVG_UNREADABLE);
	}
	return 0;
}

static __always_inline void put_bytes(struct scratch *s, __u32 kind, __u64 data, __u64 len,
				      __u32 typed, __u32 id)
{
	__u64 n = len > cfg.limits.string ? cfg.limits.string : len;
	__u32 at = s->out & (REC_BYTES - 8);

	if (n > 4096)
		n = 4096;
	put(s, NODE(kind, typed, n, len > 0xffffffff ? 0xffffffff : len));
	if (typed)
		put(s, id);
	if (copy_bytes(s, data, n)) {
		*(__u64 *)(s->rec + at) |= (__u64)EVNF_PARTIAL << 8;
		gap(EVG_UNREADABLE);
	}
}

#endif
