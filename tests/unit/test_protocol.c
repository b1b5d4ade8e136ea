/* SPDX-License-Identifier: MIT */
/*
 * test_protocol.c: messages and descriptors between ctrec and ctrecd; which
 * record is missing; which frames are open; what a trace is called.
 */
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/launch.h"
#include "cli/launch_name.c" /* the command's own code is in no library */
#include "control/wire.h"
#include "ctrec/error.h"
#include "session/frames.h"
#include "session/order.h"
#include "session/permission.h"
#include "util/err.h"

static struct wire a, b;

static void connect_both(void)
{
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	wire_init(&a, fds[0]);
	wire_init(&b, fds[1]);
}

static void disconnect_both(void)
{
	wire_deinit(&a);
	wire_deinit(&b);
}

static cJSON *message(const char *verb)
{
	cJSON *m = cJSON_CreateObject();

	cJSON_AddStringToObject(m, "verb", verb);
	return m;
}

static const char *verb_of(const cJSON *m)
{
	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(m, "verb"));
}

/* Bytes as a hostile peer might send them. */
static void send_raw(uint32_t length, const char *text)
{
	size_t n = strlen(text);

	ck_assert_int_eq(write(a.fd, &length, sizeof(length)), sizeof(length));
	ck_assert_int_eq(write(a.fd, text, n), n);
}

START_TEST(test_messages_keep_their_bounds)
{
	cJSON *m;

	ck_assert_int_eq(wire_send(&a, message("one"), NULL, 0), 0);
	ck_assert_int_eq(wire_send(&a, message("two"), NULL, 0), 0);
	ck_assert_int_eq(wire_read(&b), 1);
	ck_assert_int_eq(wire_next(&b, &m), 1);
	ck_assert_str_eq(verb_of(m), "one");
	cJSON_Delete(m);
	ck_assert_int_eq(wire_next(&b, &m), 1);
	ck_assert_str_eq(verb_of(m), "two");
	ck_assert_int_eq(cJSON_GetNumberValue(cJSON_GetObjectItem(m, "version")),
			 CTREC_PROTOCOL_VERSION);
	cJSON_Delete(m);
	ck_assert_int_eq(wire_next(&b, &m), 0);
	ck_assert_int_eq(wire_read(&b), 0);
	ck_assert(!b.eof);
}
END_TEST

START_TEST(test_a_message_byte_by_byte)
{
	static const char text[] = "{\"version\":1,\"verb\":\"slow\"}";
	uint32_t n = sizeof(text) - 1;
	char whole[64];
	cJSON *m;

	memcpy(whole, &n, sizeof(n));
	memcpy(whole + sizeof(n), text, n);
	for (size_t i = 0; i < sizeof(n) + n; i++) {
		ck_assert_int_eq(wire_next(&b, &m), 0);
		ck_assert_int_eq(write(a.fd, whole + i, 1), 1);
		ck_assert_int_eq(wire_read(&b), 1);
	}
	ck_assert_int_eq(wire_next(&b, &m), 1);
	ck_assert_str_eq(verb_of(m), "slow");
	cJSON_Delete(m);
}
END_TEST

START_TEST(test_hostile_messages)
{
	static const struct { uint32_t length; const char *text; } bad[] = {
		{ CTREC_MAX_MESSAGE + 1, "{" }, { UINT32_MAX, "" }, { 0, "" },
		{ 1, "{" }, { 2, "[]" }, { 2, "{}" }, { 4, "null" },
		{ 13, "{\"version\":2}" }, { 15, "{\"version\":\"1\"}" }, { 3, "\xff\xfe\xfd" },
	};
	cJSON *m = NULL;
	int rc;

	send_raw(bad[_i].length, bad[_i].text);
	ck_assert_int_eq(wire_read(&b), 1);
	rc = wire_next(&b, &m);
	if (rc == 0) { /* the length and the text may come apart */
		wire_read(&b);
		rc = wire_next(&b, &m);
	}
	ck_assert_int_eq(rc, -ERR_PROTOCOL);
	ck_assert_ptr_null(m);
}
END_TEST

START_TEST(test_descriptors_travel)
{
	int fds[3], got;
	struct stat st[2];
	cJSON *m;

	for (int i = 0; i < 3; i++)
		fds[i] = memfd_create("fd", 0);
	ck_assert_int_eq(wire_send(&a, message("start"), fds, 2), 0);
	ck_assert_int_eq(wire_read(&b), 1);
	ck_assert_int_eq(wire_next(&b, &m), 1);
	cJSON_Delete(m);
	ck_assert_uint_eq(b.nfds, 2);
	got = wire_take_fd(&b, 1);
	ck_assert_int_eq(fstat(fds[1], &st[0]), 0);
	ck_assert_int_eq(fstat(got, &st[1]), 0);
	ck_assert_uint_eq(st[0].st_ino, st[1].st_ino);
	ck_assert_int_eq(fcntl(got, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	ck_assert_int_eq(wire_take_fd(&b, 1), -1);
	ck_assert_int_eq(wire_take_fd(&b, 2), -1);
	close(got);
	wire_drop_fds(&b);
	ck_assert_uint_eq(b.nfds, 0);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
}
END_TEST

static unsigned open_fds(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

START_TEST(test_surplus_descriptors_are_closed)
{
	char control[CMSG_SPACE(32 * sizeof(int))] = { 0 }, byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&h);
	unsigned before;

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(32 * sizeof(int));
	for (int i = 0; i < 32; i++)
		memcpy(CMSG_DATA(c) + i * sizeof(int), &a.fd, sizeof(int));
	before = open_fds();
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(sendmsg(a.fd, &h, 0), 1);
		ck_assert_int_eq(wire_read(&b), 1);
	}
	ck_assert_uint_le(b.nfds, CTREC_MAX_FDS);
	ck_assert_uint_eq(open_fds(), before + b.nfds);
	wire_drop_fds(&b);
	ck_assert_uint_eq(open_fds(), before);
}
END_TEST

START_TEST(test_a_peer_that_does_not_read)
{
	int rc = 0, sent = 0;

	while (rc == 0 && sent < 200) {
		char *text = calloc(1, 60001);
		cJSON *m = cJSON_CreateObject();

		memset(text, 'x', 60000);
		cJSON_AddStringToObject(m, "text", text);
		free(text);
		rc = wire_send(&a, m, NULL, 0);
		sent++;
	}
	ck_assert_int_eq(rc, -ERR_DAEMON);
	ck_assert_int_lt(sent, 200);
}
END_TEST

START_TEST(test_the_peer_goes)
{
	cJSON *m;

	ck_assert_int_eq(wire_send(&a, message("last"), NULL, 0), 0);
	wire_deinit(&a);
	a.fd = -1;
	ck_assert_int_eq(wire_read(&b), 1);
	ck_assert_int_eq(wire_next(&b, &m), 1);
	cJSON_Delete(m);
	ck_assert_int_eq(wire_read(&b), 0);
	ck_assert(b.eof);
	ck_assert_int_eq(wire_send(&b, message("late"), NULL, 0), -ERR_DAEMON);
}
END_TEST

START_TEST(test_too_long_to_send)
{
	char *text = calloc(1, CTREC_MAX_MESSAGE + 2);
	cJSON *m = cJSON_CreateObject();

	memset(text, 'x', CTREC_MAX_MESSAGE + 1);
	cJSON_AddStringToObject(m, "text", text);
	free(text);
	ck_assert_int_eq(wire_send(&a, m, NULL, 0), -ERR_USAGE);
}
END_TEST

START_TEST(test_errors_travel)
{
	cJSON *e;

	err_set(ERR_BUSY, "7 sessions");
	e = wire_error(ERR_BUSY, err_last()->context, "wait");
	err_set(ERR_IO, "something else");
	ck_assert_int_eq(wire_take_error(e), -ERR_BUSY);
	ck_assert_str_eq(err_last()->context, "7 sessions");
	ck_assert_str_eq(err_last()->hint, "wait");
	cJSON_Delete(e);
	ck_assert_int_eq(wire_take_error(NULL), -ERR_UNKNOWN);
}
END_TEST

/* Numbers 1..9 with 4 and 5 on the other ring, 7 lost. */
START_TEST(test_order)
{
	struct order o = { 0 };
	uint64_t late = ORDER_PATIENCE_NS + 10;

	ck_assert(!order_seen(&o, 1, true, 1));
	ck_assert(!order_seen(&o, 2, true, 1));
	ck_assert(!order_seen(&o, 3, true, 1));
	ck_assert(order_seen(&o, 6, true, 2));
	ck_assert(order_seen(&o, 8, true, 2));
	ck_assert(!order_seen(&o, 5, false, 3));
	ck_assert_uint_eq(order_losses(&o, 3), 0);
	ck_assert(!order_seen(&o, 4, false, 3));
	ck_assert(!order_seen(&o, 9, true, 3));
	ck_assert_uint_eq(order_losses(&o, 3), 0);
	ck_assert_uint_eq(order_losses(&o, late), 1);
	ck_assert_uint_eq(order_losses(&o, late), 0);
	ck_assert_uint_eq(order_finish(&o), 0);
}
END_TEST

/* The control ring's reader runs ahead: what it has not seen is not lost. */
START_TEST(test_order_ahead)
{
	struct order o = { 0 };

	order_seen(&o, 1, true, 1);
	ck_assert(order_seen(&o, 1000, false, 1));
	ck_assert_uint_eq(order_losses(&o, 1u << 30), 0);
	for (uint64_t n = 2; n < 1000; n++)
		ck_assert(!order_seen(&o, n, true, 2));
	ck_assert_uint_eq(order_finish(&o), 0);
}
END_TEST

/* Every second one is missing, more than there is room for: still all counted. */
START_TEST(test_order_many_holes)
{
	struct order o = { 0 };

	for (uint64_t n = 1; n <= 8 * ORDER_MAX_HOLES; n += 2)
		order_seen(&o, n, true, n);
	ck_assert_uint_eq(order_finish(&o), 4 * ORDER_MAX_HOLES - 1);
}
END_TEST

START_TEST(test_order_split)
{
	struct order o = { 0 };
	uint64_t lost = 0;

	order_seen(&o, 1, true, 1);
	order_seen(&o, 10000, true, 1);
	for (uint64_t n = 3; n < 10000; n += 2) /* splits one hole beyond what there is room for */
		order_seen(&o, n, false, 1);
	lost = order_finish(&o);
	ck_assert_uint_eq(lost, 4999);
}
END_TEST

static void frame(struct frames *f, uint8_t type, uint32_t thread, uint64_t serial, uint32_t depth,
		  uint32_t lasti)
{
	struct ev_frame e = { .h = { .size = sizeof(e), .type = type }, .frame = serial,
			      .code = serial * 10, .lasti = lasti, .thread = thread, .depth = depth };

	frames_event(f, &e);
}

static const struct ev_checkpoint *checkpoint(const struct frames *f, struct buf *to)
{
	buf_clear(to);
	frames_checkpoint(f, 7, to);
	return (const void *)to->data;
}

START_TEST(test_frames)
{
	const struct ev_openframe *open;
	const struct ev_checkpoint *c;
	struct frames f = { 0 };
	struct buf out = { 0 };

	frame(&f, EV_ENTRY, 1, 100, 0, 0);
	frame(&f, EV_LINE, 1, 100, 0, 2);
	frame(&f, EV_ENTRY, 1, 101, 1, 0);
	frame(&f, EV_ENTRY, 3, 102, 0, 0);
	frame(&f, EV_LINE, 1, 101, 1, 8);
	c = checkpoint(&f, &out);
	open = (const void *)(c + 1);
	ck_assert_uint_eq(c->h.size, out.len);
	ck_assert_uint_eq(c->time, 7);
	ck_assert_uint_eq(c->nframes, 3);
	ck_assert_uint_eq(open[0].frame, 100);
	ck_assert_uint_eq(open[0].lasti, 2);
	ck_assert_uint_eq(open[1].frame, 101);
	ck_assert_uint_eq(open[1].lasti, 8);
	ck_assert_uint_eq(open[1].code, 1010);
	ck_assert_uint_eq(open[2].thread, 3);
	/* a return that was not seen shows in the next entry's depth */
	frame(&f, EV_ENTRY, 1, 103, 1, 0);
	frame(&f, EV_RETURN, 1, 103, 1, 4);
	frame(&f, EV_RETURN, 3, 102, 0, 4);
	frame(&f, EV_RETURN, 3, 999, 0, 4);
	c = checkpoint(&f, &out);
	ck_assert_uint_eq(c->nframes, 1);
	buf_deinit(&out);
	frames_deinit(&f);
}
END_TEST

START_TEST(test_frames_are_bounded)
{
	const struct ev_checkpoint *c;
	struct frames f = { 0 };
	struct buf out = { 0 };

	for (uint32_t i = 0; i < 200000; i++)
		frame(&f, EV_ENTRY, 1, i, i, 0);
	frame(&f, EV_ENTRY, UINT32_MAX, 1, UINT32_MAX, 0);
	frame(&f, EV_ENTRY, 4095, 77, 0, 0);
	c = checkpoint(&f, &out);
	ck_assert_uint_le(c->h.size, EV_MAX_RECORD);
	ck_assert_uint_eq(c->h.size, sizeof(*c) + c->nframes * sizeof(struct ev_openframe));
	buf_deinit(&out);
	frames_deinit(&f);
}
END_TEST

START_TEST(test_names)
{
	static const struct { const char *name; const char *argv[8]; } cases[] = {
		{ "script", { "python3", "script.py", "x" } },
		{ "script", { "/usr/bin/python3.11", "-X", "dev", "-W", "error", "/a/b/script.py" } },
		{ "script", { "python3", "-Xdev", "-BuW", "error", "script.py" } },
		{ "script", { "python3", "--check-hash-based-pycs", "never", "script.py" } },
		{ "script", { "env", "A=1", "python3", "script.py" } },
		{ "script", { "timeout", "5", "nice", "-n", "3", "python3.11-dbg", "script.py" } },
		{ "script", { "python3", "--", "script.py" } },
		{ "server", { "python3", "-m", "http.server", "8000" } },
		{ "server", { "python3", "-umhttp.server" } },
		{ "python-c", { "python3", "-c", "print(1)", "x.py" } },
		{ "python-c", { "python3", "-Bc", "print(1)" } },
		{ "stdin", { "python3", "-", "x.py" } },
		{ "stdin", { "python3" } },
		{ "pkg", { "python3", "a/pkg/" } },
		{ "app", { "python3", "app.pyz" } },
		{ "script.v2", { "python3", "script.v2" } },
		{ ".py", { "python3", ".py" } },
		{ "tool", { "/opt/bin/tool", "x" } },
		{ "a_b", { "python3", "a\nb.py" } },
		{ "python", { "python3", "." } },
		{ "python", { "python3", ".." } },
	};
	char name[256];

	launch_name((char *const *)cases[_i].argv, "/nonexistent", name, sizeof(name));
	ck_assert_str_eq(name, cases[_i].name);
}
END_TEST

START_TEST(test_long_names)
{
	char script[5000], name[256];
	char *argv[] = { "python3", script, NULL };

	memset(script, 'n', sizeof(script));
	strcpy(script + sizeof(script) - 4, ".py");
	launch_name(argv, "/nonexistent", name, sizeof(name));
	ck_assert_uint_lt(strlen(name), 200);
}
END_TEST

/* A waiting child with other ids, or none changed. */
static pid_t waiting_child(uid_t uid, gid_t gid)
{
	int ready[2];
	pid_t pid;
	char byte;

	ck_assert_int_eq(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		if (uid && (setgid(gid) || setuid(uid)))
			_exit(1);
		execl("/bin/sleep", "sleep", "60", (char *)NULL);
		_exit(1);
	}
	close(ready[1]);
	ck_assert_int_eq(read(ready[0], &byte, 1), 0); /* closed by the exec */
	close(ready[0]);
	return pid;
}

static void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

START_TEST(test_permission)
{
	pid_t own, root;

	ck_assert_int_eq(permission_to_record(0, 0, 1), 0);
	ck_assert_int_eq(permission_to_record(65534, 65534, 1), -ERR_NO_PRIVILEGE);
	ck_assert_int_eq(permission_to_record(65534, 65534, 0x7ffffff0), -ERR_NO_PROCESS);
	if (geteuid())
		return; /* becoming others takes root */
	root = waiting_child(0, 0);
	own = waiting_child(65534, 65534);
	ck_assert_int_eq(permission_to_record(65534, 65534, own), 0);
	ck_assert_int_eq(permission_to_record(65534, 0, own), -ERR_NO_PRIVILEGE);
	ck_assert_int_eq(permission_to_record(1, 65534, own), -ERR_NO_PRIVILEGE);
	ck_assert_int_eq(permission_to_record(65534, 65534, root), -ERR_NO_PRIVILEGE);
	end_child(own);
	end_child(root);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("protocol");
	TCase *w = tcase_create("wire"), *o = tcase_create("order"), *n = tcase_create("names");
	SRunner *r;
	int failed;

	signal(SIGPIPE, SIG_IGN);
	tcase_add_checked_fixture(w, connect_both, disconnect_both);
	tcase_add_test(w, test_messages_keep_their_bounds);
	tcase_add_test(w, test_a_message_byte_by_byte);
	tcase_add_loop_test(w, test_hostile_messages, 0, 10);
	tcase_add_test(w, test_descriptors_travel);
	tcase_add_test(w, test_surplus_descriptors_are_closed);
	tcase_add_test(w, test_a_peer_that_does_not_read);
	tcase_add_test(w, test_the_peer_goes);
	tcase_add_test(w, test_too_long_to_send);
	tcase_add_test(w, test_errors_travel);
	tcase_add_test(o, test_order);
	tcase_add_test(o, test_order_ahead);
	tcase_add_test(o, test_order_many_holes);
	tcase_add_test(o, test_order_split);
	tcase_add_test(o, test_frames);
	tcase_add_test(o, test_frames_are_bounded);
	tcase_add_loop_test(n, test_names, 0, 21);
	tcase_add_test(n, test_long_names);
	tcase_add_test(n, test_permission);
	suite_add_tcase(s, w);
	suite_add_tcase(s, o);
	suite_add_tcase(s, n);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
