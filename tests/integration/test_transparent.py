# SPDX-License-Identifier: MIT
"""A recorded program's surroundings are those it has otherwise; what it writes is told exactly."""
import os
import subprocess
import unittest

import support
from support import CTREC, PYTHON


class Surroundings(support.Recording):
    def test_the_same(self):
        s = self.script("import os, resource, signal, sys\n"
                        "print(os.getcwd(), sorted(os.listdir('/proc/self/fd')), sys.flags, os.umask(0o22), sys.argv)\n"
                        "print(sorted(os.environ), os.getgroups(), os.getuid(), os.getpriority(0, 0), os.sched_getaffinity(0))\n"
                        "print([signal.getsignal(n) for n in range(1, 32)], signal.pthread_sigmask(0, []))\n"
                        "print([resource.getrlimit(n) for n in range(16)])\n"
                        "print(sys.gettrace(), sys.getprofile(), sorted(sys.modules), sys.path, sys.orig_argv)\n"
                        "print([l for l in open('/proc/self/status') if l.split(':')[0] in ('NoNewPrivs', 'Seccomp', 'CapEff', 'TracerPid')])\n")
        plain = subprocess.run([PYTHON, s, "arg"], cwd=self.dir, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        r = self.ctrec("run", "-o", self.out, "--", PYTHON, s, "arg")
        self.assertEqual(r.stdout.splitlines(), plain.stdout.splitlines())
        self.assertEqual(len(plain.stdout.splitlines()), 6, plain.stderr)

    def test_any_bytes_through_stdin(self):
        s = self.script("import sys\nfor line in sys.stdin.buffer:\n    sys.stdout.buffer.write(line[::-1])\nsys.stderr.write('done')\n")
        data = b"one\n" * 5000 + bytes(range(256)) * 10
        r = self.ctrec("run", "-q", "-o", self.out, "--", PYTHON, s, input=data, binary=True)
        self.assertEqual((r.returncode, r.stderr), (0, b"done"))
        self.assertEqual(r.stdout, subprocess.run([PYTHON, s], input=data, capture_output=True).stdout)


class Output(support.Recording):
    def writes(self, script, **kw):
        """[stream, line, text], the pieces of one step joined."""
        m = self.model(self.record(script, **kw))
        got, last = [], None
        for e in m.io:
            if last == (e["io_kind"], e["step_id"]):
                got[-1][2] += e["text"]
            else:
                got.append([e["io_kind"], m.steps[e["step_id"]].line, e["text"]])
            last = e["io_kind"], e["step_id"]
        return got

    def test_buffers_are_told_where_they_leave(self):
        s = self.script("import ctypes, os, sys\n"
                        "libc = ctypes.CDLL(None)\n"
                        "print('by print')\n"
                        "sys.stdout.flush()\n"
                        "libc.printf(b'by printf %d\\n', 5)\n"
                        "libc.fflush(None)\n"
                        "os.writev(1, [b'by ', b'writev\\n'])\n"
                        "x = 1\n", "out.py")
        self.assertEqual(self.writes(s, env={"PYTHONUNBUFFERED": ""}),
                         [["ioStdout", 4, "by print\n"], ["ioStdout", 6, "by printf 5\n"], ["ioStdout", 7, "by writev\n"]])

    def test_other_files_are_not_output(self):
        s = self.script("import os\nf = os.open('file', os.O_CREAT | os.O_WRONLY)\nos.write(f, b'not this')\n"
                        "os.dup2(1, 9)\nos.write(9, b'but this')\n")
        self.assertEqual(self.writes(s), [["ioStdout", 5, "but this"]])

    def test_redirected_inside(self):
        s = self.script("import os\nf = os.open('file', os.O_CREAT | os.O_WRONLY)\nos.dup2(f, 1)\nos.write(1, b'into the file')\n"
                        "os.write(2, b'still seen')\n")
        self.assertEqual(self.writes(s), [["ioStderr", 5, "still seen"]])

    def test_a_write_that_fails(self):
        s = self.script("import os\ntry:\n    os.write(77, b'nowhere')\nexcept OSError:\n    os.write(1, b'x')\n"
                        "import ctypes\nctypes.CDLL(None).write(1, 1, 100)\nos.write(1, b'y')\n")
        self.assertEqual(self.writes(s), [["ioStdout", 5, "x"], ["ioStdout", 8, "y"]])

    def test_only_what_went_out(self):
        """A write to a nearly full pipe takes a part."""
        s = self.script("import fcntl, os\nfcntl.fcntl(1, 1031, 4096)\nos.set_blocking(1, False)\n"
                        "n = os.write(1, b'x' * 100000)\nos.write(2, b'%d' % n)\n")
        r, w = os.pipe()
        p = subprocess.Popen([CTREC, "run", "-q", "-o", self.out, "--", PYTHON, s], stdout=w, stderr=subprocess.PIPE, text=True)
        os.close(w)
        err = p.communicate(timeout=60)[1]
        got = os.read(r, 200000)
        os.close(r)
        self.assertEqual(int(err), len(got))
        self.assertLess(len(got), 100000)
        m = self.model(self.only_trace())
        self.assertEqual(sum(len(e["text"]) for e in m.io if e["io_kind"] == "ioStdout"), len(got))


if __name__ == "__main__":
    unittest.main()
