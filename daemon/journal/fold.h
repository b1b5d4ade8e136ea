/* SPDX-License-Identifier: MIT */
/*
 * fold.h: an events chunk, said shorter before it is compressed. Private to
 * daemon/journal.
 *
 * A record's variables are whole trees, and most of them were in the chunk
 * before: the same object, with a number changed, an element more, or nothing
 * at all. A compressor finds that out byte by byte, at a nanosecond each. Here
 * the object's address says at once what to compare with, and what goes to the
 * compressor is a few bytes a record. Nothing is lost by it: unfolding gives the
 * same bytes. A chunk knows nothing of the chunks before it.
 *
 * A folded chunk is u32 bytes of heads, u32 bytes of values, the two, and the
 * rest: words. Numbers are varints (LEB128), signed ones zigzag.
 *
 * heads, for each record
 *   u8: bits 0-1 type of a frame event, or 0: any other record, then varint
 *       size/8 and the record itself in words;
 *       2: thread, frame, code and depth are as expected; 3: flags are not those
 *       of the last record of the type, u8 flags follow; 4: there is a time;
 *       5-7: nvars, 7: varint nvars-7 follows
 *   not as expected: varint thread, svarints frame, code, depth minus expected
 *   as expected, an entry: svarint code minus expected
 *   varint lasti, its lowest bit moved to the top
 *   time: svarint, minus the last one
 *   each variable: varint of (slot + 2 mod 2^16) << 1 | (flags != 0); varint flags
 *
 * values, for each variable: varint
 *   0 literal: varint words, which are in words
 *   1, 2, 3 the nodes None, True, False alone
 *   4 the node of a small int alone, svarint
 *   5 nothing
 *   6 literal, as 0, of an object not yet known: it gets the next id
 *   7 literal, as 0, of a known object: varint id
 *   8 changes, as 9 has them, of an object not yet known to one like it: varint
 *     its id; the new one gets the next
 *   9 + 2 id: changed; svarint words more than last, then
 *	varint words to copy; unless that was all: varint n << 1 | s;
 *	s 0: n words changed, svarints added to the last ones;
 *	s 1: n words from words, then svarint: last ones passed over
 *   10 + 2 id: as the object was last
 * An object is known by the second word of its value (an address, mostly).
 */
#ifndef JOURNAL_FOLD_H
#define JOURNAL_FOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ctrec/event.h"
#include "util/buf.h"

#define FOLD_OBJECTS 16384u
#define FOLD_SLOTS (4 * FOLD_OBJECTS)
#define FOLD_KINDS 256u
#define FOLD_THREADS 16u
#define FOLD_STACK 64u

enum { FOLD_LITERAL, FOLD_NONE, FOLD_TRUE, FOLD_FALSE, FOLD_INT, FOLD_NOTHING, FOLD_NEW, FOLD_AGAIN,
       FOLD_LIKE, FOLD_CHANGED, FOLD_SAME };
#define FOLD_EXPECTED 0x04
#define FOLD_FLAGS 0x08
#define FOLD_TIME 0x10

/* What both sides expect of the next record. */
struct fold_frame {
	uint64_t frame;
	uint32_t code, depth;
};

struct fold_thread {
	uint32_t thread, n;
	struct fold_frame stack[FOLD_STACK];
};

struct fold_guess {
	struct fold_thread threads[FOLD_THREADS], *now;
	uint64_t next_frame, time;
	uint8_t flags[4]; /* by type */
};

struct fold_object {
	uint64_t key;
	uint32_t at, words; /* its last value, in the chunk's raw bytes */
};

struct fold {
	struct buf heads, values, words;
	struct fold_guess guess;
	uint32_t nobjects;
	struct fold_object objects[FOLD_OBJECTS];
	uint32_t slots[FOLD_SLOTS]; /* id + 1; 0: free */
	uint32_t kinds[FOLD_KINDS]; /* id + 1 of the newest object of a kind and type */
};

void guess_reset(struct fold_guess *g);
void guess_thread(struct fold_guess *g, uint32_t thread);
/* The frame expected for an event of that type. */
struct fold_frame guess_frame(const struct fold_guess *g, unsigned type);
void guess_seen(struct fold_guess *g, const struct ev_frame *e);

struct fold *fold_new(void);
struct fold *fold_free(struct fold *f);
void fold_reset(struct fold *f);
/* The whole record at raw + at; what stands before it was folded before. */
void fold_record(struct fold *f, const uint8_t *raw, size_t at);
/* Appends the folded chunk. 0 or -code */
int fold_finish(struct fold *f, struct buf *out);

struct unfold;
struct unfold *unfold_new(void);
struct unfold *unfold_free(struct unfold *u);
/* Exactly len bytes to raw. False: the bytes make no sense. */
bool unfold_chunk(struct unfold *u, const uint8_t *in, size_t n, uint8_t *raw, size_t len);

#endif
