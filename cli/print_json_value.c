/* SPDX-License-Identifier: MIT */
/*
 * A value as JSON, with the keys of its CBOR. It is written first and taken
 * back when something in it can't be decoded: one such part spoils a variable,
 * as it does for other readers. Nesting is bounded by the decoder.
 */
#include <math.h>

#include "print_json.h"
#include "trace/value_text.h"

static bool one(struct buf *b, struct cbor_in *in, struct cbor_why *why, uint64_t *type);

static void json_text(struct buf *b, const char *key, const struct cbor_in *text)
{
	buf_printf(b, ",\"%s\":", key);
	buf_json_string(b, text->p, text->end - text->p);
}

static bool items(struct buf *b, const char *key, const struct cbor_value *v, struct cbor_why *why)
{
	struct cbor_in in = v->items;
	uint64_t type;

	buf_printf(b, ",\"%s\":[", key);
	for (uint64_t i = 0; i < v->nitems; i++) {
		if (i)
			buf_u8(b, ',');
		if (!one(b, &in, why, &type))
			return false;
	}
	buf_u8(b, ']');
	return true;
}

static void json_float(struct buf *b, double f)
{
	/* JSON has no other numbers */
	print_text(b, ",\"f\":");
	if (isfinite(f))
		text_float(b, f);
	else
		print_text(b, isnan(f) ? "\"nan\"" : f < 0 ? "\"-inf\"" : "\"inf\"");
}

static void json_bigint(struct buf *b, const struct cbor_value *v)
{
	print_text(b, ",\"b\":\"");
	buf_base64(b, v->text.p, v->text.end - v->text.p);
	print_text(b, "\",\"b_hex\":\"");
	buf_hex(b, v->text.p, v->text.end - v->text.p);
	buf_printf(b, "\",\"negative\":%s", v->flag ? "true" : "false");
}

static bool reference(struct buf *b, const struct cbor_value *v, struct cbor_why *why)
{
	struct cbor_in in = v->items;
	uint64_t type;

	print_text(b, ",\"dereferenced\":");
	if (!one(b, &in, why, &type))
		return false;
	buf_printf(b, ",\"address\":%llu,\"mutable\":%s", (unsigned long long)v->address,
		   v->flag ? "true" : "false");
	return true;
}

static bool body(struct buf *b, const struct cbor_value *v, struct cbor_why *why)
{
	switch (v->kind) {
	case CV_NONE:
		return true;
	case CV_INT:
		print_text(b, v->i < 0 ? ",\"i\":-" : ",\"i\":");
		print_number(b, v->i < 0 ? -(uint64_t)v->i : (uint64_t)v->i);
		return true;
	case CV_BOOL:
		buf_printf(b, ",\"b\":%s", v->flag ? "true" : "false");
		json_text(b, "text", &v->text);
		return true;
	case CV_STRING:
		json_text(b, "text", &v->text);
		return true;
	case CV_RAW:
		json_text(b, "r", &v->text);
		return true;
	case CV_ERROR:
		json_text(b, "msg", &v->text);
		return true;
	case CV_FLOAT:
		json_float(b, v->f);
		return true;
	case CV_BIGINT:
		json_bigint(b, v);
		return true;
	case CV_SEQUENCE:
		if (!items(b, "elements", v, why))
			return false;
		buf_printf(b, ",\"is_slice\":%s", v->flag ? "true" : "false");
		return true;
	case CV_TUPLE:
		return items(b, "elements", v, why);
	case CV_SET:
		return items(b, "members", v, why);
	case CV_STRUCT:
		return items(b, "field_values", v, why);
	case CV_REFERENCE:
		return reference(b, v, why);
	}
	return false;
}

static bool one(struct buf *b, struct cbor_in *in, struct cbor_why *why, uint64_t *type)
{
	struct cbor_value v;

	if (!cbor_value(in, &v, why))
		return false;
	print_text(b, "{\"kind\":\"");
	print_text(b, cbor_kind_name(v.kind));
	buf_u8(b, '"');
	if (!body(b, &v, why))
		return false;
	print_text(b, ",\"type_id\":");
	print_number(b, v.type_id);
	buf_u8(b, '}');
	*type = v.type_id;
	return true;
}

uint64_t print_json_value(struct buf *b, struct cbor_in cbor)
{
	struct cbor_in in = cbor;
	struct cbor_why why;
	size_t mark = b->len;
	uint64_t type = 0;

	if (one(b, &in, &why, &type))
		return type;
	b->len = mark;
	print_text(b, "{\"kind\":\"Undecodable\",\"error\":");
	buf_json_string(b, why.text, __builtin_strlen(why.text));
	print_text(b, ",\"raw_hex\":\"");
	buf_hex(b, cbor.p, cbor.end - cbor.p);
	print_text(b, "\"}");
	return 0;
}
