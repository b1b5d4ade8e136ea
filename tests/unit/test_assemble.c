/* SPDX-License-Identifier: MIT */
/*
 * test_assemble.c: synthetic records in, the calls a trace writer gets out.
 *
 * The writer here is a transcript: one line a call, step or event, so that each
 * test is two texts. It takes the real writer's place at link time (same
 * symbols, so that the archive's is never pulled in) and checks what the real one
 * takes on trust: calls nest, under one root that is left last.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "trace/assemble.h"
#include "trace/cbor.h"
#include "util/buf.h"
#include "util/err.h"

/* ---- the writer ---- */

struct names {
	char *text[256];
	uint32_t n;
};

struct internal {
	char name[16];
	struct buf data;
};

struct trace_writer {
	struct names paths, functions, types, varnames;
	struct internal internal[16];
	struct buf log;
	uint64_t steps, calls, events;
	int depth;
	bool root_left;
};

static uint32_t name_id(struct names *t, const char *name, size_t len)
{
	uint32_t i;

	for (i = 0; i < t->n; i++)
		if (strlen(t->text[i]) == len && memcmp(t->text[i], name, len) == 0)
			return i;
	ck_assert_uint_lt(t->n, 256);
	t->text[t->n++] = strndup(name, len);
	return i;
}

int trace_path(struct trace_writer *w, const char *path, size_t len, uint32_t nlines, uint32_t *id)
{
	ck_assert_uint_ge(nlines, 1);
	*id = name_id(&w->paths, path, len);
	return 0;
}

int trace_function(struct trace_writer *w, const char *name, size_t len, uint32_t *id)
{
	*id = name_id(&w->functions, name, len);
	return 0;
}

int trace_type(struct trace_writer *w, const char *name, size_t len, uint32_t *id)
{
	*id = name_id(&w->types, name, len);
	return 0;
}

int trace_varname(struct trace_writer *w, const char *name, size_t len, uint32_t *id)
{
	*id = name_id(&w->varnames, name, len);
	return 0;
}

static void show(struct trace_writer *w, struct cbor_in *in)
{
	struct cbor_value v;
	struct cbor_why why;
	struct cbor_in names;

	ck_assert_msg(cbor_value(in, &v, &why), "%s", why.text);
	ck_assert_uint_lt(v.type_id, w->types.n);
	names = v.names;
	switch (v.kind) {
	case CV_NONE:
		buf_printf(&w->log, "None");
		return;
	case CV_INT:
		buf_printf(&w->log, "%lld", (long long)v.i);
		return;
	case CV_STRING:
		buf_printf(&w->log, "'%.*s'", (int)(v.text.end - v.text.p), v.text.p);
		return;
	case CV_SEQUENCE:
	case CV_TUPLE:
	case CV_STRUCT:
		buf_printf(&w->log, "%s(", w->types.text[v.type_id]);
		for (uint64_t i = 0; i < v.nitems; i++) {
			struct cbor_in text;

			buf_printf(&w->log, "%s", i ? "," : "");
			if (i < v.nnames) {
				ck_assert(cbor_take_text(&names, &text, &why));
				buf_printf(&w->log, "%.*s=", (int)(text.end - text.p), text.p);
			}
			show(w, &v.items);
		}
		buf_printf(&w->log, ")");
		return;
	default:
		buf_printf(&w->log, "%.*s", (int)(v.text.end - v.text.p), v.text.p);
	}
}

static void show_value(struct trace_writer *w, const uint8_t *p, size_t n)
{
	struct cbor_in in = { p, p + n };

	show(w, &in);
	ck_assert_ptr_eq(in.p, in.end);
}

static void show_vars(struct trace_writer *w, const struct trace_var *vars, size_t n, const char *sep)
{
	for (size_t i = 0; i < n; i++) {
		ck_assert_uint_lt(vars[i].name, w->varnames.n);
		buf_printf(&w->log, "%s%s=", i ? sep : "", w->varnames.text[vars[i].name]);
		show_value(w, vars[i].cbor, vars[i].len);
	}
}

int trace_step(struct trace_writer *w, uint32_t path, uint32_t line, const struct trace_var *vars,
	       size_t nvars)
{
	ck_assert_int_gt(w->depth, 0);
	w->steps++;
	buf_printf(&w->log, "%*s%s:%u%s", 2 * w->depth, "", w->paths.text[path], line, nvars ? " " : "");
	show_vars(w, vars, nvars, " ");
	buf_printf(&w->log, "\n");
	return 0;
}

int trace_call_enter(struct trace_writer *w, uint32_t function, const struct trace_var *args,
		     size_t nargs)
{
	ck_assert_msg(!w->root_left, "a call after the root was left");
	ck_assert_msg(w->depth || !w->calls, "a second root");
	w->calls++;
	buf_printf(&w->log, "%*s%s(", 2 * w->depth++, "", w->functions.text[function]);
	show_vars(w, args, nargs, ",");
	buf_printf(&w->log, ")\n");
	return 0;
}

int trace_call_exit(struct trace_writer *w, const uint8_t *ret, size_t ret_len, const uint8_t *exc,
		    size_t exc_len)
{
	ck_assert_int_gt(w->depth, 0);
	buf_printf(&w->log, "%*s-> ", 2 * --w->depth, "");
	w->root_left = w->depth == 0;
	if (ret)
		show_value(w, ret, ret_len);
	else
		buf_printf(&w->log, "void");
	if (exc) {
		buf_printf(&w->log, " ! ");
		show_value(w, exc, exc_len);
	}
	buf_printf(&w->log, "\n");
	return 0;
}

int trace_event(struct trace_writer *w, uint8_t kind, const char *metadata, size_t metadata_len,
		const uint8_t *content, size_t content_len)
{
	ck_assert_uint_gt(metadata_len, 1);
	ck_assert_int_eq(metadata[0], '{');
	w->events++;
	buf_printf(&w->log, "%*s#%u %.*s\n", 2 * w->depth, "", kind, (int)content_len, content);
	return 0;
}

int trace_internal(struct trace_writer *w, const char *name, const void *data, size_t len)
{
	for (size_t i = 0; i < 16; i++) {
		struct internal *f = &w->internal[i];

		if (f->name[0] && strcmp(f->name, name) != 0)
			continue;
		ck_assert_uint_le(strlen(name), 12);
		strcpy(f->name, name);
		buf_append(&f->data, data, len);
		return 0;
	}
	ck_abort_msg("too many files");
}

uint64_t trace_steps(const struct trace_writer *w)
{
	return w->steps;
}

int ct_writer_new(struct trace_writer **ret, int out_fd, int spool_dir_fd,
		  const struct trace_meta *meta)
{
	(void)out_fd;
	(void)spool_dir_fd;
	(void)meta;
	*ret = calloc(1, sizeof(**ret));
	return 0;
}

int trace_finish(struct trace_writer *w, struct trace_counts *counts)
{
	*counts = (struct trace_counts){ .steps = w->steps, .calls = w->calls, .events = w->events };
	return 0;
}

static void names_free(struct names *t)
{
	while (t->n)
		free(t->text[--t->n]);
}

struct trace_writer *trace_writer_free(struct trace_writer *w)
{
	if (!w)
		return NULL;
	names_free(&w->paths);
	names_free(&w->functions);
	names_free(&w->types);
	names_free(&w->varnames);
	for (size_t i = 0; i < 16; i++)
		buf_deinit(&w->internal[i].data);
	buf_deinit(&w->log);
	free(w);
	return NULL;
}

/* ---- records ---- */

static struct trace_writer *w;
static struct assembler *a;
static struct assemble_summary sum;
static struct buf r;	 /* the record being made */
static size_t var_at;	 /* of its last variable */
static uint64_t now;

static const struct ev_header *record(void)
{
	buf_pad8(&r);
	((struct ev_header *)r.data)->size = (uint32_t)r.len;
	return (const void *)r.data;
}

static void feed(void)
{
	ck_assert_int_eq(assembler_feed(a, record()), 0);
}

static void define(void)
{
	ck_assert_int_eq(assembler_define(a, record()), 0);
}

static void text(unsigned type, const char *json)
{
	struct ev_text t = { .h = { .type = type }, .len = strlen(json) };

	buf_clear(&r);
	buf_append(&r, &t, sizeof(t));
	buf_append(&r, json, t.len);
	define();
}

static void padded(const void *p, size_t n)
{
	buf_append(&r, p, n);
	buf_pad8(&r);
}

#define RESUME 151
#define SEND 123
#define NOP 9

/* One instruction a line; line 0: the instruction has none. ops NULL: RESUME, then NOPs. */
static void code(uint32_t id, const char *name, uint32_t nargs, const char *names, uint32_t names_len,
		 const int *lines, const uint8_t *ops, uint32_t n)
{
	struct ev_defcode d = { .h = { .type = EV_DEFCODE }, .code = id, .firstlineno = 1,
				.argcount = nargs, .python = 3 << 8 | 11, .filename_len = 5,
				.name_len = strlen(name), .qualname_len = strlen(name),
				.bytecode_len = 2 * n, .names_len = names_len };
	uint8_t table[64], bytecode[64];
	uint32_t at = 0;
	int line = 1;

	for (uint32_t i = 0; i < n; i++) {
		int delta = lines[i] - line;

		table[at++] = 0x80 | (lines[i] ? 13 : 15) << 3;
		if (lines[i]) {
			unsigned v = delta < 0 ? (unsigned)-delta << 1 | 1 : (unsigned)delta << 1;

			for (; v >= 64; v >>= 6)
				table[at++] = 64 | (v & 63);
			table[at++] = v;
			line = lines[i];
		}
		bytecode[2 * i] = ops ? ops[i] : i ? NOP : RESUME;
		bytecode[2 * i + 1] = 0;
	}
	d.linetable_len = at;
	for (uint32_t i = 0; i < names_len; i++)
		d.nlocalsplus += names[i] == 0;
	buf_clear(&r);
	buf_append(&r, &d, sizeof(d));
	padded("/m.py", 5);
	padded(name, d.name_len);
	padded(name, d.name_len);
	padded(table, at);
	padded(bytecode, 2 * n);
	padded(names, names_len);
	define();
}

static void type(uint32_t id, const char *name, uint32_t flags, uint32_t nslots)
{
	struct ev_deftype d = { .h = { .type = EV_DEFTYPE }, .type_id = id, .flags = flags,
				.nslots = nslots, .name_len = strlen(name) };

	buf_clear(&r);
	buf_append(&r, &d, sizeof(d));
	padded(name, d.name_len);
	define();
}

static void frame(unsigned type_, unsigned flags, uint64_t serial, uint32_t id, uint32_t instruction,
		  uint32_t thread)
{
	struct ev_frame e = { .h = { .type = type_, .flags = flags }, .frame = serial, .code = id,
			      .lasti = 2 * instruction, .thread = thread, .depth = 77,
			      .time = now += 10 };

	buf_clear(&r);
	buf_append(&r, &e, sizeof(e));
}

static void var(unsigned slot, unsigned flags)
{
	struct ev_var v = { .slot = slot, .flags = flags };

	var_at = r.len;
	buf_append(&r, &v, sizeof(v));
	((struct ev_header *)r.data)->nvars++;
}

static void node(unsigned kind, unsigned flags, unsigned n, const void *p, size_t len)
{
	struct ev_node e = { .kind = kind, .flags = flags, .n = n, .total = n };

	buf_append(&r, &e, sizeof(e));
	padded(p, len);
	((struct ev_var *)(r.data + var_at))->size = (uint32_t)(r.len - var_at - sizeof(struct ev_var));
}

static void node_int(int64_t i)
{
	node(EVN_INT, 0, 1, &i, 8);
}

static void node_str(const char *s)
{
	node(EVN_STR, EVNF_WIDTH1, strlen(s), s, strlen(s));
}

static void node_typed(unsigned kind, unsigned n, uint64_t addr, uint64_t type_id)
{
	uint64_t words[] = { addr, type_id };

	node(kind, 0, n, words, sizeof(words));
}

static void var_int(unsigned slot, int64_t i)
{
	var(slot, 0);
	node_int(i);
}

static void named_int(unsigned slot, const char *name, int64_t i)
{
	var(slot, EVV_NAMED);
	node_str(name);
	node_int(i);
}

static void line(uint64_t serial, uint32_t id, uint32_t instruction, uint32_t thread)
{
	frame(EV_LINE, 0, serial, id, instruction, thread);
	feed();
}

static void leave(uint64_t serial, uint32_t id, int64_t i, uint32_t thread)
{
	frame(EV_RETURN, 0, serial, id, 0, thread);
	var_int(EV_SLOT_RETURN, i);
	feed();
}

/* A function's entry; arg < 0: without its variable. */
static void enter(uint64_t serial, uint32_t id, int arg, uint32_t thread)
{
	frame(EV_ENTRY, EVF_FULL, serial, id, 0, thread);
	if (arg >= 0)
		var_int(0, arg);
	feed();
}

static void thread(uint32_t index)
{
	struct ev_thread t = { .h = { .type = EV_THREAD }, .thread = index, .tid = 100 + index,
			       .comm = "worker\xff" };

	buf_clear(&r);
	buf_append(&r, &t, sizeof(t));
	feed();
}

/* Code 1: the module. 2: f(a), lines 11, 12, 13. 3: g(b), lines 21, 22, 23. */
static void setup(void)
{
	static const int module[] = { 0, 1, 2, 3 }, f[] = { 10, 11, 12, 13 }, g[] = { 20, 21, 22, 23 };

	now = 0;
	ck_assert_int_eq(ct_writer_new(&w, -1, -1, NULL), 0);
	ck_assert_int_eq(assembler_new(&a, w), 0);
	text(EV_META, "{\"program\":\"/m.py\",\"args\":[],\"workdir\":\"/\"}");
	code(1, "<module>", 0, "", 0, module, NULL, 4);
	code(2, "f", 1, "a\0x", 4, f, NULL, 4);
	code(3, "g", 1, "b\0y", 4, g, NULL, 4);
	thread(1);
}

static void teardown(void)
{
	assembler_free(a);
	trace_writer_free(w);
	buf_deinit(&r);
}

static void start_module(uint64_t serial, const char *name)
{
	frame(EV_ENTRY, EVF_FULL | EVF_NAMES, serial, 1, 0, 1);
	if (name) {
		var(0, EVV_NAMED);
		node_str("__name__");
		node_str(name);
	}
	feed();
}

static void finish(const char *end, const char *want)
{
	if (end)
		text(EV_END, end);
	ck_assert_int_eq(assembler_finish(a, &sum), 0);
	ck_assert_int_eq(w->depth, 0);
	buf_u8(&w->log, 0);
	ck_assert_str_eq((const char *)w->log.data, want);
	ck_assert_uint_eq(sum.steps, w->steps);
	ck_assert_uint_eq(sum.calls, w->calls);
	ck_assert_uint_eq(sum.events, w->events);
}

#define EXIT0 "{\"reason\":\"exit\",\"status\":0,\"signal\":0}"

static const struct buf *internal(const char *name)
{
	for (size_t i = 0; i < 16; i++)
		if (strcmp(w->internal[i].name, name) == 0)
			return &w->internal[i].data;
	ck_abort_msg("no %s", name);
}

static bool says(const char *file, const char *what)
{
	const struct buf *b = internal(file);

	return memmem(b->data, b->len, what, strlen(what)) != NULL;
}

/* ---- tests ---- */

START_TEST(test_program)
{
	start_module(1, "__main__");
	line(1, 1, 1, 1);
	enter(2, 2, 7, 1);
	line(2, 2, 1, 1);
	leave(2, 2, 5, 1);
	frame(EV_LINE, EVF_NAMES, 1, 1, 2, 1);
	named_int(1, "n", 5);
	named_int(2, "__hidden__", 5);
	feed();
	leave(1, 1, 0, 1);
	finish("{\"reason\":\"exit\",\"status\":3,\"signal\":0}",
	       "<__main__>()\n"
	       "  /m.py:1\n"
	       "  f(a=7)\n"
	       "    /m.py:11 a=7\n"
	       "  -> 5\n"
	       "  /m.py:2 n=5\n"
	       "  #11 error: exit status 3\n"
	       "-> 3\n");
	ck_assert_uint_eq(sum.lost, 0);
	ck_assert_uint_eq(sum.threads, 1);
	ck_assert_uint_eq(sum.duration_ns, 60);
	ck_assert(says("cx.meta", "\"steps\":3"));
	ck_assert(says("cx.meta", "\"program\":\"/m.py\""));
}
END_TEST

START_TEST(test_signal)
{
	start_module(1, NULL);
	line(1, 1, 1, 1);
	text(EV_END, "{\"reason\":\"signal\",\"status\":0,\"signal\":9}");
	ck_assert_int_eq(assembler_finish(a, &sum), 0);
	buf_u8(&w->log, 0);
	ck_assert_ptr_nonnull(strstr((char *)w->log.data, "signal 9"));
	ck_assert_ptr_nonnull(strstr((char *)w->log.data, "\n-> 137\n"));
}
END_TEST

/* A recording whose end is not known: the root's value is void. */
START_TEST(test_no_end)
{
	start_module(1, NULL);
	line(1, 1, 1, 1);
	finish(NULL, "<__main__>()\n"
		     "  /m.py:1\n"
		     "-> void\n");
}
END_TEST

START_TEST(test_variables)
{
	start_module(1, NULL);
	enter(2, 2, 1, 1);
	frame(EV_LINE, 0, 2, 2, 1, 1);
	var_int(1, 2);
	feed();
	line(2, 2, 2, 1); /* nothing changed */
	frame(EV_LINE, 0, 2, 2, 3, 1);
	var(0, EVV_UNSET);
	feed();
	frame(EV_LINE, EVF_FULL, 2, 2, 1, 1);
	var(0, EVV_REDACTED);
	feed();
	leave(2, 2, 0, 1);
	finish(EXIT0, "<__main__>()\n"
		      "  f(a=1)\n"
		      "    /m.py:11 a=1 x=2\n"
		      "    /m.py:12 a=1 x=2\n"
		      "    /m.py:13 x=2\n"
		      "    /m.py:11 a=<redacted>\n"
		      "  -> 0\n"
		      "-> 0\n");
}
END_TEST

/* SEND reached by a jump back shows no line twice; a line on RESUME's own is shown at entry. */
START_TEST(test_corrections)
{
	static const int lines[] = { 30, 31, 31, 32 }, one[] = { 40, 40 };
	static const uint8_t ops[] = { RESUME, NOP, SEND, NOP };

	code(4, "agen", 0, "", 0, lines, ops, 4);
	code(5, "<lambda>", 1, "k", 2, one, NULL, 2);
	start_module(1, NULL);
	enter(2, 4, -1, 1);
	line(2, 4, 1, 1);
	line(2, 4, 2, 1); /* dropped */
	leave(2, 4, 0, 1);
	frame(EV_ENTRY, EVF_FULL | EVF_RESUME, 3, 4, 2, 1); /* another activation */
	feed();
	line(3, 4, 3, 1);
	leave(3, 4, 1, 1);
	enter(4, 5, 6, 1);
	leave(4, 5, 6, 1);
	frame(EV_ENTRY, EVF_FULL | EVF_RESUME, 5, 5, 1, 1);
	feed();
	leave(5, 5, 8, 1);
	finish(EXIT0, "<__main__>()\n"
		      "  agen()\n"
		      "    /m.py:31\n"
		      "  -> 0\n"
		      "  agen()\n"
		      "    /m.py:32\n"
		      "  -> 1\n"
		      "  <lambda>(k=6)\n"
		      "    /m.py:40 k=6\n"
		      "  -> 6\n"
		      "  <lambda>()\n"
		      "  -> 8\n"
		      "-> 0\n");
}
END_TEST

static void exception_of(uint64_t class)
{
	var(EV_SLOT_EXC, EVV_NAMED);
	node_typed(EVN_CLASS, 0, 0x1000, class);
}

START_TEST(test_exceptions)
{
	type(9, "ValueError", EVT_EXCEPTION, 1);
	start_module(1, NULL);
	line(1, 1, 1, 1);
	enter(2, 2, 1, 1);
	line(2, 2, 1, 1);
	frame(EV_RETURN, EVF_UNWIND, 2, 2, 1, 1);
	exception_of(9); /* not yet normalized: a text */
	node_str("bad");
	feed();
	enter(3, 2, 1, 1);
	line(3, 2, 1, 1);
	frame(EV_RETURN, EVF_UNWIND, 3, 2, 1, 1);
	exception_of(9);
	node(EVN_NULL, 0, 0, NULL, 0);
	feed();
	frame(EV_RETURN, EVF_UNWIND, 1, 1, 1, 1);
	exception_of(9); /* an instance: slot 0 is args */
	node_typed(EVN_OBJECT, 0, 0x2000, 9);
	node(EVN_TUPLE, 0, 1, &(uint64_t){ 0x3000 }, 8);
	node_int(4);
	feed();
	finish("{\"reason\":\"exit\",\"status\":1}",
	       "<__main__>()\n"
	       "  /m.py:1\n"
	       "  f(a=1)\n"
	       "    /m.py:11 a=1\n"
	       "  -> ValueError(args=Tuple('bad')) ! ValueError(args=Tuple('bad'))\n"
	       "  f(a=1)\n"
	       "    /m.py:11 a=1\n"
	       "  -> ValueError(args=Tuple()) ! ValueError(args=Tuple())\n"
	       "  #11 error: exit status 1\n"
	       "-> 1 ! ValueError(args=Tuple(4))\n");
}
END_TEST

/* The class alone (the budget ended there) still names the exception. */
START_TEST(test_exception_class_only)
{
	type(9, "ValueError", EVT_EXCEPTION, 1);
	start_module(1, NULL);
	enter(2, 2, 1, 1);
	line(2, 2, 1, 1);
	frame(EV_RETURN, EVF_UNWIND, 2, 2, 1, 1);
	exception_of(9);
	feed();
	finish(EXIT0, "<__main__>()\n"
		      "  f(a=1)\n"
		      "    /m.py:11 a=1\n"
		      "  -> ValueError(args=Tuple()) ! ValueError(args=Tuple())\n"
		      "-> 0\n");
}
END_TEST

/* An instance of a class whose description came too late stays an instance. */
START_TEST(test_exception_opaque)
{
	type(9, "MyError", EVT_EXCEPTION, 1);
	start_module(1, NULL);
	enter(2, 2, 1, 1);
	line(2, 2, 1, 1);
	frame(EV_RETURN, EVF_UNWIND, 2, 2, 1, 1);
	exception_of(9);
	node_typed(EVN_OPAQUE, 0, 0x2000, 9);
	feed();
	finish(EXIT0, "<__main__>()\n"
		      "  f(a=1)\n"
		      "    /m.py:11 a=1\n"
		      "  -> <MyError at 0x2000> ! <MyError at 0x2000>\n"
		      "-> 0\n");
}
END_TEST

/* The exception thrown in is the argument, wherever it stands among the variables. */
START_TEST(test_throw)
{
	start_module(1, NULL);
	frame(EV_ENTRY, EVF_FULL | EVF_RESUME | EVF_THROW, 2, 2, 1, 1);
	var(EV_SLOT_EXC, 0);
	node_str("stop");
	var_int(0, 7);
	feed();
	line(2, 2, 1, 1);
	leave(2, 2, 1, 1);
	finish(EXIT0, "<__main__>()\n"
		      "  f(exception='stop')\n"
		      "    /m.py:11 a=7\n"
		      "  -> 1\n"
		      "-> 0\n");
}
END_TEST

/* What is above a frame that runs again was lost; a frame never seen is late. */
START_TEST(test_lost_frames)
{
	start_module(1, NULL);
	enter(2, 2, 1, 1);
	line(2, 2, 1, 1);
	enter(3, 3, 2, 1);
	line(3, 3, 1, 1);
	line(2, 2, 2, 1);
	line(9, 3, 2, 1); /* never entered */
	leave(2, 2, 4, 1);
	finish(EXIT0, "<__main__>()\n"
		      "  f(a=1)\n"
		      "    /m.py:11 a=1\n"
		      "    g(b=2)\n"
		      "      /m.py:21 b=2\n"
		      "    -> void\n"
		      "    /m.py:12 a=1\n"
		      "    g()\n"
		      "      /m.py:22\n"
		      "    -> void\n"
		      "  -> 4\n"
		      "-> 0\n");
}
END_TEST

START_TEST(test_synthetic_root)
{
	line(2, 2, 1, 1);
	leave(2, 2, 1, 1);
	enter(3, 3, 2, 1);
	line(3, 3, 1, 1);
	leave(3, 3, 2, 1);
	finish(EXIT0, "<python>()\n"
		      "  f()\n"
		      "    /m.py:11\n"
		      "  -> 1\n"
		      "  g(b=2)\n"
		      "    /m.py:21 b=2\n"
		      "  -> 2\n"
		      "-> 0\n");
}
END_TEST

START_TEST(test_threads)
{
	const uint64_t want[] = { 0, 1, 2, 2, 3, 1, 5, 2 };

	thread(2);
	start_module(1, NULL);
	line(1, 1, 1, 1);
	enter(2, 2, 1, 1);
	line(2, 2, 1, 1);
	enter(10, 3, 5, 2);
	line(10, 3, 1, 2);
	line(2, 2, 2, 1); /* back to the first */
	leave(2, 2, 3, 1);
	line(1, 1, 2, 1);
	line(10, 3, 2, 2);
	leave(10, 3, 6, 2);
	finish(EXIT0, "<__main__>()\n"
		      "  /m.py:1\n"
		      "  f(a=1)\n"
		      "    /m.py:11 a=1\n"
		      "  -> void\n"
		      "  g(b=5)\n"
		      "    /m.py:21 b=5\n"
		      "  -> void\n"
		      "  f()\n"
		      "    /m.py:12 a=1\n"
		      "  -> 3\n"
		      "  /m.py:2\n"
		      "  g()\n"
		      "    /m.py:22 b=5\n"
		      "  -> 6\n"
		      "-> 0\n");
	ck_assert_uint_eq(sum.threads, 2);
	/* u64 first step, u64 thread: what the oracle's comparison reads */
	ck_assert_uint_eq(internal("cx.thread")->len, sizeof(want));
	ck_assert_mem_eq(internal("cx.thread")->data, want, sizeof(want));
}
END_TEST

/* A call that was left by a switch returns: whether that shows or not, the calls go on nesting
 * and the steps after it are its caller's. */
START_TEST(test_return_while_suspended)
{
	thread(2);
	start_module(1, NULL);
	line(1, 1, 1, 1);
	enter(2, 2, 1, 1);
	line(2, 2, 1, 1);
	enter(3, 3, 2, 1);
	line(3, 3, 1, 1);
	enter(10, 3, 5, 2);
	line(10, 3, 1, 2);
	leave(3, 3, 4, 1);
	line(2, 2, 2, 1);
	leave(2, 2, 3, 1);
	text(EV_END, EXIT0);
	ck_assert_int_eq(assembler_finish(a, &sum), 0);
	ck_assert_int_eq(w->depth, 0);
	buf_u8(&w->log, 0);
	ck_assert_ptr_nonnull(strstr((char *)w->log.data, "\n    /m.py:12 a=1\n  -> 3\n-> 0\n"));
}
END_TEST

static void output(uint32_t thread_, unsigned flags, const char *s)
{
	struct ev_output o = { .h = { .type = EV_OUTPUT, .flags = flags }, .thread = thread_,
			       .n = strlen(s), .total = strlen(s) };

	buf_clear(&r);
	buf_append(&r, &o, sizeof(o));
	padded(s, o.n);
	feed();
}

START_TEST(test_output)
{
	output(0, 1, "early");
	start_module(1, NULL);
	line(1, 1, 1, 1);
	output(1, 1, "out");
	output(1, 2, "err");
	finish(EXIT0, "#0 early\n"
		      "<__main__>()\n"
		      "  /m.py:1\n"
		      "  #0 out\n"
		      "  #12 err\n"
		      "-> 0\n");
}
END_TEST

static void checkpoint(const uint64_t *serials, const uint32_t *codes, uint32_t n)
{
	struct ev_checkpoint c = { .h = { .type = EV_CHECKPOINT }, .nframes = n };

	buf_clear(&r);
	buf_append(&r, &c, sizeof(c));
	for (uint32_t i = 0; i < n; i++) {
		struct ev_openframe o = { .frame = serials[i], .code = codes[i], .thread = 1 };

		buf_append(&r, &o, sizeof(o));
	}
	feed();
}

/* A checkpoint holds the innermost frames only where there are many: it closes none. */
START_TEST(test_checkpoint_of_innermost)
{
	start_module(1, NULL);
	enter(2, 2, 1, 1);
	line(2, 2, 1, 1);
	enter(3, 3, 2, 1);
	line(3, 3, 1, 1);
	checkpoint(&(uint64_t){ 3 }, &(uint32_t){ 3 }, 1);
	frame(EV_LINE, EVF_FULL, 3, 3, 2, 1);
	var_int(0, 8);
	feed();
	leave(3, 3, 9, 1);
	leave(2, 2, 4, 1);
	finish(EXIT0, "<__main__>()\n"
		      "  f(a=1)\n"
		      "    /m.py:11 a=1\n"
		      "    g(b=2)\n"
		      "      /m.py:21 b=2\n"
		      "      /m.py:22 b=8\n"
		      "    -> 9\n"
		      "  -> 4\n"
		      "-> 0\n");
}
END_TEST

/* A module frame met in the middle, at an instruction without a line, and calls above it. */
START_TEST(test_one_root)
{
	thread(2);
	line(1, 1, 0, 1); /* no line: no step */
	enter(2, 2, 1, 1);
	line(2, 2, 1, 1);
	enter(10, 3, 5, 2);
	line(10, 3, 1, 2);
	line(2, 2, 2, 1);
	leave(2, 2, 3, 1);
	leave(1, 1, 0, 1);
	text(EV_END, "{\"reason\":\"exit\",\"status\":4}");
	ck_assert_int_eq(assembler_finish(a, &sum), 0);
	/* the root is left last, with the status; nothing else is open then */
	ck_assert_int_eq(w->depth, 0);
	buf_u8(&w->log, 0);
	ck_assert_ptr_nonnull(strstr((char *)w->log.data, "\n-> 4\n"));
	ck_assert_ptr_nonnull(strstr((char *)w->log.data, "\n  g(b=5)\n"));
}
END_TEST

/* With a checkpoint at the start (attach): the same. */
START_TEST(test_checkpoint_first)
{
	checkpoint((uint64_t[]){ 1, 2 }, (uint32_t[]){ 1, 2 }, 2);
	line(2, 2, 1, 1);
	leave(2, 2, 3, 1);
	line(1, 1, 1, 1);
	leave(1, 1, 0, 1);
	text(EV_END, "{\"reason\":\"exit\",\"status\":4}");
	ck_assert_int_eq(assembler_finish(a, &sum), 0);
	ck_assert_int_eq(w->depth, 0);
	buf_u8(&w->log, 0);
	ck_assert_ptr_nonnull(strstr((char *)w->log.data, "\n-> 4\n"));
}
END_TEST

/* Nothing in a record is believed: it is counted, and the rest goes on. */
START_TEST(test_hostile)
{
	struct ev_gap gap = { .h = { .type = EV_GAP }, .reason = EVG_RING_FULL, .count = 5 };
	struct ev_output o = { .h = { .type = EV_OUTPUT, .flags = 1 }, .n = 1 << 30 };

	start_module(1, NULL);
	line(1, 1, 1, 1);
	buf_clear(&r); /* shorter than its type */
	buf_append(&r, &(struct ev_header){ .type = EV_LINE }, sizeof(struct ev_header));
	feed();
	buf_clear(&r);
	buf_append(&r, &o, sizeof(o));
	feed();
	buf_clear(&r);
	buf_append(&r, &(struct ev_header){ .type = 200 }, sizeof(struct ev_header));
	feed();
	frame(EV_LINE, 0, 1, 1, 2, 1); /* more variables than bytes */
	((struct ev_header *)r.data)->nvars = 60000;
	feed();
	frame(EV_LINE, 0, 1, 1, 3, 1); /* a variable longer than the record */
	var(0, 0);
	((struct ev_var *)(r.data + var_at))->size = 1 << 20;
	feed();
	enter(5, 99, 1, 1); /* a code object that was never defined */
	line(5, 99, 1, 1);
	leave(5, 99, 1, 1);
	buf_clear(&r);
	buf_append(&r, &gap, sizeof(gap));
	feed();
	finish(EXIT0, "<__main__>()\n"
		      "  /m.py:1\n"
		      "  /m.py:2\n"
		      "  /m.py:3\n"
		      "  <unknown>()\n"
		      "  -> 1\n"
		      "-> 0\n");
	ck_assert_uint_eq(sum.gaps[EVG_BAD_RECORD], 5);
	ck_assert_uint_eq(sum.gaps[EVG_RING_FULL], 5);
	ck_assert_uint_eq(sum.lost, 10);
	ck_assert(says("cx.loss", "\"ring_full\":5"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("assemble");
	TCase *c = tcase_create("assemble");
	SRunner *run;
	int failed;

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, test_program);
	tcase_add_test(c, test_signal);
	tcase_add_test(c, test_no_end);
	tcase_add_test(c, test_variables);
	tcase_add_test(c, test_corrections);
	tcase_add_test(c, test_exceptions);
	tcase_add_test(c, test_exception_class_only);
	tcase_add_test(c, test_exception_opaque);
	tcase_add_test(c, test_throw);
	tcase_add_test(c, test_lost_frames);
	tcase_add_test(c, test_synthetic_root);
	tcase_add_test(c, test_threads);
	tcase_add_test(c, test_return_while_suspended);
	tcase_add_test(c, test_output);
	tcase_add_test(c, test_checkpoint_of_innermost);
	tcase_add_test(c, test_one_root);
	tcase_add_test(c, test_checkpoint_first);
	tcase_add_test(c, test_hostile);
	suite_add_tcase(s, c);
	run = srunner_create(s);
	srunner_run_all(run, CK_ENV);
	failed = srunner_ntests_failed(run);
	srunner_free(run);
	return failed != 0;
}
