/* SPDX-License-Identifier: MIT */
/*
 * launch.h: the program to record: where it is, what its trace is called, and a
 * child that becomes it at a word.
 *
 * The child is forked before ctrec changes anything of itself, so that signals,
 * mask, terminal, process group, environment and descriptors are those the
 * program would have had without ctrec. All descriptors of ours are close-on-exec.
 */
#ifndef CLI_LAUNCH_H
#define CLI_LAUNCH_H

#include <pwd.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct launch {
	pid_t pid;
	int pidfd;
	int go_fd;   /* a byte sends it on; closed without one it ends */
	int fail_fd; /* gives the errno of an exec that failed, or nothing */
};

/* As execvp would find it. -ERR_NO_PROGRAM, -ERR_NOT_EXECUTABLE. */
int launch_find(const char *program, char *path, size_t cap);

/* Forks the waiting child. user: whom it becomes, NULL: nobody else. */
int launch_fork(struct launch *l, const char *path, char *const *argv, const struct passwd *user);
/* 0: it is the program now; -ERR_NO_PROGRAM, -ERR_NOT_EXECUTABLE. Only after
 * the process may exec (a recorder may hold it there, which does not matter here). */
int launch_go(struct launch *l);
/* Ends a child that was not sent on, and frees descriptors. */
void launch_deinit(struct launch *l);

/* launch_name.c: the trace's name without ".ct": the script's stem, a module's
 * last component, "python-c", "stdin", or the program's name. path: argv[0]'s file. */
void launch_name(char *const *argv, const char *path, char *to, size_t cap);

#endif
