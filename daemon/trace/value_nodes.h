/* SPDX-License-Identifier: MIT */
/*
 * value_nodes.h: the node tree of one value, decoded and checked. Private to value*.c.
 */
#ifndef TRACE_VALUE_NODES_H
#define TRACE_VALUE_NODES_H

#include "trace/value.h"

struct value_node {
	uint8_t kind, flags; /* enum ev_kind, EVNF_* */
	uint16_t n;
	uint32_t total;
	const uint8_t *data; /* digits, bytes, code points, …: size bytes */
	uint32_t size;
	uint32_t parent, first, nchildren; /* indices of nodes; the root's parent is itself */
	uint32_t type_id;		   /* 0: none */
	uint32_t nkeys;			   /* EVN_OBJECT: children that are the type's keys */
	uint64_t addr;
	struct value_type *type; /* NULL: none or not known */
};

struct value_tree {
	struct value_node nodes[VALUE_MAX_NODES];
	uint32_t n;
	size_t used;
};

/* 0, or 1: the bytes make no sense. Nodes that the bytes no longer hold are
 * EVN_SKIPPED (capture may stop writing when its budget ends). */
int value_tree_decode(struct value_tree *t, const struct value_env *env, const void *nodes,
		      size_t len);

#endif
