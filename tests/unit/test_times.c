/* SPDX-License-Identifier: MIT */
/*
 * test_times.c: cx.time, as its header says it is, read back by other code.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "note_writer.h"
#include "trace/assemble_time.h"

static struct trace_writer w;

static uint64_t varint(const uint8_t **p, const uint8_t *end)
{
	uint64_t v = 0;

	for (unsigned shift = 0;; shift += 7) {
		ck_assert(*p < end && shift < 64);
		v |= (uint64_t)(**p & 127) << shift;
		if (*(*p)++ < 128)
			return v;
	}
}

static uint64_t wanted_step(uint32_t i)
{
	return i / 3 * 2 + 7;
}

static uint64_t wanted_ns(uint32_t i)
{
	/* threads' times do not come in order */
	return 1000000000000u + i * 1777ull - (i % 5 == 4 ? 5000 : 0);
}

/* One block at p, the first of whose entries is number `first`. Returns its entries. */
static uint32_t check_block(const uint8_t **p, const uint8_t *end, uint32_t first)
{
	const uint8_t *steps, *micros, *raw_end;
	uint64_t step = 0, micro = 0;
	uint32_t head[3];
	uint8_t *raw;

	ck_assert(end - *p > 12);
	memcpy(head, *p, 12);
	*p += 12;
	ck_assert_uint_le(head[2], (size_t)(end - *p));
	raw = malloc(head[1]);
	ck_assert_uint_eq(ZSTD_decompress(raw, head[1], *p, head[2]), head[1]);
	*p += head[2];
	steps = micros = raw;
	raw_end = raw + head[1];
	for (uint32_t i = 0; i < head[0]; i++)
		varint(&micros, raw_end);
	for (uint32_t i = 0; i < head[0]; i++) {
		uint64_t z;

		step += varint(&steps, raw_end);
		z = varint(&micros, raw_end);
		micro += (z >> 1) ^ -(z & 1);
		ck_assert_uint_eq(step, wanted_step(first + i));
		ck_assert_uint_eq(micro, wanted_ns(first + i) / 1000);
	}
	ck_assert_ptr_eq(micros, raw_end);
	free(raw);
	return head[0];
}

START_TEST(test_blocks)
{
	static const uint32_t counts[] = { 0, 1, 65536, 65537, 150000 };
	uint32_t n = counts[_i], seen = 0;
	const uint8_t *p, *end;
	struct times t = { 0 };

	memset(&w, 0, sizeof(w));
	for (uint32_t i = 0; i < n; i++)
		ck_assert_int_eq(times_add(&t, &w, wanted_step(i), wanted_ns(i)), 0);
	ck_assert_int_eq(times_flush(&t, &w), 0);
	ck_assert_int_eq(times_flush(&t, &w), 0);
	p = w.time.data;
	end = p + w.time.len;
	while (p < end)
		seen += check_block(&p, end, seen);
	ck_assert_uint_eq(seen, n);
	ck_assert_uint_le(w.time.len, n * 2 + 40);
	times_deinit(&t);
	buf_deinit(&w.time);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("times");
	SRunner *run = srunner_create(s);
	TCase *t = tcase_create("times");
	int failed;

	suite_add_tcase(s, t);
	tcase_add_loop_test(t, test_blocks, 0, 5);
	srunner_run_all(run, CK_NORMAL);
	failed = srunner_ntests_failed(run);
	srunner_free(run);
	return failed != 0;
}
