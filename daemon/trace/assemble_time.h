/* SPDX-License-Identifier: MIT */
/*
 * assemble_time.h: cx.time, when records were made. Private to assemble*.c.
 *
 * Blocks end to end, each for itself: u32 entries, u32 bytes raw, u32 bytes
 * packed, one zstd frame. Raw, little-endian LEB128: for each entry the step
 * it stands before (the first from 0, the others from the one before), then for
 * each entry its CLOCK_MONOTONIC in whole microseconds (likewise, zigzag).
 */
#ifndef TRACE_ASSEMBLE_TIME_H
#define TRACE_ASSEMBLE_TIME_H

#include "trace/writer.h"
#include "util/buf.h"

struct times {
	struct buf steps, micros, packed;
	uint32_t n; /* of this block */
	uint64_t last_step, last_micro;
};

int times_add(struct times *t, struct trace_writer *w, uint64_t step, uint64_t ns);
int times_flush(struct times *t, struct trace_writer *w);
void times_deinit(struct times *t);

#endif
