/* SPDX-License-Identifier: MIT */
/*
 * gadgets.c: a system call instruction and the signal restorer, in what the target has mapped.
 *
 * glibc and musl both have `mov $15,%rax; syscall` (sa_restorer), and functions
 * that end in `syscall; ret`. The vdso is the last choice: its fallbacks have the
 * instruction, but a `ret` of another frame behind it.
 */
#include <stdlib.h>
#include <string.h>

#include "page/remote.h"
#include "target/maps.h"
#include "util/err.h"

#define TEXT_MOST (8u << 20) /* bytes of one mapping that are looked at */

static const uint8_t syscall_ret[] = { 0x0f, 0x05, 0xc3 };
/* Signal unwinders know the restorer by these very bytes. */
static const uint8_t restorer[] = { 0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05 };

static uint64_t find(const uint8_t *text, size_t n, const uint8_t *what, size_t len, uint64_t start)
{
	const uint8_t *at = memmem(text, n, what, len);

	return at ? start + (at - text) : 0;
}

static void look(struct gadgets *g, struct target *t, const struct mapping *m)
{
	size_t n = m->end - m->start < TEXT_MOST ? m->end - m->start : TEXT_MOST;
	uint8_t *text = malloc(n);
	uint64_t at;

	if (text && t->mem.read(&t->mem, (remote_t){ m->start }, text, n) == 0) {
		if (!g->sigreturn)
			g->sigreturn = find(text, n, restorer, sizeof(restorer), m->start);
		at = g->returns ? 0 : find(text, n, syscall_ret, 3, m->start);
		if (at) {
			g->syscall = at;
			g->returns = true;
		} else if (!g->syscall) {
			g->syscall = find(text, n, syscall_ret, 2, m->start);
		}
	}
	free(text);
}

static bool is_libc(const char *path)
{
	const char *name = strrchr(path, '/');

	return name && (strncmp(name, "/libc", 5) == 0 || strncmp(name, "/ld-", 4) == 0);
}

int gadgets_find(struct gadgets *g, struct target *t)
{
	struct maps maps;
	int r = maps_read(&maps, t->pid);

	*g = (struct gadgets){ 0 };
	if (r < 0)
		return r;
	/* 0: the C library; 1: all other files; 2: the vdso */
	for (int pass = 0; pass < 3 && !(g->returns && g->sigreturn); pass++)
		for (size_t i = 0; i < maps.n && !(g->returns && g->sigreturn); i++) {
			const struct mapping *m = &maps.m[i];
			int of = m->ino ? !is_libc(m->path) : strcmp(m->path, "[vdso]") == 0 ? 2 : -1;

			if (m->exec && of == pass)
				look(g, t, m);
		}
	maps_deinit(&maps);
	if (!g->syscall)
		return err_set(ERR_TARGET_LAYOUT, "process %d has no system call instruction",
			       (int)t->pid);
	return 0;
}
