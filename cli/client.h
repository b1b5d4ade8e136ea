/* SPDX-License-Identifier: MIT */
/*
 * client.h: a connection to ctrecd: the one that listens, or one of our own.
 */
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <sys/types.h>

#include "control/wire.h"

struct client {
	struct wire wire;
	pid_t own_daemon; /* a private daemon, our child; 0: none */
};

/* socket: NULL for $CTREC_SOCKET or the default. -ERR_DAEMON: nobody listens;
 * -ERR_NO_PRIVILEGE: the socket may not be used. */
int client_connect(struct client *c, const char *socket);
/* Connects; as root and with no socket named, starts a private daemon where nobody listens. */
int client_connect_or_start(struct client *c, const char *socket);
/* Closes the connection; a private daemon then ends, which client_wait() waits for. */
void client_close(struct client *c);
void client_wait(struct client *c);

cJSON *client_request(const char *verb);
/* Asks (frees the request) and waits for the answer; an error in it becomes ours. */
int client_ask(struct client *c, cJSON *request, const int *fds, unsigned nfds, cJSON **answer);

#endif
