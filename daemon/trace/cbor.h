/* SPDX-License-Identifier: MIT */
/*
 * cbor.h: the values of a trace (trace-format.md section 8).
 *
 * One reader takes the keys of each kind by position, so the encoder offers
 * whole values and leaves no choice of order. It appends to a struct buf: check
 * that once, at the end (buf_check).
 *
 * The decoder takes bytes from anywhere. Every length is held against the bytes
 * that are left and nesting is bounded; it allocates nothing: a decoded value
 * points into its input, and the children of a container are decoded one by one
 * from its span.
 */
#ifndef TRACE_CBOR_H
#define TRACE_CBOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace/ct_text.h"
#include "util/buf.h"

/* ---- encoder: texts may be any bytes, what is not UTF-8 is replaced by U+FFFD ---- */
void cbor_int(struct buf *b, int64_t i, uint32_t type_id);
void cbor_bool(struct buf *b, bool v, uint32_t type_id);
void cbor_none(struct buf *b, uint32_t type_id);
void cbor_string(struct buf *b, const void *text, size_t n, uint32_t type_id);
void cbor_raw(struct buf *b, const void *text, size_t n, uint32_t type_id);
void cbor_error(struct buf *b, const void *msg, size_t n, uint32_t type_id);

/* Containers: begin, then exactly n values, then end. */
void cbor_sequence_begin(struct buf *b, uint32_t n);
void cbor_sequence_end(struct buf *b, uint32_t type_id);
void cbor_tuple_begin(struct buf *b, uint32_t n);
void cbor_tuple_end(struct buf *b, uint32_t type_id);
/* Struct with names: begin(named), n values, names, n times cbor_text, end. */
void cbor_struct_begin(struct buf *b, uint32_t n, bool named);
void cbor_struct_names(struct buf *b, uint32_t n);
void cbor_struct_end(struct buf *b, uint32_t type_id);
/* begin, one value, end. */
void cbor_reference_begin(struct buf *b);
void cbor_reference_end(struct buf *b, uint64_t address, bool mutable, uint32_t type_id);
/* A bare text string: only for the names of a struct's fields. */
void cbor_text(struct buf *b, const void *text, size_t n);

/* ---- decoder ---- */
#define CBOR_MAX_DEPTH 96

enum cbor_kind {
	CV_NONE,
	CV_INT,
	CV_BOOL,
	CV_STRING,
	CV_RAW,
	CV_ERROR,
	CV_SEQUENCE,
	CV_TUPLE,
	CV_STRUCT,
	CV_REFERENCE,
	/* not written by ctrec: the official readers disagree on these */
	CV_FLOAT,
	CV_BIGINT,
	CV_SET,
};

struct cbor_in {
	const uint8_t *p, *end;
};

struct cbor_value {
	enum cbor_kind kind;
	uint64_t type_id;
	int64_t i;		/* Int */
	double f;		/* Float */
	uint64_t address;	/* Reference */
	bool flag;		/* Bool b, Sequence is_slice, Reference mutable, BigInt negative */
	struct cbor_in text;	/* Bool, String text; Raw r; Error msg; BigInt b (bytes) */
	struct cbor_in items;	/* elements, field_values, members, dereferenced: values end to end */
	uint64_t nitems;
	struct cbor_in names;	/* field_names: text strings end to end */
	uint64_t nnames;
};

struct cbor_why {
	char text[96]; /* why a value can't be decoded */
};

/* Takes one value off the input. false: it can't be decoded, *why says why. */
bool cbor_value(struct cbor_in *in, struct cbor_value *v, struct cbor_why *why);
/* Takes one text string off the input (field names). */
bool cbor_take_text(struct cbor_in *in, struct cbor_in *text, struct cbor_why *why);
const char *cbor_kind_name(enum cbor_kind kind);

#endif
