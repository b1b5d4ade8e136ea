/* SPDX-License-Identifier: MIT */
/*
 * assemble_code.h: what definitions say: code objects, the files they are of,
 * types. Private to assemble*.c.
 */
#ifndef TRACE_ASSEMBLE_CODE_H
#define TRACE_ASSEMBLE_CODE_H

#include "python/correct.h"
#include "trace/assemble_map.h"
#include "trace/value.h"
#include "trace/writer.h"
#include "util/buf.h"

/* A source file as code objects name it. */
struct file {
	char *name;	  /* as in co_filename */
	char *path;	  /* absolute, or "<…>" */
	uint32_t nlines;  /* lines it is known to have */
	uint32_t path_id; /* + 1; 0: not interned yet */
	uint32_t path_lines; /* lines its id has */
	char *module;	  /* the module's name, from its frame or else from the path */
	bool ran;	  /* a module frame of it was seen */
};

struct code {
	uint32_t id;
	uint32_t nargs;	     /* slots below are arguments */
	uint32_t entry_line; /* of a step to be made at entry, 0: none */
	uint32_t nslots;
	uint32_t nlines; /* instructions in `lines` */
	bool is_module;
	bool skip; /* not to be recorded */
	struct file *file;
	struct ev_defcode *d; /* NULL: this code object was never defined */
	struct defcode_parts parts;
	uint32_t *lines;     /* line of each instruction, LINE_UNKNOWN until asked for */
	uint32_t *varnames;  /* writer's id + 1 of each slot, 0: not interned yet */
	const char **names;  /* of each slot */
	uint32_t function;   /* writer's id + 1 (not for modules) */
};

struct codes {
	struct trace_writer *w;
	struct map codes, files, types;
	struct code *unknown;
	char *workdir;
	struct buf scratch;
};

int codes_init(struct codes *c, struct trace_writer *w);
void codes_deinit(struct codes *c);
int codes_workdir(struct codes *c, const char *workdir);
/* 0; 1: the record makes no sense; -code */
int codes_define(struct codes *c, const struct ev_defcode *d);
int codes_define_type(struct codes *c, const struct ev_deftype *d);
/* The source of a file: its number of lines. */
int codes_source(struct codes *c, const char *path, size_t path_len, const char *text, size_t len);
/* Never NULL: the one of "<unknown>" where id was not defined. */
struct code *codes_get(const struct codes *c, uint32_t id);
struct value_type *codes_type(const struct codes *c, uint32_t id);

/* The line of an instruction, 0: none. */
uint32_t code_line_at(struct code *code, uint32_t lasti);
/* The writer's id of the code's path, with at least `line` lines. */
int code_path(struct codes *c, struct code *code, uint32_t line, uint32_t *id);
/* The writer's id of the code's function; not for modules. */
int code_function(struct codes *c, struct code *code, uint32_t *id);
/* The writer's id of a slot's name. */
int code_varname(struct codes *c, struct code *code, uint32_t slot, uint32_t *id);

#endif
