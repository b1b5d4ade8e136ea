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

/* A definition of a code object under way. */
struct code_def {
	struct resolver *r;
	struct buf *out;
	size_t start;	 /* of the record in out */
	uint64_t addr;
	const uint8_t *c; /* copy of the struct; NULL: it can't be read */
	struct ev_defcode d;
	struct ctrec_codeplan *plan;
};

#define SLOTS_MAX 65535u
#define NAMES_MAX (1u << 20)
#define BYTECODE_MAX (1u << 20)

#define CO_FAST_HIDDEN 0x10
#define CO_FAST_LOCAL 0x20
#define CO_FAST_CELL 0x40
#define CO_FAST_FREE 0x80

/* The bytecode as the compiler wrote it (resolve_bytecode.c); the length appended. */
uint32_t put_bytecode(struct code_def *def);
/* What variables there are (resolve_slots.c): def->d.nlocalsplus; kinds and names, their lengths. */
void count_slots(struct code_def *def);
uint32_t put_kinds(struct code_def *def);
uint32_t put_names(struct code_def *def);
/* Appends a bytes object's content, none if it is longer than max; its length. */
uint32_t put_bytes(struct code_def *def, uint64_t addr, size_t max);

/* Zeros up to a multiple of eight bytes from the start of a record. */
void record_pad(struct buf *b, size_t start);

#endif
