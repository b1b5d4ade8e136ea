/* SPDX-License-Identifier: MIT */
/*
 * The encoder writes definite lengths and shortest heads only: some readers of
 * traces take nothing else.
 */
#include "trace/cbor.h"

enum { M_UINT = 0, M_NEG = 1, M_BYTES = 2, M_TEXT = 3, M_ARRAY = 4, M_MAP = 5 };

/* A literal's length is known at compile time, and one append does a whole run of keys. */
#define LIT(b, s) buf_append(b, s, sizeof(s) - 1)

static void head(struct buf *b, unsigned major, uint64_t v)
{
	uint8_t *to = buf_reserve(b, 9);
	unsigned n;

	if (!to)
		return;
	major <<= 5;
	if (v < 24) {
		*to = major | v;
		b->len++;
		return;
	}
	n = v <= 0xff ? 0 : v <= 0xffff ? 1 : v <= 0xffffffff ? 2 : 3;
	*to++ = major | (24 + n);
	n = 1u << n;
	for (unsigned i = 0; i < n; i++)
		to[i] = v >> (8 * (n - 1 - i));
	b->len += 1 + n;
}

static void type(struct buf *b, uint32_t type_id)
{
	LIT(b, "gtype_id");
	head(b, M_UINT, type_id);
}

void cbor_text(struct buf *b, const void *text, size_t n)
{
	size_t clean = utf8_clean(NULL, text, n);
	uint8_t *to;

	head(b, M_TEXT, clean);
	to = buf_reserve(b, clean);
	if (!to)
		return;
	utf8_clean(to, text, n);
	b->len += clean;
}

void cbor_int(struct buf *b, int64_t i, uint32_t type_id)
{
	LIT(b, "\xa3" "dkindcIntai");
	head(b, i < 0 ? M_NEG : M_UINT, i < 0 ? ~(uint64_t)i : (uint64_t)i);
	type(b, type_id);
}

void cbor_bool(struct buf *b, bool v, uint32_t type_id)
{
	if (v)
		LIT(b, "\xa4" "dkinddBoolab\xf5" "dtextdtrue");
	else
		LIT(b, "\xa4" "dkinddBoolab\xf4" "dtextefalse");
	type(b, type_id);
}

void cbor_none(struct buf *b, uint32_t type_id)
{
	LIT(b, "\xa2" "dkinddNone");
	type(b, type_id);
}

void cbor_string(struct buf *b, const void *text, size_t n, uint32_t type_id)
{
	LIT(b, "\xa3" "dkindfStringdtext");
	cbor_text(b, text, n);
	type(b, type_id);
}

void cbor_raw(struct buf *b, const void *text, size_t n, uint32_t type_id)
{
	LIT(b, "\xa3" "dkindcRawar");
	cbor_text(b, text, n);
	type(b, type_id);
}

void cbor_error(struct buf *b, const void *msg, size_t n, uint32_t type_id)
{
	LIT(b, "\xa3" "dkindeErrorcmsg");
	cbor_text(b, msg, n);
	type(b, type_id);
}

void cbor_sequence_begin(struct buf *b, uint32_t n)
{
	LIT(b, "\xa4" "dkindhSequencehelements");
	head(b, M_ARRAY, n);
}

void cbor_sequence_end(struct buf *b, uint32_t type_id)
{
	LIT(b, "his_slice\xf4");
	type(b, type_id);
}

void cbor_tuple_begin(struct buf *b, uint32_t n)
{
	LIT(b, "\xa3" "dkindeTuplehelements");
	head(b, M_ARRAY, n);
}

void cbor_tuple_end(struct buf *b, uint32_t type_id)
{
	type(b, type_id);
}

void cbor_struct_begin(struct buf *b, uint32_t n, bool named)
{
	buf_u8(b, named ? 0xa4 : 0xa3);
	LIT(b, "dkindfStructlfield_values");
	head(b, M_ARRAY, n);
}

void cbor_struct_names(struct buf *b, uint32_t n)
{
	LIT(b, "kfield_names");
	head(b, M_ARRAY, n);
}

void cbor_struct_end(struct buf *b, uint32_t type_id)
{
	type(b, type_id);
}

void cbor_reference_begin(struct buf *b)
{
	LIT(b, "\xa5" "dkindiReferenceldereferenced");
}

void cbor_reference_end(struct buf *b, uint64_t address, bool mutable, uint32_t type_id)
{
	LIT(b, "gaddress");
	head(b, M_UINT, address);
	LIT(b, "gmutable");
	buf_u8(b, mutable ? 0xf5 : 0xf4);
	type(b, type_id);
}
