/* SPDX-License-Identifier: MIT */
/*
 * assemble_frame.h: open frames and the variables they have now. Private to assemble*.c.
 *
 * A frame keeps its variables as the array a step is written from: sorted by
 * slot, each with its CBOR, so that a step encodes nothing that did not change.
 */
#ifndef TRACE_ASSEMBLE_FRAME_H
#define TRACE_ASSEMBLE_FRAME_H

#include "trace/assemble_code.h"

/* Variables one frame may show; more are not kept (and counted as cut). */
#define FRAME_MAX_VARS 65536u

struct frame {
	uint64_t serial;
	struct code *code;
	uint32_t last_line; /* of this activation's last step, 0: none */
	bool open;	    /* has a call record that is open in the trace */
	bool shown;	    /* has or had one */
	bool args;	    /* its first one is to show its arguments */
	bool is_root;
	uint64_t call;	    /* the newest one: calls entered before it */
	struct trace_var thrown; /* what it was resumed with by throw(), its argument; no cbor: nothing */
	char *module;	    /* module frames: their name */
	struct trace_var *vars;
	uint16_t *slots;
	uint32_t nvars, cap;
	struct frame *next_free;
};

/* Frames and values of frames that ended, for the next ones. */
struct frame_pool {
	struct frame *free;
	uint32_t nfree;
	void *values[16]; /* lists of value memory, by size class */
};

struct frame *frame_new(struct frame_pool *p, uint64_t serial, struct code *code);
void frame_free(struct frame_pool *p, struct frame *f);
void frame_forget(struct frame_pool *p, struct frame *f); /* all variables */
/* Gives slot a value (copied). 0; 1: too many variables; -code. */
int frame_set(struct frame_pool *p, struct frame *f, uint16_t slot, uint32_t name,
	      const uint8_t *cbor, size_t len);
void frame_unset(struct frame_pool *p, struct frame *f, uint16_t slot);
void frame_pool_deinit(struct frame_pool *p);

#endif
