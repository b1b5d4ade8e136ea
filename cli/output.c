/* SPDX-License-Identifier: MIT */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal/format.h"
#include "util/err.h"
#include "util/io.h"

static int io_error(const char *what, const char *path)
{
	return err_set(errno == ENOSPC || errno == EDQUOT ? ERR_NO_SPACE : ERR_IO, "%s %s: %m", what,
		       path);
}

static int give(int fd, const struct passwd *owner)
{
	return owner && fchown(fd, owner->pw_uid, owner->pw_gid) < 0 ? -1 : 0;
}

/* Each missing folder of the path, given to the owner. */
static int make_dirs(const char *dir, const struct passwd *owner)
{
	char path[3072];
	size_t n = strlen(dir);

	if (n >= sizeof(path) - 1)
		return err_set(ERR_IO, "the directory's name is too long");
	strcpy(path, dir);
	for (size_t i = 1; i <= n; i++) {
		if (path[i] && path[i] != '/')
			continue;
		path[i] = 0;
		if (mkdir(path, 0777) == 0) {
			if (owner && lchown(path, owner->pw_uid, owner->pw_gid) < 0)
				return io_error("giving away", path);
		} else if (errno != EEXIST) {
			return io_error("making", path);
		}
		path[i] = i < n ? '/' : 0;
	}
	return 0;
}

static int set_name(struct output *o, const char *stem, bool with_pid)
{
	char pid[24] = "";

	if (with_pid)
		snprintf(pid, sizeof(pid), ".%d", getpid());
	if (snprintf(o->name, sizeof(o->name), "%s%s.ct", stem, pid) >= (int)sizeof(o->name))
		return err_set(ERR_IO, "the trace's name is too long");
	snprintf(o->journal, sizeof(o->journal), "%s.journal", o->name);
	snprintf(o->partial, sizeof(o->partial), "%s.partial", o->name);
	snprintf(o->path, sizeof(o->path), "%s/%s", o->dir, o->name);
	return 0;
}

static bool exists(const struct output *o, const char *name)
{
	struct stat st;

	return fstatat(o->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* A journal is locked for as long as its recording runs. */
static bool is_live(const struct output *o)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	_cleanup_fd_ int fd = openat(o->dir_fd, o->journal, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	return fd >= 0 && fcntl(fd, F_OFD_GETLK, &l) == 0 && l.l_type != F_UNLCK;
}

/* Left by a recording that ended before it began: at most the file's header. */
static bool holds_nothing(const struct output *o)
{
	struct stat st;

	return fstatat(o->dir_fd, o->journal, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISREG(st.st_mode) && st.st_size <= (off_t)sizeof(struct journal_file_header);
}

static int open_journal(struct output *o)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (o->force || holds_nothing(o))
		unlinkat(o->dir_fd, o->journal, 0);
	o->journal_fd = openat(o->dir_fd, o->journal, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (o->journal_fd < 0 && errno == EEXIST) {
		err_set(ERR_TRACE_DIR_CONFLICT, "%s/%s is left of a recording that was cut off", o->dir,
			o->journal);
		return err_hint("'ctrec recover %s/%s' makes a trace of it; --force discards it", o->dir,
				o->journal);
	}
	if (o->journal_fd < 0)
		return io_error("creating", o->path);
	fcntl(o->journal_fd, F_OFD_SETLK, &l);
	return 0;
}

int output_open(struct output *o, const char *dir, const char *stem, bool force,
		const struct passwd *owner)
{
	int rc;

	*o = (struct output){ .dir_fd = -1, .journal_fd = -1, .trace_fd = -1, .force = force };
	snprintf(o->dir, sizeof(o->dir), "%s", dir);
	rc = make_dirs(dir, owner);
	if (rc < 0)
		return rc;
	o->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (o->dir_fd < 0)
		return io_error("opening", dir);
	rc = set_name(o, stem, false);
	if (rc == 0 && is_live(o))
		rc = set_name(o, stem, true);
	if (rc == 0 && !force && exists(o, o->name))
		rc = err_set(ERR_TRACE_DIR_CONFLICT, "%s", o->path);
	if (rc == 0)
		rc = open_journal(o);
	if (rc == 0 && give(o->journal_fd, owner) < 0)
		rc = io_error("giving away", o->path);
	return rc;
}

int output_trace(struct output *o, const struct passwd *owner)
{
	unlinkat(o->dir_fd, o->partial, 0);
	o->trace_fd = openat(o->dir_fd, o->partial, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (o->trace_fd < 0 || give(o->trace_fd, owner) < 0)
		return io_error("creating", o->path);
	return 0;
}

int output_commit(struct output *o)
{
	unsigned flags = o->force ? 0 : RENAME_NOREPLACE;

	if (renameat2(o->dir_fd, o->partial, o->dir_fd, o->name, flags) < 0) {
		if (errno == EEXIST)
			return err_set(ERR_TRACE_DIR_CONFLICT, "%s appeared meanwhile; the recording is in %s/%s",
				       o->path, o->dir, o->partial);
		if (errno != EINVAL || renameat(o->dir_fd, o->partial, o->dir_fd, o->name) < 0)
			return io_error("naming", o->path);
	}
	if (!getenv("CTREC_KEEP_JOURNAL"))
		unlinkat(o->dir_fd, o->journal, 0);
	return 0;
}

void output_discard(struct output *o)
{
	if (o->journal_fd >= 0)
		unlinkat(o->dir_fd, o->journal, 0);
	if (o->trace_fd >= 0)
		unlinkat(o->dir_fd, o->partial, 0);
}

void output_deinit(struct output *o)
{
	io_close(&o->journal_fd);
	io_close(&o->trace_fd);
	io_close(&o->dir_fd);
}
