/* SPDX-License-Identifier: MIT */
/*
 * From spools to calls.dat. One pass over the rows in order of keys, a chunk of
 * rows at a time. A row gives the exact length of its record, so the size of a
 * chunk's frame is known before its first byte and a record of 40 million
 * children streams through a constant buffer. The children of p are found by
 * hopping: c = p + 1, then c += subtree(c), while c < p + subtree(p).
 */
#include <stdlib.h>
#include <string.h>

#include "trace/ct_writer_private.h"
#include "util/err.h"

struct ancestor {
	uint64_t key, end; /* end: first key after its subtree */
	uint64_t entry, exit;
};

struct pending {
	struct call_row row;
	uint64_t key, args_at;
	int64_t parent;
	uint64_t depth;
	uint64_t len;
};

struct merge {
	struct calls_out *c;
	struct chunk_out *s;
	struct packer *z;
	struct spool_view rows, hops, at, args, rets;
	struct ancestor *way;
	size_t nway, way_cap;
	struct pending chunk[CT_CALLS_CHUNK];
	struct buf head;
};

static int read_row(struct spool_view *v, uint64_t key, struct call_row *row)
{
	const uint8_t *p;
	size_t n;
	int r = spool_peek(v, key * sizeof(*row), &p, &n);

	if (r < 0)
		return r;
	/* blocks are whole numbers of rows */
	memcpy(row, p, sizeof(*row));
	return 0;
}

static int read_at(struct spool_view *v, uint64_t key, uint64_t *at)
{
	const uint8_t *p;
	size_t n;
	int r = spool_peek(v, key * sizeof(*at), &p, &n);

	if (r < 0)
		return r;
	memcpy(at, p, sizeof(*at));
	return 0;
}

static uint64_t clamp(uint64_t v, uint64_t lo, uint64_t hi)
{
	return v < lo ? lo : v > hi ? hi : v;
}

/* Finds the parent and sees that ranges of steps nest: a call without steps may
 * have been entered before the first step of its parent. */
static int place(struct merge *m, struct pending *p)
{
	struct ancestor *up;

	while (m->nway && p->key >= m->way[m->nway - 1].end)
		m->nway--;
	p->depth = m->nway;
	p->parent = -1;
	if (m->nway) {
		up = &m->way[m->nway - 1];
		p->parent = up->key;
		p->row.entry = clamp(p->row.entry, up->entry, up->exit);
		p->row.exit = clamp(p->row.exit, p->row.entry, up->exit);
	}
	if (p->row.subtree == 1)
		return 0;
	if (m->nway == m->way_cap) {
		size_t cap = m->way_cap ? m->way_cap * 2 : 64;
		struct ancestor *way = realloc(m->way, cap * sizeof(*way));

		if (!way)
			return err_set(ERR_NOMEM, "calls nested %zu deep", m->nway);
		m->way = way;
		m->way_cap = cap;
	}
	m->way[m->nway++] = (struct ancestor){ p->key, p->key + p->row.subtree, p->row.entry, p->row.exit };
	return 0;
}

/* The part of the record before the arguments. */
static void put_head(struct merge *m, const struct pending *p)
{
	buf_clear(&m->head);
	buf_varint(&m->head, p->row.function);
	buf_svarint(&m->head, p->parent);
	buf_varint(&m->head, p->row.entry);
	buf_varint(&m->head, p->row.exit);
	buf_varint(&m->head, p->depth);
}

static uint64_t record_len(struct merge *m, const struct pending *p)
{
	const struct call_row *row = &p->row;
	uint64_t ret = row->ret_len ? varint_len(row->ret_len) + (uint64_t)row->ret_len : 2;

	put_head(m, p);
	return m->head.len + row->args_len + ret + varint_len(row->exc_len) + row->exc_len +
	       varint_len(row->nchildren) + row->children_len;
}

static int load_chunk(struct merge *m, uint64_t key, size_t n, uint64_t *size)
{
	*size = 0;
	for (size_t i = 0; i < n; i++) {
		struct pending *p = &m->chunk[i];
		int r;

		p->key = key + i;
		r = read_row(&m->rows, p->key, &p->row);
		if (r >= 0)
			r = place(m, p);
		if (r < 0)
			return r;
		r = read_at(&m->at, p->key, &p->args_at);
		if (r < 0)
			return r;
		p->len = record_len(m, p);
		*size += varint_len(p->len) + p->len;
	}
	return buf_check(&m->head);
}

static int copy(struct merge *m, struct spool_view *v, uint64_t off, uint64_t n)
{
	const uint8_t *p;
	size_t have;

	while (n) {
		int r = spool_peek(v, off, &p, &have);

		if (r < 0)
			return r;
		if (have > n)
			have = n;
		r = frame_put(m->s, m->z, p, have);
		if (r < 0)
			return r;
		off += have;
		n -= have;
	}
	return 0;
}

static int put_buf(struct merge *m)
{
	int r = frame_put(m->s, m->z, m->head.data, m->head.len);

	buf_clear(&m->head);
	return r;
}

static int put_children(struct merge *m, const struct pending *p)
{
	uint64_t end = p->key + p->row.subtree;
	struct call_row child;
	int r = 0;

	buf_varint(&m->head, p->row.nchildren);
	for (uint64_t c = p->key + 1; c < end; c += child.subtree) {
		r = read_row(&m->hops, c, &child);
		if (r < 0)
			return r;
		buf_varint(&m->head, c);
		if (m->head.len > SPOOL_BLOCK) {
			r = put_buf(m);
			if (r < 0)
				return r;
		}
	}
	return put_buf(m);
}

static int put_record(struct merge *m, const struct pending *p)
{
	const struct call_row *row = &p->row;
	int r;

	buf_clear(&m->head);
	buf_varint(&m->head, p->len);
	r = put_buf(m);
	put_head(m, p);
	if (r >= 0)
		r = put_buf(m);
	if (r >= 0)
		r = copy(m, &m->args, p->args_at, row->args_len);
	buf_varint(&m->head, row->ret_len ? row->ret_len : 1);
	if (!row->ret_len)
		buf_u8(&m->head, 0xff);
	if (r >= 0)
		r = put_buf(m);
	if (r >= 0)
		r = copy(m, &m->rets, row->ret_at, row->ret_len);
	buf_varint(&m->head, row->exc_len);
	if (r >= 0)
		r = put_buf(m);
	if (r >= 0)
		r = copy(m, &m->rets, row->ret_at + row->ret_len, row->exc_len);
	return r < 0 ? r : put_children(m, p);
}

static int merge_all(struct merge *m)
{
	uint64_t size;
	int r = 0;

	for (uint64_t key = 0; r >= 0 && key < m->c->n; key += CT_CALLS_CHUNK) {
		uint64_t left = m->c->n - key;
		size_t n = left < CT_CALLS_CHUNK ? left : CT_CALLS_CHUNK;

		r = load_chunk(m, key, n, &size);
		if (r >= 0)
			r = frame_begin(m->s, m->z, size);
		for (size_t i = 0; r >= 0 && i < n; i++)
			r = put_record(m, &m->chunk[i]);
		if (r >= 0)
			r = frame_end(m->s, m->z);
	}
	return r;
}

int calls_merge(struct calls_out *c, struct chunk_out *s, struct packer *z)
{
	struct merge *m = calloc(1, sizeof(*m));
	int r;

	if (!m)
		return err_set(ERR_NOMEM, "merging calls");
	m->c = c;
	m->s = s;
	m->z = z;
	r = spool_view_init(&m->rows, &c->rows);
	if (r >= 0)
		r = spool_view_init(&m->hops, &c->rows);
	if (r >= 0)
		r = spool_view_init(&m->at, &c->args);
	if (r >= 0)
		r = spool_view_init(&m->args, &c->values);
	if (r >= 0)
		r = spool_view_init(&m->rets, &c->values);
	if (r >= 0)
		r = merge_all(m);
	spool_view_deinit(&m->rows);
	spool_view_deinit(&m->hops);
	spool_view_deinit(&m->at);
	spool_view_deinit(&m->args);
	spool_view_deinit(&m->rets);
	buf_deinit(&m->head);
	free(m->way);
	free(m);
	return r;
}
