/* SPDX-License-Identifier: MIT */
/*
 * launch_name.c: what a trace is called, worked out from the command line as
 * Python itself reads it.
 *
 * Launchers (env, nice, timeout, a shebang) put words before the interpreter:
 * the first word that names a Python counts, and the program itself where none does.
 */
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "launch.h"

#define MAX_NAME 180

static const char *base_name(const char *path, size_t *len)
{
	size_t end = strlen(path), start;

	while (end > 1 && path[end - 1] == '/')
		end--;
	for (start = end; start > 0 && path[start - 1] != '/'; start--)
		;
	*len = end - start;
	return path + start;
}

/* python, python3, python3.11, python3.11-dbg, pypy3 … */
static bool names_python(const char *word)
{
	size_t len;
	const char *b = base_name(word, &len);

	if (len >= 6 && !strncmp(b, "python", 6))
		b += 6, len -= 6;
	else if (len >= 4 && !strncmp(b, "pypy", 4))
		b += 4, len -= 4;
	else
		return false;
	while (len && (isdigit((unsigned char)*b) || *b == '.' || *b == 't'))
		b++, len--;
	return len == 0 || *b == '-';
}

static void put(char *to, size_t cap, const char *text, size_t len)
{
	size_t n = 0;

	if (cap > MAX_NAME)
		cap = MAX_NAME;
	for (size_t i = 0; i < len && n + 1 < cap; i++) {
		unsigned char c = text[i];

		to[n++] = c < 0x20 || c == 0x7f || c == '/' ? '_' : c;
	}
	to[n] = 0;
	if (!n || !strcmp(to, ".") || !strcmp(to, ".."))
		snprintf(to, cap, "python");
}

static void put_stem(char *to, size_t cap, const char *path)
{
	static const char *const ends[] = { ".py", ".pyw", ".pyc", ".pyz", ".zip" };
	size_t len;
	const char *b = base_name(path, &len);

	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		size_t n = strlen(ends[i]);

		if (len > n && !strncmp(b + len - n, ends[i], n)) {
			len -= n;
			break;
		}
	}
	put(to, cap, b, len);
}

/* The words after the interpreter. */
static void name_by_arguments(char *const *argv, char *to, size_t cap)
{
	for (; *argv; argv++) {
		const char *a = *argv;

		if (a[0] != '-') {
			put_stem(to, cap, a);
			return;
		}
		if (!a[1])
			break; /* "-": stdin */
		if (a[1] == '-') {
			if (!a[2] && argv[1])
				put_stem(to, cap, argv[1]);
			else if (!strcmp(a, "--check-hash-based-pycs") && argv[1])
				argv++;
			if (!a[2])
				return;
			continue;
		}
		for (const char *o = a + 1; *o; o++) {
			const char *value = o[1] ? o + 1 : argv[1];

			if (*o == 'c') {
				snprintf(to, cap, "python-c");
				return;
			}
			if (*o == 'm') {
				const char *dot = value ? strrchr(value, '.') : NULL;

				if (value)
					put(to, cap, dot ? dot + 1 : value,
					    strlen(dot ? dot + 1 : value));
				return;
			}
			if (*o == 'X' || *o == 'W') {
				if (!o[1] && argv[1])
					argv++;
				break;
			}
		}
	}
}

/* "#! … python …": the file is a script of Python's. */
static bool is_python_script(const char *path)
{
	char line[256];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, line, sizeof(line) - 1);

	if (fd >= 0)
		close(fd);
	if (n < 2 || line[0] != '#' || line[1] != '!')
		return false;
	line[n] = 0;
	line[strcspn(line, "\n")] = 0;
	return strstr(line, "python") || strstr(line, "pypy");
}

void launch_name(char *const *argv, const char *path, char *to, size_t cap)
{
	snprintf(to, cap, "stdin");
	if (!names_python(argv[0]) && is_python_script(path)) {
		put_stem(to, cap, argv[0]);
		return;
	}
	for (char *const *a = argv; *a; a++) {
		if (names_python(*a)) {
			name_by_arguments(a + 1, to, cap);
			return;
		}
	}
	put_stem(to, cap, argv[0]);
}
