/* SPDX-License-Identifier: MIT */
/*
 * assemble_timeline.c: frames of many threads as one tree of calls.
 *
 * The trace's open calls are the root and the current thread's open frames (see
 * the header). When another thread has a step to show, the open frames are left
 * and that thread's are entered again, as calls without arguments.
 */
#include "trace/assemble_timeline.h"

#include <stdlib.h>
#include <string.h>

#include "util/err.h"

struct thread *timeline_thread(struct assembler *a, uint32_t index, int *rc)
{
	struct thread *t;

	if (a->current && a->current->index == index)
		return a->current;
	t = map_get(&a->threads, index);
	if (t)
		return t;
	if (a->nthreads >= MAX_THREADS) {
		*rc = 1;
		return NULL;
	}
	t = calloc(1, sizeof(*t));
	*rc = t ? map_put(&a->threads, index, t, NULL) : err_set(ERR_NOMEM, "a thread");
	if (*rc < 0) {
		free(t);
		return NULL;
	}
	t->index = index;
	a->nthreads++;
	return t;
}

struct frame *timeline_push(struct assembler *a, struct thread *t, uint64_t serial,
			    struct code *code, int *rc)
{
	struct frame *f;

	if (t->n >= THREAD_MAX_FRAMES) {
		*rc = 1;
		return NULL;
	}
	if (t->n == t->cap) {
		uint32_t cap = t->cap ? t->cap * 2 : 32;
		struct frame **p = realloc(t->frames, cap * sizeof(*p));

		if (!p) {
			*rc = err_set(ERR_NOMEM, "a thread's frames");
			return NULL;
		}
		t->frames = p;
		t->cap = cap;
	}
	f = frame_new(&a->pool, serial, code);
	if (!f) {
		*rc = err_set(ERR_NOMEM, "a frame");
		return NULL;
	}
	t->frames[t->n++] = f;
	return f;
}

static int enter_root(struct assembler *a, uint32_t function)
{
	int rc = trace_call_enter(a->w, function, NULL, 0);

	a->root_open = true;
	a->calls++;
	return rc;
}

int timeline_need_root(struct assembler *a)
{
	static const char name[] = "<python>";
	uint32_t id;
	int rc;

	if (a->root_open)
		return 0;
	rc = trace_function(a->w, name, sizeof(name) - 1, &id);
	return rc < 0 ? rc : enter_root(a, id);
}

int timeline_suspend(struct assembler *a)
{
	struct thread *t = a->current;

	a->current = NULL;
	for (uint32_t i = t ? t->n : 0; i-- > 0;) {
		struct frame *f = t->frames[i];
		int rc;

		if (!f->open || f->is_root)
			continue;
		f->open = false;
		rc = trace_call_exit(a->w, NULL, 0, NULL, 0);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int function_id(struct assembler *a, struct frame *f, uint32_t *id)
{
	struct buf *b = &a->name;

	if (!f->code->is_module)
		return code_function(&a->codes, f->code, id);
	buf_clear(b);
	buf_printf(b, "<%s>", f->module ? f->module : f->code->file->module);
	if (buf_check(b) < 0)
		return -ERR_NOMEM;
	return trace_function(a->w, (const char *)b->data, b->len, id);
}

/* The arguments: slots below nargs, which lead the frame's variables. */
static size_t arguments(const struct frame *f)
{
	size_t n = 0;

	while (n < f->nvars && f->slots[n] < f->code->nargs)
		n++;
	return n;
}

static int enter(struct assembler *a, struct frame *f)
{
	uint32_t id;
	int rc = function_id(a, f, &id);

	if (rc < 0)
		return rc;
	if (f->shown)
		rc = trace_call_enter(a->w, id, NULL, 0);
	else if (f->thrown.cbor)
		rc = trace_call_enter(a->w, id, &f->thrown, 1);
	else
		rc = trace_call_enter(a->w, id, f->vars, f->args ? arguments(f) : 0);
	f->open = f->shown = true;
	f->call = a->calls++;
	return rc;
}

int timeline_open(struct assembler *a, struct thread *t)
{
	uint32_t i = t->n;
	int rc = timeline_need_root(a);

	if (rc == 0 && a->current != t) {
		rc = timeline_suspend(a);
		a->current = t;
	}
	while (i && !t->frames[i - 1]->open)
		i--;
	for (; i < t->n && rc == 0; i++)
		rc = enter(a, t->frames[i]);
	return rc;
}

int timeline_try_root(struct assembler *a, struct thread *t)
{
	struct frame *f = t->frames[t->n - 1];
	uint32_t id;
	int rc;

	if (a->root_open || !f->code->is_module || t->n != 1 || strcmp(f->module, "__main__") != 0)
		return 0;
	rc = function_id(a, f, &id);
	if (rc < 0)
		return rc;
	f->is_root = f->open = f->shown = true;
	a->current = t;
	return enter_root(a, id);
}

int timeline_pop(struct assembler *a, struct thread *t, const struct buf *ret, bool exception)
{
	struct frame *f = t->frames[--t->n];
	const uint8_t *p = ret ? ret->data : NULL;
	size_t n = ret ? ret->len : 0;
	int rc = 0;

	if (f->is_root) {
		/* stays open to the end; what it left by is kept for then */
		if (exception && ret) {
			buf_clear(&a->root_exc);
			buf_append(&a->root_exc, ret->data, ret->len);
			rc = buf_check(&a->root_exc);
		}
	} else if (f->open) {
		rc = trace_call_exit(a->w, p, n, exception ? p : NULL, exception ? n : 0);
	} else if (f->shown && ret) {
		rc = trace_call_returned(a->w, f->call, p, n, exception ? p : NULL, exception ? n : 0);
	}
	frame_free(&a->pool, f);
	return rc;
}

int timeline_step(struct assembler *a, struct thread *t, uint32_t line)
{
	struct frame *f = t->frames[t->n - 1];
	uint32_t path;
	int rc = timeline_open(a, t);

	if (rc == 0)
		rc = code_path(&a->codes, f->code, line, &path);
	if (rc == 0)
		rc = trace_step(a->w, path, line, f->vars, f->nvars);
	if (rc < 0)
		return rc;
	f->last_line = line;
	t->last_line = line;
	t->last_path = path;
	t->last_step = ++a->steps;
	if (a->run_thread != t->index) {
		a->run_thread = t->index;
		buf_u64(&a->runs, a->steps - 1);
		buf_u64(&a->runs, t->index);
	}
	return 0;
}

int timeline_name_module(struct assembler *a, struct thread *t, struct frame *f, const char *name)
{
	struct frame *below = t->n > 1 ? t->frames[t->n - 2] : NULL;
	struct file *file = f->code->file;
	const char *base = strrchr(file->path, '/');

	/* code given to exec() runs in the module that gave it; a package's
	 * __init__ may be the first to run and is not the program */
	if (!name && file->path[0] == '<' && below)
		name = below->module ? below->module : below->code->file->module;
	if (!name && !a->main_named && !(base && strcmp(base, "/__init__.py") == 0))
		name = "__main__";
	if (!name)
		name = file->module;
	if (strcmp(name, "__main__") == 0) {
		a->main_named = true;
		/* its functions' exec() needs to know */
		if (file->path[0] != '<' && strcmp(file->module, name) != 0) {
			free(file->module);
			file->module = strdup(name);
		}
	}
	free(f->module);
	f->module = file->module ? strdup(name) : NULL;
	return f->module ? 0 : err_set(ERR_NOMEM, "a module's name");
}
