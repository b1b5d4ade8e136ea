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

#define PLAIN_HEADER 6u /* magic, descriptor, window: no content size, no dictionary */

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

/* Gives a frame's header its content size, which was not known when it began. */
static int complete_header(struct chunk_out *s)
{
	uint8_t header[PLAIN_HEADER + 8];
	uint64_t size = htole64(s->given);
	int r;

	if (s->packed.len < PLAIN_HEADER || s->packed.data[4] & 0xe3)
		return err_set(ERR_UNKNOWN, "zstd: a frame header of an unexpected shape");
	memcpy(header, s->packed.data, PLAIN_HEADER);
	header[4] |= 0xc0; /* an 8-byte content size follows the window */
	memcpy(header + PLAIN_HEADER, &size, 8);
	r = ctfs_append(s->dat, header, sizeof(header));
	if (r >= 0)
		r = ctfs_append(s->dat, s->packed.data + PLAIN_HEADER, s->packed.len - PLAIN_HEADER);
	buf_clear(&s->packed);
	return r;
}

int chunk_wait(struct packer *z)
{
	struct chunk_out *s = z->of;
	bool end = z->piece.end == ZSTD_e_end;
	int r = 0;

	if (!s)
		return 0;
	pack_join(z);
	z->of = NULL;
	if (z->piece.out.oom)
		return buf_check(&z->piece.out);
	if (ZSTD_isError(z->piece.code))
		return packer_fail(z->piece.code);
	if (z->piece.hold ? end : z->piece.first)
		r = mark_start(s);
	if (r >= 0 && !z->piece.hold)
		return ctfs_append(s->dat, z->piece.out.data, z->piece.out.len);
	buf_append(&s->packed, z->piece.out.data, z->piece.out.len);
	if (r >= 0)
		r = buf_check(&s->packed);
	if (r >= 0 && end)
		r = complete_header(s);
	if (end)
		s->given = 0;
	return r;
}

/* Hands s->raw over to be compressed. */
static int hand_over(struct chunk_out *s, struct packer *z, ZSTD_EndDirective end)
{
	struct buf was;
	bool first, hold;
	int r = chunk_wait(z);

	if (r < 0)
		return r;
	first = !s->given;
	hold = !s->sized && !(first && end == ZSTD_e_end);
	if (hold && !s->own)
		s->own = packer_cctx();
	if (hold && !s->own)
		return err_set(ERR_NOMEM, "a compressor");
	was = z->piece.in;
	z->piece.in = s->raw;
	s->raw = was;
	buf_clear(&s->raw);
	z->piece.cctx = hold ? s->own : z->cctx;
	z->piece.end = end;
	z->piece.first = first;
	z->piece.hold = hold;
	z->of = s;
	s->given += z->piece.in.len;
	if (end == ZSTD_e_end && !hold) /* of what is held the size is still needed */
		s->given = 0;
	pack_start(z);
	return 0;
}

int chunk_commit(struct chunk_out *s, struct packer *z)
{
	if (s->raw.oom)
		return buf_check(&s->raw);
	if (++s->n == s->per)
		return chunk_finish(s, z);
	return s->raw.len > CT_RAW_MAX ? hand_over(s, z, ZSTD_e_continue) : 0;
}

int chunk_finish(struct chunk_out *s, struct packer *z)
{
	if (!s->n)
		return 0;
	s->n = 0;
	return hand_over(s, z, ZSTD_e_end);
}

int frame_begin(struct chunk_out *s, struct packer *z, uint64_t size)
{
	size_t n;
	int r = chunk_wait(z);

	if (r < 0)
		return r;
	s->sized = true;
	n = ZSTD_CCtx_reset(z->cctx, ZSTD_reset_session_only);
	if (!ZSTD_isError(n))
		n = ZSTD_CCtx_setPledgedSrcSize(z->cctx, size);
	return ZSTD_isError(n) ? packer_fail(n) : 0;
}

int frame_put(struct chunk_out *s, struct packer *z, const void *data, size_t n)
{
	buf_append(&s->raw, data, n);
	if (s->raw.oom)
		return buf_check(&s->raw);
	return s->raw.len > CT_RAW_MAX ? hand_over(s, z, ZSTD_e_continue) : 0;
}

int frame_end(struct chunk_out *s, struct packer *z)
{
	return hand_over(s, z, ZSTD_e_end);
}
