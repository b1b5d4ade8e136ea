/* SPDX-License-Identifier: MIT */
/*
 * value_text.c: numbers, bytes and strings as Python writes them.
 *
 * repr(float) is the shortest decimal that reads back as the same double, the
 * nearest one where there are several. Up to 15 digits every decimal survives
 * the way through a double, so 15 digits without their trailing zeros are the
 * answer if they read back at all; only denormals have fewer digits than that.
 * Nothing here depends on a locale other than "C".
 */
#include "trace/value_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Doubles lie twice as far apart above a power of two as below it, so that the
 * decimal above may read back as v where the nearest one, below, does not.
 * Makes it of text (p digits) if so. */
static bool next_up(char *text, int p, double v)
{
	int e, last = p > 1 ? p : 0; /* behind the point */

	if (frexp(v, &e) != 0.5 || text[last] == '9')
		return false;
	text[last]++;
	if (strtod(text, NULL) == v)
		return true;
	text[last]--;
	return false;
}

static const uint64_t tens[] = {
	1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000, 10000000000,
	100000000000, 1000000000000, 10000000000000, 100000000000000, 1000000000000000,
	10000000000000000, 100000000000000000, 1000000000000000000,
};

/*
 * The same for 1e-5 <= v < 1e15, exactly, in 128 bits: v = m / 2^s with m of 53
 * bits, and p digits are d = m * 10^k / 2^s, rounded; m * 10^k has 123 bits at
 * most. d / 10^k reads back as v if it is off by less than half of v's last
 * bit: 2 * |m * 10^k - d * 2^s| < 10^k, or just as much where m is even.
 */
static uint64_t digits_of(double v, int p, int *exponent, bool *exact)
{
	int e, s, k = p - 1 - *exponent;
	uint64_t m = (uint64_t)ldexp(frexp(v, &e), 53), d;
	unsigned __int128 scaled, ten_k, rest, half;
	bool up, power = m == (uint64_t)1 << 52;

	s = 53 - e;
	ten_k = k > 18 ? (unsigned __int128)tens[18] * tens[k - 18] : tens[k];
	scaled = m * ten_k;
	d = (uint64_t)(scaled >> s);
	rest = scaled & (((unsigned __int128)1 << s) - 1);
	half = (unsigned __int128)1 << (s - 1);
	up = rest > half || (rest == half && d & 1);
	if (up)
		rest = 2 * half - rest;
	/* below a power of two doubles lie twice as close: the one above may do */
	if (power && !up && 4 * rest > ten_k) {
		up = true;
		rest = 2 * half - rest;
	}
	*exact = 2 * rest < ten_k || (2 * rest == ten_k && !(m & 1));
	return d + up;
}

static int shortest_fast(double v, char digits[24], int *exponent)
{
	int e = 0, n = 0;
	uint64_t d = 0;
	bool exact = false;
	char text[24];

	for (; e < 14 && v >= tens[e + 1]; e++)
		;
	for (double x = v; x < 1; x *= 10)
		e--;
	for (int p = 15; p <= 17 && !exact; p++) {
		d = digits_of(v, p, &e, &exact);
		if (d < tens[p - 1] || d >= tens[p])
			return 0; /* the exponent was not that: at a power of ten */
	}
	while (d) {
		text[n++] = (char)('0' + d % 10);
		d /= 10;
	}
	for (int i = 0; i < n; i++)
		digits[i] = text[n - 1 - i];
	*exponent = e;
	return exact ? n : 0;
}

static int shortest_slow(double v, char digits[24], int *exponent)
{
	int first = v < 2.3e-308 ? 1 : 15, n = 0;
	char text[40];

	for (int p = first; p <= 17; p++) {
		snprintf(text, sizeof(text), "%.*e", p - 1, v);
		if (p == 17 || strtod(text, NULL) == v || next_up(text, p, v))
			break;
	}
	for (const char *c = text; *c != 'e'; c++)
		if (*c != '.')
			digits[n++] = *c;
	*exponent = atoi(strchr(text, 'e') + 1);
	return n;
}

/* The shortest digits of v (finite, above zero) and the exponent of the first; returns their number. */
static int shortest(double v, char digits[24], int *exponent)
{
	int n = v >= 1e-5 && v < 1e15 ? shortest_fast(v, digits, exponent) : 0;

	if (!n)
		n = shortest_slow(v, digits, exponent);
	while (n > 1 && digits[n - 1] == '0')
		n--;
	return n;
}

/* `point`: an integral value in plain notation ends in ".0". */
static void number(struct buf *out, double v, bool point)
{
	char digits[24];
	int e, n;

	if (isnan(v)) {
		buf_append(out, "nan", 3);
		return;
	}
	if (signbit(v))
		buf_u8(out, '-');
	v = fabs(v);
	if (isinf(v)) {
		buf_append(out, "inf", 3);
		return;
	}
	if (v < 1e15 && v == floor(v)) {
		buf_printf(out, point ? "%lld.0" : "%lld", (long long)v);
		return;
	}
	n = shortest(v, digits, &e);
	if (e < -4 || e >= 16) {
		buf_u8(out, (uint8_t)digits[0]);
		if (n > 1)
			buf_printf(out, ".%.*s", n - 1, digits + 1);
		buf_printf(out, "e%c%02d", e < 0 ? '-' : '+', abs(e));
	} else if (e < 0) {
		buf_printf(out, "0.%.*s%.*s", -e - 1, "000", n, digits);
	} else if (n <= e + 1) {
		buf_printf(out, "%.*s%.*s%s", n, digits, e + 1 - n, "0000000000000000",
			   point ? ".0" : "");
	} else {
		buf_printf(out, "%.*s.%.*s", e + 1, digits, n - e - 1, digits + e + 1);
	}
}

void text_float(struct buf *out, double v)
{
	number(out, v, true);
}

void text_complex(struct buf *out, double re, double im)
{
	bool bare = re == 0 && !signbit(re);

	if (!bare) {
		buf_u8(out, '(');
		number(out, re, false);
		if (isnan(im) || !signbit(im))
			buf_u8(out, '+');
	}
	number(out, im, false);
	buf_append(out, "j)", bare ? 1 : 2);
}

void text_bigint(struct buf *out, const uint32_t *digits, size_t n, bool negative)
{
	/* base 10^9 digits, low first: 30 bits are at most 1.004 of them */
	size_t cap = n + n / 100 + 2, used = 0;
	uint32_t *dec = malloc(cap * sizeof(*dec));

	if (!dec) {
		out->oom = true;
		return;
	}
	for (size_t i = n; i-- > 0;) {
		uint64_t carry = digits[i] & 0x3fffffff;

		for (size_t k = 0; k < used; k++) {
			carry += (uint64_t)dec[k] << 30;
			dec[k] = (uint32_t)(carry % 1000000000);
			carry /= 1000000000;
		}
		while (carry && used < cap) {
			dec[used++] = (uint32_t)(carry % 1000000000);
			carry /= 1000000000;
		}
	}
	if (negative && used)
		buf_u8(out, '-');
	buf_printf(out, "%u", used ? dec[used - 1] : 0);
	for (size_t k = used; k-- > 1;)
		buf_printf(out, "%09u", dec[k - 1]);
	free(dec);
}

void text_bytes(struct buf *out, const uint8_t *p, size_t n)
{
	/* Python's choice: double quotes only where they save escapes */
	char quote = memchr(p, '\'', n) && !memchr(p, '"', n) ? '"' : '\'';

	buf_u8(out, 'b');
	buf_u8(out, (uint8_t)quote);
	for (size_t i = 0; i < n; i++) {
		uint8_t c = p[i];

		if (c == (uint8_t)quote || c == '\\') {
			buf_u8(out, '\\');
			buf_u8(out, c);
		} else if (c >= ' ' && c < 127) {
			buf_u8(out, c);
		} else if (c == '\n' || c == '\r' || c == '\t') {
			buf_u8(out, '\\');
			buf_u8(out, c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
		} else {
			buf_printf(out, "\\x%02x", c);
		}
	}
	buf_u8(out, (uint8_t)quote);
}

static uint8_t *put_utf8(uint8_t *to, uint32_t c)
{
	if (c < 0x80) {
		*to++ = (uint8_t)c;
	} else if (c < 0x800) {
		*to++ = (uint8_t)(0xc0 | c >> 6);
		*to++ = (uint8_t)(0x80 | (c & 63));
	} else if (c >= 0xd800 && c < 0xe000) {
		to += sprintf((char *)to, "\\u%04x", c);
	} else {
		if (c > 0x10ffff)
			c = 0xfffd;
		if (c < 0x10000) {
			*to++ = (uint8_t)(0xe0 | c >> 12);
		} else {
			*to++ = (uint8_t)(0xf0 | c >> 18);
			*to++ = (uint8_t)(0x80 | (c >> 12 & 63));
		}
		*to++ = (uint8_t)(0x80 | (c >> 6 & 63));
		*to++ = (uint8_t)(0x80 | (c & 63));
	}
	return to;
}

void text_str(struct buf *out, const uint8_t *p, size_t n, unsigned width)
{
	/* an escaped surrogate is the longest: six bytes and sprintf's zero */
	uint8_t *to = buf_reserve(out, n * 6 + 1);

	if (!to)
		return;
	for (uint64_t eight; width == 1 && n >= 8; n -= 8, p += 8, to += 8) {
		memcpy(&eight, p, 8);
		if (eight & 0x8080808080808080u)
			break;
		memcpy(to, &eight, 8);
	}
	for (size_t i = 0; i < n; i++, p += width) {
		uint32_t c = p[0];

		if (width == 2)
			c |= (uint32_t)p[1] << 8;
		else if (width == 4)
			memcpy(&c, p, 4);
		to = put_utf8(to, c);
	}
	out->len = (size_t)(to - out->data);
}

/* The length of the valid UTF-8 sequence at p (of n > 0 bytes), or 0. */
static unsigned sequence(const uint8_t *p, size_t n)
{
	unsigned len = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 :
		       p[0] < 0xf5 ? 4 : 0;

	if (len > n)
		return 0;
	for (unsigned i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] >= 0xa0) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] >= 0x90))
		return 0;
	return len;
}

void text_utf8(struct buf *out, const void *data, size_t n)
{
	const uint8_t *p = data;

	while (n) {
		size_t good = 0;
		unsigned len;

		while (good < n && (len = sequence(p + good, n - good)))
			good += len;
		if (good)
			buf_append(out, p, good);
		p += good;
		n -= good;
		if (n) {
			buf_append(out, "\xef\xbf\xbd", 3);
			p++;
			n--;
		}
	}
}

bool text_is_utf8(const void *data, size_t n)
{
	const uint8_t *p = data;
	unsigned len;

	for (; n; p += len, n -= len) {
		len = *p ? sequence(p, n) : 0;
		if (!len)
			return false;
	}
	return true;
}
