/* SPDX-License-Identifier: MIT */
/*
 * resolve_tool.c: what ctrec sees in a live Python, as JSON lines, for
 * tests/integration/test_resolve.py to compare with what that Python says.
 *
 *	resolve_tool PID [-a] [-u UID] [code:ADDR | type:ADDR]...
 *	resolve_tool PID -l (what of the layout was found out of the process)
 *
 * resolve_tool -t (a table's line for each instruction) reads from stdin:
 * python, firstlineno, number of bytes of code, table in hexadecimal.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "python/resolve.h"
#include "util/err.h"

static void print_text(const char *key, const uint8_t *p, size_t n)
{
	printf(",\"%s\":\"", key);
	for (size_t i = 0; i < n; i++) {
		if (p[i] < 32 || p[i] == '"' || p[i] == '\\' || p[i] == 127)
			printf("\\u%04x", p[i]);
		else
			putchar(p[i]);
	}
	printf("\"");
}

static void print_hex(const char *key, const uint8_t *p, size_t n)
{
	printf(",\"%s\":\"", key);
	for (size_t i = 0; i < n; i++)
		printf("%02x", p[i]);
	printf("\"");
}

static const uint8_t *take(const uint8_t **p, size_t n)
{
	const uint8_t *at = *p;

	*p += EV_PAD8(n);
	return at;
}

static void print_lines(const struct ev_defcode *d, uint32_t bytes)
{
	printf(",\"lines\":[");
	for (uint32_t i = 0; i < bytes; i += 2)
		printf("%s%u", i ? "," : "", code_line(d, i));
	printf("]");
}

static void print_code(const struct ev_defcode *d, const struct ctrec_codeplan *plan)
{
	const uint8_t *p = (const uint8_t *)(d + 1);

	printf("{\"kind\":\"code\",\"state\":%u,\"plan\":%u,\"nargs\":%u,\"nlocalsplus\":%u,"
	       "\"cellmask\":%" PRIu64 ",\"firsttraceable\":%u,\"def_plan\":%u,\"flags\":%u,"
	       "\"firstlineno\":%d,\"argcount\":%u,\"kwonlyargcount\":%u,\"id\":%u,\"size\":%u",
	       plan->state, plan->flags, plan->nargs, plan->nlocalsplus,
	       (uint64_t)plan->cellmask, plan->firsttraceable, d->plan, d->flags,
	       (int)d->firstlineno, d->argcount, d->kwonlyargcount, d->code, d->h.size);
	printf(",\"cellfirst\":%u,\"cellargs\":[", plan->cellfirst);
	for (unsigned i = 0; i < CTREC_CELLARGS; i++)
		printf("%s%u", i ? "," : "", plan->cellargs[i]);
	printf("]");
	print_text("filename", take(&p, d->filename_len), d->filename_len);
	print_text("name", take(&p, d->name_len), d->name_len);
	print_text("qualname", take(&p, d->qualname_len), d->qualname_len);
	print_hex("linetable", take(&p, d->linetable_len), d->linetable_len);
	print_hex("bytecode", take(&p, d->bytecode_len), d->bytecode_len);
	print_hex("kinds", take(&p, d->kinds_len), d->kinds_len);
	print_text("names", take(&p, d->names_len), d->names_len);
	print_lines(d, d->bytecode_len);
	printf("}\n");
}

static void print_type(const struct ev_deftype *d, const struct ctrec_typeplan *plan)
{
	const uint8_t *p = (const uint8_t *)(d + 1);

	printf("{\"kind\":\"type\",\"state\":%u,\"type_kind\":%u,\"managed\":%u,\"dictoffset\":%u,"
	       "\"flags\":%u,\"nslots\":%u,\"nfields\":%u,\"slots\":[",
	       plan->state, plan->kind, plan->managed, plan->dictoffset, d->flags, d->nslots,
	       d->nfields);
	for (unsigned i = 0; i < plan->nslots; i++)
		printf("%s%u", i ? "," : "", plan->slots[i]);
	printf("]");
	print_text("name", take(&p, d->name_len), d->name_len);
	print_text("module", take(&p, d->module_len), d->module_len);
	print_text("fields", take(&p, d->fields_len), d->fields_len);
	printf("}\n");
}

static void print_source(const struct ev_defsource *d)
{
	const uint8_t *p = (const uint8_t *)(d + 1);

	printf("{\"kind\":\"source\",\"text_len\":%u", d->text_len);
	print_text("path", take(&p, d->path_len), d->path_len);
	printf("}\n");
}

static void print_usdt(const char *name, const struct usdt *probe, unsigned n)
{
	printf(",\"%s\":[", name);
	for (unsigned i = 0; i < n; i++)
		printf("%s{\"offset\":%" PRIu64 ",\"sem\":%" PRIu64 ",\"address\":%" PRIu64
		       ",\"nop\":%u}", i ? "," : "", probe[i].offset, probe[i].sem_offset,
		       probe[i].address, probe[i].nop_len);
	printf("]");
}

static void print_info(const struct python_info *i)
{
	printf("{\"kind\":\"python\",\"version\":%u,\"version_text\":\"%s\",\"bias\":%" PRIu64
	       ",\"runtime\":%" PRIu64 ",\"has_usdt\":%d,\"run_main\":%" PRIu64 ",\"after_fork_child\":%" PRIu64
	       ",\"free_threaded\":%d,\"debug\":%d",
	       i->version, i->version_text, i->exe.bias, i->runtime, i->has_usdt,
	       i->run_main_offset, i->after_fork_child_offset, i->free_threaded, i->debug_build);
	printf(",\"statics\":[");
	for (int k = 0; k < CS_MAX; k++)
		printf("%s%" PRIu64, k ? "," : "", i->statics[k]);
	printf("]");
	print_usdt("line", i->line, i->nline);
	print_usdt("entry", i->entry, i->nentry);
	print_usdt("return", i->ret, i->nret);
	print_text("path", (const uint8_t *)i->exe.path, strlen(i->exe.path));
	printf("}\n");
}

static void print_layout(const struct ctrec_layout *l)
{
	printf("{\"kind\":\"layout\",\"runtime_small_ints\":%u,\"runtime_interpreters_head\":%u,"
	       "\"runtime_interpreters_main\":%u,\"interp_gil\":%u,\"interp_next\":%u,"
	       "\"interp_threads_head\":%u,\"interp_id\":%u}\n",
	       l->runtime_small_ints, l->runtime_interpreters_head, l->runtime_interpreters_main,
	       l->interp_gil, l->interp_next, l->interp_threads_head, l->interp_id);
}

static int resolve_one(struct resolver *r, const char *arg)
{
	struct ctrec_codeplan code = { 0 };
	struct ctrec_typeplan type = { 0 };
	uint64_t addr = strtoull(arg + 5, NULL, 0);
	struct buf b = { 0 };
	int is_code = strncmp(arg, "code:", 5) == 0;
	int ret = is_code ? resolve_code(r, addr, 7, &code, &b) : resolve_type(r, addr, 7, &type, &b);

	for (size_t at = 0; ret == 0 && at < b.len;) {
		const struct ev_header *h = (const void *)(b.data + at);

		if (h->type == EV_DEFCODE)
			print_code((const void *)h, &code);
		else if (h->type == EV_DEFTYPE)
			print_type((const void *)h, &type);
		else if (h->type == EV_DEFSOURCE)
			print_source((const void *)h);
		at += h->size;
	}
	buf_deinit(&b);
	return ret;
}

static unsigned nibble(int c)
{
	return isdigit(c) ? (unsigned)c - '0' : (unsigned)tolower(c) - 'a' + 10;
}

static int tables(void)
{
	static char line[4 << 20];
	static uint8_t record[sizeof(struct ev_defcode) + sizeof(line) / 2];

	while (fgets(line, sizeof(line), stdin)) {
		struct ev_defcode *d = (void *)record;
		unsigned python, bytes;
		int first, at = 0;
		size_t n = 0;

		if (sscanf(line, "%u %d %u %n", &python, &first, &bytes, &at) != 3)
			return 2;
		for (const char *p = line + at; isxdigit((unsigned char)p[0]); p += 2)
			record[sizeof(*d) + n++] = nibble(p[0]) << 4 | nibble(p[1]);
		*d = (struct ev_defcode){ .h = { .size = sizeof(*d) + EV_PAD8(n) },
					  .firstlineno = first, .python = python, .linetable_len = n };
		printf("{\"kind\":\"table\"");
		print_lines(d, bytes);
		printf("}\n");
	}
	return 0;
}

static int fail(const char *what)
{
	const struct err *e = err_last();

	fprintf(stderr, "%s: %s: %s\n", what, err_name(e->code), e->context);
	return 1;
}

int main(int argc, char **argv)
{
	struct resolve_options options = { .max_slots = CTREC_MAX_SLOTS };
	struct ctrec_layout l;
	struct python_info info;
	struct resolver *r;
	struct target *t;
	int ret, first = 2;

	if (argc == 2 && strcmp(argv[1], "-t") == 0)
		return tables();
	if (argc < 2 || target_open(&t, atoi(argv[1])) < 0)
		return fail("target_open");
	ret = python_find(t, &info);
	if (ret < 0)
		return fail("python_find");
	if (ret == 0) {
		printf("{\"kind\":\"none\"}\n");
		target_free(t);
		return 0;
	}
	print_info(&info);
	if (argc > first && strcmp(argv[first], "-a") == 0)
		options.all = first++;
	if (argc > first + 1 && strcmp(argv[first], "-u") == 0) {
		options.uid = options.gid = strtoul(argv[first + 1], NULL, 10);
		first += 2;
	}
	if (argc > 2) {
		if (python_layout_live(t, &info, &l) < 0)
			return fail("python_layout_live");
		if (strcmp(argv[first], "-l") == 0) {
			print_layout(&l);
			first++;
		}
		if (resolver_new(&r, t, &info, &l, &options) < 0)
			return fail("resolver_new");
		for (int i = first; i < argc; i++)
			if (resolve_one(r, argv[i]) < 0)
				return fail(argv[i]);
		resolver_free(r);
	}
	python_info_deinit(&info);
	target_free(t);
	return 0;
}
