/* SPDX-License-Identifier: MIT */
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/err.h"
#include "util/io.h"

/* 0, or the errno execve would give. Root needs one x bit as well: access() says so. */
static int executable(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return errno;
	if (!S_ISREG(st.st_mode))
		return EACCES;
	return access(path, X_OK) < 0 ? errno : 0;
}

static int not_found(const char *program, int why)
{
	if (why == ENOENT || why == ENOTDIR)
		return err_set(ERR_NO_PROGRAM, "%s", program);
	errno = why;
	return err_set(ERR_NOT_EXECUTABLE, "%s: %m", program);
}

int launch_find(const char *program, char *path, size_t cap)
{
	const char *at = getenv("PATH");
	int why, seen = ENOENT;

	if (!*program)
		return err_set(ERR_NO_PROGRAM, "an empty name");
	if (strchr(program, '/')) {
		why = executable(program);
		if (why)
			return not_found(program, why);
		if (snprintf(path, cap, "%s", program) >= (int)cap)
			return not_found(program, ENAMETOOLONG);
		return 0;
	}
	if (!at)
		at = "/bin:/usr/bin";
	for (;;) {
		size_t n = strcspn(at, ":");

		if (snprintf(path, cap, "%.*s/%s", n ? (int)n : 1, n ? at : ".", program) < (int)cap) {
			why = executable(path);
			if (!why)
				return 0;
			if (why != ENOENT && why != ENOTDIR)
				seen = why;
		}
		if (!at[n])
			return not_found(program, seen);
		at += n + 1;
	}
}

/* What `sudo -u` does: ids, groups and the variables that name the user. */
static int become_user(const struct passwd *user)
{
	if (setgid(user->pw_gid) < 0 || initgroups(user->pw_name, user->pw_gid) < 0 ||
	    setuid(user->pw_uid) < 0)
		return -1;
	setenv("HOME", user->pw_dir, 1);
	setenv("USER", user->pw_name, 1);
	setenv("LOGNAME", user->pw_name, 1);
	setenv("SHELL", user->pw_shell, 1);
	return 0;
}

static _Noreturn void child(int go, int fail, const char *path, char *const *argv,
			    const struct passwd *user)
{
	char byte;
	ssize_t n;

	if (user && become_user(user) < 0) {
		n = write(fail, &errno, sizeof(errno));
		_exit(126);
	}
	do
		n = read(go, &byte, 1);
	while (n < 0 && errno == EINTR);
	if (n != 1)
		_exit(125);
	execvp(path, argv); /* not execv: a script without #! is the shell's, as ever */
	n = write(fail, &errno, sizeof(errno));
	(void)n;
	_exit(errno == ENOENT ? 127 : 126);
}

int launch_fork(struct launch *l, const char *path, char *const *argv, const struct passwd *user)
{
	int go[2], fail[2];

	*l = (struct launch){ .pidfd = -1, .go_fd = -1, .fail_fd = -1 };
	if (pipe2(go, O_CLOEXEC) < 0)
		return err_set(ERR_UNKNOWN, "pipe: %m");
	if (pipe2(fail, O_CLOEXEC) < 0) {
		close(go[0]);
		close(go[1]);
		return err_set(ERR_UNKNOWN, "pipe: %m");
	}
	l->pid = fork();
	if (l->pid == 0) {
		close(go[1]);
		close(fail[0]);
		child(go[0], fail[1], path, argv, user);
	}
	close(go[0]);
	close(fail[1]);
	l->go_fd = go[1];
	l->fail_fd = fail[0];
	if (l->pid < 0)
		return err_set(ERR_BUSY, "fork: %m");
	/* Inherited as ignored, it would reap the child before we could. */
	signal(SIGCHLD, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	l->pidfd = io_pidfd_open(l->pid);
	return l->pidfd < 0 ? err_set(ERR_UNKNOWN, "pidfd_open: %m") : 0;
}

int launch_go(struct launch *l)
{
	int why = 0;
	ssize_t n = write(l->go_fd, "", 1);

	io_close(&l->go_fd);
	if (n != 1)
		return err_set(ERR_TARGET_GONE, "it was killed before its exec");
	/* The pipe closes at the exec, or with the child. */
	do
		n = read(l->fail_fd, &why, sizeof(why));
	while (n < 0 && errno == EINTR);
	io_close(&l->fail_fd);
	if (n != sizeof(why))
		return 0;
	errno = why;
	if (why == ENOENT)
		return err_set(ERR_NO_PROGRAM, "its interpreter (the #! line) does not exist");
	return err_set(ERR_NOT_EXECUTABLE, "exec: %m");
}

void launch_deinit(struct launch *l)
{
	bool waits = l->go_fd >= 0;

	io_close(&l->go_fd);
	io_close(&l->fail_fd);
	io_close(&l->pidfd);
	if (waits && l->pid > 0)
		waitpid(l->pid, NULL, 0);
}
