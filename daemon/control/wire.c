/* SPDX-License-Identifier: MIT */
#include "control/wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util/err.h"
#include "util/io.h"

/* A peer that has this much unread is not reading. */
#define MAX_QUEUE (16 * CTREC_MAX_MESSAGE)

void wire_init(struct wire *w, int fd)
{
	*w = (struct wire){ .fd = fd, .fds = { -1, -1, -1, -1 } };
}

void wire_drop_fds(struct wire *w)
{
	for (unsigned i = 0; i < w->nfds; i++)
		io_close(&w->fds[i]);
	w->nfds = 0;
}

void wire_deinit(struct wire *w)
{
	wire_drop_fds(w);
	io_close(&w->fd);
	buf_deinit(&w->in);
	buf_deinit(&w->out);
}

int wire_take_fd(struct wire *w, unsigned i)
{
	int fd;

	if (i >= w->nfds)
		return -1;
	fd = w->fds[i];
	w->fds[i] = -1;
	return fd;
}

static void take_descriptors(struct wire *w, struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		size_t n;
		int fd;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (w->nfds < CTREC_MAX_FDS)
				w->fds[w->nfds++] = fd;
			else
				close(fd);
		}
	}
}

int wire_read(struct wire *w)
{
	char control[CMSG_SPACE(CTREC_MAX_FDS * sizeof(int))];
	struct iovec iov;
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			    .msg_controllen = sizeof(control) };
	ssize_t n;

	iov.iov_len = 8192;
	iov.iov_base = buf_reserve(&w->in, iov.iov_len);
	if (!iov.iov_base)
		return buf_check(&w->in);
	do
		n = recvmsg(w->fd, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return 0;
	if (n < 0 && errno != ECONNRESET)
		return err_set(ERR_DAEMON, "receiving: %m");
	if (n <= 0) {
		w->eof = true;
		return 0;
	}
	take_descriptors(w, &m);
	w->in.len += n;
	return 1;
}

int wire_next(struct wire *w, cJSON **message)
{
	uint32_t len;
	cJSON *json, *version;

	if (w->in.len < sizeof(len))
		return 0;
	memcpy(&len, w->in.data, sizeof(len));
	if (len > CTREC_MAX_MESSAGE)
		return err_set(ERR_PROTOCOL, "a message of %u bytes", len);
	if (w->in.len < sizeof(len) + len)
		return 0;
	json = cJSON_ParseWithLength((const char *)w->in.data + sizeof(len), len);
	w->in.len -= sizeof(len) + len;
	memmove(w->in.data, w->in.data + sizeof(len) + len, w->in.len);
	version = cJSON_GetObjectItemCaseSensitive(json, "version");
	if (!cJSON_IsObject(json) || !cJSON_IsNumber(version)) {
		cJSON_Delete(json);
		return err_set(ERR_PROTOCOL, "a message that is no JSON object with a version");
	}
	if (version->valueint != CTREC_PROTOCOL_VERSION) {
		err_set(ERR_PROTOCOL, "protocol version %d, not %d", version->valueint,
			CTREC_PROTOCOL_VERSION);
		cJSON_Delete(json);
		return -ERR_PROTOCOL;
	}
	*message = json;
	return 1;
}

int wire_flush(struct wire *w)
{
	while (w->out.len) {
		ssize_t n = send(w->fd, w->out.data, w->out.len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return 0;
		if (n < 0)
			return err_set(ERR_DAEMON, "sending: %m");
		w->out.len -= n;
		memmove(w->out.data, w->out.data + n, w->out.len);
	}
	return 1;
}

/* The first byte of a message takes the descriptors along. */
static int send_first(struct wire *w, const int *fds, unsigned nfds)
{
	char control[CMSG_SPACE(CTREC_MAX_FDS * sizeof(int))] = { 0 };
	struct iovec iov = { .iov_base = w->out.data, .iov_len = w->out.len };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			    .msg_controllen = CMSG_SPACE(nfds * sizeof(int)) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	ssize_t n;

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(nfds * sizeof(int));
	memcpy(CMSG_DATA(c), fds, nfds * sizeof(int));
	do
		n = sendmsg(w->fd, &m, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_set(ERR_DAEMON, "sending: %m");
	w->out.len -= n;
	memmove(w->out.data, w->out.data + n, w->out.len);
	return 0;
}

int wire_send(struct wire *w, cJSON *message, const int *fds, unsigned nfds)
{
	char *text;
	size_t len;
	int rc;

	cJSON_AddNumberToObject(message, "version", CTREC_PROTOCOL_VERSION);
	text = cJSON_PrintUnformatted(message);
	cJSON_Delete(message);
	if (!text)
		return err_set(ERR_NOMEM, "a message");
	len = strlen(text);
	if (len > CTREC_MAX_MESSAGE) {
		free(text);
		return err_set(ERR_USAGE, "the arguments are too long (%zu bytes)", len);
	}
	if (w->out.len > MAX_QUEUE || (nfds && w->out.len)) {
		free(text);
		return err_set(ERR_DAEMON, "the peer does not read");
	}
	buf_u32(&w->out, len);
	buf_append(&w->out, text, len);
	free(text);
	rc = buf_check(&w->out);
	if (rc == 0 && nfds)
		rc = send_first(w, fds, nfds);
	if (rc == 0)
		rc = wire_flush(w);
	return rc < 0 ? rc : 0;
}

cJSON *wire_error(int code, const char *context, const char *hint)
{
	cJSON *e = cJSON_CreateObject();

	cJSON_AddStringToObject(e, "code", err_name(code));
	cJSON_AddStringToObject(e, "kind", err_kind(code));
	cJSON_AddStringToObject(e, "message", err_message(code));
	cJSON_AddStringToObject(e, "context", context);
	if (hint && *hint)
		cJSON_AddStringToObject(e, "hint", hint);
	return e;
}

int wire_take_error(const cJSON *error)
{
	const char *code, *context, *hint;

	code = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(error, "code"));
	context = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(error, "context"));
	hint = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(error, "hint"));
	return err_take(code, context, hint);
}
