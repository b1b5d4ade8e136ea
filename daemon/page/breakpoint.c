/* SPDX-License-Identifier: MIT */
#include "page/breakpoint.h"

#include <errno.h>
#include <sys/ptrace.h>

#include "util/err.h"

#define INT3 0xccul

/* Swaps the byte at an address (text is not writable by process_vm_writev). */
static int swap_byte(const struct tracee *t, uint64_t at, uint8_t byte, uint8_t *before)
{
	uint64_t word_at = at & ~7ull;
	unsigned shift = (at & 7) * 8;
	unsigned long word;

	errno = 0;
	word = ptrace(PTRACE_PEEKTEXT, t->tid, word_at, 0);
	if (errno)
		return err_set(ERR_TARGET_MEMORY, "code of process %d at %#lx: %m", (int)t->pid,
			       (unsigned long)at);
	*before = word >> shift;
	word = (word & ~(0xfful << shift)) | (unsigned long)byte << shift;
	if (ptrace(PTRACE_POKETEXT, t->tid, word_at, word) < 0)
		return err_set(ERR_TARGET_MEMORY, "code of process %d at %#lx: %m", (int)t->pid,
			       (unsigned long)at);
	return 0;
}

int breakpoint_set(struct breakpoint *b, const struct tracee *t, uint64_t at)
{
	int r = swap_byte(t, at, INT3, &b->byte);

	b->at = r == 0 ? at : 0;
	return r;
}

int breakpoint_clear(struct breakpoint *b, const struct tracee *t)
{
	uint64_t at = b->at;
	uint8_t was;

	b->at = 0;
	return at ? swap_byte(t, at, b->byte, &was) : 0;
}

bool breakpoint_met(const struct breakpoint *b, const struct tracee *t)
{
	struct user_regs_struct regs;

	if (!b->at || tracee_get_regs(t, &regs) < 0 || regs.rip != b->at + 1)
		return false;
	regs.rip = b->at;
	return tracee_set_regs(t, &regs) == 0;
}
