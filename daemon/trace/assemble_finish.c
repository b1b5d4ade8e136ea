/* SPDX-License-Identifier: MIT */
/*
 * assemble_finish.c: what stands beside the timeline, and the whole way from a
 * journal to a trace.
 *
 * Internal files of our own, which other readers ignore:
 *	cx.meta    one JSON object: counts, losses, how the recording ended
 *	cx.loss    the same "gaps" object alone
 *	cx.src     source texts: u32 path length, u32 text length, path, text
 *	cx.time    when records were made, in microseconds: see assemble_time.h
 *	cx.thread  u64 first step, u64 thread index: runs of steps of one thread
 *	cx.tname   JSON array of the threads {"index","tid","name"}
 */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal/journal.h"
#include "trace/assemble_timeline.h"
#include "trace/value_text.h"
#include "util/err.h"

static const char *const gap_names[EVG_MAX] = EV_GAP_NAMES;

int finish_workdir(struct assembler *a)
{
	cJSON *m = cJSON_Parse(a->meta_json);
	const char *dir = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(m, "workdir"));
	int rc = codes_workdir(&a->codes, dir ? dir : "");

	cJSON_Delete(m);
	return rc;
}

int finish_runs(struct assembler *a)
{
	int rc = buf_check(&a->runs);

	if (rc == 0 && a->runs.len)
		rc = trace_internal(a->w, "cx.thread", a->runs.data, a->runs.len);
	buf_clear(&a->runs);
	return rc;
}

static double number(const cJSON *o, const char *name, double otherwise)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);

	return cJSON_IsNumber(v) && fabs(v->valuedouble) < 1e9 ? v->valuedouble : otherwise;
}

/* The root's return value is the exit status; a failure is the trace's last event. */
int finish_exit(struct assembler *a)
{
	cJSON *end = a->end_json ? cJSON_Parse(a->end_json) : NULL;
	int sig = number(end, "signal", 0), status = number(end, "status", 0), rc;
	char text[64] = "";
	bool known = sig || cJSON_HasObjectItem(end, "status");

	cJSON_Delete(end);
	if (sig)
		snprintf(text, sizeof(text), "error: killed by signal %d", sig);
	else if (status)
		snprintf(text, sizeof(text), "error: exit status %d", status);
	/* calls that were just beginning */
	rc = a->current ? timeline_open(a, a->current) : 0;
	if (rc == 0)
		rc = timeline_suspend(a);
	if (rc == 0 && *text) {
		rc = trace_event(a->w, 11, "{}", 2, (const uint8_t *)text, strlen(text));
		a->events++;
	}
	buf_clear(&a->value);
	if (rc == 0 && known)
		rc = value_int(a->values, sig ? 128 + sig : status, &a->value);
	if (rc == 0 && a->root_open)
		rc = trace_call_exit(a->w, known ? a->value.data : NULL, a->value.len,
				     a->root_exc.len ? a->root_exc.data : NULL, a->root_exc.len);
	return rc;
}

static void add_json(cJSON *to, const char *name, const char *text)
{
	cJSON *j = text ? cJSON_Parse(text) : NULL;

	if (j)
		cJSON_AddItemToObject(to, name, j);
}

static cJSON *gaps_json(const struct assemble_summary *s)
{
	cJSON *g = cJSON_CreateObject();

	for (int i = 1; i < EVG_MAX; i++)
		if (s->gaps[i])
			cJSON_AddNumberToObject(g, gap_names[i], s->gaps[i]);
	return g;
}

static int put_json(struct assembler *a, const char *name, cJSON *json)
{
	char *text = cJSON_PrintUnformatted(json);
	int rc = text ? trace_internal(a->w, name, text, strlen(text)) : err_set(ERR_NOMEM, "JSON");

	cJSON_free(text);
	cJSON_Delete(json);
	return rc;
}

static cJSON *threads_json(struct assembler *a)
{
	cJSON *list = cJSON_CreateArray();

	for (size_t i = 0; i < a->threads.cap; i++) {
		const struct thread *t = a->threads.entries[i].value;
		cJSON *o;

		if (!t || !t->last_step)
			continue;
		o = cJSON_CreateObject();
		cJSON_AddNumberToObject(o, "index", t->index);
		cJSON_AddNumberToObject(o, "tid", t->tid);
		/* JSON is UTF-8, a thread's name is whatever the program set */
		buf_clear(&a->name);
		text_utf8(&a->name, t->comm, strlen(t->comm));
		buf_u8(&a->name, 0);
		cJSON_AddStringToObject(o, "name", a->name.oom ? "" : (const char *)a->name.data);
		cJSON_AddItemToArray(list, o);
	}
	return list;
}

int finish_internal(struct assembler *a, const struct assemble_summary *s)
{
	cJSON *m = a->meta_json ? cJSON_Parse(a->meta_json) : NULL;
	int rc;

	if (!cJSON_IsObject(m)) {
		cJSON_Delete(m);
		m = cJSON_CreateObject();
	}
	cJSON_AddNumberToObject(m, "steps", s->steps);
	cJSON_AddNumberToObject(m, "calls", s->calls);
	cJSON_AddNumberToObject(m, "events", s->events);
	cJSON_AddNumberToObject(m, "threads", s->threads);
	cJSON_AddNumberToObject(m, "lost", s->lost);
	cJSON_AddNumberToObject(m, "no_values", s->no_values);
	cJSON_AddNumberToObject(m, "truncated", s->truncated);
	cJSON_AddNumberToObject(m, "cut_events", s->cut_events);
	cJSON_AddNumberToObject(m, "late_frames", a->late_frames);
	cJSON_AddItemToObject(m, "gaps", gaps_json(s));
	cJSON_AddNumberToObject(m, "duration_ns", s->duration_ns);
	cJSON_AddBoolToObject(m, "torn", a->torn);
	add_json(m, "end", a->end_json);
	rc = put_json(a, "cx.meta", m);
	if (rc == 0)
		rc = put_json(a, "cx.loss", gaps_json(s));
	if (rc == 0)
		rc = put_json(a, "cx.tname", threads_json(a));
	return rc;
}

int assembler_finish(struct assembler *a, struct assemble_summary *s)
{
	int rc;

	*s = (struct assemble_summary){ 0 };
	rc = finish_exit(a);
	if (rc == 0)
		rc = finish_runs(a);
	if (rc == 0)
		rc = times_flush(&a->times, a->w);
	s->steps = a->steps;
	s->calls = a->calls;
	s->events = a->events;
	s->no_values = a->no_values;
	s->truncated = a->truncated;
	s->cut_events = a->cut_events;
	s->duration_ns = a->last_time - a->first_time;
	memcpy(s->gaps, a->gaps, sizeof(s->gaps));
	s->lost = a->gaps[EVG_RING_FULL] + a->gaps[EVG_BAD_RECORD] + a->gaps[EVG_JOURNAL] +
		  a->gaps[EVG_BAD_FRAME] + a->gaps[EVG_DISK];
	for (size_t i = 0; i < a->threads.cap; i++) {
		const struct thread *t = a->threads.entries[i].value;

		s->threads += t && t->last_step;
	}
	return rc < 0 ? rc : finish_internal(a, s);
}

/* ---- from a journal to a trace ---- */

static int keep_meta(void *ctx, const struct ev_header *h)
{
	const struct ev_text *t = (const void *)h;
	char **text = ctx;

	if (h->type != EV_META || *text || h->size < sizeof(*t) || t->len > h->size - sizeof(*t))
		return 0;
	*text = strndup((const char *)(t + 1), t->len);
	return *text ? 0 : err_set(ERR_NOMEM, "the journal's description");
}

static int define(void *ctx, const struct ev_header *h)
{
	return assembler_define(ctx, h);
}

static int new_writer(struct trace_writer **w, const char *text, int out_fd, int spool_dir_fd)
{
	cJSON *m = text ? cJSON_Parse(text) : NULL;
	const cJSON *args = cJSON_GetObjectItemCaseSensitive(m, "args"), *arg;
	struct trace_meta meta = { .program = "", .workdir = "/", .recorder = "ctrec " CTREC_VERSION };
	const char **list = calloc(cJSON_GetArraySize(args) + 1, sizeof(*list));
	int rc;

#define TEXT(name) cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(m, name))
	if (TEXT("program"))
		meta.program = TEXT("program");
	if (TEXT("workdir"))
		meta.workdir = TEXT("workdir");
	if (TEXT("recorder"))
		meta.recorder = TEXT("recorder");
	meta.recording_id = TEXT("recording_id");
#undef TEXT
	if (!list) {
		cJSON_Delete(m);
		return err_set(ERR_NOMEM, "the program's arguments");
	}
	cJSON_ArrayForEach(arg, args) {
		const char *s = cJSON_GetStringValue(arg);

		list[meta.nargs++] = s ? s : "";
	}
	meta.args = list;
	rc = ct_writer_new(w, out_fd, spool_dir_fd, &meta);
	free(list);
	cJSON_Delete(m);
	return rc;
}

static int feed_all(struct assembler *a, struct journal_reader *r)
{
	const struct ev_header *h;
	int rc;

	while ((rc = journal_next(r, &h)) == 1) {
		rc = assembler_feed(a, h);
		if (rc < 0)
			return rc;
	}
	a->torn = journal_is_torn(r);
	return rc;
}

int assemble_journal(int journal_fd, int out_fd, int spool_dir_fd, struct assemble_summary *summary,
		     struct trace_counts *counts)
{
	struct journal_reader *r = NULL;
	struct trace_writer *w = NULL;
	struct assembler *a = NULL;
	char *meta = NULL;
	int rc;

	rc = journal_reader_new(&r, journal_fd);
	if (rc == 0)
		rc = journal_definitions(r, keep_meta, &meta);
	if (rc == 0)
		rc = new_writer(&w, meta, out_fd, spool_dir_fd);
	if (rc == 0)
		rc = assembler_new(&a, w);
	if (rc == 0)
		rc = journal_definitions(r, define, a);
	if (rc == 0)
		rc = feed_all(a, r);
	if (rc == 0)
		rc = assembler_finish(a, summary);
	if (rc == 0)
		rc = trace_finish(w, counts);
	assembler_free(a);
	trace_writer_free(w);
	journal_reader_free(r);
	free(meta);
	return rc;
}
