/* SPDX-License-Identifier: MIT */
/*
 * print_list.h: a trace as a listing for people.
 */
#ifndef CLI_PRINT_LIST_H
#define CLI_PRINT_LIST_H

#include "print_out.h"
#include "trace/ct_reader.h"

int print_list(struct ct_reader *r, uint64_t limit, bool color, struct print_out *o);

#endif
