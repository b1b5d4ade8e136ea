/* SPDX-License-Identifier: MIT */
#include "control/server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "session/spare.h"
#include "util/err.h"
#include "util/io.h"
#include "util/log.h"

static void exit_if_done(struct server *s)
{
	if (s->entries)
		return;
	if (s->leaving || (s->private_mode && !s->connections))
		sd_event_exit(s->event, 0);
}

static void connection_free(struct connection *c)
{
	struct server *s = c->server;
	struct connection **at = &s->connections;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	s->nconnections--;
	for (struct entry *e = s->entries; e; e = e->next)
		if (e->client == c) {
			e->client = NULL;
			if (e->attach)
				session_stop(e->session);
		}
	sd_event_source_disable_unref(c->source);
	wire_deinit(&c->wire);
	free(c);
	exit_if_done(s);
}

/* Answers everything that has arrived. */
static int handle_messages(struct connection *c)
{
	cJSON *request;
	int rc;

	while ((rc = wire_next(&c->wire, &request)) > 0) {
		rc = verb_dispatch(c, request);
		cJSON_Delete(request);
		wire_drop_fds(&c->wire);
		if (rc < 0)
			return rc;
	}
	if (rc < 0) {
		const struct err *e = err_last();
		cJSON *answer = cJSON_CreateObject();

		cJSON_AddBoolToObject(answer, "ok", 0);
		cJSON_AddItemToObject(answer, "error", wire_error(e->code, e->context, e->hint));
		wire_send(&c->wire, answer, NULL, 0);
	}
	return rc;
}

/* Asks for EPOLLOUT only while something is queued. */
static void watch(struct connection *c)
{
	sd_event_source_set_io_events(c->source, EPOLLIN | (c->wire.out.len ? EPOLLOUT : 0));
}

static int on_connection(sd_event_source *source, int fd, uint32_t events, void *ctx)
{
	struct connection *c = ctx;
	int rc = 0;

	(void)source;
	(void)fd;
	if (events & EPOLLOUT)
		rc = wire_flush(&c->wire);
	if (rc >= 0 && (events & (EPOLLIN | EPOLLHUP | EPOLLERR))) {
		rc = wire_read(&c->wire);
		if (rc > 0)
			rc = handle_messages(c);
	}
	if (rc < 0 || c->wire.eof)
		connection_free(c);
	else
		watch(c);
	return 0;
}

int server_serve(struct server *s, int fd)
{
	struct connection *c = NULL;
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (s->nconnections < SERVER_MAX_CONNECTIONS)
		c = calloc(1, sizeof(*c));
	if (!c) {
		close(fd);
		return err_set(ERR_BUSY, "%u connections", s->nconnections);
	}
	wire_init(&c->wire, fd);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 ||
	    fcntl(fd, F_SETFL, O_NONBLOCK) < 0 ||
	    sd_event_add_io(s->event, &c->source, fd, EPOLLIN, on_connection, c) < 0) {
		wire_deinit(&c->wire);
		free(c);
		return err_set(ERR_IO, "a connection: %m");
	}
	c->server = s;
	c->uid = peer.uid;
	c->gid = peer.gid;
	c->next = s->connections;
	s->connections = c;
	s->nconnections++;
	return 0;
}

static int on_listen(sd_event_source *source, int fd, uint32_t events, void *ctx)
{
	int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)source;
	(void)events;
	if (client >= 0 && server_serve(ctx, client) < 0)
		log_error("accept");
	return 0;
}

/* Some session changed: tell its client, free it when it has ended. */
static int on_wake(sd_event_source *source, int fd, uint32_t events, void *ctx)
{
	struct server *s = ctx;
	struct entry **at = &s->entries;
	uint64_t count;

	(void)source;
	(void)events;
	if (read(fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		log_line(LOG_WARNING, "eventfd: %m");
	while (*at) {
		struct entry *e = *at;
		struct session_status st;

		session_status(e->session, &st);
		if (e->client)
			verb_report(e, &st);
		if (e->client)
			watch(e->client);
		if (st.state != SESSION_ENDED) {
			at = &e->next;
			continue;
		}
		*at = e->next;
		session_free(e->session);
		free(e);
		s->nentries--;
	}
	exit_if_done(s);
	return 0;
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *si, void *ctx)
{
	struct server *s = ctx;

	(void)source;
	(void)si;
	s->leaving = true;
	sd_event_source_set_enabled(s->listen_source, SD_EVENT_OFF);
	for (struct entry *e = s->entries; e; e = e->next)
		session_stop(e->session);
	exit_if_done(s);
	return 0;
}

int server_init(struct server *s, struct guard *guard, int listen_fd)
{
	sigset_t set;
	int rc;

	*s = (struct server){ .guard = guard, .listen_fd = listen_fd, .since = time(NULL) };
	/* Blocked before any thread exists, so that only the loop gets them. */
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->wake_fd < 0)
		return err_set(ERR_UNKNOWN, "eventfd: %m");
	/* A daemon for one recording would only load it twice. */
	rc = listen_fd >= 0 ? spare_new(&s->spare) : 0;
	if (rc < 0)
		return rc;
	rc = sd_event_new(&s->event);
	if (rc >= 0)
		rc = sd_event_add_signal(s->event, NULL, SIGTERM, on_signal, s);
	if (rc >= 0)
		rc = sd_event_add_signal(s->event, NULL, SIGINT, on_signal, s);
	if (rc >= 0)
		rc = sd_event_add_io(s->event, &s->wake_source, s->wake_fd, EPOLLIN, on_wake, s);
	if (rc >= 0 && listen_fd >= 0)
		rc = sd_event_add_io(s->event, &s->listen_source, listen_fd, EPOLLIN, on_listen, s);
	if (rc >= 0)
		rc = sd_event_set_watchdog(s->event, true);
	return rc < 0 ? err_set(ERR_UNKNOWN, "sd-event: %s", strerror(-rc)) : 0;
}

int server_run(struct server *s)
{
	int rc = sd_event_loop(s->event);

	return rc < 0 ? err_set(ERR_UNKNOWN, "sd-event: %s", strerror(-rc)) : 0;
}

void server_deinit(struct server *s)
{
	while (s->connections)
		connection_free(s->connections);
	sd_event_source_disable_unref(s->listen_source);
	sd_event_source_disable_unref(s->wake_source);
	sd_event_unref(s->event);
	s->spare = spare_free(s->spare);
	io_close(&s->wake_fd);
}
