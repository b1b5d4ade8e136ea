/* SPDX-License-Identifier: MIT */
/*
 * assemble_type.c: EV_DEFTYPE to the descriptions that values are shown by.
 *
 * A description and its texts are one allocation. An id is given once; values
 * may point at the first definition, so that a second one is ignored.
 */
#include <stdlib.h>
#include <string.h>

#include "trace/assemble_code.h"
#include "trace/value_text.h"
#include "util/err.h"

struct parts {
	const char *name, *module, *fields;
	uint32_t nfields, nkeys; /* those that are there */
};

static int take(const char **p, size_t *left, uint32_t len, const char **ret)
{
	size_t padded = ((size_t)len + 7) & ~(size_t)7;

	if (padded > *left)
		return 1;
	*ret = *p;
	*p += padded;
	*left -= padded;
	return 0;
}

static int split(const struct ev_deftype *d, struct parts *parts)
{
	const char *p = (const char *)(d + 1);
	size_t left;

	if (d->h.size < sizeof(*d))
		return 1;
	left = d->h.size - sizeof(*d);
	if (take(&p, &left, d->name_len, &parts->name) ||
	    take(&p, &left, d->module_len, &parts->module) ||
	    take(&p, &left, d->fields_len, &parts->fields))
		return 1;
	if (d->nslots > VALUE_MAX_NODES)
		return 1;
	parts->nfields = parts->nkeys = 0;
	for (uint32_t i = 0; i < d->fields_len; i++) {
		if (parts->fields[i])
			continue;
		if (parts->nfields < d->nfields)
			parts->nfields++;
		else if (parts->nkeys < d->nkeys)
			parts->nkeys++;
	}
	return 0;
}

/* Texts into one run of zero-terminated UTF-8: name, module, fields, keys. */
static void texts(struct buf *b, const struct ev_deftype *d, const struct parts *parts)
{
	const char *field = parts->fields;

	buf_clear(b);
	text_utf8(b, parts->name, strnlen(parts->name, d->name_len));
	buf_u8(b, 0);
	text_utf8(b, parts->module, strnlen(parts->module, d->module_len));
	buf_u8(b, 0);
	for (uint32_t i = 0; i < parts->nfields + parts->nkeys; i++) {
		size_t n = strlen(field);

		text_utf8(b, field, n);
		buf_u8(b, 0);
		field += n + 1;
	}
}

int codes_define_type(struct codes *c, const struct ev_deftype *d)
{
	struct parts parts;
	struct value_type *t;
	const char **fields, *text;
	uint32_t names;
	int rc;

	if (split(d, &parts))
		return 1;
	if (map_get(&c->types, d->type_id))
		return 0;
	texts(&c->scratch, d, &parts);
	if (c->scratch.oom)
		return buf_check(&c->scratch);
	names = parts.nfields + parts.nkeys;
	t = malloc(sizeof(*t) + names * sizeof(*fields) + c->scratch.len);
	if (!t)
		return err_set(ERR_NOMEM, "a type");
	fields = (const char **)(t + 1);
	text = memcpy(fields + names, c->scratch.data, c->scratch.len);
	*t = (struct value_type){ .flags = d->flags, .nslots = d->nslots, .nfields = parts.nfields,
				  .nkeys = parts.nkeys, .fields = fields,
				  .keys = fields + parts.nfields, .name = text };
	text += strlen(text) + 1;
	t->module = text;
	for (uint32_t i = 0; i < names; i++) {
		text += strlen(text) + 1;
		fields[i] = text;
	}
	if (!t->name[0])
		t->name = "Object";
	rc = map_put(&c->types, d->type_id, t, NULL);
	if (rc < 0)
		free(t);
	return rc;
}

struct value_type *codes_type(const struct codes *c, uint32_t id)
{
	return map_get(&c->types, id);
}
