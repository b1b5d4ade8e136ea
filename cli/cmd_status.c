/* SPDX-License-Identifier: MIT */
/*
 * cmd_status.c: `ctrec status`: whether the daemon is there, and how it does.
 */
#include <getopt.h>
#include <stdio.h>
#include <time.h>

#include "cli.h"
#include "client.h"
#include "util/err.h"

static const char help[] = "usage: ctrec status [--json] [--socket PATH]\n"
			   "\n"
			   "Shows the daemon that listens, since when, and how many recordings it makes.\n";

static void show(const cJSON *a)
{
	time_t since = cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(a, "since"));
	const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(a, "daemon"));
	char when[40] = "";
	struct tm tm;

	if (localtime_r(&since, &tm))
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
	printf("%s, process %.0f, since %s: %.0f recordings\n", name ? name : "ctrecd",
	       cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(a, "pid")), when,
	       cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(a, "sessions")));
}

int cmd_status(int argc, char **argv)
{
	struct client_options o;
	struct client client;
	cJSON *answer;
	int rc;

	rc = client_options(&o, "status", help, "j", argc, argv);
	if (rc >= 0)
		return rc;
	if (optind < argc)
		return cli_usage("status", "it takes no arguments");
	rc = client_connect(&client, o.socket);
	if (rc < 0)
		return cli_fail(rc);
	rc = client_ask(&client, client_request(CTREC_VERB_STATUS), NULL, 0, &answer);
	client_close(&client);
	if (rc < 0)
		return cli_fail(rc);
	if (o.json) {
		char *text = cJSON_PrintUnformatted(answer);

		puts(text ? text : "{}");
		cJSON_free(text);
	} else {
		show(answer);
	}
	cJSON_Delete(answer);
	return 0;
}
