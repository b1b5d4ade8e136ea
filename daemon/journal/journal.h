/* SPDX-License-Identifier: MIT */
/*
 * journal.h: the append-only file of a recording, readable up to its last whole
 * chunk after any crash.
 *
 * A file header, then chunks. Each chunk has a header with a magic, its kind
 * (definitions or events), sequence number, sizes raw and compressed, the
 * number of records and an XXH64 of the compressed bytes; then one zstd frame
 * of whole records (event.h), events folded (fold.h). Definitions (EV_META, EV_END, EV_DEF*) stand in
 * chunks of their own; a definitions chunk that is pending is always written
 * before the events chunk that may use it.
 */
#ifndef JOURNAL_JOURNAL_H
#define JOURNAL_JOURNAL_H

#include <stddef.h>
#include <stdint.h>

#include "ctrec/event.h"

struct journal;

/* Starts a journal in fd (empty; stays the caller's). */
int journal_new(struct journal **ret, int fd);
/* Appends one whole record to the events; its `order` is stored as zero. Only
 * one thread may append events. Writes a chunk when enough has gathered. */
int journal_event(struct journal *j, const struct ev_header *record);
/* Appends one or more whole definition records. From any thread. */
int journal_define(struct journal *j, const void *records, size_t len);
/* Writes what is pending as chunks (call at least once a second). */
int journal_flush(struct journal *j);
uint64_t journal_bytes(const struct journal *j); /* written so far */
/* Flushes and frees; returns NULL. Errors of the last flush are lost: call journal_flush first. */
struct journal *journal_free(struct journal *j);

struct journal_reader;

int journal_reader_new(struct journal_reader **ret, int fd);
/* Reads ahead through all definition chunks, calling each() for each record. */
int journal_definitions(struct journal_reader *r,
			int (*each)(void *ctx, const struct ev_header *record), void *ctx);
/* The next event record in order (valid until the next call), 1; 0 at the end; -code.
 * Every record returned has a sane size; its body is still to be checked. A
 * damaged chunk is skipped and given as an EV_GAP (EVG_JOURNAL); a torn tail is the end. */
int journal_next(struct journal_reader *r, const struct ev_header **record);
/* True when the file ends in a torn chunk or without EV_END. */
int journal_is_torn(const struct journal_reader *r);
struct journal_reader *journal_reader_free(struct journal_reader *r);

#endif
