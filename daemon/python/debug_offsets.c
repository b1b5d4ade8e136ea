/* SPDX-License-Identifier: MIT */
/*
 * debug_offsets.c: _Py_DebugOffsets, at the start of _PyRuntime from 3.13 on.
 *
 * A row of 64-bit words: a cookie, the version, whether the build is
 * free-threaded, then for each struct its size and some offsets. It is the
 * target's memory and hostile. The interpreter state and the runtime grow in
 * bug-fix releases, so where their parts lie is taken from it, within bounds.
 * All else must be as in the table: a frame or a code object that has another
 * shape has it in fields that are not said here too, and those are never guessed.
 */
#include "python/debug_offsets.h"

#include <stddef.h>
#include <string.h>

#include "util/err.h"

#define WORDS_MAX 112
#define W_VERSION 1
#define W_FREE_THREADED 2
#define W_RUNTIME_SIZE 3
#define W_INTERP_SIZE 6
#define SIZE_MAX_SANE (1u << 20)

#define FIELD(name) offsetof(struct ctrec_layout, name), #name

struct word {
	unsigned at; /* index of the 64-bit word */
	size_t field;
	const char *name;
	unsigned bound; /* the word with the struct's size, where the offset may move; 0: it may not */
};

/* 3.13: Include/internal/pycore_runtime.h */
static const struct word words_3_13[] = {
	{ 5, FIELD(runtime_interpreters_head), W_RUNTIME_SIZE },
	{ 7, FIELD(interp_id), W_INTERP_SIZE }, { 8, FIELD(interp_next), W_INTERP_SIZE },
	{ 9, FIELD(interp_threads_head), W_INTERP_SIZE }, { 14, FIELD(interp_gil), W_INTERP_SIZE },
	{ 20, FIELD(tstate_prev), 0 }, { 21, FIELD(tstate_next), 0 },
	{ 22, FIELD(tstate_interp), 0 }, { 23, FIELD(tstate_frame), 0 },
	{ 24, FIELD(tstate_thread_id), 0 }, { 25, FIELD(tstate_native_thread_id), 0 },
	{ 29, FIELD(frame_previous), 0 }, { 30, FIELD(frame_code), 0 },
	{ 31, FIELD(frame_prev_instr), 0 }, { 32, FIELD(frame_localsplus), 0 },
	{ 33, FIELD(frame_owner), 0 },
	{ 35, FIELD(code_filename), 0 }, { 36, FIELD(code_name), 0 },
	{ 37, FIELD(code_qualname), 0 }, { 38, FIELD(code_linetable), 0 },
	{ 39, FIELD(code_firstlineno), 0 }, { 40, FIELD(code_argcount), 0 },
	{ 41, FIELD(code_localsplusnames), 0 }, { 42, FIELD(code_localspluskinds), 0 },
	{ 43, FIELD(code_code), 0 },
	{ 47, FIELD(type_name), 0 }, { 49, FIELD(type_flags), 0 },
	{ 51, FIELD(tuple_items), 0 }, { 52, FIELD(tuple_size), 0 },
	{ 54, FIELD(list_items), 0 }, { 55, FIELD(list_size), 0 },
	{ 57, FIELD(dict_keys), 0 }, { 58, FIELD(dict_values), 0 },
	{ 60, FIELD(float_value), 0 }, { 62, FIELD(long_size), 0 }, { 63, FIELD(long_digit), 0 },
	{ 65, FIELD(bytes_size), 0 }, { 66, FIELD(bytes_data), 0 },
	{ 68, FIELD(str_state), 0 }, { 69, FIELD(str_length), 0 }, { 70, FIELD(str_ascii_data), 0 },
	{ 0, 0, NULL, 0 },
};

/* 3.14: Include/internal/pycore_debug_offsets.h */
static const struct word words_3_14[] = {
	{ 5, FIELD(runtime_interpreters_head), W_RUNTIME_SIZE },
	{ 7, FIELD(interp_id), W_INTERP_SIZE }, { 8, FIELD(interp_next), W_INTERP_SIZE },
	{ 9, FIELD(interp_threads_head), W_INTERP_SIZE }, { 15, FIELD(interp_gil), W_INTERP_SIZE },
	{ 23, FIELD(tstate_prev), 0 }, { 24, FIELD(tstate_next), 0 },
	{ 25, FIELD(tstate_interp), 0 }, { 26, FIELD(tstate_frame), 0 },
	{ 27, FIELD(tstate_thread_id), 0 }, { 28, FIELD(tstate_native_thread_id), 0 },
	{ 32, FIELD(frame_previous), 0 }, { 33, FIELD(frame_code), 0 },
	{ 34, FIELD(frame_prev_instr), 0 }, { 35, FIELD(frame_localsplus), 0 },
	{ 36, FIELD(frame_owner), 0 }, { 37, FIELD(frame_stacktop), 0 },
	{ 40, FIELD(code_filename), 0 }, { 41, FIELD(code_name), 0 },
	{ 42, FIELD(code_qualname), 0 }, { 43, FIELD(code_linetable), 0 },
	{ 44, FIELD(code_firstlineno), 0 }, { 45, FIELD(code_argcount), 0 },
	{ 46, FIELD(code_localsplusnames), 0 }, { 47, FIELD(code_localspluskinds), 0 },
	{ 48, FIELD(code_code), 0 },
	{ 53, FIELD(type_name), 0 }, { 55, FIELD(type_flags), 0 },
	{ 57, FIELD(tuple_items), 0 }, { 58, FIELD(tuple_size), 0 },
	{ 60, FIELD(list_items), 0 }, { 61, FIELD(list_size), 0 },
	{ 63, FIELD(set_used), 0 }, { 64, FIELD(set_table), 0 }, { 65, FIELD(set_mask), 0 },
	{ 67, FIELD(dict_keys), 0 }, { 68, FIELD(dict_values), 0 },
	{ 70, FIELD(float_value), 0 }, { 72, FIELD(long_size), 0 }, { 73, FIELD(long_digit), 0 },
	{ 75, FIELD(bytes_size), 0 }, { 76, FIELD(bytes_data), 0 },
	{ 78, FIELD(str_state), 0 }, { 79, FIELD(str_length), 0 }, { 80, FIELD(str_ascii_data), 0 },
	{ 84, FIELD(gen_name), 0 }, { 85, FIELD(gen_frame), 0 }, { 86, FIELD(gen_frame_state), 0 },
	{ 0, 0, NULL, 0 },
};

static const struct { unsigned python; const struct word *words; unsigned n; } versions[] = {
	{ 3 << 8 | 13, words_3_13, 71 },
	{ 3 << 8 | 14, words_3_14, 87 },
};

/* The table of the target and its words. 1; 0: a version that has none; -ERR_TARGET_LAYOUT. */
static int read_words(struct target *t, const struct python_info *info, unsigned python,
		      const struct word **words, uint64_t *w)
{
	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
		if (versions[i].python != python)
			continue;
		*words = versions[i].words;
		if (!info->runtime || t->mem.read(&t->mem, (remote_t){ info->runtime }, w,
						  versions[i].n * sizeof(*w)) < 0)
			return err_set(ERR_TARGET_LAYOUT, "_Py_DebugOffsets can't be read");
		if (memcmp(w, "xdebugpy", 8) != 0)
			return err_set(ERR_TARGET_LAYOUT, "_Py_DebugOffsets is not there");
		if (w[W_VERSION] >> 16 != python)
			return err_set(ERR_TARGET_LAYOUT, "_Py_DebugOffsets is of version %#llx",
				       (unsigned long long)w[W_VERSION]);
		if (w[W_FREE_THREADED])
			return err_set(ERR_UNSUPPORTED_PYTHON, "a free-threaded build");
		if (w[W_RUNTIME_SIZE] > SIZE_MAX_SANE || w[W_INTERP_SIZE] > SIZE_MAX_SANE)
			return err_set(ERR_TARGET_LAYOUT, "_Py_DebugOffsets has senseless sizes");
		return 1;
	}
	return 0;
}

static ev_u16 *field_of(struct ctrec_layout *l, size_t field)
{
	return (ev_u16 *)((char *)l + field);
}

static int refuse(const struct word *word, uint64_t says, unsigned want)
{
	return err_set(ERR_TARGET_LAYOUT, "%s is %llu, not %u, says _Py_DebugOffsets", word->name,
		       (unsigned long long)says, want);
}

int debug_offsets_take(struct target *t, const struct python_info *info, struct ctrec_layout *l)
{
	uint64_t w[WORDS_MAX];
	const struct word *words;
	unsigned main_after_head = l->runtime_interpreters_main - l->runtime_interpreters_head;
	int r = read_words(t, info, l->python, &words, w);

	for (const struct word *word = words; r == 1 && word->name; word++) {
		ev_u16 *field = field_of(l, word->field);
		uint64_t says = w[word->at];

		if (!word->bound)
			continue;
		if (says % 8 || says > UINT16_MAX - 8 || says + 8 > w[word->bound])
			return refuse(word, says, *field);
		*field = says;
	}
	if (r == 1)
		l->runtime_interpreters_main = l->runtime_interpreters_head + main_after_head;
	return r < 0 ? r : 0;
}

int debug_offsets_check(struct target *t, const struct python_info *info, const struct ctrec_layout *l)
{
	uint64_t w[WORDS_MAX];
	const struct word *words;
	struct ctrec_layout copy = *l;
	int r = read_words(t, info, l->python, &words, w);

	for (const struct word *word = words; r == 1 && word->name; word++)
		if (w[word->at] != *field_of(&copy, word->field))
			return refuse(word, w[word->at], *field_of(&copy, word->field));
	return r < 0 ? r : 0;
}
