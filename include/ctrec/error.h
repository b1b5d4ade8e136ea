/* SPDX-License-Identifier: MIT */
/*
 * error.h: every error ctrec reports, once.
 *
 * CTREC_ERRORS(X) lists X(CODE, KIND, EXIT, MESSAGE, HINT). The enum, the
 * messages, the JSON trailer, the protocol and the man page come from it. Codes
 * are stable: once released a code keeps its name, its kind and its meaning.
 *
 * Kinds: UsageError (bad input or calling pattern), EnvironmentError (files,
 * OS, privileges), TargetError (the program refused inspection, is not
 * supported, or ended badly), InternalError (a defect of ctrec).
 *
 * Functions return 0 (or a documented positive value) on success and -CODE on
 * failure, after err_set() recorded what happened (daemon/util/err.h).
 */
#ifndef CTREC_ERROR_H
#define CTREC_ERROR_H

enum ctrec_kind { CTREC_USAGE, CTREC_ENVIRONMENT, CTREC_TARGET, CTREC_INTERNAL };

#define CTREC_ERRORS(X)                                                                            \
	X(ERR_UNKNOWN, INTERNAL, 1, "an unexpected error",                                         \
	  "please report it with the command and its output")                                      \
	X(ERR_NOMEM, ENVIRONMENT, 1, "out of memory", "free some memory or lower the limits")      \
	X(ERR_USAGE, USAGE, 2, "the arguments make no sense", "see 'ctrec --help'")                \
	X(ERR_NO_PROGRAM, USAGE, 127, "no such program",                                           \
	  "check the name; a PATH search finds only executable files")                             \
	X(ERR_NOT_EXECUTABLE, USAGE, 126, "the program can't be executed",                         \
	  "make it executable, or name its interpreter: ctrec run -- python3 script.py")           \
	X(ERR_IO, ENVIRONMENT, 1, "reading or writing a file failed",                              \
	  "check that the path exists and that you may use it")                                    \
	X(ERR_NO_SPACE, ENVIRONMENT, 1, "no space left for the trace",                             \
	  "free space, or record elsewhere with -o DIR; what was recorded until then is kept")     \
	X(ERR_TRACE_DIR_CONFLICT, ENVIRONMENT, 1, "a trace of that name already exists",           \
	  "give another directory with -o, or --force to overwrite it")                            \
	X(ERR_TRACE_INCOMPLETE, ENVIRONMENT, 1, "the trace is incomplete",                         \
	  "'ctrec recover JOURNAL' keeps everything up to the damage")                             \
	X(ERR_BAD_TRACE, USAGE, 1, "not a trace ctrec can read",                                   \
	  "give a .ct file (ctrec print) or a .ct.journal (ctrec recover)")                        \
	X(ERR_NO_PRIVILEGE, ENVIRONMENT, 1, "not permitted",                                       \
	  "run it as root (sudo ctrec run -u \"$USER\" -- …), or ask for ctrecd to be installed")  \
	X(ERR_NO_BPF, ENVIRONMENT, 1, "this kernel does not let ctrec use eBPF here",              \
	  "Linux 6.1 or newer with BTF is needed, and no container that forbids bpf(2)")           \
	X(ERR_DAEMON, ENVIRONMENT, 1, "the daemon can't be reached",                               \
	  "start it (systemctl start ctrecd.socket), or run as root without one")                  \
	X(ERR_PROTOCOL, INTERNAL, 1, "the daemon and its client do not understand each other",     \
	  "install ctrec and ctrecd of the same version")                                          \
	X(ERR_BUSY, ENVIRONMENT, 1, "a limit of the daemon was reached",                           \
	  "stop a session first ('ctrec list'), or raise the limit")                               \
	X(ERR_NO_SESSION, USAGE, 1, "no such session", "'ctrec list' shows those there are")       \
	X(ERR_NO_PROCESS, USAGE, 1, "no such process", "check the process id")                     \
	X(ERR_ALREADY_TRACING, USAGE, 1, "the process is being recorded already",                  \
	  "stop that session first ('ctrec list')")                                                \
	X(ERR_NOT_PYTHON, TARGET, 1, "the program never became a CPython",                         \
	  "ctrec records CPython only; name the interpreter: ctrec run -- python3 script.py")      \
	X(ERR_NO_PROBES, TARGET, 1, "this interpreter has no USDT probes",                         \
	  "use one built with --with-dtrace (Debian 12's /usr/bin/python3 is)")                    \
	X(ERR_UNSUPPORTED_PYTHON, TARGET, 1, "this version of Python is not supported",            \
	  "'ctrec --version' names the supported ones")                                            \
	X(ERR_TARGET_MEMORY, TARGET, 1, "the program's memory can't be read",                      \
	  "it may have ended, or its memory be damaged")                                           \
	X(ERR_TARGET_LAYOUT, TARGET, 1, "the interpreter does not look as its version says",       \
	  "it may be a patched build; report it with 'python3 -VV'")                               \
	X(ERR_TARGET_GONE, TARGET, 1, "the program ended before it could be recorded", "try again") \
	X(ERR_NOTHING_RECORDED, TARGET, 1, "no line of the program was recorded",                  \
	  "standard-library code is left out unless --all is given")

#define X(code, kind, exit, message, hint) code,
enum ctrec_error { ERR_OK = 0, CTREC_ERRORS(X) ERR_MAX };
#undef X

#endif
