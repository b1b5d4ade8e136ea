/* SPDX-License-Identifier: MIT */
/*
 * log.h: one line a message on stderr, with the <N> prefix that systemd's
 * journal reads when stderr is its stream.
 */
#ifndef UTIL_LOG_H
#define UTIL_LOG_H

#include <syslog.h>

void log_line(int priority, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The thread's last error (err.h), with what was being done. */
void log_error(const char *doing);

#endif
