/* SPDX-License-Identifier: MIT */
#include "probe/page_source.h"

#include <linux/futex.h>
#include <stdbool.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "probe/config.h"
#include "util/err.h"
#include "util/io.h"

#define ROUND_BYTES (64u << 10) /* after which the page learns of new room */
#define DRAIN_SLICE_MS 5
#define THREADS 1024 /* whose output is told apart */
/* A hole in the order of records that nobody fills is a loss; output waits no longer for it. */
#define HOLE_NS 1000000000u

struct output {
	struct output *next;
	uint64_t since;
	struct ev_output e; /* its bytes follow */
};

struct reader {
	struct page_ring *ring;
	const uint8_t *bytes;
	uint32_t size;
	uint64_t tail; /* ours; the shared one only tells the page */
};

struct page_source {
	struct page_public *pub;
	pid_t pid;
	struct reader events, control;
	uint64_t last_order; /* of what was handed out */
	uint64_t bad;	     /* records that made no sense */
	pthread_mutex_t lock; /* what follows */
	struct output *first, **last;
	uint32_t inside[THREADS]; /* thread ids by the page's numbers */
	uint32_t outside[THREADS]; /* by those of who sees output */
	uint8_t record[EV_MAX_RECORD];	       /* the drain thread's copy */
	uint8_t request[sizeof(struct ev_newcode) + 64]; /* the control thread's */
};

size_t page_shared_size(void)
{
	/* behind what is public: the page's own scratch and threads */
	return sizeof(struct page_public) + PAGE_PRIVATE;
}

int page_source_new(struct page_source **ret, struct page_public *pub, pid_t pid,
		    const struct capture_options *o, const struct python_info *info,
		    const struct ctrec_layout *l)
{
	struct page_source *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return err_set(ERR_NOMEM, "a probe page");
	p->pub = pub;
	p->pid = pid;
	p->events = (struct reader){ &pub->events, pub->event_bytes, PAGE_RING, 0 };
	p->control = (struct reader){ &pub->control, pub->control_bytes, PAGE_CONTROL, 0 };
	p->last = &p->first;
	pthread_mutex_init(&p->lock, NULL);
	config_init(&pub->cfg, PAGE_RING);
	pub->cfg.limits = o->limits;
	pub->cfg.all = o->all;
	r = config_python(&pub->cfg, info, l);
	if (r < 0) {
		page_source_free(p);
		return r;
	}
	pub->next_code = pub->next_type = 1;
	pub->next_thread = 0;
	pub->heartbeat = io_now_ns();
	pub->magic = PAGE_MAGIC;
	*ret = p;
	return 0;
}

struct page_source *page_source_free(struct page_source *p)
{
	if (!p)
		return NULL;
	while (p->first) {
		struct output *next = p->first->next;

		free(p->first);
		p->first = next;
	}
	pthread_mutex_destroy(&p->lock);
	free(p);
	return NULL;
}

static void futex_wake(uint32_t *at)
{
	syscall(SYS_futex, at, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

void page_source_on(struct page_source *p)
{
	__atomic_store_n(&p->pub->heartbeat, io_now_ns(), __ATOMIC_RELAXED);
	__atomic_store_n(&p->pub->state, PAGE_ON, __ATOMIC_SEQ_CST);
}

static void tell_room(struct reader *r)
{
	__atomic_store_n(&r->ring->tail, r->tail, __ATOMIC_RELEASE);
	__atomic_add_fetch(&r->ring->room, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&r->ring->waiting, __ATOMIC_SEQ_CST))
		futex_wake(&r->ring->room);
}

void page_source_off(struct page_source *p)
{
	__atomic_store_n(&p->pub->state, PAGE_OFF, __ATOMIC_SEQ_CST);
	futex_wake(&p->pub->events.room);
	futex_wake(&p->pub->control.room);
}

int page_source_plan_code(struct page_source *p, uint64_t addr, const struct ctrec_codeplan *plan)
{
	uint32_t i = page_hash(addr, PAGE_CODES);

	for (unsigned n = 0; n < 64; n++, i = (i + 1) & (PAGE_CODES - 1)) {
		struct page_code *c = &p->pub->codes[i];
		struct ctrec_codeplan new = *plan;

		if (c->addr != addr)
			continue;
		new.state = PLAN_PENDING;
		c->plan = new;
		__atomic_store_n(&c->plan.state, plan->state, __ATOMIC_RELEASE);
		futex_wake(&c->plan.state);
		return 0;
	}
	return 0; /* the page has forgotten it: it asks again */
}

int page_source_plan_type(struct page_source *p, uint64_t addr, const struct ctrec_typeplan *plan)
{
	uint32_t i = page_hash(addr, PAGE_TYPES);

	for (unsigned n = 0; n < 64; n++, i = (i + 1) & (PAGE_TYPES - 1)) {
		struct page_type *t = &p->pub->types[i];
		struct ctrec_typeplan new = *plan;

		if (t->addr != addr)
			continue;
		new.state = PLAN_PENDING;
		t->plan = new;
		__atomic_store_n(&t->plan.state, plan->state, __ATOMIC_RELEASE);
		futex_wake(&t->plan.state);
		return 0;
	}
	return 0;
}

int page_source_stores(struct page_source *p, uint32_t code, const struct ctrec_stores *s)
{
	if (code < REC_STORES)
		p->pub->stores[code] = *s;
	return 0;
}

/* Copies the next record to `to`; its size, 0: none, -1: what is there makes no sense. */
static int next_record(struct reader *r, uint8_t *to, uint32_t max)
{
	uint64_t head = __atomic_load_n(&r->ring->head, __ATOMIC_ACQUIRE);
	struct ev_header h;
	uint32_t at, end;

	for (;;) {
		if (head == r->tail)
			return 0;
		at = r->tail & (r->size - 1);
		end = r->size - at;
		if (head - r->tail > r->size || end < sizeof(h))
			break;
		memcpy(&h, r->bytes + at, sizeof(h));
		if (h.size < sizeof(h) || h.size % 8 || h.size > end || h.size > head - r->tail)
			break;
		r->tail += h.size;
		if (h.type == PAGE_PAD)
			continue;
		if (h.size > max)
			break;
		memcpy(to, r->bytes + at, h.size);
		memcpy(to, &h, sizeof(h)); /* what was checked, whatever it is now */
		return h.size;
	}
	r->tail = head;
	return -1;
}

/* Sleeps until the page rings, or for so long. */
static void wait_bell(struct reader *r, int ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000l };
	uint32_t bell = __atomic_load_n(&r->ring->bell, __ATOMIC_SEQ_CST);

	__atomic_store_n(&r->ring->asleep, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&r->ring->head, __ATOMIC_SEQ_CST) == r->tail)
		syscall(SYS_futex, &r->ring->bell, FUTEX_WAIT, bell, &t, NULL, 0);
	__atomic_store_n(&r->ring->asleep, 0, __ATOMIC_SEQ_CST);
}

static uint32_t index_of(const struct page_source *p, uint32_t tid)
{
	for (uint32_t i = THREADS; i-- > 1;)
		if (p->inside[i] == tid)
			return i;
	return 0;
}

/* What the page can't know of a thread: its process, and its name in the system. */
static void complete_thread(struct page_source *p, struct ev_thread *t)
{
	char path[64];
	FILE *f;

	t->pid = p->pid;
	pthread_mutex_lock(&p->lock);
	if (t->thread < THREADS)
		p->inside[t->thread] = t->tid;
	pthread_mutex_unlock(&p->lock);
	snprintf(path, sizeof(path), "/proc/%d/task/%u/comm", (int)p->pid, t->tid);
	f = fopen(path, "re");
	if (f) {
		size_t n = fread(t->comm, 1, sizeof(t->comm) - 1, f);

		t->comm[n && t->comm[n - 1] == '\n' ? n - 1 : n] = 0;
		fclose(f);
	}
}

int page_source_output(struct page_source *p, const struct ev_output *e)
{
	struct output *o = malloc(sizeof(*o) + e->h.size);

	if (!o)
		return err_set(ERR_NOMEM, "output");
	o->next = NULL;
	o->since = io_now_ns();
	memcpy(&o->e, e, e->h.size);
	pthread_mutex_lock(&p->lock);
	if (e->thread && e->thread < THREADS)
		o->e.thread = p->outside[e->thread] ? index_of(p, p->outside[e->thread]) : 0;
	*p->last = o;
	p->last = &o->next;
	pthread_mutex_unlock(&p->lock);
	return 0;
}

void page_source_thread(struct page_source *p, const struct ev_thread *t)
{
	pthread_mutex_lock(&p->lock);
	if (t->thread < THREADS)
		p->outside[t->thread] = t->tid;
	pthread_mutex_unlock(&p->lock);
}

uint32_t page_source_index(struct page_source *p, uint32_t tid)
{
	uint32_t i;

	pthread_mutex_lock(&p->lock);
	i = index_of(p, tid);
	pthread_mutex_unlock(&p->lock);
	return i;
}

/* Output that comes before the record of that order; 0: whatever is due now. */
static int hand_out_output(struct page_source *p, uint64_t before, capture_fn fn, void *ctx)
{
	int n = 0, r = 0;

	while (__atomic_load_n(&p->first, __ATOMIC_RELAXED) && r >= 0) {
		struct output *o;
		bool due;

		pthread_mutex_lock(&p->lock);
		o = p->first;
		due = before ? o->e.h.order < before :
			       o->e.h.order <= p->last_order || io_now_ns() - o->since > HOLE_NS;
		if (due) {
			p->first = o->next;
			if (!p->first)
				p->last = &p->first;
		}
		pthread_mutex_unlock(&p->lock);
		if (!due)
			break;
		o->e.h.order = 0; /* it is no event of the page's count */
		r = fn(ctx, &o->e.h, o->e.h.size);
		free(o);
		n++;
	}
	return r < 0 ? r : n;
}

static int drain_round(struct page_source *p, capture_fn fn, void *ctx)
{
	uint64_t told = p->events.tail;
	int n = 0, r, size;

	while ((size = next_record(&p->events, p->record, sizeof(p->record)))) {
		struct ev_header *h = (struct ev_header *)p->record;

		if (size < 0) {
			p->bad++;
			continue;
		}
		if (__atomic_load_n(&p->first, __ATOMIC_RELAXED)) {
			r = hand_out_output(p, h->order, fn, ctx);
			if (r < 0)
				return r;
		}
		if (h->type == EV_THREAD && size == sizeof(struct ev_thread))
			complete_thread(p, (struct ev_thread *)h);
		p->last_order = h->order;
		r = fn(ctx, h, size);
		if (r < 0)
			return r;
		n++;
		if (p->events.tail - told >= ROUND_BYTES) {
			tell_room(&p->events);
			told = p->events.tail;
			__atomic_store_n(&p->pub->heartbeat, io_now_ns(), __ATOMIC_RELAXED);
		}
	}
	tell_room(&p->events);
	r = hand_out_output(p, 0, fn, ctx);
	return r < 0 ? r : n + r;
}

int page_source_drain(struct page_source *p, capture_fn fn, void *ctx, int timeout_ms)
{
	int n;

	__atomic_store_n(&p->pub->heartbeat, io_now_ns(), __ATOMIC_RELAXED);
	n = drain_round(p, fn, ctx);
	if (n || !timeout_ms)
		return n;
	wait_bell(&p->events, timeout_ms < DRAIN_SLICE_MS ? timeout_ms : DRAIN_SLICE_MS);
	return drain_round(p, fn, ctx);
}

int page_source_control(struct page_source *p, capture_fn fn, void *ctx, int timeout_ms)
{
	int n = 0, r, size;

	for (int turn = 0; turn < 2 && !n; turn++) {
		if (turn) {
			if (!timeout_ms)
				break;
			wait_bell(&p->control, timeout_ms);
		}
		while ((size = next_record(&p->control, p->request, sizeof(p->request)))) {
			struct ev_newcode *e = (struct ev_newcode *)p->request;

			if (size != sizeof(*e)) {
				p->bad++;
				continue;
			}
			e->h.order = 0;
			e->pid = p->pid;
			r = fn(ctx, &e->h, size);
			if (r < 0)
				return r;
			n++;
		}
		tell_room(&p->control);
	}
	return n;
}

void page_source_stats(struct page_source *p, struct capture_stats *s)
{
	struct rec_stats *st = &p->pub->stats;

	memset(s, 0, sizeof(*s));
	s->events = __atomic_load_n(&st->order, __ATOMIC_RELAXED);
	s->waits = st->waits;
	for (int i = 0; i < EVG_MAX; i++)
		s->gaps[i] = st->gaps[i];
	s->gaps[EVG_BAD_RECORD] += p->bad;
	s->ring_size = PAGE_RING;
	s->ring_used = p->pub->events.head - p->events.tail;
	if (s->ring_used > s->ring_size)
		s->ring_used = s->ring_size;
}

void page_source_new_epoch(struct page_source *p)
{
	__atomic_fetch_add(&p->pub->cfg.epoch, 1, __ATOMIC_RELAXED);
}
