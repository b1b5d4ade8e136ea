/* SPDX-License-Identifier: MIT */
/*
 * ct_text.h: text of a trace. Names and outputs of a program may be any bytes;
 * what readers get is valid UTF-8, and valid JSON where it is JSON.
 */
#ifndef TRACE_CT_TEXT_H
#define TRACE_CT_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "util/buf.h"

/* Copies text with each maximal ill-formed part replaced by U+FFFD; out NULL: only
 * measures. Returns the length of the result (at most 3 * n). */
size_t utf8_clean(uint8_t *out, const void *text, size_t n);
/* The same, appended. */
void buf_utf8(struct buf *b, const void *text, size_t n);
/* Appends text as a JSON string, quotes included; what is not UTF-8 is replaced. */
void buf_json_string(struct buf *b, const void *text, size_t n);
void buf_base64(struct buf *b, const void *data, size_t n);
void buf_hex(struct buf *b, const void *data, size_t n);

#endif
