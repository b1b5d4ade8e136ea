/* SPDX-License-Identifier: MIT */
/*
 * value_nodes.c: hostile bytes to a tree of nodes.
 *
 * Nodes stand breadth first, so the children of node i are a run that starts
 * where the children of all nodes before it end: one pass hands them out, and
 * a child's index is always greater than its parent's. That makes cycles
 * impossible by construction and bounds everything by the number of nodes.
 */
#include "trace/value_nodes.h"

#include <string.h>

/* Bytes of data after the addresses and ids; UINT32_MAX: no such node. */
static uint32_t data_size(const struct value_node *n)
{
	switch (n->kind) {
	case EVN_INT:
	case EVN_FLOAT:
		return 8;
	case EVN_COMPLEX:
		return 16;
	case EVN_BIGINT:
		return n->n * 4u;
	case EVN_STR:
		switch (n->flags & (EVNF_WIDTH1 | EVNF_WIDTH2 | EVNF_WIDTH4)) {
		case EVNF_WIDTH1:
			return n->n;
		case EVNF_WIDTH2:
			return n->n * 2u;
		case EVNF_WIDTH4:
			return n->n * 4u;
		default:
			return n->n ? UINT32_MAX : 0;
		}
	case EVN_BYTES:
	case EVN_BYTEARRAY:
	case EVN_BUILTIN:
		return n->n;
	default:
		return 0;
	}
}

static bool has_address(uint8_t kind)
{
	return (kind >= EVN_LIST && kind <= EVN_CELL) || (kind >= EVN_FUNCTION && kind <= EVN_CLASS) ||
	       kind == EVN_OPAQUE || kind == EVN_UNREADABLE;
}

static bool has_own_type(uint8_t kind)
{
	return kind == EVN_OBJECT || kind == EVN_CLASS || kind == EVN_OPAQUE;
}

static bool known(uint8_t kind)
{
	return kind <= EVN_BYTEARRAY || has_address(kind) || kind == EVN_SKIPPED ||
	       kind == EVN_REDACTED;
}

static uint32_t children(const struct value_node *n)
{
	switch (n->kind) {
	case EVN_LIST:
	case EVN_TUPLE:
	case EVN_SET:
	case EVN_FROZENSET:
		return n->n;
	case EVN_DICT:
		return 2u * n->n;
	case EVN_OBJECT:
		if (n->flags & EVNF_DEPTH)
			return 0;
		return (n->type ? n->type->nslots : 0) + n->nkeys + 2u * n->n;
	case EVN_RANGE:
	case EVN_SLICE:
		return n->flags & EVNF_DEPTH ? 0 : 3;
	case EVN_CELL:
		return n->flags & EVNF_DEPTH ? 0 : 1;
	case EVN_FUNCTION:
	case EVN_METHOD:
	case EVN_MODULE:
	case EVN_CODE:
	case EVN_GENERATOR:
	case EVN_COROUTINE:
	case EVN_ASYNCGEN:
		return 1;
	default:
		return 0;
	}
}

static uint64_t take_u64(const uint8_t **p, size_t *left)
{
	uint64_t v;

	memcpy(&v, *p, 8);
	*p += 8;
	*left -= 8;
	return v;
}

static int decode_node(struct value_node *n, const struct value_env *env, const uint8_t **p,
		       size_t *left)
{
	struct ev_node e;
	uint32_t words;

	if (*left < sizeof(e))
		return 1;
	memcpy(&e, *p, sizeof(e));
	*p += sizeof(e);
	*left -= sizeof(e);
	n->kind = e.kind;
	n->flags = e.flags;
	n->n = e.n;
	n->total = e.total;
	if (!known(e.kind))
		return 1;
	words = (e.flags & EVNF_TYPED && !has_own_type(e.kind)) + has_address(e.kind) +
		has_own_type(e.kind);
	n->size = data_size(n);
	if (*left < words * 8u || n->size > *left - words * 8u)
		return 1;
	if (e.flags & EVNF_TYPED && !has_own_type(e.kind))
		n->type_id = (uint32_t)take_u64(p, left);
	if (has_address(e.kind))
		n->addr = take_u64(p, left);
	if (has_own_type(e.kind)) {
		uint64_t w = take_u64(p, left);

		n->type_id = (uint32_t)w;
		n->nkeys = e.kind == EVN_OBJECT ? w >> 32 : 0;
	}
	if (n->type_id)
		n->type = env->type(env->ctx, n->type_id);
	if (n->nkeys > VALUE_MAX_NODES)
		return 1;
	n->data = *p;
	words = EV_PAD8(n->size);
	if (words > *left)
		return 1;
	*p += words;
	*left -= words;
	return 0;
}

int value_tree_decode(struct value_tree *t, const struct value_env *env, const void *nodes,
		      size_t len)
{
	const uint8_t *p = nodes;
	size_t left = len;

	t->n = 1;
	t->nodes[0].parent = 0;
	for (uint32_t i = 0; i < t->n; i++) {
		struct value_node *n = &t->nodes[i];
		uint32_t parent = n->parent;

		*n = (struct value_node){ .kind = EVN_SKIPPED, .parent = parent };
		if (left == 0 && i > 0)
			continue;
		if (decode_node(n, env, &p, &left))
			return 1;
		n->first = t->n;
		n->nchildren = children(n);
		if (n->nchildren > VALUE_MAX_NODES - t->n)
			return 1;
		for (uint32_t k = 0; k < n->nchildren; k++)
			t->nodes[t->n++].parent = i;
	}
	t->used = len - left;
	return 0;
}
