/* SPDX-License-Identifier: MIT */
/*
 * JSON lines in the shape of CodeTracer's ct-print --events. The first line has
 * the tables, so it goes out in pieces; every other line is one record.
 */
#include "print_json.h"

#include "print_walk.h"
#include "util/err.h"

struct json {
	struct ct_reader *r;
	struct print_out *o;
	struct buf value;
};

static int damaged(const char *what, uint64_t index)
{
	return err_set(ERR_BAD_TRACE, "%s %llu is damaged", what, (unsigned long long)index);
}

static void put_key(struct buf *b, const char *key)
{
	print_text(b, ",\"");
	print_text(b, key);
	print_text(b, "\":");
}

static void number(struct buf *b, const char *key, uint64_t v)
{
	put_key(b, key);
	print_number(b, v);
}

static void text(struct buf *b, const char *key, struct cbor_in s)
{
	put_key(b, key);
	buf_json_string(b, s.p, s.end - s.p);
}

static int name(struct json *j, const char *key, enum ct_table table, uint64_t id)
{
	struct cbor_in s;
	int rc = ct_name(j->r, table, id, &s);

	if (rc == 0)
		text(&j->o->b, key, s);
	return rc;
}

static int put_table(struct json *j, const char *key, enum ct_table table)
{
	uint64_t n = ct_table_count(j->r, table);
	struct cbor_in s;
	int rc = 0;

	buf_printf(&j->o->b, ",\"%s\":[", key);
	for (uint64_t i = 0; rc == 0 && i < n; i++) {
		rc = ct_name(j->r, table, i, &s);
		if (rc)
			return rc;
		if (i)
			buf_u8(&j->o->b, ',');
		buf_json_string(&j->o->b, s.p, s.end - s.p);
		rc = print_out_flush(j->o, false);
	}
	buf_u8(&j->o->b, ']');
	return rc;
}

static int put_metadata(struct json *j)
{
	static const struct {
		const char *key;
		unsigned flag;
	} flags[] = { { "has_column_aware_steps", CT_FLAG_COLUMNS },
		      { "has_alternate_source_views", 0 },
		      { "supports_column_breakpoints", 0 },
		      { "supports_column_motions", 0 },
		      { "has_call_stream", CT_FLAG_CALLS },
		      { "has_step_stream", CT_FLAG_STEPS },
		      { "has_value_stream", CT_FLAG_VALUES },
		      { "has_io_event_stream", CT_FLAG_IO },
		      { "has_interning_tables", 0 } };
	struct buf *b = &j->o->b;
	const struct ct_meta *m;
	struct cbor_in args, s;
	int rc = ct_meta(j->r, &m);

	if (rc)
		return rc;
	print_text(b, "{\"metadata\":{\"program\":");
	buf_json_string(b, m->program.p, m->program.end - m->program.p);
	print_text(b, ",\"args\":[");
	args = m->args;
	for (uint64_t i = 0; i < m->nargs && ct_take_str(&args, &s); i++) {
		if (i)
			buf_u8(b, ',');
		buf_json_string(b, s.p, s.end - s.p);
	}
	buf_u8(b, ']');
	text(b, "workdir", m->workdir);
	text(b, "recorder", m->recorder);
	print_text(b, ",\"flags\":{");
	for (unsigned i = 0; i < sizeof(flags) / sizeof(*flags); i++)
		buf_printf(b, "%s\"%s\":%s", i ? "," : "", flags[i].key,
			   m->flags & flags[i].flag ? "true" : "false");
	print_text(b, "}}");
	return 0;
}

static int put_counts(struct json *j)
{
	struct buf *b = &j->o->b;
	uint64_t n[CT_NSTREAMS];
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < CT_NSTREAMS; i++)
		rc = ct_count(j->r, i, &n[i]);
	if (rc)
		return rc;
	buf_printf(b, ",\"source_views\":[],\"counts\":{\"paths\":%llu",
		   (unsigned long long)ct_table_count(j->r, CT_PATHS));
	number(b, "functions", ct_table_count(j->r, CT_FUNCTIONS));
	number(b, "varnames", ct_table_count(j->r, CT_VARNAMES));
	number(b, "types", ct_table_count(j->r, CT_TYPES));
	number(b, "source_views", 0);
	number(b, "steps", n[CT_STEPS]);
	number(b, "calls", n[CT_CALLS]);
	number(b, "values", n[CT_VALUES]);
	number(b, "io_events", n[CT_EVENTS]);
	print_text(b, "}}\n");
	return 0;
}

static int put_var(struct json *j, const struct ct_var *var, bool types)
{
	struct buf *b = &j->o->b;
	uint64_t type;
	int rc;

	print_text(b, "{\"varname_id\":");
	print_number(b, var->name);
	rc = name(j, "varname", CT_VARNAMES, var->name);
	if (rc)
		return rc;
	buf_clear(&j->value);
	type = print_json_value(&j->value, var->cbor);
	if (types) {
		number(b, "type_id", type);
		/* a value may name a type that is not there; it is a value all the same */
		if (type < ct_table_count(j->r, CT_TYPES))
			rc = name(j, "type_name", CT_TYPES, type);
		else
			print_text(b, ",\"type_name\":\"\"");
	}
	print_text(b, ",\"value\":");
	buf_append(b, j->value.data, j->value.len);
	buf_u8(b, '}');
	return rc ? rc : buf_check(&j->value);
}

static int put_vars(struct json *j, const char *key, struct ct_vars vars, bool types)
{
	struct ct_var var;
	int rc = 0;

	put_key(&j->o->b, key);
	buf_u8(&j->o->b, '[');
	for (uint64_t i = 0; rc == 0 && i < vars.n; i++) {
		if (!ct_take_var(&vars.in, &var))
			return damaged(key, i);
		if (i)
			buf_u8(&j->o->b, ',');
		rc = put_var(j, &var, types);
		if (rc == 0)
			rc = print_out_flush(j->o, false);
	}
	buf_u8(&j->o->b, ']');
	return rc;
}

static int put_function(struct json *j, uint64_t function)
{
	number(&j->o->b, "function_id", function);
	return name(j, "function", CT_FUNCTIONS, function);
}

static int enter(void *ctx, const struct ct_call *call)
{
	struct json *j = ctx;
	struct buf *b = &j->o->b;
	uint64_t child;
	bool first = true;
	int rc;

	print_text(b, "{\"kind\":\"call_entry\"");
	number(b, "call_key", call->key);
	rc = put_function(j, call->function);
	if (rc)
		return rc;
	number(b, "entry_step", call->entry);
	number(b, "exit_step", call->exit);
	number(b, "depth", call->depth);
	buf_printf(b, ",\"parent_call_key\":%lld", (long long)call->parent);
	rc = put_vars(j, "args", call->args, false);
	if (rc)
		return rc;
	print_text(b, ",\"children\":[");
	while ((rc = ct_next_child(j->r, &child)) > 0) {
		if (!first)
			buf_u8(b, ',');
		print_number(b, child);
		first = false;
		rc = print_out_flush(j->o, false);
		if (rc)
			return rc;
	}
	print_text(b, "]}\n");
	return rc ? rc : print_out_flush(j->o, false);
}

static int step(void *ctx, const struct ct_step *s, const struct print_call *call,
		const struct ct_vars *vars)
{
	struct json *j = ctx;
	struct buf *b = &j->o->b;
	int rc;

	print_text(b, "{\"kind\":\"step\"");
	number(b, "step_index", s->index);
	number(b, "path_id", s->path);
	number(b, "line", s->line);
	rc = name(j, "path", CT_PATHS, s->path);
	number(b, "column", s->column);
	print_text(b, s->absolute ? ",\"step_kind\":\"sekAbsoluteStep\"" : ",\"step_kind\":\"sekDeltaStep\"");
	if (rc == 0 && call)
		rc = put_function(j, call->function);
	else
		print_text(b, ",\"function_id\":-1,\"function\":\"\"");
	number(b, "depth", call ? call->depth : 0);
	if (rc == 0)
		rc = put_vars(j, "vars", *vars, true);
	print_text(b, "}\n");
	return rc ? rc : print_out_flush(j->o, false);
}

static int event(void *ctx, const struct ct_event *e)
{
	struct json *j = ctx;
	struct buf *b = &j->o->b;
	const char *kind = e->kind == 0	 ? "ioStdout" :
			   e->kind == 12 ? "ioStderr" :
			   e->kind == 11 ? "ioError" :
			   e->kind == 4	 ? "ioFileOp" :
					   NULL;

	print_text(b, "{\"kind\":\"io\",\"io_kind\":");
	if (kind)
		buf_printf(b, "\"%s\"", kind);
	else
		buf_printf(b, "\"%u\"", e->kind);
	number(b, "io_index", e->index);
	number(b, "step_id", e->step);
	text(b, "text", e->content);
	print_text(b, ",\"bytes_b64\":\"");
	buf_base64(b, e->content.p, e->content.end - e->content.p);
	buf_printf(b, "\",\"bytes_len\":%zu}\n", (size_t)(e->content.end - e->content.p));
	return print_out_flush(j->o, false);
}

static int leave(void *ctx, const struct print_call *call, struct cbor_in ret, struct cbor_in exc)
{
	struct json *j = ctx;
	struct buf *b = &j->o->b;
	int rc;

	print_text(b, "{\"kind\":\"call_exit\"");
	number(b, "call_key", call->key);
	rc = put_function(j, call->function);
	number(b, "exit_step", call->exit);
	number(b, "depth", call->depth);
	print_text(b, ",\"return_value\":");
	if (call->is_void)
		print_text(b, "{\"kind\":\"Void\"}");
	else
		print_json_value(b, ret);
	if (exc.p != exc.end) {
		print_text(b, ",\"exception\":");
		print_json_value(b, exc);
	}
	print_text(b, "}\n");
	return rc ? rc : print_out_flush(j->o, false);
}

int print_events(struct ct_reader *r, uint64_t limit, struct print_out *o)
{
	struct json j = { .r = r, .o = o };
	struct print_visitor v = { &j, enter, step, event, leave };
	uint64_t shown;
	int rc = put_metadata(&j);

	if (rc == 0)
		rc = put_table(&j, "paths", CT_PATHS);
	if (rc == 0)
		rc = put_table(&j, "functions", CT_FUNCTIONS);
	if (rc == 0)
		rc = put_table(&j, "varnames", CT_VARNAMES);
	if (rc == 0)
		rc = put_table(&j, "types", CT_TYPES);
	if (rc == 0)
		rc = put_counts(&j);
	if (rc == 0)
		rc = print_walk(r, limit, &v, &shown);
	buf_deinit(&j.value);
	return rc ? rc : print_out_flush(o, true);
}
