#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The probe page on every CPython from 3.8 to 3.14 at hand, against sys.settrace of the same interpreter.

The programs of tests/programs run one after another in one process, so that a version takes one recording;
where it differs each is recorded by itself. Environment TEST_ROOTS: as for test_resolve (tests/run.py).
"""
import glob
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import support
from support import BUILD, PYTHON, TESTS

import benchmarks
import compare
import run as runner
from test_oracle import IDENT
from test_oracle import ENV

PROGRAMS = sorted(glob.glob(os.path.join(TESTS, "programs", "*.py")))
THREADED = ("threads.py", "switching.py")      # calls of several threads are compared less strictly
TOGETHER = """\
import sys
for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as f:
        exec(compile(f.read(), path, "exec"), {"__name__": "__main__", "__file__": path})
"""
COMPILES = """\
import json, sys
bad = []
for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as f:
        try:
            compile(f.read(), path, "exec", dont_inherit=True)
        except SyntaxError:
            bad.append(path)
print(json.dumps(bad))
"""


class Interpreter:
    """One to be recorded, given as PATH or ROOT:PATH, and a folder it sees."""

    def __init__(self, spec):
        self.root, _, self.path = spec.rpartition(":")
        self.argv = (["chroot", self.root] if self.root else []) + [self.path]
        self.holder = tempfile.TemporaryDirectory(prefix="ctrec-page-", dir=self.root + "/tmp" if self.root else None)
        self.folder = self.holder.name[len(self.root):]
        os.chmod(self.holder.name, 0o755)

    def outside(self, name):
        return os.path.join(self.holder.name, name)

    def inside(self, name):
        return os.path.join(self.folder, name)

    def install(self, *paths):
        for p in paths:
            shutil.copy(p, self.holder.name)
        return [self.inside(os.path.basename(p)) for p in paths]

    def write(self, name, text):
        with open(self.outside(name), "w", encoding="utf-8") as f:
            f.write(text)
        return self.inside(name)

    def run(self, *args, env=(), timeout=90):
        return subprocess.run([*self.argv, *args], cwd="/" if self.root else self.folder, env=dict(os.environ, **ENV, **dict(env)),
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout)


class Page(support.Recording):
    def interpreters(self, minor):
        found = runner.pythons(minor)
        if not found:
            self.skipTest("needs a CPython 3.%d" % minor)
        return [Interpreter(x) for x in found if x != "/usr/bin/python3.%d" % minor or len(found) == 1]

    def page(self, python, script, *args, env=(), status=0, timeout=90):
        """A recording by the page; (the finished ctrec, its trace). Made again when the daemon was too slow."""
        for tries in range(4):
            r = self.ctrec("run", "--probe=page", "--force", "-o", self.out, "--", *python.argv, script, *args,
                           env=dict(ENV, **dict(env)), timeout=timeout)
            late = re.search(r"\d+ (plan|type)_late", r.stderr)
            if not late:
                break
            print("CAN'T COMPARE, recorded again:", late[0])
        self.assertEqual(r.returncode, status, r.stderr)
        return r, self.only_trace()

    def differences(self, python, script, *args, env=()):
        """What sys.settrace and the page say differently of a program."""
        out = python.inside("oracle.jsonl")
        o = python.run(python.install(os.path.join(TESTS, "oracle", "collect.py"))[0], out, script, *args, env=env)
        r, trace = self.page(python, script, *args, env=env, status=o.returncode)
        report = compare.compare(compare.oracle_model(python.outside("oracle.jsonl")), compare.Trace(trace), limit=40)
        shutil.rmtree(self.out)
        found = [d for d in report.differences if not IDENT.search(d)]
        if r.stdout != o.stdout:
            found.insert(0, "output: %r, expected %r" % (r.stdout[-300:], o.stdout[-300:]))
        if not found and report.lines < 10:
            found.append("hardly anything recorded: " + report.summary())
        return found, "%s %s: %s" % (python.path, os.path.basename(script), report.summary())

    def same(self, python, script, *args, env=()):
        found, said = self.differences(python, script, *args, env=env)
        self.assertEqual(found, [], said + "\n" + "\n".join(d[:300] for d in found[:12]))
        print(said)

    def programs(self, python):
        """Paths of those whose syntax this version has."""
        paths = python.install(*PROGRAMS)
        r = python.run("-c", COMPILES, *paths)
        self.assertEqual(r.returncode, 0, r.stderr)
        lacks = json.loads(r.stdout)
        if lacks:
            print("%s has not the syntax of: %s" % (python.path, " ".join(os.path.basename(p) for p in lacks)))
        return [p for p in paths if p not in lacks]


class Oracle(Page):
    def version(self, minor):
        for python in self.interpreters(minor):
            paths = self.programs(python)
            alone = [p for p in paths if os.path.basename(p) in THREADED]
            together = [p for p in paths if p not in alone]
            found, said = self.differences(python, python.write("together.py", TOGETHER), *together)
            print(said)
            for p in alone + (together if found else []):
                self.same(python, p)
            self.assertEqual(found, [], said)


class Benchmarks(Page):
    SIZES = {"richards": None, "deltablue": "2", "nqueens": "4", "raytrace": "2"}

    def version(self, minor):
        for python in self.interpreters(minor):
            try:
                laid = benchmarks.lay_out(os.path.join(BUILD, "benchmarks"))
                laid["richards"] = benchmarks.shortened(laid["richards"], 20)
            except benchmarks.Unavailable as e:
                self.skipTest(str(e))
            python.install(os.path.join(TESTS, "oracle", "stub", "pyperf.py"))
            for name, size in self.SIZES.items():
                self.same(python, python.install(laid[name])[0], env={"CTREC_BENCH_ARG": size} if size else {})


class Own(Page):
    """The program's own tracing, with and without ctrec: its results are the same, and nothing crashes."""
    TRACE = """\
import sys, threading
def f(n):
    t = 0
    for i in range(n):
        t += i
    return t
seen = []
def tr(frame, event, arg):
    seen.append((event, frame.f_code.co_name, frame.f_lineno))
    return tr
def other():
    sys.settrace(tr)
    f(1)
    sys.settrace(None)
print(sys.gettrace(), sys.getprofile())
f(1)
sys.settrace(tr)
f(2)
print(sys.gettrace() is tr)
sys.settrace(None)
f(3)
print(sys.gettrace(), seen)
del seen[:]
sys.setprofile(tr)
f(2)
sys.setprofile(None)
print(seen)
del seen[:]
t = threading.Thread(target=other)
t.start()
t.join()
threading.settrace(tr)
t = threading.Thread(target=f, args=(2,))
t.start()
t.join()
threading.settrace(None)
print([s for s in seen if s[1] == "f"])
def broken(frame, event, arg):
    raise KeyError(event)
sys.settrace(broken)
try:
    f(1)
except KeyError as e:
    print("raised", e, sys.gettrace())
print(f(4))
"""
    MONITOR = """\
import sys
mon = sys.monitoring
E = mon.events
seen = []
def f(n):
    t = 0
    for i in range(n):
        t += i
    return t
def line(code, number):
    seen.append(("line", number))
    return mon.DISABLE if number == 8 else None
def leave(code, offset, value):
    seen.append(("return", value))
def start(code, offset):
    seen.append(("start", code.co_name))
free = [i for i in range(6) if mon.get_tool(i) is None]
tool = free[-1]
mon.use_tool_id(tool, "mine")
for event, cb in ((E.LINE, line), (E.PY_RETURN, leave), (E.PY_START, start)):
    print(mon.register_callback(tool, event, cb))
mon.set_local_events(tool, f.__code__, E.LINE | E.PY_RETURN | E.PY_START)
f(2)
mon.restart_events()
f(3)
mon.set_local_events(tool, f.__code__, 0)
f(2)
mon.set_events(tool, E.PY_START)
f(1)
mon.set_events(tool, 0)
mon.free_tool_id(tool)
print(seen)
print(f(4))
"""

    def unchanged(self, python, text):
        script = python.write("own.py", text)
        plain = python.run(script)
        r, trace = self.page(python, script, status=plain.returncode)
        self.assertEqual((r.stdout, plain.returncode), (plain.stdout, 0), r.stderr + plain.stderr)
        model = self.model(trace)
        shutil.rmtree(self.out)
        return support.lines_of(model, script), model

    def version(self, minor):
        for python in self.interpreters(minor):
            lines, _ = self.unchanged(python, self.TRACE)
            self.assertEqual(lines[:3], [1, 2, 7])
            if minor >= 12:         # up to 3.11 sys.settrace takes the page's place
                self.assertEqual(lines[-1], 6)
                lines, _ = self.unchanged(python, self.MONITOR)
                self.assertEqual(lines[-1], 9)


class Hostile(Page):
    CORRUPTED = """\
import ctypes, os, sys
def poke(o, at, value):
    ctypes.c_uint64.from_address(id(o) + at).value = value
def bad():
    a = [1, 2, 3]
    poke(a, 24, 0xdead0000)             # where its items are
    b = "text" * 3
    poke(b, 16, 1 << 60)                # its length
    c = (1, 2)
    poke(c, 24 if sys.version_info < (3, 14) else 32, 8)        # an element
    d = {"k": 1}
    poke(d, 32, 0x7fff00000001)         # its keys
    e = 10 ** 30
    poke(e, 16, 1 << 62)                # its number of digits
    x = 1
    os._exit(3)
bad()
"""
    HUGE = """\
s = 'x' * 160_000_000
b = bytes(50_000_000)
l = list(range(1_000_000))
n = 1 << 1_000_000
d = dict.fromkeys(l)
globals().update(('w%d' % i, i) for i in range(10000))
y = 1
"""
    DROPPED = """\
import gc
for i in range(%d):
    name = "f%%d" %% i
    ns = {"__builtins__": {}}
    exec("def %%s(a):\\n return a\\n" %% name, ns)
    ns[name](i)
    del ns
    if i %% 1000 == 0:
        gc.collect()
"""
    DEEP = """\
import sys
sys.setrecursionlimit(3000)
def down(n):
    return n and down(n - 1)
print(down(900))
sys.setrecursionlimit(400)
try:
    down(4000)
except RecursionError:
    print("hit")
"""
    SIGNALS = """\
import signal, time
n = 0
def tick(s, f):
    global n
    n += 1
def work(k):
    t = []
    for i in range(k):
        t = [i, str(i)]
    return t
signal.signal(signal.SIGALRM, tick)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
began = time.monotonic()
while n < 50 and time.monotonic() - began < 20:
    work(50)
signal.setitimer(signal.ITIMER_REAL, 0)
print(n >= 50)
"""
    INTERPRETERS = """\
import sys
try:
    import _interpreters as xi
except ImportError:
    import _xxsubinterpreters as xi
code = '''
def g(n):
    return [i for i in range(n)]
for i in range(50):
    g(i)
'''
def own():
    for i in range(3):
        if sys.version_info >= (3, 13):
            one = xi.create("isolated" if i else "legacy")
        else:
            one = xi.create(isolated=bool(i))
        xi.exec(one, code) if hasattr(xi, "exec") else xi.run_string(one, code)
        xi.destroy(one)
def back():
    return 7
own()
print(back())
"""

    def version(self, minor):
        for python in self.interpreters(minor):
            self.corrupted(python)
            self.huge(python)
            self.dropped(python, 20000 if minor == 12 else 3000)
            for name in "DEEP", "SIGNALS", "INTERPRETERS":
                if name != "INTERPRETERS" or minor >= 12:
                    self.survives(python, name, getattr(self, name))

    def recorded(self, python, name, text, status=0):
        script = python.write(name.lower() + ".py", text)
        r, trace = self.page(python, script, status=status, timeout=110)
        model = self.model(trace)
        shutil.rmtree(self.out)
        return r, model, [s for s in model.steps if s.file == script]

    def corrupted(self, python):
        _, _, steps = self.recorded(python, "corrupted", self.CORRUPTED, 3)
        self.assertEqual((steps[-1].line, steps[-1].vars["x"].get("i")), (16, 1))

    def huge(self, python):
        _, _, steps = self.recorded(python, "huge", self.HUGE)
        last = next(s for s in steps if s.line == 6).vars
        self.assertRegex(last["s"]["text"], r"^x{200,256}… \+\d+ more$")
        self.assertIn("+999936 more", last["l"]["elements"][-1]["r"])
        wrong = [n for n, v in steps[-1].vars.items() if n[0] == "w" and v.get("kind") == "Int" and v["i"] != int(n[1:])]
        self.assertEqual(wrong, [])

    def dropped(self, python, count):
        r, model, _ = self.recorded(python, "dropped", self.DROPPED % count)
        seen = [c for c in model.calls if re.fullmatch(r"f\d+", c.name or "")]
        self.assertEqual(len(seen), count)
        self.assertEqual([(i, c.name) for i, c in enumerate(seen) if c.name != "f%d" % i][:5], [])
        self.assertEqual([(i, c.args) for i, c in enumerate(seen) if c.args and c.args["a"].get("i") != i][:5], [])

    def survives(self, python, name, text):
        plain = python.run(python.write(name.lower() + ".py", text))
        self.assertEqual(plain.returncode, 0, plain.stderr)
        r, model, steps = self.recorded(python, name, text)
        self.assertEqual(r.stdout, plain.stdout, r.stderr)
        self.assertEqual(steps[-1].line, {"DEEP": 10, "SIGNALS": 17, "INTERPRETERS": 21}[name])
        if name == "DEEP":
            self.assertEqual(max(c.depth for c in model.calls), 901)


def versions(cls, minors, timeout):
    for minor in minors:
        def test(self, minor=minor):
            self.version(minor)
        test.timeout = timeout
        setattr(cls, "test_3_%d" % minor, test)


versions(Oracle, runner.MINORS, 240)
versions(Benchmarks, (12,), 240)
versions(Own, runner.MINORS, 120)
versions(Hostile, runner.MINORS, 300)


class Probes(Page):
    """On 3.11 both probes are at hand: one program, the same recording."""

    def test_the_same_of_both(self):
        programs = [p for p in PROGRAMS if os.path.basename(p) in ("generators.py", "shapes.py", "exceptions.py", "coroutines.py")]
        script = self.script(TOGETHER, "together.py")
        got = []
        for probe in "usdt", "page":
            r = self.ctrec("run", "--probe=" + probe, "--force", "-o", self.out, "--", PYTHON, script, *programs, env=ENV)
            self.assertEqual(r.returncode, 0, r.stderr)
            got.append(self.model(self.only_trace()))
            shutil.rmtree(self.out)
        one, two = got
        place = [[(s.file, s.line) for s in m.steps] for m in got]
        self.assertEqual(*place)
        self.assertGreater(len(place[0]), 500)
        for a, b in zip(one.steps, two.steps):
            self.assertEqual(plain(a.vars, one), plain(b.vars, two), (a.file, a.line))
        for a, b in zip(one.calls, two.calls):
            self.assertEqual((a.name, a.parent, a.entry, a.exit, plain(a.args, one), plain(a.result, one)),
                             (b.name, b.parent, b.entry, b.exit, plain(b.args, two), plain(b.result, two)))
        self.assertEqual(len(one.calls), len(two.calls))


def plain(v, model):
    """A value without what differs between two runs: numbers of types, addresses."""
    if isinstance(v, dict):
        return {k: model.types[x] if k == "type_id" else None if k == "address" else plain(x, model) for k, x in v.items()}
    if isinstance(v, list):
        return [plain(x, model) for x in v]
    return re.sub(r"0x[0-9a-f]+", "0x", v) if isinstance(v, str) else v


if __name__ == "__main__":
    unittest.main()
