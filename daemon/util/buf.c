/* SPDX-License-Identifier: MIT */
#include "util/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/err.h"

void buf_deinit(struct buf *b)
{
	free(b->data);
	*b = (struct buf){ 0 };
}

void buf_clear(struct buf *b)
{
	b->len = 0;
	b->oom = false;
}

uint8_t *buf_grow(struct buf *b, size_t n)
{
	size_t cap = b->cap ? b->cap : 256;
	uint8_t *p;

	if (b->oom)
		return NULL;
	while (cap - b->len < n) {
		if (cap > SIZE_MAX / 2) {
			b->oom = true;
			return NULL;
		}
		cap *= 2;
	}
	p = realloc(b->data, cap);
	if (!p) {
		b->oom = true;
		return NULL;
	}
	b->data = p;
	b->cap = cap;
	return p + b->len;
}

void buf_append(struct buf *b, const void *p, size_t n)
{
	uint8_t *to = buf_reserve(b, n);

	if (!to || !n)
		return;
	memcpy(to, p, n);
	b->len += n;
}

void buf_zero(struct buf *b, size_t n)
{
	uint8_t *to = buf_reserve(b, n);

	if (!to)
		return;
	memset(to, 0, n);
	b->len += n;
}

void buf_pad8(struct buf *b)
{
	buf_zero(b, -b->len & 7);
}

void buf_u8(struct buf *b, uint8_t v) { buf_append(b, &v, sizeof(v)); }
void buf_u32(struct buf *b, uint32_t v) { buf_append(b, &v, sizeof(v)); }
void buf_u64(struct buf *b, uint64_t v) { buf_append(b, &v, sizeof(v)); }

void buf_varint(struct buf *b, uint64_t v)
{
	uint8_t *to = buf_reserve(b, 10);

	if (!to)
		return;
	while (v >= 128) {
		*to++ = v | 128;
		v >>= 7;
	}
	*to++ = v;
	b->len = to - b->data;
}

void buf_svarint(struct buf *b, int64_t v)
{
	buf_varint(b, ((uint64_t)v << 1) ^ (uint64_t)(v >> 63));
}

void buf_str(struct buf *b, const void *p, size_t n)
{
	buf_varint(b, n);
	buf_append(b, p, n);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	size_t room = 64; /* mostly it is enough, and said once */
	uint8_t *to = buf_reserve(b, room);
	int n;

	if (!to)
		return;
	va_start(ap, fmt);
	n = vsnprintf((char *)to, room, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	if ((size_t)n < room) {
		b->len += n;
		return;
	}
	to = buf_reserve(b, (size_t)n + 1);
	if (!to)
		return;
	va_start(ap, fmt);
	vsnprintf((char *)to, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += n;
}

int buf_check(const struct buf *b)
{
	return b->oom ? err_set(ERR_NOMEM, "a buffer of %zu bytes can't grow", b->cap) : 0;
}
