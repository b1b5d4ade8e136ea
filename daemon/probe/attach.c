/* SPDX-License-Identifier: MIT */
#include "probe/attach.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util/err.h"

/* union bpf_attr.link_create with its uprobe_multi arm (Linux 6.6, include/uapi/linux/bpf.h). */
struct link_create_uprobe_multi {
	uint32_t prog_fd, target_fd, attach_type, flags;
	uint64_t path, offsets, ref_ctr_offsets, cookies;
	uint32_t cnt, multi_flags, pid, pad;
};

static int attach_multi(struct attachment *a, const struct bpf_program *prog, const char *path,
			uint64_t offset, uint64_t ref_ctr, pid_t pid)
{
	union {
		struct link_create_uprobe_multi m;
		char room[sizeof(union bpf_attr) > 128 ? sizeof(union bpf_attr) : 128];
	} attr;

	memset(&attr, 0, sizeof(attr));
	attr.m.prog_fd = bpf_program__fd(prog);
	attr.m.attach_type = ATTACH_TRACE_UPROBE_MULTI;
	attr.m.path = (uintptr_t)path;
	attr.m.offsets = (uintptr_t)&offset;
	attr.m.ref_ctr_offsets = ref_ctr ? (uintptr_t)&ref_ctr : 0;
	attr.m.cnt = 1;
	attr.m.pid = pid;
	a->link_fd = syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr.m));
	return a->link_fd < 0 ? -errno : 0;
}

static int attach_perf(struct attachment *a, const struct bpf_program *prog, const char *path,
		       uint64_t offset, uint64_t ref_ctr, pid_t pid)
{
	LIBBPF_OPTS(bpf_uprobe_opts, opts, .ref_ctr_offset = ref_ctr);

	a->link = bpf_program__attach_uprobe_opts(prog, pid, path, offset, &opts);
	return a->link ? 0 : -errno;
}

int attach_uprobe(struct attachment *a, const struct bpf_program *prog, int multi, int file_fd,
		  uint64_t offset, uint64_t ref_ctr, pid_t pid)
{
	char path[64];
	int r;

	*a = (struct attachment){ .link_fd = -1 };
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file_fd);
	r = multi ? attach_multi(a, prog, path, offset, ref_ctr, pid) :
		    attach_perf(a, prog, path, offset, ref_ctr, pid);
	if (r < 0) {
		errno = -r;
		return err_set(r == -EPERM || r == -EACCES ? ERR_NO_PRIVILEGE : ERR_NO_BPF,
			       "a probe (%s) at file offset 0x%llx of process %d: %m",
			       bpf_program__name(prog), (unsigned long long)offset, pid);
	}
	return 0;
}

void attachment_deinit(struct attachment *a)
{
	if (a->link_fd >= 0)
		close(a->link_fd);
	if (a->link)
		bpf_link__destroy(a->link);
	*a = (struct attachment){ .link_fd = -1 };
}
