/* SPDX-License-Identifier: MIT */
#include "util/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static __thread struct err last;

static const struct {
	const char *name, *kind, *message, *hint;
	int exit;
} table[ERR_MAX] = {
#define KIND_USAGE "UsageError"
#define KIND_ENVIRONMENT "EnvironmentError"
#define KIND_TARGET "TargetError"
#define KIND_INTERNAL "InternalError"
#define X(code, kind, exit, message, hint) [code] = { #code, KIND_##kind, message, hint, exit },
	CTREC_ERRORS(X)
#undef X
};

static int known(int code)
{
	if (code < 0)
		code = -code;
	return code > 0 && code < ERR_MAX ? code : ERR_UNKNOWN;
}

int err_set(enum ctrec_error code, const char *fmt, ...)
{
	va_list ap;

	last.code = known(code);
	last.hint[0] = 0;
	va_start(ap, fmt);
	vsnprintf(last.context, sizeof(last.context), fmt, ap);
	va_end(ap);
	return -last.code;
}

int err_hint(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(last.hint, sizeof(last.hint), fmt, ap);
	va_end(ap);
	return -known(last.code);
}

const struct err *err_last(void)
{
	return &last;
}

int err_take(const char *code_name, const char *context, const char *hint)
{
	int code = ERR_UNKNOWN;

	for (int i = 1; i < ERR_MAX; i++)
		if (code_name && strcmp(table[i].name, code_name) == 0)
			code = i;
	err_set(code, "%s", context ? context : "");
	if (hint)
		snprintf(last.hint, sizeof(last.hint), "%s", hint);
	return -code;
}

const char *err_name(int code) { return table[known(code)].name; }
const char *err_kind(int code) { return table[known(code)].kind; }
const char *err_message(int code) { return table[known(code)].message; }
const char *err_default_hint(int code) { return table[known(code)].hint; }
int err_exit(int code) { return table[known(code)].exit; }
