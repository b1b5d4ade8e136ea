/* SPDX-License-Identifier: MIT */
/*
 * deopt.h: bytecode as the compiler wrote it.
 */
#ifndef PYTHON_DEOPT_H
#define PYTHON_DEOPT_H

#include <stddef.h>
#include <stdint.h>

/* What sys.monitoring keeps of the instructions it replaced, an entry for each
 * two-byte unit; NULL where there is none (or it could not be read). */
struct bytecode_originals {
	const uint8_t *lines; /* by line events; line_size bytes an entry, the opcode first */
	size_t line_size;
	const uint8_t *opcodes; /* by instruction events */
};

/* Turns specialised and instrumented instructions into their base and zeroes the
 * inline caches, in place. A version that needs no such thing, or is not known,
 * is left as it is. 0; 1: an instruction's original is not known, it stays. */
int bytecode_deopt(uint32_t python, uint8_t *code, size_t len, const struct bytecode_originals *o);
/* Is there an instruction whose original lies in struct bytecode_originals? */
int bytecode_instrumented(uint32_t python, const uint8_t *code, size_t len);

#endif
