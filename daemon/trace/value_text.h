/* SPDX-License-Identifier: MIT */
/*
 * value_text.h: texts as Python's repr() and str() would give them.
 */
#ifndef TRACE_VALUE_TEXT_H
#define TRACE_VALUE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/buf.h"

/* repr(float): the shortest digits that read back as the same number. */
void text_float(struct buf *out, double v);
/* repr(complex) */
void text_complex(struct buf *out, double re, double im);
/* The decimal digits of a number of n 30-bit digits, low first. */
void text_bigint(struct buf *out, const uint32_t *digits, size_t n, bool negative);
/* b'…' as repr(bytes) has it */
void text_bytes(struct buf *out, const uint8_t *p, size_t n);
/* n code points of `width` bytes as UTF-8; lone surrogates as \udcXX, what is
 * no code point as U+FFFD */
void text_str(struct buf *out, const uint8_t *p, size_t n, unsigned width);
/* Bytes that ought to be UTF-8, what is not replaced by U+FFFD. */
void text_utf8(struct buf *out, const void *p, size_t n);
/* True when all n bytes are valid UTF-8 without NUL. */
bool text_is_utf8(const void *p, size_t n);

#endif
