/* SPDX-License-Identifier: MIT */
/*
 * shared.h: the memory that the probe page and the daemon share.
 *
 * The daemon fills `cfg` before anything is armed; zeros record nothing. Rings are of bytes:
 * head and tail count up without end, a record never wraps (a PAGE_PAD record
 * fills the end). One producer at a time: whoever holds the GIL. `state` words
 * of plans and `bell` are futexes, shared between the processes.
 */
#ifndef PAGE_SHARED_H
#define PAGE_SHARED_H

#include "bpf/config.h"
#include "page/page.h"

#define PAGE_RING (16u << 20)	/* power of two */
#define PAGE_CONTROL (64u << 10)
#define PAGE_PAD 255u		/* type of a record that only fills the ring's end */
#define PAGE_CODES 65536u	/* slots of the hash tables, powers of two */
#define PAGE_TYPES 16384u
#define PAGE_THREADS 128u

struct page_ring {
	ev_u64 head __attribute__((aligned(64))); /* written by the page */
	ev_u64 tail __attribute__((aligned(64))); /* written by the daemon */
	ev_u32 bell;   /* futex: counts records whose reader should wake */
	ev_u32 asleep; /* the reader waits on bell */
	ev_u32 room;   /* futex: counts the daemon's rounds, for a page that waits for room */
	ev_u32 waiting; /* the page waits on room */
};

struct page_code {
	ev_u64 addr; /* 0: free */
	struct ctrec_codeplan plan;
};

struct page_type {
	ev_u64 addr;
	struct ctrec_typeplan plan;
};

#define PAGE_QUIET_NS 1000000000ull /* a daemon not heard of for that long is gone */

/* struct page_shared.state */
#define PAGE_OFF 0   /* probes return at once */
#define PAGE_ON 1
#define PAGE_ORPHAN 2 /* the daemon was not heard of while the page waited for it */

struct page_public {
	ev_u64 magic;
	ev_u32 state;	  /* PAGE_*; written by both */
	ev_u32 pad;
	ev_u64 heartbeat; /* CLOCK_MONOTONIC ns of the daemon's last round */
	struct rec_config cfg;
	struct rec_stats stats;
	ev_u32 next_code, next_type, next_thread;
	ev_u32 last_thread; /* slot of the thread that ran last */
	ev_u32 deferred;    /* events that too many threads left out */
	struct page_ring events, control;
	struct page_code codes[PAGE_CODES];
	struct page_type types[PAGE_TYPES];
	struct ctrec_stores stores[REC_STORES];
	ev_u8 control_bytes[PAGE_CONTROL] __attribute__((aligned(4096)));
	ev_u8 event_bytes[PAGE_RING] __attribute__((aligned(4096)));
};

/* Bytes behind struct page_public that only the page's code uses (platform.h); a
 * sparse file, so that they cost nothing until a thread runs that deep. */
#define PAGE_PRIVATE (80u << 20)

/* The slot where a search for addr begins. */
static inline ev_u32 page_hash(ev_u64 addr, ev_u32 slots)
{
	return (ev_u32)((addr >> 4) * 0x9e3779b97f4a7c15ull >> 40) & (slots - 1);
}

#endif
