/* SPDX-License-Identifier: MIT */
/*
 * version.h: which version of CPython a file holds.
 */
#ifndef PYTHON_VERSION_H
#define PYTHON_VERSION_H

#include "target/elf.h"

/* From the value of Py_Version (PY_VERSION_HEX). */
void python_version_hex(struct python_info *info, uint32_t hex);
/* From the file's strings and its name (info->exe.path); leaves 0 when not sure. */
void python_version_guess(struct python_info *info, const struct elf *elf);

#endif
