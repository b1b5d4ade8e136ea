/* SPDX-License-Identifier: MIT */
/*
 * Interning tables. Records go to the file at once; what stays in memory is
 * what names need to be found again. That grows with the program's text, not
 * with its run.
 */
#include <endian.h>
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "trace/ct_writer_private.h"
#include "util/err.h"

int table_init(struct table_out *t, struct ctfs_writer *c, const char *name)
{
	char file[CTFS_NAME_MAX + 1];
	int r;

	memset(t, 0, sizeof(*t));
	snprintf(file, sizeof(file), "%s.dat", name);
	r = ctfs_create(c, file, &t->dat);
	if (r < 0)
		return r;
	snprintf(file, sizeof(file), "%s.off", name);
	r = ctfs_create(c, file, &t->off);
	return r < 0 ? r : ctfs_append(t->off, &(uint64_t){ 0 }, 8);
}

void table_deinit(struct table_out *t)
{
	buf_deinit(&t->text);
	buf_deinit(&t->entries);
	free(t->slots);
}

const struct table_entry *table_entry(const struct table_out *t, uint32_t id)
{
	return (const struct table_entry *)t->entries.data + id;
}

/* Where the name is, or the free slot where it goes. */
static uint32_t *find(const struct table_out *t, const uint8_t *text, size_t len, uint32_t extra,
		      uint64_t hash)
{
	for (uint32_t i = hash;; i++) {
		uint32_t *slot = &t->slots[i & (t->nslots - 1)];
		const struct table_entry *e;

		if (!*slot)
			return slot;
		e = table_entry(t, *slot - 1);
		if (e->hash == hash && e->len == len && e->extra == extra &&
		    memcmp(t->text.data + e->at, text, len) == 0)
			return slot;
	}
}

static int grow(struct table_out *t)
{
	uint32_t n = t->nslots ? t->nslots * 2 : 256;
	uint32_t *slots = n ? calloc(n, sizeof(*slots)) : NULL;

	if (!slots)
		return err_set(ERR_NOMEM, "a table of %u names", t->n);
	for (uint32_t id = 0; id < t->n; id++) {
		uint32_t i = table_entry(t, id)->hash;

		while (slots[i & (n - 1)])
			i++;
		slots[i & (n - 1)] = id + 1;
	}
	free(t->slots);
	t->slots = slots;
	t->nslots = n;
	return 0;
}

int table_intern(struct table_out *t, const uint8_t *text, size_t len, uint32_t extra, uint32_t *id)
{
	struct table_entry e = { .at = t->text.len, .len = len, .extra = extra };
	uint32_t *slot;
	int r;

	if (t->n >= t->nslots / 2) {
		r = grow(t);
		if (r < 0)
			return r;
	}
	e.hash = XXH3_64bits_withSeed(text, len, extra);
	slot = find(t, text, len, extra, e.hash);
	if (*slot) {
		*id = *slot - 1;
		return 0;
	}
	buf_append(&t->text, text, len);
	buf_append(&t->entries, &e, sizeof(e));
	if (t->text.oom || t->entries.oom)
		return err_set(ERR_NOMEM, "a table of %u names", t->n);
	*id = t->n++;
	*slot = t->n;
	return 1;
}

int table_record_end(struct table_out *t)
{
	return ctfs_append(t->off, &(uint64_t){ htole64(ctfs_out_size(t->dat)) }, 8);
}
