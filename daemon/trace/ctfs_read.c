/* SPDX-License-Identifier: MIT */
/*
 * Reading a container: a pread for a run of neighbouring blocks, and one cached
 * leaf of the mapping for each open file, so that reading in sequence touches
 * the mapping once in 511 blocks.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "trace/ctfs.h"
#include "util/err.h"

struct ctfs_reader {
	int fd;
	uint64_t bytes;	 /* of the whole file */
	uint64_t blocks; /* a cut last block counts */
	unsigned nfiles;
	struct {
		uint64_t size, map_block, name;
	} files[CTFS_FILES];
};

/* Reads up to n bytes, fewer only at the end of the file. */
static int read_at(const struct ctfs_reader *c, uint64_t at, void *to, size_t n, size_t *got)
{
	*got = 0;
	while (*got < n) {
		ssize_t r = pread(c->fd, (uint8_t *)to + *got, n - *got, at + *got);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return err_set(ERR_IO, "read the trace: %m");
		if (!r)
			break;
		*got += r;
	}
	return 0;
}

static int load(struct ctfs_reader *c)
{
	uint8_t block[CTFS_BLOCK];
	uint32_t block_size, nfiles;
	struct stat st;
	size_t got;
	int r;

	if (fstat(c->fd, &st) < 0)
		return err_set(ERR_IO, "stat the trace: %m");
	if (!S_ISREG(st.st_mode))
		return err_set(ERR_BAD_TRACE, "it is not a regular file");
	c->bytes = st.st_size;
	c->blocks = (c->bytes + CTFS_BLOCK - 1) / CTFS_BLOCK;
	r = read_at(c, 0, block, sizeof(block), &got);
	if (r < 0)
		return r;
	if (got < sizeof(block) || memcmp(block, ctfs_magic, sizeof(ctfs_magic)))
		return err_set(ERR_BAD_TRACE, "it does not start as a .ct does");
	if (block[5] < 2 || block[5] > CTFS_VERSION || block[6])
		return err_set(ERR_BAD_TRACE, "container version %u, encryption %u", block[5], block[6]);
	memcpy(&block_size, block + 8, 4);
	memcpy(&nfiles, block + 12, 4);
	block_size = le32toh(block_size);
	nfiles = le32toh(nfiles);
	if (block_size != CTFS_BLOCK || nfiles > CTFS_FILES)
		return err_set(ERR_BAD_TRACE, "blocks of %u bytes, %u files", block_size, nfiles);
	for (unsigned i = 0; i < nfiles; i++) {
		uint64_t e[3];

		memcpy(e, block + CTFS_HEADER + CTFS_ENTRY * i, sizeof(e));
		if (!e[0] && !e[1] && !e[2])
			continue;
		c->files[c->nfiles].size = le64toh(e[0]);
		c->files[c->nfiles].map_block = le64toh(e[1]);
		c->files[c->nfiles++].name = le64toh(e[2]);
	}
	return 0;
}

int ctfs_reader_new(struct ctfs_reader **ret, int fd)
{
	struct ctfs_reader *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return err_set(ERR_NOMEM, "a trace's container");
	c->fd = fd;
	r = load(c);
	if (r < 0) {
		ctfs_reader_free(c);
		return r;
	}
	*ret = c;
	return 0;
}

struct ctfs_reader *ctfs_reader_free(struct ctfs_reader *c)
{
	free(c);
	return NULL;
}

uint64_t ctfs_reader_bytes(const struct ctfs_reader *c)
{
	return c->bytes;
}

int ctfs_open(const struct ctfs_reader *c, const char *name, struct ctfs_in *ret)
{
	uint64_t v = ctfs_name_encode(name);

	memset(ret, 0, sizeof(*ret));
	for (unsigned i = 0; v && i < c->nfiles; i++) {
		if (c->files[i].name != v)
			continue;
		if (c->files[i].size > c->bytes)
			return err_set(ERR_BAD_TRACE, "%s is said to be larger than the trace", name);
		ret->c = c;
		ret->size = c->files[i].size;
		ret->map_block = c->files[i].map_block;
		ctfs_name_decode(v, ret->name);
		return 1;
	}
	return 0;
}

void ctfs_in_deinit(struct ctfs_in *f)
{
	free(f->leaf);
	f->leaf = NULL;
	f->leaf_count = 0;
}

static int bad_block(const struct ctfs_in *f, uint64_t block)
{
	return err_set(ERR_BAD_TRACE, "%s: block %llu is outside the trace", f->name,
		       (unsigned long long)block);
}

static int read_slot(const struct ctfs_in *f, uint64_t block, uint64_t slot, uint64_t *ret)
{
	size_t got;
	int r;

	if (!block || block >= f->c->blocks)
		return bad_block(f, block);
	r = read_at(f->c, block * CTFS_BLOCK + slot * 8, ret, 8, &got);
	if (r < 0)
		return r;
	if (got < 8)
		return bad_block(f, block);
	*ret = le64toh(*ret);
	return 0;
}

/* Caches the leaf that maps logical block b. */
static int find_leaf(struct ctfs_in *f, uint64_t b)
{
	uint64_t m = f->map_block, cap = CTFS_USABLE, k = b, sub;
	unsigned level = 1;
	size_t got;
	int r;

	if (!f->leaf)
		f->leaf = malloc(CTFS_BLOCK);
	if (!f->leaf)
		return err_set(ERR_NOMEM, "a mapping block");
	f->leaf_count = 0;
	for (; k >= cap; level++) {
		if (level == CTFS_LEVELS)
			return bad_block(f, b);
		k -= cap;
		cap *= CTFS_USABLE;
		r = read_slot(f, m, CTFS_USABLE, &m);
		if (r < 0)
			return r;
	}
	for (sub = cap / CTFS_USABLE; level > 1; level--, sub /= CTFS_USABLE) {
		r = read_slot(f, m, k / sub, &m);
		if (r < 0)
			return r;
		k %= sub;
	}
	if (!m || m >= f->c->blocks)
		return bad_block(f, m);
	r = read_at(f->c, m * CTFS_BLOCK, f->leaf, CTFS_BLOCK, &got);
	if (r < 0)
		return r;
	if (got < CTFS_BLOCK)
		return bad_block(f, m);
	for (unsigned i = 0; i < CTFS_SLOTS; i++)
		f->leaf[i] = le64toh(f->leaf[i]);
	f->leaf_first = b - k;
	f->leaf_count = CTFS_USABLE;
	return 0;
}

int ctfs_read(struct ctfs_in *f, uint64_t off, void *to, size_t n)
{
	uint8_t *out = to;

	if (off > f->size || n > f->size - off)
		return err_set(ERR_BAD_TRACE, "%s ends too early", f->name);
	while (n) {
		uint64_t b = off / CTFS_BLOCK, at = off % CTFS_BLOCK, k;
		size_t run = CTFS_BLOCK - at, got;
		int r;

		if (b < f->leaf_first || b - f->leaf_first >= f->leaf_count) {
			r = find_leaf(f, b);
			if (r < 0)
				return r;
		}
		k = b - f->leaf_first;
		if (!f->leaf[k] || f->leaf[k] >= f->c->blocks)
			return bad_block(f, f->leaf[k]);
		for (uint64_t i = k + 1; run < n && i < CTFS_USABLE && f->leaf[i] == f->leaf[i - 1] + 1; i++)
			run += CTFS_BLOCK;
		if (run > n)
			run = n;
		r = read_at(f->c, f->leaf[k] * CTFS_BLOCK + at, out, run, &got);
		if (r < 0)
			return r;
		if (got < run)
			return bad_block(f, f->leaf[k] + got / CTFS_BLOCK);
		out += run;
		off += run;
		n -= run;
	}
	return 0;
}
