/* SPDX-License-Identifier: MIT */
#include "session/claim.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/err.h"
#include "util/io.h"
#include "util/log.h"

int claim_process(pid_t pid, int *fd)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = pid, .l_len = 1 };

	mkdir("/run/ctrec", 0755);
	*fd = open(CLAIM_PATH, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (*fd < 0) {
		log_line(LOG_INFO, "%s: %m: recordings of other daemons are not noticed", CLAIM_PATH);
		return 0;
	}
	if (fcntl(*fd, F_OFD_SETLK, &l) == 0)
		return 0;
	if (errno == EAGAIN || errno == EACCES) {
		io_close(fd);
		return err_set(ERR_ALREADY_TRACING, "process %d, by another daemon", pid);
	}
	log_line(LOG_INFO, "%s: %m", CLAIM_PATH);
	io_close(fd);
	return 0;
}
