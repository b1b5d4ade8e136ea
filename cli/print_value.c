/* SPDX-License-Identifier: MIT */
/*
 * Values for people. A value is written only as far as it is shown: its writer
 * stops once it has passed the width, so that a list of a million costs no more
 * than its first line. Nothing of the program reaches the terminal unescaped.
 */
#include "print_value.h"

#include <string.h>

#include "trace/value_text.h"

struct writer {
	struct ct_reader *r;
	struct buf *b;
	size_t start, width;
	int rc;
};

static bool one(struct writer *w, struct cbor_in *in);

size_t print_columns(const struct buf *b, size_t at)
{
	size_t n = 0;

	for (; at < b->len; at++)
		n += (b->data[at] & 0xc0) != 0x80;
	return n;
}

/* Cuts what stands from `at` on to `width` columns, the last of them an ellipsis. */
static void cut(struct buf *b, size_t at, size_t width)
{
	size_t n = 0, keep = at;

	for (size_t i = at; i < b->len; i++) {
		if ((b->data[i] & 0xc0) == 0x80)
			continue;
		if (n == width - 1)
			keep = i;
		if (++n > width) {
			b->len = keep;
			print_text(b, "…");
			return;
		}
	}
}

/* quote 0: quotes stay as they are, tabs become blanks. */
static void escaped(struct buf *b, const uint8_t *p, size_t n, char quote, size_t width)
{
	size_t at = b->len, i = 0;

	/* four bytes a column at most; what is cut later need not be written */
	if (n > 4 * width + 4)
		n = 4 * width + 4;
	for (; i < n && !b->oom && b->len - at <= 4 * width + 8; i++) {
		uint8_t c = p[i];

		if (quote && (c == '\\' || c == quote))
			buf_printf(b, "\\%c", c);
		else if (c == '\t')
			print_text(b, quote ? "\\t" : "    ");
		else if (c == '\n' || c == '\r')
			print_text(b, c == '\n' ? "\\n" : "\\r");
		else if (c < 0x20 || c == 0x7f)
			buf_printf(b, "\\x%02x", c);
		else if (c == 0xc2 && i + 1 < n && p[i + 1] >= 0x80 && p[i + 1] < 0xa0)
			buf_printf(b, "\\x%02x", p[++i]);
		else if (c < 0x80)
			buf_u8(b, c);
		else {
			size_t from = i;

			while (i + 1 < n && p[i + 1] >= 0x80 && (p[i + 1] & 0xc0) == 0x80)
				i++;
			buf_utf8(b, p + from, i + 1 - from);
		}
	}
}

void print_plain(struct buf *b, const uint8_t *p, size_t n, size_t width)
{
	size_t at = b->len;

	escaped(b, p, n, 0, width);
	cut(b, at, width);
}

static bool full(const struct writer *w)
{
	return w->b->oom || w->rc || w->b->len - w->start > 4 * w->width;
}

static void string(struct writer *w, const struct cbor_in *t)
{
	size_t n = t->end - t->p;
	char quote = n && memchr(t->p, '\'', n) && !memchr(t->p, '"', n) ? '"' : '\'';

	buf_u8(w->b, quote);
	escaped(w->b, t->p, n, quote, w->width);
	buf_u8(w->b, quote);
}

static struct cbor_in type_name(struct writer *w, uint64_t id)
{
	struct cbor_in name = { 0 };

	if (id < ct_table_count(w->r, CT_TYPES))
		w->rc = ct_name(w->r, CT_TYPES, id, &name);
	return name;
}

static bool is(struct cbor_in s, const char *word)
{
	size_t n = strlen(word);

	return (size_t)(s.end - s.p) == n && memcmp(s.p, word, n) == 0;
}

/* A dict's item, a Tuple of two. */
static bool pair(struct writer *w, struct cbor_in *in)
{
	struct cbor_in again = *in;
	struct cbor_value v;
	struct cbor_why why;

	if (!cbor_value(in, &v, &why))
		return false;
	if (v.kind != CV_TUPLE || v.nitems != 2)
		return one(w, &again);
	if (!one(w, &v.items))
		return false;
	print_text(w->b, ": ");
	return one(w, &v.items);
}

static bool list(struct writer *w, const struct cbor_value *v, const char *open, const char *close,
		 bool pairs)
{
	struct cbor_in in = v->items, names = v->names, name;
	struct cbor_why why;

	print_text(w->b, open);
	for (uint64_t i = 0; i < v->nitems && !full(w); i++) {
		if (i)
			print_text(w->b, ", ");
		if (i < v->nnames) {
			if (!cbor_take_text(&names, &name, &why))
				return false;
			escaped(w->b, name.p, name.end - name.p, 0, w->width);
			buf_u8(w->b, '=');
		}
		if (!(pairs ? pair(w, &in) : one(w, &in)))
			return false;
	}
	print_text(w->b, close);
	return true;
}

static bool sequence(struct writer *w, const struct cbor_value *v)
{
	struct cbor_in type = type_name(w, v->type_id);

	if (v->kind == CV_SET || is(type, "Set"))
		return v->nitems ? list(w, v, "{", "}", false) : list(w, v, "set(", ")", false);
	if (is(type, "Dict"))
		return list(w, v, "{", "}", true);
	if (is(type, "FrozenSet"))
		return v->nitems ? list(w, v, "frozenset({", "})", false) :
				   list(w, v, "frozenset(", ")", false);
	if (is(type, "List") || type.p == type.end)
		return list(w, v, "[", "]", false);
	escaped(w->b, type.p, type.end - type.p, 0, w->width);
	return list(w, v, "([", "])", false);
}

static bool structure(struct writer *w, const struct cbor_value *v)
{
	struct cbor_in type = type_name(w, v->type_id);

	escaped(w->b, type.p, type.end - type.p, 0, w->width);
	return list(w, v, "(", ")", false);
}

static bool body(struct writer *w, struct cbor_value *v)
{
	switch (v->kind) {
	case CV_NONE:
		print_text(w->b, "None");
		return true;
	case CV_INT:
		buf_printf(w->b, "%lld", (long long)v->i);
		return true;
	case CV_BOOL:
		print_text(w->b, v->flag ? "True" : "False");
		return true;
	case CV_STRING:
		string(w, &v->text);
		return true;
	case CV_RAW:
	case CV_ERROR:
		escaped(w->b, v->text.p, v->text.end - v->text.p, 0, w->width);
		return true;
	case CV_FLOAT:
		text_float(w->b, v->f);
		return true;
	case CV_BIGINT:
		print_text(w->b, v->flag ? "-0x" : "0x");
		buf_hex(w->b, v->text.p,
			v->text.end - v->text.p > (long)w->width ? w->width : (size_t)(v->text.end - v->text.p));
		return true;
	case CV_SEQUENCE:
	case CV_SET:
		return sequence(w, v);
	case CV_TUPLE:
		return list(w, v, "(", v->nitems == 1 ? ",)" : ")", false);
	case CV_STRUCT:
		return structure(w, v);
	case CV_REFERENCE:
		return one(w, &v->items);
	}
	return false;
}

static bool one(struct writer *w, struct cbor_in *in)
{
	struct cbor_value v;
	struct cbor_why why;

	return cbor_value(in, &v, &why) && body(w, &v);
}

int print_value(struct ct_reader *r, struct buf *b, struct cbor_in cbor, size_t width)
{
	struct writer w = { .r = r, .b = b, .start = b->len, .width = width };

	if (!one(&w, &cbor) && !w.rc) {
		b->len = w.start;
		print_text(b, "<undecodable>");
	}
	cut(b, w.start, width);
	return w.rc;
}
