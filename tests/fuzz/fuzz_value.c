/* SPDX-License-Identifier: MIT */
/*
 * fuzz_value.c: any bytes as a value's nodes: one whole CBOR value, or a refusal.
 *
 * The first two bytes choose the flags and the types that are known.
 */
#include <stdlib.h>
#include <string.h>

#include "trace/value.h"
#include "trace/value_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const fields[] = { "a", "b", "c" };
static struct value_type types[] = {
	{ .name = "Plain", .module = "m", .fields = fields, .keys = fields, .nkeys = 3 },
	{ .flags = EVT_SLOTS, .nslots = 3, .nfields = 2, .name = "Slots", .module = "m", .fields = fields },
	{ .flags = EVT_NAMEDTUPLE, .nfields = 3, .name = "Named", .module = "m", .fields = fields },
	{ .flags = EVT_ENUM, .name = "Enum", .module = "", .fields = fields },
	{ .flags = EVT_EXCEPTION, .nslots = 2, .nfields = 1, .name = "Error", .module = "builtins", .fields = fields },
	{ .flags = EVT_SLOTS, .nslots = VALUE_MAX_NODES, .name = "Wide", .module = "m", .fields = fields },
};

static struct value_type *find(void *ctx, uint32_t id)
{
	(void)ctx;
	return id && id <= sizeof(types) / sizeof(*types) ? &types[id - 1] : NULL;
}

static int intern(void *ctx, const char *name, size_t len, uint32_t *id)
{
	(void)ctx;
	if (!text_is_utf8(name, len))
		abort();
	*id = (uint32_t)len;
	return 0;
}

/* The CBOR that value.c may write: definite lengths, UTF-8 text, small nesting. */
static const uint8_t *skip(const uint8_t *p, const uint8_t *end, unsigned depth)
{
	unsigned major, info, bytes;
	uint64_t n;

	if (p >= end || depth > 2000)
		abort();
	major = *p >> 5;
	info = *p++ & 31;
	n = info;
	if (info >= 24) {
		if (info > 27 || (bytes = 1u << (info - 24)) > (size_t)(end - p))
			abort();
		for (n = 0; bytes--;)
			n = n << 8 | *p++;
	}
	switch (major) {
	case 0:
	case 1:
		return p;
	case 3:
		if (n > (size_t)(end - p) || (!memchr(p, 0, n) && !text_is_utf8(p, n)))
			abort();
		return p + n;
	case 4:
	case 5:
		for (n *= major - 3; n--;)
			p = skip(p, end, depth + 1);
		return p;
	case 7:
		if (info != 20 && info != 21)
			abort();
		return p;
	default:
		abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct value_env env = { .type = find, .intern = intern };
	static struct value_encoder *v;
	struct value_result r;
	struct buf out = { 0 };
	uint8_t *copy;
	size_t used;
	int rc;

	if (!v && value_encoder_new(&v, &env) < 0)
		abort();
	if (size < 1)
		return 0;
	copy = malloc(size - 1);
	memcpy(copy, data + 1, size - 1);
	rc = value_encode(v, copy, size - 1, data[0] & VALUE_CELL, &out, &r);
	if (rc < 0 || (rc == 1 && out.len))
		abort();
	if (rc == 0 && (r.used > size - 1 || (r.unset && out.len)))
		abort();
	if (rc == 0 && !r.unset && skip(out.data, out.data + out.len, 0) != out.data + out.len)
		abort();
	buf_clear(&out);
	if (value_text(v, copy, size - 1, &out, &used) == 0 && used > size - 1)
		abort();
	buf_deinit(&out);
	free(copy);
	return 0;
}
