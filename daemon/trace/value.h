/* SPDX-License-Identifier: MIT */
/*
 * value.h: one captured value (event.h's breadth-first node tree) as the CBOR
 * that the trace's readers take (trace format, sections 8 and 10).
 *
 * The nodes are hostile input: whatever they hold, the result is one whole
 * CBOR value or an error that says the record made no sense.
 */
#ifndef TRACE_VALUE_H
#define TRACE_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ctrec/event.h"
#include "util/buf.h"

/* Nodes one tree may have; more is not a value capture could have sent. */
#define VALUE_MAX_NODES 4096u

/* A type as EV_DEFTYPE gave it, checked and cleaned. */
struct value_type {
	uint32_t flags; /* EVT_* */
	uint32_t nslots;
	uint32_t nfields, nkeys;
	const char *name, *module; /* UTF-8 */
	const char *const *fields; /* nfields of them */
	const char *const *keys;   /* names of an instance's first attributes, nkeys of them */
	uint32_t trace_type;	   /* cache of the writer's type id + 1; 0: not interned yet */
};

/* What the encoder asks of its surroundings. */
struct value_env {
	void *ctx;
	struct value_type *(*type)(void *ctx, uint32_t id); /* NULL: not known */
	int (*intern)(void *ctx, const char *name, size_t len, uint32_t *id); /* a trace type */
};

#define VALUE_CELL 1 /* the variable lives in a cell: show what the cell holds */

struct value_result {
	size_t used;	 /* bytes of nodes the tree took */
	bool unset;	 /* there is no value here (EVN_NULL); nothing was appended */
	bool truncated;	 /* cut at a limit, visibly */
	uint32_t unreadable; /* parts that could not be read */
};

struct value_encoder;

int value_encoder_new(struct value_encoder **ret, const struct value_env *env);
struct value_encoder *value_encoder_free(struct value_encoder *v);

/* Appends the value of the tree in nodes[0..len) to out. 0; 1: the nodes make
 * no sense, nothing was appended; -code. */
int value_encode(struct value_encoder *v, const void *nodes, size_t len, unsigned flags,
		 struct buf *out, struct value_result *result);
/* Appends the text of an EVN_STR tree. As value_encode(). */
int value_text(struct value_encoder *v, const void *nodes, size_t len, struct buf *out,
	       size_t *used);

/* Values of our own making: an Int, and an Error such as "<redacted>". */
int value_int(struct value_encoder *v, int64_t i, struct buf *out);
int value_error(struct value_encoder *v, const char *msg, struct buf *out);

#endif
