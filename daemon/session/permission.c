/* SPDX-License-Identifier: MIT */
/*
 * The rule of ptrace(2), applied to the peer on whose behalf the daemon acts:
 * real, effective and saved ids all the peer's, no capability it lacks, and
 * dumpable (the kernel gives what is in /proc/PID of an undumpable process to
 * root, though not /proc/PID itself: fs/proc/base.c, task_dump_owner).
 */
#include "session/permission.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "util/err.h"
#include "util/io.h"

static const char *field(const char *status, const char *name)
{
	const char *at = strstr(status, name);

	return at ? at + strlen(name) : NULL;
}

static int read_status(pid_t pid, char *text, size_t cap)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	if (io_read_file(path, text, cap) < 0)
		return err_set(ERR_NO_PROCESS, "process %d: %m", pid);
	return 0;
}

/* real, effective, saved, file-system id */
static int read_ids(const char *status, const char *name, unsigned ids[4])
{
	const char *at = field(status, name);

	return at && sscanf(at, "%u %u %u %u", &ids[0], &ids[1], &ids[2], &ids[3]) == 4;
}

int permission_owner(pid_t pid, uid_t *uid, gid_t *gid)
{
	char text[4096];
	unsigned u[4], g[4];
	int rc = read_status(pid, text, sizeof(text));

	if (rc < 0)
		return rc;
	if (!read_ids(text, "\nUid:", u) || !read_ids(text, "\nGid:", g))
		return err_set(ERR_NO_PROCESS, "process %d: no ids in its status", pid);
	*uid = u[0];
	*gid = g[0];
	return 0;
}

int permission_to_record(uid_t uid, gid_t gid, pid_t pid)
{
	char text[4096], path[64];
	const char *caps;
	unsigned u[4], g[4];
	struct stat st;
	int rc;

	if (uid == 0)
		return 0;
	rc = read_status(pid, text, sizeof(text));
	if (rc < 0)
		return rc;
	caps = field(text, "\nCapPrm:");
	if (!caps || !read_ids(text, "\nUid:", u) || !read_ids(text, "\nGid:", g))
		return err_set(ERR_NO_PROCESS, "process %d: no ids in its status", pid);
	for (int i = 0; i < 3; i++)
		if (u[i] != uid || g[i] != gid)
			return err_set(ERR_NO_PRIVILEGE, "process %d runs as another user", pid);
	if (strtoull(caps, NULL, 16))
		return err_set(ERR_NO_PRIVILEGE, "process %d has capabilities", pid);
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	if (stat(path, &st) < 0)
		return err_set(ERR_NO_PROCESS, "process %d: %m", pid);
	if (st.st_uid != uid)
		return err_set(ERR_NO_PRIVILEGE, "process %d does not let itself be inspected", pid);
	return 0;
}
