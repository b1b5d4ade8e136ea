/* SPDX-License-Identifier: MIT */
/*
 * reader.c: the reading side. The file is hostile input.
 *
 * Two cursors walk the chunks independently: journal_definitions() reads
 * definitions only (it hops over events by their headers), journal_next()
 * events only. What must hold:
 *  - nothing is allocated by a size that was not checked against format.h's
 *    limits and the file's length;
 *  - a chunk whose header is sound but whose bytes are not is skipped whole; a
 *    header that is not sound is searched past, byte by byte, for the next
 *    sound one; both become one EV_GAP, told by the events cursor alone;
 *  - a chunk that runs beyond the end of the file is torn: the end.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>
#include <zstd.h>

#include "journal/fold.h"
#include "journal/format.h"
#include "journal/journal.h"
#include "util/buf.h"
#include "util/err.h"

struct journal_reader {
	int fd;
	ZSTD_DCtx *zstd;
	uint64_t size;
	uint64_t pos; /* the events cursor */
	struct buf packed, folded;
	struct unfold *unfold;
	uint8_t *raw; /* the events chunk at hand: nraw bytes, read up to `at` */
	size_t nraw, raw_cap, at;
	uint32_t left; /* its records that are still to come, as its header says */
	struct ev_gap gap;
	bool torn, ended;
};

static int read_at(struct journal_reader *r, void *to, size_t n, uint64_t at)
{
	size_t done = 0;

	while (done < n) {
		ssize_t got = pread(r->fd, (char *)to + done, n - done, (off_t)(at + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_set(ERR_IO, "read the journal: %m");
		if (got == 0)
			return err_set(ERR_IO, "the journal became shorter while it was read");
		done += (size_t)got;
	}
	return 0;
}

static bool header_sound(const struct journal_chunk_header *h)
{
	return h->magic == JOURNAL_CHUNK_MAGIC &&
	       h->header_hash ==
		       XXH64(h, offsetof(struct journal_chunk_header, header_hash), 0) &&
	       h->raw <= JOURNAL_MAX_RAW && h->folded <= JOURNAL_MAX_FOLDED(h->raw) &&
	       h->packed && h->packed <= ZSTD_compressBound(h->folded);
}

/* Looks for the next sound header from `from` on. 1 with *at and *h, 0 at the end. */
static int resync(struct journal_reader *r, uint64_t from, uint64_t *at,
		  struct journal_chunk_header *h)
{
	static const uint32_t magic = JOURNAL_CHUNK_MAGIC;
	char window[16384];

	while (from < r->size && r->size - from >= sizeof(*h)) {
		size_t n = r->size - from < sizeof(window) ? (size_t)(r->size - from) :
							     sizeof(window);
		const char *p = window;
		int rc = read_at(r, window, n, from);

		if (rc < 0)
			return rc;
		while ((p = memmem(p, n - (size_t)(p - window), &magic, sizeof(magic)))) {
			uint64_t here = from + (uint64_t)(p - window);

			if (r->size - here < sizeof(*h))
				return 0;
			rc = read_at(r, h, sizeof(*h), here);
			if (rc < 0)
				return rc;
			if (header_sound(h)) {
				*at = here;
				return 1;
			}
			p++;
		}
		from += n > sizeof(magic) ? n - sizeof(magic) + 1 : n;
	}
	return 0;
}

/* The header of the chunk at *pos, or of the next sound one (then *skipped).
 * 1; 0 at the end or at a torn chunk; -code. */
static int next_header(struct journal_reader *r, uint64_t *pos, struct journal_chunk_header *h,
		       bool *skipped)
{
	int rc;

	*skipped = false;
	if (*pos >= r->size)
		return 0;
	if (r->size - *pos < sizeof(*h)) {
		r->torn = true;
		return 0;
	}
	rc = read_at(r, h, sizeof(*h), *pos);
	if (rc < 0)
		return rc;
	if (!header_sound(h)) {
		*skipped = true;
		rc = resync(r, *pos, pos, h);
		if (rc <= 0) {
			r->torn |= rc == 0;
			*pos = r->size;
			return rc;
		}
	}
	if (h->packed > r->size - *pos - sizeof(*h)) {
		r->torn = true;
		return 0;
	}
	return 1;
}

/* One big source text must not pin its memory for the whole walk. */
static int make_room(struct journal_reader *r, size_t raw)
{
	if (r->raw_cap >= raw && (r->raw_cap <= JOURNAL_EVENTS_RAW || raw > JOURNAL_EVENTS_RAW))
		return 0;
	free(r->raw);
	r->raw_cap = raw > 2 * JOURNAL_CHUNK_RAW ? raw : 2 * JOURNAL_CHUNK_RAW;
	r->raw = malloc(r->raw_cap);
	if (r->raw)
		return 0;
	r->raw_cap = 0;
	return err_set(ERR_NOMEM, "a chunk of %zu bytes", raw);
}

static bool decompress(struct journal_reader *r, uint8_t *to, const struct journal_chunk_header *h)
{
	size_t n = ZSTD_decompressDCtx(r->zstd, to, h->folded, r->packed.data, h->packed);

	return !ZSTD_isError(n) && n == h->folded;
}

/* Unpacks the chunk at pos into r->raw. 1; 0: damaged; -code. */
static int unpack(struct journal_reader *r, uint64_t pos, const struct journal_chunk_header *h)
{
	uint8_t *to;
	bool good;
	int rc;

	buf_clear(&r->packed);
	to = buf_reserve(&r->packed, h->packed);
	if (!to)
		return buf_check(&r->packed);
	rc = read_at(r, to, h->packed, pos + sizeof(*h));
	if (rc < 0)
		return rc;
	if (XXH64(to, h->packed, 0) != h->hash ||
	    ZSTD_getFrameContentSize(to, h->packed) != h->folded)
		return 0;
	rc = make_room(r, h->raw);
	if (rc < 0)
		return rc;
	if (h->kind == JOURNAL_EVENTS) {
		buf_clear(&r->folded);
		to = buf_reserve(&r->folded, h->folded);
		if (!to)
			return buf_check(&r->folded);
		good = decompress(r, to, h) && unfold_chunk(r->unfold, to, h->folded, r->raw, h->raw);
	} else {
		good = h->folded == h->raw && decompress(r, r->raw, h);
	}
	if (r->packed.cap > 4 * JOURNAL_CHUNK_RAW)
		buf_deinit(&r->packed);
	return good;
}

/* The record at r->raw + at of a chunk of n bytes, or NULL when its size is not sane. */
static const struct ev_header *record_at(const struct journal_reader *r, size_t at, size_t n,
					 uint32_t max)
{
	const struct ev_header *h = (const void *)(r->raw + at);

	if (n - at < sizeof(*h) || h->size < sizeof(*h) || h->size % 8 || h->size > n - at)
		return NULL;
	if (h->size > (h->type == EV_CHECKPOINT ? JOURNAL_MAX_CHECKPOINT : max))
		return NULL;
	return h;
}

int journal_definitions(struct journal_reader *r,
			int (*each)(void *ctx, const struct ev_header *record), void *ctx)
{
	uint64_t pos = sizeof(struct journal_file_header);
	struct journal_chunk_header h;
	bool skipped;
	int rc;

	while ((rc = next_header(r, &pos, &h, &skipped)) > 0) {
		if (h.kind == JOURNAL_DEFINITIONS) {
			r->nraw = r->at = 0; /* the events chunk at hand shares the memory */
			rc = unpack(r, pos, &h);
			if (rc < 0)
				return rc;
			for (size_t at = 0; rc > 0 && at < h.raw;) {
				const struct ev_header *d =
					record_at(r, at, h.raw, JOURNAL_MAX_DEFINITION);

				if (!d)
					break;
				r->ended |= d->type == EV_END;
				rc = each(ctx, d);
				if (rc < 0)
					return rc;
				rc = 1;
				at += d->size;
			}
		}
		pos += sizeof(h) + h.packed;
	}
	return rc;
}

static int give_gap(struct journal_reader *r, uint64_t count, const struct ev_header **record)
{
	r->gap = (struct ev_gap){
		.h = { .size = sizeof(r->gap), .type = EV_GAP },
		.reason = EVG_JOURNAL,
		.count = count ? count : 1,
	};
	*record = &r->gap.h;
	return 1;
}

int journal_next(struct journal_reader *r, const struct ev_header **record)
{
	struct journal_chunk_header h;
	bool skipped;
	int rc;

	for (;;) {
		if (r->at < r->nraw) {
			*record = record_at(r, r->at, r->nraw, EV_MAX_RECORD);
			if (*record) {
				r->at += (*record)->size;
				r->left -= r->left > 0;
				return 1;
			}
			r->nraw = 0;
			return give_gap(r, r->left, record);
		}
		rc = next_header(r, &r->pos, &h, &skipped);
		if (rc <= 0)
			return rc;
		if (skipped)
			return give_gap(r, 1, record);
		r->nraw = r->at = 0;
		rc = h.kind == JOURNAL_EVENTS ? unpack(r, r->pos, &h) : 1;
		if (rc < 0)
			return rc;
		r->pos += sizeof(h) + h.packed;
		if (rc == 0)
			return give_gap(r, h.nrecords, record);
		if (h.kind == JOURNAL_EVENTS) {
			r->nraw = h.raw;
			r->left = h.nrecords;
		}
	}
}

int journal_is_torn(const struct journal_reader *r)
{
	return r->torn || !r->ended;
}

int journal_reader_new(struct journal_reader **ret, int fd)
{
	struct journal_file_header h;
	struct journal_reader *r;
	struct stat st;
	int rc;

	if (fstat(fd, &st) < 0)
		return err_set(ERR_IO, "the journal: %m");
	if (!S_ISREG(st.st_mode) || st.st_size < (off_t)sizeof(h))
		return err_set(ERR_BAD_TRACE, "not a journal: no regular file, or too short");
	r = calloc(1, sizeof(*r));
	if (!r)
		return err_set(ERR_NOMEM, "a journal reader");
	r->fd = fd;
	r->size = (uint64_t)st.st_size;
	r->pos = sizeof(h);
	r->zstd = ZSTD_createDCtx();
	r->unfold = unfold_new();
	rc = r->zstd && r->unfold ? read_at(r, &h, sizeof(h), 0) : err_set(ERR_NOMEM, "a decompressor");
	if (rc == 0 && memcmp(h.magic, JOURNAL_MAGIC, sizeof(h.magic)) != 0)
		rc = err_set(ERR_BAD_TRACE, "not a journal");
	if (rc == 0 && h.ev_version != EV_VERSION)
		rc = err_set(ERR_BAD_TRACE, "a journal of version %u, not %u", h.ev_version,
			     EV_VERSION);
	if (rc < 0) {
		journal_reader_free(r);
		return rc;
	}
	*ret = r;
	return 0;
}

struct journal_reader *journal_reader_free(struct journal_reader *r)
{
	if (!r)
		return NULL;
	ZSTD_freeDCtx(r->zstd);
	buf_deinit(&r->packed);
	buf_deinit(&r->folded);
	unfold_free(r->unfold);
	free(r->raw);
	free(r);
	return NULL;
}
