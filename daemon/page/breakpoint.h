/* SPDX-License-Identifier: MIT */
/*
 * breakpoint.h: a breakpoint that is met once, for start-up only.
 *
 * An int3 without a tracer kills. So it stands only in a process of ours that has
 * not begun yet, and is gone before that process is let go.
 */
#ifndef PAGE_BREAKPOINT_H
#define PAGE_BREAKPOINT_H

#include "page/tracee.h"

struct breakpoint {
	uint64_t at; /* 0: none stands */
	uint8_t byte; /* what was there */
};

/* The thread is stopped. -ERR_TARGET_MEMORY. */
int breakpoint_set(struct breakpoint *b, const struct tracee *t, uint64_t at);
/* Takes it away, if one stands. */
int breakpoint_clear(struct breakpoint *b, const struct tracee *t);
/* Has the thread, stopped by SIGTRAP, met it? Then the thread is put back to its
 * address, the breakpoint stands on. */
bool breakpoint_met(const struct breakpoint *b, const struct tracee *t);

#endif
