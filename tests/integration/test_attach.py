#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`ctrec attach`: what a program does from then on, and the frames that were there already."""
import glob
import os
import signal
import time
import unittest

from attach import COUNT, FAST, Attach
from support import PYTHON


class Loop(Attach):
    def test_lines_and_values(self):
        p = self.target(FAST, 0)
        m = self.model(self.recorded(p, "--max-steps", "8000"))
        self.assertGreater(self.counts(m.steps), 1900)
        self.assertEqual(len(m.steps), 8000)
        self.assertIn("nothing lost", self.last.stderr)
        # the frames that were there: the module at its call, then work with its argument
        self.assertEqual([(c.name, c.parent) for c in m.calls], [("<__main__>", -1), ("work", 0)])
        self.assertEqual(m.steps[0].line, 8)
        self.assertEqual(m.steps[0].vars["work"]["r"], "<function work>")
        self.assertEqual(list(m.calls[1].args), ["i"])
        self.assertEqual(self.end_of(self.trace_of(p)), {"reason": "limit"})
        self.assertIsNone(p.poll())
        self.untouched(p)

    def test_duration(self):
        p = self.target(COUNT, 0)
        for args in (("--duration", "0.3"), ("--detach-after", "300ms", "--force")):
            m = self.model(self.recorded(p, *args))
            self.assertGreater(self.counts(m.steps), 100)
            self.assertEqual(self.end_of(self.trace_of(p)), {"reason": "limit"})
        self.assertEqual(m.meta["program"], PYTHON)
        self.assertEqual(m.meta["args"], [os.path.join(self.dir, "script.py"), "0"])
        self.assertEqual(m.meta["workdir"], "/")

    def test_interrupted(self):
        p = self.target(COUNT, 0)
        for n, sig in enumerate((signal.SIGINT, signal.SIGTERM)):
            a = self.attached("--force", p.pid)
            time.sleep(0.2)
            os.kill(a.pid, sig)
            self.assertIn("nothing lost", self.ended(a))
            self.counts(self.model(self.trace_of(p)).steps)
            self.assertEqual(self.end_of(self.trace_of(p)), {"reason": "stopped"})
            self.untouched(p)
        self.assertEqual(os.listdir(self.out), ["script.%d.ct" % p.pid])

    def test_twenty_times(self):
        p = self.target(COUNT, 0)
        last = 0
        for n in range(20):
            m = self.model(self.recorded(p, "--max-steps", "500", "--force"))
            self.counts(m.steps)
            self.assertGreater(m.steps[-1].vars["i"]["i"], last)
            last = m.steps[-1].vars["i"]["i"]
            self.assertIsNone(p.poll())
        self.untouched(p)
    test_twenty_times.timeout = 240

    def test_full_speed_afterwards(self):
        p = self.target("import time\n"
                        "def work(n):\n    t = 0\n    for i in range(n):\n        t += i\n    return t\n"
                        "work(300000)\n"
                        "print('ready', flush=True)\n"
                        "while True:\n"
                        "    n = int(input())\n"
                        "    c = time.process_time()\n"
                        "    work(n)\n"
                        "    print(n / (time.process_time() - c), flush=True)\n")

        def speed(n=2_000_000):
            p.stdin.write("%d\n" % n)
            p.stdin.flush()
            return float(p.stdout.readline())
        for _ in range(6):
            before = speed()
            a = self.attached("--force", p.pid)
            during = speed(20_000)
            os.kill(a.pid, signal.SIGINT)
            self.ended(a)
            self.untouched(p)
            after = speed()
            if after / before > 0.9:
                break
        self.assertGreater(after / before, 0.9, (before, during, after))
        self.assertGreater(before / during, 2)      # it was recorded
    test_full_speed_afterwards.timeout = 240


class Stack(Attach):
    DEEP = ("import sys, time\n"
            "sys.setrecursionlimit(10000)\n"
            "def down(n, name):\n"
            "    here = [n, name]\n"
            "    if n:\n"
            "        below = down(n - 1, 'f%d' % (n - 1))\n"
            "        return below + n\n"
            "    print('ready', flush=True)\n"
            "    while not stop:\n"
            "        time.sleep(0.001)\n"
            "    return 0\n"
            "import signal\n"
            "stop = []\n"
            "def hear(*a):\n"
            "    stop.append(1)\n"
            "signal.signal(signal.SIGUSR1, hear)\n"
            "print(down(int(sys.argv[1]), 'top'), flush=True)\n"
            "time.sleep(60)\n")

    def deep(self, n):
        p = self.target(self.DEEP, n)
        a = self.attached(p.pid)
        time.sleep(0.1)
        p.send_signal(signal.SIGUSR1)
        self.assertEqual(int(p.stdout.readline()), n * (n + 1) // 2)
        time.sleep(0.1)
        a.send_signal(signal.SIGINT)
        self.assertIn("nothing lost", self.ended(a))
        m = self.model(self.trace_of(p))
        name = {k: "top" if k == n else "f%d" % k for k in range(n + 1)}
        # each frame is a call in its caller, and stands at its call with its locals
        self.assertEqual([c.name for c in m.calls[:n + 2]], ["<__main__>"] + ["down"] * (n + 1))
        self.assertEqual([c.depth for c in m.calls[:n + 2]], list(range(n + 2)))
        for k in range(n, -1, -1):
            c = m.calls[1 + n - k]
            self.assertEqual((c.args["n"]["i"], c.args["name"]["text"]), (k, name[k]))
            s = m.steps[1 + n - k]
            self.assertIn(s.line, (6,) if k else (9, 10))
            self.assertEqual([e.get("i", e.get("text")) for e in s.vars["here"]["elements"]], [k, name[k]])
            self.assertEqual(c.result["i"], k * (k + 1) // 2)
        # and they still have them when they are returned to
        back = [s for s in m.steps if s.line == 7]
        self.assertEqual([s.vars["n"]["i"] for s in back], list(range(1, n + 1)))
        for s in back:
            k = s.vars["n"]["i"]
            self.assertEqual(s.vars["below"]["i"], k * (k - 1) // 2)
            self.assertEqual([e.get("i", e.get("text")) for e in s.vars["here"]["elements"]], [k, name[k]])

    def test_ten(self):
        self.deep(10)

    def test_beyond_task_storage(self):
        self.deep(700)

    def test_three_thousand(self):
        self.deep(3000)

    def test_generators_and_coroutines(self):
        p = self.target("import asyncio, sys\n"
                        "def numbers(k):\n"
                        "    n = 0\n"
                        "    while True:\n"
                        "        n += k\n"
                        "        yield n\n"
                        "async def inner(g, limit):\n"
                        "    for x in g:\n"
                        "        y = x + 1\n"
                        "        if x % limit == 0:\n"
                        "            await asyncio.sleep(0)\n"
                        "async def outer():\n"
                        "    g = numbers(3)\n"
                        "    print('ready', flush=True)\n"
                        "    await inner(g, 600)\n"
                        "asyncio.run(outer())\n")
        m = self.model(self.recorded(p, "--max-steps", "6000"))
        xs = [s.vars["x"]["i"] for s in m.steps if s.line == 9]
        self.assertGreater(len(xs), 500)
        self.assertEqual(xs, list(range(xs[0], xs[-1] + 1, 3)))
        ns = [s.vars["n"]["i"] for s in m.steps if s.line == 6]
        self.assertEqual(ns, list(range(ns[0], ns[-1] + 1, 3)))
        names = [c.name for c in m.calls]
        self.assertLess(names.index("outer"), names.index("inner"))
        self.assertEqual(m.calls[names.index("inner")].parent, names.index("outer"))

    def test_class_body_exec_and_closures(self):
        p = self.target("import time\n"
                        "text = '''\n"
                        "def spin(seen):\n"
                        "    while True:\n"
                        "        seen += 1\n"
                        "        def add():\n"
                        "            return seen\n"
                        "        time.sleep(0.001)\n"
                        "class Body:\n"
                        "    attribute = 5\n"
                        "    spin(0)\n"
                        "'''\n"
                        "print('ready', flush=True)\n"
                        "exec(compile(text, 'made.py', 'exec'), dict(time=time, own=1))\n")
        m = self.model(self.recorded(p, "--max-steps", "300"))
        self.assertEqual([c.name for c in m.calls[:4]][-1], "spin")
        self.assertEqual(m.calls[2].name, "Body")
        body = next(s for s in m.steps if s.line == 10 and "attribute" in s.vars)
        self.assertEqual(body.vars["attribute"]["i"], 5)
        seen = [s.vars["seen"]["i"] for s in m.steps if s.line == 5 and s.file.endswith("made.py")]
        self.assertGreater(len(seen), 50)
        self.assertEqual(seen, list(range(seen[0], seen[0] + len(seen))))


class Threads(Attach):
    def test_four(self):
        p = self.target("import threading, time\n"
                        "def top(me):\n"
                        "    mine = me * 1000000\n"
                        "    count(me, mine)\n"
                        "def count(me, n):\n"
                        "    while True:\n"
                        "        n += 1\n"
                        "        twice = n * 2\n"
                        "        if n % 5 == 0:\n"
                        "            time.sleep(0.001)\n"
                        "for t in range(4):\n"
                        "    threading.Thread(target=top, args=(t,), daemon=True).start()\n"
                        "idle = threading.Thread(target=time.sleep, args=(100,), daemon=True).start()\n"
                        "print('ready', flush=True)\n"
                        "time.sleep(100)\n")
        m = self.model(self.recorded(p, "--duration", "700ms"))
        self.assertIn("nothing lost", self.last.stderr)
        for me in range(4):
            mine = [s for s in m.steps if s.line in (7, 8, 9) and s.vars["me"]["i"] == me]
            self.assertEqual(len({s.thread for s in mine}), 1)
            self.assertGreater(len(mine), 200)
            for a, b in zip(mine, mine[1:]):
                n = a.vars["n"]["i"]
                self.assertEqual(b.vars["n"]["i"], n + 1 if a.line == 7 else n)
                if a.line == 9:
                    self.assertEqual(a.vars["twice"]["i"], n * 2)
            opened = [s for s in m.steps if s.line == 4 and s.thread == mine[0].thread]
            self.assertEqual([s.vars["mine"]["i"] for s in opened], [me * 1000000])

    def test_threads_that_come_later(self):
        p = self.target("import threading, time, _thread\n"
                        "def job(n):\n    x = n\n    y = x + 1\n    done.append(y)\n"
                        "done = []\n"
                        "print('ready', flush=True)\n"
                        "k = 0\n"
                        "while True:\n    k += 1\n    _thread.start_new_thread(job, (k,))\n    time.sleep(0.001)\n")
        m = self.model(self.recorded(p, "--duration", "500ms"))
        jobs = [c for c in m.calls if c.name == "job" and c.args]
        self.assertGreater(len(jobs), 30)
        got = sorted(c.args["n"]["i"] for c in jobs)[:-5]       # they run in any order, and are cut off as they do
        self.assertEqual(got, list(range(got[0], got[0] + len(got))))


class Page(Attach):
    """Interpreters without probes."""

    def test_versions(self):
        found = glob.glob(os.path.expanduser("~/.pyenv/versions/3.[89].*/bin/python3")) + \
            glob.glob(os.path.expanduser("~/.pyenv/versions/3.1[0-3].*/bin/python3"))
        if not found:
            self.skipTest("no interpreter without USDT probes is here")
        for python in found:
            with self.subTest(python):
                p = self.target(COUNT, 0, python=python)
                m = self.model(self.recorded(p, "--max-steps", "2000"))
                self.assertIn("nothing lost", self.last.stderr)
                self.assertEqual([(c.name, c.parent, list(c.args)) for c in m.calls], [("<__main__>", -1, []), ("work", 0, ["i"])])
                turns = [(s.vars["i"]["i"], s.vars["square"]["i"]) for s in m.steps if s.line == 6]
                self.assertGreater(len(turns), 400)
                self.assertEqual(turns, [(i, i * i) for i in range(turns[0][0], turns[-1][0] + 1)])
                self.assertIsNone(p.poll())


if __name__ == "__main__":
    unittest.main()
