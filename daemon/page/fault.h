/* SPDX-License-Identifier: MIT */
/*
 * fault.h: points where a test lets the daemon die (CTREC_FAULT=name).
 */
#ifndef PAGE_FAULT_H
#define PAGE_FAULT_H

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FAULT_EXIT 99

static inline void fault_point(const char *name)
{
	const char *want = secure_getenv("CTREC_FAULT");

	if (want && strcmp(want, name) == 0)
		_exit(FAULT_EXIT);
}

#endif
