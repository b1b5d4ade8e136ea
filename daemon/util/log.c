/* SPDX-License-Identifier: MIT */
#include "util/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "util/err.h"

void log_line(int priority, const char *fmt, ...)
{
	char line[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (getenv("JOURNAL_STREAM"))
		dprintf(STDERR_FILENO, "<%d>%s\n", priority, line);
	else
		dprintf(STDERR_FILENO, "ctrecd: %s\n", line);
}

void log_error(const char *doing)
{
	const struct err *e = err_last();

	log_line(LOG_ERR, "%s: %s: %s [%s]", doing, err_message(e->code), e->context,
		 err_name(e->code));
}
