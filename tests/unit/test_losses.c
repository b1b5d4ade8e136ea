/* SPDX-License-Identifier: MIT */
/*
 * test_losses.c: "nothing lost" is said of nothing lost alone.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.c"
#include "cli/losses.c"

static void says(const struct assemble_summary *s, const char *want)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	losses_say(f, s);
	fclose(f);
	ck_assert_str_eq(text, want);
	free(text);
}

START_TEST(test_words)
{
	struct assemble_summary s = { 0 };

	says(&s, "nothing lost");
	s.gaps[EVG_PLAN_LATE] = 3; /* of code that is not recorded */
	says(&s, "nothing lost");
	s.truncated = 1200;
	says(&s, "nothing lost; 1,200 values cut at limits");
	s.cut_events = 1;
	says(&s, "nothing lost; 1,200 values cut at limits, 1 event cut at limits");
	s.truncated = 0;
	s.no_values = 3;
	says(&s, "lost: values of 3 events (plan_late); 1 event cut at limits");
	s.cut_events = 0;
	s.gaps[EVG_RING_FULL] = s.lost = 1;
	s.gaps[EVG_OUTPUT] = 2;
	says(&s, "lost: 1 record (ring_full), values of 3 events (plan_late), 2 pieces of output (output)");
}
END_TEST

/* Every reason but the two that are no loss by themselves. */
START_TEST(test_each_reason)
{
	static const char *const names[EVG_MAX] = EV_GAP_NAMES;

	for (int i = 1; i < EVG_MAX; i++) {
		struct assemble_summary s = { 0 };
		char *text = NULL;
		size_t n = 0;
		FILE *f = open_memstream(&text, &n);

		s.gaps[i] = 7;
		losses_say(f, &s);
		fclose(f);
		if (i != EVG_PLAN_LATE && i != EVG_BUDGET)
			ck_assert_msg(strncmp(text, "lost: 7 ", 8) == 0 && strstr(text, names[i]), "%s", text);
		free(text);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("losses");
	SRunner *run = srunner_create(s);
	TCase *t = tcase_create("losses");
	int failed;

	suite_add_tcase(s, t);
	tcase_add_test(t, test_words);
	tcase_add_test(t, test_each_reason);
	srunner_run_all(run, CK_NORMAL);
	failed = srunner_ntests_failed(run);
	srunner_free(run);
	return failed != 0;
}
