/* SPDX-License-Identifier: MIT */
/*
 * source.c: reading a source file on a user's behalf.
 *
 * The name comes from the target (co_filename) and may be anything. So the
 * file is looked up inside the target's root (no symlink leads out of it), with
 * the user's own rights, first without opening it (O_PATH), and is opened only
 * when it is a regular file on a real file system: devices, pipes and the
 * kernel's own files are never touched. The identity of the file system user
 * belongs to the thread, not to the process, and is restored before anything
 * else happens.
 */
#include "python/source.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "ctrec/event.h"

#define SOURCE_MAX (4u << 20)
#define GROUPS_MAX 256

struct identity {
	uid_t uid;
	gid_t gid;
	gid_t groups[GROUPS_MAX];
	int ngroups; /* -1: not changed */
};

static void identity_leave(struct identity *was)
{
	setfsuid(was->uid);
	setfsgid(was->gid);
	if (was->ngroups >= 0)
		syscall(SYS_setgroups, was->ngroups, was->groups);
}

/* Takes on uid and gid for file access of this thread; 0: not possible, nothing changed. */
static int identity_enter(struct identity *was, uid_t uid, gid_t gid)
{
	was->ngroups = -1;
	was->uid = setfsuid(-1);
	was->gid = setfsgid(-1);
	if (was->uid == uid && was->gid == gid)
		return 1;
	/* our supplementary groups are not the user's; glibc's call would change all threads */
	was->ngroups = getgroups(GROUPS_MAX, was->groups);
	if (was->ngroups >= 0 && syscall(SYS_setgroups, 0, NULL) == 0) {
		setfsgid(gid);
		setfsuid(uid);
		if ((gid_t)setfsgid(-1) == gid && (uid_t)setfsuid(-1) == uid)
			return 1;
	} else {
		was->ngroups = -1;
	}
	identity_leave(was);
	return 0;
}

static int same_root(pid_t pid)
{
	struct stat a, b;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/root", (int)pid);
	return stat(path, &a) == 0 && stat("/", &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

/* The folder a name is looked up in: the target's root, or its current one. */
static int open_base(pid_t pid, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name[0] == '/' ? "root" : "cwd");
	return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static int lookup(int base, const char *name, int confined)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_NO_MAGICLINKS,
	};

	if (name[0] == '/')
		how.resolve |= RESOLVE_IN_ROOT;
	else if (confined)
		how.resolve |= RESOLVE_BENEATH;
	return (int)syscall(SYS_openat2, base, name, &how, sizeof(how));
}

/* Files of the kernel look regular, and /proc/self would be ours, not the target's. */
static int is_made_up(int path_fd)
{
	static const unsigned long kernel_fs[] = { PROC_SUPER_MAGIC, SYSFS_MAGIC, DEBUGFS_MAGIC,
						   TRACEFS_MAGIC };
	struct statfs fs;

	if (fstatfs(path_fd, &fs) < 0)
		return 1;
	for (size_t i = 0; i < sizeof(kernel_fs) / sizeof(kernel_fs[0]); i++)
		if ((unsigned long)fs.f_type == kernel_fs[i])
			return 1;
	return 0;
}

static int reopen(int path_fd, off_t *size)
{
	struct stat st;
	char self[64];

	if (fstat(path_fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > SOURCE_MAX ||
	    is_made_up(path_fd))
		return -1;
	*size = st.st_size;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", path_fd);
	return open(self, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

static int open_as(pid_t pid, const char *name, uid_t uid, gid_t gid, off_t *size)
{
	struct identity was;
	int base, found, fd = -1, confined = !same_root(pid);

	base = open_base(pid, name);
	if (base < 0)
		return -1;
	if (identity_enter(&was, uid, gid)) {
		found = lookup(base, name, confined);
		if (found >= 0) {
			fd = reopen(found, size);
			close(found);
		}
		identity_leave(&was);
	}
	close(base);
	return fd;
}

/* Reads the file to its end or its size as it was opened, whichever is first. */
static size_t read_text(int fd, uint8_t *to, size_t size)
{
	size_t done = 0;

	while (to && done < size) {
		ssize_t n = read(fd, to + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += n;
	}
	return done;
}

int source_append(struct buf *defs, pid_t pid, const char *path, size_t len, uid_t uid, gid_t gid)
{
	struct ev_defsource d = { .h = { .type = EV_DEFSOURCE }, .path_len = len };
	size_t start = defs->len;
	char name[4096];
	off_t size = 0;
	int fd;

	/* "<string>", "<stdin>", "<frozen …>" are no files */
	if (!len || len >= sizeof(name) || path[0] == '<')
		return 0;
	memcpy(name, path, len);
	name[len] = 0;
	fd = open_as(pid, name, uid, gid, &size);
	if (fd < 0)
		return 0;
	buf_append(defs, &d, sizeof(d));
	buf_append(defs, name, len);
	buf_zero(defs, EV_PAD8(len) - len);
	d.text_len = read_text(fd, buf_reserve(defs, size), size);
	close(fd);
	if (defs->oom)
		return 0;
	defs->len += d.text_len;
	buf_zero(defs, EV_PAD8(d.text_len) - d.text_len);
	if (defs->oom) {
		defs->len = start;
		return 0;
	}
	d.h.size = defs->len - start;
	memcpy(defs->data + start, &d, sizeof(d));
	return 1;
}
