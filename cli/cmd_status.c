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

static const struct option options[] = {
	{ "json", no_argument, NULL, 'j' },
	{ "socket", required_argument, NULL, 's' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

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
	const char *socket = NULL;
	struct client client;
	bool json = false;
	cJSON *answer;
	int c, rc;

	optind = 0;
	opterr = 0;
	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (c == 'h') {
			fputs(help, stdout);
			return 0;
		}
		if (c == '?')
			return cli_usage("status", "an unknown option, or one without its value");
		if (c == 'j')
			json = true;
		else
			socket = optarg;
	}
	if (optind < argc)
		return cli_usage("status", "it takes no arguments");
	rc = client_connect(&client, socket);
	if (rc < 0)
		return cli_fail(rc);
	rc = client_ask(&client, client_request(CTREC_VERB_STATUS), NULL, 0, &answer);
	client_close(&client);
	if (rc < 0)
		return cli_fail(rc);
	if (json) {
		char *text = cJSON_PrintUnformatted(answer);

		puts(text ? text : "{}");
		cJSON_free(text);
	} else {
		show(answer);
	}
	cJSON_Delete(answer);
	return 0;
}
