/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * install.h: callbacks registered with sys.monitoring, from inside the target (3.12+).
 *
 * Runs with the GIL held, as a pending call. Freestanding and position independent:
 * functions of CPython come from struct page_api, what must last stands in struct
 * page_callbacks. Event numbers are read by name from sys.monitoring.events. An
 * exception that is made on the way never reaches the program.
 */
#ifndef PAGE_INSTALL_H
#define PAGE_INSTALL_H

#include "page/page.h"

#define INSTALL_METH_FASTCALL 0x80 /* Include/methodobject.h */
#define INSTALL_TOOL "ctrec"

/* The step that failed, in page_arming.failed. */
enum install_step {
	INSTALL_OK, INSTALL_MONITORING, INSTALL_EVENTS, INSTALL_DISABLE, INSTALL_TOOLS, /* no tool id is free */
	INSTALL_NUMBER, INSTALL_FUNCTION, INSTALL_REGISTER, INSTALL_SET
};

/* Names of enum page_event; an array of arrays needs no addresses. */
static const char install_names[PAGE_EVENTS][16] = {
	[PAGE_EV_LINE] = "LINE", [PAGE_EV_JUMP] = "JUMP", [PAGE_EV_PY_START] = "PY_START",
	[PAGE_EV_PY_RESUME] = "PY_RESUME", [PAGE_EV_PY_THROW] = "PY_THROW",
	[PAGE_EV_PY_RETURN] = "PY_RETURN", [PAGE_EV_PY_YIELD] = "PY_YIELD",
	[PAGE_EV_PY_UNWIND] = "PY_UNWIND", [PAGE_EV_RAISE] = "RAISE",
	[PAGE_EV_STOP_ITERATION] = "STOP_ITERATION",
};

/* Ids that have no name in sys.monitoring first, then the optimizer's, profiler's, coverage's, debugger's. */
static const ev_u8 install_tools[] = { 3, 4, 5, 2, 1, 0 };

#define INSTALL_FN(api, field, type) ((type)(__UINTPTR_TYPE__)(api)->field)

static inline void install_decref(const struct page_api *api, void *object)
{
	if (object)
		INSTALL_FN(api, decref, void (*)(void *))(object);
}

/* Takes the result of a call: true when it was one. */
static inline int install_done(const struct page_api *api, void *result)
{
	if (!result)
		INSTALL_FN(api, err_clear, void (*)(void))();
	install_decref(api, result);
	return result != 0;
}

typedef void *(*install_call)(void *object, const char *name, const char *format, ...);

static inline void *install_monitoring(const struct page_api *api)
{
	return INSTALL_FN(api, sys_get_object, void *(*)(const char *))("monitoring");
}

/* An event's bit, from its name; 0: none. */
static inline ev_u32 install_number(const struct page_api *api, void *events, const char *name)
{
	void *number = INSTALL_FN(api, get_attr_string, void *(*)(void *, const char *))(events, name);
	long value = number ? INSTALL_FN(api, long_as_long, long (*)(void *))(number) : -1;

	install_decref(api, number);
	if (value <= 0 || value > 1 << 30) {
		INSTALL_FN(api, err_clear, void (*)(void))();
		return 0;
	}
	return value;
}

/* Takes back what is there; each step is tried. */
static inline void page_uninstall(const struct page_api *api, struct page_callbacks *cb)
{
	void *monitoring = install_monitoring(api);
	install_call call = INSTALL_FN(api, call_method, install_call);

	if (monitoring) {
		install_done(api, call(monitoring, "set_events", "ii", (int)cb->tool, 0));
		for (int e = 0; e < PAGE_EVENTS; e++)
			if (cb->registered >> e & 1)
				install_done(api, call(monitoring, "register_callback", "iiO", (int)cb->tool,
						       (int)cb->number[e], (void *)(__UINTPTR_TYPE__)api->none));
		install_done(api, call(monitoring, "free_tool_id", "i", (int)cb->tool));
	}
	cb->registered = 0;
	cb->mask = 0;
	install_decref(api, (void *)(__UINTPTR_TYPE__)cb->disable);
	cb->disable = 0;
}

/* One event's callback. */
static inline int install_event(const struct page_api *api, struct page_callbacks *cb, void *monitoring,
				void *events, int e)
{
	install_call call = INSTALL_FN(api, call_method, install_call);
	struct page_method *m = &cb->method[e];
	void *function;

	cb->number[e] = install_number(api, events, install_names[e]);
	if (!cb->number[e])
		return INSTALL_NUMBER;
	m->name = (__UINTPTR_TYPE__)install_names[e];
	m->function = cb->function[e];
	m->flags = INSTALL_METH_FASTCALL;
	m->doc = 0;
	function = INSTALL_FN(api, cfunction_new, void *(*)(void *, void *, void *))(m, 0, 0);
	if (!function) {
		INSTALL_FN(api, err_clear, void (*)(void))();
		return INSTALL_FUNCTION;
	}
	if (!install_done(api, call(monitoring, "register_callback", "iiO", (int)cb->tool, (int)cb->number[e],
				    function))) {
		install_decref(api, function);
		return INSTALL_REGISTER;
	}
	install_decref(api, function);
	cb->registered |= 1ull << e;
	cb->mask |= cb->number[e];
	return INSTALL_OK;
}

static inline int install_tool(const struct page_api *api, struct page_callbacks *cb, void *monitoring)
{
	install_call call = INSTALL_FN(api, call_method, install_call);

	for (unsigned i = 0; i < sizeof(install_tools); i++)
		if (install_done(api, call(monitoring, "use_tool_id", "is", (int)install_tools[i], INSTALL_TOOL))) {
			cb->tool = install_tools[i];
			return INSTALL_OK;
		}
	return INSTALL_TOOLS;
}

/*
 * Registers cb->function[] (set by the caller; 0: not) and turns the events on.
 * INSTALL_OK, or the step that failed: then all is as before.
 */
static inline int page_install(const struct page_api *api, struct page_callbacks *cb)
{
	void *(*attr)(void *, const char *) = INSTALL_FN(api, get_attr_string, void *(*)(void *, const char *));
	install_call call = INSTALL_FN(api, call_method, install_call);
	void *monitoring = install_monitoring(api), *events, *disable;
	int r;

	if (!monitoring)
		return INSTALL_MONITORING;
	events = attr(monitoring, "events");
	disable = attr(monitoring, "DISABLE");
	r = !events ? INSTALL_EVENTS : !disable ? INSTALL_DISABLE : install_tool(api, cb, monitoring);
	if (r != INSTALL_OK) {
		INSTALL_FN(api, err_clear, void (*)(void))();
		install_decref(api, events);
		install_decref(api, disable);
		return r;
	}
	cb->disable = (__UINTPTR_TYPE__)disable;
	cb->registered = 0;
	cb->mask = 0;
	for (int e = 0; e < PAGE_EVENTS && r == INSTALL_OK; e++)
		if (cb->function[e])
			r = install_event(api, cb, monitoring, events, e);
	if (r == INSTALL_OK && !install_done(api, call(monitoring, "set_events", "ii", (int)cb->tool, (int)cb->mask)))
		r = INSTALL_SET;
	install_decref(api, events);
	if (r != INSTALL_OK)
		page_uninstall(api, cb);
	return r;
}

/*
 * What both entries of the page do: makes the state what the daemon wants. Callbacks
 * that were taken from sys.monitoring behind our back are not put there again.
 */
static inline int page_follow_want(struct page_arming *a)
{
	ev_u32 want = __atomic_load_n(&a->want, __ATOMIC_ACQUIRE);

	if (want && a->state != PAGE_INSTALLED) {
		a->failed = page_install(&a->api, &a->callbacks);
		__atomic_store_n(&a->state, a->failed ? PAGE_REFUSED : PAGE_INSTALLED, __ATOMIC_RELEASE);
	} else if (!want && a->state == PAGE_INSTALLED) {
		page_uninstall(&a->api, &a->callbacks);
		__atomic_store_n(&a->state, PAGE_UNINSTALLED, __ATOMIC_RELEASE);
	}
	return 0;
}

#endif
