/* SPDX-License-Identifier: MIT */
/*
 * assemble.c: one record after the other into the timeline.
 *
 * A thread's stack follows the records, never their `depth`: an entry pushes, a
 * return pops the frame it names; frames above one that runs again were left
 * unseen and are closed without a value. A record that makes no sense is counted
 * and passed over.
 */
#include "trace/assemble.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trace/assemble_timeline.h"
#include "util/err.h"

#define RUNS_AT_ONCE (64u << 10)

static struct value_type *env_type(void *ctx, uint32_t id)
{
	struct assembler *a = ctx;

	return codes_type(&a->codes, id);
}

static int env_intern(void *ctx, const char *name, size_t len, uint32_t *id)
{
	struct assembler *a = ctx;

	return trace_type(a->w, name, len, id);
}

int assembler_new(struct assembler **ret, struct trace_writer *w)
{
	struct assembler *a = calloc(1, sizeof(*a));
	struct value_env env = { .ctx = a, .type = env_type, .intern = env_intern };
	int rc;

	if (!a)
		return err_set(ERR_NOMEM, "an assembler");
	a->w = w;
	cache_init(&a->cache);
	rc = codes_init(&a->codes, w);
	if (rc == 0)
		rc = value_encoder_new(&a->values, &env);
	if (rc < 0) {
		assembler_free(a);
		return rc;
	}
	*ret = a;
	return 0;
}

static void thread_free(void *p)
{
	struct thread *t = p;

	free(t->frames);
	free(t);
}

struct assembler *assembler_free(struct assembler *a)
{
	if (!a)
		return NULL;
	for (size_t i = 0; i < a->threads.cap; i++) {
		struct thread *t = a->threads.entries[i].value;

		for (uint32_t n = t ? t->n : 0; n-- > 0;)
			frame_free(&a->pool, t->frames[n]);
	}
	map_deinit(&a->threads, thread_free);
	frame_pool_deinit(&a->pool);
	cache_deinit(&a->cache);
	value_encoder_free(a->values);
	codes_deinit(&a->codes);
	buf_deinit(&a->value);
	buf_deinit(&a->name);
	buf_deinit(&a->module);
	buf_deinit(&a->root_exc);
	times_deinit(&a->times);
	buf_deinit(&a->runs);
	free(a->meta_json);
	free(a->end_json);
	free(a);
	return NULL;
}

static int take_text(const struct ev_header *h, char **to)
{
	const struct ev_text *t = (const void *)h;

	if (h->size < sizeof(*t) || t->len > h->size - sizeof(*t))
		return 1;
	free(*to);
	*to = strndup((const char *)(t + 1), t->len);
	return *to ? 0 : err_set(ERR_NOMEM, "a text of the journal");
}

static int define_source(struct assembler *a, const struct ev_defsource *d)
{
	const char *path = (const char *)(d + 1);
	uint32_t sizes[2] = { d->path_len, d->text_len };
	size_t left;
	int rc;

	if (d->h.size < sizeof(*d))
		return 1;
	left = d->h.size - sizeof(*d);
	if (d->path_len > left || EV_PAD8((size_t)d->path_len) > left ||
	    d->text_len > left - EV_PAD8((size_t)d->path_len))
		return 1;
	rc = codes_source(&a->codes, path, d->path_len, path + EV_PAD8((size_t)d->path_len),
			  d->text_len);
	if (rc == 0)
		rc = trace_internal(a->w, "cx.src", sizes, sizeof(sizes));
	if (rc == 0)
		rc = trace_internal(a->w, "cx.src", path, d->path_len);
	if (rc == 0)
		rc = trace_internal(a->w, "cx.src", path + EV_PAD8((size_t)d->path_len), d->text_len);
	return rc;
}

int assembler_define(struct assembler *a, const struct ev_header *h)
{
	int rc = 0;

	switch (h->type) {
	case EV_DEFCODE:
		rc = codes_define(&a->codes, (const void *)h);
		break;
	case EV_DEFTYPE:
		rc = codes_define_type(&a->codes, (const void *)h);
		cache_clear(&a->cache);
		break;
	case EV_DEFSOURCE:
		rc = define_source(a, (const void *)h);
		break;
	case EV_META:
		rc = take_text(h, &a->meta_json);
		if (rc == 0)
			rc = finish_workdir(a);
		break;
	case EV_END:
		rc = take_text(h, &a->end_json);
		break;
	}
	if (rc > 0) {
		a->gaps[EVG_BAD_RECORD]++;
		rc = 0;
	}
	return rc;
}

/* The frame a record is about, as t's top: frames above it are closed, one that
 * is nowhere is made. NULL: *rc. */
static struct frame *running(struct assembler *a, struct thread *t, const struct ev_frame *e, int *rc)
{
	uint32_t least = t->n > SEARCH_DEPTH ? t->n - SEARCH_DEPTH : 0;
	struct frame *f;

	if (t->n && t->frames[t->n - 1]->serial == e->frame)
		return t->frames[t->n - 1];
	for (uint32_t i = t->n; i-- > least;) {
		if (t->frames[i]->serial != e->frame)
			continue;
		while (t->n > i + 1 && *rc == 0)
			*rc = timeline_pop(a, t, NULL, false);
		return *rc ? NULL : t->frames[i];
	}
	f = timeline_push(a, t, e->frame, codes_get(&a->codes, e->code), rc);
	if (!f)
		return NULL;
	a->late_frames++;
	if (f->code->is_module)
		*rc = timeline_name_module(a, t, f, NULL);
	return *rc ? NULL : f;
}

/* Keeps what a generator was resumed with by throw(): a->value. */
static int keep_thrown(struct assembler *a, struct frame *f)
{
	uint8_t *p = malloc(a->value.len);

	if (!p)
		return err_set(ERR_NOMEM, "an exception");
	f->thrown = (struct trace_var){ .len = (uint32_t)a->value.len,
					.cbor = memcpy(p, a->value.data, a->value.len) };
	return trace_varname(a->w, "exception", 9, &f->thrown.name);
}

/* A frame from before the recording: where it stands, in a call that it may be
 * far in, is all that will be seen of it until it runs again. */
static int show_late(struct assembler *a, struct thread *t, struct frame *f, const struct ev_frame *e)
{
	uint32_t line = code_line_at(f->code, e->lasti);

	a->late_frames++;
	return line ? timeline_step(a, t, line) : 0;
}

static int on_entry(struct assembler *a, struct thread *t, const struct ev_frame *e)
{
	struct vars_request q = { .exc = &a->value };
	bool resumed = e->h.flags & (EVF_RESUME | EVF_THROW);
	struct frame *f;
	int rc = 0;

	f = timeline_push(a, t, e->frame, codes_get(&a->codes, e->code), &rc);
	if (!f)
		return rc;
	q.frame = f;
	rc = vars_take(a, e, &q);
	if (rc == 0 && f->code->is_module)
		rc = timeline_name_module(a, t, f, q.got_module ? (const char *)a->module.data : NULL);
	f->args = !resumed && !(e->h.flags & EVF_NAMES);
	if (rc == 0 && q.got_exc)
		rc = keep_thrown(a, f);
	if (rc == 0)
		rc = timeline_try_root(a, t);
	if (rc == 0 && e->h.flags & EVF_LATE)
		return show_late(a, t, f, e);
	if (rc == 0 && !resumed && f->code->entry_line)
		rc = timeline_step(a, t, f->code->entry_line);
	return rc;
}

static int on_line(struct assembler *a, struct thread *t, const struct ev_frame *e)
{
	struct vars_request q = { 0 };
	struct frame *f;
	uint32_t line;
	int rc = 0;

	f = q.frame = running(a, t, e, &rc);
	if (!f)
		return rc;
	rc = vars_take(a, e, &q);
	if (rc == 0 && e->h.flags & EVF_LATE) { /* and this is where it stands */
		f->args = !(e->h.flags & EVF_NAMES);
		rc = timeline_try_root(a, t);
	}
	line = code_line_at(f->code, e->lasti);
	if (rc < 0 || !line)
		return rc;
	if (f->code->d && line_is_repeat(f->code->d, &f->code->parts, e->lasti))
		return 0;
	return timeline_step(a, t, line);
}

static int on_return(struct assembler *a, struct thread *t, const struct ev_frame *e)
{
	struct vars_request q = { .ret = &a->value, .exc = &a->value };
	bool failed = e->h.flags & EVF_UNWIND;
	struct frame *f;
	int rc = 0;

	f = running(a, t, e, &rc);
	if (!f)
		return rc;
	if (!f->shown) /* it had no step */
		rc = timeline_open(a, t);
	if (rc == 0)
		rc = vars_take(a, e, &q);
	if (rc < 0)
		return rc;
	if (e->h.flags & EVF_NOVALUES && !q.got_ret && !q.got_exc) {
		buf_clear(&a->value);
		rc = value_error(a->values, VARS_NOT_READ, &a->value);
		if (rc < 0)
			return rc;
		q.got_ret = !failed;
		q.got_exc = failed;
	}
	return timeline_pop(a, t, q.got_ret || q.got_exc ? &a->value : NULL, failed && q.got_exc);
}

static int on_frame(struct assembler *a, const struct ev_frame *e)
{
	struct thread *t;
	int rc = 0;

	if (e->h.size < sizeof(*e))
		return 1;
	/* its plan came after its first events: those are not wanted either */
	if (codes_get(&a->codes, e->code)->skip)
		return 0;
	t = timeline_thread(a, e->thread, &rc);
	if (!t)
		return rc;
	a->no_values += !!(e->h.flags & EVF_NOVALUES);
	a->cut_events += !!(e->h.flags & EVF_CUT);
	if (e->time) {
		if (!a->first_time || e->time < a->first_time)
			a->first_time = e->time;
		if (e->time > a->last_time)
			a->last_time = e->time;
		rc = times_add(&a->times, a->w, a->steps, e->time);
		if (rc == 0 && a->runs.len > RUNS_AT_ONCE)
			rc = finish_runs(a);
		if (rc < 0)
			return rc;
	}
	switch (e->h.type) {
	case EV_ENTRY:
		return on_entry(a, t, e);
	case EV_LINE:
		return on_line(a, t, e);
	default:
		return on_return(a, t, e);
	}
}

/* kinds: trace-format.md section 7; what was read has none of its own */
static const struct {
	const char *name;
	uint8_t kind;
} streams[] = { { "stdin", 4 }, { "stdout", 0 }, { "stderr", 12 } };

static int on_output(struct assembler *a, const struct ev_output *e)
{
	struct thread *t = map_get(&a->threads, e->thread);
	unsigned stream = e->h.flags;
	char meta[160];
	int n;

	if (e->h.size < sizeof(*e) || e->n > e->h.size - sizeof(*e) || stream > 2)
		return 1;
	n = snprintf(meta, sizeof(meta), "{\"stream\":\"%s\",\"thread\":%u", streams[stream].name,
		     t ? t->tid : 0);
	if (t && t->last_step)
		n += snprintf(meta + n, sizeof(meta) - n, ",\"path_id\":%u,\"line\":%u", t->last_path,
			      t->last_line);
	n += snprintf(meta + n, sizeof(meta) - n, "}");
	a->events++;
	return trace_event(a->w, streams[stream].kind, meta, n, (const uint8_t *)(e + 1), e->n);
}

static int on_thread(struct assembler *a, const struct ev_thread *e)
{
	struct thread *t;
	int rc = 0;

	if (e->h.size < sizeof(*e))
		return 1;
	t = timeline_thread(a, e->thread, &rc);
	if (!t)
		return rc;
	t->tid = e->tid;
	t->pid = e->pid;
	memcpy(t->comm, e->comm, sizeof(e->comm));
	return 0;
}

static int on_gap(struct assembler *a, const struct ev_gap *e)
{
	if (e->h.size < sizeof(*e) || !e->reason || e->reason >= EVG_MAX)
		return 1;
	a->gaps[e->reason] += e->count;
	a->lossy |= e->reason == EVG_RING_FULL || e->reason == EVG_BAD_RECORD ||
		    e->reason == EVG_JOURNAL || e->reason == EVG_DISK;
	return 0;
}

int assembler_feed(struct assembler *a, const struct ev_header *h)
{
	int rc;

	switch (h->type) {
	case EV_LINE:
	case EV_ENTRY:
	case EV_RETURN:
		rc = on_frame(a, (const void *)h);
		break;
	case EV_OUTPUT:
		rc = on_output(a, (const void *)h);
		break;
	case EV_THREAD:
		rc = on_thread(a, (const void *)h);
		break;
	case EV_GAP:
		rc = on_gap(a, (const void *)h);
		break;
	case EV_CHECKPOINT:
		rc = checkpoint_take(a, (const void *)h);
		break;
	case EV_PROCESS:
		rc = 0;
		break;
	default:
		rc = 1;
	}
	if (rc > 0) {
		a->gaps[EVG_BAD_RECORD]++;
		rc = 0;
	}
	return rc;
}
