/* SPDX-License-Identifier: MIT */
/*
 * objects.c: str, bytes, tuple and dict of a target, without its help.
 *
 * A system call costs the same for 8 bytes and for 1000, so a reader takes the
 * head and, speculatively, what most likely follows; only long objects take a
 * second call. A speculative read that runs into an absent page is repeated for
 * what is certain.
 */
#include "python/objects.h"

#include <stdlib.h>
#include <string.h>

#include "util/err.h"

#define PAGE 4096u
#define HEAD 256	   /* bytes of a first look */
#define DICT_ENTRIES 4096 /* of a dict looked at: the target waits meanwhile */

uint64_t field_u64(const uint8_t *copy, unsigned offset)
{
	uint64_t v;

	memcpy(&v, copy + offset, sizeof(v));
	return v;
}

uint32_t field_u32(const uint8_t *copy, unsigned offset)
{
	uint32_t v;

	memcpy(&v, copy + offset, sizeof(v));
	return v;
}

int objects_read(const struct objects *o, uint64_t addr, void *to, size_t min, size_t max)
{
	size_t page = PAGE - addr % PAGE;

	if (o->mem->read(o->mem, (remote_t){ addr }, to, max) == 0)
		return (int)max;
	if (page > max)
		return -ERR_TARGET_MEMORY;
	if (page > min && o->mem->read(o->mem, (remote_t){ addr }, to, page) == 0)
		return (int)page;
	if (o->mem->read(o->mem, (remote_t){ addr }, to, min) == 0)
		return (int)min;
	return -ERR_TARGET_MEMORY;
}

int objects_cstring(const struct objects *o, uint64_t addr, char *to, size_t size)
{
	int n = addr ? objects_read(o, addr, to, 1, size - 1) : -ERR_TARGET_MEMORY;

	if (n < 0)
		return n;
	to[n] = 0;
	return 0;
}

/* Exactly the builtin, or a subclass of it by its tp_flags. */
static int is_a(const struct objects *o, uint64_t type, enum ctrec_static exact, unsigned flag_bit)
{
	uint64_t flags;

	if (type && type == o->statics[exact])
		return 1;
	return o->mem->read(o->mem, (remote_t){ type + o->l->type_flags }, &flags, 8) == 0 &&
	       flags >> flag_bit & 1;
}

static size_t utf8(uint32_t c, char *to)
{
	static const char hex[] = "0123456789abcdef";

	if (c == 0) {
		memcpy(to, "\\x00", 4);
		return 4;
	}
	if (c < 0x80) {
		to[0] = c;
		return 1;
	}
	if (c < 0x800) {
		to[0] = 0xc0 | c >> 6;
		to[1] = 0x80 | (c & 63);
		return 2;
	}
	if (c >= 0xd800 && c < 0xe000) {
		memcpy(to, "\\u", 2);
		for (int i = 0; i < 4; i++)
			to[2 + i] = hex[c >> (12 - 4 * i) & 15];
		return 6;
	}
	if (c > 0x10ffff)
		c = 0xfffd;
	if (c < 0x10000) {
		to[0] = 0xe0 | c >> 12;
		to[1] = 0x80 | (c >> 6 & 63);
		to[2] = 0x80 | (c & 63);
		return 3;
	}
	to[0] = 0xf0 | c >> 18;
	to[1] = 0x80 | (c >> 12 & 63);
	to[2] = 0x80 | (c >> 6 & 63);
	to[3] = 0x80 | (c & 63);
	return 4;
}

/* n code points of that width; 1 when they don't fit into max bytes. */
static int append_utf8(struct buf *to, const uint8_t *p, size_t n, unsigned width, size_t max)
{
	size_t used = 0;

	for (size_t i = 0; i < n; i++, p += width) {
		uint32_t c = p[0];
		char text[8];
		size_t len;

		if (width >= 2)
			c |= (uint32_t)p[1] << 8;
		if (width == 4)
			c |= (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
		len = utf8(c, text);
		if (used + len > max)
			return 1;
		buf_append(to, text, len);
		used += len;
	}
	return 0;
}

int objects_str(const struct objects *o, uint64_t addr, struct buf *to, size_t max)
{
	const struct ctrec_layout *l = o->l;
	uint8_t head[HEAD], *more;
	unsigned state, width, start;
	uint64_t length, data;
	size_t n, keep;
	int got, r;

	got = addr ? objects_read(o, addr, head, l->str_ascii_data, sizeof(head)) : -1;
	if (got < 0 || !is_a(o, field_u64(head, OBJECT_TYPE), CS_str, 28))
		return -ERR_TARGET_MEMORY;
	length = field_u64(head, l->str_length);
	state = field_u32(head, l->str_state);
	width = state >> l->str_kind_shift & 7;
	if ((width != 1 && width != 2 && width != 4) || length > INT64_MAX)
		return -ERR_TARGET_MEMORY;
	start = state >> l->str_ascii_shift & 1 ? l->str_ascii_data : l->str_compact_data;
	data = addr + start;
	if (!(state >> l->str_compact_shift & 1)) {
		if (o->mem->read(o->mem, (remote_t){ addr + l->str_any }, &data, 8) < 0)
			return -ERR_TARGET_MEMORY;
		got = 0;
	}
	/* each code point takes a byte at least: more than max of them are never kept */
	keep = length > max ? max : length;
	n = keep * width;
	if (start + n <= (size_t)got)
		return append_utf8(to, head + start, keep, width, max) || keep < length;
	more = malloc(n ? n : 1);
	if (!more)
		return -ERR_TARGET_MEMORY;
	r = o->mem->read(o->mem, (remote_t){ data }, more, n);
	if (r == 0)
		r = append_utf8(to, more, keep, width, max) || keep < length;
	free(more);
	return r;
}

int objects_bytes(const struct objects *o, uint64_t addr, struct buf *to, size_t max)
{
	const struct ctrec_layout *l = o->l;
	uint8_t head[HEAD], *at;
	uint64_t n;
	int got = addr ? objects_read(o, addr, head, l->bytes_data, sizeof(head)) : -1;

	if (got < 0 || !is_a(o, field_u64(head, OBJECT_TYPE), CS_bytes, 27))
		return -ERR_TARGET_MEMORY;
	n = field_u64(head, l->bytes_size);
	if (n > max)
		return 1;
	if (l->bytes_data + n <= (size_t)got) {
		buf_append(to, head + l->bytes_data, n);
		return 0;
	}
	at = buf_reserve(to, n);
	if (!at || o->mem->read(o->mem, (remote_t){ addr + l->bytes_data }, at, n) < 0)
		return -ERR_TARGET_MEMORY;
	to->len += n;
	return 0;
}

int64_t objects_tuple(const struct objects *o, uint64_t addr, uint64_t *items, size_t max)
{
	const struct ctrec_layout *l = o->l;
	uint8_t head[HEAD];
	uint64_t n;
	size_t keep;
	int got = addr ? objects_read(o, addr, head, l->tuple_items, sizeof(head)) : -1;

	if (got < 0 || !is_a(o, field_u64(head, OBJECT_TYPE), CS_tuple, 26))
		return -ERR_TARGET_MEMORY;
	n = field_u64(head, l->tuple_size);
	if (n > INT32_MAX)
		return -ERR_TARGET_MEMORY;
	keep = n < max ? n : max;
	if (l->tuple_items + keep * 8 <= (size_t)got)
		memcpy(items, head + l->tuple_items, keep * 8);
	else if (o->mem->read(o->mem, (remote_t){ addr + l->tuple_items }, items, keep * 8) < 0)
		return -ERR_TARGET_MEMORY;
	return (int64_t)n;
}

static int same_str(const struct objects *o, uint64_t addr, const char *text)
{
	struct buf b = { 0 };
	int same = objects_str(o, addr, &b, 64) == 0 && b.len == strlen(text) &&
		   memcmp(b.data, text, b.len) == 0;

	buf_deinit(&b);
	return same;
}

/* Where a keys table's entries lie. The index before them takes as many bytes
 * as it says (3.11+), or follows from the number of its slots. */
struct entries {
	uint64_t at, n;
	unsigned size, key; /* of an entry; where in it the key lies, the value behind it */
};

static int keys_open(const struct objects *o, uint64_t keys_at, struct entries *e)
{
	const struct ctrec_layout *l = o->l;
	uint8_t keys[64];
	uint64_t index;

	if (l->keys_indices > sizeof(keys) ||
	    o->mem->read(o->mem, (remote_t){ keys_at }, keys, l->keys_indices) < 0)
		return 0;
	*e = (struct entries){ .n = field_u64(keys, l->keys_nentries), .size = 24, .key = 8 };
	if (l->keys_form == CTL_KEYS_SIZE) {
		index = field_u64(keys, l->keys_size);
		if (index > 1ull << 40)
			return 0;
		index *= index <= 0xff ? 1 : index <= 0xffff ? 2 : index <= 0xffffffff ? 4 : 8;
	} else {
		unsigned kind = keys[l->keys_kind];

		if (kind > 2 || keys[l->keys_log2_index_bytes] > 40)
			return 0;
		index = 1ull << keys[l->keys_log2_index_bytes];
		if (kind != 0) { /* all keys are str: their hashes are in them */
			e->size = 16;
			e->key = 0;
		}
	}
	e->at = keys_at + l->keys_indices + index;
	return 1;
}

/* The entries in the order of insertion, compared one by one: the hash of a str
 * depends on the process's secret. */
uint64_t objects_dict_get(const struct objects *o, uint64_t dict, const char *key)
{
	const struct ctrec_layout *l = o->l;
	uint8_t head[64], *copy;
	uint64_t values, value = 0;
	struct entries e;

	if (!dict || o->mem->read(o->mem, (remote_t){ dict }, head, l->dict_values + 8u) < 0 ||
	    !is_a(o, field_u64(head, OBJECT_TYPE), CS_dict, 29) ||
	    !keys_open(o, field_u64(head, l->dict_keys), &e))
		return 0;
	values = field_u64(head, l->dict_values);
	if (e.n > DICT_ENTRIES)
		e.n = DICT_ENTRIES;
	copy = malloc(e.n * e.size + 1);
	if (!copy || o->mem->read(o->mem, (remote_t){ e.at }, copy, e.n * e.size) < 0)
		e.n = 0;
	for (uint64_t i = 0; i < e.n; i++) {
		uint64_t at = field_u64(copy, i * e.size + e.key);

		if (!at || !same_str(o, at, key))
			continue;
		value = field_u64(copy, i * e.size + e.key + 8);
		if (values && o->mem->read(o->mem, (remote_t){ values + l->values_first + i * 8 },
					   &value, 8) < 0)
			value = 0;
		break;
	}
	free(copy);
	return value;
}
