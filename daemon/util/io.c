/* SPDX-License-Identifier: MIT */
#include "util/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

void io_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

ssize_t io_read_file(const char *path, char *to, size_t cap)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;

	if (fd < 0)
		return -1;
	while (len + 1 < cap) {
		ssize_t n = read(fd, to + len, cap - 1 - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		len += n;
	}
	to[len] = 0;
	return len;
}

int io_pidfd_open(pid_t pid)
{
	return syscall(SYS_pidfd_open, pid, 0);
}

int io_pidfd_signal(int pidfd, int sig)
{
	return syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0);
}

pid_t io_pidfd_pid(int fd)
{
	char path[64], text[512], *at;
	long pid;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	if (io_read_file(path, text, sizeof(text)) < 0)
		return -1;
	at = strstr(text, "\nPid:");
	if (!at)
		return -1;
	pid = strtol(at + 5, NULL, 10);
	return pid > 0 ? pid : 0;
}

uint64_t io_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + t.tv_nsec;
}
