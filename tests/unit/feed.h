/* SPDX-License-Identifier: MIT */
/*
 * feed.h: an assembler to feed records to, that writes to note_writer.h: one
 * program of two code objects, of which each instruction is a line.
 */
#ifndef TESTS_FEED_H
#define TESTS_FEED_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "note_writer.h"
#include "records.h"
#include "trace/assemble.h"

#define OP_RESUME 151
#define OP_SEND 123

static struct trace_writer w;
static struct assembler *a;
static struct assemble_summary sum;
static struct rec r;

static inline void start(void)
{
	memset(&w, 0, sizeof(w));
	ck_assert_int_eq(assembler_new(&a, &w), 0);
	rec_text(&r, EV_META, "{\"program\":\"main.py\",\"workdir\":\"/home/u\"}");
	ck_assert_int_eq(assembler_define(a, rec_end(&r)), 0);
}

static inline void stop(void)
{
	assembler_free(a);
	a = NULL;
	for (int t = 0; t < 4; t++)
		for (uint32_t i = 0; i < w.n[t]; i++)
			free(w.names[t][i]);
	buf_deinit(&w.log);
	buf_deinit(&w.meta);
	buf_deinit(&w.time);
	buf_deinit(&r.b);
}

static inline void finish(const char *end)
{
	if (end) {
		rec_text(&r, EV_END, end);
		ck_assert_int_eq(assembler_define(a, rec_end(&r)), 0);
	}
	ck_assert_int_eq(assembler_finish(a, &sum), 0);
	buf_u8(&w.log, 0);
	buf_u8(&w.meta, 0);
}

/* Finishes with status 0 and compares; the root's exit is the last line. */
static inline void became(const char *want)
{
	finish("{\"reason\":\"exit\",\"status\":0}");
	ck_assert_str_eq((const char *)w.log.data, want);
	ck_assert_int_eq(w.depth, 0);
}

/* A code object with an instruction for each line of `lines` (0: none); the first
 * is RESUME, `send`: the index of a SEND, or 0. */
static inline void code(uint32_t id, const char *file, const char *name, const char *names,
		 size_t names_len, uint32_t nargs, uint32_t flags, const char *lines, uint32_t send,
		 uint32_t plan)
{
	uint8_t bytecode[64] = { 0 }, table[128];
	struct rec_code c = { .id = id, .file = file, .name = name, .qualname = name, .names = names,
			      .names_len = names_len, .nargs = nargs, .flags = flags, .first = 1,
			      .bytecode = bytecode, .linetable = table, .plan = plan };
	int line = 1;

	for (size_t i = 0; lines[i]; i++) {
		int want = lines[i] - '0', delta = want - line;

		bytecode[2 * i] = i == 0 ? OP_RESUME : send && i == send ? OP_SEND : 1;
		c.bytecode_len += 2;
		table[c.linetable_len++] = (uint8_t)(0x80 | (want ? 13 : 15) << 3);
		if (!want)
			continue;
		table[c.linetable_len++] = (uint8_t)(delta < 0 ? -delta << 1 | 1 : delta << 1);
		line = want;
	}
	rec_code(&r, &c);
	ck_assert_int_eq(assembler_define(a, rec_end(&r)), 0);
}

#define CODE_MAIN 1
#define CODE_F 2
/* main.py: lines 1-9; f(x, y): lines 1-9; instruction i is of line i. */
static inline void usual(void)
{
	start();
	code(CODE_MAIN, "main.py", "<module>", "", 0, 0, 0, "0123456789", 0, 0);
	code(CODE_F, "main.py", "f", "x\0y\0z", 6, 2, 0, "0123456789", 0, 0);
}

static inline void feed(void)
{
	ck_assert_int_eq(assembler_feed(a, rec_end(&r)), 0);
}

static inline void entry(uint64_t frame, uint32_t c, unsigned flags, uint32_t thread)
{
	rec_frame(&r, EV_ENTRY, flags, frame, c, 0, thread);
}

static inline void line(uint64_t frame, uint32_t c, uint32_t n, uint32_t thread)
{
	rec_frame(&r, EV_LINE, 0, frame, c, n * 2, thread);
}

static inline void ret(uint64_t frame, uint32_t c, unsigned flags, uint32_t thread, int64_t value)
{
	rec_frame(&r, EV_RETURN, flags, frame, c, 0, thread);
	rec_int(&r, flags & EVF_UNWIND ? EV_SLOT_EXC : EV_SLOT_RETURN, value);
	feed();
}

static inline void enter_main(void)
{
	entry(1, CODE_MAIN, EVF_NAMES, 1);
	feed();
	line(1, CODE_MAIN, 1, 1);
	feed();
}

#endif
