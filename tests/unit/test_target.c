/* SPDX-License-Identifier: MIT */
/*
 * test_target.c: memory, maps and ELF of processes at hand, and of made-up bytes.
 */
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "python/resolve.h"
#include "target/elf.h"
#include "target/maps.h"
#include "util/err.h"

#define PYTHON "/usr/bin/python3.11"

/* A child that stands right after its exec, or -1. */
static pid_t stopped_at_exec(const char *path, char *const argv[])
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		execv(path, argv);
		_exit(127);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	if (WIFSTOPPED(status))
		return pid;
	return -1;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

START_TEST(test_memory)
{
	char here[5000], there[5000], *edge;
	struct target *t;

	memset(here, 7, sizeof(here));
	ck_assert_int_eq(target_open(&t, getpid()), 0);
	ck_assert_int_eq(t->mem.read(&t->mem, (remote_t){ (uintptr_t)here }, there, sizeof(here)), 0);
	ck_assert_mem_eq(here, there, sizeof(here));
	edge = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(edge + 4096, 4096);
	ck_assert_int_eq(t->mem.read(&t->mem, (remote_t){ (uintptr_t)edge + 4088 }, there, 8), 0);
	ck_assert_int_lt(t->mem.read(&t->mem, (remote_t){ (uintptr_t)edge + 4088 }, there, 9), 0);
	ck_assert_int_lt(t->mem.read(&t->mem, (remote_t){ 0 }, there, 1), 0);
	ck_assert_int_lt(t->mem.read(&t->mem, (remote_t){ UINT64_MAX - 3 }, there, 8), 0);
	munmap(edge, 4096);
	ck_assert_ptr_null(target_free(t));
}
END_TEST

START_TEST(test_no_process)
{
	struct target *t;
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
	ck_assert_int_eq(target_open(&t, pid), -ERR_NO_PROCESS);
	ck_assert_int_eq(target_open(&t, 0), -ERR_NO_PROCESS);
	ck_assert_int_eq(target_open(&t, -1), -ERR_NO_PROCESS);
}
END_TEST

START_TEST(test_maps_text)
{
	static const char text[] =
		"00400000-00420000 r-xp 0001f000 fd:01 1234    /usr/bin/a b\\012c (deleted)\n"
		"7ffff0000000-7ffff0001000 rw-p 00000000 00:00 0 \n"
		"nonsense\n"
		"5000-4000 r--p 0 0:0 0\n"
		"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0  [vsyscall]";
	struct maps maps;

	ck_assert_int_eq(maps_parse(&maps, strdup(text)), 0);
	ck_assert_uint_eq(maps.n, 3);
	ck_assert_str_eq(maps.m[0].path, "/usr/bin/a b\nc (deleted)");
	ck_assert_uint_eq(maps.m[0].offset, 0x1f000);
	ck_assert_uint_eq(maps.m[0].ino, 1234);
	ck_assert_int_eq(maps.m[0].exec, 1);
	ck_assert_str_eq(maps.m[1].path, "");
	ck_assert_int_eq(maps.m[1].exec, 0);
	ck_assert_uint_eq(maps.m[2].start, 0xffffffffff600000u);
	maps_deinit(&maps);
	ck_assert_int_eq(maps_parse(&maps, strdup("")), 0);
	ck_assert_uint_eq(maps.n, 0);
	maps_deinit(&maps);
}
END_TEST

START_TEST(test_own_maps)
{
	uint64_t at = (uintptr_t)stopped_at_exec, bias;
	struct maps maps;
	struct elf elf;
	int found = 0;

	ck_assert_int_eq(maps_read(&maps, getpid()), 0);
	for (size_t i = 0; i < maps.n; i++) {
		struct mapping *m = &maps.m[i];
		uint8_t code[16];
		int fd;

		if (at < m->start || at >= m->end)
			continue;
		fd = mapping_open(getpid(), m);
		ck_assert_int_ge(fd, 0);
		ck_assert_int_eq(elf_file_open(&elf, fd), 1);
		ck_assert_int_eq(elf_bias(&elf, m->start, m->offset, &bias), 1);
		ck_assert_int_eq(elf_read(&elf, at - bias, code, sizeof(code)), 1);
		ck_assert_mem_eq(code, (void *)(uintptr_t)at, sizeof(code));
		elf_file_close(&elf);
		close(fd);
		/* another file of that name does not count */
		m->ino++;
		m->start++;
		ck_assert_int_lt(mapping_open(getpid(), m), 0);
		found++;
	}
	ck_assert_int_eq(found, 1);
	maps_deinit(&maps);
}
END_TEST

START_TEST(test_not_elf)
{
	static const char *const text[] = { "", "\177ELF", "#!/bin/sh\n", "\177ELF\2\1\1" };
	char name[] = "/tmp/ctrec-test-XXXXXX";
	int fd = mkstemp(name);
	struct elf elf;

	ck_assert_int_ge(fd, 0);
	unlink(name);
	for (size_t i = 0; i < sizeof(text) / sizeof(text[0]); i++) {
		ck_assert_int_eq(ftruncate(fd, 0), 0);
		ck_assert_int_eq(pwrite(fd, text[i], strlen(text[i]), 0), (ssize_t)strlen(text[i]));
		ck_assert_int_eq(elf_file_open(&elf, fd), 0);
	}
	close(fd);
}
END_TEST

/* A copy of the interpreter with bytes overwritten here and there never does harm. */
START_TEST(test_damaged_elf)
{
	char name[] = "/tmp/ctrec-test-XXXXXX";
	int fd = mkstemp(name), from = open(PYTHON, O_RDONLY);
	static char all[8 << 20];
	ssize_t n = from < 0 ? 0 : read(from, all, sizeof(all));
	unsigned seed = 1;

	unlink(name);
	for (int round = 0; n > 4096 && round < 60; round++) {
		struct mapping m = { .start = 0x420000, .offset = 0x20000, .path = name };
		struct elf elf;
		GElf_Shdr shdr;
		uint64_t v;

		ck_assert_int_eq(pwrite(fd, all, n, 0), n);
		for (int i = 0; i < 8; i++) {
			uint32_t junk = (uint32_t)rand_r(&seed);
			/* the headers at the start, the section headers at the end */
			off_t at = i & 1 ? n - 1 - rand_r(&seed) % 2048 : rand_r(&seed) % 832;

			ck_assert_int_gt(pwrite(fd, &junk, 4, at), 0);
		}
		if (round % 10 == 9)
			ck_assert_int_eq(ftruncate(fd, n / 2), 0);
		if (!elf_file_open(&elf, fd))
			continue;
		elf_bias(&elf, m.start, m.offset, &v);
		elf_section(&elf, ".rodata", &shdr);
		elf_relative(&elf, 0x1000, &v);
		elf_offset(&elf, elf.entry);
		elf_file_close(&elf);
	}
	close(from);
	close(fd);
}
END_TEST

START_TEST(test_python_at_exec)
{
	char *const argv[] = { PYTHON, "-c", "pass", NULL };
	struct python_info info;
	struct target *t;
	uint64_t offset;
	pid_t pid;
	int fd;

	if (access(PYTHON, X_OK) < 0)
		return;
	pid = stopped_at_exec(PYTHON, argv);
	ck_assert_int_gt(pid, 0);
	ck_assert_int_eq(target_open(&t, pid), 0);
	ck_assert_int_eq(exe_entry(t, &offset, &fd), 0);
	ck_assert_uint_gt(offset, 0);
	close(fd);
	ck_assert_int_eq(python_find(t, &info), 1);
	ck_assert_uint_eq(info.version, 3 << 8 | 11);
	ck_assert_int_eq(strncmp(info.version_text, "3.11.", 5), 0);
	ck_assert_uint_ne(info.runtime, 0);
	ck_assert_uint_ne(info.run_main_offset, 0);
	ck_assert_uint_ne(info.after_fork_child_offset, 0);
	for (int i = 0; i < CS_MAX; i++)
		ck_assert_msg(info.statics[i] != 0, "static %d", i);
	ck_assert_int_eq(info.free_threaded | info.debug_build, 0);
	/* nothing of the interpreter ran yet, and still its types are what they say */
	ck_assert_int_eq(python_check(t, &info, python_layout(info.version)), 0);
	for (unsigned i = 0; i < info.nline; i++) {
		uint8_t nop = 0;

		ck_assert_int_eq(t->mem.read(&t->mem, (remote_t){ info.line[i].address }, &nop, 1), 0);
		if (info.line[i].nop_len == 1)
			ck_assert_uint_eq(nop, 0x90);
	}
	info.statics[CS_list] = info.statics[CS_tuple];
	ck_assert_int_eq(python_check(t, &info, python_layout(info.version)), -ERR_TARGET_LAYOUT);
	python_info_deinit(&info);
	target_free(t);
	end(pid);
}
END_TEST

START_TEST(test_no_python)
{
	static const char *const programs[] = { "/bin/sh", "/usr/bin/env", "/bin/bash", "/bin/cat" };

	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		char *const argv[] = { (char *)programs[i], NULL };
		struct python_info info;
		struct target *t;
		pid_t pid;

		if (access(programs[i], X_OK) < 0)
			continue;
		pid = stopped_at_exec(programs[i], argv);
		ck_assert_int_gt(pid, 0);
		ck_assert_int_eq(target_open(&t, pid), 0);
		ck_assert_int_eq(python_find(t, &info), 0);
		python_info_deinit(&info);
		target_free(t);
		end(pid);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("target");
	TCase *c = tcase_create("target");
	SRunner *run;
	int failed;

	tcase_set_timeout(c, 30);
	tcase_add_test(c, test_memory);
	tcase_add_test(c, test_no_process);
	tcase_add_test(c, test_maps_text);
	tcase_add_test(c, test_own_maps);
	tcase_add_test(c, test_not_elf);
	tcase_add_test(c, test_damaged_elf);
	tcase_add_test(c, test_python_at_exec);
	tcase_add_test(c, test_no_python);
	suite_add_tcase(s, c);
	run = srunner_create(s);
	srunner_run_all(run, CK_ENV);
	failed = srunner_ntests_failed(run);
	srunner_free(run);
	return failed != 0;
}
