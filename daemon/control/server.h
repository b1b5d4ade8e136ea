/* SPDX-License-Identifier: MIT */
/*
 * server.h: the control socket: connections, their requests, the sessions.
 *
 * One thread, one sd-event loop; nothing here blocks. Sessions have threads of
 * their own and report through one eventfd; at each report the loop looks at
 * every session, so a lost or doubled wake-up means nothing.
 */
#ifndef CONTROL_SERVER_H
#define CONTROL_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "control/wire.h"
#include "session/session.h"

#define SERVER_MAX_SESSIONS 64u
#define SERVER_MAX_SESSIONS_OF_USER 16u
#define SERVER_MAX_CONNECTIONS 256u

struct connection {
	struct server *server;
	struct connection *next;
	struct wire wire;
	sd_event_source *source;
	uid_t uid;
	gid_t gid;
};

/* A session and the connection that started it. */
struct entry {
	struct entry *next;
	struct session *session;
	struct connection *client; /* NULL: it has gone */
	bool answered;		   /* "start" or "attach" was answered */
	bool attach;		   /* ends with its connection */
};

struct server {
	sd_event *event;
	struct guard *guard;
	struct spare *spare; /* NULL: sessions load their own */
	struct connection *connections;
	struct entry *entries;
	unsigned nconnections, nentries;
	int listen_fd, wake_fd;
	bool private_mode; /* one connection; exit when it and its session are over */
	bool leaving;	   /* told to end: stop sessions, then exit */
	int64_t since;
	sd_event_source *listen_source, *wake_source;
};

/* listen_fd: a listening socket, or -1: one connection is all there will be.
 * The guard stays the caller's. */
int server_init(struct server *s, struct guard *guard, int listen_fd);
void server_deinit(struct server *s);
/* Serves a connected socket; takes it. */
int server_serve(struct server *s, int fd);
int server_run(struct server *s);

/* verbs.c: answers one request, or leaves that to server_report(). */
int verb_dispatch(struct connection *c, const cJSON *request);
/* verbs.c: tells the client of a session's new state. */
void verb_report(struct entry *e, const struct session_status *st);

#endif
