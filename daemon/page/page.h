/* SPDX-License-Identifier: MIT */
/*
 * page.h: the probe page: code and memory mapped into the target, as both sides see it.
 *
 * One memfd of PAGE_DATA bytes of text followed by the shared data, mapped in the
 * target at one base address:
 *
 *   base + 0            text (private, R+X): struct page_entry, then code
 *   base + PAGE_ALIVE   one private anonymous page, MADV_WIPEONFORK: 1 in the first
 *                       word; a forked child finds 0 and its probes return at once
 *   base + PAGE_DATA    struct page_shared and the ring (shared with the daemon, R+W)
 *
 * The code is position independent, without relocations or data of its own, and
 * finds the shared data at its fixed distance. The daemon maps the memfd from
 * PAGE_DATA on. Everything in the shared data may have been written by the
 * target: the daemon bounds each index it takes from there.
 */
#ifndef PAGE_PAGE_H
#define PAGE_PAGE_H

#include "ctrec/event.h"
#include "ctrec/layout.h"

#define PAGE_TEXT 0x20000u		  /* most bytes of text */
#define PAGE_ALIVE PAGE_TEXT
#define PAGE_DATA (PAGE_ALIVE + 0x1000u)
#define PAGE_MAGIC 0x3165676170636572ull /* "rectpage1", little-endian, shortened */

/* The start of the text: offsets of functions from base. */
struct page_entry {
	ev_u64 magic;
	ev_u32 size;	  /* bytes of text */
	ev_u32 tracefunc; /* int (*)(PyObject *, PyFrameObject *, int what, PyObject *arg), <= 3.11 */
	ev_u32 install;	  /* int (*)(void *): a pending call with the GIL held, 3.12+; 0: done */
	ev_u32 uninstall; /* the same, takes it all back */
};

#endif
