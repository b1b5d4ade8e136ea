/* SPDX-License-Identifier: MIT */
/*
 * buf.h: a growable run of bytes, and the primitives of the trace format on it.
 *
 * A failed allocation sets `oom` and makes every later append a no-op, so that
 * callers check once at the end of a run of appends (buf_check).
 */
#ifndef UTIL_BUF_H
#define UTIL_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
	uint8_t *data;
	size_t len, cap;
	bool oom;
};

void buf_deinit(struct buf *b); /* frees, leaves it empty and usable */
void buf_clear(struct buf *b);	/* forgets the bytes, keeps the memory */
/* Makes room for n more bytes and returns where they go, or NULL; len unchanged. */
uint8_t *buf_grow(struct buf *b, size_t n); /* buf_reserve() where there is no room yet */
static inline uint8_t *buf_reserve(struct buf *b, size_t n)
{
	if (__builtin_expect(b->data && !b->oom && n <= b->cap - b->len, 1))
		return b->data + b->len;
	return buf_grow(b, n);
}
void buf_append(struct buf *b, const void *p, size_t n);
void buf_zero(struct buf *b, size_t n);
void buf_pad8(struct buf *b);		     /* zeros up to a multiple of eight */
void buf_u8(struct buf *b, uint8_t v);
void buf_u32(struct buf *b, uint32_t v);
void buf_u64(struct buf *b, uint64_t v);
void buf_varint(struct buf *b, uint64_t v);  /* unsigned LEB128 */
void buf_svarint(struct buf *b, int64_t v);  /* zigzag, then LEB128 */
void buf_str(struct buf *b, const void *p, size_t n); /* varint length, bytes */
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* 0, or -ERR_NOMEM if any append failed. */
int buf_check(const struct buf *b);

static inline unsigned varint_len(uint64_t v)
{
	unsigned n = 1;

	while (v >= 128) {
		v >>= 7;
		n++;
	}
	return n;
}

#endif
