/* SPDX-License-Identifier: MIT */
#include "status_session.h"

#include <stdio.h>
#include <time.h>

#include "cli.h"

static const cJSON *item(const cJSON *o, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(o, name);
}

static double number(const cJSON *o, const char *name)
{
	const cJSON *v = item(o, name);

	return cJSON_IsNumber(v) ? v->valuedouble : 0;
}

static const char *text(const cJSON *o, const char *name)
{
	const char *v = cJSON_GetStringValue(item(o, name));

	return v ? v : "";
}

void status_session(const cJSON *s)
{
	const cJSON *ring = item(s, "ring"), *loss;
	double size = number(ring, "size");
	char a[CLI_NUMBER], b[CLI_NUMBER], c[CLI_NUMBER];

	printf("session %.0f: process %.0f, %s, for %.0f s\n", number(s, "session"),
	       number(s, "python") ? number(s, "python") : number(s, "pid"), text(s, "state"),
	       time(NULL) - number(s, "since"));
	printf("  trace   %s\n", text(s, "trace"));
	printf("  events  %s, %s a second; journal %s\n", cli_number(a, number(s, "events")),
	       cli_number(b, number(s, "rate")), cli_bytes(c, number(s, "bytes")));
	printf("  ring    %.0f %% full; the program waited for room %s times, was stopped %s times\n",
	       size ? 100 * number(ring, "used") / size : 0, cli_number(a, number(s, "waits")),
	       cli_number(b, number(s, "stops")));
	printf("  lost   ");
	cJSON_ArrayForEach(loss, item(s, "losses"))
		printf(" %s %s", cli_number(a, loss->valuedouble), loss->string);
	puts(cJSON_GetArraySize(item(s, "losses")) ? "" : " nothing");
}
