/* SPDX-License-Identifier: MIT */
/*
 * assemble_frame.c: memory of frames and values.
 *
 * Programs enter and leave frames all the time and change a few small values
 * at each line. Frames that ended are kept with their arrays; value memory
 * comes in size classes from 32 bytes up, doubling, each with a list of free
 * pieces. Pieces above the largest class are malloc's.
 */
#include "trace/assemble_frame.h"

#include <stdlib.h>
#include <string.h>

#include "util/err.h"

#define SMALLEST 32u
#define CLASSES 12u /* up to 64 KB */
#define MAX_FREE_FRAMES 4096u

/* Before each value: its class, or CLASSES for malloc's own with any size. */
struct piece {
	union {
		uint64_t size_class;
		struct piece *next;
	} u;
	uint8_t data[];
};

static struct piece *piece_of(const uint8_t *data)
{
	return (struct piece *)(uintptr_t)(data - offsetof(struct piece, data));
}

static uint8_t *value_new(struct frame_pool *p, size_t len)
{
	unsigned c = 0;
	struct piece *m;

	while (c < CLASSES && len > (size_t)SMALLEST << c)
		c++;
	m = c < CLASSES ? p->values[c] : NULL;
	if (m)
		p->values[c] = m->u.next;
	else
		m = malloc(sizeof(*m) + (c < CLASSES ? (size_t)SMALLEST << c : len));
	if (!m)
		return NULL;
	m->u.size_class = c;
	return m->data;
}

static bool value_fits(const uint8_t *data, size_t len)
{
	uint64_t c = piece_of(data)->u.size_class;

	return c < CLASSES && len <= (size_t)SMALLEST << c && (c < 4 || len > (size_t)SMALLEST << (c - 2));
}

static void value_free(struct frame_pool *p, const uint8_t *data)
{
	struct piece *m = piece_of(data);
	uint64_t c = m->u.size_class;

	/* large pieces are rare and would add up */
	if (c >= 8) {
		free(m);
		return;
	}
	m->u.next = p->values[c];
	p->values[c] = m;
}

struct frame *frame_new(struct frame_pool *p, uint64_t serial, struct code *code)
{
	struct frame *f = p->free;

	if (f) {
		p->free = f->next_free;
		p->nfree--;
	} else {
		f = calloc(1, sizeof(*f));
	}
	if (!f)
		return NULL;
	f->serial = serial;
	f->code = code;
	f->last_line = 0;
	f->open = f->shown = f->args = f->is_root = false;
	return f;
}

void frame_forget(struct frame_pool *p, struct frame *f)
{
	for (uint32_t i = 0; i < f->nvars; i++)
		value_free(p, f->vars[i].cbor);
	f->nvars = 0;
}

static void frame_release(struct frame *f)
{
	free(f->vars);
	free(f->slots);
	free(f);
}

void frame_free(struct frame_pool *p, struct frame *f)
{
	frame_forget(p, f);
	free(f->module);
	f->module = NULL;
	free((void *)(uintptr_t)f->thrown.cbor);
	f->thrown = (struct trace_var){ 0 };
	if (p->nfree >= MAX_FREE_FRAMES || f->cap > 256) {
		frame_release(f);
		return;
	}
	f->next_free = p->free;
	p->free = f;
	p->nfree++;
}

/* The first variable at or after slot. Slots mostly come in order. */
static uint32_t position(const struct frame *f, uint16_t slot)
{
	uint32_t low = 0, high = f->nvars;

	if (high == 0 || f->slots[high - 1] < slot)
		return high;
	if (slot < high && f->slots[slot] == slot)
		return slot;
	while (low < high) {
		uint32_t mid = (low + high) / 2;

		if (f->slots[mid] < slot)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static int make_room(struct frame *f, uint32_t at)
{
	if (f->nvars == f->cap) {
		uint32_t cap = f->cap ? f->cap * 2 : 8;
		void *vars = realloc(f->vars, cap * sizeof(*f->vars)), *slots;

		if (vars)
			f->vars = vars;
		slots = vars ? realloc(f->slots, cap * sizeof(*f->slots)) : NULL;
		if (!slots)
			return err_set(ERR_NOMEM, "a frame of %u variables", cap);
		f->slots = slots;
		f->cap = cap;
	}
	memmove(f->vars + at + 1, f->vars + at, (f->nvars - at) * sizeof(*f->vars));
	memmove(f->slots + at + 1, f->slots + at, (f->nvars - at) * sizeof(*f->slots));
	f->nvars++;
	return 0;
}

int frame_set(struct frame_pool *p, struct frame *f, uint16_t slot, uint32_t name,
	      const uint8_t *cbor, size_t len)
{
	uint32_t at = position(f, slot);
	bool there = at < f->nvars && f->slots[at] == slot;
	uint8_t *data;

	if (there && value_fits(f->vars[at].cbor, len)) {
		data = (uint8_t *)(uintptr_t)f->vars[at].cbor;
	} else {
		data = value_new(p, len);
		if (!data)
			return err_set(ERR_NOMEM, "a value of %zu bytes", len);
		if (there) {
			value_free(p, f->vars[at].cbor);
		} else {
			int rc = f->nvars >= FRAME_MAX_VARS ? 1 : make_room(f, at);

			if (rc) {
				value_free(p, data);
				return rc;
			}
			f->slots[at] = slot;
		}
	}
	memcpy(data, cbor, len);
	f->vars[at] = (struct trace_var){ .name = name, .len = (uint32_t)len, .cbor = data };
	return 0;
}

void frame_unset(struct frame_pool *p, struct frame *f, uint16_t slot)
{
	uint32_t at = position(f, slot);

	if (at >= f->nvars || f->slots[at] != slot)
		return;
	value_free(p, f->vars[at].cbor);
	f->nvars--;
	memmove(f->vars + at, f->vars + at + 1, (f->nvars - at) * sizeof(*f->vars));
	memmove(f->slots + at, f->slots + at + 1, (f->nvars - at) * sizeof(*f->slots));
}

void frame_pool_deinit(struct frame_pool *p)
{
	while (p->free) {
		struct frame *f = p->free;

		p->free = f->next_free;
		frame_release(f);
	}
	for (unsigned c = 0; c < CLASSES; c++)
		while (p->values[c]) {
			struct piece *m = p->values[c];

			p->values[c] = m->u.next;
			free(m);
		}
	*p = (struct frame_pool){ 0 };
}
