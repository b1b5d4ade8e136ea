/* SPDX-License-Identifier: MIT */
/*
 * note_writer.h: a trace writer that notes what it is told as lines of text.
 *
 * It takes the place of the .ct writer in a test that includes it (it defines
 * all of writer.h). "+name arg=…" enters a call, "-value" leaves it, "!value"
 * leaves it by an exception, "=n value" is what call n returned after it was
 * left ("#n" raised), "line name=…" is a step, "*kind text" an event; indented by
 * the depth of calls. Values are shown by what they hold alone: 5
 * for an Int, the text of a Raw.
 */
#ifndef TESTS_NOTE_WRITER_H
#define TESTS_NOTE_WRITER_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "trace/writer.h"
#include "util/buf.h"
#include "util/err.h"

struct trace_writer {
	struct buf log, meta, time; /* time: cx.time */
	char *names[4][256]; /* paths, functions, types, varnames */
	uint32_t lines[256]; /* of the paths */
	uint32_t n[4];
	uint64_t steps;
	int depth;
};

static int intern(struct trace_writer *w, int table, const char *s, size_t len, uint32_t nlines,
		  uint32_t *id)
{
	for (*id = 0; *id < w->n[table]; ++*id)
		if (strlen(w->names[table][*id]) == len &&
		    memcmp(w->names[table][*id], s, len) == 0 &&
		    (table || w->lines[*id] == nlines))
			return 0;
	ck_assert_uint_lt(w->n[table], 256);
	w->names[table][w->n[table]++] = strndup(s, len);
	if (table == 0)
		w->lines[*id] = nlines;
	return 0;
}

int trace_path(struct trace_writer *w, const char *s, size_t len, uint32_t nlines, uint32_t *id)
{
	ck_assert(s[0] == '/' || s[0] == '<');
	return intern(w, 0, s, len, nlines, id);
}

int trace_function(struct trace_writer *w, const char *s, size_t len, uint32_t *id)
{
	return intern(w, 1, s, len, 0, id);
}

int trace_type(struct trace_writer *w, const char *s, size_t len, uint32_t *id)
{
	return intern(w, 2, s, len, 0, id);
}

int trace_varname(struct trace_writer *w, const char *s, size_t len, uint32_t *id)
{
	return intern(w, 3, s, len, 0, id);
}

/* Int's number, or the text of what has one; our values are that simple. */
static void note_value(struct trace_writer *w, const uint8_t *p, size_t len)
{
	const uint8_t *end = p + len, *i = memmem(p, len, "\x61i", 2);
	const uint8_t *text = memmem(p, len, "\x61r", 2);
	uint64_t n = 0;
	unsigned info;

	if (memmem(p, len, "\x63msg", 4))
		text = (uint8_t *)memmem(p, len, "\x63msg", 4) + 2;
	if (!i && !text) {
		buf_printf(&w->log, "?");
		return;
	}
	p = i ? i + 2 : text + 2;
	ck_assert(p < end);
	info = *p++ & 31;
	if (info < 24)
		n = info;
	else
		for (unsigned bytes = 1u << (info - 24); bytes--;)
			n = n << 8 | *p++;
	if (i)
		buf_printf(&w->log, "%llu", (unsigned long long)n);
	else
		buf_append(&w->log, p, n);
}

static void note_vars(struct trace_writer *w, const struct trace_var *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		ck_assert_uint_lt(v[i].name, w->n[3]);
		buf_printf(&w->log, " %s=", w->names[3][v[i].name]);
		note_value(w, v[i].cbor, v[i].len);
	}
}

static void indent(struct trace_writer *w)
{
	buf_printf(&w->log, "%.*s", w->depth, "                    ");
}

int trace_step(struct trace_writer *w, uint32_t path, uint32_t line, const struct trace_var *vars,
	       size_t nvars)
{
	ck_assert_uint_lt(path, w->n[0]);
	ck_assert_uint_ge(line, 1);
	ck_assert_uint_le(line, w->lines[path]);
	indent(w);
	buf_printf(&w->log, "%u", line);
	note_vars(w, vars, nvars);
	buf_printf(&w->log, "\n");
	w->steps++;
	return 0;
}

int trace_call_enter(struct trace_writer *w, uint32_t function, const struct trace_var *args,
		     size_t nargs)
{
	ck_assert_uint_lt(function, w->n[1]);
	indent(w);
	buf_printf(&w->log, "+%s", w->names[1][function]);
	note_vars(w, args, nargs);
	buf_printf(&w->log, "\n");
	w->depth++;
	return 0;
}

int trace_call_exit(struct trace_writer *w, const uint8_t *ret, size_t ret_len, const uint8_t *exc,
		    size_t exc_len)
{
	ck_assert_int_gt(w->depth, 0);
	w->depth--;
	indent(w);
	buf_printf(&w->log, exc ? "!" : "-");
	if (ret)
		note_value(w, ret, ret_len);
	if (exc)
		ck_assert_uint_gt(exc_len, 0);
	buf_printf(&w->log, "\n");
	return 0;
}

int trace_call_returned(struct trace_writer *w, uint64_t call, const uint8_t *ret, size_t ret_len,
			const uint8_t *exc, size_t exc_len)
{
	indent(w);
	buf_printf(&w->log, "%c%llu ", exc ? '#' : '=', (unsigned long long)call);
	note_value(w, ret, ret_len);
	ck_assert(!exc || exc_len);
	buf_printf(&w->log, "\n");
	return 0;
}

int trace_event(struct trace_writer *w, uint8_t kind, const char *metadata, size_t metadata_len,
		const uint8_t *content, size_t content_len)
{
	ck_assert_uint_gt(metadata_len, 1);
	ck_assert_int_eq(metadata[0], '{');
	indent(w);
	buf_printf(&w->log, "*%u %.*s\n", kind, (int)content_len, (const char *)content);
	return 0;
}

int trace_internal(struct trace_writer *w, const char *name, const void *data, size_t len)
{
	ck_assert_uint_le(strlen(name), 12);
	if (strcmp(name, "cx.meta") == 0)
		buf_append(&w->meta, data, len);
	else if (strcmp(name, "cx.time") == 0)
		buf_append(&w->time, data, len);
	return 0;
}

uint64_t trace_steps(const struct trace_writer *w)
{
	return w->steps;
}

int trace_finish(struct trace_writer *w, struct trace_counts *counts)
{
	(void)w;
	(void)counts;
	return 0;
}

struct trace_writer *trace_writer_free(struct trace_writer *w)
{
	(void)w;
	return NULL;
}

int ct_writer_new(struct trace_writer **ret, int out_fd, int spool_dir_fd, const struct trace_meta *m)
{
	(void)out_fd;
	(void)spool_dir_fd;
	(void)m;
	(void)ret;
	return err_set(ERR_UNKNOWN, "not in this test");
}

#endif
