/* SPDX-License-Identifier: MIT */
/*
 * stdlib.c: which files belong to the interpreter and not to the program.
 *
 * Judged by the name alone, so that a code object's plan needs no file system:
 * a folder lib/pythonX.Y or lib64/pythonX.Y (below any prefix, so a pyenv's or
 * a conda's too), or a pythonXY.zip; but not what pip or the distribution
 * installed below it. Debian's /usr/lib/python3/dist-packages has no X.Y.
 */
#include <stdio.h>
#include <string.h>

#include "python/resolve.h"

static const char *find(const char *in, size_t len, const char *what)
{
	return memmem(in, len, what, strlen(what));
}

/* A folder of that name somewhere in the path; returns what follows it. */
static const char *below(const char *path, size_t len, const char *folder)
{
	const char *end = path + len, *at = path;
	size_t n = strlen(folder);

	while ((at = find(at, end - at, folder))) {
		int starts = at == path || at[-1] == '/';

		at += n;
		if (starts && at < end && *at == '/')
			return at;
	}
	return NULL;
}

int is_stdlib(const char *filename, size_t len, unsigned version)
{
	char lib[2][32], zip[32];
	unsigned major = version >> 8, minor = version & 255;

	if (len >= 7 && memcmp(filename, "<frozen", 7) == 0)
		return 1;
	if (!version)
		return 0;
	snprintf(lib[0], sizeof(lib[0]), "lib/python%u.%u", major, minor);
	snprintf(lib[1], sizeof(lib[1]), "lib64/python%u.%u", major, minor);
	snprintf(zip, sizeof(zip), "python%u%u.zip", major, minor);
	for (int i = 0; i < 2; i++) {
		const char *rest = below(filename, len, lib[i]);
		size_t n = rest ? filename + len - rest : 0;

		if (rest && !find(rest, n, "/site-packages/") && !find(rest, n, "/dist-packages/"))
			return 1;
	}
	return below(filename, len, zip) != NULL;
}
