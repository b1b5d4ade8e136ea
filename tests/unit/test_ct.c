/* SPDX-License-Identifier: MIT */
/*
 * test_ct.c: random traces through the writer, the reader and tests/ctcheck.py,
 * which knows the format from its description alone; then damaged ones, which
 * may be refused but not more.
 *
 *	test_ct write SEED STEPS FILE	writes such a trace, for other tests
 */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "trace/cbor.h"
#include "trace/ct_reader.h"
#include "trace/writer.h"
#include "util/err.h"

#define MAX_STEPS 20000
#define NPATHS 3
#define NNAMES 8

static const uint32_t path_lines[NPATHS] = { 1, 70, 5000 };
static struct model_step {
	uint32_t path, line, nvars, event;
	uint64_t sum; /* of its variables */
} model[MAX_STEPS];
static uint64_t model_calls, model_events, random_state;

static uint64_t rnd(uint64_t n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (random_state >> 11) % n;
}

static uint64_t sum(uint64_t h, const uint8_t *p, size_t n)
{
	while (n--)
		h = (h ^ *p++) * 0x100000001b3ull;
	return h;
}

/* Check's assertions only work inside a test, and this writes for others as well. */
static void must(bool good)
{
	if (good)
		return;
	fprintf(stderr, "writing failed: %s\n", err_last()->context);
	abort();
}

/* Types: Int, String, List, Point, Bool, None, Object. */
static void value(struct buf *b, unsigned depth)
{
	static const uint8_t text[] = "h\xc3\xa9llo \xff\xed\xa0\x80 'q' \"\n\t\x01 end";
	uint32_t n = rnd(4);

	switch (rnd(depth ? 9 : 6)) {
	case 0:
		cbor_int(b, rnd(2) ? (int64_t)rnd(1000) - 500 : INT64_MIN + (int64_t)rnd(3), 0);
		break;
	case 1:
		cbor_string(b, text, rnd(sizeof(text)), 1);
		break;
	case 2:
		cbor_bool(b, rnd(2), 4);
		break;
	case 3:
		cbor_none(b, 5);
		break;
	case 4:
		cbor_raw(b, text, rnd(sizeof(text)), 6);
		break;
	case 5:
		cbor_error(b, "<cycle>", 7, 6);
		break;
	case 6:
		cbor_sequence_begin(b, n);
		while (n--)
			value(b, depth - 1);
		cbor_sequence_end(b, 2);
		break;
	case 7:
		cbor_tuple_begin(b, n);
		while (n--)
			value(b, depth - 1);
		cbor_tuple_end(b, 2);
		break;
	default:
		cbor_struct_begin(b, 2, true);
		value(b, depth - 1);
		value(b, depth - 1);
		cbor_struct_names(b, 2);
		cbor_text(b, "x", 1);
		cbor_text(b, "y\xff", 2);
		cbor_struct_end(b, 3);
	}
}

static size_t variables(struct trace_var vars[NNAMES], struct buf *b)
{
	size_t n = rnd(NNAMES), at[NNAMES + 1];

	buf_clear(b);
	for (size_t i = 0; i < n; i++) {
		at[i] = b->len;
		value(b, 3);
	}
	at[n] = b->len;
	for (size_t i = 0; i < n; i++)
		vars[i] = (struct trace_var){ i, at[i + 1] - at[i], b->data + at[i] };
	return n;
}

static void setup_names(struct trace_writer *w)
{
	static const char *const types[] = { "Int", "String", "List", "Point", "Bool", "None", "Object" };
	char name[32];
	uint32_t id;

	for (unsigned i = 0; i < 7; i++)
		must(trace_type(w, types[i], strlen(types[i]), &id) == 0);
	for (unsigned i = 0; i < NNAMES; i++) {
		snprintf(name, sizeof(name), "v%u", i);
		must(trace_varname(w, name, strlen(name), &id) == 0);
		snprintf(name, sizeof(name), "f%u", i);
		must(trace_function(w, name, strlen(name), &id) == 0);
	}
	for (unsigned i = 0; i < NPATHS; i++) {
		snprintf(name, sizeof(name), "%sp%u.py", i ? "/src/" : "", i);
		must(trace_path(w, name, strlen(name), path_lines[i], &id) == 0);
		must(id == i);
	}
}

static void one_step(struct trace_writer *w, struct model_step *m, struct buf *b)
{
	struct trace_var vars[NNAMES];

	*m = (struct model_step){ .path = rnd(NPATHS), .nvars = variables(vars, b) };
	m->line = 1 + rnd(path_lines[m->path]);
	for (unsigned i = 0; i < m->nvars; i++)
		m->sum = sum(m->sum + vars[i].name, vars[i].cbor, vars[i].len);
	must(trace_step(w, m->path, m->line, vars, m->nvars) == 0);
	if (rnd(10) == 0) {
		static const uint8_t kinds[] = { 0, 12, 4, 11 };

		m->event = 1;
		must(trace_event(w, kinds[rnd(4)], "{}", 2, (const uint8_t *)"out\xff\n", 5) == 0);
		model_events++;
	}
}

/* Calls without steps of their own, at both ends, are among them. */
static void write_trace(int fd, uint64_t seed, unsigned steps)
{
	static const char *const args[] = { "--x", "\xff" };
	struct trace_meta meta = { .program = "/src/p1.py", .args = args, .nargs = 2, .workdir = "/src", .recorder = "test" };
	struct trace_var vars[NNAMES];
	struct trace_counts counts;
	struct trace_writer *w;
	struct buf b = { 0 };
	unsigned open = 1;
	size_t n;

	random_state = seed * 0x9e3779b97f4a7c15ull + 1;
	model_events = 0;
	model_calls = 1;
	must(ct_writer_new(&w, fd, -1, &meta) == 0);
	setup_names(w);
	must(trace_call_enter(w, 0, NULL, 0) == 0);
	for (unsigned i = 0; i < steps; i++) {
		one_step(w, &model[i], &b);
		for (unsigned k = rnd(3); k; k--) {
			if (open < 60 && rnd(2)) {
				n = variables(vars, &b);
				must(trace_call_enter(w, rnd(NNAMES), vars, n) == 0);
				open++;
				model_calls++;
			} else if (open > 1) {
				buf_clear(&b);
				value(&b, 2);
				must(trace_call_exit(w, rnd(3) ? b.data : NULL, b.len,
								 rnd(5) ? NULL : b.data, b.len) == 0);
				open--;
			}
		}
	}
	must(trace_internal(w, "cx.test", "abc", 3) == 0);
	must(trace_finish(w, &counts) == 0);
	must(counts.steps == steps);
	must(counts.calls == model_calls);
	trace_writer_free(w);
	buf_deinit(&b);
}

static int temporary(char path[64])
{
	int fd;

	strcpy(path, "/tmp/test_ct.XXXXXX");
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	return fd;
}

static void check_step(struct ct_reader *r, uint64_t i, bool values)
{
	struct ct_step step;
	struct ct_vars vars;
	struct ct_var v;
	uint64_t h = 0;

	ck_assert_int_eq(ct_next_step(r, &step), 1);
	ck_assert_uint_eq(step.index, i);
	ck_assert_uint_eq(step.path, model[i].path);
	ck_assert_uint_eq(step.line, model[i].line);
	ck_assert_uint_eq(step.column, 1);
	if (!values)
		return;
	ck_assert_int_eq(ct_next_values(r, &vars), 1);
	ck_assert_uint_eq(vars.n, model[i].nvars);
	while (vars.n--) {
		ck_assert(ct_take_var(&vars.in, &v));
		h = sum(h + v.name, v.cbor.p, v.cbor.end - v.cbor.p);
	}
	ck_assert_uint_eq(h, model[i].sum);
}

static void check_calls(struct ct_reader *r, unsigned steps)
{
	uint64_t child, nchildren = 0, n = 0;
	struct ct_call call;
	int rc;

	while ((rc = ct_next_call(r, &call)) == 1) {
		ck_assert_uint_eq(call.key, n++);
		ck_assert_uint_le(call.entry, call.exit);
		ck_assert_uint_lt(call.exit, steps);
		ck_assert_int_lt(call.parent, (int64_t)call.key);
		/* the rest is skipped when the next call is read */
		for (unsigned k = rnd(3) ? UINT32_MAX : 1; k && ct_next_child(r, &child) == 1; k--)
			ck_assert_uint_gt(child, call.key);
		nchildren += call.nchildren;
	}
	ck_assert_int_eq(rc, 0);
	ck_assert_uint_eq(n, model_calls);
	ck_assert_uint_eq(nchildren, model_calls - 1);
}

static void check_trace(int fd, unsigned steps)
{
	struct ct_reader *r;
	struct ct_event e;
	struct ct_step s;
	struct ct_vars v;
	uint64_t n;

	ck_assert_int_eq(ct_reader_new(&r, fd), 0);
	ck_assert_int_eq(ct_count(r, CT_STEPS, &n), 0);
	ck_assert_uint_eq(n, steps);
	ck_assert_int_eq(ct_count(r, CT_VALUES, &n), 0);
	ck_assert_uint_eq(n, steps);
	ck_assert_int_eq(ct_count(r, CT_CALLS, &n), 0);
	ck_assert_uint_eq(n, model_calls);
	for (unsigned i = 0; i < steps; i++) {
		check_step(r, i, true);
		if (!model[i].event)
			continue;
		ck_assert_int_eq(ct_next_event(r, &e), 1);
		ck_assert_uint_eq(e.step, i);
		ck_assert_mem_eq(e.content.p, "out\xff\n", 5);
	}
	ck_assert_int_eq(ct_next_step(r, &s), 0);
	ck_assert_int_eq(ct_next_values(r, &v), 0);
	ck_assert_int_eq(ct_next_event(r, &e), 0);
	check_calls(r, steps);
	for (unsigned k = 0; k < 20; k++) {
		n = rnd(steps);
		ck_assert_int_eq(ct_seek(r, CT_STEPS, n), 0);
		ck_assert_int_eq(ct_seek(r, CT_VALUES, n), 0);
		check_step(r, n, true);
	}
	ck_assert_int_eq(ct_seek(r, CT_STEPS, steps + 100000), 0);
	ck_assert_int_eq(ct_next_step(r, &s), 0);
	ct_reader_free(r);
}

START_TEST(test_round_trip)
{
	static const unsigned sizes[] = { 1, 2, 4095, 4096, 4097, 1024, 9000, 300 };
	const char *ctcheck = access("tests/ctcheck.py", R_OK) == 0 ? "tests/ctcheck.py" : NULL;
	char path[64], command[256];
	int fd = temporary(path);

	write_trace(fd, _i + 1, sizes[_i]);
	check_trace(fd, sizes[_i]);
	if (ctcheck) {
		snprintf(command, sizeof(command), "python3 %s %s >/dev/null", ctcheck, path);
		ck_assert_int_eq(system(command), 0);
	}
	close(fd);
	unlink(path);
}
END_TEST

/* What a call returned may be known when its row has long left the window. */
START_TEST(test_late_returns)
{
	static const uint64_t late[] = { 1, 5000, 39998 };
	struct trace_meta meta = { .program = "p", .workdir = "/", .recorder = "test" };
	struct trace_writer *w;
	struct ct_reader *r;
	struct ct_call call;
	struct buf b = { 0 };
	uint64_t n = 0;
	char path[64];
	int fd = temporary(path);

	must(ct_writer_new(&w, fd, -1, &meta) == 0);
	setup_names(w);
	must(trace_call_enter(w, 0, NULL, 0) == 0);
	must(trace_step(w, 0, 1, NULL, 0) == 0);
	for (unsigned i = 1; i < 40000; i++) {
		must(trace_call_enter(w, 1, NULL, 0) == 0);
		must(trace_step(w, 0, 1, NULL, 0) == 0);
		must(trace_call_exit(w, NULL, 0, NULL, 0) == 0);
	}
	cbor_int(&b, 4711, 0);
	for (unsigned i = 0; i < 3; i++)
		must(trace_call_returned(w, late[i], b.data, b.len, i ? b.data : NULL, b.len) == 0);
	must(trace_call_returned(w, 40000, b.data, b.len, NULL, 0) < 0);
	must(trace_finish(w, NULL) == 0);
	trace_writer_free(w);
	ck_assert_int_eq(ct_reader_new(&r, fd), 0);
	for (unsigned i = 0; i < 40000; i++) {
		ck_assert_int_eq(ct_next_call(r, &call), 1);
		ck_assert_uint_eq(call.entry, i);
		if (call.is_void)
			continue;
		ck_assert_uint_eq(i, late[n]);
		ck_assert_mem_eq(call.ret.p, b.data, b.len);
		ck_assert_uint_eq((size_t)(call.exc.end - call.exc.p), n ? b.len : 0);
		n++;
	}
	ck_assert_uint_eq(n, 3);
	ct_reader_free(r);
	buf_deinit(&b);
	close(fd);
	unlink(path);
}
END_TEST

/* Reads all there is; any answer but a crash will do. */
static int read_all(int fd)
{
	struct ct_reader *r;
	const struct ct_meta *m;
	struct ct_step s;
	struct ct_vars v;
	struct ct_call c;
	struct ct_event e;
	struct cbor_in text;
	int rc = ct_reader_new(&r, fd), worst = rc;

	if (rc < 0)
		return rc;
#define EACH(call)                                  \
	do {                                        \
		while ((rc = (call)) > 0)           \
			;                           \
		worst = rc < 0 ? rc : worst;        \
	} while (0)
	EACH(ct_meta(r, &m));
	EACH(ct_next_step(r, &s));
	EACH(ct_next_values(r, &v));
	EACH(ct_next_call(r, &c));
	EACH(ct_next_event(r, &e));
	for (unsigned t = 0; t < CT_NTABLES; t++)
		for (uint64_t i = 0; i < ct_table_count(r, t) && i < 100; i++)
			EACH(ct_name(r, t, i, &text));
#undef EACH
	ct_reader_free(r);
	return worst;
}

START_TEST(test_damage)
{
	char path[64];
	int fd = temporary(path), copy, rc;
	off_t size;
	uint8_t *bytes;

	write_trace(fd, 77, 3000);
	ck_assert_int_eq(read_all(fd), 0);
	size = lseek(fd, 0, SEEK_END);
	bytes = malloc(size);
	ck_assert_int_eq(pread(fd, bytes, size, 0), size);
	for (unsigned k = 0; k < 300; k++) {
		copy = open("/tmp", O_TMPFILE | O_RDWR, 0600);
		ck_assert_int_ge(copy, 0);
		ck_assert_int_eq(pwrite(copy, bytes, size, 0), size);
		if (k % 3 == 0)
			ck_assert_int_eq(ftruncate(copy, rnd(size)), 0);
		for (unsigned i = k % 3 ? 1 + rnd(30) : 0; i; i--) {
			uint8_t byte = rnd(256);

			ck_assert_int_eq(pwrite(copy, &byte, 1, rnd(k % 3 == 1 ? 800 : size)), 1);
		}
		rc = read_all(copy);
		ck_assert(rc <= 0);
		close(copy);
	}
	free(bytes);
	close(fd);
	unlink(path);
}
END_TEST

static int write_one(char **argv)
{
	unsigned steps = atoi(argv[3]);
	int fd = open(argv[4], O_RDWR | O_CREAT | O_TRUNC, 0644);

	if (fd < 0 || !steps || steps > MAX_STEPS)
		return 1;
	write_trace(fd, strtoull(argv[2], NULL, 10), steps);
	return close(fd) != 0;
}

static int test(void)
{
	Suite *s = suite_create("ct");
	TCase *c = tcase_create("traces");
	SRunner *run;
	int failed;

	tcase_add_loop_test(c, test_round_trip, 0, 8);
	tcase_add_test(c, test_late_returns);
	tcase_add_test(c, test_damage);
	tcase_set_timeout(c, 60);
	suite_add_tcase(s, c);
	run = srunner_create(s);
	srunner_run_all(run, CK_ENV);
	failed = srunner_ntests_failed(run);
	srunner_free(run);
	return failed != 0;
}

int main(int argc, char **argv)
{
	return argc == 5 && !strcmp(argv[1], "write") ? write_one(argv) : test();
}
