/* SPDX-License-Identifier: MIT */
/*
 * cmd_stop.c: `ctrec stop`: ends recordings; their programs go on.
 */
#include <getopt.h>
#include <limits.h>
#include <stdio.h>

#include "cli.h"
#include "client.h"
#include "util/err.h"

static const char help[] = "usage: ctrec stop [--socket PATH] SESSION… | --all\n"
			   "\n"
			   "Ends recordings (their numbers are those of 'ctrec list'). The programs go on.\n";

/* number 0: all of them */
static int stop(struct client *client, unsigned number)
{
	cJSON *q = client_request(CTREC_VERB_STOP), *answer;
	const cJSON *n;
	int rc;

	if (number)
		cJSON_AddNumberToObject(q, "session", number);
	else
		cJSON_AddTrueToObject(q, "all");
	rc = client_ask(client, q, NULL, 0, &answer);
	if (rc < 0)
		return rc;
	cJSON_ArrayForEach(n, cJSON_GetObjectItemCaseSensitive(answer, "stopped"))
		printf("stopped session %.0f\n", cJSON_GetNumberValue(n));
	cJSON_Delete(answer);
	return 0;
}

int cmd_stop(int argc, char **argv)
{
	struct client_options o;
	struct client client;
	unsigned number;
	int rc;

	rc = client_options(&o, "stop", help, "a", argc, argv);
	if (rc >= 0)
		return rc;
	if (o.all == (optind < argc))
		return cli_usage("stop", "it takes numbers of sessions, or --all");
	rc = client_connect(&client, o.socket);
	if (rc < 0)
		return cli_fail(rc);
	if (o.all)
		rc = stop(&client, 0);
	for (; optind < argc && rc == 0; optind++) {
		rc = cli_parse_number("ctrec stop", argv[optind], 1, INT_MAX, &number);
		if (rc == 0)
			rc = stop(&client, number);
	}
	client_close(&client);
	return rc < 0 ? cli_fail(rc) : 0;
}
