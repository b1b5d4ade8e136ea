/* SPDX-License-Identifier: MIT */
/*
 * assemble_map.h: from a number to a pointer. Open addressing, nothing is removed.
 */
#ifndef TRACE_ASSEMBLE_MAP_H
#define TRACE_ASSEMBLE_MAP_H

#include <stddef.h>
#include <stdint.h>

struct map_entry {
	uint64_t key;
	void *value; /* NULL: free */
};

struct map {
	struct map_entry *entries;
	size_t cap, n; /* cap: a power of two, or 0 */
};

void *map_get(const struct map *m, uint64_t key);
/* Adds or replaces (value not NULL); *old, where given, is what was there. 0 or -code. */
int map_put(struct map *m, uint64_t key, void *value, void **old);
void map_deinit(struct map *m, void (*release)(void *value));

#endif
