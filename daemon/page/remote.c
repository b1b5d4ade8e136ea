/* SPDX-License-Identifier: MIT */
/*
 * remote.c: a stopped thread diverted, and put back.
 *
 * PTRACE_SYSCALL catches the end of each step: unlike a single step or a
 * breakpoint it leaves nothing behind when the tracer dies (the kernel clears
 * it, while a trap flag stays and kills). Signals are blocked meanwhile and
 * arrive afterwards, when the thread's own mask is back.
 *
 * What happens when we die (exit_ptrace() lets the thread run on):
 *   in remote_begin      nothing changed but bytes below the red zone
 *   while diverted       the system call or function ends, `ret` goes to the
 *                        restorer, rt_sigreturn puts back registers, floating
 *                        point and mask; an interrupted call gives EINTR or is
 *                        made again, as after a signal handler
 *   in remote_end        the mask is put back before the registers, and
 *                        PTRACE_INTERRUPT before both: the thread passes
 *                        get_signal(), where the kernel restarts system calls
 */
#include "page/remote.h"

#include <cpuid.h>
#include <elf.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "page/fault.h"
#include "util/err.h"
#include "util/io.h"

#define RED_ZONE 128
#define SYSCALLS_MAX 100000 /* stops at system calls that a called function makes */
#define CS_64 0x33

/* rax of an interrupted system call (include/linux/errno.h), which only a tracer sees */
#define ERESTARTSYS 512
#define ERESTARTNOINTR 513
#define ERESTARTNOHAND 514
#define ERESTART_RESTARTBLOCK 516

/* arch/x86/include/uapi/asm/sigcontext.h, ucontext.h */
#define FX_SW_RESERVED 464 /* in the legacy area: struct _fpx_sw_bytes */
#define XSTATE_BV 512
#define UC_FP_XSTATE 1
#define UC_SIGCONTEXT_SS 2
#define UC_STRICT_RESTORE_SS 4
#define XFEATURES_AMX (3ull << 17)

struct fx_sw {
	uint32_t magic1, extended_size;
	uint64_t xfeatures;
	uint32_t xstate_size, padding[7];
};

struct sigframe {
	uint64_t uc_flags, uc_link;
	uint64_t stack_sp;
	uint32_t stack_flags, pad;
	uint64_t stack_size;
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, eflags;
	uint16_t cs, gs, fs, ss;
	uint64_t err, trapno, oldmask, cr2, fpstate, reserved[8];
	uint64_t mask;
};
_Static_assert(offsetof(struct sigframe, mask) == 40 + 256, "struct ucontext of x86-64");

/*
 * Called by setting the registers: rax function, rdi rsi rdx rcx arguments, rbx where
 * the result goes, rsp at an aligned address above which the signal frame lies. A
 * system call is entered at remote_stub_syscall, with all of its own registers.
 * getpid marks the end for who traces it; then rt_sigreturn.
 */
__asm__(".pushsection .rodata\n"
	"remote_stub_begin:\n"
	"	call *%rax\n"
	"	jmp 1f\n"
	"remote_stub_syscall:\n"
	"	syscall\n"
	"1:\n"
	"	mov %rax, (%rbx)\n"
	"	mov $39, %eax\n"
	"	syscall\n"
	"remote_stub_marker:\n"
	"	mov $15, %eax\n"
	"	syscall\n"
	"remote_stub_end:\n"
	".popsection\n");
extern const uint8_t remote_stub_begin[] __attribute__((visibility("hidden")));
extern const uint8_t remote_stub_syscall[] __attribute__((visibility("hidden")));
extern const uint8_t remote_stub_marker[] __attribute__((visibility("hidden")));
extern const uint8_t remote_stub_end[] __attribute__((visibility("hidden")));

const void *remote_stub(size_t *len)
{
	*len = remote_stub_end - remote_stub_begin;
	return remote_stub_begin;
}

/* Size of the XSAVE area for these features: a signal frame must not state more
 * than the thread's own, which has no AMX unless it asked for it. */
static size_t xsave_size(uint64_t features)
{
	size_t size = 576;

	for (unsigned i = 2; i < 63; i++) {
		unsigned a = 0, b = 0, c = 0, d = 0;

		if (!(features >> i & 1) || !__get_cpuid_count(0xd, i, &a, &b, &c, &d))
			continue;
		if (b + a > size)
			size = b + a;
	}
	return size;
}

/* Makes the XSAVE image one that rt_sigreturn takes; its size with the end mark. */
static size_t signal_xstate(uint8_t *image, size_t size)
{
	struct fx_sw sw = { .magic1 = FP_XSTATE_MAGIC1 };
	uint32_t magic2 = FP_XSTATE_MAGIC2;
	uint64_t features, bv;
	size_t n;

	memcpy(&features, image + FX_SW_RESERVED, 8); /* XCR0, says the regset */
	memcpy(&bv, image + XSTATE_BV, 8);
	if (!(bv & XFEATURES_AMX))
		features &= ~XFEATURES_AMX;
	n = xsave_size(features);
	if (n > size)
		n = size;
	sw.xfeatures = features;
	sw.xstate_size = n;
	sw.extended_size = n + sizeof(magic2);
	memcpy(image + FX_SW_RESERVED, &sw, sizeof(sw));
	memcpy(image + n, &magic2, sizeof(magic2));
	return n + sizeof(magic2);
}

/* As the kernel's handle_signal() prepares an interrupted system call, which a
 * handler's return then makes again or not. */
static void restart(struct user_regs_struct *regs)
{
	if ((long)regs->orig_rax < 0)
		return;
	switch (-(long)regs->rax) {
	case ERESTARTSYS:
	case ERESTARTNOINTR:
	case ERESTARTNOHAND:
		regs->rax = regs->orig_rax;
		regs->rip -= 2;
		break;
	case ERESTART_RESTARTBLOCK: /* its deadline is lost with rt_sigreturn */
		regs->rax = -4; /* EINTR */
		break;
	}
}

static void fill_frame(struct sigframe *f, const struct remote *r, uint64_t fpstate)
{
	struct user_regs_struct regs = r->saved;

	restart(&regs);
	*f = (struct sigframe){
		.uc_flags = UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS,
		.stack_flags = 7, /* makes no sense, so the alternate stack stays as it is */
		.r8 = regs.r8, .r9 = regs.r9, .r10 = regs.r10, .r11 = regs.r11, .r12 = regs.r12,
		.r13 = regs.r13, .r14 = regs.r14, .r15 = regs.r15, .rdi = regs.rdi,
		.rsi = regs.rsi, .rbp = regs.rbp, .rbx = regs.rbx, .rdx = regs.rdx,
		.rax = regs.rax, .rcx = regs.rcx, .rsp = regs.rsp, .rip = regs.rip,
		.eflags = regs.eflags, .cs = regs.cs, .ss = regs.ss, .fpstate = fpstate,
		.mask = r->mask,
	};
}

static int write_frame(struct remote *r)
{
	/* restorer's address, frame, XSAVE image: low to high */
	uint8_t image[REMOTE_XSTATE + 64] __attribute__((aligned(64)));
	struct { uint64_t ret; struct sigframe f; } head;
	uint64_t fpstate, top = r->saved.rsp - RED_ZONE;
	size_t n;

	memcpy(image, r->xstate, r->xsize);
	n = signal_xstate(image, r->xsize);
	fpstate = (top - n) & ~63ull;
	/* rsp is 16n + 8 where a function begins, so 16n where the stub does */
	r->sp = (fpstate - sizeof(head)) & ~15ull;
	r->sp -= 8;
	r->text = r->sp - REMOTE_TEXT;
	head.ret = r->g->sigreturn;
	fill_frame(&head.f, r, fpstate);
	if (remote_write(r->t->pid, fpstate, image, n) < 0 ||
	    remote_write(r->t->pid, r->sp, &head, sizeof(head)) < 0)
		return err_set(ERR_TARGET_MEMORY, "thread %d has no room on its stack", (int)r->t->tid);
	return 0;
}

/*
 * In a restartable sequence (rseq(2), include/uapi/linux/rseq.h) the kernel sends a thread
 * that was interrupted to the abort handler by its rip: not to be hidden from it.
 */
static bool in_rseq(const struct remote *r)
{
	struct { uint64_t pointer; uint32_t size, signature, flags, pad; } c;
	struct { uint32_t version, flags; uint64_t start, length, abort; } cs;
	uint64_t at;
	struct iovec local = { &at, sizeof(at) }, remote;
	pid_t pid = r->t->pid;

	if (ptrace(PTRACE_GET_RSEQ_CONFIGURATION, r->t->tid, sizeof(c), &c) < 0 || !c.pointer)
		return false;
	remote = (struct iovec){ (void *)(uintptr_t)(c.pointer + 8), sizeof(at) };
	if (process_vm_readv(pid, &local, 1, &remote, 1, 0) != sizeof(at) || !at)
		return false;
	local = (struct iovec){ &cs, sizeof(cs) };
	remote = (struct iovec){ (void *)(uintptr_t)at, sizeof(cs) };
	return process_vm_readv(pid, &local, 1, &remote, 1, 0) != sizeof(cs) ||
	       r->saved.rip - cs.start < cs.length;
}

int remote_begin(struct remote *r, struct tracee *t, const struct gadgets *g)
{
	struct iovec x = { r->xstate, sizeof(r->xstate) };
	int rc = tracee_get_regs(t, &r->saved);

	r->t = t;
	r->g = g;
	if (rc == 0)
		rc = tracee_get_mask(t, &r->mask);
	if (rc < 0)
		return rc;
	if (r->saved.cs != CS_64)
		return err_set(ERR_UNSUPPORTED_PYTHON, "process %d is a 32-bit program", (int)t->pid);
	if (in_rseq(r))
		return err_set(ERR_TARGET_MEMORY, "thread %d is in a restartable sequence", (int)t->tid);
	if (ptrace(PTRACE_GETREGSET, t->tid, NT_X86_XSTATE, &x) < 0 || x.iov_len < XSTATE_BV + 64)
		return err_set(ERR_TARGET_GONE, "registers of thread %d: %m", (int)t->tid);
	r->xsize = x.iov_len;
	return write_frame(r);
}

/* Waits for the end of a system call at a given rip. */
static int wait_exit(struct remote *r, uint64_t rip, uint64_t until, struct user_regs_struct *regs)
{
	for (int i = 0; i < SYSCALLS_MAX; i++) {
		struct __ptrace_syscall_info info = { 0 };
		int signal, rc = tracee_resume(r->t, PTRACE_SYSCALL, 0);

		if (rc == 0)
			rc = tracee_wait(r->t, until, &signal);
		if (rc < 0)
			return rc;
		if (rc == TRACEE_SIGNAL && (signal == SIGSEGV || signal == SIGILL || signal == SIGBUS))
			return err_set(ERR_TARGET_LAYOUT, "the injected call failed (signal %d)", signal);
		if (rc != TRACEE_SYSCALL ||
		    ptrace(PTRACE_GET_SYSCALL_INFO, r->t->tid, sizeof(info), &info) < 0 ||
		    info.op != PTRACE_SYSCALL_INFO_EXIT || info.instruction_pointer != rip)
			continue;
		return tracee_get_regs(r->t, regs);
	}
	return err_set(ERR_BUSY, "an injected call in thread %d makes no end", (int)r->t->tid);
}

static void syscall_regs(const struct remote *r, struct user_regs_struct *regs, long nr, const uint64_t args[6])
{
	*regs = r->saved;
	regs->rip = r->g->syscall;
	regs->rsp = r->sp;
	regs->rax = nr;
	regs->orig_rax = -1;
	regs->rdi = args[0];
	regs->rsi = args[1];
	regs->rdx = args[2];
	regs->r10 = args[3];
	regs->r8 = args[4];
	regs->r9 = args[5];
}

/* Off it goes with these; signals wait. */
static int divert(struct remote *r, const struct user_regs_struct *regs)
{
	int rc = tracee_set_regs(r->t, regs);

	if (rc == 0)
		rc = tracee_set_mask(r->t, ~0ull);
	fault_point("remote-set");
	return rc;
}

int remote_syscall(struct remote *r, long *ret, long nr, const uint64_t args[6])
{
	struct user_regs_struct regs;
	int rc;

	syscall_regs(r, &regs, nr, args);
	rc = divert(r, &regs);
	if (rc == 0)
		rc = wait_exit(r, r->g->syscall + 2, io_now_ns() + TRACEE_STOP_NS, &regs);
	fault_point("remote-done");
	*ret = regs.rax;
	return rc;
}

bool remote_can_leave(const struct remote *r)
{
	/* not one that is in a system call: only get_signal() can restart it exactly;
	 * nor one of a stopped job, which would not run */
	return r->g->sigreturn && r->g->returns && (long)r->saved.orig_rax < 0 && !r->t->job_stop;
}

int remote_leave_syscall(struct remote *r, uint64_t stub, long nr, const uint64_t args[6], uint64_t result)
{
	struct user_regs_struct regs;
	int rc;

	syscall_regs(r, &regs, nr, args);
	if (stub) {
		regs.rip = stub + (remote_stub_syscall - remote_stub_begin);
		regs.rsp = r->sp + 8;
		regs.rbx = result;
	}
	rc = divert(r, &regs);
	tracee_detach(r->t);
	return rc;
}

/* The registers with which the thread begins a call. */
static int set_call(struct remote *r, uint64_t stub, uint64_t function, const uint64_t args[4], uint64_t result)
{
	struct user_regs_struct regs = r->saved;
	int rc;

	regs.rip = stub;
	regs.rsp = r->sp + 8; /* rt_sigreturn wants the frame just there */
	regs.rax = function;
	regs.orig_rax = -1;
	regs.rdi = args[0];
	regs.rsi = args[1];
	regs.rdx = args[2];
	regs.rcx = args[3];
	regs.rbx = result;
	regs.eflags &= ~0x400ul; /* DF is clear where a function begins */
	rc = divert(r, &regs);
	fault_point("call-set");
	return rc;
}

int remote_leave(struct remote *r, uint64_t stub, uint64_t function, const uint64_t args[4], uint64_t result)
{
	int rc = set_call(r, stub, function, args, result);

	tracee_detach(r->t);
	return rc;
}

int remote_call(struct remote *r, uint64_t stub, uint64_t function, const uint64_t args[4],
		uint64_t result, uint64_t until_ns)
{
	struct user_regs_struct regs;
	int rc = set_call(r, stub, function, args, result);

	if (rc == 0)
		rc = wait_exit(r, stub + (remote_stub_marker - remote_stub_begin), until_ns, &regs);
	fault_point("call-done");
	if (rc == -ERR_BUSY)
		tracee_detach(r->t); /* it finds back by itself */
	return rc;
}

int remote_end(struct remote *r)
{
	struct iovec x = { r->xstate, r->xsize };
	int rc = tracee_interrupt(r->t);

	/* XCR0 in the legacy area is ignored here, so the image goes back as it came */
	if (rc == 0 && ptrace(PTRACE_SETREGSET, r->t->tid, NT_X86_XSTATE, &x) < 0)
		rc = err_set(ERR_TARGET_GONE, "registers of thread %d: %m", (int)r->t->tid);
	if (rc == 0)
		rc = tracee_set_mask(r->t, r->mask);
	fault_point("end-mask");
	if (rc == 0)
		rc = tracee_set_regs(r->t, &r->saved);
	fault_point("end-regs");
	if (rc == 0)
		rc = tracee_resume(r->t, PTRACE_CONT, 0);
	if (rc == 0)
		rc = tracee_wait_stop(r->t, io_now_ns() + TRACEE_STOP_NS);
	return rc;
}
