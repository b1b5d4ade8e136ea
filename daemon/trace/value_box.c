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

		snprintf(unnamed, sizeof(unnamed), "[%u]", i);
		if (i == n->nchildren)
			name = "…";
		else if (i < n->type->nfields)
			name = n->type->fields[i];
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
		encode_name(v, &c[i + 1]);
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
	encode_name(v, key);
	put_text(v->out, v->text.data, v->text.len);
}

void encode_object(struct value_encoder *v, const struct value_node *n, unsigned depth)
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
	put_head(v->out, CBOR_ARRAY, fields + cut);
	for (uint32_t i = 0; i < n->nchildren; i += i < nslots ? 1 : 2)
		if (c[i < nslots ? i : i + 1].kind != EVN_NULL)
			encode_node(v, &c[i < nslots ? i : i + 1], depth + 1);
	if (cut)
		put_more(v, n->total - n->n);
	PUT(v->out, "\x6b" "field_names");
	put_head(v->out, CBOR_ARRAY, fields + cut);
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
