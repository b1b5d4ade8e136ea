/* SPDX-License-Identifier: MIT */
/*
 * ct_reader_private.h: the parts of a .ct reader, shared by ct_reader*.c only.
 *
 * ct_reader.c		the interface: opening, meta.dat, records
 * ct_reader_stream.c	chunked streams: X.dat and X.idx
 * ct_reader_table.c	interning tables: X.dat and X.off, and a few names cached
 * ct_reader_lines.c	addresses of steps to paths and lines
 */
#ifndef TRACE_CT_READER_PRIVATE_H
#define TRACE_CT_READER_PRIVATE_H

#include <zstd.h>

#include "trace/ct_reader.h"

/* ---- chunked streams ---- */
struct chunk_in {
	const char *name;
	bool bare; /* steps: records do not carry their length */
	struct ctfs_in dat, idx;
	uint32_t per;	    /* records a chunk holds */
	uint64_t nchunks;   /* 0 when the stream is absent */
	uint64_t chunk;	    /* the next to be opened */
	uint32_t in_chunk;  /* records of the open chunk begun so far */
	bool open, done;    /* a chunk is open; its frame is decoded to its end */
	uint64_t at, end;   /* of the frame in dat: what is not read yet */
	uint64_t left;	    /* of the record under way */
	ZSTD_DCtx *d;
	uint8_t *packed;
	ZSTD_inBuffer in;
	uint8_t *raw;
	size_t raw_at, raw_len;
};

int chunk_in_init(struct chunk_in *s, const struct ctfs_reader *c, const char *name);
void chunk_in_deinit(struct chunk_in *s);
/* Goes to the start of a chunk; the stream's end when there is no such chunk. */
void chunk_in_goto(struct chunk_in *s, uint64_t chunk);
/* Makes the next record current, without a limit to it. 1, 0 at the end. */
int chunk_in_next(struct chunk_in *s);
/* The same where records say their length, which then limits them. */
int chunk_in_record(struct chunk_in *s);
/* These take from the record under way. */
int chunk_in_varint(struct chunk_in *s, uint64_t *v);
int chunk_in_bytes(struct chunk_in *s, struct buf *to, uint64_t n);
int chunk_in_skip(struct chunk_in *s, uint64_t n);
/* A varint whose bytes are kept as well. */
int chunk_in_keep(struct chunk_in *s, struct buf *to, uint64_t *v);
/* Records of the last chunk, by reading it. */
int chunk_in_count_last(struct chunk_in *s, bool steps, uint64_t *n);

/* ---- interning tables ---- */
#define NAME_SLOTS 1024u
#define NAME_CACHED 4096u /* longer names are read again each time */

struct table_in {
	const char *name;
	bool bare; /* steps: records do not carry their length */
	struct ctfs_in dat, off;
	uint64_t n;
	struct buf *slots; /* NAME_SLOTS */
	uint64_t *ids;	   /* id + 1; 0: empty */
	struct buf scratch;
};

int table_in_init(struct table_in *t, const struct ctfs_reader *c, const char *name);
void table_in_deinit(struct table_in *t);
int table_in_range(struct table_in *t, uint64_t id, uint64_t *at, uint64_t *len);
/* is_path: the text is the string the record starts with. */
int table_in_name(struct table_in *t, bool is_path, uint64_t id, struct cbor_in *text);

/* ---- lines ---- */
#define LINE_RUNS_MAX (8u << 20)

struct line_run { /* lines of one path that have the same length */
	uint64_t address;
	uint32_t path, line, len;
};

struct lines_in {
	struct buf runs;
	uint64_t end; /* first address beyond the last line */
	size_t last;  /* run found last */
};

int lines_load(struct lines_in *l, struct table_in *paths);
void lines_deinit(struct lines_in *l);
/* false: no line has that address. */
bool lines_find(struct lines_in *l, uint64_t address, struct ct_step *step);

#endif
