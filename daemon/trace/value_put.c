/* SPDX-License-Identifier: MIT */
/*
 * value_put.c: the maps readers know, key by key in the order they need.
 */
#include "trace/value_put.h"

#include <string.h>

static const char *const builtin_names[B_MAX] = {
	"NoneType", "Bool", "Int", "Float", "Complex", "String", "Bytes", "ByteArray", "List",
	"Tuple", "Dict", "Set", "FrozenSet", "range", "slice", "cell", "function", "method",
	"module", "code", "generator", "coroutine", "async_generator",
	"builtin_function_or_method", "type", "Object", "ellipsis", "NotImplementedType", "Error",
};

/* The longest head of an item; of a type_id, with its key. */
#define HEAD_MAX 9
#define TYPE_MAX (sizeof(KEY_TYPE) - 1 + 5)

static uint8_t *write_head(uint8_t *to, unsigned major, uint64_t n)
{
	unsigned bytes = n < 0x100 ? 1 : n < 0x10000 ? 2 : n < 0x100000000 ? 4 : 8;

	if (n < 24) {
		*to++ = (uint8_t)(major << 5 | n);
		return to;
	}
	*to++ = (uint8_t)(major << 5 | (bytes == 1 ? 24 : bytes == 2 ? 25 : bytes == 4 ? 26 : 27));
	while (bytes--)
		*to++ = (uint8_t)(n >> (8 * bytes));
	return to;
}

static uint8_t *write_type(uint8_t *to, uint32_t type)
{
	memcpy(to, KEY_TYPE, sizeof(KEY_TYPE) - 1);
	return write_head(to + sizeof(KEY_TYPE) - 1, CBOR_UINT, type ? type - 1 : 0);
}

void put_head(struct buf *out, unsigned major, uint64_t n)
{
	uint8_t *to = buf_reserve(out, HEAD_MAX);

	if (to)
		out->len = (size_t)(write_head(to, major, n) - out->data);
}

void put_text(struct buf *out, const void *p, size_t n)
{
	put_head(out, CBOR_TEXT, n);
	buf_append(out, p, n);
}

void put_type(struct value_encoder *v, uint32_t type)
{
	uint8_t *to = buf_reserve(v->out, TYPE_MAX);

	if (to)
		v->out->len = (size_t)(write_type(to, type) - v->out->data);
}

static uint32_t intern(struct value_encoder *v, uint32_t *cache, const char *name)
{
	uint32_t id = 0;

	if (*cache == 0) {
		int rc = v->env.intern(v->env.ctx, name, strlen(name), &id);

		if (rc < 0 && v->rc == 0)
			v->rc = rc;
		*cache = id + 1;
	}
	return *cache;
}

uint32_t type_builtin(struct value_encoder *v, enum builtin b)
{
	return intern(v, &v->types[b], builtin_names[b]);
}

uint32_t type_of(struct value_encoder *v, const struct value_node *n, enum builtin b)
{
	return n->type ? intern(v, &n->type->trace_type, n->type->name) : type_builtin(v, b);
}

/* A map of three: its opening up to the text's head, the text, the type. */
static void put_texts(struct value_encoder *v, const char *opening, size_t n, const void *text,
		      size_t len, uint32_t type)
{
	uint8_t *to = buf_reserve(v->out, n + HEAD_MAX + len + TYPE_MAX);

	if (!to)
		return;
	memcpy(to, opening, n);
	to = write_head(to + n, CBOR_TEXT, len);
	if (len)
		memcpy(to, text, len);
	v->out->len = (size_t)(write_type(to + len, type) - v->out->data);
}
#define PUT_TEXTS(v, opening, text, len, type) put_texts(v, opening, sizeof(opening) - 1, text, len, type)

void say(struct value_encoder *v, const char *text)
{
	buf_append(&v->text, text, strlen(text));
}

void say_number(struct value_encoder *v, uint64_t n, unsigned base)
{
	char digits[20], *at = digits + sizeof(digits);

	do {
		*--at = "0123456789abcdef"[n % base];
		n /= base;
	} while (n);
	buf_append(&v->text, at, (size_t)(digits + sizeof(digits) - at));
}

void put_raw(struct value_encoder *v, const void *text, size_t len, uint32_t type)
{
	PUT_TEXTS(v, "\xa3" KEY_KIND "\x63Raw\x61r", text, len, type);
}

void put_raw_str(struct value_encoder *v, const char *text, uint32_t type)
{
	put_raw(v, text, strlen(text), type);
}

void put_made(struct value_encoder *v, uint32_t type)
{
	put_raw(v, v->text.data, v->text.len, type);
}

void put_string(struct value_encoder *v, const void *text, size_t len, uint32_t type)
{
	PUT_TEXTS(v, "\xa3" KEY_KIND "\x66String\x64text", text, len, type);
}

void put_error(struct value_encoder *v, const char *msg)
{
	PUT_TEXTS(v, "\xa3" KEY_KIND "\x65" "Error\x63msg", msg, strlen(msg),
		  type_builtin(v, B_ERROR));
}

void put_int(struct value_encoder *v, int64_t i, uint32_t type)
{
	static const char opening[] = "\xa3" KEY_KIND "\x63Int\x61i";
	uint8_t *to = buf_reserve(v->out, sizeof(opening) + HEAD_MAX + TYPE_MAX);

	if (!to)
		return;
	memcpy(to, opening, sizeof(opening) - 1);
	to = write_head(to + sizeof(opening) - 1, i < 0, i < 0 ? ~(uint64_t)i : (uint64_t)i);
	v->out->len = (size_t)(write_type(to, type) - v->out->data);
}

void put_bool(struct value_encoder *v, bool b)
{
	if (b)
		PUT(v->out, "\xa4" KEY_KIND "\x64" "Bool\x61" "b\xf5\x64text\x64true");
	else
		PUT(v->out, "\xa4" KEY_KIND "\x64" "Bool\x61" "b\xf4\x64text\x65" "false");
	put_type(v, type_builtin(v, B_BOOL));
}
