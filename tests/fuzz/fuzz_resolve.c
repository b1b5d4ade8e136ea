/* SPDX-License-Identifier: MIT */
/*
 * fuzz_resolve.c: a target whose memory holds anything at all.
 *
 * The input, repeated, is readable at each address, so that every pointer leads
 * somewhere and lengths are any; the first byte thins it out with absent pages.
 * A definition always comes out, well-formed and below its bound.
 *
 *	clang -g -fsanitize=fuzzer,address,undefined -Iinclude -Idaemon -D_GNU_SOURCE \
 *		tests/fuzz/fuzz_resolve.c daemon/python/{resolve*,objects,deopt,opcode_tables,source,stdlib,lines,layout*,debug_offsets}.c \
 *		daemon/util/{err,buf}.c
 */
#include <stdlib.h>
#include <string.h>

#include "python/resolve.h"
#include "util/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *bytes;
static size_t nbytes;

static int read_bytes(struct memory *m, remote_t addr, void *to, size_t len)
{
	(void)m;
	if (addr.v + len < addr.v)
		return -ERR_TARGET_MEMORY;
	for (uint64_t page = addr.v >> 12; page <= (addr.v + len) >> 12; page++)
		if ((page * 0x9e3779b9u >> 7 & 255) < (bytes[0] & 31))
			return -ERR_TARGET_MEMORY;
	for (size_t i = 0, at = addr.v % nbytes; i < len; i++, at = at + 1 == nbytes ? 0 : at + 1)
		((uint8_t *)to)[i] = bytes[at];
	return 0;
}

static void check(const struct buf *b, unsigned type)
{
	size_t at = 0;

	for (unsigned n = 0; at < b->len; n++) {
		const struct ev_header *h = (const void *)(b->data + at);

		if (h->size < sizeof(*h) || h->size % 8 || h->size > b->len - at ||
		    h->size > 4u << 20 || (n == 0 && h->type != type))
			abort();
		if (h->type == EV_DEFCODE)
			code_line((const void *)h, 12);
		at += h->size;
	}
	if (!b->len)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct python_info *info;
	struct ctrec_codeplan code = { 0 };
	struct ctrec_typeplan type = { 0 };
	struct resolve_options options = { .uid = 65534, .gid = 65534 };
	struct target t = { .mem = { read_bytes }, .pid = -1, .pidfd = -1 };
	const struct ctrec_layout *l;
	struct ctrec_layout live;
	struct resolver *r;
	struct buf b = { 0 };

	if (size < 64)
		return 0;
	bytes = data;
	nbytes = size;
	info = calloc(1, sizeof(*info));
	info->version = 3 << 8 | (8 + data[1] % 7);
	info->runtime = size << 21;
	l = python_layout(info->version);
	python_layout_live(&t, info, &live);
	for (unsigned i = 0; i < CS_MAX; i++)
		memcpy(&info->statics[i], data + (8 + i * 8) % (size - 8), 8);
	memcpy(&info->statics[CS_code], data + 8, 8);
	python_check(&t, info, l);
	resolver_new(&r, &t, info, l, &options);
	resolve_code(r, size << 20, 1, &code, &b);
	check(&b, EV_DEFCODE);
	buf_clear(&b);
	resolve_type(r, size << 20, 1, &type, &b);
	check(&b, EV_DEFTYPE);
	if (type.nslots > CTREC_MAX_SLOTS || code.nargs > code.nlocalsplus)
		abort();
	buf_deinit(&b);
	resolver_free(r);
	free(info);
	return 0;
}
