/* SPDX-License-Identifier: MIT */
/*
 * resolver.h: what resolve.c and resolve_type.c share.
 */
#ifndef PYTHON_RESOLVER_H
#define PYTHON_RESOLVER_H

#include "python/objects.h"
#include "python/resolve.h"

struct resolver {
	struct objects o;
	pid_t pid;
	unsigned version;
	uint64_t statics[64];
	struct resolve_options options;
	/* hashes of the file names whose source was asked for */
	uint64_t *seen;
	size_t nseen, seen_cap;
};

/* Zeros up to a multiple of eight bytes from the start of a record. */
void record_pad(struct buf *b, size_t start);

#endif
