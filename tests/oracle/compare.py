#!/usr/bin/env python3
"""Compares what the oracle saw (collect.py) with what a .ct says.

    compare.py ORACLE.jsonl FILE.ct          prints the first differences; exits 1 on any
    compare.py --self-test ORACLE.jsonl      proves that each kind of difference is found

The trace is read by tests/ctcheck.py, which shares nothing with ctrec. Both
sides become one model: steps (file, line, variables) and calls (name, parent,
first and last step, arguments, result); then they must be equal, one by one.

values.py compares two values, selftest.py proves that a difference is found.
"""
import json
import os
import struct
import sys
import warnings

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))
import ctcheck  # noqa: E402
import selftest  # noqa: E402
from values import BUDGET, Values  # noqa: E402


class Step:
    __slots__ = ("file", "line", "vars", "objects", "thread")

    def __init__(self, file, line, variables, objects=0, thread=0):
        self.file, self.line, self.vars, self.objects, self.thread = file, line, variables, objects, thread


class Call:
    __slots__ = ("name", "parent", "depth", "entry", "exit", "args", "result", "unwound", "thread", "resumed", "thrown")

    def __init__(self, name, parent, depth, entry, args, thread=0):
        self.name, self.parent, self.depth, self.entry, self.args, self.thread = name, parent, depth, entry, args, thread
        self.exit, self.result, self.unwound, self.resumed, self.thrown = None, None, False, False, None


def absolute(path):
    return path if path.startswith("<") else os.path.abspath(path)


def oracle_model(path, thread=None):
    """The oracle's lines as steps and calls in the order and with the numbers the format asks for."""
    steps, calls, stacks = [], [], {}
    for text in open(path):
        r = json.loads(text)
        t = r["t"]
        if thread is not None and t != thread:
            continue
        stack = stacks.setdefault(t, [])
        if r["e"] == "call":
            parent = stack[-1][0] if stack else 0 if calls and t == calls[0].thread else -1     # atexit: below the root
            c = Call(r["q"], parent, calls[parent].depth + 1 if parent >= 0 else 0, len(steps), r["a"] or {}, t)
            c.resumed, c.thrown = r["a"] is None, r.get("x")
            calls.append(c)
            stack.append((len(calls) - 1, {}))
        elif r["e"] == "line":
            v = stack[-1][1]
            v.update(r["v"])
            for k in r.get("d", ()):
                v.pop(k, None)
            steps.append(Step(absolute(r["f"]), r["l"], dict(v), r["n"], t))
        else:
            key, _ = stack.pop()
            c = calls[key]
            c.result, c.unwound = r["v"], r["e"] == "unw"
            c.exit = len(steps) - 1
            if c.exit < c.entry:                # no step of its own
                c.entry = c.exit = max(len(steps) - 1, 0)
    if any(c.parent == 0 and c.entry > calls[0].exit for c in calls[1:] if calls[0].exit is not None):
        calls[0].exit = len(steps) - 1
    for c in calls:
        if c.exit is None:
            c.exit = max(len(steps) - 1, 0)
            c.result = ["open"]
    return steps, calls


class Trace:
    """A .ct as the same model, values still as CBOR maps."""

    def __init__(self, path):
        del ctcheck.broken[:]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)       # it leaves the file to the collector
            self.meta, t = ctcheck.read(path)
        self.broken = list(ctcheck.broken)
        if t is None:
            raise SystemExit("unreadable: " + "; ".join(self.broken))
        self.paths, self.funcs, self.types, _, steps, vals, calls, self.io = t
        with open(path, "rb") as f:
            self.internal = ctcheck.container(f.read())
        self.steps = [Step(self.paths[p], line, {v["varname"]: v["value"] for v in vs}) for (p, line), vs in zip(steps, vals)]
        self.calls = []
        for c in calls:
            k = Call(c.get("function"), c["parent_call_key"], c["depth"], c["entry_step"], {a["varname"]: a["value"] for a in c["args"]})
            k.exit, k.result = c["exit_step"], c["return"]
            self.calls.append(k)
        self.give_threads()

    def give_threads(self):
        """The thread of each step, from ctrec's own cx.thread: runs of (first step, thread)."""
        raw = self.internal.get("cx.thread", b"")
        runs = [struct.unpack_from("<QQ", raw, i) for i in range(0, len(raw) - 15, 16)]
        number = {}
        for (first, t), (end, _) in zip(runs, runs[1:] + [(len(self.steps), 0)]):
            for s in self.steps[first:end]:
                s.thread = number.setdefault(t, len(number))


class Difference(Exception):
    pass


class Report:
    def __init__(self):
        self.lines, self.values, self.calls, self.cuts, self.differences = 0, 0, 0, 0, []

    def differ(self, text, limit):
        self.differences.append(text)
        if len(self.differences) >= limit:
            raise Difference

    def summary(self):
        return "%d steps, %d values, %d calls compared; %d values cut at a limit; %d differences" % (
            self.lines, self.values, self.calls, self.cuts, len(self.differences))


def compare(oracle, trace, limit=12, allowed=()):
    """oracle: (steps, calls); trace: anything with steps, calls, types, broken. allowed: texts
    of known differences, each used up once for every time it stands there."""
    r, left = Report(), list(allowed)
    values = Values(trace.types)
    osteps, ocalls = oracle

    def differ(text):
        for a in left:
            if a in text:
                left.remove(a)
                return
        r.differ(text, limit)

    try:
        for b in trace.broken:
            differ("format: " + b)
        threads = sorted({s.thread for s in osteps} | {s.thread for s in trace.steps})
        if len(threads) < 2:
            compare_steps(osteps, trace.steps, values, r, differ)
            compare_calls(ocalls, trace, values, r, differ)
        else:
            for t in threads:
                compare_steps([s for s in osteps if s.thread == t], [s for s in trace.steps if s.thread == t], values, r,
                              lambda text, t=t: differ("thread %d: %s" % (t, text)))
                compare_exits(t, osteps, ocalls, trace, values, r, lambda text, t=t: differ("thread %d: %s" % (t, text)))
    except Difference:
        pass
    for a in left:
        r.differences.append("allowed, but not seen: %s" % a)
    r.cuts = values.cuts
    return r


def compare_steps(osteps, tsteps, values, r, differ):
    for i, o in enumerate(osteps):
        if i >= len(tsteps):
            differ("step %d: missing: %s:%d (the trace has %d steps, the oracle %d)" % (i, o.file, o.line, len(tsteps), len(osteps)))
            return
        t = tsteps[i]
        if (o.file, o.line) != (t.file, t.line):
            near = ["%s:%d" % (os.path.basename(s.file), s.line) for s in tsteps[i:i + 5]]
            differ("step %d: expected %s:%d, got %s:%d; the trace goes on %s, the oracle %s" % (
                i, o.file, o.line, t.file, t.line, near, ["%s:%d" % (os.path.basename(s.file), s.line) for s in osteps[i:i + 5]]))
            return
        r.lines += 1
        values.objects = o.objects
        for name, d in o.vars.items():
            if name not in t.vars:
                differ("step %d %s:%d: no variable %s, it is %s" % (i, o.file, o.line, name, json.dumps(d)[:120]))
                continue
            r.values += 1
            bad = values.match(d, t.vars[name])
            if bad:
                differ("step %d %s:%d: %s: %s" % (i, o.file, o.line, name, bad))
        for name in t.vars:
            if name not in o.vars and not name.startswith("."):
                differ("step %d %s:%d: variable %s is not there, the trace has %s" % (i, o.file, o.line, name, json.dumps(t.vars[name])[:120]))
    if len(tsteps) != len(osteps):
        s = tsteps[len(osteps)]
        differ("step %d: %d steps too many, first %s:%d" % (len(osteps), len(tsteps) - len(osteps), s.file, s.line))


def exits(calls):
    """Keys in the order of leaving: each call after those below it."""
    below = {}
    for i, c in enumerate(calls):
        below.setdefault(c.parent, []).append(i)
    out, stack = [], [(-1, iter(below.get(-1, ())))]
    while stack:
        key, rest = stack[-1]
        nxt = next(rest, None)
        if nxt is None:
            stack.pop()
            if key >= 0:
                out.append(key)
        else:
            stack.append((nxt, iter(below.get(nxt, ()))))
    return out


def compare_exits(thread, osteps, ocalls, trace, values, r, differ):
    """With threads a call is cut in pieces wherever another thread runs; only the last piece has a
    return. So the returns of a thread are compared, in order, with the functions they are of."""
    want = [ocalls[i] for i in exits(ocalls) if ocalls[i].thread == thread and ocalls[i].result != ["open"]]
    got = [trace.calls[i] for i in exits(trace.calls) if trace.calls[i].result is not None and
           trace.steps[min(trace.calls[i].exit, len(trace.steps) - 1)].thread == thread]
    for i, (o, t) in enumerate(zip(want, got)):
        if o.name != t.name:
            differ("return %d: expected of %s, got of %s" % (i, o.name, t.name))
            return
        r.calls += 1
        values.objects = BUDGET + 1 if len(json.dumps(o.result)) > 1500 else 0
        bad = values.match(o.result, t.result)
        if bad and not (o.name == "<__main__>" and o.parent == -1):
            differ("return %d of %s: %s" % (i, o.name, bad))
    if len(want) != len(got):
        differ("%d returns, expected %d" % (len(got), len(want)))


def compare_calls(ocalls, trace, values, r, differ):
    for i, o in enumerate(ocalls):
        if i >= len(trace.calls):
            differ("call %d: missing: %s (the trace has %d calls, the oracle %d)" % (i, o.name, len(trace.calls), len(ocalls)))
            return
        t = trace.calls[i]
        where = "call %d %s" % (i, o.name)
        if o.name != t.name:
            differ("%s: the trace has %s; the trace goes on %s, the oracle %s" % (
                where, t.name, [c.name for c in trace.calls[i:i + 5]], [c.name for c in ocalls[i:i + 5]]))
            return
        r.calls += 1
        for what in ("parent", "depth", "entry", "exit"):
            if getattr(o, what) != getattr(t, what):
                differ("%s: %s is %d, expected %d" % (where, what, getattr(t, what), getattr(o, what)))
        values.objects = BUDGET + 1 if sum(len(json.dumps(a)) for a in o.args.values()) > 1500 else 0
        want = dict(o.args)
        if o.thrown is not None:
            want["exception"] = o.thrown
        for n, d in want.items():
            bad = "missing" if n not in t.args else values.match(d, t.args[n])
            r.values += 1
            if bad:
                differ("%s: argument %s: %s" % (where, n, bad))
        for n in t.args:
            if n not in want and not n.startswith("."):
                differ("%s: argument %s is not one" % (where, n))
        if o.result == ["open"]:
            continue
        r.values += 1
        values.objects = BUDGET + 1 if len(json.dumps(o.result)) > 1500 else 0
        if t.result is None:
            differ("%s: no return value, expected %s" % (where, json.dumps(o.result)[:120]))
        else:
            bad = values.match(o.result, t.result)
            if bad and not (o.name == "<__main__>" and o.parent == -1):     # the root's is the exit status
                differ("%s: %s: %s" % (where, "leaves by" if o.unwound else "returns", bad))
    if len(trace.calls) != len(ocalls):
        differ("call %d: %d calls too many, first %s" % (len(ocalls), len(trace.calls) - len(ocalls), trace.calls[len(ocalls)].name))


def self_test(path):
    """Returns the list of what went wrong: nothing, if the comparison can fail as it must."""
    # one thread: with several the parents and spans are not compared
    return selftest.problems(oracle_model(path, thread=0), compare)


def main():
    if sys.argv[1] == "--self-test":
        bad = self_test(sys.argv[2])
        print("\n".join(bad) or "the comparison finds every kind of difference")
        sys.exit(bool(bad))
    r = compare(oracle_model(sys.argv[1]), Trace(sys.argv[2]))
    for d in r.differences:
        print(d)
    print(r.summary())
    sys.exit(bool(r.differences))


if __name__ == "__main__":
    main()
