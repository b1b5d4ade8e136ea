/* SPDX-License-Identifier: MIT */
/*
 * vdso.c: the clock that every process has mapped: __vdso_clock_gettime, an
 * exported symbol of the vdso since Linux 2.6.15 on x86-64 (vdso(7)).
 */
#include <gelf.h>
#include <stdlib.h>
#include <string.h>

#include "page/inject_private.h"
#include "target/maps.h"

#define VDSO_MOST (64u << 10)

static uint64_t symbol(Elf *elf, const char *name)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr sh;
	GElf_Sym sym;

	while ((scn = elf_nextscn(elf, scn))) {
		Elf_Data *d = elf_getdata(scn, NULL);

		if (!gelf_getshdr(scn, &sh) || sh.sh_type != SHT_DYNSYM || !d || !sh.sh_entsize)
			continue;
		for (int i = 0; gelf_getsym(d, i, &sym); i++) {
			const char *s = elf_strptr(elf, sh.sh_link, sym.st_name);

			if (s && strcmp(s, name) == 0)
				return sym.st_value;
		}
	}
	return 0;
}

uint64_t page_vdso_clock(struct target *t)
{
	uint64_t at = 0, start = 0;
	struct maps maps;
	char *copy = NULL;
	size_t n = 0;
	Elf *elf;

	if (maps_read(&maps, t->pid) < 0)
		return 0;
	for (size_t i = 0; i < maps.n && !start; i++)
		if (strcmp(maps.m[i].path, "[vdso]") == 0) {
			start = maps.m[i].start;
			n = maps.m[i].end - start;
		}
	maps_deinit(&maps);
	if (start && n <= VDSO_MOST)
		copy = malloc(n);
	if (copy && t->mem.read(&t->mem, (remote_t){ start }, copy, n) == 0) {
		elf_version(EV_CURRENT);
		elf = elf_memory(copy, n);
		at = elf ? symbol(elf, "__vdso_clock_gettime") : 0;
		elf_end(elf);
	}
	free(copy);
	return at && at < n ? start + at : 0;
}
