/* SPDX-License-Identifier: MIT */
/*
 * value.c: node trees to CBOR, one function a family of kinds.
 *
 * What must hold: the keys of each map in the order one of the readers needs;
 * text is valid UTF-8; every value names a type. What was cut says so where the
 * user looks: a cut container ends in a Raw "… +N more", a cut text in the
 * same words, a container below the depth limit is a Raw "[… N items]".
 */
#include "trace/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trace/value_nodes.h"
#include "trace/value_text.h"
#include "util/err.h"

enum builtin {
	B_NONE, B_BOOL, B_INT, B_FLOAT, B_COMPLEX, B_STRING, B_BYTES, B_BYTEARRAY, B_LIST, B_TUPLE,
	B_DICT, B_SET, B_FROZENSET, B_RANGE, B_SLICE, B_CELL, B_FUNCTION, B_METHOD, B_MODULE, B_CODE,
	B_GENERATOR, B_COROUTINE, B_ASYNCGEN, B_BUILTIN, B_CLASS, B_OBJECT, B_ELLIPSIS,
	B_NOTIMPLEMENTED, B_ERROR, B_MAX
};

static const char *const builtin_names[B_MAX] = {
	"NoneType", "Bool", "Int", "Float", "Complex", "String", "Bytes", "ByteArray", "List",
	"Tuple", "Dict", "Set", "FrozenSet", "range", "slice", "cell", "function", "method",
	"module", "code", "generator", "coroutine", "async_generator",
	"builtin_function_or_method", "type", "Object", "ellipsis", "NotImplementedType", "Error",
};

struct value_encoder {
	struct value_env env;
	uint32_t types[B_MAX]; /* writer's id + 1 */
	struct buf text;       /* the text being made */
	struct buf *out;
	struct value_result *result;
	int rc; /* first failure of interning */
	struct value_tree tree;
};

/* Depth of CBOR nesting: two readers recurse over it. */
#define MAX_NESTING 200

static void cbor_head(struct buf *out, unsigned major, uint64_t n)
{
	uint8_t b[9];
	unsigned len = 1;

	major <<= 5;
	if (n < 24) {
		b[0] = (uint8_t)(major | n);
	} else {
		unsigned bytes = n < 0x100 ? 1 : n < 0x10000 ? 2 : n < 0x100000000 ? 4 : 8;

		b[0] = (uint8_t)(major | (bytes == 1 ? 24 : bytes == 2 ? 25 : bytes == 4 ? 26 : 27));
		for (unsigned i = 0; i < bytes; i++)
			b[1 + i] = (uint8_t)(n >> (8 * (bytes - 1 - i)));
		len = 1 + bytes;
	}
	buf_append(out, b, len);
}

#define CBOR_TEXT 3
#define CBOR_ARRAY 4
/* A literal text of fewer than 24 bytes, its head included, as a C string. */
#define KEY_KIND "\x64kind"
#define KEY_TYPE "\x67type_id"
#define PUT(out, lit) buf_append(out, lit, sizeof(lit) - 1)

static void put_text(struct buf *out, const void *p, size_t n)
{
	cbor_head(out, CBOR_TEXT, n);
	buf_append(out, p, n);
}

static void put_type(struct value_encoder *v, uint32_t id_plus_1)
{
	PUT(v->out, KEY_TYPE);
	cbor_head(v->out, 0, id_plus_1 ? id_plus_1 - 1 : 0);
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

static uint32_t builtin(struct value_encoder *v, enum builtin b)
{
	return intern(v, &v->types[b], builtin_names[b]);
}

/* The type's own name for instances of a subclass, the builtin's otherwise. */
static uint32_t type_of(struct value_encoder *v, const struct value_node *n, enum builtin b)
{
	return n->type ? intern(v, &n->type->trace_type, n->type->name) : builtin(v, b);
}

static void put_raw(struct value_encoder *v, const void *text, size_t len, uint32_t type)
{
	PUT(v->out, "\xa3" KEY_KIND "\x63Raw\x61r");
	put_text(v->out, text, len);
	put_type(v, type);
}

static void put_raw_str(struct value_encoder *v, const char *text, uint32_t type)
{
	put_raw(v, text, strlen(text), type);
}

/* v->text as a Raw */
static void put_made(struct value_encoder *v, uint32_t type)
{
	put_raw(v, v->text.data, v->text.len, type);
}

static void put_error(struct value_encoder *v, const char *msg)
{
	PUT(v->out, "\xa3" KEY_KIND "\x65" "Error\x63msg");
	put_text(v->out, msg, strlen(msg));
	put_type(v, builtin(v, B_ERROR));
}

static void put_int(struct value_encoder *v, int64_t i, uint32_t type)
{
	PUT(v->out, "\xa3" KEY_KIND "\x63Int\x61i");
	cbor_head(v->out, i < 0, i < 0 ? ~(uint64_t)i : (uint64_t)i);
	put_type(v, type);
}

static void put_bool(struct value_encoder *v, bool b)
{
	PUT(v->out, "\xa4" KEY_KIND "\x64" "Bool\x61" "b");
	if (b)
		PUT(v->out, "\xf5\x64text\x64true");
	else
		PUT(v->out, "\xf4\x64text\x65" "false");
	put_type(v, builtin(v, B_BOOL));
}

static void more_text(struct value_encoder *v, const struct value_node *n)
{
	if (n->total > n->n)
		buf_printf(&v->text, "… +%u more", n->total - n->n);
	else if (n->flags & EVNF_PARTIAL)
		buf_printf(&v->text, "… (unreadable)");
	if (n->total > n->n || n->flags & EVNF_PARTIAL)
		v->result->truncated = true;
}

static void encode_bigint(struct value_encoder *v, const struct value_node *n)
{
	uint32_t digits[3] = { 0 };
	unsigned used = n->n;
	bool neg = n->flags & EVNF_NEG;

	if (n->total > n->n || n->flags & EVNF_PARTIAL) {
		uint32_t low = 0;

		/* the low digits alone say nothing about the decimal ones */
		if (n->n)
			memcpy(&low, n->data, 4);
		buf_printf(&v->text, "<%sint of about %llu bits, ends in 0x…%07x>",
			   neg ? "negative " : "", n->total * 30ull, low & 0xfffffff);
		v->result->truncated = true;
		put_made(v, type_of(v, n, B_INT));
		return;
	}
	while (used && memcmp(n->data + 4u * (used - 1), digits, 4) == 0)
		used--;
	if (used <= 3) {
		unsigned __int128 m;

		memcpy(digits, n->data, 4u * used);
		m = (digits[0] & 0x3fffffff) | (unsigned __int128)(digits[1] & 0x3fffffff) << 30 |
		    (unsigned __int128)(digits[2] & 0x3fffffff) << 60;
		if (m <= (unsigned __int128)INT64_MAX + neg) {
			put_int(v, (int64_t)(neg ? -(uint64_t)m : (uint64_t)m), type_of(v, n, B_INT));
			return;
		}
	}
	text_bigint(&v->text, (const uint32_t *)(const void *)n->data, used, neg);
	put_made(v, type_of(v, n, B_INT));
}

static unsigned str_width(const struct value_node *n)
{
	return n->flags & EVNF_WIDTH4 ? 4 : n->flags & EVNF_WIDTH2 ? 2 : 1;
}

static void encode_str(struct value_encoder *v, const struct value_node *n)
{
	text_str(&v->text, n->data, n->n, str_width(n));
	more_text(v, n);
	PUT(v->out, "\xa3" KEY_KIND "\x66String\x64text");
	put_text(v->out, v->text.data, v->text.len);
	put_type(v, type_of(v, n, B_STRING));
}

static void encode_bytes(struct value_encoder *v, const struct value_node *n)
{
	bool array = n->kind == EVN_BYTEARRAY;

	if (array)
		buf_append(&v->text, "bytearray(", 10);
	text_bytes(&v->text, n->data, n->n);
	if (array)
		buf_u8(&v->text, ')');
	more_text(v, n);
	put_made(v, type_of(v, n, array ? B_BYTEARRAY : B_BYTES));
}

static void encode_number(struct value_encoder *v, const struct value_node *n)
{
	int64_t i;
	double d[2];

	switch (n->kind) {
	case EVN_INT:
		memcpy(&i, n->data, 8);
		put_int(v, i, type_of(v, n, B_INT));
		return;
	case EVN_FLOAT:
		memcpy(d, n->data, 8);
		text_float(&v->text, d[0]);
		put_made(v, type_of(v, n, B_FLOAT));
		return;
	default:
		memcpy(d, n->data, 16);
		text_complex(&v->text, d[0], d[1]);
		put_made(v, type_of(v, n, B_COMPLEX));
	}
}

static void encode_node(struct value_encoder *v, const struct value_node *n, unsigned depth);

static void put_more(struct value_encoder *v, uint32_t rest)
{
	char text[40];

	snprintf(text, sizeof(text), "… +%u more", rest);
	put_raw_str(v, text, builtin(v, B_OBJECT));
}

/* An array of n's children (pairs: as Tuples of two), a NULL among them left out. */
static void put_elements(struct value_encoder *v, const struct value_node *n, bool pairs,
			 unsigned depth)
{
	const struct value_node *c = &v->tree.nodes[n->first];
	uint32_t step = pairs ? 2 : 1, kept = 0;
	bool cut = n->total > n->n;

	for (uint32_t i = 0; i < n->nchildren; i += step)
		kept += c[i].kind != EVN_NULL;
	v->result->truncated |= cut;
	PUT(v->out, "\x68" "elements");
	cbor_head(v->out, CBOR_ARRAY, kept + cut);
	for (uint32_t i = 0; i < n->nchildren; i += step) {
		if (c[i].kind == EVN_NULL)
			continue;
		if (pairs) {
			PUT(v->out, "\xa3" KEY_KIND "\x65Tuple\x68" "elements\x82");
			encode_node(v, &c[i], depth + 1);
			encode_node(v, &c[i + 1], depth + 1);
			put_type(v, builtin(v, B_TUPLE));
		} else {
			encode_node(v, &c[i], depth + 1);
		}
	}
	if (cut)
		put_more(v, n->total - n->n);
}

static void encode_namedtuple(struct value_encoder *v, const struct value_node *n, unsigned depth)
{
	const struct value_node *c = &v->tree.nodes[n->first];
	bool cut = n->total > n->n;
	char unnamed[16];

	v->result->truncated |= cut;
	PUT(v->out, "\xa4" KEY_KIND "\x66Struct\x6c" "field_values");
	cbor_head(v->out, CBOR_ARRAY, n->nchildren + cut);
	for (uint32_t i = 0; i < n->nchildren; i++)
		encode_node(v, &c[i], depth + 1);
	if (cut)
		put_more(v, n->total - n->n);
	PUT(v->out, "\x6b" "field_names");
	cbor_head(v->out, CBOR_ARRAY, n->nchildren + cut);
	for (uint32_t i = 0; i < n->nchildren + cut; i++) {
		const char *name = unnamed;

		snprintf(unnamed, sizeof(unnamed), "[%u]", i);
		if (i == n->nchildren)
			name = "…";
		else if (i < n->type->nfields)
			name = n->type->fields[i];
		put_text(v->out, name, strlen(name));
	}
	put_type(v, type_of(v, n, B_TUPLE));
}

static void encode_container(struct value_encoder *v, const struct value_node *n, unsigned depth)
{
	static const struct {
		enum builtin type;
		const char *open, *close;
	} look[] = {
		[EVN_LIST - EVN_LIST] = { B_LIST, "[", "]" },
		[EVN_TUPLE - EVN_LIST] = { B_TUPLE, "(", ")" },
		[EVN_SET - EVN_LIST] = { B_SET, "{", "}" },
		[EVN_FROZENSET - EVN_LIST] = { B_FROZENSET, "frozenset({", "})" },
		[EVN_DICT - EVN_LIST] = { B_DICT, "{", "}" },
	};
	unsigned k = n->kind - EVN_LIST;

	if ((n->flags & EVNF_DEPTH && n->total) || depth > MAX_NESTING) {
		buf_printf(&v->text, "%s… %u item%s%s", look[k].open, n->total,
			   n->total == 1 ? "" : "s", look[k].close);
		v->result->truncated = true;
		put_made(v, type_of(v, n, look[k].type));
		return;
	}
	if (n->flags & EVNF_PARTIAL)
		v->result->unreadable++;
	if (n->kind == EVN_TUPLE && n->type && n->type->flags & EVT_NAMEDTUPLE) {
		encode_namedtuple(v, n, depth);
	} else if (n->kind == EVN_TUPLE) {
		PUT(v->out, "\xa3" KEY_KIND "\x65Tuple");
		put_elements(v, n, false, depth);
		put_type(v, type_of(v, n, B_TUPLE));
	} else {
		PUT(v->out, "\xa4" KEY_KIND "\x68Sequence");
		put_elements(v, n, n->kind == EVN_DICT, depth);
		PUT(v->out, "\x68is_slice\xf4");
		put_type(v, type_of(v, n, look[k].type));
	}
}

static void node_text(struct value_encoder *v, const struct value_node *n)
{
	if (n->kind == EVN_STR) {
		text_str(&v->text, n->data, n->n, str_width(n));
		if (n->total > n->n)
			buf_printf(&v->text, "…");
	} else {
		buf_printf(&v->text, "?");
	}
}

static bool is_text(const struct value_node *n, const char *text)
{
	return n->kind == EVN_STR && n->flags & EVNF_WIDTH1 && n->n == strlen(text) &&
	       memcmp(n->data, text, n->n) == 0;
}

/* An enum member is known by its _name_. */
static bool encode_enum_member(struct value_encoder *v, const struct value_node *n)
{
	const struct value_node *c = &v->tree.nodes[n->first];

	for (uint32_t i = n->type->nslots; i + 1 < n->nchildren; i += 2) {
		if (!is_text(&c[i], "_name_") || c[i + 1].kind != EVN_STR)
			continue;
		buf_printf(&v->text, "%s.", n->type->name);
		node_text(v, &c[i + 1]);
		put_made(v, type_of(v, n, B_OBJECT));
		return true;
	}
	return false;
}

static void put_slot_name(struct value_encoder *v, const struct value_type *t, uint32_t i)
{
	/* args is the slot every exception has; a class may list only its own after it */
	uint32_t extra = t->flags & EVT_EXCEPTION && t->nfields < t->nslots ? 1 : 0;
	char unnamed[24];
	const char *name = unnamed;

	snprintf(unnamed, sizeof(unnamed), "slot %u", i);
	if (i < extra)
		name = "args";
	else if (i - extra < t->nfields)
		name = t->fields[i - extra];
	put_text(v->out, name, strlen(name));
}

static void put_key_name(struct value_encoder *v, const struct value_node *key)
{
	buf_clear(&v->text);
	node_text(v, key);
	put_text(v->out, v->text.data, v->text.len);
}

static void encode_object(struct value_encoder *v, const struct value_node *n, unsigned depth)
{
	const struct value_node *c = &v->tree.nodes[n->first];
	uint32_t nslots = n->type ? n->type->nslots : 0, fields = 0;
	bool cut = n->total > n->n;

	if (n->flags & EVNF_DEPTH || depth > MAX_NESTING) {
		buf_printf(&v->text, "<%s …>", n->type ? n->type->name : "object");
		v->result->truncated = true;
		put_made(v, type_of(v, n, B_OBJECT));
		return;
	}
	if (n->type && n->type->flags & EVT_ENUM && encode_enum_member(v, n))
		return;
	if (n->flags & EVNF_PARTIAL)
		v->result->unreadable++;
	v->result->truncated |= cut;
	for (uint32_t i = 0; i < n->nchildren; i += i < nslots ? 1 : 2)
		fields += c[i < nslots ? i : i + 1].kind != EVN_NULL;
	PUT(v->out, "\xa4" KEY_KIND "\x66Struct\x6c" "field_values");
	cbor_head(v->out, CBOR_ARRAY, fields + cut);
	for (uint32_t i = 0; i < n->nchildren; i += i < nslots ? 1 : 2)
		if (c[i < nslots ? i : i + 1].kind != EVN_NULL)
			encode_node(v, &c[i < nslots ? i : i + 1], depth + 1);
	if (cut)
		put_more(v, n->total - n->n);
	PUT(v->out, "\x6b" "field_names");
	cbor_head(v->out, CBOR_ARRAY, fields + cut);
	for (uint32_t i = 0; i < n->nchildren; i += i < nslots ? 1 : 2) {
		if (c[i < nslots ? i : i + 1].kind == EVN_NULL)
			continue;
		if (i < nslots)
			put_slot_name(v, n->type, i);
		else
			put_key_name(v, &c[i]);
	}
	if (cut)
		put_text(v->out, "…", strlen("…"));
	put_type(v, type_of(v, n, B_OBJECT));
}

static void encode_named(struct value_encoder *v, const struct value_node *n)
{
	static const struct {
		enum builtin type;
		const char *what;
	} look[] = {
		[EVN_FUNCTION - EVN_FUNCTION] = { B_FUNCTION, "function" },
		[EVN_METHOD - EVN_FUNCTION] = { B_METHOD, "bound method" },
		[EVN_MODULE - EVN_FUNCTION] = { B_MODULE, "module" },
		[EVN_CODE - EVN_FUNCTION] = { B_CODE, "code object" },
		[EVN_GENERATOR - EVN_FUNCTION] = { B_GENERATOR, "generator" },
		[EVN_COROUTINE - EVN_FUNCTION] = { B_COROUTINE, "coroutine" },
		[EVN_ASYNCGEN - EVN_FUNCTION] = { B_ASYNCGEN, "async_generator" },
		[EVN_BUILTIN - EVN_FUNCTION] = { B_BUILTIN, "built-in function" },
	};
	unsigned k = n->kind - EVN_FUNCTION;

	buf_printf(&v->text, "<%s ", look[k].what);
	if (n->kind == EVN_BUILTIN)
		text_utf8(&v->text, n->data, strnlen((const char *)n->data, n->size));
	else
		node_text(v, &v->tree.nodes[n->first]);
	buf_u8(&v->text, '>');
	put_made(v, type_of(v, n, look[k].type));
}

static void encode_class(struct value_encoder *v, const struct value_node *n)
{
	if (!n->type)
		buf_printf(&v->text, "<class at 0x%llx>", (unsigned long long)n->addr);
	else if (!n->type->module[0] || strcmp(n->type->module, "builtins") == 0)
		buf_printf(&v->text, "<class '%s'>", n->type->name);
	else
		buf_printf(&v->text, "<class '%s.%s'>", n->type->module, n->type->name);
	put_made(v, builtin(v, B_CLASS));
}

/* The parts of a range or slice: numbers and None as they are, the rest by kind. */
static void part_text(struct value_encoder *v, const struct value_node *n)
{
	int64_t i;
	double d;

	switch (n->kind) {
	case EVN_NONE:
		buf_printf(&v->text, "None");
		break;
	case EVN_TRUE:
	case EVN_FALSE:
		buf_printf(&v->text, n->kind == EVN_TRUE ? "True" : "False");
		break;
	case EVN_INT:
		memcpy(&i, n->data, 8);
		buf_printf(&v->text, "%lld", (long long)i);
		break;
	case EVN_BIGINT:
		if (n->total > n->n)
			buf_printf(&v->text, "…");
		else
			text_bigint(&v->text, (const uint32_t *)(const void *)n->data, n->n,
				    n->flags & EVNF_NEG);
		break;
	case EVN_FLOAT:
		memcpy(&d, n->data, 8);
		text_float(&v->text, d);
		break;
	case EVN_STR:
		buf_u8(&v->text, '\'');
		node_text(v, n);
		buf_u8(&v->text, '\'');
		break;
	default:
		buf_printf(&v->text, "…");
	}
}

static void encode_range(struct value_encoder *v, const struct value_node *n)
{
	const struct value_node *c = &v->tree.nodes[n->first];
	bool range = n->kind == EVN_RANGE;
	uint32_t parts = n->nchildren;
	int64_t step = 0;

	if (range && parts == 3 && c[2].kind == EVN_INT)
		memcpy(&step, c[2].data, 8);
	if (step == 1)
		parts = 2;
	buf_printf(&v->text, range ? "range(" : "slice(");
	for (uint32_t i = 0; i < parts; i++) {
		if (i)
			buf_printf(&v->text, ", ");
		part_text(v, &c[i]);
	}
	if (!parts)
		buf_printf(&v->text, "…");
	buf_u8(&v->text, ')');
	put_made(v, builtin(v, range ? B_RANGE : B_SLICE));
}

static void encode_cell(struct value_encoder *v, const struct value_node *n, unsigned depth)
{
	const struct value_node *c = &v->tree.nodes[n->first];

	if (n->nchildren == 0 || depth > MAX_NESTING) {
		put_raw_str(v, "<depth limit>", builtin(v, B_CELL));
		v->result->truncated = true;
		return;
	}
	if (c->kind == EVN_NULL) {
		put_raw_str(v, "<empty cell>", builtin(v, B_CELL));
		return;
	}
	PUT(v->out, "\xa4" KEY_KIND "\x66Struct\x6c" "field_values\x81");
	encode_node(v, c, depth + 1);
	PUT(v->out, "\x6b" "field_names\x81\x6d" "cell_contents");
	put_type(v, builtin(v, B_CELL));
}

static void encode_opaque(struct value_encoder *v, const struct value_node *n)
{
	buf_printf(&v->text, "<%s at 0x%llx>", n->type ? n->type->name : "object",
		   (unsigned long long)n->addr);
	put_made(v, type_of(v, n, B_OBJECT));
}

static bool is_cycle(const struct value_encoder *v, const struct value_node *n)
{
	const struct value_node *root = v->tree.nodes, *p = n;

	if (!n->addr || n->kind < EVN_LIST || n->kind > EVN_CELL)
		return false;
	while (p != root) {
		p = &root[p->parent];
		if (p->addr == n->addr && p->kind == n->kind)
			return true;
	}
	return false;
}

static void encode_simple(struct value_encoder *v, const struct value_node *n)
{
	switch (n->kind) {
	case EVN_NONE:
		PUT(v->out, "\xa2" KEY_KIND "\x64None");
		put_type(v, builtin(v, B_NONE));
		break;
	case EVN_TRUE:
	case EVN_FALSE:
		put_bool(v, n->kind == EVN_TRUE);
		break;
	case EVN_ELLIPSIS:
		put_raw_str(v, "Ellipsis", builtin(v, B_ELLIPSIS));
		break;
	case EVN_NOTIMPLEMENTED:
		put_raw_str(v, "NotImplemented", builtin(v, B_NOTIMPLEMENTED));
		break;
	case EVN_REDACTED:
		put_error(v, "<redacted>");
		break;
	case EVN_SKIPPED:
		v->result->truncated = true;
		put_raw_str(v, "…", builtin(v, B_OBJECT));
		break;
	case EVN_NULL:
		put_raw_str(v, "<NULL>", builtin(v, B_OBJECT));
		break;
	default:
		v->result->unreadable++;
		put_error(v, "<unreadable>");
	}
}

static void encode_node(struct value_encoder *v, const struct value_node *n, unsigned depth)
{
	buf_clear(&v->text);
	if (is_cycle(v, n)) {
		put_error(v, "<cycle>");
		return;
	}
	switch (n->kind) {
	case EVN_INT:
	case EVN_FLOAT:
	case EVN_COMPLEX:
		encode_number(v, n);
		break;
	case EVN_BIGINT:
		encode_bigint(v, n);
		break;
	case EVN_STR:
		encode_str(v, n);
		break;
	case EVN_BYTES:
	case EVN_BYTEARRAY:
		encode_bytes(v, n);
		break;
	case EVN_LIST ... EVN_DICT:
		encode_container(v, n, depth);
		break;
	case EVN_OBJECT:
		encode_object(v, n, depth);
		break;
	case EVN_RANGE:
	case EVN_SLICE:
		encode_range(v, n);
		break;
	case EVN_CELL:
		encode_cell(v, n, depth);
		break;
	case EVN_FUNCTION ... EVN_BUILTIN:
		encode_named(v, n);
		break;
	case EVN_CLASS:
		encode_class(v, n);
		break;
	case EVN_OPAQUE:
		encode_opaque(v, n);
		break;
	default:
		encode_simple(v, n);
	}
}

int value_encode(struct value_encoder *v, const void *nodes, size_t len, unsigned flags,
		 struct buf *out, struct value_result *result)
{
	const struct value_node *root = v->tree.nodes;

	*result = (struct value_result){ 0 };
	if (value_tree_decode(&v->tree, &v->env, nodes, len))
		return 1;
	result->used = v->tree.used;
	if (flags & VALUE_CELL && root->kind == EVN_CELL && root->nchildren)
		root = &v->tree.nodes[root->first];
	if (root->kind == EVN_NULL) {
		result->unset = true;
		return 0;
	}
	v->out = out;
	v->result = result;
	v->rc = 0;
	encode_node(v, root, 0);
	if (v->rc < 0)
		return v->rc;
	return v->text.oom ? buf_check(&v->text) : buf_check(out);
}

int value_text(struct value_encoder *v, const void *nodes, size_t len, struct buf *out, size_t *used)
{
	if (value_tree_decode(&v->tree, &v->env, nodes, len) || v->tree.nodes[0].kind != EVN_STR)
		return 1;
	*used = v->tree.used;
	buf_clear(&v->text);
	node_text(v, &v->tree.nodes[0]);
	buf_append(out, v->text.data, v->text.len);
	return v->text.oom ? buf_check(&v->text) : buf_check(out);
}

int value_int(struct value_encoder *v, int64_t i, struct buf *out)
{
	v->out = out;
	v->rc = 0;
	put_int(v, i, builtin(v, B_INT));
	return v->rc < 0 ? v->rc : buf_check(out);
}

int value_error(struct value_encoder *v, const char *msg, struct buf *out)
{
	v->out = out;
	v->rc = 0;
	put_error(v, msg);
	return v->rc < 0 ? v->rc : buf_check(out);
}

int value_encoder_new(struct value_encoder **ret, const struct value_env *env)
{
	struct value_encoder *v = calloc(1, sizeof(*v));

	if (!v)
		return err_set(ERR_NOMEM, "a value encoder");
	v->env = *env;
	*ret = v;
	return 0;
}

struct value_encoder *value_encoder_free(struct value_encoder *v)
{
	if (v)
		buf_deinit(&v->text);
	free(v);
	return NULL;
}
