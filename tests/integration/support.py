# SPDX-License-Identifier: MIT
"""What the integration tests share: running ctrec, reading traces, skipping aloud."""
import functools
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
ROOT = os.path.dirname(TESTS)
BUILD = os.environ.get("CTREC_BUILD", os.path.join(ROOT, "build"))
CTREC = os.path.join(BUILD, "ctrec")
CTRECD = os.path.join(BUILD, "ctrecd")
PYTHON = "/usr/bin/python3"
CTCHECK = os.path.join(TESTS, "ctcheck.py")

sys.path[0:0] = [os.path.join(TESTS, "oracle"), TESTS]


@functools.lru_cache(None)
def why_not():
    """Why nothing can be recorded here; "" when it can."""
    if os.geteuid() != 0:
        return "recording takes root"
    if not os.path.exists("/sys/kernel/btf/vmlinux"):
        return "this kernel has no BTF"
    if not os.access(PYTHON, os.X_OK):
        return "no " + PYTHON
    version = subprocess.run([PYTHON, "-c", "import sys; print(*sys.version_info[:2])"], capture_output=True, text=True).stdout.split()
    with open(os.path.realpath(PYTHON), "rb") as f:
        if b"function__entry" not in f.read():
            return "%s (%s) is built without USDT probes" % (PYTHON, ".".join(version))
    if version != ["3", "11"]:
        return "%s is %s; the tests know 3.11" % (PYTHON, ".".join(version))
    return ""


@functools.lru_cache(None)
def kinds():
    """{code: kind}, from the list of errors."""
    with open(os.path.join(ROOT, "include", "ctrec", "error.h")) as f:
        names = {"USAGE": "UsageError", "ENVIRONMENT": "EnvironmentError", "TARGET": "TargetError", "INTERNAL": "InternalError"}
        return {c: names[k] for c, k in re.findall(r"X\((ERR_\w+), (\w+),", f.read())}


class Recording(unittest.TestCase):
    """A test with a folder of its own, at self.dir."""

    def setUp(self):
        if why_not():
            self.skipTest(why_not())
        self.dir = tempfile.mkdtemp(prefix="ctrec-test-")
        os.chmod(self.dir, 0o755)
        self.addCleanup(shutil.rmtree, self.dir, True)
        self.out = os.path.join(self.dir, "out")

    def script(self, text, name="script.py", mode=0o644):
        path = os.path.join(self.dir, name)
        with open(path, "w", encoding="utf-8", errors="surrogateescape") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def ctrec(self, *args, env=None, timeout=90, binary=False, **kw):
        """A finished `ctrec ARGS`; started in self.dir."""
        kw.setdefault("stdin", subprocess.DEVNULL if "input" not in kw else None)
        if kw["stdin"] is None:
            del kw["stdin"]
        return subprocess.run([CTREC, *args], cwd=kw.pop("cwd", self.dir), env=dict(os.environ, **(env or {})), timeout=timeout,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, **({} if binary else {"text": True, "errors": "replace"}), **kw)

    def start(self, *args, env=None, **kw):
        """A running `ctrec ARGS` in a group of its own, ended with the test."""
        kw.setdefault("stdin", subprocess.DEVNULL)
        p = subprocess.Popen([CTREC, *args], cwd=self.dir, env=dict(os.environ, **(env or {})), stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True, start_new_session=True, **kw)

        def end():
            try:
                os.killpg(p.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            p.wait()
            p.stdout.close()
            p.stderr.close()
        self.addCleanup(end)
        return p

    def record(self, script, *args, options=(), env=None, status=0, **kw):
        """Records PYTHON SCRIPT ARGS; the path of the trace, checked."""
        r = self.ctrec("run", "-o", self.out, *options, "--", PYTHON, script, *args, env=env, **kw)
        self.assertEqual(r.returncode, status, r.stderr)
        self.last = r
        return self.checked(os.path.join(self.out, os.path.basename(script)[:-3] + ".ct"))

    def checked(self, trace):
        """The trace obeys every rule of its format."""
        r = subprocess.run([PYTHON, CTCHECK, trace], capture_output=True, text=True)
        self.assertEqual(r.returncode, 0, "ctcheck: " + (r.stderr or r.stdout)[-2000:])
        return trace

    def traces(self, where=None):
        where = where or self.out
        return sorted(f for f in os.listdir(where) if f.endswith(".ct")) if os.path.isdir(where) else []

    def only_trace(self, where=None):
        found = self.traces(where)
        self.assertEqual(len(found), 1, found)
        return self.checked(os.path.join(where or self.out, found[0]))

    def model(self, trace):
        import compare
        return compare.Trace(trace)

    def error(self, r, code, kind, status=None):
        """The one error told, "ctrec: error: … [CODE]"; its kind and hint."""
        said = re.findall(r"^ctrec: error: (.*) \[(ERR_\w+)\]$(?:\n  hint: (.*))?", r.stderr, re.M)
        self.assertEqual([x[1] for x in said], [code], r.stderr)
        self.assertEqual(kinds()[code], kind)
        if status is not None:
            self.assertEqual(r.returncode, status, r.stderr)
        return {"message": said[0][0], "hint": said[0][2]}


def lines_of(model, script):
    return [s.line for s in model.steps if s.file == script]
