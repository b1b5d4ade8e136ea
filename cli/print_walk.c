/* SPDX-License-Identifier: MIT */
/*
 * Calls come in order of entry, so a cursor one call ahead and a stack of those
 * that are open put them between the steps. Their return values are on a stack
 * of bytes beside it. Both are bounded: a hostile trace may never close a call.
 *
 * A call ends at its last step or, where ranges do not nest or go on beyond the
 * trace (a root that was never left), when the trace does.
 */
#include "print_walk.h"

#include "util/err.h"

#define OPEN_MAX (4u << 20)
#define VALUES_MAX (256u << 20)

struct walk {
	struct ct_reader *r;
	const struct print_visitor *v;
	struct buf open, values;
	struct ct_call next_call;
	struct ct_event next_event;
	bool have_call, have_event;
};

static int read_call(struct walk *w)
{
	int rc = ct_next_call(w->r, &w->next_call);

	w->have_call = rc > 0;
	return rc < 0 ? rc : 0;
}

static int read_event(struct walk *w)
{
	int rc = ct_next_event(w->r, &w->next_event);

	w->have_event = rc > 0;
	return rc < 0 ? rc : 0;
}

static struct print_call *top(const struct walk *w)
{
	size_t n = w->open.len / sizeof(struct print_call);

	return n ? (struct print_call *)w->open.data + n - 1 : NULL;
}

static int push(struct walk *w)
{
	const struct ct_call *c = &w->next_call;
	struct print_call p = { .key = c->key,
				.function = c->function,
				.exit = c->exit,
				.depth = c->depth,
				.is_void = c->is_void,
				.ret_len = c->ret.end - c->ret.p,
				.exc_len = c->exc.end - c->exc.p,
				.at = w->values.len };

	if (w->open.len / sizeof(p) == OPEN_MAX || p.at > VALUES_MAX)
		return err_set(ERR_BAD_TRACE, "too many calls are open at once");
	buf_append(&w->open, &p, sizeof(p));
	buf_append(&w->values, c->ret.p, p.ret_len);
	buf_append(&w->values, c->exc.p, p.exc_len);
	return w->open.oom ? buf_check(&w->open) : buf_check(&w->values);
}

static int enter_calls(struct walk *w, uint64_t step)
{
	int rc = 0;

	while (rc == 0 && w->have_call && w->next_call.entry <= step) {
		rc = push(w);
		if (rc == 0)
			rc = w->v->enter(w->v->ctx, &w->next_call);
		if (rc == 0)
			rc = read_call(w);
	}
	return rc;
}

static int leave_calls(struct walk *w, uint64_t step)
{
	struct print_call *c;
	int rc = 0;

	while (rc == 0 && (c = top(w)) && c->exit <= step) {
		const uint8_t *ret = w->values.data ? w->values.data + c->at : NULL;
		const uint8_t *exc = ret ? ret + c->ret_len : NULL;

		rc = w->v->leave(w->v->ctx, c, (struct cbor_in){ ret, exc },
				 (struct cbor_in){ exc, exc ? exc + c->exc_len : NULL });
		w->values.len = c->at;
		w->open.len -= sizeof(*c);
	}
	return rc;
}

static int events(struct walk *w, uint64_t step)
{
	int rc = 0;

	while (rc == 0 && w->have_event && w->next_event.step <= step) {
		rc = w->v->event(w->v->ctx, &w->next_event);
		if (rc == 0)
			rc = read_event(w);
	}
	return rc;
}

static int one_step(struct walk *w, const struct ct_step *step)
{
	struct ct_vars vars;
	int rc = ct_next_values(w->r, &vars);

	/* fewer records of values than steps are tolerated: vars is empty */
	if (rc >= 0)
		rc = enter_calls(w, step->index);
	if (rc == 0)
		rc = w->v->step(w->v->ctx, step, top(w), &vars);
	if (rc == 0)
		rc = events(w, step->index);
	return rc;
}

static int walk(struct walk *w, uint64_t limit, uint64_t *shown)
{
	struct ct_step step, next = { 0 };
	int rc = read_call(w), more = 0;

	if (rc == 0)
		rc = read_event(w);
	if (rc == 0)
		more = ct_next_step(w->r, &step);
	if (rc || more < 0)
		return rc ? rc : more;
	for (; rc == 0 && more; step = next) {
		rc = one_step(w, &step);
		if (rc)
			return rc;
		if (++*shown == limit)
			return leave_calls(w, step.index);
		more = ct_next_step(w->r, &next);
		if (more < 0)
			return more;
		rc = leave_calls(w, more ? step.index : UINT64_MAX);
	}
	return rc;
}

int print_walk(struct ct_reader *r, uint64_t limit, const struct print_visitor *v, uint64_t *shown)
{
	struct walk w = { .r = r, .v = v };
	int rc;

	*shown = 0;
	rc = walk(&w, limit, shown);
	buf_deinit(&w.open);
	buf_deinit(&w.values);
	return rc;
}
