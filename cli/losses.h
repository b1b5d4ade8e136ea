/* SPDX-License-Identifier: MIT */
/*
 * losses.h: what a recording lacks, in words.
 */
#ifndef CLI_LOSSES_H
#define CLI_LOSSES_H

#include <stdio.h>

#include "trace/assemble.h"

/* "nothing lost", or "lost: 12 records (ring_full), values of 3 events (plan_late)";
 * then what limits cut, which is no loss: "; 7 values cut at limits". */
void losses_say(FILE *to, const struct assemble_summary *s);

#endif
