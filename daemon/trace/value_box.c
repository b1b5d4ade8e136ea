/* SPDX-License-Identifier: MIT */
/*
 * value_box.c: values that hold others: containers, named tuples, instances, cells.
 *
 * A container that was cut has one element more, a Raw that says so; an
 * instance one field more, named "…". A NULL among the children is no element.
 */
#include <stdio.h>
#include <string.h>

#include "trace/value_put.h"

static void put_more(struct value_encoder *v, uint32_t rest)
{
	char text[40];

	snprintf(text, sizeof(text), "… +%u more", rest);
	put_raw_str(v, text, type_builtin(v, B_OBJECT));
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
	put_head(v->out, CBOR_ARRAY, kept + cut);
	for (uint32_t i = 0; i < n->nchildren; i += step) {
		if (c[i].kind == EVN_NULL)
			continue;
		if (pairs) {
			PUT(v->out, "\xa3" KEY_KIND "\x65Tuple\x68" "elements\x82");
			encode_node(v, &c[i], depth + 1);
			encode_node(v, &c[i + 1], depth + 1);
			put_type(v, type_builtin(v, B_TUPLE));
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
	put_head(v->out, CBOR_ARRAY, n->nchildren + cut);
	for (uint32_t i = 0; i < n->nchildren; i++)
		encode_node(v, &c[i], depth + 1);
	if (cut)
		put_more(v, n->total - n->n);
	PUT(v->out, "\x6b" "field_names");
	put_head(v->out, CBOR_ARRAY, n->nchildren + cut);
	for (uint32_t i = 0; i < n->nchildren + cut; i++) {
		const char *name = unnamed;

		if (i == n->nchildren)
			name = "…";
		else if (i < n->type->nfields)
			name = n->type->fields[i];
		else
			snprintf(unnamed, sizeof(unnamed), "[%u]", i);
		put_text(v->out, name, strlen(name));
	}
	put_type(v, type_of(v, n, B_TUPLE));
}

void encode_container(struct value_encoder *v, const struct value_node *n, unsigned depth)
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
		say(v, look[k].open);
		SAY(v, "… ");
		say_number(v, n->total, 10);
		say(v, n->total == 1 ? " item" : " items");
		say(v, look[k].close);
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

static bool is_text(const struct value_node *n, const char *text)
{
	return n->kind == EVN_STR && n->flags & EVNF_WIDTH1 && n->n == strlen(text) &&
	       memcmp(n->data, text, n->n) == 0;
}

/* An enum member is known by its _name_. */
static bool encode_enum_member(struct value_encoder *v, const struct value_node *n)
{
	const struct value_node *c = &v->tree.nodes[n->first];

	const struct value_node *name = NULL;

	for (uint32_t i = 0; i < n->nkeys && i < n->type->nkeys && !name; i++)
		if (strcmp(n->type->keys[i], "_name_") == 0)
			name = &c[n->type->nslots + i];
	for (uint32_t i = n->type->nslots + n->nkeys; i + 1 < n->nchildren && !name; i += 2)
		if (is_text(&c[i], "_name_"))
			name = &c[i + 1];
	if (!name || name->kind != EVN_STR)
		return false;
	buf_printf(&v->text, "%s.", n->type->name);
	encode_name(v, name);
	put_made(v, type_of(v, n, B_OBJECT));
	return true;
}

static void put_slot_name(struct value_encoder *v, const struct value_type *t, uint32_t i)
{
	/* args is the slot every exception has; a class may list only its own after it */
	uint32_t extra = t->flags & EVT_EXCEPTION && t->nfields < t->nslots ? 1 : 0;
	char unnamed[24];
	const char *name = unnamed;

	if (i < extra)
		name = "args";
	else if (i - extra < t->nfields)
		name = t->fields[i - extra];
	else
		snprintf(unnamed, sizeof(unnamed), "slot %u", i);
	put_text(v->out, name, strlen(name));
}

static void put_shared_name(struct value_encoder *v, const struct value_type *t, uint32_t i)
{
	char unnamed[24];
	const char *name = unnamed;

	snprintf(unnamed, sizeof(unnamed), "attribute %u", i);
	if (t && i < t->nkeys)
		name = t->keys[i];
	put_text(v->out, name, strlen(name));
}

static void put_key_name(struct value_encoder *v, const struct value_node *key)
{
	buf_clear(&v->text);
	encode_name(v, key);
	put_text(v->out, v->text.data, v->text.len);
}

/* The children of an instance: single values first, then pairs of key and value. */
struct fields {
	const struct value_node *c;
	uint32_t singles, n, i;
};

/* The next field that has a value, its index in *at; NULL: no more. */
static const struct value_node *next_field(struct fields *f, uint32_t *at)
{
	while (f->i < f->n) {
		const struct value_node *value = &f->c[f->i < f->singles ? f->i : f->i + 1];

		*at = f->i;
		f->i += f->i < f->singles ? 1 : 2;
		if (value->kind != EVN_NULL)
			return value;
	}
	return NULL;
}

void encode_object(struct value_encoder *v, const struct value_node *n, unsigned depth)
{
	uint32_t nslots = n->type ? n->type->nslots : 0, count = 0, at;
	const struct fields all = { .c = &v->tree.nodes[n->first], .singles = nslots + n->nkeys,
				    .n = n->nchildren };
	const struct value_node *value;
	bool cut = n->total > n->n;
	struct fields f;

	if (n->flags & EVNF_DEPTH || depth > MAX_NESTING) {
		buf_u8(&v->text, '<');
		say(v, n->type ? n->type->name : "object");
		SAY(v, " …>");
		v->result->truncated = true;
		put_made(v, type_of(v, n, B_OBJECT));
		return;
	}
	if (n->type && n->type->flags & EVT_ENUM && encode_enum_member(v, n))
		return;
	if (n->flags & EVNF_PARTIAL)
		v->result->unreadable++;
	v->result->truncated |= cut;
	for (f = all; next_field(&f, &at);)
		count++;
	PUT(v->out, "\xa4" KEY_KIND "\x66Struct\x6c" "field_values");
	put_head(v->out, CBOR_ARRAY, count + cut);
	for (f = all; (value = next_field(&f, &at));)
		encode_node(v, value, depth + 1);
	if (cut)
		put_more(v, n->total - n->n);
	PUT(v->out, "\x6b" "field_names");
	put_head(v->out, CBOR_ARRAY, count + cut);
	for (f = all; next_field(&f, &at);) {
		if (at < nslots)
			put_slot_name(v, n->type, at);
		else if (at < all.singles)
			put_shared_name(v, n->type, at - nslots);
		else
			put_key_name(v, &all.c[at]);
	}
	if (cut)
		put_text(v->out, "…", strlen("…"));
	put_type(v, type_of(v, n, B_OBJECT));
}

void encode_cell(struct value_encoder *v, const struct value_node *n, unsigned depth)
{
	const struct value_node *c = &v->tree.nodes[n->first];

	if (n->nchildren == 0 || depth > MAX_NESTING) {
		put_raw_str(v, "<depth limit>", type_builtin(v, B_CELL));
		v->result->truncated = true;
		return;
	}
	if (c->kind == EVN_NULL) {
		put_raw_str(v, "<empty cell>", type_builtin(v, B_CELL));
		return;
	}
	PUT(v->out, "\xa4" KEY_KIND "\x66Struct\x6c" "field_values\x81");
	encode_node(v, c, depth + 1);
	PUT(v->out, "\x6b" "field_names\x81\x6d" "cell_contents");
	put_type(v, type_builtin(v, B_CELL));
}
