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

#define JOURNAL_MAGIC "ctrec\0J\1"
#define JOURNAL_CHUNK_MAGIC 0x4b4e4843u /* "CHNK" */

/* Raw bytes after which a chunk is written. */
#define JOURNAL_CHUNK_RAW (256u << 10)
#define JOURNAL_LEVEL 1
/* The largest definition (a source text) and the largest event (a checkpoint). */
#define JOURNAL_MAX_DEFINITION (64u << 20)
#define JOURNAL_MAX_CHECKPOINT (32u << 20)
/* A chunk is at most one full chunk and one more record. */
#define JOURNAL_MAX_RAW (JOURNAL_MAX_DEFINITION + JOURNAL_CHUNK_RAW)

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
	uint32_t raw, packed; /* bytes before and after compression */
	uint32_t nrecords;
	uint32_t pad;
	uint64_t hash;	      /* XXH64 of the packed bytes */
	uint64_t header_hash; /* XXH64 of the header up to here */
};

_Static_assert(sizeof(struct journal_file_header) == 16, "journal_file_header");
_Static_assert(sizeof(struct journal_chunk_header) == 48, "journal_chunk_header");

#endif
