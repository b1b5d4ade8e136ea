/* SPDX-License-Identifier: MIT */
/*
 * version.c: the version of an interpreter, from its file alone.
 *
 * From 3.11 the constant Py_Version says it. Before, PY_VERSION stands in the
 * read-only data as a string of its own ("3.10.13"), but so may the versions of
 * other libraries; it counts only if the minor version is also the one of the
 * "python3.10" that stands there (the library folder's name) or in the file's
 * name. A compiler may turn a string that short into instructions; then the
 * minor version alone is known, from the file's name.
 */
#include "python/version.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RODATA_MAX (16u << 20)

void python_version_hex(struct python_info *info, uint32_t hex)
{
	unsigned major = hex >> 24, minor = hex >> 16 & 255, micro = hex >> 8 & 255;
	unsigned level = hex >> 4 & 15, serial = hex & 15;
	size_t n;

	info->version = major << 8 | minor;
	n = snprintf(info->version_text, sizeof(info->version_text), "%u.%u.%u", major, minor,
		     micro);
	if (level != 15)
		snprintf(info->version_text + n, sizeof(info->version_text) - n, "%s%u",
			 level == 10 ? "a" : level == 11 ? "b" : "rc", serial);
}

/* The minor version after "python3." in a text, or 0. */
static unsigned minor_in(const char *text)
{
	const char *p = strstr(text, "python3.");

	return p && isdigit((unsigned char)p[8]) ? (unsigned)strtoul(p + 8, NULL, 10) : 0;
}

/* Is s a version of that minor ("3.10.13", "3.10.0rc2+")? */
static int is_version(const char *s, unsigned minor)
{
	unsigned got = 0, micro = 0;
	int n = 0;

	if (sscanf(s, "3.%u.%u%n", &got, &micro, &n) != 2 || got != minor || micro > 99)
		return 0;
	return strspn(s + n, "0123456789abcr+") == strlen(s + n);
}

static const char *find_version(const char *text, size_t len, unsigned minor)
{
	for (const char *p = text; p < text + len; p += strlen(p) + 1)
		if (p[0] == '3' && p[1] == '.' && strlen(p) < 16 && is_version(p, minor))
			return p;
	return NULL;
}

static unsigned minor_in_strings(const char *text, size_t len)
{
	for (const char *p = text; p < text + len; p += strlen(p) + 1) {
		unsigned minor = minor_in(p);

		if (minor && minor < 100 && find_version(text, len, minor))
			return minor;
	}
	return 0;
}

void python_version_guess(struct python_info *info, const struct elf *elf)
{
	const char *name = strrchr(info->exe.path, '/'), *found;
	unsigned minor = minor_in(name ? name : info->exe.path);
	GElf_Shdr shdr;
	char *text;

	if (minor && minor < 100) {
		info->version = 3 << 8 | minor;
		snprintf(info->version_text, sizeof(info->version_text), "3.%u", minor);
	}
	if (!elf_section(elf, ".rodata", &shdr) || !shdr.sh_size || shdr.sh_size > RODATA_MAX)
		return;
	text = malloc(shdr.sh_size + 1);
	if (!text || !elf_read(elf, shdr.sh_addr, text, shdr.sh_size)) {
		free(text);
		return;
	}
	text[shdr.sh_size] = 0;
	if (!minor || minor > 99)
		minor = minor_in_strings(text, shdr.sh_size);
	found = minor ? find_version(text, shdr.sh_size, minor) : NULL;
	if (found) {
		info->version = 3 << 8 | minor;
		snprintf(info->version_text, sizeof(info->version_text), "%s", found);
	}
	free(text);
}
