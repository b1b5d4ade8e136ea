# SPDX-License-Identifier: MIT
"""The command line, and the daemon that listens: whose recordings a user sees, stops, may make."""
import json
import os
import pwd
import shutil
import signal
import socket
import struct
import subprocess
import time

import support
from support import CTREC, CTRECD, PYTHON, lines_of

NOBODY = pwd.getpwnam("nobody")
DAEMON = pwd.getpwnam("daemon")
COMMANDS = ("run", "attach", "print", "recover", "list", "stop", "status")
LOOP = "import time\nprint('ready', flush=True)\nfor i in range(%d):\n    time.sleep(0.02)\nprint('ended')\n"


class Words(support.Recording):
    """What needs no recorder."""

    def setUp(self):
        super().setUp()
        self.nowhere = os.path.join(self.dir, "none.sock")

    def test_help(self):
        for args in (["--help"], *([c, "--help"] for c in COMMANDS)):
            r = self.ctrec(*args)
            self.assertEqual((r.returncode, r.stderr), (0, ""), args)
            self.assertIn("usage: ctrec", r.stdout)
        self.assertEqual(self.ctrec().returncode, 2)

    def test_version(self):
        r = self.ctrec("--version")
        self.assertEqual(r.returncode, 0)
        self.assertRegex(r.stdout, r"\Actrec \d+\.\d+\.\d+\n.*3\.11")
        r = subprocess.run([CTRECD, "--version"], capture_output=True, text=True)
        self.assertEqual((r.returncode, r.stdout.split()[0]), (0, "ctrecd"))

    def test_usage_errors(self):
        for args in (["nonsense"], ["--nonsense"], ["list", "x"], ["list", "--no"], ["stop"], ["stop", "1", "--all"], ["status", "x"], ["status", "--socket"], ["run", "--max-items", "99999", "--", "true"],
                     ["run", "--max-string=-1", "--", "true"], ["run", "--probe", "x", "--", "true"], ["run", "-o", "", "--", "true"]):
            self.error(self.ctrec(*args), "ERR_USAGE", "UsageError", 2)

    def test_hints(self):
        self.assertIn("ctrec run", self.error(self.ctrec("ru"), "ERR_USAGE", "UsageError", 2)["hint"])
        self.assertIn("ctrec run --", self.error(self.ctrec("x.py"), "ERR_USAGE", "UsageError", 2)["hint"])

    def test_options_of_the_program_are_its_own(self):
        r = self.ctrec("run", "-o", self.out, PYTHON, "-c", "import sys; print(sys.argv)", "-o", "--help", "--force")
        self.assertEqual((r.returncode, r.stdout), (0, "['-c', '-o', '--help', '--force']\n"), r.stderr)

    def test_nobody_listens(self):
        for args in (["list"], ["status"], ["stop", "1"], ["run", "--", PYTHON, "-c", "1"]):
            self.error(self.ctrec(args[0], "--socket", self.nowhere, *args[1:]), "ERR_DAEMON", "EnvironmentError", 1)

    def test_an_empty_journal_is_no_obstacle(self):
        s = self.script("x = 1\n")
        os.mkdir(self.out)
        open(self.out + "/script.ct.journal", "wb").close()
        self.record(s)
        self.assertEqual(os.listdir(self.out), ["script.ct"])

    def test_a_journal_left_behind_is_kept(self):
        s = self.script("x = 1\n")
        os.mkdir(self.out)
        with open(self.out + "/script.ct.journal", "wb") as f:
            f.write(b"x" * 1000)
        r = self.ctrec("run", "-o", self.out, "--", PYTHON, s)
        self.assertIn("recover", self.error(r, "ERR_TRACE_DIR_CONFLICT", "EnvironmentError", 1)["hint"])
        self.assertEqual(os.path.getsize(self.out + "/script.ct.journal"), 1000)
        self.record(s, options=["--force"])


class Launchers(support.Recording):
    """What a launcher does after its Python has ended is not held up."""

    def test_programs_after_the_first(self):
        s = self.script("print('python')\n")
        sh = self.script("%s %s; /bin/echo 1; %s %s; for i in 2 3 4 5; do (/bin/echo $i); done; exec /bin/echo end\n"
                         % (PYTHON, s, PYTHON, s), "all.sh")
        r = self.ctrec("run", "-o", self.out, "--", "sh", sh, timeout=60)
        self.assertEqual((r.returncode, r.stdout.split()), (0, "python 1 python 2 3 4 5 end".split()), r.stderr)
        self.assertEqual(lines_of(self.model(self.only_trace()), s), [1])

    def test_python_left_in_the_background(self):
        s = self.script(LOOP % 40)
        p = self.start("run", "-o", self.out, "--", "sh", "-c", "%s %s & echo left" % (PYTHON, s))
        self.assertEqual(p.wait(60), 0)
        self.assertEqual(len(lines_of(self.model(self.only_trace()), s)), 84)

    def test_a_signal_ends_the_wait_for_it(self):
        s = self.script(LOOP % 500)
        p = self.start("run", "-o", self.out, "--", "sh", "-c", "%s %s & echo left" % (PYTHON, s))
        self.assertEqual(sorted((p.stdout.readline(), p.stdout.readline())), ["left\n", "ready\n"])
        begun = time.monotonic()
        os.kill(p.pid, signal.SIGTERM)
        self.assertEqual(p.wait(60), 0)
        self.assertLess(time.monotonic() - begun, 5)
        self.assertEqual(lines_of(self.model(self.only_trace()), s)[:4], [1, 2, 3, 4])


class Daemon(support.Recording):
    """A ctrecd of the test's own, that listens for everybody."""

    def setUp(self):
        super().setUp()
        self.bin = os.path.join(self.dir, "bin")    # where everybody may read
        os.mkdir(self.bin)
        shutil.copy(CTREC, self.bin)
        self.socket = os.path.join(self.dir, "d.sock")
        self.daemon = self.listen()

    def listen(self):
        d = subprocess.Popen([CTRECD, "--socket", self.socket], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.PIPE, text=True, start_new_session=True)
        self.addCleanup(self.end, d)
        for _ in range(500):
            try:
                with socket.socket(socket.AF_UNIX) as c:
                    c.connect(self.socket)
                return d
            except OSError:
                time.sleep(0.01)
        self.fail("ctrecd does not listen")

    def end(self, d):
        if d.poll() is None:
            d.kill()
        d.wait()
        d.stderr.close()

    def argv_as(self, user, *args):
        argv = [self.bin + "/ctrec", *args]
        argv[2:2] = ["--socket", self.socket]
        if user:
            argv = ["setpriv", "--reuid", str(user.pw_uid), "--regid", str(user.pw_gid), "--clear-groups"] + argv
        return argv

    def as_user(self, user, *args, **kw):
        return subprocess.run(self.argv_as(user, *args), cwd=self.dir, capture_output=True, text=True, stdin=subprocess.DEVNULL,
                              timeout=60, **kw)

    def out_of(self, user):
        path = os.path.join(self.dir, "out-" + user.pw_name)
        os.makedirs(path, exist_ok=True)
        os.chown(path, user.pw_uid, user.pw_gid)
        return path

    def start_as(self, user, *program):
        """A running recording of the user's, once its program has said "ready"."""
        p = subprocess.Popen(self.argv_as(user, "run", "-o", self.out_of(user), "--", *program), cwd=self.dir, text=True,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)

        def end():
            try:
                os.killpg(p.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            p.wait()
            p.stdout.close()
            p.stderr.close()
        self.addCleanup(end)
        self.assertEqual(p.stdout.readline(), "ready\n")
        return p

    def sessions(self, user=None):
        r = self.as_user(user, "list", "--json")
        self.assertEqual(r.returncode, 0, r.stderr)
        return json.loads(r.stdout)

    def test_a_user_records(self):
        s = self.script("import os\nprint(os.getuid())\n")
        out = self.out_of(NOBODY)
        r = self.as_user(NOBODY, "run", "-o", out, "--", PYTHON, s)
        self.assertEqual((r.returncode, r.stdout), (0, "%d\n" % NOBODY.pw_uid), r.stderr)
        trace = self.only_trace(out)
        self.assertEqual(os.stat(trace).st_uid, NOBODY.pw_uid)
        self.assertEqual(lines_of(self.model(trace), s), [1, 2])
        self.assertEqual(self.sessions(), [])

    def test_status(self):
        r = self.as_user(NOBODY, "status", "--json")
        self.assertEqual((r.returncode, json.loads(r.stdout)["pid"]), (0, self.daemon.pid))
        self.assertIn("0 recordings", self.as_user(NOBODY, "status").stdout)
        self.assertIn("no recordings", self.as_user(NOBODY, "list").stdout)

    def test_own_sessions_only(self):
        s = self.script(LOOP % 100)
        p = self.start_as(NOBODY, PYTHON, s)
        (mine,) = self.sessions(NOBODY)
        self.assertEqual((mine["uid"], mine["state"]), (NOBODY.pw_uid, "recording"))
        self.assertEqual([x["session"] for x in self.sessions()], [mine["session"]])        # root's view
        self.assertEqual(self.sessions(DAEMON), [])
        self.assertIn("recording", self.as_user(NOBODY, "list").stdout)
        number = str(mine["session"])
        self.error(self.as_user(DAEMON, "stop", number), "ERR_NO_SESSION", "UsageError", 1)
        self.assertEqual(self.as_user(DAEMON, "stop", "--all").stdout, "")
        self.assertEqual(self.sessions(NOBODY)[0]["state"], "recording")
        r = self.as_user(NOBODY, "stop", number)
        self.assertEqual((r.returncode, r.stdout), (0, "stopped session %s\n" % number))
        out, err = p.communicate(timeout=60)
        self.assertEqual((p.returncode, out), (0, "ended\n"), err)      # the program went on
        lines = lines_of(self.model(self.only_trace(self.out_of(NOBODY))), s)
        self.assertEqual(lines[:4], [1, 2, 3, 4])
        self.assertNotIn(5, lines)

    def test_root_stops_all(self):
        s = self.script(LOOP % 200)
        ps = [self.start_as(u, PYTHON, s) for u in (NOBODY, DAEMON)]
        self.assertEqual(len(self.sessions()), 2)
        self.assertEqual(len(self.as_user(None, "stop", "--all").stdout.splitlines()), 2)
        for p, user in zip(ps, (NOBODY, DAEMON)):
            out, err = p.communicate(timeout=60)
            self.assertEqual((p.returncode, out), (0, "ended\n"), err)
            self.only_trace(self.out_of(user))

    def test_sigterm_completes_the_recordings(self):
        s = self.script(LOOP % 100)
        p = self.start_as(NOBODY, PYTHON, s)
        time.sleep(0.3)
        self.daemon.terminate()
        self.assertEqual(self.daemon.wait(20), 0)
        self.assertFalse(os.path.exists(self.socket))
        out, err = p.communicate(timeout=60)
        self.assertEqual((p.returncode, out), (0, "ended\n"), err)
        self.assertEqual(lines_of(self.model(self.only_trace(self.out_of(NOBODY))), s)[:4], [1, 2, 3, 4])

    def test_kill_9_leaves_nobody_stopped(self):
        s = self.script("import time\nprint('ready', flush=True)\nfor i in range(200):\n    time.sleep(0.01)\n"
                        "    for j in range(500):\n        pass\nprint('ended')\n")
        p = self.start_as(NOBODY, PYTHON, s)
        time.sleep(1.5)     # the journal is written once a second
        self.daemon.kill()
        out, err = p.communicate(timeout=90)
        self.assertEqual(out, "ended\n", err)
        self.assertEqual(p.returncode, 1)
        self.assertIn("ERR_DAEMON", err)
        self.assertEqual(lines_of(self.model(self.only_trace(self.out_of(NOBODY))), s)[:2], [1, 2])
        self.daemon = self.listen()     # the socket's file that was left is no obstacle
        self.assertEqual(self.sessions(), [])

    def test_a_program_with_more_rights_is_not_recorded(self):
        """A set-uid Python: the exec gives it what the user does not have."""
        tool = os.path.join(self.dir, "suid-python")
        shutil.copy(os.path.realpath(PYTHON), tool)
        os.chown(tool, DAEMON.pw_uid, DAEMON.pw_gid)
        os.chmod(tool, 0o4755)
        out = self.out_of(NOBODY)
        r = self.as_user(NOBODY, "run", "-o", out, "--", tool, "-c", "import os\nprint(os.geteuid())\n")
        if r.stdout == "%d\n" % NOBODY.pw_uid:
            self.skipTest("the test's folder is mounted nosuid")
        self.assertEqual(r.stdout, "%d\n" % DAEMON.pw_uid, r.stderr)
        self.error(r, "ERR_NO_PRIVILEGE", "EnvironmentError", 1)
        self.assertEqual(os.listdir(out), [])

    def ask(self, request, fds=(), raw=None):
        """The answers to one message, as a user; [] when the daemon hangs up."""
        body = json.dumps(request).encode() if raw is None else raw
        code = ("import array, json, os, socket, sys\nos.setgroups([]); os.setgid(%d); os.setuid(%d)\n" % (NOBODY.pw_gid, NOBODY.pw_uid) +
                "s = socket.socket(socket.AF_UNIX); s.connect(%r); s.settimeout(10)\n" % self.socket +
                "fds = [int(x) for x in sys.argv[2:]]\n"
                "anc = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', fds))] if fds else []\n"
                "s.sendmsg([bytes.fromhex(sys.argv[1])], anc)\n"
                "got = s.recv(65536)\nsys.stdout.write(got[4:].decode())\n")
        r = subprocess.run([PYTHON, "-c", code, (struct.pack("<I", len(body)) + body).hex(), *map(str, fds)], pass_fds=fds,
                           capture_output=True, text=True, timeout=30)
        self.assertEqual(r.returncode, 0, r.stderr)
        return json.loads(r.stdout) if r.stdout else None

    def refused(self, code, *args, **kw):
        a = self.ask(*args, **kw)
        self.assertEqual((a["ok"], a["error"]["code"]), (False, code), a)

    def test_hostile_clients(self):
        start = {"version": 1, "verb": "start", "program": "x", "args": []}
        self.refused("ERR_PROTOCOL", None, raw=b"{")
        self.refused("ERR_PROTOCOL", None, raw=b"[" * 60000)
        self.refused("ERR_PROTOCOL", {"version": 7, "verb": "hello"})
        self.refused("ERR_PROTOCOL", {"version": 1, "verb": "x" * 1000})
        self.refused("ERR_PROTOCOL", {"version": 1, "verb": ["start"]})
        self.refused("ERR_PROTOCOL", start)
        self.refused("ERR_NO_SESSION", {"version": 1, "verb": "stop", "session": -1e300})
        self.refused("ERR_NO_SESSION", {"version": 1, "verb": "stop", "pid": "1"})
        self.refused("ERR_NO_SESSION", {"version": 1, "verb": "stop"})
        with open("/dev/null", "r+b") as null, open(os.path.join(self.dir, "j"), "w+b") as journal, \
                open(os.path.join(self.dir, "j"), "rb") as readable:
            one = os.pidfd_open(1)
            me = os.pidfd_open(os.getpid())
            self.addCleanup(os.close, one)
            self.addCleanup(os.close, me)
            j = journal.fileno()
            self.refused("ERR_USAGE", start, [null.fileno(), me])
            self.refused("ERR_USAGE", start, [readable.fileno(), me])
            self.refused("ERR_USAGE", start, [j, null.fileno()])
            self.refused("ERR_NO_PRIVILEGE", start, [j, one])
            self.refused("ERR_NO_PRIVILEGE", start, [j, me])        # of root, asked for by another
            self.refused("ERR_PROTOCOL", start, [j, me, j])
            self.refused("ERR_PROTOCOL", dict(start, args="x"), [j, me])
        self.assertEqual(self.sessions(), [])
        self.assertIsNone(self.daemon.poll())

    def test_no_descriptor_stays(self):
        count = lambda: len(os.listdir("/proc/%d/fd" % self.daemon.pid))
        before, since = count(), time.monotonic()
        while time.monotonic() - since < 4:     # what the next recording needs is loaded ahead
            time.sleep(0.05)
            if count() != before:
                before, since = count(), time.monotonic()
        s = self.script("x = 1\n")
        for i in range(3):
            self.as_user(NOBODY, "run", "--force", "-o", self.out_of(NOBODY), "--", PYTHON, s)
            self.as_user(NOBODY, "run", "--force", "-o", self.out_of(NOBODY), "--", "/bin/true")
        for _ in range(1500):       # probes are taken off aside
            if count() <= before:
                break
            time.sleep(0.01)
        self.assertLessEqual(count(), before)

    def test_a_second_daemon_is_refused(self):
        r = subprocess.run([CTRECD, "--socket", self.socket], capture_output=True, text=True, timeout=20)
        self.assertEqual(r.returncode, 1)
        self.assertIn("ERR_BUSY", r.stderr)
        self.assertEqual(self.as_user(NOBODY, "status").returncode, 0)
        for number in ("x", "0", "-1"):
            self.error(self.as_user(NOBODY, "stop", "--", number), "ERR_USAGE", "UsageError", 2)

    def test_socket_activation(self):
        tool = shutil.which("systemd-socket-activate")
        if not tool:
            self.skipTest("no systemd-socket-activate")
        path = os.path.join(self.dir, "activated.sock")
        p = subprocess.Popen([tool, "-l", path, CTRECD], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        self.addCleanup(p.wait)
        self.addCleanup(p.kill)
        for _ in range(500):
            if os.path.exists(path):
                break
            time.sleep(0.01)
        r = self.ctrec("status", "--socket", path)
        self.assertEqual(r.returncode, 0, r.stderr)
        p.terminate()
        self.assertEqual(p.wait(20), 0)
        self.assertTrue(os.path.exists(path))       # the socket is systemd's


if __name__ == "__main__":
    import unittest
    unittest.main()
