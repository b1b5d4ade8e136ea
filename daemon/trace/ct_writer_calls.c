/* SPDX-License-Identifier: MIT */
/*
 * Calls while they run. A call's record is final only when it has returned, and
 * the trace wants records in order of entry; a run has tens of millions of calls.
 *
 * So each call is a fixed row in a spool, in order of keys. The newest rows stay
 * in a window in memory, where nearly all calls are closed again before it moves
 * on; the rows of the others are overwritten in place when they close. Arguments
 * and return values go to a second spool, once where they are remembered (by a
 * seeded hash of 128 bits); where a call's arguments are stands in a third one.
 * Keys are given in preorder: a call's subtree is the run of keys
 * [key, key + subtree), and its parent, depth and children follow from that.
 * Only what the length of a record depends on is kept for each open call.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "trace/ct_writer_private.h"
#include "util/err.h"

#define WINDOW 16384u /* rows: 1 MB */
#define LEAST_KNOWN 32u /* shorter values are written again */

int calls_init(struct calls_out *c, int spool_dir_fd)
{
	int r;

	memset(c, 0, sizeof(*c));
	c->rows.fd = c->args.fd = c->values.fd = -1;
	c->window = calloc(WINDOW, sizeof(*c->window));
	c->known = calloc(CALLS_KNOWN, sizeof(*c->known));
	if (getrandom(&c->seed, sizeof(c->seed), 0) != sizeof(c->seed))
		c->seed = (uintptr_t)c;
	if (!c->window || !c->known)
		return err_set(ERR_NOMEM, "a window of calls");
	r = spool_init(&c->rows, spool_dir_fd);
	if (r >= 0)
		r = spool_init(&c->args, spool_dir_fd);
	if (r >= 0)
		r = spool_init(&c->values, spool_dir_fd);
	return r;
}

void calls_deinit(struct calls_out *c)
{
	spool_deinit(&c->rows);
	spool_deinit(&c->args);
	spool_deinit(&c->values);
	free(c->window);
	free(c->known);
	free(c->open);
	buf_deinit(&c->scratch);
}

/* Writes the older half of the window and moves on. */
static int advance(struct calls_out *c)
{
	size_t half = WINDOW / 2;
	int r = spool_append(&c->rows, c->window, half * sizeof(*c->window));

	if (r >= 0)
		r = spool_flush(&c->rows);
	memmove(c->window, c->window + half, half * sizeof(*c->window));
	c->first += half;
	return r;
}

static int store_row(struct calls_out *c, uint64_t key, const struct call_row *row)
{
	if (key < c->first)
		return spool_pwrite(&c->rows, key * sizeof(*row), row, sizeof(*row));
	c->window[key - c->first] = *row;
	return 0;
}

static int push(struct calls_out *c, uint64_t key, const struct call_row *row)
{
	if (c->nopen == c->open_cap) {
		size_t cap = c->open_cap ? c->open_cap * 2 : 64;
		struct open_call *open = realloc(c->open, cap * sizeof(*open));

		if (!open)
			return err_set(ERR_NOMEM, "%zu open calls", c->nopen);
		c->open = open;
		c->open_cap = cap;
	}
	c->open[c->nopen].key = key;
	c->open[c->nopen++].row = *row;
	return 0;
}

/* Where in values the bytes are now. */
static int put_value(struct calls_out *c, const void *p, size_t n, uint64_t *at)
{
	XXH128_hash_t hash;
	struct call_value *known;

	*at = c->values.size;
	if (n < LEAST_KNOWN)
		return spool_append(&c->values, p, n);
	hash = XXH3_128bits_withSeed(p, n, c->seed);
	known = &c->known[hash.low64 % CALLS_KNOWN];
	if (XXH128_isEqual(known->hash, hash)) {
		*at = known->at;
		return 0;
	}
	*known = (struct call_value){ hash, *at };
	return spool_append(&c->values, p, n);
}

int calls_enter(struct calls_out *c, uint64_t steps, uint32_t function, const struct trace_var *args,
		size_t nargs)
{
	struct call_row row = { .function = function, .entry = steps };
	uint64_t key = c->n, at;
	int r;

	buf_clear(&c->scratch);
	buf_varint(&c->scratch, nargs);
	for (size_t i = 0; i < nargs; i++) {
		buf_varint(&c->scratch, args[i].name);
		buf_str(&c->scratch, args[i].cbor, args[i].len);
	}
	if (c->scratch.oom)
		return buf_check(&c->scratch);
	row.args_len = c->scratch.len;
	r = put_value(c, c->scratch.data, c->scratch.len, &at);
	if (r >= 0)
		r = spool_append(&c->args, &at, sizeof(at));
	if (r >= 0 && c->n - c->first == WINDOW)
		r = advance(c);
	if (r < 0)
		return r;
	if (c->nopen) {
		c->open[c->nopen - 1].row.nchildren++;
		c->open[c->nopen - 1].row.children_len += varint_len(key);
	}
	c->n++;
	c->window[key - c->first] = row;
	return push(c, key, &row);
}

static int put_return(struct calls_out *c, struct call_row *row, const uint8_t *ret, size_t ret_len,
		      const uint8_t *exc, size_t exc_len)
{
	int r;

	row->ret_len = ret ? ret_len : 0;
	row->exc_len = exc ? exc_len : 0;
	if (!row->exc_len)
		return put_value(c, ret, row->ret_len, &row->ret_at);
	row->ret_at = c->values.size;
	r = spool_append(&c->values, ret, row->ret_len);
	return r < 0 ? r : spool_append(&c->values, exc, row->exc_len);
}

int calls_exit(struct calls_out *c, uint64_t steps, const uint8_t *ret, size_t ret_len,
	       const uint8_t *exc, size_t exc_len)
{
	struct open_call *call;
	struct call_row *row;
	int r;

	if (!c->nopen)
		return err_set(ERR_UNKNOWN, "a call ends that never began");
	call = &c->open[--c->nopen];
	row = &call->row;
	/* without a step of its own: the step before it, as far as there is one */
	if (row->entry == steps && steps)
		row->entry = steps - 1;
	row->exit = steps ? steps - 1 : 0;
	row->subtree = c->n - call->key;
	r = put_return(c, row, ret, ret_len, exc, exc_len);
	return r < 0 ? r : store_row(c, call->key, row);
}

int calls_returned(struct calls_out *c, uint64_t key, const uint8_t *ret, size_t ret_len,
		   const uint8_t *exc, size_t exc_len)
{
	struct call_row row;
	int r = 0;

	if (key < c->first)
		r = spool_pread(&c->rows, key * sizeof(row), &row, sizeof(row));
	else
		row = c->window[key - c->first];
	if (r >= 0)
		r = put_return(c, &row, ret, ret_len, exc, exc_len);
	return r < 0 ? r : store_row(c, key, &row);
}

int calls_flush(struct calls_out *c)
{
	int r = spool_append(&c->rows, c->window, (c->n - c->first) * sizeof(*c->window));

	c->first = c->n;
	free(c->window);
	c->window = NULL;
	if (r >= 0)
		r = spool_flush(&c->rows);
	if (r >= 0)
		r = spool_flush(&c->args);
	return r < 0 ? r : spool_flush(&c->values);
}
