/* SPDX-License-Identifier: MIT */
/*
 * format.h: the journal's bytes on disk, private to daemon/journal.
 *
 * One file header, then chunks end to end. A chunk's header carries a hash of
 * itself, so that a reader that lost its place can tell a header from bytes
 * that look like one. Integers are little-endian. The limits below are what a
 * reader believes at most; a writer never exceeds them.
 */
#ifndef JOURNAL_FORMAT_H
#define JOURNAL_FORMAT_H

#include <stdint.h>

#define JOURNAL_MAGIC "ctrec\0J\2"
#define JOURNAL_CHUNK_MAGIC 0x4b4e4843u /* "CHNK" */

/* Raw bytes after which a chunk is written. Events fold (fold.h): what their
 * objects were is remembered within a chunk, so that a long one is a small one. */
#define JOURNAL_CHUNK_RAW (256u << 10)
#define JOURNAL_EVENTS_RAW (2u << 20)
#define JOURNAL_LEVEL 3
/* The largest definition (a source text) and the largest event (a checkpoint). */
#define JOURNAL_MAX_DEFINITION (64u << 20)
#define JOURNAL_MAX_CHECKPOINT (32u << 20)
/* A chunk is at most one full chunk and one more record. */
#define JOURNAL_MAX_RAW (JOURNAL_MAX_DEFINITION + JOURNAL_CHUNK_RAW)
#define JOURNAL_MAX_FOLDED(raw) ((raw) / 2 * 3 + 65536u)

enum journal_kind { JOURNAL_DEFINITIONS = 1, JOURNAL_EVENTS = 2 };

struct journal_file_header {
	char magic[8];
	uint32_t ev_version;
	uint32_t pad;
};

struct journal_chunk_header {
	uint32_t magic;
	uint32_t kind; /* enum journal_kind */
	uint64_t seq;  /* from 0, over both kinds */
	uint32_t raw, packed; /* bytes of the records, and as they stand here */
	uint32_t nrecords;
	uint32_t folded; /* bytes before compression: of events they are fewer than raw */
	uint64_t hash;	      /* XXH64 of the packed bytes */
	uint64_t header_hash; /* XXH64 of the header up to here */
};

_Static_assert(sizeof(struct journal_file_header) == 16, "journal_file_header");
_Static_assert(sizeof(struct journal_chunk_header) == 48, "journal_chunk_header");

#endif
