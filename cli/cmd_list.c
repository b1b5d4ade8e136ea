/* SPDX-License-Identifier: MIT */
/*
 * cmd_list.c: `ctrec list`: the recordings that are under way.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "client.h"
#include "util/err.h"

static const char help[] = "usage: ctrec list [--json] [--socket PATH]\n"
			   "\n"
			   "Shows the recordings of the daemon: your own, and as root everybody's.\n";

static void show(const cJSON *sessions)
{
	const cJSON *s;

	if (!cJSON_GetArraySize(sessions)) {
		puts("no recordings");
		return;
	}
	printf("%-8s %-8s %-18s %12s %10s  %s\n", "SESSION", "PROCESS", "STATE", "EVENTS", "BYTES",
	       "TRACE");
	cJSON_ArrayForEach(s, sessions) {
		char n[CLI_NUMBER], b[CLI_NUMBER];

#define NUMBER(name) cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(s, name))
#define TEXT(name) cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(s, name))
		printf("%-8.0f %-8.0f %-18s %12s %10s  %s\n", NUMBER("session"), NUMBER("pid"),
		       TEXT("state") ? TEXT("state") : "", cli_number(n, NUMBER("events")),
		       cli_bytes(b, NUMBER("bytes")), TEXT("trace") ? TEXT("trace") : "");
#undef NUMBER
#undef TEXT
	}
}

int cmd_list(int argc, char **argv)
{
	struct client_options o;
	struct client client;
	cJSON *answer, *list;
	int rc;

	rc = client_options(&o, "list", help, "j", argc, argv);
	if (rc >= 0)
		return rc;
	if (optind < argc)
		return cli_usage("list", "it takes no arguments");
	rc = client_connect(&client, o.socket);
	if (rc < 0)
		return cli_fail(rc);
	rc = client_ask(&client, client_request(CTREC_VERB_LIST), NULL, 0, &answer);
	client_close(&client);
	if (rc < 0)
		return cli_fail(rc);
	list = cJSON_GetObjectItemCaseSensitive(answer, "sessions");
	if (o.json) {
		char *text = cJSON_PrintUnformatted(list);

		puts(text ? text : "[]");
		cJSON_free(text);
	} else {
		show(list);
	}
	cJSON_Delete(answer);
	return 0;
}
