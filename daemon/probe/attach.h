/* SPDX-License-Identifier: MIT */
/*
 * attach.h: one uprobe on one place of a file, for one process.
 *
 * Through a uprobe.multi link (kernel 6.6 and later: needs CAP_BPF and
 * CAP_PERFMON only; its struct is younger than Debian 12's headers, so it is
 * written out here), or through perf_event_open on older kernels.
 */
#ifndef PROBE_ATTACH_H
#define PROBE_ATTACH_H

#include <bpf/libbpf.h>
#include <stdint.h>
#include <sys/types.h>

#define ATTACH_TRACE_UPROBE_MULTI 48 /* enum bpf_attach_type, Linux 6.6 */

struct attachment {
	int link_fd;		/* multi */
	struct bpf_link *link;	/* perf */
};

/* file_fd: the mapped file. ref_ctr: file offset of the USDT semaphore or 0.
 * -ERR_NO_BPF, -ERR_NO_PRIVILEGE. */
int attach_uprobe(struct attachment *a, const struct bpf_program *prog, int multi, int file_fd,
		  uint64_t offset, uint64_t ref_ctr, pid_t pid);
void attachment_deinit(struct attachment *a);

#endif
