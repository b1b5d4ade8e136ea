#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""One daemon of root's, clients of several users: each may record, see and stop what is its own."""
import os
import pwd
import shutil
import subprocess
import sys
import time
import unittest

sys.path[0:0] = [os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "integration")]
import support  # noqa: E402
from support import CTREC, CTRECD, PYTHON, lines_of  # noqa: E402

NOBODY = pwd.getpwnam("nobody")
LOOP = "import time\nprint('ready', flush=True)\nfor i in range(3000):\n    time.sleep(0.01)\n"


class Daemon(support.Recording):
    def setUp(self):
        super().setUp()
        self.socket = os.path.join(self.dir, "ctrecd.sock")
        self.bin = os.path.join(self.dir, "bin")        # where every user may run it
        os.mkdir(self.bin)
        for b in (CTREC, CTRECD):
            shutil.copy(b, self.bin)
        self.daemon = subprocess.Popen([self.bin + "/ctrecd", "--socket", self.socket], stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        self.addCleanup(self.daemon.wait, 20)
        self.addCleanup(self.daemon.terminate)
        for _ in range(500):
            if os.path.exists(self.socket):
                break
            time.sleep(0.01)
        self.out = os.path.join(self.dir, "theirs")
        os.mkdir(self.out)
        os.chown(self.out, NOBODY.pw_uid, NOBODY.pw_gid)

    def command(self, args, nobody=True):
        who = ["setpriv", "--reuid", str(NOBODY.pw_uid), "--regid", str(NOBODY.pw_gid), "--clear-groups"] if nobody else []
        return who + [self.bin + "/ctrec", args[0], "--socket", self.socket, *args[1:]]

    def nobody(self, *args):
        return subprocess.run(self.command(args), cwd=self.out, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)

    def root(self, *args):
        return subprocess.run(self.command(args, False), cwd=self.dir, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)

    def running(self, nobody):
        out = self.out if nobody else os.path.join(self.dir, "own")
        p = subprocess.Popen(self.command(["run", "-o", out, "--", PYTHON, self.script(LOOP)], nobody), cwd="/", stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, text=True, stdin=subprocess.DEVNULL)

        def end():
            p.terminate()
            p.wait(30)
            p.stdout.close()
        self.addCleanup(end)
        self.assertEqual(p.stdout.readline(), "ready\n")
        return p

    def test_a_user_records_its_own(self):
        s = self.script("x = 1\ny = 2\n")
        r = self.nobody("run", "-o", self.out, "--", PYTHON, s)
        self.assertEqual(r.returncode, 0, r.stderr)
        trace = self.only_trace()
        self.assertEqual(lines_of(self.model(trace), s), [1, 2])
        self.assertEqual(os.stat(trace).st_uid, NOBODY.pw_uid)

    def test_nobody_sees_and_stops_only_its_own(self):
        self.running(nobody=False)
        self.assertIn("no recordings", self.nobody("list").stdout)
        self.assertIn("script.ct", self.root("list").stdout)
        number = next(x.split()[0] for x in self.root("list").stdout.splitlines() if "script.ct" in x)
        self.error(self.nobody("stop", number), "ERR_NO_SESSION", "UsageError")
        self.assertIn("script.ct", self.root("list").stdout)

    def test_stop_leaves_the_program_running(self):
        p = self.running(nobody=True)
        r = self.nobody("stop", "--all")
        self.assertEqual(r.returncode, 0, r.stderr)
        for _ in range(300):
            if self.traces():
                break
            time.sleep(0.02)
        self.assertIsNone(p.poll(), "ctrec run ended although its program runs")

    def test_status(self):
        r = self.nobody("status")
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertIn(str(self.daemon.pid), r.stdout)

    def test_no_daemon(self):
        self.daemon.terminate()
        self.daemon.wait(20)
        self.error(self.nobody("status"), "ERR_DAEMON", "EnvironmentError", 1)


if __name__ == "__main__":
    unittest.main()
