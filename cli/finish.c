/* SPDX-License-Identifier: MIT */
#include "finish.h"

#include <stdio.h>

#include "cli.h"
#include "losses.h"
#include "trace/assemble.h"
#include "util/err.h"

static void tell(const struct output *o, const struct assemble_summary *s, const struct trace_counts *n)
{
	char a[CLI_NUMBER], b[CLI_NUMBER], c[CLI_NUMBER];

	fprintf(stderr, "ctrec: %s: %s steps, %s calls, %s; ", o->path, cli_number(a, n->steps),
		cli_number(b, n->calls), cli_bytes(c, n->bytes));
	losses_say(stderr, s);
	fputc('\n', stderr);
}

int finish_trace(struct output *o, const struct passwd *owner, const char *program, bool say)
{
	struct assemble_summary s = { 0 };
	struct trace_counts n = { 0 };
	int rc = output_trace(o, owner);

	if (rc == 0)
		rc = assemble_journal(o->journal_fd, o->trace_fd, o->dir_fd, &s, &n);
	if (rc < 0)
		return rc;
	if (!n.steps) {
		output_discard(o);
		return err_set(ERR_NOTHING_RECORDED, "%s", program);
	}
	rc = output_commit(o);
	if (rc == 0 && say)
		tell(o, &s, &n);
	return rc;
}
