/* SPDX-License-Identifier: MIT */
/*
 * The listing. A step is recorded before its line runs, so what a line changed
 * shows at the next step of its call; it is printed there, above that step and
 * thus below the line that did it. An argument that a call shows already is no
 * change. To know changes, a hash of each variable is kept for the open calls;
 * the innermost call's are the last in `seen`, so they come and go as a stack.
 *
 *	 a.py:3    x = add(1, 2)
 *	             → add(a=1, b=2)
 *	 b.py:1        return a + b
 *	             ← 3
 *	           x = 3
 */
#include "print_list.h"

#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "print_source.h"
#include "print_value.h"
#include "print_walk.h"
#include "util/err.h"

#define COLUMNS 120
#define GUTTER_MIN 10
#define GUTTER_MAX 24
#define DEPTH_MAX 20 /* deeper calls are not indented further */
#define SEEN_MAX (8u << 20)

enum { DIM, LINE_NO, NAME, CALL, RETURN, FAIL, OUT, ERR, NSTYLES };
static const char *const styles[NSTYLES] = { "\033[2m",	 "\033[36m", "\033[33m", "\033[1;34m",
					     "\033[32m", "\033[1;31m", "\033[0m", "\033[31m" };

struct seen {
	uint64_t name, hash;
};

struct frame {
	size_t start; /* of its variables in seen */
};

struct list {
	struct ct_reader *r;
	struct print_out *o;
	struct print_source *source;
	bool color;
	size_t gutter;
	struct buf seen, frames, now;
	bool open_line[2]; /* stdout and stderr: the last output ended without a newline */
};

static void style(struct list *l, int s)
{
	if (l->color)
		print_text(&l->o->b, styles[s]);
}

static void plain(struct list *l)
{
	if (l->color)
		print_text(&l->o->b, "\033[0m");
}

static void blanks(struct buf *b, size_t n)
{
	while (n--)
		buf_u8(b, ' ');
}

static size_t depth(const struct list *l)
{
	size_t n = l->frames.len / sizeof(struct frame);

	n = n ? n - 1 : 0;
	return n < DEPTH_MAX ? n : DEPTH_MAX;
}

/* The start of a line that is no step; returns the columns that are left. */
static size_t margin(struct list *l, size_t level)
{
	size_t used = l->gutter + 2 + 2 * level;

	blanks(&l->o->b, used);
	return COLUMNS - used;
}

static int end_line(struct list *l)
{
	buf_u8(&l->o->b, '\n');
	return print_out_flush(l->o, false);
}

/* `name = value` or `name=value`. */
static int put_var(struct list *l, const struct ct_var *v, const char *equals, size_t width)
{
	struct buf *b = &l->o->b;
	struct cbor_in name;
	int rc = ct_name(l->r, CT_VARNAMES, v->name, &name);

	if (rc < 0)
		return rc;
	style(l, NAME);
	print_plain(b, name.p, name.end - name.p, 60);
	plain(l);
	print_text(b, equals);
	return print_value(l->r, b, v->cbor, width);
}

static int damaged(const char *what)
{
	return err_set(ERR_BAD_TRACE, "%s are damaged", what);
}

static bool was_seen(const struct list *l, size_t start, const struct seen *s, size_t *hint)
{
	const struct seen *all = (const void *)(l->seen.data + start);
	size_t n = (l->seen.len - start) / sizeof(*all);

	/* variables keep their order from step to step */
	for (size_t i = 0; i < n; i++) {
		size_t k = (*hint + i) % n;

		if (all[k].name != s->name)
			continue;
		*hint = k + 1;
		return all[k].hash == s->hash;
	}
	return false;
}

static struct seen seen_of(const struct ct_var *v)
{
	return (struct seen){ v->name, XXH3_64bits(v->cbor.p, v->cbor.end - v->cbor.p) };
}

static int put_changes(struct list *l, struct ct_vars vars)
{
	const struct frame *f = l->frames.len ? (const struct frame *)(l->frames.data + l->frames.len) - 1 : NULL;
	size_t start = f ? f->start : 0, hint = 0;
	int rc = 0;

	buf_clear(&l->now);
	for (uint64_t i = 0; rc == 0 && i < vars.n; i++) {
		struct ct_var v;
		struct seen s;

		if (!ct_take_var(&vars.in, &v))
			return damaged("the variables of a step");
		s = seen_of(&v);
		if (!was_seen(l, start, &s, &hint)) {
			size_t left = margin(l, depth(l));

			rc = put_var(l, &v, " = ", left > 70 ? left - 10 : 60);
			if (rc == 0)
				rc = end_line(l);
		}
		if (start + l->now.len < SEEN_MAX)
			buf_append(&l->now, &s, sizeof(s));
	}
	if (vars.n || f) {
		l->seen.len = start;
		buf_append(&l->seen, l->now.data, l->now.len);
	}
	return rc ? rc : l->now.oom ? buf_check(&l->now) : buf_check(&l->seen);
}

static int enter(void *ctx, const struct ct_call *call)
{
	struct list *l = ctx;
	struct buf *b = &l->o->b;
	struct frame f = { l->seen.len };
	struct ct_vars args = call->args;
	struct cbor_in name;
	size_t level = l->frames.len ? depth(l) + 1 : 0;
	int rc = ct_name(l->r, CT_FUNCTIONS, call->function, &name);

	if (rc < 0)
		return rc;
	buf_append(&l->frames, &f, sizeof(f));
	margin(l, level);
	style(l, CALL);
	print_text(b, "→ ");
	print_plain(b, name.p, name.end - name.p, 80);
	plain(l);
	buf_u8(b, '(');
	for (uint64_t i = 0, from = b->len; rc == 0 && i < args.n; i++) {
		struct ct_var v;
		struct seen s;
		bool more = b->len - from < COLUMNS;

		if (!ct_take_var(&args.in, &v))
			return damaged("the arguments of a call");
		if (i && b->len - from < 2 * COLUMNS)
			print_text(b, more ? ", " : ", …");
		if (more)
			rc = put_var(l, &v, "=", 60);
		else
			from = 0;
		s = seen_of(&v);
		if (l->seen.len < SEEN_MAX && more)
			buf_append(&l->seen, &s, sizeof(s));
	}
	buf_u8(b, ')');
	if (rc == 0)
		rc = l->seen.oom ? buf_check(&l->seen) : buf_check(&l->frames);
	return rc ? rc : end_line(l);
}

/* file:line, as short as tells files apart. */
static int put_place(struct list *l, const struct ct_step *s)
{
	struct buf *b = &l->o->b;
	struct cbor_in path;
	const uint8_t *base;
	size_t at = b->len, n;
	int slashes = 1, rc = ct_name(l->r, CT_PATHS, s->path, &path);

	if (rc < 0)
		return rc;
	n = path.end - path.p;
	/* every package has an __init__.py: its folder tells more */
	if (n > 12 && memcmp(path.end - 12, "/__init__.py", 12) == 0)
		slashes = 2;
	for (base = path.end; base > path.p && slashes; base--)
		slashes -= base[-1] == '/';
	if (!slashes)
		base++;
	style(l, LINE_NO);
	at = b->len;
	print_plain(b, base, path.end - base, GUTTER_MAX - 6);
	buf_printf(b, ":%u", s->line);
	n = print_columns(b, at);
	plain(l);
	if (n > l->gutter)
		l->gutter = n < GUTTER_MAX ? n : GUTTER_MAX;
	blanks(b, n < l->gutter ? l->gutter - n + 2 : 2);
	return 0;
}

static int step(void *ctx, const struct ct_step *s, const struct print_call *call, const struct ct_vars *vars)
{
	struct list *l = ctx;
	struct buf *b = &l->o->b;
	struct cbor_in text;
	size_t level, width;
	int rc = put_changes(l, *vars);

	if (rc == 0)
		rc = put_place(l, s);
	if (rc)
		return rc;
	level = depth(l);
	width = COLUMNS - l->gutter - 2 - 2 * level;
	blanks(b, 2 * level);
	rc = print_source_line(l->source, s->path, s->line, &text);
	if (rc > 0) {
		print_plain(b, text.p, text.end - text.p, width);
	} else if (rc == 0 && call) {
		rc = ct_name(l->r, CT_FUNCTIONS, call->function, &text);
		style(l, DIM);
		if (rc == 0)
			print_plain(b, text.p, text.end - text.p, width);
		plain(l);
	}
	return rc < 0 ? rc : end_line(l);
}

static int event(void *ctx, const struct ct_event *e)
{
	struct list *l = ctx;
	struct buf *b = &l->o->b;
	const uint8_t *p = e->content.p, *end = e->content.end, *nl;
	bool error = e->kind == 11, read = e->kind == 4, *open_line = &l->open_line[e->kind == 12];
	int rc = 0;

	/* print() may write its newline apart */
	if (!read && *open_line && end - p == 1 && *p == '\n') {
		*open_line = false;
		return 0;
	}
	for (; rc == 0 && p < end; p = nl + 1) {
		size_t width = margin(l, depth(l));

		nl = memchr(p, '\n', end - p);
		nl = nl ? nl : end;
		style(l, error ? FAIL : read ? DIM : e->kind == 12 ? ERR : OUT);
		print_text(b, error ? "✗ " : read ? "‹ " : "│ ");
		print_plain(b, p, nl - p, width - 2);
		plain(l);
		rc = end_line(l);
		if (nl == end)
			break;
	}
	if (!read)
		*open_line = e->content.p < end && end[-1] != '\n';
	return rc;
}

static int leave(void *ctx, const struct print_call *call, struct cbor_in ret, struct cbor_in exc)
{
	struct list *l = ctx;
	struct frame *f = (struct frame *)(l->frames.data + l->frames.len) - 1;
	bool failed = exc.p != exc.end;
	size_t width = margin(l, depth(l)) - 2;
	int rc = 0;

	style(l, failed ? FAIL : RETURN);
	print_text(&l->o->b, failed ? "✗ " : "← ");
	plain(l);
	if (failed || !call->is_void)
		rc = print_value(l->r, &l->o->b, failed ? exc : ret, width);
	l->seen.len = f->start;
	l->frames.len -= sizeof(*f);
	return rc ? rc : end_line(l);
}

int print_list(struct ct_reader *r, uint64_t limit, bool color, struct print_out *o)
{
	struct list l = { .r = r, .o = o, .color = color, .gutter = GUTTER_MIN };
	struct print_visitor v = { &l, enter, step, event, leave };
	uint64_t shown, total;
	int rc = print_source_new(&l.source, r);

	if (rc == 0)
		rc = print_walk(r, limit, &v, &shown);
	if (rc == 0 && shown == limit && limit) {
		rc = ct_count(r, CT_STEPS, &total);
		if (rc == 0 && shown < total) {
			style(&l, DIM);
			buf_printf(&o->b, "… %llu of %llu steps", (unsigned long long)shown,
				   (unsigned long long)total);
			plain(&l);
			rc = end_line(&l);
		}
	}
	print_source_free(l.source);
	buf_deinit(&l.seen);
	buf_deinit(&l.frames);
	buf_deinit(&l.now);
	return rc ? rc : print_out_flush(o, true);
}
