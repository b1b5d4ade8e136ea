#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`ctrec attach`: programs that end meanwhile, and processes that are no programs for it."""
import glob
import os
import subprocess
import time
import unittest

from attach import COUNT, Attach
from support import PYTHON


class Ends(Attach):
    """However it ends, the trace is whole and says how."""
    READS = "import ctypes, os, resource, sys, time\nresource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n" \
            "def last(i):\n    while True:\n        i += 1\n        if os.path.exists(sys.argv[1]):\n            %s\n" \
            "print('ready', flush=True)\nlast(0)\nprint('end')\n"

    def ends(self, what, how, said):
        flag = os.path.join(self.dir, "flag")
        p = self.target(self.READS % what, flag)
        a = self.attached(p.pid)
        time.sleep(0.2)
        open(flag, "w").close()
        err = self.ended(a)
        self.assertIn(said, err)
        self.assertEqual(self.end_of(self.trace_of(p)), how)
        m = self.model(self.trace_of(p))
        i = [s.vars["i"]["i"] for s in m.steps if s.line == 6]
        self.assertEqual(i, list(range(i[0], i[-1] + 1)))
        return p, m

    def test_exit(self):
        p, m = self.ends("sys.exit(7)", {"reason": "exit", "status": 7}, "has ended")
        self.assertEqual(m.steps[-1].line, 7)
        self.assertEqual(p.wait(10), 7)

    def test_return(self):
        p, m = self.ends("break", {"reason": "exit", "status": 0}, "has ended")
        self.assertEqual(m.steps[-1].line, 10)

    def test_segfault(self):
        p, m = self.ends("ctypes.string_at(1)", {"reason": "signal", "signal": 11}, "by a signal")
        self.assertEqual(p.wait(10), -11)

    def test_exec(self):
        p, m = self.ends("os.execv('/bin/sleep', ['sleep', '60'])", {"reason": "exec"}, "another program")
        self.assertEqual(m.steps[-1].line, 7)
        self.assertIsNone(p.poll())
        self.assertEqual(os.readlink("/proc/%d/exe" % p.pid).rsplit("/")[-1], "sleep")

    def test_exec_of_python(self):
        p, m = self.ends("os.execv(sys.executable, [sys.executable, '-c', 'while True: x = 1'])", {"reason": "exec"}, "another program")
        self.assertEqual(m.steps[-1].line, 7)
        self.assertIsNone(p.poll())
        self.untouched(p)

    def test_killed(self):
        p = self.target(COUNT, 0)
        a = self.attached(p.pid)
        time.sleep(0.3)
        p.kill()
        self.assertIn("by a signal", self.ended(a))
        self.assertEqual(self.end_of(self.trace_of(p)), {"reason": "signal", "signal": 9})
        self.counts(self.model(self.trace_of(p)).steps)

    def test_no_space(self):
        os.mkdir(self.out)
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", self.out], capture_output=True).returncode:
            self.skipTest("no tmpfs can be mounted")
        self.addCleanup(subprocess.run, ["umount", self.out], capture_output=True)
        p = self.target("import random\nprint('ready', flush=True)\nwhile True:\n    x = [random.random() for j in range(5)]\n")
        r = self.ctrec("attach", "-o", self.out, str(p.pid))
        self.error(r, "ERR_NO_SPACE", "EnvironmentError", 1)
        self.assertIsNone(p.poll())
        self.untouched(p)

    def test_output(self):
        p = self.target("import os, time\nprint('ready', flush=True)\nn = 0\nwhile True:\n    n += 1\n    os.write(2, b'%d,' % n)\n    time.sleep(0.005)\n",
                        stderr=subprocess.DEVNULL)
        m = self.model(self.recorded(p, "--duration", "400ms"))
        got = [int(x) for x in "".join(e["text"] for e in m.io if e["io_kind"] == "ioStderr").split(",") if x]
        self.assertGreater(len(got), 10)
        self.assertEqual(got, list(range(got[0], got[0] + len(got))))


class Refused(Attach):
    def refused(self, pid, code, kind):
        e = self.error(self.ctrec("attach", "-o", self.out, str(pid)), code, kind, 1)
        self.assertTrue(e["hint"])
        self.assertEqual(os.listdir(self.out) if os.path.isdir(self.out) else [], [])
        return e

    def test_no_such_process(self):
        p = subprocess.Popen(["/bin/true"])
        p.wait()
        self.refused(p.pid, "ERR_NO_PROCESS", "UsageError")

    def test_ended_process(self):
        p = subprocess.Popen([PYTHON, "-c", ""], stdin=subprocess.DEVNULL)
        self.addCleanup(p.wait)
        while open("/proc/%d/stat" % p.pid).read().rsplit(")", 1)[1].split()[0] != "Z":
            time.sleep(0.01)
        r = self.ctrec("attach", "-o", self.out, str(p.pid))
        self.assertRegex(r.stderr, "ERR_NO_PROCESS|ERR_NOT_PYTHON|ERR_TARGET_GONE")
        self.assertEqual(r.returncode, 1)

    def test_not_a_python(self):
        p = subprocess.Popen(["/bin/sleep", "60"])
        self.addCleanup(p.wait)
        self.addCleanup(p.kill)
        e = self.refused(p.pid, "ERR_NOT_PYTHON", "TargetError")
        self.assertIn("sleep", e["message"])

    def test_too_old(self):
        found = glob.glob(os.path.expanduser("~/.pyenv/versions/3.[67].*/bin/python3"))
        if not found:
            self.skipTest("needs a CPython 3.6 or 3.7")
        self.refused(self.target(COUNT, 0, python=found[0]).pid, "ERR_UNSUPPORTED_PYTHON", "TargetError")

    def test_usage(self):
        for args in ((), ("x",), ("1", "2"), ("0",), ("--duration", "2 days", "1"), ("--duration", "0", "1"), ("--max-steps", "0", "1"), ("--such", "1")):
            self.error(self.ctrec("attach", *args), "ERR_USAGE", "UsageError", 2)

    def test_existing_trace_is_kept(self):
        p = self.target(COUNT, 0)
        trace = self.recorded(p, "--max-steps", "400")
        with open(trace, "rb") as f:
            before = f.read()
        self.error(self.ctrec("attach", "-o", self.out, "--max-steps", "400", str(p.pid)), "ERR_TRACE_DIR_CONFLICT", "EnvironmentError", 1)
        with open(trace, "rb") as f:
            self.assertEqual(f.read(), before)


if __name__ == "__main__":
    unittest.main()
