/* SPDX-License-Identifier: MIT */
#include "session/order.h"

#include <string.h>

static void remove_hole(struct order *o, unsigned i)
{
	o->nholes--;
	memmove(&o->holes[i], &o->holes[i + 1], (o->nholes - i) * sizeof(o->holes[0]));
}

static void give_up(struct order *o, unsigned i)
{
	o->lost += o->holes[i].to - o->holes[i].from;
	remove_hole(o, i);
}

static void fill(struct order *o, uint64_t n)
{
	for (unsigned i = 0; i < o->nholes; i++) {
		struct order_hole *h = &o->holes[i];

		if (n < h->from)
			return;
		if (n >= h->to)
			continue;
		if (h->to - h->from == 1) {
			remove_hole(o, i);
		} else if (n == h->from) {
			h->from++;
		} else if (n == h->to - 1) {
			h->to--;
		} else {
			struct order_hole low = { h->from, n, h->since };

			if (o->nholes == ORDER_MAX_HOLES) {
				o->lost += n - h->from;
				h->from = n + 1;
				return;
			}
			memmove(h + 1, h, (o->nholes - i) * sizeof(*h));
			o->nholes++;
			h[0] = low;
			h[1].from = n + 1;
		}
		return;
	}
}

bool order_seen(struct order *o, uint64_t n, bool on_main, uint64_t now)
{
	bool opened = false;

	if (!o->next)
		o->next = n; /* the first number is wherever capture starts */
	if (n < o->next) {
		fill(o, n);
	} else {
		if (n > o->next) {
			if (o->nholes == ORDER_MAX_HOLES)
				give_up(o, 0);
			o->holes[o->nholes++] = (struct order_hole){ o->next, n, now };
			opened = true;
		}
		o->next = n + 1;
	}
	if (on_main && n > o->main)
		o->main = n;
	return opened;
}

uint64_t order_losses(struct order *o, uint64_t now)
{
	uint64_t lost;

	while (o->nholes && o->holes[0].to <= o->main &&
	       now - o->holes[0].since > ORDER_PATIENCE_NS)
		give_up(o, 0);
	lost = o->lost;
	o->lost = 0;
	return lost;
}

uint64_t order_finish(struct order *o)
{
	uint64_t lost;

	while (o->nholes)
		give_up(o, 0);
	lost = o->lost;
	o->lost = 0;
	return lost;
}
