/* SPDX-License-Identifier: MIT */
/*
 * cmd_attach.c: `ctrec attach`: a Python that runs already, recorded for a while.
 *
 * The program is not ours: it is neither stopped nor ended, and goes on when the
 * recording is over. A pidfd stands for it from the first look on, so that
 * everything is about the one process that had the number then.
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cli.h"
#include "client.h"
#include "finish.h"
#include "launch.h"
#include "util/err.h"
#include "util/io.h"

#define MAX_WORDS 4096

struct attach {
	const char *dir, *socket;
	bool all, force, quiet;
	unsigned depth, items, string, max_steps;
	uint64_t duration_ms;
	unsigned pid;

	int pidfd;
	char cmdline[65536]; /* of the process, zero-terminated words */
	char *words[MAX_WORDS + 1];
	struct output out;
	struct client client;
	double session;
	bool connected, ended, told_to_stop;
	char reason[32]; /* why it ended */
	struct err error; /* the recorder's first error; code 0: none */
};

static const char help[] =
	"usage: ctrec attach [OPTION…] PID\n"
	"\n"
	"Records the Python process PID, which runs already, until it ends, a limit is\n"
	"reached, or Ctrl-C. The program goes on.\n"
	"\n"
	"  -o, --out-dir DIR    where the trace goes (default: $CODETRACER_PYTHON_RECORDER_OUT_DIR\n"
	"                       or ./trace-out), as DIR/<script's name>.PID.ct\n"
	"      --duration TIME  end the recording after 500ms, 2s, 1m (a number alone: seconds)\n"
	"      --detach-after TIME   the same\n"
	"      --max-steps N    end the recording after N lines\n"
	"      --all            also record the standard library\n"
	"      --force          overwrite an existing trace\n"
	"      --max-depth N    levels of containers shown below a variable (default 3)\n"
	"      --max-items N    elements shown of a container (default 64)\n"
	"      --max-string N   bytes shown of a string (default 256)\n"
	"      --socket PATH    the daemon's socket (default: $CTREC_SOCKET or " CTREC_SOCKET_PATH ")\n"
	"  -q, --quiet          only errors are told\n"
	"  -h, --help           this text\n"
	"\n"
	"Without a daemon one is started for this recording, which takes root.\n";

enum { OPT_ALL = 256, OPT_FORCE, OPT_DEPTH, OPT_ITEMS, OPT_STRING, OPT_SOCKET, OPT_DURATION,
       OPT_AFTER, OPT_STEPS };

static const struct option options[] = {
	{ "out-dir", required_argument, NULL, 'o' },
	{ "duration", required_argument, NULL, OPT_DURATION },
	{ "detach-after", required_argument, NULL, OPT_AFTER },
	{ "max-steps", required_argument, NULL, OPT_STEPS },
	{ "all", no_argument, NULL, OPT_ALL },
	{ "force", no_argument, NULL, OPT_FORCE },
	{ "max-depth", required_argument, NULL, OPT_DEPTH },
	{ "max-items", required_argument, NULL, OPT_ITEMS },
	{ "max-string", required_argument, NULL, OPT_STRING },
	{ "socket", required_argument, NULL, OPT_SOCKET },
	{ "quiet", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

static int take_option(struct attach *a, int c)
{
	switch (c) {
	case 'o':
		a->dir = optarg;
		return *optarg ? 0 : err_set(ERR_USAGE, "--out-dir takes a directory");
	case 'q':
		a->quiet = true;
		return 0;
	case OPT_DURATION:
		return cli_parse_duration("--duration", optarg, &a->duration_ms);
	case OPT_AFTER:
		return cli_parse_duration("--detach-after", optarg, &a->duration_ms);
	case OPT_STEPS:
		return cli_parse_number("--max-steps", optarg, 1, UINT_MAX, &a->max_steps);
	case OPT_ALL:
		a->all = true;
		return 0;
	case OPT_FORCE:
		a->force = true;
		return 0;
	case OPT_DEPTH:
		return cli_parse_number("--max-depth", optarg, 0, CTREC_MAX_DEPTH, &a->depth);
	case OPT_ITEMS:
		return cli_parse_number("--max-items", optarg, 0, CTREC_MAX_ITEMS, &a->items);
	case OPT_STRING:
		return cli_parse_number("--max-string", optarg, 0, CTREC_MAX_STRING, &a->string);
	case OPT_SOCKET:
		a->socket = optarg;
		return 0;
	}
	err_set(ERR_USAGE, "an unknown option, or one without its value");
	return err_hint("see 'ctrec attach --help'");
}

/* 0; 1: help was shown; -code. */
static int parse(struct attach *a, int argc, char **argv)
{
	int c, rc;

	a->dir = getenv("CODETRACER_PYTHON_RECORDER_OUT_DIR");
	if (!a->dir || !*a->dir)
		a->dir = "./trace-out";
	a->depth = CTREC_DEFAULT_DEPTH;
	a->items = CTREC_DEFAULT_ITEMS;
	a->string = CTREC_DEFAULT_STRING;
	optind = 0;
	opterr = 0;
	while ((c = getopt_long(argc, argv, "o:qh", options, NULL)) != -1) {
		if (c == 'h') {
			fputs(help, stdout);
			return 1;
		}
		rc = take_option(a, c);
		if (rc < 0)
			return rc;
	}
	if (optind + 1 != argc) {
		err_set(ERR_USAGE, "it takes one process id");
		return err_hint("ctrec attach PID; 'pgrep -a python' shows which there are");
	}
	return cli_parse_number("ctrec attach", argv[optind], 1, INT_MAX, &a->pid);
}

/* Its command line as words, argv[0] its program where it shows none. */
static void read_words(struct attach *a, const char *exe)
{
	char path[64];
	ssize_t n;
	unsigned words = 0;

	snprintf(path, sizeof(path), "/proc/%u/cmdline", a->pid);
	n = io_read_file(path, a->cmdline, sizeof(a->cmdline));
	for (ssize_t i = 0; i < n && words < MAX_WORDS; i += strlen(a->cmdline + i) + 1)
		a->words[words++] = a->cmdline + i;
	if (!words) {
		snprintf(a->cmdline, sizeof(a->cmdline), "%s", exe);
		a->words[words++] = a->cmdline;
	}
	a->words[words] = NULL;
}

static void read_link(const struct attach *a, const char *name, char to[PATH_MAX])
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%u/%s", a->pid, name);
	n = readlink(path, to, PATH_MAX - 1);
	to[n < 0 ? 0 : n] = 0;
}

static int ask_attach(struct attach *a)
{
	cJSON *q = client_request(CTREC_VERB_ATTACH), *limits, *answer;
	int fds[CTREC_FDS_START] = { a->out.journal_fd, a->pidfd };
	char cwd[PATH_MAX];
	int rc;

	read_link(a, "cwd", cwd);
	cJSON_AddStringToObject(q, "program", a->words[0]);
	cJSON_AddItemToObject(q, "args", client_arguments(a->words + 1));
	cJSON_AddStringToObject(q, "workdir", cwd[0] ? cwd : "/");
	cJSON_AddStringToObject(q, "trace", a->out.path);
	cJSON_AddBoolToObject(q, "all", a->all);
	cJSON_AddNumberToObject(q, "duration_ms", a->duration_ms);
	cJSON_AddNumberToObject(q, "max_steps", a->max_steps);
	limits = cJSON_AddObjectToObject(q, "limits");
	cJSON_AddNumberToObject(limits, "depth", a->depth);
	cJSON_AddNumberToObject(limits, "items", a->items);
	cJSON_AddNumberToObject(limits, "string", a->string);
	rc = client_ask(&a->client, q, fds, CTREC_FDS_START, &answer);
	if (rc < 0)
		return rc;
	a->session = cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(answer, "session"));
	cJSON_Delete(answer);
	return 0;
}

/* Up to a recording that runs. */
static int begin(struct attach *a)
{
	char exe[PATH_MAX], stem[256], name[300];
	int rc;

	a->pidfd = io_pidfd_open(a->pid);
	if (a->pidfd < 0)
		return err_set(ERR_NO_PROCESS, "%u: %m", a->pid);
	read_link(a, "exe", exe);
	read_words(a, exe);
	launch_name(a->words, exe[0] ? exe : a->words[0], stem, sizeof(stem));
	snprintf(name, sizeof(name), "%s.%u", stem, a->pid);
	rc = client_connect_or_start(&a->client, a->socket);
	a->connected = rc == 0;
	if (rc == 0)
		rc = output_open(&a->out, a->dir, name, a->force, NULL);
	return rc < 0 ? rc : ask_attach(a);
}

static void keep_error(struct attach *a)
{
	if (!a->error.code)
		a->error = *err_last();
}

static void ask_stop(struct attach *a)
{
	cJSON *q;

	if (a->told_to_stop)
		return;
	q = client_request(CTREC_VERB_STOP);
	cJSON_AddNumberToObject(q, "session", a->session);
	if (wire_send(&a->client.wire, q, NULL, 0) < 0)
		keep_error(a);
	a->told_to_stop = true;
}

/* Takes every message that has arrived; those that are no event are answers. */
static void on_messages(struct attach *a)
{
	cJSON *m;
	int rc;

	while ((rc = wire_next(&a->client.wire, &m)) > 0) {
		const cJSON *error = cJSON_GetObjectItemCaseSensitive(m, "error");
		const char *reason = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(m, "reason"));

		if (cJSON_GetObjectItemCaseSensitive(m, "event")) {
			a->ended = true;
			snprintf(a->reason, sizeof(a->reason), "%s", reason ? reason : "");
			if (error) {
				wire_take_error(error);
				keep_error(a);
			}
		}
		cJSON_Delete(m);
	}
	if (rc < 0) {
		keep_error(a);
		a->ended = true;
	}
}

static void on_socket(struct attach *a)
{
	int rc = wire_read(&a->client.wire);

	if (rc > 0)
		return;
	if (a->client.wire.eof)
		rc = err_set(ERR_DAEMON, "ctrecd ended before the recording did");
	if (rc < 0) {
		keep_error(a);
		a->ended = true;
	}
}

static int signals_fd(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void wait_for_end(struct attach *a, int signals)
{
	struct signalfd_siginfo si;

	for (on_messages(a); !a->ended; on_messages(a)) {
		struct pollfd p[] = { { .fd = signals, .events = POLLIN },
				      { .fd = a->client.wire.fd, .events = POLLIN } };

		if (poll(p, 2, -1) < 0 && errno != EINTR)
			break;
		while (read(signals, &si, sizeof(si)) == sizeof(si))
			ask_stop(a);
		if (p[1].revents)
			on_socket(a);
	}
}

/* What the user did not do himself. */
static void tell_end(const struct attach *a)
{
	static const struct {
		const char *reason, *text;
	} ends[] = {
		{ CTREC_REASON_EXIT, "has ended" },
		{ CTREC_REASON_SIGNAL, "was ended by a signal" },
		{ CTREC_REASON_EXEC, "has become another program" },
	};

	for (unsigned i = 0; i < sizeof(ends) / sizeof(*ends) && !a->quiet; i++)
		if (!strcmp(a->reason, ends[i].reason))
			fprintf(stderr, "ctrec: process %u %s\n", a->pid, ends[i].text);
}

static int record(struct attach *a, int signals)
{
	int rc;

	if (!a->quiet)
		fprintf(stderr, "ctrec: recording process %u; %s\n", a->pid,
			a->duration_ms || a->max_steps ? "Ctrl-C ends that earlier" : "Ctrl-C ends that");
	wait_for_end(a, signals);
	tell_end(a);
	rc = finish_trace(&a->out, NULL, a->words[0], !a->quiet);
	if (rc < 0)
		keep_error(a);
	if (!a->error.code)
		return 0;
	err_set(a->error.code, "%s", a->error.context);
	if (a->error.hint[0])
		err_hint("%s", a->error.hint);
	return cli_fail(-(int)a->error.code);
}

int cmd_attach(int argc, char **argv)
{
	static struct attach a = { .pidfd = -1,
				   .out = { .dir_fd = -1, .journal_fd = -1, .trace_fd = -1 } };
	int signals, rc = parse(&a, argc, argv);

	if (rc == 1)
		return 0;
	if (rc < 0)
		return cli_fail(rc);
	/* from here on they end the recording, not us */
	signals = signals_fd();
	rc = begin(&a);
	if (rc < 0) {
		output_discard(&a.out);
		rc = cli_fail(rc);
	} else {
		rc = record(&a, signals);
	}
	if (a.connected)
		client_close(&a.client);
	output_deinit(&a.out);
	io_close(&a.pidfd);
	io_close(&signals);
	return rc;
}
