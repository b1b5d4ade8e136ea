/* SPDX-License-Identifier: MIT */
/*
 * fuzz_ct.c: any bytes as a trace, and any bytes as a value.
 *
 * A container seldom survives random changes, so the input is laid out by rules:
 * byte 0 picks between a value (the rest is CBOR) and a trace. A trace is the
 * rest cut into streams: each gets a length byte pair and its bytes, packed here
 * into a valid frame, so that what is inside the chunks is what gets fuzzed.
 *
 *	clang -g -fsanitize=fuzzer,address,undefined -Iinclude -Idaemon -D_GNU_SOURCE \
 *		tests/fuzz/fuzz_ct.c daemon/trace/{ctfs,ctfs_read,cbor,cbor_read,ct_text}.c \
 *		daemon/trace/ct_reader*.c daemon/util/{err,buf}.c -lzstd
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zstd.h>

#include "trace/ct_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk_value(struct cbor_in in, unsigned depth)
{
	struct cbor_value v;
	struct cbor_why why;
	struct cbor_in text;

	if (depth > CBOR_MAX_DEPTH)
		abort(); /* the decoder bounds nesting */
	if (!cbor_value(&in, &v, &why))
		return;
	for (uint64_t i = 0; i < v.nitems && i < 8; i++) {
		struct cbor_value ignored;
		struct cbor_in item = v.items;

		walk_value(item, depth + 1);
		if (!cbor_value(&v.items, &ignored, &why))
			break;
	}
	for (uint64_t i = 0; i < v.nnames; i++)
		if (!cbor_take_text(&v.names, &text, &why))
			break;
}

static void walk_vars(struct ct_vars vars)
{
	struct ct_var v;

	for (uint64_t i = 0; i < vars.n && ct_take_var(&vars.in, &v); i++)
		walk_value(v.cbor, 0);
}

static void read_trace(int fd)
{
	struct ct_reader *r;
	const struct ct_meta *m;
	struct ct_step step;
	struct ct_vars vars;
	struct ct_call call;
	struct ct_event event;
	struct cbor_in text;
	uint64_t n, child;

	if (ct_reader_new(&r, fd) < 0)
		return;
	ct_meta(r, &m);
	for (unsigned s = 0; s < CT_NSTREAMS; s++)
		ct_count(r, s, &n);
	while (ct_next_step(r, &step) > 0)
		;
	while (ct_next_values(r, &vars) > 0)
		walk_vars(vars);
	while (ct_next_call(r, &call) > 0) {
		walk_vars(call.args);
		walk_value(call.ret, 0);
		walk_value(call.exc, 0);
		ct_next_child(r, &child);
	}
	while (ct_next_event(r, &event) > 0)
		;
	for (unsigned t = 0; t < CT_NTABLES; t++)
		for (n = 0; n < 4; n++)
			ct_name(r, t, n, &text);
	ct_seek(r, CT_STEPS, 3);
	ct_next_step(r, &step);
	ct_seek(r, CT_CALLS, 1);
	ct_next_call(r, &call);
	ct_reader_free(r);
}

static void put_file(struct ctfs_writer *c, const char *name, const void *p, size_t n)
{
	struct ctfs_out *f;

	if (ctfs_create(c, name, &f) < 0 || ctfs_append(f, p, n) < 0)
		abort();
}

/* Takes a piece of the input off: two bytes of length, then the bytes. */
static struct cbor_in piece(struct cbor_in *in)
{
	struct cbor_in p = { in->p, in->p };
	size_t n;

	if (in->end - in->p < 2)
		return p;
	n = in->p[0] | (in->p[1] & 3) << 8;
	in->p += 2;
	p.p = in->p;
	p.end = p.p + (n < (size_t)(in->end - in->p) ? n : (size_t)(in->end - in->p));
	in->p = p.end;
	return p;
}

static void put_stream(struct ctfs_writer *c, const char *name, uint8_t per, struct cbor_in raw)
{
	uint8_t frame[2048], idx[12] = { per };
	char file[CTFS_NAME_MAX + 1];
	size_t n = ZSTD_compress(frame, sizeof(frame), raw.p, raw.end - raw.p, 1);

	if (ZSTD_isError(n))
		return;
	snprintf(file, sizeof(file), "%s.dat", name);
	put_file(c, file, frame, n);
	snprintf(file, sizeof(file), "%s.idx", name);
	put_file(c, file, idx, sizeof(idx));
}

static void made_trace(int fd, struct cbor_in in)
{
	static const char *const tables[] = { "paths", "funcs", "types", "varnames" };
	static const char *const streams[] = { "steps", "values", "calls", "events" };
	struct ctfs_writer *c;
	struct cbor_in p;
	char file[CTFS_NAME_MAX + 1];
	uint8_t per = in.p < in.end ? *in.p++ : 0;

	if (ctfs_writer_new(&c, fd) < 0)
		abort();
	p = piece(&in);
	put_file(c, "meta.dat", p.p, p.end - p.p);
	for (unsigned i = 0; i < 4; i++) {
		uint64_t off[2] = { 0 };

		p = piece(&in);
		off[1] = p.end - p.p;
		snprintf(file, sizeof(file), "%s.dat", tables[i]);
		put_file(c, file, p.p, off[1]);
		snprintf(file, sizeof(file), "%s.off", tables[i]);
		put_file(c, file, off, sizeof(off));
	}
	for (unsigned i = 0; i < 4; i++)
		put_stream(c, streams[i], per, piece(&in));
	if (ctfs_finish(c, NULL) < 0)
		abort();
	ctfs_writer_free(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;

	if (!size)
		return 0;
	if (data[0] % 3 == 0) {
		walk_value((struct cbor_in){ data + 1, data + size }, 0);
		return 0;
	}
	if (fd < 0)
		fd = memfd_create("ct", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, 0) < 0)
		abort();
	if (data[0] % 3 == 1)
		made_trace(fd, (struct cbor_in){ data + 1, data + size });
	else if (pwrite(fd, data + 1, size - 1, 0) < 0)
		abort();
	read_trace(fd);
	return 0;
}
