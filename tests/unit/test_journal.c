/* SPDX-License-Identifier: MIT */
/*
 * test_journal.c: what was written is read back, up to the last whole chunk,
 * whatever was damaged or torn; and what happens when the disk is full.
 */
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctrec/error.h"
#include "journal/format.h"
#include "journal/journal.h"
#include "records.h"

#define SMALL_CHUNKS 6u

static struct rec r;

static int new_file(void)
{
	int fd = memfd_create("journal", 0);

	ck_assert_int_ge(fd, 0);
	return fd;
}

static void put_lines(struct journal *j, unsigned from, unsigned n)
{
	for (unsigned i = from; i < from + n; i++) {
		rec_frame(&r, EV_LINE, 0, i, 1, 2, 1);
		rec_int(&r, 0, i);
		rec_end(&r);
		((struct ev_header *)r.b.data)->order = i + 1;
		ck_assert_int_eq(journal_event(j, (const void *)r.b.data), 0);
	}
}

/* SMALL_CHUNKS chunks of ten lines each, META before and END behind them. */
static int small_journal(void)
{
	struct journal *j;
	int fd = new_file();

	ck_assert_int_eq(journal_new(&j, fd), 0);
	rec_text(&r, EV_META, "{\"program\":\"p\"}");
	rec_end(&r);
	ck_assert_int_eq(journal_define(j, r.b.data, r.b.len), 0);
	for (unsigned i = 0; i < SMALL_CHUNKS; i++) {
		put_lines(j, i * 10, 10);
		ck_assert_int_eq(journal_flush(j), 0);
	}
	rec_text(&r, EV_END, "{\"reason\":\"exit\",\"status\":0}");
	rec_end(&r);
	ck_assert_int_eq(journal_define(j, r.b.data, r.b.len), 0);
	ck_assert_int_eq(journal_flush(j), 0);
	ck_assert_uint_eq(journal_bytes(j), (uint64_t)lseek(fd, 0, SEEK_END));
	journal_free(j);
	return fd;
}

struct seen {
	unsigned definitions, lines, gaps, first, last;
	uint64_t lost;
	int torn;
};

static int count_definition(void *ctx, const struct ev_header *h)
{
	struct seen *s = ctx;

	ck_assert(h->type == EV_META || h->type == EV_END || h->type == EV_DEFSOURCE);
	s->definitions++;
	return 0;
}

static struct seen read_all(int fd)
{
	struct seen s = { .first = UINT32_MAX };
	struct journal_reader *reader;
	const struct ev_header *h;
	int rc;

	ck_assert_int_eq(journal_reader_new(&reader, fd), 0);
	ck_assert_int_eq(journal_definitions(reader, count_definition, &s), 0);
	while ((rc = journal_next(reader, &h)) == 1) {
		const struct ev_frame *e = (const void *)h;
		const struct ev_gap *g = (const void *)h;

		ck_assert_uint_eq(h->order, 0);
		if (h->type == EV_GAP) {
			s.gaps++;
			s.lost += g->count;
			continue;
		}
		ck_assert_uint_eq(h->type, EV_LINE);
		if (s.first == UINT32_MAX)
			s.first = (unsigned)e->frame;
		s.last = (unsigned)e->frame;
		s.lines++;
	}
	ck_assert_int_eq(rc, 0);
	s.torn = journal_is_torn(reader);
	journal_reader_free(reader);
	return s;
}

START_TEST(test_round_trip)
{
	int fd = small_journal();
	struct seen s = read_all(fd);

	ck_assert_uint_eq(s.definitions, 2);
	ck_assert_uint_eq(s.lines, SMALL_CHUNKS * 10);
	ck_assert_uint_eq(s.last, SMALL_CHUNKS * 10 - 1);
	ck_assert_uint_eq(s.gaps, 0);
	ck_assert(!s.torn);
	close(fd);
}
END_TEST

START_TEST(test_many_lines)
{
	struct journal *j;
	struct seen s;
	int fd = new_file();

	ck_assert_int_eq(journal_new(&j, fd), 0);
	put_lines(j, 0, 100000);
	journal_free(j);
	s = read_all(fd);
	ck_assert_uint_eq(s.lines, 100000);
	ck_assert_uint_eq(s.last, 99999);
	ck_assert_msg(s.torn, "there is no EV_END");
	close(fd);
}
END_TEST

START_TEST(test_large_source)
{
	struct ev_defsource d = { .h = { .type = EV_DEFSOURCE }, .text_len = 3 << 20 };
	struct journal *j;
	struct seen s;
	int fd = new_file();

	ck_assert_int_eq(journal_new(&j, fd), 0);
	put_lines(j, 0, 1);
	buf_clear(&r.b);
	buf_append(&r.b, &d, sizeof(d));
	buf_zero(&r.b, d.text_len);
	rec_end(&r);
	ck_assert_int_eq(journal_define(j, r.b.data, r.b.len), 0);
	put_lines(j, 1, 1);
	journal_free(j);
	s = read_all(fd);
	ck_assert_uint_eq(s.definitions, 1);
	ck_assert_uint_eq(s.lines, 2);
	close(fd);
}
END_TEST

/* A definition is in the file before the events that may use it, though events came first. */
START_TEST(test_definitions_first)
{
	struct journal_chunk_header h;
	struct journal *j;
	int fd = new_file();

	ck_assert_int_eq(journal_new(&j, fd), 0);
	put_lines(j, 0, 1);
	rec_text(&r, EV_META, "{}");
	rec_end(&r);
	ck_assert_int_eq(journal_define(j, r.b.data, r.b.len), 0);
	journal_free(j);
	ck_assert_int_eq(pread(fd, &h, sizeof(h), sizeof(struct journal_file_header)), sizeof(h));
	ck_assert_uint_eq(h.kind, JOURNAL_DEFINITIONS);
	close(fd);
}
END_TEST

/* Cut at every length: what is before the cut is there, whole chunks of it. */
START_TEST(test_torn_everywhere)
{
	int fd = small_journal();
	off_t size = lseek(fd, 0, SEEK_END);
	unsigned before = SMALL_CHUNKS * 10;

	for (off_t n = size - 1; n >= (off_t)sizeof(struct journal_file_header); n--) {
		struct seen s;

		ck_assert_int_eq(ftruncate(fd, n), 0);
		s = read_all(fd);
		ck_assert(s.torn);
		ck_assert_uint_eq(s.lines % 10, 0);
		ck_assert_uint_eq(s.gaps, 0);
		ck_assert_uint_le(s.lines, before);
		before = s.lines;
	}
	ck_assert_uint_eq(before, 0);
	close(fd);
}
END_TEST

/* One bit turned over, at each byte: at most its chunk is lost, and that is said. */
START_TEST(test_damage_everywhere)
{
	int fd = small_journal();
	off_t size = lseek(fd, 0, SEEK_END);

	for (off_t at = sizeof(struct journal_file_header); at < size; at++) {
		struct seen s;
		uint8_t c, turned;

		ck_assert_int_eq(pread(fd, &c, 1, at), 1);
		turned = c ^ (uint8_t)(1 << at % 8);
		ck_assert_int_eq(pwrite(fd, &turned, 1, at), 1);
		s = read_all(fd);
		if (s.definitions == 2) {
			ck_assert_uint_eq(s.lines, SMALL_CHUNKS * 10 - 10);
			ck_assert_uint_eq(s.gaps, 1);
			ck_assert_uint_ge(s.lost, 1);
		} else {
			ck_assert_uint_eq(s.definitions, 1);
			ck_assert_uint_eq(s.lines, SMALL_CHUNKS * 10);
		}
		ck_assert_int_eq(pwrite(fd, &c, 1, at), 1);
	}
	close(fd);
}
END_TEST

START_TEST(test_not_a_journal)
{
	struct journal_reader *reader;
	int fd = new_file();

	ck_assert_int_eq(journal_reader_new(&reader, fd), -ERR_BAD_TRACE);
	ck_assert_int_eq(pwrite(fd, "0123456789abcdef0123", 20, 0), 20);
	ck_assert_int_eq(journal_reader_new(&reader, fd), -ERR_BAD_TRACE);
	close(fd);
}
END_TEST

START_TEST(test_senseless_records)
{
	struct ev_header h = { .size = 12 };
	struct journal *j;
	int fd = new_file();

	ck_assert_int_eq(journal_new(&j, fd), 0);
	ck_assert_int_lt(journal_event(j, &h), 0);
	h.size = EV_MAX_RECORD + 8;
	ck_assert_int_lt(journal_event(j, &h), 0);
	h.size = 24;
	ck_assert_int_lt(journal_define(j, &h, sizeof(h)), 0);
	journal_free(j);
	close(fd);
}
END_TEST

/* The disk is full for a while: the events of that time are one counted gap. */
START_TEST(test_no_space)
{
	char path[] = "/tmp/ctrec-journal-XXXXXX";
	struct rlimit was, now;
	struct journal *j;
	struct seen s;
	unsigned n = 0;
	int rc = 0, fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	unlink(path);
	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(journal_new(&j, fd), 0);
	put_lines(j, 0, 10);
	ck_assert_int_eq(journal_flush(j), 0);
	getrlimit(RLIMIT_FSIZE, &was);
	now = was;
	now.rlim_cur = journal_bytes(j) + 100;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &now), 0);
	for (n = 10; rc == 0; n++) {
		rec_frame(&r, EV_LINE, 0, n, 1, 2, 1);
		rec_int(&r, 0, rand());
		rec_end(&r);
		rc = journal_event(j, (const void *)r.b.data);
	}
	ck_assert_int_eq(rc, -ERR_NO_SPACE);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &was), 0);
	put_lines(j, n, 10);
	journal_free(j);
	s = read_all(fd);
	ck_assert_uint_eq(s.lines, 20);
	ck_assert_uint_eq(s.gaps, 1);
	ck_assert_uint_eq(s.lost, n - 10);
	close(fd);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("journal");
	TCase *t = tcase_create("journal");
	SRunner *run = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, test_round_trip);
	tcase_add_test(t, test_many_lines);
	tcase_add_test(t, test_large_source);
	tcase_add_test(t, test_definitions_first);
	tcase_add_test(t, test_torn_everywhere);
	tcase_add_test(t, test_damage_everywhere);
	tcase_add_test(t, test_not_a_journal);
	tcase_add_test(t, test_senseless_records);
	tcase_add_test(t, test_no_space);
	srunner_run_all(run, CK_NORMAL);
	failed = srunner_ntests_failed(run);
	srunner_free(run);
	buf_deinit(&r.b);
	return failed != 0;
}
