/* SPDX-License-Identifier: MIT */
/*
 * assemble_cache.h: values that were encoded before. Private to assemble*.c.
 *
 * Programs hand the same few objects around, and a record has the whole of one
 * each time: half of the values and more have the bytes of a recent one. They
 * are known by a 128-bit hash, seeded so that no program can make two of them meet.
 */
#ifndef TRACE_ASSEMBLE_CACHE_H
#define TRACE_ASSEMBLE_CACHE_H

#include <xxhash.h>

#include "trace/value.h"

#define CACHE_SLOTS 2048u
/* Shorter trees are encoded sooner than they are found; longer results not kept. */
#define CACHE_LEAST 48u
#define CACHE_MOST (16u << 10)

struct cached {
	XXH128_hash_t hash;
	struct value_result result;
	uint32_t len, cap;
	uint8_t *cbor; /* NULL: free */
};

struct cache {
	uint64_t seed;
	struct cached slots[CACHE_SLOTS];
};

void cache_init(struct cache *c);
void cache_deinit(struct cache *c);
/* Types have changed: nothing is as it was. */
void cache_clear(struct cache *c);
/* As value_encode(), where out is empty before. */
int cache_encode(struct cache *c, struct value_encoder *v, const void *nodes, size_t len,
		 unsigned flags, struct buf *out, struct value_result *result);

#endif
