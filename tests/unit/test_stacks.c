/* SPDX-License-Identifier: MIT */
/*
 * test_stacks.c: whose call a step is of: threads that take turns, what was lost,
 * deep stacks. As test_assemble.c has it.
 */
#include "feed.h"

START_TEST(test_threads)
{
	usual();
	enter_main();
	entry(2, CODE_F, 0, 1);
	rec_int(&r, 0, 1);
	feed();
	line(2, CODE_F, 2, 1);
	feed();
	entry(100, CODE_F, 0, 2);
	rec_int(&r, 0, 5);
	feed();
	line(100, CODE_F, 3, 2);
	feed();
	line(2, CODE_F, 4, 1);
	feed();
	ret(2, CODE_F, 0, 1, 9);
	line(100, CODE_F, 5, 2);
	feed();
	ret(100, CODE_F, 0, 2, 8);
	line(1, CODE_MAIN, 2, 1);
	feed();
	became("+<__main__>\n 1\n +f x=1\n  2 x=1\n -\n +f x=5\n  3 x=5\n -\n"
	       " +f\n  4 x=1\n -9\n +f\n  5 x=5\n -8\n 2\n-0\n");
	ck_assert_uint_eq(sum.threads, 2);
	stop();
}
END_TEST

/* What returns after its thread was left had its stops already. */
START_TEST(test_return_after_a_switch)
{
	usual();
	enter_main();
	entry(2, CODE_F, 0, 1);
	rec_int(&r, 0, 1);
	feed();
	line(2, CODE_F, 2, 1);
	feed();
	entry(100, CODE_F, 0, 2);
	feed();
	line(100, CODE_F, 3, 2);
	feed();
	entry(101, CODE_F, 0, 2);
	feed();
	line(101, CODE_F, 4, 2);
	feed();
	line(2, CODE_F, 5, 1);
	feed();
	ret(101, CODE_F, EVF_UNWIND, 2, 7);
	ret(100, CODE_F, 0, 2, 8);
	line(2, CODE_F, 6, 1);
	feed();
	ret(2, CODE_F, 0, 1, 9);
	line(1, CODE_MAIN, 2, 1);
	feed();
	became("+<__main__>\n 1\n +f x=1\n  2 x=1\n -\n +f\n  3\n  +f\n   4\n  -\n -\n"
	       " +f\n  5 x=1\n  #3 7\n  =2 8\n  6 x=1\n -9\n 2\n-0\n");
	ck_assert_uint_eq(sum.calls, 5);
	stop();
}
END_TEST

/* A call that has begun and no more is none of the other thread's stops. */
START_TEST(test_entry_before_a_switch)
{
	usual();
	code(3, "main.py", "gen", "", 0, 0, 0x20, "012345", 0, 0);
	enter_main();
	entry(2, CODE_F, 0, 1);
	rec_int(&r, 0, 1);
	feed();
	entry(100, CODE_F, 0, 2);
	rec_int(&r, 0, 5);
	feed();
	line(1, CODE_MAIN, 2, 1); /* 2 returned unseen, before its first line */
	feed();
	rec_frame(&r, EV_ENTRY, EVF_RESUME | EVF_THROW, 3, 3, 0, 1);
	rec_int(&r, EV_SLOT_EXC, 13);
	feed();
	line(100, CODE_F, 3, 2);
	feed();
	line(3, 3, 4, 1);
	feed();
	line(100, CODE_F, 4, 2);
	feed();
	ret(3, 3, 0, 1, 6);
	line(1, CODE_MAIN, 3, 1);
	feed();
	entry(4, CODE_F, 0, 1);
	feed();
	ret(4, CODE_F, 0, 1, 2); /* without any line */
	became("+<__main__>\n 1\n 2\n +f x=5\n  3 x=5\n -\n +gen exception=13\n  4\n -\n"
	       " +f\n  4 x=5\n  =2 6\n -\n 3\n +f\n -2\n-0\n");
	stop();
}
END_TEST

START_TEST(test_lost_returns_and_entries)
{
	usual();
	enter_main();
	entry(2, CODE_F, 0, 1);
	feed();
	entry(3, CODE_F, 0, 1);
	feed();
	line(3, CODE_F, 2, 1);
	feed();
	line(1, CODE_MAIN, 3, 1); /* both returned unseen */
	feed();
	line(7, CODE_F, 4, 1); /* never entered */
	feed();
	ret(7, CODE_F, 0, 1, 2);
	became("+<__main__>\n 1\n +f\n  +f\n   2\n  -\n -\n 3\n +f\n  4\n -2\n-0\n");
	ck_assert_ptr_nonnull(strstr((const char *)w.meta.data, "\"late_frames\":1"));
	stop();
}
END_TEST

static void checkpoint(uint64_t first, uint64_t second)
{
	struct ev_checkpoint c = { .h = { .type = EV_CHECKPOINT }, .nframes = second ? 2 : 1 };
	struct ev_openframe f[2] = { { .frame = first, .code = CODE_MAIN, .thread = 1 },
				     { .frame = second, .code = CODE_F, .thread = 1 } };

	buf_clear(&r.b);
	buf_append(&r.b, &c, sizeof(c));
	buf_append(&r.b, f, c.nframes * sizeof(*f));
	feed();
}

static void gap(unsigned reason, uint64_t count)
{
	struct ev_gap g = { .h = { .type = EV_GAP }, .reason = reason, .count = count };

	buf_clear(&r.b);
	buf_append(&r.b, &g, sizeof(g));
	feed();
}

START_TEST(test_checkpoint_after_a_loss)
{
	usual();
	enter_main();
	entry(2, CODE_F, 0, 1);
	feed();
	line(2, CODE_F, 2, 1);
	feed();
	checkpoint(1, 9); /* nothing was lost: not believed */
	line(2, CODE_F, 3, 1);
	feed();
	entry(50, CODE_F, 0, 2);
	feed();
	line(50, CODE_F, 4, 2);
	feed();
	gap(EVG_RING_FULL, 40);
	checkpoint(1, 9); /* 2 and 50 ended, 9 began */
	line(9, CODE_F, 5, 1);
	feed();
	became("+<__main__>\n 1\n +f\n  2\n  3\n -\n +f\n  4\n -\n +f\n  5\n -\n-0\n");
	ck_assert_uint_eq(sum.lost, 40);
	ck_assert_uint_eq(sum.gaps[EVG_RING_FULL], 40);
	stop();
}
END_TEST

START_TEST(test_deep_stack)
{
	usual();
	enter_main();
	for (unsigned i = 0; i < 200000; i++) {
		entry(10 + i, CODE_F, 0, 1);
		rec_int(&r, 0, i);
		rec_end(&r);
		ck_assert_int_eq(assembler_feed(a, (const void *)r.b.data), 0);
		buf_clear(&w.log);
	}
	for (unsigned i = 200000; i-- > 0;) {
		ret(10 + i, CODE_F, 0, 1, i);
		buf_clear(&w.log);
	}
	line(1, CODE_MAIN, 2, 1);
	feed();
	became(" 2\n-0\n");
	stop();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("stacks");
	TCase *t = tcase_create("stacks");
	SRunner *run = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_set_timeout(t, 30);
	tcase_add_test(t, test_threads);
	tcase_add_test(t, test_return_after_a_switch);
	tcase_add_test(t, test_entry_before_a_switch);
	tcase_add_test(t, test_lost_returns_and_entries);
	tcase_add_test(t, test_checkpoint_after_a_loss);
	tcase_add_test(t, test_deep_stack);
	srunner_run_all(run, CK_NORMAL);
	failed = srunner_ntests_failed(run);
	srunner_free(run);
	return failed != 0;
}
