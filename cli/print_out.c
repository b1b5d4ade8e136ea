/* SPDX-License-Identifier: MIT */
/*
 * The buffer is written in whole gatherings and emptied only once all of it is
 * out; a write that was interrupted goes on where it stopped.
 */
#include "print_out.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "util/err.h"

#define GATHER (64u << 10)

int print_out_flush(struct print_out *o, bool all)
{
	size_t at = 0;

	if (o->b.oom)
		return buf_check(&o->b);
	if (!all && o->b.len < GATHER)
		return 0;
	while (at < o->b.len) {
		ssize_t n = write(o->fd, o->b.data + at, o->b.len - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EPIPE)
			return PRINT_GONE;
		if (n < 0)
			return err_set(errno == ENOSPC ? ERR_NO_SPACE : ERR_IO, "write the output: %m");
		at += n;
	}
	buf_clear(&o->b);
	return 0;
}

void print_out_deinit(struct print_out *o)
{
	buf_deinit(&o->b);
}

void print_text(struct buf *b, const char *text)
{
	buf_append(b, text, strlen(text));
}

/* Without printf: --events writes dozens of numbers a step. */
void print_number(struct buf *b, uint64_t v)
{
	char digits[20];
	size_t at = sizeof(digits);

	do
		digits[--at] = '0' + v % 10;
	while (v /= 10);
	buf_append(b, digits + at, sizeof(digits) - at);
}
