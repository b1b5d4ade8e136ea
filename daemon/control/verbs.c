/* SPDX-License-Identifier: MIT */
/*
 * verbs.c: what each request does, and who may ask for it.
 *
 * Every request is hostile input. Root sees and stops every session, everyone
 * else their own; a session that is not the peer's does not exist for it.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/server.h"
#include "session/permission.h"
#include "util/err.h"
#include "util/io.h"

static const cJSON *item(const cJSON *o, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(o, name);
}

static const char *text_of(const cJSON *o, const char *name)
{
	const char *v = cJSON_GetStringValue(item(o, name));

	return v ? v : "";
}

static cJSON *answer_ok(void)
{
	cJSON *a = cJSON_CreateObject();

	cJSON_AddBoolToObject(a, "ok", 1);
	return a;
}

/* The thread's last error as an answer. */
static int answer_error(struct connection *c)
{
	const struct err *e = err_last();
	cJSON *a = cJSON_CreateObject();

	cJSON_AddBoolToObject(a, "ok", 0);
	cJSON_AddItemToObject(a, "error", wire_error(e->code, e->context, e->hint));
	return wire_send(&c->wire, a, NULL, 0);
}

static int verb_hello(struct connection *c, const cJSON *request)
{
	cJSON *a = answer_ok();
	unsigned n = 0;

	(void)request;
	for (struct entry *e = c->server->entries; e; e = e->next)
		n++;
	cJSON_AddStringToObject(a, "daemon", "ctrecd " CTREC_VERSION);
	cJSON_AddNumberToObject(a, "pid", getpid());
	cJSON_AddBoolToObject(a, "private", c->server->private_mode);
	cJSON_AddNumberToObject(a, "sessions", n);
	cJSON_AddNumberToObject(a, "since", c->server->since);
	return wire_send(&c->wire, a, NULL, 0);
}

static uint32_t limit_of(const cJSON *limits, const char *name, uint32_t otherwise, uint32_t most)
{
	const cJSON *v = item(limits, name);

	if (!cJSON_IsNumber(v) || v->valuedouble < 0)
		return otherwise;
	return v->valuedouble > most ? most : (uint32_t)v->valuedouble;
}

static int check_journal(int fd)
{
	struct stat st;
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fstat(fd, &st) < 0)
		return err_set(ERR_USAGE, "the journal's descriptor: %m");
	if (!S_ISREG(st.st_mode) || (flags & O_ACCMODE) != O_RDWR || st.st_size)
		return err_set(ERR_USAGE, "the journal is no empty regular file, open read-write");
	return 0;
}

static int check_quota(struct server *s, uid_t uid)
{
	unsigned of_user = 0;

	for (struct entry *e = s->entries; e; e = e->next)
		of_user += session_uid(e->session) == uid;
	if (s->leaving)
		return err_set(ERR_BUSY, "the daemon is ending");
	if (s->nentries >= SERVER_MAX_SESSIONS)
		return err_set(ERR_BUSY, "%u sessions", s->nentries);
	if (uid && of_user >= SERVER_MAX_SESSIONS_OF_USER)
		return err_set(ERR_BUSY, "%u sessions of this user", of_user);
	return 0;
}

static int check_process(struct server *s, const struct session_request *q)
{
	int rc;

	if (q->pid < 0)
		return err_set(ERR_USAGE, "the second descriptor is no pidfd");
	if (q->pid == 0)
		return err_set(ERR_NO_PROCESS, "the process has ended");
	for (struct entry *e = s->entries; e; e = e->next) {
		struct session_status st;

		session_status(e->session, &st);
		if (session_pid(e->session) != q->pid && st.python != q->pid)
			continue;
		err_set(ERR_ALREADY_TRACING, "process %d", q->pid);
		return err_hint("stop session %lu first ('ctrec stop %lu')",
				(unsigned long)session_id(e->session),
				(unsigned long)session_id(e->session));
	}
	rc = permission_to_record(q->uid, q->gid, q->pid);
	/* The pidfd still stands for it, so what was read was its own. */
	if (rc == 0 && io_pidfd_signal(q->pidfd, 0) < 0)
		rc = err_set(ERR_NO_PROCESS, "process %d: %m", q->pid);
	return rc;
}

static int start_session(struct connection *c, const cJSON *request, struct session_request *q)
{
	struct server *s = c->server;
	const cJSON *limits = item(request, "limits");
	struct entry *e;
	int rc = check_quota(s, c->uid);

	q->limits.depth = limit_of(limits, "depth", CTREC_DEFAULT_DEPTH, CTREC_MAX_DEPTH);
	q->limits.items = limit_of(limits, "items", CTREC_DEFAULT_ITEMS, CTREC_MAX_ITEMS);
	q->limits.string = limit_of(limits, "string", CTREC_DEFAULT_STRING, CTREC_MAX_STRING);
	q->limits.nodes = limit_of(limits, "nodes", CTREC_DEFAULT_NODES, EV_MAX_NODES);
	if (rc == 0)
		rc = check_journal(q->journal_fd);
	if (rc == 0)
		rc = check_process(s, q);
	if (rc < 0)
		return rc;
	e = calloc(1, sizeof(*e));
	if (!e)
		return err_set(ERR_NOMEM, "a session");
	rc = session_new(&e->session, q, s->guard, s->spare, s->wake_fd);
	q->journal_fd = q->pidfd = -1;
	if (rc < 0) {
		free(e);
		return rc;
	}
	e->client = c;
	e->attach = q->attach;
	e->next = s->entries;
	s->entries = e;
	s->nentries++;
	return 0;
}

static enum session_probe probe_of(const char *kind)
{
	return !strcmp(kind, "page") ? PROBE_PAGE : !strcmp(kind, "usdt") ? PROBE_USDT : PROBE_AUTO;
}

/* A count of a request, bounded so that no sum of a few overflows. */
static uint64_t count_of(const cJSON *request, const char *name, uint64_t unit)
{
	const cJSON *v = item(request, name);

	return cJSON_IsNumber(v) && v->valuedouble > 0 && v->valuedouble < 1e12 ?
		       (uint64_t)(v->valuedouble * unit) : 0;
}

static int begin(struct connection *c, const cJSON *request, bool attach)
{
	struct session_request q = {
		.attach = attach, .max_steps = attach ? count_of(request, "max_steps", 1) : 0,
		.duration_ns = attach ? count_of(request, "duration_ms", 1000000) : 0,
		.uid = c->uid, .gid = c->gid,
		.program = text_of(request, "program"), .workdir = text_of(request, "workdir"),
		.trace = text_of(request, "trace"), .args = item(request, "args"),
		.all = cJSON_IsTrue(item(request, "all")),
		.probe = probe_of(text_of(request, "probe")),
	};
	int rc;

	if (c->wire.nfds != CTREC_FDS_START || !cJSON_IsArray(q.args)) {
		err_set(ERR_PROTOCOL, "a session needs %d descriptors and args", CTREC_FDS_START);
		return answer_error(c);
	}
	q.journal_fd = wire_take_fd(&c->wire, 0);
	q.pidfd = wire_take_fd(&c->wire, 1);
	q.pid = io_pidfd_pid(q.pidfd);
	rc = start_session(c, request, &q);
	io_close(&q.journal_fd);
	io_close(&q.pidfd);
	return rc < 0 ? answer_error(c) : 0; /* verb_report() answers when it is ready */
}

static int verb_start(struct connection *c, const cJSON *request)
{
	return begin(c, request, false);
}

static int verb_attach(struct connection *c, const cJSON *request)
{
	return begin(c, request, true);
}

static bool may_see(const struct connection *c, const struct entry *e)
{
	return c->uid == 0 || session_uid(e->session) == c->uid;
}

static int verb_stop(struct connection *c, const cJSON *request)
{
	const cJSON *id = item(request, "session"), *pid = item(request, "pid");
	bool all = cJSON_IsTrue(item(request, "all"));
	cJSON *a = answer_ok(), *stopped = cJSON_AddArrayToObject(a, "stopped");

	for (struct entry *e = c->server->entries; e; e = e->next) {
		struct session_status st;

		if (!may_see(c, e))
			continue;
		session_status(e->session, &st);
		if (!all && !(cJSON_IsNumber(id) && id->valuedouble == session_id(e->session)) &&
		    !(cJSON_IsNumber(pid) && (pid->valueint == session_pid(e->session) ||
					      pid->valueint == st.python)))
			continue;
		session_stop(e->session);
		cJSON_AddItemToArray(stopped, cJSON_CreateNumber(session_id(e->session)));
	}
	if (cJSON_GetArraySize(stopped) == 0 && !all) {
		cJSON_Delete(a);
		err_set(ERR_NO_SESSION, "%s %.0f", cJSON_IsNumber(id) ? "session" : "process",
			cJSON_GetNumberValue(cJSON_IsNumber(id) ? id : pid));
		return answer_error(c);
	}
	return wire_send(&c->wire, a, NULL, 0);
}

static cJSON *describe(const struct entry *e, const struct session_status *st)
{
	cJSON *o = cJSON_CreateObject();

	cJSON_AddNumberToObject(o, "session", session_id(e->session));
	cJSON_AddNumberToObject(o, "pid", session_pid(e->session));
	cJSON_AddNumberToObject(o, "python", st->python);
	cJSON_AddNumberToObject(o, "uid", session_uid(e->session));
	cJSON_AddStringToObject(o, "state", session_state_names[st->state]);
	cJSON_AddStringToObject(o, "program", session_program(e->session));
	cJSON_AddStringToObject(o, "trace", session_trace(e->session));
	cJSON_AddNumberToObject(o, "since", session_since(e->session));
	cJSON_AddNumberToObject(o, "events", st->events);
	cJSON_AddNumberToObject(o, "bytes", st->bytes);
	return o;
}

static int verb_list(struct connection *c, const cJSON *request)
{
	cJSON *a = answer_ok(), *list = cJSON_AddArrayToObject(a, "sessions");

	(void)request;
	for (struct entry *e = c->server->entries; e; e = e->next) {
		struct session_status st;

		if (!may_see(c, e))
			continue;
		session_status(e->session, &st);
		cJSON_InsertItemInArray(list, 0, describe(e, &st));
	}
	return wire_send(&c->wire, a, NULL, 0);
}

/* How one session goes; without a number the daemon itself. */
static int verb_status(struct connection *c, const cJSON *request)
{
	static const char *const reasons[EVG_MAX] = EV_GAP_NAMES;
	const cJSON *id = item(request, "session");
	struct session_status st;
	struct entry *e;
	cJSON *a, *o;

	if (!id)
		return verb_hello(c, request);
	for (e = c->server->entries; e; e = e->next)
		if (may_see(c, e) && cJSON_IsNumber(id) && id->valuedouble == session_id(e->session))
			break;
	if (!e) {
		err_set(ERR_NO_SESSION, "session %.0f", cJSON_GetNumberValue(id));
		return answer_error(c);
	}
	session_status(e->session, &st);
	a = describe(e, &st);
	cJSON_AddBoolToObject(a, "ok", 1);
	cJSON_AddNumberToObject(a, "rate", st.rate);
	o = cJSON_AddObjectToObject(a, "ring");
	cJSON_AddNumberToObject(o, "used", st.capture.ring_used);
	cJSON_AddNumberToObject(o, "size", st.capture.ring_size);
	cJSON_AddNumberToObject(a, "waits", st.capture.waits);
	cJSON_AddNumberToObject(a, "stops", st.capture.stops);
	o = cJSON_AddObjectToObject(a, "losses");
	for (int i = 1; i < EVG_MAX; i++)
		if (st.capture.gaps[i])
			cJSON_AddNumberToObject(o, reasons[i], st.capture.gaps[i]);
	return wire_send(&c->wire, a, NULL, 0);
}

int verb_dispatch(struct connection *c, const cJSON *request)
{
	static const struct {
		const char *name;
		int (*run)(struct connection *c, const cJSON *request);
	} verbs[] = {
		{ CTREC_VERB_HELLO, verb_hello }, { CTREC_VERB_STATUS, verb_status },
		{ CTREC_VERB_START, verb_start }, { CTREC_VERB_ATTACH, verb_attach }, { CTREC_VERB_STOP, verb_stop },
		{ CTREC_VERB_LIST, verb_list },
	};
	const char *verb = text_of(request, "verb");

	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		if (strcmp(verbs[i].name, verb) == 0)
			return verbs[i].run(c, request);
	err_set(ERR_PROTOCOL, "no verb '%.40s'", verb);
	return answer_error(c);
}

static void add_error(cJSON *to, const struct session_status *st)
{
	if (st->error.code)
		cJSON_AddItemToObject(to, "error", wire_error(st->error.code, st->error.context,
							      st->error.hint));
}

void verb_report(struct entry *e, const struct session_status *st)
{
	cJSON *m;

	if (!e->answered && st->state != SESSION_STARTING) {
		/* Ended without ever being ready: the answer is the error. */
		bool ok = st->state != SESSION_ENDED;

		m = cJSON_CreateObject();
		cJSON_AddBoolToObject(m, "ok", ok);
		if (ok)
			cJSON_AddNumberToObject(m, "session", session_id(e->session));
		else
			add_error(m, st);
		e->answered = true;
		if (wire_send(&e->client->wire, m, NULL, 0) < 0 || !ok)
			return;
	}
	if (st->state != SESSION_ENDED)
		return;
	m = cJSON_CreateObject();
	cJSON_AddStringToObject(m, "event", CTREC_EVENT_ENDED);
	cJSON_AddNumberToObject(m, "session", session_id(e->session));
	cJSON_AddBoolToObject(m, "recorded", st->recorded);
	cJSON_AddStringToObject(m, "reason", st->reason ? st->reason : "");
	cJSON_AddNumberToObject(m, "bytes", st->bytes);
	add_error(m, st);
	/* A peer that is gone is noticed at its socket's next event. */
	if (wire_send(&e->client->wire, m, NULL, 0) < 0)
		return;
}
