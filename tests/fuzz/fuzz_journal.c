/* SPDX-License-Identifier: MIT */
/*
 * fuzz_journal.c: any bytes as a journal, and any records in a sound one.
 *
 * The first byte chooses: the rest is the file itself behind a sound header; or
 * it is the records of chunks whose hashes are right, so that the assembler is
 * reached; or the events are what is unfolded. The writer here only checks what
 * it is told: ids that were given, calls that nest, one root.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xxhash.h>
#include <zstd.h>

#include "journal/format.h"
#include "journal/journal.h"
#include "trace/assemble.h"
#include "util/buf.h"

struct trace_writer {
	uint32_t n[4]; /* paths, functions, types, varnames */
	uint32_t lines[65536];
	uint64_t steps;
	uint32_t depth, roots;
	uint64_t calls;
};

static struct trace_writer writer;

static void must(bool it)
{
	if (!it)
		abort();
}

int ct_writer_new(struct trace_writer **ret, int out_fd, int spool_dir_fd, const struct trace_meta *m)
{
	(void)out_fd;
	(void)spool_dir_fd;
	must(m->program && m->workdir && m->recorder && (m->args || !m->nargs));
	memset(writer.n, 0, sizeof(writer.n));
	writer.depth = writer.roots = 0;
	writer.steps = writer.calls = 0;
	*ret = &writer;
	return 0;
}

static int give(struct trace_writer *w, int table, const char *s, size_t len, uint32_t *id)
{
	must(len == 0 || s);
	*id = w->n[table]++;
	return 0;
}

int trace_path(struct trace_writer *w, const char *p, size_t len, uint32_t nlines, uint32_t *id)
{
	must(len && (p[0] == '/' || p[0] == '<') && nlines);
	if (w->n[0] < 65536)
		w->lines[w->n[0]] = nlines;
	return give(w, 0, p, len, id);
}

int trace_function(struct trace_writer *w, const char *p, size_t len, uint32_t *id)
{
	return give(w, 1, p, len, id);
}

int trace_type(struct trace_writer *w, const char *p, size_t len, uint32_t *id)
{
	return give(w, 2, p, len, id);
}

int trace_varname(struct trace_writer *w, const char *p, size_t len, uint32_t *id)
{
	return give(w, 3, p, len, id);
}

static void check_vars(struct trace_writer *w, const struct trace_var *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		must(v[i].name < w->n[3] && v[i].len && v[i].cbor[0] >> 5 == 5);
}

int trace_step(struct trace_writer *w, uint32_t path, uint32_t line, const struct trace_var *vars,
	       size_t nvars)
{
	must(path < w->n[0] && line && w->depth);
	must(path >= 65536 || line <= w->lines[path]);
	check_vars(w, vars, nvars);
	w->steps++;
	return 0;
}

int trace_call_enter(struct trace_writer *w, uint32_t function, const struct trace_var *args,
		     size_t nargs)
{
	must(function < w->n[1]);
	w->roots += w->depth == 0;
	must(w->roots == 1);
	check_vars(w, args, nargs);
	w->depth++;
	w->calls++;
	return 0;
}

int trace_call_exit(struct trace_writer *w, const uint8_t *ret, size_t ret_len, const uint8_t *exc,
		    size_t exc_len)
{
	must(w->depth);
	must((!ret || ret_len) && (!exc || exc_len));
	w->depth--;
	return 0;
}

int trace_call_returned(struct trace_writer *w, uint64_t call, const uint8_t *ret, size_t ret_len,
			const uint8_t *exc, size_t exc_len)
{
	must(call < w->calls);
	must((!ret || ret_len) && (!exc || exc_len));
	return 0;
}

int trace_event(struct trace_writer *w, uint8_t kind, const char *metadata, size_t metadata_len,
		const uint8_t *content, size_t content_len)
{
	(void)w;
	(void)kind;
	must(metadata_len > 1 && metadata[0] == '{' && metadata[metadata_len - 1] == '}');
	must(content || !content_len);
	return 0;
}

int trace_internal(struct trace_writer *w, const char *name, const void *data, size_t len)
{
	(void)w;
	must(*name && strlen(name) <= 12 && (data || !len));
	return 0;
}

int trace_finish(struct trace_writer *w, struct trace_counts *counts)
{
	(void)counts;
	must(w->depth == 0);
	return 0;
}

struct trace_writer *trace_writer_free(struct trace_writer *w)
{
	(void)w;
	return NULL;
}

uint64_t trace_steps(const struct trace_writer *w)
{
	return w->steps;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* p[0..n): the chunk's bytes before compression, of `raw` bytes of records. */
static void chunk(struct buf *b, unsigned kind, const uint8_t *p, size_t n, size_t raw)
{
	struct journal_chunk_header h = { .magic = JOURNAL_CHUNK_MAGIC, .kind = kind,
					  .raw = (uint32_t)raw, .nrecords = 1,
					  .folded = (uint32_t)n };
	size_t cap = ZSTD_compressBound(n), packed;
	uint8_t *to = malloc(cap);

	packed = ZSTD_compress(to, cap, p, n, -5);
	h.packed = (uint32_t)packed;
	h.hash = XXH64(to, packed, 0);
	h.header_hash = XXH64(&h, offsetof(struct journal_chunk_header, header_hash), 0);
	buf_append(b, &h, sizeof(h));
	buf_append(b, to, packed);
	free(to);
}

/* Records as they are: folded as one that is no frame event. */
static void plain_chunk(struct buf *b, const uint8_t *raw, size_t n)
{
	struct buf folded = { 0 };

	n -= n % 8;
	buf_u32(&folded, 1 + varint_len(n / 8));
	buf_u32(&folded, 0);
	buf_u8(&folded, 0);
	buf_varint(&folded, n / 8);
	buf_append(&folded, raw, n);
	chunk(b, JOURNAL_EVENTS, folded.data, folded.len, n);
	buf_deinit(&folded);
}

static int each(void *ctx, const struct ev_header *h)
{
	const uint8_t *p = (const uint8_t *)h;

	/* every byte that was promised is there */
	for (uint32_t i = 0; i < h->size; i += 8)
		*(uint64_t *)ctx += p[i];
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct journal_file_header fh = { .ev_version = EV_VERSION };
	struct assemble_summary summary;
	struct trace_counts counts;
	struct journal_reader *r;
	const struct ev_header *h;
	struct buf file = { 0 };
	uint64_t sum = 0;
	size_t split;
	int fd;

	if (size < 3)
		return 0;
	memcpy(fh.magic, JOURNAL_MAGIC, sizeof(fh.magic));
	buf_append(&file, &fh, sizeof(fh));
	split = 3 + (data[1] | (size_t)data[2] << 8) % (size - 2);
	if (data[0] & 1) {
		buf_append(&file, data + 3, size - 3);
	} else {
		chunk(&file, JOURNAL_DEFINITIONS, data + 3, split - 3, split - 3);
		if (data[0] & 2)
			chunk(&file, JOURNAL_EVENTS, data + split, size - split, data[0] * 64);
		else
			plain_chunk(&file, data + split, size - split);
	}
	fd = memfd_create("journal", 0);
	if (write(fd, file.data, file.len) != (ssize_t)file.len)
		abort();
	if (journal_reader_new(&r, fd) == 0) {
		journal_definitions(r, each, &sum);
		while (journal_next(r, &h) == 1)
			each(&sum, h);
		journal_reader_free(r);
	}
	if (!(data[0] & 1))
		assemble_journal(fd, -1, -1, &summary, &counts);
	close(fd);
	buf_deinit(&file);
	return 0;
}
