/* SPDX-License-Identifier: MIT */
#include "trace/ct_text.h"

#include <string.h>

/* Bytes of the well-formed sequence at p, or 0; *bad: bytes of the ill-formed part. */
static unsigned utf8_sequence(const uint8_t *p, const uint8_t *end, unsigned *bad)
{
	unsigned need, lo = 0x80, hi = 0xbf;

	*bad = 1;
	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	need = p[0] < 0xe0 ? 1 : p[0] < 0xf0 ? 2 : 3;
	if (p[0] == 0xe0)
		lo = 0xa0;
	else if (p[0] == 0xed)
		hi = 0x9f;
	else if (p[0] == 0xf0)
		lo = 0x90;
	else if (p[0] == 0xf4)
		hi = 0x8f;
	for (unsigned i = 1; i <= need; i++) {
		if (p + i >= end || p[i] < lo || p[i] > hi)
			return 0;
		*bad = i + 1;
		lo = 0x80;
		hi = 0xbf;
	}
	return need + 1;
}

size_t utf8_clean(uint8_t *out, const void *text, size_t n)
{
	const uint8_t *p = text, *end = p + n;
	size_t len = 0;
	unsigned k, bad;

	while (p < end) {
		/* most text is ASCII */
		if (*p < 0x80) {
			if (out)
				out[len] = *p;
			len++;
			p++;
			continue;
		}
		k = utf8_sequence(p, end, &bad);
		if (out)
			memcpy(out + len, k ? (const void *)p : "\xef\xbf\xbd", k ? k : 3);
		len += k ? k : 3;
		p += k ? k : bad;
	}
	return len;
}

void buf_utf8(struct buf *b, const void *text, size_t n)
{
	size_t clean = utf8_clean(NULL, text, n);
	uint8_t *to = buf_reserve(b, clean);

	if (!to)
		return;
	utf8_clean(to, text, n);
	b->len += clean;
}

/* How many bytes at p need no escape. */
static size_t plain_run(const uint8_t *p, const uint8_t *end)
{
	const uint8_t *at = p;

	while (at < end && *at >= 0x20 && *at < 0x7f && *at != '"' && *at != '\\')
		at++;
	return at - p;
}

void buf_json_string(struct buf *b, const void *text, size_t n)
{
	const uint8_t *p = text, *end = p + n;
	unsigned k, bad;
	size_t run;

	buf_u8(b, '"');
	while (p < end) {
		run = plain_run(p, end);
		buf_append(b, p, run);
		p += run;
		if (p == end)
			break;
		if (*p == '"' || *p == '\\') {
			buf_u8(b, '\\');
			buf_u8(b, *p++);
		} else if (*p == '\n') {
			buf_append(b, "\\n", 2);
			p++;
		} else if (*p == '\t') {
			buf_append(b, "\\t", 2);
			p++;
		} else if (*p < 0x20 || *p == 0x7f) {
			buf_printf(b, "\\u%04x", *p++);
		} else {
			k = utf8_sequence(p, end, &bad);
			buf_append(b, k ? (const void *)p : "\xef\xbf\xbd", k ? k : 3);
			p += k ? k : bad;
		}
	}
	buf_u8(b, '"');
}

void buf_base64(struct buf *b, const void *data, size_t n)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const uint8_t *p = data;

	for (size_t i = 0; i < n; i += 3) {
		uint32_t v = p[i] << 16 | (i + 1 < n ? p[i + 1] << 8 : 0) | (i + 2 < n ? p[i + 2] : 0);
		char out[4] = { digits[v >> 18], digits[v >> 12 & 63], digits[v >> 6 & 63], digits[v & 63] };

		if (i + 1 >= n)
			out[2] = '=';
		if (i + 2 >= n)
			out[3] = '=';
		buf_append(b, out, 4);
	}
}

void buf_hex(struct buf *b, const void *data, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *p = data;

	for (size_t i = 0; i < n; i++) {
		buf_u8(b, digits[p[i] >> 4]);
		buf_u8(b, digits[p[i] & 15]);
	}
}
