/* SPDX-License-Identifier: MIT */
/*
 * ctfs.h: the container of a trace (trace-format.md section 1), both ways.
 *
 * Writing: many internal files grow at once. Each holds one buffer of whole
 * blocks, which get their numbers only when the buffer is written, in a run of
 * neighbours; and the mapping blocks on the way to its last block, at most one
 * a level. So memory per file is constant, and no block is ever wasted.
 *
 * Reading: nothing found in the file is trusted. Block numbers are held against
 * the file's size, sizes against the number of its blocks.
 */
#ifndef TRACE_CTFS_H
#define TRACE_CTFS_H

#include <stddef.h>
#include <stdint.h>

#define CTFS_BLOCK 4096u
#define CTFS_SLOTS 512u
#define CTFS_USABLE 511u /* slot 511 of a mapping block chains to the next level */
#define CTFS_LEVELS 5u
#define CTFS_FILES 31u
#define CTFS_NAME_MAX 12u
#define CTFS_HEADER 16u
#define CTFS_ENTRY 24u
#define CTFS_VERSION 4u
extern const uint8_t ctfs_magic[5];

/* 0 if the name is empty, too long, or has a character base40 lacks. */
uint64_t ctfs_name_encode(const char *name);
void ctfs_name_decode(uint64_t v, char name[CTFS_NAME_MAX + 1]);

/* ---- writing ---- */
struct ctfs_writer;
struct ctfs_out; /* one internal file that grows; belongs to its writer */

int ctfs_writer_new(struct ctfs_writer **ret, int fd);
/* The file of that name, made if it isn't there. */
int ctfs_create(struct ctfs_writer *c, const char *name, struct ctfs_out **ret);
int ctfs_append(struct ctfs_out *f, const void *data, size_t n);
uint64_t ctfs_out_size(const struct ctfs_out *f);
/* Writes what is buffered, the mappings and the directory. */
int ctfs_finish(struct ctfs_writer *c, uint64_t *bytes);
struct ctfs_writer *ctfs_writer_free(struct ctfs_writer *c);

/* ---- reading ---- */
struct ctfs_reader;

struct ctfs_in {
	const struct ctfs_reader *c;
	char name[CTFS_NAME_MAX + 1];
	uint64_t size, map_block;
	uint64_t leaf_first; /* first logical block the cached leaf maps */
	uint32_t leaf_count; /* 0: nothing cached */
	uint64_t *leaf;	     /* CTFS_SLOTS, allocated at the first read */
};

int ctfs_reader_new(struct ctfs_reader **ret, int fd);
struct ctfs_reader *ctfs_reader_free(struct ctfs_reader *c);
uint64_t ctfs_reader_bytes(const struct ctfs_reader *c);
/* 1 and the file, 0 if there is none of that name. ctfs_in_deinit() it. */
int ctfs_open(const struct ctfs_reader *c, const char *name, struct ctfs_in *ret);
void ctfs_in_deinit(struct ctfs_in *f);
/* Reads exactly n bytes at off: a range outside the file is ERR_BAD_TRACE. */
int ctfs_read(struct ctfs_in *f, uint64_t off, void *to, size_t n);

#endif
