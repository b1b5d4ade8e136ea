/* SPDX-License-Identifier: MIT */
/*
 * opcode_tables.h: facts about the instructions of each version from 3.11 on.
 */
#ifndef PYTHON_OPCODE_TABLES_H
#define PYTHON_OPCODE_TABLES_H

#include <stddef.h>
#include <stdint.h>

struct opcode_table {
	uint32_t python;
	uint8_t line, instruction; /* instrumented: the original lies elsewhere (3.12+) */
	uint8_t executor;	   /* compiled code took its place (3.13+, JIT builds) */
	uint8_t base[256];   /* of a specialised or instrumented one; 0: it is its own base */
	uint8_t caches[256]; /* units of inline cache after a base instruction */
};

extern const struct opcode_table *const opcode_tables[]; /* NULL at the end */

#endif
