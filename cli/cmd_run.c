/* SPDX-License-Identifier: MIT */
/*
 * cmd_run.c: `ctrec run`: a program started, recorded and its trace written.
 *
 * The program is a child of this process and otherwise what it would have been
 * without it. Whatever becomes of the recording, the program runs to its end,
 * and its status is ours unless the recorder failed.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli.h"
#include "client.h"
#include "finish.h"
#include "launch.h"
#include "output.h"
#include "util/err.h"
#include "util/io.h"

struct run {
	const char *dir, *socket, *probe;
	struct passwd user;
	bool has_user, all, force, quiet;
	unsigned depth, items, string;
	char *const *argv; /* the program's */

	char path[4096];
	struct output out;
	struct launch launch;
	struct client client;
	double session; /* its number */
	bool connected, recorded, ended, told_to_stop;
	int status; /* of the program, as wait(2) gives it; -1: still running */
	struct err error; /* the recorder's first error; code 0: none */
};

static const char help[] =
	"usage: ctrec run [OPTION…] [--] PROGRAM [ARGUMENT…]\n"
	"\n"
	"Runs PROGRAM, which is a Python or becomes one, and records each line it executes.\n"
	"\n"
	"  -o, --out-dir DIR    where the trace goes (default: $CODETRACER_PYTHON_RECORDER_OUT_DIR\n"
	"                       or ./trace-out), as DIR/<script's name>.ct\n"
	"  -u, --user USER      run the program as USER, who is also given the trace\n"
	"      --all            also record the standard library and the interpreter's start-up\n"
	"      --force          overwrite an existing trace\n"
	"      --max-depth N    levels of containers shown below a variable (default 3)\n"
	"      --max-items N    elements shown of a container (default 64)\n"
	"      --max-string N   bytes shown of a string (default 256)\n"
	"      --probe KIND     auto (default), usdt or page\n"
	"      --socket PATH    the daemon's socket (default: $CTREC_SOCKET or " CTREC_SOCKET_PATH ")\n"
	"  -q, --quiet          no line about the trace at the end\n"
	"  -h, --help           this text\n"
	"\n"
	"Without a daemon one is started for this recording, which takes root:\n"
	"  sudo ctrec run -u \"$USER\" -- python3 script.py\n";

static int set_user(struct run *r, const char *name)
{
	const struct passwd *p = getpwnam(name);

	if (!p)
		return err_set(ERR_USAGE, "there is no user '%.60s'", name);
	if (geteuid() != 0 && geteuid() != p->pw_uid)
		return err_set(ERR_NO_PRIVILEGE, "running a program as %s takes root", name);
	/* As oneself nothing needs to change, and only root could. */
	r->user = *p;
	r->has_user = geteuid() == 0;
	return 0;
}

static int set_probe(struct run *r, const char *kind)
{
	if (strcmp(kind, "auto") && strcmp(kind, "usdt") && strcmp(kind, "page"))
		return err_set(ERR_USAGE, "--probe takes auto, usdt or page, not '%.40s'", kind);
	r->probe = kind;
	return 0;
}

enum { OPT_ALL = 256, OPT_FORCE, OPT_DEPTH, OPT_ITEMS, OPT_STRING, OPT_PROBE, OPT_SOCKET };

static const struct option options[] = {
	{ "out-dir", required_argument, NULL, 'o' },
	{ "user", required_argument, NULL, 'u' },
	{ "all", no_argument, NULL, OPT_ALL },
	{ "force", no_argument, NULL, OPT_FORCE },
	{ "max-depth", required_argument, NULL, OPT_DEPTH },
	{ "max-items", required_argument, NULL, OPT_ITEMS },
	{ "max-string", required_argument, NULL, OPT_STRING },
	{ "probe", required_argument, NULL, OPT_PROBE },
	{ "socket", required_argument, NULL, OPT_SOCKET },
	{ "quiet", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

static int take_option(struct run *r, int c)
{
	switch (c) {
	case 'o':
		r->dir = optarg;
		return *optarg ? 0 : err_set(ERR_USAGE, "--out-dir takes a directory");
	case 'u':
		return set_user(r, optarg);
	case 'q':
		r->quiet = true;
		return 0;
	case OPT_ALL:
		r->all = true;
		return 0;
	case OPT_FORCE:
		r->force = true;
		return 0;
	case OPT_DEPTH:
		return cli_parse_number("--max-depth", optarg, 0, CTREC_MAX_DEPTH, &r->depth);
	case OPT_ITEMS:
		return cli_parse_number("--max-items", optarg, 0, CTREC_MAX_ITEMS, &r->items);
	case OPT_STRING:
		return cli_parse_number("--max-string", optarg, 0, CTREC_MAX_STRING, &r->string);
	case OPT_PROBE:
		return set_probe(r, optarg);
	case OPT_SOCKET:
		r->socket = optarg;
		return 0;
	}
	err_set(ERR_USAGE, "an unknown option, or one without its value");
	return err_hint("see 'ctrec run --help'");
}

/* 0; 1: help was shown; -code. */
static int parse(struct run *r, int argc, char **argv)
{
	int c, rc;

	r->dir = getenv("CODETRACER_PYTHON_RECORDER_OUT_DIR");
	if (!r->dir || !*r->dir)
		r->dir = "./trace-out";
	r->depth = CTREC_DEFAULT_DEPTH;
	r->items = CTREC_DEFAULT_ITEMS;
	r->string = CTREC_DEFAULT_STRING;
	r->probe = "auto";
	optind = 0;
	opterr = 0;
	while ((c = getopt_long(argc, argv, "+o:u:qh", options, NULL)) != -1) {
		if (c == 'h') {
			fputs(help, stdout);
			return 1;
		}
		rc = take_option(r, c);
		if (rc < 0)
			return rc;
	}
	if (optind == argc) {
		err_set(ERR_USAGE, "no program is named");
		return err_hint("ctrec run -- python3 script.py");
	}
	r->argv = argv + optind;
	return launch_find(r->argv[0], r->path, sizeof(r->path));
}

static void keep_error(struct run *r)
{
	if (!r->error.code)
		r->error = *err_last();
}

static int ask_start(struct run *r)
{
	cJSON *q = client_request(CTREC_VERB_START), *limits, *answer;
	int fds[CTREC_FDS_START] = { r->out.journal_fd, r->launch.pidfd };
	char cwd[4096];
	int rc;

	if (!getcwd(cwd, sizeof(cwd)))
		strcpy(cwd, "/");
	cJSON_AddStringToObject(q, "program", r->argv[0]);
	cJSON_AddItemToObject(q, "args", client_arguments(r->argv + 1));
	cJSON_AddStringToObject(q, "workdir", cwd);
	cJSON_AddStringToObject(q, "trace", r->out.path);
	cJSON_AddStringToObject(q, "probe", r->probe);
	cJSON_AddBoolToObject(q, "all", r->all);
	limits = cJSON_AddObjectToObject(q, "limits");
	cJSON_AddNumberToObject(limits, "depth", r->depth);
	cJSON_AddNumberToObject(limits, "items", r->items);
	cJSON_AddNumberToObject(limits, "string", r->string);
	rc = client_ask(&r->client, q, fds, CTREC_FDS_START, &answer);
	if (rc < 0)
		return rc;
	r->session = cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(answer, "session"));
	cJSON_Delete(answer);
	return 0;
}

/* The program has ended, but what it started goes on being recorded: a signal
 * that would end us ends the recording. The answer is of no interest. */
static void ask_stop(struct run *r)
{
	cJSON *q = client_request(CTREC_VERB_STOP);

	cJSON_AddNumberToObject(q, "session", r->session);
	if (!r->told_to_stop && wire_send(&r->client.wire, q, NULL, 0) < 0)
		keep_error(r);
	else if (r->told_to_stop)
		cJSON_Delete(q);
	r->told_to_stop = true;
}

/* Signals as descriptors: the terminal's are the program's affair, what asks us
 * to end is passed on to it. */
static int signals_fd(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGQUIT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Its status, leaving it to be seen by the daemon, which may know no other way. */
static void look_at_program(struct run *r)
{
	siginfo_t si = { 0 };

	if (r->status >= 0 ||
	    waitid(P_PID, r->launch.pid, &si, WEXITED | WNOHANG | WNOWAIT) < 0 || !si.si_pid)
		return;
	r->status = si.si_code == CLD_EXITED ? si.si_status << 8 :
					       si.si_status | (si.si_code == CLD_DUMPED ? 0x80 : 0);
}

static void on_signal(struct run *r, int fd)
{
	struct signalfd_siginfo si;

	while (read(fd, &si, sizeof(si)) == sizeof(si)) {
		/* From the terminal the program has had it as well. */
		bool ours = si.ssi_signo != SIGCHLD &&
			    !(si.ssi_code == SI_KERNEL &&
			      (si.ssi_signo == SIGINT || si.ssi_signo == SIGQUIT));

		if (ours && r->status < 0)
			io_pidfd_signal(r->launch.pidfd, si.ssi_signo);
		else if (si.ssi_signo != SIGCHLD && r->status >= 0 && !r->ended)
			ask_stop(r);
	}
	look_at_program(r);
}

/* Takes every message that has arrived; messages that are no event are answers. */
static void on_messages(struct run *r)
{
	cJSON *m;
	int rc;

	while ((rc = wire_next(&r->client.wire, &m)) > 0) {
		const cJSON *error = cJSON_GetObjectItemCaseSensitive(m, "error");

		if (cJSON_GetObjectItemCaseSensitive(m, "event")) {
			r->ended = true;
			r->recorded = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(m, "recorded"));
			if (error) {
				wire_take_error(error);
				keep_error(r);
			}
		}
		cJSON_Delete(m);
	}
	if (rc < 0) {
		keep_error(r);
		r->ended = true;
	}
}

static void on_socket(struct run *r)
{
	int rc = wire_read(&r->client.wire);

	if (rc > 0)
		return;
	if (r->client.wire.eof)
		rc = err_set(ERR_DAEMON, "ctrecd ended before the recording did");
	if (rc < 0) {
		keep_error(r);
		r->ended = true;
	}
}

/* Until the program has ended and its journal is complete. */
static void wait_for_both(struct run *r, int signals)
{
	/* before the first poll as well: one may have come with the answer to the start */
	for (on_messages(r); r->status < 0 || !r->ended; on_messages(r)) {
		struct pollfd p[] = { { .fd = signals, .events = POLLIN },
				      { .fd = r->ended ? -1 : r->client.wire.fd, .events = POLLIN } };

		if (poll(p, 2, -1) < 0 && errno != EINTR)
			break;
		on_signal(r, signals);
		if (p[1].revents)
			on_socket(r);
	}
}

static int exit_status(const struct run *r)
{
	if (WIFSIGNALED(r->status))
		return 128 + WTERMSIG(r->status);
	return WEXITSTATUS(r->status);
}

static void warn_root(const struct run *r)
{
	const char *user = getenv("SUDO_USER");

	if (geteuid() == 0 && user && *user && strcmp(user, "root") && !r->has_user && !r->quiet)
		fprintf(stderr, "ctrec: note: the program runs as root; 'ctrec run -u %s' runs it as you\n",
			user);
}

/* Everything up to the waiting child and a ready recorder. */
static int prepare(struct run *r)
{
	const struct passwd *user = r->has_user ? &r->user : NULL;
	char stem[256];
	int rc;

	launch_name(r->argv, r->path, stem, sizeof(stem));
	rc = output_open(&r->out, r->dir, stem, r->force, user);
	if (rc == 0)
		rc = launch_fork(&r->launch, r->path, r->argv, user);
	if (rc == 0)
		rc = client_connect_or_start(&r->client, r->socket);
	r->connected = rc == 0;
	if (rc == 0)
		rc = ask_start(r);
	return rc;
}

static int record(struct run *r)
{
	int signals, rc = launch_go(&r->launch);

	if (rc < 0) {
		output_discard(&r->out);
		return cli_fail(rc);
	}
	signals = signals_fd();
	wait_for_both(r, signals);
	io_close(&signals);
	client_close(&r->client);
	if (r->recorded || r->error.code == ERR_DAEMON) {
		rc = finish_trace(&r->out, r->has_user ? &r->user : NULL, r->argv[0], !r->quiet);
		if (rc < 0)
			keep_error(r);
	} else {
		output_discard(&r->out);
		err_set(ERR_NOT_PYTHON, "%s", r->path);
		keep_error(r);
	}
	if (!r->error.code)
		return exit_status(r);
	err_set(r->error.code, "%s", r->error.context);
	if (r->error.hint[0])
		err_hint("%s", r->error.hint);
	return cli_fail(-(int)r->error.code);
}

int cmd_run(int argc, char **argv)
{
	struct run r = { .launch = { .pidfd = -1, .go_fd = -1, .fail_fd = -1 },
			 .out = { .dir_fd = -1, .journal_fd = -1, .trace_fd = -1 },
			 .status = -1 };
	int rc = parse(&r, argc, argv);

	if (rc == 1)
		return 0;
	if (rc < 0)
		return cli_fail(rc);
	warn_root(&r);
	rc = prepare(&r);
	if (rc < 0) {
		output_discard(&r.out);
		rc = cli_fail(rc);
	} else {
		rc = record(&r);
	}
	/* a daemon of our own ends by itself: taking its probes off takes a while */
	if (r.connected)
		client_close(&r.client);
	if (r.status >= 0)
		waitpid(r.launch.pid, NULL, 0);
	launch_deinit(&r.launch);
	output_deinit(&r.out);
	return rc;
}
