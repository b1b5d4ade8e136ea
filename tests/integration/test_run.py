#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`ctrec run` as its users meet it: statuses, launchers, streams, signals, output, errors, hostile programs."""
import glob
import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import time
import unittest

import support
from support import BUILD, CTREC, CTRECD, PYTHON, lines_of

NOBODY = pwd.getpwnam("nobody")


class Status(support.Recording):
    """The program's own exit status is ours, and what it did until then is in the trace."""

    def ends(self, body, status, upto):
        s = self.script(body)
        m = self.model(self.record(s, status=status))
        self.assertEqual(lines_of(m, s)[-1], upto)
        return m

    def test_zero(self):
        self.ends("x = 1\ny = 2\n", 0, 2)

    def test_sys_exit(self):
        self.ends("import sys\nsys.exit(7)\n", 7, 2)

    def test_uncaught(self):
        self.ends("x = 1\nraise ValueError(x)\n", 1, 2)
        self.assertIn("ValueError: 1", self.last.stderr)

    def test_os_exit(self):
        self.ends("import os\nos._exit(9)\n", 9, 2)

    def test_kill_9(self):
        self.ends("import os\nx = 1\nos.kill(os.getpid(), 9)\n", 128 + 9, 3)

    def test_sigterm_default(self):
        self.ends("import os, signal\nos.kill(os.getpid(), signal.SIGTERM)\n", 128 + 15, 2)

    def test_abort(self):
        self.ends("import os, resource\nresource.setrlimit(resource.RLIMIT_CORE, (0, 0))\nos.abort()\n", 128 + 6, 3)

    def test_segfault(self):
        self.ends("import ctypes, resource\nresource.setrlimit(resource.RLIMIT_CORE, (0, 0))\nctypes.string_at(1)\n", 128 + 11, 3)

    def test_exec_of_another_program(self):
        self.ends("import os\nos.execv('/bin/sh', ['sh', '-c', 'exit 5'])\n", 5, 2)

    def test_exec_of_python(self):
        two = self.script("a = 1\nb = 2\n", "two.py")
        one = self.script("import os\nos.execv(%r, [%r, %r])\n" % (PYTHON, PYTHON, two), "one.py")
        r = self.ctrec("run", "-o", self.out, "--", PYTHON, one)
        self.assertEqual(r.returncode, 0, r.stderr)
        # The first image's trace is whole and says how it ended; the second is not recorded yet (README).
        trace = self.only_trace()
        self.assertEqual(lines_of(self.model(self.checked(trace)), one), [1, 2])
        summary = json.loads(subprocess.run([os.path.join(support.BUILD, "ctrec"), "print", "--summary", trace],
                                            capture_output=True, text=True, check=True).stdout)
        self.assertEqual((summary["end"]["reason"], summary["lost"]), ("exec", 0))


class Launchers(support.Recording):
    BODY = "x = 41\nx += 1\nprint('ran', x)\n"

    def launched(self, *argv, env=None, script, **kw):
        r = self.ctrec("run", "-o", self.out, "--", *argv, env=env, **kw)
        self.assertEqual((r.returncode, r.stdout), (0, "ran 42\n"), r.stderr)
        m = self.model(self.only_trace())
        self.assertEqual(lines_of(m, script), [1, 2, 3])

    def test_shebang(self):
        s = self.script("#!%s\n" % PYTHON + self.BODY, "tool", 0o755)
        r = self.ctrec("run", "-o", self.out, "--", s)
        self.assertEqual((r.returncode, r.stdout), (0, "ran 42\n"), r.stderr)
        self.assertEqual(lines_of(self.model(self.only_trace()), s), [2, 3, 4])

    def test_env_shebang(self):
        s = self.script("#!/usr/bin/env python3\n" + self.BODY, "tool", 0o755)
        r = self.ctrec("run", "-o", self.out, "--", s, env={"PATH": "/usr/bin:/bin"})
        self.assertEqual((r.returncode, r.stdout), (0, "ran 42\n"), r.stderr)
        self.assertEqual(lines_of(self.model(self.only_trace()), s), [2, 3, 4])

    def test_module(self):
        s = self.script(self.BODY, "mod.py")
        self.launched(PYTHON, "-m", "mod", script=s)

    def test_command(self):
        self.launched(PYTHON, "-c", self.BODY, script="<string>")

    def test_stdin_program(self):
        r = self.ctrec("run", "-o", self.out, "--", PYTHON, "-", input=self.BODY)
        self.assertEqual((r.returncode, r.stdout), (0, "ran 42\n"), r.stderr)
        self.assertEqual(lines_of(self.model(self.only_trace()), "<stdin>"), [1, 2, 3])

    def test_venv_symlink(self):
        venv = os.path.join(self.dir, "venv")
        subprocess.run([PYTHON, "-m", "venv", "--without-pip", "--symlinks", venv], check=True, capture_output=True)
        self.launched(venv + "/bin/python", self.script(self.BODY), script=os.path.join(self.dir, "script.py"))

    def test_env(self):
        s = self.script(self.BODY)
        self.launched("/usr/bin/env", "A=1", PYTHON, s, script=s)

    def test_shell_script(self):
        s = self.script(self.BODY)
        sh = self.script("#!/bin/sh\necho before >&2\nexec %s %s\n" % (PYTHON, s), "start.sh", 0o755)
        self.launched(sh, script=s)

    def test_shell_that_forks(self):
        s = self.script(self.BODY)
        sh = self.script("#!/bin/sh\n%s %s\ntrue\n" % (PYTHON, s), "start.sh", 0o755)
        self.launched(sh, script=s)

    def test_name_on_path(self):
        s = self.script(self.BODY)
        self.launched("python3", s, env={"PATH": "/nowhere:/usr/bin:/bin"}, script=s)

    def test_relative_name(self):
        s = self.script(self.BODY)
        self.launched(PYTHON, "script.py", script=s)

    def test_arguments_and_directory(self):
        s = self.script("import os, sys\nprint(sys.argv[1:], os.getcwd())\n")
        m = self.model(self.record(s, "-o", "--", "a b", ""))
        self.assertEqual(self.last.stdout, "['-o', '--', 'a b', ''] %s\n" % self.dir)
        self.assertEqual(m.meta["workdir"], self.dir)
        self.assertEqual(m.meta["args"][-4:], ["-o", "--", "a b", ""])


class Streams(support.Recording):
    def test_stdin_and_stdout_pass(self):
        s = self.script("import sys\ndata = sys.stdin.buffer.read()\nsys.stdout.buffer.write(data[::-1])\n")
        data = bytes(range(256)) * 40
        r = self.ctrec("run", "-o", self.out, "--", PYTHON, s, input=data, binary=True)
        self.assertEqual((r.returncode, r.stdout), (0, data[::-1]))
        self.only_trace()

    def test_output_stands_at_its_step(self):
        s = self.script("import os, sys, ctypes\n"
                        "print('one', flush=True)\n"
                        "os.write(1, b'two')\n"
                        "ctypes.CDLL(None).write(2, b'three', 5)\n"
                        "x = 1\n"
                        "sys.stderr.write('four\\n')\n"
                        "os.writev(1, [b'fi', b've'])\n")
        m = self.model(self.record(s))
        where = {}
        for e in m.io:
            st = m.steps[e["step_id"]]
            self.assertEqual(st.file, s)
            where.setdefault(st.line, []).append((e["io_kind"], e["text"]))
        self.assertEqual("".join(t for _, t in where[2]), "one\n")
        self.assertEqual(where[3], [("ioStdout", "two")])
        self.assertEqual(where[4], [("ioStderr", "three")])
        self.assertEqual("".join(t for _, t in where[6]), "four\n")
        self.assertEqual("".join(t for _, t in where[7]), "five")
        self.assertEqual(sorted(where), [2, 3, 4, 6, 7])

    def test_much_output_is_whole(self):
        s = self.script("import os\nfor i in range(40):\n    os.write(1, bytes([65 + i % 26]) * 5000)\n")
        m = self.model(self.record(s))
        self.assertEqual("".join(e["text"] for e in m.io), "".join(chr(65 + i % 26) * 5000 for i in range(40)))

    def test_a_closed_pipe(self):
        s = self.script("import signal\nsignal.signal(signal.SIGPIPE, signal.SIG_DFL)\nwhile True:\n    print('y' * 1000)\n")
        p = self.start("run", "-o", self.out, "--", PYTHON, s)
        p.stdout.read(10)
        p.stdout.close()
        self.assertEqual(p.wait(60), 128 + signal.SIGPIPE)
        self.only_trace()


class Signals(support.Recording):
    LOOP = ("import signal, sys, time\n"
            "def h(n, f):\n    sys.exit(40 + n)\n"
            "signal.signal(signal.SIGTERM, h)\n"
            "print('ready', flush=True)\n"
            "while True:\n    time.sleep(0.01)\n")

    def ready(self, body):
        p = self.start("run", "-o", self.out, "--", PYTHON, self.script(body))
        self.assertEqual(p.stdout.readline(), "ready\n")
        return p

    def test_sigterm_is_passed_on(self):
        p = self.ready(self.LOOP)
        os.kill(p.pid, signal.SIGTERM)
        self.assertEqual(p.wait(30), 55)
        self.assertIn(3, lines_of(self.model(self.only_trace()), os.path.join(self.dir, "script.py")))

    def test_sigint_of_the_group(self):
        p = self.ready(self.LOOP)
        os.killpg(p.pid, signal.SIGINT)
        self.assertEqual(p.wait(30), 128 + signal.SIGINT)
        self.assertIn("KeyboardInterrupt", p.stderr.read())
        self.only_trace()

    def test_a_busy_loop_is_stopped(self):
        p = self.ready("print('ready', flush=True)\nwhile True:\n    x = 1\n")
        time.sleep(0.3)
        os.kill(p.pid, signal.SIGTERM)
        self.assertEqual(p.wait(60), 128 + signal.SIGTERM)
        self.only_trace()


class Places(support.Recording):
    def test_conflict_and_force(self):
        s = self.script("x = 1\n")
        self.record(s)
        with open(self.out + "/script.ct", "rb") as f:
            before = f.read()
        r = self.ctrec("run", "-o", self.out, "--", PYTHON, s)
        self.error(r, "ERR_TRACE_DIR_CONFLICT", "EnvironmentError", 1)
        with open(self.out + "/script.ct", "rb") as f:
            self.assertEqual(f.read(), before)
        self.record(s, options=["--force"])
        with open(self.out + "/script.ct", "rb") as f:
            self.assertNotEqual(f.read(), before)
        self.assertEqual(sorted(os.listdir(self.out)), ["script.ct"])

    def test_default_place_and_variable(self):
        s = self.script("x = 1\n")
        self.assertEqual(self.ctrec("run", "--", PYTHON, s).returncode, 0)
        self.assertEqual(self.ctrec("run", "--", PYTHON, s, env={"CODETRACER_PYTHON_RECORDER_OUT_DIR": self.dir + "/e"}).returncode, 0)
        self.checked(self.dir + "/trace-out/script.ct")
        self.checked(self.dir + "/e/script.ct")

    def test_user(self):
        s = self.script("import os\nprint(os.getuid(), os.geteuid(), os.getgid(), os.environ['USER'])\n")
        trace = self.record(s, options=["-u", "nobody"])
        self.assertEqual(self.last.stdout, "%d %d %d nobody\n" % (NOBODY.pw_uid, NOBODY.pw_uid, NOBODY.pw_gid))
        for p in (trace, self.out):
            st = os.stat(p)
            self.assertEqual((st.st_uid, st.st_gid), (NOBODY.pw_uid, NOBODY.pw_gid), p)

    def test_two_at_once(self):
        s = self.script("import time\nfor i in range(20):\n    time.sleep(0.01)\n")
        ps = [self.start("run", "-o", self.out, "--", PYTHON, s) for _ in range(2)]
        for p in ps:
            self.assertEqual(p.wait(60), 0, p.stderr.read())
        self.assertEqual(len(self.traces()), 2)
        for t in self.traces():
            self.assertEqual(len(lines_of(self.model(self.checked(os.path.join(self.out, t))), s)), 42)


class Errors(support.Recording):
    def nothing_left(self):
        self.assertEqual(os.listdir(self.out) if os.path.isdir(self.out) else [], [])

    def test_no_such_program(self):
        for name in ("/no/such/program", "no-such-program"):
            self.error(self.ctrec("run", "-o", self.out, "--", name), "ERR_NO_PROGRAM", "UsageError", 127)
        self.nothing_left()

    def test_not_executable(self):
        s = self.script("x = 1\n")
        self.error(self.ctrec("run", "-o", self.out, "--", s), "ERR_NOT_EXECUTABLE", "UsageError", 126)
        self.nothing_left()

    def test_missing_interpreter(self):
        s = self.script("#!/no/python\nx = 1\n", "tool", 0o755)
        self.error(self.ctrec("run", "-o", self.out, "--", s), "ERR_NO_PROGRAM", "UsageError", 127)
        self.nothing_left()

    def test_usage(self):
        for args in ((), ("--no-such-option", "x"), ("--max-depth", "many", "--", PYTHON), ("-u", "no-such-user", "--", PYTHON)):
            self.error(self.ctrec("run", *args), "ERR_USAGE", "UsageError", 2)

    def test_not_a_python(self):
        self.error(self.ctrec("run", "-o", self.out, "--", "/bin/true"), "ERR_NOT_PYTHON", "TargetError", 1)
        self.nothing_left()

    def test_no_probes(self):
        found = [p for p in sorted(glob.glob(os.path.expanduser("~/.pyenv/versions/3.*/bin/python3.[0-9]*[0-9]")))
                 if int(p.rsplit(".", 1)[1]) >= 8]
        if not found:
            self.skipTest("no interpreter without USDT probes is here")
        s = self.script("print('ran')\n")
        for p in found:
            r = self.ctrec("run", "--probe=usdt", "-o", self.out, "--", p, s)
            supported = int(p.rsplit(".", 1)[1]) <= 14
            e = self.error(r, "ERR_NO_PROBES" if supported else "ERR_UNSUPPORTED_PYTHON", "TargetError", 1)
            self.assertTrue(e.get("hint"))
            self.assertEqual(r.stdout, "ran\n")

    def test_no_privileges(self):
        s = self.script("x = 1\n")
        out = os.path.join(self.dir, "nobody")
        os.mkdir(out)
        os.chown(out, NOBODY.pw_uid, NOBODY.pw_gid)
        bin_dir = os.path.join(self.dir, "bin")
        os.mkdir(bin_dir)
        for b in (CTREC, CTRECD):
            shutil.copy(b, bin_dir)
        r = subprocess.run(["setpriv", "--reuid", str(NOBODY.pw_uid), "--regid", str(NOBODY.pw_gid), "--clear-groups",
                            bin_dir + "/ctrec", "run", "--probe=usdt", "-o", out, "--", PYTHON, s], cwd="/", capture_output=True,
                           text=True, timeout=60)
        e = self.error(r, "ERR_NO_PRIVILEGE", "EnvironmentError", 1)
        self.assertIn("sudo", e.get("hint", ""))
        self.assertEqual(os.listdir(out), [])

    def test_unwritable_directory(self):
        s = self.script("x = 1\n")
        for where in ("/proc/nothing", s):
            self.error(self.ctrec("run", "-o", where, "--", PYTHON, s), "ERR_IO", "EnvironmentError", 1)

    def test_no_space(self):
        os.mkdir(self.out)
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", self.out], capture_output=True).returncode:
            self.skipTest("no tmpfs can be mounted")
        self.addCleanup(subprocess.run, ["umount", self.out], capture_output=True)
        s = self.script("import random\nx = []\nfor i in range(30000):\n    x = [random.random() for j in range(5)]\nprint('ended')\n")
        r = self.ctrec("run", "-o", self.out, "--", PYTHON, s)
        self.assertEqual(r.stdout, "ended\n")       # whatever becomes of the recording
        self.error(r, "ERR_NO_SPACE", "EnvironmentError", 1)


class Hostile(support.Recording):
    def test_corrupted_objects(self):
        s = self.script("""\
import ctypes, os
def poke(o, at, value):
    ctypes.c_uint64.from_address(id(o) + at).value = value
def bad():
    a = [1, 2, 3]
    poke(a, 24, 0xdead0000)             # where its items are
    b = "text" * 3
    poke(b, 16, 1 << 60)                # its length
    c = (1, 2)
    poke(c, 24, 8)                      # an element
    d = {"k": 1}
    poke(d, 32, 0x7fff00000001)         # its keys
    e = 10 ** 30
    poke(e, 16, 1 << 62)                # its number of digits
    x = 1
    os._exit(3)
bad()
""")
        m = self.model(self.record(s, status=3))
        self.assertEqual(lines_of(m, s)[-1], 16)
        self.assertEqual(m.steps[-1].vars["x"].get("i"), 1)

    def test_huge_values(self):
        s = self.script("s = 'x' * 160_000_000\nb = bytes(50_000_000)\nl = list(range(1_000_000))\nn = 1 << 1_000_000\nd = dict.fromkeys(l)\ny = 1\n")
        began = time.monotonic()
        trace = self.record(s)
        last = [x for x in self.model(trace).steps if x.file == s][-1].vars
        self.assertRegex(last["s"]["text"], r"^x{200,256}… \+\d+ more$")
        self.assertEqual(len(last["l"]["elements"]), 65)
        self.assertIn("+999936 more", last["l"]["elements"][-1]["r"])
        self.assertLess(os.path.getsize(trace), 4 << 20)
        self.assertLess(time.monotonic() - began, 60)

    def test_many_variables(self):
        s = self.script("for i in range(10000):\n    globals()['v%d' % i] = i\n    if i == 20:\n        break\n"
                        "globals().update(('w%d' % i, i) for i in range(10000))\nx = 1\nx = 2\nx = 3\n")
        m = self.model(self.record(s))
        self.assertEqual(lines_of(m, s)[-4:], [5, 6, 7, 8])
        last = m.steps[-1].vars
        self.assertEqual([last["v%d" % i].get("i") for i in range(21)], list(range(21)))
        # Those that the event's budget did not reach are absent or say so; none is wrong.
        wrong = [n for n, v in last.items() if n[0] == "w" and v.get("kind") == "Int" and v["i"] != int(n[1:])]
        self.assertEqual(wrong, [])
    test_many_variables.timeout = 240

    def test_unicode_names(self):
        s = self.script("größe = 1\nclass Ключ:\n    名 = 2\n    二 = 名\ndef 関数(引数):\n    x𝒳 = 引数\n    return x𝒳\n関数('é')\nz = 1\n", "naïve 文.py")
        m = self.model(self.record(s))
        names = {n for x in m.steps for n in x.vars}
        self.assertTrue({"größe", "引数", "名"} <= names, names)
        self.assertIn("関数", [c.name for c in m.calls])
        self.assertIn(s, m.paths)

    def test_functions_compiled_and_dropped(self):
        s = self.script("""\
import gc
for i in range(20000):
    name = "f%d" % i
    ns = {"__builtins__": {}}
    exec("def %s(a):\\n return a\\n" % name, ns)
    ns[name](i)
    del ns
    if i % 1000 == 0:
        gc.collect()
""")
        m = self.model(self.record(s, timeout=170))
        seen = [c for c in m.calls if re.fullmatch(r"f\d+", c.name or "")]
        self.assertEqual(len(seen), 20000)
        self.assertEqual([(i, c.name) for i, c in enumerate(seen) if c.name != "f%d" % i][:5], [])
        self.assertEqual([(i, c.args) for i, c in enumerate(seen) if c.args and c.args["a"].get("i") != i][:5], [])
        # A code object whose plan came too late has no values at its first event, and that is counted.
        late = re.search(r"values of ([\d,]+) events? \(plan_late\)", self.last.stderr)
        self.assertLessEqual(sum(not c.args for c in seen), int(late[1].replace(",", "")) if late else 0)
    test_functions_compiled_and_dropped.timeout = 240

    def test_recursion_error(self):
        s = self.script("import sys\nsys.setrecursionlimit(400)\ndef down(n):\n    return down(n + 1)\ntry:\n    down(0)\nexcept RecursionError:\n    hit = True\n")
        m = self.model(self.record(s))
        self.assertEqual(lines_of(m, s)[-2:], [7, 8])
        self.assertGreater(lines_of(m, s).count(4), 390)

    def test_own_settrace(self):
        s = self.script("import sys\nn = 0\ndef tr(f, e, a):\n    global n\n    n += 1\n    return tr\ndef f():\n    x = 1\n    return x\n"
                        "sys.settrace(tr)\nf()\nsys.settrace(None)\nprint(n)\n")
        m = self.model(self.record(s))
        self.assertEqual(self.last.stdout, "4\n")
        self.assertEqual([x for x in lines_of(m, s) if x in (8, 9)], [8, 9])


class Nothing(support.Recording):
    """Nothing is lost: a slow reader slows the program down; a dead daemon lets it go on."""
    LOOP = "def work(n):\n    t = 0\n    for i in range(n):\n        t += i\n    return t\nprint(work(%d))\n"

    def test_slow_drain(self):
        s = self.script(self.LOOP % 100000)
        m = self.model(self.record(s, env={"CTREC_TEST_SLOW_DRAIN": "2000"}))
        self.assertIn("nothing lost", self.last.stderr)
        lines = lines_of(m, s)
        self.assertEqual((lines.count(3), lines.count(4)), (100001, 100000))
        n = [x.vars["i"]["i"] for x in m.steps if x.file == s and x.line == 4]
        self.assertEqual(n, list(range(100000)))

    def daemon_of(self, pid):
        for _ in range(200):
            for p in os.listdir("/proc"):
                try:
                    with open("/proc/%s/cmdline" % p, "rb") as f:
                        argv = f.read().split(b"\0")
                    with open("/proc/%s/stat" % p) as f:
                        parent = int(f.read().rsplit(")", 1)[1].split()[1])
                except (OSError, ValueError, IndexError):
                    continue
                if os.path.basename(argv[0]) == b"ctrecd" and parent == pid:
                    return int(p)
            time.sleep(0.01)
        self.fail("no ctrecd below %d" % pid)

    def test_daemon_killed(self):
        s = self.script("import os\nprint('ready', os.getpid(), flush=True)\nt = 0\nfor i in range(400000):\n    t += i\nprint(t)\n")
        p = self.start("run", "-o", self.out, "--", PYTHON, s)
        self.assertTrue(p.stdout.readline().startswith("ready"))
        time.sleep(0.2)
        os.kill(self.daemon_of(p.pid), signal.SIGKILL)
        out, err = p.communicate(timeout=60)
        self.assertEqual(out, "%d\n" % sum(range(400000)), err)
        self.assertNotEqual(p.returncode, 0)        # the recording is incomplete, and that is said
        journal = os.path.join(self.out, "script.ct.journal")
        if os.path.exists(journal):
            again = os.path.join(self.dir, "again.ct")
            r = self.ctrec("recover", "-o", again, journal)
            self.assertEqual(r.returncode, 0, r.stderr)
        else:
            again = os.path.join(self.out, "script.ct")
        lines = lines_of(self.model(self.checked(again)), s)
        self.assertEqual(lines[:4], [1, 2, 3, 4])
        self.assertGreater(len(lines), 1000)

    def test_recorder_killed_too(self):
        """kill -9 of both ctrec and ctrecd: the journal gives a trace, the program is left running."""
        s = self.script("import os, time\nprint('ready', os.getpid(), flush=True)\nfor i in range(300):\n    time.sleep(0.01)\nopen(%r, 'w').close()\n"
                        % os.path.join(self.dir, "ended"))
        p = self.start("run", "-o", self.out, "--", PYTHON, s)
        target = int(p.stdout.readline().split()[1])
        time.sleep(1.5)
        daemon = self.daemon_of(p.pid)
        os.kill(p.pid, signal.SIGKILL)
        os.kill(daemon, signal.SIGKILL)
        for _ in range(600):
            if os.path.exists(self.dir + "/ended"):
                break
            time.sleep(0.01)
        else:
            with open("/proc/%d/status" % target) as f:
                self.fail("the program did not end: " + f.read()[:200])
        r = self.ctrec("recover", os.path.join(self.out, "script.ct.journal"))
        self.assertEqual(r.returncode, 0, r.stderr)
        m = self.model(self.checked(os.path.join(self.out, "script.ct")))
        self.assertGreater(len(lines_of(m, s)), 50)


if __name__ == "__main__":
    unittest.main()
