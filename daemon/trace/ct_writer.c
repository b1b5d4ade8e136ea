/* SPDX-License-Identifier: MIT */
/*
 * The writer of .ct files (trace-format.md). Steps, values and events go out in
 * chunks as they come; calls when the trace is finished. The directory of the
 * container is written last of all, so that a trace is whole or none.
 */
#include <endian.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "trace/ct_text.h"
#include "trace/ct_writer_private.h"
#include "util/err.h"

#define META_FLAGS 0x0f10 /* column-aware; calls, steps, values, io */
#define LINES_MAX (1u << 24)

struct trace_writer {
	struct ctfs_writer *c;
	struct packer z;
	struct table_out paths, functions, types, varnames;
	struct chunk_out steps_out, values_out, calls_dat, events_out;
	struct calls_out calls;
	struct buf bases; /* uint64_t: address of each path's first line */
	uint64_t next_base;
	uint64_t steps, events, position;
	struct buf meta;  /* meta.dat up to the paths */
	struct buf workdir, scratch;
};

static void make_uuid(char out[37])
{
	struct timespec now;
	uint8_t u[16];
	uint64_t ms;

	if (getrandom(u, sizeof(u), 0) != sizeof(u))
		memset(u, 0, sizeof(u));
	clock_gettime(CLOCK_REALTIME, &now);
	ms = (uint64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
	for (int i = 0; i < 6; i++)
		u[i] = ms >> (8 * (5 - i));
	u[6] = 0x70 | (u[6] & 0x0f); /* version 7 */
	u[8] = 0x80 | (u[8] & 0x3f); /* variant */
	snprintf(out, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", u[0], u[1],
		 u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13], u[14], u[15]);
}

static void put_text(struct buf *b, const char *text)
{
	size_t n = strlen(text);

	buf_varint(b, utf8_clean(NULL, text, n));
	buf_utf8(b, text, n);
}

static int take_meta(struct trace_writer *w, const struct trace_meta *meta)
{
	const char *workdir = meta->workdir && *meta->workdir ? meta->workdir : "/";
	struct buf *b = &w->meta;
	char uuid[37];

	make_uuid(uuid);
	buf_append(b, "CTMD\3", 5);
	buf_u8(b, 0);
	buf_u8(b, META_FLAGS & 0xff);
	buf_u8(b, META_FLAGS >> 8);
	put_text(b, meta->recording_id ? meta->recording_id : uuid);
	put_text(b, meta->program ? meta->program : "");
	buf_varint(b, meta->nargs);
	for (size_t i = 0; i < meta->nargs; i++)
		put_text(b, meta->args[i]);
	put_text(b, workdir);
	put_text(b, meta->recorder ? meta->recorder : "ctrec");
	if (*workdir != '/')
		buf_u8(&w->workdir, '/');
	buf_utf8(&w->workdir, workdir, strlen(workdir));
	if (w->workdir.len && w->workdir.data[w->workdir.len - 1] != '/')
		buf_u8(&w->workdir, '/');
	return b->oom ? buf_check(b) : buf_check(&w->workdir);
}

static int init(struct trace_writer *w, int out_fd, int spool_dir_fd, const struct trace_meta *meta)
{
	int r = ctfs_writer_new(&w->c, out_fd);

	w->calls.rows.fd = w->calls.args.fd = w->calls.values.fd = -1;
	if (r >= 0)
		r = packer_init(&w->z);
	if (r >= 0)
		r = take_meta(w, meta);
	if (r >= 0)
		r = table_init(&w->paths, w->c, "paths");
	if (r >= 0)
		r = table_init(&w->functions, w->c, "funcs");
	if (r >= 0)
		r = table_init(&w->types, w->c, "types");
	if (r >= 0)
		r = table_init(&w->varnames, w->c, "varnames");
	if (r >= 0)
		r = chunk_init(&w->steps_out, w->c, "steps", CT_STEPS_CHUNK);
	if (r >= 0)
		r = chunk_init(&w->values_out, w->c, "values", CT_VALUES_CHUNK);
	if (r >= 0)
		r = chunk_init(&w->calls_dat, w->c, "calls", CT_CALLS_CHUNK);
	if (r >= 0)
		r = chunk_init(&w->events_out, w->c, "events", CT_EVENTS_CHUNK);
	if (r >= 0)
		r = calls_init(&w->calls, spool_dir_fd);
	return r;
}

int ct_writer_new(struct trace_writer **ret, int out_fd, int spool_dir_fd, const struct trace_meta *meta)
{
	struct trace_writer *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return err_set(ERR_NOMEM, "a trace writer");
	r = init(w, out_fd, spool_dir_fd, meta);
	if (r < 0) {
		trace_writer_free(w);
		return r;
	}
	*ret = w;
	return 0;
}

struct trace_writer *trace_writer_free(struct trace_writer *w)
{
	if (!w)
		return NULL;
	packer_deinit(&w->z);
	table_deinit(&w->paths);
	table_deinit(&w->functions);
	table_deinit(&w->types);
	table_deinit(&w->varnames);
	chunk_deinit(&w->steps_out);
	chunk_deinit(&w->values_out);
	chunk_deinit(&w->calls_dat);
	chunk_deinit(&w->events_out);
	calls_deinit(&w->calls);
	ctfs_writer_free(w->c);
	buf_deinit(&w->bases);
	buf_deinit(&w->meta);
	buf_deinit(&w->workdir);
	buf_deinit(&w->scratch);
	free(w);
	return NULL;
}

/* All lines are one column wide: then the column is always 1 and means nothing. */
static int put_path_record(struct trace_writer *w, uint32_t nlines)
{
	static const uint8_t zeros[4096];
	struct buf record = { 0 };
	int r;

	buf_str(&record, w->scratch.data, w->scratch.len);
	buf_varint(&record, nlines);
	buf_svarint(&record, 1);
	r = buf_check(&record);
	if (r >= 0)
		r = ctfs_append(w->paths.dat, record.data, record.len);
	buf_deinit(&record);
	for (uint32_t left = nlines - 1; r >= 0 && left;) {
		uint32_t n = left < sizeof(zeros) ? left : sizeof(zeros);

		r = ctfs_append(w->paths.dat, zeros, n);
		left -= n;
	}
	return r < 0 ? r : table_record_end(&w->paths);
}

int trace_path(struct trace_writer *w, const char *path, size_t len, uint32_t nlines, uint32_t *id)
{
	int r;

	nlines = nlines < 1 ? 1 : nlines > LINES_MAX ? LINES_MAX : nlines;
	buf_clear(&w->scratch);
	/* readers take absolute paths, and names such as <string> */
	if (!len)
		buf_append(&w->scratch, "<unknown>", 9);
	else if (*path != '/' && *path != '<')
		buf_append(&w->scratch, w->workdir.data, w->workdir.len);
	buf_utf8(&w->scratch, path, len);
	if (w->scratch.oom)
		return buf_check(&w->scratch);
	r = table_intern(&w->paths, w->scratch.data, w->scratch.len, nlines, id);
	if (r <= 0)
		return r;
	buf_u64(&w->bases, w->next_base);
	w->next_base += nlines;
	if (w->bases.oom)
		return buf_check(&w->bases);
	return put_path_record(w, nlines);
}

static int intern(struct trace_writer *w, struct table_out *t, const char *name, size_t len, uint32_t *id)
{
	int r;

	buf_clear(&w->scratch);
	buf_utf8(&w->scratch, name, len);
	if (w->scratch.oom)
		return buf_check(&w->scratch);
	r = table_intern(t, w->scratch.data, w->scratch.len, 0, id);
	if (r <= 0)
		return r;
	r = ctfs_append(t->dat, w->scratch.data, w->scratch.len);
	return r < 0 ? r : table_record_end(t);
}

int trace_function(struct trace_writer *w, const char *name, size_t len, uint32_t *id)
{
	return intern(w, &w->functions, name, len, id);
}

int trace_type(struct trace_writer *w, const char *name, size_t len, uint32_t *id)
{
	return intern(w, &w->types, name, len, id);
}

int trace_varname(struct trace_writer *w, const char *name, size_t len, uint32_t *id)
{
	return intern(w, &w->varnames, name, len, id);
}

static int put_values(struct trace_writer *w, const struct trace_var *vars, size_t nvars)
{
	struct buf *b = &w->values_out.raw;
	size_t len = 1 + varint_len(nvars);

	if (!nvars) {
		buf_u8(b, 0);
		return chunk_commit(&w->values_out, &w->z);
	}
	for (size_t i = 0; i < nvars; i++)
		len += varint_len(vars[i].name) + varint_len(vars[i].len) + (size_t)vars[i].len;
	buf_varint(b, len);
	buf_u8(b, 0);
	buf_varint(b, nvars);
	for (size_t i = 0; i < nvars; i++) {
		buf_varint(b, vars[i].name);
		buf_str(b, vars[i].cbor, vars[i].len);
	}
	return chunk_commit(&w->values_out, &w->z);
}

int trace_step(struct trace_writer *w, uint32_t path, uint32_t line, const struct trace_var *vars, size_t nvars)
{
	struct buf *b = &w->steps_out.raw;
	uint64_t position;
	uint32_t nlines;
	int r;

	if (path >= w->paths.n)
		return err_set(ERR_UNKNOWN, "path %u of %u", path, w->paths.n);
	/* a line outside the table would be a line of another file */
	nlines = table_entry(&w->paths, path)->extra;
	line = line < 1 ? 1 : line > nlines ? nlines : line;
	position = ((const uint64_t *)w->bases.data)[path] + line - 1;
	if (!w->steps_out.n) {
		buf_u8(b, 0);
		buf_varint(b, position);
	} else {
		buf_u8(b, 1);
		buf_svarint(b, position - w->position);
	}
	w->position = position;
	r = chunk_commit(&w->steps_out, &w->z);
	if (r < 0)
		return r;
	w->steps++;
	return put_values(w, vars, nvars);
}

int trace_call_enter(struct trace_writer *w, uint32_t function, const struct trace_var *args, size_t nargs)
{
	if (function >= w->functions.n)
		return err_set(ERR_UNKNOWN, "function %u of %u", function, w->functions.n);
	return calls_enter(&w->calls, w->steps, function, args, nargs);
}

int trace_call_exit(struct trace_writer *w, const uint8_t *ret, size_t ret_len, const uint8_t *exc, size_t exc_len)
{
	return calls_exit(&w->calls, w->steps, ret, ret_len, exc, exc_len);
}

int trace_call_returned(struct trace_writer *w, uint64_t call, const uint8_t *ret, size_t ret_len,
			const uint8_t *exc, size_t exc_len)
{
	if (call >= w->calls.n)
		return err_set(ERR_UNKNOWN, "call %llu of %llu", (unsigned long long)call,
			       (unsigned long long)w->calls.n);
	return calls_returned(&w->calls, call, ret, ret_len, exc, exc_len);
}

int trace_event(struct trace_writer *w, uint8_t kind, const char *metadata, size_t metadata_len,
		const uint8_t *content, size_t content_len)
{
	struct buf *b = &w->events_out.raw;
	uint64_t step = w->steps ? w->steps - 1 : 0;
	size_t clean = utf8_clean(NULL, metadata, metadata_len);

	buf_varint(b, 1 + varint_len(step) + varint_len(clean) + clean + varint_len(content_len) + content_len);
	buf_u8(b, kind);
	buf_varint(b, step);
	buf_varint(b, clean);
	buf_utf8(b, metadata, metadata_len);
	buf_str(b, content, content_len);
	w->events++;
	return chunk_commit(&w->events_out, &w->z);
}

int trace_internal(struct trace_writer *w, const char *name, const void *data, size_t len)
{
	const char *dot = strrchr(name, '.');
	struct ctfs_out *f;
	int r;

	if (dot && (!strcmp(dot, ".dat") || !strcmp(dot, ".idx") || !strcmp(dot, ".off") || !strcmp(dot, ".log")))
		return err_set(ERR_UNKNOWN, "'%s' is a name of the format's own", name);
	r = ctfs_create(w->c, name, &f);
	return r < 0 ? r : ctfs_append(f, data, len);
}

uint64_t trace_steps(const struct trace_writer *w)
{
	return w->steps;
}

static int put_meta(struct trace_writer *w)
{
	struct buf json = { 0 };
	struct ctfs_out *f;
	int r;

	buf_varint(&w->meta, w->paths.n);
	buf_u8(&json, '[');
	for (uint32_t i = 0; i < w->paths.n; i++) {
		const struct table_entry *e = table_entry(&w->paths, i);

		buf_str(&w->meta, w->paths.text.data + e->at, e->len);
		if (i)
			buf_u8(&json, ',');
		buf_json_string(&json, w->paths.text.data + e->at, e->len);
	}
	buf_u8(&json, ']');
	r = w->meta.oom ? buf_check(&w->meta) : buf_check(&json);
	if (r >= 0)
		r = ctfs_create(w->c, "meta.dat", &f);
	if (r >= 0)
		r = ctfs_append(f, w->meta.data, w->meta.len);
	if (r >= 0)
		r = ctfs_create(w->c, "paths.json", &f);
	if (r >= 0)
		r = ctfs_append(f, json.data, json.len);
	buf_deinit(&json);
	return r;
}

int trace_finish(struct trace_writer *w, struct trace_counts *counts)
{
	struct trace_counts done = { .steps = w->steps, .calls = w->calls.n, .events = w->events };
	int r = 0;

	if (!w->steps || !w->calls.n)
		return err_set(ERR_NOTHING_RECORDED, "%llu steps, %llu calls", (unsigned long long)w->steps,
			       (unsigned long long)w->calls.n);
	while (r >= 0 && w->calls.nopen)
		r = calls_exit(&w->calls, w->steps, NULL, 0, NULL, 0);
	if (r >= 0)
		r = chunk_finish(&w->steps_out, &w->z);
	if (r >= 0)
		r = chunk_finish(&w->values_out, &w->z);
	if (r >= 0)
		r = chunk_finish(&w->events_out, &w->z);
	if (r >= 0)
		r = calls_flush(&w->calls);
	if (r >= 0)
		r = calls_merge(&w->calls, &w->calls_dat, &w->z);
	if (r >= 0)
		r = chunk_wait(&w->z);
	if (r >= 0)
		r = put_meta(w);
	if (r >= 0)
		r = ctfs_finish(w->c, &done.bytes);
	if (r >= 0 && counts)
		*counts = done;
	return r;
}
