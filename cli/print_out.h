/* SPDX-License-Identifier: MIT */
/*
 * print_out.h: standard output, gathered into large writes.
 *
 * A reader that goes away (a pager that was quit) is no error: PRINT_GONE ends
 * the printing and is turned into success by cmd_print alone.
 */
#ifndef CLI_PRINT_OUT_H
#define CLI_PRINT_OUT_H

#include "util/buf.h"

#define PRINT_GONE 1 /* positive: not an error, to be passed on */

struct print_out {
	int fd;
	struct buf b; /* append here, then print_out_flush() */
};

/* Writes once much has gathered, or all there is. 0, PRINT_GONE or -code. */
int print_out_flush(struct print_out *o, bool all);
void print_out_deinit(struct print_out *o);
/* A text without its NUL. */
void print_text(struct buf *b, const char *text);
void print_number(struct buf *b, uint64_t v);

#endif
