/* SPDX-License-Identifier: MIT */
/*
 * version.c: the version of an interpreter, from its file alone.
 *
 * From 3.11 the constant Py_Version says it. Before, PY_VERSION stands in the
 * read-only data as a string of its own ("3.10.13"), but so may the versions of
 * other libraries; it counts only if the minor version is also the one of the
 * "python3.10" that stands there (the library folder's name) or in the file's
 * name. A linker may share it with the end of a path ("/opt/python/3.10.13"), a
 * compiler may turn a string that short into instructions; then the minor
 * version alone is known, from the file's name.
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

/* The version in a text like "lib/python3.10", as (major << 8) | minor, or 0. */
static unsigned version_in(const char *text)
{
	const char *p = strstr(text, "python");
	unsigned major, minor;

	if (!p || !isdigit((unsigned char)p[6]) || sscanf(p + 6, "%1u.%2u", &major, &minor) != 2)
		return 0;
	return major << 8 | minor;
}

/* Is s a release of that version ("3.10.13", "3.10.0rc2+")? */
static int is_release(const char *s, unsigned version)
{
	unsigned major = 0, minor = 0, micro = 0;
	int n = 0;

	if (sscanf(s, "%1u.%2u.%2u%n", &major, &minor, &micro, &n) != 3 ||
	    (major << 8 | minor) != version || strlen(s) > 15)
		return 0;
	return strspn(s + n, "0123456789abcr+") == strlen(s + n);
}

/* A string of its own; or, as a linker shares the end of strings, what follows the last slash of one. */
static const char *find_release(const char *text, size_t len, unsigned version)
{
	const char *shared = NULL;

	for (const char *p = text; p < text + len; p += strlen(p) + 1) {
		const char *name = strrchr(p, '/');

		if (is_release(p, version))
			return p;
		if (name && is_release(name + 1, version))
			shared = name + 1;
	}
	return shared;
}

static unsigned version_in_strings(const char *text, size_t len)
{
	for (const char *p = text; p < text + len; p += strlen(p) + 1) {
		unsigned version = version_in(p);

		if (version && find_release(text, len, version))
			return version;
	}
	return 0;
}

void python_version_guess(struct python_info *info, const struct elf *elf)
{
	const char *name = strrchr(info->exe.path, '/'), *found;
	unsigned version = version_in(name ? name : info->exe.path);
	GElf_Shdr shdr;
	char *text;

	if (version) {
		info->version = version;
		snprintf(info->version_text, sizeof(info->version_text), "%u.%u", version >> 8,
			 version & 255);
	}
	if (!elf_section(elf, ".rodata", &shdr) || !shdr.sh_size || shdr.sh_size > RODATA_MAX)
		return;
	text = malloc(shdr.sh_size + 1);
	if (!text || !elf_read(elf, shdr.sh_addr, text, shdr.sh_size)) {
		free(text);
		return;
	}
	text[shdr.sh_size] = 0;
	if (!version)
		version = version_in_strings(text, shdr.sh_size);
	found = version ? find_release(text, shdr.sh_size, version) : NULL;
	if (found) {
		info->version = version;
		snprintf(info->version_text, sizeof(info->version_text), "%s", found);
	}
	free(text);
}
