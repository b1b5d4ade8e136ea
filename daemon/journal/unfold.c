/* SPDX-License-Identifier: MIT */
/*
 * unfold.c: the unfolding side (fold.h has the format). The bytes are hostile:
 * each step takes only what is there and writes only where there is room.
 */
#include <stdlib.h>
#include <string.h>

#include "journal/fold.h"

struct in {
	const uint8_t *p, *end;
};

struct base {
	size_t at, words;
};

struct unfold {
	struct fold_guess guess;
	struct in heads, values, words;
	uint8_t *raw;
	size_t at, len;
	uint32_t nobjects;
	struct base objects[FOLD_OBJECTS];
};

static bool take_varint(struct in *in, uint64_t *v)
{
	*v = 0;
	for (unsigned shift = 0; shift < 64 && in->p < in->end; shift += 7) {
		uint8_t b = *in->p++;

		*v |= (uint64_t)(b & 127) << shift;
		if (b < 128)
			return true;
	}
	return false;
}

static bool take_svarint(struct in *in, int64_t *v)
{
	uint64_t u;

	if (!take_varint(in, &u))
		return false;
	*v = (int64_t)(u >> 1 ^ -(u & 1));
	return true;
}

static bool put(struct unfold *u, const void *p, size_t n)
{
	if (n > u->len - u->at)
		return false;
	memcpy(u->raw + u->at, p, n);
	u->at += n;
	return true;
}

static bool put_word(struct unfold *u, uint64_t w)
{
	return put(u, &w, sizeof(w));
}

static bool put_words(struct unfold *u, uint64_t n)
{
	if (n > (size_t)(u->words.end - u->words.p) / 8 || !put(u, u->words.p, n * 8))
		return false;
	u->words.p += n * 8;
	return true;
}

static bool literal(struct unfold *u, size_t *words)
{
	uint64_t n;

	if (!take_varint(&u->values, &n) || !put_words(u, n))
		return false;
	*words = n;
	return true;
}

static bool put_changed(struct unfold *u, const struct base *last, size_t *k, uint64_t n)
{
	for (; n--; ++*k) {
		uint64_t w;
		int64_t by;

		if (*k >= last->words || !take_svarint(&u->values, &by))
			return false;
		memcpy(&w, u->raw + last->at + *k * 8, 8);
		if (!put_word(u, w + (uint64_t)by))
			return false;
	}
	return true;
}

static bool diff(struct unfold *u, const struct base *last, size_t *words)
{
	size_t start = u->at, end, k = 0;
	uint64_t n;
	int64_t more;

	if (!take_svarint(&u->values, &more))
		return false;
	*words = last->words + (size_t)more;
	if (*words > (u->len - u->at) / 8)
		return false;
	end = start + *words * 8;
	for (;;) {
		if (!take_varint(&u->values, &n) || n > last->words - k || n > (end - u->at) / 8 ||
		    !put(u, u->raw + last->at + k * 8, n * 8))
			return false;
		k += n;
		if (u->at == end)
			return true;
		if (!take_varint(&u->values, &n) || n >> 1 > (end - u->at) / 8)
			return false;
		if (!(n & 1)) {
			if (!put_changed(u, last, &k, n >> 1))
				return false;
			continue;
		}
		if (!put_words(u, n >> 1) || !take_svarint(&u->values, &more) || more < 0 ||
		    (uint64_t)more > last->words - k)
			return false;
		k += (size_t)more;
	}
}

static bool object(struct unfold *u, uint64_t op)
{
	struct base now = { .at = u->at }, last = { 0 };
	bool new = op == FOLD_NEW || op == FOLD_LIKE, good;
	uint64_t id = (op - FOLD_CHANGED) / 2; /* of last */

	if ((op == FOLD_AGAIN || op == FOLD_LIKE) && !take_varint(&u->values, &id))
		return false;
	if (op != FOLD_NEW && id >= u->nobjects)
		return false;
	if (op != FOLD_NEW)
		last = u->objects[id];
	if (op == FOLD_NEW || op == FOLD_AGAIN) {
		good = literal(u, &now.words);
	} else if (op >= FOLD_SAME && op % 2 == FOLD_SAME % 2) {
		now.words = last.words;
		good = put(u, u->raw + last.at, last.words * 8);
	} else {
		good = diff(u, &last, &now.words);
	}
	if (!good || (new && u->nobjects == FOLD_OBJECTS))
		return false;
	if (new)
		id = u->nobjects++;
	u->objects[id] = now;
	return true;
}

static bool value(struct unfold *u)
{
	uint64_t op;
	size_t words;
	int64_t i;

	if (!take_varint(&u->values, &op))
		return false;
	switch (op) {
	case FOLD_LITERAL:
		return literal(u, &words);
	case FOLD_NONE ... FOLD_FALSE:
		return put_word(u, EVN_NONE + op - FOLD_NONE);
	case FOLD_INT:
		return take_svarint(&u->values, &i) && put_word(u, EVN_INT) && put_word(u, (uint64_t)i);
	case FOLD_NOTHING:
		return true;
	default:
		return object(u, op);
	}
}

static bool variable(struct unfold *u)
{
	struct ev_var v = { 0 };
	size_t head = u->at;
	uint64_t slot, flags = 0;

	if (!take_varint(&u->heads, &slot) || (slot & 1 && !take_varint(&u->heads, &flags)) ||
	    !put(u, &v, sizeof(v)) || !value(u))
		return false;
	v.slot = (ev_u16)((slot >> 1) - 2);
	v.flags = (ev_u16)flags;
	v.size = (ev_u32)(u->at - head - sizeof(v));
	memcpy(u->raw + head, &v, sizeof(v));
	return true;
}

static bool take_head(struct unfold *u, uint8_t op, struct ev_frame *e)
{
	struct fold_guess *g = &u->guess;
	uint64_t n = op >> 5, v;
	struct fold_frame x;
	int64_t by = 0;

	e->h.type = op & 3;
	if (op & FOLD_FLAGS) {
		if (u->heads.p == u->heads.end)
			return false;
		g->flags[e->h.type] = *u->heads.p++;
	}
	e->h.flags = g->flags[e->h.type];
	if (n == 7) {
		if (!take_varint(&u->heads, &n) || n > UINT16_MAX - 7)
			return false;
		n += 7;
	}
	e->h.nvars = (ev_u16)n;
	if (!(op & FOLD_EXPECTED)) {
		if (!take_varint(&u->heads, &v) || !take_svarint(&u->heads, &by))
			return false;
		guess_thread(g, (uint32_t)v);
	}
	x = guess_frame(g, e->h.type);
	e->thread = g->now->thread;
	e->frame = x.frame + (uint64_t)by;
	by = 0;
	if ((!(op & FOLD_EXPECTED) || e->h.type == EV_ENTRY) && !take_svarint(&u->heads, &by))
		return false;
	e->code = x.code + (uint32_t)by;
	by = 0;
	if (!(op & FOLD_EXPECTED) && !take_svarint(&u->heads, &by))
		return false;
	e->depth = x.depth + (uint32_t)by;
	if (!take_varint(&u->heads, &v))
		return false;
	e->lasti = (uint32_t)v << 1 | (uint32_t)v >> 31;
	if (op & FOLD_TIME) {
		if (!take_svarint(&u->heads, &by))
			return false;
		g->time += (uint64_t)by;
		e->time = g->time;
	}
	guess_seen(g, e);
	return true;
}

static bool record(struct unfold *u)
{
	struct ev_frame e = { 0 };
	size_t start = u->at;
	uint64_t n;
	uint8_t op;

	if (u->heads.p == u->heads.end)
		return false;
	op = *u->heads.p++;
	if (!(op & 3)) /* a record of no words would never end */
		return take_varint(&u->heads, &n) && n && put_words(u, n);
	if (!take_head(u, op, &e) || !put(u, &e, sizeof(e)))
		return false;
	for (unsigned i = 0; i < e.h.nvars; i++)
		if (!variable(u))
			return false;
	e.h.size = (ev_u32)(u->at - start);
	memcpy(u->raw + start, &e.h, sizeof(e.h));
	return true;
}

bool unfold_chunk(struct unfold *u, const uint8_t *in, size_t n, uint8_t *raw, size_t len)
{
	uint32_t sizes[2];

	if (n < sizeof(sizes))
		return false;
	memcpy(sizes, in, sizeof(sizes));
	in += sizeof(sizes);
	n -= sizeof(sizes);
	if (sizes[0] > n || sizes[1] > n - sizes[0])
		return false;
	u->heads = (struct in){ in, in + sizes[0] };
	u->values = (struct in){ u->heads.end, u->heads.end + sizes[1] };
	u->words = (struct in){ u->values.end, in + n };
	u->raw = raw;
	u->at = 0;
	u->len = len;
	u->nobjects = 0;
	guess_reset(&u->guess);
	while (u->at < len)
		if (!record(u))
			return false;
	return true;
}

struct unfold *unfold_new(void)
{
	return calloc(1, sizeof(struct unfold));
}

struct unfold *unfold_free(struct unfold *u)
{
	free(u);
	return NULL;
}
