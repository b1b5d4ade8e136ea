/* SPDX-License-Identifier: MIT */
/*
 * Chunked streams. A chunk is one zstd frame that carries its content size,
 * without which official readers do not open a trace.
 *
 * Records of values repeat each other nearly whole (a step shows all variables
 * of its frame, a call the same objects as arguments), so larger chunks are
 * smaller files, as long as the window reaches far enough back. What counts is
 * few sequences rather than long searches: a lazy strategy finds 2 a record where
 * the default one finds 4. Bytes a line, values and calls, of deltablue and
 * richards: 14.9 + 11.7 and 12.3 + 9.2 at level 3 and chunks of 1024 and 256,
 * 9.4 + 8.4 and 7.8 + 6.1 like this; 4096 records take off another 5 %, at
 * twice as much to unpack for one step.
 *
 * Records may be large, too. Once a chunk's raw bytes pass CT_RAW_MAX
 * they go to a compressor of the stream's own, whose output is held back; the
 * frame then began without a content size, which is put into its header at the
 * end. So memory is bounded by what a chunk compresses to.
 */
#include <endian.h>
#include <string.h>

#include "trace/ct_writer_private.h"
#include "util/err.h"

#define OUT_PIECE (128u << 10)
#define PLAIN_HEADER 6u /* magic, descriptor, window: no content size, no dictionary */

static int zstd_fail(size_t code)
{
	return err_set(ZSTD_getErrorCode(code) == ZSTD_error_memory_allocation ? ERR_NOMEM : ERR_UNKNOWN,
		       "zstd: %s", ZSTD_getErrorName(code));
}

static ZSTD_CCtx *new_cctx(void)
{
	static const struct {
		ZSTD_cParameter name;
		int value;
	} set[] = {
		{ ZSTD_c_compressionLevel, CT_LEVEL }, { ZSTD_c_windowLog, 23 },
		{ ZSTD_c_strategy, ZSTD_lazy },	       { ZSTD_c_hashLog, 18 },
		{ ZSTD_c_chainLog, 18 },	       { ZSTD_c_searchLog, 3 },
		{ ZSTD_c_minMatch, 6 },
	};
	ZSTD_CCtx *cctx = ZSTD_createCCtx();

	for (size_t i = 0; cctx && i < sizeof(set) / sizeof(*set); i++)
		ZSTD_CCtx_setParameter(cctx, set[i].name, set[i].value);
	return cctx;
}

int packer_init(struct packer *z)
{
	memset(z, 0, sizeof(*z));
	z->cctx = new_cctx();
	return z->cctx ? 0 : err_set(ERR_NOMEM, "a compressor");
}

void packer_deinit(struct packer *z)
{
	ZSTD_freeCCtx(z->cctx);
	buf_deinit(&z->out);
}

int chunk_init(struct chunk_out *s, struct ctfs_writer *c, const char *name, uint32_t per)
{
	char file[CTFS_NAME_MAX + 1];
	uint32_t le = htole32(per);
	int r;

	memset(s, 0, sizeof(*s));
	s->per = per;
	snprintf(file, sizeof(file), "%s.dat", name);
	r = ctfs_create(c, file, &s->dat);
	if (r < 0)
		return r;
	snprintf(file, sizeof(file), "%s.idx", name);
	r = ctfs_create(c, file, &s->idx);
	return r < 0 ? r : ctfs_append(s->idx, &le, sizeof(le));
}

void chunk_deinit(struct chunk_out *s)
{
	buf_deinit(&s->raw);
	buf_deinit(&s->packed);
	ZSTD_freeCCtx(s->own);
}

static int mark_start(struct chunk_out *s)
{
	uint64_t at = htole64(ctfs_out_size(s->dat));

	return ctfs_append(s->idx, &at, sizeof(at));
}

/* Hands s->raw to s->own; the output gathers in s->packed. */
static int spill(struct chunk_out *s, ZSTD_EndDirective end)
{
	ZSTD_inBuffer in = { s->raw.data, s->raw.len, 0 };
	size_t left;

	if (!s->own)
		s->own = new_cctx();
	if (!s->own)
		return err_set(ERR_NOMEM, "a compressor");
	do {
		uint8_t *to = buf_reserve(&s->packed, OUT_PIECE);
		ZSTD_outBuffer out = { to, OUT_PIECE, 0 };

		if (!to)
			return buf_check(&s->packed);
		left = ZSTD_compressStream2(s->own, &out, &in, end);
		if (ZSTD_isError(left))
			return zstd_fail(left);
		s->packed.len += out.pos;
	} while (end == ZSTD_e_end ? left != 0 : in.pos < in.size);
	s->spilled += s->raw.len;
	buf_clear(&s->raw);
	return 0;
}

/* Ends a chunk that was spilled: gives the frame's header its content size. */
static int flush_spilled(struct chunk_out *s)
{
	uint8_t header[PLAIN_HEADER + 8];
	uint64_t size;
	int r;

	r = spill(s, ZSTD_e_end);
	if (r < 0)
		return r;
	if (s->packed.len < PLAIN_HEADER || s->packed.data[4] & 0xe3)
		return err_set(ERR_UNKNOWN, "zstd: a frame header of an unexpected shape");
	memcpy(header, s->packed.data, PLAIN_HEADER);
	header[4] |= 0xc0; /* an 8-byte content size follows the window */
	size = htole64(s->spilled);
	memcpy(header + PLAIN_HEADER, &size, 8);
	r = ctfs_append(s->dat, header, sizeof(header));
	if (r >= 0)
		r = ctfs_append(s->dat, s->packed.data + PLAIN_HEADER, s->packed.len - PLAIN_HEADER);
	buf_clear(&s->packed);
	s->spilled = 0;
	return r;
}

static int flush_chunk(struct chunk_out *s, struct packer *z)
{
	size_t bound, n;
	uint8_t *to;
	int r;

	s->n = 0;
	r = mark_start(s);
	if (r < 0)
		return r;
	if (s->spilled)
		return flush_spilled(s);
	bound = ZSTD_compressBound(s->raw.len);
	buf_clear(&z->out);
	to = buf_reserve(&z->out, bound);
	if (!to)
		return buf_check(&z->out);
	n = ZSTD_compress2(z->cctx, to, bound, s->raw.data, s->raw.len);
	if (ZSTD_isError(n))
		return zstd_fail(n);
	buf_clear(&s->raw);
	return ctfs_append(s->dat, to, n);
}

int chunk_commit(struct chunk_out *s, struct packer *z)
{
	if (s->raw.oom)
		return buf_check(&s->raw);
	if (++s->n == s->per)
		return flush_chunk(s, z);
	return s->raw.len > CT_RAW_MAX ? spill(s, ZSTD_e_continue) : 0;
}

int chunk_finish(struct chunk_out *s, struct packer *z)
{
	return s->n ? flush_chunk(s, z) : 0;
}

int frame_begin(struct chunk_out *s, struct packer *z, uint64_t size)
{
	size_t r = ZSTD_CCtx_reset(z->cctx, ZSTD_reset_session_only);

	if (!ZSTD_isError(r))
		r = ZSTD_CCtx_setPledgedSrcSize(z->cctx, size);
	return ZSTD_isError(r) ? zstd_fail(r) : mark_start(s);
}

static int frame_flush(struct chunk_out *s, struct packer *z, ZSTD_EndDirective end)
{
	ZSTD_inBuffer in = { s->raw.data, s->raw.len, 0 };
	size_t left;
	int r;

	buf_clear(&z->out);
	if (!buf_reserve(&z->out, OUT_PIECE))
		return buf_check(&z->out);
	do {
		ZSTD_outBuffer out = { z->out.data, OUT_PIECE, 0 };

		left = ZSTD_compressStream2(z->cctx, &out, &in, end);
		if (ZSTD_isError(left))
			return zstd_fail(left);
		r = ctfs_append(s->dat, out.dst, out.pos);
		if (r < 0)
			return r;
	} while (end == ZSTD_e_end ? left != 0 : in.pos < in.size);
	buf_clear(&s->raw);
	return 0;
}

int frame_put(struct chunk_out *s, struct packer *z, const void *data, size_t n)
{
	buf_append(&s->raw, data, n);
	if (s->raw.oom)
		return buf_check(&s->raw);
	return s->raw.len > CT_RAW_MAX ? frame_flush(s, z, ZSTD_e_continue) : 0;
}

int frame_end(struct chunk_out *s, struct packer *z)
{
	return frame_flush(s, z, ZSTD_e_end);
}
