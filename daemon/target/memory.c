/* SPDX-License-Identifier: MIT */
/*
 * memory.c: a live process and its memory.
 *
 * A read gives all bytes asked for or fails: no caller sees half an object.
 * process_vm_readv is one system call and needs no descriptor that an exec
 * would make stale; /proc/PID/mem stands in where a sandbox forbids the call.
 * A failed read is normal (callers probe), so it records no error text.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "target/target.h"
#include "util/err.h"

struct live {
	struct target t; /* first: callers hold a pointer to it */
	int mem_fd;
	int no_readv; /* process_vm_readv is forbidden or missing here */
};

static int open_mem(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static int pread_all(int fd, uint64_t at, void *to, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread(fd, (char *)to + done, len - done, (off_t)(at + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		done += n;
	}
	return 1;
}

static int read_mem_file(struct live *l, uint64_t at, void *to, size_t len)
{
	int r;

	if (at > INT64_MAX)
		return -ERR_TARGET_MEMORY;
	r = pread_all(l->mem_fd, at, to, len);
	if (r == 0) {
		/* end of file: the descriptor belongs to the memory before an exec */
		int fd = open_mem(l->t.pid);

		if (fd < 0)
			return -ERR_TARGET_MEMORY;
		close(l->mem_fd);
		l->mem_fd = fd;
		r = pread_all(fd, at, to, len);
	}
	return r == 1 ? 0 : -ERR_TARGET_MEMORY;
}

static int live_read(struct memory *m, remote_t addr, void *to, size_t len)
{
	struct live *l = (struct live *)((char *)m - offsetof(struct live, t.mem));
	struct iovec local = { to, len };
	struct iovec remote = { (void *)(uintptr_t)addr.v, len };
	ssize_t n;

	if (!len)
		return 0;
	if (addr.v + len < addr.v || len > SIZE_MAX / 2)
		return -ERR_TARGET_MEMORY;
	if (!l->no_readv) {
		n = process_vm_readv(l->t.pid, &local, 1, &remote, 1, 0);
		if (n == (ssize_t)len)
			return 0;
		if (n >= 0 || (errno != EPERM && errno != ENOSYS))
			return -ERR_TARGET_MEMORY;
		if (errno == ENOSYS)
			l->no_readv = 1;
	}
	return read_mem_file(l, addr.v, to, len);
}

int target_open(struct target **ret, pid_t pid)
{
	struct live *l;

	if (pid <= 0)
		return err_set(ERR_NO_PROCESS, "process %d", (int)pid);
	l = calloc(1, sizeof(*l));
	if (!l)
		return err_set(ERR_NOMEM, "process %d", (int)pid);
	l->t.mem.read = live_read;
	l->t.pid = pid;
	l->mem_fd = -1;
	l->t.pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (l->t.pidfd < 0) {
		int r = err_set(errno == ESRCH || errno == EINVAL ? ERR_NO_PROCESS : ERR_UNKNOWN,
				"process %d: pidfd_open: %m", (int)pid);

		target_free(&l->t);
		return r;
	}
	l->mem_fd = open_mem(pid);
	if (l->mem_fd < 0) {
		int gone = errno == ENOENT || errno == ESRCH;
		int r = err_set(gone ? ERR_NO_PROCESS : ERR_NO_PRIVILEGE,
				"memory of process %d: %m", (int)pid);

		target_free(&l->t);
		return r;
	}
	*ret = &l->t;
	return 0;
}

struct target *target_free(struct target *t)
{
	struct live *l = (struct live *)t;

	if (!t)
		return NULL;
	if (l->mem_fd >= 0)
		close(l->mem_fd);
	if (t->pidfd >= 0)
		close(t->pidfd);
	free(l);
	return NULL;
}
