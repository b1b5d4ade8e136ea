/* SPDX-License-Identifier: MIT */
/*
 * The decoder. Nothing read is trusted: a length counts only once it was held
 * against what is left, an array's count is held against the bytes it needs at
 * least, and nesting ends at CBOR_MAX_DEPTH.
 *
 * A container is skipped over to find what stands behind its children (the
 * type), then its children are decoded from their span. That walks a value once
 * for each level of nesting, which the bound on depth keeps small.
 */
#include <stdio.h>
#include <string.h>

#include "trace/cbor.h"

enum { M_UINT = 0, M_NEG = 1, M_BYTES = 2, M_TEXT = 3, M_ARRAY = 4, M_MAP = 5, M_TAG = 6, M_OTHER = 7 };

static const char *const kind_names[] = {
	[CV_NONE] = "None",	    [CV_INT] = "Int",	    [CV_BOOL] = "Bool",
	[CV_STRING] = "String",	    [CV_RAW] = "Raw",	    [CV_ERROR] = "Error",
	[CV_SEQUENCE] = "Sequence", [CV_TUPLE] = "Tuple",   [CV_STRUCT] = "Struct",
	[CV_REFERENCE] = "Reference", [CV_FLOAT] = "Float", [CV_BIGINT] = "BigInt",
	[CV_SET] = "Set",
};

const char *cbor_kind_name(enum cbor_kind kind)
{
	return kind_names[kind];
}

#define WHY(...) (snprintf(why->text, sizeof(why->text), "cbor: " __VA_ARGS__), false)

/* One item's head. Floats and simple values have their bytes in *arg as well. */
static bool take_head(struct cbor_in *in, unsigned *major, uint64_t *arg, struct cbor_why *why)
{
	unsigned info, n;

	if (in->p == in->end)
		return WHY("unexpected end of data");
	*major = *in->p >> 5;
	info = *in->p++ & 31;
	if (info < 24) {
		*arg = info;
		return true;
	}
	if (info > 27)
		return WHY("indefinite or reserved length");
	n = 1u << (info - 24);
	if ((size_t)(in->end - in->p) < n)
		return WHY("unexpected end of data");
	for (*arg = 0; n; n--)
		*arg = *arg << 8 | *in->p++;
	return true;
}

static bool skip(struct cbor_in *in, unsigned depth, struct cbor_why *why)
{
	unsigned major;
	uint64_t arg;

	if (!depth)
		return WHY("nested too deeply");
	if (!take_head(in, &major, &arg, why))
		return false;
	if (major == M_BYTES || major == M_TEXT) {
		if (arg > (size_t)(in->end - in->p))
			return WHY("unexpected end of data");
		in->p += arg;
		return true;
	}
	if (major == M_TAG)
		return skip(in, depth - 1, why);
	if (major != M_ARRAY && major != M_MAP)
		return true;
	/* every item takes a byte at least, so the count is bounded by the bytes */
	if (arg > (size_t)(in->end - in->p))
		return WHY("unexpected end of data");
	for (uint64_t i = major == M_MAP ? 2 * arg : arg; i; i--)
		if (!skip(in, depth - 1, why))
			return false;
	return true;
}

static bool take_bytes(struct cbor_in *in, unsigned want, struct cbor_in *span, struct cbor_why *why)
{
	unsigned major;
	uint64_t n;

	if (!take_head(in, &major, &n, why))
		return false;
	if (major != want)
		return WHY("expected %s string (major %u), got major %u",
			   want == M_TEXT ? "text" : "byte", want, major);
	if (n > (size_t)(in->end - in->p))
		return WHY("unexpected end of data");
	span->p = in->p;
	in->p += n;
	span->end = in->p;
	return true;
}

bool cbor_take_text(struct cbor_in *in, struct cbor_in *text, struct cbor_why *why)
{
	return take_bytes(in, M_TEXT, text, why);
}

static bool take_bool(struct cbor_in *in, bool *v, struct cbor_why *why)
{
	if (in->p == in->end)
		return WHY("unexpected end of data");
	if (*in->p != 0xf4 && *in->p != 0xf5)
		return WHY("expected bool, got 0x%02x", *in->p);
	*v = *in->p++ == 0xf5;
	return true;
}

static bool take_uint(struct cbor_in *in, uint64_t *v, struct cbor_why *why)
{
	unsigned major;

	if (!take_head(in, &major, v, why))
		return false;
	return major == M_UINT || WHY("expected unsigned integer (major 0), got major %u", major);
}

static bool take_int(struct cbor_in *in, int64_t *i, struct cbor_why *why)
{
	unsigned major;
	uint64_t v;

	if (!take_head(in, &major, &v, why))
		return false;
	if (major != M_UINT && major != M_NEG)
		return WHY("expected integer (major 0 or 1), got major %u", major);
	if (v > INT64_MAX)
		return WHY("integer beyond 64 bits");
	*i = major == M_NEG ? -1 - (int64_t)v : (int64_t)v;
	return true;
}

static bool take_double(struct cbor_in *in, double *f, struct cbor_why *why)
{
	unsigned major;
	uint64_t v;

	if (in->p == in->end)
		return WHY("unexpected end of data");
	/* "0x" and a decimal number: what the official printer says */
	if (*in->p != 0xfb)
		return WHY("expected float64 (0xFB), got 0x%u", *in->p);
	if (!take_head(in, &major, &v, why))
		return false;
	memcpy(f, &v, sizeof(*f));
	return true;
}

static bool take_array(struct cbor_in *in, struct cbor_in *span, uint64_t *n, struct cbor_why *why)
{
	unsigned major;

	if (!take_head(in, &major, n, why))
		return false;
	if (major != M_ARRAY)
		return WHY("expected array (major 4), got major %u", major);
	if (*n > (size_t)(in->end - in->p))
		return WHY("unexpected end of data");
	span->p = in->p;
	for (uint64_t i = 0; i < *n; i++)
		if (!skip(in, CBOR_MAX_DEPTH, why))
			return false;
	span->end = in->p;
	return true;
}

static bool is(const struct cbor_in *text, const char *word)
{
	size_t n = strlen(word);

	return (size_t)(text->end - text->p) == n && memcmp(text->p, word, n) == 0;
}

static bool take_field(struct cbor_in *in, const struct cbor_in *key, struct cbor_value *v,
		       struct cbor_why *why)
{
	if (is(key, "type_id"))
		return take_uint(in, &v->type_id, why);
	if (is(key, "i"))
		return take_int(in, &v->i, why);
	if (is(key, "text") || is(key, "r") || is(key, "msg"))
		return take_bytes(in, M_TEXT, &v->text, why);
	if (is(key, "elements") || is(key, "field_values") || is(key, "members"))
		return take_array(in, &v->items, &v->nitems, why);
	if (is(key, "field_names"))
		return take_array(in, &v->names, &v->nnames, why);
	if (is(key, "is_slice") || is(key, "mutable") || is(key, "negative"))
		return take_bool(in, &v->flag, why);
	if (is(key, "b"))
		return v->kind == CV_BIGINT ? take_bytes(in, M_BYTES, &v->text, why) :
					      take_bool(in, &v->flag, why);
	if (is(key, "f"))
		return take_double(in, &v->f, why);
	if (is(key, "address"))
		return take_uint(in, &v->address, why);
	if (is(key, "dereferenced")) {
		v->items.p = in->p;
		if (!skip(in, CBOR_MAX_DEPTH, why))
			return false;
		v->items.end = in->p;
		v->nitems = 1;
		return true;
	}
	return skip(in, CBOR_MAX_DEPTH, why);
}

bool cbor_value(struct cbor_in *in, struct cbor_value *v, struct cbor_why *why)
{
	struct cbor_in key, kind;
	unsigned major, k;
	uint64_t n;

	memset(v, 0, sizeof(*v));
	if (!take_head(in, &major, &n, why))
		return false;
	if (major != M_MAP || !n)
		return WHY("expected map (major 5), got major %u", major);
	if (!cbor_take_text(in, &key, why))
		return false;
	if (!is(&key, "kind"))
		return WHY("a value that does not start with its kind");
	if (!cbor_take_text(in, &kind, why))
		return false;
	for (k = 0; k < sizeof(kind_names) / sizeof(*kind_names); k++)
		if (is(&kind, kind_names[k]))
			break;
	if (k == sizeof(kind_names) / sizeof(*kind_names))
		return WHY("unknown kind of value");
	v->kind = k;
	while (--n)
		if (!cbor_take_text(in, &key, why) || !take_field(in, &key, v, why))
			return false;
	if (k == CV_REFERENCE && !v->nitems)
		return WHY("a reference to nothing");
	return true;
}
