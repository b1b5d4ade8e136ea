/* SPDX-License-Identifier: MIT */
/*
 * ct_reader.h: reading a .ct (trace-format.md), one record after the other.
 *
 * Memory does not depend on the length of the trace: a stream holds one window
 * of a chunk, a record is held while it is looked at, names are cached a few at
 * a time. Only the tables of lines grow, with the program's source.
 *
 * The four streams have a cursor each. Functions that read the next thing return
 * 1, 0 at the end, or -code; what they hand out stays valid until the same
 * stream (or table) is read again. Nothing in the file is trusted: what breaks
 * the format is ERR_BAD_TRACE, and no size is believed before its bytes are there.
 */
#ifndef TRACE_CT_READER_H
#define TRACE_CT_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace/cbor.h"
#include "trace/ctfs.h"

#define CT_RECORD_MAX (256u << 20) /* a record, without a call's children */
#define CT_NAME_MAX (1u << 20)
#define CT_FLAG_COLUMNS (1u << 4)
#define CT_FLAG_CALLS (1u << 8)
#define CT_FLAG_STEPS (1u << 9)
#define CT_FLAG_VALUES (1u << 10)
#define CT_FLAG_IO (1u << 11)

enum ct_stream { CT_STEPS, CT_VALUES, CT_CALLS, CT_EVENTS, CT_NSTREAMS };
enum ct_table { CT_PATHS, CT_FUNCTIONS, CT_TYPES, CT_VARNAMES, CT_NTABLES };

struct ct_reader;

struct ct_meta {
	unsigned flags;
	struct cbor_in recording_id, program, workdir, recorder;
	struct cbor_in args; /* strings end to end: ct_take_str() */
	uint64_t nargs;
};

struct ct_step {
	uint64_t index;
	bool absolute;
	uint32_t path, line, column; /* line and column from 1 */
};

struct ct_var {
	uint64_t name;
	struct cbor_in cbor;
};

struct ct_vars {
	struct cbor_in in; /* ct_take_var() */
	uint64_t n;
};

struct ct_call {
	uint64_t key, function, entry, exit, depth;
	int64_t parent; /* -1: none */
	struct ct_vars args;
	bool is_void;
	struct cbor_in ret, exc; /* exc empty: none */
	uint64_t nchildren;	 /* ct_next_child(), before the next call is read */
};

struct ct_event {
	uint64_t index, step;
	uint8_t kind;
	struct cbor_in metadata, content;
};

/* fd stays the caller's. */
int ct_reader_new(struct ct_reader **ret, int fd);
struct ct_reader *ct_reader_free(struct ct_reader *r);
const struct ctfs_reader *ct_container(const struct ct_reader *r);

/* meta.dat, read at the first call. */
int ct_meta(struct ct_reader *r, const struct ct_meta **ret);
/* Records of a stream: from its index, and the last chunk alone. */
int ct_count(struct ct_reader *r, enum ct_stream stream, uint64_t *n);
uint64_t ct_table_count(const struct ct_reader *r, enum ct_table table);
/* The text of an id; an id beyond the table is ERR_BAD_TRACE. */
int ct_name(struct ct_reader *r, enum ct_table table, uint64_t id, struct cbor_in *text);

/* The next record read will be number `record`; beyond the last: the end. */
int ct_seek(struct ct_reader *r, enum ct_stream stream, uint64_t record);
int ct_next_step(struct ct_reader *r, struct ct_step *step);
int ct_next_values(struct ct_reader *r, struct ct_vars *vars);
int ct_next_call(struct ct_reader *r, struct ct_call *call);
int ct_next_child(struct ct_reader *r, uint64_t *key);
int ct_next_event(struct ct_reader *r, struct ct_event *event);

/* Takes one off; false: it does not fit. */
bool ct_take_varint(struct cbor_in *in, uint64_t *v);
bool ct_take_str(struct cbor_in *in, struct cbor_in *s);
bool ct_take_var(struct cbor_in *in, struct ct_var *v);

#endif
