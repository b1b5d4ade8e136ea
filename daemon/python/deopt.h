/* SPDX-License-Identifier: MIT */
/*
 * deopt.h: bytecode as the compiler wrote it.
 */
#ifndef PYTHON_DEOPT_H
#define PYTHON_DEOPT_H

#include <stddef.h>
#include <stdint.h>

/* Turns specialised instructions into their base and zeroes the inline caches, in
 * place. A version that needs no such thing, or is not known, is left as it is. */
void bytecode_deopt(uint32_t python, uint8_t *code, size_t len);

#endif
