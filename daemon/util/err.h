/* SPDX-License-Identifier: MIT */
/*
 * err.h: errors are made where they are first known and travel upward unchanged.
 *
 *	return err_set(ERR_IO, "open %s: %m", path);
 *
 * The details stay in a thread-local until the next err_set() of the thread.
 */
#ifndef UTIL_ERR_H
#define UTIL_ERR_H

#include "ctrec/error.h"

struct err {
	enum ctrec_error code;
	char context[512]; /* what exactly, with names and numbers */
	char hint[256];	   /* "" : the table's */
};

/* Records an error of this thread and returns -code. `%m` is errno's text. */
int err_set(enum ctrec_error code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Replaces the hint of the last error and returns its -code. */
int err_hint(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The last error of this thread; valid until the next err_set(). */
const struct err *err_last(void);
/* Takes over an error that came from elsewhere (the protocol); returns -code. */
int err_take(const char *code_name, const char *context, const char *hint);

/* Facts of the table. A code outside it counts as ERR_UNKNOWN. */
const char *err_name(int code);
const char *err_kind(int code);
const char *err_message(int code);
const char *err_default_hint(int code);
int err_exit(int code);

#endif
