/* SPDX-License-Identifier: MIT */
/*
 * assemble_vars.c: the variables of a record into the frame they belong to.
 *
 * A record lists what changed. One variable that makes no sense is shown as an
 * Error and counted; a record whose variables do not add up ends there, and
 * what came before stays. What is returned or thrown is encoded last, whatever
 * the order in the record: its buffer may be the one variables pass through.
 */
#include <string.h>

#include "trace/assemble_timeline.h"
#include "trace/cbor.h"

#define SLOT_NOT_READ 0xfffdu /* no variable's */
#define SLOT_KIND_CELL 0xc0 /* CO_FAST_CELL | CO_FAST_FREE */

/* Names with two underscores on both sides are the module's furniture. */
static bool is_dunder(const char *name, size_t n)
{
	return n > 4 && name[0] == '_' && name[1] == '_' && name[n - 1] == '_' && name[n - 2] == '_';
}

static unsigned cell_flag(const struct frame *f, const struct ev_frame *e, uint16_t slot)
{
	const struct code *c = f ? f->code : NULL;

	return c && c->d && !(e->h.flags & EVF_NAMES) && slot < c->d->kinds_len &&
			       c->parts.kinds[slot] & SLOT_KIND_CELL ?
		       VALUE_CELL :
		       0;
}

/* Encodes one value into out; *unset when there is none. */
static int encode(struct assembler *a, const struct ev_var *v, const uint8_t *p, size_t n,
		  unsigned flags, struct buf *out, bool *unset)
{
	struct value_result r;
	int rc;

	*unset = false;
	buf_clear(out);
	if (v->flags & EVV_REDACTED)
		return value_error(a->values, "<redacted>", out);
	rc = cache_encode(&a->cache, a->values, p, n, flags, out, &r);
	if (rc > 0) {
		a->gaps[EVG_BAD_RECORD]++;
		buf_clear(out);
		return value_error(a->values, "<unreadable>", out);
	}
	if (rc < 0)
		return rc;
	*unset = r.unset;
	a->truncated += r.truncated || v->flags & EVV_CUT;
	a->gaps[EVG_UNREADABLE] += r.unreadable;
	return 0;
}

/* The name that opens a named variable, in a->name; *p and *n move behind it. 0; 1: none; -code. */
static int take_name(struct assembler *a, const uint8_t **p, size_t *n)
{
	size_t used;
	int rc;

	buf_clear(&a->name);
	rc = value_text(a->values, *p, *n, &a->name, &used);
	if (rc)
		return rc;
	buf_u8(&a->name, 0);
	*p += used;
	*n -= used;
	return buf_check(&a->name);
}

static int take_local(struct assembler *a, const struct ev_frame *e, const struct ev_var *v,
		      const uint8_t *p, size_t n, struct vars_request *q)
{
	struct frame *f = q->frame;
	uint32_t name = 0;
	bool unset;
	int rc;

	if (v->flags & EVV_UNSET) {
		frame_unset(&a->pool, f, v->slot);
		return 0;
	}
	if (v->flags & EVV_NAMED) {
		rc = take_name(a, &p, &n);
		if (rc > 0)
			a->gaps[EVG_BAD_RECORD]++;
		if (rc)
			return rc < 0 ? rc : 0;
		if (f->code->is_module && strcmp((const char *)a->name.data, "__name__") == 0) {
			size_t used;

			buf_clear(&a->module);
			rc = value_text(a->values, p, n, &a->module, &used);
			buf_u8(&a->module, 0);
			q->got_module = rc == 0;
			frame_unset(&a->pool, f, v->slot);
			return rc < 0 ? rc : buf_check(&a->module);
		}
		if (f->code->is_module && is_dunder((const char *)a->name.data, a->name.len - 1)) {
			/* the entry may have had another name before */
			frame_unset(&a->pool, f, v->slot);
			return 0;
		}
		rc = trace_varname(a->w, (const char *)a->name.data, a->name.len - 1, &name);
	} else {
		rc = code_varname(&a->codes, f->code, v->slot, &name);
	}
	if (rc == 0)
		rc = encode(a, v, p, n, cell_flag(f, e, v->slot), &a->value, &unset);
	if (rc < 0)
		return rc;
	if (unset) {
		frame_unset(&a->pool, f, v->slot);
		return 0;
	}
	rc = frame_set(&a->pool, f, v->slot, name, a->value.data, a->value.len);
	if (rc > 0)
		a->truncated++;
	return rc < 0 ? rc : 0;
}

static int take_plain(struct assembler *a, const struct ev_var *v, const uint8_t *p, size_t n,
		      struct buf *out, bool *got)
{
	bool unset;
	int rc = encode(a, v, p, n, 0, out, &unset);

	*got = rc == 0 && !unset;
	return rc;
}

/* The class of an exception, where its tree (used bytes at p) is a known one. */
static const struct value_type *class_of(const struct assembler *a, const uint8_t *p, size_t used,
					 uint64_t *id)
{
	struct ev_node node;

	*id = 0;
	memcpy(&node, p, sizeof(node));
	if (node.kind != EVN_CLASS || used < 24)
		return NULL;
	memcpy(id, p + 16, sizeof(*id));
	return codes_type(&a->codes, (uint32_t)*id);
}

/* True where the tree is an instance of the class, not what one would be made of. */
static bool is_instance(const uint8_t *p, size_t n, uint64_t class_id)
{
	struct ev_node node;
	uint64_t id;

	memcpy(&node, p, sizeof(node));
	if (node.kind == EVN_OBJECT)
		return true;
	if (node.kind != EVN_OPAQUE || n < 24)
		return false;
	memcpy(&id, p + 16, sizeof(id));
	return id == class_id;
}

/* A Struct of the exception's class with the one field args; p: its value, if n. */
static int put_args(struct assembler *a, const struct ev_var *v, const uint8_t *p, size_t n,
		    const struct value_type *class, struct buf *out)
{
	struct ev_node node = { .kind = EVN_NULL };
	uint32_t struct_id, tuple_id;
	bool none = true;
	int rc;

	buf_clear(&a->name);
	rc = trace_type(a->w, class->name, strlen(class->name), &struct_id);
	if (rc == 0)
		rc = trace_type(a->w, "Tuple", 5, &tuple_id);
	if (rc == 0 && n >= sizeof(node)) {
		memcpy(&node, p, sizeof(node));
		rc = encode(a, v, p, n, 0, &a->name, &none);
	}
	if (rc < 0)
		return rc;
	none |= node.kind == EVN_NONE;
	buf_clear(out);
	cbor_struct_begin(out, 1, true);
	if (node.kind == EVN_TUPLE) { /* the args themselves */
		buf_append(out, a->name.data, a->name.len);
	} else {
		cbor_tuple_begin(out, !none);
		if (!none)
			buf_append(out, a->name.data, a->name.len);
		cbor_tuple_end(out, tuple_id);
	}
	cbor_struct_names(out, 1);
	cbor_text(out, "args", 4);
	cbor_struct_end(out, struct_id);
	return buf_check(out);
}

/*
 * An exception: its class, then its value. An instance says all; a value that is
 * not made one yet (PyErr_SetString leaves the text) is shown as the instance
 * will be: a Struct of the class with its args.
 */
static int take_exception(struct assembler *a, const struct ev_var *v, const uint8_t *p, size_t n,
			  struct buf *out, bool *got)
{
	const struct value_type *class;
	struct value_result r;
	uint64_t id;
	int rc;

	if (v->flags & EVV_REDACTED)
		return take_plain(a, v, p, n, out, got);
	buf_clear(&a->name);
	rc = value_encode(a->values, p, n, 0, &a->name, &r);
	if (rc)
		return rc < 0 ? rc : take_plain(a, v, p, n, out, got);
	class = class_of(a, p, r.used, &id);
	if (!class && n == r.used) /* all there is */
		return take_plain(a, v, p, n, out, got);
	p += r.used;
	n -= r.used;
	if (!class || (n >= sizeof(struct ev_node) && is_instance(p, n, id)))
		return take_plain(a, v, p, n, out, got);
	*got = true;
	return put_args(a, v, p, n, class, out);
}

static int take_special(struct assembler *a, const struct ev_var *v, const uint8_t *p, size_t n,
			struct buf *out, bool *got)
{
	if (!out || v->flags & EVV_UNSET)
		return 0;
	if (v->slot == EV_SLOT_EXC && v->flags & EVV_NAMED)
		return take_exception(a, v, p, n, out, got);
	return take_plain(a, v, p, n, out, got);
}

/* A returned or thrown value, met and not yet encoded. */
struct special {
	struct ev_var v;
	const uint8_t *p; /* NULL: none */
};

static int take_specials(struct assembler *a, const struct special *ret, const struct special *exc,
			 struct vars_request *q)
{
	int rc = ret->p ? take_special(a, &ret->v, ret->p, ret->v.size, q->ret, &q->got_ret) : 0;

	if (rc == 0 && exc->p)
		rc = take_special(a, &exc->v, exc->p, exc->v.size, q->exc, &q->got_exc);
	return rc;
}

/* What is known of the frame's variables is old: an Error "…" stands for them. */
static int not_read(struct assembler *a, struct frame *f)
{
	uint32_t name;
	int rc;

	frame_forget(&a->pool, f);
	buf_clear(&a->value);
	rc = value_error(a->values, VARS_NOT_READ, &a->value);
	if (rc == 0)
		rc = trace_varname(a->w, "…", strlen("…"), &name);
	if (rc == 0)
		rc = frame_set(&a->pool, f, SLOT_NOT_READ, name, a->value.data, a->value.len);
	return rc < 0 ? rc : 0;
}

int vars_take(struct assembler *a, const struct ev_frame *e, struct vars_request *q)
{
	const uint8_t *p = (const uint8_t *)(e + 1);
	size_t left = e->h.size - sizeof(*e);
	struct special ret = { 0 }, exc = { 0 };

	if ((e->h.flags & (EVF_FULL | EVF_CUT)) == EVF_FULL && q->frame)
		frame_forget(&a->pool, q->frame);
	if (e->h.flags & EVF_NOVALUES && q->frame) {
		int rc = not_read(a, q->frame);

		if (rc < 0)
			return rc;
	}
	for (uint32_t i = 0; i < e->h.nvars; i++) {
		struct ev_var v;
		int rc = 0;

		if (left < sizeof(v)) {
			a->gaps[EVG_BAD_RECORD]++;
			break;
		}
		memcpy(&v, p, sizeof(v));
		p += sizeof(v);
		left -= sizeof(v);
		if (v.size > left || v.size % 8) {
			a->gaps[EVG_BAD_RECORD]++;
			break;
		}
		if (v.slot == EV_SLOT_RETURN)
			ret = (struct special){ v, p };
		else if (v.slot == EV_SLOT_EXC)
			exc = (struct special){ v, p };
		else if (q->frame)
			rc = take_local(a, e, &v, p, v.size, q);
		if (rc < 0)
			return rc;
		p += v.size;
		left -= v.size;
	}
	return take_specials(a, &ret, &exc, q);
}
