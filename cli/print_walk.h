/* SPDX-License-Identifier: MIT */
/*
 * print_walk.h: a trace in the order in which it happened.
 *
 * Per step: the calls that enter at it, the step, the events tied to it, the
 * calls whose last step it is, innermost first. What is held is the calls that
 * are open and one record of each stream.
 */
#ifndef CLI_PRINT_WALK_H
#define CLI_PRINT_WALK_H

#include "trace/ct_reader.h"

struct print_call { /* an open call */
	uint64_t key, function, exit, depth;
	bool is_void;
	uint32_t ret_len, exc_len; /* on the stack of values */
	size_t at;
};

/* Each returns 0; anything else ends the walk and is returned. */
struct print_visitor {
	void *ctx;
	int (*enter)(void *ctx, const struct ct_call *call);
	/* call: the innermost open one, or NULL */
	int (*step)(void *ctx, const struct ct_step *step, const struct print_call *call,
		    const struct ct_vars *vars);
	int (*event)(void *ctx, const struct ct_event *event);
	int (*leave)(void *ctx, const struct print_call *call, struct cbor_in ret, struct cbor_in exc);
};

/* limit: steps to show at most, 0 for all; *shown says how many there were. */
int print_walk(struct ct_reader *r, uint64_t limit, const struct print_visitor *v, uint64_t *shown);

#endif
