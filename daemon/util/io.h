/* SPDX-License-Identifier: MIT */
/*
 * io.h: descriptors, small files, clocks.
 */
#ifndef UTIL_IO_H
#define UTIL_IO_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Closes *fd unless it is negative and makes it -1; for __attribute__((cleanup)). */
void io_close(int *fd);
#define _cleanup_fd_ __attribute__((cleanup(io_close)))

/* Reads a small file (of /proc) whole, zero-terminated. Its length, or -1 with errno. */
ssize_t io_read_file(const char *path, char *to, size_t cap);

/* A pidfd, as an invalid descriptor -1 with errno where the process is gone. */
int io_pidfd_open(pid_t pid);
int io_pidfd_signal(int pidfd, int sig);
/* The process a pidfd stands for, 0 when it is gone, -1 when fd is no pidfd. */
pid_t io_pidfd_pid(int fd);

uint64_t io_now_ns(void); /* CLOCK_MONOTONIC */

#endif
