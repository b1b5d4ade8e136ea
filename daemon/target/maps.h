/* SPDX-License-Identifier: MIT */
/*
 * maps.h: the mappings of a process, and the very files that are mapped.
 */
#ifndef TARGET_MAPS_H
#define TARGET_MAPS_H

#include "target/target.h"

struct mapping {
	uint64_t start, end, offset;
	uint64_t dev, ino; /* dev as makedev() gives it; ino 0: no file */
	int exec;
	char *path; /* "" for none */
};

struct maps {
	struct mapping *m;
	size_t n;
	char *text; /* what the paths point into */
};

/* Reads /proc/PID/maps. -ERR_TARGET_GONE, -ERR_NO_PRIVILEGE. */
int maps_read(struct maps *ret, pid_t pid);
void maps_deinit(struct maps *maps);
/* The same from text (zero-terminated, taken over and changed); lines that make no sense are left out. */
int maps_parse(struct maps *ret, char *text);
/* A descriptor on the file that is mapped there, never on another of its name, or -1. */
int mapping_open(pid_t pid, const struct mapping *m);
/* The same for the program itself. */
int exe_open(pid_t pid);

#endif
