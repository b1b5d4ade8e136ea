#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What recording costs: bench.py [--build DIR] [--runs N] [--quick] [NAME...]

For each program, N interleaved rounds of: as it is, under a sys.settrace function
that does nothing, under settrace + repr of all locals, under ctrec. The medians
are printed as a markdown table, to be compared within one run only.

CPU is the kernel's own account of the Python process alone (start-up included in
every column): a shell that starts it reads it with `times`. The daemon's CPU and
memory are those of a daemon started for that one recording.
"""
import argparse
import glob
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "oracle"))
import benchmarks  # noqa: E402

PYTHON = "/usr/bin/python3"
# Starts the program, then writes its CPU seconds and the time it ended. `times` prints two
# lines: the shell's own, and that of its children.
SHELL = '"$@"; s=$?; e=$EPOCHREALTIME; { times; echo "$e"; } >"$CTREC_BENCH_TIMES"; exit $s'
TRACERS = os.path.join(HERE, "tracers.py")


def minutes(text):
    m = re.fullmatch(r"(\d+)m([\d.]+)s", text)
    return int(m[1]) * 60 + float(m[2])


class Bench:
    def __init__(self, build, folder):
        self.build, self.dir = build, folder
        self.times = os.path.join(folder, "times")
        self.env = dict(os.environ, CTREC_BENCH_TIMES=self.times, CTREC_KEEP_JOURNAL="1", PYTHONHASHSEED="0",
                        PYTHONDONTWRITEBYTECODE="1", SETUPTOOLS_USE_DISTUTILS="stdlib")

    def shell(self, before, command, env):
        """Runs it; (CPU seconds of the program, when it ended)."""
        if os.path.exists(self.times):
            os.unlink(self.times)
        r = subprocess.run(before + ["/bin/bash", "-c", SHELL, "bench"] + command, env=env, stdin=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=600)
        if r.returncode:
            raise SystemExit("%s: exit status %d\n%s" % (command, r.returncode, r.stderr[-2000:]))
        with open(self.times) as f:
            _, _, user, system, end = f.read().split()
        return minutes(user) + minutes(system), float(end), r.stderr

    def plain(self, command, env):
        return self.shell([], [PYTHON] + command, env)[0]

    def tracer(self, mode, command, env):
        return self.shell([], [PYTHON, TRACERS, mode] + command, env)[0]

    def count(self, command, env):
        out = os.path.join(self.dir, "count")
        self.shell([], [PYTHON, TRACERS, "count"] + command, dict(env, CTREC_BENCH_COUNT=out))
        with open(out) as f:
            return int(f.read())

    def recorded(self, command, env):
        out, sock = os.path.join(self.dir, "out"), os.path.join(self.dir, "socket")
        shutil.rmtree(out, True)
        daemon = os.posix_spawn(os.path.join(self.build, "ctrecd"), ["ctrecd", "--socket", sock], os.environ)
        for _ in range(500):
            if os.path.exists(sock):
                break
            time.sleep(0.01)
        try:
            cpu, end, stderr = self.shell([os.path.join(self.build, "ctrec"), "run", "--socket", sock, "-o", out, "--"],
                                          [PYTHON] + command, env)
            done = time.time()
        finally:
            os.kill(daemon, signal.SIGTERM)
            _, _, usage = os.wait4(daemon, 0)
        ct, = glob.glob(out + "/*.ct")
        journal = glob.glob(out + "/*.journal")
        return {"cpu": cpu, "finish": done - end, "daemon": usage.ru_utime + usage.ru_stime, "rss": usage.ru_maxrss / 1024,
                "ct": os.path.getsize(ct), "journal": os.path.getsize(journal[0]) if journal else None,
                "said": stderr.strip().splitlines()[-1] if stderr.strip() else ""}


def programs(folder, quick):
    """{name: (command, environment)}"""
    w = os.path.join(HERE, "workloads")
    size = {"lines": 10000, "calls": 17, "objs": 4000} if quick else {"lines": 60000, "calls": 22, "objs": 20000}
    found = {n: ([os.path.join(w, n + ".py"), str(size[n])], {}) for n in size}
    try:
        paths = benchmarks.lay_out(folder)
    except benchmarks.Unavailable as e:
        print("CAN'T RUN HERE: %s" % e, file=sys.stderr)
        return found
    arg = {"deltablue": 40, "nqueens": 6, "raytrace": 12} if quick else {"deltablue": 150, "nqueens": 7, "raytrace": 40}
    found["richards"] = ([benchmarks.shortened(paths["richards"], 600 if quick else 3000)], {})
    for n, a in arg.items():
        found[n] = ([paths[n]], {"CTREC_BENCH_ARG": str(a)})
    return found


def measure(bench, name, command, env, runs):
    env = dict(bench.env, **env)
    lines = bench.count(command, env)
    rows = {"plain": [], "nothing": [], "repr": [], "ctrec": []}
    for _ in range(runs):
        rows["plain"].append(bench.plain(command, env))
        rows["nothing"].append(bench.tracer("nothing", command, env))
        rows["repr"].append(bench.tracer("repr", command, env))
        rows["ctrec"].append(bench.recorded(command, env))
    med = {k: statistics.median(rows[k]) for k in ("plain", "nothing", "repr")}
    rec = {k: statistics.median(r[k] for r in rows["ctrec"]) for k in ("cpu", "finish", "daemon", "rss", "ct")}
    journals = [r["journal"] for r in rows["ctrec"] if r["journal"]]
    rec["journal"] = statistics.median(journals) if journals else None
    per = lambda seconds: (seconds - med["plain"]) / lines * 1e6        # noqa: E731
    cells = [name, "%d" % lines, "%.3f" % med["plain"],
             "×%.1f" % (med["nothing"] / med["plain"]), "%.2f" % per(med["nothing"]),
             "×%.1f" % (med["repr"] / med["plain"]), "%.2f" % per(med["repr"]),
             "×%.1f" % (rec["cpu"] / med["plain"]), "%.2f" % per(rec["cpu"]),
             "%.2f" % (rec["daemon"] / lines * 1e6), "%.0f" % rec["rss"],
             "%.1f" % (rec["journal"] / lines) if rec["journal"] else "–", "%.1f" % (rec["ct"] / lines),
             "%.1f" % (rec["finish"] / lines * 1e6)]
    return cells, [r["said"] for r in rows["ctrec"]]


HEAD = ["program", "lines", "CPU s", "nothing", "µs/line", "repr", "µs/line", "**ctrec**", "**µs/line**",
        "daemon µs/line", "daemon MB", "journal B/line", ".ct B/line", "finish s/M lines"]


def main():
    a = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    a.add_argument("--build", default=os.path.join(ROOT, "build"))
    a.add_argument("--runs", type=int, default=3)
    a.add_argument("--quick", action="store_true", help="smaller sizes")
    a.add_argument("name", nargs="*")
    o = a.parse_args()
    if os.geteuid() != 0:
        raise SystemExit("bench.py: recording takes root")
    with tempfile.TemporaryDirectory(prefix="ctrec-bench-") as folder:
        bench = Bench(os.path.abspath(o.build), folder)
        said = []
        print("| " + " | ".join(HEAD) + " |\n|" + "---|" * len(HEAD))
        for name, (command, env) in programs(os.path.join(os.path.abspath(o.build), "benchmarks"), o.quick).items():
            if o.name and name not in o.name:
                continue
            cells, texts = measure(bench, name, command, env, o.runs)
            print("| " + " | ".join(cells) + " |", flush=True)
            said += ["%s: %s" % (name, t) for t in texts if "nothing lost" not in t or "(" in t]
        for t in said:
            print("\n" + t)


if __name__ == "__main__":
    main()
