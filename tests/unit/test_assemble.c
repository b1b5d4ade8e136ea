/* SPDX-License-Identifier: MIT */
/*
 * test_assemble.c: records in, a timeline out.
 *
 * What the timeline became is compared as note_writer.h's text.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "feed.h"
#include "trace/assemble_timeline.h"

START_TEST(test_calls_and_values)
{
	usual();
	enter_main();
	entry(2, CODE_F, EVF_FULL, 1);
	rec_int(&r, 1, 20);
	rec_int(&r, 0, 10);
	feed();
	line(2, CODE_F, 2, 1);
	feed();
	line(2, CODE_F, 3, 1);
	rec_int(&r, 2, 30);
	rec_int(&r, 0, 11);
	feed();
	line(2, CODE_F, 4, 1);
	rec_var_begin(&r, 1, EVV_UNSET);
	rec_var_end(&r);
	feed();
	rec_frame(&r, EV_LINE, EVF_FULL, 2, CODE_F, 10, 1);
	rec_int(&r, 2, 31);
	feed();
	ret(2, CODE_F, 0, 1, 99);
	line(1, CODE_MAIN, 2, 1);
	feed();
	became("+<__main__>\n 1\n +f x=10 y=20\n  2 x=10 y=20\n  3 x=11 y=20 z=30\n"
	       "  4 x=11 z=30\n  5 z=31\n -99\n 2\n-0\n");
	ck_assert_uint_eq(sum.steps, 6);
	ck_assert_uint_eq(sum.calls, 2);
	ck_assert_uint_eq(sum.lost, 0);
	stop();
}
END_TEST

static void named(unsigned slot, const char *name, const char *text)
{
	rec_var_begin(&r, slot, EVV_NAMED);
	node_str(&r.b, name);
	if (text)
		node_str(&r.b, text);
	else
		node_int(&r.b, 7);
	rec_var_end(&r);
}

START_TEST(test_module_names)
{
	usual();
	entry(1, CODE_MAIN, EVF_NAMES | EVF_FULL, 1);
	named(0, "__name__", "__main__");
	named(1, "__doc__", NULL);
	named(2, "a", NULL);
	feed();
	line(1, CODE_MAIN, 1, 1);
	feed();
	became("+<__main__>\n 1 a=7\n-0\n");
	stop();
}
END_TEST

START_TEST(test_modules)
{
	usual();
	code(3, "/lib/pkg/__init__.py", "<module>", "", 0, 0, 0, "01", 0, 0);
	code(4, "/lib/pkg/mod.py", "<module>", "", 0, 0, 0, "01", 0, 0);
	code(5, "<string>", "<module>", "", 0, 0, 0, "01", 0, 0);
	enter_main();
	entry(2, 3, EVF_NAMES, 1);
	feed();
	entry(3, 4, EVF_NAMES, 1);
	named(0, "__name__", "pkg.mod");
	feed();
	entry(4, 5, EVF_NAMES, 1);
	feed();
	line(4, 5, 1, 1);
	feed();
	became("+<__main__>\n 1\n +<pkg>\n  +<pkg.mod>\n   +<pkg.mod>\n    1\n   -\n  -\n -\n-0\n");
	stop();
}
END_TEST

/* `python -m pkg`: the package runs first and is not the program. */
START_TEST(test_package_first)
{
	usual();
	code(3, "/lib/pkg/__init__.py", "<module>", "", 0, 0, 0, "01", 0, 0);
	entry(1, 3, EVF_NAMES, 1);
	feed();
	line(1, 3, 1, 1);
	feed();
	ret(1, 3, 0, 1, 0);
	entry(2, CODE_MAIN, EVF_NAMES, 1);
	feed();
	line(2, CODE_MAIN, 1, 1);
	feed();
	became("+<python>\n +<pkg>\n  1\n -0\n +<__main__>\n  1\n -\n-0\n");
	stop();
}
END_TEST

START_TEST(test_star_arguments)
{
	usual();
	code(3, "main.py", "g", "x\0args\0kw\0v", 12, 1, 4 | 8, "01", 0, 0);
	enter_main();
	entry(2, 3, EVF_FULL, 1);
	for (unsigned i = 0; i < 4; i++)
		rec_int(&r, i, i);
	feed();
	became("+<__main__>\n 1\n +g x=0 args=1 kw=2\n -\n-0\n");
	stop();
}
END_TEST

START_TEST(test_entry_on_resumes_line)
{
	usual();
	code(3, "main.py", "C", "", 0, 0, 0, "1123", 0, 0);
	enter_main();
	entry(2, 3, EVF_NAMES, 1);
	named(0, "__module__", NULL);
	feed();
	line(2, 3, 2, 1);
	feed();
	/* a class body shows its names with underscores as sys.settrace does */
	became("+<__main__>\n 1\n +C\n  1 __module__=7\n  2 __module__=7\n -\n-0\n");
	stop();
}
END_TEST

START_TEST(test_generators)
{
	usual();
	code(3, "main.py", "gen", "", 0, 0, 0x20, "012345", 3, 0);
	enter_main();
	entry(2, 3, 0, 1);
	feed();
	line(2, 3, 2, 1);
	feed();
	ret(2, 3, 0, 1, 5); /* yields */
	entry(3, 3, EVF_RESUME, 1);
	feed();
	line(3, 3, 3, 1); /* SEND: no line */
	feed();
	line(3, 3, 4, 1);
	feed();
	ret(3, 3, 0, 1, 6);
	rec_frame(&r, EV_ENTRY, EVF_RESUME | EVF_THROW, 4, 3, 0, 1);
	rec_int(&r, EV_SLOT_EXC, 13);
	feed();
	line(4, 3, 5, 1);
	feed();
	ret(4, 3, EVF_UNWIND, 1, 13);
	became("+<__main__>\n 1\n +gen\n  2\n -5\n +gen\n  4\n -6\n"
	       " +gen exception=13\n  5\n !13\n-0\n");
	stop();
}
END_TEST

START_TEST(test_root_unwinds)
{
	usual();
	enter_main();
	ret(1, CODE_MAIN, EVF_UNWIND, 1, 3);
	entry(2, CODE_F, 0, 1); /* atexit */
	feed();
	line(2, CODE_F, 2, 1);
	feed();
	ret(2, CODE_F, 0, 1, 4);
	finish("{\"reason\":\"exit\",\"status\":1}");
	ck_assert_str_eq((const char *)w.log.data,
			 "+<__main__>\n 1\n +f\n  2\n -4\n *11 error: exit status 1\n!1\n");
	stop();
}
END_TEST

START_TEST(test_skipped_and_unknown_code)
{
	usual();
	code(3, "/usr/lib/python3.11/os.py", "walk", "", 0, 0, 0, "01", 0, EVC_SKIP);
	enter_main();
	entry(2, 3, EVF_NOVALUES, 1); /* its plan came too late */
	feed();
	line(2, 3, 1, 1);
	feed();
	ret(2, 3, 0, 1, 1);
	entry(3, 777, 0, 1);
	rec_int(&r, 0, 1);
	feed();
	line(3, 777, 1, 1);
	feed();
	ret(3, 777, 0, 1, 1);
	became("+<__main__>\n 1\n +<unknown>\n -1\n-0\n");
	stop();
}
END_TEST

START_TEST(test_paths)
{
	static const char text[] = "one\ntwo\nthree";
	struct ev_defsource d = { .h = { .type = EV_DEFSOURCE }, .path_len = 6,
				  .text_len = sizeof(text) - 1 };

	start();
	buf_clear(&r.b);
	buf_append(&r.b, &d, sizeof(d));
	buf_append(&r.b, "src.py\0\0", 8);
	buf_append(&r.b, text, sizeof(text) - 1);
	ck_assert_int_eq(assembler_define(a, rec_end(&r)), 0);
	code(1, "src.py", "<module>", "", 0, 0, 0, "01", 0, 0);
	code(2, "<string>", "f", "", 0, 0, 0, "012", 0, 0);
	entry(1, 1, EVF_NAMES, 1);
	feed();
	line(1, 1, 1, 1);
	feed();
	entry(2, 2, 0, 1);
	feed();
	line(2, 2, 2, 1);
	feed();
	/* another <string>, of more lines, comes later */
	code(3, "<string>", "g", "", 0, 0, 0, "09", 0, 0);
	entry(3, 3, 0, 1);
	feed();
	line(3, 3, 1, 1);
	feed();
	became("+<__main__>\n 1\n +f\n  2\n  +g\n   9\n  -\n -\n-0\n");
	ck_assert_uint_eq(w.n[0], 3);
	ck_assert_str_eq(w.names[0][0], "/home/u/src.py");
	ck_assert_uint_eq(w.lines[0], 3);
	ck_assert_uint_eq(w.lines[1], 2);
	ck_assert_uint_eq(w.lines[2], 9);
	stop();
}
END_TEST

START_TEST(test_output_and_signal)
{
	struct ev_output o = { .h = { .type = EV_OUTPUT, .flags = 2 }, .thread = 1, .n = 3, .total = 3 };

	usual();
	enter_main();
	buf_clear(&r.b);
	buf_append(&r.b, &o, sizeof(o));
	buf_append(&r.b, "hey", 3);
	feed();
	finish("{\"reason\":\"signal\",\"signal\":9}");
	ck_assert_ptr_nonnull(strstr((const char *)w.log.data, "+<__main__>\n 1\n *12 hey\n *11 error: "));
	ck_assert_ptr_nonnull(strstr((const char *)w.log.data, "\n-137\n"));
	ck_assert_uint_eq(sum.events, 2);
	stop();
}
END_TEST

START_TEST(test_input)
{
	struct ev_output o = { .h = { .type = EV_OUTPUT, .flags = 0 }, .thread = 1, .n = 3, .total = 3 };

	usual();
	enter_main();
	for (o.h.flags = 0; o.h.flags < 4; o.h.flags++) {
		buf_clear(&r.b);
		buf_append(&r.b, &o, sizeof(o));
		buf_append(&r.b, "hey", 3);
		feed();
	}
	became("+<__main__>\n 1\n *4 hey\n *0 hey\n *12 hey\n-0\n");
	ck_assert_uint_eq(sum.gaps[EVG_BAD_RECORD], 1);
	stop();
}
END_TEST

/* What was not read says so, and nothing of before is shown in its place. */
START_TEST(test_values_not_read)
{
	usual();
	enter_main();
	entry(2, CODE_F, EVF_NOVALUES, 1);
	feed();
	rec_frame(&r, EV_LINE, EVF_NOVALUES, 2, CODE_F, 4, 1);
	feed();
	rec_frame(&r, EV_LINE, EVF_FULL, 2, CODE_F, 6, 1);
	rec_int(&r, 0, 5);
	feed();
	rec_frame(&r, EV_LINE, EVF_NOVALUES, 2, CODE_F, 8, 1);
	feed();
	rec_frame(&r, EV_RETURN, EVF_NOVALUES, 2, CODE_F, 0, 1);
	feed();
	became("+<__main__>\n 1\n +f\n  2 …=" VARS_NOT_READ "\n  3 x=5\n  4 …=" VARS_NOT_READ
	       "\n -" VARS_NOT_READ "\n-0\n");
	ck_assert_uint_eq(sum.no_values, 4);
	ck_assert_ptr_nonnull(strstr((const char *)w.meta.data, "\"no_values\":4"));
	stop();
}
END_TEST

START_TEST(test_redacted_and_senseless_values)
{
	usual();
	enter_main();
	entry(2, CODE_F, 0, 1);
	rec_var_begin(&r, 0, EVV_REDACTED);
	rec_var_end(&r);
	rec_var_begin(&r, 1, 0);
	node(&r.b, 200, 0, 0, 0);
	rec_var_end(&r);
	feed();
	line(2, CODE_F, 2, 1);
	feed();
	became("+<__main__>\n 1\n +f x=<redacted> y=<unreadable>\n  2 x=<redacted> y=<unreadable>\n -\n-0\n");
	ck_assert_uint_eq(sum.gaps[EVG_BAD_RECORD], 1);
	stop();
}
END_TEST

/* Sizes that lie: counted, passed over. */
START_TEST(test_senseless_records)
{
	static const uint8_t types[] = { EV_LINE, EV_ENTRY, EV_RETURN, EV_OUTPUT, EV_THREAD, EV_GAP,
					 EV_CHECKPOINT, EV_DEFCODE, EV_DEFTYPE, EV_DEFSOURCE };
	unsigned n = 0;

	usual();
	enter_main();
	for (size_t i = 0; i < sizeof(types); i++) {
		struct ev_header h = { .type = types[i] };

		buf_clear(&r.b);
		buf_append(&r.b, &h, sizeof(h));
		rec_end(&r);
		if (types[i] >= EV_DEFCODE && types[i] <= EV_DEFSOURCE)
			ck_assert_int_eq(assembler_define(a, (const void *)r.b.data), 0);
		else
			ck_assert_int_eq(assembler_feed(a, (const void *)r.b.data), 0);
		n++;
	}
	line(1, CODE_MAIN, 2, 1);
	((struct ev_header *)r.b.data)->nvars = 1000;
	feed();
	became("+<__main__>\n 1\n 2\n-0\n");
	ck_assert_uint_eq(sum.gaps[EVG_BAD_RECORD], n + 1);
	stop();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("assemble");
	TCase *t = tcase_create("assemble");
	SRunner *run = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_set_timeout(t, 30);
	tcase_add_test(t, test_calls_and_values);
	tcase_add_test(t, test_module_names);
	tcase_add_test(t, test_modules);
	tcase_add_test(t, test_package_first);
	tcase_add_test(t, test_star_arguments);
	tcase_add_test(t, test_entry_on_resumes_line);
	tcase_add_test(t, test_generators);
	tcase_add_test(t, test_root_unwinds);
	tcase_add_test(t, test_skipped_and_unknown_code);
	tcase_add_test(t, test_paths);
	tcase_add_test(t, test_output_and_signal);
	tcase_add_test(t, test_input);
	tcase_add_test(t, test_values_not_read);
	tcase_add_test(t, test_redacted_and_senseless_values);
	tcase_add_test(t, test_senseless_records);
	srunner_run_all(run, CK_NORMAL);
	failed = srunner_ntests_failed(run);
	srunner_free(run);
	return failed != 0;
}
