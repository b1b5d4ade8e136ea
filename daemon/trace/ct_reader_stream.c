/* SPDX-License-Identifier: MIT */
/*
 * Chunked streams, read through a window of decoded bytes. A chunk is never
 * decoded as a whole: its content size is whatever the file says, and the
 * records of one chunk may be many and large.
 *
 * Every chunk but the last holds exactly `per` records, which is what makes a
 * record's chunk known without reading those before; it is checked on the way.
 */
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trace/ct_reader_private.h"
#include "util/err.h"

#define PACKED_SIZE (64u << 10)
#define RAW_SIZE (128u << 10)
#define WINDOW_LOG_MAX 25 /* 32 MB; level 3 takes 2 MB */

static int bad(const struct chunk_in *s, const char *what)
{
	return err_set(ERR_BAD_TRACE, "%s, chunk %llu: %s", s->name,
		       (unsigned long long)(s->chunk ? s->chunk - 1 : 0), what);
}

int chunk_in_init(struct chunk_in *s, const struct ctfs_reader *c, const char *name)
{
	char file[CTFS_NAME_MAX + 1];
	int dat, idx;

	memset(s, 0, sizeof(*s));
	s->name = name;
	snprintf(file, sizeof(file), "%s.dat", name);
	dat = ctfs_open(c, file, &s->dat);
	if (dat < 0)
		return dat;
	snprintf(file, sizeof(file), "%s.idx", name);
	idx = ctfs_open(c, file, &s->idx);
	if (idx < 0)
		return idx;
	if (!dat || !idx || s->idx.size < 4)
		return 0;
	idx = ctfs_read(&s->idx, 0, &s->per, 4);
	if (idx < 0)
		return idx;
	s->per = le32toh(s->per);
	s->nchunks = (s->idx.size - 4) / 8;
	if (s->nchunks && !s->per)
		return bad(s, "chunks of no records");
	return 0;
}

void chunk_in_deinit(struct chunk_in *s)
{
	ctfs_in_deinit(&s->dat);
	ctfs_in_deinit(&s->idx);
	ZSTD_freeDCtx(s->d);
	free(s->packed);
	free(s->raw);
}

void chunk_in_goto(struct chunk_in *s, uint64_t chunk)
{
	s->chunk = chunk < s->nchunks ? chunk : s->nchunks;
	s->open = false;
	s->left = 0;
	s->raw_at = s->raw_len = 0;
}

static int make_buffers(struct chunk_in *s)
{
	if (s->d)
		return 0;
	s->d = ZSTD_createDCtx();
	s->packed = malloc(PACKED_SIZE);
	s->raw = malloc(RAW_SIZE);
	if (!s->d || !s->packed || !s->raw)
		return err_set(ERR_NOMEM, "reading %s", s->name);
	ZSTD_DCtx_setParameter(s->d, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
	return 0;
}

static int open_chunk(struct chunk_in *s)
{
	uint64_t range[2] = { 0, htole64(s->dat.size) };
	int r = make_buffers(s);

	if (r >= 0)
		r = ctfs_read(&s->idx, 4 + 8 * s->chunk, range, s->chunk + 1 < s->nchunks ? 16 : 8);
	if (r < 0)
		return r;
	s->chunk++;
	s->at = le64toh(range[0]);
	s->end = le64toh(range[1]);
	if (s->at >= s->end || s->end > s->dat.size)
		return bad(s, "its place is not inside the stream");
	ZSTD_DCtx_reset(s->d, ZSTD_reset_session_only);
	s->in = (ZSTD_inBuffer){ s->packed, 0, 0 };
	s->raw_at = s->raw_len = 0;
	s->in_chunk = 0;
	s->open = true;
	s->done = false;
	return 0;
}

/* More decoded bytes once the window is used up: 1, 0 at the frame's end. */
static int fill(struct chunk_in *s)
{
	s->raw_at = s->raw_len = 0;
	while (!s->done && !s->raw_len) {
		ZSTD_outBuffer out = { s->raw, RAW_SIZE, 0 };
		bool dry;
		size_t left;

		if (s->in.pos == s->in.size && s->at < s->end) {
			size_t n = s->end - s->at < PACKED_SIZE ? s->end - s->at : PACKED_SIZE;
			int r = ctfs_read(&s->dat, s->at, s->packed, n);

			if (r < 0)
				return r;
			s->at += n;
			s->in = (ZSTD_inBuffer){ s->packed, n, 0 };
		}
		dry = s->in.pos == s->in.size;
		left = ZSTD_decompressStream(s->d, &out, &s->in);
		if (ZSTD_isError(left))
			return bad(s, ZSTD_getErrorName(left));
		s->raw_len = out.pos;
		s->done = left == 0;
		if (dry && !out.pos && !s->done)
			return bad(s, "it ends too early");
		if (s->done && (s->in.pos != s->in.size || s->at != s->end))
			return bad(s, "bytes after its frame");
	}
	return s->raw_len != 0;
}

int chunk_in_next(struct chunk_in *s)
{
	int r = chunk_in_skip(s, s->left);

	while (r >= 0) {
		if (s->open) {
			r = s->raw_at < s->raw_len ? 1 : fill(s);
			if (r < 0)
				return r;
			if (r) {
				if (s->in_chunk == s->per)
					return bad(s, "more records than a chunk holds");
				s->in_chunk++;
				s->left = UINT64_MAX;
				return 1;
			}
			s->open = false;
			if (!s->in_chunk || (s->in_chunk != s->per && s->chunk != s->nchunks))
				return bad(s, "fewer records than a chunk holds");
		}
		if (s->chunk == s->nchunks)
			return 0;
		r = open_chunk(s);
	}
	return r;
}

int chunk_in_record(struct chunk_in *s)
{
	uint64_t len;
	int r = chunk_in_next(s);

	if (r <= 0)
		return r;
	r = chunk_in_varint(s, &len);
	s->left = r < 0 ? 0 : len;
	return r < 0 ? r : 1;
}

int chunk_in_keep(struct chunk_in *s, struct buf *to, uint64_t *v)
{
	*v = 0;
	for (unsigned shift = 0; shift < 70; shift += 7) {
		uint8_t c;

		if (s->raw_at == s->raw_len) {
			int r = fill(s);

			if (r <= 0)
				return r < 0 ? r : bad(s, "a record is cut");
		}
		if (!s->left)
			return bad(s, "a record is shorter than what it holds");
		c = s->raw[s->raw_at++];
		if (s->left != UINT64_MAX)
			s->left--;
		if (to)
			buf_u8(to, c);
		*v |= (uint64_t)(c & 127) << shift;
		if (c < 128)
			return 0;
	}
	return bad(s, "a number of more than ten bytes");
}

int chunk_in_varint(struct chunk_in *s, uint64_t *v)
{
	return chunk_in_keep(s, NULL, v);
}

/* to NULL: only skips. The buffer grows with the bytes that are there, not with n. */
static int take(struct chunk_in *s, struct buf *to, uint64_t n)
{
	if (n > s->left)
		return bad(s, "a record is shorter than what it holds");
	if (to && n > CT_RECORD_MAX - (to->len < CT_RECORD_MAX ? to->len : CT_RECORD_MAX))
		return bad(s, "a record is too large");
	while (n) {
		size_t have = s->raw_len - s->raw_at;

		if (!have) {
			int r = fill(s);

			if (r <= 0)
				return r < 0 ? r : bad(s, "a record is cut");
			continue;
		}
		if (have > n)
			have = n;
		if (to)
			buf_append(to, s->raw + s->raw_at, have);
		s->raw_at += have;
		s->left -= have;
		n -= have;
	}
	return to ? buf_check(to) : 0;
}

int chunk_in_bytes(struct chunk_in *s, struct buf *to, uint64_t n)
{
	return take(s, to, n);
}

int chunk_in_skip(struct chunk_in *s, uint64_t n)
{
	/* a record without a limit has been read to its end */
	if (s->left == UINT64_MAX)
		n = s->left = 0;
	return take(s, NULL, n);
}

int chunk_in_count_last(struct chunk_in *s, bool steps, uint64_t *n)
{
	uint64_t ignored;
	int r;

	chunk_in_goto(s, s->nchunks ? s->nchunks - 1 : 0);
	for (*n = 0;; ++*n) {
		r = steps ? chunk_in_next(s) : chunk_in_record(s);
		if (r <= 0)
			return r;
		for (int i = 0; steps && i < 2; i++) {
			r = chunk_in_varint(s, &ignored);
			if (r < 0)
				return r;
		}
	}
}
