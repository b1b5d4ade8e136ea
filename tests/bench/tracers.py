# SPDX-License-Identifier: MIT
"""Runs a script as __main__ under sys.settrace: tracers.py nothing|repr|count SCRIPT [ARG...]

nothing  a trace function that does nothing: the price of any line event in the program
repr     repr() of all locals at each line, thrown away: what a simple recorder does at least
count    counts the line events of files outside the standard library, and writes them to $CTREC_BENCH_COUNT
"""
import os
import sys

MODE, SCRIPT = sys.argv[1], sys.argv[2]
STDLIB = os.path.dirname(os.__file__) + os.sep
lines = [0]


def nothing(frame, event, arg):
    return nothing


def represent(frame, event, arg):
    if event == "line":
        for v in frame.f_locals.values():
            try:
                repr(v)
            except Exception:       # an object that is not whole yet
                pass
    return represent


def count(frame, event, arg):
    name = frame.f_code.co_filename
    if name.startswith((STDLIB, "<frozen ")) or name == __file__:
        return None
    return counted


def counted(frame, event, arg):
    if event == "line":
        lines[0] += 1
    return counted


def local_of(function):
    """Global tracer that leaves out the standard library, as ctrec does."""
    def enter(frame, event, arg):
        return None if frame.f_code.co_filename.startswith((STDLIB, "<frozen ")) else function
    return enter


with open(SCRIPT, "rb") as f:
    code = compile(f.read(), SCRIPT, "exec", dont_inherit=True)
sys.argv = sys.argv[2:]
sys.path[0] = os.path.dirname(os.path.abspath(SCRIPT))
space = {"__name__": "__main__", "__file__": SCRIPT, "__builtins__": __builtins__}
sys.settrace({"nothing": local_of(nothing), "repr": local_of(represent), "count": count}[MODE])
try:
    exec(code, space)
finally:
    sys.settrace(None)
    if MODE == "count":
        with open(os.environ["CTREC_BENCH_COUNT"], "w") as f:
            f.write(str(lines[0]))
