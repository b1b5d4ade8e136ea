/* SPDX-License-Identifier: MIT */
/*
 * frames.h: the frames that are open now, for checkpoints.
 *
 * A cheap mirror of what the assembler will work out: one stack a thread, kept
 * right by each frame event's depth. It is bounded (threads, frames of a
 * thread), and hostile events can only make a checkpoint wrong, never this.
 */
#ifndef SESSION_FRAMES_H
#define SESSION_FRAMES_H

#include "ctrec/event.h"
#include "util/buf.h"

struct frames {
	struct frames_stack {
		struct ev_openframe *frames;
		uint32_t n, cap;
	} *threads; /* by the thread's index */
	uint32_t nthreads;
};

void frames_deinit(struct frames *f);
/* A frame event of the session, at least sizeof(struct ev_frame) long. */
void frames_event(struct frames *f, const struct ev_frame *e);
/* An EV_CHECKPOINT of all open frames (the innermost, where there are more than a record holds). */
void frames_checkpoint(const struct frames *f, uint64_t time, struct buf *to);

#endif
