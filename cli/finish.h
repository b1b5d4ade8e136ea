/* SPDX-License-Identifier: MIT */
/*
 * finish.h: the end of a recording: the trace, and a line about it.
 */
#ifndef CLI_FINISH_H
#define CLI_FINISH_H

#include "output.h"

/* Makes the trace of what the journal has and, if told to, says what is in it. owner:
 * who is given it, or NULL. -ERR_NOTHING_RECORDED: nothing is left of it. */
int finish_trace(struct output *o, const struct passwd *owner, const char *program, bool say);

#endif
