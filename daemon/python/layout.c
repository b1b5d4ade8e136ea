/* SPDX-License-Identifier: MIT */
/*
 * layout.c: the table of a version, held against a live process.
 *
 * A version without a table is refused, never guessed. From 3.13 on the
 * interpreter says some of its offsets itself (debug_offsets.c). Then the sizes
 * that its static types state must be the table's, the small ints must lie
 * where the table has them, and a thread's frame must lead to a code object.
 */
#include <string.h>

#include "python/debug_offsets.h"
#include "python/layout_tables.h"
#include "python/resolve.h"
#include "util/err.h"

#define THREADS_MAX 16 /* thread states looked at */
#define FRAMES_MAX 64  /* entry frames skipped below each */
#define LONG_TAG_STATIC 4ull /* 3.14: set in the static ints */
#define SMALL_INTS_NEAR 4096 /* bytes around the table's place where they are searched for */

const struct ctrec_layout *python_layout(unsigned version)
{
	for (size_t i = 0; layout_tables[i]; i++)
		if (layout_tables[i]->python == version)
			return layout_tables[i];
	return NULL;
}

const char *python_supported(void)
{
	return "3.8, 3.9, 3.10, 3.11, 3.12, 3.13, 3.14";
}

static int read_u64(struct target *t, uint64_t at, uint64_t *to)
{
	return t->mem.read(&t->mem, (remote_t){ at }, to, sizeof(*to));
}

/* What a static type must say about itself: name, size of an instance, size of an item. */
static int check_type(struct target *t, const struct ctrec_layout *l, uint64_t type,
		      const char *name, uint64_t basicsize, uint64_t itemsize)
{
	uint8_t head[128];
	uint64_t at, size[2];
	char text[16] = { 0 };

	if (!type || l->type_itemsize + 8u > sizeof(head) ||
	    t->mem.read(&t->mem, (remote_t){ type }, head, l->type_itemsize + 8u) < 0)
		return err_set(ERR_TARGET_LAYOUT, "type %s can't be read", name);
	memcpy(&at, head + l->type_name, 8);
	memcpy(&size[0], head + l->type_basicsize, 8);
	memcpy(&size[1], head + l->type_itemsize, 8);
	if (t->mem.read(&t->mem, (remote_t){ at }, text, strlen(name) + 1) < 0 ||
	    strcmp(text, name) != 0)
		return err_set(ERR_TARGET_LAYOUT, "type %s has another name", name);
	if (size[0] != basicsize || size[1] != itemsize)
		return err_set(ERR_TARGET_LAYOUT, "%s objects have %u+%u bytes, not %u+%u", name,
			       (unsigned)size[0], (unsigned)size[1], (unsigned)basicsize,
			       (unsigned)itemsize);
	return 0;
}

static int check_types(struct target *t, const struct python_info *info, const struct ctrec_layout *l)
{
	const struct { int id; const char *name; uint64_t basicsize, itemsize; } types[] = {
		{ CS_type, "type", l->heaptype_size, 40 },
		{ CS_long, "int", l->long_digit, 4 },
		{ CS_float, "float", l->float_value + 8u, 0 },
		{ CS_str, "str", l->str_any + 8u, 0 },
		{ CS_bytes, "bytes", l->bytes_data + 1u, 1 },
		{ CS_list, "list", l->list_items + 16u, 0 },
		{ CS_tuple, "tuple", l->tuple_items, 8 },
		{ CS_dict, "dict", l->dict_values + 8u, 0 },
		{ CS_code, "code", l->code_basicsize, l->code_form == CTL_CODE_INLINE ? 2 : 0 },
		{ CS_cell, "cell", l->cell_value + 8u, 0 },
	};
	int r = 0;

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]) && r == 0; i++)
		r = check_type(t, l, info->statics[types[i].id], types[i].name, types[i].basicsize,
			       types[i].itemsize);
	return r;
}

/* Are they there? The first and the last, -5 and 256, are looked at. */
static int small_ints_lie(struct target *t, const struct python_info *info,
			  const struct ctrec_layout *l, uint32_t offset)
{
	const struct { unsigned i; uint64_t size, tag; uint32_t digit; } want[] = {
		{ 0, (uint64_t)-1, 1 << 3 | 2, 5 }, { 261, 1, 1 << 3, 256 },
	};
	uint64_t base = info->runtime + offset;

	for (int k = 0; k < 2; k++) {
		uint64_t at = base + want[k].i * l->small_int_size, type, size;
		uint32_t digit;

		if (read_u64(t, at + 8, &type) < 0 || read_u64(t, at + l->long_size, &size) < 0 ||
		    t->mem.read(&t->mem, (remote_t){ at + l->long_digit }, &digit, 4) < 0 ||
		    type != info->statics[CS_long] || digit != want[k].digit ||
		    (l->long_kind == CTL_LONG_TAG ? (size & ~LONG_TAG_STATIC) != want[k].tag :
						    size != want[k].size))
			return 0;
	}
	return 1;
}

/* Where they are in this release: other parts of _PyRuntime grow before them. 0: nowhere near. */
static uint32_t find_small_ints(struct target *t, const struct python_info *info,
				const struct ctrec_layout *l)
{
	uint64_t words[SMALL_INTS_NEAR / 8];
	uint32_t first = l->runtime_small_ints;

	if (!first || small_ints_lie(t, info, l, first))
		return first;
	first = first > SMALL_INTS_NEAR / 2 ? first - SMALL_INTS_NEAR / 2 : 8;
	first &= ~7u;
	if (t->mem.read(&t->mem, (remote_t){ info->runtime + first }, words, sizeof(words)) < 0)
		return 0;
	for (uint32_t i = 1; i < SMALL_INTS_NEAR / 8; i++)
		if (words[i] == info->statics[CS_long] &&
		    small_ints_lie(t, info, l, first + (i - 1) * 8))
			return first + (i - 1) * 8;
	return 0;
}

/* The frame a thread state leads to, entry frames skipped; 0: none, or it moved on meanwhile. */
static uint64_t thread_frame(struct target *t, const struct ctrec_layout *l, uint64_t tstate)
{
	uint64_t frame = 0;
	uint8_t owner;

	if (l->tstate_frame) {
		if (read_u64(t, tstate + l->tstate_frame, &frame) < 0)
			return 0;
	} else if (read_u64(t, tstate + l->tstate_cframe, &frame) < 0 || !frame ||
		   read_u64(t, frame + l->cframe_current_frame, &frame) < 0) {
		return 0;
	}
	for (int i = 0; frame && l->frame_owner_none && i < FRAMES_MAX; i++) {
		if (t->mem.read(&t->mem, (remote_t){ frame + l->frame_owner }, &owner, 1) < 0)
			return 0;
		if (owner < l->frame_owner_none)
			break;
		if (read_u64(t, frame + l->frame_previous, &frame) < 0)
			return 0;
	}
	return frame;
}

/* 0: the frame's code is a code object, or there is no frame; 1: it is something else. */
static int check_frame(struct target *t, const struct python_info *info,
		       const struct ctrec_layout *l, uint64_t tstate)
{
	uint64_t frame = thread_frame(t, l, tstate), code, type;

	if (!frame || read_u64(t, frame + l->frame_code, &code) < 0)
		return 0;
	code &= ~(uint64_t)l->frame_ref_mask;
	if (!code || read_u64(t, code + 8, &type) < 0)
		return 0;
	return type != info->statics[CS_code];
}

/* All threads' frames; the process runs on meanwhile, so a mismatch is not certain. */
static int check_frames(struct target *t, const struct python_info *info, const struct ctrec_layout *l)
{
	uint64_t tstate = 0, interp = 0;
	int wrong = 0;

	if (l->runtime_tstate_current) {
		if (read_u64(t, info->runtime + l->runtime_tstate_current, &tstate) < 0 || !tstate)
			return 0; /* nobody holds the GIL */
		return check_frame(t, info, l, tstate);
	}
	if (read_u64(t, info->runtime + l->runtime_interpreters_main, &interp) < 0 || !interp ||
	    read_u64(t, interp + l->interp_threads_head, &tstate) < 0)
		return 0; /* start-up */
	for (int i = 0; tstate && i < THREADS_MAX; i++) {
		wrong |= check_frame(t, info, l, tstate);
		if (read_u64(t, tstate + l->tstate_next, &tstate) < 0)
			break;
	}
	return wrong;
}

/* Builds whose objects have another shape. */
static int check_build(const struct python_info *info)
{
	if (!info->free_threaded && !info->debug_build)
		return 0;
	return err_set(ERR_UNSUPPORTED_PYTHON, "%s is a %s build", info->exe.path,
		       info->free_threaded ? "free-threaded" : "debug");
}

int python_check(struct target *t, const struct python_info *info, const struct ctrec_layout *l)
{
	int wrong = 0, r = check_build(info);

	if (r == 0)
		r = debug_offsets_check(t, info, l);
	if (r == 0)
		r = check_types(t, info, l);
	if (r < 0)
		return r;
	if (l->runtime_small_ints && !small_ints_lie(t, info, l, l->runtime_small_ints))
		return err_set(ERR_TARGET_LAYOUT, "the small ints are not where they should be");
	for (int i = 0; i < 8; i++)
		wrong += check_frames(t, info, l);
	if (wrong == 8)
		return err_set(ERR_TARGET_LAYOUT, "the running frame has no code object");
	return 0;
}

int python_layout_live(struct target *t, const struct python_info *info, struct ctrec_layout *l)
{
	const struct ctrec_layout *table = python_layout(info->version);
	int r;

	if (!table) {
		err_set(ERR_UNSUPPORTED_PYTHON, "Python %s: %s",
			info->version ? info->version_text : "of unknown version", info->exe.path);
		return err_hint("use one of these: %s", python_supported());
	}
	*l = *table;
	r = check_build(info);
	if (r == 0)
		r = debug_offsets_take(t, info, l);
	if (r < 0)
		return r;
	/* they save reads, no more: an int elsewhere is read as any other */
	l->runtime_small_ints = find_small_ints(t, info, l);
	return python_check(t, info, l);
}
