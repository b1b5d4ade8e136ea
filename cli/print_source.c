/* SPDX-License-Identifier: MIT */
/*
 * cx.src holds sources end to end: u32 path length, u32 text length, path, text.
 * One pass notes where each text is; texts are loaded when a line is asked for
 * and a few are kept. Where a path comes more than once the last text counts.
 */
#include "print_source.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "util/err.h"

#define SLOTS 16u
#define TEXT_MAX (2u << 20) /* longer sources are shown without their lines */
#define PATH_MAX_LEN 4096u
#define SOURCES_MAX (1u << 20)

struct place {
	uint64_t hash, at;
	uint32_t len;
};

struct slot {
	uint32_t path_and_one; /* 0: empty */
	struct buf text, starts; /* starts: uint32_t, of each line */
};

struct print_source {
	struct ct_reader *r;
	struct ctfs_in f;
	struct buf places;
	struct slot slots[SLOTS];
};

static uint64_t hash(const uint8_t *p, size_t n, uint64_t h)
{
	while (n--)
		h = (h ^ *p++) * 0x100000001b3ull;
	return h;
}

#define HASH_START 0xcbf29ce484222325ull

/* Paths of the table are absolute; those of sources may be as the program has them. */
static int hash_path(struct print_source *s, const uint8_t *p, size_t n, uint64_t *ret)
{
	const struct ct_meta *m;
	uint64_t h = HASH_START;
	int rc = 0;

	if (n && *p != '/' && *p != '<') {
		rc = ct_meta(s->r, &m);
		if (rc < 0)
			return rc;
		h = hash(m->workdir.p, m->workdir.end - m->workdir.p, h);
		if (m->workdir.end > m->workdir.p && m->workdir.end[-1] != '/')
			h = hash((const uint8_t *)"/", 1, h);
	}
	*ret = hash(p, n, h);
	return rc;
}

static int find_places(struct print_source *s)
{
	uint8_t path[PATH_MAX_LEN];
	uint64_t at = 0;

	while (s->f.size - at >= 8 && s->places.len / sizeof(struct place) < SOURCES_MAX) {
		uint32_t len[2];
		struct place p;
		int rc = ctfs_read(&s->f, at, len, sizeof(len));

		if (rc < 0)
			return rc;
		len[0] = le32toh(len[0]);
		p.len = le32toh(len[1]);
		at += 8;
		if (len[0] > s->f.size - at || p.len > s->f.size - at - len[0])
			return err_set(ERR_BAD_TRACE, "cx.src is cut");
		p.at = at + len[0];
		if (len[0] <= sizeof(path)) {
			rc = ctfs_read(&s->f, at, path, len[0]);
			if (rc == 0)
				rc = hash_path(s, path, len[0], &p.hash);
			if (rc < 0)
				return rc;
			buf_append(&s->places, &p, sizeof(p));
		}
		at = p.at + p.len;
	}
	return buf_check(&s->places);
}

int print_source_new(struct print_source **ret, struct ct_reader *r)
{
	struct print_source *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return err_set(ERR_NOMEM, "sources");
	s->r = r;
	rc = ctfs_open(ct_container(r), "cx.src", &s->f);
	if (rc > 0)
		rc = find_places(s);
	if (rc < 0) {
		print_source_free(s);
		return rc;
	}
	*ret = s;
	return 0;
}

struct print_source *print_source_free(struct print_source *s)
{
	if (!s)
		return NULL;
	for (unsigned i = 0; i < SLOTS; i++) {
		buf_deinit(&s->slots[i].text);
		buf_deinit(&s->slots[i].starts);
	}
	buf_deinit(&s->places);
	ctfs_in_deinit(&s->f);
	free(s);
	return NULL;
}

static int load(struct print_source *s, struct slot *slot, uint32_t path)
{
	const struct place *p = (const void *)s->places.data, *found = NULL;
	struct cbor_in name;
	uint64_t h;
	uint32_t start = 0;
	int rc = ct_name(s->r, CT_PATHS, path, &name);

	if (rc < 0)
		return rc;
	slot->path_and_one = 0;
	buf_clear(&slot->text);
	buf_clear(&slot->starts);
	h = hash(name.p, name.end - name.p, HASH_START);
	for (size_t i = s->places.len / sizeof(*p); i && !found; i--)
		if (p[i - 1].hash == h)
			found = &p[i - 1];
	if (found && found->len && found->len <= TEXT_MAX) {
		if (!buf_reserve(&slot->text, found->len))
			return buf_check(&slot->text);
		rc = ctfs_read(&s->f, found->at, slot->text.data, found->len);
		if (rc < 0)
			return rc;
		slot->text.len = found->len;
		for (size_t i = 0; i <= found->len; i++)
			if (i == found->len || slot->text.data[i] == '\n') {
				buf_u32(&slot->starts, start);
				start = i + 1;
			}
	}
	slot->path_and_one = path + 1;
	return buf_check(&slot->starts);
}

int print_source_line(struct print_source *s, uint32_t path, uint32_t line, struct cbor_in *text)
{
	struct slot *slot = &s->slots[path % SLOTS];
	const uint32_t *starts;
	const uint8_t *nl;
	size_t left;

	if (!s->places.len)
		return 0;
	if (slot->path_and_one != path + 1) {
		int rc = load(s, slot, path);

		if (rc < 0)
			return rc;
	}
	if (!line || line > slot->starts.len / 4)
		return 0;
	starts = (const uint32_t *)slot->starts.data;
	text->p = slot->text.data + starts[line - 1];
	left = slot->text.len - starts[line - 1];
	nl = memchr(text->p, '\n', left);
	text->end = nl ? nl : text->p + left;
	if (text->end > text->p && text->end[-1] == '\r')
		text->end--;
	return 1;
}
