/* SPDX-License-Identifier: MIT */
/*
 * layout_tables.h: the tables of all versions there are, oldest first, NULL at the end.
 */
#ifndef PYTHON_LAYOUT_TABLES_H
#define PYTHON_LAYOUT_TABLES_H

#include <stddef.h>

#include "ctrec/layout.h"

extern const struct ctrec_layout *const layout_tables[];

#endif
