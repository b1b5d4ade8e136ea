/* SPDX-License-Identifier: MIT */
/*
 * objects.h: Python objects read from a target's memory.
 *
 * The target runs on meanwhile and its memory is hostile: each reader checks
 * the object's type, bounds every length and copies before it looks.
 */
#ifndef PYTHON_OBJECTS_H
#define PYTHON_OBJECTS_H

#include "ctrec/layout.h"
#include "target/target.h"
#include "util/buf.h"

#define OBJECT_TYPE 8 /* ob_type, in every object of every version */
#define TEXT_MAX 4096 /* bytes of one string kept */

struct objects {
	struct memory *mem;
	const struct ctrec_layout *l;
	const uint64_t *statics; /* enum ctrec_static */
};

/* Little-endian fields of a copy. */
uint64_t field_u64(const uint8_t *copy, unsigned offset);
uint32_t field_u32(const uint8_t *copy, unsigned offset);

/* Reads at least min and at most max bytes, in one or two calls; the number read or -ERR_TARGET_MEMORY. */
int objects_read(const struct objects *o, uint64_t addr, void *to, size_t min, size_t max);
/* A C string of less than size bytes, cut when longer. 0, -ERR_TARGET_MEMORY. */
int objects_cstring(const struct objects *o, uint64_t addr, char *to, size_t size);
/*
 * Appends a str as UTF-8: lone surrogates as the text \udcxx, NUL as \x00. 0;
 * 1: cut at max bytes; -ERR_TARGET_MEMORY: no str, nothing appended.
 */
int objects_str(const struct objects *o, uint64_t addr, struct buf *to, size_t max);
/* Appends the bytes of a bytes object. 0; 1: longer than max, nothing appended; -ERR_TARGET_MEMORY. */
int objects_bytes(const struct objects *o, uint64_t addr, struct buf *to, size_t max);
/* The first items of a tuple: how many there are (to may be smaller), or -ERR_TARGET_MEMORY. */
int64_t objects_tuple(const struct objects *o, uint64_t addr, uint64_t *items, size_t max);
/* The value of a str key in a dict; 0: none. */
uint64_t objects_dict_get(const struct objects *o, uint64_t dict, const char *key);

#endif
