/* SPDX-License-Identifier: MIT */
/*
 * fuzz_lines.c: a code object's definition with any bytes in it: no read past
 * the record, no endless loop. The bytecode's un-quickening is a pure function
 * of target bytes too and rides along.
 *
 *	clang -g -fsanitize=fuzzer,address,undefined -Iinclude -Idaemon -D_GNU_SOURCE \
 *		tests/fuzz/fuzz_lines.c daemon/python/{lines,deopt}.c
 */
#include <stdlib.h>
#include <string.h>

#include "python/deopt.h"
#include "python/resolve.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned versions[] = { 3 << 8 | 8, 3 << 8 | 10, 3 << 8 | 11, 3 << 8 | 14 };
	struct ev_defcode *d;
	uint8_t *code;
	uint32_t lasti;

	if (size < sizeof(*d) + 4)
		return 0;
	/* exactly as long as it says, so that the sanitizer sees each byte beyond */
	memcpy(&lasti, data, 4);
	data += 4;
	size -= 4;
	d = malloc(size);
	memcpy(d, data, size);
	d->h.size = size;
	d->python = versions[lasti & 3];
	for (uint32_t i = 0; i < 64; i += 2)
		code_line(d, i);
	code_line(d, lasti);
	code_line(d, lasti >> 16);
	free(d);
	code = malloc(size);
	memcpy(code, data, size);
	bytecode_deopt(3 << 8 | 11, code, size, NULL);
	free(code);
	return 0;
}
