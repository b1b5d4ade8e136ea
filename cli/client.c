/* SPDX-License-Identifier: MIT */
#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/err.h"
#include "util/io.h"

int client_connect(struct client *c, const char *socket_path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd;

	if (!socket_path)
		socket_path = getenv(CTREC_SOCKET_ENV);
	if (!socket_path || !*socket_path)
		socket_path = CTREC_SOCKET_PATH;
	if (strlen(socket_path) >= sizeof(a.sun_path))
		return err_set(ERR_USAGE, "the socket's path is too long: %.60s…", socket_path);
	strcpy(a.sun_path, socket_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0) {
		err_set(errno == EACCES ? ERR_NO_PRIVILEGE : ERR_DAEMON, "%s: %m", socket_path);
		io_close(&fd);
		return -(int)err_last()->code;
	}
	*c = (struct client){ 0 };
	wire_init(&c->wire, fd);
	return 0;
}

/* ctrecd beside this program, or where an installation puts it; "ctrecd": in PATH. */
static void find_daemon(char *to, size_t cap)
{
	static const char *const places[] = { "ctrecd", "../libexec/ctrecd",
					      "../libexec/ctrec/ctrecd", "../sbin/ctrecd" };
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n > 0) {
		self[n] = 0;
		*strrchr(self, '/') = 0;
		for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++)
			if (snprintf(to, cap, "%s/%s", self, places[i]) < (int)cap &&
			    access(to, X_OK) == 0)
				return;
	}
	snprintf(to, cap, "ctrecd");
}

/* In the child: a session of its own, so that the terminal's signals do not
 * reach it, and none of our descriptors, so that it keeps no pipe of the user's open. */
static _Noreturn void become_daemon(const char *path, int socket_fd)
{
	sigset_t none;
	int null;

	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	if (socket_fd != 3)
		dup2(socket_fd, 3);
	fcntl(3, F_SETFD, 0);
	syscall(SYS_close_range, 4u, ~0u, 0u);
	null = open("/dev/null", O_RDWR);
	dup2(null, 0);
	dup2(null, 1);
	if (!getenv("CTREC_DAEMON_LOG"))
		dup2(null, 2);
	close(null);
	execlp(path, "ctrecd", "--private", "3", (char *)NULL);
	_exit(127);
}

static int client_start(struct client *c)
{
	char path[8192];
	cJSON *answer;
	int fds[2], rc;

	find_daemon(path, sizeof(path));
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return err_set(ERR_DAEMON, "socketpair: %m");
	*c = (struct client){ 0 };
	c->own_daemon = fork();
	if (c->own_daemon == 0)
		become_daemon(path, fds[1]);
	close(fds[1]);
	wire_init(&c->wire, fds[0]);
	if (c->own_daemon < 0) {
		c->own_daemon = 0;
		rc = err_set(ERR_DAEMON, "fork: %m");
	} else {
		rc = client_ask(c, client_request(CTREC_VERB_HELLO), NULL, 0, &answer);
		if (rc == 0)
			cJSON_Delete(answer);
	}
	if (rc == -ERR_DAEMON) {
		err_set(ERR_DAEMON, "%s did not start", path);
		err_hint("ctrecd belongs beside ctrec, in ../libexec, ../sbin, or in PATH");
	}
	if (rc < 0) {
		client_close(c);
		client_wait(c);
	}
	return rc;
}

int client_connect_or_start(struct client *c, const char *socket_path)
{
	int rc = client_connect(c, socket_path);

	if (rc != -ERR_DAEMON || socket_path)
		return rc;
	/* without root it records by a probe page what the user may trace */
	return client_start(c);
}

void client_close(struct client *c)
{
	wire_deinit(&c->wire);
}

void client_wait(struct client *c)
{
	while (c->own_daemon && waitpid(c->own_daemon, NULL, 0) < 0 && errno == EINTR)
		;
	c->own_daemon = 0;
}

cJSON *client_request(const char *verb)
{
	cJSON *r = cJSON_CreateObject();

	cJSON_AddStringToObject(r, "verb", verb);
	return r;
}

cJSON *client_arguments(char *const *argv)
{
	cJSON *args = cJSON_CreateArray();
	size_t room = CTREC_MAX_MESSAGE / 2;

	for (; *argv && room; argv++) {
		char *text = strdup(*argv), *at = text;

		for (; at && *at && room > 6; at++)
			room -= (unsigned char)*at < 0x20 ? 6 : *at == '"' || *at == '\\' ? 2 : 1;
		room -= room > 6 ? 3 : room; /* quotes and a comma */
		while (at && *at && at > text && ((unsigned char)*at & 0xc0) == 0x80)
			at--; /* not inside a character */
		if (at && *at)
			strcpy(at, strlen(at) >= 3 ? "…" : "");
		cJSON_AddItemToArray(args, cJSON_CreateString(text ? text : ""));
		free(text);
	}
	return args;
}

/* Waits for one whole message. */
static int receive(struct client *c, cJSON **message)
{
	int rc;

	while ((rc = wire_next(&c->wire, message)) == 0) {
		rc = wire_read(&c->wire);
		if (rc < 0)
			return rc;
		if (c->wire.eof)
			return err_set(ERR_DAEMON, "it closed the connection");
	}
	return rc < 0 ? rc : 0;
}

int client_ask(struct client *c, cJSON *request, const int *fds, unsigned nfds, cJSON **answer)
{
	int rc = wire_send(&c->wire, request, fds, nfds);

	if (rc == 0)
		rc = receive(c, answer);
	if (rc < 0)
		return rc;
	if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(*answer, "ok")))
		return 0;
	rc = wire_take_error(cJSON_GetObjectItemCaseSensitive(*answer, "error"));
	cJSON_Delete(*answer);
	*answer = NULL;
	return rc;
}
