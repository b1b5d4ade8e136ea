/* SPDX-License-Identifier: MIT */
/*
 * protocol.h: what ctrec and ctrecd say to each other.
 *
 * A stream socket carries messages: a little-endian u32, the length of what
 * follows (at most CTREC_MAX_MESSAGE), then one JSON object. Every message holds
 * "version". Descriptors travel as SCM_RIGHTS with the first byte of the message
 * they belong to.
 *
 * A client asks, the daemon answers each request once, in order:
 *
 *	{"version":1,"verb":"hello"}
 *	{"version":1,"ok":true,"daemon":"ctrecd 0.1.0","private":false}
 *	{"version":1,"ok":false,"error":{"code":"ERR_BUSY","context":"…","hint":"…"}}
 *
 * verb "start" (CTREC_FDS_START descriptors: the empty journal open for reading
 * and writing, then a pidfd of the process to follow, which waits before its
 * exec): "program", "args" (array), "workdir", "trace" (the path shown by list),
 * "limits" {"depth","items","string","nodes"}, "all", "probe". The answer
 * {"session":N} comes when the process may go on. Later, unasked,
 *
 *	{"version":1,"event":"ended","session":N,"recorded":true,
 *	 "reason":"exit","bytes":N,"error":{…}}
 *
 * comes once the journal is complete: "recorded" says whether a Python was
 * found, "error" what went wrong, if anything did.
 *
 * verb "attach": as "start" of a process that is a running Python, and besides
 * "duration_ms" and "max_steps" (0 or absent: until it is stopped). The answer
 * {"session":N} comes when it is being recorded. Its session ends with the
 * connection: nobody else is there to end it.
 *
 * verb "stop" {"session":N} or {"pid":N} or {"all":true} -> {"stopped":[N,…]}
 * verb "list" -> {"sessions":[{"session","pid","python","uid","state","program",
 *                "trace","since" (seconds since 1970),"events","bytes"}]}
 * verb "status" -> {"daemon","pid","private","sessions","since"}
 * verb "status" {"session":N} -> what list gives of it, and "rate" (events a second
 *                over the last one), "ring" {"used","size"}, "waits", "stops" (of
 *                the program, for room in the ring), "losses" {reason: count}
 *
 * A connection that closes leaves the sessions it started running: the journal is
 * complete at the program's end whatever became of the client.
 */
#ifndef CTREC_PROTOCOL_H
#define CTREC_PROTOCOL_H

#define CTREC_PROTOCOL_VERSION 1
#define CTREC_MAX_MESSAGE (64u * 1024)
#define CTREC_MAX_FDS 4
#define CTREC_FDS_START 2

#define CTREC_SOCKET_PATH "/run/ctrec/ctrecd.sock"
#define CTREC_SOCKET_ENV "CTREC_SOCKET"

#define CTREC_VERB_HELLO "hello"
#define CTREC_VERB_START "start"
#define CTREC_VERB_ATTACH "attach"
#define CTREC_VERB_STOP "stop"
#define CTREC_VERB_LIST "list"
#define CTREC_VERB_STATUS "status"
#define CTREC_EVENT_ENDED "ended"

/* Why a session ended; the same words stand in EV_END. */
#define CTREC_REASON_EXIT "exit"       /* the program ended */
#define CTREC_REASON_SIGNAL "signal"   /* a signal ended it */
#define CTREC_REASON_EXEC "exec"       /* it became another program */
#define CTREC_REASON_STOPPED "stopped" /* the recording was told to stop */
#define CTREC_REASON_LIMIT "limit"     /* "duration_ms" or "max_steps" was reached */
#define CTREC_REASON_DISK "disk"       /* the journal can't grow */
#define CTREC_REASON_ERROR "error"     /* the recorder failed */

/* What a recording keeps unless told otherwise (struct ctrec_limits). */
#define CTREC_DEFAULT_DEPTH 3u /* docs/overhead.md has the sweep */
#define CTREC_DEFAULT_ITEMS 64u
#define CTREC_DEFAULT_STRING 256u
#define CTREC_DEFAULT_NODES 256u

/* Ceilings of the above. */
#define CTREC_MAX_DEPTH 16u
#define CTREC_MAX_ITEMS 4096u
#define CTREC_MAX_STRING 4096u

#endif
