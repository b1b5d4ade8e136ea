/* SPDX-License-Identifier: MIT */
/*
 * inject_blob.c: a page that only counts: events by kind, of all code and of one code object.
 */
#include "page/code/arm.h"
#include "page/code/install.h"
#include "inject_blob.h"

/* The start of the text, at base: struct page_entry. */
__asm__(".section .entry, \"ax\"\n"
	".globl blob_base\n"
	".hidden blob_base, blob_end, blob_tracefunc, blob_install, blob_uninstall\n"
	"blob_base:\n"
	".quad 0x3165676170636572\n"
	".long blob_end - blob_base, blob_tracefunc - blob_base\n"
	".long blob_install - blob_base, blob_uninstall - blob_base\n"
	".text\n");
extern ev_u8 blob_base[] __attribute__((visibility("hidden")));

static struct blob_data *data(void) { return (void *)(blob_base + PAGE_DATA); }
static struct page_arming *arming(void) { return (void *)(blob_base + PAGE_ARMING); }
static int alive(void) { return *(const volatile ev_u64 *)(blob_base + PAGE_ALIVE) && data()->on; }

static void count(unsigned kind, ev_u64 code)
{
	struct blob_data *d = data();

	__atomic_add_fetch(&d->all[kind], 1, __ATOMIC_RELAXED);
	if (code == d->code)
		__atomic_add_fetch(&d->of_code[kind], 1, __ATOMIC_RELAXED);
}

static ev_u64 at(ev_u64 p, ev_u64 offset) { return *(const ev_u64 *)(p + offset); }

/* Up to 3.11. The entry whose object is what we were given traced before us. */
__attribute__((used)) int blob_tracefunc(ev_u64 self, ev_u64 frame, int what, ev_u64 arg)
{
	struct page_arming *a = arming();
	struct blob_data *d = data();
	ev_u64 tstate = ((ev_u64 (*)(void))a->api.current_tstate)();

	if (alive() && what >= 0 && what < 4) {
		ev_u64 inner = d->l.frameobj_frame ? at(frame, d->l.frameobj_frame) : frame;

		count(what, at(inner, d->l.frame_code));
		page_arm_new(a, tstate, (ev_u64)blob_tracefunc);
	}
	for (unsigned i = 0; i < a->nchain && i < PAGE_CHAINED; i++)
		if (a->chain[i].tracefunc && a->chain[i].tstate == tstate)
			return ((int (*)(ev_u64, ev_u64, int, ev_u64))a->chain[i].tracefunc)(self, frame, what, arg);
	return 0;
}

#define CALLBACK(name, event, answer)                                                   \
	static ev_u64 name(ev_u64 self, const ev_u64 *args, long n)                     \
	{                                                                               \
		(void)self;                                                             \
		if (alive() && n > 0)                                                   \
			count(event, args[0]);                                          \
		return answer;                                                          \
	}
#define NONE arming()->api.none
CALLBACK(on_line, PAGE_EV_LINE, NONE)
CALLBACK(on_start, PAGE_EV_PY_START, NONE)
CALLBACK(on_resume, PAGE_EV_PY_RESUME, NONE)
CALLBACK(on_throw, PAGE_EV_PY_THROW, NONE)
CALLBACK(on_return, PAGE_EV_PY_RETURN, NONE)
CALLBACK(on_yield, PAGE_EV_PY_YIELD, NONE)
CALLBACK(on_unwind, PAGE_EV_PY_UNWIND, NONE)
CALLBACK(on_raise, PAGE_EV_RAISE, NONE)
CALLBACK(on_jump, PAGE_EV_JUMP, arming()->callbacks.disable)

__attribute__((used)) int blob_install(void *arg)
{
	struct page_arming *a = arming();
	ev_u64 *f = a->callbacks.function;

	(void)arg;
	f[PAGE_EV_LINE] = (ev_u64)on_line;
	f[PAGE_EV_JUMP] = (ev_u64)on_jump;
	f[PAGE_EV_PY_START] = (ev_u64)on_start;
	f[PAGE_EV_PY_RESUME] = (ev_u64)on_resume;
	f[PAGE_EV_PY_THROW] = (ev_u64)on_throw;
	f[PAGE_EV_PY_RETURN] = (ev_u64)on_return;
	f[PAGE_EV_PY_YIELD] = (ev_u64)on_yield;
	f[PAGE_EV_PY_UNWIND] = (ev_u64)on_unwind;
	f[PAGE_EV_RAISE] = (ev_u64)on_raise;
	return page_follow_want(a);
}

__attribute__((used)) int blob_uninstall(void *arg)
{
	(void)arg;
	return page_follow_want(arming());
}
