#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`ctrec attach` through a daemon of root's: several recordings, of several users, and how they go."""
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
import unittest

sys.path[0:0] = [os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "integration")]
from attach import COUNT, Attach  # noqa: E402
from support import CTREC, CTRECD, PYTHON  # noqa: E402

NOBODY = pwd.getpwnam("nobody")
AS_NOBODY = ["setpriv", "--reuid", str(NOBODY.pw_uid), "--regid", str(NOBODY.pw_gid), "--clear-groups"]


class Service(Attach):
    """A daemon that listens."""

    def setUp(self):
        super().setUp()
        self.socket = os.path.join(self.dir, "ctrecd.sock")
        self.bin = os.path.join(self.dir, "bin")        # where every user may run it
        os.mkdir(self.bin)
        for b in (CTREC, CTRECD):
            shutil.copy(b, self.bin)
        self.daemon = subprocess.Popen([self.bin + "/ctrecd", "--socket", self.socket], stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        self.addCleanup(self.daemon.wait, 30)
        self.addCleanup(self.daemon.terminate)
        for _ in range(500):
            with socket.socket(socket.AF_UNIX) as s:
                if not s.connect_ex(self.socket):
                    break
            time.sleep(0.01)
        os.mkdir(self.out)
        os.chmod(self.out, 0o777)

    def with_socket(self, *args):
        return [args[0], "--socket", self.socket, *map(str, args[1:])]

    def as_nobody(self, *args):
        return subprocess.run([*AS_NOBODY, self.bin + "/ctrec", *self.with_socket(*args)], cwd=self.out, capture_output=True, text=True,
                              timeout=60, stdin=subprocess.DEVNULL)

    def test_first_event_soon(self):
        p = self.target("import time\ndef work():\n    while True:\n        now = time.monotonic_ns()\nprint('ready', flush=True)\nwork()\n")
        took = []
        for n in range(6):
            time.sleep(2)                               # the next one is being loaded
            begun = time.monotonic_ns()
            self.recorded(p, "--socket", self.socket, "--max-steps", "50", "--force")
            m = self.model(self.trace_of(p))
            took.append((next(s.vars["now"]["i"] for s in m.steps if s.line == 4) - begun) / 1e6)
            if took[-1] <= 100:
                break
        self.assertLessEqual(took[-1], 100, took)

    def test_daemon_ended(self):
        p = self.target(COUNT, 0)
        a = self.attached("--socket", self.socket, p.pid)
        time.sleep(0.3)
        self.daemon.terminate()
        self.assertIn("nothing lost", self.ended(a))
        self.assertEqual(self.end_of(self.trace_of(p)), {"reason": "stopped"})
        self.counts(self.model(self.trace_of(p)).steps)
        self.untouched(p)

    def test_daemon_killed(self):
        p = self.target(COUNT, 0)
        a = self.attached("--socket", self.socket, p.pid)
        time.sleep(1.3)
        self.daemon.kill()
        self.assertIn("ERR_DAEMON", self.ended(a, 1))
        self.counts(self.model(self.trace_of(p)).steps)
        self.untouched(p)

    def test_client_killed(self):
        """Nobody is left who could end it: it ends, and the journal is whole."""
        p = self.target(COUNT, 0)
        a = self.attached("--socket", self.socket, p.pid)
        time.sleep(0.3)
        a.kill()
        for _ in range(200):
            if json.loads(self.ctrec(*self.with_socket("list", "--json")).stdout) == []:
                break
            time.sleep(0.05)
        self.untouched(p)
        r = self.ctrec("recover", os.path.join(self.out, "script.%d.ct.journal" % p.pid))
        self.assertEqual(r.returncode, 0, r.stderr)
        self.counts(self.model(self.trace_of(p)).steps)

    def test_several_at_once(self):
        ps = [self.target(COUNT, 1000 * n, who=AS_NOBODY if n else ()) for n in range(3)]
        a = [self.attached("--socket", self.socket, p.pid) for p in ps]
        theirs = subprocess.Popen([*AS_NOBODY, self.bin + "/ctrec", *self.with_socket("attach", "-o", self.out, self.nobodys().pid)],
                                  stderr=subprocess.PIPE, text=True)
        self.addCleanup(theirs.stderr.close)
        self.assertIn("recording", theirs.stderr.readline())
        sessions = json.loads(self.ctrec(*self.with_socket("list", "--json")).stdout)
        self.assertEqual(len({s["pid"] for s in sessions}), 4)
        self.assertEqual(len(json.loads(self.as_nobody("list", "--json").stdout)), 1)
        time.sleep(0.5)
        for s in sessions:
            r = self.ctrec(*self.with_socket("stop", s["session"]))
            self.assertEqual(r.returncode, 0, r.stderr)
        for c in a:
            self.ended(c)
        self.assertEqual(theirs.wait(30), 0)
        for p in ps:
            self.counts(self.model(self.trace_of(p)).steps)
            self.untouched(p)

    def nobodys(self, text=COUNT, **kw):
        return self.target(text, 0, name="theirs.py", who=AS_NOBODY, **kw)

    def test_status(self):
        p = self.target(COUNT, 0)
        a = self.attached("--socket", self.socket, p.pid)
        time.sleep(2.6)
        number = json.loads(self.ctrec(*self.with_socket("list", "--json")).stdout)[0]["session"]
        r = self.ctrec(*self.with_socket("status", "--json", number))
        self.assertEqual(r.returncode, 0, r.stderr)
        s = json.loads(r.stdout)
        self.assertEqual((s["session"], s["pid"], s["python"], s["state"], s["losses"]), (number, p.pid, p.pid, "recording", {}))
        self.assertGreater(s["events"], 1000)
        self.assertGreater(s["rate"], 1000)
        self.assertGreater(s["bytes"], 1000)
        self.assertGreater(s["ring"]["size"], s["ring"]["used"])
        self.assertEqual((s["waits"], s["stops"]), (0, 0))
        text = self.ctrec(*self.with_socket("status", number)).stdout
        self.assertIn("%d" % p.pid, text)
        self.assertIn("events", text)
        self.error(self.ctrec(*self.with_socket("status", 9999)), "ERR_NO_SESSION", "UsageError", 1)
        self.error(self.as_nobody("status", number), "ERR_NO_SESSION", "UsageError", 1)
        a.send_signal(signal.SIGINT)
        self.ended(a)

    def test_users(self):
        """Own processes only, and only such as one might look into oneself."""
        own = self.nobodys()
        r = self.as_nobody("attach", "-o", self.out, "--max-steps", "400", own.pid)
        self.assertEqual(r.returncode, 0, r.stderr)
        trace = self.trace_of(own, "theirs")
        self.counts(self.model(trace).steps)
        self.assertEqual(os.stat(trace).st_uid, NOBODY.pw_uid)
        self.error(self.as_nobody("attach", "-o", self.out, self.target(COUNT, 0).pid), "ERR_NO_PRIVILEGE", "EnvironmentError", 1)
        shut = self.nobodys("import ctypes, time\nctypes.CDLL(None).prctl(4, 0, 0, 0, 0)\nprint('ready', flush=True)\ntime.sleep(60)\n")
        self.error(self.as_nobody("attach", "-o", self.out, shut.pid), "ERR_NO_PRIVILEGE", "EnvironmentError", 1)
        self.untouched(own)

    def test_recorded_already(self):
        p = self.target(COUNT, 0)
        a = self.attached("--socket", self.socket, p.pid)
        e = self.error(self.ctrec("attach", "--socket", self.socket, "-o", self.out, str(p.pid)), "ERR_ALREADY_TRACING", "UsageError", 1)
        self.assertIn("ctrec stop", e["hint"])
        # a daemon of one's own does not change that
        self.error(self.ctrec("attach", "-o", self.out, str(p.pid), env={"CTREC_SOCKET": "/nowhere"}), "ERR_ALREADY_TRACING", "UsageError", 1)
        a.send_signal(signal.SIGINT)
        self.ended(a)
        self.counts(self.model(self.trace_of(p)).steps)
        self.assertEqual(os.listdir(self.out), ["script.%d.ct" % p.pid])

    def test_recorded_by_run(self):
        s = self.script("import os\nprint(os.getpid(), flush=True)\nwhile True:\n    x = 1\n")
        r = self.start("run", "--socket", self.socket, "-o", self.out, "--", "/bin/sh", "-c", "%s %s; true" % (PYTHON, s))
        python = int(r.stdout.readline())
        self.error(self.ctrec("attach", "--socket", self.socket, "-o", self.out, str(python)), "ERR_ALREADY_TRACING", "UsageError", 1)
        os.kill(python, signal.SIGTERM)
        self.ended(r)


if __name__ == "__main__":
    unittest.main()
