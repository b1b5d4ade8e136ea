/* SPDX-License-Identifier: MIT */
/*
 * test_fold.c: what is folded unfolds to the same bytes, whatever they are; what
 * was damaged unfolds to anything or nothing, and within its room.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "journal/fold.h"
#include "records.h"

static uint64_t seed;

static uint64_t rnd(uint64_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % below;
}

#define OBJECTS 40u
#define WORDS_MAX 300u
struct object {
	uint64_t words[WORDS_MAX];
	unsigned n;
};
static struct object objects[OBJECTS];

/* As objects go: a number changes, elements come and go, or it becomes another. */
static void change(struct object *o)
{
	unsigned at = o->n ? (unsigned)rnd(o->n) : 0, n = 1 + (unsigned)rnd(9);

	switch (rnd(o->n < 3 ? 1 : 6)) {
	case 0:
		o->n = 3 + (unsigned)rnd(60);
		for (unsigned i = 0; i < o->n; i++)
			o->words[i] = rnd(3) ? rnd(100) : rnd(UINT64_MAX);
		o->words[1] = 0x7f0000000000 + rnd(60) * 16;
		break;
	case 1:
	case 2:
		if (at > 1)
			o->words[at] += rnd(3) ? 1 : rnd(UINT64_MAX);
		break;
	case 3:
		n = n < o->n - at ? n : o->n - at;
		memmove(o->words + at, o->words + at + n, (o->n - at - n) * 8);
		o->n -= n;
		break;
	case 4:
		if (o->n + n > WORDS_MAX)
			break;
		memmove(o->words + at + n, o->words + at, (o->n - at) * 8);
		for (unsigned i = 0; i < n; i++)
			o->words[at + i] = rnd(50);
		o->n += n;
	}
}

static void put_value(struct rec *r)
{
	struct object *o = &objects[rnd(OBJECTS)];
	uint64_t small[2] = { rnd(5), 0 };

	switch (rnd(8)) {
	case 0:
		buf_append(&r->b, small, 8);
		break;
	case 1:
		small[0] = EVN_INT;
		small[1] = rnd(2) ? rnd(1000) - 500 : rnd(UINT64_MAX);
		buf_append(&r->b, small, 16);
		break;
	case 2:
		break;
	default:
		if (rnd(3) == 0)
			change(o);
		buf_append(&r->b, o->words, o->n * 8);
	}
}

static void put_frame(struct rec *r, uint64_t i)
{
	unsigned nvars = (unsigned)(rnd(4) ? rnd(4) : rnd(12));
	struct ev_frame *e;

	rec_frame(r, EV_LINE + (unsigned)rnd(3), (unsigned)(rnd(5) ? 0 : rnd(256)),
		  rnd(10) ? 100 + i / 3 : rnd(UINT64_MAX), (uint32_t)(rnd(9) ? 5 : rnd(UINT32_MAX)),
		  (uint32_t)(rnd(9) ? rnd(300) * 2 : rnd(UINT32_MAX)),
		  (uint32_t)(rnd(5) ? 1 : rnd(9) ? rnd(40) : rnd(UINT32_MAX)));
	e = (struct ev_frame *)r->b.data;
	e->depth = (uint32_t)(rnd(9) ? 3 + rnd(2) : rnd(UINT32_MAX));
	e->time = rnd(3) ? i * 1000 + rnd(900) : rnd(2) * rnd(UINT64_MAX);
	while (nvars--) {
		rec_var_begin(r, (unsigned)(rnd(9) ? rnd(6) : EV_SLOT_EXC + rnd(2)),
			      (unsigned)(rnd(5) ? 0 : rnd(65536)));
		put_value(r);
		rec_var_end(r);
	}
	/* sizes that do not add up are kept as well */
	e = (struct ev_frame *)r->b.data; /* it may have moved */
	if (rnd(50) == 0 && e->h.nvars)
		e->h.nvars += rnd(2) ? 1 : -1;
	if (rnd(50) == 0)
		e->h.order = 7;
}

static void put_other(struct rec *r)
{
	struct ev_header h = { .type = (ev_u8)rnd(256), .nvars = (ev_u16)rnd(3) };

	buf_clear(&r->b);
	buf_append(&r->b, &h, sizeof(h));
	for (uint64_t n = rnd(20); n--;)
		buf_u64(&r->b, rnd(UINT64_MAX));
}

/* A chunk's records to raw, folded to out. */
static void make(struct fold *f, uint64_t n, struct buf *raw, struct buf *out)
{
	struct rec r = { 0 };

	memset(objects, 0, sizeof(objects));
	fold_reset(f);
	buf_clear(raw);
	buf_clear(out);
	for (uint64_t i = 0; i < n; i++) {
		size_t at = raw->len;

		if (rnd(20))
			put_frame(&r, i);
		else
			put_other(&r);
		rec_end(&r);
		buf_append(raw, r.b.data, r.b.len);
		fold_record(f, raw->data, at);
	}
	ck_assert_int_eq(fold_finish(f, out), 0);
	buf_deinit(&r.b);
}

START_TEST(test_same_again)
{
	struct fold *f = fold_new();
	struct unfold *u = unfold_new();
	struct buf raw = { 0 }, out = { 0 };

	for (unsigned round = 0; round < 200; round++) {
		uint8_t *back;

		seed = 1 + round;
		make(f, round % 7 ? round * 3 : 8000, &raw, &out);
		back = malloc(raw.len + 1);
		ck_assert(unfold_chunk(u, out.data, out.len, back, raw.len));
		ck_assert_int_eq(memcmp(raw.data ? raw.data : back, back, raw.len), 0);
		free(back);
	}
	fold_free(f);
	unfold_free(u);
	buf_deinit(&raw);
	buf_deinit(&out);
}
END_TEST

/* More objects than are remembered. */
START_TEST(test_many_objects)
{
	struct fold *f = fold_new();
	struct unfold *u = unfold_new();
	struct buf raw = { 0 }, out = { 0 };
	struct rec r = { 0 };
	uint8_t *back;

	fold_reset(f);
	for (uint64_t i = 0; i < 3 * FOLD_OBJECTS; i++) {
		size_t at = raw.len;

		rec_frame(&r, EV_LINE, 0, 1, 1, 0, 1);
		rec_var_begin(&r, 0, 0);
		buf_u64(&r.b, EVN_LIST);
		buf_u64(&r.b, i % (2 * FOLD_OBJECTS) * 64);
		buf_u64(&r.b, i);
		rec_var_end(&r);
		rec_end(&r);
		buf_append(&raw, r.b.data, r.b.len);
		fold_record(f, raw.data, at);
	}
	ck_assert_int_eq(fold_finish(f, &out), 0);
	ck_assert_uint_lt(out.len, raw.len / 3);
	back = malloc(raw.len);
	ck_assert(unfold_chunk(u, out.data, out.len, back, raw.len));
	ck_assert_int_eq(memcmp(raw.data, back, raw.len), 0);
	free(back);
	buf_deinit(&r.b);
	buf_deinit(&raw);
	buf_deinit(&out);
	fold_free(f);
	unfold_free(u);
}
END_TEST

START_TEST(test_damaged)
{
	struct fold *f = fold_new();
	struct unfold *u = unfold_new();
	struct buf raw = { 0 }, out = { 0 };
	uint8_t *back, *in;

	seed = 99;
	make(f, 300, &raw, &out);
	back = malloc(raw.len);
	for (unsigned i = 0; i < 60000; i++) {
		size_t n = rnd(4) ? out.len : rnd(out.len + 1), len = rnd(4) ? raw.len : rnd(raw.len);

		/* of its own size, so that a reader beyond it is found out */
		in = malloc(n ? n : 1);
		memcpy(in, out.data, n);
		for (uint64_t k = 1 + rnd(4); k-- && n;)
			in[rnd(n)] = (uint8_t)(rnd(2) ? rnd(256) : 255);
		unfold_chunk(u, in, n, back, len);
		free(in);
	}
	ck_assert(!unfold_chunk(u, out.data, out.len - 1, back, raw.len));
	ck_assert(!unfold_chunk(u, out.data, 7, back, raw.len));
	free(back);
	buf_deinit(&raw);
	buf_deinit(&out);
	fold_free(f);
	unfold_free(u);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fold");
	SRunner *run = srunner_create(s);
	TCase *t = tcase_create("fold");
	int failed;

	suite_add_tcase(s, t);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, test_same_again);
	tcase_add_test(t, test_many_objects);
	tcase_add_test(t, test_damaged);
	srunner_run_all(run, CK_NORMAL);
	failed = srunner_ntests_failed(run);
	srunner_free(run);
	return failed != 0;
}
