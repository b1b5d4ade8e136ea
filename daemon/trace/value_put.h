/* SPDX-License-Identifier: MIT */
/*
 * value_put.h: the encoder's state and the CBOR it puts out. Private to value*.c.
 *
 * What is put most (numbers, texts) reserves its room once and writes straight
 * into it; this is the assembler's hottest path.
 */
#ifndef TRACE_VALUE_PUT_H
#define TRACE_VALUE_PUT_H

#include "trace/value.h"
#include "trace/value_nodes.h"

enum builtin {
	B_NONE, B_BOOL, B_INT, B_FLOAT, B_COMPLEX, B_STRING, B_BYTES, B_BYTEARRAY, B_LIST, B_TUPLE,
	B_DICT, B_SET, B_FROZENSET, B_RANGE, B_SLICE, B_CELL, B_FUNCTION, B_METHOD, B_MODULE, B_CODE,
	B_GENERATOR, B_COROUTINE, B_ASYNCGEN, B_BUILTIN, B_CLASS, B_OBJECT, B_ELLIPSIS,
	B_NOTIMPLEMENTED, B_ERROR, B_MAX
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


#define CBOR_UINT 0
#define CBOR_TEXT 3
#define CBOR_ARRAY 4
/* A literal text of fewer than 24 bytes, its head included, as a C string. */
#define KEY_KIND "\x64kind"
#define KEY_TYPE "\x67type_id"
#define PUT(out, lit) buf_append(out, lit, sizeof(lit) - 1)

/* Appends to the text being made; printf takes a fifth of the encoder's time for that. */
#define SAY(v, lit) buf_append(&(v)->text, lit, sizeof(lit) - 1)
void say(struct value_encoder *v, const char *text);
void say_number(struct value_encoder *v, uint64_t n, unsigned base);

void put_head(struct buf *out, unsigned major, uint64_t n);
void put_text(struct buf *out, const void *p, size_t n);
/* The key type_id and its value; types are the writer's id + 1, as these give them. */
void put_type(struct value_encoder *v, uint32_t type);
uint32_t type_builtin(struct value_encoder *v, enum builtin b);
/* The type's own name for instances of a subclass, the builtin's otherwise. */
uint32_t type_of(struct value_encoder *v, const struct value_node *n, enum builtin b);

void put_raw(struct value_encoder *v, const void *text, size_t len, uint32_t type);
void put_raw_str(struct value_encoder *v, const char *text, uint32_t type);
void put_made(struct value_encoder *v, uint32_t type); /* v->text as a Raw */
void put_string(struct value_encoder *v, const void *text, size_t len, uint32_t type);
void put_error(struct value_encoder *v, const char *msg);
void put_int(struct value_encoder *v, int64_t i, uint32_t type);
void put_bool(struct value_encoder *v, bool b);

/* value.c: any node; its text to v->text, if it is one. */
void encode_node(struct value_encoder *v, const struct value_node *n, unsigned depth);
void encode_name(struct value_encoder *v, const struct value_node *n);
/* value_box.c */
void encode_container(struct value_encoder *v, const struct value_node *n, unsigned depth);
void encode_object(struct value_encoder *v, const struct value_node *n, unsigned depth);
void encode_cell(struct value_encoder *v, const struct value_node *n, unsigned depth);

#endif
