/* SPDX-License-Identifier: MIT */
/*
 * page_source.h: the daemon's end of a mapped probe page: its rings and tables.
 *
 * Knows nothing of how the page came into the target (page/) and of sessions.
 * The shared memory may hold anything at any moment: each record is copied out
 * before it is looked at, positions and indices are bounded, and the daemon
 * keeps its own reading positions.
 */
#ifndef PROBE_PAGE_SOURCE_H
#define PROBE_PAGE_SOURCE_H

#include "page/shared.h"
#include "probe/capture.h"

struct page_source;

/* Bytes the shared data takes, for whoever maps it. */
size_t page_shared_size(void);

/* pub: the shared data as mapped here, zeroed; the caller keeps it mapped longer
 * than the source lives. pid: the target's. -ERR_NOMEM, -ERR_TARGET_LAYOUT. */
int page_source_new(struct page_source **ret, struct page_public *pub, pid_t pid,
		    const struct capture_options *o, const struct python_info *info,
		    const struct ctrec_layout *l);
struct page_source *page_source_free(struct page_source *p);

/* The probes of an armed page begin to write, or cease to. A thread that waits goes on. */
void page_source_on(struct page_source *p);
void page_source_off(struct page_source *p);

/* As those of capture.h. */
int page_source_plan_code(struct page_source *p, uint64_t addr, const struct ctrec_codeplan *plan);
int page_source_plan_type(struct page_source *p, uint64_t addr, const struct ctrec_typeplan *plan);
int page_source_stores(struct page_source *p, uint32_t code, const struct ctrec_stores *s);
int page_source_drain(struct page_source *p, capture_fn fn, void *ctx, int timeout_ms);
int page_source_control(struct page_source *p, capture_fn fn, void *ctx, int timeout_ms);
void page_source_stats(struct page_source *p, struct capture_stats *s);
void page_source_new_epoch(struct page_source *p);

/*
 * Output that was seen from outside: takes a copy of the record. e->h.order: the
 * number of the page's last event before it. e->thread: 0, or an index that
 * page_source_thread() has explained. From any thread. -ERR_NOMEM.
 */
int page_source_output(struct page_source *p, const struct ev_output *e);
/* A thread as the source of output numbers it. */
void page_source_thread(struct page_source *p, const struct ev_thread *t);
/* The page's number of a thread, 0: none yet. */
uint32_t page_source_index(struct page_source *p, uint32_t tid);

#endif
