/* SPDX-License-Identifier: MIT */
/*
 * resolve.h: code objects and types read from the target's memory, as
 * definitions for the journal and plans for capture.
 */
#ifndef PYTHON_RESOLVE_H
#define PYTHON_RESOLVE_H

#include <stdbool.h>

#include "ctrec/layout.h"
#include "target/target.h"
#include "util/buf.h"

/* The table of a version, or NULL: not supported (python_supported() lists them as text). */
const struct ctrec_layout *python_layout(unsigned version);
const char *python_supported(void);
/* The table made for this very process (3.13+: with what it says of itself), and checked.
 * 0, -ERR_UNSUPPORTED_PYTHON, -ERR_TARGET_LAYOUT. */
int python_layout_live(struct target *t, const struct python_info *info, struct ctrec_layout *l);
/* Checks the layout against the live process as hostile input, cheaply. 0, -ERR_TARGET_LAYOUT. */
int python_check(struct target *t, const struct python_info *info, const struct ctrec_layout *l);

struct resolver;

struct resolve_options {
	int all;		/* also record the standard library */
	uid_t uid; gid_t gid;	/* whose right it takes to read a source file */
	uint32_t max_slots;
};

int resolver_new(struct resolver **ret, struct target *t, const struct python_info *info,
		 const struct ctrec_layout *l, const struct resolve_options *o);
struct resolver *resolver_free(struct resolver *r);

/* Reads the code object at addr: fills *plan except fingerprint and id (state
 * READY or FAILED) and appends EV_DEFCODE (and, the first time for its file,
 * EV_DEFSOURCE) to *defs. Never fails on what the target holds: what cannot be
 * read becomes EVC_PARTIAL with "<unknown>" names. */
int resolve_code(struct resolver *r, uint64_t addr, uint32_t id, struct ctrec_codeplan *plan,
		 struct buf *defs);
/* The same for a type: *plan and EV_DEFTYPE. */
int resolve_type(struct resolver *r, uint64_t addr, uint32_t id, struct ctrec_typeplan *plan,
		 struct buf *defs);

/* True for interpreter start-up and standard-library files: under a lib/pythonX.Y
 * (also lib64, dist-packages' parent) but not site-packages or dist-packages, "<frozen …>". */
int is_stdlib(const char *filename, size_t len, unsigned version);

/* The line of the instruction at byte offset lasti (co_linetable, 3.10+ location
 * or line tables; co_lnotab before), 0: none. Pure; the table is hostile. */
uint32_t code_line(const struct ev_defcode *d, uint32_t lasti);

/* All entries of a location table (3.11+) in order: bytecode [from, to) is of `line`, 0: of none. */
struct code_lines {
	const uint8_t *p, *end; /* private */
	int64_t last;
	uint64_t from, to;
	uint32_t line;
};
/* False: no such table. */
bool code_lines_begin(struct code_lines *c, const struct ev_defcode *d);
bool code_lines_next(struct code_lines *c);

#endif
