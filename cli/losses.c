/* SPDX-License-Identifier: MIT */
#include "losses.h"

#include <stdbool.h>

#include "cli.h"

/* Records that are missing; together they are the summary's `lost`. */
static const enum ev_gap_reason records[] = { EVG_RING_FULL, EVG_BAD_FRAME, EVG_BAD_RECORD,
					      EVG_JOURNAL, EVG_DISK };

struct saying {
	FILE *to;
	bool any;
};

/* one, more: with what is counted, such as "record" and "records". */
static void say(struct saying *s, uint64_t n, const char *one, const char *more, const char *reason)
{
	char number[CLI_NUMBER];

	if (!n)
		return;
	fprintf(s->to, "%s%s %s (%s)", s->any ? ", " : "lost: ", cli_number(number, n),
		n == 1 ? one : more, reason);
	s->any = true;
}

void losses_say(FILE *to, const struct assemble_summary *s)
{
	static const char *const names[EVG_MAX] = EV_GAP_NAMES;
	struct saying said = { .to = to };
	char number[CLI_NUMBER];

	for (size_t i = 0; i < sizeof(records) / sizeof(*records); i++)
		say(&said, s->gaps[records[i]], "record", "records", names[records[i]]);
	/* a plan that came late may be that of code that is not recorded */
	if (s->no_values) {
		fprintf(to, "%svalues of %s event%s (plan_late)", said.any ? ", " : "lost: ",
			cli_number(number, s->no_values), s->no_values == 1 ? "" : "s");
		said.any = true;
	}
	say(&said, s->gaps[EVG_UNREADABLE], "part of a value", "parts of values", "unreadable");
	say(&said, s->gaps[EVG_TYPE_LATE], "type's name", "types' names", "type_late");
	say(&said, s->gaps[EVG_OUTPUT], "piece of output", "pieces of output", "output");
	say(&said, s->gaps[EVG_OUTPUT_UNSEEN], "source of output", "sources of output", "output_unseen");
	if (!said.any)
		fputs("nothing lost", to);
	if (s->truncated)
		fprintf(to, "; %s value%s cut at limits", cli_number(number, s->truncated),
			s->truncated == 1 ? "" : "s");
	if (s->cut_events)
		fprintf(to, "%s%s event%s cut at limits", s->truncated ? ", " : "; ",
			cli_number(number, s->cut_events), s->cut_events == 1 ? "" : "s");
}
