/* SPDX-License-Identifier: MIT */
/*
 * wire.h: one end of a connection: framing, JSON, descriptors.
 *
 * Used by both sides. The daemon's sockets do not block: what can't be sent now
 * is queued, and a peer that lets the queue grow is cut off. The client's block.
 * What arrives is hostile: lengths are bounded before anything is allocated, and
 * descriptors beyond CTREC_MAX_FDS are closed unseen.
 */
#ifndef CONTROL_WIRE_H
#define CONTROL_WIRE_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "ctrec/protocol.h"
#include "util/buf.h"

struct wire {
	int fd;
	bool eof;
	struct buf in, out;
	int fds[CTREC_MAX_FDS]; /* came with the message wire_next() gives next */
	unsigned nfds;
};

void wire_init(struct wire *w, int fd); /* takes the descriptor */
void wire_deinit(struct wire *w);

/* Receives what is there. 1: something; 0: it would block; at the end: 0 with
 * w->eof; -ERR_DAEMON. */
int wire_read(struct wire *w);
/* The next whole message. 1; 0: not here yet; -ERR_PROTOCOL. */
int wire_next(struct wire *w, cJSON **message);
/* Takes over descriptor i of the message, or -1. */
int wire_take_fd(struct wire *w, unsigned i);
void wire_drop_fds(struct wire *w);

/* Queues and sends a message ("version" is added); frees it. -ERR_DAEMON when
 * the peer is gone or does not read. Descriptors need an empty queue. */
int wire_send(struct wire *w, cJSON *message, const int *fds, unsigned nfds);
/* Sends what is queued. 1: all is sent; 0: it would block; -ERR_DAEMON. */
int wire_flush(struct wire *w);

/* "error" objects: made from the thread's last error, and back into one. */
cJSON *wire_error(int code, const char *context, const char *hint);
int wire_take_error(const cJSON *error);

#endif
