/* SPDX-License-Identifier: MIT */
/*
 * python.c: from a Python that was found to one that is recorded.
 */
#include "session/claim.h"
#include "session/internal.h"
#include "session/permission.h"
#include "util/io.h"

/* Whether this Python can be recorded; its layout if so. */
static int check_python(const struct python_info *info, const struct ctrec_layout **layout)
{
	*layout = python_layout(info->version);
	if (info->free_threaded)
		return err_set(ERR_UNSUPPORTED_PYTHON, "%s is free-threaded: %s",
			       info->version_text, info->exe.path);
	if (info->debug_build)
		return err_set(ERR_UNSUPPORTED_PYTHON, "%s is a debug build: %s",
			       info->version_text, info->exe.path);
	if (!*layout) {
		err_set(ERR_UNSUPPORTED_PYTHON, "%s: %s",
			info->version ? info->version_text : "a Python of unknown version",
			info->exe.path);
		return err_hint("use one of these: %s", python_supported());
	}
	if (!info->has_usdt)
		return err_set(ERR_NO_PROBES, "Python %s: %s", info->version_text, info->exe.path);
	/* the BPF walker knows frames of 3.11 only */
	if ((*layout)->python != (3 << 8 | 11))
		return err_set(ERR_UNSUPPORTED_PYTHON, "probes of %s: %s", info->version_text,
			       info->exe.path);
	return 0;
}

int session_record_python(struct session *s)
{
	struct resolve_options o = { .all = s->all, .max_slots = CTREC_MAX_SLOTS };
	const struct ctrec_layout *layout;
	int rc = check_python(&s->info, &layout);

	if (rc == 0)
		s->layout = *layout;
	/* one that has just been exec'd has no memory to be looked at */
	if (rc == 0 && (s->attach || s->launch))
		rc = python_layout_live(s->target, &s->info, &s->layout);
	if (rc == 0)
		rc = claim_process(s->target->pid, &s->claim_fd);
	if (rc == 0)
		rc = permission_owner(s->target->pid, &o.uid, &o.gid);
	if (rc == 0)
		rc = resolver_new(&s->resolver, s->target, &s->info, &s->layout, &o);
	if (rc == 0)
		rc = capture_python(s->capture, s->target->pid, &s->info, &s->layout, s->attach);
	if (rc == 0)
		rc = capture_output(s->capture, s->target->pid, s->attach);
	/* The process is held or the gate is closed: no event can come before the
	 * journal's first record. */
	if (rc == 0)
		rc = session_write_meta(s);
	if (rc == 0)
		s->python_pid = s->target->pid;
	else
		io_close(&s->claim_fd);
	return rc;
}

bool session_has_probes(const struct session *s)
{
	return s->probe != PROBE_PAGE && !s->no_bpf && s->info.has_usdt && s->info.version == (3 << 8 | 11);
}

int session_record_usdt(struct session *s)
{
	int rc = session_record_python(s);

	if (rc == 0 && s->launch) /* it stands at Py_RunMain, whose probe ptrace's breakpoint hides */
		capture_open(s->capture);
	if (rc == 0) {
		session_clear_error(s);
		session_set_state(s, SESSION_RECORDING);
		return 0;
	}
	session_set_error(s, false);
	s->resolver = resolver_free(s->resolver);
	return rc;
}
