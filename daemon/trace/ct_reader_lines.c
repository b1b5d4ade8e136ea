/* SPDX-License-Identifier: MIT */
/*
 * From a step's address to its path, line and column. All lines of all paths
 * stand one behind the other in one space of addresses; neighbours of the same
 * length are kept as one run, so that a path whose lines are all one column wide
 * takes one. Their number is bounded, whatever the file says.
 */
#include <string.h>

#include "trace/ct_reader_private.h"
#include "util/err.h"

struct cursor {
	struct ctfs_in *f;
	uint64_t at, end;
	size_t pos, len;
	uint8_t bytes[16384];
};

static int take_varint(struct cursor *c, uint64_t *v)
{
	*v = 0;
	for (unsigned shift = 0; shift < 70; shift += 7) {
		uint8_t b;

		if (c->pos == c->len) {
			int r;

			c->len = c->end - c->at < sizeof(c->bytes) ? c->end - c->at : sizeof(c->bytes);
			c->pos = 0;
			if (!c->len)
				break;
			r = ctfs_read(c->f, c->at, c->bytes, c->len);
			if (r < 0)
				return r;
			c->at += c->len;
		}
		b = c->bytes[c->pos++];
		*v |= (uint64_t)(b & 127) << shift;
		if (b < 128)
			return 0;
	}
	return err_set(ERR_BAD_TRACE, "paths: a table of lines is cut");
}

static int add_line(struct lines_in *l, uint32_t path, uint64_t line, uint64_t len, uint64_t *last)
{
	struct line_run run = { l->end, path, line, len };

	if (len > INT32_MAX || l->end > INT64_MAX)
		return err_set(ERR_BAD_TRACE, "paths: a line of %llu columns", (unsigned long long)len);
	l->end += len;
	if (line > 1 && len == *last)
		return 0;
	*last = len;
	if (l->runs.len / sizeof(run) == LINE_RUNS_MAX)
		return err_set(ERR_BAD_TRACE, "paths: too many lines");
	buf_append(&l->runs, &run, sizeof(run));
	return buf_check(&l->runs);
}

static int load_path(struct lines_in *l, struct table_in *paths, struct cursor *c, uint32_t path)
{
	uint64_t at, len, n, v, width = 0, last = 0;
	int r = table_in_range(paths, path, &at, &len);

	if (r < 0)
		return r;
	c->at = at;
	c->end = at + len;
	c->pos = c->len = 0;
	r = take_varint(c, &n);
	if (r < 0)
		return r;
	at += c->pos;
	if (n > c->end - at)
		return err_set(ERR_BAD_TRACE, "paths: number %u is cut", path);
	c->at = at + n;
	c->pos = c->len = 0;
	r = take_varint(c, &n);
	if (r >= 0 && n > UINT32_MAX)
		r = err_set(ERR_BAD_TRACE, "paths: number %u has too many lines", path);
	for (uint64_t line = 1; r >= 0 && line <= n; line++) {
		r = take_varint(c, &v);
		if (r < 0)
			break;
		width += (v >> 1) ^ -(v & 1);
		r = add_line(l, path, line, width, &last);
	}
	return r;
}

int lines_load(struct lines_in *l, struct table_in *paths)
{
	struct cursor c = { .f = &paths->dat };

	if (paths->n > LINE_RUNS_MAX)
		return err_set(ERR_BAD_TRACE, "paths: too many");
	for (uint64_t i = 0; i < paths->n; i++) {
		int r = load_path(l, paths, &c, i);

		if (r < 0)
			return r;
	}
	return 0;
}

void lines_deinit(struct lines_in *l)
{
	buf_deinit(&l->runs);
}

bool lines_find(struct lines_in *l, uint64_t address, struct ct_step *step)
{
	const struct line_run *run = (const void *)l->runs.data;
	size_t n = l->runs.len / sizeof(*run), lo = 0, hi = n;

	if (address >= l->end)
		return false;
	lo = l->last;
	if (address < run[lo].address || (lo + 1 < n && address >= run[lo + 1].address)) {
		/* the last run that starts at or before the address */
		for (lo = 0; hi - lo > 1;) {
			size_t mid = lo + (hi - lo) / 2;

			if (run[mid].address <= address)
				lo = mid;
			else
				hi = mid;
		}
		l->last = lo;
	}
	/* runs of empty lines cover no address, so this one has a length */
	step->path = run[lo].path;
	step->line = run[lo].line + (address - run[lo].address) / run[lo].len;
	step->column = (address - run[lo].address) % run[lo].len + 1;
	return true;
}
