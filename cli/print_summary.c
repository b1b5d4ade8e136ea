/* SPDX-License-Identifier: MIT */
/*
 * The summary: what the recorder counted when it made the trace (cx.meta). A
 * trace that has none is counted from the indexes of its streams; what only the
 * recorder could know is null then. Takes as long for a trace of any size.
 */
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "print_json.h"
#include "util/err.h"

#define META_MAX (8u << 20)

/* cx.meta, or NULL when it is absent or makes no sense. */
static int read_meta(struct ct_reader *r, cJSON **ret)
{
	struct ctfs_in f;
	char *text;
	int rc = ctfs_open(ct_container(r), "cx.meta", &f);

	*ret = NULL;
	if (rc <= 0 || !f.size || f.size > META_MAX)
		return rc < 0 ? rc : 0;
	text = malloc(f.size);
	if (!text)
		return err_set(ERR_NOMEM, "cx.meta");
	rc = ctfs_read(&f, 0, text, f.size);
	if (rc == 0)
		*ret = cJSON_ParseWithLength(text, f.size);
	if (!cJSON_IsObject(*ret)) {
		cJSON_Delete(*ret);
		*ret = NULL;
	}
	ctfs_in_deinit(&f);
	free(text);
	return rc;
}

static void put(struct buf *b, const char *name, const cJSON *value)
{
	char *text = cJSON_PrintUnformatted(value);

	buf_printf(b, "%s\"%s\":", b->len ? "," : "{", name);
	print_text(b, text ? text : "null");
	cJSON_free(text);
}

static void put_recorded(struct buf *b, const cJSON *meta, const char *name)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(meta, name);

	if (v)
		put(b, name, v);
	else
		buf_printf(b, "%s\"%s\":%s", b->len ? "," : "{", name,
			   strcmp(name, "gaps") == 0 ? "{}" : "null");
}

static int put_count(struct ct_reader *r, struct buf *b, const cJSON *meta, const char *name,
		     enum ct_stream stream)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(meta, name);
	uint64_t n;
	int rc;

	if (cJSON_IsNumber(v)) {
		put(b, name, v);
		return 0;
	}
	rc = ct_count(r, stream, &n);
	if (rc == 0)
		buf_printf(b, "%s\"%s\":%llu", b->len ? "," : "{", name, (unsigned long long)n);
	return rc;
}

int print_summary(struct ct_reader *r, struct print_out *o)
{
	static const char *const rest[] = { "lost", "no_values", "truncated", "cut_events", "gaps",
					    "duration_ns" };
	static const char *const more[] = { "program", "args", "end", "recorder", "python" };
	struct buf *b = &o->b;
	cJSON *m;
	int rc = read_meta(r, &m);

	if (rc == 0)
		rc = put_count(r, b, m, "steps", CT_STEPS);
	if (rc == 0)
		rc = put_count(r, b, m, "calls", CT_CALLS);
	if (rc == 0)
		rc = put_count(r, b, m, "events", CT_EVENTS);
	put_recorded(b, m, "threads");
	buf_printf(b, ",\"paths\":%llu", (unsigned long long)ct_table_count(r, CT_PATHS));
	for (unsigned i = 0; i < sizeof(rest) / sizeof(*rest); i++)
		put_recorded(b, m, rest[i]);
	for (unsigned i = 0; i < sizeof(more) / sizeof(*more); i++) {
		const cJSON *v = cJSON_GetObjectItemCaseSensitive(m, more[i]);

		if (v)
			put(b, more[i], v);
	}
	print_text(b, "}\n");
	cJSON_Delete(m);
	return rc ? rc : print_out_flush(o, true);
}
