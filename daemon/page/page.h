/* SPDX-License-Identifier: MIT */
/*
 * page.h: the probe page: code and memory mapped into the target, as both sides see it.
 *
 * One memfd of PAGE_DATA bytes of text followed by the shared data, mapped in the
 * target at one base address:
 *
 *   base + 0             text (private, R+X): struct page_entry, then code
 *   base + PAGE_STUB     the engine's own few instructions, at the end of the text
 *   base + PAGE_ALIVE    one private anonymous page, MADV_WIPEONFORK: 1 in the first
 *                        word; a forked child finds 0 and its probes return at once
 *   base + PAGE_ARMING   private anonymous memory, copied on fork: struct page_arming
 *   base + PAGE_DATA     struct page_shared and the ring (shared with the daemon, R+W)
 *
 * The code is position independent, without relocations or data of its own, and
 * finds its memory at its fixed distance. The daemon maps the memfd from
 * PAGE_DATA on. Everything in the shared data may have been written by the
 * target: the daemon bounds each index it takes from there. Forked children and
 * what they become share it too, with fewer rights perhaps than the target has:
 * an address that the page jumps to lies in private memory, never there.
 *
 * Shared data is all zeros until the daemon fills it, also where an armed page
 * gets new data because its daemon died: zeros must mean "record nothing".
 */
#ifndef PAGE_PAGE_H
#define PAGE_PAGE_H

#include "ctrec/event.h"
#include "ctrec/layout.h"

#define PAGE_TEXT 0x20000u		  /* most bytes of text */
#define PAGE_STUB (PAGE_TEXT - 0x40u)
#define PAGE_ALIVE PAGE_TEXT
#define PAGE_ARMING (PAGE_ALIVE + 0x1000u)
#define PAGE_ARMING_SIZE 0x8000u
#define PAGE_DATA (PAGE_ARMING + PAGE_ARMING_SIZE)
#define PAGE_MAGIC 0x3165676170636572ull /* "recpage1", little-endian */

/* The start of the text: offsets of functions from base. */
struct page_entry {
	ev_u64 magic;
	ev_u32 size;	  /* bytes of text, at most PAGE_STUB */
	ev_u32 tracefunc; /* int (*)(PyObject *, PyFrameObject *, int what, PyObject *arg), <= 3.11 */
	ev_u32 install;	  /* int (*)(void *): a pending call with the GIL held, 3.12+; 0: done */
	ev_u32 uninstall; /* the same, takes it all back */
};

/* ---- private memory: what the engine and the page agree on ---- */

/*
 * Addresses in the target of what CPython exports, from the dynamic symbols; 0:
 * not exported by this version. Functions but for those named so.
 */
struct page_api {
	ev_u64 runtime;		/* _PyRuntime, the struct */
	ev_u64 none;		/* _Py_NoneStruct, the object */
	ev_u64 current_tstate;	/* PyThreadState_GetUnchecked, up to 3.12 _PyThreadState_UncheckedGet */
	ev_u64 acquire_thread;	/* PyEval_AcquireThread */
	ev_u64 sys_get_object;	/* PySys_GetObject: a borrowed reference */
	ev_u64 get_attr_string; /* PyObject_GetAttrString */
	ev_u64 call_method;	/* PyObject_CallMethod */
	ev_u64 cfunction_new;	/* PyCFunction_NewEx */
	ev_u64 long_as_long;	/* PyLong_AsLong */
	ev_u64 err_clear;	/* PyErr_Clear */
	ev_u64 decref;		/* Py_DecRef */
	ev_u64 clock_gettime;	/* __vdso_clock_gettime, of the vdso; 0: no times */
};

/* Events of sys.monitoring (3.12+) a page may register for. The order is ours. */
enum page_event {
	PAGE_EV_LINE, PAGE_EV_JUMP, PAGE_EV_PY_START, PAGE_EV_PY_RESUME, PAGE_EV_PY_THROW,
	PAGE_EV_PY_RETURN, PAGE_EV_PY_YIELD, PAGE_EV_PY_UNWIND, PAGE_EV_RAISE,
	PAGE_EV_STOP_ITERATION,
	PAGE_EVENTS
};

/* What install.c registered; PyMethodDef as CPython has it. */
struct page_method {
	ev_u64 name, function;
	ev_u32 flags, pad;
	ev_u64 doc;
};

struct page_callbacks {
	/* Set by the page before page_install(): PyObject *(*)(PyObject *self, PyObject *const *args,
	 * Py_ssize_t nargs), METH_FASTCALL; 0: not registered for. */
	ev_u64 function[PAGE_EVENTS];
	ev_u64 disable;	   /* sys.monitoring.DISABLE, a reference of ours */
	ev_u32 tool;	   /* the tool id that was free */
	ev_u32 mask;	   /* of all events that were set */
	ev_u64 registered; /* bit e: enum page_event e has a callback */
	ev_u32 number[PAGE_EVENTS]; /* the event's bit, from sys.monitoring.events */
	struct page_method method[PAGE_EVENTS];
};

/* Up to 3.11: who traced a thread before us. The page calls tracefunc(traceobj as it
 * is given in `self`, …) after its own work, for the entry whose tstate is current. */
#define PAGE_CHAINED 512
struct page_chain {
	ev_u64 tstate;
	ev_u64 tracefunc; /* Py_tracefunc; 0: the entry is free */
	ev_u64 traceobj;  /* c_traceobj, which stays where it is: its reference is the thread state's */
};

/* Up to 3.11: where a thread state is armed (struct ctrec_layout), for threads that start later. */
struct page_tracing {
	ev_u16 tstate_next, tstate_interp, interp_threads_head;
	ev_u16 tstate_tracing, tstate_c_tracefunc;
	ev_u16 tstate_use_tracing;	 /* 0: cframe_use_tracing below *tstate_cframe */
	ev_u16 tstate_cframe, cframe_use_tracing;
	ev_u16 use_size, use_value;	 /* bytes of use_tracing, and what arms it */
	ev_u16 runtime_tracing_possible, interp_tracing_possible; /* 0: there is none */
};

enum page_install_state { /* 3.12+ */
	PAGE_UNINSTALLED = 0, /* or taken back */
	PAGE_INSTALLED = 1,   /* callbacks are registered */
	PAGE_REFUSED = 2,     /* install failed; `failed` says where */
};

struct page_arming {
	ev_u64 magic;  /* PAGE_MAGIC once the daemon has filled it */
	ev_u32 want;   /* the daemon's: 1: armed, 0: not. The page arms nothing without it; install and
			* uninstall obey it, not their name, so that one that was queued and overtaken
			* does no harm */
	ev_u32 state;  /* the page's: enum page_install_state */
	ev_u32 failed; /* the page's: the step of install that failed */
	ev_u32 nchain; /* entries of chain in use or freed; an entry is written before it counts */
	ev_u64 result; /* of the engine's last call */
	struct page_api api;
	struct page_tracing tracing;
	ev_u64 head; /* the page's: newest thread state it has looked at */
	struct page_callbacks callbacks;
	struct page_chain chain[PAGE_CHAINED];
};
_Static_assert(sizeof(struct page_arming) <= PAGE_ARMING_SIZE, "private memory of the page");

#endif
