/* SPDX-License-Identifier: MIT */
/*
 * Temporary files without a name: whatever ends the daemon, they are gone.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "trace/ct_writer_private.h"
#include "util/err.h"

#define SPOOL_BUFFER (256u << 10)

static int open_in(int dir_fd, const char *dir)
{
	static unsigned serial;
	char name[64];
	int fd;

	fd = dir_fd >= 0 ? openat(dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600) :
			   open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL && errno != ENOENT))
		return fd;
	if (dir_fd < 0) {
		dir_fd = open(dir, O_DIRECTORY | O_PATH | O_CLOEXEC);
		if (dir_fd < 0)
			return -1;
		fd = open_in(dir_fd, dir);
		close(dir_fd);
		return fd;
	}
	for (unsigned i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), ".ctrec-spool-%d-%u", getpid(),
			 __atomic_fetch_add(&serial, 1, __ATOMIC_RELAXED));
		fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd >= 0) {
			unlinkat(dir_fd, name, 0);
			return fd;
		}
		if (errno != EEXIST)
			return -1;
	}
	return -1;
}

int spool_init(struct spool *s, int dir_fd)
{
	const char *dir = getenv("TMPDIR");

	if (!dir || !*dir)
		dir = "/tmp";
	memset(s, 0, sizeof(*s));
	s->fd = open_in(dir_fd, dir);
	if (s->fd < 0)
		return err_set(errno == ENOSPC || errno == EDQUOT ? ERR_NO_SPACE : ERR_IO,
			       "make a temporary file in %s: %m", dir_fd >= 0 ? "the trace's folder" : dir);
	return 0;
}

void spool_deinit(struct spool *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	buf_deinit(&s->buf);
}

int spool_pwrite(struct spool *s, uint64_t off, const void *data, size_t n)
{
	const uint8_t *p = data;

	while (n) {
		ssize_t done = pwrite(s->fd, p, n, off);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return err_set(errno == ENOSPC || errno == EDQUOT ? ERR_NO_SPACE : ERR_IO,
				       "write a temporary file: %m");
		p += done;
		off += done;
		n -= done;
	}
	return 0;
}

int spool_flush(struct spool *s)
{
	int r = spool_pwrite(s, s->size - s->buf.len, s->buf.data, s->buf.len);

	buf_clear(&s->buf);
	return r;
}

int spool_append(struct spool *s, const void *data, size_t n)
{
	buf_append(&s->buf, data, n);
	if (s->buf.oom)
		return buf_check(&s->buf);
	s->size += n;
	return s->buf.len < SPOOL_BUFFER ? 0 : spool_flush(s);
}

int spool_view_init(struct spool_view *v, const struct spool *s)
{
	memset(v, 0, sizeof(*v));
	v->s = s;
	v->data = malloc((size_t)SPOOL_BLOCK * SPOOL_SLOTS);
	return v->data ? 0 : err_set(ERR_NOMEM, "a view of a temporary file");
}

void spool_view_deinit(struct spool_view *v)
{
	free(v->data);
	v->data = NULL;
}

int spool_pread(const struct spool *s, uint64_t off, void *data, size_t n)
{
	for (size_t got = 0; got < n;) {
		ssize_t r = pread(s->fd, (char *)data + got, n - got, off + got);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return err_set(ERR_IO, "read a temporary file: %s",
				       r ? strerror(errno) : "it ends too early");
		got += r;
	}
	return 0;
}

int spool_peek(struct spool_view *v, uint64_t off, const uint8_t **p, size_t *n)
{
	uint64_t block = off / SPOOL_BLOCK, at = block * SPOOL_BLOCK;
	size_t slot = block % SPOOL_SLOTS, have = SPOOL_BLOCK;
	uint8_t *data = v->data + slot * SPOOL_BLOCK;
	int r;

	if (off >= v->s->size)
		return err_set(ERR_UNKNOWN, "a temporary file ends too early");
	if (v->s->size - at < have)
		have = v->s->size - at;
	if (v->block[slot] != block + 1) {
		v->block[slot] = 0;
		r = spool_pread(v->s, at, data, have);
		if (r < 0)
			return r;
		v->block[slot] = block + 1;
	}
	*p = data + (off - at);
	*n = have - (off - at);
	return 0;
}
