# SPDX-License-Identifier: MIT
"""ctrec print: on the golden trace against CodeTracer's own printer, on random ones against ctcheck.py."""
import json
import os
import pty
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("CTREC_BUILD", os.path.join(os.path.dirname(TESTS), "build"))
CTREC = os.path.join(BUILD, "ctrec")
TEST_CT = os.path.join(BUILD, "tests", "unit", "test_ct")
GOLDEN = os.path.join(TESTS, "golden", "two-files.ct")


def ctrec_print(*args, **kw):
    return subprocess.run([CTREC, "print", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60, **kw)


def lines(text):
    return [json.loads(x) for x in text.splitlines()]


def without_names(value):
    """ct-print leaves the names of a struct's fields out."""
    if isinstance(value, dict):
        return {k: without_names(v) for k, v in value.items() if k != "field_names"}
    return [without_names(v) for v in value] if isinstance(value, list) else value


def essence(e):
    """What both ctcheck's and ctrec's line of an event tell."""
    kind = e["kind"]
    if kind == "step":
        return kind, e["step_index"], e["path"], e["line"], [(v["varname"], v["value"]) for v in e["vars"]]
    if kind == "call_entry":
        return (kind,) + tuple(e[k] for k in ("call_key", "function", "entry_step", "exit_step", "depth", "parent_call_key", "children")) + (
            [(a["varname"], a["value"]) for a in e["args"]],)
    if kind == "io":
        return kind, e["io_kind"], e["step_id"], e["text"]
    value = e["return"] if "return" in e else e["return_value"]
    return kind, e["call_key"], e["function"], None if value == {"kind": "Void"} else value


class Print(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="ctrec-test-")
        self.addCleanup(shutil.rmtree, self.dir, True)

    def test_events_golden(self):
        with open(os.path.join(TESTS, "golden", "two-files.events.jsonl"), encoding="utf-8") as f:
            want = [json.loads(x) for x in f]
        p = ctrec_print(GOLDEN, "--events")
        self.assertEqual((p.returncode, p.stderr), (0, ""))
        got = lines(p.stdout)
        self.assertEqual(len(got), len(want))
        for g, w in zip(got, want):
            self.assertEqual(g, w)

    def test_events_random(self):
        if not os.path.exists(TEST_CT):
            self.skipTest("tests/unit/test_ct is not built")
        for seed, steps in ((1, 1), (2, 50), (3, 1000), (4, 4097)):
            ct = os.path.join(self.dir, "random.ct")
            subprocess.run([TEST_CT, "write", str(seed), str(steps), ct], check=True)
            check = subprocess.run([sys.executable, os.path.join(TESTS, "ctcheck.py"), "--events", ct], stdout=subprocess.PIPE, text=True, check=True)
            p = ctrec_print(ct, "--events")
            self.assertEqual((p.returncode, p.stderr), (0, ""))
            got, want = lines(p.stdout)[1:], without_names(lines(check.stdout)[1:])
            self.assertEqual(len(got), len(want), "seed %d" % seed)
            for g, w in zip(got, want):
                self.assertEqual(essence(g), essence(w), "seed %d" % seed)
            self.assertEqual(ctrec_print(ct).returncode, 0)

    def test_listing(self):
        p = ctrec_print(GOLDEN)
        self.assertEqual((p.returncode, p.stderr), (0, ""))
        for want in ("→ addb(x=10)", "← 30", "│ hello stdout", "y = 20", "lst = [1, 'two', (3,)]", "tup = (1, 2)", "b = True",
                     "s = 'héllo'", "non = None", "raw = <obj>", "stn = Point(x=1, y=2)", "set = {1}", "ValueError: boom"):
            self.assertIn(want, p.stdout)
        self.assertNotIn("\033", p.stdout)
        self.assertLessEqual(max(map(len, p.stdout.splitlines())), 122)

    def test_color(self):
        self.assertIn("\033[", ctrec_print(GOLDEN, "--color=always").stdout)
        self.assertNotIn("\033[", ctrec_print(GOLDEN, "--color", "never").stdout)
        for env, colored in (({"TERM": "xterm"}, True), ({"TERM": "xterm", "NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)):
            main, sub = pty.openpty()
            e = {k: v for k, v in os.environ.items() if k != "NO_COLOR"}
            subprocess.run([CTREC, "print", GOLDEN, "--limit", "2"], stdout=sub, env=dict(e, **env), timeout=60, check=True)
            os.close(sub)
            self.assertEqual(b"\033[" in os.read(main, 4096), colored, env)
            os.close(main)

    def test_summary(self):
        start = time.monotonic()
        p = ctrec_print(GOLDEN, "--summary")
        self.assertLess(time.monotonic() - start, 1)
        s = json.loads(p.stdout)
        self.assertEqual([s[k] for k in ("steps", "calls", "events", "paths", "gaps")], [6, 2, 3, 2, {}])

    def test_limit(self):
        steps = [e for e in lines(ctrec_print(GOLDEN, "--events", "--limit=3").stdout)[1:] if e["kind"] == "step"]
        self.assertEqual(len(steps), 3)
        self.assertIn("3 of 6 steps", ctrec_print(GOLDEN, "--limit", "3").stdout)

    def test_errors(self):
        for args, status, code in (([], 2, "ERR_USAGE"), (["a", "b"], 2, "ERR_USAGE"), (["--what", "a"], 2, "ERR_USAGE"),
                                   ([GOLDEN, "--limit", "0"], 2, "ERR_USAGE"), ([GOLDEN, "--color=pink"], 2, "ERR_USAGE"),
                                   ([GOLDEN, "--limit"], 2, "ERR_USAGE"), ([GOLDEN, "--summary", "--events"], 2, "ERR_USAGE"),
                                   (["/nowhere.ct"], 1, "ERR_IO"), ([__file__], 1, "ERR_BAD_TRACE"), ([TESTS], 1, "ERR_BAD_TRACE")):
            p = ctrec_print(*args)
            self.assertEqual(p.returncode, status, args)
            self.assertIn("[%s]" % code, p.stderr)
            self.assertEqual(p.stdout, "")
        self.assertEqual(ctrec_print("--help").returncode, 0)

    def test_reader_goes_away(self):
        r, w = os.pipe()
        os.close(r)
        p = subprocess.run([CTREC, "print", GOLDEN, "--events"], stdout=w, stderr=subprocess.PIPE, timeout=60)
        os.close(w)
        self.assertEqual((p.returncode, p.stderr), (0, b""))


if __name__ == "__main__":
    unittest.main()
