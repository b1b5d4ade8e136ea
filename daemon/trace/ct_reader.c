/* SPDX-License-Identifier: MIT */
/*
 * The reader of .ct files: opening, meta.dat, and the records of the streams.
 *
 * What is not needed is not read: counting takes an index and a last chunk, and
 * the table of lines is loaded when the first step is asked for. A call's
 * children stay in the stream, since a loop may make millions of them.
 */
#include <stdlib.h>
#include <string.h>

#include "trace/ct_reader_private.h"
#include "util/err.h"

#define META_MAX (8u << 20)

struct ct_reader {
	struct ctfs_reader *c;
	struct chunk_in streams[CT_NSTREAMS];
	struct table_in tables[CT_NTABLES];
	struct lines_in lines;
	bool has_lines;
	uint64_t next[CT_NSTREAMS]; /* number of the next record */
	uint64_t address;
	uint64_t children; /* of the call read last, still in the stream */
	struct buf records[CT_NSTREAMS];
	struct buf meta_bytes;
	struct ct_meta meta;
	bool has_meta;
};

static const char *const stream_names[] = { "steps", "values", "calls", "events" };
static const char *const table_names[] = { "paths", "funcs", "types", "varnames" };

bool ct_take_varint(struct cbor_in *in, uint64_t *v)
{
	*v = 0;
	for (unsigned shift = 0; shift < 70 && in->p < in->end; shift += 7) {
		uint8_t c = *in->p++;

		*v |= (uint64_t)(c & 127) << shift;
		if (c < 128)
			return true;
	}
	return false;
}

bool ct_take_str(struct cbor_in *in, struct cbor_in *s)
{
	uint64_t n;

	if (!ct_take_varint(in, &n) || n > (size_t)(in->end - in->p))
		return false;
	s->p = in->p;
	in->p += n;
	s->end = in->p;
	return true;
}

bool ct_take_var(struct cbor_in *in, struct ct_var *v)
{
	return ct_take_varint(in, &v->name) && ct_take_str(in, &v->cbor);
}

static int open_all(struct ct_reader *r, int fd)
{
	struct ctfs_in meta;
	int rc = ctfs_reader_new(&r->c, fd);

	if (rc >= 0)
		rc = ctfs_open(r->c, "meta.dat", &meta);
	if (rc == 0)
		rc = err_set(ERR_BAD_TRACE, "it has no meta.dat");
	for (unsigned i = 0; rc >= 0 && i < CT_NTABLES; i++)
		rc = table_in_init(&r->tables[i], r->c, table_names[i]);
	for (unsigned i = 0; rc >= 0 && i < CT_NSTREAMS; i++)
		rc = chunk_in_init(&r->streams[i], r->c, stream_names[i]);
	return rc < 0 ? rc : 0;
}

int ct_reader_new(struct ct_reader **ret, int fd)
{
	struct ct_reader *r = calloc(1, sizeof(*r));
	int rc;

	if (!r)
		return err_set(ERR_NOMEM, "a trace reader");
	rc = open_all(r, fd);
	if (rc < 0) {
		ct_reader_free(r);
		return rc;
	}
	*ret = r;
	return 0;
}

struct ct_reader *ct_reader_free(struct ct_reader *r)
{
	if (!r)
		return NULL;
	for (unsigned i = 0; i < CT_NTABLES; i++)
		table_in_deinit(&r->tables[i]);
	for (unsigned i = 0; i < CT_NSTREAMS; i++) {
		chunk_in_deinit(&r->streams[i]);
		buf_deinit(&r->records[i]);
	}
	lines_deinit(&r->lines);
	buf_deinit(&r->meta_bytes);
	ctfs_reader_free(r->c);
	free(r);
	return NULL;
}

const struct ctfs_reader *ct_container(const struct ct_reader *r)
{
	return r->c;
}

static bool parse_meta(struct ct_meta *m, struct cbor_in in)
{
	struct cbor_in arg;

	if (in.end - in.p < 8 || memcmp(in.p, "CTMD\3\0", 6))
		return false;
	m->flags = in.p[6] | in.p[7] << 8;
	in.p += 8;
	if (!ct_take_str(&in, &m->recording_id) || !ct_take_str(&in, &m->program) ||
	    !ct_take_varint(&in, &m->nargs))
		return false;
	m->args = in;
	for (uint64_t i = 0; i < m->nargs; i++)
		if (!ct_take_str(&in, &arg))
			return false;
	m->args.end = in.p;
	return ct_take_str(&in, &m->workdir) && ct_take_str(&in, &m->recorder);
}

int ct_meta(struct ct_reader *r, const struct ct_meta **ret)
{
	struct ctfs_in f;
	size_t n;
	int rc;

	*ret = &r->meta;
	if (r->has_meta)
		return 0;
	rc = ctfs_open(r->c, "meta.dat", &f);
	if (rc < 0)
		return rc;
	/* the paths at its end, which may be many, are in their table as well */
	n = f.size < META_MAX ? f.size : META_MAX;
	buf_clear(&r->meta_bytes);
	if (!buf_reserve(&r->meta_bytes, n + 1))
		return buf_check(&r->meta_bytes);
	rc = ctfs_read(&f, 0, r->meta_bytes.data, n);
	ctfs_in_deinit(&f);
	if (rc < 0)
		return rc;
	if (!parse_meta(&r->meta, (struct cbor_in){ r->meta_bytes.data, r->meta_bytes.data + n }))
		return err_set(ERR_BAD_TRACE, "meta.dat is not one of version 3");
	r->has_meta = true;
	return 0;
}

int ct_count(struct ct_reader *r, enum ct_stream stream, uint64_t *n)
{
	struct chunk_in s;
	uint64_t last = 0;
	int rc = chunk_in_init(&s, r->c, stream_names[stream]);

	if (rc >= 0 && s.nchunks)
		rc = chunk_in_count_last(&s, stream == CT_STEPS, &last);
	*n = s.nchunks ? (s.nchunks - 1) * s.per + last : 0;
	chunk_in_deinit(&s);
	return rc;
}

uint64_t ct_table_count(const struct ct_reader *r, enum ct_table table)
{
	return r->tables[table].n;
}

int ct_name(struct ct_reader *r, enum ct_table table, uint64_t id, struct cbor_in *text)
{
	return table_in_name(&r->tables[table], table == CT_PATHS, id, text);
}

/* One step, without looking up its line: 1, 0 at the end. */
static int read_step(struct ct_reader *r, bool *absolute)
{
	struct chunk_in *s = &r->streams[CT_STEPS];
	uint64_t tag, v = 0;
	int rc = chunk_in_next(s);

	if (rc <= 0)
		return rc;
	rc = chunk_in_varint(s, &tag);
	if (rc >= 0)
		rc = chunk_in_varint(s, &v);
	if (rc < 0)
		return rc;
	if (tag > 1 || (tag == 1 && s->in_chunk == 1))
		return err_set(ERR_BAD_TRACE, "step %llu is of kind %llu%s",
			       (unsigned long long)r->next[CT_STEPS], (unsigned long long)tag,
			       tag == 1 ? " at the start of a chunk" : "");
	*absolute = !tag;
	r->address = tag ? r->address + ((v >> 1) ^ -(v & 1)) : v;
	r->next[CT_STEPS]++;
	return 1;
}

int ct_seek(struct ct_reader *r, enum ct_stream stream, uint64_t record)
{
	struct chunk_in *s = &r->streams[stream];
	bool absolute;
	int rc = 1;

	if (!s->nchunks)
		return 0;
	chunk_in_goto(s, record / s->per);
	r->next[stream] = record / s->per * s->per;
	if (stream == CT_CALLS)
		r->children = 0;
	while (rc > 0 && r->next[stream] < record) {
		if (stream == CT_STEPS) {
			rc = read_step(r, &absolute);
		} else {
			rc = chunk_in_record(s);
			r->next[stream] += rc > 0;
		}
	}
	return rc < 0 ? rc : 0;
}

int ct_next_step(struct ct_reader *r, struct ct_step *step)
{
	int rc;

	if (!r->has_lines) {
		rc = lines_load(&r->lines, &r->tables[CT_PATHS]);
		if (rc < 0)
			return rc;
		r->has_lines = true;
	}
	step->index = r->next[CT_STEPS];
	rc = read_step(r, &step->absolute);
	if (rc <= 0)
		return rc;
	if (!lines_find(&r->lines, r->address, step))
		return err_set(ERR_BAD_TRACE, "step %llu is on no line of any path",
			       (unsigned long long)step->index);
	return 1;
}

/* The whole next record into the stream's buffer. */
static int whole_record(struct ct_reader *r, enum ct_stream stream, struct cbor_in *in)
{
	struct chunk_in *s = &r->streams[stream];
	struct buf *b = &r->records[stream];
	int rc = chunk_in_record(s);

	if (rc <= 0)
		return rc;
	buf_clear(b);
	rc = chunk_in_bytes(s, b, s->left);
	if (rc < 0)
		return rc;
	in->p = b->data;
	in->end = b->len ? b->data + b->len : b->data;
	r->next[stream]++;
	return 1;
}

static int bad_record(const struct ct_reader *r, enum ct_stream stream)
{
	return err_set(ERR_BAD_TRACE, "%s: record %llu is damaged", stream_names[stream],
		       (unsigned long long)r->next[stream] - 1);
}

int ct_next_values(struct ct_reader *r, struct ct_vars *vars)
{
	int rc;

	*vars = (struct ct_vars){ 0 };
	rc = whole_record(r, CT_VALUES, &vars->in);
	if (rc <= 0 || vars->in.p == vars->in.end)
		return rc;
	if (*vars->in.p++ != 0 || !ct_take_varint(&vars->in, &vars->n))
		return bad_record(r, CT_VALUES);
	return 1;
}

int ct_next_event(struct ct_reader *r, struct ct_event *event)
{
	struct cbor_in in;
	int rc = whole_record(r, CT_EVENTS, &in);

	if (rc <= 0)
		return rc;
	if (in.p == in.end)
		return bad_record(r, CT_EVENTS);
	event->index = r->next[CT_EVENTS] - 1;
	event->kind = *in.p++;
	if (!ct_take_varint(&in, &event->step) || !ct_take_str(&in, &event->metadata) ||
	    !ct_take_str(&in, &event->content))
		return bad_record(r, CT_EVENTS);
	return 1;
}

/* A length and as many bytes: where they start in the buffer, and how many. */
static int take_value(struct chunk_in *s, struct buf *b, size_t *at, uint64_t *n)
{
	int rc = chunk_in_varint(s, n);

	*at = b->len;
	return rc < 0 ? rc : chunk_in_bytes(s, b, *n);
}

static int take_args(struct chunk_in *s, struct buf *b, uint64_t n)
{
	uint64_t v;
	int rc = 0;

	for (; rc >= 0 && n; n--) {
		rc = chunk_in_keep(s, b, &v);
		if (rc >= 0)
			rc = chunk_in_keep(s, b, &v);
		if (rc >= 0)
			rc = chunk_in_bytes(s, b, v);
	}
	return rc;
}

int ct_next_call(struct ct_reader *r, struct ct_call *call)
{
	struct chunk_in *s = &r->streams[CT_CALLS];
	struct buf *b = &r->records[CT_CALLS];
	uint64_t head[6] = { 0 }, ret = 0, exc = 0;
	size_t args_end, ret_at = 0, exc_at = 0;
	int rc = chunk_in_record(s);

	if (rc <= 0)
		return rc;
	r->children = 0;
	buf_clear(b);
	if (!buf_reserve(b, 1))
		return buf_check(b);
	for (unsigned i = 0; rc >= 0 && i < 6; i++)
		rc = chunk_in_varint(s, &head[i]);
	if (rc >= 0)
		rc = take_args(s, b, head[5]);
	args_end = b->len;
	if (rc >= 0)
		rc = take_value(s, b, &ret_at, &ret);
	if (rc >= 0)
		rc = take_value(s, b, &exc_at, &exc);
	if (rc >= 0)
		rc = chunk_in_varint(s, &r->children);
	if (rc < 0)
		return rc;
	*call = (struct ct_call){ .key = r->next[CT_CALLS]++,
				  .function = head[0],
				  .parent = (int64_t)((head[1] >> 1) ^ -(head[1] & 1)),
				  .entry = head[2],
				  .exit = head[3],
				  .depth = head[4],
				  .nchildren = r->children };
	call->args = (struct ct_vars){ { b->data, b->data + args_end }, head[5] };
	call->ret = (struct cbor_in){ b->data + ret_at, b->data + ret_at + ret };
	call->exc = (struct cbor_in){ b->data + exc_at, b->data + exc_at + exc };
	call->is_void = ret == 1 && *call->ret.p == 0xff;
	return 1;
}

int ct_next_child(struct ct_reader *r, uint64_t *key)
{
	int rc;

	if (!r->children)
		return 0;
	rc = chunk_in_varint(&r->streams[CT_CALLS], key);
	if (rc < 0)
		return rc;
	r->children--;
	return 1;
}
