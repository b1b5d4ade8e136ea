/* SPDX-License-Identifier: MIT */
/*
 * deopt.c: bytecode as the compiler wrote it.
 *
 * CPython 3.11 replaces instructions in place by specialised ones and counts in
 * the inline caches that follow them. Readers of a trace expect co_code, so an
 * instruction is mapped back to its base and its caches are zeroed. The second
 * half of a super-instruction (LOAD_FAST__LOAD_FAST …) still stands after it.
 *
 * The tables hold facts of each version's pycore_opcode.h (_PyOpcode_Deopt
 * where it differs from the identity, _PyOpcode_Caches); a test compares the
 * outcome with co_code.
 */
#include "python/deopt.h"

struct opcodes {
	uint32_t python;
	uint8_t base[256];   /* 0: the instruction is its own base */
	uint8_t caches[256]; /* units of inline cache after a base instruction */
};

static const struct opcodes python_3_11 = {
	.python = 3 << 8 | 11,
	.base = {
		[3] = 122, [4] = 122, [5] = 122, [6] = 122, [7] = 122, [8] = 122, [13] = 122,
		[14] = 122, [16] = 122, [17] = 25, [18] = 25, [19] = 25, [20] = 25, [21] = 25,
		[22] = 171, [23] = 171, [24] = 171, [26] = 107, [27] = 107, [28] = 107,
		[29] = 107, [34] = 144, [38] = 140, [39] = 106, [40] = 106, [41] = 106,
		[42] = 106, [43] = 106, [44] = 100, [45] = 124, [46] = 124, [47] = 116,
		[48] = 116, [55] = 116, [56] = 160, [57] = 160, [58] = 160, [59] = 160,
		[62] = 160, [63] = 160, [64] = 166, [65] = 166, [66] = 166, [67] = 166,
		[72] = 166, [73] = 166, [76] = 166, [77] = 166, [78] = 166, [79] = 166,
		[80] = 166, [81] = 166, [113] = 166, [121] = 166, [127] = 166, [141] = 166,
		[143] = 166, [150] = 151, [153] = 95, [154] = 95, [158] = 95, [159] = 95,
		[161] = 125, [167] = 125, [168] = 60, [169] = 60, [170] = 60, [177] = 92,
		[178] = 92, [179] = 92, [180] = 92,
	},
	.caches = {
		[25] = 4, [60] = 1, [92] = 1, [95] = 4, [106] = 4, [107] = 2, [116] = 5,
		[122] = 1, [160] = 10, [166] = 1, [171] = 4,
	},
};

static const struct opcodes *const versions[] = { &python_3_11 };

void bytecode_deopt(uint32_t python, uint8_t *code, size_t len)
{
	const struct opcodes *o = NULL;

	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++)
		if (versions[i]->python == python)
			o = versions[i];
	for (size_t i = 0; o && i + 2 <= len; i += 2) {
		if (o->base[code[i]])
			code[i] = o->base[code[i]];
		for (unsigned n = o->caches[code[i]]; n && i + 4 <= len; n--) {
			i += 2;
			code[i] = code[i + 1] = 0;
		}
	}
}
