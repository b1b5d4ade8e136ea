/* SPDX-License-Identifier: MIT */
/*
 * ctrec: the command a user types. One cmd_NAME.c a subcommand.
 */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "python/resolve.h"
#include "util/err.h"

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *what;
} commands[] = {
	{ "run", cmd_run, "run a program and record it" },
	{ "attach", cmd_attach, "record a program that runs already" },
	{ "print", cmd_print, "show a trace as text or JSON" },
	{ "recover", cmd_recover, "make a trace of a recording that was cut off" },
	{ "list", cmd_list, "show the recordings that are under way" },
	{ "stop", cmd_stop, "end a recording; its program goes on" },
	{ "status", cmd_status, "show whether the daemon is there" },
};

#define NCOMMANDS (sizeof(commands) / sizeof(*commands))

static void help(FILE *to)
{
	fputs("ctrec records what a Python program does, line by line, from outside: every line\n"
	      "with the values of its variables, every call and return, its output.\n"
	      "\n"
	      "usage: ctrec COMMAND [OPTION…]\n"
	      "\n"
	      "  sudo ctrec run -u \"$USER\" -- python3 script.py\n"
	      "                          records script.py into trace-out/script.ct\n"
	      "  sudo ctrec attach --duration 2s PID\n"
	      "  ctrec print trace-out/script.ct\n"
	      "\n"
	      "commands:\n",
	      to);
	for (size_t i = 0; i < NCOMMANDS; i++)
		fprintf(to, "  %-9s %s\n", commands[i].name, commands[i].what);
	fputs("\n"
	      "'ctrec COMMAND --help' tells more of each; 'ctrec --version' names the Pythons\n"
	      "that can be recorded.\n",
	      to);
}

static int unknown(const char *name)
{
	err_set(ERR_USAGE, "ctrec has no command '%.60s'", name);
	for (size_t i = 0; i < NCOMMANDS; i++)
		if (name[0] && strncmp(name, commands[i].name, strlen(name)) == 0)
			return cli_fail(err_hint("did you mean 'ctrec %s'?", commands[i].name));
	if (strchr(name, '/') || strstr(name, "python") || strstr(name, ".py"))
		return cli_fail(err_hint("to record a program: ctrec run -- %.60s …", name));
	return cli_fail(-ERR_USAGE);
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	if (argc < 2) {
		help(stderr);
		return 2;
	}
	if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help")) {
		help(stdout);
		return 0;
	}
	if (!strcmp(name, "--version") || !strcmp(name, "-V")) {
		printf("ctrec %s\nrecords CPython %s\n", CTREC_VERSION, python_supported());
		return 0;
	}
	for (size_t i = 0; i < NCOMMANDS; i++)
		if (!strcmp(name, commands[i].name))
			return commands[i].run(argc - 1, argv + 1);
	return unknown(name);
}
