/* SPDX-License-Identifier: MIT */
/*
 * status_session.h: how one recording goes, for people.
 */
#ifndef CLI_STATUS_SESSION_H
#define CLI_STATUS_SESSION_H

#include <cjson/cJSON.h>

/* s: the daemon's answer. */
void status_session(const cJSON *s);

#endif
