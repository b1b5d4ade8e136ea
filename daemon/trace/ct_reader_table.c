/* SPDX-License-Identifier: MIT */
/*
 * Interning tables. Names are read where they stand and a few are kept, by id:
 * the tables of a hostile file may be as large as the file.
 */
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trace/ct_reader_private.h"
#include "util/err.h"

int table_in_init(struct table_in *t, const struct ctfs_reader *c, const char *name)
{
	char file[CTFS_NAME_MAX + 1];
	int r;

	memset(t, 0, sizeof(*t));
	t->name = name;
	snprintf(file, sizeof(file), "%s.dat", name);
	r = ctfs_open(c, file, &t->dat);
	if (r == 0)
		return err_set(ERR_BAD_TRACE, "it has no %s", file);
	snprintf(file, sizeof(file), "%s.off", name);
	if (r > 0)
		r = ctfs_open(c, file, &t->off);
	if (r == 0 || (r > 0 && t->off.size < 8))
		return err_set(ERR_BAD_TRACE, "it has no %s", file);
	if (r > 0)
		t->n = t->off.size / 8 - 1;
	return r < 0 ? r : 0;
}

void table_in_deinit(struct table_in *t)
{
	ctfs_in_deinit(&t->dat);
	ctfs_in_deinit(&t->off);
	for (unsigned i = 0; t->slots && i < NAME_SLOTS; i++)
		buf_deinit(&t->slots[i]);
	free(t->slots);
	free(t->ids);
	buf_deinit(&t->scratch);
}

int table_in_range(struct table_in *t, uint64_t id, uint64_t *at, uint64_t *len)
{
	uint64_t o[2];
	int r;

	if (id >= t->n)
		return err_set(ERR_BAD_TRACE, "%s: number %llu of %llu", t->name, (unsigned long long)id,
			       (unsigned long long)t->n);
	r = ctfs_read(&t->off, id * 8, o, sizeof(o));
	if (r < 0)
		return r;
	*at = le64toh(o[0]);
	if (*at > le64toh(o[1]) || le64toh(o[1]) > t->dat.size)
		return err_set(ERR_BAD_TRACE, "%s: the offsets do not cover the table", t->name);
	*len = le64toh(o[1]) - *at;
	return 0;
}

static int load_name(struct table_in *t, bool is_path, uint64_t id, struct buf *to)
{
	struct cbor_in in;
	uint64_t at, len, text;
	uint8_t head[10];
	int r = table_in_range(t, id, &at, &len);

	buf_clear(to);
	if (r < 0)
		return r;
	if (is_path) {
		in.p = head;
		in.end = head + (len < sizeof(head) ? len : sizeof(head));
		r = ctfs_read(&t->dat, at, head, in.end - in.p);
		if (r < 0)
			return r;
		if (!ct_take_varint(&in, &text) || text > len - (in.p - head))
			return err_set(ERR_BAD_TRACE, "paths: number %llu is cut", (unsigned long long)id);
		at += in.p - head;
		len = text;
	}
	if (len > CT_NAME_MAX)
		return err_set(ERR_BAD_TRACE, "%s: a name of %llu bytes", t->name, (unsigned long long)len);
	if (!buf_reserve(to, len + 1))
		return buf_check(to);
	r = ctfs_read(&t->dat, at, to->data, len);
	to->len = r < 0 ? 0 : len;
	return r;
}

int table_in_name(struct table_in *t, bool is_path, uint64_t id, struct cbor_in *text)
{
	unsigned slot = id % NAME_SLOTS;
	struct buf *b;
	int r;

	if (!t->ids)
		t->ids = calloc(NAME_SLOTS, sizeof(*t->ids));
	if (!t->slots)
		t->slots = calloc(NAME_SLOTS, sizeof(*t->slots));
	if (!t->ids || !t->slots)
		return err_set(ERR_NOMEM, "names of %s", t->name);
	b = &t->slots[slot];
	if (t->ids[slot] != id + 1) {
		r = load_name(t, is_path, id, &t->scratch);
		if (r < 0)
			return r;
		if (t->scratch.len > NAME_CACHED) {
			b = &t->scratch;
		} else {
			t->ids[slot] = 0;
			buf_clear(b);
			buf_append(b, t->scratch.data, t->scratch.len);
			r = buf_check(b);
			if (r < 0)
				return r;
			t->ids[slot] = id + 1;
		}
	}
	text->p = b->data;
	text->end = b->data ? b->data + b->len : NULL;
	return 0;
}
