# SPDX-License-Identifier: MIT
"""What the tests of `ctrec attach` share: programs that run already and count for themselves what they do."""
import json
import os
import re
import struct
import subprocess
import time

import support
from support import PYTHON

FAST = """\
import sys; from time import sleep
def work(i):
    while True:
        i += 1
        square = i * i
        text = "n%d" % i
print("ready", flush=True)
work(int(sys.argv[1]))
"""
COUNT = FAST.replace("% i", "% i; sleep(0.0003)")       # a checker in Python can follow


def usdt(path):
    """[(name, address, semaphore's address)] of the probes of a Python, as its file gives them."""
    text = subprocess.run(["readelf", "-nW", path], capture_output=True, text=True).stdout
    found = re.findall(r"Provider: python\s+Name: (\S+)\s+Location: (0x\w+), Base: \w+, Semaphore: (0x\w+)", text)
    return [(n, int(a, 16), int(s, 16)) for n, a, s in found]


class Attach(support.Recording):
    def target(self, text, *args, name="script.py", who=(), python=PYTHON, wait="ready\n", **kw):
        """A running program of ours that has said it is ready; ended with the test."""
        p = subprocess.Popen([*who, python, self.script(text, name), *map(str, args)], cwd="/", stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, text=True, **kw)

        def end():
            p.kill()
            p.wait()
            p.stdin.close()
            p.stdout.close()
        self.addCleanup(end)
        self.assertEqual(p.stdout.readline(), wait)
        return p

    def attached(self, *args, said="recording process"):
        """A running `ctrec attach ARGS` whose recording has begun."""
        p = self.start("attach", "-o", self.out, *map(str, args))
        line = p.stderr.readline()
        self.assertIn(said, line, line + ("" if said in line else p.stderr.read()))
        return p

    def recorded(self, p, *args, status=0):
        """The trace of a whole `ctrec attach ARGS PID`, checked."""
        r = self.ctrec("attach", "-o", self.out, *args, str(p.pid))
        self.assertEqual(r.returncode, status, r.stderr)
        self.last = r
        return self.trace_of(p)

    def trace_of(self, p, name="script"):
        return self.checked(os.path.join(self.out, "%s.%d.ct" % (name, p.pid)))

    def ended(self, ctrec, status=0):
        out, err = ctrec.communicate(timeout=60)
        self.assertEqual(ctrec.returncode, status, err)
        return err

    def end_of(self, trace):
        r = self.ctrec("print", "--summary", trace)
        self.assertEqual(r.returncode, 0, r.stderr)
        s = json.loads(r.stdout)
        self.assertEqual(s["lost"], 0, s)
        return s["end"]

    def memory(self, p, what):
        """{probe: (its first byte, its semaphore)} as they are in the process."""
        exe = os.path.realpath("/proc/%d/exe" % p.pid)
        with open("/proc/%d/maps" % p.pid) as f:
            base = min(int(x.split("-")[0], 16) for x in f if x.rstrip().endswith(exe))
        with open(exe, "rb") as f:
            pie = struct.unpack_from("<H", f.read(20), 16)[0] == 3
        got = set()
        with open("/proc/%d/mem" % p.pid, "rb", 0) as f:
            for _, at, sem in [u for u in usdt(exe) if u[0] in what]:
                f.seek(at + (base if pie else 0))
                byte = f.read(1)
                f.seek(sem + (base if pie else 0))
                got.add((byte, struct.unpack("<H", f.read(2))[0]))
        return got

    def untouched(self, p):
        """No probe, no semaphore, no tracer is left in a process."""
        for _ in range(100):
            got = self.memory(p, ("line", "function__entry", "function__return"))
            if got == {(b"\x90", 0)}:
                break
            time.sleep(0.02)
        self.assertEqual(got, {(b"\x90", 0)})
        with open("/proc/%d/status" % p.pid) as f:
            status = dict(x.rstrip("\n").split(":", 1) for x in f)
        self.assertEqual(status["TracerPid"].strip(), "0")
        self.assertIn(status["State"].split()[0], "RS")

    def counts(self, steps):
        """The steps of such a loop: every one there, with the values it must have; the number of turns."""
        loop = [s for s in steps if s.line in (3, 4, 5, 6)]
        self.assertGreater(len(loop), 100)
        for a, b in zip(loop, loop[1:]):
            self.assertEqual(b.line, {3: 4, 4: 5, 5: 6, 6: 3}[a.line])
            i = a.vars["i"]["i"]
            self.assertEqual(b.vars["i"]["i"], i + 1 if a.line == 4 else i)
            if a.line in (3, 6):
                self.assertEqual(a.vars["square"]["i"], i * i)
            if a.line in (3, 4):
                self.assertEqual(a.vars["text"]["text"], "n%d" % i)
        return len(loop) // 4
