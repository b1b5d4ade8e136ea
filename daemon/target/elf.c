/* SPDX-License-Identifier: MIT */
/*
 * elf.c: an ELF file read through libelf.
 *
 * The file is hostile: every string goes through elf_strptr (bounded by its
 * section), every count is bounded by its section's bytes, every section by
 * SECTION_MAX. It is read, never mapped: a file cut short under a mapping
 * would kill the daemon with SIGBUS.
 */
#include "target/elf.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define SECTION_MAX (64u << 20)
#define PAGE 4096u

int elf_file_open(struct elf *ret, int fd)
{
	GElf_Ehdr ehdr;
	size_t n = 0;

	*ret = (struct elf){ .fd = fd };
	if (elf_version(EV_CURRENT) == EV_NONE)
		return 0;
	ret->e = elf_begin(fd, ELF_C_READ, NULL);
	if (!ret->e)
		return 0;
	if (elf_kind(ret->e) != ELF_K_ELF || !gelf_getehdr(ret->e, &ehdr) ||
	    ehdr.e_ident[EI_CLASS] != ELFCLASS64 || ehdr.e_ident[EI_DATA] != ELFDATA2LSB ||
	    (ehdr.e_type != ET_EXEC && ehdr.e_type != ET_DYN) ||
	    elf_getphdrnum(ret->e, &n) != 0) {
		elf_file_close(ret);
		return 0;
	}
	ret->type = ehdr.e_type;
	ret->entry = ehdr.e_entry;
	for (size_t i = 0; i < n && i < 256 && ret->nseg < 32; i++) {
		GElf_Phdr p;

		if (!gelf_getphdr(ret->e, (int)i, &p) || p.p_type != PT_LOAD)
			continue;
		if (p.p_offset + p.p_filesz < p.p_offset || p.p_vaddr + p.p_memsz < p.p_vaddr ||
		    p.p_filesz > p.p_memsz)
			continue;
		ret->seg[ret->nseg++] = (struct segment){
			.vaddr = p.p_vaddr, .memsz = p.p_memsz, .offset = p.p_offset,
			.filesz = p.p_filesz, .align = p.p_align, .exec = !!(p.p_flags & PF_X),
		};
	}
	return 1;
}

void elf_file_close(struct elf *elf)
{
	if (elf->e)
		elf_end(elf->e);
	elf->e = NULL;
}

uint64_t elf_offset(const struct elf *elf, uint64_t addr)
{
	for (unsigned i = 0; i < elf->nseg; i++) {
		const struct segment *s = &elf->seg[i];

		if (addr >= s->vaddr && addr - s->vaddr < s->filesz)
			return s->offset + (addr - s->vaddr);
	}
	return 0;
}

int elf_bias(const struct elf *elf, uint64_t map_start, uint64_t map_offset, uint64_t *bias)
{
	for (unsigned i = 0; i < elf->nseg; i++) {
		const struct segment *s = &elf->seg[i];
		uint64_t slack = s->offset % PAGE;

		if (!s->exec || map_offset < s->offset - slack ||
		    map_offset >= s->offset + s->filesz)
			continue;
		*bias = elf->type == ET_EXEC ? 0 : map_start - (s->vaddr - s->offset + map_offset);
		return 1;
	}
	return 0;
}

static int read_at(int fd, uint64_t at, void *to, size_t len)
{
	size_t done = 0;

	if (at > INT64_MAX - len)
		return 0;
	while (done < len) {
		ssize_t n = pread(fd, (char *)to + done, len - done, (off_t)(at + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return 0;
		done += n;
	}
	return 1;
}

int elf_read(const struct elf *elf, uint64_t addr, void *to, size_t len)
{
	uint64_t at = elf_offset(elf, addr);

	return at && read_at(elf->fd, at, to, len);
}

/* The next section of a type after scn (NULL: the first), with its header. */
static Elf_Scn *next_section(const struct elf *elf, Elf_Scn *scn, unsigned type, GElf_Shdr *shdr)
{
	while ((scn = elf_nextscn(elf->e, scn)))
		if (gelf_getshdr(scn, shdr) && shdr->sh_type == type && shdr->sh_size <= SECTION_MAX)
			return scn;
	return NULL;
}

int elf_section(const struct elf *elf, const char *name, GElf_Shdr *shdr)
{
	Elf_Scn *scn = NULL;
	size_t names;

	if (elf_getshdrstrndx(elf->e, &names) != 0)
		return 0;
	while ((scn = elf_nextscn(elf->e, scn))) {
		const char *s;

		if (!gelf_getshdr(scn, shdr))
			continue;
		s = elf_strptr(elf->e, names, shdr->sh_name);
		if (s && strcmp(s, name) == 0)
			return 1;
	}
	return 0;
}

void elf_symbols(const struct elf *elf, unsigned section_type, elf_symbol_fn fn, void *ctx)
{
	GElf_Shdr shdr;
	Elf_Scn *scn = next_section(elf, NULL, section_type, &shdr);
	Elf_Data *data = scn ? elf_getdata(scn, NULL) : NULL;
	size_t n = data && shdr.sh_entsize ? data->d_size / sizeof(Elf64_Sym) : 0;

	for (size_t i = 0; i < n && i < INT32_MAX; i++) {
		const char *name;
		GElf_Sym sym;

		if (!gelf_getsym(data, (int)i, &sym) || sym.st_shndx == SHN_UNDEF || !sym.st_value)
			continue;
		name = elf_strptr(elf->e, shdr.sh_link, sym.st_name);
		if (name && fn(ctx, name, &sym))
			return;
	}
}

int elf_relative(const struct elf *elf, uint64_t addr, uint64_t *value)
{
	GElf_Shdr shdr;
	Elf_Scn *scn = NULL;

	while ((scn = next_section(elf, scn, SHT_RELA, &shdr))) {
		Elf_Data *data = elf_getdata(scn, NULL);
		size_t n = data ? data->d_size / sizeof(Elf64_Rela) : 0;

		for (size_t i = 0; i < n && i < INT32_MAX; i++) {
			GElf_Rela rela;

			if (!gelf_getrela(data, (int)i, &rela) || rela.r_offset != addr ||
			    GELF_R_TYPE(rela.r_info) != R_X86_64_RELATIVE)
				continue;
			*value = (uint64_t)rela.r_addend;
			return 1;
		}
	}
	return 0;
}

/* The nops a probe may stand on; anything else is no place for a uprobe. */
static unsigned nop_length(const struct elf *elf, uint64_t offset)
{
	static const struct { unsigned len; unsigned char bytes[5]; } nops[] = {
		{ 5, { 0x0f, 0x1f, 0x44, 0x00, 0x00 } }, { 4, { 0x0f, 0x1f, 0x40, 0x00 } },
		{ 3, { 0x0f, 0x1f, 0x00 } },		 { 2, { 0x66, 0x90 } },
		{ 1, { 0x90 } },
	};
	unsigned char text[5] = { 0 };

	if (!read_at(elf->fd, offset, text, sizeof(text)))
		return 0;
	for (size_t i = 0; i < sizeof(nops) / sizeof(nops[0]); i++)
		if (memcmp(text, nops[i].bytes, nops[i].len) == 0)
			return nops[i].len;
	return 0;
}

/* One note: three addresses, then provider, name and arguments as strings. */
static void usdt_note(const struct elf *elf, const char *desc, size_t len, const char *provider,
		      uint64_t base, uint64_t bias, elf_usdt_fn fn, void *ctx)
{
	const char *name, *end = desc + len;
	struct usdt probe = { 0 };
	uint64_t word[3], moved;

	if (len < sizeof(word) + 2 || end[-1] != 0)
		return;
	memcpy(word, desc, sizeof(word));
	desc += sizeof(word);
	if (strcmp(desc, provider) != 0)
		return;
	name = desc + strlen(desc) + 1;
	if (name >= end)
		return;
	/* prelink moves the file's addresses but not the notes; the base section tells how far */
	moved = base && word[1] ? base - word[1] : 0;
	probe.offset = elf_offset(elf, word[0] + moved);
	probe.address = word[0] + moved + bias;
	if (word[2])
		probe.sem_offset = elf_offset(elf, word[2] + moved);
	probe.nop_len = probe.offset ? nop_length(elf, probe.offset) : 0;
	/* a semaphore that has no place in the file can't be counted up by the kernel */
	if (probe.nop_len && (!word[2] || probe.sem_offset))
		fn(ctx, name, &probe);
}

void elf_usdt(const struct elf *elf, const char *provider, uint64_t bias, elf_usdt_fn fn, void *ctx)
{
	GElf_Shdr shdr;
	Elf_Scn *scn = NULL;
	uint64_t base = elf_section(elf, ".stapsdt.base", &shdr) ? shdr.sh_addr : 0;

	while ((scn = next_section(elf, scn, SHT_NOTE, &shdr))) {
		Elf_Data *data = elf_getdata(scn, NULL);
		size_t at = 0, next, name_at, desc_at;
		GElf_Nhdr note;

		if (!data || !data->d_buf)
			continue;
		while ((next = gelf_getnote(data, at, &note, &name_at, &desc_at)) > at) {
			const char *bytes = data->d_buf;

			at = next;
			if (note.n_type == 3 && note.n_namesz == sizeof("stapsdt") &&
			    memcmp(bytes + name_at, "stapsdt", sizeof("stapsdt")) == 0)
				usdt_note(elf, bytes + desc_at, note.n_descsz, provider, base,
					  bias, fn, ctx);
		}
	}
}
