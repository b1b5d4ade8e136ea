/* SPDX-License-Identifier: MIT */
/*
 * target.h: a process seen from outside: its memory, its mappings, its files.
 *
 * A remote address is its own type, never a pointer. Everything read is hostile.
 */
#ifndef TARGET_TARGET_H
#define TARGET_TARGET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct { uint64_t v; } remote_t; /* an address in the target */

/* Remote memory behind a small interface: a live process, a core, a fixture. */
struct memory {
	/* Reads exactly len bytes, 0; or -ERR_TARGET_MEMORY (without err_set cost is fine: callers probe). */
	int (*read)(struct memory *m, remote_t addr, void *to, size_t len);
};

struct target {
	struct memory mem; /* process_vm_readv */
	pid_t pid;
	int pidfd;
};

/* Opens a process. -ERR_NO_PROCESS, -ERR_NO_PRIVILEGE. */
int target_open(struct target **ret, pid_t pid);
struct target *target_free(struct target *t); /* returns NULL */

/* What an executable mapping of an ELF file tells. */
struct module {
	char path[4096];   /* as in /proc/PID/maps */
	uint64_t bias;	   /* address in memory minus address in the file's headers */
	uint64_t dev, ino;
	int fd;		   /* the very file that is mapped (through /proc/PID/root, checked by dev and inode) */
};

/* A USDT probe from .note.stapsdt. Offsets are into the file (for uprobes). */
struct usdt {
	uint64_t offset;      /* of the probe's nop in the file */
	uint64_t sem_offset;  /* of its semaphore in the file (ref_ctr_offset); 0: none */
	uint64_t address;     /* in the target's memory */
	unsigned nop_len;     /* bytes of the nop there: 1, or 5 (not to be probed in a program that forks) */
};

/* What ELF and /proc say about a CPython in a process. */
struct python_info {
	unsigned version;	/* (major << 8) | minor, from Py_Version or the file's name and strings; 0: unknown */
	char version_text[64];	/* "3.11.2" */
	struct module exe;	/* the module that holds the interpreter: executable or libpython */
	uint64_t runtime;	/* _PyRuntime in memory */
	uint64_t statics[64];	/* enum ctrec_static -> address, 0 unknown */
	int has_usdt;		/* line, function__entry and function__return are there */
	/* each probe may stand at several places (inlining) */
	struct usdt line[8], entry[8], ret[8];
	unsigned nline, nentry, nret;
	uint64_t run_main_offset; /* file offset of Py_RunMain, 0 none */
	uint64_t after_fork_child_offset;
	int free_threaded, debug_build; /* refused */
};

/* Looks for a CPython in a process that has its libraries mapped (or, for a
 * static one, right after exec). 1: found and filled; 0: no Python here; -code. */
int python_find(struct target *t, struct python_info *info);
void python_info_deinit(struct python_info *info);
/* File offset of a program's ELF entry point and an fd on it, for a stop when the libraries are mapped. */
int exe_entry(struct target *t, uint64_t *file_offset, int *fd);

#endif
