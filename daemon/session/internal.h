/* SPDX-License-Identifier: MIT */
/*
 * internal.h: the inside of a session, for the files of this folder.
 *
 * Each member stands under the heading of who may touch it.
 */
#ifndef SESSION_INTERNAL_H
#define SESSION_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "journal/journal.h"
#include "probe/capture.h"
#include "python/resolve.h"
#include "session/frames.h"
#include "session/order.h"
#include "session/session.h"
#include "session/spare.h"
#include "util/buf.h"

#define SESSION_MAX_PROCESSES 1024

/* A process of the session: the first one and its descendants. */
struct process {
	pid_t pid;
	int pidfd;
	bool held; /* stopped by us at its exec or entry point */
};

struct session {
	/* set once, before the threads start */
	uint64_t id;
	uid_t uid;
	gid_t gid;
	pid_t pid;
	int journal_fd, wake_fd;
	struct guard *guard;
	struct spare *spare;
	struct ctrec_limits limits;
	bool all, attach;
	enum session_probe probe; /* as asked */
	uint64_t max_steps, duration_ns; /* 0: no end by itself */
	char *program, *workdir, *trace;
	cJSON *args;
	int64_t since_ms;
	unsigned slow_drain_ns;
	pthread_t control_thread, drain_thread;

	/* made by the control thread before the drain thread starts */
	struct journal *journal;
	struct capture *capture;

	/* control thread */
	struct process processes[SESSION_MAX_PROCESSES];
	unsigned nprocesses;
	struct target *target; /* the Python's */
	struct python_info info;
	struct ctrec_layout layout;
	struct resolver *resolver;
	int claim_fd;
	bool no_bpf; /* eBPF may not be used, or is not needed */
	uint64_t found_at; /* when page_launch found the Python */
	struct page_launch *launch; /* holds the processes until there is a Python */
	uint64_t looked; /* for threads that the page does not trace */
	struct page *page; /* mapped in the target; NULL: events come from eBPF */
	struct buf defs;
	uint64_t gone_since;	/* the Python's pidfd reports its end since then */
	uint64_t deadline;	/* 0: none */
	const char *end_reason; /* set: over */
	uint64_t taken;		/* the last sample: when */
	uint64_t rated, rated_events; /* the last rate: when, how many there were */

	/* drain thread, then (after it was joined) control thread */
	struct frames frames;
	struct buf scratch;
	uint64_t since_checkpoint;  /* bytes of events */
	uint64_t checkpoint_after;  /* bytes to drain before the one that is due; 0: none */
	uint64_t ring_losses;	    /* declared as EV_GAP ring_full */
	uint64_t last_flush, last_time;
	uint64_t slow_debt;
	uint64_t steps; /* towards max_steps */

	/* between the threads */
	pthread_mutex_t lock; /* order, and what session_status() gives */
	struct order order;
	struct session_status status;
	atomic_bool stop;	 /* session_stop() */
	atomic_bool drain_ends;	 /* probes are off: empty the ring and return */
	atomic_bool drain_failed; /* status.error says why */
	atomic_int full_pid;	 /* stopped by capture until the ring is drained */
	atomic_int python_pid;	 /* the recorded Python, 0: none yet */
	atomic_bool exited;
	atomic_bool enough; /* max_steps were recorded */
	atomic_uint exit_status; /* as wait(2) gives it, once exited */
	atomic_ullong events;
};

/* session.c */
void session_set_state(struct session *s, enum session_state state);
/* Takes the thread's last error as the session's. A fatal one is never replaced. */
void session_set_error(struct session *s, bool fatal);
void session_clear_error(struct session *s);
void session_saw_exit(struct session *s, uint32_t status);

/* follow.c: the control thread */
void *session_control(void *session);

/* attach.c: from a running process to a recorded Python, gate still closed */
int session_attach(struct session *s);

/* python.c: the one in s->target and s->info */
int session_record_python(struct session *s);

/* sample.c: what session_status() gives, once in a while */
void session_sample(struct session *s);

/* launch.c: from a process to a recorded Python */
void session_hold(struct session *s, pid_t pid);
void session_release(struct session *s, pid_t pid);
void session_release_all(struct session *s);
void session_add_process(struct session *s, pid_t pid);
void session_on_exec(struct session *s, pid_t pid);
void session_on_entry(struct session *s, pid_t pid);

/* Can eBPF record the Python in s->info? */
bool session_has_probes(const struct session *s);
/* Records the Python in s->target, which stands still, by its own probes. On failure the
 * session has the error. */
int session_record_usdt(struct session *s);

/* leave.c: frees capture and lets every process of the session that lives on go on */
void session_leave(struct session *s);

/* paged.c: a probe page in the target, of the control thread */
struct tracee;
/* Records the Python in s->target and s->info from now on; stopped: the thread that
 * holds it still, or NULL. On failure the session has the error, and no page. */
int session_page_begin(struct session *s, struct tracee *stopped);
/* From the process that waits for its exec (s->launch) to a recorded Python, by either
 * kind of probe, or to the end of the session. */
void session_page_launch(struct session *s);
/* Takes the probes off. */
void session_page_end(struct session *s);
/* Has the process ended? Sees its status while it waits for its parent. */
void session_page_look(struct session *s);

/* drain.c: the drain thread */
void *session_drain(void *session);
/* Lets the program go on if it waits for the ring and the ring has room. */
void session_relieve(struct session *s);
/* Counts of capture as EV_GAP, EV_END, flush: after both threads' work is done. */
int session_write_end(struct session *s);

/* meta.c */
int session_write_meta(struct session *s);
int session_text_record(struct buf *to, uint8_t type, const cJSON *json);

#endif
