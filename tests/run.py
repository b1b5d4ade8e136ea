#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the tests and tells of each: run.py [--build DIR] [--only unit|sanitized|fuzz|integration] [PATTERN...]

unit          DIR/tests/unit/test_* (Check; each of its tests counts) and DIR/tests/unit/layout_*
sanitized     DIR/asan/tests/unit/test_*, the same built with ASAN=1
fuzz          DIR/tests/fuzz/fuzz_*, some seconds each
integration   tests/integration/test_*.py and tests/privilege/test_*.py: each unittest method in a process of its own, with a
              time limit (a method's attribute `timeout`, or TIMEOUT); a file without unittest is one test

Ends with "N passed, N failed[, N skipped]"; exits 1 when one failed or none ran.
"""
import argparse
import glob
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
TIMEOUT = 120          # seconds a test may take
FUZZ_SECONDS = 5


class Tally:
    def __init__(self):
        self.passed, self.failed, self.skipped = 0, [], []

    def tell(self, name, outcome, seconds, text=""):
        label = {"ok": "ok    ", "fail": "FAILED", "skip": "CAN'T RUN HERE:"}[outcome]
        if outcome == "skip":
            text = " ".join(text.split())
            print("CAN'T RUN HERE: %s: %s" % (name, text), flush=True)
            self.skipped.append((name, text))
            return
        print("%s %s (%.1f s)" % (label, name, seconds), flush=True)
        if outcome == "ok":
            self.passed += 1
            return
        self.failed.append(name)
        print("    " + text.strip().replace("\n", "\n    "), flush=True)

    def last_line(self):
        if self.failed:
            print("\nfailed:\n  " + "\n  ".join(self.failed))
        reasons = {}
        for name, why in self.skipped:
            reasons.setdefault(why, []).append(name)
        if reasons:
            print("\nCAN'T RUN HERE:")
        for why, names in reasons.items():
            print("  %s: %s" % (", ".join(names) if len(names) < 5 else "%d tests from %s on" % (len(names), names[0]), why))
        tail = ", %d skipped" % len(self.skipped) if self.skipped else ""
        print("%d passed, %d failed%s" % (self.passed, len(self.failed), tail), flush=True)
        return 0 if self.passed and not self.failed else 1


def run(argv, timeout, env=None):
    """(exit status or None when the time was up, output, seconds). The whole process group ends with it."""
    begun = time.monotonic()
    with tempfile.TemporaryFile() as out:
        p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, cwd=ROOT,
                             env=dict(os.environ, **(env or {})), start_new_session=True)
        try:
            status = p.wait(timeout)
        except subprocess.TimeoutExpired:
            status = None
        finally:
            try:
                os.killpg(p.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            p.wait()
        out.seek(0)
        return status, out.read().decode("utf-8", "replace"), time.monotonic() - begun


def tail(text, lines=40):
    rows = text.strip().splitlines()
    return "\n".join((["…"] if len(rows) > lines else []) + rows[-lines:])


TAP = re.compile(r"(not )?ok \d+ - (.*)")


def unit(binary, tally, wanted, kind=""):
    name = kind + os.path.basename(binary)
    if not wanted(name):
        return
    with tempfile.NamedTemporaryFile(suffix=".tap") as tap:
        status, out, seconds = run([binary], TIMEOUT, {"CK_TAP_LOG_FILE_NAME": tap.name, "CK_TIMEOUT_MULTIPLIER": "10"})
        rows = [m for m in map(TAP.match, tap.read().decode("utf-8", "replace").splitlines()) if m]
    bad = 0
    for m in rows:
        what = m[2].split(": ", 1)
        where = ":".join(what[0].split(":")[1:])
        bad += bool(m[1])
        tally.tell("%s %s" % (name, where), "fail" if m[1] else "ok", seconds / len(rows), m[2])
    if status is None:
        tally.tell(name, "fail", seconds, "time is up\n" + tail(out))
    elif (status != 0 and not bad) or (status == 0 and bad):
        tally.tell(name, "fail", seconds, "exit status %s\n%s" % (status, tail(out)))
    elif not rows:
        tally.tell(name, "ok", seconds)


def fuzz(binary, tally, wanted):
    name = os.path.basename(binary)
    if not wanted(name):
        return
    with tempfile.TemporaryDirectory() as artifacts:
        status, out, seconds = run([binary, "-max_total_time=%d" % FUZZ_SECONDS, "-timeout=10", "-rss_limit_mb=2048",
                                    "-artifact_prefix=%s/" % artifacts], FUZZ_SECONDS * 6 + 30)
        inputs = ""
        for p in glob.glob(artifacts + "/*"):
            with open(p, "rb") as f:
                inputs += "\n%s: %s" % (os.path.basename(p), f.read()[:1000].hex())
    tally.tell(name, "ok" if status == 0 else "fail", seconds, "exit status %s\n%s%s" % (status, tail(out), inputs))


def cases_of(suite):
    for t in suite:
        if isinstance(t, unittest.TestSuite):
            yield from cases_of(t)
        else:
            yield t


def load(path):
    sys.path[0:0] = [os.path.dirname(path)]
    spec = importlib.util.spec_from_file_location(os.path.basename(path)[:-3], path)
    mod = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = mod
    spec.loader.exec_module(mod)
    return list(cases_of(unittest.defaultTestLoader.loadTestsFromModule(mod)))


def list_cases(path):
    """In a process of its own: one JSON line a test."""
    for t in load(path):
        print(json.dumps([t.id(), getattr(getattr(t, t._testMethodName, None), "timeout", TIMEOUT)]))


def one_case(path, which, report):
    result = unittest.TestResult()
    for t in load(path):
        if t.id() == which:
            unittest.TestSuite([t]).run(result)
    bad = result.errors + result.failures
    bad += [(t, "a success that was not expected") for t in result.unexpectedSuccesses]
    if bad:
        answer = ["fail", "\n".join(text for _, text in bad)]
    elif result.skipped and result.testsRun <= len(result.skipped):
        answer = ["skip", result.skipped[0][1]]
    elif result.testsRun:
        answer = ["ok", ""]
    else:
        answer = ["fail", "no such test"]
    with open(report, "w") as f:
        json.dump(answer, f)


def integration(path, tally, wanted, build):
    name = os.path.basename(path)[:-3]
    env = {"CTREC_BUILD": build, "PYTHONDONTWRITEBYTECODE": "1"}
    with open(path) as f:
        is_unittest = "unittest" in f.read()
    if not is_unittest:
        if not wanted(name):
            return
        argv = [sys.executable, path]
        if name in ("test_resolve", "test_walk"):
            return each_version(path, tally, wanted, build, env)
        status, out, seconds = run(argv, TIMEOUT * 2, env)
        tally.tell(name, "ok" if status == 0 else "fail", seconds, "exit status %s\n%s" % (status, tail(out)))
        return
    me = [sys.executable, os.path.abspath(__file__)]
    status, out, seconds = run(me + ["--list", path], TIMEOUT, env)
    if status != 0:
        tally.tell(name, "fail", seconds, "can't be loaded\n" + tail(out))
        return
    for row in out.splitlines():
        if not row.startswith("["):
            continue
        which, limit = json.loads(row)
        if not wanted(which):
            continue
        with tempfile.NamedTemporaryFile(suffix=".json") as report:
            status, out, seconds = run(me + ["--one", path, which, report.name], limit, env)
            answer = report.read()
        if status is None:
            tally.tell(which, "fail", seconds, "not done after %d s\n%s" % (limit, tail(out)))
        elif not answer:
            tally.tell(which, "fail", seconds, "exit status %s\n%s" % (status, tail(out)))
        else:
            outcome, text = json.loads(answer)
            tally.tell(which, outcome, seconds, tail(text if outcome == "skip" else text + "\n" + out, 60))


def each_version(path, tally, wanted, build, env):
    for minor in MINORS:
        which = "%s.3_%d" % (os.path.basename(path)[:-3], minor)
        found = pythons(minor)
        if not wanted(which):
            continue
        if not found:
            tally.tell(which, "skip", 0, "needs a CPython 3.%d" % minor)
            continue
        argv = [sys.executable, path, os.path.join(build, "resolve_tool")] + found
        status, out, seconds = run(argv, TIMEOUT * 2, env)
        tally.tell(which, "ok" if status == 0 else "fail", seconds, "exit status %s\n%s" % (status, tail(out)))


MINORS = (8, 9, 10, 11, 12, 13, 14)


def pythons(minor):
    """Interpreters of a version at hand; ROOT:PATH for one inside a system set up in a folder."""
    found = sorted(glob.glob(os.path.expanduser("~/.pyenv/versions/3.%d.*/bin/python" % minor)))
    found += [p for p in ["/usr/bin/python3.%d" % minor] if os.access(p, os.X_OK)]
    for root in os.environ.get("TEST_ROOTS", "").split():
        if os.access("%s/usr/bin/python3.%d" % (root, minor), os.X_OK):
            found.append("%s:/usr/bin/python3.%d" % (root, minor))
    return found


def main():
    if sys.argv[1:2] == ["--list"]:
        return list_cases(sys.argv[2])
    if sys.argv[1:2] == ["--one"]:
        return one_case(*sys.argv[2:5])
    signal.signal(signal.SIGTERM, lambda n, f: sys.exit(128 + n))      # so that what runs is ended too
    a = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    a.add_argument("--build", default=os.path.join(ROOT, "build"))
    a.add_argument("--only", choices=("unit", "sanitized", "fuzz", "integration"))
    a.add_argument("pattern", nargs="*", help="run only tests with one of these in their name")
    o = a.parse_args()
    for name in [n for n in os.environ if n.startswith("PYTHON")]:      # the same everywhere: PYTHONUNBUFFERED moves output
        del os.environ[name]
    build = os.path.abspath(o.build)
    tally = Tally()

    def wanted(name):
        return not o.pattern or any(p in name for p in o.pattern)

    def binaries(*patterns):
        return sorted(p for g in patterns for p in glob.glob(os.path.join(build, "tests", g)) if os.access(p, os.X_OK) and "." not in os.path.basename(p))

    if o.only in (None, "unit"):
        for b in binaries("unit/test_*", "unit/layout_*"):
            source = re.sub(r"^(layout_offsets)_3\d+_\d$", r"\1", os.path.basename(b))
            if os.path.exists(os.path.join(HERE, "unit", source + ".c")):      # not one of an older tree
                unit(b, tally, wanted)
        for minor in MINORS:
            name = "layout_offsets_3%d" % minor
            if wanted(name) and not glob.glob(os.path.join(build, "tests/unit", name + "_?")):
                tally.tell(name, "skip", 0, "needs the headers of CPython 3.%d" % minor)
    if o.only in (None, "sanitized"):
        found = binaries("../asan/tests/unit/test_*")
        for b in found:
            if os.path.exists(os.path.join(HERE, "unit", os.path.basename(b) + ".c")):
                unit(b, tally, wanted, "sanitized ")
        if not found and wanted("sanitized"):
            tally.tell("sanitized", "skip", 0, "not built: make sanitized")
    if o.only in (None, "fuzz"):
        for c in sorted(glob.glob(os.path.join(HERE, "fuzz", "fuzz_*.c"))):
            b = os.path.join(build, "tests", "fuzz", os.path.basename(c)[:-2])
            if os.path.exists(b):
                fuzz(b, tally, wanted)
            elif wanted(os.path.basename(b)):
                tally.tell(os.path.basename(b), "skip", 0, "not built: clang's fuzzer runtime (libclang-rt) is missing")
    if o.only in (None, "integration"):
        for p in [p for d in ("integration", "privilege") for p in sorted(glob.glob(os.path.join(HERE, d, "test_*.py")))]:
            integration(p, tally, wanted, build)
    return tally.last_line()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Exception:
        traceback.print_exc()
        sys.exit(1)
