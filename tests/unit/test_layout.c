/* SPDX-License-Identifier: MIT */
/*
 * test_layout.c: what a process says of its own layout is hostile input.
 *
 * The memory is one page, at RUNTIME: _Py_DebugOffsets as 3.13 and 3.14 have
 * it, filled in from the tables, then damaged.
 */
#include <check.h>
#include <string.h>

#include "python/debug_offsets.h"
#include "python/resolve.h"
#include "util/err.h"

#define RUNTIME 0x10000u
#define WORDS 512

static uint64_t words[WORDS];

static int read_page(struct memory *m, remote_t addr, void *to, size_t len)
{
	(void)m;
	if (addr.v < RUNTIME || len > sizeof(words) || addr.v - RUNTIME > sizeof(words) - len)
		return -ERR_TARGET_MEMORY;
	memcpy(to, (char *)words + (addr.v - RUNTIME), len);
	return 0;
}

static struct target target = { .mem = { read_page }, .pid = -1, .pidfd = -1 };
static struct python_info info;

/* The words of 3.13 that this test touches, and what each is. */
enum { VERSION = 1, FREE_THREADED = 2, RUNTIME_SIZE = 3, HEAD = 5, INTERP_SIZE = 6, INTERP_NEXT = 8,
       THREADS = 9, LOCALSPLUS = 32, STATE = 68 };

static void fill(void)
{
	static const uint16_t of_3_13[] = {
		[7] = 7272, [8] = 7264, [9] = 7344, [14] = 16, [21] = 8, [22] = 16, [23] = 72, [24] = 152,
		[25] = 160, [29] = 8, [31] = 56, [32] = 72, [33] = 70, [35] = 112, [36] = 120, [37] = 128,
		[38] = 136, [39] = 68, [40] = 52, [41] = 96, [42] = 104, [43] = 200, [47] = 24, [49] = 168,
		[51] = 24, [52] = 16, [54] = 24, [55] = 16, [57] = 32, [58] = 40, [60] = 16, [62] = 16,
		[63] = 24, [65] = 16, [66] = 32, [68] = 32, [69] = 16, [70] = 40,
	};

	memset(words, 0, sizeof(words));
	for (size_t i = 0; i < sizeof(of_3_13) / sizeof(of_3_13[0]); i++)
		words[i] = of_3_13[i];
	memcpy(words, "xdebugpy", 8);
	words[VERSION] = 0x030d00f0;
	words[RUNTIME_SIZE] = 400000;
	words[HEAD] = 632;
	words[INTERP_SIZE] = 300000;
	info = (struct python_info){ .version = 3 << 8 | 13, .runtime = RUNTIME };
}

static int take(struct ctrec_layout *l)
{
	*l = *python_layout(3 << 8 | 13);
	return debug_offsets_take(&target, &info, l);
}

START_TEST(test_versions)
{
	for (unsigned minor = 8; minor <= 14; minor++) {
		const struct ctrec_layout *l = python_layout(3 << 8 | minor);

		ck_assert_ptr_nonnull(l);
		ck_assert_uint_eq(l->python, 3 << 8 | minor);
	}
	ck_assert_ptr_null(python_layout(3 << 8 | 7));
	ck_assert_ptr_null(python_layout(3 << 8 | 15));
	ck_assert_ptr_null(python_layout(2 << 8 | 7));
	ck_assert_ptr_null(python_layout(0));
}
END_TEST

START_TEST(test_same)
{
	struct ctrec_layout l;

	fill();
	ck_assert_int_eq(take(&l), 0);
	ck_assert_mem_eq(&l, python_layout(3 << 8 | 13), sizeof(l));
	ck_assert_int_eq(debug_offsets_check(&target, &info, &l), 0);
	/* versions without such a table need no memory */
	info.runtime = 0;
	l = *python_layout(3 << 8 | 12);
	ck_assert_int_eq(debug_offsets_take(&target, &info, &l), 0);
}
END_TEST

START_TEST(test_moved)
{
	struct ctrec_layout l;

	fill();
	words[HEAD] = 656;
	words[INTERP_NEXT] = 7264 + 8;
	words[THREADS] = 7344 + 8;
	ck_assert_int_eq(take(&l), 0);
	ck_assert_uint_eq(l.runtime_interpreters_head, 656);
	ck_assert_uint_eq(l.runtime_interpreters_main, 664);
	ck_assert_uint_eq(l.interp_next, 7272);
	ck_assert_int_eq(debug_offsets_check(&target, &info, &l), 0);
	/* the table as it stands does not fit this process */
	ck_assert_int_eq(debug_offsets_check(&target, &info, python_layout(3 << 8 | 13)), -ERR_TARGET_LAYOUT);
}
END_TEST

START_TEST(test_hostile)
{
	static const struct { unsigned word; uint64_t value; int code; } bad[] = {
		{ 0, 0, ERR_TARGET_LAYOUT }, { VERSION, 0x030e00f0, ERR_TARGET_LAYOUT },
		{ VERSION, UINT64_MAX, ERR_TARGET_LAYOUT }, { FREE_THREADED, 1, ERR_UNSUPPORTED_PYTHON },
		{ FREE_THREADED, 1ull << 40, ERR_UNSUPPORTED_PYTHON },
		{ HEAD, 4, ERR_TARGET_LAYOUT }, { HEAD, UINT64_MAX - 7, ERR_TARGET_LAYOUT },
		{ HEAD, 65536, ERR_TARGET_LAYOUT }, { INTERP_NEXT, 65535, ERR_TARGET_LAYOUT },
		{ THREADS, 1ull << 63, ERR_TARGET_LAYOUT }, { INTERP_SIZE, 64, ERR_TARGET_LAYOUT },
		{ INTERP_SIZE, UINT64_MAX, ERR_TARGET_LAYOUT }, { RUNTIME_SIZE, 0, ERR_TARGET_LAYOUT },
	};
	struct ctrec_layout l;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		fill();
		words[bad[i].word] = bad[i].value;
		ck_assert_msg(take(&l) == -bad[i].code, "word %u", bad[i].word);
	}
	/* what may not move is never taken, and does not pass the check */
	for (unsigned word = LOCALSPLUS; word <= STATE; word += STATE - LOCALSPLUS) {
		fill();
		words[word] += 8;
		ck_assert_int_eq(take(&l), 0);
		ck_assert_mem_eq(&l, python_layout(3 << 8 | 13), sizeof(l));
		ck_assert_int_eq(debug_offsets_check(&target, &info, &l), -ERR_TARGET_LAYOUT);
	}
	fill();
	info.runtime = RUNTIME + sizeof(words) - 64;
	ck_assert_int_eq(take(&l), -ERR_TARGET_LAYOUT);
}
END_TEST

START_TEST(test_refused)
{
	struct ctrec_layout l;

	fill();
	info.free_threaded = 1;
	ck_assert_int_eq(python_layout_live(&target, &info, &l), -ERR_UNSUPPORTED_PYTHON);
	fill();
	info.debug_build = 1;
	ck_assert_int_eq(python_layout_live(&target, &info, &l), -ERR_UNSUPPORTED_PYTHON);
	fill();
	info.version = 3 << 8 | 15;
	strcpy(info.version_text, "3.15.2");
	ck_assert_int_eq(python_layout_live(&target, &info, &l), -ERR_UNSUPPORTED_PYTHON);
	ck_assert_ptr_nonnull(strstr(err_last()->context, "3.15.2"));
	fill();
	ck_assert_int_eq(python_layout_live(&target, &info, &l), -ERR_TARGET_LAYOUT); /* no types there */
}
END_TEST

int main(void)
{
	Suite *s = suite_create("layout");
	TCase *c = tcase_create("offsets");
	SRunner *run;
	int failed;

	tcase_add_test(c, test_versions);
	tcase_add_test(c, test_same);
	tcase_add_test(c, test_moved);
	tcase_add_test(c, test_hostile);
	tcase_add_test(c, test_refused);
	suite_add_tcase(s, c);
	run = srunner_create(s);
	srunner_run_all(run, CK_ENV);
	failed = srunner_ntests_failed(run);
	srunner_free(run);
	return failed != 0;
}
