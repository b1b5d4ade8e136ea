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
/* A program's arguments as far as a message holds them, the last one cut with "…". */
cJSON *client_arguments(char *const *argv);
/* Asks (frees the request) and waits for the answer; an error in it becomes ours. */
int client_ask(struct client *c, cJSON *request, const int *fds, unsigned nfds, cJSON **answer);

/* The options of the commands that ask the daemon. */
struct client_options {
	const char *socket;
	bool json, all;
};
/* which: those there are besides --socket and --help: j --json, a --all. -1: go on
 * with the arguments from argv[optind]; otherwise the exit status. */
int client_options(struct client_options *o, const char *command, const char *help,
		   const char *which, int argc, char **argv);

#endif
