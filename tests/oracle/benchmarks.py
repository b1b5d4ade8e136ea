#!/usr/bin/env python3
"""Lays out four programs of the PyPI package `pyperformance` in a folder: benchmarks.py DIR

Each becomes DIR/NAME.py beside a small stand-in for pyperf. Downloads with pip
the first time; raises Unavailable when that can't be done.
"""
import glob
import os
import shutil
import subprocess
import sys
import zipfile

NAMES = ("richards", "deltablue", "nqueens", "raytrace")
VERSION = "1.14.0"
HERE = os.path.dirname(os.path.abspath(__file__))


class Unavailable(Exception):
    pass


def lay_out(folder):
    """Returns {name: path}."""
    paths = {n: os.path.join(folder, n + ".py") for n in NAMES}
    os.makedirs(folder, exist_ok=True)
    shutil.copy(os.path.join(HERE, "stub", "pyperf.py"), folder)
    if all(os.path.exists(p) for p in paths.values()):
        return paths
    pip = subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:", "-d", folder,
                          "pyperformance==" + VERSION], capture_output=True, text=True)
    wheels = glob.glob(os.path.join(folder, "pyperformance-*.whl"))
    if not wheels:
        why = [r for r in pip.stderr.splitlines() if r.startswith("ERROR: ")] or pip.stderr.splitlines() or ["it said nothing"]
        raise Unavailable("pip can't download pyperformance: " + why[-1])
    with zipfile.ZipFile(wheels[0]) as z:
        for n, p in paths.items():
            with open(p, "wb") as f:
                f.write(z.read("pyperformance/data-files/benchmarks/bm_%s/run_benchmark.py" % n))
    return paths


def shortened(path, count=60):
    """richards has no size argument: a copy with a shorter idle task, for checks that record every value."""
    short = "%s_%d.py" % (path[:-3], count)
    with open(path) as f:
        text = f.read()
    if text.count("self.count = 10000") != 1:
        raise Unavailable("richards changed: its idle task is made otherwise")
    with open(short, "w") as f:
        f.write(text.replace("self.count = 10000", "self.count = %d" % count))
    return short


if __name__ == "__main__":
    for p in lay_out(sys.argv[1]).values():
        print(p)
