/* SPDX-License-Identifier: MIT */
/*
 * stores.h: which variables a line may bind anew, from a code object's bytecode.
 */
#ifndef PYTHON_STORES_H
#define PYTHON_STORES_H

#include "ctrec/layout.h"

/*
 * For each place where a line may begin (byte offset lasti, table entry
 * CTREC_STORES_AT(lasti)): the localsplus slots below 32 that instructions of
 * that line store or delete. Places that share an entry share its bits. Capture
 * takes a variable as the same object as before when its slot was not among them
 * and still holds the same address. All bits are set for a version not known here
 * (known: CPython 3.11 to 3.14) and where the definition makes no sense.
 */
void line_stores(const struct ev_defcode *d, struct ctrec_stores *s);

#endif
