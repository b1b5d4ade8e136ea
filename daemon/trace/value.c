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

#include <stdlib.h>
#include <string.h>

#include "trace/value_put.h"
#include "trace/value_text.h"
#include "util/err.h"

static void say_more(struct value_encoder *v, uint32_t rest)
{
	SAY(v, "… +");
	say_number(v, rest, 10);
	SAY(v, " more");
}

static void more_text(struct value_encoder *v, const struct value_node *n)
{
	if (n->total > n->n)
		say_more(v, n->total - n->n);
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
	put_string(v, v->text.data, v->text.len, type_of(v, n, B_STRING));
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

void encode_name(struct value_encoder *v, const struct value_node *n)
{
	if (n->kind == EVN_STR) {
		text_str(&v->text, n->data, n->n, str_width(n));
		if (n->total > n->n)
			buf_printf(&v->text, "…");
	} else {
		buf_printf(&v->text, "?");
	}
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

	buf_u8(&v->text, '<');
	say(v, look[k].what);
	buf_u8(&v->text, ' ');
	if (n->kind == EVN_BUILTIN)
		text_utf8(&v->text, n->data, strnlen((const char *)n->data, n->size));
	else
		encode_name(v, &v->tree.nodes[n->first]);
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
	put_made(v, type_builtin(v, B_CLASS));
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
		encode_name(v, n);
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
	put_made(v, type_builtin(v, range ? B_RANGE : B_SLICE));
}

static void encode_opaque(struct value_encoder *v, const struct value_node *n)
{
	buf_u8(&v->text, '<');
	say(v, n->type ? n->type->name : "object");
	SAY(v, " at 0x");
	say_number(v, n->addr, 16);
	buf_u8(&v->text, '>');
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
		put_type(v, type_builtin(v, B_NONE));
		break;
	case EVN_TRUE:
	case EVN_FALSE:
		put_bool(v, n->kind == EVN_TRUE);
		break;
	case EVN_ELLIPSIS:
		put_raw_str(v, "Ellipsis", type_builtin(v, B_ELLIPSIS));
		break;
	case EVN_NOTIMPLEMENTED:
		put_raw_str(v, "NotImplemented", type_builtin(v, B_NOTIMPLEMENTED));
		break;
	case EVN_REDACTED:
		put_error(v, "<redacted>");
		break;
	case EVN_SKIPPED:
		v->result->truncated = true;
		put_raw_str(v, "…", type_builtin(v, B_OBJECT));
		break;
	case EVN_NULL:
		put_raw_str(v, "<NULL>", type_builtin(v, B_OBJECT));
		break;
	default:
		v->result->unreadable++;
		put_error(v, "<unreadable>");
	}
}

void encode_node(struct value_encoder *v, const struct value_node *n, unsigned depth)
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
	encode_name(v, &v->tree.nodes[0]);
	if (v->text.len)
		buf_append(out, v->text.data, v->text.len);
	return v->text.oom ? buf_check(&v->text) : buf_check(out);
}

int value_int(struct value_encoder *v, int64_t i, struct buf *out)
{
	v->out = out;
	v->rc = 0;
	put_int(v, i, type_builtin(v, B_INT));
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
