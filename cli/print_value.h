/* SPDX-License-Identifier: MIT */
/*
 * print_value.h: a value as Python would write it.
 */
#ifndef CLI_PRINT_VALUE_H
#define CLI_PRINT_VALUE_H

#include "print_out.h"
#include "trace/ct_reader.h"

/* Appends it, cut to about `width` columns; ERR only where the trace's tables are bad. */
int print_value(struct ct_reader *r, struct buf *b, struct cbor_in cbor, size_t width);
/* Text of the program made harmless to a terminal, cut to `width` columns. */
void print_plain(struct buf *b, const uint8_t *p, size_t n, size_t width);
/* Columns of what was appended from `at` on: code points. */
size_t print_columns(const struct buf *b, size_t at);

#endif
