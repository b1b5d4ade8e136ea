/* SPDX-License-Identifier: MIT */
/*
 * cmd_status.c: `ctrec status`: whether the daemon is there, and how it does.
 */
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <time.h>

#include "cli.h"
#include "client.h"
#include "status_session.h"
#include "util/err.h"

static const char help[] = "usage: ctrec status [--json] [--socket PATH] [SESSION]\n"
			   "\n"
			   "Shows the daemon that listens, since when, and how many recordings it makes;\n"
			   "of one recording (its number is that of 'ctrec list') how it goes.\n";

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
	cJSON *answer, *q;
	unsigned number = 0;
	int rc;

	rc = client_options(&o, "status", help, "j", argc, argv);
	if (rc >= 0)
		return rc;
	if (optind + 1 < argc)
		return cli_usage("status", "it takes the number of one session, or none");
	if (optind < argc && cli_parse_number("ctrec status", argv[optind], 1, INT_MAX, &number) < 0)
		return cli_fail(-ERR_USAGE);
	rc = client_connect(&client, o.socket);
	if (rc < 0)
		return cli_fail(rc);
	q = client_request(CTREC_VERB_STATUS);
	if (number)
		cJSON_AddNumberToObject(q, "session", number);
	rc = client_ask(&client, q, NULL, 0, &answer);
	client_close(&client);
	if (rc < 0)
		return cli_fail(rc);
	if (o.json) {
		char *text = cJSON_PrintUnformatted(answer);

		puts(text ? text : "{}");
		cJSON_free(text);
	} else if (number) {
		status_session(answer);
	} else {
		show(answer);
	}
	cJSON_Delete(answer);
	return 0;
}
