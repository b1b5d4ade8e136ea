#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""One long recording, and what it takes: long.py [--build DIR] [--dir DIR] [--calls N]

The program calls a function N times (40 million unless told: 160 million events,
80 million of them lines), so that its counts are known beforehand. Told are the
peak memory of the daemon and of `ctrec run` (VmHWM), their CPU, the program's CPU
with and without being recorded, the sizes of journal and trace, and the time from
the program's end to the finished trace. It fails when the counts that `ctrec print
--summary` gives are not the known ones or anything was lost. tests/ctcheck.py,
which checks every record, would take hours on such a trace and is left out.

Takes minutes, and about 60 bytes a call in DIR (the temporary directory).
"""
import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import bench

PROGRAM = os.path.join(bench.HERE, "workloads", "manycalls.py")
BYTES_A_CALL = 60


class Peak(threading.Thread):
    """The largest VmHWM of each process, read twice a second while it lives."""

    def __init__(self, **pids):
        super().__init__(daemon=True)
        self.pids, self.mb, self.over = pids, dict.fromkeys(pids, 0.0), threading.Event()

    def look(self):
        for name, pid in self.pids.items():
            try:
                with open("/proc/%d/status" % pid) as f:
                    rows = [r for r in f if r.startswith("VmHWM:")]
            except (FileNotFoundError, ProcessLookupError):
                continue
            if rows:
                self.mb[name] = max(self.mb[name], int(rows[0].split()[1]) / 1024)

    def run(self):
        while not self.over.wait(0.5):
            self.look()

    def stop(self):
        self.look()
        self.over.set()
        self.join()


def program_times(path):
    """(CPU seconds of the program, when it ended)"""
    with open(path) as f:
        _, _, user, system, end = f.read().split()
    return bench.minutes(user) + bench.minutes(system), float(end)


def plain(calls, times):
    env = dict(os.environ, CTREC_BENCH_TIMES=times)
    subprocess.run(["/bin/bash", "-c", bench.SHELL, "long", bench.PYTHON, PROGRAM, str(calls)], env=env, check=True)
    return program_times(times)[0]


def record(build, folder, calls):
    times, sock, out = (os.path.join(folder, n) for n in ("times", "socket", "out"))
    found = {"plain": plain(calls, times)}
    os.unlink(times)
    env = dict(os.environ, CTREC_BENCH_TIMES=times, CTREC_KEEP_JOURNAL="1")
    daemon = os.posix_spawn(os.path.join(build, "ctrecd"), ["ctrecd", "--socket", sock], os.environ)
    for _ in range(500):
        if os.path.exists(sock):
            break
        time.sleep(0.01)
    ctrec = [os.path.join(build, "ctrec"), "run", "--socket", sock, "-o", out, "--",
             "/bin/bash", "-c", bench.SHELL, "long", bench.PYTHON, PROGRAM, str(calls)]
    begun = time.time()
    try:
        run = os.posix_spawn(ctrec[0], ctrec, env)
        peak = Peak(daemon=daemon, run=run)
        peak.start()
        _, status, both = os.wait4(run, 0)
        done = time.time()
        peak.stop()
    finally:
        os.kill(daemon, signal.SIGTERM)
        _, _, usage = os.wait4(daemon, 0)
    if status:
        raise SystemExit("long.py: ctrec run ended with wait status %d" % status)
    cpu, end = program_times(times)
    ct, = [os.path.join(out, n) for n in os.listdir(out) if n.endswith(".ct")]
    found.update(cpu=cpu, wall=end - begun, finish=done - end, daemon=usage.ru_utime + usage.ru_stime,
                 run=both.ru_utime + both.ru_stime - cpu, peak=peak.mb, ct=os.path.getsize(ct),
                 journal=os.path.getsize(ct + ".journal"))
    begun = time.time()
    r = subprocess.run([ctrec[0], "print", "--summary", ct], stdout=subprocess.PIPE, text=True, check=True)
    found.update(summary=json.loads(r.stdout), summary_time=time.time() - begun)
    return found


def main():
    a = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    a.add_argument("--build", default=os.path.join(bench.ROOT, "build"))
    a.add_argument("--dir", help="where to put the trace while it is looked at (the temporary directory)")
    a.add_argument("--calls", type=int, default=40000000)
    o = a.parse_args()
    if os.geteuid() != 0:
        raise SystemExit("long.py: recording takes root")
    with tempfile.TemporaryDirectory(prefix="ctrec-long-", dir=o.dir) as folder:
        free, need = shutil.disk_usage(folder).free, o.calls * BYTES_A_CALL
        if free < need:
            raise SystemExit("long.py: CAN'T RUN HERE: %d MB are free in %s, %d MB are needed" %
                             (free >> 20, os.path.dirname(folder), need >> 20))
        f = record(os.path.abspath(o.build), folder, o.calls)
    s, lines, events = f["summary"], 2 * o.calls + 6, 4 * o.calls + 10
    print("""\
events (calls, returns, lines)   %d
program, CPU s                   %.1f, recorded %.1f (×%.1f; %.2f µs an event more)
program, wall s                  %.1f recorded
daemon, CPU s                    %.1f (%.2f µs an event)
ctrec run, CPU s                 %.1f
peak memory, MB                  daemon %.0f, ctrec run %.0f
journal                          %.1f MB (%.1f bytes a line)
.ct                              %.1f MB (%.1f bytes a line)
end of program to trace          %.1f s (%.2f s a million lines)
ctrec print --summary            %.1f s: %d lines, %d calls, %d lost""" % (
        events, f["plain"], f["cpu"], f["cpu"] / f["plain"], (f["cpu"] - f["plain"]) / events * 1e6, f["wall"],
        f["daemon"], f["daemon"] / events * 1e6, f["run"], f["peak"]["daemon"], f["peak"]["run"],
        f["journal"] / 1e6, f["journal"] / lines, f["ct"] / 1e6, f["ct"] / lines, f["finish"], f["finish"] / lines * 1e6,
        f["summary_time"], s["steps"], s["calls"], s["lost"]))
    known = {"steps": lines, "calls": o.calls + 2, "lost": 0, "no_values": 0, "gaps": {}}
    wrong = ["%s: %s, not %s" % (k, s[k], v) for k, v in known.items() if s[k] != v]
    if wrong:
        raise SystemExit("long.py: the trace is wrong: " + "; ".join(wrong))
    print("the counts are the known ones, nothing was lost")


if __name__ == "__main__":
    main()
