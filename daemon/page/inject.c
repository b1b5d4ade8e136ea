/* SPDX-License-Identifier: MIT */
/*
 * inject.c: the page mapped into a live process.
 *
 * The target makes a memfd, we take it (pidfd_getfd), write the text, set the
 * size and seal it so that no one can shrink it under our mapping, then the
 * target maps it: a reservation first, the pieces into it. A daemon that dies
 * half-way leaves a reservation or a descriptor behind, nothing that runs.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "page/fault.h"
#include "page/inject_private.h"
#include "target/elf.h"
#include "target/maps.h"
#include "util/err.h"
#include "util/io.h"

#define NAME "ctrec-page"
#define DATA_MOST (1ull << 32)
#define THREADS_TRIED 16 /* threads asked before page_map() gives up */

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
		    strncmp(m->path, "/memfd:" NAME, strlen("/memfd:" NAME)) != 0)
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

static int remote_failed(long ret, const char *what)
{
	errno = -ret;
	return err_set(ret == -EPERM || ret == -EACCES ? ERR_NO_PRIVILEGE :
		       ret == -ENOMEM ? ERR_NOMEM : ERR_IO, "%s in the target: %m", what);
}

/* As mmap(2) there; the address must be the one asked for, if one was. */
static int remote_mmap(struct remote *r, uint64_t *at, size_t len, int prot, int flags, int fd, uint64_t offset)
{
	const uint64_t args[6] = { *at, len, prot, flags, fd, offset };
	long ret;
	int rc = remote_syscall(r, &ret, SYS_mmap, args);

	if (rc < 0)
		return rc;
	if (ret < 0 && ret > -4096)
		return remote_failed(ret, "mmap");
	if (flags & MAP_FIXED && (uint64_t)ret != *at)
		return err_set(ERR_TARGET_LAYOUT, "mmap gave another address");
	*at = ret;
	return 0;
}

static int remote_memfd(struct remote *r, int *fd)
{
	uint64_t args[6] = { r->text, MFD_CLOEXEC | MFD_ALLOW_SEALING };
	long ret;
	int rc;

	if (remote_write(r->t->pid, r->text, NAME, sizeof(NAME)) < 0)
		return err_set(ERR_TARGET_MEMORY, "stack of thread %d", (int)r->t->tid);
	rc = remote_syscall(r, &ret, SYS_memfd_create, args);
	if (rc == 0 && ret == -EACCES) { /* vm.memfd_noexec=2 asks for MFD_NOEXEC_SEAL */
		args[1] |= 8;
		rc = remote_syscall(r, &ret, SYS_memfd_create, args);
	}
	if (rc < 0)
		return rc;
	if (ret < 0)
		return remote_failed(ret, "memfd_create");
	*fd = ret;
	return 0;
}

/* The target's descriptor as one of ours. */
static int take_fd(struct page *p, int remote_fd)
{
	char path[64];
	int fd = syscall(SYS_pidfd_getfd, p->t->pidfd, remote_fd, 0);

	if (fd >= 0)
		return fd;
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)p->t->pid, remote_fd);
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd < 0 ? err_set(ERR_NO_PRIVILEGE, "%s: %m", path) : fd;
}

/* Text, size and seals; the data mapped here. */
static int fill_memfd(struct page *p, int fd)
{
	void *data;

	if (pwrite(fd, p->text, PAGE_TEXT, 0) != PAGE_TEXT ||
	    ftruncate(fd, (off_t)(PAGE_DATA + p->data_size)) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return err_set(ERR_IO, "the page's memory: %m");
	data = mmap(NULL, p->data_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, PAGE_DATA);
	if (data == MAP_FAILED)
		return err_set(ERR_NOMEM, "%zu bytes of shared data: %m", p->data_size);
	if (p->data)
		munmap(p->data, p->data_size);
	p->data = data;
	return 0;
}

static int map_new(struct page *p, struct remote *r, int fd)
{
	const size_t anon = PAGE_DATA - PAGE_ALIVE;
	uint64_t base = 0, at;
	long ret;
	int rc = remote_mmap(r, &base, PAGE_DATA + p->data_size, PROT_NONE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	fault_point("map-reserved");
	at = base;
	if (rc == 0)
		rc = remote_mmap(r, &at, PAGE_TEXT, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd, 0);
	at = base + PAGE_ALIVE;
	if (rc == 0)
		rc = remote_mmap(r, &at, anon, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	if (rc == 0)
		rc = remote_syscall(r, &ret, SYS_madvise,
				    (uint64_t[6]){ base + PAGE_ALIVE, 4096, MADV_WIPEONFORK });
	if (rc == 0 && ret < 0)
		rc = remote_failed(ret, "madvise(MADV_WIPEONFORK)");
	if (rc == 0)
		p->base = base;
	return rc;
}

/* What the diverted thread does. base: of a page to take over, or 0. */
static int map_in(struct page *p, struct remote *r, uint64_t base)
{
	_cleanup_fd_ int fd = -1;
	int remote_fd = -1, rc = remote_memfd(r, &remote_fd), closed;
	uint64_t at;
	long ret;

	fault_point("map-memfd");
	if (rc < 0)
		return rc;
	fd = take_fd(p, remote_fd);
	rc = fd < 0 ? fd : fill_memfd(p, fd);
	if (rc == 0 && !base)
		rc = map_new(p, r, remote_fd);
	else if (rc == 0)
		p->base = base;
	at = p->base + PAGE_DATA;
	if (rc == 0)
		rc = remote_mmap(r, &at, p->data_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
				 remote_fd, PAGE_DATA);
	fault_point("map-data");
	closed = remote_syscall(r, &ret, SYS_close, (uint64_t[6]){ remote_fd });
	return rc < 0 ? rc : closed;
}

/* Everything in a stopped thread. 0, or an error; *again: another thread may do better. */
static int map_by(struct page *p, struct tracee *t, uint64_t base, bool *again)
{
	struct remote r;
	int rc = remote_begin(&r, t, &p->g), ended;

	*again = rc == -ERR_TARGET_MEMORY;
	if (rc < 0)
		return rc;
	rc = map_in(p, &r, base);
	*again = rc == -ERR_TARGET_MEMORY;
	ended = remote_end(&r);
	return rc < 0 ? rc : ended;
}

/* Running threads first: a wait that gives EINTR after a stop is left alone if possible. */
static int list_threads(struct page *p, pid_t *tids, unsigned max)
{
	int n = tracee_list(p->t->pid, tids, max), front = 0;

	for (int i = 0; i < n; i++)
		if (tracee_state(p->t->pid, tids[i]) == 'R') {
			pid_t tid = tids[i];

			tids[i] = tids[front];
			tids[front++] = tid;
		}
	return n;
}

static int map_by_any(struct page *p, uint64_t base)
{
	pid_t tids[THREADS_MAX];
	int n = list_threads(p, tids, THREADS_MAX);
	int rc = n < 0 ? n : err_set(ERR_TARGET_GONE, "process %d", (int)p->t->pid);

	for (int i = 0; i < n && i < THREADS_TRIED; i++) {
		struct tracee t;
		bool again = true;
		uint64_t begun;

		rc = tracee_seize(&t, p->t->pid, tids[i], PTRACE_O_TRACESYSGOOD);
		if (rc == -ERR_TARGET_GONE)
			continue;
		if (rc < 0)
			break;
		begun = io_now_ns();
		rc = tracee_interrupt(&t);
		if (rc == 0)
			rc = tracee_wait_stop(&t, begun + TRACEE_STOP_NS / 4);
		if (rc == 0)
			rc = map_by(p, &t, base, &again);
		tracee_detach(&t);
		if (rc == 0)
			page_count_stop(p, io_now_ns() - begun);
		if (rc == 0 || !again)
			break;
	}
	return rc;
}

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
	bool again;
	int rc;

	p->base = 0;
	rc = stopped ? map_by(p, stopped, base, &again) : map_by_any(p, base);
	if (rc == 0)
		rc = fill_arming(p, !base);
	if (rc < 0)
		return rc;
	return base ? 1 : 0;
}
