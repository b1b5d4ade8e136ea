/* SPDX-License-Identifier: MIT */
/*
 * cmd_recover.c: `ctrec recover`: a trace of what a journal has.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "losses.h"
#include "trace/assemble.h"
#include "util/err.h"
#include "util/io.h"

static const char help[] =
	"usage: ctrec recover [-o FILE.ct] [--force] JOURNAL\n"
	"\n"
	"Makes a trace of a recording that was cut off (NAME.ct.journal -> NAME.ct). The\n"
	"journal stays.\n"
	"\n"
	"  -o, --output FILE.ct  another name for the trace\n"
	"      --force           overwrite an existing trace\n"
	"  -h, --help            this text\n";

static const struct option options[] = {
	{ "output", required_argument, NULL, 'o' },
	{ "force", no_argument, NULL, 'f' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

static int trace_name(const char *journal, char *to, size_t cap)
{
	size_t n = strlen(journal);

	if (n > 8 && strcmp(journal + n - 8, ".journal") == 0)
		n -= 8;
	else
		return err_set(ERR_USAGE, "%s does not end in .journal: name the trace with -o", journal);
	if (n >= cap)
		return err_set(ERR_USAGE, "the journal's name is too long");
	memcpy(to, journal, n);
	to[n] = 0;
	return 0;
}

/* Without force two at once are told apart here, and what appears meanwhile in name_trace(). */
static int open_trace(const char *path, const char *partial, bool force)
{
	int fd;

	if (!force && access(path, F_OK) == 0)
		return err_set(ERR_TRACE_DIR_CONFLICT, "%s", path);
	fd = open(partial, O_RDWR | O_CREAT | (force ? O_TRUNC : O_EXCL) | O_CLOEXEC | O_NOFOLLOW, 0666);
	if (fd >= 0)
		return fd;
	if (errno == EEXIST)
		return err_set(ERR_TRACE_DIR_CONFLICT, "%s", partial);
	return err_set(errno == ENOSPC ? ERR_NO_SPACE : ERR_IO, "%s: %m", partial);
}

static int name_trace(const char *partial, const char *path, bool force)
{
	if (renameat2(AT_FDCWD, partial, AT_FDCWD, path, force ? 0 : RENAME_NOREPLACE) == 0)
		return 0;
	if (errno == EEXIST)
		return err_set(ERR_TRACE_DIR_CONFLICT, "%s appeared meanwhile", path);
	/* a file system that can't do that */
	if (errno == EINVAL && rename(partial, path) == 0)
		return 0;
	return err_set(ERR_IO, "%s: %m", path);
}

static int recover(const char *journal, const char *path, bool force)
{
	struct assemble_summary s = { 0 };
	struct trace_counts n = { 0 };
	char partial[4200], a[CLI_NUMBER], b[CLI_NUMBER], c[CLI_NUMBER];
	_cleanup_fd_ int in = open(journal, O_RDONLY | O_CLOEXEC);
	_cleanup_fd_ int out = -1;
	int rc;

	if (in < 0)
		return err_set(ERR_IO, "%s: %m", journal);
	snprintf(partial, sizeof(partial), "%s.partial", path);
	out = open_trace(path, partial, force);
	if (out < 0)
		return out;
	rc = assemble_journal(in, out, -1, &s, &n);
	if (rc == 0 && !n.steps)
		rc = err_set(ERR_NOTHING_RECORDED, "%s", journal);
	if (rc == 0)
		rc = name_trace(partial, path, force);
	if (rc < 0) {
		unlink(partial);
		return rc;
	}
	fprintf(stderr, "ctrec: %s: %s steps, %s calls, %s; ", path, cli_number(a, n.steps),
		cli_number(b, n.calls), cli_bytes(c, n.bytes));
	losses_say(stderr, &s);
	fputc('\n', stderr);
	return 0;
}

int cmd_recover(int argc, char **argv)
{
	const char *output = NULL;
	bool force = false;
	char path[4096];
	int c, rc;

	optind = 0;
	opterr = 0;
	while ((c = getopt_long(argc, argv, "o:h", options, NULL)) != -1) {
		if (c == 'h') {
			fputs(help, stdout);
			return 0;
		}
		if (c == '?')
			return cli_usage("recover", "an unknown option, or one without its value");
		if (c == 'f')
			force = true;
		else
			output = optarg;
	}
	if (optind + 1 != argc)
		return cli_usage("recover", "it takes one journal");
	rc = output ? 0 : trace_name(argv[optind], path, sizeof(path));
	if (rc == 0)
		rc = recover(argv[optind], output ? output : path, force);
	return rc < 0 ? cli_fail(rc) : 0;
}
