/* SPDX-License-Identifier: MIT */
/*
 * layout.c: one table of offsets for each minor version of CPython.
 *
 * An offset is what offsetof says in that version's headers
 * (tests/unit/layout_offsets_3NN.c compares each, and prints a new table);
 * release builds with a GIL on x86-64. A version without a table is refused,
 * never guessed. python_check() then holds a table against the live process:
 * the sizes that the interpreter's own static types state must be the table's.
 */
#include <string.h>

#include "python/resolve.h"
#include "util/err.h"

static const struct ctrec_layout python_3_11 = {
	.python = 3 << 8 | 11,
	.runtime_tstate_current = 576, .runtime_small_ints = 680,
	.tstate_cframe = 56, .tstate_curexc_type = 96, .tstate_curexc_value = 104,
	.cframe_current_frame = 8,
	.frame_func = 0, .frame_globals = 8, .frame_builtins = 16, .frame_locals = 24,
	.frame_code = 32, .frame_frame_obj = 40, .frame_previous = 48, .frame_prev_instr = 56,
	.frame_stacktop = 64, .frame_localsplus = 72,
	.code_consts = 24, .code_names = 32, .code_exceptiontable = 40, .code_flags = 48,
	.code_argcount = 56, .code_posonlyargcount = 60, .code_kwonlyargcount = 64,
	.code_stacksize = 68, .code_firstlineno = 72, .code_nlocalsplus = 76, .code_nlocals = 80,
	.code_ncellvars = 88, .code_nfreevars = 92, .code_localsplusnames = 96,
	.code_localspluskinds = 104, .code_filename = 112, .code_name = 120, .code_qualname = 128,
	.code_linetable = 136, .code_firsttraceable = 168, .code_code = 184, .code_size = 16,
	.type_name = 24, .type_basicsize = 32, .type_itemsize = 40, .type_flags = 168,
	.type_dict = 264, .type_dictoffset = 288, .type_base = 256, .type_mro = 344,
	.type_members = 240,
	.heaptype_name = 848, .heaptype_qualname = 864, .heaptype_cached_keys = 872,
	.heaptype_size = 904,
	.long_size = 16, .long_digit = 24,
	.float_value = 16,
	.complex_value = 16,
	.bytes_size = 16, .bytes_data = 32,
	.bytearray_size = 16, .bytearray_start = 40,
	.str_length = 16, .str_hash = 24, .str_state = 32, .str_ascii_data = 48,
	.str_compact_data = 72, .str_any = 72,
	.list_size = 16, .list_items = 24,
	.tuple_size = 16, .tuple_items = 24,
	.set_used = 24, .set_mask = 32, .set_table = 40,
	.setentry_size = 16,
	.dict_used = 16, .dict_keys = 32, .dict_values = 40,
	.keys_log2_size = 8, .keys_log2_index_bytes = 9, .keys_kind = 10, .keys_nentries = 24,
	.keys_indices = 32,
	.cell_value = 16,
	.func_qualname = 40,
	.method_func = 16,
	.cfunction_def = 16,
	.methoddef_name = 0,
	.module_name = 48,
	.gen_qualname = 40,
	.range_start = 16,
	.slice_start = 16,
	.exc_args = 24,
	.object_values = 32, .object_dict = 24,
};

static const struct ctrec_layout *const layouts[] = { &python_3_11 };

const struct ctrec_layout *python_layout(unsigned version)
{
	for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++)
		if (layouts[i]->python == version)
			return layouts[i];
	return NULL;
}

const char *python_supported(void)
{
	return "3.11";
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

/* The running thread's frame, if one runs just now, must belong to a code object. */
static int check_frame(struct target *t, const struct python_info *info,
		       const struct ctrec_layout *l)
{
	uint64_t at[4] = { info->runtime + l->runtime_tstate_current, l->tstate_cframe,
			   l->cframe_current_frame, l->frame_code };
	uint64_t p = 0, type = 0;

	for (int i = 0; i < 4; i++) {
		if (t->mem.read(&t->mem, (remote_t){ p + at[i] }, &p, sizeof(p)) < 0 || !p)
			return 0; /* nobody holds the GIL, or it moved on while we looked */
	}
	if (t->mem.read(&t->mem, (remote_t){ p + 8 }, &type, sizeof(type)) < 0)
		return 0;
	/* the process runs on while we look: only a certain mismatch counts, twice seen */
	return type == info->statics[CS_code] ? 0 : 1;
}

int python_check(struct target *t, const struct python_info *info, const struct ctrec_layout *l)
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
		{ CS_code, "code", l->code_code, 2 },
		{ CS_cell, "cell", l->cell_value + 8u, 0 },
	};
	int wrong = 0;

	if (info->free_threaded || info->debug_build)
		return err_set(ERR_UNSUPPORTED_PYTHON, "%s is a %s build", info->exe.path,
			       info->free_threaded ? "free-threaded" : "debug");
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		int r = check_type(t, l, info->statics[types[i].id], types[i].name,
				   types[i].basicsize, types[i].itemsize);

		if (r < 0)
			return r;
	}
	for (int i = 0; i < 8; i++)
		wrong += check_frame(t, info, l);
	if (wrong == 8)
		return err_set(ERR_TARGET_LAYOUT, "the running frame has no code object");
	return 0;
}
