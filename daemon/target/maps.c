/* SPDX-License-Identifier: MIT */
/*
 * maps.c: /proc/PID/maps, and opening what is mapped.
 *
 * A path in the maps is only a name: the file may be gone, replaced, or live in
 * another root. A name is tried in the target's root, then in ours, and counts
 * only when device and inode are those of the mapping. The links in
 * /proc/PID/map_files always lead to the right file but take more rights, so
 * they come last.
 */
#include "target/maps.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "util/buf.h"
#include "util/err.h"

#define MAPS_MAX (32u << 20)

/* The kernel writes a newline in a name as \012. Done in place. */
static void unescape(char *s)
{
	char *to = s;

	while (*s) {
		if (strncmp(s, "\\012", 4) == 0) {
			*to++ = '\n';
			s += 4;
		} else {
			*to++ = *s++;
		}
	}
	*to = 0;
}

static int parse_line(char *line, struct mapping *m)
{
	unsigned dev_major, dev_minor;
	char perms[5];
	int at = -1;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %x:%x %" SCNu64 " %n", &m->start,
		   &m->end, perms, &m->offset, &dev_major, &dev_minor, &m->ino, &at) != 7 ||
	    m->end <= m->start)
		return 0;
	m->dev = makedev(dev_major, dev_minor);
	m->exec = strlen(perms) == 4 && perms[2] == 'x';
	m->path = at >= 0 ? line + at : line + strlen(line);
	unescape(m->path);
	return 1;
}

int maps_parse(struct maps *ret, char *text)
{
	char *save = NULL;
	size_t cap = 0;

	*ret = (struct maps){ .text = text };
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (ret->n == cap) {
			struct mapping *m;

			cap = cap ? cap * 2 : 64;
			m = realloc(ret->m, cap * sizeof(*m));
			if (!m) {
				maps_deinit(ret);
				return err_set(ERR_NOMEM, "%zu mappings", cap);
			}
			ret->m = m;
		}
		ret->n += parse_line(line, &ret->m[ret->n]);
	}
	return 0;
}

int maps_read(struct maps *ret, pid_t pid)
{
	struct buf text = { 0 };
	char path[64];
	ssize_t n = 0;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_set(errno == EACCES || errno == EPERM ? ERR_NO_PRIVILEGE :
								   ERR_TARGET_GONE,
			       "%s: %m", path);
	while (text.len < MAPS_MAX) {
		uint8_t *to = buf_reserve(&text, 65536);

		n = to ? read(fd, to, 65536) : 0;
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		text.len += n;
	}
	if (n < 0) {
		int r = err_set(ERR_TARGET_GONE, "%s: %m", path);

		close(fd);
		buf_deinit(&text);
		return r;
	}
	close(fd);
	buf_u8(&text, 0);
	if (text.oom) {
		buf_deinit(&text);
		return err_set(ERR_NOMEM, "%s", path);
	}
	return maps_parse(ret, (char *)text.data);
}

void maps_deinit(struct maps *maps)
{
	free(maps->m);
	free(maps->text);
	*maps = (struct maps){ 0 };
}

static int open_regular(const char *path, const struct mapping *same)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    (!same || ((uint64_t)st.st_dev == same->dev && (uint64_t)st.st_ino == same->ino)))
		return fd;
	close(fd);
	return -1;
}

int mapping_open(pid_t pid, const struct mapping *m)
{
	char path[4096 + 64];
	int fd = -1;

	if (!m->ino || m->path[0] != '/' || strlen(m->path) >= 4096)
		return -1;
	snprintf(path, sizeof(path), "/proc/%d/root%s", (int)pid, m->path);
	fd = open_regular(path, m);
	/* a chroot inside our own mount namespace shows its files under our root */
	if (fd < 0)
		fd = open_regular(m->path, m);
	if (fd < 0) {
		snprintf(path, sizeof(path), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, (int)pid,
			 m->start, m->end);
		fd = open_regular(path, NULL);
	}
	return fd;
}

int exe_open(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	return open_regular(path, NULL);
}
