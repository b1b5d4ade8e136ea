/* SPDX-License-Identifier: MIT */
/*
 * assemble_code.c: code objects and files.
 *
 * Definitions are copied out of the records that bring them and interned in
 * the trace only when an event uses them, so that a trace names what ran. A
 * path's number of lines is fixed when it is interned: the source's, where
 * there is one, and at least the greatest line of its code objects known by
 * then. A step beyond it interns the path once more, with more lines.
 */
#include "trace/assemble_code.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "python/resolve.h"
#include "trace/value_text.h"
#include "util/err.h"

#define LINE_UNKNOWN UINT32_MAX
/* Table bytes times instructions up to which all lines of a code object are looked up. */
#define FULL_SCAN (1u << 22)
#define UNKNOWN "<unknown>"

static char *copy_utf8(struct codes *c, const char *p, size_t n)
{
	buf_clear(&c->scratch);
	text_utf8(&c->scratch, p, n);
	buf_u8(&c->scratch, 0);
	return c->scratch.oom ? NULL : strdup((const char *)c->scratch.data);
}

static char *absolute(const struct codes *c, const char *name)
{
	char *path;

	if (!name[0])
		return strdup(UNKNOWN);
	if (name[0] == '/' || name[0] == '<')
		return strdup(name);
	while (name[0] == '.' && name[1] == '/')
		name += 2;
	if (asprintf(&path, "%s%s%s", c->workdir ? c->workdir : "", "/", name) < 0)
		return NULL;
	return path;
}

/* What the module of a path is called if nothing better is known. */
static char *module_of(const char *path)
{
	const char *base = strrchr(path, '/'), *end, *dot;

	base = base ? base + 1 : path;
	end = path + strlen(path);
	dot = strrchr(base, '.');
	if (dot && dot > base)
		end = dot;
	if (strncmp(base, "__init__", (size_t)(end - base)) == 0 && end - base == 8 &&
	    base > path + 1) {
		const char *slash = base - 1;

		for (base = slash; base > path && base[-1] != '/'; base--)
			;
		end = slash;
	}
	return strndup(base, (size_t)(end - base));
}

static void file_free(void *p)
{
	struct file *f = p;

	if (!f)
		return;
	free(f->name);
	free(f->path);
	free(f->module);
	free(f);
}

static int file_get(struct codes *c, const char *name, size_t len, struct file **ret)
{
	uint64_t key = XXH64(name, len, 0);
	struct file *f;
	int rc;

	while ((f = map_get(&c->files, key))) {
		if (strlen(f->name) == len && memcmp(f->name, name, len) == 0) {
			*ret = f;
			return 0;
		}
		key++;
	}
	f = calloc(1, sizeof(*f));
	if (!f)
		return err_set(ERR_NOMEM, "a file");
	f->nlines = 1;
	f->name = strndup(name, len);
	if (f->name)
		f->path = absolute(c, f->name);
	if (f->path)
		f->module = module_of(f->path);
	rc = f->module ? map_put(&c->files, key, f, NULL) : err_set(ERR_NOMEM, "a file");
	if (rc < 0) {
		file_free(f);
		return rc;
	}
	*ret = f;
	return 0;
}

static int file_clean(struct codes *c, const char *name, size_t len, struct file **ret)
{
	char *clean = copy_utf8(c, name, len);
	int rc;

	if (!clean)
		return err_set(ERR_NOMEM, "a file's name");
	rc = file_get(c, clean, strlen(clean), ret);
	free(clean);
	return rc;
}

int codes_source(struct codes *c, const char *path, size_t path_len, const char *text, size_t len)
{
	uint32_t n = len && text[len - 1] != '\n';
	struct file *f;
	int rc = file_clean(c, path, path_len, &f);

	if (rc < 0)
		return rc;
	for (const char *p = text; (p = memchr(p, '\n', len - (size_t)(p - text))); p++)
		n++;
	if (n > f->nlines)
		f->nlines = n;
	return 0;
}

static void code_free(void *p)
{
	struct code *code = p;

	if (!code)
		return;
	free(code->d);
	free(code->lines);
	free(code->varnames);
	free(code->names);
	free(code);
}

static void code_count_lines(struct code *code)
{
	uint32_t most = code->d->firstlineno;

	if ((uint64_t)code->nlines * code->d->linetable_len > FULL_SCAN)
		most += code->d->linetable_len;
	else
		for (uint32_t i = 0; i < code->nlines; i++) {
			uint32_t line = code_line_at(code, i * 2);

			most = line > most ? line : most;
		}
	if (most > INT32_MAX)
		most = INT32_MAX;
	if (most > code->file->nlines)
		code->file->nlines = most;
}

static int code_tables(struct code *code)
{
	const struct ev_defcode *d = code->d;
	const char *name = code->parts.names, *end = name + d->names_len;
	uint64_t nargs = (uint64_t)d->argcount + d->kwonlyargcount + !!(d->flags & 4) +
			 !!(d->flags & 8);

	/* each name takes a byte at least, which bounds what is allocated */
	code->nslots = d->nlocalsplus < d->names_len ? d->nlocalsplus : d->names_len;
	code->nargs = nargs < code->nslots ? (uint32_t)nargs : code->nslots;
	code->nlines = d->bytecode_len / 2;
	code->lines = malloc((code->nlines + 1) * sizeof(*code->lines));
	code->varnames = calloc(code->nslots + 1, sizeof(*code->varnames));
	code->names = calloc(code->nslots + 1, sizeof(*code->names));
	if (!code->lines || !code->varnames || !code->names)
		return err_set(ERR_NOMEM, "a code object's tables");
	memset(code->lines, 0xff, (code->nlines + 1) * sizeof(*code->lines));
	for (uint32_t i = 0; i < code->nslots; i++) {
		code->names[i] = name < end ? name : "?";
		name += name < end ? strlen(name) + 1 : 0;
	}
	code->skip = d->plan & EVC_SKIP;
	code->is_module = d->name_len == 8 && memcmp(code->parts.name, "<module>", 8) == 0;
	return 0;
}

int codes_define(struct codes *c, const struct ev_defcode *d)
{
	struct defcode_parts parts;
	struct code *code;
	void *old = NULL;
	int rc;

	if (defcode_parts(d, &parts))
		return 1;
	/* an id is given once; frames may hold the first, so that it stays */
	if (map_get(&c->codes, d->code))
		return 0;
	code = calloc(1, sizeof(*code));
	if (!code)
		return err_set(ERR_NOMEM, "a code object");
	code->id = d->code;
	code->d = malloc(d->h.size);
	if (code->d)
		memcpy(code->d, d, d->h.size);
	rc = code->d ? 0 : err_set(ERR_NOMEM, "a code object");
	if (rc == 0) {
		defcode_parts(code->d, &code->parts);
		rc = file_clean(c, parts.filename, d->filename_len, &code->file);
	}
	if (rc == 0)
		rc = code_tables(code);
	if (rc == 0)
		rc = map_put(&c->codes, code->id, code, &old);
	if (rc < 0) {
		code_free(code);
		return rc;
	}
	code_count_lines(code);
	code->entry_line = line_at_entry(code->d, &code->parts);
	return 0;
}

struct code *codes_get(const struct codes *c, uint32_t id)
{
	struct code *code = map_get(&c->codes, id);

	return code ? code : c->unknown;
}

uint32_t code_line_at(struct code *code, uint32_t lasti)
{
	uint32_t i = lasti / 2;

	if (i >= code->nlines)
		return 0;
	if (code->lines[i] == LINE_UNKNOWN)
		code->lines[i] = code_line(code->d, lasti);
	return code->lines[i];
}

int code_path(struct codes *c, struct code *code, uint32_t line, uint32_t *id)
{
	struct file *f = code->file;

	if (f->path_id == 0 || line > f->path_lines) {
		int rc;

		/* room beyond the line: later ones shall not each intern the path again */
		if (line > f->nlines)
			f->nlines = line < INT32_MAX / 2 ? line + line / 2 : line;
		rc = trace_path(c->w, f->path, strlen(f->path), f->nlines, id);
		if (rc < 0)
			return rc;
		f->path_id = *id + 1;
		f->path_lines = f->nlines;
	}
	*id = f->path_id - 1;
	return 0;
}

int code_function(struct codes *c, struct code *code, uint32_t *id)
{
	if (code->function == 0) {
		const char *name = UNKNOWN;
		size_t len = sizeof(UNKNOWN) - 1;
		int rc;

		if (code->d && code->d->qualname_len) {
			buf_clear(&c->scratch);
			text_utf8(&c->scratch, code->parts.qualname, code->d->qualname_len);
			name = (const char *)c->scratch.data;
			len = c->scratch.len;
		}
		rc = c->scratch.oom ? buf_check(&c->scratch) : trace_function(c->w, name, len, id);
		if (rc < 0)
			return rc;
		code->function = *id + 1;
	}
	*id = code->function - 1;
	return 0;
}

int code_varname(struct codes *c, struct code *code, uint32_t slot, uint32_t *id)
{
	const char *name = "?";
	int rc;

	if (slot < code->nslots && code->varnames[slot]) {
		*id = code->varnames[slot] - 1;
		return 0;
	}
	if (slot < code->nslots)
		name = code->names[slot];
	buf_clear(&c->scratch);
	text_utf8(&c->scratch, name, strlen(name));
	rc = c->scratch.oom ? buf_check(&c->scratch) :
			      trace_varname(c->w, (const char *)c->scratch.data, c->scratch.len, id);
	if (rc == 0 && slot < code->nslots)
		code->varnames[slot] = *id + 1;
	return rc;
}

int codes_workdir(struct codes *c, const char *workdir)
{
	free(c->workdir);
	c->workdir = strdup(strcmp(workdir, "/") == 0 || workdir[0] != '/' ? "" : workdir);
	return c->workdir ? 0 : err_set(ERR_NOMEM, "a path");
}

int codes_init(struct codes *c, struct trace_writer *w)
{
	int rc;

	*c = (struct codes){ .w = w };
	c->unknown = calloc(1, sizeof(*c->unknown));
	if (!c->unknown)
		return err_set(ERR_NOMEM, "a code object");
	rc = file_get(c, UNKNOWN, sizeof(UNKNOWN) - 1, &c->unknown->file);
	return rc;
}

static void type_free(void *p)
{
	free(p);
}

void codes_deinit(struct codes *c)
{
	map_deinit(&c->codes, code_free);
	map_deinit(&c->files, file_free);
	map_deinit(&c->types, type_free);
	code_free(c->unknown);
	free(c->workdir);
	buf_deinit(&c->scratch);
}
