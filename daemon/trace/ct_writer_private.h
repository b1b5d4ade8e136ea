/* SPDX-License-Identifier: MIT */
/*
 * ct_writer_private.h: the parts of a .ct writer, shared by ct_writer*.c only.
 *
 * ct_writer.c		the interface of writer.h, meta.dat, paths.json
 * ct_writer_chunk.c	chunked streams: X.dat and X.idx
 * ct_writer_pack.c	compression, beside everything else
 * ct_writer_table.c	interning tables: X.dat and X.off
 * ct_writer_calls.c	calls, while they run
 * ct_writer_merge.c	calls, when the trace is finished
 * ct_writer_spool.c	temporary files
 */
#ifndef TRACE_CT_WRITER_PRIVATE_H
#define TRACE_CT_WRITER_PRIVATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <xxhash.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "trace/ctfs.h"
#include "trace/writer.h"
#include "util/buf.h"

#define CT_LEVEL 6		/* of zstd; the rest of it: ct_writer_chunk.c */
#define CT_STEPS_CHUNK 4096u
#define CT_VALUES_CHUNK 2048u	/* eight times the official 256: see ct_writer_chunk.c */
#define CT_CALLS_CHUNK 2048u
#define CT_EVENTS_CHUNK 64u
#define CT_RAW_MAX (1u << 20)	/* raw bytes of a chunk held before they go to the compressor */

/* ---- spools: unnamed temporary files ---- */
struct spool {
	int fd;
	uint64_t size; /* buffered bytes included */
	struct buf buf;
};

int spool_init(struct spool *s, int dir_fd);
void spool_deinit(struct spool *s);
int spool_append(struct spool *s, const void *data, size_t n);
int spool_flush(struct spool *s);
/* Overwrites flushed bytes. */
int spool_pwrite(struct spool *s, uint64_t off, const void *data, size_t n);
int spool_pread(const struct spool *s, uint64_t off, void *data, size_t n); /* flushed ones */

/* A few blocks of a spool kept in memory, for reading that mostly goes forward. */
#define SPOOL_BLOCK 16384u
#define SPOOL_SLOTS 32u
struct spool_view {
	const struct spool *s;
	uint8_t *data;
	uint64_t block[SPOOL_SLOTS]; /* number + 1; 0: empty */
};

int spool_view_init(struct spool_view *v, const struct spool *s);
void spool_view_deinit(struct spool_view *v);
/* The bytes from off up to the end of their block; valid until the next peek. */
int spool_peek(struct spool_view *v, uint64_t off, const uint8_t **p, size_t *n);

/* ---- chunked streams ---- */
struct chunk_out {
	struct ctfs_out *dat, *idx;
	uint32_t per, n; /* records a chunk holds; in this one so far */
	struct buf raw;	 /* of this chunk, not yet handed over */
	uint64_t given;	 /* bytes of this chunk that were handed over */
	bool sized;	 /* its size was said before its first byte */
	ZSTD_CCtx *own;	 /* only for chunks beyond CT_RAW_MAX */
	struct buf packed; /* of a chunk whose header is not final yet */
};

/*
 * Compresses on a thread of its own, one piece at a time, while the next one is
 * made. Between pack_start() and pack_wait() the piece is the thread's.
 */
struct packer {
	ZSTD_CCtx *cctx; /* of all chunks that are one piece, and of sized ones */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t turn;
	bool threaded, busy, leaves;
	struct chunk_out *of; /* whose piece it is; NULL: none */
	struct {
		ZSTD_CCtx *cctx;
		struct buf in, out;
		ZSTD_EndDirective end;
		size_t code; /* zstd's */
		bool first, hold; /* of its chunk; the chunk's header is to be completed */
	} piece;
};

int packer_init(struct packer *z);
void packer_deinit(struct packer *z); /* before the streams */
ZSTD_CCtx *packer_cctx(void);
int packer_fail(size_t code); /* zstd's */
void pack_start(struct packer *z);
void pack_join(struct packer *z); /* until the piece is done */
int chunk_init(struct chunk_out *s, struct ctfs_writer *c, const char *name, uint32_t per);
void chunk_deinit(struct chunk_out *s);
/* The caller appended one more record to s->raw. */
int chunk_commit(struct chunk_out *s, struct packer *z);
int chunk_finish(struct chunk_out *s, struct packer *z);
/* What was handed over is in the file. */
int chunk_wait(struct packer *z);

/* A frame whose size is known before its bytes: constant memory however long. */
int frame_begin(struct chunk_out *s, struct packer *z, uint64_t size);
int frame_put(struct chunk_out *s, struct packer *z, const void *data, size_t n);
int frame_end(struct chunk_out *s, struct packer *z);

/* ---- interning tables ---- */
struct table_out {
	struct ctfs_out *dat, *off;
	struct buf text;     /* all names end to end */
	struct buf entries;  /* struct table_entry */
	uint32_t *slots;     /* id + 1, open addressing */
	uint32_t nslots, n;
};

struct table_entry {
	uint64_t hash, at;
	uint32_t len, extra;
};

int table_init(struct table_out *t, struct ctfs_writer *c, const char *name);
void table_deinit(struct table_out *t);
/* The id of (text, extra), or a new one: then 1, and the record is to be written. */
int table_intern(struct table_out *t, const uint8_t *text, size_t len, uint32_t extra, uint32_t *id);
/* Ends the record of the newest name, whose bytes were appended to t->dat. */
int table_record_end(struct table_out *t);
const struct table_entry *table_entry(const struct table_out *t, uint32_t id);

/* ---- calls ---- */
struct call_row { /* fixed: row k of the rows spool is call k */
	uint32_t function;
	uint32_t args_len; /* with their count */
	uint32_t ret_len;  /* 0: void */
	uint32_t exc_len;
	uint64_t ret_at;   /* in values; the exception follows the return value */
	uint64_t entry, exit;
	uint64_t subtree;  /* calls, itself included: the next sibling's key - its own */
	uint64_t nchildren;
	uint64_t children_len; /* bytes of the children's keys as varints */
};
_Static_assert(sizeof(struct call_row) == 64, "call_row");

struct open_call {
	uint64_t key;
	struct call_row row;
};

/* Arguments and return values repeat: what was written lately is not again. */
#define CALLS_KNOWN 4096u
struct call_value {
	XXH128_hash_t hash;
	uint64_t at;
};

struct calls_out {
	struct spool rows, args, values; /* args: of each call, where in values */
	uint64_t seed;
	struct call_value *known;
	struct call_row *window; /* rows [first, n) */
	uint64_t first, n;
	struct open_call *open;
	size_t nopen, open_cap;
	struct buf scratch;
};

int calls_init(struct calls_out *c, int spool_dir_fd);
void calls_deinit(struct calls_out *c);
int calls_enter(struct calls_out *c, uint64_t steps, uint32_t function, const struct trace_var *args,
		size_t nargs);
int calls_exit(struct calls_out *c, uint64_t steps, const uint8_t *ret, size_t ret_len,
	       const uint8_t *exc, size_t exc_len);
/* Of a closed call. */
int calls_returned(struct calls_out *c, uint64_t key, const uint8_t *ret, size_t ret_len,
		   const uint8_t *exc, size_t exc_len);
/* All calls are closed: nothing of them stays in memory. */
int calls_flush(struct calls_out *c);
int calls_merge(struct calls_out *c, struct chunk_out *s, struct packer *z);

#endif
