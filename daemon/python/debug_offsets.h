/* SPDX-License-Identifier: MIT */
/*
 * debug_offsets.h: what a CPython from 3.13 on says about its own layout.
 */
#ifndef PYTHON_DEBUG_OFFSETS_H
#define PYTHON_DEBUG_OFFSETS_H

#include "ctrec/layout.h"
#include "target/target.h"

/* Puts into *l the offsets that may differ between releases of one minor version.
 * 0 (nothing to be done before 3.13), -ERR_TARGET_LAYOUT. */
int debug_offsets_take(struct target *t, const struct python_info *info, struct ctrec_layout *l);
/* Does it say the same as *l? 0, -ERR_TARGET_LAYOUT. */
int debug_offsets_check(struct target *t, const struct python_info *info, const struct ctrec_layout *l);

#endif
