/* SPDX-License-Identifier: MIT */
/*
 * writer.h: what the assembler tells a trace writer.
 *
 * A writer knows no Python, no BPF and no journal. It is given one timeline:
 * steps in order, each with all its variables; calls that nest strictly
 * (preorder entries, so that a call's subtree is a contiguous run of keys);
 * output. Memory stays constant: finished calls spool to `spool` files as fixed
 * rows and are merged when the trace is finished; only open calls are held.
 *
 * All functions return 0 or -code (err.h). After a failure only
 * trace_writer_free() may be called. Ids are positions from 0.
 */
#ifndef TRACE_WRITER_H
#define TRACE_WRITER_H

#include <stddef.h>
#include <stdint.h>

struct trace_writer;

struct trace_meta {
	const char *recording_id; /* UUIDv7, 36 characters, lower case; NULL: made here */
	const char *program;
	const char *const *args;
	size_t nargs;
	const char *workdir;
	const char *recorder; /* "ctrec 0.1.0" */
};

/* Writes a .ct to out_fd (empty, readable, seekable; stays the caller's).
 * spool_dir_fd: a directory for unnamed temporary files (O_TMPFILE, else
 * created and unlinked), or -1 for $TMPDIR or /tmp. Copies meta. */
int ct_writer_new(struct trace_writer **ret, int out_fd, int spool_dir_fd,
		  const struct trace_meta *meta);

/* Interning; the same text gives the same id (paths: the same text and nlines).
 * A path gets a table of nlines lines (at least 1), fixed from here on. */
int trace_path(struct trace_writer *w, const char *path, size_t len, uint32_t nlines, uint32_t *id);
int trace_function(struct trace_writer *w, const char *name, size_t len, uint32_t *id);
int trace_type(struct trace_writer *w, const char *name, size_t len, uint32_t *id);
int trace_varname(struct trace_writer *w, const char *name, size_t len, uint32_t *id);

struct trace_var {
	uint32_t name;	     /* varname id */
	uint32_t len;	     /* of cbor */
	const uint8_t *cbor; /* one value as trace-format.md section 8 has it */
};

/* The next step. line: 1..nlines of the path. Its index is the number of steps before it. */
int trace_step(struct trace_writer *w, uint32_t path, uint32_t line, const struct trace_var *vars,
	       size_t nvars);

/* Enters a call below the innermost open one; the next step is its first. */
int trace_call_enter(struct trace_writer *w, uint32_t function, const struct trace_var *args,
		     size_t nargs);
/* Leaves the innermost open call; its last step is the last one written. If it
 * had no step of its own, entry and exit are the step before it. ret NULL: void.
 * exc NULL: none. */
int trace_call_exit(struct trace_writer *w, const uint8_t *ret, size_t ret_len, const uint8_t *exc,
		    size_t exc_len);

/* A call that was left void returned (or raised) after all. call: how many were entered before it. */
int trace_call_returned(struct trace_writer *w, uint64_t call, const uint8_t *ret, size_t ret_len,
			const uint8_t *exc, size_t exc_len);

/* An event (kind: trace-format.md section 7) tied to the last step written (or the first, before any). */
int trace_event(struct trace_writer *w, uint8_t kind, const char *metadata, size_t metadata_len,
		const uint8_t *content, size_t content_len);

/* Adds an internal file of our own (cx.meta, cx.src, …), at most 12 characters
 * of [0-9a-z./-]; appended to when given again. Other readers ignore them. */
int trace_internal(struct trace_writer *w, const char *name, const void *data, size_t len);

struct trace_counts {
	uint64_t steps, calls, events, bytes; /* bytes: of the file, after finish */
};

/* Closes calls that are still open (void), merges and writes everything. */
int trace_finish(struct trace_writer *w, struct trace_counts *counts);
/* Without trace_finish() before it the file is left unusable. Returns NULL. */
struct trace_writer *trace_writer_free(struct trace_writer *w);
uint64_t trace_steps(const struct trace_writer *w); /* so far */

#endif
