/* SPDX-License-Identifier: MIT */
/*
 * session.h: one recording, from the process that waits before its exec, or runs
 * already, to the complete journal.
 *
 * A session owns two threads. The control thread (follow.c) loads capture,
 * follows the process through its execs to a Python, and answers what capture
 * asks while the program waits; it must never block on anything else. The drain
 * thread (drain.c) moves records from the main ring to the journal. The owner
 * of the session (the control socket's loop) is told of every change of state
 * through an eventfd, reads it with session_status(), and frees the session
 * once it has ended; session_free() never waits for the program.
 */
#ifndef SESSION_SESSION_H
#define SESSION_SESSION_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "ctrec/layout.h"
#include "probe/capture.h"
#include "session/guard.h"
#include "util/err.h"

struct session;
struct spare;

enum session_state {
	SESSION_STARTING,  /* capture is being loaded */
	SESSION_READY,	   /* the process may go on; no Python yet */
	SESSION_RECORDING, /* a Python is being recorded */
	SESSION_ENDING,	   /* draining what is left */
	SESSION_ENDED,	   /* the journal is complete; free it */
};
extern const char *const session_state_names[];

enum session_probe { PROBE_AUTO, PROBE_USDT, PROBE_PAGE };

struct session_request {
	uid_t uid; /* the peer, on whose behalf */
	gid_t gid;
	pid_t pid; /* the process to follow */
	int pidfd, journal_fd; /* taken over by session_new(), also when it fails */
	const char *program, *workdir, *trace;
	const cJSON *args;
	struct ctrec_limits limits;
	bool all;
	enum session_probe probe;
	bool attach; /* the process is a Python that runs */
	uint64_t max_steps, duration_ns; /* it ends by itself then; 0: not */
};

struct session_status {
	enum session_state state;
	bool recorded;	    /* a Python was found and recorded */
	pid_t python;	    /* its process, 0: none yet */
	const char *reason; /* CTREC_REASON_* once it has ended */
	uint64_t events, bytes;
	uint64_t rate; /* events a second, over the last one */
	struct capture_stats capture;
	struct err error; /* code 0: none */
};

/* Starts the threads; returns at once in SESSION_STARTING. spare: may be NULL.
 * wake_fd: an eventfd. */
int session_new(struct session **ret, const struct session_request *q, struct guard *guard,
		struct spare *spare, int wake_fd);
void session_stop(struct session *s); /* asks for the end; the program goes on */
struct session *session_free(struct session *s); /* only once it has ended; returns NULL */

void session_status(struct session *s, struct session_status *to);
uint64_t session_id(const struct session *s);
uid_t session_uid(const struct session *s);
pid_t session_pid(const struct session *s);
const char *session_program(const struct session *s);
const char *session_trace(const struct session *s);
int64_t session_since(const struct session *s); /* seconds since 1970 */

#endif
