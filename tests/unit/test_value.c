/* SPDX-License-Identifier: MIT */
/*
 * test_value.c: node trees and what readers are given for them.
 *
 * A value is compared as text: the CBOR as it is, map keys in their order, each
 * type_id as the type's name: {kind:Int,i:5,type_id:Int}.
 */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "records.h"
#include "trace/value.h"
#include "trace/value_text.h"

static struct buf in, out, text;
static struct value_encoder *enc;
static struct value_result got;
static char *type_names[64];
static uint32_t ntypes;

static const char *const point_fields[] = { "x", "y" };
static const char *const shared_keys[] = { "a", "_name_", "c" };
static struct value_type types[] = {
	{ .name = "Color", .module = "mod" }, /* 1: an int's subclass */
	{ EVT_NAMEDTUPLE, .nfields = 2, .fields = point_fields, .name = "Point", .module = "mod" }, /* 2 */
	{ EVT_SLOTS, 2, 2, .fields = point_fields, .name = "Slotted", .module = "mod" },	    /* 3 */
	{ EVT_ENUM, .name = "Shade", .module = "mod", .nkeys = 3, .keys = shared_keys },	    /* 4 */
	{ EVT_EXCEPTION, .nslots = 1, .name = "MyError", .module = "mod" },			    /* 5 */
	{ .name = "defaultdict", .module = "collections" },					    /* 6 */
	{ .name = "int", .module = "builtins" },						    /* 7 */
	{ .name = "Shared", .module = "mod", .nkeys = 3, .keys = shared_keys },			    /* 8 */
};

static struct value_type *find_type(void *ctx, uint32_t id)
{
	(void)ctx;
	return id && id <= sizeof(types) / sizeof(*types) ? &types[id - 1] : NULL;
}

static int intern(void *ctx, const char *name, size_t len, uint32_t *id)
{
	(void)ctx;
	for (*id = 0; *id < ntypes; ++*id)
		if (strlen(type_names[*id]) == len && memcmp(type_names[*id], name, len) == 0)
			return 0;
	ck_assert_uint_lt(ntypes, 64);
	type_names[ntypes++] = strndup(name, len);
	return 0;
}

static uint64_t head(const uint8_t **p, const uint8_t *end, unsigned *major)
{
	unsigned info, bytes;
	uint64_t n = 0;

	ck_assert(*p < end);
	*major = **p >> 5;
	info = *(*p)++ & 31;
	if (info < 24)
		return info;
	ck_assert_uint_le(info, 27);
	bytes = 1u << (info - 24);
	ck_assert_uint_le(bytes, (size_t)(end - *p));
	while (bytes--)
		n = n << 8 | *(*p)++;
	return n;
}

static void render(const uint8_t **p, const uint8_t *end, bool type)
{
	unsigned major;
	uint64_t n = head(p, end, &major);
	bool is_type = false;

	switch (major) {
	case 0:
		if (type)
			ck_assert_uint_lt(n, ntypes);
		if (type)
			buf_printf(&text, "%s", type_names[n]);
		else
			buf_printf(&text, "%llu", (unsigned long long)n);
		break;
	case 1:
		buf_printf(&text, "%lld", (long long)(-1 - (int64_t)n));
		break;
	case 3:
		ck_assert_uint_le(n, (size_t)(end - *p));
		ck_assert(n == 0 || memchr(*p, 0, n) || text_is_utf8(*p, n));
		buf_append(&text, *p, n);
		*p += n;
		break;
	case 4:
		buf_printf(&text, "[");
		for (uint64_t i = 0; i < n; i++) {
			if (i)
				buf_printf(&text, ",");
			render(p, end, false);
		}
		buf_printf(&text, "]");
		break;
	case 5:
		buf_printf(&text, "{");
		for (uint64_t i = 0; i < n; i++) {
			if (i)
				buf_printf(&text, ",");
			is_type = (size_t)(end - *p) > 8 && memcmp(*p, "\x67type_id", 8) == 0;
			render(p, end, false);
			buf_printf(&text, ":");
			render(p, end, is_type);
		}
		buf_printf(&text, "}");
		break;
	default:
		ck_assert_uint_eq(major, 7);
		buf_printf(&text, n == 21 ? "true" : n == 20 ? "false" : "?");
	}
}

/* The text of the value in `in`; clears it. */
static const char *shown(unsigned flags)
{
	const uint8_t *p;

	if (!enc) {
		struct value_env env = { .type = find_type, .intern = intern };

		ck_assert_int_eq(value_encoder_new(&enc, &env), 0);
	}
	buf_clear(&out);
	buf_clear(&text);
	ck_assert_int_eq(value_encode(enc, in.data, in.len, flags, &out, &got), 0);
	ck_assert_uint_eq(got.used, in.len);
	buf_clear(&in);
	if (got.unset)
		return "unset";
	p = out.data;
	render(&p, out.data + out.len, false);
	ck_assert_ptr_eq(p, out.data + out.len);
	buf_u8(&text, 0);
	return (const char *)text.data;
}

#define SHOWN(want) ck_assert_str_eq(shown(0), want)
#define RAW(text, type) "{kind:Raw,r:" text ",type_id:" type "}"
#define INT(i) "{kind:Int,i:" i ",type_id:Int}"
#define STRING(s) "{kind:String,text:" s ",type_id:String}"

START_TEST(test_constants)
{
	node(&in, EVN_NONE, 0, 0, 0);
	SHOWN("{kind:None,type_id:NoneType}");
	node(&in, EVN_TRUE, 0, 0, 0);
	SHOWN("{kind:Bool,b:true,text:true,type_id:Bool}");
	node(&in, EVN_FALSE, 0, 0, 0);
	SHOWN("{kind:Bool,b:false,text:false,type_id:Bool}");
	node(&in, EVN_ELLIPSIS, 0, 0, 0);
	SHOWN(RAW("Ellipsis", "ellipsis"));
	node(&in, EVN_NULL, 0, 0, 0);
	SHOWN("unset");
	node(&in, EVN_REDACTED, 0, 0, 0);
	SHOWN("{kind:Error,msg:<redacted>,type_id:Error}");
	node_box(&in, EVN_UNREADABLE, 0, 0, 0, 0x10, 0);
	SHOWN("{kind:Error,msg:<unreadable>,type_id:Error}");
	ck_assert_uint_eq(got.unreadable, 1);
	node(&in, EVN_SKIPPED, 0, 0, 0);
	SHOWN(RAW("…", "Object"));
	ck_assert(got.truncated);
}
END_TEST

START_TEST(test_ints)
{
	node_int(&in, 0);
	SHOWN(INT("0"));
	node_int(&in, -1);
	SHOWN(INT("-1"));
	node_int(&in, INT64_MIN);
	SHOWN(INT("-9223372036854775808"));
	node_int(&in, INT64_MAX);
	SHOWN(INT("9223372036854775807"));
	node(&in, EVN_INT, EVNF_TYPED, 0, 0);
	buf_u64(&in, 1);
	buf_u64(&in, 3);
	SHOWN("{kind:Int,i:3,type_id:Color}");
}
END_TEST

static void bigint(unsigned flags, unsigned total, unsigned n, const uint32_t *digits)
{
	node(&in, EVN_BIGINT, flags, n, total);
	buf_append(&in, digits, n * 4);
	buf_pad8(&in);
}

START_TEST(test_bigints)
{
	const uint32_t two64[] = { 0, 0, 16 }, two90[] = { 0x10000000, 0, 0, 0x1 };
	const uint32_t min64[] = { 0, 0, 8 };
	uint32_t big[100];

	bigint(0, 3, 3, two64);
	SHOWN(RAW("18446744073709551616", "Int"));
	bigint(EVNF_NEG, 3, 3, two64);
	SHOWN(RAW("-18446744073709551616", "Int"));
	bigint(EVNF_NEG, 3, 3, min64);
	SHOWN(INT("-9223372036854775808"));
	bigint(0, 3, 3, min64);
	SHOWN(RAW("9223372036854775808", "Int"));
	bigint(0, 4, 4, two90);
	SHOWN(RAW("1237940039285380275167559680", "Int"));
	bigint(0, 200, 1, two64);
	SHOWN(RAW("<int of about 6000 bits, ends in 0x…0000000>", "Int"));
	ck_assert(got.truncated);
	for (unsigned i = 0; i < 100; i++)
		big[i] = 0x3fffffff;
	bigint(0, 100, 100, big); /* 2**3000 - 1 */
	ck_assert_uint_eq(strlen(shown(0)), 904 + strlen(RAW("", "Int")));
	ck_assert_ptr_nonnull(strstr((char *)text.data, "r:1230231922161117176931558813"));
}
END_TEST

START_TEST(test_floats)
{
	static const struct {
		double v;
		const char *repr;
	} cases[] = {
		{ 1.5, "1.5" }, { 1e16, "1e+16" }, { 1e15, "1000000000000000.0" }, { -0.0, "-0.0" },
		{ 0.1, "0.1" }, { 1e-4, "0.0001" }, { 1e-5, "1e-05" }, { 1e100, "1e+100" },
		{ 5e-324, "5e-324" }, { 1.0 / 3, "0.3333333333333333" },
		{ 123456789012345680.0, "1.2345678901234568e+17" }, { INFINITY, "inf" },
		{ -INFINITY, "-inf" }, { NAN, "nan" }, { 9007199254740993.0, "9007199254740992.0" },
		{ 7.120236347223045e-307, "7.120236347223045e-307" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char want[128];

		snprintf(want, sizeof(want), RAW("%s", "Float"), cases[i].repr);
		node_float(&in, cases[i].v);
		SHOWN(want);
	}
}
END_TEST

START_TEST(test_complex)
{
	static const struct {
		double re, im;
		const char *repr;
	} cases[] = {
		{ 1, 2, "(1+2j)" }, { 0, 2, "2j" }, { -0.0, 2, "(-0+2j)" }, { 1.5, -2, "(1.5-2j)" },
		{ 0, -0.0, "-0j" }, { NAN, INFINITY, "(nan+infj)" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char want[128];

		snprintf(want, sizeof(want), RAW("%s", "Complex"), cases[i].repr);
		node(&in, EVN_COMPLEX, 0, 0, 0);
		buf_append(&in, &cases[i].re, 8);
		buf_append(&in, &cases[i].im, 8);
		SHOWN(want);
	}
}
END_TEST

START_TEST(test_strings)
{
	const uint16_t wide[] = { 'a', 0x20ac, 0xdcff };
	const uint32_t wider[] = { 0x1f600, 0x110000 };

	node_str(&in, "");
	SHOWN(STRING(""));
	node_str(&in, "caf\xe9");
	SHOWN(STRING("café"));
	node(&in, EVN_STR, EVNF_WIDTH2, 3, 3);
	buf_append(&in, wide, sizeof(wide));
	buf_pad8(&in);
	SHOWN(STRING("a€\\udcff"));
	node(&in, EVN_STR, EVNF_WIDTH4, 2, 2);
	buf_append(&in, wider, sizeof(wider));
	SHOWN(STRING("😀\xef\xbf\xbd"));
	node(&in, EVN_STR, EVNF_WIDTH1, 4, 940);
	buf_append(&in, "abcd\0\0\0", 8);
	SHOWN(STRING("abcd… +936 more"));
	ck_assert(got.truncated);
}
END_TEST

START_TEST(test_bytes)
{
	node(&in, EVN_BYTES, 0, 5, 5);
	buf_append(&in, "a\0\xff'\n", 5);
	buf_pad8(&in);
	SHOWN(RAW("b\"a\\x00\\xff'\\n\"", "Bytes"));
	node(&in, EVN_BYTEARRAY, 0, 2, 10);
	buf_append(&in, "\\\"", 2);
	buf_pad8(&in);
	SHOWN(RAW("bytearray(b'\\\\\"')… +8 more", "ByteArray"));
}
END_TEST

START_TEST(test_containers)
{
	node_box(&in, EVN_LIST, 0, 2, 2, 0x100, 0);
	node_int(&in, 1);
	node_box(&in, EVN_TUPLE, 0, 1, 1, 0x200, 0);
	node_str(&in, "x");
	SHOWN("{kind:Sequence,elements:[" INT("1") ",{kind:Tuple,elements:[" STRING("x")
	      "],type_id:Tuple}],is_slice:false,type_id:List}");
	node_box(&in, EVN_DICT, 0, 1, 1, 0x100, 0);
	node_str(&in, "k");
	node_int(&in, 7);
	SHOWN("{kind:Sequence,elements:[{kind:Tuple,elements:[" STRING("k") "," INT("7")
	      "],type_id:Tuple}],is_slice:false,type_id:Dict}");
	node_box(&in, EVN_DICT, 0, 0, 0, 0x100, 6);
	SHOWN("{kind:Sequence,elements:[],is_slice:false,type_id:defaultdict}");
	node_box(&in, EVN_FROZENSET, 0, 1, 1, 0x100, 0);
	node_int(&in, 1);
	SHOWN("{kind:Sequence,elements:[" INT("1") "],is_slice:false,type_id:FrozenSet}");
	node_box(&in, EVN_LIST, 0, 1, 937, 0x100, 0);
	node_int(&in, 1);
	SHOWN("{kind:Sequence,elements:[" INT("1") "," RAW("… +936 more", "Object")
	      "],is_slice:false,type_id:List}");
	ck_assert(got.truncated);
	node_box(&in, EVN_LIST, EVNF_DEPTH, 0, 10, 0x100, 0);
	SHOWN(RAW("[… 10 items]", "List"));
	node_box(&in, EVN_DICT, EVNF_DEPTH, 0, 1, 0x100, 0);
	SHOWN(RAW("{… 1 item}", "Dict"));
}
END_TEST

START_TEST(test_order_is_breadth_first)
{
	/* [[1, 2], [3]] */
	node_box(&in, EVN_LIST, 0, 2, 2, 0x1, 0);
	node_box(&in, EVN_LIST, 0, 2, 2, 0x2, 0);
	node_box(&in, EVN_LIST, 0, 1, 1, 0x3, 0);
	for (int i = 1; i <= 3; i++)
		node_int(&in, i);
#define LIST(e) "{kind:Sequence,elements:[" e "],is_slice:false,type_id:List}"
	SHOWN(LIST(LIST(INT("1") "," INT("2")) "," LIST(INT("3"))));
}
END_TEST

START_TEST(test_cycle)
{
	/* a = [a]; the same list beside, not below, is none */
	node_box(&in, EVN_LIST, 0, 1, 1, 0x1, 0);
	node_box(&in, EVN_LIST, 0, 1, 1, 0x1, 0);
	node_box(&in, EVN_LIST, EVNF_DEPTH, 0, 1, 0x1, 0);
	SHOWN(LIST("{kind:Error,msg:<cycle>,type_id:Error}"));
	node_box(&in, EVN_TUPLE, 0, 2, 2, 0x1, 0);
	node_box(&in, EVN_LIST, 0, 0, 0, 0x2, 0);
	node_box(&in, EVN_LIST, 0, 0, 0, 0x2, 0);
	SHOWN("{kind:Tuple,elements:[" LIST("") "," LIST("") "],type_id:Tuple}");
}
END_TEST

START_TEST(test_objects)
{
	node_box(&in, EVN_OBJECT, 0, 1, 1, 0x1, 1);
	node_str(&in, "a");
	node_int(&in, 1);
	SHOWN("{kind:Struct,field_values:[" INT("1") "],field_names:[a],type_id:Color}");
	node_box(&in, EVN_OBJECT, 0, 1, 3, 0x1, 3); /* slots x (unset), y, then a dict */
	node(&in, EVN_NULL, 0, 0, 0);
	node_int(&in, 2);
	node_str(&in, "d");
	node(&in, EVN_NONE, 0, 0, 0);
	SHOWN("{kind:Struct,field_values:[" INT("2") ",{kind:None,type_id:NoneType},"
	      RAW("… +2 more", "Object") "],field_names:[y,d,…],type_id:Slotted}");
	node_box(&in, EVN_OBJECT, 0, 0, 0, 0x1, 5);
	node_box(&in, EVN_TUPLE, 0, 1, 1, 0x2, 0);
	node_str(&in, "boom");
	SHOWN("{kind:Struct,field_values:[{kind:Tuple,elements:[" STRING("boom")
	      "],type_id:Tuple}],field_names:[args],type_id:MyError}");
	node_box(&in, EVN_OBJECT, 0, 2, 2, 0x1, 4);
	node_str(&in, "_value_");
	node_int(&in, 2);
	node_str(&in, "_name_");
	node_str(&in, "DARK");
	SHOWN(RAW("Shade.DARK", "Shade"));
	node_box(&in, EVN_OBJECT, 0, 0, 0, 0x1, 4 | 2ull << 32);
	node_int(&in, 2);
	node_str(&in, "LIGHT");
	SHOWN(RAW("Shade.LIGHT", "Shade"));
	node_box(&in, EVN_TUPLE, 0, 2, 2, 0x1, 2);
	node_int(&in, 3);
	node_int(&in, 4);
	SHOWN("{kind:Struct,field_values:[" INT("3") "," INT("4") "],field_names:[x,y],type_id:Point}");
	node_box(&in, EVN_OBJECT, EVNF_DEPTH, 0, 0, 0x1, 3);
	SHOWN(RAW("<Slotted …>", "Slotted"));
}
END_TEST

START_TEST(test_shared_keys)
{
	node_box(&in, EVN_OBJECT, 0, 1, 1, 0x1, 8 | 3ull << 32); /* a, _name_ (unset), c, then newer ones */
	node_int(&in, 1);
	node(&in, EVN_NULL, 0, 0, 0);
	node_int(&in, 3);
	node_str(&in, "newer");
	node_int(&in, 4);
	SHOWN("{kind:Struct,field_values:[" INT("1") "," INT("3") "," INT("4")
	      "],field_names:[a,c,newer],type_id:Shared}");
	node_box(&in, EVN_OBJECT, 0, 0, 2, 0x1, 8 | 1ull << 32);
	node_int(&in, 1);
	SHOWN("{kind:Struct,field_values:[" INT("1") "," RAW("… +2 more", "Object")
	      "],field_names:[a,…],type_id:Shared}");
	/* a definition that was lost */
	node_box(&in, EVN_OBJECT, 0, 0, 0, 0x1, 99 | 2ull << 32);
	node_int(&in, 1);
	node_int(&in, 2);
	SHOWN("{kind:Struct,field_values:[" INT("1") "," INT("2")
	      "],field_names:[attribute 0,attribute 1],type_id:Object}");
}
END_TEST

START_TEST(test_named)
{
	static const struct {
		unsigned kind;
		const char *want;
	} cases[] = {
		{ EVN_FUNCTION, RAW("<function a.b>", "function") },
		{ EVN_METHOD, RAW("<bound method a.b>", "method") },
		{ EVN_MODULE, RAW("<module a.b>", "module") },
		{ EVN_CODE, RAW("<code object a.b>", "code") },
		{ EVN_GENERATOR, RAW("<generator a.b>", "generator") },
		{ EVN_COROUTINE, RAW("<coroutine a.b>", "coroutine") },
		{ EVN_ASYNCGEN, RAW("<async_generator a.b>", "async_generator") },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		node_box(&in, cases[i].kind, 0, 1, 1, 0x1, 0);
		node_str(&in, "a.b");
		SHOWN(cases[i].want);
	}
	node_box(&in, EVN_BUILTIN, 0, 3, 3, 0x1, 0);
	buf_append(&in, "len\0\0\0\0", 8);
	SHOWN(RAW("<built-in function len>", "builtin_function_or_method"));
	node_box(&in, EVN_CLASS, 0, 0, 0, 0x1, 1);
	SHOWN(RAW("<class 'mod.Color'>", "type"));
	node_box(&in, EVN_CLASS, 0, 0, 0, 0x1, 7);
	SHOWN(RAW("<class 'int'>", "type"));
	node_box(&in, EVN_OPAQUE, 0, 0, 0, 0x7f00, 1);
	SHOWN(RAW("<Color at 0x7f00>", "Color"));
	node_box(&in, EVN_OPAQUE, 0, 0, 0, 0x7f00, 0);
	SHOWN(RAW("<object at 0x7f00>", "Object"));
}
END_TEST

START_TEST(test_ranges_and_cells)
{
	node_box(&in, EVN_RANGE, 0, 3, 3, 0x1, 0);
	node_int(&in, 0);
	node_int(&in, 3);
	node_int(&in, 1);
	SHOWN(RAW("range(0, 3)", "range"));
	node_box(&in, EVN_SLICE, 0, 3, 3, 0x1, 0);
	node_int(&in, 1);
	node_int(&in, 2);
	node(&in, EVN_NONE, 0, 0, 0);
	SHOWN(RAW("slice(1, 2, None)", "slice"));
	node_box(&in, EVN_CELL, 0, 1, 1, 0x1, 0);
	node_int(&in, 5);
	ck_assert_str_eq(shown(VALUE_CELL), INT("5"));
	node_box(&in, EVN_CELL, 0, 1, 1, 0x1, 0);
	node(&in, EVN_NULL, 0, 0, 0);
	ck_assert_str_eq(shown(VALUE_CELL), "unset");
	node_box(&in, EVN_CELL, 0, 1, 1, 0x1, 0);
	node_int(&in, 5);
	SHOWN("{kind:Struct,field_values:[" INT("5") "],field_names:[cell_contents],type_id:cell}");
}
END_TEST

static void senseless(void)
{
	buf_clear(&out);
	ck_assert_int_eq(value_encode(enc, in.data, in.len, 0, &out, &got), 1);
	ck_assert_uint_eq(out.len, 0);
	buf_clear(&in);
}

START_TEST(test_senseless)
{
	node(&in, EVN_NONE, 0, 0, 0);
	SHOWN("{kind:None,type_id:NoneType}");
	senseless(); /* nothing at all */
	node(&in, 99, 0, 0, 0);
	senseless();
	node(&in, EVN_INT, 0, 0, 0); /* no payload */
	senseless();
	node(&in, EVN_STR, 0, 3, 3); /* no width */
	buf_u64(&in, 0);
	senseless();
	node(&in, EVN_STR, EVNF_WIDTH4, 65535, 65535);
	buf_u64(&in, 0);
	senseless();
	node_box(&in, EVN_DICT, 0, 65535, 65535, 0x1, 0); /* more nodes than a record holds */
	senseless();
	/* the budget ended in the middle: what is missing was skipped */
	node_box(&in, EVN_LIST, 0, 2, 2, 0x1, 0);
	node_int(&in, 1);
	SHOWN(LIST(INT("1") "," RAW("…", "Object")));
	ck_assert(got.truncated);
}
END_TEST

START_TEST(test_deep_nesting)
{
	/* deeper than readers can follow: ends in a Raw, not in their stack */
	for (unsigned i = 1; i < 1000; i++)
		node_box(&in, EVN_LIST, 0, 1, 1, i * 16, 0);
	node_int(&in, 1);
	ck_assert_ptr_nonnull(strstr(shown(0), "[… 1 item]"));
	ck_assert(got.truncated);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("value");
	TCase *t = tcase_create("value");
	SRunner *run = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_test(t, test_constants);
	tcase_add_test(t, test_ints);
	tcase_add_test(t, test_bigints);
	tcase_add_test(t, test_floats);
	tcase_add_test(t, test_complex);
	tcase_add_test(t, test_strings);
	tcase_add_test(t, test_bytes);
	tcase_add_test(t, test_containers);
	tcase_add_test(t, test_order_is_breadth_first);
	tcase_add_test(t, test_cycle);
	tcase_add_test(t, test_objects);
	tcase_add_test(t, test_shared_keys);
	tcase_add_test(t, test_named);
	tcase_add_test(t, test_ranges_and_cells);
	tcase_add_test(t, test_senseless);
	tcase_add_test(t, test_deep_nesting);
	srunner_run_all(run, CK_NORMAL);
	failed = srunner_ntests_failed(run);
	srunner_free(run);
	return failed != 0;
}
