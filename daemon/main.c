/* SPDX-License-Identifier: MIT */
/*
 * ctrecd: the daemon that records on behalf of ctrec.
 *
 * It listens on a Unix socket (its own, or systemd's), or serves one inherited
 * connection (--private FD) for a client that runs as root. The watchdog is
 * forked first, before there are threads or descriptors it could inherit.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "control/server.h"
#include "ctrec/protocol.h"
#include "util/err.h"
#include "util/io.h"
#include "util/log.h"

static const char usage[] =
	"usage: ctrecd [--socket PATH]\n"
	"\n"
	"Records Python programs on behalf of ctrec. Needs CAP_BPF, CAP_PERFMON,\n"
	"CAP_SYS_PTRACE, CAP_KILL and CAP_DAC_READ_SEARCH, or to be root.\n"
	"\n"
	"  --socket PATH   where to listen (default $" CTREC_SOCKET_ENV " or " CTREC_SOCKET_PATH ")\n"
	"  --private FD    serve one client on an inherited socket, then exit\n"
	"  --help, --version\n";

/* A socket that nobody answers on is a leftover and makes room. */
static int remove_leftover(const struct sockaddr_un *a)
{
	_cleanup_fd_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return err_set(ERR_IO, "socket: %m");
	if (connect(fd, (const struct sockaddr *)a, sizeof(*a)) == 0)
		return err_set(ERR_BUSY, "a ctrecd answers on %s already", a->sun_path);
	if (errno == ECONNREFUSED)
		unlink(a->sun_path);
	return 0;
}

static int listen_on(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	char *slash;
	int rc, fd;

	if (strlen(path) >= sizeof(a.sun_path))
		return err_set(ERR_USAGE, "the socket's path is too long: %s", path);
	strcpy(a.sun_path, path);
	slash = strrchr(a.sun_path, '/');
	if (slash && slash != a.sun_path) {
		*slash = 0;
		if (mkdir(a.sun_path, 0755) < 0 && errno != EEXIST)
			return err_set(ERR_IO, "mkdir %s: %m", a.sun_path);
		*slash = '/';
	}
	rc = remove_leftover(&a);
	if (rc < 0)
		return rc;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* Anyone may connect: each request is checked against the peer's ids. */
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || chmod(path, 0666) < 0 ||
	    listen(fd, 64) < 0) {
		err_set(ERR_IO, "%s: %m", path);
		io_close(&fd);
		return -ERR_IO;
	}
	return fd;
}

/* own: the socket's file is ours to remove. */
static int listen_somewhere(const char *path, bool *own)
{
	int n = sd_listen_fds(1);

	if (n > 1)
		return err_set(ERR_USAGE, "systemd passed %d sockets, one is enough", n);
	if (n == 1) {
		fcntl(SD_LISTEN_FDS_START, F_SETFL, O_NONBLOCK);
		return SD_LISTEN_FDS_START;
	}
	*own = true;
	return listen_on(path);
}

static int serve(const char *path, int private_fd)
{
	struct guard *guard = NULL;
	struct server s;
	int rc, listen_fd = -1;
	bool own = false;

	rc = guard_new(&guard);
	if (rc == 0 && private_fd < 0)
		rc = listen_fd = listen_somewhere(path, &own);
	if (rc >= 0)
		rc = server_init(&s, guard, listen_fd);
	if (rc >= 0) {
		s.private_mode = private_fd >= 0;
		if (private_fd >= 0) {
			fcntl(private_fd, F_SETFD, FD_CLOEXEC);
			rc = server_serve(&s, private_fd);
		}
		sd_notify(0, "READY=1");
		if (rc >= 0)
			rc = server_run(&s);
		server_deinit(&s);
	}
	if (own && listen_fd >= 0)
		unlink(path);
	guard_free(guard);
	return rc;
}

/* A descriptor's number; -1 for anything else. */
static int parse_fd(const char *text)
{
	char *end;
	long v = strtol(text, &end, 10);

	return *text && !*end && v > 2 && v < 65536 && fcntl(v, F_GETFD) >= 0 ? (int)v : -1;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "socket", required_argument, NULL, 's' }, { "private", required_argument, NULL, 'p' },
		{ "help", no_argument, NULL, 'h' },	    { "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	const char *path = getenv(CTREC_SOCKET_ENV);
	int opt, private_fd = -1;

	if (!path || !*path)
		path = CTREC_SOCKET_PATH;
	while ((opt = getopt_long(argc, argv, "hV", options, NULL)) >= 0) {
		switch (opt) {
		case 's':
			path = optarg;
			break;
		case 'p':
			private_fd = parse_fd(optarg);
			if (private_fd < 0) {
				fprintf(stderr, "ctrecd: --private needs an open socket\n");
				return 2;
			}
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		case 'V':
			puts("ctrecd " CTREC_VERSION);
			return 0;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	if (optind < argc) {
		fputs(usage, stderr);
		return 2;
	}
	if (serve(path, private_fd) < 0) {
		log_error("ctrecd");
		return err_exit(err_last()->code);
	}
	return 0;
}
