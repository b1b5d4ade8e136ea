/* SPDX-License-Identifier: MIT */
/*
 * inject_tool.c: the engine by hand: inject_tool BLOB PID, or inject_tool BLOB PIPE run PROGRAM ARGS...
 *
 * run: the program is started, mapped and armed at Py_RunMain; what was counted goes to the
 * file PIPE as JSON when it has ended, and its exit status is ours.
 *
 * With a PID it reads commands from stdin, one a line, and answers each with one line of JSON:
 *
 *	map | arm | disarm | armed | unarmed | wait | unwait | code ADDRESS | counts | zero | stats
 *	cycle N     N times arm and disarm
 *	quit
 *
 * An error is {"error": "ERR_…", "context": "…", "hint": "…"}.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "inject_blob.h"
#include "page/fault.h"
#include "page/inject.h"
#include "page/launch.h"
#include "python/resolve.h"
#include "util/err.h"
#include "util/io.h"

#define WAIT_NS 10000000000ull

struct tool {
	struct target *t;
	struct python_info info;
	struct ctrec_layout l;
	struct page *p;
	void *text;
	size_t size;
};

static void put_text(const char *s)
{
	putchar('"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			putchar('\\');
		putchar((unsigned char)*s < ' ' ? ' ' : *s);
	}
	putchar('"');
}

static int failed(void)
{
	const struct err *e = err_last();

	printf("{\"error\": \"%s\", \"context\": ", err_name(e->code));
	put_text(e->context);
	printf(", \"hint\": ");
	put_text(e->hint);
	printf("}\n");
	return -1;
}

static void answer(int r)
{
	if (r < 0)
		failed();
	else
		printf("{\"ok\": %d}\n", r);
}

static int read_blob(struct tool *x, const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(ERR_IO, "%s: %m", path);
	x->size = st.st_size;
	x->text = malloc(x->size);
	if (!x->text || read(fd, x->text, x->size) != (ssize_t)x->size)
		return err_set(ERR_IO, "%s: %m", path);
	close(fd);
	return 0;
}

static int open_target(struct tool *x, pid_t pid)
{
	int r = target_open(&x->t, pid);

	if (r == 0)
		r = python_find(x->t, &x->info);
	if (r == 0)
		return err_set(ERR_NOT_PYTHON, "process %d", (int)pid);
	if (r > 0)
		r = python_layout_live(x->t, &x->info, &x->l);
	if (r == 0)
		r = page_new(&x->p, x->t, &x->info, &x->l, x->text, x->size, sizeof(struct blob_data));
	return r;
}

static int map(struct tool *x, struct tracee *stopped)
{
	int r = page_map(x->p, stopped);
	struct blob_data *d = page_data(x->p);

	if (r < 0)
		return r;
	d->l.frameobj_frame = x->l.frameobj_frame;
	d->l.frame_code = x->l.frame_code;
	__atomic_store_n(&d->on, 1, __ATOMIC_RELEASE);
	return r;
}

static void put_counts(const struct tool *x, const ev_u64 *of)
{
	static const char *const traced[] = { "call", "exception", "line", "return" };
	static const char *const monitored[PAGE_EVENTS] = {
		"line", "jump", "start", "resume", "throw", "py_return", "yield", "unwind", "raise", "stop",
	};
	int old = x->l.python < (3 << 8 | 12), n = old ? 4 : PAGE_EVENTS;

	for (int i = 0; i < n; i++)
		printf("%s\"%s\": %llu", i ? ", " : "{", old ? traced[i] : monitored[i],
		       (unsigned long long)of[i]);
	printf("}");
}

static void counts(struct tool *x)
{
	struct blob_data *d = page_data(x->p);

	if (!d) {
		printf("{}\n");
		return;
	}
	printf("{\"all\": ");
	put_counts(x, d->all);
	printf(", \"code\": ");
	put_counts(x, d->of_code);
	printf("}\n");
}

static void stats(struct tool *x)
{
	const struct page_stats *s = page_stats(x->p);

	printf("{\"stops\": %llu, \"last_us\": %.1f, \"max_us\": %.1f, \"total_us\": %.1f, \"retries\": %llu}\n",
	       (unsigned long long)s->stops, s->last_ns / 1e3, s->max_ns / 1e3, s->total_ns / 1e3,
	       (unsigned long long)s->retries);
}

/* Times of each stop too, as the median counts. */
static void cycle(struct tool *x, int n)
{
	int r = 0;

	printf("{\"us\": [");
	for (int i = 0; i < n && r >= 0; i++) {
		uint64_t arm;

		r = page_arm(x->p, NULL);
		arm = page_stats(x->p)->last_ns;
		if (r == 1)
			r = page_wait_armed(x->p, 1, WAIT_NS);
		if (r >= 0)
			r = page_disarm(x->p);
		printf("%s[%.1f, %.1f]", i ? ", " : "", arm / 1e3, page_stats(x->p)->last_ns / 1e3);
		if (r == 1)
			r = page_wait_armed(x->p, 0, WAIT_NS);
	}
	printf("], \"ok\": %d, \"why\": ", r);
	put_text(r < 0 ? err_last()->context : "");
	printf("}\n");
}

static int command(struct tool *x, char *line)
{
	struct blob_data *d = page_data(x->p);
	char *arg = strchr(line, ' ');

	if (arg)
		*arg++ = 0;
	if (strcmp(line, "map") == 0)
		answer(map(x, NULL));
	else if (strcmp(line, "arm") == 0)
		answer(page_arm(x->p, NULL));
	else if (strcmp(line, "disarm") == 0)
		answer(page_disarm(x->p));
	else if (strcmp(line, "armed") == 0)
		answer(page_armed(x->p));
	else if (strcmp(line, "unarmed") == 0)
		answer(page_unarmed(x->p));
	else if (strcmp(line, "wait") == 0)
		answer(page_wait_armed(x->p, 1, WAIT_NS));
	else if (strcmp(line, "unwait") == 0)
		answer(page_wait_armed(x->p, 0, WAIT_NS));
	else if (strcmp(line, "code") == 0 && arg && d)
		answer((d->code = strtoull(arg, NULL, 0), 0));
	else if (strcmp(line, "zero") == 0 && d)
		answer((memset(d->all, 0, sizeof(d->all) + sizeof(d->of_code)), 0));
	else if (strcmp(line, "counts") == 0)
		counts(x);
	else if (strcmp(line, "stats") == 0)
		stats(x);
	else if (strcmp(line, "cycle") == 0 && arg)
		cycle(x, atoi(arg));
	else if (strcmp(line, "quit") == 0)
		return 0;
	else
		printf("{\"error\": \"no such command\"}\n");
	return 1;
}

static void tidy(struct tool *x)
{
	page_free(x->p);
	python_info_deinit(&x->info);
	target_free(x->t);
	free(x->text);
}

/* At Py_RunMain: everything there and then. */
static int found(void *ctx, struct target *t, struct python_info *info, const struct ctrec_layout *layout,
		 struct tracee *stopped, bool *keep)
{
	struct tool *x = ctx;
	int r;

	x->t = t;
	x->info = *info;
	x->l = *layout;
	*keep = true;
	r = page_new(&x->p, t, info, layout, x->text, x->size, sizeof(struct blob_data));
	if (r == 0)
		r = map(x, stopped);
	if (r >= 0)
		r = page_arm(x->p, stopped);
	return r;
}

static pid_t start(char **argv, int *go)
{
	int pipe_fds[2];
	char byte;
	pid_t pid;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		close(pipe_fds[1]);
		if (read(pipe_fds[0], &byte, 1) == 1)
			execvp(argv[0], argv);
		_exit(127);
	}
	close(pipe_fds[0]);
	*go = pipe_fds[1];
	return pid;
}

static int run(struct tool *x, const char *report, char **argv)
{
	struct page_launch *l;
	int go, status = 0, r;
	pid_t pid = start(argv, &go);

	if (pid < 0 || page_launch_new(&l, pid) < 0)
		return failed(), 1;
	if (write(go, "", 1) != 1)
		return 1;
	while ((r = page_launch_step(l, 10000000, found, x)) == 0)
		;
	page_launch_free(l);
	fault_point("launched");
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!freopen(report, "w", stdout))
		return 1;
	if (r < 0) {
		failed();
	} else {
		struct blob_data *d = page_data(x->p);

		printf("{\"version\": %u, \"stop_us\": %.1f, \"counts\": ", x->l.python & 0xff,
		       page_stats(x->p)->max_ns / 1e3);
		put_counts(x, d->all);
		printf("}\n");
	}
	fflush(stdout);
	tidy(x);
	if (WIFSIGNALED(status)) {
		signal(WTERMSIG(status), SIG_DFL);
		raise(WTERMSIG(status));
	}
	return WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
	struct tool x = { .info.exe.fd = -1 };
	char line[256];

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 3) {
		fprintf(stderr, "inject_tool BLOB PID\n");
		return 2;
	}
	if (argc > 4 && strcmp(argv[3], "run") == 0)
		return read_blob(&x, argv[1]) < 0 ? 1 : run(&x, argv[2], argv + 4);
	if (read_blob(&x, argv[1]) < 0 || open_target(&x, atoi(argv[2])) < 0)
		return failed(), 1;
	printf("{\"ok\": 0}\n");
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = 0;
		if (!command(&x, line))
			break;
	}
	tidy(&x);
	return 0;
}
