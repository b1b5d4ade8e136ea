/* SPDX-License-Identifier: MIT */
/*
 * print_source.h: lines of the program's source, as it was when recorded.
 */
#ifndef CLI_PRINT_SOURCE_H
#define CLI_PRINT_SOURCE_H

#include "trace/ct_reader.h"

struct print_source;

/* Finds what cx.src has; a trace without it has no lines. */
int print_source_new(struct print_source **ret, struct ct_reader *r);
struct print_source *print_source_free(struct print_source *s);
/* 1 and the line without its end, or 0: not known. Valid until the next call. */
int print_source_line(struct print_source *s, uint32_t path, uint32_t line, struct cbor_in *text);

#endif
