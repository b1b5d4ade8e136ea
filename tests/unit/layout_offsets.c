/* SPDX-License-Identifier: MIT */
/*
 * layout_offsets.c: a version's table against that version's own headers.
 *
 * Built once for each CPython whose headers are at hand (tests/tests.mk); each
 * field is compared with what offsetof says. With an argument it prints the
 * table instead, for daemon/python/layout_tables.c. A few structs are private to
 * .c files of CPython and are mirrored here.
 */
#define Py_BUILD_CORE 1
#include <Python.h>

#define V (PY_VERSION_HEX >> 16 & 255)
#if PY_MAJOR_VERSION != 3
#error "headers of CPython 3"
#endif

#include <structmember.h>
#if V < 11
#include <frameobject.h>
#include <internal/pycore_pystate.h>
#endif
#if V > 8
#include <internal/pycore_interp.h>
#include <internal/pycore_runtime.h>
#endif
#if V > 9
#include <internal/pycore_moduleobject.h>
#endif
#if V > 10
#include <internal/pycore_code.h>
#include <internal/pycore_dict.h>
#include <internal/pycore_frame.h>
#endif
#if V > 13
#include <internal/pycore_genobject.h>
#include <internal/pycore_interpframe.h>
#include <internal/pycore_stackref.h>
#endif

/* libelf's and CPython's names do not meet: only the layout is taken from ctrec. */
#include "ctrec/layout.h"

const struct ctrec_layout *python_layout(unsigned version);

/* Objects/rangeobject.c */
struct range_mirror {
	PyObject_HEAD
	PyObject *start, *stop, *step, *length;
};

#if V < 10 /* Objects/moduleobject.c */
typedef struct {
	PyObject_HEAD
	PyObject *md_dict;
	struct PyModuleDef *md_def;
	void *md_state;
	PyObject *md_weaklist;
	PyObject *md_name;
} PyModuleObject;
#endif

#if V < 11 /* Objects/dict-common.h */
struct _dictkeysobject {
	Py_ssize_t dk_refcnt, dk_size;
	void *dk_lookup;
	Py_ssize_t dk_usable, dk_nentries;
	char dk_indices[];
};
#endif

#define F(field, value)                                                                            \
	{ #field, offsetof(struct ctrec_layout, field), sizeof(((struct ctrec_layout *)0)->field), \
	  (unsigned)(value), NULL }
/* a shape, shown by its name */
#define K(field, name)                                                                             \
	{ #field, offsetof(struct ctrec_layout, field), sizeof(((struct ctrec_layout *)0)->field), \
	  name, #name }
#define O(type, member) offsetof(type, member)
#if V < 11
#define FRAME PyFrameObject
#else
#define FRAME _PyInterpreterFrame
#endif

static struct {
	const char *name;
	size_t at, size;
	unsigned value;
	const char *text;
} entry[] = {
	F(python, PY_VERSION_HEX >> 16),
#include "layout_entries.h"
};

/* Every byte of the struct belongs to a field of the list. */
static unsigned uncovered(void)
{
	unsigned char seen[sizeof(struct ctrec_layout)] = { 0 };
	unsigned n = 0;

	for (size_t i = 0; i < sizeof(entry) / sizeof(entry[0]); i++)
		memset(seen + entry[i].at, 1, entry[i].size);
	for (size_t i = 0; i < sizeof(seen); i++)
		n += !seen[i];
	if (n >= _Alignof(struct ctrec_layout))
		printf("the list leaves %u bytes of the struct out\n", n);
	return n >= _Alignof(struct ctrec_layout);
}

/* Where the bits of a str's state lie. */
static void bits(void)
{
	PyASCIIObject kind = { 0 }, compact = { 0 }, ascii = { 0 };
	const struct { const char *name; const void *state; } field[] = {
		{ "str_kind_shift", &kind.state }, { "str_compact_shift", &compact.state },
		{ "str_ascii_shift", &ascii.state },
	};

	kind.state.kind = 1;
	compact.state.compact = 1;
	ascii.state.ascii = 1;
	for (size_t i = 0; i < sizeof(entry) / sizeof(entry[0]); i++)
		for (int k = 0; k < 3; k++)
			if (strcmp(entry[i].name, field[k].name) == 0)
				entry[i].value = __builtin_ctz(*(const unsigned *)field[k].state);
}

static void print_table(void)
{
	int column = 0;

	printf("static const struct ctrec_layout python_3_%d = {\n", V);
	for (size_t i = 0; i < sizeof(entry) / sizeof(entry[0]); i++) {
		char text[96];
		int n;

		if (entry[i].text)
			n = snprintf(text, sizeof(text), ".%s = %s,", entry[i].name, entry[i].text);
		else
			n = snprintf(text, sizeof(text), ".%s = %u,", entry[i].name, entry[i].value);
		if (!entry[i].value)
			continue;
		if (i == 0)
			n = snprintf(text, sizeof(text), ".python = 3 << 8 | %d,", V);
		if (column && column + 1 + n > 91) {
			printf("\n");
			column = 0;
		}
		printf("%s%s", column ? " " : "\t", text);
		column += n + 1;
	}
	printf("\n};\n");
}

/* What python_layout_live() finds out of a process, since bug-fix releases move it. */
static int may_move(const char *name)
{
	return (V > 11 && strcmp(name, "runtime_small_ints") == 0) ||
	       (V > 12 && (strncmp(name, "runtime_", 8) == 0 || strncmp(name, "interp_", 7) == 0));
}

int main(int argc, char **argv)
{
	const struct ctrec_layout *l = python_layout(PY_VERSION_HEX >> 16);
	size_t n = sizeof(entry) / sizeof(entry[0]);
	unsigned wrong = uncovered();

	(void)argv;
	bits();
	if (argc > 1) {
		print_table();
		return 0;
	}
	for (size_t i = 0; l && i < n; i++) {
		unsigned has = 0;

		memcpy(&has, (const char *)l + entry[i].at, entry[i].size);
		if (has == entry[i].value)
			continue;
		printf("%s is %u, the headers say %u%s\n", entry[i].name, has, entry[i].value,
		       may_move(entry[i].name) ? " (taken from the process)" : "");
		wrong += !may_move(entry[i].name);
	}
	printf("layout " PY_VERSION ": %zu fields, %u wrong%s\n", n, wrong, l ? "" : ", no table");
	return !l || wrong;
}
