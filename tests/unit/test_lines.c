/* SPDX-License-Identifier: MIT */
/*
 * test_lines.c: code_line, is_stdlib, bytecode_deopt: pure functions of hostile bytes.
 *
 * The tables are what each interpreter made of
 *	def f(a):
 *	    x = (a +
 *	         1)
 *	    for i in x:
 *	        y = i
 *	(blank)
 *	    return y
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "python/deopt.h"
#include "python/resolve.h"

#define V(minor) (3u << 8 | (minor))

static struct ev_defcode *record(unsigned python, int first, const void *table, size_t len)
{
	struct ev_defcode *d = calloc(1, sizeof(*d) + 16 + EV_PAD8(len));

	*d = (struct ev_defcode){ .h = { .size = sizeof(*d) + 16 + EV_PAD8(len) },
				  .filename_len = 3, .name_len = 8, .python = python,
				  .firstlineno = first, .linetable_len = len };
	memcpy((char *)(d + 1) + 16, table, len);
	return d;
}

static void check_lines(unsigned python, const void *table, size_t len, const unsigned *want,
			unsigned n)
{
	struct ev_defcode *d = record(python, 1, table, len);

	for (unsigned i = 0; i < n; i++)
		ck_assert_uint_eq(code_line(d, 2 * i), want[i]);
	free(d);
}

START_TEST(test_each_version)
{
	static const uint8_t t311[] = {
		0x80, 0x00, 0xd8, 0x09, 0x0a, 0xd8, 0x09, 0x0a, 0xf1, 0x03, 0x01, 0x0a, 0x0b, 0x80,
		0x41, 0xe0, 0x0d, 0x0e, 0xf0, 0x00, 0x01, 0x05, 0x0e, 0xf0, 0x00, 0x01, 0x05, 0x0e,
		0x88, 0x01, 0xd8, 0x0c, 0x0d, 0x88, 0x01, 0x88, 0x01, 0xe0, 0x0b, 0x0c, 0x80, 0x48,
	};
	static const uint8_t t310[] = { 2, 1, 2, 1, 4, 0xff, 8, 2, 6, 1, 4, 2 };
	static const uint8_t t39[] = { 0, 1, 2, 1, 2, 0xff, 4, 2, 8, 1, 6, 2 };
	static const unsigned l311[] = { 1, 2, 3, 2, 2, 2, 4, 4, 4, 4, 5, 5, 5, 7, 7, 0 };
	static const unsigned l310[] = { 2, 3, 2, 2, 4, 4, 4, 4, 5, 5, 5, 7, 7, 0 };
	static const unsigned l39[] = { 2, 3, 2, 2, 4, 4, 4, 4, 5, 5, 5, 7, 7 };

	check_lines(V(11), t311, sizeof(t311), l311, 16);
	check_lines(V(14), t311, sizeof(t311), l311, 16);
	check_lines(V(10), t310, sizeof(t310), l310, 14);
	check_lines(V(9), t39, sizeof(t39), l39, 13);
	check_lines(V(8), t39, sizeof(t39), l39, 13);
}
END_TEST

START_TEST(test_no_line)
{
	static const uint8_t t311[] = { 0xf8, 0xe9, 0x0a };		/* none, then no column +5 */
	static const uint8_t t310[] = { 2, 0x80, 2, 5 };
	static const uint8_t negative[] = { 0xe8, 0x15, 0xe8, 0x14 };	/* -10, then +10 */
	static const unsigned l[] = { 0, 6 };
	static const unsigned back[] = { 0, 1 };

	check_lines(V(11), t311, sizeof(t311), l, 2);
	check_lines(V(10), t310, sizeof(t310), l, 2);
	check_lines(V(11), negative, sizeof(negative), back, 2);
}
END_TEST

START_TEST(test_hostile_tables)
{
	static const uint8_t endless[] = { 0xf0, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f };
	static const uint8_t cut[] = { 0xf0, 0x40 };
	struct ev_defcode *d = record(V(11), 1, endless, sizeof(endless));

	code_line(d, 0);
	ck_assert_uint_eq(code_line(d, 1000), 0);
	ck_assert_uint_eq(code_line(d, UINT32_MAX), 1);
	d->linetable_len = 1000;
	ck_assert_uint_eq(code_line(d, 0), 0);
	d->linetable_len = UINT32_MAX;
	ck_assert_uint_eq(code_line(d, 0), 0);
	d->linetable_len = 0;
	d->filename_len = UINT32_MAX;
	ck_assert_uint_eq(code_line(d, 0), 0);
	d->filename_len = 3;
	d->qualname_len = UINT32_MAX - 3;
	ck_assert_uint_eq(code_line(d, 0), 0);
	free(d);
	d = record(V(11), 1, cut, sizeof(cut));
	ck_assert_uint_eq(code_line(d, 0), 1);
	free(d);
	d = record(V(10), 1, cut, 1);
	ck_assert_uint_eq(code_line(d, 0), 0);
	free(d);
	d = record(V(9), -5, cut, 0);
	ck_assert_uint_eq(code_line(d, 0), 0);
	free(d);
}
END_TEST

START_TEST(test_stdlib)
{
	static const struct { const char *name; int is; } name[] = {
		{ "/usr/lib/python3.11/json/decoder.py", 1 },
		{ "/opt/x/lib64/python3.11/os.py", 1 },
		{ "lib/python3.11/os.py", 1 },
		{ "/usr/lib/python311.zip/os.py", 1 },
		{ "<frozen importlib._bootstrap>", 1 },
		{ "<frozen os>", 1 },
		{ "/usr/lib/python3/dist-packages/yaml/__init__.py", 0 },
		{ "/usr/lib/python3.11/site-packages/x.py", 0 },
		{ "/usr/local/lib/python3.11/dist-packages/x.py", 0 },
		{ "/home/u/mylib/python3.11/x.py", 0 },
		{ "/usr/lib/python3.12/os.py", 0 },
		{ "/usr/lib/python3.110/os.py", 0 },
		{ "/usr/lib/python3.11", 0 },
		{ "<string>", 0 },
		{ "<stdin>", 0 },
		{ "<frozen", 1 },
		{ "script.py", 0 },
		{ "", 0 },
	};

	for (size_t i = 0; i < sizeof(name) / sizeof(name[0]); i++)
		ck_assert_msg(is_stdlib(name[i].name, strlen(name[i].name), V(11)) == name[i].is,
			      "%s", name[i].name);
}
END_TEST

START_TEST(test_deopt)
{
	/* RESUME_QUICK, LOAD_FAST__LOAD_FAST, LOAD_FAST, BINARY_OP_ADD_INT + cache, RETURN_VALUE */
	uint8_t code[] = { 150, 0, 46, 1, 124, 2, 5, 0, 9, 9, 83, 0 };
	static const uint8_t want[] = { 151, 0, 124, 1, 124, 2, 122, 0, 0, 0, 83, 0 };
	uint8_t cut[] = { 116, 1, 7 }, odd[] = { 150 };

	bytecode_deopt(V(11), code, sizeof(code), NULL);
	ck_assert_mem_eq(code, want, sizeof(want));
	bytecode_deopt(V(11), cut, sizeof(cut), NULL);
	ck_assert_uint_eq(cut[2], 7);
	bytecode_deopt(V(11), odd, 1, NULL);
	ck_assert_uint_eq(odd[0], 150);
	bytecode_deopt(V(8), code, sizeof(code), NULL);
	ck_assert_mem_eq(code, want, sizeof(want));
}
END_TEST

/* 3.12: COPY_FREE_VARS, RESUME, LOAD_FAST, BINARY_OP and its cache, RETURN_VALUE, as instrumented. */
START_TEST(test_instrumented)
{
	static const uint8_t want[] = { 149, 1, 151, 0, 124, 2, 122, 0, 0, 0, 83, 0 };
	uint8_t code[] = { 149, 1, 240, 0, 254, 2, 253, 0, 9, 9, 242, 0 };
	static const uint8_t lines[] = { 0, 1, 0, 2, 124, 2, 0, 9, 0, 9, 0, 1 };
	static const uint8_t by_instruction[] = { 0, 0, 0, 8, 0, 0 }; /* BINARY_OP_ADD_INT … */
	static const uint8_t packed[] = { 0, 1, 1, 0, 2, 2, 124, 3, 3, 0, 9, 9, 0, 9, 9, 0, 9, 9 };
	struct bytecode_originals o = { lines, 2, by_instruction };
	uint8_t again[sizeof(code)], lost[sizeof(code)];

	memcpy(again, code, sizeof(code));
	memcpy(lost, code, sizeof(code));
	ck_assert_int_eq(bytecode_instrumented(V(12), code, sizeof(code)), 1);
	ck_assert_int_eq(bytecode_deopt(V(12), code, sizeof(code), &o), 0);
	ck_assert_mem_eq(code, want, sizeof(want));
	ck_assert_int_eq(bytecode_instrumented(V(12), code, sizeof(code)), 0);
	o = (struct bytecode_originals){ packed, 3, by_instruction };
	ck_assert_int_eq(bytecode_deopt(V(12), again, sizeof(again), &o), 0);
	ck_assert_mem_eq(again, want, sizeof(want));
	/* without the originals the instruction stays, and that is said */
	ck_assert_int_eq(bytecode_deopt(V(12), lost, sizeof(lost), NULL), 1);
	ck_assert_uint_eq(lost[4], 254);
	ck_assert_int_eq(bytecode_instrumented(V(11), again, sizeof(again)), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("lines");
	TCase *c = tcase_create("tables");
	SRunner *run;
	int failed;

	tcase_add_test(c, test_each_version);
	tcase_add_test(c, test_no_line);
	tcase_add_test(c, test_hostile_tables);
	tcase_add_test(c, test_stdlib);
	tcase_add_test(c, test_deopt);
	tcase_add_test(c, test_instrumented);
	suite_add_tcase(s, c);
	run = srunner_create(s);
	srunner_run_all(run, CK_ENV);
	failed = srunner_ntests_failed(run);
	srunner_free(run);
	return failed != 0;
}
