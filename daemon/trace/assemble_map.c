/* SPDX-License-Identifier: MIT */
#include "trace/assemble_map.h"

#include <stdlib.h>

#include "util/err.h"

/* Keys are ids that count up, or hashes: one multiplication spreads both. */
static size_t home(const struct map *m, uint64_t key)
{
	return (size_t)((key * 0x9e3779b97f4a7c15u) >> 20) & (m->cap - 1);
}

static struct map_entry *find(const struct map *m, uint64_t key)
{
	size_t i = home(m, key);

	while (m->entries[i].value && m->entries[i].key != key)
		i = (i + 1) & (m->cap - 1);
	return &m->entries[i];
}

void *map_get(const struct map *m, uint64_t key)
{
	return m->cap ? find(m, key)->value : NULL;
}

static int grow(struct map *m)
{
	struct map old = *m;

	m->cap = old.cap ? old.cap * 2 : 64;
	m->entries = calloc(m->cap, sizeof(*m->entries));
	if (!m->entries) {
		*m = old;
		return err_set(ERR_NOMEM, "a map of %zu entries", old.cap * 2);
	}
	for (size_t i = 0; i < old.cap; i++)
		if (old.entries[i].value)
			*find(m, old.entries[i].key) = old.entries[i];
	free(old.entries);
	return 0;
}

int map_put(struct map *m, uint64_t key, void *value, void **old)
{
	struct map_entry *e;
	int rc = 0;

	if (m->n * 4 >= m->cap * 3)
		rc = grow(m);
	if (rc < 0)
		return rc;
	e = find(m, key);
	if (old)
		*old = e->value;
	m->n += e->value == NULL;
	*e = (struct map_entry){ key, value };
	return 0;
}

void map_deinit(struct map *m, void (*release)(void *value))
{
	for (size_t i = 0; release && i < m->cap; i++)
		if (m->entries[i].value)
			release(m->entries[i].value);
	free(m->entries);
	*m = (struct map){ 0 };
}
