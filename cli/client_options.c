/* SPDX-License-Identifier: MIT */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "client.h"

int client_options(struct client_options *o, const char *command, const char *help,
		   const char *which, int argc, char **argv)
{
	static const struct option options[] = {
		{ "all", no_argument, NULL, 'a' },
		{ "json", no_argument, NULL, 'j' },
		{ "socket", required_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int c;

	memset(o, 0, sizeof(*o));
	optind = 0;
	opterr = 0;
	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (c == 'h') {
			fputs(help, stdout);
			return 0;
		}
		if (c == '?' || (c != 's' && !strchr(which, c)))
			return cli_usage(command, "an unknown option, or one without its value");
		if (c == 's')
			o->socket = optarg;
		o->json |= c == 'j';
		o->all |= c == 'a';
	}
	return -1;
}
