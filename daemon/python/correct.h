/* SPDX-License-Identifier: MIT */
/*
 * correct.h: what must be corrected about CPython's raw `line` probe so that
 * lines are those sys.settrace gives. Pure functions of a code object's definition.
 */
#ifndef PYTHON_CORRECT_H
#define PYTHON_CORRECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ctrec/event.h"

/* The parts of an EV_DEFCODE, each within the record (checked). */
struct defcode_parts {
	const char *filename, *name, *qualname;
	const uint8_t *linetable, *bytecode, *kinds;
	const char *names; /* zero-terminated, one after the other; the last byte is zero */
};

/* 0, or 1: the record makes no sense. */
int defcode_parts(const struct ev_defcode *d, struct defcode_parts *parts);

/* True when the probe fires at the instruction at byte offset lasti and
 * sys.settrace does not: in a loop that passes on what an awaitable or a
 * generator yields. */
bool line_is_repeat(const struct ev_defcode *d, const struct defcode_parts *parts, uint32_t lasti);
/* The line sys.settrace reports at a frame's start and the probe does not; 0: none. */
uint32_t line_at_entry(const struct ev_defcode *d, const struct defcode_parts *parts);

#endif
