/* SPDX-License-Identifier: MIT */
/*
 * fuzz_journal.c: any bytes as a journal, and any records in a sound one.
 *
 * The first byte chooses: the rest is the file itself behind a sound header; or
 * it is the records of chunks whose hashes are right, so that the assembler is
 * reached. The assembler's writer is a real one, to a file in memory.
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void chunk(struct buf *b, unsigned kind, const uint8_t *raw, size_t n)
{
	struct journal_chunk_header h = { .magic = JOURNAL_CHUNK_MAGIC, .kind = kind,
					  .raw = (uint32_t)n, .nrecords = 1 };
	size_t cap = ZSTD_compressBound(n), packed;
	uint8_t *to = malloc(cap);

	packed = ZSTD_compress(to, cap, raw, n, -5);
	h.packed = (uint32_t)packed;
	h.hash = XXH64(to, packed, 0);
	h.header_hash = XXH64(&h, offsetof(struct journal_chunk_header, header_hash), 0);
	buf_append(b, &h, sizeof(h));
	buf_append(b, to, packed);
	free(to);
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
	int fd, out;

	if (size < 3)
		return 0;
	memcpy(fh.magic, JOURNAL_MAGIC, sizeof(fh.magic));
	buf_append(&file, &fh, sizeof(fh));
	split = 3 + (data[1] | (size_t)data[2] << 8) % (size - 2);
	if (data[0] & 1) {
		buf_append(&file, data + 3, size - 3);
	} else {
		chunk(&file, JOURNAL_DEFINITIONS, data + 3, split - 3);
		chunk(&file, JOURNAL_EVENTS, data + split, size - split);
	}
	fd = memfd_create("journal", 0);
	out = memfd_create("trace", 0);
	if (write(fd, file.data, file.len) != (ssize_t)file.len)
		abort();
	if (journal_reader_new(&r, fd) == 0) {
		journal_definitions(r, each, &sum);
		while (journal_next(r, &h) == 1)
			each(&sum, h);
		journal_reader_free(r);
	}
	if (!(data[0] & 1))
		assemble_journal(fd, out, -1, &summary, &counts);
	close(fd);
	close(out);
	buf_deinit(&file);
	return 0;
}
