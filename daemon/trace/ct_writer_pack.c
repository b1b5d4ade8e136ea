/* SPDX-License-Identifier: MIT */
/*
 * The compressor's thread. It knows nothing of streams: bytes in, bytes out. Where
 * there can be no thread the piece is compressed at once.
 */
#include <string.h>

#include "trace/ct_writer_private.h"
#include "util/err.h"

#define OUT_PIECE (128u << 10)

int packer_fail(size_t code)
{
	return err_set(ZSTD_getErrorCode(code) == ZSTD_error_memory_allocation ? ERR_NOMEM : ERR_UNKNOWN,
		       "zstd: %s", ZSTD_getErrorName(code));
}

ZSTD_CCtx *packer_cctx(void)
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

static void work(struct packer *z)
{
	ZSTD_inBuffer in = { z->piece.in.data, z->piece.in.len, 0 };
	struct buf *out = &z->piece.out;
	bool all = z->piece.end == ZSTD_e_end;
	size_t left, room = z->piece.first && all ? ZSTD_compressBound(in.size) : OUT_PIECE;

	buf_clear(out);
	do {
		ZSTD_outBuffer to = { buf_reserve(out, room), room, 0 };

		if (!to.dst)
			return;
		left = ZSTD_compressStream2(z->piece.cctx, &to, &in, z->piece.end);
		z->piece.code = left;
		if (ZSTD_isError(left))
			return;
		out->len += to.pos;
		room = OUT_PIECE;
	} while (all ? left != 0 : in.pos < in.size);
}

static void *run(void *packer)
{
	struct packer *z = packer;

	pthread_mutex_lock(&z->lock);
	for (;;) {
		while (!z->busy && !z->leaves)
			pthread_cond_wait(&z->turn, &z->lock);
		if (z->leaves)
			break;
		pthread_mutex_unlock(&z->lock);
		work(z);
		pthread_mutex_lock(&z->lock);
		z->busy = false;
		pthread_cond_signal(&z->turn);
	}
	pthread_mutex_unlock(&z->lock);
	return NULL;
}

void pack_start(struct packer *z)
{
	if (!z->threaded) {
		work(z);
		return;
	}
	pthread_mutex_lock(&z->lock);
	z->busy = true;
	pthread_cond_signal(&z->turn);
	pthread_mutex_unlock(&z->lock);
}

void pack_join(struct packer *z)
{
	if (!z->threaded)
		return;
	pthread_mutex_lock(&z->lock);
	while (z->busy)
		pthread_cond_wait(&z->turn, &z->lock);
	pthread_mutex_unlock(&z->lock);
}

int packer_init(struct packer *z)
{
	memset(z, 0, sizeof(*z));
	pthread_mutex_init(&z->lock, NULL);
	pthread_cond_init(&z->turn, NULL);
	z->cctx = packer_cctx();
	if (!z->cctx)
		return err_set(ERR_NOMEM, "a compressor");
	z->threaded = pthread_create(&z->thread, NULL, run, z) == 0;
	return 0;
}

void packer_deinit(struct packer *z)
{
	if (z->threaded) {
		pack_join(z);
		pthread_mutex_lock(&z->lock);
		z->leaves = true;
		pthread_cond_signal(&z->turn);
		pthread_mutex_unlock(&z->lock);
		pthread_join(z->thread, NULL);
	}
	ZSTD_freeCCtx(z->cctx);
	buf_deinit(&z->piece.in);
	buf_deinit(&z->piece.out);
}
