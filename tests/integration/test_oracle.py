#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Each program of tests/programs, recorded by ctrec and by the oracle (sys.settrace), must say the same.

A program may name known differences of the probe, each as often as it happens:
    # allowed: TEXT that stands in the difference
docs/probe-differences.md tells why they are.
"""
import glob
import os
import re
import subprocess
import unittest

import support
from support import BUILD, PYTHON, TESTS

import benchmarks
import compare

COLLECT = os.path.join(TESTS, "oracle", "collect.py")
# Deterministic: the order of sets of text is part of what is compared, and addresses are not.
ENV = {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1",
       "SETUPTOOLS_USE_DISTUTILS": "stdlib"}     # its import hook runs as often as a module is missing
IDENT = re.compile(r"field _(ident|native_id|started|tstate_lock)")     # a thread's own numbers


class Oracle(support.Recording):
    def oracle(self, script, *args, env=()):
        out = os.path.join(self.dir, "oracle.jsonl")
        r = subprocess.run([PYTHON, COLLECT, out, script, *args], capture_output=True, text=True, cwd=self.dir,
                           stdin=subprocess.DEVNULL, env=dict(os.environ, **ENV, **dict(env)), timeout=60)
        self.assertTrue(os.path.getsize(out), r.stderr)
        return out, r

    def same(self, script, *args, env=()):
        out, o = self.oracle(script, *args, env=env)
        for tries in range(4):
            r = self.ctrec("run", "--force", "-o", self.out, "--", PYTHON, script, *args, env=dict(ENV, **dict(env)))
            late = re.search(r"\d+ (plan|type)_late", r.stderr)
            if not late:
                break
            # The daemon was too slow for a new code object, and says that values are missing: made again.
            print("CAN'T COMPARE, recorded again:", late[0])
        self.assertEqual((r.returncode, r.stdout), (o.returncode, o.stdout), r.stderr)
        trace = self.only_trace()
        with open(script, encoding="utf-8") as f:
            allowed = re.findall(r"^# allowed: (.*)", f.read(), re.M)
        report = compare.compare(compare.oracle_model(out), compare.Trace(trace), limit=40, allowed=allowed)
        left = [d for d in report.differences if not IDENT.search(d)]
        self.assertEqual(left, [], "%s\n%s%s" % (report.summary(), r.stderr, "\n".join(x[:300] for x in left[:25])))
        self.assertGreater(report.lines, 10)
        self.assertGreater(report.values, 10)
        print(report.summary())


def add(name, path, *args):
    def test(self):
        self.same(path, *args)
    test.__name__ = "test_" + name
    setattr(Oracle, test.__name__, test)


add("demo", os.path.join(TESTS, "golden", "demo.py"))
for program in sorted(glob.glob(os.path.join(TESTS, "programs", "*.py"))):
    add(os.path.basename(program)[:-3], program)


class Benchmarks(Oracle):
    """Programs of pyperformance, loops kept small."""
    SIZES = {"richards": None, "deltablue": "2", "nqueens": "4", "raytrace": "2"}

    def program(self, name):
        try:
            path = benchmarks.lay_out(os.path.join(BUILD, "benchmarks"))[name]
            return benchmarks.shortened(path) if name == "richards" else path
        except benchmarks.Unavailable as e:
            self.skipTest(str(e))


for name in [n for n in dir(Oracle) if n.startswith("test_")]:
    setattr(Benchmarks, name, None)
for name in benchmarks.NAMES:
    def test(self, name=name):
        size = self.SIZES[name]
        self.same(self.program(name), env={"CTREC_BENCH_ARG": size} if size else {})
    setattr(Benchmarks, "test_" + name, test)


class Comparison(Oracle):
    """The comparison itself: each kind of difference must be found."""

    def test_finds_every_difference(self):
        out, _ = self.oracle(os.path.join(TESTS, "golden", "demo.py"))
        self.assertEqual(compare.self_test(out), [])

    def test_a_real_trace_of_another_program(self):
        one = self.script("x = 1\ny = 2\nfor i in range(9):\n    x += i\n", "one.py")
        two = self.script("x = 1\ny = 3\nfor i in range(9):\n    x += i\n", "two.py")
        out, _ = self.oracle(one)
        trace = compare.Trace(self.record(two))
        for s in trace.steps:
            s.file = s.file.replace("two.py", "one.py")
        found = compare.compare(compare.oracle_model(out), trace).differences
        self.assertTrue(any(": y: expected" in d for d in found), found)


for name in [n for n in dir(Oracle) if n.startswith("test_")]:
    setattr(Comparison, name, None)

if __name__ == "__main__":
    unittest.main()
