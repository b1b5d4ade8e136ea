/* SPDX-License-Identifier: MIT */
/*
 * permission.h: whose processes a peer may record: those it could ptrace itself.
 */
#ifndef SESSION_PERMISSION_H
#define SESSION_PERMISSION_H

#include <sys/types.h>

/* 0; -ERR_NO_PRIVILEGE; -ERR_NO_PROCESS. Root may record everything. Asked again
 * after each exec, which may have changed what the process is allowed to do. */
int permission_to_record(uid_t uid, gid_t gid, pid_t pid);
/* Real user and group of a process. -ERR_NO_PROCESS. */
int permission_owner(pid_t pid, uid_t *uid, gid_t *gid);

#endif
