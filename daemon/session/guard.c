/* SPDX-License-Identifier: MIT */
#include "session/guard.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/err.h"
#include "util/io.h"
#include "util/log.h"

struct guard {
	int fd;
	pid_t pid;
};

struct note {
	pid_t pid; /* negative: forget it */
};

#define MAX_GUARDED 8192
static struct { pid_t pid; int fd; } guarded[MAX_GUARDED];
static unsigned nguarded;

static void forget(pid_t pid)
{
	for (unsigned i = 0; i < nguarded; i++) {
		if (guarded[i].pid != pid)
			continue;
		close(guarded[i].fd);
		guarded[i] = guarded[--nguarded];
		return;
	}
}

/* A process that is gone needs no guard; looked for only when room is needed. */
static void forget_dead(void)
{
	for (unsigned i = nguarded; i-- > 0;)
		if (io_pidfd_signal(guarded[i].fd, 0) < 0 && errno == ESRCH)
			forget(guarded[i].pid);
}

static void take_note(struct msghdr *m, const struct note *note)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(m);
	int fd = -1;

	if (c && c->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	if (note->pid < 0) {
		forget(-note->pid);
		return;
	}
	if (nguarded == MAX_GUARDED)
		forget_dead();
	if (fd < 0 || nguarded == MAX_GUARDED) {
		io_close(&fd);
		return;
	}
	guarded[nguarded].pid = note->pid;
	guarded[nguarded++].fd = fd;
}

static _Noreturn void guard_main(int fd)
{
	for (;;) {
		char control[CMSG_SPACE(sizeof(int))];
		struct note note;
		struct iovec iov = { &note, sizeof(note) };
		struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
				    .msg_controllen = sizeof(control) };
		ssize_t n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);

		if (n < 0 && errno == EINTR)
			continue;
		if (n != sizeof(note))
			break;
		take_note(&m, &note);
	}
	/* Probes die with the daemon's last descriptor, a little after its
	 * socket: a stop may still come, so more than one round. */
	for (unsigned round = 0; round < 4 && nguarded; round++) {
		for (unsigned i = 0; i < nguarded; i++)
			io_pidfd_signal(guarded[i].fd, SIGCONT);
		poll(NULL, 0, 50 << round);
	}
	_exit(0);
}

int guard_new(struct guard **ret)
{
	struct guard *g = calloc(1, sizeof(*g));
	int fds[2];

	if (!g)
		return err_set(ERR_NOMEM, "the watchdog");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0) {
		free(g);
		return err_set(ERR_UNKNOWN, "socketpair: %m");
	}
	g->pid = fork();
	if (g->pid < 0) {
		err_set(ERR_UNKNOWN, "fork: %m");
		close(fds[0]);
		close(fds[1]);
		free(g);
		return -ERR_UNKNOWN;
	}
	if (g->pid == 0) {
		static const int deaf_to[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE };

		setsid();
		prctl(PR_SET_NAME, "ctrecd-guard");
		for (unsigned i = 0; i < sizeof(deaf_to) / sizeof(*deaf_to); i++)
			signal(deaf_to[i], SIG_IGN);
		dup2(fds[1], 0);
		syscall(SYS_close_range, 1u, ~0u, 0u);
		guard_main(0);
	}
	close(fds[1]);
	g->fd = fds[0];
	*ret = g;
	return 0;
}

struct guard *guard_free(struct guard *g)
{
	if (!g)
		return NULL;
	close(g->fd);
	waitpid(g->pid, NULL, 0);
	free(g);
	return NULL;
}

void guard_add(struct guard *g, pid_t pid, int pidfd)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct note note = { pid };
	struct iovec iov = { &note, sizeof(note) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &pidfd, sizeof(pidfd));
	if (sendmsg(g->fd, &m, MSG_NOSIGNAL) < 0)
		log_line(LOG_WARNING, "the watchdog does not know process %d: %m", pid);
}

void guard_remove(struct guard *g, pid_t pid)
{
	struct note note = { -pid };

	if (send(g->fd, &note, sizeof(note), MSG_NOSIGNAL) < 0)
		log_line(LOG_WARNING, "the watchdog keeps process %d: %m", pid);
}
