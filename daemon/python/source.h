/* SPDX-License-Identifier: MIT */
/*
 * source.h: the source text of a file, read as the user and as the target sees it.
 */
#ifndef PYTHON_SOURCE_H
#define PYTHON_SOURCE_H

#include "util/buf.h"

#include <sys/types.h>

/* Appends EV_DEFSOURCE for a file of the target. 1: done; 0: no such regular
 * file of a sensible size that uid may read, nothing appended. */
int source_append(struct buf *defs, pid_t pid, const char *path, size_t len, uid_t uid, gid_t gid);

#endif
