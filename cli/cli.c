/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <string.h>

#include "util/err.h"

int cli_fail(int rc)
{
	const struct err *e = err_last();
	const char *hint = e->hint[0] ? e->hint : err_default_hint(rc);

	fprintf(stderr, "ctrec: error: %s%s%s [%s]\n", err_message(rc), e->context[0] ? ": " : "",
		e->context, err_name(rc));
	if (hint[0])
		fprintf(stderr, "  hint: %s\n", hint);
	return err_exit(rc);
}

int cli_usage(const char *command, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	err_set(ERR_USAGE, "%s", text);
	return cli_fail(err_hint("see 'ctrec %s --help'", command));
}

char *cli_number(char *to, uint64_t n)
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n);
	char *at = to;

	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			*at++ = ',';
		*at++ = digits[i];
	}
	*at = 0;
	return to;
}

char *cli_bytes(char *to, uint64_t n)
{
	static const char *const units[] = { "kB", "MB", "GB", "TB" };
	double v = n / 1000.0;
	unsigned unit = 0;

	if (n < 1000) {
		snprintf(to, CLI_NUMBER, "%u bytes", (unsigned)n);
		return to;
	}
	while (v >= 999.95 && unit < 3) {
		v /= 1000;
		unit++;
	}
	snprintf(to, CLI_NUMBER, "%.1f %s", v, units[unit]);
	return to;
}

int cli_parse_number(const char *option, const char *text, unsigned least, unsigned most,
		     unsigned *value)
{
	char *end;
	unsigned long long v = strtoull(text, &end, 10);

	if (!isdigit((unsigned char)*text) || *end || v < least || v > most)
		return err_set(ERR_USAGE, "%s takes a number from %u to %u, not '%.40s'", option,
			       least, most, text);
	*value = v;
	return 0;
}

int cli_parse_duration(const char *option, const char *text, uint64_t *ms)
{
	static const struct {
		const char *name;
		double ms;
	} units[] = { { "", 1e3 }, { "ms", 1 }, { "s", 1e3 }, { "m", 60e3 }, { "h", 3600e3 } };
	char *end;
	double v = strtod(text, &end);

	for (unsigned i = 0; i < sizeof(units) / sizeof(*units); i++) {
		if (!isdigit((unsigned char)*text) || strcmp(end, units[i].name) != 0)
			continue;
		v *= units[i].ms;
		if (v < 1 || v > 1e11)
			break;
		*ms = v;
		return 0;
	}
	return err_set(ERR_USAGE, "%s takes a time such as 500ms, 2s or 1m, not '%.40s'", option, text);
}
