/* SPDX-License-Identifier: MIT */
/*
 * inject.c: a page for a live process: prepared, and filled once it is mapped.
 *
 * Symbols, text and addresses are prepared here, and a page that is there
 * already is found; map.c has the system calls in the target.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "page/inject_private.h"
#include "target/elf.h"
#include "target/maps.h"
#include "util/err.h"

#define DATA_MOST (1ull << 32)

/* ---- preparing ---- */

static const struct { const char *name; size_t offset; unsigned from, to; } exported[] = {
#define API(field, symbol, from, to) { symbol, offsetof(struct page, field), from, to }
	API(api.runtime, "_PyRuntime", 8, 99),
	API(api.none, "_Py_NoneStruct", 8, 99),
	API(api.current_tstate, "_PyThreadState_UncheckedGet", 8, 12),
	API(api.current_tstate, "PyThreadState_GetUnchecked", 13, 99),
	API(api.acquire_thread, "PyEval_AcquireThread", 8, 99),
	API(api.sys_get_object, "PySys_GetObject", 12, 99),
	API(api.get_attr_string, "PyObject_GetAttrString", 12, 99),
	API(api.call_method, "PyObject_CallMethod", 12, 99),
	API(api.cfunction_new, "PyCFunction_NewEx", 12, 99),
	API(api.long_as_long, "PyLong_AsLong", 12, 99),
	API(api.err_clear, "PyErr_Clear", 12, 99),
	API(api.decref, "Py_DecRef", 12, 99),
	API(add_pending_call, "_PyEval_AddPendingCall", 12, 99),
	API(eval_start, "_PyEval_EvalFrameDefault", 12, 99),
#undef API
};
#define EXPORTED (sizeof(exported) / sizeof(exported[0]))

struct wanted {
	struct page *p;
	unsigned minor;
	uint64_t bias;
};

static int take_symbol(void *ctx, const char *name, const GElf_Sym *sym)
{
	struct wanted *w = ctx;

	for (size_t i = 0; i < EXPORTED; i++) {
		uint64_t *to = (uint64_t *)((char *)w->p + exported[i].offset);

		if (w->minor < exported[i].from || w->minor > exported[i].to || *to ||
		    strcmp(name, exported[i].name) != 0)
			continue;
		*to = sym->st_value + w->bias;
		if (to == &w->p->eval_start)
			w->p->eval_end = *to + sym->st_size;
	}
	return 0;
}

static int find_symbols(struct page *p, const struct python_info *info)
{
	struct wanted w = { p, info->version & 0xff, info->exe.bias };
	struct elf elf;

	if (!elf_file_open(&elf, info->exe.fd))
		return err_set(ERR_NOT_PYTHON, "%s", info->exe.path);
	elf_symbols(&elf, SHT_DYNSYM, take_symbol, &w);
	if (!p->api.runtime)
		elf_symbols(&elf, SHT_SYMTAB, take_symbol, &w);
	elf_file_close(&elf);
	for (size_t i = 0; i < EXPORTED; i++)
		if (w.minor >= exported[i].from && w.minor <= exported[i].to &&
		    !*(uint64_t *)((char *)p + exported[i].offset))
			return err_set(ERR_TARGET_LAYOUT, "%s has no symbol %s", info->exe.path,
				       exported[i].name);
	return 0;
}

static int take_text(struct page *p, const void *text, size_t size)
{
	const struct page_entry *e = text;
	const void *stub;
	size_t len;

	stub = remote_stub(&len);
	if (size < sizeof(*e) || size > PAGE_STUB || e->magic != PAGE_MAGIC || e->size > size ||
	    e->tracefunc >= size || e->install >= size || e->uninstall >= size || len > PAGE_TEXT - PAGE_STUB)
		return err_set(ERR_USAGE, "the page's text makes no sense");
	p->text = calloc(1, PAGE_TEXT);
	if (!p->text)
		return err_set(ERR_NOMEM, "the page's text");
	memcpy(p->text, text, size);
	memcpy(p->text + PAGE_STUB, stub, len);
	p->entry = *e;
	return 0;
}

int page_new(struct page **ret, struct target *t, const struct python_info *info,
	     const struct ctrec_layout *layout, const void *text, size_t text_size, size_t data_size)
{
	struct page *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return err_set(ERR_NOMEM, "a page");
	p->t = t;
	p->l = *layout;
	p->runtime = info->runtime;
	p->data_size = (data_size + 4095) & ~4095ull;
	r = p->data_size && p->data_size <= DATA_MOST ? take_text(p, text, text_size) :
		err_set(ERR_USAGE, "%zu bytes of shared data", data_size);
	if (r == 0)
		r = find_symbols(p, info);
	if (r == 0)
		p->api.clock_gettime = page_vdso_clock(t);
	if (r == 0)
		r = gadgets_find(&p->g, t);
	if (r < 0)
		page_free(p);
	else
		*ret = p;
	return r;
}

struct page *page_free(struct page *p)
{
	if (!p)
		return NULL;
	if (p->data)
		munmap(p->data, p->data_size);
	free(p->text);
	free(p);
	return NULL;
}

void *page_data(struct page *p) { return p->data; }
uint64_t page_base(const struct page *p) { return p->base; }
const struct page_stats *page_stats(const struct page *p) { return &p->stats; }

void page_count_stop(struct page *p, uint64_t ns)
{
	p->stats.stops++;
	p->stats.last_ns = ns;
	p->stats.total_ns += ns;
	if (ns > p->stats.max_ns)
		p->stats.max_ns = ns;
}

/* ---- a page that is there already ---- */

static int same_text(struct page *p, uint64_t base)
{
	uint8_t *there = malloc(PAGE_TEXT);
	struct page_arming a;
	int same = there && page_read(p, base, there, PAGE_TEXT) == 0 &&
		   memcmp(there, p->text, PAGE_TEXT) == 0 &&
		   page_read(p, base + PAGE_ARMING, &a, sizeof(a)) == 0 && a.magic == PAGE_MAGIC;

	free(there);
	return same;
}

/* The base of a page of the same text whose data is as large; 0: none. */
static uint64_t find_mapped(struct page *p)
{
	struct maps maps;
	uint64_t found = 0;

	if (maps_read(&maps, p->t->pid) < 0)
		return 0;
	for (size_t i = 0; i < maps.n && !found; i++) {
		const struct mapping *m = &maps.m[i];

		if (!m->exec || m->offset || m->end - m->start != PAGE_TEXT ||
		    strncmp(m->path, "/memfd:" PAGE_NAME, strlen("/memfd:" PAGE_NAME)) != 0)
			continue;
		for (size_t k = i; k < maps.n && maps.m[k].start <= m->start + PAGE_DATA; k++)
			if (maps.m[k].start == m->start + PAGE_DATA && maps.m[k].offset == PAGE_DATA &&
			    maps.m[k].end - maps.m[k].start == p->data_size && same_text(p, m->start))
				found = m->start;
	}
	maps_deinit(&maps);
	return found;
}

/* ---- mapping ---- */

static int fill_arming(struct page *p, bool fresh)
{
	const struct ctrec_layout *l = &p->l;
	const struct page_arming a = {
		.api = p->api,
		.tracing = {
			.tstate_next = l->tstate_next, .tstate_interp = l->tstate_interp,
			.interp_threads_head = l->interp_threads_head, .tstate_tracing = l->tstate_tracing,
			.tstate_c_tracefunc = l->tstate_c_tracefunc,
			.tstate_use_tracing = l->tstate_use_tracing, .tstate_cframe = l->tstate_cframe,
			.cframe_use_tracing = l->cframe_use_tracing, .use_size = page_use_size(p),
			.use_value = page_use_value(p),
			.runtime_tracing_possible = l->runtime_tracing_possible,
			.interp_tracing_possible = l->interp_tracing_possible,
		},
	};
	const uint64_t alive = 1, magic = PAGE_MAGIC;
	uint64_t at = p->base + PAGE_ARMING;

	if ((fresh && remote_write(p->t->pid, at, &a, sizeof(a)) < 0) ||
	    remote_write(p->t->pid, at, &magic, sizeof(magic)) < 0 ||
	    remote_write(p->t->pid, p->base + PAGE_ALIVE, &alive, sizeof(alive)) < 0)
		return err_set(ERR_TARGET_MEMORY, "the page of process %d: %m", (int)p->t->pid);
	return 0;
}

int page_map(struct page *p, struct tracee *stopped)
{
	uint64_t base = find_mapped(p);
	int rc;

	p->base = 0;
	rc = map_page(p, stopped, base);
	if (rc == 0)
		rc = fill_arming(p, !base);
	if (rc < 0)
		return rc;
	return base ? 1 : 0;
}
