/* SPDX-License-Identifier: MIT */
/*
 * output.h: where a recording goes: DIR/NAME.ct and, until it is complete,
 * DIR/NAME.ct.journal.
 *
 * The client names and opens both; the daemon is only given descriptors. An
 * existing trace is never overwritten unless forced; while another recording of
 * the same name runs (its journal is there) this one is NAME.PID.ct.
 */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <pwd.h>
#include <stdbool.h>

struct output {
	int dir_fd, journal_fd, trace_fd;
	char dir[3072];
	char name[256];	       /* NAME.ct */
	char journal[300];     /* NAME.ct.journal */
	char partial[300];     /* NAME.ct.partial: the trace while it is being written */
	char path[4096];       /* DIR/NAME.ct, for people */
	bool force;
};

/* Makes DIR (as mkdir -p) and the journal. owner: who is given what is made, or NULL.
 * -ERR_TRACE_DIR_CONFLICT, -ERR_IO, -ERR_NO_SPACE. */
int output_open(struct output *o, const char *dir, const char *stem, bool force,
		const struct passwd *owner);
/* Opens the trace to be written; it gets its name only in output_commit(). */
int output_trace(struct output *o, const struct passwd *owner);
/* Gives the finished trace its name and removes the journal (kept with $CTREC_KEEP_JOURNAL). */
int output_commit(struct output *o);
/* Removes what was made where nothing was recorded. */
void output_discard(struct output *o);
void output_deinit(struct output *o);

#endif
