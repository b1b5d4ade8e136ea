/* SPDX-License-Identifier: MIT */
/*
 * order.h: which records of a session are missing.
 *
 * Capture numbers all records of a session, on whichever ring they travel. Two
 * threads read the two rings, each at its own pace, so a number that one of
 * them skips may be the other's and still to come: it is a hole, and becomes a
 * loss when it has stood open for ORDER_PATIENCE_NS and the reader of the main
 * ring has passed it. Numbers may also come a little out of order within one
 * ring (two CPUs), which fills a hole the same way.
 *
 * Holes are kept as ranges in ascending order. When there are more than
 * ORDER_MAX_HOLES, the oldest counts as lost. Not locked: callers lock.
 */
#ifndef SESSION_ORDER_H
#define SESSION_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#define ORDER_MAX_HOLES 256
#define ORDER_PATIENCE_NS 200000000u

struct order {
	uint64_t next;	      /* above every number seen; 0: none seen yet */
	uint64_t main;	      /* the main ring's highest */
	uint64_t lost;	      /* given up, not yet reported */
	unsigned nholes;
	struct order_hole {
		uint64_t from, to; /* [from, to) */
		uint64_t since;	   /* when it was first seen */
	} holes[ORDER_MAX_HOLES];
};

/* A number was seen at time now. True: it opened a hole. */
bool order_seen(struct order *o, uint64_t n, bool on_main, uint64_t now);
/* How many numbers are lost for good since the last call. */
uint64_t order_losses(struct order *o, uint64_t now);
/* Everything that is missing below the main ring's highest, at the end. */
uint64_t order_finish(struct order *o);

#endif
