/* SPDX-License-Identifier: MIT */
/*
 * map.c: the system calls in the target that map the page.
 *
 * The target makes a memfd, we take it (pidfd_getfd), write the text, set the
 * size and seal it so that no one can shrink it under our mapping, then the
 * target maps it. A daemon that dies half-way leaves a mapping or a descriptor
 * behind, nothing that runs.
 *
 * A thread that waits in the kernel runs all calls in one stop. One that computes would
 * have to get a processor twice for each call while we hold it, so it is let go
 * with each call and finds back by itself; what the call did shows in /proc, and
 * once the text is mapped in the page itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <dirent.h>
#include <linux/memfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "page/fault.h"
#include "page/inject_private.h"
#include "target/maps.h"
#include "util/err.h"
#include "util/io.h"

#define THREADS_TRIED 16 /* threads asked before we give up */
#define CALL_NS 2000000000ull /* for a thread to come to run, once let go */
#define PENDING 0xfeedfacefeedfaceull /* no result yet */
#define ROUNDS 1000
#define ROUND_NS 1000000
#define TEXT_PROT (PROT_READ | PROT_EXEC)
#define DATA_PROT (PROT_READ | PROT_WRITE)

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

	if (remote_write(r->t->pid, r->text, PAGE_NAME, sizeof(PAGE_NAME)) < 0)
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

/* ---- one call, one stop ---- */

struct call {
	long nr;
	uint64_t args[6];
	const char *text; /* a string for args[0], or NULL */
	bool stub;	  /* the page's text is there: the result is written into the page */
	long ret;
	bool known;	  /* ret is there already; else what the call did has to be looked for */
};

static uint64_t result_at(const struct page *p)
{
	return p->base + PAGE_ARMING + offsetof(struct page_arming, result);
}

/* By a stopped thread, which is let go. */
static int call_by(struct page *p, struct tracee *t, struct call *c)
{
	const uint64_t none = PENDING;
	struct remote r;
	int rc = remote_begin(&r, t, &p->g), ended;

	if (rc == 0 && c->text) {
		c->args[0] = r.text;
		rc = remote_write(t->pid, r.text, c->text, strlen(c->text) + 1);
	}
	if (rc < 0)
		return rc;
	if (remote_can_leave(&r)) {
		if (c->stub && remote_write(t->pid, result_at(p), &none, sizeof(none)) < 0)
			return err_set(ERR_TARGET_GONE, "process %d", (int)t->pid);
		return remote_leave_syscall(&r, c->stub ? p->base + PAGE_STUB : 0, c->nr, c->args,
					    result_at(p));
	}
	rc = remote_syscall(&r, &c->ret, c->nr, c->args);
	c->known = true;
	ended = remote_end(&r);
	return rc < 0 ? rc : ended;
}

/* Waits for the result in the page. */
static int wait_result(struct page *p, struct call *c)
{
	uint64_t until = io_now_ns() + CALL_NS, ret = PENDING;
	struct timespec between = { .tv_nsec = 20000 };

	while (page_read(p, result_at(p), &ret, sizeof(ret)) == 0) {
		if (ret != PENDING) {
			c->ret = ret;
			c->known = true;
			return 0;
		}
		if (io_now_ns() > until)
			return err_set(ERR_BUSY, "process %d does not run", (int)p->t->pid);
		nanosleep(&between, NULL);
	}
	return err_set(ERR_TARGET_GONE, "process %d", (int)p->t->pid);
}

/* By a thread that computes, if there is one now. */
static int call_once(struct page *p, struct call *c)
{
	pid_t tids[THREADS_MAX];
	int n = list_threads(p, tids, THREADS_MAX), rc = n < 0 ? n : -ERR_TARGET_MEMORY;

	c->known = false;
	for (int i = 0; i < n && i < THREADS_TRIED && (rc == -ERR_TARGET_GONE || rc == -ERR_TARGET_MEMORY); i++) {
		struct tracee t;
		uint64_t begun;

		rc = tracee_seize(&t, p->t->pid, tids[i], PTRACE_O_TRACESYSGOOD);
		if (rc < 0)
			continue;
		begun = io_now_ns();
		rc = tracee_interrupt(&t);
		if (rc == 0)
			rc = tracee_wait_stop(&t, begun + TRACEE_STOP_NS);
		if (rc == 0)
			rc = call_by(p, &t, c);
		tracee_detach(&t);
		page_count_stop(p, io_now_ns() - begun);
	}
	if (rc == 0 && c->stub && !c->known)
		rc = wait_result(p, c);
	return rc;
}

static int call(struct page *p, struct call *c)
{
	struct timespec between = { .tv_nsec = ROUND_NS };
	int rc = call_once(p, c);

	for (int i = 0; rc == -ERR_TARGET_MEMORY && i < ROUNDS; i++) {
		nanosleep(&between, NULL);
		rc = call_once(p, c);
	}
	return rc;
}

/* ---- what a call did, where it could not tell ---- */

/* The target's descriptor of a memfd; -1: there is none. */
static int find_fd(pid_t pid, const char *name)
{
	char path[300], link[128], want[128];
	struct dirent *e;
	int fd = -1;
	DIR *dir;

	snprintf(want, sizeof(want), "/memfd:%s (deleted)", name);
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	while (dir && fd < 0 && (e = readdir(dir))) {
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/%d/fd/%s", (int)pid, e->d_name);
		n = readlink(path, link, sizeof(link) - 1);
		link[n < 0 ? 0 : n] = 0;
		if (strcmp(link, want) == 0)
			fd = atoi(e->d_name);
	}
	if (dir)
		closedir(dir);
	return fd;
}

/* The mapping of the whole memfd, or (at: its base) whether what follows the text is anonymous by now. */
static uint64_t find_mapping(pid_t pid, const char *name, size_t len, uint64_t at)
{
	struct maps maps;
	char want[128];
	uint64_t found = 0;

	snprintf(want, sizeof(want), "/memfd:%s (deleted)", name);
	if (maps_read(&maps, pid) < 0)
		return 0;
	for (size_t i = 0; i < maps.n && !found; i++) {
		const struct mapping *m = &maps.m[i];

		if (at ? m->start == at + PAGE_ALIVE && m->end == at + PAGE_DATA && !m->ino :
			 !m->offset && m->end - m->start == len && strcmp(m->path, want) == 0)
			found = m->start;
	}
	maps_deinit(&maps);
	return found;
}

/* Waits for one of these. at, len as above; len 0: for the descriptor. */
static int wait_seen(struct page *p, const char *name, size_t len, uint64_t at, uint64_t *found)
{
	uint64_t until = io_now_ns() + CALL_NS;
	struct timespec between = { .tv_nsec = 50000 };

	for (;;) {
		int fd = len ? -1 : find_fd(p->t->pid, name);

		*found = len ? find_mapping(p->t->pid, name, len, at) : (uint64_t)fd;
		if (len ? *found != 0 : fd >= 0)
			return 0;
		if (tracee_state(p->t->pid, p->t->pid) == 0)
			return err_set(ERR_TARGET_GONE, "process %d", (int)p->t->pid);
		if (io_now_ns() > until)
			return err_set(ERR_IO, "process %d can't map the page (memory, or a limit)", (int)p->t->pid);
		nanosleep(&between, NULL);
	}
}

/* ---- the page, call by call ---- */

static int checked(int rc, const struct call *c, const char *what)
{
	if (rc == 0 && c->known && c->ret < 0 && c->ret > -4096)
		return remote_failed(c->ret, what);
	return rc;
}

/* The text, with the whole range reserved behind it, and the anonymous part. */
static int quick_new(struct page *p, const char *name, int remote_fd)
{
	const size_t len = PAGE_DATA + p->data_size;
	struct call text = { SYS_mmap, { 0, len, TEXT_PROT, MAP_PRIVATE | MAP_NORESERVE, remote_fd, 0 }, .stub = false };
	struct call anon = { SYS_mmap, { 0, PAGE_DATA - PAGE_ALIVE, DATA_PROT,
					 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0 }, .stub = false };
	struct call wipe = { SYS_madvise, { 0, 4096, MADV_WIPEONFORK }, .stub = true };
	uint64_t base = 0, seen;
	int rc = checked(call(p, &text), &text, "mmap");

	if (rc == 0 && text.known)
		base = text.ret;
	else if (rc == 0)
		rc = wait_seen(p, name, len, 0, &base);
	fault_point("map-reserved");
	anon.args[0] = wipe.args[0] = base + PAGE_ALIVE;
	if (rc == 0)
		rc = checked(call(p, &anon), &anon, "mmap");
	if (rc == 0 && !anon.known)
		rc = wait_seen(p, name, len, base, &seen);
	if (rc < 0)
		return rc;
	p->base = base;
	return checked(call(p, &wipe), &wipe, "madvise(MADV_WIPEONFORK)");
}

static int map_quick(struct page *p, uint64_t base)
{
	char name[64];
	struct call memfd = { SYS_memfd_create, { 0, MFD_CLOEXEC | MFD_ALLOW_SEALING }, .text = name };
	struct call data = { SYS_mmap, { 0, p->data_size, DATA_PROT, MAP_SHARED | MAP_FIXED, 0, PAGE_DATA },
			     .stub = true };
	struct call end = { SYS_close, { 0 }, .stub = true };
	_cleanup_fd_ int fd = -1;
	uint64_t remote_fd = 0;
	int rc;

	/* a name of its own, as it is found by it */
	snprintf(name, sizeof(name), PAGE_NAME ".%x.%" PRIx64, (unsigned)getpid(), io_now_ns());
	rc = checked(call(p, &memfd), &memfd, "memfd_create");
	if (rc == 0 && memfd.known)
		remote_fd = memfd.ret;
	else if (rc == 0)
		rc = wait_seen(p, name, 0, 0, &remote_fd);
	fault_point("map-memfd");
	if (rc < 0)
		return rc;
	fd = take_fd(p, remote_fd);
	rc = fd < 0 ? fd : fill_memfd(p, fd);
	if (rc == 0 && !base)
		rc = quick_new(p, name, remote_fd);
	else if (rc == 0)
		p->base = base;
	data.args[0] = p->base + PAGE_DATA;
	data.args[4] = end.args[0] = remote_fd;
	if (rc == 0)
		rc = checked(call(p, &data), &data, "mmap");
	fault_point("map-data");
	end.stub = p->base != 0;
	call(p, &end); /* a descriptor left open there is no reason to fail */
	return rc;
}

/* ---- which way ---- */

/* Is the first thread that we would take one that computes? */
static bool computes(struct page *p)
{
	pid_t tids[THREADS_MAX];

	return p->g.returns && p->g.sigreturn && list_threads(p, tids, THREADS_MAX) > 0 &&
	       tracee_state(p->t->pid, tids[0]) == 'R';
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

int map_page(struct page *p, struct tracee *stopped, uint64_t base)
{
	bool again;

	if (stopped)
		return map_by(p, stopped, base, &again);
	return computes(p) ? map_quick(p, base) : map_by_any(p, base);
}
