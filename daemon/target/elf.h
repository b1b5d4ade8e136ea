/* SPDX-License-Identifier: MIT */
/*
 * elf.h: facts from an ELF file: segments, symbols, USDT notes.
 *
 * An address here is as the file's headers give it (no bias added).
 */
#ifndef TARGET_ELF_H
#define TARGET_ELF_H

#include <gelf.h>

#include "target/target.h"

struct segment {
	uint64_t vaddr, memsz, offset, filesz, align;
	int exec;
};

struct elf {
	int fd; /* borrowed */
	Elf *e;
	unsigned type; /* ET_EXEC, ET_DYN */
	uint64_t entry;
	struct segment seg[32];
	unsigned nseg;
};

/* 1: opened; 0: not an ELF file for this machine (64 bit, little-endian). */
int elf_file_open(struct elf *ret, int fd);
void elf_file_close(struct elf *elf);

/* File offset of an address; 0: not in the file (in .bss, or nowhere). */
uint64_t elf_offset(const struct elf *elf, uint64_t addr);
/* Address in memory minus address in the headers, from one mapping of the file. 1: found. */
int elf_bias(const struct elf *elf, uint64_t map_start, uint64_t map_offset, uint64_t *bias);
/* Reads from the file what lies at an address. */
int elf_read(const struct elf *elf, uint64_t addr, void *to, size_t len);

/* Calls fn for each defined symbol of the dynamic table (SHT_DYNSYM) or the
 * full one (SHT_SYMTAB). A non-zero return of fn ends it. */
typedef int (*elf_symbol_fn)(void *ctx, const char *name, const GElf_Sym *sym);
void elf_symbols(const struct elf *elf, unsigned section_type, elf_symbol_fn fn, void *ctx);

/* Calls fn for each USDT probe of a provider that stands on a nop. */
typedef void (*elf_usdt_fn)(void *ctx, const char *name, const struct usdt *probe);
void elf_usdt(const struct elf *elf, const char *provider, uint64_t bias, elf_usdt_fn fn, void *ctx);

/* The value a load-time relocation would give the 8 bytes at an address, without bias. 1: there is one. */
int elf_relative(const struct elf *elf, uint64_t addr, uint64_t *value);
/* A named section's address and size (in memory); 0: none. */
int elf_section(const struct elf *elf, const char *name, GElf_Shdr *shdr);

#endif
