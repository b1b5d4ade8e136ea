/* SPDX-License-Identifier: MIT */
/*
 * cli.h: what the subcommands share: the table of commands, how errors and
 * numbers are shown.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stddef.h>
#include <stdint.h>

/* Each is given argv[0] = its own name and returns the exit status. */
int cmd_run(int argc, char **argv);
int cmd_attach(int argc, char **argv);
int cmd_print(int argc, char **argv);
int cmd_recover(int argc, char **argv);
int cmd_stop(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_status(int argc, char **argv);

/* Shows the thread's last error on stderr and returns its exit status:
 *	ctrec: error: <message>: <context> [ERR_CODE]
 *	  hint: …
 * rc is what the failed function returned (-code). */
int cli_fail(int rc);
/* ERR_USAGE about one command: "…; see 'ctrec <command> --help'". Returns 2. */
int cli_usage(const char *command, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* 1234567 -> "1,234,567"; 12345 -> "12.3 kB". to holds CLI_NUMBER bytes; returned. */
#define CLI_NUMBER 32
char *cli_number(char *to, uint64_t n);
char *cli_bytes(char *to, uint64_t n);

/* A whole number in [least, most], or -ERR_USAGE naming the option. */
int cli_parse_number(const char *option, const char *text, unsigned least, unsigned most,
		     unsigned *value);

/* "500ms", "2s", "1.5m", "1h"; a number alone is seconds. -ERR_USAGE naming the option. */
int cli_parse_duration(const char *option, const char *text, uint64_t *ms);

#endif
