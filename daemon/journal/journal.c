/* SPDX-License-Identifier: MIT */
/*
 * journal.c: the writing side.
 *
 * Records gather in two runs of bytes, definitions and events, and leave as
 * compressed chunks. An event is folded as it comes, so that a chunk's end finds
 * little left to do. What must hold:
 *  - a chunk holds whole records only and reaches the file in one write(), so
 *    that a crash tears at most the last chunk;
 *  - pending definitions are written before any events chunk, since a
 *    definition is appended before the first event that uses it;
 *  - `end` is the end of the last whole chunk: after a failed write the file is
 *    cut back to it, and a later chunk goes there;
 *  - definitions survive a failed write (they stay pending), events do not:
 *    they are replaced by one EV_GAP that counts them.
 * One lock covers it all: definitions come from any thread.
 */
#include "journal/journal.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>
#include <zstd.h>

#include "journal/fold.h"
#include "journal/format.h"
#include "util/buf.h"
#include "util/err.h"

struct run {
	struct buf raw;
	uint32_t nrecords;
};

struct journal {
	int fd;
	pthread_mutex_t lock;
	ZSTD_CCtx *zstd;
	struct run definitions, events;
	struct fold *fold; /* of what is in events */
	struct buf folded;
	size_t limit; /* of events.raw; grows, so that a crash soon after the start costs little */
	struct buf out; /* header and compressed bytes of the chunk being written */
	uint64_t seq, end;
	uint64_t lost; /* events dropped by failed writes, told by the gap that opens `events` */
};

static int write_at(struct journal *j, const void *data, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pwrite(j->fd, (const char *)data + done, len - done,
				   (off_t)(j->end + done));
		int e = errno;

		if (n > 0) {
			done += (size_t)n;
			continue;
		}
		if (n < 0 && e == EINTR)
			continue;
		if (done && ftruncate(j->fd, (off_t)j->end) < 0) {
			/* the torn tail stays; readers expect one */
		}
		errno = n < 0 ? e : EIO;
		return errno == ENOSPC || errno == EDQUOT || errno == EFBIG ?
			       err_set(ERR_NO_SPACE, "write the journal: %m") :
			       err_set(ERR_IO, "write the journal: %m");
	}
	j->end += len;
	return 0;
}

/* plain: r's records as they are compressed. */
static int write_chunk(struct journal *j, enum journal_kind kind, const struct run *r,
		       const struct buf *plain)
{
	struct journal_chunk_header h = {
		.magic = JOURNAL_CHUNK_MAGIC,
		.kind = kind,
		.seq = j->seq,
		.raw = (uint32_t)r->raw.len,
		.nrecords = r->nrecords,
		.folded = (uint32_t)plain->len,
	};
	size_t bound = ZSTD_compressBound(plain->len), n;
	uint8_t *to;
	int rc;

	buf_clear(&j->out);
	to = buf_reserve(&j->out, sizeof(h) + bound);
	if (!to)
		return buf_check(&j->out);
	n = ZSTD_compress2(j->zstd, to + sizeof(h), bound, plain->data, plain->len);
	if (ZSTD_isError(n))
		return err_set(ERR_UNKNOWN, "compress a journal chunk: %s", ZSTD_getErrorName(n));
	h.packed = (uint32_t)n;
	h.hash = XXH64(to + sizeof(h), n, 0);
	h.header_hash = XXH64(&h, offsetof(struct journal_chunk_header, header_hash), 0);
	memcpy(to, &h, sizeof(h));
	rc = write_at(j, to, sizeof(h) + n);
	if (rc == 0)
		j->seq++;
	return rc;
}

static void run_clear(struct run *r, size_t usual)
{
	/* a large source text must not pin its memory for the whole session */
	if (r->raw.cap > usual)
		buf_deinit(&r->raw);
	buf_clear(&r->raw);
	r->nrecords = 0;
}

static void run_append(struct run *r, const void *records, size_t len, uint32_t n)
{
	buf_append(&r->raw, records, len);
	r->nrecords += n;
}

static void events_clear(struct journal *j)
{
	run_clear(&j->events, JOURNAL_EVENTS_RAW);
	fold_reset(j->fold);
}

static int events_append(struct journal *j, const struct ev_header *record)
{
	size_t at = j->events.raw.len;

	run_append(&j->events, record, record->size, 1);
	if (j->events.raw.oom)
		return buf_check(&j->events.raw);
	memset(j->events.raw.data + at + offsetof(struct ev_header, order), 0,
	       sizeof(record->order));
	fold_record(j->fold, j->events.raw.data, at);
	return 0;
}

static void events_lost(struct journal *j)
{
	struct ev_gap gap = {
		.h = { .size = sizeof(gap), .type = EV_GAP },
		.reason = EVG_DISK,
	};

	/* the gap that opens the run is no lost event of its own */
	j->lost += j->events.nrecords - (j->lost ? 1 : 0);
	gap.count = j->lost;
	events_clear(j);
	events_append(j, &gap.h);
}

static int flush_definitions(struct journal *j)
{
	int rc;

	if (j->definitions.raw.len == 0)
		return 0;
	rc = write_chunk(j, JOURNAL_DEFINITIONS, &j->definitions, &j->definitions.raw);
	if (rc == 0)
		run_clear(&j->definitions, 4 * JOURNAL_CHUNK_RAW);
	return rc;
}

/* One more event may be the last that fits without growing the memory. */
static bool events_full(const struct journal *j)
{
	return j->events.raw.len + EV_MAX_RECORD > j->limit;
}

static int flush_all(struct journal *j)
{
	int rc = flush_definitions(j);

	if (j->events.raw.len == 0)
		return rc;
	buf_clear(&j->folded);
	if (rc == 0)
		rc = fold_finish(j->fold, &j->folded);
	if (rc == 0)
		rc = write_chunk(j, JOURNAL_EVENTS, &j->events, &j->folded);
	if (rc < 0) {
		if (events_full(j))
			events_lost(j);
		return rc;
	}
	j->lost = 0;
	events_clear(j);
	return 0;
}

int journal_event(struct journal *j, const struct ev_header *record)
{
	int rc;

	if (record->size < sizeof(*record) || record->size % 8 ||
	    record->size > (record->type == EV_CHECKPOINT ? JOURNAL_MAX_CHECKPOINT : EV_MAX_RECORD))
		return err_set(ERR_UNKNOWN, "an event of type %u with %u bytes", record->type,
			       record->size);
	pthread_mutex_lock(&j->lock);
	rc = events_append(j, record);
	if (rc == 0 && events_full(j)) {
		rc = flush_all(j);
		j->limit = j->limit < JOURNAL_EVENTS_RAW / 2 ? j->limit * 2 : JOURNAL_EVENTS_RAW;
	}
	pthread_mutex_unlock(&j->lock);
	return rc;
}

int journal_define(struct journal *j, const void *records, size_t len)
{
	uint32_t n = 0;
	int rc = 0;

	for (size_t at = 0; at < len; n++) {
		struct ev_header h;

		if (len - at >= sizeof(h))
			memcpy(&h, (const char *)records + at, sizeof(h));
		if (len - at < sizeof(h) || h.size < sizeof(h) || h.size % 8 || h.size > len - at ||
		    h.size > JOURNAL_MAX_DEFINITION)
			return err_set(ERR_UNKNOWN, "a definition that makes no sense");
		at += h.size;
	}
	pthread_mutex_lock(&j->lock);
	if (j->definitions.raw.len + len > JOURNAL_MAX_RAW)
		rc = flush_definitions(j);
	if (rc == 0 && len > JOURNAL_MAX_RAW)
		rc = err_set(ERR_UNKNOWN, "%zu bytes of definitions at once", len);
	if (rc == 0) {
		run_append(&j->definitions, records, len, n);
		rc = buf_check(&j->definitions.raw);
	}
	if (rc == 0 && j->definitions.raw.len >= JOURNAL_CHUNK_RAW)
		rc = flush_definitions(j);
	pthread_mutex_unlock(&j->lock);
	return rc;
}

int journal_flush(struct journal *j)
{
	int rc;

	pthread_mutex_lock(&j->lock);
	rc = flush_all(j);
	pthread_mutex_unlock(&j->lock);
	return rc;
}

uint64_t journal_bytes(const struct journal *j)
{
	return __atomic_load_n(&j->end, __ATOMIC_RELAXED);
}

int journal_new(struct journal **ret, int fd)
{
	struct journal_file_header h = { .ev_version = EV_VERSION };
	struct journal *j = calloc(1, sizeof(*j));
	int rc;

	_Static_assert(sizeof(JOURNAL_MAGIC) == sizeof(h.magic) + 1, "magic");
	if (!j)
		return err_set(ERR_NOMEM, "a journal");
	memcpy(h.magic, JOURNAL_MAGIC, sizeof(h.magic));
	pthread_mutex_init(&j->lock, NULL);
	j->fd = fd;
	j->limit = JOURNAL_CHUNK_RAW;
	j->zstd = ZSTD_createCCtx();
	j->fold = fold_new();
	if (!j->zstd || !j->fold) {
		journal_free(j);
		return err_set(ERR_NOMEM, "a journal");
	}
	ZSTD_CCtx_setParameter(j->zstd, ZSTD_c_compressionLevel, JOURNAL_LEVEL);
	rc = write_at(j, &h, sizeof(h));
	if (rc < 0) {
		journal_free(j);
		return rc;
	}
	*ret = j;
	return 0;
}

struct journal *journal_free(struct journal *j)
{
	if (!j)
		return NULL;
	if (j->zstd && j->fold && j->end)
		flush_all(j);
	ZSTD_freeCCtx(j->zstd);
	buf_deinit(&j->definitions.raw);
	buf_deinit(&j->events.raw);
	buf_deinit(&j->out);
	buf_deinit(&j->folded);
	fold_free(j->fold);
	pthread_mutex_destroy(&j->lock);
	free(j);
	return NULL;
}
