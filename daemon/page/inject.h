/* SPDX-License-Identifier: MIT */
/*
 * inject.h: the probe page in a live CPython: mapped, armed, disarmed.
 *
 *	page_new      everything is prepared, nothing is stopped
 *	page_map      threads run some system calls, in one stop or one a call
 *	              (the caller fills page_data())
 *	page_arm      the interpreter calls the page
 *	page_disarm   it does not any more
 *	page_free     our side is let go; the page stays in the target, where a
 *	              thread may still be in it, and the next page_map() takes it over
 *
 * If this process dies at any moment the target runs on; an armed page then
 * finds that nobody reads, and records nothing. All calls for one page come
 * from the same thread. ptrace is attached only while a call runs.
 */
#ifndef PAGE_INJECT_H
#define PAGE_INJECT_H

#include "page/page.h"
#include "page/tracee.h"
#include "target/target.h"

struct page;

struct page_stats {
	uint64_t stops;	   /* times threads were stopped */
	uint64_t last_ns;  /* how long, from the first thread's stop to the last one's going on */
	uint64_t max_ns, total_ns;
	uint64_t retries;  /* 3.12+: threads looked at that could not run the call */
};

/*
 * Prepares: addresses of what CPython exports (info, from python_find()), offsets
 * (layout, from python_layout_live()), instructions to run system calls with. The
 * text begins with struct page_entry. Borrows t; it must outlive the page.
 * -ERR_NOMEM, -ERR_USAGE (text or size make no sense), -ERR_TARGET_LAYOUT (something
 * is not exported), -ERR_TARGET_GONE, -ERR_NO_PRIVILEGE.
 */
int page_new(struct page **ret, struct target *t, const struct python_info *info,
	     const struct ctrec_layout *layout, const void *text, size_t text_size, size_t data_size);
/* Ours only: unmaps the data here. Does not disarm. Returns NULL. */
struct page *page_free(struct page *p);

/*
 * Maps the page, or takes over one of the same text that is there already, with
 * new data of zeros (an armed page stays armed). stopped: a thread that the caller
 * holds in a stop and that stays stopped (page_launch()), or NULL.
 * 0; 1: taken over; -ERR_NO_PRIVILEGE, -ERR_TARGET_GONE, -ERR_UNSUPPORTED_PYTHON (32-bit),
 * -ERR_BUSY (no thread can be stopped), -ERR_TARGET_MEMORY, -ERR_IO.
 */
int page_map(struct page *p, struct tracee *stopped);
/* The shared data here, data_size bytes; NULL before page_map(). */
void *page_data(struct page *p);
/* Where the page lies in the target; the data at PAGE_DATA from there. */
uint64_t page_base(const struct page *p);
const struct page_stats *page_stats(const struct page *p);

/*
 * Up to 3.11 writes the trace function into each thread state, with all threads
 * stopped. From 3.12 on queues the page's `install`, which runs when a thread
 * of the program runs bytecode next; with `stopped` (a thread that holds the GIL
 * between two instructions) it is called at once. Threads that are armed already
 * stay so: calling it again arms new ones.
 * 0: armed; 1: queued, see page_armed(); -ERR_BUSY (no thread could be stopped where
 * the call is safe), -ERR_NO_PRIVILEGE, -ERR_TARGET_GONE, -ERR_TARGET_LAYOUT.
 */
int page_arm(struct page *p, struct tracee *stopped);
/* The reverse; who traced before does so again. 0: done; 1: queued; errors as above. */
int page_disarm(struct page *p);
/* Up to 3.11: how many thread states do not call the page, because the program has set a trace
 * function since; page_arm() brings them back. Stops nothing, so the list may be torn:
 * -ERR_TARGET_LAYOUT then, to be asked again. 0 from 3.12 on. */
int page_unarmed(struct page *p);
/* 3.12+: 1: installed; 0: not (yet, or no more); -ERR_TARGET_LAYOUT: the interpreter refused,
 * -ERR_TARGET_GONE. Stops nothing. */
int page_armed(struct page *p);
/* Waits for that, stopping nothing. 0; -ERR_BUSY: time is up (it stays queued); errors of page_armed(). */
int page_wait_armed(struct page *p, int armed, uint64_t timeout_ns);

#endif
