/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * stdio.bpf.h: what a recorded process writes to its stdout and stderr.
 *
 * sys_enter keeps descriptor and buffer, sys_exit copies exactly the bytes that
 * went out (just touched by the kernel, so present). The file behind the
 * descriptor decides, not its number: a dup of stdout is stdout. Where both
 * streams are one open file (2>&1, a terminal) the number decides between them.
 */
#ifndef STDIO_BPF_H
#define STDIO_BPF_H

#define NR_write 1
#define NR_pwrite64 18
#define NR_writev 20
#define NR_sendto 44
#define NR_sendmsg 46
#define NR_sendfile 40
#define NR_splice 275
#define MAX_PIECE 8192
#define MAX_PIECES 512

static __always_inline __u64 file_of(__u32 fd)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct files_struct *files = task->files;
	struct fdtable *fdt;
	struct file **fds, *file = 0;

	if (!files)
		return 0;
	fdt = files->fdt;
	if (!fdt || fd >= fdt->max_fds)
		return 0;
	fds = fdt->fd;
	bpf_probe_read_kernel(&file, sizeof(file), fds + fd);
	return (__u64)file;
}

static __always_inline __u32 stream_of(struct rec_proc *p, __u32 fd)
{
	__u64 file = file_of(fd);

	if (!file)
		return 0;
	if (file == p->out_file && file == p->err_file)
		return fd == 2 ? 2 : 1;
	if (file == p->out_file)
		return 1;
	return file == p->err_file ? 2 : 0;
}

struct piece_ctx {
	struct scratch *s;
	__u64 addr;
	__u64 left;
	__u64 offset;
	__u64 order; /* of the page's last event, when events are a page's */
	__u32 failed;
	__u32 page;
};

static long one_piece(__u32 i, struct piece_ctx *c)
{
	struct scratch *s = c->s;
	struct ev_output *e = (struct ev_output *)s->rec;
	__u32 n = c->left > MAX_PIECE ? MAX_PIECE : c->left;

	if (!n)
		return 1;
	if (n & 7)
		*(__u64 *)(s->rec + sizeof(*e) + (n & (MAX_PIECE * 2 - 8))) = 0;
	if (n > MAX_PIECE || bpf_probe_read_user(s->rec + sizeof(*e), n, (void *)c->addr)) {
		c->failed = 1;
		return 1;
	}
	e->offset = c->offset;
	e->n = n;
	e->h.size = sizeof(*e) + EV_PAD8(n);
	e->h.order = c->page ? c->order : next_order();
	if (bpf_ringbuf_output(&events, s->rec, (sizeof(*e) + EV_PAD8(n)) & (REC_BYTES - 1),
			       BPF_RB_NO_WAKEUP))
		gap(EVG_RING_FULL);
	c->addr += n;
	c->offset += n;
	c->left -= n;
	return 0;
}

/* Copies n bytes at addr, io_offset of the call's io_total bytes being out already. */
__noinline int output_bytes(struct scratch *s, struct thread *t, __u64 addr, __u64 n)
{
	struct piece_ctx c = { .s = s, .addr = addr, .left = n };
	struct ev_output *e;
	__u64 total;

	if (!s || !t)
		return 0;
	e = (struct ev_output *)s->rec;
	c.offset = t->io_offset;
	c.page = cfg.page_order != 0;
	if (c.page)
		bpf_probe_read_user(&c.order, sizeof(c.order), (void *)cfg.page_order);
	total = t->io_total;
	__builtin_memset(e, 0, sizeof(*e));
	e->h.type = EV_OUTPUT;
	e->h.flags = t->io_stream;
	e->thread = t->index;
	e->fd = t->io_fd;
	e->time = bpf_ktime_get_ns();
	e->total = total;
	bpf_loop(MAX_PIECES, one_piece, &c, 0);
	t->io_offset += n;
	if (c.failed || c.left)
		gap(EVG_OUTPUT);
	return 0;
}

struct iov_ctx {
	struct scratch *s;
	struct thread *t;
	__u64 iov, n, left;
};

static long one_iov(__u32 i, struct iov_ctx *c)
{
	struct {
		__u64 base, len;
	} v;
	__u64 n;

	if (i >= c->n || !c->left)
		return 1;
	if (bpf_probe_read_user(&v, sizeof(v), (void *)(c->iov + i * sizeof(v)))) {
		gap(EVG_OUTPUT);
		return 1;
	}
	n = v.len < c->left ? v.len : c->left;
	output_bytes(c->s, c->t, v.base, n);
	c->left -= n;
	return 0;
}

static __always_inline struct rec_proc *recorded_proc(void)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct rec_proc *p = bpf_map_lookup_elem(&procs, &tgid);

	return p && p->flags & PROC_OUTPUT ? p : 0;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(on_sys_enter, struct pt_regs *regs, long nr)
{
	struct rec_proc *p;
	struct thread *t;
	__u32 stream;

	if (nr != NR_write && nr != NR_writev && nr != NR_pwrite64 && nr != NR_sendto &&
	    nr != NR_sendmsg && nr != NR_sendfile && nr != NR_splice)
		return 0;
	p = recorded_proc();
	if (!p)
		return 0;
	if (p->flags & PROC_FILES) {
		p->out_file = file_of(1);
		p->err_file = file_of(2);
		p->flags &= ~PROC_FILES;
	}
	/* splice(in, off, out, …); all others name the target first */
	stream = stream_of(p, nr == NR_splice ? regs->dx : regs->di);
	if (!stream)
		return 0;
	if (nr == NR_sendfile || nr == NR_splice) {
		gap(EVG_OUTPUT_UNSEEN);
		return 0;
	}
	t = bpf_task_storage_get(&threads, bpf_get_current_task_btf(), 0,
				 BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!t) {
		gap(EVG_OUTPUT);
		return 0;
	}
	t->io_nr = nr;
	t->io_fd = regs->di;
	t->io_stream = stream;
	t->io_buf = regs->si;
	t->io_len = regs->dx;
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(on_sys_exit, struct pt_regs *regs, long ret)
{
	struct iov_ctx c = {};
	struct scratch *s;
	struct thread *t;
	__u64 msg[4];

	if (!recorded_proc())
		return 0;
	t = bpf_task_storage_get(&threads, bpf_get_current_task_btf(), 0, 0);
	if (!t || !t->io_nr)
		return 0;
	c.iov = t->io_buf;
	c.n = t->io_len;
	if (ret <= 0)
		goto done;
	s = bpf_task_storage_get(&scratches, bpf_get_current_task_btf(), 0,
				 BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!s) {
		gap(EVG_OUTPUT);
		goto done;
	}
	t->io_offset = 0;
	t->io_total = ret;
	if (t->io_nr != NR_writev && t->io_nr != NR_sendmsg) {
		output_bytes(s, t, t->io_buf, ret);
		goto done;
	}
	if (t->io_nr == NR_sendmsg) { /* struct msghdr: name, namelen, iov, iovlen */
		if (bpf_probe_read_user(msg, sizeof(msg), (void *)t->io_buf)) {
			gap(EVG_OUTPUT);
			goto done;
		}
		c.iov = msg[2];
		c.n = msg[3];
	}
	c.s = s;
	c.t = t;
	c.left = ret;
	bpf_loop(1024, one_iov, &c, 0);
done:
	t->io_nr = 0;
	return 0;
}

#endif
