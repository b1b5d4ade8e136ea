/* SPDX-License-Identifier: MIT */
/*
 * records.h: records as capture and the daemon would write them, made by hand.
 *
 * A `struct rec` is one record being made: start it, append to it, and end it
 * (size set, order zero). rec_var_begin/rec_var_end bracket a variable's nodes.
 */
#ifndef TESTS_RECORDS_H
#define TESTS_RECORDS_H

#include <string.h>

#include "ctrec/event.h"
#include "util/buf.h"

struct rec {
	struct buf b;
	size_t var; /* where the open variable's header stands */
};

static inline const struct ev_header *rec_end(struct rec *r)
{
	buf_pad8(&r->b);
	((struct ev_header *)r->b.data)->size = (uint32_t)r->b.len;
	return (const struct ev_header *)r->b.data;
}

static inline void rec_frame(struct rec *r, unsigned type, unsigned flags, uint64_t frame,
			     uint32_t code, uint32_t lasti, uint32_t thread)
{
	struct ev_frame e = { .h = { .type = (ev_u8)type, .flags = (ev_u8)flags }, .frame = frame,
			      .code = code, .lasti = lasti, .thread = thread };

	buf_clear(&r->b);
	buf_append(&r->b, &e, sizeof(e));
}

static inline void rec_var_begin(struct rec *r, unsigned slot, unsigned flags)
{
	struct ev_var v = { .slot = (ev_u16)slot, .flags = (ev_u16)flags };

	r->var = r->b.len;
	((struct ev_header *)r->b.data)->nvars++;
	buf_append(&r->b, &v, sizeof(v));
}

static inline void rec_var_end(struct rec *r)
{
	struct ev_var v;

	buf_pad8(&r->b);
	memcpy(&v, r->b.data + r->var, sizeof(v));
	v.size = (uint32_t)(r->b.len - r->var - sizeof(v));
	memcpy(r->b.data + r->var, &v, sizeof(v));
}

static inline void node(struct buf *b, unsigned kind, unsigned flags, unsigned n, unsigned total)
{
	struct ev_node e = { (ev_u8)kind, (ev_u8)flags, (ev_u16)n, total };

	buf_append(b, &e, sizeof(e));
}

static inline void node_int(struct buf *b, int64_t i)
{
	node(b, EVN_INT, 0, 0, 0);
	buf_u64(b, (uint64_t)i);
}

static inline void node_float(struct buf *b, double d)
{
	node(b, EVN_FLOAT, 0, 0, 0);
	buf_append(b, &d, 8);
}

static inline void node_str(struct buf *b, const char *s)
{
	node(b, EVN_STR, EVNF_WIDTH1, (unsigned)strlen(s), (unsigned)strlen(s));
	buf_append(b, s, strlen(s));
	buf_pad8(b);
}

/* A container's or by-name node: address, and the type's id where it is not 0. */
static inline void node_box(struct buf *b, unsigned kind, unsigned flags, unsigned n, unsigned total,
			    uint64_t addr, uint64_t type)
{
	bool own = kind == EVN_OBJECT || kind == EVN_CLASS || kind == EVN_OPAQUE;

	node(b, kind, flags | (type && !own ? EVNF_TYPED : 0), n, total);
	if (type && !own)
		buf_u64(b, type);
	buf_u64(b, addr);
	if (own)
		buf_u64(b, type);
}

static inline void rec_int(struct rec *r, unsigned slot, int64_t i)
{
	rec_var_begin(r, slot, 0);
	node_int(&r->b, i);
	rec_var_end(r);
}

/* A text record: EV_META, EV_END. */
static inline void rec_text(struct rec *r, unsigned type, const char *text)
{
	struct ev_text t = { .h = { .type = (ev_u8)type }, .len = (ev_u32)strlen(text) };

	buf_clear(&r->b);
	buf_append(&r->b, &t, sizeof(t));
	buf_append(&r->b, text, strlen(text));
}

struct rec_code {
	uint32_t id, flags, first, nargs, nkwonly;
	const char *file, *name, *qualname;
	const char *names; /* "a\0b\0": the literal's own zero is the last name's */
	size_t names_len;
	const void *bytecode, *linetable;
	size_t bytecode_len, linetable_len;
	uint32_t plan;
};

static inline void rec_padded(struct buf *b, const void *p, size_t n)
{
	buf_append(b, p, n);
	buf_pad8(b);
}

/* A code object of 3.11. */
static inline void rec_code(struct rec *r, const struct rec_code *c)
{
	uint32_t n = 0;
	uint8_t kinds[64] = { 0 };

	for (size_t i = 0; i < c->names_len; i++)
		n += c->names[i] == 0;
	struct ev_defcode d = {
		.h = { .type = EV_DEFCODE }, .code = c->id, .flags = c->flags,
		.firstlineno = c->first, .argcount = c->nargs, .kwonlyargcount = c->nkwonly,
		.nlocalsplus = n, .python = 0x030b, .plan = c->plan,
		.filename_len = (ev_u32)strlen(c->file), .name_len = (ev_u32)strlen(c->name),
		.qualname_len = (ev_u32)strlen(c->qualname),
		.linetable_len = (ev_u32)c->linetable_len,
		.bytecode_len = (ev_u32)c->bytecode_len, .kinds_len = n,
		.names_len = (ev_u32)c->names_len,
	};

	memset(kinds, 0x20, sizeof(kinds)); /* CO_FAST_LOCAL */
	buf_clear(&r->b);
	buf_append(&r->b, &d, sizeof(d));
	rec_padded(&r->b, c->file, strlen(c->file));
	rec_padded(&r->b, c->name, strlen(c->name));
	rec_padded(&r->b, c->qualname, strlen(c->qualname));
	rec_padded(&r->b, c->linetable, c->linetable_len);
	rec_padded(&r->b, c->bytecode, c->bytecode_len);
	rec_padded(&r->b, kinds, n);
	rec_padded(&r->b, c->names, c->names_len);
}

struct rec_type {
	uint32_t id, flags, nslots;
	const char *name, *module, *fields;
	size_t fields_len;
};

static inline void rec_type(struct rec *r, const struct rec_type *t)
{
	uint32_t n = 0;

	for (size_t i = 0; i < t->fields_len; i++)
		n += t->fields[i] == 0;
	struct ev_deftype d = {
		.h = { .type = EV_DEFTYPE }, .type_id = t->id, .flags = t->flags,
		.nslots = t->nslots, .nfields = n, .name_len = (ev_u32)strlen(t->name),
		.module_len = (ev_u32)strlen(t->module), .fields_len = (ev_u32)t->fields_len,
	};

	buf_clear(&r->b);
	buf_append(&r->b, &d, sizeof(d));
	rec_padded(&r->b, t->name, strlen(t->name));
	rec_padded(&r->b, t->module, strlen(t->module));
	rec_padded(&r->b, t->fields, t->fields_len);
}

#endif
