/* SPDX-License-Identifier: MIT */
/*
 * capture.c: the BPF object of one session.
 *
 * Everything is loaded when the session starts, while the client still prepares
 * the program; what depends on the interpreter (its layout, addresses, the gate)
 * is written into the object's mapped data later, so that a found interpreter
 * only costs the attaching of its probes.
 */
#include "probe/capture.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "bpf/config.h"
#include "bpf/recorder.skel.h"
#include "probe/attach.h"
#include "probe/config.h"
#include "probe/page_source.h"
#include "util/err.h"

#define RING_BYTES (8u << 20)
#define MAX_ATTACHMENTS 32
#define TYPE_DEALLOC 48 /* PyTypeObject.tp_dealloc, CPython 3.8 to 3.14 */

struct sink {
	capture_fn fn;
	void *ctx;
};

struct capture {
	struct recorder_bpf *bpf;
	struct ring_buffer *events, *control;
	struct sink event_sink, control_sink;
	struct attachment attached[MAX_ATTACHMENTS];
	size_t nattached;
	struct page_source *_Atomic source; /* of a page, once there is one */
	struct capture_options options;
	const volatile uint64_t *ring_pos[2]; /* the main ring's consumer and producer pages */
	int multi;
	int all;
};

static int quiet(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	if (level > LIBBPF_WARN || !getenv("CTREC_DEBUG_BPF"))
		return 0;
	return vfprintf(stderr, fmt, ap);
}

static int to_sink(void *ctx, void *data, size_t size)
{
	struct sink *s = ctx;
	const struct ev_header *h = data;

	if (size < sizeof(*h) || h->size != size)
		return 0;
	return s->fn(s->ctx, h, size);
}

static int load_failed(int r)
{
	errno = -r;
	if (r == -EPERM || r == -EACCES)
		return err_set(ERR_NO_PRIVILEGE, "loading the BPF programs: %m");
	return err_set(ERR_NO_BPF, "loading the BPF programs: %m");
}

static struct recorder_bpf *open_bpf(int multi)
{
	struct recorder_bpf *b = recorder_bpf__open();
	struct bpf_program *p;

	if (!b)
		return NULL;
	if (multi)
		bpf_object__for_each_program(p, b->obj)
			if (bpf_program__type(p) == BPF_PROG_TYPE_KPROBE)
				bpf_program__set_expected_attach_type(p, ATTACH_TRACE_UPROBE_MULTI);
	bpf_map__set_max_entries(b->maps.events, RING_BYTES);
	config_init(&b->data->cfg, RING_BYTES);
	return b;
}

/* uprobe.multi where the kernel has it, plain uprobes otherwise. */
static int load_bpf(struct capture *c)
{
	int r = 0;

	for (c->multi = 1; c->multi >= 0; c->multi--) {
		c->bpf = open_bpf(c->multi);
		if (!c->bpf)
			return load_failed(-errno);
		r = recorder_bpf__load(c->bpf);
		if (!r)
			return 0;
		recorder_bpf__destroy(c->bpf);
		c->bpf = NULL;
		if (r != -EINVAL)
			break;
	}
	return load_failed(r);
}

static int attach_tracepoints(struct capture *c)
{
	struct recorder_bpf *b = c->bpf;

	b->links.on_fork = bpf_program__attach(b->progs.on_fork);
	b->links.on_exec = bpf_program__attach(b->progs.on_exec);
	b->links.on_exit = bpf_program__attach(b->progs.on_exit);
	b->links.on_sys_enter = bpf_program__attach(b->progs.on_sys_enter);
	b->links.on_sys_exit = bpf_program__attach(b->progs.on_sys_exit);
	if (!b->links.on_fork || !b->links.on_exec || !b->links.on_exit || !b->links.on_sys_enter ||
	    !b->links.on_sys_exit)
		return err_set(ERR_NO_BPF, "attaching to the process and syscall tracepoints: %m");
	return 0;
}

/* The ring's positions, to know how full it is: BPF_MAP_TYPE_RINGBUF puts the
 * consumer's at page 0 and the producer's at page 1 (kernel/bpf/ringbuf.c). */
static int map_positions(struct capture *c)
{
	long page = sysconf(_SC_PAGESIZE);
	int fd = bpf_map__fd(c->bpf->maps.events);

	for (int i = 0; i < 2; i++) {
		void *p = mmap(NULL, page, PROT_READ, MAP_SHARED, fd, i * page);

		if (p == MAP_FAILED)
			return err_set(ERR_NO_BPF, "mapping the ring's positions: %m");
		c->ring_pos[i] = p;
	}
	return 0;
}

int capture_new(struct capture **ret)
{
	struct capture *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return err_set(ERR_NOMEM, "a capture");
	libbpf_set_print(quiet);
	r = load_bpf(c);
	if (!r) {
		c->events = ring_buffer__new(bpf_map__fd(c->bpf->maps.events), to_sink,
					     &c->event_sink, NULL);
		c->control = ring_buffer__new(bpf_map__fd(c->bpf->maps.control), to_sink,
					      &c->control_sink, NULL);
		if (!c->events || !c->control)
			r = err_set(ERR_NO_BPF, "mapping the rings: %m");
	}
	if (!r)
		r = map_positions(c);
	if (r) {
		capture_free(c);
		return r;
	}
	*ret = c;
	return 0;
}

int capture_new_bare(struct capture **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : err_set(ERR_NOMEM, "a capture");
}

int capture_begin(struct capture *c, const struct capture_options *o)
{
	struct rec_config *cfg;

	c->options = *o;
	c->all = o->all;
	if (!c->bpf)
		return 0;
	cfg = &c->bpf->data->cfg;
	cfg->all = o->all;
	cfg->limits = o->limits;
	return attach_tracepoints(c);
}

struct capture *capture_free(struct capture *c)
{
	if (!c)
		return NULL;
	capture_detach(c);
	page_source_free(c->source);
	for (int i = 0; i < 2; i++)
		if (c->ring_pos[i])
			munmap((void *)c->ring_pos[i], sysconf(_SC_PAGESIZE));
	ring_buffer__free(c->events);
	ring_buffer__free(c->control);
	recorder_bpf__destroy(c->bpf);
	free(c);
	return NULL;
}

static int proc_flags(struct capture *c, pid_t pid, uint32_t set, uint32_t clear)
{
	int fd = bpf_map__fd(c->bpf->maps.procs);
	struct rec_proc p = { 0 };
	uint32_t key = pid;

	bpf_map_lookup_elem(fd, &key, &p);
	p.flags = (p.flags & ~clear) | set;
	if (bpf_map_update_elem(fd, &key, &p, BPF_ANY))
		return err_set(ERR_BUSY, "following process %d: %m", pid);
	return 0;
}

int capture_follow(struct capture *c, pid_t pid, bool running)
{
	return c->bpf ? proc_flags(c, pid, running ? PROC_RECORDED : PROC_SEARCH, 0) : 0;
}

int capture_watch(struct capture *c, pid_t pid)
{
	return c->bpf ? proc_flags(c, pid, PROC_WATCH, 0) : 0;
}

int capture_output(struct capture *c, pid_t pid, bool running)
{
	if (!c->bpf)
		return 0;
	return proc_flags(c, pid, PROC_OUTPUT | (running ? PROC_FILES : 0), 0);
}

int capture_page(struct capture *c, struct page_public *pub, uint64_t remote, pid_t pid, const struct python_info *info,
		 const struct ctrec_layout *l)
{
	struct page_source *source;
	int r = page_source_new(&source, pub, pid, &c->options, info, l);

	if (r < 0)
		return r;
	if (c->bpf)
		c->bpf->data->cfg.page_order = remote + offsetof(struct page_public, stats.order);
	c->source = source;
	page_source_on(source);
	return 0;
}

static int add(struct capture *c, const struct bpf_program *prog, int fd, uint64_t offset,
	       uint64_t ref_ctr, pid_t pid)
{
	int r;

	if (c->nattached == MAX_ATTACHMENTS)
		return err_set(ERR_TARGET_LAYOUT, "more than %d probes", MAX_ATTACHMENTS);
	r = attach_uprobe(&c->attached[c->nattached], prog, c->multi, fd, offset, ref_ctr, pid);
	if (!r)
		c->nattached++;
	return r;
}

int capture_stop_at_entry(struct capture *c, pid_t pid, int exe_fd, uint64_t file_offset)
{
	return add(c, c->bpf->progs.on_entry_point, exe_fd, file_offset, 0, pid);
}

/* The file offset of an address in the interpreter's text; 0 when it isn't there. */
static uint64_t text_offset(const struct python_info *info, uint64_t addr)
{
	Elf *elf;
	GElf_Phdr ph;
	size_t n = 0;
	uint64_t off = 0;

	elf_version(EV_CURRENT);
	elf = elf_begin(info->exe.fd, ELF_C_READ, NULL);
	if (!elf || elf_getphdrnum(elf, &n))
		n = 0;
	addr -= info->exe.bias;
	for (size_t i = 0; i < n && !off; i++)
		if (gelf_getphdr(elf, i, &ph) && ph.p_type == PT_LOAD && ph.p_flags & PF_X &&
		    addr >= ph.p_vaddr && addr - ph.p_vaddr < ph.p_filesz)
			off = addr - ph.p_vaddr + ph.p_offset;
	elf_end(elf);
	return off;
}

/* A probe on the tp_dealloc of a static type; 1 when there is one now. */
static int add_dealloc(struct capture *c, struct target *t, const struct python_info *info,
		       uint64_t type, const struct bpf_program *prog, pid_t pid)
{
	uint64_t dealloc = 0, off;

	if (!type || t->mem.read(&t->mem, (remote_t){ type + TYPE_DEALLOC }, &dealloc, 8))
		return 0;
	off = text_offset(info, dealloc);
	return off && !add(c, prog, info->exe.fd, off, 0, pid);
}

static int add_usdt(struct capture *c, const struct bpf_program *prog, const struct python_info *info,
		    const struct usdt *u, unsigned n, pid_t pid)
{
	int r = 0;

	for (unsigned i = 0; i < n && !r; i++)
		r = add(c, prog, info->exe.fd, u[i].offset, u[i].sem_offset, pid);
	return r;
}

int capture_python(struct capture *c, pid_t pid, const struct python_info *info,
		   const struct ctrec_layout *l, bool running)
{
	struct rec_config *cfg = &c->bpf->data->cfg;
	struct recorder_bpf *b = c->bpf;
	struct target *t = NULL;
	int r, freed;

	r = config_python(cfg, info, l);
	if (r)
		return r;
	cfg->late = running;
	cfg->gate = !running && (c->all || !info->run_main_offset) ? GATE_OPEN : GATE_CLOSED;
	r = target_open(&t, pid);
	if (r)
		return r;
	freed = add_dealloc(c, t, info, info->statics[CS_code], b->progs.on_code_dealloc, pid) &&
		add_dealloc(c, t, info, info->statics[CS_type], b->progs.on_type_dealloc, pid);
	cfg->verify_code = !freed;
	target_free(t);
	if (info->run_main_offset && !running)
		r = add(c, b->progs.on_run_main, info->exe.fd, info->run_main_offset, 0, pid);
	if (!r)
		r = add_usdt(c, b->progs.on_entry, info, info->entry, info->nentry, pid);
	if (!r)
		r = add_usdt(c, b->progs.on_return, info, info->ret, info->nret, pid);
	if (!r)
		r = add_usdt(c, b->progs.on_line, info, info->line, info->nline, pid);
	if (r)
		return r;
	return proc_flags(c, pid, PROC_RECORDED, PROC_SEARCH);
}

void capture_open(struct capture *c)
{
	uint32_t closed = GATE_CLOSED;

	/* unless it is over already: the program has become another */
	__atomic_compare_exchange_n(&c->bpf->data->cfg.gate, &closed, GATE_OPEN, false,
				    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

void capture_shut(struct capture *c)
{
	if (c->source)
		page_source_off(c->source);
	if (c->bpf)
		c->bpf->data->cfg.gate = GATE_OVER; /* closed, Py_RunMain would open it again */
}

void capture_detach(struct capture *c)
{
	capture_shut(c);
	for (size_t i = c->nattached; i-- > 0;)
		attachment_deinit(&c->attached[i]);
	c->nattached = 0;
}

int capture_plan_code(struct capture *c, uint64_t addr, const struct ctrec_codeplan *plan)
{
	if (c->source)
		return page_source_plan_code(c->source, addr, plan);
	if (bpf_map_update_elem(bpf_map__fd(c->bpf->maps.codes), &addr, plan, BPF_ANY))
		return err_set(ERR_UNKNOWN, "the plan of code object 0x%llx: %m",
			       (unsigned long long)addr);
	return 0;
}

int capture_stores(struct capture *c, uint32_t code, const struct ctrec_stores *s)
{
	if (c->source)
		return page_source_stores(c->source, code, s);
	if (code < REC_STORES && bpf_map_update_elem(bpf_map__fd(c->bpf->maps.stores), &code, s, BPF_ANY))
		return err_set(ERR_UNKNOWN, "the stores of code object %u: %m", code);
	return 0;
}

int capture_plan_type(struct capture *c, uint64_t addr, const struct ctrec_typeplan *plan)
{
	if (c->source)
		return page_source_plan_type(c->source, addr, plan);
	if (bpf_map_update_elem(bpf_map__fd(c->bpf->maps.types), &addr, plan, BPF_ANY))
		return err_set(ERR_UNKNOWN, "the plan of type 0x%llx: %m", (unsigned long long)addr);
	return 0;
}

static int take(struct ring_buffer *rb, struct sink *s, capture_fn fn, void *ctx, int timeout_ms,
		int longest_ms)
{
	int n;

	*s = (struct sink){ fn, ctx };
	n = ring_buffer__consume(rb);
	if (n || !timeout_ms)
		return n;
	/* records come without a wake-up: never sleep longer than that */
	if (timeout_ms < 0 || timeout_ms > longest_ms)
		timeout_ms = longest_ms;
	n = ring_buffer__poll(rb, timeout_ms);
	if (n == -EINTR)
		n = 0;
	return n ? n : ring_buffer__consume(rb);
}

/* A page that is not mapped yet has nothing. */
static int nothing_yet(int timeout_ms)
{
	struct timespec t = { 0, timeout_ms < 10 ? timeout_ms * 1000000l : 10000000l };

	if (timeout_ms)
		nanosleep(&t, NULL);
	return 0;
}

/* Records of eBPF beside a page's: output goes between the page's, by its order. */
static int beside_page(void *ctx, const struct ev_header *h, size_t len)
{
	struct capture *c = ctx;

	if (h->type == EV_THREAD && len == sizeof(struct ev_thread))
		page_source_thread(c->source, (const struct ev_thread *)h);
	if (h->type == EV_OUTPUT && len >= sizeof(struct ev_output))
		return page_source_output(c->source, (const struct ev_output *)h);
	return 0;
}

static int drain_page(struct capture *c, int timeout_ms, capture_fn fn, void *ctx)
{
	int n = 0;

	if (c->bpf) {
		n = take(c->events, &c->event_sink, beside_page, c, 0, 0);
		if (n < 0)
			return n;
	}
	return page_source_drain(c->source, fn, ctx, timeout_ms);
}

int capture_drain(struct capture *c, capture_fn fn, void *ctx, int timeout_ms)
{
	if (c->source)
		return drain_page(c, timeout_ms, fn, ctx);
	if (!c->bpf)
		return nothing_yet(timeout_ms);
	return take(c->events, &c->event_sink, fn, ctx, timeout_ms, 10);
}

int capture_control(struct capture *c, capture_fn fn, void *ctx, int timeout_ms)
{
	if (c->source) {
		int n = 0;

		if (c->bpf)
			n = take(c->control, &c->control_sink, fn, ctx, 0, 0);
		return n ? n : page_source_control(c->source, fn, ctx, timeout_ms);
	}
	if (!c->bpf)
		return nothing_yet(timeout_ms);
	return take(c->control, &c->control_sink, fn, ctx, timeout_ms, 100);
}

int capture_stats(struct capture *c, struct capture_stats *s)
{
	const volatile struct rec_stats *st;

	memset(s, 0, sizeof(*s));
	if (c->source)
		page_source_stats(c->source, s);
	if (!c->bpf)
		return 0;
	st = &c->bpf->data_stats->stats;
	s->events = st->order;
	s->values = st->values;
	s->waits = st->waits;
	s->stops = st->stops;
	for (int i = 0; i < EVG_MAX; i++)
		s->gaps[i] = st->gaps[i];
	s->ring_size = RING_BYTES;
	s->ring_used = *c->ring_pos[1] - *c->ring_pos[0];
	return 0;
}

void capture_new_epoch(struct capture *c)
{
	if (c->source)
		page_source_new_epoch(c->source);
	if (!c->bpf)
		return;
	__atomic_fetch_add(&c->bpf->data->cfg.epoch, 1, __ATOMIC_RELAXED);
}
