/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * process.bpf.h: the processes of a session: fork, exec, exit.
 *
 * A process that is still searched for a Python is stopped at its exec, so that
 * the daemon can look at it before its first instruction.
 */
#ifndef PROCESS_BPF_H
#define PROCESS_BPF_H

static __always_inline void process_event(__u8 what, __u32 pid, __u32 other, __u32 status, int main_too)
{
	struct ev_process e = {
		.h = { .size = sizeof(e), .type = EV_PROCESS, .flags = what },
		.pid = pid, .other = other, .status = status,
	};

	e.time = bpf_ktime_get_ns();
	if (main_too) {
		e.h.order = next_order();
		if (bpf_ringbuf_output(&events, &e, sizeof(e), BPF_RB_FORCE_WAKEUP))
			gap(EVG_RING_FULL);
		e.h.order = 0; /* counted once, in the main ring */
	}
	bpf_ringbuf_output(&control, &e, sizeof(e), BPF_RB_FORCE_WAKEUP);
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	__u32 ppid = parent->tgid, cpid = child->tgid;
	struct rec_proc *p = bpf_map_lookup_elem(&procs, &ppid);
	struct rec_proc new;

	if (!p || ppid == cpid || !(p->flags & (PROC_SEARCH | PROC_WATCH)))
		return 0;
	new = *p;
	bpf_map_update_elem(&procs, &cpid, &new, BPF_ANY);
	process_event(EVP_FORK, ppid, cpid, 0, 0);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task, pid_t old, struct linux_binprm *bprm)
{
	__u32 pid = task->tgid;
	struct rec_proc *p = bpf_map_lookup_elem(&procs, &pid);
	__u32 was;

	if (!p)
		return 0;
	was = p->flags;
	p->out_file = file_of(1);
	p->err_file = file_of(2);
	p->flags &= ~(PROC_RECORDED | PROC_OUTPUT | PROC_FILES);
	bpf_task_storage_delete(&threads, bpf_get_current_task_btf());
	/* the probes see the new image as well, whose addresses are others */
	if (was & PROC_RECORDED)
		cfg.gate = GATE_OVER;
	if (was & PROC_SEARCH)
		bpf_send_signal(19 /* SIGSTOP */);
	process_event(EVP_EXEC, pid, was & PROC_RECORDED ? 1 : 0, 0, was & PROC_RECORDED);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	__u32 pid = task->tgid, status;
	struct rec_proc *p = bpf_map_lookup_elem(&procs, &pid);
	struct signal_struct *sig;

	if (!p)
		return 0;
	sig = task->signal;
	if (sig->live.counter > 0)
		return 0;
	status = sig->flags & 4 /* SIGNAL_GROUP_EXIT */ ? sig->group_exit_code : task->exit_code;
	process_event(EVP_EXIT, pid, 0, status, p->flags & PROC_RECORDED);
	bpf_map_delete_elem(&procs, &pid);
	return 0;
}

#endif
