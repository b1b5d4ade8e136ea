/* SPDX-License-Identifier: MIT */
/*
 * find.c: is there a CPython in this process, which one, and where are its parts.
 *
 * Only ELF facts count: everything comes from the file that is mapped, so it
 * holds right after exec, before the loader or the interpreter ran a single
 * instruction. A module is a CPython when it defines _PyRuntime (3.7 and later)
 * or, so that it can be refused by name, PyEval_EvalFrameEx; the program itself
 * is asked first, then libraries and programs called after Python (an interpreter
 * run through the loader by name is such a one).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctrec/layout.h"
#include "python/version.h"
#include "target/elf.h"
#include "target/maps.h"
#include "util/err.h"

#define CANDIDATES_MAX 16 /* files of a telling name that are looked into */

enum want {
	W_Runtime = CS_MAX, W_Version, W_RunMain, W_AfterForkChild, W_RefTotal,
	W_NegativeRefcount, W_AllObjects, W_DecRefShared, W_EvalFrameEx, W_MAX
};

static const char *const wanted[W_MAX] = {
	[CS_None] = "_Py_NoneStruct", [CS_True] = "_Py_TrueStruct",
	[CS_False] = "_Py_FalseStruct", [CS_Ellipsis] = "_Py_EllipsisObject",
	[CS_NotImplemented] = "_Py_NotImplementedStruct", [CS_setdummy] = "_PySet_Dummy",
	[CS_long] = "PyLong_Type", [CS_bool] = "PyBool_Type", [CS_float] = "PyFloat_Type",
	[CS_complex] = "PyComplex_Type", [CS_str] = "PyUnicode_Type",
	[CS_bytes] = "PyBytes_Type", [CS_bytearray] = "PyByteArray_Type",
	[CS_list] = "PyList_Type", [CS_tuple] = "PyTuple_Type", [CS_dict] = "PyDict_Type",
	[CS_set] = "PySet_Type", [CS_frozenset] = "PyFrozenSet_Type",
	[CS_range] = "PyRange_Type", [CS_slice] = "PySlice_Type", [CS_cell] = "PyCell_Type",
	[CS_function] = "PyFunction_Type", [CS_method] = "PyMethod_Type",
	[CS_cfunction] = "PyCFunction_Type", [CS_module] = "PyModule_Type",
	[CS_code] = "PyCode_Type", [CS_generator] = "PyGen_Type",
	[CS_coroutine] = "PyCoro_Type", [CS_asyncgen] = "PyAsyncGen_Type",
	[CS_type] = "PyType_Type", [CS_object] = "PyBaseObject_Type",
	[W_Runtime] = "_PyRuntime", [W_Version] = "Py_Version", [W_RunMain] = "Py_RunMain",
	[W_AfterForkChild] = "PyOS_AfterFork_Child", [W_RefTotal] = "_Py_RefTotal",
	[W_NegativeRefcount] = "_Py_NegativeRefcount",
	[W_AllObjects] = "_Py_AddToAllObjects", [W_DecRefShared] = "_Py_DecRefShared",
	[W_EvalFrameEx] = "PyEval_EvalFrameEx",
};
_Static_assert(CS_MAX <= 64, "python_info.statics");

struct found {
	uint64_t addr[W_MAX]; /* as in the file's headers */
};

static int take_symbol(void *ctx, const char *name, const GElf_Sym *sym)
{
	struct found *f = ctx;

	if (strncmp(name, "Py", 2) != 0 && strncmp(name, "_Py", 3) != 0)
		return 0;
	for (int i = 0; i < W_MAX; i++)
		if (wanted[i] && !f->addr[i] && strcmp(name, wanted[i]) == 0)
			f->addr[i] = sym->st_value;
	return 0;
}

static void take_probe(void *ctx, const char *name, const struct usdt *probe)
{
	struct python_info *info = ctx;

	if (strcmp(name, "line") == 0 && info->nline < 8)
		info->line[info->nline++] = *probe;
	else if (strcmp(name, "function__entry") == 0 && info->nentry < 8)
		info->entry[info->nentry++] = *probe;
	else if (strcmp(name, "function__return") == 0 && info->nret < 8)
		info->ret[info->nret++] = *probe;
}

/* The pointer variable's value: from a relocation, else as it stands in the file. */
static uint64_t pointer_value(const struct elf *elf, uint64_t addr, uint64_t bias)
{
	uint64_t value = 0;

	if (!addr)
		return 0;
	if (elf_relative(elf, addr, &value))
		return value + bias;
	if (elf->type != ET_EXEC || !elf_read(elf, addr, &value, sizeof(value)))
		return 0;
	return value;
}

/* From 3.13 _PyRuntime opens with a table for debuggers, static data in the file. */
static int says_free_threaded(const struct elf *elf, uint64_t runtime)
{
	struct { char cookie[8]; uint64_t version, free_threaded; } head;

	return elf_read(elf, runtime, &head, sizeof(head)) &&
	       memcmp(head.cookie, "xdebugpy", 8) == 0 && head.free_threaded;
}

static void fill(struct python_info *info, const struct elf *elf, const struct found *f)
{
	uint64_t bias = info->exe.bias;
	uint32_t hex = 0;

	info->runtime = f->addr[W_Runtime] ? f->addr[W_Runtime] + bias : 0;
	for (int i = 0; i < CS_MAX; i++)
		info->statics[i] = f->addr[i] ? f->addr[i] + bias : 0;
	info->statics[CS_setdummy] = pointer_value(elf, f->addr[CS_setdummy], bias);
	info->run_main_offset = f->addr[W_RunMain] ? elf_offset(elf, f->addr[W_RunMain]) : 0;
	if (f->addr[W_AfterForkChild])
		info->after_fork_child_offset = elf_offset(elf, f->addr[W_AfterForkChild]);
	if (f->addr[W_Version] && elf_read(elf, f->addr[W_Version], &hex, sizeof(hex)))
		python_version_hex(info, hex);
	else
		python_version_guess(info, elf);
	info->debug_build = f->addr[W_RefTotal] || f->addr[W_NegativeRefcount] ||
			    f->addr[W_AllObjects];
	info->free_threaded = f->addr[W_DecRefShared] ||
			      says_free_threaded(elf, f->addr[W_Runtime]);
	elf_usdt(elf, "python", bias, take_probe, info);
	info->has_usdt = info->nline && info->nentry && info->nret;
}

/* Takes over fd. 1: this file is a CPython, info is filled. */
static int try_file(struct python_info *info, int fd, const struct mapping *m)
{
	struct found f = { 0 };
	struct elf elf;
	int found = 0;

	if (fd < 0)
		return 0;
	if (elf_file_open(&elf, fd)) {
		elf_symbols(&elf, SHT_DYNSYM, take_symbol, &f);
		if (f.addr[W_Runtime] && !f.addr[W_RunMain])
			elf_symbols(&elf, SHT_SYMTAB, take_symbol, &f);
		found = (f.addr[W_Runtime] || f.addr[W_EvalFrameEx]) &&
			elf_bias(&elf, m->start, m->offset, &info->exe.bias);
		if (found) {
			size_t n = strnlen(m->path, sizeof(info->exe.path) - 1);

			memcpy(info->exe.path, m->path, n);
			info->exe.dev = m->dev;
			info->exe.ino = m->ino;
			info->exe.fd = fd;
			fill(info, &elf, &f);
		}
		elf_file_close(&elf);
	}
	if (!found)
		close(fd);
	return found;
}

/* The executable mapping of a file that is open, or NULL. */
static const struct mapping *mapping_of(const struct maps *maps, int fd, const char *exe)
{
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return NULL;
	for (size_t i = 0; i < maps->n; i++) {
		const struct mapping *m = &maps->m[i];

		/* some file systems show another device in the maps than stat gives */
		if (m->exec && m->ino == (uint64_t)st.st_ino &&
		    (m->dev == (uint64_t)st.st_dev || strcmp(m->path, exe) == 0))
			return m;
	}
	return NULL;
}

static int called_python(const char *path)
{
	const char *name = strrchr(path, '/');

	name = name ? name + 1 : path;
	return strncmp(name, "libpython", 9) == 0 || strncmp(name, "python", 6) == 0;
}

static void exe_name(pid_t pid, char *to, size_t len)
{
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/exe", (int)pid);
	n = readlink(link, to, len - 1);
	to[n < 0 ? 0 : n] = 0;
}

static int find_in_maps(struct target *t, const struct maps *maps, struct python_info *info)
{
	const struct mapping *m;
	char name[4096];
	int fd = exe_open(t->pid);

	exe_name(t->pid, name, sizeof(name));
	m = mapping_of(maps, fd, name);
	if (m) {
		if (try_file(info, fd, m))
			return 1;
	} else if (fd >= 0) {
		close(fd);
	}
	for (size_t i = 0, tried = 0; i < maps->n && tried < CANDIDATES_MAX; i++) {
		m = &maps->m[i];
		if (!m->exec || !m->ino || !called_python(m->path))
			continue;
		if (try_file(info, mapping_open(t->pid, m), m))
			return 1;
		tried++;
	}
	return 0;
}

int python_find(struct target *t, struct python_info *info)
{
	struct maps maps;
	int r;

	memset(info, 0, sizeof(*info));
	info->exe.fd = -1;
	r = maps_read(&maps, t->pid);
	if (r < 0)
		return r;
	r = find_in_maps(t, &maps, info);
	maps_deinit(&maps);
	return r;
}

void python_info_deinit(struct python_info *info)
{
	if (info->exe.fd >= 0)
		close(info->exe.fd);
	info->exe.fd = -1;
}

int exe_entry(struct target *t, uint64_t *file_offset, int *fd)
{
	struct elf elf;

	*fd = exe_open(t->pid);
	if (*fd < 0)
		return err_set(errno == EACCES ? ERR_NO_PRIVILEGE : ERR_TARGET_GONE,
			       "program of process %d: %m", (int)t->pid);
	*file_offset = 0;
	if (elf_file_open(&elf, *fd)) {
		*file_offset = elf_offset(&elf, elf.entry);
		elf_file_close(&elf);
	}
	if (*file_offset)
		return 0;
	close(*fd);
	*fd = -1;
	return err_set(ERR_NOT_PYTHON, "process %d is no 64-bit ELF program", (int)t->pid);
}
