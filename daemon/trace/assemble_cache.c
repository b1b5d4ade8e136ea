/* SPDX-License-Identifier: MIT */
#include "trace/assemble_cache.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

void cache_init(struct cache *c)
{
	memset(c, 0, sizeof(*c));
	if (getrandom(&c->seed, sizeof(c->seed), 0) != sizeof(c->seed))
		c->seed = (uintptr_t)c;
}

void cache_deinit(struct cache *c)
{
	for (unsigned i = 0; i < CACHE_SLOTS; i++)
		free(c->slots[i].cbor);
}

void cache_clear(struct cache *c)
{
	for (unsigned i = 0; i < CACHE_SLOTS; i++)
		c->slots[i].len = 0;
}

/* Memory that can't be had is no failure: the value is just not kept. */
static void keep(struct cached *s, XXH128_hash_t hash, const struct buf *out,
		 const struct value_result *result)
{
	s->len = 0;
	if (!out->len || out->len > CACHE_MOST)
		return;
	if (s->cap < out->len) {
		free(s->cbor);
		s->cap = 0;
		s->cbor = malloc(out->len);
		if (!s->cbor)
			return;
		s->cap = (uint32_t)out->len;
	}
	memcpy(s->cbor, out->data, out->len);
	s->len = (uint32_t)out->len;
	s->hash = hash;
	s->result = *result;
}

int cache_encode(struct cache *c, struct value_encoder *v, const void *nodes, size_t len,
		 unsigned flags, struct buf *out, struct value_result *result)
{
	XXH128_hash_t hash;
	struct cached *s;
	int rc;

	if (len < CACHE_LEAST)
		return value_encode(v, nodes, len, flags, out, result);
	hash = XXH3_128bits_withSeed(nodes, len, c->seed + flags);
	s = &c->slots[hash.low64 % CACHE_SLOTS];
	if (s->len && XXH128_isEqual(s->hash, hash)) {
		buf_append(out, s->cbor, s->len);
		*result = s->result;
		return buf_check(out);
	}
	rc = value_encode(v, nodes, len, flags, out, result);
	if (rc == 0)
		keep(s, hash, out, result);
	return rc;
}
