/* SPDX-License-Identifier: MIT */
/*
 * spare.h: one loaded capture kept ready for the next session.
 *
 * Loading takes the kernel's verifier some tenths of a second, attaching a few
 * milliseconds. The spare is loaded in the background and attached to nothing.
 */
#ifndef SESSION_SPARE_H
#define SESSION_SPARE_H

#include "probe/capture.h"

struct spare;

int spare_new(struct spare **ret); /* and begins to load one */
struct spare *spare_free(struct spare *s); /* returns NULL */
/* From any thread: the spare, or (none is ready, s is NULL) one loaded now. */
int spare_take(struct spare *s, struct capture **ret);
/* Loads the next one, unless one is there. */
void spare_prepare(struct spare *s);

#endif
