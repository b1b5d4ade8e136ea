/* SPDX-License-Identifier: MIT */
/* page_tool PID JOURNAL: records a running Python through a probe page until it ends. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "session/session.h"
#include "util/io.h"
#include "ctrec/protocol.h"

int main(int argc, char **argv)
{
	struct session_request q = { .uid = getuid(), .gid = getgid(), .program = "x", .workdir = "/", .trace = "t",
		.probe = PROBE_PAGE, .limits = { CTREC_DEFAULT_DEPTH, CTREC_DEFAULT_ITEMS, CTREC_DEFAULT_STRING, CTREC_DEFAULT_NODES } };
	struct session_status st;
	struct session *s;
	struct guard *g;
	enum session_state last = 0;
	int wake = eventfd(0, 0);

	if (argc != 3)
		return 2;
	q.pid = atoi(argv[1]);
	q.pidfd = io_pidfd_open(q.pid);
	q.journal_fd = open(argv[2], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	q.args = cJSON_CreateArray();
	if (guard_new(&g) < 0 || session_new(&s, &q, g, wake) < 0) {
		fprintf(stderr, "%s\n", err_last()->context);
		return 1;
	}
	do {
		uint64_t n;
		if (read(wake, &n, 8) != 8)
			return 1;
		session_status(s, &st);
		if (st.state != last) {
			printf("%s\n", session_state_names[st.state]);
			fflush(stdout);
		}
		last = st.state;
	} while (st.state != SESSION_ENDED);
	printf("events %lu error %d %s %s\n", (unsigned long)st.events, st.error.code, st.error.context, st.reason);
	session_free(s);
	return 0;
}
