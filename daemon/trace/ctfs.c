/* SPDX-License-Identifier: MIT */
/*
 * Writing a container. The way from a logical block to its mapping entry
 * (trace-format.md section 1) grows in one direction only, so each file keeps
 * just the mapping blocks that may still change:
 *
 *	way[0]      the chain block of the current level; level 1: the leaf itself
 *	way[i]      the mapping block that way[i-1] points to last
 *	way[level-1] the leaf
 *
 * A mapping block is written when the next one of its depth begins, or at the
 * end. Block 0 is written last: until then the file is no container.
 */
#include "trace/ctfs.h"

#include <errno.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/err.h"

#define OUT_BLOCKS 16u /* blocks buffered for each file that grew beyond one */

const uint8_t ctfs_magic[5] = { 0xc0, 0xde, 0x72, 0xac, 0xe2 };

static const char alphabet[] = "\0" "0123456789abcdefghijklmnopqrstuvwxyz./-";

struct mapping {
	uint64_t block; /* where it goes; 0: none */
	uint64_t slot[CTFS_SLOTS];
};

struct ctfs_out {
	struct ctfs_writer *c;
	uint64_t name, size, map_block;
	uint64_t blocks; /* that have their number */
	unsigned level;
	uint64_t first; /* first logical block of this level */
	uint64_t span;	/* logical blocks of this level */
	struct mapping *way[CTFS_LEVELS];
	uint8_t *data;
	size_t len, cap;
};

struct ctfs_writer {
	int fd;
	uint64_t next_block;
	unsigned nfiles;
	struct ctfs_out files[CTFS_FILES];
};

uint64_t ctfs_name_encode(const char *name)
{
	size_t n = strlen(name);
	uint64_t v = 0;

	if (n > CTFS_NAME_MAX)
		return 0;
	while (n--) {
		const char *at = memchr(alphabet + 1, name[n], sizeof(alphabet) - 2);

		if (!at)
			return 0;
		v = v * 40 + (uint64_t)(at - alphabet);
	}
	return v;
}

void ctfs_name_decode(uint64_t v, char name[CTFS_NAME_MAX + 1])
{
	unsigned n = 0;

	for (; v && n < CTFS_NAME_MAX; v /= 40)
		name[n++] = alphabet[v % 40];
	name[n] = 0;
}

static int write_at(const struct ctfs_writer *c, uint64_t block, const void *data, size_t n)
{
	const uint8_t *p = data;
	off_t at = block * CTFS_BLOCK;

	while (n) {
		ssize_t done = pwrite(c->fd, p, n, at);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return err_set(errno == ENOSPC || errno == EDQUOT ? ERR_NO_SPACE : ERR_IO,
				       "write the trace: %m");
		p += done;
		at += done;
		n -= done;
	}
	return 0;
}

int ctfs_writer_new(struct ctfs_writer **ret, int fd)
{
	struct ctfs_writer *c = calloc(1, sizeof(*c));

	if (!c)
		return err_set(ERR_NOMEM, "a trace's container");
	c->fd = fd;
	c->next_block = 1;
	*ret = c;
	return 0;
}

struct ctfs_writer *ctfs_writer_free(struct ctfs_writer *c)
{
	if (!c)
		return NULL;
	for (unsigned i = 0; i < c->nfiles; i++) {
		for (unsigned k = 0; k < CTFS_LEVELS; k++)
			free(c->files[i].way[k]);
		free(c->files[i].data);
	}
	free(c);
	return NULL;
}

int ctfs_create(struct ctfs_writer *c, const char *name, struct ctfs_out **ret)
{
	uint64_t v = ctfs_name_encode(name);
	struct ctfs_out *f;

	if (!v)
		return err_set(ERR_UNKNOWN, "'%s' can't name an internal file", name);
	for (unsigned i = 0; i < c->nfiles; i++) {
		if (c->files[i].name == v) {
			*ret = &c->files[i];
			return 0;
		}
	}
	if (c->nfiles == CTFS_FILES)
		return err_set(ERR_UNKNOWN, "no room for an internal file '%s'", name);
	f = &c->files[c->nfiles];
	f->c = c;
	f->name = v;
	c->nfiles++;
	*ret = f;
	return 0;
}

uint64_t ctfs_out_size(const struct ctfs_out *f)
{
	return f->size;
}

static int flush_mapping(struct ctfs_out *f, unsigned i)
{
	uint64_t raw[CTFS_SLOTS];

	if (!f->way[i] || !f->way[i]->block)
		return 0;
	for (unsigned k = 0; k < CTFS_SLOTS; k++)
		raw[k] = htole64(f->way[i]->slot[k]);
	return write_at(f->c, f->way[i]->block, raw, sizeof(raw));
}

/* Starts a new mapping block at this depth; the one before it is final. */
static int fresh_mapping(struct ctfs_out *f, unsigned i)
{
	int r = flush_mapping(f, i);

	if (r < 0)
		return r;
	if (!f->way[i])
		f->way[i] = malloc(sizeof(*f->way[i]));
	if (!f->way[i])
		return err_set(ERR_NOMEM, "a mapping block");
	memset(f->way[i], 0, sizeof(*f->way[i]));
	f->way[i]->block = f->c->next_block++;
	return 0;
}

/* The level is full: chain a block of the next level to its first block. */
static int next_level(struct ctfs_out *f)
{
	int r;

	if (f->level == CTFS_LEVELS)
		return err_set(ERR_NO_SPACE, "an internal file has reached the format's limit");
	for (unsigned i = f->level; i-- > 1;) {
		r = flush_mapping(f, i);
		if (r < 0)
			return r;
		f->way[i]->block = 0;
	}
	if (f->level) {
		f->way[0]->slot[CTFS_USABLE] = f->c->next_block;
		f->first += f->span;
		f->span *= CTFS_USABLE;
	} else {
		f->map_block = f->c->next_block;
		f->span = CTFS_USABLE;
	}
	f->level++;
	return fresh_mapping(f, 0);
}

/* Enters the next logical block into the mapping. */
static int map_next(struct ctfs_out *f, uint64_t block)
{
	uint64_t k, sub;
	int r;

	if (f->blocks == f->first + f->span) {
		r = next_level(f);
		if (r < 0)
			return r;
	}
	k = f->blocks - f->first;
	sub = f->span / CTFS_USABLE;
	for (unsigned i = 0; i + 1 < f->level; i++) {
		if (k % sub == 0) {
			r = fresh_mapping(f, i + 1);
			if (r < 0)
				return r;
			f->way[i]->slot[k / sub] = f->way[i + 1]->block;
		}
		k %= sub;
		sub /= CTFS_USABLE;
	}
	f->way[f->level - 1]->slot[k] = block;
	f->blocks++;
	return 0;
}

/* Gives the buffered blocks their numbers, writes them, and enters them. */
static int flush_data(struct ctfs_out *f)
{
	size_t n = (f->len + CTFS_BLOCK - 1) / CTFS_BLOCK;
	uint64_t block = f->c->next_block;
	int r;

	if (!n)
		return 0;
	memset(f->data + f->len, 0, n * CTFS_BLOCK - f->len);
	f->c->next_block += n;
	r = write_at(f->c, block, f->data, n * CTFS_BLOCK);
	for (size_t i = 0; r >= 0 && i < n; i++)
		r = map_next(f, block + i);
	f->len = 0;
	return r;
}

static int grow(struct ctfs_out *f)
{
	size_t cap = f->cap ? OUT_BLOCKS * CTFS_BLOCK : CTFS_BLOCK;
	uint8_t *data = realloc(f->data, cap);

	if (!data)
		return err_set(ERR_NOMEM, "a buffer of an internal file");
	f->data = data;
	f->cap = cap;
	return 0;
}

int ctfs_append(struct ctfs_out *f, const void *data, size_t n)
{
	const uint8_t *p = data;
	int r;

	while (n) {
		size_t room = f->cap - f->len;

		if (!room) {
			r = f->cap < OUT_BLOCKS * CTFS_BLOCK ? grow(f) : flush_data(f);
			if (r < 0)
				return r;
			continue;
		}
		if (room > n)
			room = n;
		memcpy(f->data + f->len, p, room);
		f->len += room;
		f->size += room;
		p += room;
		n -= room;
	}
	return 0;
}

int ctfs_finish(struct ctfs_writer *c, uint64_t *bytes)
{
	uint8_t block[CTFS_BLOCK] = { 0 };
	int r;

	memcpy(block, ctfs_magic, sizeof(ctfs_magic));
	block[5] = CTFS_VERSION;
	block[7] = 1;
	memcpy(block + 8, &(uint32_t){ htole32(CTFS_BLOCK) }, 4);
	memcpy(block + 12, &(uint32_t){ htole32(CTFS_FILES) }, 4);
	for (unsigned i = 0; i < c->nfiles; i++) {
		struct ctfs_out *f = &c->files[i];
		uint64_t entry[3];

		r = flush_data(f);
		if (r >= 0 && !f->level)
			r = next_level(f);
		for (unsigned k = 0; r >= 0 && k < f->level; k++)
			r = flush_mapping(f, k);
		if (r < 0)
			return r;
		entry[0] = htole64(f->size);
		entry[1] = htole64(f->map_block);
		entry[2] = htole64(f->name);
		memcpy(block + CTFS_HEADER + CTFS_ENTRY * i, entry, sizeof(entry));
	}
	r = write_at(c, 0, block, sizeof(block));
	if (bytes)
		*bytes = c->next_block * CTFS_BLOCK;
	return r;
}
