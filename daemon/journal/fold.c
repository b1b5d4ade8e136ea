/* SPDX-License-Identifier: MIT */
/*
 * fold.c: the folding side (fold.h has the format). It runs for each record in
 * the daemon's only hot path, so a value is compared in large pieces, and where
 * values differ only a few words are looked at to find out how they go on.
 */
#include "journal/fold.h"

#include <stdlib.h>
#include <string.h>

/* Words that must agree for values to be in step again; how far apart they are looked for. */
#define AGREE 2u
#define REACH 64u
#define CHANGED_RUN 2u
/* Places where two values may differ before one is no base for the other. */
#define PLACES_MAX 64u
#define BIG_STEP 32u

static uint64_t word(const uint8_t *p, size_t i)
{
	uint64_t w;

	memcpy(&w, p + i * 8, 8);
	return w;
}

static uint32_t slot_of(uint64_t key)
{
	return (uint32_t)((key * 0x9e3779b97f4a7c15u) >> 40) % FOLD_SLOTS;
}

/* The object of a key; NULL with *slot where it would go. */
static struct fold_object *find(struct fold *f, uint64_t key, uint32_t **slot)
{
	for (uint32_t i = slot_of(key);; i = (i + 1) % FOLD_SLOTS) {
		*slot = &f->slots[i];
		if (!f->slots[i])
			return NULL;
		if (f->objects[f->slots[i] - 1].key == key)
			return &f->objects[f->slots[i] - 1];
	}
}

static size_t equal_words(const uint8_t *a, const uint8_t *b, size_t n)
{
	size_t i = 0;

	while (n - i >= BIG_STEP && memcmp(a + i * 8, b + i * 8, BIG_STEP * 8) == 0)
		i += BIG_STEP;
	while (i < n && word(a, i) == word(b, i))
		i++;
	return i;
}

static bool agree(const uint8_t *a, size_t i, size_t n, const uint8_t *b, size_t k, size_t m)
{
	/* at the very end fewer have to do */
	for (size_t w = 0; w < AGREE && i + w < n && k + w < m; w++)
		if (word(a, i + w) != word(b, k + w))
			return false;
	return true;
}

struct differ {
	const uint8_t *now, *last;
	size_t n, m; /* words of the two */
	size_t i, k; /* where they are compared */
};

/* Words changed in place until the two agree again; 0: more than a few. */
static size_t changed(const struct differ *d)
{
	for (size_t s = 1; s <= CHANGED_RUN && d->i + s <= d->n && d->k + s <= d->m; s++)
		if (agree(d->now, d->i + s, d->n, d->last, d->k + s, d->m))
			return s;
	return 0;
}

/* Words put in or left out until the two agree again. False: neither. */
static bool moved(const struct differ *d, size_t *in, size_t *out)
{
	for (size_t s = 1; s <= REACH; s++) {
		*in = s;
		*out = 0;
		if (d->i + s < d->n && d->k < d->m &&
		    agree(d->now, d->i + s, d->n, d->last, d->k, d->m))
			return true;
		*in = 0;
		*out = s;
		if (d->i < d->n && d->k + s < d->m &&
		    agree(d->now, d->i, d->n, d->last, d->k + s, d->m))
			return true;
	}
	return false;
}

static void put_changed(struct fold *f, struct differ *d, size_t n)
{
	buf_varint(&f->values, n << 1);
	for (; n--; d->i++, d->k++)
		buf_svarint(&f->values, (int64_t)(word(d->now, d->i) - word(d->last, d->k)));
}

static void put_moved(struct fold *f, struct differ *d, size_t in, size_t out)
{
	buf_varint(&f->values, in << 1 | 1);
	buf_append(&f->words, d->now + d->i * 8, in * 8);
	buf_svarint(&f->values, (int64_t)out);
	d->i += in;
	d->k += out;
}

/* False: the two have too little in common. */
static bool put_diff(struct fold *f, struct differ *d)
{
	size_t words = f->words.len, places = 0, in, out;

	buf_svarint(&f->values, (int64_t)(d->n - d->m));
	for (;;) {
		size_t left = d->n - d->i < d->m - d->k ? d->n - d->i : d->m - d->k;
		size_t same = equal_words(d->now + d->i * 8, d->last + d->k * 8, left), n;

		buf_varint(&f->values, same);
		d->i += same;
		d->k += same;
		if (d->i == d->n)
			return true;
		if (++places > PLACES_MAX)
			break;
		n = changed(d);
		if (n)
			put_changed(f, d, n);
		else if (d->k == d->m)
			put_moved(f, d, d->n - d->i, 0);
		else if (moved(d, &in, &out))
			put_moved(f, d, in, out);
		else
			put_changed(f, d, d->n - d->i > 1 && d->m - d->k > 1 ? 2 : 1);
	}
	if (!f->words.oom)
		f->words.len = words;
	return false;
}

static void put_literal(struct fold *f, const uint8_t *p, size_t words)
{
	buf_varint(&f->values, words);
	buf_append(&f->words, p, words * 8);
}

/* The value at `at` as what it differs in from the one o had. */
static bool put_against(struct fold *f, const struct fold_object *o, const uint8_t *raw, size_t at,
			size_t words, bool new)
{
	struct differ d = { .now = raw + at, .last = raw + o->at, .n = words, .m = o->words };
	uint64_t id = (uint64_t)(o - f->objects);
	size_t values = f->values.len;

	if (!new && d.n == d.m && memcmp(d.now, d.last, d.n * 8) == 0) {
		buf_varint(&f->values, FOLD_SAME + 2 * id);
		return true;
	}
	buf_varint(&f->values, new ? FOLD_LIKE : FOLD_CHANGED + 2 * id);
	if (new)
		buf_varint(&f->values, id);
	if (put_diff(f, &d))
		return true;
	if (!f->values.oom)
		f->values.len = values;
	return false;
}

static void fold_object(struct fold *f, const uint8_t *raw, size_t at, size_t words)
{
	const uint8_t *p = raw + at;
	uint32_t *slot, *kind = &f->kinds[slot_of(word(p, 0) ^ word(p, 2) << 32) % FOLD_KINDS];
	struct fold_object *o = find(f, word(p, 1), &slot);

	if (o) {
		if (!put_against(f, o, raw, at, words, false)) {
			buf_varint(&f->values, FOLD_AGAIN);
			buf_varint(&f->values, (uint64_t)(o - f->objects));
			put_literal(f, p, words);
		}
	} else if (f->nobjects < FOLD_OBJECTS) {
		if (!*kind || !put_against(f, &f->objects[*kind - 1], raw, at, words, true)) {
			buf_varint(&f->values, FOLD_NEW);
			put_literal(f, p, words);
		}
		o = &f->objects[f->nobjects++];
		o->key = word(p, 1);
		*slot = f->nobjects;
	} else {
		buf_varint(&f->values, FOLD_LITERAL);
		put_literal(f, p, words);
		return;
	}
	o->at = (uint32_t)at;
	o->words = (uint32_t)words;
	*kind = (uint32_t)(o - f->objects) + 1;
}

static void fold_value(struct fold *f, const uint8_t *raw, size_t at, size_t words)
{
	const uint8_t *p = raw + at;
	uint64_t first = words ? word(p, 0) : 0;

	if (words == 0) {
		buf_u8(&f->values, FOLD_NOTHING);
	} else if (words == 1 && first >= EVN_NONE && first <= EVN_FALSE) {
		buf_u8(&f->values, (uint8_t)(FOLD_NONE + first - EVN_NONE));
	} else if (words == 2 && first == EVN_INT) {
		buf_u8(&f->values, FOLD_INT);
		buf_svarint(&f->values, (int64_t)word(p, 1));
	} else if (words < 3) {
		buf_u8(&f->values, FOLD_LITERAL);
		put_literal(f, p, words);
	} else {
		fold_object(f, raw, at, words);
	}
}

/* A frame event whose variables fill it exactly. */
static bool is_regular(const uint8_t *p, const struct ev_frame *e)
{
	size_t at = sizeof(*e);

	if (e->h.type < EV_LINE || e->h.type > EV_RETURN || e->h.size < sizeof(*e) || e->h.order)
		return false;
	for (unsigned i = 0; i < e->h.nvars; i++) {
		struct ev_var v;

		if (e->h.size - at < sizeof(v))
			return false;
		memcpy(&v, p + at, sizeof(v));
		at += sizeof(v);
		if (v.size % 8 || v.size > e->h.size - at)
			return false;
		at += v.size;
	}
	return at == e->h.size;
}

static void put_head(struct fold *f, const struct ev_frame *e)
{
	struct fold_guess *g = &f->guess;
	struct fold_frame x = guess_frame(g, e->h.type);
	unsigned type = e->h.type, nvars = e->h.nvars < 7 ? e->h.nvars : 7;
	bool expected = g->now->thread == e->thread && x.frame == e->frame && x.depth == e->depth &&
			(x.code == e->code || type == EV_ENTRY);
	bool flags = g->flags[type] != e->h.flags;

	buf_u8(&f->heads, (uint8_t)(type | expected * FOLD_EXPECTED | flags * FOLD_FLAGS |
				    !!e->time * FOLD_TIME | nvars << 5));
	if (flags)
		buf_u8(&f->heads, e->h.flags);
	g->flags[type] = e->h.flags;
	if (nvars == 7)
		buf_varint(&f->heads, e->h.nvars - 7u);
	if (!expected) {
		buf_varint(&f->heads, e->thread);
		guess_thread(g, e->thread);
		x = guess_frame(g, type);
		buf_svarint(&f->heads, (int64_t)(e->frame - x.frame));
		buf_svarint(&f->heads, (int64_t)e->code - x.code);
		buf_svarint(&f->heads, (int64_t)e->depth - x.depth);
	} else if (type == EV_ENTRY) {
		buf_svarint(&f->heads, (int64_t)e->code - x.code);
	}
	buf_varint(&f->heads, e->lasti >> 1 | e->lasti << 31);
	if (e->time) {
		buf_svarint(&f->heads, (int64_t)(e->time - g->time));
		g->time = e->time;
	}
	guess_seen(g, e);
}

void fold_record(struct fold *f, const uint8_t *raw, size_t at)
{
	const uint8_t *p = raw + at;
	struct ev_frame e = { 0 };
	struct ev_var v;

	memcpy(&e.h, p, sizeof(e.h));
	memcpy(&e, p, e.h.size < sizeof(e) ? sizeof(e.h) : sizeof(e));
	if (!is_regular(p, &e)) {
		buf_u8(&f->heads, 0);
		buf_varint(&f->heads, e.h.size / 8);
		buf_append(&f->words, p, e.h.size);
		return;
	}
	put_head(f, &e);
	at += sizeof(e);
	for (unsigned i = 0; i < e.h.nvars; i++) {
		memcpy(&v, raw + at, sizeof(v));
		at += sizeof(v);
		buf_varint(&f->heads, (uint32_t)(uint16_t)(v.slot + 2) << 1 | !!v.flags);
		if (v.flags)
			buf_varint(&f->heads, v.flags);
		fold_value(f, raw, at, v.size / 8);
		at += v.size;
	}
}

int fold_finish(struct fold *f, struct buf *out)
{
	if (f->heads.oom || f->values.oom || f->words.oom)
		out->oom = true;
	buf_u32(out, (uint32_t)f->heads.len);
	buf_u32(out, (uint32_t)f->values.len);
	buf_append(out, f->heads.data, f->heads.len);
	buf_append(out, f->values.data, f->values.len);
	buf_append(out, f->words.data, f->words.len);
	return buf_check(out);
}

void fold_reset(struct fold *f)
{
	buf_clear(&f->heads);
	buf_clear(&f->values);
	buf_clear(&f->words);
	guess_reset(&f->guess);
	f->nobjects = 0;
	memset(f->slots, 0, sizeof(f->slots));
	memset(f->kinds, 0, sizeof(f->kinds));
}

struct fold *fold_new(void)
{
	struct fold *f = calloc(1, sizeof(*f));

	if (f)
		guess_reset(&f->guess);
	return f;
}

struct fold *fold_free(struct fold *f)
{
	if (!f)
		return NULL;
	buf_deinit(&f->heads);
	buf_deinit(&f->values);
	buf_deinit(&f->words);
	free(f);
	return NULL;
}
