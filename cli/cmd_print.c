/* SPDX-License-Identifier: MIT */
/*
 * ctrec print: shows a trace. The command itself only reads its arguments and
 * picks one of the printers; a pager that is quit early counts as success.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "print_json.h"
#include "print_list.h"
#include "util/err.h"

enum mode { LISTING, SUMMARY, EVENTS };

struct print_args {
	const char *file;
	enum mode mode;
	const char *color; /* auto, always or never */
	unsigned limit;	   /* 0: none */
};

static void help(void)
{
	fputs("usage: ctrec print FILE.ct [OPTION…]\n"
	      "\n"
	      "Shows a trace: every line that ran, in order, with the variables it changed,\n"
	      "the calls, what they returned and what the program wrote.\n"
	      "\n"
	      "  --summary             one JSON object: counts, losses, duration\n"
	      "  --events              everything, as JSON lines\n"
	      "  --limit N             only the first N steps\n"
	      "  --color=WHEN          auto (a terminal, and no NO_COLOR), always or never\n"
	      "  --help                this text\n",
	      stdout);
}

/* The value of `--name VALUE` or `--name=VALUE` at argv[*i]; NULL: another option.
 * An empty text where the value is missing. */
static const char *option(const char *name, int argc, char **argv, int *i)
{
	size_t n = strlen(name);

	if (strncmp(argv[*i], name, n) != 0 || (argv[*i][n] && argv[*i][n] != '='))
		return NULL;
	if (argv[*i][n] == '=')
		return argv[*i] + n + 1;
	return *i + 1 < argc ? argv[++*i] : "";
}

/* -1: go on; else the exit status. */
static int parse(struct print_args *a, int argc, char **argv)
{
	bool options = true;

	for (int i = 1; i < argc; i++) {
		const char *arg = argv[i], *value;

		if (!options || arg[0] != '-' || !arg[1]) {
			if (a->file)
				return cli_usage("print", "one trace at a time, not also '%.60s'", arg);
			a->file = arg;
		} else if (!strcmp(arg, "--")) {
			options = false;
		} else if (!strcmp(arg, "--help") || !strcmp(arg, "-h")) {
			help();
			return 0;
		} else if (!strcmp(arg, "--summary") || !strcmp(arg, "--events")) {
			if (a->mode != LISTING)
				return cli_usage("print", "give one of --summary and --events");
			a->mode = arg[2] == 's' ? SUMMARY : EVENTS;
		} else if ((value = option("--color", argc, argv, &i))) {
			if (strcmp(value, "auto") && strcmp(value, "always") && strcmp(value, "never"))
				return cli_usage("print", "--color is auto, always or never, not '%.40s'", value);
			a->color = value;
		} else if ((value = option("--limit", argc, argv, &i))) {
			if (cli_parse_number("--limit", value, 1, UINT32_MAX, &a->limit) < 0) {
				err_hint("see 'ctrec print --help'");
				return cli_fail(-ERR_USAGE);
			}
		} else {
			return cli_usage("print", "no option '%.60s'", arg);
		}
	}
	return a->file ? -1 : cli_usage("print", "which trace? give a FILE.ct");
}

static bool use_color(const char *when)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	if (strcmp(when, "auto") != 0)
		return when[0] == 'a';
	return (!no || !*no) && term && strcmp(term, "dumb") != 0 && isatty(STDOUT_FILENO);
}

static int print(const struct print_args *a)
{
	struct print_out o = { .fd = STDOUT_FILENO };
	struct ct_reader *r = NULL;
	int fd = open(a->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc;

	if (fd < 0)
		return err_set(ERR_IO, "open %.300s: %m", a->file);
	rc = ct_reader_new(&r, fd);
	if (rc == 0 && a->mode == SUMMARY)
		rc = print_summary(r, &o);
	else if (rc == 0 && a->mode == EVENTS)
		rc = print_events(r, a->limit, &o);
	else if (rc == 0)
		rc = print_list(r, a->limit, use_color(a->color), &o);
	/* what came before the damage is worth seeing; its own failure is not news */
	if (rc < 0 && a->mode != SUMMARY && o.b.len && !o.b.oom)
		if (write(STDOUT_FILENO, o.b.data, o.b.len) < 0)
			errno = 0;
	print_out_deinit(&o);
	ct_reader_free(r);
	close(fd);
	return rc;
}

int cmd_print(int argc, char **argv)
{
	struct print_args a = { .color = "auto" };
	int rc = parse(&a, argc, argv);

	if (rc >= 0)
		return rc;
	signal(SIGPIPE, SIG_IGN);
	rc = print(&a);
	return rc < 0 ? cli_fail(rc) : 0;
}
